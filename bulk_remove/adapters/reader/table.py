"""What every kind of file is read as."""

import codecs
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shlex import quote
from typing import Any, Protocol

from bulk_remove.adapters.reader.files import STANDARD_INPUT
from bulk_remove.core.campaigns import names_campaigns
from bulk_remove.core.code_column import Beside, find_code_column, names_countries
from bulk_remove.core.columns import (
    ChosenColumn,
    choose_column,
    find_campaign_column,
    find_condition_column,
    fold,
    names_phones,
)
from bulk_remove.core.conditions import Condition, telling_columns
from bulk_remove.core.model import RowBlock, Source, harmless
from bulk_remove.errors import InputError, OwnReportError
from bulk_remove.language import ours, phrase

SAMPLE_ROWS = 200
"""How many rows are looked at to choose the column."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read; what is None is found out.

    `column` and `campaign_column` are names or positions from 1; without the latter a file has one campaign.
    `keep_columns` keeps all cells, not the phone's alone. `encoding` is a name that Python knows, `delimiter` one
    character, `sheet` a name or a position from 1. `has_header` says whether the first row holds the names of the
    columns. `trust_column` takes a phone column that looks like something else, `code_column` looks for one with
    country or area codes. `where` are conditions on other columns. `region` is the country of numbers without a country
    code. `spool_dir` is where what can be read only once is set aside, None for the platform's place. `own_report`
    takes a report of this tool.
    """

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


class Table(Protocol):
    """A file that was looked over, and whose phone column is certain."""

    @property
    def source(self) -> Source:
        """What is read."""

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows in order; a row whose cells are all blank is none, but it counts in the numbering.

        Can be called again, and then reads again. Raises InputError when the file is not well formed after all,
        or is no longer the one that was opened.
        """


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
    """Return the index of the column of the campaigns, None without one; `phone` is that of the phone numbers.

    Raises InputError, which begins with `place`, when it is not there.
    """
    if options.campaign_column is None:
        return None
    try:
        return find_campaign_column(header, samples, options.campaign_column, phone)
    except InputError as error:
        raise InputError(phrase("{place}: {problem}", place=place, problem=ours(error.sentence)), error.hint) from None


def choose_code(
    place: str, header: Sequence[str], samples: Sequence[Sequence[str]], options: ReadOptions, phone: int
) -> int | None:
    """Return the index of the column of country or area codes, None without one; `phone` is that of the phone numbers.

    Raises InputError, which begins with `place`, when there are two.
    """
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
    """Return the columns, by index, of the conditions, of campaigns and countries, and that say which rows are meant.

    `others` are the columns with a meaning of their own. Raises InputError, which begins with `place`, when the column
    of a condition is not there.
    """
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
        phrase(
            "{name} is a report of this tool, not a list of numbers.",
            name=phrase("Standard input") if piped else harmless(path),
        ),
        phrase(
            "Ask again for what it left open with: bulk-remove rerun {path}",
            path="report.csv" if piped else quote(harmless(path)),
        ),
    )


def not_a_report(name: str, missing: str) -> InputError:
    """Return the error of a file that is given as a report and is none; `missing` names the columns it needs."""
    return InputError(
        phrase("{file} is not a report: it has no column {missing}.", file=name, missing=missing),
        "Give a report.csv of an earlier run, or the run's id; a list of numbers is for: bulk-remove run",
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
    """Return, by its index, why a row whose phone cell is the name of a column must not be sent.

    `columns` are the cells that are known, as sequences by column, perhaps only their beginnings. Raises InputError
    when the names stand in a row in another order: below it, nothing is where the first header says.
    """
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
    """Raise InputError when a row names a phone column in another place than the first header does.

    It has words only. A column in which ordinary rows say the same, such as how somebody is reached, is none.
    """
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
                    phrase(
                        "{name}: row {row} is the header of another table, with the phone numbers in another column.",
                        name=harmless(source.file),
                        row=rows[index],
                    ),
                    _TABLES_APART,
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


def _header_again(source: Source, row: int, names: Sequence[bytes], known: Mapping[int, bytes]) -> str:
    """Return why a row with these cells is not sent; empty where it is only its phone cell. Raises InputError."""
    if all(names[place] == key for place, key in known.items()):
        return _HEADER_AGAIN
    again = sum(key in names for key in known.values())
    if again > 1 and 2 * again > len(known):
        raise InputError(
            phrase("{name}: row {row} is a header, too, but in another order.", name=harmless(source.file), row=row),
            _TABLES_APART,
        )
    return "" if known[source.column] == names[source.column] else _ANOTHER_NAME


def no_rows(path: str) -> InputError:
    """Return the error of a file without any row under its header."""
    return InputError(
        phrase("{path} has no rows under its header.", path=path), "Check that the export that wrote it has ended well."
    )
