import ast
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bulk_remove.simulator
from bulk_remove.simulator.api import Faults, Rules, SimulatedFault
from bulk_remove.simulator.server import SimulatorOptions, read_audit, running, world_of
from bulk_remove.simulator.world import Habits, ListedCampaign, OnDemandCampaign, Record, World, read_numbers

Ask = Callable[..., Coroutine[Any, Any, Any]]
TARGET = "/api/batch/outbounds/00001/records?phone_number[]=441&phone_number[]=442"
GET_LINE = f"GET /api/outbounds HTTP/1.1\r\nHost: x\r\nAuthorization: {Rules().authorization}\r\n\r\n"

CHILD = """
from pathlib import Path
from bulk_remove.simulator.server import SimulatorOptions, serve
options = SimulatorOptions(port=0, audit_path=Path({audit!r}))
serve(options, lambda ready: print(ready.url, ready.rules.user, ready.rules.password, flush=True))
print("stopped", flush=True)
"""

STRUCK_ELSEWHERE = """
import signal, threading
from bulk_remove.simulator.server import SimulatorOptions, serve
def strike():  # another thread takes the signal: it interrupts nothing that the main thread waits for
    signal.pthread_kill(threading.get_ident(), {number})
serve(SimulatorOptions(port=0), lambda _: threading.Timer(0.1, strike).start())
"""


def world() -> World:
    return World([ListedCampaign("00001", [Record(1, "441"), Record(2, "442", busy_for_s=60.0)])])


async def test_an_audit_file_holds_what_the_memory_would(ask: Ask, tmp_path: Path) -> None:
    script = (SimulatedFault.DROPPED_AFTER, None)
    async with running(world(), Faults(script=script)) as in_memory:
        for _ in script:
            await ask(in_memory, TARGET)
    async with running(world(), Faults(script=script), audit_path=tmp_path / "audit.jsonl") as to_file:
        for _ in script:
            await ask(to_file, TARGET)
        # Read while the server runs: each line is there before its reply.
        entries = list(read_audit(tmp_path / "audit.jsonl"))
        assert to_file.audit == ()
    told = [(entry.fault, entry.removed, entry.in_call, entry.asked, entry.whole) for entry in entries]
    assert told == [(entry.fault, entry.removed, entry.in_call, entry.asked, entry.whole) for entry in in_memory.audit]
    assert told[0] == ("dropped_after", {"441": (1,)}, {"442": (2,)}, ("441", "442"), False)


def test_a_last_line_that_was_not_finished_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    line = b'{"seq":1,"time_s":0.0,"method":"GET","campaign":"","answered":200,"whole":true,'
    line += b'"asked":[],"removed":{},"in_call":{},"through_additional":{}}\n'
    path.write_bytes(line + line[:30])
    assert [entry.seq for entry in read_audit(path)] == [1]


async def test_a_connection_is_closed_after_its_number_of_requests() -> None:
    async with running(world(), rules=Rules(requests_per_connection=3)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        heads = []
        for _ in range(3):
            writer.write(GET_LINE.encode())
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readuntil(b"]")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert [b"Connection: close" in head for head in heads] == [False, False, True]


async def test_a_connection_is_closed_after_a_request_line_that_was_too_long() -> None:
    async with asyncio.timeout(10), running(world(), rules=Rules(max_line_bytes=20)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(GET_LINE.encode())
        assert b" 414 " in await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_an_idle_connection_is_closed() -> None:
    async with asyncio.timeout(10), running(world(), rules=Rules(idle_close_s=0.01)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_the_port_is_free_again_and_the_audit_closed_when_it_stops(tmp_path: Path) -> None:
    async with running(world(), audit_path=tmp_path / "audit.jsonl") as server:
        port = int(server.url.rsplit(":")[-1])
    async with running(world(), port=port) as again:
        assert again.url == server.url


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send a signal to a thread")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_wakes_a_server_that_waits_for_nothing_else(number: signal.Signals) -> None:
    done = subprocess.run([sys.executable, "-c", STRUCK_ELSEWHERE.format(number=int(number))], check=False, timeout=30)
    assert done.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGTERM there without being killed")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_process_serves_until_it_is_told_to_stop(ask: Ask, tmp_path: Path, number: signal.Signals) -> None:
    audit = tmp_path / "audit.jsonl"
    code = CHILD.format(audit=str(audit))
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    async with asyncio.timeout(60):
        url, user, password = (await child.stdout.readline()).decode().split()
        reply = await ask(SimpleNamespace(url=url), TARGET, auth=Rules(user, password).authorization)
        os.kill(child.pid, number)
        rest, _ = await child.communicate()
    assert (reply.status, rest.decode().strip(), child.returncode) == (200, "stopped", 0)
    assert [entry.removed for entry in read_audit(audit)] == [{"441": (1,), "442": (2,)}]


def test_options_without_a_file_make_campaigns_on_demand() -> None:
    made = world_of(SimulatorOptions(campaigns=("00001", "00007"), records_count=500))
    assert [(type(it), it.campaign_id, it.records_count) for it in made.campaigns] == [
        (OnDemandCampaign, "00001", 500),
        (OnDemandCampaign, "00007", 500),
    ]


def test_options_with_a_file_make_campaigns_of_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("name,phone\nA,441\nB,442\n", encoding="utf-8")
    options = SimulatorOptions(numbers_csv=path, csv_column="phone", habits=Habits(duplicate_share=1.0))
    (campaign,) = world_of(options).campaigns
    assert [record.phone_number for record in campaign.page(100, 0)] == ["441", "441", "442", "442"]


@pytest.mark.parametrize(
    ("text", "column", "numbers"),
    [
        ("phone\n441\n442\n", "", ["441", "442"]),
        ("441\n442\n441\n", "", ["441", "442", "441"]),
        ("\ufeffphone;name\n(22) 555-01-01;A\n+48 601 234 555;B\n", "phone", ["225550101", "+48601234555"]),
        ("name\tphone\nA\t441\nshort\n", "phone", ["441"]),
        ("", "", []),
    ],
    ids=["header", "no header", "semicolons and punctuation", "tabs and a short row", "empty"],
)
def test_numbers_are_read_from_a_csv_column(tmp_path: Path, text: str, column: str, numbers: list[str]) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text(text, encoding="utf-8")
    assert list(read_numbers(path, column)) == [(number, ()) for number in numbers]


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("phone\n441\n", encoding="utf-8")
    with pytest.raises(ValueError, match="tel"):
        list(read_numbers(path, "tel"))


def test_the_simulator_shares_no_code_with_what_it_is_a_witness_against() -> None:
    allowed = {*sys.stdlib_module_names, "aiohttp", "orjson"}
    for path in Path(bulk_remove.simulator.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.startswith("bulk_remove.simulator") or name.split(".")[0] in allowed, (path.name, name)
