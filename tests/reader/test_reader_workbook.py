"""Reading Excel workbooks: what the cell held, on the row that Excel shows, from the one sheet that is certain."""

import datetime as dt
import hashlib
import os
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, Table, open_table
from tests.support.workbooks import changed_zip

Rows = list[list[object]]
PHONES: Rows = [["phone"], ["601000001"]]


def workbook(folder: Path, *sheets: Rows, hidden: tuple[int, ...] = (), chart: bool = False) -> str:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for number, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"Sheet {number}")
        sheet.sheet_state = "hidden" if number in hidden else "visible"
        for row in rows:
            sheet.append(row)
    if chart:
        book.create_chartsheet("Chart")
    path = folder / "numbers.xlsx"
    book.save(path)
    return str(path)


def rows_of(table: Table) -> list[tuple[int, str]]:
    return [pair for block in table.blocks() for pair in zip(block.rows, block.cells, strict=True)]


def refusal(path: str, column: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        open_table(path, ReadOptions(column=column))
    return caught.value


@pytest.mark.parametrize(
    ("value", "phone", "kept"),
    [
        ("0048 601 000 001", "0048 601 000 001", "0048 601 000 001"),
        (" 601000001 ", " 601000001 ", " 601000001 "),
        (48601000001, "48601000001", "48601000001"),
        (48601000001.0, "48601000001", "48601000001"),
        (-601000001, "-601000001", "-601000001"),
        (601000.25, "601000.25", "601000.25"),
        (999999999999999, "999999999999999", "999999999999999"),
        (1000000000000000, "1.000000000000000e+15", "1.000000000000000e+15"),
        (48601000001234567, "4.860100000123457e+16", "4.860100000123457e+16"),
        (True, "TRUE", "TRUE"),
        (dt.date(2024, 1, 5), "date 2024-01-05", "2024-01-05"),
        (dt.datetime(2024, 1, 5, 3, 4), "datetime 2024-01-05 03:04:00", "2024-01-05 03:04:00"),  # noqa: DTZ001 - naive
        (dt.time(3, 4), "time 03:04:00", "03:04:00"),
        (dt.timedelta(hours=30), "timedelta 1 day, 6:00:00", "1 day, 6:00:00"),
        (None, "", ""),
        ("=1/0", "(formula)", "(formula)"),
    ],
)
def test_a_cell_becomes_the_text_that_shows_what_it_was(tmp_path: Path, value: object, phone: str, kept: str) -> None:
    path = workbook(tmp_path, [["phone", "x"], ["601000001", "x"], [value, "y"]])
    (block,) = open_table(path, ReadOptions(column="phone", keep_columns=True)).blocks()
    assert block.cells[1] == phone
    assert block.others[1] == (kept, "y")


def test_the_source_says_what_was_read_and_why(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["id", "Telefon", 2024], [1, "601000001", "x"]])
    source = open_table(path, ReadOptions()).source
    content = Path(path).read_bytes()
    assert (source.file, source.sheet, source.header) == (path, "Sheet 1", ("id", "Telefon", "2024"))
    assert (source.column, source.column_reason) == (1, "named 'Telefon'")
    assert (source.encoding, source.delimiter) == ("", "")
    assert (source.sha256, source.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))


def test_the_other_cells_are_kept_only_on_demand(tmp_path: Path) -> None:
    path = workbook(tmp_path, PHONES)
    assert [list(block.others) for block in open_table(path, ReadOptions()).blocks()] == [[]]


@pytest.mark.parametrize("above", [0, 4])
@pytest.mark.parametrize("left", [0, 2])
def test_rows_and_columns_are_counted_as_excel_shows_them(tmp_path: Path, above: int, left: int) -> None:
    pad: list[object] = [None] * left
    rows: Rows = [["id", "phone"], [1, 601000001], [None, " "], [], [2, None], [3, 601000002]]
    no_rows: Rows = [[]] * above
    path = workbook(tmp_path, no_rows + [pad + row for row in rows])
    for options in (ReadOptions(), ReadOptions(column=str(left + 2)), ReadOptions(block_rows=1)):
        table = open_table(path, options)
        assert table.source.column == left + 1
        assert rows_of(table) == [(above + 2, "601000001"), (above + 5, ""), (above + 6, "601000002")]


def test_blocks_hold_at_most_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["phone"], *[PHONES[1]] * 25])
    assert [len(block.rows) for block in open_table(path, ReadOptions(block_rows=10)).blocks()] == [10, 10, 5]


def test_a_table_can_be_read_again(tmp_path: Path) -> None:
    table = open_table(workbook(tmp_path, PHONES), ReadOptions())
    assert rows_of(table) == rows_of(table) == [(2, "601000001")]


def test_the_one_sheet_with_a_certain_column_is_read(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["notes"], ["x"]], [], PHONES, chart=True)
    assert open_table(path, ReadOptions()).source.sheet == "Sheet 3"


@pytest.mark.parametrize(
    ("sheets", "hidden", "listed"),
    [
        ((PHONES, PHONES), (), "'Sheet 1': phone column, 'Sheet 2': phone column."),
        ((PHONES, PHONES), (2,), "'Sheet 1': phone column, 'Sheet 2' (hidden): phone column."),
        (([["notes"], ["x"]], PHONES), (2,), "'Sheet 1', 'Sheet 2' (hidden): phone column."),
        (([["notes"], ["x"]], [["id"], ["1"]]), (), "'Sheet 1', 'Sheet 2'."),
    ],
    ids=["two", "one of them hidden", "the only one hidden", "none"],
)
def test_not_exactly_one_sheet_is_refused_with_the_sheets(
    tmp_path: Path, sheets: tuple[Rows, ...], hidden: tuple[int, ...], listed: str
) -> None:
    assert refusal(workbook(tmp_path, *sheets, hidden=hidden, chart=True)).sentence.endswith(f"its sheets are {listed}")


def test_a_single_sheet_is_refused_with_its_columns(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["id", "kod"], [1, 601000001]], [])
    sentence = refusal(path).sentence
    assert sentence.startswith(f"{path}, sheet 'Sheet 1': No column is certain")
    assert sentence.endswith("1 'id' (*), 2 'kod' (60*****01).")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [([["phone"]], "has no rows under its header"), ([], "holds no text"), ([[" "]], "holds no text")],
    ids=["header alone", "empty", "blank"],
)
def test_a_workbook_without_rows_is_refused(tmp_path: Path, rows: Rows, sentence: str) -> None:
    assert sentence in refusal(workbook(tmp_path, rows), None if not rows or rows == [[" "]] else "phone").sentence


@pytest.mark.parametrize("damage", ["cut", "a broken sheet"])
def test_a_damaged_workbook_is_refused(tmp_path: Path, damage: str) -> None:
    path = Path(workbook(tmp_path, PHONES))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        changed_zip(path, lambda name, content: content[: len(content) // 2] if "sheet1" in name else content)
    assert refusal(str(path)).sentence == f"{path} is damaged, or not a workbook."


def test_a_workbook_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["phone"], [601000001], [601000002]])
    blocks = open_table(path, ReadOptions(block_rows=1)).blocks()
    next(blocks)
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputError, match="changed while it was read"):
        list(blocks)
