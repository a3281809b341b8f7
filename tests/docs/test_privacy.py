"""What docs/privacy.md says is stored is what a run stores, and what it says is deleted is."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.processes import Running, bulk_remove, simulator

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
NUMBER = re.compile(rb"500[ -]?000[ -]?[0-6]\d\d")
"""A number of the input, however it may be grouped."""


class Stored(NamedTuple):
    """What the page says of a file."""

    mode: str
    numbers: str


class Kept(NamedTuple):
    """What is there after a night: below the state folder and elsewhere, by the names that the page has for it."""

    folder: Path
    state: dict[str, Path]
    elsewhere: dict[str, Path]


def told(title: str) -> dict[str, Stored]:
    """Return what a section's table says of each file."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| (yes|no) \|", section, re.MULTILINE)
    return {name: Stored(mode, numbers) for name, mode, numbers in rows}


STATE, ELSEWHERE = told("In the state folder"), told("Elsewhere")


@pytest.fixture(name="server", scope="module")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(name="kept", scope="module")
def kept_fixture(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Run an inbox with one file once, with all that can be asked for, and lines that the server finds too long."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "inbox").mkdir()
    source = folder / "inbox" / "numbers.csv"
    source.write_text("telefon\n" + "".join(f"{500_000_000 + index}\n" for index in range(700)), encoding="utf-8")
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", folder / "state", "--yes")
    more = ("--report", "html,xlsx", "--metrics-file", folder / "METRICS.prom", "--max-request-line", "30000")
    pace = ("--pace", "fixed", "--rate", "100", "--settle", "0s")
    done = bulk_remove("inbox", folder / "inbox", *own, *more, *pace)
    assert done.returncode == 0, done.stderr
    state = {documented(path.relative_to(folder / "state")): path for path in (folder / "state").rglob("*")}
    others = [path for path in folder.rglob("*") if path.is_file() and folder / "state" not in path.parents]
    return Kept(folder, state, {documented_elsewhere(path.relative_to(folder)): path for path in others})


def documented(path: Path) -> str:
    """Return the name that the page has for a file or folder: what differs from run to run in capitals."""
    stems = {"runs": "RUN", "hosts": "HOST", "accounts": "HOST-DIGEST", "locks": "HOST-CAMPAIGN"}
    first, *rest = path.parts
    if rest:
        suffix = "" if first == "runs" else Path(rest[0]).suffix
        rest[0] = ("inbox-DIGEST" if rest[0].startswith("inbox-") else stems[first]) + suffix
    return "/".join([first, *rest])


def documented_elsewhere(path: Path) -> str:
    return path.as_posix().replace("inbox/", "INBOX/").replace("numbers.csv", "FILE")


def test_a_night_keeps_exactly_the_files_that_the_page_lists(kept: Kept) -> None:
    assert {*kept.state} == {*STATE}
    assert {*kept.elsewhere} == {*ELSEWHERE}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_modes_are_those_of_the_page_and_all_of_the_state_folder_is_its_owners_alone(kept: Kept) -> None:
    modes = {name: f"{path.stat().st_mode & 0o777:o}" for name, path in (kept.state | kept.elsewhere).items()}
    told_modes = {name: stored.mode for name, stored in (STATE | ELSEWHERE).items() if stored.mode != "as it was"}
    assert {name: modes[name] for name in told_modes} == told_modes
    assert {modes[name] for name in STATE} == {"600", "700"}
    assert (kept.folder / "state").stat().st_mode & 0o777 == 0o700


def test_only_the_files_that_the_page_says_so_of_hold_phone_numbers(kept: Kept) -> None:
    for name, path in (kept.state | kept.elsewhere).items():
        if path.is_file() and (STATE | ELSEWHERE)[name].numbers == "no":
            assert not NUMBER.search(path.read_bytes()), name


def test_the_log_holds_no_phone_number_though_it_tells_of_the_run(kept: Kept) -> None:
    log = kept.state["runs/RUN/run.log"].read_bytes()
    assert log.count(b"\n") >= 2
    assert not NUMBER.search(log)
    assert all(NUMBER.search(kept.state[f"runs/RUN/{name}"].read_bytes()) for name in ("report.csv", "ledger.sqlite"))


def test_prune_deletes_all_that_holds_phone_numbers_in_the_state_folder_and_names_the_reports_that_it_left(
    kept: Kept, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    shutil.copytree(kept.folder / "state", state)
    done = bulk_remove("runs", "prune", "--older-than", "0s", "--yes", "--state-dir", state)
    assert done.returncode == 0, done.stderr
    left = {documented(path.relative_to(state)) for path in state.rglob("*")}
    assert left == {name for name in STATE if not name.startswith("runs/")}
    assert "yes" not in {STATE[name].numbers for name in left}
    named = {line.strip() for line in done.stdout.splitlines()}
    assert {str(kept.elsewhere[f"INBOX/done/FILE.report.{form}"]) for form in ("csv", "html", "xlsx")} <= named
