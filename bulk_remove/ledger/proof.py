"""The chain: whatever happens is linked to all that happened before, so that a later edit of a ledger is noticed.

It begins with the plan as it was approved. Each link is SHA-256 over the link before it and over one event: the ending
of an attempt (with its chunk as it left it: the numbers as sent, and what is known of them now), the beginning or the
ending of a session, a note of the canary, the counted records and the fastest reply, a file of a report that was
written. So no event can be changed, left out, added or moved without all later links being made anew, and then the head
differs from the one in the summary. Nothing is secret here: who can write both can forge both.

The stragglers made anew from the chunks that carried them, and compared with those that the ledger has.

A straggler says again what the last chunk that carried it says, and in which form that chunk left it; or, when it was
made as the run was taken up again, what its planned chunk says. Taking a run up again also lets the time for calls
begin anew and settles what is in doubt, which no chunk says.

Whether a ledger is as it was written: the plan, the chain of what happened, and the chunks that it covers.

What an attempt without an end says is in no chain yet: it is there only while a session is under way or was killed.
"""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from bulk_remove.core.lifecycle import EVER_US, SETTLED, Phase, doubtful
from bulk_remove.core.model import NumberState
from bulk_remove.errors import AlteredLedgerError
from bulk_remove.language import ours, phrase
from bulk_remove.ledger.store import DAMAGE, Store, pack_state, schema, unpack_again, unpack_state, unpack_states

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
        begun_at_s, chunk = self._told_of(attempt_id) or _read_again(connection, attempt_id)
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


def _read_again(connection: sqlite3.Connection, attempt_id: int) -> tuple[float, ChunkRow]:
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


_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
_EVENTS = (
    "SELECT ended_no AS no, 'attempt', attempt_id FROM attempt WHERE ended_no IS NOT NULL"
    " UNION ALL SELECT began_no, 'began', session_no FROM session WHERE began_no IS NOT NULL"
    " UNION ALL SELECT ended_no, 'ended', session_no FROM session WHERE ended_no IS NOT NULL"
    " UNION ALL SELECT no, 'note', no FROM note UNION ALL SELECT no, 'report', report_no FROM report ORDER BY no"
)
_UNLINKED = (
    ("SELECT session_no FROM session WHERE began_no IS NULL", "session {key} is not in its chain"),
    (
        "SELECT session_no FROM session WHERE ended_no IS NULL AND (ended_at_s IS NOT NULL OR ending IS NOT NULL)",
        "the end of session {key} is not in its chain",
    ),
    (
        "SELECT attempt_id FROM attempt WHERE ended_no IS NULL AND (ended_at_s IS NOT NULL OR result IS NOT NULL)",
        "the end of attempt {key} is not in its chain",
    ),
    (
        "SELECT attempt_id FROM attempt JOIN chunk USING (chunk_id) WHERE ended_no IS NULL AND progress = 'settled'",
        "attempt {key} has no end, though its chunk is closed",
    ),
)
_NOTHING_NOTED = '{"canary":[],"record_count":[],"fastest":[]}'


class Verified(NamedTuple):
    """What a sound ledger's chain covers: how many links, its head (hex), and how many attempts have no end yet.

    `later` is how many links came after the latest head that was asked about; all of them, if none was. Those of
    reports do not count: they come after their own summary.
    """

    links: int
    head: str
    unended: int
    later: int


def verify(store: Store, known: Collection[str] = ()) -> Verified:
    """Check that an approved run's ledger is as it was written; `known` are heads (hex) that its chain must hold.

    Raises AlteredLedgerError with the first thing that is not so, StorageError when the file cannot be read.
    """
    with store.reading() as connection:
        try:
            return _verified(connection, known)
        except (_Altered, *DAMAGE) as problem:
            what = (
                ours(problem.args[0])
                if isinstance(problem, _Altered)
                else phrase("it cannot be read whole ({problem})", problem=_kind(problem))
            )
            raise AlteredLedgerError(
                phrase("The ledger {path} is not as it was written: {what}.", path=store.path, what=what),
                "Do not take it as proof of anything; put it back from a backup.",
            ) from None


def _kind(problem: Exception) -> str:
    """Return what is known of a failure: SQLite's words, else its kind alone, for its words may hold a number."""
    return str(problem) if isinstance(problem, sqlite3.Error) else type(problem).__name__


class _Altered(Exception):  # noqa: N818 - it says what was altered
    """What was changed, in words that end a sentence."""


def _verified(connection: sqlite3.Connection, known: Collection[str]) -> Verified:
    _check_pages(connection)
    _check_plan(connection)
    for table in ("attempt", "chunk", "session", "report"):
        _check_numbering(connection, table)
    links, head, places = _walked(connection, known)
    for each in known:
        if each not in places:
            raise _Altered(phrase("the head {head}... that was noted of it is nowhere in its chain", head=each[:12]))
    _check_unlinked(connection)
    unended = _unended(connection)
    _check_chunks(connection)
    asked = max(places.values(), default=0)
    (reports,) = connection.execute("SELECT count(*) FROM report WHERE no > ?", (asked,)).fetchone()
    return Verified(links, head.hex(), unended, links - asked - reports)


def _check_pages(connection: sqlite3.Connection) -> None:
    (problem,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if problem != "ok":
        raise _Altered("the file is damaged")
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(schema())
        if connection.execute(_OBJECTS).fetchall() != new.execute(_OBJECTS).fetchall():
            raise _Altered("its tables are not made as a ledger's are")


def _check_plan(connection: sqlite3.Connection) -> None:
    (written,) = connection.execute("SELECT ifnull(genesis, '{}') FROM run").fetchone()
    found = genesis(connection)
    if written == orjson.dumps(found).decode():
        return
    try:
        told = dict(orjson.loads(written))
    except (ValueError, TypeError):
        told = {}
    table = next((table for table, digest in found.items() if told.get(table) != digest), "run")
    raise _Altered(phrase("the table {table} does not hold what was approved", table=table))


def _check_numbering(connection: sqlite3.Connection, table: str) -> None:
    """No row of these tables is ever deleted, and each gets the next number."""
    key = f"{table}_no" if table in {"session", "report"} else f"{table}_id"
    for expected, (found,) in enumerate(connection.execute(f"SELECT {key} FROM {table} ORDER BY {key}"), start=1):  # noqa: S608 - names from above
        if found != expected:
            raise _Altered(phrase("{table} {expected} is missing", table=table, expected=expected))


def _walked(connection: sqlite3.Connection, known: Collection[str]) -> tuple[int, bytes, dict[str, int]]:
    """Follow the chain; returns its length, its head, and the places of those links that are asked about."""
    (written,) = connection.execute("SELECT ifnull(genesis, '') FROM run").fetchone()
    link, links = first_link(written), 0
    places = {link.hex(): 0} if link.hex() in known else {}
    for no, kind, key in connection.execute(_EVENTS):
        links += 1
        if no != links:
            raise _Altered(
                phrase("link {links} of its chain is missing", links=links)
                if no > links
                else phrase("its chain has two links {no}", no=no)
            )
        event, stored, what = _event(connection, kind, key)
        link = linked(link, event)
        if stored != link:
            raise _Altered(phrase("{what} (link {no}) does not follow from what was before", what=what, no=no))
        if link.hex() in known:
            places[link.hex()] = links
    return links, link, places


def _event(connection: sqlite3.Connection, kind: str, key: int) -> tuple[bytes, bytes | None, str]:
    """Return what is linked, its link as stored, and what it is called."""
    if kind == "attempt":
        return *_attempt(connection, key), phrase("attempt {key}", key=key)
    if kind == "report":
        *file, link = connection.execute(
            "SELECT path, sha256, size_bytes, link FROM report WHERE report_no = ?", (key,)
        ).fetchone()
        return report_event(WrittenFile(*file)), link, phrase("file {key} of the report", key=key)
    if kind == "note":
        text, link = connection.execute("SELECT text, link FROM note WHERE no = ?", (key,)).fetchone()
        return note_event(text), link, phrase("a note of the canary and the counted records")
    return *_session(connection, kind, key), phrase("session {key} where it {kind}", key=key, kind=kind)


def _attempt(connection: sqlite3.Connection, attempt_id: int) -> tuple[bytes, bytes | None]:
    *attempt, link = connection.execute(
        f"SELECT {ATTEMPT}, link FROM attempt WHERE attempt_id = ?",  # noqa: S608 - a constant
        (attempt_id,),
    ).fetchone()
    return attempt_event(AttemptRow(*attempt)), link


def _session(connection: sqlite3.Connection, moment: str, session_no: int) -> tuple[bytes, bytes | None]:
    (link,) = connection.execute(
        f"SELECT {moment}_link FROM session WHERE session_no = ?",  # noqa: S608 - 'began' or 'ended'
        (session_no,),
    ).fetchone()
    return session_event(moment, session_row(connection, session_no)), link


def _check_unlinked(connection: sqlite3.Connection) -> None:
    """Check that nothing says more than the links cover."""
    for query, words in _UNLINKED:
        if found := connection.execute(query).fetchone():
            raise _Altered(phrase(words, key=found[0]))
    last = connection.execute("SELECT text FROM note ORDER BY no DESC LIMIT 1").fetchone()
    if noted(connection) != (last[0] if last else _NOTHING_NOTED):
        raise _Altered("the canary or the counted records are not what was noted last")


def _unended(connection: sqlite3.Connection) -> int:
    """Count the attempts without an end; there are none once the session has one."""
    count, one = connection.execute("SELECT count(*), min(attempt_id) FROM attempt WHERE ended_no IS NULL").fetchone()
    last = connection.execute("SELECT ended_no FROM session ORDER BY session_no DESC LIMIT 1").fetchone()
    if count and (last is None or last[0] is not None):
        raise _Altered(phrase("attempt {one} has no end, though the session has one", one=one))
    return int(count)


def _check_chunks(connection: sqlite3.Connection) -> None:
    replay = Replay(connection)
    last_endings = connection.execute(
        "SELECT chunk_id, max(ended_no) AS last_no, attempt_id, chunk_digest FROM attempt WHERE ended_no IS NOT NULL"
        " GROUP BY chunk_id ORDER BY last_no"
    )
    for chunk_id, _, attempt_id, digest in last_endings:
        chunk = _chunk(connection, chunk_id)
        if chunk is None or chunk_digest(chunk) != digest:
            raise _Altered(
                phrase(
                    "chunk {chunk_id} is not as its last attempt ({attempt_id}) left it",
                    chunk_id=chunk_id,
                    attempt_id=attempt_id,
                )
            )
        replay.take(chunk)
    # Of a packed chunk this is in no link: a run that is taken up again closes it.
    unknown = connection.execute("SELECT chunk_id FROM chunk WHERE progress NOT IN ('open', 'settled')").fetchone()
    if unknown:
        raise _Altered(phrase("chunk {chunk} is neither open nor settled", chunk=unknown[0]))
    unasked = connection.execute(
        "SELECT chunk_id FROM chunk WHERE ordinals IS NOT NULL AND (states IS NOT NULL OR again IS NOT NULL)"
        " AND chunk_id NOT IN (SELECT chunk_id FROM attempt WHERE ended_no IS NOT NULL) LIMIT 1"
    ).fetchone()
    if unasked:
        raise _Altered(phrase("chunk {chunk} has states, but no attempt that ended", chunk=unasked[0]))
    if found := replay.difference():
        raise _Altered(found)


def _chunk(connection: sqlite3.Connection, chunk_id: int) -> ChunkRow | None:
    found = connection.execute(
        f"SELECT {CHUNK} FROM chunk WHERE chunk_id = ?",  # noqa: S608 - a constant
        (chunk_id,),
    ).fetchone()
    return ChunkRow(*found) if found else None
