"""A run that keeps to hours of the day, in virtual time, by a clock on the wall that is set, or changed for summer."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, Status
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key
from bulk_remove.core.timeline import Window, read_window
from bulk_remove.core.verdicts import Verdict
from tests.support.pool_run import FakeServer, Run
from tests.support.virtual_time import BEGAN_S, Shifts

LOST = Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")
MINUTE_S = 40.0
"""At this virtual second a minute begins on the wall."""


def removed(_now_s: float, numbers: Sequence[str]) -> Reply:
    return Reply(Alike.of([Verdict(Event.REMOVED, 1, (1,))] * len(numbers)), 0)


def busy(_now_s: float, numbers: Sequence[str]) -> Reply:
    return Reply(Alike.of([Verdict(Event.BUSY)] * len(numbers)), 0)


def between(from_min: int, to_min: int) -> Window:
    """Return the window from one minute to another after `MINUTE_S`, every day."""
    local = datetime.fromtimestamp(BEGAN_S + MINUTE_S).astimezone()
    begin = 60 * local.hour + local.minute + from_min
    return Window(begin % 1440, begin % 1440 + to_min - from_min, frozenset(range(7)))


def at(minute: float) -> float:
    return MINUTE_S + 60 * minute


def left(run: Run, from_s: float, to_s: float) -> int:
    return sum(from_s <= moment < to_s for moment in run.server.moments_s)


@pytest.mark.parametrize("connect_s", [0.0, 0.7])
def test_outside_the_hours_no_request_leaves_and_afterwards_each_number_is_sent_once(
    tmp_path: Path, connect_s: float
) -> None:
    """They begin and end while the run sends. A request that was about to leave then is held back."""
    server = FakeServer(removed, latency_s=0.3, connect_s=connect_s)
    windows = [between(5, 6), between(120, 900)]
    run = Run(tmp_path, server, numbers=200, per_request=1, rate=1.0, windows=windows, look_at_s=[1.0, at(6) + 2.0])
    assert left(run, 0.0, at(5)) == left(run, at(6), at(120)) == 0
    assert 55 < left(run, at(5), at(6)) <= 60
    assert at(120) <= min(moment for moment in server.moments_s if moment > at(6)) <= at(120) + 2.0 + connect_s
    assert [look.opens_s for look in run.looks] == [BEGAN_S + at(5), BEGAN_S + at(120)]
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.REMOVED: 200}
    assert set(Counter(number for chunk in server.asked for number in chunk).values()) == {1}
    assert {state.attempts for state in run.states} == {1}
    assert run.snapshot.opens_s is None


def test_a_time_outside_the_hours_is_no_time_without_an_answer(tmp_path: Path) -> None:
    """The server fails before it and after it, for less than the patience of 15 minutes in all."""

    def answer(now_s: float, numbers: Sequence[str]) -> Reply | Fault:
        return LOST if 2.0 < now_s < at(125) else removed(now_s, numbers)

    windows = [between(-60, 5), between(120, 900)]
    run = Run(tmp_path, FakeServer(answer, latency_s=1.0), numbers=300, windows=windows)
    assert left(run, at(5), at(120)) == 0
    assert run.ending is Ending.DONE
    assert run.statuses[Status.REMOVED] + run.statuses[Status.PRESUMED_REMOVED] == 300


@pytest.mark.parametrize(
    ("free_from_min", "status"), [(80, Status.REMOVED), (900, Status.CALL_IN_PROGRESS)], ids=["free", "never free"]
)
def test_it_does_not_use_up_the_time_for_numbers_in_a_call(tmp_path: Path, free_from_min: int, status: Status) -> None:
    """Half an hour is theirs: ten minutes of it before, the rest from an hour later on."""
    server = FakeServer(lambda now_s, numbers: (removed if now_s >= at(free_from_min) else busy)(now_s, numbers))
    run = Run(tmp_path, server, numbers=20, busy_for_s=1800.0, windows=[between(-60, 10), between(70, 900)])
    assert run.statuses == {status: 20}
    assert left(run, at(10), at(70)) == 0
    assert run.took_s < at(70) + 1200.0


def test_a_run_outside_its_hours_can_be_stopped(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(removed), windows=[between(60, 70)], stop_after_s=900.0)
    assert (run.ending, run.took_s, run.attempts) == (Ending.INTERRUPTED, 900.0, 0)
    assert run.statuses == {Status.UNSENT: 100}


def test_a_deadline_ends_a_run_outside_its_hours(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(removed), windows=[between(60, 70)], until_s=BEGAN_S + 900.0)
    assert (run.ending, run.attempts) == (Ending.DEADLINE, 0)
    assert 900.0 <= run.took_s <= 901.0


@pytest.mark.parametrize(
    ("keys_min", "goes_on_min"),
    [
        pytest.param([1, 16], 16, id="paused within, let go within"),
        pytest.param([1, 9], 12, id="paused within, let go outside"),
        pytest.param([7, 16], 16, id="paused outside, let go within"),
        pytest.param([7, 9], 12, id="paused outside, let go outside"),
    ],
)
def test_the_operator_s_pause_and_the_hours_both_hold(
    tmp_path: Path, keys_min: Sequence[int], goes_on_min: int
) -> None:
    keys = [(at(minute), Key.PAUSE) for minute in keys_min]
    windows = [between(-60, 4), between(12, 900)]
    held_from_min = min(keys_min[0], 4)
    server = FakeServer(removed)
    run = Run(
        tmp_path,
        server,
        numbers=300,
        per_request=1,
        rate=0.5,
        keys=keys,
        windows=windows,
        look_at_s=[at(8), at(14)],
    )
    assert left(run, at(held_from_min) + 0.1, at(goes_on_min)) == 0
    assert left(run, at(goes_on_min), at(goes_on_min) + 5.0) > 1
    assert run.statuses == {Status.REMOVED: 300}
    paused = [keys_min[0] <= minute < keys_min[1] for minute in (8, 14)]
    assert [look.paused_for_s is not None for look in run.looks] == paused
    assert [look.opens_s is not None for look in run.looks] == [True, False]


@pytest.mark.parametrize(
    ("clock_set", "slept", "from_s", "to_s"),
    [
        pytest.param([], [], at(60), at(70), id="undisturbed"),
        pytest.param([(100.0, 3600.0)], [], 100.0, at(10), id="set into the hours"),
        pytest.param([(at(65), -3600.0)], [], at(60), at(65), id="set out of them"),
        pytest.param([], [(100.0, 3600.0)], 100.0, at(10), id="slept into them"),
        pytest.param([], [(at(65), 3600.0)], at(60), at(65), id="slept past their end"),
    ],
)
def test_the_hours_are_those_of_the_clock_on_the_wall_as_it_is_just_now(
    tmp_path: Path, clock_set: Shifts, slept: Shifts, from_s: float, to_s: float
) -> None:
    run = Run(
        tmp_path,
        FakeServer(removed),
        numbers=1500,
        rate=1.0,
        per_request=1,
        clock_set=clock_set,
        slept=slept,
        windows=[between(60, 70)],
        stop_after_s=at(90),
    )
    moments_s = [moment for moment in run.server.moments_s if moment < at(75)]
    assert from_s <= moments_s[0] <= from_s + 2.0
    assert to_s - 1.5 < moments_s[-1] < to_s


@pytest.fixture(name="warsaw")
def warsaw_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be set here")
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Warsaw")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("warsaw")
@pytest.mark.parametrize(
    ("midnight", "hours", "sent_h"),
    [
        pytest.param((2026, 3, 29), "01:00-03:30", (0.0, 1.5), id="to summer time: two o'clock is three"),
        pytest.param((2026, 10, 25), "02:30-03:00", (0.5, 1.0, 1.5, 2.0), id="to winter time: three o'clock is two"),
    ],
)
def test_the_hours_are_right_in_the_night_in_which_the_clocks_are_changed(
    tmp_path: Path, midnight: tuple[int, int, int], hours: str, sent_h: Sequence[float]
) -> None:
    """In UTC clocks are changed at one o'clock; the run begins at midnight."""
    window = read_window(hours)
    assert window is not None
    begins_s = datetime(*midnight, tzinfo=UTC).timestamp()
    run = Run(
        tmp_path,
        FakeServer(removed),
        numbers=500,
        rate=0.02,
        per_request=1,
        clock_set=[(0.0, begins_s - BEGAN_S)],
        windows=[window],
        stop_after_s=2.5 * 3600.0,
    )
    turns_s = [3600 * hour for hour in sent_h]
    sent = [left(run, begin, end) for begin, end in pairwise(turns_s)]
    assert sum(sent[::2]) == len(run.server.moments_s)
    assert min(sent[::2]) > 30


def test_what_was_under_way_at_the_end_of_the_hours_is_reported_without_waiting_for_the_next(tmp_path: Path) -> None:
    server = FakeServer(removed, latency_s=50.0)
    run = Run(tmp_path, server, numbers=4, per_request=1, windows=[between(-60, 0)])
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.REMOVED: 4}
    assert run.took_s < 60.0
