"""Sends an approved plan."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from bulk_remove.adapters.client import Client, Connection
from bulk_remove.adapters.clock import SystemClock
from bulk_remove.adapters.folders import keep_line_limit, line_limit
from bulk_remove.adapters.ledger import Journal, Planning
from bulk_remove.adapters.pool import Outside, Pool, PoolSettings
from bulk_remove.core.model import NumberState
from bulk_remove.core.plan import ApprovedPlan
from bulk_remove.core.progress import Snapshot
from bulk_remove.core.replies import Fault
from bulk_remove.core.retry import BusyPolicy, RetryPolicy
from bulk_remove.core.summary import Ending
from bulk_remove.errors import ExitCode, StorageError
from bulk_remove.run.prepare import Prepared
from bulk_remove.settings import Address, Login, Settings

log = logging.getLogger("bulk_remove.run")

_SHORTEST_LINE = 500
"""No server is known that takes less, in bytes; proxies stop at 2 KiB at the earliest."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What goes on around the sending.

    `watching` shows the progress while it is entered; it is given a function that returns how far the run is.
    `stopping` may call the function that it is given, while it is entered, to have the run end safely.
    `on_settled` is told the numbers of each chunk and their states, once they are on disk.
    """

    watching: Callable[[Callable[[], Snapshot]], AbstractAsyncContextManager[None]]
    stopping: Callable[[Callable[[Ending], None]], AbstractContextManager[None]]
    on_settled: Callable[[Sequence[str], Sequence[NumberState]], None]


class Carried(NamedTuple):
    """A run that was carried out: its folder, its exit code, and whether a signal came while the report was written."""

    folder: Path
    exit_code: ExitCode
    stop_wished: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """How this session of sending went. `fault` is the one that ended it, if one did."""

    ending: Ending
    fault: Fault | None
    snapshot: Snapshot


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
        session_no = await journal.write(lambda steps: steps.begin_session(began_s))
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
                async with hooks.watching(pool.snapshot):
                    ending = await pool.drain()
        ended_s = clock.wall_s()
        await journal.write(lambda steps: steps.end_session(session_no, ended_s, ending.value))
    if pool.longest_line not in {None, known_line}:
        _keep_line(prepared.state_dir, approved.plan.host, pool.longest_line or 0, ended_s)
    return Sent(ending, pool.fault, pool.snapshot())


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
