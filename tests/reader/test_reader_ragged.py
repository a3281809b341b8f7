"""Rows that are not as wide as the header: kept, told, and never to be sent when their phone cell may have shifted."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.reader import ReadOptions, open_table
from tests.support.tables import kept_of, problems_of, refusal, rows_of, written

ALL = ReadOptions(keep_columns=True)
TOO_WIDE = "The row has more cells than the header: the phone cell may have shifted."
WIDE = ["345,601000001", "345,,,601000001", "345,x,y", "345" + "," * 70 + "x", "345" + "," * 300 + "601000001"]


@pytest.mark.parametrize("late", [2, 300, 20_000])
@pytest.mark.parametrize("row", WIDE, ids=["one more", "after blanks", "two more", "far out", "very far out"])
@pytest.mark.parametrize("options", [ReadOptions(), ALL], ids=["phone alone", "all columns"])
def test_a_row_with_more_cells_than_the_header_is_kept_and_told(
    tmp_path: Path, late: int, row: str, options: ReadOptions
) -> None:
    path = written(tmp_path, "phone\n" + "601000001\n" * (late - 2) + f'{row}\n601000002\n\n"601000003"\n')
    table = open_table(path, options)
    rows = rows_of(table)
    assert rows[late - 2 :] == [(late, "345"), (late + 1, "601000002"), (late + 3, "601000003")]
    assert [number for number, _ in rows] == [*range(2, late + 2), late + 3]
    assert problems_of(table) == {late: TOO_WIDE}


def test_two_numbers_in_a_row_of_one_column_are_told_whatever_stands_between_them(tmp_path: Path) -> None:
    for delimiter in ",;\t|":
        path = written(tmp_path, f"phone\n601000001\n601000002{delimiter}601000003\n")
        assert problems_of(open_table(path, ReadOptions())) == {3: TOO_WIDE}


def test_a_problem_holds_no_digit_and_no_cell(tmp_path: Path) -> None:
    path = written(tmp_path, "phone\n601000001,601000002\n")
    assert not any(letter.isdigit() for problem in problems_of(open_table(path, ALL)).values() for letter in problem)


def test_the_row_of_a_problem_counts_records_not_lines_and_not_blank_rows_out(tmp_path: Path) -> None:
    path = written(tmp_path, 'phone,x\n601000001,"a\nb\nc"\n\n' + "1,\n" * 500 + "\n1,2,3,4\n")
    table = open_table(path, ReadOptions(block_rows=7))
    assert problems_of(table) == {505: TOO_WIDE}
    assert len(rows_of(table)) == 502


def test_empty_cells_past_the_header_do_no_harm(tmp_path: Path) -> None:
    for blanks in (",,,", ", ," + "," * 400):
        table = open_table(written(tmp_path, f"phone,x\n601000001,a\n601000002,b{blanks}\n"), ALL)
        assert rows_of(table) == [(2, "601000001"), (3, "601000002")]
        assert not problems_of(table)


def test_rows_too_short_have_empty_cells_and_no_problem(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, "id,phone,x\n1\n2,601000002\n"), ALL)
    assert kept_of(table) == [("1", "", ""), ("2", "601000002", "")]
    assert rows_of(table) == [(2, ""), (3, "601000002")]
    assert not problems_of(table)


@pytest.mark.parametrize("late", [2, 9000])
def test_a_row_with_a_thousand_cells_more_is_refused_with_its_number(tmp_path: Path, late: int) -> None:
    path = written(tmp_path, "phone\n" + "601000001\n" * (late - 2) + "," * 1001 + "\n")
    error = refusal(path)
    assert f"row {late} has 1,002 cells under a header of 1." in error.sentence
    assert "--delimiter" in error.hint


def test_a_row_that_is_far_too_wide_is_refused_below_one_that_is_a_little_too_wide(tmp_path: Path) -> None:
    path = written(tmp_path, "phone\n1" + "," * 200 + "x\n601000001\n" + "," * 1001 + "\n")
    assert "row 4 has 1,002 cells" in refusal(path).sentence


def test_a_cell_too_long_for_the_csv_module_is_refused_below_a_wide_row(tmp_path: Path) -> None:
    path = written(tmp_path, "phone\n1" + "," * 200 + "x\n601000001\n" + "y" * 140_000 + "\n")
    assert "a cell of row 4 has more than 131,072 characters" in refusal(path).sentence


def test_a_long_cell_is_read_where_no_row_is_wide(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,x\n601000001," + "y" * 140_000 + "\n")
    assert rows_of(open_table(path, ReadOptions())) == [(2, "601000001")]


def test_memory_does_not_grow_with_a_ragged_file(tmp_path: Path) -> None:
    peaks = []
    for rows in (20_000, 100_000):
        path = written(tmp_path, "id,phone,x\n" + ("1,601000001,abc\n" * 99 + "1" + "," * 200 + "x\n") * (rows // 100))
        table = open_table(path, ReadOptions(block_rows=2000))
        tracemalloc.start()
        assert sum(len(block.problems) for block in table.blocks()) == rows // 100
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


CELL = st.sampled_from(["", " ", "601000001", "x", '"a,b"', '"a\nb"', '5" pipe', "ł"])


@given(
    rows=st.lists(st.lists(CELL, max_size=5), max_size=12),
    far=st.integers(0, 12),
    block_rows=st.integers(1, 5),
    keep=st.booleans(),
)
def test_rows_after_a_very_wide_one_are_read_as_they_are_without_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], far: int, block_rows: int, *, keep: bool
) -> None:
    """Both parsers give the same: the wide row makes the csv module read what pandas reads without it."""
    folder = tmp_path_factory.mktemp("ragged")
    lines = [",".join(cells) for cells in [*rows, ["601000002"]]]
    options = ReadOptions(column="phone", keep_columns=keep, block_rows=block_rows)
    plain = open_table(written(folder, "\n".join(["phone,b,c", *lines])), options)
    before = (rows_of(plain), kept_of(plain), problems_of(plain))
    place = min(far, len(lines))
    wide = [*lines[:place], "1" + "," * 200 + "x", *lines[place:]]
    table = open_table(written(folder, "\n".join(["phone,b,c", *wide])), options)

    def without(row: int) -> int:
        return row - (row > place + 2)

    assert [(without(row), cell) for row, cell in rows_of(table) if row != place + 2] == before[0]
    assert {without(row): problem for row, problem in problems_of(table).items() if row != place + 2} == before[2]
    assert problems_of(table)[place + 2] == TOO_WIDE
    assert sorted(kept_of(table)) == sorted([*before[1], *([("1", "", "")] if keep else [])])
