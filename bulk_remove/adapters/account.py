"""The ceiling that all runs of one account on this machine keep to together: a small file under a lock.

The file holds when the latest requests left, whichever run they were of, so that the rule of core/pacing.py counts
them all: the sum is never above the ceiling, not even while a run joins. Nothing is reserved: a run that is killed
leaves no debt, for departures older than the window do not count. Where the runs have different ceilings, the lowest of
those that asked lately counts for all; else the others would leave it nothing.

Times are those of the event loop, which is the machine's monotonic clock and one for all processes.
"""

import json
import logging
import os
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

log = logging.getLogger("bulk_remove.account")

_SECOND_US = 1_000_000
_PRESENT_US = 10 * _SECOND_US
"""A run that has not asked for so long is not there any more, or does not send."""
_LOCKED_US = 2_000
"""How long to wait while another run holds the lock; it does so for a tenth of that."""

TryLock = Callable[[], AbstractContextManager[bool]]
"""Tries to take a lock for as long as the context lasts, without waiting; gives whether it was free."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the file holds: by run its ceiling (requests a second) and when it asked; departures, oldest first.

    The first is a line of JSON, the second are 64 bits each, because there may be a thousand of them.
    """

    departures_us: "array[int]"
    runs: Mapping[str, tuple[float, int]]


class Account:
    """One run's part in the ceiling of its account. `ceiling` is in requests a second, `run` names the run."""

    def __init__(self, path: Path, try_lock: TryLock, ceiling: float, run: str) -> None:
        self._path = path
        self._try_lock = try_lock
        self._ceiling = ceiling
        self._run = run
        self._usable = True

    def depart(self, now_us: int) -> int:
        """Ask to go now. Returns 0 when a request may go, which is noted for all, else how many microseconds to wait.

        Where the file cannot be used the run keeps to its own ceiling alone, and the log says so.
        """
        try:
            with self._try_lock() as mine:
                return self._depart(now_us) if mine else _LOCKED_US
        except OSError as error:
            if self._usable:
                log.warning("the ceiling cannot be shared with other runs: %s", error.strerror)
            self._usable = False
            return 0

    def _depart(self, now_us: int) -> int:
        shared = self._read(now_us)
        runs = {run: asked for run, asked in shared.runs.items() if abs(now_us - asked[1]) < _PRESENT_US}
        runs[self._run] = (self._ceiling, now_us)
        ceiling = min(each for each, _ in runs.values())
        most = ceil(ceiling)
        window_us = ceil(most * _SECOND_US / ceiling)
        recent_us = max(window_us, _PRESENT_US)
        # After the machine was started anew its clock is behind what was noted before.
        departures_us = shared.departures_us[
            bisect_right(shared.departures_us, now_us - recent_us) : bisect_left(
                shared.departures_us, now_us + recent_us
            )
        ]
        wait_us = 0
        if len(departures_us) >= most:
            wait_us = max(0, departures_us[-most] + window_us - now_us)
        if not wait_us:
            insort(departures_us, now_us)
        longest = max(ceil(each) for each, _ in runs.values())
        self._write(_Shared(departures_us[-longest:], runs))
        return wait_us

    def _read(self, now_us: int) -> _Shared:
        """Return what is noted; where a run was killed while it wrote, as if as many as may had just left."""
        try:
            noted, _, departures = self._path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return _Shared(array("q"), {})
        try:
            runs = {str(run): (float(ceiling), int(asked_us)) for run, (ceiling, asked_us) in json.loads(noted).items()}
            return _Shared(array("q", departures), runs)
        except (ValueError, TypeError, AttributeError):
            return _Shared(array("q", [now_us] * ceil(self._ceiling)), {})

    def _write(self, shared: _Shared) -> None:
        """Write in one go and in place: whoever holds the lock is alone, and it need not outlive the machine."""
        text = json.dumps(shared.runs).encode("ascii") + b"\n" + shared.departures_us.tobytes()
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            os.write(file, text)
            os.ftruncate(file, len(text))
        finally:
            os.close(file)
