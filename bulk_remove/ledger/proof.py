"""The proof of a ledger: a chain of digests of its tables, from the approval of the plan to the end of each session.

Each entry in the table `proof` is JSON with a link: SHA-256 over the previous link and the JSON. There are two kinds of
entries. A seal has a digest of each table; the first seal also covers the plan, which never changes afterwards. The
other kind notes a report file with its SHA-256. The summary contains the last link as `ledger_head`.

A session is proved once it has ended, and a killed session once the run is resumed. Until then the last seal still
proves the plan, the earlier sessions and their requests, but not the states of the numbers. The proof has no secret:
someone who can change both the ledger and every copy of its head can forge both.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulk_remove.core.summary import Ending
from bulk_remove.errors import AlteredLedgerError
from bulk_remove.language import ours, phrase
from bulk_remove.ledger.store import DAMAGE, Store, schema

# A missing time becomes an empty text, because JSON writes both NULL and infinity as null.
_PLAN = {
    "run": "SELECT run_id, tool_version, created_at_s, request, plan, approved_by FROM run",
    "source": "SELECT source_no, properties FROM source ORDER BY source_no",
    "block": "SELECT block_no, source_no, numbers, campaigns, CAST(contents AS TEXT) FROM block ORDER BY block_no",
    "duplicate": "SELECT seq, first_seq FROM duplicate ORDER BY seq",
    "chunk": (
        "SELECT chunk_id, campaign, numbers, first_ordinal FROM chunk WHERE first_ordinal IS NOT NULL ORDER BY chunk_id"
    ),
}
_PAST = {
    "session": (
        "SELECT session_no, began_at_s, ifnull(ended_at_s, ''), ending, settings, first_attempt FROM session"
        " WHERE session_no <= ? ORDER BY session_no"
    ),
    "attempt": (
        "SELECT attempt_id, chunk_id, begun_at_s, ifnull(ended_at_s, ''), result, request_id, strangers, unasked"
        " FROM attempt WHERE attempt_id <= ? ORDER BY attempt_id"
    ),
}
_STANDING = {
    "canary": "SELECT * FROM canary",
    "record_count": "SELECT * FROM record_count ORDER BY campaign",
    "fastest": "SELECT * FROM fastest",
    "chunk": (
        "SELECT chunk_id, CAST(states AS TEXT), progress, ordinals, iif(ordinals IS NULL, NULL, campaign),"
        " iif(ordinals IS NULL, NULL, numbers) FROM chunk ORDER BY chunk_id"
    ),
    "straggler": (
        "SELECT ordinal, campaign, number, form, state, ifnull(due_at_s, ''), chunk_id FROM straggler ORDER BY ordinal"
    ),
}
_PAGE_ROWS = {"source": 1, "block": 1, "chunk": 32}
_MOST_PAGE_ROWS = 1000
_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


class WrittenFile(NamedTuple):
    """A report file as it was written."""

    path: Path
    sha256: str
    size_bytes: int


class Verified(NamedTuple):
    """What is proved of a ledger: the count of entries after the plan's, and the last link (hex).

    `later` counts the seals after the latest known head (all seals after the plan's, without one). `unended` counts
    attempts without an end. `unproved` is the number of the session that no seal covers yet, or 0. `cut_off` counts
    sessions that were killed, and proved only when the run was resumed.
    """

    links: int
    head: str
    later: int
    unended: int
    unproved: int
    cut_off: int


def seal(connection: sqlite3.Connection) -> None:
    """Add a seal of all tables to the proof. Does nothing before the plan is approved."""
    if connection.execute("SELECT approved_by FROM run").fetchone() == (None,):
        return
    ((sessions,),) = connection.execute("SELECT ifnull(max(session_no), 0) FROM session").fetchall()
    ((attempts,),) = connection.execute("SELECT ifnull(max(attempt_id), 0) FROM attempt").fetchall()
    ends = {"session": sessions, "attempt": attempts}
    past, standing = _digests(connection, _PAST, ends), _digests(connection, _STANDING)
    held: dict[str, object] = {"ends": ends, "past": past, "standing": standing}
    if connection.execute("SELECT count(*) FROM proof").fetchone() == (0,):
        held["plan"] = _digests(connection, _PLAN)
    _append(connection, held)


def add_file(connection: sqlite3.Connection, file: WrittenFile) -> None:
    """Add a written report file to the proof."""
    _append(connection, {"file": str(file.path), "sha256": file.sha256, "size_bytes": file.size_bytes})


def written_files(connection: sqlite3.Connection) -> list[WrittenFile]:
    """Return the report files that were written, in order."""
    entries = [json.loads(said) for (said,) in connection.execute("SELECT said FROM proof ORDER BY no")]
    return [
        WrittenFile(Path(entry["file"]), entry["sha256"], int(entry["size_bytes"]))
        for entry in entries
        if "file" in entry
    ]


def head(connection: sqlite3.Connection) -> str:
    """Return the last link (hex), or an empty text before the plan is approved."""
    found = connection.execute("SELECT link FROM proof ORDER BY no DESC LIMIT 1").fetchone()
    return found[0] if found else ""


def _append(connection: sqlite3.Connection, said: Mapping[str, object]) -> None:
    text = json.dumps(said)  # in ASCII: a file name may hold lone surrogates
    connection.execute("INSERT INTO proof (said, link) VALUES (?, ?)", (text, _link(head(connection), text)))


def _link(before: str, said: str) -> str:
    return sha256(f"{before}\n{said}".encode()).hexdigest()


def _digests(
    connection: sqlite3.Connection, queries: Mapping[str, str], ends: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Return the digest of each table. `ends` is the last row that counts."""
    digests = {}
    for table, query in queries.items():
        rows, digest = connection.execute(query, (ends[table],) if ends else ()), sha256()
        while page := rows.fetchmany(_PAGE_ROWS.get(table, _MOST_PAGE_ROWS)):
            digest.update(orjson.dumps(page))
        digests[table] = digest.hexdigest()
    return digests


class _Altered(Exception):  # noqa: N818 - it says what was altered
    """What was changed, as the end of a sentence."""


def verify(store: Store, known: Collection[str] = ()) -> Verified:
    """Check that an approved run's ledger is unchanged and contains the known heads. Raises AlteredLedgerError."""
    with store.reading() as connection:
        try:
            return _verified(connection, known)
        except _Altered as problem:
            what = ours(problem.args[0])
        except DAMAGE as problem:  # the message of any other error than SQLite's may hold a phone number
            kind = str(problem) if isinstance(problem, sqlite3.Error) else type(problem).__name__
            what = phrase("it cannot be read completely ({problem})", problem=kind)
    raise altered(store.path, what)


def altered(path: Path, what: str) -> AlteredLedgerError:
    """Return the error for a changed ledger. `what` ends the sentence."""
    return AlteredLedgerError(
        phrase("The ledger {path} is not as it was written: {what}.", path=path, what=what),
        "It proves nothing. Restore it from a backup.",
    )


def _verified(connection: sqlite3.Connection, known: Collection[str]) -> Verified:
    _check_file(connection)
    entries = _entries(connection)
    links = [link for _, link in entries]
    for each in known:
        if each not in links:
            raise _Altered(phrase("the noted head {head}... is not in its proof", head=each[:12]))
    seals = [(place, said) for place, (said, _) in enumerate(entries) if "ends" in said]
    if not seals or seals[0][0]:
        raise _Altered("its proof does not begin with the plan")
    _compare("plan", seals[0][1]["plan"], _digests(connection, _PLAN))
    last = seals[-1][1]
    unproved = _unproved(connection, last["ends"]["session"])
    ends = last["ends"] if unproved else dict.fromkeys(_PAST, 2**63 - 1)
    _compare("past", last["past"], _digests(connection, _PAST, ends))
    if not unproved:
        _compare("standing", last["standing"], _digests(connection, _STANDING))
    asked = max((place for place, link in enumerate(links) if link in known), default=0)
    ((unended,),) = connection.execute("SELECT count(*) FROM attempt WHERE ended_at_s IS NULL").fetchall()
    ((cut_off,),) = connection.execute(
        "SELECT count(*) FROM session WHERE (ended_at_s IS NULL OR ending = ?) AND session_no IS NOT ?",
        (Ending.KILLED.value, unproved),
    ).fetchall()
    later = sum(place > asked for place, _ in seals)
    return Verified(len(links) - 1, links[-1], later, unended, unproved, cut_off)


def _check_file(connection: sqlite3.Connection) -> None:
    (problem,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if problem != "ok":
        raise _Altered("the file is damaged")
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(schema())
        if connection.execute(_OBJECTS).fetchall() != new.execute(_OBJECTS).fetchall():
            raise _Altered("its tables do not have the structure of a ledger")


def _entries(connection: sqlite3.Connection) -> list[tuple[dict[str, Any], str]]:
    """Return each entry and its link. Raises _Altered if the chain is broken."""
    entries: list[tuple[dict[str, Any], str]] = []
    link = ""
    for number, (no, said, stored) in enumerate(connection.execute("SELECT no, said, link FROM proof ORDER BY no"), 1):
        if no != number:
            raise _Altered(phrase("entry {number} of its proof is missing", number=number))
        link = _link(link, said)
        if stored != link:
            raise _Altered(phrase("entry {number} of its proof does not follow from those before it", number=number))
        entries.append((json.loads(said), link))
    return entries


def _compare(part: str, proved: Mapping[str, str], found: Mapping[str, str]) -> None:
    for table, digest in found.items():
        if proved.get(table) != digest:
            raise _Altered(
                phrase("the table {table} was changed after the approval", table=table)
                if part == "plan"
                else phrase("the table {table} was changed after it was proved last", table=table)
            )


def _unproved(connection: sqlite3.Connection, proved: int) -> int:
    """Return the number of the session that began after the last seal, or 0."""
    later = connection.execute(
        "SELECT session_no, ended_at_s, ending FROM session WHERE session_no > ? ORDER BY session_no", (proved,)
    ).fetchall()
    if later not in ([], [(proved + 1, None, None)]):
        raise _Altered(phrase("session {session} is missing in its proof", session=proved + 1))
    return int(later[0][0]) if later else 0
