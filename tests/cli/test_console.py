"""A console that is closed, full, or of few letters: the run neither ends nor ends otherwise for it."""

import asyncio
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from bulk_remove.console import Live, Screen
from bulk_remove.console.live import Outlet
from bulk_remove.console.screen import percent
from bulk_remove.core.timeline import Snapshot
from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, altered, bulk_remove, environment, removal, report_of, simulator
from tests.support.terminal import at_a_terminal

_OFTEN = "import bulk_remove.console.live as live\nlive._LINE_EVERY_S = 0.02\n"
Place = Callable[[], AbstractContextManager[int]]
BUFFERED = {"PYTHONUNBUFFERED": ""}  # what Python does by itself: what a stream did not take is tried again at the end
PACE = ("--max-numbers-per-request", "1", "--rate", "40")


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(40)), encoding="utf-8")
    return source


@contextmanager
def closed_pipe() -> Iterator[int]:
    """Give a descriptor to write to whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@contextmanager
def full_disk() -> Iterator[int]:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.skipif(os.name != "posix", reason="hands over descriptors the POSIX way")
@pytest.mark.parametrize("place", [closed_pipe, full_disk])
def test_a_console_that_takes_nothing_changes_nothing_of_a_run(
    server: Running, tmp_path: Path, numbers: Path, place: Place
) -> None:
    with place() as nowhere:
        done = altered(
            _OFTEN, *removal(server, tmp_path, numbers, *PACE), out=nowhere, err=nowhere, env=environment(**BUFFERED)
        )
    assert done.returncode == 0
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
    assert len([entry for entry in read_audit(server.audit) if entry.method == "DELETE"]) == 40


@pytest.mark.skipif(os.name != "posix", reason="hands over descriptors the POSIX way")
@pytest.mark.parametrize("place", [closed_pipe, full_disk])
def test_where_results_cannot_be_told_errors_still_are(
    server: Running, tmp_path: Path, numbers: Path, place: Place
) -> None:
    with place() as nowhere:
        done = altered(_OFTEN, *removal(server, tmp_path, numbers, *PACE), out=nowhere, env=environment(**BUFFERED))
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert "of 40 numbers" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="hands over descriptors the POSIX way")
@pytest.mark.parametrize(("words", "code"), [(("run", "--nonsense"), 2), (("plan", "absent.csv", "-c", "00001"), 4)])
def test_an_error_that_cannot_be_told_keeps_its_exit_code(words: tuple[str, ...], code: int) -> None:
    with closed_pipe() as nowhere:
        assert altered("", *words, err=nowhere, env=environment(**BUFFERED)).returncode == code


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_command_without_a_console_runs(server: Running, tmp_path: Path, numbers: Path, closed: str) -> None:
    done = altered(f"import sys\nsys.{closed} = None", *removal(server, tmp_path, numbers))
    assert done.returncode == 0, done.stderr
    assert len(report_of(tmp_path)) == 40


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_file_name_that_the_console_cannot_show_is_shown_as_far_as_it_can(
    server: Running, tmp_path: Path, numbers: Path, encoding: str
) -> None:
    named = numbers.rename(tmp_path / "żółw.csv")
    env = environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    done = altered("", *removal(server, tmp_path, named), env=env)
    assert done.returncode == 0, done.stderr
    assert ("żółw.csv" if encoding == "utf-8" else "w.csv: utf-8") in done.stdout
    assert len(report_of(tmp_path)) == 40


@pytest.mark.skipif(os.name != "posix", reason="names files in bytes")
def test_a_file_name_that_is_no_text_is_shown_as_far_as_it_can(tmp_path: Path, numbers: Path) -> None:
    named = numbers.rename(os.fsdecode(os.fsencode(tmp_path) + b"/numbers-\xff.csv"))
    done = bulk_remove("plan", named, "-c", "00001", "--state-dir", tmp_path / "state")
    assert done.returncode == 0, done.stderr
    assert "numbers-?.csv" in done.stdout


@pytest.mark.parametrize(("failure", "surfaces"), [(OSError("the terminal is gone"), False), (KeyError("bug"), True)])
async def test_the_progress_never_ends_the_sending_and_only_its_bugs_surface(
    failure: Exception, *, surfaces: bool
) -> None:
    def failing() -> Snapshot:
        raise failure

    sent = False

    async def send() -> None:
        nonlocal sent
        async with Live(Console(file=io.StringIO())).sending(1, 1.0, 1.0, failing):
            for _ in range(3):
                await asyncio.sleep(0)
            sent = True

    (ended,) = await asyncio.gather(send(), return_exceptions=True)
    assert sent
    assert ended is (failure if surfaces else None)


def test_a_stream_that_was_closed_meanwhile_takes_nothing_and_nobody_notices() -> None:
    """Python flushes what it throws away, and complains of one that fails: so do tests."""
    stream = io.StringIO()
    closed = Outlet(stream)
    stream.close()
    assert closed.write("lost") == len("lost")
    closed.flush()
    assert not closed.isatty()
    closed.close()


@pytest.mark.parametrize("columns", ["0", "1", "19"])
def test_where_nobody_knows_the_width_everything_is_shown(tmp_path: Path, numbers: Path, columns: str) -> None:
    words = ("plan", numbers, "-c", "00001", "--state-dir", tmp_path)
    usual = bulk_remove(*words)
    assert "numbers to remove from 00001" in usual.stdout
    assert bulk_remove(*words, env=environment(COLUMNS=columns)).stdout == usual.stdout


@pytest.mark.parametrize("width", [30, 50])
def test_a_command_to_copy_is_never_broken_at_the_edge_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    command = "bulk-remove resume 20261124-021530-9f3a --canary-max-not-exist 95%"
    written, screen = io.StringIO(), Screen()
    console = Console(file=written, width=width, force_terminal=True, color_system=None, soft_wrap=True)
    monkeypatch.setattr(screen, "out", console)
    screen.tell(f"Look at the report. If it is right, go on with: {command}. All other words are broken as usual.")
    shown = written.getvalue()
    assert command in shown
    assert all(len(line) <= width for line in shown.splitlines() if command not in line)


@pytest.mark.parametrize("width", [40, 57, 80])
def test_at_a_terminal_lines_are_broken_between_words_alone(tmp_path: Path, numbers: Path, width: int) -> None:
    words = ("plan", numbers, "-c", "00001", "--state-dir", tmp_path, "--also-try", "plus,zeros", "--canary")
    shown, code = at_a_terminal(words, env=environment(COLUMNS=str(width)))
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "")
    lines = plain[plain.index("Plan for") :].splitlines()
    assert all(len(line.rstrip()) <= width or len(line.split()) == 1 for line in lines)
    told = bulk_remove(*words).stdout
    assert [word for word in plain[plain.index("Plan for") :].split() if word not in told.split()] == []


def test_json_is_never_broken_at_a_terminal(tmp_path: Path, numbers: Path) -> None:
    words = ("plan", numbers, "-c", "00001", "--state-dir", tmp_path, "--json")
    shown, _ = at_a_terminal(words, env=environment(COLUMNS="40"))
    assert json.loads(shown[shown.index("{") :])["numbers"] == 40


@pytest.mark.parametrize(
    ("count", "language", "told"),
    [
        (1, "en", "1 row: 1 number, 0 duplicates, 0 INVALID"),
        (2, "en", "2 rows: 2 numbers, 0 duplicates, 0 INVALID"),
        (1, "pl", "1 wiersz: 1 numer, 0 powtórzeń, INVALID: 0"),
        (2, "pl", "2 wiersze: 2 numery, 0 powtórzeń, INVALID: 0"),
        (5, "pl", "5 wierszy: 5 numerów, 0 powtórzeń, INVALID: 0"),
    ],
)
def test_what_is_counted_has_the_form_of_its_count(tmp_path: Path, count: int, language: str, told: str) -> None:
    source = tmp_path / "few.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(count)), encoding="utf-8")
    done = bulk_remove("plan", source, "-c", "00001", "--state-dir", tmp_path, "--lang", language)
    assert told in done.stdout


@pytest.mark.parametrize("json_too", [(), ("--json",)], ids=["", "json"])
def test_a_plan_without_any_number_is_4_as_the_run_would_be(tmp_path: Path, json_too: tuple[str, ...]) -> None:
    source = tmp_path / "none.csv"
    source.write_text("telefon\nbrak\n", encoding="utf-8")
    words = (source, "-c", "00001", "--column", "1", "--trust-column", "--state-dir", tmp_path)
    planned = bulk_remove("plan", *words, *json_too)
    assert planned.returncode == 4
    assert "telefon" in planned.stdout
    assert "The input holds no phone number that could be sent." in planned.stderr


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.0, "0%"),
        (0.00000001, "under 0.01%"),
        (0.000123, "0.012%"),
        (0.0567, "5.7%"),
        (0.5321, "53.2%"),
        (0.99999, "99.9%"),
        (1.0, "100%"),
        (1.00001, "100.1%"),
        (1234.5, "123,450%"),
    ],
)
def test_a_share_is_told_as_people_write_it(share: float, told: str) -> None:
    assert percent(share) == told


def test_a_wrong_answer_says_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["maybe", "yes"]
    monkeypatch.setattr("bulk_remove.console.screen.forget_typed", lambda: None)
    monkeypatch.setattr("bulk_remove.console.screen.typed_line", lambda: answers.pop(0))
    assert Screen().confirm_rest(5)
    assert "That was neither yes nor n." in capsys.readouterr().err
