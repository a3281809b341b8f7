"""Numbers that must never be removed: the real command with --keep, held against what the server was really asked."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulk_remove import Outcome, Server, Settings, UsageError, remove_files, remove_numbers
from bulk_remove.simulator.api import DEMO_PASSWORD
from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, environment, removal, report_of, simulator

PACE = ("--rate", "100", "--busy-for", "0", "--max-numbers-per-request", "10")


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    return written(tmp_path / "numbers.csv", "telefon", *(str(600_000_000 + index) for index in range(20)), "brak")


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


def asked(server: Running) -> set[str]:
    return {number for entry in read_audit(server.audit) if entry.method == "DELETE" for number in entry.asked}


def summary_of(folder: Path, name: str = "report") -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / f"{name}.summary.json").read_text(encoding="utf-8"))
    return summary


def statuses(folder: Path) -> dict[str, str]:
    return {row["input"]: row["status"] for row in report_of(folder)}


def test_a_number_of_a_keep_list_stops_the_run_with_a_count_and_masked_examples(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    keep = written(tmp_path / "vip.csv", "telefon", "+48 600 000 003", "48600000005", "601999999")
    done = bulk_remove(*removal(server, tmp_path, numbers, *PACE), "--keep", keep)
    assert done.returncode == 5
    assert f"2 rows hold numbers of a --keep list ({keep}): row 5 '60*****03', row 7 '60*****05'." in done.stderr
    assert "add --keep-skips" in done.stderr
    assert "600000003" not in done.stdout + done.stderr
    assert f"keep list {keep}: 3 numbers that are never removed (SHA-256 " in done.stdout
    assert "on a --keep list 2 KEPT, never sent" in " ".join(done.stdout.split())
    assert asked(server) == set()
    assert list((tmp_path / "state" / "runs").iterdir()) == []


def test_with_keep_skips_such_rows_are_kept_and_all_others_are_sent(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    keep = written(tmp_path / "vip.csv", "telefon", "0048 600 000 003", "", "(600) 000-005")
    words = removal(server, tmp_path, numbers, *PACE, "--report", "html")
    done = bulk_remove(*words, "--keep", keep, "--keep-skips", "--max-invalid", "5%")
    assert done.returncode == 0, done.stderr
    assert asked(server) == {str(600_000_000 + index) for index in range(20)} - {"600000003", "600000005"}
    rows = report_of(tmp_path)
    kept = [row for row in rows if row["status"] == "KEPT"]
    assert [(row["row"], row["input"], row["number"]) for row in kept] == [
        ("5", "600000003", ""),
        ("7", "600000005", ""),
    ]
    assert kept[0]["detail"] == "It is on a --keep list, so it was never sent."
    summary = summary_of(tmp_path)
    assert (summary["rows_by_status"]["KEPT"], summary["rows_by_status"]["INVALID"]) == (2, 1)
    assert [(each["file"], each["numbers"]) for each in summary["keep"]] == [(str(keep), 2)]
    assert summary["keep"][0]["sha256"]
    assert "KEPT 2 on a --keep list: never sent" in " ".join(done.stdout.split())
    assert "2 more are kept" in (tmp_path / "report.html").read_text(encoding="utf-8")
    listed = bulk_remove("runs", "list", "--state-dir", tmp_path / "state")
    assert "KEPT 2" in listed.stdout
    told = json.loads(bulk_remove("runs", "list", "--state-dir", tmp_path / "state", "--json").stdout)
    run = (told["runs"] if isinstance(told, dict) else told)[0]
    assert (run["kept_rows"], run["invalid_rows"]) == (2, 1)


def test_keep_skips_without_a_list_is_refused_wherever_it_is_said(tmp_path: Path, server: Running) -> None:
    source = written(tmp_path / "numbers.csv", "telefon", "600000001")
    words = removal(server, tmp_path, source, *PACE)
    for done in (
        bulk_remove(*words, "--keep-skips"),
        bulk_remove(*words, env=environment(BULK_REMOVE_KEEP_SKIPS="1")),
        bulk_remove("plan", source, "-c", "00001", "--state-dir", tmp_path / "state", "--keep-skips"),
    ):
        assert done.returncode == 2
        assert "--keep-skips is given, but no --keep list: no number would be kept." in done.stderr
    assert bulk_remove(*words).returncode == 0
    again = removal(server, tmp_path, tmp_path / "report.csv", "-o", tmp_path / "again.csv", "--keep-skips")[1:]
    done = bulk_remove("rerun", *again)
    assert (done.returncode, "--keep-skips is given, but no --keep list" in done.stderr) == (2, True)
    settings = Settings("00001", keep_skips=True)
    own = Server(server.url, "demo", DEMO_PASSWORD, tmp_path / "api")
    with pytest.raises(UsageError, match="keep_skips is given, but no keep list"):
        asyncio.run(remove_files(source, settings, own, approve=lambda _: True))


def test_an_own_report_as_keep_list_is_not_told_to_be_rerun(tmp_path: Path, server: Running) -> None:
    source = written(tmp_path / "numbers.csv", "telefon", "600000001")
    assert bulk_remove(*removal(server, tmp_path, source, *PACE)).returncode == 0
    earlier = (tmp_path / "report.csv").rename(tmp_path / "vip.csv")
    done = bulk_remove(*removal(server, tmp_path, source, *PACE, "--keep", earlier))
    said = " ".join(done.stderr.split())
    assert done.returncode == 4
    assert f"{earlier} is a report of this tool, not a list of numbers." in said
    assert "Give --keep a list of the numbers that must stay." in said
    assert "rerun" not in said


@pytest.mark.parametrize(
    "cells", [("601234555", "601234556", "60123"), ("601234555", "601234556", "601234557", "601000000", "602000000")]
)
def test_a_doubtful_cell_of_a_keep_list_is_not_told_to_be_let_through(tmp_path: Path, cells: tuple[str, ...]) -> None:
    source = written(tmp_path / "numbers.csv", "telefon", "600000001")
    keep = written(tmp_path / "vip.csv", "telefon", *cells)
    plan = ("plan", source, "-c", "00001", "--state-dir", tmp_path / "state", "--keep", keep)
    done = bulk_remove(*plan)
    said = " ".join(done.stderr.split())
    assert done.returncode == 4
    assert "is not certainly one phone number: It may have lost digits. Correct it" in said
    assert "lets it through" not in said
    polish = " ".join(bulk_remove(*plan, "--lang", "pl").stderr.split())
    assert "Mógł stracić cyfry." in polish


def test_explain_says_of_a_row_that_was_never_sent_why_and_which_list_kept_it(tmp_path: Path, server: Running) -> None:
    keep = [
        written(tmp_path / name, "telefon", number) for name, number in (("a.csv", "600000003"), ("b.csv", "600000004"))
    ]
    source = written(tmp_path / "numbers.csv", "telefon;zgoda", "600000001;NIE", "+48 600 000 003;NIE", "600000002;TAK")
    words = removal(server, tmp_path, source, *PACE, "--keep-skips", "--where", "zgoda=NIE")
    assert bulk_remove(*words, "--keep", keep[0]).returncode == 0
    explain = ("explain", "600 000 003", "--state-dir", tmp_path / "state")
    told = bulk_remove(*explain)
    assert told.returncode == 0, told.stderr
    row_3 = "row 3: '+48 600 000 003', for campaign 00001\n"
    assert f"{row_3}      never sent for this row: kept by the --keep list {keep[0]}" in told.stdout
    assert bulk_remove(*words, "--keep", keep[0], "--keep", keep[1]).returncode == 0
    assert f"kept by one of the --keep lists {keep[0]}, {keep[1]}" in bulk_remove(*explain).stdout
    (run, _) = json.loads(bulk_remove(*explain, "--json").stdout)["runs"]
    (row,) = run["rows"]
    assert (row["row"], row["problem"]) == (3, "It is on a --keep list, so it was never sent.")
    assert (run["keep"], run["requests"], run["verdicts"]) == ([str(keep[0])], [], [])
    left_out = bulk_remove("explain", "600000002", "-c", "00001", "--state-dir", tmp_path / "state")
    assert "never sent for this row: " in left_out.stdout
    assert "zgoda" in left_out.stdout
    assert bulk_remove("explain", "600000004", "--state-dir", tmp_path / "state").returncode == 4


FORMS = ["60000000{}", "4860000000{}", "+4860000000{}", "0048 600-000-00{}"]


@pytest.mark.parametrize("sent", [*FORMS, "060000000{}"])
@pytest.mark.parametrize("form", ["national", "digits", "e164", "as-is"])
def test_the_number_is_compared_and_not_how_it_is_written(tmp_path: Path, sent: str, form: str) -> None:
    """Each number of the list is written in another way, all of those to send in the same."""
    keep = written(tmp_path / "vip.csv", "telefon", *(held.format(3 + at) for at, held in enumerate(FORMS)))
    others = [str(601_234_555 + at) for at in range(5)]
    source = written(tmp_path / "numbers.csv", "telefon", *others, *(sent.format(3 + at) for at in range(len(FORMS))))
    words = ("-c", "00001", "--state-dir", tmp_path / "state", "--number-format", form, "--max-invalid", "50%")
    done = bulk_remove("plan", source, *words, "--keep", keep)
    if sent.startswith("06") and form != "as-is":  # what is never sent need not be kept
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert (done.returncode, f"{len(FORMS)} rows hold numbers of a --keep list" in done.stderr) == (5, True)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["telefon", "601234555", "60123455"], "Row 3 of the --keep list {keep} is not certainly one phone number"),
        (["telefon", "601234555", "brak"], "Row 3 of the --keep list {keep} is not certainly one phone number"),
        (["telefon", "601234555", "6.01E+08"], "Row 3 of the --keep list {keep} is not certainly one phone number"),
        (
            ["telefon", *[str(601234500 + i) for i in range(50)], *[f"60{i}000000" for i in range(1, 10)]],
            "Row 52 of the --keep list {keep} is not certainly",
        ),
        # Cut off in the middle of a number that is as long as an internal one; and one short among whole ones.
        (["telefon", *[str(601234500 + i) for i in range(9)], "502371"], "Row 11 of the --keep list {keep} is not"),
        (["telefon", *[str(601234500 + i) for i in range(9)], "50"], "Row 11 of the --keep list {keep} is not"),
        (["telefon", "442", "601234555", "601234556"], "Row 2 of the --keep list {keep} is not certainly"),
        (
            ["telefon;opiekun", *[f"{601234500 + 7 * i};{602234500 + 3 * i}" for i in range(9)]],
            "column 2 'opiekun', too",
        ),
        (["imie;telefon;uwagi", "Jan;601234555;", "Ewa;601234556;", "601234557"], "fewer cells than the header"),
        (
            ["imie;telefon;uwagi", "Jan;601234555;", "Ewa;601234556;", "x;601234557"],
            "may hold more numbers than can be",
        ),
        *(
            # The second number of a few rows, wherever they stand and whatever stands in the others.
            (
                ["telefon;drugi", *[f"{601234500 + 7 * i};{602234500 + i if i in at else rest}" for i in range(5300)]],
                told,
            )
            for at in ({250}, {4999, 5100, 5299}, range(1000, 1020))
            for rest, told in (("", "column 2 'drugi', too"), ("brak", "column 2 'drugi', too"))
        ),
        (["telefon"], "has no rows under its header"),
        (["telefon;imie", ";Jan", ";Ewa"], "{keep}"),
        (["imie", "Jan", "Ewa"], "A --keep list is read without such options"),
    ],
)
def test_a_keep_list_that_is_not_certain_stops_the_run(
    tmp_path: Path, server: Running, numbers: Path, lines: list[str], why: str
) -> None:
    keep = written(tmp_path / "vip.csv", *lines)
    done = bulk_remove(*removal(server, tmp_path, numbers, *PACE), "--keep", keep, "--keep-skips")
    assert done.returncode == 4, done.stdout
    assert why.format(keep=keep) in done.stderr
    assert asked(server) == set()


def test_several_lists_a_profile_and_internal_numbers(tmp_path: Path, server: Running) -> None:
    source = written(tmp_path / "numbers.csv", "telefon", "441", "442", "443", "600000001")
    first = written(tmp_path / "first.csv", "telefon", "442")
    second = written(tmp_path / "second.csv", "telefon", "600 000 001 / 600 000 002", "600000009")
    config = tmp_path / "config.toml"
    config.write_text(f'[defaults]\nkeep = ["{first}", "{second}"]\nkeep_skips = true\n', encoding="utf-8")
    config.chmod(0o600)
    env = environment(BULK_REMOVE_CONFIG=str(config))
    done = bulk_remove(*removal(server, tmp_path, source, *PACE, "--internal-numbers"), env=env)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path) == {"441": "REMOVED", "442": "KEPT", "443": "REMOVED", "600000001": "KEPT"}
    assert asked(server) == {"441", "443"}


def test_another_sheet_with_phone_numbers_stops_the_run(tmp_path: Path, server: Running, numbers: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["telefon"], *([str(601234500 + 7 * place)] for place in range(9))):
        book.worksheets[0].append(row)
    for place in range(9):
        book.create_sheet("VIP2") if place == 0 else None
        book["VIP2"].append([f"klient {place}", str(602234500 + 7 * place)])
    book.save(tmp_path / "vip.xlsx")
    done = bulk_remove(*removal(server, tmp_path, numbers, *PACE), "--keep", tmp_path / "vip.xlsx", "--keep-skips")
    assert done.returncode == 4, done.stdout
    assert "may hold more numbers than can be read: Sheet 'VIP2' holds phone numbers, too" in done.stderr
    assert asked(server) == set()


def test_a_list_of_internal_numbers_is_one_where_most_are_such_or_where_that_is_said(
    tmp_path: Path, server: Running
) -> None:
    source = written(tmp_path / "numbers.csv", "telefon", "441", "442", "443")
    few = written(tmp_path / "few.csv", "telefon", "442", "601234555", "601234556")
    most = written(tmp_path / "most.csv", "telefon", "442", "449", "601234555")
    words = (*removal(server, tmp_path, source, *PACE), "--keep-skips", "--keep")
    assert bulk_remove(*words, few).returncode == 4
    done = bulk_remove(*words, most)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path) == {"441": "REMOVED", "442": "KEPT", "443": "REMOVED"}
    assert bulk_remove(*words, few, "--internal-numbers", "--overwrite").returncode == 0
    assert asked(server) == {"441", "443"}


def test_the_lists_of_the_flag_the_variable_and_the_profile_hold_together(tmp_path: Path, server: Running) -> None:
    places = ("flag", "variable", "defaults", "profile")
    lists = {name: written(tmp_path / f"{name}.csv", "telefon", f"60000000{at}") for at, name in enumerate(places)}
    source = written(tmp_path / "numbers.csv", "telefon", *(f"60000000{at}" for at in range(6)))
    config = tmp_path / "config.toml"
    config.write_text(
        f'[defaults]\nkeep = ["{lists["defaults"]}"]\n[profile.acme]\nkeep = ["{lists["profile"]}"]\n', encoding="utf-8"
    )
    config.chmod(0o600)
    env = environment(BULK_REMOVE_CONFIG=str(config), BULK_REMOVE_KEEP=str(lists["variable"]))
    words = removal(server, tmp_path, source, *PACE, "--profile", "acme", "--keep", lists["flag"], "--keep-skips")
    done = bulk_remove(*words, env=env)
    assert done.returncode == 0, done.stderr
    assert "takes the place" not in done.stderr
    assert asked(server) == {"600000004", "600000005"}
    assert [Path(each["file"]).stem for each in summary_of(tmp_path)["keep"]] == [*places]


def test_a_list_that_holds_all_numbers_leaves_nothing_to_send(tmp_path: Path, server: Running, numbers: Path) -> None:
    words = (*removal(server, tmp_path, numbers, *PACE), "--keep", written(tmp_path / "vip.csv", "600000003"))
    all_of_it = written(tmp_path / "all.csv", *numbers.read_text(encoding="utf-8").split("\n")[:-2])
    assert bulk_remove(*words, "--keep", all_of_it).returncode == 5
    done = bulk_remove(*words, "--keep", all_of_it, "--keep-skips")
    assert done.returncode == 4
    assert "All numbers of the input are on a --keep list." in done.stderr
    assert asked(server) == set()


def test_with_additional_numbers_it_is_said_what_the_list_cannot_hold_back(tmp_path: Path, numbers: Path) -> None:
    keep = written(tmp_path / "vip.csv", "telefon", "601999999")
    words = ("plan", numbers, "-c", "00001", "--state-dir", tmp_path / "state", "--url", "http://127.0.0.1:9")
    told = "with --additional-numbers it is removed all the same"
    assert told in bulk_remove(*words, "--keep", keep, "--additional-numbers").stderr
    assert told not in bulk_remove(*words, "--keep", keep).stderr
    assert told not in bulk_remove(*words, "--additional-numbers").stderr


def test_a_resume_keeps_what_was_planned_and_a_rerun_takes_the_lists_again(tmp_path: Path, server: Running) -> None:
    source = written(tmp_path / "numbers.csv", "telefon", *(str(600_000_000 + index) for index in range(40)))
    keep = written(tmp_path / "vip.csv", "telefon", "600000003")
    words = removal(server, tmp_path, source, *PACE, "--keep", keep, "--keep-skips")
    stopped = bulk_remove(*words, "--canary", "--canary-max-not-exist", "0%")
    assert stopped.returncode == 0, stopped.stderr
    run_id = summary_of(tmp_path)["run_id"]
    # As if nothing but the first request had been sent.
    ledger = tmp_path / "state" / "runs" / run_id / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        assert '"keep_skips":true' in connection.execute("SELECT request FROM run").fetchone()[0].replace(" ", "")
    own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state", "--yes", "--rate", "100")
    keep.unlink()
    gone = bulk_remove("rerun", run_id, *own, "-o", tmp_path / "again.csv")
    assert gone.returncode == 4
    assert f"There is no file {keep}." in gone.stderr
    other = written(tmp_path / "other.csv", "telefon", "601999999")
    again = bulk_remove("rerun", run_id, *own, "--keep", other, "-o", tmp_path / "again.csv")
    assert again.returncode == 0, again.stderr
    assert summary_of(tmp_path, "again")["rows_by_status"]["KEPT"] == 1
    assert "600000003" not in asked(server)


def open_report(tmp_path: Path) -> Path:
    head = "file,row,input,number,campaign,status,removed_records,record_ids,attempts,busy_rounds,detail,answered_at,"
    rows = [
        "a.csv,2,600000001,600000001,00001,REMOVED,1,17,1,0,,2026-11-20T10:00:00.000Z,",
        "a.csv,3,600000002,600000002,00001,UNSENT,0,,0,0,,,",
        "a.csv,4,600000003,600000003,00001,UNSENT,0,,0,0,,,",
        "a.csv,5,600000003,600000003,00001,UNSENT,0,,0,0,,,4",
        "a.csv,6,600000004,600000004,00001,IN_DOUBT,0,,2,0,Lost.,,",
        "a.csv,7,600000005,,00001,KEPT,0,,0,0,,,",
    ]
    return written(tmp_path / "earlier.csv", f"{head}duplicate_of_row", *rows)


def test_a_rerun_sets_apart_what_was_never_asked_for_and_stops_at_what_was(tmp_path: Path, server: Running) -> None:
    earlier = open_report(tmp_path)
    own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state", "--yes", "--rate", "100")
    words = ("rerun", earlier, *own, "-o", tmp_path / "report.csv")
    keep = written(tmp_path / "vip.csv", "telefon", "+48600000001", "+48600000003")
    stopped = bulk_remove(*words, "--keep", keep)
    assert stopped.returncode == 5
    assert "2 rows hold numbers of a --keep list" in stopped.stderr
    doubted = bulk_remove(*words, "--keep", written(tmp_path / "more.csv", "tel", "600000004"), "--keep-skips")
    assert doubted.returncode == 5
    assert "a.csv, row 6: '60*****04' is on a --keep list, but the earlier run asked for it" in doubted.stderr
    assert asked(server) == set()
    done = bulk_remove(*words, "--keep", keep, "--keep-skips")
    assert done.returncode == 0, done.stderr
    assert asked(server) == {"600000002", "600000004"}
    assert [(row["input"][-1], row["status"]) for row in report_of(tmp_path)] == [
        ("1", "REMOVED"),
        ("2", "REMOVED"),
        ("3", "KEPT"),
        ("3", "KEPT"),
        ("4", "REMOVED"),
        ("5", "KEPT"),
    ]


def test_a_file_of_an_inbox_that_holds_a_kept_number_is_set_aside(tmp_path: Path, server: Running) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    written(inbox / "list.csv", "telefon", "600000001", "600000002")
    keep = written(tmp_path / "vip.csv", "telefon", "48600000002")
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", tmp_path / "state", "--yes")
    words = ("inbox", inbox, *own, "--settle", "10ms", "--keep", keep)
    assert bulk_remove(*words).returncode == 5
    assert (inbox / "failed" / "list.csv").exists()
    written(inbox / "list.csv", "telefon", "600000001", "600000002")
    assert bulk_remove(*words, "--keep-skips").returncode == 0
    assert asked(server) == {"600000001"}
    # Once the list has let the number go, the same file is another wish.
    written(keep, "telefon", "601999999")
    written(inbox / "list.csv", "telefon", "600000001", "600000002")
    assert bulk_remove(*words, "--keep-skips").returncode == 0
    assert asked(server) == {"600000001", "600000002"}


async def test_from_python_kept_numbers_come_as_kept(tmp_path: Path, server: Running) -> None:
    keep = written(tmp_path / "vip.csv", "telefon", "48600000002")
    settings = Settings("00001", keep=[keep], keep_skips=True, rate=100.0)  # type: ignore[arg-type]
    own = Server(server.url, "demo", DEMO_PASSWORD, tmp_path / "state")
    found: list[Outcome] = [
        outcome
        async for outcome in remove_numbers(["600000001", "600000002"], settings, own, approve=lambda _plan: True)
    ]
    assert {outcome.number: outcome.status.value for outcome in found} == {"600000002": "KEPT", "600000001": "REMOVED"}
    assert asked(server) == {"600000001"}


def test_a_keep_list_that_was_cut_off_behind_a_country_code_stops_the_run(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    keep = tmp_path / "vip.csv"
    for last, code in (("486012345", 4), ("486012345\n", 5), ("600000001", 5)):
        keep.write_text("telefon\n" + "600000001\n48600000002\n" * 3 + last, encoding="utf-8")
        done = bulk_remove(*removal(server, tmp_path, numbers, *PACE), "--keep", keep)
        assert done.returncode == code, done.stderr
        assert ("Row 8 of the --keep list" in done.stderr) is (code == 4)
    assert asked(server) == set()
