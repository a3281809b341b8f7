"""The story of a run, driven as a server with a page would: plan first, wait for consent, then send, steer and stop."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bulk_remove.core.plan import Consent
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key, pressed
from bulk_remove.core.timeline import Snapshot
from bulk_remove.errors import GuardStop, InputError, UsageError
from bulk_remove.run.again import close_run
from bulk_remove.run.finish import Wanted
from bulk_remove.run.job import Job, Operator, Planned, enter_in_thread, in_thread, plan_files, plan_resume, plan_run
from bulk_remove.run.places import ReportPlace
from bulk_remove.sending import Pool
from bulk_remove.settings import Address, Login, Settings
from bulk_remove.simulator.server import Simulator, running
from bulk_remove.simulator.world import Habits, OnDemandCampaign, World

NUMBERS = [str(500_000_000 + index) for index in range(60)]
SETTINGS = Settings("00001", rate=200.0, max_numbers_per_request=10)


class Page(Operator):
    """What a page shows and asks; `consent` is pressed by the test, and `press` is done once the sending has begun."""

    snapshot: Callable[[], Snapshot] | None = None

    def __init__(self, press: Callable[[Pool], None] = lambda _pool: None) -> None:
        self.shown: Planned | None = None
        self.consent: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.asked = asyncio.Event()
        self.said: list[str] = []
        self._press = press

    def note(self, sentence: str) -> None:
        self.said.append(sentence)

    def show(self, run: Planned) -> None:
        self.shown = run

    async def approve(self, run: Planned) -> Consent:
        assert run is self.shown
        self.asked.set()
        if not await self.consent:
            raise GuardStop("No.", "Look again.")
        return Consent.CODE

    async def do(self, work: Callable[[], object]) -> object:  # type: ignore[override]  # whatever it returns
        return await in_thread(work)

    @contextmanager
    def steering(self, pool: Pool) -> Iterator[None]:
        self.snapshot = pool.snapshot
        self._press(pool)
        yield


def job_at(simulator: Simulator, folder: Path) -> Job:
    source = folder / "numbers.csv"
    source.write_text("\n".join(["telefon", *NUMBERS, ""]), encoding="ascii")
    place = ReportPlace(folder / "report.csv", Wanted())
    return Job(SETTINGS, Address.parse(simulator.url), Login("demo", "demo-password"), folder / "state", place)


async def carried_out(job: Job, page: Page, files: Sequence[str]) -> Ending | None:
    async with enter_in_thread(plan_run(job, partial(plan_files, files, page.note, None), page)) as run:
        done = await run.carry_out(page)
        return done.sent.ending if done.sent else None


def world() -> World:
    return World([OnDemandCampaign("00001", Habits())])


async def test_a_plan_waits_for_consent_and_is_then_sent_and_steered(tmp_path: Path) -> None:
    def press(pool: Pool) -> None:
        for key in (Key.PAUSE, Key.SLOWER, Key.PAUSE, Key.FASTER):
            pool.steer(pressed(pool.steering, key)[0])

    async with running(world()) as simulator:
        job, page = job_at(simulator, tmp_path), Page(press)
        running_job = asyncio.create_task(carried_out(job, page, [str(tmp_path / "numbers.csv")]))
        await page.asked.wait()
        assert page.shown is not None
        assert (page.shown.left.to_send, simulator.seen["DELETE"]) == (60, 0)
        page.consent.set_result(True)
        assert await running_job is Ending.DONE
        assert simulator.seen["DELETE"] == 6
        assert page.snapshot is not None
        assert page.snapshot().settled == 60
    assert (tmp_path / "report.csv").read_text(encoding="utf-8").count("REMOVED") == 60


async def test_a_plan_that_is_refused_or_left_is_sent_by_nobody_and_leaves_nothing(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        job = job_at(simulator, tmp_path)
        for refused in (True, False):
            page = Page()
            running_job = asyncio.create_task(carried_out(job, page, [str(tmp_path / "numbers.csv")]))
            await page.asked.wait()
            if refused:
                page.consent.set_result(False)
            else:
                running_job.cancel()
            with pytest.raises(GuardStop if refused else asyncio.CancelledError):
                await running_job
            assert [*(tmp_path / "state" / "runs").iterdir()] == []
        assert simulator.seen["DELETE"] == 0


async def test_a_run_that_was_stopped_is_taken_up_again_and_its_ledger_waits_for_consent(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        job, page = job_at(simulator, tmp_path), Page(lambda pool: pool.stop(Ending.KEY))
        page.consent.set_result(True)
        assert await carried_out(job, page, [str(tmp_path / "numbers.csv")]) is Ending.KEY
        (folder,) = (tmp_path / "state" / "runs").iterdir()

        async def resumed(page: Page) -> Ending | None:
            async with enter_in_thread(
                plan_resume(folder, {}, lambda run: replace(job, settings=run.ready.settings), page)
            ) as run:
                done = await run.carry_out(page)
                return done.sent.ending if done.sent else None

        refusing = Page()
        refusing.consent.set_result(False)
        with pytest.raises(GuardStop):
            await resumed(refusing)
        elsewhere = replace(job, address=Address.parse("https://other.thulium.com"))
        with pytest.raises(UsageError, match=r"was sent to .*, not to other\.thulium\.com"):
            async with enter_in_thread(plan_resume(folder, {}, lambda _run: elsewhere, Page())):
                pass
        again = Page()
        again.consent.set_result(True)
        assert await resumed(again) is Ending.DONE
        assert any(said.startswith(f"Resuming run {folder.name}: 60 numbers on ") for said in again.said)
        written = (tmp_path / "report.csv").stat().st_mtime_ns
        assert await resumed(Page()) is None  # nothing is left: nobody is asked, and the report stays as it is
        assert (tmp_path / "report.csv").stat().st_mtime_ns == written
        assert simulator.seen["DELETE"] == 6


async def test_a_run_that_was_abandoned_is_not_taken_up_again(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        job, page = job_at(simulator, tmp_path), Page(lambda pool: pool.stop(Ending.KEY))
        page.consent.set_result(True)
        await carried_out(job, page, [str(tmp_path / "numbers.csv")])
        (folder,) = (tmp_path / "state" / "runs").iterdir()
        close_run(folder, 0.0, abandoned=True)
        seen = simulator.seen["DELETE"]
        with pytest.raises(InputError, match="was abandoned and cannot be resumed"):
            async with enter_in_thread(plan_resume(folder, {}, lambda _run: job, Page())):
                pass
        assert simulator.seen["DELETE"] == seen
