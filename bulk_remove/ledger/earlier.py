"""The numbers that earlier runs removed: if one is in the campaign again, somebody adds it again.

A ledger holds numbers and states by chunk, so SQLite cannot join two of them. Each ledger is read chunk by chunk, and
only eight bytes are kept for each number, in a sorted array. `MOST_NUMBERS` bounds time and memory.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import NumberState, Status
from bulk_remove.errors import StorageError, UnavailableError
from bulk_remove.ledger.distinct import ExactNumbers, Keys, keys_of
from bulk_remove.ledger.read import CampaignStates, facts_of, opened_for_reading

MOST_NUMBERS = 5_000_000
"""How many numbers of earlier runs are looked through, the latest runs first."""


class Removals:
    """The numbers that earlier runs removed from campaigns of one host before `before_s` (Unix seconds).

    `ledgers` returns their ledgers, the latest first. They are read only when they are needed. One that cannot be read
    is left out: a mark in the report is not worth the report.
    """

    def __init__(
        self, ledgers: Callable[[], Iterable[Path]], host: str, campaigns: Iterable[str], before_s: float
    ) -> None:
        self._ledgers = ledgers
        self._host = host
        self._campaigns = frozenset(campaigns)
        self.before_s = before_s
        self._looked_at = 0

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def places(self, campaign: str, numbers: Sequence[str]) -> list[int]:
        """Return the indices of the numbers that an earlier run removed from the campaign, in the same spelling."""
        removed = self._numbers.get(campaign)
        return removed.places(numbers) if removed and numbers else []

    @cached_property
    def _numbers(self) -> Mapping[str, ExactNumbers]:
        """The removed numbers, by campaign."""
        found: defaultdict[str, list[Keys]] = defaultdict(list)
        with suppress(StorageError, UnavailableError):  # the latter where hosts share their runs
            for ledger in self._ledgers():
                if self._looked_at >= MOST_NUMBERS:
                    break
                with suppress(StorageError):
                    self._add(ledger, found)
        return {campaign: ExactNumbers(keys) for campaign, keys in found.items()}

    def _add(self, ledger: Path, found: Mapping[str, list[Keys]]) -> None:
        with opened_for_reading(ledger) as store, store.reading() as connection:
            facts = facts_of(store)
            if not facts.approved_by or facts.plan is None or facts.destination.host != self._host:
                return
            for campaign in self._campaigns.intersection(facts.plan.campaign_ids):
                for numbers, states in CampaignStates(connection, campaign).chunks():
                    self._looked_at += len(numbers)
                    if places := states.where(self._was_removed):
                        found[campaign].append(keys_of([numbers[place] for place in places]))

    def _was_removed(self, state: NumberState) -> bool:
        return status_of(state.phase) is Status.REMOVED and state.answered_at_s < self.before_s
