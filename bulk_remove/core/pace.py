"""When the next request may go: times in integer microseconds, so that no rounding ever adds a request.

Two rules, both on values:

* A *slot* is taken before a request is prepared. Slots stand one interval of the present rate apart, so the pace is
  even. Whoever wakes late is at most `LATENESS_US` late for all that follow.
* A *departure* is noted at the moment a request really goes. Workers wake late and unevenly; whatever they do, the
  n-th departure back (n = the ceiling, rounded up) is at least n/ceiling seconds old. So no window of one second ever
  holds more requests than the ceiling, and an uneven past is never caught up in a burst.

The ceiling itself never moves. How fast slots follow is the rate: how many requests a second the server accepts, found
by trying. It is a state machine on values. Rules like CUBIC's (RFC 9438; the adaptive retries of AWS's SDKs) saw up and
down about the limit and have a few in a hundred requests refused for ever. This one looks for the limit, then stays
just under it:

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

How many requests are sent at once depends on the reply times, by another state machine. After TCP Vegas (Brakmo,
Peterson, 1995) and the gradient limits of Netflix's concurrency-limits: replies that take longer than those to a
lightly loaded server have waited in a queue; by Little's law, of n requests at once n * (1 - light / loaded) wait. A
queue of one or two keeps the server busy; what is more only makes others wait.

Replies differ much and are few, so only means over a round of replies are compared. The light reply time is a moving
one: replies to requests that left while at most half of the allowed were under way keep it up to date, and where there
were none for a while, a round is sent at half the limit to see.
"""

from fractions import Fraction
from itertools import accumulate
from math import ceil, exp2
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


ROUND_LEAST = 12
"""Replies in a round, at the least; and three for each request that may be under way."""
ROUND_PER_REQUEST = 3
LIGHT_WEIGHT = 0.1
"""The weight of one reply in the moving light reply time."""
LIGHT_FIRST = 5
"""So many light replies count alike at the start."""
LIGHT_LASTS_US = 120_000_000
"""How long a light reply time counts without a new one."""
LOOK_DOWN = 8
"""So many light replies renew it."""
QUEUE_LEAST, QUEUE_LEAST_SHARE = 0.3, 0.08
"""A shorter queue (in requests, plus a share of the limit) leaves the server idle at times."""
QUEUE_MOST, QUEUE_MOST_SHARE = 0.8, 0.18
"""A longer one only makes others wait."""
FALL_MOST = 0.75
"""What one round leaves of the limit at the least."""


class Limit(NamedTuple):
    """The limit on requests at once, and what it follows from. Times in microseconds.

    `light_us` is the mean reply time of a lightly loaded server, known by `lights` replies, the last of them at
    `light_at_us`. `replies` and `total_us` sum up the round. `starting` tells that there was no queue yet. While
    `looking` is positive, so many more light replies are wanted.
    """

    ceiling: int
    allowed: int
    starting: bool = True
    light_us: float = 0.0
    lights: int = 0
    light_at_us: int = 0
    replies: int = 0
    total_us: int = 0
    looking: int = 0


def limit_from(start: int, ceiling: int) -> Limit:
    """Return the state at the start."""
    return Limit(ceiling, min(start, ceiling))


def recapped_limit(limit: Limit, ceiling: int) -> Limit:
    """Keep to another ceiling from now on; a higher one is grown into round by round."""
    return _with_allowed(limit._replace(ceiling=ceiling), limit.allowed)


def allowed_now(limit: Limit) -> int:
    """Return how many requests may be under way at once: 1 to the ceiling."""
    return _light(limit.allowed) if limit.looking else limit.allowed


def _light(allowed: int) -> int:
    return max(1, allowed // 2)


def replied(limit: Limit, reply_us: int, under_way: int, now_us: int) -> Limit:
    """Take note of a reply: how long it took, and how many were under way when it left, itself included."""
    if under_way <= _light(limit.allowed):
        return _lightly(limit, reply_us, now_us)
    if limit.looking or under_way < limit.allowed:
        return limit
    limit = limit._replace(replies=limit.replies + 1, total_us=limit.total_us + reply_us)
    if limit.replies < max(ROUND_LEAST, ROUND_PER_REQUEST * limit.allowed):
        return limit
    return _judged(limit, now_us)


def _lightly(limit: Limit, reply_us: int, now_us: int) -> Limit:
    weight = 1 / (limit.lights + 1) if limit.lights < LIGHT_FIRST else LIGHT_WEIGHT
    limit = limit._replace(
        light_us=limit.light_us + weight * (reply_us - limit.light_us),
        lights=limit.lights + 1,
        light_at_us=now_us,
        looking=max(0, limit.looking - 1),
    )
    # With one at a time all replies are light: it is worth a try whether two are borne.
    if limit.allowed > 1:
        return limit
    limit = limit._replace(replies=limit.replies + 1)
    return _with_allowed(limit, 2) if limit.replies >= ROUND_LEAST else limit


def _judged(limit: Limit, now_us: int) -> Limit:
    """Follow the queue that a round shows."""
    if not limit.lights or now_us - limit.light_at_us > LIGHT_LASTS_US:
        return limit._replace(looking=LOOK_DOWN, replies=0, total_us=0)
    mean_us = limit.total_us / limit.replies
    queue = limit.allowed * max(0.0, 1 - limit.light_us / mean_us)
    most = QUEUE_MOST + QUEUE_MOST_SHARE * limit.allowed
    if queue < QUEUE_LEAST + QUEUE_LEAST_SHARE * limit.allowed:
        return _with_allowed(limit, limit.allowed * 2 if limit.starting else limit.allowed + 1)
    limit = limit._replace(starting=False)
    if queue <= most:
        return _with_allowed(limit, limit.allowed)
    return _with_allowed(limit, max(ceil(FALL_MOST * limit.allowed), limit.allowed - max(1, round(queue - most))))


def _with_allowed(limit: Limit, allowed: int) -> Limit:
    return limit._replace(allowed=max(1, min(limit.ceiling, allowed)), replies=0, total_us=0)


def lost(limit: Limit) -> Limit:
    """Take note of a request that was not answered in time: fewer at once, at most once in a round."""
    if not limit.replies and not limit.starting:
        return limit
    return _with_allowed(limit._replace(starting=False), int(FALL_MOST * limit.allowed))
