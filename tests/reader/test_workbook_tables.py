"""Where a table stands in a workbook: its sheet, the row of its names, its columns, its odd cells."""

import datetime as dt
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from bulk_remove.core.conditions import Condition
from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, Table, open_table
from tests.support.workbook_here import read_workbooks_here
from tests.support.workbooks import changed_zip

Rows = list[list[object]]
PHONES: Rows = [["phone"], ["601000001"]]
BELOW = "The column names are in row {}; the rows above it were skipped."
ALONE = "The first row is a phone number: there is no header."


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    read_workbooks_here(monkeypatch)


def workbook(folder: Path, *sheets: Rows, hidden: tuple[int, ...] = (), names: tuple[str, ...] = ()) -> str:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for number, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(names[number - 1] if names else f"Sheet {number}")
        sheet.sheet_state = "hidden" if number in hidden else "visible"
        for row in rows:
            sheet.append(row)
    path = folder / "numbers.xlsx"
    book.save(path)
    return str(path)


def made(folder: Path, rows: Rows) -> tuple[openpyxl.Workbook, Worksheet, Path]:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    return book, sheet, folder / "numbers.xlsx"


def rows_of(table: Table) -> list[tuple[int, str]]:
    return [pair for block in table.blocks() for pair in zip(block.rows, block.cells, strict=True)]


def campaigns_of(table: Table) -> list[str]:
    return [campaign for block in table.blocks() for campaign in block.campaigns]


def refusal(path: str, options: ReadOptions | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        open_table(path, options or ReadOptions())
    return caught.value


TITLED: Rows = [
    ["Export of 5 January"],
    [],
    [None, dt.date(2024, 1, 5)],
    ["id", "name", "Telefon"],
    [1, "a", 601000001],
]


def test_the_names_of_the_columns_may_stand_below_titles(tmp_path: Path) -> None:
    table = open_table(workbook(tmp_path, TITLED), ReadOptions())
    assert (table.source.header, table.source.header_row) == (("id", "name", "Telefon"), 4)
    assert table.source.notes == (BELOW.format(4),)
    assert rows_of(table) == [(5, "601000001")]


def test_a_wanted_column_is_looked_for_below_titles_too(tmp_path: Path) -> None:
    rows: Rows = [["Export"], ["kod", "nazwa"], ["601000001", "x"]]
    table = open_table(workbook(tmp_path, rows), ReadOptions(column="kod"))
    assert (table.source.column, table.source.header_row, rows_of(table)) == (0, 2, [(3, "601000001")])


@pytest.mark.parametrize(
    "rows",
    [
        [["id", "name", "kod"], [1, "tel", "601000001"], [2, "x", "601000002"]],
        [["phone", "mobile"], ["x", "tel"], ["1", "601000001"]],
        [["name", "48601000000"], ["tel", "x"], ["601000001", "y"]],
        [["kod"], *[["x"]] * 19, ["tel"], ["601000001"]],
        [["a", "b", "c"], ["name", "tel"], ["x", "601000001"]],
    ],
    ids=["a row below", "two names first", "a number above", "too far down", "fewer cells than above"],
)
def test_a_row_that_may_be_something_else_is_not_taken_for_the_names(tmp_path: Path, rows: Rows) -> None:
    refusal(workbook(tmp_path, rows))


def test_the_first_row_is_taken_at_its_word_when_it_is_said_to_be_the_header(tmp_path: Path) -> None:
    assert "No column is certain" in refusal(workbook(tmp_path, TITLED), ReadOptions(has_header=True)).sentence


def test_one_column_of_nothing_but_numbers_needs_no_header(tmp_path: Path) -> None:
    path = workbook(tmp_path, [[], [None, 601000001], [None, "601 000 002"], [], [None, 601000003.0]])
    table = open_table(path, ReadOptions())
    assert rows_of(table) == [(2, "601000001"), (3, "601 000 002"), (5, "601000003")]
    source = table.source
    assert (source.header, source.header_row, source.column) == (("column 1", "column 2"), 0, 1)
    assert (source.column_reason, source.notes) == ("the only column", (ALONE,))


@pytest.mark.parametrize(
    "rows",
    [
        [["601000001"], ["x"]],
        [["601000001", "Jan"], ["601000002", "Ewa"]],
        [["112"], ["601000001"]],
        [["601000001"], ["601000002", "601000003"]],
    ],
    ids=["a word", "two columns", "an internal number", "another column later"],
)
def test_numbers_beside_anything_else_need_a_header(tmp_path: Path, rows: Rows) -> None:
    assert "holds a phone number where the name" in refusal(workbook(tmp_path, rows)).sentence


def test_without_a_header_the_column_is_named_by_its_position(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["Jan", "601000001"], ["Ewa", "601000002"]])
    table = open_table(path, ReadOptions(has_header=False, column="2"))
    assert (table.source.header, table.source.header_row) == (("column 1", "column 2"), 0)
    assert (table.source.notes, rows_of(table)) == ((), [(1, "601000001"), (2, "601000002")])
    for column in (None, "phone"):
        error = refusal(path, ReadOptions(has_header=False, column=column))
        assert "has no names of columns" in error.sentence


@pytest.mark.parametrize(("wanted", "sheet"), [("Sheet 2", "Sheet 2"), ("2", "Sheet 2"), (" sheet 1 ", "Sheet 1")])
def test_a_sheet_is_chosen_by_name_or_position(tmp_path: Path, wanted: str, sheet: str) -> None:
    path = workbook(tmp_path, PHONES, [["phone"], ["601000002"]])
    assert open_table(path, ReadOptions(sheet=wanted)).source.sheet == sheet


def test_a_name_of_a_sheet_comes_before_its_position(tmp_path: Path) -> None:
    book, _, path = made(tmp_path, PHONES)
    for row in PHONES:
        book.create_sheet("1").append(row) if row == PHONES[0] else book["1"].append(row)
    book.save(path)
    assert open_table(str(path), ReadOptions(sheet="1")).source.sheet == "1"


def test_a_hidden_sheet_is_read_when_it_is_named_and_the_operator_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["x"]], PHONES, hidden=(2,))
    assert open_table(path, ReadOptions(sheet="2")).source.notes == ("Sheet 'Sheet 2' is hidden.",)


@pytest.mark.parametrize(
    ("wanted", "hint"), [("Shet 2", "Did you mean --sheet 'Sheet 2'?"), ("3", "a position counted from 1"), ("0", "")]
)
def test_an_unknown_sheet_is_refused_with_the_sheets(tmp_path: Path, wanted: str, hint: str) -> None:
    error = refusal(workbook(tmp_path, PHONES, [["x"]], hidden=(2,)), ReadOptions(sheet=wanted))
    assert error.sentence.endswith(f"has no sheet '{wanted}'; its sheets are 'Sheet 1', 'Sheet 2' (hidden).")
    assert hint in error.hint


def test_a_named_sheet_without_a_certain_column_or_text_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, PHONES, [["notes"], ["x"]], [])
    assert "sheet 'Sheet 2': No column is certain" in refusal(path, ReadOptions(sheet="Sheet 2")).sentence
    assert "sheet 'Sheet 3' holds no text" in refusal(path, ReadOptions(sheet="3")).sentence


@pytest.mark.parametrize("wanted", ["kampania", "3"])
def test_campaigns_that_are_numbers_get_their_zeros_back(tmp_path: Path, wanted: str) -> None:
    cells: list[object] = [1, 1.0, 12345, 123456, "1", "00002", None, 1.5, -1, True, dt.date(2024, 1, 5)]
    rows: Rows = [["x", "phone", "kampania"], *[["x", 601000001, cell] for cell in cells]]
    table = open_table(workbook(tmp_path, rows), ReadOptions(campaign_column=wanted))
    assert table.source.campaign_column == 2
    expected = ["00001", "00001", "12345", "123456", "1", "00002", "", "1.5", "-1", "TRUE", "2024-01-05"]
    assert campaigns_of(table) == expected


def test_campaigns_go_with_their_rows_over_blank_ones_and_blocks(tmp_path: Path) -> None:
    rows: Rows = [["phone", "c"]]
    for number in range(700):
        rows += [[601000000 + number, number], [None, None]]
    for block in open_table(workbook(tmp_path, rows), ReadOptions(campaign_column="c", block_rows=333)).blocks():
        assert [f"{int(cell) - 601000000:05d}" for cell in block.cells] == list(block.campaigns)
        assert [2 * int(campaign) + 2 for campaign in block.campaigns] == list(block.rows)


def test_without_a_campaign_column_there_are_no_campaigns(tmp_path: Path) -> None:
    table = open_table(workbook(tmp_path, PHONES), ReadOptions())
    assert (table.source.campaign_column, campaigns_of(table)) == (None, [])


@pytest.mark.parametrize(("wanted", "told"), [("x", "There is no column 'x'"), ("phone", "holds the phone numbers")])
def test_a_campaign_column_that_cannot_be_is_refused(tmp_path: Path, wanted: str, told: str) -> None:
    assert told in refusal(workbook(tmp_path, PHONES), ReadOptions(campaign_column=wanted)).sentence


def test_of_merged_cells_only_the_first_has_the_value(tmp_path: Path) -> None:
    book, sheet, path = made(tmp_path, [["phone", "x"], [601000001, "a"], [None, "b"], [None, "c"], [601000002, "d"]])
    sheet.merge_cells("A2:A4")
    book.save(path)
    assert rows_of(open_table(str(path), ReadOptions())) == [(2, "601000001"), (3, ""), (4, ""), (5, "601000002")]


def test_a_formula_is_read_as_its_stored_result(tmp_path: Path) -> None:
    book, sheet, path = made(tmp_path, [["phone", "x"], ["601000001", "a"]])
    sheet["A3"] = "=600000000+1000002"
    sheet["A4"] = '="601000"&"003"'
    book.save(path)

    def with_result(name: str, content: bytes) -> bytes:
        content = content.replace(b"+1000002</f><v></v>", b"+1000002</f><v>601000002</v>")
        return content.replace(b"+1000002</f><v />", b"+1000002</f><v>601000002</v>") if "sheet" in name else content

    changed_zip(path, with_result)
    table = open_table(str(path), ReadOptions(keep_columns=True))
    assert rows_of(table) == [(2, "601000001"), (3, "601000002"), (4, "(formula)")]
    assert table.source.notes == ()


def test_an_error_cell_reads_as_its_error(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["phone", "x"], ["601000001", "a"], ["#N/A", "b"], ["#REF!", "c"]])
    table = open_table(path, ReadOptions())
    assert rows_of(table) == [(2, "601000001"), (3, "#N/A"), (4, "#REF!")]
    assert table.source.notes == ()


def test_a_number_that_is_stored_as_an_error_is_none(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["phone", "x"], ["601000001", "a"], ["#N/A", "b"]])
    changed_zip(
        Path(path), lambda name, content: content.replace(b"#N/A", b"601000002") if "sheet" in name else content
    )
    assert rows_of(open_table(path, ReadOptions())) == [(2, "601000001"), (3, "#ERROR!")]


@pytest.mark.parametrize(("column", "notes"), [("A", ("The phone column is hidden in the sheet.",)), ("B", ())])
def test_a_hidden_phone_column_is_told(tmp_path: Path, column: str, notes: tuple[str, ...]) -> None:
    book, sheet, path = made(tmp_path, [["phone", "x"], ["601000001", "a"]])
    sheet.column_dimensions[column].hidden = True
    book.save(path)
    assert open_table(str(path), ReadOptions()).source.notes == notes


@pytest.mark.parametrize("dimension", [b"A1", b"A1:XFD1048576", b"C7:D9"])
def test_a_wrong_stored_dimension_does_no_harm(tmp_path: Path, dimension: bytes) -> None:
    path = workbook(tmp_path, [["id", "phone"], [1, 601000001], [2, 601000002]])
    changed_zip(
        Path(path),
        lambda _, content: content.replace(b'<dimension ref="A1:B3"', b'<dimension ref="' + dimension + b'"'),
    )
    assert rows_of(open_table(path, ReadOptions())) == [(2, "601000001"), (3, "601000002")]


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        (b"2024-01-05", "date 2024-01-05"),
        (b"2024-01-05T03:04:00", "datetime 2024-01-05 03:04:00"),
        (b"03:04:00", "time 03:04:00"),
        (b"2024-01-05T03:04:00.000Z", "datetime 2024-01-05 03:04:00+00:00"),
        (b"20240105", "date 2024-01-05"),
        (b"2024-01-05+01:00", "date 2024-01-05+01:00"),
        (b"601000002", "date 601000002"),
    ],
)
def test_a_date_in_text_is_no_number(tmp_path: Path, written: bytes, cell: str) -> None:
    path = workbook(tmp_path, [["phone"], [601000001], [601000002]])
    before, after = b'<c r="A3" t="n"><v>601000002</v>', b'<c r="A3" t="d"><v>' + written + b"</v>"
    changed_zip(Path(path), lambda _, content: content.replace(before, after))
    assert rows_of(open_table(path, ReadOptions()))[1] == (3, cell)


def test_sheets_with_the_same_strings_are_told_apart(tmp_path: Path) -> None:
    path = workbook(tmp_path, PHONES, [["x"], ["y"]], PHONES)
    assert "'Sheet 1': phone column, 'Sheet 2', 'Sheet 3': phone column" in refusal(path).sentence


OTHERS: Rows = [["doradca", "x"], ["Jan", "601000003"], ["Ewa", "512000004"]]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (OTHERS, True),
        ([["telefon", "tel"], ["601000003", "601000004"]], True),
        ([["zamówienie", "kwota"], ["100000123", "12,50"]], False),
        ([["uwagi"], ["601000003 rano"]], False),
        ([], False),
    ],
    ids=["no name", "two names", "other numbers", "prose", "blank"],
)
def test_a_sheet_that_is_passed_over_although_it_holds_phone_numbers_is_named(
    tmp_path: Path, rows: Rows, *, told: bool
) -> None:
    source = open_table(workbook(tmp_path, PHONES, rows), ReadOptions()).source
    note = "Sheet 'Sheet 2' holds phone numbers, too, but is not read: its phone column is not certain."
    assert (source.sheet, source.notes) == ("Sheet 1", (note,) * told)
    named = open_table(workbook(tmp_path, PHONES, rows), ReadOptions(sheet="1")).source
    note = "Sheet 'Sheet 2' holds phone numbers, too; 'Sheet 1' was chosen with --sheet."
    assert (named.sheet, named.notes) == ("Sheet 1", (note,) * told)


@pytest.mark.parametrize("name", ["do usunięcia", "OPT-OUT 2026", "Rezygnacje", "delete me", "Unsubscribed"])
def test_a_sheet_whose_name_says_remove_is_not_passed_over_until_the_sheet_is_named(tmp_path: Path, name: str) -> None:
    rows: Rows = [["klient", "x"], ["Jan", "22 123 45"], ["Ewa", "brak"]]
    path = workbook(tmp_path, PHONES, rows, names=("Klienci", name))
    error = refusal(path)
    assert f"sheet '{name}' holds phone numbers, too, and its name says that they are to be removed" in error.sentence
    assert "--sheet" in error.hint
    assert open_table(path, ReadOptions(sheet="Klienci")).source.sheet == "Klienci"
    without_numbers = workbook(tmp_path, PHONES, [["klient"], ["Jan"]], names=("Klienci", name))
    assert open_table(without_numbers, ReadOptions()).source.notes == ()


@pytest.mark.parametrize("keep", [False, True])
def test_truth_values_and_the_columns_of_conditions_are_read_beside_the_phones(tmp_path: Path, *, keep: bool) -> None:
    rows: Rows = [["zgoda", "phone", "kampania", "kod"], [True, "601000001", 1, 7], [False, "601000002", 2, None]]
    where = (Condition("kod", "7"), Condition("kampania", "1"))
    options = ReadOptions(campaign_column="kampania", where=where, keep_columns=keep)
    table = open_table(workbook(tmp_path, rows), options)
    assert table.source.beside == (3, 2, 0)
    (block,) = table.blocks()
    assert [*block.beside] == [["7", ""], ["1", "2"], ["TRUE", "FALSE"]]
    assert ([*block.cells], [*block.campaigns]) == (["601000001", "601000002"], ["00001", "00002"])
