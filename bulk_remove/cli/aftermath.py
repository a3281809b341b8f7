"""What is told of a command when it has ended, however it ended: metrics for Prometheus, a notification.

Neither ever changes the exit code.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bulk_remove.adapters.console import Screen
from bulk_remove.adapters.metrics_file import write_metrics
from bulk_remove.adapters.notifier import Notifier
from bulk_remove.cli.given import address_from
from bulk_remove.cli.history_text import in_short
from bulk_remove.cli.signals import exit_of
from bulk_remove.core.metrics import exposition
from bulk_remove.errors import BulkRemoveError, ExitCode, StorageError
from bulk_remove.language import joined, one_line, ours, phrase, translated
from bulk_remove.run.history import PastRun, past_run
from bulk_remove.run.metrics import Key, gauges_of

if TYPE_CHECKING:
    from pathlib import Path

_MEANING = {
    ExitCode.OK: "every number is final",
    ExitCode.BUG: "a bug of the tool",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.NOT_FINAL: "some numbers have no final answer, or the result proves nothing",
    ExitCode.INPUT: "an input cannot be used",
    ExitCode.GUARD: "stopped by a guard",
    ExitCode.REFUSED: "the server refused",
    ExitCode.UNAVAILABLE: "the server stayed unavailable",
    ExitCode.LOCKED: "another run holds the campaign",
    ExitCode.DEADLINE: "the deadline came first",
    ExitCode.STORAGE: "the disk or the ledger failed",
    ExitCode.HUNG_UP: "stopped by SIGHUP",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C or the key q",
    ExitCode.TERMINATED: "stopped by SIGTERM",
}


class Aftermath:
    """What is known of the command when it ends; the command fills it in.

    `runs` are the folders of the runs that were carried out, `files` counts an inbox's files by where they lie, `words`
    are sentences for the notification.
    """

    def __init__(self) -> None:
        self.code = ExitCode.BUG
        self.runs: list[Path] = []
        self.files: Counter[str] = Counter()
        self.words: list[str] = []


@contextmanager
def aftermath(screen: Screen, options: dict[str, Any]) -> Iterator[Aftermath]:
    """Tell how the command ends that is carried out inside; it sets `code`. Raises UsageError for a bad --notify."""
    notifier = Notifier(options["notify"]) if options["notify"] else None
    after = Aftermath()
    try:
        yield after
    except BulkRemoveError as error:
        after.code = error.exit_code
        after.words += [error.sentence, error.hint]
        raise
    except KeyboardInterrupt as stop:
        after.code = exit_of(stop)
        raise
    finally:
        _tell(screen, options, after, notifier)


def _tell(screen: Screen, options: dict[str, Any], after: Aftermath, notifier: Notifier | None) -> None:
    if options["metrics_file"] is None and notifier is None:
        return
    try:
        runs = [past_run(folder) for folder in dict.fromkeys(after.runs)]
        if options["metrics_file"] is not None:
            gauges = gauges_of(runs, _named(options), after.code, time.time(), after.files)
            write_metrics(options["metrics_file"], exposition(gauges))
    except StorageError as error:
        screen.note(joined(" ", [ours(error.sentence), ours(error.hint)]))
        runs = []
    if notifier is not None and (options["notify_on"] == "always" or after.code is not ExitCode.OK):
        _notify(screen, notifier, after, runs, _named(options))


def _notify(screen: Screen, notifier: Notifier, after: Aftermath, runs: list[PastRun], named: Key) -> None:
    host, campaign = named
    if runs:
        host, campaign = runs[0].host, ", ".join(dict.fromkeys(one for run in runs for one in run.campaigns))
    where = phrase(" on {host}", host=host) if host else ""
    what = phrase(", campaign {campaign}", campaign=campaign) if campaign else ""
    title = phrase(
        "bulk-remove{where}{what}: {meaning} (exit {code})",
        where=where,
        what=what,
        meaning=ours(_MEANING[after.code]),
        code=int(after.code),
    )
    body = [*after.words, *(line for run in runs for line in in_short(run))]
    lines = [one_line(translated(line)) for line in body or [title]]
    for place in notifier.notify(one_line(translated(title)), "\n".join(lines)):
        screen.note(phrase("Notification number {place} could not be sent; that changes nothing else.", place=place))


def _named(options: dict[str, Any]) -> Key:
    """Return the server and the campaign as the command was told them, where it was."""
    campaign = options.get("campaign") or ""
    try:
        return (address_from({"url": None, "system": None, **options}).host, campaign)
    except BulkRemoveError:
        return ("", campaign)
