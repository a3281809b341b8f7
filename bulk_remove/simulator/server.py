"""The simulated server on aiohttp: accepts requests, lets the API or a fault answer, keeps the audit, sends replies.

The order follows the real stack: the proxy's limits (414, 429), the way in (delay, faults before the act), the API, the
way back (faults after the act). The audit records what the server did, whatever the client receives. It is written
after the act and before the first byte of reply.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import orjson
from aiohttp import web

from bulk_remove.simulator import api as answers
from bulk_remove.simulator.api import (
    REFUSED_LATE,
    Answer,
    Asked,
    Faults,
    FaultSource,
    LongLine,
    RawBrackets,
    Rules,
    SimulatedFault,
    act,
    faults_named,
    read_query,
    route,
)
from bulk_remove.simulator.world import (
    Campaign,
    Habits,
    ListedCampaign,
    OnDemandCampaign,
    RecordIds,
    Removal,
    World,
    read_numbers,
    records_of,
)

_NOTHING_DONE: RecordIds = MappingProxyType({})
_BY_NUMBER = ("removed", "in_call", "through_additional")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request."""

    seq: int
    time_s: float
    method: str
    campaign: str
    answered: int
    whole: bool
    request_id: str = ""
    fault: str = ""
    acted: bool = False
    asked: tuple[str, ...] = ()
    dropped: int = 0
    removed: RecordIds = field(default_factory=lambda: _NOTHING_DONE)
    in_call: RecordIds = field(default_factory=lambda: _NOTHING_DONE)
    through_additional: RecordIds = field(default_factory=lambda: _NOTHING_DONE)


class Audit:
    """Keeps the entries in memory, or in a JSONL file if it has a path."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[AuditEntry] = []
        self._file = None if path is None else path.open("wb", buffering=0)

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry."""
        if self._file is None:
            self.entries.append(entry)
        else:
            self._file.write(_line(entry))

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()


def read_audit(path: Path) -> Iterator[AuditEntry]:
    """The entries of an audit file, in order of the acts; an incomplete last line is left out."""
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield _entry(orjson.loads(line))


def _line(entry: AuditEntry) -> bytes:
    values = {name: getattr(entry, name) for name in AuditEntry.__slots__}
    for name in _BY_NUMBER:
        values[name] = dict(values[name])  # orjson writes only plain dicts
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def _entry(values: dict[str, Any]) -> AuditEntry:
    for name in _BY_NUMBER:
        values[name] = MappingProxyType({number: tuple(ids) for number, ids in values[name].items()})
    return AuditEntry(**{**values, "asked": tuple(values["asked"])})


# Faults that end without a status line.
_SILENT: Final = faults_named("dropped_before dropped_after stalled_after garbage_wire")
_ANSWERED_BY_PROXY: Final = REFUSED_LATE | faults_named("error_500_after error_502_after error_504_after html_after")
# Faults that change a removal's reply: any other answer stays as it is, and then there was no fault.
_RESHAPING: Final = faults_named(
    "missing_numbers unknown_status extra_numbers byte_order_mark notices bare_objects without_status contradictions "
    "repeated_keys respelt_keys foreign_keys"
)

_READ_SOMEHOW: Final = {RawBrackets.READ, RawBrackets.UNREAD, RawBrackets.LAST}

STAND_IN: Final = ("X-Stand-In", "bulk-remove simulate")
"""The header with which every reply says that it is not Thulium's."""

_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x0a"


class ServerClock(NamedTuple):
    """The server's time: `now` in Unix seconds, `sleep` for the delays."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class _Outcome(NamedTuple):
    """The end of a request: the answer, its fault, and what was done to the world, if anything."""

    answer: Answer
    fault: SimulatedFault | None
    removal: Removal | None


class Simulator:
    """The server's side of every request."""

    def __init__(self, world: World, faults: Faults, rules: Rules, clock: ServerClock, audit: Audit) -> None:
        self.url = ""
        self.world = world
        self.rules = rules
        self.seen: Counter[str] = Counter()
        self._source = FaultSource(faults)
        self._clock = clock
        self._audit = audit
        self._handling: set[asyncio.Task[object]] = set()
        self._on_connection: WeakKeyDictionary[asyncio.Transport, int] = WeakKeyDictionary()

    @property
    def audit(self) -> Sequence[AuditEntry]:
        """The entries so far; empty if the audit goes to a file."""
        return tuple(self._audit.entries)

    @property
    def faults(self) -> Faults:
        """The present faults; setting them restarts the script, the draws and the rate limit."""
        return self._source.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._source = FaultSource(faults)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or fail as a fault demands."""
        self.seen[request.method] += 1
        if (task := asyncio.current_task()) is not None:
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
        asked = self._read(request)
        outcome = self._turned_away(asked) or await self._arrived(asked)
        transport = request.transport
        connected = transport is not None and not transport.is_closing()
        self._audit.add(_audit_entry(asked, outcome, self._clock.now(), connected))
        return await self._deliver(request, outcome)

    async def abandon(self) -> None:
        """End requests whose clients have gone: aiohttp would let them run longer than the audit."""
        for task in tuple(self._handling):
            task.cancel()
        await asyncio.gather(*self._handling, return_exceptions=True)

    def _read(self, request: web.BaseRequest) -> Asked:
        target = request.raw_path
        if self.rules.long_line is LongLine.CUT:
            target = target[: self.rules.max_line_bytes - len(f"{request.method}  HTTP/1.1")]
        path, _, query = target.partition("?")
        operation, campaign = route(request.method, path)
        seq = self.seen.total()
        return Asked(
            seq=seq,
            method=request.method,
            operation=operation,
            campaign=campaign,
            query=read_query(query, self.rules.max_input_vars),
            authorization=request.headers.get("Authorization", ""),
            polish=request.headers.get("Accept-Language", "").startswith("pl"),
            line_bytes=len(f"{request.method} {target} HTTP/1.1".encode(errors="surrogateescape")),
            # Like PHP's uniqid(): seconds and a part of a second, in hex.
            request_id=f"{int(self._clock.now()):08x}{seq & 0xFFFFF:05x}",
            raw="[" in query,
        ).seen_by(self.rules)

    def _turned_away(self, asked: Asked) -> _Outcome | None:
        """The proxy's own limits, before the API."""
        refusal = self.rules.long_line if asked.line_bytes > self.rules.max_line_bytes else ""
        if asked.raw and self.rules.raw_brackets not in _READ_SOMEHOW:
            refusal = refusal or self.rules.raw_brackets
        if refusal == LongLine.RESET:
            return _Outcome(answers.page(500, "unsaid"), SimulatedFault.DROPPED_BEFORE, None)
        if refusal:
            return _Outcome(answers.page(int(refusal), f"{refusal} Request Refused"), None, None)
        now_s = self._clock.now()
        if self._source.limited(now_s):
            answer = answers.faulty_page(SimulatedFault.RATE_LIMITED, self._source.faults, now_s)
            return _Outcome(answer, SimulatedFault.RATE_LIMITED, None)
        return None

    async def _arrived(self, asked: Asked) -> _Outcome:
        source = self._source
        fault = source.draw(reading=asked.method != "DELETE")
        delay_s = source.delay_s()
        if delay_s and not (fault is not None and fault.at_the_door):
            await self._clock.sleep(delay_s)
        if fault is not None and fault.before_the_act:
            return _Outcome(answers.faulty_page(fault, source.faults, self._clock.now()), fault, None)
        return self._acted(asked, fault, source)

    def _acted(self, asked: Asked, fault: SimulatedFault | None, source: FaultSource) -> _Outcome:
        now_s = self._clock.now()
        if fault is SimulatedFault.REFUSED_MIDWAY:  # the first half of the numbers, rounded up
            numbers = asked.query.numbers
            asked = replace(asked, query=replace(asked.query, numbers=numbers[: (len(numbers) + 1) // 2]))
        done = act(asked, self.world, self.rules, now_s)
        if isinstance(done, Removal):
            removal, answer = done, answers.answer_of(done, fault, source.random)
        else:
            removal, answer = None, done
            fault = None if fault in _RESHAPING else fault
        if fault in _ANSWERED_BY_PROXY:
            answer = answers.faulty_page(fault, source.faults, now_s)
        elif fault is SimulatedFault.GARBAGE_BODY:
            answer = replace(answer, body=b"\xff" + source.random.randbytes(64))  # JSON never begins like this
        return _Outcome(answer, fault, removal)

    async def _deliver(self, request: web.BaseRequest, outcome: _Outcome) -> web.StreamResponse:
        answer, fault, _ = outcome
        response = web.Response(
            status=answer.status,
            body=answer.body,
            content_type=answer.content_type,
            headers=(*answer.headers, STAND_IN),
        )
        # nginx closes a connection after a request line that it could not read.
        if self._is_last_on_connection(request) or answer.status == HTTPStatus.REQUEST_URI_TOO_LONG:
            response.force_close()
        if fault is SimulatedFault.STALLED_AFTER:
            await self._clock.sleep(self._source.faults.stall_s)
        elif fault in REFUSED_LATE:
            await self._clock.sleep(self._source.faults.refused_late_s)
        elif fault is SimulatedFault.GARBAGE_WIRE and request.transport is not None:
            request.transport.write(_TLS_ALERT)
        elif fault is SimulatedFault.CUT_SHORT:
            return await _cut_short(request, answer)
        if fault in _SILENT:
            request.protocol.force_close()
        return response

    def _is_last_on_connection(self, request: web.BaseRequest) -> bool:
        if request.transport is None:
            return True
        count = self._on_connection.get(request.transport, 0) + 1
        self._on_connection[request.transport] = count
        return count >= self.rules.requests_per_connection


async def _cut_short(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Promise the whole body, send half of it, and close."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    try:
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
    finally:
        request.protocol.force_close()
    return response


def _audit_entry(asked: Asked, outcome: _Outcome, now_s: float, connected: bool) -> AuditEntry:
    answer, fault, removal = outcome
    silent = fault in _SILENT
    return AuditEntry(
        seq=asked.seq,
        time_s=now_s,
        method=asked.method,
        campaign=asked.campaign,
        answered=0 if silent else answer.status,
        whole=connected and not silent and fault is not SimulatedFault.CUT_SHORT,
        request_id=asked.request_id,
        fault="" if fault is None else fault.value,
        acted=removal is not None,
        asked=asked.query.numbers,
        dropped=asked.query.dropped,
        removed=removal.removed if removal else _NOTHING_DONE,
        in_call=removal.in_call if removal else _NOTHING_DONE,
        through_additional=removal.through_additional if removal else _NOTHING_DONE,
    )


LOOPBACK = "127.0.0.1"

_PARSER_LIMIT_BYTES = 1 << 20  # far above our own limit: aiohttp's parser would answer 400 where nginx answers 414

_SHUTDOWN_S = 0.5  # the time, in seconds, for delayed requests when the server stops


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """The options of the simulator as a process."""

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


@asynccontextmanager
async def running(
    world: World,
    faults: Faults | None = None,
    rules: Rules | None = None,
    *,
    clock: ServerClock | None = None,
    audit_path: Path | None = None,
    host: str = LOOPBACK,
    port: int = 0,
) -> AsyncIterator[Simulator]:
    """A simulator that listens in the running loop; its `url` is `http://HOST:PORT` without a final slash."""
    with closing(Audit(audit_path)) as audit:
        rules = rules or Rules()
        simulator = Simulator(world, faults or Faults(), rules, clock or ServerClock(), audit)
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


def serve(options: SimulatorOptions, ready: Callable[[Simulator], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once the socket listens. Only in the main thread."""

    async def served() -> None:
        stop = asyncio.Event()
        with _stopped_by_signals(asyncio.get_running_loop(), stop):
            async with running(
                world_of(options),
                options.faults,
                options.rules,
                audit_path=options.audit_path,
                host=options.host,
                port=options.port,
            ) as simulator:
                ready(simulator)
                await stop.wait()

    asyncio.run(served())


def world_of(options: SimulatorOptions) -> World:
    """The world that the options describe. Raises OSError or ValueError for an unusable CSV file."""
    if options.numbers_csv is None:
        return World(
            OnDemandCampaign(campaign, options.habits, options.records_count) for campaign in options.campaigns
        )
    numbers = list(read_numbers(options.numbers_csv, options.csv_column, options.additional_column))
    campaigns: list[Campaign] = [
        ListedCampaign(campaign, records_of(numbers, options.habits)) for campaign in options.campaigns
    ]
    return World(campaigns)


@contextmanager
def _stopped_by_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    def set_stop(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            try:
                # A plain handler does not wake a loop that is about to wait, perhaps forever.
                loop.add_signal_handler(number, stop.set)
            except NotImplementedError:  # Windows, where every signal wakes the loop
                signal.signal(number, set_stop)
        yield
    finally:
        for number, handler in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
