"""Finds the rows whose number stands in an earlier row, in memory that does not grow with the file.

Eight bytes a row are spilled to a file; afterwards the file is read through once for each part of the keys, and each
part, small enough for memory, is sorted. Exact: two numbers share a key only when they are the same text.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
PART_ROWS = 500_000
"""About how many rows are sorted at once: some 20 MB."""
_READ_ROWS = 250_000
_NO_NUMBER = 0
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 6.4): spreads runs of numbers over the parts


class RowKeys:
    """A spill file of one key a row; a context manager that removes the file."""

    def __init__(self, path: Path, part_rows: int = PART_ROWS) -> None:
        self._path = path
        self._part_rows = part_rows
        self._rows = 0

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, numbers: Sequence[str]) -> None:
        """Add the numbers of the next rows; an empty text is a row without a number.

        Numbers hold at most 18 digits and perhaps a leading plus, which tells two numbers apart.
        """
        # A digit in front keeps leading zeros, and tells a number with a plus from one without.
        keys = [
            _NO_NUMBER if not number else int("1" + number) if number[0] != "+" else int("2" + number[1:])
            for number in numbers
        ]
        np.array(keys, dtype=np.uint64).tofile(self._file)
        self._rows += len(numbers)

    def duplicates(self) -> Iterator[tuple[int, int]]:
        """Yield (place, place of the first row with the same number), places from 0, in no certain order."""
        self._file.flush()
        parts = max(1, -(-self._rows // self._part_rows))
        for part in range(parts):
            keys, places = self._part(part, parts)
            order = np.argsort(keys, kind="stable")
            keys, places = keys[order], places[order]
            fresh = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.empty(0, dtype=bool)
            firsts = places[np.maximum.accumulate(np.where(fresh, np.arange(len(keys)), 0))]
            yield from zip(places[~fresh].tolist(), firsts[~fresh].tolist(), strict=True)

    def _part(self, part: int, parts: int) -> tuple[Keys, npt.NDArray[np.int64]]:
        """Read through the file and take the keys of one part, with their places in it."""
        found: list[Keys] = []
        places: list[npt.NDArray[np.int64]] = []
        with self._path.open("rb") as file:
            for start in range(0, self._rows, _READ_ROWS):
                keys = np.fromfile(file, dtype=np.uint64, count=_READ_ROWS)
                mine = (keys != _NO_NUMBER) & (((keys * _MIX) >> np.uint64(32)) % np.uint64(parts) == part)
                found.append(keys[mine])
                places.append(np.flatnonzero(mine) + start)
        empty = (np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64))
        return (np.concatenate(found), np.concatenate(places)) if found else empty
