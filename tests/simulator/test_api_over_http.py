from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bulk_remove.simulator.api import Operation, Problem, Rules
from bulk_remove.simulator.server import ServerClock, running
from bulk_remove.simulator.world import Call, Habits, ListedCampaign, OnDemandCampaign, Record, World

Ask = Callable[..., Coroutine[Any, Any, Any]]
RECORDS = "/api/batch/outbounds/00001/records"


def small_world(**settings: Any) -> World:
    records = [Record(5235, "441", **settings), Record(5226, "441"), Record(5300, "443", ("500600700",))]
    return World([ListedCampaign("00001", records, 14.87), ListedCampaign("00002", [], 23)])


def on_demand() -> World:
    return World([OnDemandCampaign("00001", Habits())])


def numbers_query(count: int) -> str:
    return "&".join(f"phone_number%5B%5D={601_000_000 + number}" for number in range(count))


@pytest.mark.parametrize("slash", ["", "/"], ids=["without slash", "with slash"])
@pytest.mark.parametrize("key", ["phone_number[]", "phone_number%5B%5D"])
async def test_the_documented_removal_is_answered_as_documented(ask: Ask, slash: str, key: str) -> None:
    async with running(small_world()) as server:
        reply = await ask(server, f"{RECORDS}{slash}?{key}=441&{key}=442")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json == {
        "441": [
            {"http_status": 200, "record_id": 5235, "status": "REMOVED"},
            {"http_status": 200, "record_id": 5226, "status": "REMOVED"},
        ],
        "442": [{"http_status": 404, "status": "NOT_EXIST"}],
    }


async def test_a_record_in_a_call_is_named_and_goes_once_the_call_is_over(ask: Ask) -> None:
    now_s = [50.0]
    world = small_world(calls=(Call(0.0, 100.0),))
    async with running(world, clock=ServerClock(now=lambda: now_s[0])) as server:
        first = await ask(server, f"{RECORDS}?phone_number[]=441")
        now_s[0] = 100.0
        second = await ask(server, f"{RECORDS}?phone_number[]=441")
    assert first.json["441"] == [
        {"http_status": 200, "record_id": 5226, "status": "REMOVED"},
        {"http_status": 409, "record_id": 5235, "status": "CALL_IN_PROGRESS"},
    ]
    assert second.json["441"] == [{"http_status": 200, "record_id": 5235, "status": "REMOVED"}]


async def test_additional_numbers_are_searched_when_the_flag_says_so(ask: Ask) -> None:
    async with running(small_world()) as server:
        without = await ask(server, f"{RECORDS}?phone_number[]=500600700")
        with_flag = await ask(server, f"{RECORDS}?phone_number[]=500600700&search_in_additional_numbers=true")
    assert without.json["500600700"][0]["status"] == "NOT_EXIST"
    assert with_flag.json["500600700"][0]["record_id"] == 5300


async def test_statistics_are_answered_as_documented(ask: Ask) -> None:
    async with running(small_world()) as server:
        reply = await ask(server, "/api/outbounds/stats", "GET")
    assert reply.json == [
        {"id": "00001", "records_count": 3, "completion_percent": 14.87},
        {"id": "00002", "records_count": 0, "completion_percent": 23},
    ]


async def test_campaigns_are_listed(ask: Ask) -> None:
    async with running(small_world()) as server:
        reply = await ask(server, "/api/outbounds", "GET")
    assert [campaign["id"] for campaign in reply.json] == ["00001", "00002"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", range(1, 101)),
        ("?limit=1000", range(1, 101)),
        ("?limit=7&offset=3", range(4, 11)),
        ("?offset=120", range(121, 131)),
        ("?offset=130", range(0)),
    ],
)
async def test_records_come_in_pages_of_a_hundred_at_most(ask: Ask, query: str, ids: range) -> None:
    world = World([ListedCampaign("00001", [Record(number, str(1000 + number)) for number in range(1, 131)])])
    async with running(world) as server:
        reply = await ask(server, f"/api/outbounds/00001/records{query}", "GET")
    assert reply.json["count"] == 130
    assert [record["record_id"] for record in reply.json["result"]] == list(ids)
    assert all(record.keys() >= {"record_id", "phone_number", "system_status"} for record in reply.json["result"])


BAD_NUMBERS = ["12", "1234567890123456", "44a", "%2B", "+48601234555", "4%204", "", "%D9%A1%D9%A2%D9%A3"]


@pytest.mark.parametrize("bad", BAD_NUMBERS)
async def test_one_malformed_number_fails_the_whole_request_and_nothing_is_removed(ask: Ask, bad: str) -> None:
    async with running(small_world()) as server:
        reply = await ask(server, f"{RECORDS}?phone_number[]=441&phone_number[]={bad}")
        assert not server.audit[0].acted
    assert reply.status == 400
    assert reply.json["errors"] == [{"message": "Wrong format of phone number.", "code": 111111}]


async def test_a_poison_number_fails_the_whole_request_however_well_formed(ask: Ask) -> None:
    async with running(small_world(), rules=Rules(poison=frozenset({"443"}))) as server:
        poisoned = await ask(server, f"{RECORDS}?phone_number[]=441&phone_number[]=443")
        innocent = await ask(server, f"{RECORDS}?phone_number[]=441")
    assert (poisoned.status, innocent.status) == (400, 200)
    assert innocent.json["441"][0]["status"] == "REMOVED"


@pytest.mark.parametrize(
    ("method", "target", "problem"),
    [
        ("DELETE", RECORDS, Problem.NO_NUMBER),
        ("DELETE", f"{RECORDS}?phone_number=441", Problem.NO_NUMBER),
        ("DELETE", "/api/batch/outbounds/99999/records?phone_number[]=441", Problem.NO_SUCH_CAMPAIGN),
        ("DELETE", "/api/batch/outbounds/1/records?phone_number[]=441", Problem.NO_SUCH_CAMPAIGN),
        ("GET", "/api/outbounds/99999/records", Problem.NO_SUCH_CAMPAIGN),
        ("GET", "/api/outbounds/00001/records?limit=ten", Problem.WRONG_PAGE),
        ("POST", RECORDS, Problem.NO_SUCH_METHOD),
    ],
)
async def test_what_cannot_be_done_is_said_in_the_error_envelope(
    ask: Ask, method: str, target: str, problem: Problem
) -> None:
    async with running(small_world()) as server:
        reply = await ask(server, target, method)
        assert server.audit[0].request_id == reply.json["request_id"]
    status, code, message, _ = problem.value
    assert (reply.status, reply.json["errors"]) == (status, [{"message": message, "code": code}])


async def test_errors_are_polish_for_those_who_ask(ask: Ask) -> None:
    async with running(small_world()) as server:
        reply = await ask(server, f"{RECORDS}?phone_number[]=1", language="pl")
    assert reply.json["errors"][0]["message"] == "Niepoprawny format numeru telefonu."


@pytest.mark.parametrize("auth", ["", "Basic wrong", "Bearer token", Rules(password="other").authorization])
async def test_anyone_but_the_user_is_turned_away(ask: Ask, auth: str) -> None:
    async with running(small_world()) as server:
        reply = await ask(server, f"{RECORDS}?phone_number[]=441", auth=auth)
        assert not server.audit[0].acted
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Basic ")


async def test_permission_is_given_for_each_method(ask: Ask) -> None:
    async with running(small_world(), rules=Rules(forbidden=frozenset({Operation.REMOVE_RECORDS}))) as server:
        removal = await ask(server, f"{RECORDS}?phone_number[]=441")
        stats = await ask(server, "/api/outbounds/stats", "GET")
        assert not server.audit[0].acted
    assert (removal.status, stats.status) == (403, 200)


@pytest.mark.parametrize(("spare_bytes", "status"), [(0, 200), (-1, 414)], ids=["fits", "one byte too long"])
@pytest.mark.parametrize("numbers", [1, 200, 5000])
async def test_a_request_line_over_the_limit_is_answered_by_the_proxy(
    ask: Ask, numbers: int, spare_bytes: int, status: int
) -> None:
    target = f"{RECORDS}?{numbers_query(numbers)}"
    limit = len(f"DELETE {target} HTTP/1.1") + spare_bytes
    async with running(on_demand(), rules=Rules(max_line_bytes=limit, max_input_vars=5000)) as server:
        reply = await ask(server, target)
        assert server.audit[0].acted is (status == 200)
    assert reply.status == status
    assert (b"<html>" in reply.body) is (status == 414)


async def test_numbers_beyond_max_input_vars_are_neither_removed_nor_answered(ask: Ask) -> None:
    async with running(on_demand(), rules=Rules(max_line_bytes=100_000)) as server:
        reply = await ask(server, f"{RECORDS}?{numbers_query(1003)}")
        (entry,) = server.audit
    assert (reply.status, len(reply.json)) == (200, 1000)
    assert (len(entry.asked), entry.dropped, len(entry.removed)) == (1000, 3, 1000)
    assert "601001000" not in entry.removed
