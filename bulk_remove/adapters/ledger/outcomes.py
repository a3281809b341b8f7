"""What became of every row, read back in the order of the input.

Planned chunks come in the order of their numbers' ordinals, and a row with a new number takes the next of them, so
rows and states meet in one pass. What a duplicate will need is set aside on disk when its first row passes.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from bulk_remove.adapters.ledger.packing import pack_state, unpack_state, unpack_states
from bulk_remove.adapters.ledger.planning import blocks_of
from bulk_remove.adapters.ledger.store import Store
from bulk_remove.core.lifecycle import NEW
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
                "CREATE TEMP TABLE IF NOT EXISTS carried (seq INTEGER PRIMARY KEY, file, row, campaign, state)"
            )
            connection.execute("DELETE FROM carried")
            yield from self._joined(connection)

    def _joined(self, connection: sqlite3.Connection) -> Iterator[RowOutcome]:
        states = self.states()
        duplicates = _Cursor(connection.execute("SELECT seq, first_seq FROM duplicate ORDER BY seq"))
        wanted = _Cursor(connection.execute("SELECT DISTINCT first_seq, 0 FROM duplicate ORDER BY first_seq"))
        seq = -1
        for block, numbers, problems in blocks_of(self._store):
            for index, (row, cell, number) in enumerate(zip(block.rows, block.cells, numbers, strict=True)):
                seq += 1
                others = block.others[index] if block.others else ()
                if not number:
                    yield RowOutcome(block.source, row, cell, others, "", "", None, problems[index], "")
                elif seq == duplicates.key:
                    file, first_row, campaign, packed = _carried(connection, duplicates.take())
                    place = str(first_row) if file == block.source.file else f"{file}:{first_row}"
                    state = unpack_state(packed)
                    yield RowOutcome(block.source, row, cell, others, number, campaign, state, "", place)
                else:
                    campaign, state = next(states)
                    if seq == wanted.key:
                        wanted.take()
                        _carry(connection, (seq, block.source.file, row, campaign, pack_state(state)))
                    yield RowOutcome(block.source, row, cell, others, number, campaign, state, "", "")

    def totals(self) -> Totals:
        """Add up the attempts of all sessions. A session that was killed ended with its last attempt."""
        with self._store.reading() as connection:
            results = dict(connection.execute("SELECT result, count(*) FROM attempt GROUP BY result").fetchall())
            strangers = connection.execute("SELECT ifnull(sum(strangers), 0) FROM attempt").fetchone()[0]
            sessions = connection.execute(
                "SELECT began_at_s, coalesce(ended_at_s, (SELECT max(begun_at_s) FROM attempt WHERE begun_at_s <"
                " coalesce((SELECT min(began_at_s) FROM session later WHERE later.session_no > session.session_no),"
                " 9e99)), began_at_s) FROM session ORDER BY session_no"
            ).fetchall()
        results.pop("not sent", None)
        requests = sum(results.values())
        results.pop("verdicts", None)
        seconds = sum(max(0.0, ended_s - began_s) for began_s, ended_s in sessions)
        return Totals(requests, results, strangers, len(sessions), sessions[0][0], sessions[-1][1], seconds)

    def states(self) -> Iterator[tuple[str, NumberState]]:
        """Yield (campaign, state) of every distinct number, by ordinal."""
        connection = self._store.connection
        stragglers = _Cursor(connection.execute("SELECT ordinal, state FROM straggler ORDER BY ordinal"))
        chunks = connection.execute(
            "SELECT campaign, numbers, first_ordinal, states FROM chunk"
            " WHERE first_ordinal IS NOT NULL ORDER BY first_ordinal"
        )
        for campaign, numbers, first_ordinal, packed in chunks:
            size = numbers.count("\n") + 1
            known = [NEW] * size if packed is None else unpack_states(packed)
            for ordinal, state in enumerate(known, start=first_ordinal):
                if ordinal == stragglers.key:
                    yield campaign, unpack_state(str(stragglers.take()))
                else:
                    yield campaign, state


class _Cursor:
    """A sorted result of (key, value) that is looked at one row ahead."""

    def __init__(self, rows: Iterator[tuple[int, object]]) -> None:
        self._rows = rows
        self.key, self._value = next(rows, (-1, None))

    def take(self) -> object:
        """Return the value at `key` and move on."""
        value = self._value
        self.key, self._value = next(self._rows, (-1, None))
        return value


def _carry(connection: sqlite3.Connection, values: tuple[int, str, int, str, str]) -> None:
    connection.execute("INSERT INTO carried VALUES (?, ?, ?, ?, ?)", values)


def _carried(connection: sqlite3.Connection, seq: object) -> tuple[str, int, str, str]:
    (file, row, campaign, state) = connection.execute(
        "SELECT file, row, campaign, state FROM carried WHERE seq = ?", (seq,)
    ).fetchone()
    return file, row, campaign, state
