"""The one file of `make app`: it plans and runs as the installed program does. `make try-app` builds and tests it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from bulk_remove import __version__
from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.app.building import ROOT
from tests.support.processes import Running, environment, report_of, simulator

APP = ROOT / os.environ.get("BULK_REMOVE_APP", "")
pytestmark = pytest.mark.skipif(not APP.is_file(), reason="make try-app builds the file first")


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="env", scope="module")
def env_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give an environment in which nothing of this checkout is found, and in which the file unpacks itself again."""
    own = environment(PEX_ROOT=str(tmp_path_factory.mktemp("unpacked")))
    return {name: value for name, value in own.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV", "BULK_REMOVE_APP"}}


def app(*words: str | Path, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    python = getattr(sys, "_base_executable", sys.executable)
    return subprocess.run(
        [python, APP, *words], env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def test_it_is_this_version(env: dict[str, str], tmp_path: Path) -> None:
    done = app("--version", env=env, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (f"bulk-remove {__version__}\n", "", 0)


def test_it_plans_a_workbook_and_speaks_polish(env: dict[str, str], tmp_path: Path) -> None:
    workbook = ROOT / "sample_data" / "workbooks" / "titles_above.xlsx"
    done = app("plan", workbook, "-c", "00001", "--lang", "pl", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "limity" in done.stdout


def test_it_runs_and_writes_every_kind_of_report(server: Running, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("telefon\n601234555\n601234556\n", encoding="utf-8")
    words = ["run", "n.csv", "-c", "00001", "--url", server.url, "--user", "demo", "--state-dir", "state", "--yes"]
    done = app(*words, "-o", "report.csv", "--report", "html,xlsx", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in report_of(tmp_path)] == ["REMOVED", "REMOVED"]
    assert "<style>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "report.xlsx").stat().st_size > 1000
    assert app("runs", "verify", "--state-dir", "state", env=env, cwd=tmp_path).returncode == 0


def test_its_page_opens_with_its_style(server: Running, env: dict[str, str], tmp_path: Path) -> None:
    words = ["ui", "--no-browser", "--url", server.url, "--user", "demo", "--state-dir", tmp_path / "state"]
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, APP, *map(str, words)]
    own = {**env, "BULK_REMOVE_PASSWORD": DEMO_PASSWORD}
    with subprocess.Popen(command, env=own, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            link = re.search(r"http://\S+", process.stdout.readline())
            assert link
            browser = build_opener(HTTPCookieProcessor())
            base = link[0].partition("/login/")[0]
            for place, text in (
                (f"/login/{link[0].rpartition('/')[2]}", ""),
                ("/", "<form"),
                ("/file/page.css", "color"),
            ):
                with browser.open(base + place) as answer:
                    assert text in answer.read().decode(), place
        finally:
            process.terminate()
