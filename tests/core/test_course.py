from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import NEW
from bulk_remove.core.model import NumberState, RowOutcome, Source, Status
from bulk_remove.core.timeline import (
    MOST_EXAMPLES,
    MOST_IDS,
    MOST_KINDS,
    MOST_PARTS,
    Attempt,
    Course,
    SessionSpan,
    Timeline,
)
from tests.support.outcome_blocks import outcome_blocks

SOURCE = Source("numbers.csv", "", ("phone",), 0, "named 'phone'", "utf-8", ",", "0" * 64, 1)
TWO = (SessionSpan(1000.0, 1100.0, 5.0, "stopped by Ctrl-C"), SessionSpan(9000.0, 9050.0, 2.0, "done"))


def row(state: NumberState | None, cell: str = "601234555", problem: str = "", duplicate_of: str = "") -> RowOutcome:
    return RowOutcome(SOURCE, 7, cell, (), "601234555" if state else "", "00001", state, problem, duplicate_of)


def course_of(*rows: RowOutcome) -> Course:
    course = Course(Timeline.of(TWO))
    assert [row for block in course.through(outcome_blocks(rows)) for row in block.outcomes()] == [*rows]
    return course


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e7)), min_size=1, max_size=5))
def test_the_time_of_any_run_is_cut_into_few_parts_that_hold_all_of_it(pairs: list[tuple[float, float]]) -> None:
    moment_s, spans = 1e9, []
    for pause_s, length_s in pairs:
        spans.append(SessionSpan(moment_s + pause_s, moment_s + pause_s + length_s, 5.0, "done"))
        moment_s += pause_s + length_s
    timeline = Timeline.of(spans)
    assert 1 <= timeline.parts <= MOST_PARTS
    assert timeline.total_s == pytest.approx(sum(length_s for _, length_s in pairs), abs=1e-3)
    assert timeline.parts * timeline.part_s >= timeline.total_s
    assert timeline.part_of(spans[-1].ended_s) == timeline.parts - 1 or timeline.total_s == 0 or pairs[-1][1] < 1
    assert len(timeline.ceilings()) == timeline.parts


def test_pauses_between_sessions_take_no_room() -> None:
    timeline = Timeline.of(TWO)
    assert (timeline.total_s, timeline.part_s, timeline.parts) == (150.0, 2, 75)
    assert timeline.part_of(999.0) is None
    assert [timeline.part_of(moment_s) for moment_s in (1000.0, 1003.9, 1100.0, 5000.0, 9000.0, 9049.0, 1e6)] == [
        0, 1, 50, 50, 50, 74, 74,
    ]  # fmt: skip
    assert [timeline.moment_s(part) for part in (0, 49, 50, 74)] == [1000.0, 1098.0, 9000.0, 9048.0]


def test_a_clock_that_went_back_breaks_nothing() -> None:
    timeline = Timeline.of([SessionSpan(1000.0, 990.0, 5.0, "done")])
    assert (timeline.total_s, timeline.parts, timeline.part_of(1000.0)) == (0.0, 1, 0)


def test_sessions_between_which_the_clock_was_set_back_keep_their_places() -> None:
    """The second began an hour before the end of the first, by the clock; the third is right again."""
    back = [(9000.0, 9100.0), (5400.0, 5500.0), (9080.0, 9180.0)]
    timeline = Timeline.of([SessionSpan(*times, 5.0, "done") for times in back])
    assert (timeline.total_s, timeline.part_s) == (300.0, 5)
    moments_s = (5300.0, 5400.0, 5500.0, 7000.0, 9000.0, 9075.0, 9080.0, 9100.0, 9180.0, 9999.0)
    assert [timeline.part_of(moment_s) for moment_s in moments_s] == [None, 20, 40, 40, 0, 15, 40, 44, 59, 59]


def test_a_moment_of_a_longer_session_is_not_counted_to_a_shorter_one_within() -> None:
    timeline = Timeline.of([SessionSpan(9000.0, 9100.0, 5.0, ""), SessionSpan(9010.0, 9020.0, 5.0, "done")])
    assert [timeline.part_of(moment_s) for moment_s in (9005.0, 9015.0, 9050.0)] == [5, 105, 50]


def test_the_ceiling_of_a_part_is_that_of_its_session_and_the_highest_where_two_share_it() -> None:
    ceilings = Timeline.of(TWO).ceilings()
    assert ceilings[:50] == [5.0] * 50
    assert ceilings[50] == 5.0
    assert ceilings[51:] == [2.0] * 24


def test_requests_are_counted_when_they_began_by_what_came_of_them() -> None:
    course = Course(Timeline.of(TWO))
    course.add_attempts(
        [
            Attempt(1000.5, 1000.57, "verdicts", ""),
            Attempt(1000.6, 1001.0, "HTTP 429", "a1"),
            Attempt(1003.0, 1003.1, "HTTP 400", ""),
            Attempt(9000.0, 9070.0, "verdicts", ""),
            *(Attempt(9001.0, 9001.1, "HTTP 429", f"b{index}") for index in range(9)),
        ]
    )
    assert (course.requests[:2], course.requests[50], sum(course.requests)) == ([2, 1], 10, 13)
    assert (course.faulted[:2], sum(course.faulted)) == ([1, 1], 11)
    assert (course.slow_down[:2], course.slow_down[50], sum(course.slow_down)) == ([1, 0], 9, 10)
    assert course.replies == [0, 1, *[0] * 8, 1]
    slow = course.faults["HTTP 429"]
    assert (slow.count, slow.first_s, slow.last_s) == (10, 1000.6, 9001.0)
    assert slow.request_ids == ["a1", "b0", "b1", "b2", "b3"]
    assert len(slow.request_ids) == MOST_IDS
    assert course.faults["HTTP 400"].request_ids == []


def test_final_answers_are_counted_at_their_moment_once_a_number() -> None:
    removed = NumberState("R", 1, (7,), 1, 0, 0.0, 1003.0)
    course = course_of(
        row(removed),
        row(removed, duplicate_of="7"),
        row(removed._replace(answered_at_s=9049.0)),
        row(removed._replace(answered_at_s=500.0)),
        row(removed._replace(answered_at_s=0.0)),
        row(NEW),
        row(NumberState("B", busy_rounds=1, answered_at_s=1003.0)),
    )
    assert (course.final[1], course.final[74], sum(course.final)) == (1, 1, 2)
    assert (course.final_before, course.final_untimed) == (1, 1)


def test_calls_that_were_waited_for_are_counted_by_what_became_of_them() -> None:
    course = course_of(
        row(NumberState("R", busy_rounds=2, answered_at_s=1003.0)),
        row(NumberState("R", busy_rounds=40, answered_at_s=1003.0)),
        row(NumberState("B", busy_rounds=2, answered_at_s=1003.0)),
        row(NumberState("R", answered_at_s=1003.0)),
    )
    assert course.waited == {Status.REMOVED: 2, Status.CALL_IN_PROGRESS: 1}
    assert course.rounds == {2: 2, 6: 1}


def test_a_few_invalid_cells_of_each_reason_are_kept_masked() -> None:
    rows = [row(None, "601 234 55x", "A letter.") for _ in range(9)]
    rows += [replace_row(index) for index in range(2 * MOST_KINDS)]
    course = course_of(*rows)
    assert course.examples["A letter."] == [("numbers.csv, row 7", "60***** 55x")] * MOST_EXAMPLES
    assert len(course.examples) == MOST_KINDS


def replace_row(index: int) -> RowOutcome:
    return row(None, "", f"Reason {index}.")._replace(source=replace(SOURCE, file="b.csv"))


def test_the_length_of_a_part_is_the_least_round_one_that_is_enough() -> None:
    lengths_s = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400]
    for length_s, longer_s in zip(lengths_s, [*lengths_s[1:], 86_401], strict=True):
        for total_s, part_s in ((length_s * 120, length_s), (length_s * 120 + 1, longer_s)):
            assert Timeline.of([SessionSpan(0.0, total_s, 5.0, "done")]).part_s == part_s


def test_the_last_moment_of_a_session_within_another_is_its_own() -> None:
    timeline = Timeline.of([SessionSpan(9000.0, 9100.0, 5.0, ""), SessionSpan(9010.0, 9020.0, 5.0, "done")])
    assert timeline.part_of(9020.0) == 109


def test_a_reason_that_is_known_gets_its_examples_also_when_no_other_is_kept_any_more() -> None:
    course = course_of(*(replace_row(index) for index in range(MOST_KINDS)), replace_row(0))
    assert len(course.examples["Reason 0."]) == 2


def test_reply_times_are_told_apart_from_a_twentieth_of_a_second_to_a_minute() -> None:
    course = Course(Timeline.of([SessionSpan(0.0, 100.0, 5.0, "done")]))
    edges_s = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0]
    course.add_attempts(Attempt(0.0, edge_s, "verdicts", "") for edge_s in edges_s)
    assert course.replies == [0, *[1] * len(edges_s)]
    course.add_attempts(Attempt(0.0, edge_s - 1e-6, "verdicts", "") for edge_s in edges_s)
    assert course.replies == [1, *[2] * (len(edges_s) - 1), 1]


def test_a_part_before_a_session_has_not_its_ceiling() -> None:
    slow, fast = SessionSpan(0.0, 100.0, 2.0, "stopped"), SessionSpan(200.0, 300.0, 5.0, "done")
    assert Timeline.of([slow, fast]).ceilings() == [2.0] * 50 + [5.0] * 50


def test_the_place_of_an_example_shows_no_number() -> None:
    course = course_of(row(None, "x", "A letter.")._replace(source=replace(SOURCE, file="48601000123\x1b.csv")))
    assert course.examples["A letter."] == [("48*****0123?.csv, row 7", "*")]
