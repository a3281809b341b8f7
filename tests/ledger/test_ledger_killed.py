import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import Status
from bulk_remove.ledger import Outcomes, Store
from tests.support.ledger_victim import NUMBERS

ROOT = Path(__file__).parents[2]


@contextmanager
def victim(folder: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.ledger_victim", str(folder), mode],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], lines: int) -> list[str]:
    assert process.stdout
    return [process.stdout.readline() for _ in range(lines)]


def check(folder: Path, told: list[str]) -> None:
    """Hold the ledger against what the process said before it was killed."""
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection:
        begun = dict(connection.execute("SELECT attempt_id, chunk_id FROM attempt"))
        ended = dict(connection.execute("SELECT attempt_id, result FROM attempt WHERE ended_at_s IS NOT NULL"))
        settled = {
            chunk_id for (chunk_id,) in connection.execute("SELECT chunk_id FROM chunk WHERE progress = 'settled'")
        }
        assert len(set(begun.values())) == len(begun)
        for event, chunk_id, attempt_id in (line.split() for line in told):
            assert begun[int(attempt_id)] == int(chunk_id)
            if event == "verdict":
                assert ended[int(attempt_id)] == "verdicts"
                assert int(chunk_id) in settled
        assert settled == {begun[attempt_id] for attempt_id in ended}  # a verdict is there whole or not at all
        rows = list(Outcomes(Store(folder / "ledger.sqlite", connection)).rows())
        assert [row.number for row in rows] == NUMBERS
        under_way = {*begun.values()} - settled
        statuses = [status_of(row.state.phase) if row.state else None for row in rows]
        assert statuses == [
            Status.REMOVED if chunk_id in settled else Status.IN_DOUBT if chunk_id in under_way else Status.UNSENT
            for chunk_id in (index // 3 + 1 for index in range(len(NUMBERS)))
        ]


@pytest.mark.parametrize("answers", [0, 1, 2, 7], ids="killed after answer {}".format)
def test_a_process_killed_after_any_step_leaves_every_intent_and_verdict_in_the_ledger(
    tmp_path: Path, answers: int
) -> None:
    with victim(tmp_path, "step") as process:
        assert process.stdin
        told = said(process, 1)
        for _ in range(answers):
            process.stdin.write("\n")
            process.stdin.flush()
            told += said(process, 1)
        process.kill()
    assert [line.split()[0] for line in told] == (["intent", "verdict"] * 4)[: answers + 1]
    check(tmp_path, told)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        open_attempts = connection.execute("SELECT count(*) FROM attempt WHERE ended_at_s IS NULL").fetchone()[0]
    assert open_attempts == (answers + 1) % 2  # none but the one that waited for its verdict


def test_whatever_many_workers_said_before_they_were_killed_is_in_the_ledger(tmp_path: Path) -> None:
    with victim(tmp_path, "8") as process:
        assert process.stdout
        told = said(process, 200)
        process.kill()
        told += [line for line in process.stdout if line.endswith("\n")]
        assert process.wait() < 0
    check(tmp_path, told)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_ledger_and_its_log_are_readable_by_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    with victim(tmp_path, "step") as process:
        said(process, 1)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["ledger.sqlite", "ledger.sqlite-shm", "ledger.sqlite-wal"], 0o600)
