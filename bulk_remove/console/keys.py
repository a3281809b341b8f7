r"""Reads single keys at the terminal while the program works, without Enter and without echo.

Meanwhile the terminal is in another mode: no lines, no echo, the usual signals (what `stty cbreak -echo` does). The old
mode is restored at the end, and before Ctrl-Z or Ctrl-\ take effect. While the command is in the background, nothing is
read and no mode is changed: that would stop it (SIGTTIN, SIGTTOU), or take keys meant for another program.

Whole lines are read here, too. A signal is handled even if it comes just before the wait for input.
"""

import asyncio
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape, glob
from pathlib import Path
from types import FrameType

from rich.console import Console

_LOOK_EVERY_S = 0.5  # how often to check whether the command is in the foreground: no signal reports this reliably

_SHOW_CURSOR, _HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"  # DEC private mode 25, as Rich's live display uses it


@contextmanager
def typed_keys(console: Console, on_keys: Callable[[str], None]) -> Iterator[bool]:
    """Call `on_keys` with the keys typed at standard input; yields whether keys can be read."""
    terminal = None if sys.stdin is None or not (sys.stdin.isatty() and console.is_terminal) else sys.stdin.fileno()
    if sys.platform == "win32" or terminal is None or _group_in_front(terminal) is None:
        yield False
        return
    keyboard = _Keyboard(terminal, console, on_keys)
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGQUIT)}
    try:
        for number in (number for number, handler in before.items() if handler is not signal.SIG_IGN):
            signal.signal(number, keyboard.ended_by)
        keyboard.look()
        yield True
    finally:
        keyboard.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _group_in_front(terminal: int) -> int | None:
    """Return the process group in the terminal's foreground; None if the terminal is not ours, or gone."""
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return None


class _Keyboard:
    """The terminal, in use while the command is in its foreground."""

    def __init__(self, terminal: int, console: Console, on_keys: Callable[[str], None]) -> None:
        self._terminal = terminal
        self._console = console
        self._on_keys = on_keys
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._taken = False
        self._mode_before: list[int | list[bytes | int]] | None = None

    @property
    def _in_front(self) -> bool:
        return _group_in_front(self._terminal) == os.getpgrp()

    def look(self) -> None:
        """Use the terminal if this command is in its foreground, else leave it untouched; check again soon."""
        if self._in_front:
            self._take()
        elif self._taken:
            self._loop.remove_reader(self._terminal)
            self._taken = False
        self._timer = self._loop.call_later(_LOOK_EVERY_S, self.look)

    def close(self) -> None:
        """Restore the terminal."""
        if self._timer is not None:
            self._timer.cancel()
        self._give_back()

    def ended_by(self, number: int, _: FrameType | None) -> None:
        """Restore the terminal, let a signal take effect, and use the terminal again if the command continues."""
        handler = signal.getsignal(number)
        self._give_back()
        self._write(_SHOW_CURSOR)
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), number)  # to this thread, so that it takes effect here
        signal.signal(number, handler)
        if self._in_front:
            self._write(_HIDE_CURSOR)
            self._take()

    def _write(self, code: bytes) -> None:
        """Write without Rich: a signal may interrupt its printing, and it would hold back the text."""
        with suppress(OSError):
            os.write(self._console.file.fileno(), code)

    def _take(self) -> None:
        import termios  # noqa: PLC0415 - only on POSIX

        with suppress(termios.error):  # the terminal is gone, and so are its keys
            mode = termios.tcgetattr(self._terminal)
            if mode[3] & termios.ICANON:  # not in use yet, or a shell has restored it meanwhile
                self._mode_before = [*mode[:6], [*mode[6]]]
                mode[3] &= ~(termios.ICANON | termios.ECHO)
                mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._terminal, termios.TCSANOW, mode)
            if not self._taken:
                self._loop.add_reader(self._terminal, self._read)
                self._taken = True

    def _give_back(self) -> None:
        import termios  # noqa: PLC0415 - only on POSIX

        if self._taken:
            self._loop.remove_reader(self._terminal)
        if self._taken and self._mode_before is not None and self._in_front:
            with suppress(termios.error):
                # A key pressed too late must not answer the next question.
                termios.tcflush(self._terminal, termios.TCIFLUSH)
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._mode_before)
        self._taken = False

    def _read(self) -> None:
        typed = b""
        if self._in_front:  # if not, these are the keys of another command
            with suppress(OSError):  # the terminal is gone; the signal for that may be ignored
                typed = os.read(self._terminal, 64)
        if typed:
            self._on_keys(typed.decode("ascii", "replace"))
        else:
            self._loop.remove_reader(self._terminal)
            self._taken = False


@contextmanager
def signal_socket() -> Iterator[socket.socket]:
    """Yield a socket with a byte to read for each signal. Enter it in the main thread."""
    ours, pythons = socket.socketpair()
    with ours, pythons:
        ours.settimeout(0.0)
        pythons.settimeout(0.0)  # not blocking, as set_wakeup_fd requires
        # A signal may end this at any step, and the next file may get the number of a closed socket.
        before = signal.set_wakeup_fd(-1)
        try:
            signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
            yield ours
        finally:
            signal.set_wakeup_fd(before)


def forget_typed() -> None:
    """Discard keys typed before a question was shown: they answer nothing."""
    if sys.platform != "win32":
        import termios  # noqa: PLC0415 - only on POSIX

        with suppress(termios.error):  # the terminal is gone, and so are its keys
            termios.tcflush(sys.stdin, termios.TCIFLUSH)


def typed_line() -> str:
    """Return the line that is typed at the terminal; signals are handled while nothing is typed yet."""
    if sys.platform != "win32":  # there, select accepts no terminal, and Ctrl-C ends the reading
        with signal_socket() as woken:
            while sys.stdin not in select.select([sys.stdin, woken], [], [])[0]:
                woken.recv(1024)
    return sys.stdin.readline()


def typed_answer(prompt: str, *, paths: bool = False) -> str:
    """Show a prompt and return the line that is typed; with `paths` Tab completes files. Raises EOFError."""
    forget_typed()
    try:
        with _completing(paths=paths):
            return input(prompt).strip()
    except (EOFError, KeyboardInterrupt):
        sys.stdout.write("\n")  # what follows begins a line
        raise


@contextmanager
def _completing(*, paths: bool) -> Iterator[None]:
    """Let Tab complete files, or nothing, while a line is typed."""
    try:
        import readline  # noqa: PLC0415 - Windows has none
    except ImportError:
        yield
        return
    before = readline.get_completer(), readline.get_completer_delims()
    readline.set_auto_history(False)
    readline.set_completer(_file_like if paths else lambda _text, _state: None)
    readline.set_completer_delims("\n")  # a path may contain blanks
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before[0])
        readline.set_completer_delims(before[1])


def _file_like(text: str, state: int) -> str | None:
    """Return the path of this place in the list of those that begin with the text; folders end with a slash."""
    begin = str(Path(text).expanduser()) + ("/" if text.endswith("/") else "") if text.startswith("~") else text
    found = sorted(glob(f"{escape(begin)}*"))  # noqa: PTH207 - it begins with what was typed
    paths = [f"{path}/" if Path(path).is_dir() else path for path in found]
    return paths[state] if state < len(paths) else None
