"""`bulk-remove inbox`: a night, wired to the commands that run and resume."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bulk_remove.cli.aftermath import Aftermath, aftermath
from bulk_remove.cli.given import InboxOptions
from bulk_remove.cli.jobs import resume_run, run_anew
from bulk_remove.cli.signals import exit_of, put_back
from bulk_remove.console import Screen
from bulk_remove.core.summary import worst
from bulk_remove.errors import ExitCode, StoppedError, UsageError
from bulk_remove.language import ours, phrase
from bulk_remove.reader import SetAside
from bulk_remove.run.finish import REPORT, Finished
from bulk_remove.run.folders import lock_campaigns, lock_inbox, make_private
from bulk_remove.run.inbox import Doing, FileEnd, Inbox, Night
from bulk_remove.run.job import Carried
from bulk_remove.run.past import EarlierRuns
from bulk_remove.run.resume import close_run


def inbox_job(options: InboxOptions) -> int:
    """Spend a night; returns the worst exit code of its files. Raises BulkRemoveError where it cannot begin."""
    screen = Screen()
    with aftermath(screen, options.run.aftermath) as after:
        after.code = _spent(screen, options, after)
    return after.code


def _spent(screen: Screen, options: InboxOptions, after: Aftermath) -> ExitCode:
    if not options.run.report.yes:
        raise UsageError("An inbox asks nobody before it removes.", "Try a file with plan first, then add --yes.")
    settings = options.run.given.settings()
    address = options.run.server.address()
    options.run.user.login(address)  # what is wrong with it is told before anything is looked at
    state_dir = options.run.state_dir
    make_private(state_dir)
    held = [settings.campaign] if settings.campaign else []
    with (
        Inbox(options.folder) as inbox,
        lock_inbox(state_dir, inbox.folder),
        lock_campaigns(state_dir, address.host, held),
    ):
        night = Night(
            inbox,
            EarlierRuns(state_dir, address.host, settings),
            _doing(screen, options, held),
            options.settle,
            options.run.until,
            one_campaign=bool(held),
            keep=settings.keep,
        )
        try:
            night.spend()
        except KeyboardInterrupt as stop:
            raise StoppedError(
                "Stopped between two requests to the server, or before any: nothing is lost.",
                "The files that are left are in the inbox; the next night takes them.",
                exit_of(stop),
            ) from None
        finally:
            _tell(screen, night.ends, after)
    return worst(end.code for end in night.ends)


def _doing(screen: Screen, options: InboxOptions, held: Sequence[str]) -> Doing:
    def start(path: Path, copy: SetAside) -> Carried:
        with put_back():
            return run_anew(screen, replace(options.run, files=(str(path),), copy=copy), held)

    def again(folder: Path) -> Carried:
        # What of tonight's options counts is what `resume` has: the run goes on as it was told when it began.
        report = replace(options.resume.report, output=folder / REPORT)
        with put_back():
            return resume_run(screen, replace(options.resume, run=folder.name, report=report), held)

    def close(folder: Path) -> Finished | None:
        return close_run(folder, time.time())

    tell, tell_error = screen.tell, screen.error
    return Doing(start, again, close, tell, tell_error, time.time, time.monotonic, time.sleep, options.run.state_dir)


def _tell(screen: Screen, ends: Sequence[FileEnd], after: Aftermath) -> None:
    """Say what became of each file, on the screen and to whoever is told afterwards."""
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
