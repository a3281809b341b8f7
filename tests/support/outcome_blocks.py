"""Rows and what became of each, as the ledger hands them over."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from bulk_remove.core.model import NO_NUMBER, Alike, NumberState, OutcomeBlock, RowOutcome


def outcome_blocks(rows: Iterable[RowOutcome], size: int = 3) -> Iterator[OutcomeBlock]:
    """Yield rows as blocks, each of one source."""
    for source, of_source in groupby(rows, key=lambda row: row.source):
        while some := [*islice(of_source, size)]:
            states = Alike.of(row.state or NumberState(NO_NUMBER, detail=row.problem) for row in some)
            columns = zip(*some, strict=True)
            _, numbers_of_rows, cells, others, numbers, campaigns, _, _, duplicate_of = columns
            first_rows = {place: first for place, first in enumerate(duplicate_of) if first}
            kept = others if any(others) else ()
            yield OutcomeBlock(source, numbers_of_rows, cells, kept, numbers, campaigns, states, first_rows)
