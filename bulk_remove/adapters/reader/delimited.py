"""Reads CSV with pandas' C parser, a block at a time."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, cast

from bulk_remove.adapters.reader.dialect import Cut, best, first_rows
from bulk_remove.adapters.reader.encoding import decoded
from bulk_remove.adapters.reader.files import LookedOver
from bulk_remove.adapters.reader.heading import Heading, check_is_list, find_heading
from bulk_remove.adapters.reader.ragged import ShortRows, check_quotes, check_width, ragged_blocks, too_wide
from bulk_remove.adapters.reader.table import ReadOptions, Table, headers_again
from bulk_remove.adapters.reader.text import TextFile, without_separator_line
from bulk_remove.core.lookalikes import is_cut_off
from bulk_remove.core.model import RowBlock, Source
from bulk_remove.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

_PEEK_BYTES = 32
"""Of a cell that is not kept, enough is read to tell a blank one; text costs five times as much."""
_MOST_TRAILING = 64
"""How many columns past the header pandas is given: empty cells at the end of rows. Each costs _PEEK_BYTES a row."""
_CUT_OFF = "The file ends here without a line end, and the number is shorter than the others: it may be cut off."
_TOO_MANY_CELLS = re.compile(r"Expected \d+ fields in line (\d+), saw (\d+)")


def open_delimited(looked_over: LookedOver, options: ReadOptions) -> Table:
    """Find out how the file is written and choose its column.

    Raises InputError when it cannot be used, UsageError for an encoding or a delimiter that there is not.
    """
    text = without_separator_line(decoded(looked_over, options.encoding))
    heading = _heading(text, options)
    (cut,) = first_rows(text, heading.delimiter)
    shorter = ShortRows(cut, heading.names, heading.row, heading.column.index, options.region)
    if text.has_quotes or shorter.may_be_in(text):
        check_quotes(text, heading.delimiter, shorter)
    source = Source(
        file=looked_over.given.file,
        sheet="",
        header=heading.names,
        column=heading.column.index,
        column_reason=heading.column.reason,
        encoding=text.encoding,
        delimiter=heading.delimiter,
        sha256=looked_over.sha256,
        size_bytes=looked_over.fingerprint.size_bytes,
        header_row=heading.row,
        campaign_column=heading.campaign,
        code_column=heading.code,
        beside=heading.beside,
        notes=(
            *(looked_over.given.aside.notes if looked_over.given.aside else ()),
            *text.notes,
            *heading.notes,
            *shorter.notes(),
        ),
    )
    width = min(heading.width, len(heading.names) + _MOST_TRAILING)
    return _Delimited(source, text, width, options, _ends_inside_a_number(text, heading, cut), shorter)


def _ends_inside_a_number(text: TextFile, heading: Heading, cut: Cut) -> bool:
    """Tell whether the file ends, without a line end, behind a phone number that is shorter than the others."""
    if not text.looked_over.ends_open:
        return False
    *_, last = [[], *csv.reader([text.last_line()], delimiter=heading.delimiter)]
    others = [cells for cells in cut.below(heading.row) if cells != tuple(last)]
    place = heading.column.index
    return len(last) == place + 1 and is_cut_off(last[place], [cells[place] for cells in others if place < len(cells)])


def _heading(text: TextFile, options: ReadOptions) -> Heading:
    cuts = first_rows(text, options.delimiter)
    check_is_list(text.looked_over.given.path, cuts[0], options)
    try:
        return find_heading(text.name, cuts, options)
    except InputError:
        if text.has_quotes:  # an open quote swallows whole rows, so nothing is where it should be
            check_quotes(text, best([(cut, cut.rows[0][0]) for cut in cuts])[0].delimiter)
        raise


@dataclass(frozen=True, slots=True)
class _Delimited:
    source: Source
    _text: TextFile
    _width: int
    _options: ReadOptions
    _cut_off: bool
    _shorter: ShortRows

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows under the header; see Table."""
        blocks = self._blocks()
        if not self._cut_off:
            yield from blocks
            return
        last = next(blocks, None)
        for block in blocks:
            if last:
                yield last
            last = block
        if last:
            yield replace(last, problems={**last.problems, len(last.rows) - 1: _CUT_OFF})

    def _blocks(self) -> Iterator[RowBlock]:
        import pandas as pd  # noqa: PLC0415 - half a second that only reading a CSV file should pay

        row = 0  # the line that _WithWidth puts in front
        try:
            with self._text.utf8() as read:
                for frame in self._frames(read):
                    below_header = max(0, self.source.header_row + 1 - row)
                    block = self._block(frame.iloc[below_header:], row + below_header)
                    row += len(frame)
                    if block.rows:
                        yield block
                return
        except pd.errors.ParserError as error:
            too_many = _TOO_MANY_CELLS.search(str(error))
            if not too_many:  # what was looked over has neither an open quote nor bytes that are not text
                raise
            check_width(self._text.name, self.source, int(too_many[1]) - 1, int(too_many[2]))
        yield from ragged_blocks(
            self._text, self.source, max(row - 1, self.source.header_row), self._options, self._shorter
        )

    def _frames(self, read: Callable[[int], bytes]) -> Iterator["pd.DataFrame"]:
        """Yield what pandas makes of the file, `_WithWidth`'s line and the header included."""
        import pandas as pd  # noqa: PLC0415 - half a second that only reading a CSV file should pay

        columns = range(self._width + 1)
        kept = {self.source.column, self.source.campaign_column, self.source.code_column, *self.source.beside}
        if self._options.keep_columns:
            kept.update(range(len(self.source.header)))
        yield from pd.read_csv(
            # A cast: pandas' types ask for a whole file, its parser for read() alone.
            cast("BinaryIO", _WithWidth(read, self.source.delimiter, self._width)),
            engine="c",
            sep=self.source.delimiter,
            header=None,
            names=columns,
            dtype={column: object if column in kept else f"S{_PEEK_BYTES}" for column in columns},
            na_filter=False,
            skip_blank_lines=False,
            chunksize=self._options.block_rows,
        )

    def _block(self, frame: "pd.DataFrame", first_row: int) -> RowBlock:
        columns = [frame[name].to_numpy() for name in frame]
        width = len(self.source.header)
        wide = _filled(columns[width:])
        cells: list[str] = columns[self.source.column].tolist()
        rows: Sequence[int] = range(first_row, first_row + len(cells))
        if "" in cells or any(map(str.isspace, cells)):
            kept = [index for index in range(len(cells)) if not all(_is_blank(column[index]) for column in columns)]
            rows = [first_row + index for index in kept]
            cells = [cells[index] for index in kept]
            columns = [column[kept] for column in columns]
            wide = [index for index, row in enumerate(rows) if row - first_row in wide] if wide else wide
        others = list(zip(*columns[:width], strict=True)) if self._options.keep_columns else []
        campaigns, codes = (
            [] if column is None else columns[column].tolist()
            for column in (self.source.campaign_column, self.source.code_column)
        )
        problems = dict.fromkeys(wide, too_wide(self.source))
        problems |= self._shorter.problems(rows)
        problems |= headers_again(self.source, rows, {**dict(enumerate(columns[:width])), self.source.column: cells})
        beside = [columns[index].tolist() for index in self.source.beside]
        return RowBlock(self.source, rows, cells, others, campaigns, problems, codes, beside=beside)


def _filled(beyond: "Sequence[npt.NDArray[np.bytes_]]") -> Sequence[int]:
    """Return the indexes of the rows that hold more than white space in these columns."""
    return sorted(
        {index for column in beyond for index in (column != b"").nonzero()[0].tolist() if not _is_blank(column[index])}
    )


def _is_blank(cell: str | bytes) -> bool:
    if isinstance(cell, str):
        return not cell or cell.isspace()
    # A cell that fills the peek may go on with text, and may be cut inside a character.
    return not cell or (len(cell) < _PEEK_BYTES and cell.decode().isspace())


class _WithWidth:
    """The file with a line of empty cells in front, one more than any row should have.

    pandas takes the width of the table from the first line; with this one it hands over what stands past the header
    instead of dropping it. It reads bytes from here without decoding them first, which it would do for a plain file.
    """

    def __init__(self, read: Callable[[int], bytes], delimiter: str, width: int) -> None:
        self._read = read
        self._first = delimiter.encode() * width + b"\n"

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 16), b"")

    def read(self, size: int) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return self._read(size)
