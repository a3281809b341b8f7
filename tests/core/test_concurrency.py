from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.pace import (
    LIGHT_LASTS_US,
    LOOK_DOWN,
    ROUND_LEAST,
    Limit,
    allowed_now,
    lost,
    recapped_limit,
    replied,
)

SECOND_US = 1_000_000


def settled(reply_us: Callable[[int, int], float], seconds: int, ceiling: int = 16, start: int = 2) -> list[int]:
    """Keep as many under way as are allowed; `reply_us` is of (how many, the second). Returns what was allowed."""
    limit, now_us, allowed = Limit(ceiling, min(start, ceiling)), 0, list[int]()
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
    limit, now_us = Limit(ceiling, min(start, ceiling)), 0
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
    limit = recapped_limit(Limit(8, 8), 3)
    assert allowed_now(limit) == 3
    raised = recapped_limit(limit, 8)
    assert (raised.ceiling, allowed_now(raised)) == (8, 3)


def after_a_round(limit: Limit, reply_us: int) -> Limit:
    """Return the limit after a round of replies that took so long, when as many as are allowed are under way."""
    for _ in range(max(ROUND_LEAST, 3 * limit.allowed) - 1):
        limit = replied(limit, reply_us, limit.allowed, SECOND_US)
        assert limit.replies
    return replied(limit, reply_us, limit.allowed, SECOND_US)


@pytest.mark.parametrize(
    ("allowed", "starting", "reply_us", "then"),
    [
        pytest.param(10, True, 100_000, 20, id="no queue: twice as many"),
        pytest.param(10, False, 100_000, 11, id="no queue, later: one more"),
        pytest.param(10, True, 112_300, 20, id="a queue of 1.095 is short"),
        pytest.param(10, True, 112_400, 10, id="one of 1.103 is not"),
        pytest.param(10, False, 135_000, 10, id="one of 2.593 is not long"),
        pytest.param(10, False, 137_000, 9, id="one of 2.701 is: one less at the least"),
        pytest.param(10, False, 170_000, 8, id="of 4.118, by which it is too long"),
        pytest.param(10, False, 900_000, 8, id="three quarters at the least"),
        pytest.param(2, False, 900_000, 2, id="rounded up"),
        pytest.param(20, True, 100_000, 32, id="never above the ceiling"),
    ],
)
def test_a_round_of_replies_moves_the_limit_by_the_queue_that_it_shows(
    allowed: int, starting: bool, reply_us: int, then: int
) -> None:
    limit = Limit(32, allowed, starting=starting, light_us=100_000.0, lights=10, light_at_us=SECOND_US)
    after = after_a_round(limit, reply_us)
    assert (after.allowed, after.replies, after.total_us) == (then, 0, 0)
    assert after.starting is (starting and then > allowed)


def test_the_light_reply_time_is_the_mean_of_the_first_five_and_then_follows_slowly() -> None:
    limit, means = Limit(16, 8), list[float]()
    for reply_us in (100, 200, 300, 400, 500, 1300, 1300):
        limit = replied(limit, reply_us, 4, SECOND_US)
        means.append(limit.light_us)
    assert means == pytest.approx([100, 150, 200, 250, 300, 400, 490])
    assert (limit.lights, limit.light_at_us, limit.replies) == (7, SECOND_US, 0)


def test_with_one_at_a_time_two_are_tried_after_a_round() -> None:
    limit = Limit(16, 1, starting=False)
    for count in range(1, ROUND_LEAST):
        limit = replied(limit, 100, 1, SECOND_US)
        assert (limit.allowed, limit.replies) == (1, count)
    limit = replied(limit, 100, 1, SECOND_US)
    assert (limit.allowed, limit.replies) == (2, 0)


@pytest.mark.parametrize(("lights", "age_us", "looking"), [(0, 0, LOOK_DOWN), (9, 1, LOOK_DOWN), (9, 0, 0)])
def test_a_round_without_a_light_reply_in_two_minutes_asks_for_some(lights: int, age_us: int, looking: int) -> None:
    assert (LIGHT_LASTS_US, LOOK_DOWN, ROUND_LEAST) == (120 * SECOND_US, 8, 12)
    limit = Limit(16, 4, light_us=100.0, lights=lights, light_at_us=SECOND_US - LIGHT_LASTS_US - age_us)
    after = after_a_round(limit, 100)
    assert (after.looking, after.replies, after.total_us) == (looking, 0, 0)
    if looking:
        assert replied(after, 100, 2, SECOND_US).looking == LOOK_DOWN - 1
        assert replied(after, 100, 4, SECOND_US) == after


def test_a_request_that_is_lost_ends_the_beginning() -> None:
    assert lost(Limit(16, 8)) == Limit(16, 6, starting=False)
    assert lost(Limit(16, 1)).allowed == 1


def test_what_nobody_has_seen_is_not_known_at_the_start() -> None:
    seen = Limit(16, 2)._asdict()
    assert {name: value for name, value in seen.items() if value} == {"ceiling": 16, "allowed": 2, "starting": True}
