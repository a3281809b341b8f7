"""Whether a ledger is as it was written: the plan, the chain of what happened, and the chunks that it covers.

What an attempt without an end says is in no chain yet: it is there only while a session is under way or was killed.
"""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from typing import NamedTuple

import orjson

from bulk_remove.adapters.ledger.chain import (
    ATTEMPT,
    CHUNK,
    AttemptRow,
    ChunkRow,
    WrittenFile,
    attempt_event,
    chunk_digest,
    first_link,
    genesis,
    linked,
    note_event,
    noted,
    report_event,
    session_event,
    session_row,
)
from bulk_remove.adapters.ledger.replaying import Replay
from bulk_remove.adapters.ledger.store import DAMAGE, Store, schema
from bulk_remove.errors import AlteredLedgerError
from bulk_remove.language import ours, phrase

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
