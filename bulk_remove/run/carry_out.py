"""Sends an approved plan."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from bulk_remove.adapters.client import Client, Connection
from bulk_remove.adapters.clock import SystemClock
from bulk_remove.adapters.folders import keep_line_limit, line_limit
from bulk_remove.adapters.ledger import Journal, Planning, Sending
from bulk_remove.adapters.pool import Outside, Pool, PoolSettings
from bulk_remove.core.canary import canary_declined, judge_canary
from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import NumberState, Status
from bulk_remove.core.plan import ApprovedPlan, Plan
from bulk_remove.core.progress import Snapshot
from bulk_remove.core.replies import Fault
from bulk_remove.core.retry import BusyPolicy, RetryPolicy
from bulk_remove.core.summary import Ending
from bulk_remove.errors import GuardStop, StorageError
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
    `on_settled` is told the numbers of each chunk and their states, once they are on disk.
    `on_canary` is told how many of the canary's numbers have which status, and why the rest must not follow, if that is
    so; it returns DONE to let the rest follow, else why not. Nothing is under way meanwhile, so it may take its time.
    """

    watching: Callable[[Callable[[], Snapshot]], AbstractAsyncContextManager[None]]
    stopping: Callable[[Callable[[Ending], None]], AbstractContextManager[None]]
    on_settled: Callable[[Sequence[str], Sequence[NumberState]], None]
    on_canary: Callable[[Mapping[Status, int], GuardStop | None], Ending] = lambda _mix, _stop: Ending.DONE


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
        settings.concurrency,
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
    with Journal(prepared.store) as journal:
        began_s = clock.wall_s()
        known_line = line_limit(prepared.state_dir, approved.plan.host, began_s)
        session_no = await journal.write(lambda steps: _begin(steps, approved, began_s))
        async with Client(connection(settings, address, login)) as client:
            pool = Pool(
                approved,
                _pool_settings(settings, known_line),
                cache(partial(settings.shape, base_path=address.base_path)),
                Outside(journal, client, clock),
                hooks.on_settled,
                prepared.phases,
            )
            with hooks.stopping(pool.stop):
                ending, guard = await _canary(pool, journal, settings, hooks, approved.plan)
                if ending is Ending.DONE:
                    async with hooks.watching(pool.snapshot):
                        ending = await pool.drain()
                counts, note = NONE_COUNTED
                if ending is Ending.DONE:
                    campaigns = await journal.write(lambda steps: steps.counted_campaigns())
                    counts, note = await counted_after(client, address.base_path, campaigns, clock.wall_s, pool.turn)
                await journal.write(lambda steps: steps.records_after(counts, note))
        ended_s = clock.wall_s()
        await journal.write(lambda steps: steps.end_session(session_no, ended_s, ending.value))
    if pool.longest_line not in {None, known_line}:
        _keep_line(prepared.state_dir, approved.plan.host, pool.longest_line or 0, ended_s)
    return Sent(ending, pool.fault, pool.snapshot(), guard)


def _begin(steps: Sending, approved: ApprovedPlan, now_s: float) -> int:
    """Note that a session begins, and what the campaigns hold before it, where that is known."""
    records = approved.known.records
    steps.records_before({campaign: records.get(campaign) for campaign in approved.plan.campaign_ids}, _UNCOUNTED)
    return steps.begin_session(now_s)


async def _canary(
    pool: Pool, journal: Journal, settings: Settings, hooks: Hooks, plan: Plan
) -> tuple[Ending, GuardStop | None]:
    """Send the canary, unless it passed before, and have it judged; returns DONE when the rest may follow."""
    if not settings.canary or await journal.write(lambda steps: steps.canary_passed()):
        return Ending.DONE, None
    async with hooks.watching(pool.snapshot):
        ending = await pool.try_canary()
    if ending is not Ending.DONE:
        return ending, None
    mix = Counter[Status]()
    for phase, count in (await journal.write(lambda steps: steps.canary_phases())).items():
        mix[status_of(phase)] += count
    guard = judge_canary(mix, settings.canary_max_not_exist, plan.run_id)
    ending = hooks.on_canary(mix, guard)
    if guard is not None:
        return Ending.GUARD, guard
    if ending is Ending.DONE:
        await journal.write(lambda steps: steps.pass_canary())
    return ending, canary_declined(plan.run_id) if ending is Ending.GUARD else None


def _keep_line(state_dir: Path, host: str, limit_bytes: int, now_s: float) -> None:
    """Remember what a host takes, if it makes sense and can be written: the report must not fail over it."""
    if limit_bytes < _SHORTEST_LINE:
        return  # it refuses a few numbers as well: that is no matter of length
    try:
        keep_line_limit(state_dir, host, limit_bytes, now_s)
    except StorageError as error:
        log.warning("%s", error.sentence)


def with_learned_limit(settings: Settings, state_dir: Path, host: str, now_s: float) -> Settings:
    """Return the settings with the request line no longer than the host was found to take. `now_s` in Unix seconds."""
    limit = line_limit(state_dir, host, now_s)
    if limit is None or limit >= settings.max_request_line:
        return settings
    return replace(settings, max_request_line=limit)


def _pool_settings(settings: Settings, longest_line: int | None) -> PoolSettings:
    return PoolSettings(
        settings.rate,
        settings.concurrency,
        RetryPolicy(settings.tries, settings.give_up_after_s),
        BusyPolicy(settings.busy_for_s, settings.busy_delay_s),
        settings.forms(),
        longest_line,
    )
