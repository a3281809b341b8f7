from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.concurrency import LIGHT_LASTS_US, Limit, allowed_now, limit_from, lost, recapped, replied

SECOND_US = 1_000_000


def settled(reply_us: Callable[[int, int], float], seconds: int, ceiling: int = 16, start: int = 2) -> list[int]:
    """Keep as many under way as are allowed; `reply_us` is of (how many, the second). Returns what was allowed."""
    limit, now_us, allowed = limit_from(start, ceiling), 0, list[int]()
    while now_us < seconds * SECOND_US:
        under_way = allowed_now(limit)
        took_us = reply_us(under_way, now_us // SECOND_US)
        now_us += round(took_us / under_way)
        limit = replied(limit, round(took_us), under_way, now_us)
        allowed.append(allowed_now(limit))
    return allowed


@given(
    st.integers(1, 16),
    st.integers(1, 16),
    st.lists(st.tuples(st.booleans(), st.integers(1, 60 * SECOND_US), st.integers(1, 17)), max_size=200),
)
def test_whatever_happens_one_to_the_ceiling_are_allowed(
    start: int, ceiling: int, happenings: list[tuple[bool, int, int]]
) -> None:
    limit, now_us = limit_from(start, ceiling), 0
    for is_lost, reply_us, under_way in happenings:
        now_us += reply_us
        limit = lost(limit) if is_lost else replied(limit, reply_us, under_way, now_us)
        assert 1 <= allowed_now(limit) <= limit.allowed <= ceiling


def test_a_server_that_is_never_busy_is_used_up_to_the_ceiling() -> None:
    assert settled(lambda _many, _second: 100_000, 60)[-1] == 16


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_a_pool_is_kept_busy_and_few_wait_before_it(workers: int) -> None:
    allowed = settled(lambda many, _second: 30_000 + 400_000 * max(1.0, many / workers), 600)
    steady = allowed[len(allowed) // 4 :]
    assert sum(steady) / len(steady) <= workers + 3
    assert sum(min(many, workers) for many in steady) / len(steady) >= 0.95 * workers


def test_a_server_that_becomes_slower_for_all_is_used_as_before_once_that_is_known() -> None:
    allowed = settled(lambda _many, second: 100_000 if second < 100 else 300_000, 900, ceiling=8)
    assert allowed[-1] == 8


def test_replies_to_fewer_than_are_allowed_say_nothing_of_the_limit() -> None:
    limit = Limit(16, 8, light_us=100_000.0, lights=10)
    for _ in range(500):
        limit = replied(limit, 900_000, 6, SECOND_US)
    assert limit.allowed == 8


def test_without_light_replies_for_a_while_half_are_allowed_until_there_are_some() -> None:
    limit = Limit(16, 8, light_us=100_000.0, lights=10)
    now_us = LIGHT_LASTS_US + SECOND_US
    while not limit.looking:
        limit = replied(limit, 100_000, 8, now_us)
    assert allowed_now(limit) == 4
    while limit.looking:
        limit = replied(replied(limit, 100_000, 8, now_us), 100_000, 4, now_us)
    assert allowed_now(limit) == 8


def test_requests_that_are_lost_together_lower_the_limit_once() -> None:
    limit = lost(Limit(16, 8, light_us=100_000.0, lights=10))
    assert limit.allowed == 6
    assert lost(lost(limit)).allowed == 6
    assert lost(replied(limit, 100_000, 6, SECOND_US)).allowed == 4


def test_a_lower_ceiling_is_kept_at_once_and_a_higher_one_is_grown_into() -> None:
    limit = recapped(limit_from(8, 8), 3)
    assert allowed_now(limit) == 3
    raised = recapped(limit, 8)
    assert (raised.ceiling, allowed_now(raised)) == (8, 3)
