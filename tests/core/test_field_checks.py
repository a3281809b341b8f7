from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bulk_remove.errors import UsageError
from bulk_remove.settings import (
    Check,
    campaigns,
    checked,
    conditions,
    number,
    one_of,
    path,
    paths,
    place,
    several_of,
    share,
    text,
    whole,
    windows,
    yes_or_no,
)


class Kind(StrEnum):
    ONE = "one"
    TWO = "two"


ANY = [None, object(), b"x", {}, Kind]


@pytest.mark.parametrize(
    ("check", "given", "kept"),
    [
        (number(0.1, 9), 5, 5),
        (number(0.1, 9), 0.1, 0.1),
        (number(0, 9), np.float64(2.5), 2.5),
        (number(0, 9), np.int64(2), 2),
        (number(0, 9), Fraction(1, 2), 0.5),
        (whole(1, 9), 9, 9),
        (whole(1, 9), np.int32(3), 3),
        (share, 0, 0.0),
        (share, 1, 1.0),
        (share, 0.2, 0.2),
        (yes_or_no, True, True),
        (yes_or_no, False, False),
        (one_of(Kind), "two", Kind.TWO),
        (one_of(Kind), Kind.ONE, Kind.ONE),
        (several_of(Kind), ["two", Kind.ONE, "two"], (Kind.TWO, Kind.ONE)),
        (several_of(Kind), (), ()),
        (windows, ["20:00-06:00", "sat 00:00-24:00"], ("20:00-06:00", "sat 00:00-24:00")),
        (windows, (), ()),
        (conditions, ["zgoda=NIE", "3=x", "zgoda=NIE"], ("zgoda=NIE", "3=x")),
        (conditions, (), ()),
        (text, "x", "x"),
        (text, Kind.ONE, "one"),
        (path, Path("a") / "b", str(Path("a") / "b")),
        (path, "x", "x"),
        (paths, ["a", Path("b"), "a"], ("a", "b")),
        (paths, (), ()),
        (path, "", ""),
        (place, "phone", "phone"),
        (place, 2, "2"),
        (campaigns, "00001", "00001"),
        (campaigns, "00001, abcde,00001", "00001,abcde"),
        (campaigns, "all", "all"),
        (campaigns, "", ""),
    ],
)
def test_what_can_be_is_kept_in_one_form(check: Check, given: Any, kept: Any) -> None:
    found = checked("--x", given, check)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("check", "refused", "why", "hint"),
    [
        (number(0.01, 1000), [0, 1000.1, float("nan"), float("inf"), -1], "out of range", "from 0.01 to 1,000."),
        (number(0.01, 1000), [True, "5", Decimal(5), 1j, *ANY], "not a number", "from 0.01 to 1,000."),
        (whole(1, 10**6), [0, 10**6 + 1], "out of range", "from 1 to 1,000,000."),
        (whole(1, 10**6), [1.0, float("nan"), True, "5", *ANY], "not a whole number", "from 1 to 1,000,000."),
        (share, [20, 1.01, -0.1, float("nan"), True, "20%", *ANY], "not a share", "0.2 means 20%"),
        (yes_or_no, [1, 0, "no", "", np.True_, *ANY], "neither True nor False", "Give True or False."),
        (one_of(Kind), ["three", "", 1, *ANY], "unknown", "one of one, two."),
        (several_of(Kind), ["one", b"one"[0], None], "not a list", "['one']"),
        (conditions, ["zgoda=NIE", b"one"[0], None], "not a list", "['zgoda=NIE']"),
        (conditions, [[7]], "not text", "in quotes"),
        (paths, ["a.csv", Path("a.csv"), 7, None], "not a list", "['keep.csv']"),
        (several_of(Kind), [["three"], [None]], "unknown", "one of one, two."),
        (windows, ["20:00-06:00", None, 20], "not a list", "['20:00-06:00']"),
        (windows, [["20:00-06:00", "25:00-06:00"]], "'25:00-06:00' is not a window", "['20:00-06:00']"),
        (windows, [[20], [None]], "not text", "in quotes"),
        (text, [""], "empty", "leave it out"),
        (text, [1, Path("x"), *ANY], "not text", "in quotes"),
        (path, [1, *ANY], "not text", "in quotes"),
        (place, [0, -1], "out of range", "from 1"),
        (place, [True, 1.0, *ANY], "not text", "in quotes"),
        (
            campaigns,
            ["1", "000001", "0000 ", "00001,", ",", "00001,1", "00001,all", "All", 1, 12345, *ANY],
            "not five letters or digits",
            "leading zeros",
        ),
    ],
)
def test_what_cannot_be_is_told_with_what_can(check: Check, refused: list[Any], why: str, hint: str) -> None:
    for value in refused:
        with pytest.raises(UsageError) as caught:
            checked("--some-thing", value, check)
        assert caught.value.sentence.startswith("--some-thing is ")
        assert why in caught.value.sentence
        assert hint in caught.value.hint
        assert str(caught.value).startswith("some_thing is ")


def refusal(value: Any, check: Callable[[Any], Any]) -> str:
    with pytest.raises(UsageError) as caught:
        checked("--x", value, check)
    return caught.value.sentence


def test_a_value_is_shown_short_with_numbers_masked_and_of_odd_types_only_the_type() -> None:
    assert refusal("601234555", one_of(Kind)) == "--x is '60*****55', which is unknown."
    assert refusal("x" * 100, one_of(Kind)) == f"--x is '{'x' * 39}..., which is unknown."
    assert refusal(["a secret"], text) == "--x is list, which is not text."
    assert refusal(Decimal(5), share) == "--x is decimal.Decimal, which is not a share from 0 to 1."


def test_digits_of_a_number_are_masked_from_seven_on() -> None:
    for digits, shown in (("123456", "123456"), ("1234567", "12*****")):
        with pytest.raises(UsageError) as caught:
            checked("--x", f"a{digits}", whole(1, 5))
        assert shown in caught.value.sentence
