import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.cell_formats import kept_as_text, read_as_text


@pytest.mark.parametrize(
    "cell", ["601234555", "0048601234555", "+48 601 234 555", "00001", "4.86E+10", "1-2", "12/05", "1" * 255]
)
def test_what_excel_would_turn_into_a_number_or_a_date_is_kept_as_text(cell: str) -> None:
    assert kept_as_text(cell) == f'="{cell}"'
    assert read_as_text(kept_as_text(cell)) == cell


@pytest.mark.parametrize(
    "cell",
    ["", "brak", "'=1+1", '="1"', '1"&A1&"', "=1", "1;2", "1\n2", "1\t", "@1", "1|2", "1!A1", "1" * 256],
    ids=repr,
)
def test_nothing_that_could_break_out_of_the_quotes_or_is_too_long_is_put_between_them(cell: str) -> None:
    assert kept_as_text(cell) == cell


@given(st.text(st.sampled_from("01aE+-=\" '@;\n")))
def test_what_stands_between_the_quotes_is_never_a_formula(cell: str) -> None:
    kept = kept_as_text(cell)
    if kept != cell:
        assert kept == f'="{cell}"'
        assert not {*cell} & {*"\"'=@;\n"}


@given(st.text(st.sampled_from('01aE+-" ')))
def test_a_cell_of_a_report_reads_back_as_it_was(cell: str) -> None:
    assert read_as_text(kept_as_text(cell)) == cell
