"""Profiles: what the file may hold, what wins over what, and what is told of it."""

import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bulk_remove.cli.commands import program
from bulk_remove.cli.profiles import load, settings_of
from bulk_remove.errors import UsageError
from tests.docs.pages import profiles

SECRETS = ("hunter2", "pa55")
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file with profiles, which is then the one that is read."""
    for name in [name for name in os.environ if name.startswith("BULK_REMOVE_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "config.toml"
    monkeypatch.setenv("BULK_REMOVE_CONFIG", str(file))

    def written(text: str) -> Path:
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        return file

    return written


def config(*words: str) -> str:
    """Return what a command about the settings prints; a UsageError goes on."""
    done = CliRunner().invoke(program, ["config", *words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.output


def shown(*words: str) -> dict[str, tuple[str, str]]:
    """Return each setting's value and source, as `config show` tells them."""
    rows = config("show", *words).split("\n\n")[1].splitlines()
    columns = (rows[0].index(rows[0].split()[1]), rows[0].rindex(rows[0].split("  ")[-1].strip()))
    return {row.split()[0]: (row[columns[0] : columns[1]].strip(), row[columns[1] :]) for row in rows}


def refusal(*words: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        config("show", *words)
    return refused.value


@pytest.mark.parametrize(
    ("flag", "variable", "profile", "defaults", "expected"),
    [
        ("1", "2", "3", "4", ("1", "flag --rate")),
        ("", "2", "3", "4", ("2", "BULK_REMOVE_RATE")),
        ("", "", "3", "4", ("3", "{file}, [profile.acme] rate")),
        ("", "", "", "4", ("4", "{file}, [defaults] rate")),
        ("", "", "", "", ("-", "default")),
        ("1", "", "", "4", ("1", "flag --rate")),
        ("", "2", "", "", ("2", "BULK_REMOVE_RATE")),
    ],
)
def test_a_flag_wins_over_a_variable_that_over_the_profile_and_that_over_the_default(
    write: Write, monkeypatch: pytest.MonkeyPatch, flag: str, variable: str, profile: str, defaults: str,
    expected: tuple[str, str],
) -> None:  # fmt: skip
    tables = {"defaults": defaults, "profile.acme": profile}
    file = write("".join(f"[{name}]\n" + (f"rate = {rate}\n" if rate else "") for name, rate in tables.items()))
    if variable:
        monkeypatch.setenv("BULK_REMOVE_RATE", variable)
    value, source = shown("--profile", "acme", *(["--rate", flag] if flag else []))["rate"]
    assert (value, source) == (expected[0], expected[1].format(file=file))


@pytest.mark.parametrize("key", sorted(settings_of(program)))
def test_every_setting_is_taken_from_the_file_and_its_source_is_shown(write: Write, key: str) -> None:
    param = settings_of(program)[key]
    kinds: list[tuple[type, str]] = [
        (click.types.BoolParamType, "true"), (type(click.INT), "7"), (type(click.FLOAT), "7.5"),
        (click.Choice, f'"{next(iter(getattr(param.type, "choices", [""])))}"'),
    ]  # fmt: skip
    value = next((text for kind, text in kinds if isinstance(param.type, kind)), '"07:00"')
    value = {
        "duration": '"7s"', "share": '"7%"', "formats": '"html,xlsx"', "window": '"07:00-08:00"',
        "condition": '"zgoda=NIE"',
    }.get(param.type.name, value)  # fmt: skip
    value = f"[{value}]" if param.multiple or param.nargs == -1 else value
    file = write(f"[defaults]\n{key} = {value}\n")
    assert shown()[key][1] == f"{file}, [defaults] {key}"


def test_what_has_no_variable_is_no_setting_least_of_all_yes(write: Write) -> None:
    assert not {"yes", "show_numbers", "json", "config", "profile", "help"} & set(settings_of(program))
    file = write("[defaults]\nyes = true\n")
    assert refusal().sentence == f"{file}, [defaults] yes is not a setting."


@pytest.mark.parametrize(
    ("text", "words", "name", "why"),
    [
        ('default_profile = "acme"\n[profile.acme]\n', (), "acme", "default_profile"),
        ('default_profile = "acme"\n[profile.acme]\n[profile.beta]\n', ("--profile", "beta"), "beta", "--profile"),
        ("[profile.acme]\n", (), "(none)", ""),
    ],
)
def test_the_profile_is_the_one_named_or_the_files_default(
    write: Write, text: str, words: tuple[str, ...], name: str, why: str
) -> None:
    file = write(text)
    assert config("show", *words).splitlines()[:2] == [
        f"File:    {file}",
        f"Profile: {name}" + (f" ({why})" if why else ""),
    ]


def test_a_profile_named_by_a_variable_is_used(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[profile.acme]\nrate = 1\n")
    monkeypatch.setenv("BULK_REMOVE_PROFILE", "acme")
    assert "Profile: acme (BULK_REMOVE_PROFILE)" in config("show")
    assert shown()["rate"][0] == "1"


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("[defaults]\nrat = 1\n", "{file}, [defaults] rat is not a setting.", "Did you mean rate?"),
        ("[profile.a]\nbusy-for = 1\n", "{file}, [profile.a] busy-for is not a setting.", "Did you mean busy_for?"),
        ("[profile.a]\nxyzzy = 1\n", "{file}, [profile.a] xyzzy is not a setting.", ", also_try, "),
        ("[default]\n", "{file}, default is not known there.", "Did you mean defaults?"),
        ("rate = 1\n", "{file}, rate is not known there.", "Put it under [defaults] or [profile.NAME]: rate = ..."),
        ("[defaults]\nrate = 'fast'\n", "{file}, [defaults] rate is text, not a number.", "Give a number: rate = 2.5."),
        ("[defaults]\nrate = true\n", "{file}, [defaults] rate is true or false, not a number.", "Give a number"),
        ("[defaults]\ntries = 2.5\n", "{file}, [defaults] tries is a number, not a whole number.", "tries = 4."),
        ("[defaults]\nsplit_cells = 'yes'\n", "{file}, [defaults] split_cells is text, not true or false.", "true"),
        ("[defaults]\ncampaign = 12345\n", "{file}, [defaults] campaign is a number, not text, in quotes.", '"..."'),
        ("[defaults]\ncampaign = ['1']\n", "{file}, [defaults] campaign is a list, not text, in quotes.", '"..."'),
        ("[defaults]\nuser = {}\n", "{file}, [defaults] user is a table, not text, in quotes.", 'user = "..."'),
        ("[defaults]\nfiles = 'x.csv'\n", "{file}, [defaults] files is text, not a list.", 'files = ["..."].'),
        ("[defaults]\nfiles = [1]\n", "{file}, [defaults] files is a number, not text, in quotes.", '"..."'),
        (
            "[defaults]\nbusy_for = '30 parsecs'\n",
            "{file}, [defaults] busy_for is wrong: '30 parsecs' is not a duration; write 90s, 30m, 2h or 7d.",
            'Give a duration, in quotes: busy_for = "30m".',
        ),
        ("[defaults]\nbusy_for = -1.0\n", "{file}, [defaults] busy_for is wrong: '-1.0' is not a duration", "30m"),
        ("[defaults]\nmax_invalid = 5.0\n", "{file}, [defaults] max_invalid is wrong: ", 'max_invalid = "5%"'),
        ("[defaults]\nbrackets = 'square'\n", "{file}, [defaults] brackets is wrong: ", "one of auto, encoded, raw"),
        ("[profile.a]\nurl = 'https://a'\nsystem = 'a'\n", "{file}, [profile.a] has both url and system.", "Keep one"),
        ("defaults = 1\n", "{file}, defaults is not a table.", "Write it as [defaults]"),
        ("[profile]\nrate = 1\n", "{file}, profile.rate is not a table.", "[profile.NAME]"),
        ("default_profile = 1\n", "{file}, default_profile is not text.", 'default_profile = "acme"'),
        ("default_profile = 'b'\n", "There is no [profile.b] in {file}, but its default_profile names it.", "Add a"),
        ("[defaults]\ncampaign = 00001\n", "{file} is not TOML: ", 'in quotes, also a campaign: campaign = "00001".'),
    ],
)
def test_what_the_file_may_not_hold_is_told_with_file_key_and_what_to_give(
    write: Write, text: str, sentence: str, hint: str
) -> None:
    file = write(text)
    refused = refusal()
    assert refused.sentence.startswith(sentence.format(file=file))
    assert hint in refused.hint


def test_a_profile_that_is_not_there_is_told_with_the_nearest(write: Write) -> None:
    file = write("[profile.acme]\n")
    refused = refusal("--profile", "acne")
    assert (refused.sentence, refused.hint) == (f"There is no [profile.acne] in {file}.", "Did you mean acme?")


def test_a_mistake_in_another_profile_is_told_too(write: Write) -> None:
    write("[profile.acme]\n[profile.beta]\nrat = 1\n")
    assert "[profile.beta] rat" in refusal("--profile", "acme").sentence


def test_a_file_that_is_named_must_be_there_and_the_platforms_may_be_missing(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There is no file" in refusal().sentence
    monkeypatch.delenv("BULK_REMOVE_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "empty"))
    assert shown()["rate"] == ("-", "default")
    assert "so there is no profile 'acme'" in refusal("--profile", "acme").sentence
    assert "config init" in refusal("--config", str(write("").with_name("other.toml"))).hint


def test_what_is_wrong_with_the_file_keeps_nobody_from_the_help_or_from_its_place(write: Write) -> None:
    file = write("nonsense")
    assert config("path").strip() == str(file)
    assert "Usage:" in config("show", "--help")


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_file_that_others_can_write_to_is_refused(write: Write) -> None:
    file = write("")
    file.chmod(0o620)
    assert refusal().hint.endswith(f"chmod go-w {file}")


def test_a_byte_order_mark_in_front_is_no_mistake(write: Write) -> None:
    write("\ufeff[defaults]\r\nrate = 1\r\n")
    assert shown()["rate"][0] == "1"


@pytest.mark.parametrize(("words", "told"), [(("--profile", "acme"), True), ((), False)], ids=["named", "not named"])
def test_a_variable_that_takes_the_place_of_a_named_profiles_setting_is_told(
    write: Write, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: bool
) -> None:
    file = write("default_profile = 'acme'\n[profile.acme]\nsystem = 'acme'\n")
    monkeypatch.setenv("BULK_REMOVE_URL", "https://other.thulium.com")
    text = config("show", *words)
    note = f"BULK_REMOVE_URL is set and overrides {file}, [profile.acme] system.\n"
    assert text.startswith(note) == told
    assert text.count("overrides") == told


def test_a_file_in_another_encoding_is_refused(write: Write) -> None:
    write("").write_bytes('user = "ż"'.encode("cp1250"))
    assert "is not UTF-8" in refusal().sentence


@pytest.mark.parametrize(
    ("own", "words", "told"),
    [
        ("system = 'beta'", (), {"system": "beta"}),
        ("", (), {"url": "https://acme.thulium.com"}),
        ("", ("--system", "beta"), {"system": "beta"}),
        ("", ("--campaign-column", "2"), {"campaign_column": "2"}),
        ("password_env = 'HOME'", (), {"password_env": "HOME"}),
        ("", ("--password-env", "HOME"), {"password_env": "HOME"}),
    ],
)
def test_what_is_told_nearer_takes_the_place_of_what_it_excludes(
    write: Write, own: str, words: tuple[str, ...], told: dict[str, str]
) -> None:
    lines = ["url = 'https://acme.thulium.com'", "campaign = '00001'", "password_file = '/secret'"]
    write("\n".join(["[defaults]", *lines, "[profile.a]", own]))
    rows = shown("--profile", "a", *words)
    rivals = next(rivals for rivals in (
        {"url", "system"}, {"campaign", "campaign_column"}, {"password_env", "password_file", "password_command"},
    ) if rivals & told.keys())  # fmt: skip
    assert {key: rows[key][0] for key in rivals if rows[key][0] != "-"} == told


def test_two_that_exclude_each_other_in_one_place_are_still_an_error(write: Write) -> None:
    write("")
    words = ["check", "--url", "https://a", "--system", "a"]
    done = CliRunner().invoke(program, words, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert done.exception.sentence == "Both --url and --system are given."


def test_a_value_out_of_range_is_told_with_the_place_where_it_stands(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("[profile.acme]\nsystem = 'acme'\ncampaign = '00001'\nrate = 5000\n")
    words = ["plan", "x.csv", "--profile", "acme"]
    done = CliRunner().invoke(program, words, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert done.exception.hint == f"Give a value from 0.01 to 1,000. It comes from {file}, [profile.acme] rate."
    monkeypatch.setenv("BULK_REMOVE_RATE", "6000")
    done = CliRunner().invoke(program, words, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert done.exception.hint.endswith("It comes from BULK_REMOVE_RATE.")


def test_paths_start_from_the_files_folder_and_a_tilde_is_the_home_folder(write: Write) -> None:
    file = write("[defaults]\nstate_dir = 'runs'\nca_file = '~/ca.pem'\nfiles = ['-', 'in/*.csv', '/x/']\n")
    rows = shown()
    assert rows["state_dir"][0] == str(file.parent / "runs")
    assert rows["ca_file"][0] == str(Path("~/ca.pem").expanduser())
    assert rows["files"][0] == f"-, {file.parent / 'in/*.csv'}, /x/"


def test_no_secret_is_shown(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULK_REMOVE_PASSWORD", "hunter2")
    write(
        "[profile.a]\nproxy = 'api:pa55@proxy:3128'\nurl = 'https://api:pa55@host'\npassword_command = 'echo hunter2'\n"
        "[profile.b]\npassword_env = 'hunter2'\ncolumn = 'slack://pa55/hunter2'\n"
    )
    for profile in ("a", "b"):
        text = config("show", "--profile", profile)
        assert not [secret for secret in SECRETS if secret in text]
        assert "(not shown)" in text
    assert shown("--profile", "a")["proxy"][0] == "***@proxy:3128"
    assert shown("--profile", "a")["url"][0] == "***@host"
    assert shown("--profile", "b")["column"][0] == "slack://(not shown)"
    assert shown("--profile", "a")["password"] == ("(not shown)", "BULK_REMOVE_PASSWORD")
    assert shown("--profile", "a", "--password-file", "x")["password"] == ("(not shown)", "password_file")
    assert shown("--profile", "b", "--proxy", "api:pa55@proxy")["proxy"] == ("***@proxy", "flag --proxy")


def test_what_is_printed_of_a_profile_holds_no_secret(write: Write) -> None:
    file = write("[profile.a]\nproxy = 'api:pa55@proxy'\npassword_command = 'echo hunter2'\n")
    profile = load(file, "a", settings_of(program), needed=True)
    assert profile.entries["proxy"].value == "api:pa55@proxy"
    assert not [secret for secret in SECRETS if secret in f"{profile}{profile!r}"]


@pytest.mark.parametrize("text", ["password = 'hunter2'", "proxy = ['pa55']", "password_commando = 'hunter2'"])
def test_no_secret_is_repeated_in_an_error(write: Write, text: str) -> None:
    write(f"[defaults]\n{text}\n")
    refused = refusal()
    assert not [secret for secret in SECRETS if secret in f"{refused!r}{refused.sentence}{refused.hint}"]


def test_a_password_in_the_file_is_refused_with_where_it_may_be(write: Write) -> None:
    write("[defaults]\npassword = 'hunter2'\n")
    assert "this file must not contain a password" in refusal().sentence
    assert "password_env, password_file, password_command or bulk-remove login" in refusal().hint


def test_the_profiles_in_the_guide_are_right(write: Write) -> None:
    write(profiles())
    assert shown()["files"][0] == "/srv/exports/acme/*.csv"
    assert shown("--profile", "beta")["max_invalid"][0] == "1%"


def test_init_writes_a_private_file_that_changes_nothing_and_never_overwrites(tmp_path: Path, write: Write) -> None:
    write("").unlink()
    file = tmp_path / "new folder" / "config.toml"
    assert str(file) in config("init", "--config", str(file))
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert shown("--config", str(file))["rate"] == ("-", "default")
    before = file.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="already exists"):
        config("init", "--config", str(file))
    assert file.read_text(encoding="utf-8") == before


def test_the_first_file_holds_every_setting_in_a_form_that_is_right_once_uncommented(
    tmp_path: Path, write: Write
) -> None:
    file = tmp_path / "starter.toml"
    write("")
    config("init", "--config", str(file))
    text = file.read_text(encoding="utf-8")
    start = text.index("[defaults]")
    for key in settings_of(program):
        line = next(line for line in text[start:].splitlines() if line.startswith(f"# {key} = "))
        write(f"[defaults]\n{line.removeprefix('# ')}\n")
        assert tomllib.loads(line.removeprefix("# "))
        assert "[defaults]" in shown()[key][1]
