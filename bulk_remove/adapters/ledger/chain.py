"""The chain: whatever happens is linked to all that happened before, so that a later edit of a ledger is noticed.

It begins with the plan as it was approved. Each link is SHA-256 over the link before it and over one event: the ending
of an attempt (with its chunk as it left it: the numbers as sent, and what is known of them now), the beginning or the
ending of a session, a note of the canary, the counted records and the fastest reply, a file of a report that was
written. So no event can be changed, left out, added or moved without all later links being made anew, and then the head
differs from the one in the summary. Nothing is secret here: who can write both can forge both.
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
    " UNION ALL SELECT ended_no, ended_link FROM session UNION ALL SELECT no, link FROM note"
    " UNION ALL SELECT no, link FROM report)"
    " WHERE no IS NOT NULL ORDER BY no DESC LIMIT 1"
)
_NOTED = {
    "canary": "SELECT first_ordinal, last_ordinal, planned, passed FROM canary",
    "record_count": "SELECT campaign, before, after, note FROM record_count ORDER BY campaign",
    "fastest": "SELECT us, replies, each_ns FROM fastest",
}
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
    unasked: str | None
    chunk_digest: bytes | None


CHUNK = ", ".join(ChunkRow._fields)
ATTEMPT = ", ".join(AttemptRow._fields)


class WrittenFile(NamedTuple):
    """A file of a report as it was written: its place (as JSON, which takes any), its SHA-256 (hex) and its size."""

    path: str
    sha256: str
    size_bytes: int


class Head(NamedTuple):
    """The last link of a chain and its place: 0 while nothing has happened."""

    no: int
    link: bytes


class Chain:
    """Links what happens. It remembers the head from one transaction to the next, so it must see all of them.

    After a transaction that failed it must not be used any more. What it was told of an attempt and of its chunk it
    need not read again: to read would cost a statement more for each request.
    """

    def __init__(self) -> None:
        self._head: Head | None = None
        self._begun: dict[int, tuple[int, float]] = {}
        self._left: ChunkRow | None = None

    def began(self, attempt_id: int, chunk_id: int, begun_at_s: float) -> None:
        """Take note of an attempt that was written."""
        self._begun[attempt_id] = chunk_id, float(begun_at_s)

    def left(self, chunk: ChunkRow) -> None:
        """Take note of a chunk as it was written."""
        self._left = chunk

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
        unasked: str | None = None,
    ) -> None:
        """Write how an attempt ended; its chunk must say by now what followed from it."""
        begun_at_s, chunk = self._told_of(attempt_id) or _read(connection, attempt_id)
        digest = chunk_digest(chunk)
        ended = float(ended_at_s), result, request_id, strangers, unasked
        attempt = AttemptRow(attempt_id, chunk.chunk_id, begun_at_s, *ended, digest)
        no, link = self.append(connection, attempt_event(attempt))
        connection.execute(
            "UPDATE attempt SET ended_at_s = ?, result = ?, request_id = ?, strangers = ?, unasked = ?,"
            " ended_no = ?, chunk_digest = ?, link = ? WHERE attempt_id = ?",
            (ended_at_s, result, request_id, strangers, unasked, no, digest, link, attempt_id),
        )

    def _told_of(self, attempt_id: int) -> tuple[float, ChunkRow] | None:
        chunk, self._left = self._left, None
        chunk_id, begun_at_s = self._begun.pop(attempt_id, (0, 0.0))
        return (begun_at_s, chunk) if chunk is not None and chunk.chunk_id == chunk_id else None

    def note(self, connection: sqlite3.Connection) -> None:
        """Link the canary, the counted records and the fastest reply as they now are."""
        text = noted(connection)
        no, link = self.append(connection, note_event(text))
        connection.execute("INSERT INTO note VALUES (?, ?, ?)", (no, text, link))

    def wrote(self, connection: sqlite3.Connection, file: WrittenFile) -> None:
        """Note a file of a report that was written."""
        no, link = self.append(connection, report_event(file))
        connection.execute(
            "INSERT INTO report (path, sha256, size_bytes, no, link) VALUES (?, ?, ?, ?, ?)", (*file, no, link)
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


def begin(connection: sqlite3.Connection) -> None:
    """Begin the chain of a run that was just approved."""
    connection.execute("UPDATE run SET genesis = ?", (orjson.dumps(genesis(connection)).decode(),))


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


def _read(connection: sqlite3.Connection, attempt_id: int) -> tuple[float, ChunkRow]:
    begun_at_s, *chunk = connection.execute(
        f"SELECT begun_at_s, {CHUNK} FROM attempt JOIN chunk USING (chunk_id) WHERE attempt_id = ?",  # noqa: S608 - a constant
        (attempt_id,),
    ).fetchone()
    return begun_at_s, ChunkRow(*chunk)


def noted(connection: sqlite3.Connection) -> str:
    """Return the canary, the counted records and the fastest reply as they now are, as JSON."""
    tables = {table: connection.execute(query).fetchall() for table, query in _NOTED.items()}
    return orjson.dumps(tables).decode()


def note_event(text: str) -> bytes:
    """Return what is linked of a note."""
    return orjson.dumps(("note", text))


def report_event(file: WrittenFile) -> bytes:
    """Return what is linked of a file of a report."""
    return orjson.dumps(("report", *file))


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
