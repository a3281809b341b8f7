"""What an operator should know before saying yes: settings that nobody typed now, the campaign's name, earlier runs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_remove.simulator.api import DEMO_PASSWORD
from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, environment, removal, simulator
from tests.support.terminal import at_a_terminal


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path, "--forbid", "stats") as running:
        yield running


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n601234555\n601234556\n", encoding="utf-8")
    return source


def test_settings_that_nobody_typed_now_are_told_with_value_and_place_and_no_secret(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    config = tmp_path / "config.toml"
    config.touch(mode=0o600)
    config.write_text(
        f'default_profile = "acme"\n[defaults]\nrate = 100\n[profile.acme]\nurl = "{server.url}"\nuser = "demo"\n'
        f'state_dir = "{tmp_path / "state"}"\npassword_command = "echo {DEMO_PASSWORD}"\nmax_share = "40%"\n',
        encoding="utf-8",
    )
    env = environment(BULK_REMOVE_CONFIG=str(config), BULK_REMOVE_CAMPAIGN="00001", BULK_REMOVE_PASSWORD="")
    for done in (
        bulk_remove("plan", numbers, env=env),
        bulk_remove("run", numbers, "--yes", "--max-share", "100%", env=env),
    ):
        assert done.returncode == 0, done.stderr
        assert "Settings from environment variables: campaign = 00001" in done.stderr
        profile, defaults = (line for line in done.stderr.splitlines() if f"in {config}" in line)
        profile, defaults = sorted((profile, defaults), key=lambda line: "[defaults]" in line)
        assert profile.startswith("Settings from [profile.acme] (default_profile) in ")
        assert f"url = {server.url}, " in profile or profile.endswith(f"url = {server.url}.")
        assert "password_command = (not shown)" in profile
        assert defaults.endswith(": rate = 100.")
        assert ("max_share = 40%" in profile) is ("--max-share" not in done.args)
        assert DEMO_PASSWORD not in done.stdout + done.stderr


def test_what_was_typed_is_not_told_again(tmp_path: Path, server: Running, numbers: Path) -> None:
    assert "Settings from" not in bulk_remove(*removal(server, tmp_path, numbers)).stderr


def test_at_the_question_all_of_it_is_in_sight(tmp_path: Path, server: Running, numbers: Path) -> None:
    words = ("run", numbers, "--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state")
    env = environment(BULK_REMOVE_CAMPAIGN="00001", COLUMNS="200")
    first, code = at_a_terminal(words, ("n to stop: ", "yes\n"), env=env)
    assert code == 0, first
    again, code = at_a_terminal(words, ("n to stop: ", "no\n"), env=env)
    assert code == 5
    (run,) = (tmp_path / "state" / "runs").iterdir()
    for shown in (first, again):
        plan, _, question = shown.partition("Settings from environment variables: campaign = 00001")
        assert "'Stand-in1'" in re.sub(r"\s|\x1b\[[0-9;]*m", "", plan)
        assert "from campaign 00001 'Stand-in 1' on " in " ".join(question.split())
        assert "(a rehearsal on a stand-in)" in " ".join(question.split())
    told = f"numbers.csv was run before: run {run.name} of "
    assert told not in first
    assert told in again
    assert "had the same content, and every number has its final answer." in " ".join(again.split())
    # Of several the one is named that removed something, and not the latest one, which found nothing any more.
    assert bulk_remove(*words, "--yes", env=env).returncode == 0
    assert told in bulk_remove(*words, "--yes", env=env).stderr


def test_a_file_of_another_name_and_a_run_that_was_not_finished_are_told_too(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    canary = ("--canary", "--canary-max-not-exist", "0%", "--max-numbers-per-request", "1")
    assert bulk_remove(*removal(server, tmp_path, numbers)).returncode == 0
    other = tmp_path / "other.csv"
    other.write_text("telefon\n601234555\n601234557\n", encoding="utf-8")
    assert bulk_remove(*removal(server, tmp_path, other, *canary)).returncode == 5
    stopped = max((tmp_path / "state" / "runs").iterdir()).name
    copy = tmp_path / "copy.csv"
    copy.write_bytes(other.read_bytes())
    plan = ("plan", copy, "--state-dir", tmp_path / "state", "--url", server.url)
    told = bulk_remove(*plan, "-c", "00001")
    assert f"copy.csv was run before: run {stopped} of " in told.stderr
    assert f"can be finished: bulk-remove resume {stopped}" in told.stderr
    elsewhere = bulk_remove(*plan, "-c", "00002").stderr
    assert f"copy.csv was run before for campaign 00001: run {stopped} of " in elsewhere


@pytest.mark.parametrize("answer", ["403", "odd"])
def test_who_may_not_list_campaigns_does_without_their_names(tmp_path: Path, numbers: Path, answer: str) -> None:
    with simulator(tmp_path, "--forbid", "campaigns") if answer == "403" else simulator(tmp_path) as server:
        done = bulk_remove(*removal(server, tmp_path, numbers))
        assert done.returncode == 0, done.stderr
        summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
        assert summary["campaign_names"] == ({} if answer == "403" else {"00001": "Stand-in 1"})
        assert (
            sum(entry.method == "GET" for entry in read_audit(server.audit)) == 5
        )  # three pages, the names, the count


def test_the_same_content_for_another_campaign_is_told(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path, "--campaign", "00001", "--campaign", "00002") as server:
        assert bulk_remove(*removal(server, tmp_path, numbers)).returncode == 0
        own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state")
        done = bulk_remove("plan", numbers, "-c", "00002", *own)
        assert f"{numbers} was run before for campaign 00001: run " in done.stderr, done.stderr
