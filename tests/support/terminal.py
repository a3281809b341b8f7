"""The real command at a pseudo-terminal."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from select import select

from tests.support.processes import environment
from tests.support.warm import Warm

KEYS = {"\x03": signal.SIGINT, "\x1c": signal.SIGTERM, "SIGHUP": signal.SIGHUP}
"""What is sent as a signal instead of being typed."""


def at_a_terminal(
    words: Sequence[str | Path], *exchanges: tuple[str, str], env: dict[str, str] | None = None
) -> tuple[str, int]:
    """Run the command at a pseudo-terminal and answer each (prompt, what is typed) in turn.

    Returns what it showed and its exit code. POSIX alone has pseudo-terminals.
    """
    import pty  # noqa: PLC0415 - see above

    ours, theirs = pty.openpty()
    own = {**(env or environment()), "TERM": "xterm"}
    with Warm([*map(str, words)], own, (theirs, theirs, theirs), at_terminal=True) as process:
        os.close(theirs)
        try:
            shown = _talked(process, ours, [*exchanges])
            return shown, process.wait(30)
        finally:
            process.kill()  # or leaving Popen's block would wait for ever
            os.close(ours)


def _talked(process: Warm, ours: int, waiting: list[tuple[str, str]]) -> str:
    shown = ""
    while select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 4096).decode(errors="replace")
        except OSError:
            return shown
        if not piece:
            return shown
        shown += piece
        if waiting and waiting[0][0] in shown:
            _, typed = waiting.pop(0)
            if typed in KEYS:
                process.send_signal(KEYS[typed])
            else:
                os.write(ours, typed.encode())
    raise AssertionError(f"nothing more was shown after {shown!r}")


_CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes standard input the terminal that controls the process: it has a foreground then, and Ctrl-C is typed."""


class Sitting:
    """A process at a terminal of its own, and somebody who types there. Nothing is waited for without a deadline."""

    def __init__(self, process: subprocess.Popen[bytes] | Warm, ours: int) -> None:
        self.process = process
        self._ours = ours
        self._unread = ""
        self.shown = ""

    def type(self, text: str) -> None:
        """Type a text, keys that send signals included."""
        os.write(self._ours, text.encode(errors="surrogateescape"))

    def until(self, text: str, seconds: float = 30.0) -> None:
        """Wait until a text is shown, after what was waited for before."""
        deadline_s = time.monotonic() + seconds
        while text not in self._unread:
            assert self._read(deadline_s), f"{text!r} was not shown in {self.shown!r}"
        self._unread = self._unread.partition(text)[2]

    def ended(self, seconds: float = 30.0) -> int:
        """Wait for the end, and read what is shown until then; returns the exit code."""
        deadline_s = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, f"it does not end after {self.shown!r}"
            self._read(min(deadline_s, time.monotonic() + 0.1))
        while self._read(time.monotonic() + 0.1):
            pass
        return self.process.wait()

    def left_with(self, key: str) -> int:
        """Press a key until the process ends, as somebody does; returns the exit code.

        On a busy machine a signal may come after the prompt is shown and just before the process waits for a line.
        """
        for _ in range(10):
            self.type(key)
            with suppress(AssertionError):
                return self.ended(3.0)
        return self.ended()

    def close(self) -> None:
        """Close the terminal, as somebody does who closes its window."""
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), self._ours)

    def resize(self, columns: int, lines: int = 24) -> None:
        """Give the terminal another size."""
        import fcntl  # noqa: PLC0415 - POSIX alone has it
        import struct  # noqa: PLC0415 - likewise
        import termios  # noqa: PLC0415 - likewise

        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def takes_lines(self) -> bool:
        """Whether the terminal is as it was: it gathers whole lines and shows what is typed."""
        import termios  # noqa: PLC0415 - POSIX alone has it

        flags = termios.tcgetattr(self._ours)[3]
        lines, echo, signals = (bool(flags & flag) for flag in (termios.ICANON, termios.ECHO, termios.ISIG))
        assert signals
        assert lines == echo
        return lines

    def _read(self, deadline_s: float) -> str:
        if not select([self._ours], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
            return ""
        try:
            piece = os.read(self._ours, 4096).decode(errors="replace")
        except OSError:  # nobody holds its other end any more
            return ""
        self.shown += piece
        self._unread += piece
        return piece


def sitting(*words: str | Path, env: dict[str, str] | None = None, before: str = "") -> AbstractContextManager[Sitting]:
    """Start the command at a pseudo-terminal that controls it; `before` is executed first."""

    def start(own: dict[str, str], theirs: int) -> Warm:
        return Warm([*map(str, words)], own, (theirs, theirs, theirs), before=before, at_terminal=True)

    return _seated(start, env or {})


def sitting_in_a_shell(program: str, *words: str, env: dict[str, str]) -> AbstractContextManager[Sitting]:
    """Start any program at a pseudo-terminal that controls it."""

    def start(own: dict[str, str], theirs: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _CONTROLLED, program, *words]
        return subprocess.Popen(command, env=own, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)

    return _seated(start, env)


@contextmanager
def _seated(
    start: Callable[[dict[str, str], int], subprocess.Popen[bytes] | Warm], env: dict[str, str]
) -> Iterator[Sitting]:
    """Give a process at a terminal; whatever is left of its session is killed at the end."""
    import pty  # noqa: PLC0415 - POSIX alone has it

    wanted = {**environment(), "TERM": "xterm", **env}
    own = {name: value for name, value in wanted.items() if name not in {"COLUMNS", "LINES"}}  # the size is its own
    ours, theirs = pty.openpty()
    with start(own, theirs) as process:
        here = Sitting(process, ours)
        try:
            here.resize(100)
            yield here
        finally:
            for pid in _of_session(process.pid):  # a shell puts each command into a process group of its own
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.kill()  # or leaving Popen's block would wait for ever
            os.close(theirs)
            os.close(ours)


def _of_session(leader: int) -> list[int]:
    """Return the processes of a session, where the system tells (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            found += [int(stat.parent.name)] if int(after_name[3]) == leader else []
    return found
