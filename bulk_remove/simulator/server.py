"""The simulated server on aiohttp: takes requests in, lets the API or a fault answer, keeps the audit, sends replies.

In the order of the real stack: the proxy's limits (414, 429), the way there (delay, faults before the act), the API,
the way back (faults after the act). The audit is written once the act is done and before the first byte of reply.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from aiohttp import web

from bulk_remove.simulator import answers
from bulk_remove.simulator.answers import Answer
from bulk_remove.simulator.api import Asked, LongLine, Rules, act
from bulk_remove.simulator.audit import Audit, AuditEntry
from bulk_remove.simulator.faults import REFUSED_LATE, Fault, Faults, FaultSource
from bulk_remove.simulator.query import read_query, route
from bulk_remove.simulator.world import RecordIds, Removal, World

_SILENT: Final = frozenset({Fault.DROPPED_BEFORE, Fault.DROPPED_AFTER, Fault.STALLED_AFTER, Fault.GARBAGE_WIRE})
"""Those that end without a status line."""

_ANSWERED_BY_PROXY: Final = frozenset(
    {Fault.ERROR_500_AFTER, Fault.ERROR_502_AFTER, Fault.ERROR_504_AFTER, *REFUSED_LATE, Fault.HTML_AFTER}
)

_RESHAPING: Final = frozenset(
    {
        Fault.MISSING_NUMBERS,
        Fault.UNKNOWN_STATUS,
        Fault.EXTRA_NUMBERS,
        Fault.BYTE_ORDER_MARK,
        Fault.NOTICES,
        Fault.BARE_OBJECTS,
        Fault.WITHOUT_STATUS,
        Fault.CONTRADICTIONS,
        Fault.REPEATED_KEYS,
        Fault.RESPELT_KEYS,
        Fault.FOREIGN_KEYS,
    }
)
"""Those that change a removal's reply: any other answer stays as it is, and then no fault happened."""

_NOTHING: Final[RecordIds] = MappingProxyType({})

STAND_IN: Final = ("X-Stand-In", "bulk-remove simulate")
"""The header by which every reply says that it is none of Thulium's."""

_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x0a"


class Clock(NamedTuple):
    """The server's time: `now` in Unix seconds, `sleep` for the delays."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class _Outcome(NamedTuple):
    """How a request ends: the answer made, the fault that befell it, and what was done to the world, if anything."""

    answer: Answer
    fault: Fault | None
    removal: Removal | None


class Simulator:
    """The server's side of every request.

    `seen` counts the requests by method the moment they come in, whatever becomes of them; `url` is where it listens.
    `rules` may be replaced while it runs; `idle_close_s` alone is read at the start.
    """

    def __init__(self, world: World, faults: Faults, rules: Rules, clock: Clock, audit: Audit) -> None:
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
        """What was done so far; empty where the audit goes to a file."""
        return tuple(self._audit.entries)

    @property
    def faults(self) -> Faults:
        """What goes wrong from now on; setting it begins its script, its draws and its rate limit anew."""
        return self._source.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._source = FaultSource(faults)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or fail to as a fault demands."""
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
        """End what still waits for clients that have gone: aiohttp lets it run on, past the end of the audit."""
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
            # As PHP's uniqid() makes them: seconds and a part of a second, in hex.
            request_id=f"{int(self._clock.now()):08x}{seq & 0xFFFFF:05x}",
        )

    def _turned_away(self, asked: Asked) -> _Outcome | None:
        """The proxy's own limits, which leave the API alone."""
        if asked.line_bytes > self.rules.max_line_bytes:
            long_line = self.rules.long_line
            if long_line is LongLine.RESET:
                return _Outcome(answers.page(500, "unsaid"), Fault.DROPPED_BEFORE, None)
            return _Outcome(answers.page(int(long_line), f"{long_line} Request Refused"), None, None)
        now_s = self._clock.now()
        if self._source.limited(now_s):
            answer = answers.faulty_page(Fault.RATE_LIMITED, self._source.faults, now_s)
            return _Outcome(answer, Fault.RATE_LIMITED, None)
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

    def _acted(self, asked: Asked, fault: Fault | None, source: FaultSource) -> _Outcome:
        now_s = self._clock.now()
        if fault is Fault.REFUSED_MIDWAY:
            asked = _first_half(asked)
        done = act(asked, self.world, self.rules, now_s)
        if isinstance(done, Removal):
            removal = done
            answer = answers.answer_of(
                answers.reshaped(answers.reply_of(done), fault, source.random), fault, source.random
            )
        else:
            removal, answer = None, done
            fault = None if fault in _RESHAPING else fault
        if fault in _ANSWERED_BY_PROXY:
            answer = answers.faulty_page(fault, source.faults, now_s)
        elif fault is Fault.GARBAGE_BODY:
            answer = answers.garbage(answer, source.random)
        return _Outcome(answer, fault, removal)

    async def _deliver(self, request: web.BaseRequest, outcome: _Outcome) -> web.StreamResponse:
        answer, fault, _ = outcome
        response = web.Response(
            status=answer.status,
            body=answer.body,
            content_type=answer.content_type,
            headers=(*answer.headers, STAND_IN),
        )
        # nginx reads no further on a connection whose request line it could not.
        if self._is_last_on_connection(request) or answer.status == HTTPStatus.REQUEST_URI_TOO_LONG:
            response.force_close()
        if fault is Fault.STALLED_AFTER:
            await self._clock.sleep(self._source.faults.stall_s)
        elif fault in REFUSED_LATE:
            await self._clock.sleep(self._source.faults.refused_late_s)
        elif fault is Fault.GARBAGE_WIRE and request.transport is not None:
            request.transport.write(_TLS_ALERT)
        elif fault is Fault.CUT_SHORT:
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


def _first_half(asked: Asked) -> Asked:
    """Return a request for the first half of the numbers, the greater one."""
    numbers = asked.query.numbers
    return replace(asked, query=replace(asked.query, numbers=numbers[: (len(numbers) + 1) // 2]))


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
        whole=connected and not silent and fault is not Fault.CUT_SHORT,
        request_id=asked.request_id,
        fault="" if fault is None else fault.value,
        acted=removal is not None,
        asked=asked.query.numbers,
        dropped=asked.query.dropped,
        removed=removal.removed if removal else _NOTHING,
        in_call=removal.in_call if removal else _NOTHING,
        through_additional=removal.through_additional if removal else _NOTHING,
    )
