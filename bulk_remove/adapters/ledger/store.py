"""The SQLite file itself: made, opened, written in transactions; its failures told as StorageError.

WAL with `synchronous=FULL`: a committed transaction survives a power cut, and a reader never blocks the writer.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.resources import files
from pathlib import Path

from bulk_remove.adapters.ledger.packing import pack_settings
from bulk_remove.disk import private
from bulk_remove.errors import StorageError, UsageError
from bulk_remove.language import phrase

SCHEMA_VERSION = 8
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = FILE",  # what is set aside while reporting must not grow in memory
)


DAMAGE = (sqlite3.Error, ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError, UsageError)
"""What is raised by cells that are not what was written: they cannot be decoded, are of another type or out of range.

OSError is what the system says of a time that it does not know.
"""


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Tell what a damaged cell raises as StorageError. Enter it only to make values out of cells."""
    try:
        yield
    except DAMAGE:
        raise StorageError(
            phrase("The ledger {path} is damaged: a cell is not what was written.", path=path),
            "Put it back from a backup.",
        ) from None


class Store:
    """One open ledger. Used by one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what happens inside, or nothing of it. Raises StorageError when the disk or the file fails."""
        with self.reading():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to a reader; tell SQLite's failures as StorageError."""
        try:
            yield self.connection
        except sqlite3.IntegrityError:
            raise  # a broken CHECK is a bug of ours, not a failing disk
        except sqlite3.Error as error:
            raise StorageError(
                phrase("The ledger {path} failed: {problem}.", path=self.path, problem=error),
                "Make room there; if sending had begun, go on with: bulk-remove resume. What was committed is safe.",
            ) from None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything inside as of one moment, whoever writes meanwhile. Raises StorageError."""
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
        """Close the file; SQLite folds its write-ahead log back into it."""
        self.connection.close()


def schema() -> str:
    """Return the script that makes the tables of a ledger."""
    return files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")


def create(path: Path, run_id: str, tool_version: str, created_at_s: float, request: dict[str, object]) -> Store:
    """Make a new ledger, readable by its owner alone. `request` must hold no secret. Raises StorageError."""
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
            # Together with the run: a ledger that was killed while it was made has no version.
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
            connection.execute(
                "INSERT INTO run (one, run_id, tool_version, created_at_s, request) VALUES (1, ?, ?, ?, ?)",
                (run_id, tool_version, created_at_s, pack_settings(request)),
            )
        on_failure.pop_all()
    return store


def open_existing(path: Path) -> Store:
    """Open the ledger of an earlier run. Raises StorageError when it is missing, damaged or of another version.

    A damaged ledger is refused, never repaired by guessing: what it says is proof.
    """
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
        _check_readable(path, version, sound=sound)
        on_failure.pop_all()
    return Store(path, connection)


def _check_readable(path: Path, version: int, *, sound: bool) -> None:
    if not sound:
        raise StorageError(
            phrase("The ledger {path} is damaged; nothing was sent.", path=path),
            "Put it back from a backup, or run the input again: what is gone already will be NOT_EXIST.",
        )
    if version != SCHEMA_VERSION:
        raise StorageError(
            phrase(
                "The ledger {path} was written by another version of this tool (format {version}).",
                path=path,
                version=version,
            ),
            "Finish that run with the version that began it.",
        )


def was_approved(path: Path) -> bool:
    """Tell whether the plan of a run was ever approved; one that was not has sent nothing.

    A ledger that cannot be read counts as approved, so that nobody passes over it in silence.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT count(approved_by) FROM run").fetchone()[0])
    except sqlite3.OperationalError as error:
        return "no such table" not in str(error)  # killed while the ledger was being made
    except sqlite3.DatabaseError:
        return True
