"""Prepares the ledger of a run for another session: lost requests are noted, and open numbers become due.

Everything that the session needs is in the ledger. The input may be gone or changed.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator

import orjson

from bulk_remove.core.lifecycle import SETTLED, Event, taken_up, without_verdict
from bulk_remove.core.model import NumberState
from bulk_remove.language import phrase
from bulk_remove.ledger.proof import altered, seal
from bulk_remove.ledger.read import Outcomes
from bulk_remove.ledger.store import (
    Store,
    pack_state,
    pack_states,
    unpack_state,
    unpack_states,
)
from bulk_remove.ledger.write import fastest_of

_PAGE_ROWS = 5000
_PLANNED = (
    "SELECT straggler.ordinal, straggler.number, numbers, ordinal - first_ordinal FROM straggler LEFT JOIN chunk"
    " ON chunk.campaign = straggler.campaign AND first_ordinal = (SELECT max(first_ordinal) FROM chunk planned"
    " WHERE planned.campaign = straggler.campaign AND planned.first_ordinal <= ordinal) ORDER BY ordinal"
)
_LOST = "The run was stopped hard before the reply came."


class Reopening:
    """Works on a ledger that nobody else is writing to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reopen(self, now_s: float) -> Counter[str]:
        """Make every number that is not settled due now. Returns the count of numbers by phase.

        Attempts without an end were under way when the process died, so their numbers are in doubt from now on. The
        time for numbers in a call begins again. `now_s` in Unix seconds. Raises StorageError.
        """
        with self._store.transaction() as connection:
            self._lose_unanswered(connection, now_s)
            connection.execute("UPDATE chunk SET progress = 'settled' WHERE first_ordinal IS NULL")
            self._make_stragglers(connection)
            self._make_due(connection, now_s)
            seal(connection)
        return Outcomes(self._store).phases()

    def waiting_numbers(self) -> Iterator[tuple[str, str]]:
        """Yield (campaign, number) of the waiting numbers, in the order in which they will be sent."""
        with self._store.reading() as connection:
            yield from connection.execute(
                "SELECT campaign, number FROM straggler WHERE due_at_s IS NOT NULL ORDER BY due_at_s, ordinal"
            )

    def check_stragglers(self, planned: Callable[[str], str]) -> None:
        """Raise AlteredLedgerError unless the `planned` form of each straggler is that of its number in the plan."""
        with self._store.reading() as connection:
            last, each = "", [""]
            for ordinal, number, numbers, place in connection.execute(_PLANNED):
                if numbers != last:
                    last, each = numbers, (numbers or "").split("\n")
                if numbers is None or place >= len(each) or planned(number) != planned(each[place]):
                    what = phrase("straggler {ordinal} is not a number of the plan", ordinal=ordinal)
                    raise altered(self._store.path, what)

    def _lose_unanswered(self, connection: sqlite3.Connection, now_s: float) -> None:
        unanswered = connection.execute(
            "SELECT attempt_id, chunk_id FROM attempt WHERE ended_at_s IS NULL ORDER BY attempt_id"
        ).fetchall()
        for attempt_id, chunk_id in unanswered:
            numbers, ordinals, states = connection.execute(
                "SELECT numbers, ordinals, states FROM chunk WHERE chunk_id = ?", (chunk_id,)
            ).fetchone()
            if ordinals is None:
                lost = unpack_states(states, numbers.count("\n") + 1).each(_lose)
                connection.execute("UPDATE chunk SET states = ? WHERE chunk_id = ?", (pack_states(lost), chunk_id))
            else:
                _lose_stragglers(connection, orjson.loads(ordinals))
            connection.execute(
                "UPDATE attempt SET ended_at_s = ?, result = 'killed' WHERE attempt_id = ?", (now_s, attempt_id)
            )

    def _make_stragglers(self, connection: sqlite3.Connection) -> None:
        """Insert a straggler for every open number of a closed planned chunk."""
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
        """Make every straggler that is not settled due now, in pages."""
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


def _lose_stragglers(connection: sqlite3.Connection, ordinals: list[int]) -> None:
    for ordinal in ordinals:
        (packed,) = connection.execute("SELECT state FROM straggler WHERE ordinal = ?", (ordinal,)).fetchone()
        lost = pack_state(_lose(unpack_state(packed)))
        connection.execute("UPDATE straggler SET state = ? WHERE ordinal = ?", (lost, ordinal))


def _lose(state: NumberState) -> NumberState:
    return without_verdict(state, Event.LOST, _LOST)
