"""Ledger -> report and summary; what the run amounts to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bulk_remove import __version__
from bulk_remove.adapters.ledger import Outcomes
from bulk_remove.adapters.reporter import timestamp, write_report, write_summary
from bulk_remove.core.model import Status
from bulk_remove.core.summary import exit_code
from bulk_remove.errors import ExitCode
from bulk_remove.run.carry_out import Sent
from bulk_remove.run.prepare import Prepared
from bulk_remove.settings import Settings


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run amounts to: rows by status (their sum is the input's rows), the exit code, where the files are."""

    by_status: Mapping[Status, int]
    exit_code: ExitCode
    report: Path
    summary: Path


def finish(prepared: Prepared, settings: Settings, sent: Sent, output: Path | None) -> Finished:
    """Write report and summary; without `output` they go to the run's own folder.

    Raises StorageError, and InvariantError when the sum does not close.
    """
    report = output or prepared.folder / "report.csv"
    by_status = write_report(report, Outcomes(prepared.store).rows(), prepared.plan.rows, prepared.kept)
    finished = Finished(by_status, exit_code(sent.ending, by_status), report, report.with_suffix(".summary.json"))
    write_summary(finished.summary, _summary(prepared, settings, sent, finished))
    return finished


def _summary(prepared: Prepared, settings: Settings, sent: Sent, finished: Finished) -> dict[str, object]:
    plan, snapshot = prepared.plan, sent.snapshot
    seconds = sent.ended_s - sent.began_s
    return {
        "run_id": plan.run_id,
        "tool_version": __version__,
        "host": plan.host,
        "campaigns": [campaign.campaign for campaign in plan.campaigns],
        "input": [
            {
                "file": source.file,
                "sheet": source.sheet,
                "sha256": source.sha256,
                "size_bytes": source.size_bytes,
                "column": source.header[source.column],
            }
            for source in plan.sources
        ],
        "rows": plan.rows,
        "rows_by_status": {status.value: finished.by_status.get(status, 0) for status in Status},
        "numbers": plan.numbers,
        "duplicate_rows": plan.duplicates,
        "invalid_cells_by_reason": dict(plan.problems),
        "removed_records": snapshot.removed_records,
        "numbers_in_replies_unasked": snapshot.strangers,
        "requests": snapshot.requests,
        "requests_planned": plan.requests,
        "faults": snapshot.faults,
        "began_at": timestamp(sent.began_s),
        "ended_at": timestamp(sent.ended_s),
        "seconds": round(seconds, 3),
        "requests_per_second": round(snapshot.requests / seconds, 3) if seconds else None,
        "numbers_per_second": round(snapshot.settled / seconds, 1) if seconds else None,
        "ending": sent.ending.value,
        "ended_by": sent.fault.kind if sent.fault else "",
        "exit_code": int(finished.exit_code),
        "settings": settings.public(),
    }
