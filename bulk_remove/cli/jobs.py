"""What the commands do, once they are called: settings, one call into `run`, the result on the screen."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bulk_remove.adapters.console import Live, Screen
from bulk_remove.adapters.folders import lock_campaigns
from bulk_remove.adapters.ledger import Outcomes
from bulk_remove.adapters.pool import Pool
from bulk_remove.adapters.reader import ReadOptions, find_files, open_table
from bulk_remove.cli.aftermath import Aftermath, aftermath
from bulk_remove.cli.configured import without_profile
from bulk_remove.cli.credentials import login_from
from bulk_remove.cli.given import address_from, changes_from, settings_from, state_dir_from
from bulk_remove.cli.guarding import canary_judge, inspected, known_before, known_to_plan
from bulk_remove.cli.keys import steered_by_keys
from bulk_remove.cli.reports import check_places, wanted_of
from bulk_remove.cli.run_log import logged
from bulk_remove.cli.signals import report_kept, stopped_by_signals, told_truly
from bulk_remove.core.numbers import NumberRules
from bulk_remove.core.plan import ApprovedPlan, Consent, approve, check_holds_numbers, check_within_limits
from bulk_remove.core.progress import duration
from bulk_remove.core.summary import Ending
from bulk_remove.errors import ExitCode, GuardStop, UsageError
from bulk_remove.language import counted, ours, phrase
from bulk_remove.run.carry_out import Carried, Hooks, Sent, carry_out, notes_of, with_learned_limit
from bulk_remove.run.finish import Finished, finish
from bulk_remove.run.old_report import OldReport
from bulk_remove.run.plan_json import plan_as_json
from bulk_remove.run.preflight import error_of
from bulk_remove.run.prepare import Prepared, check_plan, prepared, reading_of
from bulk_remove.run.rerun import Rows, prepared_again
from bulk_remove.run.resume import earlier_run, find_run, kept_of, reopened
from bulk_remove.settings import Address, Destination, Login, Settings


def plan_job(options: dict[str, Any]) -> int:
    """Show the plan. Raises InputError, UsageError, StorageError."""
    screen = Screen()
    settings = settings_from(options)
    address = address_from(options) if options["url"] or options["system"] else None
    if address:
        settings = _learned(screen, settings, state_dir_from(options), address)
    destination = address.destination("") if address else Destination(host=phrase("a server yet to be named"))
    with _prepared(options, settings, destination, screen) as ready:
        known, tell_notes = known_to_plan(screen, ready.plan, settings, address, options)
        if options["as_json"]:
            screen.tell(plan_as_json(ready.plan, settings, known))
        else:
            screen.plan(ready.plan, known, settings.also_try)
        check_plan(ready.plan, settings)
        tell_notes()
    return ExitCode.OK


def run_job(options: dict[str, Any]) -> int:
    """Plan, ask, remove, report; returns the exit code. Raises every BulkRemoveError."""
    screen = Screen()
    with aftermath(screen, options) as after:
        return _ended(after, run_anew(screen, options, ()))


def run_anew(screen: Screen, options: dict[str, Any], held: Collection[str]) -> Carried:
    """Plan, ask, remove, report. The campaigns `held` are locked already. Raises every BulkRemoveError."""
    settings = settings_from(options)
    address = address_from(options)
    login = login_from(options, address)
    _need_consent(screen, options)
    settings = _learned(screen, settings, state_dir_from(options), address)
    state_dir = state_dir_from(options)
    known = [settings.campaign] if settings.campaign else []
    with (
        lock_campaigns(state_dir, address.host, {*known} - {*held}),
        _prepared(options, settings, _destination(address, login, options), screen) as ready,
        lock_campaigns(state_dir, address.host, {*ready.plan.campaign_ids} - {*known} - {*held}),
    ):
        return _asked_and_carried_out(screen, ready, settings, address, login, options)


def rerun_job(options: dict[str, Any]) -> int:
    """Ask again for what an earlier run left open; returns the exit code. Raises every BulkRemoveError."""
    screen = Screen()
    with aftermath(screen, options) as after:
        return _ended(after, _rerun(screen, options))


def _ended(after: Aftermath, carried: Carried) -> int:
    after.runs.append(carried.folder)
    after.code = carried.exit_code
    return carried.exit_code


def _rerun(screen: Screen, options: dict[str, Any]) -> Carried:
    options = without_profile(options, "campaign", "output")
    if not _is_report(options["earlier"]):
        options = without_profile(options, "url", "system", "user")
    state_dir = state_dir_from(options)
    _need_consent(screen, options)
    with _earlier_rows(options, state_dir) as (rows, kept, given, told):
        address = Address.parse(told.url) if told.url else address_from(options)
        login = login_from({**options, "user": options["user"] or told.user}, address)
        settings = _learned(screen, given, state_dir, address)
        with (
            prepared_again(
                rows, kept, settings, _destination(address, login, options), state_dir, time.time()
            ) as ready,
            lock_campaigns(state_dir, address.host, ready.plan.campaign_ids),
        ):
            return _asked_and_carried_out(screen, ready, settings, address, login, options)


@contextmanager
def _earlier_rows(
    options: dict[str, Any], state_dir: Path
) -> Iterator[tuple[Rows, tuple[str, ...], Settings, Destination]]:
    """Give the rows of a report or of a run, the columns to keep, the settings, and where that run sent to."""
    earlier = options["earlier"]
    given = address_from(options).destination("") if options["url"] or options["system"] else Destination()
    if _is_report(earlier):
        changes = changes_from(options, typed_only=False)
        # Its own column and its short numbers are right whatever they look like: they were sent before.
        given_rules = {name: changes[name] for name in ("number_format", "region") if name in changes}
        rules = NumberRules(**given_rules, internal_numbers=True)
        reading = ReadOptions("number", keep_columns=True, has_header=True, trust_column=True, code_column=False)
        report = OldReport(open_table(earlier, reading), rules)
        if "campaign" not in changes:
            changes["campaign_column"] = "campaign"
        settings = Settings(**changes)
        yield report.rows, report.kept, settings, given
        return
    with earlier_run(find_run(state_dir, earlier), changes_from(options, typed_only=True)) as run:
        told = run.destination
        if given.url and (given.host, given.base_path) != (told.host, told.base_path):
            raise UsageError(
                phrase(
                    "Run {earlier} was sent to {host}, not to {other}.",
                    earlier=earlier,
                    host=told.host,
                    other=given.host,
                ),
                "Leave --url, --system and BULK_REMOVE_URL out; to send elsewhere, rerun its report.csv.",
            )
        yield Outcomes(run.store).rows, kept_of(run), run.settings, told


def _is_report(earlier: str) -> bool:
    return Path(earlier).suffix.lower() in {".csv", ".xlsx"}


def _learned(screen: Screen, settings: Settings, state_dir: Path, address: Address) -> Settings:
    """Keep to the request line that the host was found to take; say so, and what else is known of it."""
    learned = with_learned_limit(settings, state_dir, address.host, time.time())
    if learned is not settings:
        screen.note(
            phrase(
                "{host} was found to refuse request lines over {max_request_line:,} bytes.",
                host=address.host,
                max_request_line=learned.max_request_line,
            )
        )
    for note in notes_of(settings, state_dir, address.host, time.time()):
        screen.note(note)
    return learned


def _need_consent(screen: Screen, options: dict[str, Any]) -> None:
    if not options["yes"] and not screen.can_ask:
        raise UsageError("There is no terminal to confirm at.", "Look at the plan first, then add --yes.")


def _destination(address: Address, login: Login, options: dict[str, Any]) -> Destination:
    output, wanted = options["output"], wanted_of(options)
    if output:
        check_places(output, wanted, [*options.get("files", ()), options.get("earlier", "")])
    told = address.destination(login.user, str(output.absolute()) if output else "")
    return replace(told, csv_for=wanted.csv_for, also=wanted.also)


def _asked_and_carried_out(
    screen: Screen, ready: Prepared, settings: Settings, address: Address, login: Login, options: dict[str, Any]
) -> Carried:
    """Show the plan, ask for consent, and carry it out."""
    check_holds_numbers(ready.plan)
    known = known_before(screen, ready.plan, settings, address, login, options)
    if "max_invalid" in options:  # a rerun's rows were let through before
        check_plan(ready.plan, settings)
    check_within_limits(ready.plan, known)
    if ready.plan.to_send and not options["yes"] and not screen.confirm(ready.plan, known):
        raise GuardStop("Not confirmed: nothing was sent.", "Run it again and type what is asked for.")
    approved = approve(ready.plan, Consent.FLAG if options["yes"] else Consent.TYPED, known)
    return _carried_out(screen, ready, approved, settings, address, login, options)


def resume_job(options: dict[str, Any]) -> int:
    """Finish an earlier run from its ledger; returns the exit code. Raises every BulkRemoveError."""
    screen = Screen()
    with aftermath(screen, options) as after:
        return _ended(after, resume_run(screen, options, ()))


def resume_run(screen: Screen, options: dict[str, Any], held: Collection[str]) -> Carried:
    """Finish an earlier run from its ledger. The campaigns `held` are locked already. Raises every BulkRemoveError."""
    options = without_profile(options, "user", "output")
    state_dir = state_dir_from(options)
    with earlier_run(find_run(state_dir, options["run"] or ""), changes_from(options, typed_only=True)) as run:
        address = Address.parse(run.destination.url)
        login = login_from({**options, "user": options["user"] or run.destination.user}, address)
        output = options["output"] or (Path(run.destination.output) if run.destination.output else None)
        wanted = wanted_of(options, run.destination)
        if output:
            check_places(output, wanted, ())
        with lock_campaigns(state_dir, address.host, {*run.campaigns} - {*held}):
            ready = reopened(run, time.time())
            approved = approve(ready.plan, run.consent)
            screen.note(
                phrase(
                    "Resuming run {run_id}: {numbers:,} numbers on {host}.",
                    run_id=ready.plan.run_id,
                    numbers=ready.plan.numbers,
                    host=ready.plan.host,
                )
            )
            told = {**options, "output": output, "also": wanted.also, "csv_for": wanted.csv_for}
            return _carried_out(screen, ready, approved, run.settings, address, login, told)


def check_job(options: dict[str, Any]) -> int:
    """Try everything that can be tried without removing. Raises UsageError, RefusedError, UnavailableError."""
    screen = Screen()
    address = address_from(options)
    login = login_from(options, address)
    campaign = options["campaign"]
    settings = settings_from({**options, "campaign": campaign or _NO_CAMPAIGN})
    findings = asyncio.run(inspected(settings, address, login, [campaign] if campaign else []))
    screen.tell(
        phrase(
            "{host} answers{how} and accepts this user.",
            host=address.host,
            how=phrase(" over verified TLS") if address.tls else "",
        )
    )
    for name, records in findings.records.items():
        screen.tell(phrase("Campaign {name} holds {records:,} records.", name=name, records=records))
    for note in findings.notes:
        screen.tell(note)
    screen.tell("Whether this user may remove records cannot be tried without removing one.")
    return ExitCode.OK


_NO_CAMPAIGN = "00000"
_SHOWN_PROOFS = 10


def _carried_out(
    screen: Screen,
    ready: Prepared,
    approved: ApprovedPlan,
    settings: Settings,
    address: Address,
    login: Login,
    options: dict[str, Any],
) -> Carried:
    """Send, report, and tell; a signal while the report is written leaves the exit code as it is."""
    wishes: list[str] = []

    def keep_on() -> None:
        wishes.append("stop")
        screen.note("The report is being written; once more stops at once.")

    with told_truly(ready.plan.run_id, ready.store.approved):
        with (
            logged(ready.folder, screen, options["log_format"]),
            report_kept(keep_on) as spare,
        ):
            watching = partial(
                Live(screen.err).sending, ready.plan.numbers, settings.ceilings().rate, settings.give_up_after_s
            )
            stopping = partial(_stopping, screen, options["until"], spare)
            judge = canary_judge(screen, ready.plan, may_ask=screen.can_ask and not options.get("yes"))
            hooks = Hooks(watching, stopping, lambda _numbers, _states: None, judge, _steering(screen, options))
            sent = asyncio.run(carry_out(ready, approved, settings, address, login, hooks))
            finished = finish(ready, settings, sent.ending, options["output"], wanted_of(options))
        _tell(screen, ready, settings, sent, finished)
    return Carried(ready.folder, finished.exit_code, bool(wishes), finished.also)


def _tell(screen: Screen, ready: Prepared, settings: Settings, sent: Sent, finished: Finished) -> None:
    """Say what the run amounts to, where the report is, and how to go on."""
    screen.summary(
        finished.by_status,
        _done_by(finished),
        finished.totals.faults,
        finished.totals.strangers,
        sent.ending,
        finished.exit_code,
    )
    if settings.additional_numbers:
        screen.tell("  Records were removed, too, when a number was among their additional ones.")
    for proof in finished.proofs[:_SHOWN_PROOFS]:
        screen.tell(phrase("  {told}", told=proof.sentence()))
    if len(finished.proofs) > _SHOWN_PROOFS:
        screen.tell("  The counts of the other campaigns are in the summary.")
    error = error_of(sent.fault, settings.campaign) if sent.fault else sent.guard
    if error:
        screen.tell(phrase("  It ended because: {problem} {hint}", problem=ours(error.sentence), hint=ours(error.hint)))
    screen.files(finished.report, finished.summary, finished.also)
    if finished.resumable and not sent.guard:
        screen.tell(phrase("  To go on: bulk-remove resume {run_id}", run_id=ready.plan.run_id))


def _done_by(finished: Finished) -> str:
    requests, records = finished.totals.requests, finished.removed_records
    if not requests:  # what is final already is asked for by no rerun
        return (
            phrase(
                "Nothing had to be sent; removed before: {records}.",
                records=counted(records, "{count:,} record", "{count:,} records"),
            )
            if records
            else "Nothing was sent."
        )
    spent = duration(finished.totals.seconds)
    return phrase(
        "{records} removed by {requests} in {spent}.",
        records=counted(records, "{count:,} record", "{count:,} records"),
        requests=counted(requests, "{count:,} request", "{count:,} requests"),
        spent=spent,
    )


@contextmanager
def _prepared(
    options: dict[str, Any], settings: Settings, destination: Destination, screen: Screen
) -> Iterator[Prepared]:
    state_dir = state_dir_from(options)
    found = find_files(options["files"])
    for note in found.notes:
        screen.note(note)
    reading = reading_of(settings, state_dir)
    tables = [open_table(file, reading) for file in found.files]
    show_numbers = options["show_numbers"]
    with ExitStack() as stack:
        with Live(screen.err).reading() as on_rows:
            ready = stack.enter_context(
                prepared(tables, settings, destination, state_dir, time.time(), on_rows, show_numbers=show_numbers)
            )
        yield ready


def _steering(screen: Screen, options: dict[str, Any]) -> Callable[[Pool], AbstractContextManager[None]]:
    """Return what lets the operator's keys steer; nothing is read where the numbers came from standard input."""
    return (lambda _pool: nullcontext()) if "-" in options.get("files", ()) else partial(steered_by_keys, screen)


@contextmanager
def _stopping(
    screen: Screen, until_s: float | None, spare: Callable[[], None], stop: Callable[[Ending], None]
) -> Iterator[None]:
    """Stop safely at a signal, or at the time of day `until_s` (Unix seconds) if given; the report is then spared."""
    loop = asyncio.get_running_loop()
    timer = None if until_s is None else loop.call_later(until_s - time.time(), stop, Ending.DEADLINE)
    try:
        with stopped_by_signals(
            stop, lambda: screen.note("Stopping: requests under way are finished first. Once more stops at once.")
        ):
            spare()  # while these handlers still cover it, so that no signal falls between
            yield
    finally:
        if timer:
            timer.cancel()
