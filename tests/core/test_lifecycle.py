from collections.abc import Callable
from functools import reduce
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import (
    DOUBT,
    NEW,
    SETTLED,
    TRANSITIONS,
    Event,
    Phase,
    asked_anew,
    explain,
    next_phase,
    nowhere,
    read_back,
    status_of,
    with_verdict,
    without_verdict,
)
from bulk_remove.core.model import FINAL_STATUSES, NumberState, Status
from bulk_remove.errors import InvariantError

OPEN = sorted(set(Phase) - SETTLED)
ANSWERS = [Event.REMOVED, Event.NOT_EXIST, Event.BUSY, Event.UNKNOWN, Event.PASSED_OVER]
SILENCES = [Event.LOST, Event.UNTOUCHED]
DOUBTED = {
    Phase.IN_DOUBT,
    Phase.BUSY_IN_DOUBT,
    Phase.PASSED_OVER,
    Phase.FAILED_IN_DOUBT,
    Phase.UNRECOGNISED_IN_DOUBT,
    Phase.OTHER_FORM_IN_DOUBT,
}
EXCLUDED = {
    (Phase.UNSENT, Event.NONE_LEFT),  # nothing was removed before
    (Phase.OTHER_FORM, Event.REFUSED),  # a form that is refused is one in which the number is not there
    (Phase.OTHER_FORM_IN_DOUBT, Event.REFUSED),
}


def met(state: NumberState, event: Event, removed: int = 0) -> NumberState:
    if event in ANSWERS:
        return with_verdict(state, event, removed + (event is Event.REMOVED), (), "", 100.0)
    return without_verdict(state, event, event.value)


def after(*events: Event) -> NumberState:
    return reduce(met, events, NEW)


def from_ledger(state: NumberState) -> NumberState:
    return asked_anew(state)


def from_report(state: NumberState) -> NumberState:
    phase, detail = read_back(status_of(state.phase), explain(state))
    return asked_anew(state._replace(phase=phase, detail=detail))


@pytest.mark.parametrize(("phase", "event"), list(product(OPEN, Event)))
def test_every_open_phase_meets_every_event_but_those_that_the_theory_excludes(phase: Phase, event: Event) -> None:
    if (phase, event) in EXCLUDED:
        with pytest.raises(InvariantError):
            next_phase(phase, event)
    else:
        assert isinstance(next_phase(phase, event), Phase)


@pytest.mark.parametrize(("phase", "event"), list(product(sorted(SETTLED), Event)))
def test_a_settled_number_meets_no_further_event(phase: Phase, event: Event) -> None:
    with pytest.raises(InvariantError):
        next_phase(phase, event)


def test_the_table_names_exactly_the_open_phases() -> None:
    assert sorted(TRANSITIONS) == OPEN


@given(st.lists(st.sampled_from([*SILENCES, Event.BUSY, Event.PASSED_OVER])))
def test_not_exist_is_never_reported_once_a_request_went_unanswered(events: list[Event]) -> None:
    state = after(*events, Event.NOT_EXIST)
    doubted = Event.LOST in events or Event.PASSED_OVER in events
    assert status_of(state.phase) is (Status.PRESUMED_REMOVED if doubted else Status.NOT_EXIST)


@given(st.lists(st.sampled_from(SILENCES), min_size=1))
def test_a_number_never_answered_is_in_doubt_or_unsent_and_never_final(events: list[Event]) -> None:
    status = status_of(after(*events).phase)
    assert status is (Status.IN_DOUBT if Event.LOST in events else Status.UNSENT)
    assert status not in FINAL_STATUSES


@given(st.lists(st.sampled_from([*SILENCES, Event.NOT_IN_THIS_FORM])))
def test_a_number_with_forms_left_is_never_final_and_its_doubt_outlives_the_change_of_form(events: list[Event]) -> None:
    state = after(*events, Event.NOT_IN_THIS_FORM)
    assert status_of(state.phase) not in FINAL_STATUSES
    gone = met(state, Event.NOT_EXIST)
    assert status_of(gone.phase) is (Status.PRESUMED_REMOVED if Event.LOST in events else Status.NOT_EXIST)


def test_a_form_that_is_refused_ends_in_the_reason_for_it() -> None:
    state = without_verdict(after(Event.NOT_IN_THIS_FORM), Event.NOT_EXIST, "wrong format")
    assert (state.phase, state.detail, state.attempts) == (Phase.NOT_EXIST, "wrong format", 2)


def test_a_number_is_nowhere_when_no_form_of_it_held_a_record() -> None:
    assert {phase for phase in Phase if nowhere(NumberState(phase))} == set("NPOQ")
    assert not any(nowhere(NumberState(phase, removed=1)) for phase in Phase)


def test_what_was_removed_in_one_form_counts_when_the_others_hold_none() -> None:
    partly = with_verdict(NEW, Event.BUSY, 1, (7,), "", 50.0)
    between = with_verdict(partly, Event.NOT_IN_THIS_FORM, 0, (), "", 80.0)
    assert with_verdict(between, Event.NOT_EXIST, 0, (), "", 90.0).phase is Phase.REMOVED
    assert without_verdict(between, Event.NOT_EXIST, "wrong format").phase is Phase.REMOVED


def test_records_and_attempts_add_up_over_a_call() -> None:
    partly = with_verdict(NEW, Event.BUSY, 1, (7,), "", 50.0)
    again = with_verdict(partly, Event.BUSY, 0, (), "", 80.0)
    gone = with_verdict(again, Event.REMOVED, 1, (8,), "", 110.0)
    assert gone == NumberState(Phase.REMOVED, 2, (7, 8), 3, 2, 50.0, 110.0, "")


def test_what_could_not_touch_a_number_explains_only_why_it_is_unsent() -> None:
    unsent = without_verdict(NEW, Event.UNTOUCHED, "HTTP 503")
    doubted = without_verdict(without_verdict(NEW, Event.LOST, "timeout"), Event.UNTOUCHED, "HTTP 503")
    assert (unsent.detail, unsent.attempts) == ("HTTP 503", 1)
    assert (doubted.detail, doubted.attempts, doubted.phase) == ("timeout", 2, Phase.IN_DOUBT)


def test_none_left_after_an_earlier_attempt_removed_some_is_removed() -> None:
    partly = with_verdict(NEW, Event.BUSY, 1, (7,), "", 50.0)
    assert with_verdict(partly, Event.NOT_EXIST, 0, (), "", 80.0).phase == Phase.REMOVED


def test_none_left_after_a_lost_request_is_presumed_even_when_some_were_removed_before() -> None:
    partly = with_verdict(NEW, Event.BUSY, 1, (7,), "", 50.0)
    lost = without_verdict(partly, Event.LOST, "timeout")
    gone = with_verdict(lost, Event.NOT_EXIST, 0, (), "", 80.0)
    assert (status_of(gone.phase), gone.removed) == (Status.PRESUMED_REMOVED, 1)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_status(phase: Phase) -> None:
    assert status_of(phase) in Status


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (NEW, "the run stopped first"),
        (after(Event.LOST, Event.NOT_EXIST), "very probably removed"),
        (after(Event.BUSY, Event.BUSY), "(2 times)"),
        (after(Event.LOST), "lost"),
        (NumberState(Phase.OTHER_FORM), "before its other forms were asked for"),
        (NumberState(Phase.OTHER_FORM_IN_DOUBT), "before its other forms were asked for"),
        (after(Event.REMOVED), ""),
        (after(Event.REFUSED), "refused"),
        (after(Event.LOST, Event.BUSY), f"In a call each time it was asked for (1 times). {DOUBT}"),
        (after(Event.LOST, Event.REFUSED), f"refused {DOUBT}"),
        (after(Event.LOST, Event.UNKNOWN), DOUBT),
        (after(Event.PASSED_OVER), DOUBT),
    ],
)
def test_the_detail_explains_what_is_not_plain(state: NumberState, words: str) -> None:
    assert words in explain(state)
    assert bool(words) == bool(explain(state))
    assert (DOUBT in words) == (DOUBT in explain(state))


@pytest.mark.parametrize("detail", ["", "why", f"why {DOUBT}"])
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.INVALID}))
def test_a_status_of_a_report_is_read_back_as_a_phase_of_that_status(status: Status, detail: str) -> None:
    assert status_of(read_back(status, detail)[0]) is status


@pytest.mark.parametrize("detail", ["", "why", " why. "])
@pytest.mark.parametrize("phase", Phase)
def test_a_report_is_read_back_as_what_it_was_written_from(phase: Phase, detail: str) -> None:
    told = explain(NumberState(phase, detail=detail))
    read, own = read_back(status_of(phase), told)
    # A report does not tell everything apart: not what goes on alike anyway.
    alike = {
        Phase.PASSED_OVER: Phase.FAILED_IN_DOUBT,
        Phase.OTHER_FORM: Phase.UNSENT,
        Phase.OTHER_FORM_IN_DOUBT: Phase.IN_DOUBT,
    }
    assert read is alike.get(phase, phase)
    assert DOUBT not in own
    assert explain(NumberState(read, detail=own)).split() == told.split()
    assert (own.strip() == detail.strip()) or not detail


def test_doubt_that_a_report_does_not_show_is_not_invented() -> None:
    assert read_back(Status.CALL_IN_PROGRESS, "why") == (Phase.BUSY, "why")
    assert read_back(Status.FAILED, "why") == (Phase.FAILED, "why")
    assert read_back(Status.UNRECOGNISED, f"{DOUBT} why") == (Phase.UNRECOGNISED, f"{DOUBT} why")


def test_a_row_without_a_number_has_no_phase() -> None:
    with pytest.raises(ValueError, match="INVALID"):
        read_back(Status.INVALID, "")


@pytest.mark.parametrize("rerun", [from_ledger, from_report])
@pytest.mark.parametrize(
    "events",
    [
        pytest.param((Event.LOST, Event.REFUSED), id="lost, then refused"),
        pytest.param((Event.LOST, Event.UNKNOWN), id="lost, then unknown"),
        pytest.param((Event.LOST, Event.BUSY), id="lost, then in a call"),
        pytest.param((Event.PASSED_OVER,), id="passed over"),
        pytest.param((Event.PASSED_OVER, Event.REFUSED), id="passed over, then refused"),
        pytest.param((Event.BUSY, Event.LOST, Event.UNTOUCHED, Event.REFUSED), id="lost in between"),
    ],
)
def test_a_rerun_remembers_doubt(events: tuple[Event, ...], rerun: Callable[[NumberState], NumberState]) -> None:
    for state in (rerun(after(*events)), rerun(rerun(after(*events)))):
        assert status_of(met(state, Event.NOT_EXIST).phase) is Status.PRESUMED_REMOVED


_EVENTS = st.tuples(st.sampled_from([event for event in Event if event is not Event.NONE_LEFT]), st.integers(0, 1))


def could_be(state: NumberState, event: Event) -> bool:
    return (Phase(state.phase), event) not in EXCLUDED


@given(st.lists(st.one_of(_EVENTS, st.sampled_from([from_ledger, from_report]))))
def test_doubt_is_neither_forgotten_nor_invented_over_any_reruns(
    steps: list[tuple[Event, int] | Callable[[NumberState], NumberState]],
) -> None:
    state, doubted = NEW, False
    for step in steps:
        if not isinstance(step, tuple):
            state = step(state)
        elif state.phase not in SETTLED and could_be(state, step[0]):
            event, removed = step
            state = met(state, event, removed if event in {Event.BUSY, Event.UNKNOWN} else 0)
            doubted |= event in {Event.LOST, Event.PASSED_OVER}
        assert DOUBT not in state.detail
        if status_of(state.phase) in FINAL_STATUSES:
            assert not (doubted and state.phase == Phase.NOT_EXIST)
            return
    gone = met(asked_anew(state), Event.NOT_EXIST)
    undoubted = Status.REMOVED if state.removed else Status.NOT_EXIST
    assert status_of(gone.phase) is (Status.PRESUMED_REMOVED if doubted else undoubted)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("removed", [0, 2])
def test_a_rerun_keeps_what_is_final_and_can_go_on_with_the_rest(phase: Phase, removed: int) -> None:
    before = NumberState(phase, removed, (7,) * removed, 3, 1, 50.0, 60.0, "why")
    anew = asked_anew(before)
    if status_of(phase) in FINAL_STATUSES:
        assert anew == before
        return
    assert (anew.removed, anew.record_ids, anew.attempts, anew.busy_since_s) == (removed, (7,) * removed, 3, 0.0)
    assert anew.phase not in SETTLED
    gone = with_verdict(anew, Event.NOT_EXIST, 0, (), "", 90.0)
    if phase in DOUBTED:
        assert gone.phase is Phase.PRESUMED_REMOVED
    else:
        assert gone.phase is (Phase.REMOVED if removed else Phase.NOT_EXIST)


@pytest.mark.parametrize("phase", Phase)
def test_a_rerun_in_other_forms_asks_again_for_what_was_not_there_and_for_nothing_else_that_is_final(
    phase: Phase,
) -> None:
    before = NumberState(phase, 0, (), 3, 1, 50.0, 60.0, "why")
    anew = asked_anew(before, other_forms=True)
    if phase is not Phase.NOT_EXIST:
        assert anew == asked_anew(before)
        return
    assert (status_of(anew.phase), anew.attempts) == (Status.UNSENT, 3)
    assert "Not there in the forms that an earlier run asked for" in explain(anew)
    assert with_verdict(anew, Event.NOT_EXIST, 0, (), "", 90.0).phase is Phase.NOT_EXIST
    assert explain(with_verdict(anew, Event.REMOVED, 1, (7,), "", 90.0)) == ""
