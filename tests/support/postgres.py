"""A real PostgreSQL server in a temporary folder, on a free port of this machine and a socket of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from tests.support.raw_server import CERTIFICATES

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
INITDB = str(_PROGRAMS[-1]) if _PROGRAMS else shutil.which("initdb")
needs_postgres = pytest.mark.skipif(INITDB is None, reason="needs PostgreSQL: apt install postgresql")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Postgres:
    """One server. `url` is that of a database in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        # PostgreSQL refuses to be run by root.
        self._told: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._told = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        self._databases = count(1)
        if self._told:
            shutil.chown(folder, "nobody", "nogroup")
        for end in ("crt", "key"):  # PostgreSQL wants a key for its user alone
            own = shutil.copy(CERTIFICATES / f"loopback.{end}", folder)
            Path(own).chmod(0o600)
            if self._told:
                shutil.chown(own, "nobody", "nogroup")
        self._run("initdb", "-D", folder / "data", "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def _run(self, program: str, *words: str | Path) -> None:
        with (self.folder / "told").open("a+b") as told:
            self._told["stdout"] = self._told["stderr"] = told
            words = (str(Path(INITDB or program).parent / program), *words)
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL, cwd=self.folder, timeout=120, **self._told)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1,127.0.0.2 -c fsync=off"
        options += f" -c ssl=on -c ssl_cert_file={self.folder}/loopback.crt -c ssl_key_file={self.folder}/loopback.key"
        options += " -c shared_buffers=16MB"
        options += " -c log_statement=all -c log_min_duration_statement=0"
        self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: `immediate` is like a crash."""
        self._run("pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "stop")

    def url(self, database: str, port: int = 0) -> str:
        """Return the address of a database, by way of another port if that is given."""
        return f"postgresql://owner@127.0.0.1:{port or self.port}/{database}"

    def ask(self, url: str, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a question, as another program would ask it."""
        with psycopg.connect(url, autocommit=True) as database:
            found = database.execute(sql, values)
            return list(found.fetchall()) if found.description else []

    def database(self) -> str:
        """Make an empty database; returns its address."""
        name = f"test{next(self._databases)}"
        self.ask(self.url("postgres"), f"CREATE DATABASE {name}")
        return self.url(name)

    def log(self) -> str:
        """Return what it logged."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server while the context is entered."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # the path of a socket must be short
    server = Postgres(folder)
    server.start()
    try:
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(met: Any, seconds: float = 30.0) -> None:
    """Look again and again until something is so. Raises AssertionError when it is not so in time."""
    until_s = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until_s, "it did not come to that"
        time.sleep(0.01)


class Wire:
    """A way to a server that can be cut: then nothing comes through any more, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: list[socket.socket] = []
        self._whole = Event()
        self._whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Let nothing through."""
        self._whole.clear()

    def mend(self) -> None:
        """Let all through that waits, and what follows."""
        self._whole.set()

    def close(self) -> None:
        """End it."""
        self._whole.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for end in (self._listener, *self._open):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    Thread(target=self._pour, args=(source, target), daemon=True).start()

    def _pour(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._whole.wait()
                target.sendall(data)
        self._whole.wait()
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
