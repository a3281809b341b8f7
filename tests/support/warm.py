"""Processes that begin with everything imported: forked off a server that did so once.

To start Python and to import the command's modules costs more than most tests do. These are processes like any other,
with descriptors, signals and an end of their own; only what Python does before the command's first line is not done
again. POSIX alone has them.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MODULE = "bulk_remove"


class Warm:
    """A process of the real command, handled as `subprocess.Popen` is: pid, poll, wait, send_signal, kill.

    It executes the code `before` first. With `at_terminal` it leads a session of its own, and standard input is the
    terminal that controls it.
    """

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        descriptors: tuple[int, int, int],
        *,
        cwd: str | Path = "",
        before: str = "",
        at_terminal: bool = False,
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.support.imported"])
        handed = (_Handed(descriptors), [*words], {**env}, str(cwd or Path.cwd()), before, at_terminal)
        self._process = context.Process(target=_become, args=handed, name=" ".join(words)[:40])
        self._process.start()
        self._words = words

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code once it ended: a signal's number with a minus where one killed it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, at most so many seconds; return the exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs.

        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._words, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait()


class _Handed:
    """Standard input, output and error of a process to be: they go with it when it is started."""

    def __init__(self, descriptors: tuple[int, int, int]) -> None:
        self._descriptors = descriptors

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, tuple(map(DupFd, self._descriptors))


def _taken(*descriptors: Any) -> tuple[int, ...]:
    return tuple(one.detach() for one in descriptors)


def _become(
    descriptors: tuple[int, int, int], words: list[str], env: dict[str, str], cwd: str, before: str, at_terminal: bool
) -> None:
    """Be the command: with its own descriptors, environment, folder and words."""
    for standard, given in enumerate(descriptors):
        os.dup2(given, standard)
        os.close(given)
    if at_terminal:
        import fcntl  # noqa: PLC0415 - POSIX alone has it
        import termios  # noqa: PLC0415 - likewise

        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for standard, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        errors = "backslashreplace" if name == "stderr" else "strict"
        buffering = 1 if mode == "w" and (name == "stderr" or os.isatty(standard)) else -1
        stream = open(standard, mode, buffering, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    sys.argv = [_MODULE, *words]
    try:
        exec(before, {})  # noqa: S102 - a test's own code
        runpy.run_module(_MODULE, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
