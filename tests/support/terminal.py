"""The real command at a pseudo-terminal."""

import os
import pty
import signal
import subprocess
from select import select

from tests.support.processes import COMMAND, environment


def at_a_terminal(words: list[str], prompt: str, typed: str) -> tuple[str, int]:
    """Run the command at a pseudo-terminal and answer its prompt; returns what it showed and its exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *words],
        env=environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = ""
        answered = False
        while True:
            assert select([ours], [], [], 60)[0], f"nothing more was shown after {shown!r}"
            try:
                piece = os.read(ours, 4096).decode(errors="replace")
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if not answered and prompt in shown:
                answered = True
                if typed == "\x03":
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, typed.encode())
        os.close(ours)
        return shown, process.wait(30)
