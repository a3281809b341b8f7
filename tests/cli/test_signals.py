"""Signals at the moments when a run does something else than sending: the process sends them to itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.processes import Running, altered, bulk_remove, removal, report_of, simulator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

EXITS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
    pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
]
_STRUCK_AT_ROWS = """
import os
from bulk_remove.ledger import Outcomes
blocks = Outcomes.blocks
def struck(self):
    for block in blocks(self):
        for _ in range({times}):
            os.kill(os.getpid(), {number})
        yield block
Outcomes.blocks = struck
"""
_STRUCK_AFTER = """
import os
from bulk_remove.{module} import {owner}
done = {owner}.{name}
def struck(self, *given):
    result = done(self, *given)
    os.kill(os.getpid(), {number})
    return result
{owner}.{name} = struck
"""


_STRUCK_AT_THE_START = """
import os, signal, sys
class Struck:
    def find_spec(self, name, path=None, target=None):
        if name == "bulk_remove.cli.commands":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Struck())
"""


def test_ctrl_c_while_the_command_starts_is_told_like_any_other() -> None:
    done = altered(_STRUCK_AT_THE_START, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped: nothing was sent.\n")


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="words")
def words_fixture(server: Running, tmp_path: Path) -> tuple[str | Path, ...]:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(40)), encoding="utf-8")
    return removal(server, tmp_path, source)


def struck_after(number: int, place: str, *words: str | Path) -> CompletedProcess[str]:
    module, owner, name = place.rsplit(".", 2)
    return bulk_remove(*words, before=_STRUCK_AFTER.format(module=module, owner=owner, name=name, number=int(number)))


@pytest.mark.parametrize(("number", "_code"), EXITS)
def test_one_signal_while_the_report_is_written_leaves_it_whole_and_the_exit_code_as_it_is(
    tmp_path: Path, words: tuple[str | Path, ...], number: int, _code: int
) -> None:
    done = bulk_remove(*words, before=_STRUCK_AT_ROWS.format(times=1, number=int(number)))
    assert done.returncode == 0, done.stderr
    assert "The report is being written. Press Ctrl-C again to stop at once." in done.stderr
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
    assert len(report_of(tmp_path)) == 40


@pytest.mark.parametrize(("number", "code"), EXITS[:2])
def test_a_second_signal_while_the_report_is_written_ends_it_and_resume_writes_it(
    tmp_path: Path, words: tuple[str | Path, ...], number: int, code: int
) -> None:
    done = bulk_remove(*words, before=_STRUCK_AT_ROWS.format(times=2, number=int(number)))
    assert done.returncode == code, done.stderr
    assert "the verdicts so far are in the ledger" in done.stderr
    assert "nothing was sent" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob(".*.part"))
    assert not (tmp_path / "report.csv").exists()
    assert bulk_remove("resume", "--state-dir", tmp_path / "state").returncode == 0
    assert len(report_of(tmp_path)) == 40


@pytest.mark.parametrize(("number", "code"), EXITS)
@pytest.mark.parametrize("place", ["ledger.RowKeys.add", "ledger.Planning.finish"])
def test_a_signal_while_planning_leaves_nothing_behind(
    tmp_path: Path, server: Running, words: tuple[str | Path, ...], place: str, number: int, code: int
) -> None:
    done = struck_after(number, place, *words)
    assert done.returncode == code, done.stderr
    assert "Stopped: nothing was sent." in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "state" / "runs").iterdir()) == []
    assert '"method":"DELETE"' not in server.audit.read_text(encoding="utf-8")


@pytest.mark.parametrize(("number", "code"), EXITS)
def test_a_signal_after_the_approval_claims_nothing_and_resume_goes_on(
    tmp_path: Path, words: tuple[str | Path, ...], number: int, code: int
) -> None:
    done = struck_after(number, "ledger.Planning.approve", *words)
    assert done.returncode == code, done.stderr
    assert "bulk-remove resume" in done.stderr
    assert "nothing was sent" not in done.stderr
    assert bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state").returncode == 0
    assert len(report_of(tmp_path)) == 40


@pytest.mark.parametrize(("number", "_code"), EXITS)
def test_a_signal_when_all_is_told_changes_nothing(
    tmp_path: Path, words: tuple[str | Path, ...], number: int, _code: int
) -> None:
    done = struck_after(number, "ledger.Store.close", *words)
    assert done.returncode == 0, done.stderr
    assert len(report_of(tmp_path)) == 40


def test_a_terminal_that_closes_says_so_several_times_and_that_is_one_stop(
    tmp_path: Path, words: tuple[str | Path, ...]
) -> None:
    """While the report is written, a second signal of another kind would end it."""
    done = bulk_remove(*words, before=_STRUCK_AT_ROWS.format(times=5, number=int(signal.SIGHUP)))
    assert done.returncode == 0, done.stderr
    assert len(report_of(tmp_path)) == 40
    planning = struck_after(signal.SIGHUP, "ledger.Planning.finish", *words)
    assert planning.returncode == 129, planning.stderr


@pytest.mark.parametrize("place", ["ledger.Planning.approve", "sending.Pool.drain"])
def test_what_is_told_to_outlive_its_terminal_does(tmp_path: Path, words: tuple[str | Path, ...], place: str) -> None:
    """As under nohup, which has SIGHUP ignored before the command begins."""
    module, owner, name = place.rsplit(".", 2)
    struck = _STRUCK_AFTER.format(module=module, owner=owner, name=name, number=int(signal.SIGHUP))
    done = bulk_remove(*words, before=f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{struck}")
    assert done.returncode == 0, done.stderr
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}


_STRUCK_ELSEWHERE = """
import asyncio, signal, threading
from bulk_remove.cli.signals import stop_on_signals
def strike():  # another thread takes the signal: it interrupts nothing that the main thread waits for
    signal.pthread_kill(threading.get_ident(), {number})
async def wait():
    stopped = asyncio.Event()
    with stop_on_signals(lambda ending: (print(ending.name), stopped.set()), lambda: None):
        threading.Timer(0.1, strike).start()
        await stopped.wait()
asyncio.run(wait())
"""


@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGINT, "INTERRUPTED"), (signal.SIGTERM, "TERMINATED"), (signal.SIGHUP, "HUNG_UP")],
)
def test_a_signal_wakes_a_run_that_waits_for_nothing_else(number: int, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STRUCK_ELSEWHERE.format(number=int(number))],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.returncode) == (f"{name}\n", 0), done.stderr


_STRUCK_OFTEN = """
import asyncio, os, signal
from bulk_remove.cli.signals import stop_on_signals
async def wait():
    stopped = asyncio.Event()
    with stop_on_signals(lambda ending: (print(ending.name), stopped.set()), lambda: print("noted")):
        for number in {numbers}:
            os.kill(os.getpid(), number)
            await stopped.wait()
            await asyncio.sleep(0)
asyncio.run(wait())
"""


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        pytest.param(["SIGHUP", "SIGHUP", "SIGHUP"], "noted\nHUNG_UP\n", id="a terminal that closes"),
        pytest.param(["SIGTERM", "SIGHUP", "SIGHUP"], "", id="SIGTERM, then a terminal that closes"),
        pytest.param(["SIGHUP", "SIGTERM"], "", id="a terminal that closes, then SIGTERM"),
        pytest.param(["SIGINT", "SIGINT"], "", id="Ctrl-C twice"),
    ],
)
def test_only_the_second_signal_stops_at_once_and_sighup_is_one_however_often_it_comes(
    numbers: list[str], told: str
) -> None:
    script = _STRUCK_OFTEN.format(numbers=[int(signal.Signals[name]) for name in numbers])
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30)
    if told:
        assert (done.stdout, done.returncode) == (told, 0), done.stderr
    else:
        assert "StoppedError: Stopped at once" in done.stderr
