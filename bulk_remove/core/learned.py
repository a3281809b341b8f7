"""What earlier runs learned of a host, and what of it still counts. Times in Unix seconds."""

from dataclasses import dataclass, replace

from bulk_remove.core.throttle import Ceilings

LINE_LASTS_S = 30 * 86_400.0
"""Servers are changed now and then: what was learned a month ago is learned anew."""
PACE_LASTS_S = 86_400.0
"""How much a server bears changes with the hour: from day to day nothing is left of it."""
START_SHARE = 0.8
"""The share of a pace learned just now that is safe to start with."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of a host; None or 0.0 where it is not.

    `longest_line` is the longest request line that it takes, in bytes, known since `line_at_s`; `rate` how many
    requests a second it bore and `numbers` how many numbers in each, known since `pace_at_s`.
    """

    longest_line: int | None = None
    line_at_s: float = 0.0
    rate: float | None = None
    numbers: int | None = None
    pace_at_s: float = 0.0


def fresh(learned: Learned, now_s: float) -> Learned:
    """Return what still counts. What was learned in a distant future was learned by a clock that was wrong."""
    if abs(now_s - learned.line_at_s) >= LINE_LASTS_S:
        learned = replace(learned, longest_line=None)
    if abs(now_s - learned.pace_at_s) >= PACE_LASTS_S:
        learned = replace(learned, rate=None, numbers=None)
    return learned


def paced(known: Learned, rate: float, ceiling: float, numbers: int, now_s: float) -> Learned:
    """Return what is known after a run that sent `rate` requests a second under a ceiling, with `numbers` in each.

    At the ceiling it was the operator who allowed no more: that the server accepts less than it did is not learned, and
    what is known of it grows no younger.
    """
    if rate >= ceiling and known.rate is not None and known.rate >= rate:
        return replace(known, numbers=numbers)
    return replace(known, rate=round(rate, 3), numbers=numbers, pace_at_s=now_s)


def started(ceilings: Ceilings, learned: Learned, now_s: float) -> Ceilings:
    """Return the ceilings with a start as high as was borne, the less so the longer ago."""
    if learned.rate is None:
        return ceilings
    known = START_SHARE * learned.rate * (1 - _age(learned, now_s))
    return replace(ceilings, start_rate=min(ceilings.rate, max(ceilings.start_rate, known)))


def first_size(ceiling: int, learned: Learned, now_s: float) -> int:
    """Return how many numbers the first requests may hold: as many as were borne, the more the longer ago."""
    if learned.numbers is None or learned.numbers >= ceiling:
        return ceiling
    return round(learned.numbers + (ceiling - learned.numbers) * _age(learned, now_s))


def _age(learned: Learned, now_s: float) -> float:
    """Return how old the pace is, from 0.0 (just now) to 1.0 (a day)."""
    return min(1.0, max(0.0, now_s - learned.pace_at_s) / PACE_LASTS_S)
