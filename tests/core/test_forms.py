"""The other forms in which a campaign may hold a number."""

import phonenumbers
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bulk_remove.core.forms import AlsoTry, Forms, parse_also_try
from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.errors import InvariantError, UsageError

PLUS, INTERNATIONAL, ZEROS, NATIONAL_FORM = AlsoTry.PLUS, AlsoTry.INTERNATIONAL, AlsoTry.ZEROS, AlsoTry.NATIONAL
EVERY = (PLUS, INTERNATIONAL, ZEROS, NATIONAL_FORM)
NATIONAL, DIGITS, E164, AS_IS = NumberFormat.NATIONAL, NumberFormat.DIGITS, NumberFormat.E164, NumberFormat.AS_IS
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
    assert Forms(NumberRules(), EVERY).others
    assert not Forms(NumberRules(AS_IS), ()).others


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
    with pytest.raises(UsageError, match="--also-try needs to know the form") as caught:
        Forms(NumberRules(AS_IS), (PLUS,))
    assert "--number-format" in caught.value.hint


def test_what_is_no_form_of_any_number_is_its_own_planned_form() -> None:
    forms = Forms(NumberRules(), EVERY)
    assert [forms.planned(number) for number in ("12", "+999123456", "00999123456")] == [
        "12",
        "+999123456",
        "00999123456",
    ]
    assert chain(forms, "+999123456") == ["+999123456"]


@given(any_rules, cells, st.permutations(EVERY))
@example(RULES[0], "+49151234567", EVERY)
@settings(max_examples=500)
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
@settings(max_examples=500)
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
    with pytest.raises(UsageError, match="--also-try knows no form") as caught:
        parse_also_try(text)
    assert caught.value.hint.startswith(hint)
