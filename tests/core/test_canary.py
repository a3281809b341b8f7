"""The judgement of what was sent first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.limits import MAX_NOT_EXIST, canary_declined, judge_canary, parse_share
from bulk_remove.core.model import Status
from bulk_remove.errors import ExitCode


@pytest.mark.parametrize(
    ("mix", "limit", "stops"),
    [
        ({Status.REMOVED: 10}, 0.0, False),
        ({Status.REMOVED: 9, Status.NOT_EXIST: 1}, 0.0, True),
        ({Status.REMOVED: 1, Status.NOT_EXIST: 9}, MAX_NOT_EXIST, False),
        ({Status.REMOVED: 1, Status.NOT_EXIST: 10}, MAX_NOT_EXIST, True),
        ({Status.CALL_IN_PROGRESS: 1, Status.NOT_EXIST: 9}, MAX_NOT_EXIST, False),
        ({Status.NOT_EXIST: 10}, 1.0, False),
        ({Status.PRESUMED_REMOVED: 10}, MAX_NOT_EXIST, True),
        ({Status.PRESUMED_REMOVED: 9, Status.NOT_EXIST: 1}, MAX_NOT_EXIST, True),
        ({Status.FAILED: 10}, MAX_NOT_EXIST, True),
        ({Status.FAILED: 10}, 1.0, False),
        ({Status.FAILED: 9, Status.REMOVED: 1}, MAX_NOT_EXIST, False),
        ({}, 0.0, False),
    ],
)
def test_the_rest_follows_when_enough_of_the_first_numbers_are_there(
    mix: dict[Status, int], limit: float, *, stops: bool
) -> None:
    assert (judge_canary(mix, limit, "r1", 5) is not None) is stops


def test_a_stop_tells_the_figures_and_how_to_go_on() -> None:
    stop = judge_canary({Status.REMOVED: 20, Status.NOT_EXIST: 279, Status.FAILED: 1}, 0.9, "r1", 5)
    assert stop is not None
    assert stop.exit_code is ExitCode.GUARD
    assert stop.sentence == (
        "Of 299 numbers sent first, 279 (94%) are not there; the limit is 90%: the rest was not sent."
    )
    assert stop.hint.endswith("bulk-remove resume r1 --canary-max-not-exist 94%.")


def test_a_canary_that_was_the_whole_list_speaks_of_no_rest() -> None:
    stop = judge_canary({Status.NOT_EXIST: 1}, 0.9, "r1", 0)
    assert stop is not None
    assert stop.sentence == ("The 1 number sent first (100%) is not there; the limit is 90%. That was the whole list.")
    assert "resume" not in stop.hint


def test_a_canary_that_told_nothing_says_so() -> None:
    stop = judge_canary({Status.IN_DOUBT: 7}, 0.9, "r1", 5)
    assert stop is not None
    assert stop.sentence.startswith("Of 7 numbers sent first, none is known to have been there")
    assert "--canary-max-not-exist 100%" in stop.hint


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_limit_in_the_hint_lets_the_rest_follow(there: int, missing: int) -> None:
    mix = {Status.REMOVED: there, Status.NOT_EXIST: missing}
    if stop := judge_canary(mix, 0.0, "r1", 5):
        assert judge_canary(mix, parse_share(stop.hint.rpartition(" ")[2].rstrip(".")), "r1", 5) is None
    else:
        assert not missing


def test_who_declines_learns_how_to_go_on() -> None:
    assert canary_declined("r1").hint.endswith("bulk-remove resume r1.")


def test_where_nothing_was_sent_first_nothing_is_judged() -> None:
    assert judge_canary({}, 0.5, "r1", 9) is None
    assert judge_canary({Status.REMOVED: 0}, 0.5, "r1", 9) is None
