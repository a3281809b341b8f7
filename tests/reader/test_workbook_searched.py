"""A sheet of .xlsx that is searched gives the rows that a parser finds in it, however it is written."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_remove.errors import InputError
from bulk_remove.reader import xlsx
from bulk_remove.reader.cells import NO_RESULT, Area, DamagedError, GivenWorkbook, Layout, Row
from bulk_remove.reader.workbook_child import open_sheets

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
COMMENT = "<!-- which has it parsed -->"
STRINGS = [
    "601000001",
    " a ",
    "",
    "Łódź &amp; &lt;c",
    "_x0041_",
    "<r><t>60</t></r><r><t>1</t></r>",
    "x<rPh><t>no</t></rPh>",
]
STYLES = (
    '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="&quot;+420 &quot;0"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="3"/></cellXfs></styleSheet>'
)
REFUSED = (DamagedError, InputError, LookupError, ValueError, struct.error, zlib.error)


def workbook(rows: str, before: str = "", after: str = "") -> bytes:
    strings = "".join(f"<si>{text}</si>" for text in STRINGS)
    links = "".join(
        f'<Relationship Id="{name}" Type="{LINK}/{name}" Target="{name}.xml"/>'
        for name in ("worksheet", "styles", "sharedStrings")
    )
    parts = {
        "xl/workbook.xml": '<workbook xmlns:r="r"><sheet name="a" r:id="worksheet"/></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{links}</Relationships>",
        "xl/worksheet.xml": f'<worksheet xmlns="{MAIN}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
    }
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(content: bytes, columns: Sequence[int] | None) -> tuple[list[Row], Layout] | str:
    layout = Layout()
    try:
        (sheet,) = open_sheets(GivenWorkbook("a.xlsx", ".xlsx", len(content), 20, 0, 0), BytesIO(content))
        return [(row, hidden, [*cells]) for row, hidden, cells in sheet.rows(columns, layout)], layout
    except REFUSED:
        return "refused"


TYPES = st.sampled_from(["", ' t="n"', ' t="s"', ' t="str"', ' t="b"', ' t="e"', ' t="d"', ' t="inlineStr"', ' t="z"'])
VALUES = st.sampled_from([
    "", "<v/>", "<v></v>", "<v>601000001</v>", "<v>2</v>", "<v>45000</v>", "<v>6.01E8</v>", "<v> 5 </v>", "<v>-1</v>",
    "<v>x &amp; y</v>", "<v>1</v>", "<is><t>601000002</t></is>", '<is><t xml:space="preserve"> 1 </t></is>',
    "<is><r><t>60</t></r><r><t>1</t></r></is>", "<is/>", "<v><![CDATA[601]]></v>", "<v>2024-01-05</v>",
    "<v>1</v><is><t>2</t></is>", "<v>601\r\n002</v>", "<v>\u0141</v>",
])  # fmt: skip
FORMULAS = st.sampled_from(["", "", "", "<f>A1+1</f>", "<f/>", '<f t="shared" si="0"/>', "<f>&lt;</f>"])
STYLED = st.sampled_from(["", "", ' s="0"', ' s="1"', ' s="2"', ' s="3"', ' s="99"', ' cm="1"', ' x="1"'])


@st.composite
def cells(draw: st.DrawFn, row: int) -> str:
    written = ""
    for letter in draw(st.lists(st.sampled_from("ABCD"), max_size=4)) if draw(st.booleans()) else "ABC":
        kind, style = draw(TYPES), draw(STYLED)
        attributes = kind + style if draw(st.booleans()) else style + kind
        place = draw(
            st.sampled_from([f' r="{letter}{row}"'] * 8 + ["", f' r="{letter}{row + 1}"', f" r='{letter}{row}'"])
        )
        start = f"<c{place}{attributes}" if draw(st.integers(0, 5)) else f"<c{attributes}{place}"
        content = draw(FORMULAS) + draw(VALUES)
        written += f"{start}>{content}</c>" if content or draw(st.booleans()) else f"{start}/>"
    return written


@st.composite
def sheets(draw: st.DrawFn) -> str:
    written = ""
    number = 0
    for _ in range(draw(st.integers(1, 6))):
        number += draw(st.sampled_from([1, 1, 1, 2, 5, 0, -1]))
        place = draw(st.sampled_from([f' r="{number}"'] * 9 + ["", f" r='{number}'"]))
        more = draw(st.sampled_from(["", "", ' spans="1:3"', ' hidden="1"', ' ht="0" customHeight="1"', ' ht="15.5"']))
        start = f"<row{place}{more}" if draw(st.booleans()) else f"<row{more}{place}"
        inside = draw(cells(number))
        written += f"{start}>{inside}</row>" if inside or draw(st.booleans()) else f"{start}/>"
        written += draw(st.sampled_from(["", "", "\n", COMMENT * (draw(st.integers(0, 9)) == 0)]))
    return written


@settings(max_examples=6 * settings().max_examples)
@given(sheets(), st.sampled_from([None, [0], [1], [0, 2], [2, 0]]), st.sampled_from([1 << 18, 50]))
def test_what_is_searched_is_what_is_parsed(rows: str, columns: list[int] | None, piece: int) -> None:
    before = '<cols><col min="2" max="3" hidden="1"/></cols>'
    after = '<mergeCells><mergeCell ref="A1:B2"/></mergeCells>'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bulk_remove.reader.cells._READ_BYTES", piece)
        searched = read(workbook(rows, before, after), columns)
    parsed = read(workbook(rows, COMMENT + before, after), columns)
    if isinstance(searched, str) or isinstance(parsed, str):
        # What is wrong with cells that nobody wants need not be noticed.
        assert searched == parsed or (isinstance(parsed, str) and columns is not None)
        return
    assert searched[0] == parsed[0]
    for _, layout in (searched, parsed):
        assert (layout.hidden_columns, layout.merged) == ([range(1, 3)], [Area(1, 2, 0, 1)])


@pytest.mark.parametrize("columns", [None, [0], [0, 1]])
def test_rows_as_most_programs_write_them_are_not_parsed(
    monkeypatch: pytest.MonkeyPatch, columns: list[int] | None
) -> None:
    def parsed(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(xlsx, "_RowEvents", parsed)
    rows = "".join(
        f'<row r="{row}" spans="1:2"{hidden}><c r="A{row}" s="1" t="s"><v>0</v></c>'
        f'<c r="B{row}">{formula * (row % 2)}<v>{row}</v></c></row>'
        for formula in ["<f>A1</f>"]
        for row, hidden in [(1, ""), (2, ""), (3, ""), (5, ' hidden="1"'), (6, "")]
    )
    rows += '<row r="9" s="1"/><row r="10"><c r="B10"/></row><row r="11"><c r="B11"><f>1</f></c></row>'
    found = read(workbook(rows), columns)
    assert not isinstance(found, str)
    assert [(row, hidden) for row, hidden, _ in found[0]] == [(row, row == 5) for row in (1, 2, 3, 5, 6, 11)]
    assert found[0][-1][2] == ([""] if columns == [0] else ["", NO_RESULT])
