"""The job from Python, against the simulator in the same loop."""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

import bulk_remove
from bulk_remove import Address, Login, Server, Settings, Status, remove_files, remove_numbers
from bulk_remove.errors import CampaignLockedError, GuardStop, RefusedError
from bulk_remove.simulator.api import Rules
from bulk_remove.simulator.faults import Faults
from bulk_remove.simulator.habits import Habits
from bulk_remove.simulator.on_demand import OnDemandCampaign
from bulk_remove.simulator.query import Operation
from bulk_remove.simulator.serving import running
from bulk_remove.simulator.world import World

SETTINGS = Settings("00001", rate=200.0, busy_delay_s=0.2, busy_for_s=20.0, max_numbers_per_request=10)
NUMBERS = [str(500_000_000 + index) for index in range(300)]


def world(**habits: float) -> World:
    return World([OnDemandCampaign("00001", Habits(**habits))])  # type: ignore[arg-type]  # the seed stays an int


def server_at(url: str, folder: Path, password: str = "demo-password") -> Server:
    return Server(Address.parse(url), Login("demo", password), folder / "state")


async def test_every_number_streams_out_once_with_what_the_server_did(tmp_path: Path) -> None:
    async with running(world(busy_share=0.1, busy_for_s=0.5, absent_share=0.1)) as simulator:
        outcomes = [
            outcome
            async for outcome in remove_numbers(
                [*NUMBERS, "601 / 602", NUMBERS[0]],
                SETTINGS,
                server_at(simulator.url, tmp_path),
                approve=lambda _: True,
            )
        ]
    removed: Counter[str] = Counter()
    for entry in simulator.audit:
        removed.update({number: len(ids) for number, ids in entry.removed.items()})
    assert Counter(outcome.number for outcome in outcomes) == Counter([*NUMBERS, "601 / 602"])
    for outcome in outcomes:
        expected = Status.REMOVED if removed[outcome.number] else Status.NOT_EXIST
        assert outcome.status is (Status.INVALID if outcome.number == "601 / 602" else expected)
        assert outcome.removed_records == removed[outcome.number]


async def test_outcomes_stream_while_the_run_goes_on(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        first = None
        async for outcome in remove_numbers(
            NUMBERS, SETTINGS, server_at(simulator.url, tmp_path), approve=lambda _: True
        ):
            if first is None:
                first = outcome
                seen_at_first = simulator.seen["DELETE"]
    assert first is not None
    assert seen_at_first < 30


async def test_leaving_the_iteration_stops_the_run_safely(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        stream = remove_numbers(NUMBERS, SETTINGS, server_at(simulator.url, tmp_path), approve=lambda _: True)
        async with aclosing(stream):
            async for _ in stream:
                break
        seen = simulator.seen["DELETE"]
        await asyncio.sleep(0.05)
        assert simulator.seen["DELETE"] == seen < 30


async def test_nothing_is_sent_without_approval(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        server = server_at(simulator.url, tmp_path)
        with pytest.raises(GuardStop):
            async for _ in remove_numbers(NUMBERS, SETTINGS, server, approve=lambda plan: plan.numbers < 100):
                pass
        assert simulator.seen["DELETE"] == 0
    assert list((tmp_path / "state" / "runs").iterdir()) == []


async def test_what_is_not_final_comes_last_and_then_the_servers_refusal_is_raised(tmp_path: Path) -> None:
    outcomes = []
    async with running(world(), rules=Rules(forbidden=frozenset({Operation.REMOVE_RECORDS}))) as simulator:
        server = server_at(simulator.url, tmp_path)
        with pytest.raises(RefusedError):  # noqa: PT012 - the outcomes before the exception are what is tested
            async for outcome in remove_numbers(NUMBERS, SETTINGS, server, approve=lambda _: True):
                outcomes.append(outcome)  # noqa: PERF401 - a comprehension would lose them to the exception
    assert {outcome.status for outcome in outcomes} == {Status.UNSENT}
    assert len(outcomes) == len(NUMBERS)


async def test_who_is_not_let_in_is_told_before_anything_is_planned(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        server = server_at(simulator.url, tmp_path, password="wrong")
        with pytest.raises(RefusedError):
            await anext(remove_numbers(NUMBERS, SETTINGS, server, approve=lambda _: True))
        assert simulator.seen["DELETE"] == 0
    assert list((tmp_path / "state").glob("runs/*")) == []


async def test_the_guards_hold_from_python_too(tmp_path: Path) -> None:
    async with running(world(absent_share=0.5)) as simulator:
        server = server_at(simulator.url, tmp_path)
        for limited in (replace(SETTINGS, max_numbers=299), replace(SETTINGS, max_share=0.0001)):
            with pytest.raises(GuardStop, match="300 numbers"):
                await anext(remove_numbers(NUMBERS, limited, server, approve=lambda _: True))
        assert simulator.seen["DELETE"] == 0
        canary = replace(SETTINGS, canary=True, canary_max_not_exist=0.0)
        outcomes = []
        with pytest.raises(GuardStop, match="Of 10 numbers sent first"):  # noqa: PT012 - as above
            async for outcome in remove_numbers(NUMBERS, canary, server, approve=lambda _: True):
                outcomes.append(outcome)  # noqa: PERF401 - as above
        assert simulator.seen["DELETE"] == 1
    assert sum(outcome.status is Status.UNSENT for outcome in outcomes) == 290


async def test_a_whole_run_from_python_leaves_the_same_report_as_the_command(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    async with running(world(), Faults(dropped_after=0.1, seed=2)) as simulator:
        finished = await remove_files(
            [str(source)],
            SETTINGS,
            server_at(simulator.url, tmp_path),
            approve=lambda plan: plan.numbers == 300,
            output=tmp_path / "report.csv",
        )
    assert finished.exit_code == 0
    assert sum(finished.by_status.values()) == 300
    assert finished.by_status[Status.PRESUMED_REMOVED] > 0
    assert (tmp_path / "report.csv").read_text(encoding="utf-8").count("\n") == 301


async def test_one_campaign_is_held_by_one_run_alone(tmp_path: Path) -> None:
    async with running(world()) as simulator:
        server = server_at(simulator.url, tmp_path)
        stream = remove_numbers(NUMBERS, SETTINGS, server, approve=lambda _: True)
        async with aclosing(stream):
            await anext(stream)
            with pytest.raises(CampaignLockedError):
                await anext(remove_numbers(NUMBERS, SETTINGS, server, approve=lambda _: True))


def test_the_public_names_are_those_documented() -> None:
    assert {"Settings", "Server", "Outcome", "Status", "remove_files", "remove_numbers"} <= set(bulk_remove.__all__)
