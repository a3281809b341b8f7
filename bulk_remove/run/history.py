"""The runs of this machine, as their ledgers tell them: what was done, what is open, where the reports are."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk_remove.adapters.folders import Mark, begun_s, is_marked, noted_reports, run_folders, under_way
from bulk_remove.adapters.ledger import History, history, opened_for_reading, was_approved
from bulk_remove.adapters.reporter import timestamp
from bulk_remove.core.advice import RESUMED
from bulk_remove.core.forms import Held, told_forms
from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import OPEN_STATUSES, Rehearsal, Status, unsent_status
from bulk_remove.core.proof import CampaignResult, NoneFound, none_found
from bulk_remove.core.summary import Ending
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase
from bulk_remove.run.finish import REPORT
from bulk_remove.run.prepare import LEDGER

UNDER_WAY = "under way"
KILLED_PLANNING = "killed while it planned: nothing was sent"
NOT_BEGUN = "approved, but stopped before it sent anything"
UNREADABLE = "its ledger cannot be read"
ABANDONED = phrase("abandoned")
_LOST = "Where some of its reports went cannot be read any more."


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of before, or one that is under way.

    `state` is how its last session ended (a value of Ending) or one of the words above; `told` is what its ledger
    says, None where there is none that can be read; `problem` says what cannot be read. `last_s` is when something last
    happened, in Unix seconds. `reports` are where its reports went, whether they are there still or not.
    """

    folder: Path
    state: str
    last_s: float
    told: History | None
    problem: str
    reports: tuple[Path, ...]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def may_have_sent(self) -> bool:
        """Whether its plan was approved, as far as can be told."""
        return self.state != KILLED_PLANNING

    @property
    def host(self) -> str:
        """The server, as it is shown."""
        return str(self._destination.get("host", ""))

    @property
    def rehearsal(self) -> Rehearsal:
        """Whether it was, or may have been, a rehearsal."""
        return Rehearsal.of(self.host, stand_in=bool(self._plan.get("stand_in")))

    @property
    def campaigns(self) -> tuple[str, ...]:
        """The campaigns of its plan."""
        return tuple(str(campaign["campaign"]) for campaign in self._plan.get("campaigns", ()))

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings, without secrets."""
        return dict(self._request.get("settings", {}))

    @property
    def user(self) -> str:
        """The API user that it was sent as."""
        return str(self._destination.get("user", ""))

    @property
    def rows(self) -> int:
        """The rows of its input."""
        return sum(int(source["rows"]) for source in self._plan.get("sources", ()))

    @property
    def duplicates(self) -> int:
        """The rows whose number stood in an earlier one."""
        return sum(int(source["duplicates"]) for source in self._plan.get("sources", ()))

    @property
    def unsent_rows(self) -> Counter[Status]:
        """The rows without a number to ask for, by their status."""
        counted: Counter[Status] = Counter()
        for source in self._plan.get("sources", ()):
            for problem, count in source["problems"]:
                counted[unsent_status(problem)] += int(count)
        return counted

    @property
    def keep_lists(self) -> tuple[str, ...]:
        """The files of numbers that it must never remove."""
        return tuple(str(each["file"]) for each in self._plan.get("keep", ()))

    @property
    def numbers_by_status(self) -> Counter[Status]:
        """Its distinct numbers by status, all campaigns together."""
        counted: Counter[Status] = Counter()
        for tally in self.told.tallies.values() if self.told else ():
            for phase, count in tally.phases.items():
                counted[status_of(phase)] += count
        return counted

    @property
    def open_numbers(self) -> int:
        """How many numbers have no final answer."""
        return sum(count for status, count in self.numbers_by_status.items() if status in OPEN_STATUSES)

    @property
    def nothing(self) -> NoneFound | None:
        """That none of its numbers was found, where that is so."""
        results = []
        for campaign in self._plan.get("campaigns", ()):
            statuses = Counter[Status]()
            tally = self.told.tallies.get(campaign["campaign"]) if self.told else None
            for phase, count in tally.phases.items() if tally else ():
                statuses[status_of(phase)] += count
            gone = tally.gone if tally else 0
            results.append(CampaignResult(campaign["campaign"], statuses, campaign.get("confirmed", False), gone=gone))
        return none_found(results)

    @property
    def proves_nothing(self) -> bool:
        """Whether it came to its end, and its result is not an answer all the same."""
        return self.state == Ending.DONE and self.nothing is not None and self.nothing.proves_nothing

    @property
    def held(self) -> dict[str, Held]:
        """How its campaigns hold their numbers, where that was seen."""
        campaigns = self._plan.get("campaigns", ())
        return {campaign["campaign"]: campaign["held"] for campaign in campaigns if campaign.get("held")}

    @property
    def resumable_numbers(self) -> int:
        """How many numbers `resume` would ask for again."""
        if self.state == ABANDONED:
            return 0
        return sum(count for status, count in self.numbers_by_status.items() if status in RESUMED)

    @property
    def requests(self) -> int:
        """How many requests left."""
        return sum(tally.requests.total() for tally in self.told.tallies.values()) if self.told else 0

    @property
    def faults(self) -> Counter[str]:
        """Requests without verdicts, by what became of them; those that nobody saw the end of are 'killed'."""
        counted: Counter[str] = Counter()
        for tally in self.told.tallies.values() if self.told else ():
            counted.update({result or "killed": count for result, count in tally.requests.items()})
        del counted["verdicts"]
        return counted

    @property
    def unasked(self) -> bool:
        """Whether the server named a removal that nobody asked for."""
        return bool(self.told and self.told.unasked)

    @property
    def sessions_to_the_end(self) -> int:
        """How many sessions ended by themselves, all that could be asked being asked."""
        return sum(session.ending == Ending.DONE for session in self.told.sessions) if self.told else 0

    @property
    def _request(self) -> dict[str, Any]:
        return self.told.facts.request if self.told else {}

    @property
    def _destination(self) -> dict[str, Any]:
        return dict(self._request.get("destination", {}))

    @property
    def _plan(self) -> dict[str, Any]:
        return (self.told.facts.plan or {}) if self.told else {}


def past_runs(state_dir: Path) -> Iterator[PastRun]:
    """Yield all runs of a state folder, oldest first. Raises StorageError where a folder cannot be read."""
    for folder in run_folders(state_dir):
        yield past_run(folder)


def past_run(folder: Path) -> PastRun:
    """Return what is known of the run in this folder. Raises StorageError where it cannot be looked at at all."""
    noted = noted_reports(folder)
    reports = (folder / REPORT, *noted.paths) if (folder / REPORT).exists() else noted.paths
    held = under_way(folder)
    ledger = folder / LEDGER
    if not ledger.is_file() or not was_approved(ledger):
        return PastRun(folder, UNDER_WAY if held else KILLED_PLANNING, begun_s(folder), None, "", reports)
    try:
        with opened_for_reading(ledger) as store:
            told = history(store)
            state = UNDER_WAY if held else _ending(folder, told)
            run = PastRun(folder, state, told.last_s, told, "" if noted.whole else _LOST, reports)
            _look_through(run)
            return run
    except StorageError as error:
        return PastRun(folder, UNDER_WAY if held else UNREADABLE, begun_s(folder), None, error.sentence, reports)


def _look_through(run: PastRun) -> None:
    """Ask a run for all that may be asked of it later, so that what its cells raise is raised while they are read."""
    details_as_json(run)
    _ = run.keep_lists
    for held in run.held.values():
        told_forms(held, run.settings.get("region", "PL"))


def _ending(folder: Path, told: History) -> str:
    if is_marked(folder, Mark.ABANDONED):
        return ABANDONED
    return (told.sessions[-1].ending or Ending.KILLED.value) if told.sessions else NOT_BEGUN


def run_as_json(run: PastRun) -> dict[str, object]:
    """Return what `runs list --json` says of a run; the keys are stable."""
    return {
        "run_id": run.run_id,
        "began_at": timestamp(run.told.created_at_s if run.told else run.last_s),
        "last_at": timestamp(run.last_s),
        "host": run.host,
        "rehearsal": run.rehearsal.value or None,
        "campaigns": list(run.campaigns),
        "rows": run.rows,
        "numbers": run.numbers_by_status.total(),
        "duplicate_rows": run.duplicates,
        "invalid_rows": run.unsent_rows[Status.INVALID],
        "kept_rows": run.unsent_rows[Status.KEPT],
        "numbers_by_status": {status.value: run.numbers_by_status[status] for status in Status},
        "open_numbers": run.open_numbers,
        "resumable_numbers": run.resumable_numbers,
        "proves_nothing": run.proves_nothing,
        "requests": run.requests,
        "faults": dict(run.faults),
        "sessions": len(run.told.sessions) if run.told else 0,
        "ending": run.state,
        "problem": run.problem,
        "folder": str(run.folder),
        "reports": [str(path) for path in run.reports if path.exists()],
    }


def details_as_json(run: PastRun) -> dict[str, object]:
    """Return what `runs show --json` says of a run; the keys are stable."""
    sources = run.told.facts.sources if run.told else ()
    sessions = run.told.sessions if run.told else ()
    return {
        **run_as_json(run),
        "user": run.user,
        "settings": run.settings,
        "input": [
            {
                "file": source.file,
                "sheet": source.sheet,
                "sha256": source.sha256,
                "size_bytes": source.size_bytes,
                "column": source.header[source.column],
            }
            for source in sources
        ],
        "session_times": [
            {
                "began_at": timestamp(session.began_at_s),
                "ended_at": timestamp(session.ended_at_s) if session.ended_at_s is not None else None,
                "ending": session.ending or None,
            }
            for session in sessions
        ],
    }
