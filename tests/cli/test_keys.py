"""Keys pressed while a run sends, at a terminal that controls the command as a real one does."""

import json
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulk_remove.simulator.server import read_audit
from tests.support.processes import COMMAND, Running, bulk_remove, removal, report_of, simulator
from tests.support.terminal import Sitting, sitting, sitting_in_a_shell

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

LEGEND = "Keys: p pauses and goes on"
NUMBERS = 24
SLOW = ("--max-numbers-per-request", "1", "--rate", "4")
"""Six seconds for all of them, in which a test does what it does and then has no need to wait for the rest."""


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


def words_for(server: Running, folder: Path, *words: str) -> tuple[str | Path, ...]:
    source = folder / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(NUMBERS)), encoding="utf-8")
    return removal(server, folder, source, *(words or SLOW))


def asked(server: Running) -> int:
    return sum(len(entry.asked) for entry in read_audit(server.audit) if entry.method == "DELETE")


def log_of(folder: Path) -> str:
    (log,) = (folder / "state" / "runs").glob("*/run.log")
    return log.read_text(encoding="utf-8")


def summary_of(folder: Path) -> dict[str, object]:
    summary: dict[str, object] = json.loads((folder / "report.summary.json").read_text(encoding="utf-8"))
    return summary


def some_removed(at: Sitting) -> None:
    """Wait until the display tells of numbers that were removed."""
    while not re.search(r"[1-9] removed", at.shown):
        at.until(" removed")


def paused(at: Sitting) -> None:
    """Press p, and wait until nothing is under way any more."""
    at.type("p")
    at.until("Paused: no new request leaves")
    at.until(": p goes on, q stops")
    while "under way: p goes on" in at.shown.rpartition("PAUSED")[2]:
        at.until(": p goes on, q stops")


def test_p_holds_the_run_and_p_goes_on(tmp_path: Path, server: Running) -> None:
    with sitting(*words_for(server, tmp_path)) as at:
        at.until(LEGEND)
        some_removed(at)
        paused(at)
        before = asked(server)
        for _ in range(8):  # two seconds of a display that is drawn four times in each
            at.until("PAUSED for ")
        assert asked(server) == before < NUMBERS
        at.type("p")
        at.until("Going on.")
        assert at.ended() == 0, at.shown
        assert at.takes_lines
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
    assert asked(server) == NUMBERS
    assert "key p: Paused: no new request leaves" in log_of(tmp_path)
    assert "key p: Going on." in log_of(tmp_path)


def test_plus_and_minus_are_answered_and_noted_and_other_keys_are_explained(tmp_path: Path, server: Running) -> None:
    with sitting(*words_for(server, tmp_path)) as at:
        at.until(LEGEND)
        for key, answer in [
            ("-", "Slower: at most 3 requests/s and 3 at once."),
            ("+", "Faster: at most 4 requests/s and 4 at once."),
            ("+", "Already at the given limit: at most 4 requests/s and 4 at once."),
            ("\x1b[A", LEGEND),
            ("q", "Stopping, as Ctrl-C does."),
        ]:
            at.type(key)
            at.until(answer)
        assert at.ended() == 130, at.shown
    for key in ("key -: Slower: at most 3", "key +: Faster: at most 4", "key +: Already at", "key q: Stopping"):
        assert key in log_of(tmp_path)


@pytest.mark.parametrize(
    ("key", "ending"), [("q", "stopped by the key q"), ("\x03", "stopped by Ctrl-C")], ids=["q", "Ctrl-C"]
)
def test_q_stops_as_ctrl_c_does_also_while_paused(tmp_path: Path, server: Running, key: str, ending: str) -> None:
    with sitting(*words_for(server, tmp_path)) as at:
        some_removed(at)
        paused(at)
        at.type(key)
        at.until("Stopping: requests under way are finished first.")
        assert at.ended() == 130, at.shown
        assert f"Ended early ({ending})" in at.shown
        assert at.takes_lines
    assert summary_of(tmp_path)["ending"] == ending
    statuses = [row["status"] for row in report_of(tmp_path)]
    assert set(statuses) == {"REMOVED", "UNSENT"}
    assert statuses.count("REMOVED") == asked(server)
    assert bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--rate", "40").returncode == 0
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
    assert asked(server) == NUMBERS


def test_a_paused_run_that_is_killed_and_resumed_loses_nothing(tmp_path: Path, server: Running) -> None:
    with sitting(*words_for(server, tmp_path)) as at:
        some_removed(at)
        paused(at)
        at.process.kill()
    resume = ("resume", "--yes", "--state-dir", tmp_path / "state", "--rate", "40", "-o", tmp_path / "report.csv")
    done = bulk_remove(*resume)
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in report_of(tmp_path)] == ["REMOVED"] * NUMBERS
    assert asked(server) == NUMBERS


_BROKEN = """
from bulk_remove.sending.books import Tally
def broken(*_): raise RuntimeError("a bug")
Tally.moved = broken
"""


@pytest.mark.parametrize(
    ("ended_by", "code"),
    [
        ("", 0),
        ("q", 130),
        ("\x03", 130),
        ("\x03\x03", 130),
        ("SIGTERM", 143),
        ("SIGTERM twice", 143),
        ("\x1c", -signal.SIGQUIT),
        ("a bug", 1),
    ],
    ids=["by itself", "q", "Ctrl-C", "Ctrl-C twice", "SIGTERM", "SIGTERM twice", "Ctrl-backslash", "a bug"],
)
def test_the_terminal_is_as_before_however_the_run_ends(tmp_path: Path, ended_by: str, code: int) -> None:
    # With known brackets several requests are under way from the start.
    pace = ("--rate", "4", "--max-numbers-per-request", "10" if not ended_by else "1", "--brackets", "encoded")
    with simulator(tmp_path, "--latency", "2" if "twice" in ended_by or ended_by == "\x03\x03" else "0.2") as server:
        words = words_for(server, tmp_path, *pace)
        with sitting(*words, before=_BROKEN if ended_by == "a bug" else "") as at:
            at.until(LEGEND)
            assert not at.takes_lines
            while '"DELETE"' not in server.audit.read_text(encoding="utf-8"):
                at.until("requests/s")  # a request must be under way, or there is nothing to wait for
            for _ in range(2 if "twice" in ended_by else ended_by.startswith("SIGTERM")):
                at.process.send_signal(signal.SIGTERM)
                at.until("Stop")
            for key in "" if ended_by.startswith(("SIGTERM", "a bug")) else ended_by:
                at.type(key)
                at.until("Stop" if key != "\x1c" else "\x1b[?25h")
            assert at.ended() == code, at.shown
            assert at.takes_lines


@pytest.fixture(name="shell")
def shell_fixture() -> Iterator[Sitting]:
    """Give a shell with job control; dash, where it is, because it puts no terminal back by itself as bash does."""
    with sitting_in_a_shell(shutil.which("dash") or "sh", "-i", env={"PS1": "ready> ", "ENV": ""}) as at:
        at.until("ready> ")
        yield at


def command(words: tuple[str | Path, ...]) -> str:
    return shlex.join(map(str, (*COMMAND, *words)))


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(tmp_path: Path, server: Running, shell: Sitting) -> None:
    shell.type(command(words_for(server, tmp_path)) + "\n")
    shell.until(LEGEND)
    shell.until(" removed")
    shell.type("\x1a")
    shell.until("Stopped")
    shell.until("ready> ")
    assert shell.takes_lines
    shell.type("fg\n")
    shell.until("bulk_remove")
    shell.until(" removed")
    shell.type("p")
    shell.until("Paused: no new request leaves")
    shell.type("q")
    shell.until("Stopping, as Ctrl-C does.")
    shell.until("ready> ")
    shell.type("echo it was $?\n")
    shell.until("it was 130")


def comes_true(what: Callable[[], bool]) -> None:
    """Wait until something is so of which a closed terminal shows nothing."""
    deadline_s = time.monotonic() + 30.0
    while not what():
        assert time.monotonic() < deadline_s, "it does not come true"
        time.sleep(0.02)


def closed_while_sending(folder: Path, server: Running, at: Sitting) -> None:
    """Close the terminal in the middle, and wait until the report is there."""
    comes_true(lambda: asked(server) > 0)
    at.close()
    comes_true((folder / "report.summary.json").exists)


@pytest.mark.parametrize("key", ["", "p"], ids=["sending", "paused"])
def test_a_terminal_that_is_closed_stops_the_run_safely(tmp_path: Path, server: Running, key: str) -> None:
    with sitting(*words_for(server, tmp_path)) as at:
        if key:
            some_removed(at)
            paused(at)
        closed_while_sending(tmp_path, server, at)
        assert at.process.wait(30) == 129
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED", "UNSENT"}
    assert (summary_of(tmp_path)["ending"], summary_of(tmp_path)["exit_code"]) == ("stopped by SIGHUP", 129)


@pytest.mark.parametrize("program", [("bash", "--norc", "-i"), ("dash", "-i")], ids=["bash", "dash"])
def test_a_shell_that_is_closed_with_the_run_in_it_stops_the_run_safely(
    tmp_path: Path, server: Running, program: tuple[str, ...]
) -> None:
    """The shell passes the signal on, and the system sends it once more when the shell ends."""
    if shutil.which(program[0]) is None:
        pytest.skip(f"there is no {program[0]}")
    with sitting_in_a_shell(*program, env={"PS1": "ready> ", "ENV": ""}) as at:
        at.until("ready> ")
        at.type(command(words_for(server, tmp_path)) + "\n")
        closed_while_sending(tmp_path, server, at)
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED", "UNSENT"}
    assert summary_of(tmp_path)["ending"] == "stopped by SIGHUP"


def test_under_nohup_a_run_outlives_its_terminal(tmp_path: Path, server: Running, shell: Sitting) -> None:
    shell.type(f"nohup {command(words_for(server, tmp_path))} > /dev/null &\n")
    closed_while_sending(tmp_path, server, shell)
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
    assert summary_of(tmp_path)["exit_code"] == 0


def test_a_run_in_the_background_goes_on_and_takes_no_key(tmp_path: Path, server: Running, shell: Sitting) -> None:
    """A command in the background that reads the terminal or changes its mode is stopped by the system."""
    shell.type(command(words_for(server, tmp_path)) + " > /dev/null &\n")
    shell.until(" removed")
    shell.type("wait; echo it was $?\n")
    shell.until("it was 0")
    assert len(report_of(tmp_path)) == asked(server) == NUMBERS


def test_a_run_that_is_put_in_front_takes_keys_from_then_on(tmp_path: Path, server: Running, shell: Sitting) -> None:
    shell.type(command(words_for(server, tmp_path)) + " &\n")
    shell.until(" removed")
    shell.type("fg\n")
    shell.until(" removed")
    for _ in range(4):  # it looks twice a second whether it is in front
        shell.until(" removed")
    shell.type("q")
    shell.until("Stopping, as Ctrl-C does.")


def test_nothing_is_read_where_the_numbers_came_from_standard_input(tmp_path: Path, server: Running) -> None:
    words = [word if word != tmp_path / "numbers.csv" else "-" for word in words_for(server, tmp_path)]
    with sitting(*words) as at:
        at.type("telefon\n" + "".join(f"{500_000_000 + index}\n" for index in range(12)) + "\x04\x04")
        at.until(" removed")
        at.type("q")
        assert at.takes_lines
        assert at.ended() == 0, at.shown
        assert LEGEND not in at.shown
    assert [row["status"] for row in report_of(tmp_path)] == ["REMOVED"] * 12


def test_a_question_in_the_middle_gets_a_whole_line_and_no_key_before_it(tmp_path: Path, server: Running) -> None:
    words = words_for(server, tmp_path, "--max-numbers-per-request", "12", "--rate", "4", "--canary")
    with sitting(*(word for word in words if word != "--yes")) as at:
        at.until("n to stop:")
        at.type("yes\n")
        at.until(LEGEND)
        at.type("-")
        at.until("12 numbers that are left:")
        assert at.takes_lines
        at.type("yes\n")
        at.until(LEGEND)
        assert at.ended() == 0, at.shown
    assert asked(server) == NUMBERS


_DEAF = """
import bulk_remove.console.keys as keyboard
keyboard._Keyboard._read = lambda self: self._loop.remove_reader(self._terminal)
"""


def test_a_key_that_came_too_late_is_no_part_of_the_next_answer(tmp_path: Path, server: Running) -> None:
    words = words_for(server, tmp_path, "--max-numbers-per-request", "12", "--rate", "4", "--canary")
    with sitting(*(word for word in words if word != "--yes"), before=_DEAF) as at:
        at.until("n to stop:")
        at.type("yes\n")
        at.until(LEGEND)
        at.type("-")
        at.until("12 numbers that are left:")
        at.type("yes\n")
        assert at.ended() == 0, at.shown
    assert asked(server) == NUMBERS
