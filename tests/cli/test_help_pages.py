"""Every page of help, found by walking the commands; and what a shell completes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bulk_remove.cli.commands import program
from bulk_remove.cli.help_pages import _MEANT_COMMANDS, _MEANT_FLAGS, BASICS, GROUPS
from tests.language.texts import all_texts
from tests.support.processes import bulk_remove, environment


def pages(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from pages(below, *words, name)


PAGES = [*pages(program)]


def command_of(words: list[str]) -> click.Command:
    """Return the command that the words of an example would run. Raises KeyError where there is none."""
    command: click.Command = program
    while isinstance(command, click.Group) and words:
        command = command.commands[words.pop(0)]
    return command


def test_the_walk_finds_commands_below_commands() -> None:
    assert {(), ("run",), ("runs", "show"), ("config", "init"), ("completion",)} <= {*PAGES}


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_every_page_of_help_shows_an_example_of_commands_and_flags_that_there_are(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(program, [*words, "--help"], prog_name="bulk-remove", terminal_width=200)
    assert shown.exit_code == 0, shown.output
    example = re.search(r"Examples?:(.*?)\n\n", shown.output, re.DOTALL)
    assert example, shown.output
    assert "\\b" not in shown.output
    said = re.findall(r"bulk-remove ([^\n)\"|]+)", example[1])
    assert said, example[1]
    assert any(each.startswith(" ".join(words)) for each in said)
    for each in said:
        rest = shlex.split(each)
        command = command_of(rest)
        with click.Context(program) as root, click.Context(command, parent=root) as ctx:
            flags = {flag for param in command.get_params(ctx) for flag in (*param.opts, *param.secondary_opts)}
        assert {word for word in rest if word.startswith("-")} <= flags, each


BASH = shutil.which("bash")


def completed(folder: Path, *words: str) -> list[str]:
    """Source the script in a real bash and ask for completions of the last word."""
    command = folder / "bulk-remove"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bulk_remove "$@"\n', encoding="utf-8")
    command.chmod(0o700)
    script = folder / "completion"
    if not script.exists():
        script.write_text(bulk_remove("completion", "bash").stdout, encoding="utf-8")
    asked = (
        f'eval "$(cat {shlex.quote(str(script))})"\n'
        f"COMP_WORDS=(bulk-remove {shlex.join(words)})\n"
        f"COMP_CWORD={len(words)}\n"
        "$(complete -p bulk-remove | sed 's/.*-F \\([^ ]*\\).*/\\1/') bulk-remove\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    assert BASH is not None
    done = subprocess.run(
        [BASH, "--norc", "--noprofile", "-c", asked],
        env=environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


needs_bash = pytest.mark.skipif(BASH is None or os.name != "posix", reason="needs bash")


@pytest.fixture(name="state")
def state_fixture(tmp_path: Path) -> Path:
    for name in ("20261123-021530-9f3a", "20261124-021530-0a1b"):
        (tmp_path / "state" / "runs" / name).mkdir(parents=True)
    return tmp_path / "state"


@needs_bash
def test_bash_completes_commands_flags_and_values(tmp_path: Path) -> None:
    assert sorted(completed(tmp_path, "re")) == ["report", "rerun", "resume"]
    assert completed(tmp_path, "runs", "s") == ["show"]
    assert completed(tmp_path, "run", "--max-n") == ["--max-numbers", "--max-numbers-per-request"]
    assert completed(tmp_path, "run", "--pace", "f") == ["full", "fixed"]


@needs_bash
def test_bash_completes_the_ids_of_runs_the_latest_first(tmp_path: Path, state: Path) -> None:
    before = ("resume", "--state-dir", str(state))
    assert completed(tmp_path, *before, "2026") == ["20261124-021530-0a1b", "20261123-021530-9f3a"]


@pytest.mark.parametrize("words", [("resume",), ("report",), ("runs", "show"), ("rerun",)], ids=" ".join)
def test_what_begins_like_ids_of_runs_is_completed_and_nothing_else(state: Path, words: tuple[str, ...]) -> None:
    def offered(begun: str) -> list[str]:
        typed = ["bulk-remove", *words, "--state-dir", str(state), begun]
        asking = {"COMP_WORDS": shlex.join(typed), "COMP_CWORD": str(len(typed) - 1)}
        return bulk_remove(env=environment(_BULK_REMOVE_COMPLETE="bash_complete", **asking)).stdout.split()

    assert offered("2026") == ["plain,20261124-021530-0a1b", "plain,20261123-021530-9f3a"]
    assert offered("20261123") == ["plain,20261123-021530-9f3a"]
    assert not [said for said in offered("report") if said.startswith("plain,")]  # for rerun bash looks for files


def test_the_ids_are_looked_for_where_the_environment_or_the_profile_says(tmp_path: Path, state: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[profile.acme]\nstate_dir = "{state.as_posix()}"\n', encoding="utf-8")
    config.chmod(0o600)
    asking = {"_BULK_REMOVE_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    named = environment(**asking, COMP_WORDS="bulk-remove resume 2", BULK_REMOVE_STATE_DIR=str(state))
    assert "plain,20261124-021530-0a1b" in bulk_remove(env=named).stdout
    asking["COMP_CWORD"] = "4"
    words = "bulk-remove resume --profile acme 2"
    profile = environment(**asking, COMP_WORDS=words, BULK_REMOVE_CONFIG=str(config))
    assert "plain,20261124-021530-0a1b" in bulk_remove(env=profile).stdout
    config.write_text("nonsense", encoding="utf-8")
    done = bulk_remove(env=profile | {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)})
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no-files")]
)
def test_a_script_is_printed_for_each_shell(shell: str, mark: str) -> None:
    done = bulk_remove("completion", shell)
    assert done.returncode == 0, done.stderr
    assert mark in done.stdout
    assert "_BULK_REMOVE_COMPLETE" in done.stdout
    assert bulk_remove("completion", "csh").returncode == 2


MANY_FLAGS = [("run",), ("plan",), ("inbox",), ("resume",), ("rerun",), ("check",), ("ui",), ("config", "show")]
MOST_LINES = 25


def shown(*words: str, code: int = 0) -> str:
    done = bulk_remove(*words)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


@pytest.mark.parametrize("language", ["en", "pl"])
@pytest.mark.parametrize("words", MANY_FLAGS, ids=" ".join)
def test_help_is_short_and_says_where_the_rest_is(words: tuple[str, ...], language: str) -> None:
    page = shown(*words, "--help", "--lang", language)
    assert len(page.splitlines()) <= MOST_LINES
    assert all(len(line) <= 80 for line in page.splitlines() if "bulk-remove inbox" not in line)
    assert f"bulk-remove {' '.join(words)} --help all" in page
    rare = ("--brackets", "--trailing-slash", "--slow-reply", "--tries", "--timeout", "--connect-timeout")
    assert not [flag for flag in rare if flag in page]


@pytest.mark.parametrize("words", MANY_FLAGS, ids=" ".join)
def test_the_full_help_shows_every_flag_once_and_the_groups_share_them(words: tuple[str, ...]) -> None:
    def flags(page: str) -> list[str]:
        return re.findall(r"^  (?:-\w, )?(--[a-z-]+)", page, re.MULTILINE)

    command = command_of([*words])
    with click.Context(program) as root, click.Context(command, parent=root) as ctx:
        every = {max(each.opts, key=len) for each in command.get_params(ctx) if isinstance(each, click.Option)}
    page = shown(*words, "--help", "all")
    named = flags(page)
    assert len(named) == len({*named})
    assert {*named} == every
    by_group = [flag for group in GROUPS for flag in flags(shown(*words, "--help", group))]
    assert sorted(by_group) == sorted(named)
    assert page.count("BULK_REMOVE_") == 1


def test_every_flag_of_a_command_with_many_has_its_group() -> None:
    placed = [name for _, names in GROUPS.values() for name in names]
    assert len(placed) == len({*placed})
    assert {*placed} >= BASICS
    there: set[str] = set()
    for words in MANY_FLAGS:
        command = command_of([*words])
        with click.Context(program) as root, click.Context(command, parent=root) as ctx:
            there |= {flag for each in command.get_params(ctx) for flag in each.opts if flag.startswith("--")}
    assert {f"--{name}" for name in placed} == there


def test_help_is_a_command_too() -> None:
    assert shown("help") == shown("--help")
    assert shown("help", "run") == shown("run", "--help")
    assert shown("help", "runs", "show") == shown("runs", "show", "--help")
    assert shown("help", "run", "safety") == shown("run", "-h", "safety")
    assert "Did you mean safety?" in shown("run", "--help", "saftey", code=2)
    assert "Did you mean resume?" in shown("help", "resum", code=2)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("run", "x.csv", "--dry-run"), "Use: bulk-remove plan"),
        (("inbox", "x", "--preview"), "Use: bulk-remove plan"),
        (("resume", "--dry-run"), "Leave it out: bulk-remove resume shows what is left"),
        (("delete", "x.csv"), "Use: bulk-remove run"),
        (("history",), "Use: bulk-remove runs list"),
        (("rnu", "x.csv"), "Did you mean run?"),
        (("run", "--file", "x.csv"), "Name the file without a flag: bulk-remove run FILE"),
        (("runs", "lst"), "Did you mean list?"),
        (("x.csv",), "To look at a file first: bulk-remove plan FILE"),
        (("frobnicate",), "Known: check, completion, config"),
        (("run", "x.csv", "--max-numbr", "3"), "Did you mean --max-numbers?"),
        (("run", "x.csv", "--threads", "3"), "Use: --concurrency"),
        (("run", "x.csv", "--force"), "Its flags: bulk-remove run --help all"),
        (("report", "--colour"), "Its flags: bulk-remove report --help all"),
        (("-c", "00001", "run", "x.csv"), "Flags follow the command"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_what_does_not_exist_is_answered_with_what_was_meant(words: tuple[str, ...], hint: str) -> None:
    assert hint in shown(*words, code=2)


def test_what_is_meant_instead_exists() -> None:
    for words in _MEANT_COMMANDS.values():
        assert words == "--version" or not isinstance(command_of(words.split()), click.Group)
    assert {*_MEANT_FLAGS.values()} <= {f"--{name}" for _, names in GROUPS.values() for name in names}


def test_a_number_typed_as_a_command_or_a_flag_is_masked() -> None:
    assert "601234555" not in shown("601234555", code=2) + shown("run", "--601234555", code=2)


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_no_flag_needs_more_than_70_characters_of_help(words: tuple[str, ...]) -> None:
    command = command_of([*words])
    with click.Context(program) as root, click.Context(command, parent=root) as ctx:
        flags = [each for each in command.get_params(ctx) if isinstance(each, click.Option)]
    assert not [each.help for each in flags if len(each.help or "") > 70]


def test_every_command_in_a_message_exists() -> None:
    texts = (text for said in all_texts() for text in ((said,) if isinstance(said, str) else said))
    named = {found.groups() for text in texts for found in re.finditer(r"bulk-remove ([a-z]+)(?: ([a-z]+))?", text)}
    assert ("runs", "verify") in named
    for word, below in named:
        command = program.commands.get(word)
        assert command or word in {"printed", "shows", "open"}, word  # sentences about the program itself
        if isinstance(command, click.Group) and below:
            assert below in command.commands, (word, below)
