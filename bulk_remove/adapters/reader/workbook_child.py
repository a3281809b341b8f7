"""The process that reads one workbook for another one: what is in a file can cost neither its memory nor its life.

Standard input brings a line that says what is given, the workbook itself, and then requests, each a line of JSON. The
answers are JSON, each behind its length in four bytes: the sheets; the first rows of one; or all rows of one in blocks,
and then what the operator must be told of them. Where the workbook cannot be read, the answer says so.
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

from bulk_remove.adapters.reader.cells import (
    FRAME,
    Cell,
    DamagedError,
    Given,
    Layout,
    Odd,
    ProtectedError,
    Row,
    Sheet,
    Wanted,
    campaign_text,
    cell_text,
    phone_text,
    phone_texts,
    picked,
)
from bulk_remove.adapters.reader.contents import open_sheets
from bulk_remove.adapters.reader.package import expands_too_far, most_expanded_bytes
from bulk_remove.errors import InputError
from bulk_remove.language import counted, packed, phrase

_DAMAGE = (ArithmeticError, LookupError, OSError, ValueError, struct.error, zlib.error)
"""What comes of numbers, places and sizes in a file that cannot be."""
_MORE_SECONDS = 5
"""After these the system ends this process, if nobody is left to do it."""
_PLAIN = {str, int, float, bool, dt.date, dt.datetime, dt.time, dt.timedelta}


def main() -> None:
    """Answer the requests on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this process
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    given = Given(*orjson.loads(requests.readline()))
    _limit(given)
    with suppress(BrokenPipeError):  # nobody wants to know any more
        for answer in answers(given, requests):
            replies.write(answer)
            replies.flush()


def answers(given: Given, requests: BinaryIO) -> Iterator[bytes]:
    """Yield the answers to the requests, each a frame; the last one says what is wrong where something is."""
    left = most_bytes = most_expanded_bytes(given.size_bytes)
    try:
        for answer in _answers(given, requests):
            frame = _frame(answer)
            left -= len(frame)
            if left < 0:
                raise expands_too_far(given.path, most_bytes)
            yield frame
    except InputError as error:
        yield _refusal(error)
    except ProtectedError:
        yield _refusal(_protected(given.path))
    except (DamagedError, *_DAMAGE):
        yield _refusal(_damaged(given.path))
    except MemoryError:
        yield _refusal(_too_large(given))


def _limit(given: Given) -> None:
    """Limit memory and time where the system can, and keep the cells of a process that dies out of core dumps."""
    with suppress(ImportError):
        resource = import_module("resource")  # Windows has none
        seconds = given.most_seconds + _MORE_SECONDS
        # Linux counts in RLIMIT_DATA what is allocated, not the files of libraries and languages that are mapped.
        memory = "RLIMIT_DATA" if sys.platform == "linux" else "RLIMIT_AS"
        limits = {"RLIMIT_CORE": 0, memory: given.most_bytes, "RLIMIT_CPU": seconds}
        for name, most in limits.items():
            with suppress(AttributeError, OSError, ValueError):  # what this system does not know or allow
                resource.setrlimit(getattr(resource, name), (most, most))


def _answers(given: Given, requests: BinaryIO) -> Iterator[Any]:
    sheets = open_sheets(given, BytesIO(requests.read(given.size_bytes)))
    yield [(sheet.name, sheet.hidden) for sheet in sheets]
    while line := requests.readline():
        request = orjson.loads(line)
        if "sample" in request:
            yield _sample(sheets[request["sample"]].first_rows(given.sampled_rows))
        else:
            wanted = Wanted(**request)
            reading = _Reading(wanted, sheets[wanted.sheet])
            yield from reading.blocks()
            yield {"notes": [packed(note) for note in reading.notes()], "width": reading.width}


def _frame(answer: Any) -> bytes:
    text = orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS)
    return FRAME.pack(len(text)) + text


def _refusal(error: InputError) -> bytes:
    return _frame({"sentence": packed(error.sentence), "hint": packed(error.hint)})


def _sample(rows: Sequence[Row]) -> list[tuple[int, list[str]]]:
    """Return the numbers and texts of rows, all as wide as the widest of them."""
    width = max((len(cells) for _, _, cells in rows), default=0)
    return [(number, [*map(phone_text, cells)] + [""] * (width - len(cells))) for number, _, cells in rows]


class _Reading:
    """Reads the rows of a sheet, and counts what the operator must be told of."""

    def __init__(self, wanted: Wanted, sheet: Sheet) -> None:
        self._wanted = wanted
        self._layout = Layout()
        wished = (wanted.column, wanted.campaign, wanted.code, *wanted.beside)
        self._columns = columns = [each for each in dict.fromkeys(wished) if each is not None]
        self._rows: Iterator[Row] = sheet.rows(None if wanted.keep else columns, self._layout)
        self._filled = array("I")
        self._hidden_rows = self._unseen = 0
        self.width = 0

    def blocks(self) -> Iterator[tuple[Any, ...]]:
        """Yield rows, phone cells, all cells, campaigns, codes, other columns, and what is shown of phone cells.

        What is shown instead of a phone cell stands under its place.

        Consecutive rows are the first of them alone.
        """
        rows = dropwhile(lambda row: row[0] <= self._wanted.header_row, self._counted())
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

    def _counted(self) -> Iterator[Row]:
        for row in self._rows:
            self._hidden_rows += row[1]
            yield row

    def _odd(self, phones: Sequence[Cell]) -> dict[int, str]:
        odd = {place: cell.shown for place, cell in enumerate(phones) if isinstance(cell, Odd)}
        self._unseen += sum(not shown for shown in odd.values())
        return {place: shown for place, shown in odd.items() if shown}

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each thing that is not plain, when all rows were read."""
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
        """Count the phone cells that an area covers; the one in its upper left corner is seen."""
        top, bottom, left, right = area
        if not left <= self._wanted.column <= right:
            return 0
        first = top + (left == self._wanted.column)
        return max(0, bisect_right(self._filled, bottom) - bisect_left(self._filled, first))


def _damaged(path: str) -> InputError:
    return InputError(
        phrase("{path} is damaged, or not a workbook.", path=path),
        "Check that it was copied or downloaded whole; else open it in Excel and save it again as .xlsx.",
    )


def _protected(path: str) -> InputError:
    return InputError(
        phrase("{path} is protected with a password.", path=path),
        "Open it in the program that wrote it and save it without a password; in Excel, File > Info > Protect.",
    )


def _too_large(given: Given) -> InputError:
    return InputError(
        phrase(
            "{path} takes more than {size} MB of memory to read, which no list of numbers does.",
            path=given.path,
            size=given.most_bytes >> 20,
        ),
        "Delete what is not needed, or save the sheet with the numbers as CSV.",
    )
