"""The main job at full size: 40,000 rows against the simulator, compared with what the server really did."""

import json
import os
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from filelock import FileLock

from bulk_remove.simulator.server import AuditEntry, read_audit
from tests.support.processes import bulk_remove, environment, removal, report_of, simulator

ROWS = 40_000
WORLD = ("--busy-share", "0.02", "--busy-seconds", "2", "--duplicate-share", "0.03", "--absent-share", "0.01")
FAST = ("--rate", "500", "--concurrency", "8", "--busy-delay", "700ms", "--busy-for", "1m")


def cells(rows: int) -> Iterator[str]:
    """Make up cells: every hundredth is no number, some come twice, some are written in other ways."""
    dice = random.Random(7)
    for index in range(rows):
        number = str(dice.randrange(500_000_000, 899_999_999))
        if index % 100 == 99:
            yield dice.choice(["brak", "12", "", "601 / 602", "4.86E+10"])
        elif index % 50 == 1:
            yield f"+48 {number[:3]} {number[3:6]} {number[6:]}"
        elif index % 1000 == 2:
            yield "600-000-001"
        else:
            yield number


@pytest.fixture(scope="session")
def csv_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the whole job on a CSV; returns the folder with its input, report and audit.

    The workers of a parallel run share one folder: the first makes it, the others wait.
    """
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    shared = tmp_path_factory.getbasetemp().parent if parallel else tmp_path_factory.getbasetemp()
    folder = shared / "csv_run"
    with FileLock(shared / "csv_run.lock"):
        if not folder.is_dir():
            unfinished = shared / "csv_run_unfinished"
            unfinished.mkdir()
            source = unfinished / "leads.csv"
            lines = ("name,telefon", *(f"Jan {index},{cell}" for index, cell in enumerate(cells(ROWS))))
            source.write_text("\n".join(lines), encoding="utf-8")
            run_in(unfinished, source)
            unfinished.rename(folder)
    return folder


def run_in(folder: Path, source: Path) -> None:
    with simulator(folder, *WORLD) as server:
        done = bulk_remove(*removal(server, folder, source, *FAST))
    assert done.returncode == 0, done.stderr
    assert "every number has its final answer" in done.stdout
    assert f"{ROWS:,}" in done.stdout


def really_done(audit: Path) -> tuple[dict[str, list[int]], list[AuditEntry]]:
    """Return the record ids that the server removed, by number, and all its removal requests."""
    removed: dict[str, list[int]] = defaultdict(list)
    entries = [entry for entry in read_audit(audit) if entry.method == "DELETE"]
    for entry in entries:
        for number, ids in entry.removed.items():
            removed[number].extend(ids)
    return removed, entries


def test_the_report_says_of_every_number_what_the_server_really_did(csv_run: Path) -> None:
    removed, entries = really_done(csv_run / "audit.jsonl")
    asked = {number for entry in entries for number in entry.asked}
    rows = report_of(csv_run)
    assert [row["row"] for row in rows] == [str(index + 2) for index in range(ROWS)]
    assert [row["input"] for row in rows] == list(cells(ROWS))
    for row in rows:
        ids = [int(record_id) for record_id in row["record_ids"].split()]
        assert ids == removed.get(row["number"], [])
        assert int(row["removed_records"]) == len(ids)
        expected = "INVALID" if not row["number"] else "REMOVED" if ids else "NOT_EXIST"
        assert row["status"] == expected
    assert {row["number"] for row in rows} - {""} == asked
    assert set(removed) <= asked


def test_the_world_of_this_test_had_what_it_should_have(csv_run: Path) -> None:
    removed, entries = really_done(csv_run / "audit.jsonl")
    assert sum(1 for ids in removed.values() if len(ids) > 1) > ROWS // 50
    assert sum(len(entry.in_call) for entry in entries) > 3 * ROWS // 200
    rows = report_of(csv_run)
    assert sum(row["status"] == "INVALID" for row in rows) == ROWS // 100
    assert sum(int(row["busy_rounds"]) > 0 for row in rows) > 3 * ROWS // 200
    assert sum(row["duplicate_of_row"] != "" for row in rows) >= ROWS // 1_000 - 1


def test_the_summary_closes_its_sum_and_counts_what_the_server_counted(csv_run: Path) -> None:
    removed, entries = really_done(csv_run / "audit.jsonl")
    summary = json.loads((csv_run / "report.summary.json").read_text(encoding="utf-8"))
    assert sum(summary["rows_by_status"].values()) == summary["rows"] == ROWS
    assert summary["removed_records"] == sum(map(len, removed.values()))
    assert summary["requests"] == len(entries)
    assert summary["exit_code"] == 0
    assert "password" not in json.dumps(summary).lower()


def test_the_ledger_knows_every_request_that_the_server_saw(csv_run: Path) -> None:
    _, entries = really_done(csv_run / "audit.jsonl")
    (ledger,) = csv_run.glob("state/runs/*/ledger.sqlite")
    with sqlite3.connect(ledger) as connection:
        assert connection.execute("SELECT count(*) FROM attempt").fetchone() == (len(entries),)
        assert connection.execute("SELECT count(*) FROM attempt WHERE ended_at_s IS NULL").fetchone() == (0,)
    connection.close()


def test_the_same_rows_as_a_workbook_give_the_same_report_but_for_the_file(csv_run: Path, tmp_path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Leads")
    sheet.append(["name", "telefon"])
    for index, cell in enumerate(cells(ROWS)):
        sheet.append([f"Jan {index}", int(cell) if cell.isdigit() and index % 2 else cell])
    book.save(tmp_path / "leads.xlsx")
    run_in(tmp_path, tmp_path / "leads.xlsx")
    # When a call is asked about again is chance; what came of it is not.
    by_chance = {"file", "attempts", "busy_rounds", "answered_at", "record_ids"}
    for ours, theirs in zip(report_of(tmp_path), report_of(csv_run), strict=True):
        assert {name: ours[name] for name in ours.keys() - by_chance} == {
            name: theirs[name] for name in theirs.keys() - by_chance
        }


def test_a_lossy_server_sees_as_many_requests_as_the_ledger_has_attempts(tmp_path: Path) -> None:
    source = tmp_path / "leads.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(1_000)), encoding="utf-8")
    faults = ("--fault", "dropped_before=0.2", "--fault", "dropped_after=0.2", "--fault", "cut_short=0.1")
    words = ("--max-numbers-per-request", "50", *FAST, "--tries", "12")
    with simulator(tmp_path, *faults, "--seed", "3") as server:
        done = bulk_remove(*removal(server, tmp_path, source, *words), env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    removed, entries = really_done(tmp_path / "audit.jsonl")
    (ledger,) = tmp_path.glob("state/runs/*/ledger.sqlite")
    with sqlite3.connect(ledger) as connection:
        assert connection.execute("SELECT count(*) FROM attempt").fetchone() == (len(entries),)
    connection.close()
    assert len(entries) > 25
    statuses = {row["number"]: row["status"] for row in report_of(tmp_path)}
    assert set(statuses.values()) == {"REMOVED", "PRESUMED_REMOVED"}
    assert len(removed) == len(statuses) == 1_000
