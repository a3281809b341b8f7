"""The real ledger without its thread, for runs in virtual time: each write is committed before it returns."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from bulk_remove.core.chunker import ENCODED, RequestShape, Writing, in_requests
from bulk_remove.core.model import NumberedBlock, RowBlock, Source
from bulk_remove.core.plan import Plan, SourcePlan
from bulk_remove.ledger import Planning, Sending, Store, create
from bulk_remove.run.prepare import counts_of
from bulk_remove.settings import Destination, Settings

T = TypeVar("T")
SOURCE = Source("numbers.csv", "", ("phone",), 0, "named 'phone'", "utf-8", "", "0" * 64, 0)
REQUEST: dict[str, object] = {"settings": Settings("00001").public(), "destination": asdict(Destination())}
"""What a ledger is told of its run, where nothing depends on it."""


class InlineJournal:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(self, call: Callable[[Sending], T]) -> T:
        with self._store.transaction() as connection:
            return call(Sending(connection))


def planned(folder: Path, numbers: list[str], shape: RequestShape, writing: Writing = ENCODED) -> Store:
    """Return a new ledger with these distinct numbers planned into chunks."""
    store = create(folder / "ledger.sqlite", "r1", "0", 0.0, REQUEST)
    planning = Planning(store)
    planning.add_source(SOURCE)
    rows = RowBlock(SOURCE, range(2, len(numbers) + 2), numbers, ())
    planning.add_blocks([NumberedBlock(rows, numbers, [shape.campaign] * len(numbers), {})])
    planning.add_chunks(in_requests([(shape.campaign, numbers)], lambda _: shape, writing))
    planning.finish(counts_of(Plan("r1", "", (SourcePlan(SOURCE, len(numbers), 0, ()),), (), 5.0), ()))
    return store
