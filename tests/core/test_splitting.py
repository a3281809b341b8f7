"""Cells that hold several numbers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import Normaliser, NumberRules, split_cell

NORMALISERS = {number_format: Normaliser(NumberRules(number_format)) for number_format in NumberFormat}
NATIONAL = NORMALISERS[NumberFormat.NATIONAL]
EVERY_FORM = pytest.mark.parametrize("normalise", NORMALISERS.values(), ids=list(NumberFormat))

wholes = st.from_regex(r"[1-9][0-9]{8}", fullmatch=True).flatmap(
    lambda number: st.sampled_from(
        [
            number,
            f"+48{number}",
            f"0048 {number}",
            f"{number[:3]} {number[3:6]} {number[6:]}",
            f"({number[:2]}) {number[2:]}",
        ]
    )
)
separators = st.sampled_from(
    ["/", " / ", ",", ", ", ";", "|", "&", "\n", "\r\n", " lub ", " albo ", " oraz ", " i ", " or ", " AND ", ",\n"]
)


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("601 234 555 / 602 111 222", ("601 234 555", "602 111 222")),
        ("601234555,602111222", ("601234555", "602111222")),
        ("+48 601 234 555; 0048602111222; 22 123 45 67", ("+48 601 234 555", "0048602111222", "22 123 45 67")),
        ("601234555\n602111222\n", ("601234555", "602111222")),
        ("601234555 lub +49 1512 3456789", ("601234555", "+49 1512 3456789")),
        ("601234555,,602111222", ("601234555", "602111222")),
        ("601234555/601234555", ("601234555", "601234555")),
    ],
)
@EVERY_FORM
def test_whole_numbers_are_taken_apart(normalise: Normaliser, cell: str, parts: tuple[str, ...]) -> None:
    assert split_cell(cell, normalise) == parts


@pytest.mark.parametrize(
    "cell",
    [
        *["22 123 45 67/68", "601 234 555 / 6", "601 234 555 / 602", "601,234,555", "48,601,234,555", "+48,601234555"],
        *["601234555/441", "601 234 555 lub 19 115", "601234555, tel. 602111222", "601234555 602111222"],
        *["601234555 w. 12, 602111222", "601234555/", "601234555", "", "/", "brak / 601234555", "601234555,00"],
        *["601234555/2024-01-15", "601234555 / +48 12", "601234555/0602111222", "601234555/012345678"],
        *["601234555-602111222", "601234555i602111222", "601 234 555, 602 111 222, 603", "4.86E+10;601234555"],
    ],
)
@EVERY_FORM
def test_what_is_not_certain_stays_whole(normalise: Normaliser, cell: str) -> None:
    assert split_cell(cell, normalise) == ()


def test_digits_with_a_country_code_are_whole_where_the_form_writes_them_so() -> None:
    cell = "4915123456789/48601234555"
    assert split_cell(cell, NORMALISERS[NumberFormat.DIGITS]) == ("4915123456789", "48601234555")
    assert split_cell(cell, NATIONAL) == ()


@given(st.lists(wholes, min_size=2, max_size=5), separators, st.sampled_from(list(NORMALISERS.values())))
def test_any_list_of_whole_numbers_comes_apart_into_them(
    numbers: list[str], separator: str, normalise: Normaliser
) -> None:
    assert split_cell(separator.join(numbers), normalise) == tuple(numbers)


@given(st.lists(wholes, min_size=1, max_size=3), separators, st.from_regex(r"[0-9]{1,8}", fullmatch=True))
def test_one_short_part_leaves_the_whole_cell_alone(numbers: list[str], separator: str, short: str) -> None:
    assert split_cell(separator.join([*numbers, short]), NATIONAL) == ()
    assert split_cell(separator.join([short, *numbers]), NATIONAL) == ()


@given(wholes, st.sampled_from("/,;|&\n"), st.data())
def test_a_number_cut_by_a_separator_is_never_taken_apart(number: str, separator: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(number) - 1))
    assert split_cell(number[:place] + separator + number[place:], NATIONAL) == ()


@given(st.text(st.sampled_from("0123456789+48 /,;&lub\n()-.")), st.sampled_from(list(NORMALISERS.values())))
def test_parts_are_numbers_and_leave_no_digit_behind(cell: str, normalise: Normaliser) -> None:
    parts = split_cell(cell, normalise)
    assert len(parts) != 1
    assert all(normalise(part).number for part in parts)
    if parts:
        assert re.sub(r"\D", "", "".join(parts)) == re.sub(r"\D", "", cell)
        assert not normalise(cell).number
