"""What the report must show after each odd reply: the first body is odd, the later ones are as the row says."""

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from bulk_remove.core.lifecycle import AT_LEAST, DOUBT, explain, status_of
from bulk_remove.core.model import Status
from bulk_remove.core.replies import Fault, Reply, read_reply
from tests.support.pool_run import FakeServer, Run

A, B = "500000000", "500000001"
GONE = {"http_status": 200, "record_id": 7, "status": "REMOVED"}
GONE_TOO = {"http_status": 200, "record_id": 8, "status": "REMOVED"}
NONE = {"http_status": 404, "status": "NOT_EXIST"}
BUSY = {"http_status": 409, "record_id": 8, "status": "CALL_IN_PROGRESS"}
BOTH_GONE = {A: [GONE], B: [GONE_TOO]}
BOTH_ABSENT = {A: [NONE], B: [NONE]}
SILENT = "did not speak of this number"
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
            body([[GONE], [GONE]]), body(BOTH_ABSENT), [(Status.PRESUMED_REMOVED, 0, "")] * 2, id="a list for a map"
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
            body({**BOTH_GONE, "600000009": [GONE]}), b"", [(Status.REMOVED, 1, "")] * 2, id="a number never sent"
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
    server = FakeServer(lambda _now, numbers: read_reply(body({**BOTH_GONE, "600000009": [GONE]}), numbers))
    assert Run(tmp_path, server, numbers=2).snapshot.strangers == 1
