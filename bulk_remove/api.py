"""The same job from Python: numbers in, outcomes streamed out; or whole files in, a report out.

    async for outcome in remove_numbers(["601234555"], settings, server, approve=lambda plan: plan.numbers < 100):
        print(outcome.number, outcome.status)

Nothing is sent unless `approve` returns True for the plan. No signal handler is installed: leaving the iteration, or
cancelling the task, stops safely: requests under way finish first.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from bulk_remove.adapters.folders import default_state_dir, lock_campaigns
from bulk_remove.adapters.ledger import Outcomes
from bulk_remove.adapters.reader import open_table
from bulk_remove.core.lifecycle import SETTLED, explain, status_of
from bulk_remove.core.model import NumberState, Outcome, RowBlock, Source, Status
from bulk_remove.core.plan import Consent, Plan, approve, check_within_limits
from bulk_remove.core.progress import Snapshot
from bulk_remove.core.summary import Ending
from bulk_remove.errors import GuardStop, UsageError
from bulk_remove.run.carry_out import Hooks, Sent, carry_out, with_learned_limit
from bulk_remove.run.evidence import known_of, look_at
from bulk_remove.run.finish import Finished, finish
from bulk_remove.run.preflight import error_of
from bulk_remove.run.prepare import Prepared, Sight, Table, check_plan, prepared, reading_of
from bulk_remove.settings import Address, Login, Settings

Approve = Callable[[Plan], bool]
_BLOCK_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, who we are there, and where runs keep their ledgers (None: the platform's folder)."""

    address: Address
    login: Login
    state_dir: Path | None = None


async def remove_numbers(
    numbers: Iterable[str], settings: Settings, server: Server, *, approve: Approve
) -> AsyncGenerator[Outcome, None]:
    """Remove numbers; yields an outcome for each distinct one as soon as it is final and on disk.

    A text that is no phone number comes first, as INVALID, under its own text. Numbers without a final answer come
    last; if the server ended the run early, RefusedError or UnavailableError is raised after them, and GuardStop if
    the canary did.
    Raises what else `bulk_remove.errors` lists; GuardStop when `approve` returns False.
    """
    if settings.campaign_column is not None:
        raise UsageError("Numbers alone have no column of campaigns.", "Give the settings a campaign.")
    async with _planned([_Numbers(numbers)], _learned(settings, server), server) as ready:
        for row in Outcomes(ready.store).rows():
            if row.state is None:
                yield Outcome(row.cell, Status.INVALID, 0, (), 0, 0, row.problem, 0.0)
        stream = _Stream()
        sending = asyncio.create_task(_send(ready, server, approve, stream))
        sending.add_done_callback(stream.end)
        try:
            async for outcome in stream.outcomes():
                yield outcome
        finally:
            stream.stop(Ending.INTERRUPTED)
            sent = await sending
        for row in Outcomes(ready.store).rows():
            if row.state is not None and row.state.phase not in SETTLED and not row.duplicate_of:
                yield _outcome(row.number, row.state)
        if sent.fault:
            raise error_of(sent.fault, settings.campaign)
        if sent.guard:
            raise sent.guard


async def remove_files(
    files: Sequence[str], settings: Settings, server: Server, *, approve: Approve, output: Path | None = None
) -> Finished:
    """Remove the numbers of files and write the report; what `bulk-remove run` does.

    Raises what `bulk_remove.errors` lists; GuardStop when `approve` returns False.
    """
    settings = _learned(settings, server)
    reading = reading_of(settings, server.state_dir or default_state_dir())
    async with _planned([open_table(file, reading) for file in files], settings, server) as ready:
        check_plan(ready.plan, settings)
        sent = await _send(ready, server, approve, _Stream())
        return finish(ready, ready.settings, sent.ending, output)


def _learned(settings: Settings, server: Server) -> Settings:
    return with_learned_limit(settings, server.state_dir or default_state_dir(), server.address.host, time.time())


class _Stream:
    """Takes settled numbers from the pool and hands out their outcomes; passes on the wish to stop."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._stop: Callable[[Ending], None] | None = None
        self._wished: Ending | None = None

    def settled(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        for number, state in zip(numbers, states, strict=True):
            if state.phase in SETTLED:
                self._queue.put_nowait(_outcome(number, state))

    def end(self, _task: asyncio.Task[Sent]) -> None:
        self._queue.put_nowait(None)

    def stop(self, ending: Ending) -> None:
        """Stop safely, now or as soon as the sending has begun."""
        self._wished = ending
        if self._stop is not None:
            self._stop(ending)

    @contextmanager
    def stopping(self, stop: Callable[[Ending], None]) -> Iterator[None]:
        self._stop = stop
        if self._wished is not None:
            stop(self._wished)
        yield

    async def outcomes(self) -> AsyncIterator[Outcome]:
        while (outcome := await self._queue.get()) is not None:
            yield outcome


@asynccontextmanager
async def _planned(tables: Sequence[Table], settings: Settings, server: Server) -> AsyncIterator[Prepared]:
    """Hold the campaign and the plan; looking and reading happen in a thread, so that the caller's loop goes on."""
    state_dir = server.state_dir or default_state_dir()
    address = server.address
    sight = Sight(lambda campaigns: look_at(campaigns, settings, address, server.login, state_dir))
    planning = prepared(tables, settings, address.destination(server.login.user), state_dir, time.time(), sight)
    ready = await asyncio.to_thread(planning.__enter__)
    with _entered(planning), lock_campaigns(state_dir, address.host, ready.plan.campaign_ids):
        yield ready


@contextmanager
def _entered(manager: AbstractContextManager[Prepared]) -> Iterator[None]:
    try:
        yield
    finally:
        manager.__exit__(None, None, None)


async def _send(ready: Prepared, server: Server, consent: Approve, stream: _Stream) -> Sent:
    state_dir = server.state_dir or default_state_dir()
    plan, records = ready.plan, ready.findings.records
    known, _ = await asyncio.to_thread(known_of, state_dir, plan.host, plan.campaign_ids, records)
    check_within_limits(ready.plan, known)
    if not consent(ready.plan):
        raise GuardStop("The plan was not approved: nothing was sent.", "Look at the plan that approve() was given.")
    approved = approve(ready.plan, Consent.CODE, known)
    hooks = Hooks(_unwatched, stream.stopping, stream.settled)
    return await carry_out(ready, approved, ready.settings, server.address, server.login, hooks)


@asynccontextmanager
async def _unwatched(_snapshot: Callable[[], Snapshot]) -> AsyncIterator[None]:
    yield


def _outcome(number: str, state: NumberState) -> Outcome:
    return Outcome(
        number,
        status_of(state.phase),
        state.removed,
        state.record_ids,
        state.attempts,
        state.busy_rounds,
        explain(state),
        state.answered_at_s,
    )


class _Numbers:
    """Texts as a table of one column."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self._numbers = [*numbers]
        digest = sha256("\n".join(self._numbers).encode(errors="surrogatepass")).hexdigest()
        self.source = Source("(numbers)", "", ("number",), 0, "given by the caller", "", "", digest, 0)

    def blocks(self) -> Iterator[RowBlock]:
        rest = enumerate(self._numbers, start=1)
        while block := list(islice(rest, _BLOCK_ROWS)):
            rows, cells = zip(*block, strict=True)
            yield RowBlock(self.source, rows, cells, ())
