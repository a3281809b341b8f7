from collections.abc import Callable
from functools import reduce
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import (
    AT_LEAST,
    BETWEEN_FORMS,
    DOUBT,
    EVER_US,
    GONE_MEANWHILE,
    NEW,
    NOTHING_SEEN,
    REMOVED_AGAIN,
    SETTLED,
    Event,
    Fastest,
    Phase,
    asked_anew,
    explain,
    for_each,
    gone_meanwhile,
    hides_records,
    is_doubted,
    judged_again,
    next_phase,
    nowhere,
    read_back,
    status_of,
    taken_up,
    was_found,
    with_verdict,
    without_verdict,
)
from bulk_remove.core.model import FINAL_STATUSES, NEVER_SENT, REHEARSED, NumberState, Rehearsal, Status
from bulk_remove.errors import InvariantError

OPEN = sorted(set(Phase) - SETTLED)
ANSWERS = [Event.REMOVED, Event.NOT_EXIST, Event.BUSY, Event.UNKNOWN, Event.PASSED_OVER]
SILENCES = [Event.LOST, Event.UNTOUCHED]
EXCLUDED = {
    (Phase.OTHER_FORM, Event.REFUSED),  # a form that is refused is one in which the number is not there
    (Phase.OTHER_FORM_IN_DOUBT, Event.REFUSED),
}
SECOND_US = 1_000_000


def seen(took_us: int, replies: int, numbers: int = 1) -> Fastest:
    """What is known after so many replies that took so long, to requests of so many numbers."""
    return reduce(lambda known, _: known.and_reply(took_us, numbers), range(replies), NOTHING_SEEN)


SEEN = seen(100_000, 10)
QUICK_US, SLOW_US = 40_000, 60_000


def met(state: NumberState, event: Event, removed: int = 0) -> NumberState:
    if event in ANSWERS:
        return with_verdict(state, event, removed + (event is Event.REMOVED), (), "", 100.0)
    return without_verdict(state, event, event.value)


def after(*events: Event) -> NumberState:
    return reduce(met, events, NEW)


def in_phase(phase: Phase, removed: int = 0, detail: str = "") -> NumberState:
    return NumberState(phase, removed, detail=detail, doubt_us=EVER_US if is_doubted(phase) else 0)


def from_ledger(state: NumberState) -> NumberState:
    return asked_anew(state)


def from_report(state: NumberState) -> NumberState:
    known = read_back(status_of(state.phase), explain(state))
    return asked_anew(state._replace(phase=known.phase, detail=known.detail, doubt_us=known.doubt_us))


@pytest.mark.parametrize(("phase", "event"), list(product(OPEN, Event)))
def test_every_open_phase_meets_every_event_but_those_that_the_theory_excludes(phase: Phase, event: Event) -> None:
    if (phase, event) in EXCLUDED:
        with pytest.raises(InvariantError):
            next_phase(phase, event, doubted=is_doubted(phase))
        return
    after_it = next_phase(phase, event, doubted=True)
    assert is_doubted(after_it) == (event is not Event.UNTOUCHED or is_doubted(phase))
    undoubted = next_phase(phase, event, doubted=False)
    assert status_of(undoubted) in Status


@pytest.mark.parametrize(("phase", "event"), list(product(sorted(SETTLED), Event)))
def test_a_settled_number_meets_no_further_event(phase: Phase, event: Event) -> None:
    with pytest.raises(InvariantError):
        next_phase(phase, event, doubted=is_doubted(phase))


def test_a_doubted_phase_is_the_small_letter_of_the_plain_one() -> None:
    plain = {phase for phase in Phase if not is_doubted(phase)}
    assert {phase.lower() for phase in plain} | {Phase.PASSED_OVER} == {phase for phase in Phase if is_doubted(phase)}
    for phase in plain:
        assert (phase in SETTLED, phase in BETWEEN_FORMS) == (phase.lower() in SETTLED, phase.lower() in BETWEEN_FORMS)


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
    assert {phase for phase in Phase if nowhere(NumberState(phase))} == set("NnOo")
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


def test_an_attempt_that_never_reached_the_server_hides_no_refusal_that_may_have_been_carried_out() -> None:
    refused = without_verdict(NEW, Event.UNTOUCHED, "HTTP 429", 5_000)
    unreached = without_verdict(refused, Event.UNTOUCHED, "no connection")
    assert (unreached.detail, unreached.attempts) == ("HTTP 429", 2)
    assert without_verdict(unreached, Event.UNTOUCHED, "HTTP 503", 4_000).detail == "HTTP 503"


def test_a_number_was_found_where_records_of_it_were_removed_or_in_a_call() -> None:
    in_a_call = met(NEW, Event.BUSY)
    assert not any(was_found(state) for state in (NEW, met(NEW, Event.NOT_EXIST), met(NEW, Event.LOST)))
    assert all(was_found(state) for state in (in_a_call, met(in_a_call, Event.LOST), met(NEW, Event.REMOVED, 1)))


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
    ("took_us", "fastest", "doubted"),
    [
        pytest.param(0, NOTHING_SEEN, False, id="it never left"),
        pytest.param(0, seen(0, 9), False, id="it never left, whatever was seen"),
        pytest.param(SECOND_US, NOTHING_SEEN, False, id="a second, and nothing to compare with"),
        pytest.param(SECOND_US + 1, NOTHING_SEEN, True, id="more than a second, and nothing to compare with"),
        pytest.param(EVER_US, NOTHING_SEEN, True, id="of no answer no time tells"),
        pytest.param(EVER_US, seen(EVER_US // 2, 9), True, id="not even the slowest server's"),
        pytest.param(49_999, seen(100_000, 4), False, id="less than half of the fastest"),
        pytest.param(50_000, seen(100_000, 4), True, id="half of it"),
        pytest.param(50_000, seen(100_000, 4000), True, id="half of it, however many were seen"),
        pytest.param(37_499, seen(100_000, 3), False, id="of three replies, three eighths"),
        pytest.param(37_500, seen(100_000, 3), True, id="not less"),
        pytest.param(12_499, seen(100_000, 1), False, id="of the only reply, an eighth"),
        pytest.param(12_500, seen(100_000, 1), True, id="not less than that"),
        pytest.param(1, seen(9_000, 99), True, id="where all are so fast that nothing can be told"),
        pytest.param(4_999, seen(15_000, 99), False, id="a hundredth of a second faster"),
        pytest.param(5_000, seen(15_000, 99), True, id="not quite so much faster"),
    ],
)
def test_a_refusal_that_came_back_faster_than_any_execution_leaves_no_doubt(
    took_us: int, fastest: Fastest, doubted: bool
) -> None:
    assert fastest.may_have_acted(took_us, for_each(took_us, 1)) is doubted


@pytest.mark.parametrize(
    ("took_us", "numbers", "doubted"),
    [
        pytest.param(149_999, 300, False, id="as large as those that were carried out"),
        pytest.param(150_000, 300, True, id="half of their time"),
        pytest.param(74_999, 150, False, id="half as large"),
        pytest.param(75_000, 150, True, id="a quarter of their time"),
        pytest.param(5_000, 3, True, id="a hundredth of the size"),
        pytest.param(1_499, 3, False, id="less than that share of the time"),
        pytest.param(150_000, 600, True, id="twice as large: not twice the time"),
        pytest.param(149_999, 600, False, id="faster than any, however large"),
    ],
)
def test_a_small_request_is_carried_out_sooner_than_a_large_one(took_us: int, numbers: int, doubted: bool) -> None:
    fastest = seen(300_000, 9, 300)
    assert fastest.may_have_acted(took_us, for_each(took_us, numbers)) is doubted
    refused = without_verdict(NEW, Event.UNTOUCHED, "HTTP 503", took_us, NOTHING_SEEN, numbers)
    gone = with_verdict(refused, Event.NOT_EXIST, 0, (), "", 90.0, fastest)
    assert gone.phase == (Phase.PRESUMED_REMOVED if doubted else Phase.NOT_EXIST)


@given(
    st.lists(st.tuples(st.integers(20_000, 10**8), st.integers(1, 300)), min_size=4),
    st.lists(st.tuples(st.integers(1, 10**8), st.integers(1, 300)), min_size=1),
)
def test_two_minima_judge_several_refusals_as_each_execution_would(
    executions: list[tuple[int, int]], refusals: list[tuple[int, int]]
) -> None:
    fastest = reduce(lambda known, told: known.and_reply(*told), executions, NOTHING_SEEN)
    state = NEW
    for took_us, numbers in refusals:
        state = without_verdict(state, Event.UNTOUCHED, "HTTP 503", took_us, NOTHING_SEEN, numbers)
    least = [min(took * min(1, numbers / n) for took, n in executions) / 2 for _, numbers in refusals]
    margins = [took_us - bar for (took_us, _), bar in zip(refusals, least, strict=True)]
    assume(all(abs(margin) > 2 for margin in margins))  # rounded to a microsecond, and half of it
    assert fastest.may_have_acted(state.doubt_us, state.doubt_each_ns) == any(margin > 0 for margin in margins)


def test_the_fastest_reply_is_remembered_and_the_first_few_are_counted() -> None:
    replies = ((300_000, 10), (200_000, 1), (500_000, 100))
    assert reduce(lambda known, told: known.and_reply(*told), replies, NOTHING_SEEN) == Fastest(200_000, 3, 5_000_000)
    assert seen(300_000, 99) == seen(300_000, 4)


@given(st.integers(0, EVER_US), st.lists(st.integers(1, 10**8), min_size=1), st.integers(1, 300))
def test_a_fast_reply_more_never_takes_a_doubt_away(took_us: int, replies_us: list[int], numbers: int) -> None:
    known = reduce(lambda known, reply_us: known.and_reply(reply_us, 300), replies_us, seen(10**8, 9))
    each_ns = for_each(took_us, numbers)
    if known.may_have_acted(took_us, each_ns):
        assert known.and_reply(min(replies_us), 300).may_have_acted(took_us, each_ns)


@pytest.mark.parametrize("phase", Phase)
def test_what_is_not_final_is_judged_by_all_replies_until_now_and_doubt_stays(phase: Phase) -> None:
    state = NumberState(phase, 0, (), 3, 1, 50.0, 60.0, "why", SLOW_US, for_each(SLOW_US, 1))
    final = status_of(phase) in FINAL_STATUSES
    assert judged_again(state, SEEN).phase == (phase if final else phase.lower())
    assert judged_again(state, seen(9 * SLOW_US, 9)).phase == phase
    later = taken_up(state, SEEN)
    assert (later.phase, later.busy_since_s) == (phase if final else phase.lower(), 0.0)
    assert (later.doubt_us == EVER_US) == is_doubted(later.phase)


def test_a_slower_server_takes_no_doubt_away_that_an_earlier_session_had() -> None:
    doubted = without_verdict(NEW, Event.LOST, "HTTP 503", SLOW_US, SEEN)
    for later in (taken_up(doubted, SEEN), asked_anew(doubted)):
        gone = with_verdict(later, Event.NOT_EXIST, 0, (), "", 90.0, seen(9 * SLOW_US, 9))
        assert gone.phase == Phase.PRESUMED_REMOVED


@pytest.mark.parametrize(("took_us", "removed", "status"), [
    (QUICK_US, 0, Status.NOT_EXIST),
    (SLOW_US, 0, Status.PRESUMED_REMOVED),
    (QUICK_US, 1, Status.REMOVED),
    (SLOW_US, 1, Status.PRESUMED_REMOVED),
])  # fmt: skip
def test_none_found_after_a_refusal_means_what_the_time_of_that_tells(
    took_us: int, removed: int, status: Status
) -> None:
    before = with_verdict(NEW, Event.BUSY, 1, (7,), "", 50.0) if removed else NEW
    refused = without_verdict(before, Event.UNTOUCHED, "HTTP 503", took_us)
    assert status_of(with_verdict(refused, Event.NOT_EXIST, 0, (), "", 90.0, SEEN).phase) is status


def test_what_was_in_doubt_is_judged_again_by_all_that_is_known_at_the_verdict() -> None:
    slow_one = seen(400_000, 1)
    doubted = without_verdict(NEW, Event.LOST, "HTTP 503", SLOW_US, slow_one)
    assert doubted.phase == Phase.IN_DOUBT
    cleared = with_verdict(doubted, Event.NOT_EXIST, 0, (), "", 90.0, seen(400_000, 4))
    assert cleared.phase == Phase.NOT_EXIST
    innocent = without_verdict(NEW, Event.UNTOUCHED, "HTTP 503", SLOW_US, seen(400_000, 4))
    assert innocent.phase == Phase.UNSENT
    found_out = with_verdict(innocent, Event.NOT_EXIST, 0, (), "", 90.0, SEEN)
    assert found_out.phase == Phase.PRESUMED_REMOVED


def test_the_longest_of_several_refusals_is_what_counts() -> None:
    state = NEW
    for took_us in (QUICK_US, SLOW_US, QUICK_US):
        state = without_verdict(state, Event.UNTOUCHED, "HTTP 429", took_us)
    assert with_verdict(state, Event.NOT_EXIST, 0, (), "", 90.0, SEEN).phase == Phase.PRESUMED_REMOVED


def test_a_number_refused_alone_is_in_doubt_if_that_took_as_long_as_an_execution() -> None:
    assert without_verdict(NEW, Event.REFUSED, "why", QUICK_US, SEEN).phase == Phase.FAILED
    failed = without_verdict(NEW, Event.REFUSED, "why", SLOW_US, SEEN)
    assert (failed.phase, explain(failed)) == (Phase.FAILED_IN_DOUBT, f"why {DOUBT}")


def test_a_form_refused_slowly_may_have_removed_the_number_nevertheless() -> None:
    between = without_verdict(after(Event.NOT_IN_THIS_FORM), Event.NOT_IN_THIS_FORM, "", SLOW_US, SEEN)
    assert between.phase == Phase.OTHER_FORM_IN_DOUBT
    assert without_verdict(between, Event.NOT_EXIST, "why", 0, SEEN).phase == Phase.PRESUMED_REMOVED


def test_without_a_reply_to_compare_with_no_refusal_proves_that_a_number_was_never_there() -> None:
    between = after(Event.NOT_IN_THIS_FORM)
    assert without_verdict(between, Event.NOT_EXIST, "why", QUICK_US).phase == Phase.PRESUMED_REMOVED
    assert without_verdict(between, Event.NOT_EXIST, "why", QUICK_US, SEEN).phase == Phase.NOT_EXIST
    assert without_verdict(between, Event.NOT_EXIST, "why").phase == Phase.NOT_EXIST


@pytest.mark.parametrize(
    "events",
    [
        (Event.LOST, Event.REMOVED),
        (Event.PASSED_OVER, Event.REMOVED),
        (Event.LOST, Event.BUSY, Event.REMOVED),
        (Event.BUSY, Event.LOST, Event.UNTOUCHED, Event.BUSY, Event.REMOVED),
        (Event.LOST, Event.NOT_IN_THIS_FORM, Event.REMOVED),
    ],
    ids=", ".join,
)
def test_a_count_of_records_is_a_lower_bound_once_there_was_doubt_and_says_so(events: tuple[Event, ...]) -> None:
    gone = after(*events)
    assert (gone.phase, status_of(gone.phase)) == (Phase.REMOVED_AT_LEAST, Status.REMOVED)
    assert explain(gone) == AT_LEAST
    told = from_report(gone)
    assert (told.phase, explain(told)) == (Phase.REMOVED_AT_LEAST, AT_LEAST)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (NEW, "the run stopped first"),
        (after(Event.LOST, Event.NOT_EXIST), "may have removed it"),
        (after(Event.BUSY, Event.BUSY), "(2 times)"),
        (after(Event.LOST), "lost"),
        (in_phase(Phase.OTHER_FORM), "before its other forms were asked for"),
        (in_phase(Phase.OTHER_FORM_IN_DOUBT), "before its other forms were asked for"),
        (after(Event.REMOVED), ""),
        (after(Event.REFUSED), "refused"),
        (after(Event.LOST, Event.BUSY), f"In a call each time it was asked for (1 times). {DOUBT}"),
        (after(Event.LOST, Event.REFUSED), f"refused {DOUBT}"),
        (after(Event.LOST, Event.UNKNOWN), DOUBT),
        (after(Event.PASSED_OVER), DOUBT),
        (after(Event.LOST, Event.REMOVED), AT_LEAST),
        (in_phase(Phase.IN_DOUBT), DOUBT),
        (in_phase(Phase.BUSY_IN_DOUBT, removed=1), AT_LEAST),
        (in_phase(Phase.IN_DOUBT, removed=1, detail="lost"), f"lost {AT_LEAST}"),
    ],
)
def test_the_detail_explains_what_is_not_plain(state: NumberState, words: str) -> None:
    assert words in explain(state)
    assert bool(words) == bool(explain(state))
    for sentence in (DOUBT, AT_LEAST):
        assert (sentence in words) == (sentence in explain(state))


@pytest.mark.parametrize("detail", ["", "why", f"why {DOUBT}", AT_LEAST])
@pytest.mark.parametrize("status", sorted(set(Status) - NEVER_SENT))
def test_a_status_of_a_report_is_read_back_as_a_phase_of_that_status(status: Status, detail: str) -> None:
    assert status_of(read_back(status, detail).phase) is status


@pytest.mark.parametrize("rehearsal", Rehearsal)
@pytest.mark.parametrize("detail", ["", "why", f"why {DOUBT}"])
@pytest.mark.parametrize("status", sorted(set(Status) - NEVER_SENT))
def test_that_a_report_is_one_of_a_rehearsal_is_read_over(status: Status, detail: str, rehearsal: Rehearsal) -> None:
    assert read_back(status, f"{REHEARSED[rehearsal]} {detail}".strip()) == read_back(status, detail)


@pytest.mark.parametrize("removed", [0, 1])
@pytest.mark.parametrize("detail", ["", "why", " why. "])
@pytest.mark.parametrize("phase", Phase)
def test_a_report_is_read_back_as_what_it_was_written_from(phase: Phase, detail: str, removed: int) -> None:
    removed = removed or (status_of(phase) is Status.REMOVED)
    told = explain(in_phase(phase, removed, detail))
    known = read_back(status_of(phase), told)
    # A report does not tell everything apart: not what goes on alike anyway.
    alike = {
        Phase.PASSED_OVER: Phase.FAILED_IN_DOUBT,
        Phase.OTHER_FORM: Phase.UNSENT,
        Phase.OTHER_FORM_IN_DOUBT: Phase.IN_DOUBT,
    }
    assert known == in_phase(alike.get(phase, phase), detail=known.detail)
    assert DOUBT not in known.detail
    assert AT_LEAST not in known.detail
    assert explain(known._replace(removed=removed)).split() == told.split()
    assert (known.detail.strip() == detail.strip()) or not detail


def test_doubt_that_a_report_does_not_show_is_not_invented() -> None:
    assert read_back(Status.CALL_IN_PROGRESS, "why") == NumberState(Phase.BUSY, detail="why")
    assert read_back(Status.FAILED, "why") == NumberState(Phase.FAILED, detail="why")
    assert read_back(Status.UNRECOGNISED, f"{DOUBT} why") == NumberState(Phase.UNRECOGNISED, detail=f"{DOUBT} why")
    assert read_back(Status.NOT_EXIST, DOUBT) == NumberState(Phase.NOT_EXIST, detail=DOUBT)


@pytest.mark.parametrize("status", [Status.UNSENT, Status.FAILED])
def test_a_number_of_a_report_that_was_asked_for_without_a_verdict_is_in_doubt(status: Status) -> None:
    asked = read_back(status, "HTTP 404", 1)
    assert (is_doubted(asked.phase), asked.doubt_us) == (True, EVER_US)
    assert asked_anew(asked).phase == Phase.IN_DOUBT
    assert not is_doubted(read_back(status, "why", 0).phase)
    assert not is_doubted(read_back(status, "The server refused this number.", 1, answered=True).phase)
    assert is_doubted(read_back(status, "why", 2, answered=True).phase)


def test_a_number_that_was_in_a_call_and_is_gone_was_there_and_was_not_removed() -> None:
    busy = with_verdict(NEW, Event.BUSY, 0, (), "", 50.0)
    gone = with_verdict(busy, Event.NOT_EXIST, 0, (), "", 90.0)
    assert (gone.phase, gone_meanwhile(gone), explain(gone)) == (Phase.NOT_EXIST, True, GONE_MEANWHILE)
    known = read_back(Status.NOT_EXIST, explain(gone), 2, answered=True)._replace(busy_rounds=1)
    assert explain(known) == GONE_MEANWHILE
    assert explain(gone._replace(detail="Said.")) == f"Said. {GONE_MEANWHILE}"
    doubted = gone._replace(phase=Phase.PRESUMED_REMOVED)
    assert gone_meanwhile(doubted)
    assert GONE_MEANWHILE not in explain(doubted)
    assert not gone_meanwhile(with_verdict(busy, Event.REMOVED, 1, (7,), "", 90.0))
    assert not gone_meanwhile(met(NEW, Event.NOT_EXIST))


def test_what_was_asked_is_not_told_as_never_asked() -> None:
    assert explain(NEW) == "Never asked: the run stopped first."
    assert explain(NEW._replace(attempts=1)) == "Asked without a verdict: the run stopped before it was asked again."


def test_the_doubt_of_an_earlier_version_is_understood() -> None:
    known = read_back(Status.FAILED, "why A request for it went unanswered.")
    assert known == NumberState(Phase.FAILED_IN_DOUBT, detail="why", doubt_us=EVER_US)


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


@pytest.mark.parametrize("rerun", [from_ledger, from_report])
@pytest.mark.parametrize(
    ("events", "status"),
    [
        pytest.param((), Status.UNSENT, id="never asked"),
        pytest.param((Event.UNTOUCHED,), Status.UNSENT, id="never let in"),
        pytest.param((Event.REFUSED,), Status.UNSENT, id="refused"),
        pytest.param((Event.BUSY,), Status.CALL_IN_PROGRESS, id="in a call"),
        pytest.param((Event.NOT_IN_THIS_FORM,), Status.UNSENT, id="not in the first form"),
        pytest.param((Event.LOST,), Status.IN_DOUBT, id="lost"),
        pytest.param((Event.PASSED_OVER,), Status.IN_DOUBT, id="passed over"),
        pytest.param((Event.LOST, Event.REFUSED), Status.IN_DOUBT, id="lost, then refused"),
        pytest.param((Event.LOST, Event.UNKNOWN), Status.IN_DOUBT, id="lost, then unknown"),
        pytest.param((Event.LOST, Event.BUSY), Status.CALL_IN_PROGRESS, id="lost, then in a call"),
        pytest.param((Event.LOST, Event.NOT_IN_THIS_FORM), Status.IN_DOUBT, id="lost, then not in the first form"),
    ],
)
def test_a_number_that_a_rerun_does_not_come_to_is_reported_as_what_it_is_by_then(
    events: tuple[Event, ...], status: Status, rerun: Callable[[NumberState], NumberState]
) -> None:
    assert status_of(rerun(after(*events)).phase) is status


@pytest.mark.parametrize("rerun", [from_ledger, from_report])
def test_a_number_of_which_records_are_gone_goes_on_in_a_rerun_as_one_in_a_call(
    rerun: Callable[[NumberState], NumberState],
) -> None:
    some_gone = met(NEW, Event.BUSY, removed=1)
    for state in (some_gone, met(some_gone, Event.REFUSED)):
        assert status_of(rerun(state).phase) is Status.CALL_IN_PROGRESS
        assert status_of(met(rerun(state), Event.NOT_EXIST).phase) is Status.REMOVED
    for state in (met(NEW, Event.UNKNOWN, removed=1), met(met(some_gone, Event.LOST), Event.REFUSED)):
        assert status_of(rerun(state).phase) is Status.CALL_IN_PROGRESS


_EVENTS = st.tuples(st.sampled_from(Event), st.integers(0, 1))


def could_be(state: NumberState, event: Event) -> bool:
    return (Phase(state.phase), event) not in EXCLUDED


@given(st.lists(st.one_of(_EVENTS, st.sampled_from([from_ledger, from_report]))))
def test_doubt_is_neither_forgotten_nor_invented_over_any_reruns(
    steps: list[tuple[Event, int] | Callable[[NumberState], NumberState]],
) -> None:
    state, doubted = NEW, False
    for step in steps:
        if not isinstance(step, tuple):
            doubted |= status_of(state.phase) is Status.UNRECOGNISED
            state = step(state)
        elif state.phase not in SETTLED and could_be(state, step[0]):
            event, removed = step
            state = met(state, event, removed if event in {Event.BUSY, Event.UNKNOWN} else 0)
            doubted |= event in {Event.LOST, Event.PASSED_OVER}
        assert DOUBT not in state.detail
        assert AT_LEAST not in state.detail
        assert is_doubted(state.phase) == doubted
        assert doubted == (state.doubt_us == EVER_US)
        assert (AT_LEAST in explain(state)) == (doubted and state.removed > 0)
        if status_of(state.phase) in FINAL_STATUSES:
            assert not (doubted and state.phase == Phase.NOT_EXIST)
            return
    doubted |= status_of(state.phase) is Status.UNRECOGNISED
    gone = met(asked_anew(state), Event.NOT_EXIST)
    undoubted = Status.REMOVED if state.removed else Status.NOT_EXIST
    assert status_of(gone.phase) is (Status.PRESUMED_REMOVED if doubted else undoubted)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("removed", [0, 2])
def test_a_rerun_keeps_what_is_final_and_can_go_on_with_the_rest(phase: Phase, removed: int) -> None:
    doubt_us = EVER_US if is_doubted(phase) else QUICK_US
    before = NumberState(phase, removed, (7,) * removed, 3, 1, 50.0, 60.0, "why", doubt_us)
    anew = asked_anew(before)
    if status_of(phase) in FINAL_STATUSES:
        assert anew == before
        return
    assert (anew.removed, anew.record_ids, anew.attempts, anew.busy_since_s) == (removed, (7,) * removed, 3, 0.0)
    assert anew.phase not in SETTLED
    gone = with_verdict(anew, Event.NOT_EXIST, 0, (), "", 90.0, SEEN)
    if is_doubted(phase) or phase is Phase.UNRECOGNISED:
        assert gone.phase is Phase.PRESUMED_REMOVED
    else:
        assert gone.phase is (Phase.REMOVED if removed else Phase.NOT_EXIST)


@pytest.mark.parametrize(
    ("phase", "removed", "anew"),
    [
        (Phase.UNSENT, 0, Phase.UNSENT),
        (Phase.IN_DOUBT, 1, Phase.IN_DOUBT),
        (Phase.BUSY, 0, Phase.BUSY),
        (Phase.BUSY_IN_DOUBT, 0, Phase.BUSY_IN_DOUBT),
        (Phase.FAILED, 0, Phase.UNSENT),
        (Phase.FAILED, 1, Phase.BUSY),
        (Phase.FAILED_IN_DOUBT, 1, Phase.BUSY_IN_DOUBT),
        (Phase.PASSED_OVER, 0, Phase.IN_DOUBT),
        (Phase.UNRECOGNISED, 0, Phase.IN_DOUBT),
        (Phase.UNRECOGNISED, 1, Phase.BUSY_IN_DOUBT),
        (Phase.OTHER_FORM, 0, Phase.UNSENT),
        (Phase.OTHER_FORM_IN_DOUBT, 0, Phase.IN_DOUBT),
    ],
)
def test_where_a_later_run_begins(phase: Phase, removed: int, anew: Phase) -> None:
    assert asked_anew(in_phase(phase, removed)).phase == anew


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


@pytest.mark.parametrize("phase", Phase)
def test_a_sum_is_a_lower_bound_where_there_is_doubt_or_a_status_that_nobody_knows(phase: Phase) -> None:
    unclear = {Status.IN_DOUBT, Status.PRESUMED_REMOVED, Status.UNRECOGNISED}
    assert hides_records(phase) == (is_doubted(phase) or status_of(phase) in unclear)
    assert hides_records(Phase.UNRECOGNISED)
    assert not hides_records(Phase.REMOVED)


def test_as_long_as_there_is_nothing_to_compare_with_the_least_doubt_counts_only_against_never_having_been_there() -> (
    None
):
    doubted = NEW._replace(doubt_us=1)
    assert with_verdict(doubted, Event.NOT_EXIST, 0, (), "", 90.0).phase == Phase.PRESUMED_REMOVED
    assert with_verdict(doubted, Event.REMOVED, 1, (7,), "", 90.0).phase == Phase.REMOVED
    assert with_verdict(doubted, Event.NOT_EXIST, 0, (), "", 90.0, SEEN).phase == Phase.NOT_EXIST


def test_blanks_behind_the_sentence_of_doubt_hide_it_from_nobody() -> None:
    state = read_back(Status.REMOVED, f"Two keys. {AT_LEAST} \n")
    assert (state.phase, state.detail) == (Phase.REMOVED_AT_LEAST, "Two keys.")


@pytest.mark.parametrize("said", ["", "The server said: a word"])
@pytest.mark.parametrize("phase", [Phase.REMOVED, Phase.REMOVED_AT_LEAST])
def test_a_mark_of_a_number_removed_again_is_not_read_back(phase: Phase, said: str) -> None:
    state = NumberState(phase, 1, detail=said)
    marked = explain(state._replace(detail=f"{said} {REMOVED_AGAIN}".strip()))
    assert REMOVED_AGAIN in marked
    back = read_back(Status.REMOVED, marked)
    assert (back.phase, back.detail) == (phase, said)
