from dataclasses import replace

import pytest

from bulk_remove.core.model import Brackets
from bulk_remove.core.throttle import (
    LEVELS,
    LINE_LASTS_S,
    PACE_LASTS_S,
    Learned,
    Level,
    first_size,
    fresh,
    paced,
    size_learned,
    started,
)

NOON_S = 1_700_000_000.0
LEARNED = Learned(4000, NOON_S, 10.0, 100, NOON_S)
FULL = LEVELS[Level.FULL]


@pytest.mark.parametrize(("age", "start"), [(0.0, 8.0), (0.5, 4.0), (0.9, FULL.start_rate), (7.0, FULL.start_rate)])
def test_a_run_begins_with_the_pace_that_was_borne_the_less_the_longer_ago(age: float, start: float) -> None:
    assert started(FULL, LEARNED, NOON_S + age * PACE_LASTS_S).start_rate == pytest.approx(start)


def test_what_was_borne_never_raises_the_start_above_the_ceiling_and_nothing_known_leaves_it() -> None:
    assert started(LEVELS[Level.GENTLE], LEARNED, NOON_S).start_rate == LEVELS[Level.GENTLE].rate
    assert started(FULL, Learned(), NOON_S) == FULL


@pytest.mark.parametrize(("age", "size"), [(0.0, 100), (0.5, 200), (1.0, 300), (9.0, 300)])
def test_requests_are_as_small_as_was_borne_the_larger_the_longer_ago(age: float, size: int) -> None:
    assert first_size(300, LEARNED, NOON_S + age * PACE_LASTS_S) == size


def test_a_size_that_is_not_known_or_large_enough_changes_nothing() -> None:
    assert first_size(300, Learned(), NOON_S) == 300
    assert first_size(50, LEARNED, NOON_S) == 50


def test_the_pace_lasts_a_day_and_the_request_line_a_month() -> None:
    assert fresh(LEARNED, NOON_S + PACE_LASTS_S - 1) == LEARNED
    assert fresh(LEARNED, NOON_S + PACE_LASTS_S) == Learned(4000, NOON_S, None, None, NOON_S)
    assert fresh(LEARNED, NOON_S + LINE_LASTS_S).longest_line is None


def test_how_a_host_reads_brackets_lasts_a_month() -> None:
    learned = Learned(brackets=Brackets.RAW, brackets_at_s=NOON_S)
    assert fresh(learned, NOON_S + LINE_LASTS_S - 1) == learned
    assert fresh(learned, NOON_S + LINE_LASTS_S).brackets is None


def test_what_a_wrong_clock_dated_far_ahead_does_not_last_until_then() -> None:
    assert fresh(LEARNED, NOON_S - 3600.0) == LEARNED
    assert fresh(LEARNED, NOON_S - PACE_LASTS_S) == Learned(4000, NOON_S, None, None, NOON_S)
    assert fresh(LEARNED, NOON_S - LINE_LASTS_S).longest_line is None


@pytest.mark.parametrize(
    ("rate", "ceiling", "known"),
    [
        (2.0, 2.0, 10.0),  # --rate 2: the server's limit is still where it was
        (12.0, 12.0, 12.0),
        (3.0, 5.0, 3.0),  # below the ceiling it was the server
        (11.0, 20.0, 11.0),
    ],
)
def test_a_ceiling_of_the_operator_is_never_learned_as_the_servers_limit(
    rate: float, ceiling: float, known: float
) -> None:
    learned = paced(LEARNED, rate, ceiling, 50, NOON_S + 5)
    assert learned.rate == known
    assert (learned == replace(LEARNED, numbers=50)) is (known == LEARNED.rate)
    assert learned.longest_line == LEARNED.longest_line
    assert paced(Learned(), 2.0, 2.0, 50, NOON_S) == Learned(rate=2.0, numbers=50, pace_at_s=NOON_S)


def test_a_pace_that_only_reached_the_ceiling_is_not_known_anew_and_another_is_kept_to_three_decimals() -> None:
    assert paced(LEARNED, 10.0, 10.0, 50, NOON_S + 5) == replace(LEARNED, numbers=50)
    assert paced(LEARNED, 3.14159, 5.0, 50, NOON_S + 5).rate == 3.142


def test_a_day_and_thirty_days_are_meant() -> None:
    assert (PACE_LASTS_S, LINE_LASTS_S) == (86_400.0, 30 * 86_400.0)


def test_of_an_unknown_host_nothing_is_known() -> None:
    assert Learned() == Learned(None, 0.0, None, None, 0.0)


@pytest.mark.parametrize(
    ("known", "numbers", "most", "learned"),
    [(None, 20, 20, None), (None, 19, 20, 19), (50, 20, 20, 50), (10, 20, 20, 20), (50, 20, 200, 20)],
)
def test_a_size_that_the_operator_allowed_is_never_learned_as_slowness(
    known: int | None, numbers: int, most: int, learned: int | None
) -> None:
    assert size_learned(known, numbers, most) == learned
