"""An earlier run's report, written from its ledger alone: once more, or for good where the run is not to go on.

Nothing is sent.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bulk_remove.adapters.folders import Mark, lock_campaigns, lock_run, mark
from bulk_remove.adapters.ledger import Outcomes, Sending, Timing, open_existing
from bulk_remove.core.summary import Ending
from bulk_remove.disk import Aside
from bulk_remove.errors import CampaignLockedError, InputError
from bulk_remove.language import phrase
from bulk_remove.run.finish import Finished, Wanted, finish, note_files
from bulk_remove.run.prepare import LEDGER, Prepared
from bulk_remove.run.resume import EarlierRun, earlier_run, kept_of, plan_of, reopened, standing_of
from bulk_remove.settings import Settings


@contextmanager
def ended_run(folder: Path, state_dir: Path) -> Iterator[tuple[Prepared, Settings, Ending]]:
    """Open a run that has ended, with its last session's settings and ending. Nobody else works on it meanwhile.

    Raises InputError for a run that never began to send or was killed, CampaignLockedError for one under way,
    StorageError for a ledger that is damaged.
    """
    with earlier_run(folder, {}) as run:
        timing = Timing(run.store)
        sessions = timing.sessions()
        if not sessions or not sessions[-1].ending:
            raise _not_ended(run, state_dir)
        settings = Settings.read_back(timing.last_settings())
        yield Prepared(folder, run.store, plan_of(run), kept_of(run), settings), settings, Ending(sessions[-1].ending)


def close_run(folder: Path, now_s: float, *, abandoned: bool = False) -> Finished | None:
    """Write the report of a run that is not to go on, into its own folder; None where it sent nothing.

    Of a run that was killed the numbers that were under way are in doubt from now on. One that is `abandoned` is never
    taken up again. `now_s` in Unix seconds. Raises what `earlier_run` does.
    """
    with earlier_run(folder, {}) as run:
        timing = Timing(run.store)
        sessions = timing.sessions()
        ready = Prepared(folder, run.store, plan_of(run), kept_of(run), run.settings)
        if sessions and not sessions[-1].ending:
            ready = reopened(run, now_s)
            with run.store.transaction() as connection:
                Sending(connection).end_session(len(sessions), sessions[-1].ended_s, Ending.KILLED.value)
        if abandoned:
            mark(folder, Mark.ABANDONED)
        if not sessions:
            return None
        settings = Settings.read_back(timing.last_settings())
        wanted = Wanted(run.destination.csv_for, run.destination.also)
        return finish(ready, settings, Ending(sessions[-1].ending or Ending.KILLED), None, wanted)


def nothing_left(run: EarlierRun) -> tuple[Prepared, Settings, Ending] | None:
    """Return what a report is written from, with the last session's settings and ending, of a run that is finished.

    None where it ended too early to say so, or something is left that a later session would ask for.
    """
    timing = Timing(run.store)
    sessions = timing.sessions()
    left, _ = standing_of(run)
    if left.to_send or not sessions or sessions[-1].ending != Ending.DONE:
        return None
    settings = Settings.read_back(timing.last_settings())
    return Prepared(run.folder, run.store, plan_of(run), kept_of(run), settings), settings, Ending.DONE


def note_copies(folder: Path, copies: Iterable[Aside]) -> None:
    """Have the ledger of a run keep what copies of its reports were when they were made. Raises StorageError."""
    with lock_run(folder), closing(open_existing(folder / LEDGER)) as store:
        note_files(Outcomes(store), copies)


def _not_ended(run: EarlierRun, state_dir: Path) -> InputError | CampaignLockedError:
    name = run.folder.name
    try:
        with lock_campaigns(state_dir, run.destination.host, run.campaigns):
            return InputError(
                phrase("Run {name} was cut off while it was sending: what was under way is still in doubt.", name=name),
                phrase("Finish it with `bulk-remove resume {name}`, which writes its report.", name=name),
            )
    except CampaignLockedError:
        return CampaignLockedError(
            phrase("Run {name} is under way.", name=name),
            "Wait for it to end, or stop it with Ctrl-C; it writes its report itself.",
        )
