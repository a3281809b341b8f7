"""How many requests at once the server bears, by the time of its replies: a state machine on values.

After TCP Vegas (Brakmo, Peterson, 1995) and the gradient limits of Netflix's concurrency-limits: replies that take
longer than those to a lightly loaded server have waited in a queue; by Little's law, of n requests at once
n * (1 - light / loaded) wait. A queue of one or two keeps the server busy; what is more only makes others wait.

Replies differ much and are few, so only means over a round of replies are compared. The light reply time is a moving
one: replies to requests that left while at most half of the allowed were under way keep it up to date, and where there
were none for a while, a round is sent at half the limit to see.
"""

from math import ceil
from typing import NamedTuple

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


def recapped(limit: Limit, ceiling: int) -> Limit:
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
