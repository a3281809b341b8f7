import os
import tracemalloc
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.errors import StorageError
from bulk_remove.ledger import RowKeys, aside, distinct
from bulk_remove.ledger.distinct import NumberSet
from tests.support.full_device import fill, needs_a_full_device

numbers = st.sampled_from(["", "0", "00", "1", "01", "+1", "11", "+", "+0"]) | st.from_regex(
    r"\+?[0-9]{1,18}|0[0-9]{18}", fullmatch=True
)


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take any row for one of many, which are compared in the file."""
    monkeypatch.setattr(aside, "_FEW_ROWS", -1)


def duplicates(path: Path, blocks: Iterable[Sequence[str]], batch_rows: int, few: int = -1) -> list[tuple[int, int]]:
    with pytest.MonkeyPatch.context() as patch, RowKeys(path) as keys:
        patch.setattr(distinct, "BATCH_ROWS", batch_rows)
        patch.setattr(aside, "_FEW_ROWS", few)
        for block in blocks:
            keys.add(block)
        return sorted(keys.duplicates())


def expected(rows: Iterable[str]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    pairs = [(place, first.setdefault(number, place)) for place, number in enumerate(rows) if number]
    return [(place, first_place) for place, first_place in pairs if place != first_place]


@given(
    pool=st.lists(numbers, min_size=1, max_size=12),
    picks=st.lists(st.lists(st.integers(0, 11), max_size=20), max_size=6),
    batch_rows=st.integers(1, 40),
    segment_rows=st.integers(1, 40),
    few=st.integers(-1, 120),
)
def test_exactly_the_rows_whose_text_stood_before_are_found_with_its_first_row(
    pool: list[str], picks: list[list[int]], batch_rows: int, segment_rows: int, few: int
) -> None:
    blocks = [[pool[index % len(pool)] for index in pick] for pick in picks]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "_SEGMENT_ROWS", segment_rows)
        found = duplicates(Path(folder) / "keys.tmp", blocks, batch_rows, few)
    assert found == expected(number for block in blocks for number in block)


@given(st.lists(st.tuples(numbers, st.sampled_from(["00001", "00002", ""])), max_size=60), st.integers(-1, 70))
def test_rows_of_different_groups_are_never_alike(rows: list[tuple[str, str]], few: int) -> None:
    with (
        TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        RowKeys(Path(folder) / "keys.tmp") as keys,
    ):
        patch.setattr(aside, "_FEW_ROWS", few)
        for start in range(0, len(rows), 7):
            block = rows[start : start + 7]
            keys.add([number for number, _ in block], [group for _, group in block])
        found = sorted(keys.duplicates())
    assert found == expected(f"{group}/{number}" if number else "" for number, group in rows)


def test_numbers_in_a_row_are_spread_over_many_buckets_and_found_all_the_same(tmp_path: Path) -> None:
    rows = [f"{600_000_000 + index % 7000}" for index in range(20_000)]
    assert duplicates(tmp_path / "keys.tmp", [rows], batch_rows=500) == expected(rows)


@pytest.mark.parametrize(
    "number", ["9" * 20, "9" * 19, "+" + "0" * 19, "2" * 60], ids=lambda number: f"{len(number)} characters"
)
def test_a_number_too_long_for_its_key_is_refused_and_never_cut(tmp_path: Path, number: str) -> None:
    with RowKeys(tmp_path / "keys.tmp") as keys, pytest.raises(OverflowError) as refusal:
        keys.add(["601234555", number, ""])
    assert number not in str(refusal.value)


def test_the_file_is_gone_afterwards_also_after_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "keys.tmp"
    with RowKeys(path) as keys:
        keys.add(["601234555"])
        assert path.exists()
    assert not path.exists()
    with pytest.raises(OverflowError):
        duplicates(path, [["601234555"], ["9" * 20]], batch_rows=100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with RowKeys(tmp_path / "keys.tmp") as keys:
            keys.add(["601234555"])
            assert (tmp_path / "keys.tmp").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@needs_a_full_device
@pytest.mark.parametrize("rows", [1, 5000])
def test_a_full_disk_is_a_storage_error_and_no_row_is_lost_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    path = tmp_path / "keys.tmp"
    fill(monkeypatch, "keys.tmp")
    with pytest.raises(StorageError, match="No space left on device") as failure:
        duplicates(path, [["601234555"] * rows], batch_rows=100)
    assert "--state-dir" in failure.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_cut_short_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "keys.tmp"
    with RowKeys(path) as keys:
        keys.add([f"{600_000_000 + index}" for index in range(500_000)])
        os.truncate(path, 1000)
        with pytest.raises(StorageError, match="shorter than what was written"):
            list(keys.duplicates())


def test_a_folder_that_is_missing_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        duplicates(tmp_path / "missing" / "keys.tmp", [["601234555"]], batch_rows=100)


@pytest.mark.parametrize("different", [10**9, 1], ids=["hardly any number twice", "the same number in every row"])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, different: int) -> None:
    monkeypatch.setattr(distinct, "_SEGMENT_ROWS", 20_000)
    monkeypatch.setattr(distinct, "BATCH_ROWS", 20_000)

    def peak_bytes(rows: int) -> int:
        with RowKeys(tmp_path / "keys.tmp") as keys:
            for start in range(0, rows, 10_000):
                keys.add([f"{(index * 7919) % different:09d}" for index in range(start, start + 10_000)])
            tracemalloc.start()
            found = sum(1 for _ in keys.duplicates())
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert found == (rows - 1 if different == 1 else 0)
        return peak

    if different == 1:
        assert peak_bytes(180_000) < 1.2 * peak_bytes(60_000)
    else:
        assert peak_bytes(180_000) < 2 * 180_000  # of twenty bytes a row, a bucket's are in memory at a time


@given(
    st.lists(st.tuples(st.integers(0, 12) | st.integers(0, 10**18), st.sampled_from("ab")), max_size=60),
    st.integers(-1, 70),
)
def test_ids_of_one_group_that_were_there_before_are_found(
    tmp_path_factory: pytest.TempPathFactory, ids: list[tuple[int, str]], few: int
) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        RowKeys(tmp_path_factory.mktemp("ids") / "keys.tmp") as keys,
    ):
        patch.setattr(aside, "_FEW_ROWS", few)
        for record_id, group in ids:
            keys.add_ids([record_id], group)
        found = dict(keys.duplicates())
    assert found == {place: ids.index(one) for place, one in enumerate(ids) if ids.index(one) < place}


def test_a_set_of_numbers_finds_them_with_a_country_code_and_without() -> None:
    held = NumberSet([["48601234555", "441"], [], ["390612345678", "441"]])
    assert len(held) == 3
    assert held.places(["", "601234555", "+48601234555", "0048601234555", "0601234555", "441", "0612345678"], "48") == [
        1, 2, 3, 4, 5,
    ]  # fmt: skip
    assert held.places(["0612345678", "612345678"], "39") == [0]
    assert NumberSet([]).places(["601234555"], "48") == []


def test_a_set_of_a_million_numbers_needs_eight_bytes_for_each() -> None:
    held = NumberSet(
        [str(number) for number in range(first, first + 5000)] for first in range(10**9, 10**9 + 10**6, 5000)
    )
    assert len(held) == 10**6
    assert held._sorted.nbytes == 8 * 10**6
