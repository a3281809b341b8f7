import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest

from bulk_remove.core.model import REPORT_COLUMNS, Status
from bulk_remove.report.xlsx import write_workbook
from tests.support.made_up_page import RUN, summary

HEADER = ("name", *REPORT_COLUMNS)


def line(row: int, status: Status = Status.REMOVED, cell: str = "0048 601 234 555", name: str = "Łucja") -> list[str]:
    number = "0048601234555"
    return [
        name,
        "a.csv",
        str(row),
        cell,
        number,
        "00001",
        str(status),
        "2",
        "7 b8",
        "1",
        "0",
        "",
        "2026-11-25T01:02:03Z",
        "",
    ]


def written(folder: Path, rows: Sequence[Sequence[str]], **more: int) -> list[Any]:
    with (folder / "report.xlsx").open("wb") as file:
        write_workbook(file, [HEADER, *rows], folder, summary(), **more)
    assert [path.name for path in folder.iterdir()] == ["report.xlsx"]
    *sheets, about = openpyxl.load_workbook(folder / "report.xlsx").worksheets
    assert about.title == "Summary"
    return sheets


def test_numbers_are_text_counts_are_numbers_and_nothing_is_a_formula(tmp_path: Path) -> None:
    (sheet,) = written(tmp_path, [line(2), line(3, cell="=1+1", name="=HYPERLINK(1)"), line(4, name="{=1}")])
    header, first, second, third = sheet.iter_rows()
    assert [cell.value for cell in header] == list(HEADER)
    values = dict(zip(HEADER, [cell.value for cell in first], strict=True))
    assert values["number"] == "0048601234555"
    assert values["campaign"] == "00001"
    assert values["record_ids"] == "7 b8"
    assert (values["row"], values["removed_records"], values["attempts"], values["busy_rounds"]) == (2, 2, 1, 0)
    assert {cell.data_type for row in (first, second, third) for cell in row} == {"s", "n"}
    assert (second[0].value, second[3].value, third[0].value) == ("=HYPERLINK(1)", "=1+1", "{=1}")
    with ZipFile(tmp_path / "report.xlsx") as parts:
        text = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in text
    assert "<hyperlink" not in text


def test_the_header_is_frozen_and_filters_and_statuses_have_colours(tmp_path: Path) -> None:
    (sheet,) = written(tmp_path, [line(index + 2, status) for index, status in enumerate(Status)])
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:N11"
    colours = {row[6].value: row[6].fill.fgColor.rgb for row in sheet.iter_rows(min_row=2)}
    assert set(colours) == {status.value for status in Status}
    assert colours["REMOVED"] != colours["NOT_EXIST"] != colours["FAILED"] == colours["UNSENT"]


@pytest.mark.parametrize(("rows", "sizes"), [(0, [0]), (3, [3]), (4, [4]), (5, [4, 1]), (12, [4, 4, 4])])
def test_rows_that_a_sheet_does_not_hold_go_on_in_the_next_with_their_header(
    tmp_path: Path, rows: int, sizes: list[int]
) -> None:
    sheets = written(tmp_path, [line(index + 2) for index in range(rows)], sheet_rows=5)
    assert [sheet.max_row - 1 for sheet in sheets] == sizes
    assert [sheet.title for sheet in sheets] == ["Report", "Report 2", "Report 3"][: len(sizes)]
    assert all([cell.value for cell in sheet[1]] == list(HEADER) for sheet in sheets)
    numbers = [row[2] for sheet in sheets for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert numbers == list(range(2, rows + 2))


def test_letters_that_xml_does_not_know_come_back_as_they_were(tmp_path: Path) -> None:
    (sheet,) = written(tmp_path, [line(2, name="a\x01b<&>\n'\"c ")])
    assert sheet["A2"].value == "a_x0001_b<&>\n'\"c "  # as Excel itself writes it


def test_a_sheet_of_its_own_says_what_was_asked_and_opens_first_and_all_sheets_print_on_landscape_pages(
    tmp_path: Path,
) -> None:
    written(tmp_path, [line(2)])
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    report, about = book.worksheets
    assert book.active == about
    told = "\n".join(str(cell.value) for row in about.iter_rows() for cell in row if cell.value)
    for fact in (
        RUN,
        "API user: anna",
        "2026-09-21 13:33:20 UTC",
        "cd" * 32,
        "ef" * 32,
        "the counts agree",
        "rate = 2.0",
    ):
        assert fact in told
    assert {cell.data_type for row in about.iter_rows() for cell in row if cell.value} == {"s"}
    assert report.print_title_rows == "$1:$1"
    for sheet in (report, about):
        assert sheet.sheet_properties.pageSetUpPr
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)  # one page wide


def failing() -> Iterator[Sequence[str]]:
    yield HEADER
    yield line(2)
    raise OSError(28, "No space left on device")


def test_a_workbook_that_fails_leaves_no_phone_number_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"), (tmp_path / "report.xlsx").open("wb") as file:
        write_workbook(file, failing(), tmp_path, summary())
    assert [path.name for path in tmp_path.iterdir()] == ["report.xlsx"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_a_full_disk_is_the_system_s_own_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"), Path("/dev/full").open("wb") as file:
        write_workbook(file, [HEADER, *(line(index) for index in range(2000))], tmp_path, summary())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="peak memory is asked for the POSIX way")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak_kib(rows: int) -> int:
        code = (
            "import resource, sys; from pathlib import Path\n"
            "from bulk_remove.report.xlsx import write_workbook\n"
            f"line = {line(2)!r}\n"
            f"rows = ([*line[:4], str(600000000 + index), *line[5:]] for index in range({rows}))\n"
            f"with open({str(tmp_path / 'report.xlsx')!r}, 'wb') as file:\n"
            f"    every = (row for rows in ([{list(HEADER)!r}], rows) for row in rows)\n"
            f"    write_workbook(file, every, Path({str(tmp_path)!r}), {summary()!r})\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert peak_kib(20_000) - peak_kib(1_000) < 4_000
