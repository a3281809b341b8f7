from dataclasses import replace

import pytest

from bulk_remove.core.guards import Known, Limits
from bulk_remove.core.model import Source
from bulk_remove.core.plan import ApprovedPlan, CampaignPlan, Consent, Plan, SourcePlan, approve
from bulk_remove.errors import GuardStop, InputError, InvariantError

SOURCE = Source("numbers.csv", "", ("phone",), 0, "named 'phone'", "utf-8", ",", "0" * 64, 12)


def plan(rows: int, numbers: int, invalid: int = 0, duplicates: int = 0) -> Plan:
    source = SourcePlan(SOURCE, rows, duplicates, (("No digits.", invalid),) if invalid else ())
    return Plan("r1", "example.thulium.com", (source,), (CampaignPlan("00001", numbers, 3),), rate=2.0)


def test_a_plan_is_approved_by_approve_alone() -> None:
    made = plan(10, 7, 1, 2)
    assert approve(made, Consent.FLAG).plan is made
    with pytest.raises(InvariantError):
        ApprovedPlan(made, Consent.FLAG, object())


def test_a_plan_whose_rows_do_not_close_is_a_bug() -> None:
    with pytest.raises(InvariantError):
        approve(plan(10, 7, 1, 1), Consent.TYPED)


def test_a_plan_without_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="no phone number"):
        approve(plan(2, 0, invalid=2), Consent.CODE)


def test_a_plan_without_a_number_names_the_commonest_reason() -> None:
    empty = replace(plan(3, 0), sources=(SourcePlan(SOURCE, 3, 0, (("A date.", 2), ("The cell is empty.", 1))),))
    with pytest.raises(InputError) as caught:
        approve(empty, Consent.CODE)
    assert caught.value.sentence == "The input holds no phone number that could be sent. 2 of 3 rows: A date."


def test_empty_cells_count_apart_and_close_the_sum() -> None:
    source = SourcePlan(SOURCE, 10, 2, (("The cell is empty.", 4), ("A date.", 1)))
    made = replace(plan(10, 3), sources=(source,))
    assert (made.empty, made.invalid, made.problems) == (4, 1, (("A date.", 1),))
    assert approve(made, Consent.FLAG).plan is made


def test_the_least_duration_is_what_the_ceiling_allows() -> None:
    assert plan(10, 10).least_duration_s == 1.0


def test_what_an_earlier_run_settled_is_not_sent_again() -> None:
    again = replace(plan(10, 7, 1, 2), campaigns=(CampaignPlan("00001", 5, 1, 3), CampaignPlan("00002", 2, 1)))
    assert (again.numbers, again.settled, again.to_send, again.requests) == (7, 3, 4, 2)
    assert [campaign.to_send for campaign in again.campaigns] == [2, 2]
    assert again.campaign_ids == ("00001", "00002")


def test_the_reasons_of_all_files_are_counted_together_the_commonest_first() -> None:
    sources = (SourcePlan(SOURCE, 5, 0, (("A.", 2), ("B.", 1))), SourcePlan(SOURCE, 9, 1, (("B.", 4),)))
    made = replace(plan(1, 1), sources=sources)
    assert made.problems == (("B.", 5), ("A.", 2))
    assert (made.rows, made.invalid, made.duplicates) == (14, 7, 1)


def test_a_plan_over_its_limits_is_never_approved_whoever_asks() -> None:
    limited = replace(plan(10, 10), limits=Limits(max_share=0.5))
    known = Known({"00001": 20})
    assert approve(limited, Consent.CODE, known).known is known
    with pytest.raises(GuardStop, match="53% of the 19"):
        approve(limited, Consent.FLAG, Known({"00001": 19}))
    with pytest.raises(GuardStop, match="cannot be checked"):
        approve(limited, Consent.TYPED)


def test_the_limits_are_for_each_campaign_and_for_what_is_sent_alone() -> None:
    campaigns = (CampaignPlan("00001", 100, 1, settled=95), CampaignPlan("00002", 5, 1))
    limited = replace(plan(105, 105), campaigns=campaigns, limits=Limits(max_numbers=5))
    assert approve(limited, Consent.FLAG).plan is limited
    with pytest.raises(GuardStop, match="campaign 00002"):
        approve(replace(limited, limits=Limits(max_numbers=4)), Consent.FLAG)
