"""What a spreadsheet shows of a cell: the number itself in whatever grouping, or something else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.styles.numbers import builtin_format_code

from bulk_remove.core.cell_formats import built_in_format, cell_format, shown_instead

NUMBER = 601234501

AS_IT_IS = [
    "General",
    "",
    "0",
    "#",
    "000000000",
    "000 000 000",
    "000-000-000",
    "_70_7",
    "0*7",
    "### ### ###",
    "?????????",
    "#,##0",
    "#,##0.00",
    "0.00",
    "0.0#",
    "0.00E+00",
    "##0.0e+0",
    "# ?/?",
    "# ??/??",
    "0/8",
    "@",
    '"tel. "0',
    '0" zł"',
    "[Red]0",
    "[Color 7]0",
    "[$zł-415] #,##0",
    "[$-415]0",
    r"_-* #,##0\ _z_ł_-",
    "*x0",
    "0;-0",
    "0;-0;0;@",
    "0;0;;",
    "[<=9999999]###-####;(###) ###-####",
    "[>=700000000]0;[<100]0;0",
    "[>=700000000]0;000 000 000",
    "[=5]0;[<>5]0",
    "[>5]0",
    r"\(00\) 000 00 00",
    "000000000;;;",
    'General" x"',
    "[>=x]0",
    '0"',
    "0\\",
    "0_",
    '0/8" x"',
    '"x/"0',
    '0;"+420 "@',
]


@pytest.mark.parametrize("code", AS_IT_IS)
def test_grouping_units_and_zeros_behind_the_point_change_no_number(code: str) -> None:
    assert cell_format(code).shown(float(NUMBER)) is None


OTHERWISE = {
    '"+420 "000 000 000': "+420 601 234 501",
    r"\+\4\2\0\ 000\ 000\ 000": "+420 601 234 501",
    '"00420"000000000': "00420601234501",
    "[$+420] 000000000": "+420 601234501",
    "[$+420-405] 0": "+420 601234501",
    '"(+421) "000 000 000': "(+421) 601 234 501",
    "+000 000 000": "+601 234 501",
    '"+"0': "+601234501",
    "!+0": "+601234501",
    '000000000"12"': "60123450112",
    '000"7"000000': "6017234501",
    '"22 "000 00 00': "22 60123 45 01",
    "0000000000": "0601234501",
    "0000000000000": "0000601234501",
    "0,": "601235",
    "#,##0,,": "601",
    "0.0,,": "601.2",
    "0,.00": "601234.5",
    "0%": "60123450100%",
    "0.00%": "60123450100%",
    '"+420 "General': "+420 601234501",
    '"+420 "0.0E+0': "+420 601234501",
    '"+420 "# ?/?': "+420 601234501 ",
    '# ?/8"12"': "601234501 12",
    '"+420 "@': "+420 601234501",
    '0.00"12"': "60123450112",
    "12 0": "12 601234501",
    '"hidden"': "hidden",
    "[>700000000]0;[<5]0": "#",
    "[<700000000]0,;0": "601235",
    "[>700000000]0;0,": "601235",
    '[<5]0;[<6]0;[<7]0;"none"': "#",
    '0"12" ?/?': "60123450112 ",
    '0/"12"': "60123450112",
    '0"12"E+0': "60123450112",
    '"+4""20 "0E+0': "+420 601234501",
    '"\u0664\u0662\u0660"0': "\u0664\u0662\u0660601234501",  # 420 in Arabic digits
}


@pytest.mark.parametrize(("code", "shown"), OTHERWISE.items(), ids=OTHERWISE)
def test_what_adds_or_leaves_out_digits_is_told(code: str, shown: str) -> None:
    assert cell_format(code).shown(float(NUMBER)) == shown


@pytest.mark.parametrize("code", [";;;", ";;", '" "', ";0", "_ ", ";;;@"])
def test_a_format_that_shows_nothing_is_told(code: str) -> None:
    assert cell_format(code).shown(float(NUMBER)) == ""


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("0", 601234504.5, "601234504"),
        ("0.0", 601234504.5, None),
        ("0.00", 601234504.5, None),
        ("# ?/?", 601234504.5, None),
        ("0;0", -NUMBER, None),
        ("0", -NUMBER, None),
        ("[>5]0;0", -NUMBER, None),
        ('0;0"7";@', -NUMBER, "6012345017"),
        ('0;0"7"', -NUMBER, "6012345017"),
        ('"+420 "0', -NUMBER, "-+420 601234501"),
        ("0E+0", 601234504.5, None),
        ('0;"+420 "@', -NUMBER, None),
        ('0;0;"7"@', 0, None),
        ('"+420 "0', 0, "+420 0"),
        ("0;-0;" + '"none"', 0, "none"),
        ("0;-0", 0, None),
        ("General", 1e300, None),
        ("General", float("nan"), None),
        ("General", float("inf"), None),
    ],
)
def test_other_numbers_follow_the_same_rules(code: str, value: float, shown: str | None) -> None:
    assert cell_format(code).shown(float(value)) == shown


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, float("inf"), float("nan")])
@pytest.mark.parametrize("code", ["0" + "%" * 900, "0" + "," * 900, "0.0" * 900, "#" * 5000, '0"' * 900])
def test_no_format_is_too_odd(code: str, value: float) -> None:
    cell_format(code).shown(value)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("0", None),
        ("@", None),
        ('"tel. "@', None),
        ('"+420 "@', "+420 601234501"),
        ('0;0;0;"+420 "@', "+420 601234501"),
        ('0;"+420 "@', "+420 601234501"),
        ('0;0;"+420 "@', "+420 601234501"),
        ('"+"@', "+601234501"),
        (r"\4@", "4601234501"),
        (r"\ @\ ", None),
        ('0;0;0;"none"', "none"),
        ("0;0;0;", ""),
        (";;;", ""),
        ('0;0;0;@;"5"', "601234501;5"),
    ],
)
def test_text_is_shown_by_a_section_of_its_own(code: str, shown: str | None) -> None:
    assert cell_format(code).shown(str(NUMBER)) == shown
    assert cell_format(code).is_plain_for_text == (shown is None)


def test_nothing_is_not_hidden() -> None:
    assert cell_format(";;;").shown("  ") is None
    assert cell_format("0;-0;;@").shown("") is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("yyyy-mm-dd", "date"),
        ("[$-415]d mmm yyyy", "date"),
        ("h:mm AM/PM", "date"),
        ("[h]:mm", "elapsed"),
        ("[mm]:ss", "elapsed"),
        ("[]0", ""),
        ("[ss]", "elapsed"),
        ('"day "0', ""),
        ("General", ""),
        ("[Red]0", ""),
        ("0;yyyy", ""),
        ("[<60000]yyyy;0", "date"),
        ("[>60000]yyyy;0", ""),
        ("[>60000]0;[<5]0", ""),
    ],
)
def test_formats_of_dates_and_durations_are_known(code: str, kind: str) -> None:
    assert cell_format(code).moment(45000.0) == kind


def test_formats_without_a_code_are_those_that_every_program_has() -> None:
    assert [built_in_format(number).moment(45000.0) for number in (0, 1, 14, 22, 46, 49, 164)] == [
        "", "", "date", "date", "elapsed", "", "",
    ]  # fmt: skip
    assert built_in_format(9).shown(float(NUMBER)) == "60123450100%"
    assert [
        number
        for number in range(200)
        if not built_in_format(number).moment(45000.0) and built_in_format(number).shown(float(NUMBER))
    ] == [9, 10]


@given(
    st.text(st.sampled_from('0#?.,%E+-@;"\\_*[]$<=>5 x1/!()ydGeneral'), max_size=20),
    st.integers(1, 10**15 - 1),
)
def test_what_is_taken_for_plain_is_shown_as_it_is(code: str, number: int) -> None:
    form = cell_format(code)
    digits = form.plain_digits
    if digits is not None and len(str(number)) >= digits:
        assert form.shown(float(number)) is None
    if form.is_plain_for_text:
        assert form.shown(str(number)) is None


@given(
    st.text(st.sampled_from("0# -"), min_size=1, max_size=12).filter(lambda code: code.strip(" -")),
    st.integers(1, 10**12),
)
def test_no_digit_of_a_number_is_lost_or_moved(code: str, number: int) -> None:
    shown = cell_format(code).shown(float(number))
    assert shown is None or int(re.sub(r"\D", "", shown)) == number


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("601234501", None),
        ("601 234 501", None),
        ("601\u00a0234\u00a0501 zł", None),
        ("601,234,501.00", None),
        ("601.234.501,00 zł", None),
        ("6.01E+08", None),
        ("6,01E8", None),
        ("6E+08", None),
        ("+420 601 234 501", "+420 601 234 501"),
        ("+601234501", "+601234501"),
        ("60123450100%", "60123450100%"),
        ("601235", "601235"),
        ("###", "###"),
        (" ", ""),
    ],
)
def test_a_text_that_a_program_has_stored_as_shown_is_held_against_the_number(text: str, shown: str | None) -> None:
    assert shown_instead(text, float(NUMBER)) == shown


def test_zeros_behind_a_separator_may_be_a_group_or_decimals() -> None:
    assert shown_instead("601,000", 601000.0) is None
    assert shown_instead("601,000", 601.0) is None


@pytest.mark.parametrize("number", sorted({*range(50)} - {*range(5, 9), *range(23, 37), 41, 42, 43, 44}))
def test_the_numbered_formats_are_those_of_the_standard(number: int) -> None:
    """Hold them against the copy of openpyxl; what is left out differs only in signs around the number."""
    theirs = cell_format(builtin_format_code(number))
    ours = built_in_format(number)
    assert bool(ours.moment(45000.0)) == bool(theirs.moment(45000.0))
    for value in (float(NUMBER), float(-NUMBER), 5.0, 601234504.5):
        assert ours.moment(45000.0) or (ours.shown(value) or "").strip() == (theirs.shown(value) or "").strip()


@pytest.mark.parametrize("number", [*range(27, 37), *range(50, 59)])
def test_the_numbered_formats_of_the_far_east_are_dates(number: int) -> None:
    assert built_in_format(number).moment(45000.0) == "date"


@pytest.mark.parametrize("number", [37, 38, 39, 40, 41, 42, 43, 44])
def test_the_numbered_formats_of_amounts_show_the_number(number: int) -> None:
    form = built_in_format(number)
    assert [form.shown(float(value)) for value in (NUMBER, -NUMBER, 0)] == [None] * 3


def test_a_number_is_shown_as_it_is_from_as_many_digits_on_as_the_format_fills_up_with_zeros() -> None:
    filled = {"000 000": 6, "#00": 2, "#": 1, "0": 1, "General": 1}
    odd = dict.fromkeys(("0%", "[>5]0", r"\40", '"4"0', "+0"))
    assert {code: cell_format(code).plain_digits for code in filled | odd} == filled | odd
