"""A client of bare sockets: it sends what it is told once, repeats nothing, and shows the wire as it was."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

import orjson
import pytest

from bulk_remove.simulator.api import Rules


class Listening(Protocol):
    url: str


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    wire: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def whole(self) -> bool:
        return self.status > 0 and len(self.body) == int(self.headers["content-length"])


async def _ask(
    server: Listening, target: str, method: str = "DELETE", *, auth: str = Rules().authorization, language: str = "en"
) -> Reply:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept-Language: {language}\r\n"
    writer.write(f"{head}Authorization: {auth}\r\n\r\n".encode())
    wire = await reader.read()
    writer.close()
    await writer.wait_closed()
    top, _, body = wire.partition(b"\r\n\r\n")
    status_line, *lines = top.decode("latin-1").split("\r\n")
    if not status_line.startswith("HTTP/1.1 "):
        return Reply(0, {}, b"", wire)
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Reply(int(status_line.split()[1]), headers, body, wire)


@pytest.fixture(name="ask")
def ask_fixture() -> Callable[..., Coroutine[Any, Any, Reply]]:
    return _ask
