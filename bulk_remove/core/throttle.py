"""All that holds a request back, together: pace, rate and requests at once. Values; times in microseconds.

The order for one request: `slot`, `departure`, and one of `answered`, `pushed_back`, `unanswered` or `withdrawn`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from bulk_remove.core import concurrency, pacing
from bulk_remove.core import rate as rates
from bulk_remove.core.concurrency import Limit
from bulk_remove.core.pacing import SECOND_US, Pace
from bulk_remove.core.quota import PAUSE_MAX_S, Quota
from bulk_remove.core.rate import Rate


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What is never passed, and where to start. Rates in requests a second; the others in requests at once.

    Where not `adaptive`, the ceilings are the pace; only what the server asks for by the clock is still heeded.
    """

    rate: float
    at_once: int
    start_rate: float
    start_at_once: int
    adaptive: bool = True


class Level(StrEnum):
    """How much of the server an operator is willing to use."""

    GENTLE = "gentle"
    STEADY = "steady"
    FULL = "full"
    FIXED = "fixed"


LEVELS = {
    Level.GENTLE: Ceilings(2.0, 2, 1.0, 1),  # beside a busy shift: half of a small pool of PHP workers at the most
    Level.STEADY: Ceilings(5.0, 4, 2.0, 2),  # four at once is the smallest pool that is usual
    Level.FULL: Ceilings(20.0, 16, 2.0, 2),  # at night: whatever the server bears, up to a middling pool
    Level.FIXED: Ceilings(5.0, 4, 5.0, 4, adaptive=False),
}
_PAUSE_MAX_US = round(PAUSE_MAX_S * SECOND_US)
START_SHARE = 10
"""Whoever sets a ceiling high means it: the start is a tenth of it at least."""


def ceilings_of(level: Level, rate: float | None, at_once: int | None) -> Ceilings:
    """Return the ceilings of a level; those that are given overrule its own."""
    usual = LEVELS[level]
    rate, at_once = rate or usual.rate, at_once or usual.at_once
    start_rate = min(rate, max(usual.start_rate, rate / START_SHARE))
    return replace(usual, rate=rate, at_once=at_once, start_rate=start_rate)


class Throttle(NamedTuple):
    """The state. `under_way` counts requests from their slot to their end; `eased` tells of ceilings lowered by hand.

    Those are then in `ceilings`.
    """

    ceilings: Ceilings
    pace: Pace
    rate: Rate
    limit: Limit
    under_way: int = 0
    eased: bool = False

    @property
    def at_once(self) -> int:
        """How many requests may be under way now."""
        return concurrency.allowed_now(self.limit) if self.ceilings.adaptive else self.ceilings.at_once

    @property
    def full(self) -> bool:
        """Whether somebody must come back before another may leave."""
        return self.under_way >= self.at_once


def throttle_for(ceilings: Ceilings, now_us: int) -> Throttle:
    """Return the state at the start."""
    return Throttle(
        ceilings,
        pacing.pace_for(ceilings.rate),
        rates.rate_from(ceilings.start_rate, ceilings.rate, now_us),
        concurrency.limit_from(ceilings.start_at_once, ceilings.at_once),
    )


def rate_now(throttle: Throttle, now_us: int) -> float:
    """Return the present rate, in requests a second, at most the ceiling."""
    return rates.rate_at(throttle.rate, now_us) if throttle.ceilings.adaptive else throttle.ceilings.rate


def borne(throttle: Throttle, now_us: int) -> float | None:
    """Return the requests a second that the server bore, None where it is not known: the operator may have set it."""
    return rates.borne_at(throttle.rate, now_us) if throttle.ceilings.adaptive and not throttle.eased else None


def recapped(throttle: Throttle, ceilings: Ceilings, *, eased: bool, now_us: int) -> Throttle:
    """Keep to other ceilings from now on, at most those of the start; `eased` tells whether they are lower.

    The window in which departures are counted exactly stays that of the start: slots keep to what is lower.
    """
    return throttle._replace(
        ceilings=ceilings,
        rate=rates.recapped(throttle.rate, ceilings.rate, now_us),
        limit=concurrency.recapped(throttle.limit, ceilings.at_once),
        eased=eased,
    )


def rested(throttle: Throttle, from_us: int, now_us: int) -> Throttle:
    """Go on after a pause that the operator wanted, as if there had been none."""
    pace = throttle.pace._replace(next_slot_us=max(throttle.pace.next_slot_us, now_us))
    return throttle._replace(pace=pace, rate=rates.rested(throttle.rate, from_us, now_us))


def slot(throttle: Throttle, now_us: int) -> tuple[Throttle, int]:
    """Ask for a slot, while not `full`. Returns the new state and 0 when there is one, else microseconds to wait."""
    idle_us = pacing.idle_us(throttle.pace, now_us)
    pace, wait_us = pacing.take_slot(throttle.pace, now_us, rate_now(throttle, now_us))
    if wait_us:
        return throttle, wait_us
    idle_us = max(0, min(idle_us, now_us - throttle.rate.since_us) - pacing.LATENESS_US)
    rate = rates.idled(throttle.rate, idle_us) if idle_us else throttle.rate
    return throttle._replace(pace=pace, rate=rate, under_way=throttle.under_way + 1), 0


def departure(throttle: Throttle, now_us: int) -> tuple[Throttle, int]:
    """Ask to go now. Returns the new state and 0 when the request may go, else how many microseconds to wait."""
    pace, wait_us = pacing.depart(throttle.pace, now_us)
    return (
        (throttle, wait_us)
        if wait_us
        else (throttle._replace(pace=pace, rate=rates.departed(throttle.rate, now_us)), 0)
    )


class Trip(NamedTuple):
    """One request on its way: when it left, and how many were under way then, itself included."""

    departed_us: int
    under_way: int


def answered(throttle: Throttle, trip: Trip, now_us: int) -> Throttle:
    """Take note of a reply that shows no strain."""
    return throttle._replace(
        rate=rates.accepted(throttle.rate, trip.departed_us, now_us),
        limit=concurrency.replied(throttle.limit, now_us - trip.departed_us, trip.under_way, now_us),
        under_way=throttle.under_way - 1,
    )


def pushed_back(throttle: Throttle, trip: Trip, now_us: int, pause_us: int | None) -> Throttle:
    """Slow everybody down after a 429 or 503; `pause_us` is how long the server asked to wait, None if it did not."""
    pace = throttle.pace
    pause_us = None if pause_us is None else min(pause_us, _PAUSE_MAX_US)
    later = sum(departed_us > trip.departed_us for departed_us in pace.departures)
    rate = rates.refused(throttle.rate, trip.departed_us, later, now_us, pause_us or 0)
    if throttle.ceilings.adaptive and rate.dropped_us == now_us:
        pace = pacing.slowed(pace, now_us, rates.rate_at(rate, now_us))
    if pause_us is not None:
        pace = pacing.paused(pace, now_us + pause_us)
    return throttle._replace(pace=pace, rate=rate, under_way=throttle.under_way - 1)


def unanswered(throttle: Throttle) -> Throttle:
    """Take note of a request that was lost: the server may be at its limit."""
    return throttle._replace(limit=concurrency.lost(throttle.limit), under_way=throttle.under_way - 1)


def withdrawn(throttle: Throttle) -> Throttle:
    """Take note of a request that did not leave, or says nothing of the server's strength."""
    return throttle._replace(under_way=throttle.under_way - 1)


def told(throttle: Throttle, quota: Quota, now_us: int) -> Throttle:
    """Heed what the server says is left until its limit begins anew."""
    until_us = now_us + min(round(quota.reset_s * SECOND_US), _PAUSE_MAX_US)
    if not quota.remaining:
        return throttle._replace(pace=pacing.paused(throttle.pace, until_us))
    if quota.is_few_at(rate_now(throttle, now_us)):
        return throttle._replace(pace=pacing.spread(throttle.pace, quota.remaining, now_us, until_us))
    return throttle
