"""Whatever is done to the cell of a number, it becomes that number or none, never another one.

The numbers are such as somebody may have: the plan's own ranges. Each is spelt, then damaged, and held against what
the cell became before.
"""

import re

import phonenumbers
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import Normaliser, NumberRules

NORMALISERS = {number_format: Normaliser(NumberRules(number_format)) for number_format in NumberFormat}
WITH_INTERNAL = Normaliser(NumberRules(internal_numbers=True))
FORMATS = pytest.mark.parametrize("number_format", NumberFormat)

MOBILE = r"(?:45|5[0137]|6[069]|7[2389]|88)[0-9]{7}"
LANDLINE = r"(?:1[2-8]|2[2-69]|3[2-4]|4[1-468]|5[24-689]|6[1-3578]|7[14-7]|8[1-79]|9[145])[02-9][0-9]{6}"
polish = st.from_regex(f"{MOBILE}|{LANDLINE}", fullmatch=True)
# A Radom number begins with the digits of the country code.
radom = st.from_regex(r"48[02-9][0-9]{6}", fullmatch=True)
numbers = polish | radom
foreign = st.from_regex(
    r"\+(?:42060[1-8][0-9]{6}|42190[1-8][0-9]{6}|346[0-9]{8}|336[0-9]{8}|4915(?:1[12]|2[0-3])[0-9]{7})", fullmatch=True
)
GROUPINGS = ((9,), (3, 3, 3), (2, 3, 2, 2), (2, 7), (3, 2, 2, 2), (3, 6))
separators = st.sampled_from([" ", "-", ".", "\u00a0", " - ", "\u2013"])
CODES = ("", "+48", "+48 ", "0048", "0048 ", "(+48) ", "48", "48 ", "48-")


def grouped(number: str, sizes: tuple[int, ...], separator: str) -> str:
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return separator.join(number[start : start + size] for start, size in zip(starts, sizes, strict=True))


@st.composite
def spelt(draw: st.DrawFn, codes: tuple[str, ...] = CODES) -> tuple[str, str]:
    """A number and one of its spellings, which is understood."""
    number = draw(numbers)
    cell = draw(st.sampled_from(codes)) + grouped(number, draw(st.sampled_from(GROUPINGS)), draw(separators))
    assume(NORMALISERS[NumberFormat.NATIONAL](cell).number == number)
    return number, cell


def only(number_format: NumberFormat, whole: str, damaged: str) -> None:
    """Fail where a damaged cell becomes a number, unless that is what the whole one became."""
    became, meant = NORMALISERS[number_format](damaged).number, NORMALISERS[number_format](whole).number
    assert became in {"", meant}, (damaged, became)


any_spelling = st.one_of(spelt(), foreign.map(lambda number: (number, number)))


@given(any_spelling, st.sampled_from([".0", ".00", ",0", ",00", ".000", ".5", ",5", ".12", ",25", ".0E+00", ".", ","]))
@example(("60123450", "+4860123450"), ".0")
@example(("601234506", "601-234-506"), ".0")
@example(("221234507", "(22)1234507"), ".0")
@FORMATS
def test_a_decimal_is_never_glued_on(number_format: NumberFormat, cell: tuple[str, str], decimal: str) -> None:
    only(number_format, cell[1], cell[1] + decimal)


@given(numbers, st.sampled_from(["", "48"]), st.integers(0, 14))
@FORMATS
def test_what_a_float_makes_of_a_number_is_that_number_or_none(
    number_format: NumberFormat, number: str, code: str, precision: int
) -> None:
    value = float(code + number)
    made = [
        str(value),
        f"{value:.{precision}e}",
        f"{value:.{precision}E}",
        f"{value:.{precision + 1}g}",
        f"{value:.1f}",
    ]
    made += [f"{value:,.2f}", f"{value:,.0f}", f"{value:,.2f}".replace(",", " ").replace(".", ",")]
    made += [
        f"{value:,.2f}".replace(",", ".")[::-1].replace(".", ",", 1)[::-1],
        f"{value:.{precision}e}".replace(".", ","),
    ]
    for text in made:
        for damaged in (text, f"+{text}", f'="{text}"', f"'{text}"):
            if damaged.lstrip("+") in {number, code + number}:
                continue
            plus = "+" if damaged[0] == "+" and number_format is NumberFormat.AS_IS else ""
            only(number_format, plus + code + number, damaged)


behind = st.sampled_from(
    [" ", "-", ".", " - ", "/", ",", ";", " (", "x", "#", "w", " w. ", " wew. ", ",,", "p", " ext ", "--", "\u2013"]
)


@given(any_spelling, behind, st.from_regex(r"[0-9]{1,4}", fullmatch=True))
@example(("481234506", "48 123 45 06"), " ", "12")
@example(("481234506", "481234506"), "-", "12")
@example(("481234506", "481-234-506"), "-", "12")
@example(("601234508", "+420601234508"), "-", "12")
@FORMATS
def test_a_group_behind_a_whole_number_is_never_glued_on(
    number_format: NumberFormat, cell: tuple[str, str], separator: str, group: str
) -> None:
    damaged = f"{cell[1]}{separator}{group}" + ")" * separator.endswith("(")
    # 1512... may go on in Germany: what stands behind a dash there is dialled with the rest.
    assume(not cell[1].startswith("+49"))
    only(number_format, cell[1], damaged)


@given(spelt(tuple(code for code in CODES if not code.startswith("48"))), st.data())
@FORMATS
def test_a_cell_that_was_cut_off_is_never_a_number(
    number_format: NumberFormat, cell: tuple[str, str], data: st.DataObject
) -> None:
    text = cell[1].rstrip()
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    assert NORMALISERS[number_format](cut).number == "", cut


@given(spelt(("48", "48 ", "48-")), st.data())
@FORMATS
def test_a_number_with_a_bare_code_that_was_cut_off_is_none_but_where_two_digits_are_lost(
    number_format: NumberFormat, cell: tuple[str, str], data: st.DataObject
) -> None:
    """Nine digits that begin with 48 may be a number of Radom: the whole input tells (test_whole_input)."""
    cut = cell[1][: data.draw(st.integers(0, len(cell[1]) - 1))]
    digits = re.sub("[^0-9]", "", cut)
    strict = Normaliser(NumberRules(number_format, coded=True))
    assert strict(cut).number == "", cut
    assert NORMALISERS[number_format](cut).number == "" or len(digits) == 9, cut


@given(numbers, st.sampled_from(["", "+48", "0048", "48"]), st.integers(0, 8), st.sampled_from("0123456789"))
@FORMATS
def test_a_digit_too_few_or_too_many_makes_no_number_of_the_region(
    number_format: NumberFormat, number: str, code: str, place: int, digit: str
) -> None:
    for damaged in (
        code + number[:place] + number[place + 1 :],
        code + number[:place] + digit + number[place:],
        code + number + digit,
    ):
        became = NORMALISERS[number_format](damaged).number
        if number_format is NumberFormat.AS_IS and damaged == f"0{number}":
            assert became == damaged
        elif number_format in {NumberFormat.DIGITS, NumberFormat.AS_IS} and became and became[0] not in "+0":
            # Where numbers abroad have no plus, it may be one by the plan: ten digits that begin with Denmark's 45.
            assert not code
            assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{became}"))
        else:
            assert became == "", damaged


@given(numbers, st.sampled_from(["0{}", "0 {}", "0-{}", "(0){}", "9-{}", "8 {}", "1 {}", "7{}", "000{}", "0-48 {}"]))
@FORMATS
def test_what_stands_in_front_of_a_whole_number_is_never_taken_for_a_part_of_it(
    number_format: NumberFormat, number: str, front: str
) -> None:
    damaged = front.format(number)
    became = NORMALISERS[number_format](damaged).number
    as_it_is = number_format is NumberFormat.AS_IS and damaged[0] == "0" and became == f"0{number}"
    assert not became or as_it_is or (number_format in {NumberFormat.DIGITS, NumberFormat.AS_IS} and front == "7{}")


@given(
    any_spelling,
    st.sampled_from(
        ['="{}"', "'{}", "'{}'", "\u2018{}\u2019", "p:{}", "tel:{}", "TEL: {}", "p: {}", "'p:{}", '="p:{}"', " {} "]
    ),
)
@FORMATS
def test_what_a_program_puts_around_a_number_changes_nothing(
    number_format: NumberFormat, cell: tuple[str, str], around: str
) -> None:
    assert NORMALISERS[number_format](around.format(cell[1])) == NORMALISERS[number_format](cell[1])


@given(
    numbers, st.sampled_from(["", "48", "+48"]), st.sampled_from([".0", ".00", ",0", ",00"]), st.sampled_from(" .,'")
)
@FORMATS
def test_zeros_behind_a_whole_number_are_taken_away(
    number_format: NumberFormat, number: str, code: str, zeros: str, between: str
) -> None:
    whole = NORMALISERS[number_format](code + number)
    assert NORMALISERS[number_format](code + number + zeros) == whole
    thousands = re.sub(r"(?<=[0-9])(?=(?:[0-9]{3})+$)", "_", code + number).replace("_", between)
    if between != zeros[0]:
        assert NORMALISERS[number_format](thousands + zeros) == whole


@given(numbers, st.sampled_from(["", "48"]), st.sampled_from("eE"), st.sampled_from([".", ","]))
@FORMATS
def test_scientific_notation_with_every_digit_is_taken(
    number_format: NumberFormat, number: str, code: str, sign: str, point: str
) -> None:
    digits = code + number
    whole = NORMALISERS[number_format](digits)
    for exponent in (f"+{len(digits) - 1:02}", f"{len(digits) - 1}", f"+0{len(digits) - 1:02}"):
        cell = f"{digits[0]}{point}{digits[1:]}{sign}{exponent}"
        assert NORMALISERS[number_format](cell) == whole, cell
        assert NORMALISERS[number_format](cell[:-1]).number == ""
        assert NORMALISERS[number_format](cell.replace(sign, f"0{sign}")).number == ""
        assert NORMALISERS[number_format](cell.replace(f"{digits[-1]}{sign}", sign)).number == ""


@given(numbers, st.integers(1, 8))
def test_what_is_left_of_a_whole_number_is_none_even_where_internal_ones_are_let_through_unless_as_short(
    number: str, length: int
) -> None:
    became = WITH_INTERNAL(number[:length]).number
    assert became == (number[:length] if 3 <= length <= 6 else "")
