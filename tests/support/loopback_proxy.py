"""A forward proxy on loopback: plain requests go on with a relative target, CONNECT opens a tunnel."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.raw_server import reset

LOOPBACK = "127.0.0.1"
CUT, RESET = "cut", "reset"
_TARGET = re.compile(r"(\S+) (?:http://)?([^/: ]+):(\d+)(\S*) ")


class LoopbackProxy:
    """`heads` are the requests as they came.

    `refusal` is a status line said to all of them, `login` (`user:password`) what it wants to be shown first. What
    becomes of a request line that would go on longer than `longest_line` is `too_long`: CUT, RESET, or a status line.
    """

    def __init__(self, login: str, refusal: str, longest_line: int, too_long: str) -> None:
        self._wanted = "Proxy-Authorization: Basic " + b64encode(login.encode()).decode() if login else ""
        self._refusal = refusal
        self._longest_line, self._too_long = longest_line, too_long
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
            if self._longest_line:
                head, refusal = self._limited(head)
            if refusal == RESET:
                reset(writer)
            elif refusal:
                writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            else:
                await self._pass_on(head, reader, writer)
        writer.close()

    def _limited(self, head: str) -> tuple[str, str]:
        """Return a head that is short enough, or what is said to one that is not."""
        found = _TARGET.match(head)
        assert found, head
        method, *_, path = found.groups()
        room = self._longest_line - len(f"{method}  HTTP/1.1")
        if len(path) > room and self._too_long != CUT:
            return head, self._too_long
        # One request a connection: the next one must come by here, too.
        rest = head[found.end() :].replace("\r\n", "\r\nConnection: close\r\n", 1)
        return f"{head[: found.start(4)]}{path[:room]} {rest}", ""

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
async def proxying(
    login: str = "", refusal: str = "", longest_line: int = 0, too_long: str = CUT
) -> AsyncIterator[LoopbackProxy]:
    """A proxy that listens."""
    proxy = LoopbackProxy(login, refusal, longest_line, too_long)
    server = await asyncio.start_server(proxy.serve, LOOPBACK, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
