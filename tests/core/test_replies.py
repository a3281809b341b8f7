from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.replies import (
    DETAIL_MAX_CHARS,
    Effect,
    Fault,
    Reply,
    Verdict,
    fault_of_status,
    read_envelope,
    read_reply,
)

GONE = {"http_status": 200, "record_id": 5235, "status": "REMOVED"}
GONE_TOO = {"http_status": 200, "record_id": 5226, "status": "REMOVED"}
NONE = {"http_status": 404, "status": "NOT_EXIST"}
BUSY = {"http_status": 409, "record_id": 7, "status": "CALL_IN_PROGRESS"}
ODD = {"http_status": 200, "status": "ARCHIVED"}


def replied(document: object, *numbers: str) -> Reply:
    reply = read_reply(orjson.dumps(document), numbers)
    assert isinstance(reply, Reply)
    return reply


def test_the_documented_reply_gives_the_documented_verdicts() -> None:
    reply = replied({"441": [GONE, GONE_TOO], "442": [NONE]}, "441", "442")
    assert reply.verdicts == (Verdict(Event.REMOVED, 2, (5235, 5226)), Verdict(Event.NOT_EXIST))
    assert reply.strangers == 0


def test_verdicts_are_joined_by_number_and_never_by_position() -> None:
    reply = replied({"442": [NONE], "441": [GONE]}, "441", "442")
    assert [verdict.event for verdict in reply.verdicts] == [Event.REMOVED, Event.NOT_EXIST]


@pytest.mark.parametrize(
    ("entries", "verdict"),
    [
        pytest.param([GONE, BUSY], Verdict(Event.BUSY, 1, (5235,)), id="a record in a call governs"),
        pytest.param([NONE, GONE], Verdict(Event.REMOVED, 1, (5235,)), id="a removed one governs one not found"),
        pytest.param(
            [GONE, ODD], Verdict(Event.UNKNOWN, 1, (5235,), "The server said: 'ARCHIVED'"), id="unknown beside"
        ),
        pytest.param([ODD], Verdict(Event.UNKNOWN, 0, (), "The server said: 'ARCHIVED'"), id="unknown alone"),
        pytest.param([{"status": "REMOVED"}], Verdict(Event.REMOVED, 1), id="removed without a record id"),
        pytest.param([{"status": "REMOVED", "record_id": "a1"}], Verdict(Event.REMOVED, 1, ("a1",)), id="text id"),
        pytest.param([{"status": "REMOVED", "record_id": True}], Verdict(Event.REMOVED, 1), id="an id that is none"),
        pytest.param([], Verdict(Event.PASSED_OVER, 0, (), "The reply did not speak of this number."), id="no entries"),
        pytest.param(
            "REMOVED", Verdict(Event.PASSED_OVER, 0, (), "The reply did not speak of this number."), id="no list"
        ),
        pytest.param(
            ["REMOVED"],
            Verdict(Event.UNKNOWN, 0, (), "The server's entry for this number is not an object."),
            id="entry is no object",
        ),
        pytest.param([{}], Verdict(Event.UNKNOWN, 0, (), "The server said: None"), id="entry without a status"),
    ],
)
def test_the_entries_of_a_number_become_one_verdict(entries: object, verdict: Verdict) -> None:
    assert replied({"441": entries}, "441").verdicts == (verdict,)


def test_a_number_missing_in_the_reply_is_noticed() -> None:
    assert [verdict.event for verdict in replied({"441": [GONE]}, "441", "442").verdicts] == [
        Event.REMOVED,
        Event.PASSED_OVER,
    ]


def test_a_number_in_the_reply_that_was_not_asked_for_is_noticed_and_masked() -> None:
    reply = replied({"441": [GONE], "601234555": [GONE]}, "441")
    assert (reply.strangers, reply.stranger_sample) == (1, "60*****55")


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        pytest.param("+48601234555", "48601234555", id="the plus lost"),
        pytest.param("+48601234555", " 48601234555", id="the plus read as a space"),
        pytest.param("0048601234555", "48601234555", id="the zeros lost"),
        pytest.param("48601234555", "601234555", id="the country code lost"),
        pytest.param("601234555", "+48601234555", id="the country code added"),
        pytest.param("0441", "441", id="an internal number's zero lost"),
    ],
)
def test_a_number_that_the_reply_spells_otherwise_is_found_when_it_can_be_no_other(sent: str, key: str) -> None:
    reply = replied({key: [GONE], "777": [NONE]}, sent, "777")
    assert (reply.verdicts[0].event, reply.strangers) == (Event.REMOVED, 0)


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        pytest.param(["48601234555", "49601234555"], ["601234555"], id="two numbers could be meant"),
        pytest.param(["601234555"], ["48601234555", "49601234555"], id="two keys could be meant"),
        pytest.param(["441"], ["48441"], id="too few digits in common"),
        pytest.param(["601234555"], ["601234556"], id="another number"),
    ],
)
def test_a_spelling_that_could_mean_another_number_is_never_guessed(sent: list[str], keys: list[str]) -> None:
    reply = replied({key: [GONE] for key in keys}, *sent)
    assert {verdict.event for verdict in reply.verdicts} == {Event.PASSED_OVER}
    assert reply.strangers == len(keys)


def test_php_writes_an_empty_object_as_a_list_and_it_means_that_no_number_was_spoken_of() -> None:
    assert replied([], "441").verdicts[0].event is Event.PASSED_OVER


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"441": [{"http_st', id="cut short"),
        pytest.param(b"<html><body>Login</body></html>", id="an HTML page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'"REMOVED"', id="a text"),
        pytest.param(b"[[1]]", id="a list"),
        pytest.param(b'{"441": "\xff"}', id="invalid UTF-8"),
        pytest.param(b"[" * 100_000, id="nested without end"),
    ],
)
def test_an_unreadable_reply_leaves_doubt_because_the_server_may_have_acted(body: bytes) -> None:
    fault = read_reply(body, ["441"])
    assert isinstance(fault, Fault)
    assert fault.effect is Effect.IN_DOUBT


def test_the_servers_long_words_are_kept_short() -> None:
    assert len(replied({"441": [{"status": "X" * 5000}]}, "441").verdicts[0].detail) < DETAIL_MAX_CHARS + 50


ENVELOPE = b'{"request_id": "53678450401cf", "errors": [{"message": "Wrong format of phone number.", "code": 111111}]}'


@pytest.mark.parametrize(
    ("http_status", "effect"),
    [
        *((status, Effect.DENIED) for status in (301, 302, 303, 307, 308, 401, 403, 404, 405, 407)),
        *((status, Effect.REFUSED) for status in (400, 409, 413, 414, 422, 431)),
        *((status, Effect.UNTOUCHED) for status in (425, 429, 503)),
        *((status, Effect.IN_DOUBT) for status in (201, 204, 206, 408, 500, 502, 504, 520, 599)),
    ],
)
def test_a_status_is_sorted_by_whether_the_server_could_have_acted(http_status: int, effect: Effect) -> None:
    assert fault_of_status(http_status, b"", None).effect is effect


@pytest.mark.parametrize(
    ("below", "from_here"), [(299, 300), (399, 400), (499, 500)], ids=["redirects", "refusals", "failures"]
)
def test_each_hundred_of_statuses_is_told_from_the_one_below(below: int, from_here: int) -> None:
    told = {
        status: fault_of_status(status, b"", None).sentence.replace(str(status), "")
        for status in (below - 1, below, from_here, from_here + 10)
    }
    assert told[below] == told[below - 1] != told[from_here] == told[from_here + 10]


@pytest.mark.parametrize("http_status", sorted(set(range(100, 600)) - {200}))
def test_every_status_becomes_a_fault_with_a_sentence(http_status: int) -> None:
    fault = fault_of_status(http_status, b"<html>", None)
    assert str(http_status) in fault.sentence
    assert fault.kind == f"HTTP {http_status}"


def test_the_error_envelope_reaches_the_detail_with_its_request_id() -> None:
    assert fault_of_status(400, ENVELOPE, None).detail == (
        "The server refused the request (HTTP 400). The server said: Wrong format of phone number."
        " (request_id 53678450401cf)"
    )


def test_only_a_request_to_slow_down_counts_as_throttling_and_its_delay_is_kept() -> None:
    asked, failed = fault_of_status(429, b"", 7.0), fault_of_status(500, b"", 7.0)
    assert (asked.throttled, asked.retry_after_s) == (True, 7.0)
    assert (failed.throttled, failed.retry_after_s) == (False, None)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"errors": 5}', b'{"errors": ["x", {}]}'])
def test_what_is_no_envelope_is_no_envelope(body: bytes) -> None:
    assert read_envelope(body).request_id == ""
    assert read_envelope(body).message == ""


def test_a_phone_number_in_the_servers_words_is_masked() -> None:
    body = b'{"errors": [{"message": "Wrong: 48601234555"}]}'
    assert read_envelope(body).message == "Wrong: 48*****4555"


@pytest.mark.parametrize(
    ("http_status", "too_long"), [(413, True), (414, True), (431, True), (400, False), (429, False)]
)
def test_a_request_that_is_too_long_is_told_from_one_that_is_wrong(http_status: int, too_long: bool) -> None:
    assert fault_of_status(http_status, b"", None).too_long is too_long


entries = st.lists(
    st.one_of(
        st.just([GONE]),
        st.builds(lambda record_id: [{"status": "REMOVED", "record_id": record_id}], st.integers(0, 9) | st.text()),
        st.sampled_from(
            [
                [],
                None,
                "REMOVED",
                {"status": "REMOVED"},
                [None],
                ["status"],
                [{}],
                [{"status": "REMOVED"}],
                [{"status": "REMOVED", "record_id": True}],
                [{"status": "REMOVED", "record_id": None}],
                [{"status": "REMOVED", "record_id": 1.5}],
                [{"status": "NOT_EXIST", "record_id": 5}],
                [{"status": "CALL_IN_PROGRESS"}],
                [{"status": ["REMOVED"]}],
                [{"status": None}],
                [{"status": "GONE"}],
                [{"status": "REMOVED", "record_id": 1}, {"status": "CALL_IN_PROGRESS"}],
            ]
        ),
    ),
    max_size=6,
)


@given(entries)
def test_a_verdict_does_not_depend_on_what_else_the_reply_says(found: list[Any]) -> None:
    numbers = [f"44{index}" for index in range(len(found))]
    together = replied(dict(zip(numbers, found, strict=True)), *numbers).verdicts
    alone = [replied({"441": of_one}, "441").verdicts[0] for of_one in found]
    assert together == alone
