"""Ctrl-C and SIGTERM: once stops safely, twice at once."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from bulk_remove.core.summary import Ending
from bulk_remove.errors import ExitCode, StoppedError

_ENDINGS = {signal.SIGINT: Ending.INTERRUPTED, signal.SIGTERM: Ending.TERMINATED}
_EXITS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


@contextmanager
def stopped_by_signals(stop: Callable[[Ending], None], notice: Callable[[], None]) -> Iterator[None]:
    """Turn the first signal into a call of `stop`, with a notice to the operator, and the second into StoppedError.

    Enter it in the main thread, inside the task to be stopped. Plain signal handlers, because event loops on Windows
    have no others.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    received: list[signal.Signals] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        if len(received) == 1:
            loop.call_soon_threadsafe(notice)
            loop.call_soon_threadsafe(stop, _ENDINGS[received[0]])
        elif task is not None:
            loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.signal(number, handle) for number in _ENDINGS}
    try:
        yield
    except asyncio.CancelledError:
        if len(received) < 2:  # noqa: PLR2004 - not the second signal: somebody else cancelled the task
            raise
        raise StoppedError(
            "Stopped at once: requests under way were left without an answer.",
            "Their numbers may or may not be gone; the ledger knows which they are.",
            _EXITS[received[0]],
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
