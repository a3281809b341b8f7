"""Profiles and passwords as a user has them: the real command against the simulator."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.support.processes import Running, bulk_remove, environment, removal, report_of, simulator, unsaid
from tests.support.terminal import at_a_terminal

FILE_KEYRING = "tests.support.file_keyring.FileKeyring"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n601234555\n601234556\n", encoding="utf-8")
    return source


def profiled(folder: Path, text: str, **variables: str) -> dict[str, str]:
    """Write a file with profiles and return an environment that names it and holds no password."""
    file = folder / "config.toml"
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return environment(**{"BULK_REMOVE_CONFIG": str(file), "BULK_REMOVE_PASSWORD": "", **variables})


def requests_seen(server: Running) -> int:
    return server.audit.read_text(encoding="utf-8").count('"method":"DELETE"')


@pytest.mark.parametrize("source", ["password_env = 'ACME'", "password_file = 'secret'", "password_command = '{echo}'"])
def test_a_profile_is_enough_for_a_run(server: Running, tmp_path: Path, numbers: Path, source: str) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text(f"{DEMO_PASSWORD}\n", encoding="utf-8")
    source = source.format(echo=f"echo {DEMO_PASSWORD}")
    text = f"""
        default_profile = "acme"
        [defaults]
        state_dir = "state"
        output = "report.csv"
        [profile.acme]
        url = "{server.url}"
        user = "demo"
        campaign = "00001"
        files = ["{numbers.name}"]
        {source}
    """
    done = bulk_remove("run", "--yes", env=profiled(tmp_path, text, ACME=DEMO_PASSWORD))
    assert done.returncode == 0, done.stderr
    assert [row["number"] for row in report_of(tmp_path)] == ["601234555", "601234556"]
    logs = "".join(log.read_text(encoding="utf-8") for log in tmp_path.glob("state/runs/*/run.log"))
    summary = (tmp_path / "report.summary.json").read_text(encoding="utf-8")
    assert DEMO_PASSWORD not in done.stdout + done.stderr + logs + summary
    assert bulk_remove("check", env=profiled(tmp_path, text, ACME=DEMO_PASSWORD)).returncode == 0


def test_files_of_a_profile_are_not_read_when_others_are_named(tmp_path: Path, numbers: Path) -> None:
    env = profiled(tmp_path, "[defaults]\ncampaign = '00001'\nstate_dir = 'state'\nfiles = ['missing.csv']")
    assert "missing.csv" in bulk_remove("plan", env=env).stderr
    assert bulk_remove("plan", numbers, env=env).returncode == 0


def test_several_files_in_a_variable_are_separated_as_in_path(tmp_path: Path, numbers: Path) -> None:
    other = tmp_path / "other numbers.csv"
    other.write_text("telefon\n602234555\n", encoding="utf-8")
    files = os.pathsep.join(map(str, (numbers, other)))
    env = profiled(tmp_path, "[defaults]\ncampaign = '00001'\nstate_dir = 'state'", BULK_REMOVE_FILES=files)
    done = bulk_remove("plan", env=env)
    assert "numbers to remove from 00001 3" in " ".join(done.stdout.split()), done.stderr


def test_without_a_file_anywhere_the_argument_is_asked_for(tmp_path: Path) -> None:
    done = bulk_remove("plan", "-c", "00001", env=profiled(tmp_path, ""))
    assert done.returncode == 2
    assert "Missing argument 'FILE...'" in done.stderr


@pytest.mark.parametrize("words", [("check",), ("run", "x.csv", "-c", "00001", "--yes")], ids=["check", "run"])
def test_the_password_of_a_profile_is_sent_to_no_other_server(
    server: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    text = "[profile.acme]\nsystem = 'acme'\nuser = 'demo'\npassword_env = 'ACME'\nstate_dir = 'state'"
    env = profiled(tmp_path, text, ACME=DEMO_PASSWORD)
    done = bulk_remove(*words, "--profile", "acme", "--url", server.url, env=env)
    assert done.returncode == 2, done.stderr
    assert (
        "[profile.acme] password_env is the password of acme.thulium.com, and is not sent to 127.0.0.1" in done.stderr
    )
    typed = bulk_remove("check", "--profile", "acme", "--url", server.url, "--password-env", "ACME", env=env)
    assert typed.returncode == 0, typed.stderr


def test_a_typed_source_of_the_password_comes_before_the_variable(server: Running, tmp_path: Path) -> None:
    env = profiled(tmp_path, "", BULK_REMOVE_PASSWORD="wrong", ACME=DEMO_PASSWORD, OTHER="wrong, too")
    words = ("check", "--url", server.url, "--user", "demo")
    assert bulk_remove(*words, env=env).returncode == 6
    assert bulk_remove(*words, "--password-env", "ACME", env=env).returncode == 0
    assert bulk_remove(*words, env={**env, "BULK_REMOVE_PASSWORD_ENV": "ACME"}).returncode == 6


def test_an_earlier_run_is_asked_again_of_its_own_server_whatever_the_profile_says(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, "--rate", "7")).returncode == 0
    (run,) = (tmp_path / "state" / "runs").iterdir()
    before = (tmp_path / "report.csv").read_bytes()
    elsewhere = (
        "[defaults]\nsystem = 'other'\nuser = 'somebody'\ncampaign = '00002'\noutput = 'elsewhere.csv'\nrate = 1\n"
        "state_dir = 'state'\nnumber_format = 'e164'\n"
    )
    env = profiled(tmp_path, elsewhere, BULK_REMOVE_PASSWORD=DEMO_PASSWORD)
    for words in (("resume",), ("rerun", run.name, "--yes")):
        done = bulk_remove(*words, env=env)
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "elsewhere.csv").exists()
    assert (tmp_path / "report.csv").read_bytes() == before
    summaries = [path.read_text(encoding="utf-8") for path in tmp_path.glob("state/runs/*/report.summary.json")]
    assert all('"rate":7.0' in text.replace(" ", "") for text in summaries)
    assert summaries


def test_the_password_of_another_servers_profile_is_not_used_to_go_on_with_a_run(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers)).returncode == 0
    other = "[profile.{name}]\n{server}\npassword_env = 'ACME'\nstate_dir = 'state'\n"
    text = other.format(name="other", server="system = 'other'") + other.format(
        name="own", server=f"url = '{server.url}'"
    )
    env = profiled(tmp_path, text, ACME=DEMO_PASSWORD)
    refused = bulk_remove("resume", "--profile", "other", env=env)
    assert refused.returncode == 2
    assert "is the password of other.thulium.com" in refused.stderr
    assert bulk_remove("resume", "--profile", "own", env=env).returncode == 0


def test_a_report_alone_is_asked_for_at_the_profiles_server_in_the_campaigns_of_its_rows(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers)).returncode == 0
    text = (
        f"[defaults]\nurl = '{server.url}'\nuser = 'demo'\npassword_env = 'ACME'\ncampaign = '00009'\n"
        "output = 'report.csv'\nstate_dir = 'second'\n"
    )
    before = (tmp_path / "report.csv").read_bytes()
    done = bulk_remove("rerun", tmp_path / "report.csv", "--yes", env=profiled(tmp_path, text, ACME=DEMO_PASSWORD))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.csv").read_bytes() == before
    (report,) = (tmp_path / "second").glob("runs/*/report.csv")
    assert "00001" in report.read_text(encoding="utf-8")


def test_a_wrong_file_stops_a_run_before_anything_is_sent(server: Running, tmp_path: Path, numbers: Path) -> None:
    before = requests_seen(server)
    env = profiled(tmp_path, "[defaults]\nrat = 1\n", BULK_REMOVE_PASSWORD=DEMO_PASSWORD)
    done = bulk_remove(*removal(server, tmp_path, numbers), env=env)
    assert (done.returncode, requests_seen(server)) == (2, before)
    assert "Did you mean rate?" in done.stderr


def kept(folder: Path, **variables: str) -> dict[str, str]:
    """Return an environment with a keyring in a file, and without another password."""
    own = {"PYTHON_KEYRING_BACKEND": FILE_KEYRING, "FILE_KEYRING": str(folder / "keyring.json")}
    return environment(**{**own, "BULK_REMOVE_PASSWORD": "", **variables})


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_login_stores_what_is_typed_unseen_and_logout_deletes_it(server: Running, tmp_path: Path) -> None:
    who = ["--url", server.url, "--user", "demo"]
    env = kept(tmp_path)
    assert "bulk-remove login" in bulk_remove("check", *who, env=env).stderr
    shown, code = at_a_terminal(["login", *who], ("Password of demo", f"{DEMO_PASSWORD}\n"), env=env)
    assert code == 0, shown
    assert "accepts this user" in shown
    assert DEMO_PASSWORD not in shown
    assert bulk_remove("check", *who, env=env).returncode == 0
    other = bulk_remove("check", *who[:2], "--user", "somebody", env=env)
    assert "No password is given" in other.stderr
    assert "is deleted" in bulk_remove("logout", *who, env=env).stdout
    assert "was not in the keyring" in bulk_remove("logout", *who, env=env).stdout
    assert "No password is given" in bulk_remove("check", *who, env=env).stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_password_in_the_keyring_is_for_its_own_server_alone(server: Running, tmp_path: Path) -> None:
    env = kept(tmp_path)
    shown, code = at_a_terminal(
        ["login", "--url", server.url, "--user", "demo"], ("Password", f"{DEMO_PASSWORD}\n"), env=env
    )
    assert code == 0, shown
    for url in (server.url.replace("127.0.0.1", "[::1]"), f"{server.url}/tenant"):
        done = bulk_remove("check", "--url", url, "--user", "demo", env=env)
        assert (done.returncode, "No password is given" in done.stderr) == (2, True), done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("words", "typed", "code", "told"),
    [
        ((), "wrong", 6, ""),
        (("--no-check",), "wrong", 0, "is stored in the keyring"),
        (("--url", "http://127.0.0.1:9"), "s3cr3t", 7, ""),
    ],
    ids=["refused", "not checked", "out of reach"],
)
def test_login_stores_nothing_that_the_server_did_not_accept(
    server: Running, tmp_path: Path, words: tuple[str, ...], typed: str, code: int, told: str
) -> None:
    own = ["login", *map(str, unsaid(("--url", server.url, "--user", "demo"), words)), *words]
    shown, ended = at_a_terminal(own, ("Password of demo", f"{typed}\n"), env=kept(tmp_path))
    assert ended == code, shown
    assert told in shown
    assert typed not in shown
    assert (tmp_path / "keyring.json").exists() == (code == 0)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        ("keyring.backends.null.Keyring", "did not keep the password"),
        ("keyring.backends.fail.Keyring", "cannot be used (NoKeyringError)"),
        ("tests.support.file_keyring.LockedKeyring", "cannot be used (KeyringLocked)"),
        ("tests.support.no_such.Keyring", "cannot be used (ModuleNotFoundError)"),
    ],
)
def test_a_keyring_that_does_not_work_is_told_without_the_password(
    server: Running, tmp_path: Path, backend: str, sentence: str
) -> None:
    env = kept(tmp_path, PYTHON_KEYRING_BACKEND=backend)
    who = ["login", "--url", server.url, "--user", "demo"]
    shown, code = at_a_terminal(who, ("Password of demo", f"{DEMO_PASSWORD}\n"), env=env)
    assert code == 2, shown
    assert sentence in " ".join(shown.split())
    assert "--password-file" in shown
    assert DEMO_PASSWORD not in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        ("keyring.backends.fail.Keyring", "No password is given"),
        ("tests.support.file_keyring.LockedKeyring", "cannot be used (KeyringLocked)"),
    ],
)
def test_a_run_without_a_password_tells_whether_a_keyring_could_be_asked(
    server: Running, tmp_path: Path, backend: str, sentence: str
) -> None:
    env = kept(tmp_path, PYTHON_KEYRING_BACKEND=backend)
    done = bulk_remove("check", "--url", server.url, "--user", "demo", env=env)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


def test_without_the_extra_login_says_what_to_install_and_a_run_that_no_password_is_given(server: Running) -> None:
    missing = "import sys; sys.modules['keyring'] = None"
    who = ("--url", server.url, "--user", "demo")
    env = environment(BULK_REMOVE_PASSWORD="")
    for command in ("login", "logout"):
        done = bulk_remove(command, *who, env=env, before=missing)
        assert done.returncode == 2
        assert "needs the package keyring, which is not installed" in done.stderr
        assert "pip install 'bulk-remove[keyring]'" in done.stderr
    assert "No password is given" in bulk_remove("check", *who, env=env, before=missing).stderr
    assert bulk_remove("check", *who, before=missing).returncode == 0


def test_login_without_a_terminal_says_what_to_use_instead(server: Running) -> None:
    done = bulk_remove("login", "--url", server.url, "--user", "demo")
    assert done.returncode == 2
    assert "There is no terminal to ask for the password." in done.stderr
