"""What the commands do, once they are called: settings, one call into `run`, the result on the screen.

It also asks before a run and after its canary, and turns keys that are pressed while a run sends into orders to the
pool.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from bulk_remove.cli.aftermath import Aftermath, aftermath, logged
from bulk_remove.cli.config_jobs import untyped_notes
from bulk_remove.cli.given import address_from, changes_from, login_from, password_for, settings_from, state_dir_from
from bulk_remove.cli.past_commands import wanted_of
from bulk_remove.cli.profiles import profile_of, without_profile
from bulk_remove.cli.signals import answered, report_kept, stopped_by_signals, told_truly
from bulk_remove.console import Live, Screen, moment_of, typed_keys
from bulk_remove.console.screen import form_lines, form_warnings, when_lines, when_notes
from bulk_remove.core.forms import told_forms
from bulk_remove.core.limits import NOTHING_KNOWN, Known
from bulk_remove.core.model import Status
from bulk_remove.core.plan import ApprovedPlan, Consent, Plan, approve, check_holds_numbers, check_within_limits, passed
from bulk_remove.core.summary import Ending, headline
from bulk_remove.core.throttle import LEGEND, Key, key_of, pressed
from bulk_remove.core.timeline import duration
from bulk_remove.core.verdicts import CAUSE, UnaskedRemoval, unasked_told
from bulk_remove.errors import ExitCode, GuardStop, UnavailableError, UsageError
from bulk_remove.language import counted, ours, phrase
from bulk_remove.ledger import Outcomes
from bulk_remove.reader import Places, SetAside, find_files, open_table, open_tables
from bulk_remove.run.finish import REPORT, SUMMARY, Finished, Wanted, sum_up
from bulk_remove.run.folders import lock_campaigns
from bulk_remove.run.job import (
    Carried,
    Hooks,
    Sent,
    carry_out,
    connection,
    known_of,
    look_at,
    notes_of,
    with_learned_limit,
)
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.places import Job, check_places, finish_there, taken_meanwhile
from bulk_remove.run.preflight import NOT_ASKED, Findings, Glance, error_of, inspect_campaigns, inspect_server
from bulk_remove.run.prepare import Look, Prepared, Sight, check_plan, plan_as_json, prepared, reading_of
from bulk_remove.run.rerun import earlier_rows, is_report, prepared_again
from bulk_remove.run.resume import check_not_abandoned, earlier_run, find_run, nothing_left, reopened, standing_of
from bulk_remove.sending import Pool
from bulk_remove.sending.client import Client
from bulk_remove.settings import Address, Destination, Login, Settings


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


log = logging.getLogger("bulk_remove.keys")


@contextmanager
def steered_by_keys(screen: Screen, pool: Pool) -> Iterator[None]:
    """Let the operator hold, slow down and stop the sending. Enter it in the main thread, inside the loop."""

    def press(typed: str) -> None:
        keys = [key for key in map(key_of, typed) if key is not None]
        if not keys:
            screen.note(LEGEND)
        for key in keys:
            answer = _answer(pool, key)
            log.info("key %s: %s", key, answer)
            screen.note(answer)

    with typed_keys(screen.err, press) as listening:
        if listening:
            screen.note(LEGEND)
        yield


def _answer(pool: Pool, key: Key) -> str:
    """Do what a key says; returns the sentence that answers it."""
    if pool.stopping:
        return "Stopping already; Ctrl-C once more stops at once."
    if key is Key.STOP:
        pool.stop(Ending.KEY)
        signal.raise_signal(signal.SIGINT)  # so that it is the first Ctrl-C, and the next one the second
        return "Stopping, as Ctrl-C does."
    wanted, answer = pressed(pool.steering, key)
    pool.steer(wanted)
    opens_s = pool.snapshot().opens_s
    if key is Key.PAUSE and not wanted.paused and opens_s is not None:
        return phrase("Not paused any more; outside --hours: goes on at {moment}.", moment=moment_of(opens_s))
    return answer


def plan_job(options: dict[str, Any]) -> int:
    """Show the plan. Raises InputError, UsageError, StorageError."""
    screen = Screen()
    settings = settings_from(options)
    address = address_from(options) if options["url"] or options["system"] else None
    if address:
        settings = _learned(screen, settings, state_dir_from(options), address)
    destination = address.destination("") if address else Destination(host=phrase("a server yet to be named"))
    look = looking_if_possible(settings, address, options)
    with _prepared(options, settings, destination, screen, look) as ready:
        known, tell_notes = known_to_plan(screen, ready, address, options)
        if options["as_json"]:
            screen.tell_json(plan_as_json(ready.plan, ready.settings, known))
        else:
            show_plan(screen, ready, known, options)
        check_holds_numbers(ready.plan)
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
    look = looking(settings, address, login, state_dir)
    with (
        lock_campaigns(state_dir, address.host, {*known} - {*held}),
        _prepared(options, settings, _destination(address, login, options, settings), screen, look) as ready,
        lock_campaigns(state_dir, address.host, {*ready.plan.campaign_ids} - {*known} - {*held}),
    ):
        return _asked_and_carried_out(screen, ready, address, login, options)


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
    earlier = options["earlier"]
    if not is_report(earlier):
        options = without_profile(options, "url", "system", "user")
    state_dir = state_dir_from(options)
    _need_consent(screen, options)
    given = address_from(options).destination("") if options["url"] or options["system"] else None
    changes = changes_from(options, typed_only=not is_report(earlier))
    with earlier_rows(earlier, changes, state_dir, given) as again:
        _tell_unasked(screen, again.unasked)
        told = again.destination
        address = Address.parse(told.url) if told.url else address_from(options)
        login = login_from({**options, "user": options["user"] or told.user}, address)
        settings = _learned(screen, again.settings, state_dir, address)
        look = looking(settings, address, login, state_dir)
        destination = _destination(address, login, options, settings)
        with (
            prepared_again(again, settings, destination, state_dir, time.time(), look) as ready,
            lock_campaigns(state_dir, address.host, ready.plan.campaign_ids),
        ):
            return _asked_and_carried_out(screen, ready, address, login, options)


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


def _destination(address: Address, login: Login, options: dict[str, Any], settings: Settings) -> Destination:
    output, wanted = options["output"], wanted_of(options)
    if output:
        given = find_files(options["files"]) if "files" in options else Places((options["earlier"],), ())
        job = Job(state_dir_from(options), address.host, settings, overwrite=options["overwrite"])
        check_places(output, wanted, [*given.files, *_read_besides(settings, options)], job, given.found)
    told = address.destination(login.user, str(output.absolute()) if output else "")
    return replace(told, csv_for=wanted.csv_for, also=wanted.also)


def _read_besides(settings: Settings, options: dict[str, Any]) -> Sequence[str]:
    """Return the files that a run reads besides its input."""
    profile = profile_of(click.get_current_context()).file
    return (*settings.keep, settings.ca_file, options["password_file"], str(profile))


def _asked_and_carried_out(
    screen: Screen, ready: Prepared, address: Address, login: Login, options: dict[str, Any]
) -> Carried:
    """Show the plan, ask for consent, and carry it out."""
    check_holds_numbers(ready.plan)
    known = known_before(screen, ready, options)
    if "max_invalid" in options:  # a rerun's rows were let through before
        check_plan(ready.plan, ready.settings)
    check_within_limits(ready.plan, known)
    if ready.plan.to_send and not options["yes"] and not screen.confirm(ready.plan, known):
        raise _not_confirmed()
    approved = approve(ready.plan, Consent.FLAG if options["yes"] else Consent.TYPED, known)
    return _carried_out(screen, ready, approved, address, login, options)


def _not_confirmed() -> GuardStop:
    return GuardStop("Not confirmed: nothing was sent.", "Run it again and type what is asked for.")


def resume_job(options: dict[str, Any]) -> int:
    """Finish an earlier run from its ledger; returns the exit code. Raises every BulkRemoveError."""
    screen = Screen()
    with aftermath(screen, options) as after:
        return _ended(after, resume_run(screen, options, ()))


def resume_run(screen: Screen, options: dict[str, Any], held: Collection[str]) -> Carried:
    """Finish an earlier run from its ledger. The campaigns `held` are locked already. Raises every BulkRemoveError."""
    options = without_profile(options, "user", "output")
    state_dir = state_dir_from(options)
    folder = find_run(state_dir, options["run"] or "")
    check_not_abandoned(folder)
    with earlier_run(folder, changes_from(options, typed_only=True)) as run:
        address = Address.parse(run.destination.url)
        login = login_from({**options, "user": options["user"] or run.destination.user}, address)
        output = options["output"] or (Path(run.destination.output) if run.destination.output else None)
        wanted = wanted_of(options, run.destination)
        if output:
            job = Job(
                state_dir, address.host, run.settings, run_id=folder.name, overwrite=bool(options.get("overwrite"))
            )
            check_places(output, wanted, _read_besides(run.settings, options), job)
        with lock_campaigns(state_dir, address.host, {*run.campaigns} - {*held}):
            left, done = standing_of(run)
            screen.standing(left, done)
            if (finished := nothing_left(run)) is not None:
                return _left_as_it_is(screen, finished, output, wanted, anew=bool(options.get("overwrite")))
            show_when(screen, run.settings, options)
            if left.to_send:
                _need_consent(screen, options)
                if not options["yes"] and not screen.confirm(left, NOTHING_KNOWN):
                    raise _not_confirmed()
            ready = reopened(run, time.time())
            approved = approve(ready.plan, run.consent)
            screen.note(
                phrase(
                    "Resuming run {run_id}: {numbers} on {host}.",
                    run_id=ready.plan.run_id,
                    numbers=counted(ready.plan.numbers, "{count:,} number", "{count:,} numbers"),
                    host=ready.plan.host,
                )
            )
            _tell_unasked(screen, Outcomes(run.store).unasked_removals())
            told = {**options, "output": output, "also": wanted.also, "csv_for": wanted.csv_for}
            return _carried_out(screen, ready, approved, address, login, told)


def _left_as_it_is(
    screen: Screen,
    finished: tuple[Prepared, Settings, Ending],
    output: Path | None,
    wanted: Wanted,
    *,
    anew: bool,
) -> Carried:
    """Say that nothing is left of a run, and write its report from the ledger where it is missing, or `anew`."""
    ready, settings, ending = finished
    report = output or ready.folder / REPORT
    places = (report, report.with_suffix(SUMMARY), *wanted.places(report))
    screen.tell("Nothing is left to ask for: this run is finished, and nothing was sent.")
    if not anew and all(place.exists() for place in places):
        told = sum_up(ready, settings, ending)
    else:
        told = finish_there(ready, settings, ending, output, wanted, overwrite=anew)
        _warn_of_place(screen, output, told.report)
        places = (told.report, told.summary, *told.also)
    screen.tell(headline(told.by_status, ending, told.nothing, ready.plan.rehearsal))
    screen.files(places[0], places[1], places[2:])
    return Carried(ready.folder, told.exit_code, None, places[2:])


def _warn_of_place(screen: Screen, meant: Path | None, place: Path) -> None:
    if meant is not None and meant != place:
        screen.warn(taken_meanwhile(meant, place))


def _tell_unasked(screen: Screen, removals: Sequence[UnaskedRemoval]) -> None:
    """Say again what an earlier session of a run removed that nobody asked for."""
    if removals:
        screen.warn(phrase("{removals} {cause}", removals=unasked_told(removals), cause=ours(CAUSE)))


def check_job(options: dict[str, Any]) -> int:
    """Try everything that can be tried without removing. Raises UsageError, RefusedError, UnavailableError."""
    screen = Screen()
    address = address_from(options)
    login = login_from(options, address)
    campaign = options["campaign"]
    settings = settings_from({**options, "campaign": campaign or _NO_CAMPAIGN})
    findings = asyncio.run(_checked(settings, address, login, campaign))
    screen.tell(
        phrase(
            "{host} answers{how} and accepts this user.",
            host=address.host,
            how=phrase(" over verified TLS") if address.tls else "",
        )
    )
    for name, records in findings.records.items():
        screen.tell(
            phrase(
                "Campaign {name} holds {records}.",
                name=name,
                records=counted(records, "{count:,} record", "{count:,} records"),
            )
        )
    for name, held in findings.held.items():
        told = told_forms(held, settings.region)
        screen.tell(phrase("Campaign {name} holds numbers as {told}.", name=name, told=told))
    for note in findings.notes:
        screen.tell(note)
    screen.tell("Whether this user may remove records cannot be tried without removing one.")
    return ExitCode.OK


async def _checked(settings: Settings, address: Address, login: Login, campaign: str | None) -> Findings:
    async with Client(connection(settings, address, login)) as client:
        if not campaign:
            return await inspect_server(client, address.base_path, time.time())
        return await inspect_campaigns(client, address.base_path, [campaign], time.time, Glance(settings.region))


_NO_CAMPAIGN = "00000"
_SHOWN_PROOFS = 10


def _carried_out(
    screen: Screen,
    ready: Prepared,
    approved: ApprovedPlan,
    address: Address,
    login: Login,
    options: dict[str, Any],
) -> Carried:
    """Send, report, and tell; a signal while the report is written leaves the exit code as it is."""
    settings = ready.settings
    wishes: list[ExitCode] = []

    def keep_on(code: ExitCode) -> None:
        wishes.append(code)
        screen.note("The report is being written; once more stops at once.")

    with told_truly(ready.plan.run_id, ready.store.approved):
        with (
            logged(ready.folder, screen, options["log_format"]),
            report_kept(keep_on) as spare,
        ):
            watching = partial(
                Live(screen.err).sending, ready.plan.numbers, settings.ceilings().rate, settings.give_up_after_s
            )
            stopping = partial(_stopping, screen, spare)
            judge = canary_judge(screen, ready.plan, may_ask=screen.can_ask and not options.get("yes"))
            hooks = Hooks(
                watching, stopping, lambda _numbers, _states: None, judge, _steering(screen, options), options["until"]
            )
            sent = asyncio.run(carry_out(ready, approved, settings, address, login, hooks))
            output, overwrite = options["output"], bool(options.get("overwrite"))
            finished = finish_there(ready, settings, sent.ending, output, wanted_of(options), overwrite=overwrite)
            _warn_of_place(screen, output, finished.report)
        _tell(screen, ready, settings, sent, finished)
    return Carried(ready.folder, finished.exit_code, next(iter(wishes), None), finished.also)


def _tell(screen: Screen, ready: Prepared, settings: Settings, sent: Sent, finished: Finished) -> None:
    """Say what the run amounts to, where the report is, and how to go on."""
    screen.summary(
        headline(finished.by_status, sent.ending, finished.nothing, ready.plan.rehearsal),
        finished.by_status,
        _done_by(finished),
        finished.totals.faults,
        finished.totals.strangers,
        finished.exit_code,
    )
    if finished.unasked and sent.ending is not Ending.UNASKED:  # else that is why it ended
        screen.warn(phrase("  {removals}", removals=unasked_told(finished.unasked)))
    if settings.additional_numbers:
        screen.tell("  Records were removed, too, when a number was among their additional ones.")
    if settings.hours:
        screen.tell(phrase("  This session kept to the hours {hours}.", hours="; ".join(settings.hours)))
    for proof in finished.proofs[:_SHOWN_PROOFS]:
        screen.tell(phrase("  {told}", told=proof.sentence()))
    if len(finished.proofs) > _SHOWN_PROOFS:
        screen.tell("  The counts of the other campaigns are in the summary.")
    error = error_of(sent.fault, settings.campaign) if sent.fault else sent.guard
    if error:
        screen.tell(phrase("  It ended because: {problem} {hint}", problem=ours(error.sentence), hint=ours(error.hint)))
    screen.files(finished.report, finished.summary, finished.also)
    if finished.guess:
        screen.tell(phrase("  {told}", told=ours(finished.guess.sentence)))
        if finished.guess.command:
            screen.tell(phrase("  To find out: {command}", command=finished.guess.command))
    if finished.resumable and not sent.guard:
        screen.tell(phrase("  To go on: bulk-remove resume {run_id}", run_id=ready.plan.run_id))


def _done_by(finished: Finished) -> str:
    requests = finished.totals.requests
    records = counted(finished.removed_records, "{count:,} record", "{count:,} records")
    if not requests:  # what is final already is asked for by no rerun
        if not finished.removed_records:
            return "Nothing was sent."
        return phrase(
            "Nothing had to be sent; removed before: at least {records}."
            if finished.at_least
            else "Nothing had to be sent; removed before: {records}.",
            records=records,
        )
    return phrase(
        "At least {records} removed by {requests} in {spent}."
        if finished.at_least
        else "{records} removed by {requests} in {spent}.",
        records=counted(finished.removed_records - finished.removed_before, "{count:,} record", "{count:,} records"),
        requests=counted(requests, "{count:,} request", "{count:,} requests"),
        spent=duration(finished.totals.seconds),
    )


@contextmanager
def _prepared(
    options: dict[str, Any], settings: Settings, destination: Destination, screen: Screen, look: Look
) -> Iterator[Prepared]:
    state_dir = state_dir_from(options)
    copy: SetAside | None = options.get("copy")  # of the one file that a night takes out of its inbox
    files, reading = options["files"], reading_of(settings, state_dir)
    tables, notes = ([open_table(files[0], reading, copy)], ()) if copy else open_tables(files, reading)
    for note in notes:
        screen.note(note)
    show_numbers = options["show_numbers"]
    with ExitStack() as stack:
        with Live(screen.err).reading() as on_rows:
            ready = stack.enter_context(
                prepared(tables, settings, destination, state_dir, time.time(), Sight(look, on_rows, show_numbers))
            )
        yield ready


def _steering(screen: Screen, options: dict[str, Any]) -> Callable[[Pool], AbstractContextManager[None]]:
    """Return what lets the operator's keys steer; nothing is read where the numbers came from standard input."""
    return (lambda _pool: nullcontext()) if "-" in options.get("files", ()) else partial(steered_by_keys, screen)


@contextmanager
def _stopping(screen: Screen, spare: Callable[[], None], stop: Callable[[Ending], None]) -> Iterator[None]:
    """Stop safely at a signal; the report is then spared."""
    with stopped_by_signals(
        stop, lambda: screen.note("Stopping: requests under way are finished first. Once more stops at once.")
    ):
        spare()  # while these handlers still cover it, so that no signal falls between
        yield
