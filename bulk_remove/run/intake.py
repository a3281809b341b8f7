"""Cells in, numbers out: each row of a table gets its number and its campaign, or the reason why it has none."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from shlex import quote

from bulk_remove.adapters.distinct import RowKeys
from bulk_remove.core.campaigns import names_campaigns, other_campaigns, read_campaign
from bulk_remove.core.code_column import CodeColumn, Countries, names_countries
from bulk_remove.core.columns import find_condition_column, fold
from bulk_remove.core.conditions import CellCounts, Condition, is_left_out, left_out
from bulk_remove.core.model import ON_KEEP_LIST, NumberedBlock, RowBlock, Source, harmless, mask
from bulk_remove.core.numbers import JudgedBlock, Normaliser, NumberRules
from bulk_remove.core.plan import NO_DAMAGE, Sample, SourcePlan
from bulk_remove.core.splitting import split_cell
from bulk_remove.core.whole_input import WholeInput
from bulk_remove.errors import InputError
from bulk_remove.language import counted, joined, phrase
from bulk_remove.settings import Settings

SAMPLE_ROWS = 5
MAX_CAMPAIGNS = 1000
"""More than this in one column are no campaigns, but something else with five characters."""
_MANY_DUPLICATES = 10
_SHOWN_CAMPAIGNS = 3
SHOWN_OTHERWISE = "The spreadsheet shows another number than the cell holds: the format adds or leaves out digits."


class Intake:
    """Turns cells into numbers and counts what it meets.

    `on_rows` is told how many rows have been read so far. `kept` returns the places of the numbers that must never be
    removed. With `show_numbers` samples are not masked. `whole` is what the cells that passed say of each other.
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
        self._counts: list[_Counts] = []
        self.rows = 0

    def through(self, source: Source, blocks: Iterator[RowBlock], keys: RowKeys) -> Iterator[NumberedBlock]:
        """Yield the blocks of a source with what became of each row; its keys go to `keys`. Raises InputError."""
        counts = _Counts(source, self.rows, self._settings.where, self._rules.region)
        self._counts.append(counts)
        conditions = self._conditions_on(source)
        campaigns = self._campaigns_beside(source, conditions)
        for block in blocks:
            for column, cells in zip(counts.beside, block.beside, strict=True):
                column.add(cells)
            chosen = self._chosen(block, conditions)
            for place, found in campaigns.items():
                taken = _taken(block.beside[place], chosen.problems) if conditions else block.beside[place]
                if len(found) <= MAX_CAMPAIGNS:
                    found.update(taken)
            numbered, judged = self.numbered(chosen)
            self._count_kept(numbered)
            keys.add(numbered.numbers, numbered.campaigns if source.campaign_column is not None else ())
            counts.add(numbered, self._shown)
            counts.kinds.update(judged.kinds)
            counts.internal += judged.internal if self._rules.internal_numbers else 0
            self.rows += len(numbered.numbers)
            self._on_rows(self.rows)
            yield numbered
        for place, found in campaigns.items():
            self._check_campaign(source, source.header[source.beside[place]], found)

    def counting(self, duplicates: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Pass on the duplicates, (row's place in the whole input, place of the first), and count them by source."""
        starts = [counts.first_place for counts in self._counts]
        for place, first in duplicates:
            self._counts[bisect_right(starts, place) - 1].duplicates += 1
            yield place, first

    def plans(self) -> tuple[SourcePlan, ...]:
        """Return what each source holds."""
        return tuple(counts.plan() for counts in self._counts)

    def _conditions_on(self, source: Source) -> Sequence[tuple[int, Condition]]:
        """Return the conditions, each with the place of its column among those that are read beside the phones."""
        return [
            (source.beside.index(find_condition_column(source.header, (), condition.column)), condition)
            for condition in map(Condition.parse, self._settings.where)
        ]

    def _campaigns_beside(self, source: Source, conditions: Sequence[tuple[int, Condition]]) -> dict[int, set[str]]:
        """Return room for the cells of each column of campaigns that nobody named, by its place in `beside`."""
        asked = {place for place, _ in conditions}
        if not self._settings.campaign:
            return {}
        return {
            place: set()
            for place, index in enumerate(source.beside)
            if place not in asked and names_campaigns(source.header[index])
        }

    def _check_campaign(self, source: Source, name: str, cells: set[str]) -> None:
        """Raise InputError when a column of campaigns names others than the one that is asked for."""
        campaign = self._settings.campaign
        others = other_campaigns(cells, campaign) if len(cells) <= MAX_CAMPAIGNS else []
        if not others:
            return
        same = [cell.strip() for cell in cells if cell.strip().zfill(len(campaign)) == campaign]
        raise InputError(
            phrase(
                "{file}: column '{name}' names other campaigns than {campaign}: {others}.",
                file=harmless(source.file),
                name=harmless(name),
                campaign=campaign,
                others=joined(", ", [*others[:_SHOWN_CAMPAIGNS], *(["..."] if others[_SHOWN_CAMPAIGNS:] else [])]),
            ),
            phrase(
                "Ask each row's own campaign with --campaign-column {column} instead of --campaign, or take only the "
                "rows of {campaign} with --where {condition}.",
                column=quote(harmless(name)),
                campaign=campaign,
                condition=quote(f"{harmless(name)}={min(same, default=campaign)}"),
            ),
        )

    def _chosen(self, block: RowBlock, conditions: Sequence[tuple[int, Condition]]) -> RowBlock:
        """Return the block with a problem for each row that does not meet the conditions, and without their cells."""
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
        """Judge the cells but those of rows that were left out, which say nothing of the others."""
        out = {index for index, problem in block.problems.items() if is_left_out(problem)}
        cells = ["" if index in out else cell for index, cell in enumerate(block.cells)] if out else block.cells
        return self._normalise.block(cells)

    def _count_kept(self, block: NumberedBlock) -> None:
        places = [index for index, problem in block.problems.items() if problem == ON_KEEP_LIST]
        self.kept_rows += len(places)
        shown = sorted(places)[: SAMPLE_ROWS - len(self.kept_examples)]
        self.kept_examples += [_sample(block, index, self._shown) for index in shown]

    def numbered(self, block: RowBlock) -> tuple[NumberedBlock, JudgedBlock]:
        """Return a block with what became of each row, and what its cells say of each other. Raises InputError."""
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
        self.whole.add(judged)  # before a row is refused for what stands beside its cell
        numbers, problems = judged.numbers, judged.problems
        for index, problem in self._withheld(block, numbers):
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

    def _withheld(self, block: RowBlock, numbers: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield why rows must not be sent whatever their cells say, by index."""
        for index, shown in block.shown.items():
            if numbers[index] and not self._is_same(shown, numbers[index]):
                yield index, SHOWN_OTHERWISE
        yield from block.problems.items()

    def _with_codes(self, block: RowBlock) -> RowBlock:
        """Return the block with each cell and its code put together."""
        source = block.source
        if source not in self._codes:
            self._codes[source] = CodeColumn(fold(source.header[source.code_column or 0]), self._rules)
        joined = self._codes[source].joined(block.codes, block.cells)
        return replace(block, cells=joined.cells, problems={**joined.problems, **block.problems}, codes=())

    def _is_same(self, shown: str, number: str) -> bool:
        """Tell whether a text is that number, with the country code of the region or without."""
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
                    "Look whether --campaign-column names the right one.",
                )
            found = self._campaigns[cell] = read_campaign(cell)
        return found


class _Counts:
    """What a source was found to hold; `first_place` is the place of its first row in the whole input.

    `beside` counts the columns that are read beside the phones, `where` are the conditions on the rows.
    """

    def __init__(self, source: Source, first_place: int, where: Sequence[str], region: str) -> None:
        self.first_place = first_place
        self.duplicates = 0
        self.kinds = Counter[str]()
        self.internal = 0
        self.beside = [
            Countries(region) if names_countries(source.header[column]) else CellCounts() for column in source.beside
        ]
        self._source = source
        self._where = where
        self._rows = 0
        self._problems = Counter[str]()
        self._samples: list[Sample] = []
        self._examples: list[Sample] = []

    def add(self, block: NumberedBlock, shown: Callable[[str], str]) -> None:
        self._rows += len(block.numbers)
        self._problems.update(block.problems.values())
        for index in range(min(len(block.numbers), SAMPLE_ROWS - len(self._samples))):
            self._samples.append(_sample(block, index, shown))
        damaged = (index for index in sorted(block.problems) if _is_damage(block.problems[index]))
        for index in islice(damaged, SAMPLE_ROWS - len(self._examples)):
            self._examples.append(_sample(block, index, shown))

    def _notes(self) -> Iterator[str]:
        for index, column in zip(self._source.beside, self.beside, strict=True):
            if told := column.told(self._source.header[index], chosen=bool(self._where)):
                yield told
        with_number = self._rows - sum(self._problems.values())
        if self.duplicates >= _MANY_DUPLICATES and 2 * self.duplicates > with_number:
            yield counted(
                self.duplicates,
                "{count:,} of {rows:,} numbers stands in an earlier row, too: perhaps lists were put together twice.",
                "{count:,} of {rows:,} numbers stand in an earlier row, too: perhaps lists were put together twice.",
                rows=with_number,
            )
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
            self._rows,
            self.duplicates,
            tuple(self._problems.most_common()),
            tuple(self._samples),
            tuple(self._examples),
            tuple(self.kinds.most_common()),
            self.internal,
            tuple(self._notes()),
        )


def _taken(cells: Sequence[str], problems: Mapping[int, str]) -> list[str]:
    """Return the cells of the rows that no condition leaves out."""
    return [cell for index, cell in enumerate(cells) if not is_left_out(problems.get(index, ""))]


def _is_damage(problem: str) -> bool:
    return problem not in NO_DAMAGE and not is_left_out(problem)


def _sample(block: NumberedBlock, index: int, shown: Callable[[str], str]) -> Sample:
    became = shown(block.numbers[index]) or block.problems[index]
    return Sample(block.rows.rows[index], shown(block.rows.cells[index]), became)


def _with_parts(block: RowBlock, parts: Mapping[int, Sequence[str]]) -> RowBlock:
    """Return the block with a row for each part of a cell that was split; they share the row's number."""
    picks = [(index, part) for index, cell in enumerate(block.cells) for part in parts.get(index, (cell,))]
    return replace(
        block,
        rows=[block.rows[index] for index, _ in picks],
        cells=[part for _, part in picks],
        others=[block.others[index] for index, _ in picks] if block.others else (),
        campaigns=[block.campaigns[index] for index, _ in picks] if block.campaigns else (),
        problems={place: block.problems[index] for place, (index, _) in enumerate(picks) if index in block.problems},
        shown={place: block.shown[index] for place, (index, _) in enumerate(picks) if index in block.shown},
    )
