"""The one gate that all workers pass before a request: core/breaker.py and core/throttle.py, made to wait."""

import asyncio

from bulk_remove.adapters.pool.halt import Halt
from bulk_remove.adapters.pool.ports import Account, Clock
from bulk_remove.core.breaker import Breaker, RetryBudget, admit, answered, earn, failed, spend
from bulk_remove.core.pacing import SECOND_US
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.throttle import (
    Throttle,
    Trip,
    borne,
    departure,
    pushed_back,
    rate_now,
    slot,
    told,
    unanswered,
    withdrawn,
)
from bulk_remove.core.throttle import (
    answered as answered_in,
)


class Gate:
    """Holds the throttle, the breaker and the retry budget for all workers. Make it inside the running loop.

    `answered_at_us` is when the server last answered anybody, None before the first time.
    """

    def __init__(self, throttle: Throttle, breaker: Breaker, clock: Clock, halt: Halt, account: Account) -> None:
        self._throttle = throttle
        self._breaker = breaker
        self._budget = RetryBudget(updated_us=clock.now_us())
        self._clock = clock
        self._halt = halt
        self._account = account
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self.answered_at_us: int | None = None

    @property
    def rate(self) -> float:
        """How many requests a second may be sent just now, at most the ceiling."""
        return rate_now(self._throttle, self._clock.now_us())

    @property
    def borne(self) -> float | None:
        """How many requests a second were borne for a while; None when there were too few to say."""
        return borne(self._throttle, self._clock.now_us())

    @property
    def is_open(self) -> bool:
        """Whether the server answers nobody and is only probed."""
        return self._breaker.is_open

    @property
    def hopeless(self) -> bool:
        """Whether the server has answered nobody for too long."""
        return self._breaker.hopeless(self._clock.now_us())

    @property
    def failing_for_s(self) -> float | None:
        """For how long nobody has been answered, in seconds; None unless the server is only probed."""
        since_us = self._breaker.failing_since_us
        if since_us is None or not self.is_open:
            return None
        return (self._clock.now_us() - since_us) / SECOND_US

    async def slot(self, *, retry: bool) -> bool:
        """Wait for a slot of one's own; False when the run is being stopped."""
        if not await self._admitted() or not await self._afforded(retry=retry):
            return False
        # One waits for the next slot, the others for their turn: so nobody holds a slot of a pace that is no more.
        async with self._turn:
            while not self._halt.called:
                if self._throttle.full:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                self._throttle, wait_us = slot(self._throttle, self._clock.now_us())
                if not wait_us:
                    return True
                await self._halt.nap(wait_us / SECOND_US)
        return False

    async def departure(self) -> Trip | None:
        """Wait until a request may really go; it must go at once. None when the run is being stopped."""
        while not self._halt.called:
            now_us = self._clock.now_us()
            throttle, wait_us = departure(self._throttle, now_us)
            wait_us = wait_us or self._account.depart(now_us)
            if not wait_us:
                self._throttle = throttle
                return Trip(now_us, self._throttle.under_way)
            await self._halt.nap(wait_us / SECOND_US)
        return None

    def came_back(self, trip: Trip | None, answer: Reply | Fault) -> None:
        """Take note, at once, how a request ended that had a slot; `trip` is None when it never left."""
        now_us = self._clock.now_us()
        if trip is None:
            self._throttle = withdrawn(self._throttle)
        elif isinstance(answer, Reply):
            self._throttle = answered_in(self._throttle, trip, now_us)
        elif answer.throttled:
            asked_s = answer.retry_after_s
            pause_us = None if asked_s is None else round(asked_s * SECOND_US)
            self._throttle = pushed_back(self._throttle, trip, now_us, pause_us)
        elif answer.effect is Effect.IN_DOUBT:
            self._throttle = unanswered(self._throttle)
        else:
            self._throttle = withdrawn(self._throttle)
        if answer.quota is not None:
            self._throttle = told(self._throttle, answer.quota, now_us)
        self._freed.set()

    async def _admitted(self) -> bool:
        while not self._halt.called:
            self._breaker, wait_us = admit(self._breaker, self._clock.now_us())
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

    async def _afforded(self, *, retry: bool) -> bool:
        # A probe is a retry of its own kind: the breaker already spaces it.
        if not retry or self.is_open:
            self._budget = self._budget if retry else earn(self._budget)
            return True
        while not self._halt.called:
            self._budget, wait_us = spend(self._budget, self._clock.now_us())
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

    def answered(self) -> None:
        """Take note of a reply that was written down."""
        self._is_there()

    def _is_there(self) -> None:
        self._breaker = answered(self._breaker)
        self.answered_at_us = self._clock.now_us()

    def faulted(self, fault: Fault) -> None:
        """Take note of a request without a reply."""
        if fault.effect is Effect.REFUSED:
            self._is_there()  # to refuse a request is to be there
        else:
            self._breaker = failed(self._breaker, self._clock.now_us())
