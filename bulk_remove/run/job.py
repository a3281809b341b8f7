"""Sends an approved plan, after a look at its campaigns.

The look reads the server's records and this machine's earlier runs. A program hands in the approval, gets progress and
outcomes, and may ask for a stop. What has begun is awaited to its end, so that a run can be cancelled at any time.
"""

import asyncio
import inspect
import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
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
from bulk_remove.core.lifecycle import SETTLED, explain, is_doubted, status_of
from bulk_remove.core.limits import Known, canary_declined, judge_canary
from bulk_remove.core.model import NumberState, Outcome, Status
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.plan import ApprovedPlan, Plan, check_answer
from bulk_remove.core.replies import Document, Fault
from bulk_remove.core.retry import BusyPolicy, RetryPolicy
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Learned, first_size, paced, started
from bulk_remove.core.timeline import Snapshot, rounded
from bulk_remove.core.verdicts import unasked_stop
from bulk_remove.errors import ExitCode, GuardStop, StorageError
from bulk_remove.language import counted, phrase
from bulk_remove.ledger import Journal, Outcomes, Planning, Sending, completed_run
from bulk_remove.run.folders import account_of, keep_learned, learned_of, make_private, run_folders, share, shared_of
from bulk_remove.run.preflight import NONE_COUNTED, Findings, Glance, counted_after, inspect_campaigns
from bulk_remove.run.prepare import LEDGER, Prepared
from bulk_remove.sending import Outside, Pool, PoolSettings
from bulk_remove.sending.client import Client, Connection, SystemClock
from bulk_remove.sending.gate import Account
from bulk_remove.settings import Address, Login, Settings

log = logging.getLogger("bulk_remove.run")

_SHORTEST_LINE = 500
"""No server is known that takes less, in bytes; proxies stop at 2 KiB at the earliest."""
_UNCOUNTED = "The records were not counted before the run: the API user may not, or was not asked to."


@dataclass(frozen=True, slots=True)
class Hooks:
    """What goes on around the sending.

    `watching` shows the progress while it is entered; it is given a function that returns how far the run is.
    `stopping` may call the function that it is given, while it is entered, to have the run end safely.
    `steering` may hold and slow down the sending while it is entered, which is while it is watched.
    `on_settled` is told the numbers of each chunk and their states, once they are on disk.
    `on_canary` is told how many of the canary's numbers have which status, and why the rest must not follow, if that is
    so; it returns DONE to let the rest follow, else why not. Nothing is under way meanwhile, so it may take its time.
    `until_s` is the deadline by the machine's clock (Unix seconds), None where there is none.
    """

    watching: Callable[[Callable[[], Snapshot]], AbstractAsyncContextManager[None]]
    stopping: Callable[[Callable[[Ending], None]], AbstractContextManager[None]]
    on_settled: Callable[[Sequence[str], Sequence[NumberState]], None]
    on_canary: Callable[[Mapping[Status, int], GuardStop | None], Ending] = lambda _mix, _stop: Ending.DONE
    steering: Callable[[Pool], AbstractContextManager[None]] = lambda _pool: nullcontext()
    until_s: float | None = None


class Carried(NamedTuple):
    """A run that was carried out: its folder and its exit code.

    `stop_wished` is that of a signal that came while the report was written, None where none did. `also` are the
    reports in other formats beside report.csv.
    """

    folder: Path
    exit_code: ExitCode
    stop_wished: ExitCode | None
    also: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """How this session of sending went. `fault` is the one that ended it, if one did, and `guard` likewise."""

    ending: Ending
    fault: Fault | None
    snapshot: Snapshot
    guard: GuardStop | None = None


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
    prepared: Prepared,
    approved: ApprovedPlan,
    settings: Settings,
    address: Address,
    login: Login,
    hooks: Hooks,
) -> Sent:
    """Send everything that the plan holds; the verdicts are in the ledger when this returns.

    Raises StorageError.
    """
    clock = SystemClock()
    Planning(prepared.store).approve(approved)
    if shared := shared_of(prepared.state_dir):
        shared.patience_s = settings.give_up_after_s
    share(prepared.folder, prepared.store, new=True)
    ceiling = settings.ceilings().rate
    account = account_of(prepared.state_dir, approved.plan.host, login.user, ceiling, prepared.folder.name)
    with Journal(prepared.store) as journal, account:
        began_s = clock.wall_s()
        known = learned_of(prepared.state_dir, approved.plan.host, began_s)
        session_no = await journal.write(lambda steps: _begin(steps, approved, settings, began_s))
        async with Client(connection(settings, address, login)) as client:
            pool = Pool(
                approved,
                replace(_pool_settings(settings, known, began_s), until_s=hooks.until_s),
                cache(partial(settings.shape, base_path=address.base_path)),
                Outside(journal, client, clock, account),
                hooks.on_settled,
                prepared.phases,
            )
            with hooks.stopping(_stopping(pool, prepared.state_dir)):
                ending, guard = await _canary(pool, journal, settings, hooks, approved.plan)
                if ending is Ending.DONE:
                    async with hooks.watching(pool.snapshot):
                        with hooks.steering(pool):
                            ending = await pool.drain()
                counts, note = NONE_COUNTED
                if ending is Ending.DONE:
                    campaigns = await journal.write(lambda steps: steps.counted_campaigns())
                    counts, note = await counted_after(client, address.base_path, campaigns, clock.wall_s, pool.turn)
                await journal.write(lambda steps: steps.records_after(counts, note))
        ended_s = clock.wall_s()
        await journal.write(lambda steps: steps.end_session(session_no, ended_s, ending.value))
    _keep(prepared.state_dir, approved.plan.host, _learned(known, pool, settings, ended_s), known)
    if ending is Ending.UNASKED:
        guard = unasked_stop(Outcomes(prepared.store).unasked_removals(), approved.plan.run_id)
    return Sent(ending, pool.fault, pool.snapshot(), guard)


def _stopping(pool: Pool, state_dir: Path) -> Callable[[Ending], None]:
    """Return what stops the sending, and the wait for a shared state that does not answer."""

    def stop(ending: Ending) -> None:
        pool.stop(ending)
        if shared := shared_of(state_dir):
            shared.hurry.set()

    return stop


def _begin(steps: Sending, approved: ApprovedPlan, settings: Settings, now_s: float) -> int:
    """Note that a session begins, and what the campaigns hold before it, where that is known."""
    records = approved.known.records
    steps.records_before({campaign: records.get(campaign) for campaign in approved.plan.campaign_ids}, _UNCOUNTED)
    return steps.begin_session(now_s, settings.public())


async def _canary(
    pool: Pool, journal: Journal, settings: Settings, hooks: Hooks, plan: Plan
) -> tuple[Ending, GuardStop | None]:
    """Send the canary, unless it passed before, and have it judged; returns DONE when the rest may follow."""
    if not settings.canary or await journal.write(lambda steps: steps.canary_passed()):
        return Ending.DONE, None
    async with hooks.watching(pool.snapshot):
        with hooks.steering(pool):
            ending = await pool.try_canary()
    if ending is not Ending.DONE:
        return ending, None
    mix = Counter[Status]()
    for phase, count in (await journal.write(lambda steps: steps.canary_phases())).items():
        mix[status_of(phase)] += count
    guard = judge_canary(mix, settings.canary_max_not_exist, plan.run_id, plan.to_send - mix.total())
    ending = hooks.on_canary(mix, guard)
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


def notes_of(settings: Settings, state_dir: Path, host: str, now_s: float) -> Iterator[str]:
    """Yield what earlier runs learned of a host and this one begins with. `now_s` in Unix seconds."""
    known = learned_of(state_dir, host, now_s)
    ceilings = settings.ceilings()
    begins = started(ceilings, known, now_s).start_rate
    if ceilings.adaptive and known.rate is not None and begins > ceilings.start_rate:
        yield phrase(
            "Starting at {begins:,.10g} requests/s: in an earlier run {host} accepted {rate:,.10g} requests/s.",
            host=host,
            rate=rounded(known.rate),
            begins=rounded(begins),
        )
    most = settings.max_numbers_per_request
    size = first_size(most, known, now_s)
    if size < most:
        yield counted(
            size,
            "Starting with {count:,} number in a request: in an earlier run {host} was slow with more.",
            "Starting with {count:,} numbers in a request: in an earlier run {host} was slow with more.",
            host=host,
        )


def with_learned_limit(settings: Settings, state_dir: Path, host: str, now_s: float) -> Settings:
    """Return the settings with the request line no longer than the host was found to take. `now_s` in Unix seconds."""
    limit = learned_of(state_dir, host, now_s).longest_line
    if limit is None or limit >= settings.max_request_line:
        return settings
    return replace(settings, max_request_line=limit)


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


T = TypeVar("T")
OnProgress = Callable[[Snapshot], None]
Approve = Callable[[Plan], bool | Awaitable[bool]]
_PROGRESS_S = 0.5
_STOPPED = Ending.CODE


def check_callable(approve: object) -> None:
    """Raise TypeError for what cannot be asked."""
    if not callable(approve):
        raise TypeError(f"approve must be a function that is given the plan, not {type(approve).__name__}")


async def check_asked(ask: Approve, plan: Plan) -> None:
    """Show the plan to the program. Raises GuardStop for False, TypeError for an answer that is no bool."""
    answer: object = ask(plan)
    if inspect.isawaitable(answer):
        answer = await answer
    if inspect.iscoroutine(answer):
        answer.close()  # it is refused below, and Python need not complain as well that nobody awaited it
    check_answer(answer)


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


async def threaded(work: Callable[..., T], *values: Any) -> T:
    """Do what would block in a thread, to the end: it may hold a file open."""
    return await to_the_end(asyncio.create_task(asyncio.to_thread(work, *values)))


@asynccontextmanager
async def entered(
    manager: AbstractContextManager[T], stop: Callable[[], None] = lambda: None
) -> AsyncGenerator[T, None]:
    """Enter a context in a thread, which `stop` may shorten, and leave it in the loop's."""
    with ExitStack() as stack:
        entering = asyncio.create_task(asyncio.to_thread(stack.enter_context, manager))
        yield await to_the_end(entering, stop)


class Ties:
    """What ties a run to the program that asked for it: outcomes and progress go out, the wish to stop comes in."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._failure: BaseException | None = None
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._stop: Callable[[Ending], None] | None = None
        self._wished = False

    @property
    def hooks(self) -> Hooks:
        """What goes on around the sending."""
        return Hooks(self._watching, self._stopping, self._settled)

    def _settled(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        for number, state in zip(numbers, states, strict=True):
            if state.phase in SETTLED:
                self._queue.put_nowait(outcome_of(number, state))

    def end(self, _task: asyncio.Task[Sent]) -> None:
        """End the outcomes, once nothing is sent any more."""
        self._queue.put_nowait(None)

    async def outcomes(self) -> AsyncIterator[Outcome]:
        """Yield the outcomes of settled numbers as they come."""
        while (outcome := await self._queue.get()) is not None:
            yield outcome

    def stop(self) -> None:
        """Stop safely, now or as soon as the sending has begun."""
        self._wished = True
        if self._stop is not None:
            self._stop(_STOPPED)

    @contextmanager
    def _stopping(self, stop: Callable[[Ending], None]) -> Iterator[None]:
        self._stop = stop
        if self._wished:
            stop(_STOPPED)
        yield

    @asynccontextmanager
    async def _watching(self, snapshot: Callable[[], Snapshot]) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(self._watch(snapshot))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self._tell(snapshot)

    async def _watch(self, snapshot: Callable[[], Snapshot]) -> None:
        while True:
            self._tell(snapshot)
            await asyncio.sleep(_PROGRESS_S)

    def _tell(self, snapshot: Callable[[], Snapshot]) -> None:
        """Tell how far the run is. Where that fails the run stops safely, and `check` raises it once it has."""
        if self._on_progress is None or self._failure is not None:
            return
        try:
            self._on_progress(snapshot())
        except Exception as error:  # noqa: BLE001 - whatever the caller's own function raises
            self._failure = error
            self.stop()

    def check(self) -> None:
        """Raise what telling of the progress raised."""
        if self._failure is not None:
            raise self._failure


def outcome_of(number: str, state: NumberState) -> Outcome:
    """Return what a state means to the program."""
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
    return asyncio.run(_looked_at(campaigns, settings, address, login, state_dir))


async def _looked_at(
    campaigns: Sequence[str], settings: Settings, address: Address, login: Login, state_dir: Path
) -> Findings:
    ceiling = settings.ceilings().rate
    glance = Glance(settings.region, max(1, min(3, int(ceiling))))
    async with Client(connection(settings, address, login)) as client:
        with account_of(state_dir, address.host, login.user, ceiling, f"look-{os.getpid()}") as account:
            return await inspect_campaigns(_Paced(client, account), address.base_path, campaigns, time.time, glance)


class _Paced:
    """A client whose calls keep to the ceiling of their account."""

    def __init__(self, client: Client, account: Account) -> None:
        self._client = client
        self._account = account

    async def get(self, target: str, now_s: float) -> Document | Fault:
        wait_us = self._account.depart(SystemClock().now_us())
        if wait_us:
            await asyncio.sleep(wait_us / SECOND_US)
            return await self.get(target, now_s)
        return await self._client.get(target, now_s)
