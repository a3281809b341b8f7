"""Stopping: said once, kept, and noticed by everyone who waits. And holding still, which ends."""

import asyncio

from bulk_remove.core.replies import Fault
from bulk_remove.core.summary import Ending


class Halt:
    """No new requests once it is called; the first reason counts, but for one. `fault` ended the run, if one did."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self.ending = Ending.DONE
        self.fault: Fault | None = None

    @property
    def called(self) -> bool:
        """Whether somebody has called it."""
        return self._event.is_set()

    def call(self, ending: Ending, fault: Fault | None = None) -> None:
        """Stop new requests, for this reason. A removal that nobody asked for is told before any other reason."""
        if not self.called or ending is Ending.UNASKED:
            self.ending = ending
            self.fault = fault
        self._event.set()
        self._going.set()

    @property
    def paused(self) -> bool:
        """Whether the run is held; one that is being stopped is not."""
        return not self._going.is_set()

    def pause(self) -> None:
        """Hold the run, unless it is being stopped."""
        if not self.called:
            self._going.clear()

    def go_on(self) -> None:
        """Hold it no more."""
        self._going.set()

    async def going(self) -> None:
        """Wait while the run is held."""
        await self._going.wait()

    async def nap(self, seconds: float) -> None:
        """Wait so long, or until the halt."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
