"""What became of every row, read back in the order of the input.

A campaign's planned chunks come in the order of its numbers' ordinals, and a row with a new number takes the next of
them, so rows and states meet in one pass. What a duplicate will need is set aside on disk when its first row passes.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from bulk_remove.adapters.ledger.history import SESSION_END
from bulk_remove.adapters.ledger.packing import pack_state, unpack_state, unpack_states
from bulk_remove.adapters.ledger.planning import blocks_of
from bulk_remove.adapters.ledger.store import Store
from bulk_remove.core.lifecycle import NEW, nowhere
from bulk_remove.core.model import NumberState, RowOutcome


class Totals(NamedTuple):
    """What all sessions of a run did; `faults` counts requests without verdicts by kind, times are Unix seconds.

    `seconds` is the time of sending, pauses between sessions left out.
    """

    requests: int
    faults: dict[str, int]
    strangers: int
    sessions: int
    began_at_s: float
    ended_at_s: float
    seconds: float


class Outcomes:
    """Reads a ledger that nobody writes to at the same time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self) -> Iterator[RowOutcome]:
        """Yield every row of the input exactly once, in order."""
        with self._store.reading() as connection:
            connection.execute(
                "CREATE TEMP TABLE IF NOT EXISTS carried (seq INTEGER PRIMARY KEY, file, row, number, state)"
            )
            connection.execute("DELETE FROM carried")
            yield from self._joined(connection)

    def _joined(self, connection: sqlite3.Connection) -> Iterator[RowOutcome]:
        states: dict[str, Iterator[tuple[str, NumberState]]] = {}
        duplicates = _Cursor(connection.execute("SELECT seq, first_seq FROM duplicate ORDER BY seq"))
        wanted = _Cursor(connection.execute("SELECT DISTINCT first_seq FROM duplicate ORDER BY first_seq"))
        seq = -1
        for block, numbers, campaigns, problems in blocks_of(self._store):
            for campaign in {*campaigns} - {*states}:
                states[campaign] = self._states_of(campaign)
            for index, (row, cell, number, campaign) in enumerate(
                zip(block.rows, block.cells, numbers, campaigns, strict=True)
            ):
                seq += 1
                others = block.others[index] if block.others else ()
                if not number:
                    yield RowOutcome(block.source, row, cell, others, "", "", None, problems[index], "")
                elif seq == duplicates.key:
                    file, first_row, asked_as, packed = _carried(connection, duplicates.take())
                    place = str(first_row) if file == block.source.file else f"{file}:{first_row}"
                    state = unpack_state(packed)
                    yield RowOutcome(block.source, row, cell, others, asked_as, campaign, state, "", place)
                else:
                    asked_as, state = next(states[campaign])
                    if nowhere(state):
                        asked_as = number
                    if seq == wanted.key:
                        wanted.take()
                        _carry(connection, (seq, block.source.file, row, asked_as, pack_state(state)))
                    yield RowOutcome(block.source, row, cell, others, asked_as, campaign, state, "", "")

    def totals(self) -> Totals:
        """Add up the attempts of all sessions. A session that was killed ended with its last attempt."""
        with self._store.reading() as connection:
            results = dict(connection.execute("SELECT result, count(*) FROM attempt GROUP BY result").fetchall())
            strangers = connection.execute("SELECT ifnull(sum(strangers), 0) FROM attempt").fetchone()[0]
            sessions = connection.execute(
                f"SELECT began_at_s, {SESSION_END} FROM session ORDER BY session_no"  # noqa: S608 - a constant
            ).fetchall()
        results.pop("not sent", None)
        requests = sum(results.values())
        results.pop("verdicts", None)
        seconds = sum(max(0.0, ended_s - began_s) for began_s, ended_s in sessions)
        return Totals(requests, results, strangers, len(sessions), sessions[0][0], sessions[-1][1], seconds)

    def phases(self) -> Counter[str]:
        """Count every distinct number by its phase."""
        with self._store.reading() as connection:
            campaigns = connection.execute("SELECT DISTINCT campaign FROM chunk").fetchall()
            return Counter(state.phase for (campaign,) in campaigns for _, state in self._states_of(campaign))

    def _states_of(self, campaign: str) -> Iterator[tuple[str, NumberState]]:
        """Yield (number as it was asked for last, state) of every distinct number of a campaign, by ordinal."""
        connection = self._store.connection
        stragglers = _Cursor(
            connection.execute(
                "SELECT ordinal, number, state FROM straggler WHERE campaign = ? ORDER BY ordinal", (campaign,)
            )
        )
        chunks = connection.execute(
            "SELECT numbers, first_ordinal, states FROM chunk"
            " WHERE campaign = ? AND first_ordinal IS NOT NULL ORDER BY first_ordinal",
            (campaign,),
        )
        for joined, first_ordinal, packed in chunks:
            numbers = joined.split("\n")
            known = [NEW] * len(numbers) if packed is None else unpack_states(packed)
            for ordinal, (number, state) in enumerate(zip(numbers, known, strict=True), start=first_ordinal):
                if ordinal == stragglers.key:
                    asked_as, newer = stragglers.take()
                    yield asked_as, unpack_state(newer)
                else:
                    yield number, state


class _Cursor:
    """A sorted result of (key, values ...) that is looked at one row ahead."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.key, *self._values = next(rows, (-1,))

    def take(self) -> list[Any]:
        """Return the values at `key` and move on."""
        values = self._values
        self.key, *self._values = next(self._rows, (-1,))
        return values


def _carry(connection: sqlite3.Connection, values: tuple[int, str, int, str, str]) -> None:
    connection.execute("INSERT INTO carried VALUES (?, ?, ?, ?, ?)", values)


def _carried(connection: sqlite3.Connection, first_seq: list[int]) -> tuple[str, int, str, str]:
    (file, row, number, state) = connection.execute(
        "SELECT file, row, number, state FROM carried WHERE seq = ?", first_seq
    ).fetchone()
    return file, row, number, state
