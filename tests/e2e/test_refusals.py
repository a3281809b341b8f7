"""A real server that refuses what it has carried out, or what it has not: the report must not say what is not so."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from bulk_remove import Server, Settings, remove_files
from bulk_remove.core.lifecycle import AT_LEAST
from bulk_remove.core.throttle import Level
from bulk_remove.run.finish import Finished
from bulk_remove.simulator.api import Faults, SimulatedFault
from bulk_remove.simulator.server import Simulator, running
from bulk_remove.simulator.world import ListedCampaign, Record, World

NUMBERS = [str(500_000_000 + 7 * index) for index in range(160)]
IN_A_CALL, TWICE, ABSENT = NUMBERS[3::40], NUMBERS[::3], NUMBERS[1::5]


def world() -> World:
    """Every third number has two records, every fifth none; of some that have two one is in a call at first."""
    records: list[Record] = []
    for number in NUMBERS:
        copies = 0 if number in ABSENT else 2 if number in TWICE else 1
        for copy in range(copies):
            busy_for_s = 0.2 if number in IN_A_CALL and copy else 0.0
            records.append(Record(len(records) + 1, number, busy_for_s=busy_for_s))
    return World([ListedCampaign("00001", records)])


class Outcome:
    """What a run against such a server came to: its report and summary, and what the server really removed."""

    def __init__(self, finished: Finished, simulator: Simulator) -> None:
        with finished.report.open(encoding="utf-8", newline="") as file:
            self.rows = {row["number"]: row for row in csv.DictReader(file)}
        self.summary = json.loads(finished.summary.read_text(encoding="utf-8"))
        self.statuses = Counter(row["status"] for row in self.rows.values())
        self.removed: defaultdict[str, list[str]] = defaultdict(list)
        for entry in simulator.audit:
            for number, ids in entry.removed.items():
                self.removed[number] += map(str, ids)


async def outcome(folder: Path, faults: Faults) -> Outcome:
    source = folder / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    settings = Settings(
        "00001", max_share=1.0, pace=Level.FIXED, rate=300.0, concurrency=3, busy_delay_s=0.4, max_numbers_per_request=8
    )
    async with running(world(), faults) as simulator:
        server = Server(simulator.url, "demo", "demo-password", state_dir=folder / "state")
        finished = await remove_files([str(source)], settings, server, approve=lambda _: True, output=folder / "r.csv")
    return Outcome(finished, simulator)


def check_nothing_untrue_is_said(came: Outcome) -> None:
    for number, row in came.rows.items():
        removed, told = sorted(came.removed[number]), sorted(row["record_ids"].split())
        if row["status"] == "NOT_EXIST":
            assert not removed
        if row["status"] == "REMOVED" and AT_LEAST not in row["detail"]:
            assert told == removed
        assert {*told} <= {*removed}
    truth, told_sum = sum(map(len, came.removed.values())), came.summary["removed_records"]
    assert came.summary["removed_records_at_least"] or told_sum == truth
    assert told_sum <= truth
    assert {*came.statuses} <= {"REMOVED", "NOT_EXIST", "PRESUMED_REMOVED"}


@pytest.mark.parametrize("late_s", [0.0, 0.15], ids=["at once", "slowly"])
@pytest.mark.parametrize("latency_s", [0.0, 0.06], ids=["a fast server", "a slow one"])
@pytest.mark.parametrize("http_status", [503, 429, 400])
@pytest.mark.parametrize("fault", [SimulatedFault.REFUSED_AFTER, SimulatedFault.REFUSED_MIDWAY])
async def test_what_a_server_removed_and_then_refused_is_never_reported_as_not_there_nor_counted_as_all(
    tmp_path: Path, fault: SimulatedFault, http_status: int, latency_s: float, late_s: float
) -> None:
    # The very first request among them: there is nothing yet to compare it with.
    script = (fault, None, fault, None, None, fault, None, fault)
    faults = Faults(script=script, refused_status=http_status, latency_s=latency_s, refused_late_s=late_s)
    came = await outcome(tmp_path, faults)
    check_nothing_untrue_is_said(came)
    assert came.statuses["PRESUMED_REMOVED"] > 8
    assert came.summary["removed_records_at_least"] is True
    assert came.summary["faults"] == {f"HTTP {http_status}": 4}


@pytest.mark.parametrize("latency_s", [0.0, 0.06], ids=["a fast server", "a slow one"])
async def test_after_a_504_too(tmp_path: Path, latency_s: float) -> None:
    script = (SimulatedFault.ERROR_504_AFTER, None, SimulatedFault.ERROR_504_AFTER)
    came = await outcome(tmp_path, Faults(script=script, latency_s=latency_s))
    check_nothing_untrue_is_said(came)
    assert came.statuses["PRESUMED_REMOVED"] > 8
    assert came.summary["removed_records_at_least"] is True


@pytest.mark.parametrize("http_status", [503, 429, 400])
async def test_refusals_at_once_cost_nothing(tmp_path: Path, http_status: int) -> None:
    # The second worker is refused when nobody has been answered yet.
    script = (None, SimulatedFault.REFUSED_BEFORE, None, *[None] * 5, *[SimulatedFault.REFUSED_BEFORE] * 3)
    came = await outcome(tmp_path, Faults(script=script, refused_status=http_status, latency_s=0.4))
    assert came.statuses == {"REMOVED": len(NUMBERS) - len(ABSENT), "NOT_EXIST": len(ABSENT)}
    assert not [row for row in came.rows.values() if AT_LEAST in row["detail"]]
    assert came.summary["removed_records_at_least"] is False
    assert came.summary["removed_records"] == sum(map(len, came.removed.values()))
    assert came.summary["faults"] == {f"HTTP {http_status}": 4}
