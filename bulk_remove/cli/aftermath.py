"""Metrics and notifications at the end of a command, and the log of a run. None of them changes the exit code.

The metrics file is for node_exporter's textfile collector, which may read it at any moment as another user.
Notifications are sent by Apprise; their addresses contain secrets and are never shown. The log of a run is in its
folder and contains no phone numbers and no secrets. `in_short` describes an earlier run in three lines.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from bulk_remove.cli.given import AftermathOptions
from bulk_remove.cli.signals import exit_of
from bulk_remove.console import Screen
from bulk_remove.core.model import REHEARSED, Status
from bulk_remove.disk import private, written
from bulk_remove.errors import BulkRemoveError, ExitCode, StorageError, UsageError
from bulk_remove.language import counted, joined, one_line, ours, phrase, translated
from bulk_remove.run.after import SeriesKey, exposition, gauges_of
from bulk_remove.run.past import PastRun, local, past_run


def in_short(run: PastRun) -> Iterator[str]:
    """Yield three lines about a run and the statuses of its numbers; no phone number is shown."""
    if run.told is None:
        yield phrase("{run_id}  {when}  {state}", run_id=run.run_id, when=local(run.last_s), state=ours(run.state))
        if run.problem:
            yield phrase("    {problem}", problem=ours(run.problem))
        return
    where = phrase("{campaigns} on {host}", campaigns=", ".join(run.campaigns), host=run.host)
    statuses = run.numbers_by_status
    yield phrase(
        "{run_id}  {when}  {where}  {rows}, {numbers}",
        run_id=run.run_id,
        when=local(run.told.facts.created_at_s),
        where=where,
        rows=counted(run.plan.rows, "{count:,} row", "{count:,} rows"),
        numbers=counted(statuses.total(), "{count:,} number", "{count:,} numbers"),
    )
    if run.rehearsal:
        yield phrase("    {rehearsed}", rehearsed=ours(REHEARSED[run.rehearsal]))
    if run.problem:
        yield phrase("    {problem}", problem=ours(run.problem))
    counts = [(status, statuses[status]) for status in Status if statuses[status]]
    counts += sorted(run.unsent_rows.items())
    told = [phrase("{status} {count:,}", status=status.value, count=count) for status, count in counts]
    yield phrase("    {told}", told=joined(", ", told) if told else phrase("no number"))
    if run.unasked:
        yield phrase("    the server reported a removal that nobody asked for: see the summary")
    left, on = "", ""
    if run.open_numbers:
        left = phrase("; {open_numbers:,} without a final answer", open_numbers=run.open_numbers)
    elif run.proves_nothing:
        left = phrase("; no number was found, so the result proves nothing")
    if run.resumable_numbers:
        on = phrase("; to go on: bulk-remove resume {run_id}", run_id=run.run_id)
    yield phrase("    {state}{left}{on}", state=ours(run.state), left=left, on=on)


class _RunLog(logging.StreamHandler[TextIO]):
    """A run's log. If it can no longer be written, the run continues: the ledger is the proof."""

    def __init__(self, file: TextIO, screen: Screen) -> None:
        super().__init__(file)
        self._screen = screen
        self._told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own signature
        """Say once that the log is no longer written."""
        if not self._told:
            self._told = True
            self._screen.note("The log can no longer be written (is the disk full?); the run continues without it.")


class _Lines(logging.Formatter):
    """One line per record: text, or for the run `run_id` a JSON object with stable keys."""

    def __init__(self, run_id: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        if not self._run_id:
            return one_line(super().format(record))
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "run": self._run_id,
            "message": one_line(record.getMessage()),
        }
        return json.dumps(line, ensure_ascii=False)


@contextmanager
def logged(folder: Path, screen: Screen, log_format: str = "text") -> Iterator[None]:
    """Write the run's log in its folder, as text or JSON lines. Raises StorageError if it cannot be written."""
    log = logging.getLogger("bulk_remove")
    try:
        file = open(  # noqa: SIM115 - closed below
            folder / "run.log", "a", encoding="utf-8", errors="replace", newline="\n", opener=private
        )
    except OSError as error:
        raise StorageError(
            phrase("The log in {folder} cannot be written: {problem}.", folder=folder, problem=error.strerror),
            "Check free space and permissions.",
        ) from None
    handler = _RunLog(file, screen)
    handler.setFormatter(_Lines(folder.name if log_format == "json" else ""))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
        # After a full disk the buffer still has text, and closing tries to write it again.
        with suppress(OSError):
            file.close()


def _receivers(urls: Sequence[str]) -> list[Any]:
    """Return a receiver for each Apprise address: https://github.com/caronc/apprise.

    Raises UsageError when Apprise is not installed or does not accept an address.
    """
    try:
        from apprise import Apprise  # noqa: PLC0415 - an optional library
    except ImportError:
        raise UsageError(
            "--notify needs Apprise, which is not installed.", "Install it: pip install 'bulk-remove[notify]'"
        ) from None
    # Its log messages may contain an address.
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    receivers = [Apprise() for _ in urls]
    for place, (receiver, url) in enumerate(zip(receivers, urls, strict=True), start=1):
        if not receiver.add(url):
            raise UsageError(
                phrase("--notify number {place} is not an Apprise address.", place=place),
                "Check it against https://github.com/caronc/apprise; it is not shown: it may contain a secret.",
            )
    return receivers


_MEANING = {
    ExitCode.OK: "every number is final",
    ExitCode.BUG: "a bug of the tool",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.NOT_FINAL: "some numbers have no final answer, or the result proves nothing",
    ExitCode.INPUT: "an input cannot be used",
    ExitCode.GUARD: "stopped by a guard",
    ExitCode.REFUSED: "the server refused",
    ExitCode.UNAVAILABLE: "the server stayed unavailable",
    ExitCode.LOCKED: "another run is using the campaign",
    ExitCode.DEADLINE: "the deadline came first",
    ExitCode.STORAGE: "the disk or the ledger failed",
    ExitCode.HUNG_UP: "stopped by SIGHUP",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C or the key q",
    ExitCode.TERMINATED: "stopped by SIGTERM",
}


class Aftermath:
    """The result of a command, which the command fills in.

    `runs` are the folders of its runs, `files` counts an inbox's files by place, `words` are sentences for the
    notification.
    """

    def __init__(self) -> None:
        self.code = ExitCode.BUG
        self.runs: list[Path] = []
        self.files: Counter[str] = Counter()
        self.words: list[str] = []


@contextmanager
def aftermath(screen: Screen, options: AftermathOptions) -> Iterator[Aftermath]:
    """Write metrics and notify when the command inside ends; it sets `code`. Raises UsageError for a bad --notify."""
    receivers = _receivers(options.notify) if options.notify else []
    after = Aftermath()
    if options.quiet:
        screen.hold_back()
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
        if options.metrics_file or receivers:
            _tell(screen, options, after, receivers)
        if after.code is not ExitCode.OK:
            screen.release()


def _tell(screen: Screen, options: AftermathOptions, after: Aftermath, receivers: Sequence[Any]) -> None:
    try:
        runs = [past_run(folder) for folder in dict.fromkeys(after.runs)]
        if options.metrics_file is not None:
            gauges = gauges_of(runs, _named(options), after.code, time.time(), after.files)
            _write_metrics(options.metrics_file, exposition(gauges))
    except StorageError as error:
        screen.warn(joined(" ", [ours(error.sentence), ours(error.hint)]))
        runs = []
    if receivers and (options.notify_on == "always" or after.code is not ExitCode.OK):
        _notify(screen, receivers, after, runs, _named(options))


def _write_metrics(path: Path, text: str) -> None:
    """Write the metrics file, readable by everybody; it appears only when it is complete. Raises StorageError."""
    try:
        with written(path, mode=0o644) as aside:  # the temporary name is not *.prom, so the collector ignores it
            aside.file.write(text.encode(errors="replace"))
    except OSError as error:
        raise StorageError(
            phrase(
                "The metrics file {path} cannot be written: {problem}.", path=path, problem=ours(str(error.strerror))
            ),
            "Name a file in a folder that exists.",
        ) from None


def _notify(screen: Screen, receivers: Sequence[Any], after: Aftermath, runs: list[PastRun], named: SeriesKey) -> None:
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
    for place, receiver in enumerate(receivers, start=1):
        if not receiver.notify(title=one_line(translated(title)), body="\n".join(lines)):
            screen.warn(phrase("Notification {place} could not be sent; the exit code does not change.", place=place))


def _named(options: AftermathOptions) -> SeriesKey:
    """Return the server and the campaign that the command was given; empty where it was not."""
    try:
        return (options.server.address().host, options.campaign or "")
    except BulkRemoveError:
        return ("", options.campaign or "")
