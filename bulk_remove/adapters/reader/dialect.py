"""How a CSV file is written: its delimiter and its first rows."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bulk_remove.adapters.reader.table import SAMPLE_ROWS
from bulk_remove.adapters.reader.text import TextFile
from bulk_remove.errors import InputError, UsageError
from bulk_remove.language import phrase

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
