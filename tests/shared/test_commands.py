"""What one host did is known on all of them: history, limits, `runs`, the drop folder, deletion for good."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from bulk_remove import Server, Settings, remove_numbers
from bulk_remove.cli.commands import program
from bulk_remove.errors import UsageError
from bulk_remove.ledger.shared import connection_string
from bulk_remove.run.folders import join, leave, shared_of
from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.support.postgres import Postgres
from tests.support.processes import Running, altered, bulk_remove, environment, removal, simulator
from tests.support.raw_server import CERTIFICATES

Command = Callable[..., subprocess.CompletedProcess[str]]
ALL = "".join(f"{601_000_000 + index}\n" for index in range(40))


@pytest.fixture(name="on")
def on_fixture(tmp_path: Path, url: str) -> Command:
    """Runs a command on a host: a state folder of its own, and the one database."""

    def run(host: str, *words: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
        env = environment(**{"BULK_REMOVE_STATE": url, "BULK_REMOVE_STATE_DIR": str(tmp_path / host), **changes})
        return bulk_remove(*words, env=env)

    return run


def run_words(running: Running, folder: Path, numbers: str, *words: str) -> tuple[str | Path, ...]:
    source = folder / "numbers.csv"
    source.write_text(f"telefon\n{numbers}", encoding="utf-8")
    own = removal(running, folder, source, "--rate", "100", "--overwrite", *words)
    at = own.index("--state-dir")
    return own[:at] + own[at + 2 :]


def only_run(tmp_path: Path, host: str) -> Path:
    (folder,) = (tmp_path / host / "runs").iterdir()
    return folder


def test_what_was_done_on_one_host_is_known_and_proven_on_another(tmp_path: Path, on: Command) -> None:
    with simulator(tmp_path) as running:
        assert on("one", *run_words(running, tmp_path, ALL)).returncode == 0
        again = on("other", *run_words(running, tmp_path, ALL))
    assert "was run before" in again.stdout + again.stderr
    runs = json.loads(on("other", "runs", "list", "--json").stdout)["runs"]
    assert [run["numbers"] for run in runs] == [40, 40]
    run_id = runs[0]["run_id"]
    assert json.loads(on("other", "runs", "show", run_id, "--json").stdout)["ending"] == "done"
    assert on("other", "runs", "verify", run_id).returncode == 0
    explained = on("third", "explain", "601000007")
    assert run_id in explained.stdout
    assert explained.returncode == 0


def test_a_much_larger_list_than_usual_is_stopped_on_a_host_that_never_ran_one(tmp_path: Path, on: Command) -> None:
    few = "".join(ALL.splitlines(keepends=True)[:2])
    with simulator(tmp_path) as running:
        for _ in range(3):
            assert on("one", *run_words(running, tmp_path, few)).returncode == 0
        stopped = on("other", *run_words(running, tmp_path, ALL, "--max-times-usual", "3"))
    assert stopped.returncode == 5, stopped.stderr


def test_the_pace_that_was_learned_on_one_host_is_where_another_begins(
    tmp_path: Path, on: Command, server: Postgres, url: str
) -> None:
    with simulator(tmp_path) as running:
        words = run_words(running, tmp_path, ALL)
        assert on("one", *words).returncode == 0
        learned = json.dumps({"learned_at_s": time.time(), "max_request_line": 4000})
        host = running.url.removeprefix("http://").rstrip("/")
        server.ask(url, "DELETE FROM bulk_remove.host")
        server.ask(url, "INSERT INTO bulk_remove.host VALUES (%s, %s)", host, learned)
        planned = on("other", "plan", tmp_path / "numbers.csv", "-c", "00001", "--url", running.url)
    assert "4,000 bytes" in planned.stdout + planned.stderr


def test_a_run_is_deleted_for_good_on_all_hosts(tmp_path: Path, on: Command, server: Postgres, url: str) -> None:
    with simulator(tmp_path) as running:
        assert on("one", *run_words(running, tmp_path, ALL)).returncode == 0
    assert on("other", "runs", "list").returncode == 0
    assert only_run(tmp_path, "other").name == only_run(tmp_path, "one").name
    assert on("other", "runs", "prune", "--older-than", "0s", "--yes").returncode == 0
    assert server.ask(url, "SELECT count(*) FROM bulk_remove.log") == [(0,)]
    assert on("one", "runs", "list").returncode == 0
    assert [*(tmp_path / "one" / "runs").iterdir()] == [*(tmp_path / "other" / "runs").iterdir()] == []


def test_what_another_version_wrote_is_passed_over_and_stays(
    tmp_path: Path, on: Command, server: Postgres, url: str
) -> None:
    with simulator(tmp_path) as running:
        assert on("one", *run_words(running, tmp_path, ALL)).returncode == 0
    server.ask(url, "UPDATE bulk_remove.run SET format = format + 1")
    for command in (("list",), ("prune", "--older-than", "0s", "--yes")):
        assert on("other", "runs", *command).returncode == 0
    assert [*(tmp_path / "other" / "runs").iterdir()] == []
    assert server.ask(url, "SELECT count(*) FROM bulk_remove.run") == [(1,)]
    assert only_run(tmp_path, "one").is_dir()


def test_a_log_with_a_gap_is_told_and_nothing_else_suffers(
    tmp_path: Path, on: Command, server: Postgres, url: str
) -> None:
    with simulator(tmp_path) as running:
        assert on("one", *run_words(running, tmp_path, ALL)).returncode == 0
    server.ask(url, "DELETE FROM bulk_remove.log WHERE seq = 2")
    assert on("other", "runs", "prune", "--older-than", "0s", "--yes").returncode == 0
    assert server.ask(url, "SELECT count(*) FROM bulk_remove.run") == [(1,)]
    assert on("one", "runs", "verify").returncode == 0


def test_a_run_that_one_host_abandons_is_taken_up_by_none(tmp_path: Path, on: Command) -> None:
    with simulator(tmp_path, "--fault", "unavailable=1") as running:
        words = run_words(running, tmp_path, ALL, "--give-up-after", "1s", "--tries", "1")
        assert on("one", *words).returncode not in {0, 8}
        run_id = only_run(tmp_path, "one").name
        assert on("other", "runs", "abandon", run_id).returncode == 0
        refused = on("one", "resume", run_id, "--yes")
    assert refused.returncode == 4, refused.stderr
    assert "abandoned" in refused.stderr


def test_a_run_that_hosts_share_is_not_taken_up_without_the_others_knowing(tmp_path: Path, on: Command) -> None:
    with simulator(tmp_path) as running:
        assert on("one", *run_words(running, tmp_path, ALL)).returncode == 0
        refused = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "one")
    assert refused.returncode == 2
    assert "is shared with other hosts" in refused.stderr


def test_a_night_on_one_host_knows_what_another_did(tmp_path: Path, on: Command) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "list.csv").write_text(f"telefon\n{ALL}", encoding="utf-8")
    night = ("inbox", inbox, "--yes", "--settle", "0s", "-c", "00001", "--user", "demo", "--pace", "fixed")
    with simulator(tmp_path) as running:
        slow = (*night, "--url", running.url, "--rate", "4", "--max-numbers-per-request", "5")
        first = on("one", *slow)
        assert first.returncode == 0, first.stderr
        (inbox / "again.csv").write_text(f"telefon\n{ALL}", encoding="utf-8")
        second = on("other", *slow)
    assert second.returncode == 0, second.stderr
    assert "has already done the same content" in second.stdout


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://user@db.example/x", "verify-full"),
        ("postgresql://user@db.example/x?sslmode=require", "require"),
        ("postgresql:///x?hostaddr=10.0.0.1", "verify-full"),
        ("postgresql://localhost,db.example/x", "verify-full"),
        ("postgresql://localhost/x", None),
        ("postgresql:///x?host=/var/run/postgresql", None),
        ("postgresql:///x", None),
        ("postgresql:///x?service=there", "verify-full"),
    ],
)
def test_off_this_machine_the_certificate_is_checked_unless_told_otherwise(
    url: str, mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)
    told = dict(part.split("=", 1) for part in connection_string(url).split())
    assert told.get("sslmode") == mode
    assert told.get("sslrootcert") == ("system" if mode == "verify-full" else None)


@pytest.mark.parametrize(
    ("name", "value"), [("PGHOST", "db.example"), ("PGHOSTADDR", "10.0.0.1"), ("PGSERVICE", "there")]
)
def test_a_variable_may_lead_off_this_machine_too(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert "sslmode=verify-full" in connection_string("postgresql:///x")


def test_a_database_elsewhere_needs_a_certificate_of_its_name(tmp_path: Path, url: str) -> None:
    elsewhere = f"{url}?hostaddr=127.0.0.2"  # not one of the addresses that count as this machine
    trusted = f"{elsewhere}&sslrootcert={CERTIFICATES / 'ca.crt'}"
    for address, code in (
        (elsewhere, 7),
        (trusted.replace("@127.0.0.1", "@127.0.0.3"), 7),
        (trusted, 0),
    ):
        done = bulk_remove("runs", "list", "--state-dir", tmp_path, env=environment(BULK_REMOVE_STATE=address))
        assert done.returncode == code, done.stderr
        assert ("certificate" in done.stderr) == (code == 7)


@pytest.mark.parametrize("state", ["postgres", "mysql://x/y", "postgresql://[", "postgresql://u:secret@h/d?nonsense=1"])
def test_an_address_that_is_none_is_refused_without_what_is_secret_in_it(state: str, tmp_path: Path) -> None:
    refused = bulk_remove("runs", "list", "--state-dir", tmp_path, env=environment(BULK_REMOVE_STATE=state))
    assert refused.returncode == 2
    assert "--state is not the address of a database" in refused.stderr
    assert "secret" not in refused.stderr


def test_a_password_on_the_command_line_is_refused(tmp_path: Path) -> None:
    refused = bulk_remove("runs", "list", "--state-dir", tmp_path, "--state", "postgresql://u:secret@localhost/d")
    assert refused.returncode == 2
    assert "Everybody on this machine" in refused.stderr
    assert "secret" not in refused.stderr


def test_a_database_that_is_not_there_ends_the_command_with_what_it_said(tmp_path: Path, server: Postgres) -> None:
    env = environment(BULK_REMOVE_STATE=server.url("nowhere"))
    refused = bulk_remove("runs", "list", "--state-dir", tmp_path, env=env)
    assert refused.returncode == 7
    assert "does not answer" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_rerun_asks_again_for_what_a_run_of_another_host_left_open(tmp_path: Path, on: Command) -> None:
    again = ("--rate", "100", "--busy-for", "1m", "--busy-delay", "500ms")
    with simulator(tmp_path, "--busy-share", "1", "--busy-seconds", "1") as running:
        words = run_words(running, tmp_path, ALL, "--busy-for", "0s")
        assert on("one", *words).returncode == 3
        run_id = only_run(tmp_path, "one").name
        done = on("other", "rerun", run_id, "--yes", *again, "-o", tmp_path / "rerun.csv")
    assert done.returncode == 0, done.stderr


def test_a_run_that_is_not_shared_loads_nothing_for_it(tmp_path: Path) -> None:
    loaded = "[name for name in sys.modules if name.startswith('psycopg') or name.endswith('.shared')]"
    with simulator(tmp_path) as running:
        own = removal(running, tmp_path, *run_words(running, tmp_path, ALL)[2:3], "--rate", "100")
        done = altered(
            f"import atexit, sys; atexit.register(lambda: print({loaded}))", *own, "--state-dir", tmp_path / "state"
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_user_without_rights_is_told_so(tmp_path: Path, server: Postgres, url: str) -> None:
    server.ask(url, "DROP ROLE IF EXISTS stranger")
    server.ask(url, "CREATE ROLE stranger LOGIN")
    env = environment(BULK_REMOVE_STATE=url.replace("owner@", "stranger@"))
    refused = bulk_remove("runs", "list", "--state-dir", tmp_path, env=env)
    assert refused.returncode == 10
    assert "refused: permission denied for database" in refused.stderr


async def test_a_program_shares_its_runs_with_the_commands(tmp_path: Path, url: str, on: Command) -> None:
    with simulator(tmp_path) as running:
        server = Server(running.url, "demo", DEMO_PASSWORD, tmp_path / "one", url)
        try:
            told = [outcome async for outcome in remove_numbers(ALL.split(), Settings("00001"), server, approve=bool)]
        finally:
            leave(tmp_path / "one")
    assert len(told) == 40
    assert json.loads(on("other", "runs", "list", "--json").stdout)["runs"][0]["numbers"] == 40


def test_one_state_folder_is_not_shared_through_two_databases(tmp_path: Path, url: str, server: Postgres) -> None:
    join(tmp_path, url)
    with pytest.raises(UsageError, match="shared through another database already"):
        join(tmp_path, server.database())
    leave(tmp_path)
    join(tmp_path, server.database())
    leave(tmp_path)


def test_each_profile_of_one_process_shares_its_own_state_folder(tmp_path: Path, url: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[profile.one]\nstate = "{url}"\nstate_dir = "{tmp_path}/one"\n'
        f'[profile.other]\nstate_dir = "{tmp_path}/other"\n',
        encoding="utf-8",
    )
    config.chmod(0o600)
    with click.Context(program) as parent:
        for profile in ("one", "other"):
            words = ["--config", str(config), "--profile", profile]
            program.commands["ui"].make_context("ui", words, parent=parent)
        assert shared_of(tmp_path / "one") is not None
        assert shared_of(tmp_path / "other") is None
    leave(tmp_path / "one")
