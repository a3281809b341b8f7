"""The commands of the README, in its order, as somebody would type them who reads it from the top."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Running, bulk_remove, environment, simulator

README = Path(__file__).parents[2] / "README.md"
_LINE = re.compile(r"^ +(?:\$ )?bulk-remove (.+?)(?:  +#.*| > .*)?$", re.MULTILINE)
COMMANDS = _LINE.findall(README.read_text(encoding="utf-8"))
ASKS = {"run", "rerun", "prune"}
"""Commands that ask first, where the README does not say --yes by itself: the test has no terminal."""
RUN_ID = "20261124-021530-9f3a"


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


def test_every_command_of_the_readme_does_what_it_is_there_for(server: Running, tmp_path: Path) -> None:
    (tmp_path / "opt-outs").mkdir()
    for first, file in ((601_234_550, "opt-outs.csv"), (602_000_000, "opt-outs/friday.csv")):
        numbers = "".join(f"{first + index}\n" for index in range(20))
        (tmp_path / file).write_text(f"telefon\n{numbers}", encoding="utf-8")
    env = {key: value for key, value in environment().items() if key != "BULK_REMOVE_CONFIG"}
    env |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    env |= {"BULK_REMOVE_USER": "demo", "BULK_REMOVE_URL": server.url, "BULK_REMOVE_SETTLE": "50ms"}
    assert len(COMMANDS) > 15
    here = {"--system acme": "", "/srv/opt-outs": "opt-outs", "http://127.0.0.1:8123": server.url}
    for line in COMMANDS:
        for theirs, ours in here.items():
            line = line.replace(theirs, ours)  # noqa: PLW2901 - the same line, as it is typed here
        if RUN_ID in line:
            (run,) = sorted((tmp_path / "state" / "bulk-remove" / "runs").iterdir())[:1]
            line = line.replace(RUN_ID, run.name)  # noqa: PLW2901 - likewise
        words = shlex.split(line)
        if "--yes" not in words and ASKS & {*words[:2]}:
            words.append("--yes")
        done = bulk_remove(*words, env=env, cwd=tmp_path)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    for made in ("report.csv", "report-2.csv", "report.html", "opt-outs/done/friday.csv.report.csv"):
        assert (tmp_path / made).stat().st_size > 0, made
