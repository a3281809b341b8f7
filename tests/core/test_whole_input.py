"""What the cells of an input say of each other."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.conditions import MadeUp, WholeInput
from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import JudgedBlock, Normaliser, NumberRules

WHOLE = [str(601234500 + place) for place in range(20)]
ROUNDED = ["601000000", "48602000000", "600 000 000"]
FORMATS = pytest.mark.parametrize("number_format", NumberFormat)


def rules_of(
    *blocks: Sequence[str],
    number_format: NumberFormat = NumberFormat.NATIONAL,
    region: str = "PL",
    internal_numbers: bool | None = None,
    trusted: bool = False,
    let_through: bool = False,
) -> NumberRules:
    """Return the rules under which blocks of cells are to be read."""
    given_rules = NumberRules(number_format, region, internal_numbers=let_through)
    normalise, whole = Normaliser(given_rules), WholeInput()
    for cells in blocks:
        whole.add(normalise.block(cells))
    return whole.rules(given_rules, internal_numbers=internal_numbers, trusted=trusted)


@FORMATS
def test_an_input_of_whole_numbers_is_read_as_it_is(number_format: NumberFormat) -> None:
    cells = [*WHOLE, "brak", "", "60123", "486012345", "601000000", "601000000", "+49 1512 3456789"]
    assert rules_of(cells, number_format=number_format) == NumberRules(number_format)
    assert rules_of([], number_format=number_format) == NumberRules(number_format)


@pytest.mark.parametrize(
    ("cells", "let_through"),
    [
        (["441", "442"], True),
        (["441"], True),
        (["441", "442", "601234555"], True),
        (["441", "601234555"], False),
        (["441", "442", "601234555", "602234555"], False),
        (["441", "brak", "601", "6.01E+08", "x"], True),
        (["441.0", "tel:442"], False),
        (["12", "6012345"], False),
        ([*WHOLE, "60123"], False),
    ],
)
@FORMATS
def test_internal_numbers_are_let_through_where_they_are_most(
    number_format: NumberFormat, cells: list[str], *, let_through: bool
) -> None:
    assert rules_of(cells, number_format=number_format).internal_numbers is let_through
    # Over the whole input, not block by block.
    assert rules_of(*[[cell] for cell in cells], number_format=number_format).internal_numbers is let_through


@pytest.mark.parametrize("asked", [True, False])
def test_whoever_says_whether_internal_numbers_are_sent_is_believed(*, asked: bool) -> None:
    assert rules_of(["441", "442"], internal_numbers=asked).internal_numbers is asked
    assert rules_of([*WHOLE, "442"], internal_numbers=asked).internal_numbers is asked


@pytest.mark.parametrize(
    "coded",
    [
        [f"48{number}" for number in WHOLE],
        [f"48 {number[:3]} {number[3:6]} {number[6:]}" for number in WHOLE],
        [f"48{number}.0" for number in WHOLE],
        [f'="48{number}"' for number in WHOLE],
        [f"4.8{number}E+10" for number in WHOLE],
    ],
    ids=["bare", "in groups", "floats", "formulas", "scientific"],
)
@FORMATS
def test_among_bare_country_codes_a_national_number_that_begins_so_has_lost_digits(
    number_format: NumberFormat, coded: list[str]
) -> None:
    rules = rules_of(coded, ["486012345"], number_format=number_format)
    assert rules == NumberRules(number_format, coded=True)
    strict = Normaliser(rules)
    assert strict("486012345").problem.startswith("It begins with the country code")
    assert strict("48 601 23 45").problem.startswith("It begins with the country code")
    assert strict.block([*coded, "601234555"]).problems == {}
    assert strict("+48486012345").number == Normaliser(NumberRules(number_format))("+48486012345").number
    assert rules_of(coded, number_format=number_format) == NumberRules(number_format)


def test_among_national_numbers_one_that_begins_with_the_country_code_is_one_of_them() -> None:
    assert rules_of([*WHOLE, "486012345", *[f"48{number}" for number in WHOLE]]) == NumberRules()
    assert rules_of(["486012345", "486012346"]) == NumberRules()


@given(st.lists(st.integers(10**8, 10**9 - 1), min_size=3, max_size=8), st.integers(1, 40), st.sampled_from(["", "48"]))
def test_a_file_that_was_cut_off_anywhere_sends_no_number_that_was_not_in_it(
    numbers: list[int], cut: int, code: str
) -> None:
    cells = [f"{code}{number}" for number in numbers]
    text = "\n".join(cells)
    left = text[: max(len(text) - cut, len("\n".join(cells[:2])) + 1)].split("\n")
    sent = Normaliser(rules_of(left)).block(left).numbers
    assert {number for number in sent if number} <= {f"{number}" for number in numbers}


@pytest.mark.parametrize(
    ("cells", "refused"),
    [
        (ROUNDED[:2], True),
        ([*WHOLE, *ROUNDED[1:]], True),
        ([*WHOLE, "+48 601 000 000", "602000000.0"], True),
        ([*WHOLE, "+420601000000", "601000000"], True),
        (["601000000"] * 5, True),
        ([*WHOLE, *["601000000"] * 4], False),
        ([*WHOLE, "601000000", "+48601000000", "48 601 000 000"], False),
        ([*WHOLE, "601230000", "602340000"], False),
        ([*WHOLE, "6.01E+08", "6.02E+08"], False),
    ],
)
@FORMATS
def test_several_numbers_that_end_in_six_zeros_have_lost_digits(
    number_format: NumberFormat, cells: list[str], *, refused: bool
) -> None:
    if number_format is NumberFormat.AS_IS and "+48601000000" in cells:
        return  # as they are these are three
    for blocks in ([cells], [[cell] for cell in cells]):
        assert rules_of(*blocks, number_format=number_format) == NumberRules(number_format, rounded=refused)
    assert rules_of(cells, number_format=number_format, trusted=True) == NumberRules(number_format)


@pytest.mark.parametrize(("others", "refused"), [(399_000, True), (401_000, False)])
def test_two_such_numbers_among_very_many_may_be_real(others: int, *, refused: bool) -> None:
    blocks = [[str(601_000_001 + place) for place in range(others)], ROUNDED[:2]]
    assert rules_of(*blocks).rounded is refused


def test_a_long_range_of_numbers_is_none_that_was_rounded() -> None:
    whole, normalise = WholeInput(), Normaliser(NumberRules())
    for first in range(500_000_000, 501_050_000, 50_000):
        whole.add(normalise.block([str(first + place) for place in range(50_000)]))
    assert whole.rules(NumberRules(), internal_numbers=None, trusted=False) == NumberRules()


@pytest.mark.parametrize("cell", [*ROUNDED, "+48601000000", "+420601000000", "601000000.0"])
@FORMATS
def test_a_number_that_ends_in_six_zeros_is_refused_where_others_do(number_format: NumberFormat, cell: str) -> None:
    strict = Normaliser(NumberRules(number_format, rounded=True))
    assert strict(cell).problem.startswith("It ends in zeros as other numbers here do")
    assert "--trust-column" in strict(cell).problem
    judged = strict.block([*WHOLE, cell])
    assert judged.problems == {len(WHOLE): strict(cell).problem}
    assert strict("601230000").number


def test_what_only_some_blocks_show_counts_for_the_whole_input() -> None:
    coded = ["48601234501", "48601234502", "48601234503"]
    assert rules_of(["481234567"], [*coded]).coded
    assert rules_of([*coded], ["481234567"]).coded


def test_two_rounded_numbers_are_enough_however_many_follow() -> None:
    assert rules_of(WHOLE[:1], ROUNDED[:2], ROUNDED[2:], ROUNDED).rounded


def test_bare_digits_with_the_country_code_must_be_more_than_half() -> None:
    assert not rules_of(["48601234501", "481234567"]).coded
    assert rules_of(["48601234501", "48601234502", "481234567"]).coded


@pytest.mark.parametrize(
    ("numbers", "rounded", "refused"),
    [
        (400_000, ["601000000", "602000000"], False),
        (399_999, ["601000000", "602000000"], True),
        (900_000, ["601000000"] * 4, False),
        (900_000, ["601000000"] * 5, True),
        (1_000_000, ["601000000"] * 5, False),
    ],
)
def test_numbers_that_end_in_six_zeros_are_refused_where_they_are_more_than_chance_makes(
    numbers: int, rounded: list[str], *, refused: bool
) -> None:
    whole = WholeInput()
    whole.add(JudgedBlock(["601234501"] * numbers, {}, Counter(), 0, 0, 0, rounded))
    assert whole.rules(NumberRules(), internal_numbers=None, trusted=False).rounded is refused
    assert not whole.rules(NumberRules(), internal_numbers=None, trusted=True).rounded


def test_where_internal_numbers_are_most_several_in_a_cell_are_no_whole_number() -> None:
    assert rules_of(["441", "442", "601234503"]).mostly_internal
    assert not rules_of(["441", "601234503", "602345604"], internal_numbers=True).mostly_internal
    assert not rules_of(["441", "442"], internal_numbers=False).mostly_internal
    assert rules_of(["441", "442", "601234503"], let_through=True).mostly_internal
    assert not rules_of(["441", "602345604"], let_through=True).mostly_internal


APART = [str(601_000_321 + 1717 * place) for place in range(40)]


def made_up(*blocks: Sequence[str], region: str = "PL", all_count_up: bool = False) -> list[str]:
    found, row = MadeUp(region), 2
    for cells in blocks:
        found.add(range(row, row + len(cells)), cells)
        row += len(cells)
    return [*found.notes(all_count_up=all_count_up)]


@pytest.mark.parametrize(
    "number",
    [
        *["111111111", "999999999", "123456789", "987654321", "234567890", "+48555555555", "48123456789"],
        "0048876543210",
    ],
)
def test_a_number_that_somebody_made_up_is_told_with_its_row(number: str) -> None:
    rest = "look made up: one repeated digit, or digits in order."
    assert made_up([*APART, number]) == [f"1 number (row 42) {rest.replace('look', 'looks')}"]
    assert made_up(APART[:9], [number, "", number], APART[:4], ["111111111"]) == [
        f"3 numbers (the first in row 11) {rest}"
    ]


@pytest.mark.parametrize("number", ["111111112", "601234567", "123456798", "1111111111", "+49111111111", "600000000"])
def test_a_number_that_is_only_a_little_like_that_is_not(number: str) -> None:
    assert made_up([*APART, number]) == []


def test_the_length_of_a_number_that_somebody_made_up_is_that_of_the_region() -> None:
    assert made_up(["11111111111"], region="DE")
    assert not made_up(["111111111"], region="DE")


def steps(step: int, count: int, first: int = 602_000_000) -> list[str]:
    return [str(first + step * place) for place in range(count)]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 10, -1, -10])
@pytest.mark.parametrize("before", [0, 1, 8, 9, 17, 40])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_ten_numbers_in_equal_steps_are_told_wherever_they_stand(step: int, before: int, size: int) -> None:
    cells = [*APART[:before], *steps(step, 5), "", *steps(step, 6, 602_000_000 + 5 * step), *APART[:15]]
    blocks = [cells[place : place + size] for place in range(0, len(cells), size)]
    (note,) = made_up(*blocks)
    assert note.startswith(
        f"11 numbers follow each other in equal steps, the first ones by {step} from row {before + 2} "
    )
    assert made_up(*blocks, all_count_up=True) == []


@pytest.mark.parametrize(
    "cells",
    [
        *(steps(1, 9), steps(4, 30), steps(7, 30), steps(0, 30), steps(1, 30, 441)),
        [*steps(1, 9), *steps(2, 9, 603_000_000)],
        [cell for pair in zip(steps(1, 20), APART, strict=False) for cell in pair],
    ],
)
def test_other_numbers_are_not_in_equal_steps(cells: list[str]) -> None:
    assert made_up(cells) == []


def test_several_runs_are_counted_together_and_the_first_is_told() -> None:
    (note,) = made_up([*APART, *steps(2, 10), *APART, *steps(1, 12)])
    assert note.startswith("22 numbers follow each other in equal steps, the first ones by 2 from row 42 on: ")
