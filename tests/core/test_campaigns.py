import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.conditions import campaign_names, is_campaign, names_campaigns, other_campaigns, read_campaign
from bulk_remove.errors import UsageError
from bulk_remove.settings import Settings


@pytest.mark.parametrize(
    ("cell", "campaign"), [("00001", "00001"), (" aB12x\n", "aB12x"), ("'00001", "00001"), ("\u00a0'00001 ", "00001")]
)
def test_five_letters_or_digits_are_a_campaign_zeros_and_all(cell: str, campaign: str) -> None:
    assert read_campaign(cell) == (campaign, "")


@pytest.mark.parametrize(
    "cell", ["1", "0001", "000001", "1.0", "00001.", "0000\u0661", "zażół", "00 01", "''0001", "00001,00002", "1E+04"]
)
def test_anything_else_is_refused_and_never_filled_up(cell: str) -> None:
    assert read_campaign(cell) == ("", "The campaign is not five letters or digits.")


@pytest.mark.parametrize("cell", ["", " ", "'", "\u00a0\n"])
def test_a_blank_cell_names_no_campaign(cell: str) -> None:
    assert read_campaign(cell) == ("", "No campaign in the row.")


@given(st.text(max_size=8))
def test_a_cell_is_a_campaign_or_has_a_problem_without_digits(cell: str) -> None:
    campaign, problem = read_campaign(cell)
    assert bool(campaign) is not bool(problem)
    assert not campaign or is_campaign(campaign)
    assert not re.search(r"\d", problem)


@given(st.text(max_size=6))
def test_the_flag_goes_by_the_same_rule(text: str) -> None:
    if not text:
        with pytest.raises(UsageError, match="No campaign is given"):
            Settings(text)
    elif is_campaign(text):
        assert Settings(text).campaign == text
    else:
        with pytest.raises(UsageError, match="campaign"):
            Settings(text)


@pytest.mark.parametrize(
    "name",
    [
        *["kampania", "Kampanie", "campaign", "campaign_id", "Campaign ID", "outbound", "ID kampanii", "nr kampanii"],
        *["nazwa kampanii", "campaign_name", "Kampania - nazwa", "Campaign title"],
        *["KAMPANIA_ID", "outbound_campaign", "id", "kod kampanii", "Thulium campaign", "telefon", "kampania 2026"],
        *["campaign_priority", "data kampanii", "utm_campaign", ""],
    ],
)
def test_a_column_of_campaigns_is_known_by_its_name(name: str) -> None:
    others = {"id", "telefon", "kampania 2026", "campaign_priority", "data kampanii", "utm_campaign", ""}
    assert names_campaigns(name) is (name not in others)


@pytest.mark.parametrize(
    ("cells", "campaign", "others"),
    [
        (["00001", " 00001 ", "", "'00001"], "00001", []),
        (["00001", "00002", "", "00003"], "00001", ["00002", "00003"]),
        (["00002"], "00001", ["00002"]),
        (["1", "2"], "00001", ["2"]),  # a spreadsheet took the zeros
        (["1", ""], "00001", []),
        (["00002", "1"], "00001", ["00002"]),
        (["00001", "3"], "00001", ["3"]),
        (["2", "3"], "00001", ["2", "3"]),
        (["2.0"], "00001", ["2"]),
        (["2,00", "1.0"], "00001", ["2"]),
        (['="00002"', '="00001"'], "00001", ["00002"]),
        (["'2"], "00001", ["2"]),
        (["0001", "012"], "00001", ["012"]),
        (["12"], "00012", []),
        (["2"], "ABCDE", ["2"]),
        (["2.5", "-2", "123456", "0", "0.0", "00000"], "00001", ["00000"]),
        (["1", "0"], "00001", []),
        (["Lipca", "Promo"], "00001", []),
        (["A0001", "Promo"], "00001", ["A0001"]),
        (["ABCDE", "VWXYZ"], "ABCDE", ["VWXYZ"]),
        (["Wiosna 2026", "x"], "00001", []),
        (["\u00b2\u00b2\u00b2\u00b2\u00b2", "12345678"], "00001", []),
    ],
)
def test_cells_that_name_another_campaign_are_found(cells: list[str], campaign: str, others: list[str]) -> None:
    assert other_campaigns(cells, campaign) == others


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["Windykacja B", " Windykacja B", "", "Promo"], ["Promo", "Windykacja B"]),
        (["1", "00001", "1.0", '="00001"', "0", ""], []),
        (["2", "00002", "A0001"], []),
        (["123456", "Wiosna 2026"], ["123456", "Wiosna 2026"]),
    ],
)
def test_cells_that_may_be_the_names_of_campaigns_are_found(cells: list[str], names: list[str]) -> None:
    assert campaign_names(cells, "00001") == names
