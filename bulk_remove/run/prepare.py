"""Input files -> ledger -> plan, also as JSON (`bulk-remove plan --json`). Nothing is sent."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from shutil import rmtree
from typing import Protocol

from bulk_remove import __version__
from bulk_remove.core.chunker import in_requests
from bulk_remove.core.conditions import Condition, WholeInput
from bulk_remove.core.limits import Known, check_invalid_share
from bulk_remove.core.model import RowBlock, Source
from bulk_remove.core.numbers import NumberRules
from bulk_remove.core.plan import CampaignPlan, Keep, Plan, Sample, SourcePlan
from bulk_remove.errors import InputError, KeepListError, OwnReportError, UsageError
from bulk_remove.language import Phrase, phrase
from bulk_remove.ledger import Planning, Store, create
from bulk_remove.ledger.distinct import RowKeys
from bulk_remove.reader import ReadOptions
from bulk_remove.report.csv import kept_columns
from bulk_remove.run.folders import LEDGER_FILE, lock_run, make_private, new_run_folder
from bulk_remove.run.intake import Intake, KeepLists, read_keep_lists
from bulk_remove.run.preflight import NOT_ASKED, Findings
from bulk_remove.settings import Destination, Settings

LEDGER = LEDGER_FILE
Look = Callable[[Sequence[str]], Findings]
"""Looks at campaigns before anything is planned for them. Raises what `preflight.inspect_campaigns` does."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What planning sees and shows: `look` looks at campaigns, `on_rows` is told how many rows have been read so far.

    With `show_numbers` the plan's samples are not masked.
    """

    look: Look = lambda _campaigns: NOT_ASKED
    on_rows: Callable[[int], None] = lambda _rows: None
    show_numbers: bool = False


BLIND = Sight()


class InputTable(Protocol):
    """One source of rows."""

    @property
    def source(self) -> Source:
        """What is known of it before it is read."""

    def blocks(self) -> Iterator[RowBlock]:
        """Yield its rows in order; called again, from the first one on again. May raise InputError."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A planned run: its folder, its open ledger, its plan, and the input's columns that the report keeps.

    `settings` are those it was planned with, the form of its numbers settled; `findings` are what was seen of its
    campaigns. `phases` counts its numbers by phase, for a run that is taken up again; None when nothing was asked for
    yet. `replaced` are the places of its report at which something lies that the report takes the place of.
    """

    folder: Path
    store: Store
    plan: Plan
    kept: tuple[str, ...]
    settings: Settings
    findings: Findings = NOT_ASKED
    phases: Mapping[str, int] | None = None
    replaced: frozenset[Path] = frozenset()

    @property
    def state_dir(self) -> Path:
        """The folder for the state of all runs."""
        return self.folder.parents[1]


@contextmanager
def prepared(
    tables: Sequence[InputTable],
    settings: Settings,
    destination: Destination,
    state_dir: Path,
    now_s: float,
    sight: Sight = BLIND,
) -> Iterator[Prepared]:
    """Read the tables into a new run's ledger and plan it; the ledger is closed at the end.

    Each campaign is looked at once, before the rows are read where it is known by then. Campaigns that stand in the
    rows are looked at afterwards. The tables are read again where that asks for numbers in another form, or where the
    whole input says that its cells mean something else than each by itself.

    Raises InputError, UsageError, StorageError, and what the look does.
    """
    settings.shape(settings.campaign, destination.base_path)  # one in which no number fits is found before all else
    keep = kept_numbers(settings, state_dir)
    planning = _Planner(tables, destination, state_dir, now_s, sight, keep)
    known = sight.look([settings.campaign]) if settings.campaign else None
    first = settings.in_forms_of(known.held if known else {})
    with planning.planned(first, first.rules, known) as (ready, whole):
        findings, wanted = ready.findings, settings.in_forms_of(ready.findings.held)
        rules = whole.rules(wanted.rules, internal_numbers=wanted.internal_numbers, trusted=wanted.trust_column)
        if (wanted, rules) == (first, first.rules):
            yield ready
            return
    with planning.planned(wanted, rules, findings) as (ready, _):
        yield ready


def kept_numbers(settings: Settings, state_dir: Path) -> KeepLists:
    """Return the numbers that must stay. Raises KeepListError, UsageError, StorageError."""
    if settings.keep_skips and not settings.keep:
        raise UsageError(
            "--keep-skips is given, but no --keep list: no number would be kept.",
            "Name the list with --keep, or leave --keep-skips out.",
        )
    try:
        return read_keep_lists(settings, make_private(state_dir))
    except InputError as error:
        # The hint of a report is how to run it again, which nobody wants of numbers that stay.
        is_report = isinstance(error, OwnReportError)
        hint = "Give --keep a list of the numbers that must stay." if is_report else error.hint
        raise KeepListError(_without_flags(error.sentence), hint) from None


def _without_flags(sentence: str) -> str:
    """Return what is wrong with a cell of a --keep list; a flag that lets it through is meant for an input's cell."""
    if isinstance(sentence, Phrase) and "--" in str(sentence.values.get("problem", "")):
        problem = phrase("It may have lost digits.")
        return Phrase.made(sentence.template, {**sentence.values, "problem": problem})
    return sentence


@dataclass(frozen=True, slots=True)
class _Planner:
    """Reads tables into the ledger of a new run, once for each way of reading them."""

    tables: Sequence[InputTable]
    destination: Destination
    state_dir: Path
    now_s: float
    sight: Sight
    keep: KeepLists

    @contextmanager
    def planned(
        self, settings: Settings, rules: NumberRules, findings: Findings | None
    ) -> Iterator[tuple[Prepared, WholeInput]]:
        """Plan a run with these settings, and give what the cells say of each other.

        Cells are read by these `rules`; campaigns of which there are no `findings` yet are looked at.
        """
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
            campaigns = planning.add_chunks(in_requests(planning.distinct_numbers(), shape_of))
            if not campaigns and settings.campaign:
                campaigns = (CampaignPlan(settings.campaign, 0, 0),)
            if findings is None:
                names = sorted(campaign.campaign for campaign in campaigns)
                findings = self.sight.look(names) if names else NOT_ASKED
            plan = Plan(
                run_id=folder.name,
                host=self.destination.host,
                sources=intake.plans(),
                campaigns=with_forms(sorted(campaigns, key=attrgetter("campaign")), settings, findings),
                rate=settings.ceilings().rate,
                limits=settings.limits,
                additional_numbers=settings.additional_numbers,
                canary=settings.canary,
                stand_in=findings.stand_in,
                keep=Keep(self.keep.lists, settings.keep_skips, intake.kept_rows, tuple(intake.kept_examples)),
            )
            planning.finish(counts_of(plan, kept))
            yield Prepared(folder, store, plan, kept, settings, findings), intake.whole


def with_forms(campaigns: Iterable[CampaignPlan], settings: Settings, findings: Findings) -> tuple[CampaignPlan, ...]:
    """Return the campaigns with the forms that were seen in each, and whether they are those asked for.

    In a campaign without records no number is in another form either.
    """

    def looked_at(campaign: CampaignPlan) -> CampaignPlan:
        held = findings.held.get(campaign.campaign, {})
        return replace(
            campaign,
            held=held,
            name=findings.names.get(campaign.campaign, campaign.name),
            confirmed=campaign.campaign in findings.empty or settings.confirmed_by(held),
        )

    return tuple(map(looked_at, campaigns))


def reading_of(settings: Settings, state_dir: Path) -> ReadOptions:
    """Return how files are to be read; what can be read only once is set aside in `state_dir`, which is made.

    Raises StorageError.
    """
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
    """Raise GuardStop when too great a share of the rows holds no number.

    Rows with an empty cell do not count, nor those that were left out.
    """
    examples = [sample for source in plan.sources for sample in source.examples]
    rows = plan.rows - plan.empty - plan.left_out
    check_invalid_share(rows, plan.invalid, plan.problems, settings.max_invalid, examples)


@contextmanager
def new_run(
    state_dir: Path, settings: Settings, destination: Destination, now_s: float
) -> Iterator[tuple[Path, Store]]:
    """Make the folder and the ledger of a new run; a run that was not approved by the end leaves nothing behind.

    Its ledger would hold phone numbers for no purpose. Raises StorageError.
    """
    folder = new_run_folder(state_dir, now_s)
    nothing_sent = True
    try:
        request: dict[str, object] = {"settings": settings.public(), "destination": asdict(destination)}
        with lock_run(folder), closing(create(folder / LEDGER, folder.name, __version__, now_s, request)) as store:
            nothing_sent = False
            try:
                yield folder, store
            finally:
                # Where the ledger can no longer tell, it stays: it may be the only proof of what was sent.
                nothing_sent = not store.approved()
    finally:
        if nothing_sent:
            rmtree(folder, ignore_errors=True)


def counts_of(plan: Plan, kept: Sequence[str]) -> dict[str, object]:
    """Return what of a plan, and of the columns that its report keeps, the ledger does not know by itself."""
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


def plan_as_json(plan: Plan, settings: Settings, known: Known) -> dict[str, object]:
    """Return what `plan --json` says; times in seconds, columns counted from 1, samples as the plan shows them."""
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
        "samples": [_sample(sample) for sample in plan.samples],
        "invalid_examples": [_sample(sample) for sample in plan.examples],
    }


def _sample(sample: Sample) -> dict[str, object]:
    return {"row": sample.row, "cell": sample.cell, "became": sample.became}
