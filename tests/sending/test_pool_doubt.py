"""Refusals in the pool, in virtual time: what was carried out nevertheless is in doubt, what came at once is not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import AT_LEAST, DOUBT, Event, explain, status_of
from bulk_remove.core.model import Alike, NumberState, Status
from bulk_remove.core.replies import Fault, Reply, fault_of_status
from bulk_remove.core.summary import Ending
from bulk_remove.core.verdicts import Verdict
from tests.support.pool_run import FakeServer, Run

ANSWERS_IN_S, AT_ONCE_S = 0.1, 0.001
SLOW_DOWNS, REFUSALS, DENIALS = (425, 429, 503), (400, 409, 422, 444, 499), (302, 401, 403, 404)
BEFORE_ALL = (413, 414, 431)

Refuses = Callable[[int, Sequence[str]], bool]


class Campaign:
    """Two records a number, all of which are there; requests that `refuses` picks are refused with `http_status`.

    `carried_out` tells whether a refused request removes one record of each of its numbers nevertheless.
    """

    def __init__(self, http_status: int, refuses: Refuses, *, carried_out: bool) -> None:
        self._fault = fault_of_status(http_status, b"", None)
        self._refuses = refuses
        self._carried_out = carried_out
        self._requests = 0
        self.records: dict[str, int] = {}
        self.removed_unsaid: set[str] = set()

    def __call__(self, _now_s: float, numbers: Sequence[str]) -> Reply | Fault:
        self._requests += 1
        if not self._refuses(self._requests, numbers):
            return Reply(Alike.of([self._removed(number) for number in numbers]), 0)
        if self._carried_out:
            for number in numbers:
                left = self.records.get(number, 2)
                self.records[number] = max(0, left - 1)
                self.removed_unsaid |= {number} if left else set()
        return self._fault

    def _removed(self, number: str) -> Verdict:
        left, self.records[number] = self.records.get(number, 2), 0
        return Verdict(Event.REMOVED, left, tuple(range(left))) if left else Verdict(Event.NOT_EXIST)


def refused(folder: Path, campaign: Campaign, after_s: float, concurrency: int = 1, body_s: float = 0.0) -> Run:
    server = FakeServer(campaign, ANSWERS_IN_S, fault_s=after_s, body_s=body_s)
    return Run(folder, server, concurrency=concurrency)


def check_nothing_untrue_is_said(run: Run, campaign: Campaign) -> None:
    for index, state in enumerate(run.states):
        number = f"{500_000_000 + index}"
        if number in campaign.removed_unsaid:
            assert status_of(state.phase) not in {Status.NOT_EXIST, Status.UNSENT}
            assert is_told_as_doubted(state)


def is_told_as_doubted(state: NumberState) -> bool:
    told = explain(state).endswith((DOUBT, AT_LEAST))
    return told or status_of(state.phase) in {Status.PRESUMED_REMOVED, Status.IN_DOUBT}


def test_a_body_that_trickles_makes_no_refusal_look_impossible(tmp_path: Path) -> None:
    campaign = Campaign(503, lambda request, _: request == 6, carried_out=True)
    run = refused(tmp_path, campaign, ANSWERS_IN_S, body_s=30 * ANSWERS_IN_S)
    check_nothing_untrue_is_said(run, campaign)
    assert len(campaign.removed_unsaid) == 10


def test_a_small_request_may_be_carried_out_sooner_than_any_large_one(tmp_path: Path) -> None:
    refused_once: list[Sequence[str]] = []

    def refuses(_request: int, numbers: Sequence[str]) -> bool:
        last = len(numbers) == 1 and not refused_once
        refused_once.extend([numbers] * last)
        return last

    campaign = Campaign(503, refuses, carried_out=True)
    run = Run(tmp_path, FakeServer(campaign, ANSWERS_IN_S, fault_s=ANSWERS_IN_S / 5), numbers=41, concurrency=1)
    check_nothing_untrue_is_said(run, campaign)
    assert len(campaign.removed_unsaid) == 1


@pytest.mark.parametrize("after_s", [ANSWERS_IN_S, 3.0], ids=["as fast as others", "slowly"])
@pytest.mark.parametrize("http_status", [*SLOW_DOWNS, *REFUSALS])
@pytest.mark.parametrize("times", [1, 2], ids=["some records gone", "all records gone"])
@pytest.mark.parametrize("first", [1, 4], ids=["the first request", "a later one"])
def test_a_request_that_was_carried_out_and_then_refused_leaves_doubt(
    tmp_path: Path, http_status: int, after_s: float, times: int, first: int
) -> None:
    campaign = Campaign(http_status, lambda request, _: first <= request < first + times, carried_out=True)
    run = refused(tmp_path, campaign, after_s)
    check_nothing_untrue_is_said(run, campaign)
    assert len(campaign.removed_unsaid) == 10
    assert run.statuses[Status.REMOVED] + run.statuses[Status.PRESUMED_REMOVED] == 100
    assert sum(is_told_as_doubted(state) for state in run.states) == 10


@pytest.mark.parametrize("http_status", [*SLOW_DOWNS, *REFUSALS, *BEFORE_ALL])
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("first", [1, 4], ids=["the first request", "a later one"])
def test_a_refusal_at_once_leaves_no_doubt_not_even_before_the_first_reply(
    tmp_path: Path, http_status: int, concurrency: int, first: int
) -> None:
    campaign = Campaign(http_status, lambda request, _: first <= request < first + 2, carried_out=False)
    run = refused(tmp_path, campaign, AT_ONCE_S, concurrency)
    assert run.statuses == {Status.REMOVED: 100}
    assert not any(map(is_told_as_doubted, run.states))


@pytest.mark.parametrize("http_status", BEFORE_ALL)
def test_what_is_decided_before_any_request_is_carried_out_leaves_no_doubt_however_long_it_takes(
    tmp_path: Path, http_status: int
) -> None:
    campaign = Campaign(http_status, lambda _, numbers: len(numbers) > 4, carried_out=False)
    run = refused(tmp_path, campaign, 20.0)
    assert run.statuses == {Status.REMOVED: 100}
    assert not any(map(is_told_as_doubted, run.states))


@pytest.mark.parametrize(("after_s", "doubted"), [(ANSWERS_IN_S, True), (AT_ONCE_S, False)])
@pytest.mark.parametrize("http_status", REFUSALS)
def test_the_halves_of_a_refused_request_inherit_its_doubt_and_so_does_the_number_that_was_meant(
    tmp_path: Path, http_status: int, after_s: float, doubted: bool
) -> None:
    campaign = Campaign(http_status, lambda _, numbers: "500000042" in numbers, carried_out=doubted)
    run = refused(tmp_path, campaign, after_s)
    check_nothing_untrue_is_said(run, campaign)
    assert status_of(run.states[42].phase) is Status.FAILED
    assert {index for index, state in enumerate(run.states) if is_told_as_doubted(state)} == (
        {*range(40, 50)} if doubted else set()
    )


@pytest.mark.parametrize("http_status", DENIALS)
@pytest.mark.parametrize(
    ("after_s", "first", "status"),
    [
        pytest.param(AT_ONCE_S, 1, Status.UNSENT, id="the first request, at once"),
        pytest.param(0.9, 1, Status.UNSENT, id="the first request, in less than a second"),
        pytest.param(1.1, 1, Status.IN_DOUBT, id="the first request, slowly"),
        pytest.param(AT_ONCE_S, 5, Status.UNSENT, id="a later one, at once"),
        pytest.param(ANSWERS_IN_S, 5, Status.IN_DOUBT, id="a later one, as fast as others"),
    ],
)
def test_the_numbers_of_a_run_that_is_denied_are_in_doubt_if_that_took_as_long_as_an_execution(
    tmp_path: Path, http_status: int, after_s: float, first: int, status: Status
) -> None:
    campaign = Campaign(http_status, lambda request, _: request >= first, carried_out=False)
    run = refused(tmp_path, campaign, after_s)
    assert run.ending is Ending.DENIED
    meant = run.states[10 * (first - 1) : 10 * first]
    assert {status_of(state.phase) for state in meant} == {status}
    assert run.statuses[Status.REMOVED] == 10 * (first - 1)
