"""What is kept beside a ledger for a while: keys of rows, the numbers that earlier runs removed, and records seen.

`RowKeys` finds rows whose number is also in an earlier row. `Removals` finds numbers that an earlier run removed: if
one is in the campaign again, somebody adds it again. A ledger holds numbers and states by chunk, so SQLite cannot join
two of them; each is read chunk by chunk. `Sightings` has what a look at a campaign's records saw of the planned
numbers.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import NumberState, Status
from bulk_remove.disk import private
from bulk_remove.errors import StorageError, UnavailableError
from bulk_remove.language import phrase
from bulk_remove.ledger.read import CampaignStates, opened_for_reading

if TYPE_CHECKING:
    from bulk_remove.ledger.distinct import Buckets, ExactNumbers, Keys

_FEW_ROWS = 5_000
"""So many rows are compared in memory, in less time than it takes to import numpy for more of them."""


class RowKeys(ExitStack):
    """Finds rows that repeat an earlier one. Many rows wait in a temporary file, which the context removes.

    Raises StorageError.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._rows = 0
        self._first: dict[tuple[object, str], int] = {}
        self._repeats: list[tuple[int, int]] = []
        self._calls: list[Callable[[Buckets], None]] = []
        self._buckets: Buckets | None = None

    def add(self, numbers: Sequence[str], groups: Sequence[str] = ()) -> None:
        """Add the numbers of the next rows, with their groups if there are several. An empty text is a row without one.

        A number has at most 18 digits (19 if the first is a zero) and perhaps a leading plus. With and without the plus
        are two different numbers.
        """
        self._add(numbers, groups or repeat(""), lambda buckets: buckets.add(numbers, groups))

    def add_ids(self, ids: Sequence[int], group: str) -> None:
        """Add ids (0 to 10**18) of one group as the next rows, faster than texts. Do not mix ids and texts."""
        self._add(ids, repeat(group), lambda buckets: buckets.add_ids(ids, group))

    def _add(self, rows: Sequence[object], groups: Iterable[str], add: Callable[["Buckets"], None]) -> None:
        if self._buckets is None and self._rows + len(rows) > _FEW_ROWS:
            from bulk_remove.ledger.distinct import Buckets  # noqa: PLC0415 - numpy takes a tenth of a second

            self._buckets = self.enter_context(Buckets(self._path))
            for earlier in self._calls:
                earlier(self._buckets)
            self._calls, self._first, self._repeats = [], {}, []
        if self._buckets is not None:
            add(self._buckets)
            return
        self._calls.append(add)
        for place, key in enumerate(zip(rows, groups, strict=False), self._rows):
            if key[0] != "" and (first := self._first.setdefault(key, place)) != place:
                self._repeats.append((place, first))
        self._rows += len(rows)

    def duplicates(self) -> Iterator[tuple[int, int]]:
        """Yield (index, index of the first row with the same number), from 0, in no certain order."""
        yield from self._repeats if self._buckets is None else self._buckets.duplicates()


MOST_NUMBERS = 5_000_000
"""How many numbers of earlier runs are looked through, the latest runs first."""


class Removals:
    """The numbers that earlier runs removed before `before_s` (Unix seconds).

    `ledgers` returns their ledgers with the campaigns of interest, the latest first. They are read only when they are
    needed. One that cannot be read is left out: a mark in the report is not worth the report.
    """

    def __init__(self, ledgers: Callable[[], Iterable[tuple[Path, Collection[str]]]], before_s: float) -> None:
        self._ledgers = ledgers
        self.before_s = before_s
        self._looked_at = 0

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def places(self, campaign: str, numbers: Sequence[str]) -> list[int]:
        """Return the indices of the numbers that an earlier run removed from the campaign, in the same spelling."""
        removed = self._numbers.get(campaign)
        return removed.places(numbers) if removed and numbers else []

    @cached_property
    def _numbers(self) -> Mapping[str, "ExactNumbers"]:
        """The removed numbers, by campaign. Only eight bytes are kept for each, in a sorted array."""
        found: defaultdict[str, list[Keys]] = defaultdict(list)
        with suppress(StorageError, UnavailableError):  # the latter where hosts share their runs
            for ledger, campaigns in self._ledgers():
                if self._looked_at >= MOST_NUMBERS:
                    break
                with suppress(StorageError):
                    self._add(ledger, campaigns, found)
        if not found:
            return {}
        from bulk_remove.ledger.distinct import ExactNumbers  # noqa: PLC0415 - see RowKeys

        return {campaign: ExactNumbers(keys) for campaign, keys in found.items()}

    def _add(self, ledger: Path, campaigns: Collection[str], found: Mapping[str, list["Keys"]]) -> None:
        with opened_for_reading(ledger) as store, store.reading() as connection:
            for campaign in campaigns:
                for numbers, states in CampaignStates(connection, campaign).chunks():
                    self._looked_at += len(numbers)
                    if places := states.where(self._was_removed):
                        from bulk_remove.ledger.distinct import keys_of  # noqa: PLC0415 - see RowKeys

                        found[campaign].append(keys_of([numbers[place] for place in places]))

    def _was_removed(self, state: NumberState) -> bool:
        return status_of(state.phase) is Status.REMOVED and state.answered_at_s < self.before_s


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
