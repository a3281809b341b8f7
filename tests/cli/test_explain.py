"""What is told of one number must be what the report and the server say."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulk_remove.run.past import explain_number, explained_as_json
from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, removal, report_of, simulator

OPTIONS = ("--also-try", "plus,international", "--max-numbers-per-request", "7", "--rate", "100")
HARD = ("--busy-delay", "100ms", "--busy-for", "300ms", "--max-invalid", "50%")


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    words = ("--absent-share", "0.6", "--busy-share", "0.2", "--busy-seconds", "9999", "--fault", "dropped_after=0.1")
    with simulator(tmp_path_factory.mktemp("server"), *words) as running:
        yield running


@pytest.fixture(scope="module", name="folder")
def folder_fixture(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in a hard world, and a rerun of it."""
    folder = tmp_path_factory.mktemp("runs")
    numbers = [str(601_000_000 + index) for index in range(60)]
    source = folder / "numbers.csv"
    source.write_text("\n".join(["telefon", *numbers, "+48 601 000 003", "brak"]), encoding="utf-8")
    assert bulk_remove(*removal(server, folder, source, *OPTIONS, *HARD)).returncode == 3
    rerun = ("rerun", folder / "report.csv", "--also-try", "plus", "--state-dir", folder / "state", "--yes")
    again = bulk_remove(*rerun, "--url", server.url, "--user", "demo", "--busy-for", "0s", "-o", folder / "second.csv")
    assert again.returncode == 3, again.stderr
    return folder


def told_of(folder: Path, number: str, *more: str) -> list[dict[str, Any]]:
    done = bulk_remove("explain", number, "--json", "--state-dir", folder / "state", *more)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["runs"])


def test_of_every_number_it_tells_the_rows_the_requests_and_the_verdict(server: Running, folder: Path) -> None:
    asked = Counter(number for entry in read_audit(server.audit) for number in entry.asked)
    rows = [row for row in report_of(folder) if row["number"] and not row["duplicate_of_row"]]
    assert {row["status"] for row in rows} >= {"REMOVED", "NOT_EXIST", "CALL_IN_PROGRESS"}
    carried: Counter[str] = Counter()
    for row in rows:
        first, second = map(explained_as_json, explain_number(folder / "state", row["input"]))
        (verdict,) = first["verdicts"]
        for name in ("number", "campaign", "status"):
            assert verdict[name] == row[name], row
        assert f"Rehearsal on a stand-in. {verdict['detail']}".strip() == row["detail"]
        assert " ".join(verdict["record_ids"]) == row["record_ids"]
        assert (str(verdict["attempts"]), str(verdict["busy_rounds"])) == (row["attempts"], row["busy_rounds"])
        assert len(first["requests"]) == verdict["attempts"]
        places = [(place["file"], place["row"]) for place in first["rows"]]
        twice = row["input"] == "601000003"
        assert places == [(row["file"], place) for place in [int(row["row"]), *([62] if twice else [])]]
        for request in (*first["requests"], *second["requests"]):
            carried[request["number"]] += 1
            assert request["begun_at"] <= request["ended_at"]
    assert carried == asked


@pytest.mark.parametrize("text", ["601000003", "+48 601-000-003", " 0048601000003 ", "601 000 003"])
def test_a_number_is_found_however_it_is_typed(folder: Path, text: str) -> None:
    for run in told_of(folder, text):
        assert run["number"] == "601000003"


def test_people_are_told_the_same(folder: Path) -> None:
    done = bulk_remove("explain", "601000003", "-c", "00001", "--state-dir", folder / "state")
    assert done.returncode == 0
    assert "row 62: '+48 601 000 003', for campaign 00001" in done.stdout
    for run in told_of(folder, "601000003"):
        (verdict,) = run["verdicts"]
        assert f"in 00001: {verdict['status']} as {verdict['number']}" in done.stdout


@pytest.mark.parametrize(
    ("number", "campaign", "sentence"),
    [("699999999", "00001", "contains 699999999"), ("601000003", "00002", "contains 601000003 for campaign 00002")],
)
def test_a_number_that_no_run_held_is_4_and_says_so(folder: Path, number: str, campaign: str, sentence: str) -> None:
    done = bulk_remove("explain", number, "-c", campaign, "--state-dir", folder / "state")
    assert (done.returncode, done.stdout) == (4, "")
    assert sentence in done.stderr


def test_of_each_run_it_says_whether_its_ledger_is_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    assert [run["sound"] for run in told_of(folder, "601000003")] == [True, True]
    state = shutil.copytree(folder / "state", tmp_path / "state")
    ledger = min((state / "runs").iterdir()) / "ledger.sqlite"
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE attempt SET ended_at_s = ended_at_s + 1 WHERE attempt_id = 1")
    connection.close()
    done = bulk_remove("explain", "601000003", "--state-dir", state)
    assert done.returncode == 10
    assert "is not as it was written: the table attempt was changed after it was proved last" in done.stdout
    assert done.stdout.count("its ledger is as it was written") == 1
    assert "row 62: '+48 601 000 003', for campaign 00001" in done.stdout
    assert f"run {ledger.parent.name} is not as it was written, so this answer may be wrong" in done.stderr
    elsewhere = bulk_remove("explain", "699999999", "--state-dir", state)
    assert elsewhere.returncode == 10  # it may have held the number before it was altered
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE chunk SET states = CAST('[' AS BLOB)")
    connection.close()
    senseless, sound = told_of(tmp_path, "601000003")
    assert (senseless["sound"], sound["sound"]) == (False, True)
    assert "is damaged" in senseless["problem"]


def test_a_ledger_that_cannot_be_read_is_told_and_hides_no_other(server: Running, tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n601555001\n", encoding="utf-8")
    for _ in range(2):
        bulk_remove(*removal(server, tmp_path, source, "--busy-for", "0s"))
    ledger = next(iter(sorted((tmp_path / "state" / "runs").iterdir()))) / "ledger.sqlite"
    with sqlite3.connect(ledger) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    unread, read = told_of(tmp_path, "601555001")
    assert "in format 99; this one reads" in str(unread["problem"])
    assert (unread["rows"], read["problem"]) == ([], "")
    read_only = bulk_remove("explain", "699999999", "--state-dir", tmp_path / "state")
    assert read_only.returncode == 4
    assert "(1 cannot be read)" in read_only.stderr
