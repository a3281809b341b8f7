"""A part of .xlsb looked over: how far its cells reach, which rows are hidden, how many strings it promises.

[MS-XLSB] 2.1.4: a part is a row of records, each with a type and a size of one to four bytes, seven bits in each.
"""

import re
import struct
from collections.abc import Iterable

from bulk_remove.adapters.reader.damage import damaged
from bulk_remove.adapters.reader.facts import SheetFacts
from bulk_remove.adapters.reader.reach import Reach

_ROW, _ERROR, _FORMULA_ERROR, _COLUMN, _SHEET, _STRINGS = 0, 3, 11, 60, 156, 159
_CELL_BYTES = {2: 12, 3: 9, 4: 9, 5: 16, 6: 12, 7: 12, 8: 12, 9: 16, 10: 9, 11: 9}
"""The kinds of cells that hold something, and how long each is at least: calamine reads on where one is shorter."""
_ROW_HIDDEN = 0x10  # BrtRowHdr, fDyZero: bit 4 of the byte at 11
_COLUMN_HIDDEN = 0x01  # BrtColInfo, fHidden: bit 0 of the byte at 16
_USUAL_CELLS = re.compile(rb"(?:[\x02\x07]\x0c[\x00-\x27]\0\0\0.{8}|\x05\x10[\x00-\x27]\0\0\0.{12})*+", re.DOTALL)
"""Cells in the first 40 columns with a number or a shared string: most of a sheet, skipped at once."""


def scan_part(path: str, pieces: Iterable[bytes], part_bytes: int) -> SheetFacts:
    """Walk through a part's records. Raises InputError when it is torn, reaches too far or promises too much."""
    scan = _Scan(path, part_bytes)
    tail = b""
    for piece in pieces:
        tail = scan.walk(tail + piece)
    if tail:
        raise damaged(path)
    return SheetFacts(scan.hidden_rows, frozenset(scan.hidden_columns), scan.errors)


class _Scan:
    def __init__(self, path: str, part_bytes: int) -> None:
        self._path = path
        self._part_bytes = part_bytes
        self._reach = Reach(path)
        self._row = 0
        self._row_hidden = False
        self.hidden_rows = self.errors = 0
        self.hidden_columns: set[int] = set()

    def walk(self, text: bytes) -> bytes:
        """Look at the records that are whole and return what follows them."""
        at = 0
        while True:
            usual = _USUAL_CELLS.match(text, at)
            if usual and usual.end() > at:
                at = usual.end()
                self._cell(0)
            header = _header(text, at)
            if header is None or header[2] > len(text):
                return text[at:]
            kind, start, end = header
            self._record(kind, text[start:end])
            at = end

    def _record(self, kind: int, record: bytes) -> None:
        if kind == _ROW:
            self._row_hidden = len(record) > 11 and bool(record[11] & _ROW_HIDDEN)  # noqa: PLR2004 - its place, see above
            self._row = _number(self._path, record, 0)
        elif kind in _CELL_BYTES:
            if len(record) < _CELL_BYTES[kind]:
                raise damaged(self._path)
            self.errors += kind in {_ERROR, _FORMULA_ERROR}
            self._cell(_number(self._path, record, 0))
        elif kind == _STRINGS and _number(self._path, record, 4) > self._part_bytes:
            raise damaged(self._path)
        elif kind == _COLUMN and len(record) > 16 and record[16] & _COLUMN_HIDDEN:  # noqa: PLR2004 - its place
            first, last = struct.unpack_from("<II", record)
            self.hidden_columns.update(range(first, min(last, 1 << 14) + 1))

    def _cell(self, column: int) -> None:
        """Note a cell; of usual ones only that there are some, since their columns cannot be far."""
        self._reach.add(self._row, self._row, column, max(column, 39))
        self.hidden_rows += self._row_hidden
        self._row_hidden = False


def sheet_places(path: str, workbook: bytes) -> dict[str, str]:
    """Return the relationship id of each sheet by its name. Raises InputError for a workbook part that is torn."""
    places = {}
    at = 0
    while (header := _header(workbook, at)) and header[2] <= len(workbook):
        kind, start, at = header
        if kind == _SHEET:
            relationship, end = _text(path, workbook, start + 8)
            places[_text(path, workbook, end)[0]] = relationship
    return places


def _text(path: str, record: bytes, at: int) -> tuple[str, int]:
    characters = _number(path, record, at)
    end = at + 4 + 2 * characters if characters < 1 << 15 else at + 4
    return record[at + 4 : end].decode("utf-16-le", "replace"), end


def _header(text: bytes, at: int) -> tuple[int, int, int] | None:
    """Return a record's type, and where its content begins and ends; None when its header is cut off."""
    kind = size = 0
    for place in range(2):
        if at >= len(text):
            return None
        kind |= (text[at] & 0x7F) << (7 * place)
        at += 1
        if not text[at - 1] & 0x80:
            break
    for place in range(4):
        if at >= len(text):
            return None
        size |= (text[at] & 0x7F) << (7 * place)
        at += 1
        if not text[at - 1] & 0x80:
            break
    return kind, at, at + size


def _number(path: str, record: bytes, at: int) -> int:
    if len(record) < at + 4:
        raise damaged(path)
    return int(struct.unpack_from("<I", record, at)[0])
