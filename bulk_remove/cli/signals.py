"""Ctrl-C, SIGTERM and SIGHUP: the first stops safely, the second at once. Messages claim only what the ledger proves.

before the approval      the command ends, and nothing is left behind (`terminable`)
approved, not sending    the command ends; `resume` continues the run (`stop_truthfully`)
asked after the canary   the run ends safely (`ask_until_signal`)
while sending            first: requests under way are finished; second: the command ends (`stop_on_signals`)
report being written     first: a notice, the exit code stays; second: the command ends (`keep_report`)

A closing terminal may send SIGHUP several times, so it counts only once. If it was ignored at the start, as under
nohup, it stays ignored.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PureWindowsPath
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Any

from bulk_remove.core.summary import Ending
from bulk_remove.errors import ExitCode, StoppedError
from bulk_remove.language import phrase

if TYPE_CHECKING:
    import asyncio

_ENDINGS = {signal.SIGINT: Ending.INTERRUPTED, signal.SIGTERM: Ending.TERMINATED}
if sys.platform != "win32":
    _ENDINGS[signal.SIGHUP] = Ending.HUNG_UP


_MOST_PROCESSES = 16


def opened_by_double_click() -> bool:
    """Return whether Windows opened this console only for this program: it closes when the program ends."""
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - nothing else needs it

        return is_alone(ctypes.windll.kernel32)
    return False


def is_alone(kernel: Any) -> bool:
    """Return whether all processes of the console are this one and its launchers; a shell would be there, too.

    An installed command is started by its own .exe, and that of a virtual environment starts the real Python.
    """
    from ctypes import c_uint32  # noqa: PLC0415 - only on Windows

    ids = (c_uint32 * _MOST_PROCESSES)()
    count = kernel.GetConsoleProcessList(ids, _MOST_PROCESSES)
    names = (sys.executable, getattr(sys, "_base_executable", ""), sys.argv[0], "py")
    own = {PureWindowsPath(name).stem.lower() for name in names}
    return 0 < count <= _MOST_PROCESSES and all(
        number == os.getpid() or _program(kernel, number) in own for number in ids[:count]
    )


def _program(kernel: Any, number: int) -> str:
    """Return the name of a process's program without its ending; empty if Windows does not say."""
    from ctypes import byref, c_uint32, c_void_p, create_unicode_buffer  # noqa: PLC0415 - only on Windows

    kernel.OpenProcess.restype = c_void_p
    process = c_void_p(kernel.OpenProcess(_LIMITED_INFORMATION, 0, number))
    if not process.value:
        return ""
    path, length = create_unicode_buffer(_LONGEST_PATH), c_uint32(_LONGEST_PATH)
    known = kernel.QueryFullProcessImageNameW(process, 0, path, byref(length))
    kernel.CloseHandle(process)
    return PureWindowsPath(path.value).stem.lower() if known else ""


_LIMITED_INFORMATION = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
_LONGEST_PATH = 32_768

_Handler = Callable[[int, FrameType | None], None]


class Signalled(KeyboardInterrupt):
    """A signal other than Ctrl-C, raised as a KeyboardInterrupt so that the cleanup is the same."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


def exit_of(stop: BaseException) -> ExitCode:
    """Return the exit code for the signal behind this exception."""
    return _exit_for(stop.number if isinstance(stop, Signalled) else signal.SIGINT)


def _exit_for(number: int) -> ExitCode:
    return ExitCode(128 + number)  # the convention of shells


def _raise(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt if number == signal.SIGINT else Signalled(number)


_HUNG_UP = Event()


@contextmanager
def _handlers(handle: _Handler, *numbers: signal.Signals) -> Iterator[None]:
    """Let `handle` react to these signals, but to SIGHUP only once in the process; restore all handlers at the end."""

    def hang_up(number: int, frame: FrameType | None) -> None:
        if not _HUNG_UP.is_set():
            _HUNG_UP.set()
            handle(number, frame)

    before = {number: signal.getsignal(number) for number in _ENDINGS}
    try:
        for number in numbers:
            if _ENDINGS[number] is not Ending.HUNG_UP:
                signal.signal(number, handle)
            elif before[number] is not signal.SIG_IGN:
                signal.signal(number, hang_up)
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Signalled for SIGTERM and SIGHUP; Ctrl-C already raises KeyboardInterrupt. For the main thread."""
    with _handlers(_raise, *(_ENDINGS.keys() - {signal.SIGINT})):
        yield


def ask_until_signal(ask: Callable[[], bool]) -> Ending:
    """Ask whether to continue, while no request is under way; return DONE to continue. A signal is an answer, too."""
    try:
        with _handlers(_raise, *_ENDINGS):
            return Ending.DONE if ask() else Ending.GUARD
    except KeyboardInterrupt as stop:
        return _ENDINGS[stop.number if isinstance(stop, Signalled) else signal.SIGINT]


@contextmanager
def restore_handlers() -> Iterator[None]:
    """Restore the signal handlers at the end, between several runs in one command."""
    with _handlers(_raise):
        yield


@contextmanager
def stop_truthfully(run_id: str, approved: Callable[[], bool]) -> Iterator[None]:
    """Turn signals into StoppedError once the run's plan is `approved`; before that they are raised unchanged.

    At the end signals are ignored: there is nothing left to stop, and the last steps must not be interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if not approved():
            raise
        raise StoppedError(
            "Stopped: the verdicts so far are in the ledger.",
            phrase("Run `bulk-remove resume {run_id}` to continue and write the report.", run_id=run_id),
            exit_of(stop),
        ) from None
    finally:
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def keep_report(notice: Callable[[ExitCode], None]) -> Iterator[Callable[[], None]]:
    """Give a function that protects the report: after its call, the first signal only calls `notice`.

    `notice` gets the signal's exit code; the run keeps its own, because all its work is done. Any other signal raises
    KeyboardInterrupt (or Signalled) at once.
    """
    spared = False

    def spare() -> None:
        nonlocal spared
        spared = True

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal spared
        if not spared:
            _raise(number, frame)
        spared = False
        notice(_exit_for(number))

    with _handlers(handle, *_ENDINGS):
        yield spare


@contextmanager
def _wake_on_signals(loop: "asyncio.AbstractEventLoop") -> Iterator[None]:
    """Let a signal wake the event loop, even if it arrives just as the loop begins to wait."""
    from bulk_remove.console.keys import signal_socket  # noqa: PLC0415 - --help answers at once

    with ExitStack() as stack:
        woken = stack.enter_context(signal_socket())
        try:
            loop.add_reader(woken, woken.recv, 1024)
        except NotImplementedError:  # on Windows, the loop has its own socket for this
            stack.close()
            yield
            return
        stack.callback(loop.remove_reader, woken)
        yield


@contextmanager
def stop_on_signals(stop: Callable[[Ending], None], notice: Callable[[], None]) -> Iterator[None]:
    """Call `notice` and `stop` at the first signal, and raise StoppedError at the second.

    Enter it in the main thread, inside the task to stop. It uses plain signal handlers: event loops on Windows have no
    others, and a change to the loop's own handlers would leave a moment without any.
    """
    import asyncio  # noqa: PLC0415 - --help answers at once

    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    received: list[signal.Signals] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        if len(received) == 1:
            loop.call_soon_threadsafe(notice)
            loop.call_soon_threadsafe(stop, _ENDINGS[received[0]])
        elif task is not None:
            loop.call_soon_threadsafe(task.cancel)

    try:
        with _wake_on_signals(loop), _handlers(handle, *_ENDINGS):
            yield
    except asyncio.CancelledError:
        if len(received) < 2:  # noqa: PLR2004 - without a second signal, something else cancelled the task
            raise
        raise StoppedError(
            "Stopped at once: requests under way were left without an answer.",
            "Their numbers may or may not be removed; the ledger lists them.",
            _exit_for(received[0]),
        ) from None
