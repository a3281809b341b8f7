"""What is typed at the terminal, and signals that come just as something begins to wait."""

import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def signal_socket() -> Iterator[socket.socket]:
    """Give a socket from which a byte can be read for each signal. Enter it in the main thread.

    Python's handlers run between two steps of Python: what is already past the last one before a system call that
    waits would wait on, unless it waits for this socket, too.
    """
    ours, pythons = socket.socketpair()
    with ours, pythons:
        ours.settimeout(0.0)
        pythons.settimeout(0.0)  # not blocking, as set_wakeup_fd demands
        # A signal may end this at any step, and a closed socket's number may be the next file's.
        before = signal.set_wakeup_fd(-1)
        try:
            signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
            yield ours
        finally:
            signal.set_wakeup_fd(before)


def forget_typed() -> None:
    """Throw away what was typed at the terminal before a question was shown: it is the answer to nothing."""
    if sys.platform != "win32":
        import termios  # noqa: PLC0415 - POSIX alone has it

        with suppress(termios.error):  # the terminal is gone: so is what was typed
            termios.tcflush(sys.stdin, termios.TCIFLUSH)


def typed_line() -> str:
    """Return the line that is typed at the terminal; a signal is handled while nothing is typed yet."""
    if sys.platform != "win32":  # where select takes no terminal, and reading one returns at Ctrl-C
        with signal_socket() as woken:
            while sys.stdin not in select.select([sys.stdin, woken], [], [])[0]:
                woken.recv(1024)
    return sys.stdin.readline()
