from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.simulator.world import (
    Call,
    Habits,
    HeldNumbers,
    ListedCampaign,
    OnDemandCampaign,
    Record,
    Removal,
    World,
    records_of,
)

NUMBERS = tuple(f"{601_000_000 + count}" for count in range(4000))


def remove(campaign: ListedCampaign | OnDemandCampaign, *numbers: str, now_s: float = 0.0) -> Removal:
    return campaign.remove(numbers, now_s, additional=False)


def test_every_record_of_a_number_is_removed_and_only_its_own() -> None:
    campaign = ListedCampaign("00001", [Record(1, "441"), Record(2, "442"), Record(3, "441")])
    assert remove(campaign, "441", "443") == Removal(("441", "443"), {"441": (1, 3)}, {})
    assert [record.record_id for record in campaign.records] == [2]
    assert remove(campaign, "441").removed == {}


def test_a_record_in_a_call_stays_while_its_duplicate_goes() -> None:
    campaign = ListedCampaign("00001", [Record(1, "441", calls=(Call(10.0, 20.0),)), Record(2, "441")])
    done = remove(campaign, "441", now_s=10.0)
    assert (done.removed, done.in_call) == ({"441": (2,)}, {"441": (1,)})


@pytest.mark.parametrize(
    ("now_s", "removed"), [(9.9, True), (10.0, False), (19.9, False), (20.0, True), (35.0, False), (40.0, True)]
)
def test_calls_begin_and_end_with_the_clock(now_s: float, removed: bool) -> None:
    record = Record(1, "441", calls=(Call(10.0, 20.0), Call(30.0, 40.0)))
    assert bool(remove(ListedCampaign("00001", [record]), "441", now_s=now_s).removed) is removed


@pytest.mark.parametrize(
    "campaign",
    [
        ListedCampaign("00001", [Record(1, "441", busy_for_s=30.0)]),
        OnDemandCampaign("00001", Habits(busy_share=1.0, busy_for_s=30.0)),
    ],
    ids=["listed", "on demand"],
)
def test_a_busy_record_is_free_so_many_seconds_after_it_was_first_asked_for(
    campaign: ListedCampaign | OnDemandCampaign,
) -> None:
    assert remove(campaign, "441", now_s=100.0).in_call == {"441": (1,)}
    assert remove(campaign, "441", now_s=129.9).in_call == {"441": (1,)}
    assert remove(campaign, "441", now_s=130.0).removed == {"441": (1,)}
    assert remove(campaign, "441", now_s=131.0) == Removal(("441",), {}, {})


def test_additional_numbers_are_looked_at_only_when_asked_for_and_what_went_so_is_known() -> None:
    campaign = ListedCampaign("00001", [Record(1, "441", ("500600700", "441")), Record(2, "500600700")])
    plain = campaign.remove(("500600700",), 0.0, additional=False)
    assert (plain.removed, plain.through_additional) == ({"500600700": (2,)}, {})
    wider = campaign.remove(("500600700",), 0.0, additional=True)
    assert wider.removed == wider.through_additional == {"500600700": (1,)}
    assert campaign.remove(("441",), 0.0, additional=True).removed == {}


def test_a_record_that_carries_a_number_twice_is_removed_once() -> None:
    campaign = ListedCampaign("00001", [Record(1, "441", ("441", "442"))])
    assert campaign.remove(("441", "442"), 0.0, additional=True) == Removal(("441", "442"), {"441": (1,)}, {})


def test_a_number_is_found_as_it_is_written_in_the_campaign_and_in_no_other_way() -> None:
    campaign = ListedCampaign("00001", [Record(1, "48601234555"), Record(2, "+48601234556")])
    assert remove(campaign, "+48601234555", "601234555", "48601234556").removed == {}
    assert remove(campaign, "48601234555", "+48601234556").removed == {"48601234555": (1,), "+48601234556": (2,)}


@pytest.mark.parametrize("form", [(("e164", 1.0),), (("zeros", 8.0), ("national", 2.0)), (("spaced", 1.0),)])
def test_a_campaign_holds_its_numbers_in_the_forms_it_was_told_however_they_were_written_before(
    form: tuple[tuple[str, float], ...],
) -> None:
    habits = Habits(seed=2, forms=form)
    written = [habits.written(number) for number in NUMBERS]
    leads = Counter(number.replace(" ", "")[:-9] for number in written)
    shares = {"e164": "+48", "zeros": "0048", "national": "", "spaced": ""}
    for name, weight in form:
        share = weight / sum(weight for _, weight in form)
        assert leads[shares[name]] / len(NUMBERS) == pytest.approx(share, abs=0.03)
    assert [habits.written(f"0048{number}") for number in NUMBERS] == written
    assert habits.written("441") == "441"
    on_demand = OnDemandCampaign("00001", habits)
    listed = [record.phone_number for record in on_demand.page(100, 999_950)]
    assert len(listed) == 50
    found = [number for number, held in zip(NUMBERS, written, strict=True) if number == held]
    assert [*remove(on_demand, *NUMBERS).removed] == found
    if " " not in listed[0]:
        assert [*remove(on_demand, *listed).removed] == listed


def test_a_world_knows_its_campaigns_by_identifier() -> None:
    campaign = ListedCampaign("00001", [])
    assert World([campaign]).campaign("00001") is campaign
    assert World([campaign]).campaign("1") is None


def test_on_demand_every_number_exists_once_and_is_gone_afterwards() -> None:
    campaign = OnDemandCampaign("00001", Habits(), records_count=5000)
    assert set(remove(campaign, *NUMBERS).removed) == set(NUMBERS)
    assert campaign.records_count == 1000
    assert remove(campaign, *NUMBERS).removed == {}


def test_on_demand_a_number_with_other_zeros_in_front_is_another_number() -> None:
    campaign = OnDemandCampaign("00001", Habits())
    assert set(remove(campaign, "441", "0441", "00441").removed) == {"441", "0441", "00441"}


def test_shares_come_out_as_they_were_set_and_do_not_depend_on_one_another() -> None:
    fates = [Habits(7, 0.2, 60.0, 0.3, 0.1).fate(number) for number in NUMBERS]
    existing = [fate for fate in fates if fate.exists]
    busy = [fate for fate in existing if fate.busy_for_s]
    assert len(existing) / len(fates) == pytest.approx(0.9, abs=0.02)
    assert len(busy) / len(existing) == pytest.approx(0.2, abs=0.02)
    assert sum(fate.records == 2 for fate in busy) / len(busy) == pytest.approx(0.3, abs=0.06)


def test_a_seed_decides_the_world_whatever_the_order_of_asking() -> None:
    habits = Habits(seed=3, busy_share=0.3, duplicate_share=0.3, absent_share=0.3)
    one, other = OnDemandCampaign("00001", habits), OnDemandCampaign("00001", habits)
    forwards, backwards = remove(one, *NUMBERS), remove(other, *reversed(NUMBERS))
    assert forwards.in_call.keys() == backwards.in_call.keys()
    assert {n: len(ids) for n, ids in forwards.removed.items()} == {n: len(ids) for n, ids in backwards.removed.items()}
    different = remove(OnDemandCampaign("00001", Habits(4, 0.3, 60.0, 0.3, 0.3)), *NUMBERS)
    assert different.in_call.keys() != forwards.in_call.keys()


def test_a_listed_and_an_on_demand_campaign_agree_on_the_fate_of_every_number() -> None:
    habits = Habits(seed=9, busy_share=0.3, duplicate_share=0.3, absent_share=0.3)
    listed = ListedCampaign("00001", records_of([(number, ()) for number in NUMBERS], habits))
    on_demand = OnDemandCampaign("00001", habits)
    for now_s in (0.0, 59.0, 60.0, 61.0):
        assert remove(listed, *NUMBERS, now_s=now_s) == remove(on_demand, *NUMBERS, now_s=now_s)


@pytest.mark.parametrize(
    "setting",
    [{"busy_share": 1.1}, {"absent_share": -0.1}, {"busy_for_s": -1.0}],
    ids=lambda setting: next(iter(setting)),
)
def test_habits_that_cannot_be_are_refused_by_name(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        Habits(**setting)  # type: ignore[arg-type]  # each of these settings is a float


@pytest.mark.parametrize("form", [("plus", 1.0), ("e164", 0.0), ("e164", -1.0)])
def test_a_form_that_there_is_not_is_refused(form: tuple[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{form[0]} is not a form"):
        Habits(forms=(form,))


@given(st.lists(st.from_regex(r"[0-9]{3,5}", fullmatch=True)))
def test_the_set_of_numbers_is_a_set(numbers: list[str]) -> None:
    seen: set[str] = set()
    kept = HeldNumbers()
    for number in numbers:
        assert kept.add(number) is (number not in seen)
        seen.add(number)
