"""What a look at a campaign's records saw of the planned numbers, in a temporary SQLite file."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from bulk_remove.disk import private
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE want (campaign TEXT, number TEXT, PRIMARY KEY (campaign, number)) WITHOUT ROWID;
CREATE TABLE seen (
    campaign TEXT, number TEXT, record_id TEXT, way TEXT, status TEXT, asked INTEGER,
    PRIMARY KEY (campaign, number, record_id)
) WITHOUT ROWID;
"""
_ONE_NUMBER = "FROM seen WHERE campaign = ? AND number = ?"


class Sighting(NamedTuple):
    """A record of a wanted number: how the number is written, the record's status, and whether the run asks for it."""

    number: str
    record_id: str
    way: str
    status: str
    asked: bool


class SightingTotals(NamedTuple):
    """Counts of one campaign: numbers wanted and seen, records by way and status, and those that no request finds."""

    numbers: int
    seen: int
    ways: Mapping[str, int]
    statuses: Mapping[str, int]
    not_asked: int


class Sightings:
    """The file, private to its owner. The context removes it. Every method raises StorageError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            with open(self._path, "xb", opener=private):
                pass
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._path.unlink(missing_ok=True)

    def want(self, numbers: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Note the numbers to look for, by campaign."""
        for campaign, block in numbers:
            self._write("INSERT OR IGNORE INTO want VALUES (?, ?)", [(campaign, number) for number in block])

    def is_wanted(self, campaign: str, number: str) -> bool:
        """Return whether a number is looked for."""
        rows = self._read("SELECT 1 FROM want WHERE campaign = ? AND number = ?", campaign, number)
        return bool(rows)

    def add(self, campaign: str, found: Iterable[Sighting]) -> None:
        """Keep what was seen. A record that was kept before is left out."""
        self._write("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?, ?)", [(campaign, *each) for each in found])

    def totals(self, campaign: str) -> SightingTotals:
        """Return the counts of a campaign."""
        ((numbers,),) = self._read("SELECT count(*) FROM want WHERE campaign = ?", campaign)
        ((seen, not_asked),) = self._read(
            "SELECT count(DISTINCT number), ifnull(sum(NOT asked), 0) FROM seen WHERE campaign = ?", campaign
        )
        ways = self._read("SELECT way, count(*) FROM seen WHERE campaign = ? GROUP BY way", campaign)
        statuses = self._read("SELECT status, count(*) FROM seen WHERE campaign = ? GROUP BY status", campaign)
        return SightingTotals(numbers, seen, dict(ways), dict(statuses), not_asked)

    def of(self, campaign: str, number: str) -> SightingTotals:
        """Return the counts of one number."""
        rows = self._read(f"SELECT way, status, asked {_ONE_NUMBER}", campaign, number)
        ways, statuses = (Counter(row[place] for row in rows) for place in (0, 1))
        return SightingTotals(1, bool(rows), ways, statuses, sum(not asked for _, _, asked in rows))

    def has(self, campaign: str, number: str, record_id: str) -> bool:
        """Return whether a record was kept."""
        rows = self._read(f"SELECT 1 {_ONE_NUMBER} AND record_id = ?", campaign, number, record_id)
        return bool(rows)

    def _read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from None

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> StorageError:
        return StorageError(
            phrase("{path} cannot be written: {problem}.", path=self._path, problem=error),
            "Make room there, or choose another folder with --state-dir.",
        )
