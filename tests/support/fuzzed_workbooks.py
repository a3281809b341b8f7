"""Fuzzed workbooks of every kind: numbers as text and as figures, a table anywhere on the sheet, others beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
from hypothesis import strategies as st

from bulk_remove.reader import ReadOptions
from tests.support.fuzzed import GOOD, NASTY, OTHER_NAMES, PHONE_NAMES, PHONES, Fuzzed, Row, campaign_places
from tests.support.workbooks import (
    biff_sheet,
    compound_file,
    ods_cell,
    workbook_stream,
    write_ods,
    write_xlsb,
    xlsb_sheet,
)

Value = str | int | float | bool | None
Rows = Sequence[Sequence[Value]]
KINDS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
NOTES: Rows = (("uwagi", "kwota"), ("Lista jest zmyślona.", 12.5))
FIGURES = st.sampled_from([600000101, 600000102.0, 48600000103, 48600000104.0, 441, 600000105.5, -600000106, 0])
WHOLE: st.SearchStrategy[Value] = st.sampled_from([*GOOD[:9], 600000107, 48600000108.0])
CAMPAIGNS: st.SearchStrategy[Value] = st.sampled_from(
    ["00001", 1, 2.0, 12345, "AB12c", "1", 1.5, 123456, None, " 00003 "]
)
EXTRAS: st.SearchStrategy[Value] = st.one_of(NASTY, st.sampled_from([None, 1, 2.5, True, 600000999, -0.25, 1e10]))
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32)])
"""What no XML can hold, and carriage returns, which writers of XML lose."""


def shown(value: Value) -> str:
    """Say what a cell is as text: what was typed, without a decimal point that only a figure's storage has."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else repr(value)
    return str(value)


def shown_campaign(value: Value) -> str:
    """Say what a campaign's cell is: a whole figure with its five digits."""
    whole = isinstance(value, (int, float)) and float(value).is_integer()
    return f"{value:05.0f}" if whole and isinstance(value, (int, float)) else shown(value)


def writable(value: Value, kind: str) -> Value:
    """Leave out of a text what this kind of file, or its writer here, cannot hold."""
    if not isinstance(value, str):
        return value
    text = value.translate(_CONTROLS)
    if kind in {".xls", ".xlsb"}:  # two bytes a letter, without the mark that calamine takes for one of byte order
        text = "".join(letter for letter in text if ord(letter) <= 0xFFFF).lstrip("\ufeff")
        return text.replace("#N/A", "#N/D!")  # which the writer here takes for an error
    if kind in {".xlsx", ".xlsm"}:  # openpyxl neither writes a lone space nor escapes what looks like an escape
        return text.replace("_x", "-x") if text.strip() else ""
    return text.replace("\t", " ")


@st.composite
def fuzzed_workbooks(draw: st.DrawFn) -> tuple[Fuzzed, Mapping[str, Rows]]:
    """Make up a workbook: its sheets by name, of which one holds the table."""
    kind = draw(st.sampled_from(KINDS))
    width = draw(st.integers(1, 4))
    phone = draw(st.integers(0, width - 1))
    campaign = draw(campaign_places(width, phone))
    header: list[Value] = [draw(st.sampled_from([*OTHER_NAMES, None, 2024])) for _ in range(width)]
    header[phone] = draw(st.sampled_from(PHONE_NAMES))
    columns: list[st.SearchStrategy[Value]] = [EXTRAS] * width
    columns[phone] = st.one_of(PHONES, FIGURES, st.none()) if draw(st.booleans()) else st.one_of(PHONES, FIGURES)
    if campaign is not None:
        header[campaign] = "Kampania"
        columns[campaign] = CAMPAIGNS
    rows = [[draw(column) for column in columns] for _ in range(draw(st.integers(1, 8)))]
    rows[draw(st.integers(0, len(rows) - 1))][phone] = draw(WHOLE)
    rows = [draw(st.sampled_from([cells] * 6 + [[None] * width])) for cells in rows]
    rows = [[writable(value, kind) for value in cells] for cells in rows]
    header = [writable(value, kind) for value in header]
    left = draw(st.sampled_from([0, 0, 1, 3]))
    above: list[list[Value]] = draw(st.lists(st.sampled_from([[], [None], ["Raport"], [" "]]), max_size=3))
    said = draw(st.booleans()) and not any(map(any, above))
    name = draw(st.sampled_from(["Arkusz1", "Sprzeciwy", "a & b", "'x'"]))
    sheets: dict[str, Rows] = {name: [*above, *([*[None] * left, *cells] for cells in [header, *rows])]}
    if draw(st.booleans()):
        sheets = {"Notatki": NOTES, **sheets} if draw(st.booleans()) else {**sheets, "Notatki": NOTES}
    options = ReadOptions(
        column=str(left + phone + 1) if said else None,
        keep_columns=draw(st.booleans()),
        block_rows=draw(st.sampled_from([1, 2, 5, 5000])),
        campaign_column=None if campaign is None else "Kampania",
        sheet=name if said else draw(st.sampled_from([None, None, name])),
        has_header=True if said else None,
        trust_column=said,
    )
    at = [None if place is None else left + place for place in (phone, campaign)]
    fuzzed = Fuzzed(
        name=f"numbers{kind}",
        options=options,
        header_row=len(above) + 1,
        phone=left + phone,
        campaign=at[1],
        header=tuple(map(shown, [*[None] * left, *header])),
        rows=expected([[*[None] * left, *cells] for cells in rows], len(above) + 2, left + phone, at[1], options),
        certain=said and any(shown(value).strip() for cells in rows for value in cells),
    )
    return fuzzed, sheets


def expected(rows: Rows, first: int, phone: int, campaign: int | None, options: ReadOptions) -> tuple[Row, ...]:
    """Say what rows must be read as, of which the first has that number."""
    return tuple(
        Row(
            number,
            shown(cells[phone]),
            None if campaign is None else shown_campaign(cells[campaign]),
            tuple(map(shown, cells)) if options.keep_columns else None,
        )
        for number, cells in enumerate(rows, start=first)
        if any(shown(value).strip() for value in cells)
    )


def write(path: Path, sheets: Mapping[str, Rows]) -> None:
    """Write a workbook of the kind that its name says."""
    if path.suffix in {".xlsx", ".xlsm"}:
        _write_xlsx(path, sheets)
    elif path.suffix == ".xlsb":
        write_xlsb(path, {name: xlsb_sheet(rows) for name, rows in sheets.items()})
    elif path.suffix == ".xls":
        path.write_bytes(
            compound_file({"Workbook": workbook_stream({name: biff_sheet(rows) for name, rows in sheets.items()})})
        )
    else:
        write_ods(path, {name: "".join(map(_ods_row, rows)) for name, rows in sheets.items()})


def _write_xlsx(path: Path, sheets: Mapping[str, Rows]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row, cells in enumerate(rows, start=1):
            for column, value in enumerate(cells, start=1):
                if value is not None:
                    cell = sheet.cell(row, column, value)
                    if isinstance(value, str):
                        cell.data_type = "s"  # neither a formula nor an error
    book.save(path)


def _ods_row(cells: Sequence[Value]) -> str:
    return "<table:table-row>" + ("".join(map(_ods_cell, cells)) or ods_cell(None)) + "</table:table-row>"


def _ods_cell(value: Value) -> str:
    """Write a text as LibreOffice does: a paragraph for each line, an element for further spaces."""
    if not isinstance(value, str):
        return ods_cell(value)
    lines = "".join(
        f"<text:p>{escape(line).replace('  ', ' <text:s/>')}</text:p>" if line else "<text:p/>"
        for line in value.split("\n")
    )
    return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'
