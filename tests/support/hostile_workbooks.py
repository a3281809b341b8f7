"""Workbooks of any size whose text is made to be read again and again by a careless pattern or loop."""

import struct
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO

from bulk_remove.errors import InputError
from bulk_remove.reader.cells import DamagedError, GivenWorkbook, Layout
from bulk_remove.reader.workbook_child import open_sheets
from tests.support.workbooks import biff, compound_file, record

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = f'<worksheet xmlns="{MAIN}"><sheetData>%s</sheetData></worksheet>'
ROW = '<row r="1"><c r="A1"><v>1</v></c></row>'


def xlsx(sheet: str, strings: str = "", styles: str = "", workbook: str = "") -> bytes:
    links = "".join(
        f'<Relationship Id="{name}" Type="{LINK}/{name}" Target="{name}.xml"/>'
        for name in ("worksheet", "styles", "sharedStrings")
    )
    parts = {
        "xl/workbook.xml": f'<workbook xmlns:r="r"><sheet name="a" r:id="worksheet"/>{workbook}</workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{links}</Relationships>",
        "xl/worksheet.xml": sheet,
        "xl/styles.xml": styles or "<styleSheet/>",
        "xl/sharedStrings.xml": strings or "<sst/>",
    }
    return zipped(parts)


def ods(content: str) -> bytes:
    return zipped(
        {
            "content.xml": '<d xmlns:table="t" xmlns:text="x" xmlns:office="o" xmlns:style="s"><office:spreadsheet>'
            f'<table:table table:name="a">{content}</table:table></office:spreadsheet></d>'
        }
    )


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def sheet_of(text: str) -> Callable[[int], bytes]:
    """Make a sheet whose rows are this text again and again."""
    return lambda size: xlsx(SHEET % (ROW + text * (size // len(text))))


def begun(start: str, text: str, end: str = "") -> Callable[[int], bytes]:
    """Make a sheet whose rows begin so, go on with a text again and again, and end so."""
    return lambda size: xlsx(SHEET % (start + text * (size // len(text)) + end))


def strings_of(text: str) -> Callable[[int], bytes]:
    shared = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    return lambda size: xlsx(SHEET % shared, f"<sst>{text * (size // len(text))}</sst>")


def format_of(text: str, start: str = "") -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        code = (start + text * (size // len(text))).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        styles = (
            f'<styleSheet><numFmts><numFmt numFmtId="164" formatCode="{code}"/></numFmts>'
            '<cellXfs><xf numFmtId="164"/></cellXfs></styleSheet>'
        )
        return xlsx(SHEET % ROW, styles=styles)

    return make


def cell_of(
    start: str, text: str, end: str = "</text:p></table:table-cell></table:table-row>"
) -> Callable[[int], bytes]:
    return lambda size: ods("<table:table-row>" + start + text * (size // len(text)) + end)


def stream_of(text: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    start = biff(0x809, struct.pack("<HHHHII", 0x600, 0x05, 0, 0, 0, 6))
    return lambda size: compound_file({"Workbook": start + text * (size // len(text)) + end + biff(0x0A)})


def records_of(text: bytes, start: bytes = b"") -> Callable[[int], bytes]:
    sheet = record(156, bytes(8) + b"\1\0\0\0a\0\1\0\0\0a\0")
    links = f'<a><Relationship Id="a" Type="{LINK}/worksheet" Target="a.bin"/></a>'
    return lambda size: zipped(
        {
            "xl/workbook.bin": sheet,
            "xl/_rels/workbook.bin.rels": links,
            "xl/a.bin": start + text * (size // len(text)),
        }
    )


CELL = '<table:table-cell office:value-type="string"><text:p>'
FIGURE = '<table:table-cell office:value-type="float" office:value="601234501"><text:p>'
HOSTILE: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "rows that do not end": (".xlsx", sheet_of("<row ")),
    "rows that do not end, hidden": (".xlsx", begun("<row ", 'hidden="1" ')),
    "tags without end in a hidden row": (".xlsx", begun("", '<row hidden="1" x="')),
    "blank rows": (".xlsx", sheet_of('<row r="2"/>')),
    "blank rows that do not end": (".xlsx", sheet_of('<row r="2"/')),
    "ends of rows": (".xlsx", sheet_of("</row>")),
    "cells that do not end": (".xlsx", sheet_of('<c r="A1" ')),
    "cells in one row": (".xlsx", begun('<row r="2">', '<c r="A2">')),
    "cells of no row": (".xlsx", begun('<row r="2">', '<c r="A2"><v>1</v></c>', "</row>")),
    "formulas": (".xlsx", begun('<row r="2"><c r="A2">', "<f>")),
    "formulas that do not end": (".xlsx", begun('<row r="2"><c r="A2">', "<f ")),
    "slashes": (".xlsx", begun('<row r="2"><c r="A2"><f', "/")),
    "white space": (".xlsx", sheet_of("          ")),
    "white space in a row": (".xlsx", begun('<row r="2">', " ", "</row>")),
    "white space in a tag": (".xlsx", begun("<row ", " ")),
    "attributes": (".xlsx", begun("<row", ' x=""')),
    "a long attribute": (".xlsx", begun('<row r="', "1")),
    "a high row": (".xlsx", begun('<row r="2" ht="', "0", '"/>')),
    "a long value": (".xlsx", begun('<row r="2"><c r="A2"><v>', "1", "</v></c></row>")),
    "a long value with a letter": (".xlsx", begun('<row r="2"><c r="A2"><v>', "1", "x</v></c></row>")),
    "a prefixed name": (".xlsx", begun("<", "a")),
    "elements within elements": (".xlsx", begun('<row r="2"><c r="A2" t="inlineStr"><is>', "<t>")),
    "runs of text": (".xlsx", begun('<row r="2"><c r="A2" t="inlineStr"><is>', "<r><t>1</t></r>", "</is></c></row>")),
    "escapes": (".xlsx", begun('<row r="2"><c r="A2" t="str"><v>', "_x", "</v></c></row>")),
    "comments": (".xlsx", sheet_of("<!-- -->")),
    "comments that do not end": (".xlsx", sheet_of("<!--")),
    "strings that do not end": (".xlsx", strings_of("<si>")),
    "ends of strings": (".xlsx", strings_of("</si>")),
    "blank strings": (".xlsx", strings_of("<si/>")),
    "text of strings": (".xlsx", strings_of("<t>")),
    "quotes in a format": (".xlsx", format_of('"')),
    "brackets in a format": (".xlsx", format_of("[")),
    "commas in a format": (".xlsx", format_of("0,")),
    "a condition in a format": (".xlsx", format_of("1", "[<")),
    "sections of a format": (".xlsx", format_of(";")),
    "sheets": (".xlsx", lambda size: xlsx(SHEET % ROW, workbook="<sheet/>" * (size // 8))),
    "blanks": (".ods", cell_of(CELL, "<text:s/>")),
    "paragraphs": (".ods", cell_of(CELL, "</text:p><text:p>")),
    "text within text": (".ods", cell_of(CELL, "<text:span>")),
    "notes": (".ods", cell_of(CELL, "<office:annotation><text:p>x</text:p></office:annotation>")),
    "a long number": (".ods", cell_of('<table:table-cell office:value-type="float" office:value="', "1", '"/>')),
    "zeros that are shown": (".ods", cell_of(FIGURE, ",0")),
    "points that are shown": (".ods", cell_of(FIGURE, ",")),
    "rows of rows": (".ods", cell_of("", "<table:table-row>", "")),
    "a high row of zeros": (
        ".ods",
        cell_of(
            '<style:style style:name="a"><style:table-row-properties style:row-height="', "0", '!"/></style:style>'
        ),
    ),
    "columns that are hidden": (
        ".ods",
        lambda size: ods(
            '<table:table-column table:visibility="collapse" table:number-columns-repeated="9999999"/>' * (size // 90)
        ),
    ),
    "records that go on": (".xls", stream_of(biff(0x3C))),
    "records within records": (".xls", stream_of(biff(0x809, b"\0" * 8))),
    "sheets of an old workbook": (".xls", stream_of(biff(0x85, b"\0\0\0\0\0\0\1\0a"))),
    "strings of an old workbook": (".xls", stream_of(biff(0xFC, struct.pack("<II", 9, 1 << 30)) + biff(0x3C, b"\0"))),
    "hidden columns of a binary sheet": (".xlsb", records_of(record(60, struct.pack("<5I", 0, 1 << 30, 0, 0, 1)))),
    "merged cells of a binary sheet": (".xlsb", records_of(record(176, struct.pack("<4I", 0, 1 << 30, 0, 1 << 30)))),
    "rows of a binary sheet": (".xlsb", records_of(record(0, bytes(17)))),
    "cells of a binary sheet": (".xlsb", records_of(record(5, bytes(16)), record(0, bytes(17)))),
    "a long record of a binary sheet": (".xlsb", records_of(b"x", b"\x05\xff\xff\xff\x7f")),
    "formats of an old workbook": (".xls", stream_of(biff(0x41E, struct.pack("<HHB", 164, 5, 0) + b'"""""'))),
}


def read_to_its_end(kind: str, content: bytes) -> None:
    """Read each sheet of a workbook, its first column alone and all columns, to its end or to where it is refused."""
    refused = (DamagedError, InputError, ValueError, LookupError, struct.error)
    with suppress(*refused):
        for sheet in open_sheets(GivenWorkbook("a", kind, len(content), 20, 0, 0), BytesIO(content)):
            for columns in ([0], None):
                with suppress(*refused):
                    for _ in sheet.rows(columns, Layout()):
                        pass
