"""The plan of a run, and the approval that is required before anything is sent.

Only an `ApprovedPlan` can be carried out, and only `approve` makes one, because the seal below is private to this
module. The dry run prints the same plan for which a run asks approval.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bulk_remove.core.conditions import is_left_out
from bulk_remove.core.limits import NO_LIMITS, NOTHING_KNOWN, Known, Limits, check_limits, emptied, unchecked
from bulk_remove.core.model import ON_KEEP_LIST, Rehearsal, Source, harmless
from bulk_remove.core.spelling import EMPTY
from bulk_remove.errors import GuardStop, InputError, InvariantError
from bulk_remove.language import counted, joined, ours, phrase


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """The part of a plan for one campaign."""

    campaign: str  # its identifier
    numbers: int  # distinct numbers, including settled ones
    requests: int  # requests of the first pass; numbers in a call and retries need more
    settled: int = 0  # numbers with a final answer from an earlier run; not sent again
    removed_before: int = 0  # records that the earlier run removed
    ids_before: int = 0  # how many of these have ids from the server
    doubted_before: int = 0  # settled numbers of which the earlier run may have removed more records
    held: Mapping[str, int] = field(default_factory=dict)
    """How the numbers in the campaign's records that were read are written (`core.forms.Held`)."""
    name: str = ""  # its name, if the server gave one
    confirmed: bool = False  # whether the records show the requested forms; else these are a guess

    @property
    def to_send(self) -> int:
        """Distinct numbers to be sent."""
        return self.numbers - self.settled

    @property
    def told(self) -> str:
        """The identifier, followed by the name."""
        if not self.name:
            return self.campaign
        return f"{self.campaign} '{harmless(self.name, LONGEST_NAME)}'"


LONGEST_NAME = 60


class Sample(NamedTuple):
    """A cell and its result, a number or a problem; both masked unless the operator wants to see numbers."""

    row: int
    cell: str
    became: str


NO_DAMAGE = frozenset({EMPTY, ON_KEEP_LIST})
"""Reasons for a row without a number to send that say nothing bad about its file."""


class KeepList(NamedTuple):
    """A table of numbers that must never be removed."""

    file: str  # the file, followed by the sheet of a workbook
    sha256: str  # of the file, in hex
    numbers: int  # how many numbers it holds


@dataclass(frozen=True, slots=True)
class Keep:
    """The keep lists of a plan, and the rows of its input that are on them."""

    lists: tuple[KeepList, ...] = ()  # the lists, in the order in which they were named
    skips: bool = False  # whether to leave their numbers out and send the rest; else nothing is sent
    rows: int = 0  # rows of the input that would be sent if there were no keep lists
    examples: tuple[Sample, ...] = ()  # the first of them, masked


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """The content of a source; the fields after `notes` are counted from the problems."""

    source: Source  # the file or the sheet, and how to read it
    rows: int  # its rows
    duplicates: int  # rows whose number is in an earlier row, of this or an earlier source
    problems: tuple[tuple[str, int], ...]  # its invalid cells: (reason, count), the most common first
    samples: tuple[Sample, ...] = ()  # its first rows: (row, cell, result), masked
    examples: tuple[Sample, ...] = ()  # its first invalid rows, likewise
    kinds: tuple[tuple[str, int], ...] = ()  # cells with numbers in an unusual spelling: (kind, count)
    internal: int = 0  # internal numbers to be sent
    notes: tuple[str, ...] = ()  # sentences about its rows as a whole
    empty: int = field(init=False)  # rows whose phone cell is empty
    kept: int = field(init=False)  # rows whose number is on a keep list
    left_out: int = field(init=False)  # rows that do not meet the conditions
    damage: tuple[tuple[str, int], ...] = field(init=False)  # why cells with some text hold no number
    invalid: int = field(init=False)  # how many such cells

    def __post_init__(self) -> None:
        counts = dict(self.problems)
        left_out = {reason: count for reason, count in self.problems if is_left_out(reason)}
        damage = tuple(each for each in self.problems if each[0] not in NO_DAMAGE and each[0] not in left_out)
        _derive(
            self,
            empty=counts.get(EMPTY, 0),
            kept=counts.get(ON_KEEP_LIST, 0),
            left_out=sum(left_out.values()),
            damage=damage,
            invalid=sum(count for _, count in damage),
        )


def only_short(source: Source) -> str:
    """Return the note on a column of short numbers only: amounts and row numbers look like internal numbers."""
    return phrase(
        "Column '{name}' holds no whole phone number, only numbers of 3 to 6 digits: is it the right column?",
        name=harmless(source.header[source.column]),
    )


def _derive(frozen: object, **values: object) -> None:
    """Set fields of a frozen value that follow from its other fields."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `rows` = `numbers` + `invalid` + `empty` + `left_out` + `kept` + `duplicates`."""

    run_id: str  # identifies the run later
    host: str  # the server; empty for a plan without one
    sources: tuple[SourcePlan, ...]  # the sources in reading order
    campaigns: tuple[CampaignPlan, ...]  # the part of each campaign
    rate: float  # the limit in requests a second
    limits: Limits = NO_LIMITS  # checked before the plan is approved
    additional_numbers: bool = False  # whether a match among a record's additional numbers removes it, too
    canary: bool = False  # whether one request is sent before all others
    stand_in: bool = False  # whether the server says that it is a stand-in for Thulium
    keep: Keep = Keep()  # the lists of numbers that must never be removed, and the rows of the input on them
    # These follow from the fields above.
    rows: int = field(init=False)  # rows of the input
    invalid: int = field(init=False)  # rows that hold something, but no number
    empty: int = field(init=False)  # rows whose phone cell is empty
    left_out: int = field(init=False)  # rows that do not meet the conditions
    kept: int = field(init=False)  # rows whose number is on a keep list; they are never sent
    duplicates: int = field(init=False)  # rows whose number is in an earlier row
    numbers: int = field(init=False)  # distinct numbers, including settled ones
    settled: int = field(init=False)  # distinct numbers that are not sent again
    to_send: int = field(init=False)  # distinct numbers to be sent
    requests: int = field(init=False)  # those of the first pass; numbers in a call and retries need more
    problems: tuple[tuple[str, int], ...] = field(init=False)  # the invalid cells by reason, the most common first
    campaign_ids: tuple[str, ...] = field(init=False)  # the identifiers of the campaigns
    confirmed: bool = field(init=False)  # whether each campaign's own records show the requested forms
    least_duration_s: float = field(init=False)  # the shortest time that the limit on the rate allows, in seconds
    rehearsal: Rehearsal = field(init=False)  # whether this is, or may be, a rehearsal

    def __post_init__(self) -> None:
        for names, parts in (
            (("rows", "invalid", "empty", "left_out", "kept", "duplicates"), self.sources),
            (("numbers", "settled", "to_send", "requests"), self.campaigns),
        ):
            _derive(self, **{name: sum(getattr(part, name) for part in parts) for name in names})
        problems = Counter[str]()
        for source in self.sources:
            problems.update(dict(source.damage))
        _derive(
            self,
            problems=tuple(problems.most_common()),
            campaign_ids=tuple(campaign.campaign for campaign in self.campaigns),
            confirmed=all(campaign.confirmed for campaign in self.campaigns),
            least_duration_s=max(0, self.requests - 1) / self.rate,
            rehearsal=Rehearsal.of(self.host, stand_in=self.stand_in),
        )


def rehearsal_told(plan: Plan) -> str:
    """Return a sentence about a server that is not, or may not be, Thulium; empty for any other one."""
    if plan.rehearsal is Rehearsal.STAND_IN:
        return phrase("A rehearsal: {host} is a stand-in for Thulium, so no real campaign is touched.", host=plan.host)
    if plan.rehearsal is Rehearsal.LOOPBACK:
        return phrase(
            "{host} is this machine: unless a tunnel leads from there to Thulium, this is a rehearsal.", host=plan.host
        )
    return ""


TYPED_COUNT_FROM = 100  # from this count on, the operator types the count instead of yes
_YES, _NO = frozenset({"y", "yes", "t", "tak"}), frozenset({"", "n", "no", "nie"})
_COUNT = re.compile("[0-9]+|[0-9]{1,3}(?:[ \u00a0\u202f,.'][0-9]{3})+")


def read_answer(typed: str, numbers: int) -> bool | None:
    """Return the meaning of the operator's answer to "remove so many numbers?"; None if it is neither yes nor no."""
    text = typed.strip().lower()
    if text in _NO:
        return False
    if numbers < TYPED_COUNT_FROM:
        return True if text in _YES else None
    return True if _COUNT.fullmatch(text) and re.sub("[^0-9]", "", text) == str(numbers) else None


class Consent(StrEnum):
    """Who approved a plan, and how."""

    TYPED = "typed at the terminal"
    FLAG = "--yes"
    CODE = "the calling program"
    PAGE = "typed on the local page"


_SEAL = object()


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """A plan that is within its limits and that somebody approved. Only `approve` makes it."""

    plan: Plan
    consent: Consent
    seal: object
    known: Known = NOTHING_KNOWN

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise InvariantError("a plan can only be approved by approve()")


def check_holds_numbers(plan: Plan) -> None:
    """Raise InputError if there is nothing to send, InvariantError if the rows do not add up."""
    if plan.rows != plan.numbers + plan.invalid + plan.empty + plan.left_out + plan.kept + plan.duplicates:
        raise InvariantError("the plan's rows are not the sum of its numbers and of those that are not sent")
    if not plan.numbers and plan.kept:
        check_kept(plan)
        raise InputError(
            "All numbers of the input are on a --keep list.", "Check the list: nothing else is left to remove."
        )
    if not plan.numbers:
        nothing = "The input holds no phone number that could be sent."
        left_out = [problem for source in plan.sources for problem in source.problems if is_left_out(problem[0])]
        reason, count = next(iter([*left_out, *plan.problems]), ("", 0))
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
            "Look at the values of its column in the file, and give --where one of them."
            if left_out
            else "Look at the column and the reasons in the plan; choose another with --column.",
        )


def passed(plan: Plan, known: Known) -> tuple[str, ...]:
    """Return sentences about a plan that its limits allow but that the operator should know."""
    to_send = {campaign.campaign: campaign.to_send for campaign in plan.campaigns}
    unseen = plan.keep.lists and plan.additional_numbers
    return (*unchecked(plan.campaign_ids, plan.limits, known), *emptied(to_send, known), *[_UNSEEN] * bool(unseen))


_UNSEEN = (
    "A record may hold a number of a --keep list as well: with --additional-numbers it is removed all the same, "
    "because the server does not show these numbers."
)


def check_kept(plan: Plan) -> None:
    """Raise GuardStop if the input has numbers that must never be removed, unless they are to be left out."""
    keep = plan.keep
    if not keep.rows or keep.skips:
        return
    raise GuardStop(
        counted(
            keep.rows,
            "{count:,} row holds a number of a --keep list ({lists}): {examples}. Nothing was sent.",
            "{count:,} rows hold numbers of a --keep list ({lists}): {examples}. Nothing was sent.",
            lists=", ".join(harmless(each.file) for each in keep.lists),
            examples=joined(", ", (phrase("row {row} '{cell}'", row=row, cell=cell) for row, cell, _ in keep.examples)),
        ),
        "Check that this is the right file. To remove only the other numbers, add --keep-skips.",
    )


def check_within_limits(plan: Plan, known: Known) -> None:
    """Raise GuardStop if the plan is over a campaign's limits, or has a number that must be kept."""
    check_kept(plan)
    check_limits({campaign.campaign: campaign.to_send for campaign in plan.campaigns}, plan.limits, known)


def check_answer(answer: object) -> None:
    """Check what a program answered to a plan: only True approves it."""
    if answer is False:
        raise GuardStop("The plan was not approved: nothing was sent.", "Check the plan that was passed to approve.")
    if answer is not True:
        raise TypeError(f"approve must return True or False, not {type(answer).__name__}; nothing was sent")


def approve(plan: Plan, consent: Consent, known: Known = NOTHING_KNOWN) -> ApprovedPlan:
    """Return the plan as approved. Raises InputError, GuardStop or TypeError if it cannot be."""
    if not isinstance(consent, Consent):
        raise TypeError(f"a plan is approved by a Consent, not by {type(consent).__name__}; nothing was sent")
    check_holds_numbers(plan)
    check_within_limits(plan, known)
    return ApprovedPlan(plan, consent, _SEAL, known)
