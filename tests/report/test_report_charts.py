from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.report.html import HEIGHT, WIDTH, Box, bars, growth, marks, round_top, stacked, steps


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=9).filter(any))
def test_stacked_boxes_fill_the_width_without_gaps_in_proportion(counts: list[int]) -> None:
    boxes = stacked([(str(index), count) for index, count in enumerate(counts)])
    assert [box.name for box in boxes] == [str(index) for index, count in enumerate(counts) if count]
    assert sum(box.width for box in boxes) == pytest.approx(WIDTH, abs=0.1)
    for left, right in pairwise(boxes):
        assert left.x + left.width == pytest.approx(right.x, abs=0.02)


def test_a_bar_is_as_high_as_its_value_and_none_stands_for_0() -> None:
    assert bars([2.0, 0.0, 4.0, 1.0], 4.0) == [
        Box(0.0, 50.0, 250.0, 50.0),
        Box(500.0, 0.0, 250.0, 100.0),
        Box(750.0, 75.0, 250.0, 25.0),
    ]


def test_a_mark_stands_in_the_middle_of_its_part() -> None:
    assert marks([0, 3, 0, 1]) == [375.0, 875.0]


def test_lines_go_through_the_values_from_edge_to_edge() -> None:
    assert growth([0, 5, 10], 10) == "M0,100L500,50L1000,0"
    assert growth([5], 10) == "M0,50"
    assert steps([5, 2.5], 5) == "M0,0H500V50H1000"


@given(st.floats(0.001, 1e6))
def test_the_upper_edge_is_a_little_above_the_highest_value(value: float) -> None:
    top = round_top(value)
    assert value < top <= 1.6 * value
    assert round_top(0) == 1.0
    assert HEIGHT * value / top < HEIGHT
