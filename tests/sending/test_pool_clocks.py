"""A machine whose clock is set while a run sends, and which sleeps: what waits does as it would otherwise."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, Status
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key
from bulk_remove.core.verdicts import Verdict
from bulk_remove.sending.gate import SystemClock, elapsed_s
from tests.support.pool_run import FakeServer, Run
from tests.support.virtual_time import BEGAN_S, Shifts

HOUR_S = 3600.0
LOST = Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")
SET = [
    pytest.param([(100.0, HOUR_S)], id="an hour on"),
    pytest.param([(100.0, -HOUR_S)], id="an hour back"),
    pytest.param([(100.0, HOUR_S), (400.0, -2 * HOUR_S)], id="on, then back"),
]
PAUSED = [(150.0, Key.PAUSE), (900.0, Key.PAUSE)]


def removed(_now_s: float, numbers: Sequence[str]) -> Reply:
    return Reply(Alike.of([Verdict(Event.REMOVED, 1, (1,))] * len(numbers)), 0)


def busy(_now_s: float, numbers: Sequence[str]) -> Reply:
    return Reply(Alike.of([Verdict(Event.BUSY)] * len(numbers)), 0)


def free_from(from_s: float) -> FakeServer:
    return FakeServer(lambda now_s, numbers: (removed if now_s >= from_s else busy)(now_s, numbers))


def test_the_machine_s_own_clocks_are_read() -> None:
    clock = SystemClock()
    before_s, elapsed_before_s = time.time(), elapsed_s()
    assert before_s - 1.0 <= clock.wall_s() <= before_s + 60.0
    assert before_s <= clock.time_of_day_s() <= time.time()
    assert elapsed_before_s <= elapsed_s() <= elapsed_before_s + 60.0
    assert elapsed_s() >= time.monotonic() - 60.0  # one that goes on asleep is never behind one that does not


@pytest.mark.parametrize("clock_set", SET)
@pytest.mark.parametrize("keys", [[], PAUSED], ids=["going", "paused meanwhile"])
def test_numbers_in_a_call_are_asked_again_at_the_same_times_though_the_clock_is_set(
    tmp_path: Path, clock_set: Shifts, keys: Sequence[tuple[float, Key]]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    undisturbed = Run(tmp_path / "a", FakeServer(busy), numbers=20, keys=keys)
    run = Run(tmp_path / "b", FakeServer(busy), numbers=20, keys=keys, clock_set=clock_set)
    assert run.server.moments_s == undisturbed.server.moments_s
    assert run.statuses == {Status.CALL_IN_PROGRESS: 20}
    assert 1750.0 < run.took_s - (750.0 if keys else 0.0) < 1850.0


@pytest.mark.parametrize("clock_set", SET)
def test_what_the_ledger_holds_is_in_order_and_as_long_as_it_was_though_the_clock_is_set(
    tmp_path: Path, clock_set: Shifts
) -> None:
    run = Run(tmp_path, FakeServer(removed, latency_s=20.0), concurrency=1, clock_set=clock_set)
    assert [ended_s - begun_s for begun_s, ended_s in run.attempt_times_s] == pytest.approx([20.0] * 10)
    assert run.attempt_times_s == sorted(run.attempt_times_s)
    answered_s = sorted({state.answered_at_s - BEGAN_S for state in run.states})
    assert answered_s == pytest.approx([20.0 * n for n in range(1, 11)])


@pytest.mark.parametrize("clock_set", SET)
def test_a_server_that_answers_nobody_is_given_up_after_the_same_time(tmp_path: Path, clock_set: Shifts) -> None:
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: LOST, latency_s=1.0), clock_set=clock_set)
    assert run.ending is Ending.UNAVAILABLE
    assert 900.0 <= run.took_s < 1000.0


def test_a_number_that_became_due_while_the_machine_slept_is_asked_for_soon_after(tmp_path: Path) -> None:
    """It would have been due after 120 s."""
    run = Run(tmp_path, free_from(100.0), numbers=10, slept=[(95.0, 8 * HOUR_S)])
    assert run.statuses == {Status.REMOVED: 10}
    assert 95.0 <= run.server.moments_s[-1] <= 106.0
    assert run.states[0].answered_at_s >= BEGAN_S + 8 * HOUR_S


@pytest.mark.parametrize("keys", [[], PAUSED], ids=["going", "paused meanwhile"])
def test_sleep_does_not_use_up_the_time_for_numbers_in_a_call(
    tmp_path: Path, keys: Sequence[tuple[float, Key]]
) -> None:
    run = Run(tmp_path, FakeServer(busy), numbers=10, keys=keys, slept=[(200.0, 8 * HOUR_S)])
    assert run.statuses == {Status.CALL_IN_PROGRESS: 10}
    assert 1750.0 < run.took_s - (750.0 if keys else 0.0) < 1850.0


def test_sleep_is_no_time_without_an_answer(tmp_path: Path) -> None:
    server = FakeServer(lambda now_s, numbers: LOST if 5.0 < now_s < 300.0 else removed(now_s, numbers), 1.0)
    run = Run(tmp_path, server, numbers=300, slept=[(60.0, 8 * HOUR_S)])
    assert run.ending is Ending.DONE


@pytest.mark.parametrize(
    ("clock_set", "slept", "ends_s"),
    [
        pytest.param([], [], 300.0, id="undisturbed"),
        pytest.param([(100.0, HOUR_S)], [], 100.0, id="set past it"),
        pytest.param([(100.0, -100.0)], [], 400.0, id="set back"),
        pytest.param([(100.0, HOUR_S / 24)], [], 150.0, id="set on a little"),
        pytest.param([], [(100.0, HOUR_S)], 100.0, id="slept past it"),
        pytest.param([(350.0, -HOUR_S)], [], 300.0, id="set back too late"),
    ],
)
def test_a_deadline_is_kept_by_the_machine_s_own_clock(
    tmp_path: Path, clock_set: Shifts, slept: Shifts, ends_s: float
) -> None:
    server = FakeServer(removed)
    run = Run(
        tmp_path,
        server,
        numbers=450,
        per_request=1,
        rate=1.0,
        clock_set=clock_set,
        slept=slept,
        until_s=BEGAN_S + 300.0,
    )
    assert run.ending is Ending.DEADLINE
    assert ends_s - 1.5 < server.moments_s[-1] < ends_s
    assert ends_s <= run.took_s <= ends_s + 1.0


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        pytest.param(busy, [], id="waiting for calls to end"),
        pytest.param(removed, [(1.0, Key.PAUSE)], id="paused"),
        pytest.param(lambda _now, _numbers: LOST, [], id="probing a server that answers nobody"),
        pytest.param(
            lambda _now, _numbers: Fault(Effect.UNTOUCHED, "HTTP 429", "", 429, throttled=True, retry_after_s=800.0),
            [],
            id="waiting as the server asked",
        ),
    ],
)
def test_a_deadline_ends_also_what_only_waits(
    tmp_path: Path, answer: object, keys: Sequence[tuple[float, Key]]
) -> None:
    run = Run(tmp_path, FakeServer(answer), keys=keys, until_s=BEGAN_S + 250.0)  # type: ignore[arg-type]
    assert run.ending is Ending.DEADLINE
    assert 250.0 <= run.took_s <= 251.0


def test_no_request_leaves_once_the_clock_shows_the_deadline_though_it_was_ready_before(tmp_path: Path) -> None:
    """The connection takes long; the clock reaches the deadline meanwhile."""
    server = FakeServer(removed, connect_s=50.0)
    run = Run(tmp_path, server, until_s=BEGAN_S + 30.0)
    assert (run.ending, server.moments_s, run.attempts) == (Ending.DEADLINE, [], 0)
    assert run.statuses == {Status.UNSENT: 100}
