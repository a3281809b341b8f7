"""A number that an earlier run removed and that is back: the real command against a campaign that is filled again."""

import json
import socket
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import REMOVED_AGAIN
from tests.support.processes import bulk_remove, removal, report_of, simulator

PACE = ("--rate", "100", "--max-numbers-per-request", "10", "--max-share", "100%")
AGAIN = "20 numbers that this run removed had been removed by an earlier run, too."
BEFORE = "20 numbers were removed by an earlier run."


def written(folder: Path, name: str, *numbers: int) -> Path:
    path = folder / name
    path.write_text("telefon\n" + "\n".join(map(str, numbers)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(name="port")
def port_fixture() -> str:
    """A port for one simulator after the other: the same server with its records back."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def test_numbers_that_are_back_are_marked_in_plan_report_and_summary(tmp_path: Path, port: str) -> None:
    held = written(tmp_path, "campaign.csv", *range(600_000_000, 600_000_040))
    first = written(tmp_path, "first.csv", *range(600_000_000, 600_000_030))
    second = written(tmp_path, "second.csv", *range(600_000_010, 600_000_040), 600_000_010)
    with simulator(tmp_path, "--numbers", str(held), "--port", port) as server:
        assert bulk_remove(*removal(server, tmp_path, first, *PACE)).returncode == 0
        summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
        assert summary["removed_again"] == 0
    with simulator(tmp_path, "--numbers", str(held), "--port", port) as server:
        own = ("-c", "00001", "--state-dir", tmp_path / "state", "--url", server.url)
        planned = bulk_remove("plan", second, *own)
        assert BEFORE in planned.stderr
        assert json.loads(bulk_remove("plan", second, *own, "--json").stdout)["removed_earlier"] == 20
        done = bulk_remove(*removal(server, tmp_path, second, *PACE, "--canary", "--report", "html"))
        assert (done.returncode, BEFORE in done.stderr, AGAIN in done.stdout) == (0, True, True), done.stdout
        rows = report_of(tmp_path)
        marked = [row["number"] for row in rows if row["detail"].endswith(REMOVED_AGAIN)]
        assert marked == [*map(str, range(600_000_010, 600_000_030)), "600000010"]
        assert {row["status"] for row in rows} == {"REMOVED"}
        summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
        assert summary["removed_again"] == 20
        assert AGAIN in (tmp_path / "report.html").read_text(encoding="utf-8")
        # A rerun asks for nothing again, so it removes nothing again; from the report it forgets the mark.
        for earlier in ("", tmp_path / "report.csv"):
            run = earlier or max((tmp_path / "state" / "runs").iterdir()).name
            to = ("--state-dir", tmp_path / "state", "--url", server.url, "--user", "demo", "--yes")
            again = bulk_remove("rerun", run, *to, "-o", tmp_path / "again.csv", "--overwrite")
            assert again.returncode == 0, again.stderr
            assert REMOVED_AGAIN not in (tmp_path / "again.csv").read_text(encoding="utf-8")
            assert json.loads((tmp_path / "again.summary.json").read_text(encoding="utf-8"))["removed_again"] == 0


def test_a_file_whose_numbers_were_removed_before_does_not_look_like_a_wrong_one(tmp_path: Path) -> None:
    held = written(tmp_path, "campaign.csv", *range(600_000_000, 600_000_400))
    source = written(tmp_path, "numbers.csv", *range(600_000_000, 600_000_400))
    other = written(tmp_path, "other.csv", *range(700_000_000, 700_000_400))
    limit = ("--stop-when-missing", "50%")
    with simulator(tmp_path, "--numbers", str(held)) as server:
        assert bulk_remove(*removal(server, tmp_path, source, *PACE, *limit)).returncode == 0
        assert bulk_remove(*removal(server, tmp_path, source, *PACE, *limit)).returncode == 0
        assert {row["status"] for row in report_of(tmp_path)} == {"NOT_EXIST"}
        assert bulk_remove(*removal(server, tmp_path, other, *PACE, *limit)).returncode == 5
