"""The stragglers made anew from the chunks that carried them, and compared with those that the ledger has.

A straggler says again what the last chunk that carried it says, and in which form that chunk left it; or, when it was
made as the run was taken up again, what its planned chunk says. Taking a run up again also lets the time for calls
begin anew and settles what is in doubt, which no chunk says.
"""

import sqlite3
from typing import Any

import orjson

from bulk_remove.adapters.ledger.chain import ChunkRow
from bulk_remove.adapters.ledger.packing import pack_state, unpack_again, unpack_state, unpack_states
from bulk_remove.core.lifecycle import EVER_US, SETTLED, Phase, doubtful
from bulk_remove.core.model import NumberState
from bulk_remove.language import phrase

_COMPARED = (
    "SELECT straggler.ordinal, straggler.campaign, straggler.number, straggler.form, straggler.state, due_at_s,"
    " newest.campaign, newest.number, newest.form, newest.state FROM straggler LEFT JOIN temp.newest USING (ordinal)"
    " ORDER BY straggler.ordinal"
)


class Replay:
    """Takes each chunk that was asked for once, in the order of their last endings, as it now is."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._planned = _PlannedChunks(connection)
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS newest (ordinal INTEGER PRIMARY KEY, campaign, number, form, state)"
        )
        connection.execute("DELETE FROM temp.newest")

    def take(self, chunk: ChunkRow) -> None:
        """Note what a chunk left of the stragglers that it carried or made."""
        hows = unpack_again(chunk.again)
        each = chunk.numbers.split("\n")
        if chunk.ordinals is None:
            first = chunk.first_ordinal or 0
            ordinals, places = range(first, first + len(each)), [*hows]
        else:
            ordinals, places = orjson.loads(chunk.ordinals), [*range(len(each))]
        if not places or chunk.states is None:  # it was never sent: nothing changed
            return
        states = unpack_states(chunk.states, len(each))
        # One that a resumed run made has the planned form, and so has one that a planned chunk left as it was.
        self._connection.executemany(
            "INSERT INTO temp.newest VALUES (?, ?, ?, 0, ?) ON CONFLICT DO UPDATE SET state = excluded.state",
            ((ordinals[place], chunk.campaign, each[place], pack_state(states[place])) for place in places),
        )
        self._connection.executemany(
            "UPDATE temp.newest SET number = ?, form = ? WHERE ordinal = ?",
            ((number, form, ordinals[place]) for place, (_, number, form) in hows.items() if number is not None),
        )

    def difference(self) -> str:
        """Return what is wrong with the first straggler that is not as it must be, empty when all are."""
        lost = self._connection.execute(
            "SELECT ordinal FROM temp.newest WHERE ordinal NOT IN (SELECT ordinal FROM straggler) LIMIT 1"
        ).fetchone()
        if lost:
            return phrase("straggler {ordinal} is missing", ordinal=lost[0])
        for ordinal, campaign, number, form, state, due_at_s, *left in self._connection.execute(_COMPARED):
            wanted = left if left[0] is not None else self._planned.left_of(campaign, ordinal)
            if wanted is None or [campaign, number, form] != wanted[:3]:
                return phrase("straggler {ordinal} is not the number that its chunk left open", ordinal=ordinal)
            known = _read(state)
            if known is None or (state != wanted[3] and known not in _anew(unpack_state(wanted[3]))):
                return phrase(
                    "straggler {ordinal} does not say what the last chunk that carried it says", ordinal=ordinal
                )
            if known.phase in SETTLED and due_at_s is not None:
                return phrase("straggler {ordinal} is settled, and yet is to be asked for again", ordinal=ordinal)
        return ""


class _PlannedChunks:
    """What planned chunks left of their numbers. Asked in the order of the ordinals, it reads each chunk once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._campaign = ""
        self._first = 0
        self._numbers: list[str] = []
        self._states: Any = ()

    def left_of(self, campaign: str, ordinal: int) -> list[Any] | None:
        """Return campaign, number, form and state; None where no closed planned chunk left that number open."""
        if campaign != self._campaign or not self._first <= ordinal < self._first + len(self._numbers):
            self._read(campaign, ordinal)
        place = ordinal - self._first
        if place >= len(self._numbers) or self._states[place].phase in SETTLED:
            return None
        return [campaign, self._numbers[place], 0, pack_state(self._states[place])]

    def _read(self, campaign: str, ordinal: int) -> None:
        numbers, self._first, progress, packed = self._connection.execute(
            "SELECT numbers, first_ordinal, progress, states FROM chunk WHERE campaign = ? AND first_ordinal <= ?"
            " AND first_ordinal IS NOT NULL ORDER BY first_ordinal DESC LIMIT 1",
            (campaign, ordinal),
        ).fetchone() or ("", ordinal, "", None)
        self._campaign = campaign
        self._numbers = numbers.split("\n") if progress == "settled" else []
        self._states = unpack_states(packed, len(self._numbers))


def _read(packed: str) -> NumberState | None:
    try:
        return unpack_state(packed)
    except (ValueError, TypeError):
        return None


def _anew(state: NumberState) -> tuple[NumberState, NumberState]:
    """Return how a later session may have taken a number up: as it was, or in doubt by what was seen until then."""
    undoubted = state._replace(busy_since_s=0.0)
    return undoubted, undoubted._replace(phase=doubtful(Phase(state.phase)), doubt_us=EVER_US)
