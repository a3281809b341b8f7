"""The workers: each carries one chunk at a time to its verdicts.

The order of an attempt is the heart of the tool: a slot, the intent on disk, the departure, the request, the verdicts
on disk, and only then the count. tenacity asks again and is the only layer that does; core/retry.py decides whether.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_never

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import Phase
from bulk_remove.core.model import Chunk
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.plan import ApprovedPlan
from bulk_remove.core.replies import CONNECTION_LOST, NOT_SENT, Fault, Reply
from bulk_remove.core.retry import Breaker, Step, Trial, decide
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Steering, Trip, steering_from, throttle_for
from bulk_remove.core.timeline import Snapshot
from bulk_remove.sending.books import Bookkeeper, Desk, Feeder, PoolSettings, Settled, Tally
from bulk_remove.sending.gate import Gate, Halt, Outside

log = logging.getLogger("bulk_remove.pool")

_SERVER_ERROR = 500


class _AskAgain(Exception):  # noqa: N818 - the one exception that tenacity waits after
    def __init__(self, delay_s: float) -> None:
        super().__init__()
        self.delay_s = delay_s


def _stated(state: RetryCallState) -> float:
    """Wait as long as core/retry.py decided."""
    error = state.outcome.exception() if state.outcome else None
    return error.delay_s if isinstance(error, _AskAgain) else 0.0


class _Asked(NamedTuple):
    """What came of an attempt: None when the run is being stopped. `took_us` is None when it never departed."""

    attempt_id: int
    answer: Reply | Fault | None
    took_us: int | None = None


class _Turn:
    """A chunk that a worker carries since `begun_us`, with its tries, and how many of the last ended in an HTTP 5xx."""

    def __init__(self, chunk: Chunk, begun_us: int) -> None:
        self.chunk = chunk
        self.begun_us = begun_us
        self.tries = 0
        self.server_errors = 0


class Pool:
    """Carries out an approved plan, chunk by chunk. `phases` counts its numbers, where they are not all unsent.

    `steering` is what the operator wants just now.
    """

    def __init__(
        self,
        approved: ApprovedPlan,
        settings: PoolSettings,
        shape_of: Callable[[str], RequestShape],
        outside: Outside,
        on_settled: Settled,
        phases: Mapping[str, int] | None = None,
    ) -> None:
        self._plan = approved.plan
        self._shape_of = shape_of
        self._sender = outside.sender
        journal, clock = outside.journal, outside.clock
        halt = Halt()
        workers = settings.ceilings.at_once
        breaker = Breaker(2 * workers + 3, round(settings.retry.give_up_after_s * SECOND_US))
        throttle = throttle_for(settings.ceilings, clock.now_us())
        gate = Gate(throttle, breaker, clock, halt, outside.account, settings.until_s)
        # A number that is nearly due goes along with one that is: a sixth of the first delay early is soon enough.
        feeder = Feeder(journal, clock, halt, shape_of, workers, settings.busy.delay_first_s / 6)
        tally = Tally(phases or {Phase.UNSENT: self._plan.numbers})
        self._desk = Desk(settings, journal, clock, halt, gate, feeder, tally, shape_of, on_settled)
        self._books = Bookkeeper(self._desk)
        self._begun = False
        self.steering = steering_from(settings.ceilings)

    def stop(self, ending: Ending) -> None:
        """Send no new requests; those under way finish. `drain` then returns."""
        self._desk.halt.call(ending)
        self._desk.feeder.wake()

    def snapshot(self) -> Snapshot:
        """Return how far the run is."""
        gate, due_s = self._desk.gate, self._desk.feeder.next_due_s
        return replace(
            self._desk.tally.snapshot(gate.rate),
            due_in_s=None if due_s is None else due_s - self._desk.clock.wall_s(),
            until_in_s=self._books.busy_until_s - gate.sending_s if self._books.busy_until_s else None,
            failing_for_s=gate.failing_for_s,
            under_way=gate.under_way,
            paused_for_s=gate.paused_for_s,
            wait=gate.wait,
            opens_s=gate.opens_s,
        )

    def steer(self, wanted: Steering) -> None:
        """Do as the operator wants; `steering` is that from then on."""
        self.steering = wanted
        self._desk.gate.steer(wanted)

    @property
    def stopping(self) -> bool:
        """Whether no new requests are sent any more."""
        return self._desk.halt.called

    @property
    def fault(self) -> Fault | None:
        """The fault that ended the run, if one did."""
        return self._desk.halt.fault

    @property
    def rate(self) -> float | None:
        """How many requests a second the server was found to bear; None when there were too few to say."""
        return self._desk.gate.borne

    @property
    def numbers(self) -> int:
        """How many numbers in a request the server was found to bear."""
        return self._books.size.most

    @property
    def longest_line(self) -> int | None:
        """The longest request line that the server may take, in bytes; None when none was too long."""
        return self._books.line.longest

    async def try_canary(self) -> Ending:
        """Send one chunk alone, with what follows of it at once; `drain` sends the rest. As `drain` otherwise."""
        feeder = self._desk.feeder
        if not await feeder.hold_to_canary():
            return Ending.DONE
        ending = await self.drain()
        feeder.release()
        return ending

    async def turn(self) -> bool:
        """Wait until a request outside the plan may go within the ceiling; False when the run is being stopped."""
        gate = self._desk.gate
        if not await gate.slot(retry=False):
            return False
        may_go = await gate.departure() is not None
        gate.came_back(None, NOT_SENT)  # whatever comes of it says nothing of how much the server bears
        return may_go

    async def drain(self) -> Ending:
        """Send everything that is open in the ledger; returns why it ended. Raises StorageError."""
        await self._desk.feeder.begin()
        if not self._begun:
            self._begun = True
            log.info("sending %d numbers in %d requests", self._plan.numbers, self._plan.requests)
            await self._books.begin()
            self._desk.tally.waits(await self._desk.journal.write(lambda steps: steps.waiting_stragglers()))
        settings, gate = self._desk.settings, self._desk.gate
        gate.keep_to(settings.windows)
        workers = [asyncio.create_task(self._work()) for _ in range(settings.ceilings.at_once)]
        watched = settings.until_s is not None or settings.windows
        watch = asyncio.create_task(self._watch()) if watched else None
        try:
            results = await asyncio.gather(*workers, return_exceptions=True)
        finally:
            for task in (*workers, *([watch] if watch else [])):
                task.cancel()
            gate.keep_to(())  # what follows removes nothing, and the report need not wait for the evening
        for result in results:
            if result is not None:
                raise result
        await self._desk.halt.going()  # what follows may send, too
        return self._desk.halt.ending

    async def _watch(self) -> None:
        """Have those who wait for something else take note of the deadline, and of the hours."""
        await self._desk.gate.stopped()
        self._desk.feeder.wake()

    async def _work(self) -> None:
        try:
            while (chunk := await self._desk.feeder.next()) is not None:
                self._desk.feeder.done(await self._carry(chunk))
        except BaseException:
            # The other workers finish what is under way and stop; `drain` raises this once they have.
            self.stop(Ending.STORAGE)
            raise

    async def _carry(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Bring a chunk to its verdicts; returns its halves if it had to be split."""
        halves = await self._books.cut(chunk)
        if halves or await self._books.skip(chunk):
            return halves
        turn = _Turn(chunk, self._desk.clock.now_us())
        try:
            return await self._tried(turn)
        except _AskAgain as again:  # most requests are asked once, which tenacity is too heavy for
            await self._desk.halt.nap(again.delay_s)
        async for attempt in AsyncRetrying(
            sleep=self._desk.halt.nap, wait=_stated, retry=retry_if_exception_type(_AskAgain), stop=stop_never
        ):
            with attempt:
                halves = await self._tried(turn)
        return halves

    async def _tried(self, turn: _Turn) -> tuple[Chunk, ...]:
        """Ask once for a chunk; returns its halves if it had to be split. Raises _AskAgain when it is to be retried."""
        turn.tries += 1
        attempt_id, answer, took_us = await self._ask(turn.chunk, retry=turn.tries > 1)
        if isinstance(answer, Reply):
            await self._books.replied(turn.chunk, attempt_id, answer)
        if answer is None or isinstance(answer, Reply):
            return ()
        trial = self._trial(turn, answer)
        decision = decide(self._desk.settings.retry, answer, trial, self._desk.clock.draw())
        log.info("chunk %d, try %d: %s; %s", turn.chunk.chunk_id, turn.tries, answer.kind, decision.step.value)
        turn.chunk, halves = await self._books.faulted(turn.chunk, attempt_id, answer, took_us, decision.step)
        if decision.step is Step.RETRY:
            raise _AskAgain(decision.delay_s)
        if decision.step is Step.PROBE:  # the rest waits for what becomes of the one number
            one, rest = halves
            return (rest, *await self._carry(one))
        return halves

    def _trial(self, turn: _Turn, fault: Fault) -> Trial:
        """Return how a chunk fared, this fault included."""
        chunk, books, gate = turn.chunk, self._books, self._desk.gate
        numbers = len(chunk.numbers)
        longest = not books.line.is_known_for(numbers)
        broken = fault.kind == CONNECTION_LOST and longest and numbers > 1
        turn.server_errors = turn.server_errors + 1 if broken or fault.http_status >= _SERVER_ERROR else 0
        return Trial(
            turn.tries,
            turn.server_errors,
            numbers,
            alive=self._answers_others(turn.begun_us),
            passed=books.line.most_answered > 0,
            denials=gate.denials,
            longest=longest,
            told_apart=books.line.told_apart(chunk.chunk_id),
        )

    def _answers_others(self, since_us: int) -> bool:
        """Tell whether the server has answered anybody since a chunk was begun; else it may not be there at all."""
        answered_at_us = self._desk.gate.answered_at_us
        return answered_at_us is not None and answered_at_us >= since_us and not self._desk.gate.is_open

    async def _ask(self, chunk: Chunk, *, retry: bool) -> _Asked:
        """Make one attempt; returns what came of it."""
        gate, halt = self._desk.gate, self._desk.halt
        asked, may_go = _Asked(0, None), await gate.slot(retry=retry)
        while may_go:
            asked = await self._sent(chunk)
            if asked.answer is not None or halt.called:
                return asked
            may_go = await gate.another_slot()  # it was held back just before it left
        return asked

    async def _sent(self, chunk: Chunk) -> _Asked:
        """Send a request that has its slot; returns what came of it."""
        desk = self._desk
        trip: Trip | None = None
        arrived_us: int | None = None
        answer: Reply | Fault = NOT_SENT

        async def departure() -> bool:
            nonlocal trip
            trip = await desk.gate.departure()
            return trip is not None

        def arrival() -> None:
            nonlocal arrived_us
            arrived_us = desk.clock.now_us()

        try:
            begun_s = desk.clock.wall_s()
            attempt_id = await desk.journal.write(lambda steps: steps.begin_attempt(chunk.chunk_id, begun_s))
            shape, now_s = self._shape_of(chunk.campaign), desk.clock.wall_s()
            answer = await self._sender.delete(chunk, shape, now_s, departure, arrival)
        finally:
            desk.gate.came_back(trip, answer)
        took_us = None
        if trip is not None:
            now_us = desk.clock.now_us()
            took_us = (now_us if arrived_us is None else arrived_us) - trip.departed_us
            self._books.took(chunk, took_us, now_us - trip.departed_us, answer)
        if answer is NOT_SENT:
            await desk.journal.write(lambda steps: steps.end_attempt(attempt_id, begun_s, answer.kind, "", 0))
            return _Asked(attempt_id, None)
        desk.tally.request()
        return _Asked(attempt_id, answer, took_us)
