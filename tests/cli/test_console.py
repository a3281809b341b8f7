"""A console that is closed, full, or of few letters: the run neither ends nor ends otherwise for it."""

import asyncio
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from bulk_remove.adapters.console import Live
from bulk_remove.adapters.console.outlet import outlet
from bulk_remove.core.progress import Snapshot
from bulk_remove.simulator.audit import read_audit
from tests.support.processes import Running, altered, bulk_remove, environment, removal, report_of, simulator

_OFTEN = "import bulk_remove.adapters.console.live as live\nlive._LINE_EVERY_S = 0.02\n"
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
    closed = outlet(stream)
    stream.close()
    assert closed.write("lost") == len("lost")
    closed.flush()
    assert not closed.isatty()
    closed.close()
