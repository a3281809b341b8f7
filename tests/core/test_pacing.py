from bisect import bisect_left
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.pace import (
    LATENESS_US,
    SECOND_US,
    Pace,
    depart,
    pace_for,
    paused,
    take_slot,
)

rates = st.one_of(st.integers(1, 50).map(float), st.floats(0.05, 50))


def next_slot(pace: Pace, now_us: int, rate: float) -> tuple[Pace, int]:
    """Wait for the next slot; returns when it is."""
    pace, wait_us = take_slot(pace, now_us, rate)
    if wait_us:
        now_us += wait_us
        pace, still_us = take_slot(pace, now_us, rate)
        assert still_us == 0
    return pace, now_us


def departures(rate: float, lateness_us: list[int]) -> list[int]:
    """Let requests go one after the other, each as late after its slot as given."""
    pace, moments, now_us = pace_for(rate), list[int](), 0
    for late_us in lateness_us:
        pace, now_us = next_slot(pace, now_us, rate)
        now_us += late_us
        pace, wait_us = depart(pace, now_us)
        while wait_us:
            now_us += wait_us
            pace, wait_us = depart(pace, now_us)
        moments.append(now_us)
    return moments


@given(rates, st.lists(st.integers(0, 700_000), min_size=2, max_size=80))
def test_no_window_of_one_second_holds_more_than_the_ceiling_however_late_the_workers_wake(
    rate: float, lateness_us: list[int]
) -> None:
    moments = departures(rate, lateness_us)
    for index, moment_us in enumerate(moments):
        within = bisect_left(moments, moment_us + SECOND_US) - index
        assert within <= max(1, ceil(rate))


@given(rates)
def test_a_punctual_worker_uses_at_least_98_percent_of_the_ceiling(rate: float) -> None:
    moments = departures(rate, [0] * 200)
    assert (len(moments) - 1) / (moments[-1] / SECOND_US) >= 0.98 * rate


@given(st.floats(0.05, 20), st.lists(st.integers(0, LATENESS_US), min_size=1, max_size=60))
def test_waking_late_by_a_little_costs_the_following_nothing(rate: float, lateness_us: list[int]) -> None:
    pace, now_us = pace_for(rate), LATENESS_US
    first_us = now_us
    for late_us in lateness_us:
        pace, wait_us = take_slot(pace, now_us, rate)
        if wait_us:
            now_us += wait_us + late_us
            pace, wait_us = take_slot(pace, now_us, rate)
        assert wait_us == 0
    assert now_us - first_us <= ceil(len(lateness_us) * SECOND_US / rate) + len(lateness_us) + LATENESS_US


@pytest.mark.parametrize("rate", [0.3, 1.0, 7.5])
def test_what_left_long_ago_is_forgotten(rate: float) -> None:
    pace, now_us = pace_for(rate), 0
    for _ in range(100):
        pace, wait_us = depart(pace, now_us)
        now_us += wait_us or SECOND_US
    assert len(pace.departures) == ceil(rate)
    assert pace.departures[-1] >= now_us - 5 * SECOND_US


def test_an_idle_time_is_not_caught_up_in_a_burst() -> None:
    pace, _ = next_slot(pace_for(10.0), 0, 10.0)
    pace, first_us = next_slot(pace, 60 * SECOND_US, 10.0)
    pace, second_us = next_slot(pace, first_us, 10.0)
    assert (first_us, second_us) == (60 * SECOND_US, 60 * SECOND_US + 100_000 - LATENESS_US)


@pytest.mark.parametrize(("rate", "interval_us"), [(20.0, 100_000), (10.0, 100_000), (4.0, 250_000)])
def test_slots_stand_as_far_apart_as_the_present_rate_says_but_never_above_the_ceiling(
    rate: float, interval_us: int
) -> None:
    pace, _ = take_slot(pace_for(10.0), LATENESS_US, rate)
    assert pace.next_slot_us == interval_us


def test_a_pause_holds_slots_and_departures_and_a_shorter_one_does_not_end_it() -> None:
    pace = paused(paused(pace_for(10.0), 5 * SECOND_US), 2 * SECOND_US)
    assert take_slot(pace, 0, 10.0)[1] == 5 * SECOND_US
    assert depart(pace, SECOND_US)[1] == 4 * SECOND_US
    assert depart(pace, 5 * SECOND_US)[1] == 0


def test_what_is_left_is_spread_until_the_limit_begins_anew() -> None:
    pace = pace_for(10.0)._replace(spread_us=500_000, spread_until_us=2 * SECOND_US)
    pace, _ = take_slot(pace, LATENESS_US, 10.0)
    assert pace.next_slot_us == 500_000
    pace, _ = take_slot(pace, 2 * SECOND_US, 10.0)
    assert pace.next_slot_us == 2 * SECOND_US - LATENESS_US + 100_000


@pytest.mark.parametrize(("rate", "interval_us"), [(1.0, 1_000_000), (3.0, 333_334), (2.5, 400_000), (0.1, 10_000_000)])
def test_slots_stand_one_interval_apart_rounded_up(rate: float, interval_us: int) -> None:
    assert pace_for(rate).interval_us == interval_us


def test_a_pause_counts_also_where_the_window_is_full() -> None:
    pace, _ = depart(pace_for(1.0), 0)
    assert depart(pace, 500_000)[1] == 500_000
    assert depart(paused(pace, 5 * SECOND_US), 500_000)[1] == 4_500_000


def test_the_window_is_rounded_up_and_a_spread_is_never_faster_than_the_ceiling() -> None:
    window_us = pace_for(0.3).window_us
    assert (type(window_us), window_us) == (int, 3_333_334)
    spread = pace_for(1.0)._replace(spread_us=20_000, spread_until_us=2 * SECOND_US)
    pace, _ = take_slot(spread, LATENESS_US, 1.0)
    assert pace.next_slot_us == SECOND_US
