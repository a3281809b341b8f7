"""What a result proves: the campaign's own count beside what the replies said, and that none was there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bulk_remove.core.model import Status
from bulk_remove.language import Phrase, counted, ours, phrase


@dataclass(frozen=True, slots=True)
class Proof:
    """What a campaign held before the run's first request and after its last, and what this run removed of it.

    `before` and `after` are None where the server was not asked or did not tell; `note` then says why. `removed`
    counts the different record ids that the replies named, `without_id` the records that came without one; it may be
    more if `at_least`, for a request that brought no verdict may have removed some.
    """

    campaign: str
    before: int | None
    after: int | None
    removed: int
    without_id: int
    note: str
    at_least: bool = False

    @property
    def unexplained(self) -> int | None:
        """By how many records more than were removed the campaign has shrunk; None where that is not known."""
        if self.before is None or self.after is None:
            return None
        return self.before - self.after - self.removed - self.without_id

    def sentence(self) -> str:
        """Say what the counts amount to, and what a difference may mean."""
        held = phrase(
            "Campaign {campaign}: {before} before, {after} after",
            campaign=self.campaign,
            before=phrase("unknown records")
            if self.before is None
            else counted(self.before, "{count:,} record", "{count:,} records"),
            after=phrase("unknown") if self.after is None else phrase("{after:,}", after=self.after),
        )
        ids = phrase(" and {without_id:,} without an id", without_id=self.without_id) if self.without_id else ""
        removed = counted(
            self.removed,
            "{count:,} different record{ids} was removed by this run",
            "{count:,} different records{ids} were removed by this run",
            ids=ids,
        )
        if self.at_least:
            removed = phrase("at least {removed}", removed=removed)
        if self.unexplained is None:
            note = phrase(" {note}", note=ours(self.note)) if self.note else ""
            return phrase("{held}; {removed}.{note}", held=held, removed=removed, note=note)
        if not self.unexplained:
            return phrase("{held}; {removed}: the counts agree.", held=held, removed=removed)
        count = abs(self.unexplained)
        differs = (
            counted(count, "{count:,} more is gone than that", "{count:,} more are gone than that")
            if self.unexplained > 0
            else counted(count, "{count:,} fewer is gone than that", "{count:,} fewer are gone than that")
        )
        return phrase(
            "{held}; {removed}. {differs}: {why}.", held=held, removed=removed, differs=differs, why=self._why()
        )

    def _why(self) -> Phrase:
        if (self.unexplained or 0) < 0:
            return phrase("others added records at the same time, or the server counts with a delay")
        if self.at_least:
            return phrase(
                "a request that brought no verdict removed them, or others did at the same time, or the server counts "
                "with a delay"
            )
        return phrase("others removed records at the same time, or the server counts with a delay")


ENOUGH_NUMBERS = 10
"""That none of so many numbers is there is more likely a wrong form or a wrong campaign than an answer."""

_THERE = (Status.REMOVED, Status.CALL_IN_PROGRESS)
_NOT_THERE = (Status.NOT_EXIST, Status.PRESUMED_REMOVED)
"""Gone after an unanswered request tells nothing: in a wrong form a number is not there either."""


class CampaignResult(NamedTuple):
    """What became of a campaign's distinct numbers, and how many records were removed from it.

    It is `confirmed` when its own records showed the forms that were asked for. `gone` counts the numbers that were
    there, in a call, and are not any more.
    """

    campaign: str
    by_status: Mapping[Status, int]
    confirmed: bool
    removed: int = 0
    gone: int = 0

    @property
    def missing(self) -> int:
        """How many numbers were never there."""
        return sum(self.by_status.get(status, 0) for status in _NOT_THERE) - self.gone

    @property
    def there(self) -> bool:
        """Whether any number was there."""
        return bool(self.removed or self.gone) or any(self.by_status.get(status, 0) for status in _THERE)


@dataclass(frozen=True, slots=True)
class NoneFound:
    """That not one of a run's numbers was in these campaigns.

    `confirmed` says that the campaigns' own records show the forms in which they were asked for, so that it is an
    answer. Otherwise it is a guess, which `proves_nothing` when it is about enough numbers to be a bad sign.
    """

    numbers: int
    campaigns: tuple[str, ...]
    confirmed: bool
    proves_nothing: bool = False


def none_found(results: Sequence[CampaignResult]) -> NoneFound | None:
    """Return in which campaigns none of the numbers was found; None where some were, or nothing is known.

    Each campaign has forms of its own. So one in which none of enough numbers was found is told although others had
    theirs, and campaigns with few numbers count together when none had any.
    """
    anywhere = any(result.there for result in results)
    doubtful = [result for result in results if result.missing and not result.there and not result.confirmed]
    if anywhere:
        doubtful = [result for result in doubtful if result.missing >= ENOUGH_NUMBERS]
    if doubtful:
        numbers = sum(result.missing for result in doubtful)
        campaigns = tuple(result.campaign for result in doubtful)
        return NoneFound(numbers, campaigns, confirmed=False, proves_nothing=numbers >= ENOUGH_NUMBERS)
    empty = [result for result in results if result.missing]
    if anywhere or not empty or any(result.by_status.get(Status.PRESUMED_REMOVED, 0) for result in empty):
        return None
    return NoneFound(
        sum(result.missing for result in empty), tuple(result.campaign for result in empty), confirmed=True
    )
