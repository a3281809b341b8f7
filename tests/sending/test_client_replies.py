from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from aioresponses import aioresponses

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.replies import Document, Effect, Fault, Quota, Reply
from bulk_remove.core.spelling import region_of
from bulk_remove.sending.client import Client
from tests.support.mocked_replies import add_reply
from tests.support.one_removal import CHUNK, SHAPE, connection
from tests.support.raw_server import LOOPBACK, answering, http

NOW_S = 1_700_000_000.0
ENVELOPE = b'{"request_id":"53678450401cf","errors":[{"message":"Wrong format of phone number.","code":111111}]}'
DOCUMENTED = (
    b'{"441":[{"http_status":200,"record_id":5235,"status":"REMOVED"},'
    b'{"http_status":200,"record_id":5226,"status":"REMOVED"}],"442":[{"http_status":404,"status":"NOT_EXIST"}]}'
)


def date(from_now_s: float) -> str:
    """An HTTP date."""
    return format_datetime(datetime.fromtimestamp(NOW_S + from_now_s, UTC), usegmt=True)


async def deleted(status: int, body: bytes, headers: Mapping[str, str]) -> Reply | Fault:
    with aioresponses() as mock:
        add_reply(mock, "DELETE", status=status, body=body, headers=dict(headers))
        async with Client(connection("https://system.invalid")) as client:
            return await client.delete(CHUNK, SHAPE, NOW_S)


async def got(status: int, body: bytes, headers: Mapping[str, str]) -> Document | Fault:
    with aioresponses() as mock:
        add_reply(mock, "GET", status=status, body=body, headers=dict(headers))
        async with Client(connection("https://system.invalid")) as client:
            return await client.get("/api/outbounds/stats", NOW_S)


@pytest.mark.parametrize(
    ("body", "events", "strangers"),
    [
        (DOCUMENTED, (Event.REMOVED, Event.NOT_EXIST), 0),
        (b'{"442":[{"status":"CALL_IN_PROGRESS"}],"441":[{"status":"MOVED"}]}', (Event.UNKNOWN, Event.BUSY), 0),
        (b'{"441":[{"status":"REMOVED"}],"443":[{"status":"REMOVED"}]}', (Event.REMOVED, Event.PASSED_OVER), 1),
        (b"{}", (Event.PASSED_OVER, Event.PASSED_OVER), 0),
        (b"[]", (Event.PASSED_OVER, Event.PASSED_OVER), 0),
    ],
    ids=["documented", "out of order", "a stranger", "empty", "PHP's empty"],
)
async def test_a_readable_reply_gives_a_verdict_for_each_number(
    body: bytes, events: tuple[Event, ...], strangers: int
) -> None:
    reply = await deleted(200, body, {})
    assert isinstance(reply, Reply)
    assert tuple(verdict.event for verdict in reply.verdicts) == events
    assert reply.strangers == strangers


@pytest.mark.parametrize("status", [201, 203, 207])
async def test_other_successes_may_carry_verdicts_too(status: int) -> None:
    reply = await deleted(status, DOCUMENTED, {})
    assert isinstance(reply, Reply)
    assert reply.verdicts[0].record_ids == (5235, 5226)
    fault = await deleted(status, b"", {})
    assert isinstance(fault, Fault)
    assert (fault.effect, fault.kind, fault.http_status) == (Effect.IN_DOUBT, "unreadable reply", status)


async def test_keys_are_read_by_the_numbering_of_the_region() -> None:
    chunk = replace(CHUNK, numbers=("15123456789",), states=CHUNK.states[:1])
    for region, spelt in ((region_of("DE"), Event.REMOVED), (region_of("PL"), Event.PASSED_OVER)):
        with aioresponses() as mock:
            add_reply(mock, "DELETE", status=200, body=b'{"4915123456789":[{"status":"REMOVED"}]}')
            async with Client(connection("https://system.invalid")) as client:
                reply = await client.delete(chunk, replace(SHAPE, region=region), NOW_S)
        assert isinstance(reply, Reply)
        assert reply.verdicts[0].event is spelt


@pytest.mark.parametrize("body", [b"", b"null", b"<html>", DOCUMENTED[:-1], b'"REMOVED"', b"\xff\xfe"])
async def test_a_200_that_is_not_the_documented_json_leaves_doubt(body: bytes) -> None:
    fault = await deleted(200, body, {})
    assert isinstance(fault, Fault)
    assert (fault.effect, fault.kind, fault.http_status) == (Effect.IN_DOUBT, "unreadable reply", 200)


@pytest.mark.parametrize(
    ("status", "effect", "throttled"),
    [
        (202, Effect.IN_DOUBT, False),
        (204, Effect.IN_DOUBT, False),
        (302, Effect.DENIED, False),
        (400, Effect.REFUSED, False),
        (401, Effect.DENIED, False),
        (403, Effect.DENIED, False),
        (404, Effect.DENIED, False),
        (405, Effect.DENIED, False),
        (407, Effect.DENIED, False),
        (408, Effect.IN_DOUBT, False),
        (413, Effect.REFUSED, False),
        (414, Effect.REFUSED, False),
        (422, Effect.REFUSED, False),
        (425, Effect.UNTOUCHED, True),
        (429, Effect.UNTOUCHED, True),
        (431, Effect.REFUSED, False),
        (500, Effect.IN_DOUBT, False),
        (502, Effect.IN_DOUBT, False),
        (503, Effect.UNTOUCHED, True),
        (504, Effect.IN_DOUBT, False),
    ],
)
@pytest.mark.parametrize(
    ("body", "request_id"), [(ENVELOPE, "53678450401cf"), (b"<html>no</html>", "")], ids=["envelope", "page"]
)
async def test_every_other_status_is_a_fault_with_what_the_server_said(
    status: int, effect: Effect, throttled: bool, body: bytes, request_id: str
) -> None:
    for fault in (await deleted(status, body, {}), await got(status, body, {})):
        assert isinstance(fault, Fault)
        assert (fault.effect, fault.kind, fault.http_status) == (effect, f"HTTP {status}", status)
        assert (fault.throttled, fault.retry_after_s, fault.request_id) == (throttled, None, request_id)
        assert ("Wrong format of phone number." in fault.sentence) is bool(request_id)


@pytest.mark.parametrize(
    ("status", "said", "retry_after_s"),
    [
        (429, "17", 17.0),
        (503, "0", 0.0),
        (503, date(90.0), 90.0),
        (429, date(-90.0), 0.0),
        (503, "999999", 999_999.0),
        (429, date(86_400.0), 86_400.0),
        (503, "2.5", 3.0),
        (429, "soon", None),
        (429, "-5", None),
        (500, "17", None),
        (400, "17", None),
    ],
)
async def test_the_wish_to_wait_is_understood_where_the_server_throttles(
    status: int, said: str, retry_after_s: float | None
) -> None:
    for fault in (await deleted(status, b"", {"Retry-After": said}), await got(status, b"", {"Retry-After": said})):
        assert isinstance(fault, Fault)
        assert fault.retry_after_s == retry_after_s


async def test_of_a_header_that_comes_several_times_all_values_count() -> None:
    reply = http(b"", "Retry-After: 5", "retry-after: 60", "Retry-After: 7", status="429 Slow down")
    async with answering(reply) as server, Client(connection(f"http://{LOOPBACK}:{server.port}")) as client:
        fault = await client.delete(CHUNK, SHAPE, NOW_S)
    assert isinstance(fault, Fault)
    assert fault.retry_after_s == 60.0


async def test_a_date_to_wait_for_is_one_of_the_servers_clock() -> None:
    headers = {"Date": date(-3600.0), "Retry-After": date(-3570.0)}
    for fault in (await deleted(429, b"", headers), await got(503, b"", headers)):
        assert isinstance(fault, Fault)
        assert fault.retry_after_s == 30.0


@pytest.mark.parametrize("status", [200, 400, 429])
async def test_what_the_server_says_of_its_limit_goes_with_every_answer(status: int) -> None:
    headers = {"x-ratelimit-remaining": "7", "x-ratelimit-reset": f"{NOW_S + 30:.0f}"}
    answer = await deleted(status, b"{}", headers)
    assert answer.quota == Quota(7, 30.0)


@pytest.mark.parametrize(
    ("headers", "server_time_s"),
    [({"Date": date(0.0)}, NOW_S), ({}, None), ({"Date": "yesterday"}, None)],
    ids=["dated", "no date", "no such date"],
)
async def test_a_document_carries_the_servers_clock(headers: dict[str, str], server_time_s: float | None) -> None:
    assert await got(200, b'[{"id":"00001"}]', headers) == Document([{"id": "00001"}], server_time_s)


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"", b"[", b"\xff"])
async def test_a_document_that_is_no_json_is_a_fault(body: bytes) -> None:
    fault = await got(200, body, {})
    assert isinstance(fault, Fault)
    assert (fault.effect, fault.kind, fault.http_status) == (Effect.UNTOUCHED, "unreadable reply", 200)
