"""Ledger -> report and summary; what the run amounts to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bulk_remove import __version__
from bulk_remove.adapters.folders import note_report
from bulk_remove.adapters.ledger import Outcomes, Totals
from bulk_remove.adapters.reporter import timestamp, write_report, write_summary
from bulk_remove.core.model import NumberState, OutcomeBlock, Status
from bulk_remove.core.plan import Plan
from bulk_remove.core.summary import Ending, exit_code
from bulk_remove.errors import ExitCode
from bulk_remove.run.prepare import Prepared
from bulk_remove.settings import Settings

REPORT = "report.csv"
"""The report's name in a run's own folder."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run amounts to, all its sessions together.

    The sum of `by_status` is the input's rows; `removed_records` counts records, `asked_numbers` the distinct numbers
    that some request carried, `totals` what was sent. `report` and `summary` are the files.

    `ledger_head` is the head of the ledger's chain, in hex.
    """

    by_status: Mapping[Status, int]
    removed_records: int
    asked_numbers: int
    totals: Totals
    ending: Ending
    exit_code: ExitCode
    report: Path
    summary: Path
    ledger_head: str

    @property
    def resumable(self) -> bool:
        """Whether a later session could bring more numbers to an answer."""
        return any(self.by_status.get(status, 0) for status in RESUMED)


RESUMED = (Status.UNSENT, Status.IN_DOUBT, Status.CALL_IN_PROGRESS)
"""What a later session asks for again."""


def finish(prepared: Prepared, settings: Settings, ending: Ending, output: Path | None) -> Finished:
    """Write report and summary; without `output` they go to the run's own folder.

    Raises StorageError, and InvariantError when the sum does not close.
    """
    report = output or prepared.folder / REPORT
    if report.parent != prepared.folder:
        note_report(prepared.folder, report)
    outcomes = Outcomes(prepared.store)
    counter = _Counter()
    by_status = write_report(report, counter.through(outcomes.blocks()), prepared.plan.rows, prepared.kept)
    finished = Finished(
        by_status,
        counter.removed,
        counter.asked,
        outcomes.totals(),
        ending,
        exit_code(ending, by_status),
        report,
        report.with_suffix(".summary.json"),
        outcomes.chain_head(),
    )
    write_summary(finished.summary, _summary(prepared.plan, settings, finished))
    return finished


class _Counter:
    """Counts what became of the numbers of the rows that pass; a duplicate's fate is its first row's."""

    def __init__(self) -> None:
        self.removed = 0
        self.asked = 0

    def through(self, blocks: Iterator[OutcomeBlock]) -> Iterator[OutcomeBlock]:
        for block in blocks:
            for state, count in block.states.counted():
                self._count(state, count)
            for place in block.duplicate_of:
                self._count(block.states[place], -1)
            yield block

    def _count(self, state: NumberState, rows: int) -> None:
        self.removed += rows * state.removed
        self.asked += rows * (state.attempts > 0)


def _summary(plan: Plan, settings: Settings, finished: Finished) -> dict[str, object]:
    totals = finished.totals
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
            for source in (planned.source for planned in plan.sources)
        ],
        "rows": plan.rows,
        "rows_by_status": {status.value: finished.by_status.get(status, 0) for status in Status},
        "numbers": plan.numbers,
        "numbers_asked": finished.asked_numbers,
        "duplicate_rows": plan.duplicates,
        "invalid_cells_by_reason": dict(plan.problems),
        "removed_records": finished.removed_records,
        "numbers_in_replies_unasked": totals.strangers,
        "requests": totals.requests,
        "requests_planned": plan.requests,
        "faults": totals.faults,
        "sessions": totals.sessions,
        "began_at": timestamp(totals.began_at_s),
        "ended_at": timestamp(totals.ended_at_s),
        "seconds": round(totals.seconds, 3),
        "requests_per_second": round(totals.requests / totals.seconds, 3) if totals.seconds else None,
        "numbers_per_second": round(finished.asked_numbers / totals.seconds, 1) if totals.seconds else None,
        "ending": finished.ending.value,
        "exit_code": int(finished.exit_code),
        "ledger_head": finished.ledger_head,
        "settings": settings.public(),
    }
