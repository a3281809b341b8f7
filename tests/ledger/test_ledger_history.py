"""What earlier runs sent, read from their ledgers."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bulk_remove.core.model import Source
from bulk_remove.core.plan import CampaignPlan, Consent, Plan, SourcePlan, approve
from bulk_remove.core.summary import Ending
from bulk_remove.ledger import Planning, Sending, Store, create, opened_for_reading
from bulk_remove.run import past
from bulk_remove.run.past import RECENT_RUNS, EarlierRuns
from bulk_remove.run.prepare import counts_of
from bulk_remove.settings import Destination, Settings
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


def runs_before(state_dir: Path, source: Source = SOURCE, run_id: str = "9", campaigns: int = 2) -> EarlierRuns:
    """Return the runs before one to so many campaigns, which reads this source."""
    plans = tuple(of(1, f"{place + 1:05}") for place in range(campaigns))
    return EarlierRuns(state_dir, Plan(run_id, HOST, (SourcePlan(source, 1, 0, ()),), plans, 5.0))


def earlier(state_dir: Path) -> Mapping[str, Sequence[int]]:
    return runs_before(state_dir).known({})[0].earlier


def test_a_completed_run_tells_what_it_sent_to_each_campaign(tmp_path: Path) -> None:
    ran(tmp_path, "1", [of(7), of(3, "00002")], Ending.INTERRUPTED, Ending.DONE)
    assert earlier(tmp_path) == {"00001": (7,), "00002": (3,)}


@pytest.mark.parametrize(
    ("endings", "approved"),
    [((Ending.DONE, None), True), ((Ending.GUARD,), True), ((None,), True), ((), True), ((Ending.DONE,), False)],
    ids=["taken up again and killed", "stopped at the canary", "killed", "never sent", "never approved"],
)
def test_a_run_that_did_not_come_to_its_end_says_nothing_of_the_usual(
    tmp_path: Path, endings: tuple[Ending | None, ...], *, approved: bool
) -> None:
    ran(tmp_path, "1", [of(7)], *endings, approved=approved)
    assert earlier(tmp_path) == {}


def test_a_rerun_says_nothing_of_the_usual(tmp_path: Path) -> None:
    ran(tmp_path, "1", [of(7, settled=5)], Ending.DONE)
    assert earlier(tmp_path) == {}


def test_what_is_known_is_of_the_campaigns_and_the_server_in_question_alone(tmp_path: Path) -> None:
    ran(tmp_path, "1", [of(7), of(3, "00002")], Ending.DONE)
    ran(tmp_path, "2", [of(9), of(4, "00003")], Ending.DONE)
    ran(tmp_path, "3", [of(500)], Ending.DONE, host="other.thulium.com")
    ran(tmp_path, "4", [of(600)], Ending.INTERRUPTED)
    (tmp_path / "runs" / "5").mkdir()
    known, notes = runs_before(tmp_path).known({"00001": 50})
    assert (known.records, notes) == ({"00001": 50}, ())
    assert {campaign: sorted(sizes) for campaign, sizes in known.earlier.items()} == {"00001": [7, 9], "00002": [3]}


def test_a_ledger_that_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    ran(tmp_path, "1", [of(7)], Ending.DONE)
    ran(tmp_path, "2", [of(9)], Ending.DONE).write_bytes(b"no database" * 1000)
    known, (note,) = runs_before(tmp_path, campaigns=1).known({})
    assert known.usual("00001") == 7
    assert note == "1 earlier ledger could not be read and does not count in the usual numbers."


def test_a_session_that_cannot_be_read_hides_its_run_only_from_what_is_usual(tmp_path: Path) -> None:
    path = ran(tmp_path, "1", [of(7)], Ending.DONE)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE session")
    runs = runs_before(tmp_path)
    known, notes = runs.known({})
    assert (known.earlier, len(notes)) == ({}, 1)
    (told,) = runs.told(Settings("00001"))
    assert "run 1 of" in told


def test_each_ledger_is_opened_once_for_all_who_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1", "2", "3"):
        ran(tmp_path, name, [of(7)], Ending.DONE)
    opened = list[Path]()

    def opening(path: Path) -> AbstractContextManager[Store]:
        opened.append(path)
        return opened_for_reading(path)

    monkeypatch.setattr(past, "opened_for_reading", opening)
    runs = runs_before(tmp_path, replace(SOURCE, sha256="1" * 64), "3")
    for _ in range(2):
        runs.known({})
        assert [*runs.told(Settings("00001"))] == []
        assert not [run for run in runs if run.saved_plan == "20260101-000000-0000-00000000"]
    assert sorted(path.parent.name for path in opened) == ["1", "2"]


def test_the_latest_runs_say_what_is_usual(tmp_path: Path) -> None:
    for place in range(RECENT_RUNS + 5):
        ran(tmp_path, f"{place:03}", [of(1000 if place < 5 else 10)], Ending.DONE)
    known, _ = runs_before(tmp_path, campaigns=1).known({})
    assert known.earlier == {"00001": (10,) * RECENT_RUNS}
