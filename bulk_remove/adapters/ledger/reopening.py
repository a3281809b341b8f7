"""A run taken up again: what was lost with the process is noted, what is open is made ready to be asked for.

Everything that a later session needs is in the ledger; the input may be gone or changed.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from bulk_remove.adapters.ledger.chain import Chain
from bulk_remove.adapters.ledger.outcomes import Outcomes
from bulk_remove.adapters.ledger.packing import pack_state, pack_states, unpack_source, unpack_state, unpack_states
from bulk_remove.adapters.ledger.sending import fastest_of
from bulk_remove.adapters.ledger.store import Store
from bulk_remove.core.alike import Alike
from bulk_remove.core.lifecycle import SETTLED, Event, taken_up, without_verdict
from bulk_remove.core.model import NumberState, Source

_PAGE_ROWS = 5000
_LOST = "The run was stopped hard before the reply came."


class RunFacts(NamedTuple):
    """What the ledger says of its run. `approved_by` is empty, and `plan` None, where it did not come so far."""

    run_id: str
    request: dict[str, object]
    plan: dict[str, object] | None
    approved_by: str
    sources: tuple[Source, ...]


class Reopening:
    """Works on a ledger that nobody writes to at the same time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def facts(self) -> RunFacts:
        """Read what the run is. Raises StorageError."""
        with self._store.reading() as connection:
            run_id, request, plan, approved_by = connection.execute(
                "SELECT run_id, request, plan, ifnull(approved_by, '') FROM run"
            ).fetchone()
            sources = connection.execute("SELECT properties FROM source ORDER BY source_no").fetchall()
        return RunFacts(
            run_id,
            orjson.loads(request),
            None if plan is None else orjson.loads(plan),
            approved_by,
            tuple(unpack_source(properties) for (properties,) in sources),
        )

    def reopen(self, now_s: float) -> Counter[str]:
        """Make every number that is not settled ready to be asked for; returns the numbers by phase.

        Attempts without an end were under way when the process died: their numbers are in doubt from now on, as those
        are of which the run has said so. The time for asking again about numbers in a call begins anew. `now_s` in Unix
        seconds. Raises StorageError.
        """
        with self._store.transaction() as connection:
            self._lose_unanswered(connection, now_s)
            connection.execute("UPDATE chunk SET progress = 'settled' WHERE first_ordinal IS NULL")
            self._make_stragglers(connection)
            self._make_due(connection, now_s)
        return Outcomes(self._store).phases()

    def waiting_numbers(self) -> Iterator[tuple[str, str]]:
        """Yield (campaign, number) of those that wait to be asked for, in the order in which they will be."""
        with self._store.reading() as connection:
            yield from connection.execute(
                "SELECT campaign, number FROM straggler WHERE due_at_s IS NOT NULL ORDER BY due_at_s, ordinal"
            )

    def _lose_unanswered(self, connection: sqlite3.Connection, now_s: float) -> None:
        unanswered = connection.execute(
            "SELECT attempt_id, chunk_id FROM attempt WHERE ended_at_s IS NULL ORDER BY attempt_id"
        ).fetchall()
        chain = Chain()
        for attempt_id, chunk_id in unanswered:
            numbers, ordinals, states = connection.execute(
                "SELECT numbers, ordinals, states FROM chunk WHERE chunk_id = ?", (chunk_id,)
            ).fetchone()
            if ordinals is None:
                lost = unpack_states(states, numbers.count("\n") + 1).each(_lose)
            else:
                lost = _lose_stragglers(connection, orjson.loads(ordinals))
            connection.execute("UPDATE chunk SET states = ? WHERE chunk_id = ?", (pack_states(lost), chunk_id))
            chain.end_attempt(connection, attempt_id, now_s, "killed", "", 0)

    def _make_stragglers(self, connection: sqlite3.Connection) -> None:
        """Give every open number of a closed planned chunk a row of its own."""
        closed = connection.execute(
            "SELECT campaign, numbers, first_ordinal, states FROM chunk"
            " WHERE progress = 'settled' AND first_ordinal IS NOT NULL"
        )
        for campaign, numbers, first_ordinal, packed in closed:
            each = numbers.split("\n")
            states = unpack_states(packed, len(each))
            open_ones = [
                (first_ordinal + place, campaign, each[place], pack_state(states[place]))
                for place in states.where(lambda state: state.phase not in SETTLED)
            ]
            connection.executemany(
                "INSERT OR IGNORE INTO straggler (ordinal, campaign, number, state) VALUES (?, ?, ?, ?)", open_ones
            )

    def _make_due(self, connection: sqlite3.Connection, now_s: float) -> None:
        """Make every straggler that is not settled due now, some thousands at a time."""
        fastest, ordinal = fastest_of(connection), -1
        while rows := connection.execute(
            "SELECT ordinal, state FROM straggler WHERE ordinal > ? ORDER BY ordinal LIMIT ?", (ordinal, _PAGE_ROWS)
        ).fetchall():
            connection.executemany(
                "UPDATE straggler SET state = ?, due_at_s = ?, chunk_id = NULL WHERE ordinal = ?",
                [
                    (pack_state(taken_up(state, fastest)), now_s, ordinal)
                    for ordinal, state in ((ordinal, unpack_state(packed)) for ordinal, packed in rows)
                    if state.phase not in SETTLED
                ],
            )
            ordinal = rows[-1][0]


def _lose_stragglers(connection: sqlite3.Connection, ordinals: list[int]) -> Alike[NumberState]:
    packed = [
        connection.execute("SELECT state FROM straggler WHERE ordinal = ?", (ordinal,)).fetchone()[0]
        for ordinal in ordinals
    ]
    lost = [_lose(unpack_state(state)) for state in packed]
    connection.executemany(
        "UPDATE straggler SET state = ? WHERE ordinal = ?",
        [(pack_state(state), ordinal) for ordinal, state in zip(ordinals, lost, strict=True)],
    )
    return Alike.of(lost)


def _lose(state: NumberState) -> NumberState:
    return without_verdict(state, Event.LOST, _LOST)
