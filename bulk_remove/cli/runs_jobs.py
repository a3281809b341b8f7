"""What `bulk-remove runs` does, once it is called."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulk_remove.adapters.console import Screen
from bulk_remove.adapters.folders import run_folders
from bulk_remove.cli.given import state_dir_from
from bulk_remove.cli.history_text import in_short, local
from bulk_remove.cli.signals import exit_of
from bulk_remove.core.forms import told_forms
from bulk_remove.core.model import OPEN_STATUSES, harmless
from bulk_remove.core.progress import duration
from bulk_remove.errors import ExitCode, GuardStop, InputError, RunLockedError, StoppedError, UsageError
from bulk_remove.language import Phrase, counted, joined, ours, phrase
from bulk_remove.run.again import close_run
from bulk_remove.run.history import PastRun, details_as_json, past_run, past_runs, run_as_json
from bulk_remove.run.prune import Doomed, delete, doomed
from bulk_remove.run.resume import find_run


def list_job(options: dict[str, Any]) -> int:
    """List the runs. Raises StorageError."""
    screen = Screen()
    state_dir = state_dir_from(options)
    runs = past_runs(state_dir)
    if options["as_json"]:
        screen.tell_json({"runs": [run_as_json(run) for run in runs]})
        return ExitCode.OK
    count = 0
    for count, run in enumerate(runs, start=1):  # noqa: B007 - how many there were
        for line in in_short(run):
            screen.tell(line)
    if not count:
        screen.tell(phrase("There is no run in {state_dir}.", state_dir=state_dir))
    return ExitCode.OK


def show_job(options: dict[str, Any]) -> int:
    """Show one run. Raises InputError, StorageError."""
    screen = Screen()
    state_dir = state_dir_from(options)
    folder = next((folder for folder in run_folders(state_dir) if folder.name == options["run"]), None)
    if folder is None:
        raise InputError(
            phrase("There is no run {run} in {state_dir}.", run=options["run"], state_dir=state_dir),
            "`bulk-remove runs list` names them; check --state-dir.",
        )
    run = past_run(folder)
    if options["as_json"]:
        screen.tell_json(details_as_json(run))
        return ExitCode.OK
    for line in (*in_short(run), *_in_full(run)):
        screen.tell(line)
    return ExitCode.OK


def abandon_job(options: dict[str, Any]) -> int:
    """Never take a run up again. Raises InputError, RunLockedError, StorageError."""
    screen = Screen()
    folder = find_run(state_dir_from(options), options["run"])
    finished = close_run(folder, time.time(), abandoned=True)
    screen.tell(phrase("Run {name} is abandoned: it is not taken up again.", name=folder.name))
    if finished is None:
        screen.tell("It has sent nothing.")
        return ExitCode.OK
    left = sum(finished.by_status.get(status, 0) for status in OPEN_STATUSES)
    screen.tell(
        phrase("  {left} without a final answer.", left=counted(left, "{count:,} row", "{count:,} rows"))
        if left
        else "  Every number has its final answer."
    )
    screen.files(finished.report, finished.summary, finished.also)
    return ExitCode.OK


def prune_job(options: dict[str, Any]) -> int:
    """Delete old runs, after asking. Raises GuardStop, UsageError, StorageError."""
    screen = Screen()
    condemned = [*doomed(state_dir_from(options), options["older_than"], time.time())]
    if not condemned:
        screen.tell("Nothing is that old: nothing is deleted.")
        return ExitCode.OK
    for one in condemned:
        screen.tell(phrase("Would delete: {what}" if options["dry_run"] else "To be deleted: {what}", what=_what(one)))
    if options["dry_run"]:
        _tell_left(screen, condemned)
        return ExitCode.OK
    deleted: list[Doomed] = []
    try:
        _check_wanted(screen, condemned, yes=options["yes"])
        for one in condemned:
            deleted += [one] if _is_deleted(screen, one) else []
    except KeyboardInterrupt as stop:
        raise StoppedError(
            phrase("Stopped: {deleted}", deleted=_deleted(deleted) if deleted else phrase("nothing was deleted.")),
            "Run it again to delete the rest; what is left of a run may hold phone numbers.",
            exit_of(stop),
        ) from None
    screen.tell(_deleted(deleted))
    _tell_left(screen, deleted)
    return ExitCode.OK


def _deleted(runs: Sequence[Doomed]) -> Phrase:
    files = sum(len(one.files) for one in runs)
    return phrase(
        "Deleted for good: {count}, {files}.",
        count=counted(len(runs), "{count:,} run", "{count:,} runs"),
        files=counted(files, "{count:,} file", "{count:,} files"),
    )


def _check_wanted(screen: Screen, condemned: Sequence[Doomed], *, yes: bool) -> None:
    if yes:
        return
    if not screen.can_ask:
        raise UsageError("There is no terminal to confirm at.", "Look with --dry-run first, then add --yes.")
    if not screen.asked(
        phrase(
            "About to delete {count} for good: nothing happened in them since {when}. What is open cannot be resumed.",
            count=counted(len(condemned), "{count:,} run", "{count:,} runs"),
            when=local(max(one.run.last_s for one in condemned)),
        ),
        "delete",
    ):
        raise GuardStop("Not confirmed: nothing was deleted.", "Run it again and type what is asked for.")


def _is_deleted(screen: Screen, one: Doomed) -> bool:
    try:
        delete(one)
    except RunLockedError as error:
        screen.note(phrase("{problem} It stays.", problem=ours(error.sentence)))
        return False
    screen.tell(phrase("Deleted: {folder}", folder=one.run.folder))
    for path in one.files:
        screen.tell(f"  {path.relative_to(one.run.folder)}")
    return True


def _tell_left(screen: Screen, runs: Sequence[Doomed]) -> None:
    left = dict.fromkeys(path for one in runs for path in one.left)
    if left:
        screen.tell("Left where it is, because it was written elsewhere; it may hold phone numbers:")
    for path in left:
        screen.tell(f"  {path}")
    for one in runs:
        if one.run.problem:
            screen.tell(phrase("  {run_id}: {problem}", run_id=one.run.run_id, problem=ours(one.run.problem)))


def _what(one: Doomed) -> str:
    run = one.run
    words: list[str] = [
        run.run_id,
        phrase(
            "{files}, {size}",
            files=counted(len(one.files), "{count:,} file", "{count:,} files"),
            size=counted(one.size_bytes, "{count:,} byte", "{count:,} bytes"),
        ),
    ]
    if run.told:
        words.append(
            phrase(
                "{campaigns} on {host}, {numbers}",
                campaigns=", ".join(run.campaigns),
                host=run.host,
                numbers=counted(run.numbers_by_status.total(), "{count:,} number", "{count:,} numbers"),
            )
        )
    words.append(ours(run.state))
    words.append(phrase("nothing happened since {when}", when=local(run.last_s)))
    if run.open_numbers:
        words.append(phrase("{open_numbers:,} without a final answer", open_numbers=run.open_numbers))
    return joined("; ", words)


def _in_full(run: PastRun) -> Iterator[str]:
    if run.told is not None:
        yield phrase("Sent as: {user}", user=run.user)
        for source in run.told.facts.sources:
            sheet = phrase(", sheet {sheet}", sheet=harmless(source.sheet)) if source.sheet else ""
            yield phrase(
                "Input: {file}{sheet}, {size}, SHA-256 {sha256}",
                file=harmless(source.file),
                sheet=sheet,
                size=counted(source.size_bytes, "{count:,} byte", "{count:,} bytes"),
                sha256=source.sha256,
            )
        for campaign, held in run.held.items():
            told = told_forms(held, run.settings.get("region", "PL"))
            yield phrase("Campaign {campaign} held numbers as {told}.", campaign=campaign, told=told)
        yield phrase("Duplicates: {duplicates}", duplicates=counted(run.duplicates, "{count:,} row", "{count:,} rows"))
        yield phrase("Requests: {requests:,}{faults}", requests=run.requests, faults=_faults(run.faults))
        for session in run.told.sessions:
            ended = local(session.ended_at_s) if session.ended_at_s is not None else "?"
            lasted = f" ({duration(session.ended_at_s - session.began_at_s)})" if session.ended_at_s is not None else ""
            yield phrase(
                "Session: {began} to {ended}{lasted}: {ending}",
                began=local(session.began_at_s),
                ended=ended,
                lasted=lasted,
                ending=ours(session.ending or run.state),
            )
        yield phrase("Settings:")
        for name, setting in run.settings.items():
            if setting not in (None, "", [], ()):
                yield f"  {name} = {setting}"
    yield phrase("Folder: {folder}", folder=run.folder)
    for path in run.reports:
        yield phrase("Report: {path}{state}", path=path, state="" if path.exists() else phrase(" (gone)"))


def _faults(faults: Mapping[str, int]) -> str:
    told = [phrase("{count:,} x {kind}", count=faults[kind], kind=ours(kind)) for kind in sorted(faults)]
    return phrase("; without verdicts: {told}", told=joined(", ", told)) if told else ""
