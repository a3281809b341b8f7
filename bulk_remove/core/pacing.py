"""When the next request may go: times in integer microseconds, so that no rounding ever adds a request.

Two rules, both on values:

* A *slot* is taken before a request is prepared. Slots stand one interval of the present rate apart, so the pace is
  even. Whoever wakes late is at most `LATENESS_US` late for all that follow.
* A *departure* is noted at the moment a request really goes. Workers wake late and unevenly; whatever they do, the
  n-th departure back (n = the ceiling, rounded up) is at least n/ceiling seconds old. So no window of one second ever
  holds more requests than the ceiling, and an uneven past is never caught up in a burst.

How fast slots follow is core/rate.py's to say. The ceiling itself never moves.
"""

from fractions import Fraction
from math import ceil
from typing import NamedTuple

SECOND_US = 1_000_000
LATENESS_US = 20_000
"""How late a slot may be taken without putting the next one off; a loop's timers are late by a few milliseconds."""


class Pace(NamedTuple):
    """The state of the pacer. Times in microseconds of one monotonic clock.

    `interval_us` is the even distance of two slots at the ceiling, `window_us` the time in which at most
    `per_window` requests may depart. `spread_us` is the least distance of two slots before `spread_until_us`.
    `departures` are the latest ones, oldest first.
    """

    interval_us: int
    window_us: int
    per_window: int
    next_slot_us: int = 0
    not_before_us: int = 0
    spread_us: int = 0
    spread_until_us: int = 0
    departures: tuple[int, ...] = ()


def pace_for(requests_per_second: float) -> Pace:
    """Return the state at the start for a ceiling in requests a second (greater than 0)."""
    rate = Fraction(requests_per_second).limit_denominator(10_000)
    per_window = ceil(rate)
    return Pace(ceil(SECOND_US / rate), ceil(per_window * SECOND_US / rate), per_window)


def take_slot(pace: Pace, now_us: int, requests_per_second: float) -> tuple[Pace, int]:
    """Ask for a slot now. Returns the new state and 0 when there is one, else how many microseconds to wait.

    The rate is the present one; above the ceiling it is the ceiling.
    """
    free_us = max(pace.next_slot_us, pace.not_before_us)
    if free_us > now_us:
        return pace, free_us - now_us
    interval_us = max(pace.interval_us, ceil(SECOND_US / requests_per_second))
    if now_us < pace.spread_until_us:
        interval_us = max(interval_us, pace.spread_us)
    return pace._replace(next_slot_us=max(free_us, now_us - LATENESS_US) + interval_us), 0


def idle_us(pace: Pace, now_us: int) -> int:
    """Return for how long a slot has been free: then it is not the pace that holds requests up."""
    return max(0, now_us - max(pace.next_slot_us, pace.not_before_us))


def depart(pace: Pace, now_us: int) -> tuple[Pace, int]:
    """Ask to go now. Returns the new state and 0 when the request may go, else how many microseconds to wait."""
    free_us = pace.not_before_us
    if len(pace.departures) >= pace.per_window:
        free_us = max(free_us, pace.departures[-pace.per_window] + pace.window_us)
    if free_us > now_us:
        return pace, free_us - now_us
    return pace._replace(departures=(*pace.departures, now_us)[-pace.per_window :]), 0


def paused(pace: Pace, until_us: int) -> Pace:
    """Let nobody depart before `until_us`; an earlier pause that ends later stays."""
    return pace._replace(not_before_us=max(pace.not_before_us, until_us))


def slowed(pace: Pace, now_us: int, requests_per_second: float) -> Pace:
    """Have the next slot come no sooner than one interval of a rate that has just fallen."""
    return pace._replace(next_slot_us=max(pace.next_slot_us, now_us + ceil(SECOND_US / requests_per_second)))


def spread(pace: Pace, requests: int, now_us: int, until_us: int) -> Pace:
    """Spread so many requests evenly over the time until `until_us`, if that is slower than the pace."""
    return pace._replace(spread_us=(until_us - now_us) // requests, spread_until_us=until_us)
