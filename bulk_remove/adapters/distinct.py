"""Finds the rows whose number stands in an earlier row, in memory that does not grow with the file.

Twelve bytes a row are spilled to a file; afterwards the file is read through once for each part of the keys, and each
part, small enough for memory, is sorted. Exact: two numbers share a key only when they are the same text, and rows of
different groups (campaigns) are never alike.
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
Records = npt.NDArray[np.void]
Places = npt.NDArray[np.int64]
PART_ROWS = 500_000
"""About how many rows are sorted at once: some 20 MB."""
_READ_ROWS = 250_000
_RECORD = np.dtype([("key", np.uint64), ("group", np.uint32)])
_NO_NUMBER = 1
_PLAIN_DIGITS = 18  # with a digit in front they cannot overflow 64 bits
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 6.4): spreads runs of numbers over the parts


class RowKeys:
    """A spill file of one key a row, readable by its owner alone; a context manager that removes the file.

    Each step raises StorageError when the disk fails.
    """

    def __init__(self, path: Path, part_rows: int = PART_ROWS) -> None:
        self._path = path
        self._part_rows = part_rows
        self._rows = 0
        self._groups: dict[str, int] = {}

    def __enter__(self) -> Self:
        with self._on_disk():
            self._file = open(self._path, "wb", opener=_private)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what a full disk did not take is no longer wanted
            self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, numbers: Sequence[str], groups: Sequence[str] = ()) -> None:
        """Add the numbers of the next rows; an empty text is a row without a number. `groups` are theirs, if several.

        Numbers hold at most 18 digits (19 when the first is a zero) and perhaps a leading plus, which tells two
        numbers apart. Raises OverflowError for longer ones.
        """
        if not numbers:
            return
        records = np.zeros(len(numbers), dtype=_RECORD)
        records["key"] = _keys(numbers)
        if groups:
            for group in dict.fromkeys(groups):
                self._groups.setdefault(group, len(self._groups))
            records["group"] = [self._groups[group] for group in groups]
        with self._on_disk():
            # Not ndarray.tofile: it does not notice when a full disk loses what it had buffered.
            self._file.write(records.tobytes())
        self._rows += len(numbers)

    def duplicates(self) -> Iterator[tuple[int, int]]:
        """Yield (place, place of the first row with the same number), places from 0, in no certain order."""
        with self._on_disk():
            self._file.flush()
        parts = max(1, -(-self._rows // self._part_rows))
        for part in range(parts):
            records, places = np.empty(0, dtype=_RECORD), np.empty(0, dtype=np.int64)
            # One batch, but for numbers that stand in a great many rows: of what came before, first rows are kept.
            for more_records, more_places in self._batches(part, parts):
                records, places = np.concatenate((records, more_records)), np.concatenate((places, more_places))
                order = self._order(records)
                records, places = records[order], places[order]
                same = (records["key"][1:] == records["key"][:-1]) & (records["group"][1:] == records["group"][:-1])
                fresh = np.concatenate((np.ones(1, dtype=bool), ~same))[: len(records)]
                firsts = places[np.maximum.accumulate(np.where(fresh, np.arange(len(records)), 0))]
                yield from zip(places[~fresh].tolist(), firsts[~fresh].tolist(), strict=True)
                records, places = records[fresh], places[fresh]

    def _order(self, records: Records) -> Places:
        """Return the order in which equal rows stand together, each time in the order of the input."""
        if len(self._groups) > 1:
            return np.lexsort((records["key"], records["group"]))
        return np.argsort(records["key"], kind="stable")

    def _batches(self, part: int, parts: int) -> Iterator[tuple[Records, Places]]:
        """Read through the file and yield the records of one part with their places, about `part_rows` at once."""
        records: list[Records] = []
        places: list[Places] = []
        with self._on_disk():
            file = self._path.open("rb")
        with file:
            for start in range(0, self._rows, _READ_ROWS):
                with self._on_disk():
                    read = np.frombuffer(file.read(_READ_ROWS * _RECORD.itemsize), dtype=_RECORD)
                keys = read["key"]
                mine = np.flatnonzero(
                    (keys != _NO_NUMBER) & (((keys * _MIX) >> np.uint64(32)) % np.uint64(parts) == part)
                )
                records.append(read[mine])
                places.append(mine + start)
                if sum(map(len, records)) >= self._part_rows or start + _READ_ROWS >= self._rows:
                    yield np.concatenate(records), np.concatenate(places)
                    records.clear()
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


def _keys(numbers: Sequence[str]) -> Keys:
    """Return a key for each number; a digit in front keeps leading zeros, and tells a plus from none."""
    if max(map(len, numbers)) <= _PLAIN_DIGITS:
        # One parse for all of them: a fifth of what one each costs.
        text = "\n1" + "\n1".join(numbers)
        return np.fromstring(text.replace("\n1+", "\n2"), dtype=np.uint64, sep="\n")
    return np.array([int("2" + number[1:] if number[:1] == "+" else "1" + number) for number in numbers], np.uint64)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
