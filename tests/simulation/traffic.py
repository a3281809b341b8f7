"""What must hold of what was sent, and when. Each function is a promise; it raises AssertionError."""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from bulk_remove.core.summary import Ending
from tests.simulation.audit import Request
from tests.simulation.evidence import Evidence
from tests.simulation.fates import ACTS, Fate
from tests.simulation.oracle import DENIED, NOT_SENT, REFUSED
from tests.simulation.rows import Target
from tests.simulation.scenario import Kind

_ROUNDING_S = 1e-5
"""Virtual time and the pacer's microseconds may differ by this."""
_DENIALS = 4
"""So many denials in a row are a refusal."""
_LATE_S = 10.0
"""A second for each time that the hours begin or end while a run lasts, by a clock that is set several times."""
_COMMIT_S = 0.1
"""A wish to pause is obeyed once it is on disk."""


def only_valid_numbers_of_the_input_are_sent(evidence: Evidence) -> None:
    """Never remove what was not asked for: each number of each request is a form of one of the input, there once."""
    asked_for = evidence.forms.planned.keys()
    for request in evidence.fresh:
        assert asked_for >= {*request.numbers}, f"sent, but not in the input: {request.numbers}"
        assert len(set(request.numbers)) == len(request.numbers), "a number twice in one request"
        assert len(request.numbers) <= evidence.settings.max_numbers_per_request


def a_kept_number_is_never_sent(evidence: Evidence) -> None:
    """Never remove what was not asked for: no number of a keep list, in whatever form it stands there, or is sent."""
    kept = {re.sub("[^0-9]", "", cell)[-9:] for cell in evidence.result.scenario.keep}
    for request in evidence.fresh:
        sent = {*request.numbers, *request.arrived}
        assert kept.isdisjoint(number[-9:] for number in sent), f"kept, but sent: {sent}"


def each_request_goes_to_the_campaign_of_its_numbers(evidence: Evidence) -> None:
    """Never remove what was not asked for: a number is sent to a campaign where the input has it, as planned."""
    asked_for = {*evidence.result.scenario.targets}
    planned = evidence.forms.planned
    for request in evidence.fresh:
        sent = {Target(request.campaign, planned[number]) for number in request.numbers}
        assert sent <= asked_for, f"not in the input: {sent - asked_for}"
    for attempt in evidence.result.attempts:
        request_of = evidence.by_attempt.get(attempt.attempt_id)
        assert request_of is None or request_of.campaign == attempt.campaign, f"attempt {attempt.attempt_id}"


def no_request_mixes_forms(evidence: Evidence) -> None:
    """A form that the server refuses costs no number in another: all numbers of a request are written alike."""
    for request in evidence.fresh:
        ranks = {evidence.forms.rank[number] for number in request.numbers}
        assert len(ranks) == 1, f"forms {ranks} in one request: {request.numbers}"


def forms_are_asked_for_one_after_the_other(evidence: Evidence) -> None:
    """Never remove what was not asked for: the next form only once an answer found none in the one before.

    A form that the server refused for this number, or for a good many, counts as answered.
    """
    for number, history in evidence.histories.items():
        assert not history.out_of_turn, f"{number} was asked for as {history.out_of_turn} out of turn"


def the_canary_goes_alone(evidence: Evidence) -> None:
    """Until the operator lets the rest follow, no number is sent but those of the first request."""
    if not evidence.settings.canary or not evidence.audit.requests:
        return
    planned, first = evidence.forms.planned, evidence.audit.requests[0]
    canary = {Target(first.campaign, planned[number]) for number in first.numbers}
    passed_s = evidence.audit.canary_passed_s
    for request in evidence.audit.requests:
        if passed_s is None or request.sent_s < passed_s:
            more = {Target(request.campaign, planned[number]) for number in request.numbers} - canary
            assert not more, f"sent before the canary was judged, at {request.sent_s}: {more}"


def every_request_was_intended(evidence: Evidence) -> None:
    """Promise 3: before a request leaves, the ledger holds one open attempt with its numbers, and one only."""
    for request in evidence.fresh:
        assert len(request.attempts) == 1, f"{len(request.attempts)} open attempts for a request at {request.sent_s}"
    assert len(evidence.by_attempt) == len(evidence.audit.requests), "one attempt sent two requests"


def the_ledger_knows_what_came_of_each_request(evidence: Evidence) -> None:
    """Promise 3: each attempt ends as the client was told, or 'killed' where the process died over it."""
    for attempt in evidence.result.attempts:
        request = evidence.by_attempt.get(attempt.attempt_id)
        if request is None:
            assert attempt.result in {NOT_SENT, "killed"}, f"attempt {attempt.attempt_id}: {attempt.result!r} unasked"
            continue
        session = evidence.audit.sessions[request.session]
        survived = session.ending is not None or session.trouble.kind is Kind.KILL_UNREPORTED
        allowed = {request.told} if survived else {request.told, "killed"}
        assert attempt.result in allowed, f"attempt {attempt.attempt_id}: {attempt.result!r}, told {request.told!r}"
        assert attempt.result == "killed" or attempt.strangers == request.strangers


def nothing_is_sent_after_a_final_answer(evidence: Evidence) -> None:
    """Never remove what was not asked for: a settled number is in no further attempt, in no session."""
    for number, history in evidence.histories.items():
        assert not history.asked_after, f"{number} was asked for again after {history.asked_after}"


def no_number_is_in_two_requests_at_once(evidence: Evidence) -> None:
    """Promise 4: while the client waits for an answer, none of its numbers is in another request."""
    free_at_s: dict[Target, float] = {}
    for request in evidence.fresh:
        for form in request.numbers:
            number = Target(request.campaign, evidence.forms.planned[form])
            assert free_at_s.get(number, 0.0) <= request.sent_s, f"{number} is in two requests at {request.sent_s}"
            free_at_s[number] = evidence.audit.ended_s(request)


def the_ceilings_are_never_passed(evidence: Evidence) -> None:
    """Promise 8: never more requests in a window than the rate allows, nor more at once than `concurrency`."""
    ceilings = evidence.settings.ceilings()
    most = ceil(ceilings.rate)
    for requests in evidence.sessions:
        for earlier, later in zip(requests, requests[most:], strict=False):
            gap_s = later.sent_s - earlier.sent_s
            assert gap_s >= most / ceilings.rate - _ROUNDING_S, f"{most + 1} requests within {gap_s} s"
        ends_s: list[float] = []
        for request in requests:
            ends_s = [end_s for end_s in ends_s if end_s > request.sent_s] + [evidence.audit.ended_s(request)]
            assert len(ends_s) <= ceilings.at_once, f"{len(ends_s)} at once at {request.sent_s}"


def a_pause_that_the_server_asks_for_is_kept_by_all(evidence: Evidence) -> None:
    """Promise 8: after a Retry-After nobody sends until its time, once it is noted."""
    for requests in evidence.sessions:
        for request in requests:
            if request.told_s is None or request.pause_until_s <= request.told_s:
                continue
            for other in requests:
                between = request.told_s + _COMMIT_S < other.sent_s < request.pause_until_s - _ROUNDING_S
                assert not between, f"sent at {other.sent_s}, though paused until {request.pause_until_s}"


def a_removal_that_nobody_asked_for_stops_the_run(evidence: Evidence) -> None:
    """Promise 2: once the client is told of it nothing more is sent, and the run ends with exit 5."""
    for requests in evidence.sessions:
        for request in requests:
            if request.told_s is None or not request.unasked:
                continue
            later = [other.sent_s for other in requests if other.sent_s > request.told_s + _ROUNDING_S]
            assert not later, f"sent at {later}, though told at {request.told_s} of {request.unasked}"
            ending = evidence.audit.sessions[request.session].ending
            assert ending in {Ending.UNASKED, None}, f"ended as {ending}, though told of {request.unasked}"
    if evidence.result.summary["ending"] == Ending.UNASKED:
        assert evidence.result.summary["exit_code"] == 5


def a_denial_ends_a_run_only_when_it_is_one(evidence: Evidence) -> None:
    """A stray denial is tried again, and a limit on the URL is told from one; nobody knocks on and on."""
    for session, requests in zip(evidence.result.sessions, evidence.sessions, strict=True):
        told = sorted((each for each in requests if each.told_s is not None), key=lambda each: each.told_s or 0.0)
        most = max((len(each.numbers) for each in told if each.told == "verdicts"), default=0)
        row = _denied_at_the_end(told)
        at_once = evidence.settings.ceilings().at_once
        # Those under way when the first came back, one more for each long one, and what is tried again.
        most_denials = 2 * at_once + _DENIALS
        if len(row) > most_denials:
            # Among answers a server may find most requests too long. Each of these has fewer numbers than the one
            # before, with raw brackets and with encoded ones.
            too_long = [each for each in row if most and each.fate == Fate.TOO_LONG]
            assert len(row) - len(too_long) <= most_denials, f"{len(row)} denials in a row"
            lengths = defaultdict[tuple[str, bool], list[int]](list)
            for each in too_long:
                for number in each.numbers:
                    lengths[number, each.raw].append(len(each.numbers))
            again = [each for each in lengths.values() if each != sorted({*each}, reverse=True)]
            assert not again, f"asked again at the same length: {again}"
        if evidence.audit.sessions[session].ending is not Ending.DENIED or not row:
            continue
        short = [each for each in row if len(each.numbers) <= max(1, most) or each.told == "HTTP 401"]
        assert short, "ended by a denial of a long request, and no short one was tried"
        assert not most or len(row) >= _DENIALS, f"ended by {len(row)} denials after answers"


def _denied_at_the_end(told: list[Request]) -> list[Request]:
    """Return the last denials with no answer between them."""
    row: list[Request] = []
    for request in told:
        if request.told in DENIED:
            row.append(request)
        elif request.told == "verdicts" or request.told in REFUSED:
            row = []
    return row


def numbers_in_a_call_are_asked_until_the_budget_ends(evidence: Evidence) -> None:
    """Promise 7: a run that ends by itself gives up a number in a call only when its time is used up."""
    if evidence.result.summary["ending"] != "done":
        return
    budget_s = evidence.settings.busy_for_s
    least_s = min(evidence.settings.busy_delay_s, budget_s) / 2
    for number, history in evidence.histories.items():
        if history.statuses == {"CALL_IN_PROGRESS"}:
            moments_s = [moment for moment in history.busy_moments_s if moment >= evidence.result.session.began_s]
            assert moments_s, f"{number}: CALL_IN_PROGRESS, but not asked for in this session"
            asked_for_s = moments_s[-1] - moments_s[0]
            asked_for_s -= _outside_s(evidence, moments_s, asked_for_s)
            assert asked_for_s >= budget_s - least_s - _late_s(evidence), f"{number}: given up after {asked_for_s} s"


def no_number_in_a_call_is_asked_for_beyond_its_budget(evidence: Evidence) -> None:
    """Promise 7: once its time is used up a number that is still in a call is not asked for again in this session."""
    for number, history in evidence.histories.items():
        moments_s = [moment for moment in history.busy_moments_s if moment >= evidence.result.session.began_s]
        asked_for_s = moments_s[-2] - moments_s[0] if moments_s[2:] else 0.0
        asked_for_s -= _outside_s(evidence, moments_s, asked_for_s)
        assert asked_for_s <= evidence.settings.busy_for_s + _late_s(evidence), (
            f"{number}: asked again after {asked_for_s} s"
        )


def _outside_s(evidence: Evidence, moments_s: Sequence[float], seconds: float) -> int:
    """Return how many of so many seconds after the first moment were outside the hours.

    The time of numbers in a call stands still then.
    """
    scenario = evidence.result.scenario
    if not scenario.settings.hours or not seconds:
        return 0
    return sum(map(scenario.is_closed, range(int(moments_s[0]), int(moments_s[0] + seconds))))


def _late_s(evidence: Evidence) -> float:
    """Return by how much that may be wrong: nobody looks at the clock more than once a second."""
    return _LATE_S if evidence.settings.hours else 1.0


def no_request_leaves_after_the_deadline(evidence: Evidence) -> None:
    """Promise 10: `--until` holds by the clock as it is at the time, and nothing else ends a run by its deadline."""
    clocks = evidence.result.scenario.clocks
    for index in evidence.result.sessions:
        session = evidence.audit.sessions[index]
        if session.until_s is None:
            assert session.ending is not Ending.DEADLINE
            continue
        for request in evidence.audit.requests:
            shown_s = clocks.shown_s(request.sent_s)
            assert request.session != index or shown_s < session.until_s, f"sent at {request.sent_s}, too late"
        if session.ending is Ending.DEADLINE:
            latest_s = clocks.latest_s(session.began_s, session.ended_s)
            assert latest_s >= session.until_s, f"ended {session.until_s - latest_s} s too early"


def no_request_leaves_outside_the_hours(evidence: Evidence) -> None:
    """`--hours` holds by the clock on the wall as it is at the time."""
    late_s = [request.sent_s for request in evidence.fresh if evidence.result.scenario.is_closed(request.sent_s)]
    assert not late_s, f"sent outside the hours: {late_s}"


def the_world_kept_its_own_rules(evidence: Evidence) -> None:
    """The witness itself: only a request that acts removes anything, and no record is removed twice."""
    removed = [
        record_id
        for request in evidence.audit.requests
        for ids in (*request.removed.values(), *request.bystanders.values())
        for record_id in ids
    ]
    assert len(removed) == len(set(removed))
    assert all(request.fate in ACTS for request in evidence.audit.requests if request.removed)
    for earlier, later in pairwise(evidence.audit.requests):
        assert earlier.sent_s <= later.sent_s
