"""A drop folder, night after night: no file is lost, none is run twice, and each has its report beside it."""

import csv
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bulk_remove.run.folders import lock_campaigns
from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, simulator, started, unsaid

PACE = ("--max-numbers-per-request", "5", "--rate", "100", "--busy-delay", "200ms", "--settle", "50ms")
_FIRST_NUMBERS = count(500_000_000, 1000)  # no test meets the numbers of another on their server


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(name="inbox")
def inbox_fixture(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def words(server: Running, inbox: Path, *more: str) -> tuple[str | Path, ...]:
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", inbox.parent / "state")
    return ("inbox", inbox, "--yes", *unsaid((*own, *PACE), more), *more)


def night(server: Running, inbox: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return bulk_remove(*words(server, inbox, *more))


def drop(inbox: Path, name: str, size: int = 20) -> list[str]:
    """Put a file of new numbers into the inbox; returns them."""
    first = next(_FIRST_NUMBERS)
    numbers = [str(first + index) for index in range(size)]
    (inbox / name).write_text("\n".join(["telefon", *numbers]), encoding="utf-8")
    return numbers


def stop_a_night(server: Running, inbox: Path, how: signal.Signals = signal.SIGTERM) -> None:
    """Stop a night in the middle of a file, after another was kept out."""
    before = server.audit.stat().st_size
    with started(*words(server, inbox, "--rate", "1", "--concurrency", "1")) as process:
        while server.audit.stat().st_size < before + 500:
            assert process.poll() is None
            time.sleep(0.01)
        locked = night(server, inbox)
        process.send_signal(how)
        assert process.wait(30) == (143 if how is signal.SIGTERM else -how)
    assert (locked.returncode, "Another run on this machine" in locked.stderr) == (8, True)


def lying_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder, those that begin with a dot left out."""
    return sorted(path.name for path in folder.glob("[!.]*") if path.is_file())


def statuses(report: Path) -> dict[str, str]:
    with report.open(encoding="utf-8", newline="") as file:
        return {row["number"]: row["status"] for row in csv.DictReader(file)}


def times_asked(server: Running, numbers: list[str]) -> set[int]:
    asked = Counter(number for entry in read_audit(server.audit) for number in entry.asked)
    return {asked[number] for number in numbers}


def test_each_file_is_run_and_moved_with_its_report_and_what_cannot_be_read_with_a_note(
    server: Running, inbox: Path
) -> None:
    first, second = drop(inbox, "a.csv"), drop(inbox, "c.csv")
    (inbox / "b.csv").write_text("miasto\nŁódź\n", encoding="utf-8")
    done = night(server, inbox)
    assert done.returncode == 4, done.stdout + done.stderr
    assert lying_in(inbox) == []
    ends = ("", ".report.csv", ".report.summary.json")
    assert lying_in(inbox / "done") == sorted(f"{name}.csv{end}" for name in ("a", "c") for end in ends)
    assert lying_in(inbox / "failed") == ["b.csv", "b.csv.note.txt"]
    assert "Nothing was sent." in (inbox / "failed" / "b.csv.note.txt").read_text(encoding="utf-8")
    for name, numbers in (("a", first), ("c", second)):
        assert statuses(inbox / "done" / f"{name}.csv.report.csv") == dict.fromkeys(numbers, "REMOVED")
    assert "b.csv: " in done.stdout
    assert night(server, inbox).returncode == 0


def test_reports_in_other_formats_go_with_the_file(server: Running, inbox: Path) -> None:
    drop(inbox, "a.csv")
    done = night(server, inbox, "--report", "html,xlsx", "--csv-for", "excel-pl")
    assert done.returncode == 0, done.stderr
    ends = ("", ".report.csv", ".report.html", ".report.summary.json", ".report.xlsx")
    assert lying_in(inbox / "done") == [f"a.csv{end}" for end in ends]
    assert (inbox / "done" / "a.csv.report.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_content_that_was_done_is_not_sent_again_unless_it_is_to_be_read_otherwise(
    server: Running, inbox: Path
) -> None:
    numbers = drop(inbox, "a.csv")
    content = (inbox / "a.csv").read_bytes()
    assert night(server, inbox).returncode == 0
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_bytes(content)
    again = night(server, inbox)
    assert again.returncode == 0, again.stderr
    assert times_asked(server, numbers) == {1}
    assert again.stdout.count("has already done the same content") == 2
    assert {"a.csv", "a.2.csv", "a.2.csv.note.txt", "b.csv", "b.csv.note.txt"} <= {*lying_in(inbox / "done")}
    assert (inbox / "done" / "a.2.csv").read_bytes() == content
    (inbox / "b.csv").write_bytes(content)
    assert night(server, inbox, "--number-format", "e164").returncode == 0
    assert times_asked(server, [f"+48{number}" for number in numbers]) == {1}
    (inbox / "b.csv").write_bytes(content)
    assert night(server, inbox, "--where", f"telefon={numbers[0]}").returncode == 0
    assert (times_asked(server, numbers[:1]), times_asked(server, numbers[1:])) == ({2}, {1})


def test_content_is_known_again_whatever_form_its_campaign_was_found_to_use(tmp_path: Path, inbox: Path) -> None:
    numbers = drop(inbox, "a.csv")
    content = (inbox / "a.csv").read_bytes()
    with simulator(tmp_path, "--form", "e164=2", "--form", "national=1") as server:
        assert night(server, inbox).returncode == 0
        (inbox / "b.csv").write_bytes(content)
        assert "has already done the same content" in night(server, inbox).stdout
        (inbox / "c.csv").write_bytes(content)
        assert "has already done the same content" not in night(server, inbox, "--also-try", "zeros").stdout
        assert times_asked(server, [f"+48{number}" for number in numbers]) == {2}


def test_a_file_of_which_none_was_found_in_a_guess_is_left_to_a_person_and_asked_for_again(
    tmp_path: Path, inbox: Path
) -> None:
    numbers = drop(inbox, "a.csv")
    content = (inbox / "a.csv").read_bytes()
    with simulator(tmp_path, "--form", "e164", "--forbid", "records") as server:
        done = night(server, inbox)
        assert done.returncode == 3, done.stderr
        assert "a.csv: none was found, which proves nothing; failed, exit 3" in done.stdout
        assert lying_in(inbox / "failed") == ["a.csv", "a.csv.report.csv", "a.csv.report.summary.json"]
        assert night(server, inbox).returncode == 0
        (inbox / "b.csv").write_bytes(content)
        assert night(server, inbox).returncode == 3
        assert times_asked(server, numbers) == {2}
        (inbox / "c.csv").write_bytes(content)
        assert night(server, inbox, "--also-try", "plus").returncode == 0
        assert lying_in(inbox / "done") == ["c.csv", "c.csv.report.csv", "c.csv.report.summary.json"]


def test_half_written_files_and_what_is_no_list_of_numbers_stay_where_they_are(server: Running, inbox: Path) -> None:
    for name in ("a.csv.part", ".b.csv", "c.csv~", "~$d.xlsx", "e.pdf"):
        drop(inbox, name)
    (inbox / "f.csv").touch()
    (inbox / "folder.csv").mkdir()
    before = lying_in(inbox)
    done = night(server, inbox)
    assert done.returncode == 4, done.stdout
    assert "e.pdf: this file type is not read; left in the inbox" in done.stdout
    assert "f.csv: empty, perhaps not written yet; left in the inbox" in done.stdout
    assert lying_in(inbox) == before
    assert not (inbox / "done").exists()


def test_a_file_that_is_still_being_written_is_left_for_the_next_time(server: Running, inbox: Path) -> None:
    drop(inbox, "a.csv")
    told = inbox.parent / "told"
    with (
        told.open("w", encoding="utf-8") as out,
        started(*words(server, inbox, "--settle", "3s"), out=out.fileno()) as process,
    ):
        while process.poll() is None:
            with (inbox / "a.csv").open("a", encoding="utf-8") as file:
                file.write("\n601234555")
            time.sleep(0.02)
    assert process.returncode == 0
    assert "a.csv is still being written" in told.read_text(encoding="utf-8")
    assert lying_in(inbox) == ["a.csv"]


_CLOCK_SET = """
import time
time_of_day, began_s = time.time, time.monotonic()
time.time = lambda: time_of_day() + (0.0 if time.monotonic() - began_s < 0.3 else {by_s})
"""


@pytest.mark.parametrize("by_s", [-3600.0, 3600.0])
def test_how_long_a_file_must_be_quiet_does_not_depend_on_a_clock_that_is_set(
    server: Running, inbox: Path, by_s: float
) -> None:
    drop(inbox, "a.csv")
    done = bulk_remove(*words(server, inbox, "--settle", "1s"), before=_CLOCK_SET.format(by_s=by_s))
    assert done.returncode == 0, done.stderr
    assert lying_in(inbox) == []


def test_a_tool_s_own_report_in_the_inbox_is_not_run(server: Running, inbox: Path) -> None:
    drop(inbox, "a.csv")
    assert night(server, inbox).returncode == 0
    (inbox / "done" / "a.csv.report.csv").rename(inbox / "again.csv")
    assert night(server, inbox).returncode == 4
    note = (inbox / "failed" / "again.csv.note.txt").read_text(encoding="utf-8")
    assert f"bulk-remove rerun {inbox / 'failed' / 'again.csv'}\n" in note
    (inbox / "failed" / "again.csv").rename(inbox / "again.csv")
    done = night(server, inbox)
    lies = inbox / "failed" / "again.2.csv"
    assert lies.is_file()
    said = " ".join((done.stdout + done.stderr).split())
    assert f"{lies} is a report of this tool, not a list of numbers." in said
    assert f"bulk-remove rerun {lies}" in said
    assert f"{inbox / 'again.csv'} is a report" not in said


def test_a_file_stays_in_the_inbox_while_the_keep_list_is_wrong(server: Running, inbox: Path) -> None:
    numbers = drop(inbox, "a.csv")
    keep = inbox.parent / "vip.csv"
    for content in ("", "telefon\n60123\nbrak\n", None):
        keep.unlink() if content is None else keep.write_text(content, encoding="utf-8")
        done = night(server, inbox, "--keep", str(keep))
        assert done.returncode == 4, done.stderr
        assert lying_in(inbox) == ["a.csv"]
        assert lying_in(inbox / "failed") == []
    assert times_asked(server, numbers) == {0}
    keep.write_text("telefon\n601234555\n", encoding="utf-8")
    assert night(server, inbox, "--keep", str(keep)).returncode == 0
    assert times_asked(server, numbers) == {1}


def test_a_keep_list_and_links_in_the_inbox_are_left_alone_and_named_once(server: Running, inbox: Path) -> None:
    numbers = drop(inbox, "a.csv")
    kept = drop(inbox, "vip.csv", 3)
    (inbox / "link.csv").symlink_to(inbox / "a.csv")
    (inbox / "dead.csv").symlink_to(inbox / "nothing")
    os.mkfifo(inbox / "pipe.csv")
    for _ in range(2):
        done = night(server, inbox, "--keep", str(inbox / "vip.csv"))
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("vip.csv is a --keep list and is skipped.") == 1
        assert not [line for line in done.stdout.splitlines() if line.strip().startswith("vip.csv:")]
        assert "link.csv is a link and is skipped." in done.stdout
        assert "dead.csv is a link and is skipped." in done.stdout
        assert "pipe.csv is not a regular file and is skipped." in done.stdout
    assert times_asked(server, numbers) == {1}
    assert times_asked(server, kept) == {0}
    assert lying_in(inbox) == ["vip.csv"]
    assert lying_in(inbox / "done") == ["a.csv", "a.csv.report.csv", "a.csv.report.summary.json"]


def test_a_file_that_a_stopped_night_left_is_finished_first_and_what_is_settled_is_not_asked_again(
    server: Running, inbox: Path
) -> None:
    numbers = drop(inbox, "b.csv", 40)
    stop_a_night(server, inbox)
    assert lying_in(inbox) == ["b.csv"]
    later = drop(inbox, "a.csv")
    done = night(server, inbox, "--rate", "100")
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("b.csv: resuming") < done.stdout.index("a.csv:")
    assert statuses(inbox / "done" / "b.csv.report.csv") == dict.fromkeys(numbers, "REMOVED")
    assert times_asked(server, numbers + later) == {1}


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("new_size", [20, 0], ids=["replaced", "removed"])
def test_a_run_whose_file_was_removed_or_replaced_does_not_go_on_and_its_report_says_what_was_done(
    server: Running, inbox: Path, new_size: int, *, killed: bool
) -> None:
    old = drop(inbox, "a.csv", 40)
    stop_a_night(server, inbox, signal.SIGKILL if killed else signal.SIGTERM)
    asked = {number for entry in read_audit(server.audit) for number in entry.asked} & {*old}
    assert 0 < len(asked) < len(old)
    new = drop(inbox, "a.csv", new_size) if new_size else []
    if not new_size:
        (inbox / "a.csv").unlink()
    done = night(server, inbox, "--rate", "100")
    assert done.returncode == 3, done.stderr
    assert "a.csv: removed or replaced after run " in done.stdout
    assert {number for entry in read_audit(server.audit) for number in entry.asked} & {*old} == asked
    told = statuses(inbox / "failed" / "a.csv.report.csv")
    assert [*told] == old
    unsent = {number for number, status in told.items() if status == "UNSENT"}
    # A request that had not arrived when the run was killed is in doubt all the same: its intent was on disk.
    assert unsent <= {*old} - asked if killed else unsent == {*old} - asked
    assert {*told.values()} <= {"REMOVED", "UNSENT", *(("IN_DOUBT",) if killed else ())}
    assert "bulk-remove resume" in (inbox / "failed" / "a.csv.note.txt").read_text(encoding="utf-8")
    assert lying_in(inbox / "failed") == [f"a.csv{end}" for end in (".note.txt", ".report.csv", ".report.summary.json")]
    assert lying_in(inbox) == []
    if new:
        assert times_asked(server, new) == {1}
        assert {*statuses(inbox / "done" / "a.csv.report.csv")} == {*new}
    again = night(server, inbox)
    assert (again.returncode, "no file to run" in again.stdout) == (0, True)
    (run,) = (run for run in (inbox.parent / "state" / "runs").iterdir() if old[0] in (run / "report.csv").read_text())
    resumed = bulk_remove("resume", run.name, "--yes", "--state-dir", inbox.parent / "state", "--rate", "100")
    assert resumed.returncode == 0, resumed.stderr  # a person may


def test_a_stop_in_the_last_file_names_no_files_after_it(server: Running, inbox: Path) -> None:
    numbers = drop(inbox, "a.csv")
    stopped = bulk_remove(*words(server, inbox), before=_STOPPED_WHILE_REPORTING)
    assert stopped.returncode == 0, stopped.stderr
    assert "the files after it" not in stopped.stdout
    assert statuses(inbox / "done" / "a.csv.report.csv") == dict.fromkeys(numbers, "REMOVED")


@pytest.mark.parametrize("code", [7, 6])
def test_when_the_server_lets_nobody_in_the_night_ends_and_the_files_stay(
    server: Running, inbox: Path, code: int
) -> None:
    for name in ("a.csv", "b.csv"):
        drop(inbox, name)
    changed = ("--url", "http://127.0.0.1:9") if code == 7 else ("--user", "nobody")
    done = night(server, inbox, *changed)
    assert done.returncode == code, done.stderr
    assert lying_in(inbox) == ["a.csv", "b.csv"]
    assert "b.csv" not in done.stdout
    assert night(server, inbox).returncode == 0
    assert lying_in(inbox) == []


def test_what_stays_open_goes_to_failed_after_three_nights(tmp_path: Path, inbox: Path) -> None:
    drop(inbox, "a.csv")
    with simulator(tmp_path, "--busy-share", "1", "--busy-seconds", "9999") as server:
        for lying in (["a.csv"], ["a.csv"], []):
            done = night(server, inbox, "--busy-for", "0s")
            assert (done.returncode, lying_in(inbox)) == (3, lying)
        assert night(server, inbox).returncode == 0
    assert {*statuses(inbox / "failed" / "a.csv.report.csv").values()} == {"CALL_IN_PROGRESS"}
    assert "a.csv" in lying_in(inbox / "failed")


def test_no_file_is_begun_after_the_deadline(server: Running, inbox: Path) -> None:
    drop(inbox, "a.csv")
    late = "import bulk_remove.cli.options as options\noptions._next_moment = lambda _: 1.0"
    done = bulk_remove(*words(server, inbox, "--until", "06:00"), before=late)
    assert done.returncode == 9, done.stderr
    assert "a.csv: the deadline came before it was begun" in done.stdout
    assert lying_in(inbox) == ["a.csv"]


def test_a_campaign_that_another_run_holds_keeps_the_night_out(server: Running, inbox: Path) -> None:
    drop(inbox, "a.csv")
    with lock_campaigns(inbox.parent / "state", server.url.removeprefix("http://"), ["00001"]):
        assert night(server, inbox).returncode == 8
    assert lying_in(inbox) == ["a.csv"]


def test_an_inbox_needs_a_folder_and_consent_beforehand(server: Running, inbox: Path) -> None:
    asked = bulk_remove(*[word for word in words(server, inbox) if word != "--yes"])
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    assert night(server, inbox / "nowhere").returncode == 2
    assert "no file to run" in night(server, inbox).stdout


_DIES = """
import os
from importlib import import_module
module, owner, name = "{place}".rsplit(".", 2)
holder = getattr(import_module(module), owner)
setattr(holder, name, lambda *_, **__: os._exit(9))
"""
_DIES_AFTER = """
import os
from importlib import import_module
module, owner, name = "{place}".rsplit(".", 2)
holder = getattr(import_module(module), owner)
whole = getattr(holder, name)
def and_dies(*words, **named):
    whole(*words, **named)
    os._exit(9)
setattr(holder, name, and_dies)
"""


@pytest.mark.parametrize(
    ("script", "place"),
    [
        (_DIES, "bulk_remove.run.inbox.Night._conclude"),
        (_DIES, "bulk_remove.run.inbox.Inbox.put_reports"),
        (_DIES_AFTER, "bulk_remove.run.inbox.Inbox.put_reports"),
        (_DIES_AFTER, "bulk_remove.run.inbox.Inbox.move"),
    ],
)
def test_a_night_that_dies_between_two_steps_leaves_the_file_in_one_place_and_the_next_one_ends_well(
    server: Running, inbox: Path, script: str, place: str
) -> None:
    numbers = drop(inbox, "a.csv")
    died = bulk_remove(*words(server, inbox), before=script.format(place=place))
    assert died.returncode == 9, died.stderr
    where = [folder for folder in (inbox, inbox / "done") if (folder / "a.csv").exists()]
    assert len(where) == 1
    if where == [inbox / "done"]:
        assert (inbox / "done" / "a.csv.report.csv").exists()
    done = night(server, inbox)
    assert done.returncode == 0, done.stderr
    assert lying_in(inbox) == []
    assert lying_in(inbox / "done") == ["a.csv", "a.csv.report.csv", "a.csv.report.summary.json"]
    assert statuses(inbox / "done" / "a.csv.report.csv") == dict.fromkeys(numbers, "REMOVED")
    assert times_asked(server, numbers) == {1}


_STOPPED_AFTER_A_FILE = """
import os, signal
from bulk_remove.run.inbox import Night
whole = Night._end
def and_stops(*words, **named):
    whole(*words, **named)
    os.kill(os.getpid(), signal.SIGTERM)
Night._end = and_stops
"""
_STOPPED_WHILE_REPORTING = """
import os, signal
from bulk_remove.run.places import ReportPlace
whole = ReportPlace.finish
def and_stops(*words, **named):
    os.kill(os.getpid(), signal.SIGTERM)
    return whole(*words, **named)
ReportPlace.finish = and_stops
"""


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("script", [_STOPPED_AFTER_A_FILE, _STOPPED_WHILE_REPORTING])
def test_a_stop_after_a_file_keeps_what_was_done_and_begins_no_other(server: Running, inbox: Path, script: str) -> None:
    first, second = drop(inbox, "a.csv"), drop(inbox, "b.csv")
    stopped = bulk_remove(*words(server, inbox), before=script)
    assert stopped.returncode == 143, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert lying_in(inbox) == ["b.csv"]
    assert statuses(inbox / "done" / "a.csv.report.csv") == dict.fromkeys(first, "REMOVED")
    assert times_asked(server, second) == {0}


@pytest.mark.parametrize("dies", [False, True])
def test_what_a_canary_held_back_is_left_to_a_person_and_never_resumed_by_a_night(
    tmp_path: Path, inbox: Path, *, dies: bool
) -> None:
    numbers = drop(inbox, "a.csv")
    with simulator(tmp_path, "--absent-share", "1") as server:
        script = _DIES.format(place="bulk_remove.run.inbox.Night._conclude") if dies else ""
        stopped = bulk_remove(*words(server, inbox, "--canary"), before=script)
        assert stopped.returncode == (9 if dies else 5), stopped.stderr
        assert night(server, inbox, "--canary").returncode == (5 if dies else 0)
        assert night(server, inbox, "--canary").returncode == 0
        assert times_asked(server, numbers) == {0, 1}
    beside = ["a.csv.note.txt"] if dies else ["a.csv.report.csv", "a.csv.report.summary.json"]
    assert lying_in(inbox / "failed") == ["a.csv", *beside]
    assert lying_in(inbox) == []


def test_files_with_a_campaign_in_each_row_are_run_too(tmp_path: Path, inbox: Path) -> None:
    (inbox / "a.csv").write_text("telefon;kampania\n500000001;00001\n500000002;00002\n", encoding="utf-8")
    own = [word for word in words(Running("", tmp_path), inbox) if word not in {"-c", "00001", "--url", ""}]
    with simulator(tmp_path, "-c", "00001", "-c", "00002") as server:
        done = bulk_remove(*own, "--url", server.url, "--campaign-column", "kampania")
        assert done.returncode == 0, done.stderr
        again = bulk_remove(*own, "--url", server.url, "--campaign-column", "kampania")
    assert again.returncode == 0
    assert statuses(inbox / "done" / "a.csv.report.csv") == dict.fromkeys(["500000001", "500000002"], "REMOVED")


@pytest.mark.skipif(os.name != "posix", reason="kills the POSIX way")
def test_nights_killed_at_any_moment_lose_no_file_and_end_with_true_reports(tmp_path: Path, inbox: Path) -> None:
    dice = random.Random(4)
    files = {name: drop(inbox, name, 60) for name in ("a.csv", "b.csv", "c.csv")}
    contents = {name: (inbox / name).read_bytes() for name in files}
    with simulator(tmp_path, "--latency", "0.03", "--fault", "dropped_after=0.05") as server:
        for kill in count():
            with started(*words(server, inbox)) as process:
                try:
                    code = process.wait(dice.uniform(0.2, 2.4) if kill < 8 else 60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    code = process.wait()
            for name, content in contents.items():
                (where,) = [folder for folder in (inbox, inbox / "done") if (folder / name).exists()]
                assert (where / name).read_bytes() == content
                assert where == inbox or (where / f"{name}.report.csv").exists()
            if code in {0, 3} and not lying_in(inbox):
                break
            assert kill < 12, "the nights come to no end"
    removed = {number for entry in read_audit(server.audit) for number in entry.removed}
    for name, numbers in files.items():
        told = statuses(inbox / "done" / f"{name}.report.csv")
        assert [*told] == numbers
        assert {*told.values()} <= {"REMOVED", "PRESUMED_REMOVED"}
        assert {*numbers} <= removed
    assert lying_in(inbox / "done") == sorted(
        f"{name}{end}" for name in files for end in ("", ".report.csv", ".report.summary.json")
    )
