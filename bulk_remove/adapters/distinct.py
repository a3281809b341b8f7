"""Finds the rows whose number stands in an earlier row, in memory that does not grow with the file.

Eight bytes a row are spilled to a file; afterwards the file is read through once for each part of the keys, and each
part, small enough for memory, is sorted. Exact: two numbers share a key only when they are the same text.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from bulk_remove.errors import StorageError

Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
PART_ROWS = 500_000
"""About how many rows are sorted at once: some 20 MB."""
_READ_ROWS = 250_000
_KEY_BYTES = 8
_NO_NUMBER = 0
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 6.4): spreads runs of numbers over the parts


class RowKeys:
    """A spill file of one key a row, readable by its owner alone; a context manager that removes the file.

    Each step raises StorageError when the disk fails.
    """

    def __init__(self, path: Path, part_rows: int = PART_ROWS) -> None:
        self._path = path
        self._part_rows = part_rows
        self._rows = 0

    def __enter__(self) -> Self:
        with self._on_disk():
            self._file = open(self._path, "wb", opener=_private)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what a full disk did not take is no longer wanted
            self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, numbers: Sequence[str]) -> None:
        """Add the numbers of the next rows; an empty text is a row without a number.

        Numbers hold at most 18 digits (19 when the first is a zero) and perhaps a leading plus, which tells two
        numbers apart. Raises OverflowError for longer ones.
        """
        # A digit in front keeps leading zeros, and tells a number with a plus from one without.
        keys = [
            _NO_NUMBER if not number else int("1" + number) if number[0] != "+" else int("2" + number[1:])
            for number in numbers
        ]
        with self._on_disk():
            # Not ndarray.tofile: it does not notice when a full disk loses what it had buffered.
            self._file.write(np.array(keys, dtype=np.uint64).tobytes())
        self._rows += len(numbers)

    def duplicates(self) -> Iterator[tuple[int, int]]:
        """Yield (place, place of the first row with the same number), places from 0, in no certain order."""
        with self._on_disk():
            self._file.flush()
        parts = max(1, -(-self._rows // self._part_rows))
        for part in range(parts):
            keys, places = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
            # One batch, but for numbers that stand in a great many rows: of what came before, first rows are kept.
            for more_keys, more_places in self._batches(part, parts):
                keys, places = np.concatenate((keys, more_keys)), np.concatenate((places, more_places))
                order = np.argsort(keys, kind="stable")
                keys, places = keys[order], places[order]
                fresh = np.concatenate((np.ones(1, dtype=bool), keys[1:] != keys[:-1]))[: len(keys)]
                firsts = places[np.maximum.accumulate(np.where(fresh, np.arange(len(keys)), 0))]
                yield from zip(places[~fresh].tolist(), firsts[~fresh].tolist(), strict=True)
                keys, places = keys[fresh], places[fresh]

    def _batches(self, part: int, parts: int) -> Iterator[tuple[Keys, Places]]:
        """Read through the file and yield the keys of one part with their places in it, about `part_rows` at once."""
        keys: list[Keys] = []
        places: list[Places] = []
        with self._on_disk():
            file = self._path.open("rb")
        with file:
            for start in range(0, self._rows, _READ_ROWS):
                with self._on_disk():
                    read = np.frombuffer(file.read(_READ_ROWS * _KEY_BYTES), dtype=np.uint64)
                mine = np.flatnonzero(
                    (read != _NO_NUMBER) & (((read * _MIX) >> np.uint64(32)) % np.uint64(parts) == part)
                )
                keys.append(read[mine])
                places.append(mine + start)
                if sum(map(len, keys)) >= self._part_rows or start + _READ_ROWS >= self._rows:
                    yield np.concatenate(keys), np.concatenate(places)
                    keys.clear()
                    places.clear()

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The temporary file {self._path} failed: {error.strerror}.",
                "Make room there, or choose another place with --state-dir.",
            ) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
