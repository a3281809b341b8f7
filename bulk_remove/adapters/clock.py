"""The clocks and the dice: everything that differs from run to run comes in here."""

import asyncio
import random
import time


class SystemClock:
    """The machine's clocks. `now_us` needs a running event loop."""

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - jitter guards nothing

    def now_us(self) -> int:
        """Return the event loop's monotonic time in microseconds."""
        return int(asyncio.get_running_loop().time() * 1_000_000)

    def wall_s(self) -> float:
        """Return the time of day, Unix seconds."""
        return time.time()

    def draw(self) -> float:
        """Return a random float in [0, 1)."""
        return self._random.random()
