"""The jobs of `run`, `resume`, `rerun`, `inbox`, `plan` and `check` at a terminal: show, ask, and print the result.

`run/job.py` carries out a run; here the terminal is its operator. Keys pressed while a run sends become orders to the
pool.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from bulk_remove.cli.aftermath import Aftermath, aftermath, logged
from bulk_remove.cli.config_jobs import untyped_notes
from bulk_remove.cli.given import (
    AftermathOptions,
    PlanOptions,
    ReportOptions,
    RerunOptions,
    ResumeOptions,
    RunOptions,
    ServerAccess,
    UserOptions,
    take,
)
from bulk_remove.cli.profiles import profile_of
from bulk_remove.cli.signals import (
    ask_until_signal,
    exit_of,
    keep_report,
    restore_handlers,
    stop_on_signals,
    stop_truthfully,
)
from bulk_remove.console import Live, Screen, moment_of, typed_keys
from bulk_remove.console.screen import form_lines, form_warnings, more_limits, when_lines, when_notes
from bulk_remove.core.limits import Known
from bulk_remove.core.model import CsvFor, Status, harmless
from bulk_remove.core.numbers import told_forms
from bulk_remove.core.plan import Consent, Plan, check_holds_numbers, check_within_limits, passed
from bulk_remove.core.summary import Ending, headline, removed_again_told, worst
from bulk_remove.core.throttle import LEGEND, Key, key_of, pressed
from bulk_remove.core.timeline import Snapshot, duration
from bulk_remove.core.verdicts import unasked_told
from bulk_remove.errors import ExitCode, GuardStop, StoppedError, UnavailableError, UsageError
from bulk_remove.language import counted, ours, phrase
from bulk_remove.ledger import Outcomes
from bulk_remove.reader import find_files
from bulk_remove.run.again import EarlierRows, EarlierRun, find_run, is_report
from bulk_remove.run.finish import REPORT, Finished, Wanted
from bulk_remove.run.folders import lock_campaigns, lock_inbox, make_private
from bulk_remove.run.inbox import FileEnd, Inbox, Night, NightRules
from bulk_remove.run.job import (
    Carried,
    Job,
    OnRows,
    Operator,
    Planned,
    Sent,
    learned_settings,
    notes_on_input,
    plan_files,
    plan_rerun,
    plan_resume,
    plan_run,
)
from bulk_remove.run.look import (
    Looked,
    Search,
    check_free,
    check_size,
    listings_of,
    look_over,
    seen_in,
    told_of,
    write_rows,
)
from bulk_remove.run.places import ReportPlace
from bulk_remove.run.preflight import (
    NOT_ASKED,
    Findings,
    Glance,
    asking,
    connection,
    error_of,
    inspect_campaigns,
    inspect_server,
    look_at,
    with_campaigns,
)
from bulk_remove.run.prepare import Look, Prepared, Sight, check_plan, plan_as_json, removed_earlier
from bulk_remove.run.saved import load_plan, save_plan
from bulk_remove.sending import Pool
from bulk_remove.sending.client import Client
from bulk_remove.settings import ALL, Address, Destination, Later, Login, Settings


class _Terminal(Operator):
    """The operator at a terminal, or in a cron job: shows the plan, asks for consent and shows the progress.

    `files` are the run's input; `until_s` is its deadline.
    """

    def __init__(self, screen: Screen, options: RunOptions | ResumeOptions, files: Sequence[str] = ()) -> None:
        self.until_s = options.until
        self._screen = screen
        self._options = options
        self._files = files
        self._spare: Callable[[], None] = lambda: None

    def note(self, sentence: str) -> None:
        self._screen.note(sentence)

    def warn(self, sentence: str) -> None:
        self._screen.warn(sentence)

    def reading(self) -> AbstractContextManager[OnRows]:
        return Live(self._screen.err).reading()

    def listing(self, records: int) -> AbstractContextManager[OnRows]:
        return Live(self._screen.err).reading(records)

    def show(self, run: Planned) -> None:
        """Show the plan, or the progress of an earlier run."""
        if run.done is None:
            show_plan(self._screen, run.ready, run.known, self.until_s)
            notes = untyped_notes() if run.ready.phases is None else ()  # a rerun has its settings from its run
        else:
            self._screen.standing(run.left, run.done)
            notes = () if run.ended else when_notes(run.ready.settings.windows, *_moments(self.until_s))
        for note in notes:
            self.note(note)

    async def approve(self, run: Planned) -> Consent:
        """Ask for consent, unless there is nothing to send or --yes was given."""
        if run.left.to_send and not self._options.report.yes:
            check_consent(self._screen, self._options.report)
            if not self._screen.confirm(run.left, run.known):
                raise GuardStop("Not confirmed: nothing was sent.", "Run it again and type the requested answer.")
        return Consent.FLAG if self._options.report.yes else Consent.TYPED

    @contextmanager
    def stopping(self, stop: Callable[[Ending], None]) -> Iterator[None]:
        """Stop safely at a signal; the report is still written."""
        notice = "Stopping: requests under way are finished first. Press Ctrl-C again to stop at once."
        with stop_on_signals(stop, lambda: self._screen.note(notice)):
            self._spare()  # called under these handlers, so that no signal arrives without a handler
            yield

    def watching(self, ready: Prepared, snapshot: Callable[[], Snapshot]) -> AbstractAsyncContextManager[None]:
        give_up_after_s = ready.settings.give_up_after_s
        return Live(self._screen.err).sending(ready.plan.numbers, ready.plan.rate, give_up_after_s, snapshot)

    def steering(self, pool: Pool) -> AbstractContextManager[None]:
        """Let keys steer the run, unless the numbers came from standard input."""
        return nullcontext() if "-" in self._files else _steer_by_keys(self._screen, pool)

    def judge_canary(self, plan: Plan, mix: Mapping[Status, int], stop: GuardStop | None) -> Ending:
        """Show the canary's verdicts and, at a terminal, ask whether to send the rest."""
        self._screen.canary(mix)
        left = plan.to_send - sum(mix.values())
        if stop is not None or self._options.report.yes or not self._screen.can_ask or left <= 0:
            return Ending.DONE if stop is None else Ending.GUARD
        return ask_until_signal(lambda: self._screen.confirm_rest(left))

    def carry_out(self, run: Planned) -> Carried:
        """Carry out a run and show its result. A signal while the report is written does not change the exit code."""
        wishes: list[ExitCode] = []

        def keep_on(code: ExitCode) -> None:
            wishes.append(code)
            self._screen.note("The report is being written. Press Ctrl-C again to stop at once.")

        ready = run.ready
        with stop_truthfully(ready.plan.run_id, ready.store.approved):
            with logged(ready.folder, self._screen, self._options.aftermath.log_format), keep_report(keep_on) as spare:
                self._spare = spare
                done = asyncio.run(run.carry_out(self))
            finished = done.finished
            if done.sent is None:
                self._screen.tell("This run is already finished; nothing was sent.")
                self._screen.tell(headline(finished.by_status, Ending.DONE, finished.nothing, ready.plan.rehearsal))
                self._screen.files(finished.report, finished.summary, finished.also)
            else:
                _tell(self._screen, ready, done.sent, finished)
        return Carried(ready.folder, finished.exit_code, next(iter(wishes), None), finished.also)


def show_plan(screen: Screen, ready: Prepared, known: Known, until_s: float | None = None) -> None:
    """Show a plan, the form of the numbers in its campaigns, and the hours of removal."""
    forms, region = ready.settings.forms(), ready.settings.region
    lines = [*form_lines(ready.plan, forms, region), *when_lines(ready.settings.hours, *_moments(until_s))]
    also_limited = more_limits(ready.settings.max_invalid, ready.settings.stop_when_missing)
    screen.plan(ready.plan, known, ready.settings.also_try, also_limited, lines)
    notes = when_notes(ready.settings.windows, *_moments(until_s))
    for note in (*form_warnings(ready.plan, forms, region), *notes):
        screen.note(note)


def _moments(until_s: float | None) -> tuple[datetime | None, datetime]:
    """Return the deadline, if there is one, and the current moment, both in local time."""
    until = None if until_s is None else datetime.fromtimestamp(until_s)  # noqa: DTZ006 - local time is meant
    return until, datetime.now()  # noqa: DTZ005 - likewise


log = logging.getLogger("bulk_remove.keys")


@contextmanager
def _steer_by_keys(screen: Screen, pool: Pool) -> Iterator[None]:
    """Let the operator pause, slow down and stop the sending. Enter it in the main thread, inside the event loop."""

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
    """Carry out a key's order; return the sentence to show."""
    if pool.halt.called:
        return "Already stopping. Press Ctrl-C again to stop at once."
    if key is Key.STOP:
        pool.stop(Ending.KEY)
        signal.raise_signal(signal.SIGINT)  # counts as the first Ctrl-C, so that a real one is the second
        return "Stopping, as Ctrl-C does."
    wanted, answer = pressed(pool.steering, key)
    pool.steer(wanted)
    opens_s = pool.snapshot().opens_s
    if key is Key.PAUSE and not wanted.paused and opens_s is not None:
        return phrase("No longer paused, but outside --hours: continues at {moment}.", moment=moment_of(opens_s))
    return answer


_UNNAMED = phrase("a server yet to be named")


def plan_job(**given: Any) -> int:
    """Show the plan. Raises InputError, UsageError, StorageError."""
    options, screen = take(PlanOptions, given), Screen()
    settings = asked = options.given.settings()
    looks = options.look or options.look_csv is not None
    needed = looks or options.save is not None or settings.campaign == ALL
    left_out: tuple[str, ...] = ()
    address = options.server.address() if options.server.named or needed else None
    if needed and address:  # reports a missing user or password before any file is read
        login = options.user.login(address)
        settings, left_out = with_campaigns(settings, address, login, options.state_dir, screen.warn)
    if options.look_csv:
        check_free(options.look_csv, "--look-csv")
    if address:
        settings = learned_settings(settings, options.state_dir, address.host, screen.note)
    destination = address.destination(options.user.user or "") if address else Destination(host=_UNNAMED)
    with ExitStack() as stack:
        with Live(screen.err).reading() as on_rows:
            sight = Sight(_looking_if_possible(settings, address, options), on_rows, options.show_numbers)
            reading = plan_files(options.files, screen.note, None, settings, destination, options.state_dir, sight)
            ready = stack.enter_context(reading)
        known, notes = _known_to_plan(ready, address)
        if not options.as_json:
            show_plan(screen, ready, known)
        looked = _look(screen, options, ready, address) if looks and address and ready.plan.numbers else ()
        if options.as_json:
            told = plan_as_json(ready.plan, ready.settings, known, removed_earlier(ready.store, ready.earlier.removals))
            screen.tell_json(told | {"look": [each._asdict() for each in looked]} if looks else told)
        check_holds_numbers(ready.plan)
        check_plan(ready.plan, settings)
        for note in notes:
            screen.note(note)
        limits = ready.plan.limits
        plan = ready.plan if ready.findings.asked else replace(ready.plan, limits=replace(limits, max_share=None))
        check_within_limits(plan, known)
        if options.save:
            save_plan(options.save, ready, asked, replace(destination, left_out=left_out))
            place = harmless(str(options.save))
            screen.note(phrase("The plan is saved. To run it: bulk-remove run --plan {path}", path=place))
        return ExitCode.OK


def _look(screen: Screen, options: PlanOptions, ready: Prepared, address: Address) -> Sequence[Looked]:
    """Read the records of the plan's campaigns, show what was seen of its numbers, and write the CSV of its rows."""
    if not ready.findings.asked:
        raise UnavailableError("The server could not be asked about its campaigns.", "Try again later.")
    campaigns = ready.plan.campaign_ids
    total, requests = check_size(ready.findings.records, campaigns, options.look_max)
    screen.note(
        phrase(
            "Reading {records} takes {requests}, at least {seconds} at {rate:,.10g} a second.",
            records=counted(total, "{count:,} record", "{count:,} records"),
            requests=counted(requests, "{count:,} request", "{count:,} requests"),
            seconds=duration((requests - 1) / ready.plan.rate),
            rate=ready.plan.rate,
        )
    )

    async def looked_over(seen: Search, on_records: OnRows) -> list[Looked]:
        async with asking(ready.settings, address, options.user.login(address), options.state_dir) as asker:
            listings = listings_of(ready, asker, address.base_path, options.look_max)
            return await look_over(listings, seen, on_records)

    with seen_in(ready) as seen:
        with Live(screen.err).reading(total) as on_records:
            looked = asyncio.run(looked_over(seen, on_records))
        if options.look_csv:
            certain = {each.campaign: each.certain for each in looked}
            write_rows(options.look_csv, Outcomes(ready.store).rows(), seen, certain)
    if not options.as_json:
        for each in looked:
            for sentence in told_of(each, ready.settings):
                screen.tell(sentence)
        screen.tell("Nothing was removed. A record that came or went while the list was read may be missing here.")
    if options.look_csv:
        screen.note(phrase("What was seen of each row: {path}", path=harmless(str(options.look_csv))))
    return looked


def _looking_if_possible(settings: Settings, address: Address | None, options: PlanOptions) -> Look:
    """Return a function that looks at campaigns; it asks nothing without an address, a user and a password.

    It raises UsageError, RefusedError, StorageError; if the server does not answer, it returns a note.
    """

    def look(campaigns: Sequence[str]) -> Findings:
        if address is None or not options.user.user:
            return NOT_ASKED
        password = options.user.password(address)
        if not password:
            return NOT_ASKED
        try:
            return look_at(campaigns, settings, address, Login(options.user.user, password), options.state_dir)
        except UnavailableError as error:
            note = phrase(
                "The server could not be asked how many records there are: {problem}", problem=ours(error.sentence)
            )
            return replace(NOT_ASKED, notes=(note,))

    return look


def _known_to_plan(ready: Prepared, address: Address | None) -> tuple[Known, Sequence[str]]:
    """Return the known figures for a plan that is only shown, and the notes on it."""
    plan, findings = ready.plan, ready.findings
    known, notes = Known(findings.records), [*findings.notes]
    if address is not None:
        known, more = ready.earlier.known(findings.records)
        notes += [*more, *passed(plan, known)]
    notes += [*untyped_notes(), *notes_on_input(ready)]
    if not findings.asked and plan.limits.max_share is not None:
        notes.append("--max-share was not checked: give --url and --user, so that the server can be asked.")
    return known, notes


_OF_ITS_OWN = ("user", "output")
"""Options of a resumed run that a profile does not change: the run has its own values."""


def run_job(**given: Any) -> int:
    """Plan, ask, remove, report; return the exit code. Raises every BulkRemoveError."""
    options = take(RunOptions, given)
    return _carried_out(options.aftermath, lambda screen: run_anew(screen, options, ()))


def resume_job(**given: Any) -> int:
    """Finish an earlier run from its ledger; return the exit code. Raises every BulkRemoveError."""
    options = take(ResumeOptions, given, *_OF_ITS_OWN)
    return _carried_out(options.aftermath, lambda screen: resume_run(screen, options, ()))


def rerun_job(**given: Any) -> int:
    """Ask again for the open numbers of an earlier run; return the exit code. Raises every BulkRemoveError."""
    # A report does not name its server, so that comes from the profile; an earlier run knows its own.
    server = () if is_report(given["earlier"]) else ("url", "system", "user")
    options = take(RerunOptions, given, "campaign", "output", *server)
    return _carried_out(take(AftermathOptions, given), lambda screen: _rerun(screen, options))


def _carried_out(options: AftermathOptions, run: Callable[[Screen], Carried]) -> int:
    screen = Screen()
    with aftermath(screen, options) as after:
        carried = run(screen)
        after.runs.append(carried.folder)
        after.code = carried.exit_code
    return after.code


def run_anew(screen: Screen, options: RunOptions, held: Collection[str]) -> Carried:
    """Plan, ask, remove, report. The campaigns `held` are already locked. Raises every BulkRemoveError."""
    saved = None
    if options.plan_file:
        saved = load_plan(options.plan_file, options.plan_max_age, options.state_dir, time.time())
    settings = options.given.of_plan(saved) if saved else options.given.settings()
    address = saved.address if saved and not options.server.named else options.server.address()
    if saved:
        saved.check_server(address, "--system" if options.server.system else "--url")
    login = options.user.login(address, saved.user if saved else "")
    check_consent(screen, options.report)
    report = _report_of(options.report, options.user)
    files = options.files or (saved.files if saved else ())
    given = find_files(files)
    if report.output is None and not options.report.yes:  # a person is asked, and looks for the report beside the file
        report = report.beside(given.files, with_page=options.report.also is None)
    if report.output:
        read = (*report.read, *given.files, *([str(saved.path)] if saved else []))
        report = replace(report, read=read, found=given.found)
    terminal = _Terminal(screen, options, files)
    reading = partial(plan_files, files, screen.note, options.copy)
    job = Job(
        settings,
        address,
        login,
        options.state_dir,
        report,
        held,
        options.show_numbers,
        saved,
        options.backup,
        options.look_max,
    )
    with plan_run(job, reading, terminal) as run:
        return terminal.carry_out(run)


def resume_run(screen: Screen, options: ResumeOptions, held: Collection[str]) -> Carried:
    """Finish an earlier run from its ledger. The campaigns `held` are already locked. Raises every BulkRemoveError."""

    def job_of(run: EarlierRun) -> Job:
        to = run.destination
        address = Address.parse(to.url)
        output = options.report.output or (Path(to.output) if to.output else None)
        report = _report_of(replace(options.report, output=output), options.user, to)
        return Job(run.ready.settings, address, options.user.login(address, to.user), options.state_dir, report, held)

    terminal = _Terminal(screen, options)
    changes = options.given.changes(Later.RESUME, typed_only=True)
    with plan_resume(find_run(options.state_dir, options.run or ""), changes, job_of, terminal) as run:
        return terminal.carry_out(run)


def _rerun(screen: Screen, options: RerunOptions) -> Carried:
    check_consent(screen, options.report)
    given = options.server.address().destination("") if options.server.named else None
    changes = options.given.changes(Later.RERUN, typed_only=not is_report(options.earlier))

    def job_of(rows: EarlierRows) -> Job:
        to = rows.destination
        if not to.url and not options.server.named:
            raise UsageError("The report does not name its server.", "Add --system or --url of that server.")
        address = Address.parse(to.url) if to.url else options.server.address()
        report = _report_of(options.report, options.user)
        report = replace(report, read=(*report.read, options.earlier))
        return Job(rows.settings, address, options.user.login(address, to.user), options.state_dir, report)

    terminal = _Terminal(screen, options)
    with plan_rerun(options.earlier, changes, (options.state_dir, given), job_of, terminal) as run:
        return terminal.carry_out(run)


def inbox_job(**given: Any) -> int:
    """Run the files of an inbox; return their worst exit code. Raises BulkRemoveError when it cannot begin."""
    run, resume, screen = take(RunOptions, given), take(ResumeOptions, given, *_OF_ITS_OWN), Screen()
    with aftermath(screen, run.aftermath) as after:
        after.code = _spend(screen, run, resume, (given["folder"], given["settle"]), after)
    return after.code


def _spend(
    screen: Screen, run: RunOptions, resume: ResumeOptions, drop: tuple[Path, float], after: Aftermath
) -> ExitCode:
    """Run the files of a drop folder, which is named with the seconds in which a file must not have changed."""
    folder, settle_s = drop
    if not run.report.yes:
        raise UsageError(
            "An inbox removes without asking, so it needs --yes.", "Try a file with plan first, then add --yes."
        )
    settings, address = run.given.settings(), run.server.address()
    run.user.login(address)  # reports a wrong login before any file is read
    make_private(run.state_dir)
    if settings.campaign == ALL:
        raise UsageError("An inbox does not accept --campaign all.", "Name the campaigns: --campaign 00001,00002.")
    held = [*settings.campaigns]
    with (
        Inbox(folder) as inbox,
        lock_inbox(run.state_dir, inbox.folder),
        lock_campaigns(run.state_dir, address.host, held),
    ):
        night = Night(
            inbox,
            NightRules(settings, address.host, run.state_dir, settle_s, run.until),
            screen,
            lambda path, copy: _run_file(screen, replace(run, files=(str(path),), copy=copy), held),
            lambda folder: _resume_file(screen, resume, folder, held),
        )
        try:
            night.spend()
        except KeyboardInterrupt as stop:
            raise StoppedError(
                "Stopped while no request was under way: nothing is lost.",
                "The remaining files stay in the inbox for the next night.",
                exit_of(stop),
            ) from None
        finally:
            _tell_files(screen, night.ends, after)
    return worst(end.code for end in night.ends)


def _run_file(screen: Screen, options: RunOptions, held: Collection[str]) -> Carried:
    with restore_handlers():
        return run_anew(screen, options, held)


def _resume_file(screen: Screen, options: ResumeOptions, folder: Path, held: Collection[str]) -> Carried:
    report = replace(options.report, output=folder / REPORT)
    with restore_handlers():
        return resume_run(screen, replace(options, run=folder.name, report=report), held)


def _tell_files(screen: Screen, ends: Sequence[FileEnd], after: Aftermath) -> None:
    """Show the result of each file, and add it to the notification and the metrics."""
    screen.tell("The inbox:" if ends else "The inbox: no file to run.")
    for end in ends:
        word = phrase(
            "{name}: {word}; {place}, exit {code}",
            name=end.name,
            word=ours(end.word),
            place=end.place.value,
            code=int(end.code),
        )
        screen.tell(phrase("  {word}", word=word))
        after.words.append(word)
        after.files[end.place.value] += 1
        after.runs += [end.run] if end.run else []


def check_consent(screen: Screen, options: ReportOptions) -> None:
    """Raise UsageError when --yes is missing and nobody can be asked."""
    if not options.yes and not screen.can_ask:
        why = "--quiet shows no plan to confirm." if screen.is_quiet else "There is no terminal to confirm at."
        raise UsageError(why, "Look at the plan first, then add --yes.")


def _report_of(options: ReportOptions, user: UserOptions, told: Destination | None = None) -> ReportPlace:
    """Return the report's place and formats; options that are not given come from an earlier run's destination.

    The report never replaces a file that the command reads.
    """
    told = told or Destination()
    wanted = Wanted(CsvFor(options.csv_for or told.csv_for), told.also if options.also is None else options.also)
    read = (user.password_file, str(profile_of(click.get_current_context()).file))
    return ReportPlace(options.output, wanted, options.overwrite, read)


def check_job(**given: Any) -> int:
    """Check everything that can be checked without a removal. Raises UsageError, RefusedError, UnavailableError."""
    options, screen = take(ServerAccess, given), Screen()
    address = options.server.address()
    login = options.user.login(address)
    settings = options.given.settings(campaign=given["campaign"] or ALL)
    findings = asyncio.run(_checked(settings, address, login))
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
        screen.tell(phrase("Campaign {name} holds numbers as {forms}.", name=name, forms=told))
    for note in findings.notes:
        screen.tell(note)
    screen.tell("This does not show whether the user may remove records: only a removal shows that.")
    return ExitCode.OK


async def _checked(settings: Settings, address: Address, login: Login) -> Findings:
    async with Client(connection(settings, address, login)) as client:
        if not settings.campaigns:
            return await inspect_server(client, address.base_path, time.time())
        campaigns, glance = settings.campaigns, Glance(settings.region)
        return await inspect_campaigns(client, address.base_path, campaigns, time.time, glance)


_SHOWN_PROOFS = 10


def _tell(screen: Screen, ready: Prepared, sent: Sent, finished: Finished) -> None:
    """Show the run's totals, where the report is, and how to continue."""
    settings = ready.settings
    screen.summary(
        headline(finished.by_status, sent.ending, finished.nothing, ready.plan.rehearsal),
        finished.by_status,
        _done_by(finished),
        finished.totals.faults,
        finished.totals.strangers,
        finished.exit_code,
        ready.plan.numbers,
    )
    if finished.unasked and sent.ending is not Ending.UNASKED:  # otherwise the ending says so
        screen.warn(phrase("  {removals}", removals=unasked_told(finished.unasked)))
    if settings.additional_numbers:
        screen.tell("  Records were also removed if a number was among their additional ones.")
    if settings.hours:
        screen.tell(phrase("  This session sent only in the hours {hours}.", hours="; ".join(settings.hours)))
    _tell_counts(screen, finished)
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


def _tell_counts(screen: Screen, finished: Finished) -> None:
    """Show the records before and after, and how many numbers were removed again."""
    if finished.removed_again:
        screen.tell(phrase("  {told}", told=removed_again_told(finished.removed_again)))
    for proof in finished.proofs[:_SHOWN_PROOFS]:
        screen.tell(phrase("  {told}", told=proof.sentence()))
    if len(finished.proofs) > _SHOWN_PROOFS:
        screen.tell("  The counts of the other campaigns are in the summary.")


def _done_by(finished: Finished) -> str:
    requests = finished.totals.requests
    records = counted(finished.removed_records, "{count:,} record", "{count:,} records")
    if not requests:  # a rerun does not ask for numbers that are already final
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
