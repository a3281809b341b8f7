"""The one gate that all workers pass before a request: core/pacing.py, made to wait."""

from bulk_remove.adapters.pool.halt import Halt
from bulk_remove.adapters.pool.ports import Clock
from bulk_remove.core.pacing import SECOND_US, Pace, depart, eased, paused, reserve, strained
from bulk_remove.core.replies import Fault


class Gate:
    """Holds the pace for all workers."""

    def __init__(self, pace: Pace, clock: Clock, halt: Halt) -> None:
        self._pace = pace
        self._clock = clock
        self._halt = halt

    @property
    def stretch(self) -> float:
        """How much slower than its ceiling the pace is just now; 1.0 is the ceiling."""
        return self._pace.stretch

    async def slot(self) -> bool:
        """Wait for a slot of one's own; False when the run is being stopped."""
        self._pace, slot_us = reserve(self._pace, self._clock.now_us())
        await self._until(slot_us)
        return not self._halt.called

    async def departure(self) -> bool:
        """Wait until a request may really go; it must go at once. False when the run is being stopped."""
        while not self._halt.called:
            self._pace, wait_us = depart(self._pace, self._clock.now_us())
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

    async def _until(self, moment_us: int) -> None:
        while not self._halt.called and (wait_us := moment_us - self._clock.now_us()) > 0:
            await self._halt.nap(wait_us / SECOND_US)

    def eased(self) -> None:
        """Take note of a reply that showed no strain."""
        self._pace = eased(self._pace)

    def faulted(self, fault: Fault) -> None:
        """Slow everybody down when the server asks for it; a Retry-After pauses everybody."""
        if fault.throttled:
            self._pace = strained(self._pace)
        if fault.retry_after_s is not None:
            self._pace = paused(self._pace, self._clock.now_us() + round(fault.retry_after_s * SECOND_US))
