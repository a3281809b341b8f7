"""What an operator sees in the spreadsheet and what the file holds: told, or not sent, where they differ."""

import struct
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.core.model import NumberFormat, RowBlock
from bulk_remove.reader import ReadOptions, Table, open_table
from bulk_remove.run.intake import SHOWN_OTHERWISE, Intake
from bulk_remove.settings import Settings
from tests.support.workbook_here import read_workbooks_here
from tests.support.workbooks import (
    Cell,
    Styled,
    Value,
    biff,
    biff_sheet,
    biff_styles,
    changed_zip,
    compound_file,
    ods_sheet,
    record,
    workbook_stream,
    write_ods,
    write_xlsb,
    xlsb_sheet,
    xlsb_styles,
)

KINDS = ["xlsx", "xlsb", "xls", "ods"]
FORMATS = {
    '"+420 "000 000 000': "+420 601 234 501",
    r"\+\4\2\0\ 000\ 000\ 000": "+420 601 234 501",
    '"00420"000000000': "00420601234501",
    "[$+420] 000000000": "+420 601234501",
    '000000000"12"': "60123450112",
    "0,": "601235",
    "0%": "60123450100%",
    "+000000000": "+601234501",
    '"+48 "000 000 000': "+48 601 234 501",
}
PLAIN = {
    "000-000-000": "601-234-501",
    "#,##0.00": "601,234,501.00",
    "0.00E+00": "6.01E+08",
    '"tel. "0': "tel. 601234501",
    "@": "601234501",
}
HIDDEN_ROWS = "2 rows are hidden or filtered out in the sheet; they are read like the others."
COVERED = "2 phone cells lie under merged cells and are not visible; they are read like the others."
COVERED_ONE = "1 phone cell lies under a merged cell and is not visible; it is read like the others."
UNSEEN = "1 phone cell has a number format that shows nothing; it is read like the others."


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    read_workbooks_here(monkeypatch)


def write(folder: Path, kind: str, values: Sequence[tuple[Value, str, str]]) -> Path:
    """Write a phone column of values, each in a format, and what is shown of it."""
    path = folder / f"a.{kind}"
    codes = [code for _, code, _ in values]
    rows: list[list[Cell]] = [["phone", "x"]]
    rows += [[Styled(value, place, shown), "x"] for place, (value, _, shown) in enumerate(values, start=1)]
    if kind == "xlsx":
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.append(["phone", "x"])
        for row, (value, code, _) in enumerate(values, start=2):
            sheet.cell(row, 1, value).number_format = code
            sheet.cell(row, 2, "x")
        book.save(path)
    elif kind == "xlsb":
        write_xlsb(path, {"Sheet 1": xlsb_sheet(rows)}, {"styles": xlsb_styles(codes)})
    elif kind == "xls":
        stream = workbook_stream({"Sheet 1": biff_sheet(rows)}, extra=biff_styles(codes))
        path.write_bytes(compound_file({"Workbook": stream}))
    else:
        write_ods(path, {"Sheet 1": ods_sheet(rows)})
    return path


def shown_of(table: Table) -> dict[int, str]:
    return {block.rows[index]: shown for block in table.blocks() for index, shown in block.shown.items()}


def cells_of(table: Table) -> list[str]:
    return [cell for block in table.blocks() for cell in block.cells]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [False, True])
def test_what_a_number_format_shows_otherwise_is_handed_over(tmp_path: Path, kind: str, keep: bool) -> None:
    told = [(601234501, code, shown) for code, shown in FORMATS.items()]
    path = write(tmp_path, kind, [*told, *((601234501, code, shown) for code, shown in PLAIN.items())])
    table = open_table(str(path), ReadOptions(block_rows=4, keep_columns=keep))
    assert cells_of(table) == ["601234501"] * (len(FORMATS) + len(PLAIN))
    assert shown_of(table) == dict(enumerate(FORMATS.values(), start=2))
    assert table.source.notes == ()


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "xls"])
def test_a_text_may_be_shown_otherwise_too(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, [("601234501", "@", ""), ("601234502", '"+420 "@', ""), ("601234503", "0", "")])
    assert shown_of(open_table(str(path), ReadOptions())) == {3: "+420 601234502"}


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "xls"])
def test_dates_are_known_by_their_format(tmp_path: Path, kind: str) -> None:
    values: list[tuple[Value, str, str]] = [
        (601234501, "0", ""),
        (45296, "yyyy-mm-dd", ""),
        (45296.5, "d.m.yyyy h:mm", ""),
        (0.25, "h:mm", ""),
        (1.25, "[h]:mm:ss", ""),
        (59, "d/m/yy", ""),
        (601234502, "yyyy", ""),
    ]
    table = open_table(str(write(tmp_path, kind, values)), ReadOptions())
    assert cells_of(table) == [
        "601234501",
        "date 2024-01-05",
        "datetime 2024-01-05 12:00:00",
        "time 06:00:00",
        "timedelta 1 day, 6:00:00",
        "date 1900-02-28",
        "601234502",
    ]
    assert shown_of(table) == {8: "#"}  # a column of them is all that Excel shows there


def numbered(block: RowBlock, number_format: NumberFormat = NumberFormat.NATIONAL) -> tuple[list[str], dict[int, str]]:
    settings = Settings("00001", number_format=number_format)
    found, _ = Intake(settings, settings.rules, lambda _: None, show_numbers=False).numbered(block)
    return [*found.numbers], dict(found.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_that_is_shown_otherwise_is_never_sent(tmp_path: Path, kind: str) -> None:
    values = [(601234501, code, shown) for code, shown in FORMATS.items()]
    (block,) = open_table(str(write(tmp_path, kind, values)), ReadOptions()).blocks()
    own = len(FORMATS) - 1  # the region's own code, and so the region's number
    numbers, problems = numbered(block)
    assert numbers == [*[""] * own, "601234501"]
    assert problems == dict.fromkeys(range(own), SHOWN_OTHERWISE)


@pytest.mark.parametrize(
    ("form", "number"),
    [(NumberFormat.NATIONAL, "601234501"), (NumberFormat.E164, "+48601234501"), (NumberFormat.AS_IS, "601234501")],
)
def test_the_regions_own_code_in_a_format_changes_no_number(tmp_path: Path, form: NumberFormat, number: str) -> None:
    path = write(tmp_path, "xlsx", [(601234501, '"+48 "000 000 000', ""), (601234501, '"0048 "0', "")])
    (block,) = open_table(str(path), ReadOptions()).blocks()
    assert numbered(block, form) == ([number] * 2, {})


def test_a_cell_that_is_no_number_keeps_its_own_reason(tmp_path: Path) -> None:
    path = write(tmp_path, "xlsx", [(601234501, "0", ""), (12, '"+420 "0', "")])
    (block,) = open_table(str(path), ReadOptions()).blocks()
    assert numbered(block)[1] == {1: "Fewer than three digits."}


def test_what_is_shown_stays_with_its_row_where_others_are_split(tmp_path: Path) -> None:
    several = "601234507, 601234508"
    path = write(tmp_path, "xlsx", [(several, "@", ""), (601234501, '"+420 "0', ""), (601234502, "0", "")])
    (block,) = open_table(str(path), ReadOptions(trust_column=True)).blocks()
    settings = Settings("00001", split_cells=True)
    found, _ = Intake(settings, settings.rules, lambda _: None, show_numbers=False).numbered(block)
    assert [*found.numbers] == ["601234507", "601234508", "", "601234502"]
    assert [*found.rows.rows] == [2, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_a_format_that_shows_nothing_is_told_and_the_cell_read(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, [(601234501, ";;;", ""), (601234502, "0", "601234502")])
    table = open_table(str(path), ReadOptions())
    assert (cells_of(table), shown_of(table)) == (["601234501", "601234502"], {})
    assert table.source.notes == (UNSEEN,)


def merged(path: Path, top: int, left: int, bottom: int, right: int) -> None:
    """Write five numbers in the second column, of which an area is merged, counted from 0."""
    numbered: list[list[Cell]] = [["x", 601234501 + place] for place in range(5)]
    rows: list[list[Cell]] = [["x", "phone"], *numbered]
    extra = {
        ".xlsb": record(177, struct.pack("<I", 1)) + record(176, struct.pack("<4I", top, bottom, left, right)),
        ".xls": biff(0xE5, struct.pack("<5H", 1, top, bottom, left, right)),
    }
    write_rows(path, rows, extra=extra.get(path.suffix, b""))
    if path.suffix == ".xlsx":
        area = f"{'AB'[left]}{top + 1}:{'AB'[right]}{bottom + 1}"
        merge = f'</sheetData><mergeCells count="1"><mergeCell ref="{area}"/></mergeCells>'.encode()
        changed_zip(path, lambda _, content: content.replace(b"</sheetData>", merge))
    elif path.suffix == ".ods":
        cells = ods_sheet(rows).split("<table:table-cell ")
        spans = f'table:number-rows-spanned="{bottom - top + 1}" table:number-columns-spanned="{right - left + 1}" '
        cells[2 * top + left + 1] = spans + cells[2 * top + left + 1]
        write_ods(path, {"Sheet 1": "<table:table-cell ".join(cells)})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("area", "notes"),
    [
        ((1, 1, 2, 1), (COVERED_ONE,)),
        ((1, 1, 3, 1), (COVERED,)),
        ((2, 0, 3, 1), (COVERED,)),
        ((2, 0, 3, 0), ()),
        ((0, 0, 0, 1), ()),
    ],
    ids=["one", "two", "from the left", "another column", "in the header"],
)
def test_a_number_under_a_merged_cell_is_read_and_told(
    tmp_path: Path, kind: str, area: tuple[int, int, int, int], notes: tuple[str, ...]
) -> None:
    path = tmp_path / f"a.{kind}"
    merged(path, *area)
    table = open_table(str(path), ReadOptions(column="2"))
    assert cells_of(table) == [str(601234501 + place) for place in range(5)]
    assert table.source.notes == notes


def write_rows(path: Path, rows: list[list[Cell]], *, extra: bytes = b"", above: bytes = b"") -> None:
    """Write a sheet of that kind; `extra` and `above` are records or elements beside the rows."""
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.worksheets[0].append(list(row))
        book.save(path)
        changed_zip(path, lambda _, content: content.replace(b"<sheetData>", above + b"<sheetData>"))
    elif path.suffix == ".xlsb":
        write_xlsb(path, {"Sheet 1": xlsb_sheet(rows, above=above, extra=extra)})
    elif path.suffix == ".xls":
        path.write_bytes(compound_file({"Workbook": workbook_stream({"Sheet 1": biff_sheet(rows, extra=extra)})}))
    else:
        write_ods(path, {"Sheet 1": above.decode() + ods_sheet(rows)})


def with_style(path: Path, name: str, element: str) -> None:
    """Give an .ods a style of that name with properties in that element."""
    style = (
        f'<office:automatic-styles><style:style xmlns:style="s" style:name="{name}"><style:{element}/></style:style>'
        "</office:automatic-styles><office:body>"
    )
    changed_zip(path, lambda _, content: content.replace(b"<office:body>", style.encode()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_any_height_is_hidden_too(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    numbered: list[list[Cell]] = [[601234501 + place] for place in range(4)]
    rows: list[list[Cell]] = [["phone"], *numbered]
    flat = b"".join(biff(0x208, struct.pack("<HHHHHHI", row, 0, 9, 0, 0, 0, 0)) for row in (1, 3))
    write_rows(path, rows, extra=flat if kind == "xls" else b"")
    if kind == "ods":
        with_style(path, "ro2", 'table-row-properties style:row-height="0in"')

    def flattened(_: str, content: bytes) -> bytes:
        for number in (2, 4):
            row = f'<row r="{number}"'.encode()
            content = content.replace(row, row + b' ht="0" customHeight="1"')
            high, flat = (record(0, struct.pack("<IIHB", number - 1, 0, height, 0) + bytes(6)) for height in (300, 0))
            content = content.replace(high, flat)
            if kind == "ods":
                row = b"<table:table-row>" + ods_sheet([rows[number - 1]]).removeprefix("<table:table-row>").encode()
                content = content.replace(row, row.replace(b"-row>", b'-row table:style-name="ro2">', 1))
        return content

    if kind != "xls":
        changed_zip(path, flattened)
    table = open_table(str(path), ReadOptions())
    assert cells_of(table) == [str(601234501 + place) for place in range(4)]
    assert table.source.notes == (HIDDEN_ROWS,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "without width"])
def test_a_phone_column_that_is_not_visible_is_told(tmp_path: Path, kind: str, *, hidden: bool) -> None:
    width = 2304 * hidden
    flat = 'table:visibility="collapse"' if hidden else 'table:style-name="co2"'
    beside = {
        "xlsx": f'<cols><col min="2" max="3" width="{width / 256}" hidden="{hidden:d}"/></cols>'.encode(),
        "xlsb": record(390) + record(60, struct.pack("<IIIIH", 1, 2, width, 0, hidden)) + record(391),
        "xls": biff(0x7D, struct.pack("<6H", 1, 2, width, 0, hidden, 0)),
        "ods": f'<table:table-column/><table:table-column {flat} table:number-columns-repeated="2"/>'.encode(),
    }[kind]
    path = tmp_path / f"a.{kind}"
    write_rows(path, [["x", "phone"], ["x", 601234501]], above=beside, extra=beside if kind == "xls" else b"")
    if kind == "ods":
        with_style(path, "co2", 'table-column-properties style:column-width="0.00cm"')
    assert open_table(str(path), ReadOptions()).source.notes == ("The phone column is hidden in the sheet.",)
