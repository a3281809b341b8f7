"""Reads .ods: one XML text with all sheets, OpenDocument 1.3, part 3.

A few bytes can mean any number of equal rows, cells or blanks. So no more rows and columns are read from a sheet than
a spreadsheet program allows.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from bulk_remove.core.cell_formats import shown_instead
from bulk_remove.reader.cells import (
    MOST_COLUMNS,
    MOST_ROWS,
    NO_RESULT,
    Area,
    Cell,
    DamagedError,
    Events,
    Layout,
    Odd,
    Package,
    Row,
    Sheet,
    SheetPlace,
    error_cell,
    is_blank,
    picked,
    written_date,
)

_NUMBERS = {"float", "percentage", "currency"}
_NOT_TEXT = {"annotation", "note", "ruby-text"}
_BLANKS = {"tab": "\t", "line-break": "\n"}
_NOTHING_HIGH = re.compile(r"0*(?:\.0*)?[a-z]*")
_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_IN_CELL = 2  # the depth of a paragraph directly in a cell
_MOST_DIGITS = 7
_TIME = re.compile(r"PT([0-9]{1,2})H([0-5]?[0-9])M([0-5]?[0-9])(?:[.,]([0-9]{1,6}))?S")
_HOURS_A_DAY = 24
_MOST_CHARACTERS = 1 << 20  # in one cell; Excel allows 32,767


def sheets_of_ods(package: Package, sampled_rows: int) -> list[Sheet]:
    """Return the sheets of a workbook with the first rows of each, because one part of the file holds them all."""
    content = _Content(None, Layout(), sampled_rows)
    for _ in content.rows(package, None):
        pass
    return [Sheet(name, hidden, partial(_rows, package, part), first) for (name, hidden, part), first in content.sheets]


def _rows(package: Package, part: str, columns: Sequence[int] | None, layout: Layout) -> Iterator[Row]:
    return _Content(part, layout).rows(package, columns)


class _Content:
    """Collects rows from the events of a parser: those of one sheet, or the first rows of all sheets."""

    def __init__(self, wanted: str | None, layout: Layout, sampled_rows: int = 0) -> None:
        self.sheets: list[tuple[SheetPlace, list[Row]]] = []
        self._wanted = wanted
        self._sampled_rows = sampled_rows
        self._layout = layout
        self._inside = [""]
        self._style = ""
        self._invisible: set[str] = set()
        self._reading = False
        self._rows: list[tuple[range, bool, list[Cell]]] = []
        self._row = self._column = 0
        self._row_found: Mapping[str, str] = {}
        self._cells: list[Cell] = []
        self._blank_cells = 0
        self._cell = _CellText()
        self._begin = {
            "style": self._begin_style,
            "table-properties": self._style_properties,
            "table-row-properties": self._style_properties,
            "table-column-properties": self._style_properties,
            "table": self._begin_sheet,
            "table-column": self._begin_column,
            "table-row": self._begin_row,
            "table-cell": self._begin_cell,
            "covered-table-cell": self._begin_cell,
        }

    def rows(self, package: Package, columns: Sequence[int] | None) -> Iterator[Row]:
        """Yield the rows of the wanted sheet that are not blank."""
        events = Events(self._start, self._end, self._cell.add)
        for piece in package.pieces("content.xml"):
            events.add(piece)
            yield from self._taken(columns)
        events.add(b"", last=True)
        yield from self._taken(columns)

    def _taken(self, columns: Sequence[int] | None) -> Iterator[Row]:
        for numbers, hidden, cells in self._rows:
            wanted = picked(cells, columns)
            for number in numbers:
                yield number, hidden, wanted
        self._rows.clear()

    def _start(self, tag: str, found: Mapping[str, str]) -> None:
        if self._cell.depth:
            self._cell.start(tag, found)
        elif begin := self._begin.get(tag):
            begin(found)
        self._inside.append(tag)

    def _end(self, tag: str) -> None:
        self._inside.pop()
        if self._cell.depth:
            self._cell.end()
            if not self._cell.depth:
                self._end_cell()
        elif self._reading and tag == "table-row":
            self._end_row()
        elif tag == "table":
            self._reading = False

    def _begin_style(self, found: Mapping[str, str]) -> None:
        self._style = found.get("style:name", "")

    def _style_properties(self, found: Mapping[str, str]) -> None:
        size = found.get("style:row-height", found.get("style:column-width", "1"))
        if found.get("table:display") == "false" or _NOTHING_HIGH.fullmatch(size):
            self._invisible.add(self._style)

    def _begin_sheet(self, found: Mapping[str, str]) -> None:
        if self._inside[-1] != "spreadsheet":  # a copy of another file's content, or a table in a drawing
            return
        place = str(len(self.sheets))
        self.sheets.append((SheetPlace(found.get("table:name", ""), self._is_invisible(found), place), []))
        self._reading = self._wanted in {place, None}
        self._row = self._column = 0

    def _is_invisible(self, found: Mapping[str, str]) -> bool:
        return found.get("table:style-name") in self._invisible or found.get("table:visibility", "visible") != "visible"

    def _begin_column(self, found: Mapping[str, str]) -> None:
        repeated = _count(found, "table:number-columns-repeated")
        if self._reading and self._is_invisible(found):
            self._layout.hidden_columns.append(range(self._column, self._column + repeated))
        self._column += repeated

    def _begin_row(self, found: Mapping[str, str]) -> None:
        self._row_found = found
        self._cells = []
        self._blank_cells = 0

    def _begin_cell(self, found: Mapping[str, str]) -> None:
        if self._reading:
            self._cell.begin(found)

    def _end_cell(self) -> None:
        found = self._cell.found
        value = self._cell.value()
        repeated = _count(found, "table:number-columns-repeated")
        column = len(self._cells) + self._blank_cells
        down, right = (_count(found, f"table:number-{each}-spanned") for each in ("rows", "columns"))
        if down * right > 1:
            self._layout.merged.append(Area(self._row + 1, self._row + down, column, column + right - 1))
        if value == "":
            self._blank_cells += repeated
            return
        if column + repeated > MOST_COLUMNS:
            raise DamagedError
        self._cells += [""] * self._blank_cells + [value] * repeated
        self._blank_cells = 0

    def _end_row(self) -> None:
        first = self._row + 1
        self._row += _count(self._row_found, "table:number-rows-repeated")
        if is_blank(self._cells):
            return
        if self._row > MOST_ROWS:
            raise DamagedError
        numbers = range(first, self._row + 1)
        if self._wanted is not None:
            self._rows.append((numbers, self._is_invisible(self._row_found), self._cells))
            return
        sample = self.sheets[-1][1]
        sample += [(number, False, self._cells) for number in numbers[: self._sampled_rows - len(sample)]]
        self._reading = len(sample) < self._sampled_rows


class _CellText:
    """A cell while it is parsed: its attributes, and its text with a line for each paragraph."""

    def __init__(self) -> None:
        self.found: Mapping[str, str] = {}
        self.depth = 0
        self._paragraphs = 0
        self._text: list[str] = []
        self._characters = 0
        self._passed_over = 0

    def begin(self, found: Mapping[str, str]) -> None:
        self.found = found
        self.depth = 1
        self._paragraphs = 0
        self._text = []
        self._characters = 0

    def start(self, tag: str, found: Mapping[str, str]) -> None:
        self.depth += 1
        if self._passed_over or tag in _NOT_TEXT or (self.depth == _IN_CELL and tag != "p"):
            self._passed_over = self._passed_over or self.depth
        elif self.depth == _IN_CELL:
            self.add("\n" if self._paragraphs else "")
            self._paragraphs += 1
        elif tag == "s":
            self.add(" " * _count(found, "text:c"))
        else:
            self.add(_BLANKS.get(tag, ""))

    def end(self) -> None:
        if self.depth == self._passed_over:
            self._passed_over = 0
        self.depth -= 1

    def add(self, text: str) -> None:
        if self.depth < _IN_CELL or self._passed_over:
            return
        self._text.append(text)
        self._characters += len(text)
        if self._characters > _MOST_CHARACTERS:
            raise DamagedError

    def value(self) -> Cell:
        found = self.found
        text = "".join(self._text)
        kind = found.get("office:value-type", "")
        if found.get("calcext:value-type") == "error":
            return error_cell(text)
        if kind in _NUMBERS:
            written = found.get("office:value", "")
            if not _NUMBER.fullmatch(written):
                raise DamagedError
            shown = shown_instead(text, float(written)) if self._paragraphs else None
            return float(written) if shown is None else Odd(float(written), shown)
        if kind in {"boolean", "time"}:
            written = found.get(f"office:{kind}-value", "")
            return _time(written) if kind == "time" else written == "true"
        if kind == "date":
            return written_date(found.get("office:date-value", ""))
        no_result = not kind and not text and "table:formula" in found
        return NO_RESULT if no_result else found.get("office:string-value", text)


def _time(written: str) -> Cell:
    """Return a time of day; a duration of a day or more stays as written."""
    found = _TIME.fullmatch(written)
    if not found or int(found[1]) >= _HOURS_A_DAY:
        return written
    return dt.time(int(found[1]), int(found[2]), int(found[3]), int((found[4] or "").ljust(6, "0")))


def _count(found: Mapping[str, str], name: str) -> int:
    text = found.get(name, "1")
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise DamagedError
    return int(text)
