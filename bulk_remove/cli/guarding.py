"""What is looked at and asked before a run, and between its canary and the rest."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulk_remove.adapters.client import Client
from bulk_remove.adapters.console import Screen
from bulk_remove.cli.credentials import password_for
from bulk_remove.cli.given import state_dir_from
from bulk_remove.cli.signals import answered
from bulk_remove.core.guards import Known
from bulk_remove.core.model import Status
from bulk_remove.core.plan import Plan, check_within_limits, passed
from bulk_remove.core.summary import Ending
from bulk_remove.errors import GuardStop, UnavailableError
from bulk_remove.language import ours, phrase
from bulk_remove.run.carry_out import connection
from bulk_remove.run.evidence import known_of
from bulk_remove.run.preflight import Findings, inspect_campaigns, inspect_server
from bulk_remove.settings import Address, Login, Settings


async def inspected(settings: Settings, address: Address, login: Login, campaigns: Sequence[str]) -> Findings:
    """Ask the server what can be asked without removing. Raises UsageError, RefusedError, UnavailableError."""
    async with Client(connection(settings, address, login)) as client:
        if not campaigns:
            return await inspect_server(client, address.base_path, time.time())
        return await inspect_campaigns(client, address.base_path, campaigns, time.time)


def known_before(
    screen: Screen, plan: Plan, settings: Settings, address: Address, login: Login, options: dict[str, Any]
) -> Known:
    """Find out what is known of the plan's campaigns, show the plan and all that is to be said of it.

    Raises RefusedError, UnavailableError.
    """
    findings = asyncio.run(inspected(settings, address, login, plan.campaign_ids))
    known, notes = known_of(state_dir_from(options), plan.host, plan.campaign_ids, findings.records)
    screen.plan(plan, known, settings.also_try)
    for note in (*findings.notes, *notes, *passed(plan, known)):
        screen.note(note)
    return known


def known_to_plan(
    screen: Screen, plan: Plan, settings: Settings, address: Address | None, options: dict[str, Any]
) -> tuple[Known, Callable[[], None]]:
    """Return what can be known of a plan that is only looked at, and a function that tells what is to be said of it.

    That function raises GuardStop when the plan is over a limit; a limit on a share that nobody could be asked about is
    told of and left out. Raises RefusedError.
    """
    asked, notes = _asked(plan, settings, address, options)
    records = asked.records if asked else {}
    known = Known(records)
    if address is not None:
        known, more = known_of(state_dir_from(options), plan.host, plan.campaign_ids, records)
        notes = (*notes, *more, *passed(plan, known))
    limits = plan.limits
    if not asked and limits.max_share is not None:
        notes = (*notes, "--max-share was not checked: for that the server is asked, which takes --url and --user.")
        limits = replace(limits, max_share=None)

    def tell() -> None:
        for note in notes:
            screen.note(note)
        check_within_limits(replace(plan, limits=limits), known)

    return known, tell


def _asked(
    plan: Plan, settings: Settings, address: Address | None, options: dict[str, Any]
) -> tuple[Findings | None, tuple[str, ...]]:
    """Ask the server where address, user and password are given; None where they are not or it does not answer."""
    if address is None or not options["user"]:
        return None, ()
    password = password_for(options, address)
    if not password or not plan.campaign_ids:
        return None, ()
    try:
        findings = asyncio.run(inspected(settings, address, Login(options["user"], password), plan.campaign_ids))
    except UnavailableError as error:
        return None, (
            phrase("The server could not be asked how many records there are: {problem}", problem=ours(error.sentence)),
        )
    return findings, findings.notes


def canary_judge(
    screen: Screen, plan: Plan, *, may_ask: bool
) -> Callable[[Mapping[Status, int], GuardStop | None], Ending]:
    """Return what shows the canary's verdicts and, where somebody can be asked, asks whether the rest may follow."""

    def judge(mix: Mapping[Status, int], stop: GuardStop | None) -> Ending:
        screen.canary(mix)
        left = plan.to_send - sum(mix.values())
        if stop is not None or not may_ask or left <= 0:
            return Ending.DONE if stop is None else Ending.GUARD
        return answered(lambda: screen.confirm_rest(left))

    return judge
