"""A written report.csv as rows, and the same rows as CSV for a double click where Excel speaks Polish."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from typing import IO

from bulk_remove.core.model import REPORT_COLUMNS
from bulk_remove.core.spreadsheet_text import kept_as_text
from bulk_remove.disk import Aside, opened_again
from bulk_remove.errors import StorageError
from bulk_remove.language import ours, phrase

_AS_IT_STANDS = frozenset(REPORT_COLUMNS) - {"input", "number", "campaign", "record_ids"}
"""Words, counts and times of ours, which Excel takes as what they are."""
_CELL = re.compile(r'(?:^|,)(?:"([^"]*(?:""[^"]*)*)"|([^",]*))')


def read_rows(report: Aside) -> Iterator[list[str]]:
    """Yield the rows of a report.csv that was just written, the header first.

    Raises StorageError, also when another file has taken its place.
    """
    try:
        with TextIOWrapper(opened_again(report), encoding="utf-8", newline="") as file:
            yield from _records(file)
    except OSError as error:
        raise StorageError(
            phrase("{path} cannot be read back: {problem}.", path=report.path, problem=ours(str(error.strerror))),
            "Write it again with: bulk-remove report.",
        ) from None


def _records(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the records of RFC 4180, whose lines `reporter` wrote.

    Not with csv's reader: it refuses cells over a limit that holds for the whole process, and is not ours to change.
    """
    waiting: list[str] = []
    quotes = 0
    for line in lines:
        if not waiting and '"' not in line:
            yield line.removesuffix("\r\n").split(",")
            continue
        waiting.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:
            record = "".join(waiting).removesuffix("\r\n")
            yield [quoted.replace('""', '"') or plain for quoted, plain in _CELL.findall(record)]
            waiting, quotes = [], 0


def write_for_polish_excel(file: IO[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows, the header first, as a Polish Excel reads them: UTF-8 with its mark, semicolons, numbers as text."""
    file.write("\ufeff")
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    lines = iter(rows)
    header = next(lines)
    turned = [index for index, name in enumerate(header) if name not in _AS_IT_STANDS]
    writer.writerow(header)
    for row in lines:
        cells = [*row]
        for index in turned:
            cells[index] = kept_as_text(cells[index])
        writer.writerow(cells)
