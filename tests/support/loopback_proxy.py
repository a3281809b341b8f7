"""A forward proxy on loopback: plain requests go on with a relative target, CONNECT opens a tunnel."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

LOOPBACK = "127.0.0.1"
_TARGET = re.compile(r"(\S+) (?:http://)?([^/: ]+):(\d+)(\S*) ")


class LoopbackProxy:
    """`heads` are the requests as they came.

    `refusal` is a status line said to all of them, `login` (`user:password`) what it wants to be shown first.
    """

    def __init__(self, login: str, refusal: str) -> None:
        self._wanted = "Proxy-Authorization: Basic " + b64encode(login.encode()).decode() if login else ""
        self._refusal = refusal
        self._tasks: set[asyncio.Task[object]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._tasks.add(task)
        self._open.add(writer)
        with suppress(EOFError, OSError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            refusal = self._refusal or ("" if self._wanted in head else "407 Proxy Authentication Required")
            if refusal:
                writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            else:
                await self._pass_on(head, reader, writer)
        writer.close()

    async def _pass_on(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = _TARGET.match(head)
        assert found, head
        method, host, port, path = found.groups()
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        self._open.add(far_writer)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(f"{method} {path} {head[found.end() :]}".encode("latin-1"))
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))

    async def end(self) -> None:
        for writer in tuple(self._open):
            writer.transport.abort()
        await asyncio.gather(*self._tasks)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(64 * 1024):
            target.write(data)
            await target.drain()
    target.close()


@asynccontextmanager
async def proxying(login: str = "", refusal: str = "") -> AsyncIterator[LoopbackProxy]:
    """A proxy that listens."""
    proxy = LoopbackProxy(login, refusal)
    server = await asyncio.start_server(proxy.serve, LOOPBACK, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
