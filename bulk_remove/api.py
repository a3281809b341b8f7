"""The same job from Python: numbers in, outcomes streamed out; or whole files in, a report out.

    async for outcome in remove_numbers(["601234555"], settings, server, approve=lambda plan: plan.numbers < 100):
        print(outcome.number, outcome.status)

Nothing is sent unless `approve` returns True for the plan. No signal handler is installed: leaving the iteration, or
cancelling the task, stops safely, and returns when that is done. While a run is planned nothing is left behind; while
it is sent, requests under way finish first, and the report is written. What would block the event loop is done in
threads.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from itertools import islice
from os import PathLike
from pathlib import Path
from threading import Event
from typing import Any

from bulk_remove.core.lifecycle import SETTLED
from bulk_remove.core.model import Outcome, ReportFormat, RowBlock, Source, unsent_status
from bulk_remove.core.plan import ApprovedPlan, Consent, Plan, check_holds_numbers, check_within_limits, passed
from bulk_remove.core.plan import approve as approve_plan
from bulk_remove.core.summary import Ending
from bulk_remove.errors import UnavailableError, UsageError
from bulk_remove.ledger import Outcomes
from bulk_remove.reader import find_files, open_tables
from bulk_remove.run.finish import Finished, Wanted
from bulk_remove.run.folders import default_state_dir, join, lock_campaigns
from bulk_remove.run.job import (
    Approve,
    OnProgress,
    Sent,
    Ties,
    carry_out,
    check_asked,
    check_callable,
    entered,
    known_of,
    look_at,
    outcome_of,
    threaded,
    to_the_end,
    with_learned_limit,
)
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.places import Job, check_places, finish_there, taken_meanwhile
from bulk_remove.run.preflight import NOT_ASKED, Findings, error_of
from bulk_remove.run.prepare import BLIND, InputTable, Look, Prepared, Sight, check_plan, prepared, reading_of
from bulk_remove.run.rerun import earlier_rows, prepared_again
from bulk_remove.run.resume import check_same_server, earlier_run, find_run, nothing_left, reopened
from bulk_remove.settings import CHANGEABLE, Address, Destination, Login, Settings, checked, path, several_of, text

log = logging.getLogger("bulk_remove.api")

Files = str | PathLike[str] | Sequence[str | PathLike[str]]
"""Files, folders, patterns such as "exports/*.csv", or "-" for standard input."""
OnRows = Callable[[int], None]
Planner = Callable[[OnRows], AbstractContextManager[Prepared]]
_BLOCK_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Server:
    """Where the campaign is, and who we are there: `Server("https://acme.thulium.com", "api", password)`.

    Raises UsageError, which names the field.
    """

    url: str
    """The system's address, https://SYSTEM.thulium.com. Plain http is for this machine alone."""
    user: str
    """The API user."""
    password: str = field(repr=False)
    """Its password, which is never shown."""
    state_dir: str | PathLike[str] | None = None
    """The folder where runs keep their ledgers. None: the platform's."""
    state: str | None = field(default=None, repr=False)
    """The address of the PostgreSQL database by which hosts share their runs and limits. None: they do not."""

    def __post_init__(self) -> None:
        for flag, value in (("--url", self.url), ("--user", self.user), ("--password", self.password)):
            checked(flag, value, text)
        if self.state is not None:
            checked("--state", self.state, text)
        _folder(self.state_dir)
        _ = self.address, self.login

    @property
    def address(self) -> Address:
        """The address, read."""
        return Address.parse(self.url)

    @property
    def login(self) -> Login:
        """Who we are."""
        return Login(self.user, self.password)

    @property
    def folder(self) -> Path:
        """The folder where runs keep their ledgers. Raises UsageError, UnavailableError where hosts share them."""
        folder = _folder(self.state_dir)
        if self.state is not None:
            join(folder, self.state)
        return folder

    @property
    def destination(self) -> Destination:
        """What a ledger notes of it."""
        return self.address.destination(self.user)


async def plan_files(
    files: Files,
    settings: Settings,
    server: Server | None = None,
    *,
    state_dir: str | PathLike[str] | None = None,
) -> Plan:
    """Read files and return what `remove_files` would do; nothing is sent, and nothing is kept.

    Without a server `state_dir` is where the reading is done; it needs room. Raises InputError, UsageError,
    StorageError; limits are held only by what sends.
    """
    folder = server.folder if server else _folder(state_dir)
    destination = server.destination if server else Destination()
    look = _glancing(settings, server) if server else BLIND.look
    async with _planned(partial(_read, _names(files), settings, destination, folder, look)) as ready:
        return ready.plan


async def remove_numbers(
    numbers: Iterable[str],
    settings: Settings,
    server: Server,
    *,
    approve: Approve,
    on_progress: OnProgress | None = None,
) -> AsyncGenerator[Outcome, None]:
    """Remove numbers; yields an outcome for each distinct one as soon as it is final and on disk.

    A text that is no phone number comes first, as INVALID, under its own text; so does a kept number, as KEPT. Numbers
    without a final answer come last; if the server ended the run early, RefusedError or UnavailableError is raised
    after them, and GuardStop if the canary did. `bulk-remove report RUN` writes a report of it.
    Raises what else `bulk_remove.errors` lists; GuardStop when `approve` returns False, TypeError for another answer.
    """
    ties = Ties(on_progress)
    check_callable(approve)
    if settings.campaign_column is not None:
        raise UsageError("Numbers alone have no column of campaigns.", "Give the settings a campaign.")
    if settings.where:
        raise UsageError("Numbers alone have no columns to choose rows by.", "Give the settings no --where.")
    settings, table = _learned(settings, server), _Numbers(numbers)
    planning = partial(_planning, [table], settings, server)
    async with _held(planning, server, settings.campaign) as ready:
        check_plan(ready.plan, ready.settings)
        approved = await _approved(ready, server, approve)
        for row in Outcomes(ready.store).rows():
            if row.state is None:
                yield Outcome(row.cell, unsent_status(row.problem), 0, (), 0, 0, row.problem, 0.0)
        sending = asyncio.create_task(_sent(ready, approved, server, ties))
        sending.add_done_callback(ties.end)
        try:
            async for outcome in ties.outcomes():
                yield outcome
        finally:
            ties.stop()
            sent = await to_the_end(sending, ties.stop)
        for row in Outcomes(ready.store).rows():
            if row.state is not None and row.state.phase not in SETTLED and not row.duplicate_of:
                yield outcome_of(row.number, row.state)
        ties.check()
        if sent.fault:
            raise error_of(sent.fault, settings.campaign)
        if sent.guard:
            raise sent.guard


async def remove_files(  # noqa: PLR0913 - six of them by name alone
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
    """Remove the numbers of files and write the report; what `bulk-remove run` does.

    Without `output` the report goes to the run's own folder; `also` names what else is written beside it, "html" or
    "xlsx". What is at these places and is not the report of an earlier run of the same campaign is replaced only with
    `overwrite`. Whatever ended the sending early is in what is returned.
    Raises what `bulk_remove.errors` lists; GuardStop when `approve` returns False, TypeError for another answer.
    """
    ties = Ties(on_progress)
    check_callable(approve)
    names = _names(files)
    job = Job(server.folder, server.address.host, settings, overwrite=overwrite)
    given = find_files(names)
    read = [*given.files, *settings.keep, settings.ca_file]
    report = _report(output, Wanted(also=checked("--also", also, several_of(ReportFormat))), read, job, given.found)
    settings = _learned(settings, server)
    planning = partial(_read, names, settings, report.told(server), server.folder, _looking(settings, server))
    async with _held(planning, server, settings.campaign) as ready:
        check_plan(ready.plan, ready.settings)
        approved = await _approved(ready, server, approve)
        return await _finished(ready, approved, server, ties, report)


async def resume(
    run_id: str,
    server: Server,
    *,
    approve: Approve,
    changes: Mapping[str, Any] | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Finished:
    """Finish a run that was stopped, by its id, and write its report whole; an empty id means the latest run.

    Only the ledger is needed. `approve` is shown the run's plan. `changes` are settings that may be others from now on,
    such as {"rate": 2.0}. The report goes where the run put it, or to `output`. Raises as `remove_files` does.
    """
    ties = Ties(on_progress)
    check_callable(approve)
    told = _changes(changes, CHANGEABLE)
    async with entered(earlier_run(find_run(server.folder, run_id), told)) as run:
        check_same_server(run, server.destination)
        to = run.destination
        job = Job(server.folder, to.host, run.settings, run_id=run.folder.name, overwrite=overwrite)
        read = [*run.settings.keep, run.settings.ca_file]
        report = _report((to.output or None) if output is None else output, Wanted(to.csv_for, to.also), read, job)
        with lock_campaigns(server.folder, to.host, run.campaigns):
            if (ended := nothing_left(run)) is not None:
                ready, _, ending = ended
                return await threaded(report.finish, ready, ending)
            ready = await threaded(reopened, run, time.time())
            await check_asked(approve, ready.plan)
            approved = approve_plan(ready.plan, run.consent)
            return await _finished(ready, approved, server, ties, report)


async def rerun(
    earlier: str | PathLike[str],
    server: Server,
    *,
    approve: Approve,
    changes: Mapping[str, Any] | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Finished:
    """Ask again for what an earlier run left without a final answer; the new report is whole.

    The earlier run is named by its id, or by its report alone, on whatever machine. `changes` are settings by name: of
    a run those that shall be others, of a report all that are not the default. Raises as `remove_files` does.
    """
    ties = Ties(on_progress)
    check_callable(approve)
    name = _named("--earlier", earlier)
    told = _changes(changes, [*Settings.__dataclass_fields__])
    async with entered(earlier_rows(name, told, server.folder, server.destination)) as done:
        settings = _learned(done.settings, server)
        job = Job(server.folder, server.address.host, settings, overwrite=overwrite)
        report = _report(output, Wanted(), [name, *settings.keep, settings.ca_file], job)
        look = _looking(settings, server)
        again = prepared_again(done, settings, report.told(server), server.folder, time.time(), look)
        async with _held(lambda _: again, server, settings.campaign) as ready:
            approved = await _approved(ready, server, approve)
            return await _finished(ready, approved, server, ties, report)


async def _approved(ready: Prepared, server: Server, ask: Approve) -> ApprovedPlan:
    """Hold the plan against what is known, and have it approved. Raises what `remove_files` lists."""
    plan, findings = ready.plan, ready.findings
    check_holds_numbers(plan)
    known, notes = await threaded(known_of, server.folder, plan.host, plan.campaign_ids, findings.records)
    again = await threaded(_run_before, ready, server) if ready.phases is None else ()
    for note in (*findings.notes, *notes, *passed(plan, known), *again):
        log.info("%s", note)
    check_within_limits(plan, known)
    await check_asked(ask, plan)
    return approve_plan(plan, Consent.CODE, known)


def _run_before(ready: Prepared, server: Server) -> tuple[str, ...]:
    earlier = EarlierRuns(server.folder, ready.plan.host, ready.settings)
    return tuple(earlier.told_of(source.source for source in ready.plan.sources))


async def _finished(ready: Prepared, approved: ApprovedPlan, server: Server, ties: Ties, report: "_Report") -> Finished:
    """Send and report, to the end; whoever cancels it stops the sending, and has it cancelled after the report."""

    async def reported() -> Finished:
        sent = await _sent(ready, approved, server, ties)
        return await threaded(report.finish, ready, sent.ending)

    finished = await to_the_end(asyncio.create_task(reported()), ties.stop)
    ties.check()
    return finished


async def _sent(ready: Prepared, approved: ApprovedPlan, server: Server, ties: Ties) -> Sent:
    return await carry_out(ready, approved, ready.settings, server.address, server.login, ties.hooks)


def _looking(settings: Settings, server: Server) -> Look:
    """Return what looks at campaigns before anything is planned for them."""
    return lambda campaigns: look_at(campaigns, settings, server.address, server.login, server.folder)


def _glancing(settings: Settings, server: Server) -> Look:
    """Return what looks at campaigns for a plan alone, which can do without a server that does not answer."""

    def look(campaigns: Sequence[str]) -> Findings:
        try:
            return _looking(settings, server)(campaigns)
        except UnavailableError as error:
            log.info("%s", error.sentence)
            return NOT_ASKED

    return look


def _planning(
    tables: Sequence[InputTable], settings: Settings, server: Server, on_rows: OnRows
) -> AbstractContextManager[Prepared]:
    sight = Sight(_looking(settings, server), on_rows)
    return prepared(tables, settings, server.destination, server.folder, time.time(), sight)


def _learned(settings: Settings, server: Server) -> Settings:
    return with_learned_limit(settings, server.folder, server.address.host, time.time())


@asynccontextmanager
async def _planned(planning: Planner) -> AsyncGenerator[Prepared, None]:
    """Plan; a cancellation ends that at the next rows, and leaves nothing behind."""
    cancelled = Event()

    def on_rows(_rows: int) -> None:
        if cancelled.is_set():
            raise asyncio.CancelledError

    async with entered(planning(on_rows), cancelled.set) as ready:
        yield ready


@asynccontextmanager
async def _held(planning: Planner, server: Server, campaign: str) -> AsyncGenerator[Prepared, None]:
    """Plan while the campaign is held, where it is known, and hold all campaigns of the plan."""
    folder, host = server.folder, server.address.host
    first = {campaign} - {""}
    with lock_campaigns(folder, host, first):
        async with _planned(planning) as ready:
            with lock_campaigns(folder, host, {*ready.plan.campaign_ids} - first):
                yield ready


@contextmanager
def _read(
    names: Sequence[str], settings: Settings, destination: Destination, folder: Path, look: Look, on_rows: OnRows
) -> Iterator[Prepared]:
    """Find and read files and plan them."""
    tables, notes = open_tables(names, reading_of(settings, folder))
    for note in notes:
        log.info("%s", note)
    with prepared(tables, settings, destination, folder, time.time(), Sight(look, on_rows)) as ready:
        yield ready


@dataclass(frozen=True, slots=True)
class _Report:
    """Where the report goes, None for the run's own folder, and what else is wanted."""

    output: Path | None
    wanted: Wanted
    overwrite: bool

    def finish(self, ready: Prepared, ending: Ending) -> Finished:
        """Write it; what is logged is that it did not go to the place that was named."""
        done = finish_there(ready, ready.settings, ending, self.output, self.wanted, overwrite=self.overwrite)
        if self.output is not None and done.report != self.output:
            log.warning("%s", taken_meanwhile(self.output, done.report))
        return done

    def told(self, server: Server) -> Destination:
        """Return what the ledger notes for a later session."""
        output = str(self.output.absolute()) if self.output else ""
        return replace(server.destination, output=output, csv_for=self.wanted.csv_for, also=self.wanted.also)


def _report(
    output: str | PathLike[str] | None, wanted: Wanted, read: Sequence[str], job: Job, found: Collection[str] = ()
) -> _Report:
    """Try the places of the report before anything is done. Raises UsageError, StorageError."""
    place = None if output is None else Path(_named("--output", output))
    if place is not None:
        check_places(place, wanted, read, job, found)
    return _Report(place, wanted, job.overwrite)


def _names(files: Files) -> list[str]:
    several = [files] if isinstance(files, str | PathLike) else files
    if not several:
        raise UsageError("No file is given.", "Name files, folders or patterns.")
    return [_named("--files", each) for each in several]


def _folder(state_dir: str | PathLike[str] | None) -> Path:
    return Path(_named("--state-dir", state_dir)) if state_dir is not None else default_state_dir()


def _named(flag: str, value: str | PathLike[str]) -> str:
    """Return a path as text. Raises UsageError for an empty one: it would be the current folder."""
    return str(checked(flag, value, lambda given: text(path(given))))


def _changes(changes: Mapping[str, Any] | None, allowed: Collection[str]) -> dict[str, Any]:
    other = next((name for name in changes or {} if name not in allowed), None)
    if other is not None:
        raise UsageError(f"{other} is not a setting that can be changed.", f"These can: {', '.join(allowed)}.")
    return dict(changes or {})


class _Numbers:
    """Texts as a table of one column."""

    def __init__(self, numbers: Iterable[str]) -> None:
        if isinstance(numbers, str):
            raise UsageError("numbers is a single text.", "Give a list of texts, one for each number.")
        self._numbers = [*numbers]
        for kind in {*map(type, self._numbers)}:
            if not issubclass(kind, str):
                raise UsageError(
                    f"numbers holds {kind.__name__}, not text alone.", "A number has no plus and no zeros."
                )
        digest = sha256("\n".join(self._numbers).encode(errors="surrogatepass")).hexdigest()
        self.source = Source("(numbers)", "", ("number",), 0, "given by the caller", "", "", digest, 0)

    def blocks(self) -> Iterator[RowBlock]:
        rest = enumerate(self._numbers, start=1)
        while block := list(islice(rest, _BLOCK_ROWS)):
            rows, cells = zip(*block, strict=True)
            yield RowBlock(self.source, rows, cells, ())
