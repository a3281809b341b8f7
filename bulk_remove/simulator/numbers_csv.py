"""The numbers of a campaign from a CSV file. Much simpler than the reader it is used to test, on purpose."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

_PUNCTUATION = re.compile(r"[\s().\-/]")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")


def read_numbers(path: Path, column: str = "") -> Iterator[str]:
    """The numbers in the column of that name, or in the first: without spaces and brackets, other text passed over.

    The file is UTF-8, its delimiter whichever of comma, semicolon and tab is most frequent in the first line.
    Raises OSError when it cannot be read, ValueError when it has no such column.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        delimiter = max(",;\t", key=lines.readline().count)
        lines.seek(0)
        rows = csv.reader(lines, delimiter=delimiter)
        index = _index(next(rows, []), column) if column else 0
        for row in rows:
            cell = _PUNCTUATION.sub("", row[index]) if index < len(row) else ""
            if _NUMBER.fullmatch(cell):
                yield cell


def _index(header: list[str], column: str) -> int:
    if column not in header:
        raise ValueError(f"no column {column!r} in the first line")
    return header.index(column)
