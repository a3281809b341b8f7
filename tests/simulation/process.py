"""The stand-ins for what carry_out reaches outside: line, journal and clock of one process, which may die."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import unquote_plus

import aiohttp

from bulk_remove.core.replies import NOT_SENT
from bulk_remove.ledger import Sending, Store
from bulk_remove.sending.client import Arrival, Client, Connection, Departure, _Failed, fault_of_exception
from tests.simulation.audit import Request
from tests.simulation.clocks import DrawingClock
from tests.simulation.scenario import Kind, Trouble
from tests.simulation.world import World
from tests.support.virtual_time import BEGAN_S

T = TypeVar("T")
_INTENTS = (
    "SELECT attempt_id FROM attempt JOIN chunk USING (chunk_id)"
    " WHERE attempt.ended_at_s IS NULL AND chunk.campaign = ? AND chunk.numbers = ?"
)


class Killed(BaseException):
    """The process is no more."""


class Process:
    """One process in its world: `trouble` is what befalls it. Nothing of a dead process writes or sends.

    `clock_ahead_s` is how far our clock was ahead of the truth as the session began, and the session's own so is since.
    """

    def __init__(self, world: World, session: int, trouble: Trouble, seed: int, ledger: Path) -> None:
        self.world = world
        self.session = session
        self.trouble = trouble
        self.ledger = ledger
        self.dice = random.Random(f"process {seed} {session}")
        self.dead = False
        self.clock_ahead_s = 0.0
        self._commits = 0
        self._turns = 0
        self._alive = False

    async def living(self, job: Coroutine[Any, Any, T]) -> T:
        """Do a job; while it is done, the process may die."""
        self._alive = True
        try:
            return await job
        finally:
            self._alive = False

    def turn(self) -> None:
        """Count a turn of the loop. Raises Killed when it is the last."""
        self._turns += self._alive
        if self._alive and self.trouble.kind is Kind.KILL and self._turns == self.trouble.at:
            self.dead = True
            raise Killed

    def use_disk(self) -> None:
        """Count a commit. Raises OperationalError when the disk fails it."""
        self._commits += 1
        once = self.trouble.kind is Kind.DISK and self._commits == self.trouble.at
        if once or (self.trouble.kind is Kind.DISK_FOR_GOOD and self._commits >= self.trouble.at):
            raise sqlite3.OperationalError("disk I/O error")

    def clock(self) -> DrawingClock:
        """Make the process's clock."""
        self.clock_ahead_s = self.world.clocks.shown_s(asyncio.get_running_loop().time())
        self.clock_ahead_s -= BEGAN_S + asyncio.get_running_loop().time()
        return DrawingClock(self.world.clocks, self.dice)

    def line(self, connection: Connection) -> "Line":
        """Make the process's way to the server."""
        return Line(connection, self)

    def journal(self, store: Store) -> "TurnJournal":
        """Make the process's writer."""
        return TurnJournal(store, self)


class Line(Client):
    """The package's client with the world at the other end instead of a socket."""

    def __init__(self, connection: Connection, process: Process) -> None:
        self._timeout_s = connection.timeout_s
        self._process = process

    async def __aenter__(self) -> Self:
        self._witness = sqlite3.connect(self._process.ledger, isolation_level=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._witness.close()

    async def _request(
        self, method: str, target: str, departure: Departure | None = None, arrival: Arrival | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        assert method == "DELETE"
        assert departure is not None
        if not await departure():
            raise _Failed(NOT_SENT)
        request = self._noted(target)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                answer = await self._process.world.answer(request)
                assert arrival is not None
                arrival()
                await asyncio.sleep(min(answer.body_s, ((limit.when() or 0.0) - loop.time()) / 2))
        except (aiohttp.ClientError, OSError) as error:
            request.told = request.told or "timeout"
            request.told_s = loop.time()
            fault = fault_of_exception(error)
        else:
            request.told_s = loop.time()
            return answer.status, answer.headers, answer.body
        raise _Failed(fault)

    def _noted(self, target: str) -> Request:
        """Note a request that leaves, and the intents that the ledger holds of it on disk."""
        path, _, query = target.partition("?")
        campaign = path.split("/")[-2]
        keys, texts = zip(*(pair.split("=") for pair in query.split("&")), strict=True)
        assert {unquote_plus(key) for key in keys} == {"phone_number[]"}
        numbers = tuple(map(unquote_plus, texts))
        attempts = self._witness.execute(_INTENTS, (campaign, "\n".join(numbers))).fetchall()
        return Request(
            self._process.session,
            asyncio.get_running_loop().time(),
            campaign,
            numbers,
            tuple(attempt for (attempt,) in attempts),
            self._process.clock_ahead_s,
            raw="[" in query,
        )


class TurnJournal:
    """The ledger's writer without its thread: gathers calls for a moment, then commits them as one."""

    def __init__(self, store: Store, process: Process) -> None:
        self._store = store
        self._process = process
        self._calls: list[tuple[Callable[[Sending], Any], asyncio.Future[Any]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._commit()

    async def write(self, call: Callable[[Sending], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._calls.append((call, future))
        if len(self._calls) == 1:
            loop.call_later(self._process.dice.choice((0.0, 0.001, 0.02)), self._commit)
        return await future

    def _commit(self) -> None:
        """Commit what waits; whatever happens to it happens to each of its callers."""
        calls, self._calls = self._calls, []
        if not calls or self._process.dead:
            return
        try:
            with self._store.transaction() as connection:
                sending = Sending(connection)
                results = [call(sending) for call, _ in calls]
                self._process.use_disk()
        except Exception as error:  # noqa: BLE001 - handed to the callers, who await it
            for _, future in calls:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), result in zip(calls, results, strict=True):
                if not future.done():
                    future.set_result(result)


def rows_of(ledger: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask a ledger as a stranger would, without the package."""
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query).fetchall()
