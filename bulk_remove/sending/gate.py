"""The gate that all workers pass before a request. It waits as core/throttle.py and core/throttle.py decide.

`Halt` stops or pauses all workers. The protocols define what the pool needs from outside: the ledger, the client and
the clock implement them.

All runs of one API user on this machine share one limit on requests per second, through a small database. It keeps the
times of the latest requests of all runs, and the rule of core/pace.py counts them together. So the sum never exceeds
the limit, not even when a run joins. Nothing is reserved: a killed run takes nothing from the others, because requests
older than the window do not count. If the runs have different limits, the lowest limit of the active runs applies to
all. Otherwise the others would use up everything before the slowest run could send.

Times are those of the event loop: the machine's monotonic clock, which is the same for all processes.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import Fastest
from bulk_remove.core.limits import Batch
from bulk_remove.core.model import Again, Alike, Chunk, NumberState
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import (
    Breaker,
    RetryBudget,
    Steering,
    Throttle,
    Trip,
    admit,
    answered,
    borne,
    closed,
    departure,
    earn,
    failed,
    pushed_back,
    rate_now,
    recapped,
    rested,
    slot,
    spend,
    told,
    unanswered,
    withdrawn,
)
from bulk_remove.core.timeline import Wait, Window, duration, next_opening, told_moment
from bulk_remove.core.verdicts import Unasked
from bulk_remove.disk import private


class Halt:
    """Stops new requests, or pauses them. Keeps why the run ended, and the `fault` that ended it, if one did."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self.ending = Ending.DONE
        self.fault: Fault | None = None

    @property
    def called(self) -> bool:
        """Whether the run is stopping."""
        return self._event.is_set()

    def call(self, ending: Ending, fault: Fault | None = None) -> None:
        """Stop new requests. The first reason counts, but a removal that nobody asked for goes before all others."""
        if not self.called or ending is Ending.UNASKED:
            self.ending = ending
            self.fault = fault
        self._event.set()
        self._going.set()

    def recall(self) -> None:
        """Take a stop back that came after everything was sent."""
        self.ending = Ending.DONE
        self._event.clear()

    @property
    def paused(self) -> bool:
        """Whether the run is paused. A stopping run is not."""
        return not self._going.is_set()

    def pause(self) -> None:
        """Pause the run, unless it is stopping."""
        if not self.called:
            self._going.clear()

    def go_on(self) -> None:
        """End the pause."""
        self._going.set()

    async def going(self) -> None:
        """Wait until the pause ends."""
        await self._going.wait()

    async def nap(self, seconds: float) -> None:
        """Wait for so long, or until the run is stopping."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return


T = TypeVar("T")


class Clock(Protocol):
    """Time and random numbers."""

    def now_us(self) -> int:
        """Return a monotonic time in microseconds, the event loop's own."""

    def wall_s(self) -> float:
        """Return the time for the ledger in Unix seconds. It runs while the machine sleeps, and never goes back."""

    def time_of_day_s(self) -> float:
        """Return the machine's clock in Unix seconds. It jumps when the clock is set."""

    def draw(self) -> float:
        """Return a random float in [0, 1)."""


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


class DueStragglers(Protocol):
    """Numbers that can share a request, as (ordinal, number, state), longest due first."""

    @property
    def campaign(self) -> str: ...  # noqa: D102 - the names say it
    @property
    def form(self) -> int: ...  # noqa: D102
    @property
    def numbers(self) -> Sequence[tuple[int, str, NumberState]]: ...  # noqa: D102


class Steps(Protocol):
    """The methods of `ledger.Sending` that the pool needs. They are documented there."""

    def planned_chunks(  # noqa: D102 - see the class
        self, after_id: int, limit: int, campaign: str = ...
    ) -> list[Chunk]: ...
    def due_stragglers(self, until_s: float, limit: int, within: tuple[int, int] = ...) -> DueStragglers | None: ...  # noqa: D102
    def next_due_s(self, within: tuple[int, int] = ...) -> float | None: ...  # noqa: D102
    def waiting_stragglers(self) -> int: ...  # noqa: D102
    def pack_chunk(  # noqa: D102
        self, campaign: str, form: int, numbers: Sequence[str], ordinals: Sequence[int], states: Sequence[NumberState]
    ) -> Chunk: ...
    def begin_attempt(self, chunk_id: int, now_s: float) -> int: ...  # noqa: D102
    def end_attempt(  # noqa: D102
        self,
        attempt_id: int,
        now_s: float,
        result: str,
        request_id: str,
        strangers: int,
        unasked: Sequence[Unasked] = ...,
    ) -> None: ...
    def keep_states(self, chunk: Chunk, states: Alike[NumberState]) -> None: ...  # noqa: D102
    def settle(self, chunk: Chunk, states: Alike[NumberState], again: Mapping[int, Again]) -> None: ...  # noqa: D102
    def split(  # noqa: D102
        self,
        chunk: Chunk,
        states: Alike[NumberState],
        now_s: float,
        first: int | None = ...,
        *,
        rest_waits: bool = ...,
    ) -> tuple[Chunk, ...]: ...
    def fastest(self) -> Fastest: ...  # noqa: D102
    def keep_fastest(self, fastest: Fastest) -> None: ...  # noqa: D102
    def canary(self) -> tuple[int, int] | None: ...  # noqa: D102
    def canary_campaign(self) -> str: ...  # noqa: D102
    def begin_canary(self, ordinals: Sequence[int], *, planned: bool) -> tuple[int, int]: ...  # noqa: D102
    def answered_last(  # noqa: D102
        self, most: int, gone: Callable[[str, Sequence[str]], Sequence[int]]
    ) -> Sequence[tuple[str, Batch]]: ...


class RunJournal(Protocol):
    """Runs a call in a transaction. Its result is on disk when it returns."""

    async def write(self, call: Callable[[Steps], T]) -> T:
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
    clock: Clock
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
        clock: Clock,
        halt: Halt,
        account: Account,
        until_s: float | None = None,
    ) -> None:
        self._throttle = throttle
        self._breaker = breaker
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
    def rate(self) -> float:
        """The current limit in requests per second, at most the limit that was set."""
        return rate_now(self._throttle, self._clock.now_us())

    @property
    def borne(self) -> float | None:
        """The requests per second that the server accepted for a while, or None after too few requests."""
        return borne(self._throttle, self._clock.now_us())

    @property
    def is_open(self) -> bool:
        """Whether the server does not answer, and gets only probes."""
        return self._breaker.is_open

    @property
    def hopeless(self) -> bool:
        """Whether the server has not answered for too long."""
        return self._breaker.hopeless(self._sending_us)

    @property
    def failing_for_s(self) -> float | None:
        """For how long the server has not answered, in seconds. None unless it gets only probes.

        A denial counts as an answer.
        """
        since_us = self._breaker.failing_since_us
        if since_us is None or not self.is_open or self.denials:
            return None
        return (self._sending_us - since_us) / SECOND_US

    @property
    def under_way(self) -> int:
        """Count of requests under way."""
        return self._throttle.under_way

    @property
    def paused_for_s(self) -> float | None:
        """How long the operator's pause lasts already, in seconds. None without one, or if the run is stopping."""
        since_us = self._keyed_us
        return None if since_us is None or not self._halt.paused else (self._clock.now_us() - since_us) / SECOND_US

    @property
    def wait(self) -> Wait | None:
        """How long the server asked to wait, and how much of that is left. None if it is over."""
        left_us = self._throttle.pace.not_before_us - self._clock.now_us()
        return Wait(self._asked_to_wait_s, left_us / SECOND_US) if left_us > 0 else None

    @property
    def sending_s(self) -> float:
        """Time for numbers in a call, in Unix seconds. It stops while the run is paused or the machine sleeps."""
        return self._ahead_s + self._sending_us / SECOND_US

    def steer(self, wanted: Steering) -> None:
        """Apply the limits and the pause that the operator wants."""
        now_us = self._clock.now_us()
        if wanted.ceilings != self._throttle.ceilings:
            eased = wanted.ceilings != wanted.given
            self._throttle = recapped(self._throttle, wanted.ceilings, eased=eased, now_us=now_us)
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
            self._halt.pause()
            self._held_since_us = now_us if self._held_since_us is None else self._held_since_us
        elif self._held_since_us is not None:
            self._throttle = rested(self._throttle, self._held_since_us, now_us)
            self._held_us += now_us - self._held_since_us
            self._held_since_us = None
            self._halt.go_on()

    @property
    def _sending_us(self) -> int:
        """The time for the breaker. It stops during a pause, because then nothing can be answered."""
        now_us = self._clock.now_us()
        return (now_us if self._held_since_us is None else self._held_since_us) - self._held_us

    async def slot(self, *, retry: bool) -> bool:
        """Wait for a slot. Returns False if the run is stopping."""
        await self._halt.going()
        afforded = False
        while await self._admitted():
            is_probe = self.is_open
            afforded = afforded or await self._afforded(retry=retry)
            if not afforded or not await self.another_slot():
                return False
            if is_probe or not self.is_open:
                return True
            self._throttle = withdrawn(self._throttle)  # the breaker opened meanwhile: only probes may go
            self._freed.set()
        return False

    async def another_slot(self) -> bool:
        """Wait for another slot, for a request that was not sent because the run was paused. Returns as `slot` does."""
        # Only one worker waits for the next slot, so no slot is reserved at an outdated pace.
        async with self._turn:
            while not self._halt.called:
                await self._halt.going()
                if self._throttle.full:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                self._throttle, wait_us = slot(self._throttle, self._clock.now_us())
                if not wait_us:
                    return True
                await self._halt.nap(wait_us / SECOND_US)
        return False

    async def departure(self) -> Trip | None:
        """Wait until a request may be sent, which must then happen at once. None if the run is stopping or paused."""
        while not self._looked() and not self._halt.paused:
            now_us = self._clock.now_us()
            throttle, wait_us = departure(self._throttle, now_us)
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
            self._throttle = withdrawn(self._throttle)
        elif isinstance(answer, Reply):
            self._throttle = answered(self._throttle, trip, now_us)
        elif answer.throttled:
            asked_s = answer.retry_after_s
            pause_us = None if asked_s is None else round(asked_s * SECOND_US)
            self._throttle = pushed_back(self._throttle, trip, now_us, pause_us)
        elif answer.effect is Effect.IN_DOUBT:
            self._throttle = unanswered(self._throttle)
        else:
            self._throttle = withdrawn(self._throttle)
        if isinstance(answer, Fault) and answer.effect is Effect.DENIED:
            self._denied(now_us if trip is None else trip.departed_us)
        if answer.quota is not None:
            self._throttle = told(self._throttle, answer.quota, now_us)
        if self._throttle.pace.not_before_us > max(now_us, waited_until_us):
            self._asked_to_wait_s = _asked_to_wait_s(answer)
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
            self._breaker, wait_us = admit(self._breaker, self._sending_us)
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

    async def _afforded(self, *, retry: bool) -> bool:
        # Probes do not use the retry budget: the breaker spaces them already.
        if not retry or self.is_open:
            self._budget = self._budget if retry else earn(self._budget)
            return True
        while not self._halt.called:
            self._budget, wait_us = spend(self._budget, self._clock.now_us())
            if not wait_us:
                return True
            await self._halt.nap(wait_us / SECOND_US)
        return False

    def answered(self) -> None:
        """Note a reply that is in the ledger."""
        self._is_there()

    def _is_there(self) -> None:
        self._breaker = closed(self._breaker)
        self.answered_at_us = self._clock.now_us()
        self.denials = 0

    def faulted(self, fault: Fault, *, asked_anew: bool) -> None:
        """Note a request without a reply. `asked_anew` says that the same is asked in another way at once."""
        if fault.effect is Effect.REFUSED:
            self._is_there()  # a refusal shows that the server is there
        else:
            at_once = fault.effect is Effect.DENIED and not asked_anew
            self._breaker = failed(self._breaker, self._sending_us, at_once=at_once)


def _asked_to_wait_s(answer: Reply | Fault) -> float:
    """Return how long the server asks to wait, in seconds."""
    after_s = answer.retry_after_s if isinstance(answer, Fault) else None
    used_up_s = answer.quota.reset_s if answer.quota is not None and not answer.quota.remaining else 0.0
    return max(after_s or 0.0, used_up_s)


_account_log = logging.getLogger("bulk_remove.account")

_SECOND_US = 1_000_000
_PRESENT_US = 10 * _SECOND_US
"""A run that has not asked for so long has ended, or is not sending."""
_NOTED_EVERY_US = _SECOND_US // 2
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


class AccountCeiling:
    """The shared limit, used by one run. `ceiling` is in requests per second, `run` is the name of the run.

    The file must survive the end of a process, but not of the machine. So it is written in transactions without sync.
    Leaving the context closes it.
    """

    def __init__(self, path: Path, ceiling: float, run: str) -> None:
        self._path = path
        self._ceiling = ceiling
        self._run = run
        self._connection: sqlite3.Connection | None = None
        self._usable = True
        self._noted_us = -_NOTED_EVERY_US

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def depart(self, now_us: int) -> int:
        """Return 0 if a request may be sent now, which is then counted for all runs, else the microseconds to wait.

        If the file cannot be used, the run keeps only its own limit, and the log says so.
        """
        if not self._usable:
            return 0
        try:
            self._connection = self._connection or self._opened()
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                return self._depart(self._connection, now_us)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY:
                return _LOCKED_US
            self._give_up(str(error))
        except sqlite3.DatabaseError as error:
            self._give_up(str(error))
        except OSError as error:
            self._give_up(str(error.strerror))
        return 0

    def _give_up(self, reason: str) -> None:
        _account_log.warning("the ceiling cannot be shared with other runs through %s: %s", self._path, reason)
        self._usable = False

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
        if now_us - self._noted_us >= _NOTED_EVERY_US:
            self._note(connection, now_us)
        ceiling = self._lowest(connection)
        window_us = _window_us(ceiling)
        recent_us = max(window_us, _PRESENT_US)
        # After a reboot the clock is behind the times in the file.
        oldest = connection.execute(
            "SELECT at_us FROM departure WHERE at_us BETWEEN ? AND ? ORDER BY at_us DESC LIMIT 1 OFFSET ?",
            (now_us - window_us, now_us + recent_us, ceil(ceiling) - 1),
        ).fetchone()
        wait_us: int = max(0, oldest[0] + window_us - now_us) if oldest else 0
        if not wait_us:
            connection.execute("INSERT INTO departure VALUES (?)", (now_us,))
        return wait_us

    def _lowest(self, connection: sqlite3.Connection) -> float:
        """Return the lowest limit of the active runs."""
        lowest: float = connection.execute("SELECT ifnull(min(ceiling), ?) FROM run", (self._ceiling,)).fetchone()[0]
        return lowest

    def _note(self, connection: sqlite3.Connection, now_us: int) -> None:
        """Note that this run is active. Delete inactive runs, and requests that are too old to count."""
        present = now_us - _PRESENT_US, now_us + _PRESENT_US
        connection.execute("DELETE FROM run WHERE asked_at_us NOT BETWEEN ? AND ?", present)
        connection.execute(_ASK, (self._run, self._ceiling, now_us))
        recent_us = max(_window_us(self._lowest(connection)), _PRESENT_US)
        recent = now_us - recent_us, now_us + recent_us
        connection.execute("DELETE FROM departure WHERE at_us NOT BETWEEN ? AND ?", recent)
        self._noted_us = now_us


def _window_us(ceiling: float) -> int:
    """Return the length of the window, in which `ceil(ceiling)` requests may be sent."""
    return ceil(ceil(ceiling) * _SECOND_US / ceiling)
