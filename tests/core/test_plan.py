from dataclasses import replace

import pytest

from bulk_remove.core.plan import ApprovedPlan, CampaignPlan, Consent, Plan, approve
from bulk_remove.errors import InputError, InvariantError


def plan(rows: int, numbers: int, invalid: int = 0, duplicates: int = 0) -> Plan:
    campaigns = (CampaignPlan("00001", numbers, 3),)
    return Plan("r1", "example.thulium.com", (), rows, invalid, duplicates, campaigns, (), (), rate=2.0)


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


def test_the_least_duration_is_what_the_ceiling_allows() -> None:
    assert plan(10, 10).least_duration_s == 1.0


def test_what_an_earlier_run_settled_is_not_sent_again() -> None:
    assert replace(plan(10, 7, 1, 2), settled=3).to_send == 4
