"""The campaigns behind the simulated API. Pure: no server and no clock.

A number is found only as the campaign writes it: with a plus, two zeros or a country code it is another number. All
records found for a number are removed, except those in a call: these stay, and are reported.

A campaign on demand holds every requested number, in the campaign's own form. It keeps only one bit for each removed
number, and the records that are in a call.

A seeded hash decides how each number of such a campaign behaves. Numbers may also come from a CSV file. Its reader is
much simpler than the reader that it helps to test, on purpose.
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate, islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

_WORD = 1 << 32
_POLISH = re.compile(r"(?:\+48|0048|48)?([1-9][0-9]{2})([0-9]{3})([0-9]{3})")

FORMS = {
    "national": r"\1\2\3",
    "digits": r"48\1\2\3",
    "e164": r"+48\1\2\3",
    "zeros": r"0048\1\2\3",
    "spaced": r"\1 \2 \3",
}
"""The forms of a Polish number in a campaign."""


class Fate(NamedTuple):
    """The facts of one number: whether it has records, how many, and how long they stay in a call."""

    exists: bool
    records: int
    busy_for_s: float


PLAIN_FATE = Fate(exists=True, records=1, busy_for_s=0.0)
_TWICE_FATE = Fate(exists=True, records=2, busy_for_s=0.0)
_ABSENT_FATE = Fate(exists=False, records=0, busy_for_s=0.0)


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares (0..1) of the numbers. Each is drawn independently, from `seed` and the number only."""

    seed: int = 0
    busy_share: float = 0.0
    busy_for_s: float = 60.0
    duplicate_share: float = 0.0
    absent_share: float = 0.0
    forms: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for name in ("busy_share", "duplicate_share", "absent_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1")
        if self.busy_for_s < 0:
            raise ValueError("busy_for_s must not be negative")
        for name, weight in self.forms:
            if name not in FORMS or weight <= 0:
                raise ValueError(f"{name} is not a form, or its weight is not above 0")

    @property
    def plain(self) -> bool:
        """Whether every number simply has one free record: then there are no draws."""
        return not (self.busy_share or self.duplicate_share or self.absent_share)

    def fate(self, number: str) -> Fate:
        """The fate of a number; the same for the same seed, on every machine and in any order."""
        digest = int.from_bytes(blake2b(f"{self.seed}:{number}".encode(), digest_size=12).digest(), "big")
        if digest % _WORD < self.absent_share * _WORD:
            return _ABSENT_FATE
        records = 2 if (digest >> 32) % _WORD < self.duplicate_share * _WORD else 1
        if (digest >> 64) < self.busy_share * _WORD:
            return Fate(exists=True, records=records, busy_for_s=self.busy_for_s)
        return PLAIN_FATE if records == 1 else _TWICE_FATE

    def written(self, number: str) -> str:
        """The number as the campaign holds it; its digits decide its form, whatever form it had before."""
        whole = _POLISH.fullmatch(number) if self.forms else None
        if whole is None:
            return number
        drawn = int.from_bytes(blake2b(f"{self.seed}:form:{''.join(whole.groups())}".encode(), digest_size=4).digest())
        ends = [*accumulate(weight for _, weight in self.forms)]
        name, _ = self.forms[bisect_right(ends, drawn / _WORD * ends[-1])]
        return whole.expand(FORMS[name])


RecordIds = Mapping[str, tuple[int, ...]]  # record ids by number


@dataclass(frozen=True, slots=True)
class Removal:
    """The result of a removal: a number of `numbers` that is neither in `removed` nor in `in_call` did not exist."""

    numbers: tuple[str, ...]
    removed: RecordIds
    in_call: RecordIds
    through_additional: RecordIds = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Call:
    """A call that holds a record from `begins_s` until just before `ends_s` (seconds of the server's clock)."""

    begins_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a campaign: in a call during `calls`, and for `busy_for_s` after the first request for it."""

    record_id: int
    phone_number: str
    additional_numbers: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    busy_for_s: float = 0.0


class ListedCampaign:
    """A campaign whose records are all known from the start."""

    def __init__(self, campaign_id: str, records: Iterable[Record], completion_percent: float = 0.0) -> None:
        self.campaign_id = campaign_id
        self.completion_percent = completion_percent
        self._records = {record.record_id: record for record in records}
        self._first_asked_s: dict[int, float] = {}
        self._main: dict[str, list[int]] = {}
        self._additional: dict[str, list[int]] = {}
        for record in self._records.values():
            self._main.setdefault(record.phone_number, []).append(record.record_id)
            for number in record.additional_numbers:
                self._additional.setdefault(number, []).append(record.record_id)

    @property
    def records_count(self) -> int:
        """The present number of records."""
        return len(self._records)

    @property
    def records(self) -> tuple[Record, ...]:
        """The present records."""
        return tuple(self._records.values())

    def remove(self, numbers: tuple[str, ...], now_s: float, *, additional: bool) -> Removal:
        """Remove all records of each number that are not in a call at `now_s`; with `additional`, search there too."""
        removed: dict[str, tuple[int, ...]] = {}
        in_call: dict[str, tuple[int, ...]] = {}
        aside: dict[str, tuple[int, ...]] = {}
        for number in numbers:
            for record in self._found(number, additional):
                done = in_call if self._in_call(record, now_s) else removed
                done[number] = (*done.get(number, ()), record.record_id)
                if done is removed and record.phone_number != number:
                    aside[number] = (*aside.get(number, ()), record.record_id)
            for record_id in removed.get(number, ()):
                del self._records[record_id]
        return Removal(numbers, MappingProxyType(removed), MappingProxyType(in_call), MappingProxyType(aside))

    def page(self, limit: int, offset: int) -> Sequence[Record]:
        """Up to `limit` records, oldest first."""
        return tuple(islice(self._records.values(), offset, offset + limit))

    def is_in_call(self, record: Record, now_s: float) -> bool:
        """Whether a record is in a call, or would be at a first request now."""
        if any(call.begins_s <= now_s < call.ends_s for call in record.calls):
            return True
        return bool(record.busy_for_s) and now_s < self._first_asked_s.get(record.record_id, now_s) + record.busy_for_s

    def _found(self, number: str, additional: bool) -> list[Record]:
        ids = list(self._main.get(number, ()))
        if additional:
            ids += self._additional.get(number, ())
        # A record may have a number twice, or be gone already under another of its numbers.
        return [self._records[record_id] for record_id in dict.fromkeys(ids) if record_id in self._records]

    def _in_call(self, record: Record, now_s: float) -> bool:
        if not any(call.begins_s <= now_s < call.ends_s for call in record.calls):
            self._first_asked_s.setdefault(record.record_id, now_s)
        return self.is_in_call(record, now_s)


class World:
    """The campaigns of one simulated system, by identifier."""

    def __init__(self, campaigns: Iterable["Campaign"]) -> None:
        self._campaigns = {campaign.campaign_id: campaign for campaign in campaigns}

    @property
    def campaigns(self) -> tuple["Campaign", ...]:
        """All campaigns, in the given order."""
        return tuple(self._campaigns.values())

    def campaign(self, campaign_id: str) -> "Campaign | None":
        """The campaign with that identifier, None if there is none."""
        return self._campaigns.get(campaign_id)


def records_of(numbers: Iterable[tuple[str, tuple[str, ...]]], habits: Habits) -> list[Record]:
    """The records that `habits` give each (number, additional numbers), in order; ids from 1."""
    records: list[Record] = []
    for number, additional in numbers:
        fate = habits.fate(number)
        for copy in range(fate.records if fate.exists else 0):
            busy_for_s = 0.0 if copy else fate.busy_for_s
            written = habits.written(number)
            records.append(Record(len(records) + 1, written, additional, busy_for_s=busy_for_s))
    return records


_PAGE_BYTES = 512
"""4096 numbers a page: ten million in a row take 2 MB, ten million spread over all 9-digit numbers 160 MB."""


_FIRST_LISTED = 500_000_000


_Ids = tuple[tuple[int, ...], tuple[int, ...]]  # the record ids of one number: removed ones, ones in a call

_NONE: _Ids = ((), ())


class HeldNumbers:
    """A set of digit strings, perhaps with a plus, as pages of bits; `007`, `7` and `+7` are different numbers."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def add(self, number: str) -> bool:
        """Add the number; return whether it is new."""
        # The leading 1, or 2 for a plus, keeps the zeros that int() would drop.
        digits = f"2{number[1:]}" if number[0] == "+" else f"1{number}"
        page_no, offset = divmod(int(digits), 8 * _PAGE_BYTES)
        page = self._pages.get(page_no)
        if page is None:
            page = self._pages[page_no] = bytearray(_PAGE_BYTES)
        bit = 1 << (offset & 7)
        if page[offset >> 3] & bit:
            return False
        page[offset >> 3] |= bit
        return True


class OnDemandCampaign:
    """Every requested number exists, as `habits` say, until it is removed."""

    def __init__(self, campaign_id: str, habits: Habits, records_count: int = 1_000_000) -> None:
        self.campaign_id = campaign_id
        self.completion_percent = 0.0
        self._habits = habits
        self._drawn = not habits.plain
        self._claimed = records_count
        self._removed = 0
        self._last_id = 0
        self._asked = HeldNumbers()
        self._held: dict[str, tuple[int, float]] = {}  # the record in a call, and when it is free

    @property
    def records_count(self) -> int:
        """The claimed number of records, less the removed ones."""
        return max(0, self._claimed - self._removed)

    def remove(self, numbers: tuple[str, ...], now_s: float, *, additional: bool) -> Removal:
        """Remove all records of each number that are not in a call at `now_s`; there are no additional numbers."""
        del additional
        removed: dict[str, tuple[int, ...]] = {}
        in_call: dict[str, tuple[int, ...]] = {}
        for number in numbers:
            gone, held = self._first_time(number, now_s) if self._asked.add(number) else self._again(number, now_s)
            if gone:
                removed[number] = gone
            if held:
                in_call[number] = held
        self._removed += sum(map(len, removed.values()))
        return Removal(numbers, MappingProxyType(removed), MappingProxyType(in_call))

    def page(self, limit: int, offset: int) -> Sequence[Record]:
        """Up to `limit` made-up records, as many in total as are claimed: real ones exist once they are requested."""
        places = range(offset, min(offset + limit, self.records_count))
        return [Record(1 + place, self._habits.written(str(_FIRST_LISTED + place))) for place in places]

    def is_in_call(self, record: Record, now_s: float) -> bool:
        """Whether a listed record is in a call: never, because they are made up."""
        del record, now_s
        return False

    def _first_time(self, number: str, now_s: float) -> _Ids:
        fate = self._habits.fate(number) if self._drawn else PLAIN_FATE
        if not fate.exists or self._habits.written(number) != number:
            return _NONE
        first = self._last_id + 1
        self._last_id += fate.records
        ids = (first,) if fate.records == 1 else tuple(range(first, first + fate.records))
        if not fate.busy_for_s:
            return ids, ()
        self._held[number] = first, now_s + fate.busy_for_s
        return ids[1:], (first,)

    def _again(self, number: str, now_s: float) -> _Ids:
        if number not in self._held:
            return _NONE
        record_id, free_at_s = self._held[number]
        if now_s < free_at_s:
            return (), (record_id,)
        del self._held[number]
        return (record_id,), ()


Campaign = ListedCampaign | OnDemandCampaign

_PUNCTUATION = re.compile(r"[\s().\-/]")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")


def read_numbers(path: Path, column: str = "", additional: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """The numbers in the column of that name, or in the first: without spaces and brackets; other text is skipped."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        delimiter = max(",;\t", key=lines.readline().count)
        lines.seek(0)
        rows = csv.reader(lines, delimiter=delimiter)
        header = next(rows, []) if column or additional else []
        index = _index(header, column) if column else 0
        aside = _index(header, additional) if additional else None
        for row in rows:
            cell = _number(row, index)
            if cell:
                others = () if aside is None or aside >= len(row) else re.split("[;,]", row[aside])
                yield cell, tuple(filter(None, (_number((other,), 0) for other in others)))


def _number(row: Sequence[str], index: int) -> str:
    cell = _PUNCTUATION.sub("", row[index]) if index < len(row) else ""
    return cell if _NUMBER.fullmatch(cell) else ""


def _index(header: list[str], column: str) -> int:
    if column not in header:
        raise ValueError(f"no column {column!r} in the first line")
    return header.index(column)
