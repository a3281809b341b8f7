from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil
from pathlib import Path

import pytest

from bulk_remove.core.chunker import RequestShape, pack
from bulk_remove.core.lifecycle import Event, status_of
from bulk_remove.core.model import Alike, Status
from bulk_remove.core.replies import Effect, Fault, Quota, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.timeline import Wait, duration
from bulk_remove.core.verdicts import Verdict
from tests.support.pool_run import Answer, FakeServer, Run
from tests.support.virtual_time import BEGAN_S

REMOVED = Verdict(Event.REMOVED, 1, (1,))
BUSY = Verdict(Event.BUSY)
NONE = Verdict(Event.NOT_EXIST)
PASSED_OVER = Verdict(Event.PASSED_OVER, detail="The reply did not contain this number.")
LOST = Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")
LIMITED = Fault(Effect.UNTOUCHED, "HTTP 429", "Slow down.", 429, throttled=True)
REFUSED = Fault(Effect.REFUSED, "HTTP 400", "Wrong format.", 400, request_id="abc")


def always(verdict: Verdict) -> Answer:
    return lambda _now, numbers: Reply(Alike.of([verdict] * len(numbers)), 0)


def by_turns(*answers: Reply | Fault | Answer) -> Answer:
    """Give these answers, one a request, and removals from then on."""
    rest: Iterator[Reply | Fault | Answer] = iter(answers)

    def answer(now: float, numbers: Sequence[str]) -> Reply | Fault:
        turn = next(rest, always(REMOVED))
        return turn if isinstance(turn, Reply | Fault) else turn(now, numbers)

    return answer


def test_every_number_is_sent_once_and_its_verdict_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(always(REMOVED)))
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.REMOVED: 100}
    assert Counter(number for chunk in run.server.asked for number in chunk).most_common(1)[0][1] == 1
    assert run.attempts == run.snapshot.requests == 10
    assert run.settled == {"R": 100}


@pytest.mark.parametrize("rate", [1.0, 2.5, 5.0, 40.0])
@pytest.mark.parametrize("latency_s", [0.0, 0.05, 3.0])
def test_no_second_holds_more_requests_than_the_ceiling_nor_more_at_once(
    tmp_path: Path, rate: float, latency_s: float
) -> None:
    run = Run(tmp_path, FakeServer(always(REMOVED), latency_s), numbers=200, per_request=2, rate=rate)
    moments = run.server.moments_s
    for index, moment in enumerate(moments):
        assert sum(1 for later in moments[index:] if later < moment + 1.0 - 1e-9) <= ceil(rate)
    assert run.server.most_at_once <= 4


def test_connections_that_open_slowly_and_all_at_once_let_no_burst_through(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(always(REMOVED), connect_s=5.0), numbers=40, per_request=5, rate=1.0)
    gaps = [later - moment for moment, later in pairwise(run.server.moments_s)]
    assert min(gaps) >= 1.0 - 1e-6


@pytest.mark.parametrize("rate", [1.0, 5.0, 33.0])
def test_a_fast_server_is_asked_at_no_less_than_98_percent_of_the_ceiling(tmp_path: Path, rate: float) -> None:
    run = Run(tmp_path, FakeServer(always(REMOVED), 0.01), numbers=400, per_request=1, rate=rate)
    assert 399 / run.server.moments_s[-1] >= 0.98 * rate


def test_a_number_in_a_call_is_asked_again_later_and_packed_with_others(tmp_path: Path) -> None:
    def answer(now: float, numbers: Sequence[str]) -> Reply:
        busy = now < 100
        return Reply(Alike.of(BUSY if busy and number.endswith("7") else REMOVED for number in numbers), 0)

    run = Run(tmp_path, FakeServer(answer))
    assert run.statuses == {Status.REMOVED: 100}
    again = run.server.asked[10:]
    assert [len(chunk) for chunk in again] == [10] * len(again)
    assert {number[-1] for chunk in again for number in chunk} == {"7"}
    assert run.server.moments_s[10] >= 24.0
    assert run.snapshot.waiting == 0


def test_a_call_that_does_not_end_is_asked_for_until_the_budget_is_used_up(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(always(BUSY)), numbers=1, busy_for_s=600.0)
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.CALL_IN_PROGRESS: 1}
    assert 595.0 <= run.server.moments_s[-1] <= 601.0
    assert run.states[0].busy_rounds == len(run.server.asked)


def test_a_small_job_asks_again_no_later_than_asked_and_ends_with_the_last_call(tmp_path: Path) -> None:
    def answer(now_s: float, _numbers: Sequence[str]) -> Reply:
        return Reply(Alike.of([BUSY if now_s < 20.0 else REMOVED]), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=1, look_at_s=[10.0])
    first_s, again_s = run.server.moments_s
    assert 24.0 <= again_s - first_s <= 31.0
    assert run.took_s - again_s < 1.0
    (look,) = run.looks
    assert look.until_in_s == pytest.approx(1790.0, abs=2.0)


def test_no_budget_for_calls_means_one_question(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(always(BUSY)), numbers=30, busy_for_s=0.0)
    assert (len(run.server.asked), run.statuses) == (3, {Status.CALL_IN_PROGRESS: 30})


def test_a_lost_reply_makes_a_later_not_exist_presumed_removed_for_its_own_numbers_only(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(by_turns(LOST, *[always(NONE)] * 10)), concurrency=1)
    assert run.statuses == {Status.PRESUMED_REMOVED: 10, Status.NOT_EXIST: 90}
    assert run.snapshot.faults == {"timeout": 1}
    assert run.attempts == 11


def test_a_chunk_whose_replies_are_all_lost_is_in_doubt_and_the_rest_goes_on(tmp_path: Path) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return LOST if "500000000" in numbers else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer))
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.IN_DOUBT: 10, Status.REMOVED: 90}
    assert run.states[0].attempts == 4


def test_a_server_that_loses_every_reply_is_probed_ever_more_rarely_until_patience_ends(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: LOST), concurrency=1)
    assert run.ending is Ending.UNAVAILABLE
    assert run.fault == LOST
    assert run.statuses == {Status.IN_DOUBT: 10, Status.UNSENT: 90}
    gaps = [later - moment for moment, later in pairwise(run.server.moments_s)]
    assert max(gaps) <= 61.0
    assert len(run.server.moments_s) < 30
    assert 900.0 <= run.server.moments_s[-1] <= 961.0


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_server_that_never_acts_ends_the_run_and_every_number_is_unsent(tmp_path: Path, concurrency: int) -> None:
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: LIMITED), concurrency=concurrency)
    assert run.ending is Ending.UNAVAILABLE
    assert run.statuses == {Status.UNSENT: 100}
    assert len(run.server.moments_s) < 40


def test_an_outage_costs_no_number_its_tries_and_only_probes_are_sent_meanwhile(tmp_path: Path) -> None:
    def answer(now: float, numbers: Sequence[str]) -> Reply | Fault:
        return LOST if 2.0 < now < 600.0 else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer, latency_s=0.5), numbers=500)
    assert (run.ending, run.statuses) == (Ending.DONE, {Status.REMOVED: 500})
    during = [moment for moment in run.server.moments_s if 60.0 < moment < 600.0]
    assert len(during) < 20
    assert run.snapshot.failing_for_s is None


def test_retries_never_outnumber_first_tries_by_more_than_the_budget(tmp_path: Path) -> None:
    dice = iter(range(10_000))

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return LOST if next(dice) % 4 else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=600)
    firsts = len(set(run.server.asked))
    retries = len(run.server.asked) - firsts
    assert firsts == 60
    assert retries <= firsts + 10 + run.took_s / 10


def test_a_number_that_the_server_trips_over_is_found_and_its_neighbours_go_through(tmp_path: Path) -> None:
    broken = Fault(Effect.IN_DOUBT, "HTTP 500", "The server failed.", 500)

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return broken if "500000042" in numbers else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=400, per_request=50)
    assert run.statuses == {Status.REMOVED: 399, Status.IN_DOUBT: 1}
    assert status_of(run.states[42].phase) is Status.IN_DOUBT


def test_a_denied_request_ends_the_run_at_once(tmp_path: Path) -> None:
    denied = Fault(Effect.DENIED, "HTTP 401", "Wrong password.", 401)
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: denied), concurrency=1)
    assert (run.ending, len(run.server.asked), run.statuses) == (Ending.DENIED, 1, {Status.UNSENT: 100})


DENIALS = {
    "a wrong password": Fault(Effect.DENIED, "HTTP 401", "Wrong password.", 401),
    "forbidden": Fault(Effect.DENIED, "HTTP 403", "Forbidden.", 403),
    "no campaign": Fault(Effect.DENIED, "HTTP 404", "No such campaign.", 404),
    "a redirect": Fault(Effect.DENIED, "HTTP 302", "Elsewhere.", 302),
    "no TLS": Fault(Effect.DENIED, "TLS", "The certificate cannot be verified."),
}
each_denial = pytest.mark.parametrize("denied", DENIALS.values(), ids=DENIALS)


@each_denial
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_stray_denial_among_successes_is_tried_again(tmp_path: Path, denied: Fault, concurrency: int) -> None:
    good = always(REMOVED)
    server = FakeServer(by_turns(good, good, denied, good, denied, denied, denied), latency_s=0.1)
    run = Run(tmp_path, server, concurrency=concurrency)
    assert (run.ending, run.statuses) == (Ending.DONE, {Status.REMOVED: 100})
    assert len(server.asked) == 10 + 4


@each_denial
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_denial_that_repeats_ends_the_run_and_says_since_when(
    tmp_path: Path, denied: Fault, concurrency: int
) -> None:
    server = FakeServer(by_turns(*[always(REMOVED)] * 4, *[denied] * 100), latency_s=0.1)
    run = Run(tmp_path, server, concurrency=concurrency)
    assert run.ending is Ending.DENIED
    # The denials took as long as what was carried out, so what they were about may be gone.
    in_doubt, unsent = run.statuses[Status.IN_DOUBT], run.statuses[Status.UNSENT]
    assert (run.statuses[Status.REMOVED], in_doubt + unsent) == (40, 60)
    assert in_doubt <= 10 * concurrency
    assert (in_doubt > 0) == (denied.http_status > 0)  # without TLS nothing arrives
    assert run.fault is not None
    assert run.fault.sentence.startswith(denied.sentence)
    assert "after 40 numbers went through" in run.fault.sentence
    assert len(server.asked) <= 4 + 4 + concurrency - 1
    gaps = [later - moment for moment, later in pairwise(server.moments_s[-4:])]
    assert gaps == sorted(gaps)
    assert sum(gaps) >= 25.0


def test_a_wrong_password_at_the_start_is_said_once(tmp_path: Path) -> None:
    denied = DENIALS["a wrong password"]
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: denied), concurrency=1)
    assert (run.ending, run.fault, len(run.server.asked)) == (Ending.DENIED, denied, 1)


@pytest.mark.parametrize("name", ["forbidden", "no campaign", "a redirect"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_denial_at_the_start_that_one_number_meets_too_is_believed(
    tmp_path: Path, name: str, concurrency: int
) -> None:
    denied = DENIALS[name]
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: denied, latency_s=1.0), concurrency=concurrency)
    assert (run.ending, run.fault, run.statuses) == (Ending.DENIED, denied, {Status.UNSENT: 100})
    assert [len(numbers) for numbers in run.server.asked] == [10] * concurrency + [1]


LIMITED_LINES = {
    "HTTP 400": Fault(Effect.REFUSED, "HTTP 400", "Refused.", 400),
    "HTTP 403": DENIALS["forbidden"],
    "HTTP 404": DENIALS["no campaign"],
    "HTTP 302": DENIALS["a redirect"],
    "HTTP 500": Fault(Effect.IN_DOUBT, "HTTP 500", "Failed.", 500),
    "a reset": Fault(Effect.IN_DOUBT, "connection lost", "The connection broke before the reply."),
}


@pytest.mark.parametrize("answered", LIMITED_LINES.values(), ids=LIMITED_LINES)
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("fitting", [30, 13])
def test_a_limit_on_the_url_is_told_from_a_denial_whatever_it_answers_and_learned(
    tmp_path: Path, answered: Fault, concurrency: int, fitting: int
) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return answered if len(numbers) > fitting else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=1_200, per_request=50, concurrency=concurrency)
    assert (run.ending, run.statuses) == (Ending.DONE, {Status.REMOVED: 1_200})
    assert run.longest_line is not None
    assert len(next(pack(["500000000"] * 50, replace(run.shape, max_request_line=run.longest_line)))) <= fitting
    late = [len(numbers) for numbers in run.server.asked[-20:]]
    assert max(late) <= fitting


@pytest.mark.parametrize("answered", LIMITED_LINES.values(), ids=LIMITED_LINES)
def test_a_small_run_gets_through_a_limit_on_the_url_too(tmp_path: Path, answered: Fault) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return answered if len(numbers) > 4 else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=10, per_request=10)
    assert (run.ending, run.statuses) == (Ending.DONE, {Status.REMOVED: 10})


def test_numbers_that_are_refused_teach_no_length(tmp_path: Path) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        bad = any(int(number) % 50 == 7 for number in numbers)
        return REFUSED if bad else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=1_000, per_request=50)
    assert run.statuses == {Status.REMOVED: 980, Status.FAILED: 20}
    assert run.longest_line is None


def test_a_stray_refusal_of_a_long_request_teaches_no_length(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(by_turns(REFUSED)), numbers=1_000, per_request=50, concurrency=1)
    assert run.statuses == {Status.REMOVED: 1_000}
    assert run.longest_line is None


def test_a_server_that_refuses_everything_is_not_asked_number_by_number(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: REFUSED), numbers=1_000, per_request=250)
    assert run.ending is Ending.DENIED
    assert run.fault == REFUSED
    assert len(run.server.asked) < 100
    assert 10 <= run.statuses[Status.FAILED] <= 14
    assert run.statuses[Status.UNSENT] == 1_000 - run.statuses[Status.FAILED]


@pytest.mark.parametrize("numbers", [1, 10, 20])
@pytest.mark.parametrize("fault", [LOST, Fault(Effect.UNTOUCHED, "no connection", "Refused.")], ids=["lost", "refused"])
def test_a_small_run_against_a_dead_server_waits_as_long_and_ends_as_unavailable_as_a_large_one(
    tmp_path: Path, numbers: int, fault: Fault
) -> None:
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: fault), numbers=numbers)
    assert run.ending is Ending.UNAVAILABLE
    assert 900.0 <= run.took_s <= 1_000.0


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_number_that_the_server_trips_over_keeps_no_run_from_ending_even_when_it_is_the_last(
    tmp_path: Path, concurrency: int
) -> None:
    broken = Fault(Effect.IN_DOUBT, "HTTP 500", "The server failed.", 500)

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return broken if "500000004" in numbers else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=10, concurrency=concurrency)
    assert (run.ending, run.statuses) == (Ending.DONE, {Status.REMOVED: 9, Status.IN_DOUBT: 1})


def test_retry_after_pauses_all_workers(tmp_path: Path) -> None:
    paused = Fault(Effect.UNTOUCHED, "HTTP 429", "Slow down.", 429, throttled=True, retry_after_s=60.0)
    run = Run(tmp_path, FakeServer(by_turns(paused), latency_s=0.1), concurrency=4, rate=1.0)
    first, second, *_ = run.server.moments_s
    assert (first, run.statuses) == (0.0, {Status.REMOVED: 100})
    assert second >= 60.1


@pytest.mark.parametrize("asked_s", [60.0, 600.0])
def test_how_long_the_server_asked_to_wait_is_told_and_logged_with_what_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked_s: float
) -> None:
    paused = Fault(Effect.UNTOUCHED, "HTTP 429", "Slow down.", 429, throttled=True, retry_after_s=asked_s)
    with caplog.at_level("WARNING", "bulk_remove.pool"):
        run = Run(tmp_path, FakeServer(by_turns(paused)), concurrency=1, stop_after_s=20.0)
    assert run.snapshot.wait == Wait(asked_s, asked_s - 20.0)
    assert f"the server asks to wait {duration(asked_s)}: no request leaves before" in caplog.messages


def test_a_used_up_quota_is_a_wait_too_and_what_is_over_is_none(tmp_path: Path) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return Reply(Alike.of([REMOVED] * len(numbers)), 0, Quota(0, 30.0))

    (tmp_path / "a").mkdir()
    assert Run(tmp_path / "a", FakeServer(answer), concurrency=1, stop_after_s=10.0).snapshot.wait == Wait(30.0, 20.0)
    (tmp_path / "b").mkdir()
    paused = Fault(Effect.UNTOUCHED, "HTTP 429", "Slow down.", 429, throttled=True, retry_after_s=60.0)
    assert Run(tmp_path / "b", FakeServer(by_turns(paused))).snapshot.wait is None


def test_strain_slows_everybody_down_and_the_pace_comes_back(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(by_turns(LIMITED)), numbers=4000, concurrency=1)
    gaps = [later - moment for moment, later in pairwise(run.server.moments_s)]
    assert gaps[2] > 0.22  # a first refusal leaves at most what went through, or at least 85 %
    assert gaps[-1] == pytest.approx(0.2)
    assert run.snapshot.rate == 5.0


def test_a_quota_that_is_used_up_pauses_all_workers_until_it_begins_anew(tmp_path: Path) -> None:
    def answer(now: float, numbers: Sequence[str]) -> Reply | Fault:
        return Reply(Alike.of([REMOVED] * len(numbers)), 0, Quota(0, 30.0) if now == 0.0 else None)

    run = Run(tmp_path, FakeServer(answer, latency_s=0.1), concurrency=4, rate=1.0)
    assert run.server.moments_s[1] >= 30.1
    assert run.statuses == {Status.REMOVED: 100}


def test_slow_replies_make_requests_smaller_and_every_number_is_still_asked_once(tmp_path: Path) -> None:
    server = FakeServer(lambda _now, numbers: Reply(Alike.of([REMOVED] * len(numbers)), 0), latency_s=11.0)
    run = Run(tmp_path, server, numbers=400, per_request=100, concurrency=1)
    sizes = [len(numbers) for numbers in server.asked]
    assert sizes[:3] == [100, 50, 25]
    assert max(sizes[3:]) <= 13
    assert run.statuses == {Status.REMOVED: 400}
    assert sum(map(len, server.asked)) == 400
    assert run.attempts == len(server.asked)


def test_one_bad_number_costs_none_of_its_neighbours_and_few_requests(tmp_path: Path) -> None:
    bad = "500000042"

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return REFUSED if bad in numbers else Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), per_request=100)
    assert run.statuses == {Status.REMOVED: 99, Status.FAILED: 1}
    assert run.states[42].detail == "Wrong format. (request_id abc)"
    assert len(run.server.asked) <= 2 * 7 + 1
    assert run.snapshot.waiting == 0


def test_a_number_that_the_reply_passes_over_is_asked_for_again_and_then_failed(tmp_path: Path) -> None:
    silent = "500000003"

    def answer(_now: float, numbers: Sequence[str]) -> Reply:
        return Reply(Alike.of(PASSED_OVER if number == silent else REMOVED for number in numbers), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=10)
    assert run.statuses == {Status.REMOVED: 9, Status.FAILED: 1}
    assert run.server.asked[1:] == [(silent,)] * 3
    assert "did not contain" in run.states[3].detail


def test_numbers_in_the_reply_that_nobody_asked_for_are_counted(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        FakeServer(lambda _now, numbers: Reply(Alike.of([REMOVED] * len(numbers)), 2)),
        numbers=10,
    )
    assert run.snapshot.strangers == 2


@pytest.mark.parametrize("stop_after_s", [0.0, 0.35, 1.0])
def test_a_stop_finishes_what_is_under_way_and_sends_nothing_more(tmp_path: Path, stop_after_s: float) -> None:
    run = Run(tmp_path, FakeServer(always(REMOVED), latency_s=0.5), stop_after_s=stop_after_s)
    assert run.ending is Ending.INTERRUPTED
    sent = 10 * len(run.server.asked)
    assert run.statuses == {
        status: count for status, count in ((Status.REMOVED, sent), (Status.UNSENT, 100 - sent)) if count
    }
    assert all(moment <= stop_after_s for moment in run.server.moments_s)
    assert run.took_s <= stop_after_s + 0.5


def test_a_stop_does_not_wait_for_calls_to_end(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(always(BUSY)), numbers=10, stop_after_s=10.0)
    assert (run.ending, run.statuses) == (Ending.INTERRUPTED, {Status.CALL_IN_PROGRESS: 10})
    assert run.took_s <= 10.1


def test_a_stop_during_a_retry_keeps_what_is_known(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(lambda _now, _numbers: LOST), numbers=10, stop_after_s=0.1)
    assert (run.ending, run.statuses) == (Ending.INTERRUPTED, {Status.IN_DOUBT: 10})


def test_times_are_those_of_the_clock(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(always(REMOVED), latency_s=2.0), numbers=1)
    assert run.states[0].answered_at_s == BEGAN_S + 2.0


def test_a_server_that_refuses_long_requests_teaches_a_line_that_all_others_keep_to(tmp_path: Path) -> None:
    limit = 600
    shape = RequestShape("00001", max_numbers=50)

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        if shape.line_bytes(*numbers) > limit:
            return Fault(Effect.REFUSED, "HTTP 414", "Too long.", 414)
        return Reply(Alike.of([REMOVED] * len(numbers)), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=2_000, per_request=50, concurrency=4)
    assert run.statuses == {Status.REMOVED: 2_000}
    refused = [numbers for numbers in run.server.asked if shape.line_bytes(*numbers) > limit]
    assert len(refused) <= 4 * 2
    assert all(state.attempts == 1 for state in run.states[1_000:])
    assert run.longest_line is not None
    assert limit / 2 <= run.longest_line <= limit
    assert run.snapshot.waiting == 0
