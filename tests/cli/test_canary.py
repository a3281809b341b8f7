"""The canary at a terminal, where somebody can be asked whether the rest may follow."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, removal, report_of, simulator
from tests.support.terminal import at_a_terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

CANARY = ("--canary", "--max-numbers-per-request", "5", "--rate", "50")
FIRST, LEFT = "n to stop:", "35 numbers that are left:"


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="words")
def words_fixture(server: Running, tmp_path: Path) -> list[str | Path]:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(40)), encoding="utf-8")
    return [word for word in removal(server, tmp_path, source, *CANARY) if word != "--yes"]


def asked(server: Running) -> list[str]:
    return [number for entry in read_audit(server.audit) for number in entry.asked]


@pytest.mark.parametrize(
    ("typed", "code"),
    [("yes\n", 0), ("no\n", 5), ("\n", 5), ("\x03", 130), ("\x1c", 143), ("SIGHUP", 129)],
    ids=["yes", "no", "nothing", "Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_at_a_terminal_the_rest_follows_only_when_somebody_says_so(
    tmp_path: Path, server: Running, words: list[str | Path], typed: str, code: int
) -> None:
    shown, ended = at_a_terminal(words, (FIRST, "yes\n"), (LEFT, typed))
    assert ended == code, shown
    assert "one request is sent first" in shown
    assert "The first request brought, for 5 numbers:" in shown
    assert len(asked(server)) == (40 if code == 0 else 5)
    statuses = [row["status"] for row in report_of(tmp_path)]
    assert statuses == ["REMOVED"] * (40 if code == 0 else 5) + ["UNSENT"] * (0 if code == 0 else 35)
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert summary["exit_code"] == code
    assert "Traceback" not in shown


def test_who_stopped_at_the_canary_is_asked_again_by_resume(
    tmp_path: Path, server: Running, words: list[str | Path]
) -> None:
    assert at_a_terminal(words, (FIRST, "yes\n"), (LEFT, "no\n"))[1] == 5
    resume = ("resume", "--state-dir", tmp_path / "state")
    shown, ended = at_a_terminal(resume, (FIRST, "yes\n"), (LEFT, "no\n"))
    assert (ended, len(asked(server))) == (5, 5), shown
    shown, ended = at_a_terminal(resume, (FIRST, "yes\n"), (LEFT, "yes\n"))
    assert (ended, len(asked(server))) == (0, 40), shown


def test_with_yes_nobody_is_asked_and_the_judgement_decides(
    tmp_path: Path, server: Running, words: list[str | Path]
) -> None:
    shown, ended = at_a_terminal([*words, "--yes"])
    assert (ended, len(asked(server))) == (0, 40), shown
    assert bulk_remove("resume", "--state-dir", tmp_path / "state").returncode == 0
