import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.chunker import LEAST, RequestSize, timed

SLOW_US = 10_000_000


@given(st.integers(1, 1000), st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 60_000_000), st.booleans())))
def test_whatever_replies_take_the_size_is_between_the_least_and_the_ceiling(
    ceiling: int, replies: list[tuple[int, int, bool]]
) -> None:
    size = RequestSize(ceiling, SLOW_US, ceiling)
    for numbers, took_us, answered in replies:
        size = timed(size, numbers, took_us, answered=answered)
        assert min(LEAST, ceiling) <= size.most <= ceiling


def test_a_slow_reply_halves_the_size_and_fast_ones_win_it_back() -> None:
    size = timed(RequestSize(300, SLOW_US, 300), 300, SLOW_US + 1, answered=True)
    assert size.most == 150
    for _ in range(8):
        size = timed(size, size.most, SLOW_US // 4, answered=True)
    assert size.most == 300


def test_slow_replies_to_requests_that_left_together_count_once() -> None:
    size = RequestSize(300, SLOW_US, 300)
    for _ in range(4):
        size = timed(size, 300, 2 * SLOW_US, answered=True)
    assert size.most == 150


@pytest.mark.parametrize(
    ("numbers", "took_us", "answered"),
    [
        pytest.param(100, SLOW_US // 2, True, id="neither slow nor fast"),
        pytest.param(100, 1000, False, id="not answered"),
        pytest.param(50, 1000, True, id="much smaller than the size"),
    ],
)
def test_what_says_nothing_of_the_size_leaves_it(numbers: int, took_us: int, answered: bool) -> None:
    size = RequestSize(300, SLOW_US, 100)
    assert timed(size, numbers, took_us, answered=answered) == size


@pytest.mark.parametrize(
    ("most", "numbers", "took_us", "then"),
    [
        (100, 100, 2_500_000, 110),
        (100, 100, 2_500_001, 100),
        (100, 51, 1, 110),
        (100, 50, 1, 100),
        (9, 9, 1, 10),
        (295, 295, 1, 300),
        (300, 30, SLOW_US + 1, 15),
        (300, 19, SLOW_US + 1, LEAST),
        (12, 300, SLOW_US + 1, 12),
        (100, 100, SLOW_US, 100),
    ],
)
def test_a_fast_reply_adds_a_tenth_and_a_slow_one_leaves_half(most: int, numbers: int, took_us: int, then: int) -> None:
    assert timed(RequestSize(300, SLOW_US, most), numbers, took_us, answered=True).most == then
