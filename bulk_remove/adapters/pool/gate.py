"""The one gate that all workers pass before a request: core/breaker.py and core/throttle.py, made to wait."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from bulk_remove.adapters.pool.halt import Halt
from bulk_remove.adapters.pool.ports import Account, Clock
from bulk_remove.core.breaker import Breaker, RetryBudget, admit, answered, earn, failed, spend
from bulk_remove.core.hours import Window, next_opening, told_moment
from bulk_remove.core.pacing import SECOND_US
from bulk_remove.core.pauses import Pauses, begun, ended, held_us
from bulk_remove.core.progress import Wait, duration
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.steering import Steering
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import (
    Throttle,
    Trip,
    borne,
    departure,
    pushed_back,
    rate_now,
    recapped,
    rested,
    slot,
    told,
    unanswered,
    withdrawn,
)
from bulk_remove.core.throttle import (
    answered as answered_in,
)

log = logging.getLogger("bulk_remove.pool")

_LOOK_EVERY_S = 1.0
"""How often to look at the machine's clock while nothing is sent: it may be set, or the machine may sleep."""


class Gate:
    """Holds the throttle, the breaker and the retry budget for all workers. Make it inside the running loop.

    `answered_at_us` is when the server last answered anybody, None before the first time. `denials` counts how often in
    a row it denied requests, each sent when the denial before was known, since `denied_since_s` (Unix seconds). After
    `until_s`, Unix seconds by the machine's clock, nobody passes any more. `opens_s` is when the hours that it keeps to
    begin (Unix seconds), None within them.
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
        self._pauses = Pauses()
        self._keyed_us: int | None = None
        self._windows: Sequence[Window] = ()
        self.opens_s: float | None = None
        self.answered_at_us: int | None = None
        self.denials = 0
        self.denied_since_s = 0.0
        self._denied_at_us = 0

    @property
    def rate(self) -> float:
        """How many requests a second may be sent just now, at most the ceiling."""
        return rate_now(self._throttle, self._clock.now_us())

    @property
    def borne(self) -> float | None:
        """How many requests a second were borne for a while; None when there were too few to say."""
        return borne(self._throttle, self._clock.now_us())

    @property
    def is_open(self) -> bool:
        """Whether the server answers nobody and is only probed."""
        return self._breaker.is_open

    @property
    def hopeless(self) -> bool:
        """Whether the server has answered nobody for too long."""
        return self._breaker.hopeless(self._sending_us)

    @property
    def failing_for_s(self) -> float | None:
        """For how long nobody has been answered, in seconds; None unless the server is only probed.

        A denial is an answer.
        """
        since_us = self._breaker.failing_since_us
        if since_us is None or not self.is_open or self.denials:
            return None
        return (self._sending_us - since_us) / SECOND_US

    @property
    def under_way(self) -> int:
        """How many requests are being sent."""
        return self._throttle.under_way

    @property
    def paused_for_s(self) -> float | None:
        """For how long the operator has held the run, in seconds; None while nobody does or it is being stopped."""
        since_us = self._keyed_us
        return None if since_us is None or not self._halt.paused else (self._clock.now_us() - since_us) / SECOND_US

    @property
    def wait(self) -> Wait | None:
        """How long the server asked everybody to wait, and how much of that is left; None when that is over."""
        left_us = self._throttle.pace.not_before_us - self._clock.now_us()
        return Wait(self._asked_to_wait_s, left_us / SECOND_US) if left_us > 0 else None

    @property
    def sending_s(self) -> float:
        """The time of numbers in a call, Unix seconds: it stands still while the run is held or the machine sleeps."""
        return self._ahead_s + self._sending_us / SECOND_US

    def steer(self, wanted: Steering) -> None:
        """Do as the operator wants."""
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
        """Hold the run outside these hours from now on; without any it may send at all times."""
        self._windows = windows
        if windows or self.opens_s is not None:
            self._mind_hours(self._clock.time_of_day_s())

    def _mind_hours(self, now_s: float) -> None:
        """Hold the run if the clock on the wall shows a time outside the hours, else let it go on."""
        now = datetime.fromtimestamp(now_s)  # noqa: DTZ006 - the hours are those of the clock on the wall
        opens = next_opening(self._windows, now)
        was_outside, self.opens_s = self.opens_s is not None, None if opens == now else opens.timestamp()
        if self._windows and was_outside != (self.opens_s is not None):
            if opens != now:
                log.info("outside the hours: no request leaves before %s", told_moment(opens, now))
            else:
                log.info("within the hours: going on")
        self._hold()

    def _hold(self) -> None:
        """Hold the run while the operator or the hours want that, else let it go on. Together they are one pause."""
        now_us = self._clock.now_us()
        if self._keyed_us is not None or self.opens_s is not None:
            self._halt.pause()
            self._pauses = begun(self._pauses, now_us)
        elif self._pauses.since_us is not None:
            self._throttle = rested(self._throttle, self._pauses.since_us, now_us)
            self._pauses = ended(self._pauses, now_us)
            self._halt.go_on()

    @property
    def _sending_us(self) -> int:
        """The time of the breaker: it stands still while the run is held, for then nobody can be answered."""
        now_us = self._clock.now_us()
        return now_us - held_us(self._pauses, 0, now_us)

    async def slot(self, *, retry: bool) -> bool:
        """Wait for a slot of one's own; False when the run is being stopped."""
        await self._halt.going()
        afforded = False
        while await self._admitted():
            is_probe = self.is_open
            afforded = afforded or await self._afforded(retry=retry)
            if not afforded or not await self.another_slot():
                return False
            if is_probe or not self.is_open:
                return True
            self._throttle = withdrawn(self._throttle)  # it opened while this one waited: only probes may go now
            self._freed.set()
        return False

    async def another_slot(self) -> bool:
        """As `slot`, for a request that had one and did not leave because the run was held."""
        # One waits for the next slot, the others for their turn: so nobody holds a slot of a pace that is no more.
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
        """Wait until a request may really go; it must go at once. None when the run is being stopped or held."""
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
        """Look at the machine's clock for the deadline and the hours; returns whether the run is being stopped."""
        if self._until_s is not None and self._clock.time_of_day_s() >= self._until_s:
            self._halt.call(Ending.DEADLINE)
        if self._windows:
            self._mind_hours(self._clock.time_of_day_s())
        return self._halt.called

    async def stopped(self) -> None:
        """Wait until the run is being stopped, be it by its deadline, and mind the hours meanwhile."""
        while not self._looked():
            await self._halt.nap(_LOOK_EVERY_S)

    def came_back(self, trip: Trip | None, answer: Reply | Fault) -> None:
        """Take note, at once, how a request ended that had a slot; `trip` is None when it never left."""
        now_us, waited_until_us = self._clock.now_us(), self._throttle.pace.not_before_us
        if trip is None:
            self._throttle = withdrawn(self._throttle)
        elif isinstance(answer, Reply):
            self._throttle = answered_in(self._throttle, trip, now_us)
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
        """Count a denial, unless its request was under way when the one before became known."""
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
        # A probe is a retry of its own kind: the breaker already spaces it.
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
        """Take note of a reply that was written down."""
        self._is_there()

    def _is_there(self) -> None:
        self._breaker = answered(self._breaker)
        self.answered_at_us = self._clock.now_us()
        self.denials = 0

    def faulted(self, fault: Fault, *, splits: bool) -> None:
        """Take note of a request without a reply; `splits` tells that its parts will be sent."""
        if fault.effect is Effect.REFUSED:
            self._is_there()  # to refuse a request is to be there
        else:
            at_once = fault.effect is Effect.DENIED and not splits
            self._breaker = failed(self._breaker, self._sending_us, at_once=at_once)


def _asked_to_wait_s(answer: Reply | Fault) -> float:
    """Return how long the server wants everybody to wait, in seconds."""
    after_s = answer.retry_after_s if isinstance(answer, Fault) else None
    used_up_s = answer.quota.reset_s if answer.quota is not None and not answer.quota.remaining else 0.0
    return max(after_s or 0.0, used_up_s)
