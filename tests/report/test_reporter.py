import csv
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import NEW
from bulk_remove.core.model import REPORT_COLUMNS, NumberState, Rehearsal, RowOutcome, Source, Status
from bulk_remove.errors import InputError, InvariantError, StorageError
from bulk_remove.report.csv import kept_columns, timestamp, write_for_polish_excel, write_report, write_summary
from tests.support.full_device import fill, needs_a_full_device
from tests.support.outcome_blocks import outcome_blocks

SOURCE = Source("numbers.csv", "", ("phone", "name"), 0, "named 'phone'", "utf-8", ",", "0" * 64, 1)
HEADER = (
    "file,row,input,number,campaign,status,removed_records,record_ids,attempts,busy_rounds,detail,answered_at,"
    "duplicate_of_row"
)
REMOVED = NumberState("R", 2, (7, "b8"), 3, 1, 1_700_000_000.0, 1_700_000_060.25)


def outcome(row: int = 2, cell: str = "601 234 555", **changes: Any) -> RowOutcome:
    whole = RowOutcome(SOURCE, row, cell, (), "601234555", "00001", REMOVED, "", "")
    return whole._replace(**changes)


def written(folder: Path, rows: list[RowOutcome], kept: tuple[str, ...] = ()) -> list[list[str]]:
    """Write a report and read it back as csv does; the header is its first row."""
    write_report(folder / "report.csv", outcome_blocks(rows), len(rows), kept)
    with (folder / "report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("rehearsal", "said"),
    [
        (Rehearsal.NONE, ""),
        (Rehearsal.STAND_IN, "Rehearsal on a stand-in."),
        (Rehearsal.LOOPBACK, "Sent to this machine, perhaps a rehearsal."),
    ],
)
def test_each_number_of_a_rehearsal_says_so_and_what_else_there_is_to_say(
    tmp_path: Path, rehearsal: Rehearsal, said: str
) -> None:
    rows = [outcome(), outcome(3, state=NEW), outcome(4, number="", campaign="", state=None, problem="Too short.")]
    write_report(tmp_path / "report.csv", outcome_blocks(rows), 3, (), rehearsal=rehearsal)
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        details = [row["detail"] for row in csv.DictReader(file)]
    assert details == [said, f"{said} Never asked: the run stopped first.".strip(), "Too short."]


def test_every_row_is_in_the_report_with_the_documented_columns(tmp_path: Path) -> None:
    rows = [
        outcome(),
        outcome(3, "+48 602", number="", campaign="", state=None, problem="Too short."),
        outcome(4, duplicate_of="2"),
        outcome(5, state=NEW, source=replace(SOURCE, file="b.xlsx", sheet="Luty")),
    ]
    counts = write_report(tmp_path / "report.csv", outcome_blocks(rows), 4, ())
    assert counts == {Status.REMOVED: 2, Status.INVALID: 1, Status.UNSENT: 1}
    text = (tmp_path / "report.csv").read_bytes().decode()
    unsent = "Never asked: the run stopped first."
    assert text.split("\r\n") == [
        HEADER,
        "numbers.csv,2,601 234 555,601234555,00001,REMOVED,2,7 b8,3,1,,2023-11-14T22:14:20.250Z,",
        "numbers.csv,3,+48 602,,,INVALID,0,,0,0,Too short.,,",
        "numbers.csv,4,601 234 555,601234555,00001,REMOVED,2,7 b8,3,1,,2023-11-14T22:14:20.250Z,2",
        f"b.xlsx!Luty,5,601 234 555,601234555,00001,UNSENT,0,,0,0,{unsent},,",
        "",
    ]


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=6), st.text(max_size=6)), max_size=8))
def test_csv_reads_every_row_back_once_and_in_order(cells: list[tuple[str, str]]) -> None:
    rows = [outcome(row, cell, others=(cell, other)) for row, (cell, other) in enumerate(cells, start=2)]
    with TemporaryDirectory() as folder:
        header, *lines = written(Path(folder), rows, ("phone", "name"))
    assert header == ["phone", "name", *REPORT_COLUMNS]
    assert [int(line[3]) for line in lines] == list(range(2, len(rows) + 2))
    for line, (cell, other) in zip(lines, cells, strict=True):
        assert line[0].replace("'", "") == cell.replace("'", "")
        assert line[1].replace("'", "") == other.replace("'", "")
        assert line[4] == line[0]


def test_pandas_reads_the_report_back(tmp_path: Path) -> None:
    rows = [outcome(row, f'60{row}\n,"x"', others=(f"60{row}", "Łucja")) for row in range(2, 500)]
    write_report(tmp_path / "report.csv", outcome_blocks(rows), len(rows), ("phone", "name"))
    frame = pd.read_csv(tmp_path / "report.csv", dtype=str, keep_default_na=False)
    assert list(frame.columns) == ["phone", "name", *REPORT_COLUMNS]
    assert list(frame["row"].astype(int)) == list(range(2, 500))
    assert list(frame["input"]) == [row.cell for row in rows]
    assert set(frame["number"]) == {"601234555"}
    moments = pd.to_datetime(frame["answered_at"])
    assert set(moments) == {pd.Timestamp("2023-11-14 22:14:20.250", tz="UTC")}


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "\t'=1+1"),
        ("\r=1+1", "\r'=1+1"),
        ("\n=1+1", "\n'=1+1"),
        ("\0=1+1", "\0'=1+1"),
        (" =1+1", " '=1+1"),
        ('"=1+1"', '"\'=1+1"'),
        ("x;=cmd|' /C calc'!A0", "x;'=cmd|' /C calc'!A0"),
        ("x,=1+1", "x,'=1+1"),
        ("x\t@SUM(A1)\r\n-2", "x\t'@SUM(A1)\r\n'-2"),
        ('x; "=1+1";;+1+1;+48 601', "x; \"'=1+1\";;'+1+1;+48 601"),
        ("601 234 555; +48 602 111 222", "601 234 555; +48 602 111 222"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("+", "'+"),
        ("+48601234555\n=1+1", "+48601234555\n'=1+1"),
        ("+48601234555", "+48601234555"),
        ("+48 601 234\u00a0555", "+48 601 234\u00a0555"),
        ("601234555", "601234555"),
        ("a=1", "a=1"),
        ("", ""),
    ],
    ids=repr,
)
def test_what_a_spreadsheet_would_run_is_made_harmless_wherever_it_comes_from(
    tmp_path: Path, cell: str, shown: str
) -> None:
    source = replace(SOURCE, file=cell)
    state = REMOVED._replace(record_ids=(cell,), detail=cell)
    row = outcome(2, cell, others=(cell,), source=source, state=state, duplicate_of=cell)
    header, line = written(tmp_path, [row], (cell,))
    cells = dict(zip(header[1:], line[1:], strict=True))
    assert [header[0], line[0]] == [shown, shown]
    for column in ("file", "input", "record_ids", "duplicate_of_row"):
        assert cells[column] == shown
    assert cells["detail"] == shown


_NASTY = st.text(st.sampled_from("=+-@,;\t\n\r\"' 1ax\0\uff1d"), max_size=8)


@given(st.lists(st.tuples(_NASTY, _NASTY), min_size=1, max_size=4), st.sampled_from(["csv", "excel-pl"]))
def test_no_reader_finds_a_formula_wherever_it_cuts_the_lines(cells: list[tuple[str, str]], kind: str) -> None:
    rows = [outcome(row, cell, state=REMOVED._replace(detail=other)) for row, (cell, other) in enumerate(cells)]
    with TemporaryDirectory() as folder:
        lines = written(Path(folder), rows)
        text = (Path(folder) / "report.csv").read_text(encoding="utf-8")
    if kind == "excel-pl":
        file = StringIO(newline="")
        write_for_polish_excel(file, lines)
        text = file.getvalue().removeprefix("\ufeff")
    for separators in (",", ";", "\t", ",;\t"):
        for piece in re.split(f"[{separators}\r\n]", text):
            begins = piece.lstrip(' "\0')
            plain = re.fullmatch(r"\+[0-9 ]+\"*", begins) or re.fullmatch('="+[0-9 A-Za-z+.,:/()-]*"*', begins)
            assert begins[:1] not in {*"=+-@\uff1d"} or plain, (separators, piece)


@given(_NASTY)
def test_what_is_inert_stays_as_it_is(cell: str) -> None:
    """A report of a report of a report has no more apostrophes than the first."""
    with TemporaryDirectory() as folder:
        once = written(Path(folder), [outcome(cell=cell)])[1][2]
        assert written(Path(folder), [outcome(cell=once)])[1][2] == once


def test_the_input_s_own_columns_come_first_and_are_told_apart_from_ours(tmp_path: Path) -> None:
    kept = ("row", "phone", "status", "phone", "row (input)", "=x", "phone")
    header, line = written(tmp_path, [outcome(others=tuple("abcdefg"))], kept)
    own = [
        "row (input)",
        "phone",
        "status (input)",
        "phone (input)",
        "row (input) (input)",
        "'=x",
        "phone (input) (input)",
    ]
    assert header == [*own, *REPORT_COLUMNS]
    assert len(set(header)) == len(header)
    assert line[:7] == list("abcdefg")
    assert line[7:10] == ["numbers.csv", "2", "601 234 555"]


@pytest.mark.parametrize(
    ("others", "shown"), [(("a",), ["a", "", ""]), ((), ["", "", ""]), (("a", "b", "c", "d"), ["a", "b", "c"])], ids=str
)
def test_a_row_of_another_width_than_the_header_does_not_shift_our_columns(
    tmp_path: Path, others: tuple[str, ...], shown: list[str]
) -> None:
    _, line = written(tmp_path, [outcome(others=others)], ("x", "y", "z"))
    assert line[:4] == [*shown, "numbers.csv"]


def test_a_name_that_is_no_unicode_costs_no_report(tmp_path: Path) -> None:
    _, line = written(tmp_path, [outcome(cell="\ud83d", source=replace(SOURCE, file="caf\udce9.csv"))])
    assert line[0:3] == ["caf?.csv", "2", "?"]
    write_summary(tmp_path / "summary.json", {"file": "caf\udce9.csv"})
    assert json.loads((tmp_path / "summary.json").read_bytes()) == {"file": "caf?.csv"}


def dies_midway() -> Iterator[RowOutcome]:
    yield from [outcome()] * 5000
    raise StorageError("The ledger failed.", "Look at it.")


@pytest.mark.parametrize("old", [None, "the report of yesterday"])
@pytest.mark.parametrize(
    ("rows", "expected_rows", "error"),
    [
        pytest.param(lambda: iter([outcome()]), 2, InvariantError, id="a row is missing"),
        pytest.param(lambda: iter([outcome()] * 3), 2, InvariantError, id="a row too many"),
        pytest.param(dies_midway, 5000, StorageError, id="the ledger fails midway"),
    ],
)
def test_a_report_that_is_not_whole_never_gets_its_name(
    tmp_path: Path,
    rows: Callable[[], Iterator[RowOutcome]],
    expected_rows: int,
    error: type[Exception],
    old: str | None,
) -> None:
    report = tmp_path / "report.csv"
    if old:
        report.write_text(old, encoding="utf-8")
    with pytest.raises(error):
        write_report(report, outcome_blocks(rows()), expected_rows, ())
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == (
        {"report.csv": old} if old else {}
    )


@needs_a_full_device
@pytest.mark.parametrize("rows", [1, 5000], ids=["noticed at the end", "noticed midway"])
def test_a_full_disk_is_a_storage_error_and_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    report = tmp_path / "report.csv"
    report.write_text("old", encoding="utf-8")
    fill(monkeypatch, ".part")
    with pytest.raises(StorageError) as failure:
        write_report(report, outcome_blocks([outcome()] * rows), rows, ())
    assert failure.value.sentence == f"{report} cannot be written: No space left on device."
    assert "--output" in failure.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]
    assert report.read_text(encoding="utf-8") == "old"


def test_a_folder_that_is_missing_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        write_report(tmp_path / "missing" / "report.csv", [], 0, ())


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name are POSIX's")
@pytest.mark.parametrize("kind", ["mkdir", "mkfifo"])
def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "report.csv"
    getattr(os, kind)(path)
    with pytest.raises(StorageError, match="not a regular file"):
        write_report(path, outcome_blocks([outcome()]), 1, ())
    assert [child.name for child in tmp_path.iterdir()] == ["report.csv"]
    assert not path.is_file()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_report_and_summary_are_readable_by_their_owner_alone_even_where_the_old_ones_were_not(tmp_path: Path) -> None:
    old = tmp_path / "report.csv"
    old.touch()
    old.chmod(0o666)
    before = os.umask(0)
    try:
        write_report(old, outcome_blocks([outcome()]), 1, ())
        write_summary(tmp_path / "summary.json", {})
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_the_summary_is_json_that_ends_with_a_line(tmp_path: Path) -> None:
    summary = {
        "rows": 3,
        "name": 'Łucja "x"',
        "rate": 2.5,
        "none": None,
        "faults": Counter({"timeout": 1}),
        "list": [{}],
    }
    write_summary(tmp_path / "summary.json", summary)
    text = (tmp_path / "summary.json").read_text(encoding="utf-8")
    assert json.loads(text) == summary
    assert "Łucja" in text
    assert text.endswith("}\n")


def test_a_figure_that_json_cannot_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary(tmp_path / "summary.json", {"rate": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="the time zone can be changed under POSIX only")
@pytest.mark.parametrize(
    ("moment_s", "shown"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.0, "2023-11-14T22:13:20.000Z"),
        (1_700_000_000.9996, "2023-11-14T22:13:20.999Z"),
        (1_711_846_800.5, "2024-03-31T01:00:00.500Z"),
    ],
)
def test_moments_are_utc_to_the_millisecond_whatever_the_machine_s_time_zone(
    monkeypatch: pytest.MonkeyPatch, moment_s: float, shown: str
) -> None:
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()
    try:
        timestamp.cache_clear()
        assert timestamp(moment_s) == shown
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_columns_of_all_files_are_kept_when_they_are_the_same() -> None:
    assert kept_columns([SOURCE, replace(SOURCE, file="b.csv")]) == ("phone", "name")
    with pytest.raises(InputError, match=r"b\.csv has other columns than numbers\.csv") as refusal:
        kept_columns([SOURCE, SOURCE, replace(SOURCE, file="b.csv", header=("phone",))])
    assert "--keep-columns" in refusal.value.hint
