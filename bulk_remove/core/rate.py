"""How many requests a second the server bears, found out by asking: a state machine on values.

Rules like CUBIC's (RFC 9438; the adaptive retries of AWS's SDKs) saw up and down about the limit and have a few in a
hundred requests refused for ever. This one looks for the limit, then stays just under it:

* *Seek.* From a modest start the rate doubles every few seconds, until a request is refused.
* *Drop.* A refusal (429, 503) lowers the rate at once to what was *measured*: a limiter that refuses is empty, so what
  it accepts from one refusal to the next is what it lets through, exactly, whatever it had saved up before. A request
  that left before the last drop tells nothing new. A limiter that lets nothing through for seconds has a budget for a
  longer time, so the time shut out counts, too.
* *Hold.* The rate stays a little below that. Each time that the limit is found at the same place, longer: as long as
  keeps refusals and pauses rare.
* *Probe.* Then it climbs, first hardly, then faster and faster: a limit that has not moved is met with a small excess
  and the rate goes back to what was held; one that has moved far is found within half a minute.

The clock of hold and probe stands still while the rate is not what holds requests up: what is not tried is not learnt.
"""

from itertools import accumulate
from math import ceil, exp2
from typing import NamedTuple

SECOND_US = 1_000_000
FLOOR = 0.25
"""Requests a second that are always tried, in the worst of times: one in four seconds."""
MARGIN = 0.98
"""The share of the measured rate that is held."""
SEEK_DOUBLES_US = 4 * SECOND_US
PROBE_LINEAR = 0.1
PROBE_LINEAR_US = 20 * SECOND_US
"""A probe adds this share evenly over that time: a limit that has not moved is met gently ..."""
MOVED = 1.5
"""A limit so many times higher than what was held is another one."""
PROBE_DOUBLES_US = 3 * SECOND_US
"""... and then doubles its excess this often: one that has moved is found soon."""
HOLD_FIRST_US = 10 * SECOND_US
HOLD_DOUBLED_US = 60 * SECOND_US
HOLD_MAX_US = 600 * SECOND_US
COST_SHARE = 60
"""A pause after a failed probe is at most this part of the hold that follows."""
REQUESTS_PER_REFUSAL = 200
"""So many requests are held for each one refused: half a per cent at most."""
SAME_PLACE = 0.1
"""Limits that are closer together than this share are one limit."""
ANOTHER_PLACE = 0.3
"""Limits that are further apart have nothing to do with each other."""
BLIND_DROP = 0.7
"""What is left of the rate after a refusal before enough was accepted to measure anything."""
MEASURABLE = 3
"""So many accepted requests make a measurement."""
SAVED_UP_US = SECOND_US
"""What a limiter may save up while less is sent: a second's worth, the usual size of a bucket, until it shows more."""
SAVED_UP_MAX_US = 8 * SECOND_US
LONG_PAUSE_US = 10 * SECOND_US
"""A shorter pause is a penalty, a longer one may be what is left of the time of a budget."""
TELLING = 20
"""So many requests lately make a rate worth to be told."""
SHUT_FIRST_US = SECOND_US // 2
SHUT_MAX_US = 5 * SECOND_US // 2
SHUT_LONG_US, SHUT_LONG = 2 * SECOND_US, 4
"""Shut out for so long, and for the time of so many requests, is no matter of a moment: a budget for a longer time, its
*period*, is used up."""
PERIOD_MAX_S = 120
PERIOD_MAX_US = PERIOD_MAX_S * SECOND_US
PERIODS_HELD = 1.5
"""A rate counts as borne when it was held for so many periods: one of them was whole."""
SLOWER_PROBE_US = 10 * SECOND_US
"""So many microseconds of a period make a probe slower once more: its excess must fit into one period."""
LATELY_S = 30
"""So many of the last seconds are looked at for what goes through lately."""


class Rate(NamedTuple):
    """What is known of the server's limit. Rates in requests a second, times in microseconds of one monotonic clock.

    `base` is the rate that is sought from or held, since `since_us`, for `hold_us`. `period_us` is the time for which
    the server has a budget, 0 where it seems to have none; `saved_up_us` is how much time's worth it seems to save up.
    `good` is a rate that was held for its whole time before the last refusal, 0.0 if there was none. `dropped_us` is
    when a refusal last lowered the rate; `sent` requests have left since, and whether one of them was accepted is
    `fresh`. `bold` tells that the rate was lowered to what may have been saved up only. `pause_us` is how long the
    server asked to wait then, `span_us` the time before. `shut_us` is the distance of
    requests while all are refused, 0 when they are not, since `shut_from_us`. `wall` is where the limit was last
    found, `level` how often in a row, `refusals` how many were refused that time. `recent` counts departures by
    second, the last since `recent_at_us`.
    """

    ceiling: float
    base: float
    since_us: int
    seeking: bool = True
    hold_us: int = HOLD_FIRST_US
    period_us: int = 0
    good: float = 0.0
    dropped_us: int = 0
    sent: int = 0
    fresh: bool = True
    saved_up_us: int = SAVED_UP_US
    bold: bool = False
    pause_us: int = 0
    span_us: int = 0
    shut_us: int = 0
    shut_from_us: int = 0
    wall: float = 0.0
    level: int = 0
    refusals: int = 0
    recent_at_us: int = 0
    recent: tuple[int, ...] = (0,)


def rate_from(start: float, ceiling: float, now_us: int) -> Rate:
    """Return the state at the start; `start` and `ceiling` in requests a second, greater than 0."""
    return Rate(ceiling, min(start, ceiling), now_us, dropped_us=now_us, recent_at_us=now_us)


def rate_at(rate: Rate, now_us: int) -> float:
    """Return the requests a second that may be sent now, never above the ceiling."""
    if rate.shut_us:
        wanted = SECOND_US / rate.shut_us
    elif rate.seeking:
        wanted = rate.base * exp2(min(32.0, (now_us - rate.since_us) / SEEK_DOUBLES_US))
    else:
        wanted = rate.base * (1 + _excess(rate, now_us - rate.since_us - hold_of(rate)))
    return min(rate.ceiling, max(FLOOR, wanted))


def borne_at(rate: Rate, now_us: int) -> float | None:
    """Return the rate that the server bore, what a probe adds left out; None before enough has left to tell."""
    if rate.shut_us or sum(rate.recent) < TELLING:
        return None
    return rate_at(rate, now_us) if rate.seeking else min(rate.ceiling, rate.base)


def _excess(rate: Rate, probing_us: int) -> float:
    """Return by which share of what is held a probe is above it."""
    slowness = max(1, rate.period_us // SLOWER_PROBE_US)
    linear_us = PROBE_LINEAR_US * slowness
    if probing_us <= linear_us:
        return PROBE_LINEAR * max(0, probing_us) / linear_us
    return PROBE_LINEAR * exp2(min(32.0, (probing_us - linear_us) / (PROBE_DOUBLES_US * slowness)))


def hold_of(rate: Rate) -> int:
    """Return how long the rate is held, in microseconds: the longer, the more requests the last probe had refused."""
    if not rate.level:
        return rate.hold_us
    earned_us = rate.refusals * REQUESTS_PER_REFUSAL * SECOND_US / rate.base
    return min(HOLD_MAX_US, max(rate.hold_us, round(earned_us)))


def idled(rate: Rate, idle_us: int) -> Rate:
    """Let the clock of hold and probe stand still for a time in which the rate held nobody up."""
    return rate._replace(since_us=rate.since_us + idle_us)


def recapped(rate: Rate, ceiling: float, now_us: int) -> Rate:
    """Keep to another ceiling from now on. What lay above the old one was never tried: it is climbed to from there."""
    if rate_at(rate, now_us) < rate.ceiling:
        return rate._replace(ceiling=ceiling)
    base = rate.ceiling if rate.seeking else rate.base  # what was measured is known to be borne
    return rate._replace(ceiling=ceiling, base=base, since_us=max(rate.since_us, now_us))


def rested(rate: Rate, from_us: int, now_us: int) -> Rate:
    """Leave out a time in which nothing was sent because nobody wanted it: it says nothing of the server."""

    def moved(at_us: int) -> int:
        return at_us + max(0, now_us - max(at_us, from_us))

    return rate._replace(
        since_us=moved(rate.since_us),
        dropped_us=moved(rate.dropped_us),
        shut_from_us=moved(rate.shut_from_us),
        recent_at_us=moved(rate.recent_at_us),
    )


def departed(rate: Rate, now_us: int) -> Rate:
    """Take note that a request leaves."""
    recent_at_us, recent = rate.recent_at_us, rate.recent
    passed = (now_us - recent_at_us) // SECOND_US
    if passed > 0:
        recent = (*recent, *(0,) * min(passed, PERIOD_MAX_S))[-PERIOD_MAX_S:]
        recent_at_us += passed * SECOND_US
    recent = (*recent[:-1], recent[-1] + 1)
    return rate._replace(sent=rate.sent + 1, recent=recent, recent_at_us=recent_at_us)


def accepted(rate: Rate, departed_us: int, now_us: int) -> Rate:
    """Take note of a request that the server took on, when its reply came."""
    if rate.fresh or departed_us < rate.dropped_us:
        return rate
    rate = rate._replace(fresh=True)
    if rate.shut_us:
        return _reopened(rate, departed_us, now_us)
    if rate.period_us and not rate.pause_us and not rate.seeking:
        # More was let through at once: no budget is used up.
        return rate._replace(period_us=0, wall=rate.base / MARGIN)
    return rate


def refused(rate: Rate, departed_us: int, later: int, now_us: int, pause_us: int = 0) -> Rate:
    """Slow down at once, as the server asked for.

    `later` is how many requests have left after this one, `pause_us` how long the server asked to wait, 0 when it did
    not say.
    """
    if departed_us < rate.dropped_us:
        return rate._replace(refusals=rate.refusals + 1)
    if not rate.fresh:
        return _shut_out(rate, now_us, pause_us)
    was = rate_at(rate, now_us)
    probing = not rate.seeking and now_us - rate.since_us > hold_of(rate)
    good = rate.base if probing else 0.0
    span = max(0, rate.sent - later - 1)
    span_us = max(1, departed_us - rate.dropped_us - rate.pause_us)
    cycle_us = _cycle_us(rate, span, span_us, pause_us)
    if cycle_us:
        found = _Found(_in_last(rate, cycle_us - pause_us, of_us=cycle_us), rate.saved_up_us)
    elif probing or rate.seeking:
        found = _climbed(rate, good, now_us)
    else:
        found = _exceeded(rate, was, span, span_us)
    limit = min(was, found.limit)
    period_us = min(PERIOD_MAX_US, cycle_us) or (rate.period_us if limit < MOVED * rate.base else 0)
    level, wall = _level(rate, limit, borne=probing), limit
    if period_us and not cycle_us:  # the end of the time shut out will show the limit
        level, wall = rate.level, rate.wall
    return rate._replace(
        base=max(FLOOR, min(was, max(good, MARGIN * limit))),
        since_us=now_us + pause_us,
        seeking=False,
        hold_us=_hold_us(level, pause_us, period_us),
        period_us=period_us,
        good=good,
        saved_up_us=found.saved_up_us,
        bold=found.bold,
        dropped_us=now_us,
        sent=0,
        fresh=False,
        pause_us=pause_us,
        span_us=span_us,
        wall=wall,
        level=level,
        refusals=1 if probing else rate.refusals + 1,
    )


class _Found(NamedTuple):
    """A limit that was met, how much time's worth the limiter seems to save up, and whether that was left out."""

    limit: float
    saved_up_us: int
    bold: bool = False


def _cycle_us(rate: Rate, span: int, span_us: int, pause_us: int) -> int:
    """Return the time for which the server gives a budget, where a pause shows that; else 0.

    What is used up in less than twice the time until there is more is a budget for both times together.
    """
    if pause_us >= max(LONG_PAUSE_US, span_us / 2) and span >= MEASURABLE:
        return span_us + pause_us
    return rate.period_us if pause_us else 0


def _climbed(rate: Rate, good: float, now_us: int) -> _Found:
    """Return the limit that the rate climbed past; where it seems to be a new one, boldly."""
    saved_up_us = 0 if good and rate.bold else rate.saved_up_us  # what was tried boldly was borne: nothing is saved up
    limit = _lately(rate, now_us, saved_up_us)
    if limit < good or saved_up_us > SAVED_UP_US:
        saved_up_us = saved_up_us * 3 // 4
    bold = abs(limit - rate.wall) > ANOTHER_PLACE * limit
    return _Found(_lately(rate, now_us, 0) if bold else limit, saved_up_us, bold)


def _exceeded(rate: Rate, was: float, span: int, span_us: int) -> _Found:
    """Return the limit that is lower than what was held: what went through since the last refusal."""
    saved_up_us = rate.saved_up_us
    if rate.good:  # just after a climb: more was saved up than was thought
        saved_up_us = min(SAVED_UP_MAX_US, 2 * saved_up_us)
    if rate.bold or rate.good:
        saved_up_us = max(SAVED_UP_US, saved_up_us)
    if span < MEASURABLE:
        return _Found(BLIND_DROP * was, saved_up_us)
    limit = (span - 0.5) * SECOND_US / (span_us + min(rate.pause_us, SAVED_UP_US))
    return _Found(max(was / 2, limit), saved_up_us)


def _level(rate: Rate, limit: float, *, borne: bool) -> int:
    """Return how often the limit was found here, by probes from a rate that was borne; less sure where it was not."""
    if abs(limit - rate.wall) > SAME_PLACE * limit:
        return 0
    return rate.level + 1 if borne else rate.level // 2


def _hold_us(level: int, cost_us: int, period_us: int) -> int:
    """Return how long to hold a limit that was found `level` times over, each time at the cost of a pause."""
    hold_us = max(HOLD_FIRST_US, round(PERIODS_HELD * period_us))
    if not level:
        return hold_us
    return min(HOLD_MAX_US, max(hold_us, min(HOLD_DOUBLED_US, HOLD_FIRST_US << min(level, 8)), COST_SHARE * cost_us))


def _lately(rate: Rate, now_us: int, saved_up_us: int) -> float:
    """Return the most that went through lately, less what a limiter may have saved up before: no more than its limit.

    It is near the limit, because among the times that are looked at is the one since the limit was passed.
    """
    begun_us = now_us - rate.recent_at_us + saved_up_us
    sums = enumerate(accumulate(reversed(rate.recent[-LATELY_S:])))
    return max((sent - 1) * SECOND_US / max(SAVED_UP_US, begun_us + index * SECOND_US) for index, sent in sums)


def _in_last(rate: Rate, time_us: int, of_us: int) -> float:
    """Return what left in the last of the time, spread over the time that it is a budget of, in requests a second."""
    seconds = max(1, ceil(time_us / SECOND_US))
    return sum(rate.recent[-seconds:]) * SECOND_US / max(of_us, len(rate.recent[-seconds:]) * SECOND_US)


def _shut_out(rate: Rate, now_us: int, pause_us: int) -> Rate:
    """Nothing was accepted since the last drop: knock, ever more rarely, and never faster than the rate was."""
    knock_us = min(SHUT_MAX_US, rate.shut_us * 2 or SHUT_FIRST_US)
    return rate._replace(
        since_us=now_us + pause_us,
        shut_from_us=rate.shut_from_us if rate.shut_us else rate.dropped_us,
        shut_us=max(knock_us, ceil(SECOND_US / rate_at(rate, now_us))),
        dropped_us=now_us,
        refusals=rate.refusals + 1,
    )


def _reopened(rate: Rate, departed_us: int, now_us: int) -> Rate:
    """Something was accepted after all had been refused."""
    shut_for_us = departed_us - rate.shut_from_us
    base, wall, level, period_us = BLIND_DROP * rate.base, rate.wall, rate.level, rate.period_us
    cost_us = 0
    if shut_for_us >= max(SHUT_LONG_US, SHUT_LONG * SECOND_US / rate.base) or period_us:
        cycle_us = min(PERIOD_MAX_US, rate.span_us + shut_for_us)
        # What was borne for a whole period has gone through several of them.
        period_us = min(period_us or cycle_us, cycle_us) if rate.good else cycle_us
        wall = _in_last(rate, period_us, of_us=period_us)
        base = MARGIN * wall
        level = _level(rate, wall, borne=rate.good > 0)
        cost_us = shut_for_us
    return rate._replace(
        base=max(FLOOR, rate.good, base),
        since_us=now_us,
        hold_us=_hold_us(level, cost_us, period_us),
        period_us=period_us,
        dropped_us=departed_us,
        sent=1,
        pause_us=0,
        shut_us=0,
        wall=wall,
        level=level,
    )
