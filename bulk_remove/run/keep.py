"""Numbers that must never be removed: the `--keep` lists, compared with the input by the number, whatever its form.

They are read before all else and need eight bytes of memory a number. Where it is not certain which number a cell of
such a list means, the run stops: it may be the very one that must stay.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from bulk_remove.adapters.distinct import NumberSet
from bulk_remove.adapters.reader import ReadOptions, open_table
from bulk_remove.adapters.reader import Table as ReadTable
from bulk_remove.core.columns import phone_columns
from bulk_remove.core.model import NumberedBlock, NumberFormat, Source, harmless
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.plan import KeepList
from bulk_remove.core.regions import region_of
from bulk_remove.core.spelling import EMPTY
from bulk_remove.errors import InputError
from bulk_remove.language import ours, phrase
from bulk_remove.run.intake import Intake
from bulk_remove.settings import Settings

_SAMPLE_CELLS = 200
"""So many cells of each block are looked at in each other column, from its first row to its last."""
_DIGIT = re.compile(r"\d")
_ONE_COLUMN = "A --keep list is read without such options: leave one column in it, with whole phone numbers."
_NOTHING_ELSE = "Leave one sheet and one column in it, with a whole phone number in each row."
_NO_DOUBT = re.compile(
    r"archive\sholds\sone|first\sline,\s'sep=|text\sis\snot\sUTF-8|first\srow\sis\sa\sphone|names\sof\sthe\scolumns\sstand|"
    r"phone\scolumn\sis\shidden|read\slike\sthe\sothers|numbers\scount\sup"  # as a company's own lines do
)
"""What is said of an input of which all is read all the same. Whatever else is said leaves a doubt."""


@dataclass(frozen=True, slots=True)
class KeepLists:
    """The lists, and all their numbers by the digits from the country code on; internal numbers as they are."""

    lists: tuple[KeepList, ...] = ()
    numbers: NumberSet = field(default_factory=lambda: NumberSet([]))

    def under(self, rules: NumberRules) -> Callable[[Sequence[str]], Sequence[int]]:
        """Return what finds the places of kept numbers, empty texts apart, among some that were read by these rules.

        What may be a kept number is taken for one: digits that are a number with a country code and without.
        """
        if not self.lists:
            return lambda _numbers: ()
        code = region_of(rules.region).country_code
        certain = Normaliser(rules).country_code_and_number

        def is_kept(number: str) -> bool:
            digits = certain(number)
            meanings = [digits] if digits else [number, code + number.lstrip("+"), code + number.lstrip("+0")]
            return any(int(meaning) in self.numbers for meaning in meanings)

        return lambda numbers: [at for at in self.numbers.places(numbers, code) if is_kept(numbers[at])]


def read_keep_lists(settings: Settings, spool_dir: Path) -> KeepLists:
    """Read the lists that the settings name. Raises InputError, also for a cell that is not certainly one number."""
    if not settings.keep:
        return KeepLists()
    # In this format every number is written from its country code on.
    reads = replace(settings, number_format=NumberFormat.DIGITS, also_try=(), split_cells=True, keep=())
    reading = ReadOptions(keep_columns=True, region=settings.region, spool_dir=spool_dir)
    tables = [_opened(file, reading) for file in settings.keep]
    return KeepLists(*_read(tables, reads))


def _opened(file: str, reading: ReadOptions) -> ReadTable:
    try:
        table = open_table(file, reading)
    except InputError as error:
        if "--" not in error.hint:
            raise
        # The options are those of the input, which may have other columns.
        raise InputError(error.sentence, _ONE_COLUMN) from None
    doubt = next((note for note in table.source.notes if not _NO_DOUBT.search(note)), None)
    if doubt is not None:
        raise InputError(
            phrase(
                "The --keep list {file} may hold more numbers than can be read: {doubt}",
                file=harmless(table.source.file),
                doubt=ours(doubt),
            ),
            _NOTHING_ELSE,
        )
    return table


def _read(tables: Sequence[ReadTable], settings: Settings) -> tuple[tuple[KeepList, ...], NumberSet]:
    lists: list[KeepList] = []

    def numbers() -> Iterator[list[str]]:
        for table in tables:
            source = table.source
            count = yield from _numbers_of(table, settings)
            if not count:
                raise InputError(
                    phrase("The --keep list {file} holds no number.", file=harmless(source.file)),
                    "Check that the export that wrote it has ended well, or leave it out.",
                )
            lists.append(
                KeepList(f"{source.file}!{source.sheet}" if source.sheet else source.file, source.sha256, count)
            )

    held = NumberSet(numbers())
    return tuple(lists), held


def _numbers_of(table: ReadTable, settings: Settings) -> Generator[list[str], None, int]:
    """Yield the numbers of a table, block by block, and return how many there are.

    Raises InputError for the first cell that is not certainly one, and for another column of phone numbers.
    """
    count, rules = 0, settings.rules
    while True:
        intake, doubt, before = Intake(settings, rules), None, rules
        for block in table.blocks():
            # A row with a problem stops the run by that.
            others = [cells for index, cells in enumerate(block.others) if index not in block.problems]
            _check_other_columns(table.source, others, settings.region)
            numbered, _ = intake.numbered(block)
            doubt = doubt or _first_doubt(table.source, numbered)
            numbers = [*filter(None, numbered.numbers)]
            count += len(numbers)
            yield numbers
        # As of an input: what is a number by itself may be none among the others, or the other way round.
        rules = intake.whole.rules(settings.rules, internal_numbers=settings.internal_numbers, trusted=False)
        if rules == before or before != settings.rules:
            break
        count = 0
    if doubt is not None:
        raise doubt
    return count


def _first_doubt(source: Source, block: NumberedBlock) -> InputError | None:
    uncertain = (index for index in sorted(block.problems) if block.problems[index] != EMPTY)
    index = next(uncertain, None)
    return None if index is None else _uncertain(source, block.rows.rows[index], block.problems[index])


def _check_other_columns(source: Source, rows: Sequence[Sequence[str]], region: str) -> None:
    """Raise InputError where there is another column whose cells are phone numbers, whatever its name."""
    samples = [*zip_longest(*(_sample_of(rows, place) for place in range(len(source.header))), fillvalue="")]
    other = next((place for place in phone_columns(source.header, samples, region) if place != source.column), None)
    if other is not None:
        raise InputError(
            phrase(
                "The --keep list {file} has phone numbers in column {place} '{name}', too.",
                file=harmless(source.file),
                place=other + 1,
                name=harmless(source.header[other]),
            ),
            _NOTHING_ELSE,
        )


def _sample_of(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    """Return cells of a column that hold a digit, all of them where they are few: a second number may be rare."""
    cells = [row[place] for row in rows if place < len(row) and _DIGIT.search(row[place])]
    return cells[:: -(-len(cells) // _SAMPLE_CELLS) or 1]


def _uncertain(source: Source, row: int, problem: str) -> InputError:
    return InputError(
        phrase(
            "Row {row} of the --keep list {file} is not certainly one phone number: {problem}",
            row=row,
            file=harmless(source.file),
            problem=ours(problem),
        ),
        "Correct it: it may be the very number that must stay.",
    )
