"""Columns that hold something else than phone numbers."""

import random
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulk_remove.core.columns import CutCode, choose_column, count_up, is_cut_off, look_alike
from bulk_remove.errors import InputError


def checked(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def pesel(draw: random.Random) -> str:
    born = date(1930, 1, 1) + timedelta(days=draw.randrange(90 * 365))
    month = born.month + (20 if born.year >= 2000 else 0)
    digits = f"{born.year % 100:02}{month:02}{born.day:02}{draw.randrange(10_000):04}"
    return digits + str(-checked(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def nip(draw: random.Random) -> str:
    while True:
        digits = str(draw.randrange(100_000_000, 1_000_000_000))
        check = checked(digits, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11
        if check < 10:
            return digits + str(check)


def regon(draw: random.Random) -> str:
    digits = f"{draw.randrange(100_000_000):08}"
    return digits + str(checked(digits, (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10)


def nrb(draw: random.Random) -> str:
    digits = f"{draw.randrange(10**24):024}"
    return f"{98 - int(digits + '252100') % 97:02}{digits}"


def column(make: Callable[[random.Random], str], count: int, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    return [make(draw) for _ in range(count)]


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("PESEL numbers", column(pesel, 5)),
        ("PESEL numbers", ["44051401458", "02070803628", "90090515836", "92071314764", "55030101193"]),
        ("PESEL numbers", [cell.lstrip("0") for cell in column(pesel, 200)]),
        ("PESEL numbers", [*column(pesel, 9), "brak", ""]),
        ("PESEL numbers", ["00210112344", "00211512341", "00222912349", "00230112346", "00231512343"]),
        ("PESEL numbers", ["04022912341", "08022912349", "12022912346", "16022912344", "20022912341"]),
        ("NIP numbers", column(nip, 5)),
        ("NIP numbers", ["123-456-32-18", "PL5260250274", "526-10-40-828", "525-23-44-078", "PL 7740001454"]),
        ("REGON numbers", column(regon, 20)),
        ("bank accounts (IBAN)", column(nrb, 2)),
        ("bank accounts (IBAN)", ["GB29NWBK60161331926819", "GB82 WEST 1234 5698 7654 32"]),
        ("bank accounts (IBAN)", ["PL61 1090 1014 0000 0712 1981 2874", "DE89 3704 0044 0532 0130 00"]),
        ("postal codes", ["00-950", "31-042", "80-001", "00-950", "00-950"]),
        ("dates", ["20240131", "20240229", "20231231", "19991231", "20240601"]),
        ("dates", ["2024-01-31", "31.01.2024", "31/01/2024", "date 2024-01-31", "31.01.24"]),
        ("dates", ["2024-01-31 10:00", "1 maja 2024", "Jan-24", "2024-02-01T10:00:00", "3.5.2024"]),
        ("amounts", ["12,50", "1 234,00", "0.99", "199.90", "12.5"]),
        ("amounts", ["12 zł", "100 PLN", "€5", "1 234,56 zł", "-3,00 zl"]),
        ("e-mail addresses", ["jan@example.pl", "ewa@example.com"]),
        ("amounts", ["12,50"] * 5),
        ("dates", ["2024-01-31"] * 5),
        ("e-mail addresses", ["jan@example.pl"] * 2),
        (
            "numbers that lost their last digits",
            ["601235000", "602113000", "22 123 4000", "+48 601 000 000", "48505000000"],
        ),
        ("numbers that lost their last digits", [f"{digit} 2 3 4 5 6 7 8 9000" for digit in range(1, 6)]),
        ("numbers that lost their last digits", [f"48{600 + place}000000" for place in range(9)]),
        ("row numbers (counting up)", ["1", "2", "3", "4", "5"]),
        ("row numbers (counting up)", ["1007", "1008", "1009", "1010", "1011", "1012"]),
        ("row numbers (counting up)", [str(n) for n in range(1, 100) if n % 20]),
        ("row numbers (counting up)", [str(n) for n in range(999_990, 1_000_000)]),
        (
            "bank accounts (IBAN)",
            ["CZ6508000000192000145399", "CZ65 0800 0000 1920 0014 5399", "CZ65-0800-0000-1920-0014-5399"],
        ),
    ],
)
def test_a_column_of_something_else_is_told(kind: str, cells: list[str]) -> None:
    assert look_alike(cells) == kind
    assert look_alike([f" {cell}\u00a0" for cell in cells] + ["", " "]) == kind


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["", " "],
        column(pesel, 4),
        column(nip, 4),
        column(regon, 19),
        [*column(regon, 40), "601234555"],
        [*column(pesel, 8), "48601234555"],
        column(regon, 1) * 30,
        column(nip, 1) * 30,
        column(nrb, 1) * 3,
        ["00-950", "31-042", "80-001", "601234555", "602111222"],
        ["20240131", "20240231", "20241331", "20240132", "20230229"],
        ["48601234555.0", "48602111222.0", "48603111222.0", "48604111222.0", "48605111222.0"],
        ["441.0", "442.0", "443.0", "444.0", "445.0"],
        ["1", "2", "3", "4"],
        ["441", "443", "442", "447", "500"],
        ["441", "442", "449", "460", "473", "487"],
        ["90014012348", "90130112344", "90001512345", "90023012340", "90043112349"],
        [str(n) for n in range(1_000_001, 1_000_011)],
        ["12345000", "22345000", "32345000", "42345000", "52345000"],
        [",50", ".25", ",75", ".5", ",10"],
        [f"{digit}234567.50" for digit in range(1, 7)],
        ["601235000", "602113000", "603123000", "604123000"],
        ["601235000", "602113000", "603123000", "604123000", "605123100", "606123000"],
        [str(221234500 + place) for place in range(50)],
        ["601234555@", "jan", "ewa"],
        ["PL61 1090 1014 0000 0712 1981 2875", "DE89 3704 0044 0532 0130 01"],
        ["48445140145" + str(place) for place in range(5)],
    ],
)
def test_what_is_not_certainly_something_else_is_let_be(cells: list[str]) -> None:
    assert look_alike(cells) == ""


@given(
    st.lists(st.integers(450_000_000, 889_999_999), min_size=1, max_size=200, unique=True),
    st.sampled_from(["{}", "48{}", "+48{}", "+48 {}", "0048{}", "0{}"]),
)
def test_polish_mobile_numbers_are_never_taken_for_something_else(numbers: list[int], spelling: str) -> None:
    # Under twenty of them chance alone decides what a REGON is; twenty pass together 1 time in 10 to the 20th.
    assume(
        len(numbers) < 20
        or not all(int(str(n)[8]) == checked(str(n)[:8], (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10 for n in numbers)
    )
    if spelling == "0{}":
        numbers = numbers[:4]  # ten digits like a NIP, whose first is no zero
    assert look_alike([spelling.format(number) for number in numbers]) == ""


def test_of_many_random_lists_of_phone_numbers_none_is_refused() -> None:
    draw = random.Random(7)
    leads = ["48", "4822", "4812", "4832", "", "22", "1", "201", "+48 "]
    for _ in range(3000):
        lead, count = draw.choice(leads), draw.choice([5, 6, 10, 20])
        width = 11 - len(lead) if lead.startswith("48") else 10 - len(lead)
        first = draw.randrange(10 ** (width - 1), 9 * 10 ** (width - 1))
        step = draw.choice([1, 1, 3, 7, 0])
        numbers = [
            first + place * step if step else draw.randrange(10 ** (width - 1), 10**width) for place in range(count)
        ]
        assert look_alike([f"{lead}{number}" for number in numbers]) == "", (lead, numbers)


@pytest.mark.parametrize("wanted", [None, "telefon", "2"])
def test_a_chosen_column_that_looks_like_something_else_is_refused_unless_it_is_trusted(wanted: str | None) -> None:
    header = ["id", "telefon"]
    rows = [["x", cell] for cell in column(pesel, 5)]
    with pytest.raises(InputError, match="Column 'telefon' looks like PESEL numbers") as caught:
        choose_column(header, rows, wanted)
    assert "--column" in caught.value.hint
    assert "--trust-column" in caught.value.hint
    assert choose_column(header, rows, wanted, trust=True).index == 1


REGON_NOTE = "All check digits are those of REGON numbers: the column may hold these, not phone numbers."


def chosen_regons(name: str, cells: list[str], *, trust: bool = False) -> tuple[str, ...]:
    return choose_column(["x", name], [["", cell] for cell in cells], "2", trust=trust).notes


@pytest.mark.parametrize("name", ["numer", "nr", "identyfikator", "REGON", "column 2", "kontakt"])
@pytest.mark.parametrize("cells", [column(regon, 10), [*column(regon, 9), "601234555"], column(regon, 19)])
def test_ten_regons_under_another_name_than_that_of_phones_are_refused(name: str, cells: list[str]) -> None:
    with pytest.raises(InputError, match="looks like REGON numbers"):
        chosen_regons(name, cells)
    assert REGON_NOTE not in chosen_regons(name, cells, trust=True)


@pytest.mark.parametrize("name", ["telefon", "Nr telefonu", "phone2", "telefon firmy", "numer komórkowy"])
def test_ten_regons_under_the_name_of_phones_are_told(name: str) -> None:
    assert chosen_regons(name, column(regon, 10)) == (REGON_NOTE,)
    assert chosen_regons(name, [*column(regon, 9), "601234555"]) == ()


@pytest.mark.parametrize(
    "cells",
    [column(regon, 9), [*column(regon, 8), "601234555", "602234555"], column(regon, 1) * 30, column(regon, 0)],
)
def test_fewer_regons_are_let_be(cells: list[str]) -> None:
    assert REGON_NOTE not in chosen_regons("numer", cells)


ORDERS = [f"ZAM/{7 * place}" for place in range(20)]
IDS = [str(1_000_321 + 17 * place) for place in range(20)]
PHONES = [str(601_000_321 + 1717 * place) for place in range(20)]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (ORDERS, "Most cells of column 'column 1' are not whole phone numbers, but those of column '{other}' are."),
        (IDS, "Column '{other}' looks like phone numbers, too; 'column 1' was chosen with --column."),
    ],
)
def test_columns_without_names_are_held_against_each_other_by_their_cells(cells: list[str], told: str) -> None:
    def notes(*columns: list[str]) -> tuple[str, ...]:
        header = [f"column {place}" for place in range(1, len(columns) + 1)]
        return choose_column(header, [[*row] for row in zip(*columns, strict=True)], "1").notes

    assert notes(cells, PHONES) == (told.format(other="column 2"),)
    assert notes(cells, ["Kraków"] * 20, PHONES) == (told.format(other="column 3"),)
    assert notes(cells, ["12"] * 20, ["Kraków"] * 20) == ()
    assert notes(PHONES, ORDERS) == ()


UP = [f"601 000 0{place}" for place in range(10, 30)]


@pytest.mark.parametrize("cells", [UP, [f"+48{cell}" for cell in UP], [*UP[:15], "", "512000999", *UP[15:]], UP[:10]])
def test_numbers_that_count_up_by_one_are_told(cells: list[str]) -> None:
    assert count_up(cells)
    note = choose_column(["telefon"], [[cell] for cell in cells], None).notes
    assert note == ("The numbers count up by one: a spreadsheet may have made them out of the first one.",)


@pytest.mark.parametrize("cells", [UP[:9], UP[::-1], UP[::2], ["601000001"] * 20, [*UP, "brak"], []])
def test_other_numbers_do_not_count_up(cells: list[str]) -> None:
    assert not count_up(cells)


NATIONAL = ["601000001", "512 000 002", "22 123 45 67", "733000004", "690000005"]
CODED = [f"+48 {cell}" for cell in NATIONAL]


@pytest.mark.parametrize(
    ("last", "others", "cut"),
    [
        *[(last, NATIONAL, True) for last in ("60100000", "6", "22 123 45")],
        *[(last, NATIONAL, False) for last in ("601000006", "+48601000006", "", "brak", "0601000006")],
        *[(last, CODED, True) for last in ("+48 601 000 0", "486010000", "+4", "+48")],
        *[(last, CODED, False) for last in ("601000006", "+48 601 000 006", "512000006")],
        ("60100000", NATIONAL[:4], False),
        ("60100000", [*NATIONAL, "441"], False),
        ("60100000", [*NATIONAL[:4], "", "brak"], False),
    ],
)
def test_a_last_number_is_cut_off_that_begins_like_all_others_and_is_shorter(
    last: str, others: list[str], *, cut: bool
) -> None:
    assert is_cut_off(last, others) is cut


MIXED = [cell for number in NATIONAL for cell in (number, f"48 {number}")]


@pytest.mark.parametrize(
    ("last", "others", "cut"),
    [
        *[(last, MIXED, True) for last in ("486010000", "48 601 00 00", "482212345")],
        ("486010000", [*NATIONAL, "48601000001"], True),
        ("486010000", [*MIXED, "48 362 00 01", "483620002"], True),
        ("486010000", ["601000001", "48601000001", "483620001"], False),
        *[("486010000", others, False) for others in (NATIONAL, CODED, [], ["brak", "", "480", "48"])],
        *[(last, MIXED, False) for last in ("601000006", "60100000", "48601000006", "+4860100000", "", "brak")],
        ("420601000", ["601000001", "420601000001", "420 602 000 001"], True),
        ("420601000", ["601000001", "420601001", "+420601000001"], False),
        ("601000002", ["6010000011", "601000001"], False),
        ("601000002", ["6010000011"], False),
        *[(last, [*NATIONAL, "0048601000001"], False) for last in ("(544) 267 834", "601.000.002", "48.601.00.00")],
        ("(48) 601 00 00", MIXED, True),
    ],
)
def test_a_national_last_number_may_be_a_cut_one_where_others_have_the_code_it_begins_with(
    last: str, others: list[str], *, cut: bool
) -> None:
    code = CutCode(last, "PL")
    for cell in [*others, last] if code.possible else []:
        code.add([cell])
    assert code.found is cut
