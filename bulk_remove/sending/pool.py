"""The workers. Each brings one chunk at a time to its verdicts.

The order of an attempt is the heart of the tool: a slot, the intent on disk, the departure, the request, the verdicts
on disk, and only then the count. Only tenacity retries, and core/throttle.py decides whether it does.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_never

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import Phase
from bulk_remove.core.model import Chunk
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.plan import ApprovedPlan
from bulk_remove.core.replies import CONNECTION_LOST, NOT_SENT, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import (
    Breaker,
    Decision,
    Steering,
    Step,
    Trial,
    Trip,
    decide,
    throttle_for,
)
from bulk_remove.core.timeline import Snapshot
from bulk_remove.sending.books import Bookkeeper, Desk, Feeder, Gone, PoolSettings, Settled, Tally
from bulk_remove.sending.gate import Gate, Halt, Outside

log = logging.getLogger("bulk_remove.pool")

_SERVER_ERROR = 500


class _AskAgain(Exception):  # noqa: N818 - makes tenacity wait and try again
    def __init__(self, delay_s: float) -> None:
        super().__init__()
        self.delay_s = delay_s


def _stated(state: RetryCallState) -> float:
    """Wait as long as core/throttle.py decided."""
    error = state.outcome.exception() if state.outcome else None
    return error.delay_s if isinstance(error, _AskAgain) else 0.0


class _Asked(NamedTuple):
    """An attempt's result: `answer` is None if the run is stopping, `took_us` if the request was never sent."""

    attempt_id: int
    answer: Reply | Fault | None
    took_us: int | None = None


class _Turn:
    """A chunk of a worker since `begun_us`, with its tries, and how many of the last in a row ended in an HTTP 5xx."""

    def __init__(self, chunk: Chunk, begun_us: int) -> None:
        self.chunk = chunk
        self.begun_us = begun_us
        self.tries = 0
        self.server_errors = 0


class Pool:
    """Sends an approved plan, chunk by chunk. `phases` counts its numbers by phase, if they are not all unsent.

    `steering` is what the operator wants now, `halt` says whether and why it stops, `books` what is known about the
    server. `gone` finds numbers that earlier runs removed.
    """

    def __init__(
        self,
        approved: ApprovedPlan,
        settings: PoolSettings,
        shape_of: Callable[[str], RequestShape],
        outside: Outside,
        on_settled: Settled,
        phases: Mapping[str, int] | None = None,
        gone: Gone = lambda _campaign, _numbers: (),
    ) -> None:
        self._plan = approved.plan
        self._sender = outside.sender
        journal, clock = outside.journal, outside.clock
        self.halt = halt = Halt()
        workers = settings.ceilings.at_once
        breaker = Breaker(2 * workers + 3, round(settings.retry.give_up_after_s * SECOND_US))
        throttle = throttle_for(settings.ceilings, clock.now_us())
        self.gate = gate = Gate(throttle, breaker, clock, halt, outside.account, settings.until_s)
        feeder = Feeder(
            journal,
            clock,
            halt,
            lambda campaign: self.books.shape_of(campaign),  # noqa: PLW0108 - there are no books yet
            lambda: not self.books.writing.settled,
            # A number that is nearly due is sent with one that is due, up to a sixth of the first delay early.
            settings.busy.delay_first_s / 6,
        )
        tally = Tally(phases or {Phase.UNSENT: self._plan.numbers})
        self._desk = Desk(settings, journal, clock, halt, gate, feeder, tally, on_settled, gone)
        self.books = Bookkeeper(self._desk, shape_of)
        self._begun = False
        self.steering = Steering(settings.ceilings, settings.ceilings)

    def stop(self, ending: Ending) -> None:
        """Send no new requests. `drain` returns after those under way."""
        self.halt.call(ending)
        self._desk.feeder.changed.set()

    def snapshot(self) -> Snapshot:
        """Return the progress of the run."""
        desk, tally = self._desk, self._desk.tally
        due_s, busy_until_s = desk.feeder.next_due_s, self.books.busy_until_s
        counts = Snapshot(
            {phase: count for phase, count in tally.phases.items() if count > 0},
            tally.requests,
            tally.removed,
            tally.strangers,
            dict(tally.faults),
            0.0,
            tally.waiting,
            due_in_s=None if due_s is None else due_s - desk.clock.wall_s(),
            until_in_s=busy_until_s - desk.gate.sending_s if busy_until_s else None,
        )
        return desk.gate.shown(counts)

    def steer(self, wanted: Steering) -> None:
        """Apply what the operator wants, and keep it as `steering`."""
        self.steering = wanted
        self._desk.gate.steer(wanted)

    async def try_canary(self, campaign: str = "") -> Ending:
        """Send only the canary, with its numbers that are due again at once. Returns and raises as `drain` does.

        With a `campaign` the canary is its own.
        """
        feeder = self._desk.feeder
        held = await feeder.hold_to_canary(campaign)
        ending = await self.drain() if held else Ending.DONE
        feeder.release()
        return ending

    async def turn(self) -> bool:
        """Wait until a request that is not in the plan may be sent within the limit. False if the run is stopping."""
        gate = self._desk.gate
        if not await gate.slot(retry=False):
            return False
        may_go = await gate.departure() is not None
        gate.came_back(None, NOT_SENT)  # its result does not count for the pace
        return may_go

    async def drain(self) -> Ending:
        """Send everything that is open in the ledger, and return why it ended. Raises StorageError."""
        await self._desk.feeder.begin()
        if not self._begun:
            self._begun = True
            log.info("sending %d numbers in %d requests", self._plan.numbers, self._plan.requests)
            await self.books.begin()
            self._desk.tally.waiting += await self._desk.journal.write(lambda steps: steps.waiting_stragglers())
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
            gate.keep_to(())  # the requests after this remove nothing and need no hours
        for result in results:
            if result is not None:
                raise result
        if self.halt.ending is Ending.MISSING and self.snapshot().settled == self._plan.numbers:
            self.halt.recall()  # nothing is left to hold back
        await self.halt.going.wait()  # the caller may send more requests
        return self.halt.ending

    async def _watch(self) -> None:
        """Check the deadline and the hours, and wake the workers that wait for a chunk."""
        await self._desk.gate.stopped()
        self._desk.feeder.changed.set()

    async def _work(self) -> None:
        try:
            while (chunk := await self._desk.feeder.next()) is not None:
                self._desk.feeder.done(await self._carry(chunk))
        except BaseException:
            # The other workers finish their requests and stop. Then `drain` raises this.
            self.stop(Ending.STORAGE)
            raise

    async def _carry(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Bring a chunk to its verdicts. Returns its parts if it was split."""
        if await self.books.skip(chunk):
            return ()
        turn = _Turn(chunk, self._desk.clock.now_us())
        try:
            return await self._tried(turn)
        except _AskAgain as again:  # most chunks need one try, for which tenacity is too slow
            await self.halt.nap(again.delay_s)
        async for attempt in AsyncRetrying(
            sleep=self.halt.nap, wait=_stated, retry=retry_if_exception_type(_AskAgain), stop=stop_never
        ):
            with attempt:
                halves = await self._tried(turn)
        return halves

    async def _tried(self, turn: _Turn) -> tuple[Chunk, ...]:
        """Send a chunk once. Returns its parts if it was split. Raises _AskAgain if it must be retried."""
        if parts := await self.books.cut(turn.chunk):
            return parts
        turn.tries += 1
        attempt_id, answer, took_us = await self._ask(turn.chunk, retry=turn.tries > 1)
        if isinstance(answer, Reply):
            await self.books.replied(turn.chunk, attempt_id, answer)
        if answer is None or isinstance(answer, Reply):
            return ()
        trial = self._trial(turn, answer)
        decision = decide(self._desk.settings.retry, answer, trial, self._desk.clock.draw())
        if self.books.blames_brackets(turn.chunk, answer):
            decision = Decision(Step.RETRY, decision.delay_s)
        log.info("chunk %d, try %d: %s; %s", turn.chunk.chunk_id, turn.tries, answer.kind, decision.step.value)
        turn.chunk, halves = await self.books.faulted(turn.chunk, attempt_id, answer, took_us, decision.step)
        if decision.step is Step.RETRY:
            raise _AskAgain(decision.delay_s)
        if decision.step is Step.PROBE:  # the rest waits for the result of the one number
            one, rest = halves
            return (rest, *await self._carry(one))
        return halves

    def _trial(self, turn: _Turn, fault: Fault) -> Trial:
        """Return what `decide` must know about the tries of a chunk, including this fault."""
        chunk, books, gate = turn.chunk, self.books, self._desk.gate
        numbers, answered_us = len(chunk.numbers), gate.answered_at_us
        longest = numbers > books.line.most_answered
        broken = fault.kind == CONNECTION_LOST and longest and numbers > 1
        turn.server_errors = turn.server_errors + 1 if broken or fault.http_status >= _SERVER_ERROR else 0
        return Trial(
            turn.tries,
            turn.server_errors,
            numbers,
            alive=answered_us is not None and answered_us >= turn.begun_us and not gate.breaker.is_open,
            passed=books.line.most_answered > 0,
            denials=gate.denials,
            longest=longest,
            told_apart=books.line.told_apart(chunk.chunk_id),
        )

    async def _ask(self, chunk: Chunk, *, retry: bool) -> _Asked:
        """Make one attempt and return its result."""
        gate, halt = self._desk.gate, self.halt
        asked, may_go = _Asked(0, None), await gate.slot(retry=retry)
        while may_go:
            asked = await self._sent(chunk)
            if asked.answer is not None or halt.called:
                return asked
            may_go = await gate.another_slot()  # the run was paused right before the request
        return asked

    async def _sent(self, chunk: Chunk) -> _Asked:
        """Send a request that has a slot, and return its result."""
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
            shape, now_s = self.books.shape_of(chunk.campaign), desk.clock.wall_s()
            answer = await self._sender.delete(chunk, shape, now_s, departure, arrival)
        finally:
            desk.gate.came_back(trip, answer)
        took_us = None
        if trip is not None:
            now_us = desk.clock.now_us()
            took_us = (now_us if arrived_us is None else arrived_us) - trip.departed_us
            self.books.took(chunk, took_us, now_us - trip.departed_us, answer)
        if answer is NOT_SENT:
            await desk.journal.write(lambda steps: steps.end_attempt(attempt_id, begun_s, answer.kind, "", 0))
            return _Asked(attempt_id, None)
        desk.tally.requests += 1
        return _Asked(attempt_id, answer, took_us)
