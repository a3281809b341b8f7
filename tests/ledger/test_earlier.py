"""The numbers that earlier runs removed, read from their ledgers."""

from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import Phase
from bulk_remove.core.model import NumberState, Source
from bulk_remove.core.plan import CampaignPlan, Consent, Plan, SourcePlan, approve
from bulk_remove.errors import UnavailableError
from bulk_remove.ledger import Planning, Removals, aside, create
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.prepare import counts_of
from bulk_remove.settings import Destination
from tests.support.inline_journal import REQUEST

SOURCE = Source("numbers.csv", "", ("phone",), 0, "named 'phone'", "utf-8", "", "0" * 64, 0)
HOST = "acme.thulium.com"
Numbers = Iterable[tuple[str, str, NumberState]]


def state(phase: Phase, removed: int = 0, answered_at_s: float = 50.0) -> NumberState:
    return NumberState(phase, removed, answered_at_s=answered_at_s)


REMOVED = state(Phase.REMOVED, 1)


def ran(folder: Path, name: str, numbers: Numbers, *, host: str = HOST, approved: bool = True) -> Path:
    """Leave a ledger of a run with numbers as (campaign, number, state)."""
    (folder / "runs" / name).mkdir(parents=True)
    path = folder / "runs" / name / "ledger.sqlite"
    with closing(create(path, name, "0", 0.0, REQUEST | {"destination": asdict(Destination(host=host))})) as store:
        planning = Planning(store)
        planning.add_source(SOURCE)
        campaigns = [CampaignPlan(campaign, count, 1) for campaign, count in planning.add_carried(numbers).items()]
        rows = sum(campaign.numbers for campaign in campaigns)
        plan = Plan(name, host, (SourcePlan(SOURCE, rows, 0, ()),), tuple(campaigns), 5.0)
        planning.finish(counts_of(plan, ()))
        if approved:
            planning.approve(approve(plan, Consent.FLAG))
    return path


def found(state_dir: Path, *numbers: str, campaign: str = "00001") -> list[str]:
    campaigns = tuple(CampaignPlan(each, 1, 1) for each in ("00001", "00002"))
    runs = EarlierRuns(state_dir, Plan("9", HOST, (), campaigns, 5.0), 100.0)
    return [numbers[place] for place in runs.removals.places(campaign, numbers)]


def test_only_what_a_run_removed_for_sure_and_before_counts(tmp_path: Path) -> None:
    states = {
        "601000001": REMOVED,
        "601000002": state(Phase.REMOVED_AT_LEAST, 1),
        "601000003": state(Phase.PRESUMED_REMOVED),
        "601000004": state(Phase.NOT_EXIST),
        "601000005": state(Phase.BUSY, 1),
        "601000006": state(Phase.REMOVED, 1, answered_at_s=100.0),
        "601000007": state(Phase.IN_DOUBT, answered_at_s=0.0),
    }
    ran(tmp_path, "1", [("00001", number, each) for number, each in states.items()])
    assert found(tmp_path, *states, "601000009") == ["601000001", "601000002"]


def test_spellings_campaigns_and_servers_are_told_apart(tmp_path: Path) -> None:
    ran(tmp_path, "1", [("00001", "48601000001", REMOVED), ("00002", "601000002", REMOVED)])
    ran(tmp_path, "2", [("00001", "601000003", REMOVED)], host="other.thulium.com")
    ran(tmp_path, "3", [("00001", "601000004", REMOVED)], approved=False)
    ran(tmp_path, "4", [("00003", "601000005", REMOVED)])
    ran(tmp_path, "9", [("00001", "601000006", REMOVED)])
    numbers = ("48601000001", "+48601000001", "601000001", *(f"60100000{digit}" for digit in range(2, 7)))
    assert found(tmp_path, *numbers) == ["48601000001"]
    assert found(tmp_path, *numbers, campaign="00002") == ["601000002"]
    assert found(tmp_path, *numbers, campaign="00003") == []
    assert found(tmp_path) == []


def test_a_ledger_that_cannot_be_read_hides_only_itself(tmp_path: Path) -> None:
    ran(tmp_path, "2", [("00001", "601000002", REMOVED)]).write_bytes(b"no database" * 1000)
    ran(tmp_path, "1", [("00001", "601000001", REMOVED)])
    assert found(tmp_path, "601000001", "601000002") == ["601000001"]


def test_at_most_so_many_numbers_are_looked_through_the_latest_runs_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in (1, 2, 3):
        ran(tmp_path, str(run), [("00001", f"60100000{run}", REMOVED)])
    monkeypatch.setattr(aside, "MOST_NUMBERS", 2)
    assert found(tmp_path, "601000001", "601000002", "601000003") == ["601000002", "601000003"]


def test_without_earlier_runs_nothing_is_removed_again(tmp_path: Path) -> None:
    assert found(tmp_path, "601000001") == []


def test_a_shared_state_that_is_away_costs_the_marks_and_not_the_report() -> None:
    def away() -> Iterable[tuple[Path, Collection[str]]]:
        raise UnavailableError("The database of --state does not answer.", "Check it.")

    assert not Removals(away, 100.0)
