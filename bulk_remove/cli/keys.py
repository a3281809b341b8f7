"""The keys while a run sends: what is typed, turned into what the pool is to do, answered and noted in the log."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from bulk_remove.adapters.console import Screen, moment_of, typed_keys
from bulk_remove.adapters.pool import Pool
from bulk_remove.core.steering import LEGEND, Key, key_of, pressed
from bulk_remove.core.summary import Ending
from bulk_remove.language import phrase

log = logging.getLogger("bulk_remove.keys")


@contextmanager
def steered_by_keys(screen: Screen, pool: Pool) -> Iterator[None]:
    """Let the operator hold, slow down and stop the sending. Enter it in the main thread, inside the loop."""

    def press(typed: str) -> None:
        keys = [key for key in map(key_of, typed) if key is not None]
        if not keys:
            screen.note(LEGEND)
        for key in keys:
            answer = _answer(pool, key)
            log.info("key %s: %s", key, answer)
            screen.note(answer)

    with typed_keys(screen.err, press) as listening:
        if listening:
            screen.note(LEGEND)
        yield


def _answer(pool: Pool, key: Key) -> str:
    """Do what a key says; returns the sentence that answers it."""
    if pool.stopping:
        return "Stopping already; Ctrl-C once more stops at once."
    if key is Key.STOP:
        pool.stop(Ending.KEY)
        signal.raise_signal(signal.SIGINT)  # so that it is the first Ctrl-C, and the next one the second
        return "Stopping, as Ctrl-C does."
    wanted, answer = pressed(pool.steering, key)
    pool.steer(wanted)
    opens_s = pool.snapshot().opens_s
    if key is Key.PAUSE and not wanted.paused and opens_s is not None:
        return phrase("Not paused any more; outside --hours: goes on at {moment}.", moment=moment_of(opens_s))
    return answer
