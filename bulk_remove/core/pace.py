"""When the next request may be sent, at which rate, and how many at once; three state machines in microseconds.

`Pace` spaces requests: a *slot* is taken before a request is prepared, one interval of the present rate after the last,
and a *departure* is recorded when it is really sent. Workers wake late and unevenly, but the n-th departure back (n =
the highest allowed rate, rounded up) is always at least n/rate seconds old. So no second has more requests than that
rate allows, a delay is never made up in a burst, and since times are integers, rounding never adds a request.

`Rate` climbs, fast at first, then less often and more gently, until a request is refused. *A refusal lowers it* to what
the server accepted; the more the refusal cost, the longer the rate stays there. While everything is refused, single
requests try the server at growing intervals. *Six refusals in a row are noise* if they come equally often although each
lowered the rate: then it returns to its earlier value and tolerates as many, until it checks again. A limit does not
look like that: between two refusals a limiter accepts what its limit allows, so after two or three of them the rate is
below it. More than a fifth of refusals always means a limit. So does a time in which nothing is accepted: a penalty, or
a used-up budget for a longer time, whose waiting time then counts as well.

`Limit` keeps few requests at once if they would only wait in a queue. It follows TCP Vegas (Brakmo, Peterson, 1995) and
the gradient limits of Netflix's concurrency-limits: by Little's law, n * (1 - light / loaded) of n requests at once are
waiting. A queue of one or two keeps the server busy. Replies vary a lot, so only averages over a round are compared.
The light reply time is a moving average of requests sent while at most half of the allowed ones were under way. If
there were none for some time, one round is sent at half the limit to measure it again.
"""

from fractions import Fraction
from math import ceil, exp2
from typing import NamedTuple

SECOND_US = 1_000_000
LATENESS_US = 20_000
"""A slot may be taken this late without delaying the next one; timers of an event loop are a few milliseconds late."""


class Pace(NamedTuple):
    """The state of the pacer. Times in microseconds of one monotonic clock."""

    interval_us: int  # the distance of two slots at the highest rate
    window_us: int
    per_window: int  # so many requests may depart in the window
    next_slot_us: int = 0
    not_before_us: int = 0
    spread_us: int = 0  # the least distance of two slots before `spread_until_us`
    spread_until_us: int = 0
    departures: tuple[int, ...] = ()  # the latest, oldest first


def pace_for(requests_per_second: float) -> Pace:
    """Return the state at the start for a limit in requests a second (greater than 0)."""
    rate = Fraction(requests_per_second).limit_denominator(10_000)
    per_window = ceil(rate)
    return Pace(ceil(SECOND_US / rate), ceil(per_window * SECOND_US / rate), per_window)


def take_slot(pace: Pace, now_us: int, requests_per_second: float) -> tuple[Pace, int]:
    """Ask for a slot now. Returns the new state and 0 if there is one, else how many microseconds to wait."""
    free_us = max(pace.next_slot_us, pace.not_before_us)
    if free_us > now_us:
        return pace, free_us - now_us
    interval_us = max(pace.interval_us, ceil(SECOND_US / requests_per_second))
    if now_us < pace.spread_until_us:
        interval_us = max(interval_us, pace.spread_us)
    return pace._replace(next_slot_us=max(free_us, now_us - LATENESS_US) + interval_us), 0


def depart(pace: Pace, now_us: int) -> tuple[Pace, int]:
    """Ask to depart now. Returns the new state and 0 if the request may go, else how many microseconds to wait."""
    free_us = pace.not_before_us
    if len(pace.departures) >= pace.per_window:
        free_us = max(free_us, pace.departures[-pace.per_window] + pace.window_us)
    if free_us > now_us:
        return pace, free_us - now_us
    return pace._replace(departures=(*pace.departures, now_us)[-pace.per_window :]), 0


def paused(pace: Pace, until_us: int) -> Pace:
    """Allow no departure before `until_us`; a pause that already ends later stays."""
    return pace._replace(not_before_us=max(pace.not_before_us, until_us))


FLOOR = 0.25  # requests a second that are always tried while anything is accepted
MARGIN = 0.98  # the share of a known limit at which the rate is held
SEEK_DOUBLES_US = 4 * SECOND_US
PROBE_SHARE, PROBE_US, PROBE_DOUBLES_US = 0.1, 20 * SECOND_US, 3 * SECOND_US
"""A probe adds this share evenly over that time, then doubles the addition, so it reaches an unchanged limit gently."""
HOLD_FIRST_US, HOLD_NOISE_US, HOLD_MAX_US = 10 * SECOND_US, 60 * SECOND_US, 600 * SECOND_US
REQUESTS_PER_REFUSAL, TIMES_SHUT_OUT, CYCLES = 200, 60, 1.5
"""How long a limit that was found again is held: requests per refusal, times the wait, times the whole cycle."""
SAME_PLACE = 0.1
LEAST_LEFT_FIRST, LEAST_LEFT, MOST_LEFT = 0.85, 0.7, 0.85
"""The share of the rate left after a refusal: at least, the first time and later, and at most after many refusals."""
SAVED_UP_US = SECOND_US
"""A limiter may save up requests while fewer are sent: usually those of one second, the size of its bucket."""
KNOCK_FIRST_US, KNOCK_MAX_US = SECOND_US // 2, 60 * SECOND_US
SHUT_OUT_US, SHUT_OUT_REQUESTS, LONG_WAIT_US = 2 * SECOND_US, 4, 10 * SECOND_US
"""Shut out means to wait so long, and the time of so many requests; a long wait may mean a used-up budget."""
SLOWER_US, CYCLE_MAX_US = 10 * SECOND_US, 60 * SECOND_US
"""A probe is slower by this factor: the time between two shut-outs, in units of `SLOWER_US`."""
SIGNS = 6  # so many refusals in a row, each at a lower rate than the one before, distinguish noise from a limit
RARER, CHANGED = 2.5, 4.0  # the gaps may grow or shrink by these factors from their first half to the second
CHANCE, ENOUGH_FIRST, ENOUGH_MAX = 1 / 50, 60, 500
"""The chance that a gap without refusals is only luck, and the default and the most of its requests."""
DEEP_ENOUGH, DEEPEST, OFTEN = 0.7, 0.5, 6
"""Refusals may be noise down to the first share of the rate; only frequent ones lower it below the second."""
NOISE_MOST, NOISE_LASTS = 1 / 5, 300
"""More than this share of refusals is always a limit; after so many refusals the noise is checked again."""
TOLERATED, CREDIT_MOST = 2.5, 8.0  # how many times the known noise is tolerated, and how many refusals at once
TELLING = 20


class Cuts(NamedTuple):
    """Refusals in a row that may be noise: `base` and `seeking` are restored then; `gaps` lie between the refusals."""

    base: float
    seeking: bool
    gaps: tuple[int, ...] = ()


class Rate(NamedTuple):
    """What is known about the limit. Rates in requests a second, times in microseconds of one monotonic clock."""

    ceiling: float
    base: float  # the rate from which the search goes on, or which is held since `since_us` for `hold_us`
    since_us: int
    seeking: bool = True
    hold_us: int = HOLD_FIRST_US
    wall: float = 0.0  # where the limit was last found
    taken: int = 0  # requests that were not refused
    marked: int = 0  # so many of them left before `mark_us`, where the measurement begins
    mark_us: int = 0
    cut_us: int | None = None  # when the refused request left, None once a later one was accepted
    dropped_us: int = 0  # requests that left earlier bring no news
    knock_us: int = 0  # the distance of requests while all are refused
    silence_us: int = KNOCK_FIRST_US  # the first such distance the next time
    cycle_us: int = 0  # from one shut-out to the next
    noise: float = 0.0  # the share of refusals that do not depend on the rate
    noise_left: int = 0  # for so many more refusals
    credit: float = 0.0  # how many of them may still come
    cuts: Cuts | None = None


def rate_from(start: float, ceiling: float, now_us: int) -> Rate:
    """Return the state at the start; `start` and `ceiling` in requests a second, greater than 0."""
    return Rate(ceiling, min(start, ceiling), now_us, dropped_us=now_us, mark_us=now_us - SAVED_UP_US)


def rate_at(rate: Rate, now_us: int) -> float:
    """Return the requests a second that may be sent now, never above the limit."""
    if rate.knock_us:
        return min(rate.ceiling, SECOND_US / rate.knock_us)
    if rate.seeking:
        wanted = rate.base * exp2(min(32.0, (now_us - rate.since_us) / SEEK_DOUBLES_US))
    else:
        probing_us = max(0, now_us - rate.since_us - rate.hold_us) / max(1.0, rate.cycle_us / SLOWER_US)
        if probing_us <= PROBE_US:
            excess = PROBE_SHARE * probing_us / PROBE_US
        else:
            excess = PROBE_SHARE * exp2(min(32.0, (probing_us - PROBE_US) / PROBE_DOUBLES_US))
        wanted = rate.base * (1 + excess)
    return min(rate.ceiling, max(FLOOR, wanted))


def borne_at(rate: Rate, now_us: int) -> float | None:
    """Return the rate that the server accepts, without a probe's addition; None while it is unknown."""
    if rate.knock_us or rate.taken < TELLING:
        return None
    return rate_at(rate, now_us) if rate.seeking else min(rate.ceiling, rate.base)


def idled(rate: Rate, idle_us: int) -> Rate:
    """Stop the clock of hold and probe for a time in which the rate held nothing up."""
    return rate._replace(since_us=rate.since_us + idle_us)


def recapped(rate: Rate, ceiling: float, now_us: int) -> Rate:
    """Use another limit from now on. The rate climbs from the old limit: nothing above it was ever tried."""
    if rate_at(rate, now_us) < rate.ceiling:
        return rate._replace(ceiling=ceiling)
    base = rate.ceiling if rate.seeking else rate.base  # a measured rate is known to be accepted
    return rate._replace(ceiling=ceiling, base=base, since_us=max(rate.since_us, now_us))


def rested(rate: Rate, from_us: int, now_us: int) -> Rate:
    """Leave out a time in which the operator wanted nothing sent: it shows nothing about the server."""

    def moved(at_us: int) -> int:
        return at_us + max(0, now_us - max(at_us, from_us))

    return rate._replace(
        since_us=moved(rate.since_us),
        mark_us=moved(rate.mark_us),
        cut_us=None if rate.cut_us is None else moved(rate.cut_us),
        dropped_us=moved(rate.dropped_us),
    )


def departed(rate: Rate, now_us: int) -> Rate:
    """Record a departure. A probe is measured from its beginning."""
    probe_us = rate.since_us + rate.hold_us
    if not rate.seeking and rate.cut_us is None and rate.mark_us + SAVED_UP_US < probe_us <= now_us:
        rate = rate._replace(mark_us=probe_us - SAVED_UP_US, marked=rate.taken)
    return rate._replace(taken=rate.taken + 1)


def accepted(rate: Rate, departed_us: int, later: int, now_us: int) -> Rate:
    """Record the reply to a request that the server accepted; `later` requests have left after it."""
    if rate.noise:
        rate = rate._replace(credit=min(CREDIT_MOST, rate.credit + TOLERATED * rate.noise))
    if rate.cut_us is None or departed_us < rate.dropped_us:
        return rate
    return _opened(rate, rate.cut_us, departed_us, later, now_us)


def refused(rate: Rate, departed_us: int, later: int, now_us: int, pause_us: int = 0) -> Rate:
    """Slow down at once, unless it is noise. `pause_us` is the wait that the server asked for, or 0."""
    rate = rate._replace(taken=rate.taken - 1)
    if departed_us < rate.dropped_us:
        return rate
    if rate.noise_left and rate.credit >= 1:
        return rate._replace(credit=rate.credit - 1, noise_left=rate.noise_left - 1)
    if rate.cut_us is not None:
        # Nothing was accepted since the cut: try single requests less and less often, never faster than the rate was.
        knock_us = max(rate.knock_us * 3 // 2 or rate.silence_us, ceil(SECOND_US / rate_at(rate, now_us)))
        return rate._replace(since_us=now_us + pause_us, knock_us=min(KNOCK_MAX_US, knock_us), dropped_us=now_us)
    climbing = rate.seeking or now_us - rate.since_us > rate.hold_us
    sent = max(0, rate.taken - rate.marked - later)
    cuts = None if climbing or rate.cuts is None else rate.cuts._replace(gaps=(*rate.cuts.gaps, sent)[-SIGNS:])
    if cuts and rate_at(rate, now_us) <= DEEP_ENOUGH * cuts.base and _no_rarer(cuts.gaps):
        return _restored(rate, cuts, now_us + pause_us)
    base = _left(rate, cuts, sent, departed_us, now_us, climbing=climbing)
    noise = rate.noise if rate.noise_left else 0.0
    return rate._replace(
        base=base,
        since_us=now_us + pause_us,
        seeking=False,
        hold_us=HOLD_FIRST_US,
        cut_us=departed_us,
        dropped_us=now_us,
        noise=noise,
        credit=CREDIT_MOST / 2 if noise else 0.0,
        cuts=None if noise else cuts or Cuts(base, rate.seeking and not rate.noise),
    )


def _left(rate: Rate, cuts: Cuts | None, sent: int, departed_us: int, now_us: int, *, climbing: bool) -> float:
    """Return the rate after a refusal: what was accepted since the mark, within bounds."""
    was = rate_at(rate, now_us)
    let_through = (sent - 1) * SECOND_US / max(1, departed_us - rate.mark_us) / (1 - rate.noise)
    least = (LEAST_LEFT if cuts or rate.noise else LEAST_LEFT_FIRST) * was
    most = was
    if cuts:
        least = max(least, DEEPEST * cuts.base) if sent > OFTEN else least
        most = MOST_LEFT * was if len(cuts.gaps) > SIGNS // 2 - 1 else was
    base = MARGIN * max(least, min(most, let_through))
    if climbing and not rate.seeking and not rate.noise:
        base = max(rate.base, base)  # it was held for its whole time
    return max(FLOOR, min(was, base))


def _no_rarer(gaps: tuple[int, ...]) -> bool:
    """Return whether refusals were as frequent at the lowest rates as at the first ones, amid accepted requests."""
    if len(gaps) < SIGNS or _share(gaps) > NOISE_MOST:
        return False
    first, last = sum(gaps[: SIGNS // 2]), sum(gaps[SIGNS // 2 :])
    return last <= RARER * first and first <= CHANGED * last


def _share(gaps: tuple[int, ...]) -> float:
    return len(gaps) / (len(gaps) + sum(gaps))


def _enough(cuts: Cuts | None) -> float:
    """Return how many requests without a refusal mean that refusals are rarer now, hardly ever by chance."""
    gaps = cuts.gaps if cuts else ()
    return min(ENOUGH_MAX, sum(gaps) * (CHANCE ** (-1 / len(gaps)) - 1)) if gaps else ENOUGH_FIRST


def _restored(rate: Rate, cuts: Cuts, at_us: int) -> Rate:
    """Undo the cuts: the refusals are noise."""
    return rate._replace(
        base=cuts.base,
        since_us=at_us,
        seeking=cuts.seeking,
        hold_us=HOLD_NOISE_US,
        marked=rate.taken,
        mark_us=at_us - SAVED_UP_US,
        noise=_share(cuts.gaps),
        noise_left=NOISE_LASTS,
        credit=CREDIT_MOST / 2,
        cuts=None,
    )


def _opened(rate: Rate, cut_us: int, departed_us: int, later: int, now_us: int) -> Rate:
    """A request was accepted after a refusal: hold the rate for a time that depends on the cost of the refusal."""
    sent = rate.taken - rate.marked - later - 1
    span_us, wait_us = max(1, cut_us - rate.mark_us), departed_us - cut_us
    base, cuts = rate.base, rate.cuts
    shut_out = wait_us >= max(SHUT_OUT_US, SHUT_OUT_REQUESTS * SECOND_US / base)
    spent = shut_out and (rate.knock_us > 0 or wait_us >= LONG_WAIT_US)
    if shut_out and cuts and cuts.seeking and not cuts.gaps:
        base *= LEAST_LEFT
    elif spent and rate.cycle_us and cuts and cuts.gaps and 3 * wait_us >= span_us:
        # Shut out again at a held rate: a budget for a longer time, and the wait is part of that time.
        base = min(base, max(LEAST_LEFT * base, MARGIN * sent * SECOND_US / (span_us + wait_us)))
    limit = base / MARGIN
    hold_us = max(HOLD_FIRST_US, _enough(cuts) * SECOND_US / base, CYCLES * (span_us + wait_us) if shut_out else 0)
    if abs(limit - rate.wall) <= SAME_PLACE * limit:
        refusals = 1 + len(cuts.gaps) if cuts else CREDIT_MOST / 2
        earned_us = refusals * REQUESTS_PER_REFUSAL * SECOND_US / base
        hold_us = max(hold_us, earned_us, TIMES_SHUT_OUT * wait_us if shut_out else 0)
    if spent:
        silence_us = max(KNOCK_FIRST_US, rate.knock_us // 2)
        rate = rate._replace(cycle_us=min(CYCLE_MAX_US, span_us + wait_us), silence_us=silence_us)
    elif not (cuts and cuts.gaps):
        rate = rate._replace(cycle_us=0)
    return rate._replace(
        base=max(FLOOR, base),
        since_us=now_us,
        hold_us=round(min(HOLD_MAX_US, hold_us)),
        wall=limit,
        marked=rate.taken - later - 1,
        mark_us=departed_us - (SAVED_UP_US if shut_out else 0),
        cut_us=None,
        knock_us=0,
        credit=CREDIT_MOST / 2 if rate.noise else 0.0,
        cuts=cuts._replace(gaps=()) if cuts and spent else cuts,
    )


ROUND_LEAST = 12
"""The least number of replies in a round; a round also needs three for each request that may be under way."""
ROUND_PER_REQUEST = 3
LIGHT_WEIGHT = 0.1  # the weight of one reply in the moving average of light reply times
LIGHT_FIRST = 5  # at the start, so many light replies have the same weight
LIGHT_LASTS_US = 120_000_000  # how long a light reply time counts without a new one
LOOK_DOWN = 8  # so many light replies measure it again
QUEUE_LEAST, QUEUE_LEAST_SHARE = 0.3, 0.08
"""A shorter queue (in requests, plus a share of the limit) leaves the server idle at times."""
QUEUE_MOST, QUEUE_MOST_SHARE = 0.8, 0.18  # a longer queue only makes others wait
FALL_MOST = 0.75  # the least share of the limit that is left after one round


class Limit(NamedTuple):
    """The limit on requests at once, and the figures behind it. Times in microseconds."""

    ceiling: int
    allowed: int
    starting: bool = True  # there was no queue yet
    light_us: float = 0.0  # the average reply time of a lightly loaded server, from so many replies
    lights: int = 0
    light_at_us: int = 0  # when the last of these came
    replies: int = 0  # those of the round, and their time
    total_us: int = 0
    looking: int = 0  # how many light replies are still wanted


def recapped_limit(limit: Limit, ceiling: int) -> Limit:
    """Use another limit from now on; the requests at once grow to a higher one round by round."""
    return _with_allowed(limit._replace(ceiling=ceiling), limit.allowed)


def allowed_now(limit: Limit) -> int:
    """Return how many requests may be under way at once: from 1 to the limit."""
    return _light(limit.allowed) if limit.looking else limit.allowed


def _light(allowed: int) -> int:
    return max(1, allowed // 2)


def replied(limit: Limit, reply_us: int, under_way: int, now_us: int) -> Limit:
    """Record a reply: its time, and how many requests were under way when its request left, itself included."""
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
    # With one request at a time all replies are light, so try whether the server handles two.
    if limit.allowed > 1:
        return limit
    limit = limit._replace(replies=limit.replies + 1)
    return _with_allowed(limit, 2) if limit.replies >= ROUND_LEAST else limit


def _judged(limit: Limit, now_us: int) -> Limit:
    """Adjust the limit to the queue that a round shows."""
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
    """Record a request that got no answer in time: fewer at once, at most one step a round."""
    if not limit.replies and not limit.starting:
        return limit
    return _with_allowed(limit._replace(starting=False), int(FALL_MOST * limit.allowed))
