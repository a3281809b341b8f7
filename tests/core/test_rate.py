"""The rate against events of any kind, and against limiters of a few; the worlds are in tests/benchmarks/pace."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.rate import (
    BLIND_DROP,
    FLOOR,
    HOLD_FIRST_US,
    HOLD_MAX_US,
    MARGIN,
    PERIOD_MAX_US,
    SECOND_US,
    SHUT_MAX_US,
    Rate,
    accepted,
    borne_at,
    departed,
    hold_of,
    idled,
    rate_at,
    rate_from,
    recapped,
    refused,
    rested,
)

CEILING = 20.0
events = st.lists(
    st.tuples(
        st.sampled_from(["departed", "accepted", "refused", "idled"]),
        st.integers(0, 30 * SECOND_US),
        st.integers(0, 2 * SECOND_US),
        st.sampled_from([0, 0, 0, SECOND_US, 30 * SECOND_US, 3600 * SECOND_US]),
    ),
    max_size=80,
)


def after(rate: Rate, event: tuple[str, int, int, int], now_us: int) -> Rate:
    kind, _, ago_us, pause_us = event
    match kind:
        case "departed":
            return departed(rate, now_us)
        case "accepted":
            return accepted(rate, max(0, now_us - ago_us), now_us)
        case "refused":
            return refused(rate, max(0, now_us - ago_us), 1, now_us, pause_us)
    return idled(rate, min(ago_us, now_us - rate.since_us)) if now_us > rate.since_us else rate


class Limiter:
    """Sends evenly at the present rate; replies come at once. `accepts` says what becomes of a request at a moment."""

    def __init__(self, accepts: Callable[[int], bool], ceiling: float = CEILING) -> None:
        self.rate = rate_from(2.0, ceiling, 0)
        self.now_us = 0
        self.refusals: list[int] = []
        self._accepts = accepts

    def run(self, seconds: float) -> float:
        """Send for so long; returns how many were accepted a second."""
        began_us, taken = self.now_us, 0
        while self.now_us < began_us + seconds * SECOND_US:
            self.now_us += round(SECOND_US / rate_at(self.rate, self.now_us))
            self.rate = departed(self.rate, self.now_us)
            if self._accepts(self.now_us):
                taken += 1
                self.rate = accepted(self.rate, self.now_us, self.now_us)
            else:
                self.refusals.append(self.now_us)
                self.rate = refused(self.rate, self.now_us, 0, self.now_us)
        return taken / (self.now_us - began_us) * SECOND_US


def bucket(limit: Callable[[int], float], burst: float) -> Callable[[int], bool]:
    """Return a token bucket whose limit, in requests a second, may change."""
    tokens, filled_us = burst, 0

    def accepts(now_us: int) -> bool:
        nonlocal tokens, filled_us
        tokens = min(burst, tokens + (now_us - filled_us) / SECOND_US * limit(now_us))
        filled_us = now_us
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return accepts


@given(st.floats(0.01, 1000), st.floats(0.1, 50), events)
def test_whatever_happens_the_rate_is_between_the_floor_and_the_ceiling(
    ceiling: float, start: float, happenings: list[tuple[str, int, int, int]]
) -> None:
    rate, now_us = rate_from(start, ceiling, 0), 0
    for event in happenings:
        now_us += event[1]
        rate = after(rate, event, now_us)
        assert min(FLOOR, ceiling) <= rate_at(rate, now_us) <= ceiling
        assert 0 <= hold_of(rate) <= HOLD_MAX_US
        assert rate.period_us <= PERIOD_MAX_US
        assert rate.shut_us <= max(SHUT_MAX_US, SECOND_US / min(FLOOR, ceiling) + 1)


@given(events)
def test_a_refusal_never_raises_the_rate(happenings: list[tuple[str, int, int, int]]) -> None:
    rate, now_us = rate_from(2.0, CEILING, 0), 0
    for event in happenings:
        now_us += event[1]
        rate = after(rate, event, now_us)
        now = refused(rate, now_us, 0, now_us)
        assert rate_at(now, now_us) <= rate_at(rate, now_us)


@given(events)
def test_where_nothing_is_refused_any_more_the_ceiling_is_reached(happenings: list[tuple[str, int, int, int]]) -> None:
    rate, now_us = rate_from(2.0, CEILING, 0), 0
    for event in happenings:
        now_us += event[1]
        rate = after(rate, event, now_us)
    now_us = max(now_us, rate.since_us)
    rate = accepted(departed(rate, now_us), now_us, now_us)
    # The longest hold, then the slowest climb there is: over two minutes to a tenth, then doubling.
    later_us = now_us + HOLD_MAX_US + 600 * SECOND_US
    assert rate_at(rate, later_us) == CEILING


@given(events, st.integers(0, 700 * SECOND_US), st.integers(0, 100 * SECOND_US))
def test_the_rate_only_rises_with_time_by_itself(
    happenings: list[tuple[str, int, int, int]], one_us: int, more_us: int
) -> None:
    rate, now_us = rate_from(2.0, CEILING, 0), 0
    for event in happenings:
        now_us += event[1]
        rate = after(rate, event, now_us)
    assert rate_at(rate, now_us + one_us) <= rate_at(rate, now_us + one_us + more_us)


@pytest.mark.parametrize("burst", [2.0, 5.0, 10.0, 20.0, 60.0])
def test_the_limit_of_a_bucket_is_found_within_a_minute_whatever_it_saved_up(burst: float) -> None:
    limiter = Limiter(bucket(lambda _: 10.0, burst))
    limiter.run(60)
    assert limiter.run(600) >= 9.4
    assert len(limiter.refusals) <= 30


def test_a_limit_that_halves_is_found_with_a_handful_of_refusals_and_one_that_doubles_within_two_minutes() -> None:
    limiter = Limiter(bucket(lambda now_us: 5.0 if 300 <= now_us // SECOND_US < 900 else 10.0, 10.0))
    limiter.run(300)
    before = len(limiter.refusals)
    limiter.run(10)
    assert len(limiter.refusals) - before <= 8
    assert limiter.run(590) >= 4.6
    limiter.run(120)
    assert limiter.run(300) >= 9.3


def test_a_budget_for_a_minute_is_spread_over_it() -> None:
    used: dict[int, int] = {}

    def accepts(now_us: int) -> bool:
        minute = now_us // (60 * SECOND_US)
        used[minute] = used.get(minute, 0) + 1
        return used[minute] <= 600

    limiter = Limiter(accepts)
    limiter.run(300)
    assert limiter.rate.period_us > 30 * SECOND_US
    assert limiter.run(1500) >= 9.3
    assert len(limiter.refusals) <= 100


def test_what_a_limiter_accepts_between_two_refusals_is_its_limit_whatever_it_had_saved_up() -> None:
    rate = rate_from(12.0, CEILING, 0)
    for index in range(12):
        rate = departed(rate, index * 80_000)
    rate = refused(rate, 12 * 80_000, 0, SECOND_US)
    began_us = SECOND_US
    for index in range(1, 21):
        moment_us = began_us + index * 100_000
        rate = accepted(departed(rate, moment_us), moment_us, moment_us)
    moment_us = began_us + 2_050_000
    rate = refused(departed(rate, moment_us), moment_us, 0, moment_us)
    assert rate_at(rate, moment_us) == pytest.approx(MARGIN * 19.5 / 2.05)


def test_a_refusal_of_a_request_that_left_before_the_last_drop_tells_nothing_new() -> None:
    rate = refused(departed(rate_from(10.0, CEILING, 0), 0), 0, 0, SECOND_US)
    late = refused(rate, SECOND_US - 1, 0, 2 * SECOND_US)
    assert rate_at(late, 2 * SECOND_US) == rate_at(rate, 2 * SECOND_US)
    assert late.refusals == rate.refusals + 1


def test_before_anything_can_be_measured_a_refusal_takes_a_fixed_share() -> None:
    rate = Rate(CEILING, 10.0, SECOND_US, seeking=False, dropped_us=SECOND_US, fresh=False)
    was = rate_at(rate, SECOND_US)
    rate = accepted(departed(rate, SECOND_US), SECOND_US, SECOND_US)
    rate = refused(departed(rate, 2 * SECOND_US), 2 * SECOND_US, 0, 2 * SECOND_US)
    assert rate_at(rate, 2 * SECOND_US) == pytest.approx(MARGIN * BLIND_DROP * was)


def test_a_server_that_lets_nothing_through_is_knocked_at_ever_more_rarely() -> None:
    limiter = Limiter(lambda now_us: now_us < 30 * SECOND_US)
    limiter.run(150)
    assert len(limiter.refusals) <= 55
    assert limiter.refusals[-1] - limiter.refusals[-2] == SHUT_MAX_US


def test_the_hold_grows_with_each_time_that_the_limit_is_where_it_was() -> None:
    limiter = Limiter(bucket(lambda _: 10.0, 10.0))
    limiter.run(1200)
    gaps = [later - earlier for earlier, later in zip(limiter.refusals[3:], limiter.refusals[4:], strict=False)]
    assert gaps[-1] > gaps[0] >= HOLD_FIRST_US
    assert gaps[-1] >= 60 * SECOND_US


def test_a_long_pause_counts_as_part_of_the_time_that_a_budget_is_for() -> None:
    rate = rate_from(10.0, 10.0, 0)
    for index in range(300):
        rate = departed(rate, index * 100_000)
    rate = refused(rate, 30 * SECOND_US, 0, 30 * SECOND_US, 30 * SECOND_US)
    assert rate_at(rate, 60 * SECOND_US) == pytest.approx(MARGIN * 299 / 60, rel=0.1)


def test_a_pause_after_a_probe_is_at_most_a_sixtieth_of_the_hold_that_follows() -> None:
    rate = Rate(CEILING, 10.0, 0, seeking=False, wall=10.0, recent=(10,) * 30, recent_at_us=30 * SECOND_US)
    rate = refused(rate, 30 * SECOND_US, 0, 31 * SECOND_US, 5 * SECOND_US)
    assert hold_of(rate) == 300 * SECOND_US


def test_the_clock_of_a_hold_stands_still_while_the_rate_holds_nobody_up() -> None:
    rate = Rate(CEILING, 5.0, 0, seeking=False)
    moment_us = HOLD_FIRST_US + 20 * SECOND_US
    assert rate_at(rate, moment_us) > rate_at(idled(rate, 10 * SECOND_US), moment_us) > 5.0
    assert rate_at(idled(rate, 25 * SECOND_US), moment_us) == 5.0


def test_what_was_borne_is_told_once_enough_has_left_and_without_what_a_probe_adds() -> None:
    limiter = Limiter(bucket(lambda _: 10.0, 10.0))
    assert borne_at(limiter.rate, 0) is None
    limiter.run(6)
    assert borne_at(limiter.rate, limiter.now_us) == rate_at(limiter.rate, limiter.now_us)
    limiter.run(300)
    assert borne_at(limiter.rate, limiter.now_us) == pytest.approx(9.8, rel=0.05)
    assert borne_at(Rate(CEILING, 5.0, 0, shut_us=SECOND_US, recent=(30,)), 0) is None


def test_a_lower_ceiling_is_kept_and_what_lay_above_it_is_climbed_to_anew() -> None:
    seeking = recapped(rate_from(2.0, CEILING, 0), 4.0, SECOND_US)
    late_us = 60 * SECOND_US
    assert rate_at(seeking, late_us) == 4.0
    raised = recapped(seeking, CEILING, late_us)
    assert rate_at(raised, late_us) == 4.0
    assert rate_at(raised, late_us + 4 * SECOND_US) == 8.0


def test_a_rate_that_was_measured_is_still_known_after_a_lower_ceiling() -> None:
    held = Rate(CEILING, 10.0, 0, seeking=False)
    lowered = recapped(held, 1.0, SECOND_US)
    assert rate_at(lowered, 3600 * SECOND_US) == 1.0
    raised = recapped(lowered, CEILING, 3600 * SECOND_US)
    assert rate_at(raised, 3600 * SECOND_US) == 10.0
    assert rate_at(raised, 3600 * SECOND_US + HOLD_FIRST_US) == 10.0


def test_a_pause_leaves_the_rate_as_if_it_had_not_been() -> None:
    rate = refused(departed(rate_from(2.0, CEILING, 0), SECOND_US), SECOND_US, 0, 2 * SECOND_US, 0)
    begins_us, ends_us = 5 * SECOND_US, 4000 * SECOND_US
    rested_ = rested(rate, begins_us, ends_us)
    for later_us in range(0, 60 * SECOND_US, SECOND_US):
        assert rate_at(rested_, ends_us + later_us) == rate_at(rate, begins_us + later_us)
    dropped_meanwhile = refused(rate_from(2.0, CEILING, 0), SECOND_US, 0, 9 * SECOND_US, 0)
    assert rested(dropped_meanwhile, begins_us, ends_us).dropped_us == ends_us


def test_a_limit_over_a_longer_time_is_forgotten_when_more_is_let_through_at_once() -> None:
    held = Rate(CEILING, 5.0, 0, seeking=False, period_us=30 * SECOND_US, fresh=False)
    let_through = accepted(held, SECOND_US, SECOND_US)
    assert (let_through.period_us, let_through.wall) == (0, 5.0 / MARGIN)
