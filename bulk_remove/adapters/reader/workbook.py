"""Reads workbooks: another process does it, `sheets` chooses the sheet and its column, and the rows are set aside.

They lie in a private temporary file once they are read, so that the process need not outlive the opening: how many
workbooks there are, and when their rows are wanted, costs no memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from bulk_remove.adapters.reader.cells import FRAME, Wanted
from bulk_remove.adapters.reader.files import LookedOver
from bulk_remove.adapters.reader.sheets import FoundSheet, find_sheet
from bulk_remove.adapters.reader.spool import Spool
from bulk_remove.adapters.reader.table import ReadOptions, Table, headers_again
from bulk_remove.adapters.reader.workbook_process import WorkbookProcess
from bulk_remove.core.model import RowBlock, Source
from bulk_remove.language import unpacked

_MOST_BYTES = 8 << 30  # the process that reads it gives up before


def open_workbook(looked_over: LookedOver, options: ReadOptions) -> Table:
    """Choose the sheet and its column, and read it.

    Raises InputError when it cannot be used or more than one sheet could be, StorageError when there is no room.
    """
    given = looked_over.given
    rows = Spool(options.spool_dir)
    with looked_over.opened() as file:
        size_bytes = file.seek(0, 2)
        file.seek(0)
        with WorkbookProcess(given.name, given.kind, size_bytes) as workbook:
            found = find_sheet(given.name, workbook, workbook.open(file), options)
            wanted = _wanted(found, options)
            rows.fill(given.name, workbook.read(wanted), _MOST_BYTES)
            result = workbook.result
        looked_over.check_unchanged(file)
    heading = found.heading
    source = Source(
        file=given.file,
        sheet=found.name,
        header=heading.names + ("",) * (result["width"] - len(heading.names)),
        column=heading.column.index,
        column_reason=heading.column.reason,
        encoding="",
        delimiter="",
        sha256=looked_over.sha256,
        size_bytes=looked_over.fingerprint.size_bytes,
        header_row=heading.row,
        campaign_column=heading.campaign,
        code_column=heading.code,
        beside=heading.beside,
        notes=(*heading.notes, *found.notes, *map(unpacked, result["notes"])),
    )
    return _Workbook(source, rows, looked_over)


def _wanted(found: FoundSheet, options: ReadOptions) -> Wanted:
    heading = found.heading
    return Wanted(
        sheet=found.place,
        header_row=heading.row,
        column=heading.column.index,
        campaign=heading.campaign,
        code=heading.code,
        beside=heading.beside,
        keep=options.keep_columns,
        block_rows=options.block_rows,
    )


@dataclass(frozen=True, slots=True)
class _Workbook:
    source: Source
    _rows: Spool
    _looked_over: LookedOver

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows under the header; see Table. A row that ends before the header does is as wide as that."""
        width = len(self.source.header)
        with self._rows.opened() as frames:
            while head := frames.read(FRAME.size):
                first, cells, others, campaigns, codes, beside, shown = orjson.loads(frames.read(*FRAME.unpack(head)))
                rows = range(first, first + len(cells)) if isinstance(first, int) else first
                told = {int(place): text for place, text in shown.items()}
                whole = [(*kept, *([""] * (width - len(kept)))) for kept in others]
                columns = {self.source.column: cells, **dict(zip(self.source.beside, beside, strict=True))}
                if self.source.campaign_column is not None:
                    columns[self.source.campaign_column] = campaigns
                columns |= dict(enumerate(zip(*whole, strict=True)))
                problems = headers_again(self.source, rows, columns)
                yield RowBlock(self.source, rows, cells, whole, campaigns, problems, codes, told, beside)
        with self._looked_over.opened() as file:
            self._looked_over.check_unchanged(file)
