"""A campaign in which every number asked for exists, in the form that it is held in; made for millions of numbers.

Nothing is kept of a number but one bit once it is gone, and its record while that is in a call.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

from bulk_remove.simulator.habits import PLAIN_FATE, Habits
from bulk_remove.simulator.world import Record, Removal

_PAGE_BYTES = 512
"""4096 numbers a page: ten million in a row take 2 MB, ten million strewn over all 9-digit numbers 160 MB."""


_FIRST_LISTED = 500_000_000


class _Held(NamedTuple):
    """A record in a call."""

    record_id: int
    free_at_s: float


_Ids = tuple[tuple[int, ...], tuple[int, ...]]
"""The record ids of one number: those removed, those in a call."""

_NONE: _Ids = ((), ())


class NumberSet:
    """A set of digit strings, perhaps with a plus, as pages of bits; `007`, `7` and `+7` are different numbers."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def add(self, number: str) -> bool:
        """Put the number in; whether it was not there before."""
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
    """Every number asked for exists, as `habits` say, until it is removed.

    `records_count` is what the statistics claim before anything is removed: a round figure, for the records cannot
    be counted before they are asked for. Record ids are given out in the order of first asking.
    """

    def __init__(self, campaign_id: str, habits: Habits, records_count: int = 1_000_000) -> None:
        self.campaign_id = campaign_id
        self.completion_percent = 0.0
        self._habits = habits
        self._drawn = not habits.plain
        self._claimed = records_count
        self._removed = 0
        self._last_id = 0
        self._asked = NumberSet()
        self._held: dict[str, _Held] = {}

    @property
    def records_count(self) -> int:
        """The claimed number of records less those removed."""
        return max(0, self._claimed - self._removed)

    def remove(self, numbers: tuple[str, ...], now_s: float, *, additional: bool) -> Removal:
        """Remove every record of each number that is not in a call at `now_s`; there are no additional numbers."""
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
        """Up to `limit` made-up records, as many in all as are claimed: real ones are there once they are asked for."""
        places = range(offset, min(offset + limit, self.records_count))
        return [Record(1 + place, self._habits.written(str(_FIRST_LISTED + place))) for place in places]

    def _first_time(self, number: str, now_s: float) -> _Ids:
        fate = self._habits.fate(number) if self._drawn else PLAIN_FATE
        if self._habits.written(number) != number:
            return _NONE
        if not fate.exists:
            return _NONE
        first = self._last_id + 1
        self._last_id += fate.records
        ids = (first,) if fate.records == 1 else tuple(range(first, first + fate.records))
        if not fate.busy_for_s:
            return ids, ()
        self._held[number] = _Held(first, now_s + fate.busy_for_s)
        return ids[1:], (first,)

    def _again(self, number: str, now_s: float) -> _Ids:
        held = self._held.get(number)
        if held is None:
            return _NONE
        if now_s < held.free_at_s:
            return (), (held.record_id,)
        del self._held[number]
        return (held.record_id,), ()
