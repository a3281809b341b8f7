"""The job from Python, against the simulator in the same loop."""

import ast
import asyncio
import inspect
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, patch

import numpy as np
import pytest

import bulk_remove
from bulk_remove import (
    CampaignLockedError,
    CampaignPlan,
    ExitCode,
    Finished,
    GuardStop,
    InputError,
    Outcome,
    Plan,
    RefusedError,
    Server,
    Settings,
    Snapshot,
    SourcePlan,
    Status,
    UsageError,
    plan_files,
    remove_files,
    remove_numbers,
    rerun,
    resume,
    run_plan,
)
from bulk_remove.reader import open_tables
from bulk_remove.run.again import close_run
from bulk_remove.run.finish import finish
from bulk_remove.settings import SETTINGS as TABLE
from bulk_remove.simulator.api import Faults, Operation, Rules, SimulatedFault
from bulk_remove.simulator.server import running
from bulk_remove.simulator.world import Habits, OnDemandCampaign, World

SETTINGS = Settings("00001", rate=200.0, busy_delay_s=0.2, busy_for_s=20.0, max_numbers_per_request=10)
NUMBERS = [str(500_000_000 + index) for index in range(300)]


def world(**habits: float) -> World:
    return World([OnDemandCampaign("00001", Habits(**habits))])  # type: ignore[arg-type]  # the seed stays an int


def server_at(url: str, folder: Path, password: str = "demo-password") -> Server:
    return Server(url, "demo", password, folder / "state")


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


async def test_a_count_of_records_that_may_be_more_is_marked_as_a_lower_bound(tmp_path: Path) -> None:
    faults = Faults(script=(SimulatedFault.DROPPED_AFTER,))
    async with running(world(busy_share=0.5, busy_for_s=0.5, duplicate_share=0.5), faults) as simulator:
        server = server_at(simulator.url, tmp_path)
        outcomes = [each async for each in remove_numbers(NUMBERS, SETTINGS, server, approve=lambda _: True)]
    removed: Counter[str] = Counter()
    for entry in simulator.audit:
        removed.update({number: len(ids) for number, ids in entry.removed.items()})
    assert {outcome.number for outcome in outcomes if outcome.at_least} == {
        *next(entry.asked for entry in simulator.audit if entry.method == "DELETE")
    }
    for outcome in outcomes:
        assert outcome.at_least or outcome.removed_records == removed[outcome.number]
    assert any(outcome.removed_records < removed[outcome.number] for outcome in outcomes)


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


async def asked_async(plan: Plan) -> bool:
    await asyncio.sleep(0)
    return plan.numbers == 300


class Asking:
    async def __call__(self, plan: Plan) -> bool:
        return await asked_async(plan)


async def not_awaited(plan: Plan) -> Any:
    return asked_async(plan)


def runs_in(folder: Path) -> list[Path]:
    return [*(folder / "state" / "runs").iterdir()]


def handing_on(plan: Plan) -> Any:
    return asked_async(plan)


APPROVING = [lambda plan: plan.numbers == 300, asked_async, partial(asked_async), Asking(), handing_on]


@pytest.mark.parametrize("approve", APPROVING, ids=["plain", "async", "partial", "callable", "handed on"])
async def test_a_function_or_a_coroutine_function_approves_with_true(tmp_path: Path, approve: Any) -> None:
    async with running(world()) as simulator:
        stream = remove_numbers(NUMBERS, SETTINGS, server_at(simulator.url, tmp_path), approve=approve)
        assert len([outcome async for outcome in stream]) == 300


@pytest.mark.parametrize("approve", [lambda plan: plan.numbers < 100, AsyncMock(return_value=False)], ids=["", "async"])
async def test_nothing_is_sent_without_approval(tmp_path: Path, approve: Any) -> None:
    async with running(world()) as simulator:
        server = server_at(simulator.url, tmp_path)
        with pytest.raises(GuardStop, match="not approved"):
            async for _ in remove_numbers(NUMBERS, SETTINGS, server, approve=approve):
                pass
        assert simulator.seen["DELETE"] == 0
    assert runs_in(tmp_path) == []


def answering(answer: Any) -> Callable[[Plan], Any]:
    return lambda _plan: answer


ANSWERS = [1, "yes", None, [True], np.True_, Mock(), MagicMock()]


@pytest.mark.parametrize(
    "approve",
    [*map(answering, ANSWERS), AsyncMock(), AsyncMock(return_value=1), not_awaited],
    ids=["1", "yes", "None", "list", "numpy", "mock", "magic mock", "async mock", "async 1", "not awaited"],
)
async def test_an_answer_that_is_not_a_bool_is_a_type_error_before_anything_is_sent(
    tmp_path: Path, approve: Any
) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    async with running(world()) as simulator:
        server = server_at(simulator.url, tmp_path)
        with pytest.raises(TypeError, match="approve must return True or False, not "):
            await anext(remove_numbers(NUMBERS, SETTINGS, server, approve=approve))
        with pytest.raises(TypeError, match="approve must return True or False, not "):
            await remove_files(source, SETTINGS, server, approve=approve)
        assert simulator.seen["DELETE"] == 0
    assert runs_in(tmp_path) == []


async def test_what_cannot_be_asked_is_a_type_error_before_anything_is_read(tmp_path: Path) -> None:
    wrong: Any = True
    server = Server("http://127.0.0.1:9", "demo", "x", tmp_path / "state")
    with pytest.raises(TypeError, match="approve must be a function"):
        await remove_files("missing.csv", SETTINGS, server, approve=wrong)
    with pytest.raises(TypeError, match="approve must be a function"):
        await anext(remove_numbers(NUMBERS, SETTINGS, server, approve=wrong))
    assert not (tmp_path / "state").exists()


async def test_what_is_not_final_comes_last_and_then_the_servers_refusal_is_raised(tmp_path: Path) -> None:
    outcomes = []
    rules = Rules(forbidden=frozenset({Operation.REMOVE_RECORDS}))
    async with running(world(), rules=rules) as simulator:
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


async def test_a_plan_alone_leaves_nothing_behind_and_needs_no_server(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n601 234 555\n601234555\nbrak\n", encoding="utf-8")
    plan = await plan_files(source, SETTINGS, state_dir=tmp_path / "state")
    assert (plan.numbers, plan.duplicates, plan.invalid, plan.to_send) == (1, 1, 1, 1)
    assert plan.host == ""
    assert (await plan_files([source], SETTINGS, server_at("http://127.0.0.1:9", tmp_path))).host == "127.0.0.1:9"
    assert runs_in(tmp_path) == []


async def test_a_run_is_resumed_and_rerun_from_python(tmp_path: Path) -> None:
    source, report = tmp_path / "numbers.csv", tmp_path / "report.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    once: dict[str, Any] = {"rate": 200.0, "tries": 1, "max_numbers_per_request": 300}
    async with running(world(), Faults(script=(SimulatedFault.ERROR_500_BEFORE,) * 2)) as simulator:
        server = server_at(simulator.url, tmp_path)
        first = await remove_files(
            source, replace(SETTINGS, **once), server, approve=lambda _: True, output=report, also=["html"]
        )
        (run,) = runs_in(tmp_path)
        assert first.by_status[Status.REMOVED] < 300
        assert report.with_suffix(".html").exists()
        left = 300 - first.by_status[Status.REMOVED]
        again = await rerun(
            report, server, approve=lambda plan: plan.to_send == left, changes=once, output=tmp_path / "again.csv"
        )
        assert sum(again.by_status.values()) == 300
        seen: list[int] = []
        done = await resume(
            run.name,
            server,
            approve=lambda plan: plan.numbers == 300,
            changes={"tries": 6},
            on_progress=lambda now: seen.append(now.settled),
        )
        assert (done.exit_code, done.report) == (ExitCode.OK, report)
        assert seen[-1] == 300
        last = await rerun(run.name, server, approve=lambda plan: plan.to_send == 0)
        assert last.exit_code == ExitCode.OK
    assert report.read_text(encoding="utf-8").count("\n") == 301


async def test_what_may_not_be_taken_up_again_sends_nothing(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    async with running(world(), Faults(script=(SimulatedFault.ERROR_500_BEFORE,))) as simulator:
        server = server_at(simulator.url, tmp_path)
        await remove_files(source, replace(SETTINGS, tries=1), server, approve=lambda _: True)
        (run,) = runs_in(tmp_path)
        seen = simulator.seen["DELETE"]
        for changes, told in (
            ({"region": "DE"}, "region is not a setting that can be changed"),
            ({"nonsense": 1}, "nonsense is not a setting that can be changed"),
            ({"rate": 0}, "rate is 0"),
        ):
            with pytest.raises(UsageError, match=told):
                await resume(run.name, server, approve=lambda _: True, changes=changes)
        with pytest.raises(GuardStop):
            await resume(run.name, server, approve=lambda _: False)
        abandoned = replace(server, state_dir=tmp_path / "abandoned")
        shutil.copytree(tmp_path / "state", tmp_path / "abandoned")
        close_run(tmp_path / "abandoned" / "runs" / run.name, 0.0, abandoned=True)
        with pytest.raises(InputError, match="was abandoned"):
            await resume(run.name, abandoned, approve=lambda _: True)
        with pytest.raises(TypeError, match="approve must return"):
            await resume(run.name, server, approve=answering("yes"))
        elsewhere = replace(server, url="http://127.0.0.1:9")
        for again in (resume, rerun):
            with pytest.raises(UsageError, match="was sent to"):
                await again(run.name, elsewhere, approve=lambda _: True)
        assert simulator.seen["DELETE"] == seen
        assert runs_in(tmp_path) == [run]


async def test_progress_is_told_to_the_end_and_where_that_fails_the_run_stops_safely(tmp_path: Path) -> None:
    source, report = tmp_path / "numbers.csv", tmp_path / "report.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    async with running(world()) as simulator:
        seen: list[Snapshot] = []
        server = server_at(simulator.url, tmp_path)
        await remove_files(source, SETTINGS, server, approve=lambda _: True, on_progress=seen.append)
        assert (seen[-1].settled, seen[-1].requests, seen[-1].unsent) == (300, 30, 0)

        def failing(_now: Snapshot) -> None:
            raise KeyError("what the caller did")

        with pytest.raises(KeyError, match="what the caller did"):
            await remove_files(source, SETTINGS, server, approve=lambda _: True, on_progress=failing, output=report)
        with pytest.raises(KeyError, match="what the caller did"):
            async for _ in remove_numbers(NUMBERS, SETTINGS, server, approve=lambda _: True, on_progress=failing):
                pass
    assert report.read_text(encoding="utf-8").count("\n") == 301


async def test_the_event_loop_goes_on_while_files_are_read_and_reports_are_written(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    threads: set[str] = set()

    def noted(work: Callable[..., Any]) -> Callable[..., Any]:
        def working(*values: Any, **named: Any) -> Any:
            where = "the loop" if threading.current_thread() is threading.main_thread() else "a thread"
            threads.add(f"{work.__name__} in {where}")
            return work(*values, **named)

        return working

    with (
        patch("bulk_remove.run.job.open_tables", noted(open_tables)),
        patch("bulk_remove.run.places.finish", noted(finish)),
    ):
        async with running(world()) as simulator:
            await remove_files(source, SETTINGS, server_at(simulator.url, tmp_path), approve=lambda _: True)
    assert threads == {"open_tables in a thread", "finish in a thread"}


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"url": "ftp://x"}, "url is not an http"),
        ({"url": ""}, "url is '', which is empty"),
        ({"url": "http://acme.thulium.com"}, "url is plain http"),
        ({"user": "a:b"}, "user contains a colon"),
        ({"user": 5}, "user is 5, which is not text"),
        ({"password": None}, "password is None, which is not text"),
        ({"password": b"secret"}, "password is bytes, which is not text"),
        ({"state_dir": 7}, "state_dir is 7, which is not text"),
        ({"state_dir": ""}, "state_dir is '', which is empty"),
    ],
)
def test_a_server_that_cannot_be_is_refused_by_the_name_of_the_field(named: dict[str, Any], told: str) -> None:
    given: dict[str, Any] = {"url": "https://acme.thulium.com", "user": "api", "password": "secret", **named}
    with pytest.raises(UsageError, match=told) as caught:
        Server(**given)
    assert "secret" not in repr(caught.value)


def test_a_server_never_shows_its_password() -> None:
    server = Server("https://acme.thulium.com", "api", "hidden")
    assert "hidden" not in f"{server!r} {server}"


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ("601234555", "numbers is a single text"),
        ([601234555], "numbers contains int, not only text"),
        (["601234555", None], "numbers contains NoneType"),
    ],
)
async def test_numbers_that_are_not_texts_are_refused(tmp_path: Path, numbers: Any, told: str) -> None:
    server = Server("http://127.0.0.1:9", "demo", "x", tmp_path / "state")
    with pytest.raises(UsageError, match=told):
        await anext(remove_numbers(numbers, SETTINGS, server, approve=lambda _: True))


async def test_files_and_outputs_that_cannot_be_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n601234555\n", encoding="utf-8")
    server = Server("http://127.0.0.1:9", "demo", "x", tmp_path / "state")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"files": []}, "No file is given"),
        ({"files": [""]}, "files is '', which is empty"),
        ({"files": ""}, "files is '', which is empty"),
        ({"files": source, "output": ""}, "output is '', which is empty"),
        ({"files": [5]}, "files is 5"),
        ({"files": source, "output": source}, "output .* is a file that this run reads"),
        ({"files": source, "output": 5}, "output is 5"),
        ({"files": source, "also": "html"}, "also is 'html', which is not a list"),
        ({"files": source, "also": ["pdf"]}, "also is .*, which is unknown"),
    ]
    for named, told in wrong:
        with pytest.raises(UsageError, match=told):
            await remove_files(settings=SETTINGS, server=server, approve=lambda _: True, **named)
    assert source.read_text(encoding="utf-8") == "telefon\n601234555\n"


def test_all_that_is_public_completes_and_says_what_it_is() -> None:
    assert {*bulk_remove.__all__} <= {*dir(bulk_remove)}
    assert {*bulk_remove._HOME} == {*bulk_remove.__all__} - {"__version__"}
    for name in bulk_remove._HOME:
        assert getattr(bulk_remove, name).__doc__, name


def test_each_setting_says_what_it_is_for() -> None:
    assert all(setting.help for setting in TABLE.values())
    assert {*TABLE} == {*Settings.__dataclass_fields__}


@pytest.mark.parametrize("kind", [Server, Plan, CampaignPlan, SourcePlan, Outcome, Finished, Snapshot])
def test_each_public_field_says_what_it_holds(kind: type) -> None:
    source = inspect.getsource(kind)
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    for field, told in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            below = isinstance(told, ast.Expr) and isinstance(told.value, ast.Constant)
            assert below or "  # " in source.splitlines()[field.lineno - 1], ast.unparse(field)


async def test_a_saved_plan_is_run_once_as_it_was_planned(tmp_path: Path) -> None:
    source, plan = tmp_path / "numbers.csv", tmp_path / "plan.json"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    async with running(world()) as simulator:
        server = server_at(simulator.url, tmp_path)
        await plan_files(source, SETTINGS, server, save=plan)
        assert not [entry for entry in simulator.audit if entry.method == "DELETE"]
        with pytest.raises(GuardStop, match="max_age_s"):
            await run_plan(plan, server, approve=lambda _: True, max_age_s=-1)
        with pytest.raises(GuardStop, match="not approved"):
            await run_plan(plan, server, approve=lambda _: False)
        finished = await run_plan(plan, server, approve=lambda found: found.numbers == len(NUMBERS))
        assert finished.by_status == {Status.REMOVED: len(NUMBERS)}
        with pytest.raises(GuardStop, match="run already"):
            await run_plan(plan, server, approve=lambda _: True)
        elsewhere = Server("http://127.0.0.1:9", "demo", "x", tmp_path / "state-2")
        with pytest.raises(UsageError, match="url is for"):
            await run_plan(plan, elsewhere, approve=lambda _: True)
    with pytest.raises(UsageError, match="without a server"):
        await plan_files(source, SETTINGS, state_dir=tmp_path / "state", save=tmp_path / "other.json")
