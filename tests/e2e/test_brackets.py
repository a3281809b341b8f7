"""Systems that do not read the raw brackets of a query, each in its own way, on real sockets."""

import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from bulk_remove import Server, Settings, Status, remove_files
from bulk_remove.core.throttle import Breaker, RetryPolicy
from bulk_remove.run import job as carry_out
from bulk_remove.run.finish import Finished
from bulk_remove.sending import pool
from bulk_remove.simulator.api import RawBrackets, Rules
from bulk_remove.simulator.server import Simulator, running
from bulk_remove.simulator.world import ListedCampaign, Record, World

NUMBERS = [str(601_000_000 + 7 * place) for place in range(1200)]
THERE = NUMBERS[::2]
CAREFUL, FULL = 274, 325
TRIED = NUMBERS[CAREFUL : CAREFUL + FULL]
"""The numbers of the first request with raw brackets."""


@pytest.fixture(name="_hasty", autouse=True)
def hasty_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the waits, which the pool's own tests see in virtual time."""
    monkeypatch.setattr(pool, "Breaker", partial(Breaker, probe_first_us=1_000, probe_max_us=1_000))
    monkeypatch.setattr(carry_out, "RetryPolicy", partial(RetryPolicy, backoff_first_s=0.001))


def world() -> World:
    return World([ListedCampaign("00001", [Record(place, number) for place, number in enumerate(THERE)])])


async def removed(folder: Path, server: Simulator, name: str, numbers: list[str] = NUMBERS) -> Finished:
    source = folder / f"{name}.csv"
    source.write_text("\n".join(("telefon", *numbers)), encoding="ascii")
    to = Server(server.url, "demo", "demo-password", folder / "state")
    settings = Settings("00001", max_share=1.0, rate=500.0)
    return await remove_files([str(source)], settings, to, approve=lambda _: True, output=folder / f"{name}-report.csv")


def asked_of(server: Simulator) -> list[tuple[str, ...]]:
    return [entry.asked for entry in server.audit if entry.method == "DELETE"]


def learned_in(folder: Path) -> str | None:
    (host,) = (folder / "state" / "hosts").iterdir()
    learned: str | None = json.loads(host.read_text(encoding="utf-8"))["brackets"]
    return learned


async def test_the_first_run_fills_its_requests_after_two_and_the_second_from_the_start(tmp_path: Path) -> None:
    async with running(world()) as server:
        first = await removed(tmp_path, server, "first")
        assert [len(asked) for asked in asked_of(server)] == [CAREFUL, FULL, FULL, 1200 - CAREFUL - 2 * FULL]
        assert first.by_status == {Status.REMOVED: 600, Status.NOT_EXIST: 600}
        assert learned_in(tmp_path) == "raw"
        second = await removed(tmp_path, server, "second")
        assert second.by_status == {Status.NOT_EXIST: 1200}
        assert [len(asked) for asked in asked_of(server)[4:]] == [FULL, FULL, FULL, 1200 - 3 * FULL]


@pytest.mark.parametrize("raw", [raw for raw in RawBrackets if raw is not RawBrackets.READ])
async def test_a_system_that_does_not_read_raw_brackets_costs_one_request_once_and_no_true_word(
    tmp_path: Path, raw: RawBrackets
) -> None:
    async with running(world(), rules=Rules(raw_brackets=raw)) as server:
        first = await removed(tmp_path, server, "first")
        assert first.exit_code == 0
        assert learned_in(tmp_path) == "encoded"
        requests = len(asked_of(server))
        assert requests <= 1 + -(-1200 // CAREFUL) + 2
        _check_told(tmp_path / "first-report.csv", server, raw)

        second = await removed(tmp_path, server, "second")
        assert second.by_status == {Status.NOT_EXIST: 1200}
        assert second.totals.faults == {}
        assert len(asked_of(server)) - requests == -(-1200 // 280)


def _check_told(report: Path, server: Simulator, raw: RawBrackets) -> None:
    """Hold a report against what the server did: what was not there may be said to be gone only of numbers in doubt."""
    header, *lines = (line.split(",") for line in report.read_text(encoding="utf-8-sig").splitlines())
    number, status = header.index("number"), header.index("status")
    told = {line[number]: line[status] for line in lines}
    gone = Counter(each for entry in server.audit for each in entry.removed)
    assert {*gone.values()} == {1}
    assert {each for each in told if told[each] == "REMOVED"} == {*THERE}
    presumed = {each for each in told if told[each] == "PRESUMED_REMOVED"}
    doubted = {RawBrackets.RESET: TRIED, RawBrackets.UNREAD: TRIED, RawBrackets.LAST: TRIED[:-1]}.get(raw, ())
    assert presumed == {*doubted} - {*THERE} or (raw.isdecimal() and presumed <= {*TRIED})
    acted_for = Counter(each for entry in server.audit if entry.acted for each in entry.asked)
    assert {*acted_for.values()} == {1}


async def test_a_job_of_one_request_takes_one(tmp_path: Path) -> None:
    async with running(world(), rules=Rules(raw_brackets=RawBrackets.RESET)) as server:
        done = await removed(tmp_path, server, "small", NUMBERS[:CAREFUL])
        assert (done.exit_code, done.totals.faults, len(asked_of(server))) == (0, {}, 1)
