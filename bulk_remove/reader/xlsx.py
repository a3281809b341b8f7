"""Reads .xlsx and .xlsm: XML in a zip archive, ECMA-376.

Rows in the usual spelling are searched as text, which takes an eighth of the time of parsing. All other rows are parsed
by expat. So is a whole sheet if comments or another encoding may hide something.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache

from bulk_remove.core.cell_formats import CellFormat, built_in_format, cell_format
from bulk_remove.errors import InputError
from bulk_remove.reader.cells import (
    MOST_COLUMNS,
    MOST_ROWS,
    NO_RESULT,
    Area,
    Cell,
    DamagedError,
    Events,
    Formats,
    Layout,
    Package,
    Row,
    Sheet,
    SheetPlace,
    elements,
    error_cell,
    is_blank,
    picked,
    written_date,
)

_LONGEST_PROLOG = 1 << 20
_OTHER_ENCODING = re.compile(rb"[^<]*<\?[^<>]*\bencoding=[\"'](?!utf-?8[\"'])", re.IGNORECASE)
_TYPE, _STYLE = re.compile(rb' t="([A-Za-z]*)"'), re.compile(rb' s="([0-9]{1,7})"')
_STRING_END = b"</si>"
_PLAIN_STRING = re.compile(rb'\s*+<si><t(?: xml:space="preserve")?>([^<&\r]*+)</t></si>')
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURE_DIGITS = 15
TRUE = {"1", "true"}

FoundCell = tuple[bytes, bytes, bytes, bytes]
"""A cell in the text of a row: its type and style, its formula, and its content in either of two spellings."""


def formats_of(styles: bytes) -> list[CellFormat]:
    """Return the cell formats of a workbook by style, from the styles part."""
    codes: dict[str, str] = {}
    formats: list[CellFormat] = []
    parents: list[str] = []

    def start(tag: str, found: Mapping[str, str]) -> None:
        number = found.get("numFmtId", "0")
        if tag == "numFmt" and parents[-1:] == ["numFmts"]:
            codes[number] = found.get("formatCode", "")
        elif tag == "xf" and parents[-1:] == ["cellXfs"]:
            formats.append(cell_format(codes[number]) if number in codes else built_in_format(int(number)))
        parents.append(tag)

    if styles:
        Events(start, lambda _: parents.pop()).add(styles, last=True)
    return formats


class Strings:
    """The shared strings: their XML, and the end of each; a string is extracted when it is needed."""

    def __init__(self, content: bytes) -> None:
        self._whole: list[str] | None = None
        if content and not (is_searchable(content) and b"<sst" in content[:_LONGEST_PROLOG] and b"<si/" not in content):
            content, self._whole = b"", _parsed_strings(content)
        self._content = content
        ends = [match.end() for match in re.finditer(_STRING_END, content)]
        first = re.search(rb"<si\b", content)
        self._ends = array("I", [first.start(), *ends] if first else [])

    def __getitem__(self, index: int) -> str:
        if self._whole is not None:
            return self._whole[index]
        written = self._content[self._ends[index] : self._ends[index + 1]]
        if plain := _PLAIN_STRING.fullmatch(written):
            return _unescaped(plain[1].decode())
        (text,) = _parsed_strings(written)
        return text


def _parsed_strings(content: bytes) -> list[str]:
    strings: list[str] = []
    text: list[str] = []
    inside: list[str] = []

    def end(tag: str) -> None:
        inside.pop()
        if tag == "si":
            strings.append(_unescaped("".join(text)))
            text.clear()

    def add(piece: str) -> None:
        if inside[-1] == "t" and "rPh" not in inside:  # `rPh` is a guide to pronunciation
            text.append(piece)

    Events(lambda tag, _: inside.append(tag), end, add).add(content, last=True)
    return strings


class Values:
    """The values of cells, from their type, their style and their text."""

    def __init__(self, formats: Formats, strings: Strings) -> None:
        self._formats = formats
        self._strings = strings
        self._kinds: dict[bytes, tuple[str, int, bool]] = {}

    def found(self, found: Iterable[FoundCell]) -> list[Cell]:
        """Return the cells found in the text of rows."""
        kinds, strings = self._kinds, self._strings
        cells: list[Cell] = []
        for attributes, formula, value, inline in found:
            kind, style, plain = kinds.get(attributes) or self._kind(attributes)
            if plain and value.isdigit() and len(value) <= _SURE_DIGITS:
                cells.append(strings[int(value)] if kind else float(value))
            else:
                written = inline if kind == "inlineStr" and inline else value
                cells.append(self.of(kind, style, written.decode(), formula=bool(formula)))
        return cells

    def _kind(self, attributes: bytes) -> tuple[str, int, bool]:
        """Return the type and the style, and whether its format can be ignored."""
        types, styles = _TYPE.findall(attributes), _STYLE.findall(attributes)
        kind, style = b"".join(types[:1]).decode(), int(b"".join(styles[:1]) or b"0")
        plain = kind in {"", "s"} and self._formats.are_plain(style)
        self._kinds[attributes] = kind, style, plain
        return kind, style, plain

    def of(self, kind: str, style: int, text: str, *, formula: bool) -> Cell:
        """Return the cell with a type, a style and a text."""
        if kind in {"", "n"} and text.strip():
            return self._formats.number(_number(text), style)
        if kind == "s" and text:
            return self._formats.text(self._strings[index_of(text)], style)
        if kind in {"str", "inlineStr"}:
            return self._formats.text(_unescaped(text), style)
        if kind not in _OTHERS:
            raise DamagedError
        return _OTHERS[kind](text.strip(), formula)


_OTHERS: Mapping[str, Callable[[str, bool], Cell]] = {
    "": lambda _, formula: NO_RESULT if formula else "",
    "n": lambda _, formula: NO_RESULT if formula else "",
    "s": lambda *_: "",
    "b": lambda text, _: text in TRUE,
    "d": lambda text, _: written_date(text) if text else "",
    "e": lambda text, _: error_cell(text),
}
"""The values of cells that are neither number nor text."""


def is_searchable(text: bytes) -> bool:
    """Whether an XML text can be searched safely: it is UTF-8 without comments and the like."""
    instructions = text.count(b"<?")
    return (
        b"<!" not in text
        and b"\0" not in text
        and not (instructions > 1 or (instructions and _OTHER_ENCODING.match(text, 0, _LONGEST_PROLOG)))
    )


def _number(text: str) -> float:
    if not (text.isascii() and text.isdigit()) and not _NUMBER.fullmatch(text.strip()):
        raise DamagedError
    return float(text)


def index_of(text: str) -> int:
    """Return a whole number. Raises DamagedError if it is not one, or is impossibly large."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - see above
        raise DamagedError
    return int(text)


def _unescaped(text: str) -> str:
    """Turn `_x000D_` into the character that XML cannot hold; invalid ones become question marks."""
    if "_x" not in text:
        return text
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


_LONGEST_ROW = 16 << 20
_LONGEST_HEAD = 4 << 20
_ROWS_BEGIN, _ROWS_END, _ROW_END = b"<sheetData>", b"</sheetData>", b"</row>"
_PREFIXED = re.compile(rb"xmlns:[^=<>]++=[\"'][^\"'<>]*/(?:spreadsheetml/2006/main|spreadsheetml/main)[\"']")
_ROW_HEAD = re.compile(rb'<row(?: (?!r=)[\w:.]++="[^"<>]*+")*+ r="([1-9][0-9]{0,6})"[^<>]*+(?<!/)>')
_ROW = re.compile(rb"\s*+(?:<row(?:[^<>/]|/(?!>))*+/>\s*+)*+" + _ROW_HEAD.pattern)  # after blank rows
_HIDDEN = re.compile(rb'\s(?:hidden="(?:1|true)"|ht="0+(?:\.0*)?")')
_CELL = (
    rb'<c r="%s"((?: (?:s|t|cm|vm|ph)="[0-9A-Za-z]*+")*+) ?+(?:/>|>'
    rb"(<f(?:[^<>/]|/(?!>))*+(?:/>|>[^<]*+</f>))?+"
    rb'(?:<v>([^<&\r]*+)</v>|<v ?/>|<is><t(?: xml:space="preserve")?>([^<&\r]*+)</t></is>)?+</c>)'
)
_ANY_CELL = re.compile(_CELL % rb"([A-Z]{1,3})([0-9]{1,7})")
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_AREA = re.compile(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})")

_Cells = list[Cell]


def sheets_of_xlsx(package: Package) -> list[Sheet]:
    """Return the sheets of a workbook."""
    own = package.ending_with("workbook.xml")
    styles, strings = (next(iter(package.targets(own, kind).values()), "") for kind in ("/styles", "/sharedStrings"))
    from_1904 = any(
        tag == "workbookPr" and found.get("date1904") in TRUE for tag, found in elements(package.index(own))
    )
    formats = Formats(formats_of(package.index(styles)), from_1904)
    values = Values(formats, Strings(package.content(strings)))
    sheets = package.sheets(own, _places)
    return [Sheet(name, hidden, _Part(name, part, package, values).rows) for name, hidden, part in sheets]


def _places(workbook: bytes) -> Iterator[SheetPlace]:
    for tag, found in elements(workbook):
        if tag == "sheet":
            link = next((value for key, value in found.items() if key.endswith(":id")), "")
            yield SheetPlace(found.get("name", ""), found.get("state", "visible") != "visible", link)


class _OddlyWrittenError(Exception):
    """Only a parser can read this row for certain."""


class _Part:
    """The part of a package that holds the sheet of this name."""

    def __init__(self, name: str, part: str, package: Package, values: Values) -> None:
        self._name, self._part, self._package, self._values = name, part, package, values

    def rows(self, columns: Sequence[int] | None, layout: Layout) -> Iterator[Row]:
        """Yield the rows that are not blank with the cells of these columns (None: all); fill in the layout."""
        done = 0
        try:
            for row in self._in_order(self._searched(columns, layout)):
                done = row[0]
                yield row
        except _OddlyWrittenError:
            layout.hidden_columns.clear()
            layout.merged.clear()
            yield from (row for row in self._in_order(self._parsed(columns, layout)) if row[0] > done)

    def _in_order(self, rows: Iterable[Row]) -> Iterator[Row]:
        last = 0
        for row in rows:
            if row[0] <= last:
                raise self._out_of_order(row[0], last)
            if row[0] > MOST_ROWS:
                raise DamagedError
            last = row[0]
            yield row

    def _out_of_order(self, row: int, last: int) -> InputError:
        from bulk_remove.core.model import harmless  # noqa: PLC0415 - only this should pay for it

        return InputError(
            "{path}, sheet '{sheet}': the rows are not in order: row {row} follows row {last}.",
            "Open it in Excel and save it again as .xlsx.",
            path=self._package.path,
            sheet=harmless(self._name),
            row=row,
            last=last,
        )

    def _searched(self, columns: Sequence[int] | None, layout: Layout) -> Iterator[Row]:
        search = _RowSearch(self._values, columns)
        frame = Events(lambda tag, found: _lay_out(layout, tag, found))
        pieces = self._package.pieces(self._part)
        head, rest = _head(pieces)
        frame.add(head)
        while (end := rest.find(_ROWS_END)) < 0:
            cut = rest.rfind(_ROW_END) + len(_ROW_END)
            if cut >= len(_ROW_END):
                yield from search.rows(rest[:cut])
                rest = rest[cut:]
            piece = next(pieces, b"")
            if not piece or len(rest) > _LONGEST_ROW:
                raise DamagedError
            rest += piece
        yield from search.rows(rest[:end])
        frame.add(rest[end:])
        for piece in pieces:
            frame.add(piece)
        frame.add(b"", last=True)

    def _parsed(self, columns: Sequence[int] | None, layout: Layout) -> Iterator[Row]:
        found = _RowEvents(self._values)

        def start(tag: str, attributes: Mapping[str, str]) -> None:
            _lay_out(layout, tag, attributes)
            found.start(tag, attributes)

        events = Events(start, found.end, found.text)
        for piece in self._package.pieces(self._part):
            events.add(piece)
            yield from _wanted(found.taken(), columns)
        events.add(b"", last=True)
        yield from _wanted(found.taken(), columns)


def _head(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """Return the text before the first row, and the text read after it."""
    head = b""
    for piece in pieces:
        head += piece
        at = head.find(_ROWS_BEGIN) + len(_ROWS_BEGIN)
        if at >= len(_ROWS_BEGIN) and is_searchable(head[:at]) and not _PREFIXED.search(head):
            return head[:at], head[at:]
        if at >= len(_ROWS_BEGIN) or len(head) > _LONGEST_HEAD:
            break
    raise _OddlyWrittenError


def _lay_out(layout: Layout, tag: str, found: Mapping[str, str]) -> None:
    if tag == "col" and (found.get("hidden") in TRUE or not float(found.get("width", "1"))):
        layout.hidden_columns.append(range(index_of(found["min"]) - 1, index_of(found["max"])))
    elif tag == "mergeCell" and (area := _AREA.fullmatch(found.get("ref", ""))):
        layout.merged.append(Area(int(area[2]), int(area[4]), _column(area[1].encode()), _column(area[3].encode())))


class _RowSearch:
    """Finds the cells of rows in their text, or has a row parsed."""

    def __init__(self, values: Values, columns: Sequence[int] | None) -> None:
        self._values = values
        self._columns = columns
        letters = [_letters(column).encode() for column in columns or ()]
        self._patterns = [re.compile(_CELL % (each + b"([0-9]{1,7})")) for each in letters]
        self._last = 0

    def rows(self, text: bytes) -> Iterable[Row]:
        """Return the rows of a text that ends with the end of a row, or of the last row."""
        if b"<!" in text or b"<?" in text or b"xmlns" in text:
            raise _OddlyWrittenError
        rows = None if b"hidden=" in text or b' ht="0' in text else self._all_of(text)
        if rows is None:
            return self._one_by_one(text)
        self._last = rows[-1][0] if rows else self._last
        return rows

    def _all_of(self, text: bytes) -> list[Row] | None:
        """Return the rows of a text if all have the usual spelling, and each has all wanted cells."""
        numbers = _ROW_HEAD.findall(text)
        if len(numbers) != text.count(b"<row"):
            return None
        if self._columns is None:
            rows = self._cells_of(text, numbers)
            return None if rows is None else [(int(row), False, cells) for row, cells in rows if not is_blank(cells)]
        columns = []
        for pattern in self._patterns:
            found = pattern.findall(text)
            if [number for number, *_ in found] != numbers:
                return None
            columns.append(self._values.found(cell for _, *cell in found))
        if any(type(cell) is str and not cell.strip() for cell in columns[0]):
            return None
        return [(int(number), False, cells) for number, cells in zip(numbers, zip(*columns, strict=True), strict=True)]

    def _one_by_one(self, text: bytes) -> Iterator[Row]:
        *texts, rest = text.split(_ROW_END)
        for each in texts:
            head = _ROW.match(each)
            cells = head and (self._wanted_of(each, head[1]) or self._all_wanted(each, head[1]))
            if head and cells is not None:
                self._last = int(head[1])
                if cells:
                    yield self._last, bool(_HIDDEN.search(head[0], head[0].rfind(b"<row"))), cells
            else:
                yield from self._parsed(each + _ROW_END)
        if rest.strip():
            yield from self._parsed(rest)

    def _wanted_of(self, text: bytes, number: bytes) -> _Cells:
        """Return the cells of a row's wanted columns, nothing if one is not found or the first is blank."""
        cells: _Cells = []
        for pattern in self._patterns:
            found = pattern.findall(text)
            if len(found) != 1 or found[0][0] != number:
                return []
            cells += self._values.found([found[0][1:]])
        return [] if is_blank(cells[:1]) else cells

    def _all_wanted(self, text: bytes, number: bytes) -> Sequence[Cell] | None:
        """Return the same for any row, nothing if it is blank; None if its cells do not have the usual spelling."""
        rows = self._cells_of(text, [number])
        if rows is None:
            return None
        ((_, cells),) = rows
        return [] if is_blank(cells) else picked(cells, self._columns)

    def _cells_of(self, text: bytes, numbers: Sequence[bytes]) -> list[tuple[bytes, _Cells]] | None:
        """Return the rows of these numbers with their cells, None if they do not have the usual spelling."""
        found = _ANY_CELL.findall(text)
        if len(found) != text.count(b"<c"):
            return None
        rows: dict[bytes, _Cells] = {number: [] for number in numbers}
        values = self._values.found(cell for _, _, *cell in found)
        for (letters, number, *_), value in zip(found, values, strict=True):
            row = rows.get(number)
            column = _column(letters)
            if row is None or not len(row) <= column < MOST_COLUMNS:
                return None
            if column > len(row):
                row += [""] * (column - len(row))
            row.append(value)
        return [*rows.items()] if len(rows) == len(numbers) else None

    def _parsed(self, text: bytes) -> Iterator[Row]:
        found = _RowEvents(self._values, self._last)
        Events(found.start, found.end, found.text).add(b"<rows>" + text + b"</rows>", last=True)
        self._last = found.number
        yield from _wanted(found.taken(), self._columns)


class _RowEvents:
    """Collects rows from the events of a parser; `number` is that of the latest row."""

    def __init__(self, values: Values, number: int = 0) -> None:
        self.number = number
        self._values = values
        self._rows: list[tuple[int, bool, _Cells]] = []
        self._hidden = self._formula = False
        self._cells: _Cells = []
        self._inside: list[str] = []
        self._kind, self._style = "", 0
        self._text: list[str] = []
        self._inline: list[str] = []

    def taken(self) -> list[tuple[int, bool, _Cells]]:
        """Return the rows that have ended since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, tag: str, found: Mapping[str, str]) -> None:
        self._inside.append(tag)
        if tag == "row":
            self._begin_row(found)
        elif tag == "c" and self._inside[-2:-1] == ["row"]:
            self._begin_cell(found)
        elif tag == "f":
            self._formula = True

    def text(self, text: str) -> None:
        inside = self._inside
        if inside[-2:] == ["c", "v"]:
            self._text.append(text)
        elif inside[-1] == "t" and "is" in inside and "rPh" not in inside:
            self._inline.append(text)

    def end(self, tag: str) -> None:
        self._inside.pop()
        if tag == "row":
            self._rows.append((self.number, self._hidden, self._cells))
        elif tag == "c" and self._inside[-1:] == ["row"]:
            text = "".join(self._inline if self._kind == "inlineStr" and self._inline else self._text)
            self._cells.append(self._values.of(self._kind, self._style, text, formula=self._formula))

    def _begin_row(self, found: Mapping[str, str]) -> None:
        self.number = index_of(found["r"]) if "r" in found else self.number + 1
        self._hidden = found.get("hidden") in TRUE or not float(found.get("ht", "1"))
        self._cells = []

    def _begin_cell(self, found: Mapping[str, str]) -> None:
        column = len(self._cells)
        if "r" in found:
            reference = _REFERENCE.fullmatch(found["r"].upper())
            if not reference or int(reference[2]) != self.number:
                raise DamagedError
            column = _column(reference[1].encode())
        if not len(self._cells) <= column < MOST_COLUMNS:
            raise DamagedError
        self._cells += [""] * (column - len(self._cells))
        self._kind, self._style = found.get("t", ""), index_of(found.get("s", "0"))
        self._text, self._inline, self._formula = [], [], False


def _wanted(rows: list[tuple[int, bool, _Cells]], columns: Sequence[int] | None) -> Iterator[Row]:
    return ((number, hidden, picked(cells, columns)) for number, hidden, cells in rows if not is_blank(cells))


@cache
def _column(letters: bytes) -> int:
    """Return the column's index from 0: `A` is 0, `AA` is 26."""
    column = 0
    for letter in letters:
        column = 26 * column + letter - ord("A") + 1
    return column - 1


def _letters(column: int) -> str:
    letters = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        letters = chr(ord("A") + letter) + letters
        column -= 1
    return letters
