from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from bulk_remove.core.limits import Known, Limits
from bulk_remove.core.model import ON_KEEP_LIST, Source, Status, unsent_status
from bulk_remove.core.plan import (
    ApprovedPlan,
    CampaignPlan,
    Consent,
    Keep,
    KeepList,
    Plan,
    Sample,
    SourcePlan,
    approve,
    check_answer,
    only_short,
    passed,
    read_answer,
    rehearsal_told,
)
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


@pytest.mark.parametrize(
    "consent", [True, "the calling program", "--yes", 1, None, Mock()], ids=lambda it: type(it).__name__
)
def test_only_a_consent_approves_and_nothing_that_looks_like_one(consent: Any) -> None:
    with pytest.raises(TypeError, match="by a Consent"):
        approve(plan(10, 10), consent)


@pytest.mark.parametrize(
    "answer", [1, 1.0, "True", "yes", None, [True], np.True_, Mock()], ids=lambda it: type(it).__name__
)
def test_only_true_is_an_answer_that_approves_and_false_one_that_refuses(answer: object) -> None:
    with pytest.raises(TypeError, match="approve must return True or False, not "):
        check_answer(answer)
    check_answer(True)  # noqa: FBT003 - the answer
    with pytest.raises(GuardStop, match="not approved"):
        check_answer(False)  # noqa: FBT003 - likewise


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


VIP = Keep((KeepList("vip.csv", "0" * 64, 3),), rows=2, examples=(Sample(3, "60*****03", "kept"),))


def kept(rows: int, numbers: int, *, skips: bool) -> Plan:
    source = SourcePlan(SOURCE, rows, 0, ((ON_KEEP_LIST, rows - numbers),))
    return replace(plan(rows, numbers), sources=(source,), keep=replace(VIP, skips=skips))


def test_a_number_of_a_keep_list_is_never_sent_and_stops_the_run_unless_it_is_skipped() -> None:
    made = kept(10, 8, skips=True)
    assert (made.kept, made.invalid, made.problems) == (2, 0, ())
    assert approve(made, Consent.FLAG).plan is made
    with pytest.raises(GuardStop, match=r"2 rows hold numbers of a keep list \(vip.csv\): row 3 '60\*+03'"):
        approve(kept(10, 8, skips=False), Consent.FLAG)
    with pytest.raises(GuardStop):
        approve(kept(2, 0, skips=False), Consent.FLAG)
    with pytest.raises(InputError, match="All numbers of the input are on a keep list"):
        approve(kept(2, 0, skips=True), Consent.FLAG)


def test_what_a_keep_list_cannot_hold_back_is_said() -> None:
    made = replace(kept(10, 8, skips=True), additional_numbers=True)
    assert "removed all the same" in passed(made, Known())[0]
    assert passed(replace(made, keep=Keep()), Known()) == passed(kept(10, 8, skips=True), Known()) == ()


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
    with pytest.raises(GuardStop, match=r"52\.7% of the 19"):
        approve(limited, Consent.FLAG, Known({"00001": 19}))
    with pytest.raises(GuardStop, match="cannot be checked"):
        approve(limited, Consent.TYPED)


def test_the_limits_are_for_each_campaign_and_for_what_is_sent_alone() -> None:
    campaigns = (CampaignPlan("00001", 100, 1, settled=95), CampaignPlan("00002", 5, 1))
    limited = replace(plan(105, 105), campaigns=campaigns, limits=Limits(max_numbers=5))
    assert approve(limited, Consent.FLAG).plan is limited
    with pytest.raises(GuardStop, match="campaign 00002"):
        approve(replace(limited, limits=Limits(max_numbers=4)), Consent.FLAG)


@pytest.mark.parametrize(
    ("typed", "numbers", "meaning"),
    [
        *((word, 99, True) for word in ("y", "yes", "t", "tak", " TAK\n", "Yes\n")),
        *((word, 99, False) for word in ("", "\n", "n", "no", "nie", "NIE\n")),
        *((word, 99, None) for word in ("99", "yess", "ok", "1")),
        *((word, 8000, True) for word in ("8000", "8,000", "8 000", "8.000", "8'000", "8\u00a0000\n", " 8\u202f000 ")),
        *((word, 8000, False) for word in ("", "\n", "n", "nie")),
        *((word, 8000, None) for word in ("yes", "tak", "8", "80,00", "8,0,0,0", "8 00", "08000", "-8000", "8000.0")),
        ("1234,567", 1_234_567, None),
        ("1,234,567", 1_234_567, True),
        ("100", 100, True),
        ("yes", 100, None),
    ],
)
def test_few_numbers_take_a_yes_and_many_their_count_with_or_without_separators(
    typed: str, numbers: int, *, meaning: bool | None
) -> None:
    assert read_answer(typed, numbers) is meaning


def test_a_plan_that_may_empty_a_campaign_is_told_of_though_no_limit_stops_it() -> None:
    all_of_it = replace(plan(10, 10), limits=Limits(max_share=1))
    (told,) = passed(all_of_it, Known({"00001": 10}))
    assert told == "10 numbers for the 10 records of campaign 00001: the run may empty it."
    assert passed(all_of_it, Known({"00001": 11})) == ()


def test_a_plan_is_confirmed_when_the_records_of_each_campaign_show_its_forms() -> None:
    seen = CampaignPlan("00001", 5, 1, held={"plus": 3}, confirmed=True)
    assert replace(plan(10, 5), campaigns=(seen,)).confirmed
    assert not replace(plan(10, 7), campaigns=(seen, CampaignPlan("00002", 2, 1))).confirmed


@pytest.mark.parametrize(
    ("host", "stand_in", "told"),
    [
        ("acme.thulium.com", False, ""),
        ("acme.thulium.com", True, "A rehearsal: acme.thulium.com is a stand-in for Thulium"),
        ("127.0.0.1:8080", True, "A rehearsal: 127.0.0.1:8080 is a stand-in for Thulium"),
        ("127.0.0.1:8080", False, "127.0.0.1:8080 is this machine: unless a tunnel leads"),
        ("[::1]:8080", False, "[::1]:8080 is this machine: unless a tunnel leads"),
    ],
)
def test_a_server_that_is_not_thulium_or_may_not_be_is_named(host: str, stand_in: bool, told: str) -> None:
    made = replace(plan(1, 1), host=host, stand_in=stand_in)
    assert rehearsal_told(made).startswith(told)
    assert bool(rehearsal_told(made)) == bool(made.rehearsal) == bool(told)


def test_a_plan_without_a_row_names_no_reason() -> None:
    with pytest.raises(InputError) as caught:
        approve(plan(0, 0), Consent.CODE)
    assert caught.value.sentence == "The input holds no phone number that could be sent."


def test_a_campaign_is_told_with_its_name_where_it_is_known_and_harmless() -> None:
    made = CampaignPlan("00001", 1, 1)
    assert made.told == "00001"
    assert replace(made, name="Opt-outs\x1b[2J\n601234555").told == "00001 'Opt-outs?[2J 60*****55'"


def test_only_what_is_on_a_keep_list_is_kept() -> None:
    assert (unsent_status(ON_KEEP_LIST), unsent_status("A date.")) == (Status.KEPT, Status.INVALID)


def test_a_column_of_short_numbers_only_is_doubted_by_its_name() -> None:
    assert only_short(replace(SOURCE, header=("kwota",))).startswith("Column 'kwota' holds no whole phone number")
