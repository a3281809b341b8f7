"""README and guide tell the truth: their tests, flags, statuses, codes and columns are those of the code."""

import re

import click
import pytest

from bulk_remove.cli.commands import program
from bulk_remove.core.model import FINAL_STATUSES, REPORT_COLUMNS, Status
from bulk_remove.errors import ExitCode
from tests.docs.pages import GUIDE, PAGES, PROMISES, README, README_PL, ROOT, heading

ALL = "\n".join(PAGES)
READABLE_LINES = 120
TESTS = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py")))
COMMANDS: list[click.Command] = [program, *program.commands.values()]
COMMANDS += [below for command in COMMANDS if isinstance(command, click.Group) for below in command.commands.values()]
FLAGS = {name for command in COMMANDS for option in command.params for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", ALL))))
def test_every_test_that_the_readme_or_a_page_names_exists(name: str) -> None:
    assert re.search(rf"def {name}\(", TESTS)


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert max(len(page.splitlines()) for page in (README, README_PL)) < READABLE_LINES


def test_every_promise_names_a_test() -> None:
    table = [line for line in PROMISES.splitlines() if line.startswith("| ") and line != "| promise | test |"]
    assert len(table) >= 80
    assert all("`test_" in line for line in table)
    kept = heading(README, "Five promises")
    assert len(re.findall(r"^\d\. ", kept, re.MULTILINE)) == 5
    assert {*re.findall(r"`(test_\w+)`", kept)} < {*re.findall(r"`(test_\w+)`", PROMISES)}


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ALL))))
def test_every_flag_in_the_readme_and_the_pages_exists(flag: str) -> None:
    assert flag in FLAGS | {"--help", "--user", "--now", "--shell", "--system"}


def test_every_setting_of_run_is_in_the_guide() -> None:
    options = [name for option in program.commands["run"].params for name in option.opts if name.startswith("--")]
    assert not [flag for flag in options if not re.search(rf"{flag}(?![\w-])", GUIDE)]


@pytest.mark.parametrize(("page", "yes"), [(README, "yes"), (README_PL, "tak")], ids=["en", "pl"])
def test_the_statuses_and_which_are_final_are_those_of_the_code(page: str, yes: str) -> None:
    rows = {
        status: final.strip() for status, final in re.findall(r"^\| `([A-Z_]+)` \|.*\|([^|]*)\|$", page, re.MULTILINE)
    }
    assert set(rows) == {status.value for status in Status}
    assert {status for status, final in rows.items() if final == yes} == {status.value for status in FINAL_STATUSES}


def test_the_exit_codes_are_those_of_the_code() -> None:
    section = heading(README, "Exit codes")
    told = {
        int(code)
        for line in section.splitlines()
        for code in re.findall(r"^\| (\d+)(?: / (\d+))?(?: / (\d+))?", line)
        for code in code
        if code
    }
    assert told == {int(code) for code in ExitCode}


def test_the_columns_of_the_report_are_those_of_the_code() -> None:
    assert ", ".join(REPORT_COLUMNS) in " ".join(heading(GUIDE, "Read the report").split())


def test_the_make_targets_of_the_readme_and_the_pages_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`| {4})make ([a-z]+)", ALL)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_continuous_integration_runs_the_readmes_test_command_which_checks_everything() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert '\nmake test PYTHON="${oldest:-python3}"\n' in script
    assert '\n    make pytest PYTHON="$newest" VENV=.venv-newest TESTS=' in script
    assert "    make test " in README
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    test = makefile.split("\ntest: ")[1].split("\n\n")[0]
    assert test.endswith(" format lint types cover rest")
    assert all(f"\n{target}: $(READY)" in makefile for target in test.split()[-5:])


def test_the_lock_pins_by_hash_and_names_no_place_to_take_things_from() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert lock.count("--hash=sha256:") > 1000
    assert not re.search(r"://|-index|find-links|trusted-host", lock)
