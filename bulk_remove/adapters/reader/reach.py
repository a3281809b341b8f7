"""How far the cells of an .xlsx sheet reach, measured exactly for the sheets that are not plainly small.

calamine sets up a place for every cell between the first and the last one that holds something: two cells in opposite
corners of a sheet would take all memory there is.
"""

import re
from collections.abc import Callable, Iterable

from bulk_remove.adapters.reader.damage import damaged, too_large
from bulk_remove.adapters.reader.parsing import parse
from bulk_remove.adapters.reader.scan_xlsx import cut_point
from bulk_remove.language import phrase

MOST_CELLS = 1_048_576 * 40
"""How many cells a sheet may span: all of Excel's rows in 40 columns, which take calamine a gigabyte."""
_CELL = rb'<(?:[a-z]{1,8}:)?c r="'
_ODD_CELL = re.compile(
    rb"<(?:[^\s<>/:]*+:)?+c(?=[\s/>])"
    rb'(?! r="[A-Z]{1,3}[0-9]{1,7}"(?: (?:s|t|cm|vm|ph)="[^"<>]*")*+ ?/?>)'
)
_FILLED_CELL = re.compile(_CELL + rb'([A-Z]+)([0-9]+)"[^>]*(?<!/)>(?!</)')
_POSITION = re.compile(r"([A-Za-z]{1,4})([0-9]{1,9})")
_ROW = re.compile(r"([A-Za-z]{0,4})([0-9]{1,9})")


class Reach:
    """The rectangle around the cells seen so far. Raises InputError when it grows too large."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._ends: tuple[int, int, int, int] | None = None

    def add(self, top: int, bottom: int, left: int, right: int) -> None:
        """Widen it to take in a rectangle, its last row and column included."""
        if self._ends:
            first, last, leftmost, rightmost = self._ends
            top, bottom = min(top, first), max(bottom, last)
            left, right = min(left, leftmost), max(right, rightmost)
        self._ends = (top, bottom, left, right)
        height, width = bottom - top + 1, right - left + 1
        if height * width > MOST_CELLS:
            raise too_large(
                self._path,
                phrase(
                    "has a sheet whose cells lie too far apart to be held: {height} rows by {width} columns",
                    height=height,
                    width=width,
                ),
            )


def check_reach(path: str, pieces: Callable[[], Iterable[bytes]]) -> None:
    """Measure a sheet. `pieces` gives its content from the start each time that it is called.

    Raises InputError when its cells reach too far, or it is not well-formed XML.
    """
    if not _measured_as_text(Reach(path), pieces()):
        _measure_parsed(path, pieces())


def _measured_as_text(reach: Reach, pieces: Iterable[bytes]) -> bool:
    """Measure cells that are written as usual; return False at one that is not."""
    tail = b""
    for piece in pieces:
        whole = tail + piece
        cut = cut_point(whole)
        tail = whole[cut:]
        if not _add_text(reach, whole[:cut]):
            return False
    return _add_text(reach, tail)


def _add_text(reach: Reach, text: bytes) -> bool:
    if b"\0" in text or _ODD_CELL.search(text):
        return False
    if found := _FILLED_CELL.findall(text):
        rows = {int(row) for _, row in found}
        columns = {column_index(letters.decode()) for letters in {letters for letters, _ in found}}
        reach.add(min(rows), max(rows), min(columns), max(columns))
    return True


def column_index(letters: str) -> int:
    """Return the column's index from 0: `A` is 0, `AA` is 26."""
    column = 0
    for letter in letters.upper():
        column = 26 * column + ord(letter) - ord("A") + 1
    return column - 1


def _measure_parsed(path: str, pieces: Iterable[bytes]) -> None:
    places = _Places(path)
    parse(path, pieces, places.start, places.end)


class _Places:
    """Follows calamine's rules for where a cell stands: where its `r` says, else next to the one before."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._reach = Reach(path)
        self._row = self._column = 0
        self._at = (0, 0)
        self._in_cell = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "row" and "r" in attributes:
            self._row = self._matched(_ROW, attributes["r"])[0]
        elif name == "c":
            self._at = (self._row, self._column)
            if "r" in attributes:
                self._at = self._matched(_POSITION, attributes["r"])
            self._column = self._at[1] + 1
            self._in_cell = True
        elif self._in_cell and name in {"v", "is"}:
            row, column = self._at
            self._reach.add(row, row, column, column)

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "row":
            self._row, self._column = self._row + 1, 0
        elif name == "c":
            self._in_cell = False

    def _matched(self, form: re.Pattern[str], reference: str) -> tuple[int, int]:
        found = form.fullmatch(reference)
        if not found or not int(found[2]):
            raise damaged(self._path)
        return int(found[2]) - 1, column_index(found[1])
