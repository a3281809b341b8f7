"""The numbers of a campaign from a CSV file. Much simpler than the reader it is used to test, on purpose."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_PUNCTUATION = re.compile(r"[\s().\-/]")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")


def read_numbers(path: Path, column: str = "", additional: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """The numbers in the column of that name, or in the first: without spaces and brackets, other text passed over.

    With each come those of the column `additional`, if it is named, between semicolons or commas. The file is UTF-8,
    its delimiter whichever of comma, semicolon and tab is most frequent in the first line.
    Raises OSError when it cannot be read, ValueError when it has no such column.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        delimiter = max(",;\t", key=lines.readline().count)
        lines.seek(0)
        rows = csv.reader(lines, delimiter=delimiter)
        header = next(rows, []) if column or additional else []
        index = _index(header, column) if column else 0
        aside = _index(header, additional) if additional else None
        for row in rows:
            cell = _number(row, index)
            if cell:
                others = () if aside is None or aside >= len(row) else re.split("[;,]", row[aside])
                yield cell, tuple(filter(None, (_number((other,), 0) for other in others)))


def _number(row: Sequence[str], index: int) -> str:
    cell = _PUNCTUATION.sub("", row[index]) if index < len(row) else ""
    return cell if _NUMBER.fullmatch(cell) else ""


def _index(header: list[str], column: str) -> int:
    if column not in header:
        raise ValueError(f"no column {column!r} in the first line")
    return header.index(column)
