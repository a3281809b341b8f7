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
            count, invalid = _add_rows(planning, rows(), settings.campaign, keys)
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
            rows=count,
            invalid=invalid,
            duplicates=duplicates,
            campaigns=(CampaignPlan(settings.campaign, numbers, requests),),
            problems=(),
            samples=(),
            rate=settings.rate,
            settled=sum(count for phase, count in phases.items() if phase in SETTLED),
        )
        planning.finish(counts_of(plan, kept))
        yield Prepared(folder, store, plan, kept, phases)


def _add_rows(planning: Planning, rows: Iterator[RowOutcome], campaign: str, keys: RowKeys) -> tuple[int, int]:
    """Write the rows, source by source; returns how many there are and how many hold no number."""
    count = invalid = 0
    for source, group in groupby(rows, key=lambda row: row.source):
        planning.add_source(source)
        for block in _blocks(source, group, campaign):
            planning.add_blocks([block])
            keys.add(block[1])
            count += len(block[1])
            invalid += len(block[2])
    return count, invalid


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
