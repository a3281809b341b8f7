"""Reads the rest of a CSV file from the first row that is far wider than its header.

pandas stops at such a row, and a table as wide as it would cost memory for every other row, too. Python's csv module
takes each row as wide as it is, and reads the rows that both can read alike.
"""

import csv
from collections.abc import Iterator
from itertools import islice

from bulk_remove.adapters.reader.dialect import is_blank
from bulk_remove.adapters.reader.table import ReadOptions, headers_again
from bulk_remove.adapters.reader.text import TextFile
from bulk_remove.core.model import RowBlock, Source
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

_MOST_CELLS_MORE = 1000
"""A row with more cells than this past the header is no row of this table, and nothing below it can be trusted."""


def ragged_blocks(text: TextFile, source: Source, done: int, options: ReadOptions) -> Iterator[RowBlock]:
    """Yield the blocks of the rows after the row with the number `done`.

    Raises InputError for a row that no table has.
    """
    with text.characters() as characters:
        records = islice(_records(text.name, csv.reader(characters, delimiter=source.delimiter), source), done, None)
        row = done + 1
        while records_of_block := list(islice(records, options.block_rows)):
            block = _block(source, row, records_of_block, keep=options.keep_columns)
            row += len(records_of_block)
            if block.rows:
                yield block


def check_width(name: str, source: Source, row: int, cells: int) -> None:
    """Raise InputError when the row has so many cells that it cannot be a row of this table."""
    if cells > len(source.header) + _MOST_CELLS_MORE:
        raise InputError(
            phrase(
                "{name}: row {row} has {cells:,} cells under a header of {count:,}.",
                name=name,
                row=row,
                cells=cells,
                count=len(source.header),
            ),
            "Check the delimiter (--delimiter), and whether the export that wrote it has ended well.",
        )


def too_wide(source: Source) -> str:
    """Return why a row with more cells than there are columns must not be sent."""
    if source.header_row:
        return "The row has more cells than the header: the phone cell may have shifted."
    return "The row has more cells than the first row: the phone cell may have shifted."


def _records(name: str, reader: Iterator[list[str]], source: Source) -> Iterator[list[str]]:
    row = 1
    try:
        for row, cells in enumerate(reader, start=1):
            check_width(name, source, row, len(cells))
            yield cells
    except csv.Error:
        raise InputError(
            phrase(
                "{name}: a cell of row {row} has more than {most:,} characters.",
                name=name,
                row=row + 1,
                most=csv.field_size_limit(),
            ),
            "Check whether the export that wrote it has ended well.",
        ) from None


def _block(source: Source, first_row: int, records: list[list[str]], *, keep: bool) -> RowBlock:
    width = len(source.header)
    kept = [(row, cells) for row, cells in enumerate(records, start=first_row) if not is_blank(cells)]
    empty = [""] * width
    whole = [tuple((cells + empty)[:width]) for _, cells in kept]
    problems = {
        index: too_wide(source)
        for index, (_, cells) in enumerate(kept)
        if len(cells) > width and not is_blank(cells[width:])
    }
    problems |= headers_again(source, [row for row, _ in kept], dict(enumerate(zip(*whole, strict=True))))
    campaigns, codes = (
        [] if column is None else [cells[column] for cells in whole]
        for column in (source.campaign_column, source.code_column)
    )
    return RowBlock(
        source,
        [row for row, _ in kept],
        [cells[source.column] for cells in whole],
        whole if keep else [],
        campaigns,
        problems,
        codes,
        beside=[[cells[column] for cells in whole] for column in source.beside],
    )
