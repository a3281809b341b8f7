"""The campaigns behind the simulated API: pure, no server and no clock of its own.

A number is found only as it is written in the campaign: with a plus, two zeros or a country code it is another one.
Every record that is found for a number is removed, but for those in a call: these stay, and are said to be in one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Protocol

from bulk_remove.simulator.habits import Habits

RecordIds = Mapping[str, tuple[int, ...]]
"""Record ids by number."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal did: a number of `numbers` that is neither in `removed` nor in `in_call` did not exist.

    `through_additional` are those of `removed` whose record has the number among its additional ones alone.
    """

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
    """A record of a campaign: in a call during `calls`, and for `busy_for_s` from its first being asked for."""

    record_id: int
    phone_number: str
    additional_numbers: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    busy_for_s: float = 0.0


class Campaign(Protocol):
    """What the server asks of a campaign."""

    @property
    def campaign_id(self) -> str:
        """The five-character identifier."""

    @property
    def records_count(self) -> int:
        """How many records there are now."""

    @property
    def completion_percent(self) -> float:
        """How far the calling has come, in percent; nobody calls here, so it stays what it was set to."""

    def remove(self, numbers: tuple[str, ...], now_s: float, *, additional: bool) -> Removal:
        """Remove every record of each number that is not in a call at `now_s`; with `additional`, look there too."""

    def page(self, limit: int, offset: int) -> Sequence[Record]:
        """Up to `limit` records, oldest first."""


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
        """How many records there are now."""
        return len(self._records)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that there are now."""
        return tuple(self._records.values())

    def remove(self, numbers: tuple[str, ...], now_s: float, *, additional: bool) -> Removal:
        """Remove every record of each number that is not in a call at `now_s`; with `additional`, look there too."""
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

    def _found(self, number: str, additional: bool) -> list[Record]:
        ids = list(self._main.get(number, ()))
        if additional:
            ids += self._additional.get(number, ())
        # A record may carry a number twice, or be gone already under another of its numbers.
        return [self._records[record_id] for record_id in dict.fromkeys(ids) if record_id in self._records]

    def _in_call(self, record: Record, now_s: float) -> bool:
        if any(call.begins_s <= now_s < call.ends_s for call in record.calls):
            return True
        if not record.busy_for_s:
            return False
        return now_s < self._first_asked_s.setdefault(record.record_id, now_s) + record.busy_for_s


class World:
    """The campaigns of one simulated system, by identifier."""

    def __init__(self, campaigns: Iterable[Campaign]) -> None:
        self._campaigns = {campaign.campaign_id: campaign for campaign in campaigns}

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """All campaigns, in the order given."""
        return tuple(self._campaigns.values())

    def campaign(self, campaign_id: str) -> Campaign | None:
        """The campaign of that identifier, if there is one."""
        return self._campaigns.get(campaign_id)


def records_of(numbers: Iterable[tuple[str, tuple[str, ...]]], habits: Habits) -> list[Record]:
    """One record or more for each (number, additional numbers) that `habits` let exist, in order; ids from 1.

    A number given twice has its records twice.
    """
    records: list[Record] = []
    for number, additional in numbers:
        fate = habits.fate(number)
        for copy in range(fate.records if fate.exists else 0):
            busy_for_s = 0.0 if copy else fate.busy_for_s
            written = habits.written(number)
            records.append(Record(len(records) + 1, written, additional, busy_for_s=busy_for_s))
    return records
