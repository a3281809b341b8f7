"""`bulk-remove setup` at a terminal: what it asks, what it writes, and what it leaves alone."""

import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulk_remove.cli.config_jobs import with_profile
from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.support.processes import Running, bulk_remove, environment, simulator
from tests.support.terminal import Sitting, sitting

SYSTEM, USER, SECRET, CAMPAIGN, LANGUAGE = "System (NAME", "API user", "Password of", "Campaign, or -", "Language ("
Env = Callable[..., dict[str, str]]


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="env")
def env_fixture(tmp_path: Path) -> Env:
    def of(**more: str) -> dict[str, str]:
        own = {"BULK_REMOVE_CONFIG": str(tmp_path / "config" / "config.toml"), "BULK_REMOVE_PASSWORD": ""}
        return environment(**own, BULK_REMOVE_STATE_DIR=str(tmp_path / "state"), **more)

    return of


def answered(at: Sitting, *answers: tuple[str, str]) -> None:
    for question, answer in answers:
        at.until(question)
        at.until("): ")  # what is typed before the end of the question is forgotten
        at.type(f"{answer}\n")


def all_of(server: Running) -> tuple[tuple[str, str], ...]:
    return ((LANGUAGE, ""), (SYSTEM, server.url), (USER, "demo"), (SECRET, DEMO_PASSWORD), (CAMPAIGN, "1"))


def config_of(env: dict[str, str]) -> Path:
    return Path(env["BULK_REMOVE_CONFIG"])


pytty = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


@pytty
def test_setup_asks_for_everything_writes_a_profile_and_checks_it(server: Running, env: Env) -> None:
    with sitting("setup", env=env()) as at:
        answered(at, *all_of(server))
        assert at.ended() == 0, at.shown
    assert DEMO_PASSWORD not in at.shown
    assert "accepts this user" in at.shown
    assert "bulk-remove run opt-outs.csv" in at.shown
    file = config_of(env())
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    (name,) = told["profile"]
    assert told["default_profile"] == name
    assert told["profile"][name] == {
        "url": server.url, "user": "demo", "campaign": "00001", "lang": "en", "password_file": f"{name}-password",
    }  # fmt: skip
    secret = file.parent / f"{name}-password"
    assert secret.read_text(encoding="utf-8") == f"{DEMO_PASSWORD}\n"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, secret)} == {0o600}
    assert bulk_remove("check", env=env()).returncode == 0


EARLIER = """# My own words.
default_profile = "acme"  # the usual one

[profile.acme]
url = "{url}"   # ours
user = "demo"
password_file = "secret"
max_numbers = 5_000  # never more
keep = [
    "vip.csv",
]

# Another system.
[profile.beta]
system = "beta"
"""


def earlier(env: dict[str, str], url: str) -> Path:
    file = config_of(env)
    file.parent.mkdir(mode=0o700)
    file.write_text(EARLIER.format(url=url), encoding="utf-8")
    (file.parent / "secret").write_text(DEMO_PASSWORD, encoding="utf-8")
    for path in (file, file.parent / "secret"):
        path.chmod(0o600)
    return file


@pytty
def test_an_answer_that_cannot_be_is_asked_for_again(server: Running, env: Env) -> None:
    with sitting("setup", env=env()) as at:
        answered(at, (LANGUAGE, ""), (SYSTEM, ""), (SYSTEM, server.url))
        answered(at, ("API user (", "de:mo"), ("API user (", "demo"), (SECRET, DEMO_PASSWORD))
        answered(at, (CAMPAIGN, "nowhere"), (CAMPAIGN, "all"))
        assert at.ended() == 0, at.shown
    for told in ("A system or an address is needed", "a name without a colon", "No campaign matches"):
        assert told in at.shown
    (profile,) = tomllib.loads(config_of(env()).read_text(encoding="utf-8"))["profile"].values()
    assert (profile["user"], profile["campaign"]) == ("demo", "all")


@pytty
def test_setup_again_offers_what_there_is_and_changes_only_what_was_answered(server: Running, env: Env) -> None:
    file = earlier(env(), server.url)
    with sitting("setup", env=env()) as at:
        answered(
            at, (LANGUAGE, ""), (SYSTEM, ""), (USER, ""), ("Enter keeps the stored one", ""), (CAMPAIGN, "Stand-in 1")
        )
        assert at.ended() == 0, at.shown
    added = 'campaign = "00001"\nlang = "en"\n'
    assert file.read_text(encoding="utf-8") == EARLIER.format(url=server.url).replace("]\n\n# An", f"]\n{added}\n# An")
    assert {path.name for path in file.parent.iterdir()} == {
        "config.toml",
        "secret",
    }
    before = file.read_bytes()
    with sitting("setup", env=env()) as at:
        answered(at, (LANGUAGE, ""), (SYSTEM, ""), (USER, ""), ("Enter keeps the stored one", ""), (CAMPAIGN, ""))
        assert at.ended() == 0, at.shown
    assert file.read_bytes() == before


@pytty
def test_another_server_gets_another_profile_and_its_own_password(server: Running, env: Env) -> None:
    file = earlier(env(), "https://acme.thulium.com")
    with sitting("setup", env=env()) as at:
        answered(at, *all_of(server))
        assert at.ended() == 0, at.shown
    assert "Enter keeps the stored one" not in at.shown
    (new,) = {*tomllib.loads(file.read_text(encoding="utf-8"))["profile"]} - {"acme", "beta"}
    assert f"bulk-remove run opt-outs.csv --profile {new}" in at.shown
    assert file.read_text(encoding="utf-8").startswith(EARLIER.format(url="https://acme.thulium.com"))
    assert (file.parent / "secret").read_text(encoding="utf-8") == DEMO_PASSWORD
    assert bulk_remove("check", "--profile", new, env=env()).returncode == 0


@pytty
def test_a_link_to_the_file_and_its_mode_stay(server: Running, env: Env, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "bulk-remove.toml"
    real.parent.mkdir()
    real.write_text("# Mine.\n", encoding="utf-8")
    real.chmod(0o644)
    config_of(env()).parent.mkdir()
    config_of(env()).symlink_to(real)
    with sitting("setup", env=env()) as at:
        answered(at, *all_of(server))
        assert at.ended() == 0, at.shown
    assert config_of(env()).is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o644
    assert real.read_text(encoding="utf-8").startswith("# Mine.\n")
    assert bulk_remove("check", env=env()).returncode == 0


@pytty
def test_what_is_not_text_is_asked_for_again(server: Running, env: Env) -> None:
    with sitting("setup", env=env()) as at:
        answered(at, *all_of(server)[:2])
        for question in (USER, SECRET):
            at.until(question)
            at.type("\udcb3\udcff\n")
            at.until("That is not text")
            answered(at, (question, "demo" if question == USER else DEMO_PASSWORD))
        answered(at, (CAMPAIGN, ""))
        assert at.ended() == 0, at.shown
    assert "Traceback" not in at.shown


@pytty
def test_a_file_that_cannot_be_changed_safely_is_left_and_the_lines_are_named(server: Running, env: Env) -> None:
    file = config_of(env())
    file.parent.mkdir()
    text = f'profile.acme.url = "{server.url}"\nprofile.acme.user = "demo"\n'
    file.write_text(text, encoding="utf-8")
    with sitting("setup", env=env()) as at:
        answered(at, *all_of(server))
        assert at.ended() == 2, at.shown
    assert "Change [profile.acme] in it yourself" in " ".join(at.shown.split())
    assert file.read_text(encoding="utf-8") == text
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


@pytty
def test_a_wrong_password_is_asked_for_again_before_anything_is_written(server: Running, env: Env) -> None:
    with sitting("setup", env=env()) as at:
        answered(at, (LANGUAGE, ""), (SYSTEM, server.url), (USER, "demo"), (SECRET, "not-it-at-all"))
        at.until("HTTP 401")
        assert not config_of(env()).exists()
        answered(at, (SYSTEM, ""), (USER, "demo"), (SECRET, DEMO_PASSWORD), (CAMPAIGN, "-"))
        assert at.ended() == 0, at.shown
    assert "not-it-at-all" not in at.shown
    (profile,) = tomllib.loads(config_of(env()).read_text(encoding="utf-8"))["profile"].values()
    assert "campaign" not in profile


@pytty
def test_a_password_goes_into_the_keyring_where_one_works(server: Running, env: Env, tmp_path: Path) -> None:
    keyring = {
        "PYTHON_KEYRING_BACKEND": "tests.support.file_keyring.FileKeyring", "FILE_KEYRING": str(tmp_path / "keyring"),
    }  # fmt: skip
    with sitting("setup", env=env(**keyring)) as at:
        answered(at, *all_of(server))
        assert at.ended() == 0, at.shown
    assert "stored in the keyring" in at.shown
    assert DEMO_PASSWORD in (tmp_path / "keyring").read_text(encoding="utf-8")
    assert [path.name for path in config_of(env()).parent.iterdir()] == ["config.toml"]
    assert "password" not in config_of(env()).read_text(encoding="utf-8").partition("[profile")[2]


@pytty
@pytest.mark.parametrize("leaves", ["\x03", "\x04"], ids=["Ctrl-C", "end of input"])
@pytest.mark.parametrize("place", range(5))
def test_leaving_at_any_question_writes_nothing(server: Running, env: Env, place: int, leaves: str) -> None:
    with sitting("setup", env=env()) as at:
        answered(at, *all_of(server)[:place])
        at.until(all_of(server)[place][0])
        assert at.left_with(leaves) == 130, at.shown
        assert at.takes_lines
    assert "Stopped: no setting was changed." in at.shown
    assert "Traceback" not in at.shown
    assert not config_of(env()).parent.exists()


def test_without_a_terminal_setup_names_the_other_ways(env: Env) -> None:
    done = bulk_remove("setup", env=env())
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no terminal to ask at." in done.stderr
    assert "bulk-remove config init" in done.stderr


@pytty
def test_a_server_that_is_away_leaves_the_settings_written_and_its_exit_code(env: Env) -> None:
    with sitting("setup", "--timeout", "3s", env=env()) as at:
        answered(at, (LANGUAGE, ""), (SYSTEM, "http://127.0.0.1:9"), (USER, "demo"), (SECRET, "x"), (CAMPAIGN, "00007"))
        assert at.ended() == 7, at.shown
    (profile,) = tomllib.loads(config_of(env()).read_text(encoding="utf-8"))["profile"].values()
    assert (profile["campaign"], profile["timeout"]) == ("00007", 3.0)


def changed(text: str, **values: object) -> str | None:
    return with_profile(text, "acme", values)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[profile.acme]\nuser = 'a' # b\n", '[profile.acme]\nuser = "x" # b\n'),
        ("[ profile . 'acme' ]\nuser='a'\r\n[defaults]\r\n", "[ profile . 'acme' ]\r\nuser=\"x\"\r\n[defaults]\r\n"),
        ("[defaults]\nuser = 'a'\n", '[defaults]\nuser = "a"\n\n[profile.acme]\nuser = "x"\n'),
        ("# none\n", '# none\n\ndefault_profile = "acme"\n\n[profile.acme]\nuser = "x"\n'),
        ("# default_profile = 'z'\n[defaults]\n", None),
        ("[profile]\nacme = {user = 'a'}\n", None),
        ("profile.acme.user = 'a'\n", None),
        ("[profile.acme]\nuser = '''\na'''\n", None),
    ],
)
def test_only_the_profile_changes_in_the_file_or_nothing_at_all(before: str, after: str | None) -> None:
    told = changed(before, user="x")
    if after is None and told is not None:
        assert tomllib.loads(told)["profile"]["acme"] == {"user": "x"}
        assert told.startswith("# default_profile = 'z'\n")
    else:
        assert told == (after if after is None else after.replace('user = "a"', "user = 'a'"))


def test_a_setting_is_removed_and_a_path_of_windows_stays_as_it_is() -> None:
    path = "C:\\Users\\Zażółć\\lista.xlsx"
    told = changed("[profile.acme]\npassword_file = 'a'\nrate = 2\n", password_file=None, ca_file=path)
    assert told is not None
    assert tomllib.loads(told)["profile"]["acme"] == {"rate": 2, "ca_file": path}
