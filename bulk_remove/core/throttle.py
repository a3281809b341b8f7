"""Everything that delays a request: pace, rate and requests at once. Frozen values; times in microseconds.

The order for one request: `slot`, `departure`, then one of `answered`, `pushed_back`, `unanswered` or `withdrawn`.

The time of a pause does not count, neither for the server nor for a number. The operator's keys hold a run or lower
its limits, and never raise them above those of the start. What earlier runs learned about a host gets less weight with
age; its times are Unix seconds.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor
from typing import NamedTuple

from bulk_remove.core import pace as pacing
from bulk_remove.core.model import Brackets
from bulk_remove.core.pace import FLOOR, SECOND_US, Limit, Pace, Rate
from bulk_remove.core.replies import PAUSE_MAX_S, Quota
from bulk_remove.language import phrase


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The limits that are never passed, and where to start. Rates in requests a second; the others in requests at once.

    If not `adaptive`, the pace is always these limits; only waits that the server asks for are still respected.
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
    Level.GENTLE: Ceilings(2.0, 2, 1.0, 1),  # beside a busy shift: at most half of a small pool of PHP workers
    Level.STEADY: Ceilings(5.0, 4, 2.0, 2),  # four at once is the smallest usual pool
    Level.FULL: Ceilings(20.0, 16, 2.0, 2),  # at night: all that the server handles, up to a medium pool
    Level.FIXED: Ceilings(5.0, 4, 5.0, 4, adaptive=False),
}
_PAUSE_MAX_US = round(PAUSE_MAX_S * SECOND_US)
START_SHARE = 10
"""A high limit is meant: the start is at least a tenth of it."""


def ceilings_of(level: Level, rate: float | None, at_once: int | None) -> Ceilings:
    """Return the limits of a level; given limits override the level's own."""
    usual = LEVELS[level]
    rate, at_once = rate or usual.rate, at_once or usual.at_once
    start_rate = min(rate, max(usual.start_rate, rate / START_SHARE))
    return replace(usual, rate=rate, at_once=at_once, start_rate=start_rate)


class Throttle(NamedTuple):
    """The state. `under_way` counts requests from slot to end; `eased`: the limits were lowered by hand.

    The lowered limits are then in `ceilings`.
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
        return pacing.allowed_now(self.limit) if self.ceilings.adaptive else self.ceilings.at_once

    @property
    def full(self) -> bool:
        """Whether a request must end before another may leave."""
        return self.under_way >= self.at_once


def throttle_for(ceilings: Ceilings, now_us: int) -> Throttle:
    """Return the state at the start."""
    return Throttle(
        ceilings,
        pacing.pace_for(ceilings.rate),
        pacing.rate_from(ceilings.start_rate, ceilings.rate, now_us),
        pacing.limit_from(ceilings.start_at_once, ceilings.at_once),
    )


def rate_now(throttle: Throttle, now_us: int) -> float:
    """Return the present rate, in requests a second, at most the limit."""
    return pacing.rate_at(throttle.rate, now_us) if throttle.ceilings.adaptive else throttle.ceilings.rate


def borne(throttle: Throttle, now_us: int) -> float | None:
    """Return the requests a second that the server accepts, None if unknown: the operator may have set the rate."""
    return pacing.borne_at(throttle.rate, now_us) if throttle.ceilings.adaptive and not throttle.eased else None


def recapped(throttle: Throttle, ceilings: Ceilings, *, eased: bool, now_us: int) -> Throttle:
    """Use other limits from now on, at most those of the start; `eased` says whether they are lower.

    The window in which departures are counted exactly stays that of the start; the slots follow the lower limit.
    """
    return throttle._replace(
        ceilings=ceilings,
        rate=pacing.recapped(throttle.rate, ceilings.rate, now_us),
        limit=pacing.recapped_limit(throttle.limit, ceilings.at_once),
        eased=eased,
    )


def rested(throttle: Throttle, from_us: int, now_us: int) -> Throttle:
    """Continue after a pause by the operator as if there had been none."""
    pace = throttle.pace._replace(next_slot_us=max(throttle.pace.next_slot_us, now_us))
    return throttle._replace(pace=pace, rate=pacing.rested(throttle.rate, from_us, now_us))


def slot(throttle: Throttle, now_us: int) -> tuple[Throttle, int]:
    """Ask for a slot, while not `full`. Returns the new state and 0 if there is one, else microseconds to wait."""
    idle_us = pacing.idle_us(throttle.pace, now_us)
    pace, wait_us = pacing.take_slot(throttle.pace, now_us, rate_now(throttle, now_us))
    if wait_us:
        return throttle, wait_us
    idle_us = max(0, min(idle_us, now_us - throttle.rate.since_us) - pacing.LATENESS_US)
    rate = pacing.idled(throttle.rate, idle_us) if idle_us else throttle.rate
    return throttle._replace(pace=pace, rate=rate, under_way=throttle.under_way + 1), 0


def departure(throttle: Throttle, now_us: int) -> tuple[Throttle, int]:
    """Ask to depart now. Returns the new state and 0 if the request may go, else how many microseconds to wait."""
    pace, wait_us = pacing.depart(throttle.pace, now_us)
    return (
        (throttle, wait_us)
        if wait_us
        else (throttle._replace(pace=pace, rate=pacing.departed(throttle.rate, now_us)), 0)
    )


class Trip(NamedTuple):
    """One request on its way: when it left, and how many were under way then, itself included."""

    departed_us: int
    under_way: int


def answered(throttle: Throttle, trip: Trip, now_us: int) -> Throttle:
    """Record a reply that shows no strain."""
    return throttle._replace(
        rate=pacing.accepted(throttle.rate, trip.departed_us, _later(throttle, trip), now_us),
        limit=pacing.replied(throttle.limit, now_us - trip.departed_us, trip.under_way, now_us),
        under_way=throttle.under_way - 1,
    )


def pushed_back(throttle: Throttle, trip: Trip, now_us: int, pause_us: int | None) -> Throttle:
    """Slow down after a 429 or 503; `pause_us` is the wait that the server asked for, None if it asked for none."""
    pace = throttle.pace
    pause_us = None if pause_us is None else min(pause_us, _PAUSE_MAX_US)
    rate = pacing.refused(throttle.rate, trip.departed_us, _later(throttle, trip), now_us, pause_us or 0)
    if throttle.ceilings.adaptive and rate.dropped_us == now_us:
        pace = pacing.slowed(pace, now_us, pacing.rate_at(rate, now_us))
    if pause_us is not None:
        pace = pacing.paused(pace, now_us + pause_us)
    return throttle._replace(pace=pace, rate=rate, under_way=throttle.under_way - 1)


def _later(throttle: Throttle, trip: Trip) -> int:
    """Return how many requests have left after this one."""
    departures = throttle.pace.departures
    return len(departures) - bisect_right(departures, trip.departed_us)


def unanswered(throttle: Throttle) -> Throttle:
    """Record a lost request: the server may be at its limit."""
    return throttle._replace(limit=pacing.lost(throttle.limit), under_way=throttle.under_way - 1)


def withdrawn(throttle: Throttle) -> Throttle:
    """Record a request that did not leave, or shows nothing about the server."""
    return throttle._replace(under_way=throttle.under_way - 1)


def told(throttle: Throttle, quota: Quota, now_us: int) -> Throttle:
    """Respect the quota that the server says is left until its reset."""
    until_us = now_us + min(round(quota.reset_s * SECOND_US), _PAUSE_MAX_US)
    if not quota.remaining:
        return throttle._replace(pace=pacing.paused(throttle.pace, until_us))
    if quota.is_few_at(rate_now(throttle, now_us)):
        return throttle._replace(pace=pacing.spread(throttle.pace, quota.remaining, now_us, until_us))
    return throttle


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses of a session: the ended ones in `over`, as (from, to), and since when one lasts, None if none does."""

    since_us: int | None = None
    over: tuple[tuple[int, int], ...] = ()


def begun(pauses: Pauses, now_us: int) -> Pauses:
    """Begin a pause; a pause that lasts already goes on."""
    return pauses if pauses.since_us is not None else replace(pauses, since_us=now_us)


def ended(pauses: Pauses, now_us: int) -> Pauses:
    """End the pause, if one lasts."""
    if pauses.since_us is None:
        return pauses
    return Pauses(None, (*pauses.over, (pauses.since_us, now_us)))


def held_us(pauses: Pauses, from_us: int, until_us: int) -> int:
    """Return how much of a time was spent in pauses."""
    lasting = [] if pauses.since_us is None else [(pauses.since_us, until_us)]
    return sum(max(0, min(end, until_us) - max(begin, from_us)) for begin, end in (*pauses.over, *lasting))


SHARES = (0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
"""The steps of `+` and `-`: shares of the limits, each about two thirds of the next."""


class Key(StrEnum):
    """A key with a meaning."""

    PAUSE = "p"
    FASTER = "+"
    SLOWER = "-"
    STOP = "q"


_ALSO = {"=": Key.FASTER, "_": Key.SLOWER}
"""The same keys with or without Shift, on keyboards that need it."""

LEGEND = "Keys: p pauses and goes on, - slows down, + speeds up again, q stops safely."


def key_of(typed: str) -> Key | None:
    """Return the key of a character, None for a character without a meaning."""
    if typed in _ALSO:
        return _ALSO[typed]
    return Key(typed.lower()) if typed.lower() in set(Key) else None


@dataclass(frozen=True, slots=True)
class Steering:
    """The operator's present wishes: the limits to use, at most the `given` ones, and whether to pause."""

    given: Ceilings
    ceilings: Ceilings
    paused: bool = False


def steering_from(given: Ceilings) -> Steering:
    """Return the state at the start: all of the given limits may be used."""
    return Steering(given, given)


def ladder(given: Ceilings) -> tuple[Ceilings, ...]:
    """Return the limits of all steps, the lowest first, the given ones last."""
    return tuple(dict.fromkeys(_eased(given, share) for share in SHARES))


def _eased(given: Ceilings, share: float) -> Ceilings:
    rate = max(share * given.rate, min(FLOOR, given.rate))
    return replace(given, rate=rate, at_once=max(1, floor(share * given.at_once + 0.5)))


def pressed(steering: Steering, key: Key) -> tuple[Steering, str]:
    """Return the wishes after a key other than STOP, and the sentence that answers it."""
    if key is Key.PAUSE:
        if steering.paused:
            return replace(steering, paused=False), "Going on."
        held = "Paused: no new request leaves; those under way finish. p goes on."
        return replace(steering, paused=True), held
    steps = ladder(steering.given)
    step = steps.index(steering.ceilings) + (1 if key is Key.FASTER else -1)
    if step == len(steps):
        return steering, phrase("Already at the given limit: {limits}.", limits=_told(steering.ceilings))
    if step < 0:
        return steering, phrase("Already at the slowest: {limits}. p pauses.", limits=_told(steering.ceilings))
    answer = "Faster: {limits}." if key is Key.FASTER else "Slower: {limits}."
    return replace(steering, ceilings=steps[step]), phrase(answer, limits=_told(steps[step]))


def _told(ceilings: Ceilings) -> str:
    return phrase("at most {rate:,.10g} requests/s and {at_once} at once", rate=ceilings.rate, at_once=ceilings.at_once)


LINE_LASTS_S = 30 * 86_400.0
"""Servers change now and then, so after a month this is learned again."""
PACE_LASTS_S = 86_400.0
"""The load that a server handles changes with the hour: after a day, the old figure is worthless."""
KNOWN_SHARE = 0.8
"""The share of a rate learned just now that is safe to start with."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The knowledge about a host; None or 0.0 if unknown.

    `longest_line` is the longest request line that it accepts, in bytes, known since `line_at_s`. `rate` is how many
    requests a second it accepted, and `numbers` how many numbers in each, known since `pace_at_s`. It reads `brackets`
    that are written like this, known since `brackets_at_s`.
    """

    longest_line: int | None = None
    line_at_s: float = 0.0
    rate: float | None = None
    numbers: int | None = None
    pace_at_s: float = 0.0
    brackets: Brackets | None = None
    brackets_at_s: float = 0.0


def fresh(learned: Learned, now_s: float) -> Learned:
    """Return what still counts. Values from the far future, or from no time (NaN), come from a wrong clock or file."""
    if not abs(now_s - learned.line_at_s) < LINE_LASTS_S:
        learned = replace(learned, longest_line=None)
    if not abs(now_s - learned.brackets_at_s) < LINE_LASTS_S:
        learned = replace(learned, brackets=None)
    if not abs(now_s - learned.pace_at_s) < PACE_LASTS_S:
        learned = replace(learned, rate=None, numbers=None)
    return learned


def size_learned(known: int | None, numbers: int, most: int) -> int | None:
    """Return how many numbers in a request the server handled fast enough, None if nothing shows a limit.

    At `most`, the operator allowed no more.
    """
    if numbers < most:
        return numbers
    return None if known is None else max(known, numbers)


def paced(known: Learned, rate: float, ceiling: float, numbers: int | None, now_s: float) -> Learned:
    """Return the knowledge after a run that sent `rate` requests a second under a limit, with `numbers` in each.

    At the limit, the operator allowed no more. So the run does not show that the server now accepts less, and the
    older knowledge keeps its age.
    """
    if rate >= ceiling and known.rate is not None and known.rate >= rate:
        return replace(known, numbers=numbers)
    return replace(known, rate=round(rate, 3), numbers=numbers, pace_at_s=now_s)


def started(ceilings: Ceilings, learned: Learned, now_s: float) -> Ceilings:
    """Return the limits with a start at the rate that the server accepted; the older that is, the lower the start."""
    if learned.rate is None:
        return ceilings
    known = KNOWN_SHARE * learned.rate * (1 - _age(learned, now_s))
    return replace(ceilings, start_rate=min(ceilings.rate, max(ceilings.start_rate, known)))


def first_size(ceiling: int, learned: Learned, now_s: float) -> int:
    """Return the most numbers in the first requests: as many as the server accepted, and more the older that is."""
    if learned.numbers is None or learned.numbers >= ceiling:
        return ceiling
    return round(learned.numbers + (ceiling - learned.numbers) * _age(learned, now_s))


def _age(learned: Learned, now_s: float) -> float:
    """Return the age of the rate, from 0.0 (just now) to 1.0 (a day)."""
    return min(1.0, max(0.0, now_s - learned.pace_at_s) / PACE_LASTS_S)
