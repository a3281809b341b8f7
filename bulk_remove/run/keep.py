"""Numbers that must never be removed: the `--keep` lists, compared with the input by the number, whatever its form.

They are read before all else and need eight bytes of memory a number. Where it is not certain which number a cell of
such a list means, the run stops: it may be the very one that must stay.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulk_remove.adapters.distinct import NumberSet
from bulk_remove.adapters.reader import ReadOptions, open_table
from bulk_remove.adapters.reader import Table as ReadTable
from bulk_remove.core.model import NumberFormat, harmless
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.plan import KeepList
from bulk_remove.core.regions import region_of
from bulk_remove.core.spelling import EMPTY
from bulk_remove.errors import InputError
from bulk_remove.language import ours, phrase
from bulk_remove.run.intake import Intake
from bulk_remove.settings import Settings


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
    reads = replace(
        settings, number_format=NumberFormat.DIGITS, internal_numbers=True, also_try=(), split_cells=True, keep=()
    )
    tables = [_opened(file, ReadOptions(region=settings.region, spool_dir=spool_dir)) for file in settings.keep]
    return KeepLists(*_read(tables, reads))


def _opened(file: str, reading: ReadOptions) -> ReadTable:
    try:
        return open_table(file, reading)
    except InputError as error:
        if "--" not in error.hint:
            raise
        # The options are those of the input, which may have other columns.
        hint = "A --keep list is read without such options: leave one column in it, with whole phone numbers."
        raise InputError(error.sentence, hint) from None


def _read(tables: Sequence[ReadTable], settings: Settings) -> tuple[tuple[KeepList, ...], NumberSet]:
    lists: list[KeepList] = []

    def numbers() -> Iterator[list[str]]:
        for table in tables:
            source, count = table.source, 0
            for block in _numbers_of(table, settings):
                count += len(block)
                yield block
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


def _numbers_of(table: ReadTable, settings: Settings) -> Iterator[list[str]]:
    """Yield the numbers of a table, block by block. Raises InputError for the first cell that is not certainly one."""
    intake = Intake(settings, settings.rules)
    yield from _certain(table, intake)
    rules = intake.whole.rules(settings.rules, internal_numbers=True, trusted=False)
    if rules != settings.rules:  # what is a number by itself has lost digits among the others
        for _ in _certain(table, Intake(settings, rules)):
            pass


def _certain(table: ReadTable, intake: Intake) -> Iterator[list[str]]:
    for block in table.blocks():
        numbered, _ = intake.numbered(block)
        uncertain = (index for index in sorted(numbered.problems) if numbered.problems[index] != EMPTY)
        if (index := next(uncertain, None)) is not None:
            raise _uncertain(table, numbered.rows.rows[index], numbered.problems[index])
        yield [*filter(None, numbered.numbers)]


def _uncertain(table: ReadTable, row: int, problem: str) -> InputError:
    return InputError(
        phrase(
            "Row {row} of the --keep list {file} is not certainly one phone number: {problem}",
            row=row,
            file=harmless(table.source.file),
            problem=ours(problem),
        ),
        "Correct it: it may be the very number that must stay.",
    )
