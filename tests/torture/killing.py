"""Starts the real command against the simulator, kills it at random moments, resumes it until it is done.

Afterwards the report is held against the simulator's audit, number by number: `python -m tests.torture.killing`.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

from bulk_remove.simulator.server import AuditEntry, read_audit
from tests.support.processes import Running, removal, report_of, simulator, started

NUMBERS = 1_500
WORLD = ("--busy-share", "0.1", "--busy-seconds", "1.5", "--duplicate-share", "0.1", "--absent-share", "0.1")
FAULTS = ("--fault", "dropped_after=0.05", "--fault", "dropped_before=0.03", "--fault", "cut_short=0.03")
PACE = ("--max-numbers-per-request", "15", "--rate", "120", "--busy-delay", "300ms", "--tries", "20")
FINISHED = {0, 3}


def torture(folder: Path, kills: int, seed: int) -> int:
    """Purge one file with up to so many kills; returns how many there were. Raises AssertionError for any lie."""
    dice = random.Random(seed)
    source = folder / "numbers.csv"
    numbers = [str(500_000_000 + index) for index in range(NUMBERS)]
    source.write_text("telefon\n" + "\n".join(numbers), encoding="utf-8")
    done = 0
    with simulator(folder, *WORLD, *FAULTS, "--seed", str(seed)) as server:
        for words in commands(server, folder, source):
            left_s = dice.uniform(0.1, 2.4) if done < kills else None
            if run_for(words, left_s):
                break
            done += 1
    check(folder, numbers)
    return done


def commands(server: Running, folder: Path, source: Path) -> Iterator[list[str]]:
    """Yield the command to start next: the run until its plan is approved, then resume."""
    run = [str(word) for word in (*removal(server, folder, source), *PACE)]
    resume = ["resume", "--yes", "--state-dir", str(folder / "state"), "-o", str(folder / "report.csv")]
    while True:
        approved = any(map(is_approved, folder.glob("state/runs/*/ledger.sqlite")))
        yield resume if approved else run


def is_approved(ledger: Path) -> bool:
    """Tell whether a run came so far that it may have sent something."""
    with closing(connect(ledger)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'run'").fetchone()[0]
        return bool(tables and connection.execute("SELECT count(approved_by) FROM run").fetchone()[0])


def run_for(words: list[str], seconds: float | None) -> bool:
    """Run the command, killing it after so many seconds; True when it ended by itself."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as err, started(*words, err=err.fileno()) as process:
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
        err.seek(0)
        assert code in FINISHED, err.read()
        return True


def check(folder: Path, numbers: list[str], state: str = "state") -> None:
    """Hold the report and the ledger against what the server really did."""
    entries = [entry for entry in read_audit(folder / "audit.jsonl") if entry.method == "DELETE"]
    removed, answered_none = really_done(entries)
    rows = report_of(folder)
    assert [row["number"] for row in rows] == numbers
    for row in rows:
        number, status = row["number"], row["status"]
        ids = [int(record_id) for record_id in row["record_ids"].split()]
        assert set(ids) <= set(removed[number]), f"{number}: records that the server did not remove"
        assert len(ids) == len(set(ids)) == int(row["removed_records"]), f"{number}: records counted twice"
        assert status in {"REMOVED", "NOT_EXIST", "PRESUMED_REMOVED"}, f"{number}: {status}"
        if status == "NOT_EXIST":
            assert not removed[number], f"{number}: NOT_EXIST, but the server removed it"
        else:
            assert removed[number] or number in answered_none, f"{number}: {status}, but the server never acted"
        if status == "REMOVED":
            assert ids, f"{number}: REMOVED without a record"
    # A run that was killed before its plan was approved leaves a ledger, too, but sent nothing.
    (ledger,) = filter(is_approved, folder.glob(f"{state}/runs/*/ledger.sqlite"))
    with closing(connect(ledger)) as connection:
        (attempts,) = connection.execute("SELECT count(*) FROM attempt").fetchone()
    assert len(entries) <= attempts, "the server saw a request that the ledger does not know"
    assert {number for entry in entries for number in entry.asked} <= set(numbers)


def really_done(entries: list[AuditEntry]) -> tuple[dict[str, list[int]], set[str]]:
    """Return the removed record ids by number, and the numbers of which the server once found none."""
    removed: dict[str, list[int]] = defaultdict(list)
    none: set[str] = set()
    for entry in entries:
        for number, ids in entry.removed.items():
            removed[number].extend(ids)
        if entry.acted:
            none.update(set(entry.asked) - set(entry.removed) - set(entry.in_call))
    return removed, none


def play(torture: Callable[[Path, int, int], int], module: str, about: str | None) -> int:
    """Kill as often as the command line says; a new world whenever one is done. `torture` returns its kills."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    kills, seed, began_s = 0, told.seed, time.monotonic()
    while kills < told.kills:
        with tempfile.TemporaryDirectory() as folder:
            try:
                kills += torture(Path(folder), min(12, told.kills - kills), seed)
            except AssertionError:
                sys.stdout.write(f"\nworld {seed}: python -m {module} --kills 12 --seed {seed}\n")
                raise
        sys.stdout.write(f"\r{kills} kills, {seed + 1 - told.seed} worlds, {time.monotonic() - began_s:.0f} s")
        sys.stdout.flush()
        seed += 1
    sys.stdout.write(": no violation\n")
    return 0


if __name__ == "__main__":
    sys.exit(play(torture, "tests.torture.killing", __doc__))
