"""Turns a workbook's cells into text. A cell that is not a phone number must not look like one.

All readers of workbooks return a row as its number, whether it is hidden, and its cells. They run in a separate
process; its requests and answers are defined here, too.
"""

import datetime as dt
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from bulk_remove.core.cell_formats import CellFormat, cell_format
from bulk_remove.core.spelling import NO_STORED_RESULT

Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


class Unread(NamedTuple):
    """A cell without a value: `text` is its error, such as #N/A, or says that it is a formula without a result."""

    text: str


class Odd(NamedTuple):
    """A cell for which the spreadsheet shows something other than its value, perhaps nothing."""

    value: Value
    shown: str


Cell = Value | Odd | Unread
Row = tuple[int, bool, Sequence[Cell]]
"""The row's number as a spreadsheet shows it, whether it is hidden or has no height, and its cells."""


class Area(NamedTuple):
    """A merged rectangle of cells, whose first cell is visible; rows are counted from 1, columns from 0."""

    top: int
    bottom: int
    left: int
    right: int


class Layout:
    """What a reader found in a sheet besides its rows. Columns are counted from 0."""

    def __init__(self) -> None:
        self.hidden_columns: list[range] = []
        self.merged: list[Area] = []


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of any kind of workbook; `read` and `first` are for its own methods."""

    name: str
    hidden: bool
    read: Callable[[Sequence[int] | None, Layout], Iterator[Row]]
    first: Sequence[Row] | None = None  # the first rows, if known from opening the workbook

    def rows(self, columns: Sequence[int] | None, layout: Layout) -> Iterator[Row]:
        """Yield the rows that are not blank with the cells of these columns (None: all); fill in the layout."""
        return self.read(columns, layout)

    def first_rows(self, count: int) -> Sequence[Row]:
        """Return the first rows that are not blank, with all their cells."""
        return [*islice(self.read(None, Layout()), count)] if self.first is None else self.first[:count]


NO_RESULT = Unread(NO_STORED_RESULT)
_UNKNOWN_ERROR = "#ERROR!"
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
MOST_ROWS, MOST_COLUMNS = 1 << 20, 1 << 14  # the limits of spreadsheet programs
_EXACT_BELOW = 1e15  # Excel keeps 15 digits; a longer number is not the one that was typed
_CAMPAIGN_DIGITS = 5  # as Thulium writes them: 00001
_GENERAL = cell_format("General")
_OVERFLOWING = "#"
_DAYS_1904 = 1462
_FIRST_DAY = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet has no time zones
_LAST_DAY = 2_958_466
_NO_29_FEBRUARY = 60  # Excel's calendar has one in 1900, so its earlier days are off by one


FRAME = struct.Struct(">I")  # the header of each answer of the process that reads a workbook: its length in bytes


class GivenWorkbook(NamedTuple):
    """A workbook for another process: its name for messages, its suffix and size, and the limits on reading it."""

    path: str
    kind: str
    size_bytes: int
    sampled_rows: int
    most_bytes: int
    most_seconds: int


class WantedCells(NamedTuple):
    """A request for all rows of a sheet below the row `header_row`; without `keep`, only these columns are read."""

    sheet: int
    header_row: int
    column: int
    campaign: int | None
    code: int | None
    beside: Sequence[int]
    keep: bool
    block_rows: int


class DamagedError(Exception):
    """A workbook does not follow the format of its kind."""


class ProtectedError(Exception):
    """A workbook is encrypted."""


@dataclass(frozen=True, slots=True)
class Formats:
    """The cell formats of a workbook by style, and whether its days are counted from 1904."""

    by_style: Sequence[CellFormat] = ()
    from_1904: bool = False

    def number(self, value: float, style: int) -> Cell:
        """Return the cell of a number."""
        form = self._of(style)
        digits = form.plain_digits
        if digits == 1 or (digits is not None and value >= 10 ** (digits - 1)):
            return value
        if kind := form.moment(value):
            return _moment(value, kind, self.from_1904)
        shown = form.shown(value)
        return value if shown is None else Odd(value, shown)

    def text(self, value: str, style: int) -> Cell:
        """Return the cell of a text."""
        form = self._of(style)
        shown = None if form.is_plain_for_text else form.shown(value)
        return value if shown is None else Odd(value, shown)

    def are_plain(self, style: int) -> bool:
        """Whether all whole numbers and texts with a style are shown unchanged."""
        form = self._of(style)
        return form.plain_digits == 1 and form.is_plain_for_text

    def _of(self, style: int) -> CellFormat:
        return self.by_style[style] if 0 <= style < len(self.by_style) else _GENERAL


@lru_cache(maxsize=1 << 12)
def _moment(days: float, kind: str, from_1904: bool) -> Cell:
    """Return a date, a time of day, both or a duration; any other number overflows its cell."""
    if kind == "elapsed" and abs(days) < _LAST_DAY:
        return dt.timedelta(seconds=round(days * 86400, 3))
    since = days + (_DAYS_1904 if from_1904 else days < _NO_29_FEBRUARY)
    if not 0 <= days <= since < _LAST_DAY:
        return Odd(days, _OVERFLOWING)
    if days < 1:
        return (_FIRST_DAY + dt.timedelta(seconds=round(days * 86400, 3))).time()
    moment = _FIRST_DAY + dt.timedelta(milliseconds=round(since * 86_400_000))
    return moment.date() if days == days // 1 else moment


def written_date(text: str) -> Value:
    """Return a date or time as written in a file; text in an unknown form is at least marked as a date."""
    for kind in (dt.datetime,) if "T" in text else (dt.date, dt.time):
        with suppress(ValueError):
            return kind.fromisoformat(text)
    return f"date {text}"


def error_cell(written: str | int) -> Unread:
    """Return the cell of an error, by its text or, in a file of records, by its code."""
    text = _ERRORS.get(written, "") if isinstance(written, int) else written.strip()
    return Unread(text if text.startswith(("#", "Err:")) else _UNKNOWN_ERROR)


def is_blank(cells: Iterable[Cell]) -> bool:
    """Whether a row has only white space."""
    return all(isinstance(cell, str) and not cell.strip() for cell in cells)


def picked(cells: Sequence[Cell], columns: Sequence[int] | None) -> Sequence[Cell]:
    """Return the cells of these columns (None: all)."""
    return cells if columns is None else [cells[each] if each < len(cells) else "" for each in columns]


def value_of(cell: Cell) -> Value:
    """Return the value of a cell, whatever is shown."""
    return cell.text if isinstance(cell, Unread) else cell.value if isinstance(cell, Odd) else cell


def phone_text(cell: Cell) -> str:
    """Return a cell's text for a phone column; a cell that is not a phone number cannot look like one."""
    value = value_of(cell)
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        return f"{type(value).__name__} {cell_text(value)}"
    return cell_text(value)


def phone_texts(cells: Iterable[Cell]) -> list[str]:
    """Return `phone_text` of each cell; text and whole numbers, the usual cells, need no call."""
    return [
        cell
        if type(cell) is str
        else str(whole)
        if type(cell) is float and -_EXACT_BELOW < cell < _EXACT_BELOW and (whole := int(cell)) == cell
        else phone_text(cell)
        for cell in cells
    ]


def campaign_text(cell: Cell) -> str:
    """Return a cell's text for a column of campaigns; a number gets back the leading zeros that a spreadsheet drops."""
    value = value_of(cell)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 and value == value // 1:
        return cell_text(value).zfill(_CAMPAIGN_DIGITS)
    return cell_text(value)


def cell_text(cell: Cell) -> str:
    """Return a cell's text for the report: whole numbers without a decimal point, dates with the year first."""
    value = value_of(cell)
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return _number_text(value)
    return value if isinstance(value, str) else str(value)


def _number_text(value: float) -> str:
    if not abs(value) < _EXACT_BELOW:  # also false for NaN
        return f"{value:.15e}"
    return str(int(value)) if value == int(value) else repr(value)
