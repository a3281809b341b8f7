"""A run of the real pool and the real ledger in virtual time, against a server made up by the test."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

from bulk_remove.core.chunker import ENCODED, RequestShape, RequestSize, Writing
from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import Chunk, NumberState, Status
from bulk_remove.core.numbers import AlsoTry, Forms, NumberRules
from bulk_remove.core.plan import ApprovedPlan, CampaignPlan, Consent, Plan, SourcePlan, approve
from bulk_remove.core.replies import NOT_SENT, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import BusyPolicy, Ceilings, Key, RetryPolicy, pressed
from bulk_remove.core.timeline import Snapshot, Window
from bulk_remove.ledger import Outcomes
from bulk_remove.sending import Outside, Pool, PoolSettings
from tests.support.inline_journal import SOURCE, InlineJournal, planned
from tests.support.virtual_time import BEGAN_S, Shifts, VirtualClock, run_virtually

Answer = Callable[[float, Sequence[str]], Reply | Fault]


class FakeServer:
    """Answers after a while, and keeps the moments at which requests came and how many were under way.

    `fault_s` is how long a fault takes, `latency_s` anything else, and faults as well where there is no `fault_s`. That
    is until the head of the reply is there; the body of one that can be read takes `body_s` more.
    """

    def __init__(
        self,
        answer: Answer,
        latency_s: float = 0.0,
        connect_s: float = 0.0,
        fault_s: float | None = None,
        body_s: float = 0.0,
    ) -> None:
        self._answer = answer
        self._connect_s = connect_s
        self._latency_s = latency_s
        self._body_s = body_s
        self._fault_s = latency_s if fault_s is None else fault_s
        self.moments_s: list[float] = []
        self.asked: list[tuple[str, ...]] = []
        self.shapes: list[RequestShape] = []
        self.most_at_once = 0
        self._under_way = 0

    async def delete(
        self,
        chunk: Chunk,
        shape: RequestShape,
        now_s: float,
        departure: Callable[[], Awaitable[bool]],
        arrival: Callable[[], None],
    ) -> Reply | Fault:
        assert shape.campaign == chunk.campaign
        assert now_s >= BEGAN_S + asyncio.get_running_loop().time()
        await asyncio.sleep(self._connect_s)
        if not await departure():
            return NOT_SENT
        now = asyncio.get_running_loop().time()
        self.moments_s.append(now)
        self.asked.append(chunk.numbers)
        self.shapes.append(shape)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        answer = self._answer(now, chunk.numbers)
        await asyncio.sleep(self._latency_s if isinstance(answer, Reply) else self._fault_s)
        arrival()
        await asyncio.sleep(self._body_s if isinstance(answer, Reply) else 0.0)
        self._under_way -= 1
        return answer


class Alone:
    """No other run of the account."""

    def depart(self, _now_us: int) -> int:
        return 0


class Run:
    """A finished run of a pool in virtual time, and what it left in the ledger."""

    def __init__(
        self,
        folder: Path,
        server: FakeServer,
        *,
        numbers: int = 100,
        per_request: int = 10,
        rate: float = 5.0,
        concurrency: int = 4,
        busy_for_s: float = 1800.0,
        stop_after_s: float | None = None,
        also_try: Sequence[AlsoTry] = (),
        keys: Sequence[tuple[float, Key]] = (),
        clock_set: Shifts = (),
        slept: Shifts = (),
        until_s: float | None = None,
        windows: Sequence[Window] = (),
        look_at_s: Sequence[float] = (),
        writing: Writing = ENCODED,
        planned_as: RequestShape | None = None,
        stop_when_missing: float | None = None,
    ) -> None:
        self.server = server
        self.settled: Counter[str] = Counter()
        self.shape = planned_as or RequestShape("00001", max_numbers=per_request)
        self._stop_after_s = stop_after_s
        self._keys = keys
        self._clock_set, self._slept = clock_set, slept
        self._look_at_s = look_at_s
        self.looks: list[Snapshot] = []
        forms = Forms(NumberRules(), also_try)
        settings = PoolSettings(
            Ceilings(rate, concurrency, rate, concurrency),
            RetryPolicy(tries=4),
            BusyPolicy(busy_for_s),
            forms,
            RequestSize(self.shape.max_numbers, 10_000_000, self.shape.max_numbers),
            writing=writing,
            windows=tuple(windows),
            until_s=until_s,
            stop_when_missing=stop_when_missing,
        )
        plan = Plan("r1", "h", (SourcePlan(SOURCE, numbers, 0, ()),), (CampaignPlan("00001", numbers, 1),), rate)
        with closing(
            planned(folder, [f"{500_000_000 + index}" for index in range(numbers)], self.shape, writing)
        ) as store:
            self.ending, self.fault, self.snapshot, self.took_s = run_virtually(
                self._drain(InlineJournal(store), approve(plan, Consent.CODE), settings)
            )
            self.rows = list(Outcomes(store).rows())
            self.unasked = Outcomes(store).unasked_removals()
            self.states = [row.state for row in self.rows if row.state is not None]
            self.attempt_times_s: list[tuple[float, float]] = store.connection.execute(
                "SELECT begun_at_s, ended_at_s FROM attempt WHERE result IS NOT 'not sent' ORDER BY attempt_id"
            ).fetchall()
            self.attempts = len(self.attempt_times_s)

    async def _drain(
        self, journal: InlineJournal, approved: ApprovedPlan, settings: PoolSettings
    ) -> tuple[Ending, Fault | None, Snapshot, float]:
        clock = VirtualClock(clock_set=self._clock_set, slept=self._slept)
        outside = Outside(journal, self.server, clock, Alone())
        pool = Pool(approved, settings, lambda _campaign: self.shape, outside, self._count)
        loop = asyncio.get_running_loop()
        if self._stop_after_s is not None:
            loop.call_later(self._stop_after_s, pool.stop, Ending.INTERRUPTED)
        for moment_s, key in self._keys:
            loop.call_at(moment_s, _press, pool, key)
        for moment_s in self._look_at_s:
            loop.call_at(moment_s, lambda: self.looks.append(pool.snapshot()))
        ending = await pool.drain()
        self.longest_line, self.brackets = pool.books.line.longest, pool.books.writing.known
        return ending, pool.halt.fault, pool.snapshot(), loop.time()

    def _count(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        assert len(numbers) == len(states)
        self.settled.update(state.phase for state in states)

    @property
    def statuses(self) -> Counter[Status]:
        return Counter(status_of(state.phase) for state in self.states)


def _press(pool: Pool, key: Key) -> None:
    pool.steer(pressed(pool.steering, key)[0])
