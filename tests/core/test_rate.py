"""The rate against events of any kind, and against limiters of a few; the worlds are in tests/benchmarks/pace."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.pace import (
    FLOOR,
    HOLD_FIRST_US,
    HOLD_MAX_US,
    KNOCK_MAX_US,
    MARGIN,
    NOISE_LASTS,
    NOISE_MOST,
    SECOND_US,
    SIGNS,
    TELLING,
    Cuts,
    Rate,
    accepted,
    borne_at,
    departed,
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
            return accepted(rate, max(0, now_us - ago_us), 0, now_us)
        case "refused":
            return refused(rate, max(0, now_us - ago_us), 1, now_us, pause_us)
    return idled(rate, min(ago_us, now_us - rate.since_us)) if now_us > rate.since_us else rate


def lived(happenings: list[tuple[str, int, int, int]]) -> tuple[Rate, int]:
    rate, now_us = rate_from(2.0, CEILING, 0), 0
    for event in happenings:
        now_us += event[1]
        rate = after(rate, event, now_us)
    return rate, now_us


class Limiter:
    """Sends evenly at the present rate; replies come at once. `accepts` says what becomes of a request at a moment."""

    def __init__(self, accepts: Callable[[int], bool], ceiling: float = CEILING, pause_us: int = 0) -> None:
        self.rate = rate_from(2.0, ceiling, 0)
        self.now_us = 0
        self.refusals: list[int] = []
        self._accepts = accepts
        self._pause_us = pause_us

    def run(self, seconds: float) -> float:
        """Send for so long; returns how many were accepted a second."""
        began_us, taken = self.now_us, 0
        while self.now_us < began_us + seconds * SECOND_US:
            self.now_us += round(SECOND_US / rate_at(self.rate, self.now_us))
            self.rate = departed(self.rate, self.now_us)
            if self._accepts(self.now_us):
                taken += 1
                self.rate = accepted(self.rate, self.now_us, 0, self.now_us)
            else:
                self.refusals.append(self.now_us)
                self.rate = refused(self.rate, self.now_us, 0, self.now_us, self._pause_us)
                self.now_us += self._pause_us
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


def budget(requests: int, seconds: int) -> Callable[[int], bool]:
    """Return a limiter that takes so many requests in each of its periods, and nothing more until the next one."""
    used: dict[int, int] = {}

    def accepts(now_us: int) -> bool:
        period = now_us // (seconds * SECOND_US)
        used[period] = used.get(period, 0) + 1
        return used[period] <= requests

    return accepts


def at_random(share: float, seed: int, accepts: Callable[[int], bool] = lambda _: True) -> Callable[[int], bool]:
    """Return a server behind a proxy that refuses a share of all requests, whatever their pace."""
    dice = random.Random(f"noise {seed}")
    return lambda now_us: dice.random() >= share and accepts(now_us)


@given(st.floats(0.01, 1000), st.floats(0.1, 50), events)
def test_whatever_happens_the_rate_is_between_the_floor_and_the_ceiling(
    ceiling: float, start: float, happenings: list[tuple[str, int, int, int]]
) -> None:
    rate, now_us = rate_from(start, ceiling, 0), 0
    for event in happenings:
        now_us += event[1]
        rate = after(rate, event, now_us)
        rarest = SECOND_US / KNOCK_MAX_US if rate.knock_us else min(FLOOR, ceiling)
        assert rarest <= rate_at(rate, now_us) <= ceiling
        assert 0 <= rate.hold_us <= HOLD_MAX_US
        assert rate.noise <= NOISE_MOST


@given(events)
def test_a_refusal_never_raises_the_rate_unless_it_is_found_to_be_noise(
    happenings: list[tuple[str, int, int, int]],
) -> None:
    rate, now_us = lived(happenings)
    now = refused(rate, now_us, 0, now_us)
    if rate.cuts is None or len(rate.cuts.gaps) < SIGNS - 1:
        assert rate_at(now, now_us) <= rate_at(rate, now_us)


@given(events)
def test_where_nothing_is_refused_any_more_the_ceiling_is_reached(happenings: list[tuple[str, int, int, int]]) -> None:
    rate, now_us = lived(happenings)
    now_us = max(now_us, rate.since_us, rate.dropped_us)
    rate = accepted(departed(rate, now_us), now_us, 0, now_us)
    # The longest hold, then the slowest climb there is: two minutes to a tenth, then doubling.
    assert rate_at(rate, now_us + HOLD_MAX_US + 600 * SECOND_US) == CEILING


@given(events, st.integers(0, 700 * SECOND_US), st.integers(0, 100 * SECOND_US))
def test_the_rate_only_rises_with_time_by_itself(
    happenings: list[tuple[str, int, int, int]], one_us: int, more_us: int
) -> None:
    rate, now_us = lived(happenings)
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
    limiter = Limiter(budget(600, 60))
    limiter.run(300)
    assert limiter.run(1500) >= 9.0
    assert len(limiter.refusals) <= 100


def test_a_small_budget_for_a_long_time_is_spread_over_it_although_it_was_used_up_in_no_time() -> None:
    limiter = Limiter(budget(300, 120))
    limiter.run(900)
    assert limiter.run(1800) >= 0.85 * 2.5


@pytest.mark.parametrize("share", [0.01, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_refusals_that_do_not_depend_on_the_rate_do_not_slow_the_run(share: float, seed: int) -> None:
    limiter = Limiter(at_random(share, seed))
    limiter.run(300)
    assert limiter.run(1500) >= (0.9 if share <= 0.05 else 0.6) * CEILING * (1 - share)


def test_a_limit_is_found_amid_noise_and_hardly_more_is_refused_than_the_noise() -> None:
    limiter = Limiter(at_random(0.05, 1, bucket(lambda _: 10.0, 10.0)))
    limiter.run(300)
    before = len(limiter.refusals)
    per_second = limiter.run(1500)
    assert per_second >= 8.5
    assert len(limiter.refusals) - before <= 0.1 * 1500 * per_second


def test_noise_is_asked_about_anew_so_that_a_limit_is_not_taken_for_it_for_ever() -> None:
    rate = Rate(CEILING, 10.0, 0, seeking=False, noise=0.05, noise_left=1, credit=3.0, taken=50)
    rate = refused(rate, SECOND_US, 0, SECOND_US)
    assert (rate.noise_left, rate.credit, rate.base) == (0, 2.0, 10.0)
    rate = refused(rate, SECOND_US, 0, SECOND_US)
    assert (rate.noise, rate.credit) == (0.0, 0.0)
    assert rate.base < 10.0
    assert rate.cuts == Cuts(rate.base, seeking=False)


SEEN = Rate(
    CEILING,
    5.0,
    0,
    seeking=False,
    hold_us=60 * SECOND_US,
    taken=20,
    cuts=Cuts(10.0, seeking=True, gaps=(9, 8, 7, 9, 8)),
)


def test_six_refusals_that_came_as_often_at_half_the_rate_are_noise_and_the_cuts_are_undone() -> None:
    rate = refused(departed(SEEN, SECOND_US), SECOND_US, 0, SECOND_US)
    assert (rate.base, rate.seeking, rate.noise_left, rate.cuts) == (10.0, True, NOISE_LASTS, None)
    assert rate.noise == pytest.approx(6 / (6 + 41 + 20))


@pytest.mark.parametrize(
    ("gaps", "base"),
    [
        pytest.param((9, 8, 7, 9), 5.0, id="too few"),
        pytest.param((2, 3, 4, 9, 18), 5.0, id="they become rarer"),
        pytest.param((60, 60, 60, 9, 9), 5.0, id="they became more frequent: the server changed"),
        pytest.param((3, 3, 3, 3, 3), 5.0, id="more than a fifth"),
        pytest.param((9, 8, 7, 9, 8), 7.5, id="the rate is hardly lower"),
    ],
)
def test_in_doubt_refusals_mean_a_limit(gaps: tuple[int, ...], base: float) -> None:
    sent = 3 if gaps == (3,) * 5 else 20
    rate = SEEN._replace(base=base, cuts=Cuts(10.0, seeking=True, gaps=gaps), taken=sent)
    rate = refused(departed(rate, SECOND_US), SECOND_US, 0, SECOND_US)
    assert rate.noise == 0.0
    assert rate.base <= base
    assert rate.cuts is not None
    assert rate.cuts.gaps == (*gaps, sent)


def test_a_refusal_of_a_request_that_left_before_the_last_drop_tells_nothing_new() -> None:
    rate = refused(departed(rate_from(10.0, CEILING, 0), 0), 0, 0, SECOND_US)
    late = refused(departed(rate, SECOND_US), SECOND_US - 1, 0, 2 * SECOND_US)
    assert late == rate


def test_what_a_limiter_accepts_between_two_refusals_is_its_limit_whatever_it_had_saved_up() -> None:
    rate = refused(departed(rate_from(12.0, CEILING, 0), 0), 0, 0, SECOND_US)
    for index in range(1, 22):
        moment_us = SECOND_US + index * 100_000
        rate = accepted(departed(rate, moment_us), moment_us, 0, moment_us)
    moment_us += 50_000
    rate = refused(departed(rate, moment_us), moment_us, 0, moment_us)
    assert rate_at(rate, moment_us) == pytest.approx(MARGIN * 20 / 2.05)


def test_a_server_that_refuses_everything_is_knocked_at_ever_more_rarely_and_one_at_a_time() -> None:
    limiter = Limiter(lambda now_us: now_us < 30 * SECOND_US)
    limiter.run(600)
    assert len(limiter.refusals) <= 22
    assert limiter.refusals[-1] - limiter.refusals[-2] == KNOCK_MAX_US
    assert borne_at(limiter.rate, limiter.now_us) is None


def test_a_ban_that_each_knock_prolongs_comes_to_an_end() -> None:
    accepts, banned_until_us = bucket(lambda _: 10.0, 10.0), 0

    def stubborn(now_us: int) -> bool:
        nonlocal banned_until_us
        taken = now_us >= banned_until_us and accepts(now_us)
        banned_until_us = banned_until_us if taken else now_us + 20 * SECOND_US
        return taken

    limiter = Limiter(stubborn)
    limiter.run(120)
    assert limiter.run(1500) >= 8.0
    assert len(limiter.refusals) <= 40


def test_a_pause_after_a_probe_is_at_most_a_sixtieth_of_the_hold_that_follows() -> None:
    accepts = bucket(lambda _: 10.0, 10.0)
    limiter = Limiter(accepts, pause_us=5 * SECOND_US)
    limiter.run(60)
    assert limiter.run(1500) >= 9.2
    assert len(limiter.refusals) <= 12


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
    held = Rate(8.0, 10.0, 0, seeking=False)
    assert borne_at(held._replace(taken=TELLING - 1), 0) is None
    assert borne_at(held._replace(taken=TELLING), 0) == 8.0


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


@pytest.mark.parametrize("refuse", [True, False])
def test_a_pause_leaves_the_rate_as_if_it_had_not_been(*, refuse: bool) -> None:
    rate = departed(rate_from(2.0, CEILING, 0), SECOND_US)
    rate = refused(rate, SECOND_US, 0, 2 * SECOND_US, 0) if refuse else rate
    begins_us, ends_us = 5 * SECOND_US, 4000 * SECOND_US
    rested_ = rested(rate, begins_us, ends_us)
    for later_us in range(0, 60 * SECOND_US, SECOND_US):
        assert rate_at(rested_, ends_us + later_us) == rate_at(rate, begins_us + later_us)
    assert rested_.dropped_us == rate.dropped_us + ends_us - begins_us
    assert (rested_.cut_us is not None) == refuse
    dropped_meanwhile = refused(rate_from(2.0, CEILING, 0), SECOND_US, 0, 9 * SECOND_US, 0)
    assert rested(dropped_meanwhile, begins_us, ends_us).dropped_us == ends_us


def test_a_rate_climbs_by_a_tenth_and_then_doubles_what_it_added_the_slower_the_longer_the_cycle() -> None:
    for cycle_s, slowness in ((0, 1), (10, 1), (20, 2), (60, 6)):
        rate = Rate(1000.0, 10.0, 0, seeking=False, cycle_us=cycle_s * SECOND_US)
        for seconds, share in ((-1, 0.0), (0, 0.0), (10, 0.05), (20, 0.1), (23, 0.2), (26, 0.4)):
            moment_us = HOLD_FIRST_US + slowness * seconds * SECOND_US
            assert rate_at(rate, moment_us) == pytest.approx(10 * (1 + share))
    seeking = rate_from(2.0, 1000.0, 0)
    assert [rate_at(seeking, seconds * SECOND_US) for seconds in (0, 4, 8, 12)] == [2.0, 4.0, 8.0, 16.0]
