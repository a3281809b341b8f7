"""The gate that all workers pass before a request. It waits as core/throttle.py decides.

`Halt` stops or pauses all workers. `SystemClock` has the clocks and the random numbers. Waiting times do not depend on
the machine's clock, which may be set at any moment: `now_us` runs while the machine is awake, `wall_s` also while it
sleeps. Only `time_of_day_s` can jump.

All runs of one API user on this machine share one limit on requests per second, through a small database. It keeps the
times of the latest requests of all runs, and the rule of core/pace.py counts them together. So the sum never exceeds
the limit, not even when a run joins. Nothing is reserved: a killed run takes nothing from the others, because requests
older than the window do not count. If the runs have different limits, the lowest limit of the active runs applies to
all. Otherwise the others would use up everything before the slowest run could send.

Its times are those of the event loop: the machine's monotonic clock, which is the same for all processes.
"""

import asyncio
import logging
import os
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from bulk_remove.core import throttle as throttling
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.model import Chunk
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Breaker, RetryBudget, Steering, Throttle, Trip
from bulk_remove.core.timeline import Snapshot, Wait, Window, duration, next_opening, told_moment
from bulk_remove.disk import private

if TYPE_CHECKING:
    from bulk_remove.ledger import Sending


class Halt:
    """Stops new requests, or pauses them while `going` is not set. Keeps why the run ended, and with which fault."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.going = asyncio.Event()
        self.going.set()
        self.called = False
        self.ending = Ending.DONE
        self.fault: Fault | None = None

    def call(self, ending: Ending, fault: Fault | None = None) -> None:
        """Stop new requests. The first reason counts, but a removal that nobody asked for goes before all others."""
        if not self.called or ending is Ending.UNASKED:
            self.ending = ending
            self.fault = fault
        self.called = True
        self._event.set()
        self.going.set()

    def recall(self) -> None:
        """Take a stop back that came after everything was sent."""
        self.ending = Ending.DONE
        self.called = False
        self._event.clear()

    async def nap(self, seconds: float) -> None:
        """Wait for so long, or until the run is stopping."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return


# Linux's monotonic clock stops while the machine sleeps, macOS's does not. Windows has neither of these names.
_GOES_ON_ASLEEP: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def elapsed_s() -> float:
    """Return seconds from a clock that cannot be set and that also runs while the machine sleeps."""
    return time.monotonic() if _GOES_ON_ASLEEP is None else time.clock_gettime(_GOES_ON_ASLEEP)


class SystemClock:
    """The clocks of a session, which begins when this is created. `now_us` needs a running event loop."""

    def __init__(self, time_of_day: Callable[[], float] = time.time, elapsed: Callable[[], float] = elapsed_s) -> None:
        self._random = random.Random()  # noqa: S311 - jitter guards nothing
        self._time_of_day = time_of_day
        self._elapsed = elapsed
        self._ahead_s = time_of_day() - elapsed()

    def now_us(self) -> int:
        """Return the event loop's monotonic time in microseconds."""
        return int(asyncio.get_running_loop().time() * 1_000_000)

    def wall_s(self) -> float:
        """Return the time at the start of the session plus the elapsed time, in Unix seconds. It never goes back."""
        return self._ahead_s + self._elapsed()

    def time_of_day_s(self) -> float:
        """Return the machine's clock in Unix seconds. It jumps when the clock is set."""
        return self._time_of_day()

    def draw(self) -> float:
        """Return a random float in [0, 1)."""
        return self._random.random()


T = TypeVar("T")


class Sender(Protocol):
    """Sends one request for a chunk, once."""

    async def delete(
        self,
        chunk: Chunk,
        shape: RequestShape,
        now_s: float,
        departure: Callable[[], Awaitable[bool]],
        arrival: Callable[[], None],
    ) -> Reply | Fault:
        """Return a reply or a fault. Never raises for errors of the network or the server.

        Awaits `departure` right before the first byte. If it returns False, sends nothing and returns NOT_SENT.
        Calls `arrival` when the head of a reply is here, before its body.
        """


class RunJournal(Protocol):
    """Runs a call in a transaction. Its result is on disk when it returns."""

    async def write(self, call: Callable[["Sending"], T]) -> T:
        """Return the result of the call. Raises StorageError."""


class Account(Protocol):
    """A limit on requests per second that several runs share."""

    def depart(self, now_us: int) -> int:
        """Return 0 if a request may be sent now, which is then counted for all runs, else the microseconds to wait."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the pool needs from outside."""

    journal: RunJournal
    sender: Sender
    clock: SystemClock
    account: Account


log = logging.getLogger("bulk_remove.pool")

_LOOK_EVERY_S = 1.0
"""How often to check the machine's clock while nothing is sent: it may be set, or the machine may sleep."""


class Gate:
    """Has the throttle, the breaker and the retry budget for all workers. Create it inside the running loop.

    `answered_at_us` is when the server last answered a request, or None. `denials` counts denials in a row since
    `denied_since_s` (Unix seconds); a request that was sent before the previous denial was known is not counted. After
    `until_s` (Unix seconds by the machine's clock) no request passes. `opens_s` is when the next hours of sending begin
    (Unix seconds), or None within them.
    """

    def __init__(
        self,
        throttle: Throttle,
        breaker: Breaker,
        clock: SystemClock,
        halt: Halt,
        account: Account,
        until_s: float | None = None,
    ) -> None:
        self._throttle = throttle
        self.breaker = breaker
        self._budget = RetryBudget(updated_us=clock.now_us())
        self._clock = clock
        self._halt = halt
        self._account = account
        self._until_s = until_s
        self._asked_to_wait_s = 0.0
        self._ahead_s = clock.wall_s() - clock.now_us() / SECOND_US
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._held_since_us: int | None = None
        self._held_us = 0
        self._keyed_us: int | None = None
        self._windows: Sequence[Window] = ()
        self.opens_s: float | None = None
        self.answered_at_us: int | None = None
        self.denials = 0
        self.denied_since_s = 0.0
        self._denied_at_us = 0

    @property
    def borne(self) -> float | None:
        """The requests per second that the server accepted for a while, or None after too few requests."""
        return throttling.borne(self._throttle, self._clock.now_us())

    @property
    def hopeless(self) -> bool:
        """Whether the server has not answered for too long."""
        return self.breaker.hopeless(self._sending_us)

    def shown(self, counts: Snapshot) -> Snapshot:
        """Return the counts with the present pace, and with what keeps requests from leaving."""
        now_us, failing_for_s, paused_for_s = self._clock.now_us(), None, None
        since_us = self.breaker.failing_since_us
        if since_us is not None and self.breaker.is_open and not self.denials:  # a denial counts as an answer
            failing_for_s = (self._sending_us - since_us) / SECOND_US
        if self._keyed_us is not None and not self._halt.going.is_set():
            paused_for_s = (now_us - self._keyed_us) / SECOND_US
        left_us = self._throttle.pace.not_before_us - now_us
        return replace(
            counts,
            rate=throttling.rate_now(self._throttle, now_us),
            failing_for_s=failing_for_s,
            under_way=self._throttle.under_way,
            paused_for_s=paused_for_s,
            wait=Wait(self._asked_to_wait_s, left_us / SECOND_US) if left_us > 0 else None,
            opens_s=self.opens_s,
        )

    @property
    def sending_s(self) -> float:
        """Time for numbers in a call, in Unix seconds. It stops while the run is paused or the machine sleeps."""
        return self._ahead_s + self._sending_us / SECOND_US

    def steer(self, wanted: Steering) -> None:
        """Apply the limits and the pause that the operator wants."""
        now_us = self._clock.now_us()
        if wanted.ceilings != self._throttle.ceilings:
            eased = wanted.ceilings != wanted.given
            self._throttle = throttling.recapped(self._throttle, wanted.ceilings, eased=eased, now_us=now_us)
            self._freed.set()
        if not wanted.paused:
            self._keyed_us = None
        elif self._keyed_us is None:
            self._keyed_us = now_us
        self._hold()

    def keep_to(self, windows: Sequence[Window]) -> None:
        """Send only within these hours from now on. Empty: at all times."""
        self._windows = windows
        if windows or self.opens_s is not None:
            self._mind_hours(self._clock.time_of_day_s())

    def _mind_hours(self, now_s: float) -> None:
        """Pause the run if the time is outside the hours, else let it go on."""
        now = datetime.fromtimestamp(now_s)  # noqa: DTZ006 - the hours are local time
        opens = next_opening(self._windows, now)
        was_outside, self.opens_s = self.opens_s is not None, None if opens == now else opens.timestamp()
        if self._windows and was_outside != (self.opens_s is not None):
            if opens != now:
                log.info("outside the hours: no request leaves before %s", told_moment(opens, now))
            else:
                log.info("within the hours: going on")
        self._hold()

    def _hold(self) -> None:
        """Pause the run while the operator or the hours want that. Both together count as one pause."""
        now_us = self._clock.now_us()
        if self._keyed_us is not None or self.opens_s is not None:
            if not self._halt.called:
                self._halt.going.clear()
            self._held_since_us = now_us if self._held_since_us is None else self._held_since_us
        elif self._held_since_us is not None:
            self._throttle = throttling.rested(self._throttle, self._held_since_us, now_us)
            self._held_us += now_us - self._held_since_us
            self._held_since_us = None
            self._halt.going.set()

    @property
    def _sending_us(self) -> int:
        """The time for the breaker. It stops during a pause, because then nothing can be answered."""
        now_us = self._clock.now_us()
        return (now_us if self._held_since_us is None else self._held_since_us) - self._held_us

    async def slot(self, *, retry: bool) -> bool:
        """Wait for a slot. Returns False if the run is stopping."""
        await self._halt.going.wait()
        afforded = False
        while await self._admitted():
            is_probe = self.breaker.is_open
            afforded = afforded or await self._afforded(retry=retry)
            if not afforded or not await self.another_slot():
                return False
            if is_probe or not self.breaker.is_open:
                return True
            self._throttle = throttling.withdrawn(self._throttle)  # the breaker opened meanwhile: only probes may go
            self._freed.set()
        return False

    async def another_slot(self) -> bool:
        """Wait for another slot, for a request that was not sent because the run was paused. Returns as `slot` does."""
        # Only one worker waits for the next slot, so no slot is reserved at an outdated pace.
        async with self._turn:
            while not self._halt.called:
                await self._halt.going.wait()
                if self._throttle.full:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                self._throttle, wait_us = throttling.slot(self._throttle, self._clock.now_us())
                if not wait_us:
                    return True
                await self._halt.nap(wait_us / SECOND_US)
        return False

    async def departure(self) -> Trip | None:
        """Wait until a request may be sent, which must then happen at once. None if the run is stopping or paused."""
        while not self._looked() and self._halt.going.is_set():
            now_us = self._clock.now_us()
            throttle, wait_us = throttling.departure(self._throttle, now_us)
            wait_us = wait_us or self._account.depart(now_us)
            if not wait_us:
                self._throttle = throttle
                return Trip(now_us, self._throttle.under_way)
            await self._halt.nap(wait_us / SECOND_US)
        return None

    def _looked(self) -> bool:
        """Check the deadline and the hours by the machine's clock. Returns whether the run is stopping."""
        if self._until_s is not None and self._clock.time_of_day_s() >= self._until_s:
            self._halt.call(Ending.DEADLINE)
        if self._windows:
            self._mind_hours(self._clock.time_of_day_s())
        return self._halt.called

    async def stopped(self) -> None:
        """Wait until the run is stopping. Meanwhile check the deadline and the hours."""
        while not self._looked():
            await self._halt.nap(_LOOK_EVERY_S)

    def came_back(self, trip: Trip | None, answer: Reply | Fault) -> None:
        """Note how a request with a slot ended. `trip` is None if it was never sent."""
        now_us, waited_until_us = self._clock.now_us(), self._throttle.pace.not_before_us
        if trip is None:
            self._throttle = throttling.withdrawn(self._throttle)
        elif isinstance(answer, Reply):
            self._throttle = throttling.answered(self._throttle, trip, now_us)
        elif answer.throttled:
            asked_s = answer.retry_after_s
            pause_us = None if asked_s is None else round(asked_s * SECOND_US)
            self._throttle = throttling.pushed_back(self._throttle, trip, now_us, pause_us)
        elif answer.effect is Effect.IN_DOUBT:
            self._throttle = throttling.unanswered(self._throttle)
        else:
            self._throttle = throttling.withdrawn(self._throttle)
        if isinstance(answer, Fault) and answer.effect is Effect.DENIED:
            self._denied(now_us if trip is None else trip.departed_us)
        if answer.quota is not None:
            self._throttle = throttling.told(self._throttle, answer.quota, now_us)
        if self._throttle.pace.not_before_us > max(now_us, waited_until_us):
            after_s = answer.retry_after_s if isinstance(answer, Fault) else None
            used_up_s = answer.quota.reset_s if answer.quota is not None and not answer.quota.remaining else 0.0
            self._asked_to_wait_s = max(after_s or 0.0, used_up_s)
            log.warning("the server asks to wait %s: no request leaves before", duration(self._asked_to_wait_s))
        self._freed.set()

    def _denied(self, left_us: int) -> None:
        """Count a denial, unless its request was sent before the previous denial was known."""
        if not self.denials:
            self.denied_since_s = self._clock.wall_s()
        if not self.denials or left_us >= self._denied_at_us:
            self.denials += 1
            self._denied_at_us = self._clock.now_us()

    async def _admitted(self) -> bool:
        while not self._halt.called:
            self.breaker, wait_us = throttling.admit(self.breaker, self._sending_us)
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

    async def _afforded(self, *, retry: bool) -> bool:
        # Probes do not use the retry budget: the breaker spaces them already.
        if not retry or self.breaker.is_open:
            self._budget = self._budget if retry else throttling.earn(self._budget)
            return True
        while not self._halt.called:
            self._budget, wait_us = throttling.spend(self._budget, self._clock.now_us())
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

    def answered(self) -> None:
        """Note that the server is there: by a reply that is in the ledger, or by a refusal."""
        self.breaker = throttling.closed(self.breaker)
        self.answered_at_us = self._clock.now_us()
        self.denials = 0

    def faulted(self, fault: Fault, *, asked_anew: bool) -> None:
        """Note a request without a reply. `asked_anew` says that the same is asked in another way at once."""
        if fault.effect is Effect.REFUSED:
            self.answered()
        else:
            at_once = fault.effect is Effect.DENIED and not asked_anew
            self.breaker = throttling.failed(self.breaker, self._sending_us, at_once=at_once)


_account_log = logging.getLogger("bulk_remove.account")

_PRESENT_US = 10 * SECOND_US
"""A run that has not asked for so long has ended, or is not sending."""
_NOTED_EVERY_US = SECOND_US // 2
"""How often a run notes that it is active. Noting this with each request would double the cost."""
_LOCKED_US = 2_000
"""How long to wait while another run has the lock. It needs a twentieth of that."""
_PRIMARY = 0xFF
"""The bits of an SQLite error code with the primary code."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, ceiling REAL NOT NULL, asked_at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS departure (at_us INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS departure_at ON departure (at_us);
"""
_ASK = (
    "INSERT INTO run VALUES (?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET ceiling = excluded.ceiling, asked_at_us = excluded.asked_at_us"
)


class AccountCeiling(ExitStack):
    """The shared limit, used by one run. `ceiling` is in requests per second, `run` is the name of the run.

    The file must survive the end of a process, but not of the machine. So it is written in transactions without sync.
    Leaving the context closes it.
    """

    def __init__(self, path: Path, ceiling: float, run: str) -> None:
        super().__init__()
        self._path = path
        self._ceiling = ceiling
        self._run = run
        self._connection: sqlite3.Connection | None = None
        self._usable = True
        self._noted_us = -_NOTED_EVERY_US

    def depart(self, now_us: int) -> int:
        """Return 0 if a request may be sent now, which is then counted for all runs, else the microseconds to wait.

        If the file cannot be used, the run keeps only its own limit, and the log says so.
        """
        if not self._usable:
            return 0
        try:
            self._connection = self._connection or self.enter_context(closing(self._opened()))
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                return self._depart(self._connection, now_us)
        except (sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY:
                return _LOCKED_US
            reason = error.strerror if isinstance(error, OSError) else error
            _account_log.warning("the ceiling cannot be shared with other runs through %s: %s", self._path, reason)
            self._usable = False
        return 0

    def _opened(self) -> sqlite3.Connection:
        os.close(private(str(self._path), os.O_RDWR | os.O_CREAT))  # SQLite itself would let others read it
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _depart(self, connection: sqlite3.Connection, now_us: int) -> int:
        notes = now_us - self._noted_us >= _NOTED_EVERY_US
        if notes:  # that this run is active; inactive runs do not count
            present = now_us - _PRESENT_US, now_us + _PRESENT_US
            connection.execute("DELETE FROM run WHERE asked_at_us NOT BETWEEN ? AND ?", present)
            connection.execute(_ASK, (self._run, self._ceiling, now_us))
        lowest: float = connection.execute("SELECT ifnull(min(ceiling), ?) FROM run", (self._ceiling,)).fetchone()[0]
        window_us = ceil(ceil(lowest) * SECOND_US / lowest)  # in which `ceil(lowest)` requests may be sent
        recent_us = max(window_us, _PRESENT_US)
        if notes:
            recent = now_us - recent_us, now_us + recent_us
            connection.execute("DELETE FROM departure WHERE at_us NOT BETWEEN ? AND ?", recent)
            self._noted_us = now_us
        # After a reboot the clock is behind the times in the file.
        oldest = connection.execute(
            "SELECT at_us FROM departure WHERE at_us BETWEEN ? AND ? ORDER BY at_us DESC LIMIT 1 OFFSET ?",
            (now_us - window_us, now_us + recent_us, ceil(lowest) - 1),
        ).fetchone()
        wait_us: int = max(0, oldest[0] + window_us - now_us) if oldest else 0
        if not wait_us:
            connection.execute("INSERT INTO departure VALUES (?)", (now_us,))
        return wait_us
