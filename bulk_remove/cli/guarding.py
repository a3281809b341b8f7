"""What is looked at and asked before a run, and between its canary and the rest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bulk_remove.adapters.console import Screen
from bulk_remove.adapters.console.planned import form_lines, form_warnings, when_lines, when_notes
from bulk_remove.cli.config_jobs import untyped_notes
from bulk_remove.cli.credentials import password_for
from bulk_remove.cli.given import state_dir_from
from bulk_remove.cli.signals import answered
from bulk_remove.core.guards import Known
from bulk_remove.core.model import Status
from bulk_remove.core.plan import Plan, check_within_limits, passed
from bulk_remove.core.summary import Ending
from bulk_remove.errors import GuardStop, UnavailableError
from bulk_remove.language import ours, phrase
from bulk_remove.run.earlier import EarlierRuns
from bulk_remove.run.evidence import known_of, look_at
from bulk_remove.run.preflight import NOT_ASKED, Findings
from bulk_remove.run.prepare import Look, Prepared
from bulk_remove.settings import Address, Login, Settings


def looking(settings: Settings, address: Address, login: Login, state_dir: Path) -> Look:
    """Return what looks at campaigns. It raises UsageError, RefusedError, UnavailableError, StorageError."""
    return lambda campaigns: look_at(campaigns, settings, address, login, state_dir)


def looking_if_possible(settings: Settings, address: Address | None, options: dict[str, Any]) -> Look:
    """Return what looks at campaigns where address, user and password are given and the server is there.

    It raises UsageError, RefusedError, StorageError.
    """

    def look(campaigns: Sequence[str]) -> Findings:
        if address is None or not options["user"]:
            return NOT_ASKED
        password = password_for(options, address)
        if not password:
            return NOT_ASKED
        try:
            return look_at(campaigns, settings, address, Login(options["user"], password), state_dir_from(options))
        except UnavailableError as error:
            note = phrase(
                "The server could not be asked how many records there are: {problem}", problem=ours(error.sentence)
            )
            return replace(NOT_ASKED, notes=(note,))

    return look


def known_before(screen: Screen, ready: Prepared, options: dict[str, Any]) -> Known:
    """Return what is known of the plan's campaigns; show the plan and all that is to be said of it."""
    plan, findings = ready.plan, ready.findings
    known, notes = known_of(state_dir_from(options), plan.host, plan.campaign_ids, findings.records)
    show_plan(screen, ready, known, options)
    for note in (*findings.notes, *notes, *passed(plan, known), *_asides(ready, options)):
        screen.note(note)
    return known


def _asides(ready: Prepared, options: dict[str, Any]) -> Iterator[str]:
    """Yield what nobody typed now, and which files were run before; a rerun has that from its run."""
    if ready.phases is not None:
        return
    yield from untyped_notes()
    earlier = EarlierRuns(state_dir_from(options), ready.plan.host, ready.settings)
    yield from earlier.told_of(source.source for source in ready.plan.sources)


def show_plan(screen: Screen, ready: Prepared, known: Known, options: dict[str, Any]) -> None:
    """Show a plan, how its campaigns hold their numbers, and when these are removed."""
    forms, region = ready.settings.forms(), ready.settings.region
    lines = [*form_lines(ready.plan, forms, region), *when_lines(ready.settings.hours, *_moments(options))]
    screen.plan(ready.plan, known, ready.settings.also_try, lines)
    for warning in form_warnings(ready.plan, forms, region):
        screen.note(warning)
    show_when(screen, ready.settings, options)


def show_when(screen: Screen, settings: Settings, options: dict[str, Any]) -> None:
    """Say what may come as a surprise in when numbers are removed."""
    for note in when_notes(settings.windows, *_moments(options)):
        screen.note(note)


def _moments(options: dict[str, Any]) -> tuple[datetime | None, datetime]:
    """Return the deadline, if there is one, and now, as a clock on the wall shows them."""
    until_s = options.get("until")
    until = None if until_s is None else datetime.fromtimestamp(until_s)  # noqa: DTZ006 - local time is meant
    return until, datetime.now()  # noqa: DTZ005 - likewise


def known_to_plan(
    screen: Screen, ready: Prepared, address: Address | None, options: dict[str, Any]
) -> tuple[Known, Callable[[], None]]:
    """Return what can be known of a plan that is only looked at, and a function that tells what is to be said of it.

    That function raises GuardStop when the plan is over a limit; a limit on a share that nobody could be asked about is
    told of and left out.
    """
    plan, findings = ready.plan, ready.findings
    known, notes = Known(findings.records), findings.notes
    if address is not None:
        known, more = known_of(state_dir_from(options), plan.host, plan.campaign_ids, findings.records)
        notes = (*notes, *more, *passed(plan, known))
    notes = (*notes, *_asides(ready, options))
    limits = plan.limits
    if not findings.asked and limits.max_share is not None:
        notes = (*notes, "--max-share was not checked: for that the server is asked, which takes --url and --user.")
        limits = replace(limits, max_share=None)

    def tell() -> None:
        for note in notes:
            screen.note(note)
        check_within_limits(replace(plan, limits=limits), known)

    return known, tell


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
