"""The plan of a run, and the approval without which nothing can be sent.

Only an `ApprovedPlan` can be carried out, and `approve` is the only way to get one: the seal below is known to this
module alone. The dry run prints the very plan that a run would ask approval for.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bulk_remove.core.guards import NO_LIMITS, NOTHING_KNOWN, Known, Limits, check_limits
from bulk_remove.core.model import Source
from bulk_remove.errors import InputError, InvariantError


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What would be asked of one campaign.

    `settled` of its distinct numbers have their final answer from an earlier run and are not sent again. That run
    removed `removed_before` records of it, and was told the ids of `ids_before` of them.

    `held` says how numbers are written in those of its records that were looked at (`core.forms.Held`), and is empty
    where none was; `confirmed` whether they show the forms in which numbers are asked for. Else those are a guess.
    """

    campaign: str
    numbers: int
    requests: int
    settled: int = 0
    removed_before: int = 0
    ids_before: int = 0
    held: Mapping[str, int] = field(default_factory=dict)
    confirmed: bool = False

    @property
    def to_send(self) -> int:
        """Distinct numbers to be sent."""
        return self.numbers - self.settled


class Sample(NamedTuple):
    """A cell and what it became, a number or a problem; both masked unless the operator wants to see numbers."""

    row: int
    cell: str
    became: str


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What a source holds: `problems` counts its invalid cells by reason, the commonest first.

    `duplicates` are rows whose number stands in an earlier row, of this source or of one before; `samples` are the
    first rows, `examples` the first invalid ones.
    """

    source: Source
    rows: int
    duplicates: int
    problems: tuple[tuple[str, int], ...]
    samples: tuple[Sample, ...] = ()
    examples: tuple[Sample, ...] = ()

    @property
    def invalid(self) -> int:
        """Rows that hold no number."""
        return sum(count for _, count in self.problems)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `rows` = `numbers` + `invalid` + `duplicates`; `rate` is in requests a second, a ceiling.

    `limits` are held before it is approved. With `additional_numbers` a record goes, too, when a number is among its
    additional ones; with `canary` one chunk is sent alone before the others.
    """

    run_id: str
    host: str
    sources: tuple[SourcePlan, ...]
    campaigns: tuple[CampaignPlan, ...]
    rate: float
    limits: Limits = NO_LIMITS
    additional_numbers: bool = False
    canary: bool = False

    @property
    def rows(self) -> int:
        """Rows of the input."""
        return sum(source.rows for source in self.sources)

    @property
    def invalid(self) -> int:
        """Rows that hold no number."""
        return sum(source.invalid for source in self.sources)

    @property
    def duplicates(self) -> int:
        """Rows whose number stands in an earlier row."""
        return sum(source.duplicates for source in self.sources)

    @property
    def problems(self) -> tuple[tuple[str, int], ...]:
        """The invalid cells by reason, the commonest first."""
        counted = Counter[str]()
        for source in self.sources:
            counted.update(dict(source.problems))
        return tuple(counted.most_common())

    @property
    def campaign_ids(self) -> tuple[str, ...]:
        """The identifiers of the campaigns."""
        return tuple(campaign.campaign for campaign in self.campaigns)

    @property
    def numbers(self) -> int:
        """Distinct numbers, settled ones included."""
        return sum(campaign.numbers for campaign in self.campaigns)

    @property
    def settled(self) -> int:
        """Distinct numbers that are not sent again."""
        return sum(campaign.settled for campaign in self.campaigns)

    @property
    def to_send(self) -> int:
        """Distinct numbers to be sent."""
        return self.numbers - self.settled

    @property
    def confirmed(self) -> bool:
        """Whether each campaign's own records show the forms in which its numbers are asked for."""
        return all(campaign.confirmed for campaign in self.campaigns)

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
    """A plan that is within its limits and that somebody answered for. Made by `approve` alone.

    `known` is what it was held against.
    """

    plan: Plan
    consent: Consent
    seal: object
    known: Known = NOTHING_KNOWN

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise InvariantError("a plan can only be approved by approve()")


def check_holds_numbers(plan: Plan) -> None:
    """Raise InputError when there is nothing to send, InvariantError when the sum of its rows does not close."""
    if plan.rows != plan.numbers + plan.invalid + plan.duplicates:
        raise InvariantError("the plan's rows are not the sum of its numbers, invalid cells and duplicates")
    if not plan.numbers:
        raise InputError(
            "The input holds no phone number that could be sent.",
            "Look at the column and the reasons in the plan; choose another with --column.",
        )


def check_within_limits(plan: Plan, known: Known) -> None:
    """Raise GuardStop when the plan asks more of a campaign than its limits allow."""
    check_limits({campaign.campaign: campaign.to_send for campaign in plan.campaigns}, plan.limits, known)


def approve(plan: Plan, consent: Consent, known: Known = NOTHING_KNOWN) -> ApprovedPlan:
    """Approve a plan, which is held against what is known.

    Raises InputError when there is nothing to send, GuardStop when it is over one of its limits.
    """
    check_holds_numbers(plan)
    check_within_limits(plan, known)
    return ApprovedPlan(plan, consent, _SEAL, known)
