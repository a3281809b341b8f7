"""The rate against events of any kind, and against limiters of a few; the worlds are in tests/benchmarks/pace."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.pace import (
    BLIND_DROP,
    FLOOR,
    HOLD_FIRST_US,
    HOLD_MAX_US,
    MARGIN,
    PERIOD_MAX_S,
    PERIOD_MAX_US,
    SECOND_US,
    SHUT_MAX_US,
    TELLING,
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


def changed(before: Rate, after: Rate) -> dict[str, Any]:
    """Return what is different, seconds for microseconds; `sent` and `dropped_us` begin anew with each drop."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in Rate._fields}
    return {
        name.removesuffix("_us"): new / SECOND_US if name.endswith("_us") else pytest.approx(new)
        for name, (old, new) in pairs.items()
        if new != old and name not in {"sent", "dropped_us"}
    }


# Ten requests a second for half a minute, the limit a little above when it was last found, and a refusal now.
NOW_US = 30 * SECOND_US + SECOND_US // 2
PROBING = Rate(
    CEILING, 10.0, 0, seeking=False, sent=305, wall=10.2, level=3, recent=(10,) * 30 + (5,), recent_at_us=30 * SECOND_US
)
HOLDING = PROBING._replace(since_us=25 * SECOND_US)
SHUT = HOLDING._replace(
    fresh=False, dropped_us=29 * SECOND_US, span_us=20 * SECOND_US, pause_us=SECOND_US,
    shut_us=SECOND_US // 2, shut_from_us=28 * SECOND_US,
)  # fmt: skip
FOUND = {"since": 30.5, "fresh": False, "span": 30.0, "refusals": 1}


def pushed_back(rate: Rate, pause_s: float = 0.0) -> dict[str, Any]:
    """Return what a refusal of the request that left half a second ago changes; five have left since."""
    after_it = refused(rate, 30 * SECOND_US, 5, NOW_US, round(pause_s * SECOND_US))
    if after_it.shut_us == 0:
        assert (after_it.sent, after_it.dropped_us) == (0, NOW_US)
    return changed(rate, after_it)


WHERE_IT_WAS = {"hold": 60.0, "good": 10.0, "saved_up": 0.75, "wall": 294 / 30.5, "level": 4}


@pytest.mark.parametrize(
    ("rate", "pause_s", "changes"),
    [
        pytest.param(PROBING, 0.0, WHERE_IT_WAS, id="where it was"),
        pytest.param(
            PROBING, 5.0, WHERE_IT_WAS | {"since": 35.5, "hold": 300.0, "pause": 5.0}, id="where it was, and a pause"
        ),
        pytest.param(
            PROBING._replace(saved_up_us=4 * SECOND_US),
            0.0,
            {"good": 10.0, "saved_up": 3.0, "wall": 294 / 33.5, "level": 0},
            id="much may have been saved up",
        ),
        pytest.param(PROBING._replace(wall=10.6), 0.0, WHERE_IT_WAS, id="nearly where it was"),
        pytest.param(
            PROBING._replace(recent=(40,) * 20 + PROBING.recent[1:]),
            0.0,
            WHERE_IT_WAS,
            id="more than half a minute ago",
        ),
        *(
            pytest.param(
                PROBING._replace(wall=wall),
                0.0,
                {"good": 10.0, "saved_up": 0.75, "wall": 294 / 30.5, "level": 0},
                id=f"near, {where}",
            )
            for wall, where in ((8.67, "above"), (6.75, "well above"), (10.61, "below"), (12.53, "well below"))
        ),
        *(
            pytest.param(
                PROBING._replace(wall=wall),
                0.0,
                {"good": 10.0, "saved_up": 0.75, "bold": True, "wall": 294 / 29.5, "level": 0},
                id=f"far {where}",
            )
            for wall, where in ((6.74, "above"), (12.54, "below"))
        ),
        pytest.param(
            PROBING._replace(bold=True, saved_up_us=2 * SECOND_US),
            0.0,
            {"hold": 60.0, "good": 10.0, "saved_up": 0.0, "bold": False, "wall": 294 / 29.5, "level": 4},
            id="what was tried boldly was borne",
        ),
        pytest.param(
            Rate(CEILING, 2.0, 15 * SECOND_US, sent=60, recent=(2, 3, 4, 5, 6, 7, 8, 9, 10, 5), recent_at_us=NOW_US),
            0.0,
            {"base": MARGIN * 14.0, "seeking": False, "bold": True, "wall": 14.0},
            id="sought for the first time",
        ),
        pytest.param(
            PROBING._replace(period_us=15 * SECOND_US),
            0.0,
            {"hold": 60.0, "good": 10.0, "saved_up": 0.75},
            id="within a budget, whose end will show it",
        ),
        pytest.param(
            PROBING._replace(base=6.0, since_us=-100 * SECOND_US, period_us=40 * SECOND_US),
            0.0,
            {"base": MARGIN * 294 / 30.5, "good": 6.0, "period": 0.0, "hold": 60.0, "wall": 294 / 30.5, "level": 4},
            id="so far above that there is no budget any more",
        ),
        pytest.param(
            PROBING._replace(base=7.0, since_us=-100 * SECOND_US, period_us=40 * SECOND_US),
            0.0,
            {"base": MARGIN * 294 / 30.5, "good": 7.0, "hold": 60.0},
            id="not so far above, within a budget",
        ),
    ],
)
def test_a_limit_that_was_climbed_to_is_what_went_through_lately(
    rate: Rate, pause_s: float, changes: dict[str, Any]
) -> None:
    assert pushed_back(rate, pause_s) == FOUND | changes


@pytest.mark.parametrize(
    ("rate", "changes"),
    [
        pytest.param(HOLDING, {"base": MARGIN * 9.95, "hold": 20.0, "wall": 9.95, "level": 1}, id="a little lower"),
        pytest.param(
            HOLDING._replace(sent=255, pause_us=2 * SECOND_US),
            {"base": MARGIN * 248.5 / 29, "wall": 248.5 / 29, "level": 0, "span": 28.0, "pause": 0.0},
            id="since a pause, of which a second was saved up",
        ),
        pytest.param(
            HOLDING._replace(sent=255, pause_us=SECOND_US // 2),
            {"base": MARGIN * 248.5 / 30, "wall": 248.5 / 30, "level": 0, "span": 29.5, "pause": 0.0},
            id="since a short pause",
        ),
        pytest.param(HOLDING._replace(sent=9), {"base": 4.9, "wall": 5.0, "level": 0}, id="the half at the least"),
        pytest.param(
            HOLDING._replace(sent=8),
            {"base": MARGIN * BLIND_DROP * 10, "wall": 7.0, "level": 0},
            id="too few to measure",
        ),
    ],
)
def test_a_limit_below_what_was_held_is_what_went_through_since_the_last_drop(
    rate: Rate, changes: dict[str, Any]
) -> None:
    assert pushed_back(rate) == FOUND | changes


@pytest.mark.parametrize(
    ("saved_up_s", "good", "bold", "then_s"),
    [(3.0, 9.0, False, 6.0), (5.0, 9.0, False, 8.0), (0.25, 9.0, False, 1.0), (0.5, 0.0, True, 1.0), (2, 0.0, True, 2)],
)
def test_a_limit_that_is_lower_than_the_climb_showed_tells_that_more_was_saved_up(
    saved_up_s: float, good: float, bold: bool, then_s: float
) -> None:
    rate = HOLDING._replace(saved_up_us=round(saved_up_s * SECOND_US), good=good, bold=bold)
    after_it = refused(rate, 30 * SECOND_US, 5, NOW_US)
    assert (after_it.saved_up_us, after_it.bold, after_it.good) == (then_s * SECOND_US, False, 0.0)
    assert refused(HOLDING._replace(saved_up_us=5), 30 * SECOND_US, 5, NOW_US).saved_up_us == 5


@pytest.mark.parametrize(
    ("rate", "pause_s", "period_s", "hold_s", "limit"),
    [
        pytest.param(HOLDING, 30.0, 60.0, 90.0, 295 / 60, id="half of the time was paused"),
        pytest.param(HOLDING, 15.0, 45.0, 67.5, 295 / 45, id="a third"),
        pytest.param(HOLDING._replace(dropped_us=12 * SECOND_US), 10.0, 28.0, 42.0, 175 / 28, id="ten seconds"),
        pytest.param(HOLDING._replace(period_us=40 * SECOND_US), 1.0, 40.0, 60.0, 305 / 40, id="a known budget"),
        pytest.param(
            HOLDING._replace(period_us=40 * SECOND_US), 14.0, 40.0, 60.0, 255 / 40, id="a known one, and a longer pause"
        ),
        pytest.param(HOLDING._replace(dropped_us=-20 * SECOND_US), 100.0, 120.0, 180.0, 305 / 150, id="at most"),
    ],
)
def test_a_pause_that_is_long_for_the_time_before_it_shows_a_budget_for_both_times_together(
    rate: Rate, pause_s: float, period_s: float, hold_s: float, limit: float
) -> None:
    after_it = refused(rate, 30 * SECOND_US, 5, NOW_US, round(pause_s * SECOND_US))
    assert (after_it.period_us, hold_of(after_it)) == (period_s * SECOND_US, hold_s * SECOND_US)
    assert after_it.wall == pytest.approx(limit)
    assert after_it.base == pytest.approx(MARGIN * limit)
    assert (after_it.since_us, after_it.pause_us) == (NOW_US + pause_s * SECOND_US, pause_s * SECOND_US)


@pytest.mark.parametrize(
    ("rate", "pause_s"),
    [(HOLDING, 14.999999), (HOLDING._replace(dropped_us=29 * SECOND_US), 9.999999), (HOLDING._replace(sent=8), 30.0)],
)
def test_a_short_pause_or_one_after_hardly_any_request_shows_no_budget(rate: Rate, pause_s: float) -> None:
    assert refused(rate, 30 * SECOND_US, 5, NOW_US, round(pause_s * SECOND_US)).period_us == 0


@pytest.mark.parametrize(
    ("rate", "pause_s", "changes"),
    [
        pytest.param(SHUT._replace(shut_us=0), 0.0, {"shut": 0.5, "shut_from": 29.0}, id="the first knock"),
        pytest.param(SHUT, 0.0, {"shut": 1.0}, id="the second"),
        pytest.param(SHUT, 3.0, {"since": 33.5, "shut": 1.0}, id="after the pause"),
        pytest.param(SHUT._replace(shut_us=2 * SECOND_US), 0.0, {"shut": 2.5}, id="the rarest"),
        pytest.param(SHUT._replace(shut_us=0, base=FLOOR), 0.0, {"shut": 4.0, "shut_from": 29.0}, id="never faster"),
        pytest.param(SHUT._replace(shut_us=0, base=1.3), 0.0, {"shut": 0.769231, "shut_from": 29.0}, id="rounded up"),
    ],
)
def test_a_server_that_lets_nothing_through_is_knocked_at(rate: Rate, pause_s: float, changes: dict[str, Any]) -> None:
    assert pushed_back(rate, pause_s) == {"since": 30.5, "refusals": 1} | changes
    late = refused(rate, rate.dropped_us - 1, 5, NOW_US)
    assert late == rate._replace(refusals=1)


def let_in(rate: Rate) -> dict[str, Any]:
    """Return what changes once a request that left half a second ago was accepted, the first one after all others."""
    after_it = accepted(rate, 30 * SECOND_US, NOW_US)
    assert (after_it.sent, after_it.dropped_us) == (1, 30 * SECOND_US)
    return changed(rate, after_it)


OPEN = {"since": 30.5, "fresh": True, "pause": 0.0, "shut": 0.0}


@pytest.mark.parametrize(
    ("rate", "changes"),
    [
        pytest.param(SHUT._replace(shut_from_us=28 * SECOND_US + 1), {"base": 7.0, "hold": 60.0}, id="two seconds"),
        pytest.param(
            SHUT._replace(base=1.0, shut_from_us=26 * SECOND_US + 1), {"base": 0.7, "hold": 60.0}, id="four requests"
        ),
    ],
)
def test_to_be_shut_out_for_a_moment_is_no_budget(rate: Rate, changes: dict[str, Any]) -> None:
    assert let_in(rate) == OPEN | changes
    assert let_in(rate._replace(good=9.0)) == OPEN | changes | {"base": 9.0}


def spread_out(period_s: float, sent: float, **more: Any) -> dict[str, Any]:
    limit = sent / period_s
    return {"base": pytest.approx(MARGIN * limit), "wall": pytest.approx(limit), "period": period_s, **more}


@pytest.mark.parametrize(
    ("rate", "changes"),
    [
        pytest.param(SHUT, spread_out(22.0, 215, hold=120.0, level=1), id="two seconds"),
        pytest.param(
            SHUT._replace(base=1.0, shut_from_us=26 * SECOND_US),
            spread_out(24.0, 235, hold=240.0, level=1),
            id="four requests",
        ),
        pytest.param(
            SHUT._replace(period_us=40 * SECOND_US, shut_from_us=29 * SECOND_US),
            spread_out(21.0, 205, hold=60.0, level=1),
            id="a moment, and a budget is known",
        ),
        pytest.param(
            SHUT._replace(period_us=60 * SECOND_US, good=9.0),
            spread_out(22.0, 215, hold=120.0, level=4),
            id="a shorter budget than was borne",
        ),
        pytest.param(
            SHUT._replace(period_us=60 * SECOND_US), spread_out(22.0, 215, hold=120.0, level=1), id="another budget"
        ),
        pytest.param(
            SHUT._replace(span_us=20 * SECOND_US + 1),
            spread_out(22.000001, 225 * 22.000001 / 23, hold=120.0, level=1),
            id="a second that is not whole",
        ),
        pytest.param(
            SHUT._replace(span_us=119 * SECOND_US),
            spread_out(120.0, 305, hold=180.0, level=0),
            id="two minutes at most",
        ),
    ],
)
def test_to_be_shut_out_for_long_shows_a_budget_that_is_used_up(rate: Rate, changes: dict[str, Any]) -> None:
    assert let_in(rate) == OPEN | changes


def test_a_budget_that_was_borne_for_several_periods_is_not_taken_for_a_longer_one() -> None:
    ten_s = SHUT._replace(period_us=10 * SECOND_US, good=9.0)
    assert let_in(ten_s) == OPEN | {"base": MARGIN * 9.5, "wall": 9.5, "hold": 120.0, "level": 4}


def test_a_rate_climbs_by_a_tenth_and_then_doubles_what_it_added_the_slower_the_longer_the_budget_is_for() -> None:
    for period_s, slowness in ((0, 1), (19, 1), (20, 2), (120, 12)):
        rate = PROBING._replace(ceiling=1000.0, period_us=period_s * SECOND_US)
        for seconds, share in ((-1, 0.0), (0, 0.0), (10, 0.05), (20, 0.1), (23, 0.2), (26, 0.4)):
            moment_us = HOLD_FIRST_US + slowness * seconds * SECOND_US
            assert rate_at(rate, moment_us) == pytest.approx(10 * (1 + share))
    seeking = rate_from(2.0, 1000.0, 0)
    assert [rate_at(seeking, seconds * SECOND_US) for seconds in (0, 4, 8, 12)] == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(
    ("refusals", "level", "hold_s"), [(0, 1, 10.0), (1, 1, 20.0), (3, 1, 60.0), (99, 1, 600.0), (3, 0, 10.0)]
)
def test_two_hundred_requests_are_held_for_each_one_refused(refusals: int, level: int, hold_s: float) -> None:
    assert hold_of(PROBING._replace(refusals=refusals, level=level)) == hold_s * SECOND_US


@pytest.mark.parametrize(("level", "hold_s"), [(0, 10.0), (1, 20.0), (2, 40.0), (3, 60.0), (30, 60.0)])
def test_a_limit_is_held_twice_as_long_each_time_that_it_is_found_again_up_to_a_minute(
    level: int, hold_s: float
) -> None:
    rate = PROBING._replace(level=level - 1) if level else PROBING._replace(wall=11.0)
    assert pushed_back(rate).get("hold", 10.0) == hold_s


def test_departures_are_counted_by_the_second_for_as_long_as_the_longest_budget_lasts() -> None:
    rate = departed(Rate(CEILING, 10.0, 0, recent=(7,)), SECOND_US - 1)
    assert (rate.recent, rate.recent_at_us, rate.sent) == ((8,), 0, 1)
    rate = departed(rate, 3 * SECOND_US + 5)
    assert (rate.recent, rate.recent_at_us, rate.sent) == ((8, 0, 0, 1), 3 * SECOND_US, 2)
    for seconds in range(4, 4 + PERIOD_MAX_S):
        rate = departed(rate, seconds * SECOND_US)
    assert rate.recent == (1,) * PERIOD_MAX_S
    rate = departed(rate, 10_000 * SECOND_US)
    assert rate.recent == (0,) * (PERIOD_MAX_S - 1) + (1,)


def test_a_rate_is_told_once_twenty_requests_have_left_lately() -> None:
    assert borne_at(PROBING._replace(recent=(10, TELLING - 11)), NOW_US) is None
    assert borne_at(PROBING._replace(recent=(10, TELLING - 10)), NOW_US) == 10.0
    assert borne_at(PROBING._replace(recent=(TELLING,), ceiling=8.0), NOW_US) == 8.0


@pytest.mark.parametrize(
    ("rate", "same"),
    [
        (HOLDING._replace(fresh=False), False),
        (HOLDING._replace(fresh=False, dropped_us=30 * SECOND_US + 1), True),
        (HOLDING._replace(period_us=SECOND_US), True),
        (HOLDING._replace(fresh=False, period_us=SECOND_US, pause_us=1), False),
        (HOLDING._replace(fresh=False, period_us=SECOND_US, seeking=True), False),
    ],
)
def test_the_first_request_that_is_accepted_after_a_drop_changes_nothing_else(rate: Rate, *, same: bool) -> None:
    assert changed(rate, accepted(rate, 30 * SECOND_US, NOW_US)) == ({} if same else {"fresh": True})


def test_a_rest_moves_what_came_before_it_and_leaves_what_lies_behind_it() -> None:
    def at(moment_s: int) -> Rate:
        moment_us = moment_s * SECOND_US
        return HOLDING._replace(
            since_us=moment_us, dropped_us=moment_us, shut_from_us=moment_us, recent_at_us=moment_us
        )

    for before_s, after_s in {0: 30, 4: 34, 5: 35, 20: 35, 35: 35, 40: 40}.items():
        assert rested(at(before_s), 5 * SECOND_US, 35 * SECOND_US) == at(after_s)


def test_a_ceiling_that_is_raised_is_climbed_to_from_the_old_one_and_from_now_on() -> None:
    lowered = Rate(4.0, 2.0, 0)
    assert changed(lowered, recapped(lowered, 8.0, 60 * SECOND_US)) == {"ceiling": 8.0, "base": 4.0, "since": 60.0}
    paused = Rate(4.0, 10.0, 90 * SECOND_US, seeking=False)
    assert changed(paused, recapped(paused, 8.0, 60 * SECOND_US)) == {"ceiling": 8.0}
    below = Rate(4.0, 2.0, 0, seeking=False)
    assert changed(below, recapped(below, 8.0, SECOND_US)) == {"ceiling": 8.0}


def test_what_nobody_has_seen_of_the_server_is_not_known_at_the_start() -> None:
    seen = rate_from(2.0, CEILING, 5)._asdict()
    known = {"ceiling": CEILING, "base": 2.0, "since_us": 5, "dropped_us": 5, "recent_at_us": 5, "recent": (0,)}
    assumed = {"seeking": True, "fresh": True, "hold_us": HOLD_FIRST_US, "saved_up_us": SECOND_US}
    assert {name: value for name, value in seen.items() if value} == known | assumed
    assert rate_from(30.0, CEILING, 5).base == CEILING


def test_a_pause_longer_than_a_budget_leaves_at_least_a_second_to_measure() -> None:
    rate = HOLDING._replace(dropped_us=-70 * SECOND_US, period_us=40 * SECOND_US)
    after_it = refused(rate, 30 * SECOND_US, 5, NOW_US, 45 * SECOND_US)
    assert (after_it.wall, after_it.base) == (5 / 40, FLOOR)
