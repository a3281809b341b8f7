import asyncio
import logging
import traceback
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_remove import __version__
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import NEW
from bulk_remove.core.model import Alike, Brackets, Chunk
from bulk_remove.core.replies import Fault, Reply
from bulk_remove.sending.client import Client, Connection, _Failed
from tests.support.loopback_proxy import proxying
from tests.support.one_removal import CHUNK, SHAPE, connection
from tests.support.raw_server import SILENCE, After, Answer, answering, certified, closed_port, http

USER, PASSWORD = "api-user", "hasło: pa55-w0rd"
LOGIN = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
PROXY_LOGIN = "proxy-user:proxy-pa55"
NUMBERS = ("48601234555", "+48601234556")
SECRETS = (
    PASSWORD,
    "pa55",
    LOGIN,
    b64encode(PROXY_LOGIN.encode()).decode(),
    "48601234555",
    "48601234556",
    "/api/batch",
)


def secret_connection(url: str, proxy: str = "") -> Connection:
    return Connection(url, USER, PASSWORD, 1, 0.1, 0.2, proxy=proxy)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that it carries about, whether shown or not."""
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        yield from chain(error.__context__)


def everything_said(error: BaseException) -> str:
    each = [f"{link}\n{link!r}\n{''.join(traceback.format_exception(link))}" for link in chain(error)]
    return "\n".join(each)


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


async def failure(client: Client) -> _Failed:
    """What goes around inside of the client when a request fails."""
    async with client:
        with pytest.raises(_Failed) as caught:
            await client._request("DELETE", SHAPE.target(NUMBERS))
    return caught.value


ANSWERS = {
    "dropped": Answer(b"", After.CLOSED),
    "reset": Answer(b"", After.RESET),
    "silence": SILENCE,
    "cut short": Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", After.CLOSED),
    "not HTTP": Answer(b"SSH-2.0-OpenSSH\r\n", After.CLOSED),
    "bad chunk": Answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", After.CLOSED),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_no_failure_after_sending_carries_a_secret(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().set_debug(True)
    caplog.set_level(logging.DEBUG)
    async with answering(answer) as raw:
        failed = await failure(Client(secret_connection(f"http://127.0.0.1:{raw.port}")))
    assert "_Failed" in everything_said(failed)
    assert list(chain(failed)) == [failed]
    assert secrets_in(everything_said(failed) + repr(failed.fault)) == []
    assert caplog.records
    assert secrets_in(caplog.text) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_failure_to_connect_carries_a_secret(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().set_debug(True)
    caplog.set_level(logging.DEBUG)
    refused = await failure(Client(secret_connection(f"{scheme}://127.0.0.1:{closed_port()}")))
    async with answering(SILENCE, tls=certified("loopback")) as raw:
        failed = await failure(Client(secret_connection(f"https://127.0.0.1:{raw.port}")))
    assert secrets_in(everything_said(refused) + everything_said(failed)) == []
    assert caplog.records
    assert secrets_in(caplog.text) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_failure_of_a_proxy_carries_a_secret(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().set_debug(True)
    caplog.set_level(logging.DEBUG)
    server = f"{scheme}://127.0.0.1:{closed_port()}"
    unreachable = await failure(
        Client(secret_connection(server, f"http://{PROXY_LOGIN}@127.0.0.1:{closed_port()}")),
    )
    async with proxying(refusal="407 Proxy Authentication Required") as proxy:
        client = Client(secret_connection(server, f"http://{PROXY_LOGIN}@127.0.0.1:{proxy.port}"))
        async with client:
            fault = await client.delete(CHUNK, SHAPE, 0.0)
    assert secrets_in(everything_said(unreachable) + repr(fault)) == []
    assert caplog.records
    assert secrets_in(caplog.text) == []


async def test_an_answered_request_logs_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().slow_callback_duration = 60.0  # a slow machine is no part of this
    caplog.set_level(logging.DEBUG)
    chunk = Chunk(1, "00001", NUMBERS, range(2), Alike.of([NEW, NEW]), first=True)
    async with answering(http()) as raw, Client(secret_connection(f"http://127.0.0.1:{raw.port}")) as client:
        assert isinstance(await client.delete(chunk, SHAPE, 0.0), Reply)
    assert caplog.records
    assert secrets_in(caplog.text) == []


async def test_a_request_that_is_called_off_carries_no_secret() -> None:
    async with answering(SILENCE) as raw, Client(secret_connection(f"http://127.0.0.1:{raw.port}")) as client:
        request = asyncio.ensure_future(client._request("DELETE", SHAPE.target(NUMBERS)))
        await raw.request()
        request.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await request
    assert secrets_in(everything_said(caught.value)) == []


def test_what_is_printed_of_a_connection_holds_no_secret() -> None:
    hidden = secret_connection("https://system.invalid", f"http://{PROXY_LOGIN}@proxy:3128")
    assert secrets_in(f"{hidden}{hidden!r}{Client(hidden)!r}{vars(Client(hidden))}") == []
    assert "system.invalid" in repr(hidden)


def header(head: str, name: str) -> list[str]:
    """All values of a header as it was sent."""
    lines = [line.partition(": ") for line in head.split("\r\n")]
    return [value for key, _, value in lines if key.lower() == name.lower()]


async def test_the_headers_say_who_asks_for_what() -> None:
    async with answering(http()) as raw, Client(secret_connection(f"http://127.0.0.1:{raw.port}")) as client:
        await client.delete(CHUNK, SHAPE, 0.0)
        await client.get("/api/outbounds/stats", 0.0)
        for head in raw.heads:
            assert header(head, "Authorization") == [f"Basic {LOGIN}"]
            assert header(head, "Accept") == ["application/json"]
            assert header(head, "Accept-Encoding") == ["gzip, deflate"]
            assert header(head, "User-Agent") == [f"bulk-remove/{__version__}"]
            assert header(head, "Host") == [f"127.0.0.1:{raw.port}"]


async def test_cookies_are_not_sent_back() -> None:
    # Not 127.0.0.1: aiohttp keeps no cookies of an address, so nothing could be sent back.
    async with answering(http(b"{}", "Set-Cookie: session=1; Path=/")) as raw:
        async with Client(connection(f"http://localhost:{raw.port}")) as client:
            for _ in range(2):
                assert isinstance(await client.delete(CHUNK, SHAPE, 0.0), Reply)
        assert [header(head, "Cookie") for head in raw.heads] == [[], []]


async def test_netrc_is_not_consulted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n", encoding="ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with answering(http()) as raw, Client(secret_connection(f"http://127.0.0.1:{raw.port}")) as client:
        assert not isinstance(await client.delete(CHUNK, SHAPE, 0.0), Fault)
        assert header(raw.heads[0], "Authorization") == [f"Basic {LOGIN}"]


@pytest.mark.parametrize("brackets", Brackets)
@pytest.mark.parametrize("trailing_slash", [False, True], ids=["no slash", "slash"])
async def test_the_request_line_is_what_the_chunker_counted(brackets: Brackets, trailing_slash: bool) -> None:
    shape = RequestShape("00001", "/under/a%20path", brackets, trailing_slash)
    chunk = Chunk(1, "00001", ("441", "+48601234556"), range(2), Alike.of([NEW, NEW]), first=True)
    async with answering(http()) as raw, Client(connection(f"http://127.0.0.1:{raw.port}")) as client:
        await client.delete(chunk, shape, 0.0)
        line = raw.heads[0].partition("\r\n")[0]
    key = "phone_number[]=" if brackets is Brackets.RAW else "phone_number%5B%5D="
    slash = "/" if trailing_slash else ""
    path = f"/under/a%20path/api/batch/outbounds/00001/records{slash}"
    assert line == f"DELETE {path}?{key}441&{key}%2B48601234556 HTTP/1.1"
    assert len(line) == shape.line_bytes(*chunk.numbers)
