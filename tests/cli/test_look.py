"""plan --look and run --backup, as a user runs them."""

import csv
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, altered, bulk_remove, report_of, simulator, started

HELD = [str(500_000_000 + index) for index in range(450)]
ASKED = [*HELD[100:130], "+48 500 000 130", "999", "601000001", "601000002", HELD[100]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "server").mkdir()
    held = tmp_path / "server" / "held.csv"
    held.write_text("telefon\n" + "\n".join([*HELD, HELD[101], HELD[101]]), encoding="utf-8")
    with simulator(
        tmp_path / "server", "--numbers", str(held), "--busy-share", "0.2", "--busy-seconds", "1"
    ) as running:
        yield running


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(ASKED), encoding="utf-8")
    return source


def look(server: Running, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    own = ("-c", "00001", "--url", server.url, "--user", "demo", "--state-dir", folder / "state", "--rate", "100")
    return bulk_remove("plan", *words, *own, "--max-invalid", "50%")


def run(server: Running, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    own = ("-c", "00001", "--url", server.url, "--user", "demo", "--state-dir", folder / "state", "--rate", "100")
    return bulk_remove("run", "--yes", *words, *own, "--busy-delay", "300ms", "--max-invalid", "50%")


OWN = ("--user", "demo", "-c", "00001", "--rate", "100", "--max-invalid", "50%")


def sent(server: Running) -> list[str]:
    return [entry.method for entry in read_audit(server.audit)]


def methods(server: Running) -> set[str]:
    return {*sent(server)}


def test_every_row_is_told_whether_it_is_there_and_nothing_is_removed(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    seen = tmp_path / "look.csv"
    done = look(server, tmp_path, numbers, "--look-csv", seen)
    assert done.returncode == 0, done.stderr
    words = " ".join((done.stdout + done.stderr).split())
    assert "Reading 452 records takes 5 requests, at least 0 s at 100 a second." in words
    assert "Campaign 00001: 452 records read by 5 requests." in words
    assert "Of 33 numbers 31 were seen there, with 33 records." in words
    assert "They are written as 601234555 (33 of 33 looked at)." in words
    assert "being worked on now" in words
    assert "Nothing was removed." in words
    assert methods(server) == {"GET"}
    if os.name == "posix":
        assert seen.stat().st_mode & 0o777 == 0o600
    with seen.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == [str(place + 2) for place in range(len(ASKED))]
    assert [row["seen"] for row in rows] == ["yes"] * 31 + ["", "no", "no", "yes"]
    assert (rows[1]["number"], rows[1]["records"], rows[1]["forms"]) == (HELD[101], "3", "national 3")
    assert rows[31]["detail"]
    assert 0 < sum(int(row["in_progress"] or 0) for row in rows[:31]) < 31
    assert not [*(tmp_path / "state" / "runs").iterdir()]
    # A run then finds what the look said.
    done = run(server, tmp_path, numbers, "-o", tmp_path / "report.csv")
    assert done.returncode == 0, done.stderr
    for told, row in zip(rows, report_of(tmp_path), strict=True):
        assert {"yes": "REMOVED", "no": "NOT_EXIST", "": "INVALID"}[told["seen"]] == row["status"]
        assert (told["records"] or "0") == row["removed_records"]


def test_no_delete_can_leave_while_looking(server: Running, tmp_path: Path, numbers: Path) -> None:
    """A look that called the one method that deletes, or opened a request other than GET, would end at once."""
    trap = (
        "import os\nfrom bulk_remove.sending.client import Client\n"
        "real = Client._request\n"
        "def guarded(self, method, *more):\n"
        "    if method != 'GET': os._exit(99)\n"
        "    return real(self, method, *more)\n"
        "Client._request = guarded\nClient.delete = lambda *_: os._exit(98)\n"
    )
    own = (*OWN, "--url", server.url, "--state-dir", tmp_path / "state")
    done = altered(trap, "plan", numbers, *own, "--look")
    assert done.returncode == 0, done.stderr
    assert methods(server) == {"GET"}
    done = altered(trap, "run", numbers, *own, "--yes")
    assert done.returncode == 98  # the trap works


def test_a_campaign_that_is_too_large_is_not_read(server: Running, tmp_path: Path, numbers: Path) -> None:
    done = look(server, tmp_path, numbers, "--look", "--look-max", "451")
    assert done.returncode == 5
    assert "Reading 452 records takes 5 requests; the limit is 451 records" in done.stderr
    before = len(sent(server))
    done = run(server, tmp_path, numbers, "--backup", tmp_path / "backup.jsonl", "--look-max", "451")
    assert done.returncode == 5
    assert "--look-max" in done.stderr
    assert not (tmp_path / "backup.jsonl").exists()
    assert len(sent(server)) - before < 5
    assert methods(server) == {"GET"}


def test_as_json_the_look_is_part_of_the_plan(server: Running, tmp_path: Path, numbers: Path) -> None:
    done = look(server, tmp_path, numbers, "--look", "--json")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["look"]
    assert (told["campaign"], told["records"], told["numbers"], told["seen"]) == ("00001", 452, 33, 31)


def test_a_look_needs_a_server_a_user_and_the_right_to_list(tmp_path: Path, numbers: Path) -> None:
    words = ("plan", numbers, "-c", "00001", "--look", "--state-dir", tmp_path / "state", "--max-invalid", "50%")
    assert bulk_remove(*words).returncode == 2
    assert bulk_remove(*words, "--url", "http://127.0.0.1:9").returncode == 2
    assert bulk_remove(*words, "--url", "http://127.0.0.1:9", "--user", "demo").returncode == 7
    with simulator(tmp_path, "--forbid", "records") as server:
        done = look(server, tmp_path, numbers, "--look")
        assert done.returncode == (5 if "limit" in done.stderr else 6), done.stderr
        assert methods(server) == {"GET"}


def test_a_file_that_is_there_is_never_replaced(server: Running, tmp_path: Path, numbers: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for place in (taken, link, tmp_path / "no" / "folder", tmp_path / ("x" * 300) / "folder"):
        looked = look(server, tmp_path, numbers, "--look-csv", place)
        for done in (looked, run(server, tmp_path, numbers, "--backup", place)):
            assert done.returncode == 2
            assert str(place) in " ".join(done.stderr.split())
    for words in (("--look-csv",), ("--backup",)):
        done = (look if words[0] == "--look-csv" else run)(server, tmp_path, numbers, *words, tmp_path / ("x" * 300))
        assert (done.returncode, "File name too long" in done.stderr) == (10, True)
    assert taken.read_text(encoding="utf-8") == "mine"
    assert methods(server) <= {"GET"}


def test_a_backup_holds_the_records_that_go_with_all_that_the_list_gives(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    backup = tmp_path / "backup.jsonl"
    done = run(server, tmp_path, numbers, "--backup", backup, "-o", tmp_path / "report.csv")
    assert done.returncode == 0, done.stderr
    told = " ".join((done.stdout + done.stderr).split())
    assert "Do not use it for erasure requests" in told
    assert "shows no record fields" in told
    assert f"The backup {backup} holds 33 records." in told
    if os.name == "posix":
        assert backup.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in backup.read_text(encoding="utf-8").splitlines()]
    assert {each["campaign"] for each in lines} == {"00001"}
    assert {*lines[0]["record"]} == {"record_id", "phone_number", "system_status"}
    removed = {int(each) for row in report_of(tmp_path) for each in row["record_ids"].split()}
    assert {each["record"]["record_id"] for each in lines} == removed
    assert sent(server).index("DELETE") > 5


def test_without_the_flag_nothing_is_backed_up(server: Running, tmp_path: Path, numbers: Path) -> None:
    done = run(server, tmp_path, numbers)
    assert done.returncode == 0, done.stderr
    assert "backup" not in done.stdout + done.stderr


def test_a_backup_that_cannot_be_written_removes_nothing(server: Running, tmp_path: Path, numbers: Path) -> None:
    broken = "import bulk_remove.run.look as look\ndef full(*_, **__): raise OSError(28, 'No space left on device')\n"
    broken += "look.json = type('Full', (), {'dumps': full})\n"
    own = (*OWN, "--url", server.url, "--state-dir", tmp_path / "state")
    done = altered(broken, "run", numbers, *own, "--yes", "--backup", tmp_path / "backup.jsonl")
    assert done.returncode == 10, done.stderr
    assert "No space left" in done.stderr
    assert methods(server) == {"GET"}
    assert not [*tmp_path.glob("*backup*")]
    assert not [*(tmp_path / "state" / "runs").iterdir()]


def test_a_run_killed_while_it_backs_up_has_removed_nothing_and_can_be_run_again(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    backup = tmp_path / "backup.jsonl"
    own = ("--url", server.url, "--state-dir", tmp_path / "state", "--user", "demo", "-c", "00001")
    with started("run", numbers, *own, "--yes", "--max-invalid", "50%", "--backup", backup, "--rate", "2") as process:
        deadline = time.monotonic() + 60
        while len(sent(server)) < 6:
            assert time.monotonic() < deadline
        process.kill()
        process.wait(timeout=60)
    assert methods(server) == {"GET"}
    assert not backup.exists()
    assert bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state").returncode == 4
    done = run(server, tmp_path, numbers, "--backup", backup)
    assert done.returncode == 0, done.stderr
    assert len(backup.read_text(encoding="utf-8").splitlines()) == 33
