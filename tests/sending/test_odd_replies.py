"""What the report must show after each odd reply: the first body is odd, the later ones are as the row says."""

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import AT_LEAST, DOUBT, explain, status_of
from bulk_remove.core.model import Status
from bulk_remove.core.replies import Fault, Reply, read_reply
from bulk_remove.core.summary import Ending
from tests.support.pool_run import FakeServer, Run

A, B = "500000000", "500000001"
GONE = {"http_status": 200, "record_id": 7, "status": "REMOVED"}
GONE_TOO = {"http_status": 200, "record_id": 8, "status": "REMOVED"}
NONE = {"http_status": 404, "status": "NOT_EXIST"}
BUSY = {"http_status": 409, "record_id": 8, "status": "CALL_IN_PROGRESS"}
BOTH_GONE = {A: [GONE], B: [GONE_TOO]}
BOTH_ABSENT = {A: [NONE], B: [NONE]}
SILENT = "did not contain this number"
UNREADABLE = "not the documented JSON"


def body(document: object) -> bytes:
    return orjson.dumps(document)


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        pytest.param(
            body([]),
            body(BOTH_ABSENT),
            [(Status.PRESUMED_REMOVED, 0, "may have removed it")] * 2,
            id="a list for an empty map",
        ),
        pytest.param(
            body([[NONE], [NONE]]), body(BOTH_ABSENT), [(Status.PRESUMED_REMOVED, 0, "")] * 2, id="a list for a map"
        ),
        pytest.param(
            body({"48" + A: [GONE], "+48" + B: [NONE]}),
            b"",
            [(Status.REMOVED, 1, ""), (Status.NOT_EXIST, 0, "")],
            id="keys with a prefix",
        ),
        pytest.param(
            body({A: [GONE]}),
            body({B: [GONE_TOO]}),
            [(Status.REMOVED, 1, ""), (Status.REMOVED, 1, AT_LEAST)],
            id="a number missing once",
        ),
        pytest.param(
            body({A: [GONE]}),
            body({B: [NONE]}),
            [(Status.REMOVED, 1, ""), (Status.PRESUMED_REMOVED, 0, "may have removed it")],
            id="a number missing once, then not there",
        ),
        pytest.param(
            body({A: [GONE]}), body({}), [(Status.REMOVED, 1, ""), (Status.FAILED, 0, SILENT)], id="missing for ever"
        ),
        pytest.param(
            body({**BOTH_GONE, "600000009": [NONE]}), b"", [(Status.REMOVED, 1, "")] * 2, id="a number never sent"
        ),
        pytest.param(
            body({**BOTH_GONE, "600000009": [GONE]}), b"", [(Status.REMOVED, 1, "")] * 2, id="one never sent, removed"
        ),
        pytest.param(
            body({A: [GONE], B[:8]: [GONE_TOO]}),
            body({B: [NONE]}),
            [(Status.REMOVED, 1, ""), (Status.FAILED, 0, "nobody asked for: 50000000 (record 8)")],
            id="a number cut short and removed",
        ),
        pytest.param(
            body({A: {"http_status": 400, "message": "Agent not found."}, B: GONE}),
            b"",
            [(Status.FAILED, 0, "Agent not found."), (Status.REMOVED, 1, "")],
            id="one number refused, the other gone, each without a list",
        ),
        pytest.param(
            body({A: [{"http_status": 500, "message": "Oops"}], B: [GONE]}),
            body({A: [NONE]}),
            [(Status.PRESUMED_REMOVED, 0, ""), (Status.REMOVED, 1, "")],
            id="one number failed over",
        ),
        pytest.param(
            body({A: [{"http_status": 404, "record_id": 7, "status": "REMOVED"}], B: [GONE]}),
            b"",
            [(Status.UNRECOGNISED, 0, '"record_id":7'), (Status.REMOVED, 1, "")],
            id="a contradiction",
        ),
        pytest.param(
            body({A: [GONE], "+48" + A: [GONE_TOO], B: [NONE]}),
            b"",
            [(Status.REMOVED, 2, "more than once"), (Status.NOT_EXIST, 0, "")],
            id="one number under two keys",
        ),
        pytest.param(
            b"Notice: x in /a.php on line 1\n" + body(BOTH_GONE), b"", [(Status.REMOVED, 1, "")] * 2, id="a notice"
        ),
        pytest.param(
            body({A: [{"status": "ARCHIVED"}], B: [GONE]}),
            b"",
            [(Status.UNRECOGNISED, 0, "'ARCHIVED'"), (Status.REMOVED, 1, "")],
            id="an unknown status",
        ),
        pytest.param(
            body({A: [], B: [GONE]}),
            body({A: []}),
            [(Status.FAILED, 0, SILENT), (Status.REMOVED, 1, "")],
            id="no entry",
        ),
        pytest.param(
            body({A: [GONE, BUSY], B: [NONE]}),
            body({A: [GONE_TOO]}),
            [(Status.REMOVED, 2, ""), (Status.NOT_EXIST, 0, "")],
            id="removed and in a call, then removed",
        ),
        pytest.param(
            body({A: [GONE, BUSY], B: [NONE]}),
            body({A: [NONE]}),
            [(Status.REMOVED, 1, ""), (Status.NOT_EXIST, 0, "")],
            id="removed and in a call, then none left",
        ),
        pytest.param(
            body({A: [GONE, {"status": "ODD"}], B: [GONE]}),
            b"",
            [(Status.UNRECOGNISED, 1, "'ODD'"), (Status.REMOVED, 1, "")],
            id="removed and unknown",
        ),
        pytest.param(
            body(BOTH_GONE)[:30], body(BOTH_ABSENT), [(Status.PRESUMED_REMOVED, 0, "")] * 2, id="cut short once"
        ),
        pytest.param(body(BOTH_GONE)[:30], b"{", [(Status.IN_DOUBT, 0, UNREADABLE)] * 2, id="cut short for ever"),
        pytest.param(b"<html>", b"<html>", [(Status.IN_DOUBT, 0, "HTML page")] * 2, id="HTML with 200 for ever"),
        pytest.param(b'"ok"', b"\xff\xfe", [(Status.IN_DOUBT, 0, UNREADABLE)] * 2, id="no object, then no UTF-8"),
        pytest.param(b"", body(BOTH_GONE), [(Status.REMOVED, 1, AT_LEAST)] * 2, id="nothing once"),
        pytest.param(
            b"",
            body({A: [BUSY], B: [NONE]}),
            [(Status.CALL_IN_PROGRESS, 0, DOUBT), (Status.PRESUMED_REMOVED, 0, "may have removed it")],
            id="nothing once, then in a call for ever",
        ),
    ],
)
def test_the_report_shows_no_more_than_an_odd_reply_says(
    tmp_path: Path, first: bytes, later: bytes, expected: list[tuple[Status, int, str]]
) -> None:
    bodies = iter([first])

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return read_reply(next(bodies, later), numbers)

    run = Run(tmp_path, FakeServer(answer), numbers=2)
    told = [(status_of(state.phase), state.removed, explain(state)) for state in run.states]
    for (status, removed, detail), (wanted_status, wanted_removed, words) in zip(told, expected, strict=True):
        assert (status, removed) == (wanted_status, wanted_removed)
        assert words in detail
        assert (AT_LEAST in detail) == (words == AT_LEAST)


def test_numbers_never_sent_are_counted_as_strangers(tmp_path: Path) -> None:
    server = FakeServer(lambda _now, numbers: read_reply(body({**BOTH_GONE, "600000009": [NONE]}), numbers))
    run = Run(tmp_path, server, numbers=2)
    assert (run.snapshot.strangers, run.ending, run.unasked) == (1, Ending.DONE, [])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_removal_that_nobody_asked_for_stops_the_run_at_once_and_is_on_disk(tmp_path: Path, concurrency: int) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        told = {number: [GONE] for number in numbers[:-1]}
        return read_reply(body({**told, numbers[-1][:8]: [GONE_TOO]}), numbers)

    server = FakeServer(answer, latency_s=0.5)
    run = Run(tmp_path, server, numbers=100, concurrency=concurrency)
    assert run.ending is Ending.UNASKED
    assert len(server.asked) <= concurrency
    told = [(each.number, each.record_ids, each.campaign, each.attempt_id) for each in run.unasked]
    assert told[0] == (server.asked[0][-1][:8], (8,), "00001", 1)
    assert len(told) == len(server.asked)
    assert run.states[9].detail == "The reply named a removal that nobody asked for: 50000000 (record 8)."
    assert run.longest_line == run.shape.line_bytes(*server.asked[0][:9])


def test_a_url_that_is_cut_makes_requests_shorter_before_it_does_harm(tmp_path: Path) -> None:
    shape = RequestShape("00001", max_numbers=50)
    limit = shape.line_bytes(*["500000000"] * 20) - 4

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        asked = shape.target(numbers)[: limit - len("DELETE  HTTP/1.1")].split("phone_number%5B%5D=")[1:]
        gone = [number.rstrip("&") for number in asked]
        return read_reply(body({number: [GONE if number in numbers else NONE] for number in gone}), numbers)

    server = FakeServer(answer)
    run = Run(tmp_path, server, numbers=400, per_request=50, concurrency=1)
    assert (run.ending, run.statuses) == (Ending.DONE, {Status.REMOVED: 400})
    assert [len(numbers) for numbers in server.asked if shape.line_bytes(*numbers) > limit] == [50]
    assert run.longest_line is not None
    assert run.longest_line <= limit
