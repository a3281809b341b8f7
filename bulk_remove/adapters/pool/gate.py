"""The one gate that all workers pass before a request: core/breaker.py and core/pacing.py, made to wait."""

from bulk_remove.adapters.pool.halt import Halt
from bulk_remove.adapters.pool.ports import Clock
from bulk_remove.core.breaker import Breaker, RetryBudget, admit, answered, earn, failed, spend
from bulk_remove.core.pacing import SECOND_US, Pace, depart, eased, paused, reserve, strained
from bulk_remove.core.replies import Effect, Fault


class Gate:
    """Holds the pace, the breaker and the retry budget for all workers. Make it inside the running loop.

    `answered_at_us` is when the server last answered anybody, None before the first time.
    """

    def __init__(self, pace: Pace, breaker: Breaker, clock: Clock, halt: Halt) -> None:
        self._pace = pace
        self._breaker = breaker
        self._budget = RetryBudget(updated_us=clock.now_us())
        self._clock = clock
        self._halt = halt
        self.answered_at_us: int | None = None

    @property
    def stretch(self) -> float:
        """How much slower than its ceiling the pace is just now; 1.0 is the ceiling."""
        return self._pace.stretch

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
        self._pace, slot_us = reserve(self._pace, self._clock.now_us())
        while not self._halt.called and (wait_us := slot_us - self._clock.now_us()) > 0:
            await self._halt.nap(wait_us / SECOND_US)
        return not self._halt.called

    async def departure(self) -> bool:
        """Wait until a request may really go; it must go at once. False when the run is being stopped."""
        while not self._halt.called:
            self._pace, wait_us = depart(self._pace, self._clock.now_us())
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

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
        """Take note of a reply."""
        self._pace = eased(self._pace)
        self._is_there()

    def _is_there(self) -> None:
        self._breaker = answered(self._breaker)
        self.answered_at_us = self._clock.now_us()

    def faulted(self, fault: Fault) -> None:
        """Slow everybody down when the server asks for it; a Retry-After pauses everybody."""
        if fault.throttled:
            self._pace = strained(self._pace)
        if fault.retry_after_s is not None:
            self._pace = paused(self._pace, self._clock.now_us() + round(fault.retry_after_s * SECOND_US))
        if fault.effect is Effect.REFUSED:
            self._is_there()  # to refuse a request is to be there
        else:
            self._breaker = failed(self._breaker, self._clock.now_us())
