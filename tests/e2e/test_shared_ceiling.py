from bisect import bisect_left
from pathlib import Path

from bulk_remove.simulator.server import read_audit
from tests.support.processes import simulator, started

RATE = 12


def test_two_runs_of_one_account_keep_to_one_ceiling_together(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("telefon\n" + "".join(f"{601_000_000 + index}\n" for index in range(60)), encoding="utf-8")
    options = ["--user", "demo", "--yes", "--state-dir", str(tmp_path / "state"), "--pace", "fixed"]
    options += ["--rate", str(RATE), "--max-numbers-per-request", "1"]
    with simulator(tmp_path, "--campaign", "00001", "--campaign", "00002") as server:
        runs = [
            started("run", numbers, "-c", campaign, "--url", server.url, *options) for campaign in ("00001", "00002")
        ]
        assert [run.wait(timeout=120) for run in runs] == [0, 0]
    entries = [*read_audit(server.audit)]
    moments_s = sorted(entry.time_s for entry in entries)  # what was asked beforehand counts, too
    assert sum(entry.method == "DELETE" for entry in entries) == 120
    # On a busy machine what left evenly arrives less so, hence 3 s. Without a common ceiling there would be twice as
    # many.
    most = max(bisect_left(moments_s, moment_s + 3) - index for index, moment_s in enumerate(moments_s))
    assert most <= 3 * RATE + 6
    assert moments_s[-1] - moments_s[0] >= 120 / RATE - 1 - 0.2
