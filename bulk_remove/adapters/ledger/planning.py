"""The plan, written down: sources, rows, duplicates, chunks."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import orjson

from bulk_remove.adapters.ledger.chain import begin
from bulk_remove.adapters.ledger.packing import (
    pack_block,
    pack_source,
    pack_states,
    unpack_block,
    unpack_numbers,
    unpack_source,
)
from bulk_remove.adapters.ledger.store import Store
from bulk_remove.core.alike import Alike
from bulk_remove.core.model import NumberedBlock, NumberState, Source
from bulk_remove.core.plan import ApprovedPlan, CampaignPlan

CAMPAIGN_ORDINALS = 1 << 40
"""Room for the ordinals of one campaign; SQLite's integers hold eight million such rooms."""
_CARRIED_NUMBERS = 1000
"""Numbers of an earlier run in one row of the ledger."""


class Planning:
    """What the planner writes to a new ledger, in this order: sources and blocks, duplicates, chunks, the approval."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sources = 0
        self._source_nos: dict[Source, int] = {}
        self._ordinals = _Ordinals()

    def add_source(self, source: Source) -> None:
        """Begin a source; the blocks that follow and name it are its."""
        with self._store.transaction() as connection:
            self._insert_source(connection, source)

    def add_blocks(self, blocks: Iterable[NumberedBlock]) -> None:
        """Add blocks of rows with what became of each, in one transaction.

        Sources may alternate; one that no block named before is added.
        """
        with self._store.transaction() as connection:
            for block in blocks:
                source = block.rows.source
                if source not in self._source_nos:
                    self._insert_source(connection, source)
                connection.execute(
                    "INSERT INTO block (source_no, numbers, campaigns, contents) VALUES (?, ?, ?, ?)",
                    (self._source_nos[source], *pack_block(block)),
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

    def distinct_numbers(self) -> Iterator[tuple[str, list[str]]]:
        """Yield every number once, as (campaign, numbers): each campaign's in the order of the input."""
        duplicates = self.duplicate_places()
        next_duplicate = next(duplicates, -1)
        first_seq = 0
        with self._store.reading() as connection:
            for packed in connection.execute("SELECT numbers, campaigns FROM block ORDER BY block_no"):
                numbers, campaigns = unpack_numbers(*packed)
                while first_seq <= next_duplicate < first_seq + len(numbers):
                    numbers[next_duplicate - first_seq] = ""
                    next_duplicate = next(duplicates, -1)
                first_seq += len(numbers)
                for campaign in dict.fromkeys(campaigns):
                    shared = campaigns.count(campaign) == len(campaigns)
                    mine = numbers if shared else [n for n, c in zip(numbers, campaigns, strict=True) if c == campaign]
                    if found := [*filter(None, mine)]:
                        yield campaign, found

    def add_chunks(self, chunks: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[CampaignPlan, ...]:
        """Add (campaign, numbers) as chunks, each campaign's in order; returns what there is for each campaign."""
        numbers, requests = Counter[str](), Counter[str]()
        with self._store.transaction() as connection:
            for campaign, chunk in chunks:
                connection.execute(
                    "INSERT INTO chunk (campaign, numbers, first_ordinal, progress) VALUES (?, ?, ?, 'open')",
                    (campaign, "\n".join(chunk), self._ordinals.take(campaign, len(chunk))),
                )
                numbers[campaign] += len(chunk)
                requests[campaign] += 1
        return tuple(CampaignPlan(campaign, numbers[campaign], requests[campaign]) for campaign in numbers)

    def duplicate_places(self) -> Iterator[int]:
        """Yield the places of the rows whose number stands in an earlier row, in order."""
        with self._store.reading() as connection:
            for (seq,) in connection.execute("SELECT seq FROM duplicate ORDER BY seq"):
                yield seq

    def add_carried(self, numbers: Iterable[tuple[str, str, NumberState]]) -> Counter[str]:
        """Add distinct numbers as (campaign, number, what an earlier run knows of it), as closed chunks.

        Returns how many there are for each campaign.
        """
        waiting: defaultdict[str, list[tuple[str, NumberState]]] = defaultdict(list)
        counted = Counter[str]()
        with self._store.transaction() as connection:
            for campaign, number, state in numbers:
                counted[campaign] += 1
                waiting[campaign].append((number, state))
                if len(waiting[campaign]) == _CARRIED_NUMBERS:
                    self._insert_carried(connection, campaign, waiting.pop(campaign))
            for campaign, rest in waiting.items():
                self._insert_carried(connection, campaign, rest)
        return counted

    def _insert_carried(
        self, connection: sqlite3.Connection, campaign: str, numbers: Sequence[tuple[str, NumberState]]
    ) -> None:
        texts, states = zip(*numbers, strict=True)
        connection.execute(
            "INSERT INTO chunk (campaign, numbers, first_ordinal, states, progress) VALUES (?, ?, ?, ?, 'settled')",
            (campaign, "\n".join(texts), self._ordinals.take(campaign, len(numbers)), pack_states(Alike.of(states))),
        )

    def finish(self, counts: dict[str, object]) -> None:
        """Mark the plan as complete, with its counts."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE run SET plan = ?", (orjson.dumps(counts).decode(),))

    def approve(self, approved: ApprovedPlan) -> None:
        """Write down how the plan was approved, and begin the chain with it; a later session changes nothing."""
        with self._store.transaction() as connection:
            if connection.execute("SELECT genesis FROM run").fetchone() == (None,):
                connection.execute("UPDATE run SET approved_by = ?", (approved.consent.value,))
                begin(connection)


class _Ordinals:
    """Hands out ordinals: consecutive for each campaign, and no two alike."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def take(self, campaign: str, count: int) -> int:
        """Return the first of the next so many ordinals of a campaign."""
        first = self._next.setdefault(campaign, len(self._next) * CAMPAIGN_ORDINALS)
        self._next[campaign] = first + count
        return first


def blocks_of(store: Store) -> Iterator[NumberedBlock]:
    """Yield every block of rows, in the order of the input, with what became of each row."""
    with store.reading() as connection:
        sources = {
            source_no: unpack_source(properties)
            for source_no, properties in connection.execute("SELECT source_no, properties FROM source")
        }
        for source_no, *packed in connection.execute(
            "SELECT source_no, numbers, campaigns, contents FROM block ORDER BY block_no"
        ):
            yield unpack_block(sources[source_no], *packed)
