"""The rules that are compared: ours, driven as the pool's gate drives it, and others by their published descriptions.

A rule is asked whether a request may leave, and told of each reply. All times in seconds but in ours.
"""

import random
from collections import deque
from typing import Protocol

from bulk_remove.core import pace as pacing
from bulk_remove.core.throttle import (
    LEVELS,
    Level,
    Trip,
    answered,
    departure,
    pushed_back,
    rate_now,
    slot,
    throttle_for,
)
from tests.benchmarks.pace.worlds import Answer

FULL = LEVELS[Level.FULL]
CEILING, AT_ONCE = FULL.rate, FULL.at_once
"""The operator's ceilings for all: about twice what the servers bear."""
US = 1_000_000


class Rule(Protocol):
    """How a client decides when to send."""

    def wait_s(self, now_s: float) -> float | None:
        """Return 0.0 when a request leaves now, else how long to wait; None: until a reply comes."""

    def replied(self, departed_s: float, now_s: float, answer: Answer) -> None:
        """Take note of a reply."""


class Ours:
    """core/throttle.py: a slot, then the departure."""

    def __init__(self) -> None:
        self.state = throttle_for(FULL, 0)
        self._slot_taken = False
        self._trips: dict[float, Trip] = {}

    def wait_s(self, now_s: float) -> float | None:
        now_us = round(now_s * US)
        if not self._slot_taken:
            if self.state.full:
                return None
            self.state, wait_us = slot(self.state, now_us)
            if wait_us:
                return wait_us / US
            self._slot_taken = True
        self.state, wait_us = departure(self.state, now_us)
        if wait_us:
            return wait_us / US
        self._slot_taken = False
        self._trips[now_s] = Trip(now_us, self.state.under_way)
        return 0.0

    def replied(self, departed_s: float, now_s: float, answer: Answer) -> None:
        trip, now_us = self._trips.pop(departed_s), round(now_s * US)
        if answer.accepted:
            self.state = answered(self.state, trip, now_us)
        else:
            asked = answer.retry_after_s
            self.state = pushed_back(self.state, trip, now_us, None if asked is None else round(asked * US))

    def rate(self, now_s: float) -> float:
        """Return the present rate, for the plot."""
        return rate_now(self.state, round(now_s * US))


class Fixed:
    """An even pace and a ceiling on requests at once; heeds nothing."""

    def __init__(self, rate: float, at_once: int = AT_ONCE) -> None:
        self._pace = pacing.pace_for(rate)
        self._rate = rate
        self._left = at_once

    def wait_s(self, now_s: float) -> float | None:
        if not self._left:
            return None
        self._pace, wait_us = pacing.take_slot(self._pace, round(now_s * US), self._rate)
        self._left -= not wait_us
        return wait_us / US

    def replied(self, _departed_s: float, _now_s: float, _answer: Answer) -> None:
        self._left += 1


class Tenacity:
    """Sixteen workers under the ceiling; a refused request waits by itself: wait_random_exponential(1, max=60)."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"tenacity {seed}")
        self._pace = Fixed(CEILING, AT_ONCE)
        self._ready: deque[tuple[float, int]] = deque((0.0, 0) for _ in range(AT_ONCE))
        self._tries: dict[float, int] = {}

    def wait_s(self, now_s: float) -> float | None:
        if not self._ready:
            return None
        due_s, tries = min(self._ready)
        wait_s = max(due_s - now_s, 0.0) or self._pace.wait_s(now_s)
        if wait_s == 0.0:
            self._ready.remove((due_s, tries))
            self._tries[now_s] = tries
        return wait_s

    def replied(self, departed_s: float, now_s: float, answer: Answer) -> None:
        self._pace.replied(departed_s, now_s, answer)
        tries = self._tries.pop(departed_s)
        if answer.accepted:
            self._ready.append((now_s, 0))
        else:
            self._ready.append((now_s + self._dice.uniform(0, min(60.0, 2.0**tries)), min(tries + 1, 16)))


class Botocore:
    """The client-side rate limiter of the AWS SDKs' adaptive mode: a token bucket filled at a CUBIC rate.

    Constants as published: beta 0.7, scale 0.4, measured in half seconds and smoothed by 0.8, at most twice the
    measured rate, at least 0.5. It begins to limit with the first refusal; the ceiling and the workers are as for all.
    """

    _BETA, _SCALE, _SMOOTH, _LEAST = 0.7, 0.4, 0.8, 0.5

    def __init__(self) -> None:
        self._ceiling = Fixed(CEILING, AT_ONCE)
        self._enabled = False
        self._fill, self._tokens, self._filled_s = 0.0, 0.0, 0.0
        self._measured, self._count, self._bin_s = 0.0, 0, 0.0
        self._rate_max, self._throttled_s, self._window_s = 0.0, 0.0, 0.0

    def wait_s(self, now_s: float) -> float | None:
        if self._enabled:
            capacity = max(self._fill, 1.0)
            self._tokens = min(capacity, self._tokens + (now_s - self._filled_s) * self._fill)
            self._filled_s = now_s
            if self._tokens < 1:
                return (1 - self._tokens) / self._fill + 1e-6
        wait_s = self._ceiling.wait_s(now_s)
        if wait_s == 0.0 and self._enabled:
            self._tokens -= 1
        return wait_s

    def replied(self, departed_s: float, now_s: float, answer: Answer) -> None:
        self._ceiling.replied(departed_s, now_s, answer)
        self._measure(now_s)
        if not answer.accepted:
            using = min(self._measured, self._fill) if self._enabled else self._measured
            self._rate_max, self._throttled_s, self._enabled = using, now_s, True
            self._window_s = (self._rate_max * (1 - self._BETA) / self._SCALE) ** (1 / 3)
            rate = using * self._BETA
        else:
            self._window_s = (self._rate_max * (1 - self._BETA) / self._SCALE) ** (1 / 3)
            rate = self._SCALE * (now_s - self._throttled_s - self._window_s) ** 3 + self._rate_max
        self._fill = max(min(rate, 2 * self._measured), self._LEAST)

    def _measure(self, now_s: float) -> None:
        self._count += 1
        bin_s = int(now_s * 2) / 2
        if bin_s > self._bin_s:
            current = self._count / (bin_s - self._bin_s)
            self._measured = current * self._SMOOTH + self._measured * (1 - self._SMOOTH)
            self._count, self._bin_s = 0, bin_s


class AutoThrottle:
    """Scrapy's extension with its defaults: a delay of 5 s at first, then half-way to latency / target (1), 60 s most.

    A reply other than 200 may not lower it. The least delay is that of the ceiling.
    """

    def __init__(self) -> None:
        self._ceiling = Fixed(CEILING, AT_ONCE)
        self._delay_s, self._last_s = 5.0, -5.0

    def wait_s(self, now_s: float) -> float | None:
        due_s = self._last_s + self._delay_s
        if due_s > now_s:
            return due_s - now_s
        wait_s = self._ceiling.wait_s(now_s)
        if wait_s == 0.0:
            self._last_s = now_s
        return wait_s

    def replied(self, departed_s: float, now_s: float, answer: Answer) -> None:
        self._ceiling.replied(departed_s, now_s, answer)
        latency_s = now_s - departed_s
        new_s = min(60.0, max(1 / CEILING, latency_s, (self._delay_s + latency_s) / 2))
        if answer.accepted or new_s > self._delay_s:
            self._delay_s = new_s


def rules(best: float, seed: int) -> dict[str, Rule]:
    """Return the compared rules; `best` is the limit that the fixed rates are set by."""
    return {
        "ours": Ours(),
        "fixed, right": Fixed(min(best, CEILING)),
        "fixed, twice": Fixed(min(2 * best, CEILING)),
        "tenacity": Tenacity(seed),
        "botocore": Botocore(),
        "AutoThrottle": AutoThrottle(),
    }
