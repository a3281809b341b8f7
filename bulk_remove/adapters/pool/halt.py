"""Stopping: said once, kept, and noticed by everyone who waits."""

import asyncio

from bulk_remove.core.replies import Fault
from bulk_remove.core.summary import Ending


class Halt:
    """No new requests once it is called; the first reason counts. `fault` is the one that ended the run, if any."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.ending = Ending.DONE
        self.fault: Fault | None = None

    @property
    def called(self) -> bool:
        """Whether somebody has called it."""
        return self._event.is_set()

    def call(self, ending: Ending, fault: Fault | None = None) -> None:
        """Stop new requests, for this reason."""
        if not self.called:
            self.ending = ending
            self.fault = fault
            self._event.set()

    async def nap(self, seconds: float) -> None:
        """Wait so long, or until the halt."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
