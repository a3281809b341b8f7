"""The forms in which a campaign may hold a number: those that its records show, and those asked for."""

import phonenumbers
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import (
    AlsoTry,
    Forms,
    Held,
    Normaliser,
    NumberRules,
    Rest,
    chosen_forms,
    form_examples,
    forms_held,
    holds_internal,
    parse_also_try,
    told_forms,
)
from bulk_remove.errors import InvariantError, UsageError

PLUS, INTERNATIONAL, ZEROS, NATIONAL_FORM = AlsoTry.PLUS, AlsoTry.INTERNATIONAL, AlsoTry.ZEROS, AlsoTry.NATIONAL
EVERY = (PLUS, INTERNATIONAL, ZEROS, NATIONAL_FORM)
AUTO, NATIONAL, DIGITS, E164, AS_IS = (
    NumberFormat.AUTO,
    NumberFormat.NATIONAL,
    NumberFormat.DIGITS,
    NumberFormat.E164,
    NumberFormat.AS_IS,
)
RULES = [
    NumberRules(number_format, region)
    for number_format in (NATIONAL, DIGITS, E164)
    for region in ("PL", "DE", "AT", "AU", "RU", "IT", "US", "DK")
]
FORMS = {rules: Forms(rules, EVERY) for rules in RULES}
NORMALISERS = {rules: Normaliser(rules) for rules in RULES}
any_rules = st.sampled_from(RULES)
cells = st.one_of(
    st.from_regex(r"[1-9][0-9]{8}", fullmatch=True),
    st.from_regex(r"(\+|00|011|810)?(48|49|43|298|39|45|1|7|61)?[0-9]{3,11}", fullmatch=True),
)


def chain(forms: Forms, number: str) -> list[str]:
    """Return the forms asked for, from this one on."""
    found = [number]
    while later := forms.after(found[-1]):
        found.append(later)
    return found


@pytest.mark.parametrize(
    ("number_format", "planned", "also_try", "others"),
    [
        (NATIONAL, "601234555", (PLUS, INTERNATIONAL, ZEROS), ["+48601234555", "48601234555", "0048601234555"]),
        (NATIONAL, "601234555", (ZEROS, NATIONAL_FORM, PLUS), ["0048601234555", "+48601234555"]),
        (DIGITS, "48601234555", (NATIONAL_FORM, INTERNATIONAL, PLUS), ["601234555", "+48601234555"]),
        (E164, "+48601234555", EVERY, ["48601234555", "0048601234555", "601234555"]),
        (NATIONAL, "004915123456789", EVERY, ["+4915123456789", "4915123456789"]),
        (DIGITS, "4915123456789", EVERY, ["+4915123456789", "004915123456789"]),
        (E164, "+4915123456789", (NATIONAL_FORM, ZEROS), ["004915123456789"]),
        (NATIONAL, "00298123456", EVERY, ["+298123456"]),  # the bare digits would be a Polish number
        (NATIONAL, "441", EVERY, []),
        (NATIONAL, "19115", EVERY, []),
        (NATIONAL, "012345678", EVERY, []),
        (NATIONAL, "004520123456", EVERY, ["+4520123456", "4520123456"]),  # no longer than a Polish number may be
        (E164, "+482219115", EVERY, []),  # a service's number, or one that was cut off
        (NATIONAL, "601234555", (), []),
        (AS_IS, "+48601234555", (), []),
    ],
)
def test_the_other_forms_come_in_the_order_given(
    number_format: NumberFormat, planned: str, also_try: tuple[AlsoTry, ...], others: list[str]
) -> None:
    assert chain(Forms(NumberRules(number_format), also_try), planned) == [planned, *others]


def test_the_zeros_are_two_in_every_region() -> None:
    forms = Forms(NumberRules(NATIONAL, "US"), (ZEROS, PLUS))
    assert chain(forms, "2015550123") == ["2015550123", "0012015550123", "+12015550123"]
    assert chain(forms, "01148601234555") == ["01148601234555", "0048601234555", "+48601234555"]


def test_digits_that_may_be_another_number_are_not_asked_for() -> None:
    """In Austria national numbers are as long as some with the country code."""
    assert chain(Forms(NumberRules(E164, "AT"), EVERY), "+436641234567") == [
        "+436641234567", "00436641234567", "6641234567",
    ]  # fmt: skip


def test_forms_tell_whether_there_are_others() -> None:
    assert Forms(NumberRules(), EVERY).also_try
    assert not Forms(NumberRules(AS_IS), ()).also_try


def test_a_form_ranks_by_its_place_and_the_planned_one_is_first() -> None:
    forms = Forms(NumberRules(), (NATIONAL_FORM, ZEROS, PLUS, ZEROS))
    assert [forms.rank(number) for number in ("601234555", "0048601234555", "+48601234555")] == [0, 2, 3]
    assert forms.rank("441") == 0


@pytest.mark.parametrize("number", ["48601234555", "+48601234555"])
def test_a_form_that_nobody_asked_for_is_a_bug(number: str) -> None:
    forms = Forms(NumberRules(), (ZEROS,))
    with pytest.raises(InvariantError):
        forms.rank(number)
    with pytest.raises(InvariantError):
        forms.after(number)


def test_forms_of_numbers_that_are_taken_as_they_are_cannot_be_known() -> None:
    with pytest.raises(UsageError, match="also_try needs to know the form") as caught:
        Forms(NumberRules(AS_IS), (PLUS,))
    assert "--number-format" in caught.value.hint


def test_what_is_no_form_of_any_number_is_its_own_planned_form() -> None:
    forms = Forms(NumberRules(), EVERY)
    assert [forms.planned(number) for number in ("12", "+999123456", "00999123456", "0943839667")] == [
        "12",
        "+999123456",
        "00999123456",
        "0943839667",
    ]
    assert chain(forms, "+999123456") == ["+999123456"]


@given(any_rules, cells, st.permutations(EVERY))
@example(RULES[0], "+49151234567", EVERY)
def test_every_form_reads_back_to_the_planned_number_and_to_no_other(
    rules: NumberRules, cell: str, also_try: list[AlsoTry]
) -> None:
    planned = NORMALISERS[rules](cell).number
    assume(planned)
    forms = Forms(rules, also_try)
    asked = chain(forms, planned)
    assert len(set(asked)) == len(asked)
    assert {forms.planned(form) for form in asked} == {planned}
    # As a cell a form may be refused as damaged, but it is never taken for another number.
    assert {NORMALISERS[rules](form).number for form in asked} <= {planned, ""}
    ranks = [forms.rank(form) for form in asked]
    assert ranks[0] == 0
    assert ranks == sorted(set(ranks))


@given(any_rules, cells, cells, st.sampled_from(["", "48", "+48", "0048", "00", "+", "43", "1"]))
def test_two_planned_numbers_never_share_a_form(rules: NumberRules, first: str, second: str, lead: str) -> None:
    normalise, forms = NORMALISERS[rules], FORMS[rules]
    numbers = {normalise(cell).number for cell in (first, second, lead + first, lead + second)} - {""}
    asked = [form for number in numbers for form in chain(forms, number)]
    assert len(set(asked)) == len(asked)


@given(st.from_regex(r"[1-9][0-9]{8}", fullmatch=True))
@pytest.mark.parametrize("number_format", [NATIONAL, DIGITS, E164])
def test_a_plain_number_has_every_form_of_its_region(number_format: NumberFormat, number: str) -> None:
    rules = NumberRules(number_format)
    assert set(chain(FORMS[rules], NORMALISERS[rules](number).number)) == {
        f"+48{number}", f"48{number}", f"0048{number}", number,
    }  # fmt: skip


def test_forms_of_plain_numbers_need_no_numbering_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phonenumbers, "parse", None)
    assert len(chain(FORMS[NumberRules()], "601234555")) == 4


@pytest.mark.parametrize(
    ("text", "forms"),
    [("plus,zeros", (PLUS, ZEROS)), (" National , PLUS,national,", (NATIONAL_FORM, PLUS)), ("", ())],
)
def test_a_list_of_forms_is_read(text: str, forms: tuple[AlsoTry, ...]) -> None:
    assert parse_also_try(text) == forms


@pytest.mark.parametrize(
    ("text", "hint"),
    [("zero", "Did you mean zeros?"), ("plus,internatonal", "Did you mean international?"), ("x", "Give")],
)
def test_an_unknown_form_is_refused_with_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match="also_try does not know the form") as caught:
        parse_also_try(text)
    assert caught.value.hint.startswith(hint)


WAYS: dict[object, str] = {
    "601234555": NATIONAL_FORM,
    "221234567": NATIONAL_FORM,
    "48601234555": INTERNATIONAL,
    "+48601234555": PLUS,
    "0048601234555": ZEROS,
    601234555: NATIONAL_FORM,
    48601234555: INTERNATIONAL,
    "+4915123456789": PLUS,
    "4915123456789": INTERNATIONAL,
    "004915123456789": Rest.ABROAD,
    "441": Rest.INTERNAL,
    "600123": Rest.INTERNAL,
    441: Rest.INTERNAL,
    "601 234 555": Rest.OTHERWISE,
    "+48 601-234-555": Rest.OTHERWISE,
    " 601234555": Rest.OTHERWISE,
    "601234555\n": Rest.OTHERWISE,
    "0601234555": Rest.OTHERWISE,
    "\u0666\u0660\u0661\u0662\u0663\u0664\u0665\u0665\u0665": Rest.OTHERWISE,
    "601234555, 602111222": Rest.OTHERWISE,
    "60123450": Rest.NO_NUMBER,
    "000": Rest.NO_NUMBER,
    "12": Rest.NO_NUMBER,
    "+48601": Rest.NO_NUMBER,
    "+999123456789": Rest.NO_NUMBER,
    "+": Rest.NO_NUMBER,
    "": Rest.NO_NUMBER,
    "brak": Rest.NO_NUMBER,
    "9" * 500_000: Rest.NO_NUMBER,
    True: Rest.NO_NUMBER,
    None: Rest.NO_NUMBER,
    0.5: Rest.NO_NUMBER,
    ("601234555",): Rest.NO_NUMBER,
    -601234555: Rest.OTHERWISE,
}


@pytest.mark.parametrize(("number", "way"), WAYS.items(), ids=lambda value: repr(value)[:20])
def test_a_record_shows_how_its_number_is_written_whatever_the_server_sends(number: object, way: str) -> None:
    assert forms_held([number], "PL") == {way: 1}


def test_ways_of_writing_are_counted_and_the_numbers_are_not_kept() -> None:
    held = forms_held(["+48601234555"] * 3 + ["601234555", "441", "x"], "PL")
    assert held == {PLUS: 3, NATIONAL_FORM: 1, Rest.INTERNAL: 1, Rest.NO_NUMBER: 1}
    assert {*map(type, held)} == {str}  # as the ledger keeps them


@given(st.sampled_from([rules for rules in RULES if rules.region == "PL"]), cells)
@example(RULES[0], "+4915123456789")
def test_a_number_is_found_by_the_forms_that_its_own_record_shows(rules: NumberRules, cell: str) -> None:
    planned = NORMALISERS[rules](cell).number
    assume(planned)
    asked = chain(FORMS[rules], planned)
    assume(any(form[0] == "+" for form in asked))
    with_plus = next(form for form in asked if form[0] == "+")
    for form in asked:
        held = forms_held([form], rules.region)
        number_format, also_try = chosen_forms(held, (), rules.region)
        found = NumberRules(number_format, rules.region)
        number = Normaliser(found)(with_plus).number
        if number and not {*held} <= {Rest.NO_NUMBER, Rest.OTHERWISE}:
            assert Forms(found, also_try).confirmed_by(held)
            assert form in chain(Forms(found, also_try), number)


@pytest.mark.parametrize(
    ("held", "given_forms", "number_format", "also_try"),
    [
        ({}, (), NATIONAL, ()),
        ({}, (PLUS,), NATIONAL, (PLUS,)),
        ({NATIONAL_FORM: 5}, (), NATIONAL, ()),
        ({NATIONAL_FORM: 5}, (PLUS, NATIONAL_FORM), NATIONAL, (PLUS,)),
        ({PLUS: 80, NATIONAL_FORM: 20}, (), E164, (NATIONAL_FORM,)),
        ({PLUS: 20, NATIONAL_FORM: 80}, (ZEROS, PLUS), NATIONAL, (PLUS, ZEROS)),
        ({INTERNATIONAL: 9, PLUS: 0}, (), DIGITS, ()),
        ({ZEROS: 9}, (), NATIONAL, (ZEROS,)),
        ({ZEROS: 9, PLUS: 1}, (), E164, (ZEROS,)),
        ({Rest.ABROAD: 9}, (), NATIONAL, ()),
        ({PLUS: 9, Rest.ABROAD: 1}, (), E164, (ZEROS,)),
        ({Rest.INTERNAL: 9, Rest.OTHERWISE: 9, Rest.NO_NUMBER: 9}, (), NATIONAL, ()),
    ],
)
def test_the_commonest_form_is_planned_and_the_others_are_also_tried(
    held: Held, given_forms: tuple[AlsoTry, ...], number_format: NumberFormat, also_try: tuple[AlsoTry, ...]
) -> None:
    assert chosen_forms(held, given_forms, "PL") == (number_format, also_try)
    forms = Forms(NumberRules(number_format), also_try)
    assert {*forms.unasked(held)} == {Rest.OTHERWISE} & {*held}


def test_numbers_abroad_are_found_as_they_are_dialled_from_the_region() -> None:
    assert chosen_forms({PLUS: 9, Rest.ABROAD: 1}, (), "US") == (E164, ())
    held: Held = {Rest.ABROAD: 1}
    for region, confirmed in (("PL", True), ("US", False)):
        assert Forms(NumberRules(NATIONAL, region), ()).confirmed_by(held)
        assert Forms(NumberRules(E164, region), (ZEROS,)).confirmed_by(held) is confirmed
    assert not Forms(NumberRules(E164), (NATIONAL_FORM,)).confirmed_by(held)


@pytest.mark.parametrize(
    ("rules", "also_try", "held", "unasked"),
    [
        (NumberRules(), (), {NATIONAL_FORM: 5, Rest.NO_NUMBER: 2}, {}),
        (NumberRules(), (), {NATIONAL_FORM: 5, PLUS: 1}, {PLUS: 1}),
        (NumberRules(), (PLUS,), {NATIONAL_FORM: 5, PLUS: 1}, {}),
        (NumberRules(AUTO), (), {PLUS: 5}, {PLUS: 5}),
        (NumberRules(E164), EVERY, {ZEROS: 5, Rest.INTERNAL: 1}, {}),
        (NumberRules(E164), EVERY, {PLUS: 5, Rest.OTHERWISE: 1}, {Rest.OTHERWISE: 1}),
        (NumberRules(AS_IS), (), {PLUS: 5}, {PLUS: 5}),
        (NumberRules(), (), {PLUS: 0, NATIONAL_FORM: 1}, {}),
    ],
)
def test_forms_are_confirmed_when_every_number_looked_at_stands_in_one_of_them(
    rules: NumberRules, also_try: tuple[AlsoTry, ...], held: Held, unasked: Held
) -> None:
    forms = Forms(rules, also_try)
    assert forms.unasked(held) == unasked
    assert forms.confirmed_by(held) is (not unasked)


def test_records_without_a_number_confirm_nothing() -> None:
    assert not Forms(NumberRules(), EVERY).confirmed_by({})
    assert not Forms(NumberRules(), EVERY).confirmed_by({Rest.NO_NUMBER: 300})


def test_forms_tell_whether_they_are_more_than_others() -> None:
    national, both = Forms(NumberRules(), ()), Forms(NumberRules(), (PLUS,))
    assert both.asks_more_than(national)
    assert not national.asks_more_than(both)
    assert Forms(NumberRules(E164), ()).asks_more_than(national)
    assert national.asks_more_than(Forms(NumberRules(AS_IS), ()))
    assert not Forms(NumberRules(E164), (NATIONAL_FORM,)).asks_more_than(both)


@pytest.mark.parametrize(
    ("held", "internal"),
    [
        ({}, False),
        ({Rest.INTERNAL: 3}, True),
        ({Rest.INTERNAL: 60, NATIONAL_FORM: 240}, True),
        ({Rest.INTERNAL: 1, NATIONAL_FORM: 299}, False),
        ({Rest.INTERNAL: 30, NATIONAL_FORM: 270}, False),
        ({Rest.INTERNAL: 1, Rest.NO_NUMBER: 299}, True),
    ],
)
def test_a_campaign_holds_internal_numbers_when_more_than_a_trial_or_two_are_seen(held: Held, internal: bool) -> None:
    assert holds_internal(held) is internal


def test_what_was_seen_is_told_by_examples_that_are_nobodys_numbers() -> None:
    assert told_forms({NATIONAL_FORM: 16, PLUS: 184}, "PL") == (
        "+48601234555 (184 of 200 looked at) and 601234555 (16)"
    )
    assert told_forms({ZEROS: 1}, "pl") == "0048601234555 (1 of 1 looked at)"
    everything = dict.fromkeys([Rest.NO_NUMBER, *AlsoTry, *Rest], 1500)
    told = told_forms(everything, "PL")
    assert told.startswith("+48601234555 (1,500 of 12,000 looked at), 48601234555 (1,500), 0048601234555 (1,500), ")
    assert "numbers abroad with 00 in front (1,500), internal numbers (1,500)" in told
    assert told.endswith(" and something that is not a whole phone number (1,500)")
    assert told_forms({PLUS: 3}, "PL", {PLUS: 3, NATIONAL_FORM: 7}) == "+48601234555 (3 of 10 looked at)"


def test_each_region_has_an_example_of_its_own() -> None:
    assert form_examples((NATIONAL_FORM, PLUS), "DE") == "15123456789, +4915123456789"
    assert form_examples((ZEROS,), "US") == "0012015550123"


def test_a_form_that_is_named_twice_is_tried_once() -> None:
    assert Forms(NumberRules(), [PLUS, ZEROS, PLUS]).also_try == (PLUS, ZEROS)


def test_a_record_is_read_by_the_numbering_of_its_own_region() -> None:
    assert forms_held(["+4915112345678", "15112345678"], "DE") == {PLUS: 1, NATIONAL_FORM: 1}


def test_digits_are_enough_for_a_whole_number_where_they_are_as_many_as_the_shortest_one_has() -> None:
    assert [forms_held([text], "DE") for text in ("151 234 567", "151 234 567 8")] == [
        {Rest.NO_NUMBER: 1},
        {Rest.OTHERWISE: 1},
    ]


def test_a_number_abroad_with_the_prefix_before_its_own_code_is_written_as_no_form_writes_it() -> None:
    assert forms_held(["01112025550123"], "US") == {Rest.OTHERWISE: 1}
