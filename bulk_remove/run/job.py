"""The steps of a run: the same for a new run, a resume and a rerun, and for every kind of operator.

`plan_run` (new run, rerun) and `plan_resume` (resume) lock the campaigns, look at them, make the plan and check its
limits. `Planned.carry_out` then has the plan approved, sends it and writes the report. All questions and messages go
through one `Operator`: a terminal, a Python program, or a page.
"""

import asyncio
import logging
import time
from collections import Counter
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
from threading import Event
from typing import Any, NamedTuple, TypeVar

from bulk_remove.core.chunker import SHORTEST_LINE, RequestSize, writing_of
from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.limits import NOTHING_KNOWN, Known, canary_declined, judge_canary
from bulk_remove.core.model import Brackets, NumberState, Status, harmless
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.plan import (
    ApprovedPlan,
    Consent,
    Plan,
    approve,
    check_holds_numbers,
    check_within_limits,
    passed,
)
from bulk_remove.core.replies import Fault
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import BusyPolicy, Learned, RetryPolicy, first_size, paced, size_learned, started
from bulk_remove.core.timeline import Snapshot, rounded
from bulk_remove.core.verdicts import CAUSE, UnaskedRemoval, unasked_stop, unasked_told
from bulk_remove.errors import ExitCode, GuardStop, InputError, StorageError, UnavailableError
from bulk_remove.language import counted, ours, phrase
from bulk_remove.ledger import Journal, Outcomes, Planning, Sending
from bulk_remove.reader import SetAside, open_table, open_tables
from bulk_remove.run.again import (
    EarlierRows,
    EarlierRun,
    check_same_server,
    earlier_rows,
    earlier_run,
    last_session,
    prepared_again,
    reopened,
    standing_of,
)
from bulk_remove.run.finish import Finished
from bulk_remove.run.folders import (
    Mark,
    account_of,
    is_marked,
    keep_learned,
    learned_of,
    lock_campaigns,
    share,
    shared_of,
)
from bulk_remove.run.look import FOR_ERASURES, LOOK_MAX, NOT_IN_THE_LIST, back_up, check_free, check_size, listings_of
from bulk_remove.run.places import ReportPlace
from bulk_remove.run.preflight import (
    NONE_COUNTED,
    asking,
    connection,
    count_after,
    look_at,
    with_campaigns,
)
from bulk_remove.run.prepare import (
    Prepared,
    Sight,
    check_plan,
    prepare,
    reading_of,
    removed_earlier,
)
from bulk_remove.run.saved import SavedPlan
from bulk_remove.sending import Outside, Pool, PoolSettings
from bulk_remove.sending.client import Client
from bulk_remove.sending.gate import SystemClock
from bulk_remove.settings import Address, Destination, Login, Settings

log = logging.getLogger("bulk_remove.run")

_UNCOUNTED = "The records were not counted before the run: the API user may not, or was not asked to."


T = TypeVar("T")
OnRows = Callable[[int], None]
_LOOK_S = 0.5


class Operator:
    """The one who started the run: approves the plan, receives messages, and may pause or stop the sending.

    The default methods print nothing and stop nothing. `approve` has no default. `until_s` is the deadline by the
    machine's clock (Unix seconds), or None.
    """

    until_s: float | None = None

    def note(self, sentence: str) -> None:
        """Show a sentence about the run."""

    def warn(self, sentence: str) -> None:
        """Show a sentence that must not be overlooked."""
        self.note(sentence)

    def reading(self) -> AbstractContextManager[OnRows]:
        """Show the count of rows read. The context gives the function that takes the count."""
        return nullcontext(lambda _rows: None)

    def listing(self, records: int) -> AbstractContextManager[OnRows]:
        """Show how many of so many records were read. The context gives the function that takes the count."""
        del records
        return nullcontext(lambda _records: None)

    def show(self, run: "Planned") -> None:
        """Show the plan. Approval is asked for afterwards."""

    async def approve(self, run: "Planned") -> Consent:
        """Return how the plan was approved. Raises GuardStop if it was not."""
        raise NotImplementedError

    async def do(self, work: Callable[[], T]) -> T:
        """Run work that blocks the event loop, such as reading and writing files."""
        return work()

    def stopping(self, stop: Callable[[Ending], None]) -> AbstractContextManager[None]:
        """Inside this context the operator may call `stop`, which ends the run safely."""
        del stop
        return nullcontext()

    def watching(self, ready: Prepared, snapshot: Callable[[], Snapshot]) -> AbstractAsyncContextManager[None]:
        """Inside this context show the progress, which `snapshot` returns."""
        del ready, snapshot
        return nullcontext()

    def steering(self, pool: Pool) -> AbstractContextManager[None]:
        """Inside this context the operator may pause, slow down and stop the pool."""
        del pool
        return nullcontext()

    def settled(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        """Receive the numbers of a chunk and their states, once they are on disk."""

    def judge_canary(self, plan: Plan, mix: Mapping[Status, int], stop: GuardStop | None) -> Ending:
        """Return DONE to send the rest after the canary, else the reason to end. With `stop` the rest must not follow.

        No request is under way meanwhile, so the operator may take time to answer.
        """
        del plan, mix, stop
        return Ending.DONE


class Background(Operator):
    """An operator in an event loop that goes on meanwhile: a Python program, or a page."""

    def __init__(self) -> None:
        self.rows = 0
        self._dropped = Event()
        self._stop: Callable[[Ending], None] | None = None
        self._wish: Ending | None = None

    def drop(self) -> None:
        """End the reading at the next block of rows; nothing is left behind."""
        self._dropped.set()

    def reading(self) -> AbstractContextManager[OnRows]:
        """Count the rows."""
        return nullcontext(self._read)

    def _read(self, rows: int) -> None:
        self.rows = rows
        if self._dropped.is_set():
            raise asyncio.CancelledError

    async def do(self, work: Callable[[], T]) -> T:
        """Run the work in a thread, so that the loop goes on."""
        return await in_thread(work)

    def stop(self, ending: Ending) -> None:
        """Stop safely, now or as soon as the sending has begun."""
        self._wish = self._wish or ending
        if self._stop is not None:
            self._stop(self._wish)

    @contextmanager
    def stopping(self, stop: Callable[[Ending], None]) -> Iterator[None]:
        """Stop if that was wished before."""
        self._stop = stop
        if self._wish is not None:
            stop(self._wish)
        yield

    def look(self, ready: Prepared, now: Snapshot) -> None:
        """Receive the progress, from time to time and at the end."""

    @asynccontextmanager
    async def watching(self, ready: Prepared, snapshot: Callable[[], Snapshot]) -> AsyncGenerator[None, None]:
        """Look at the progress until the context ends."""

        async def watch() -> None:
            while True:
                self.look(ready, snapshot())
                await asyncio.sleep(_LOOK_S)

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.look(ready, snapshot())


@dataclass(frozen=True, slots=True)
class Job:
    """What to do: settings, server, API user, state folder, and where the report goes.

    The campaigns in `held` are locked already. With `show_numbers` the plan's samples are not masked. With `saved` only
    that plan is sent. `backup` is a new file for the records that the list shows of the numbers; `look_max` limits how
    many records are read for it. `left_out` are campaigns that `--campaign all` does not mean.
    """

    settings: Settings
    address: Address
    login: Login
    state_dir: Path
    report: ReportPlace
    held: Collection[str] = ()
    show_numbers: bool = False
    saved: SavedPlan | None = None
    backup: Path | None = None
    look_max: int = LOOK_MAX
    left_out: tuple[str, ...] = ()

    @property
    def destination(self) -> Destination:
        """What a later session must know about server, user and report."""
        output, wanted = self.report.output, self.report.wanted
        to = self.address.destination(self.login.user, str(output.absolute()) if output else "")
        to = replace(to, csv_for=wanted.csv_for, also=wanted.also, left_out=self.left_out)
        return replace(to, planned=self.saved.planned, left_out=self.saved.left_out) if self.saved else to

    def lock(self, campaigns: Collection[str], but: Collection[str] = ()) -> AbstractContextManager[None]:
        """Lock campaigns that are not locked yet. Raises CampaignLockedError, StorageError."""
        return lock_campaigns(self.state_dir, self.address.host, {*campaigns} - {*but, *self.held, ""})


PlanInput = Callable[[Settings, Destination, Path, Sight], AbstractContextManager[Prepared]]
"""Makes a plan from settings, destination and state folder."""


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
    """Read files and plan their numbers. A `copy` is read instead of a single file. Raises as `prepare` does."""
    reading = reading_of(settings, state_dir)
    tables, notes = ([open_table(files[0], reading, copy)], ()) if copy else open_tables(files, reading)
    for each in notes:
        note(each)
    with prepare(tables, settings, destination, state_dir, time.time(), sight) as ready:
        yield ready


@contextmanager
def plan_run(job: Job, planning: PlanInput, operator: Operator) -> Iterator["Planned"]:
    """Lock the campaigns of a job, plan it, and show the plan. Raises GuardStop if it is over its limits.

    Raises the same errors as `prepare`, and CampaignLockedError, RefusedError, UnavailableError.
    """
    if replaced := job.report.check(job.settings, job.address.host, job.state_dir):
        operator.note(replaced)
    settings, left_out = with_campaigns(job.settings, job.address, job.login, job.state_dir, operator.warn)
    settings = learned_settings(settings, job.state_dir, job.address.host, operator.note)
    job = replace(job, settings=settings, left_out=left_out or job.left_out)
    with ExitStack() as stack:
        stack.enter_context(job.lock(settings.campaigns))
        with operator.reading() as on_rows:
            look = partial(look_at, settings=settings, address=job.address, login=job.login, state_dir=job.state_dir)
            sight = Sight(look, on_rows, job.show_numbers)
            ready = stack.enter_context(planning(settings, job.destination, job.state_dir, sight))
        plan, findings = ready.plan, ready.findings
        stack.enter_context(job.lock(plan.campaign_ids, settings.campaigns))
        check_holds_numbers(plan)
        if job.saved:
            job.saved.check(ready)
            operator.note(job.saved.sentence())
        if job.backup:
            check_free(job.backup, "--backup")
            check_size(findings.records, plan.campaign_ids, job.look_max)
        known, notes = ready.earlier.known(findings.records)
        shown = Planned(job, ready, plan, known)
        operator.show(shown)
        for note in (*findings.notes, *notes, *passed(plan, known), *notes_on_input(ready)):
            operator.note(note)
        if ready.phases is None:  # a rerun's rows passed this check before
            check_plan(plan, ready.settings)
        check_within_limits(plan, known)
        if job.backup:
            operator.warn(FOR_ERASURES)
            operator.note(NOT_IN_THE_LIST)
        yield shown


def notes_on_input(ready: Prepared) -> Iterator[str]:
    """Yield notes on files and numbers that earlier runs had. A rerun needs none."""
    if ready.phases is None:
        yield from ready.earlier.told(ready.settings)
        if removed := removed_earlier(ready.store, ready.earlier.removals):
            yield counted(
                removed,
                "{count:,} number was removed by an earlier run. If it is there again, somebody added it again.",
                "{count:,} numbers were removed by an earlier run. If they are there again, somebody added them again.",
            )


@contextmanager
def plan_rerun(
    earlier: str,
    changes: Mapping[str, Any],
    server: tuple[Path, Destination | None],
    job_of: Callable[[EarlierRows], Job],
    operator: Operator,
) -> Iterator["Planned"]:
    """Plan what an earlier run left open, as `plan_run` does. `server` is (state folder, destination or None)."""
    with earlier_rows(earlier, changes, *server) as rows:
        warn_of_unasked(rows.unasked, operator)
        job = replace(job_of(rows), left_out=rows.destination.left_out)
        with plan_run(job, partial(prepared_again, rows), operator) as shown:
            yield shown


@contextmanager
def plan_resume(
    folder: Path, changes: Mapping[str, Any], job_of: Callable[[EarlierRun], Job], operator: Operator
) -> Iterator["Planned"]:
    """Lock the campaigns of an earlier run and show what is left of it. Does not change its ledger.

    Raises the same errors as `earlier_run`, InputError for an abandoned run, UsageError for another server.
    """
    if is_marked(folder, Mark.ABANDONED):
        raise InputError(
            phrase("Run {name} was abandoned and cannot be resumed.", name=folder.name),
            phrase("To send what it left open in a new run: bulk-remove rerun {name}", name=folder.name),
        )
    with earlier_run(folder, changes) as run:
        job = job_of(run)
        check_same_server(run, job.address)
        replaced = job.report.check(job.settings, job.address.host, job.state_dir, folder.name)
        with job.lock(run.ready.plan.campaign_ids):
            left, done = standing_of(run)
            last, ending = last_session(run) or (run.ready, None)
            ended = ending is Ending.DONE and not left.to_send
            shown = Planned(job, last if ended else run.ready, left, done=done, run=run, ended=ended)
            operator.show(shown)
            if replaced and not ended:
                operator.note(replaced)
            yield shown


def warn_of_unasked(removals: Sequence[UnaskedRemoval], operator: Operator) -> None:
    """Repeat the warning about removals in an earlier session that nobody asked for."""
    if removals:
        operator.warn(phrase("{removals} {cause}", removals=unasked_told(removals), cause=ours(CAUSE)))


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of one session. `fault` or `guard` is set if it ended the session."""

    ending: Ending
    fault: Fault | None
    snapshot: Snapshot
    guard: GuardStop | None = None


class Done(NamedTuple):
    """The result of a run. `sent` is the result of this session, or None if nothing was left to send."""

    finished: Finished
    sent: Sent | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that may be sent once it is approved. `left` is the plan of the numbers without a final answer.

    `known` is what is known about the campaigns. If an earlier `run` is resumed, `done` counts its numbers by status,
    and `ended` says that nothing is left to send.
    """

    job: Job
    ready: Prepared
    left: Plan
    known: Known = NOTHING_KNOWN
    done: Mapping[Status, int] | None = None
    run: EarlierRun | None = None
    ended: bool = False

    async def carry_out(self, operator: Operator) -> Done:
        """Have the plan approved, send it, and write the report. Raises as `ask`, `send` and `finish` do."""
        if self.ended:
            return Done(await operator.do(partial(self.job.report.finish_again, self.ready)), None)
        return await (await self.ask(operator)).carry_out(operator)

    async def ask(self, operator: Operator) -> "Approved":
        """Ask the operator for approval. Raises GuardStop, StorageError."""
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
    """An approved run, ready to be sent."""

    job: Job
    ready: Prepared
    seal: ApprovedPlan

    async def carry_out(self, operator: Operator) -> Done:
        """Send the plan and write the report. Raises StorageError."""
        sent = await self.send(operator)
        finished = await operator.do(partial(self.job.report.finish, self.ready, sent.ending))
        meant = self.job.report.output
        if meant is not None and meant != finished.report:
            operator.warn(
                phrase(
                    "Another file is now at {output} or beside it, so the report was written to {place}.",
                    output=harmless(str(meant)),
                    place=harmless(str(finished.report)),
                )
            )
        return Done(finished, sent)

    async def send(self, operator: Operator) -> Sent:
        """Write the backup, if one is wanted, then send what is left. Raises StorageError, and as `back_up` does."""
        job, ready = self.job, self.ready
        if job.backup:
            async with asking(ready.settings, job.address, job.login, job.state_dir) as asker:
                listings = listings_of(ready, asker, job.address.base_path, job.look_max)
                with operator.listing(sum(ready.findings.records.values())) as on_records:
                    records = await back_up(listings, ready, job.backup, on_records)
            operator.note(
                counted(
                    records,
                    "The backup {path} holds {count:,} record.",
                    "The backup {path} holds {count:,} records.",
                    path=harmless(str(job.backup)),
                )
            )
        return await carry_out(ready, self.seal, job.address, job.login, operator)


class Carried(NamedTuple):
    """A run that was carried out, with the exit code of a signal that came while its report was written, or None."""

    folder: Path
    exit_code: ExitCode
    stop_wished: ExitCode | None
    also: tuple[Path, ...]


async def carry_out(
    prepared: Prepared, approved: ApprovedPlan, address: Address, login: Login, operator: Operator
) -> Sent:
    """Send the whole plan. All verdicts are in the ledger when this returns. Raises StorageError."""
    clock, settings = SystemClock(), prepared.settings
    Planning(prepared.store).approve(approved)
    if shared := shared_of(prepared.state_dir):
        shared.patience_s = settings.give_up_after_s
    share(prepared.folder, prepared.store, new=True)
    if settings.stop_when_missing is not None:
        await in_thread(bool, prepared.earlier.removals)  # reads them now, and not while requests are under way
    ceiling = settings.ceilings().rate
    account = account_of(prepared.state_dir, approved.plan.host, login.user, ceiling, prepared.folder.name)
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
                prepared.earlier.removals.places,
            )

            def stop(ending: Ending) -> None:
                pool.stop(ending)
                if shared:  # nor is a shared state waited for that does not answer
                    shared.hurry.set()

            with operator.stopping(stop):
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
    _learn(known, pool, prepared, ended_s)
    if ending is Ending.UNASKED:
        guard = unasked_stop(Outcomes(prepared.store).unasked_removals(), approved.plan.run_id)
    if ending is Ending.MISSING and pool.books.missing:
        campaign, lately = pool.books.missing
        guard = lately.stop(settings.stop_when_missing, approved.plan.run_id, campaign)
    return Sent(ending, pool.halt.fault, pool.snapshot(), guard)


def _begin(steps: Sending, approved: ApprovedPlan, settings: Settings, now_s: float) -> int:
    """Note in the ledger that a session begins, and how many records the campaigns hold, if known."""
    records = approved.known.records
    steps.records_before({campaign: records.get(campaign) for campaign in approved.plan.campaign_ids}, _UNCOUNTED)
    return steps.begin_session(now_s, settings.public())


async def _canary(pool: Pool, journal: Journal, ready: Prepared, operator: Operator) -> tuple[Ending, GuardStop | None]:
    """Send a canary to each named campaign and have it judged, unless it passed. With DONE the rest may follow."""
    settings, plan = ready.settings, ready.plan
    if not settings.canary or (canary := await journal.write(lambda steps: steps.canary())).passed:
        return Ending.DONE, None
    several = sorted(settings.campaigns) if len(settings.campaigns) > 1 else []
    mix, guard = Counter[Status](), None
    for campaign in [*(each for each in several if each >= canary.campaign), ""]:  # those before it have passed
        if mix and not campaign:
            break
        # Without a name: one campaign, campaigns in a column, or a rerun, which has no planned chunks.
        ending, found = await _try_canary(pool, journal, ready, operator, campaign)
        if ending is not Ending.DONE:
            return ending, None
        mix += found
        guard = judge_canary(found, settings.canary_max_not_exist, plan.run_id, plan.to_send - mix.total())
        if guard is not None and campaign:
            problem = phrase("Campaign {campaign}: {problem}", campaign=campaign, problem=ours(guard.sentence))
            guard = GuardStop(problem, guard.hint)
            break
    ending = operator.judge_canary(plan, mix, guard)
    if guard is not None:
        return Ending.GUARD, guard
    if ending is Ending.DONE:
        await journal.write(lambda steps: steps.pass_canary())
    return ending, canary_declined(plan.run_id) if ending is Ending.GUARD else None


async def _try_canary(
    pool: Pool, journal: Journal, ready: Prepared, operator: Operator, campaign: str
) -> tuple[Ending, Counter[Status]]:
    """Send the canary, of a campaign if it has one of its own. Returns why it ended, and its numbers by status."""
    async with operator.watching(ready, pool.snapshot):
        with operator.steering(pool):
            ending = await pool.try_canary(campaign)
    mix = Counter[Status]()
    if not campaign or campaign == (await journal.write(lambda steps: steps.canary())).campaign:
        for phase, count in (await journal.write(lambda steps: steps.canary_phases())).items():
            mix[status_of(phase)] += count
    return ending, mix


def _learn(known: Learned, pool: Pool, prepared: Prepared, now_s: float) -> None:
    """Keep what a session learned about its host. A failure is only logged, because the report must be written."""
    learned, settings, rate = known, prepared.settings, pool.gate.borne
    longest_line, brackets = pool.books.line.longest, pool.books.writing.known
    if longest_line != known.longest_line and (longest_line or 0) >= SHORTEST_LINE:
        learned = replace(learned, longest_line=longest_line, line_at_s=now_s)
    if settings.brackets is Brackets.AUTO and brackets != known.brackets:
        learned = replace(learned, brackets=brackets, brackets_at_s=now_s)
    if rate is not None:
        numbers = size_learned(known.numbers, pool.books.size.most, settings.max_numbers_per_request)
        learned = paced(learned, rate, settings.ceilings().rate, numbers, now_s)
    try:
        if learned != known:
            keep_learned(prepared.state_dir, prepared.plan.host, learned)
    except (StorageError, UnavailableError) as error:
        log.warning("%s", error.sentence)


def learned_settings(settings: Settings, state_dir: Path, host: str, note: Callable[[str], None]) -> Settings:
    """Return the settings with the learned limit on the request line. Note what earlier runs learned about the host."""
    known, now_s = learned_of(state_dir, host, time.time()), time.time()
    ceilings = settings.ceilings()
    begins = started(ceilings, known, now_s).start_rate
    limit = known.longest_line
    if limit is not None and limit < settings.max_request_line:
        note(
            phrase(
                "In an earlier run {host} refused request lines over {max_request_line:,} bytes.",
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
        RequestSize(most, round(settings.slow_reply_s * SECOND_US), first_size(most, known, now_s)),
        known.longest_line,
        writing_of(settings.brackets, known.brackets),
        settings.windows,
        stop_when_missing=settings.stop_when_missing,
    )


async def to_the_end(task: asyncio.Task[T], stop: Callable[[], None] = lambda: None) -> T:
    """Wait for a task that must not be cut off. A cancellation calls `stop`, and is raised after the task has ended."""
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
    """Run blocking work in a thread and wait until it has ended, because it may hold a file open."""
    return await to_the_end(asyncio.create_task(asyncio.to_thread(work, *values)))


@asynccontextmanager
async def enter_in_thread(
    manager: AbstractContextManager[T], stop: Callable[[], None] = lambda: None
) -> AsyncGenerator[T, None]:
    """Enter a context in a thread and leave it in the loop's thread. A cancellation calls `stop`."""
    with ExitStack() as stack:
        entering = asyncio.create_task(asyncio.to_thread(stack.enter_context, manager))
        yield await to_the_end(entering, stop)
