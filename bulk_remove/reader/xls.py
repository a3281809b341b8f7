"""Reads workbooks that are records: .xls and .xlsb.

.xls has records of BIFF8 or BIFF5 in a compound file, [MS-XLS] and [MS-CFB]. A record has a type and a size of two
bytes each. The workbook's own records come first, then those of each sheet. A sheet has at most 65,536 rows, so all
wanted cells of a sheet are held at once.

.xlsb has the parts of a zip archive as records, [MS-XLSB]. Here, a type has one or two bytes and a size one to four,
seven bits in each of them.
"""

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from bulk_remove.core.cell_formats import CellFormat, built_in_format, cell_format
from bulk_remove.reader.cells import (
    MOST_COLUMNS,
    MOST_ROWS,
    NO_RESULT,
    Area,
    Cell,
    DamagedError,
    Formats,
    Layout,
    Package,
    ProtectedError,
    Row,
    Sheet,
    SheetPlace,
    error_cell,
    is_blank,
    picked,
)

_BOF, _EOF, _CONTINUE, _FILE_PASS, _CODE_PAGE, _FROM_1904 = 0x0809, 0x0A, 0x3C, 0x2F, 0x42, 0x22
_SHEET, _FORMAT, _STYLE, _STRINGS = 0x85, 0x041E, 0xE0, 0xFC
_NUMBER, _COMPACT, _COMPACTS, _SHARED_TEXT, _BOOLEAN_OR_ERROR = 0x0203, 0x027E, 0xBD, 0xFD, 0x0205
_TEXT, _RICH_TEXT, _FORMULA, _FORMULA_TEXT = 0x0204, 0xD6, 0x06, 0x0207
_CELLS = {_NUMBER, _COMPACT, _COMPACTS, _SHARED_TEXT, _BOOLEAN_OR_ERROR, _TEXT, _RICH_TEXT, _FORMULA}
_ROW, _COLUMNS, _MERGED = 0x0208, 0x7D, 0xE5
_MOST_COLUMNS = 1 << 8
_BIFF8, _BIFF5 = 0x0600, 0x0500
_WORKSHEET = 0
_NOT_VISIBLE = 0x03
_WIDE, _PHONETIC, _RICH = 0x01, 0x04, 0x08  # XLUnicodeRichExtendedString
_ROW_HIDDEN, _HEIGHT = 0x20, 0x7FFF  # Row, fDyZero; miyRw
_COLUMN_HIDDEN = 0x01
_IS_HUNDREDFOLD, _IS_WHOLE = 0x01, 0x02  # RkNumber
_NO_NUMBER = b"\xff\xff"
_CODECS = {
    367: "ascii",
    1200: "utf-16-le",
    10000: "mac-roman",
    10029: "mac-latin2",
    32768: "mac-roman",
    32769: "cp1252",
}


def sheets_of_xls(stream: bytes) -> list[Sheet]:
    """Return the sheets of the workbook in this stream."""
    version = int.from_bytes(stream[4:6], "little")
    if version not in {_BIFF8, _BIFF5}:
        raise DamagedError
    texts = _Texts(old=version == _BIFF5)
    codes: dict[int, str] = {}
    styles: list[int] = []
    places: list[tuple[bytes, int]] = []
    from_1904 = False
    strings: list[str] = []
    for kind, record, more in _records(memoryview(stream)):
        if kind == _FILE_PASS:
            raise ProtectedError
        if kind == _CODE_PAGE:
            number = int.from_bytes(record[:2], "little")
            texts.codec = _CODECS.get(number, f"cp{number}")
        elif kind == _FROM_1904:
            from_1904 = record[:1] == b"\1"
        elif kind == _FORMAT:
            codes[int.from_bytes(record[:2], "little")] = texts.counted(record[2:], short=texts.old)
        elif kind == _STYLE:
            styles.append(int.from_bytes(record[2:4], "little"))
        elif kind == _STRINGS:
            strings = _shared_strings([record, *more])
        elif kind == _SHEET and record[5] == _WORKSHEET:
            places.append((record, int.from_bytes(record[:4], "little")))
    formats = [cell_format(codes[each]) if each in codes else built_in_format(each) for each in styles]
    values = _Values(Formats(formats, from_1904), strings, texts)
    return [
        Sheet(
            texts.counted(record[6:], short=True),
            bool(record[4] & _NOT_VISIBLE),
            partial(_rows, memoryview(stream)[at:end], values),
        )
        for record, at, end in _apart(places, len(stream))
    ]


def _apart(places: Sequence[tuple[bytes, int]], size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield each sheet's record, beginning and end; sheets that share bytes would be read many times."""
    begins = sorted(at for _, at in places)
    ends = dict(zip(begins, [*begins[1:], size], strict=True))
    if len(ends) < len(places):
        raise DamagedError
    return ((record, at, ends[at]) for record, at in places)


def _rows(stream: memoryview, values: "_Values", columns: Sequence[int] | None, layout: Layout) -> Iterator[Row]:
    rows: defaultdict[int, dict[int, Cell]] = defaultdict(dict)
    hidden: set[int] = set()
    last = (0, 0, 0)
    for kind, record, more in _records(stream):
        if kind in _CELLS:
            for last, cell in values.cells(kind, record):
                row, column, _ = last
                if column >= _MOST_COLUMNS or column in rows[row]:
                    raise DamagedError
                rows[row][column] = cell
        elif kind == _FORMULA_TEXT:
            row, column, style = last
            rows[row][column] = values.text([record, *more], style)
        elif kind == _ROW and (record[12] & _ROW_HIDDEN or not int.from_bytes(record[6:8], "little") & _HEIGHT):
            hidden.add(int.from_bytes(record[:2], "little"))
        else:
            _lay_out(layout, kind, record)
    for row in sorted(rows):
        cells = rows[row]
        if not is_blank(cells.values()):
            wanted = range(max(cells) + 1) if columns is None else columns
            yield row + 1, row in hidden, [cells.get(column, "") for column in wanted]


def _lay_out(layout: Layout, kind: int, record: bytes) -> None:
    if kind == _COLUMNS:
        first, last, width, _, flags = struct.unpack_from("<5H", record)
        if flags & _COLUMN_HIDDEN or not width:
            layout.hidden_columns.append(range(first, last + 1))
    elif kind == _MERGED:
        for place in range(int.from_bytes(record[:2], "little")):
            top, bottom, left, right = struct.unpack_from("<4H", record, 2 + 8 * place)
            layout.merged.append(Area(top + 1, bottom + 1, left, right))


class _Values:
    """The content of cell records."""

    def __init__(self, formats: Formats, strings: Sequence[str], texts: "_Texts") -> None:
        self._texts = texts
        self._formats = formats
        self._strings = strings

    def cells(self, kind: int, record: bytes) -> Iterator[tuple[tuple[int, int, int], Cell]]:
        """Yield the row, column and style of each cell, and the cell."""
        place = row, column, style = struct.unpack_from("<3H", record)
        if kind == _NUMBER:
            yield place, self._formats.number(_float_number(record, 6), style)
        elif kind == _COMPACT:
            yield place, self._formats.number(_compact_number(record, 6), style)
        elif kind == _COMPACTS:
            for at in range(4, len(record) - 2, 6):
                style = int.from_bytes(record[at : at + 2], "little")
                yield (row, column + at // 6, style), self._formats.number(_compact_number(record, at + 2), style)
        elif kind == _SHARED_TEXT:
            yield place, self._formats.text(self._strings[int.from_bytes(record[6:10], "little")], style)
        elif kind in {_TEXT, _RICH_TEXT}:
            yield place, self._formats.text(self._texts.counted(record[6:]), style)
        elif kind == _BOOLEAN_OR_ERROR:
            yield place, error_cell(record[6]) if record[7] else bool(record[6])
        elif record[12:14] != _NO_NUMBER:
            yield place, self._formats.number(_float_number(record, 6), style)
        else:  # a text follows in its own record
            yield place, (NO_RESULT, bool(record[8]), error_cell(record[8]), "")[record[6]]

    def text(self, records: Sequence[bytes], style: int) -> Cell:
        """Return the cell of a formula's text."""
        if self._texts.old:
            return self._formats.text(self._texts.counted(b"".join(records)), style)
        spread = _Spread(records)
        characters, flags = spread.unpacked("<HB")
        return self._formats.text(spread.text(characters, wide=bool(flags & _WIDE)), style)


class _Texts:
    """The spelling of texts: before Excel 97, bytes of a code page; since then Unicode, whatever page is named."""

    def __init__(self, *, old: bool) -> None:
        self.old = old
        self.codec = "cp1252"

    def counted(self, record: bytes, *, short: bool = False) -> str:
        """Return a text that begins with its count of characters, in one byte if `short`."""
        size = 1 if short else 2
        characters = int.from_bytes(record[:size], "little")
        if self.old:
            return record[size : size + characters].decode(self.codec, "replace")
        return _Spread([record[size + 1 :]]).text(characters, wide=bool(record[size] & _WIDE))


class _Spread:
    """The content of a record that continues in others. A text continues after a byte that gives its encoding."""

    def __init__(self, records: Sequence[bytes]) -> None:
        self._records = iter(records)
        self._record = next(self._records)
        self._at = 0

    def is_empty(self) -> bool:
        if self._at >= len(self._record):
            self._record, self._at = next(self._records, b""), 0
        return not self._record

    def unpacked(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.taken(struct.calcsize(form)))

    def taken(self, size: int) -> bytes:
        taken = self._record[self._at : self._at + size]
        self._at += len(taken)
        while len(taken) < size:
            self._next()
            more = self._record[: size - len(taken)]
            taken += more
            self._at = len(more)
        return taken

    def text(self, characters: int, *, wide: bool) -> str:
        text = ""
        while characters:
            width = 2 if wide else 1
            count = min(characters, (len(self._record) - self._at) // width)
            written = self._record[self._at : self._at + count * width]
            text += written.decode("utf-16-le", "surrogatepass") if wide else written.decode("latin-1")
            self._at += count * width
            characters -= count
            if characters:
                if self._at < len(self._record):
                    raise DamagedError
                self._next()
                wide = bool(self._record[0] & _WIDE)
                self._at = 1
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _next(self) -> None:
        following = next(self._records, None)
        if not following:
            raise DamagedError
        self._record, self._at = following, 0


def _shared_strings(records: Sequence[bytes]) -> list[str]:
    spread = _Spread(records)
    _, count = spread.unpacked("<II")
    strings = []
    for _ in range(count):
        if spread.is_empty():  # some programs announce more strings than there are
            break
        characters, flags = spread.unpacked("<HB")
        runs = spread.unpacked("<H")[0] if flags & _RICH else 0
        phonetic = spread.unpacked("<I")[0] if flags & _PHONETIC else 0
        strings.append(spread.text(characters, wide=bool(flags & _WIDE)))
        spread.taken(4 * runs + phonetic)
    return strings


def _records(stream: memoryview) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Yield the records of a substream, each with its continuations; inner substreams are left out."""
    at = depth = 0
    whole: tuple[int, bytes, list[bytes]] | None = None
    while True:
        kind, size = struct.unpack_from("<HH", stream, at)
        record = bytes(stream[at + 4 : at + 4 + size])
        if len(record) < size or (not depth and kind != _BOF):
            raise DamagedError
        at += 4 + size
        if kind == _CONTINUE and whole:
            whole[2].append(record)
            continue
        if whole:
            yield whole
        depth += (kind == _BOF) - (kind == _EOF)
        whole = (kind, record, []) if depth == 1 else None
        if not depth:
            return


def _float_number(record: bytes, at: int) -> float:
    """Return the number in eight bytes."""
    (value,) = struct.unpack_from("<d", record, at)
    return float(value)


def _compact_number(record: bytes, at: int) -> float:
    """Return the number in four bytes: the upper half of a float, or a whole number; perhaps times a hundred."""
    (written,) = struct.unpack_from("<i", record, at)
    value = float(written >> 2) if written & _IS_WHOLE else _float_number(struct.pack("<Ii", 0, written & ~3), 0)
    return value / 100 if written & _IS_HUNDREDFOLD else value


_BRT_ROW, _BRT_COLUMN, _BRT_MERGED, _BRT_ROWS_END = 0, 60, 176, 146
_BRT_COMPACT, _BRT_ERROR, _BRT_NUMBER, _BRT_TEXT, _BRT_SHARED_TEXT = 2, 3, 5, 6, 7
_BRT_FORMULA_TEXT, _BRT_FORMULA_NUMBER, _BRT_FORMULA_ERROR, _BRT_RICH_TEXT = 8, 9, 11, 62
_BRT_CELLS = {*range(_BRT_COMPACT, _BRT_FORMULA_ERROR + 1), _BRT_RICH_TEXT}
_BRT_SHEET, _BRT_WORKBOOK, _BRT_STRING = 156, 153, 19
_BRT_FORMAT, _BRT_STYLE, _BRT_STYLES_BEGIN, _BRT_STYLES_END = 44, 47, 617, 618
_BRT_ROW_HIDDEN = 0x10  # BrtRowHdr, fDyZero: bit 4 of the byte at 11
_BRT_COLUMN_HIDDEN = 0x01  # BrtColInfo, fHidden: bit 0 of the byte at 16
_BRT_STYLE_BITS = 0xFFFFFF
_BRT_NO_TEXT = 0xFFFFFFFF  # XLNullableWideString
_BRT_MOST_RECORD_BYTES = 16 << 20


def sheets_of_xlsb(package: Package) -> list[Sheet]:
    """Return the sheets of a workbook."""
    own = package.ending_with("workbook.bin")
    styles, strings = (next(iter(package.targets(own, kind).values()), "") for kind in ("/styles", "/sharedStrings"))
    from_1904 = any(kind == _BRT_WORKBOOK and record[0] & 1 for kind, record in _part_records([package.index(own)]))
    formats = Formats(_styles_of(package.index(styles)), from_1904)
    records = _part_records(package.pieces(strings) if strings else ())
    texts = [_wide(record, 1)[0] for kind, record in records if kind == _BRT_STRING]
    sheets = package.sheets(own, _sheet_places)
    return [
        Sheet(name, hidden, partial(_part_rows, partial(package.pieces, part), formats, texts))
        for name, hidden, part in sheets
    ]


def _sheet_places(workbook: bytes) -> Iterator[SheetPlace]:
    for kind, record in _part_records([workbook]):
        if kind == _BRT_SHEET:
            link, end = _wide(record, 8)
            yield SheetPlace(_wide(record, end)[0], record[:1] != b"\0", link)


def _styles_of(styles: bytes) -> list[CellFormat]:
    codes: dict[int, str] = {}
    formats: list[CellFormat] = []
    inside = False
    for kind, record in _part_records([styles]):
        inside = (inside or kind == _BRT_STYLES_BEGIN) and kind != _BRT_STYLES_END
        if kind == _BRT_FORMAT:
            codes[int.from_bytes(record[:2], "little")] = _wide(record, 2)[0]
        elif kind == _BRT_STYLE and inside:
            number = int.from_bytes(record[2:4], "little")
            formats.append(cell_format(codes[number]) if number in codes else built_in_format(number))
    return formats


def _part_rows(
    pieces: Callable[[], Iterable[bytes]],
    formats: Formats,
    strings: Sequence[str],
    columns: Sequence[int] | None,
    layout: Layout,
) -> Iterator[Row]:
    number = 0
    hidden = False
    cells: list[Cell] = []
    for kind, record in _part_records(pieces()):
        if kind in _BRT_CELLS:
            column = _whole(record, 0)
            if not number or not len(cells) <= column < MOST_COLUMNS:
                raise DamagedError
            cells += [""] * (column - len(cells))
            cells.append(_part_cell(kind, record, formats, strings))
        elif kind in {_BRT_ROW, _BRT_ROWS_END}:
            if not is_blank(cells):
                yield number, hidden, picked(cells, columns)
            cells = []
            if kind == _BRT_ROW:
                if not number <= _whole(record, 0) < MOST_ROWS:
                    raise DamagedError
                number = _whole(record, 0) + 1
                hidden = bool(record[11] & _BRT_ROW_HIDDEN) or record[8:10] == b"\0\0"
        else:
            _lay_out_part(layout, kind, record)
    if cells:
        raise DamagedError


def _part_cell(kind: int, record: bytes, formats: Formats, strings: Sequence[str]) -> Cell:
    style = _whole(record, 4) & _BRT_STYLE_BITS
    if kind == _BRT_COMPACT:
        return formats.number(_compact_number(record, 8), style)
    if kind in {_BRT_NUMBER, _BRT_FORMULA_NUMBER}:
        return formats.number(_float_number(record, 8), style)
    if kind == _BRT_SHARED_TEXT:
        return formats.text(strings[_whole(record, 8)], style)
    if kind in {_BRT_TEXT, _BRT_FORMULA_TEXT}:
        return formats.text(_wide(record, 8)[0], style)
    if kind == _BRT_RICH_TEXT:
        return formats.text(_wide(record, 9)[0], style)
    return error_cell(record[8]) if kind in {_BRT_ERROR, _BRT_FORMULA_ERROR} else bool(record[8])


def _lay_out_part(layout: Layout, kind: int, record: bytes) -> None:
    if kind == _BRT_COLUMN and (record[16] & _BRT_COLUMN_HIDDEN or not _whole(record, 8)):
        first, last = struct.unpack_from("<II", record)
        layout.hidden_columns.append(range(first, last + 1))
    elif kind == _BRT_MERGED:
        top, bottom, left, right = struct.unpack_from("<4I", record)
        layout.merged.append(Area(top + 1, bottom + 1, left, right))


def _part_records(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    tail = b""
    for piece in pieces:
        text = tail + piece
        at = 0
        while (header := _header(text, at)) and header[2] <= len(text):
            kind, start, at = header
            yield kind, text[start:at]
        tail = text[at:]
        if len(tail) > _BRT_MOST_RECORD_BYTES:
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


def _whole(record: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", record, at)[0])


def _wide(record: bytes, at: int) -> tuple[str, int]:
    """Return a text, which may be missing, and where it ends."""
    characters = _whole(record, at)
    if characters == _BRT_NO_TEXT:
        return "", at + 4
    end = at + 4 + 2 * characters
    if end > len(record):
        raise DamagedError
    return record[at + 4 : end].decode("utf-16-le", "replace"), end
