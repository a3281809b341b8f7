from bisect import bisect_left
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.pacing import SECOND_US, SLOWEST, Pace, depart, eased, pace_for, paused, reserve, strained

rates = st.one_of(st.integers(1, 50).map(float), st.floats(0.05, 50))


def departures(pace: Pace, lateness_us: list[int]) -> list[int]:
    """Let requests go one after the other, each as late after its slot as given."""
    moments = []
    now_us = 0
    for late_us in lateness_us:
        pace, slot_us = reserve(pace, now_us)
        now_us = slot_us + late_us
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
    moments = departures(pace_for(rate), lateness_us)
    for index, moment_us in enumerate(moments):
        within = bisect_left(moments, moment_us + SECOND_US) - index
        assert within <= max(1, ceil(rate))


@given(rates)
def test_a_punctual_worker_uses_at_least_98_percent_of_the_ceiling(rate: float) -> None:
    moments = departures(pace_for(rate), [0] * 200)
    assert (len(moments) - 1) / (moments[-1] / SECOND_US) >= 0.98 * rate


@given(st.integers(1, 50), st.lists(st.integers(0, 20_000), min_size=100, max_size=200))
def test_uneven_waking_costs_no_more_than_its_own_lateness(rate: int, lateness_us: list[int]) -> None:
    pace = pace_for(float(rate))
    slots = []
    for _ in lateness_us:
        pace, slot_us = reserve(pace, 0)
        slots.append(slot_us)
    latest = 0
    for slot_us, late_us in zip(slots, lateness_us, strict=True):
        now_us = max(latest, slot_us + late_us)
        pace, wait_us = depart(pace, now_us)
        latest = now_us + wait_us
        if wait_us:
            pace, still_us = depart(pace, latest)
            assert still_us == 0
    assert latest <= slots[-1] + 20_000


def test_an_idle_time_is_not_caught_up_in_a_burst() -> None:
    pace, _ = reserve(pace_for(10.0), 0)
    pace, first_us = reserve(pace, 60 * SECOND_US)
    _, second_us = reserve(pace, 60 * SECOND_US)
    assert (first_us, second_us) == (60 * SECOND_US, 60 * SECOND_US + 100_000)


@given(st.lists(st.booleans(), max_size=60))
def test_strain_slows_the_pace_for_all_and_ease_wins_it_back_within_bounds(signs: list[bool]) -> None:
    pace = pace_for(5.0)
    for strain in signs:
        before = pace.stretch
        pace = strained(pace) if strain else eased(pace)
        assert 1.0 <= pace.stretch <= SLOWEST
        assert pace.stretch >= before if strain else pace.stretch <= before


def test_a_halved_pace_is_won_back_in_23_replies() -> None:
    pace = strained(pace_for(5.0))
    for _ in range(23):
        pace = eased(pace)
    assert pace.stretch == 1.0


def test_strain_stretches_the_distance_of_the_slots() -> None:
    pace, _ = reserve(strained(pace_for(10.0)), 0)
    assert reserve(pace, 0)[1] == 200_000


def test_a_pause_holds_slots_and_departures_and_a_shorter_one_does_not_end_it() -> None:
    pace = paused(paused(pace_for(10.0), 5 * SECOND_US), 2 * SECOND_US)
    assert reserve(pace, 0)[1] == 5 * SECOND_US
    assert depart(pace, SECOND_US)[1] == 4 * SECOND_US
    assert depart(pace, 5 * SECOND_US)[1] == 0


@pytest.mark.parametrize(("rate", "interval_us"), [(1.0, 1_000_000), (3.0, 333_334), (2.5, 400_000), (0.1, 10_000_000)])
def test_slots_stand_one_interval_apart_rounded_up(rate: float, interval_us: int) -> None:
    assert pace_for(rate).interval_us == interval_us
