"""How a CSV file is written: its delimiter, its first rows, and whether its quotes are closed."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bulk_remove.adapters.reader.files import LookedOver
from bulk_remove.adapters.reader.table import SAMPLE_ROWS
from bulk_remove.adapters.reader.text import TextFile
from bulk_remove.errors import InputError, UsageError
from bulk_remove.language import counted, phrase

TITLE_ROWS = 20
"""Among how many first rows, blank ones left out, the names of the columns are looked for."""
_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_CHARACTERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Cut:
    """The first rows of the file, cut by one delimiter: each with its number, blank ones left out."""

    delimiter: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def at(self, number: int) -> tuple[str, ...]:
        """Return the row with that number, empty when there is none."""
        return next((cells for row, cells in self.rows if row == number), ())

    def below(self, number: int) -> tuple[tuple[str, ...], ...]:
        """Return up to SAMPLE_ROWS rows that follow the row with that number."""
        return tuple(cells for row, cells in self.rows if row > number)[:SAMPLE_ROWS]

    def consistent(self, number: int) -> int:
        """Count the rows below that have as many cells as the row with that number."""
        width = len(self.at(number))
        return sum(len(cells) == width for cells in self.below(number))

    def width(self, number: int) -> int:
        """Return the most cells of that row and those below it."""
        return max(map(len, (self.at(number), *self.below(number))))


def is_blank(cells: Iterable[str]) -> bool:
    """Whether a row holds nothing but white space."""
    text = "".join(cells)
    return not text or text.isspace()


def first_rows(text: TextFile, delimiter: str | None) -> list[Cut]:
    """Cut the first rows by the delimiter, or by each that there may be when that is None.

    Raises InputError when there is no text at all, UsageError for a delimiter that cannot be one.
    """
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise UsageError("The delimiter is not one ASCII character.", "Name one character, for example ';'.")
    with text.characters() as characters:
        start = characters.read(_SAMPLE_CHARACTERS)
    known = delimiter or text.separator
    cuts = [_cut(start, delimiter) for delimiter in ((known,) if known else _DELIMITERS)]
    if not all(cut.rows for cut in cuts):
        raise InputError(
            phrase("{name} holds no text.", name=text.name),
            "Put a row with the names of the columns on top, then the numbers.",
        )
    return cuts


def best(headings: Sequence[tuple[Cut, int]]) -> tuple[Cut, int]:
    """Choose among delimiters, each with the number of the row that would be the heading.

    It is the one that cuts the heading into the most cells, then the most rows below it into as many. Where none cuts
    the heading, it is the one that cuts some row below into the most: such a row is not sent then, whereas taken as
    one cell it could hide a second number.
    """
    if max(len(cut.at(number)) for cut, number in headings) == 1:
        return max(headings, key=lambda heading: heading[0].width(heading[1]))
    return max(headings, key=lambda heading: (len(heading[0].at(heading[1])), heading[0].consistent(heading[1])))


def _cut(start: str, delimiter: str) -> Cut:
    rows: list[tuple[int, tuple[str, ...]]] = []
    reader = csv.reader(io.StringIO(start, newline=""), delimiter=delimiter)
    try:
        for number, cells in enumerate(reader, start=1):
            if not is_blank(cells):
                rows.append((number, tuple(cells)))
            if len(rows) > SAMPLE_ROWS + TITLE_ROWS:
                break
    except csv.Error:
        pass  # a quote that is never closed; check_quotes says where
    if len(start) == _SAMPLE_CHARACTERS and 1 < len(rows) <= SAMPLE_ROWS + TITLE_ROWS:
        rows.pop()  # it may go on past the sample
    return Cut(delimiter, tuple(rows))


class ShortRows:
    """Counts the rows with fewer cells than the header, which pandas fills up with empty ones.

    `phone` is the index of the phone column, `header_row` the row of the names of the columns.
    """

    def __init__(self, delimiter: str, width: int, phone: int, header_row: int) -> None:
        self._delimiter = delimiter
        self._width = width
        self._phone = phone
        self._header_row = header_row
        self._ended, self._shorter = (0, 0), (0, 0)  # how many rows, and the first of them

    def may_be_in(self, looked_over: LookedOver) -> bool:
        """Tell whether the delimiters of a file without quotes are too few for its lines."""
        lines = looked_over.signs["\n"] + looked_over.ends_open
        return looked_over.signs.get(self._delimiter, 0) < lines * (self._width - 1)

    def add_line(self, row: int, line: str) -> None:
        """Add a row without quotes."""
        cells = line.count(self._delimiter) + 1
        if cells < self._width and not line.isspace():
            self._add(row, cells)

    def add_record(self, row: int, cells: Sequence[str]) -> None:
        """Add a row with quotes."""
        if len(cells) < self._width and not is_blank(cells):
            self._add(row, len(cells))

    def _add(self, row: int, cells: int) -> None:
        if row <= self._header_row:
            return
        if cells <= self._phone:
            self._ended = self._ended[0] + 1, self._ended[1] or row
        else:
            self._shorter = self._shorter[0] + 1, self._shorter[1] or row

    def notes(self) -> Iterator[str]:
        """Yield a sentence on the rows without a phone cell, and on those whose phone cell may have shifted."""
        count, first = self._ended
        if count:
            yield counted(
                count,
                "{count:,} row ends before its phone cell (row {first}); that is read as empty.",
                "{count:,} rows end before their phone cells (the first is row {first}); these are read as empty.",
                first=first,
            )
        count, first = self._shorter
        if count and self._phone:
            yield counted(
                count,
                "{count:,} row has fewer cells than the header (row {first}): if one in front is missing, "
                "its phone cell has shifted.",
                "{count:,} rows have fewer cells than the header (the first is row {first}): if one in front is "
                "missing, their phone cells have shifted.",
                first=first,
            )


def check_quotes(text: TextFile, delimiter: str, shorter: ShortRows | None = None) -> None:
    """Raise InputError where a quote is not closed, or closed in the middle of a cell; find shorter rows on the way.

    pandas reads on until the next quote, wherever that is: whole rows would end up inside a cell, and be lost.
    """
    with text.characters() as characters:
        lines = _QuotedLines(characters, shorter)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                lines.record_ended()
                if shorter:
                    shorter.add_record(lines.row, cells)
        except csv.Error:
            raise InputError(
                phrase("{name}: the quotes of row {row} are not balanced.", name=text.name, row=lines.row),
                'Write a quote inside a quoted cell twice (""), and close every quote.',
            ) from None


class _QuotedLines(Iterator[str]):
    """The lines that belong to a record with a quote. The others are only counted, which is ten times as fast."""

    def __init__(self, lines: Iterable[str], shorter: ShortRows | None) -> None:
        self._lines = iter(lines)
        self._shorter = shorter
        self._inside = False
        self.row = 0

    def __next__(self) -> str:
        for line in self._lines:
            if not self._inside:
                self.row += 1
            if self._inside or '"' in line:
                self._inside = True
                return line
            if self._shorter:
                self._shorter.add_line(self.row, line)
        raise StopIteration

    def record_ended(self) -> None:
        self._inside = False
