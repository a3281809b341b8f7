from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.throttle import Breaker, RetryBudget, admit, closed, earn, failed, spend

SECOND = 1_000_000


def tripped(times: int = 3, at_us: int = 0) -> Breaker:
    breaker = Breaker(threshold=3, patience_us=900 * SECOND)
    for _ in range(times):
        breaker = failed(breaker, at_us)
    return breaker


def test_it_opens_at_the_threshold_and_any_reply_closes_it() -> None:
    assert not tripped(2).is_open
    assert tripped(3).is_open
    assert not closed(tripped(3)).is_open
    assert closed(tripped(1)) == closed(tripped(3)) == Breaker(3, 900 * SECOND)
    assert closed(Breaker(3, 1)) == Breaker(3, 1)


def test_a_denial_opens_it_at_once_and_counts_as_one_fault_when_it_is_open() -> None:
    denied = failed(Breaker(3, 900 * SECOND), 0, at_once=True)
    assert (denied.is_open, denied.next_probe_us) == (True, 5 * SECOND)
    assert failed(tripped(5), 0, at_once=True) == failed(tripped(5), 0)


def test_a_closed_one_admits_everybody() -> None:
    assert admit(tripped(2), 0) == (tripped(2), 0)


def test_an_open_one_admits_one_probe_at_a_time_and_only_when_it_is_due() -> None:
    breaker, wait_us = admit(tripped(3), SECOND)
    assert wait_us == 4 * SECOND
    breaker, wait_us = admit(breaker, 5 * SECOND)
    assert (wait_us, breaker.probing) == (0, True)
    assert admit(breaker, 5 * SECOND)[1] == 5 * SECOND


def test_each_failed_probe_doubles_the_wait_up_to_a_minute() -> None:
    breaker = tripped(3)
    waits = []
    for _ in range(6):
        waits.append(breaker.next_probe_us)
        breaker, _ = admit(breaker, breaker.next_probe_us)
        breaker = failed(breaker, 0)
    assert waits == [5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND, 60 * SECOND, 60 * SECOND]


def test_it_is_hopeless_when_nobody_was_answered_for_the_whole_patience() -> None:
    assert not Breaker(3, 5).hopeless(10**9)
    assert not tripped(1, at_us=SECOND).hopeless(900 * SECOND)
    assert tripped(1, at_us=SECOND).hopeless(901 * SECOND)


@given(st.integers(0, 200), st.integers(0, 2 * SECOND), st.integers(1, 400))
def test_retries_that_come_one_after_the_other_use_the_budget_up_and_then_only_drip(
    firsts: int, pause_us: int, tries: int
) -> None:
    budget = RetryBudget()
    for _ in range(firsts):
        budget = earn(budget)
    saved = min(100, 10 + firsts)
    now_us = passed = 0
    for _ in range(saved + tries):
        now_us += pause_us
        budget, wait_us = spend(budget, now_us)
        passed += not wait_us
    dripped = now_us / budget.drip_us
    assert saved <= passed
    assert passed <= saved + dripped
    assert passed >= min(saved + tries, int(saved + dripped) - 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30 * SECOND)), max_size=200))
def test_retries_never_outnumber_first_tries_but_for_the_start_and_the_drip(tries: list[tuple[bool, int]]) -> None:
    budget = RetryBudget()
    now_us = firsts = retries = 0
    for retry, pause_us in tries:
        now_us += pause_us
        if retry:
            budget, wait_us = spend(budget, now_us)
            if wait_us:
                assert spend(budget, now_us + wait_us)[1] == 0
            retries += not wait_us
        else:
            budget = earn(budget)
            firsts += 1
        assert retries <= firsts + 10 + now_us / budget.drip_us
        assert 0 <= budget.left <= budget.most


def test_an_empty_budget_says_how_long_until_the_next_drip() -> None:
    budget = RetryBudget(left=0.5, drip_us=10 * SECOND, updated_us=SECOND)
    budget, wait_us = spend(budget, SECOND)
    assert wait_us == 5 * SECOND + 1
    assert spend(budget, SECOND + wait_us)[1] == 0


def test_a_budget_is_filled_by_first_tries_and_by_time_up_to_a_hundred_and_begins_with_ten() -> None:
    assert earn(RetryBudget()).left == 11
    assert earn(RetryBudget(left=99.5)).left == 100
    assert spend(RetryBudget(left=100.0), 3600 * 1_000_000)[0].left == 99
    assert spend(RetryBudget(left=0.0), 0) == (RetryBudget(left=0.0), 10_000_001)
    assert spend(RetryBudget(left=0.0), 9_999_999)[1] > 0
    assert spend(RetryBudget(left=0.0), 10_000_000) == (RetryBudget(left=0.0, updated_us=10_000_000), 0)


def test_the_wait_for_a_retry_is_in_whole_microseconds() -> None:
    wait_us = spend(RetryBudget(left=1 / 3), 0)[1]
    assert (type(wait_us), wait_us) == (int, 6_666_668)


def test_a_reply_to_a_probe_ends_the_probing() -> None:
    probing, wait_us = admit(tripped(), 5 * SECOND)
    assert (probing.probing, wait_us) == (True, 0)
    assert closed(probing) == Breaker(3, 900 * SECOND)


def test_a_retry_earlier_than_the_last_one_takes_nothing_more() -> None:
    assert spend(RetryBudget(left=5.0, updated_us=10 * SECOND), 0)[0].left == 4
