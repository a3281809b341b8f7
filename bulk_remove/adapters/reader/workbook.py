"""Reads workbooks with calamine, which needs half the time and a third of the memory that pandas adds to it.

`contents` tells what a file really is, `guard` looks it over before calamine holds it in memory, `sheets` chooses the
sheet and its column.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bulk_remove.adapters.reader.cells import Value, campaign_text, cell_text, phone_texts
from bulk_remove.adapters.reader.contents import check_contents
from bulk_remove.adapters.reader.damage import failures_told
from bulk_remove.adapters.reader.facts import SheetFacts
from bulk_remove.adapters.reader.files import LookedOver
from bulk_remove.adapters.reader.guard import look_inside
from bulk_remove.adapters.reader.sheets import find_sheet, is_blank
from bulk_remove.adapters.reader.table import ReadOptions, Table
from bulk_remove.core.model import RowBlock, Source

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

T = TypeVar("T")
_PART_ROWS = 200
"""How many of calamine's rows are held at a time. With thousands, the processor's cache and Python's garbage
collection cost a tenth more."""


def open_workbook(looked_over: LookedOver, options: ReadOptions) -> Table:
    """Choose the sheet and its column. Raises InputError when it cannot be used or more than one sheet could be."""
    import python_calamine as calamine  # noqa: PLC0415 - only reading a workbook should pay for it

    name = looked_over.given.name
    with looked_over.opened() as file:
        family = check_contents(name, looked_over.given.kind, file)
        facts = look_inside(name, family, file)
        file.seek(0)
        with failures_told(name), calamine.CalamineWorkbook.from_filelike(file) as workbook:
            found = find_sheet(name, workbook, options)
    heading = found.heading
    source = Source(
        file=looked_over.given.file,
        sheet=found.sheet.name,
        header=heading.names,
        column=heading.column.index,
        column_reason=heading.column.reason,
        encoding="",
        delimiter="",
        sha256=looked_over.sha256,
        size_bytes=looked_over.fingerprint.size_bytes,
        header_row=heading.row,
        campaign_column=heading.campaign,
        code_column=heading.code,
        notes=(
            *heading.notes,
            *found.notes,
            *facts.get(found.sheet.name, SheetFacts()).notes(heading.column.index),
        ),
    )
    return _Workbook(source, found.sheet, looked_over, options)


class _Part(NamedTuple):
    """Some consecutive rows: the number of the one after them, and what a RowBlock has."""

    end: int
    rows: Sequence[int]
    cells: Sequence[str]
    others: Sequence[tuple[str, ...]]
    campaigns: Sequence[str]
    codes: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Workbook:
    source: Source
    _sheet: "CalamineSheet"
    _looked_over: LookedOver
    _options: ReadOptions

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows under the header; see Table."""
        with failures_told(self._looked_over.given.name):
            rows = islice(self._sheet.iter_rows(), self.source.header_row, None)
            number = self.source.header_row + 1
            while parts := list(self._parts(rows, number)):
                number = parts[-1].end
                numbers, cells = _joined(part.rows for part in parts), _joined(part.cells for part in parts)
                others, campaigns = _joined(part.others for part in parts), _joined(part.campaigns for part in parts)
                codes = _joined(part.codes for part in parts)
                if numbers:
                    yield RowBlock(self.source, numbers, cells, others, campaigns, codes=codes)
        with self._looked_over.opened() as file:
            self._looked_over.check_unchanged(file)

    def _parts(self, rows: Iterator[list[Value]], number: int) -> Iterator[_Part]:
        """Yield the parts of the next block, of whose rows the first has that number."""
        left = self._options.block_rows
        while values := list(islice(rows, min(_PART_ROWS, left))):
            left -= len(values)
            yield self._part(values, range(number, number + len(values)))
            number += len(values)

    def _part(self, values: list[list[Value]], numbers: range) -> _Part:
        kept: Sequence[int] = numbers
        cells = phone_texts(self._column(values, self.source.column))
        if not all(map(str.strip, cells)):
            filled = [index for index, cell in enumerate(cells) if cell.strip() or not is_blank(values[index])]
            kept = [numbers[index] for index in filled]
            cells = [cells[index] for index in filled]
            values = [values[index] for index in filled]
        others = [(*self._left, *map(cell_text, row)) for row in values] if self._options.keep_columns else ()
        campaign = self.source.campaign_column
        campaigns = () if campaign is None else [campaign_text(value) for value in self._column(values, campaign)]
        code = self.source.code_column
        codes = () if code is None else [cell_text(value) for value in self._column(values, code)]
        return _Part(numbers.stop, kept, cells, others, campaigns, codes)

    @property
    def _left(self) -> tuple[str, ...]:
        """The blank columns on the left, which calamine leaves out."""
        return ("",) * (self._sheet.start[1] if self._sheet.start else 0)

    def _column(self, values: list[list[Value]], column: int) -> list[Value]:
        index = column - len(self._left)
        return [row[index] for row in values] if index >= 0 else [""] * len(values)


def _joined(lists: Iterable[Sequence[T]]) -> list[T]:
    whole: list[T] = []
    for part in lists:
        whole += part
    return whole
