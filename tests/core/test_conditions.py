"""Columns that say which rows are meant: which are told, and what a condition asks of a cell."""

from collections.abc import Sequence

import pytest

from bulk_remove.core.conditions import CellCounts, Condition, is_left_out, left_out, telling_columns
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
    assert telling_columns(["telefon", name, "miasto"], rows, {0}) == [1]
    assert telling_columns(["telefon", name, "miasto"], rows, {0, 1}) == []


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *[("kolumna", cells) for cells in (["TAK"], ["1"], ["n", ""], ["", ""], ["1", "2"], ["Łódź", "Kraków"])],
        *[("kolumna", cells) for cells in (["nowy", "stary", ""], ["a", "b", "c", "d", "TAK"], ["brak", ""])],
        *[("zgoda", cells) for cells in (["", " "], ["601000123", "TAK"], ["a" * 41, "TAK"], list("abcdef"))],
        *[("numer do usunięcia", ["601000123", ""])],
    ],
)
def test_another_column_is_not_told(name: str, cells: list[str]) -> None:
    assert told([cells], name=name) == ""


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *[("kolumna", cells) for cells in (["TAK", "NIE", "brak", ""], ["TAK", "0"], ["TAK", "może"], ["x", "", ""])],
        *[("kolumna", cells) for cells in (["usunąć", "zostawić"], ["aktywny", "rezygnacja"], ["Do usunięcia", ""])],
        *[
            ("kolumna", cells)
            for cells in (["keep", "delete"], ["Opt-out", ""], ["active", "new"], ["brak zgody", "A"])
        ],
        *[(name, ["A", "B"]) for name in ("status", "Zgoda RODO", "decyzja", "opt_out", "USUNĄĆ", "active", "GDPR")],
        *[("zgoda", cells) for cells in (["TAK", "NIE", "może"], ["2", ""], ["TAK"], ["NIE", *"abcd", *["TAK"] * 9])],
    ],
)
def test_a_column_that_says_which_rows_are_meant_is_told(name: str, cells: list[str]) -> None:
    assert told([cells], name=name).startswith(f"Column '{name}' may say which rows are meant: ")


def test_a_column_whose_other_side_comes_below_the_first_rows_is_looked_at() -> None:
    header = ["telefon", "a", "b", "c", "d", "", "miasto"]
    rows = [["601000123", "TAK", "", "1", "brak", "", "Kraków"]] * 200
    assert telling_columns(header, rows, {0}) == [1, 2, 3, 4]
    assert told([["TAK"] * 250, ["NIE"] * 10], name="a").startswith(
        "Column 'a' may say which rows are meant: 250 x TAK, 10 x NIE. All rows are used"
    )


def test_no_more_than_a_few_columns_are_told() -> None:
    header = ["telefon", "pusta", *[f"zgoda {place}" for place in range(9)]]
    assert telling_columns(header, [["601000123", "", *["TAK"] * 9]], {0}) == [2, 3, 4, 5, 6]


def told(cells: Sequence[Sequence[str]], *, chosen: bool = False, name: str = "zgoda") -> str:
    column = CellCounts()
    for block in cells:
        column.add(block)
    return column.told(name, chosen=chosen)


def test_a_column_is_told_with_the_counts_of_all_its_cells() -> None:
    cells = [["TAK"] * 1200 + ["nie", "Tak"], ["NIE", "", "a"], ["b", "c", "TAK", "a"], ["d"]]
    assert told(cells, chosen=True) == (
        "Column 'zgoda' may say which rows are meant: 1,202 x TAK, 2 x nie, 2 x a, 4 x something else."
    )
    assert told([["1"], ["0"]]).endswith("1 x 1, 1 x 0. All rows are used; to use only some, add --where COLUMN=VALUE.")


@pytest.mark.parametrize(
    "cells",
    [
        [["TAK"], [f"miasto {'ab'[place % 2]}{'x' * place}" for place in range(9)]],
        [],
        [["TAK"], [f"{place} a" for place in range(1500)], ["b", "TAK"]],
    ],
)
def test_a_column_that_only_began_with_yes_and_no_is_not_told(cells: list[list[str]]) -> None:
    assert told(cells) == ""


ANSWERS = ["pełna", "tylko e-mail", "telefon", "częściowa", "papierowa", "ustna"]


@pytest.mark.parametrize("name", ["rodo", "Zgoda", "zgoda_marketing", "opt-in", "GDPR consent", "optout_reason"])
@pytest.mark.parametrize("answers", [ANSWERS, [*ANSWERS, "inna", "dawna"], [*ANSWERS, ""]])
def test_a_column_of_a_consent_with_several_answers_is_told_by_its_name(name: str, answers: list[str]) -> None:
    cells = [*answers * 3, *ANSWERS[:3] * 2, ANSWERS[0]]
    rest = 3 * (len(answers) - 3)
    assert told([cells], name=name).startswith(
        f"Column '{name}' may say which rows are meant: 6 x pełna, 5 x tylko e-mail, 5 x telefon, "
        f"{rest} x something else. All rows are used"
    )
    assert telling_columns(["telefon", name], [["601000123", cell] for cell in cells], {0}) == [1]
    assert told([ANSWERS[:5] * 3], name=name).count(" x ") == 5


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *[
            (name, ANSWERS * 9)
            for name in ("status", "miasto", "decyzja", "data zgody", "Date of consent", "newsletter")
        ],
        ("rodo", ANSWERS * 2),
        ("rodo", [*ANSWERS, "a", "b", "c"] * 9),
        ("rodo", [*ANSWERS, "601000123"] * 9),
    ],
)
def test_a_column_with_several_texts_and_another_name_is_not_told(name: str, cells: list[str]) -> None:
    assert told([cells], name=name) == ""
