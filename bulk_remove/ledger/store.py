"""Creates and opens the SQLite file, runs transactions, and packs values into cells. SQLite errors become StorageError.

WAL with `synchronous=FULL`: a committed transaction survives a power cut, and a reader never blocks the writer.

A cell holds many values as JSON columns. Each kind of state in a chunk is stored once (core/model.py): most chunks are
settled by one reply, so they have one or two kinds, and one record id per number.

A lone surrogate (from a file name that is not UTF-8, or from a program) cannot be encoded. It becomes a question mark.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import orjson

from bulk_remove.core.lifecycle import NEW
from bulk_remove.core.model import Alike, NumberedBlock, NumberState, RecordId, RowBlock, Source
from bulk_remove.disk import private
from bulk_remove.errors import StorageError, UsageError
from bulk_remove.language import phrase

T = TypeVar("T")


def checked(value: T) -> T:
    """Return a value that was made from JSON. Raises TypeError if a text, a count or a flag has another type."""
    made: Any = type(value)  # mypy thinks that the class cannot be hashed
    for name, kind in _hints(made).items():
        if kind in {str, int, bool} and type(getattr(value, name)) is not kind:
            raise TypeError(name)
    return value


_hints = cache(get_type_hints)


def pack_states(states: Alike[NumberState]) -> bytes:
    """Pack the states of a chunk's numbers."""
    which = None if len(states.kinds) == 1 else states.which
    return _dumps([[tuple(kind) for kind in states.kinds], which, states.ids])


def unpack_states(packed: bytes | None, size: int) -> Alike[NumberState]:
    """Return the states that `pack_states` packed. None means `size` numbers that were never sent."""
    if packed is None:
        return Alike((NEW,), [0] * size)
    kinds, which, ids = orjson.loads(packed)
    return Alike(
        tuple(_state(*kind) for kind in kinds),
        [0] * size if which is None else which,
        [tuple(found) if type(found) is list else found for found in ids] if ids and list in {*map(type, ids)} else ids,
    )


def as_json(value: object) -> str:
    """Return a value as JSON text."""
    return _dumps(value).decode()


def pack_state(state: NumberState) -> str:
    """Pack the state of one number."""
    return as_json(tuple(state))


def unpack_state(packed: str) -> NumberState:
    """Return what `pack_state` packed."""
    return _state(*orjson.loads(packed))


def _state(phase: str, removed: int, record_ids: Iterable[RecordId], *rest: Any) -> NumberState:
    return NumberState(phase, removed, tuple(record_ids), *rest)


def unpack_source(packed: str) -> Source:
    """Return a source that was packed as a dict. Raises the errors in `DAMAGE`, such as TypeError for another type."""
    properties = orjson.loads(packed)
    lists = {name: tuple(properties[name]) for name in ("header", "notes", "beside") if name in properties}
    return checked(Source(**{**properties, **lists}))


def pack_block(block: NumberedBlock) -> tuple[str, str, bytes]:
    """Pack a block into (numbers, campaigns, the rest). Equal values are stored once."""
    rows, numbers, campaigns = block.rows, list(block.numbers), block.campaigns
    cells = list(rows.cells)
    rest = [
        list(rows.rows),
        None if cells == numbers else cells,
        {str(index): problem for index, problem in block.problems.items()},
        list(rows.others),
    ]
    shared = len(set(campaigns)) == 1
    return "\n".join(numbers), campaigns[0] if shared else "\n".join(campaigns), _dumps(rest)


def unpack_numbers(numbers: str, campaigns: str) -> tuple[list[str], list[str]]:
    """Return the numbers of a packed block, and the campaign of each."""
    each = numbers.split("\n")
    return each, campaigns.split("\n") if "\n" in campaigns else [campaigns] * len(each)


def unpack_block(source: Source, numbers: str, campaigns: str, contents: bytes) -> NumberedBlock:
    """Return what `pack_block` packed. The original cells with campaigns are not kept."""
    each, campaign_of = unpack_numbers(numbers, campaigns)
    rows, cells, problems, others = orjson.loads(contents)
    block = RowBlock(source, rows, each if cells is None else cells, [tuple(cells) for cells in others])
    return NumberedBlock(block, each, campaign_of, {int(index): problem for index, problem in problems.items()})


def _dumps(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # for a lone surrogate
        return json.dumps(value, ensure_ascii=False).encode(errors="replace")


SCHEMA_VERSION = 10
_READ = {9, SCHEMA_VERSION}
"""The formats that this version can use. In 9 the settings of a run have fewer names; the tables are the same."""
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = FILE",  # temporary tables of a report must not grow in memory
)


DAMAGE = (sqlite3.Error, ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError, UsageError)
"""Errors from damaged cells: they cannot be decoded, have another type or are out of range.

OSError comes from the system for an impossible time.
"""


class UnmadeError(StorageError):
    """A ledger without tables: its run was killed before it made them."""


@contextmanager
def damage_as_error(path: Path) -> Iterator[None]:
    """Turn the errors in `DAMAGE` into StorageError. Use it only around code that reads values from cells."""
    try:
        yield
    except DAMAGE:
        raise StorageError(
            phrase("The ledger {path} is damaged: a cell has an impossible value.", path=path),
            "Restore it from a backup.",
        ) from None


Statement = tuple[str, list[list[Any]]]
"""SQL that writes, and the values of each execution."""
_WRITES = ("INSERT", "UPDATE", "DELETE")
_STATEMENT_BYTES = 1 << 18
_ALLOWED = {
    *(sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_SELECT),
    *(sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_TRANSACTION),
}


class _Recorder:
    """Passes statements to SQLite and keeps those that write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.statements: list[Statement] = []

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        values = [*values]
        if sql.startswith(_WRITES):
            self.statements.append((sql, [values]))
        return self._connection.execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Iterable[Any]]) -> sqlite3.Cursor:
        values = [[*row] for row in rows]
        self.statements.append((sql, values))
        return self._connection.executemany(sql, values)


class Store:
    """An open ledger. Only one thread may use it at a time.

    `ship` gets what a transaction wrote and is entered while that is committed, so that other hosts know it first.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.ship: Callable[[list[Statement]], AbstractContextManager[None]] | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit all changes inside, or none after an error. Raises StorageError if the disk or the file fails."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                if self.ship is None:
                    yield connection
                    connection.execute("COMMIT")
                else:
                    recorder = _Recorder(connection)
                    yield cast("sqlite3.Connection", recorder)
                    with self.ship(recorder.statements):
                        connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for reading. Turns SQLite's errors into StorageError."""
        try:
            yield self.connection
        except sqlite3.IntegrityError:
            raise  # a broken CHECK is a bug of ours, not a failing disk
        except sqlite3.Error as error:
            raise StorageError(
                phrase("The ledger {path} failed: {problem}.", path=self.path, problem=error),
                "Free some space there. If the run was sending, continue it with: bulk-remove resume. "
                "The ledger has lost nothing.",
            ) from None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Give everything inside the same view of the data, even if a run is writing. Raises StorageError."""
        with self.reading():
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self.connection.execute("ROLLBACK")

    def approved(self) -> bool:
        """Return whether the run's plan has been approved."""
        with self.reading() as connection:
            return bool(connection.execute("SELECT approved_by IS NOT NULL FROM run").fetchone()[0])

    def close(self) -> None:
        """Close the file. SQLite merges its write-ahead log into it."""
        self.connection.close()


def statements_of(store: Store) -> Iterator[Statement]:
    """Yield statements that make the contents of a ledger. Raises StorageError."""
    with store.snapshot():
        for (table,) in store.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows: list[list[Any]] = []
            size, sql = 0, ""
            for row in store.connection.execute(f"SELECT * FROM {table} ORDER BY rowid"):  # noqa: S608 - from the schema
                rows.append([*row])
                size += 8 * len(row) + sum(len(value) for value in row if isinstance(value, str | bytes))
                sql = sql or f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})"  # noqa: S608
                if size > _STATEMENT_BYTES:
                    yield sql, rows
                    rows, size = [], 0
            if rows:
                yield sql, rows


@contextmanager
def replaying(store: Store) -> Iterator[Callable[[str, list[list[Any]]], object]]:
    """Give a function that executes statements on a ledger, all or none, and on no other file. Raises StorageError."""
    with store.transaction() as connection:
        connection.set_authorizer(lambda what, *_: sqlite3.SQLITE_OK if what in _ALLOWED else sqlite3.SQLITE_DENY)
        try:
            yield connection.executemany
        finally:
            connection.set_authorizer(None)


def schema() -> str:
    """Return the script that makes the tables of a ledger."""
    return files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")


def create(path: Path, run_id: str, tool_version: str, created_at_s: float, request: dict[str, object]) -> Store:
    """Make a new ledger that only its owner can read. `request` must not contain a secret. Raises StorageError."""
    try:
        os.close(private(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            phrase("The ledger {path} cannot be made: {problem}.", path=path, problem=error),
            "Choose another folder with --state-dir.",
        ) from None
    store = Store(path, connection)
    with ExitStack() as on_failure:
        on_failure.callback(store.close)
        with store.reading():
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            connection.executescript(schema())
        with store.transaction():
            # In one transaction with the run, so that a half-made ledger has no version.
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
            connection.execute(
                "INSERT INTO run (one, run_id, tool_version, created_at_s, request) VALUES (1, ?, ?, ?, ?)",
                (run_id, tool_version, created_at_s, as_json(request)),
            )
        on_failure.pop_all()
    return store


def open_existing(path: Path) -> Store:
    """Open a ledger for writing. Raises StorageError, also for a damaged ledger: nothing is repaired by guessing."""
    if not path.is_file():
        raise StorageError(phrase("There is no ledger {path}.", path=path), "Check the run's id and --state-dir.")
    with ExitStack() as on_failure:
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            on_failure.callback(connection.close)
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.OperationalError as error:
            raise StorageError(
                phrase("The ledger {path} cannot be opened for writing: {problem}.", path=path, problem=error),
                "Check permissions and free space.",
            ) from None
        except sqlite3.DatabaseError:
            sound, version = False, SCHEMA_VERSION
        if not sound:
            raise StorageError(
                phrase("The ledger {path} is damaged; nothing was sent.", path=path),
                "Restore it from a backup, or run the input again: numbers that are gone already will be NOT_EXIST.",
            )
        check_format(path, connection, version)
        on_failure.pop_all()
    return Store(path, connection)


def check_format(path: Path, connection: sqlite3.Connection, version: int) -> None:
    """Raise StorageError for a ledger of another format, UnmadeError for one whose run was killed while making it."""
    if version in _READ:
        return
    kind = StorageError
    try:
        rows = connection.execute("SELECT tool_version FROM run").fetchall()
        tool_version = rows[0][0] if rows else "?"
        kind = kind if rows or version else UnmadeError
    except sqlite3.Error as error:
        tool_version = "?"
        kind = UnmadeError if "no such table" in str(error) else kind
    raise kind(
        phrase(
            "The ledger {path} was written by bulk-remove {tool_version} in format {version}; this one reads {own}.",
            path=path,
            tool_version=tool_version,
            version=version,
            own=SCHEMA_VERSION,
        ),
        "Use the version that began that run to finish it or to look at it.",
    )
