"""The only module that does HTTP. Each DELETE is sent once, and the result is always a Reply or a Fault.

aiohttp sends an idempotent request again by itself if a kept connection breaks. Our middleware runs for every send and
turns each failure into an exception of our own, which aiohttp does not catch. So nothing is sent twice. No exception of
aiohttp leaves this module, because its text may contain the URL with the numbers, or the credentials.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Literal, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl
from aiohttp import hdrs

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
"""A server sends this header to say that it is not Thulium. `simulate` does."""
Departure = Callable[[], Awaitable[bool]]
"""Waits until a request may be sent. Returns False if it must not be sent any more."""
Arrival = Callable[[], None]
"""Called when status and headers of a reply are here. The time of the body does not depend on the server's work."""

KEEPALIVE_S = 3.0
"""Idle connections are closed before the server closes them: Apache does after 5 s (KeepAliveTimeout)."""
BODY_MAX_BYTES = 8 * 1024 * 1024
"""About forty times the size of the reply to a full request. A larger reply is an attack or an accident."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Parameters of the connection. `base_url` is the address of the system, without user and query.

    Timeouts in seconds. `proxy` (`http://host:port`, the scheme is optional) overrides HTTPS_PROXY. `ca_file` adds a CA
    to trust. `password` is never shown. `proxy` is not shown either, because it may contain a password.
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
    """An exception that aiohttp does not catch, so that it does not send again."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


@dataclass(frozen=True, slots=True, repr=False)
class _Route:
    """The proxy for the server, the headers of every request, and those that only a proxy asked for a tunnel gets.

    It is not shown, because it has credentials. They are not in the session's default headers: aiohttp would send them
    to the proxy unencrypted.
    """

    proxy: yarl.URL | None
    headers: Mapping[str, str]
    tunnel_headers: Mapping[str, str]


class Client:
    """An HTTP client, an async context manager. Raises UsageError for an impossible address of server or proxy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._route = _route(connection)

    async def __aenter__(self) -> Self:
        """Open the pool of connections. Raises UsageError if the CA file cannot be read."""
        connection, trace = self._connection, aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_depart)
        trace.on_connection_reuseconn.append(_depart)
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
            trace_configs=[trace],
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

        Times in the reply's headers are compared with its own date, or with `now_s` (Unix seconds) without one.
        `departure` is awaited on the open connection, right before the first byte. If it returns False, nothing is sent
        and the result is NOT_SENT. `arrival` is called when the head of the reply is here, before its body.
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
        """Send a read-only request and return the decoded JSON, or a fault."""
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
        # encoded=True keeps the query exactly as the chunker counted it.
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
        raise _Failed(fault)  # outside the except block, so that the error is not its context


async def _one_send(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once: any failure is raised as our own exception."""
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as error:
        fault = fault_of_exception(error)
    raise _Failed(fault)


async def _depart(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    """Await the departure of a request whose connection is open."""
    departure: Departure | None = context.trace_request_ctx
    if departure is not None and not await departure():
        raise _Failed(NOT_SENT)


def _headers(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    """Return the headers of a reply. Repeated headers are joined to one list (RFC 9110, 5.3)."""
    if len({*map(str.lower, response.headers)}) == len(response.headers):
        return response.headers
    headers = response.headers.copy()
    for name in {*headers}:
        headers[name] = ", ".join(response.headers.getall(name))
    return headers


async def _bounded_body(response: aiohttp.ClientResponse) -> bytes:
    """Read the decompressed body. A body over the limit counts as lost."""
    whole = response.content_length is not None and response.content_length <= BODY_MAX_BYTES
    if whole and hdrs.CONTENT_ENCODING not in response.headers:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > BODY_MAX_BYTES:
            response.close()
            raise _Failed(Fault(Effect.IN_DOUBT, "reply too large", "The reply was larger than any reply can be."))
    return bytes(body)


_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (
        aiohttp.ClientConnectorCertificateError,
        Fault(Effect.DENIED, "TLS", "The server's TLS certificate cannot be verified."),
    ),
    (
        aiohttp.ClientSSLError,
        Fault(Effect.DENIED, "TLS", "The server does not speak TLS, or none that can be agreed upon."),
    ),
    (
        aiohttp.ClientConnectorDNSError,
        Fault(Effect.UNTOUCHED, "DNS", "The name of the server or its proxy cannot be found."),
    ),
    (aiohttp.ClientProxyConnectionError, Fault(Effect.UNTOUCHED, "proxy", "The proxy cannot be reached.")),
    (
        aiohttp.ClientConnectorError,
        Fault(Effect.UNTOUCHED, "no connection", "The server cannot be reached or refuses connections."),
    ),
    (
        aiohttp.ConnectionTimeoutError,
        Fault(Effect.UNTOUCHED, "connect timeout", "No connection to the server came about in time."),
    ),
    (TimeoutError, Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")),
    (aiohttp.ClientPayloadError, Fault(Effect.IN_DOUBT, "reply cut short", "The reply broke off.")),
    (aiohttp.ClientResponseError, Fault(Effect.IN_DOUBT, "broken reply", "The reply was not HTTP.")),
)
"""Whether the server may have acted. The first matching row counts, so subclasses come before their parents."""

_CONNECTION_LOST = Fault(Effect.IN_DOUBT, CONNECTION_LOST, "The connection broke before the reply.")


def fault_of_exception(error: Exception) -> Fault:
    """Return the fault for an exception of aiohttp. One that is not in the table leaves the result in doubt."""
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), _CONNECTION_LOST)
    status = error.status  # of a proxy that refused the tunnel: the server was not reached
    if status == 407:  # noqa: PLR2004 - a proxy's 401
        return fault_of_status(status, b"", None)
    forbidden = 400 <= status < 500 and status not in {408, 429}  # noqa: PLR2004 - client errors
    sentence = phrase("The proxy does not connect us to the server (HTTP {http_status}).", http_status=status)
    return Fault(Effect.DENIED if forbidden else Effect.UNTOUCHED, "proxy", sentence, status)


def _tls(ca_file: str) -> ssl.SSLContext | Literal[True]:
    """Return the TLS context, which always verifies. A CA file is trusted in addition to the system's CAs.

    Without a CA file (True) aiohttp uses the context that it made on import, which saves 20 ms.
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
    """Return how a server is reached.

    The proxy is the setting, else the environment's HTTPS_PROXY (unless NO_PROXY matches). HTTP_PROXY is never used:
    plain http goes only to this machine, else the password would be sent unencrypted. Raises UsageError.
    """
    server = _address(connection.base_url, "--url")
    headers = {"Authorization": aiohttp.encode_basic_auth(connection.user, connection.password)}
    text = connection.proxy
    if not text and server.scheme == "https" and not proxy_bypass(f"{server.host}:{server.port}"):
        text = getproxies().get("https", "")
    if not text:
        return _Route(None, headers, {})
    proxy = _address(text if "://" in text else f"http://{text}", phrase("The proxy (--proxy or HTTPS_PROXY)"))
    if ":" in (proxy.user or ""):
        raise UsageError("The user of the proxy holds a colon, which HTTP Basic does not allow.", "Check --proxy.")
    if proxy.user is None:
        return _Route(proxy, headers, {})
    # aiohttp would encode the login in Latin-1.
    login = {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")}
    proxy = proxy.with_user(None)
    return _Route(proxy, headers, login) if server.scheme == "https" else _Route(proxy, headers | login, {})


def _address(text: str, what: str) -> yarl.URL:
    """Parse an address. Raises UsageError, without the address, because it may contain a password."""
    try:
        address = yarl.URL(text)
        # The resolver encodes the host like this. An empty or too long label raises UnicodeError, a ValueError.
        possible = address.scheme in {"http", "https"} and bool((address.host or "").encode("idna"))
    except ValueError:
        possible = False
    if not possible:
        raise UsageError(phrase("{what} is not an http(s) address.", what=what), "Write it like https://host:port.")
    return address
