"""An event loop whose clock is moved by the loop itself: whoever sleeps wakes at once, at the time he asked for."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from bulk_remove.sending.gate import SystemClock

T = TypeVar("T")
BEGAN_S = 1_700_000_000.0
"""The time of day at which virtual time begins, Unix seconds."""


class _Selector(selectors.SelectSelector):
    """Instead of waiting, moves the clock by as long as it was to wait."""

    def __init__(self, now_s: float, each_turn: Callable[[], None]) -> None:
        super().__init__()
        self.now_s = now_s
        self._each_turn = each_turn

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._each_turn()
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("everybody waits and nobody will ever wake them")
        self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Use with coroutines that wait for timers only: no sockets, no threads.

    Its clock begins at `began_s`, in seconds. `each_turn` is called at each turn of the loop; what it raises comes out
    of the loop as if the process had been stopped there.
    """

    def __init__(self, began_s: float = 0.0, each_turn: Callable[[], None] = lambda: None) -> None:
        self._virtual = _Selector(began_s, each_turn)
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


Shifts = Sequence[tuple[float, float]]
"""What happens to a clock: at which time of the loop, and by how many seconds."""


class VirtualClock(SystemClock):
    """The session's clock on a virtual loop, in a machine whose clock is set, and which sleeps; chance is a constant.

    The loop's own time stands still while the machine sleeps. Make it inside the running loop.
    """

    def __init__(self, draw: float = 0.5, *, clock_set: Shifts = (), slept: Shifts = ()) -> None:
        loop = asyncio.get_running_loop()

        def elapsed() -> float:
            return loop.time() + shift_s(slept, loop.time())

        super().__init__(lambda: BEGAN_S + elapsed() + shift_s(clock_set, loop.time()), elapsed)
        self._draw = draw

    def now_us(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000_000)

    def draw(self) -> float:
        return self._draw


def shift_s(shifts: Shifts, now_s: float) -> float:
    """Return by how much a clock was shifted by now."""
    return sum(by_s for at_s, by_s in shifts if at_s <= now_s)


def run_virtually(job: Coroutine[Any, Any, T], loop: VirtualLoop | None = None) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: loop or VirtualLoop()) as runner:
        return runner.run(job)
