"""An .xls workbook looked over: that its streams are whole, how far its cells reach, which rows are hidden.

[MS-XLS] 2.1.4: a stream of records, each with a type and a size of two bytes; the workbook's own first, then each
sheet's. calamine takes what a sheet says of its size on trust, so it is compared with what Excel allows.
"""

import struct
from collections.abc import Iterator

from bulk_remove.adapters.reader.compound import CompoundFile
from bulk_remove.adapters.reader.damage import damaged, protected
from bulk_remove.adapters.reader.facts import SheetFacts

_BOF, _EOF, _FILE_PASS, _SHEET, _DIMENSIONS, _ROW, _COLUMNS = 0x0809, 0x0A, 0x2F, 0x85, 0x0200, 0x0208, 0x7D
_FORMULA, _BOOLEAN_OR_ERROR, _SEVERAL_NUMBERS = 0x06, 0x0205, 0xBD
_CELLS = {0x0203, 0x0204, 0xD6, _BOOLEAN_OR_ERROR, 0x027E, 0xFD, _SEVERAL_NUMBERS, _FORMULA}
_MOST_ROWS, _MOST_COLUMNS = 1 << 16, 1 << 8
_ROW_HIDDEN = 0x20  # Row, fDyZero: bit 5 of the byte at 12
_COLUMN_HIDDEN = 0x01  # ColInfo, fHidden: bit 0 of the byte at 8
_BIFF8 = 0x0600
_UTF16 = 0x01  # ShortXLUnicodeString, fHighByte

_Record = tuple[int, bytes]


def scan_workbook(path: str, content: bytes) -> dict[str, SheetFacts]:
    """Return what is known of each sheet. Raises InputError when the workbook is not whole, or has a password."""
    stream = CompoundFile(path, content).stream("Workbook", "Book", "WORKBOOK", "BOOK")
    sheets = {}
    old = int.from_bytes(stream[4:6], "little") < _BIFF8
    for kind, record in _records(path, stream, 0):
        if kind == _FILE_PASS and record[:2] != b"\0\0":
            raise protected(path)
        if kind == _SHEET:
            name, at = _sheet(path, record, old=old)
            sheets[name] = _scan_sheet(path, stream, at)
    return sheets


def _records(path: str, stream: bytes, at: int) -> Iterator[_Record]:
    """Yield the records of a substream, those of others inside it left out, up to its end mark."""
    depth = 0
    while True:
        if at + 4 > len(stream):
            raise damaged(path)
        kind, size = struct.unpack_from("<HH", stream, at)
        record = stream[at + 4 : at + 4 + size]
        if len(record) < size or (not depth and kind != _BOF):
            raise damaged(path)
        at += 4 + size
        depth += (kind == _BOF) - (kind == _EOF)
        if not depth:
            return
        if depth == 1:
            yield kind, record


def _sheet(path: str, record: bytes, *, old: bool) -> tuple[str, int]:
    if len(record) < 8:  # noqa: PLR2004 - BoundSheet8 up to the first character
        raise damaged(path)
    at, _, _, characters, flags = struct.unpack_from("<IBBBB", record)
    if old:  # before Excel 97 a name was bytes; those beyond ASCII in a code page that matters for notes alone
        return record[7 : 7 + characters].decode("latin-1"), at
    if flags & _UTF16:
        return record[8 : 8 + 2 * characters].decode("utf-16-le", "replace"), at
    return record[8 : 8 + characters].decode("latin-1"), at


class _Sheet:
    def __init__(self, path: str) -> None:
        self.path = path
        self.hidden: set[int] = set()
        self.filled: set[int] = set()
        self.hidden_columns: set[int] = set()
        self.errors = 0

    def cell(self, kind: int, record: bytes) -> None:
        if len(record) < 6:  # noqa: PLR2004 - row, column, format
            raise damaged(self.path)
        row, column = struct.unpack_from("<HH", record)
        last = int.from_bytes(record[-2:], "little") if kind == _SEVERAL_NUMBERS else column
        if column >= _MOST_COLUMNS or not column <= last < _MOST_COLUMNS:
            raise damaged(self.path)
        self.filled.add(row)
        self.errors += kind == _BOOLEAN_OR_ERROR and record[7:8] == b"\1"
        self.errors += kind == _FORMULA and record[6:7] == b"\2" and record[12:14] == b"\xff\xff"

    def dimensions(self, record: bytes) -> None:
        form = "<IIHH" if len(record) == 14 else "<HHHH"  # noqa: PLR2004 - BIFF8's size; before it was ten
        if len(record) < struct.calcsize(form):
            raise damaged(self.path)
        first, end, _, last_column = struct.unpack_from(form, record)
        if end and (first >= end or end > _MOST_ROWS or last_column > _MOST_COLUMNS):
            raise damaged(self.path)


def _scan_sheet(path: str, stream: bytes, at: int) -> SheetFacts:
    sheet = _Sheet(path)
    for kind, record in _records(path, stream, at):
        if kind in _CELLS:
            sheet.cell(kind, record)
        elif kind == _DIMENSIONS:
            sheet.dimensions(record)
        elif kind == _ROW and record[12:13] and record[12] & _ROW_HIDDEN:
            sheet.hidden.add(int.from_bytes(record[:2], "little"))
        elif kind == _COLUMNS and record[8:9] and record[8] & _COLUMN_HIDDEN:
            first, last = struct.unpack_from("<HH", record)
            sheet.hidden_columns.update(range(first, min(last, _MOST_COLUMNS) + 1))
    return SheetFacts(len(sheet.hidden & sheet.filled), frozenset(sheet.hidden_columns), sheet.errors)
