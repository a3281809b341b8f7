import csv
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_remove.core.model import REPORT_COLUMNS
from bulk_remove.disk import written
from bulk_remove.errors import StorageError
from bulk_remove.report.csv import read_rows, write_for_polish_excel

ROW = ["601 234 555", "leads-2026.csv", "2", "0048 601", "0048601234555", "00001", "REMOVED", "2", "7 8", "1", "0"]


def turned(*rows: list[str]) -> list[list[str]]:
    file = StringIO(newline="")
    write_for_polish_excel(file, [["telefon", *REPORT_COLUMNS], *rows])
    text = file.getvalue()
    assert text.startswith("\ufefftelefon;file;row;")
    assert text.count("\r\n") == len(rows) + 1
    return [*csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";")]


def test_numbers_are_kept_as_text_and_words_counts_and_times_stay_as_they_stand() -> None:
    _, row = turned([*ROW, "Detail 7", "2026-11-25T01:02:03.000Z", "3"])
    assert row == [
        '="601 234 555"', "leads-2026.csv", "2", '="0048 601"', '="0048601234555"', '="00001"', "REMOVED", "2",
        '="7 8"', "1", "0", "Detail 7", "2026-11-25T01:02:03.000Z", "3",
    ]  # fmt: skip


def test_what_was_made_harmless_stays_harmless() -> None:
    _, row = turned(["'=1+1", "a.csv", "2", "'-2+3", "", "", "INVALID", "0", "", "0", "0", "a;b", "", ""])
    assert row[0] == "'=1+1"
    assert row[3] == "'-2+3"
    assert row[11] == "a;b"


@given(st.lists(st.lists(st.text(max_size=9), min_size=2, max_size=2), min_size=1, max_size=5))
@example(
    [["a", "b"], ["x" * 300_000, 'q"\n,;'], ["\0", "Łucja"], ["", ""], ['""', "\r"], ['"', ',"'], ["\u2028", "\x0b"]]
)
def test_a_report_is_read_back_whatever_is_in_its_cells_and_nothing_of_the_process_is_changed(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    tmp_path, limit = tmp_path_factory.mktemp("report"), csv.field_size_limit()
    with written(tmp_path / "report.csv") as report:
        text = StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        report.file.write(text.getvalue().encode())
    assert [*read_rows(report)] == rows
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("how", ["gone", "replaced", "a link"])
def test_a_report_in_whose_place_is_nothing_or_another_file_is_not_read_back(tmp_path: Path, how: str) -> None:
    path = tmp_path / "report.csv"
    with written(path) as report:
        report.file.write(b"a\r\n")
    path.rename(tmp_path / "moved.csv")
    if how == "replaced":
        path.write_text("a\r\n", encoding="utf-8", newline="")
    elif how == "a link":
        path.symlink_to("moved.csv")
    with pytest.raises(StorageError, match=r"report\.csv cannot be read back"):
        next(read_rows(report))
