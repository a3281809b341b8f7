"""The plan, written down: sources, rows, duplicates, chunks."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import orjson

from bulk_remove.adapters.ledger.packing import pack_block, pack_source, pack_states, unpack_block, unpack_source
from bulk_remove.adapters.ledger.store import Store
from bulk_remove.core.model import NumberState, RowBlock, Source
from bulk_remove.core.plan import ApprovedPlan

_CARRIED_NUMBERS = 1000
"""Numbers of an earlier run in one row of the ledger."""


class Planning:
    """What the planner writes to a new ledger, in this order: sources and blocks, duplicates, chunks, the approval."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sources = 0
        self._source_nos: dict[Source, int] = {}

    def add_source(self, source: Source) -> None:
        """Begin a source; the blocks that follow and name it are its."""
        with self._store.transaction() as connection:
            self._insert_source(connection, source)

    def add_blocks(self, blocks: Iterable[tuple[RowBlock, Sequence[str], Mapping[int, str]]]) -> None:
        """Add blocks of rows with their numbers and problems, in one transaction.

        Sources may alternate; one that no block named before is added.
        """
        with self._store.transaction() as connection:
            for rows, numbers, problems in blocks:
                if rows.source not in self._source_nos:
                    self._insert_source(connection, rows.source)
                connection.execute(
                    "INSERT INTO block (source_no, contents) VALUES (?, ?)",
                    (self._source_nos[rows.source], pack_block(rows, numbers, problems)),
                )

    def _insert_source(self, connection: sqlite3.Connection, source: Source) -> None:
        connection.execute("INSERT INTO source VALUES (?, ?)", (self._sources, pack_source(source)))
        self._source_nos[source] = self._sources
        self._sources += 1

    def set_duplicates(self, pairs: Iterable[tuple[int, int]]) -> int:
        """Note the rows (by place in the input, from 0) whose number stands in an earlier row, with that row.

        Returns how many there were.
        """
        with self._store.transaction() as connection:
            return connection.executemany("INSERT INTO duplicate VALUES (?, ?)", pairs).rowcount

    def distinct_numbers(self) -> Iterator[str]:
        """Yield every number once, in the order of the input."""
        with self._store.reading() as connection:
            duplicates = (seq for (seq,) in connection.execute("SELECT seq FROM duplicate ORDER BY seq"))
            next_duplicate = next(duplicates, -1)
            seq = 0
            for _, numbers, _ in blocks_of(self._store):
                for number in numbers:
                    if seq == next_duplicate:
                        next_duplicate = next(duplicates, -1)
                    elif number:
                        yield number
                    seq += 1

    def add_chunks(self, campaign: str, chunks: Iterable[tuple[str, ...]], first_ordinal: int) -> tuple[int, int]:
        """Add a campaign's chunks in order, ordinals counted on from `first_ordinal`.

        Returns how many chunks and how many numbers there were.
        """
        added = 0
        ordinal = first_ordinal
        with self._store.transaction() as connection:
            for added, numbers in enumerate(chunks, start=1):  # noqa: B007 - the count is wanted after the loop
                connection.execute(
                    "INSERT INTO chunk (campaign, numbers, first_ordinal, progress) VALUES (?, ?, ?, 'open')",
                    (campaign, "\n".join(numbers), ordinal),
                )
                ordinal += len(numbers)
        return added, ordinal - first_ordinal

    def duplicate_places(self) -> Iterator[int]:
        """Yield the places of the rows whose number stands in an earlier row, in order."""
        with self._store.reading() as connection:
            for (seq,) in connection.execute("SELECT seq FROM duplicate ORDER BY seq"):
                yield seq

    def add_carried(self, campaign: str, numbers: Iterable[tuple[str, NumberState]]) -> int:
        """Add distinct numbers with what an earlier run knows of them, as closed chunks; returns how many."""
        ordinal = 0
        rest = iter(numbers)
        with self._store.transaction() as connection:
            while block := list(islice(rest, _CARRIED_NUMBERS)):
                texts, states = zip(*block, strict=True)
                connection.execute(
                    "INSERT INTO chunk (campaign, numbers, first_ordinal, states, progress)"
                    " VALUES (?, ?, ?, ?, 'settled')",
                    (campaign, "\n".join(texts), ordinal, pack_states(states)),
                )
                ordinal += len(block)
        return ordinal

    def finish(self, counts: dict[str, object]) -> None:
        """Mark the plan as complete, with its counts."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE run SET plan = ?", (orjson.dumps(counts).decode(),))

    def approve(self, approved: ApprovedPlan) -> None:
        """Write down how the plan was approved."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE run SET approved_by = ?", (approved.consent.value,))


def blocks_of(store: Store) -> Iterator[tuple[RowBlock, list[str], dict[int, str]]]:
    """Yield every block of rows, in the order of the input, with its numbers and problems."""
    with store.reading() as connection:
        sources = {
            source_no: unpack_source(properties)
            for source_no, properties in connection.execute("SELECT source_no, properties FROM source")
        }
        for source_no, contents in connection.execute("SELECT source_no, contents FROM block ORDER BY block_no"):
            yield unpack_block(sources[source_no], contents)
