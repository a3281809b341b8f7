"""The examples for nights, and commands that stand in a sentence, are what the tool and the machine understand."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement

from bulk_remove.cli.commands import program
from bulk_remove.errors import ExitCode
from tests.docs.pages import NIGHTS, PAGES, ROOT, profiles

EXAMPLES = ROOT / "docs" / "examples"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.iterdir())}
CRONJOB = yaml.safe_load(TEXTS["cronjob.yaml"])
POD = CRONJOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]
VARIABLES = {
    variable
    for group in (program, *(command for command in program.commands.values() if isinstance(command, click.Group)))
    for command in group.commands.values()
    for option in command.params
    for variable in ([option.envvar] if isinstance(option.envvar, str) else [])
} | {"BULK_REMOVE_PASSWORD"}


def commands() -> list[str]:
    """Return every command line of the examples, from the command's own words on."""
    found = []
    for text in [*TEXTS.values(), NIGHTS]:
        found += re.findall(r"bulk-remove ((?:inbox|runs|check|plan)\b[^\n`]*)", text)
    for page in PAGES:
        found += [line for line in re.findall(r"`bulk-remove ([a-z][^`\n]*)`", page) if "--help" not in line]
    words = [*POD["containers"][0]["args"]]
    return [*dict.fromkeys(found), shlex.join(words)]


def parsed(ctx: click.Context, words: list[str]) -> None:
    assert isinstance(ctx.command, click.Group)
    command = ctx.command.commands[words[0]]
    if isinstance(command, click.Group):
        parsed(click.Context(command, ctx, words[0]), words[1:])
    elif len(words) > 1:
        command.make_context(words[0], words[1:], ctx)


def test_there_are_commands_in_the_examples() -> None:
    assert len(commands()) >= 4


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_examples_is_one_that_the_tool_understands(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(profiles(), encoding="utf-8")
    monkeypatch.setenv("BULK_REMOVE_CONFIG", str(tmp_path / "config.toml"))
    parsed(click.Context(program), shlex.split(line))


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_variable_of_the_examples_is_one_that_the_tool_reads(name: str) -> None:
    assert {*re.findall(r"BULK_REMOVE_[A-Z_]*[A-Z]", TEXTS[name])} <= VARIABLES


def test_every_example_is_linked_from_the_page_on_nights() -> None:
    assert all(f"(examples/{name})" in NIGHTS for name in TEXTS)


def test_the_exit_codes_in_the_documents_are_all_there_are() -> None:
    table = NIGHTS.split("|---|---|")[1].split("\n\n")[0]
    told = [int(code) for row in table.splitlines() if row for code in re.findall(r"\d+", row.split("|")[1])]
    assert sorted(told) == sorted(ExitCode)


def test_the_lines_for_cron_have_a_time_a_user_and_a_command() -> None:
    lines = [line for line in TEXTS["crontab"].splitlines() if line and not re.match(r"#|[A-Z_]+=", line)]
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r"(\S+\s+){5}bulk-remove\s+/usr/local/bin/bulk-remove [^%]+", line), line


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for name in ("bulk-remove-inbox.service", "bulk-remove-inbox.timer"):
        there = TEXTS[name].replace("/usr/local/bin/bulk-remove", "/bin/true")  # a command that this machine has
        (tmp_path / name).write_text(there, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_image_copies_what_there_is_and_runs_as_an_ordinary_user() -> None:
    steps = [line.split() for line in TEXTS["Dockerfile"].splitlines() if re.match(r"[A-Z]+ ", line)]
    copied = [source for step in steps if step[0] == "COPY" and "--from" not in step[1] for source in step[1:-1]]
    assert copied
    assert all((ROOT / source).exists() for source in copied)
    assert re.fullmatch(r"[1-9]\d*", [step[1] for step in steps if step[0] == "USER"][-1])
    assert [step for step in steps if step[0] == "ENTRYPOINT"] == [["ENTRYPOINT", '["bulk-remove"]']]
    versions = re.findall(r"^FROM python:(\d+)\.(\d+)-slim", TEXTS["Dockerfile"], re.MULTILINE)
    assert len(versions) == 2
    assert all((int(major), int(minor)) >= (3, 11) for major, minor in versions)


def locked(name: str) -> dict[str, str]:
    """Return what a lock pins: the versions by name, each of which has hashes."""
    lines = re.findall(
        r"^(\S+?)(?:\[\S+\])?==(\S+).*?\\\n    --hash=sha256:", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(lines)


def test_the_image_installs_what_was_tested_and_only_what_the_product_needs() -> None:
    assert "--require-hashes -r runtime.lock" in TEXTS["Dockerfile"]
    runtime, tested = locked("runtime.lock"), locked("requirements.lock")
    assert runtime.items() <= tested.items()
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*needed["dependencies"], *needed["optional-dependencies"]["notify"]]
    assert {Requirement(each).name.replace(".", "-") for each in named} <= {*runtime}
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & {*runtime}


def test_the_cronjob_never_runs_twice_at_once_and_mounts_what_it_names() -> None:
    assert CRONJOB["kind"] == "CronJob"
    assert CRONJOB["spec"]["concurrencyPolicy"] == "Forbid"
    assert POD["restartPolicy"] == "Never"
    assert POD["securityContext"]["runAsNonRoot"] is True
    (container,) = POD["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in POD["volumes"]}
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert told["BULK_REMOVE_CAMPAIGN"] == "00001"  # not the number 1
    assert str(Path(told["BULK_REMOVE_STATE_DIR"]).parent) in mounted  # a volume's own folder is root's
    assert str(Path(told["BULK_REMOVE_PASSWORD_FILE"]).parent) in mounted
    assert container["args"][1] in mounted


class FailedForNow(Exception):  # noqa: N818 - stands for Airflow's own
    pass


class FailedForGood(Exception):  # noqa: N818 - likewise, and told apart from it here
    pass


@pytest.fixture(name="dag")
def dag_fixture(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Load the example where Airflow is but a few names."""

    def decorator(**_: Any) -> Any:
        return lambda function: function

    stand_ins: dict[str, dict[str, Any]] = {
        "airflow": {},
        "airflow.sdk": {"dag": lambda **_: lambda _function: lambda: None, "task": decorator},
        "airflow.sdk.exceptions": {"AirflowException": FailedForNow, "AirflowFailException": FailedForGood},
        "pendulum": {"duration": lambda **_: None, "datetime": lambda *_, **__: None},
    }
    for name, contents in stand_ins.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    names: dict[str, Any] = {"__name__": "airflow_dag"}
    exec(compile(TEXTS["airflow_dag.py"], "airflow_dag.py", "exec"), names)  # noqa: S102 - our own file
    return SimpleNamespace(**names)


def test_the_airflow_task_sorts_every_exit_code_once(dag: SimpleNamespace) -> None:
    groups = (dag.FINE, dag.NEXT_NIGHT_GOES_ON, dag.TRY_AGAIN, dag.NEEDS_A_PERSON)
    assert sorted(code for group in groups for code in group) == sorted(ExitCode)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (ExitCode.OK, None),
        (ExitCode.NOT_FINAL, None),
        (ExitCode.DEADLINE, None),
        (ExitCode.UNAVAILABLE, FailedForNow),
        (ExitCode.TERMINATED, FailedForNow),
        (ExitCode.INPUT, FailedForGood),
        (ExitCode.REFUSED, FailedForGood),
        (-9, FailedForNow),
    ],
)
def test_the_airflow_task_ends_as_its_command_does(
    dag: SimpleNamespace, code: int, raised: type[Exception] | None
) -> None:
    end = f"import os, signal; os.kill(os.getpid(), {-code})" if code < 0 else f"raise SystemExit({int(code)})"
    vars(dag)["spend_a_night"].__globals__["COMMAND"] = [sys.executable, "-c", end]
    with pytest.raises(raised) if raised else nullcontext():
        dag.spend_a_night()
