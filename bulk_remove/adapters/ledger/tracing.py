"""All that a ledger says of one number: the rows that held it, the requests that carried it, what is known of it.

Whole columns are searched by SQLite itself, so a run of millions is gone through in seconds and kept nowhere.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import orjson

from bulk_remove.adapters.ledger.outcomes import Standing
from bulk_remove.adapters.ledger.packing import unpack_block, unpack_source, unpack_state, unpack_states
from bulk_remove.adapters.ledger.store import Store
from bulk_remove.core.lifecycle import nowhere
from bulk_remove.core.model import NumberState

_HOLDS_UNSENT = "instr(char(10) || numbers || char(10), char(10) || char(10))"
_HOLDS = "instr(char(10) || numbers || char(10), char(10) || ? || char(10))"


class TracedRow(NamedTuple):
    """A row of the input that held the number; `problem` says why it was never sent for that row, where that is so."""

    file: str
    sheet: str
    row: int
    cell: str
    campaign: str
    problem: str = ""


class TracedRequest(NamedTuple):
    """A request that carried the number as `sent`, with `others` more; times in Unix seconds.

    `result` is 'verdicts' or the kind of the fault; it is empty, and `ended_at_s` None, while nobody knows the end.
    """

    campaign: str
    sent: str
    others: int
    begun_at_s: float
    ended_at_s: float | None
    result: str
    request_id: str


class TracedState(NamedTuple):
    """What is known of the number in one campaign, in the form that the report shows."""

    campaign: str
    number: str
    state: NumberState


class Trace(NamedTuple):
    """All of it; empty where the run has nothing to do with the number."""

    rows: tuple[TracedRow, ...]
    requests: tuple[TracedRequest, ...]
    states: tuple[TracedState, ...]


class _Carrier(NamedTuple):
    """A chunk that carries the number."""

    chunk_id: int
    campaign: str
    sent: str
    others: int
    ordinal: int
    planned: NumberState | None


def trace(store: Store, forms: Sequence[str], read: Callable[[Sequence[str]], Sequence[str]]) -> Trace:
    """Gather what a ledger says of a number; `forms` are those in which it may stand there, the planned one first.

    `read` returns the number that each of some cells means, for rows whose number was not to be sent. Raises
    StorageError.
    """
    with store.reading() as connection:
        carriers = [carrier for form in forms for carrier in _carriers(connection, form)]
        requests = sorted(
            (request for carrier in carriers for request in _requests(connection, carrier)),
            key=lambda request: request.begun_at_s,
        )
        return Trace(tuple(_rows(connection, forms[0], read)), tuple(requests), tuple(_states(connection, carriers)))


def _rows(
    connection: sqlite3.Connection, number: str, read: Callable[[Sequence[str]], Sequence[str]]
) -> Iterator[TracedRow]:
    blocks = connection.execute(
        "SELECT properties, numbers, campaigns, contents FROM block JOIN source USING (source_no)"  # noqa: S608 - a constant
        f" WHERE {_HOLDS} OR {_HOLDS_UNSENT} ORDER BY block_no",
        (number,),
    )
    for properties, *packed in blocks:
        block = unpack_block(unpack_source(properties), *packed)
        rows, unsent = block.rows, [*block.problems]
        meant = dict(zip(unsent, read([rows.cells[place] for place in unsent]), strict=True))
        for place, held in enumerate(block.numbers):
            if number in {held, meant.get(place)}:
                yield TracedRow(
                    rows.source.file,
                    rows.source.sheet,
                    rows.rows[place],
                    rows.cells[place],
                    block.campaigns[place],
                    block.problems.get(place, ""),
                )


def _carriers(connection: sqlite3.Connection, form: str) -> Iterator[_Carrier]:
    chunks = connection.execute(
        f"SELECT chunk_id, campaign, numbers, first_ordinal, ordinals, states FROM chunk WHERE {_HOLDS}",  # noqa: S608 - see above
        (form,),
    )
    for chunk_id, campaign, joined, first_ordinal, ordinals, states in chunks:
        numbers = joined.split("\n")
        place = numbers.index(form)
        planned = None if first_ordinal is None else unpack_states(states, len(numbers))[place]
        ordinal = orjson.loads(ordinals)[place] if first_ordinal is None else first_ordinal + place
        yield _Carrier(chunk_id, campaign, form, len(numbers) - 1, ordinal, planned)


def _requests(connection: sqlite3.Connection, carrier: _Carrier) -> Iterator[TracedRequest]:
    attempts = connection.execute(
        "SELECT begun_at_s, ended_at_s, ifnull(result, ''), request_id FROM attempt"
        " WHERE chunk_id = ? AND result IS NOT 'not sent' ORDER BY attempt_id",
        (carrier.chunk_id,),
    )
    for attempt in attempts:
        yield TracedRequest(carrier.campaign, carrier.sent, carrier.others, *attempt)


def _states(connection: sqlite3.Connection, carriers: Sequence[_Carrier]) -> Iterator[TracedState]:
    standing = Standing(connection)
    for carrier in carriers:
        if carrier.planned is None:
            continue
        newer = connection.execute(
            "SELECT number, state, chunk_id FROM straggler WHERE ordinal = ?", (carrier.ordinal,)
        ).fetchone()
        last, packed, chunk_id = newer or (carrier.sent, "", carrier.chunk_id)
        state = standing.of(unpack_state(packed) if newer else carrier.planned, chunk_id)
        yield TracedState(carrier.campaign, carrier.sent if nowhere(state) else last, state)
