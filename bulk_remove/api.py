"""Removal from Python: `remove_numbers` yields outcomes, `remove_files` writes a report.

    async for outcome in remove_numbers(["601234555"], settings, server, approve=lambda plan: plan.numbers < 100):
        print(outcome.number, outcome.status)

Nothing is sent unless `approve` returns True for the plan. To stop safely, leave the iteration or cancel the task; no
signal handler is installed. A run stopped during planning leaves nothing behind. A run stopped while it sends finishes
the requests under way and writes the report. Blocking work is done in threads.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from bulk_remove.core.lifecycle import SETTLED, explain, is_doubted, status_of
from bulk_remove.core.model import NumberState, Outcome, ReportFormat, RowBlock, Source, unsent_status
from bulk_remove.core.plan import Consent, Plan, check_answer
from bulk_remove.core.summary import Ending
from bulk_remove.core.timeline import Snapshot
from bulk_remove.errors import UnavailableError, UsageError
from bulk_remove.ledger import Outcomes
from bulk_remove.reader import find_files
from bulk_remove.run.again import EarlierRun, find_run
from bulk_remove.run.finish import Finished, Wanted
from bulk_remove.run.folders import default_state_dir, join
from bulk_remove.run.job import (
    Background,
    Job,
    Planned,
    enter_in_thread,
    plan_rerun,
    plan_resume,
    plan_run,
    to_the_end,
)
from bulk_remove.run.job import plan_files as _plan_files
from bulk_remove.run.places import ReportPlace
from bulk_remove.run.preflight import NOT_ASKED, Findings, error_of, look_at, with_campaigns
from bulk_remove.run.prepare import BLIND, Look, Prepared, Sight, prepare
from bulk_remove.run.saved import PLAN_MAX_AGE_S, load_plan, save_plan
from bulk_remove.settings import (
    ALL,
    SETTINGS,
    Address,
    Destination,
    Later,
    Login,
    Settings,
    checked,
    path,
    several_of,
    text,
)

log = logging.getLogger("bulk_remove.api")

Files = str | PathLike[str] | Sequence[str | PathLike[str]]
"""Files, folders, patterns such as "exports/*.csv", or "-" for standard input."""
OnProgress = Callable[[Snapshot], None]
Approve = Callable[[Plan], bool | Awaitable[bool]]
T = TypeVar("T")
_BLOCK_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Server:
    """The server and the API user: `Server("https://acme.thulium.com", "api", password)`.

    Raises UsageError, which names the field.
    """

    url: str
    """The system's address, https://SYSTEM.thulium.com. Plain http is allowed only for this machine."""
    user: str
    """The API user."""
    password: str = field(repr=False)
    """The API user's password. It is never shown."""
    state_dir: str | PathLike[str] | None = None
    """The folder for the ledgers of runs. None: the platform's default."""
    state: str | None = field(default=None, repr=False)
    """The address of the PostgreSQL database through which hosts share their runs and limits. None: no sharing."""

    def __post_init__(self) -> None:
        for flag, value in (("--url", self.url), ("--user", self.user), ("--password", self.password)):
            checked(flag, value, text)
        if self.state is not None:
            checked("--state", self.state, text)
        _folder(self.state_dir)
        _ = self.address, self.login

    @property
    def address(self) -> Address:
        """The parsed address."""
        return Address.parse(self.url)

    @property
    def login(self) -> Login:
        """The API user with its password."""
        return Login(self.user, self.password)

    @property
    def folder(self) -> Path:
        """The folder for the ledgers of runs. Raises UsageError, and UnavailableError if the shared state is away."""
        folder = _folder(self.state_dir)
        if self.state is not None:
            join(folder, self.state)
        return folder

    @property
    def destination(self) -> Destination:
        """The part of this that a ledger stores."""
        return self.address.destination(self.user)


async def plan_files(
    files: Files,
    settings: Settings,
    server: Server | None = None,
    *,
    state_dir: str | PathLike[str] | None = None,
    save: str | PathLike[str] | None = None,
) -> Plan:
    """Read files and return what `remove_files` would do; nothing is sent, and nothing is kept.

    Without a server, `state_dir` is the folder for temporary files. Limits are not checked. `save` is a new file for
    the plan, for `run_plan`; it needs a server. Raises InputError, UsageError, StorageError, UnavailableError.
    """
    if settings.campaign == ALL and server is None:
        raise UsageError("--campaign all needs a server, which lists the campaigns.", "Give plan_files the server.")
    if save is not None and server is None:
        raise UsageError("A plan without a server cannot be saved.", "Give plan_files the server.")
    folder = server.folder if server else _folder(state_dir)
    destination = server.destination if server else Destination()
    look = _glancing(settings, server) if server else BLIND.look
    program = _Program(lambda _: False)
    names = _names(files)

    @contextmanager
    def planning() -> Iterator[Prepared]:
        mine, left_out = settings, tuple[str, ...]()
        if server:
            mine, left_out = with_campaigns(settings, server.address, server.login, folder, program.warn)
        with (
            program.reading() as on_rows,
            _plan_files(names, program.note, None, mine, destination, folder, Sight(look, on_rows)) as ready,
        ):
            if save is not None:
                save_plan(Path(_named("--save", save)), ready, settings, replace(destination, left_out=left_out))
            yield ready

    async with enter_in_thread(planning(), program.drop) as ready:
        return ready.plan


async def remove_numbers(
    numbers: Iterable[str],
    settings: Settings,
    server: Server,
    *,
    approve: Approve,
    on_progress: OnProgress | None = None,
) -> AsyncGenerator[Outcome, None]:
    """Remove numbers; yield an outcome for each distinct one as soon as it is final and on disk.

    Invalid texts come first, as INVALID, and kept numbers, as KEPT. Numbers without a final answer come last. After
    them it raises RefusedError or UnavailableError if the server ended the run early, and GuardStop if the canary did.
    Raises GuardStop when `approve` returns False, TypeError when its answer is not a bool, and the errors in
    `bulk_remove.errors`. To write a report later: `bulk-remove report RUN`.
    """
    program = _Program(approve, on_progress)
    if settings.campaign_column is not None:
        raise UsageError("A list of numbers has no campaign column.", "Give the settings a campaign.")
    if settings.where:
        raise UsageError("A list of numbers has no columns to choose rows by.", "Give the settings no --where.")
    planning = _Numbers(numbers).plan
    async with enter_in_thread(plan_run(_job(settings, server), planning, program), program.drop) as run:
        approved = await run.ask(program)
        for row in Outcomes(run.ready.store).rows():
            if row.state is None:
                yield Outcome(row.cell, unsent_status(row.problem), 0, (), 0, 0, row.problem, 0.0)
        sending = asyncio.create_task(approved.send(program))
        sending.add_done_callback(program.end)
        try:
            async for outcome in program.outcomes():
                yield outcome
        finally:
            program.stop(Ending.CODE)
            sent = await to_the_end(sending, partial(program.stop, Ending.CODE))
        for row in Outcomes(run.ready.store).rows():
            if row.state is not None and row.state.phase not in SETTLED and not row.duplicate_of:
                yield _outcome_of(row.number, row.state)
        program.check()
        if sent.fault:
            raise error_of(sent.fault, settings.campaign)
        if sent.guard:
            raise sent.guard


async def remove_files(  # noqa: PLR0913 - six of them by name only
    files: Files,
    settings: Settings,
    server: Server,
    *,
    approve: Approve,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    also: Sequence[ReportFormat | str] = (),
    on_progress: OnProgress | None = None,
) -> Finished:
    """Remove the numbers in files and write the report, as `bulk-remove run` does.

    Without `output` the report goes to the run's own folder; `also` lists more formats to write beside it, "html" or
    "xlsx". The report of an earlier run of the same campaign is replaced; any other file is replaced only with
    `overwrite`. If the sending ended early, the result has the reason.
    Raises GuardStop when `approve` returns False, TypeError when its answer is not a bool, and the errors in
    `bulk_remove.errors`.
    """
    program = _Program(approve, on_progress)
    names = _names(files)
    given = find_files(names)
    report = _report(output, Wanted(also=checked("--also", also, several_of(ReportFormat))), overwrite, given.files)
    job = _job(settings, server, replace(report, found=given.found))
    planning = partial(_plan_files, names, program.note, None)
    return await program.carried_out(plan_run(job, planning, program))


async def run_plan(  # noqa: PLR0913 - six of them by name only
    plan: str | PathLike[str],
    server: Server,
    *,
    approve: Approve,
    max_age_s: float = PLAN_MAX_AGE_S,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    also: Sequence[ReportFormat | str] = (),
    on_progress: OnProgress | None = None,
) -> Finished:
    """Run exactly the plan that `plan_files(..., save=...)` or `bulk-remove plan --save` wrote, and write the report.

    Raises GuardStop if the plan was changed, is older than `max_age_s`, was run already, or if its files, lists or
    campaigns differ now. Raises UsageError for another server, and the same errors as `remove_files`.
    """
    program = _Program(approve, on_progress)
    saved = load_plan(Path(_named("--plan", plan)), max_age_s, server.folder, time.time())
    saved.check_server(server.address, "--url")
    report = _report(
        output, Wanted(also=checked("--also", also, several_of(ReportFormat))), overwrite, [*saved.files, str(plan)]
    )
    job = replace(_job(saved.settings, server, report), saved=saved)
    planning = partial(_plan_files, saved.files, program.note, None)
    return await program.carried_out(plan_run(job, planning, program))


async def resume(
    run_id: str,
    server: Server,
    *,
    approve: Approve,
    changes: Mapping[str, object] | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Finished:
    """Finish a stopped run and write its whole report; an empty id means the latest run.

    It needs only the ledger, not the input. `approve` gets the run's plan. `changes` are new values of settings, such
    as {"rate": 2.0}. Without `output` the report goes where the run put it. Raises the same errors as `remove_files`.
    """
    program = _Program(approve, on_progress)
    told = _changes(changes, [name for name, each in SETTINGS.items() if each.later is Later.RESUME])

    def job_of(run: EarlierRun) -> Job:
        place = run.place if output is None else _report(output, run.place.wanted)
        return _job(run.ready.settings, server, replace(place, overwrite=overwrite))

    folder = find_run(server.folder, run_id)
    return await program.carried_out(plan_resume(folder, told, job_of, program))


async def rerun(
    earlier: str | PathLike[str],
    server: Server,
    *,
    approve: Approve,
    changes: Mapping[str, object] | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Finished:
    """Ask again for the numbers that an earlier run left without a final answer; the new report covers all rows.

    `earlier` is the id of a run, or the path of its report, which may come from another machine. `changes` are settings
    by name. A run's other settings stay as they were; with a report the others are the defaults. Raises the same errors
    as `remove_files`.
    """
    program = _Program(approve, on_progress)
    name = _named("--earlier", earlier)
    told = _changes(changes, SETTINGS)
    report = _report(output, Wanted(), overwrite, [name])
    place = (server.folder, server.destination)
    planning = plan_rerun(name, told, place, lambda rows: _job(rows.settings, server, report), program)
    return await program.carried_out(planning)


def _job(settings: Settings, server: Server, report: ReportPlace | None = None) -> Job:
    place = report or ReportPlace(None, Wanted())
    return Job(settings, server.address, server.login, server.folder, place)


class _Program(Background):
    """The calling program as the operator of a run: it gets outcomes and progress, and may stop the run."""

    def __init__(self, approve: Approve, on_progress: OnProgress | None = None) -> None:
        if not callable(approve):
            raise TypeError(f"approve must be a function that is given the plan, not {type(approve).__name__}")
        super().__init__()
        self._approve = approve
        self._on_progress = on_progress
        self._failure: BaseException | None = None
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue()

    def note(self, sentence: str) -> None:
        log.info("%s", sentence)

    def warn(self, sentence: str) -> None:
        log.warning("%s", sentence)

    async def carried_out(self, planning: AbstractContextManager[Planned]) -> Finished:
        """Carry a run out. A cancellation stops the sending safely and is raised after the report is written."""
        async with enter_in_thread(planning, self.drop) as run:
            if run.ended:
                return (await run.carry_out(self)).finished
            approved = await run.ask(self)  # a cancellation ends this at once
            done = await to_the_end(asyncio.create_task(approved.carry_out(self)), partial(self.stop, Ending.CODE))
            self.check()
            return done.finished

    async def approve(self, run: Planned) -> Consent:
        """Ask the program to approve the plan. Raises GuardStop for False, TypeError for anything but a bool."""
        answer: object = self._approve(run.ready.plan)
        if inspect.isawaitable(answer):
            answer = await answer
        if inspect.iscoroutine(answer):
            answer.close()  # avoids Python's warning that it was never awaited; the check below refuses it
        check_answer(answer)
        return Consent.CODE

    def settled(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        for number, state in zip(numbers, states, strict=True):
            if state.phase in SETTLED:
                self._queue.put_nowait(_outcome_of(number, state))

    def end(self, _task: object) -> None:
        """End the outcomes when the sending has ended."""
        self._queue.put_nowait(None)

    async def outcomes(self) -> AsyncIterator[Outcome]:
        """Yield the outcomes of settled numbers as they come."""
        while (outcome := await self._queue.get()) is not None:
            yield outcome

    def look(self, ready: Prepared, now: Snapshot) -> None:
        """Report the progress. If the caller's function fails, the run stops safely, and `check` raises the error."""
        del ready
        if self._on_progress is None or self._failure is not None:
            return
        try:
            self._on_progress(now)
        except Exception as error:  # noqa: BLE001 - whatever the caller's own function raises
            self._failure = error
            self.stop(Ending.CODE)

    def check(self) -> None:
        """Raise the error of the caller's progress function, if there was one."""
        if self._failure is not None:
            raise self._failure


def _outcome_of(number: str, state: NumberState) -> Outcome:
    return Outcome(
        number,
        status_of(state.phase),
        state.removed,
        state.record_ids,
        state.attempts,
        state.busy_rounds,
        explain(state),
        state.answered_at_s,
        is_doubted(state.phase),
    )


def _glancing(settings: Settings, server: Server) -> Look:
    """Return a function that looks at campaigns for a plan; if the server does not answer, it finds nothing."""

    def look(campaigns: Sequence[str]) -> Findings:
        try:
            return look_at(campaigns, settings, server.address, server.login, server.folder)
        except UnavailableError as error:
            log.info("%s", error.sentence)
            return NOT_ASKED

    return look


def _report(
    output: str | PathLike[str] | None, wanted: Wanted, overwrite: bool = False, read: Iterable[str] = ()
) -> ReportPlace:
    return ReportPlace(None if output is None else Path(_named("--output", output)), wanted, overwrite, (*read,))


def _names(files: Files) -> list[str]:
    several = [files] if isinstance(files, str | PathLike) else files
    if not several:
        raise UsageError("No file is given.", "Name files, folders or patterns.")
    return [_named("--files", each) for each in several]


def _folder(state_dir: str | PathLike[str] | None) -> Path:
    return Path(_named("--state-dir", state_dir)) if state_dir is not None else default_state_dir()


def _named(flag: str, value: str | PathLike[str]) -> str:
    """Return a path as text. Raises UsageError for an empty one, which would mean the current folder."""
    return str(checked(flag, value, lambda given: text(path(given))))


def _changes(changes: Mapping[str, object] | None, allowed: Collection[str]) -> dict[str, Any]:
    other = next((name for name in changes or {} if name not in allowed), None)
    if other is not None:
        raise UsageError(f"{other} is not a setting that can be changed.", f"These can: {', '.join(allowed)}.")
    return dict(changes or {})


class _Numbers:
    """A list of numbers as a table with one column."""

    def __init__(self, numbers: Iterable[str]) -> None:
        if isinstance(numbers, str):
            raise UsageError("numbers is a single text.", "Give a list of texts, one for each number.")
        self._numbers = [*numbers]
        for kind in {*map(type, self._numbers)}:
            if not issubclass(kind, str):
                raise UsageError(
                    f"numbers contains {kind.__name__}, not only text.", "Give text: int drops plus signs and zeros."
                )
        digest = sha256("\n".join(self._numbers).encode(errors="surrogatepass")).hexdigest()
        self.source = Source("(numbers)", "", ("number",), 0, "given by the caller", "", "", digest, 0)

    def blocks(self) -> Iterator[RowBlock]:
        rest = enumerate(self._numbers, start=1)
        while block := list(islice(rest, _BLOCK_ROWS)):
            rows, cells = zip(*block, strict=True)
            yield RowBlock(self.source, rows, cells, ())

    def plan(
        self, settings: Settings, destination: Destination, state_dir: Path, sight: Sight
    ) -> AbstractContextManager[Prepared]:
        return prepare([self], settings, destination, state_dir, time.time(), sight)
