"""A page of a made-up run in which everything happened that a page can tell of."""

from io import StringIO
from typing import Any

from bulk_remove.core.model import NEVER_SENT, ON_KEEP_LIST, NumberState, RowOutcome, Source, Status
from bulk_remove.core.summary import Ending, Proof, advise
from bulk_remove.core.timeline import Attempt, Course, SessionSpan, Timeline
from bulk_remove.report.html import write_page
from tests.support.outcome_blocks import outcome_blocks

RUN = "20261124-021530-9f3a"
REASON = "RODO-11812, <b>art. 17</b>"
HOSTILE = "<script>alert(1)</script>&\"'"
SOURCE = Source(f"{HOSTILE}.csv", "Luty", ("phone",), 0, "named", "utf-8", ";", "ab" * 32, 12_345)
SESSIONS = (
    SessionSpan(1.79e9, 1.79e9 + 600, 5.0, "stopped by Ctrl-C"),
    SessionSpan(1.79e9 + 9000, 1.79e9 + 9400, 2.0, ""),
)
_PHASES = {
    Status.REMOVED: "R",
    Status.NOT_EXIST: "N",
    Status.PRESUMED_REMOVED: "n",
    Status.CALL_IN_PROGRESS: "B",
    Status.IN_DOUBT: "u",
    Status.FAILED: "F",
    Status.UNRECOGNISED: "X",
    Status.UNSENT: "U",
}
ROWS_BY_STATUS = {status: 1200 if status is Status.REMOVED else 7 for status in Status}


def rows() -> list[RowOutcome]:
    """Return the rows of the run: each number once, invalid cells, and kept numbers."""
    whole: list[RowOutcome] = []
    for status, count in ROWS_BY_STATUS.items():
        for index in range(count):
            number = str(601_000_000 + len(whole))
            state = None
            if status not in NEVER_SENT:
                moment_s = 1.79e9 + index / 3 if status is not Status.UNSENT else 0.0
                state = NumberState(_PHASES[status], 1, (index,), 1, index % 9 == 0, 0.0, moment_s)
            whole.append(
                RowOutcome(
                    SOURCE,
                    len(whole) + 2,
                    number if state else f"{HOSTILE} 601234555"[index:],
                    (),
                    number if state else "",
                    "00001",
                    state,
                    "" if state else ON_KEEP_LIST if status is Status.KEPT else f"A reason with {HOSTILE}.",
                    "",
                )
            )
    return whole


def course() -> Course:
    """Return the course of the run: 300 requests, some of which the server refused."""
    made = Course(Timeline.of(SESSIONS))
    made.add_attempts(
        Attempt(1.79e9 + 2 * index, 1.79e9 + 2 * index + 0.01 * index, *_result_of(index)) for index in range(300)
    )
    made.add_attempts([Attempt(1.79e9 + 9001, 1.79e9 + 9002, "verdicts", "")])
    assert sum(len(block.rows) for block in made.through(outcome_blocks(rows(), 100))) == sum(ROWS_BY_STATUS.values())
    return made


def _result_of(index: int) -> tuple[str, str]:
    if index % 50 == 20:
        return "HTTP 429", f"req-{index}"
    return ("HTTP 400", HOSTILE) if index % 70 == 30 else ("verdicts", "")


def summary(**changes: Any) -> dict[str, Any]:
    """Return the summary that belongs to it, as report.summary.json holds it."""
    faults = {kind: fault.count for kind, fault in course().faults.items()}
    invalid = ROWS_BY_STATUS[Status.INVALID]
    return {
        "run_id": RUN,
        "tool_version": "0.1.0",
        "host": "acme.thulium.com",
        "rehearsal": None,
        "asked_by": {"api_user": "anna", "system_user": f"root{HOSTILE}", "approved_by": "typed at the terminal"},
        "planned_by": {
            "plan": "20261128-202714-5654-67317228",
            "system_user": f"ewa{HOSTILE}",
            "api_user": f"plans{HOSTILE}",
            "at": "2026-11-28T20:27:14.000Z",
        },
        "campaigns": ["00001", "00002"],
        "campaign_names": {"00002": HOSTILE},
        "input": [{"file": SOURCE.file, "sheet": "Luty", "sha256": SOURCE.sha256, "size_bytes": 12_345, "column": "p"}],
        "rows": sum(ROWS_BY_STATUS.values()),
        "rows_by_status": {status.value: count for status, count in ROWS_BY_STATUS.items()},
        "numbers": sum(ROWS_BY_STATUS.values()) - invalid - ROWS_BY_STATUS[Status.KEPT],
        "numbers_asked": 1,
        "duplicate_rows": 0,
        "empty_cells": 3,
        "left_out_rows": 0,
        "settings": {"where": [], "rate": 2.0, "campaign_column": HOSTILE, "reason": REASON},
        "records_by_campaign": [{"sentence": Proof("00001", 1300, 51, 1249, 0, "").sentence()}],
        "proves_nothing": None,
        "report_sha256": "cd" * 32,
        "ledger_head": "ef" * 32,
        "invalid_cells_by_reason": {f"A reason with {HOSTILE}.": invalid},
        "removed_records": 1249,
        "removed_records_at_least": False,
        "numbers_in_replies_unasked": 3,
        "requests": 301,
        "faults": faults,
        "sessions": 2,
        "began_at": "2026-09-21T13:33:20.000Z",
        "ended_at": "2026-09-21T16:10:00.000Z",
        "seconds": 1000.0,
        "ending": "stopped by Ctrl-C",
        "exit_code": 130,
        "none_found": None,
    } | changes


def page(made: Course | None = None, **changes: Any) -> str:
    """Return the page's HTML; `changes` are those of the summary."""
    told = summary(**changes)
    by_status = {Status(name): count for name, count in told["rows_by_status"].items()}
    file = StringIO()
    advice = advise(RUN, Ending(told["ending"]), by_status, strangers=told["numbers_in_replies_unasked"])
    write_page(file, told, made or course(), {0.5: 0.12, 0.95: 1.0, 0.99: 2.5, 1.0: 3.0}, advice)
    return file.getvalue()


def empty_page() -> str:
    """Return the page of a run in which nothing happened at all: one session that sent nothing."""
    made = Course(Timeline.of([replace_end(SESSIONS[0])]))
    rows_by_status = dict.fromkeys(map(str, Status), 0) | {Status.UNSENT.value: 4}
    changes = {
        "rows": 4,
        "numbers": 4,
        "requests": 0,
        "empty_cells": 0,
        "left_out_rows": 0,
        "settings": {"where": []},
        "invalid_cells_by_reason": {},
        "seconds": 0.0,
        "faults": {},
    }
    return page(made, rows_by_status=rows_by_status, numbers_in_replies_unasked=0, **changes)


def replace_end(span: SessionSpan) -> SessionSpan:
    """Return the session ended the moment it began."""
    return span._replace(ended_s=span.began_s)
