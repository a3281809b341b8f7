from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.simulator.api import RATED, Faults, FaultSource, SimulatedFault, TokenBucket


def test_nothing_goes_wrong_unless_it_is_asked_for() -> None:
    source = FaultSource(Faults())
    assert {source.draw(reading=False) for _ in range(100)} == {None}
    assert source.delay_s() == 0.0
    assert not source.limited(0.0)


def test_each_fault_befalls_its_share_of_the_requests() -> None:
    source = FaultSource(Faults(cut_short=0.2, dropped_after=0.1, html_before=0.3))
    drawn = Counter(source.draw(reading=False) for _ in range(10_000))
    assert set(drawn) == {SimulatedFault.CUT_SHORT, SimulatedFault.DROPPED_AFTER, SimulatedFault.HTML_BEFORE, None}
    assert drawn[SimulatedFault.CUT_SHORT] == pytest.approx(2000, abs=150)
    assert drawn[SimulatedFault.DROPPED_AFTER] == pytest.approx(1000, abs=150)
    assert drawn[SimulatedFault.HTML_BEFORE] == pytest.approx(3000, abs=150)


@pytest.mark.parametrize("fault", RATED)
def test_a_rate_of_one_befalls_every_request(fault: SimulatedFault) -> None:
    source = FaultSource(Faults(**{fault.value: 1.0}))  # type: ignore[arg-type]  # a rate goes by its fault's name
    assert {source.draw(reading=False) for _ in range(50)} == {fault}


def test_a_seed_decides_the_draws_and_the_delays() -> None:
    def dealt(seed: int) -> list[tuple[SimulatedFault | None, float]]:
        source = FaultSource(Faults(cut_short=0.5, latency_s=1.0, jitter_s=2.0, seed=seed))
        return [(source.draw(reading=False), source.delay_s()) for _ in range(30)]

    assert dealt(5) == dealt(5)
    assert dealt(5) != dealt(6)
    assert all(1.0 <= delay_s <= 3.0 for _, delay_s in dealt(5))


def test_a_script_comes_first_and_in_order() -> None:
    source = FaultSource(Faults(script=(SimulatedFault.CUT_SHORT, None, SimulatedFault.DROPPED_AFTER), html_before=1.0))
    drawn = [source.draw(reading=False) for _ in range(4)]
    assert drawn == [SimulatedFault.CUT_SHORT, None, SimulatedFault.DROPPED_AFTER, SimulatedFault.HTML_BEFORE]


def test_reads_are_spared_unless_they_are_meant_too() -> None:
    assert FaultSource(Faults(cut_short=1.0)).draw(reading=True) is None
    assert FaultSource(Faults(cut_short=1.0, reads_too=True)).draw(reading=True) is SimulatedFault.CUT_SHORT


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"cut_short": 1.5}, "cut_short"),
        ({"cut_short": -0.5}, "cut_short"),
        ({"cut_short": 0.6, "html_after": 0.6}, "add up"),
        ({"latency_s": -1.0}, "latency_s"),
        ({"rate_limit_burst": -1}, "rate_limit_burst"),
    ],
)
def test_faults_that_cannot_be_are_refused_by_name(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Faults(**settings)


def test_the_bucket_admits_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(per_s=2.0, burst=3)
    assert [bucket.admits(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.admits(now_s) for now_s in (10.4, 10.5, 10.6, 11.0)] == [False, True, False, True]
    assert [bucket.admits(100.0) for _ in range(4)] == [True, True, True, False]


def test_the_bucket_admits_every_request_of_a_client_that_keeps_exactly_to_the_rate() -> None:
    bucket = TokenBucket(per_s=10.0, burst=1)
    assert all(bucket.admits(tenth / 10) for tenth in range(100))


@given(st.lists(st.integers(0, 300), min_size=1), st.integers(1, 20), st.integers(1, 10))
def test_the_bucket_never_admits_more_than_burst_and_rate_allow(steps_ms: list[int], per_s: int, burst: int) -> None:
    bucket = TokenBucket(float(per_s), burst)
    now_ms, admitted_at_ms = 0, []
    for step_ms in steps_ms:
        now_ms += step_ms
        if bucket.admits(now_ms / 1000):
            admitted_at_ms.append(now_ms)
    for first, start_ms in enumerate(admitted_at_ms):
        for last in range(first, len(admitted_at_ms)):
            assert last - first + 1 <= burst + per_s * (admitted_at_ms[last] - start_ms) / 1000 + 1e-6
