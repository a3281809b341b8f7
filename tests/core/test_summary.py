from dataclasses import replace

import pytest

from bulk_remove.core.model import FINAL_STATUSES, NEVER_SENT, Rehearsal, Status, mask
from bulk_remove.core.summary import (
    MEANING,
    Ending,
    NoneFound,
    check_closed,
    exit_code,
    headline,
    removed_again_told,
)
from bulk_remove.core.timeline import Snapshot, duration, remaining_s, rounded, speed
from bulk_remove.errors import ExitCode, InvariantError


def test_the_sum_of_the_statuses_must_be_the_rows() -> None:
    check_closed(3, {Status.REMOVED: 2, Status.INVALID: 1})
    with pytest.raises(InvariantError):
        check_closed(3, {Status.REMOVED: 2})


@pytest.mark.parametrize("status", Status)
def test_a_finished_run_is_0_only_when_every_number_is_final(status: Status) -> None:
    final = status in FINAL_STATUSES | NEVER_SENT
    assert exit_code(Ending.DONE, {Status.REMOVED: 5, status: 1}) is (ExitCode.OK if final else ExitCode.NOT_FINAL)
    assert exit_code(Ending.DONE, {status: 0}) is ExitCode.OK


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (Ending.HUNG_UP, 129),
        (Ending.INTERRUPTED, 130),
        (Ending.KEY, 130),
        (Ending.CODE, 130),
        (Ending.TERMINATED, 143),
        (Ending.UNAVAILABLE, 7),
        (Ending.DENIED, 6),
        (Ending.DEADLINE, 9),
        (Ending.STORAGE, 10),
        (Ending.GUARD, 5),
        (Ending.MISSING, 5),
        (Ending.UNASKED, 5),
    ],
)
def test_a_run_that_ended_early_says_why_even_when_every_number_is_final(ending: Ending, code: int) -> None:
    assert exit_code(ending, {Status.REMOVED: 5}) == code


@pytest.mark.parametrize(
    ("samples", "per_second"),
    [
        ([], 0.0),
        ([(1.0, 5)], 0.0),
        ([(1.0, 5), (3.0, 9)], 2.0),
        ([(1.0, 5), (1.0, 9)], 0.0),
        ([(1.0, 5), (2.0, 3)], 0.0),
    ],
)
def test_a_speed_needs_time_to_pass_and_is_never_negative(samples: list[tuple[float, int]], per_second: float) -> None:
    assert speed(samples) == per_second


def test_the_time_left_is_unknown_until_there_is_a_speed() -> None:
    assert remaining_s(100, 0.0) is None
    assert remaining_s(100, 4.0) == 25.0


def test_a_snapshot_knows_what_is_settled_what_is_in_a_call_and_what_is_unsent() -> None:
    snapshot = Snapshot({"R": 5, "N": 1, "B": 2, "b": 1, "U": 9, "u": 4}, 3, 5, 0, {}, 1.0, 3)
    assert (snapshot.settled, snapshot.in_a_call, snapshot.unsent) == (6, 3, 9)


@pytest.mark.parametrize(
    ("number", "masked"),
    [("", ""), ("441", "***"), ("123456", "******"), ("601234555", "60*****55"), ("48601234555", "48*****4555")],
)
def test_a_masked_number_hides_at_least_five_characters_or_all(number: str, masked: str) -> None:
    assert mask(number) == masked


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (725, "12 min 5 s"), (12_034, "3:20 h")]
)
def test_a_length_of_time_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_the_headline_says_why_a_run_ended_early_and_what_is_left() -> None:
    assert headline({Status.REMOVED: 5, Status.INVALID: 1}, Ending.DONE) == (
        "Finished: every number has its final answer."
    )
    assert headline({Status.UNSENT: 1200}, Ending.DEADLINE) == (
        "Ended early (the deadline came first): 1,200 rows have no final answer."
    )
    assert headline({Status.UNSENT: 1}, Ending.DEADLINE).endswith(": 1 row has no final answer.")


def test_a_run_that_left_nothing_open_did_not_end_early() -> None:
    assert headline({Status.NOT_EXIST: 5}, Ending.GUARD) == (
        "Every number has its final answer; the first request did not pass its check."
    )
    none = NoneFound(5, ("00001",), confirmed=True)
    assert headline({Status.NOT_EXIST: 5}, Ending.GUARD, none) == "Finished: none of the 5 numbers is in the campaign."


def test_what_stopped_a_run_is_named_as_what_it_was() -> None:
    lines = [headline({Status.UNSENT: 1}, ending) for ending in Ending]
    assert len(set(lines)) == len(Ending)
    for ending, word in [("HUNG_UP", "SIGHUP"), ("TERMINATED", "SIGTERM"), ("KEY", "key q"), ("INTERRUPTED", "Ctrl-C")]:
        assert word in headline({Status.UNSENT: 1}, Ending[ending])


def test_every_status_has_a_meaning() -> None:
    assert set(MEANING) == set(Status)


def test_that_none_was_found_in_a_form_that_is_a_guess_is_not_an_answer() -> None:
    by_status = {Status.NOT_EXIST: 60, Status.INVALID: 1}
    guess = NoneFound(60, ("00001",), confirmed=False, proves_nothing=True)
    assert exit_code(Ending.DONE, by_status, guess) is ExitCode.NOT_FINAL
    assert exit_code(Ending.GUARD, by_status, guess) is ExitCode.GUARD
    assert headline(by_status, Ending.DONE, guess).startswith(
        "Finished, but this proves nothing: none of 60 numbers was found"
    )
    few = replace(guess, numbers=9, proves_nothing=False)
    assert exit_code(Ending.DONE, by_status, few) is ExitCode.OK
    for nothing, ending, statuses in (
        (few, Ending.DONE, by_status),
        (guess, Ending.GUARD, by_status),
        (guess, Ending.DONE, by_status | {Status.UNSENT: 2}),
    ):
        assert headline(statuses, ending, nothing) == headline(statuses, ending)


@pytest.mark.parametrize(
    ("numbers", "campaigns", "told"),
    [
        (60, ("00001",), "Finished: none of the 60 numbers is in the campaign."),
        (1, ("00001",), "Finished: the number is not in the campaign."),
        (60, ("00001", "00002"), "Finished: none of the 60 numbers is in its campaign."),
    ],
)
def test_that_none_was_found_in_a_form_that_the_records_show_is_said_plainly(
    numbers: int, campaigns: tuple[str, ...], told: str
) -> None:
    by_status = {Status.NOT_EXIST: numbers}
    sure = NoneFound(numbers, campaigns, confirmed=True)
    assert headline(by_status, Ending.DONE, sure) == told
    assert exit_code(Ending.DONE, by_status, sure) is ExitCode.OK
    assert "no final answer" in headline({**by_status, Status.FAILED: 1}, Ending.DONE, sure)


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.1234, 0.12), (0.0123, 0.012), (7.77, 7.8), (12.34, 12.3), (99.99, 99.9), (100.0, 100.0), (100.01, 100.1)],
)
def test_a_figure_is_rounded_to_what_is_read_and_never_to_the_whole(value: float, told: float) -> None:
    assert rounded(value) == told


def test_a_rehearsal_is_not_taken_for_proof() -> None:
    by_status = {Status.REMOVED: 1}
    assert headline(by_status, Ending.DONE, rehearsal=Rehearsal.STAND_IN).startswith("Rehearsal on a stand-in. Fin")
    assert "perhaps a rehearsal. Finished" in headline(by_status, Ending.DONE, rehearsal=Rehearsal.LOOPBACK)


def test_a_length_of_time_is_told_in_seconds_then_minutes_then_hours() -> None:
    lengths_s = (0.4, 59.4, 59.6, 60, 3599, 3600, 7140, 7199, 7200, 90_061)
    assert [duration(length_s) for length_s in lengths_s] == [
        "0 s", "59 s", "1 min 0 s", "1 min 0 s", "59 min 59 s", "1:00 h", "1:59 h", "1:59 h", "2:00 h", "25:01 h",
    ]  # fmt: skip


def test_numbers_that_are_back_are_counted_with_what_it_means() -> None:
    assert removed_again_told(1) == (
        "1 number that this run removed had been removed by an earlier run, too. Somebody added it again: look for an "
        "import that does so."
    )
    assert removed_again_told(2000).startswith("2,000 numbers that this run removed had been removed by an earlier")
