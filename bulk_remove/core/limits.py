"""The limits that stop a run although no single number is wrong.

Most compare figures known before the first request; `core.plan.approve` applies them to a plan. The canary is the
first chunk. It is sent before all others and its result decides whether they follow. `Lately` watches the share of
missing numbers during the whole run.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from bulk_remove.core.lifecycle import status_of, was_found
from bulk_remove.core.model import Alike, NumberState, Status
from bulk_remove.errors import GuardStop, UsageError
from bulk_remove.language import Phrase, counted, joined, ours, phrase

MAX_INVALID = 0.05
"""The share of the rows that may be invalid. A good list has few; a wrong column or a damaged export has many."""
FEW_INVALID = 10  # fewer invalid rows stop a run only if they are more than half of all rows
MAX_SHARE = 0.5  # the default share of a campaign's records that a run may request, if the records are counted

_SHOWN_REASONS = 3
_SHOWN_BREACHES = 3
_SHOWN_EXAMPLES = 5
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) *(%?)")


def check_invalid_share(
    rows: int,
    invalid: int,
    problems: Sequence[tuple[str, int]],
    max_share: float,
    examples: Sequence[tuple[int, str, str]],
) -> None:
    """Raise GuardStop if more than `max_share` (0 to 1) of the rows are invalid; empty cells are not counted at all."""
    if invalid >= rows or invalid / rows <= max_share:
        return
    if max_share and invalid < FEW_INVALID and 2 * invalid <= rows:
        return
    shown_reasons = problems[:_SHOWN_REASONS]
    reasons = joined(
        "; ", (phrase("{count:,} x {reason:bare}", count=n, reason=ours(each)) for each, n in shown_reasons)
    )
    shown = [phrase("row {row} '{cell}'", row=row, cell=cell) for row, cell, _ in examples[:_SHOWN_EXAMPLES]]
    more = phrase("; for example {listed}", listed=joined(", ", shown)) if shown else ""
    share = Fraction(invalid, rows)
    raise GuardStop(
        counted(
            invalid,
            "{count:,} of {rows:,} rows ({share}) has no number that can be sent; the limit is {max_share:g}%: "
            "{reasons}{more}. Nothing was sent.",
            "{count:,} of {rows:,} rows ({share}) have no number that can be sent; the limit is {max_share:g}%: "
            "{reasons}{more}. Nothing was sent.",
            rows=rows,
            share=_percent_up(share, 1),
            max_share=100 * max_share,
            reasons=reasons,
            more=more,
        ),
        phrase(
            "Look at them with plan: the column may be the wrong one, or the export damaged. If they "
            "are right, let them through with --max-invalid {share}.",
            share=f"{ceil(share * 100)}%",
        ),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a run may request of one campaign; None means no limit."""

    max_numbers: int | None = None
    max_share: float | None = None
    max_times_usual: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the campaigns before anything is sent to them."""

    records: Mapping[str, int] = field(default_factory=dict)
    earlier: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def usual(self, campaign: str) -> float | None:
        """Return the median of the numbers that the campaign's earlier runs sent; None if there are none."""
        sizes = sorted(self.earlier.get(campaign, ()))
        if not sizes:
            return None
        return (sizes[(len(sizes) - 1) // 2] + sizes[len(sizes) // 2]) / 2


NO_LIMITS = Limits(max_share=1)
NOTHING_KNOWN = Known()


class _Breach(NamedTuple):
    """A passed limit and the flag that raises it; the flag does not help if the limit could not be `checked`."""

    sentence: str
    flag: str
    checked: bool = True


def check_limits(to_send: Mapping[str, int], limits: Limits, known: Known) -> None:
    """Raise GuardStop if the numbers for any campaign are over a limit."""
    breaches = [breach for campaign, count in to_send.items() for breach in _breaches(campaign, count, limits, known)]
    if not breaches:
        return
    told = joined("; ", (breach.sentence for breach in breaches[:_SHOWN_BREACHES]))
    left = len(breaches) - _SHOWN_BREACHES
    more = phrase("; and {left:,} more of this kind", left=left) if left > 0 else ""
    steps = []
    if passed := [breach.flag for breach in breaches if breach.checked]:
        flags = joined(", ", dict.fromkeys(passed))
        steps.append(
            phrase(
                "Check file and campaign in the plan. If both are right, set a higher limit with {flags}.", flags=flags
            )
        )
    if len(passed) < len(breaches):
        steps.append(phrase("Give the API user the right to list the campaign's records, or leave --max-share out."))
    raise GuardStop(phrase("{breaches}{more}. Nothing was sent.", breaches=told, more=more), joined(" ", steps))


def _breaches(campaign: str, count: int, limits: Limits, known: Known) -> Iterator[_Breach]:
    if limits.max_numbers is not None and count > limits.max_numbers:
        told = counted(
            count,
            "{count:,} number would be sent to campaign {campaign}; the limit is {max_numbers:,}",
            "{count:,} numbers would be sent to campaign {campaign}; the limit is {max_numbers:,}",
            campaign=campaign,
            max_numbers=limits.max_numbers,
        )
        yield _Breach(told, "--max-numbers")
    records = known.records.get(campaign)
    if count and (limits.max_share is not None or records):
        yield from _share_breach(campaign, count, MAX_SHARE if limits.max_share is None else limits.max_share, records)
    usual = known.usual(campaign)
    if limits.max_times_usual is not None and usual and count / usual > limits.max_times_usual:
        times = Fraction(count) / Fraction(usual)
        runs = len(known.earlier[campaign])
        told = counted(
            count,
            "{count:,} number is {times} times the {usual:,.10g} that a run of campaign {campaign} "
            "usually sends (median of {runs:,}); the limit is {max_times_usual:,.10g} times",
            "{count:,} numbers are {times} times the {usual:,.10g} that a run of campaign {campaign} "
            "usually sends (median of {runs:,}); the limit is {max_times_usual:,.10g} times",
            times=phrase("{times:,.10g}", times=_up(times, 1)),
            usual=usual,
            campaign=campaign,
            runs=runs,
            max_times_usual=limits.max_times_usual,
        )
        yield _Breach(told, "--max-times-usual")


def _share_breach(campaign: str, count: int, max_share: float, records: int | None) -> Iterator[_Breach]:
    if max_share >= 1:
        return
    if records is None:
        told = phrase(
            "the record count of campaign {campaign} is not known, so --max-share {share:g}%",
            campaign=campaign,
            share=100 * max_share,
        )
        yield _Breach(phrase("{limit} cannot be checked", limit=told), "--max-share", checked=False)
    elif not records or count / records > max_share:
        told = counted(
            count,
            "{count:,} number is {share} of {records} of campaign {campaign}",
            "{count:,} numbers are {share} of {records} of campaign {campaign}",
            share=share_told(count, records) if records else phrase("more than all"),
            records=counted(records, "the {count:,} record", "the {count:,} records"),
            campaign=campaign,
        )
        yield _Breach(phrase("{found}; the limit is {share:g}%", found=told, share=100 * max_share), "--max-share")


def emptied(to_send: Mapping[str, int], known: Known) -> Iterator[str]:
    """Yield a sentence for each campaign that has no more records than the run would send numbers."""
    for campaign, count in to_send.items():
        records = known.records.get(campaign)
        if records is not None and count >= max(records, 1):
            yield counted(
                count,
                "{count:,} number for {records} of campaign {campaign}: the run may empty it.",
                "{count:,} numbers for {records} of campaign {campaign}: the run may empty it.",
                records=counted(records, "the {count:,} record", "the {count:,} records"),
                campaign=campaign,
            )


def unchecked(campaigns: Sequence[str], limits: Limits, known: Known) -> tuple[str, ...]:
    """Return sentences about the limits that could not be checked because there was nothing to compare with."""
    new = [campaign for campaign in campaigns if known.usual(campaign) is None]
    if limits.max_times_usual is None or not new:
        return ()
    named = ", ".join(new[:_SHOWN_BREACHES]) + (", ..." if len(new) > _SHOWN_BREACHES else "")
    return (
        phrase(
            "No completed run of campaign {named} is known on this machine: --max-times-usual had nothing to compare "
            "with, and let it pass.",
            named=named,
        ),
    )


def parse_share(text: str, flag: str = "--max-invalid") -> float:
    """Read a share such as `5%` or `0.05`, from 0 to 1; `flag` is the flag that gave it. Raises UsageError."""
    found = _SHARE.fullmatch(text.strip())
    share = Fraction(found[1]) / (100 if found[2] else 1) if found else None
    if not found or share is None or share > 1 or (share == 1 and not found[2]):
        raise UsageError("{flag} is {text!r}, which is not a share.", "Give it as 5% or as 0.05.", flag=flag, text=text)
    return float(share)


def share_told(count: int, records: int) -> Phrase:
    """Return the share of the records in percent, rounded up; small shares have more decimals."""
    share = Fraction(count, records)
    return _percent_up(share, 1 if share * 10 >= 1 else 2 if share * 100 >= 1 else 4)


def _percent_up(share: Fraction, decimals: int) -> Phrase:
    return phrase("{percent:,.10g}%", percent=_up(share * 100, decimals))


def _up(value: Fraction, decimals: int) -> float:
    return float(Fraction(ceil(value * 10**decimals), 10**decimals))


MAX_NOT_EXIST = 0.9
"""If more than this share of the first numbers is missing, the list, the campaign or the form is probably wrong."""

_THERE = (Status.REMOVED, Status.CALL_IN_PROGRESS)


def judge_canary(mix: Mapping[Status, int], max_not_exist: float, run_id: str, left: int) -> GuardStop | None:
    """Return why the rest must not follow, None if it may. `mix` counts the canary's numbers by status."""
    missing = mix.get(Status.NOT_EXIST, 0)
    told = missing + sum(mix.get(status, 0) for status in _THERE)
    if max_not_exist >= 1 or not sum(mix.values()) or (told and missing / told <= max_not_exist):
        return None
    if told:
        percent = ceil(Fraction(missing, told) * 100)
        what = counted(
            told,
            "The {count:,} number sent first ({percent}%) is not there",
            "Of {count:,} numbers sent first, {missing}",
            percent=percent,
            missing=counted(
                missing, "{count:,} ({percent}%) is not there", "{count:,} ({percent}%) are not there", percent=percent
            ),
        )
    else:
        percent = 100
        what = counted(
            sum(mix.values()),
            "The {count:,} number sent first is not known to have been there",
            "Of {count:,} numbers sent first, none is known to have been there",
        )
    over = phrase("{what}; the limit is {max_not_exist:g}%", what=what, max_not_exist=100 * max_not_exist)
    if not left:
        return GuardStop(
            "{over}. That was the whole list.",
            "Look at the report: the campaign or --number-format may be wrong.",
            over=over,
        )
    return GuardStop(
        "{over}: the rest was not sent.",
        "Look at the report: the campaign or --number-format may be wrong. If it is right, go on "
        "with: bulk-remove resume {run_id} --canary-max-not-exist {percent}%.",
        over=over,
        run_id=run_id,
        percent=percent,
    )


def canary_declined(run_id: str) -> GuardStop:
    """Return the stop for a run whose operator did not let the rest follow."""
    return GuardStop(
        "Not confirmed after the first request: the rest was not sent.",
        phrase("Look at the report; to go on after all: bulk-remove resume {run_id}.", run_id=run_id),
    )


LATELY_NUMBERS = 2000  # how many of the numbers answered last count for --stop-when-missing
LATELY_FEWEST = 200
"""After fewer answered numbers --stop-when-missing does not stop a run yet: their share means little."""


class Batch(NamedTuple):
    """Numbers answered together, and how many of them are not in the campaign."""

    answered: int
    missing: int


@dataclass(frozen=True, slots=True)
class Lately:
    """The numbers of a campaign answered last, in whole batches, the oldest first, with their sums."""

    batches: tuple[Batch, ...] = ()
    answered: int = 0
    missing: int = 0

    def and_batch(self, batch: Batch) -> "Lately":
        """Return the numbers with one more batch, without the oldest batches that are not needed any more."""
        if not batch.answered:
            return self
        batches, answered, missing = (
            (*self.batches, batch),
            self.answered + batch.answered,
            self.missing + batch.missing,
        )
        first = 0
        while answered - batches[first].answered >= LATELY_NUMBERS:
            answered -= batches[first].answered
            missing -= batches[first].missing
            first += 1
        return Lately(batches[first:], answered, missing)

    def stop(self, limit: float | None, run_id: str, campaign: str) -> GuardStop | None:
        """Return why the rest must not be sent; None if it may. A limit of 1 or None never stops a run."""
        if limit is None or limit >= 1 or self.answered < LATELY_FEWEST or self.missing < limit * self.answered:
            return None
        share = Fraction(self.missing, self.answered)
        return GuardStop(
            counted(
                self.missing,
                "Of the {answered:,} numbers answered last, {count:,} ({share}) is not in campaign {campaign}; "
                "the limit is {limit:g}%: the rest was not sent.",
                "Of the {answered:,} numbers answered last, {count:,} ({share}) are not in campaign {campaign}; "
                "the limit is {limit:g}%: the rest was not sent.",
                answered=self.answered,
                share=_percent_up(share, 1),
                campaign=campaign,
                limit=100 * limit,
            ),
            phrase(
                "Look at the last rows of the report: they may belong to another campaign. If they are right, go on "
                "with: bulk-remove resume {run_id} --stop-when-missing {percent}%.",
                run_id=run_id,
                percent=min(100, floor(share * 100) + 1),
            ),
        )


def batch_of(before: Alike[NumberState], after: Alike[NumberState], gone: Sequence[int] = ()) -> Batch:
    """Return which of a chunk's numbers were answered, by their states before and after.

    A number that was found in a call earlier in this session was counted then. A number in doubt does not count: it may
    have been there. A missing number in `gone` (by index) does not count either: an earlier run removed it.
    """
    pairs = Counter(zip(before.which, after.which, strict=True))
    for place in gone:
        if _is_there(after[place]) is False:
            pairs[before.which[place], after.which[place]] -= 1
    answered = missing = 0
    for (old, new), count in pairs.items():
        there = _is_there(after.kinds[new])
        if there is not None and not before.kinds[old].busy_since_s:
            answered += count
            missing += count * (not there)
    return Batch(answered, missing)


def batch_of_settled(states: Mapping[int, NumberState], gone: Collection[int]) -> Batch:
    """Return the same of states in a ledger. A number in a call does not count: it is asked for again."""
    there = Counter(
        _is_there(state)
        for place, state in states.items()
        if status_of(state.phase) is not Status.CALL_IN_PROGRESS and not (place in gone and _is_there(state) is False)
    )
    return Batch(there[True] + there[False], there[False])


def _is_there(state: NumberState) -> bool | None:
    """Return whether the campaign holds, or held, a number; None if the server has not answered that."""
    status = status_of(state.phase)
    if status in _THERE or (status is Status.NOT_EXIST and was_found(state)):
        return True
    return False if status is Status.NOT_EXIST else None
