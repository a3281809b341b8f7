"""Resumes a run from its ledger only: the input may be gone or changed.

Also opens an earlier run to write its report again, and closes a run that will not be continued. Neither sends
anything.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bulk_remove.core.model import Status
from bulk_remove.core.plan import Consent, Plan
from bulk_remove.core.summary import RESUMED, Ending
from bulk_remove.disk import Aside
from bulk_remove.errors import CampaignLockedError, InputError, UsageError
from bulk_remove.language import phrase
from bulk_remove.ledger import (
    Outcomes,
    Reopening,
    Sending,
    damage_as_error,
    facts_of,
    history,
    open_existing,
    verify,
    was_approved,
)
from bulk_remove.run.finish import Finished, Wanted, finish, note_files
from bulk_remove.run.folders import Mark, is_marked, lock_campaigns, lock_run, mark, run_folders, share
from bulk_remove.run.prepare import LEDGER, Prepared
from bulk_remove.settings import Destination, Settings

ANOTHER_SERVER = "Name its own server. To send all its numbers to another one, `run` the original list there."
"""The hint if an earlier run should go to another server."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An approved run, ready for another session with its open ledger. `told` are its own settings."""

    ready: Prepared
    told: Settings
    destination: Destination
    consent: Consent


def find_run(state_dir: Path, name: str) -> Path:
    """Return the folder of a run by its id, or of the latest approved run if empty. Raises InputError."""
    folders = [folder for folder in run_folders(state_dir) if (folder / LEDGER).is_file()]
    if not name:
        begun = next((folder for folder in reversed(folders) if was_approved(folder / LEDGER)), None)
        if begun is None:
            raise InputError(
                phrase("There is no run in {state_dir}.", state_dir=state_dir), "Name another folder with --state-dir."
            )
        return begun
    found = next((folder for folder in folders if folder.name == name), None)
    if found is None:
        latest = phrase(" The latest is {name}.", name=folders[-1].name) if folders else ""
        raise InputError(
            phrase("There is no run {name} in {state_dir}.{latest}", name=name, state_dir=state_dir, latest=latest),
            "Check the id and --state-dir.",
        )
    return found


def check_not_abandoned(folder: Path) -> None:
    """Raise InputError for an abandoned run."""
    if is_marked(folder, Mark.ABANDONED):
        raise InputError(
            phrase("Run {name} was abandoned and cannot be resumed.", name=folder.name),
            phrase("To send what it left open in a new run: bulk-remove rerun {name}", name=folder.name),
        )


@contextmanager
def earlier_run(folder: Path, changes: Mapping[str, Any]) -> Iterator[EarlierRun]:
    """Lock an earlier run and open its ledger. `changes` replace its settings by name.

    Raises StorageError for a damaged or altered ledger, InputError for a run that was never approved, RunLockedError
    for a run that is under way, UsageError for impossible changes.
    """
    with lock_run(folder), closing(open_existing(folder / LEDGER)) as store:
        with damage_as_error(store.path):
            facts = facts_of(store)
            if not facts.approved_by or facts.plan is None:
                raise InputError(
                    phrase("Run {run_id} ended before its plan was approved: nothing was sent.", run_id=facts.run_id),
                    "Run its input again.",
                )
            ready = Prepared(folder, store, facts.plan, facts.kept, facts.settings)
            run = EarlierRun(ready, facts.settings, facts.destination, Consent(facts.approved_by))
        if verify(store).unproved:
            with damage_as_error(store.path):  # what the proof does not cover must raise before anything is sent
                Reopening(store).check_stragglers(run.told.forms().planned)
                standing_of(run)
                last_session(run)
        share(folder, store)
        settings = replace(run.told, **changes)
        plan = replace(ready.plan, rate=settings.ceilings().rate)
        yield replace(run, ready=replace(ready, plan=plan, settings=settings))


def check_same_server(run: EarlierRun, given: Destination | None) -> None:
    """Raise UsageError if the given server is not the server of the run."""
    told = run.destination
    if given is not None and (given.host, given.base_path) != (told.host, told.base_path):
        raise UsageError(
            phrase(
                "Run {earlier} was sent to {host}, not to {other}.",
                earlier=run.ready.folder.name,
                host=told.host,
                other=given.host,
            ),
            ANOTHER_SERVER,
        )


def reopened(run: EarlierRun, now_s: float) -> Prepared:
    """Make the open numbers of an earlier run ready to be sent. `now_s` in Unix seconds. Raises StorageError."""
    return replace(run.ready, phases=Reopening(run.ready.store).reopen(now_s))


def standing_of(run: EarlierRun) -> tuple[Plan, Counter[Status]]:
    """Return the plan of what is left of an earlier run, and the current count of its numbers by status."""
    plan = run.ready.plan
    left: Counter[str] = Counter()
    by_status: Counter[Status] = Counter()
    for campaign, tally in history(run.ready.store).tallies.items():
        by_status += tally.statuses
        left[campaign] = sum(count for status, count in tally.statuses.items() if status in RESUMED)
    campaigns = tuple(replace(each, settled=each.numbers - left[each.campaign]) for each in plan.campaigns)
    return replace(plan, campaigns=campaigns), by_status


def last_session(run: EarlierRun) -> tuple[Prepared, Ending | None] | None:
    """Return the run with the settings of its last session and its ending (None: killed), or None without a session."""
    outcomes = Outcomes(run.ready.store)
    sessions = outcomes.sessions()
    if not sessions:
        return None
    settings = Settings.read_back(outcomes.last_settings())
    return replace(run.ready, settings=settings), Ending(sessions[-1].ending) if sessions[-1].ending else None


@contextmanager
def ended_run(folder: Path) -> Iterator[tuple[Prepared, Ending]]:
    """Open a run that has ended, with its ending. Raises InputError, CampaignLockedError, StorageError."""
    with earlier_run(folder, {}) as run:
        ready, ending = last_session(run) or (run.ready, None)
        if ending is None:
            name = folder.name
            try:
                with lock_campaigns(ready.state_dir, run.destination.host, ready.plan.campaign_ids):
                    raise InputError(
                        phrase(
                            "Run {name} was killed while it was sending: the numbers under way are still in doubt.",
                            name=name,
                        ),
                        phrase("Finish it with `bulk-remove resume {name}`, which writes its report.", name=name),
                    )
            except CampaignLockedError:
                raise CampaignLockedError(
                    phrase("Run {name} is under way.", name=name),
                    "Wait for it to end, or stop it with Ctrl-C; it writes its report itself.",
                ) from None
        yield ready, ending


def close_run(folder: Path, now_s: float, *, abandoned: bool = False) -> Finished | None:
    """Write the report of a run that will not be continued, to its own folder. Returns None if it sent nothing.

    If the run was killed, the numbers that were under way are in doubt from now on. An `abandoned` run is never
    resumed. `now_s` in Unix seconds. Raises the same errors as `earlier_run`.
    """
    with earlier_run(folder, {}) as run:
        last = last_session(run)
        if last and last[1] is None:
            sessions = Outcomes(run.ready.store).sessions()
            reopened(run, now_s)
            with run.ready.store.transaction() as connection:
                Sending(connection).end_session(len(sessions), sessions[-1].ended_s, Ending.KILLED.value)
        if abandoned:
            mark(folder, Mark.ABANDONED)
        if last is None:
            return None
        ready, ending = last
        return finish(ready, ending or Ending.KILLED, None, Wanted(run.destination.csv_for, run.destination.also))


def note_copies(folder: Path, copies: Iterable[Aside]) -> None:
    """Note copies of a run's reports in its ledger. Raises StorageError."""
    with lock_run(folder), closing(open_existing(folder / LEDGER)) as store:
        share(folder, store)
        note_files(Outcomes(store), copies)
