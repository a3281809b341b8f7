"""The runs on this machine, read from their ledgers: what was done, what is open, where the reports are.

`EarlierRuns` serves the plan of a new run. `prunable` serves `prune` and
lists the reports that stay in other folders. `verify_run` compares reports with the ledger, which keeps their SHA-256,
and the ledger with the heads of its proof in unchanged summaries. `explain_number` shows what was done with a number.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import file_digest
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.limits import Known
from bulk_remove.core.model import OPEN_STATUSES, Rehearsal, Status, harmless, unsent_status
from bulk_remove.core.numbers import Normaliser
from bulk_remove.core.plan import Plan
from bulk_remove.core.summary import RESUMED, CampaignResult, Ending, none_found
from bulk_remove.disk import opened
from bulk_remove.errors import AlteredLedgerError, AlteredReportError, InputError, StorageError
from bulk_remove.language import counted, joined, phrase
from bulk_remove.ledger import (
    DAMAGE,
    History,
    Outcomes,
    Removals,
    StandingTally,
    Store,
    Trace,
    UnmadeError,
    Verified,
    facts_of,
    history,
    last_ending,
    opened_for_reading,
    trace,
    verify,
    was_approved,
)
from bulk_remove.report.csv import timestamp
from bulk_remove.run.finish import REPORT, SUMMARY, source_as_json, summary_at
from bulk_remove.run.folders import LEDGER_FILE, Mark, begun_s, is_marked, noted_reports, run_folders, under_way
from bulk_remove.settings import Destination, Settings

UNDER_WAY = "under way"
KILLED_PLANNING = "killed while it planned: nothing was sent"
NOT_BEGUN = "approved, but stopped before it sent anything"
UNREADABLE = "its ledger cannot be read"
ABANDONED = phrase("abandoned")
_LOST = "The list of its report files is partly unreadable."


@dataclass(frozen=True, slots=True)
class PastRun:
    """An earlier run, or one that is under way.

    `state` is how its last session ended (a value of Ending) or one of the words above. `told` is the content of its
    ledger, or None if that cannot be read; then `problem` says why. `last_s` is the time of the last event in Unix
    seconds. `reports` are the paths to which its reports were written; the files may be gone.
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
    def plan(self) -> Plan:
        """Its plan, or an empty one if it is not known."""
        return (self.told and self.told.facts.plan) or Plan(self.run_id, "", (), (), 1.0)

    @property
    def host(self) -> str:
        """The server's host name."""
        return self.plan.host

    @property
    def rehearsal(self) -> Rehearsal:
        """Whether it was, or may have been, a rehearsal."""
        return self.plan.rehearsal

    @property
    def campaigns(self) -> tuple[str, ...]:
        """The campaigns of its plan."""
        return self.plan.campaign_ids

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings, without secrets."""
        return dict(json.loads(json.dumps(self.told.facts.settings.public()))) if self.told else {}

    @property
    def unsent_rows(self) -> Counter[Status]:
        """Count of rows that were never sent, by status."""
        counted: Counter[Status] = Counter()
        for source in self.plan.sources:
            for problem, count in source.problems:
                counted[unsent_status(problem)] += count
        return counted

    @property
    def _tallies(self) -> dict[str, StandingTally]:
        return self.told.tallies if self.told else {}

    @property
    def numbers_by_status(self) -> Counter[Status]:
        """Count of distinct numbers by status, over all campaigns."""
        return sum((tally.statuses for tally in self._tallies.values()), Counter[Status]())

    @property
    def open_numbers(self) -> int:
        """Count of numbers without a final answer."""
        return sum(count for status, count in self.numbers_by_status.items() if status in OPEN_STATUSES)

    @property
    def proves_nothing(self) -> bool:
        """Whether it ran to its end, but its result proves nothing: the form of the numbers may be wrong."""
        none = StandingTally(Counter(), Counter(), 0, 0)
        pairs = [(each, self._tallies.get(each.campaign, none)) for each in self.plan.campaigns]
        nothing = none_found(
            [
                CampaignResult(each.campaign, tally.statuses, each.confirmed, tally.found, tally.gone)
                for each, tally in pairs
            ]
        )
        return self.state == Ending.DONE and nothing is not None and nothing.proves_nothing

    @property
    def resumable_numbers(self) -> int:
        """Count of numbers that `resume` would send again."""
        if self.state == ABANDONED:
            return 0
        return sum(count for status, count in self.numbers_by_status.items() if status in RESUMED)

    @property
    def requests(self) -> int:
        """Count of requests sent."""
        return sum(tally.requests.total() for tally in self._tallies.values())

    @property
    def faults(self) -> Counter[str]:
        """Count of requests without verdicts, by kind of fault. A request without an end counts as 'killed'."""
        counted: Counter[str] = Counter()
        for tally in self._tallies.values():
            counted.update({result or "killed": count for result, count in tally.requests.items()})
        del counted["verdicts"]
        return counted

    @property
    def unasked(self) -> bool:
        """Whether the server named a removal that nobody asked for."""
        return bool(self.told and self.told.unasked)


def past_runs(state_dir: Path) -> Iterator[PastRun]:
    """Yield all runs in a state folder, oldest first. Raises StorageError if a folder cannot be read."""
    for folder in run_folders(state_dir):
        yield past_run(folder)


def past_run(folder: Path) -> PastRun:
    """Return the run in this folder. Raises StorageError if the folder cannot be read."""
    noted = noted_reports(folder)
    reports = (folder / REPORT, *noted.paths) if (folder / REPORT).exists() else noted.paths
    held = under_way(folder)
    ledger = folder / LEDGER_FILE
    unsent = PastRun(folder, UNDER_WAY if held else KILLED_PLANNING, begun_s(folder), None, "", reports)
    if not ledger.is_file():
        return unsent
    try:
        with opened_for_reading(ledger) as store:
            if not store.approved():
                return unsent
            told = history(store)
            state = UNDER_WAY if held else _ending(folder, told)
            run = PastRun(folder, state, told.last_s, told, "" if noted.whole else _LOST, reports)
            details_as_json(run)  # a damaged cell must raise here, and not later
            return run
    except UnmadeError:
        return unsent
    except StorageError as error:
        return replace(unsent, state=UNDER_WAY if held else UNREADABLE, problem=error.sentence)


def _ending(folder: Path, told: History) -> str:
    if is_marked(folder, Mark.ABANDONED):
        return ABANDONED
    return (told.sessions[-1].ending or Ending.KILLED.value) if told.sessions else NOT_BEGUN


def run_as_json(run: PastRun) -> dict[str, object]:
    """Return a run as `runs list --json` prints it. The keys are stable."""
    return {
        "run_id": run.run_id,
        "began_at": timestamp(run.told.facts.created_at_s if run.told else run.last_s),
        "last_at": timestamp(run.last_s),
        "host": run.host,
        "rehearsal": run.rehearsal.value or None,
        "campaigns": list(run.campaigns),
        "rows": run.plan.rows,
        "numbers": run.numbers_by_status.total(),
        "duplicate_rows": run.plan.duplicates,
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
    """Return a run as `runs show --json` prints it. The keys are stable."""
    sessions = run.told.sessions if run.told else ()
    destination = run.told.facts.destination if run.told else Destination()
    return {
        **run_as_json(run),
        "user": destination.user,
        "planned_by": dict(destination.planned) or None,
        "settings": run.settings,
        "input": [source_as_json(each.source) for each in run.plan.sources],
        "session_times": [
            {
                "began_at": timestamp(session.began_at_s),
                "ended_at": timestamp(session.ended_at_s) if session.ended_at_s is not None else None,
                "ending": session.ending or None,
            }
            for session in sessions
        ],
    }


RECENT_RUNS = 30
"""How many completed runs of a campaign define its usual size: about a month of nightly runs."""
_MOST_RUNS, _LONGEST_AGO_S = 500, 366 * 86_400.0
"""Only so many earlier runs, begun within so many seconds before a run, are searched for the numbers they removed."""
_LOOKED_AT = 20
"""So many runs of one content are opened to name the one that removed something."""
WHERE = ("campaign", "campaign_column")


_NO_PLAN = Plan("", "", (), (), 1.0)


class KnownRun(NamedTuple):
    """An earlier run without its numbers. Without an approval, or if it cannot be read, its plan is empty.

    `saved_plan` is the id of the saved plan that it ran, `ending` how its last session ended. `unread` says that not
    everything could be read.
    """

    folder: Path
    plan: Plan = _NO_PLAN
    settings: Settings | None = None
    saved_plan: object = None
    ending: str = ""
    unread: bool = False

    def had(self, content: str) -> bool:
        """Return whether its input had a file with this SHA-256."""
        return any(each.source.sha256 == content for each in self.plan.sources)


def _known_run(folder: Path) -> KnownRun:
    ledger, run = folder / LEDGER_FILE, KnownRun(folder)
    if not ledger.is_file():
        return run
    try:
        with opened_for_reading(ledger) as store:
            facts = facts_of(store)
            if facts.approved_by and facts.plan:
                planned: object = facts.destination.planned  # a damaged cell may hold anything
                saved_plan = planned.get("plan") if isinstance(planned, Mapping) else None
                run = KnownRun(folder, facts.plan, facts.settings, saved_plan)
            return run._replace(ending=last_ending(store))
    except StorageError:
        return run._replace(unread=True)


class EarlierRuns:
    """The runs of a state folder, the latest first, without the run that is planned: that is the `own` plan.

    Each is read once, when it is first needed. Raises StorageError, and UnavailableError where hosts share their runs.
    `removals` are the numbers that runs begun before the own one removed before `before_s` (Unix seconds).
    """

    def __init__(self, state_dir: Path, own: Plan = _NO_PLAN, before_s: float = 0.0) -> None:
        self.removals = Removals(self._ledgers, before_s)
        self._state_dir = state_dir
        self._own = own
        self._read: dict[Path, KnownRun] = {}

    @cached_property
    def folders(self) -> list[Path]:
        """Their folders."""
        return [folder for folder in reversed(run_folders(self._state_dir)) if folder.name != self._own.run_id]

    def __iter__(self) -> Iterator[KnownRun]:
        for folder in self.folders:
            if folder not in self._read:
                self._read[folder] = _known_run(folder)
            yield self._read[folder]

    def known(self, records: Mapping[str, int]) -> tuple[Known, tuple[str, ...]]:
        """Return what is known about its campaigns, with the server's `records`, and a note on unreadable ledgers."""
        earlier: defaultdict[str, list[int]] = defaultdict(list)
        wanted = {*self._own.campaign_ids}
        unread = 0
        for run in self if wanted else ():
            unread += run.unread
            sent = run.plan.campaigns
            # The size of a rerun, which has settled numbers, is not typical.
            if (run.plan.host, run.ending) == (self._own.host, Ending.DONE) and not any(each.settled for each in sent):
                for each in sent:
                    if each.campaign in wanted:
                        earlier[each.campaign].append(each.numbers)
                wanted -= {campaign for campaign, sizes in earlier.items() if len(sizes) >= RECENT_RUNS}
                if not wanted:
                    break
        note = counted(
            unread,
            "{count:,} earlier ledger could not be read and does not count in the usual numbers.",
            "{count:,} earlier ledgers could not be read and do not count in the usual numbers.",
        )
        known = Known(records, {campaign: tuple(sizes) for campaign, sizes in earlier.items()})
        return known, (note,) if unread else ()

    def _ledgers(self) -> Iterator[tuple[Path, Collection[str]]]:
        before_s = self.removals.before_s - _LONGEST_AGO_S
        for run in islice((run for run in self if run.folder.name < self._own.run_id), _MOST_RUNS):
            campaigns = {*self._own.campaign_ids}.intersection(run.plan.campaign_ids)
            if campaigns and run.plan.host == self._own.host and begun_s(run.folder) >= before_s:
                yield run.folder / LEDGER_FILE, campaigns

    def told(self, settings: Settings) -> Iterator[str]:
        """Yield a sentence on each source whose content an approved run has read already, naming the latest run."""
        for source in (each.source for each in self._own.sources):
            alike = [run for run in self if run.plan.host == self._own.host and run.had(source.sha256)]
            here = [run for run in alike if alike_in(run.settings, settings, WHERE)]  # these go before others
            if alike:
                runs = (past_run(run.folder) for run in (here or alike)[:_LOOKED_AT])
                latest = next(runs)  # named unless only an earlier one removed something
                removed = (run for run in chain((latest,), runs) if run.numbers_by_status[Status.REMOVED])
                named = latest if latest.open_numbers else next(removed, latest)
                yield (_note_on if here else _note_elsewhere)(harmless(source.file), named)


def alike_in(one: Settings | None, other: Settings, names: Iterable[str]) -> bool:
    """Return whether two runs have the same values of these settings."""
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _note_on(file: str, run: PastRun) -> str:
    told = phrase(
        "{file} was run before: run {run} of {began} had the same content",
        file=file,
        run=run.run_id,
        began=local(begun_s(run.folder)),
    )
    if not run.open_numbers:
        return phrase("{sentence}, and every number has its final answer.", sentence=told)
    if run.resumable_numbers:
        return phrase("{sentence} and can be finished: bulk-remove resume {run}", sentence=told, run=run.run_id)
    return phrase("{sentence}, and some numbers have no final answer.", sentence=told)


def _note_elsewhere(file: str, run: PastRun) -> str:
    return phrase(
        "{file} was run before for campaign {campaigns}: run {run} of {began} had the same content.",
        file=file,
        campaigns=", ".join(run.campaigns),
        run=run.run_id,
        began=local(begun_s(run.folder)),
    )


def local(moment_s: float, *, seconds: bool = False) -> str:
    """Return a moment (Unix seconds) in local time, to the minute or to the second."""
    return datetime.fromtimestamp(moment_s).astimezone().strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''}")


LEFTOVER_S = 3600.0
"""Age at which a run that was killed while planning may be pruned. It is never resumed."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A run that will be deleted: its files, their size, and the reports (or parts of them) left in other folders."""

    run: PastRun
    files: tuple[Path, ...]
    size_bytes: int
    left: tuple[Path, ...]


def prunable(state_dir: Path, older_than_s: float, now_s: float) -> Iterator[Doomed]:
    """Yield the runs without an event for so long, oldest first. A run that is under way is left out."""
    for run in past_runs(state_dir):
        longest_s = min(older_than_s, LEFTOVER_S) if run.state == KILLED_PLANNING else older_than_s
        if run.state != UNDER_WAY and now_s - run.last_s >= longest_s:
            files = tuple(sorted(path for path in run.folder.rglob("*") if not path.is_dir()))
            yield Doomed(run, files, sum(path.lstat().st_size for path in files), tuple(_stays_elsewhere(run)))


def _stays_elsewhere(run: PastRun) -> Iterator[Path]:
    """Yield the run's files in other folders: reports, and parts of reports that a kill left beside them."""
    for report in run.reports:
        if run.folder not in report.parents:
            if report.exists():
                yield report
            if report.parent.is_dir():
                parts = [path for path in report.parent.iterdir() if path.name.startswith(f".{report.name}.")]
                yield from sorted(path for path in parts if path.name.endswith(".part"))


class Found(StrEnum):
    """What is now at the path of a report file."""

    AS_WRITTEN = "as_written"
    EARLIER = "earlier"
    GONE = "gone"
    ANOTHERS = "another_run"
    ALTERED = "altered"
    UNKNOWN = "not_in_ledger"


class ReportFile(NamedTuple):
    """The path of a report file, what is there now, and the SHA-256 of the last version written, if known."""

    path: Path
    found: Found
    sha256: str


class Proven(NamedTuple):
    """A run with a sound ledger: what is proved, its reports, and the summaries that agree with it."""

    run_id: str
    verified: Verified
    reports: tuple[ReportFile, ...]
    summaries: tuple[Path, ...]
    rehearsal: Rehearsal


def verify_run(folder: Path, head: str) -> Proven:
    """Check a run's reports, and its ledger against `head` or the heads in its summaries. Raises Altered...Error."""
    if not was_approved(folder / LEDGER_FILE):
        raise InputError(
            phrase("Run {name} ended before its plan was approved, so its ledger proves nothing.", name=folder.name),
            "It sent nothing. Name another run.",
        )
    with opened_for_reading(folder / LEDGER_FILE) as store:
        reports = tuple(_reports(store, folder))
        noted = {} if head else _heads(folder.name, reports)
        verified = verify(store, [head] if head else [*noted.values()])
    altered = [str(report.path) for report in reports if report.found is Found.ALTERED]
    if altered:
        raise AlteredReportError(
            phrase("{files} does not match the ledger.", files=joined(", ", altered)),
            "It proves nothing. Write it again with: bulk-remove report.",
        )
    return Proven(folder.name, verified, reports, tuple(noted), past_run(folder).rehearsal)


def _heads(run_id: str, reports: Sequence[ReportFile]) -> Mapping[Path, str]:
    """Return the heads (hex) in a run's own summaries. Altered summaries are ignored."""
    paths = [each.path for each in reports if each.path.name.endswith(SUMMARY) and each.found is not Found.ALTERED]
    own = {path: summary for path in paths if (summary := summary_at(path)).get("run_id") == run_id}
    return {path: head for path, summary in own.items() if isinstance(head := summary.get("ledger_head"), str)}


def _reports(store: Store, folder: Path) -> Iterator[ReportFile]:
    """Yield the report files of a run in the order in which they were first written."""
    written: dict[Path, list[str]] = {}
    for file in Outcomes(store).written():
        written.setdefault(file.path, []).append(file.sha256)
    for path, digests in written.items():
        yield ReportFile(path, _found_at(path, digests, folder.name), digests[-1])
    for report in dict.fromkeys((folder / REPORT, *noted_reports(folder).paths)):
        owner = summary_at(report.with_suffix(SUMMARY)).get("run_id") or folder.name
        found = Found.UNKNOWN if owner == folder.name else Found.ANOTHERS
        for path in dict.fromkeys((report, report.with_suffix(SUMMARY))):
            if path.exists() and path.absolute() not in written:
                yield ReportFile(path, found, "")


def _found_at(path: Path, digests: Sequence[str], run_id: str) -> Found:
    try:
        with opened(path, links=True) as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError:
        return Found.GONE
    if digest == digests[-1]:
        return Found.AS_WRITTEN
    if digest in digests:
        return Found.EARLIER
    return Found.ANOTHERS if _is_of_another(path, digest, run_id) else Found.ALTERED


def _is_of_another(path: Path, digest: str, run_id: str) -> bool:
    """Return whether a later run wrote its own report to this path, as nightly runs do."""
    summary = summary_at(path if path.name.endswith(SUMMARY) else path.with_suffix(SUMMARY))
    if not summary.get("run_id") or summary["run_id"] == run_id:
        return False
    return path.suffix != ".csv" or summary.get("report_sha256") == digest


def proof_as_json(proof: Proven) -> dict[str, object]:
    """Return what `runs verify --json` prints for a sound ledger. The keys are stable."""
    return {
        "run_id": proof.run_id,
        "sound": True,
        "rehearsal": proof.rehearsal.value or None,
        "links": proof.verified.links,
        "ledger_head": proof.verified.head,
        "attempts_without_an_end": proof.verified.unended,
        "session_without_proof": proof.verified.unproved or None,
        "sessions_cut_off": proof.verified.cut_off,
        "reports": [
            {"path": str(report.path), "found": report.found.value, "sha256": report.sha256} for report in proof.reports
        ],
        "compared_with": [str(path) for path in proof.summaries],
        "links_after_the_head": proof.verified.later,
    }


_NOTHING = Trace((), (), ())


@dataclass(frozen=True, slots=True)
class Explained:
    """A run that had the number in its input, or a run with an unreliable ledger. It sent the number as `number`.

    `trace` is what its ledger says. `problem` says why the ledger cannot be read or, with `altered`, what was changed
    in it: then the trace may be wrong. `sound` is what is proved, None with a problem.
    """

    run: PastRun
    number: str
    trace: Trace
    problem: str = ""
    altered: bool = False
    sound: Verified | None = None


def explain_number(state_dir: Path, text: str, campaign: str | None = None) -> Iterator[Explained]:
    """Yield the approved runs that had a number, oldest first. Each run reads the text by its own rules."""
    for run in past_runs(state_dir):
        if run.told is None:
            if run.problem:
                yield Explained(run, "", _NOTHING, run.problem)
            continue
        forms: Sequence[str] = [text.strip()]
        try:
            with opened_for_reading(run.folder / LEDGER_FILE) as store:
                settings = run.told.facts.settings
                forms = _forms(settings, text)
                told = _explain_run(run, store, settings, forms, campaign)
        except StorageError as error:
            told = Explained(run, forms[0], _NOTHING, error.sentence)
        if told.trace.rows or told.problem:
            yield told


def _explain_run(
    run: PastRun, store: Store, settings: Settings, forms: Sequence[str], campaign: str | None
) -> Explained:
    normalise = Normaliser(settings.rules)
    told = Explained(run, forms[0], _NOTHING)
    try:
        told = replace(told, sound=verify(store, [*_heads(run.run_id, [*_reports(store, run.folder)]).values()]))
    except AlteredLedgerError as error:
        told = replace(told, problem=error.sentence, altered=True)
    try:
        found = trace(store, forms, lambda cells: normalise.block(cells).numbers)
        with_trace = replace(told, trace=_in_campaign(found, campaign))
        explained_as_json(with_trace)  # a damaged cell must raise here
    except DAMAGE:
        if not told.altered:
            raise
        return told  # expected in an altered ledger
    return with_trace


def _forms(settings: Settings, text: str) -> Sequence[str]:
    """Return the forms in which a run may have sent the number. A text that is not a number is used as it is."""
    planned = Normaliser(settings.rules)(text).number
    if not planned:
        return [text.strip()]
    after = settings.forms().after
    forms = [planned]
    while form := after(forms[-1]):
        forms.append(form)
    return forms


def _in_campaign(found: Trace, campaign: str | None) -> Trace:
    if campaign is None:
        return found
    return Trace(
        tuple(row for row in found.rows if row.campaign == campaign),
        tuple(request for request in found.requests if request.campaign == campaign),
        tuple(state for state in found.states if state.campaign == campaign),
    )


def explained_as_json(one: Explained) -> dict[str, Any]:
    """Return what `explain --json` prints for a run. The keys are stable."""
    return {
        "run_id": one.run.run_id,
        "host": one.run.host,
        "rehearsal": one.run.rehearsal.value or None,
        "ending": one.run.state,
        "problem": one.problem,
        "proves_nothing": one.run.proves_nothing,
        "sound": one.sound is not None,
        "ledger_head": one.sound.head if one.sound else None,
        "attempts_without_an_end": one.sound.unended if one.sound else None,
        "session_without_proof": (one.sound.unproved or None) if one.sound else None,
        "number": one.number,
        "keep": [each.file for each in one.run.plan.keep.lists],
        "rows": [row._asdict() for row in one.trace.rows],
        "requests": [
            {
                "campaign": request.campaign,
                "number": request.sent,
                "numbers": request.others + 1,
                "begun_at": timestamp(request.begun_at_s),
                "ended_at": timestamp(request.ended_at_s) if request.ended_at_s is not None else None,
                "result": request.result or None,
                "request_id": request.request_id or None,
            }
            for request in one.trace.requests
        ],
        "verdicts": [
            {
                "campaign": known.campaign,
                "number": known.number,
                "status": status_of(known.state.phase).value,
                "record_ids": [str(found) for found in known.state.record_ids],
                "attempts": known.state.attempts,
                "busy_rounds": known.state.busy_rounds,
                "detail": explain(known.state),
                "answered_at": timestamp(known.state.answered_at_s) if known.state.answered_at_s else None,
            }
            for known in one.trace.states
        ],
    }
