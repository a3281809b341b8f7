"""When the next request may go: slots in integer microseconds, so that no rounding ever adds a request.

Two rules, both on values:

* A *slot* is reserved before a request is prepared. Slots stand one interval apart, so the pace is even.
* A *departure* is noted at the moment a request really goes. Workers wake late and unevenly; whatever they do, the
  n-th departure back (n = the rate, rounded up) is at least n/rate seconds old. So no window of one second ever holds
  more requests than the ceiling, and an uneven past is never caught up in a burst.

Strain (a 429 or 503) doubles the interval for everybody at once, up to `SLOWEST`; each reply that shows none wins a
little of it back. The ceiling itself never moves.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

SECOND_US = 1_000_000
SLOWEST = 16.0
"""How far strain can stretch the interval; from five requests a second to one in three seconds."""
RECOVERY = 0.97
"""What one easy reply leaves of the stretch: a halved pace is won back in 23 replies."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The state of the pacer. Times in microseconds of one monotonic clock.

    `interval_us` is the even distance of two slots at the ceiling, `window_us` the time in which at most
    `per_window` requests may depart. `departures` are the latest ones, oldest first.
    """

    interval_us: int
    window_us: int
    per_window: int
    stretch: float = 1.0
    next_slot_us: int = 0
    not_before_us: int = 0
    departures: tuple[int, ...] = ()


def pace_for(requests_per_second: float) -> Pace:
    """Return the state at the start for a ceiling in requests a second (greater than 0)."""
    rate = Fraction(requests_per_second).limit_denominator(10_000)
    per_window = ceil(rate)
    return Pace(ceil(SECOND_US / rate), ceil(per_window * SECOND_US / rate), per_window)


def reserve(pace: Pace, now_us: int) -> tuple[Pace, int]:
    """Take the next free slot; returns the new state and the slot's time."""
    slot_us = max(now_us, pace.next_slot_us, pace.not_before_us)
    return replace(pace, next_slot_us=slot_us + round(pace.interval_us * pace.stretch)), slot_us


def depart(pace: Pace, now_us: int) -> tuple[Pace, int]:
    """Ask to go now. Returns the new state and 0 when the request may go, else how many microseconds to wait."""
    free_us = pace.not_before_us
    if len(pace.departures) >= pace.per_window:
        free_us = max(free_us, pace.departures[-pace.per_window] + pace.window_us)
    if free_us > now_us:
        return pace, free_us - now_us
    return replace(pace, departures=(*pace.departures, now_us)[-pace.per_window :]), 0


def strained(pace: Pace) -> Pace:
    """Slow everybody down after a sign of strain."""
    return replace(pace, stretch=min(SLOWEST, pace.stretch * 2))


def eased(pace: Pace) -> Pace:
    """Win a little of the pace back after a reply without strain."""
    if pace.stretch == 1.0:
        return pace
    return replace(pace, stretch=max(1.0, pace.stretch * RECOVERY))


def paused(pace: Pace, until_us: int) -> Pace:
    """Let nobody depart before `until_us`; an earlier pause that ends later stays."""
    return replace(pace, not_before_us=max(pace.not_before_us, until_us))
