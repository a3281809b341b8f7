"""How a CSV file is written: its delimiter, its header, and whether its quotes are closed."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bulk_remove.adapters.reader.table import SAMPLE_ROWS
from bulk_remove.errors import InputError

_DELIMITERS = (",", ";", "\t")
_SAMPLE_CHARACTERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the file is written, from its first lines.

    `header_row` is the number of the row with the names, 1 unless blank rows stand above it; `samples` are the first
    rows under it, at most SAMPLE_ROWS, none of them blank.
    """

    delimiter: str
    header_row: int
    header: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]

    @property
    def width(self) -> int:
        """The most cells of a row among the header and the samples."""
        return max(map(len, (self.header, *self.samples)))


def is_blank(cells: Iterable[str]) -> bool:
    """Whether a row holds nothing but white space."""
    return not any(cell and not cell.isspace() for cell in cells)


def find_dialect(path: str, file: BinaryIO) -> Dialect:
    """Choose the delimiter that cuts the header into the most cells, then the most samples into as many.

    Under a header of one cell it is the one that cuts some sample into the most: such a row is refused later, whereas
    taken as one cell it could hide a second number.

    Raises InputError when there is no header at all.
    """
    with _as_text(file) as text:
        start = text.read(_SAMPLE_CHARACTERS)
    found = [_cut(start, delimiter) for delimiter in _DELIMITERS]
    if not all(dialect.header for dialect in found):
        raise InputError(f"{path} holds no text.", "Put a row with the names of the columns on top, then the numbers.")
    if max(len(dialect.header) for dialect in found) == 1:
        return max(found, key=lambda dialect: dialect.width)
    return max(found, key=lambda dialect: (len(dialect.header), _consistent(dialect)))


def _as_text(file: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _cut(start: str, delimiter: str) -> Dialect:
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(start, newline=""), delimiter=delimiter)
    try:
        for number, cells in enumerate(reader, start=1):
            if not is_blank(cells):
                rows.append((number, cells))
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a quote that is never closed; check_quotes says where
    number, header = rows[0] if rows else (1, [])
    return Dialect(delimiter, number, tuple(header), tuple(tuple(cells) for _, cells in rows[1:]))


def _consistent(dialect: Dialect) -> int:
    return sum(len(cells) == len(dialect.header) for cells in dialect.samples)


def check_quotes(path: str, file: BinaryIO, delimiter: str) -> None:
    """Raise InputError where a quote is not closed, or closed in the middle of a cell.

    pandas reads on until the next quote, wherever that is: whole rows would end up inside a cell, and be lost.
    """
    with _as_text(file) as text:
        lines = _QuotedLines(text)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for _ in reader:
                lines.record_ended()
        except csv.Error:
            raise InputError(
                f"{path}: the quotes of row {lines.row} are not balanced.",
                'Write a quote inside a quoted cell twice (""), and close every quote.',
            ) from None


class _QuotedLines(Iterator[str]):
    """The lines that belong to a record with a quote. The others are only counted, which is ten times as fast."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._inside = False
        self.row = 0

    def __next__(self) -> str:
        for line in self._lines:
            if not self._inside:
                self.row += 1
            if self._inside or '"' in line:
                self._inside = True
                return line
        raise StopIteration

    def record_ended(self) -> None:
        self._inside = False
