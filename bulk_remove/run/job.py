"""The story of a run, told once: for a new run, a resume and a rerun, whoever asks for it.

`plan_run` (a new run, a rerun) and `plan_resume` (a resume) lock the campaigns, look at them, plan, and hold the plan
against its limits. What they give can be approved, sent and reported; `Planned.carry_out` does the three in their
order. Everything that is asked or said on the way goes through one `Operator`: a terminal, a Python program, or a page.
"""

import asyncio
import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bulk_remove.core.chunker import size_from
from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.limits import NOTHING_KNOWN, Known, canary_declined, judge_canary
from bulk_remove.core.model import NumberState, Status
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.plan import ApprovedPlan, Consent, Plan, approve, check_holds_numbers, check_within_limits, passed
from bulk_remove.core.replies import Document, Fault
from bulk_remove.core.retry import BusyPolicy, RetryPolicy
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Learned, first_size, paced, started
from bulk_remove.core.timeline import Snapshot, rounded
from bulk_remove.core.verdicts import CAUSE, UnaskedRemoval, unasked_stop, unasked_told
from bulk_remove.errors import ExitCode, GuardStop, StorageError
from bulk_remove.language import counted, ours, phrase
from bulk_remove.ledger import Journal, Outcomes, Planning, Sending, completed_run
from bulk_remove.reader import SetAside, open_table, open_tables
from bulk_remove.run.finish import Finished
from bulk_remove.run.folders import account_file, keep_learned, learned_of, lock_campaigns, make_private, run_folders
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.places import ReportPlace, note_on_place
from bulk_remove.run.preflight import (
    NONE_COUNTED,
    Findings,
    Glance,
    Listed,
    count_after,
    inspect_campaigns,
    list_campaigns,
)
from bulk_remove.run.prepare import LEDGER, Prepared, Sight, check_plan, prepare, reading_of
from bulk_remove.run.rerun import EarlierRows, earlier_rows, prepared_again
from bulk_remove.run.resume import (
    EarlierRun,
    check_not_abandoned,
    earlier_run,
    nothing_left,
    plan_of,
    reopened,
    standing_of,
)
from bulk_remove.sending import Outside, Pool, PoolSettings
from bulk_remove.sending.client import Client, Connection, SystemClock
from bulk_remove.sending.gate import AccountCeiling
from bulk_remove.settings import Address, Destination, Login, Settings

log = logging.getLogger("bulk_remove.run")

_SHORTEST_LINE = 500
"""No server is known that takes less, in bytes; proxies stop at 2 KiB at the earliest."""
_UNCOUNTED = "The records were not counted before the run: the API user may not, or was not asked to."


T = TypeVar("T")
OnRows = Callable[[int], None]


class Operator:
    """Whoever asks for a run: it approves the plan, is told what happens, and may hold or stop the sending.

    What is not overridden says nothing and stops nothing; but no plan is approved. `until_s` is the deadline by the
    machine's clock (Unix seconds), None where there is none.
    """

    until_s: float | None = None

    def note(self, sentence: str) -> None:
        """Say a sentence about the run."""

    def warn(self, sentence: str) -> None:
        """Say what must not be overlooked."""
        self.note(sentence)

    def reading(self) -> AbstractContextManager[OnRows]:
        """Show how many rows have been read while it is enter_in_thread; gives the function to tell."""
        return nullcontext(lambda _rows: None)

    def show(self, run: "Planned") -> None:
        """Show what is to be done; whether it may be is asked afterwards."""

    async def approve(self, run: "Planned") -> Consent:
        """Return how the plan was approved. Raises GuardStop where it was not; nothing is approved by silence."""
        raise NotImplementedError

    async def do(self, work: Callable[[], T]) -> T:
        """Do what blocks the event loop: files are read and written."""
        return work()

    def stopping(self, stop: Callable[[Ending], None]) -> AbstractContextManager[None]:
        """While it is enter_in_thread, `stop` ends the run safely."""
        del stop
        return nullcontext()

    def watching(self, ready: Prepared, snapshot: Callable[[], Snapshot]) -> AbstractAsyncContextManager[None]:
        """While it is enter_in_thread, show how far the run is, which `snapshot` returns."""
        del ready, snapshot
        return nullcontext()

    def steering(self, pool: Pool) -> AbstractContextManager[None]:
        """While it is enter_in_thread, the pool may be held, slowed down and stopped."""
        del pool
        return nullcontext()

    def settled(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        """Take in the numbers of a chunk and their states, once they are on disk."""

    def judge_canary(self, plan: Plan, mix: Mapping[Status, int], stop: GuardStop | None) -> Ending:
        """Return DONE to let the rest follow the canary, else why not; `stop` is why it must not, if that is so.

        Nothing is under way meanwhile, so it may take its time.
        """
        del plan, mix, stop
        return Ending.DONE


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: with which settings, where, as whom, and where the state and the report go.

    The campaigns `held` are locked already. With `show_numbers` the plan's samples are not masked.
    """

    settings: Settings
    address: Address
    login: Login
    state_dir: Path
    report: ReportPlace
    held: Collection[str] = ()
    show_numbers: bool = False

    @property
    def destination(self) -> Destination:
        """What a later session needs to know of where the run goes."""
        return self.report.destination(self.address, self.login.user)

    def look(self, campaigns: Sequence[str]) -> Findings:
        """Look at campaigns before anything is planned for them. Raises what `look_at` does."""
        return look_at(campaigns, self.settings, self.address, self.login, self.state_dir)

    def lock(self, campaigns: Collection[str], but: Collection[str] = ()) -> AbstractContextManager[None]:
        """Hold campaigns that are not held yet. Raises CampaignLockedError, StorageError."""
        return lock_campaigns(self.state_dir, self.address.host, {*campaigns} - {*but, *self.held, ""})


PlanInput = Callable[[Settings, Destination, Path, Sight], AbstractContextManager[Prepared]]
"""Plans numbers with these settings for a destination, in a state folder."""


@contextmanager
def plan_files(
    files: Sequence[str],
    note: Callable[[str], None],
    copy: SetAside | None,
    settings: Settings,
    destination: Destination,
    state_dir: Path,
    sight: Sight,
) -> Iterator[Prepared]:
    """Read files and plan their numbers; `copy` is what is read of the only one. Raises what `prepare` does."""
    reading = reading_of(settings, state_dir)
    tables, notes = ([open_table(files[0], reading, copy)], ()) if copy else open_tables(files, reading)
    for each in notes:
        note(each)
    with prepare(tables, settings, destination, state_dir, time.time(), sight) as ready:
        yield ready


@contextmanager
def plan_run(job: Job, planning: PlanInput, operator: Operator) -> Iterator["Planned"]:
    """Plan a job, while its campaigns are held; a plan over its limits raises GuardStop.

    Raises what `prepare` does, and CampaignLockedError, RefusedError, UnavailableError.
    """
    if replaced := job.report.check(job.settings, job.address.host, job.state_dir):
        operator.note(replaced)
    job = replace(job, settings=learned_settings(job.settings, job.state_dir, job.address.host, operator.note))
    known = [job.settings.campaign]
    with ExitStack() as stack:
        stack.enter_context(job.lock(known))
        with operator.reading() as on_rows:
            sight = Sight(job.look, on_rows, job.show_numbers)
            ready = stack.enter_context(planning(job.settings, job.destination, job.state_dir, sight))
        stack.enter_context(job.lock(ready.plan.campaign_ids, known))
        yield _within_limits(job, ready, operator)


def _within_limits(job: Job, ready: Prepared, operator: Operator) -> "Planned":
    """Show a plan with what is known of it. Raises GuardStop, InputError where it must not be sent."""
    plan, findings = ready.plan, ready.findings
    check_holds_numbers(plan)
    known, notes = known_of(job.state_dir, plan.host, plan.campaign_ids, findings.records)
    shown = Planned(job, ready, plan, known)
    operator.show(shown)
    for note in (*findings.notes, *notes, *passed(plan, known), *notes_on_input(ready)):
        operator.note(note)
    if ready.phases is None:  # a rerun's rows were let through before
        check_plan(plan, ready.settings)
    check_within_limits(plan, known)
    return shown


def notes_on_input(ready: Prepared) -> Iterator[str]:
    """Yield which files were run before; a rerun has that from its run."""
    if ready.phases is None:
        earlier = EarlierRuns(ready.state_dir, ready.plan.host, ready.settings)
        yield from earlier.told_of(source.source for source in ready.plan.sources)


@contextmanager
def plan_rerun(
    earlier: str,
    changes: Mapping[str, Any],
    server: tuple[Path, Destination | None],
    job_of: Callable[[EarlierRows], Job],
    operator: Operator,
) -> Iterator["Planned"]:
    """Plan what an earlier run left open, as `plan_run` does; `server` is the state folder, and where it is to go."""
    with earlier_rows(earlier, changes, *server) as rows:
        warn_of_unasked(rows.unasked, operator)

        def planning(
            settings: Settings, destination: Destination, state_dir: Path, sight: Sight
        ) -> AbstractContextManager[Prepared]:
            return prepared_again(rows, settings, destination, state_dir, time.time(), sight.look)

        with plan_run(job_of(rows), planning, operator) as shown:
            yield shown


@contextmanager
def plan_resume(
    folder: Path, changes: Mapping[str, Any], job_of: Callable[[EarlierRun], Job], operator: Operator
) -> Iterator["Planned"]:
    """Show what is left of an earlier run, while its campaigns are held. Its ledger stays as it is.

    Raises what `earlier_run` does, and InputError for a run that was abandoned.
    """
    check_not_abandoned(folder)
    with earlier_run(folder, changes) as run:
        job = job_of(run)
        job.report.check(job.settings, job.address.host, job.state_dir, folder.name)
        with job.lock(run.campaigns):
            left, done = standing_of(run)
            ended = nothing_left(run)
            ready = Prepared(folder, run.store, plan_of(run), run.kept, ended[1] if ended else run.settings)
            shown = Planned(job, ready, left, done=done, run=run, ended=ended is not None)
            operator.show(shown)
            yield shown


def warn_of_unasked(removals: Sequence[UnaskedRemoval], operator: Operator) -> None:
    """Say again what an earlier session of a run removed that nobody asked for."""
    if removals:
        operator.warn(phrase("{removals} {cause}", removals=unasked_told(removals), cause=ours(CAUSE)))


@dataclass(frozen=True, slots=True)
class Sent:
    """How this session of sending went. `fault` is the one that ended it, if one did, and `guard` likewise."""

    ending: Ending
    fault: Fault | None
    snapshot: Snapshot
    guard: GuardStop | None = None


class Done(NamedTuple):
    """What a run amounts to; `sent` is how this session of it went, None where nothing was left to ask for."""

    finished: Finished
    sent: Sent | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that may be sent once it is approved. `left` is the plan of what is not final yet, `known` what is known.

    Of an earlier `run` that is taken up again `done` counts the numbers by status; it has `ended` where nothing is left
    of it.
    """

    job: Job
    ready: Prepared
    left: Plan
    known: Known = NOTHING_KNOWN
    done: Mapping[Status, int] | None = None
    run: EarlierRun | None = None
    ended: bool = False

    async def carry_out(self, operator: Operator) -> Done:
        """Have the plan approved, send it, and write the report. Raises what the three do."""
        if self.ended:
            return Done(await operator.do(partial(self.job.report.finish_again, self.ready, Ending.DONE)), None)
        return await (await self.ask(operator)).carry_out(operator)

    async def ask(self, operator: Operator) -> "Approved":
        """Ask the operator; what is returned can be sent. Raises GuardStop, StorageError."""
        consent = await operator.approve(self)
        if self.run is None:
            return Approved(self.job, self.ready, approve(self.ready.plan, consent, self.known))
        ready = await operator.do(partial(reopened, self.run, time.time()))
        operator.note(
            phrase(
                "Resuming run {run_id}: {numbers} on {host}.",
                run_id=ready.plan.run_id,
                numbers=counted(ready.plan.numbers, "{count:,} number", "{count:,} numbers"),
                host=ready.plan.host,
            )
        )
        warn_of_unasked(Outcomes(ready.store).unasked_removals(), operator)
        return Approved(self.job, ready, approve(ready.plan, self.run.consent))


@dataclass(frozen=True, slots=True)
class Approved:
    """A run that is sent next, under the seal of its approval."""

    job: Job
    ready: Prepared
    seal: ApprovedPlan

    async def carry_out(self, operator: Operator) -> Done:
        """Send the plan and write the report. Raises StorageError."""
        sent = await self.send(operator)
        finished = await operator.do(partial(self.job.report.finish, self.ready, sent.ending))
        meant = self.job.report.output
        if meant is not None and meant != finished.report:
            operator.warn(note_on_place(meant, finished.report))
        return Done(finished, sent)

    async def send(self, operator: Operator) -> Sent:
        """Send everything that is left. Raises StorageError."""
        return await carry_out(self.ready, self.seal, self.job.address, self.job.login, operator)


class Carried(NamedTuple):
    """A run that was carried out: its folder and its exit code.

    `stop_wished` is that of a signal that came while the report was written, None where none did. `also` are the
    reports in other formats beside report.csv.
    """

    folder: Path
    exit_code: ExitCode
    stop_wished: ExitCode | None
    also: tuple[Path, ...]


def connection(settings: Settings, address: Address, login: Login) -> Connection:
    """Return how the server is reached."""
    return Connection(
        address.origin,
        login.user,
        login.password,
        settings.ceilings().at_once,
        settings.connect_timeout_s,
        settings.timeout_s,
        settings.ca_file,
        settings.proxy,
    )


async def carry_out(
    prepared: Prepared, approved: ApprovedPlan, address: Address, login: Login, operator: Operator
) -> Sent:
    """Send everything that the plan holds; the verdicts are in the ledger when this returns.

    Raises StorageError.
    """
    clock, settings = SystemClock(), prepared.settings
    Planning(prepared.store).approve(approved)
    shared = account_file(prepared.state_dir, approved.plan.host, login.user)
    account = AccountCeiling(shared, settings.ceilings().rate, prepared.folder.name)
    with Journal(prepared.store) as journal, account:
        began_s = clock.wall_s()
        known = learned_of(prepared.state_dir, approved.plan.host, began_s)
        session_no = await journal.write(lambda steps: _begin(steps, approved, settings, began_s))
        async with Client(connection(settings, address, login)) as client:
            pool = Pool(
                approved,
                replace(_pool_settings(settings, known, began_s), until_s=operator.until_s),
                cache(partial(settings.shape, base_path=address.base_path)),
                Outside(journal, client, clock, account),
                operator.settled,
                prepared.phases,
            )
            with operator.stopping(pool.stop):
                ending, guard = await _canary(pool, journal, prepared, operator)
                if ending is Ending.DONE:
                    async with operator.watching(prepared, pool.snapshot):
                        with operator.steering(pool):
                            ending = await pool.drain()
                counts, note = NONE_COUNTED
                if ending is Ending.DONE:
                    campaigns = await journal.write(lambda steps: steps.counted_campaigns())
                    counts, note = await count_after(client, address.base_path, campaigns, clock.wall_s, pool.turn)
                await journal.write(lambda steps: steps.records_after(counts, note))
        ended_s = clock.wall_s()
        await journal.write(lambda steps: steps.end_session(session_no, ended_s, ending.value))
    _keep(prepared.state_dir, approved.plan.host, _learned(known, pool, settings, ended_s), known)
    if ending is Ending.UNASKED:
        guard = unasked_stop(Outcomes(prepared.store).unasked_removals(), approved.plan.run_id)
    return Sent(ending, pool.fault, pool.snapshot(), guard)


def _begin(steps: Sending, approved: ApprovedPlan, settings: Settings, now_s: float) -> int:
    """Note that a session begins, and what the campaigns hold before it, where that is known."""
    records = approved.known.records
    steps.records_before({campaign: records.get(campaign) for campaign in approved.plan.campaign_ids}, _UNCOUNTED)
    return steps.begin_session(now_s, settings.public())


async def _canary(pool: Pool, journal: Journal, ready: Prepared, operator: Operator) -> tuple[Ending, GuardStop | None]:
    """Send the canary, unless it passed before, and have it judged; returns DONE when the rest may follow."""
    settings, plan = ready.settings, ready.plan
    if not settings.canary or await journal.write(lambda steps: steps.canary_passed()):
        return Ending.DONE, None
    async with operator.watching(ready, pool.snapshot):
        with operator.steering(pool):
            ending = await pool.try_canary()
    if ending is not Ending.DONE:
        return ending, None
    mix = Counter[Status]()
    for phase, count in (await journal.write(lambda steps: steps.canary_phases())).items():
        mix[status_of(phase)] += count
    guard = judge_canary(mix, settings.canary_max_not_exist, plan.run_id, plan.to_send - mix.total())
    ending = operator.judge_canary(plan, mix, guard)
    if guard is not None:
        return Ending.GUARD, guard
    if ending is Ending.DONE:
        await journal.write(lambda steps: steps.pass_canary())
    return ending, canary_declined(plan.run_id) if ending is Ending.GUARD else None


def _learned(known: Learned, pool: Pool, settings: Settings, now_s: float) -> Learned:
    """Return what is known of a host after the sending."""
    learned = known
    # What refuses a few numbers as well does not do so because of their length.
    if pool.longest_line != known.longest_line and (pool.longest_line or 0) >= _SHORTEST_LINE:
        learned = replace(learned, longest_line=pool.longest_line, line_at_s=now_s)
    return learned if pool.rate is None else paced(learned, pool.rate, settings.ceilings().rate, pool.numbers, now_s)


def _keep(state_dir: Path, host: str, learned: Learned, known: Learned) -> None:
    """Remember what was learned of a host, if it can be written: the report must not fail over it."""
    try:
        if learned != known:
            keep_learned(state_dir, host, learned)
    except StorageError as error:
        log.warning("%s", error.sentence)


def learned_settings(settings: Settings, state_dir: Path, host: str, note: Callable[[str], None]) -> Settings:
    """Keep to the request line that a host was found to take; say so, and what else earlier runs learned of it."""
    known, now_s = learned_of(state_dir, host, time.time()), time.time()
    ceilings = settings.ceilings()
    begins = started(ceilings, known, now_s).start_rate
    limit = known.longest_line
    if limit is not None and limit < settings.max_request_line:
        note(
            phrase(
                "{host} was found to refuse request lines over {max_request_line:,} bytes.",
                host=host,
                max_request_line=limit,
            )
        )
    if ceilings.adaptive and known.rate is not None and begins > ceilings.start_rate:
        note(
            phrase(
                "Starting at {begins:,.10g} requests/s: in an earlier run {host} accepted {rate:,.10g} requests/s.",
                host=host,
                rate=rounded(known.rate),
                begins=rounded(begins),
            )
        )
    size = first_size(settings.max_numbers_per_request, known, now_s)
    if size < settings.max_numbers_per_request:
        note(
            counted(
                size,
                "Starting with {count:,} number in a request: in an earlier run {host} was slow with more.",
                "Starting with {count:,} numbers in a request: in an earlier run {host} was slow with more.",
                host=host,
            )
        )
    return replace(settings, max_request_line=min(settings.max_request_line, limit or settings.max_request_line))


def _pool_settings(settings: Settings, known: Learned, now_s: float) -> PoolSettings:
    most = settings.max_numbers_per_request
    return PoolSettings(
        started(settings.ceilings(), known, now_s),
        RetryPolicy(settings.tries, settings.give_up_after_s),
        BusyPolicy(settings.busy_for_s, settings.busy_delay_s),
        settings.forms(),
        size_from(most, round(settings.slow_reply_s * SECOND_US), first_size(most, known, now_s)),
        known.longest_line,
        settings.windows,
    )


async def to_the_end(task: asyncio.Task[T], stop: Callable[[], None] = lambda: None) -> T:
    """Wait for a task that must not be cut off. A cancellation calls `stop`, and is raised once the task has ended."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            stop()
    if cancelled is not None and (task.cancelled() or task.exception() is None):
        raise cancelled
    return task.result()


async def in_thread(work: Callable[..., T], *values: Any) -> T:
    """Do what would block in a thread, to the end: it may hold a file open."""
    return await to_the_end(asyncio.create_task(asyncio.to_thread(work, *values)))


@asynccontextmanager
async def enter_in_thread(
    manager: AbstractContextManager[T], stop: Callable[[], None] = lambda: None
) -> AsyncGenerator[T, None]:
    """Enter a context in a thread, which `stop` may shorten, and leave it in the loop's."""
    with ExitStack() as stack:
        entering = asyncio.create_task(asyncio.to_thread(stack.enter_context, manager))
        yield await to_the_end(entering, stop)


RECENT_RUNS = 30
"""The latest so many completed runs of a campaign say what is usual: for a nightly one, the last month."""


def known_of(
    state_dir: Path, host: str, campaigns: Collection[str], records: Mapping[str, int]
) -> tuple[Known, tuple[str, ...]]:
    """Return what is known of the campaigns, and a note on ledgers that could not be read, if there are any.

    `records` is what the server told.
    """
    earlier: defaultdict[str, list[int]] = defaultdict(list)
    wanted = set(campaigns)
    unread = 0
    for folder in reversed(run_folders(state_dir)):
        if not wanted or not (folder / LEDGER).is_file():
            continue
        try:
            run = completed_run(folder / LEDGER)
        except StorageError:
            unread += 1
            continue
        if run is None or run.host != host:
            continue
        for campaign in wanted.intersection(run.sent):
            earlier[campaign].append(run.sent[campaign])
        wanted -= {campaign for campaign, sizes in earlier.items() if len(sizes) >= RECENT_RUNS}
    known = Known(records, {campaign: tuple(sizes) for campaign, sizes in earlier.items()})
    note = counted(
        unread,
        "{count:,} earlier ledger could not be read, so what is usual was told without it.",
        "{count:,} earlier ledgers could not be read, so what is usual was told without them.",
    )
    return known, (note,) if unread else ()


def look_at(campaigns: Sequence[str], settings: Settings, address: Address, login: Login, state_dir: Path) -> Findings:
    """Look at the records of campaigns, in a loop of its own. Raises what `inspect_campaigns` does, and StorageError.

    The requests keep to the ceiling together with those of all runs of the same user, and are no more for a campaign
    than may leave in one second, and one for the names of all.
    """
    make_private(state_dir)
    file = account_file(state_dir, address.host, login.user)
    return asyncio.run(_looked_at(campaigns, settings, address, login, file))


def list_all(settings: Settings, address: Address, login: Login, state_dir: Path) -> Sequence[Listed]:
    """Return the campaigns of the system, in a loop of its own. Raises what `list_campaigns` does, and StorageError."""
    make_private(state_dir)
    file = account_file(state_dir, address.host, login.user)

    async def listed() -> Sequence[Listed]:
        async with Client(connection(settings, address, login)) as client:
            with AccountCeiling(file, settings.ceilings().rate, f"list-{os.getpid()}") as account:
                return await list_campaigns(_Paced(client, account), address.base_path, time.time())

    return asyncio.run(listed())


async def _looked_at(
    campaigns: Sequence[str], settings: Settings, address: Address, login: Login, file: Path
) -> Findings:
    ceiling = settings.ceilings().rate
    glance = Glance(settings.region, max(1, min(3, int(ceiling))))
    async with Client(connection(settings, address, login)) as client:
        with AccountCeiling(file, ceiling, f"look-{os.getpid()}") as account:
            return await inspect_campaigns(_Paced(client, account), address.base_path, campaigns, time.time, glance)


class _Paced:
    """A client whose calls keep to the ceiling of their account."""

    def __init__(self, client: Client, account: AccountCeiling) -> None:
        self._client = client
        self._account = account

    async def get(self, target: str, now_s: float) -> Document | Fault:
        wait_us = self._account.depart(SystemClock().now_us())
        if wait_us:
            await asyncio.sleep(wait_us / SECOND_US)
            return await self.get(target, now_s)
        return await self._client.get(target, now_s)
