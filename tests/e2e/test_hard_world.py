import csv
from collections import defaultdict
from pathlib import Path

from bulk_remove import Server, Settings, remove_files
from bulk_remove.core.lifecycle import AT_LEAST
from bulk_remove.simulator.api import Faults, Rules
from bulk_remove.simulator.server import running
from bulk_remove.simulator.world import Habits, OnDemandCampaign, World

FAULTS = Faults(
    dropped_after=0.05, error_500_before=0.02, error_502_after=0.02, error_504_after=0.01, cut_short=0.02, seed=5
)
HABITS = Habits(seed=5, busy_share=0.1, busy_for_s=1.0, duplicate_share=0.05, absent_share=0.05)


async def test_in_a_hard_world_only_the_poison_numbers_are_not_final_and_the_report_is_true(tmp_path: Path) -> None:
    """5 % lost replies, 5 % server errors, 2 % cut replies, 10 % of numbers in a call, one poison number in 1,000."""
    numbers = [str(500_000_000 + 7 * index) for index in range(5_000)]
    poison = set(numbers[500::1_000])
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(numbers), encoding="utf-8")
    settings = Settings("00001", rate=300.0, concurrency=8, busy_delay_s=0.5, tries=12, max_numbers_per_request=100)
    world = World([OnDemandCampaign("00001", HABITS)])
    async with running(world, FAULTS, Rules(poison=frozenset(poison))) as simulator:
        server = Server(simulator.url, "demo", "demo-password", tmp_path / "state")
        finished = await remove_files(
            [str(source)], settings, server, approve=lambda _: True, output=tmp_path / "report.csv"
        )
    assert finished.exit_code == 3
    removed: dict[str, list[int]] = defaultdict(list)
    told: dict[str, list[int]] = defaultdict(list)
    unanswered: set[str] = set()
    refused: set[str] = set()
    for entry in simulator.audit:
        for number, ids in entry.removed.items():
            removed[number].extend(ids)
            if entry.whole and entry.answered == 200:
                told[number].extend(ids)
        if not (entry.whole and entry.answered in {200, 400}):
            unanswered.update(entry.asked)
        if entry.answered == 400:  # which takes this server as long as to carry a request out
            refused.update(entry.asked)
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == numbers
    for row in rows:
        number = row["number"]
        assert sorted(map(int, row["record_ids"].split())) == sorted(told[number])
        if number in poison:
            assert row["status"] == "FAILED"
            assert "Wrong format of phone number." in row["detail"]
            assert "request_id" in row["detail"]
            assert not removed[number]
        elif told[number]:
            assert row["status"] in {"REMOVED", "PRESUMED_REMOVED"}
            assert row["status"] == "REMOVED" or number in unanswered | refused
            assert AT_LEAST in row["detail"] or len(told[number]) == len(removed[number])
            assert AT_LEAST not in row["detail"] or number in unanswered | refused
        elif number in refused - unanswered:
            assert row["status"] in {"PRESUMED_REMOVED", "NOT_EXIST"}
            assert not removed[number]
        else:
            assert row["status"] == ("PRESUMED_REMOVED" if number in unanswered else "NOT_EXIST")
            assert row["status"] == "PRESUMED_REMOVED" or not removed[number]
    assert any(removed[number] and not told[number] for number in numbers)
    assert finished.totals.requests == simulator.seen["DELETE"]
