"""Putting the simulator on a socket: for tests within a loop, or as a process of its own until it is told to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from aiohttp import web

from bulk_remove.simulator.api import Rules
from bulk_remove.simulator.audit import Audit
from bulk_remove.simulator.faults import Faults
from bulk_remove.simulator.habits import Habits
from bulk_remove.simulator.numbers_csv import read_numbers
from bulk_remove.simulator.on_demand import OnDemandCampaign
from bulk_remove.simulator.server import Clock, Simulator
from bulk_remove.simulator.world import Campaign, ListedCampaign, World, records_of

LOOPBACK = "127.0.0.1"

_PARSER_LIMIT_BYTES = 1 << 20
"""Far beyond any line that our own limit lets through: aiohttp's parser would answer 400 where nginx says 414."""

_SHUTDOWN_S = 0.5
"""Requests still in a delay when the server stops are given this long, in seconds."""


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """All that the simulator as a process can be told.

    Each campaign holds the numbers of `numbers_csv` (column `csv_column`, empty = the first, and each record's further
    ones in `additional_column`, empty = none), or every number that is asked for when there is no file.
    `records_count` is what the statistics then claim at the start. `port` 0 takes a free one. `audit_path` is a JSONL
    file, made anew; without it the audit is kept in memory.
    """

    host: str = LOOPBACK
    port: int = 8080
    campaigns: tuple[str, ...] = ("00001",)
    numbers_csv: Path | None = None
    csv_column: str = ""
    additional_column: str = ""
    records_count: int = 1_000_000
    habits: Habits = field(default_factory=Habits)
    faults: Faults = field(default_factory=Faults)
    rules: Rules = field(default_factory=Rules)
    audit_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """What one needs to know to use the server once it listens."""

    url: str
    user: str
    password: str


@asynccontextmanager
async def running(
    world: World,
    faults: Faults | None = None,
    rules: Rules | None = None,
    *,
    clock: Clock | None = None,
    audit_path: Path | None = None,
    host: str = LOOPBACK,
    port: int = 0,
) -> AsyncIterator[Simulator]:
    """A simulator that listens within the running loop; its `url` is `http://HOST:PORT` without a slash at the end.

    Raises OSError when the port is taken or the audit cannot be written.
    """
    with Audit(audit_path) as audit:
        rules = rules or Rules()
        simulator = Simulator(world, faults or Faults(), rules, clock or Clock(), audit)
        server = web.Server(
            simulator.handle,
            access_log=None,
            max_line_size=_PARSER_LIMIT_BYTES,
            keepalive_timeout=rules.idle_close_s,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            simulator.url = f"http://{host}:{runner.addresses[0][1]}"
            yield simulator
        finally:
            await runner.cleanup()
            await simulator.abandon()


def serve(options: SimulatorOptions, ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once the socket listens. For the main thread.

    Raises OSError when the port is taken or a file cannot be used, ValueError when `numbers_csv` has no such column.
    """
    asyncio.run(_serve(options, ready))


def world_of(options: SimulatorOptions) -> World:
    """The world that the options describe. Raises OSError or ValueError for a CSV file that cannot be used."""
    if options.numbers_csv is None:
        return World(
            OnDemandCampaign(campaign, options.habits, options.records_count) for campaign in options.campaigns
        )
    numbers = list(read_numbers(options.numbers_csv, options.csv_column, options.additional_column))
    campaigns: list[Campaign] = [
        ListedCampaign(campaign, records_of(numbers, options.habits)) for campaign in options.campaigns
    ]
    return World(campaigns)


async def _serve(options: SimulatorOptions, ready: Callable[[Ready], None]) -> None:
    stop = asyncio.Event()
    rules = options.rules
    with _stopped_by_signals(asyncio.get_running_loop(), stop):
        async with running(
            world_of(options),
            options.faults,
            rules,
            audit_path=options.audit_path,
            host=options.host,
            port=options.port,
        ) as simulator:
            ready(Ready(simulator.url, rules.user, rules.password))
            await stop.wait()


@contextmanager
def _stopped_by_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    def set_stop(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            try:
                # A plain handler does not wake a loop that was just about to wait, for ever if nothing else happens.
                loop.add_signal_handler(number, stop.set)
            except NotImplementedError:  # Windows, whose loop is woken by every signal
                signal.signal(number, set_stop)
        yield
    finally:
        for number, handler in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
