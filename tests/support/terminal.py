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
        shown = ""
        waiting = [*exchanges]
        while True:
            assert select([ours], [], [], 60)[0], f"nothing more was shown after {shown!r}"
            try:
                piece = os.read(ours, 4096).decode(errors="replace")
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if waiting and waiting[0][0] in shown:
                _, typed = waiting.pop(0)
                if typed in KEYS:
                    process.send_signal(KEYS[typed])
                else:
                    os.write(ours, typed.encode())
        os.close(ours)
        return shown, process.wait(30)
