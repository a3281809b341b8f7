"""--campaign all, or several: each number is asked for in each campaign, in one run with one report."""

import csv
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bulk_remove import (
    GuardStop,
    InputError,
    RefusedError,
    Server,
    Settings,
    Status,
    UsageError,
    plan_files,
    remove_files,
    rerun,
    resume,
    run_plan,
)
from bulk_remove.simulator.api import Operation, Rules
from bulk_remove.simulator.server import Simulator, read_audit, running
from bulk_remove.simulator.world import ListedCampaign, Record, World
from tests.support.processes import Running, bulk_remove, report_of, simulator, started
from tests.support.terminal import at_a_terminal

NUMBERS = [str(500_000_000 + index) for index in range(40)]
CELLS = [*NUMBERS, "brak", NUMBERS[3]]
THREE = ("00001", "00002", "abcde")
BIG = tuple(Record(10_000 + index, str(700_000_000 + index)) for index in range(200))


SOON = ("--busy-delay", "300ms")


def listed(folder: Path, cells: Sequence[str] = CELLS) -> Path:
    source = folder / "erasure.csv"
    source.write_text("telefon\n" + "\n".join(cells), encoding="utf-8")
    return source


def world() -> World:
    """Three campaigns: one has all the numbers, one has half of them in another form, one has none."""
    return World(
        [
            ListedCampaign("00001", [*BIG, *(Record(place, each) for place, each in enumerate(NUMBERS))]),
            ListedCampaign("00002", [*BIG, *(Record(place, f"+48{each}") for place, each in enumerate(NUMBERS[::2]))]),
            ListedCampaign("abcde", BIG),
        ]
    )


def server_at(simulator: Simulator, folder: Path) -> Server:
    return Server(simulator.url, "demo", "demo-password", folder / "state")


def asked_in(simulator: Simulator) -> dict[str, set[str]]:
    asked: defaultdict[str, set[str]] = defaultdict(set)
    for entry in simulator.audit:
        if entry.method == "DELETE":
            asked[entry.campaign].update(entry.asked)
    return dict(asked)


async def test_every_number_is_asked_for_in_every_campaign_and_has_its_verdict_in_each(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        finished = await remove_files(
            listed(tmp_path),
            Settings("all", rate=200.0),
            server_at(simulator, tmp_path),
            approve=lambda plan: (plan.to_send, plan.campaign_ids) == (3 * len(NUMBERS), THREE),
            output=tmp_path / "report.csv",
        )
    assert {campaign: {each[-9:] for each in asked} for campaign, asked in asked_in(simulator).items()} == {
        campaign: {*NUMBERS} for campaign in THREE
    }
    rows = report_of(tmp_path)
    assert [row["row"] for row in rows] == [str(place + 2) for place in range(len(CELLS)) for _ in THREE]
    assert [row["input"] for row in rows] == [cell for cell in CELLS for _ in THREE]
    assert [row["campaign"] for row in rows[:6]] == [*THREE, *THREE]
    for row in rows[:120]:
        there = {"00001": True, "00002": int(row["number"][-9:]) % 2 == 0, "abcde": False}[row["campaign"]]
        assert row["status"] == ("REMOVED" if there else "NOT_EXIST"), row
        assert row["removed_records"] == str(int(there))
    assert {row["status"] for row in rows[120:123]} == {"INVALID"}
    assert {row["duplicate_of_row"] for row in rows[123:]} == {"5"}
    assert finished.exit_code == 0
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert summary["campaigns"] == [*THREE]
    assert summary["settings"]["campaign"] == ",".join(THREE)
    assert summary["rows"] == sum(summary["rows_by_status"].values()) == 3 * len(CELLS)
    assert [each["removed"] for each in summary["records_by_campaign"]] == [40, 20, 0]


async def test_several_campaigns_may_be_named_and_the_others_are_left_alone(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        settings = Settings("abcde,00001", rate=200.0)
        finished = await remove_files(
            listed(tmp_path), settings, server_at(simulator, tmp_path), approve=lambda _: True
        )
        assert {*asked_in(simulator)} == {"abcde", "00001"}
    assert finished.by_status[Status.REMOVED] == 41


async def test_the_limits_hold_for_each_campaign_by_itself(tmp_path: Path) -> None:
    small = World([*world().campaigns[:2], ListedCampaign("small", [Record(1, "600000000"), Record(2, "600000001")])])
    async with running(small) as simulator:
        for limit in ({}, {"max_numbers": 39}, {"max_share": 0.1}):
            with pytest.raises(GuardStop, match="campaign small" if not limit else "campaign 00001"):
                await remove_files(
                    listed(tmp_path),
                    Settings("all", rate=200.0, **limit),
                    server_at(simulator, tmp_path),
                    approve=lambda _: True,
                )
        await remove_files(
            listed(tmp_path),
            Settings("all", rate=200.0, max_share=1.0),
            server_at(simulator, tmp_path),
            approve=lambda _: True,
        )
    assert {*asked_in(simulator)} == {"00001", "00002", "small"}


async def test_a_few_invalid_rows_are_no_more_reason_to_stop_than_in_one_campaign(tmp_path: Path) -> None:
    cells = [*NUMBERS, *["brak"] * 8]
    async with running(world()) as simulator:
        for campaign in ("00001", "all"):
            plan = await plan_files(
                listed(tmp_path, cells), Settings(campaign, rate=200.0), server_at(simulator, tmp_path)
            )
            assert plan.invalid == 8 * len(plan.campaigns)
        finished = await remove_files(
            listed(tmp_path, cells), Settings("all", rate=200.0), server_at(simulator, tmp_path), approve=lambda _: True
        )
    assert finished.by_status[Status.INVALID] == 24


async def test_a_campaign_whose_records_are_not_listed_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(world()) as simulator:
        lists = simulator.world.campaign
        monkeypatch.setattr(simulator.world, "campaign", lambda each: None if each == "abcde" else lists(each))
        place, plan, output = server_at(simulator, tmp_path), tmp_path / "plan.json", tmp_path / "report.csv"
        source = listed(tmp_path)
        await plan_files(source, Settings("all", rate=200.0), place, save=plan)
        for made in (
            await remove_files(
                source, Settings("all", rate=200.0), place, approve=lambda _: True, output=output, also=["html"]
            ),
            await rerun(output, place, approve=lambda _: True, output=tmp_path / "again.csv"),
            await rerun(min((tmp_path / "state" / "runs").iterdir()).name, place, approve=lambda _: True),
            await run_plan(plan, place, approve=lambda _: True),
        ):
            summary = json.loads(made.summary.read_text(encoding="utf-8"))
            by_report = made.report.name == "again.csv"  # a report does not say so
            assert summary["campaigns_left_out"] == ([] if by_report else ["abcde 'Stand-in abcde'"])
        assert {*asked_in(simulator)} == {"00001", "00002"}
    assert "Left out: campaign abcde" in caplog.text
    assert "That campaign abcde" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("forbidden", [{Operation.CAMPAIGNS, Operation.STATS}])
async def test_who_may_not_list_campaigns_is_told_to_name_them(tmp_path: Path, forbidden: set[Operation]) -> None:
    async with running(world(), rules=Rules(forbidden=frozenset(forbidden))) as simulator:
        with pytest.raises(RefusedError, match="name the campaigns with campaign"):
            await plan_files(listed(tmp_path), Settings("all"), server_at(simulator, tmp_path))
    with pytest.raises(UsageError, match="needs a server"):
        await plan_files(listed(tmp_path), Settings("all"), state_dir=tmp_path)


async def test_a_file_with_its_own_campaigns_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon,kampania\n" + "\n".join(f"{each},00001" for each in NUMBERS), encoding="utf-8")
    async with running(world()) as simulator:
        with pytest.raises(InputError, match="names other campaigns"):
            await plan_files(source, Settings("00001,00002"), server_at(simulator, tmp_path))


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    """Start a server on which some numbers are in a call for a second; on a server that is "calm" none is."""
    (tmp_path / "server").mkdir()
    names = [word for campaign in THREE for word in ("--campaign", campaign)]
    busy = () if getattr(request, "param", "") == "calm" else ("--busy-share", "0.3", "--busy-seconds", "1")
    with simulator(tmp_path / "server", *names, *busy) as running:
        yield running


def run(server: Running, folder: Path, *words: str | Path) -> tuple[str | Path, ...]:
    own = ("--url", server.url, "--user", "demo", "--state-dir", folder / "state", "-c", "all")
    return ("run", *words, *own, "-o", folder / "report.csv", "--rate", "100", "--busy-delay", "300ms")


def removed(server: Running) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for entry in read_audit(server.audit):
        for number, ids in entry.removed.items():
            counted[entry.campaign, number] += len(ids)
    return counted


def check_report(server: Running, folder: Path, name: str = "report.csv") -> None:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["number"] and not row["duplicate_of_row"]]
    assert Counter({(row["campaign"], row["number"]): int(row["removed_records"]) for row in rows}) == removed(server)
    assert {(row["campaign"], row["number"]) for row in rows} == {
        (each, number) for each in THREE for number in NUMBERS
    }
    assert {row["status"] for row in rows} == {"REMOVED"}


def test_one_plan_with_a_line_for_each_campaign_one_question_with_the_total(server: Running, tmp_path: Path) -> None:
    shown, code = at_a_terminal(run(server, tmp_path, listed(tmp_path)), ("Type 120", "120\r"))
    assert code == 0, shown
    words = " ".join(shown.split())
    assert "Each of its 42 rows counts 3 times: once for each campaign." in words
    for campaign in THREE:
        assert f"numbers to remove from {campaign} 40" in words
    check_report(server, tmp_path)


def test_a_run_killed_in_the_middle_is_resumed_over_all_campaigns(server: Running, tmp_path: Path) -> None:
    words = run(server, tmp_path, listed(tmp_path), "--yes", "--max-numbers-per-request", "1")
    with started(*words[: words.index("--rate")], "--rate", "20", "--busy-delay", "300ms") as process:
        deadline = time.monotonic() + 60
        while len(removed(server)) < 10:
            assert time.monotonic() < deadline
        process.kill()
        process.wait(timeout=60)
    assert len(removed(server)) < 3 * len(NUMBERS)
    done = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--rate", "100")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["number"]]
    assert {row["status"] for row in rows} <= {"REMOVED", "PRESUMED_REMOVED"}
    assert {(row["campaign"], row["number"]) for row in rows} == {
        (each, number) for each in THREE for number in NUMBERS
    }
    assert {*removed(server)} == {(each, number) for each in THREE for number in NUMBERS}


@pytest.mark.parametrize("by_report", [False, True])
def test_what_is_left_open_is_rerun_in_its_own_campaign(server: Running, tmp_path: Path, by_report: bool) -> None:
    first = bulk_remove(*run(server, tmp_path, listed(tmp_path), "--yes", "--busy-for", "0"))
    assert first.returncode == 3, first.stderr
    (folder,) = (tmp_path / "state" / "runs").iterdir()
    earlier = str(tmp_path / "report.csv") if by_report else folder.name
    own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state", "-o", tmp_path / "again.csv")
    refused = bulk_remove("rerun", earlier, *own, "--yes", "-c", "all")
    assert refused.returncode == 2
    done = bulk_remove("rerun", earlier, *own, "--yes", "--rate", "100", "--busy-delay", "300ms", "--busy-for", "1m")
    assert done.returncode == 0, done.stderr
    check_report(server, tmp_path, "again.csv")


def test_each_campaign_is_locked(server: Running, tmp_path: Path) -> None:
    words = run(server, tmp_path, listed(tmp_path), "--yes", "--max-numbers-per-request", "1")
    with started(*words[: words.index("--rate")], "--rate", "5") as process:
        deadline = time.monotonic() + 60
        while not removed(server):
            assert time.monotonic() < deadline
        own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state", "--yes")
        for campaign in (*THREE, "00009,abcde"):
            done = bulk_remove("run", listed(tmp_path), *own, "-c", campaign)
            assert done.returncode in ({8} if campaign in THREE else {6, 8}), done.stderr
        process.terminate()
        assert process.wait(timeout=60) == 143


@pytest.mark.parametrize("server", ["calm"], indirect=True)
def test_a_saved_plan_keeps_the_campaigns_that_were_listed(server: Running, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state")
    done = bulk_remove("plan", listed(tmp_path), *own, "-c", "all", "--save", plan, "--rate", "100")
    assert done.returncode == 0, done.stderr
    done = bulk_remove("run", "--plan", plan, "-c", "all", "--yes", *own[4:])
    assert done.returncode == 0, done.stderr
    assert {campaign for campaign, _ in removed(server)} == {*THREE}


def test_all_needs_a_server_and_an_inbox_wants_names(tmp_path: Path) -> None:
    done = bulk_remove("plan", listed(tmp_path), "-c", "all", "--state-dir", tmp_path)
    assert (done.returncode, "No server is given" in done.stderr) == (2, True)
    (tmp_path / "inbox").mkdir()
    own = ("--url", "http://127.0.0.1:9", "--user", "demo", "--state-dir", tmp_path / "state")
    done = bulk_remove("inbox", tmp_path / "inbox", "-c", "all", "--yes", *own)
    assert (done.returncode, "--campaign all" in done.stderr) == (2, True)


def deletes(server: Running) -> list[tuple[str, int]]:
    return [(entry.campaign, len(entry.asked)) for entry in read_audit(server.audit) if entry.method == "DELETE"]


CANARY = ("--canary", "--max-numbers-per-request", "7")


def test_each_campaign_has_a_canary_of_its_own_before_all_others(server: Running, tmp_path: Path) -> None:
    done = bulk_remove(*run(server, tmp_path, listed(tmp_path), "--yes", *CANARY))
    assert done.returncode == 0, done.stderr
    assert deletes(server)[:3] == [(campaign, 7) for campaign in THREE]
    check_report(server, tmp_path)


async def test_a_canary_that_fails_in_one_campaign_stops_them_all_and_resume_goes_on_from_there(
    tmp_path: Path,
) -> None:
    async with running(world()) as simulator:
        settings = Settings("all", rate=200.0, canary=True, max_numbers_per_request=7)
        place, output = server_at(simulator, tmp_path), tmp_path / "report.csv"
        finished = await remove_files(listed(tmp_path), settings, place, approve=lambda _: True, output=output)
        assert finished.exit_code == 5
        assert [entry.campaign for entry in simulator.audit if entry.method == "DELETE"][:1] == ["00001"]
        assert "abcde" in [entry.campaign for entry in simulator.audit if entry.method == "DELETE"]
        rows = [row for row in report_of(tmp_path) if row["number"] and not row["duplicate_of_row"]]
        sent = Counter(row["campaign"] for row in rows if row["status"] != "UNSENT")
        assert sent == {"00001": 7, "00002": 7, "abcde": 7}
        before = len(simulator.audit)
        finished = await resume(
            "", place, approve=lambda _: True, changes={"canary_max_not_exist": 1.0}, output=output, overwrite=True
        )
        assert finished.exit_code == 0
        assert not finished.by_status.get(Status.UNSENT)
        again = Counter((entry.campaign, number) for entry in simulator.audit for number in entry.asked)
        assert len(simulator.audit) > before
        assert {(campaign, number[-9:]) for campaign, number in again} == {(c, n) for c in THREE for n in NUMBERS}
    counted = Counter((row["campaign"], row["row"]) for row in report_of(tmp_path))
    assert {*counted.values()} <= {1, 3}


def test_a_run_killed_between_the_canaries_is_finished(server: Running, tmp_path: Path) -> None:
    words = run(server, tmp_path, listed(tmp_path), "--yes", *CANARY)
    with started(*words[: words.index("--rate")], "--rate", "4") as process:
        deadline = time.monotonic() + 60
        while len(deletes(server)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.wait(timeout=60)
    assert len(deletes(server)) <= 4
    done = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--rate", "100", *SOON)
    assert done.returncode == 0, done.stderr
    assert {*removed(server)} == {(campaign, number) for campaign in THREE for number in NUMBERS}
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["number"]]
    assert {row["status"] for row in rows} <= {"REMOVED", "PRESUMED_REMOVED"}


def test_a_rerun_of_several_campaigns_begins_with_a_canary(server: Running, tmp_path: Path) -> None:
    first = bulk_remove(*run(server, tmp_path, listed(tmp_path), "--yes", "--busy-for", "0", *CANARY))
    assert first.returncode == 3, first.stderr
    before = len(deletes(server))
    own = ("--state-dir", tmp_path / "state", "-o", tmp_path / "again.csv", "--busy-for", "1m", "--busy-delay", "300ms")
    (folder,) = (tmp_path / "state" / "runs").iterdir()
    done = bulk_remove("rerun", folder.name, *own, "--yes", "--rate", "100")
    assert done.returncode == 0, done.stderr
    assert len(deletes(server)) > before
    check_report(server, tmp_path, "again.csv")
