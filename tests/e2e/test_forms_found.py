"""The form that a campaign uses is found in its own records, and none found in a guess is not an answer."""

import json
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bulk_remove import Server, Settings, remove_files
from bulk_remove.simulator.api import Operation
from bulk_remove.simulator.server import read_audit, running
from bulk_remove.simulator.world import ListedCampaign, Record, World
from tests.support.processes import Running, bulk_remove, removal, report_of, simulator

if TYPE_CHECKING:
    from bulk_remove.core.plan import Plan

PACE = ("--rate", "100")
HELD = range(600_000_001, 600_000_041)
OTHERS = range(700_000_001, 700_000_201)
"""Numbers of the campaign that are in no file."""
NOT_GREEN = "Finished, but this proves nothing"


def written(folder: Path, numbers: Sequence[object] = HELD, name: str = "numbers.csv") -> Path:
    path = folder / name
    path.write_text("telefon\n" + "\n".join(map(str, numbers)) + "\n", encoding="utf-8")
    return path


def campaign(
    folder: Path, *options: str, numbers: Sequence[object] = (*HELD, *OTHERS)
) -> AbstractContextManager[Running]:
    """Start a server with a campaign of these numbers; `options` say in which form it holds them."""
    return simulator(folder, "--numbers", str(written(folder, numbers, "campaign.csv")), *options)


def asked(server: Running) -> list[str]:
    return [number for entry in read_audit(server.audit) for number in entry.asked]


def reads_before(server: Running) -> int:
    """Return how many read-only calls came before the first removal."""
    methods = [entry.method for entry in read_audit(server.audit)]
    return methods.index("DELETE")


def summary_of(folder: Path, name: str = "report") -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / f"{name}.summary.json").read_text(encoding="utf-8"))
    return summary


def again(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Type a command that was shown."""
    words = command.split()
    assert words[0] == "bulk-remove"
    own = ("--state-dir", folder / "state", "--yes", "-o", folder / "again.csv")
    return bulk_remove(*words[1:], *own)


def statuses(folder: Path) -> set[str]:
    return {row["status"] for row in report_of(folder)}


@pytest.mark.parametrize(
    ("form", "told", "sent"),
    [
        (("e164",), "campaign 00001 holds numbers as +48601234555 (240 of 240 looked at)", ["+48600000001"]),
        (("digits",), "campaign 00001 holds numbers as 48601234555 (240 of 240 looked at)", ["48600000001"]),
        (("national",), "campaign 00001 holds numbers as 601234555 (240 of 240 looked at)", ["600000001"]),
        (("zeros",), "holds numbers as 0048601234555 (240 of 240 looked at)", ["600000001", "0048600000001"]),
    ],
)
def test_a_number_is_found_in_whatever_form_the_campaign_holds_it(
    tmp_path: Path, form: tuple[str, ...], told: str, sent: list[str]
) -> None:
    with campaign(tmp_path, *(word for name in form for word in ("--form", name))) as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE))
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
    assert "guess" not in done.stdout
    assert statuses(tmp_path) == {"REMOVED"}
    assert [number for number in asked(server) if number.endswith("600000001")] == sent
    assert reads_before(server) == 4  # three pages, and the names


def test_of_several_forms_the_commonest_comes_first_and_the_others_are_tried_after_it(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "e164=8", "--form", "national=2") as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE, "--also-try", "zeros"))
        assert done.returncode == 0, done.stderr
        ledger = bulk_remove(
            "runs",
            "show",
            next((tmp_path / "state" / "runs").iterdir()).name,
            "--json",
            "--state-dir",
            tmp_path / "state",
        )
    assert "holds numbers as +48601234555 (" in done.stdout
    assert "numbers are asked for as +48601234555, 601234555, 0048601234555" in done.stdout
    assert statuses(tmp_path) == {"REMOVED"}
    first = asked(server)[: len(HELD)]
    assert first == [f"+48{number}" for number in HELD]
    later = asked(server)[len(HELD) :]
    assert later
    assert not any(number.startswith("0") for number in later)
    settings = json.loads(ledger.stdout)["settings"]
    assert (settings["number_format"], settings["also_try"]) == ("e164", ["national", "zeros"])
    assert summary_of(tmp_path)["none_found"] is None


def test_who_may_not_list_records_gets_a_guess_and_none_found_is_not_green(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "e164", "--forbid", "records") as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE, "--report", "html"))
        assert done.returncode == 3, done.stderr
        assert "campaign 00001: how its numbers are written is not known" in done.stdout
        assert "numbers are asked for as 601234555, which is a guess" in done.stdout
        assert NOT_GREEN in done.stdout
        assert "may not list records" in done.stderr
        assert statuses(tmp_path) == {"NOT_EXIST"}
        summary = summary_of(tmp_path)
        assert (summary["exit_code"], summary["ending"]) == (3, "done")
        assert summary["none_found"] == {
            "numbers": 40, "campaigns": ["00001"], "confirmed": False, "proves_nothing": True
        }  # fmt: skip
        assert "None of 40 numbers was found in campaign 00001" in summary["proves_nothing"]
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert NOT_GREEN in page
        assert summary["what_to_try"] in page
        assert "Keep report.csv as the proof" not in page
        assert f"To find out: {summary['what_to_try']}" in done.stdout
        found = again(tmp_path, summary["what_to_try"])
    assert found.returncode == 0, found.stdout + found.stderr
    assert summary_of(tmp_path, "again")["rows_by_status"]["REMOVED"] == 40


def test_once_the_user_may_list_records_a_rerun_finds_the_form_and_asks_again(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "digits", "--forbid", "records") as server:
        assert bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE)).returncode == 3
    (run,) = (tmp_path / "state" / "runs").iterdir()
    command = f"bulk-remove rerun {run.name} --number-format auto"
    port = server.url.rpartition(":")[2]
    with campaign(tmp_path, "--form", "digits", "--port", port) as server:
        found = again(tmp_path, command)
    assert found.returncode == 0, found.stdout + found.stderr
    assert asked(server) == [f"48{number}" for number in HELD]
    assert summary_of(tmp_path, "again")["rows_by_status"]["REMOVED"] == 40


def test_a_rerun_that_may_not_look_either_keeps_the_form_of_its_run(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "digits", "--forbid", "records") as server:
        words = removal(server, tmp_path, written(tmp_path), *PACE, "--number-format", "e164")
        assert bulk_remove(*words).returncode == 3
        (run,) = (tmp_path / "state" / "runs").iterdir()
        done = again(tmp_path, f"bulk-remove rerun {run.name} --number-format auto")
    assert done.returncode == 3
    assert asked(server) == [f"+48{number}" for number in HELD]
    assert summary_of(tmp_path, "again")["settings"]["number_format"] == "e164"


def test_with_every_form_asked_for_the_list_of_records_is_what_can_still_tell(tmp_path: Path) -> None:
    every = ("--also-try", "plus,international,zeros")
    with campaign(tmp_path, "--forbid", "records", numbers=OTHERS) as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE, *every))
        assert done.returncode == 3
    command = summary_of(tmp_path)["what_to_try"]
    assert command.endswith("--number-format auto")
    port = server.url.rpartition(":")[2]
    with campaign(tmp_path, "--port", port, numbers=OTHERS) as server:
        found = again(tmp_path, command)
        assert asked(server) == []
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Finished: none of the 40 numbers is in the campaign." in found.stdout


def test_none_found_in_a_form_that_the_records_show_is_an_answer(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "e164", numbers=OTHERS) as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE, "--report", "html"))
    assert done.returncode == 0, done.stderr
    assert "Finished: none of the 40 numbers is in the campaign." in done.stdout
    assert "proves nothing" not in done.stdout
    assert "none of the 40 numbers is in the campaign" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert summary_of(tmp_path)["none_found"]["confirmed"] is True


def test_an_empty_campaign_holds_none_of_the_numbers_in_any_form(tmp_path: Path) -> None:
    with campaign(tmp_path, numbers=()) as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE))
    assert done.returncode == 0, done.stderr
    assert "campaign 00001 holds no records" in done.stdout
    assert "numbers are asked for as 601234555, which is a guess" in done.stdout
    assert "Finished: none of the 40 numbers is in the campaign." in done.stdout


def test_numbers_with_formatting_are_found_in_no_form_and_that_is_said(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "spaced") as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE))
    assert done.returncode == 3, done.stderr
    assert "numbers with spaces, signs or extra zeros, which no form finds (240 of 240 looked at)" in done.stdout
    assert "Look for them in the panel" in done.stdout
    assert "To find out" not in done.stdout


def test_internal_numbers_are_asked_for_as_they_are(tmp_path: Path) -> None:
    held = [441 + number * 37 % 500 for number in range(60)]
    with campaign(tmp_path, numbers=held) as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path, held[:20]), *PACE))
    assert done.returncode == 0, done.stderr
    assert "campaign 00001 holds numbers as internal numbers (60 of 60 looked at)" in done.stdout
    assert statuses(tmp_path) == {"REMOVED"}


def test_a_format_that_was_given_is_obeyed_and_a_note_warns_where_the_records_show_another(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "e164") as server:
        words = removal(server, tmp_path, written(tmp_path), *PACE, "--number-format", "national")
        done = bulk_remove(*words)
    assert done.returncode == 3
    assert asked(server) == [*map(str, HELD)]
    told = "Campaign 00001 holds numbers in forms that are not asked for: +48601234555 (240 of 240"
    assert told in done.stderr
    assert "or add --also-try plus." in done.stderr
    assert summary_of(tmp_path)["what_to_try"].endswith("--also-try plus")


@pytest.mark.parametrize(
    ("numbers", "options", "code"),
    [
        (range(10), (), 3),
        (range(9), (), 0),
        (range(40), ("--fault", "dropped_after=0.5"), 3),
    ],
)
def test_of_few_numbers_it_is_nothing_unusual_but_no_proof_either(
    tmp_path: Path, numbers: range, options: tuple[str, ...], code: int
) -> None:
    source = written(tmp_path, HELD[: len(numbers)])
    with campaign(tmp_path, "--forbid", "records", *options, numbers=OTHERS) as server:
        done = bulk_remove(*removal(server, tmp_path, source, *PACE, "--max-numbers-per-request", "5"))
    assert done.returncode == code, done.stdout + done.stderr
    assert (NOT_GREEN in done.stdout) is (code == 3)
    assert "That proves nothing" in done.stdout
    if options:
        assert "PRESUMED_REMOVED" in statuses(tmp_path)


def test_that_a_result_proves_nothing_is_told_wherever_the_run_is(tmp_path: Path) -> None:
    state = ("--state-dir", tmp_path / "state")
    metrics = tmp_path / "metrics.prom"
    with campaign(tmp_path, "--form", "e164", "--forbid", "records") as server:
        done = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE, "--metrics-file", metrics))
    assert done.returncode == 3
    assert 'bulk_remove_exit_code{host="' in (text := metrics.read_text(encoding="utf-8"))
    assert '"} 3' in text
    listed = bulk_remove("runs", "list", *state)
    assert "done; no number was found, so the result proves nothing" in listed.stdout
    assert json.loads(bulk_remove("runs", "list", "--json", *state).stdout)["runs"][0]["proves_nothing"] is True
    explained = bulk_remove("explain", "600000001", *state)
    assert "none of its numbers was found, perhaps because the campaign holds them in another form" in explained.stdout
    page = tmp_path / "later.html"
    assert bulk_remove("report", "--format", "html", "-o", page, *state).returncode == 0
    assert NOT_GREEN in page.read_text(encoding="utf-8")
    resumed = bulk_remove("resume", *state)
    assert (resumed.returncode, NOT_GREEN in resumed.stdout) == (3, True)


def test_a_resume_keeps_the_form_that_was_found_and_that_it_was_confirmed(tmp_path: Path) -> None:
    few = ("--max-numbers-per-request", "10", "--canary", "--canary-max-not-exist", "0%")
    with campaign(tmp_path, "--form", "e164", numbers=OTHERS) as server:
        assert bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE, *few)).returncode == 5
        before = [entry.method for entry in read_audit(server.audit)].count("GET")
        resume = ("resume", "--yes", "--state-dir", tmp_path / "state", "--canary-max-not-exist", "100%")
        done = bulk_remove(*resume)
        after = [entry.method for entry in read_audit(server.audit)].count("GET")
    assert done.returncode == 0, done.stderr
    assert "Finished: none of the 40 numbers is in the campaign." in done.stdout
    assert asked(server) == [f"+48{number}" for number in HELD]
    assert after - before == 1  # the count afterwards


def test_a_rerun_keeps_the_form_of_its_run_and_asks_only_for_what_is_left(tmp_path: Path) -> None:
    busy = ("--busy-share", "0.5", "--busy-seconds", "1")
    with campaign(tmp_path, "--form", "e164", *busy) as server:
        first = bulk_remove(*removal(server, tmp_path, written(tmp_path), *PACE, "--busy-for", "0"))
        assert first.returncode == 3, first.stderr
        left = [row["number"] for row in report_of(tmp_path) if row["status"] == "CALL_IN_PROGRESS"]
        assert left
        sent = len(asked(server))
        run = next((tmp_path / "state" / "runs").iterdir()).name
        for earlier in (run, str(tmp_path / "report.csv")):
            own = ("--url", server.url, "--user", "demo") if earlier != run else ()
            done = bulk_remove(
                "rerun",
                earlier,
                *own,
                "--state-dir",
                tmp_path / "state",
                "--yes",
                "--busy-for",
                "30s",
                "--busy-delay",
                "500ms",
                *PACE,
            )
            assert done.returncode == 0, done.stdout + done.stderr
    assert {*asked(server)[sent:]} == {*left}
    assert all(number.startswith("+48") for number in left)


def test_a_rerun_of_a_report_alone_does_not_confirm_what_was_asked_in_another_form(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "e164") as server:
        words = removal(server, tmp_path, written(tmp_path), *PACE, "--number-format", "national")
        assert bulk_remove(*words).returncode == 3
        own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "elsewhere")
        done = bulk_remove("rerun", tmp_path / "report.csv", *own, "--yes", "-o", tmp_path / "again.csv")
        assert done.returncode == 3, done.stdout
        summary = summary_of(tmp_path, "again")
        assert summary["none_found"]["confirmed"] is False
        words = summary["what_to_try"].split()[1:]
        found = bulk_remove(*words, "--state-dir", tmp_path / "elsewhere", "--yes", "-o", tmp_path / "third.csv")
    assert found.returncode == 0, found.stdout + found.stderr
    assert summary_of(tmp_path, "third")["rows_by_status"]["REMOVED"] == 40


def test_nothing_of_the_records_looked_at_is_kept_or_shown(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "e164=1", "--form", "national=1", "--form", "spaced=1") as server:
        words = removal(server, tmp_path, written(tmp_path), *PACE, "--report", "html,xlsx", "--show-numbers")
        done = bulk_remove(*words)
        planned = bulk_remove("plan", tmp_path / "numbers.csv", "-c", "00001", "--url", server.url, "--user", "demo")
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    kept += [path for path in tmp_path.glob("report*") if path.is_file()]
    assert len(kept) > 5
    for text in (done.stdout, done.stderr, planned.stdout, *(path.read_bytes().decode("latin-1") for path in kept)):
        assert "700000" not in text
        assert "700 000" not in text


def test_the_plan_says_what_it_knows_of_the_form_and_what_it_does_not(tmp_path: Path) -> None:
    with campaign(tmp_path, "--form", "e164") as server:
        own = ("plan", written(tmp_path), "-c", "00001", "--state-dir", tmp_path / "state", "--url", server.url)
        seen = bulk_remove(*own, "--user", "demo")
        known = json.loads(bulk_remove(*own, "--user", "demo", "--json").stdout)
        unseen = bulk_remove(*own)
        guess = json.loads(bulk_remove(*own, "--json").stdout)
        checked = bulk_remove("check", "--url", server.url, "--user", "demo", "-c", "00001")
        assert {entry.method for entry in read_audit(server.audit)} == {"GET"}
    assert "holds numbers as +48601234555 (240 of 240 looked at)" in seen.stdout
    assert "row 2: 60*****01 -> +4******0001" in seen.stdout
    assert (known["number_format"], known["campaigns"][0]["forms"]) == ("e164", {"plus": 240})
    assert known["campaigns"][0]["form_confirmed"] is True
    assert "which is a guess" in unseen.stdout
    assert (guess["number_format"], guess["campaigns"][0]["form_confirmed"]) == ("national", False)
    assert "Campaign 00001 holds numbers as +48601234555 (240 of 240 looked at)." in checked.stdout


@pytest.mark.parametrize(("words", "pages"), [((), 3), (("--pace", "gentle"), 2), (("--rate", "1"), 1)])
def test_no_more_is_looked_at_than_may_be_asked_for_in_a_second(
    tmp_path: Path, words: tuple[str, ...], pages: int
) -> None:
    with simulator(tmp_path) as server:
        own = ("plan", written(tmp_path), "-c", "00001", "--state-dir", tmp_path / "state", "--url", server.url)
        done = bulk_remove(*own, "--user", "demo", *words)
        assert len([*read_audit(server.audit)]) == pages + 1  # and the names
    assert f"(100 of {100 * pages} looked at)" in done.stdout.replace(f"({100 * pages} of", "(100 of")


def two_campaigns() -> World:
    def records(form: str) -> list[Record]:
        return [Record(place, form.format(number)) for place, number in enumerate((*HELD, *OTHERS), start=1)]

    return World([ListedCampaign("00001", records("+48{}")), ListedCampaign("00002", records("{}"))])


async def test_campaigns_of_a_column_have_each_their_form_and_the_file_is_read_once_more(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    rows = [f"{number};0000{1 + number % 2}" for number in HELD]
    source.write_text("\n".join(["telefon;kampania", *rows, "brak;00001"]) + "\n", encoding="utf-8")
    plans: list[Plan] = []

    def approve(plan: "Plan") -> bool:
        plans.append(plan)
        return True

    async with running(two_campaigns()) as simulator:
        server = Server(simulator.url, "demo", "demo-password", state_dir=tmp_path / "state")
        settings = Settings(campaign_column="kampania", rate=200.0, max_invalid=1.0)
        finished = await remove_files([str(source)], settings, server, approve=approve, output=tmp_path / "report.csv")
    assert finished.exit_code == 0
    report = report_of(tmp_path)
    assert [row["status"] for row in report] == ["REMOVED"] * len(HELD) + ["INVALID"]
    assert {row["number"][:3] for row in report if row["campaign"] == "00001"} == {"+48"}
    assert {row["number"][:3] for row in report if row["campaign"] == "00002"} == {"600"}
    (plan,) = plans
    assert plan.rows == len(HELD) + 1
    assert plan.confirmed
    assert [dict(one.held) for one in plan.campaigns] == [{"plus": 240}, {"national": 240}]
    (run,) = (tmp_path / "state" / "runs").iterdir()  # what was read first is gone
    assert run.name == plan.run_id


async def test_from_python_none_found_in_a_guess_is_no_success_either(tmp_path: Path) -> None:
    source = written(tmp_path)
    async with running(World([ListedCampaign("00001", [])])) as simulator:
        simulator.rules = replace(simulator.rules, forbidden=frozenset({Operation.RECORDS}))
        server = Server(simulator.url, "demo", "demo-password", state_dir=tmp_path / "state")
        finished = await remove_files(
            [str(source)], Settings("00001", rate=200.0), server, approve=lambda plan: not plan.confirmed
        )
    assert finished.exit_code == 3
    assert finished.nothing is not None
    assert finished.nothing.proves_nothing
