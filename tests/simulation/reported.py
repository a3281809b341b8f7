"""What must hold of what the report says. Each function is a promise; it raises AssertionError."""

from datetime import datetime

from tests.simulation.evidence import FINAL, Evidence
from tests.simulation.oracle import NOT_SENT, Doubt, Timing
from tests.support.virtual_time import BEGAN_S

_REFUSED = ("HTTP 400", "HTTP 409", "HTTP 414", "HTTP 422")
_TURNED_AWAY = ("HTTP 302", "HTTP 401", "HTTP 403", "HTTP 404", "HTTP 425", "HTTP 429", "HTTP 503")
_NOT_WHY = {
    "IN_DOUBT": (*_REFUSED, "No connection"),
    "CALL_IN_PROGRESS": (*_REFUSED, *_TURNED_AWAY, "No connection"),
    "FAILED": (*_REFUSED[1:], *_TURNED_AWAY, "No connection"),
    "UNSENT": _REFUSED,
}
"""Words of the details that explain no such status."""
_DOUBT, _AT_LEAST = "brought no verdict", "At least this many records"
_UNASKED = ("number", "record_ids", "campaign", "request")


def every_row_is_in_the_report_once_and_in_order(evidence: Evidence) -> None:
    """Promise 1: every input row exactly once, in input order, with its own cell, number and campaign."""
    rows = [(str(row.line), row.shown, row.number, row.campaign) for row in evidence.result.scenario.rows]
    planned = evidence.forms.planned
    assert [
        (row["row"], row["input"], planned.get(row["number"], row["number"]), row["campaign"])
        for row in evidence.result.report
    ] == rows


def the_number_shown_is_the_form_in_which_it_was_found(evidence: Evidence) -> None:
    """Never report what is not so: the campaign holds, or held, this very number; the planned one if it held none."""
    for target, history in evidence.histories.items():
        shown = evidence.firsts[target]["number"]
        assert shown in history.numbers_shown, f"{target}: shown as {shown}, should be {history.numbers_shown}"


def invalid_rows_say_so_and_others_do_not(evidence: Evidence) -> None:
    """Promise 1: a cell without a number is INVALID with a reason, and no other is."""
    for row in evidence.result.report:
        never_sent = row["status"] in {"INVALID", "KEPT"}
        assert never_sent == (not row["number"]), f"row {row['row']}: {row['status']}"
        if row["status"] == "INVALID":
            assert row["detail"], f"row {row['row']}: INVALID without a reason"


def every_kept_row_says_so_and_no_other_does(evidence: Evidence) -> None:
    """Never remove what was not asked for: a row whose number is on a keep list is KEPT, however it is written."""
    kept = [str(row.line) for row in evidence.result.scenario.rows if row.kept]
    assert [row["row"] for row in evidence.result.report if row["status"] == "KEPT"] == kept


def duplicates_carry_their_first_row(evidence: Evidence) -> None:
    """Promise 1: a duplicate names the row in which its number stood first, and says what that one says."""
    told = ("number", "campaign", "status", "removed_records", "record_ids", "attempts", "busy_rounds", "answered_at")
    for row in evidence.result.report:
        target = evidence.target_of(row)
        first = row if target is None else evidence.firsts[target]
        assert row["duplicate_of_row"] == ("" if first is row else first["row"]), f"row {row['row']}"
        assert [row[name] for name in told] == [first[name] for name in told], f"row {row['row']}"


def statuses_are_what_the_client_was_told(evidence: Evidence) -> None:
    """Never report what is not so: status, ids, counts and time follow from the replies that arrived, and doubt."""
    for number, history in evidence.histories.items():
        row = evidence.firsts[number]
        if row["status"] not in history.statuses:
            between = history.between or history.perhaps_between
            ended = between and evidence.may_be_left_out(history) and row["status"] in history.if_nowhere_else
            assert ended, f"{number}: {row['status']}, should be {history.statuses}"
        assert row["record_ids"].split() == history.ids, f"{number}: records {row['record_ids']}, told {history.ids}"
        assert int(row["removed_records"]) == len(history.ids), f"{number}: {row['removed_records']} records"
        assert int(row["attempts"]) == history.attempts, f"{number}: {row['attempts']} of {history.attempts} attempts"
        assert int(row["busy_rounds"]) == history.busy_rounds, f"{number}: {row['busy_rounds']} busy rounds"
        assert _near(row["answered_at"], history.answered_s), f"{number}: {row['answered_at']} {history.answered_s}"


def statuses_are_true_of_the_server(evidence: Evidence) -> None:
    """Never report what is not so: what the server really did bears out each status."""
    campaigns = evidence.result.world.campaigns
    for number, row in evidence.firsts.items():
        removed = evidence.removed_ids.get(number, frozenset[str]())
        ids = row["record_ids"].split()
        assert removed.issuperset(ids), f"{number}: records that the server did not remove"
        assert len(set(ids)) == len(ids), f"{number}: a record counted twice"
        match row["status"]:
            case "REMOVED":
                assert ids, f"{number}: REMOVED without a record"
                exact = len(removed) == len(ids) or _AT_LEAST in row["detail"]
                assert exact, f"{number}: {ids}, but the server removed {removed}"
            case "NOT_EXIST":
                assert not removed, f"{number}: NOT_EXIST, but the server removed {removed}"
            case "UNSENT":
                unseen = evidence.histories[number].shown is Doubt.EITHER
                assert unseen or not removed, f"{number}: UNSENT, but the server removed {removed}"
            case _:
                pass
        if row["status"] in FINAL:
            forms = [row["number"]] if ids else evidence.forms.of[number.number]
            held = [form for form in forms if campaigns[number.campaign].records(form)]
            assert not held, f"{number}: {row['status']}, but the campaign holds {held}"


def not_exist_means_in_none_of_its_forms(evidence: Evidence) -> None:
    """Never report what is not so: NOT_EXIST once each form was answered with none or refused, and none was lost."""
    for number, history in evidence.histories.items():
        if evidence.firsts[number]["status"] == "NOT_EXIST":
            open_forms = {*history.forms} - history.none_in
            left_out = not open_forms or evidence.may_be_left_out(history)
            assert left_out, f"{number}: NOT_EXIST, though no answer said so of {open_forms}"
            assert history.doubt is not Doubt.SURE, f"{number}: NOT_EXIST, though a request may have removed it"


def doubt_is_said_where_there_is_some_and_nowhere_else(evidence: Evidence) -> None:
    """Never report what is not so: what a request may have removed unsaid is in doubt, what came back at once is not.

    Where records were removed, the count of them is then a lower bound, and says so.
    """
    for number, history in evidence.histories.items():
        row = evidence.firsts[number]
        said = row["status"] in {"IN_DOUBT", "PRESUMED_REMOVED"} or _DOUBT in row["detail"]
        assert said or history.shown is not Doubt.SURE, f"{number}: no doubt: {row['status']} {row['detail']!r}"
        assert not said or history.shown is not Doubt.NONE, f"{number}: doubted: {row['status']} {row['detail']!r}"
        bound = said and row["removed_records"] != "0"
        assert (_AT_LEAST in row["detail"]) == bound, f"{number}: {row['removed_records']} records {row['detail']!r}"


def a_final_answer_stays(evidence: Evidence) -> None:
    """Never report what is not so: what one report says is final, the next one says alike."""
    told = ("number", "campaign", "status", "record_ids", "attempts", "detail", "answered_at")
    for earlier, later in zip(evidence.result.before, evidence.result.report, strict=bool(evidence.result.before)):
        if earlier["status"] in FINAL:
            assert [earlier[name] for name in told] == [later[name] for name in told], f"row {later['row']}: {earlier}"


def presumed_only_where_a_request_went_unanswered(evidence: Evidence) -> None:
    """Promise 3: PRESUMED_REMOVED and IN_DOUBT only where some request may have acted and its verdict never came."""
    doubts = [number for number, row in evidence.firsts.items() if row["status"] in {"PRESUMED_REMOVED", "IN_DOUBT"}]
    if not doubts:
        return
    doubted = {
        (attempt.campaign, evidence.forms.planned[number])
        for attempt in evidence.result.attempts
        for number in attempt.numbers
        if attempt.result not in {"verdicts", NOT_SENT}
        or (attempt.result == "verdicts" and number not in evidence.by_attempt[attempt.attempt_id].said)
    }
    for number in doubts:
        assert number in doubted, f"{number}: {evidence.firsts[number]['status']}, but each request was answered"


def failures_are_the_server_s(evidence: Evidence) -> None:
    """Promise 6: FAILED and UNRECOGNISED only for numbers that the server treats so; a refusal names its request."""
    odd = evidence.result.world.odd
    for number, row in evidence.firsts.items():
        if row["status"] == "UNRECOGNISED":
            said = "ARCHIVED" if row["number"] in odd.undocumented else "contradicts itself"
            assert row["number"] in odd.undocumented | odd.contradicted, f"{number}: an innocent is UNRECOGNISED"
            assert said in row["detail"], f"{number}: {row['detail']!r}"
        if row["status"] == "FAILED":
            poison = row["number"] == number.number and row["number"] in odd.poison
            alone = row["number"] == number.number and row["number"] in odd.refused
            passed_over = row["number"] in odd.silent or _was_passed_over(evidence.histories[number])
            assert poison or alone or passed_over, f"{number}: an innocent FAILED"
            words = ("request_id", "Agent not found.", "did not contain", "nobody asked for")
            assert any(each in row["detail"] for each in words), f"{number}: {row['detail']!r}"


def a_removal_that_nobody_asked_for_is_in_the_report(evidence: Evidence) -> None:
    """Promise 2: with its record in the summary, and in the rows of that request that got no verdict."""
    told = [
        (number, ids, attempt.campaign, attempt.attempt_id)
        for attempt in evidence.result.attempts
        if attempt.result == "verdicts"
        for number, ids in evidence.by_attempt[attempt.attempt_id].unasked.items()
    ]
    said = [tuple(each[name] for name in _UNASKED) for each in evidence.result.summary["unasked_removals"]]
    assert sorted(said) == sorted(told)
    for number, history in evidence.histories.items():
        request = history.last
        if request is not None and request.unasked and history.form not in request.said:
            detail = evidence.firsts[number]["detail"]
            named = [each for each, ids in request.unasked.items() if f"{each} (record {ids[0]}" in detail]
            assert named or request.told_s is None or "stopped hard" in detail, f"{number}: {detail!r}"


def _was_passed_over(history: Timing) -> bool:
    """Tell whether the last reply for a number should have spoken of it, and did not, though it arrived."""
    return history.heard is not None and history.form not in history.heard.said


def details_belong_to_their_status(evidence: Evidence) -> None:
    """Never report what is not so: the detail says why the number stands where it does, not what came in between.

    A request that the server did not act on leaves a number where it was; one refused for another number says nothing
    of this one.
    """
    for number, row in evidence.firsts.items():
        if row["status"] in _NOT_WHY:
            foreign = [words for words in _NOT_WHY[row["status"]] if words in row["detail"]]
            assert not foreign, f"{number}: {row['status']}, because: {row['detail']!r}"


def a_run_that_ends_by_itself_asked_for_every_number(evidence: Evidence) -> None:
    """Never lose a number: when the sending is done, no number is UNSENT, or still to be asked for in another form."""
    if evidence.result.summary["ending"] == "done":
        told = {number: row["status"] for number, row in evidence.firsts.items()}
        unsent = [number for number, status in told.items() if status == "UNSENT"]
        assert not unsent, f"never asked for: {unsent}"
        between = [number for number, history in evidence.histories.items() if history.between]
        unfinished = [number for number in between if told[number] not in FINAL]
        assert not unfinished, f"not asked for in all forms: {unfinished}"


def in_a_calm_world_everything_comes_to_an_answer(evidence: Evidence) -> None:
    """Resume converges: once the server answers, every number is final but for those that it treats oddly."""
    if not evidence.result.world.is_calm:
        return
    assert evidence.result.summary["ending"] == "done"
    odd = evidence.result.world.odd
    exempt = odd.silent | odd.undocumented | odd.contradicted
    for number, row in evidence.firsts.items():
        odd_one = row["number"] in exempt or number.number in odd.poison | odd.refused
        assert row["status"] in FINAL or odd_one, f"{number}: {row['status']}"


def _near(shown: str, moment_s: float | None) -> bool:
    """Tell whether a time in the report is this virtual one, to the millisecond and the time of a commit."""
    if moment_s is None or not shown:
        return moment_s is None and not shown
    return abs(datetime.fromisoformat(shown).timestamp() - BEGAN_S - moment_s) < 0.002
