"""A server that answers at once, for benchmarks: `python -m tests.benchmarks.answering` prints its port and serves.

It removes every number that it is asked for, as the API documents it, and does nothing else that costs time, so that
what is measured is the client. `GET /told` says what it was asked since the last time it told, and begins anew.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, cast
from urllib.request import ProxyHandler, build_opener

import numpy as np

LOOPBACK = "127.0.0.1"
_KEYS = b"phone_number[]=", b"phone_number%5B%5D="
_ENTRY = b'"%b":[{"http_status":200,"record_id":%d,"status":"REMOVED"}]'
_RECORDS = 100_000_000
_END = b"\r\n\r\n"


class Told(NamedTuple):
    """What the server was asked: `distinct` of the `numbers` are different.

    `first_delete_s` is when the first DELETE came, on the system's monotonic clock; None when none did. `cpu_s` is what
    answering took the server.
    """

    requests: int
    numbers: int
    distinct: int
    first_delete_s: float | None
    cpu_s: float


class Books:
    """What was asked. The numbers of each request are kept as they came, and only counted when it tells."""

    def __init__(self) -> None:
        self._record_id = 1
        self._forms: dict[int, bytes] = {}
        self._begin()

    def _begin(self) -> None:
        self._asked: list[bytes] = []
        self._first_delete_s: float | None = None
        self._began_cpu_s = time.process_time()

    def removed(self, query: bytes) -> bytes:
        """Return the reply to a DELETE: every number has one record, with an id of its own, and it is removed."""
        if self._first_delete_s is None:
            self._first_delete_s = time.monotonic()
        key = next(key for key in _KEYS if query.startswith(key))
        numbers = query.replace(key, b"").split(b"&")
        self._asked.append(b",".join(numbers))
        many = len(numbers)
        facts: list[bytes | int] = [0] * (2 * many)
        facts[::2] = numbers
        facts[1::2] = range(self._record_id, self._record_id + many)
        self._record_id += many
        if many not in self._forms:
            self._forms[many] = b"{" + b",".join([_ENTRY] * many) + b"}"
        return self._forms[many] % tuple(facts)

    def told(self) -> bytes:
        """Return a Told as JSON, and begin anew."""
        cpu_s = time.process_time() - self._began_cpu_s
        asked = [np.fromstring(numbers.decode(), dtype=np.int64, sep=",") for numbers in self._asked]
        numbers = np.concatenate([np.empty(0, dtype=np.int64), *asked])
        distinct = len(np.unique(numbers))
        told = Told(len(self._asked), len(numbers), distinct, self._first_delete_s, cpu_s)
        self._begin()
        return json.dumps(told).encode()


class Answering(asyncio.Protocol):
    """One connection. Requests that come together are answered together, in their order."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole; none has a body."""
        *heads, self._held = (self._held + data).split(_END)
        if heads:
            self._transport.write(b"".join([self._reply(head.split(b" ", 2)) for head in heads]))

    def _reply(self, line: list[bytes]) -> bytes:
        method, target = line[:2]
        path, _, query = target.partition(b"?")
        status = b"200 OK"
        if method == b"DELETE":
            body = self._books.removed(query)
        elif path == b"/told":
            body = self._books.told()
        elif path.endswith(b"/records"):
            body = b'{"count":%d,"result":[]}' % _RECORDS
        elif path == b"/api/outbounds/stats":
            body = b'[{"id":"00001","records_count":%d,"completion_percent":0}]' % _RECORDS
        else:
            status, body = b"404 Not Found", b'{"request_id":"0","errors":[]}'
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return head % (status, len(body)) + body


async def serve() -> None:
    """Serve on a free port of loopback until the standard input ends."""
    books = Books()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(books), LOOPBACK, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str

    def told(self) -> Told:
        """Return what it was asked since this was last called."""
        with build_opener(ProxyHandler({})).open(f"{self.url}/told") as reply:
            return Told(*json.load(reply))


@contextmanager
def answering() -> Iterator[Server]:
    """Start a server as a process of its own, so that its CPU is not the client's."""
    command = (sys.executable, "-m", "tests.benchmarks.answering")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip() if process.stdout else ""
        try:
            yield Server(f"http://{LOOPBACK}:{port}")
        finally:
            process.communicate()  # the end of its input ends it


if __name__ == "__main__":
    asyncio.run(serve())
