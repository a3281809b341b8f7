"""The history of runs, and old ones deleted for good."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from itertools import count
from pathlib import Path

import pytest

from bulk_remove.ledger.store import schema
from bulk_remove.run.folders import lock_run, new_run_folder, note_report, noted_reports
from tests.support.processes import Running, bulk_remove, removal, report_of, simulator, started
from tests.support.terminal import at_a_terminal

SLOW = ("--max-numbers-per-request", "1", "--rate", "4", "--concurrency", "1", "--busy-for", "0s")
BUSY = ("--max-numbers-per-request", "7", "--rate", "50", "--busy-for", "0s")
HOUR_S = 3600.0
_FIRST_NUMBERS = count(500_000_000, 1000)  # no test meets the numbers of another on their server


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(
        tmp_path_factory.mktemp("server"), "--absent-share", "0.3", "--busy-share", "0.2", "--busy-seconds", "9999"
    ) as running:
        yield running


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    first = next(_FIRST_NUMBERS)
    rows = [str(first + index) for index in range(40)]
    source.write_text("\n".join(["telefon", *rows, rows[0], "brak"]), encoding="utf-8")
    return source


def runs(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return bulk_remove("runs", *words, "--state-dir", folder / "state")


def only_run(folder: Path) -> Path:
    (found,) = (folder / "state" / "runs").iterdir()
    return found


def killed_while_sending(server: Running, folder: Path, numbers: Path, how: signal.Signals = signal.SIGKILL) -> Path:
    """Kill or stop a run after some of its requests; returns its folder."""
    before = server.audit.stat().st_size
    with started(*removal(server, folder, numbers), *SLOW) as process:
        for _ in range(3000):
            if server.audit.stat().st_size > before + 1000:
                break
            time.sleep(0.01)
        listed = json.loads(runs(folder, "list", "--json").stdout)["runs"]
        assert [run["ending"] for run in listed] == ["under way"]
        refused = runs(folder, "prune", "--older-than", "0s", "--yes")
        assert "nothing is deleted" in refused.stdout
        abandoned = runs(folder, "abandon", only_run(folder).name)
        assert (abandoned.returncode, "is under way" in abandoned.stderr) == (8, True)
        process.send_signal(how)
    return only_run(folder)


def test_a_run_killed_while_its_ledger_was_made_is_passed_over(server: Running, tmp_path: Path, numbers: Path) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY)).returncode == 3
    earlier = only_run(tmp_path)
    unmade = earlier.with_name("29991231-235959-ffff")
    unmade.mkdir()
    with closing(sqlite3.connect(unmade / "ledger.sqlite")) as connection:
        connection.executescript(schema())
    verified = runs(tmp_path, "verify")
    assert (verified.returncode, earlier.name in verified.stdout) == (0, True), verified.stderr
    resumed = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--rate", "50", "--busy-for", "0s")
    assert resumed.returncode == 3, resumed.stderr
    assert earlier.name in resumed.stdout + resumed.stderr


def test_the_history_says_of_each_run_what_its_report_says(server: Running, tmp_path: Path, numbers: Path) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY)).returncode == 3
    told = json.loads(runs(tmp_path, "list", "--json").stdout)["runs"]
    (run,) = told
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    for name in ("run_id", "host", "campaigns", "rows", "numbers", "duplicate_rows", "requests", "faults", "sessions"):
        assert run[name] == summary[name], name
    statuses = [row["status"] for row in report_of(tmp_path) if not row["duplicate_of_row"]]
    by_status = {status: statuses.count(status) for status in {*statuses} - {"INVALID"}}
    assert {status: count for status, count in run["numbers_by_status"].items() if count} == by_status
    in_call = by_status["CALL_IN_PROGRESS"]
    assert (run["invalid_rows"], run["open_numbers"], run["ending"]) == (1, in_call, "done")
    assert run["reports"] == [str(tmp_path / "report.csv")]
    shown = runs(tmp_path, "list").stdout
    assert (
        f"REMOVED {by_status['REMOVED']}, NOT_EXIST {by_status['NOT_EXIST']}, CALL_IN_PROGRESS {in_call}, INVALID"
        in shown
    )
    assert "00001 on 127.0.0.1" in shown


def test_a_run_is_shown_with_settings_and_sources_but_no_number_and_no_secret(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    reason = "RODO-118, art. 17"
    assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY, "--reason", reason)).returncode == 3
    assert json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))["reason"] == reason
    shown = runs(tmp_path, "show", only_run(tmp_path).name)
    assert runs(tmp_path, "show").stdout == shown.stdout
    assert shown.returncode == 0, shown.stderr
    for words in (
        f"Input: {numbers}",
        "rate = 50.0",
        "Sent as: demo",
        f"Reason: {reason}\n",
        f"Report: {tmp_path / 'report.csv'}\n",
        ": done",
    ):
        assert words in shown.stdout
    (tmp_path / "report.csv").unlink()
    as_json = runs(tmp_path, "show", only_run(tmp_path).name, "--json").stdout
    assert json.loads(as_json)["reports"] == []
    assert json.loads(as_json)["session_times"][0]["ending"] == "done"
    for told in (shown.stdout, as_json):
        assert "50000" not in told
        assert "demo-password" not in told
    assert "(gone)" in runs(tmp_path, "show", only_run(tmp_path).name).stdout


def test_a_run_that_is_not_there_is_4_and_a_place_without_runs_says_so(tmp_path: Path) -> None:
    assert runs(tmp_path, "show", "20260101-000000-abcd").returncode == 4
    assert "There is no run" in runs(tmp_path, "list").stdout
    assert json.loads(runs(tmp_path, "list", "--json").stdout) == {"runs": []}
    assert "No run is that old" in runs(tmp_path, "prune", "--older-than", "0s").stdout


@pytest.mark.skipif(os.name != "posix", reason="kills the POSIX way")
def test_a_killed_run_is_told_from_one_under_way_and_can_be_pruned_only_once_it_is_dead(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    killed = killed_while_sending(server, tmp_path, numbers)
    shown = runs(tmp_path, "list").stdout
    assert "    killed; " in shown
    assert f"to go on: bulk-remove resume {killed.name}" in shown
    assert bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--rate", "50").returncode == 3
    run = json.loads(runs(tmp_path, "show", killed.name, "--json").stdout)
    assert (run["ending"], run["resumable_numbers"] > 0, run["sessions"]) == ("done", True, 2)
    assert [session["ending"] for session in run["session_times"]] == [None, "done"]


def test_prune_deletes_what_is_old_enough_and_tells_what_it_leaves(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY)).returncode == 3
    (tmp_path / ".report.csv.4711.part").touch()
    folder = only_run(tmp_path)
    assert "nothing is deleted" in runs(tmp_path, "prune", "--older-than", "1h", "--yes").stdout
    looked = runs(tmp_path, "prune", "--older-than", "0s", "--dry-run").stdout
    assert f"Would delete: {folder.name}" in looked
    asked = runs(tmp_path, "prune", "--older-than", "0s")
    assert (asked.returncode, folder.exists()) == (2, True)
    done = runs(tmp_path, "prune", "--older-than", "0s", "--yes")
    assert (done.returncode, folder.exists()) == (0, False), done.stderr
    for told in (looked, done.stdout):
        assert told.endswith(f"{tmp_path / 'report.csv'}\n  {tmp_path / '.report.csv.4711.part'}\n")
    assert "ledger.sqlite" in done.stdout
    assert "Deleted for good: 1 run" in done.stdout
    assert (tmp_path / "report.csv").exists()
    assert list((tmp_path / "state" / "runs").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("typed", "code"), [("delete\n", 0), ("yes\n", 5), ("\n", 5)])
def test_at_a_terminal_nothing_is_deleted_before_the_word_is_typed(
    server: Running, tmp_path: Path, numbers: Path, typed: str, code: int
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY)).returncode == 3
    folder = only_run(tmp_path)
    words = ["runs", "prune", "--older-than", "0s", "--state-dir", str(tmp_path / "state")]
    shown, ended = at_a_terminal(words, ("to go on:", typed))
    assert (ended, folder.exists()) == (code, code != 0), shown
    assert f"without activity since {date.today():%Y}-" in shown  # noqa: DTZ011 - as the machine's clock says
    assert "; no activity since " in shown


@pytest.mark.parametrize("age", ["90", "0", "1.5"])
def test_an_age_without_a_unit_deletes_nothing(tmp_path: Path, age: str) -> None:
    """Ninety seconds are not what somebody means who leaves the days out."""
    done = runs(tmp_path, "prune", "--older-than", age, "--yes")
    assert done.returncode == 2
    assert "has no unit; write 90d" in " ".join(done.stderr.split())


def test_what_a_run_left_that_was_killed_while_it_planned_goes_after_an_hour(tmp_path: Path) -> None:
    now_s = time.time()
    old, young = (new_run_folder(tmp_path / "state", now_s - age_s) for age_s in (2 * HOUR_S, 60.0))
    for folder in (old, young):
        (folder / "keys.tmp").write_bytes(b"numbers")
    assert runs(tmp_path, "list").stdout.count("killed while it planned: nothing was sent") == 2
    done = runs(tmp_path, "prune", "--older-than", "90d", "--yes")
    assert done.returncode == 0, done.stderr
    assert (old.exists(), young.exists()) == (False, True)
    assert "  keys.tmp\n" in done.stdout


def test_a_ledger_that_cannot_be_read_is_told_and_hides_no_other_run(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    damaged = new_run_folder(tmp_path / "state", time.time() - 100 * 24 * HOUR_S)
    (damaged / "ledger.sqlite").write_bytes(b"no ledger at all " * 1000)
    assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY)).returncode == 3
    shown = runs(tmp_path, "list")
    assert shown.returncode == 0, shown.stderr
    assert f"{damaged.name}  " in shown.stdout
    assert "its ledger cannot be read" in shown.stdout
    assert "REMOVED" in shown.stdout
    assert runs(tmp_path, "prune", "--older-than", "90d", "--yes").returncode == 0
    assert not damaged.exists()


def test_a_run_that_another_process_works_on_is_neither_resumed_nor_deleted(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY)).returncode == 3
    with lock_run(only_run(tmp_path)):
        again = bulk_remove("resume", "--state-dir", tmp_path / "state")
        assert (again.returncode, "is under way" in again.stderr) == (8, True)
        assert "nothing is deleted" in runs(tmp_path, "prune", "--older-than", "0s", "--yes").stdout


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_an_abandoned_run_is_never_taken_up_again_and_its_ledger_and_its_report_stay(
    server: Running, tmp_path: Path, numbers: Path, *, killed: bool
) -> None:
    run = killed_while_sending(server, tmp_path, numbers, signal.SIGKILL if killed else signal.SIGTERM)
    assert "to go on: bulk-remove resume" in runs(tmp_path, "list").stdout
    before = server.audit.stat().st_size
    done = runs(tmp_path, "abandon", run.name)
    assert done.returncode == 0, done.stderr
    assert f"Run {run.name} is abandoned: it cannot be resumed." in done.stdout
    statuses = {row["status"] for row in report_of(run)}
    assert {"UNSENT", "INVALID"} < statuses
    assert "IN_DOUBT" not in statuses or killed
    for words in (["resume", "--yes"], ["resume", run.name, "--yes"]):
        refused = bulk_remove(*words, "--state-dir", tmp_path / "state")
        assert (refused.returncode, f"Run {run.name} was abandoned" in refused.stderr) == (4, True), refused.stderr
        assert f"bulk-remove rerun {run.name}" in refused.stderr
    listed = runs(tmp_path, "list")
    assert "    abandoned; " in listed.stdout
    assert "to go on" not in listed.stdout
    (as_json,) = json.loads(runs(tmp_path, "list", "--json").stdout)["runs"]
    assert (as_json["ending"], as_json["resumable_numbers"]) == ("abandoned", 0)
    assert runs(tmp_path, "verify", run.name).returncode == 0
    assert runs(tmp_path, "abandon", run.name).returncode == 0
    assert server.audit.stat().st_size == before
    anew = bulk_remove(
        "rerun", run.name, "--yes", "--state-dir", tmp_path / "state", "--rate", "50", "--busy-for", "0s"
    )
    assert (anew.returncode, "UNSENT" in anew.stdout) == (3, False), anew.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_resume_shows_what_was_done_and_what_is_left_and_asks_at_a_terminal(
    server: Running, tmp_path: Path, numbers: Path, answer: str
) -> None:
    killed_while_sending(server, tmp_path, numbers, signal.SIGTERM)
    before = report_of(tmp_path)
    left = sum(row["status"] in {"UNSENT", "CALL_IN_PROGRESS"} and not row["duplicate_of_row"] for row in before)
    asked = server.audit.stat().st_size
    resume = ("resume", "--state-dir", tmp_path / "state", "--rate", "50", "--busy-for", "0s")
    unasked = bulk_remove(*resume)
    assert (unasked.returncode, "There is no terminal to confirm at." in unasked.stderr) == (2, True)
    assert server.audit.stat().st_size == asked
    shown, code = at_a_terminal(resume, ("n to stop:", f"{answer}\n"))
    assert code == (3 if answer == "yes" else 5), shown
    assert f"Run {only_run(tmp_path).name} of campaign 00001 'Stand-in 1' on 127.0.0.1" in shown
    assert f"{numbers}: 42 rows" in " ".join(shown.split())
    assert f"About to remove {left} numbers from campaign 00001" in shown
    assert (server.audit.stat().st_size > asked) == (answer == "yes")
    if answer == "no":
        assert report_of(tmp_path) == before
    else:
        # What is left is in calls, and is asked for again only with consent; else there is nothing to consent to.
        assert bulk_remove(*resume, "--yes").returncode == 3


def test_a_run_that_sent_nothing_is_abandoned_too_and_one_that_is_not_there_is_4(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    dies = "import os\nfrom bulk_remove.ledger import Sending\nSending.begin_session = lambda *_: os._exit(9)"
    done = bulk_remove(*removal(server, tmp_path, numbers), before=dies)
    assert done.returncode == 9, done.stderr
    told = runs(tmp_path, "abandon", only_run(tmp_path).name)
    assert (told.returncode, "It has sent nothing." in told.stdout) == (0, True), told.stderr
    assert runs(tmp_path, "abandon", "nothing").returncode == 4


def test_the_places_of_reports_are_kept_each_once_and_a_line_cut_short_is_none(tmp_path: Path) -> None:
    for name in ("a.csv", 'b".csv', "a.csv"):
        note_report(tmp_path, tmp_path / name)
    with (tmp_path / "reports.jsonl").open("a", encoding="utf-8") as file:
        file.write('"/some/wh')
    assert noted_reports(tmp_path) == ((tmp_path / 'b".csv', tmp_path / "a.csv"), True)


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"[1]", b"7", b"{", b'"a\\u0000"', b'"cut\n', b"\x00" * 9], ids=repr)
def test_a_damaged_line_among_the_places_of_reports_is_told_and_costs_no_other(tmp_path: Path, damage: bytes) -> None:
    note_report(tmp_path, tmp_path / "a.csv")
    with (tmp_path / "reports.jsonl").open("ab") as file:
        file.write(damage + b"\n")
    note_report(tmp_path, tmp_path / "b.csv")
    assert noted_reports(tmp_path) == ((tmp_path / "a.csv", tmp_path / "b.csv"), False)


@pytest.mark.parametrize(
    "place", ["bulk_remove.cli.past_commands._check_wanted", "bulk_remove.cli.past_commands.delete_run"]
)
def test_a_stop_while_pruning_says_what_was_deleted_and_nothing_of_what_was_sent(
    server: Running, tmp_path: Path, numbers: Path, place: str
) -> None:
    for _ in range(3):
        assert bulk_remove(*removal(server, tmp_path, numbers, *BUSY)).returncode == 3
    before = _STRUCK_AT_SECOND.format(name=place.rpartition(".")[2], at=1 if "wanted" in place else 2)
    words = ("runs", "prune", "--older-than", "0s", "--yes", "--state-dir", tmp_path / "state")
    done = bulk_remove(*words, before=before)
    assert done.returncode == 130, done.stderr
    left = len([*(tmp_path / "state" / "runs").iterdir()])
    told = "nothing was deleted." if left == 3 else "Deleted for good: 1 run, "
    assert left == (3 if "wanted" in place else 2)
    assert f"Stopped: {told}" in done.stderr
    assert "sent" not in done.stderr


_STRUCK_AT_SECOND = """
from bulk_remove.cli import past_commands as runs_jobs
whole, calls = runs_jobs.{name}, []
def struck(*words, **named):
    calls.append(1)
    if len(calls) == {at}:
        raise KeyboardInterrupt
    return whole(*words, **named)
runs_jobs.{name} = struck
"""
