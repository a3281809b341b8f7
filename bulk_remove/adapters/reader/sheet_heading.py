"""Where the names of a sheet's columns stand, and which column holds the phone numbers.

As a rule in the first row that is not blank. Titles may stand above ("Export of 5 January"), or there may be no names
at all; both are taken only where nothing else can be meant, since a row wrongly taken as a heading loses a number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bulk_remove.adapters.reader.table import SAMPLE_ROWS, ReadOptions, choose, choose_campaign
from bulk_remove.core.columns import ChosenColumn, is_whole_number, may_be_header
from bulk_remove.errors import InputError

TITLE_ROWS = 20
"""Among how many first rows, blank ones left out, the names of the columns are looked for."""
_POSITION = re.compile(r"[1-9][0-9]{0,4}")

NumberedRow = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Heading:
    """The names of the columns and the row in which they stand: 0 when there are none and they are made up."""

    row: int
    names: tuple[str, ...]
    column: ChosenColumn
    campaign: int | None
    notes: tuple[str, ...] = ()


def find_heading(place: str, rows: Sequence[NumberedRow], options: ReadOptions) -> Heading:
    """Return the heading of a sheet whose first rows these are, blank ones left out.

    Raises InputError, which begins with `place`, when no phone column is certain.
    """
    if options.has_header is False:
        return _without(place, rows, options)
    try:
        return _at(place, rows, 0, options)
    except InputError:
        if options.has_header is None:
            if _numbers_alone(rows, options):
                return _without(place, rows, options)
            if below := _below_titles(place, rows, options):
                return below
        raise


def _at(place: str, rows: Sequence[NumberedRow], index: int, options: ReadOptions) -> Heading:
    number, names = rows[index]
    samples = [cells for _, cells in rows[index + 1 : index + 1 + SAMPLE_ROWS]]
    column = choose(place, names, samples, options)
    return Heading(number, names, column, choose_campaign(place, names, samples, options, column.index))


def _without(place: str, rows: Sequence[NumberedRow], options: ReadOptions) -> Heading:
    """Make up the names of the columns. Raises InputError unless it is plain which one counts."""
    samples = [cells for _, cells in rows]
    names = tuple(f"column {position}" for position in range(1, len(samples[0]) + 1))
    wanted = options.column or (str(_filled(samples[0])[0]) if _numbers_alone(rows, options) else "")
    if not _POSITION.fullmatch(wanted):
        raise InputError(
            f"{place} has no names of columns, so the phone column has to be named by its position.",
            "Count from 1, for example --no-header --column 2.",
        )
    column = choose(place, names, samples, replace(options, column=wanted))
    if options.column is None:
        column = ChosenColumn(column.index, "the only column")
    campaign = choose_campaign(place, names, samples, options, column.index)
    found = () if options.has_header is False else ("The first row is a phone number: the sheet has no header.",)
    return Heading(0, names, column, campaign, found)


def _numbers_alone(rows: Sequence[NumberedRow], options: ReadOptions) -> bool:
    """Whether one column alone is filled, and all that was looked at, from the first row on, are phone numbers."""
    filled = {tuple(_filled(cells)) for _, cells in rows}
    if len(filled) > 1 or len(first := next(iter(filled))) != 1:
        return False
    return options.column in {None, str(first[0])} and all(is_whole_number(cells[first[0] - 1]) for _, cells in rows)


def _below_titles(place: str, rows: Sequence[NumberedRow], options: ReadOptions) -> Heading | None:
    """Look for a row further down that certainly names a phone column, below nothing but titles."""
    widest = 0
    for index in range(1, min(TITLE_ROWS, len(rows))):
        above, names = rows[index - 1][1], rows[index][1]
        if may_be_header(above, options.column) or any(map(is_whole_number, above)):
            return None
        widest = max(widest, len(_filled(above)))
        if not may_be_header(names, options.column) or 1 < len(_filled(names)) <= widest:
            continue
        try:
            found = _at(place, rows, index, options)
        except InputError:
            continue
        note = f"The names of the columns stand in row {found.row}; what stands above it was not read as rows."
        return replace(found, notes=(note,))
    return None


def _filled(cells: Sequence[str]) -> list[int]:
    """Return the positions, counted from 1, of the cells that are not blank."""
    return [position for position, cell in enumerate(cells, start=1) if cell.strip()]
