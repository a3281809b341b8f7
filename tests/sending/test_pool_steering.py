"""A run that its operator holds, slows down and speeds up again, in virtual time."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, Status
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key
from bulk_remove.core.verdicts import Verdict
from tests.support.pool_run import FakeServer, Run

LOST = Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")


def removed(_now_s: float, numbers: Sequence[str]) -> Reply:
    return Reply(Alike.of([Verdict(Event.REMOVED, 1, (1,))] * len(numbers)), 0)


def busy(numbers: Sequence[str]) -> Reply:
    return Reply(Alike.of([Verdict(Event.BUSY)] * len(numbers)), 0)


def departures(run: Run, from_s: float, to_s: float) -> int:
    return bisect_left(run.server.moments_s, to_s) - bisect_right(run.server.moments_s, from_s)


@pytest.mark.parametrize("connect_s", [0.0, 0.7])
def test_while_paused_no_request_leaves_and_afterwards_each_number_is_sent_once(
    tmp_path: Path, connect_s: float
) -> None:
    """Where connecting takes time, requests whose intent is on disk are held back before their first byte."""
    server = FakeServer(removed, latency_s=0.3, connect_s=connect_s)
    run = Run(tmp_path, server, keys=[(1.05, Key.PAUSE), (3600.0, Key.PAUSE)])
    assert departures(run, 1.05, 3600.0) == 0
    assert 0 < departures(run, 0.0, 1.05) < 10
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.REMOVED: 100}
    assert set(Counter(number for chunk in server.asked for number in chunk).values()) == {1}
    assert run.snapshot.requests == 10
    assert {state.attempts for state in run.states} == {1}
    assert run.took_s < 3605


def test_a_pause_is_no_time_without_an_answer(tmp_path: Path) -> None:
    """The server fails before the pause and after it, for less than the patience in all."""

    def answer(now_s: float, numbers: Sequence[str]) -> Reply | Fault:
        return LOST if 2.0 < now_s < 7300.0 else removed(now_s, numbers)

    keys = [(60.0, Key.PAUSE), (7200.0, Key.PAUSE)]
    run = Run(tmp_path, FakeServer(answer, latency_s=1.0), keys=keys, numbers=300)
    assert run.ending is Ending.DONE
    assert departures(run, 60.0, 7200.0) == 0
    assert run.statuses[Status.REMOVED] + run.statuses[Status.PRESUMED_REMOVED] == 300


def test_faults_of_requests_under_way_when_the_pause_begins_end_no_run(tmp_path: Path) -> None:
    def answer(now_s: float, numbers: Sequence[str]) -> Reply | Fault:
        return LOST if now_s < 100.0 else removed(now_s, numbers)

    keys = [(10.0, Key.PAUSE), (5000.0, Key.PAUSE)]
    run = Run(tmp_path, FakeServer(answer, latency_s=60.0), keys=keys)
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.REMOVED: 100}


def test_a_pause_does_not_use_up_the_time_for_numbers_in_a_call(tmp_path: Path) -> None:
    """Half an hour is theirs: they are asked for ten minutes, held for an hour, and found free ten minutes later."""

    def answer(now_s: float, numbers: Sequence[str]) -> Reply:
        return busy(numbers) if now_s < 4800.0 else removed(now_s, numbers)

    keys = [(600.0, Key.PAUSE), (4200.0, Key.PAUSE)]
    run = Run(tmp_path, FakeServer(answer), numbers=20, busy_for_s=1800.0, keys=keys)
    assert run.statuses == {Status.REMOVED: 20}


def test_the_time_for_numbers_in_a_call_still_ends(tmp_path: Path) -> None:
    keys = [(600.0, Key.PAUSE), (4200.0, Key.PAUSE)]
    run = Run(tmp_path, FakeServer(lambda _now, numbers: busy(numbers)), numbers=20, busy_for_s=1800.0, keys=keys)
    assert run.statuses == {Status.CALL_IN_PROGRESS: 20}
    assert 5300.0 < run.took_s < 5500.0


def test_a_paused_run_can_be_stopped(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(removed), keys=[(0.5, Key.PAUSE)], stop_after_s=900.0)
    assert run.ending is Ending.INTERRUPTED
    assert run.took_s == 900.0
    assert run.snapshot.paused_for_s is None
    assert run.statuses[Status.UNSENT] > 0


def test_a_run_paused_behind_its_last_request_goes_no_further_before_it_is_let(tmp_path: Path) -> None:
    keys = [(4.0, Key.PAUSE), (500.0, Key.PAUSE)]
    run = Run(tmp_path, FakeServer(removed, latency_s=5.0), numbers=40, keys=keys)
    assert run.statuses == {Status.REMOVED: 40}
    assert run.took_s == 500.0


def test_slower_is_kept_to_and_faster_never_leads_above_the_ceiling(tmp_path: Path) -> None:
    keys = [*[(5.0, Key.SLOWER)] * 4, *[(25.0, Key.FASTER)] * 9]
    run = Run(tmp_path, FakeServer(removed, latency_s=0.5), numbers=300, per_request=1, rate=4.0, keys=keys)
    moments = run.server.moments_s
    slow = [moment for moment in moments if 6.0 <= moment < 25.0]
    assert all(later - earlier > 0.95 for earlier, later in pairwise(slow))  # a quarter of four a second
    assert len(slow) >= 17
    assert departures(run, 40.0, 50.0) > 35
    for index, moment in enumerate(moments):
        assert bisect_left(moments, moment + 1.0 - 1e-9) - index <= 4
    assert run.server.most_at_once <= 4
