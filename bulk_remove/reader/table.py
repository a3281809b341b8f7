"""Finds the row with the column names and the column with the phone numbers, and yields the rows as blocks.

The names are usually in the first row. Titles may come before them ("Export of 5 January"), or there may be no names.
Both are accepted only if nothing else is possible: a row that is wrongly taken as a heading would lose a number.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from shlex import quote
from types import MappingProxyType
from typing import Any, Protocol

from bulk_remove.core.columns import (
    ChosenColumn,
    choose_column,
    find_campaign_column,
    find_condition_column,
    fold,
    is_title,
    is_whole_number,
    made_up_name,
    may_be_header,
    names_phones,
    says_keep,
)
from bulk_remove.core.conditions import (
    Condition,
    find_code_column,
    names_campaigns,
    names_countries,
    telling_columns,
)
from bulk_remove.core.model import RowBlock, Source, harmless
from bulk_remove.errors import InputError, OwnReportError, UsageError
from bulk_remove.language import ours, phrase
from bulk_remove.reader.source import PIPED, LookedOver
from bulk_remove.reader.text import TextFile

SAMPLE_ROWS = 200  # rows that are read to choose the column
TITLE_ROWS = 20  # the first rows, without blank ones, in which the names of the columns are sought


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file; None means to detect it. Columns and sheets are given by name or by position from 1."""

    column: str | None = None
    keep_columns: bool = False  # keep all cells, not only the phone cells
    block_rows: int = 5000
    campaign_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    has_header: bool | None = None
    trust_column: bool = False  # accept a phone column that looks like something else
    code_column: bool = True  # look for a column of country or area codes
    where: tuple[Condition, ...] = ()
    region: str = "PL"
    spool_dir: Path | None = None  # where temporary files go, None for the platform's default
    own_report: bool = False  # the file must be a report of this tool
    to_keep: bool = False  # the numbers in the file must stay


class Table(Protocol):
    """A file that was read once, and whose phone column is certain."""

    @property
    def source(self) -> Source:
        """The table and its phone column."""

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows that are not blank. Each call reads the file again. Raises InputError if the file changed."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The first rows of the file, divided by one delimiter: each with its number, without blank rows."""

    delimiter: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def at(self, number: int) -> tuple[str, ...]:
        """Return the row with that number, empty if there is none."""
        return next((cells for row, cells in self.rows if row == number), ())

    def below(self, number: int) -> tuple[tuple[str, ...], ...]:
        """Return up to SAMPLE_ROWS rows after the row with that number."""
        return tuple(cells for row, cells in self.rows if row > number)[:SAMPLE_ROWS]


@dataclass(frozen=True, slots=True)
class Heading:
    """The names of the columns, their row (0: they are made up), and the columns to read."""

    cut: Cut
    row: int
    names: tuple[str, ...]
    column: ChosenColumn
    campaign: int | None
    code: int | None
    beside: tuple[int, ...]  # those of conditions, and those that may say which rows are meant
    notes: tuple[str, ...] = ()

    def source(
        self,
        looked_over: LookedOver,
        notes: Iterable[str],
        *,
        sheet: str = "",
        encoding: str = "",
        header: tuple[str, ...] | None = None,
    ) -> Source:
        """Return the table below this heading; the notes follow those about unpacking the file."""
        return Source(
            looked_over.file,
            sheet,
            header or self.names,
            self.column.index,
            self.column.reason,
            encoding,
            self.cut.delimiter,
            looked_over.sha256,
            looked_over.fingerprint.size_bytes,
            self.row,
            self.campaign,
            self.code,
            (*(looked_over.aside.notes if looked_over.aside else ()), *notes),
            self.beside,
        )


def own_report(path: str) -> OwnReportError:
    """Return the error for a report of this tool that was given as a list; `path` is as the user gave it."""
    piped = path == PIPED
    return OwnReportError(
        "{name} is a report of this tool, not a list of numbers.",
        "Ask again for what it left open with: bulk-remove rerun {path}",
        name=phrase("Standard input") if piped else harmless(path),
        path="report.csv" if piped else quote(harmless(path)),
    )


def not_a_report(name: str, missing: str) -> InputError:
    """Return the error for a file that should be a report but is not; `missing` names a column that it needs."""
    return InputError(
        "{file} is not a report. Missing columns: {missing}.",
        "Give a report.csv of an earlier run, or the run's id; a list of numbers is for: bulk-remove run",
        file=name,
        missing=missing,
    )


_HEADER_AGAIN = "The header again, in the middle of the rows."
_ANOTHER_NAME = "The name of another column: perhaps the header again, in another order."
_TABLES_APART = "Put each table into a file of its own, or bring the columns of both into one order."
_COMPARED_BYTES = 32
_WORDS = re.compile(r"\D*")


def block_of(
    source: Source,
    rows: Sequence[int],
    columns: dict[int, Any],
    others: Sequence[tuple[str, ...]] = (),
    problems: Mapping[int, str] = MappingProxyType({}),
    shown: Mapping[int, str] = MappingProxyType({}),
    beside_phones: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> RowBlock:
    """Return rows as a block, with the headers and titles of further tables in it.

    `columns` has the known cells by column; `beside_phones` is a column that matters only for titles. Raises InputError
    for another table's header.
    """
    phones = columns.get(source.column, ())
    odd = _OddRows(source, rows, columns, {**problems})
    again = {name for name in source.header if name.strip()} if source.header_row else set()
    again |= {f"\ufeff{name}" for name in again}
    if not again.isdisjoint(phones):
        names = [_name_key(name) for name in source.header]
        found = {index: odd.header_again(index, names) for index, cell in enumerate(phones) if cell in again}
        odd.problems.update((index, problem) for index, problem in found.items() if problem)
    ends = [cell[-1:] for cell in phones]
    unlike: Sequence[int] = ()  # the rows whose phone cell does not end with a digit; in most blocks there is none
    if "" in ends or not ((joined := "".join(ends)).isdigit() and joined.isascii()):
        unlike = [index for index, end in enumerate(ends) if not "0" <= end <= "9"]
    odd.check_one_table(phones, unlike)
    campaigns = () if source.campaign_column is None else columns[source.campaign_column]
    codes = () if source.code_column is None else columns[source.code_column]
    beside = [columns[place] for place in source.beside]
    columns.update(beside_phones)
    titles = odd.titles(phones, unlike)
    return RowBlock(source, rows, phones, others, campaigns, odd.problems, codes, shown, beside, titles)


@dataclass(frozen=True, slots=True)
class _OddRows:
    """A block of rows, in which headers and titles of further tables are sought."""

    source: Source
    rows: Sequence[int]
    columns: Mapping[int, Any]
    problems: dict[int, str]  # by index, why rows are not sent

    def header_again(self, index: int, names: Sequence[bytes]) -> str:
        """Return why a row whose phone cell is a column's name is not sent; empty if only that cell is such a name."""
        known = {place: key for place, cells in self.columns.items() if (key := _name_key(cells[index]))}
        if all(names[place] == key for place, key in known.items()):
            return _HEADER_AGAIN
        again = sum(key in names for key in known.values())
        if again > 1 and 2 * again > len(known):
            raise self._of_another_table("{name}: row {row} is a header, too, but in another order.", index)
        return "" if known[self.source.column] == names[self.source.column] else _ANOTHER_NAME

    def _of_another_table(self, sentence: str, index: int) -> InputError:
        return InputError(sentence, _TABLES_APART, name=harmless(self.source.file), row=self.rows[index])

    def check_one_table(self, phones: Sequence[str], unlike: Sequence[int]) -> None:
        """Raise InputError if a row of words names a phone column at another position than the first header does."""
        own = fold(self.source.header[self.source.column])
        words = [index for index in unlike if phones[index] and _WORDS.fullmatch(phones[index])]
        words = [index for index in words if not (phones[index].isspace() or _names_phones(phones[index], own))]
        for place, cells in self.columns.items() if words else ():
            named = [index for index in words if place != self.source.column and _names_phones(cells[index], own)]
            if not named:
                continue
            # A column in which ordinary rows say the same, such as how to reach a person, is not a column of phones.
            ordinary = {_folded(cell) for index, cell in enumerate(cells) if phones[index] and index not in {*words}}
            for index in named:
                others = [text for each in self.columns.values() if (text := _text(each[index])) and not text.isspace()]
                values = [any(map(str.isdigit, text)) and not any(map(str.isalpha, text)) for text in others]
                if _folded(cells[index]) not in ordinary and not any(values):
                    raise self._of_another_table(
                        "{name}: row {row} is the header of another table, with the phone numbers in another column.",
                        index,
                    )

    def titles(self, phones: Sequence[str], unlike: Sequence[int]) -> dict[int, str]:
        """Return by index the only text of a row that says that numbers stay, or comes before a repeated header.

        Text that ordinary rows have as well, such as an answer, is not a title.
        """
        first = self.columns.get(0, phones)
        above = {index - 1 for index, problem in self.problems.items() if index and problem == _HEADER_AGAIN}
        titles = {}
        for index in sorted({*unlike, *above}):
            phone = phones[index]
            cell = phone if phone and not phone.isspace() else first[index]
            if not (index in above or _says_keep(cell)) or self.problems.get(index) in {_HEADER_AGAIN, _ANOTHER_NAME}:
                continue
            filled = [cells[index] for cells in self.columns.values() if cells[index] and not cells[index].isspace()]
            if len(filled) == 1 and cell in filled and is_title(title := _text(cell).strip()):
                titles[index] = title
        if not titles:
            return {}
        with_number = {index for index, phone in enumerate(phones) if any(map(str.isdigit, phone))} - titles.keys()
        ordinary = {_folded(first[index]) for index in with_number}
        return {index: title for index, title in titles.items() if _folded(title) not in ordinary}


def _name_key(text: str | bytes) -> bytes:
    """Return the part of a cell, perhaps only its beginning, that is compared with a column's name."""
    whole = text if isinstance(text, bytes) else text.encode(errors="replace")
    return whole.removeprefix(codecs.BOM_UTF8)[:_COMPARED_BYTES].strip()  # of an appended second file


def _text(cell: str | bytes) -> str:
    return cell if isinstance(cell, str) else cell.decode(errors="ignore")


@lru_cache(maxsize=1 << 12)
def _folded(cell: str | bytes) -> str:
    return fold(_text(cell)[:_COMPARED_BYTES])


def _names_phones(cell: str | bytes, own: str) -> bool:
    name = _folded(cell)
    return name != "" and (name == own or names_phones(name))


@lru_cache(maxsize=1 << 12)
def _says_keep(cell: str | bytes) -> bool:
    return says_keep(_text(cell))


_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_CHARACTERS = 1 << 16


def is_blank(cells: Iterable[str]) -> bool:
    """Whether a row has only white space."""
    text = "".join(cells)
    return not text or text.isspace()


def first_rows(text: TextFile, delimiter: str | None) -> list[Cut]:
    """Divide the first rows by the delimiter, or by each possible one if it is None."""
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise UsageError("The delimiter is not one ASCII character.", "Name one character, for example ';'.")
    with text.characters() as characters:
        start = characters.read(_SAMPLE_CHARACTERS)
    known = delimiter or text.separator
    cuts = [_cut(start, delimiter) for delimiter in ((known,) if known else _DELIMITERS)]
    if not all(cut.rows for cut in cuts):
        raise InputError(
            "{name} holds no text.",
            "Put a row with the names of the columns on top, then the numbers.",
            name=text.looked_over.name,
        )
    return cuts


def best(headings: Sequence[tuple[Cut, int]]) -> tuple[Cut, int]:
    """Return the delimiter that divides the heading, and most rows below, into the most cells."""
    if max(len(cut.at(number)) for cut, number in headings) == 1:
        # No delimiter divides the heading. A row that one divides is not sent: as one cell, it could hide a second
        # number.
        return max(headings, key=lambda each: max(map(len, each[0].below(each[1])), default=1))

    def rank(heading: tuple[Cut, int]) -> tuple[int, int]:
        cut, number = heading
        width = len(cut.at(number))
        return width, [*map(len, cut.below(number))].count(width)

    return max(headings, key=rank)


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
        pass  # a quote that is never closed; check_quotes reports its line
    if len(start) == _SAMPLE_CHARACTERS and 1 < len(rows) <= SAMPLE_ROWS + TITLE_ROWS:
        rows.pop()  # it may continue after the sample
    return Cut(delimiter, tuple(rows))


_DATE = re.compile(r"\s*(\d{4}[-./]\d{2}[-./]\d{2}|\d{2}[-./]\d{2}[-./]\d{4})\s*")
_POSITION = re.compile(r"[1-9][0-9]{0,4}")


def find_heading(name: str, cuts: Sequence[Cut], options: ReadOptions) -> Heading:
    """Return the heading of the table called `name`, divided in each possible way; a sheet has only one."""
    cut, first = best([(cut, cut.rows[0][0]) for cut in cuts])
    if options.has_header is False:
        return _without(name, cut, options)
    try:
        return _at(name, cut, first, options)
    except InputError:
        if options.has_header is None:
            only = _only_column(cut)
            if only and options.column in {None, str(only)} and all(is_whole_number(c[only - 1]) for _, c in cut.rows):
                return _without(name, cut, options)
            if below := _below_titles(name, cuts, options):
                return below
        raise


def _without(name: str, cut: Cut, options: ReadOptions) -> Heading:
    """Make up the names of the columns of a file without any. Raises InputError if the phone column is uncertain."""
    only = _only_column(cut)
    wanted = options.column or (str(only) if only else "")
    if not _POSITION.fullmatch(wanted):
        raise InputError(
            "{name} has no names of columns, so the phone column has to be named by its position.",
            "Count from 1, for example --no-header --column 2.",
            name=name,
        )
    names = tuple(made_up_name(place) for place in range(1, (only or len(cut.rows[0][1])) + 1))
    found = _at(name, cut, 0, replace(options, column=wanted), names)
    if options.column is None:
        found = replace(found, column=replace(found.column, reason="the only column"))
    if options.has_header is None:
        found = replace(found, notes=("The first row is a phone number: there is no header.", *found.notes))
    return found


def _at(place: str, cut: Cut, number: int, options: ReadOptions, made_up: tuple[str, ...] = ()) -> Heading:
    """Choose the columns by the names in that row and the rows below it; an InputError begins with `place`."""
    names, samples = made_up or cut.at(number), cut.below(number)
    if options.own_report and fold(str(options.column)) not in map(fold, names):
        raise not_a_report(place, str(options.column))
    try:
        column = choose_column(names, samples, options.column, trust=options.trust_column, region=options.region)
        phone, campaign, code = column.index, None, None
        if options.campaign_column is not None:
            campaign = find_campaign_column(names, samples, options.campaign_column, phone)
        if options.code_column:
            code = find_code_column(names, samples, phone, options.region, trust=options.trust_column)
        beside = [find_condition_column(names, samples, each.column) for each in options.where]
    except InputError as error:
        raise InputError("{place}: {problem}", error.hint, place=place, problem=ours(error.sentence)) from None
    if not options.own_report:
        others = {phone, campaign, code}
        named = [index for index, name in enumerate(names) if names_campaigns(name) or names_countries(name)]
        beside += [index for index in named if index not in others]
        beside += telling_columns(names, samples, others)
    return Heading(cut, number, names, column, campaign, code, tuple(dict.fromkeys(beside)), column.notes)


def _only_column(cut: Cut) -> int:
    """Return the position, counted from 1, of the only column with text; 0 if there are more."""
    filled = {tuple(place for place, cell in enumerate(cells, start=1) if cell.strip()) for _, cells in cut.rows}
    places = next(iter(filled)) if len(filled) == 1 else ()
    return places[0] if len(places) == 1 else 0


def _below_titles(name: str, cuts: Sequence[Cut], options: ReadOptions) -> Heading | None:
    """Look for a later row that certainly names a phone column, with only titles before it."""
    numbers = sorted({number for cut in cuts for number, _ in cut.rows[:TITLE_ROWS]})
    for above, number in pairwise(numbers):
        # A title neither names the column nor contains a possible number to remove.
        named = [(cut, above) for cut in cuts if may_be_header(cut.at(above), options.column)]
        if named or any(map(_may_be_number, (cell for cut in cuts for cell in cut.at(above)))):
            if named and above > numbers[0]:  # an uncertain heading: the error says what is wrong with it
                _at(phrase("{name}, row {number}", name=name, number=above), best(named)[0], above, options)
            return None
        found = [(cut, number) for cut in cuts if _is_certain(name, cut, number, options)]
        if found:
            heading = _at(name, best(found)[0], number, options)
            note = phrase(
                "The column names are in row {number}; the rows above it were skipped.",
                number=number,
            )
            return replace(heading, notes=(note, *heading.notes))
    return None


def _is_certain(name: str, cut: Cut, number: int, options: ReadOptions) -> bool:
    """Return whether that row is certainly the heading: named, without numbers, fuller than the rows above it."""
    names = cut.at(number)
    if not may_be_header(names, options.column) or any(map(_may_be_number, names)):
        return False
    filled = _filled(names)
    if filled > 1 and any(_filled(cells) >= filled for row, cells in cut.rows if row < number):
        return False
    try:
        _at(name, cut, number, options)
    except InputError:
        return False
    return True


def _may_be_number(cell: str) -> bool:
    return is_whole_number(cell) and not _DATE.fullmatch(cell)


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)
