"""Where the names of a table's columns stand, and which column holds the phone numbers.

As a rule in the first row. Titles may stand above them ("Export of 5 January"), or there may be none at all; both are
taken only where nothing else can be meant, since a row that is wrongly taken as a heading would lose a number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bulk_remove.adapters.reader.dialect import TITLE_ROWS, Cut, best
from bulk_remove.adapters.reader.table import (
    ReadOptions,
    choose,
    choose_beside,
    choose_campaign,
    choose_code,
    own_report,
)
from bulk_remove.core.columns import ChosenColumn, is_report_header, is_whole_number, may_be_header
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

_DATE = re.compile(r"\s*(\d{4}[-./]\d{2}[-./]\d{2}|\d{2}[-./]\d{2}[-./]\d{4})\s*")
_POSITION = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Heading:
    """The names of the columns and the row in which they stand: 0 when there are none and they are made up.

    `width` is the most cells of a row among the first ones; `campaign` is the index of the campaigns' column, `code`
    that of country or area codes, `beside` are those of the other columns that are read.
    """

    delimiter: str
    row: int
    names: tuple[str, ...]
    column: ChosenColumn
    campaign: int | None
    width: int
    notes: tuple[str, ...] = ()
    code: int | None = None
    beside: tuple[int, ...] = ()


def check_is_list(path: str, cut: Cut, options: ReadOptions) -> None:
    """Raise OwnReportError when a row among the first ones is the header of a report of this tool.

    Its numbers were removed already, perhaps from another campaign.
    """
    if not options.own_report and any(is_report_header(cells) for _, cells in cut.rows[:TITLE_ROWS]):
        raise own_report(path)


def find_heading(name: str, cuts: Sequence[Cut], options: ReadOptions) -> Heading:
    """Return the heading of the table called `name`, cut in each way that it may be; a sheet is cut in one.

    Raises InputError, which begins with `name`, when no phone column is certain.
    """
    cut, first = best([(cut, cut.rows[0][0]) for cut in cuts])
    if options.has_header is False:
        return _without(name, cut, options)
    try:
        return _at(name, cut, first, options)
    except InputError:
        if options.has_header is None:
            if _numbers_alone(cut, options):
                return _without(name, cut, options)
            if below := _below_titles(name, cuts, options):
                return below
        raise


def _at(name: str, cut: Cut, number: int, options: ReadOptions) -> Heading:
    names, samples = cut.at(number), cut.below(number)
    column = choose(name, names, samples, options)
    campaign = choose_campaign(name, names, samples, options, column.index)
    code = choose_code(name, names, samples, options, column.index)
    width = max(len(cells) for _, cells in cut.rows)
    beside = choose_beside(name, names, samples, options, {column.index, campaign, code})
    return Heading(cut.delimiter, number, names, column, campaign, width, column.notes, code, beside)


def _without(name: str, cut: Cut, options: ReadOptions) -> Heading:
    """Make up the names of the columns of a file without any. Raises InputError unless it is plain which one counts."""
    samples = tuple(cells for _, cells in cut.rows)
    only = _only_column(cut)
    names = tuple(f"column {place}" for place in range(1, (only or len(samples[0])) + 1))
    wanted = options.column or (str(only) if only else "")
    if not _POSITION.fullmatch(wanted):
        raise InputError(
            phrase("{name} has no names of columns, so the phone column has to be named by its position.", name=name),
            "Count from 1, for example --no-header --column 2.",
        )
    column = choose(name, names, samples, replace(options, column=wanted))
    if options.column is None:
        column = replace(column, reason="the only column")
    campaign = choose_campaign(name, names, samples, options, column.index)
    found = () if options.has_header is False else ("The first row is a phone number: there is no header.",)
    code = choose_code(name, names, samples, options, column.index)
    beside = choose_beside(name, names, samples, options, {column.index, campaign, code})
    width = max(map(len, samples))
    return Heading(cut.delimiter, 0, names, column, campaign, width, (*found, *column.notes), code, beside)


def _numbers_alone(cut: Cut, options: ReadOptions) -> bool:
    """Whether one column alone is filled, and all that was looked at, from the first row on, are phone numbers."""
    only = _only_column(cut)
    if not only or options.column not in {None, str(only)}:
        return False
    return all(is_whole_number(cells[only - 1]) for _, cells in cut.rows)


def _only_column(cut: Cut) -> int:
    """Return the position, counted from 1, of the only column with text in it; 0 when there are more."""
    filled = {tuple(place for place, cell in enumerate(cells, start=1) if cell.strip()) for _, cells in cut.rows}
    places = next(iter(filled)) if len(filled) == 1 else ()
    return places[0] if len(places) == 1 else 0


def _below_titles(name: str, cuts: Sequence[Cut], options: ReadOptions) -> Heading | None:
    """Look for a row further down that certainly names a phone column, below nothing but titles."""
    numbers = sorted({number for cut in cuts for number, _ in cut.rows[:TITLE_ROWS]})
    for above, number in pairwise(numbers):
        if any(not _is_title(cut.at(above), options) for cut in cuts):
            if above > numbers[0]:
                _say_what_is_wrong(name, cuts, above, options)
            return None
        found = [(cut, number) for cut in cuts if _below(name, cut, number, options)]
        if found:
            cut, _ = best(found)
            note = phrase(
                "The names of the columns stand in row {number}; what stands above it was not read as rows.",
                number=number,
            )
            heading = _at(name, cut, number, options)
            return replace(heading, notes=(note, *heading.notes))
    return None


def _say_what_is_wrong(name: str, cuts: Sequence[Cut], number: int, options: ReadOptions) -> None:
    """Raise the InputError of a row below titles that is a heading, but an uncertain one."""
    if headings := [(cut, number) for cut in cuts if may_be_header(cut.at(number), options.column)]:
        cut, _ = best(headings)
        _at(phrase("{name}, row {number}", name=name, number=number), cut, number, options)


def _is_title(cells: Sequence[str], options: ReadOptions) -> bool:
    """Whether a row can be left out: it neither names the column nor holds what may be a number to remove."""
    return not may_be_header(cells, options.column) and not any(map(_may_be_number, cells))


def _below(name: str, cut: Cut, number: int, options: ReadOptions) -> Heading | None:
    """Return the heading in that row if it is certain there: named, without numbers, fuller than what is above it."""
    names = cut.at(number)
    if not may_be_header(names, options.column) or any(map(_may_be_number, names)):
        return None
    filled = _filled(names)
    if filled > 1 and any(_filled(cells) >= filled for row, cells in cut.rows if row < number):
        return None
    try:
        return _at(name, cut, number, options)
    except InputError:
        return None


def _may_be_number(cell: str) -> bool:
    return is_whole_number(cell) and not _DATE.fullmatch(cell)


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)
