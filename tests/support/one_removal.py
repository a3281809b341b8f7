"""A small removal, and a client to ask for it."""

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import NEW
from bulk_remove.core.model import Alike, Chunk
from bulk_remove.core.replies import Fault, Reply
from bulk_remove.sending.client import Client, Connection
from bulk_remove.simulator.api import DEMO_PASSWORD, DEMO_USER
from bulk_remove.simulator.world import ListedCampaign, Record, World

CHUNK = Chunk(1, "00001", ("441", "442"), range(2), Alike.of([NEW, NEW]), first=True)
SHAPE = RequestShape("00001")


def world() -> World:
    """Return a system whose campaign holds the chunk's numbers."""
    return World([ListedCampaign("00001", [Record(1, "441"), Record(2, "442")])])


def connection(url: str, *, timeout_s: float = 10.0, connect_timeout_s: float = 10.0, **more: str) -> Connection:
    """Return how the simulator's one user reaches a server: two requests at once."""
    login = {"user": DEMO_USER, "password": DEMO_PASSWORD} | more
    return Connection(url, concurrency=2, connect_timeout_s=connect_timeout_s, timeout_s=timeout_s, **login)


async def removed(url: str, *, timeout_s: float = 10.0, connect_timeout_s: float = 10.0, **more: str) -> Reply | Fault:
    """Ask once, over a connection of its own."""
    async with Client(connection(url, timeout_s=timeout_s, connect_timeout_s=connect_timeout_s, **more)) as client:
        return await client.delete(CHUNK, SHAPE, 0.0)
