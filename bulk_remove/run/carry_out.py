"""Sends an approved plan."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from bulk_remove.adapters.account import Account
from bulk_remove.adapters.client import Client, Connection
from bulk_remove.adapters.clock import SystemClock
from bulk_remove.adapters.folders import account_file, keep_learned, learned_of
from bulk_remove.adapters.ledger import Journal, Outcomes, Planning, Sending
from bulk_remove.adapters.pool import Outside, Pool, PoolSettings
from bulk_remove.core.canary import canary_declined, judge_canary
from bulk_remove.core.learned import Learned, first_size, paced, started
from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import NumberState, Status
from bulk_remove.core.pacing import SECOND_US
from bulk_remove.core.plan import ApprovedPlan, Plan
from bulk_remove.core.progress import Snapshot, rounded
from bulk_remove.core.replies import Fault
from bulk_remove.core.request_size import size_from
from bulk_remove.core.retry import BusyPolicy, RetryPolicy
from bulk_remove.core.summary import Ending
from bulk_remove.core.unasked import unasked_stop
from bulk_remove.errors import ExitCode, GuardStop, StorageError
from bulk_remove.language import counted, phrase
from bulk_remove.run.preflight import NONE_COUNTED, counted_after
from bulk_remove.run.prepare import Prepared
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
    account = _account(prepared, approved.plan.host, login.user, settings)
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
            with hooks.stopping(pool.stop):
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


def _account(prepared: Prepared, host: str, user: str, settings: Settings) -> Account:
    """Return this run's part in the ceiling of all runs of one user. Raises StorageError."""
    path = account_file(prepared.state_dir, host, user)
    return Account(path, settings.ceilings().rate, prepared.folder.name)


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
