"""plan --save and run --plan: only what was approved is sent, once."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bulk_remove.simulator.server import read_audit
from tests.support.processes import COMMAND, Running, bulk_remove, environment, report_of, simulator, started
from tests.support.terminal import at_a_terminal

NUMBERS = [str(500_000_000 + index) for index in range(40)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "server").mkdir()
    with simulator(tmp_path / "server", "--campaign", "00001", "--campaign", "00002") as running:
        yield running


def listed(folder: Path, numbers: Sequence[str] = NUMBERS) -> Path:
    source = folder / "numbers.csv"
    source.write_text("telefon,stan\n" + "".join(f"{number},nowy\n" for number in numbers), encoding="utf-8")
    return source


def saved(server: Running, folder: Path, *words: str | Path) -> Path:
    plan = folder / "approved.json"
    where = () if {"-c", "--campaign-column"} & {*words} else ("-c", "00001")
    done = bulk_remove(
        "plan", listed(folder), "--save", plan, "--url", server.url, "--user", "demo",
        "--state-dir", folder / "planner", *where, *words,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"run --plan {plan}" in done.stderr
    return plan


def run(plan: Path, folder: Path, *words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return bulk_remove(
        "run", "--plan", plan, "--yes", "--state-dir", folder / "state", *words, env=environment(**env)
    )  # fmt: skip


def removals(server: Running) -> list[str]:
    return [number for entry in read_audit(server.audit) if entry.method == "DELETE" for number in entry.asked]


def test_a_saved_plan_runs_with_no_other_argument_and_both_names_are_told(server: Running, tmp_path: Path) -> None:
    plan = saved(server, tmp_path, "--where", "stan=nowy", "--rate", "50", "--max-numbers", "40")
    text = plan.read_text(encoding="utf-8")
    assert not any(number in text for number in NUMBERS)
    assert "demo-password" not in text
    if os.name == "posix":
        assert plan.stat().st_mode & 0o777 == 0o600
    assert not removals(server)
    done = run(plan, tmp_path, "--user", "demo", "-o", tmp_path / "report.csv", "--report", "html")
    assert done.returncode == 0, done.stderr
    assert sorted(removals(server)) == NUMBERS
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    told = json.loads(text)
    assert summary["planned_by"]["plan"] == told["plan"]
    assert summary["planned_by"]["api_user"] == summary["asked_by"]["api_user"] == "demo"
    assert summary["planned_by"]["system_user"] == summary["asked_by"]["system_user"]
    assert summary["settings"]["max_numbers"] == 40
    assert summary["settings"]["where"] == ["stan=nowy"]
    assert told["plan"] in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert told["plan"] in done.stdout + done.stderr
    shown = bulk_remove("runs", "show", "--json", "--state-dir", tmp_path / "state")
    assert json.loads(shown.stdout)["planned_by"]["plan"] == told["plan"]
    shown = bulk_remove("runs", "show", "--state-dir", tmp_path / "state")
    assert f"Planned: plan {told['plan']}, saved by " in shown.stdout


def test_a_plan_runs_once_also_if_the_first_run_was_stopped(server: Running, tmp_path: Path) -> None:
    plan = saved(server, tmp_path)
    assert run(plan, tmp_path).returncode == 0
    sent = len(removals(server))
    again = run(plan, tmp_path)
    assert again.returncode == 5
    assert "was run already" in again.stderr
    assert "bulk-remove resume" in again.stderr
    assert len(removals(server)) == sent


def test_a_plan_that_was_not_confirmed_may_be_run_later(server: Running, tmp_path: Path) -> None:
    plan = saved(server, tmp_path)
    words = ("run", "--plan", plan, "--state-dir", tmp_path / "state")
    shown, code = at_a_terminal(words, ("remove them", "no\r"))
    assert code == 5, shown
    assert not removals(server)
    shown, code = at_a_terminal(words, ("remove them", "yes\r"))
    assert code == 0, shown
    assert sorted(removals(server)) == NUMBERS


def test_a_plan_killed_while_it_was_sent_is_finished_by_resume_and_not_run_again(
    server: Running, tmp_path: Path
) -> None:
    plan = saved(server, tmp_path, "--max-numbers-per-request", "1", "--rate", "20")
    with started("run", "--plan", plan, "--yes", "--state-dir", tmp_path / "state") as process:
        deadline = time.monotonic() + 60
        while len(removals(server)) < 3:
            assert time.monotonic() < deadline
        process.kill()
        process.wait(timeout=60)
    again = run(plan, tmp_path)
    assert (again.returncode, len(set(removals(server))) < len(NUMBERS)) == (5, True), again.stderr
    done = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "-o", tmp_path / "report.csv")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert summary["planned_by"]["plan"] == json.loads(plan.read_text(encoding="utf-8"))["plan"]
    assert len(report_of(tmp_path)) == len(NUMBERS)


@pytest.mark.parametrize("numbers", [NUMBERS[:-1], [*NUMBERS, "600000001"], [*NUMBERS[1:], NUMBERS[0]]])
def test_another_content_is_refused(server: Running, tmp_path: Path, numbers: list[str]) -> None:
    plan = saved(server, tmp_path)
    listed(tmp_path, numbers)
    done = run(plan, tmp_path)
    assert done.returncode == 5
    assert "the content of the input" in done.stderr
    assert not removals(server)


def test_another_keep_list_is_refused(server: Running, tmp_path: Path) -> None:
    keep = tmp_path / "keep.csv"
    keep.write_text("telefon\n600000001\n", encoding="utf-8")
    plan = saved(server, tmp_path, "--keep", keep)
    keep.write_text("telefon\n600000002\n", encoding="utf-8")
    done = run(plan, tmp_path)
    assert done.returncode == 5
    assert "a --keep list" in done.stderr
    assert not removals(server)


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("-c", "00002"), "--campaign"),
        (("--campaign-column", "stan"), "--campaign-column"),
        (("--max-share", "100%"), "--max-share"),
        (("--additional-numbers",), "--additional-numbers"),
        (("--where", "stan=stary"), "--where"),
        (("--column", "2"), "--column"),
        (("--also-try", "plus"), "--also-try"),
        (("--rate", "1"), "--rate"),
        (("--no-canary",), "--canary"),
        (("--url", "http://127.0.0.1:9"), "--url"),
        (("--system", "acme"), "--system"),
    ],
)
def test_an_argument_that_contradicts_the_plan_is_refused_and_named(
    server: Running, tmp_path: Path, words: tuple[str, ...], flag: str
) -> None:
    plan = saved(server, tmp_path, "--canary", "--rate", "50")
    done = run(plan, tmp_path, *words)
    assert done.returncode == 2
    assert flag in done.stderr
    assert str(plan) in done.stderr
    assert not removals(server)


def test_a_value_of_a_profile_that_contradicts_is_named_with_its_place_and_one_that_agrees_is_no_matter(
    server: Running, tmp_path: Path
) -> None:
    plan = saved(server, tmp_path, "--max-numbers", "100")
    profile = tmp_path / "config.toml"
    profile.touch(mode=0o600)
    profile.write_text('[defaults]\ncampaign = "00001"\nmax_numbers = 50\n', encoding="utf-8")
    done = run(plan, tmp_path, BULK_REMOVE_CONFIG=str(profile))
    assert done.returncode == 2
    assert "--max-numbers" in done.stderr
    assert "config.toml, [defaults] max_numbers" in " ".join(done.stderr.split())
    profile.write_text(
        f'[defaults]\ncampaign = "00001"\nmax_numbers = 100\nnumber_format = "auto"\nurl = "{server.url}"\n'
        'timeout = "20s"\n',
        encoding="utf-8",
    )
    done = run(plan, tmp_path, BULK_REMOVE_CONFIG=str(profile))
    assert done.returncode == 0, done.stderr


def altered(file: Path, *, resealed: bool, **changes: Any) -> None:
    content = json.loads(file.read_text(encoding="utf-8")) | changes
    if resealed:
        content.pop("digest")
        content["digest"] = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    file.write_text(json.dumps(content), encoding="utf-8")


def test_a_plan_changed_by_hand_is_refused(server: Running, tmp_path: Path) -> None:
    plan = saved(server, tmp_path)
    altered(plan, resealed=False, campaigns={"00002": 40})
    done = run(plan, tmp_path)
    assert done.returncode == 5
    assert "was changed after it was saved" in done.stderr


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"made_at": time.time() - 2 * 86_400}, 5, "h old; the limit is 24:00 h"),
        ({"made_at": time.time() + 86_400}, 5, "in the future"),
        ({"version": "0.0.1"}, 5, "version 0.0.1"),
        ({"campaigns": {"00001": 39}}, 5, "how many numbers"),
        ({"numbers_sha256": "0" * 64}, 5, "the numbers to send"),
        ({"settings": {"no_such_setting": 1}}, 2, "is not a saved plan"),
        ({"settings": {"campaign": "x" * 9}}, 2, "is not a saved plan"),
        ({"made_at": "yesterday"}, 2, "is not a saved plan"),
        ({"made_at": 1e300}, 2, "is not a saved plan"),
        ({"url": "http://example.com"}, 2, "is not a saved plan"),
        ({"files": None}, 5, "the content of the input"),
        ({"kind": "something"}, 2, "is not a saved plan"),
        ({"plan": "601234555"}, 2, "is not a saved plan"),
    ],
)
def test_a_plan_that_is_old_or_odd_is_refused_in_a_sentence(
    server: Running, tmp_path: Path, changes: dict[str, Any], code: int, words: str
) -> None:
    plan = saved(server, tmp_path)
    altered(plan, resealed=True, **changes)
    done = run(plan, tmp_path)
    assert done.returncode == code, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not removals(server)


def test_the_age_is_the_readers_to_choose(server: Running, tmp_path: Path) -> None:
    plan = saved(server, tmp_path)
    altered(plan, resealed=True, made_at=time.time() - 2 * 86_400)
    assert run(plan, tmp_path, "--plan-max-age", "47h").returncode == 5
    assert run(plan, tmp_path, "--plan-max-age", "90").returncode == 2
    assert run(plan, tmp_path, "--plan-max-age", "3d").returncode == 0


@pytest.mark.parametrize("content", ["", "telefon\n500000000\n", "[]", "null", "{", '{"kind": 1}', "[" * 100_000])
def test_what_is_not_a_plan_is_named(tmp_path: Path, content: str) -> None:
    plan = tmp_path / "other"
    plan.write_text(content, encoding="utf-8")
    done = run(plan, tmp_path)
    assert done.returncode == 2
    assert f"{plan} is not a saved plan" in " ".join(done.stderr.split())
    assert run(tmp_path / "nowhere", tmp_path).returncode == 2


def test_a_plan_is_saved_only_if_it_could_be_run(server: Running, tmp_path: Path) -> None:
    source, plan = listed(tmp_path), tmp_path / "plan.json"
    words = ("plan", source, "-c", "00001", "--save", plan, "--state-dir", tmp_path / "state")
    there = ("--url", server.url, "--user", "demo")
    assert bulk_remove(*words).returncode == 2
    assert bulk_remove(*words, *there[:2]).returncode == 2
    assert bulk_remove(*words, *there, "--max-numbers", "1").returncode == 5
    assert bulk_remove(*words, "--url", "http://127.0.0.1:9", "--user", "demo").returncode == 7
    assert not plan.exists()
    assert bulk_remove(*words, *there).returncode == 0
    before = plan.read_bytes()
    again = bulk_remove(*words, *there)
    assert again.returncode == 2
    assert "there already" in again.stderr
    assert plan.read_bytes() == before


def test_the_limits_hold_for_a_saved_plan_too(server: Running, tmp_path: Path) -> None:
    plan = saved(server, tmp_path)
    assert bulk_remove("run", "--plan", plan, "--state-dir", tmp_path / "state").returncode == 2  # nobody can be asked
    assert not removals(server)


def test_a_file_that_was_moved_is_named_anew_and_checked_by_its_content(server: Running, tmp_path: Path) -> None:
    plan = saved(server, tmp_path)
    (tmp_path / "numbers.csv").rename(tmp_path / "moved.csv")
    assert run(plan, tmp_path).returncode == 4
    assert run(plan, tmp_path, tmp_path / "moved.csv").returncode == 0
    assert sorted(removals(server)) == NUMBERS


def test_a_plan_of_piped_rows_is_run_with_the_same_rows_piped(server: Running, tmp_path: Path) -> None:
    plan, source = tmp_path / "piped.json", listed(tmp_path)
    rows = source.read_text(encoding="utf-8")
    words = ("-c", "00001", "--url", server.url, "--user", "demo", "--state-dir", tmp_path / "planner")

    def piped(text: str, *words: str | Path) -> int:
        command = [*COMMAND, *map(str, words)]
        return subprocess.run(command, input=text, text=True, env=environment(), check=False, timeout=60).returncode

    assert piped(rows, "plan", "-", "--save", plan, *words) == 0
    again = ("run", "--plan", plan, "--yes", "--state-dir", tmp_path / "state")
    assert (piped("telefon\n500000000\n", *again), removals(server)) == (5, [])
    assert piped(rows, *again) == 0
    assert sorted(removals(server)) == sorted(NUMBERS)


def test_an_address_that_differs_in_more_than_its_host_is_shown_in_full(server: Running, tmp_path: Path) -> None:
    done = run(saved(server, tmp_path), tmp_path, "--url", f"{server.url}/other")
    assert done.returncode == 2
    assert f"--url is for {server.url}/other, but the plan" in done.stderr
    assert f"is for {server.url}." in done.stderr
