"""Columns that say which rows are meant: which are told, and what a condition asks of a cell."""

from collections.abc import Sequence

import pytest

from bulk_remove.core.conditions import Condition, YesNo, is_left_out, left_out, yes_no_columns
from bulk_remove.errors import UsageError


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [("zgoda=NIE", "zgoda", "NIE"), (" 3 =x", "3", "x"), ("opt out=", "opt out", ""), ("a=b=c", "a", "b=c")],
)
def test_a_condition_is_a_column_and_a_value(text: str, column: str, value: str) -> None:
    assert Condition.parse(text) == Condition(column, value)


@pytest.mark.parametrize(
    "text",
    [
        *["zgoda", "=NIE", " =x", "", "zgoda!=TAK", "zgoda !=TAK", "!zgoda=TAK", "-zgoda=TAK", "~zgoda=TAK"],
        *[
            "zgoda>=1",
            "zgoda<=1",
            "zgoda==TAK",
            "zgoda~=TAK",
            "zgoda=~TAK",
            "zgoda\u2260TAK",
            "zgoda<>TAK",
            "\u00aczgoda=x",
        ],
        *["zgoda^=TAK", "zgoda\uff01=TAK", "zgoda=!TAK", "zgoda=<>TAK"],
    ],
)
def test_what_is_not_a_column_and_a_value_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Condition.parse(text)
    assert "--where" in refused.value.sentence
    assert "COLUMN=VALUE" in f"{refused.value.sentence} {refused.value.hint}"


@pytest.mark.parametrize(
    ("value", "cell", "holds"),
    [
        *[("NIE", cell, True) for cell in ("NIE", "nie", " Nie ", "nie\u00a0")],
        *[("NIE", cell, False) for cell in ("", "NIE DOTYCZY", "N", "no", "0")],
        *[("", cell, True) for cell in ("", " ", "\t")],
        *[("", "x", False), ("x", "", False), ("+", "", False), ("opt out", "Opt  Out", True)],
        *[("PRAWDA", "TRUE", True), ("fałsz", "FALSE", True), ("TRUE", "PRAWDA", True), ("1", "TRUE", False)],
    ],
)
def test_a_cell_is_what_is_asked_for_whatever_its_capitals_and_spaces(value: str, cell: str, *, holds: bool) -> None:
    assert Condition("zgoda", value).holds(cell) is holds


def test_the_reason_of_a_row_that_is_left_out_has_the_conditions_and_shows_no_number() -> None:
    assert left_out(["zgoda=NIE", "3=x"]) == "Left out by --where zgoda=NIE --where 3=x."
    assert "601000123" not in left_out(["telefon=601000123"])
    assert is_left_out(left_out(["a=b"]))
    assert not is_left_out("The cell is empty.")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *[("kolumna", cells) for cells in (["TAK", "nie"], ["yes", "No", ""], ["true", "FALSE"], ["PRAWDA", "FAŁSZ"])],
        *[
            ("kolumna", cells)
            for cells in (["1", "0"], ["T", "N"], ["y", "n", ""], ["x", ""], ["TAK", ""], ["ja", "nein"])
        ],
        *[(name, ["1", ""]) for name in ("zgoda", "Opt-out", "USUNĄĆ?", "rezygnacja", "active", "zgoda marketingowa")],
        *[(name, ["TAK"]) for name in ("zgoda", "opt_out", "do usunięcia", "Aktywny", "subscribed", "consent_given")],
    ],
)
def test_a_column_that_says_yes_or_no_is_found(name: str, cells: list[str]) -> None:
    rows = [["601000123", cell, "Kraków"] for cell in cells] + [["601000124"]] * ("" in cells)
    assert yes_no_columns(["telefon", name, "miasto"], rows, {0}) == [1]
    assert yes_no_columns(["telefon", name, "miasto"], rows, {0, 1}) == []


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *[("kolumna", cells) for cells in (["TAK"], ["1"], ["1", ""], ["n", ""], ["", ""], ["TAK", "0"], ["1", "2"])],
        *[("zgoda", cells) for cells in (["TAK", "NIE", "może"], ["", " "], ["2026-01-05", ""], ["x", "TAK"])],
    ],
)
def test_another_column_is_not(name: str, cells: list[str]) -> None:
    assert yes_no_columns(["telefon", name], [["601000123", cell] for cell in cells], {0}) == []


def test_no_more_than_a_few_columns_are_told() -> None:
    header = ["telefon", *[f"zgoda {place}" for place in range(9)]]
    assert yes_no_columns(header, [["601000123", *["TAK"] * 9]], {0}) == [1, 2, 3, 4, 5]


def told(cells: Sequence[Sequence[str]], *, chosen: bool = False) -> str:
    column = YesNo()
    for block in cells:
        column.add(block)
    return column.told("zgoda", chosen=chosen)


def test_a_column_is_told_with_the_counts_of_all_its_cells() -> None:
    cells = [["TAK"] * 1200 + ["nie", "Tak"], ["NIE", "", "0048 601", "x"]]
    assert told(cells, chosen=True) == (
        "Column 'zgoda' says yes or no: 1,201 x TAK, 2 x nie, 1 x empty, 1 x something else, 1 x x."
    )
    assert told([["1"], ["0"]]).endswith("1 x 1, 1 x 0. All rows are taken; --where COLUMN=VALUE takes only some.")


@pytest.mark.parametrize("cells", [[["TAK"], ["Kraków", "Łódź"]], [[""], ["a"]], [["", ""]], []])
def test_a_column_that_only_began_with_yes_and_no_is_not_told(cells: list[list[str]]) -> None:
    assert told(cells) == ""
