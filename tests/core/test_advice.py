import pytest

from bulk_remove.core.model import OPEN_STATUSES, NumberFormat, Status
from bulk_remove.core.numbers import AlsoTry, Forms, Held, NumberRules, Rest
from bulk_remove.core.summary import Advice, Ending, NoneFound, about_a_guess, advise
from bulk_remove.core.verdicts import UnaskedRemoval

RUN = "20261124-021530-9f3a"
E164 = NumberFormat.E164
PLUS_FIRST = "--also-try plus,international,zeros"


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
    assert steps[0].sentence.startswith("Replies named 2 numbers")
    assert steps[-1].sentence.startswith("1,200 rows held no phone number")


def test_a_removal_that_nobody_asked_for_is_the_first_thing_to_see_to() -> None:
    removals = [UnaskedRemoval(f"6012345{place}", (5235 + place,), "00001", 1.0, place) for place in range(5)]
    step, *_ = advise(RUN, Ending.UNASKED, {Status.REMOVED: 1, Status.FAILED: 1}, strangers=5, unasked=removals[:1])
    assert "60*****0 (record 5235) in campaign 00001. A proxy" in step.sentence
    step, *_ = advise(RUN, Ending.UNASKED, {Status.REMOVED: 1}, strangers=5, unasked=removals)
    assert "(record 5239)" in step.sentence
    assert "(record 5235)" not in step.sentence
    assert "2 more are in the summary." in step.sentence


def guess_of(forms: Forms, held: Held, *campaigns: str) -> Advice:
    nothing = NoneFound(60, campaigns or ("00001",), confirmed=False, proves_nothing=True)
    return about_a_guess(RUN, nothing, held, forms, "PL")


@pytest.mark.parametrize(
    ("rules", "also_try", "held", "why", "words"),
    [
        (NumberRules(), (), {}, "as 601234555. That proves nothing: its records did not show", PLUS_FIRST),
        (NumberRules(), (), {Rest.NO_NUMBER: 3}, "its records did not show", PLUS_FIRST),
        (
            NumberRules(),
            (),
            {AlsoTry.PLUS: 184, AlsoTry.NATIONAL: 16},
            "its records hold numbers as +48601234555 (184 of 200 looked at) and 601234555 (16).",
            "--also-try plus",
        ),
        (NumberRules(), (AlsoTry.ZEROS,), {AlsoTry.PLUS: 9}, "as 601234555, 0048601234555.", "--also-try zeros,plus"),
        (NumberRules(E164), (), {}, "as +48601234555.", "--also-try international,zeros,national"),
        (NumberRules(E164), (), {Rest.ABROAD: 2, AlsoTry.PLUS: 1}, "abroad", "--also-try international,zeros,national"),
        (NumberRules(), tuple(AlsoTry), {}, "Give the API user the permission", "--number-format auto"),
        (
            NumberRules(NumberFormat.AS_IS),
            (),
            {},
            "campaign 00001. That proves nothing",
            "--number-format national --also-try plus,international,zeros",
        ),
        (NumberRules(NumberFormat.AS_IS), (), {AlsoTry.NATIONAL: 5}, "601234555 (5 of 5", "--number-format national"),
        (NumberRules(), (), {AlsoTry.NATIONAL: 5}, "how additional numbers are written", PLUS_FIRST),
        (NumberRules(), (), {AlsoTry.NATIONAL: 5, Rest.OTHERWISE: 1}, "Look for them in the panel", ""),
    ],
)
def test_a_guess_says_why_it_proves_nothing_and_the_command_that_finds_out(
    rules: NumberRules, also_try: tuple[AlsoTry, ...], held: Held, why: str, words: str
) -> None:
    step = guess_of(Forms(rules, also_try), held)
    assert step.sentence.startswith("None of 60 numbers was found in campaign 00001")
    assert why in step.sentence
    assert step.command == (f"bulk-remove rerun {RUN} {words}" if words else "")


def test_a_guess_about_several_campaigns_or_one_number_is_told_as_such() -> None:
    forms = Forms(NumberRules(), ())
    assert "in campaign 00001 and 2 more, asked" in guess_of(forms, {}, "00001", "00002", "00003").sentence
    one = about_a_guess(RUN, NoneFound(1, ("00001",), confirmed=False), {}, forms, "PL")
    assert one.sentence.startswith("The number was not found in campaign 00001, asked for as 601234555.")


def test_what_proves_nothing_is_never_called_a_proof() -> None:
    guess = guess_of(Forms(NumberRules(), ()), {})
    by_status = {Status.NOT_EXIST: 60}
    assert advise(RUN, Ending.DONE, by_status, strangers=0, guess=guess) == (guess,)
    stopped = advise(RUN, Ending.GUARD, {**by_status, Status.UNSENT: 5}, strangers=0, guess=guess)
    assert [step.command for step in stopped] == ["", guess.command, f"bulk-remove resume {RUN}"]
    (proof,) = advise(RUN, Ending.DONE, by_status, strangers=0)
    assert "the proof" in proof.sentence


def test_a_status_that_nobody_counted_is_that_of_no_row() -> None:
    (step,) = advise(RUN, Ending.DENIED, {}, strangers=0)
    assert step.sentence.startswith("Nothing is left to ask")
