"""Reads .xlsb: the parts of a zip archive as records, [MS-XLSB].

A record has a type and a size of one to four bytes each, seven bits in each of them.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

from bulk_remove.core.cell_formats import CellFormat, built_in_format, cell_format
from bulk_remove.reader.cells import (
    MOST_COLUMNS,
    MOST_ROWS,
    Area,
    Cell,
    DamagedError,
    Formats,
    Layout,
    Package,
    Row,
    Sheet,
    SheetPlace,
    error_cell,
    is_blank,
    picked,
)
from bulk_remove.reader.xls import compact_number, float_number

_ROW, _COLUMN, _MERGED, _ROWS_END = 0, 60, 176, 146
_COMPACT, _ERROR, _NUMBER, _TEXT, _SHARED_TEXT = 2, 3, 5, 6, 7
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_ERROR, _RICH_TEXT = 8, 9, 11, 62
_CELLS = {*range(_COMPACT, _FORMULA_ERROR + 1), _RICH_TEXT}
_SHEET, _WORKBOOK, _STRING = 156, 153, 19
_FORMAT, _STYLE, _STYLES_BEGIN, _STYLES_END = 44, 47, 617, 618
_ROW_HIDDEN = 0x10  # BrtRowHdr, fDyZero: bit 4 of the byte at 11
_COLUMN_HIDDEN = 0x01  # BrtColInfo, fHidden: bit 0 of the byte at 16
_STYLE_BITS = 0xFFFFFF
_NO_TEXT = 0xFFFFFFFF  # XLNullableWideString
_MOST_RECORD_BYTES = 16 << 20


def sheets_of_xlsb(package: Package) -> list[Sheet]:
    """Return the sheets of a workbook."""
    own = package.ending_with("workbook.bin")
    styles, strings = (next(iter(package.targets(own, kind).values()), "") for kind in ("/styles", "/sharedStrings"))
    from_1904 = any(kind == _WORKBOOK and record[0] & 1 for kind, record in _records([package.index(own)]))
    formats = Formats(_formats(package.index(styles)), from_1904)
    records = _records(package.pieces(strings) if strings else ())
    texts = [_wide(record, 1)[0] for kind, record in records if kind == _STRING]
    sheets = package.sheets(own, _places)
    return [Sheet(name, hidden, _Part(part, package, formats, texts).rows) for name, hidden, part in sheets]


def _places(workbook: bytes) -> Iterator[SheetPlace]:
    for kind, record in _records([workbook]):
        if kind == _SHEET:
            link, end = _wide(record, 8)
            yield SheetPlace(_wide(record, end)[0], record[:1] != b"\0", link)


def _formats(styles: bytes) -> list[CellFormat]:
    codes: dict[int, str] = {}
    formats: list[CellFormat] = []
    inside = False
    for kind, record in _records([styles]):
        inside = (inside or kind == _STYLES_BEGIN) and kind != _STYLES_END
        if kind == _FORMAT:
            codes[int.from_bytes(record[:2], "little")] = _wide(record, 2)[0]
        elif kind == _STYLE and inside:
            number = int.from_bytes(record[2:4], "little")
            formats.append(cell_format(codes[number]) if number in codes else built_in_format(number))
    return formats


class _Part:
    """The part of a package that holds a sheet."""

    def __init__(self, part: str, package: Package, formats: Formats, strings: Sequence[str]) -> None:
        self._part, self._package, self._formats, self._strings = part, package, formats, strings

    def rows(self, columns: Sequence[int] | None, layout: Layout) -> Iterator[Row]:
        """Yield the rows that are not blank with the cells of these columns (None: all); fill in the layout."""
        number = 0
        hidden = False
        cells: list[Cell] = []
        for kind, record in _records(self._package.pieces(self._part)):
            if kind in _CELLS:
                column = _number(record, 0)
                if not number or not len(cells) <= column < MOST_COLUMNS:
                    raise DamagedError
                cells += [""] * (column - len(cells))
                cells.append(self._cell(kind, record, _number(record, 4) & _STYLE_BITS))
            elif kind in {_ROW, _ROWS_END}:
                if not is_blank(cells):
                    yield number, hidden, picked(cells, columns)
                cells = []
                if kind == _ROW:
                    if not number <= _number(record, 0) < MOST_ROWS:
                        raise DamagedError
                    number = _number(record, 0) + 1
                    hidden = bool(record[11] & _ROW_HIDDEN) or record[8:10] == b"\0\0"
            else:
                _lay_out(layout, kind, record)
        if cells:
            raise DamagedError

    def _cell(self, kind: int, record: bytes, style: int) -> Cell:
        if kind == _COMPACT:
            return self._formats.number(compact_number(record, 8), style)
        if kind in {_NUMBER, _FORMULA_NUMBER}:
            return self._formats.number(float_number(record, 8), style)
        if kind == _SHARED_TEXT:
            return self._formats.text(self._strings[_number(record, 8)], style)
        if kind in {_TEXT, _FORMULA_TEXT}:
            return self._formats.text(_wide(record, 8)[0], style)
        if kind == _RICH_TEXT:
            return self._formats.text(_wide(record, 9)[0], style)
        return error_cell(record[8]) if kind in {_ERROR, _FORMULA_ERROR} else bool(record[8])


def _lay_out(layout: Layout, kind: int, record: bytes) -> None:
    if kind == _COLUMN and (record[16] & _COLUMN_HIDDEN or not _number(record, 8)):
        first, last = struct.unpack_from("<II", record)
        layout.hidden_columns.append(range(first, last + 1))
    elif kind == _MERGED:
        top, bottom, left, right = struct.unpack_from("<4I", record)
        layout.merged.append(Area(top + 1, bottom + 1, left, right))


def _records(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    tail = b""
    for piece in pieces:
        text = tail + piece
        at = 0
        while (header := _header(text, at)) and header[2] <= len(text):
            kind, start, at = header
            yield kind, text[start:at]
        tail = text[at:]
        if len(tail) > _MOST_RECORD_BYTES:
            raise DamagedError
    if tail:
        raise DamagedError


def _header(text: bytes, at: int) -> tuple[int, int, int] | None:
    """Return a record's type, and the beginning and end of its content; None if its header is cut off."""
    found = []
    for most_bytes in (2, 4):
        value = 0
        for place in range(most_bytes):
            if at >= len(text):
                return None
            value |= (text[at] & 0x7F) << (7 * place)
            at += 1
            if not text[at - 1] & 0x80:
                break
        found.append(value)
    kind, size = found
    return kind, at, at + size


def _number(record: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", record, at)[0])


def _wide(record: bytes, at: int) -> tuple[str, int]:
    """Return a text, which may be missing, and where it ends."""
    characters = _number(record, at)
    if characters == _NO_TEXT:
        return "", at + 4
    end = at + 4 + 2 * characters
    if end > len(record):
        raise DamagedError
    return record[at + 4 : end].decode("utf-16-le", "replace"), end
