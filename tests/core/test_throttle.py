from bisect import bisect_left
from dataclasses import replace
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core import pace as pacing
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.replies import Quota
from bulk_remove.core.throttle import (
    LEVELS,
    Ceilings,
    Level,
    Throttle,
    Trip,
    answered,
    borne,
    ceilings_of,
    departure,
    pushed_back,
    rate_now,
    recapped,
    rested,
    slot,
    throttle_for,
    told,
    unanswered,
    withdrawn,
)

STEADY = LEVELS[Level.STEADY]
FIXED = LEVELS[Level.FIXED]
ends = st.tuples(
    st.sampled_from(["answered", "pushed back", "unanswered", "withdrawn", "told"]),
    st.integers(0, 3 * SECOND_US),
    st.sampled_from([None, None, 0, SECOND_US, 20 * SECOND_US]),
)


def gone(throttle: Throttle, now_us: int) -> tuple[Throttle, Trip]:
    """Wait for a slot and the departure; returns the trip."""
    for ask in (slot, departure):
        throttle, wait_us = ask(throttle, now_us)
        while wait_us:
            now_us += wait_us
            throttle, wait_us = ask(throttle, now_us)
    return throttle, Trip(now_us, throttle.under_way)


def back(throttle: Throttle, trip: Trip, how: tuple[str, int, int | None], now_us: int) -> Throttle:
    match how[0]:
        case "answered":
            return answered(throttle, trip, now_us)
        case "pushed back":
            return pushed_back(throttle, trip, now_us, how[2])
        case "unanswered":
            return unanswered(throttle)
        case "told":
            return told(answered(throttle, trip, now_us), Quota(how[1] % 5, 1 + how[1] / SECOND_US), now_us)
    return withdrawn(throttle)


@given(st.floats(0.1, 60), st.integers(1, 8), st.booleans(), st.lists(ends, max_size=60))
def test_no_second_and_no_moment_holds_more_than_the_ceilings_whatever_comes(
    rate: float, at_once: int, adaptive: bool, happenings: list[tuple[str, int, int | None]]
) -> None:
    throttle = throttle_for(Ceilings(rate, at_once, rate, at_once, adaptive), 0)
    under_way, moments, now_us = list[Trip](), list[int](), 0
    for how in happenings:
        while not throttle.full:
            throttle, trip = gone(throttle, now_us)
            now_us = trip.departed_us
            under_way.append(trip)
            moments.append(now_us)
        assert len(under_way) == throttle.under_way <= at_once
        now_us += how[1]
        throttle = back(throttle, under_way.pop(0), how, now_us)
    for index, moment_us in enumerate(moments):
        assert bisect_left(moments, moment_us + SECOND_US) - index <= max(1, ceil(rate))


def at_once(throttle: Throttle) -> int:
    return next(count for count in range(99) if throttle._replace(under_way=count).full)


def test_a_refusal_slows_the_very_next_slot() -> None:
    throttle, trip = gone(throttle_for(replace(STEADY, start_rate=5.0), 0), 0)
    now_us = trip.departed_us + 50_000
    throttle = pushed_back(throttle, trip, now_us, None)
    assert rate_now(throttle, now_us) < 5.0
    assert borne(throttle, now_us) is None
    assert slot(throttle, now_us)[1] == pytest.approx(SECOND_US / rate_now(throttle, now_us), abs=1)


def test_a_departure_waits_until_the_window_has_room() -> None:
    throttle, _ = departure(throttle_for(replace(STEADY, rate=1.0), 0), 0)
    assert departure(throttle, 0) == (throttle, SECOND_US)


def test_a_refusal_brings_no_slot_forward() -> None:
    throttle, trip = gone(throttle_for(replace(STEADY, start_rate=5.0), 0), 0)
    throttle = throttle._replace(pace=throttle.pace._replace(next_slot_us=9 * SECOND_US))
    assert pushed_back(throttle, trip, SECOND_US, None).pace.next_slot_us == 9 * SECOND_US


def test_a_fixed_pace_is_not_slowed_but_kept_waiting_as_long_as_the_server_asks() -> None:
    throttle, trip = gone(throttle_for(FIXED, 0), 0)
    throttle = pushed_back(throttle, trip, SECOND_US, None)
    assert borne(throttle, SECOND_US) is None
    assert (rate_now(throttle, SECOND_US), slot(throttle, SECOND_US)[1], at_once(throttle)) == (5.0, 0, 4)
    throttle, trip = gone(throttle, SECOND_US)
    assert slot(pushed_back(throttle, trip, 2 * SECOND_US, 3 * SECOND_US), 2 * SECOND_US)[1] == 3 * SECOND_US


def test_a_quota_that_is_used_up_pauses_all_and_few_are_spread_and_many_are_not() -> None:
    throttle = throttle_for(FIXED, 0)
    assert slot(told(throttle, Quota(0, 30.0), 0), 0)[1] == 30 * SECOND_US
    few, _ = gone(told(throttle, Quota(10, 30.0), 0), 0)
    assert few.pace.next_slot_us == pytest.approx(3 * SECOND_US, abs=25_000)
    assert told(throttle, Quota(1000, 30.0), 0) == throttle


def test_no_server_is_left_alone_for_more_than_an_hour_whatever_it_asks_for() -> None:
    throttle = throttle_for(STEADY, 0)
    assert slot(told(throttle, Quota(0, 86_400.0), 0), 0)[1] == 3600 * SECOND_US
    few, trip = gone(told(throttle, Quota(10, 86_400.0), 0), 0)
    assert slot(few, 0)[1] == 360 * SECOND_US
    assert slot(pushed_back(few, trip, 0, 86_400 * SECOND_US), 0)[1] == 3600 * SECOND_US
    # A quota that is spread ends with the hour: nobody knows what is left after it.
    later, _ = gone(few, 3600 * SECOND_US)
    assert slot(later, 3600 * SECOND_US)[1] < SECOND_US


def test_time_in_which_nobody_asked_for_a_slot_is_not_taken_for_time_in_which_the_rate_was_borne() -> None:
    throttle = throttle_for(STEADY, 0)
    idle, trip = gone(throttle, 3600 * SECOND_US)
    assert rate_now(idle, trip.departed_us) == pytest.approx(STEADY.start_rate, rel=0.01)


@pytest.mark.parametrize("level", list(Level))
def test_ceilings_that_are_given_overrule_those_of_the_level(level: Level) -> None:
    assert ceilings_of(level, None, None) == LEVELS[level]
    given_ones = ceilings_of(level, 100.0, 7)
    assert (given_ones.rate, given_ones.at_once, given_ones.start_rate) == (100.0, 7, 10.0)
    assert ceilings_of(level, 0.5, None).start_rate == 0.5
    assert given_ones.adaptive is (level is not Level.FIXED)


def test_ceilings_lowered_by_hand_are_kept_to_and_nothing_is_learned_of_the_server() -> None:
    lower = replace(STEADY, rate=0.5, at_once=1)
    throttle = throttle_for(STEADY, 0)
    moments = []
    now_us = 0
    throttle = recapped(throttle, lower, eased=True, now_us=0)
    for _ in range(30):
        throttle, trip = gone(throttle, now_us)
        assert throttle.full
        moments.append(trip.departed_us)
        now_us = trip.departed_us + SECOND_US // 10
        throttle = answered(throttle, trip, now_us)
    assert all(later - earlier >= 2 * SECOND_US - pacing.LATENESS_US for earlier, later in pairwise(moments))
    assert borne(throttle, now_us) is None
    throttle = recapped(throttle, STEADY, eased=False, now_us=now_us)
    assert throttle.ceilings == STEADY
    assert borne(throttle, now_us) is not None


def test_after_a_pause_the_next_request_may_go_at_once_and_the_one_after_it_one_interval_later() -> None:
    throttle = throttle_for(FIXED, 0)
    throttle, trip = gone(throttle, 0)
    throttle = rested(answered(throttle, trip, 1), SECOND_US, 3600 * SECOND_US)
    throttle, first = gone(throttle, 3600 * SECOND_US)
    throttle, second = gone(throttle, first.departed_us)
    assert (first.departed_us, second.departed_us) == (3600 * SECOND_US, 3600 * SECOND_US + SECOND_US // 5)


def test_the_levels_are_those_of_the_guide() -> None:
    assert {
        level: (each.rate, each.at_once, each.start_rate, each.start_at_once) for level, each in LEVELS.items()
    } == {
        Level.GENTLE: (2.0, 2, 1.0, 1),
        Level.STEADY: (5.0, 4, 2.0, 2),
        Level.FULL: (20.0, 16, 2.0, 2),
        Level.FIXED: (5.0, 4, 5.0, 4),
    }


def test_the_time_for_which_a_slot_was_free_is_left_out_but_for_how_late_a_worker_wakes() -> None:
    throttle = throttle_for(STEADY, 0)
    late_us = pacing.LATENESS_US
    for free_us, left_out_us in ((0, 0), (late_us, 0), (late_us + 1, 1), (SECOND_US, SECOND_US - late_us)):
        asked, _ = slot(throttle, throttle.pace.next_slot_us + free_us)
        assert asked.rate.since_us - throttle.rate.since_us == left_out_us
    later = throttle._replace(rate=throttle.rate._replace(since_us=SECOND_US))
    assert slot(later, 3 * SECOND_US // 2)[0].rate.since_us == 3 * SECOND_US // 2 - late_us
    assert slot(later, SECOND_US // 2)[0].rate.since_us == SECOND_US


def test_a_reply_counts_with_the_time_since_its_departure() -> None:
    throttle = throttle_for(STEADY, 0)._replace(under_way=1)
    after = answered(throttle, Trip(3 * SECOND_US, 1), 5 * SECOND_US)
    assert (after.limit.light_us, after.limit.light_at_us, after.under_way) == (2 * SECOND_US, 5 * SECOND_US, 0)


def test_only_a_refusal_that_lowers_the_rate_puts_the_next_slot_off() -> None:
    throttle, trip = gone(throttle_for(STEADY, 0), 0)
    throttle = pushed_back(throttle, trip, SECOND_US, None)
    late = pushed_back(throttle, trip, 2 * SECOND_US, None)
    assert late.pace == throttle.pace


def test_how_many_at_once_is_learned_unless_the_pace_is_fixed() -> None:
    assert [at_once(throttle_for(LEVELS[level], 0)) for level in (Level.GENTLE, Level.STEADY, Level.FIXED)] == [1, 2, 4]


def test_a_reply_after_a_refusal_tells_that_the_server_is_open_again() -> None:
    throttle, trip = gone(throttle_for(STEADY, 0), 0)
    throttle, trip = gone(pushed_back(throttle, trip, SECOND_US, None), 2 * SECOND_US)
    assert throttle.rate.cut_us is not None
    assert answered(throttle, trip, 3 * SECOND_US).rate.cut_us is None


def test_ceilings_that_are_moved_by_hand_are_those_of_the_throttle() -> None:
    lower = replace(STEADY, rate=0.5, at_once=1)
    eased = recapped(throttle_for(STEADY, 0), lower, eased=True, now_us=0)
    assert (eased.ceilings, eased.rate.ceiling, eased.limit.ceiling, eased.eased) == (lower, 0.5, 1, True)


def test_a_quota_counts_from_the_moment_at_which_it_was_told() -> None:
    paused = told(throttle_for(FIXED, 0), Quota(0, 30.0), 5 * SECOND_US)
    assert slot(paused, 5 * SECOND_US)[1] == 30 * SECOND_US
