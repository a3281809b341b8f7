"""The ceiling that all runs of one account on this machine keep to together: a small database that all of them share.

It holds when the latest requests left, whichever run they were of, so that the rule of core/pacing.py counts them all:
the sum is never above the ceiling, not even while a run joins. Nothing is reserved: a run that is killed leaves no
debt, for departures older than the window do not count. Where the runs have different ceilings, the lowest of those
that asked lately counts for all; else the others would leave it nothing.

Times are those of the event loop, which is the machine's monotonic clock and one for all processes.
"""

import logging
import os
import sqlite3
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Self

from bulk_remove.disk import private

log = logging.getLogger("bulk_remove.account")

_SECOND_US = 1_000_000
_PRESENT_US = 10 * _SECOND_US
"""A run that has not asked for so long is not there any more, or does not send."""
_NOTED_EVERY_US = _SECOND_US // 2
"""How often a run says that it is there: to say so with each request would double what the request costs here."""
_LOCKED_US = 2_000
"""How long to wait while another run is in its turn, which takes a twentieth of that."""
_PRIMARY = 0xFF
"""The bits of SQLite's error codes that tell the kind."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, ceiling REAL NOT NULL, asked_at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS departure (at_us INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS departure_at ON departure (at_us);
"""
_ASK = (
    "INSERT INTO run VALUES (?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET ceiling = excluded.ceiling, asked_at_us = excluded.asked_at_us"
)


class Account:
    """One run's part in the ceiling of its account. `ceiling` is in requests a second, `run` names the run.

    The file need not outlive the machine, but no process: so it is written in transactions, and never synced. Leaving
    the context closes it.
    """

    def __init__(self, path: Path, ceiling: float, run: str) -> None:
        self._path = path
        self._ceiling = ceiling
        self._run = run
        self._connection: sqlite3.Connection | None = None
        self._usable = True
        self._noted_us = -_NOTED_EVERY_US

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def depart(self, now_us: int) -> int:
        """Ask to go now. Returns 0 when a request may go, which is noted for all, else how many microseconds to wait.

        Where the file cannot be used the run keeps to its own ceiling alone, and the log says so.
        """
        if not self._usable:
            return 0
        try:
            self._connection = self._connection or self._opened()
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                return self._depart(self._connection, now_us)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY:
                return _LOCKED_US
            self._give_up(str(error))
        except sqlite3.DatabaseError as error:
            self._give_up(str(error))
        except OSError as error:
            self._give_up(str(error.strerror))
        return 0

    def _give_up(self, reason: str) -> None:
        log.warning("the ceiling cannot be shared with other runs through %s: %s", self._path, reason)
        self._usable = False

    def _opened(self) -> sqlite3.Connection:
        os.close(private(str(self._path), os.O_RDWR | os.O_CREAT))  # SQLite itself would let others read it
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _depart(self, connection: sqlite3.Connection, now_us: int) -> int:
        if now_us - self._noted_us >= _NOTED_EVERY_US:
            self._note(connection, now_us)
        ceiling = self._lowest(connection)
        window_us = _window_us(ceiling)
        recent_us = max(window_us, _PRESENT_US)
        # After the machine was started anew its clock is behind what was noted before.
        oldest = connection.execute(
            "SELECT at_us FROM departure WHERE at_us BETWEEN ? AND ? ORDER BY at_us DESC LIMIT 1 OFFSET ?",
            (now_us - recent_us, now_us + recent_us, ceil(ceiling) - 1),
        ).fetchone()
        wait_us: int = max(0, oldest[0] + window_us - now_us) if oldest else 0
        if not wait_us:
            connection.execute("INSERT INTO departure VALUES (?)", (now_us,))
        return wait_us

    def _lowest(self, connection: sqlite3.Connection) -> float:
        """Return the ceiling that counts for all."""
        lowest: float = connection.execute("SELECT ifnull(min(ceiling), ?) FROM run", (self._ceiling,)).fetchone()[0]
        return lowest

    def _note(self, connection: sqlite3.Connection, now_us: int) -> None:
        """Tell the others that this run is here, and forget who is not and what left too long ago to count."""
        present = now_us - _PRESENT_US, now_us + _PRESENT_US
        connection.execute("DELETE FROM run WHERE asked_at_us NOT BETWEEN ? AND ?", present)
        connection.execute(_ASK, (self._run, self._ceiling, now_us))
        recent_us = max(_window_us(self._lowest(connection)), _PRESENT_US)
        recent = now_us - recent_us, now_us + recent_us
        connection.execute("DELETE FROM departure WHERE at_us NOT BETWEEN ? AND ?", recent)
        self._noted_us = now_us


def _window_us(ceiling: float) -> int:
    """Return the time in which as many requests may leave as there are whole ones in the ceiling."""
    return ceil(ceil(ceiling) * _SECOND_US / ceiling)
