"""What the commands do, once they are called: settings, one call into `run`, the result on the screen."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bulk_remove.adapters.client import Client
from bulk_remove.adapters.console import Live, Screen
from bulk_remove.adapters.folders import lock_campaign
from bulk_remove.adapters.reader import ReadOptions, open_table
from bulk_remove.cli.options import address_from, login_from, settings_from, state_dir_from
from bulk_remove.cli.signals import stopped_by_signals
from bulk_remove.core.plan import Consent, approve
from bulk_remove.core.summary import Ending
from bulk_remove.errors import ExitCode, GuardStop, UsageError
from bulk_remove.run.carry_out import Hooks, Sent, carry_out, connection
from bulk_remove.run.finish import Finished, finish
from bulk_remove.run.preflight import Findings, inspect_campaign, inspect_server
from bulk_remove.run.prepare import Prepared, prepared
from bulk_remove.settings import Address, Login, Settings


def plan_job(options: dict[str, Any]) -> int:
    """Show the plan. Raises InputError, UsageError, StorageError."""
    screen = Screen()
    settings = settings_from(options)
    address = address_from(options) if options["url"] or options["system"] else None
    host, base_path = (address.host, address.base_path) if address else ("a server yet to be named", "")
    with _prepared(options, settings, host, base_path, screen) as ready:
        screen.plan(ready.plan, None)
    return ExitCode.OK


def run_job(options: dict[str, Any]) -> int:
    """Plan, ask, remove, report; returns the exit code. Raises every BulkRemoveError."""
    screen = Screen()
    settings = settings_from(options)
    address = address_from(options)
    login = login_from(options)
    if not options["yes"] and not screen.can_ask:
        raise UsageError("There is no terminal to confirm at.", "Look at the plan first, then add --yes.")
    with (
        lock_campaign(state_dir_from(options), address.host, settings.campaign),
        _prepared(options, settings, address.host, address.base_path, screen) as ready,
        _logged(ready.folder),
    ):
        approved = approve(ready.plan, Consent.FLAG if options["yes"] else Consent.TYPED)
        findings = asyncio.run(_inspected(settings, address, login, settings.campaign))
        screen.plan(ready.plan, findings.records)
        for note in findings.notes:
            screen.note(note)
        if not options["yes"] and not screen.confirm(ready.plan):
            raise GuardStop("Not confirmed: nothing was sent.", "Run it again and type what is asked for.")
        watching = partial(Live(screen.err).sending, ready.plan.numbers, settings.rate, settings.give_up_after_s)
        hooks = Hooks(watching, partial(_stopping, screen), lambda _numbers, _states: None)
        sent = asyncio.run(carry_out(ready, approved, settings, address, login, hooks))
        finished = finish(ready, settings, sent, options["output"])
        _tell(screen, sent, finished)
        return finished.exit_code


def check_job(options: dict[str, Any]) -> int:
    """Try everything that can be tried without removing. Raises UsageError, RefusedError, UnavailableError."""
    screen = Screen()
    address = address_from(options)
    login = login_from(options)
    campaign = options["campaign"]
    settings = settings_from({**options, "campaign": campaign or _NO_CAMPAIGN})
    findings = asyncio.run(_inspected(settings, address, login, campaign))
    screen.tell(f"{address.host} answers{' over verified TLS' if address.tls else ''} and accepts this user.")
    if findings.records is not None:
        screen.tell(f"Campaign {campaign} holds {findings.records:,} records.")
    for note in findings.notes:
        screen.tell(note)
    screen.tell("Whether this user may remove records cannot be tried without removing one.")
    return ExitCode.OK


_NO_CAMPAIGN = "00000"


async def _inspected(settings: Settings, address: Address, login: Login, campaign: str | None) -> Findings:
    async with Client(connection(settings, address, login)) as client:
        if campaign is None:
            return await inspect_server(client, address.base_path, time.time())
        return await inspect_campaign(client, address.base_path, campaign, time.time())


@contextmanager
def _prepared(
    options: dict[str, Any], settings: Settings, host: str, base_path: str, screen: Screen
) -> Iterator[Prepared]:
    reading = ReadOptions(settings.column, settings.keep_columns)
    tables = [open_table(file, reading) for file in options["files"]]
    with ExitStack() as stack:
        with Live(screen.err).reading() as on_rows:
            ready = stack.enter_context(
                prepared(tables, settings, host, base_path, state_dir_from(options), time.time(), on_rows)
            )
        yield ready


@contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """Keep the run's log in its folder. It holds no phone number and no secret."""
    log = logging.getLogger("bulk_remove")
    path = folder / "run.log"
    path.touch(mode=0o600)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _stopping(screen: Screen, stop: Callable[[Ending], None]) -> AbstractContextManager[None]:
    return stopped_by_signals(
        stop, lambda: screen.note("Stopping: requests under way are finished first. Once more stops at once.")
    )


def _tell(screen: Screen, sent: Sent, finished: Finished) -> None:
    screen.summary(
        finished.by_status,
        sent.snapshot,
        sent.ending,
        finished.exit_code,
        sent.ended_s - sent.began_s,
        (finished.report, finished.summary),
    )
    if sent.fault:
        screen.note(f"It ended because: {sent.fault.detail}")
