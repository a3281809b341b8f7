"""A disk that fills up: a clear sentence, exit 10, nothing lost, and resume goes on when there is room."""

import logging
import os
import subprocess
from pathlib import Path

import pytest

from bulk_remove.cli.aftermath import logged
from bulk_remove.console import Screen
from bulk_remove.simulator.server import read_audit
from tests.support.full_device import fill, needs_a_full_device
from tests.support.processes import bulk_remove, removal, report_of, simulator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits file sizes the POSIX way")

_LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
"""


def limited(limit_bytes: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command where no file may grow beyond a size: to SQLite and Python alike, the disk is full."""
    return bulk_remove(*words, before=_LIMITED.format(limit=limit_bytes))


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(5_000)), encoding="utf-8")
    return source


PACE = ("--max-numbers-per-request", "50", "--rate", "200")


def test_a_disk_that_is_full_while_planning_leaves_nothing_behind(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path) as server:
        done = limited(60_000, *removal(server, tmp_path, numbers, *PACE))
    assert done.returncode == 10, done.stderr
    assert "The ledger" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "state" / "runs").iterdir()) == []
    assert not [entry for entry in read_audit(tmp_path / "audit.jsonl") if entry.method == "DELETE"]


@pytest.mark.parametrize("limit_bytes", [400_000, 600_000, 900_000])
def test_a_disk_that_fills_up_while_sending_loses_nothing(tmp_path: Path, numbers: Path, limit_bytes: int) -> None:
    with simulator(tmp_path) as server:
        done = limited(limit_bytes, *removal(server, tmp_path, numbers, *PACE))
        assert done.returncode == 10, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "report.csv").exists()
        again = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state")
        assert again.returncode == 0, again.stderr
    removed = {number for entry in read_audit(tmp_path / "audit.jsonl") for number in entry.removed}
    rows = report_of(tmp_path)
    assert len(rows) == len(removed) == 5_000
    assert {row["status"] for row in rows} <= {"REMOVED", "PRESUMED_REMOVED"}
    assert not list(tmp_path.glob(".*.part"))


def test_a_report_that_finds_no_room_is_written_by_resume(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path) as server:
        assert bulk_remove(*removal(server, tmp_path, numbers, *PACE)).returncode == 0
        whole = report_of(tmp_path)
        (tmp_path / "report.csv").write_text("the report of before", encoding="utf-8")
        done = limited(200_000, "resume", "--overwrite", "--state-dir", tmp_path / "state")
        assert done.returncode == 10, done.stdout
        assert "report.csv cannot be written" in done.stderr
        assert (tmp_path / "report.csv").read_text(encoding="utf-8") == "the report of before"
        assert bulk_remove("resume", "--overwrite", "--state-dir", tmp_path / "state").returncode == 0
    assert report_of(tmp_path) == whole
    assert not list(tmp_path.glob(".*.part"))


@needs_a_full_device
def test_a_log_that_cannot_be_written_is_told_once_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(monkeypatch, "run.log")
    with logged(tmp_path, Screen()):
        for _ in range(3):
            logging.getLogger("bulk_remove").info("something")
    assert capsys.readouterr().err.count("The log can no longer be written") == 1
