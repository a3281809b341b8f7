"""resume and rerun as a user runs them: the report is whole, the old verdicts are kept, nothing final is sent again."""

import csv
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, removal, report_of, simulator, started

BUSY = ("--busy-share", "0.2", "--busy-seconds", "1.5", "--duplicate-share", "0.2")
IMPATIENT = ("--busy-for", "0", "--max-numbers-per-request", "20", "--rate", "100")
PATIENT = ("--busy-for", "30s", "--busy-delay", "300ms", "--rate", "200")


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    rows = [f"{500_000_000 + index},klient {index}" for index in range(200)]
    text = "\n".join(["telefon,name", *rows, "500000003,jeszcze raz", "brak,nikt", "=1+1,formula"])
    source.write_text(text, encoding="utf-8")
    return source


def again(server: Running, folder: Path, earlier: str | Path, *options: str) -> subprocess.CompletedProcess[str]:
    own = ("--url", server.url, "--user", "demo", "--state-dir", folder / "state", "-o", folder / "report-2.csv")
    return bulk_remove("rerun", earlier, *own, "--yes", *PATIENT, *options)


def second_report(folder: Path) -> list[dict[str, str]]:
    with (folder / "report-2.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def check_second(folder: Path, first: list[dict[str, str]], audit: Path) -> None:
    """Hold the second report against the first and against what the server really did."""
    second = second_report(folder)
    settled = {row["number"] for row in first if row["status"] == "REMOVED"}
    removed: dict[str, list[int]] = {}
    times_asked: Counter[str] = Counter()
    for entry in read_audit(audit):
        times_asked.update(entry.asked)
        for number, ids in entry.removed.items():
            removed.setdefault(number, []).extend(ids)
    assert len(second) == len(first)
    for before, after in zip(first, second, strict=True):
        assert [after[name] for name in ("file", "row", "input", "number")] == [
            before[name] for name in ("file", "row", "input", "number")
        ]
        if before["status"] in {"REMOVED", "INVALID"}:
            assert after == before
        else:
            assert after["status"] == "REMOVED"
            assert int(after["attempts"]) > int(before["attempts"])
        if after["number"]:
            assert sorted(map(int, after["record_ids"].split())) == sorted(removed[after["number"]])
            assert int(after["removed_records"]) == len(removed[after["number"]])
    assert all(times_asked[number] == 1 for number in settled)


def first_run(server: Running, folder: Path, numbers: Path, *options: str) -> list[dict[str, str]]:
    done = bulk_remove(*removal(server, folder, numbers, *IMPATIENT, *options))
    assert done.returncode == 3, done.stderr
    rows = report_of(folder)
    assert {row["status"] for row in rows} == {"REMOVED", "CALL_IN_PROGRESS", "INVALID"}
    return rows


def test_rerun_from_a_run_asks_only_for_what_is_open_and_keeps_the_rest(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path, *BUSY) as server:
        first = first_run(server, tmp_path, numbers)
        (run,) = (tmp_path / "state" / "runs").iterdir()
        done = again(server, tmp_path, run.name)
        assert done.returncode == 0, done.stderr
    check_second(tmp_path, first, tmp_path / "audit.jsonl")
    assert "settled by an earlier run" in done.stdout


@pytest.mark.parametrize("kind", ["as it was", "columns moved", "saved by a Polish Excel", "saved as a workbook"])
def test_rerun_from_a_report_alone_on_another_machine(tmp_path: Path, numbers: Path, kind: str) -> None:
    with simulator(tmp_path, *BUSY) as server:
        first = first_run(server, tmp_path, numbers)
        for file in sorted((tmp_path / "state").rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        done = again(server, tmp_path, saved(tmp_path / "report.csv", kind))
        assert done.returncode == 0, done.stderr
    check_second(tmp_path, first, tmp_path / "audit.jsonl")


def saved(report: Path, kind: str) -> Path:
    """Return the report as somebody may have saved it."""
    with report.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    if kind == "columns moved":
        header, rows = header[::-1], [row[::-1] for row in rows]
    if kind == "saved as a workbook":
        book = openpyxl.Workbook()
        for row in [header, *rows]:
            book.worksheets[0].append([int(cell) if cell.isdecimal() and cell[0] != "0" else cell for cell in row])
        book.save(report.with_name("saved.xlsx"))
        return report.with_name("saved.xlsx")
    excel = kind == "saved by a Polish Excel"
    copy = report.with_name("saved.csv")
    with copy.open("w", encoding="utf-8-sig" if excel else "utf-8", newline="") as file:
        csv.writer(file, delimiter=";" if excel else ",").writerows([header, *rows])
    return copy


def test_what_was_made_inert_for_spreadsheets_is_read_back_again_and_again(tmp_path: Path) -> None:
    """Cells that are numbers all the same, cells that are none, columns and a name that a spreadsheet would run."""
    odd = ["+48-500-000-001", "\t500000002", "\n+48 500 000 003", "'500000004", "500 000 005", "+48 (500) 000-006"]
    bad = ["x;=1+1", "=cmd|' /C calc'!A0", "500000008;+500000009", '";"=1', "-1\n=2"]
    source = tmp_path / "=1+1;=2.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["telefon", "=1;=2"], *([cell, f"a\t{cell}"] for cell in odd + bad)])
    words = ("--keep-columns", "--max-invalid", "90%", "--column", "1")
    with simulator(tmp_path, "--busy-share", "1", "--busy-seconds", "9999") as server:
        assert bulk_remove(*removal(server, tmp_path, source, *IMPATIENT, *words)).returncode == 3
        rows = report_of(tmp_path)
        for number in range(3):
            report = tmp_path / f"report-{number}.csv"
            (tmp_path / "report.csv").rename(report)
            again = ("rerun", report, "--url", server.url, "--user", "demo", "--busy-for", "0s", "--yes")
            done = bulk_remove(*again, "-o", tmp_path / "report.csv", "--state-dir", tmp_path / "state")
            assert done.returncode == 3, done.stderr
            for row, before in zip(report_of(tmp_path), rows, strict=True):
                kept = ("row", "input", "number", "campaign", "status", "file", "'=1;'=2")
                assert [row[name] for name in kept] == [before[name] for name in kept]
    assert [row["number"] for row in rows] == [f"50000000{place}" for place in range(1, 7)] + [""] * len(bad)


def test_a_rerun_keeps_the_inputs_own_columns(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path, *BUSY) as server:
        first_run(server, tmp_path, numbers, "--keep-columns")
        for earlier in (next((tmp_path / "state" / "runs").iterdir()).name, tmp_path / "report.csv"):
            done = again(server, tmp_path, earlier)
            assert done.returncode == 0, done.stderr
            assert list(second_report(tmp_path)[0])[:4] == ["telefon", "name", "file", "row"]
            assert second_report(tmp_path)[5]["name"] == "klient 5"


@pytest.mark.parametrize(
    ("of", "column", "value", "sentence"),
    [
        pytest.param("CALL_IN_PROGRESS", "number", "500000199", "no longer fits the input", id="another number"),
        pytest.param("CALL_IN_PROGRESS", "number", "5E+08", "no longer fits the input", id="rounded by a spreadsheet"),
        pytest.param("REMOVED", "number", "4.91512E+12", "no longer fits the input", id="rounded where it is final"),
        pytest.param("REMOVED", "number", "5" * 19, "no longer fits the input", id="too long where it is final"),
        pytest.param(
            "CALL_IN_PROGRESS", "status", "GONE", "the status or a count is not valid", id="an unknown status"
        ),
        pytest.param("CALL_IN_PROGRESS", "campaign", "00002", "belongs to campaign 00002", id="another campaign"),
    ],
)
def test_a_report_that_was_changed_on_the_way_is_refused(
    tmp_path: Path, numbers: Path, of: str, column: str, value: str, sentence: str
) -> None:
    with simulator(tmp_path, *BUSY) as server:
        rows = first_run(server, tmp_path, numbers)
        changed = next(row for row in rows[1:] if row["status"] == of and row["number"] != rows[0]["number"])
        changed[column] = value
        with (tmp_path / "changed.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        done = again(server, tmp_path, tmp_path / "changed.csv", "-c", "00001")
    assert done.returncode == 4, done.stdout
    assert sentence in done.stderr
    assert "500000" not in done.stderr
    assert column != "number" or value not in done.stderr


def test_a_report_of_two_files_sorted_by_number_keeps_its_order_and_its_two_sources(tmp_path: Path) -> None:
    files = [tmp_path / "even.csv", tmp_path / "odd.csv"]
    for begin, source in enumerate(files):
        lines = [f"{500_000_000 + number},klient {number}" for number in range(begin, 200, 2)]
        source.write_text("\n".join(["telefon,name", *lines]), encoding="utf-8")
    with simulator(tmp_path, *BUSY) as server:
        assert bulk_remove(*removal(server, tmp_path, *files, *IMPATIENT, "--keep-columns")).returncode == 3
        first = sorted(report_of(tmp_path), key=lambda row: row["number"])
        with (tmp_path / "sorted.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(first[0]))
            writer.writeheader()
            writer.writerows(first)
        done = again(server, tmp_path, tmp_path / "sorted.csv")
        assert done.returncode == 0, done.stderr
    check_second(tmp_path, first, tmp_path / "audit.jsonl")
    assert [row["name"] for row in second_report(tmp_path)] == [f"klient {number}" for number in range(200)]
    latest = max((tmp_path / "state" / "runs").iterdir(), key=lambda run: run.stat().st_ctime_ns)
    with closing(sqlite3.connect(latest / "ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT count(*), count(DISTINCT properties) FROM source").fetchone() == (2, 2)
        assert ledger.execute("SELECT count(*) FROM block").fetchone() == (200,)


def test_a_rerun_of_what_is_final_sends_nothing_and_writes_the_same_report(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path) as server:
        assert bulk_remove(*removal(server, tmp_path, numbers)).returncode == 0
        before = sum(entry.method == "DELETE" for entry in read_audit(tmp_path / "audit.jsonl"))
        done = again(server, tmp_path, tmp_path / "report.csv")
        assert done.returncode == 0, done.stderr
    assert sum(entry.method == "DELETE" for entry in read_audit(tmp_path / "audit.jsonl")) == before
    assert second_report(tmp_path) == report_of(tmp_path)


@pytest.mark.parametrize(("header", "missing"), [("number,name", "row, input"), ("telefon,name", "number")])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, header: str, missing: str) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(f"{header}\n601234555,x\n", encoding="utf-8")
    done = bulk_remove(
        "rerun", wrong, "--url", "http://127.0.0.1:9", "--user", "demo", "--yes", "--state-dir", tmp_path
    )
    assert done.returncode == 4
    told = " ".join(done.stderr.split())
    assert f"is not a report. Missing columns: {missing}" in told
    assert "a list of numbers is for: bulk-remove run" in told
    assert "--column" not in told


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_stopped_run_is_finished_by_resume_though_its_input_is_gone(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path, *BUSY) as server:
        slow = ("--max-numbers-per-request", "4", "--rate", "15", "--busy-delay", "300ms")
        with started(*removal(server, tmp_path, numbers, "--keep-columns", *slow)) as run:
            while not (tmp_path / "audit.jsonl").read_text(encoding="utf-8").count("DELETE") > 5:
                assert run.poll() is None
                time.sleep(0.01)
            run.send_signal(signal.SIGTERM)
            assert run.wait(30) == 143
        first = report_of(tmp_path)
        numbers.unlink()
        done = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--rate", "200")
        assert done.returncode == 0, done.stderr
    rows = report_of(tmp_path)
    assert len(rows) == len(first) == 203
    assert any(row["status"] == "UNSENT" for row in first)
    assert {row["status"] for row in rows} == {"REMOVED", "INVALID"}
    asked = Counter(number for entry in read_audit(tmp_path / "audit.jsonl") for number in entry.asked)
    assert all(asked[row["number"]] == 1 for row in first if row["status"] == "REMOVED" and row["busy_rounds"] == "0")


def test_resume_of_nothing_is_4_and_of_a_damaged_ledger_10(tmp_path: Path, numbers: Path) -> None:
    assert bulk_remove("resume", "--state-dir", tmp_path / "state").returncode == 4
    assert bulk_remove("resume", "20260101-000000-0000", "--state-dir", tmp_path / "state").returncode == 4
    with simulator(tmp_path) as server:
        bulk_remove(*removal(server, tmp_path, numbers))
    (ledger,) = tmp_path.glob("state/runs/*/ledger.sqlite")
    content = bytearray(ledger.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    ledger.write_bytes(content)
    done = bulk_remove("resume", "--state-dir", tmp_path / "state")
    assert done.returncode == 10
    assert "is damaged; nothing was sent" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_deadline_stops_safely_with_9(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path) as server:
        # Late enough for a slow machine to have started: a time that is past is tomorrow's.
        until = (datetime.now().astimezone() + timedelta(seconds=10)).strftime("%H:%M:%S")
        slow = ("--max-numbers-per-request", "1", "--rate", "5")
        done = bulk_remove(*removal(server, tmp_path, numbers, "--until", until, *slow))
    assert done.returncode == 9, done.stderr
    assert "the deadline came first" in done.stdout
    assert "bulk-remove resume" in done.stdout
    statuses = Counter(row["status"] for row in report_of(tmp_path))
    assert statuses["REMOVED"] > 0
    assert statuses["UNSENT"] > 100


@pytest.mark.parametrize("known", ["ledger", "summary", "place"])
def test_a_report_is_never_asked_again_of_a_server_that_did_not_see_it(
    tmp_path: Path, numbers: Path, known: str
) -> None:
    """What one server removed, as in a rehearsal, is no verdict of another."""
    with simulator(tmp_path, *BUSY) as server:
        first_run(server, tmp_path, numbers)
    report = tmp_path / "report.csv"
    if known == "ledger":
        report = report.rename(tmp_path / "sent by mail.csv")
    elif known == "summary":
        shutil.rmtree(tmp_path / "state")
    else:
        saved(report, "saved by a Polish Excel").replace(report)
        (tmp_path / "report.summary.json").unlink()
    other = tmp_path / "other"
    other.mkdir()
    with simulator(other) as server:
        done = again(server, tmp_path, report)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "is the report of a run against 127.0.0.1:" in done.stderr
    assert "`run` the original list there" in done.stderr
    assert not (tmp_path / "report-2.csv").exists()
    assert not any(entry.method == "DELETE" for entry in read_audit(other / "audit.jsonl"))


def test_a_rerun_counts_only_the_records_that_it_removed(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path, *BUSY) as server:
        first_run(server, tmp_path, numbers)
        before = removed_in(server)
        done = again(server, tmp_path, tmp_path / "report.csv")
        assert done.returncode == 0, done.stderr
        assert before > 0
        assert f"  {removed_in(server) - before} records removed by " in done.stdout


def removed_in(server: Running) -> int:
    return sum(len(ids) for entry in read_audit(server.audit) for ids in entry.removed.values())


def test_a_resume_of_a_finished_run_changes_nothing_but_a_missing_report(tmp_path: Path, numbers: Path) -> None:
    """What others removed since is no matter of that run, whose counts were true when it ended."""
    with simulator(tmp_path) as server:
        assert bulk_remove(*removal(server, tmp_path, numbers)).returncode == 0
        later = tmp_path / "later.csv"
        later.write_text("telefon\n" + "".join(f"{601_000_000 + at * 37}\n" for at in range(90)), encoding="utf-8")
        (run,) = (tmp_path / "state" / "runs").iterdir()
        words = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", tmp_path / "state", "--yes")
        assert bulk_remove("run", later, *words, "-o", tmp_path / "later-report.csv").returncode == 0
        requests = len([*read_audit(server.audit)])
        before = {path: path.read_bytes() for path in (tmp_path / "report.csv", tmp_path / "report.summary.json")}
        done = bulk_remove("resume", run.name, "--yes", "--state-dir", tmp_path / "state")
        assert done.returncode == 0, done.stderr
        assert "This run is already finished; nothing was sent." in done.stdout
        assert {path: path.read_bytes() for path in before} == before
        report = tmp_path / "report.csv"
        report.unlink()
        assert bulk_remove("resume", run.name, "--yes", "--state-dir", tmp_path / "state").returncode == 0
        assert report.read_bytes() == before[report]
        assert len([*read_audit(server.audit)]) == requests
