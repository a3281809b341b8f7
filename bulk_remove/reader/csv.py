"""Opens each input by its kind, and reads CSV.

Pandas' C parser reads CSV block by block; Python's csv module reads a short file before pandas were imported. In a row
with fewer cells than the header, the phone cell may be another number that has moved there, so such rows are compared
with whole ones. From the first row that is far wider than the header, Python's csv module reads the rest: pandas stops
there, and such a wide table would cost memory for every row.
"""

import csv
import io
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from bulk_remove.core.columns import CutCode, is_cut_off, is_report_header, may_be_number
from bulk_remove.core.model import RowBlock, Source, harmless
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.errors import InputError, OwnReportError
from bulk_remove.language import counted, phrase
from bulk_remove.reader.source import TEXT_KINDS, LookedOver, SetAside, find_files, look_over, nothing_to_read, take
from bulk_remove.reader.table import (
    TITLE_ROWS,
    Cut,
    ReadOptions,
    Table,
    best,
    block_of,
    find_heading,
    first_rows,
    is_blank,
    own_report,
)
from bulk_remove.reader.text import TextFile, decoded, without_separator_line
from bulk_remove.reader.workbook import WorkbookProcess, open_workbook

_TOO_SHORT = "The row has fewer cells than the header: the phone may be in another column."
_SHORTER_THAN_THE_FIRST = "The row has fewer cells than the first row: the phone may be in another column."
_TOO_WIDE = "The row has more cells than the header: the phone cell may have shifted."
_WIDER_THAN_THE_FIRST = "The row has more cells than the first row: the phone cell may have shifted."
_FIGURES, _TEXT = "0", "-"  # shapes of cells with fewer or more digits than a phone number
_MOST_CELLS_MORE = 1000
"""A row with more cells than this after the header's last is not a row of this table; the rows below are not read."""


class ShortRows:
    """Finds the rows with fewer cells than the header, because pandas fills them up with empty cells."""

    def __init__(self, cut: Cut, header: Sequence[str], header_row: int, phone: int, region: str) -> None:
        below = cut.below(header_row)
        behind = range(phone + 1, len(header))
        named = [*header[: phone + 1], *(header[place] or _cells_of(below, place) for place in behind)]
        while len(named) > phone + 1 and not named[-1]:
            named.pop()
        self._delimiter, self._width, self._phone, self._header_row = cut.delimiter, len(named), phone, header_row
        whole = [cells for cells in below if len(cells) >= self._width and is_blank(cells[self._width :])]
        self._shapes = [frozenset(map(_shape, _cells_of(whole, place))) for place in range(self._width)]
        self._is_sendable = Normaliser(NumberRules(region=region))
        self._shifted = array("Q")
        self._ended, self._shorter = (0, 0), (0, 0)  # how many rows, and the first of them

    def may_be_in(self, text: TextFile) -> bool:
        """Return whether a file without quotes may have a line with too few separators."""
        shapes = text.looked_over.shapes
        if shapes is None or not text.is_utf8:
            return True
        sign = self._delimiter.encode()
        return any(shape.count(sign) < self._width - 1 or b"\r" in shape.rstrip(b"\r") for shape in shapes)

    def add_line(self, row: int, line: str) -> None:
        """Add a row without quotes."""
        if line.count(self._delimiter) + 1 < self._width and not line.isspace():
            self._add(row, line.rstrip("\r\n").split(self._delimiter))

    def add_record(self, row: int, cells: Sequence[str]) -> None:
        """Add a row with quotes."""
        if len(cells) < self._width and not is_blank(cells):
            self._add(row, cells)

    def problems(self, rows: Sequence[int], wide: Sequence[int]) -> dict[int, str]:
        """Return, by index, why some of these rows must not be sent; `wide` are those with more cells than columns."""
        problems = dict.fromkeys(wide, _TOO_WIDE if self._header_row else _WIDER_THAN_THE_FIRST)
        if self._shifted and rows:
            first, end = bisect_left(self._shifted, rows[0]), bisect_right(self._shifted, rows[-1])
            found = set(self._shifted[first:end])
            problem = _TOO_SHORT if self._header_row else _SHORTER_THAN_THE_FIRST
            problems.update((index, problem) for index, row in enumerate(rows) if row in found)
        return problems

    def _add(self, row: int, cells: Sequence[str]) -> None:
        if row <= self._header_row:
            return
        if self._may_have_shifted(cells):
            self._shifted.append(row)
        elif len(cells) <= self._phone:
            self._ended = self._ended[0] + 1, self._ended[1] or row
        else:
            self._shorter = self._shorter[0] + 1, self._shorter[1] or row

    def _may_have_shifted(self, cells: Sequence[str]) -> bool:
        """Return whether a cell before the end of the row may be missing, so that the phone cell is another number."""
        shapes = [_shape(cell) for cell in cells]
        phone = self._phone
        for place, (cell, shape, known) in enumerate(zip(cells, shapes, self._shapes, strict=False)):
            if place == phone or not shape:
                continue
            if _is_number(shape) and (shape not in known or self._is_sendable(cell).number):
                return True
            if (
                known
                and phone < len(cells)
                and shape not in known
                and (shape.isdigit() != any(map(str.isdigit, known)))
            ):
                return True
        if phone >= len(cells) or not _is_number(shapes[phone]):
            return False
        missing = min(self._width - len(cells), self._width - 1 - phone)
        return any(shapes[phone] in known for known in self._shapes[phone + 1 : phone + 1 + missing])

    def notes(self) -> Iterator[str]:
        """Yield sentences about the rows without a phone cell, and about shorter rows that are sent."""
        count, first = self._ended
        if count:
            yield counted(
                count,
                "{count:,} row ends before its phone cell (row {first}); that is read as empty.",
                "{count:,} rows end before their phone cells (the first is row {first}); these are read as empty.",
                first=first,
            )
        count, first = self._shorter
        if count and self._phone:
            yield counted(
                count,
                "{count:,} row has fewer cells than the header (row {first}): if one in front is missing, "
                "its phone cell has shifted.",
                "{count:,} rows have fewer cells than the header (the first is row {first}): if one in front is "
                "missing, their phone cells have shifted.",
                first=first,
            )


def _cells_of(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    """Return the cells of a column that are not blank."""
    return [row[place] for row in rows if place < len(row) and row[place].strip()]


def _shape(cell: str) -> str:
    """Return the count of digits if the cell looks like a whole phone number; else its kind, or nothing if empty."""
    if not cell.strip():
        return ""
    if may_be_number(cell):
        return str(sum(map(str.isdigit, cell)))
    return _FIGURES if cell.strip().isdecimal() else _TEXT


def _is_number(shape: str) -> bool:
    return shape not in {"", _FIGURES, _TEXT}


def check_quotes(text: TextFile, delimiter: str, shorter: ShortRows | None = None) -> None:
    """Raise InputError if quotes are not balanced (pandas would lose whole rows in a cell); find shorter rows."""
    row, inside = 0, False

    def quoted(lines: Iterable[str]) -> Iterator[str]:
        """Yield the lines of records with a quote. All others are only counted, which is ten times as fast."""
        nonlocal row, inside
        for line in lines:
            row += not inside
            if inside or '"' in line:
                inside = True
                yield line
            elif shorter:
                shorter.add_line(row, line)

    with text.characters() as characters:
        try:
            for cells in csv.reader(quoted(characters), delimiter=delimiter, strict=True):
                inside = False
                if shorter:
                    shorter.add_record(row, cells)
        except csv.Error:
            raise InputError(
                "{name}: the quotes of row {row} are not balanced.",
                'Write a quote inside a quoted cell twice (""), and close every quote.',
                name=text.looked_over.name,
                row=row,
            ) from None


if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

_PEEK_BYTES = 32  # enough of a cell that is not kept to see whether it is blank; text would cost five times as much
_MOST_TRAILING = 64  # The most empty columns after the header that pandas reads. Each costs _PEEK_BYTES a row.
_CUT_OFF = "The file ends here without a line end, and the number is shorter than the others: it may be cut off."
_CUT_CODE = (
    "The file ends here without a line end, and the number is shorter than others that begin with the same "
    "country code: it may be cut off."
)
_SHORT_BYTES = csv.field_size_limit()
"""Up to this size Python's csv module reads a whole file sooner than pandas is imported. No cell can be too long."""
_TOO_MANY_CELLS = re.compile(r"Expected \d+ fields in line (\d+), saw (\d+)")


def _open_delimited(looked_over: LookedOver, options: ReadOptions) -> Table:
    """Detect the format of the file and choose its column."""
    text = without_separator_line(decoded(looked_over, options.encoding))
    cuts = first_rows(text, options.delimiter)
    if not options.own_report and any(is_report_header(cells) for _, cells in cuts[0].rows[:TITLE_ROWS]):
        raise own_report(looked_over.file)
    try:
        heading = find_heading(looked_over.name, cuts, options)
    except InputError:
        if text.has_quotes:  # an open quote takes in whole rows, so no cell is in its place
            check_quotes(text, best([(cut, cut.rows[0][0]) for cut in cuts])[0].delimiter)
        raise
    cut, place = heading.cut, heading.column.index
    shorter = ShortRows(cut, heading.names, heading.row, place, options.region)
    if text.has_quotes or shorter.may_be_in(text):
        check_quotes(text, cut.delimiter, shorter)
    source = heading.source(looked_over, (*text.notes, *heading.notes, *shorter.notes()), encoding=text.encoding)
    last: list[str] = []
    if looked_over.ends_open:
        *_, last = [[], *csv.reader([text.last_line()], delimiter=cut.delimiter)]
    others = [cells[place] for cells in cut.below(heading.row) if cells != tuple(last) and place < len(cells)]
    number = last[place] if len(last) == place + 1 else ""
    width = min(max(len(cells) for _, cells in cut.rows), len(heading.names) + _MOST_TRAILING)
    return _Delimited(source, text, width, options, number, number != "" and is_cut_off(number, others), shorter)


@dataclass(frozen=True, slots=True)
class _Delimited:
    source: Source
    _text: TextFile
    _width: int
    _options: ReadOptions
    _last: str  # the phone cell that ends a file without a final line end
    _is_shorter: bool  # whether that is shorter than the others
    _shorter: ShortRows

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows under the header; see Table."""
        with self._text.looked_over.opened() as file:
            is_short = file.seek(0, io.SEEK_END) <= _SHORT_BYTES
        blocks = self._read_by_csv(self.source.header_row) if is_short else self._read_by_pandas()
        code = CutCode(self._last, self._options.region) if self._last else None
        if code is None or not (self._is_shorter or code.possible):
            yield from blocks
            return
        last = None
        for block in blocks:
            if last:
                yield last
            last = block
            if not self._is_shorter:
                code.add(block.cells)
        if last and (self._is_shorter or code.found):
            problem = _CUT_OFF if self._is_shorter else _CUT_CODE
            last = replace(last, problems={**last.problems, len(last.rows) - 1: problem})
        if last:
            yield last

    def _read_by_csv(self, done: int) -> Iterator[RowBlock]:
        """Yield the blocks of the rows after the row with the number `done`."""
        row = 0
        records: list[tuple[int, list[str]]] = []
        with self._text.characters() as characters:
            try:
                for row, cells in enumerate(csv.reader(characters, delimiter=self.source.delimiter), start=1):
                    if len(cells) > len(self.source.header) + _MOST_CELLS_MORE:
                        raise self._too_wide(row, len(cells))
                    if row > done:
                        records.append((row, cells))
                    if len(records) == self._options.block_rows:
                        yield from self._block_of(records)
                        records = []
            except csv.Error:
                raise InputError(
                    "{name}: a cell of row {row} has more than {most:,} characters.",
                    "Check that the export was finished.",
                    name=self._text.looked_over.name,
                    row=row + 1,
                    most=csv.field_size_limit(),
                ) from None
            yield from self._block_of(records)

    def _block_of(self, records: Sequence[tuple[int, list[str]]]) -> Iterator[RowBlock]:
        """Yield a block of the rows that are not blank, if there are any."""
        width = len(self.source.header)
        kept = [(row, cells) for row, cells in records if not is_blank(cells)]
        if kept:
            rows = [row for row, _ in kept]
            whole = [tuple((cells + [""] * width)[:width]) for _, cells in kept]
            wide = [index for index, (_, cells) in enumerate(kept) if not is_blank(cells[width:])]
            columns: dict[int, Any] = {place: [*cells] for place, cells in enumerate(zip(*whole, strict=True))}
            others = whole if self._options.keep_columns else ()
            yield block_of(self.source, rows, columns, others, self._shorter.problems(rows, wide))

    def _too_wide(self, row: int, cells: int) -> InputError:
        """Return the error for a row with so many cells that it cannot be a row of this table."""
        return InputError(
            "{name}: row {row} has {cells:,} cells under a header of {count:,}.",
            "Check the delimiter (--delimiter), and whether the export was finished.",
            name=self._text.looked_over.name,
            row=row,
            cells=cells,
            count=len(self.source.header),
        )

    def _read_by_pandas(self) -> Iterator[RowBlock]:
        import pandas as pd  # noqa: PLC0415 - half a second that only reading a CSV file should pay

        row = 0  # the line that _WithWidth adds
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
            if not too_many:  # the earlier check found no open quote and no bytes that are not text
                raise
            row_number, cells = int(too_many[1]) - 1, int(too_many[2])
            if cells > len(self.source.header) + _MOST_CELLS_MORE:
                raise self._too_wide(row_number, cells) from None
        yield from self._read_by_csv(max(row - 1, self.source.header_row))

    def _frames(self, read: Callable[[int], bytes]) -> Iterator["pd.DataFrame"]:
        """Yield the frames that pandas reads, including `_WithWidth`'s line and the header."""
        import pandas as pd  # noqa: PLC0415 - half a second that only reading a CSV file should pay

        columns = range(self._width + 1)
        kept = {self.source.column, self.source.campaign_column, self.source.code_column, *self.source.beside}
        if self._options.keep_columns:
            kept.update(range(len(self.source.header)))
        yield from pd.read_csv(
            # A cast: pandas' types require a whole file, its parser only read().
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
        passed_on = {self.source.campaign_column, self.source.code_column, *self.source.beside}
        named: dict[int, Any] = {
            place: each.tolist() if place in passed_on else each for place, each in enumerate(columns[:width])
        }
        named[self.source.column] = cells
        return block_of(self.source, rows, named, others, self._shorter.problems(rows, wide))


def _filled(beyond: "Sequence[npt.NDArray[np.bytes_]]") -> Sequence[int]:
    """Return the indexes of the rows with text other than white space in these columns."""
    return sorted(
        {index for column in beyond for index in (column != b"").nonzero()[0].tolist() if not _is_blank(column[index])}
    )


def _is_blank(cell: str | bytes) -> bool:
    if isinstance(cell, str):
        return not cell or cell.isspace()
    # A cell that fills the peek may continue with text, and may be cut inside a character.
    return not cell or (len(cell) < _PEEK_BYTES and cell.decode().isspace())


class _WithWidth:
    """The file with a line of empty cells before it: pandas takes the width of the table from the first line."""

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


def open_tables(names: Sequence[str], options: ReadOptions) -> tuple[list[Table], tuple[str, ...]]:
    """Open each file that these names mean; return the tables, and sentences about the files left out."""
    places = find_files(names)
    tables, notes = [], [*places.notes]
    for file in places.files:
        try:
            tables.append(open_table(file, options))
        except OwnReportError:
            if file not in places.found:
                raise
            notes.append(phrase("{file} is a report of this tool; it is left out.", file=harmless(file)))
    if not tables:
        raise nothing_to_read(names[0])
    return tables, tuple(notes)


def sheets_of(path: str, options: ReadOptions, copy: SetAside | None = None) -> tuple[str, ...]:
    """Return the names of a workbook's sheets, none for a text file. Raises InputError."""
    given = take(path, options.spool_dir, copy)
    if given.kind in TEXT_KINDS:
        return ()
    with given.opened() as file:
        size_bytes = file.seek(0, 2)
        file.seek(0)
        with WorkbookProcess(given.name, given.kind, size_bytes) as workbook:
            return tuple(name for name, _ in workbook.open(file))


def open_table(path: str, options: ReadOptions, copy: SetAside | None = None) -> Table:
    """Read the whole input once and choose its phone column; `path` is a file, or - for standard input."""
    looked_over = look_over(take(path, options.spool_dir, copy))
    table = (_open_delimited if looked_over.kind in TEXT_KINDS else open_workbook)(looked_over, options)
    if next(table.blocks(), None) is None:
        hint = "Check that the export was finished."
        raise InputError("{path} has no rows under its header.", hint, path=looked_over.name)
    return table
