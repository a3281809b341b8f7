import os
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

ASKER = """
import os, signal, sys
from bulk_remove.console.keys import typed_line

class Stop(Exception):
    pass

def stop(*_):
    raise Stop

signal.signal(signal.SIGTERM, stop)
for _ in range({times}):
    try:
        os.write(2, b"?")
        typed_line()
    except Stop:
        continue
    sys.exit("no signal came")
os.write(2, b"!")
print(typed_line().strip())
"""


def test_a_signal_just_as_the_question_is_shown_is_not_slept_through_and_what_is_typed_arrives() -> None:
    import pty  # noqa: PLC0415 - POSIX alone has pseudo-terminals

    times = 100
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ASKER.format(times=times)], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asker:
        assert asker.stderr
        asleep = threading.Timer(30, asker.kill)
        asleep.start()
        for _ in range(times):
            assert asker.stderr.read(1) == b"?", asker.stderr.read()
            asker.terminate()
        assert asker.stderr.read(1) == b"!"
        os.write(ours, b"yes\n")
        assert asker.communicate()[0] == b"yes\n"
        asleep.cancel()
    os.close(ours)
    os.close(theirs)


QUESTION = """
from bulk_remove.console import Screen
print("said yes" if Screen().{question} else "said no")
"""


@pytest.mark.parametrize("question", ["confirm_rest(3)", 'asked("3 runs go.", "yes")'])
def test_what_was_typed_before_a_question_is_no_answer_to_it(question: str) -> None:
    import pty  # noqa: PLC0415 - POSIX alone has pseudo-terminals

    ours, theirs = pty.openpty()
    os.write(ours, b"yes\nyes\n")
    with subprocess.Popen(
        [sys.executable, "-c", QUESTION.format(question=question)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as asker:
        assert asker.stdout
        assert asker.stderr
        asleep = threading.Timer(60, asker.kill)
        asleep.start()
        shown = b""
        while b"Type yes" not in shown:
            piece = asker.stderr.read(1)
            assert piece, shown
            shown += piece
        os.write(ours, b"no\n")
        assert asker.stdout.read() == b"said no\n"
        asleep.cancel()
    os.close(ours)
    os.close(theirs)
