"""Ctrl-C, SIGTERM and SIGHUP: once stops safely, twice at once. Nothing is claimed that the ledger could not prove.

before the approval      the command ends, and nothing is left behind (`terminable`)
approved, not sending    the command ends; `resume` goes on (`stop_truthfully`)
asked after the canary   the run ends safely (`ask_until_signal`)
while sending            once: requests under way are finished; twice: the command ends (`stop_on_signals`)
report being written     once: a notice, and the run's own exit code; twice: the command ends (`keep_report`)

A terminal that closes may send SIGHUP several times, so that one never counts twice. Where it was ignored from the
start, as under nohup, it stays ignored.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING

from bulk_remove.core.summary import Ending
from bulk_remove.errors import ExitCode, StoppedError
from bulk_remove.language import phrase

if TYPE_CHECKING:
    import asyncio

_ENDINGS = {signal.SIGINT: Ending.INTERRUPTED, signal.SIGTERM: Ending.TERMINATED}
if sys.platform != "win32":
    _ENDINGS[signal.SIGHUP] = Ending.HUNG_UP


_Handler = Callable[[int, FrameType | None], None]


class Signalled(KeyboardInterrupt):
    """Another signal, raised as Ctrl-C is, so that everything is left as cleanly."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


def _number_of(stop: BaseException) -> signal.Signals:
    return stop.number if isinstance(stop, Signalled) else signal.SIGINT


def exit_of(stop: BaseException) -> ExitCode:
    """Return the exit code of a command that one of the signals ended."""
    return _exit_for(_number_of(stop))


def _exit_for(number: int) -> ExitCode:
    return ExitCode(128 + number)  # as a shell has it


def _raise(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt if number == signal.SIGINT else Signalled(number)


_HUNG_UP = Event()


def _once(handler: _Handler) -> _Handler:
    """Return the handler for SIGHUP, of which only the first one counts."""

    def heed(number: int, frame: FrameType | None) -> None:
        if not _HUNG_UP.is_set():
            _HUNG_UP.set()
            handler(number, frame)

    return heed


@contextmanager
def _handlers(by: Mapping[signal.Signals, _Handler]) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _ENDINGS}
    try:
        for number, handler in by.items():
            if _ENDINGS[number] is not Ending.HUNG_UP:
                signal.signal(number, handler)
            elif before[number] is not signal.SIG_IGN:
                signal.signal(number, _once(handler))
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Signalled at what else ends a command; Ctrl-C raises KeyboardInterrupt by itself. For the main thread."""
    with _handlers(dict.fromkeys(_ENDINGS.keys() - {signal.SIGINT}, _raise)):
        yield


def ask_until_signal(ask: Callable[[], bool]) -> Ending:
    """Ask whether to go on while nothing is under way; signals are answers, too. DONE means to go on."""
    try:
        with _handlers(dict.fromkeys(_ENDINGS, _raise)):
            return Ending.DONE if ask() else Ending.GUARD
    except KeyboardInterrupt as stop:
        return _ENDINGS[_number_of(stop)]


@contextmanager
def restore_handlers() -> Iterator[None]:
    """Give back the handlers of before, where several runs follow one another in one command."""
    with _handlers({}):
        yield


@contextmanager
def stop_truthfully(run_id: str, approved: Callable[[], bool]) -> Iterator[None]:
    """Turn signals into StoppedError, unless the run's plan is not `approved` yet.

    At the end they are ignored: there is nothing left to stop, and what ends the command must not be disturbed.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if not approved():
            raise
        raise StoppedError(
            "Stopped: the verdicts so far are in the ledger.",
            phrase("`bulk-remove resume {run_id}` goes on from there and writes the report.", run_id=run_id),
            exit_of(stop),
        ) from None
    finally:
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def keep_report(notice: Callable[[ExitCode], None]) -> Iterator[Callable[[], None]]:
    """Give a function; from its call on, the first signal brings only a notice, so that the report is completed.

    The run's exit code then stays its own, since everything asked for was done; `notice` is given the signal's. Any
    other signal raises KeyboardInterrupt (or Signalled) at once.
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

    with _handlers(dict.fromkeys(_ENDINGS, handle)):
        yield spare


@contextmanager
def _wake_on_signals(loop: "asyncio.AbstractEventLoop") -> Iterator[None]:
    """Let a signal wake the loop even when it comes just as the loop begins to wait."""
    from bulk_remove.console.keys import signal_socket  # noqa: PLC0415 - --help answers at once

    with ExitStack() as stack:
        woken = stack.enter_context(signal_socket())
        try:
            loop.add_reader(woken, woken.recv, 1024)
        except NotImplementedError:  # Windows, whose loop is woken by every signal, by a socket of its own
            stack.close()
            yield
            return
        stack.callback(loop.remove_reader, woken)
        yield


@contextmanager
def stop_on_signals(stop: Callable[[Ending], None], notice: Callable[[], None]) -> Iterator[None]:
    """Turn the first signal into a call of `stop`, with a notice to the operator, and the second into StoppedError.

    Enter it in the main thread, inside the task to be stopped. Plain signal handlers, because event loops on Windows
    have no others, and because between the loop's own and the command's there would be a moment with none.
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
        with _wake_on_signals(loop), _handlers(dict.fromkeys(_ENDINGS, handle)):
            yield
    except asyncio.CancelledError:
        if len(received) < 2:  # noqa: PLR2004 - not the second signal: somebody else cancelled the task
            raise
        raise StoppedError(
            "Stopped at once: requests under way were left without an answer.",
            "Their numbers may or may not be gone; the ledger knows which they are.",
            _exit_for(received[0]),
        ) from None
