"""What earlier runs sent, read from their ledgers."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from bulk_remove.core.model import Source
from bulk_remove.core.plan import CampaignPlan, Consent, Plan, SourcePlan, approve
from bulk_remove.core.summary import Ending
from bulk_remove.errors import StorageError
from bulk_remove.ledger import Planning, Sending, completed_run, create
from bulk_remove.run.past import RECENT_RUNS, known_of
from bulk_remove.run.prepare import counts_of
from bulk_remove.settings import Destination
from tests.support.inline_journal import REQUEST

SOURCE = Source("numbers.csv", "", ("phone",), 0, "named 'phone'", "utf-8", "", "0" * 64, 0)
HOST = "acme.thulium.com"


def ran(
    state_dir: Path,
    name: str,
    campaigns: Sequence[CampaignPlan],
    *endings: Ending | None,
    host: str = HOST,
    approved: bool = True,
) -> Path:
    """Leave a ledger of a run with these times of sending; None is one that was killed."""
    folder = state_dir / "runs" / name
    folder.mkdir(parents=True)
    path = folder / "ledger.sqlite"
    with closing(create(path, name, "0", 0.0, REQUEST | {"destination": asdict(Destination(host=host))})) as store:
        planning = Planning(store)
        rows = sum(campaign.numbers for campaign in campaigns)
        plan = Plan(name, host, (SourcePlan(SOURCE, rows, 0, ()),), tuple(campaigns), 5.0)
        planning.add_source(SOURCE)
        planning.finish(counts_of(plan, ()))
        if approved:
            planning.approve(approve(plan, Consent.FLAG))
        for ending in endings:
            with store.transaction() as connection:
                sending = Sending(connection)
                session_no = sending.begin_session(1.0, {})
                if ending is not None:
                    sending.end_session(session_no, 2.0, ending.value)
    return path


def of(numbers: int, campaign: str = "00001", settled: int = 0) -> CampaignPlan:
    return CampaignPlan(campaign, numbers, 1, settled)


def test_a_completed_run_tells_its_server_and_what_it_sent_to_each_campaign(tmp_path: Path) -> None:
    path = ran(tmp_path, "1", [of(7), of(3, "00002")], Ending.INTERRUPTED, Ending.DONE)
    assert completed_run(path) == (HOST, {"00001": 7, "00002": 3})


@pytest.mark.parametrize(
    ("endings", "approved"),
    [((Ending.DONE, None), True), ((Ending.GUARD,), True), ((None,), True), ((), True), ((Ending.DONE,), False)],
    ids=["taken up again and killed", "stopped at the canary", "killed", "never sent", "never approved"],
)
def test_a_run_that_did_not_come_to_its_end_says_nothing_of_the_usual(
    tmp_path: Path, endings: tuple[Ending | None, ...], *, approved: bool
) -> None:
    assert completed_run(ran(tmp_path, "1", [of(7)], *endings, approved=approved)) is None


def test_a_rerun_says_nothing_of_the_usual(tmp_path: Path) -> None:
    assert completed_run(ran(tmp_path, "1", [of(7, settled=5)], Ending.DONE)) is None


def test_a_ledger_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="cannot be read"):
        completed_run(path)


def test_what_is_known_is_of_the_campaigns_and_the_server_in_question_alone(tmp_path: Path) -> None:
    ran(tmp_path, "1", [of(7), of(3, "00002")], Ending.DONE)
    ran(tmp_path, "2", [of(9), of(4, "00003")], Ending.DONE)
    ran(tmp_path, "3", [of(500)], Ending.DONE, host="other.thulium.com")
    ran(tmp_path, "4", [of(600)], Ending.INTERRUPTED)
    (tmp_path / "runs" / "5").mkdir()
    known, notes = known_of(tmp_path, HOST, ["00001", "00002", "00009"], {"00001": 50})
    assert (known.records, notes) == ({"00001": 50}, ())
    assert {campaign: sorted(sizes) for campaign, sizes in known.earlier.items()} == {"00001": [7, 9], "00002": [3]}


def test_a_ledger_that_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    ran(tmp_path, "1", [of(7)], Ending.DONE)
    ran(tmp_path, "2", [of(9)], Ending.DONE).write_bytes(b"no database" * 1000)
    known, (note,) = known_of(tmp_path, HOST, ["00001"], {})
    assert known.usual("00001") == 7
    assert note == "1 earlier ledger could not be read and does not count in the usual numbers."


def test_the_latest_runs_say_what_is_usual(tmp_path: Path) -> None:
    for place in range(RECENT_RUNS + 5):
        ran(tmp_path, f"{place:03}", [of(1000 if place < 5 else 10)], Ending.DONE)
    known, _ = known_of(tmp_path, HOST, ["00001"], {})
    assert known.earlier == {"00001": (10,) * RECENT_RUNS}
