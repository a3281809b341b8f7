import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import pytest

from bulk_remove.simulator.api import RATED, Faults, LongLine, RetryAfter, Rules, SimulatedFault
from bulk_remove.simulator.server import ServerClock, running
from bulk_remove.simulator.world import ListedCampaign, Record, World

Ask = Callable[..., Coroutine[Any, Any, Any]]
RECORDS = "/api/batch/outbounds/00001/records"
NUMBERS = tuple(str(number) for number in range(500, 530))
TARGET = f"{RECORDS}?" + "&".join(f"phone_number[]={number}" for number in NUMBERS)
REMOVED = (200, "REMOVED")
SILENT = {
    SimulatedFault.DROPPED_BEFORE,
    SimulatedFault.DROPPED_AFTER,
    SimulatedFault.STALLED_AFTER,
    SimulatedFault.GARBAGE_WIRE,
}


def campaign() -> ListedCampaign:
    return ListedCampaign("00001", [Record(int(number), number) for number in NUMBERS])


async def at_once(_delay_s: float) -> None:
    """A sleep that takes no time."""


async def turns() -> None:
    """A few turns of the loop, which is the server's too: enough for it to see what was done to its sockets."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("fault", SimulatedFault)
async def test_the_audit_tells_what_was_removed_whatever_the_client_saw(ask: Ask, fault: SimulatedFault) -> None:
    held = campaign()
    faults = Faults(script=(fault,))
    async with running(World([held]), faults, clock=ServerClock(sleep=at_once)) as server:
        reply = await ask(server, TARGET)
        (entry,) = server.audit
    acted_on = () if fault.before_the_act else NUMBERS[:15] if fault is SimulatedFault.REFUSED_MIDWAY else NUMBERS
    gone = {number: (int(number),) for number in acted_on}
    assert entry.fault == fault.value
    assert entry.acted is not fault.before_the_act
    assert entry.removed == gone
    assert len(held.records) == len(NUMBERS) - len(gone)
    assert (entry.answered, entry.whole) == (reply.status, reply.whole)


@pytest.mark.parametrize("fault", RATED)
async def test_a_rate_of_one_befalls_a_removal_over_the_wire(ask: Ask, fault: SimulatedFault) -> None:
    faults = Faults(**{fault.value: 1.0})  # type: ignore[arg-type]  # a rate goes by its fault's name
    async with running(World([campaign()]), faults, clock=ServerClock(sleep=at_once)) as server:
        await ask(server, TARGET)
        read = await ask(server, "/api/outbounds/stats", "GET")
        assert [entry.fault for entry in server.audit] == [fault.value, ""]
    assert read.status == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (SimulatedFault.UNAVAILABLE, 503),
        (SimulatedFault.REFUSED_BEFORE, 503),
        (SimulatedFault.REFUSED_AFTER, 503),
        (SimulatedFault.REFUSED_MIDWAY, 503),
        (SimulatedFault.ERROR_500_BEFORE, 500),
        (SimulatedFault.ERROR_502_BEFORE, 502),
        (SimulatedFault.ERROR_504_BEFORE, 504),
        (SimulatedFault.ERROR_500_AFTER, 500),
        (SimulatedFault.ERROR_502_AFTER, 502),
        (SimulatedFault.ERROR_504_AFTER, 504),
        (SimulatedFault.HTML_BEFORE, 200),
        (SimulatedFault.HTML_AFTER, 200),
    ],
)
async def test_a_proxy_answers_with_its_status_and_a_page(ask: Ask, fault: SimulatedFault, status: int) -> None:
    async with running(World([campaign()]), Faults(script=(fault,))) as server:
        reply = await ask(server, TARGET)
    assert (reply.status, reply.headers["content-type"]) == (status, "text/html")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(reply.body)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 422, 425, 429, 503])
@pytest.mark.parametrize(
    "fault", [SimulatedFault.REFUSED_BEFORE, SimulatedFault.REFUSED_AFTER, SimulatedFault.REFUSED_MIDWAY]
)
async def test_a_refusal_has_the_status_that_is_wanted_at_once_or_late(
    ask: Ask, fault: SimulatedFault, status: int
) -> None:
    waits: list[float] = []

    async def wait(delay_s: float) -> None:
        waits.append(delay_s)

    faults = Faults(script=(fault,), refused_status=status, latency_s=0.25, refused_late_s=3.0)
    async with running(World([campaign()]), faults, clock=ServerClock(sleep=wait)) as server:
        assert (await ask(server, TARGET)).status == status
    assert waits == ([] if fault.before_the_act else [0.25, 3.0])


@pytest.mark.parametrize("fault", sorted(SILENT - {SimulatedFault.GARBAGE_WIRE}))
async def test_a_dropped_connection_gives_not_a_byte(ask: Ask, fault: SimulatedFault) -> None:
    async with running(World([campaign()]), Faults(script=(fault,)), clock=ServerClock(sleep=at_once)) as server:
        assert (await ask(server, TARGET)).wire == b""


async def test_garbage_on_the_wire_is_not_http(ask: Ask) -> None:
    async with running(World([campaign()]), Faults(script=(SimulatedFault.GARBAGE_WIRE,))) as server:
        reply = await ask(server, TARGET)
    assert reply.wire
    assert not reply.wire.startswith(b"HTTP/")


async def test_a_garbage_body_claims_to_be_json_and_is_none(ask: Ask) -> None:
    async with running(World([campaign()]), Faults(script=(SimulatedFault.GARBAGE_BODY,))) as server:
        reply = await ask(server, TARGET)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(reply.body)


async def test_a_reply_cut_short_promises_more_than_it_sends(ask: Ask) -> None:
    async with running(World([campaign()]), Faults(script=(SimulatedFault.CUT_SHORT,))) as server:
        reply = await ask(server, TARGET)
    assert reply.status == 200
    assert 0 < len(reply.body) < int(reply.headers["content-length"])


async def test_missing_unknown_and_extra_numbers_are_a_few_of_many(ask: Ask) -> None:
    script = (SimulatedFault.MISSING_NUMBERS, SimulatedFault.UNKNOWN_STATUS, SimulatedFault.EXTRA_NUMBERS)
    async with running(World([campaign()]), Faults(script=script)) as server:
        missing, unknown, extra = [(await ask(server, TARGET)).json for _ in script]
    assert missing.keys() < set(NUMBERS)
    assert len(missing) >= len(NUMBERS) - 3
    assert unknown.keys() == set(NUMBERS)
    assert 1 <= sum(entries[0]["status"] == "QUEUED" for entries in unknown.values()) <= 3
    assert extra.keys() > set(NUMBERS)
    strangers = extra.keys() - set(NUMBERS)
    assert all(extra[number][0]["status"] == "NOT_EXIST" for number in strangers)


@pytest.mark.parametrize(
    ("fault", "status"),
    [(SimulatedFault.STRAY_401, 401), (SimulatedFault.STRAY_403, 403), (SimulatedFault.STRAY_404, 404)],
)
async def test_a_stray_denial_is_a_page_and_the_next_request_goes_through(
    ask: Ask, fault: SimulatedFault, status: int
) -> None:
    async with running(World([campaign()]), Faults(script=(fault,))) as server:
        denied, answered = await ask(server, TARGET), await ask(server, TARGET)
    assert (denied.status, denied.headers["content-type"], answered.status) == (status, "text/html", 200)


async def test_a_refusal_may_come_with_status_200(ask: Ask) -> None:
    async with running(World([campaign()]), Faults(script=(SimulatedFault.ERRORS_IN_200,))) as server:
        reply = await ask(server, TARGET)
    assert (reply.status, [*reply.json]) == (200, ["request_id", "errors"])


async def test_the_same_verdicts_come_in_all_the_forms_that_php_gives_them(ask: Ask) -> None:
    forms = (
        SimulatedFault.BYTE_ORDER_MARK,
        SimulatedFault.NOTICES,
        SimulatedFault.BARE_OBJECTS,
        SimulatedFault.REPEATED_KEYS,
    )
    bodies = {}
    for fault in forms:
        async with running(World([campaign()]), Faults(script=(fault,))) as server:
            bodies[fault] = (await ask(server, TARGET)).body
    plain = {number: [{"http_status": 200, "record_id": int(number), "status": "REMOVED"}] for number in NUMBERS}
    assert bodies[SimulatedFault.BYTE_ORDER_MARK] == b"\xef\xbb\xbf" + orjson.dumps(plain)
    before, json, after = bodies[SimulatedFault.NOTICES].partition(orjson.dumps(plain))
    assert json
    assert before == after
    assert b"on line <b>12</b>" in before
    assert orjson.loads(bodies[SimulatedFault.BARE_OBJECTS]) == {
        number: entries[0] for number, entries in plain.items()
    }
    repeated = bodies[SimulatedFault.REPEATED_KEYS]
    assert repeated.startswith(orjson.dumps(plain)[:-1])
    hidden = [entries for entries in orjson.loads(repeated).values() if entries[0]["status"] == "NOT_EXIST"]
    assert 1 <= len(hidden) <= 3


async def test_some_numbers_have_no_status_or_one_that_is_denied(ask: Ask) -> None:
    absent = TARGET.replace("phone_number[]=5", "phone_number[]=6")
    async with running(
        World([campaign()]), Faults(script=(SimulatedFault.WITHOUT_STATUS, SimulatedFault.CONTRADICTIONS))
    ) as server:
        refused, denied = (await ask(server, absent)).json, (await ask(server, TARGET)).json
    assert 1 <= sum("status" not in entries[0] for entries in refused.values()) <= 3
    odd = [entries[0] for entries in denied.values() if (entries[0]["http_status"], entries[0]["status"]) != REMOVED]
    assert 1 <= len(odd) <= 3
    assert {(entry["http_status"], entry["status"]) for entry in odd} == {(404, "REMOVED")}


async def test_keys_are_respelt_rightly_or_wrongly(ask: Ask) -> None:
    numbers = [f"{number}000000" for number in NUMBERS]
    target = f"{RECORDS}?" + "&".join(f"phone_number[]={number}" for number in numbers)
    async with running(
        World([campaign()]), Faults(script=(SimulatedFault.RESPELT_KEYS, SimulatedFault.FOREIGN_KEYS))
    ) as server:
        rightly, wrongly = (await ask(server, target)).json, (await ask(server, target)).json
    assert {key.lstrip("+0") for key in rightly} == {f"48{number}" for number in numbers}
    assert {key[:-9] for key in rightly} == {"48", "+48", "0048"}
    assert 1 <= sum(key.startswith("49") for key in wrongly) <= 3


@pytest.mark.parametrize("long_line", LongLine)
async def test_a_line_that_is_too_long_fares_as_the_proxy_likes(ask: Ask, long_line: LongLine) -> None:
    held = ListedCampaign("00001", [Record(1, "5001"), Record(2, "500")])
    fits = f"{RECORDS}?phone_number[]=501"
    rules = Rules(max_line_bytes=len(f"DELETE {fits}&phone_number[]=500 HTTP/1.1"), long_line=long_line)
    async with running(World([held]), rules=rules) as server:
        reply = await ask(server, f"{fits}&phone_number[]=5001&phone_number[]=502")
        assert (await ask(server, fits)).status == 200
    if long_line is LongLine.CUT:
        assert {number: entries[0]["status"] for number, entries in reply.json.items()} == {
            "501": "NOT_EXIST",
            "500": "REMOVED",
        }
        assert [record.record_id for record in held.records] == [1]
    else:
        assert reply.status == (0 if long_line is LongLine.RESET else int(long_line))
        assert held.records_count == 2


async def test_the_last_number_missing_leaves_phps_empty_list(ask: Ask) -> None:
    async with running(World([campaign()]), Faults(script=(SimulatedFault.MISSING_NUMBERS,))) as server:
        reply = await ask(server, f"{RECORDS}?phone_number[]=500")
    assert reply.body == b"[]"


async def test_a_fault_of_the_reply_does_not_befall_an_error(ask: Ask) -> None:
    async with running(World([campaign()]), Faults(script=(SimulatedFault.MISSING_NUMBERS,))) as server:
        reply = await ask(server, RECORDS)
        assert [(entry.fault, entry.answered) for entry in server.audit] == [("", 400)]
    assert reply.status == 400


async def test_a_redirect_leads_to_a_login_page_that_looks_like_success(ask: Ask) -> None:
    faults = Faults(script=(SimulatedFault.REDIRECTED,), redirect_status=303)
    async with running(World([campaign()]), faults) as server:
        redirect = await ask(server, TARGET)
        page = await ask(server, redirect.headers["location"], "GET", auth="")
    assert (redirect.status, page.status) == (303, 200)
    assert b"Log in" in page.body


async def test_the_rate_limit_admits_its_rate_and_nothing_is_removed_beyond_it(ask: Ask) -> None:
    now_s = [1000.0]
    faults = Faults(rate_limit_per_s=2.0)
    async with running(World([campaign()]), faults, clock=ServerClock(now=lambda: now_s[0])) as server:
        statuses = [(await ask(server, "/api/outbounds/stats", "GET")).status for _ in range(2)]
        refused = await ask(server, TARGET)
        now_s[0] += 0.5
        admitted = await ask(server, TARGET)
        assert [entry.fault for entry in server.audit] == ["", "", "rate_limited", ""]
        assert not server.audit[2].acted
    assert [*statuses, refused.status, admitted.status] == [200, 200, 429, 200]


@pytest.mark.parametrize("fault", [SimulatedFault.RATE_LIMITED, SimulatedFault.UNAVAILABLE])
@pytest.mark.parametrize("form", RetryAfter)
async def test_retry_after_comes_in_the_form_that_was_asked_for(
    ask: Ask, fault: SimulatedFault, form: RetryAfter
) -> None:
    faults = Faults(script=(fault,), retry_after=form, retry_after_s=30)
    async with running(World([campaign()]), faults, clock=ServerClock(now=lambda: 1_800_000_000.5)) as server:
        header = (await ask(server, TARGET)).headers.get("retry-after")
    if form is RetryAfter.DATE:
        assert header is not None
        assert parsedate_to_datetime(header) == datetime.fromtimestamp(1_800_000_031, UTC)
    else:
        assert header == {RetryAfter.NONE: None, RetryAfter.SECONDS: "30"}[form]


async def test_the_delay_passes_before_the_act(ask: Ask) -> None:
    now_s = [0.0]
    slept_s: list[float] = []

    async def sleep(delay_s: float) -> None:
        slept_s.append(delay_s)
        now_s[0] += delay_s

    faults = Faults(latency_s=2.0, jitter_s=1.0)
    async with running(World([campaign()]), faults, clock=ServerClock(lambda: now_s[0], sleep)) as server:
        await ask(server, TARGET)
        assert [entry.time_s for entry in server.audit] == slept_s
    assert 2.0 <= slept_s[0] <= 3.0


class Gate:
    """A sleep that lasts until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def sleep(self, _delay_s: float) -> None:
        self.reached.set()
        await self.opened.wait()


async def give_up_waiting(url: str, gate: Gate) -> None:
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"DELETE {TARGET} HTTP/1.1\r\nHost: x\r\nAuthorization: {Rules().authorization}\r\n\r\n".encode())
    await gate.reached.wait()
    writer.close()
    await writer.wait_closed()
    await turns()


async def test_a_client_that_gave_up_while_waiting_is_known_to_have_got_nothing() -> None:
    gate = Gate()
    clock = ServerClock(sleep=gate.sleep)
    async with asyncio.timeout(10), running(World([campaign()]), Faults(latency_s=1.0), clock=clock) as server:
        await give_up_waiting(server.url, gate)
        gate.opened.set()
        await turns()
        (entry,) = server.audit
    assert (entry.acted, entry.whole, len(entry.removed)) == (True, False, len(NUMBERS))


async def test_nothing_is_done_any_more_once_the_server_has_stopped() -> None:
    gate, held = Gate(), campaign()
    clock = ServerClock(sleep=gate.sleep)
    async with asyncio.timeout(10), running(World([held]), Faults(latency_s=1.0), clock=clock) as server:
        await give_up_waiting(server.url, gate)
    gate.opened.set()
    await turns()
    assert (held.records_count, server.audit) == (len(NUMBERS), ())


async def test_the_audit_is_there_before_the_client_knows_anything(ask: Ask) -> None:
    gate, faults = Gate(), Faults(script=(SimulatedFault.STALLED_AFTER,))
    clock = ServerClock(sleep=gate.sleep)
    async with asyncio.timeout(10), running(World([campaign()]), faults, clock=clock) as server:
        asking = asyncio.create_task(ask(server, TARGET))
        await gate.reached.wait()
        assert [len(entry.removed) for entry in server.audit] == [len(NUMBERS)]
        gate.opened.set()
        assert (await asking).wire == b""


async def test_every_request_that_came_in_is_counted_whatever_became_of_it(ask: Ask) -> None:
    script = (SimulatedFault.DROPPED_BEFORE, SimulatedFault.DROPPED_AFTER, SimulatedFault.GARBAGE_WIRE, None)
    async with running(World([campaign()]), Faults(script=script), Rules(max_line_bytes=2000)) as server:
        for _ in script:
            await ask(server, TARGET)
        await ask(server, TARGET, auth="")
        await ask(server, TARGET + "&x=" + 2000 * "y")
        await ask(server, "/api/outbounds", "GET")
        assert server.seen == {"DELETE": 6, "GET": 1}
        assert [entry.seq for entry in server.audit] == [1, 2, 3, 4, 5, 6, 7]


async def test_faults_can_be_changed_while_it_runs(ask: Ask) -> None:
    async with running(World([campaign()])) as server:
        before = await ask(server, TARGET)
        server.faults = Faults(unavailable=1.0)
        after = await ask(server, TARGET)
    assert (before.status, after.status) == (200, 503)


async def test_a_seed_decides_which_requests_go_wrong_and_how(ask: Ask) -> None:
    async def run(seed: int) -> list[tuple[str, bytes]]:
        faults = Faults(missing_numbers=0.3, extra_numbers=0.3, dropped_after=0.2, seed=seed)
        async with running(World([campaign()]), faults) as server:
            bodies = [(await ask(server, TARGET)).body for _ in range(12)]
            return [(entry.fault, body) for entry, body in zip(server.audit, bodies, strict=True)]

    assert await run(1) == await run(1)
    assert await run(1) != await run(2)
