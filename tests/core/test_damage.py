"""What spreadsheets, forms and hands do to a phone number: refused, and the reason names the damage."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.spelling import APOSTROPHES, NAMED, QUOTED, WIDE_PLUS, WRITTEN_OUT, ZEROS, misspelling, reading

NORMALISERS = {number_format: Normaliser(NumberRules(number_format)) for number_format in NumberFormat}

DAMAGE = {
    "Scientific notation: a spreadsheet has lost digits.": [
        *["4.81E+10", "4,81E+10", "4.81234E10", "4.812345678E+10", "4,81e+10", "4.81E10", "48E+9", "+4.81E+10"],
        *["4.81 E+10", "'4.81E+10", "4.812345550000000e+15", "6.01234555E+09", "6.012345550E+08", "6.0123455E+07"],
        *["+6.01234555E+08", "-6.01234555E+08", "4.41E+02", "6.01234555E-08", '="4.81E+10"', "p:4.81E+10"],
    ],
    "A decimal number, not a phone number.": [
        *[
            "48123456789.5",
            "601234555.000",
            "48123456789,1",
            "601234555,05",
            "12,50",
            "12.50",
            "-12,50",
            "1 234 567,89",
        ],
        *["1.234,50", "1,234.50", "12,345,678.90", "52.2296756", "0.0", "441.0", "60123455.0", "+4860123455.0"],
        *["6012345551.00", "601-234-555.0", "(22)1234567.0", "22 123 45 67,00", "+601234555.0"],
        *["601 234.555", "+48 601 234 555.5", "0048 601234555.12", "601.234.555.0", "12.12.12.12.1", "-601234555.0"],
    ],
    "More than fifteen digits: perhaps more than one number, and no spreadsheet keeps so many.": [
        *["1234567890123456", "601 234 555 602 111 222", "+48601234555602111222", "0048601234555602111"],
    ],
    "More than fifteen digits, zeros at the end: a spreadsheet has lost digits.": [
        *["1234567890123450", "12345678901234500000", "601234555602111000"],
    ],
    "A letter O that may be a zero.": [
        *["6O1234555", "6o1 234 555", "O601234555", "60123455O", "+48 6O1 234 555", "6Ol234555", "6\u041e1234555"],
    ],
    "A letter l or I that may be a one.": [
        *["60l234555", "60I 234 555", "I601234555", "+48 60L-234-555", "60\u0406234555"],
    ],
    "Perhaps more than one number.": [
        *["601 234 555 / 602 111 222", "601234555,602111222", "601 234 555; 602 111 222", "601234555\n602111222"],
        *["601234555\r\n602111222", "601234555 lub 602111222", "601 234 555 or 602 111 222", "601234555 i 602111222"],
        *["601234555 oraz 602111222", "601234555 albo 602111222", "601234555 & 602111222", "601234555|602111222"],
        *["22 123 45 67/68", "601 234 555 / 6", "601,234,555", "601234555 602111222", "601234555 (602111222)"],
        *["601234555 and 602111222", "601234555, tel. 602111222"],
    ],
    "An extension, which cannot be sent.": [
        *["22 123 45 67-12", "22 123 45 67 (12)", "+48 22 123 45 67 - 12", "(22) 1234567 (1)", "+420 601 234 555-12"],
        *["481234567-12", "48 123 45 67 12", "(48) 123 45 67 12", "481 234 567 12", "22.123.45.67.12"],
        *["22 123 45 67 w. 12", "221234567 w12", "22 123 45 67 wew. 5", "221234567 wewn. 12", "221234567 ext 3"],
        *["221234567 ext. 3", "221234567#12", "22 123 45 67 #12", "221234567x12", "w. 12", "wew. 5", "ext 3", "#12"],
    ],
    "The error of a formula in a spreadsheet.": [
        *["#N/A", "#N/A!", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "=#REF!", "#n/a", "Err:502"],
        *["#N/D!", "#ARG!", "#ADR!", "#NAZWA?", "#LICZBA!", "#DZIEL/0!", "#ZERO!", "#NV", "#WERT!", "#SPILL!"],
    ],
    "A spreadsheet's sign that the column was too narrow for its value.": ["#", "###", "########"],
    "A word that says there is no number.": [
        *[
            "brak",
            "BRAK",
            "brak danych",
            "Brak telefonu",
            "n/a",
            "N/A",
            "NA",
            "n.a.",
            "null",
            "(null)",
            "<NULL>",
            "None",
        ],
        *[
            "none",
            "NaN",
            "nil",
            "nie podano",
            "Nie podano.",
            "nie dotyczy",
            "nie ma",
            "nieznany",
            "nd",
            "n/d",
            "unknown",
        ],
        *["- brak -", "no phone", "not given", "undefined", "\\N/A"],
    ],
    "A mark that says there is no number.": ["-", "--", "\u2014", ".", "...", "?", "*", "_", "/"],
    "A date.": [
        *["2024-01-15", "15.01.2024", "15/01/2024", "1/15/2024", "2024/01/15", "15.01.24", "15/01/24", "15-01-24"],
        *["2024-01-15 12:30:00", "2024-01-15T12:30:00Z", "15.01.2024 8:05", "date 2024-01-15", "1-5-2024", "2024.1.15"],
        *[
            "datetime 2024-01-15 00:00:00",
            "15-Jan-24",
            "15 stycznia 2024",
            "Jan-24",
            "sty 24",
            "15 pa\u017adziernika 2024",
        ],
        *["January 15, 2024", "3 maja 2024", "6-lis-12"],
    ],
    "A time of day.": ["12:30", "8:05:00", "12:30 PM", "time 12:30:00", "timedelta 1 day, 0:00:00", "23:59:59.999"],
    "An amount of money.": [
        *[
            "12,50 z\u0142",
            "12 z\u0142",
            "1 234,56 zl",
            "12.50 PLN",
            "PLN 100",
            "\u20ac12",
            "100 EUR",
            "$5.00",
            "12,- z\u0142",
            "-5 z\u0142",
        ],
    ],
    "An e-mail address.": ["jan@example.pl", "jan.601@example.com", "601234555@sms.example.pl"],
}


@pytest.mark.parametrize(("reason", "cells"), DAMAGE.items(), ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("number_format", NumberFormat)
def test_damage_is_refused_and_named_in_every_form(number_format: NumberFormat, reason: str, cells: list[str]) -> None:
    assert not re.search(r"\d", reason)
    for cell in cells:
        assert NORMALISERS[number_format](cell) == ("", reason), repr(cell)


@given(
    st.sampled_from([cell for cells in DAMAGE.values() for cell in cells]), st.sampled_from(["", " ", "\u00a0", "'"])
)
def test_blanks_around_the_damage_hide_nothing(cell: str, blank: str) -> None:
    assume(not (blank == "'" == cell[0]))  # the mark of a text is one apostrophe; a second is a character of the cell
    assert misspelling(reading(blank + cell + blank.strip("'")).text) == misspelling(reading(cell).text)


@pytest.mark.parametrize(
    "cell",
    [
        "601.234.555",
        "22-12-12-123",
        "601 234 555",
        "100 200 300",
        "22.123.45.00",
        "441",
        "120",
    ],
)
def test_a_number_that_only_resembles_damage_is_taken(cell: str) -> None:
    assert Normaliser(NumberRules(internal_numbers=True))(cell).number == re.sub(r"\D", "", cell)


@pytest.mark.parametrize(
    ("kinds", "cells"),
    [
        ((), ["601234555", "+48 601 234 555", "(601) 234-555", "+48.601234555"]),
        ((QUOTED,), ['="601234555"', '="+48601234555"', '= "601 234 555"', '=" 601234555 "']),
        ((APOSTROPHES,), ["'601234555", "'601234555'", "\u2018601234555\u2019", "\u2019+48 601 234 555"]),
        ((NAMED,), ["p:+48601234555", "tel:601234555", "TEL: 601-234-555", "P:48601234555", "tel :+48 601 234 555"]),
        ((WIDE_PLUS,), ["\uff0b48601234555", "\uff0b48 601 234 555"]),
        ((ZEROS,), ["601234555.0", "601234555,00", "48601234555.0", "+48601234555.00", "0048601234555,0"]),
        (
            (ZEROS,),
            ["601 234 555,00", "601,234,555.00", "601.234.555,0", "601'234'555.00", "48\u00a0601\u00a0234\u00a0555,00"],
        ),
        ((WRITTEN_OUT,), ["6.01234555E8", "6,01234555e+08", "4.8601234555E+10", "601.234555E+6", "6.01234555E+008"]),
        ((QUOTED, APOSTROPHES), ['="\'601234555"']),
        ((APOSTROPHES, NAMED, ZEROS), ["'p:601234555.0"]),
        ((QUOTED, WRITTEN_OUT), ['="6.01234555E+08"']),
    ],
)
@pytest.mark.parametrize("number_format", NumberFormat)
def test_what_loses_no_digit_is_taken_and_counted_by_kind(
    number_format: NumberFormat, kinds: tuple[str, ...], cells: list[str]
) -> None:
    for cell in cells:
        judged = NORMALISERS[number_format].block([cell, "601234556"])
        meant = NORMALISERS[number_format]("601234555").number
        written = (
            re.fullmatch(r"(\+48|0048|48)?601234555", judged.numbers[0])
            if number_format is NumberFormat.AS_IS
            else None
        )
        assert written or judged.numbers[0] == meant, cell
        assert judged.kinds == dict.fromkeys(kinds, 1), cell


def test_what_is_refused_is_not_counted_as_read() -> None:
    assert not NORMALISERS[NumberFormat.NATIONAL].block(["60123455.0", "p:brak", '="441"', "'12"]).kinds


@given(st.from_regex(r"[1-9][0-9]{8}", fullmatch=True), st.integers(0, 8), st.sampled_from("OolIi\u041e"))
def test_a_letter_in_the_place_of_a_digit_never_passes(number: str, place: int, letter: str) -> None:
    spoilt = number[:place] + letter + number[place + 1 :]
    assert NORMALISERS[NumberFormat.NATIONAL](spoilt).problem.startswith("A letter ")


def test_what_a_spreadsheet_can_take_away_without_a_trace_changes_nothing() -> None:
    """The plus, both zeros, or the mark of text of a number of the region."""
    for cell in ("+48601234555", "0048601234555", "48601234555", "'48601234555"):
        assert NORMALISERS[NumberFormat.NATIONAL](cell) == ("601234555", "")


@pytest.mark.parametrize("cell", ['="441"', "'441", "'441'"])
def test_quotes_around_an_internal_number_lose_nothing(cell: str) -> None:
    assert Normaliser(NumberRules(internal_numbers=True))(cell).number == "441"


@pytest.mark.parametrize("digits", ["601234501", "48601234501", "4860123", "441", "0601"])
def test_a_wide_plus_is_a_plus(digits: str) -> None:
    normalise = Normaliser(NumberRules())
    assert normalise(f"\uff0b{digits}") == normalise(f"+{digits}")
