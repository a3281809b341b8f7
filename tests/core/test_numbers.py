"""Cell text -> number, or the reason why not."""

import re
import subprocess
import sys

import phonenumbers as oracle
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import Normalised, Normaliser, NumberRules
from bulk_remove.core.spelling import MAX_CELL_CHARS, is_country_code, is_name_of, is_subscriber
from bulk_remove.errors import UsageError

NATIONAL, DIGITS, E164, AS_IS = NumberFormat.NATIONAL, NumberFormat.DIGITS, NumberFormat.E164, NumberFormat.AS_IS
# Country code and international prefix: a trunk zero, many lengths, several prefixes, a zero in the number, 10 digits.
CODES = {
    "PL": ("48", "00"),
    "DE": ("49", "00"),
    "AT": ("43", "00"),
    "AU": ("61", ""),
    "RU": ("7", "810"),
    "IT": ("39", "00"),
    "US": ("1", "011"),
}
NORMALISERS = {
    (number_format, region): Normaliser(NumberRules(number_format, region))
    for number_format in NumberFormat
    for region in CODES
}
any_rules = st.sampled_from(list(NORMALISERS))
FORMATS = pytest.mark.parametrize("number_format", NumberFormat)

subscribers = st.from_regex(r"[1-9][0-9]{8}", fullmatch=True)
separators = st.sampled_from(["", " ", "-", ".", "\u00a0", "\u202f", "\u2009", "\u2013", "\u2212", "\u200b", " - "])
phone_like = st.text(st.sampled_from("0123456789012345678901234567894800++ .-()'/,\u00a0\u2212\ufeff\nex"), max_size=24)
explicit = st.from_regex(r"(\+|00|011|810)[0-9]{3,15}", fullmatch=True)


INTERNAL_TOO = {
    number_format: Normaliser(NumberRules(number_format, internal_numbers=True)) for number_format in NumberFormat
}


def normalised(cell: str, number_format: NumberFormat = NATIONAL, region: str = "PL") -> Normalised:
    return NORMALISERS[number_format, region](cell)


def without_codes(digits: str, region: str) -> set[str]:
    """Return what the digits may be without international prefix, without country code, without both."""
    code, prefix = CODES[region]
    dialled = digits.removeprefix(prefix)
    return {digits, dialled, digits.removeprefix(code), dialled.removeprefix(code)}


def spaced(draw: st.DrawFn, number: str) -> str:
    """Put formatting between groups of three digits."""
    groups: list[str] = re.findall("[0-9]{1,3}", number)
    formatted = groups[0] + "".join(draw(separators) + group for group in groups[1:])
    # One dot alone makes a decimal number, and so does a digit alone behind a dot: properties of their own.
    assume(formatted.count(".") != 1)
    return formatted


@st.composite
def formatted_subscribers(draw: st.DrawFn) -> tuple[str, str, bool]:
    """A Polish number, one of its spellings, and whether that has the country code."""
    number = draw(subscribers)
    coded = draw(
        st.sampled_from(["", "+48 ", "(+48) ", "0048 ", "48 ", "+48", " + 48-", "'+48", "\ufeff+48", "(0048)"])
    )
    return number, coded + spaced(draw, number) + draw(st.sampled_from(["", " ", "\u00a0", "\n"])), bool(coded)


@pytest.mark.parametrize(
    ("cell", "national", "digits", "e164", "as_is"),
    [
        ("601234555", "601234555", "48601234555", "+48601234555", "601234555"),
        ("601 234 555", "601234555", "48601234555", "+48601234555", "601234555"),
        ("(601)234-555", "601234555", "48601234555", "+48601234555", "601234555"),
        ("( 22 ) 123.45.67", "221234567", "48221234567", "+48221234567", "221234567"),
        ("+48 601-234-555", "601234555", "48601234555", "+48601234555", "+48601234555"),
        ("(+48) 601 234 555", "601234555", "48601234555", "+48601234555", "+48601234555"),
        ("+48.601234555", "601234555", "48601234555", "+48601234555", "+48601234555"),
        ("0048 601 234 555", "601234555", "48601234555", "+48601234555", "0048601234555"),
        ("48601234555", "601234555", "48601234555", "+48601234555", "48601234555"),
        ("48 601 234 555", "601234555", "48601234555", "+48601234555", "48601234555"),
        ("'601234555", "601234555", "48601234555", "+48601234555", "601234555"),
        ("481234567", "481234567", "48481234567", "+48481234567", "481234567"),
        ("+49 1512 3456789", "004915123456789", "4915123456789", "+4915123456789", "+4915123456789"),
        ("0049 1512 3456789", "004915123456789", "4915123456789", "+4915123456789", "004915123456789"),
        ("+39 06 12345678", "00390612345678", "390612345678", "+390612345678", "+390612345678"),
        ("48 22 123 45 67", "221234567", "48221234567", "+48221234567", "48221234567"),
        ("48 48 123 45 06", "481234506", "48481234506", "+48481234506", "48481234506"),
        ("+48 48 123 45 06", "481234506", "48481234506", "+48481234506", "+48481234506"),
        ("601234500", "601234500", "48601234500", "+48601234500", "601234500"),
    ],
)
def test_a_number_takes_the_form_of_the_campaign(cell: str, national: str, digits: str, e164: str, as_is: str) -> None:
    forms = [normalised(cell, number_format).number for number_format in (NATIONAL, DIGITS, E164, AS_IS)]
    assert forms == [national, digits, e164, as_is]


@pytest.mark.parametrize(
    ("problem", "cells"),
    [
        ("The cell is empty", ["", " ", "\ufeff\u200b", "'", "\u00a0\n"]),
        ("No digits", ["+", "()", "nikt"]),
        ("Letters", ["601 234 abc", "tel. 601234555", "601b", "tel:441", "p:441"]),
        ("Scientific notation", ["4.86E+10", "4,86E+10", "4.86e10", "48601E+6", "4E10", "4.41E+2"]),
        (
            "A decimal number",
            ["441.0", "441.5", "52.2296756", "441,0", "1 234 567.50", "601,25", "601 234.555", "(22) 123.4567"],
        ),
        ("A date", ["2024-01-15", "15.01.2024", "1-5-2024", "2024.1.15"]),
        ("Fewer than three digits", ["1", "12", "1-2"]),
        ("More than fifteen digits", ["1234567890123456", "601 234 555 602 234 555", "+4930123456789012345"]),
        ("Perhaps more than one number", ["601234555/602", "601234555,602234555", "441;442", "441|442", "601 lub 602"]),
        ("Perhaps more than one number", ["601234555\n602234555", "441\r\n442", "601234555 441", "+48601234555 (441)"]),
        ("An extension", ["601 234 555 602 111", "+48 601-234-555-12", "22 123 45 67-89", "22 123 45 67 (89)"]),
        ("An extension", ["221234567 wew. 12", "221234567 wewn 12", "221234567 ext 5", "221234567#5", "22123 x5"]),
        ("Only zeros", ["000000000", "000", "0", "+0", "+00 000", "0000000000000000"]),
        ("Control characters", ["601\t234", "601\x00234", "\x7f601234555", "601\x85234"]),
        ("More than one plus", ["++48601234555", "+48 +48 601234555", "+48601234555+"]),
        ("A plus that is not in front", ["48+601234555", "601234555+"]),
        ("A minus in front", ["-601234555", "'-601234555", "\u2212601234555", "\u2013 601234555", "-+48601234555"]),
        ("A dot or a dash at an end", ["601234555-", "601-234-", "601234.", ".601234555"]),
        ("Parentheses that do not match", ["1) 601234555", "(601234555", "((601)234555", "601)234(555", "601234555()"]),
        ("A number in a list", ["1. 601234555", "12. (22) 123 45 67"]),
        ("A zero in parentheses", ["+48 (0) 601 234 555", "(0)601234555", "+49 (0)151 23456789", "+48( 0 )601234555"]),
        ("A zero in front or after", ["+48 0601234555", "+48012345678", "48012345678", "+49 0151 23456789"]),
        ("A zero in front or after", ["+48 0 60123455", "+1 1 201 555 0123"]),
        ("No country has this code", ["+999123456", "00999123456", "+0048601234555", "+048601234555"]),
        ("Too short for its country", ["+48", "+48 12", "+48441", "00441", "+49 1"]),
        ("Too long for its country", ["+48601234555123", "+3545551234567", "+1 20155501 2345"]),
        ("No number of its country", ["+48 60123455", "+48 1234567", "+1 5551234", "+48 22 19115", "+48 64 123456"]),
        ("An internal number", ["441", "044", "601234", "'441", '="441"']),
        ("Too few digits, in groups", ["19 115", "441 442", "441-445", "12-05", "601 23", "(44)1", "4.41-4"]),
        ("An extension", ["3012345-46", "3012345 46", "621 2345 12", "621-2345-12", "(621) 2345-12", "6212345 (12)"]),
        ("An extension", ["+48 3012345-46", "+48621 2345 12", "0048 621 2345 12", "48 6212345 12", "48-621-2345-12"]),
        (
            "An IP address",
            ["83.12.145.67", "91.12.145.67", "83.12.45.167", "10.20.30.40", "192.168.10.12", "8.8.255.10"],
        ),
        ("An amount", ["1.234.567.89", "12.345.67", "123.456.789.00", "12.345.678.90"]),
        ("Too few digits", ["6012345", "60123455", "2219115", "64123456"]),
        ("Too many digits", ["6012345551", "9-601234555", "4848601234555", "8001234567", "123456789012345"]),
        ("Digits of another script", ["\uff16\uff10\uff11234555", "\u0666\u0660\u0661"]),
        ("Marks for right-to-left", ["\u202e601234555", "601\u200f234555"]),
        (
            "A character that is not part",
            ["=601234555", "*601234555", "48*****4555", "''601234555", "601_234", "601\uff0b48601"],
        ),
        ("Not spelt like", ["601----234555", "601    234555", "601 .-. 234"]),
        ("Too long a text", ["6" * (MAX_CELL_CHARS + 1), "601234555" + " " * MAX_CELL_CHARS + "1"]),
    ],
)
@FORMATS
def test_what_is_not_clearly_one_number_is_refused_with_the_reason(
    number_format: NumberFormat, problem: str, cells: list[str]
) -> None:
    for cell in cells:
        result = normalised(cell, number_format)
        assert (result.number, result.problem[: len(problem)]) == ("", problem), repr(cell)


@pytest.mark.parametrize("cell", ["0601234555", "0 22 123 45 67", "(0-22) 123 45 67", "0-601-234-555"])
def test_a_zero_in_front_of_a_whole_number_stays_only_where_cells_are_taken_as_they_are(cell: str) -> None:
    assert normalised(cell, AS_IS).number == re.sub("[^0-9]", "", cell)
    for number_format in (NATIONAL, DIGITS, E164):
        assert normalised(cell, number_format) == ("", "A zero in front of a whole number: write it without.")


@FORMATS
def test_a_zero_in_front_of_anything_else_is_refused_in_every_form(number_format: NumberFormat) -> None:
    for cell in ("012345678", "06012345551", "0 22 123 45 6"):
        assert normalised(cell, number_format).problem.startswith("A zero in front or after"), cell


@pytest.mark.parametrize(
    ("cell", "number_format", "region", "number"),
    [
        ("0612345678", E164, "IT", "+390612345678"),
        ("06123456", E164, "IT", "+3906123456"),
        ("30 123456", E164, "DE", "+4930123456"),
        ("30 123456", NATIONAL, "DE", "30123456"),
        ("8 123 456 78", NATIONAL, "SE", "812345678"),
        ("2 512 34 56", E164, "BE", "+3225123456"),
        ("+49 30 123456", NATIONAL, "DE", "30123456"),
        ("011 48 601234555", E164, "US", "+48601234555"),
        ("+1 201 555 0123", NATIONAL, "US", "2015550123"),
        ("810 48 601234555", NATIONAL, "RU", "81048601234555"),
        ("+48 601234555", DIGITS, "AU", "48601234555"),
        ("+43 664 1234567", E164, "AT", "+436641234567"),
        ("664 1234567", E164, "AT", "+436641234567"),
        ("+61 412 345 678", NATIONAL, "AU", "412345678"),
        ("+48 601234555", NATIONAL, "pl", "601234555"),
        ("4915123456789", DIGITS, "PL", "4915123456789"),
        ("4915123456789", AS_IS, "PL", "4915123456789"),
        ("+45 20 12 34 56", DIGITS, "PL", "4520123456"),
        ("4520123456", AS_IS, "PL", "4520123456"),
        ("420 601 234 555", DIGITS, "CZ", "420601234555"),
        ("4915112345678", NATIONAL, "DE", "4915112345678"),  # a landline's number may be as long
        ("34 612 34 56 78", NATIONAL, "ES", "612345678"),
    ],
)
def test_other_countries_go_by_their_own_plan(cell: str, number_format: NumberFormat, region: str, number: str) -> None:
    assert Normaliser(NumberRules(number_format, region))(cell) == (number, "")


@pytest.mark.parametrize(
    ("cell", "number_format", "region", "problem"),
    [
        (
            "+298 123456",
            DIGITS,
            "PL",
            "The digits are a number with a country code and without",
        ),  # as long as a Polish number
        ("33 6 12 34 56 78", NATIONAL, "FR", "An extension"),  # or the number 3 36 12 34 56, and two digits more
        ("+420 601 234 508-12", NATIONAL, "PL", "An extension"),
        ("4520123456", NATIONAL, "PL", "It seems that a plus or zeros in front are lost"),
        ("6012345012", DIGITS, "PL", "Too many digits"),
        ("030 123456", NATIONAL, "DE", "A zero in front"),
        ("8 912 345 67 89", NATIONAL, "RU", "Too many digits"),
        ("436641234567", E164, "AT", "The digits are a number with a country code and without"),
        ("+7 810 1234567", NATIONAL, "RU", "The digits are a number with a country code and without"),
        ("6", NATIONAL, "AT", "Fewer than three digits"),
        ("0011 48 601234555", NATIONAL, "AU", "Zeros in front"),
        ("0048 601234555", NATIONAL, "US", "Zeros in front"),
        ("+48 601234555", NATIONAL, "AU", "A number abroad is dialled in more than one way"),
    ],
)
def test_what_is_not_certain_in_another_country_is_refused(
    cell: str, number_format: NumberFormat, region: str, problem: str
) -> None:
    result = Normaliser(NumberRules(number_format, region))(cell)
    assert (result.number, result.problem[: len(problem)]) == ("", problem)


@given(formatted_subscribers())
@pytest.mark.parametrize(("number_format", "lead"), [(NATIONAL, ""), (DIGITS, "48"), (E164, "+48")])
def test_formatting_and_spelling_of_the_country_code_make_no_difference(
    number_format: NumberFormat, lead: str, spelling: tuple[str, str, bool]
) -> None:
    number, cell, _ = spelling
    assert normalised(cell, number_format) == (lead + number, "")


@given(formatted_subscribers())
def test_as_is_only_takes_the_formatting_away(spelling: tuple[str, str, bool]) -> None:
    number, cell, coded = spelling
    result = normalised(cell, AS_IS).number
    assert result == re.sub("[^0-9+]", "", cell)
    assert (result == number) is not coded


@given(any_rules, st.one_of(st.text(), phone_like, explicit, st.from_regex(r"[0-9]{3,15}", fullmatch=True)))
@example((DIGITS, "PL"), "+298123456")
@example((NATIONAL, "RU"), "+78101234567")
@example((DIGITS, "AT"), "6641234567")
@example((DIGITS, "DE"), "+4930123456")
def test_any_text_gives_a_number_or_a_reason_and_the_number_gives_itself(
    rules: tuple[NumberFormat, str], cell: str
) -> None:
    number, problem = NORMALISERS[rules](cell)
    assert bool(number) is not bool(problem)
    assert not re.search(r"\d", problem)
    if number:
        assert re.fullmatch(r"\+?[0-9]{3,18}", number)
        assert NORMALISERS[rules](number) == (number, "")


@given(any_rules, st.one_of(phone_like, explicit))
def test_no_digit_is_lost_or_invented_but_for_the_codes_in_front(rules: tuple[NumberFormat, str], cell: str) -> None:
    number = NORMALISERS[rules](cell).number.removeprefix("+")
    if number:
        assert without_codes(number, rules[1]) & without_codes(re.sub("[^0-9]", "", cell), rules[1])


@given(st.from_regex(r"(\+|00)(1|7|20|30|33|39|44|49|298|354|380|420)[0-9]{4,11}", fullmatch=True))
def test_a_plus_and_the_international_prefix_mean_the_same(cell: str) -> None:
    digits = cell.removeprefix("+").removeprefix("00")
    for number_format in (NATIONAL, DIGITS, E164):
        assert normalised("+" + digits, number_format) == normalised("00" + digits, number_format)


@given(st.from_regex(r"[1-9][0-9]{2,9}", fullmatch=True))
def test_a_number_that_is_not_whole_is_sent_only_as_an_internal_one_and_never_with_a_country_code(cell: str) -> None:
    assume(len(cell) < 9)
    assert not any(normalised(cell, number_format).number for number_format in NumberFormat)
    taken = {normalise(cell).number for normalise in INTERNAL_TOO.values()}
    assert taken == {cell if len(cell) <= 6 else ""}


@pytest.mark.parametrize("cell", ["441", "044", "19115", "'441", '="441"'])
@FORMATS
def test_internal_numbers_are_taken_as_they_are_where_they_are_let_through(
    number_format: NumberFormat, cell: str
) -> None:
    assert INTERNAL_TOO[number_format](cell) == (re.sub("[^0-9]", "", cell), "")


MOSTLY_INTERNAL = Normaliser(NumberRules(internal_numbers=True, mostly_internal=True))


@pytest.mark.parametrize("cell", ["441 442", "441-445", "12-05", "19 115", "44-1", "(44) 1", "441.442"])
def test_groups_of_few_digits_are_no_internal_number(cell: str) -> None:
    for normalise in [*INTERNAL_TOO.values(), MOSTLY_INTERNAL]:
        assert normalise(cell).problem


@pytest.mark.parametrize("cell", ["441-442-443", "441 442 443", "601-602-603", "441.442.443", "48 441 442 443"])
def test_among_internal_numbers_groups_as_long_as_these_are_no_whole_number(cell: str) -> None:
    number = normalised(cell).number
    assert number
    expected = "" if cell[:2] != "48" else number
    assert MOSTLY_INTERNAL(cell).number == MOSTLY_INTERNAL.block([cell, "441"]).numbers[0] == expected


@pytest.mark.parametrize("cell", ["22 123 45 67", "601234555", "+48 441 442 443", "60 123 45 55", "601 23 45 55"])
def test_among_internal_numbers_other_spellings_of_a_whole_number_are_one(cell: str) -> None:
    assert (
        MOSTLY_INTERNAL(cell).number == MOSTLY_INTERNAL.block([cell, "441"]).numbers[0] == normalised(cell).number != ""
    )


@pytest.mark.parametrize(
    "cell",
    ["301-23-45 46", "621-23-45-12", "22 1234567", "22.123.45.67", "123.45.67.89", "+49 621 2345 12"],
)
def test_a_usual_grouping_is_no_extension_and_no_address(cell: str) -> None:
    assert normalised(cell).number


@pytest.mark.parametrize("cell", ["12", "441.0", "tel:441", "4.41E+2", "441-", "0012", "60123455", "1234567"])
def test_what_is_no_internal_number_is_not_let_through_with_them(cell: str) -> None:
    assert not any(normalise(cell).number for normalise in INTERNAL_TOO.values())


@pytest.mark.parametrize(
    ("cell", "region"),
    [("4915123456789", "PL"), ("491512 3456789", "PL"), ("048601234555", "PL"), ("48601234555", "US")],
)
@pytest.mark.parametrize("number_format", [NATIONAL, E164])
def test_a_number_abroad_that_lost_its_plus_or_zeros_is_refused_where_the_form_has_them(
    number_format: NumberFormat, cell: str, region: str
) -> None:
    assert normalised(cell, number_format, region).problem.startswith("It seems that a plus or zeros")


@given(any_rules, st.from_regex(r"[1-9][0-9]{8}", fullmatch=True))
def test_a_whole_national_number_is_never_taken_for_one_that_lost_its_plus(
    rules: tuple[NumberFormat, str], cell: str
) -> None:
    assert "seems" not in NORMALISERS[rules](cell).problem


cells_of_a_file = st.one_of(
    formatted_subscribers().map(lambda spelling: spelling[1]),
    st.from_regex(r" ?(\+|00)?(48|49)?[ -]?[0-9]{2,4}([ -][0-9]{2,4}){0,3} ?", fullmatch=True),
    st.sampled_from(["", "2024-01-15", "01-15-2024", "486012345 55", "601234555", "+48601234555", "601\n602", "brak"]),
    phone_like,
    explicit,
    st.text(max_size=12),
)


@given(any_rules, st.lists(cells_of_a_file, max_size=8))
@example((NATIONAL, "PL"), [""])
@example((NATIONAL, "PL"), ["", ""])
@example((E164, "PL"), ["601234555\n", "601 234 555", "\n"])
@example((AS_IS, "PL"), ["+48 601-234-555", "48 601 234 555"])
def test_a_block_of_cells_becomes_what_each_cell_becomes(rules: tuple[NumberFormat, str], cells: list[str]) -> None:
    normalise = NORMALISERS[rules]
    one_by_one = [normalise(cell) for cell in cells]
    judged = normalise.block(cells)
    assert judged.numbers == [number for number, _ in one_by_one]
    assert judged.problems == {index: problem for index, (_, problem) in enumerate(one_by_one) if problem}
    assert sorted(judged.rounded) == sorted([number for number in judged.numbers if number.endswith("000000")])


def test_usual_spellings_in_a_block_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    normalise = Normaliser(NumberRules())
    monkeypatch.setattr(Normaliser, "_judged", None)
    cells = [
        "601234555",
        "601 234 555",
        "601-234-555",
        "+48 601-234-555",
        "48601234555",
        "+48 601234555",
        " 601234555 ",
    ]
    judged = normalise.block([*cells, "0048 601 23 45 55"])
    assert (judged.numbers, judged.problems) == (["601234555"] * 8, {})


@pytest.mark.parametrize("region", ["XX", "", "POL", "001", "601234555"])
def test_an_unknown_region_names_the_flag_and_not_its_value(region: str) -> None:
    with pytest.raises(UsageError) as caught:
        Normaliser(NumberRules(region=region))
    assert "--region" in caught.value.sentence
    assert "601234555" not in caught.value.sentence + caught.value.hint


def test_every_country_has_rules_that_hold_for_its_own_example() -> None:
    for region in sorted(oracle.SUPPORTED_REGIONS):
        number = oracle.example_number_for_type(region, oracle.PhoneNumberType.MOBILE)
        if number:
            e164 = oracle.format_number(number, oracle.PhoneNumberFormat.E164)
            spelt = oracle.format_number(number, oracle.PhoneNumberFormat.INTERNATIONAL)
            assert Normaliser(NumberRules(E164, region))(spelt) == (e164, "")
            assert normalised(spelt, E164) == (e164, "")


def test_plain_cells_need_no_look_into_a_numbering_plan() -> None:
    code = (
        "import sys; from bulk_remove.core.numbers import Normaliser, NumberRules\n"
        "assert 'phonenumbers' not in sys.modules\n"
        "normalise = Normaliser(NumberRules())\n"
        "import phonenumbers; phonenumbers.parse = None\n"
        "for cell in ('601234555', '48601234555', '+48 601 234 555', '(22) 123 45 67', '441', 'brak'):\n"
        "    normalise(cell)\n"
        "try:\n    normalise('+49151234567')\nexcept TypeError: pass\nelse: raise SystemExit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_while_the_form_is_not_known_numbers_are_read_as_national_ones() -> None:
    assert NumberRules(NumberFormat.AUTO) == NumberRules(NumberFormat.NATIONAL)


@pytest.mark.parametrize(
    "cell", ["486012345 01", "48 123 45 06 12", "4860123 45-01-", "+48 6-0-1-2-3-4-5-0 - 1", "22 123 45 08-12"]
)
def test_a_cell_that_is_spelt_in_an_odd_way_passes_the_gates_also_within_a_block(cell: str) -> None:
    normalise = Normaliser(NumberRules())
    block = normalise.block(["601 234 501", cell])
    assert (block.numbers[1], block.problems.get(1, "")) == normalise(cell)


def test_a_country_code_has_no_zero_in_front_and_a_region_is_named_in_any_case() -> None:
    assert is_country_code("48")
    assert not is_country_code("048")
    assert is_name_of("pl", "PL")
    assert is_name_of("pl", "POL")
    assert not is_name_of("pl", "CZ")
    assert not is_name_of("pl", "POLA")


def test_a_number_that_is_one_with_its_country_code_and_without_has_none_for_certain() -> None:
    normalise = Normaliser(NumberRules(DIGITS, "DE"))
    assert normalise.country_code_and_number("4915112345678") == ""
    assert normalise.country_code_and_number("492112345") == "49492112345"
    assert normalise.country_code_and_number("30123456") == "4930123456"
    assert normalise.country_code_and_number("15112345678") == "4915112345678"


def test_a_cell_of_more_than_sixty_four_characters_is_prose() -> None:
    normalise = Normaliser(NumberRules())
    assert normalise("6" * 64).problem.startswith("More than fifteen digits")
    assert normalise("6" * 65).problem.startswith("Too long a text")


@pytest.mark.parametrize(
    ("cell", "number"),
    [("48.601234501E9", "601234501"), ("486.01234501E+008", "601234501"), ("4860.1234501E07", "")],
)
def test_scientific_notation_with_all_digits_has_at_most_three_in_front(cell: str, number: str) -> None:
    assert Normaliser(NumberRules())(cell).number == number


@pytest.mark.parametrize(
    ("cell", "number"),
    [("+48.601234501", "601234501"), ("+420.601234502", "00420601234502"), ("+1.2025550123", "0012025550123")],
)
def test_a_dot_may_stand_behind_a_country_code(cell: str, number: str) -> None:
    assert Normaliser(NumberRules())(cell).number == number
    assert Normaliser(NumberRules())(cell[: cell.index(".") + 7]).problem == "A decimal number, not a phone number."


@pytest.mark.parametrize(
    ("region", "cells", "coded", "in_doubt"),
    [
        ("PL", ["48601234501", "48 601 234 502", "48601234503.0", "481234567", "601234501", "+48601234504"], 3, 1),
        ("PL", ["48601234501", "brak", "481234567", "48 123 45 67", "60123", "48601234501 x"], 1, 2),
        ("DE", ["491511234567", "4915112345678", "4921123456", "49211234567", "15112345678", "x"], 2, 2),
        ("DE", ["49 151 1234567", "+491511234567", "49 21123456"], 1, 1),
    ],
)
def test_each_cell_of_a_block_counts_once_as_one_that_begins_with_the_country_code(
    region: str, cells: list[str], coded: int, in_doubt: int
) -> None:
    normalise = Normaliser(NumberRules(region=region))
    block = normalise.block(cells)
    assert (block.coded, block.in_doubt) == (coded, in_doubt)
    assert sum(normalise.block([cell]).coded for cell in cells) == coded


def test_where_rounded_numbers_are_refused_only_those_are() -> None:
    normalise = Normaliser(NumberRules(rounded=True))
    assert [normalise(cell).number for cell in ("(601) 234-501", "601234501", "+48601234501.0")] == ["601234501"] * 3
    for cell in ("(601) 000-000", "601000000", "+48601000000"):
        assert normalise(cell).problem.startswith("It ends in zeros")


def test_bare_digits_too_long_for_the_region_need_only_the_length_of_a_number_abroad() -> None:
    assert Normaliser(NumberRules(DIGITS))("4205466118339").number == "4205466118339"


def test_a_number_of_the_region_itself_is_never_called_one_abroad() -> None:
    normalise = Normaliser(NumberRules(NATIONAL, "AU"))
    assert normalise("+61 13 12 34").problem == "No number of its country looks like this."
    assert normalise("+48601234555").problem.startswith("A number abroad is dialled in more than one way")


def test_as_is_keeps_what_stands_in_front() -> None:
    normalise = Normaliser(NumberRules(AS_IS))
    for cell in ("+48 601 234 501", "0048601234501", "48601234501", "601-234-501"):
        assert normalise(cell).number == cell.replace(" ", "").replace("-", "")


def test_where_whole_numbers_are_as_short_as_internal_ones_they_are_whole() -> None:
    assert Normaliser(NumberRules(region="FK"))("51234") == Normalised("51234", "")
    assert Normaliser(NumberRules(region="FK")).block(["51 234", "51234"]).internal == 0


def test_digits_no_longer_than_a_national_number_never_begin_with_a_country_code() -> None:
    normalise = Normaliser(NumberRules(region="AT"))
    assert normalise.from_country_code("4366412345678") == ""
    assert normalise("4366412345678").number == "4366412345678"


def test_among_coded_numbers_a_whole_one_that_begins_otherwise_is_taken() -> None:
    assert Normaliser(NumberRules(region="DE", coded=True))("30123456").number == "30123456"
    assert Normaliser(NumberRules(region="DE", coded=True))("492112345").problem.startswith(
        "It begins with the country"
    )


@pytest.mark.parametrize(
    ("digits", "is_one"),
    [("48601234501", True), ("48221234567", True), ("12025550123", True), ("48800123456", False), ("4899", False)],
)
def test_a_subscriber_has_a_telephone_and_no_free_number(digits: str, is_one: bool) -> None:
    assert is_subscriber(digits) is is_one
