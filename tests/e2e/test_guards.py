"""What stops a run before its first DELETE, or after the first one alone: the real command, held against the audit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, removal, report_of, simulator

PACE = ("--rate", "100", "--max-numbers-per-request", "10")
ALL = ("--max-share", "100%")


def written(folder: Path, name: str, numbers: range) -> Path:
    path = folder / name
    path.write_text("telefon\n" + "\n".join(map(str, numbers)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(name="held")
def held_fixture(tmp_path: Path) -> Path:
    """A campaign of 100 numbers, one record each."""
    return written(tmp_path, "campaign.csv", range(600_000_000, 600_000_100))


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path, held: Path) -> Iterator[Running]:
    with simulator(tmp_path, "--numbers", str(held)) as running:
        yield running


def asked(server: Running) -> list[tuple[str, ...]]:
    return [entry.asked for entry in read_audit(server.audit) if entry.method == "DELETE"]


def summary_of(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "report.summary.json").read_text(encoding="utf-8"))
    return summary


@pytest.mark.parametrize(
    ("limit", "figures", "through"),
    [
        (("--max-numbers", "29"), "30 numbers would be sent to campaign 00001; the limit is 29", "30"),
        (("--max-share", "29%"), "30 numbers are 30% of the 100 records of campaign 00001", "30%"),
    ],
)
def test_a_run_over_a_limit_is_5_with_the_figures_and_the_flag_and_nothing_is_removed(
    tmp_path: Path, server: Running, limit: tuple[str, str], figures: str, through: str
) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_030))
    done = bulk_remove(*removal(server, tmp_path, source, *PACE), *limit)
    assert done.returncode == 5
    assert figures in done.stderr
    assert f"If both are right, set a higher limit with {limit[0]}." in done.stderr
    assert asked(server) == []
    assert list((tmp_path / "state" / "runs").iterdir()) == []
    assert bulk_remove(*removal(server, tmp_path, source, *PACE), limit[0], through).returncode == 0
    assert len(asked(server)) == 3


def test_half_of_a_counted_campaign_is_the_limit_that_nobody_has_to_set(tmp_path: Path, server: Running) -> None:
    half = written(tmp_path, "half.csv", range(600_000_000, 600_000_050))
    more = written(tmp_path, "more.csv", range(600_000_049, 600_000_100))
    words = removal(server, tmp_path, more, *PACE)
    stopped = bulk_remove(*words)
    assert stopped.returncode == 5
    assert "51 numbers are 51% of the 100 records of campaign 00001; the limit is 50%" in stopped.stderr
    assert asked(server) == []
    assert bulk_remove(*removal(server, tmp_path, half, *PACE)).returncode == 0
    through = bulk_remove(*words, *ALL)
    assert through.returncode == 0
    assert "51 numbers for the 50 records of campaign 00001: the run may empty it." in through.stderr


def test_each_campaign_of_a_file_is_held_against_its_own_limit(tmp_path: Path, held: Path) -> None:
    source = tmp_path / "numbers.csv"
    rows = [f"{600_000_000 + index};0000{1 + (index % 10 == 0)}" for index in range(40)]
    source.write_text("\n".join(["telefon;kampania", *rows]) + "\n", encoding="utf-8")
    with simulator(tmp_path, "--numbers", str(held), "-c", "00001", "-c", "00002") as server:
        own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state", "--yes")
        done = bulk_remove("run", source, *own, "--campaign-column", "kampania", "--max-numbers", "35")
        assert "36 numbers would be sent to campaign 00001" in done.stderr
        assert "00002" not in done.stderr
        assert (done.returncode, asked(server)) == (5, [])


def test_a_run_much_greater_than_usual_is_5_and_one_without_a_past_passes_and_says_so(
    tmp_path: Path, server: Running
) -> None:
    usual = ("--max-times-usual", "5")
    for place, size in enumerate((4, 5, 6)):
        start = 600_000_000 + 10 * place
        source = written(tmp_path, f"{place}.csv", range(start, start + size))
        done = bulk_remove(*removal(server, tmp_path, source, *PACE), *usual)
        assert done.returncode == 0, done.stderr
        assert ("No completed run of campaign 00001 is known" in done.stderr) == (place == 0)
    before = len(asked(server))
    source = written(tmp_path, "many.csv", range(600_000_050, 600_000_076))
    done = bulk_remove(*removal(server, tmp_path, source, *PACE), *usual)
    assert done.returncode == 5
    assert "26 numbers are 5.2 times the 5 that a run of campaign 00001 usually sends (median of 3)" in done.stderr
    assert "set a higher limit with --max-times-usual." in done.stderr
    assert len(asked(server)) == before
    elsewhere = bulk_remove(
        "plan", source, "-c", "00001", "--state-dir", tmp_path / "state", "--url", "http://127.0.0.1:9", *usual
    )
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert "No completed run of campaign 00001 is known" in elsewhere.stderr


def test_a_share_that_the_user_may_not_ask_about_is_5_unless_everything_is_let_through(
    tmp_path: Path, held: Path
) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_005))
    with simulator(tmp_path, "--numbers", str(held), "--forbid", "records", "--forbid", "stats") as server:
        words = removal(server, tmp_path, source, *PACE)
        done = bulk_remove(*words, "--max-share", "20%")
        assert done.returncode == 5
        assert "the record count of campaign 00001 is not known, so --max-share 20% cannot be checked" in done.stderr
        assert "Give the API user the right to list the campaign's records, or leave --max-share out." in done.stderr
        assert "higher limit" not in done.stderr
        assert asked(server) == []
        through = bulk_remove(*words, "--max-share", "100%")
    assert through.returncode == 0, through.stderr
    assert "Campaign 00001: unknown records before, unknown after; 5 different records were removed" in through.stdout
    summary = summary_of(tmp_path)
    assert (summary["records_before"], summary["records_after"], summary["records_removed"]) == (None, None, 5)
    assert "the API user may not" in summary["records_by_campaign"][0]["note"]


def test_who_may_not_list_records_is_counted_by_the_statistics(tmp_path: Path, held: Path) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_005))
    with simulator(tmp_path, "--numbers", str(held), "--forbid", "records") as server:
        words = removal(server, tmp_path, source, *PACE)
        assert bulk_remove(*words, "--max-share", "4%").returncode == 5
        assert asked(server) == []
        done = bulk_remove(*words, "--max-share", "5%")
    assert done.returncode == 0, done.stderr
    assert "100 records before, 95 after; 5 different records were removed by this run: the counts agree" in done.stdout


def test_the_plan_tells_what_a_run_would_be_stopped_for(tmp_path: Path, server: Running) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_030))
    own = ("plan", source, "-c", "00001", "--state-dir", tmp_path / "state", "--url", server.url)
    over = bulk_remove(*own, "--user", "demo", "--max-share", "20%", "--canary", "--additional-numbers")
    assert over.returncode == 5
    words = " ".join(over.stdout.split())
    assert "numbers to remove from 00001 30 of 100 records in it (30%)" in words
    assert "limits for each campaign: 20% of its records at most 5% of the rows invalid" in words
    assert "canary one request is sent first" in words
    assert "additional numbers a record is also removed" in words
    unasked = bulk_remove(*own, "--max-share", "20%")
    assert unasked.returncode == 0
    assert "--max-share was not checked" in unasked.stderr
    assert "each campaign: 20% of its records (not checked without a count)" in " ".join(unasked.stdout.split())
    offline = " ".join(bulk_remove(*own[:-2], "--max-times-usual", "2").stdout.split())
    assert "each campaign: 50% of its records (not checked without a count), 2 times the usual (not checked" in offline
    known = json.loads(bulk_remove(*own, "--user", "demo", "--json", "--max-numbers", "50").stdout)
    assert known["campaigns"][0]["records"] == 100
    assert known["limits"] == {"max_numbers": 50, "max_share": None, "max_times_usual": None}
    wrong = bulk_remove(*own, "--user", "somebody")
    assert wrong.returncode == 6
    away = bulk_remove(*own[:-1], "http://127.0.0.1:9", "--user", "demo")
    assert away.returncode == 0
    assert "could not be asked how many records there are" in away.stderr
    assert asked(server) == []


def test_a_canary_that_is_judged_bad_leaves_all_others_unsent_and_resume_lets_them_through(
    tmp_path: Path, server: Running
) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_095, 600_000_125))
    done = bulk_remove(*removal(server, tmp_path, source, *PACE, "--canary", "--canary-max-not-exist", "40%"))
    assert done.returncode == 5, done.stderr
    assert "Of 10 numbers sent first, 5 (50%) are not there; the limit is 40%" in done.stdout
    first = [tuple(str(number) for number in range(600_000_095, 600_000_105))]
    assert asked(server) == first
    rows = report_of(tmp_path)
    assert [row["status"] for row in rows] == ["REMOVED"] * 5 + ["NOT_EXIST"] * 5 + ["UNSENT"] * 20
    summary = summary_of(tmp_path)
    assert (summary["exit_code"], summary["ending"]) == (5, "stopped after the canary")
    assert (summary["records_before"], summary["records_after"]) == (100, None)
    again = ("resume", "--yes", "--state-dir", tmp_path / "state")
    assert bulk_remove(*again).returncode == 5
    assert asked(server) == first
    through = bulk_remove(*again, "--canary-max-not-exist", "50%")
    assert through.returncode == 0, through.stderr
    assert sorted(number for numbers in asked(server) for number in numbers) == [row["number"] for row in rows]
    summary = summary_of(tmp_path)
    assert (summary["records_before"], summary["records_after"], summary["records_removed"]) == (100, 95, 5)


def test_a_good_file_whose_second_half_is_for_another_campaign_stops_in_time(tmp_path: Path) -> None:
    held = written(tmp_path, "campaign.csv", range(600_000_000, 600_000_400))
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_005_000))
    pace = ("--rate", "100", "--max-numbers-per-request", "100")
    with simulator(tmp_path, "--numbers", str(held)) as server:
        words = removal(server, tmp_path, source, *pace, *ALL, "--stop-when-missing", "90%", "--canary")
        done = bulk_remove(*words)
        assert done.returncode == 5, done.stderr
        told = "Of the 2,000 numbers answered last, 1,800 (90%) are not in campaign 00001; the limit is 90%"
        assert told in done.stdout
        assert "--stop-when-missing 91%" in done.stdout
        sent = len(asked(server))
        assert 22 <= sent <= 26  # of 50 requests; up to four under way are finished
        by_status = summary_of(tmp_path)["rows_by_status"]
        assert (by_status["REMOVED"], by_status["NOT_EXIST"]) == (400, 100 * (sent - 4))
        assert summary_of(tmp_path)["ending"] == "stopped because most numbers were not there"
        again = ("resume", "--yes", "--state-dir", tmp_path / "state")
        assert bulk_remove(*again).returncode == 5
        assert len(asked(server)) == sent  # a resume without a higher limit sends nothing
        through = bulk_remove(*again, "--stop-when-missing", "100%")
        assert through.returncode == 0, through.stderr
        assert len(asked(server)) == 50
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED", "NOT_EXIST"}


def test_a_canary_that_is_judged_good_lets_the_rest_follow_where_nobody_can_be_asked(
    tmp_path: Path, server: Running
) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_030))
    done = bulk_remove(*removal(server, tmp_path, source, *PACE, "--canary"))
    assert done.returncode == 0, done.stderr
    assert "The first request brought, for 10 numbers:" in done.stdout
    assert [len(numbers) for numbers in asked(server)] == [10, 10, 10]
    assert bulk_remove("resume", "--state-dir", tmp_path / "state").returncode == 0
    assert len(asked(server)) == 3


def test_a_canary_waits_for_no_call_but_follows_its_numbers_through_their_forms(tmp_path: Path) -> None:
    held = tmp_path / "campaign.csv"
    held.write_text("\n".join(f"48{number}" for number in range(600_000_000, 600_000_030)) + "\n", encoding="utf-8")
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_030))
    with simulator(tmp_path, "--numbers", str(held), "--busy-share", "1", "--busy-seconds", "1") as server:
        words = (
            "--number-format",
            "national",
            "--also-try",
            "international",
            "--canary",
            "--canary-max-not-exist",
            "0%",
            "--busy-delay",
            "1s",
            *ALL,
        )
        done = bulk_remove(*removal(server, tmp_path, source, *PACE, *words))
    assert done.returncode == 0, done.stderr
    first, second, third, *_ = asked(server)
    assert [f"48{number}" for number in first] == [*second]
    assert not {*third} & {*first, *second}
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}


def test_a_rerun_tries_its_canary_with_what_is_still_open(tmp_path: Path, server: Running) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_030))
    stopped = (*PACE, "--canary", "--canary-max-not-exist", "0%")
    lost = written(tmp_path, "lost.csv", range(600_000_099, 600_000_129))
    assert bulk_remove(*removal(server, tmp_path, lost, *stopped)).returncode == 5
    (run,) = (tmp_path / "state" / "runs").iterdir()
    before = asked(server)
    own = ("--state-dir", tmp_path / "state", "--yes", "-o", tmp_path / "report.csv")
    again = bulk_remove("rerun", run.name, *own)
    assert again.returncode == 5, again.stderr
    assert asked(server)[1:] == [tuple(str(number) for number in range(600_000_109, 600_000_119))]
    assert [row["status"] for row in report_of(tmp_path)] == ["REMOVED"] + ["NOT_EXIST"] * 19 + ["UNSENT"] * 10
    assert bulk_remove("rerun", run.name, *own, "--no-canary").returncode == 0
    assert len(before) == 1
    assert bulk_remove(*removal(server, tmp_path, source, *stopped)).returncode == 0


def test_additional_numbers_are_searched_on_demand_and_told_and_kept(tmp_path: Path) -> None:
    held = tmp_path / "campaign.csv"
    rows = [f"{600_000_000 + index},{601_000_000 + index};{602_000_000 + index}" for index in range(30)]
    held.write_text("\n".join(["number,others", *rows]) + "\n", encoding="utf-8")
    source = written(tmp_path, "numbers.csv", range(601_000_000, 601_000_020))
    with simulator(tmp_path, "--numbers", str(held), "--additional-column", "others") as server:
        plain = bulk_remove(*removal(server, tmp_path, source, *PACE, *ALL))
        assert {row["status"] for row in report_of(tmp_path)} == {"NOT_EXIST"}
        assert "among" not in plain.stdout
        words = (*PACE, *ALL, "--additional-numbers", "--canary", "--canary-max-not-exist", "0%")
        wide = bulk_remove(*removal(server, tmp_path, source, *words))
        assert wide.returncode == 0, wide.stderr
        assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
        assert "when a number is among its additional numbers" in " ".join(wide.stdout.split())
        assert "Records were also removed if a number was among their additional ones." in wide.stdout
        summary = summary_of(tmp_path)
        assert summary["additional_numbers"] is True
        assert (summary["records_before"], summary["records_after"], summary["records_removed"]) == (30, 10, 20)
        entries = [entry for entry in read_audit(server.audit) if entry.removed]
        assert all(entry.removed == entry.through_additional for entry in entries)
        assert sum(len(entry.removed) for entry in entries) == 20


def test_a_resume_searches_additional_numbers_as_its_run_did(tmp_path: Path) -> None:
    held = tmp_path / "campaign.csv"
    rows = [f"{600_000_000 + index},{601_000_000 + index}" for index in range(30)]
    held.write_text("\n".join(["number,others", *rows]) + "\n", encoding="utf-8")
    source = written(tmp_path, "numbers.csv", range(601_000_025, 601_000_045))
    with simulator(tmp_path, "--numbers", str(held), "--additional-column", "others") as server:
        words = (*PACE, *ALL, "--additional-numbers", "--canary", "--canary-max-not-exist", "0%")
        assert bulk_remove(*removal(server, tmp_path, source, *words)).returncode == 5
        resumed = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--canary-max-not-exist", "100%")
    assert resumed.returncode == 0, resumed.stderr
    assert "additional" in resumed.stdout
    assert sum(len(entry.through_additional) for entry in read_audit(server.audit)) == 5
    assert [row["status"] for row in report_of(tmp_path)] == ["REMOVED"] * 5 + ["NOT_EXIST"] * 15


def test_the_counts_before_and_after_are_told_beside_what_was_removed(tmp_path: Path, server: Running) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_090, 600_000_110))
    done = bulk_remove(*removal(server, tmp_path, source, *PACE))
    counts = "100 records before, 90 after; 10 different records were removed by this run: the counts agree."
    told = f"Campaign 00001: {counts}"
    assert told in done.stdout
    summary = summary_of(tmp_path)
    assert (summary["records_before"], summary["records_after"], summary["records_removed"]) == (100, 90, 10)
    (campaign,) = summary["records_by_campaign"]
    assert (campaign["campaign"], campaign["unexplained"], campaign["sentence"]) == ("00001", 0, told)
    # The ledger remembers: another report says the same, though nothing is counted from the start again.
    assert bulk_remove("resume", "--state-dir", tmp_path / "state").returncode == 0
    assert summary_of(tmp_path)["records_by_campaign"] == [campaign]


def test_a_rerun_counts_what_it_removed_itself(tmp_path: Path, held: Path) -> None:
    source = written(tmp_path, "numbers.csv", range(600_000_000, 600_000_040))
    with simulator(tmp_path, "--numbers", str(held), "--busy-share", "0.5", "--busy-seconds", "1") as server:
        first = bulk_remove(*removal(server, tmp_path, source, *PACE), "--busy-for", "0")
        assert first.returncode == 3
        before = summary_of(tmp_path)
        own = ("--state-dir", tmp_path / "state", "--yes", "--rate", "100", "--busy-delay", "500ms")
        done = bulk_remove("rerun", str(tmp_path / "report.csv"), "--url", server.url, "--user", "demo", *own)
    assert done.returncode == 0, done.stderr
    assert before["records_after"] == 100 - before["records_removed"]
    left = 40 - before["records_removed"]
    assert f"60 after; {left} different records were removed by this run: the counts agree." in done.stdout


def test_each_of_several_campaigns_is_counted_by_itself(tmp_path: Path) -> None:
    held = written(tmp_path, "campaign.csv", range(600_000_000, 600_000_600))
    rows = [f"{600_000_000 + at};0000{1 + at % 2}" for at in range(600)]
    rows += [f"{700_000_000 + at};00002" for at in range(900)]
    source = tmp_path / "numbers.csv"
    source.write_text("\n".join(["telefon;kampania", *rows]) + "\n", encoding="utf-8")
    pace = ("--rate", "100", "--max-numbers-per-request", "100", *ALL, "--campaign-column", "kampania")
    with simulator(tmp_path, "--numbers", str(held), "-c", "00001", "-c", "00002") as server:
        own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state", "--yes", "--pace", "fixed")
        done = bulk_remove("run", source, *own, *pace, "--stop-when-missing", "70%")
        assert done.returncode == 5, done.stderr
        assert "numbers answered last" in done.stdout
        assert "are not in campaign 00002; the limit is 70%" in done.stdout
