import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.errors import UsageError
from bulk_remove.sending.client import Client
from tests.support.one_removal import connection, removed
from tests.support.raw_server import CERTIFICATES, LOOPBACK, SILENCE, answering, certified, http

TRUSTED = str(CERTIFICATES / "ca.crt")


async def test_a_server_certified_by_the_ca_file_is_trusted() -> None:
    async with answering(http(), tls=certified("loopback")) as raw:
        assert isinstance(await removed(f"https://127.0.0.1:{raw.port}", ca_file=TRUSTED), Reply)
        assert len(raw.heads) == 1


@pytest.mark.parametrize(
    ("certificate", "ca_file"), [("loopback", ""), ("elsewhere", TRUSTED)], ids=["unknown CA", "another host's"]
)
async def test_a_server_whose_certificate_does_not_hold_is_told_nothing(certificate: str, ca_file: str) -> None:
    async with answering(http(), tls=certified(certificate)) as raw:
        reply = await removed(f"https://127.0.0.1:{raw.port}", ca_file=ca_file)
        assert raw.heads == []
    assert reply == Fault(Effect.DENIED, "TLS", "The server's TLS certificate cannot be verified.")


@asynccontextmanager
async def blurting(wire: bytes) -> AsyncIterator[int]:
    """A server that says some bytes to whoever connects, and hangs up; its port."""

    async def blurt(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(blurt, LOOPBACK, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_server_that_speaks_no_tls_ends_the_run() -> None:
    async with blurting(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        reply = await removed(f"https://127.0.0.1:{port}")
    assert reply == Fault(Effect.DENIED, "TLS", "The server does not speak TLS, or none that can be agreed upon.")


async def test_a_server_that_hangs_up_during_the_handshake_was_not_touched() -> None:
    async with blurting(b"") as port:
        reply = await removed(f"https://127.0.0.1:{port}")
    assert isinstance(reply, Fault)
    assert (reply.effect, reply.kind) == (Effect.UNTOUCHED, "no connection")


async def test_a_handshake_that_takes_too_long_is_a_connection_that_did_not_come_about() -> None:
    async with answering(SILENCE) as raw:
        reply = await removed(f"https://127.0.0.1:{raw.port}", connect_timeout_s=0.1)
        assert raw.heads == []
    assert isinstance(reply, Fault)
    assert (reply.effect, reply.kind) == (Effect.UNTOUCHED, "connect timeout")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("", "there is no certificate in it"),
        ("not PEM", "there is no certificate in it"),
    ],
    ids=["missing", "empty", "no PEM"],
)
async def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None, reason: str) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content, encoding="ascii")
    with pytest.raises(UsageError) as caught:
        await Client(connection("https://127.0.0.1", ca_file=str(ca_file))).__aenter__()
    assert caught.value.sentence == f"The CA file {ca_file} cannot be read: {reason}."
