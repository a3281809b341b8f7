"""A server of bare sockets on loopback: it says the bytes that it is told to say, and keeps what it was sent."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

CERTIFICATES = Path(__file__).parent.parent / "sending" / "certificates"
LOOPBACK = "127.0.0.1"
_PIECE_BYTES = 64 * 1024
"""A huge answer is written piece by piece, so that this end of it takes no memory where a test measures it."""


class After(StrEnum):
    """What becomes of the connection after an answer."""

    KEPT = "kept"
    CLOSED = "closed"
    RESET = "reset"


class Answer(NamedTuple):
    """The bytes said to one request; none at all and `KEPT` is silence."""

    wire: bytes
    after: After = After.KEPT


SILENCE = Answer(b"")


def http(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> Answer:
    """Return a whole reply, after which the connection is kept."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return Answer("\r\n".join(lines).encode("latin-1") + body)


def certified(name: str) -> ssl.SSLContext:
    """Return the server's side of TLS with one of the certificates kept for tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.crt", CERTIFICATES / f"{name}.key")
    return context


class RawServer:
    """`heads` are the requests as they came; a request is answered once `gate` is set."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self._answers = answers
        self._tasks: set[asyncio.Task[object]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.heads: list[str] = []
        self.connections = 0
        self.most_at_once = 0
        self._heard = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()

    async def request(self) -> None:
        """Wait for one more request than was waited for so far."""
        await self._heard.acquire()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._tasks.add(task)
        self._open.add(writer)
        self.connections += 1
        self.most_at_once = max(self.most_at_once, len(self._open))
        with suppress(EOFError, OSError):  # the client may leave at any time
            while await self._answer(reader, writer) is After.KEPT:
                pass
        self._open.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> After:
        head = await reader.readuntil(b"\r\n\r\n")
        answer = self._answers[min(len(self.heads), len(self._answers) - 1)]
        self.heads.append(head.decode("latin-1"))
        self._heard.release()
        await self.gate.wait()
        for start in range(0, len(answer.wire), _PIECE_BYTES):
            writer.write(answer.wire[start : start + _PIECE_BYTES])
            await writer.drain()
        if answer.after is After.RESET:
            reset(writer)
        return answer.after

    async def end(self) -> None:
        self.gate.set()
        for writer in tuple(self._open):
            writer.transport.abort()
        await asyncio.gather(*self._tasks)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN."""
    held = writer.get_extra_info("socket")
    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def answering(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """A server that gives the n-th request the n-th answer, and the last one to all that follow."""
    raw = RawServer(answers)
    server = await asyncio.start_server(raw.serve, LOOPBACK, 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        await raw.end()


def closed_port() -> int:
    """Return a port of loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
