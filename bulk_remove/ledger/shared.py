"""State that several hosts share, on PostgreSQL: leases, the log of each ledger, one limit for each account.

A run's ledger stays SQLite. What a transaction writes is added to the run's log in the database before it is committed
here, and only while this host still holds all its leases: a host that was taken over can write no intent, so it cannot
send. Another host makes the same ledger from the log.

A lease ends by the database's clock unless it is renewed. This host counts from before it asked, by a clock that runs
on while the process is stopped, so it never relies on a lease that the database has given up.

Numbers are only in the compressed pieces of the log, and reach the database only as parameters.
"""

import os
import re
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from threading import Event, Lock, RLock, Thread
from typing import Any, Self, TypeVar

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus

from bulk_remove.core.pace import SECOND_US
from bulk_remove.errors import BulkRemoveError, CampaignLockedError, StorageError, UnavailableError, UsageError
from bulk_remove.language import phrase
from bulk_remove.ledger.store import SCHEMA_VERSION, Statement, Store, create, open_existing, replaying, statements_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

T = TypeVar("T")
Database = psycopg.Connection[Any]
VERSION = 1
_ANSWER_S = 5.0
"""After this time without an answer the database is asked again over a new connection."""
_PROBE_FIRST_S, _PROBE_MOST_S = 0.1, 5.0
_PAGE = 64
_GOOD_US = 25_000
"""A granted departure is used within this time or given back."""
_SLACK_S = 0.06
"""A window is this much longer: a grant may be used late, and requests arrive less evenly than they left."""
_ASK_AGAIN_US, _AWAY_US = 2_000, 50_000
_RENEW = "SELECT bulk_remove.renew(%s)"
_SHIP = b"""
WITH held AS (
    UPDATE bulk_remove.lease SET until = clock_timestamp() + make_interval(secs => $6)
    FROM jsonb_each_text($1) AS mine WHERE name = mine.key AND token = mine.value::bigint RETURNING 1
)
INSERT INTO bulk_remove.log AS earlier SELECT $3, $4, $5 WHERE (SELECT count(*) FROM held) = $2
ON CONFLICT (run, seq) DO UPDATE SET body = earlier.body WHERE earlier.body = excluded.body RETURNING seq
"""
"""Adds a piece to a run's log if all leases are held, and renews them. Repeating it changes nothing."""
_DEPART = b"SELECT array_to_string(granted, ' '), wait_s FROM bulk_remove.depart($1, $2, $3, $4, $5, $6)"
_COMPRESSOR = zstd.ZstdCompressor(level=1)
_RUN_ID = re.compile("[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")


def _now_us() -> int:
    """Return a time that goes on while the process is stopped and, if the system has such a clock, asleep."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)) // 1000


def connection_string(url: str) -> str:
    """Return psycopg's connection string: with TLS and a checked certificate off this machine, unless the URL differs.

    Raises UsageError.
    """
    try:
        given = conninfo_to_dict(url) if url.startswith(("postgresql://", "postgres://")) else {}
    except psycopg.ProgrammingError:  # it may quote the password
        given = {}
    if not given:
        raise UsageError("--state is not the address of a database.", "Write it as postgresql://USER@HOST/DATABASE.")
    named = [given.get(name) or os.environ.get(f"PG{name.upper()}", "") for name in ("host", "hostaddr", "service")]
    hosts = ",".join(map(str, named)).split(",")  # a service may lead anywhere
    if not all(host in {"", "localhost", "127.0.0.1", "::1"} or host.startswith(("/", "@")) for host in hosts):
        given = {"sslmode": os.environ.get("PGSSLMODE", "verify-full"), **given}
        if given["sslmode"] == "verify-full" and "PGSSLROOTCERT" not in os.environ:
            given = {"sslrootcert": "system", **given}
    return make_conninfo("", **{"application_name": "bulk-remove", "connect_timeout": "5", **given})


class _AwayError(Exception):
    """The database did not answer. It may have carried out the request or not."""


class _Impatient(psycopg.Connection[Any]):
    """Limits the wait for an answer: a link may be cut without a FIN."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, timeout or _ANSWER_S)


class _Link:
    """A connection that opens when needed and closes when it fails."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = RLock()
        self._open: Database | None = None
        self._prepared: dict[bytes, bytes] = {}

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        def work(database: Database) -> list[Any]:
            cursor = database.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

        return self.do(work)

    def ask_often(self, sql: bytes, *values: bytes, binary: Sequence[int] | None = None) -> list[bytes | None]:
        """Return the first row as text, or nothing. It costs a third of `ask`, for statements of each request."""

        def work(database: Database) -> list[bytes | None]:
            connection = database.pgconn
            if sql not in self._prepared:
                name = b"often%d" % len(self._prepared)
                connection.send_prepare(name, sql)
                self._checked(database)
                self._prepared[sql] = name
            connection.send_query_prepared(self._prepared[sql], values, binary)
            result = self._checked(database)
            return [result.get_value(0, place) for place in range(result.nfields)] if result.ntuples else []

        return self.do(work)

    def _checked(self, database: Database) -> Any:
        result = database.wait(execute(database.pgconn))[-1]
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            raise error_from_result(result)
        return result

    def do(self, work: Callable[[Database], T]) -> T:
        """Return the result of work with the connection. Raises _AwayError, StorageError."""
        with self._lock:
            try:
                self._open = self._open or _Impatient.connect(self._address, autocommit=True)
                return work(self._open)
            except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction) as error:
                self.close()
                raise _AwayError(str(error).partition("\n")[0]) from None
            except psycopg.Error as error:  # what follows its first line may quote a row
                raise StorageError(
                    phrase("The database of --state refused: {problem}.", problem=str(error).partition("\n")[0]),
                    "Check what its user may do there.",
                ) from None

    def close(self) -> None:
        with self._lock, suppress(psycopg.Error):
            if self._open is not None:
                self._open.close()
            self._open = None
            self._prepared.clear()


class Shared:
    """The state that this process shares with others through one database. Raises UsageError, UnavailableError.

    `held` has its leases with their tokens, `busy` the names that others held when `runs` was called, `lengths` the
    pieces of the log that each open ledger has. A database that is away is waited for `patience_s`, or until `hurry` is
    set.
    """

    def __init__(self, url: str) -> None:
        self._address = connection_string(url)
        self._link, self._beats = _Link(self._address), _Link(self._address)
        self._lock = Lock()
        self._valid_until_us = 0
        self._lost = False
        self._idle = Event()
        self._holder = f"{socket.gethostname()}, process {os.getpid()}"
        self.held: dict[str, int] = {}
        self.busy: frozenset[str] = frozenset()
        self.lengths: dict[str, int] = {}
        self.hurry = Event()
        self.patience_s = 0.0
        self._patiently(partial(self._link.do, _make))
        self.patience_s = 2 * _ANSWER_S
        version, database, self._lease_s = self._ask("SELECT version, database, lease_s FROM bulk_remove.setting")[0]
        self.database = str(database)
        if version != VERSION:
            raise UsageError(
                phrase(
                    "The shared state has format {version}; this version reads {own}.", version=version, own=VERSION
                ),
                "Use the same version on all hosts.",
            )

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
        self._beats.close()

    def _ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._patiently(lambda: self._link.ask(sql, values))

    def _patiently(self, work: Callable[[], T]) -> T:
        """Try until the database answers. Raises UnavailableError."""
        until_s, pause_s = time.monotonic() + self.patience_s, _PROBE_FIRST_S
        while True:
            try:
                return work()
            except _AwayError as error:
                if time.monotonic() >= until_s or self.hurry.is_set():
                    raise UnavailableError(
                        phrase("The database of --state does not answer: {problem}.", problem=str(error)),
                        "Check the database, then continue with: bulk-remove resume. The ledger has lost nothing.",
                    ) from None
            self.hurry.wait(pause_s)
            pause_s = min(2 * pause_s, _PROBE_MOST_S)

    @contextmanager
    def lease(self, names: Sequence[str], taken: Callable[[str], BulkRemoveError]) -> Iterator[None]:
        """Hold these names over all hosts. Raises what `taken` returns for a holder that renews its lease.

        A silent holder is waited for until its lease ends.
        """
        seen: dict[str, Any] = {}
        while busy := self._take(names):
            for name, _, until, holder in busy:
                if seen.setdefault(name, until) != until:
                    raise taken(holder)
            time.sleep(_PROBE_FIRST_S)
        try:
            yield
        finally:
            self._release(names)

    def _take(self, names: Sequence[str]) -> list[Any]:
        """Take the leases, or return those that others hold."""
        began_us = 0

        def take() -> list[Any]:
            nonlocal began_us
            began_us = _now_us()
            return self._link.ask("SELECT * FROM bulk_remove.take(%s, %s)", ([*names], self._holder))

        rows = self._patiently(take)
        if busy := [row for row in rows if row[1] is None]:
            return busy
        with self._lock:
            first, self.held = not self.held, self.held | {name: token for name, token, *_ in rows}
            if first:
                self._lost = False
                self.hurry.clear()
                self._valid_until_us = began_us + round(self._lease_s * SECOND_US)
                self._idle = Event()
                Thread(target=self._beat, args=(self._idle,), name="lease", daemon=True).start()
        return []

    def _release(self, names: Sequence[str]) -> None:
        with self._lock:
            mine = orjson.dumps({name: self.held.pop(name) for name in names}).decode()
            if not self.held:
                self._idle.set()
        with suppress(_AwayError):  # else it ends by itself
            self._link.ask("SELECT bulk_remove.release(%s)", (mine,))

    def _beat(self, idle: Event) -> None:
        """Renew the leases until none is held."""
        with closing(self._beats):
            while not idle.wait(self._lease_s / 3):
                with suppress(_AwayError, StorageError):  # the next piece to ship says so
                    self._renewing(lambda held: self._beats.ask(_RENEW, (held,)) == [(True,)])

    def _renewing(self, work: Callable[[str], bool]) -> bool:
        """Do work that renews the leases. Returns False if one of them is lost."""
        held = None
        while held != self.held:  # one was taken or given back meanwhile
            with self._lock:
                held = {**self.held}
            began_us = _now_us()
            if work(orjson.dumps(held).decode()):
                self._valid_until_us = max(self._valid_until_us, began_us + round(self._lease_s * SECOND_US))
                return True
        self._lost = True
        return False

    def may_send(self) -> bool:
        """Return whether this host certainly holds its leases. Raises CampaignLockedError if it lost one."""
        if self._lost:
            raise _taken_over()
        return not self.held or _now_us() < self._valid_until_us

    def runs(self) -> dict[str, tuple[int, list[str]]]:
        """Return the length of each run's log, 0 if another version wrote it, and the run's marks."""
        names = self._ask("SELECT name FROM bulk_remove.lease WHERE until >= clock_timestamp()")
        self.busy = frozenset(name for (name,) in names) - {*self.held}
        length = "SELECT max(seq) FROM bulk_remove.log WHERE run = id AND format = %s"
        rows = self._ask(f"SELECT id, coalesce(({length}), 0), marks FROM bulk_remove.run", (SCHEMA_VERSION,))  # noqa: S608
        return {run: (length, marks) for run, length, marks in rows if _RUN_ID.fullmatch(run)}  # it names a folder

    def share(self, store: Store, run: str, length: int) -> None:
        """Add what a ledger commits from now on to the run's log, and what it has already if there is no log.

        The ledger has the first `length` pieces of the log. Raises CampaignLockedError, UnavailableError.
        """
        self.lengths[run] = length or self._patiently(lambda: self._link.do(partial(self._upload, store, run)))
        store.ship = partial(self._shipped, run)

    @contextmanager
    def _shipped(self, run: str, statements: list[Statement]) -> Iterator[None]:
        """Ship statements that are then committed. If the commit fails, the next piece is refused: the log is ahead."""
        if statements:
            self.ship(run, self.lengths[run] + 1, statements)
        yield
        self.lengths[run] += bool(statements)

    def ship(self, run: str, seq: int, statements: list[Statement]) -> None:
        """Add a piece to a run's log. Raises CampaignLockedError, UnavailableError."""
        values = run.encode(), b"%d" % seq, _pack(statements), b"%r" % self._lease_s

        def ship(held: str) -> bool:
            count = b"%d" % len(orjson.loads(held))
            return bool(self._link.ask_often(_SHIP, held.encode(), count, *values, binary=(0, 0, 0, 0, 1, 0)))

        if not self.held or not self._patiently(lambda: self._renewing(ship)):
            raise _taken_over()

    def _upload(self, store: Store, run: str, database: Database) -> int:
        length, at = 0, "SELECT max(seq) FROM bulk_remove.log WHERE run = %s"
        new = "INSERT INTO bulk_remove.run VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING 1"
        with database.transaction(), database.cursor() as cursor:
            if not cursor.execute(new, (run, SCHEMA_VERSION)).fetchall():  # it is there, but the answer was lost
                return int(cursor.execute(at, (run,)).fetchall()[0][0])
            with cursor.copy(b"COPY bulk_remove.log FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["text", "int8", "bytea"])
                for length, statement in enumerate(statements_of(store), start=1):
                    copy.write_row((run, length, _pack([statement])))
            if not self._renewing(lambda held: cursor.execute(_RENEW.encode(), (held,)).fetchall() == [(True,)]):
                raise _taken_over()
        return length

    def bring(self, run: str, path: Path, length: int) -> int:
        """Bring the ledger at this path up to date with the run's log. It has the first `length` pieces already.

        Returns the length of the log. Raises StorageError, UnavailableError.
        """
        ((written_in,),) = self._ask("SELECT format FROM bulk_remove.run WHERE id = %s", (run,))
        if written_in != SCHEMA_VERSION:
            raise StorageError(
                phrase("Run {run} was written by another version of bulk-remove.", run=run),
                "Use the same version on all hosts.",
            )
        if length:
            with closing(open_existing(path)) as store:
                return self._replay(run, store, length)
        aside = path.with_name(f".{path.name}.part")
        for old in (
            aside,
            *(path.with_name(f"{each.name}{end}") for each in (aside, path) for end in ("-wal", "-shm")),
        ):
            old.unlink(missing_ok=True)
        with closing(create(aside, run, "", 0.0, {})) as store:
            length = self._replay(run, store, 0)
        aside.replace(path)
        return length

    def _replay(self, run: str, store: Store, length: int) -> int:
        page = "SELECT seq, body FROM bulk_remove.log WHERE run = %s AND seq > %s ORDER BY seq LIMIT %s"
        with replaying(store) as replay:
            while rows := self._ask(page, (run, length, _PAGE)):
                for seq, piece in rows:
                    if seq != length + 1:
                        raise StorageError(
                            phrase("The shared log of run {run} has a gap.", run=run),
                            "Restore the database from a backup.",
                        )
                    length = seq
                    for statement in _unpack(piece):
                        replay(*statement)
        return length

    def mark(self, run: str, as_what: str) -> None:
        """Mark a run for all hosts."""
        self._ask("UPDATE bulk_remove.run SET marks = marks || %s::text WHERE id = %s", (as_what, run))

    def delete(self, run: str) -> None:
        """Delete a run for all hosts."""
        self._ask("DELETE FROM bulk_remove.run WHERE id = %s", (run,))

    def learned(self, host: str) -> str:
        """Return what was learned about a server, or an empty text."""
        return "".join(text for (text,) in self._ask("SELECT learned FROM bulk_remove.host WHERE name = %s", (host,)))

    def keep_learned(self, host: str, learned: str) -> None:
        """Store what was learned about a server."""
        sql = "INSERT INTO bulk_remove.host VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET learned = %s"
        self._ask(sql, (host, learned, learned))

    def account(self, host: str, user: str, ceiling: float) -> "SharedAccount":
        """Return this process's part in the limit of an account, to be entered."""
        key = sha256(f"{host}\n{user}".encode()).hexdigest()
        return SharedAccount(self, _Link(self._address), key, ceiling, self._holder)


def _taken_over() -> CampaignLockedError:
    return CampaignLockedError(
        "Another host has taken over this run or its campaign, so this host sends nothing more.",
        "Look at the run with: bulk-remove runs list",
    )


def _make(database: Database) -> None:
    """Make the tables if they do not exist."""
    there = b"SELECT to_regclass('bulk_remove.setting') IS NOT NULL"
    if database.execute(there).fetchall() == [(True,)]:
        return
    with database.transaction():
        database.execute(b"SELECT pg_advisory_xact_lock(17, 17)")  # another host may be about to do so
        if database.execute(there).fetchall() == [(False,)]:
            database.execute(files(__package__).joinpath("shared.sql").read_bytes())


def _pack(statements: list[Statement]) -> bytes:
    packed = orjson.dumps(statements, default=lambda value: {"": value.decode("latin-1")})
    return bytes(_COMPRESSOR.compress(packed, zstd.ZstdCompressor.FLUSH_FRAME))


def _unpack(piece: bytes) -> Iterator[Statement]:
    for sql, rows in orjson.loads(zstd.decompress(piece)):
        yield sql, [[value[""].encode("latin-1") if type(value) is dict else value for value in row] for row in rows]


class SharedAccount:
    """One process's part in the limit of an account over all hosts: departures that the database grants.

    A thread asks for them, so that nothing else waits for the database. Without an answer nothing departs.
    """

    def __init__(self, shared: Shared, link: _Link, key: str, ceiling: float, holder: str) -> None:
        self._shared = shared
        self._link = link
        self._most = max(1, int(ceiling * _GOOD_US / SECOND_US))
        self._terms = key.encode(), holder.encode(), b"%r" % ceiling, b"%d" % self._most, b"%r" % _SLACK_S
        self._lock = Lock()
        self._grants: deque[tuple[bytes, int]] = deque()
        self._unused: list[bytes] = []
        self._not_before_us, self._pause_us = 0, _ASK_AGAIN_US
        self._wanted = Event()
        self._over = False
        self._thread = Thread(target=self._serve, name="departures", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._wanted.set()
        self._thread.join()
        self._link.close()

    def depart(self, _: int) -> int:
        """Return 0 if a request may be sent now, else the microseconds to wait.

        Raises CampaignLockedError if another host has taken over.
        """
        may_send, now_us = self._shared.may_send(), _now_us()
        with self._lock:
            while self._grants and self._grants[0][1] < now_us:
                self._unused.append(self._grants.popleft()[0])
            if self._grants and may_send:
                self._grants.popleft()
                if 0 < 2 * len(self._grants) <= self._most:
                    self._wanted.set()
                return 0
            if self._not_before_us > now_us:
                return self._not_before_us - now_us
        self._wanted.set()
        return self._pause_us

    def _serve(self) -> None:
        while self._wanted.wait() and not self._over:
            self._wanted.clear()
            with self._lock:
                unused, self._unused = b"{%s}" % b",".join(self._unused), []
            began_us = _now_us()
            try:
                granted, wait_s = self._link.ask_often(_DEPART, *self._terms, unused)
            except (_AwayError, StorageError):  # the next piece to ship says so
                self._pause_us = _AWAY_US
                continue
            with self._lock:
                self._pause_us = _ASK_AGAIN_US
                self._grants += [(one, began_us + _GOOD_US) for one in (granted or b"").split()]
                self._not_before_us = _now_us() + round(float(wait_s or 0) * SECOND_US)
