"""The guard on the share of invalid rows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.guards import FEW_INVALID, MAX_INVALID, check_invalid_share, parse_share
from bulk_remove.errors import ExitCode, GuardStop, UsageError

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
        "120 of 1,050 rows (11.5%) hold no number that can be sent, and at most 5% may: 90 x The cell is empty; "
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
        ("0.1%", 0.001),
    ],
)
def test_a_share_is_read_exactly(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    "text", ["", "5", "1", "1.0", "101%", "-5%", "5%%", "five", "1/20", "nan", "0,05", "1e-2", "\u0665%"]
)
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--max-invalid") as caught:
        parse_share(text)
    assert "5%" in caught.value.hint
