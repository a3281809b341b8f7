"""What every kind of file is read as.

Where the names of a table's columns stand, and which column holds the phone numbers.

As a rule in the first row. Titles may stand above them ("Export of 5 January"), or there may be none at all; both are
taken only where nothing else can be meant, since a row that is wrongly taken as a heading would lose a number.

How a CSV file is written: its delimiter and its first rows.
"""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any, Protocol

from bulk_remove.core.code_column import Beside, find_code_column, names_countries
from bulk_remove.core.columns import (
    ChosenColumn,
    choose_column,
    find_campaign_column,
    find_condition_column,
    fold,
    is_report_header,
    is_title,
    is_whole_number,
    made_up_name,
    may_be_header,
    names_phones,
    says_keep,
)
from bulk_remove.core.conditions import Condition, names_campaigns, telling_columns
from bulk_remove.core.model import RowBlock, Source, harmless
from bulk_remove.errors import InputError, OwnReportError, UsageError
from bulk_remove.language import ours, phrase
from bulk_remove.reader.source import STANDARD_INPUT
from bulk_remove.reader.text import TextFile

SAMPLE_ROWS = 200  # how many rows are looked at to choose the column


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read; what is None is found out."""

    column: str | None = None
    keep_columns: bool = False
    block_rows: int = 5000
    campaign_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    has_header: bool | None = None
    trust_column: bool = False
    code_column: bool = True
    where: tuple[Condition, ...] = ()
    region: str = "PL"
    spool_dir: Path | None = None
    own_report: bool = False
    to_keep: bool = False


class Table(Protocol):
    """A file that was looked over, and whose phone column is certain."""

    @property
    def source(self) -> Source:
        """What is read."""

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows in order; a row whose cells are all blank is none, but it counts in the numbering."""


def choose(place: str, header: Sequence[str], samples: Sequence[Sequence[str]], options: ReadOptions) -> ChosenColumn:
    """Choose the phone column; the InputError of a table where none is certain begins with `place`."""
    if options.own_report and fold(str(options.column)) not in map(fold, header):
        raise not_a_report(place, str(options.column))
    try:
        return choose_column(header, samples, options.column, trust=options.trust_column, region=options.region)
    except InputError as error:
        raise InputError(phrase("{place}: {problem}", place=place, problem=ours(error.sentence)), error.hint) from None


def choose_campaign(
    place: str, header: Sequence[str], samples: Sequence[Sequence[str]], options: ReadOptions, phone: int
) -> int | None:
    """Return the index of the column of the campaigns, None without one; `phone` is that of the phone numbers."""
    if options.campaign_column is None:
        return None
    try:
        return find_campaign_column(header, samples, options.campaign_column, phone)
    except InputError as error:
        raise InputError(phrase("{place}: {problem}", place=place, problem=ours(error.sentence)), error.hint) from None


def choose_code(
    place: str, header: Sequence[str], samples: Sequence[Sequence[str]], options: ReadOptions, phone: int
) -> int | None:
    """Return the index of the column of country or area codes, None without one."""
    if not options.code_column:
        return None
    try:
        return find_code_column(header, samples, Beside(phone, options.region, options.trust_column))
    except InputError as error:
        raise InputError(phrase("{place}: {problem}", place=place, problem=ours(error.sentence)), error.hint) from None


def choose_beside(
    place: str,
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    options: ReadOptions,
    others: Collection[int | None],
) -> tuple[int, ...]:
    """Return the indexes of other columns to read: of conditions, campaigns, countries, and which rows are meant."""
    try:
        asked = [find_condition_column(header, samples, each.column) for each in options.where]
    except InputError as error:
        raise InputError(phrase("{place}: {problem}", place=place, problem=ours(error.sentence)), error.hint) from None
    if options.own_report:
        return tuple(dict.fromkeys(asked))
    named = [index for index, name in enumerate(header) if names_campaigns(name) or names_countries(name)]
    told = telling_columns(header, samples, others)
    return tuple(dict.fromkeys([*asked, *(index for index in named if index not in others), *told]))


def own_report(path: str) -> OwnReportError:
    """Return the error of a report of this tool that is given as a list; `path` is as the user gave it."""
    piped = path == STANDARD_INPUT
    return OwnReportError(
        "{name} is a report of this tool, not a list of numbers.",
        "Ask again for what it left open with: bulk-remove rerun {path}",
        name=phrase("Standard input") if piped else harmless(path),
        path="report.csv" if piped else quote(harmless(path)),
    )


def not_a_report(name: str, missing: str) -> InputError:
    """Return the error of a file that is given as a report and is none; `missing` names the columns it needs."""
    return InputError(
        "{file} is not a report: it has no column {missing}.",
        "Give a report.csv of an earlier run, or the run's id; a list of numbers is for: bulk-remove run",
        file=name,
        missing=missing,
    )


_HEADER_AGAIN = "The header again, in the middle of the rows."
_ANOTHER_NAME = "The name of another column: perhaps the header again, in another order."
_TABLES_APART = "Put each table into a file of its own, or bring the columns of both into one order."
_COMPARED_BYTES = 32
_WORDS = re.compile(r"\D*")


def _name_key(text: str | bytes) -> bytes:
    """Return of a cell, perhaps only its beginning, what is compared with a column's name."""
    whole = text if isinstance(text, bytes) else text.encode(errors="replace")
    return whole.removeprefix(codecs.BOM_UTF8)[:_COMPARED_BYTES].strip()  # of a second file behind the first one


def headers_again(source: Source, rows: Sequence[int], columns: Mapping[int, Any]) -> dict[int, str]:
    """Return, by its index, why a row whose phone cell is the name of a column must not be sent."""
    problems = _headers_again(source, rows, columns)
    _check_one_table(source, rows, columns)
    return problems


def _headers_again(source: Source, rows: Sequence[int], columns: Mapping[int, Any]) -> dict[int, str]:
    phones = columns.get(source.column, ())
    again = {name for name in source.header if name.strip()} if source.header_row else set()
    again |= {f"\ufeff{name}" for name in again}
    if again.isdisjoint(phones):
        return {}
    names = [_name_key(name) for name in source.header]
    problems = {}
    for index, cell in enumerate(phones):
        if cell in again:
            known = {place: key for place, cells in columns.items() if (key := _name_key(cells[index]))}
            problems[index] = _header_again(source, rows[index], names, known)
    return {index: problem for index, problem in problems.items() if problem}


def _check_one_table(source: Source, rows: Sequence[int], columns: Mapping[int, Any]) -> None:
    """Raise InputError when a row names a phone column in another place than the first header does."""
    phones = columns.get(source.column, ())
    # Most cells end with a digit: to compare is cheaper than to ask each.
    words = [i for i, cell in enumerate(phones) if cell and not "0" <= cell[-1:] <= "9" and _WORDS.fullmatch(cell)]
    own = fold(source.header[source.column])
    words = [index for index in words if not (phones[index].isspace() or _names_phones(phones[index], own))]
    if not words:
        return
    for place, cells in columns.items():
        named = [] if place == source.column else [index for index in words if _names_phones(cells[index], own)]
        if not named:
            continue
        ordinary = {_folded(cell) for index, cell in enumerate(cells) if phones[index] and index not in {*words}}
        for index in named:
            others = [text for each in columns.values() if (text := _text(each[index])) and not text.isspace()]
            if _folded(cells[index]) not in ordinary and not any(map(_is_value, others)):
                raise InputError(
                    "{name}: row {row} is the header of another table, with the phone numbers in another column.",
                    _TABLES_APART,
                    name=harmless(source.file),
                    row=rows[index],
                )


def _is_value(text: str) -> bool:
    return any(map(str.isdigit, text)) and not any(map(str.isalpha, text))


def _text(cell: str | bytes) -> str:
    return cell if isinstance(cell, str) else cell.decode(errors="ignore")


@lru_cache(maxsize=1 << 12)
def _folded(cell: str | bytes) -> str:
    return fold(_text(cell)[:_COMPARED_BYTES])


def _names_phones(cell: str | bytes, own: str) -> bool:
    name = _folded(cell)
    return name != "" and (name == own or names_phones(name))


def titles_of(source: Source, columns: Mapping[int, Any], problems: Mapping[int, str]) -> dict[int, str]:
    """Return, by index, what looks like the title of another table in the middle of the rows."""
    phones = columns.get(source.column, ())
    first = columns.get(0, phones)
    above = {index - 1 for index, problem in problems.items() if problem == _HEADER_AGAIN}
    titles = {}
    for index, phone in enumerate(phones):
        if "0" <= phone[-1:] <= "9" and index not in above:  # as a rule
            continue
        cell = phone if phone and not phone.isspace() else first[index]
        if not (index in above or _says_keep(cell)) or problems.get(index) in {_HEADER_AGAIN, _ANOTHER_NAME}:
            continue
        filled = [cells[index] for cells in columns.values() if cells[index] and not cells[index].isspace()]
        if len(filled) == 1 and cell in filled and is_title(title := _text(cell).strip()):
            titles[index] = title
    if not titles:
        return {}
    with_number = {index for index, phone in enumerate(phones) if any(map(str.isdigit, phone))} - titles.keys()
    ordinary = {_folded(first[index]) for index in with_number}
    return {index: title for index, title in titles.items() if _folded(title) not in ordinary}


@lru_cache(maxsize=1 << 12)
def _says_keep(cell: str | bytes) -> bool:
    return says_keep(_text(cell))


def _header_again(source: Source, row: int, names: Sequence[bytes], known: Mapping[int, bytes]) -> str:
    """Return why a row with these cells is not sent; empty where it is only its phone cell. Raises InputError."""
    if all(names[place] == key for place, key in known.items()):
        return _HEADER_AGAIN
    again = sum(key in names for key in known.values())
    if again > 1 and 2 * again > len(known):
        raise InputError(
            "{name}: row {row} is a header, too, but in another order.",
            _TABLES_APART,
            name=harmless(source.file),
            row=row,
        )
    return "" if known[source.column] == names[source.column] else _ANOTHER_NAME


def no_rows(path: str) -> InputError:
    """Return the error of a file without any row under its header."""
    return InputError(
        "{path} has no rows under its header.", "Check that the export that wrote it has ended well.", path=path
    )


TITLE_ROWS = 20  # among how many first rows, blank ones left out, the names of the columns are looked for
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
    """Cut the first rows by the delimiter, or by each that there may be when that is None."""
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise UsageError("The delimiter is not one ASCII character.", "Name one character, for example ';'.")
    with text.characters() as characters:
        start = characters.read(_SAMPLE_CHARACTERS)
    known = delimiter or text.separator
    cuts = [_cut(start, delimiter) for delimiter in ((known,) if known else _DELIMITERS)]
    if not all(cut.rows for cut in cuts):
        raise InputError(
            "{name} holds no text.", "Put a row with the names of the columns on top, then the numbers.", name=text.name
        )
    return cuts


def best(headings: Sequence[tuple[Cut, int]]) -> tuple[Cut, int]:
    """Choose among delimiters, each with the number of the row that would be the heading."""
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


_DATE = re.compile(r"\s*(\d{4}[-./]\d{2}[-./]\d{2}|\d{2}[-./]\d{2}[-./]\d{4})\s*")
_POSITION = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Heading:
    """The names of the columns and the row in which they stand: 0 when there are none and they are made up."""

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
    """Raise OwnReportError when a row among the first ones is the header of a report of this tool."""
    if not options.own_report and any(is_report_header(cells) for _, cells in cut.rows[:TITLE_ROWS]):
        raise own_report(path)


def find_heading(name: str, cuts: Sequence[Cut], options: ReadOptions) -> Heading:
    """Return the heading of the table called `name`, cut in each way that it may be; a sheet is cut in one."""
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
    names = tuple(made_up_name(place) for place in range(1, (only or len(samples[0])) + 1))
    wanted = options.column or (str(only) if only else "")
    if not _POSITION.fullmatch(wanted):
        raise InputError(
            "{name} has no names of columns, so the phone column has to be named by its position.",
            "Count from 1, for example --no-header --column 2.",
            name=name,
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
