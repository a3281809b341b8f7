"""Reads CSV with pandas' C parser, a block at a time."""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from bulk_remove.adapters.reader.dialect import Dialect, check_quotes, find_dialect
from bulk_remove.adapters.reader.files import Fingerprint, LookedOver, check_unchanged, opened
from bulk_remove.adapters.reader.table import ReadOptions, Table, choose
from bulk_remove.core.model import RowBlock, Source
from bulk_remove.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

_PEEK_BYTES = 32
"""Of a cell that is not kept, enough is read to tell a blank one; text costs five times as much."""
_TOO_MANY_CELLS = re.compile(r"Expected \d+ fields in line (\d+), saw \d+")


def open_delimited(path: str, looked_over: LookedOver, options: ReadOptions) -> Table:
    """Find out how the file is written and choose its column. Raises InputError when it cannot be used."""
    if looked_over.text_fault:
        raise InputError(
            f"{path} {looked_over.text_fault}.",
            "Save it as UTF-8; in Excel, File > Save as > CSV UTF-8.",
        )
    with opened(path) as file:
        dialect = find_dialect(path, file)
    if looked_over.has_quotes:
        with opened(path) as file:
            check_quotes(path, file, dialect.delimiter)
    chosen = choose(path, dialect.header, dialect.samples, options)
    source = Source(
        file=path,
        sheet="",
        header=dialect.header,
        column=chosen.index,
        column_reason=chosen.reason,
        encoding="utf-8-sig" if looked_over.has_bom else "utf-8",
        delimiter=dialect.delimiter,
        sha256=looked_over.sha256,
        size_bytes=looked_over.fingerprint.size_bytes,
    )
    return _Delimited(source, dialect, looked_over.fingerprint, options)


@dataclass(frozen=True, slots=True)
class _Delimited:
    source: Source
    _dialect: Dialect
    _fingerprint: Fingerprint
    _options: ReadOptions

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows under the header; see Table."""
        with opened(self.source.file) as file:
            row = 0  # the line that _WithWidth puts in front
            for frame in self._frames(file):
                below_header = max(0, self._dialect.header_row + 1 - row)
                block = self._block(frame.iloc[below_header:], row + below_header)
                row += len(frame)
                if block.rows:
                    yield block
            check_unchanged(self.source.file, file, self._fingerprint)

    def _frames(self, file: BinaryIO) -> Iterator["pd.DataFrame"]:
        """Yield what pandas makes of the file, `_WithWidth`'s line and the header included."""
        import pandas as pd  # noqa: PLC0415 - half a second that only reading a CSV file should pay

        columns = range(self._dialect.width + 1)
        kept = range(len(self.source.header)) if self._options.keep_columns else [self.source.column]
        try:
            yield from pd.read_csv(
                # A cast: pandas' types ask for a whole file, its parser for read() alone.
                cast("BinaryIO", _WithWidth(file, self._dialect)),
                engine="c",
                sep=self._dialect.delimiter,
                header=None,
                names=columns,
                dtype={column: object if column in kept else f"S{_PEEK_BYTES}" for column in columns},
                na_filter=False,
                skip_blank_lines=False,
                chunksize=self._options.block_rows,
            )
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            check_unchanged(self.source.file, file, self._fingerprint)
            too_many = _TOO_MANY_CELLS.search(str(error))
            if not too_many:  # what was looked over has neither an open quote nor bytes that are not text
                raise
            raise _too_many_cells(self.source.file, int(too_many[1]) - 1) from None

    def _block(self, frame: "pd.DataFrame", first_row: int) -> RowBlock:
        columns = [frame[name].to_numpy() for name in frame]
        width = len(self.source.header)
        self._check_width(columns[width:], first_row)
        cells: list[str] = columns[self.source.column].tolist()
        rows: Sequence[int] = range(first_row, first_row + len(cells))
        if any(not cell or cell.isspace() for cell in cells):
            kept = [index for index in range(len(cells)) if not all(_is_blank(column[index]) for column in columns)]
            rows = [first_row + index for index in kept]
            cells = [cells[index] for index in kept]
            columns = [column[kept] for column in columns]
        others = list(zip(*columns[:width], strict=True)) if self._options.keep_columns else []
        return RowBlock(self.source, rows, cells, others)

    def _check_width(self, beyond: "Sequence[npt.NDArray[np.bytes_]]", first_row: int) -> None:
        for column in beyond:
            for index in (column != b"").nonzero()[0].tolist():
                if not _is_blank(column[index]):
                    raise _too_many_cells(self.source.file, first_row + index)


def _is_blank(cell: str | bytes) -> bool:
    if isinstance(cell, str):
        return not cell or cell.isspace()
    # A cell that fills the peek may go on with text, and may be cut inside a character.
    return not cell or (len(cell) < _PEEK_BYTES and cell.decode().isspace())


def _too_many_cells(path: str, row: int) -> InputError:
    return InputError(
        f"{path}: row {row} has more cells than the header, so it is not certain which one is the phone number.",
        "Put quotes around a cell that holds the delimiter, or give the last columns a name.",
    )


class _WithWidth:
    """The file with a line of empty cells in front, one more than any row should have.

    pandas takes the width of the table from the first line; with this one it hands over what stands past the header
    instead of dropping it. It reads bytes from here without decoding them first, which it would do for a plain file.
    """

    def __init__(self, file: BinaryIO, dialect: Dialect) -> None:
        self._file = file
        self._pieces = iter(
            (dialect.delimiter.encode() * dialect.width + b"\n", file.read(3).removeprefix(codecs.BOM_UTF8))
        )

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)

    def read(self, size: int) -> bytes:
        return next(self._pieces, b"") or self._file.read(size)
