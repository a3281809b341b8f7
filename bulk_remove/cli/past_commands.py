"""The commands on earlier runs: `runs`, `explain`, and `report`, which writes a report again."""

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bulk_remove.cli.aftermath import in_short
from bulk_remove.cli.signals import exit_of
from bulk_remove.console import Screen
from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.model import ON_KEEP_LIST, OPEN_STATUSES, REHEARSED, CsvFor, ReportFormat, harmless
from bulk_remove.core.numbers import told_forms
from bulk_remove.core.timeline import duration
from bulk_remove.errors import (
    AlteredLedgerError,
    ExitCode,
    GuardStop,
    InputError,
    RunLockedError,
    StoppedError,
    UsageError,
)
from bulk_remove.language import Phrase, counted, joined, ours, phrase
from bulk_remove.ledger import Trace
from bulk_remove.report.csv import check_place, planner_told
from bulk_remove.run.again import close_run, ended_run, find_run
from bulk_remove.run.finish import write_again
from bulk_remove.run.folders import delete_run, run_folders
from bulk_remove.run.past import (
    Doomed,
    Explained,
    Found,
    PastRun,
    Proven,
    details_as_json,
    explain_number,
    explained_as_json,
    local,
    past_run,
    past_runs,
    proof_as_json,
    prunable,
    run_as_json,
    verify_run,
)
from bulk_remove.run.places import Owner, check_replaceable


def list_job(*, state_dir: Path, as_json: bool) -> int:
    """List the runs. Raises StorageError."""
    screen = Screen()
    runs = past_runs(state_dir)
    if as_json:
        screen.tell_json({"runs": [run_as_json(run) for run in runs]})
        return ExitCode.OK
    count = 0
    for count, run in enumerate(runs, start=1):  # noqa: B007 - used after the loop
        for line in in_short(run):
            screen.tell(line)
    if not count:
        screen.tell(phrase("There is no run in {state_dir}.", state_dir=state_dir))
    return ExitCode.OK


def show_run_job(*, run: str | None, state_dir: Path, as_json: bool) -> int:
    """Show one run. Raises InputError, StorageError."""
    screen = Screen()
    folders = (folder for folder in run_folders(state_dir) if folder.name == run)
    folder = next(folders, None) if run else find_run(state_dir, "")
    if folder is None:
        raise InputError(
            phrase("There is no run {run} in {state_dir}.", run=run, state_dir=state_dir),
            "See `bulk-remove runs list`, and check --state-dir.",
        )
    found = past_run(folder)
    if as_json:
        screen.tell_json(details_as_json(found))
        return ExitCode.OK
    for line in (*in_short(found), *_in_full(found)):
        screen.tell(line)
    return ExitCode.OK


def abandon_job(*, run: str, state_dir: Path) -> int:
    """Give up a run, so that it is never resumed. Raises InputError, RunLockedError, StorageError."""
    screen = Screen()
    folder = find_run(state_dir, run)
    finished = close_run(folder, time.time(), abandoned=True)
    screen.tell(phrase("Run {name} is abandoned: it cannot be resumed.", name=folder.name))
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


def prune_job(*, state_dir: Path, older_than: float, dry_run: bool, yes: bool) -> int:
    """Delete old runs, after asking. Raises GuardStop, UsageError, StorageError."""
    screen = Screen()
    condemned = [*prunable(state_dir, older_than, time.time())]
    if not condemned:
        screen.tell("No run is that old; nothing is deleted.")
        return ExitCode.OK
    for one in condemned:
        screen.tell(phrase("Would delete: {what}" if dry_run else "To be deleted: {what}", what=_what(one)))
    if dry_run:
        _tell_left(screen, condemned)
        return ExitCode.OK
    deleted: list[Doomed] = []
    try:
        _check_wanted(screen, condemned, yes=yes)
        for one in condemned:
            deleted += [one] if _is_deleted(screen, one) else []
    except KeyboardInterrupt as stop:
        raise StoppedError(
            phrase("Stopped: {deleted}", deleted=_deleted(deleted) if deleted else phrase("nothing was deleted.")),
            "Run it again to delete the rest; a partly deleted run may contain phone numbers.",
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
            "About to delete {count} for good, without activity since {when}. Open numbers can no longer be resumed.",
            count=counted(len(condemned), "{count:,} run", "{count:,} runs"),
            when=local(max(one.run.last_s for one in condemned)),
        ),
        "delete",
    ):
        raise GuardStop("Not confirmed: nothing was deleted.", "Run it again and type the requested answer.")


def _is_deleted(screen: Screen, one: Doomed) -> bool:
    try:
        delete_run(one.run.folder)
    except RunLockedError as error:
        screen.note(phrase("{problem} It is not deleted.", problem=ours(error.sentence)))
        return False
    screen.tell(phrase("Deleted: {folder}", folder=one.run.folder))
    for path in one.files:
        screen.tell(f"  {path.relative_to(one.run.folder)}")
    return True


def _tell_left(screen: Screen, runs: Sequence[Doomed]) -> None:
    left = dict.fromkeys(path for one in runs for path in one.left)
    if left:
        screen.tell("Not deleted, because it is in another folder; it may contain phone numbers:")
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
    words.append(phrase("no activity since {when}", when=local(run.last_s)))
    if run.open_numbers:
        words.append(phrase("{open_numbers:,} without a final answer", open_numbers=run.open_numbers))
    return joined("; ", words)


def _in_full(run: PastRun) -> Iterator[str]:
    if run.told is not None:
        if reason := run.settings.get("reason"):
            yield phrase("Reason: {reason}", reason=reason)
        destination = run.told.facts.destination
        yield phrase("Sent as: {user}", user=destination.user)
        for planner in planner_told(destination.planned):
            yield phrase("Planned: {planner}", planner=planner)
        for source in (each.source for each in run.plan.sources):
            sheet = phrase(", sheet {sheet}", sheet=harmless(source.sheet)) if source.sheet else ""
            yield phrase(
                "Input: {file}{sheet}, {size}, SHA-256 {sha256}",
                file=harmless(source.file),
                sheet=sheet,
                size=counted(source.size_bytes, "{count:,} byte", "{count:,} bytes"),
                sha256=source.sha256,
            )
        for each in [each for each in run.plan.campaigns if each.held]:
            told = told_forms(each.held, run.settings.get("region", "PL"))
            yield phrase("Campaign {campaign} held numbers as {forms}.", campaign=each.campaign, forms=told)
        yield phrase(
            "Duplicates: {duplicates}", duplicates=counted(run.plan.duplicates, "{count:,} row", "{count:,} rows")
        )
        kinds = [phrase("{count:,} x {kind}", count=run.faults[kind], kind=ours(kind)) for kind in sorted(run.faults)]
        faults = phrase("; without verdicts: {listed}", listed=joined(", ", kinds)) if kinds else ""
        yield phrase("Requests: {requests:,}{faults}", requests=run.requests, faults=faults)
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


def explain_job(*, number: str, campaign: str | None, state_dir: Path, as_json: bool) -> int:
    """Show what all runs did with a number.

    Raises InputError when no run contains it, StorageError, and at the end AlteredLedgerError when a ledger was
    altered.
    """
    screen = Screen()
    runs = [*explain_number(state_dir, number, campaign)]
    unread = sum(bool(one.problem) and not one.trace.rows for one in runs)
    altered = [one.run.run_id for one in runs if one.altered]
    if as_json:
        screen.tell_json({"number": number, "runs": [explained_as_json(one) for one in runs]})
    for one in runs if not as_json else ():
        for line in _explained(one):
            screen.tell(line)
    if altered:
        raise AlteredLedgerError(
            phrase(
                "The ledger of run {runs} is not as it was written, so this answer may be wrong.",
                runs=", ".join(altered),
            ),
            "Restore it from a backup; `bulk-remove runs verify` shows what was changed.",
        )
    if unread == len(runs):
        among = phrase(" ({unread:,} cannot be read)", unread=unread) if unread else ""
        where = phrase(" for campaign {campaign}", campaign=campaign) if campaign else ""
        raise InputError(
            phrase(
                "No run in {state_dir} contains {number}{where}{among}.",
                state_dir=state_dir,
                number=number,
                where=where,
                among=among,
            ),
            "Check the number and --state-dir; deleted runs are not searched.",
        )
    return ExitCode.OK


def _explained(one: Explained) -> Iterator[str]:
    began_s = one.run.told.facts.created_at_s if one.run.told else one.run.last_s
    about = phrase("{run_id}  {when}", run_id=one.run.run_id, when=local(began_s))
    yield joined("  ", filter(None, [about, one.run.host, ours(one.run.state)]))
    if one.run.rehearsal:
        yield phrase("    {rehearsed}", rehearsed=ours(REHEARSED[one.run.rehearsal]))
    if one.problem:
        yield phrase("    {problem}", problem=ours(one.problem))
    if one.run.proves_nothing:
        yield phrase("    none of its numbers was found, perhaps because the campaign holds them in another form")
    if one.sound:
        told = "    its ledger is as it was written"
        if one.sound.unproved:
            told = "    its ledger is as it was written, but its last session is not proved yet"
        yield phrase(told)
    yield from (
        phrase("    {line}", line=line) for line in _rows(one.trace, [each.file for each in one.run.plan.keep.lists])
    )
    yield from (phrase("    {line}", line=line) for line in _what_happened(one.trace))


def _rows(found: Trace, keep_lists: Sequence[str]) -> Iterator[str]:
    for row in found.rows:
        sheet = phrase(", sheet {sheet}", sheet=harmless(row.sheet)) if row.sheet else ""
        yield phrase(
            "in {file}{sheet}, row {row}: {cell}, for campaign {campaign}",
            file=harmless(row.file),
            sheet=sheet,
            row=row.row,
            cell=repr(row.cell),
            campaign=row.campaign,
        )
        if row.problem == ON_KEEP_LIST and keep_lists:
            yield counted(
                len(keep_lists),
                "  never sent for this row: kept by the --keep list {lists}",
                "  never sent for this row: kept by one of the --keep lists {lists}",
                lists=joined(", ", map(harmless, keep_lists)),
            )
        elif row.problem:
            yield phrase("  never sent for this row: {problem}", problem=ours(row.problem))


def _what_happened(found: Trace) -> Iterator[str]:
    for request in found.requests:
        others = (
            phrase("with {others}", others=counted(request.others, "{count:,} other", "{count:,} others"))
            if request.others
            else phrase("with no others")
        )
        result = ours("answered" if request.result == "verdicts" else request.result or "no answer yet")
        named = phrase(" (request_id {request_id})", request_id=request.request_id) if request.request_id else ""
        when = local(request.begun_at_s, seconds=True)
        yield phrase(
            "{when}  asked for as {sent} in {campaign}, {others}: {result}{named}",
            when=when,
            sent=request.sent,
            campaign=request.campaign,
            others=others,
            result=result,
            named=named,
        )
    for campaign, number, state in found.states:
        words = [phrase("{status} as {number}", status=status_of(state.phase).value, number=number)]
        if state.record_ids:
            words.append(phrase("record {listed}", listed=", ".join(map(str, state.record_ids))))
        if detail := explain(state):
            words.append(ours(detail))
        if state.answered_at_s:
            words.append(phrase("answered at {moment}", moment=local(state.answered_at_s, seconds=True)))
        yield phrase("in {campaign}: {words}", campaign=campaign, words=joined("; ", words))


_TOLD = {
    Found.AS_WRITTEN: "  As it was written: {path} (SHA-256 {sha256})",
    Found.EARLIER: "  An earlier version, written by this run: {path}",
    Found.GONE: "  Moved or deleted: {path} (SHA-256 {sha256})",
    Found.ANOTHERS: "  Replaced by the report of another run: {path}",
    Found.UNKNOWN: "  Not in the ledger, so it cannot be checked: {path}",
}


def verify_job(*, run: str | None, head: str | None, state_dir: Path, as_json: bool) -> int:
    """Check that a run's ledger and reports are as they were written. Raises InputError, UsageError, StorageError."""
    screen = Screen()
    head = (head or "").lower()
    if head and not re.fullmatch("[0-9a-f]{64}", head):
        raise UsageError("--head is not a ledger's head.", "Give the 64 digits and letters of `ledger_head`.")
    proof = verify_run(find_run(state_dir, run or ""), head)
    if as_json:
        screen.tell_json(proof_as_json(proof))
        return ExitCode.OK
    for line in _lines(proof, head):
        screen.tell(line)
    return ExitCode.OK


def _lines(proof: Proven, head: str) -> Iterator[str]:
    _, found, later, unended, unproved, cut_off = proof.verified
    if proof.rehearsal:
        yield REHEARSED[proof.rehearsal]
    told = "The ledger of run {run_id} is as it was written: its plan, and every session."
    if unproved:
        told = "The ledger of run {run_id} is as it was written: its plan, and the sessions that were proved."
    yield phrase(told, run_id=proof.run_id)
    yield phrase("  Head: {found}", found=found)
    for report in proof.reports:
        yield phrase(_TOLD[report.found], path=report.path, sha256=report.sha256)
    if not head and not proof.summaries:
        yield "  No summary was found: only a head that you kept elsewhere can reveal a replaced ledger."
    for told in [phrase("the head that was given")] if head else [str(path) for path in proof.summaries]:
        yield phrase("  Agrees with {source}.", source=told)
    if (head or proof.summaries) and later:
        yield "  The run continued after that; only the ledger itself proves the later sessions."
    if cut_off:
        yield phrase(
            "  {sessions} cut off, and proved only when the run was resumed.",
            sessions=counted(cut_off, "{count:,} session was", "{count:,} sessions were"),
        )
    if unproved:
        yield phrase(
            "  Not proved: session {unproved}, which is under way or was cut off; {unended} without an end.",
            unproved=unproved,
            unended=counted(unended, "{count:,} request", "{count:,} requests"),
        )


def report_job(
    *, run: str | None, form: str | None, output: Path | None, csv_for: str, overwrite: bool, state_dir: Path
) -> int:
    """Write a report of an earlier run again. Raises InputError, UsageError, CampaignLockedError, StorageError."""
    folder = find_run(state_dir, run or "")
    kind = _format_of(form, output)
    if csv_for != CsvFor.PROGRAMS and kind is not ReportFormat.CSV:
        raise UsageError(
            phrase("--csv-for is only for CSV, not for {form}.", form=kind),
            "Leave it out, or write --format csv.",
        )
    path = output or folder / f"report.{'summary.' if kind is ReportFormat.JSON else ''}{kind}"
    check_place(path)
    with ended_run(folder) as (ready, ending):
        check_replaceable(path, Owner(state_dir, ready.plan.host, ready.settings, folder.name, overwrite))
        write_again(ready, ending, kind, path, CsvFor(csv_for))
    Screen().tell(phrase("The report of run {name}: {path}", name=folder.name, path=path))
    return ExitCode.OK


def _format_of(name: str | None, output: Path | None) -> ReportFormat:
    """Return the named format, or else the format of the file's ending. Raises UsageError if they differ."""
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    by_file = ReportFormat(suffix) if suffix in set(ReportFormat) else None
    if not name:
        return by_file or ReportFormat.CSV
    form = ReportFormat(name)
    if by_file not in {None, form}:
        raise UsageError(
            phrase("The file ending of --output {output} does not fit --format {form}.", output=output, form=form),
            "Change one of them.",
        )
    return form
