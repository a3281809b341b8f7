"""The report as a workbook: text as text, never as a formula; written row by row, so memory does not grow."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from bulk_remove.core.model import NEVER_SENT, OPEN_STATUSES, REPORT_COLUMNS, Status, harmless
from bulk_remove.report.csv import facts_of, settings_of

SHEET_ROWS = 1_048_576  # the limit of a sheet, its header included (ECMA-376; Excel's own limit)
_COUNTS = frozenset({"row", "removed_records", "attempts", "busy_rounds"})
_WIDTHS = {"file": 18, "row": 9, "status": 20, "detail": 50, "answered_at": 24, "record_ids": 18}
_WIDTH = 16
_SHOWN_FILES = 50
_COLOURS = {  # text and background; the word itself is enough without colours
    Status.REMOVED: ("#0B5A23", "#D3F2DC"),
    Status.NOT_EXIST: ("#2F4458", "#E1E9F1"),
    Status.PRESUMED_REMOVED: ("#07575C", "#D0F0F2"),
    **dict.fromkeys(NEVER_SENT, ("#4A5057", "#ECEEF0")),
    **dict.fromkeys(OPEN_STATUSES, ("#8A1520", "#FCE0E2")),
    Status.CALL_IN_PROGRESS: ("#6B4600", "#FDEBC3"),
}


def write_workbook(
    file: IO[bytes],
    rows: Iterable[Sequence[str]],
    folder: Path,
    summary: Mapping[str, Any],
    sheet_rows: int = SHEET_ROWS,
) -> None:
    """Write rows, the header first, to a binary file; rows that do not fit one sheet go on the next.

    The summary has its own sheet, which is shown first. Programs find the rows on the first sheet.
    """
    # By default XlsxWriter would leave phone numbers in the shared temporary folder if it is killed.
    with TemporaryDirectory(dir=folder, prefix="xlsx-", ignore_cleanup_errors=True) as aside:
        target = _Target(file)
        book = xlsxwriter.Workbook(cast("IO[str]", target), {"constant_memory": True, "tmpdir": aside})
        try:
            _fill_sheets(book, iter(rows), sheet_rows)
            _add_summary(book, summary)
            book.close()
        except FileCreateError as failure:
            raise failure.args[0] from None  # the OSError that caused it
        finally:
            target.file = None
            for sheet in book.worksheets():
                aside_file: IO[str] = cast("IO[str]", sheet.row_data_fh)
                with suppress(OSError):  # on a full disk, the rest cannot be written either
                    aside_file.close()


class _Target:
    """The file to write to, until it is detached: a failed ZipFile writes once more when it is collected."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file: IO[bytes] | None = file
        self._place = 0

    def write(self, data: bytes) -> int:
        if self.file:
            return self.file.write(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self.file.tell() if self.file else self._place

    def seek(self, place: int) -> int:
        self._place = place
        return self.file.seek(place) if self.file else place

    def flush(self) -> None:
        if self.file:
            self.file.flush()


def _fill_sheets(book: xlsxwriter.Workbook, lines: Iterator[Sequence[str]], sheet_rows: int) -> None:
    book.use_zip64()
    bold = book.add_format({"bold": True, "bottom": 1})
    colours = {
        status.value: book.add_format({"font_color": front, "bg_color": back})
        for status, (front, back) in _COLOURS.items()
    }
    header = next(lines)
    sheets = 0
    line: Sequence[str] | None = next(lines, None)
    while line is not None or not sheets:
        sheets += 1
        sheet = book.add_worksheet("Report" if sheets == 1 else f"Report {sheets}")
        begun = [] if line is None else [line]
        count = _fill(sheet, header, chain(begun, islice(lines, sheet_rows - 1 - len(begun))), bold, colours)
        _finish(sheet, header, count)
        line = next(lines, None)


def _fill(
    sheet: Worksheet, header: Sequence[str], lines: Iterable[Sequence[str]], bold: Format, colours: dict[str, Format]
) -> int:
    """Write the header and lines; returns the count of lines."""
    for column, name in enumerate(header):
        sheet.set_column(column, column, _WIDTHS.get(name, _WIDTH))
        sheet.write_string(0, column, name, bold)
    counts = {index for index, name in enumerate(header) if name in _COUNTS}
    status = len(header) - len(REPORT_COLUMNS) + REPORT_COLUMNS.index("status")
    number = 0
    for number, line in enumerate(lines, start=1):
        for column, cell in enumerate(line):
            if not cell:
                continue
            if column in counts:
                sheet.write_number(number, column, int(cell))
            elif column == status:
                sheet.write_string(number, column, cell, colours[cell])
            else:
                sheet.write_string(number, column, cell)
    return number


def _add_summary(book: xlsxwriter.Workbook, summary: Mapping[str, Any]) -> None:
    sheet = book.add_worksheet("Summary")
    bold, wrapped = (book.add_format({"valign": "top", "text_wrap": True, "bold": each}) for each in (True, False))
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 100)
    counts = [f"{name}: {count:,}" for name, count in summary["rows_by_status"].items() if count]
    settings = [f"{name} = {value}" for name, value in settings_of(summary)]
    files = [f"{harmless(each['file'])} (SHA-256 {each['sha256']})" for each in summary["input"]]
    more = [("Rows by status", counts), ("Files read", files[:_SHOWN_FILES]), ("Settings", settings)]
    row = 0
    for name, lines in [("Run", [summary["run_id"]]), *facts_of(summary), *more]:
        for place, line in enumerate(lines):
            if not place:
                sheet.write_string(row, 0, str(name), bold)
            sheet.write_string(row, 1, str(line), wrapped)
            row += 1
    _print_on_pages(sheet)
    sheet.activate()


def _print_on_pages(sheet: Worksheet) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&F&R&P / &N")


def _finish(sheet: Worksheet, header: Sequence[str], count: int) -> None:
    _print_on_pages(sheet)
    sheet.repeat_rows(0)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, count, len(header) - 1)
    # Phone numbers are text on purpose: no green corner in their cells.
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{SHEET_ROWS}"})
