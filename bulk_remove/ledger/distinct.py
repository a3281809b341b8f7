"""Sets of numbers, and the rows whose number is also in an earlier row. Few bytes are needed for each.

A temporary file gets twenty bytes per row, in buckets by number, so that each bucket fits into memory. The result is
exact: two numbers share a key only if they are the same text, and rows of different groups (campaigns) never match.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EIO
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from bulk_remove.disk import private
from bulk_remove.errors import StorageError
from bulk_remove.language import ours, phrase

Keys = npt.NDArray[np.uint64]
RowPlaces = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]
BATCH_ROWS = 250_000
"""How many rows of a bucket are read at once. With ten million different numbers a bucket has 160,000 rows."""
_BUCKETS = 64
_BUCKET_SHIFT = np.uint64(64 - 6)
_SEGMENT_ROWS = 4096  # written at once per bucket: at most 5 MB wait in memory
_RECORD = np.dtype([("key", np.uint64), ("group", np.uint32), ("place", np.int64)])
_NO_NUMBER = 1
_PLAIN_DIGITS = 18  # with a digit in front they cannot overflow 64 bits
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 6.4): spreads runs of numbers evenly


class NumberSet:
    """A set of numbers of at most 18 digits, eight bytes each. A plus and leading zeros do not count."""

    def __init__(self, blocks: Iterable[Sequence[str]]) -> None:
        self._sorted = np.unique(np.concatenate([np.empty(0, dtype=np.uint64), *map(_digits, blocks)]))

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, number: int) -> bool:
        return bool(_held(self._sorted, np.array([number], dtype=np.uint64))[0])

    def places(self, numbers: Sequence[str], code: str) -> list[int]:
        """Return indices of numbers in the set, as they are or with the country code in front, and a few others."""
        digits = _digits(numbers)
        found = _held(self._sorted, digits)
        # With and without leading zeros: numbers of some countries begin with one.
        for sizes in ([*map(len, numbers)], np.searchsorted(_POWERS, digits, side="right")):
            behind = _POWERS[np.minimum(sizes, _MOST_BEHIND_A_CODE)]
            found |= _held(self._sorted, digits + np.uint64(code) * behind)
        return np.flatnonzero(found & (digits > 0)).tolist()


class ExactNumbers:
    """A set of numbers as they are written, eight bytes each. A plus or a leading zero makes another number."""

    def __init__(self, keys: Sequence[Keys]) -> None:
        self._sorted = np.sort(np.concatenate(keys))

    def places(self, numbers: Sequence[str]) -> list[int]:
        """Return the indices of the numbers in the set."""
        return np.flatnonzero(_held(self._sorted, keys_of(numbers))).tolist()


def _held(ordered: Keys, wanted: Keys) -> npt.NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(len(wanted), dtype=np.bool_)
    held: npt.NDArray[np.bool_] = ordered[np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)] == wanted
    return held


_POWERS = np.array([10**digits for digits in range(19)], dtype=np.uint64)
_MOST_BEHIND_A_CODE = 15  # digits; behind the three of a code they cannot overflow 64 bits


def _digits(numbers: Sequence[str]) -> Keys:
    return np.array([int(number or "0") for number in numbers], dtype=np.uint64)


class Buckets:
    """A temporary file with one key per row, private to its owner. The context removes it. Raises StorageError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0
        self._groups: dict[str, int] = {}
        self._waiting: list[list[Records]] = [[] for _ in range(_BUCKETS)]
        self._waiting_rows = [0] * _BUCKETS
        self._segments: list[list[tuple[int, int]]] = [[] for _ in range(_BUCKETS)]  # (offset, bytes) by bucket
        self._written = 0

    def __enter__(self) -> Self:
        with self._on_disk():
            self._file = open(self._path, "w+b", opener=private)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a failed last write does not matter: the file is deleted
            self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, numbers: Sequence[str], groups: Sequence[str] = ()) -> None:
        """Add numbers as `RowKeys` does. Raises OverflowError for longer ones."""
        if not numbers:
            return
        records = np.zeros(len(numbers), dtype=_RECORD)
        records["key"] = keys_of(numbers)
        records["place"] = np.arange(self._rows, self._rows + len(numbers))
        if groups:
            for group in dict.fromkeys(groups):
                self._groups.setdefault(group, len(self._groups))
            records["group"] = [self._groups[group] for group in groups]
        self._rows += len(numbers)
        self._sort_in(records[records["key"] != _NO_NUMBER])

    def add_ids(self, ids: Sequence[int], group: str) -> None:
        """Add ids as `RowKeys` does."""
        records = np.zeros(len(ids), dtype=_RECORD)
        records["key"] = np.array(ids, dtype=np.uint64) + np.uint64(_NO_NUMBER + 1)
        records["group"] = self._groups.setdefault(group, len(self._groups))
        records["place"] = np.arange(self._rows, self._rows + len(ids))
        self._rows += len(ids)
        self._sort_in(records)

    def _sort_in(self, records: Records) -> None:
        """Add records to their buckets. Each bucket keeps the order of the input."""
        buckets = ((records["key"] * _MIX) >> _BUCKET_SHIFT).astype(np.uint8)
        records = records[np.argsort(buckets, kind="stable")]
        ends = np.cumsum(np.bincount(buckets, minlength=_BUCKETS)).tolist()
        start = 0
        for bucket, end in enumerate(ends):
            if end > start:
                self._waiting[bucket].append(records[start:end])
                self._waiting_rows[bucket] += end - start
                if self._waiting_rows[bucket] >= _SEGMENT_ROWS:
                    self._write(bucket)
                start = end

    def _write(self, bucket: int) -> None:
        segment = b"".join(records.data for records in self._waiting[bucket])
        with self._on_disk():
            # Not ndarray.tofile: it does not notice when a full disk loses what it had buffered.
            self._file.write(segment)
        self._segments[bucket].append((self._written, len(segment)))
        self._written += len(segment)
        self._waiting[bucket].clear()
        self._waiting_rows[bucket] = 0

    def duplicates(self) -> Iterator[tuple[int, int]]:
        """Yield duplicates as `RowKeys` does."""
        for bucket in range(_BUCKETS):
            if self._waiting[bucket]:
                self._write(bucket)
        with self._on_disk():
            self._file.flush()
        for bucket in range(_BUCKETS):
            first_rows = np.empty(0, dtype=_RECORD)
            # Usually one batch. If a number is in very many rows, keep the first rows of earlier batches.
            for batch in self._batches(bucket):
                records = np.concatenate((first_rows, batch)) if len(first_rows) else batch
                later, first = _repeats(records["key"], records["group"])
                places = records["place"]
                yield from zip(places[later].tolist(), places[first].tolist(), strict=True)
                first_rows = np.delete(records, later)

    def _batches(self, bucket: int) -> Iterator[Records]:
        """Yield the records of a bucket in the order of the input, in batches of about `BATCH_ROWS`."""
        batch: list[tuple[int, int]] = []
        for segment in self._segments[bucket]:
            batch.append(segment)
            if sum(size for _, size in batch) >= BATCH_ROWS * _RECORD.itemsize:
                yield self._read(batch)
                batch.clear()
        if batch:
            yield self._read(batch)

    def _read(self, segments: Sequence[tuple[int, int]]) -> Records:
        """Return the records of these segments in one array."""
        filled = memoryview(bytearray(sum(size for _, size in segments)))
        start = 0
        for offset, size in segments:
            with self._on_disk():
                self._file.seek(offset)
                if self._file.readinto(filled[start : start + size]) < size:
                    raise OSError(EIO, "it is shorter than what was written")
            start += size
        return np.frombuffer(filled, dtype=_RECORD)

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                phrase(
                    "The temporary file {path} failed: {problem}.", path=self._path, problem=ours(str(error.strerror))
                ),
                "Make room there, or choose another place with --state-dir.",
            ) from None


def _repeats(keys: Keys, groups: npt.NDArray[np.uint32]) -> tuple[RowPlaces, RowPlaces]:
    """Return the indices of the rows that repeat an earlier one, and the index of the first such row for each.

    Usually few rows repeat. A plain sort of the keys finds them, ten times as fast as a stable sort of all rows.
    """
    ordered = np.sort(keys)
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(shared):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    at = np.minimum(np.searchsorted(shared, keys), len(shared) - 1)
    rows = np.flatnonzero(shared[at] == keys)
    rows = rows[np.lexsort((keys[rows], groups[rows]))]
    same = (keys[rows[1:]] == keys[rows[:-1]]) & (groups[rows[1:]] == groups[rows[:-1]])
    fresh = np.concatenate((np.ones(1, dtype=bool), ~same))
    firsts = rows[np.maximum.accumulate(np.where(fresh, np.arange(len(rows)), 0))]
    return rows[~fresh], firsts[~fresh]


def keys_of(numbers: Sequence[str]) -> Keys:
    """Return a key for each number. A digit in front keeps leading zeros and marks a plus."""
    if max(map(len, numbers)) <= _PLAIN_DIGITS:
        # Parsing all at once takes a fifth of the time.
        text = "\n1" + "\n1".join(numbers)
        return np.fromstring(text.replace("\n1+", "\n2"), dtype=np.uint64, sep="\n")
    return np.array([int("2" + number[1:] if number[:1] == "+" else "1" + number) for number in numbers], np.uint64)
