"""How a server reads raw brackets is found out with one request, and nothing is believed that did not show it."""

from collections.abc import Callable, Sequence

import pytest

from bulk_remove.core.chunker import CAREFUL_LINE, ENCODED, RequestShape, Writing, in_requests, writing_of
from bulk_remove.core.model import Brackets
from bulk_remove.core.replies import Effect, Fault

AUTO, RAW = Brackets.AUTO, Brackets.RAW
REFUSED = Fault(Effect.REFUSED, "HTTP 400", "No.", 400)
FORBIDDEN = Fault(Effect.DENIED, "HTTP 403", "No.", 403)
RESET = Fault(Effect.IN_DOUBT, "connection lost", "It broke.")
NO_PASSWORD = Fault(Effect.DENIED, "HTTP 401", "No.", 401)
BUSY = Fault(Effect.UNTOUCHED, "HTTP 503", "Later.", 503, throttled=True)
Step = Callable[[Writing], Writing]


def whole(writing: Writing) -> Writing:
    return writing.answered(2, whole=True)


def single(writing: Writing) -> Writing:
    return writing.answered(1, whole=True)


def odd(writing: Writing) -> Writing:
    return writing.answered(2, whole=False)


def after(writing: Writing, *steps: Step | Fault) -> Writing:
    for step in steps:
        writing = writing.faulted(step) if isinstance(step, Fault) else step(writing)
    return writing


UNKNOWN, READS_RAW = writing_of(AUTO, None), writing_of(AUTO, RAW)


@pytest.mark.parametrize(
    ("steps", "learned"),
    [
        ([whole, whole], RAW),
        ([odd, whole, whole], RAW),
        ([RESET, whole, whole], RAW),
        ([whole, BUSY, NO_PASSWORD, whole], RAW),
        ([single, single, whole], RAW),  # the last number alone may have been read
        ([single, single, odd], Brackets.ENCODED),
        ([whole, odd], Brackets.ENCODED),
        *(([whole, fault, whole], Brackets.ENCODED) for fault in (REFUSED, FORBIDDEN, RESET)),
        ([whole, REFUSED, odd], Brackets.ENCODED),
        ([whole, REFUSED, BUSY, whole], Brackets.ENCODED),
        ([whole, REFUSED, REFUSED, whole, whole], RAW),
    ],
)
def test_only_a_whole_reply_to_raw_brackets_shows_that_they_are_read(
    steps: Sequence[Step | Fault], learned: Brackets
) -> None:
    assert after(UNKNOWN, *steps) == Writing(learned, known=learned)
    assert not after(UNKNOWN, *steps[:-1]).settled


@pytest.mark.parametrize(
    "steps",
    [
        [BUSY] * 3,
        [odd] * 3,
        [single] * 4,
        [whole, *[BUSY] * 3],
        [RESET] * 3,
        [whole, REFUSED, REFUSED, *[FORBIDDEN] * 2],
    ],
)
def test_a_server_that_shows_nothing_gets_encoded_brackets_and_is_looked_at_again_in_the_next_run(
    steps: Sequence[Step | Fault],
) -> None:
    assert after(UNKNOWN, *steps) == ENCODED
    assert not after(UNKNOWN, *steps[:-1]).settled


def test_a_host_that_read_raw_brackets_must_show_it_again_in_each_session() -> None:
    assert (READS_RAW.brackets, READS_RAW.settled, READS_RAW.greets) == (RAW, False, False)
    assert after(READS_RAW, whole) == Writing(RAW, known=RAW)
    assert after(READS_RAW, FORBIDDEN).brackets is Brackets.ENCODED
    assert after(READS_RAW, FORBIDDEN, whole) == Writing(Brackets.ENCODED, known=Brackets.ENCODED)
    assert after(READS_RAW, FORBIDDEN, FORBIDDEN).known is None
    assert after(READS_RAW, NO_PASSWORD).known is RAW
    assert after(READS_RAW, *[single] * 3) == Writing(Brackets.ENCODED, known=RAW)
    assert after(READS_RAW, *[BUSY] * 3) == Writing(Brackets.ENCODED, known=RAW)


@pytest.mark.parametrize("settled", [Writing(RAW), ENCODED, writing_of(AUTO, Brackets.ENCODED)])
def test_what_is_settled_stays(settled: Writing) -> None:
    assert after(settled, whole, odd, REFUSED, RESET, BUSY) == settled


def test_what_the_operator_chose_is_not_tried_and_teaches_nothing() -> None:
    assert writing_of(RAW, Brackets.ENCODED) == Writing(RAW)
    assert writing_of(Brackets.ENCODED, RAW) == ENCODED
    assert writing_of(AUTO, Brackets.ENCODED) == Writing(Brackets.ENCODED, known=Brackets.ENCODED)


def test_a_plan_is_for_what_most_servers_read_and_greets_an_unknown_one_carefully() -> None:
    numbers = [str(number) for number in range(600_000_000, 600_003_000)]

    def cut(writing: Writing) -> list[tuple[str, ...]]:
        return [request for _, request in in_requests([("00001", numbers)], RequestShape, writing)]

    first, second, *_ = cut(UNKNOWN)
    assert len(first) == (CAREFUL_LINE - len("DELETE /api/batch/outbounds/00001/records HTTP/1.1")) // 29 == 274
    assert len(second) == 325
    assert [len(request) for request in cut(READS_RAW)[:2]] == [325, 325]
    assert [len(request) for request in cut(ENCODED)[:2]] == [280, 280]
    assert [number for request in cut(UNKNOWN) for number in request] == numbers


def test_of_several_campaigns_only_one_is_greeted() -> None:
    runs = [(campaign, [str(number) for number in range(600_000_000, 600_000_700)]) for campaign in ("00001", "00002")]
    asked = [(campaign, len(request)) for campaign, request in in_requests(runs, RequestShape, UNKNOWN)]
    assert asked == [*[("00001", 274), ("00001", 325)], *[("00002", 325)] * 2, ("00001", 101), ("00002", 50)]


def test_a_line_is_never_limited_so_far_that_no_number_fits() -> None:
    shape = RequestShape("00001")
    assert shape.limited(9000) == shape
    assert shape.limited(1).max_request_line == shape.line_bytes("0" * 16)
