"""What `bulk-remove runs` does, once it is called."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulk_remove.adapters.console import Screen
from bulk_remove.adapters.folders import run_folders
from bulk_remove.cli.given import state_dir_from
from bulk_remove.cli.history_text import counted, in_short, local
from bulk_remove.core.progress import duration
from bulk_remove.errors import ExitCode, GuardStop, InputError, RunLockedError, UsageError
from bulk_remove.run.history import PastRun, details_as_json, past_run, past_runs, run_as_json
from bulk_remove.run.prune import Doomed, delete, doomed


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
        screen.tell(f"There is no run in {state_dir}.")
    return ExitCode.OK


def show_job(options: dict[str, Any]) -> int:
    """Show one run. Raises InputError, StorageError."""
    screen = Screen()
    state_dir = state_dir_from(options)
    folder = next((folder for folder in run_folders(state_dir) if folder.name == options["run"]), None)
    if folder is None:
        raise InputError(
            f"There is no run {options['run']} in {state_dir}.",
            "`bulk-remove runs list` names them; check --state-dir.",
        )
    run = past_run(folder)
    if options["as_json"]:
        screen.tell_json(details_as_json(run))
        return ExitCode.OK
    for line in (*in_short(run), *_in_full(run)):
        screen.tell(line)
    return ExitCode.OK


def prune_job(options: dict[str, Any]) -> int:
    """Delete old runs, after asking. Raises GuardStop, UsageError, StorageError."""
    screen = Screen()
    condemned = [*doomed(state_dir_from(options), options["older_than"], time.time())]
    if not condemned:
        screen.tell("Nothing is that old: nothing is deleted.")
        return ExitCode.OK
    would = "Would delete" if options["dry_run"] else "To be deleted"
    for one in condemned:
        screen.tell(f"{would}: {_what(one)}")
    if options["dry_run"]:
        _tell_left(screen, condemned)
        return ExitCode.OK
    _check_wanted(screen, len(condemned), yes=options["yes"])
    deleted = [one for one in condemned if _is_deleted(screen, one)]
    files = sum(len(one.files) for one in deleted)
    screen.tell(f"Deleted for good: {counted(len(deleted), 'run')}, {counted(files, 'file')}.")
    _tell_left(screen, deleted)
    return ExitCode.OK


def _check_wanted(screen: Screen, count: int, *, yes: bool) -> None:
    if yes:
        return
    if not screen.can_ask:
        raise UsageError("There is no terminal to confirm at.", "Look with --dry-run first, then add --yes.")
    if not screen.asked(f"About to delete {counted(count, 'run')} for good. What is open cannot be resumed.", "delete"):
        raise GuardStop("Not confirmed: nothing was deleted.", "Run it again and type what is asked for.")


def _is_deleted(screen: Screen, one: Doomed) -> bool:
    try:
        delete(one)
    except RunLockedError as error:
        screen.note(f"{error.sentence} It stays.")
        return False
    screen.tell(f"Deleted: {one.run.folder}")
    for path in one.files:
        screen.tell(f"  {path.relative_to(one.run.folder)}")
    return True


def _tell_left(screen: Screen, runs: Sequence[Doomed]) -> None:
    left = dict.fromkeys(path for one in runs for path in one.left)
    if left:
        screen.tell("Left where it is, because it was written elsewhere; it may hold phone numbers:")
    for path in left:
        screen.tell(f"  {path}")


def _what(one: Doomed) -> str:
    run = one.run
    words = [run.run_id, f"{counted(len(one.files), 'file')}, {one.size_bytes:,} bytes"]
    if run.told:
        words.append(f"{', '.join(run.campaigns)} on {run.host}, {counted(run.numbers_by_status.total(), 'number')}")
    words.append(run.state)
    if run.open_numbers:
        words.append(f"{run.open_numbers:,} without a final answer")
    return "; ".join(words)


def _in_full(run: PastRun) -> Iterator[str]:
    if run.told is not None:
        yield f"Sent as: {run.user}"
        for source in run.told.facts.sources:
            sheet = f", sheet {source.sheet}" if source.sheet else ""
            yield f"Input: {source.file}{sheet}, {source.size_bytes:,} bytes, SHA-256 {source.sha256}"
        yield f"Duplicates: {counted(run.duplicates, 'row')}"
        yield f"Requests: {run.requests:,}{_faults(run.faults)}"
        for session in run.told.sessions:
            ended = local(session.ended_at_s) if session.ended_at_s is not None else "?"
            lasted = f" ({duration(session.ended_at_s - session.began_at_s)})" if session.ended_at_s is not None else ""
            yield f"Session: {local(session.began_at_s)} to {ended}{lasted}: {session.ending or run.state}"
        yield "Settings:"
        for name, setting in run.settings.items():
            if setting not in (None, "", [], ()):
                yield f"  {name} = {setting}"
    yield f"Folder: {run.folder}"
    for path in run.reports:
        yield f"Report: {path}{'' if path.exists() else ' (gone)'}"


def _faults(faults: Mapping[str, int]) -> str:
    told = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(faults.items()))
    return f"; without verdicts: {told}" if told else ""
