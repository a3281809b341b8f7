"""The guards on the share of invalid rows, and on how much is asked of a campaign."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.limits import (
    FEW_INVALID,
    MAX_INVALID,
    NO_LIMITS,
    NOTHING_KNOWN,
    Known,
    Limits,
    check_invalid_share,
    check_limits,
    emptied,
    parse_share,
    unchecked,
)
from bulk_remove.errors import ExitCode, GuardStop, UsageError
from bulk_remove.language import ENGLISH, load_language, translated, use

PROBLEMS = (("The cell is empty.", 90), ("Letters in the cell.", 20), ("A date.", 8), ("Fewer than three digits.", 2))
EXAMPLES = [(row, "60*****55", "Letters in the cell.") for row in range(2, 10)]


def stops(rows: int, invalid: int, max_share: float = MAX_INVALID) -> bool:
    try:
        check_invalid_share(rows, invalid, (("The cell is empty.", invalid),), max_share, ())
    except GuardStop:
        return True
    return False


def test_the_stop_tells_figures_reasons_and_masked_examples() -> None:
    with pytest.raises(GuardStop) as caught:
        check_invalid_share(1050, 120, PROBLEMS, 0.05, EXAMPLES)
    error = caught.value
    assert error.exit_code is ExitCode.GUARD
    assert error.sentence == (
        "120 of 1,050 rows (11.5%) have no number that can be sent; the limit is 5%: 90 x The cell is empty; "
        "20 x Letters in the cell; 8 x A date; for example row 2 '60*****55', row 3 '60*****55', row 4 '60*****55', "
        "row 5 '60*****55', row 6 '60*****55'. Nothing was sent."
    )
    assert error.hint.endswith("let them through with --max-invalid 12%.")
    assert "plan" in error.hint


def test_without_examples_the_stop_has_a_whole_sentence() -> None:
    with pytest.raises(GuardStop, match=re.escape("60 x A date. Nothing was sent.")):
        check_invalid_share(100, 60, (("A date.", 60),), 0.05, ())


@pytest.mark.parametrize(
    ("rows", "invalid", "stopped"),
    [
        (12, 1, False),
        (100, 5, False),
        (100, 9, False),
        (100, 10, True),
        (200, 10, False),
        (199, 10, True),
        (10, 9, True),
        (3, 2, True),
        (2, 1, False),
        (18, 9, False),
        (1000, 0, False),
        (10, 10, False),
        (0, 0, False),
    ],
)
def test_a_few_bad_rows_stop_only_a_list_that_is_mostly_bad(rows: int, invalid: int, *, stopped: bool) -> None:
    assert stops(rows, invalid) is stopped


def test_a_share_of_nothing_lets_no_bad_row_through() -> None:
    assert stops(1000, 1, 0.0)
    assert not stops(1000, 0, 0.0)


@given(st.integers(1, 10_000_000), st.data())
def test_the_share_in_the_hint_lets_through_and_one_percent_less_does_not(rows: int, data: st.DataObject) -> None:
    invalid = data.draw(st.integers(0, rows - 1))
    try:
        check_invalid_share(rows, invalid, (("A date.", invalid),), 0.0, ())
    except GuardStop as stop:
        percent = int(stop.hint.rstrip(".").rpartition(" ")[2].rstrip("%"))
        assert not stops(rows, invalid, parse_share(f"{percent}%"))
        if percent > 1 and invalid >= FEW_INVALID:
            assert stops(rows, invalid, parse_share(f"{percent - 1}%"))
    else:
        assert invalid == 0


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("5%", 0.05),
        ("0.05", 0.05),
        (" 12.5 % ", 0.125),
        ("100%", 1.0),
        ("0", 0.0),
        ("0%", 0.0),
        ("29%", 0.29),
        (".5", 0.5),
        (".25", 0.25),
        ("0.1%", 0.001),
    ],
)
def test_a_share_is_read_exactly(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    "text", ["", "5", "1", "1.0", "101%", "-5%", "5%%", ".", ".%", "five", "1/20", "nan", "0,05", "1e-2", "\u0665%"]
)
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="max_invalid") as caught:
        parse_share(text)
    assert "5%" in caught.value.hint


def test_a_share_that_is_none_is_told_with_the_flag_it_was_given_with() -> None:
    with pytest.raises(UsageError, match="max_share is '2'"):
        parse_share("2", "--max-share")


KNOWN = Known({"00001": 1000, "00002": 0}, {"00001": (90, 10, 110), "00002": (10, 20)})


@pytest.mark.parametrize(
    ("limits", "sent", "flags"),
    [
        (NO_LIMITS, {"00001": 10**9}, None),
        (Limits(max_numbers=100), {"00001": 100, "00002": 100}, None),
        (Limits(max_numbers=100), {"00001": 101, "00002": 250}, "--max-numbers"),
        (Limits(), {"00001": 500}, None),
        (Limits(), {"00001": 501}, "--max-share"),
        (Limits(), {"00002": 501, "99999": 501}, None),  # nothing is there, or nobody knows how much
        (Limits(max_share=0.2), {"00001": 200}, None),
        (Limits(max_share=0.2), {"00001": 201}, "--max-share"),
        (Limits(max_share=0.29), {"00001": 290}, None),
        (Limits(max_share=0.001), {"00001": 2}, "--max-share"),
        (Limits(max_share=0.2), {"00001": 5000}, "--max-share"),
        (Limits(max_share=1.0), {"00001": 5000, "99999": 1}, None),
        (Limits(max_share=0.2), {"00002": 1}, "--max-share"),
        (Limits(max_share=0.2), {"99999": 0, "00002": 0}, None),
        (Limits(max_times_usual=5), {"00001": 450}, None),
        (Limits(max_share=1, max_times_usual=5), {"00001": 451}, "--max-times-usual"),
        (Limits(max_times_usual=5), {"00002": 76}, "--max-times-usual"),
        (Limits(max_times_usual=5), {"99999": 10**9}, None),
        (Limits(100, 0.2, 5), {"00001": 900}, "--max-numbers, --max-share, --max-times-usual"),
    ],
)
def test_a_campaign_over_a_limit_stops_with_the_flags_that_raise_it_but_no_ready_value(
    limits: Limits, sent: dict[str, int], flags: str | None
) -> None:
    if flags is None:
        check_limits(sent, limits, KNOWN)
        return
    with pytest.raises(GuardStop) as caught:
        check_limits(sent, limits, KNOWN)
    assert caught.value.exit_code is ExitCode.GUARD
    assert (
        caught.value.hint == f"Check file and campaign in the plan. If both are right, set a higher limit with {flags}."
    )


def test_the_stop_tells_each_limit_that_is_passed_with_its_figures() -> None:
    with pytest.raises(GuardStop) as caught:
        check_limits({"00001": 4000, "00002": 30}, Limits(2000, 0.2, 1.5), KNOWN)
    assert caught.value.sentence == (
        "4,000 numbers would be sent to campaign 00001; the limit is 2,000; 4,000 numbers are 400% of the 1,000 "
        "records of campaign 00001; the limit is 20%; 4,000 numbers are 44.5 times the 90 that a run of campaign "
        "00001 usually sends (median of 3); the limit is 1.5 times; and 2 more of this kind. Nothing was sent."
    )


def test_records_that_nobody_counted_never_pass_in_silence() -> None:
    with pytest.raises(GuardStop) as caught:
        check_limits({"00001": 1}, Limits(max_share=0.5), NOTHING_KNOWN)
    assert "the record count of campaign 00001 is not known, so --max-share 50% cannot be checked" in (
        caught.value.sentence
    )


def test_a_limit_that_could_not_be_checked_is_not_one_to_raise() -> None:
    right = "Give the API user the right to list the campaign's records, or leave --max-share out."
    with pytest.raises(GuardStop) as caught:
        check_limits({"00001": 1}, Limits(max_share=0.5), NOTHING_KNOWN)
    assert caught.value.hint == right
    with pytest.raises(GuardStop) as caught:
        check_limits({"00001": 5}, Limits(max_numbers=3, max_share=0.5), NOTHING_KNOWN)
    assert caught.value.hint.endswith(f"set a higher limit with --max-numbers. {right}")


def test_a_campaign_that_holds_nothing_is_told_as_such() -> None:
    with pytest.raises(GuardStop, match="more than all of the 0 records of campaign 00002"):
        check_limits({"00002": 3}, Limits(max_share=0.5), KNOWN)


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_the_share_that_is_told_is_not_less_than_that_which_is_asked_for(count: int, records: int) -> None:
    with pytest.raises(GuardStop) as caught:
        check_limits({"00001": count}, Limits(max_share=0.0), Known({"00001": records}))
    told = re.search(r"numbers? (?:is|are) ([0-9,.]+)% of", caught.value.sentence)
    assert told is not None
    share = float(told[1].replace(",", "")) / 100
    assert count / records <= share * (1 + 1e-9)
    assert share <= count / records + 0.01


@pytest.mark.parametrize(
    ("count", "campaign", "told"),
    [
        (999, "00001", False),
        (1000, "00001", True),
        (1001, "00001", True),
        (1, "00002", True),
        (0, "00002", False),
        (10**9, "99999", False),
    ],
)
def test_a_run_that_may_empty_a_campaign_is_told_of(count: int, campaign: str, *, told: bool) -> None:
    assert bool([*emptied({campaign: count}, KNOWN)]) is told


def test_the_usual_is_the_median_of_the_earlier_runs() -> None:
    assert KNOWN.usual("00001") == 90
    assert KNOWN.usual("00002") == 15
    assert KNOWN.usual("99999") is None


def test_a_campaign_without_earlier_runs_passes_and_is_named() -> None:
    limits = Limits(max_times_usual=5)
    assert unchecked(["00001"], limits, KNOWN) == ()
    assert unchecked(["00001", "99999"], NO_LIMITS, KNOWN) == ()
    (told,) = unchecked(["00001", "99999"], limits, KNOWN)
    assert told.startswith("No completed run of campaign 99999 is known on this machine: --max-times-usual")
    (many,) = unchecked(["1", "2", "3", "4"], limits, KNOWN)
    assert "campaign 1, 2, 3, ... is" in many


@pytest.mark.parametrize(
    ("count", "told"), [(100, "10%"), (1009, "100.9%"), (101, "10.1%"), (99, "9.9%"), (1, "0.1%"), (12, "1.2%")]
)
def test_a_share_is_told_with_one_decimal_from_a_tenth_on_and_more_precisely_below(count: int, told: str) -> None:
    with pytest.raises(GuardStop, match=rf"numbers? (?:is|are) {told} of the 1,000"):
        check_limits({"00001": count}, Limits(max_share=0.0), Known({"00001": 1000}))
    with pytest.raises(GuardStop, match=r"are 0.0334% of"):
        check_limits({"00001": 3}, Limits(max_share=0.0), Known({"00001": 9000}))


def test_one_breach_more_than_is_shown_is_counted() -> None:
    with pytest.raises(GuardStop, match=r"; and 1 more of this kind\. Nothing was sent\."):
        check_limits({"00001": 4000, "00002": 4000}, Limits(2000, 0.2), KNOWN)
    with pytest.raises(GuardStop) as caught:
        check_limits({"00001": 4000}, Limits(2000, 0.2, 1.5), KNOWN)
    assert "more of this kind" not in caught.value.sentence


def test_figures_have_a_decimal_comma_in_polish() -> None:
    use(load_language("pl"))
    try:
        with pytest.raises(GuardStop) as stop:
            check_limits(
                {"00001": 505}, Limits(max_share=0.1, max_times_usual=2), Known({"00001": 4000}, {"00001": [7]})
            )
        told = translated(stop.value.sentence)
        assert ("12,7%" in told, "72,2" in told, re.search(r"\d\.\d", told)) == (True, True, None)
        with pytest.raises(GuardStop) as stop:
            check_invalid_share(1050, 120, PROBLEMS, 0.05, EXAMPLES)
        assert "11,5%" in translated(stop.value.sentence)
    finally:
        use(ENGLISH)
