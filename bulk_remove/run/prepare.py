"""Reads the input into a new ledger and makes the plan, also as JSON (`bulk-remove plan --json`). Sends nothing."""

import getpass
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from shutil import rmtree
from typing import Protocol

from bulk_remove import __version__
from bulk_remove.core.chunker import in_requests, writing_of
from bulk_remove.core.conditions import Condition, WholeInput
from bulk_remove.core.limits import Known, check_invalid_share
from bulk_remove.core.model import RowBlock, Source
from bulk_remove.core.numbers import NumberRules
from bulk_remove.core.plan import CampaignPlan, Keep, Plan, SourcePlan
from bulk_remove.ledger import Planning, Removals, RowKeys, Store, create
from bulk_remove.reader import ReadOptions
from bulk_remove.report.csv import kept_columns
from bulk_remove.run.folders import LEDGER_FILE, learned_of, lock_run, make_private, new_run_folder
from bulk_remove.run.intake import Intake, KeepLists, read_keep_lists
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.preflight import NOT_ASKED, Findings
from bulk_remove.settings import Destination, Settings

Look = Callable[[Sequence[str]], Findings]
"""Looks at campaigns before they are planned. Raises the same errors as `preflight.inspect_campaigns`."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How planning looks at campaigns, what gets the count of rows read, and whether samples are not masked."""

    look: Look = lambda _campaigns: NOT_ASKED
    on_rows: Callable[[int], None] = lambda _rows: None
    show_numbers: bool = False


BLIND = Sight()


class InputTable(Protocol):
    """A source of rows."""

    @property
    def source(self) -> Source:
        """What is known before its rows are read."""

    def blocks(self) -> Iterator[RowBlock]:
        """Yield its rows in order. Each call begins with the first row. May raise InputError."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A planned run: its folder, its open ledger, its plan, and the input's columns that the report keeps.

    `settings` were used for the plan and have a settled number format. `earlier` are the other runs, `findings` what
    was seen of its campaigns. `phases` counts the numbers of a resume or a rerun by phase, None for a new run.
    """

    folder: Path
    store: Store
    plan: Plan
    kept: tuple[str, ...]
    settings: Settings
    earlier: EarlierRuns
    findings: Findings = NOT_ASKED
    phases: Mapping[str, int] | None = None

    @property
    def state_dir(self) -> Path:
        """The folder for the state of all runs."""
        return self.folder.parents[1]


def removed_earlier(store: Store, removals: Removals) -> int:
    """Return how many numbers of a run earlier runs removed."""
    if not removals:
        return 0
    return sum(len(removals.places(*each)) for each in Planning(store).distinct_numbers())


@contextmanager
def prepare(
    tables: Sequence[InputTable],
    settings: Settings,
    destination: Destination,
    state_dir: Path,
    now_s: float,
    sight: Sight = BLIND,
) -> Iterator[Prepared]:
    """Read the tables into a new run's ledger and plan it. The ledger is closed at the end.

    Each campaign is looked at once: a --campaign before the rows are read, campaigns in the rows afterwards. The tables
    are read a second time if the look asks for another form of the numbers, or if the whole input shows that its cells
    mean something else than each cell suggests.

    Raises InputError, UsageError, StorageError, and the errors of the look.
    """
    settings.shape((*settings.campaigns, "")[0], destination.base_path)  # fails early if no number fits a request
    keep = read_keep_lists(settings, state_dir)
    planner = _Planner(tables, destination, state_dir, now_s, sight, keep)
    known = sight.look(settings.campaigns) if settings.campaigns else None
    first = settings.in_forms_of(known.held if known else {})
    with planner.plan(first, first.rules, known) as (ready, whole):
        findings, wanted = ready.findings, settings.in_forms_of(ready.findings.held)
        rules = whole.rules(wanted.rules, internal_numbers=wanted.internal_numbers, trusted=wanted.trust_column)
        if (wanted, rules) == (first, first.rules):
            yield ready
            return
    with planner.plan(wanted, rules, findings) as (ready, _):
        yield ready


@dataclass(frozen=True, slots=True)
class _Planner:
    """Makes plans from tables. Each plan gets a new run and reads the tables again."""

    tables: Sequence[InputTable]
    destination: Destination
    state_dir: Path
    now_s: float
    sight: Sight
    keep: KeepLists

    @contextmanager
    def plan(
        self, settings: Settings, rules: NumberRules, findings: Findings | None
    ) -> Iterator[tuple[Prepared, WholeInput]]:
        """Plan a run; also give what its cells reveal about each other. Without `findings` look at the campaigns."""
        kept = kept_columns([table.source for table in self.tables]) if settings.keep_columns else ()
        with new_run(self.state_dir, settings, self.destination, self.now_s) as (folder, store):
            planning = Planning(store)
            intake = Intake(
                settings,
                rules,
                self.sight.on_rows,
                self.keep.under(rules),
                show_numbers=self.sight.show_numbers,
            )
            with RowKeys(folder / "keys.tmp") as keys:
                for table in self.tables:
                    planning.add_source(table.source)
                    planning.add_blocks(intake.through(table.source, table.blocks(), keys))
                planning.set_duplicates(intake.counting(keys.duplicates()))
            shape_of = partial(settings.shape, base_path=self.destination.base_path)
            known = learned_of(self.state_dir, self.destination.host, self.now_s)
            writing = writing_of(settings.brackets, known.brackets)
            campaigns = planning.add_chunks(in_requests(planning.distinct_numbers(), shape_of, writing))
            campaigns = campaigns or tuple(CampaignPlan(campaign, 0, 0) for campaign in settings.campaigns)
            if findings is None:
                names = sorted(campaign.campaign for campaign in campaigns)
                findings = self.sight.look(names) if names else NOT_ASKED
            plan = Plan(
                run_id=folder.name,
                host=self.destination.host,
                sources=tuple(counts.plan() for counts in intake.counts),
                campaigns=with_forms(sorted(campaigns, key=attrgetter("campaign")), settings, findings),
                rate=settings.ceilings().rate,
                limits=settings.limits,
                additional_numbers=settings.additional_numbers,
                canary=settings.canary,
                stand_in=findings.stand_in,
                keep=Keep(self.keep.lists, settings.keep_skips, intake.kept_rows, tuple(intake.kept_examples)),
            )
            planning.finish(counts_of(plan, kept))
            earlier = EarlierRuns(self.state_dir, plan, self.now_s)
            yield Prepared(folder, store, plan, kept, settings, earlier, findings), intake.whole


def with_forms(campaigns: Iterable[CampaignPlan], settings: Settings, findings: Findings) -> tuple[CampaignPlan, ...]:
    """Return the campaigns with the forms that were seen in each, and whether these confirm the settings.

    A campaign without records counts as confirmed: it has no number in another form.
    """
    looked_at = []
    for campaign in campaigns:
        held = findings.held.get(campaign.campaign, {})
        name = findings.names.get(campaign.campaign, campaign.name)
        confirmed = campaign.campaign in findings.empty or settings.confirmed_by(held)
        looked_at.append(replace(campaign, held=held, name=name, confirmed=confirmed))
    return tuple(looked_at)


def reading_of(settings: Settings, state_dir: Path) -> ReadOptions:
    """Return the options for reading files. Makes `state_dir`, for copies of some inputs. Raises StorageError."""
    make_private(state_dir)
    return ReadOptions(
        column=settings.column,
        keep_columns=settings.keep_columns,
        campaign_column=settings.campaign_column,
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        sheet=settings.sheet,
        has_header=settings.has_header,
        trust_column=settings.trust_column,
        where=tuple(map(Condition.parse, settings.where)),
        region=settings.region,
        spool_dir=state_dir,
    )


def check_plan(plan: Plan, settings: Settings) -> None:
    """Raise GuardStop if too many rows have no valid number. Empty cells and rows that were left out do not count."""
    examples = [sample for source in plan.sources for sample in source.examples]
    times = max(1, len(settings.campaigns))  # each row counts once for each campaign
    rows = (plan.rows - plan.empty - plan.left_out) // times
    problems = [(problem, count // times) for problem, count in plan.problems]
    check_invalid_share(rows, plan.invalid // times, problems, settings.max_invalid, examples)


@contextmanager
def new_run(
    state_dir: Path, settings: Settings, destination: Destination, now_s: float
) -> Iterator[tuple[Path, Store]]:
    """Make the folder and the ledger of a new run. Deletes both at the end if the run was not approved.

    Such a ledger would keep phone numbers for no purpose. Raises StorageError.
    """
    folder = new_run_folder(state_dir, now_s)
    nothing_sent = True
    try:
        request: dict[str, object] = {
            "settings": settings.public(),
            "destination": asdict(destination),
            "system_user": system_user(),
        }
        with lock_run(folder), closing(create(folder / LEDGER_FILE, folder.name, __version__, now_s, request)) as store:
            nothing_sent = False
            try:
                yield folder, store
            finally:
                # If this raises, the ledger stays: it may be the only proof of what was sent.
                nothing_sent = not store.approved()
    finally:
        if nothing_sent:
            rmtree(folder, ignore_errors=True)


def system_user() -> str:
    """Return the operating system's name of this user, or an empty text."""
    try:
        return str(import_module("pwd").getpwuid(os.geteuid()).pw_name)
    except ImportError:  # Windows
        with suppress(ImportError, OSError):
            return getpass.getuser()
    except KeyError:  # a container may run as a user without a name
        pass
    return ""


def counts_of(plan: Plan, kept: Sequence[str]) -> dict[str, object]:
    """Return the parts of a plan that are not in the ledger's other tables, for its column `plan`."""
    return {
        "sources": [
            {"rows": source.rows, "duplicates": source.duplicates, "problems": source.problems}
            for source in plan.sources
        ],
        "campaigns": [asdict(campaign) for campaign in plan.campaigns],
        "kept": kept,
        "stand_in": plan.stand_in,
        "keep": [each._asdict() for each in plan.keep.lists],
    }


def plan_as_json(plan: Plan, settings: Settings, known: Known, removed_earlier: int) -> dict[str, object]:
    """Return what `plan --json` prints. Times in seconds, columns counted from 1, samples masked as in the plan."""
    return {
        "host": plan.host,
        "rehearsal": plan.rehearsal.value or None,
        "rows": plan.rows,
        "invalid": plan.invalid,
        "empty": plan.empty,
        "left_out": plan.left_out,
        "where": list(settings.where),
        "kept": plan.kept,
        "duplicates": plan.duplicates,
        "numbers": plan.numbers,
        "removed_earlier": removed_earlier,
        "requests": plan.requests,
        "requests_per_second": plan.rate,
        "least_seconds": round(plan.least_duration_s, 3),
        "number_format": settings.number_format,
        "also_try": list(settings.also_try),
        "additional_numbers": plan.additional_numbers,
        "canary": plan.canary,
        "hours": list(settings.hours),
        "limits": asdict(plan.limits),
        "keep": [each._asdict() for each in plan.keep.lists],
        "campaigns": [_campaign(campaign, known) for campaign in plan.campaigns],
        "files": [_source(source) for source in plan.sources],
    }


def _campaign(plan: CampaignPlan, known: Known) -> dict[str, object]:
    return {
        "campaign": plan.campaign,
        "name": plan.name or None,
        "numbers": plan.numbers,
        "requests": plan.requests,
        "records": known.records.get(plan.campaign),
        "usual_numbers": known.usual(plan.campaign),
        "forms": plan.held,
        "form_confirmed": plan.confirmed,
    }


def _source(plan: SourcePlan) -> dict[str, object]:
    source = plan.source
    campaign = source.campaign_column
    return {
        "file": source.file,
        "sheet": source.sheet,
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "header_row": source.header_row,
        "column": source.column + 1,
        "column_name": source.header[source.column],
        "column_reason": source.column_reason,
        "campaign_column": None if campaign is None else campaign + 1,
        "code_column": None if source.code_column is None else source.code_column + 1,
        "notes": [*source.notes, *plan.notes],
        "rows": plan.rows,
        "invalid": plan.invalid,
        "invalid_by_reason": dict(plan.damage),
        "empty": plan.empty,
        "left_out": plan.left_out,
        "kept": plan.kept,
        "read_as_numbers": dict(plan.kinds),
        "internal_numbers": plan.internal,
        "duplicates": plan.duplicates,
        "samples": [sample._asdict() for sample in plan.samples],
        "invalid_examples": [sample._asdict() for sample in plan.examples],
    }
