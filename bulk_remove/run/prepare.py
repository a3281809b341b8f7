"""Input files -> ledger -> plan. Nothing is sent."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from typing import Protocol

from bulk_remove import __version__
from bulk_remove.adapters.distinct import RowKeys
from bulk_remove.adapters.folders import new_run_folder
from bulk_remove.adapters.ledger import Planning, Store, create
from bulk_remove.adapters.reporter import kept_columns
from bulk_remove.core.chunker import pack
from bulk_remove.core.model import RowBlock, Source, mask
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.plan import CampaignPlan, Plan
from bulk_remove.settings import Destination, Settings

LEDGER = "ledger.sqlite"
SAMPLE_ROWS = 5

NumberedBlock = tuple[RowBlock, Sequence[str], Mapping[int, str]]
"""Rows, the number of each (empty where there is none), and by index why there is none."""


class Table(Protocol):
    """One source of rows."""

    @property
    def source(self) -> Source:
        """What is known of it before it is read."""

    def blocks(self) -> Iterator[RowBlock]:
        """Yield its rows once, in order. May raise InputError."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A planned run: its folder, its open ledger, its plan, and the input's columns that the report keeps.

    `phases` counts its numbers by phase, for a run that is taken up again; None when nothing was asked for yet.
    """

    folder: Path
    store: Store
    plan: Plan
    kept: tuple[str, ...]
    phases: Mapping[str, int] | None = None

    @property
    def state_dir(self) -> Path:
        """The folder for the state of all runs."""
        return self.folder.parents[1]


@contextmanager
def prepared(
    tables: Sequence[Table],
    settings: Settings,
    destination: Destination,
    state_dir: Path,
    now_s: float,
    on_rows: Callable[[int], None],
) -> Iterator[Prepared]:
    """Read the tables into a new run's ledger and plan it; the ledger is closed at the end.

    `on_rows` is told how many rows have been read so far. Raises InputError, UsageError, StorageError.
    """
    shape = settings.shape(settings.campaign, destination.base_path)
    normalise = Normaliser(NumberRules(settings.number_format, settings.region))
    kept = kept_columns([table.source for table in tables]) if settings.keep_columns else ()
    with new_run(state_dir, settings, destination, now_s) as (folder, store):
        planning = Planning(store)
        intake = _Intake(normalise, on_rows)
        with RowKeys(folder / "keys.tmp") as keys:
            for table in tables:
                planning.add_source(table.source)
                planning.add_blocks(intake.through(table.blocks(), keys))
            duplicates = planning.set_duplicates(keys.duplicates())
        chunks = pack(planning.distinct_numbers(), shape)
        requests, numbers = planning.add_chunks(settings.campaign, chunks, first_ordinal=0)
        plan = Plan(
            run_id=folder.name,
            host=destination.host,
            sources=tuple(table.source for table in tables),
            rows=intake.rows,
            invalid=intake.problems.total(),
            duplicates=duplicates,
            campaigns=(CampaignPlan(settings.campaign, numbers, requests),),
            problems=tuple(intake.problems.most_common()),
            samples=tuple(intake.samples),
            rate=settings.rate,
        )
        planning.finish(counts_of(plan, kept))
        yield Prepared(folder, store, plan, kept)


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
        with closing(create(folder / LEDGER, folder.name, __version__, now_s, request)) as store:
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
        "rows": plan.rows,
        "invalid": plan.invalid,
        "duplicates": plan.duplicates,
        "campaigns": [asdict(campaign) for campaign in plan.campaigns],
        "problems": plan.problems,
        "settled": plan.settled,
        "kept": kept,
    }


class _Intake:
    """Turns cells into numbers and counts what it meets."""

    def __init__(self, normalise: Normaliser, on_rows: Callable[[int], None]) -> None:
        self._normalise = normalise
        self._on_rows = on_rows
        self.rows = 0
        self.problems: Counter[str] = Counter()
        self.samples: list[tuple[int, str, str]] = []

    def through(self, blocks: Iterator[RowBlock], keys: RowKeys) -> Iterator[NumberedBlock]:
        for block in blocks:
            pairs = [self._normalise(cell) for cell in block.cells]
            numbers = [number for number, _ in pairs]
            problems = {index: problem for index, (_, problem) in enumerate(pairs) if problem}
            keys.add(numbers)
            self._count(block, numbers, problems)
            yield block, numbers, problems

    def _count(self, block: RowBlock, numbers: Sequence[str], problems: Mapping[int, str]) -> None:
        for index in range(min(len(numbers), SAMPLE_ROWS - len(self.samples))):
            became = mask(numbers[index]) or problems[index]
            self.samples.append((block.rows[index], mask(block.cells[index]), became))
        self.problems.update(problems.values())
        self.rows += len(numbers)
        self._on_rows(self.rows)
