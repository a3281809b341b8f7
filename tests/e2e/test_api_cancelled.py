"""A run from Python that is cancelled: in whatever phase, nothing is lost, and nothing is left that should not be."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from bulk_remove import (
    CampaignLockedError,
    ExitCode,
    Plan,
    Server,
    Settings,
    Snapshot,
    Status,
    plan_files,
    remove_files,
    remove_numbers,
    rerun,
    resume,
)
from bulk_remove.run.finish import finish
from bulk_remove.simulator.api import DEMO_PASSWORD, Faults
from bulk_remove.simulator.server import Simulator, read_audit, running
from bulk_remove.simulator.world import Habits, OnDemandCampaign, World
from tests.support.processes import Running, environment, report_of, simulator

SETTINGS = Settings("00001", rate=200.0, max_numbers_per_request=10)
NUMBERS = [str(500_000_000 + index) for index in range(300)]
Begin = Callable[[Server], Coroutine[Any, Any, object]]


@asynccontextmanager
async def serving(folder: Path, faults: Faults | None = None) -> AsyncIterator[tuple[Simulator, Server]]:
    async with running(World([OnDemandCampaign("00001", Habits())]), faults) as simulator:
        yield simulator, Server(simulator.url, "demo", "demo-password", folder / "state")


@pytest.fixture(name="source")
def source_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    listed(path, NUMBERS)
    return path


def runs_in(folder: Path) -> list[Path]:
    runs = folder / "state" / "runs"
    return [*runs.iterdir()] if runs.is_dir() else []


async def until(so: Callable[[], object]) -> None:
    """Wait until something is so, as it will be, letting everything else go on."""
    while not so():  # noqa: ASYNC110 - the simulator and the disk tell nobody
        await asyncio.sleep(0.001)


def listed(path: Path, numbers: list[str]) -> None:
    path.write_text("telefon\n" + "\n".join(numbers), encoding="utf-8")


async def cancelled(task: "asyncio.Task[Any]") -> None:
    """Cancel a task, twice as an impatient caller does, and wait for it to end as cancelled."""
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def whole_of(stream: AsyncIterator[object]) -> int:
    count = 0
    async for _ in stream:
        count += 1
    return count


def approve_all(_plan: Plan) -> bool:
    return True


async def check_nothing_is_left(simulator: Simulator, server: Server, folder: Path) -> None:
    """Hold that no run is left, that nothing was sent, and that the campaign is free."""
    assert runs_in(folder) == []
    assert simulator.seen["DELETE"] == 0
    assert await whole_of(remove_numbers(["601234555"], SETTINGS, server, approve=approve_all)) == 1


def beginning(source: Path, approve: Callable[[Plan], bool | Awaitable[bool]] = approve_all) -> list[Begin]:
    """Return the ways to begin a run that sends."""
    return [
        lambda server: remove_files(source, SETTINGS, server, approve=approve),
        lambda server: whole_of(remove_numbers(NUMBERS, SETTINGS, server, approve=approve)),
    ]


@pytest.mark.parametrize("way", [0, 1, 2], ids=["files", "numbers", "plan"])
async def test_cancelled_while_it_is_planned_nothing_is_left_behind(tmp_path: Path, source: Path, way: int) -> None:
    many = [str(500_000_000 + index) for index in range(200_000)]
    listed(source, many)
    begin: list[Begin] = [
        beginning(source)[0],
        lambda server: whole_of(remove_numbers(many, SETTINGS, server, approve=approve_all)),
        lambda server: plan_files(source, SETTINGS, server),
    ]
    async with serving(tmp_path) as (simulator, server):
        task = asyncio.create_task(begin[way](server))
        await until(lambda: runs_in(tmp_path))
        await cancelled(task)
        assert simulator.seen["DELETE"] == 0
        await check_nothing_is_left(simulator, server, tmp_path)


async def test_cancelled_before_the_last_rows_it_reads_no_further(tmp_path: Path, source: Path) -> None:
    """Otherwise whoever cancels would wait for the whole file."""
    listed(source, NUMBERS * 1000)
    read = 0
    go_on = threading.Event()

    def slowly(self: Any, block: Any) -> Any:
        nonlocal read
        read += 1
        go_on.wait()
        return numbered(self, block)

    from bulk_remove.run.intake import Intake  # noqa: PLC0415 - what is patched

    numbered = Intake.numbered
    async with serving(tmp_path) as (simulator, server):
        with patch.object(Intake, "numbered", slowly):
            task = asyncio.create_task(remove_files(source, SETTINGS, server, approve=approve_all))
            await until(lambda: read)
            task.cancel()
            await asyncio.sleep(0)
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert read == 1
        await check_nothing_is_left(simulator, server, tmp_path)


@pytest.mark.parametrize("way", [0, 1], ids=["files", "numbers"])
async def test_cancelled_while_the_server_is_asked_nothing_is_left_behind(
    tmp_path: Path, source: Path, way: int
) -> None:
    async with serving(tmp_path, Faults(latency_s=0.3)) as (simulator, server):
        task = asyncio.create_task(beginning(source)[way](server))
        await until(lambda: simulator.seen["GET"])
        await cancelled(task)
        await check_nothing_is_left(simulator, server, tmp_path)


@pytest.mark.parametrize("way", [0, 1], ids=["files", "numbers"])
async def test_cancelled_while_somebody_is_asked_nothing_is_left_behind(tmp_path: Path, source: Path, way: int) -> None:
    asked = asyncio.Event()

    async def thinking(_plan: Plan) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    async with serving(tmp_path) as (simulator, server):
        task = asyncio.create_task(beginning(source, thinking)[way](server))
        await asked.wait()
        with pytest.raises(CampaignLockedError):
            await remove_files(source, SETTINGS, server, approve=approve_all)
        await cancelled(task)
        await check_nothing_is_left(simulator, server, tmp_path)


async def test_cancelled_while_it_is_sent_requests_are_finished_and_the_report_is_whole(
    tmp_path: Path, source: Path
) -> None:
    report = tmp_path / "report.csv"
    async with serving(tmp_path, Faults(latency_s=0.05)) as (simulator, server):
        task = asyncio.create_task(remove_files(source, SETTINGS, server, approve=approve_all, output=report))
        await until(lambda: simulator.seen["DELETE"] >= 3)
        await cancelled(task)
        seen = simulator.seen["DELETE"]
        assert seen < 30
        rows = report_of(tmp_path)
        gone = {number for entry in simulator.audit for number in entry.removed}
        assert len(rows) == 300
        assert {row["number"] for row in rows if row["status"] == Status.REMOVED} == gone
        assert {row["status"] for row in rows} == {Status.REMOVED, Status.UNSENT}
        done = await resume("", server, approve=approve_all)
        assert (done.exit_code, done.by_status) == (ExitCode.OK, {Status.REMOVED: 300})
        assert simulator.seen["DELETE"] == 30


async def test_cancelled_while_numbers_are_sent_requests_are_finished(tmp_path: Path) -> None:
    async with serving(tmp_path, Faults(latency_s=0.05)) as (simulator, server):
        task = asyncio.create_task(whole_of(remove_numbers(NUMBERS, SETTINGS, server, approve=approve_all)))
        await until(lambda: simulator.seen["DELETE"] >= 3)
        await cancelled(task)
        assert simulator.seen["DELETE"] < 30
        done = await resume("", server, approve=approve_all)
        assert (done.exit_code, done.by_status) == (ExitCode.OK, {Status.REMOVED: 300})
        assert simulator.seen["DELETE"] == 30


@pytest.mark.parametrize("way", ["run", "resume", "rerun"])
async def test_cancelled_while_the_report_is_written_it_is_written_to_the_end(
    tmp_path: Path, source: Path, way: str
) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def slowly(*values: Any) -> Any:
        writing.set()
        go_on.wait()
        return finish(*values)

    report = tmp_path / "report.csv"
    async with serving(tmp_path) as (simulator, server):
        if way != "run":
            await remove_files(source, SETTINGS, server, approve=approve_all, output=tmp_path / "first.csv")
        begin = {
            "run": lambda: remove_files(source, SETTINGS, server, approve=approve_all, output=report),
            "resume": lambda: resume("", server, approve=approve_all, output=report),
            "rerun": lambda: rerun(tmp_path / "first.csv", server, approve=approve_all, output=report),
        }
        with patch("bulk_remove.run.places.finish", slowly):
            task = asyncio.create_task(begin[way]())
            await until(writing.is_set)
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert {row["status"] for row in report_of(tmp_path)} == {Status.REMOVED}
        assert simulator.seen["DELETE"] == 30


async def test_a_time_limit_of_the_caller_stops_safely_and_says_so(tmp_path: Path, source: Path) -> None:
    async with serving(tmp_path, Faults(latency_s=0.05)) as (simulator, server):
        report = tmp_path / "report.csv"

        async def begin() -> None:
            async with asyncio.timeout(None) as limit:

                def over(_now: Snapshot) -> None:
                    if simulator.seen["DELETE"]:
                        limit.reschedule(0)

                await remove_files(source, SETTINGS, server, approve=approve_all, output=report, on_progress=over)

        with pytest.raises(TimeoutError):
            await begin()
        assert len(report_of(tmp_path)) == 300
        assert 0 < simulator.seen["DELETE"] < 30


_SCRIPT = """
import asyncio, sys
from bulk_remove import Server, Settings, remove_files
server = Server(sys.argv[1], "demo", sys.argv[2], "state")
settings = Settings("00001", rate=20.0, max_numbers_per_request=10)
asyncio.run(remove_files("numbers.csv", settings, server, approve=lambda _: True, output="report.csv"))
"""


def removed(server: Running) -> set[str]:
    return {number for entry in read_audit(server.audit) for number in entry.removed}


@pytest.mark.usefixtures("source")
def test_ctrl_c_in_a_script_stops_safely_and_the_report_is_whole(tmp_path: Path) -> None:
    with simulator(tmp_path) as server:
        words = [sys.executable, "-c", _SCRIPT, server.url, DEMO_PASSWORD]
        with subprocess.Popen(words, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as script:
            while not removed(server):
                assert script.poll() is None
            script.send_signal(signal.SIGINT)
            _, told = script.communicate(timeout=60)
        gone = removed(server)
    assert told.rstrip().endswith("KeyboardInterrupt")
    rows = report_of(tmp_path)
    assert len(rows) == 300
    assert {row["number"] for row in rows if row["status"] == Status.REMOVED} == gone
    assert {row["status"] for row in rows} == {Status.REMOVED, Status.UNSENT}
