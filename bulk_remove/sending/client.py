"""The one place that speaks HTTP: one DELETE is one request on the wire, and every end of it is a Reply or a Fault.

aiohttp sends an idempotent request again by itself when a kept connection breaks. A middleware runs for every send;
ours turns each failure into an exception of our own, which aiohttp does not catch, so nothing is ever sent twice.
No exception of aiohttp leaves this module: their texts hold the URL, which holds the numbers, or the credentials.

The clocks and the dice are here, too: everything that differs from run to run. Nothing that a session waits for or adds
up depends on the machine's clock, which may be set while it lasts: `now_us` goes on only while the machine is awake,
`wall_s` also while it sleeps. Only `time_of_day_s` can jump.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Literal, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl

from bulk_remove import __version__
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.model import Chunk
from bulk_remove.core.replies import (
    CONNECTION_LOST,
    NOT_SENT,
    WITH_VERDICTS,
    Document,
    Effect,
    Fault,
    Reply,
    fault_of_status,
    parse_date,
    read_quota,
    read_reply,
    read_retry_after,
)
from bulk_remove.core.verdicts import json_of
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

USER_AGENT = f"bulk-remove/{__version__}"
STAND_IN = "X-Stand-In"
"""The header of a server that is not Thulium and says so; `simulate` sends it."""
Departure = Callable[[], Awaitable[bool]]
"""Waits until a request may go; False when it may not any more."""
Arrival = Callable[[], None]
"""Is told when the status and the headers of a reply are here: how long the body takes says nothing of the work."""

KEEPALIVE_S = 3.0
"""Idle connections are dropped before the server drops them: Apache does after 5 s (KeepAliveTimeout)."""
BODY_MAX_BYTES = 8 * 1024 * 1024
"""Some forty times the reply to a full request; more than that is no reply but an attack or an accident."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How the server is reached. `base_url` has no path beyond the system's own, no user, no query.

    Timeouts in seconds. `proxy` (`http://host:port`, the scheme may be left out) overrides HTTPS_PROXY; `ca_file`
    adds a CA to trust. `password` is never shown, nor is `proxy`, which may hold one.
    """

    base_url: str
    user: str
    password: str = field(repr=False)
    concurrency: int
    connect_timeout_s: float
    timeout_s: float
    ca_file: str = ""
    proxy: str = field(default="", repr=False)


class _Failed(Exception):  # noqa: N818 - carries a fault out of aiohttp's retry loop
    """Our own, so that aiohttp neither catches it nor sends again."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


@dataclass(frozen=True, slots=True, repr=False)
class _Route:
    """The way to the server: through which proxy, and who is shown which credentials.

    `headers` go with every request, `tunnel_headers` to a proxy alone, when it is asked for a tunnel. What the session
    holds as its default headers goes to both: aiohttp would hand the server's password to the proxy, in the open.
    """

    proxy: yarl.URL | None
    headers: Mapping[str, str]
    tunnel_headers: Mapping[str, str]


class Client:
    """An open client; an async context manager. Raises UsageError when the address or the proxy's cannot be."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._route = _route(connection)

    async def __aenter__(self) -> Self:
        """Open the pool of connections. Raises UsageError when the CA file cannot be read."""
        connection = self._connection
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connection.concurrency, keepalive_timeout=KEEPALIVE_S, ssl=_tls(connection.ca_file)
            ),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": USER_AGENT,
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_one_send,),
            trace_configs=[_departures()],
            timeout=aiohttp.ClientTimeout(total=connection.timeout_s, connect=connection.connect_timeout_s),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def delete(
        self,
        chunk: Chunk,
        shape: RequestShape,
        now_s: float,
        departure: Departure | None = None,
        arrival: Arrival | None = None,
    ) -> Reply | Fault:
        """Send one DELETE for a chunk, once.

        `now_s` (Unix seconds) is what moments in the reply's headers are held against where it has no date of its own.
        `departure` is awaited when the connection stands and the next thing is the first byte; when it says no, nothing
        is sent and NOT_SENT returned. `arrival` is called when the head of the reply is here, before its body.
        """
        try:
            status, headers, body = await self._request("DELETE", shape.target(chunk.numbers), departure, arrival)
        except _Failed as failed:
            return failed.fault
        answer = (
            read_reply(body, chunk.numbers, shape.region, status)
            if status in WITH_VERDICTS
            else fault_of_status(status, body, read_retry_after(headers, now_s))
        )
        quota = read_quota(headers, now_s)
        return replace(answer, quota=quota) if quota else answer

    async def get(self, target: str, now_s: float) -> Document | Fault:
        """Ask a read-only call; returns the decoded JSON."""
        try:
            status, headers, body = await self._request("GET", target)
        except _Failed as failed:
            return failed.fault
        if status != 200:  # noqa: PLR2004 - the documented one
            return fault_of_status(status, body, read_retry_after(headers, now_s))
        try:
            return Document(json_of(body)[0], parse_date(headers.get("Date")), STAND_IN in headers)
        except ValueError:
            return Fault(
                Effect.UNTOUCHED, "unreadable reply", "The server's reply is not JSON: is the address right?", 200
            )

    async def _request(
        self, method: str, target: str, departure: Departure | None = None, arrival: Arrival | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        # encoded=True: the query stays, byte for byte, what the chunker counted.
        url = yarl.URL(f"{self._connection.base_url}{target}", encoded=True)
        try:
            async with self._session.request(
                method,
                url,
                headers=self._route.headers,
                allow_redirects=False,
                proxy=self._route.proxy,
                proxy_headers=self._route.tunnel_headers,
                trace_request_ctx=departure,
            ) as response:
                if arrival is not None:
                    arrival()
                return response.status, _headers(response), await _bounded_body(response)
        except (aiohttp.ClientError, OSError) as error:
            fault = fault_of_exception(error)
        raise _Failed(fault)  # out here, so that it does not carry the error about as its context


async def _one_send(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Let a request leave once: whatever fails here is raised as our own exception."""
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as error:
        fault = fault_of_exception(error)
    raise _Failed(fault)


def _departures() -> aiohttp.TraceConfig:
    """Have each request ask for its departure once its connection stands, however long that took."""

    async def depart(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        departure: Departure | None = context.trace_request_ctx
        if departure is not None and not await departure():
            raise _Failed(NOT_SENT)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(depart)
    trace.on_connection_reuseconn.append(depart)
    return trace


def _headers(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    """Return the headers of a reply; of each that came several times the values as one list (RFC 9110, 5.3)."""
    if len({*map(str.lower, response.headers)}) == len(response.headers):
        return response.headers
    headers = response.headers.copy()
    for name in {*headers}:
        headers[name] = ", ".join(response.headers.getall(name))
    return headers


async def _bounded_body(response: aiohttp.ClientResponse) -> bytes:
    """Read the body, decompressed, up to the limit. Past it the reply counts as lost."""
    body = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > BODY_MAX_BYTES:
            response.close()
            raise _Failed(Fault(Effect.IN_DOUBT, "reply too large", "The reply was larger than any reply can be."))
    return bytes(body)


_FAULTS: tuple[tuple[tuple[type[Exception], ...], Fault], ...] = (
    (
        (aiohttp.ClientConnectorCertificateError,),
        Fault(Effect.DENIED, "TLS", "The server's TLS certificate cannot be verified."),
    ),
    (
        (aiohttp.ClientSSLError,),
        Fault(Effect.DENIED, "TLS", "The server does not speak TLS, or none that can be agreed upon."),
    ),
    (
        (aiohttp.ClientConnectorDNSError,),
        Fault(Effect.UNTOUCHED, "DNS", "The name of the server or its proxy cannot be found."),
    ),
    ((aiohttp.ClientProxyConnectionError,), Fault(Effect.UNTOUCHED, "proxy", "The proxy cannot be reached.")),
    (
        (aiohttp.ClientConnectorError,),
        Fault(Effect.UNTOUCHED, "no connection", "The server cannot be reached or refuses connections."),
    ),
    (
        (aiohttp.ConnectionTimeoutError,),
        Fault(Effect.UNTOUCHED, "connect timeout", "No connection to the server came about in time."),
    ),
    ((TimeoutError,), Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")),
    ((aiohttp.ClientPayloadError,), Fault(Effect.IN_DOUBT, "reply cut short", "The reply broke off.")),
    ((aiohttp.ClientResponseError,), Fault(Effect.IN_DOUBT, "broken reply", "The reply was not HTTP.")),
)
"""Could the server have acted? The first row that fits counts, so subclasses stand before their parents."""

_CONNECTION_LOST = Fault(Effect.IN_DOUBT, CONNECTION_LOST, "The connection broke before the reply.")


def fault_of_exception(error: Exception) -> Fault:
    """Say what an exception of aiohttp means; one that is not in the table leaves doubt."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _fault_of_proxy(error.status)
    return next((fault for kinds, fault in _FAULTS if isinstance(error, kinds)), _CONNECTION_LOST)


def _fault_of_proxy(http_status: int) -> Fault:
    """Say what it means that the proxy gave no tunnel: the server was not reached."""
    if http_status == 407:  # noqa: PLR2004 - a proxy's 401
        return fault_of_status(http_status, b"", None)
    forbidden = 400 <= http_status < 500 and http_status not in {408, 429}  # noqa: PLR2004 - the client's faults
    effect = Effect.DENIED if forbidden else Effect.UNTOUCHED
    return Fault(
        effect,
        "proxy",
        phrase("The proxy does not connect us to the server (HTTP {http_status}).", http_status=http_status),
        http_status,
    )


def _tls(ca_file: str) -> ssl.SSLContext | Literal[True]:
    """Verify always; with a CA file, trust it besides the system's own.

    Without one aiohttp's own context will do, which it makes when it is imported: to load the system's certificates
    once more takes 20 ms.
    """
    if not ca_file:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:  # ssl.SSLError is one
        reason = phrase("there is no certificate in it") if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(
            phrase("The CA file {ca_file} cannot be read: {reason}.", ca_file=ca_file, reason=reason),
            "Give a PEM file with --ca-file.",
        ) from None
    return context


def _route(connection: Connection) -> _Route:
    """Find the way to the server. Raises UsageError when an address cannot be one."""
    server = _address(connection.base_url, "--url")
    headers = {"Authorization": aiohttp.encode_basic_auth(connection.user, connection.password)}
    proxy = _proxy_for(connection, server)
    if proxy is None or proxy.user is None:
        return _Route(proxy, headers, {})
    # Not left to aiohttp, which knows Latin-1 only.
    login = {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")}
    if server.scheme == "https":
        return _Route(proxy.with_user(None), headers, login)
    return _Route(proxy.with_user(None), headers | login, {})


def _proxy_for(connection: Connection, server: yarl.URL) -> yarl.URL | None:
    """Return the proxy to use: the setting, else the environment's HTTPS_PROXY (NO_PROXY honoured), else none.

    HTTP_PROXY is never used: plain http stays on this machine, or the password would travel in the open.
    """
    text = connection.proxy
    if not text and server.scheme == "https" and not proxy_bypass(f"{server.host}:{server.port}"):
        text = getproxies().get("https", "")
    if not text:
        return None
    proxy = _address(text if "://" in text else f"http://{text}", phrase("The proxy (--proxy or HTTPS_PROXY)"))
    if ":" in (proxy.user or ""):
        raise UsageError("The user of the proxy holds a colon, which HTTP Basic does not allow.", "Check --proxy.")
    return proxy


def _address(text: str, what: str) -> yarl.URL:
    """Read an address. Raises UsageError, which does not show it: it may hold a password."""
    try:
        address = yarl.URL(text)
        # As the resolver will: it fails with a UnicodeError, a ValueError, where a label is empty or too long.
        possible = address.scheme in {"http", "https"} and bool((address.host or "").encode("idna"))
    except ValueError:
        possible = False
    if not possible:
        raise UsageError(phrase("{what} is not an http(s) address.", what=what), "Write it like https://host:port.")
    return address


# Linux's monotonic clock stands still while the machine sleeps, macOS's goes on; Windows has none of this name.
_GOES_ON_ASLEEP: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def elapsed_s() -> float:
    """Return seconds since some moment, by a clock that nobody can set and that goes on while the machine sleeps."""
    return time.monotonic() if _GOES_ON_ASLEEP is None else time.clock_gettime(_GOES_ON_ASLEEP)


class SystemClock:
    """The clocks of one session, which begins when this is made. `now_us` needs a running event loop."""

    def __init__(self, time_of_day: Callable[[], float] = time.time, elapsed: Callable[[], float] = elapsed_s) -> None:
        self._random = random.Random()  # noqa: S311 - jitter guards nothing
        self._time_of_day = time_of_day
        self._elapsed = elapsed
        self._ahead_s = time_of_day() - elapsed()

    def now_us(self) -> int:
        """Return the event loop's monotonic time in microseconds."""
        return int(asyncio.get_running_loop().time() * 1_000_000)

    def wall_s(self) -> float:
        """Return the time of day as the session began plus what went by since, Unix seconds. It never goes back."""
        return self._ahead_s + self._elapsed()

    def time_of_day_s(self) -> float:
        """Return what the machine's clock says just now, Unix seconds. It jumps when the clock is set."""
        return self._time_of_day()

    def draw(self) -> float:
        """Return a random float in [0, 1)."""
        return self._random.random()
