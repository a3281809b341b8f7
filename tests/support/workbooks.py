"""Small workbooks made byte by byte: .xlsb, .xls and .ods, also such as no program would write."""

import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

Value = str | int | float | bool | None


class Styled(NamedTuple):
    """A cell in a style, counted from 1, and what is shown of it."""

    value: Value
    style: int
    shown: str = ""


Cell = Value | Styled
Rows = Sequence[Sequence[Cell]]

PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
EXCEL = "application/vnd.ms-excel"
NOTHING, STREAM_END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD  # [MS-CFB] 2.1
OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def changed_zip(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Write the archive again with each part as `change` gives it back."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, change(name, content))


def record(kind: int, content: bytes = b"") -> bytes:
    """Return a record of [MS-XLSB] 2.1.4."""
    numbers = [kind, len(content)] if kind < 1 << 7 else [kind & 0x7F | 0x80, kind >> 7, len(content)]
    size = numbers.pop()
    while size >= 1 << 7:
        numbers.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*numbers, size]) + content


def wide(text: str) -> bytes:
    """Return an XLWideString."""
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb_cell(column: int, value: Cell) -> bytes:
    """Return the record of a cell: text in place, numbers as they are."""
    style = 0
    if isinstance(value, Styled):
        value, style, _ = value
    head = struct.pack("<II", column, style)
    if isinstance(value, bool):
        return record(4, head + bytes([value]))
    if isinstance(value, str):
        return record(3, head + b"\x2a") if value == "#N/A" else record(6, head + wide(value))
    return record(5, head + struct.pack("<d", value)) if value is not None else record(1, head)


def xlsb_styles(formats: Sequence[str]) -> bytes:
    """Return the part of the styles: General, and one for each format."""
    codes = b"".join(record(44, struct.pack("<H", 164 + place) + wide(code)) for place, code in enumerate(formats))
    styles = b"".join(
        record(47, struct.pack("<HH", 0, each) + bytes(12)) for each in (0, *range(164, 164 + len(formats)))
    )
    own = record(626) + record(47, struct.pack("<HH", 0, 14) + bytes(12)) + record(627)  # of styles with a name
    return record(278) + codes + own + record(617) + styles + record(618) + record(279)


def xlsb_sheet(rows: Rows, hidden: Sequence[int] = (), extra: bytes = b"", above: bytes = b"") -> bytes:
    """Return a sheet's part; `hidden` are rows as Excel numbers them, `extra` and `above` records beside the rows."""
    data = [record(129), record(148, struct.pack("<4I", 0, len(rows), 0, 9)), above, record(145)]
    for row, cells in enumerate(rows):
        flags = 0x10 if row + 1 in hidden else 0
        data.append(record(0, struct.pack("<IIHBBBI", row, 0, 300, 0, flags, 0, 0)))
        data += [xlsb_cell(column, value) for column, value in enumerate(cells)]
    return b"".join([*data, record(146), extra, record(130)])


def write_xlsb(path: Path, sheets: Mapping[str, bytes], parts: Mapping[str, bytes] | None = None) -> None:
    """Write an .xlsb of these sheets' parts, and of others by their names: `styles`, `sharedStrings`."""
    names = list(sheets)
    bundle = b"".join(
        record(156, struct.pack("<II", 0, number) + wide(f"rId{number}") + wide(name))
        for number, name in enumerate(names, start=1)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="bin" ContentType="{EXCEL}.sheet.binary.macroEnabled.main"/>'
            + "".join(
                f'<Override PartName="/xl/worksheets/sheet{number}.bin" ContentType="{EXCEL}.worksheet"/>'
                for number in range(1, len(names) + 1)
            )
            + "</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.bin"/></Relationships>',
        )
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">'
            + "".join(
                f'<Relationship Id="rId{number}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{number}.bin"/>'
                for number in range(1, len(names) + 1)
            )
            + "".join(f'<Relationship Id="{name}" Type="{OFFICE}/{name}" Target="{name}.bin"/>' for name in parts or {})
            + "</Relationships>",
        )
        for name, content in (parts or {}).items():
            archive.writestr(f"xl/{name}.bin", content)
        archive.writestr(
            "xl/workbook.bin", record(131) + record(153, bytes(12)) + record(143) + bundle + record(144) + record(132)
        )
        for number, name in enumerate(names, start=1):
            archive.writestr(f"xl/worksheets/sheet{number}.bin", sheets[name])


def biff(kind: int, content: bytes = b"") -> bytes:
    """Return a record of [MS-XLS] 2.1.4."""
    return struct.pack("<HH", kind, len(content)) + content


def biff_cell(row: int, column: int, value: Cell) -> bytes:
    """Return the record of a cell: LABEL, NUMBER, BOOLERR."""
    style = 0
    if isinstance(value, Styled):
        value, style, _ = value
    head = struct.pack("<HHH", row, column, style)
    if isinstance(value, bool):
        return biff(0x205, head + bytes([value, 0]))
    if isinstance(value, str):
        if value == "#N/A":
            return biff(0x205, head + b"\x2a\x01")
        return biff(0x204, head + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
    return biff(0x203, head + struct.pack("<d", value)) if value is not None else biff(0x201, head)


def biff_sheet(rows: Rows, hidden: Sequence[int] = (), dimensions: bytes | None = None, extra: bytes = b"") -> bytes:
    """Return a sheet's substream; `hidden` are rows as Excel numbers them, `extra` further records."""
    size = struct.pack("<IIHHH", 0, len(rows), 0, 9, 0) if dimensions is None else dimensions
    data = [biff(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6)), biff(0x200, size)]
    data += [biff(0x208, struct.pack("<HHHHHHI", row - 1, 0, 9, 300, 0, 0, 0x20)) for row in hidden]
    data += [biff_cell(row, column, value) for row, cells in enumerate(rows) for column, value in enumerate(cells)]
    return b"".join([*data, extra, biff(0x0A)])


def biff_styles(formats: Sequence[str]) -> bytes:
    """Return the records of the styles behind the first, which is General: one for each format."""
    codes = [
        struct.pack("<HHB", 164 + place, len(code), 1) + code.encode("utf-16-le") for place, code in enumerate(formats)
    ]
    styles = [struct.pack("<HH", 0, 164 + place) + bytes(16) for place in range(len(formats))]
    return b"".join([*(biff(0x41E, code) for code in codes), *(biff(0xE0, style) for style in styles)])


def workbook_stream(sheets: Mapping[str, bytes], extra: bytes = b"") -> bytes:
    """Return the stream of a workbook; `extra` are records of its own."""
    start = biff(0x809, struct.pack("<HHHHII", 0x600, 0x05, 0, 0, 0, 6)) + biff(0xE0, bytes(20)) + extra
    named = {name: struct.pack("<BBB", 0, 0, len(name)) + b"\x01" + name.encode("utf-16-le") for name in sheets}
    at = len(start) + sum(len(name) + 8 for name in named.values()) + 4
    bundle = b""
    for name, sheet in sheets.items():
        bundle += biff(0x85, struct.pack("<I", at) + named[name])
        at += len(sheet)
    return start + bundle + biff(0x0A) + b"".join(sheets.values())


def compound_file(streams: Mapping[str, bytes]) -> bytes:
    """Return a compound file of these streams, each filled up to the size from which it has sectors of its own."""
    contents = [content.ljust(4096, b"\0") for content in streams.values()]
    contents = [content + bytes(-len(content) % 512) for content in contents]
    chain: list[int] = []
    starts = []
    for content in contents:
        starts.append(len(chain))
        chain += [*range(len(chain) + 1, len(chain) + len(content) // 512), STREAM_END]
    entries = [entry("Root Entry", 5, STREAM_END, 0, child=1)]
    for number, (name, start) in enumerate(zip(streams, starts, strict=True), start=1):
        following = number + 1 if number < len(streams) else NOTHING
        entries.append(entry(name, 2, start, len(contents[number - 1]), right=following))
    directory = b"".join(entries)
    directory += bytes(-len(directory) % 512)
    first_entry = len(chain)
    chain += [*range(first_entry + 1, first_entry + len(directory) // 512), STREAM_END]
    tables = -(-(len(chain) + 1) // 127)
    table = [*chain, *[TABLE] * tables]
    table += [NOTHING] * (-len(table) % 128)
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, tables, first_entry, 0, 4096, STREAM_END, 0, STREAM_END, 0)
    places = [*range(len(chain), len(chain) + tables)]
    header += struct.pack("<109I", *places, *[NOTHING] * (109 - tables))
    return header + b"".join(contents) + directory + struct.pack(f"<{len(table)}I", *table)


def entry(name: str, kind: int, start: int, size: int, *, child: int = NOTHING, right: int = NOTHING) -> bytes:
    """Return a directory entry of a compound file."""
    written = name.encode("utf-16-le")
    head = written.ljust(64, b"\0") + struct.pack("<HBB", len(written) + 2, kind, 1)
    return head + struct.pack("<3I", NOTHING, right, child) + bytes(36) + struct.pack("<IQ", start, size)


def ods_cell(value: Cell) -> str:
    """Return a cell's element."""
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, bool):
        return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(value).lower()}"/>'
    if isinstance(value, str):
        return f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'
    if isinstance(value, Styled):
        shown = f"<text:p>{escape(value.shown)}</text:p>"
        return ods_cell(value.value).replace("/>", f">{shown}</table:table-cell>")
    return f'<table:table-cell office:value-type="float" office:value="{value}"/>'


def ods_sheet(rows: Rows, hidden: Sequence[int] = ()) -> str:
    """Return a sheet's rows; `hidden` are rows as a spreadsheet numbers them."""
    return "".join(
        f"<table:table-row{' table:visibility=' + quoteattr('filter') if number in hidden else ''}>"
        + ("".join(map(ods_cell, cells)) or ods_cell(None))
        + "</table:table-row>"
        for number, cells in enumerate(rows, start=1)
    )


def write_ods(path: Path, sheets: Mapping[str, str], encrypted: str = "") -> None:
    """Write an .ods of these sheets' rows; `encrypted` is what the manifest says of the content."""
    tables = "".join(f"<table:table table:name={quoteattr(name)}>{rows}</table:table>" for name, rows in sheets.items())
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{OASIS}:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            f'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">{encrypted}'
            "</manifest:file-entry></manifest:manifest>",
        )
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="{OASIS}:office:1.0" '
            f'xmlns:table="{OASIS}:table:1.0" xmlns:text="{OASIS}:text:1.0" office:version="1.2">'
            f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>",
        )


def write_any(path: Path, rows: Rows, hidden: Sequence[int] = ()) -> None:
    """Write an .xlsb, .xls or .ods, whichever the name says, with one sheet."""
    if path.suffix == ".xlsb":
        write_xlsb(path, {"Sheet 1": xlsb_sheet(rows, hidden)})
    elif path.suffix == ".xls":
        path.write_bytes(compound_file({"Workbook": workbook_stream({"Sheet 1": biff_sheet(rows, hidden)})}))
    else:
        write_ods(path, {"Sheet 1": ods_sheet(rows, hidden)})
