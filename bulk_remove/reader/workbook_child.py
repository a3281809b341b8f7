"""The process that reads one workbook for another process, which survives whatever a bad file does.

Standard input has a line that describes the workbook, the workbook itself, and then requests, each a line of JSON. The
answers are JSON, each after its length in four bytes: the sheets; the first rows of one; or all rows of one in blocks,
followed by notes for the operator. A workbook under another kind's name is refused.
"""

import datetime as dt
import signal
import struct
import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from io import BytesIO
from itertools import dropwhile, islice
from typing import Any, BinaryIO

import orjson

from bulk_remove.errors import InputError
from bulk_remove.language import counted, ours, packed, phrase
from bulk_remove.reader.cells import (
    FRAME,
    Cell,
    DamagedError,
    GivenWorkbook,
    Layout,
    Odd,
    Package,
    ProtectedError,
    Row,
    Sheet,
    WantedCells,
    campaign_text,
    cell_text,
    expands_too_far,
    most_expanded_bytes,
    phone_text,
    phone_texts,
    picked,
)
from bulk_remove.reader.ods import sheets_of_ods
from bulk_remove.reader.xls import sheets_of_xls, sheets_of_xlsb
from bulk_remove.reader.xlsx import sheets_of_xlsx

_LOOKED_AT_BYTES = 4096
_MOST_SHEETS = 1000
_ZIP_START, _OLE_START = b"PK", bytes.fromhex("D0CF11E0A1B11AE1")
_MANIFEST, _ENCRYPTED = "meta-inf/manifest.xml", b"encryption-data"  # OpenDocument 1.3, part 2
_FAMILIES = {".xlsx": ".xlsx", ".xlsm": ".xlsx", ".xlsb": ".xlsb", ".xls": ".xls", ".ods": ".ods"}
_NAMES = {
    ".xlsx": "an Excel workbook (.xlsx)",
    ".xlsb": "an Excel binary workbook (.xlsb)",
    ".xls": "an old Excel workbook (.xls)",
    ".ods": "an OpenDocument spreadsheet (.ods)",
}
_STARTS = (
    (b"\x1f\x8b", "a file packed with gzip"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a text document (RTF)"),
    *((start, "a workbook of Excel 4 or earlier") for start in (b"\t\0\4\0", b"\t\2\6\0", b"\t\4\6\0")),
)
_HTML = (b"<html", b"<!doctype html", b"<table", b"<head", b"<body", b"<meta")
_FLAT_OPENDOCUMENT = b"urn:oasis:names:tc:opendocument"
_EXCEL_2003 = b"urn:schemas-microsoft-com:office:spreadsheet"


def open_sheets(given: GivenWorkbook, file: BinaryIO) -> Sequence[Sheet]:
    """Return the sheets of a workbook if it is of the kind of its suffix; an empty suffix accepts any kind."""
    start = file.read(_LOOKED_AT_BYTES)
    file.seek(0)
    if start.startswith(_OLE_START):
        found, stream = _in_compound_file(file)
    elif start.startswith(_ZIP_START):
        package = Package(given.path, file)
        found = _in_package(package)
    else:
        found = _elsewhere(start)
    if found != _FAMILIES.get(given.kind, found) or found not in _NAMES:
        raise _is_something_else(given, found)
    if found == ".xls":
        sheets: Sequence[Sheet] = sheets_of_xls(stream)
    elif found == ".ods":
        sheets = sheets_of_ods(package, given.sampled_rows)
    else:
        sheets = sheets_of_xlsx(package) if found == ".xlsx" else sheets_of_xlsb(package)
    if len(sheets) > _MOST_SHEETS:
        raise InputError(
            "{path} has more than {count:,} sheets.",
            "Save the sheet with the numbers as CSV.",
            path=given.path,
            count=_MOST_SHEETS,
        )
    return sheets


def _is_something_else(given: GivenWorkbook, found: str) -> InputError:
    return InputError(
        phrase(
            "{path} is not what {expected}: it is {kind}.",
            path=given.path,
            expected=phrase("its name says") if given.kind else phrase("is read"),
            kind=ours(_NAMES.get(found, found)),
        ),
        phrase("Rename it so that its name ends in {found}.", found=found)
        if found in _NAMES
        else "Open it in the program that it belongs to and save it as an Excel workbook (.xlsx) or as CSV.",
    )


def _in_compound_file(file: BinaryIO) -> tuple[str, bytes]:
    """Return the kind of a compound file, and the stream of a workbook."""
    import olefile  # noqa: PLC0415 - only an old workbook should pay for it

    with olefile.OleFileIO(file) as streams:
        names = {name[0].casefold(): name for name in streams.listdir() if len(name) == 1}
        if "encryptedpackage" in names:
            raise ProtectedError
        name = names.get("workbook") or names.get("book")
        if not name:
            return "a document of another program", b""
        stream = streams.openstream(name).read()
        if len(stream) < streams.get_size(name):
            raise DamagedError
        return ".xls", stream


def _in_package(package: Package) -> str:
    if _ENCRYPTED in package.index(_MANIFEST):
        raise ProtectedError
    if package.ending_with("workbook.xml"):
        return ".xlsx"
    if package.ending_with("workbook.bin"):
        return ".xlsb"
    if "content.xml" in package:
        return ".ods"
    return "a zip archive without a workbook in it"


def _elsewhere(start: bytes) -> str:
    small = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, name in _STARTS:
        if start.startswith(beginning):
            return name
    if small.startswith(_HTML):
        return "a web page (HTML)"
    if _EXCEL_2003 in small:
        return "a spreadsheet in XML of Excel 2003"
    if small.startswith((b"<?xml", b"<")):
        return "a flat OpenDocument file" if _FLAT_OPENDOCUMENT in small else "an XML file"
    control = sum(byte < ord(" ") and byte not in b"\t\r\n\f" for byte in start)
    if not control and len(start.decode("utf-8", "ignore").encode()) > len(start) - 4:
        return "text, such as CSV"
    raise DamagedError


_DAMAGE = (ArithmeticError, LookupError, OSError, ValueError, struct.error, zlib.error)
"""Raised for impossible numbers, positions and sizes in a file."""
_REFUSALS = (
    (
        ProtectedError,
        "{path} is protected with a password.",
        "Open it in the program that wrote it and save it without a password; in Excel, File > Info > Protect.",
    ),
    (
        MemoryError,
        "{path} takes more than {size} MB of memory to read; a list of numbers does not.",
        "Delete all other sheets and columns, or save the sheet with the numbers as CSV.",
    ),
)
_DAMAGED = (
    "{path} is damaged, or not a workbook.",
    "Check that it was copied completely; if so, open it in Excel and save it again as .xlsx.",
)
_LEAST_SAMPLED, _SAMPLED_CELLS = 30, 200_000
"""The rows, and cells, of a sample for choosing the column: each cell takes microseconds to judge."""
_MORE_SECONDS = 5  # after these the system ends this process, in case the parent no longer can
_PLAIN = {str, int, float, bool, dt.date, dt.datetime, dt.time, dt.timedelta}


def main() -> None:
    """Answer the requests on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this process
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    given = GivenWorkbook(*orjson.loads(requests.readline()))
    _limit(given)
    with suppress(BrokenPipeError):  # the parent is gone
        for answer in answers(given, requests):
            replies.write(answer)
            replies.flush()


def answers(given: GivenWorkbook, requests: BinaryIO) -> Iterator[bytes]:
    """Yield the answers to the requests, each a frame; if something is wrong, the last answer says what."""
    left = most_bytes = most_expanded_bytes(given.size_bytes)
    try:
        for answer in _answers(given, requests):
            frame = _frame(answer)
            left -= len(frame)
            if left < 0:
                raise expands_too_far(given.path, most_bytes)
            yield frame
    except InputError as error:
        yield _frame({"sentence": packed(error.sentence), "hint": packed(error.hint)})
    except (ProtectedError, DamagedError, MemoryError, *_DAMAGE) as error:
        sentence, hint = next((texts for kind, *texts in _REFUSALS if isinstance(error, kind)), _DAMAGED)
        told = InputError(sentence, hint, path=given.path, size=given.most_bytes >> 20)
        yield _frame({"sentence": packed(told.sentence), "hint": packed(told.hint)})


def _limit(given: GivenWorkbook) -> None:
    """Limit memory and time where the system can, and keep cells out of core dumps."""
    with suppress(ImportError):
        resource = import_module("resource")  # missing on Windows
        seconds = given.most_seconds + _MORE_SECONDS
        # On Linux, RLIMIT_DATA counts allocated memory, not the mapped files of libraries and languages.
        memory = "RLIMIT_DATA" if sys.platform == "linux" else "RLIMIT_AS"
        limits = {"RLIMIT_CORE": 0, memory: given.most_bytes, "RLIMIT_CPU": seconds}
        for name, most in limits.items():
            with suppress(AttributeError, OSError, ValueError):  # limits that this system does not know or allow
                resource.setrlimit(getattr(resource, name), (most, most))


def _answers(given: GivenWorkbook, requests: BinaryIO) -> Iterator[Any]:
    sheets = open_sheets(given, BytesIO(requests.read(given.size_bytes)))
    yield [(sheet.name, sheet.hidden) for sheet in sheets]
    while line := requests.readline():
        request = orjson.loads(line)
        if "sample" in request:
            yield _sample(sheets[request["sample"]].first_rows(given.sampled_rows))
        else:
            wanted = WantedCells(**request)
            reading = _Reading(wanted, sheets[wanted.sheet])
            yield from reading.blocks()
            yield {"notes": [packed(note) for note in reading.notes()], "width": reading.width}


def _frame(answer: Any) -> bytes:
    text = orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS)
    return FRAME.pack(len(text)) + text


def _sample(rows: Sequence[Row]) -> list[tuple[int, list[str]]]:
    """Return the numbers and texts of rows, all as wide as the widest; very wide rows lose their end."""
    width = max((len(cells) for _, _, cells in rows), default=0)
    rows = rows[: max(_LEAST_SAMPLED, _SAMPLED_CELLS // max(1, width))]
    return [(number, [*map(phone_text, cells)] + [""] * (width - len(cells))) for number, _, cells in rows]


class _Reading:
    """Reads the rows of a sheet, and counts what the operator should know."""

    def __init__(self, wanted: WantedCells, sheet: Sheet) -> None:
        self._wanted = wanted
        self._layout = Layout()
        wished = (wanted.column, wanted.campaign, wanted.code, *wanted.beside)
        self._columns = columns = [each for each in dict.fromkeys(wished) if each is not None]
        self._rows: Iterator[Row] = sheet.rows(None if wanted.keep else columns, self._layout)
        self._filled = array("I")
        self._hidden_rows = self._unseen = 0
        self.width = 0

    def blocks(self) -> Iterator[tuple[Any, ...]]:
        """Yield rows, phone cells, all cells, campaigns, codes, other columns, and what is shown for phone cells."""
        rows = dropwhile(lambda row: row[0] <= self._wanted.header_row, map(self._counted, self._rows))
        while block := list(islice(rows, self._wanted.block_rows)):
            numbers = [number for number, _, _ in block]
            texts: Sequence[Sequence[str]] = ()
            columns: Sequence[Sequence[Cell]] = [cells for _, _, cells in block]
            if self._wanted.keep:
                texts = [[*map(cell_text, cells)] for cells in columns]
                self.width = max(self.width, *map(len, texts))
                columns = [picked(cells, self._columns) for cells in columns]
            by_column = dict(zip(self._columns, zip(*columns, strict=True), strict=True))
            phones = by_column[self._wanted.column]
            campaigns = () if self._wanted.campaign is None else by_column[self._wanted.campaign]
            codes = () if self._wanted.code is None else by_column[self._wanted.code]
            cells = phone_texts(phones)
            self._filled.extend(number for number, cell in zip(numbers, cells, strict=True) if cell.strip())
            plain = numbers[-1] - numbers[0] == len(numbers) - 1
            yield (
                numbers[0] if plain else numbers,
                cells,
                texts,
                [*map(campaign_text, campaigns)],
                [*map(cell_text, codes)],
                [[*map(cell_text, by_column[each])] for each in self._wanted.beside],
                {} if _PLAIN.issuperset(map(type, phones)) else self._odd(phones),
            )

    def _counted(self, row: Row) -> Row:
        self._hidden_rows += row[1]
        return row

    def _odd(self, phones: Sequence[Cell]) -> dict[int, str]:
        odd = {place: cell.shown for place, cell in enumerate(phones) if isinstance(cell, Odd)}
        self._unseen += sum(not shown for shown in odd.values())
        return {place: shown for place, shown in odd.items() if shown}

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each noteworthy count, once all rows are read."""
        covered = sum(map(self._count_covered, self._layout.merged))
        if rows := self._hidden_rows:
            yield counted(
                rows,
                "{count} row is hidden or filtered out in the sheet; it is read like the others.",
                "{count} rows are hidden or filtered out in the sheet; they are read like the others.",
            )
        if any(self._wanted.column in hidden for hidden in self._layout.hidden_columns):
            yield "The phone column is hidden in the sheet."
        if covered:
            yield counted(
                covered,
                "{count} phone cell lies under a merged cell and is not visible; it is read like the others.",
                "{count} phone cells lie under merged cells and are not visible; they are read like the others.",
            )
        if unseen := self._unseen:
            yield counted(
                unseen,
                "{count} phone cell has a number format that shows nothing; it is read like the others.",
                "{count} phone cells have a number format that shows nothing; they are read like the others.",
            )

    def _count_covered(self, area: tuple[int, int, int, int]) -> int:
        """Count the phone cells that an area covers; the one in its upper left corner is visible."""
        top, bottom, left, right = area
        if not left <= self._wanted.column <= right:
            return 0
        first = top + (left == self._wanted.column)
        return max(0, bisect_right(self._filled, bottom) - bisect_left(self._filled, first))
