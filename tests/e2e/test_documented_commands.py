"""The commands of README and guide, in their order, as somebody would type them who reads them from the top."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.docs.pages import FIRST_HOURS, GUIDE, PAGES, PRIVACY, README, README_PL, REFERENCE
from tests.support.processes import Running, bulk_remove, environment, simulator, started

_LINE = re.compile(r"^ +(?:\$ )?bulk-remove (.+?)(?:  +#.*| > .*)?$", re.MULTILINE)
READ = {
    "README, guide, privacy": f"{README}\n{GUIDE}\n{PRIVACY}", "README.pl": README_PL, **FIRST_HOURS
}  # fmt: skip
"""What somebody reads from the top, with a machine of their own for each."""
NOT_RUN = {REFERENCE: "made from the code: it shows usages, and examples that tests/cli/test_help_pages.py holds"}
"""Pages with lines of commands that are not run here, each with the reason."""
SERVES = {"ui"}
"""Commands that go on until they are stopped."""
ASKS = {"run", "rerun", "prune"}
"""Commands that ask first, where the documents do not say --yes by themselves: the test has no terminal."""
RUN_ID = "20261124-021530-9f3a"
REHEARSAL = "--url http://127.0.0.1:8080"
MADE = {
    "README, guide, privacy": (
        "report.csv", "report-2.csv", "proof.csv", "report.html", "opt-outs/done/friday.csv.report.csv", "seen.csv",
        "approved.json", "gone.jsonl",
    ),
    "operator.md": ("report.csv", "report.xlsx", "rehearsal.csv"),
    "sysadmin.md": ("opt-outs/done/friday.csv.report.csv",),
}  # fmt: skip
_READS = "--look-csv"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="env")
def env_fixture(server: Running, tmp_path: Path) -> dict[str, str]:
    """Give the environment of a user who has set a name, a password and a server, and has no profiles yet."""
    kept = {key: value for key, value in environment().items() if key != "BULK_REMOVE_CONFIG"}
    kept |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    return kept | {"BULK_REMOVE_USER": "demo", "BULK_REMOVE_URL": server.url, "BULK_REMOVE_SETTLE": "50ms"}


def served(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start a command that goes on until it is stopped, and stop it once it has said where it serves."""
    told, tells = os.pipe()
    with os.fdopen(told, encoding="utf-8") as said, started(*words, "--no-browser", env=env, out=tells) as process:
        os.close(tells)
        link = said.readline()
        process.terminate()
        return subprocess.CompletedProcess(words, process.wait(60) if "http://" in link else 1, link, "")


@pytest.mark.parametrize("name", READ)
def test_every_command_of_the_documents_does_what_it_is_there_for(
    name: str, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "opt-outs").mkdir()
    for first, file in ((601_234_550, "opt-outs.csv"), (602_000_000, "opt-outs/friday.csv")):
        numbers = "".join(f"{first + index}\n" for index in range(20))
        (tmp_path / file).write_text(f"telefon\n{numbers}", encoding="utf-8")
    (tmp_path / "erasure.csv").write_text("telefon,kampania\n603000000,00001\n603000001,00001\n", encoding="utf-8")
    commands = _LINE.findall(READ[name])
    if name == "data-protection.md":  # somebody else has made the run
        commands.insert(0, "run opt-outs.csv -c 00001 -o report.csv")
    (tmp_path / "other").mkdir()
    (tmp_path / "listed").mkdir()
    held = tmp_path / "listed" / "held.csv"
    held.write_text("telefon\n" + "".join(f"{601_234_500 + index}\n" for index in range(150)), encoding="utf-8")
    with ExitStack() as stack:
        other = stack.enter_context(simulator(tmp_path / "other")) if REHEARSAL in READ[name] else None
        listed = (
            stack.enter_context(simulator(tmp_path / "listed", "--numbers", str(held)))
            if _READS in READ[name]
            else None
        )
        here = {"--system acme": "", "/srv/opt-outs": "opt-outs", "--until 06:00": "--settle 50ms"}
        here[REHEARSAL] = f"--url {other.url}" if other else ""
        for line in commands:
            for theirs, ours in here.items():
                line = line.replace(theirs, ours)  # noqa: PLW2901 - the same line, as it is typed here
            if RUN_ID in line:
                run = min((tmp_path / "state" / "bulk-remove" / "runs").iterdir())
                line = line.replace(RUN_ID, run.name)  # noqa: PLW2901 - likewise
            words = shlex.split(line)
            if listed and {"--look-csv", "--backup"} & {
                *words
            }:  # the stand-in claims too many records to read them all
                words += ["--url", listed.url]
            if "--yes" not in words and ASKS & {*words[:2]}:
                words.append("--yes")
            done = served(*words, env=env) if words[0] in SERVES else bulk_remove(*words, env=env, cwd=tmp_path)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert commands or name == "python.md"
    for made in MADE.get(name, ()):
        assert (tmp_path / made).stat().st_size > 0, made


def test_no_page_has_a_line_with_a_command_that_is_not_run() -> None:
    assert all(NOT_RUN.values())
    for page in PAGES:
        assert any(page in read for read in READ.values()) or page in NOT_RUN or not _LINE.search(page)


BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None or os.name != "posix", reason="needs bash")
def test_the_step_for_the_password_works_when_it_is_copied_to_bash(env: dict[str, str], tmp_path: Path) -> None:
    (block,) = re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    check = shlex.join([sys.executable, "-m", "bulk_remove", "check", "--user", "demo", "-c", "00001"])
    mine = {key: value for key, value in env.items() if key != "BULK_REMOVE_PASSWORD"} | {"HOME": str(tmp_path)}
    assert BASH is not None
    done = subprocess.run(
        [BASH, "--norc", "-c", f"umask 022\n{block}{check}\n"],
        env=mine,
        input=f"{DEMO_PASSWORD}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (made,) = (path for path in (tmp_path / ".config").iterdir() if path.is_file())
    assert made.stat().st_mode & 0o777 == 0o600
    assert DEMO_PASSWORD not in done.stdout + done.stderr


PYTHON = {
    "remove_numbers(": "601234555 REMOVED 1\n601234556 REMOVED 1\n",
    "remove_files(": ("20 numbers, 0 invalid\n{<Status.REMOVED: 'REMOVED'>: 20} report.csv\nOK\n"),
}
"""What each piece of Python prints, by a call that is in it alone."""


@pytest.mark.parametrize("call", PYTHON)
def test_the_python_of_the_documents_does_what_it_is_there_for(
    server: Running, env: dict[str, str], tmp_path: Path, call: str
) -> None:
    numbers = "".join(f"{601_234_550 + index}\n" for index in range(20))
    (tmp_path / "opt-outs.csv").write_text(f"telefon\n{numbers}", encoding="utf-8")
    blocks = [block for page in PAGES for block in _PYTHON.findall(page)]
    assert len(blocks) == len(PYTHON)
    (code,) = [block for block in blocks if call in block]
    theirs, ours = (
        'Server("https://acme.thulium.com", "api", "...")',
        f'Server("{server.url}", "demo", "{DEMO_PASSWORD}")',
    )
    assert theirs in code
    done = subprocess.run(
        [sys.executable, "-c", code.replace(theirs, ours)],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stderr, done.stdout) == ("", PYTHON[call])
