"""What the rows of a report add up to, counted while they are written."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import cast

from bulk_remove.adapters.distinct import RowKeys
from bulk_remove.core.alike import Ids, long_form
from bulk_remove.core.lifecycle import gone_meanwhile, hides_records, status_of
from bulk_remove.core.model import NO_NUMBER, NumberState, OutcomeBlock, Status
from bulk_remove.core.plan import Plan
from bulk_remove.core.proof import CampaignResult


class RowCounter:
    """Counts what became of the numbers of the rows that pass; a duplicate's fate is its first row's.

    The record ids go to `keys`, which find those that were named twice; `_places` says where each campaign's begin.
    """

    def __init__(self, keys: RowKeys) -> None:
        self.removed = Counter[str]()
        self.doubted = Counter[str]()
        self.ids = Counter[str]()
        self._gone = Counter[str]()
        self.asked = 0
        self._statuses: defaultdict[str, Counter[Status]] = defaultdict(Counter)
        self._keys = keys
        self._places: list[tuple[int, str]] = []

    def through(self, blocks: Iterator[OutcomeBlock]) -> Iterator[OutcomeBlock]:
        """Yield the blocks again, and count them."""
        for block in blocks:
            if len({*block.campaigns} - {""}) > 1:
                self._note_apart(block)
            else:
                self._note(block)
            yield block

    def _note(self, block: OutcomeBlock) -> None:
        """Count a block of one campaign, by the kinds of its states."""
        states, twice = block.states, block.duplicate_of
        campaign = next(filter(None, block.campaigns), "")
        for state, count in states.counted():
            self._count(campaign, state, count)
        for place in twice:
            self._count(campaign, states[place], -1)
        ids = states.ids or ()
        self._keep(campaign, [found for place, found in enumerate(ids) if place not in twice] if twice else ids)

    def _note_apart(self, block: OutcomeBlock) -> None:
        """Count a block of several campaigns, row by row."""
        ids: defaultdict[str, list[Ids]] = defaultdict(list)
        for place, (campaign, state) in enumerate(zip(block.campaigns, block.states, strict=True)):
            if place not in block.duplicate_of:
                self._count(campaign, state, 1)
                ids[campaign].append(state.record_ids)
        for campaign, mine in ids.items():
            self._keep(campaign, mine)

    def _count(self, campaign: str, state: NumberState, rows: int) -> None:
        self.removed[campaign] += rows * state.removed
        self.asked += rows * (state.attempts > 0)
        if state.phase != NO_NUMBER:
            self.doubted[campaign] += rows * hides_records(state.phase)
            self._gone[campaign] += rows * gone_meanwhile(state)
            self._statuses[campaign][status_of(state.phase)] += rows

    def _keep(self, campaign: str, found: Sequence[Ids]) -> None:
        """Keep the record ids of a campaign's numbers."""
        ids = _whole(found)
        self._places.append((self.ids.total(), campaign))
        self._keys.add_ids(ids, campaign)
        self.ids[campaign] += len(ids)

    def results(self, plan: Plan) -> list[CampaignResult]:
        """Return what became of the numbers of each campaign."""
        return [
            CampaignResult(
                campaign.campaign,
                self._statuses[campaign.campaign],
                campaign.confirmed,
                self.removed[campaign.campaign],
                self._gone[campaign.campaign],
            )
            for campaign in plan.campaigns
        ]

    def distinct_records(self) -> Counter[str]:
        """Return how many different records of each campaign the replies named as removed. Raises StorageError."""
        starts = [start for start, _ in self._places]
        distinct = Counter(self.ids)
        for place, _ in self._keys.duplicates():
            distinct[self._places[bisect_right(starts, place) - 1][1]] -= 1
        return distinct


_MOST = 10**17


def _whole(found: Sequence[Ids]) -> Sequence[int]:
    """Return record ids as numbers: what is no whole number below 10**17 is hashed to one above that.

    The documented ids are small whole numbers, and are passed on as they are: one look at each costs as much as all
    else here. Two others are taken for one with a chance of one in 10**17.
    """
    if {*map(type, found)} == {int}:
        ids = cast("Sequence[int]", found)
        if min(ids) >= 0 and max(ids) < _MOST:
            return ids
    return [
        record_id if isinstance(record_id, int) and 0 <= record_id < _MOST else _hashed(str(record_id))
        for ids in found
        for record_id in long_form(ids)
    ]


def _hashed(record_id: str) -> int:
    digest = blake2b(record_id.encode(errors="surrogatepass"), digest_size=8).digest()
    return _MOST + int.from_bytes(digest) % _MOST
