"""The share of missing numbers among those answered last."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import Phase
from bulk_remove.core.limits import (
    LATELY_FEWEST,
    LATELY_NUMBERS,
    Batch,
    Lately,
    batch_of,
    batch_of_settled,
    parse_share,
)
from bulk_remove.core.model import Alike, NumberState
from bulk_remove.errors import ExitCode


def lately(*batches: tuple[int, int]) -> Lately:
    found = Lately()
    for batch in batches:
        found = found.and_batch(Batch(*batch))
    return found


@pytest.mark.parametrize(
    ("batches", "limit", "stops"),
    [
        ([(LATELY_FEWEST, LATELY_FEWEST)], 0.9, True),
        ([(LATELY_FEWEST - 1, LATELY_FEWEST - 1)], 0.9, False),
        ([(1000, 900)], 0.9, True),
        ([(1000, 899)], 0.9, False),
        ([(1000, 1000)], 1.0, False),
        ([(1000, 1000)], None, False),
        ([(1000, 0)], 0.0, True),
        ([(LATELY_NUMBERS, 0), (LATELY_NUMBERS, LATELY_NUMBERS)], 1 - 1e-9, True),
        ([(LATELY_NUMBERS, 0), (LATELY_NUMBERS - 1, LATELY_NUMBERS - 1)], 0.9, False),
        ([], 0.0, False),
    ],
)
def test_a_run_stops_at_the_limit_but_not_after_few_numbers(
    batches: list[tuple[int, int]], limit: float | None, *, stops: bool
) -> None:
    assert (lately(*batches).stop(limit, "r1", "00001") is not None) is stops


def test_the_stop_has_the_figures_and_a_limit_that_lets_the_rest_follow() -> None:
    stop = lately((200, 0), (1800, 1799)).stop(0.5, "r1", "00001")
    assert stop is not None
    assert stop.exit_code is ExitCode.GUARD
    assert stop.sentence == (
        "Of the 2,000 numbers answered last, 1,799 (90%) are not in campaign 00001; the limit is 50%: "
        "the rest was not sent."
    )
    assert stop.hint.endswith("bulk-remove resume r1 --stop-when-missing 90%.")


@given(st.integers(LATELY_FEWEST, 3 * LATELY_NUMBERS), st.data())
def test_the_limit_in_the_hint_lets_the_rest_follow(answered: int, data: st.DataObject) -> None:
    found = lately((answered, data.draw(st.integers(0, answered))))
    stop = found.stop(0.0, "r1", "00001")
    assert stop is not None
    assert found.stop(parse_share(stop.hint.rpartition(" ")[2].rstrip(".")), "r1", "00001") is None


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda each: (sum(each), each[0]))))
def test_only_the_last_numbers_count_in_whole_requests(batches: list[tuple[int, int]]) -> None:
    found = lately(*batches)
    assert (found.answered, found.missing) == tuple(map(sum, zip(*found.batches, strict=True))) or not found.batches
    latest: deque[tuple[int, int]] = deque()
    for batch in reversed([batch for batch in batches if batch[0]]):
        if sum(answered for answered, _ in latest) >= LATELY_NUMBERS:
            break
        latest.appendleft(batch)
    assert [*found.batches] == [*latest]


UNSENT, DOUBTED = NumberState(Phase.UNSENT), NumberState(Phase.IN_DOUBT)
IN_A_CALL = NumberState(Phase.BUSY, busy_rounds=1, busy_since_s=5.0)
EARLIER_IN_A_CALL = NumberState(Phase.BUSY, busy_rounds=1)
REMOVED, MISSING = NumberState(Phase.REMOVED, 1), NumberState(Phase.NOT_EXIST)
PRESUMED, REFUSED = NumberState(Phase.PRESUMED_REMOVED), NumberState(Phase.FAILED)
OTHER_FORM = NumberState(Phase.OTHER_FORM)
GONE = NumberState(Phase.NOT_EXIST, busy_rounds=1)


@pytest.mark.parametrize(
    ("before", "after", "batch"),
    [
        (UNSENT, REMOVED, (1, 0)),
        (UNSENT, MISSING, (1, 1)),
        (UNSENT, IN_A_CALL, (1, 0)),
        (DOUBTED, REMOVED, (1, 0)),
        (DOUBTED, PRESUMED, (0, 0)),
        (UNSENT, REFUSED, (0, 0)),
        (UNSENT, OTHER_FORM, (0, 0)),
        (OTHER_FORM, MISSING, (1, 1)),
        (IN_A_CALL, REMOVED, (0, 0)),
        (IN_A_CALL, GONE, (0, 0)),
        (EARLIER_IN_A_CALL, REMOVED, (1, 0)),
        (EARLIER_IN_A_CALL, GONE, (1, 0)),
    ],
)
def test_each_number_counts_once_and_only_by_an_answer(
    before: NumberState, after: NumberState, batch: tuple[int, int]
) -> None:
    assert batch_of(Alike.of([before, before]), Alike.of([after, after])) == (2 * batch[0], 2 * batch[1])


def test_a_missing_number_that_an_earlier_run_removed_does_not_count() -> None:
    before, after = Alike.of([UNSENT] * 4), Alike.of([MISSING, REMOVED, MISSING, PRESUMED])
    assert batch_of(before, after) == (3, 2)
    assert batch_of(before, after, [0, 1, 3]) == (2, 1)


def test_in_a_ledger_a_number_that_is_asked_for_again_does_not_count_yet() -> None:
    states = [UNSENT, DOUBTED, IN_A_CALL, EARLIER_IN_A_CALL, REMOVED, MISSING, PRESUMED, REFUSED, OTHER_FORM, GONE]
    assert batch_of_settled(dict(enumerate(states)), ()) == (3, 1)
    assert batch_of_settled(dict(enumerate(states)), {5}) == (2, 0)  # an earlier run removed it
