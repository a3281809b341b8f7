"""The real command at a pseudo-terminal."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from select import select

from tests.support.processes import COMMAND, environment

KEYS = {"\x03": signal.SIGINT, "\x1c": signal.SIGTERM}
"""What is sent as a signal instead of being typed."""


def at_a_terminal(
    words: Sequence[str | Path], *exchanges: tuple[str, str], env: dict[str, str] | None = None
) -> tuple[str, int]:
    """Run the command at a pseudo-terminal and answer each (prompt, what is typed) in turn.

    Returns what it showed and its exit code. POSIX alone has pseudo-terminals.
    """
    import pty  # noqa: PLC0415 - see above

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, words)],
        env={**(env or environment()), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            shown = _talked(process, ours, [*exchanges])
            return shown, process.wait(30)
        finally:
            process.kill()  # or leaving Popen's block would wait for ever
            os.close(ours)


def _talked(process: subprocess.Popen[bytes], ours: int, waiting: list[tuple[str, str]]) -> str:
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
