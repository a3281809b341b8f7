"""What must hold of what a run counts, and tells as it goes. Each function is a promise; it raises AssertionError."""

from collections import Counter

from tests.simulation.evidence import FINAL, Evidence
from tests.simulation.oracle import NOT_SENT, Doubt, is_removal

_STATUS_OF_PHASE = {
    "U": "UNSENT",
    "u": "IN_DOUBT",
    "B": "CALL_IN_PROGRESS",
    "b": "CALL_IN_PROGRESS",
    "m": "FAILED",
    "O": "UNSENT",
    "o": "IN_DOUBT",
    "R": "REMOVED",
    "r": "REMOVED",
    "N": "NOT_EXIST",
    "n": "PRESUMED_REMOVED",
    "F": "FAILED",
    "f": "FAILED",
    "X": "UNRECOGNISED",
    "x": "UNRECOGNISED",
}


def the_sum_closes(evidence: Evidence) -> None:
    """Promise 1: rows = the ten statuses, in the summary as in the report."""
    by_status = Counter(row["status"] for row in evidence.result.report)
    summary = evidence.result.summary
    assert summary["rows"] == len(evidence.result.scenario.rows) == sum(summary["rows_by_status"].values())
    assert {status: count for status, count in summary["rows_by_status"].items() if count} == by_status
    assert summary["empty_cells"] == sum(not row.cell.strip() for row in evidence.result.scenario.rows)
    assert summary["empty_cells"] + sum(summary["invalid_cells_by_reason"].values()) == by_status["INVALID"]


def the_summary_adds_up(evidence: Evidence) -> None:
    """The totals are those of the report, the attempts and the sessions."""
    result, summary = evidence.result, evidence.result.summary
    results = Counter(attempt.result for attempt in result.attempts if attempt.result not in {NOT_SENT, ""})
    assert summary["requests"] == results.total()
    assert summary["faults"] == {kind: count for kind, count in results.items() if kind != "verdicts"}
    assert summary["removed_records"] == sum(int(row["removed_records"]) for row in evidence.firsts.values())
    assert summary["numbers"] == len(result.scenario.targets)
    assert summary["campaigns"] == sorted({campaign for campaign, _ in result.scenario.targets})
    assert summary["numbers_asked"] == sum(row["attempts"] != "0" for row in evidence.firsts.values())
    assert summary["numbers_in_replies_unasked"] == sum(attempt.strangers for attempt in result.attempts)
    told = sum(session.how not in {"Killed", "StorageError"} for session in evidence.audit.sessions)
    assert told <= summary["sessions"] <= len(evidence.audit.sessions)
    assert summary["duplicate_rows"] == sum(bool(row["duplicate_of_row"]) for row in result.report)


def the_summary_has_true_seconds(evidence: Evidence) -> None:
    """Never report what is not so: the time of sending is what went by, however often our clock was set meanwhile."""
    least_s = most_s = 0.0
    for session in evidence.audit.sessions:
        took_s = session.ended_s - session.began_s
        most_s += took_s
        least_s += took_s if session.how not in {"Killed", "StorageError", "CancelledError"} else 0.0
    seconds = evidence.result.summary["seconds"]
    assert least_s - 1.0 <= seconds <= most_s + 1.0, f"{seconds} s of sending, and not {least_s} to {most_s} s"


def a_sum_that_may_be_more_is_a_lower_bound(evidence: Evidence) -> None:
    """Never report what is not so: the records removed are told as exact just where each number has a clear verdict."""
    summary = evidence.result.summary
    doubted = {target for target, row in evidence.firsts.items() if _is_doubted(row)}
    assert summary["removed_records_at_least"] == bool(doubted)
    for counted in summary["records_by_campaign"]:
        mine = [target for target in doubted if target.campaign == counted["campaign"]]
        assert counted["at_least"] == bool(mine), f"{counted}: {mine}"
        assert ("at least" in counted["sentence"]) == bool(mine), counted["sentence"]
    removed = sum(map(len, evidence.removed_ids.values()))
    unseen = any(history.shown is Doubt.EITHER for history in evidence.histories.values())
    assert doubted or unseen or removed == summary["removed_records"], f"{removed} were removed"


def _is_doubted(row: dict[str, str]) -> bool:
    return row["status"] in {"IN_DOUBT", "PRESUMED_REMOVED", "UNRECOGNISED"} or "brought no verdict" in row["detail"]


def the_progress_shown_was_true(evidence: Evidence) -> None:
    """Promise 3: what a session counted at its end is what the report and the audit say."""
    snapshot, session = evidence.result.snapshot, evidence.sessions[-1]
    shown: Counter[str] = Counter()
    for phase, count in snapshot.phases.items():
        shown[_STATUS_OF_PHASE[phase]] += count
    reported = Counter(row["status"] for row in evidence.firsts.values())
    # The report is written by all replies: a refusal that looked harmless when it came may be in doubt by then.
    doubted_later = reported["IN_DOUBT"] - shown["IN_DOUBT"]
    assert 0 <= doubted_later <= shown["UNSENT"]
    shown.update({"IN_DOUBT": doubted_later, "UNSENT": -doubted_later})
    assert +shown == +reported
    assert snapshot.requests == len(session)
    assert snapshot.strangers == sum(request.strangers for request in session)
    assert snapshot.faults == Counter(request.told for request in session if request.told != "verdicts")
    told = [entry for request in session for entries in request.said.values() for entry in entries]
    assert snapshot.removed_records == sum(map(is_removal, told))
    if evidence.result.summary["ending"] == "done":
        assert snapshot.waiting == 0, f"{snapshot.waiting} numbers still wait"


def what_was_told_as_final_is_in_the_report(evidence: Evidence) -> None:
    """Never report what is not so: who listens to a run is told the final verdicts that the report holds, once each."""
    told = Counter(
        (number, _STATUS_OF_PHASE[phase])
        for session in evidence.audit.sessions
        for number, phase in session.settled
        if _STATUS_OF_PHASE[phase] in FINAL
    )
    untold = told - Counter((row["number"], row["status"]) for row in evidence.firsts.values())
    assert not untold, f"told, but not in the report: {untold}"


def the_exit_code_is_0_only_when_all_is_final(evidence: Evidence) -> None:
    """Not closed, not final or not proven is never exit 0."""
    statuses = {row["status"] for row in evidence.result.report}
    final = evidence.result.summary["ending"] == "done" and statuses <= FINAL | {"INVALID", "KEPT"}
    assert (evidence.result.summary["exit_code"] == 0) == (final and not _proves_nothing(evidence))


def none_found_in_a_guess_is_never_called_an_answer(evidence: Evidence) -> None:
    """Promise 14: a result that proves nothing is not shown as proof."""
    found, told = evidence.result.summary["none_found"], evidence.result.summary["proves_nothing"]
    assert bool(found and found["proves_nothing"]) == _proves_nothing(evidence)
    assert bool(found and not found["confirmed"]) == (told is not None)
    if found:
        assert found["confirmed"] == evidence.result.looked


def _proves_nothing(evidence: Evidence) -> bool:
    """Tell whether nobody can know if the numbers are there: many were not found, in a form that no record showed."""
    missing: Counter[str] = Counter()
    there: set[str] = set()
    for target, row in evidence.firsts.items():
        missing[target.campaign] += row["status"] in {"NOT_EXIST", "PRESUMED_REMOVED"}
        seen = row["removed_records"] != "0" or row["busy_rounds"] != "0"
        if seen or row["status"] in {"REMOVED", "CALL_IN_PROGRESS"}:
            there.add(target.campaign)
    lost = [count for campaign, count in missing.items() if campaign not in there]
    return not evidence.result.looked and (max(lost, default=0) >= 10 or (not there and sum(lost) >= 10))
