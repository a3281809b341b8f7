"""Verifies that the ledger and the reports of a run are unchanged, and explains what was done with one number.

The ledger keeps the SHA-256 of each report file, and each summary keeps the head of the ledger's proof. So reports are
compared with the ledger, and the ledger with the heads in unchanged summaries.

`explain_number` shows what all runs on this machine did with one number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.model import Rehearsal
from bulk_remove.core.numbers import Normaliser
from bulk_remove.disk import opened
from bulk_remove.errors import AlteredLedgerError, AlteredReportError, InputError, StorageError
from bulk_remove.language import joined, phrase
from bulk_remove.ledger import DAMAGE, Outcomes, Store, Trace, Verified, opened_for_reading, trace, verify, was_approved
from bulk_remove.report.csv import timestamp
from bulk_remove.run.finish import REPORT, SUMMARY, summary_at
from bulk_remove.run.folders import noted_reports
from bulk_remove.run.past import PastRun, past_run, past_runs
from bulk_remove.run.prepare import LEDGER
from bulk_remove.settings import Settings


class Found(StrEnum):
    """What is now at the path of a report file."""

    AS_WRITTEN = "as_written"
    EARLIER = "earlier"
    GONE = "gone"
    ANOTHERS = "another_run"
    ALTERED = "altered"
    UNKNOWN = "not_in_ledger"


class ReportFile(NamedTuple):
    """The path of a report file, what is there now, and the SHA-256 of the last version written, if known."""

    path: Path
    found: Found
    sha256: str


class Proven(NamedTuple):
    """A run with a sound ledger: what is proved, its reports, and the summaries that agree with it."""

    run_id: str
    verified: Verified
    reports: tuple[ReportFile, ...]
    summaries: tuple[Path, ...]
    rehearsal: Rehearsal


def verify_run(folder: Path, head: str) -> Proven:
    """Check a run's reports, and its ledger against `head` or the heads in its summaries. Raises Altered...Error."""
    if not was_approved(folder / LEDGER):
        raise InputError(
            phrase("Run {name} ended before its plan was approved, so its ledger proves nothing.", name=folder.name),
            "It sent nothing. Name another run.",
        )
    with opened_for_reading(folder / LEDGER) as store:
        reports = tuple(_reports(store, folder))
        noted = {} if head else _heads(folder.name, reports)
        verified = verify(store, [head] if head else [*noted.values()])
    altered = [str(report.path) for report in reports if report.found is Found.ALTERED]
    if altered:
        raise AlteredReportError(
            phrase("{files} does not match the ledger.", files=joined(", ", altered)),
            "It proves nothing. Write it again with: bulk-remove report.",
        )
    return Proven(folder.name, verified, reports, tuple(noted), past_run(folder).rehearsal)


def _heads(run_id: str, reports: Sequence[ReportFile]) -> Mapping[Path, str]:
    """Return the heads (hex) in a run's own summaries. Altered summaries are ignored."""
    paths = [each.path for each in reports if each.path.name.endswith(SUMMARY) and each.found is not Found.ALTERED]
    own = {path: summary for path in paths if (summary := summary_at(path)).get("run_id") == run_id}
    return {path: head for path, summary in own.items() if isinstance(head := summary.get("ledger_head"), str)}


def _reports(store: Store, folder: Path) -> Iterator[ReportFile]:
    """Yield the report files of a run in the order in which they were first written."""
    written: dict[Path, list[str]] = {}
    for file in Outcomes(store).written():
        written.setdefault(file.path, []).append(file.sha256)
    for path, digests in written.items():
        yield ReportFile(path, _found_at(path, digests, folder.name), digests[-1])
    for report in dict.fromkeys((folder / REPORT, *noted_reports(folder).paths)):
        owner = summary_at(report.with_suffix(SUMMARY)).get("run_id") or folder.name
        found = Found.UNKNOWN if owner == folder.name else Found.ANOTHERS
        for path in dict.fromkeys((report, report.with_suffix(SUMMARY))):
            if path.exists() and path.absolute() not in written:
                yield ReportFile(path, found, "")


def _found_at(path: Path, digests: Sequence[str], run_id: str) -> Found:
    try:
        with opened(path, links=True) as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError:
        return Found.GONE
    if digest == digests[-1]:
        return Found.AS_WRITTEN
    if digest in digests:
        return Found.EARLIER
    return Found.ANOTHERS if _is_of_another(path, digest, run_id) else Found.ALTERED


def _is_of_another(path: Path, digest: str, run_id: str) -> bool:
    """Return whether a later run wrote its own report to this path, as nightly runs do."""
    summary = summary_at(path if path.name.endswith(SUMMARY) else path.with_suffix(SUMMARY))
    if not summary.get("run_id") or summary["run_id"] == run_id:
        return False
    return path.suffix != ".csv" or summary.get("report_sha256") == digest


def proof_as_json(proof: Proven) -> dict[str, object]:
    """Return what `runs verify --json` prints for a sound ledger. The keys are stable."""
    return {
        "run_id": proof.run_id,
        "sound": True,
        "rehearsal": proof.rehearsal.value or None,
        "links": proof.verified.links,
        "ledger_head": proof.verified.head,
        "attempts_without_an_end": proof.verified.unended,
        "session_without_proof": proof.verified.unproved or None,
        "sessions_cut_off": proof.verified.cut_off,
        "reports": [
            {"path": str(report.path), "found": report.found.value, "sha256": report.sha256} for report in proof.reports
        ],
        "compared_with": [str(path) for path in proof.summaries],
        "links_after_the_head": proof.verified.later,
    }


_NOTHING = Trace((), (), ())


@dataclass(frozen=True, slots=True)
class Explained:
    """A run that had the number in its input, or a run with an unreliable ledger. It sent the number as `number`.

    `trace` is what its ledger says. `problem` says why the ledger cannot be read or, with `altered`, what was changed
    in it: then the trace may be wrong. `sound` is what is proved, None with a problem.
    """

    run: PastRun
    number: str
    trace: Trace
    problem: str = ""
    altered: bool = False
    sound: Verified | None = None


def explain_number(state_dir: Path, text: str, campaign: str | None = None) -> Iterator[Explained]:
    """Yield the approved runs that had a number, oldest first. Each run reads the text by its own rules."""
    for run in past_runs(state_dir):
        if run.told is None:
            if run.problem:
                yield Explained(run, "", _NOTHING, run.problem)
            continue
        forms: Sequence[str] = [text.strip()]
        try:
            with opened_for_reading(run.folder / LEDGER) as store:
                settings = run.told.facts.settings
                forms = _forms(settings, text)
                told = _explain_run(run, store, settings, forms, campaign)
        except StorageError as error:
            told = Explained(run, forms[0], _NOTHING, error.sentence)
        if told.trace.rows or told.problem:
            yield told


def _explain_run(
    run: PastRun, store: Store, settings: Settings, forms: Sequence[str], campaign: str | None
) -> Explained:
    normalise = Normaliser(settings.rules)
    told = Explained(run, forms[0], _NOTHING)
    try:
        told = replace(told, sound=verify(store, [*_heads(run.run_id, [*_reports(store, run.folder)]).values()]))
    except AlteredLedgerError as error:
        told = replace(told, problem=error.sentence, altered=True)
    try:
        found = trace(store, forms, lambda cells: normalise.block(cells).numbers)
        with_trace = replace(told, trace=_in_campaign(found, campaign))
        explained_as_json(with_trace)  # a damaged cell must raise here
    except DAMAGE:
        if not told.altered:
            raise
        return told  # expected in an altered ledger
    return with_trace


def _forms(settings: Settings, text: str) -> Sequence[str]:
    """Return the forms in which a run may have sent the number. A text that is not a number is used as it is."""
    planned = Normaliser(settings.rules)(text).number
    if not planned:
        return [text.strip()]
    after = settings.forms().after
    forms = [planned]
    while form := after(forms[-1]):
        forms.append(form)
    return forms


def _in_campaign(found: Trace, campaign: str | None) -> Trace:
    if campaign is None:
        return found
    return Trace(
        tuple(row for row in found.rows if row.campaign == campaign),
        tuple(request for request in found.requests if request.campaign == campaign),
        tuple(state for state in found.states if state.campaign == campaign),
    )


def explained_as_json(one: Explained) -> dict[str, Any]:
    """Return what `explain --json` prints for a run. The keys are stable."""
    return {
        "run_id": one.run.run_id,
        "host": one.run.host,
        "rehearsal": one.run.rehearsal.value or None,
        "ending": one.run.state,
        "problem": one.problem,
        "proves_nothing": one.run.proves_nothing,
        "sound": one.sound is not None,
        "ledger_head": one.sound.head if one.sound else None,
        "attempts_without_an_end": one.sound.unended if one.sound else None,
        "session_without_proof": (one.sound.unproved or None) if one.sound else None,
        "number": one.number,
        "keep": [each.file for each in one.run.plan.keep.lists],
        "rows": [row._asdict() for row in one.trace.rows],
        "requests": [
            {
                "campaign": request.campaign,
                "number": request.sent,
                "numbers": request.others + 1,
                "begun_at": timestamp(request.begun_at_s),
                "ended_at": timestamp(request.ended_at_s) if request.ended_at_s is not None else None,
                "result": request.result or None,
                "request_id": request.request_id or None,
            }
            for request in one.trace.requests
        ],
        "verdicts": [
            {
                "campaign": known.campaign,
                "number": known.number,
                "status": status_of(known.state.phase).value,
                "record_ids": [str(found) for found in known.state.record_ids],
                "attempts": known.state.attempts,
                "busy_rounds": known.state.busy_rounds,
                "detail": explain(known.state),
                "answered_at": timestamp(known.state.answered_at_s) if known.state.answered_at_s else None,
            }
            for known in one.trace.states
        ],
    }
