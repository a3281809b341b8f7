"""The clocks and the dice: everything that differs from run to run comes in here.

Nothing that a session waits for or adds up depends on the machine's clock, which may be set while it lasts: `now_us`
goes on only while the machine is awake, `wall_s` also while it sleeps. Only `time_of_day_s` can jump.
"""

import asyncio
import random
import time
from collections.abc import Callable

# Linux's monotonic clock stands still while the machine sleeps, macOS's goes on; Windows has none of this name.
_GOES_ON_ASLEEP: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def elapsed_s() -> float:
    """Return seconds since some moment, by a clock that nobody can set and that goes on while the machine sleeps."""
    return time.monotonic() if _GOES_ON_ASLEEP is None else time.clock_gettime(_GOES_ON_ASLEEP)


class SystemClock:
    """The clocks of one session, which begins when this is made. `now_us` needs a running event loop."""

    def __init__(self, time_of_day: Callable[[], float] = time.time, elapsed: Callable[[], float] = elapsed_s) -> None:
        self._random = random.Random()  # noqa: S311 - jitter guards nothing
        self._time_of_day = time_of_day
        self._elapsed = elapsed
        self._ahead_s = time_of_day() - elapsed()

    def now_us(self) -> int:
        """Return the event loop's monotonic time in microseconds."""
        return int(asyncio.get_running_loop().time() * 1_000_000)

    def wall_s(self) -> float:
        """Return the time of day as the session began plus what went by since, Unix seconds. It never goes back."""
        return self._ahead_s + self._elapsed()

    def time_of_day_s(self) -> float:
        """Return what the machine's clock says just now, Unix seconds. It jumps when the clock is set."""
        return self._time_of_day()

    def draw(self) -> float:
        """Return a random float in [0, 1)."""
        return self._random.random()
