"""Writes the report of a run from its ledger: CSV, summary, HTML page, workbook. Counts the rows while it writes."""

import json
import os
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from bulk_remove import __version__
from bulk_remove.core.lifecycle import REMOVED_AGAIN, gone_meanwhile, hides_records, status_of, was_found
from bulk_remove.core.model import (
    NO_NUMBER,
    CsvFor,
    Ids,
    NumberState,
    OutcomeBlock,
    ReportFormat,
    Source,
    Status,
    long_form,
)
from bulk_remove.core.plan import Plan
from bulk_remove.core.summary import (
    Advice,
    CampaignResult,
    Ending,
    NoneFound,
    Proof,
    about_a_guess,
    advise,
    exit_code,
    none_found,
    resumable,
)
from bulk_remove.core.timeline import Course, Timeline
from bulk_remove.core.verdicts import UnaskedRemoval
from bulk_remove.disk import Aside
from bulk_remove.errors import ExitCode, StorageError
from bulk_remove.language import phrase
from bulk_remove.ledger import Outcomes, RecordCount, RowKeys, Totals, WrittenFile, facts_of
from bulk_remove.report.csv import (
    read_rows,
    timestamp,
    write_for_polish_excel,
    write_report,
    write_summary,
    written_aside,
)
from bulk_remove.run.folders import note_report
from bulk_remove.settings import Settings

if TYPE_CHECKING:
    from bulk_remove.run.prepare import Prepared


class RowCounter:
    """Counts the results of the rows that pass through it, and adds their record ids to `keys`."""

    def __init__(self, keys: RowKeys) -> None:
        self.removed = Counter[str]()
        self.doubted = Counter[str]()
        self.ids = Counter[str]()
        self._found, self._gone = Counter[str](), Counter[str]()
        self.asked = 0
        self._statuses: defaultdict[str, Counter[Status]] = defaultdict(Counter)
        self._keys = keys
        self._places: list[tuple[int, str]] = []

    def through(self, blocks: Iterator[OutcomeBlock]) -> Iterator[OutcomeBlock]:
        """Yield the same blocks and count their rows."""
        for block in blocks:
            if len({*block.campaigns} - {""}) > 1:
                self._note_apart(block)
            else:
                self._note(block)
            yield block

    def _note(self, block: OutcomeBlock) -> None:
        """Count a block with rows of one campaign. Equal states are counted together."""
        states, twice = block.states, block.duplicate_of
        campaign = next(filter(None, block.campaigns), "")
        for state, count in states.counted():
            self._count(campaign, state, count)
        for place in twice:
            self._count(campaign, states[place], -1)
        ids = states.ids or ()
        self._keep(campaign, [found for place, found in enumerate(ids) if place not in twice] if twice else ids)

    def _note_apart(self, block: OutcomeBlock) -> None:
        """Count a block of several campaigns, row by row."""
        ids: defaultdict[str, list[Ids]] = defaultdict(list)
        for place, (campaign, state) in enumerate(zip(block.campaigns, block.states, strict=True)):
            if place not in block.duplicate_of:
                self._count(campaign, state, 1)
                ids[campaign].append(state.record_ids)
        for campaign, mine in ids.items():
            self._keep(campaign, mine)

    def _count(self, campaign: str, state: NumberState, rows: int) -> None:
        self.removed[campaign] += rows * state.removed
        self.asked += rows * (state.attempts > 0)
        if state.phase != NO_NUMBER:
            self.doubted[campaign] += rows * hides_records(state.phase)
            self._found[campaign] += rows * was_found(state)
            self._gone[campaign] += rows * gone_meanwhile(state)
            self._statuses[campaign][status_of(state.phase)] += rows

    def _keep(self, campaign: str, found: Sequence[Ids]) -> None:
        """Add the record ids of a campaign's numbers to the keys."""
        ids = _whole(found)
        self._places.append((self.ids.total(), campaign))
        self._keys.add_ids(ids, campaign)
        self.ids[campaign] += len(ids)

    def results(self, plan: Plan) -> list[CampaignResult]:
        """Return the result of each campaign."""
        return [
            CampaignResult(
                campaign.campaign,
                self._statuses[campaign.campaign],
                campaign.confirmed,
                self._found[campaign.campaign],
                self._gone[campaign.campaign],
            )
            for campaign in plan.campaigns
        ]

    def distinct_records(self) -> Counter[str]:
        """Return how many different records of each campaign the replies named as removed. Raises StorageError."""
        starts = [start for start, _ in self._places]
        distinct = Counter(self.ids)
        for place, _ in self._keys.duplicates():
            distinct[self._places[bisect_right(starts, place) - 1][1]] -= 1
        return distinct


class RemovedAgain:
    """Marks the numbers that this run removed although an earlier run had removed them. `numbers` counts them."""

    def __init__(self, prepared: "Prepared") -> None:
        self.numbers = 0
        self._removals = prepared.earlier.removals

    def through(self, blocks: Iterator[OutcomeBlock]) -> Iterator[OutcomeBlock]:
        """Yield the same blocks; `detail` of such a number says so."""
        for block in blocks:
            marked = dict[int, NumberState]()
            mine = block.states.where(self._removed_here)
            for campaign in {block.campaigns[place] for place in mine} if mine and self._removals else ():
                places = [place for place in mine if block.campaigns[place] == campaign]
                for at in self._removals.places(campaign, [block.numbers[place] for place in places]):
                    state = block.states[places[at]]
                    marked[places[at]] = state._replace(detail=f"{state.detail} {REMOVED_AGAIN}".lstrip())
            self.numbers += sum(place not in block.duplicate_of for place in marked)
            yield replace(block, states=block.states.but(marked)) if marked else block

    def _removed_here(self, state: NumberState) -> bool:
        """Return whether this run removed a number; a rerun also has those that its earlier run removed."""
        removed = state.phase != NO_NUMBER and status_of(state.phase) is Status.REMOVED
        return removed and state.answered_at_s >= self._removals.before_s


_MOST = 10**17


def _whole(found: Sequence[Ids]) -> Sequence[int]:
    """Return record ids as whole numbers. Any other id is hashed to a number from 10**17 on.

    The documented ids are small whole numbers and pass unchanged, without a look at each: that look would double the
    time. Two hashed ids collide with a probability of one in 10**17.
    """
    if {*map(type, found)} == {int}:
        ids = cast("Sequence[int]", found)
        if min(ids) >= 0 and max(ids) < _MOST:
            return ids
    return [
        record_id if isinstance(record_id, int) and 0 <= record_id < _MOST else _hash(str(record_id))
        for ids in found
        for record_id in long_form(ids)
    ]


def _hash(record_id: str) -> int:
    digest = blake2b(record_id.encode(errors="surrogatepass"), digest_size=8).digest()
    return _MOST + int.from_bytes(digest) % _MOST


SUMMARY = ".summary.json"
"""Replaces the suffix of the report's name: the summary of `report.csv` is `report.summary.json`."""
REPORT = "report.csv"
"""The report's name in a run's own folder."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The format of report.csv, and the other formats that are written beside it: `html`, `xlsx`."""

    csv_for: CsvFor = CsvFor.PROGRAMS
    also: tuple[ReportFormat, ...] = ()

    def places(self, report: Path) -> tuple[Path, ...]:
        """Return the paths of the other formats."""
        return tuple(report.with_suffix(f".{form}") for form in self.also)


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a run, over all its sessions."""

    by_status: Mapping[Status, int]
    """Count of input rows by status."""
    removed_records: int
    """Records that the server said it removed."""
    at_least: bool
    """Whether `removed_records` is a lower bound: a request without a clear verdict may have removed more."""
    asked_numbers: int
    """Count of distinct numbers that were in at least one request."""
    totals: Totals
    """Requests, sessions and times."""
    proofs: tuple[Proof, ...]
    """The records of each campaign before and after the run."""
    unasked: tuple[UnaskedRemoval, ...]
    """Removals that nobody asked for."""
    ending: Ending
    """Why the sending ended."""
    exit_code: ExitCode
    """The exit code of the command: 0 if every number has a final answer."""
    report: Path
    """Path of the CSV report."""
    summary: Path
    """Path of the summary (JSON)."""
    report_sha256: str
    """SHA-256 of the CSV report (hex)."""
    ledger_head: str
    """Last link of the ledger's proof (hex). A copy kept elsewhere proves the ledger and the report later."""
    also: tuple[Path, ...] = ()
    """The reports in other formats."""
    nothing: NoneFound | None = None
    """Set if none of the numbers was found."""
    guess: Advice | None = None
    """What to do if that proves nothing, because the form of the numbers is a guess."""
    removed_before: int = 0
    """How many of the removed records were removed by the earlier run of a rerun."""
    removed_again: int = 0
    """How many numbers this run removed although an earlier run had removed them: they were added again."""

    @property
    def resumable(self) -> bool:
        """Whether a resume could get more final answers."""
        return resumable(self.by_status)


def finish(prepared: "Prepared", ending: Ending, output: Path | None, wanted: Wanted | None = None) -> Finished:
    """Write report, summary and the other wanted formats. Without `output` they go to the run's own folder.

    The ledger keeps the SHA-256 of each file, and the summary keeps the head of the ledger's proof. A file that
    is there at the start is replaced. Raises PlaceTakenError if another file appears there later, StorageError, and
    InvariantError if the rows in the report do not add up to the rows in the plan.
    """
    wanted = wanted or Wanted()
    report = output or prepared.folder / REPORT
    also = dict(zip(wanted.places(report), wanted.also, strict=True))
    with _writing(prepared, ending, wanted.csv_for, {report: ReportFormat.CSV} | also) as writer:
        finished, plain = writer.write_csv(report)
        finished = replace(finished, also=(*also,))
        summary = _summary(prepared, finished)
        for path, form in ({finished.summary: ReportFormat.JSON} | also).items():
            writer.write(form, path, finished, summary, plain)
    return finished


def sum_up(prepared: "Prepared", ending: Ending) -> Finished:
    """Return the result of an earlier run without writing a report. Raises the same errors as `finish`."""
    with _writing(prepared, ending, CsvFor.PROGRAMS, {}) as writer:
        return writer.write_csv(writer.aside / REPORT)[0]


def write_again(prepared: "Prepared", ending: Ending, form: ReportFormat, path: Path, csv_for: CsvFor) -> None:
    """Write the report of an earlier run again, in one format. Raises the same errors as `finish`."""
    with _writing(prepared, ending, csv_for, {path: form}) as writer:
        if form is ReportFormat.CSV:
            writer.write_csv(path)
        else:
            finished, plain = writer.write_csv(writer.aside / REPORT)
            writer.write(form, path, finished, _summary(prepared, finished), plain)


@contextmanager
def _writing(
    prepared: "Prepared", ending: Ending, csv_for: CsvFor, forms: Mapping[Path, ReportFormat]
) -> Iterator["_Writer"]:
    """Note the paths of reports outside the run's folder, and give what writes them. Raises StorageError."""
    there = filter(os.path.lexists, [*forms, *(path.with_suffix(SUMMARY) for path in forms)])
    replaced = frozenset(there)
    for path in forms:
        if path.parent != prepared.folder:
            note_report(prepared.folder, path)
    course = None
    if ReportFormat.HTML in forms.values():
        timing = Outcomes(prepared.store)
        course = Course(Timeline.of(timing.sessions()))
        course.add_attempts(timing.attempts())
    with ExitStack() as stack:
        try:
            place = TemporaryDirectory(dir=prepared.folder, prefix="report-", ignore_cleanup_errors=True)
            aside = Path(stack.enter_context(place))
        except OSError as error:
            raise StorageError(
                phrase(
                    "The folder {folder} cannot be used: {problem}.", folder=prepared.folder, problem=error.strerror
                ),
                "Make room there, then write the report with: bulk-remove report.",
            ) from None
        yield _Writer(prepared, ending, csv_for, replaced, course, aside)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the files of one report. The `replaced` were there before. `aside` is a temporary folder."""

    prepared: "Prepared"
    ending: Ending
    csv_for: CsvFor
    replaced: Collection[Path]
    course: Course | None
    aside: Path

    def write_csv(self, report: Path) -> tuple[Finished, Aside]:
        """Write the CSV report and count its rows. In `aside` it is temporary: other formats are made from it."""
        plan, outcomes = self.prepared.plan, Outcomes(self.prepared.store)
        written: list[Aside] = []
        plain = self.aside / f"plain.{REPORT}" if self.csv_for is CsvFor.EXCEL_PL else report
        with RowKeys(self.aside / "ids.tmp") as keys:
            counter, again = RowCounter(keys), RemovedAgain(self.prepared)
            blocks = counter.through(again.through(outcomes.blocks()))
            shown = self.course.through(blocks) if self.course else blocks
            replacing = plain in self.replaced
            by_status = write_report(
                plain, shown, plan.rows, self.prepared.kept, written, plan.rehearsal, replacing=replacing
            )
            removed = counter.distinct_records()
        if self.csv_for is CsvFor.EXCEL_PL:
            with written_aside(report, written, replacing=report in self.replaced) as file:
                write_for_polish_excel(file, read_rows(written[0]))
        digest = written[-1].sha256
        if report.parent == self.aside:  # the latest complete report of the run counts
            digest = next((file.sha256 for file in outcomes.written()[::-1] if file.path.suffix == ".csv"), digest)
        else:
            note_files(outcomes, written[-1:])
        nothing = none_found(counter.results(plan))
        finished = Finished(
            by_status,
            counter.removed.total(),
            counter.doubted.total() > 0,
            counter.asked,
            outcomes.totals(),
            tuple(_proofs(plan, outcomes.record_counts(), counter, removed)),
            tuple(outcomes.unasked_removals()),
            self.ending,
            exit_code(self.ending, by_status, nothing),
            report,
            report.with_suffix(SUMMARY),
            digest,
            outcomes.head(),
            nothing=nothing,
            guess=guess_of(plan, self.prepared.settings, nothing),
            removed_before=sum(campaign.removed_before for campaign in plan.campaigns),
            removed_again=again.numbers,
        )
        return finished, written[0]

    def write(
        self, form: ReportFormat, path: Path, finished: Finished, summary: dict[str, object], plain: Aside
    ) -> None:
        """Write the summary, the workbook or the HTML page."""
        written: list[Aside] = []
        replacing = path in self.replaced
        if form is ReportFormat.JSON:
            write_summary(path, summary, written, replacing=replacing)
        elif form is ReportFormat.XLSX:
            from bulk_remove.report.xlsx import write_workbook  # noqa: PLC0415 - slow to import, and rarely asked for

            with written_aside(path, written, replacing=replacing) as file:
                write_workbook(file.buffer, read_rows(plain), self.prepared.folder, summary)
        elif self.course is not None:
            from bulk_remove.report.html import write_page  # noqa: PLC0415 - likewise

            plan, reply_times_s = self.prepared.plan, Outcomes(self.prepared.store).reply_times_s()
            advice = advise(
                plan.run_id,
                finished.ending,
                finished.by_status,
                strangers=finished.totals.strangers,
                unasked=finished.unasked,
                guess=finished.guess,
                not_meant=plan.empty + plan.left_out,
            )
            with written_aside(path, written, replacing=replacing) as file:
                write_page(file, summary, self.course, reply_times_s, advice)
        note_files(Outcomes(self.prepared.store), written)


def note_files(outcomes: Outcomes, files: Iterable[Aside]) -> None:
    """Note path, SHA-256 and size of report files in the ledger. Raises StorageError."""
    outcomes.wrote(
        WrittenFile(file.path.absolute(), file.sha256, file.facts.st_size if file.facts else 0) for file in files
    )


def guess_of(plan: Plan, settings: Settings, nothing: NoneFound | None) -> Advice | None:
    """Return what to do if no number was found and the form of the numbers is a guess."""
    if nothing is None or nothing.confirmed:
        return None
    held = Counter[str]()
    for campaign in plan.campaigns:
        if campaign.campaign in nothing.campaigns:
            held.update(campaign.held)
    return about_a_guess(plan.run_id, nothing, held, settings.forms(), settings.region)


def _proofs(
    plan: Plan, counts: Iterable[RecordCount], counter: RowCounter, distinct: Mapping[str, int]
) -> Iterator[Proof]:
    """Yield the records of each campaign before and after, with what this run removed (without its earlier run)."""
    planned = {campaign.campaign: campaign for campaign in plan.campaigns}
    for campaign, before, after, note in counts:
        mine = planned[campaign]
        unnamed = counter.removed[campaign] - counter.ids[campaign] - (mine.removed_before - mine.ids_before)
        at_least = counter.doubted[campaign] > mine.doubted_before
        yield Proof(campaign, before, after, distinct[campaign] - mine.ids_before, unnamed, note, at_least)


def _summary(prepared: "Prepared", finished: Finished) -> dict[str, object]:
    plan, settings, totals = prepared.plan, prepared.settings, finished.totals
    facts = facts_of(prepared.store)
    return {
        "run_id": plan.run_id,
        "tool_version": __version__,
        "host": plan.host,
        "rehearsal": plan.rehearsal.value or None,
        "asked_by": {
            "api_user": facts.destination.user,
            "system_user": facts.system_user,
            "approved_by": facts.approved_by,
        },
        "planned_by": dict(facts.destination.planned) or None,
        "reason": settings.reason or None,
        "campaigns": [campaign.campaign for campaign in plan.campaigns],
        "campaigns_left_out": list(facts.destination.left_out),
        "campaign_names": {each.campaign: each.name for each in plan.campaigns if each.name},
        "input": [source_as_json(source.source) for source in plan.sources],
        "keep": [each._asdict() for each in plan.keep.lists],
        "rows": plan.rows,
        "rows_by_status": {status.value: finished.by_status.get(status, 0) for status in Status},
        "numbers": plan.numbers,
        "numbers_asked": finished.asked_numbers,
        "duplicate_rows": plan.duplicates,
        "empty_cells": plan.empty,
        "left_out_rows": plan.left_out,
        "invalid_cells_by_reason": dict(plan.problems),
        "removed_records": finished.removed_records,
        "removed_records_at_least": finished.at_least,
        "removed_again": finished.removed_again,
        "additional_numbers": settings.additional_numbers,
        **_counts_as_json(finished.proofs),
        "numbers_in_replies_unasked": totals.strangers,
        "unasked_removals": [_removal_as_json(each) for each in finished.unasked],
        "requests": totals.requests,
        "requests_planned": plan.requests,
        "faults": totals.faults,
        "sessions": totals.sessions,
        "began_at": timestamp(totals.began_at_s),
        "ended_at": timestamp(totals.ended_at_s),
        "seconds": round(totals.seconds, 3),
        "requests_per_second": round(totals.requests / totals.seconds, 3) if totals.seconds else None,
        "numbers_per_second": round(finished.asked_numbers / totals.seconds, 1) if totals.seconds else None,
        "ending": finished.ending.value,
        "exit_code": int(finished.exit_code),
        "none_found": asdict(finished.nothing) if finished.nothing else None,
        "proves_nothing": finished.guess.sentence if finished.guess else None,
        "what_to_try": finished.guess.command or None if finished.guess else None,
        "forms_by_campaign": [
            {"campaign": campaign.campaign, "held": campaign.held, "confirmed": campaign.confirmed}
            for campaign in plan.campaigns
        ],
        "report_sha256": finished.report_sha256,
        "ledger_head": finished.ledger_head,
        "settings": settings.public(),
    }


def summary_at(path: Path) -> Mapping[str, object]:
    """Return a summary, or an empty mapping if the file is missing or something else."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def source_as_json(source: Source) -> dict[str, object]:
    """Return a source as the summary and `runs show --json` print it."""
    return {
        "file": source.file,
        "sheet": source.sheet,
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        "column": source.header[source.column],
    }


def _removal_as_json(removal: UnaskedRemoval) -> dict[str, object]:
    return {
        "number": removal.number,
        "record_ids": removal.record_ids,
        "campaign": removal.campaign,
        "at": timestamp(removal.at_s),
        "request": removal.attempt_id,
    }


def _counts_as_json(proofs: Sequence[Proof]) -> dict[str, object]:
    """Return the records before and after, by campaign, and their sum if every count is known."""
    return {
        "records_before": _sum_known([proof.before for proof in proofs]),
        "records_after": _sum_known([proof.after for proof in proofs]),
        "records_removed": _sum_known([proof.removed for proof in proofs]),
        "records_removed_at_least": any(proof.at_least for proof in proofs),
        "records_by_campaign": [
            {**asdict(proof), "unexplained": proof.unexplained, "sentence": proof.sentence()} for proof in proofs
        ],
    }


def _sum_known(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
