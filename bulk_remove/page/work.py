"""One piece of work at a time: a plan that waits for an answer, then its run.

It belongs to the process, not to a tab: every tab shows the same progress. `run.job` has the steps of a run; `Work` is
its operator.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import TypeVar

from bulk_remove.console.live import Scene
from bulk_remove.core.model import Status
from bulk_remove.core.plan import TYPED_COUNT_FROM, Consent, Plan, read_answer
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key, pressed
from bulk_remove.core.timeline import Snapshot
from bulk_remove.errors import BulkRemoveError, GuardStop, InputError
from bulk_remove.reader import SetAside, open_table, sheets_of
from bulk_remove.run.again import EarlierRows, EarlierRun, find_run
from bulk_remove.run.finish import Wanted
from bulk_remove.run.job import (
    Background,
    Done,
    Job,
    Planned,
    enter_in_thread,
    plan_files,
    plan_rerun,
    plan_resume,
    plan_run,
)
from bulk_remove.run.places import ReportPlace
from bulk_remove.run.prepare import Prepared, reading_of
from bulk_remove.sending import Pool
from bulk_remove.settings import Address, Login, Settings

T = TypeVar("T")
Planning = Callable[["Work"], AbstractContextManager[Planned]]
PATIENCE_S = 1800.0
"""How long a plan waits for an answer. It locks its campaign, and its counts become outdated."""


@dataclass(frozen=True, slots=True)
class Access:
    """The server, user, settings and state folder of a profile.

    `campaign` is offered first, or is empty; the campaign in the settings is only a placeholder. Inside `logged` the
    log of a run is written to its folder.
    """

    settings: Settings
    address: Address
    login: Login
    state_dir: Path
    campaign: str = ""
    logged: Callable[[Path], AbstractContextManager[object]] = nullcontext

    def job(self, settings: Settings) -> Job:
        """Return a job on the system. Its report goes to the run's folder."""
        return Job(settings, self.address, self.login, self.state_dir, ReportPlace(None, Wanted()))


class Stage(StrEnum):
    """How far a piece of work is."""

    PLANNING = "planning"
    ASKING = "asking"
    SENDING = "sending"
    REPORTING = "reporting"
    ENDED = "ended"


class Work(Background):
    """A plan that waits for an answer, then its run. The page shows its attributes."""

    def __init__(self, access: Access, planning: Planning) -> None:
        super().__init__()
        self.access = access
        self.plan_id = token_urlsafe(9)
        self.stage = Stage.PLANNING
        self.sheets: Sequence[str] | None = None
        self.shown: Planned | None = None
        self.notes: list[str] = []
        self.problem: BulkRemoveError | None = None
        self.failed = False
        self.snapshot: Snapshot | None = None
        self.scene: Scene | None = None
        self.canary: Mapping[Status, int] | None = None
        self.done: Done | None = None
        self.paused = False
        self.ending = False
        self._pool: Pool | None = None
        self._answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._go(planning))

    @property
    def sending(self) -> bool:
        """Whether the run is under way."""
        return self.stage in {Stage.SENDING, Stage.REPORTING}

    @property
    def begun(self) -> bool:
        """Whether it was confirmed, so something may have been sent."""
        return self._answer.done() and not self._answer.cancelled()

    @property
    def run_id(self) -> str:
        """The run's id, or an empty text if nothing was sent."""
        return self.shown.left.run_id if self.shown and (self.begun or self.done) else ""

    def confirms(self, plan_id: str, typed: str) -> bool | None:
        """Check the answer to a plan. True starts the run, False is a wrong count, None means that the plan is gone."""
        if self.stage is not Stage.ASKING or self._dropped.is_set() or plan_id != self.plan_id or self.shown is None:
            return None
        count = self.shown.left.to_send
        right = typed.strip() == str(count) or (count >= TYPED_COUNT_FROM and bool(read_answer(typed, count)))
        if right:
            self.stage = Stage.SENDING  # now, so that a second answer is refused
            self._answer.set_result(None)
        return right

    def steer(self, key: Key) -> str:
        """Carry out a button's action and return the sentence to show."""
        if self.ending or (self._pool is not None and self._pool.halt.called):
            return "The run is ending."
        if key is Key.STOP:
            self.stop(Ending.PAGE)
            return "Stopping: requests under way are finished first."
        if self._pool is None:
            return "The run is about to begin."
        before = self._pool.steering
        wanted, answer = pressed(before, key)
        self._pool.steer(wanted)
        self.paused = wanted.paused
        if key is Key.PAUSE:
            return "Paused. Nothing new is sent." if wanted.paused else "Going on."
        return "This is the slowest; you can pause." if wanted == before and key is Key.SLOWER else answer

    def stop(self, ending: Ending) -> None:
        """Drop a plan, or stop a run after the requests under way; such a run can be resumed."""
        if not self.sending:
            self.drop()
            self._task.cancel()
            return
        self.ending = True
        super().stop(ending)

    async def ended(self) -> None:
        """Wait until it has ended, even by an error."""
        await asyncio.wait([self._task])

    async def _go(self, planning: Planning) -> None:
        try:
            async with enter_in_thread(planning(self), self.drop) as shown:
                with self.access.logged(shown.ready.folder) if shown.left.to_send else nullcontext():
                    self.done = await shown.carry_out(self)
        except BulkRemoveError as error:
            self.problem = error
        except asyncio.CancelledError:
            raise
        except BaseException:
            self.failed = True
            raise
        finally:
            self.stage = Stage.ENDED

    def note(self, sentence: str) -> None:
        """Keep a sentence for the page."""
        self.notes.append(sentence)

    def show(self, run: Planned) -> None:
        """Keep the plan for the page."""
        self.shown = run

    async def approve(self, run: Planned) -> Consent:
        """Wait until the count is typed. Raises GuardStop, InputError."""
        if not run.left.to_send:
            raise InputError("No number is left to send.", "Look at the report of that run.")
        self.stage = Stage.ASKING
        try:
            await asyncio.wait_for(asyncio.shield(self._answer), PATIENCE_S)
        except TimeoutError:
            raise GuardStop(
                "The plan waited too long for an answer, and nothing was sent.", "Check the file again."
            ) from None
        return Consent.PAGE

    async def do(self, work: Callable[[], T]) -> T:
        """Run the work in a thread, so that the page still answers."""
        if self._pool is not None:
            self.stage = Stage.REPORTING
        return await super().do(work)

    @contextmanager
    def steering(self, pool: Pool) -> Iterator[None]:
        """Let the page's buttons steer."""
        self._pool = pool
        yield

    def look(self, ready: Prepared, now: Snapshot) -> None:
        """Keep the latest snapshot for the page."""
        self.snapshot = now
        settings = ready.settings
        self.scene = self.scene or Scene(ready.plan.numbers, ready.plan.rate, settings.give_up_after_s, keys=False)
        self.scene.look(now)

    def judge_canary(self, plan: Plan, mix: Mapping[Status, int], stop: GuardStop | None) -> Ending:
        """Keep the canary's verdicts. Only the limit decides."""
        del plan
        self.canary = mix
        return Ending.DONE if stop is None else Ending.GUARD


def of_file(access: Access, settings: Settings, name: str, file: SetAside) -> Planning:
    """Return the function that plans the numbers of a file; `name` is shown."""

    def planning(work: Work) -> AbstractContextManager[Planned]:
        job = replace(access.job(settings), show_numbers=True)
        return plan_run(job, partial(plan_files, [name], work.note, file), work)

    return planning


def columns_of(name: str, file: SetAside, access: Access, sheet: str) -> Sequence[str]:
    """Return the column names of a file that could not be planned; none if it cannot be read at all."""
    settings = replace(access.settings, sheet=sheet or access.settings.sheet, where=())
    reading = replace(reading_of(settings, access.state_dir), column="1", trust_column=True)
    with suppress(BulkRemoveError):
        return open_table(name, reading, file).source.header
    return ()


def sheets_in(name: str, file: SetAside, access: Access) -> Sequence[str]:
    """Return the names of the sheets of a file; none if it has none or cannot be read."""
    with suppress(BulkRemoveError):
        return sheets_of(name, reading_of(access.settings, access.state_dir), file)
    return ()


def of_run(access: Access, run_id: str, how: str) -> Planning:
    """Return the function that plans the rest of a run. `how` is rerun, resume, or whatever (ignores the canary)."""

    def again(rows: EarlierRows) -> Job:
        return access.job(rows.settings)

    def on(run: EarlierRun) -> Job:
        return replace(access.job(run.ready.settings), report=run.place)

    def planning(work: Work) -> AbstractContextManager[Planned]:
        if how == "rerun":
            server = (access.state_dir, access.address.destination(access.login.user))
            return plan_rerun(run_id, {}, server, again, work)
        changes = {"canary_max_not_exist": 1.0, "stop_when_missing": 1.0} if how == "whatever" else {}
        return plan_resume(find_run(access.state_dir, run_id), changes, on, work)

    return planning
