"""Text from outside: one line that steers nothing, of a bounded length, with phone numbers masked."""

import time
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.model import SHOWN_CHARACTERS, harmless, mask
from bulk_remove.language import one_line, phrase


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Łódź, 50 %: „tak”", "Łódź, 50 %: „tak”"),
        ("\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"),
        ("\x9b31m", "?31m"),
        ("a\r\nb\tc", "a  b c"),
        ("a\u2028b\u2029c\x85d", "a?b?c?d"),
        ("\u202e\u2066\u200f\u061c\u200b\u200d\ufeff\u00ad", "????????"),
        ("a\u00a0b\u3000c", "a\u00a0b\u3000c"),
        ("caf\udce9", "caf?"),
        ("\0\x7f", "??"),
    ],
    ids=repr,
)
def test_nothing_is_left_that_steers_turns_or_hides(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert harmless(text) == shown
    assert phrase("{text}", text=text) == shown


@pytest.mark.parametrize(
    "number",
    [
        "601234555", "+48601234555", "601 234 555", "601-234-555", "601.234.555", "(22) 123 45 67", "+48 (601) 234-555",
        "22/123/45/67", "601\u2013234\u2013555", "601\u00a0234\u00a0555", "60123", "601 234 5 5 5", "tel601234555",
        "12 34 567", "\u0666\u0660\u0661\u0662\u0663\u0664\u0665\u0665\u0665",
    ],
)  # fmt: skip
def test_a_phone_number_is_masked_however_it_is_grouped(number: str) -> None:
    digits = "".join(letter for letter in number if letter.isdigit())
    for text in (number, f"The number {number}, he said", f"{number}.csv", f"a_{number}_b", f"numer:{number}"):
        shown = harmless(text)
        assert number not in shown
        assert mask(digits) in shown


@pytest.mark.parametrize(
    "text",
    [
        "opt-outs-2026-11-24.csv", "20261124.csv", "2026.11.24", "20261124-021530-9f3a", "2026-11-24 02:15:30 UTC",
        "2026-11-24T02:15", "53678450401cf", "8f14e45f-ceea-467f-a83d-1234567890ab", "HTTP 404", "3 of 12 in 2 s",
        "1,234,567 records", "Python 3.11.7", "10.0.0.1", "ab" * 32, "1 2 3 4", "12 34 56", "1234 5",
    ],
)  # fmt: skip
def test_what_is_no_phone_number_stays(text: str) -> None:
    assert harmless(text) == text


@given(st.text(max_size=2000))
def test_whatever_comes_is_one_short_line(text: str) -> None:
    shown = harmless(text)
    assert len(shown) <= SHOWN_CHARACTERS
    assert not {category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert harmless(shown) == shown


def test_a_hostile_text_costs_linear_time() -> None:
    def spent_s(size: int) -> float:
        began_s = time.perf_counter()
        for text in ("1" * size, "1 " * size, "a" * size, "(" * size, "2026-" * size, "\x1b" * size):
            harmless(text, most=size)
        return time.perf_counter() - began_s

    spent_s(1000)
    assert spent_s(80_000) < 40 * spent_s(10_000) + 0.1


@pytest.mark.parametrize("number", ["\x1b[2J1234567\x1b[0m", "12345\n67", "\u202e12345678"])
def test_a_mask_shows_no_control_either(number: str) -> None:
    assert one_line(mask(number)) == mask(number)


def test_a_text_of_just_the_greatest_length_is_not_cut() -> None:
    assert harmless("a" * SHOWN_CHARACTERS) == "a" * SHOWN_CHARACTERS
    assert harmless("a" * (SHOWN_CHARACTERS + 1)) == "a" * (SHOWN_CHARACTERS - 3) + "..."
