"""The README tells the truth: its tests, flags, statuses, codes and columns are those of the code."""

import re
from pathlib import Path

import click
import pytest

from bulk_remove.cli.commands import program
from bulk_remove.core.model import FINAL_STATUSES, REPORT_COLUMNS, Status
from bulk_remove.errors import ExitCode

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = "".join(
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("nights", "privacy", "reference", "troubleshooting")
)
TESTS = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py")))
COMMANDS: list[click.Command] = [program, *program.commands.values()]
COMMANDS += [below for command in COMMANDS if isinstance(command, click.Group) for below in command.commands.values()]
FLAGS = {name for command in COMMANDS for option in command.params for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", README))))
def test_every_test_that_the_readme_names_exists(name: str) -> None:
    assert re.search(rf"def {name}\(", TESTS)


def test_every_promise_names_a_test() -> None:
    table = README.split("| promise | test |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) >= 12
    assert all("`test_" in line for line in table)


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README + GUIDES))))
def test_every_flag_in_the_readme_and_the_guides_exists(flag: str) -> None:
    assert flag in FLAGS | {"--help"}


def test_every_setting_of_run_is_in_the_readme() -> None:
    options = [name for option in program.commands["run"].params for name in option.opts if name.startswith("--")]
    missing = [flag for flag in options if f"`{flag}`" not in README and flag not in README]
    assert not missing


def test_the_statuses_and_which_are_final_are_those_of_the_code() -> None:
    rows = {
        status: final.strip() for status, final in re.findall(r"^\| `([A-Z_]+)` \|.*\|([^|]*)\|$", README, re.MULTILINE)
    }
    assert set(rows) == {status.value for status in Status}
    assert {status for status, final in rows.items() if final == "yes"} == {status.value for status in FINAL_STATUSES}


def test_the_exit_codes_are_those_of_the_code() -> None:
    section = README.split("### Exit codes")[1].split("###")[0]
    told = {
        int(code)
        for line in section.splitlines()
        for code in re.findall(r"^\| (\d+)(?: / (\d+))?", line)
        for code in code
        if code
    }
    assert told == {int(code) for code in ExitCode}


def test_the_columns_of_the_report_are_those_of_the_code() -> None:
    assert ", ".join(REPORT_COLUMNS) in " ".join(README.split())


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z]+)(?=`| {2})", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in README
