"""The chain: whatever happens is linked to all that happened before, so that a later edit of a ledger is noticed.

It begins with the plan as it was approved. Each link is SHA-256 over the link before it and over one event: the ending
of an attempt (with its chunk as it left it: the numbers as sent, and what is known of them now), the beginning or the
ending of a session. So no event can be changed, left out, added or moved without all later links being made anew, and
then the head differs from the one in the summary. Nothing is secret here: who can write both can forge both.
"""

import sqlite3
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

_AS_APPROVED = {
    "run": "SELECT run_id, tool_version, created_at_s, request, plan, approved_by FROM run",
    "source": "SELECT source_no, properties FROM source ORDER BY source_no",
    "block": "SELECT block_no, source_no, numbers, campaigns, contents FROM block ORDER BY block_no",
    "duplicate": "SELECT seq, first_seq FROM duplicate ORDER BY seq",
    # What sending changed later is covered by the link of the attempt that did it; before, the chunk was open.
    "chunk": (
        "SELECT chunk.chunk_id, campaign, numbers, first_ordinal, iif(asked.chunk_id IS NULL, states, NULL),"
        " iif(asked.chunk_id IS NULL, again, NULL), iif(asked.chunk_id IS NULL, progress, 'open') FROM chunk LEFT JOIN"
        " (SELECT DISTINCT chunk_id FROM attempt WHERE ended_no IS NOT NULL) asked USING (chunk_id)"
        " WHERE first_ordinal IS NOT NULL ORDER BY chunk.chunk_id"
    ),
}
_ROWS_AT_ONCE = 1000  # many rows are small: a duplicate is two integers
_HEAD = (
    "SELECT no, link FROM (SELECT ended_no AS no, link FROM attempt UNION ALL SELECT began_no, began_link FROM session"
    " UNION ALL SELECT ended_no, ended_link FROM session) WHERE no IS NOT NULL ORDER BY no DESC LIMIT 1"
)
NOT_SESSION = frozenset({"began_no", "began_link", "ended_no", "ended_link"})
"""The columns of a session that are its links, and no part of what they say."""


class ChunkRow(NamedTuple):
    """A chunk as it stands in its table."""

    chunk_id: int
    campaign: str
    numbers: str
    first_ordinal: int | None
    ordinals: str | None
    states: bytes | None
    again: str | None
    progress: str


class AttemptRow(NamedTuple):
    """An attempt that ended as it stands in its table, without its link; None where a column was emptied."""

    attempt_id: int
    chunk_id: int
    begun_at_s: float
    ended_at_s: float | None
    result: str | None
    request_id: str
    strangers: int
    chunk_digest: bytes | None


CHUNK = ", ".join(ChunkRow._fields)
ATTEMPT = ", ".join(AttemptRow._fields)


class Head(NamedTuple):
    """The last link of a chain and its place: 0 while nothing has happened."""

    no: int
    link: bytes


class Chain:
    """Links what happens. It remembers the head from one transaction to the next, so it must see all of them.

    After a transaction that failed it must not be used any more.
    """

    def __init__(self) -> None:
        self._head: Head | None = None

    def append(self, connection: sqlite3.Connection, event: bytes) -> Head:
        """Return the link of an event that happens now."""
        before = self._head or head(connection)
        self._head = Head(before.no + 1, linked(before.link, event))
        return self._head

    def end_attempt(
        self,
        connection: sqlite3.Connection,
        attempt_id: int,
        ended_at_s: float,
        result: str,
        request_id: str,
        strangers: int,
    ) -> None:
        """Write how an attempt ended; its chunk must say by now what followed from it."""
        begun_at_s, *columns = connection.execute(
            f"SELECT begun_at_s, {CHUNK} FROM attempt JOIN chunk USING (chunk_id) WHERE attempt_id = ?",  # noqa: S608 - a constant
            (attempt_id,),
        ).fetchone()
        chunk = ChunkRow(*columns)
        digest = chunk_digest(chunk)
        ended = float(ended_at_s), result, request_id, strangers
        attempt = AttemptRow(attempt_id, chunk.chunk_id, begun_at_s, *ended, digest)
        no, link = self.append(connection, attempt_event(attempt))
        connection.execute(
            "UPDATE attempt SET ended_at_s = ?, result = ?, request_id = ?, strangers = ?, ended_no = ?,"
            " chunk_digest = ?, link = ? WHERE attempt_id = ?",
            (ended_at_s, result, request_id, strangers, no, digest, link, attempt_id),
        )

    def link_session(self, connection: sqlite3.Connection, session_no: int, moment: str) -> None:
        """Link a session as its row now is; `moment` is 'began' or 'ended'."""
        no, link = self.append(connection, session_event(moment, session_row(connection, session_no)))
        connection.execute(
            f"UPDATE session SET {moment}_no = ?, {moment}_link = ? WHERE session_no = ?",  # noqa: S608 - see above
            (no, link, session_no),
        )


def head(connection: sqlite3.Connection) -> Head:
    """Return the head of a ledger's chain."""
    found = connection.execute(_HEAD).fetchone()
    if found:
        return Head(*found)
    (genesis,) = connection.execute("SELECT ifnull(genesis, '') FROM run").fetchone()
    return Head(0, first_link(genesis))


def first_link(genesis: str) -> bytes:
    """Return what the chain begins with."""
    return sha256(genesis.encode()).digest()


def linked(before: bytes, event: bytes) -> bytes:
    """Return the link of an event that comes after another link."""
    return sha256(before + event).digest()


def genesis(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the SHA-256 (hex) of each table of the plan as it was approved, also long after that."""
    return {table: _digest(connection.execute(query)) for table, query in _AS_APPROVED.items()}


def _digest(rows: sqlite3.Cursor) -> str:
    digest = sha256()
    while page := rows.fetchmany(_ROWS_AT_ONCE if len(rows.description) == 2 else 1):  # noqa: PLR2004 - a duplicate
        long = [cell for row in page for cell in row if isinstance(cell, bytes)]
        digest.update(orjson.dumps([[_short(cell) for cell in row] for row in page] if long else page))
        for cell in long:
            digest.update(cell)
    return digest.hexdigest()


def _short(cell: Any) -> Any:
    """Stand in for what follows as it is: its length tells where it ends."""
    return {"bytes": len(cell)} if isinstance(cell, bytes) else cell


def chunk_digest(chunk: ChunkRow) -> bytes:
    """Return the SHA-256 of a chunk; the progress of one packed later is left out, since a resumed run closes it."""
    sent, known = chunk.numbers.encode(), chunk.states or b""
    lengths = len(sent), None if chunk.states is None else len(known)
    progress = chunk.progress if chunk.ordinals is None else ""
    rest = chunk.chunk_id, chunk.campaign, chunk.first_ordinal, chunk.ordinals, chunk.again, progress
    return sha256(b"".join((orjson.dumps((*rest, *lengths)), sent, known))).digest()


def attempt_event(attempt: AttemptRow) -> bytes:
    """Return what is linked of an attempt that ended."""
    *told, digest = attempt
    return orjson.dumps(("attempt", *told, (digest or b"").hex()))


def session_row(connection: sqlite3.Connection, session_no: int) -> dict[str, Any]:
    """Return a session by column, without its links."""
    cursor = connection.execute("SELECT * FROM session WHERE session_no = ?", (session_no,))
    names = [column[0] for column in cursor.description]
    return {name: cell for name, cell in zip(names, cursor.fetchone(), strict=True) if name not in NOT_SESSION}


def session_event(moment: str, session: dict[str, Any]) -> bytes:
    """Return what is linked of a session when it 'began' or 'ended'."""
    ended = moment == "ended"
    told = {name: cell for name, cell in session.items() if ended or name not in {"ended_at_s", "ending"}}
    return orjson.dumps((f"session {moment}", told))
