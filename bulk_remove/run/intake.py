"""Turns cells into numbers: each row gets its number and its campaign, or the reason why it has none.

Numbers on a `--keep` list must never be removed. They are compared as numbers, in whatever form they are written. The
lists are read first and need eight bytes of memory per number. The run stops at a cell in a list that is not certainly
one number, because that may be a number that must stay.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from bulk_remove.core.columns import COUNTS_UP, find_condition_column, fold, phone_columns, says_keep
from bulk_remove.core.conditions import (
    CellCounts,
    CodeColumn,
    Condition,
    Countries,
    MadeUp,
    WholeInput,
    campaign_names,
    is_left_out,
    left_out,
    names_campaigns,
    names_countries,
    other_campaigns,
    read_campaign,
)
from bulk_remove.core.model import ON_KEEP_LIST, NumberedBlock, NumberFormat, RowBlock, Source, harmless, mask
from bulk_remove.core.numbers import MAX_INTERNAL_DIGITS, JudgedBlock, Normaliser, NumberRules, split_cell
from bulk_remove.core.plan import NO_DAMAGE, KeepList, Sample, SourcePlan, only_short
from bulk_remove.core.spelling import EMPTY, reading, region_of
from bulk_remove.errors import InputError, KeepListError, OwnReportError, UsageError
from bulk_remove.language import Phrase, counted, joined, ours, phrase
from bulk_remove.ledger import RowKeys
from bulk_remove.reader import ReadOptions, open_table
from bulk_remove.reader import Table as ReadTable
from bulk_remove.run.folders import make_private
from bulk_remove.settings import Settings

if TYPE_CHECKING:
    from bulk_remove.ledger.distinct import NumberSet

SHOWN_ROWS = 5
MAX_CAMPAIGNS = 1000
"""A column with more different cells does not hold campaigns, but something else with five characters."""
_MANY_DUPLICATES = 10
_SEVERAL_IN_DOUBT = 3
_SHOWN_CAMPAIGNS = 3
_SHOWN_CHARACTERS = 40
SHOWN_OTHERWISE = "The spreadsheet shows another number than the cell holds: the format adds or leaves out digits."


class Intake:
    """Turns cells into numbers and counts what it finds.

    `on_rows` is called with the count of rows read so far. `kept` returns the indices of numbers that must never be
    removed. With `show_numbers` samples are not masked. `whole` collects what the cells reveal about each other,
    `counts` has the counts of each source.
    """

    def __init__(
        self,
        settings: Settings,
        rules: NumberRules,
        on_rows: Callable[[int], None] = lambda _rows: None,
        kept: Callable[[Sequence[str]], Sequence[int]] = lambda _numbers: (),
        *,
        show_numbers: bool = False,
    ) -> None:
        self.whole = WholeInput()
        self.kept_rows = 0
        self.kept_examples: list[Sample] = []
        self._kept = kept
        self._settings = settings
        self._rules = rules
        self._normalise = Normaliser(rules)
        self._on_rows = on_rows
        self._shown: Callable[[str], str] = str if show_numbers else mask
        self._campaigns: dict[str, tuple[str, str]] = {}
        self._codes: dict[Source, CodeColumn] = {}
        self._keep_title: tuple[Source, int, str] | None = None
        self.counts: list[_Counts] = []
        self.rows = 0

    def through(self, source: Source, blocks: Iterator[RowBlock], keys: RowKeys) -> Iterator[NumberedBlock]:
        """Yield the blocks of a source with the number of each row, and add them to `keys`. Raises InputError."""
        counts = _Counts(source, self.rows, self._settings, self._rules.region)
        self.counts.append(counts)
        conditions = [  # each with the index of its column in `source.beside`
            (source.beside.index(find_condition_column(source.header, (), condition.column)), condition)
            for condition in map(Condition.parse, self._settings.where)
        ]
        campaigns = self._campaigns_beside(source, {place for place, _ in conditions})
        each_in = self._settings.campaigns
        several = len(each_in) > 1 or source.campaign_column is not None
        for block in blocks:
            for column, cells in zip(counts.beside, block.beside, strict=True):
                column.add(cells)
            chosen = self._chosen(block, conditions)
            for place, found in campaigns.items():
                taken = _taken(block.beside[place], chosen.problems) if conditions else block.beside[place]
                if len(found) <= MAX_CAMPAIGNS:
                    found.update(taken)
            numbered, judged = self.numbered(chosen)
            titles = [*self._titles_in(numbered)]
            counts.said = counts.said or titles[:1]
            kept = sorted(index for index, problem in numbered.problems.items() if problem == ON_KEEP_LIST)
            self.kept_rows += len(kept)
            shown = kept[: SHOWN_ROWS - len(self.kept_examples)]
            self.kept_examples += [_sample(numbered, index, self._shown) for index in shown]
            counts.add(numbered, self._shown)
            counts.kinds.update(judged.kinds)
            counts.in_doubt += judged.in_doubt
            counts.internal += judged.internal if self._rules.internal_numbers else 0
            for part in _in_each(numbered, each_in) if len(each_in) > 1 else (numbered,):
                keys.add(part.numbers, part.campaigns if several else ())
                self.rows += len(part.numbers)
                self._on_rows(self.rows)
                yield part
        for place, found in campaigns.items():
            if len(found) <= MAX_CAMPAIGNS:
                name = source.header[source.beside[place]]
                self._check_campaign(source, name, found)
                counts.said += _named_campaigns(name, campaign_names(found, self._settings.campaign), self._settings)

    def counting(self, duplicates: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Pass on the duplicates (index of the row, index of the first row with its number); count them by source."""
        starts = [counts.first_place for counts in self.counts]
        for place, first in duplicates:
            self.counts[bisect_right(starts, place) - 1].duplicates += 1
            yield place, first

    def _campaigns_beside(self, source: Source, asked: Collection[int]) -> dict[int, set[str]]:
        """Return an empty set for each column of campaigns that no option names, by its index in `beside`."""
        if not self._settings.campaign:
            return {}
        return {
            place: set()
            for place, index in enumerate(source.beside)
            if place not in asked and names_campaigns(source.header[index])
        }

    def _check_campaign(self, source: Source, name: str, cells: set[str]) -> None:
        """Raise InputError if a column of campaigns has other campaigns than --campaign."""
        campaign = self._settings.campaign
        others = other_campaigns(cells, campaign)
        if not others:
            return
        same = [cell.strip() for cell in cells if reading(cell).text.zfill(len(campaign)) == campaign]
        raise InputError(
            phrase(
                "{file}: column '{name}' names other campaigns than {campaign}: {others}.",
                file=harmless(source.file),
                name=harmless(name),
                campaign=campaign,
                others=joined(", ", [*others[:_SHOWN_CAMPAIGNS], *(["..."] if others[_SHOWN_CAMPAIGNS:] else [])]),
            ),
            phrase(
                "Use --campaign-column {column} instead of --campaign to remove each number from the campaign of its "
                "row, or take only the rows of {campaign} with --where {condition}.",
                column=quote(harmless(name)),
                campaign=campaign,
                condition=quote(f"{harmless(name)}={min(same)}"),
            )
            if same
            else phrase(
                "Use --campaign-column {column} instead of --campaign to remove each number from the campaign of its "
                "row. If the column means something else, rename it.",
                column=quote(harmless(name)),
            ),
        )

    def _titles_in(self, block: NumberedBlock) -> Iterator[str]:
        """Yield a note on each title of another table. Raises InputError if it says to keep the numbers that follow."""
        rows = block.rows
        if self._keep_title and self._keep_title[0] != rows.source:
            self._keep_title = None  # the last row of its table: no numbers followed
        if not (rows.titles or self._keep_title):
            return
        for index, number in enumerate(block.numbers):
            title = rows.titles.get(index)
            if number and self._keep_title:
                _, row, text = self._keep_title
                raise InputError(
                    phrase(
                        "{file}: row {row} says '{title}' above numbers that would be removed.",
                        file=harmless(rows.source.file),
                        row=row,
                        title=text,
                    ),
                    "Put each table into a file of its own, and give that of the numbers that must stay with --keep.",
                )
            if title and says_keep(title):
                self._keep_title = rows.source, rows.rows[index], harmless(title)
            elif title:
                yield phrase(
                    "Row {row} seems to be the title of another table, '{title}'; the rows below it are taken, too.",
                    row=rows.rows[index],
                    title=harmless(title),
                )

    def _chosen(self, block: RowBlock, conditions: Sequence[tuple[int, Condition]]) -> RowBlock:
        """Return the block with a problem for each row that does not meet the conditions, and without `beside`."""
        if conditions:
            reason = left_out(self._settings.where)
            out = {
                index: reason
                for index in range(len(block.cells))
                if not all(condition.holds(block.beside[place][index]) for place, condition in conditions)
            }
            block = replace(block, problems={**block.problems, **out})
        return replace(block, beside=())

    def _judge(self, block: RowBlock) -> JudgedBlock:
        """Judge the cells. Rows that were left out are ignored: they reveal nothing about the others."""
        out = {index for index, problem in block.problems.items() if is_left_out(problem)}
        cells = ["" if index in out else cell for index, cell in enumerate(block.cells)] if out else block.cells
        return self._normalise.block(cells)

    def numbered(self, block: RowBlock) -> tuple[NumberedBlock, JudgedBlock]:
        """Return a block with the number of each row, and what its cells reveal about each other. Raises InputError."""
        if block.codes:
            block = self._with_codes(block)
        judged = self._judge(block)
        if judged.problems and self._settings.split_cells:
            cells = block.cells
            parts = {
                index: found
                for index in judged.problems
                if not is_left_out(block.problems.get(index, ""))
                and (found := split_cell(cells[index], self._normalise))
            }
            if parts:
                block = _with_parts(block, parts)
                judged = self._judge(block)
        self.whole.add(judged)  # before rows are refused because of their other cells
        numbers, problems = judged.numbers, judged.problems
        otherwise = {
            index: SHOWN_OTHERWISE
            for index, shown in block.shown.items()
            if numbers[index] and not self._is_same(shown, numbers[index])
        }
        for index, problem in {**otherwise, **block.problems}.items():
            numbers[index], problems[index] = "", problem
        for index in self._kept(numbers):
            numbers[index], problems[index] = "", ON_KEEP_LIST
        if block.source.campaign_column is None:
            return NumberedBlock(block, numbers, [self._settings.campaign] * len(numbers), problems), judged
        campaigns = [self._campaign(cell) for cell in block.campaigns]
        for index, (_, problem) in enumerate(campaigns):
            if problem and numbers[index]:
                numbers[index], problems[index] = "", problem
        return NumberedBlock(block, numbers, [campaign for campaign, _ in campaigns], problems), judged

    def _with_codes(self, block: RowBlock) -> RowBlock:
        """Return the block with each cell joined to the country code beside it."""
        source = block.source
        if source not in self._codes:
            self._codes[source] = CodeColumn(fold(source.header[source.code_column or 0]), self._rules)
        joined = self._codes[source].joined(block.codes, block.cells)
        return replace(block, cells=joined.cells, problems={**joined.problems, **block.problems}, codes=())

    def _is_same(self, shown: str, number: str) -> bool:
        """Return whether a text is this number, with or without the country code of the region."""
        found = self._normalise(shown).number
        code = self._normalise.country_code_and_number
        return found == number or (found != "" and code(found) == code(number) != "")

    def _campaign(self, cell: str) -> tuple[str, str]:
        found = self._campaigns.get(cell)
        if found is None:
            if len(self._campaigns) >= MAX_CAMPAIGNS:
                raise InputError(
                    phrase(
                        "The campaign column holds more than {max_campaigns:,} different cells.",
                        max_campaigns=MAX_CAMPAIGNS,
                    ),
                    "Check that --campaign-column names the right column.",
                )
            found = self._campaigns[cell] = read_campaign(cell)
        return found


class _Counts:
    """Counts of a source. `first_place` is the index of its first row in the whole input.

    `beside` counts the columns that are read beside the phone column, `said` are notes from elsewhere. If each number
    is asked for in several campaigns, `plan` counts each row once for each.
    """

    def __init__(self, source: Source, first_place: int, settings: Settings, region: str) -> None:
        self.first_place = first_place
        self.duplicates = 0
        self.kinds = Counter[str]()
        self.internal = 0
        self.in_doubt = 0
        self.said: list[str] = []
        self._whole = False  # whether any number is longer than an internal one
        self.beside = [
            Countries(region) if names_countries(source.header[column]) else CellCounts() for column in source.beside
        ]
        self._source = source
        self._where = settings.where
        self._times = max(1, len(settings.campaigns))
        self._region = region
        self._made_up = MadeUp(region)
        self._rows = 0
        self._problems = Counter[str]()
        self._samples: list[Sample] = []
        self._examples: list[Sample] = []

    def add(self, block: NumberedBlock, shown: Callable[[str], str]) -> None:
        self._rows += len(block.numbers)
        self._made_up.add(block.rows.rows, block.numbers)
        self._whole = self._whole or any(len(number) > MAX_INTERNAL_DIGITS for number in block.numbers)
        self._problems.update(block.problems.values())
        for index in range(min(len(block.numbers), SHOWN_ROWS - len(self._samples))):
            self._samples.append(_sample(block, index, shown))
        problems = sorted(block.problems.items())
        damaged = (at for at, problem in problems if problem not in NO_DAMAGE and not is_left_out(problem))
        for index in islice(damaged, SHOWN_ROWS - len(self._examples)):
            self._examples.append(_sample(block, index, shown))

    def _notes(self) -> Iterator[str]:
        if self._times > 1:
            yield counted(
                self._rows,
                "Its {count:,} row counts {times:,} times: once for each campaign.",
                "Each of its {count:,} rows counts {times:,} times: once for each campaign.",
                times=self._times,
            )
        if self._rows > sum(self._problems.values()) and not self._whole:
            yield only_short(self._source)
        yield from self.said
        for index, column in zip(self._source.beside, self.beside, strict=True):
            if told := column.told(self._source.header[index], chosen=bool(self._where)):
                yield told
        with_number = self._rows - sum(self._problems.values())
        if self.in_doubt >= _SEVERAL_IN_DOUBT and 2 * self.in_doubt > with_number:
            yield counted(
                max(with_number, self.in_doubt),
                "{in_doubt:,} of {count:,} number begins with {code}, the country code, but is too short to have one: "
                "perhaps its last digits are cut off.",
                "{in_doubt:,} of {count:,} numbers begin with {code}, the country code, but are too short to have one: "
                "perhaps their last digits are cut off.",
                in_doubt=self.in_doubt,
                code=region_of(self._region).country_code,
            )
        if self.duplicates >= _MANY_DUPLICATES and 2 * self.duplicates > with_number:
            yield counted(
                self.duplicates,
                "{count:,} of {rows:,} numbers is also in an earlier row: perhaps the same list was added twice.",
                "{count:,} of {rows:,} numbers are also in an earlier row: perhaps the same list was added twice.",
                rows=with_number,
            )
        yield from self._made_up.notes(all_count_up=COUNTS_UP in self._source.notes)
        if self._where:
            out = sum(count for reason, count in self._problems.items() if is_left_out(reason))
            yield counted(
                self._rows,
                "--where {where} takes {taken:,} of {count:,} row; what it leaves out is INVALID and never sent.",
                "--where {where} takes {taken:,} of {count:,} rows; what it leaves out is INVALID and never sent.",
                where=harmless(" --where ".join(self._where)),
                taken=self._rows - out,
            )

    def plan(self) -> SourcePlan:
        return SourcePlan(
            self._source,
            self._rows * self._times,
            self.duplicates,
            tuple((problem, count * self._times) for problem, count in self._problems.most_common()),
            tuple(self._samples),
            tuple(self._examples),
            tuple(self.kinds.most_common()),
            self.internal,
            tuple(self._notes()),
        )


def _in_each(block: NumberedBlock, campaigns: Sequence[str]) -> Iterator[NumberedBlock]:
    """Yield the rows once for each campaign, row by row, in blocks that are not much larger."""
    rows, size = block.rows, max(1, len(block.numbers) // len(campaigns))
    for first in range(0, len(block.numbers), size):
        places = [place for place in range(first, min(first + size, len(block.numbers))) for _ in campaigns]
        yield NumberedBlock(
            RowBlock(
                rows.source,
                [rows.rows[place] for place in places],
                [rows.cells[place] for place in places],
                [rows.others[place] for place in places] if rows.others else (),
            ),
            [block.numbers[place] for place in places],
            [*campaigns] * (len(places) // len(campaigns)),
            {index: block.problems[place] for index, place in enumerate(places) if place in block.problems},
        )


def _taken(cells: Sequence[str], problems: Mapping[int, str]) -> list[str]:
    """Return the cells of the rows that no condition leaves out."""
    return [cell for index, cell in enumerate(cells) if not is_left_out(problems.get(index, ""))]


def _named_campaigns(name: str, named: Sequence[str], settings: Settings) -> Iterator[str]:
    """Yield a note on a column with names of campaigns, which cannot be compared with an identifier."""
    if not named:
        return
    shown = [harmless(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...") for text in named]
    more = len(shown) - _SHOWN_CAMPAIGNS
    listed = ", ".join(f"'{text}'" for text in shown[:_SHOWN_CAMPAIGNS])
    yield phrase(
        "Column '{name}' names campaigns ({named}). All numbers that are taken from the file are removed from "
        "campaign {campaign}.",
        name=harmless(name),
        named=counted(more, "{listed} and {count:,} other", "{listed} and {count:,} others", listed=listed)
        if more > 0
        else listed,
        campaign=settings.campaign,
    )


def _sample(block: NumberedBlock, index: int, shown: Callable[[str], str]) -> Sample:
    became = shown(block.numbers[index]) or block.problems[index]
    return Sample(block.rows.rows[index], shown(block.rows.cells[index]), became)


def _with_parts(block: RowBlock, parts: Mapping[int, Sequence[str]]) -> RowBlock:
    """Return the block with one row for each part of a split cell. The parts share the row number."""
    picks = [(index, part) for index, cell in enumerate(block.cells) for part in parts.get(index, (cell,))]
    return replace(
        block,
        rows=[block.rows[index] for index, _ in picks],
        cells=[part for _, part in picks],
        others=[block.others[index] for index, _ in picks] if block.others else (),
        campaigns=[block.campaigns[index] for index, _ in picks] if block.campaigns else (),
        problems={place: block.problems[index] for place, (index, _) in enumerate(picks) if index in block.problems},
        shown={place: block.shown[index] for place, (index, _) in enumerate(picks) if index in block.shown},
        titles={place: block.titles[index] for place, (index, _) in enumerate(picks) if index in block.titles},
    )


_SAMPLE_CELLS = 200
"""How many cells of each other column are checked per block, spread over all its rows."""
_DIGIT = re.compile(r"\d")
_ONE_COLUMN = "A --keep list is read without such options: leave one column in it, with whole phone numbers."
_NOTHING_ELSE = "Leave one sheet and one column in it, with a whole phone number in each row."
_NO_DOUBT = re.compile(
    r"archive\sholds\sone|first\sline,\s'sep=|text\sis\snot\sUTF-8|first\srow\sis\sa\sphone|column\snames\sare\sin\srow|"
    r"phone\scolumn\sis\shidden|read\slike\sthe\sothers|numbers\scount\sup"  # as a company's own lines do
)
"""Notes on a source that do not leave a doubt: everything in it is read all the same."""


@dataclass(frozen=True, slots=True)
class KeepLists:
    """The lists and all their numbers, as digits with the country code; internal numbers as they are."""

    lists: tuple[KeepList, ...] = ()
    numbers: "NumberSet | None" = None

    def under(self, rules: NumberRules) -> Callable[[Sequence[str]], Sequence[int]]:
        """Return a function that finds the indices of kept numbers in a sequence that was read by these rules.

        In doubt a number counts as kept: digits that are a number both with and without a country code.
        """
        if (held := self.numbers) is None:
            return lambda _numbers: ()
        code = region_of(rules.region).country_code
        certain = Normaliser(rules).country_code_and_number

        def is_kept(number: str) -> bool:
            digits = certain(number)
            meanings = [digits] if digits else [number, code + number.lstrip("+"), code + number.lstrip("+0")]
            return any(int(meaning) in held for meaning in meanings)

        return lambda numbers: [at for at in held.places(numbers, code) if is_kept(numbers[at])]


def read_keep_lists(settings: Settings, state_dir: Path) -> KeepLists:
    """Read the --keep lists. Raises KeepListError, UsageError, StorageError."""
    if settings.keep_skips and not settings.keep:
        raise UsageError(
            "--keep-skips is given, but no --keep list: no number would be kept.",
            "Name the list with --keep, or leave --keep-skips out.",
        )
    if not settings.keep:
        return KeepLists()
    # In this format every number is written from its country code on.
    reads = replace(settings, number_format=NumberFormat.DIGITS, also_try=(), split_cells=True, keep=())
    reading = ReadOptions(keep_columns=True, region=settings.region, spool_dir=make_private(state_dir), to_keep=True)
    try:
        return KeepLists(*_read([_opened(file, reading) for file in settings.keep], reads))
    except InputError as error:
        sentence = error.sentence
        if isinstance(sentence, Phrase) and "--" in str(sentence.values.get("problem", "")):
            # It names flags that let a cell of an input through.
            problem = phrase("It may have lost digits.")
            sentence = Phrase.made(sentence.template, {**sentence.values, "problem": problem})
        # The usual hint for a report is how to rerun it, which is wrong here.
        is_report = isinstance(error, OwnReportError)
        hint = "Give --keep a list of the numbers that must stay." if is_report else error.hint
        raise KeepListError(sentence, hint) from None


def _opened(file: str, reading: ReadOptions) -> ReadTable:
    try:
        table = open_table(file, reading)
    except InputError as error:
        if "--" not in error.hint:
            raise
        # Those options are for the input, which may have other columns.
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


def _read(tables: Sequence[ReadTable], settings: Settings) -> tuple[tuple[KeepList, ...], "NumberSet"]:
    from bulk_remove.ledger.distinct import NumberSet  # noqa: PLC0415 - numpy, for which few rows need not wait

    lists: list[KeepList] = []

    def numbers() -> Iterator[list[str]]:
        for table in tables:
            source = table.source
            count = yield from _numbers_of(table, settings)
            if not count:
                raise InputError(
                    phrase("The --keep list {file} holds no number.", file=harmless(source.file)),
                    "Check that its export was complete, or leave the list out.",
                )
            lists.append(
                KeepList(f"{source.file}!{source.sheet}" if source.sheet else source.file, source.sha256, count)
            )

    held = NumberSet(numbers())
    return tuple(lists), held


def _numbers_of(table: ReadTable, settings: Settings) -> Generator[list[str], None, int]:
    """Yield the numbers of a table, block by block, and return their count.

    Raises InputError for the first cell that is not certainly one number, and for a second column of phone numbers.
    """
    count, rules = 0, settings.rules
    while True:
        intake, doubt, before = Intake(settings, rules), None, rules
        for block in table.blocks():
            # A row with a problem stops the run anyway.
            others = [cells for index, cells in enumerate(block.others) if index not in block.problems]
            _check_other_columns(table.source, others, settings.region)
            numbered, _ = intake.numbered(block)
            doubt = doubt or _first_doubt(table.source, numbered)
            numbers = [*filter(None, numbered.numbers)]
            count += len(numbers)
            yield numbers
        # As with an input, all cells together may change whether a single one is a number.
        rules = intake.whole.rules(settings.rules, internal_numbers=settings.internal_numbers, trusted=False)
        if rules == before or before != settings.rules:
            break
        count = 0
    if doubt is not None:
        raise doubt
    return count


def _first_doubt(source: Source, block: NumberedBlock) -> InputError | None:
    index = next((index for index in sorted(block.problems) if block.problems[index] != EMPTY), None)
    if index is None:
        return None
    return InputError(
        phrase(
            "Row {row} of the --keep list {file} is not certainly one phone number: {problem}",
            row=block.rows.rows[index],
            file=harmless(source.file),
            problem=ours(block.problems[index]),
        ),
        "Correct it: it may be the very number that must stay.",
    )


def _check_other_columns(source: Source, rows: Sequence[Sequence[str]], region: str) -> None:
    """Raise InputError if another column, of any name, holds phone numbers."""
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
    """Return cells of a column that hold a digit: all if there are few, because a second number may be rare."""
    cells = [row[place] for row in rows if place < len(row) and _DIGIT.search(row[place])]
    return cells[:: -(-len(cells) // _SAMPLE_CELLS) or 1]
