from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.pace import FLOOR
from bulk_remove.core.throttle import LEVELS, Ceilings, Key, Level, Steering, ceilings_of, key_of, ladder, pressed

STEADY = LEVELS[Level.STEADY]
givens = st.builds(ceilings_of, st.sampled_from(Level), st.floats(0.01, 1000), st.integers(1, 64))


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        *(("p", Key.PAUSE), ("P", Key.PAUSE), ("+", Key.FASTER), ("=", Key.FASTER), ("-", Key.SLOWER)),
        *(("_", Key.SLOWER), ("q", Key.STOP), ("Q", Key.STOP), ("x", None), ("\x1b", None), ("\n", None), ("ń", None)),
    ],
)
def test_a_key_is_taken_with_shift_and_without(typed: str, key: Key | None) -> None:
    assert key_of(typed) == key


def test_p_holds_and_p_goes_on() -> None:
    held, answer = pressed(Steering(STEADY, STEADY), Key.PAUSE)
    assert held.paused
    assert answer == "Paused: no new request leaves; those under way finish. p goes on."
    assert pressed(held, Key.PAUSE) == (Steering(STEADY, STEADY), "Going on.")


def test_slower_and_faster_are_steps_told_in_figures() -> None:
    slower, answer = pressed(Steering(STEADY, STEADY), Key.SLOWER)
    assert answer == "Slower: at most 3.75 requests/s and 3 at once."
    faster, answer = pressed(slower, Key.FASTER)
    assert answer == "Faster: at most 5 requests/s and 4 at once."
    assert faster == Steering(STEADY, STEADY)
    assert pressed(faster, Key.FASTER) == (
        faster,
        "Already at the given limit: at most 5 requests/s and 4 at once.",
    )


def test_the_slowest_still_sends() -> None:
    steering = Steering(STEADY, STEADY)
    for _ in ladder(STEADY):
        steering, answer = pressed(steering, Key.SLOWER)
    assert answer == "Already at the slowest: at most 0.5 requests/s and 1 at once. p pauses."
    assert steering.ceilings == ladder(STEADY)[0]


@given(givens, st.lists(st.sampled_from([Key.PAUSE, Key.FASTER, Key.SLOWER]), max_size=30))
def test_no_keys_lead_above_what_was_given_or_to_nothing(given_: Ceilings, keys: list[Key]) -> None:
    steering = Steering(given_, given_)
    for key in keys:
        steering, _ = pressed(steering, key)
        assert min(FLOOR, given_.rate) <= steering.ceilings.rate <= given_.rate
        assert 1 <= steering.ceilings.at_once <= given_.at_once
        assert steering.ceilings.adaptive == given_.adaptive


@given(givens)
def test_each_step_differs_from_the_next(given_: Ceilings) -> None:
    steps = ladder(given_)
    assert steps[-1] == given_
    for lower, higher in pairwise(steps):
        assert (lower.rate, lower.at_once) < (higher.rate, higher.at_once)


def test_the_steps_are_shares_of_the_ceilings_rounded_to_whole_requests() -> None:
    steps = ladder(Ceilings(20.0, 16, 2.0, 2))
    assert [(step.rate, step.at_once) for step in steps] == [
        (2.0, 2), (3.0, 2), (5.0, 4), (7.0, 6), (10.0, 8), (15.0, 12), (20.0, 16),
    ]  # fmt: skip


def test_half_a_request_is_rounded_up() -> None:
    assert [step.at_once for step in ladder(Ceilings(20.0, 6, 2.0, 2))] == [1, 1, 2, 2, 3, 5, 6]
