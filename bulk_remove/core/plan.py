"""The plan of a run, and the approval without which nothing can be sent.

Only an `ApprovedPlan` can be carried out, and `approve` is the only way to get one: the seal below is known to this
module alone. The dry run prints the very plan that a run would ask approval for.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bulk_remove.core.guards import NO_LIMITS, NOTHING_KNOWN, Known, Limits, check_limits
from bulk_remove.core.model import Source
from bulk_remove.core.spelling import EMPTY
from bulk_remove.errors import InputError, InvariantError
from bulk_remove.language import counted, ours


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What would be asked of one campaign.

    `settled` of its distinct numbers have their final answer from an earlier run and are not sent again. That run
    removed `removed_before` records of it, and was told the ids of `ids_before` of them.
    """

    campaign: str
    numbers: int
    requests: int
    settled: int = 0
    removed_before: int = 0
    ids_before: int = 0

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
    """What a source holds: `problems` counts its rows without a number by reason, the commonest first.

    `duplicates` are rows whose number stands in an earlier row, of this source or of one before; `samples` are the
    first rows, `examples` the first invalid ones. `kinds` counts the cells that are written as no number is and were
    read as one all the same, `internal` the internal numbers to be sent.
    """

    source: Source
    rows: int
    duplicates: int
    problems: tuple[tuple[str, int], ...]
    samples: tuple[Sample, ...] = ()
    examples: tuple[Sample, ...] = ()
    kinds: tuple[tuple[str, int], ...] = ()
    internal: int = 0

    @property
    def empty(self) -> int:
        """Rows whose phone cell is empty."""
        return dict(self.problems).get(EMPTY, 0)

    @property
    def damage(self) -> tuple[tuple[str, int], ...]:
        """The reasons why cells with something in them hold no number."""
        return tuple(problem for problem in self.problems if problem[0] != EMPTY)

    @property
    def invalid(self) -> int:
        """Rows that hold something, but no number."""
        return sum(count for _, count in self.damage)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do; `rate` is in requests a second, a ceiling.

    `rows` = `numbers` + `invalid` + `empty` + `duplicates`: an empty cell is invalid in the report, too, but no damage.

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
        """Rows that hold something, but no number."""
        return sum(source.invalid for source in self.sources)

    @property
    def empty(self) -> int:
        """Rows whose phone cell is empty."""
        return sum(source.empty for source in self.sources)

    @property
    def duplicates(self) -> int:
        """Rows whose number stands in an earlier row."""
        return sum(source.duplicates for source in self.sources)

    @property
    def problems(self) -> tuple[tuple[str, int], ...]:
        """The invalid cells by reason, the commonest first."""
        counted = Counter[str]()
        for source in self.sources:
            counted.update(dict(source.damage))
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
    if plan.rows != plan.numbers + plan.invalid + plan.empty + plan.duplicates:
        raise InvariantError("the plan's rows are not the sum of its numbers, invalid and empty cells and duplicates")
    if not plan.numbers:
        nothing = "The input holds no phone number that could be sent."
        reason, count = plan.problems[0] if plan.problems else ("", 0)
        commonest = counted(
            plan.rows,
            "{nothing} {damaged:,} of {count:,} row: {reason}",
            "{nothing} {damaged:,} of {count:,} rows: {reason}",
            nothing=ours(nothing),
            damaged=count,
            reason=ours(reason),
        )
        raise InputError(
            commonest if reason else nothing,
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
