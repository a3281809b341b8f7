"""The commands as a user runs them."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
import pytest

from bulk_remove.cli.commands import program
from bulk_remove.cli.options import TimeOfDay
from bulk_remove.cli.profiles import check_words
from bulk_remove.errors import UsageError
from tests.support.processes import Running, bulk_remove, environment, removal, report_of, simulator, started
from tests.support.terminal import at_a_terminal
from tests.support.warm import Warm

SLOW = ("--max-numbers-per-request", "1", "--rate", "4", "--concurrency", "2")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    rows = "\n".join(f"{500_000_000 + index},miasto {index}" for index in range(40))
    source.write_text(f"telefon,city\n{rows}\n", encoding="utf-8")
    return source


def test_plan_shows_what_would_be_done_and_sends_nothing(tmp_path: Path, numbers: Path) -> None:
    done = bulk_remove("plan", numbers, "-c", "00001", "--state-dir", tmp_path / "state", "--rate", "1", *SLOW[:2])
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "numbers to remove from 00001 40" in words
    assert "requests 40 at least 39 s at 1 a second" in words
    assert "phone column 1 'telefon', found by its name" in words
    assert "500000" not in done.stdout
    assert list((tmp_path / "state" / "runs").iterdir()) == []


def test_plan_is_refused_for_what_run_would_refuse(tmp_path: Path) -> None:
    assert bulk_remove("plan", tmp_path / "nothing.csv", "-c", "00001", "--state-dir", tmp_path).returncode == 4


def test_check_tells_that_the_server_accepts_the_user_and_knows_the_campaign(server: Running) -> None:
    done = bulk_remove("check", "--url", server.url, "--user", "demo", "-c", "00001")
    assert done.returncode == 0, done.stderr
    assert "accepts this user" in done.stdout
    assert "Campaign 00001 holds" in done.stdout


def test_check_without_a_campaign_tries_the_user_alone(server: Running) -> None:
    done = bulk_remove("check", "--url", server.url, "--user", "demo")
    assert done.returncode == 0, done.stderr
    wrong = bulk_remove("check", "--url", server.url, "--user", "somebody")
    assert wrong.returncode == 6


def test_every_setting_is_an_environment_variable_too(server: Running, tmp_path: Path, numbers: Path) -> None:
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text("demo-password\nnot this line\n", encoding="utf-8")
    done = bulk_remove(
        "run",
        numbers,
        "--yes",
        env=environment(
            BULK_REMOVE_URL=server.url,
            BULK_REMOVE_USER="demo",
            BULK_REMOVE_PASSWORD="",
            BULK_REMOVE_PASSWORD_FILE=str(secret),
            BULK_REMOVE_CAMPAIGN="00001",
            BULK_REMOVE_STATE_DIR=str(tmp_path / "state"),
            BULK_REMOVE_OUTPUT=str(tmp_path / "report.csv"),
        ),
    )
    assert done.returncode == 0, done.stderr
    assert len(report_of(tmp_path)) == 40


def test_the_report_goes_to_the_runs_own_folder_by_default(server: Running, tmp_path: Path, numbers: Path) -> None:
    words = removal(server, tmp_path, numbers)[:-2]
    done = bulk_remove(*words)
    assert done.returncode == 0, done.stderr
    (report,) = (tmp_path / "state" / "runs").glob("*/report.csv")
    assert str(report) in done.stdout


def test_kept_columns_come_first_in_the_report(server: Running, tmp_path: Path, numbers: Path) -> None:
    done = bulk_remove(*removal(server, tmp_path, numbers), "--keep-columns")
    assert done.returncode == 0, done.stderr
    first = report_of(tmp_path)[0]
    assert list(first)[:4] == ["telefon", "city", "file", "row"]
    assert (first["telefon"], first["city"], first["number"]) == ("500000000", "miasto 0", "500000000")


def test_report_ledger_and_log_are_for_their_owner_alone(server: Running, tmp_path: Path, numbers: Path) -> None:
    if os.name != "posix":
        pytest.skip("file modes are POSIX")
    bulk_remove(*removal(server, tmp_path, numbers))
    files = [tmp_path / "report.csv", tmp_path / "report.summary.json", *tmp_path.glob("state/runs/*/*")]
    assert {file.name for file in files} >= {"report.csv", "ledger.sqlite", "run.log"}
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_no_number_and_no_secret_is_in_the_log_or_on_the_screen(server: Running, tmp_path: Path, numbers: Path) -> None:
    done = bulk_remove(*removal(server, tmp_path, numbers))
    (log,) = tmp_path.glob("state/runs/*/run.log")
    text = log.read_text(encoding="utf-8") + done.stdout + done.stderr
    assert "sending 40 numbers" in text
    assert "500000" not in text
    assert "demo-password" not in text


def test_two_runs_never_hold_one_campaign(server: Running, tmp_path: Path, numbers: Path) -> None:
    first = started(*removal(server, tmp_path, numbers), *SLOW)
    wait_for_requests(server, first)
    second = bulk_remove(*removal(server, tmp_path, numbers))
    assert second.returncode == 8
    assert "Another run on this machine is using campaign 00001" in second.stderr
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 143


def requests_seen(server: Running) -> int:
    return server.audit.read_text(encoding="utf-8").count('"method":"DELETE"')


def wait_for_requests(server: Running, process: Warm, more: int = 3) -> None:
    """Wait until the server has seen some more removals; there is nothing else to wait for."""
    before = requests_seen(server)
    for _ in range(600):
        if requests_seen(server) >= before + more:
            return
        assert process.poll() is None, "the run ended too early"
        time.sleep(0.02)
    raise AssertionError("the run did not begin")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize(
    ("sent", "code", "ending"),
    [
        (signal.SIGINT, 130, "stopped by Ctrl-C"),
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
        (signal.SIGHUP, 129, "stopped by SIGHUP"),
    ],
)
def test_a_signal_stops_safely_and_the_report_is_whole(
    server: Running, tmp_path: Path, numbers: Path, sent: signal.Signals, code: int, ending: str
) -> None:
    run = started(*removal(server, tmp_path, numbers), *SLOW)
    wait_for_requests(server, run)
    run.send_signal(sent)
    assert run.wait(30) == code
    rows = report_of(tmp_path)
    assert len(rows) == 40
    assert {row["status"] for row in rows} <= {"REMOVED", "NOT_EXIST", "UNSENT"}
    assert sum(row["status"] == "UNSENT" for row in rows) > 10
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert (summary["exit_code"], summary["ending"]) == (code, ending)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("typed", "code"),
    [("yes\n", 0), ("no\n", 5), ("\n", 5), ("\x03", 130), ("SIGHUP", 129)],
    ids=["yes", "no", "nothing", "Ctrl-C", "SIGHUP"],
)
def test_at_a_terminal_nothing_is_sent_before_the_question_is_answered(
    server: Running, tmp_path: Path, numbers: Path, typed: str, code: int
) -> None:
    before = requests_seen(server)
    words = [word for word in removal(server, tmp_path, numbers) if word != "--yes"]
    shown, ended = at_a_terminal(words, ("n to stop:", typed))
    assert ended == code, shown
    assert "This cannot be undone." in shown
    assert (requests_seen(server) > before) == (code == 0)


def test_a_rerun_of_a_run_never_goes_to_another_server_whatever_the_environment_says(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers)).returncode == 0
    (run,) = (tmp_path / "state" / "runs").iterdir()
    words = ("rerun", run.name, "--state-dir", tmp_path / "state", "--yes")
    elsewhere = bulk_remove(*words, env=environment(BULK_REMOVE_URL="https://other.thulium.com"))
    assert elsewhere.returncode == 2, elsewhere.stderr
    assert "was sent to 127.0.0.1" in elsewhere.stderr
    assert "not to other.thulium.com" in elsewhere.stderr
    here = bulk_remove(*words, env=environment(BULK_REMOVE_URL=server.url))
    assert here.returncode == 0, here.stderr


@pytest.mark.parametrize(("typed", "rate"), [((), 7.0), (("--rate", "3"), 3.0)])
def test_resume_keeps_the_ceilings_of_its_run_unless_others_are_typed(
    tmp_path: Path, numbers: Path, typed: tuple[str, ...], rate: float
) -> None:
    with simulator(tmp_path, "--busy-share", "1", "--busy-seconds", "1") as server:
        words = removal(server, tmp_path, numbers, "--rate", "7", "--concurrency", "2", "--busy-for", "0")
        assert bulk_remove(*words).returncode == 3
        fast = environment(BULK_REMOVE_RATE="100", BULK_REMOVE_CONCURRENCY="9")
        own = ("--yes", "--state-dir", tmp_path / "state", "--busy-for", "30s", "--busy-delay", "300ms")
        done = bulk_remove("resume", *own, *typed, env=fast)
    assert done.returncode == 0, done.stderr
    settings = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["rate"], settings["concurrency"]) == (rate, 2)


def test_the_report_never_replaces_the_input(server: Running, tmp_path: Path, numbers: Path) -> None:
    before = numbers.read_text(encoding="utf-8")
    done = bulk_remove(*removal(server, tmp_path, numbers, "-o", numbers))
    assert done.returncode == 2
    assert "is a file that this run reads" in done.stderr
    assert numbers.read_text(encoding="utf-8") == before


@pytest.mark.parametrize("until", ["06", "0600", "6:00", "T06:00", "06:00Z", "06:00+01:00", "06:00:30.5", "24:00", ""])
def test_what_is_no_plain_time_of_day_is_refused(until: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time of day; write 06:00"):
        TimeOfDay().convert(until, None, None)


@pytest.mark.parametrize("words", [("run", "--yes"), ("resume", "--yes"), ("rerun", "report.csv"), ("inbox", "--yes")])
def test_a_day_and_time_in_the_past_is_no_deadline(tmp_path: Path, numbers: Path, words: tuple[str, ...]) -> None:
    given = {"run": (numbers, "-c", "00001"), "inbox": (tmp_path, "-c", "00001")}.get(words[0], ())
    env = environment(BULK_REMOVE_STATE_DIR=str(tmp_path / "state"))
    done = bulk_remove(*words, *given, "--until", "2021-11-27T06:00", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'2021-11-27T06:00' is in the past" in done.stderr


def test_a_profile_with_a_moment_in_the_past_stops_only_the_commands_that_would_use_it(
    tmp_path: Path, numbers: Path
) -> None:
    (tmp_path / "config.toml").write_text("[defaults]\nuntil = '2021-11-27T06:00'\n", encoding="utf-8")
    env = environment(BULK_REMOVE_CONFIG=str(tmp_path / "config.toml"), BULK_REMOVE_STATE_DIR=str(tmp_path / "state"))
    assert bulk_remove("runs", "list", env=env).returncode == 0
    done = bulk_remove("run", numbers, "-c", "00001", "--yes", env=env)
    assert done.returncode == 2
    assert "is in the past" in done.stderr


def test_a_range_of_hours_is_no_deadline() -> None:
    with pytest.raises(click.BadParameter, match="is a range of hours; give it to --hours"):
        TimeOfDay().convert("06:00-08:00", None, None)


def test_a_deadline_is_a_time_of_day_or_a_day_and_a_time_of_it() -> None:
    for until in ("06:00", "06:00:30"):
        assert f"{datetime.fromtimestamp(TimeOfDay().convert(until, None, None)):%H:%M}" == "06:00"  # noqa: DTZ006 - local
    moment = datetime(2031, 2, 3, 6, 30)  # noqa: DTZ001 - likewise
    for until in ("2031-02-03T06:30", "2031-02-03 06:30:00"):
        assert TimeOfDay().convert(until, None, None) == moment.timestamp()


def _commands(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield from _commands(command) if isinstance(command, click.Group) else [command]


def test_an_option_of_one_value_is_given_once_or_twice_the_same() -> None:
    refused = 0
    for command in _commands(program):
        for param in command.params:
            if not isinstance(param, click.Option) or (param.is_flag and not param.secondary_opts):
                continue
            on, off = [param.opts[-1]], [*param.secondary_opts]
            once, other = (on, off) if param.is_flag else ([*on, "1"], [param.opts[0], "2"])
            ctx = click.Context(command, info_name=command.name)
            check_words(command, ctx, [*once, *once])
            if param.multiple:
                check_words(command, ctx, [*once, *other])
                continue
            with pytest.raises(UsageError) as found:
                check_words(command, ctx, [*once, "numbers.csv", *other])
            flags = "/".join([max(param.opts, key=len), *param.secondary_opts])
            assert found.value.sentence == f"{flags} is given twice, with different values."
            refused += 1
    assert refused > 100


def test_no_value_of_an_option_or_argument_is_empty() -> None:
    refused = 0
    for command in _commands(program):
        ctx = click.Context(command, info_name=command.name)
        for param in command.get_params(ctx):
            if isinstance(param, click.Option) and (param.is_flag or param.name == "help"):
                continue
            empties = ("",) if param.name == "delimiter" else ("", "  ")
            for empty in empties:
                words = [empty] if isinstance(param, click.Argument) else [param.opts[-1], empty]
                with pytest.raises(UsageError, match=r" is empty\.") as found:
                    check_words(command, ctx, words)
                name = found.value.sentence.removeprefix("The value of ").removesuffix(" is empty.")
                assert name in (param.opts if isinstance(param, click.Option) else str(param.metavar or "NUMBER SHELL"))
                refused += 1
        for argument in (each for each in command.params if isinstance(each, click.Argument) and each.nargs == -1):
            with pytest.raises(UsageError, match=r"^The value of (FILE|COMMAND) is empty\."):
                check_words(command, ctx, ["a.csv", ""])
            assert argument.name in {"files", "words"}
    assert refused > 300


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("run", ""), "FILE"),
        (("plan", "a.csv", ""), "FILE"),
        (("inbox", "", "--yes"), "DIR"),
        (("run", "a.csv", "-o", ""), "--output"),
        (("run", "a.csv", "--output="), "--output"),
        (("run", "a.csv", "--state-dir", ""), "--state-dir"),
        (("run", "a.csv", "--config", ""), "--config"),
        (("plan", "a.csv", "--keep", ""), "--keep"),
        (("rerun", ""), "RUN|REPORT"),
        (("resume", ""), "RUN"),
        (("report", "-o", ""), "--output"),
        (("config", "init", "--config", ""), "--config"),
        (("config", "show", "--state-dir", ""), "--state-dir"),
        (("runs", "list", "--state-dir", ""), "--state-dir"),
        (("simulate", "--audit", ""), "--audit"),
    ],
)
def test_an_empty_path_is_never_the_current_folder(tmp_path: Path, words: tuple[str, ...], name: str) -> None:
    (tmp_path / "a.csv").write_text("telefon\n601234555\n", encoding="utf-8")
    own = ("-c", "00001", "--yes") if words[0] == "run" else ()
    done = bulk_remove(*words, *own, env=environment(BULK_REMOVE_URL="http://127.0.0.1:9"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{name} is empty." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("BULK_REMOVE_KEEP", "", "BULK_REMOVE_KEEP is set but empty."),
        ("BULK_REMOVE_KEEP", f"a.csv{os.pathsep}", "BULK_REMOVE_KEEP has an empty part."),
        ("BULK_REMOVE_MAX_NUMBERS", "", "BULK_REMOVE_MAX_NUMBERS is set but empty."),
        ("BULK_REMOVE_WHERE", "", "BULK_REMOVE_WHERE is set but empty."),
        ("BULK_REMOVE_WHERE", " ", "BULK_REMOVE_WHERE is set but empty."),
        ("BULK_REMOVE_CANARY", "", "BULK_REMOVE_CANARY is set but empty."),
        ("BULK_REMOVE_FILES", "", "BULK_REMOVE_FILES is set but empty."),
        ("BULK_REMOVE_LANG", "", "BULK_REMOVE_LANG is set but empty."),
        ("BULK_REMOVE_PROFILE", "", "BULK_REMOVE_PROFILE is set but empty."),
        ("BULKREMOVE_KEEP", "a.csv", "BULKREMOVE_KEEP is not a setting. Did you mean BULK_REMOVE_KEEP?"),
        (
            "bulk_remove_max_number",
            "5",
            "bulk_remove_max_number is not a setting. Did you mean BULK_REMOVE_MAX_NUMBERS?",
        ),
        ("Bulk-Remove-Keep", "a.csv", "Bulk-Remove-Keep is not a setting. Did you mean BULK_REMOVE_KEEP?"),
        (
            "BULK_REMOVE_YES",
            "1",
            "BULK_REMOVE_YES is not a setting. --yes has no variable: type it as a flag.",
        ),
        ("BULK_REMOVE_OVERWRITE", "1", "BULK_REMOVE_OVERWRITE is not a setting. --overwrite has no variable"),
    ],
)
def test_a_variable_that_would_set_nothing_stops_the_command(
    tmp_path: Path, numbers: Path, variable: str, value: str, sentence: str
) -> None:
    if os.name == "nt" and variable != variable.upper():
        pytest.skip("names of variables are capitals there")
    done = bulk_remove("plan", numbers, "-c", "00001", "--state-dir", tmp_path, env=environment(**{variable: value}))
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "words", [("-c", "00001", "--campaign", "00002"), ("--rate", "5", "--rate=2"), ("--canary", "--no-canary")]
)
def test_whoever_contradicts_themselves_is_asked_what_is_meant(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = bulk_remove("run", "numbers.csv", *words, "--yes", "--state-dir", tmp_path)
    assert done.returncode == 2
    assert "is given twice, with different values. It takes one value: keep one of them." in " ".join(
        done.stderr.split()
    )
    assert list(tmp_path.iterdir()) == []


def test_a_variable_that_no_setting_has_is_refused(tmp_path: Path) -> None:
    done = bulk_remove("runs", "list", "--state-dir", tmp_path, env=environment(BULK_REMOVE_MAX_NUMBER="5"))
    assert done.returncode == 2
    assert "BULK_REMOVE_MAX_NUMBER is not a setting." in done.stderr
    assert "BULK_REMOVE_MAX_NUMBERS" in done.stderr
    known = environment(BULK_REMOVE_ACME_PASSWORD="x", BULK_REMOVE_LANG="en", BULK_REMOVE_MAX_NUMBERS="5")
    assert bulk_remove("runs", "list", "--state-dir", tmp_path, env=known).returncode == 0
