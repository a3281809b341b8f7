from pathlib import Path

from bulk_remove import Server, Settings, Status, remove_files
from bulk_remove.simulator.api import Rules
from bulk_remove.simulator.server import running
from bulk_remove.simulator.world import Habits, OnDemandCampaign, World


async def test_a_shorter_request_line_is_learned_once_and_kept_for_the_host(tmp_path: Path) -> None:
    """A proxy in between takes 3,000 bytes; the second run knows it from the start."""
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(3_000)), encoding="utf-8")
    settings = Settings("00001", rate=500.0)
    world = World([OnDemandCampaign("00001", Habits())])
    async with running(world, rules=Rules(max_line_bytes=3_000)) as simulator:
        server = Server(simulator.url, "demo", "demo-password", tmp_path / "state")
        for run in ("first", "second"):
            refused = sum(entry.answered == 414 for entry in simulator.audit)
            finished = await remove_files(
                [str(source)], settings, server, approve=lambda _: True, output=tmp_path / f"{run}.csv"
            )
            assert finished.exit_code == 0
            if run == "first":
                assert finished.by_status == {Status.REMOVED: 3_000}
                assert 0 < sum(entry.answered == 414 for entry in simulator.audit) <= 12
            else:
                assert finished.by_status == {Status.NOT_EXIST: 3_000}
                assert sum(entry.answered == 414 for entry in simulator.audit) == refused
