"""What docs/privacy.md says is stored is what a run stores."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Running, bulk_remove, removal, simulator

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
STORED = {
    name: (mode, holds.strip())
    for name, mode, holds in re.findall(r"^\| `([^`]+)` \| `?(\d+)`? \|([^|]*)\|", PAGE, re.MULTILINE)
}


@pytest.fixture(name="server", scope="module")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(name="kept", scope="module")
def kept_fixture(server: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run the command once; return what it left in its state folder, by the name that the page has for it."""
    folder = tmp_path_factory.mktemp("kept")
    source = folder / "numbers.csv"
    source.write_text("telefon\n" + "".join(f"{500_000_000 + index}\n" for index in range(40)), encoding="utf-8")
    done = bulk_remove(*removal(server, folder, source))
    assert done.returncode == 0, done.stderr
    return {documented(path.relative_to(folder / "state")): path for path in (folder / "state").rglob("*")}


def documented(path: Path) -> str:
    """Return the name that the page has for a file or folder: what differs from run to run in capitals."""
    stems = {"runs": "RUN", "hosts": "HOST", "accounts": "HOST-USER", "locks": "HOST-CAMPAIGN"}
    first, *rest = path.parts
    if rest:
        suffix = "" if first == "runs" else Path(rest[0]).suffix
        rest[0] = stems[first] + suffix
    return "/".join([first, *rest])


def test_a_run_keeps_exactly_the_files_that_the_page_lists(kept: dict[str, Path]) -> None:
    assert {*kept} == {*STORED}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_modes_are_those_of_the_page_and_every_folder_is_its_owners_alone(kept: dict[str, Path]) -> None:
    for name, path in kept.items():
        if path.is_dir() or STORED[name][0] != "644":  # how far others may read it is for the umask to say
            assert f"{path.stat().st_mode & 0o777:o}" == STORED[name][0], name


def test_only_the_files_that_the_page_says_so_of_hold_phone_numbers(kept: dict[str, Path]) -> None:
    for name, path in kept.items():
        if path.is_file():
            assert (b"50000" in path.read_bytes()) <= (STORED[name][1] == "yes"), name
    assert STORED["runs/RUN/ledger.sqlite"][1] == "yes"
    assert STORED["runs/RUN/run.log"][1] == "no"
