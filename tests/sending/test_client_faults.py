import socket
import sys
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.errors import UsageError
from bulk_remove.sending import client as client_module
from bulk_remove.sending.client import BODY_MAX_BYTES, Client, Connection, fault_of_exception
from bulk_remove.simulator import api as simulated
from bulk_remove.simulator.api import Faults
from bulk_remove.simulator.server import running
from tests.support.mocked_replies import add_reply
from tests.support.one_removal import removed, world
from tests.support.raw_server import LOOPBACK, SILENCE, After, Answer, answering, closed_port, http

MISSING_NAME = "no-such-system.invalid"
BOMB_BYTES = 128 * 1024 * 1024


def told(reply: Reply | Fault) -> tuple[Effect, str]:
    """The two things of a fault that the rest of the program acts on."""
    assert isinstance(reply, Fault)
    return reply.effect, reply.kind


@pytest.mark.parametrize(
    ("fault", "effect", "kind"),
    [
        (simulated.SimulatedFault.DROPPED_BEFORE, Effect.IN_DOUBT, "connection lost"),
        (simulated.SimulatedFault.DROPPED_AFTER, Effect.IN_DOUBT, "connection lost"),
        (simulated.SimulatedFault.STALLED_AFTER, Effect.IN_DOUBT, "timeout"),
        (simulated.SimulatedFault.CUT_SHORT, Effect.IN_DOUBT, "reply cut short"),
        (simulated.SimulatedFault.GARBAGE_WIRE, Effect.IN_DOUBT, "broken reply"),
        (simulated.SimulatedFault.GARBAGE_BODY, Effect.IN_DOUBT, "unreadable reply"),
        (simulated.SimulatedFault.HTML_BEFORE, Effect.IN_DOUBT, "unreadable reply"),
        (simulated.SimulatedFault.HTML_AFTER, Effect.IN_DOUBT, "unreadable reply"),
        (simulated.SimulatedFault.UNAVAILABLE, Effect.UNTOUCHED, "HTTP 503"),
        (simulated.SimulatedFault.ERROR_500_AFTER, Effect.IN_DOUBT, "HTTP 500"),
        (simulated.SimulatedFault.ERROR_502_AFTER, Effect.IN_DOUBT, "HTTP 502"),
        (simulated.SimulatedFault.ERROR_504_AFTER, Effect.IN_DOUBT, "HTTP 504"),
    ],
)
async def test_a_server_that_fails_is_told_by_what_it_may_have_done(
    fault: simulated.SimulatedFault, effect: Effect, kind: str
) -> None:
    async with running(world(), Faults(script=(fault,))) as server:
        timeout_s = 0.2 if fault is simulated.SimulatedFault.STALLED_AFTER else 10.0
        assert told(await removed(server.url, timeout_s=timeout_s)) == (effect, kind)
        assert server.seen == Counter(DELETE=1)


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", "connection lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "reply cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "reply cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "broken reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip.", "reply cut short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "broken reply"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "broken reply"),
        (b"SSH-2.0-OpenSSH\r\n", "broken reply"),
        (b"<html>502 Bad Gateway</html>\r\n\r\n", "broken reply"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "HTTP 204"),
        (b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n", "HTTP 999"),
    ],
    ids=[
        "half a head",
        "half a body",
        "half a chunk",
        "no chunk",
        "no gzip",
        "two lengths",
        "endless header",
        "another protocol",
        "no head",
        "no content",
        "no such status",
    ],
)
async def test_whatever_is_on_the_wire_leaves_doubt(wire: bytes, kind: str) -> None:
    async with answering(Answer(wire, After.CLOSED)) as raw:
        assert told(await removed(f"http://127.0.0.1:{raw.port}")) == (Effect.IN_DOUBT, kind)
        assert len(raw.heads) == 1


async def test_a_reset_connection_leaves_doubt() -> None:
    async with answering(Answer(b"", After.RESET)) as raw:
        assert told(await removed(f"http://127.0.0.1:{raw.port}")) == (Effect.IN_DOUBT, "connection lost")


@pytest.mark.parametrize("answer", [SILENCE, Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")])
async def test_an_answer_that_does_not_come_in_time_leaves_doubt(answer: Answer) -> None:
    async with answering(answer) as raw:
        assert told(await removed(f"http://127.0.0.1:{raw.port}", timeout_s=0.1)) == (Effect.IN_DOUBT, "timeout")
        assert len(raw.heads) == 1


async def test_a_refused_connection_touches_nothing() -> None:
    assert told(await removed(f"http://127.0.0.1:{closed_port()}")) == (Effect.UNTOUCHED, "no connection")


async def test_a_name_that_cannot_be_found_touches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def nobody(host: str, *_: Any, **__: Any) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert told(await removed(f"https://{MISSING_NAME}")) == (Effect.UNTOUCHED, "DNS")
    assert asked == [MISSING_NAME]


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "", "[::"])
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_sent(host: str) -> None:
    with pytest.raises(UsageError, match="url is not"):
        Client(Connection(f"https://{host}", "demo", "secret", 1, 1.0, 1.0))


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: further ones are neither accepted nor refused."""
    with closing(socket.socket()) as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.settimeout(0.0)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses, or holds more than was asked for")
async def test_a_connection_that_does_not_come_about_in_time_touches_nothing() -> None:
    with deaf_port() as port:
        reply = await removed(f"http://127.0.0.1:{port}", connect_timeout_s=0.1)
    assert told(reply) == (Effect.UNTOUCHED, "connect timeout")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with answering(http()) as elsewhere:
        to = f"http://127.0.0.1:{elsewhere.port}/login"
        faults = Faults(script=(simulated.SimulatedFault.REDIRECTED,), redirect_status=status, redirect_to=to)
        async with running(world(), faults) as server:
            assert told(await removed(server.url)) == (Effect.DENIED, f"HTTP {status}")
            assert server.seen == Counter(DELETE=1)
        assert elsewhere.connections == 0


async def test_a_reply_is_read_up_to_the_limit_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"441":[{"status":"NOT_EXIST"}]}'
    async with answering(http(body)) as raw:
        monkeypatch.setattr(client_module, "BODY_MAX_BYTES", len(body))
        assert isinstance(await removed(f"http://127.0.0.1:{raw.port}"), Reply)
        monkeypatch.setattr(client_module, "BODY_MAX_BYTES", len(body) - 1)
        assert told(await removed(f"http://127.0.0.1:{raw.port}")) == (Effect.IN_DOUBT, "reply too large")


def endless(compressed: bool) -> Answer:
    """A reply far larger than the limit: as it is, or compressed to a thousandth of that."""
    if not compressed:
        return http(b" " * (BODY_MAX_BYTES * 4))
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    mebibyte = b" " * 2**20
    pieces = [packer.compress(mebibyte) for _ in range(BOMB_BYTES // 2**20)]
    return http(b"".join([*pieces, packer.flush()]), "Content-Encoding: gzip")


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip bomb"])
async def test_a_huge_reply_leaves_doubt_and_memory_alone(compressed: bool) -> None:
    async with answering(endless(compressed)) as raw:
        tracemalloc.start()
        try:
            reply = await removed(f"http://127.0.0.1:{raw.port}")
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert told(reply) == (Effect.IN_DOUBT, "reply too large")
    assert peak_bytes < BODY_MAX_BYTES * 2


DOUBT = (Effect.IN_DOUBT, "connection lost")
BROKEN = (Effect.IN_DOUBT, "broken reply")
OUT_OF_REACH = (Effect.UNTOUCHED, "no connection")
NO_TLS = (Effect.DENIED, "TLS")
EXCEPTIONS = {
    "ClientConnectionError": DOUBT,
    "ClientConnectionResetError": DOUBT,
    "ClientConnectorCertificateError": NO_TLS,
    "ClientConnectorDNSError": (Effect.UNTOUCHED, "DNS"),
    "ClientConnectorError": OUT_OF_REACH,
    "ClientConnectorSSLError": NO_TLS,
    "ClientError": DOUBT,
    "ClientHttpProxyError": (Effect.UNTOUCHED, "proxy"),
    "ClientOSError": DOUBT,
    "ClientPayloadError": (Effect.IN_DOUBT, "reply cut short"),
    "ClientProxyConnectionError": (Effect.UNTOUCHED, "proxy"),
    "ClientResponseError": BROKEN,
    "ClientSSLError": NO_TLS,
    "ConnectionTimeoutError": (Effect.UNTOUCHED, "connect timeout"),
    "ContentTypeError": BROKEN,
    "InvalidURL": DOUBT,
    "InvalidUrlClientError": DOUBT,
    "InvalidUrlRedirectClientError": DOUBT,
    "NonHttpUrlClientError": DOUBT,
    "NonHttpUrlRedirectClientError": DOUBT,
    "RedirectClientError": DOUBT,
    "ServerConnectionError": DOUBT,
    "ServerDisconnectedError": DOUBT,
    "ServerFingerprintMismatch": DOUBT,
    "ServerTimeoutError": (Effect.IN_DOUBT, "timeout"),
    "SocketTimeoutError": (Effect.IN_DOUBT, "timeout"),
    "TooManyRedirects": BROKEN,
    "UnixClientConnectorError": OUT_OF_REACH,
    "UploadAbortedError": DOUBT,
    "WSServerHandshakeError": BROKEN,
}
"""What is expected of each class of aiohttp's. One that cannot come about here (of redirects, say) leaves doubt."""


def kinds_below(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from kinds_below(child)


KINDS = {kind.__name__: kind for kind in kinds_below(aiohttp.ClientError) if kind.__module__.startswith("aiohttp.")}


def bare(kind: type[Exception]) -> Exception:
    """An exception of that class; only the classes count, and what a proxy said."""
    error = kind.__new__(kind)
    if isinstance(error, aiohttp.ClientResponseError):
        error.status = 502
    return error


def test_every_exception_of_aiohttp_has_been_considered() -> None:
    exported = {name for name, kind in vars(aiohttp).items() if isinstance(kind, type) and kind in KINDS.values()}
    assert exported <= set(KINDS)
    assert set(KINDS) == set(EXCEPTIONS)


@pytest.mark.parametrize(("name", "expected"), EXCEPTIONS.items(), ids=EXCEPTIONS)
async def test_every_exception_of_aiohttp_ends_as_its_fault(name: str, expected: tuple[Effect, str]) -> None:
    with aioresponses() as mock:
        add_reply(mock, "DELETE", exception=bare(KINDS[name]))
        assert told(await removed("https://system.invalid")) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), (Effect.IN_DOUBT, "timeout")),
        (ConnectionResetError(), DOUBT),
        (OSError(), DOUBT),
        (ValueError(), DOUBT),
    ],
    ids=repr,
)
def test_an_exception_of_python_that_tells_nothing_leaves_doubt(error: Exception, expected: tuple[Effect, str]) -> None:
    assert told(fault_of_exception(error)) == expected
