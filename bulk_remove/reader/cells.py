"""What the readers of workbooks share: cells and their text, the parts of a zip archive, and XML parsed by events.

A cell that is not a phone number must not look like one. All readers return a row as its number, whether it is hidden,
and its cells. They run in a separate process; its requests and answers are defined here, too.

Only the requested parts of an archive are inflated, and never to more than their directory says. zipfile compares their
checksums, so a flipped bit cannot change a number.
"""

import datetime as dt
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from bulk_remove.core.cell_formats import CellFormat, cell_format
from bulk_remove.core.spelling import NO_STORED_RESULT
from bulk_remove.errors import InputError

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
    """A sheet of any kind of workbook.

    `rows` yields the rows that are not blank with the cells of these columns (None: all), and fills in the layout.
    """

    name: str
    hidden: bool
    rows: Callable[[Sequence[int] | None, Layout], Iterator[Row]]
    first: Sequence[Row] | None = None  # the first rows, if known from opening the workbook

    def first_rows(self, count: int) -> Sequence[Row]:
        """Return the first rows that are not blank, with all their cells."""
        return [*islice(self.rows(None, Layout()), count)] if self.first is None else self.first[:count]


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


_READ_BYTES = 1 << 18  # fits into a processor's cache, and is searched a fifth faster than a megabyte
_MOST_BYTES = 2 << 30
_ALWAYS_BYTES = 64 << 20
_MOST_TIMES = 200
"""How far a workbook may expand: to 200 times its size, or to 64 MiB. A list of numbers shrinks to a tenth,
blank cells with a style to a fiftieth; deflate reaches 1,032."""
_MOST_INDEX_BYTES = 16 << 20
_ENCRYPTED = 1  # APPNOTE 4.4.4: bit 0 of the flags
_DEEPEST = 256
_MAC_FOLDER = "__macosx/"  # macOS adds it beside each file that it packs
_ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError)


class SheetPlace(NamedTuple):
    """A sheet in the workbook's list of sheets, and the part that holds it."""

    name: str
    hidden: bool
    part: str


class Package:
    """The parts of a zip archive by their names in small letters. Raises DamagedError if the archive is damaged."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path = path
        self._most_bytes = most_expanded_bytes(file.seek(0, 2))
        try:
            self._archive = zipfile.ZipFile(file)
        except _ZIP_DAMAGE:
            raise DamagedError from None
        parts = [(_folded(part.filename), part) for part in self._archive.infolist()]
        parts = [(name, part) for name, part in parts if not name.startswith(_MAC_FOLDER)]
        self._parts = dict(parts)
        if len(self._parts) < len(parts):  # programs disagree on which of two equal names to read
            raise DamagedError
        if any(part.flag_bits & _ENCRYPTED for part in self._parts.values()):
            raise ProtectedError

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def ending_with(self, ending: str) -> str:
        """Return the name of the first part with this ending, empty if there is none."""
        return next((name for name in self._parts if name.endswith(ending)), "")

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a part in pieces. Raises InputError if it would expand too far."""
        try:
            part = self._parts[name]
            self._check_size(part, self._most_bytes)
            with self._archive.open(part) as content:
                while piece := content.read(_READ_BYTES):
                    yield piece
        except (KeyError, *_ZIP_DAMAGE):
            raise DamagedError from None

    def content(self, name: str) -> bytes:
        """Return the whole content of a part, nothing if there is no such part."""
        return b"".join(self.pieces(name)) if name in self._parts else b""

    def index(self, name: str) -> bytes:
        """Return the whole content of a part that is small in every workbook."""
        if name in self._parts:
            self._check_size(self._parts[name], _MOST_INDEX_BYTES)
        return self.content(name)

    def sheets(self, workbook: str, sheets_of: Callable[[bytes], Iterable[SheetPlace]]) -> list[SheetPlace]:
        """Return the sheets that can hold rows, in order."""
        targets = self.targets(workbook, "/worksheet")
        found = sheets_of(self.index(workbook))
        return [SheetPlace(name, hidden, targets[link]) for name, hidden, link in found if link in targets]

    def targets(self, workbook: str, kind: str) -> dict[str, str]:
        """Return, by relationship, the parts to which the workbook's own part refers with this kind."""
        folder, _, own = workbook.rpartition("/")
        return {
            found["Id"]: _folded(posixpath.normpath(posixpath.join("/", folder, found["Target"])))[1:]
            for tag, found in elements(self.index(f"{folder}/_rels/{own}.rels".lstrip("/")))
            if tag == "Relationship" and {"Id", "Target"} <= set(found) and found.get("Type", "").endswith(kind)
        }

    def _check_size(self, part: zipfile.ZipInfo, most_bytes: int) -> None:
        if part.file_size > most_bytes:
            raise expands_too_far(self.path, most_bytes)


def most_expanded_bytes(size_bytes: int) -> int:
    """Return how many bytes may come out of a workbook of that size, or out of one of its parts."""
    return min(_MOST_BYTES, max(_ALWAYS_BYTES, _MOST_TIMES * size_bytes))


def expands_too_far(path: str, most_bytes: int) -> InputError:
    """Return the error for a workbook that expands to more than that."""
    return InputError(
        "{path} would expand to more than {size} MB; a list of numbers does not.",
        "Delete all other sheets and columns, or save the sheet with the numbers as CSV.",
        path=path,
        size=most_bytes >> 20,
    )


class Events:
    """XML parsed by events; names of elements come without their prefixes. Missing handlers are skipped."""

    def __init__(
        self,
        start: Callable[[str, Mapping[str, str]], object],
        end: Callable[[str], object] | None = None,
        text: Callable[[str], object] | None = None,
    ) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._started
        self._parser.EndElementHandler = self._ended
        self._parser.CharacterDataHandler = text
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._start, self._end = start, end
        self._depth = 0

    def _started(self, name: str, found: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise DamagedError
        self._start(name.rpartition(":")[2], found)

    def _ended(self, name: str) -> None:
        self._depth -= 1
        if self._end:
            self._end(name.rpartition(":")[2])

    def add(self, piece: bytes, *, last: bool = False) -> None:
        """Parse the next piece. Raises DamagedError if it is not well-formed XML, or MemoryError."""
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            if error.code == _NO_MEMORY:
                raise MemoryError from None
            raise DamagedError from None
        except (LookupError, ValueError):  # an encoding unknown to Python
            raise DamagedError from None


_NO_MEMORY = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]


def elements(text: bytes) -> list[tuple[str, Mapping[str, str]]]:
    """Return the elements of a small XML text, without their prefixes, and their attributes."""
    found: list[tuple[str, Mapping[str, str]]] = []
    if text:
        Events(lambda tag, attributes: found.append((tag, attributes))).add(text, last=True)
    return found


def _refuse_doctype(*_: object) -> None:
    raise DamagedError


def _folded(name: str) -> str:
    return name.replace("\\", "/").casefold()
