"""Takes up an earlier run again: resumes it, or plans a rerun of the rows that it left without a final answer.

A resume needs only the ledger: the input may be gone or changed. A rerun gets its rows from that ledger, or only from
the report. Also opens an earlier run to write its report again, and closes a run that will not be continued.
"""

import re
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from bulk_remove.core.cell_formats import read_as_text
from bulk_remove.core.chunker import RequestShape, Writing, in_requests, writing_of
from bulk_remove.core.lifecycle import SETTLED, asked_anew, is_doubted, read_back, status_of
from bulk_remove.core.model import (
    FINAL_STATUSES,
    NEVER_SENT,
    ON_KEEP_LIST,
    REPORT_COLUMNS,
    NumberedBlock,
    NumberFormat,
    NumberState,
    RowBlock,
    RowOutcome,
    Source,
    Status,
    harmless,
    mask,
)
from bulk_remove.core.numbers import AlsoTry, Forms, Held, Normaliser, NumberRules, chosen_forms, forms_held
from bulk_remove.core.plan import CampaignPlan, Consent, Keep, Plan, Sample, SourcePlan
from bulk_remove.core.summary import RESUMED, Ending
from bulk_remove.core.verdicts import UnaskedRemoval
from bulk_remove.disk import Aside
from bulk_remove.errors import CampaignLockedError, GuardStop, InputError, UsageError
from bulk_remove.language import ours, phrase
from bulk_remove.ledger import (
    Outcomes,
    Planning,
    Reopening,
    RowKeys,
    Sending,
    damage_as_error,
    facts_of,
    history,
    open_existing,
    verify,
    was_approved,
)
from bulk_remove.reader import ReadOptions, is_readable, open_table
from bulk_remove.reader.table import not_a_report
from bulk_remove.run.finish import Finished, Wanted, finish, note_files
from bulk_remove.run.folders import LEDGER_FILE, Mark, learned_of, lock_campaigns, lock_run, mark, run_folders, share
from bulk_remove.run.intake import read_keep_lists
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.places import ReportPlace, host_of_report
from bulk_remove.run.preflight import NOT_ASKED
from bulk_remove.run.prepare import InputTable, Prepared, Sight, counts_of, new_run, with_forms
from bulk_remove.settings import ALL, Address, Destination, Settings

ANOTHER_SERVER = "Name its own server. To send all its numbers to another one, `run` the original list there."
"""The hint if an earlier run should go to another server."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An approved run, ready for another session with its open ledger. `told` are its own settings."""

    ready: Prepared
    told: Settings
    destination: Destination
    consent: Consent

    @property
    def place(self) -> ReportPlace:
        """Where it put its report, and in which formats."""
        to = self.destination
        return ReportPlace(Path(to.output) if to.output else None, Wanted(to.csv_for, to.also))


def find_run(state_dir: Path, name: str) -> Path:
    """Return the folder of a run by its id, or of the latest approved run if empty. Raises InputError."""
    folders = [folder for folder in run_folders(state_dir) if (folder / LEDGER_FILE).is_file()]
    if not name:
        begun = next((folder for folder in reversed(folders) if was_approved(folder / LEDGER_FILE)), None)
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


@contextmanager
def earlier_run(folder: Path, changes: Mapping[str, Any]) -> Iterator[EarlierRun]:
    """Lock an earlier run and open its ledger. `changes` replace its settings by name.

    Raises StorageError for a damaged or altered ledger, InputError for a run that was never approved, RunLockedError
    for a run that is under way, UsageError for impossible changes.
    """
    with lock_run(folder), closing(open_existing(folder / LEDGER_FILE)) as store:
        with damage_as_error(store.path):
            facts = facts_of(store)
            if not facts.approved_by or facts.plan is None:
                raise InputError(
                    phrase("Run {run_id} ended before its plan was approved: nothing was sent.", run_id=facts.run_id),
                    "Run its input again.",
                )
            plan = facts.plan
            others = EarlierRuns(folder.parents[1], plan, facts.created_at_s)
            ready = Prepared(folder, store, plan, facts.kept, facts.settings, others)
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


def check_same_server(run: EarlierRun, given: Address | Destination | None) -> None:
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
    Reopening(run.ready.store).reopen(now_s)
    return replace(run.ready, phases=Outcomes(run.ready.store).phases())


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
        return finish(ready, ending or Ending.KILLED, None, run.place.wanted)


def note_copies(folder: Path, copies: Iterable[Aside]) -> None:
    """Note copies of a run's reports in its ledger. Raises StorageError."""
    with lock_run(folder), closing(open_existing(folder / LEDGER_FILE)) as store:
        share(folder, store)
        note_files(Outcomes(store), copies)


_AS_WRITTEN = "Take the report as it was written."
_NEEDED = ("row", "input", "number", "campaign", "status", "detail")
_NUMBER = re.compile(r"\+?[0-9]{3,18}")
"""A number that was not reformatted. `RowKeys` does not accept a longer one."""


class OldReport:
    """Reads the rows of a run from its report, or from a copy saved by a spreadsheet. Raises InputError."""

    def __init__(self, table: InputTable, rules: NumberRules) -> None:
        self._table = table
        self._file = harmless(table.source.file)
        self._normalise = Normaliser(rules)
        every_form = () if rules.number_format is NumberFormat.AS_IS else tuple(AlsoTry)
        self._planned = Forms(rules, every_form).planned
        header = table.source.header
        self._places = {name: header.index(name) for name in REPORT_COLUMNS if name in header}
        missing = [name for name in _NEEDED if name not in self._places]
        if missing:
            raise not_a_report(self._file, ", ".join(missing))
        self._kept = [index for index, name in enumerate(header) if name not in REPORT_COLUMNS]
        self.kept = tuple(header[index] for index in self._kept)

    def rows(self) -> Iterator[RowOutcome]:
        """Yield the rows of the report in order. Raises InputError for a row that cannot be trusted."""
        sources: dict[str, Source] = {}
        for block in self._table.blocks():
            if block.problems:
                index, problem = min(block.problems.items())
                where = phrase("{file}, row {place}", file=self._file, place=block.rows[index])
                raise InputError(phrase("{where}: {problem}", where=where, problem=ours(problem)), _AS_WRITTEN)
            for place, cells in zip(block.rows, block.others, strict=True):
                values = {name: read_as_text(cells[index]) for name, index in self._places.items()}
                file = values.get("file", "") or self._table.source.file
                source = sources.setdefault(file, self._source(file))
                yield self._row(place, source, values, tuple(read_as_text(cells[index]) for index in self._kept))

    def _source(self, file: str) -> Source:
        own = self._table.source
        header = (*self.kept, "number")
        reason = phrase("read back from {file}", file=self._file)
        return Source(file, "", header, len(self.kept), reason, "", "", own.sha256, own.size_bytes)

    def _row(self, place: int, source: Source, values: Mapping[str, str], others: tuple[str, ...]) -> RowOutcome:
        where = phrase("{file}, row {place}", file=self._file, place=place)
        try:
            status = Status(values["status"].strip())
            row = int(values["row"])
            state = None if status in NEVER_SENT else _state(status, values)
        except ValueError:
            told = phrase("{where}: the row, the status or a count is not valid.", where=where)
            raise InputError(told, _AS_WRITTEN) from None
        number = values["number"].strip()
        if state is None:
            problem = ON_KEEP_LIST if status is Status.KEPT else values["detail"]
            return RowOutcome(source, row, values["input"], others, "", "", None, problem, "")
        # The report may show another form of the number, in which it was found. Digits that equal the input's own were
        # sent like this, even if they are not a valid number by today's rules.
        cell = values["input"]
        same = number and (number == cell.strip() or self._planned(number) == self._normalise(cell).number)
        if not _NUMBER.fullmatch(number) or not (same or status in FINAL_STATUSES):
            raise InputError(
                phrase("{where}: the number no longer fits the input beside it.", where=where),
                "Take the report as it was written, or give the --number-format and --region of its run.",
            )
        duplicate_of = values.get("duplicate_of_row", "")
        return RowOutcome(source, row, values["input"], others, number, values["campaign"], state, "", duplicate_of)


def _state(status: Status, values: Mapping[str, str]) -> NumberState:
    """Return the state of a number from its row in a report. Raises ValueError."""
    ids = values.get("record_ids", "").split()
    answered = values.get("answered_at", "").strip()
    attempts, busy_rounds = (int(values.get(column) or 0) for column in ("attempts", "busy_rounds"))
    known = read_back(status, values["detail"], attempts, answered=bool(answered) and not busy_rounds)
    return known._replace(
        removed=int(values.get("removed_records") or 0),
        record_ids=tuple(int(record_id) if record_id.isdecimal() else record_id for record_id in ids),
        attempts=attempts,
        busy_rounds=busy_rounds,
        answered_at_s=datetime.fromisoformat(answered).timestamp() if answered else 0.0,
    )


Rows = Callable[[], Iterator[RowOutcome]]
"""Returns a new iterator over the rows of the earlier run."""

_BLOCK_ROWS = 5000
_SHOWN_ROWS = 5


@dataclass(frozen=True, slots=True)
class EarlierRows:
    """An earlier run: its rows, the input's columns that its report keeps, the settings of the rerun, its destination.

    From a ledger, `told` are the run's own settings, `campaigns` those of its plan, `held` the forms that were seen in
    them, and `unasked` the removals that nobody asked for. From a report none of these is known, and the destination is
    the given one.
    """

    rows: Rows
    kept: tuple[str, ...]
    settings: Settings
    destination: Destination
    told: Settings | None = None
    campaigns: Sequence[str] = ()
    held: Mapping[str, Held] = field(default_factory=dict)
    unasked: Sequence[UnaskedRemoval] = ()


def is_report(earlier: str) -> bool:
    """Return whether an earlier run is named by its report, not by its id."""
    return is_readable(Path(earlier))


@contextmanager
def earlier_rows(
    earlier: str, changes: Mapping[str, Any], state_dir: Path, given: Destination | None
) -> Iterator[EarlierRows]:
    """Give the rows of an earlier run, named by its id or its report. `changes` replace its settings by name.

    A rerun must go to the server of the earlier run: raises UsageError if `given` is another one. The server of a
    report is not always known. Raises InputError, StorageError, RunLockedError, too.
    """
    if changes.get("campaign") == ALL or "," in changes.get("campaign", ""):
        raise UsageError(
            "--campaign names several campaigns, but a rerun asks for each row in its own.", "Leave it out."
        )
    if is_report(earlier):
        settings = Settings(**({} if "campaign" in changes else {"campaign_column": "campaign"}) | dict(changes))
        # Trust the number column, short numbers included: the earlier run has sent them.
        reading = ReadOptions(
            "number", keep_columns=True, has_header=True, trust_column=True, code_column=False, own_report=True
        )
        table = open_table(earlier, reading)
        _check_its_server(Path(earlier), table.source.sha256, state_dir, given)
        report = OldReport(table, replace(settings.rules, internal_numbers=True))
        yield EarlierRows(report.rows, report.kept, settings, given or Destination())
        return
    with earlier_run(find_run(state_dir, earlier), changes) as run:
        check_same_server(run, given)
        ready, outcomes = run.ready, Outcomes(run.ready.store)
        yield EarlierRows(
            outcomes.rows,
            ready.kept,
            ready.settings,
            run.destination,
            run.told,
            ready.plan.campaign_ids,
            {campaign.campaign: campaign.held for campaign in ready.plan.campaigns if campaign.held},
            outcomes.unasked_removals(),
        )


def _check_its_server(report: Path, sha256: str, state_dir: Path, given: Destination | None) -> None:
    """Raise UsageError if the report is known to be of a run against another server."""
    host = host_of_report(report, sha256, state_dir)
    if host and given is not None and given.host != host:
        raise UsageError(
            phrase(
                "{file} is the report of a run against {host}; a rerun goes there, not to {other}.",
                file=harmless(str(report)),
                host=host,
                other=given.host,
            ),
            ANOTHER_SERVER,
        )


@contextmanager
def prepared_again(
    earlier: EarlierRows, settings: Settings, destination: Destination, state_dir: Path, sight: Sight
) -> Iterator[Prepared]:
    """Plan a new run from the rows of an earlier one. Numbers with a final answer are not sent again.

    But if these settings have more forms, numbers that were not found are sent again in those. Raises GuardStop if the
    earlier run asked for a number on a --keep list without a final answer, and the same errors as `prepare`.
    """
    now_s = time.time()
    keep = read_keep_lists(settings, state_dir)
    campaigns, told = earlier.campaigns, earlier.told
    if told is None:
        campaigns, told = _seen_in(earlier.rows, settings)
    findings = sight.look(campaigns) if campaigns else NOT_ASKED
    findings = replace(findings, held={**earlier.held, **findings.held})
    if settings.number_format is NumberFormat.AUTO and not (earlier.told and findings.held):
        settings = replace(settings, number_format=told.number_format)  # nothing shows another format
    settings = settings.in_forms_of(findings.held)
    planned = settings.forms().planned
    other_forms = settings.forms().asks_more_than(told.forms())
    if other_forms and settings.number_format is not NumberFormat.AS_IS:
        planned = Forms(settings.rules, tuple(AlsoTry)).planned  # the earlier run may have used any form
    # For numbers that were not found, a report shows only the planned form.
    sure = settings if other_forms or earlier.told else replace(told, also_try=())
    kept = _Kept(earlier.rows, keep.under(settings.rules), other_forms=other_forms)
    with new_run(state_dir, settings, destination, now_s) as (folder, store):
        planning = Planning(store)
        with RowKeys(folder / "keys.tmp") as keys:
            intake = _Intake(settings.campaign if len(settings.campaigns) == 1 else "", planned, keys)
            planning.add_blocks(intake.through(kept.apart()))
            planning.set_duplicates(intake.counting(keys.duplicates()))
        records = _Records()
        carried = _distinct(kept.apart(), planning.duplicate_places(), planned, other_forms=other_forms)
        numbers = planning.add_carried(records.through(carried))
        Reopening(store).reopen(now_s)
        shape_of = partial(settings.shape, base_path=destination.base_path)
        writing = writing_of(settings.brackets, learned_of(state_dir, destination.host, now_s).brackets)
        waiting, requests = _to_ask(Reopening(store).waiting_numbers(), shape_of, writing)
        plan = Plan(
            run_id=folder.name,
            host=destination.host,
            sources=intake.plans(),
            campaigns=with_forms(
                (
                    CampaignPlan(campaign, count, requests[campaign], count - waiting[campaign], *records.of(campaign))
                    for campaign, count in sorted(numbers.items())
                ),
                sure,
                findings,
            ),
            rate=settings.ceilings().rate,
            limits=settings.limits,
            additional_numbers=settings.additional_numbers,
            canary=settings.canary,
            stand_in=findings.stand_in,
            keep=Keep(keep.lists, settings.keep_skips, kept.rows, tuple(kept.examples)),
        )
        planning.finish(counts_of(plan, earlier.kept))
        others, phases = EarlierRuns(state_dir, plan, now_s), Outcomes(store).phases()
        yield Prepared(folder, store, plan, earlier.kept, settings, others, findings, phases)


def _to_ask(
    numbers: Iterator[tuple[str, str]], shape_of: Callable[[str], RequestShape], writing: Writing
) -> tuple[Counter[str], Counter[str]]:
    """Return by campaign how many numbers wait to be sent, and in how many requests."""
    waiting, requests = Counter[str](), Counter[str]()
    for campaign, request in in_requests(((of, (number,)) for of, number in numbers), shape_of, writing):
        requests[campaign] += 1
        waiting[campaign] += len(request)
    return waiting, requests


def _seen_in(rows: Rows, settings: Settings) -> tuple[Sequence[str], Settings]:
    """Return the campaigns in a report, and settings with the number format that its numbers show."""
    campaigns: set[str] = set()

    def numbers() -> Iterator[str]:
        for row in rows():
            if row.number:
                campaigns.add(row.campaign)
                yield row.number

    number_format, _ = chosen_forms(forms_held(numbers(), settings.region), (), settings.region)
    mine = settings.campaigns or sorted(campaigns)
    return mine, replace(settings, number_format=number_format)


class _Kept:
    """Finds rows with numbers on a --keep list. `rows` and `examples` are those of the latest pass."""

    def __init__(self, rows: Rows, kept: Callable[[Sequence[str]], Sequence[int]], *, other_forms: bool) -> None:
        self.rows = 0
        self.examples: list[Sample] = []
        self._given = rows
        self._kept = kept
        self._other_forms = other_forms

    def apart(self) -> Iterator[RowOutcome]:
        """Yield all rows. Kept rows lose their number. Raises GuardStop if the earlier run has sent a kept number."""
        self.rows, self.examples = 0, []
        rows = self._given()
        while block := list(islice(rows, _BLOCK_ROWS)):
            for place in self._kept([row.number for row in block]):
                if self._is_open(block[place]):
                    block[place] = self._set_apart(block[place])
            yield from block

    def _is_open(self, row: RowOutcome) -> bool:
        return row.state is not None and asked_anew(row.state, other_forms=self._other_forms).phase not in SETTLED

    def _set_apart(self, row: RowOutcome) -> RowOutcome:
        if row.state and row.state.attempts:
            raise GuardStop(
                phrase(
                    "{file}, row {row}: '{cell}' is on a --keep list, but the earlier run asked for it, "
                    "and its answer is open. Nothing was sent.",
                    file=harmless(row.source.file),
                    row=row.row,
                    cell=mask(row.cell),
                ),
                "Take it off the list, or leave the earlier run as it is.",
            )
        self.rows += 1
        if len(self.examples) < _SHOWN_ROWS:
            self.examples.append(Sample(row.row, mask(row.cell), ON_KEEP_LIST))
        return row._replace(number="", state=None, problem=ON_KEEP_LIST, duplicate_of="")


class _Records:
    """Counts by campaign the removed records of the earlier run, their known ids, and final numbers in doubt."""

    def __init__(self) -> None:
        self._counted = Counter[str](), Counter[str](), Counter[str]()

    def through(self, numbers: Iterator[tuple[str, str, NumberState]]) -> Iterator[tuple[str, str, NumberState]]:
        """Pass on numbers as (campaign, number, state)."""
        removed, ids, doubted = self._counted
        for campaign, number, state in numbers:
            removed[campaign] += state.removed
            ids[campaign] += len(state.record_ids)
            doubted[campaign] += state.phase in SETTLED and is_doubted(state.phase)
            yield campaign, number, state

    def of(self, campaign: str) -> tuple[int, int, int]:
        """Return (removed records, known ids, final numbers in doubt) of a campaign."""
        removed, ids, doubted = self._counted
        return removed[campaign], ids[campaign], doubted[campaign]


class _Intake:
    """Cuts rows into blocks, each of one source, and counts them by source."""

    def __init__(self, campaign: str, planned: Callable[[str], str], keys: RowKeys) -> None:
        self._campaign = campaign
        self._planned = planned
        self._keys = keys
        self._sources: list[Source] = []  # of each block; _starts has the index of its first row
        self._starts: list[int] = []
        self._rows = Counter[Source]()
        self._duplicates = Counter[Source]()
        self._problems: defaultdict[Source, Counter[str]] = defaultdict(Counter)

    def through(self, rows: Iterator[RowOutcome]) -> Iterator[NumberedBlock]:
        """Yield the blocks in the order of the rows. Raises InputError."""
        for source, group in groupby(rows, key=lambda row: row.source):
            for block in self._blocks(source, group):
                self._keys.add(block.numbers, block.campaigns)
                self._starts.append(self._rows.total())
                self._sources.append(source)
                self._rows[source] += len(block.numbers)
                self._problems[source].update(block.problems.values())
                yield block

    def counting(self, duplicates: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Pass on the duplicates, and count them by source."""
        for place, first in duplicates:
            self._duplicates[self._sources[bisect_right(self._starts, place) - 1]] += 1
            yield place, first

    def plans(self) -> tuple[SourcePlan, ...]:
        """Return the counts of each source."""
        return tuple(
            SourcePlan(source, rows, self._duplicates[source], tuple(self._problems[source].most_common()))
            for source, rows in self._rows.items()
        )

    def _blocks(self, source: Source, rows: Iterator[RowOutcome]) -> Iterator[NumberedBlock]:
        while block := list(islice(rows, _BLOCK_ROWS)):
            self._check_campaign(source, block)
            yield NumberedBlock(
                RowBlock(
                    source,
                    [row.row for row in block],
                    [row.cell for row in block],
                    [row.others for row in block] if block[0].others else (),
                ),
                # The planned form, so that rows with the same number in two forms count as duplicates.
                [self._planned(row.number) if row.number else "" for row in block],
                [row.campaign for row in block],
                {index: row.problem for index, row in enumerate(block) if not row.number},
            )

    def _check_campaign(self, source: Source, block: Sequence[RowOutcome]) -> None:
        if not self._campaign:
            return
        other = next((row for row in block if row.number and row.campaign != self._campaign), None)
        if other is not None:
            raise InputError(
                phrase(
                    "{file}, row {row} belongs to campaign {campaign}, not {wanted}.",
                    file=harmless(source.file),
                    row=other.row,
                    campaign=other.campaign,
                    wanted=self._campaign,
                ),
                "Leave --campaign out: a rerun keeps the campaign of each row.",
            )


def _distinct(
    rows: Iterator[RowOutcome], duplicates: Iterator[int], planned: Callable[[str], str], *, other_forms: bool
) -> Iterator[tuple[str, str, NumberState]]:
    """Yield (campaign, number, state to continue from), each number once.

    A number without a final answer is sent in all its forms again, beginning with the planned one. If some of its
    records were removed and others were in a call, it is sent only in the form in which it was found. With
    `other_forms` a number that was not found is sent again, too.
    """
    next_duplicate = next(duplicates, -1)
    for seq, row in enumerate(rows):
        if seq == next_duplicate:
            next_duplicate = next(duplicates, -1)
        elif row.state is not None:
            state = asked_anew(row.state, other_forms=other_forms)
            found = state.removed or status_of(state.phase) in FINAL_STATUSES
            yield row.campaign, row.number if found else planned(row.number), state
