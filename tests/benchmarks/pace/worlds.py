"""Servers in virtual time, each with a limit that nobody is told. All times in seconds."""

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

LATENCY_S = 0.12
"""The middle reply time of a server that is not busy."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request that came now will get: when (seconds from now), and whether it is pushed back."""

    after_s: float
    accepted: bool = True
    retry_after_s: float | None = None


class World(Protocol):
    """A server. `best` is the most requests a second that it can take from us at a moment."""

    def arrive(self, now_s: float) -> Answer:
        """Take a request that comes now; times never go back."""

    def best(self, now_s: float) -> float:
        """Return the hidden limit at a moment."""

    def harm_s(self) -> list[float]:
        """Return how much longer others waited than they would have without us, a figure for each of them."""


def _latency_s(dice: random.Random, middle_s: float = LATENCY_S) -> float:
    return dice.lognormvariate(math.log(middle_s), 0.3)


@dataclass
class TokenBucket:
    """Tokens drop into a bucket of ten; who finds none gets a 429 without Retry-After, at once."""

    dice: random.Random
    rate: Callable[[float], float] = lambda _now_s: 10.0
    burst: float = 10.0
    tokens: float = 10.0
    filled_s: float = 0.0

    def arrive(self, now_s: float) -> Answer:
        self.tokens = min(self.burst, self.tokens + (now_s - self.filled_s) * self.rate(now_s))
        self.filled_s = now_s
        if self.tokens < 1:
            return Answer(LATENCY_S / 4, accepted=False)
        self.tokens -= 1
        return Answer(_latency_s(self.dice))

    def best(self, now_s: float) -> float:
        return self.rate(now_s)

    def harm_s(self) -> list[float]:
        return []


@dataclass
class FixedWindow:
    """600 a minute of the clock, then 429 until the minute is over. The first begins before we come."""

    dice: random.Random
    offset_s: float = 0.0
    window: int = -1
    used: int = 0

    def arrive(self, now_s: float) -> Answer:
        window = int((now_s + self.offset_s) // 60)
        if window != self.window:
            self.window, self.used = window, 0
        if self.used >= 600:
            return Answer(LATENCY_S / 4, accepted=False)
        self.used += 1
        return Answer(_latency_s(self.dice))

    def best(self, _now_s: float) -> float:
        return 10.0

    def harm_s(self) -> list[float]:
        return []


@dataclass
class Penalty:
    """Ten a second, a bucket of ten; whoever passes it gets 503 with `Retry-After: 5`, and so does all in those 5 s."""

    bucket: TokenBucket
    shut_until_s: float = -1.0

    def arrive(self, now_s: float) -> Answer:
        if now_s < self.shut_until_s:
            return Answer(LATENCY_S / 4, accepted=False, retry_after_s=math.ceil(self.shut_until_s - now_s))
        answer = self.bucket.arrive(now_s)
        if answer.accepted:
            return answer
        self.shut_until_s = now_s + 5.0
        return Answer(answer.after_s, accepted=False, retry_after_s=5.0)

    def best(self, _now_s: float) -> float:
        return 10.0

    def harm_s(self) -> list[float]:
        return []


@dataclass
class Stubborn:
    """Ten a second, a bucket of ten; whoever passes it is refused until nobody has knocked for `ban_s`."""

    bucket: TokenBucket
    ban_s: float = 10.0
    shut_until_s: float = -1.0

    def arrive(self, now_s: float) -> Answer:
        answer = self.bucket.arrive(now_s)
        if answer.accepted and now_s >= self.shut_until_s:
            return answer
        self.shut_until_s = now_s + self.ban_s
        return Answer(LATENCY_S / 4, accepted=False)

    def best(self, now_s: float) -> float:
        return self.bucket.best(now_s)

    def harm_s(self) -> list[float]:
        return []


@dataclass
class Unlimited:
    """A server that takes whatever the operator allows."""

    dice: random.Random
    ceiling: float

    def arrive(self, _now_s: float) -> Answer:
        return Answer(_latency_s(self.dice))

    def best(self, _now_s: float) -> float:
        return self.ceiling

    def harm_s(self) -> list[float]:
        return []


@dataclass
class Noisy:
    """A server behind a proxy that refuses a share of all requests, whatever the pace, before the server sees them.

    Each of these refusals may ask for a pause, which everybody keeps: then the best is what fits between the pauses.
    """

    dice: random.Random
    share: float
    server: World
    retry_after_s: float | None = None

    def arrive(self, now_s: float) -> Answer:
        if self.dice.random() < self.share:
            return Answer(LATENCY_S / 4, accepted=False, retry_after_s=self.retry_after_s)
        return self.server.arrive(now_s)

    def best(self, now_s: float) -> float:
        share, best = self.share, self.server.best(now_s)
        if isinstance(self.server, Unlimited):
            best *= 1 - share
        return best / (1 + share * best / (1 - share) * (self.retry_after_s or 0.0))

    def harm_s(self) -> list[float]:
        return self.server.harm_s()


@dataclass
class Workers:
    """A pool of PHP workers and one queue before it. Others' requests come, too, and their waits are the harm.

    `others` yields the moments at which others come, in order. What others would have waited without us is found by
    a second pool that serves them alone.
    """

    dice: random.Random
    workers: int
    others: Iterator[float]
    best_of: Callable[[float], float]
    network_s: float = 0.03
    service_s: float = 0.38
    free_s: list[float] = field(default_factory=list)
    free_without_us_s: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free_s = [0.0] * self.workers
        self.free_without_us_s = [0.0] * self.workers
        self.next_other_s = next(self.others)

    def arrive(self, now_s: float) -> Answer:
        while self.next_other_s <= now_s:
            came_s, service_s = self.next_other_s, self._service_s()
            waited_s = self._serve(self.free_s, came_s, service_s) - came_s
            alone_s = self._serve(self.free_without_us_s, came_s, service_s) - came_s
            self.waits_s.append(waited_s - alone_s)
            self.next_other_s = next(self.others)
        return Answer(self._serve(self.free_s, now_s, self._service_s()) - now_s + self.network_s)

    def _service_s(self) -> float:
        return self.dice.lognormvariate(math.log(self.service_s), 0.3)

    @staticmethod
    def _serve(free_s: list[float], came_s: float, service_s: float) -> float:
        """Return when the request is done: the worker that is free first takes it."""
        done_s = max(came_s, free_s[0]) + service_s
        heapq.heapreplace(free_s, done_s)
        return done_s

    def best(self, now_s: float) -> float:
        return self.best_of(now_s)

    def harm_s(self) -> list[float]:
        return self.waits_s


@dataclass
class Slowing:
    """Four requests at once go at full speed; more share that speed, and lose a little of it to each other.

    It never refuses. Others share it, too: what they take longer is the harm.
    """

    dice: random.Random
    under_way: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    middle_s: float = 0.4

    def arrive(self, now_s: float) -> Answer:
        while self.under_way and self.under_way[0] <= now_s:
            heapq.heappop(self.under_way)
        sharing = len(self.under_way) + 1
        slowness = max(1.0, sharing / 4) * (1 + 0.02 * max(0, sharing - 4))
        self.waits_s.append(self.middle_s * (slowness - 1))
        after_s = self.dice.lognormvariate(math.log(self.middle_s), 0.3) * slowness
        heapq.heappush(self.under_way, now_s + after_s)
        return Answer(after_s)

    def best(self, _now_s: float) -> float:
        return 4 / (self.middle_s * math.exp(0.045))

    def harm_s(self) -> list[float]:
        return self.waits_s


LUNCH_S = (480.0, 1080.0)
"""From eight minutes to eighteen."""
_MEAN_SERVICE_S = 0.38 * math.exp(0.045)


def _poisson(dice: random.Random, rate: Callable[[float], float], most: float) -> Iterator[float]:
    """Yield moments at a changing rate, by thinning."""
    now_s = 0.0
    while True:
        now_s += dice.expovariate(most)
        if dice.random() < rate(now_s) / most:
            yield now_s


def _at_lunch(now_s: float) -> float:
    return 5.0 if LUNCH_S[0] <= now_s < LUNCH_S[1] else 10.0


def _neighbour(now_s: float) -> float:
    """A minute of noise in every two."""
    return 6.0 if now_s % 120 >= 60 else 0.5


def worlds(seed: int) -> dict[str, World]:
    """Return each world, as it is for a seed."""
    dice = random.Random(f"worlds {seed}")
    four, six = 4 / _MEAN_SERVICE_S, 6 / _MEAN_SERVICE_S
    return {
        "token bucket": TokenBucket(dice),
        "600 a minute": FixedWindow(dice, dice.uniform(0, 60)),
        "503, Retry-After": Penalty(TokenBucket(dice)),
        "PHP pool of 4": Workers(dice, 4, _poisson(dice, lambda _: 0.3, 0.3), lambda _: four - 0.3),
        "half at lunch": TokenBucket(dice, _at_lunch),
        "noisy neighbour": Workers(dice, 6, _poisson(dice, _neighbour, 6.0), lambda now_s: six - _neighbour(now_s)),
        "only slows down": Slowing(dice),
        "ban that knocks prolong": Stubborn(TokenBucket(dice)),
    }


def noisy_worlds(seed: int, ceiling: float) -> dict[str, World]:
    """Return the worlds that refuse some requests whatever the pace: without a limit of their own, and with one."""
    dice = random.Random(f"noisy worlds {seed}")
    free = Unlimited(dice, ceiling)

    def noisy(share: float, server: World = free, retry_after_s: float | None = None) -> Noisy:
        return Noisy(dice, share, server, retry_after_s)

    shares = (0.01, 0.02, 0.05, 0.1)
    return {
        **{f"{share:.0%} at random": noisy(share) for share in shares},
        **{f"{share:.0%} at random, Retry-After": noisy(share, retry_after_s=2.0) for share in shares},
        "bucket and 5% at random": noisy(0.05, TokenBucket(dice)),
        "600 a minute and 5% at random": noisy(0.05, FixedWindow(dice, dice.uniform(0, 60))),
        "half at lunch and 2% at random": noisy(0.02, TokenBucket(dice, _at_lunch)),
    }
