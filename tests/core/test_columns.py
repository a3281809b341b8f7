"""Choosing the phone column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.columns import (
    STRONG_NAMES,
    WEAK_NAMES,
    choose_column,
    find_campaign_column,
    find_column,
    find_condition_column,
    fold,
    is_report_header,
    is_title,
    is_whole_number,
    may_be_header,
    names_phones,
    says_keep,
    says_remove,
)
from bulk_remove.core.model import REPORT_COLUMNS
from bulk_remove.errors import InputError

NUMBER = "48 601 000 123"


def chosen(header: list[str], *rows: list[str], wanted: str | None = None) -> int:
    return choose_column(header, rows or [[NUMBER] * len(header)], wanted).index


def refusal(header: list[str], *rows: list[str], wanted: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        choose_column(header, rows or [[NUMBER] * len(header)], wanted)
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        *["phone", "Phone", "phone_number", "PhoneNumber", "PHONE-NUMBER", "phone no.", "Phone:", "telephone", "Tel."],
        *["mobile", "mobile phone", "cell", "GSM", "msisdn", "Caller ID", "phone1", "téléphone"],
        *["telefon", "Nr tel", "nr. tel.", "nr telefonu", "numer_telefonu", "Numer Telefonu", "komorka", "Komórka"],
        *["kom.", "Telefon służbowy", "TELEFON SŁUŻBOWY", "telefon służbowy"],
    ],
)
def test_a_column_with_a_known_name_is_chosen(name: str) -> None:
    assert choose_column(["id", name, "city"], [["1", NUMBER, "x"]], None).index == 1


def test_the_reason_names_the_column_as_it_stands_in_the_file() -> None:
    assert choose_column(["Nr Telefonu"], [[NUMBER]], None).reason == "named 'Nr Telefonu'"


@pytest.mark.parametrize("name", ["phone_type", "has phone", "faks", "id", "", "telefoniczny", "pesel", "nip"])
def test_a_name_that_is_not_known_is_not_guessed_from_its_cells(name: str) -> None:
    assert "No column is certain" in refusal([name, "city"]).sentence


@pytest.mark.parametrize(
    "header",
    [["telefon", "mobile"], ["phone", "phone"], ["phone", "phone2"], ["numer", "nr"]],
    ids=["two names", "the same name twice", "a second one", "two weak names"],
)
def test_two_candidates_are_refused(header: list[str]) -> None:
    assert refusal(header).sentence.startswith(f"More than one column may hold the phone numbers ('{header[0]}', ")


def test_a_strong_name_beats_a_weak_one() -> None:
    assert chosen(["numer", "phone_number"], ["1001", "601000123"]) == 1
    assert chosen(["numer", "tel"], ["123", "601000123"]) == 1


@pytest.mark.parametrize(
    ("other", "cell"),
    [
        *[
            (name, NUMBER)
            for name in ("numer", "stary_numer", "Numer 2 (stary)", "nrKlienta", "nowy nr", "kontakt do", "")
        ],
        *[
            (name, "512000123")
            for name in ("telefon_alt", "tel. doradcy", "drugi tel", "whatsapp", "old mobile", "Kom. żony")
        ],
        *[
            (name, "22 123 45")
            for name in ("numer_do_usuniecia", "Do usunięcia", "OPT-OUT", "rezygnacja", "unsubscribed")
        ],
    ],
)
def test_another_column_of_phone_numbers_with_a_name_for_them_makes_the_choice_uncertain(other: str, cell: str) -> None:
    rows = [["1", "601000124", cell], ["2", "601000125", cell], ["3", "601000126", ""]]
    header = ["id", "telefon", other]
    error = refusal(header, *rows)
    assert error.sentence.startswith(f"More than one column may hold the phone numbers ('telefon', '{other}'); ")
    assert cell not in error.sentence
    assert "--column" in error.hint
    assert [chosen(header, *rows, wanted=place) for place in ("telefon", "2", "3")] == [1, 1, 2]
    assert "More than one column" in refusal([other, "nr"], *[row[:0:-1] for row in rows]).sentence


@pytest.mark.parametrize(
    ("other", "cell"),
    [
        *[("nr_zamowienia", "100000123"), ("numer umowy", "2026123"), ("kontakt", "Jan"), ("telefon_typ", "dom")],
        *[("data_usuniecia", "2026-01-05"), ("rezygnacja", "TAK"), ("opt_out", "1"), ("do_usuniecia", "")],
        *[("faks", "601000123"), ("doradca", "601000123"), ("nr pesel", "44051401359"), ("NIP nr", "601000123")],
        *[("phone_id", "1001"), ("kod tel", "+48"), ("", "x")],
    ],
)
def test_a_column_of_something_else_is_not_a_rival_whatever_its_name(other: str, cell: str) -> None:
    assert chosen(["telefon", other], ["601000124", cell], ["601000125", cell]) == 0


def test_what_is_as_long_as_a_phone_number_only_now_and_then_is_not_a_rival() -> None:
    rows = [[f"60100012{digit}", "601000123" if digit < 3 else "100000123"] for digit in range(6)]
    assert chosen(["telefon", "numer sprawy"], *rows) == 0
    assert "More than one column" in refusal(["telefon", "numer sprawy"], *rows[:3]).sentence


def notes_of(header: list[str], *rows: list[str], wanted: str) -> tuple[str, ...]:
    return choose_column(header, rows, wanted).notes


@pytest.mark.parametrize("wanted", ["1", "kod"])
def test_a_named_column_that_looks_unlike_phone_numbers_beside_one_that_looks_like_them_is_told(wanted: str) -> None:
    for other in ("telefon", "x"):
        assert notes_of(["kod", other], ["77", "601000123"], ["78", "601000124"], wanted=wanted) == (
            f"Most cells of column 'kod' are not whole phone numbers, but those of column '{other}' are.",
        )
    assert notes_of(["kod", "x"], ["77", "b"], ["78", "c"], wanted=wanted) == ()


def test_a_named_column_beside_another_that_may_be_the_one_is_told() -> None:
    assert notes_of(["numer", "tel"], ["601000123", "512000123"], wanted="numer") == (
        "Column 'tel' looks like phone numbers, too; 'numer' was chosen with --column.",
    )
    assert notes_of(["numer", "x"], ["601000123", "512000123"], wanted="numer") == ()


@pytest.mark.parametrize(
    "name",
    [
        *[
            "do usunięcia",
            "DO USUNIĘCIA",
            "Do_usuniecia",
            "usunąć",
            "usun",
            "opt-out",
            "OptOut",
            "opt out",
            "Opted out",
        ],
        *["rezygnacje", "Rezygnacja z kontaktu", "delete", "to be deleted", "Unsubscribe", "unsubscribed", "remove"],
        *["wypisani", "nie dzwonić", "NIE-DZWON", "sprzeciwy", "cofnięte zgody", "do not call", "czarna lista"],
        *["skasuj", "wykreślić", "Löschen", "brak zgody", "erasure requests"],
    ],
)
def test_a_name_says_that_something_is_to_be_removed_in_any_spelling(name: str) -> None:
    assert says_remove(name)


@pytest.mark.parametrize("name", ["", "telefon", "Arkusz1", "aktywni", "klienci", "konsultanci", "notes", "Sheet 1"])
def test_a_name_of_something_else_does_not_say_so(name: str) -> None:
    assert not says_remove(name)


@pytest.mark.parametrize(
    ("cells", "certain"),
    [
        (["601000123", "+48 601-000-124", "x"], True),
        (["601000123", "x"], False),
        (["1", "2", "3"], False),
        (["1001", "1002"], False),
        ([""], False),
        (["601000123", "", " "], True),
    ],
    ids=["most are", "half are", "ordinals", "customer ids", "blank", "blank ones do not count"],
)
def test_a_weak_name_needs_most_of_its_cells_to_look_like_whole_numbers(cells: list[str], *, certain: bool) -> None:
    rows = [[cell, "x"] for cell in cells]
    if certain:
        assert chosen(["numer", "name"], *rows) == 0
    else:
        assert "most of its cells do not look like them" in refusal(["numer", "name"], *rows).sentence


@pytest.mark.parametrize(
    "rows",
    [[["biuro"], ["dom"]], [[""], []], [["dom"], ["brak"], ["4.86E+10"]]],
    ids=["words", "blank", "mostly words"],
)
def test_a_strong_name_without_one_phone_number_is_refused(rows: list[list[str]]) -> None:
    assert refusal(["tel"], *rows).sentence.startswith(f"Column 'tel' has no phone number in its first {len(rows)} ro")


@pytest.mark.parametrize(
    ("cells", "damage"),
    [
        (["4.86E+10"], "a spreadsheet has cut the digits of 1 of 1 cell"),
        (["4.86E+10"] * 48 + ["", "brak", "601234555;6"], "a spreadsheet has cut the digits of 48 of 50 cells"),
        (["12,50", "1 234,50", "brak"], "2 of 3 cells: A decimal number, not a phone number"),
        (["601234555;602", "601 234 555 w. 3", "441;442"], "2 of 3 cells: Perhaps more than one number"),
    ],
)
@pytest.mark.parametrize("name", ["tel", "numer"])
def test_a_column_whose_cells_are_all_damaged_is_refused_with_the_commonest_damage(
    name: str, cells: list[str], damage: str
) -> None:
    error = refusal([name, "miasto"], *[[cell, "x"] for cell in cells])
    assert error.sentence == f"Column '{name}' has no whole phone number: {damage}."
    assert "as text" in error.hint


@pytest.mark.parametrize("cell", ['="601234555"', "601234555.0", "6.01234555E+08", "p:+48601234555", "'601234555'"])
def test_a_cell_that_loses_no_digit_looks_like_a_number(cell: str) -> None:
    assert chosen(["tel", "x"], [cell, "1"], ["brak", "2"]) == 0
    assert chosen(["numer", "x"], [cell, "1"]) == 0
    assert is_whole_number(cell)


@pytest.mark.parametrize(
    "cell", ["123", "+48 (601) 000-123", "601.000.123", "601\u00a0000\u2013123", "\u200e601000123"]
)
def test_one_cell_that_looks_like_a_number_is_enough_for_a_strong_name(cell: str) -> None:
    assert chosen(["tel", "x"], ["", ""], ["a"], [cell, "1"]) == 0


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("Nr", 1), ("nr", 2), ("MIASTO", 3), ("łódź", 4), ("Lodz", 4), ("3", 2), ("5", 4), ("2024", 5), ("6", 5)],
)
def test_a_wanted_column_matches_exactly_then_folded_then_by_position(wanted: str, index: int) -> None:
    header = ["id", "Nr", "nr", "miasto", "Łódź", "2024"]
    found = choose_column(header, [], wanted)
    assert (found.index, found.reason) == (index, "chosen with --column")


def test_a_name_that_is_a_digit_comes_before_a_position() -> None:
    assert chosen(["a", "b", "1"], wanted="1") == 2


@pytest.mark.parametrize("wanted", ["0", "4", "-1", "", " ", "1_0", "²", "000001", "99999999"])
def test_a_wanted_column_that_is_not_there_is_refused_with_the_columns(wanted: str) -> None:
    error = refusal(["id", "", "imię"], wanted=wanted)
    assert error.sentence.startswith("There is no column")
    assert "3 'imię'" in error.sentence


def test_the_nearest_name_is_offered() -> None:
    assert refusal(["id", "Telefon"], wanted="telefno").hint == "Did you mean --column 'Telefon'?"
    assert refusal(["id", "TELEFON"], wanted="telefno").hint == "Did you mean --column 'TELEFON'?"
    assert refusal(["id", "telefon"], wanted="TELEFNO").hint == "Did you mean --column 'telefon'?"


def test_a_wanted_name_that_two_columns_have_is_refused_and_a_position_settles_it() -> None:
    assert refusal(["phone", "x", "phone"], wanted="phone").hint.endswith("--column 1.")
    assert refusal(["Phone", "x", "PHONE"], wanted="phone").sentence.startswith("2 columns are named")
    assert chosen(["phone", "x", "phone"], wanted="3") == 2


def test_a_wanted_column_is_taken_whatever_its_cells_look_like() -> None:
    assert chosen(["kod"], ["a"], wanted="kod") == 0


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (["48601000123"], None),
        (["112"], None),
        (["+48 601 000 123"], "1"),
        (["Jan", "48601000123"], None),
        (["Jan", "48601000123"], "2"),
        (["Jan", "48601000123"], "48601000123"),
    ],
    ids=["one column", "internal", "one column wanted", "two columns", "by position", "by name"],
)
def test_a_first_row_that_is_itself_a_number_is_no_header(header: list[str], wanted: str | None) -> None:
    error = refusal(header, wanted=wanted)
    assert error.sentence == "The first row holds a phone number where the name of a column should be."


def test_a_refusal_lists_the_columns_with_masked_samples() -> None:
    error = refusal(["klient", "stan"], ["", ""], [" Jan Nowak 601000123", " ok "])
    assert error.sentence.endswith("the columns are 1 'klient' (Ja*************0123), 2 'stan' (**).")
    assert "--column" in error.hint


def test_a_long_sample_is_cut_before_it_is_masked() -> None:
    error = refusal(["uwagi"], ["abcdefghijklmnopqrstuvwxyz"])
    assert "'uwagi' (ab**************qrst)" in error.sentence


def test_a_long_list_of_columns_is_cut() -> None:
    assert refusal([f"c{index}" for index in range(40)]).sentence.endswith("30 'c29' (48******** 123) and 10 more.")


@given(
    st.lists(st.sampled_from(["id", "numer", "telefon", "48601000123", "tel 601 000 123"]), min_size=1),
    st.sampled_from([None, "48601000123", "tel 601000123", "9", "x"]),
)
def test_no_refusal_shows_a_number(header: list[str], wanted: str | None) -> None:
    try:
        shown = choose_column(header, [["48601000123"] * len(header)], wanted).reason
    except InputError as error:
        shown = error.sentence + error.hint
    assert "601000" not in shown.replace(" ", "")


def test_every_known_name_is_written_folded() -> None:
    for name in STRONG_NAMES | WEAK_NAMES:
        assert name == fold(name)
    assert not STRONG_NAMES & WEAK_NAMES


@pytest.mark.parametrize(("wanted", "index"), [("Kampania", 1), ("KAMPANIA", 1), ("3", 2)])
def test_a_column_is_found_by_name_or_position_for_any_flag(wanted: str, index: int) -> None:
    assert find_column(["phone", "Kampania", "x"], [], wanted, "--campaign-column") == index
    assert find_campaign_column(["phone", "Kampania", "x"], [], wanted, 0) == index


def test_a_column_that_is_not_found_is_told_with_its_flag() -> None:
    for header, hint in ((["phone", "campaign"], "Did you mean --flag 'campaign'?"), (["x"], "Give --flag one of")):
        with pytest.raises(InputError) as caught:
            find_column(header, [], "campain", "--flag")
        assert caught.value.hint.startswith(hint)
    with pytest.raises(InputError) as caught:
        find_column(["x", "x"], [], "x", "--flag")
    assert caught.value.hint.endswith("--flag 1.")


def test_the_phone_column_cannot_hold_the_campaigns_too() -> None:
    with pytest.raises(InputError) as caught:
        find_campaign_column(["phone", "x"], [], "y", 0)
    assert caught.value.hint.startswith("Give --campaign-column one of")
    with pytest.raises(InputError, match=r"Column '48\*\*\*\*\*0123'") as caught:
        find_campaign_column(["48601000123", "x"], [], "1", 0)
    with pytest.raises(InputError) as caught:
        find_campaign_column(["phone", "x"], [], "1", 0)
    assert caught.value.sentence == (
        "Column 'phone' holds the phone numbers, not the campaigns; the columns are 1 'phone', 2 'x'."
    )


@pytest.mark.parametrize(
    ("cells", "wanted", "may"),
    [
        (["id", "Nr telefonu"], None, True),
        (["numer"], None, True),
        (["phone2"], None, True),
        (["Eksport z dnia"], None, False),
        (["id", "Kod"], "KOD", True),
        (["id", "telefon"], "kod", False),
        (["", "telefon"], " ", False),
    ],
)
def test_a_row_may_be_the_header_when_it_names_the_column(cells: list[str], wanted: str | None, *, may: bool) -> None:
    assert may_be_header(cells, wanted) == may


def test_an_internal_number_is_no_whole_number() -> None:
    assert [is_whole_number(cell) for cell in ("601 000 001", "112", "x", "")] == [True, False, False, False]


def test_a_missing_header_says_how_to_go_on() -> None:
    assert refusal(["48601000123"]).hint.endswith("or say --no-header.")
    assert "--no-header --column 2" in refusal(["Jan", "48601000123"]).hint


def test_a_report_is_known_by_most_of_its_columns_however_they_are_cut_and_written() -> None:
    whole = ["telefon", *REPORT_COLUMNS]
    for cells in (whole, whole[::-1], [name.upper() for name in whole], [";".join(whole)], whole[:8], ["x\ty", *whole]):
        assert is_report_header(cells)
    for cells in (whole[:7], ["telefon", "status"], []):
        assert not is_report_header(cells)


def test_a_number_at_the_end_of_a_name_hides_no_candidate() -> None:
    for digit in range(10):
        assert refusal(["phone", f"phone{digit}"]).sentence.startswith("More than one column")
        assert may_be_header([f"phone{digit}"], None)


def test_a_strong_name_is_enough_where_there_is_no_row_to_look_at() -> None:
    assert choose_column(["phone"], [], None).index == 0


def test_a_long_name_is_cut_and_one_with_a_number_is_cut_before_it_is_masked() -> None:
    assert "1 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'" in refusal(["a" * 41], ["x"]).sentence
    assert f"1 '{'a' * 40}'" in refusal(["a" * 40], ["x"]).sentence
    assert "1 'ab**************3456'" in refusal(["abcdefghijklmn123456op"], ["x"]).sentence


def test_only_where_there_is_one_column_is_an_internal_number_in_its_first_row_a_missing_header() -> None:
    assert refusal(["123"]).sentence.startswith("The first row holds a phone number")
    assert not refusal(["123", "x"]).sentence.startswith("The first row holds a phone number")


def test_digits_of_another_script_are_no_phone_number_of_a_column() -> None:
    assert not is_whole_number("\u0666\u0660\u0661\u0662\u0663\u0664\u0665\u0665\u0665")


def test_two_digits_are_no_number_of_any_column() -> None:
    assert refusal(["tel", "x"], ["12", "a"]).sentence.startswith("Column 'tel' has no phone number")
    assert chosen(["tel", "x"], ["112", "a"]) == 0


def test_a_name_with_three_digits_may_hold_a_part_of_a_number_and_is_masked() -> None:
    assert "1 'Nr 12'" in refusal(["Nr 12"], ["x"]).sentence
    assert "1 '******'" in refusal(["Nr 123"], ["x"]).sentence


@pytest.mark.parametrize(
    "name",
    [
        *["kom. 601234555", "Tel 601 234 555", "phone: 601234555", "Nr telefonu: 601-234-555", "nr 601234555"],
        *["tel. +48 (22) 123-45-67", "Telefon 48601234555", "601234555 (tel)", "kom.601.234.555", "tel. 30-12-345"],
    ],
)
@pytest.mark.parametrize("beside", [[], ["x"]])
def test_a_word_with_a_phone_number_is_a_number_and_no_name_of_a_column(name: str, beside: list[str]) -> None:
    rows = [[NUMBER, *beside], ["602 345 666", *beside]]
    for wanted in [None, "1", name]:
        assert refusal([name, *beside], *rows, wanted=wanted).sentence.startswith("The first row holds a phone number")


def test_two_words_with_phone_numbers_are_numbers() -> None:
    assert refusal(["tel 601234555", "tel 602345666"]).sentence.startswith("The first row holds a phone number")


@pytest.mark.parametrize("name", ["tel. 441", "Tel 441", "tel441", "nr wew. 441, tel. 223"])
def test_among_internal_numbers_a_word_with_one_is_a_number(name: str) -> None:
    found = refusal([name], ["442"], ["991"], ["817"], wanted="1")
    assert found.sentence.startswith("The first row holds a phone number")


@pytest.mark.parametrize(
    "name", ["telefon 1", "phone2", "tel_2024", "Telefon 48", "tel 2024-01-05", "telefon_20240105", "tel. 441"]
)
def test_a_name_with_a_few_digits_or_a_date_stays_a_name(name: str) -> None:
    assert chosen([name, "city"], [NUMBER, "441"], wanted="1") == 0


def test_a_year_is_no_internal_number() -> None:
    assert chosen(["tel_2024"], ["4410"], ["4411"], ["8100"]) == 0


@pytest.mark.parametrize("wanted", ["zgoda", "ZGODA", " Zgoda ", "zgodą", "zgo da", "2"])
def test_the_column_of_a_condition_is_found_whatever_its_case_accents_and_spaces(wanted: str) -> None:
    assert find_condition_column(["telefon", "Zgoda"], [], wanted) == 1


@pytest.mark.parametrize("wanted", ["!zgoda", "zgoda!", "-zgoda", "not zgoda", "zgoda>", "zgoda?", "~zgoda"])
def test_the_column_of_a_condition_has_no_other_sign(wanted: str) -> None:
    with pytest.raises(InputError) as refused:
        find_condition_column(["telefon", "zgoda"], [], wanted)
    assert "There is no column" in refused.value.sentence


def test_the_columns_of_conditions_differ_by_a_sign() -> None:
    assert find_condition_column(["telefon", "zgoda", "!zgoda"], [], "!ZGODA") == 2


@pytest.mark.parametrize(("cell", "named"), [("telefon", True), ("tel2", True), ("no", False), ("miasto", False)])
def test_a_cell_may_be_a_known_name_of_a_phone_column(cell: str, named: bool) -> None:
    assert names_phones(cell) is named


@pytest.mark.parametrize(
    ("name", "keeps", "removes"),
    [
        *[(name, True, False) for name in ("Do zachowania", "Nie usuwać!", "do not remove", "NIE_USUWAĆ", "Zostawić")],
        *[
            (name, True, False)
            for name in ("keep", "KEEP - VIP", "nie do usunięcia", "Don't delete", "not to be removed")
        ],
        *[(name, True, False) for name in ("nie wolno kasować", "Never remove", "nicht löschen", "Biała lista")],
        *[
            (name, False, True)
            for name in ("Do usunięcia", "usunąć", "to delete", "Nie dzwonić", "czarna lista", "opt-out")
        ],
        *[(name, False, False) for name in ("Klienci", "Arkusz1", "numery", "Kraków", "", "notatki", "nowe")],
    ],
)
def test_words_say_whether_numbers_are_to_be_removed_or_must_stay(name: str, *, keeps: bool, removes: bool) -> None:
    assert (says_keep(name), says_remove(name)) == (keeps, removes)


@pytest.mark.parametrize(
    ("text", "title"),
    [("Nie usuwać!", True), ("Część 2", True), ("Lista z 2026-01-05", True), ("x" * 80, True)]
    + [(text, False) for text in ("", "-", "601234555", "tel. 601 234 555", "x" * 81, "12")],
)
def test_a_title_has_words_and_no_phone_number(text: str, *, title: bool) -> None:
    assert is_title(text) is title
