import pytest

from bulk_remove.core.advice import advise
from bulk_remove.core.model import OPEN_STATUSES, Status
from bulk_remove.core.summary import Ending
from bulk_remove.core.unasked import UnaskedRemoval

RUN = "20261124-021530-9f3a"


def commands(ending: Ending, by_status: dict[Status, int]) -> list[str]:
    return [step.command for step in advise(RUN, ending, by_status, strangers=0) if step.command]


def test_a_run_in_which_all_is_final_leaves_nothing_to_do() -> None:
    (step,) = advise(RUN, Ending.DONE, {Status.REMOVED: 5, Status.NOT_EXIST: 1}, strangers=0)
    assert step.sentence.startswith("Nothing is left to ask")
    assert step.command == ""


@pytest.mark.parametrize("status", sorted(OPEN_STATUSES))
def test_whatever_is_not_final_has_the_command_that_asks_for_it_again(status: Status) -> None:
    again = "rerun" if status in {Status.FAILED, Status.UNRECOGNISED} else "resume"
    (step,) = advise(RUN, Ending.DONE, {Status.REMOVED: 5, status: 1}, strangers=0)
    assert step.command == f"bulk-remove {again} {RUN}"
    assert step.sentence.startswith("1 row ")


@pytest.mark.parametrize(
    ("ending", "first"),
    [(Ending.DENIED, "bulk-remove check"), (Ending.UNAVAILABLE, "bulk-remove check"), (Ending.DEADLINE, None)],
)
def test_a_run_that_ended_early_names_what_ended_it_before_the_command_that_goes_on(
    ending: Ending, first: str | None
) -> None:
    expected = [first] if first else []
    assert commands(ending, {Status.UNSENT: 2}) == [*expected, f"bulk-remove resume {RUN}"]


def test_a_full_disk_comes_before_going_on() -> None:
    step, _ = advise(RUN, Ending.STORAGE, {Status.UNSENT: 2}, strangers=0)
    assert "make room" in step.sentence


def test_invalid_cells_and_numbers_that_nobody_asked_for_are_never_passed_over() -> None:
    steps = advise(RUN, Ending.DONE, {Status.REMOVED: 1, Status.INVALID: 1200}, strangers=2)
    assert steps[0].sentence.startswith("Replies spoke of 2 numbers")
    assert steps[-1].sentence.startswith("1,200 rows held no phone number")


def test_a_removal_that_nobody_asked_for_is_the_first_thing_to_see_to() -> None:
    removals = [UnaskedRemoval(f"6012345{place}", (5235 + place,), "00001", 1.0, place) for place in range(5)]
    step, *_ = advise(RUN, Ending.UNASKED, {Status.REMOVED: 1, Status.FAILED: 1}, strangers=5, unasked=removals[:1])
    assert "60*****0 (record 5235) in campaign 00001. A proxy" in step.sentence
    step, *_ = advise(RUN, Ending.UNASKED, {Status.REMOVED: 1}, strangers=5, unasked=removals)
    assert "(record 5239)" in step.sentence
    assert "(record 5235)" not in step.sentence
    assert "2 more are in the summary." in step.sentence
