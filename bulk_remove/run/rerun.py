"""An earlier run's rows asked for again where their answer is not final; the old verdicts are kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path

from bulk_remove.adapters.distinct import RowKeys
from bulk_remove.adapters.ledger import Planning, Reopening
from bulk_remove.core.chunker import pack
from bulk_remove.core.lifecycle import SETTLED, asked_anew
from bulk_remove.core.model import NumberState, RowBlock, RowOutcome, Source
from bulk_remove.core.plan import CampaignPlan, Plan
from bulk_remove.errors import InputError
from bulk_remove.run.prepare import NumberedBlock, Prepared, counts_of, new_run
from bulk_remove.settings import Destination, Settings

Rows = Callable[[], Iterator[RowOutcome]]
"""Gives the rows of the earlier run, anew each time."""

_BLOCK_ROWS = 5000


@contextmanager
def prepared_again(
    rows: Rows,
    kept: tuple[str, ...],
    settings: Settings,
    destination: Destination,
    state_dir: Path,
    now_s: float,
) -> Iterator[Prepared]:
    """Plan a new run out of an earlier one's rows; `kept` are the input's columns that its report keeps.

    Raises InputError, StorageError.
    """
    with new_run(state_dir, settings, destination, now_s) as (folder, store):
        planning = Planning(store)
        with RowKeys(folder / "keys.tmp") as keys:
            intake = _Intake(settings.campaign, keys)
            planning.add_blocks(intake.through(rows()))
            duplicates = planning.set_duplicates(keys.duplicates())
        numbers = planning.add_carried(settings.campaign, _distinct(rows(), planning.duplicate_places()))
        reopening = Reopening(store)
        phases = reopening.reopen(now_s)
        shape = settings.shape(settings.campaign, destination.base_path)
        requests = sum(1 for _ in pack(reopening.waiting_numbers(), shape))
        plan = Plan(
            run_id=folder.name,
            host=destination.host,
            sources=reopening.facts().sources,
            rows=intake.rows,
            invalid=intake.invalid,
            duplicates=duplicates,
            campaigns=(CampaignPlan(settings.campaign, numbers, requests),),
            problems=(),
            samples=(),
            rate=settings.rate,
            settled=sum(count for phase, count in phases.items() if phase in SETTLED),
        )
        planning.finish(counts_of(plan, kept))
        yield Prepared(folder, store, plan, kept, phases)


class _Intake:
    """Cuts rows into blocks, each of one source, and counts them."""

    def __init__(self, campaign: str, keys: RowKeys) -> None:
        self._campaign = campaign
        self._keys = keys
        self.rows = 0
        self.invalid = 0

    def through(self, rows: Iterator[RowOutcome]) -> Iterator[NumberedBlock]:
        """Yield the blocks in the order of the rows. Raises InputError."""
        for source, group in groupby(rows, key=lambda row: row.source):
            for rows_of_source, numbers, problems in _blocks(source, group, self._campaign):
                self._keys.add(numbers)
                self.rows += len(numbers)
                self.invalid += len(problems)
                yield rows_of_source, numbers, problems


def _blocks(source: Source, rows: Iterator[RowOutcome], campaign: str) -> Iterator[NumberedBlock]:
    while block := list(islice(rows, _BLOCK_ROWS)):
        other = next((row for row in block if row.number and row.campaign != campaign), None)
        if other is not None:
            raise InputError(
                f"{source.file}, row {other.row} belongs to campaign {other.campaign}, not {campaign}.",
                "Rerun one campaign at a time, with --campaign.",
            )
        yield (
            RowBlock(
                source,
                [row.row for row in block],
                [row.cell for row in block],
                [row.others for row in block] if block[0].others else (),
            ),
            [row.number for row in block],
            {index: row.problem for index, row in enumerate(block) if not row.number},
        )


def _distinct(rows: Iterator[RowOutcome], duplicates: Iterator[int]) -> Iterator[tuple[str, NumberState]]:
    """Yield each number once with the state from which it goes on."""
    next_duplicate = next(duplicates, -1)
    for seq, row in enumerate(rows):
        if seq == next_duplicate:
            next_duplicate = next(duplicates, -1)
        elif row.state is not None:
            yield row.number, asked_anew(row.state)
