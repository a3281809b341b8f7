from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import EVER_US, Event
from bulk_remove.core.replies import (
    NOT_SENT,
    WITH_VERDICTS,
    Effect,
    Fault,
    Reply,
    doubt_us,
    fault_of_status,
    read_envelope,
    read_reply,
)
from bulk_remove.core.verdicts import DETAIL_MAX_CHARS, SEVERAL_KEYS, Unasked, Verdict

GONE = {"http_status": 200, "record_id": 5235, "status": "REMOVED"}
GONE_TOO = {"http_status": 200, "record_id": 5226, "status": "REMOVED"}
NONE = {"http_status": 404, "status": "NOT_EXIST"}
BUSY = {"http_status": 409, "record_id": 7, "status": "CALL_IN_PROGRESS"}
ODD = {"http_status": 200, "status": "ARCHIVED"}
ODD_TEXT = orjson.dumps(ODD).decode()
SILENCE = Verdict(Event.PASSED_OVER, 0, (), "The reply did not contain this number.")


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
        pytest.param(
            [{"status": "REMOVED", "record_id": "\x1b[31ma b\nc;" + "d" * 99}],
            Verdict(Event.REMOVED, 1, ("?[31ma?b?c;" + "d" * 53,)),
            id="an id that steers a screen",
        ),
        pytest.param([GONE, GONE], Verdict(Event.REMOVED, 1, (5235,)), id="one record twice"),
        pytest.param(
            [GONE, GONE_TOO, GONE | {"record_id": "5235"}], Verdict(Event.REMOVED, 2, (5235, 5226)), id="as a text, too"
        ),
        pytest.param([{"status": "REMOVED"}] * 2, Verdict(Event.REMOVED, 2), id="two records without an id"),
        pytest.param(
            [{"status": "REMOVED", "record_id": "a\n"}, BUSY],
            Verdict(Event.BUSY, 1, ("a?",)),
            id="an odd id beside a call",
        ),
        pytest.param([{"status": "REMOVED", "record_id": True}], Verdict(Event.REMOVED, 1), id="an id that is none"),
        pytest.param(GONE, Verdict(Event.REMOVED, 1, (5235,)), id="the bare entry"),
        pytest.param({"0": GONE, "1": BUSY}, Verdict(Event.BUSY, 1, (5235,)), id="a list as an object"),
        pytest.param({"a": ODD}, Verdict(Event.UNKNOWN, 0, (), f'The server said: {{"a":{ODD_TEXT}}}'), id="odd entry"),
        pytest.param({"0": "x"}, Verdict(Event.UNKNOWN, 0, (), 'The server said: {"0":"x"}'), id="another odd entry"),
        pytest.param([], SILENCE, id="no entries"),
        pytest.param({}, SILENCE, id="no entry"),
        pytest.param(None, SILENCE, id="nothing"),
        pytest.param("REMOVED", SILENCE, id="no list"),
        pytest.param(
            ["REMOVED"],
            Verdict(Event.UNKNOWN, 0, (), "The server's entry for this number is not an object."),
            id="entry is not an object",
        ),
        pytest.param([{}], Verdict(Event.UNKNOWN, 0, (), "The server said: {}"), id="entry without anything"),
        pytest.param([{"status": ["A"]}], Verdict(Event.UNKNOWN, 0, (), 'The server said: ["A"]'), id="status no text"),
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
    assert reply.strangers == 1


@pytest.mark.parametrize(
    ("http_status", "status", "agree"),
    [
        (200, "REMOVED", True),
        (204, "REMOVED", True),
        (299, "REMOVED", True),
        (199, "REMOVED", False),
        (300, "REMOVED", False),
        ("200", "REMOVED", True),
        (None, "REMOVED", True),
        (404, "REMOVED", False),
        (500, "REMOVED", False),
        (True, "REMOVED", False),
        ("two hundred", "REMOVED", False),
        ([200], "REMOVED", False),
        (404, "NOT_EXIST", True),
        ("404", "NOT_EXIST", True),
        ("410", "NOT_EXIST", True),
        ("405", "NOT_EXIST", False),
        (410, "NOT_EXIST", True),
        (200, "NOT_EXIST", False),
        (409, "CALL_IN_PROGRESS", True),
        (200, "CALL_IN_PROGRESS", True),
        (404, "CALL_IN_PROGRESS", False),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"442": [GONE]}, {"442": [NONE], "443": [GONE], "444": [BUSY]}])
def test_two_statuses_of_an_entry_that_contradict_each_other_are_no_verdict(
    http_status: object, status: str, agree: bool, beside: dict[str, object]
) -> None:
    entry = {"http_status": http_status, "record_id": 5235, "status": status}
    verdict = replied({"441": [entry], **beside}, "441", *beside).verdicts[0]
    assert (verdict.event is Event.UNKNOWN) is not agree
    if not agree:
        assert (verdict.removed, verdict.record_ids) == (0, ())
        assert orjson.dumps(entry).decode() in verdict.detail


@pytest.mark.parametrize(
    ("http_status", "event"),
    [
        *((status, Event.REFUSED) for status in (400, 403, 404, 422, 499)),
        *((status, Event.PASSED_OVER) for status in (408, 425, 429, 500, 503, 599)),
        *((status, Event.UNKNOWN) for status in (200, 302, 399, 600, None, "x")),
    ],
)
def test_an_entry_without_a_status_is_about_its_number_alone(http_status: object, event: Event) -> None:
    reply = replied({"441": {"http_status": http_status, "message": "Agent not found."}, "442": [GONE]}, "441", "442")
    assert [verdict.event for verdict in reply.verdicts] == [event, Event.REMOVED]
    assert "Agent not found." in reply.verdicts[0].detail


def test_a_failure_over_one_number_is_told_with_the_words_about_it_if_there_are_any() -> None:
    for message, said in (("Try later.", " It said: Try later."), (" ", ""), (None, ""), (5, "")):
        (verdict,) = replied({"441": [{"http_status": 503, "message": message}]}, "441").verdicts
        assert verdict.detail == f"The server failed over this number (http_status 503).{said}"


def test_a_refusal_of_one_number_without_words_is_one_too() -> None:
    (verdict,) = replied({"441": [{"http_status": 400}]}, "441").verdicts
    assert verdict == Verdict(Event.REFUSED, detail="The server refused this number (http_status 400).")


def test_a_number_in_the_words_about_one_number_is_masked_and_they_are_kept_short() -> None:
    (verdict,) = replied({"441": [{"http_status": 400, "message": "48601234555 " + "x" * 5000}]}, "441").verdicts
    assert "48*****4555" in verdict.detail
    assert len(verdict.detail) < DETAIL_MAX_CHARS + 100


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        pytest.param(["601234555"], ["49601234555"], id="another country"),
        pytest.param(["601234555"], ["1601234555"], id="one digit more"),
        pytest.param(["601234555"], ["701234555"], id="another digit"),
        pytest.param(["601234555"], ["60123455"], id="one digit less"),
        pytest.param(["441"], ["48441"], id="an internal number with a code in front"),
    ],
)
def test_a_removal_under_a_key_that_is_not_certainly_a_number_asked_for_is_one_that_nobody_asked_for(
    sent: list[str], keys: list[str]
) -> None:
    reply = replied({key: [GONE] for key in keys}, *sent)
    assert {verdict.event for verdict in reply.verdicts} == {Event.PASSED_OVER}
    assert reply.strangers == len(keys)
    assert reply.unasked == tuple(Unasked(key, (5235,)) for key in keys)


def test_a_number_under_several_keys_has_the_records_of_all_of_them() -> None:
    reply = replied({"601234555": [NONE], "48601234555": [GONE], "+48601234555": [GONE, GONE_TOO]}, "601234555")
    assert reply.verdicts == (Verdict(Event.REMOVED, 2, (5235, 5226), SEVERAL_KEYS),)
    assert (reply.strangers, reply.unasked) == (0, ())


def test_a_key_that_may_mean_two_numbers_asked_for_is_given_to_neither_and_stops_nothing() -> None:
    reply = replied({"+48601234555": [GONE]}, "48601234555", "0048601234555")
    assert {verdict.event for verdict in reply.verdicts} == {Event.PASSED_OVER}
    assert (reply.strangers, reply.unasked) == (1, ())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"441":[%b],"441":[%b]}', Verdict(Event.REMOVED, 1, (5235,), SEVERAL_KEYS)),
        (b'{"441":[%b] , "441" : %b}', Verdict(Event.REMOVED, 1, (5235,), SEVERAL_KEYS)),
        (b'{"441":[%b],"+441":[%b]}', Verdict(Event.REMOVED, 1, (5235,), SEVERAL_KEYS)),
    ],
)
def test_a_number_that_stands_twice_in_the_reply_hides_no_removal(body: bytes, expected: Verdict) -> None:
    for entries in ((GONE, NONE), (NONE, GONE)):
        reply = read_reply(body % tuple(map(orjson.dumps, entries)), ["441"])
        assert isinstance(reply, Reply)
        assert reply.verdicts == (expected,)


def test_a_removal_that_nobody_asked_for_is_not_hidden_by_its_key_standing_twice() -> None:
    reply = read_reply(b'{"441":[],"60123455":[%b],"60123455":[]}' % orjson.dumps(GONE), ["441"])
    assert isinstance(reply, Reply)
    assert reply.unasked == (Unasked("60123455", (5235,)),)


@pytest.mark.parametrize(
    "twice", ['"status":"NOT_EXIST","status":"REMOVED"', '"status":"REMOVED","status":"NOT_EXIST"']
)
def test_an_entry_with_two_statuses_is_no_verdict(twice: str) -> None:
    for key, number in (("441", "441"), ("60123455", "441")):
        reply = read_reply(f'{{"{key}":[{{"http_status":200,{twice}}}]}}'.encode(), [number])
        assert isinstance(reply, Reply)
        assert reply.verdicts[0].event is (Event.UNKNOWN if key == number else Event.PASSED_OVER)
        assert bool(reply.unasked) is (key != number)


def test_a_colon_in_the_server_s_words_is_no_key() -> None:
    reply = read_reply(b'{"441":[{"http_status":200,"record_id":"a:b","status":"REMOVED"}]}', ["441"])
    assert isinstance(reply, Reply)
    assert reply.verdicts == (Verdict(Event.REMOVED, 1, ("a:b",)),)


@pytest.mark.parametrize(
    ("entries", "removals"),
    [
        ([GONE, GONE_TOO], (Unasked("60123455", (5235, 5226)),)),
        (GONE, (Unasked("60123455", (5235,)),)),
        ([{"status": "REMOVED"}], (Unasked("60123455", ()),)),
        ([{"status": "REMOVED", "http_status": 404, "record_id": True}], (Unasked("60123455", ()),)),
        ([{"status": "REMOVED", "record_id": "x\n\x1b" + "y" * 100}], (Unasked("60123455", ("x??" + "y" * 37,)),)),
        ([NONE], ()),
        ([BUSY, ODD], ()),
        ([{"status": "NOT_REMOVED"}], ()),
        ([{"status": ["NOT_EXIST"]}], ()),
        (["REMOVED"], (Unasked("60123455", ()),)),
        ("REMOVED", (Unasked("60123455", ()),)),
    ],
)
def test_a_removal_that_nobody_asked_for_is_told_with_its_records(
    entries: object, removals: tuple[Unasked, ...]
) -> None:
    reply = replied({"441": [GONE], "60123455": entries}, "441")
    assert (reply.strangers, reply.unasked) == (1, removals)
    assert reply.verdicts[0].event is Event.REMOVED


@pytest.mark.parametrize(
    ("key", "shown"),
    [("", ""), (" ", " "), ("6012\x1b[2J", "6012?[2J"), ("9" * 100, "9" * 40), ("result", None)],
)
def test_what_a_removal_nobody_asked_for_is_called_controls_no_terminal(key: str, shown: str | None) -> None:
    assert [each.number for each in replied({key: [GONE]}, "441").unasked] == ([] if shown is None else [shown])


def test_a_list_is_an_object_with_the_keys_0_1_2_and_never_joined_by_position() -> None:
    reply = replied([[NONE], GONE], "441", "442")
    assert {verdict.event for verdict in reply.verdicts} == {Event.PASSED_OVER}
    assert (reply.strangers, reply.unasked) == (2, (Unasked("1", (5235,)),))


def test_a_hostile_reply_is_kept_to_a_bound() -> None:
    reply = replied({str(key): [GONE] * 200 for key in range(700_000_000, 700_000_200)}, "441")
    assert (reply.strangers, len(reply.unasked)) == (200, 100)
    assert {len(each.record_ids) for each in reply.unasked} == {100}


@pytest.mark.parametrize(
    ("sent", "keys", "cut_at"),
    [
        pytest.param(["601234555", "601234556"], ["601234555", "60123"], 1, id="in a number"),
        pytest.param(["601234555", "601234556"], ["601234555", ""], 1, id="before a number"),
        pytest.param(["601234555", "+48601234556"], ["601234555", "+4860"], 1, id="in one with a plus"),
        pytest.param(["601234555", "0048601234556"], ["601234555", "48601"], 1, id="in one with zeros"),
        pytest.param(["601234555"], ["60"], 0, id="in the first"),
        pytest.param(["441", "442", "601234555"], ["441", "442", "60"], 2, id="in the third"),
        pytest.param(["601234555", "601234556"], ["601234555", "70"], None, id="another beginning"),
        pytest.param(["601234555", "601234556"], ["601234556", "6012"], None, id="the last one has arrived"),
        pytest.param(["601234555", "601234556"], ["601234555"], None, id="only silence"),
    ],
)
def test_a_url_that_was_cut_is_recognised(sent: list[str], keys: list[str], cut_at: int | None) -> None:
    assert replied({key: [NONE] for key in keys}, *sent).cut_at == cut_at


def test_php_writes_an_empty_object_as_a_list_and_it_means_that_no_number_was_spoken_of() -> None:
    assert replied([], "441").verdicts[0].event is Event.PASSED_OVER


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"441": [{"http_st', id="cut short"),
        pytest.param(b"<html><body>Login</body></html>", id="an HTML page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'"REMOVED"', id="a text"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, id="nested nearly without end"),
        pytest.param(b'{"441": ' + b"9" * 5000 + b"}", id="an endless number"),
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
        *((status, Effect.IN_DOUBT) for status in (201, 202, 204, 206, 408, 500, 502, 504, 520, 599)),
    ],
)
def test_a_status_is_sorted_by_what_is_to_follow(http_status: int, effect: Effect) -> None:
    assert fault_of_status(http_status, b"", None).effect is effect


@pytest.mark.parametrize(
    ("http_status", "doubt"),
    [
        *((status, 700) for status in (301, 302, 307, 400, 401, 403, 404, 405, 409, 422, 425, 429, 444, 499, 503)),
        *((status, EVER_US) for status in (204, 206, 408, 500, 502, 504, 520, 599)),
        *((status, 0) for status in (413, 414, 431)),
        (407, 700),  # a proxy of ours that gives no tunnel lets nothing depart
    ],
)
def test_the_doubt_that_a_status_leaves_is_a_question_of_time_unless_it_says_nothing_or_comes_before_all(
    http_status: int, doubt: int
) -> None:
    fault = fault_of_status(http_status, b"", None)
    assert doubt_us(fault, 700) == doubt
    assert doubt_us(fault, None) == 0


def test_no_answer_leaves_doubt_unless_the_request_never_departed() -> None:
    lost = Fault(Effect.IN_DOUBT, "timeout", "The server did not answer in time.")
    assert (doubt_us(lost, 1), doubt_us(lost, None)) == (EVER_US, 0)


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


@pytest.mark.parametrize("around", [b"%b", b"\xef\xbb\xbf%b", b"Notice: x in /a.php on line 3\n%b"])
def test_the_error_envelope_in_a_success_refuses_the_request(around: bytes) -> None:
    fault = read_reply(around % ENVELOPE, ["441", "442"])
    assert isinstance(fault, Fault)
    assert (fault.effect, fault.may_be_length, fault.too_long) == (Effect.REFUSED, False, False)
    assert fault.detail == (
        "The server refused the request, although it answered HTTP 200. The server said: Wrong format of phone number."
        " (request_id 53678450401cf)"
    )
    assert read_envelope(around % ENVELOPE).request_id == "53678450401cf"


def test_errors_beside_numbers_are_no_envelope() -> None:
    assert replied({"441": [GONE], "errors": []}, "441").verdicts[0].event is Event.REMOVED


@pytest.mark.parametrize(
    ("fault", "may_be"),
    [
        *((fault_of_status(status, b"", None), True) for status in (400, 403, 404, 302, 500, 502)),
        *((fault_of_status(status, b"", None), False) for status in (401, 407, 408)),
        *((fault_of_status(status, ENVELOPE, None), False) for status in (400, 403, 404, 500)),
        (Fault(Effect.IN_DOUBT, "connection lost", ""), True),
        (Fault(Effect.IN_DOUBT, "timeout", ""), False),
        (Fault(Effect.DENIED, "TLS", ""), False),
        (Fault(Effect.DENIED, "proxy", "", 403), False),
    ],
)
def test_a_failure_that_a_limit_on_the_url_may_cause_is_told_from_one_that_it_cannot(
    fault: Fault, may_be: bool
) -> None:
    assert fault.may_be_length is may_be


def test_only_a_request_to_slow_down_counts_as_throttling_and_its_delay_is_kept() -> None:
    asked, failed = fault_of_status(429, b"", 7.0), fault_of_status(500, b"", 7.0)
    assert (asked.throttled, asked.retry_after_s) == (True, 7.0)
    assert (failed.throttled, failed.retry_after_s) == (False, None)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"errors": 5}', b'{"errors": ["x", {}], "request_id": null}']
)
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
    fault = fault_of_status(http_status, b"", None)
    assert fault.too_long is too_long
    assert fault.sentence.startswith("The request is too long for the server") is too_long


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


def test_records_that_are_not_removed_give_no_record_id_whatever_stands_beside_them() -> None:
    absent, busy = NONE | {"record_id": 9}, BUSY
    reply = replied({"441": [GONE], "442": [absent], "443": [busy]}, "441", "442", "443")
    assert reply.verdicts == (Verdict(Event.REMOVED, 1, (5235,)), Verdict(Event.NOT_EXIST), Verdict(Event.BUSY))
    assert replied({"442": [absent]}, "442").verdicts == (Verdict(Event.NOT_EXIST),)


_LEAST_SETTLED_FIRST = [BUSY, ODD, {"http_status": 503}, {"http_status": 400}, GONE, NONE]


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("second", range(6))
def test_of_two_records_the_less_settled_one_decides(first: int, second: int) -> None:
    events = [replied({"441": [entry]}, "441").verdicts[0].event for entry in _LEAST_SETTLED_FIRST]
    both = [_LEAST_SETTLED_FIRST[first], _LEAST_SETTLED_FIRST[second]]
    assert replied({"441": both}, "441").verdicts[0].event is events[min(first, second)]
    assert len({*events}) == len(events)


def test_what_several_records_say_is_said_once_and_kept_short() -> None:
    odd_too = {"status": "PAUSED"}
    (verdict,) = replied({"441": [ODD, odd_too, ODD]}, "441").verdicts
    assert verdict.detail == "The server said: 'ARCHIVED'; The server said: 'PAUSED'"
    (verdict,) = replied({"441": [{"status": "X" * 250}, {"status": "Y" * 250}]}, "441").verdicts
    assert len(verdict.detail) == DETAIL_MAX_CHARS


def test_what_was_said_of_a_number_that_stands_twice_is_kept() -> None:
    (verdict,) = replied({"441": [ODD], "+441": [GONE]}, "441").verdicts
    assert verdict.detail == f"The server said: 'ARCHIVED' {SEVERAL_KEYS}"


def test_a_page_is_told_from_a_reply_that_is_cut_short() -> None:
    for body, problem in ((b" \n<html>", "it is an HTML page"), (b'{"441', "it is cut short or damaged")):
        fault = read_reply(body, ["441"])
        assert isinstance(fault, Fault)
        assert fault.sentence.endswith(f"is not the documented JSON: {problem}.")


def test_a_key_of_blanks_is_one_that_was_cut_before_its_number() -> None:
    assert replied({"601234555": [NONE], " ": [NONE]}, "601234555", "601234556").cut_at == 1


def test_an_envelope_has_all_its_messages_and_a_request_id_that_may_be_a_number() -> None:
    messages = [{"message": "One."}, {"message": "Two."}]
    envelope = read_envelope(orjson.dumps({"errors": messages, "request_id": 7}))
    assert (envelope.message, envelope.request_id) == ("One.; Two.", "7")
    assert len(read_envelope(orjson.dumps({"errors": [{"message": "x " * 100}] * 9})).message) == DETAIL_MAX_CHARS


def test_verdicts_may_come_with_four_of_the_successes_and_no_attempt_slows_nobody_down() -> None:
    assert {200, 201, 203, 207} == WITH_VERDICTS
    assert not NOT_SENT.throttled


def test_a_plain_reply_has_no_stranger_and_strangers_change_no_verdict() -> None:
    assert replied({"441": [GONE]}, "441").strangers == 0
    assert replied({"441": [GONE], "x": [NONE], "y": [NONE]}, "441").verdicts == (Verdict(Event.REMOVED, 1, (5235,)),)


def test_a_key_that_stands_twice_is_noticed_also_where_its_last_value_is_nothing() -> None:
    reply = read_reply(b'{"441":[%b],"441":null}' % orjson.dumps(GONE), ["441"])
    assert isinstance(reply, Reply)
    assert reply.verdicts[0].event is Event.REMOVED


def test_twenty_errors_of_an_envelope_are_read() -> None:
    assert read_envelope(orjson.dumps({"errors": [{"message": "x"}] * 30})).message == "; ".join("x" * 20)


def test_an_entry_in_which_something_else_stands_twice_is_still_a_verdict() -> None:
    reply = read_reply(b'{"441":[{"note":1,"note":2,"http_status":200,"record_id":5235,"status":"REMOVED"}]}', ["441"])
    assert isinstance(reply, Reply)
    assert reply.verdicts == (Verdict(Event.REMOVED, 1, (5235,)),)
