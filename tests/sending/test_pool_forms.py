"""Numbers that are not there are asked for in the other forms in which a campaign may hold them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, Status
from bulk_remove.core.numbers import AlsoTry
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.verdicts import Verdict
from tests.support.pool_run import Answer, FakeServer, Run

ALSO = (AlsoTry.PLUS, AlsoTry.ZEROS)
FIRST = 500_000_000  # the numbers of a run count up from it
FORMS = ("{}", "+48{}", "0048{}")
REMOVED = Verdict(Event.REMOVED, 1, (1,))
NONE = Verdict(Event.NOT_EXIST)
BUSY = Verdict(Event.BUSY)
LOST = Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")
MALFORMED = Fault(Effect.REFUSED, "HTTP 400", "Wrong format.", 400, request_id="abc")


def lead_of(number: str) -> str:
    return number[:-9]


def campaign_in(*leads: str) -> Answer:
    """Answer as a campaign that holds every number with these leads, and none with others."""
    return lambda _now, numbers: Reply(Alike.of(REMOVED if lead_of(n) in leads else NONE for n in numbers), 0)


def leads_asked(run: Run) -> list[set[str]]:
    return [{lead_of(number) for number in chunk} for chunk in run.server.asked]


def test_what_is_not_there_is_asked_for_in_its_other_forms_and_reported_in_the_one_that_was_found(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, FakeServer(campaign_in("0048")), numbers=40, also_try=ALSO)
    assert run.statuses == {Status.REMOVED: 40}
    assert [row.number for row in run.rows] == [f"0048{FIRST + index}" for index in range(40)]
    assert {state.attempts for state in run.states} == {3}
    assert run.settled == {"R": 40, "O": 80}


def test_no_request_holds_two_forms_and_no_more_requests_are_sent_than_full_ones_take(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(campaign_in("0048")), numbers=40, also_try=ALSO)
    assert all(len(leads) == 1 for leads in leads_asked(run))
    assert Counter(lead for (lead,) in leads_asked(run)) == {"": 4, "+48": 4, "0048": 4}


def test_a_number_that_is_found_is_not_asked_for_in_another_form(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(campaign_in("", "+48")), numbers=40, also_try=ALSO)
    assert leads_asked(run) == [{""}] * 4


def test_a_number_that_is_nowhere_is_not_exist_in_its_planned_form(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(campaign_in()), numbers=20, also_try=ALSO)
    assert run.statuses == {Status.NOT_EXIST: 20}
    assert [row.number for row in run.rows] == [f"{FIRST + index}" for index in range(20)]


def test_a_request_lost_in_any_form_leaves_its_doubt(tmp_path: Path) -> None:
    for lost_lead in ("", "+48", "0048"):
        folder = tmp_path / f"lost{lost_lead}"
        folder.mkdir()
        lost: set[str] = set()

        def answer(_now: float, numbers: Sequence[str], lead: str = lost_lead, lost: set[str] = lost) -> Reply | Fault:
            if lead_of(numbers[0]) == lead and not lost:
                lost.update(number[-9:] for number in numbers)
                return LOST
            return Reply(Alike.of([NONE] * len(numbers)), 0)

        run = Run(folder, FakeServer(answer), numbers=30, also_try=ALSO)
        told = {row.number: state.phase for row, state in zip(run.rows, run.states, strict=True)}
        assert {number for number, status in told.items() if status == "n"} == lost
        assert set(told.values()) == {"n", "N"}


def test_a_number_in_a_call_is_asked_for_again_in_the_form_in_which_it_was_found(tmp_path: Path) -> None:
    def answer(now: float, numbers: Sequence[str]) -> Reply:
        there = REMOVED if now > 100 else BUSY
        return Reply(Alike.of(there if lead_of(number) == "+48" else NONE for number in numbers), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=20, also_try=ALSO)
    assert run.statuses == {Status.REMOVED: 20}
    assert Counter(lead for (lead,) in leads_asked(run))["0048"] == 0
    assert {row.number[:3] for row in run.rows} == {"+48"}


def test_a_form_that_the_server_refuses_is_left_out_and_costs_few_requests_and_no_number(tmp_path: Path) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        if lead_of(numbers[0]) == "+48":
            return MALFORMED
        return Reply(Alike.of(REMOVED if lead_of(number) == "0048" else NONE for number in numbers), 0)

    run = Run(tmp_path, FakeServer(answer), numbers=1000, per_request=100, also_try=ALSO)
    assert run.ending is Ending.DONE
    assert run.statuses == {Status.REMOVED: 1000}
    assert Counter(lead for (lead,) in leads_asked(run))["+48"] <= 60


def test_the_last_form_refused_leaves_a_number_not_exist_with_the_reason(tmp_path: Path) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return Reply(Alike.of([NONE] * len(numbers)), 0) if lead_of(numbers[0]) == "" else MALFORMED

    run = Run(tmp_path, FakeServer(answer), numbers=5, also_try=(AlsoTry.PLUS,))
    assert run.statuses == {Status.NOT_EXIST: 5}
    assert {state.detail for state in run.states} == {"Wrong format. (request_id abc)"}


def test_a_stopped_run_says_of_what_is_between_two_forms_that_it_is_not_final(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeServer(campaign_in()), numbers=100, rate=1.0, also_try=ALSO, stop_after_s=4.0)
    between = [state for state in run.states if state.phase == "O"]
    assert between
    assert Status.NOT_EXIST not in run.statuses
    assert {row.number[:1] for row in run.rows} == {"5"}
