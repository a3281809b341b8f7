"""Country and area codes in a column of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.columns import STRONG_NAMES, WEAK_NAMES, fold
from bulk_remove.core.conditions import CodeColumn, CodeKind, Countries, find_code_column, names_countries
from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.errors import InputError

NORMALISE = Normaliser(NumberRules())
NEITHER = "Together with the code column it is not certainly one whole number."


def became(code: str, cell: str, name: str = "country_code", region: str = "PL") -> str:
    """Return the number of a row, or why it has none."""
    rules = NumberRules(region=region)
    joined = CodeColumn(fold(name), rules).joined([code], [cell])
    assert not joined.problems or joined.cells == [cell]
    return joined.problems.get(0, "") or "".join(Normaliser(rules)(joined.cells[0]))


def found(header: list[str], *rows: list[str]) -> int | None:
    return find_code_column(header, rows, header.index("phone") if "phone" in header else 0)


@pytest.mark.parametrize(
    ("code", "cell", "number"),
    [
        ("48", "601234501", "601234501"),
        ("+48", "601 234 501", "601234501"),
        ("0048", "22 123 45 67", "221234567"),
        ("(48)", "601234501", "601234501"),
        ("(+48)", "601234501", "601234501"),
        ("48.0", "601234501.0", "601234501"),
        ("'48", "'601234501", "601234501"),
        ("Polska (+48)", "601234501", "601234501"),
        ("PL +48", "601234501", "601234501"),
        ("420", "601234502", "00420601234502"),
        ("+420", "601 234 502", "00420601234502"),
        ("420", "420601234502", "00420601234502"),
        ("49", "15112345678", "004915112345678"),
        ("1", "2025550123", "0012025550123"),
        ("Kanada +1", "2045550123", "0012045550123"),
        ("48", "+48601234501", "601234501"),
        ("48", "48601234501", "601234501"),
        ("48", "0048 601 234 501", "601234501"),
        ("420", "+420 601 234 502", "00420601234502"),
        ("420", "00420601234502", "00420601234502"),
        ("PL", "601234501", "601234501"),
        ("pl", "+420601234502", "00420601234502"),
        ("POL", "601234501", "601234501"),
        ("Poland", "601234501", "601234501"),
        ("polska", "601234501", "601234501"),
        ("Polen", "601234501", "601234501"),
        ("CZ", "+420601234502", "00420601234502"),
    ],
)
def test_a_country_code_and_the_rest_make_a_whole_number(code: str, cell: str, number: str) -> None:
    assert became(code, cell) == number
    if any(map(str.isdigit, code)):
        assert became(code, cell, "phone_code2") == number


@pytest.mark.parametrize(
    ("code", "cell", "problem"),
    [
        ("420", "+48601234501", "The number does not begin with the code"),
        ("420", "48601234501", "The number does not begin with the code"),
        ("48", "0049 1512 3456789", "The number does not begin with the code"),
        ("48", "441", NEITHER),
        ("420", "4915112345678", NEITHER),
        ("48601", "601234501", "The cell of the code column does not hold"),
        ("4860", "601234501", NEITHER),
        ("Polska (+4860)", "601234501", "The cell of the code column does not hold"),
        ("48", "60123450", NEITHER),
        ("48", "1234567", NEITHER),
        ("420", "0601234502", NEITHER),
        ("420", "60123450", NEITHER),
        ("49", "601", NEITHER),
        ("999", "601234501", NEITHER),
        ("CZ", "601234501", "The code column names another country"),
        ("CZE", "601234501", "The code column names another country"),
        ("Czechy", "601234501", "The code column names another country"),
        ("Rep. Czeska", "601234501", "The code column names another country"),
        ("x" * 41, "601234501", "The cell of the code column does not hold"),
        ("-", "601234501", "The cell of the code column does not hold"),
        ("048", "601234501", "The cell of the code column does not hold"),
        ("CZ/SK", "601234501", "The cell of the code column does not hold"),
        ("Pol+ska +48", "601234501", "The cell of the code column does not hold"),
        ("420", "", "The cell is empty."),
        ("420", "brak", "A word that says there is no number."),
        ("420", "601234502/3", "Perhaps more than one number."),
    ],
)
def test_what_is_not_certain_is_refused_and_never_sent_without_its_code(code: str, cell: str, problem: str) -> None:
    assert became(code, cell).startswith(problem)


@pytest.mark.parametrize(
    ("name", "code", "cell", "number"),
    [
        ("kierunkowy", "22", "1234507", "221234507"),
        ("area_code", "(22)", "123-45-07", "221234507"),
        ("kierunkowy", "48", "1234507", "481234507"),
        ("kierunkowy", "48", "601234507", "601234507"),
        ("kierunkowy", "48", "481234507", "481234507"),
        ("area_code", "22", "221234507", "221234507"),
        ("area_code", "22", "+48 22 123 45 07", "221234507"),
        ("prefiks", "+48", "601234507", "601234507"),
        ("prefiks", "420", "601234507", "00420601234507"),
        ("kierunkowy", "22", "601234507", NEITHER),
        ("kierunkowy", "22", "123450", NEITHER),
        ("kierunkowy", "12", "19340", NEITHER),
        ("kod", "+48", "601234507", "601234507"),
        ("kod", "CZ", "601234507", "The code column names another country: write the number with its country code."),
        ("kierunkowy", "022", "1234507", "The cell of the code column does not hold a country or area code."),
        ("kierunkowy", "+22", "1234507", NEITHER),
        ("area_code", "48", "601234507", NEITHER),
        ("area_code", "48", "+48 601 234 507", "The number does not begin with the code in the code column."),
        ("area_code", "+22", "+48 22 123 45 07", "The number does not begin with the code in the code column."),
        ("area_code", "22", "+48 601 234 507", "The number does not begin with the code in the code column."),
        ("area_code", "PL", "601234507", "The cell of the code column does not hold a country or area code."),
        ("country_code", "22", "1234507", NEITHER),
    ],
)
def test_an_area_code_and_the_rest_make_a_whole_number(name: str, code: str, cell: str, number: str) -> None:
    assert became(code, cell, name) == number


def test_what_makes_two_whole_numbers_is_none() -> None:
    """In Germany +43 and the digits, or the area 43 and the digits."""
    assert became("43", "664123456", "vorwahl", "DE") == NEITHER
    assert became("43", "664123456", "country_code", "DE") == "0043664123456"


def test_a_row_without_a_code_is_taken_only_where_most_have_none() -> None:
    cells = ["601234501", "601234502", "601234503", "+420601234504"]
    missing = "The country or area code that other rows have is missing."
    seldom = CodeColumn("prefiks", NumberRules())
    joined = seldom.joined(["", " ", "420", ""], cells)
    assert ([NORMALISE(cell).number for cell in joined.cells], joined.problems) == (
        ["601234501", "601234502", "00420601234503", "00420601234504"],
        {},
    )
    assert not seldom.joined(["420", "420", ""], cells[:3]).problems  # decided by the first block
    mostly = CodeColumn("prefiks", NumberRules())
    assert mostly.joined(["420", "420", "", ""], cells).problems == {2: missing}


@given(
    st.sampled_from(["420", "49", "44", "1", "380", "421", "+420", "22", "12", "7"]),
    st.from_regex(r"[1-9][0-9]{5,10}", fullmatch=True),
    st.sampled_from(["country_code", "prefiks", "kierunkowy", "area_code"]),
    st.sampled_from(list(NumberFormat)),
)
def test_the_rest_is_never_sent_without_its_code(code: str, cell: str, name: str, number_format: NumberFormat) -> None:
    rules = NumberRules(number_format)
    joined = CodeColumn(fold(name), rules).joined([code], [cell])
    number = "" if joined.problems else Normaliser(rules)(joined.cells[0]).number
    bare = code.removeprefix("+")
    assert not number or number.removeprefix("+").removeprefix("00").removeprefix("48").startswith(bare)


@pytest.mark.parametrize(
    ("header", "rows", "index"),
    [
        (["country_code", "phone"], [["48", "1"]], 0),
        (["phone", "Dial Code"], [["1", "+48"]], 1),
        (["phone", "Kod kraju"], [["1", "PL"]], 1),
        (["phone", "prefiks"], [["1"], ["1", ""]], 1),
        (["phone", "Nr kierunkowy"], [["1", "22"], ["1", "x"]], 1),
        (["phone", "prefix"], [["1", "Pan"], ["1", "dr"], ["1", ""]], None),
        (["phone", "prefix"], [["1", "MR"]], None),
        (["phone", "city"], [["1", "48"]], None),
        (["phone", "kod"], [["1", "+48"], ["1", ""], ["1", "(+420)"]], 1),
        (["phone", "kod"], [["1", "+48"], ["1", "20"]], None),
        (["phone", "kod"], [["1", "+48"], ["1", " "]], 1),
        (["", "kod"], [["+48", "x"]], None),
        (["phone", "strefa"], [["1", "+1"], ["1", "+2"]], None),
        (["phone", "strefa"], [["1", "+1"], ["1", "+7"]], None),
        (["phone", "zmiana"], [["1", "+10"], ["1", "+20"]], None),
        (["phone", "country_code"], [["1", "Czech Republic"]], 1),
        (["phone", "country"], [["1", "PL"]], None),
        (["phone", "country_code", "phone_code"], [["1", "PL", "48"]], 2),
        (["phone", "area_code", "prefiks"], [["1", "", "48"]], 2),
        (["phone", "area_code", "prefiks"], [["1", "", ""]], 1),
        (["phone"], [], None),
    ],
)
def test_the_column_of_codes_is_found_by_its_name_and_its_cells(
    header: list[str], rows: list[list[str]], index: int | None
) -> None:
    assert found(header, *rows) == index


def test_two_columns_of_codes_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        found(["country_code", "area_code", "phone"], ["48", "22", "1234567"])
    assert "('country_code', 'area_code')" in caught.value.sentence
    assert "one column" in caught.value.hint


NUMBERS = ["601234556", "601 234 557", "602345666"]


@pytest.mark.parametrize(
    "name",
    ["cc", "country", "kraj", "Kraj klienta", "Państwo", "Land", "predcisli", "kier", "kod kraju", "iso", "prefiks"],
)
@pytest.mark.parametrize(
    "codes", [["420", "420", "420"], ["48", "420", "48"], ["+420", "", "48"], ["0049", "0049", "00420"], ["48"] * 3]
)
def test_codes_below_a_name_of_the_kind_are_found_whatever_is_in_front_of_them(name: str, codes: list[str]) -> None:
    rows = [[code, cell] for code, cell in zip(codes, NUMBERS, strict=True)]
    assert found([name, "phone"], *rows) == 0
    assert found(["phone", "x", name], *([cell, "", code] for code, cell in rows)) == 2


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("", ["420", "48", "420"]),
        ("code", ["420", "48", "48"]),
        ("kod", ["49", "420", "48"]),
        ("rynek", ["420", "48", "420"]),
        ("x", ["421", "421", "421"]),
        ("oddzial", ["48"] * 6 + ["34", "33", "34", "34"]),
    ],
)
def test_codes_below_a_name_that_says_nothing_of_them_are_refused(name: str, codes: list[str]) -> None:
    header, rows = [name, "phone"], [[code, NUMBERS[place % 3]] for place, code in enumerate(codes)]
    with pytest.raises(InputError) as caught:
        found(header, *rows)
    assert caught.value.sentence == f"Column '{name or '1'}' may hold the country codes of the numbers."
    assert "--trust-column" in caught.value.hint
    assert find_code_column(header, rows, 1, trust=True) is None


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("wiek", ["34", "45", "51"]),
        ("age", ["420", "420", "420"]),
        ("id", ["420", "421", "423"]),
        ("customer_id", ["420", "421", "423"]),
        ("ilosc", ["1", "1", "7"]),
        ("lp", ["1", "2", "3"]),
        ("x", ["1", "2", "3"]),
        ("x", ["34", "34", "33"]),
        ("x", ["420", "48", "12"]),
        ("x", ["420", "420", "PL"]),
        ("x", ["48", "48", "48"]),
        ("oddzial", ["45", "46", "47"] * 4),
        ("oddzial", ["999", "420", "48"]),
        ("country", ["1", "1", "1"]),
        ("country", ["420", "48", "2"]),
        ("cc", ["jan@example.com", "", "420"]),
        ("kod", ["48", "48", "48"]),
        ("kod", ["00-950", "48", "420"]),
        ("code", ["A", "B", "420"]),
    ],
)
def test_small_figures_beside_the_phones_are_no_codes(name: str, cells: list[str]) -> None:
    assert found([name, "phone"], *([cell, NUMBERS[place % 3]] for place, cell in enumerate(cells))) is None


def test_codes_without_a_name_count_only_next_to_the_phones_and_beside_whole_numbers() -> None:
    rows = [["420", cell] for cell in NUMBERS]
    assert found(["x", "y", "phone"], *([code, "a", cell] for code, cell in rows)) is None
    assert found(["x", "phone"], *(["420", cell] for cell in ("441", "442", "", "601234556"))) is None
    assert found(["x", "phone"], ["420"], ["421"]) is None
    assert found(["x", "phone"], *(["420", "441"], ["48", "601234555"], ["48", "601234556"])) is None


def test_a_column_that_names_countries_is_told_with_its_counts() -> None:
    assert [
        name for name in ("country", "Kraj", "Land", "Country name", "landline", "county") if names_countries(name)
    ] == [*["country", "Kraj", "Land", "Country name"]]
    countries = Countries("PL")
    countries.add(["Polska", "PL", "", "Poland"])
    assert countries.told("kraj", chosen=False) == ""
    countries.add(["Niemcy", "CZ", "7"])
    assert countries.told("kraj", chosen=False) == (
        "Column 'kraj' names another country in 2 of 7 rows: a number without a country code is read as one of PL all "
        "the same."
    )
    assert countries.told("kraj", chosen=True) == ""


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            CodeKind(country=True),
            ["country_code", "Country Calling Code", "phone country code", "Kod kraju", "Kod kraju (tel.)"],
        ),
        (
            CodeKind(country=True),
            ["Prefiks kraju", "prefiks międzynarodowy", "nr kierunkowy kraju", "ISD code", "Intl. Code"],
        ),
        (
            CodeKind(country=True),
            ["numer kierunkowy do kraju", "phone_country", "Landesvorwahl", "country_phone_code2"],
        ),
        (
            CodeKind(country=True),
            ["iso", "iso2", "ISO 3166-1", "country_iso", "country_iso2", "iso_country", "ISO kod kraju"],
        ),
        (CodeKind(area=True), ["area_code", "Phone Area Code", "kod strefy", "Ortsvorwahl"]),
        (
            CodeKind(country=True, area=True),
            ["phone_code", "dial_code", "dialing code", "prefix", "Prefiks", "tel_prefix"],
        ),
        (
            CodeKind(country=True, area=True),
            [
                "predčíslí",
                "kier.",
                "Prefix telefonu",
                "kierunkowy",
                "Nr kierunkowy",
                "Vorwahl",
                "kod telefoniczny",
                "predvolba",
            ],
        ),
        (None, ["code", "kod", "kod pocztowy", "postal code", "promo_code", "country", "kraj", "area", "nr", "number"]),
        (None, ["phone", "telefon", "numer telefonu", "", "prefix_id", "kierunek", "phone type", "kod klienta"]),
    ],
)
def test_the_name_of_a_column_says_what_its_codes_are_of(kind: CodeKind | None, names: list[str]) -> None:
    assert {name: CodeKind.named(fold(name)) for name in names} == dict.fromkeys(names, kind)


def test_no_name_of_a_phone_column_means_codes() -> None:
    assert not [name for name in STRONG_NAMES | WEAK_NAMES if CodeKind.named(name)]


def test_codes_and_cells_of_different_rows_are_a_bug() -> None:
    with pytest.raises(ValueError, match="longer"):
        CodeColumn("prefiks", NumberRules()).joined(["48"], ["601234501", "601234502"])
