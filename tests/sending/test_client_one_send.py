import asyncio

import aiohttp
import pytest

from bulk_remove.core.replies import NOT_SENT, Effect, Reply
from bulk_remove.core.replies import Fault as ReplyFault
from bulk_remove.sending import client as client_module
from bulk_remove.sending.client import Client
from bulk_remove.simulator.api import Faults, Rules, SimulatedFault
from bulk_remove.simulator.server import running
from tests.support.one_removal import CHUNK, SHAPE, connection, world
from tests.support.raw_server import LOOPBACK, After, Answer, answering, closed_port, http

DROPS = pytest.mark.parametrize("drop", [SimulatedFault.DROPPED_BEFORE, SimulatedFault.DROPPED_AFTER])
BREAKS = pytest.mark.parametrize("after", [After.CLOSED, After.RESET])


async def turns() -> None:
    """A few turns of the loop, which is the server's too: enough for both sides to do what they can."""
    for _ in range(50):
        await asyncio.sleep(0)


@DROPS
async def test_a_removal_leaves_once_when_a_kept_connection_is_dropped(drop: SimulatedFault) -> None:
    async with running(world(), Faults(script=(None, drop))) as server, Client(connection(server.url)) as client:
        assert isinstance(await client.delete(CHUNK, SHAPE, 0.0), Reply)
        lost = await client.delete(CHUNK, SHAPE, 0.0)
        assert server.seen["DELETE"] == 2
    assert isinstance(lost, ReplyFault)
    assert (lost.effect, lost.kind) == (Effect.IN_DOUBT, "connection lost")


@DROPS
async def test_aiohttp_by_itself_would_send_the_dropped_removal_twice(drop: SimulatedFault) -> None:
    async with running(world(), Faults(script=(None, drop, drop))) as server, aiohttp.ClientSession() as session:
        url, headers = server.url + SHAPE.target(CHUNK.numbers), {"Authorization": Rules().authorization}
        async with session.delete(url, headers=headers) as response:
            await response.read()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.delete(url, headers=headers)
        assert server.seen["DELETE"] == 3


@BREAKS
async def test_a_removal_leaves_once_on_the_very_connection_that_was_kept(after: After) -> None:
    async with answering(http(), Answer(b"", after), http()) as raw:
        async with Client(connection(f"http://127.0.0.1:{raw.port}")) as client:
            await client.delete(CHUNK, SHAPE, 0.0)
            lost = await client.delete(CHUNK, SHAPE, 0.0)
        assert (len(raw.heads), raw.connections) == (2, 1)
    assert isinstance(lost, ReplyFault)
    assert lost.effect is Effect.IN_DOUBT


@BREAKS
async def test_the_client_goes_on_over_a_new_connection_after_a_broken_one(after: After) -> None:
    async with answering(Answer(b"", after), http()) as raw:
        async with Client(connection(f"http://127.0.0.1:{raw.port}")) as client:
            await client.delete(CHUNK, SHAPE, 0.0)
            again = await client.delete(CHUNK, SHAPE, 0.0)
        assert (len(raw.heads), raw.connections) == (2, 2)
    assert isinstance(again, Reply)


async def test_reading_too_leaves_once() -> None:
    faults = Faults(script=(SimulatedFault.DROPPED_BEFORE, SimulatedFault.DROPPED_BEFORE), reads_too=True)
    async with running(world(), faults) as server, Client(connection(server.url)) as client:
        assert isinstance(await client.get("/api/outbounds/stats", 0.0), ReplyFault)
        assert server.seen["GET"] == 1


@pytest.mark.parametrize(
    ("keepalive_s", "connections"), [(client_module.KEEPALIVE_S, 1), (0.0, 2)], ids=["in time", "idle for too long"]
)
async def test_a_connection_is_used_again_unless_it_was_idle_for_too_long(
    monkeypatch: pytest.MonkeyPatch, keepalive_s: float, connections: int
) -> None:
    monkeypatch.setattr(client_module, "KEEPALIVE_S", keepalive_s)
    async with answering(http()) as raw:
        async with Client(connection(f"http://127.0.0.1:{raw.port}")) as client:
            for _ in range(2):
                assert isinstance(await client.delete(CHUNK, SHAPE, 0.0), Reply)
        assert raw.connections == connections


def test_connections_are_dropped_before_apache_drops_them() -> None:
    assert 0 < client_module.KEEPALIVE_S < 5


async def test_replies_that_close_the_connection_are_read_whole() -> None:
    closing = http(b"{}", "Connection: close")._replace(after=After.CLOSED)
    async with answering(closing) as raw:
        async with Client(connection(f"http://127.0.0.1:{raw.port}")) as client:
            replies = [await client.delete(CHUNK, SHAPE, 0.0) for _ in range(3)]
        assert (len(raw.heads), raw.connections) == (3, 3)
    assert all(isinstance(reply, Reply) for reply in replies)


async def test_there_are_never_more_connections_than_the_concurrency_allows() -> None:
    async with answering(http()) as raw:
        raw.gate.clear()
        async with Client(connection(f"http://127.0.0.1:{raw.port}")) as client:
            under_way = [asyncio.ensure_future(client.delete(CHUNK, SHAPE, 0.0)) for _ in range(8)]
            for _ in range(2):
                await raw.request()
            await turns()
            assert raw.connections == 2
            raw.gate.set()
            replies = await asyncio.gather(*under_way)
        assert (len(raw.heads), raw.most_at_once) == (8, 2)
    assert all(isinstance(reply, Reply) for reply in replies)


async def test_a_request_asks_for_its_departure_when_the_connection_stands_new_or_kept() -> None:
    asked: list[int] = []
    async with running(world()) as server, Client(connection(server.url)) as client:

        async def departure() -> bool:
            asked.append(server.seen["DELETE"])
            return len(asked) < 3

        for _ in range(2):
            assert isinstance(await client.delete(CHUNK, SHAPE, 0.0, departure), Reply)
        assert await client.delete(CHUNK, SHAPE, 0.0, departure) is NOT_SENT
        assert asked == [0, 1, 2]
        assert server.seen["DELETE"] == 2


async def test_a_connection_that_never_stands_asks_for_no_departure() -> None:
    async def departure() -> bool:
        raise AssertionError("nothing could depart")

    async with Client(connection(f"http://127.0.0.1:{closed_port()}")) as client:
        fault = await client.delete(CHUNK, SHAPE, 0.0, departure)
    assert isinstance(fault, ReplyFault)
    assert fault.effect is Effect.UNTOUCHED


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
async def test_a_reply_is_here_when_its_head_is_however_long_its_body_takes(status: str) -> None:
    here = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{".encode())
        await here.wait()  # the body goes on once the client has taken note of the head
        writer.write(b"}")
        writer.close()

    server = await asyncio.start_server(trickle, LOOPBACK, 0)
    async with server, Client(connection(f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}")) as client:
        await asyncio.wait_for(client.delete(CHUNK, SHAPE, 0.0, arrival=here.set), 10.0)
        assert here.is_set()
