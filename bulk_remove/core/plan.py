"""The plan of a run, and the approval without which nothing can be sent.

Only an `ApprovedPlan` can be carried out, and `approve` is the only way to get one: the seal below is known to this
module alone. The dry run prints the very plan that a run would ask approval for.
"""

from dataclasses import dataclass
from enum import StrEnum

from bulk_remove.core.model import Source
from bulk_remove.errors import InputError, InvariantError


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What would be asked of one campaign."""

    campaign: str
    numbers: int
    requests: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `rows` = `numbers` + `invalid` + `duplicates`; `rate` is the ceiling in requests a second.

    `problems` counts the invalid cells by reason; `samples` are (row, masked cell, masked number or problem) of the
    first rows. `settled` of the numbers have their final answer from an earlier run and are not sent again.
    """

    run_id: str
    host: str
    sources: tuple[Source, ...]
    rows: int
    invalid: int
    duplicates: int
    campaigns: tuple[CampaignPlan, ...]
    problems: tuple[tuple[str, int], ...]
    samples: tuple[tuple[int, str, str], ...]
    rate: float
    settled: int = 0

    @property
    def numbers(self) -> int:
        """Distinct numbers, settled ones included."""
        return sum(campaign.numbers for campaign in self.campaigns)

    @property
    def to_send(self) -> int:
        """Distinct numbers to be sent."""
        return self.numbers - self.settled

    @property
    def requests(self) -> int:
        """Requests that the first pass takes; numbers in a call and retries take more."""
        return sum(campaign.requests for campaign in self.campaigns)

    @property
    def least_duration_s(self) -> float:
        """The shortest time that the ceiling on the rate allows, in seconds."""
        return max(0, self.requests - 1) / self.rate


class Consent(StrEnum):
    """Who approved a plan, and how."""

    TYPED = "typed at the terminal"
    FLAG = "--yes"
    CODE = "the calling program"


_SEAL = object()


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """A plan that somebody answered for. Made by `approve` alone."""

    plan: Plan
    consent: Consent
    seal: object

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise InvariantError("a plan can only be approved by approve()")


def approve(plan: Plan, consent: Consent) -> ApprovedPlan:
    """Approve a plan. Raises InputError when there is nothing to send, or the sum of its rows does not close."""
    if plan.rows != plan.numbers + plan.invalid + plan.duplicates:
        raise InvariantError("the plan's rows are not the sum of its numbers, invalid cells and duplicates")
    if not plan.numbers:
        raise InputError(
            "The input holds no phone number that could be sent.",
            "Look at the column and the reasons in the plan; choose another with --column.",
        )
    return ApprovedPlan(plan, consent, _SEAL)
