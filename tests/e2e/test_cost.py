"""The job stays cheap, by counts that do not depend on the machine; nothing here looks at a clock.

A bound leaves room for another version of Python or of a library, but for no further call, statement or text a number.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from bulk_remove.core import chunker, replies, verdicts
from bulk_remove.core.chunker import RequestShape, Writing
from bulk_remove.core.model import Alike, Chunk, NumberedBlock, OutcomeBlock
from bulk_remove.core.verdicts import Plain
from bulk_remove.ledger import Sending
from bulk_remove.ledger import store as packing
from bulk_remove.ledger import write as planning
from bulk_remove.report import csv as reporter
from bulk_remove.run import finish as counting
from bulk_remove.run import prepare
from bulk_remove.sending.books import Bookkeeper, Feeder
from tests.benchmarks.rivals import fewest_requests
from tests.support.counted_costs import NUMBERS, Counted, calls, ledger, memory, warm_up
from tests.support.processes import altered, removal, simulator

# What was counted when the bound was set stands beside it.
BOUNDS = {
    "calls a thousand numbers, planning": 480,  # 339
    "calls a thousand numbers, sending": 1_900,  # 1,510
    "calls a thousand numbers, reporting": 380,  # 275
    "statements a request": 3.2,  # 3.06: intent, its end, the chunk; 32 chunks are fetched at once
    "calls of the writer a request": 2.2,  # 2.03: intent, verdicts; and a fetch for 32
    "bytes of the ledger a number": 48,  # 42.2
    "bytes written while sending a number": 86,  # 76.6, each call a commit of its own
    "requests": fewest_requests(2 * NUMBERS),
    "bytes a number, at the peak of planning": 18,  # 12.1, and 3.7 where the file is twice as long
    "bytes a number, at the peak of sending": 24,  # 14 to 22.4: how much is under way at once is chance
    "bytes a number, at the peak of reporting": 8,  # 2.8
    "bytes a number, that outlive planning": 4,  # 2.4: where each bucket's keys lay on disk
    "bytes a number, that outlive sending": 4,  # -0.5
    "bytes a number, that outlive reporting": 4,  # 0.2
}
MODULES = 630
"""573 modules were imported by a run of a few rows: without numpy, which only many rows need."""
_SHOW_IMPORTS = """
import atexit, sys
heavy = {"numpy", "pandas", "jinja2", "psycopg", "xlsxwriter"}
atexit.register(lambda: print(len(sys.modules), *heavy & {*sys.modules}))
"""
Waste = Callable[[pytest.MonkeyPatch], None]
Requests = Iterator[tuple[str, tuple[str, ...]]]
Runs = Iterable[tuple[str, Iterable[str]]]
ShapeOf = Callable[[str], RequestShape]


def over(counted: Counted) -> dict[str, str]:
    return {
        name: f"{name}: {figure:,.1f}, and may be {BOUNDS[name]:,}"
        for name, figure in counted.figures.items()
        if figure > BOUNDS[name]
    }


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm_up()


@pytest.mark.parametrize("count", [calls, ledger, memory], ids=lambda count: str(count.__name__))
def test_the_job_costs_no_more_than_it_did(count: Callable[[], Counted]) -> None:
    counted = count()
    complaints = over(counted)
    assert not complaints, "\n".join([*complaints.values(), "It is mostly:", counted.mostly])


def test_a_run_of_a_few_rows_imports_little_and_not_what_only_others_need(tmp_path: Path) -> None:
    source = tmp_path / "few.csv"
    source.write_text("telefon\n" + "\n".join(str(600_000_000 + 7 * place) for place in range(50)), encoding="ascii")
    with simulator(tmp_path) as server:
        done = altered(_SHOW_IMPORTS, *removal(server, tmp_path, source))
    assert done.returncode == 0, done.stderr
    modules, *heavy = done.stdout.splitlines()[-1].split()
    assert heavy == []
    assert int(modules) <= MODULES


def numbers_measured_one_by_one(broken: pytest.MonkeyPatch) -> None:
    def measured(runs: Runs, shape_of: ShapeOf, writing: Writing) -> Requests:
        def each() -> Runs:
            for campaign, numbers in runs:
                shape = shape_of(campaign)
                yield campaign, [number for number in numbers if shape.number_bytes(number)]

        return chunker.in_requests(each(), shape_of, writing)

    broken.setattr(prepare, "in_requests", measured)


def verdicts_read_one_by_one(broken: pytest.MonkeyPatch) -> None:
    def one_by_one(values: Sequence[object]) -> Plain:
        return Plain(Alike.of(map(verdicts.verdict_of, values)), 2 * len(values))

    broken.setattr(replies, "plain_verdicts", one_by_one)


def cells_quoted_one_by_one(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(reporter, "_cells", lambda texts: [reporter._cell(text) for text in texts])


def the_chunk_written_with_its_intent(broken: pytest.MonkeyPatch) -> None:
    begin = Sending.begin_attempt

    def begin_attempt(self: Sending, chunk_id: int, now_s: float) -> int:
        self._connection.execute("UPDATE chunk SET progress = 'open' WHERE chunk_id = ?", (chunk_id,))
        return begin(self, chunk_id, now_s)

    broken.setattr(Sending, "begin_attempt", begin_attempt)


def a_call_of_the_writer_more(broken: pytest.MonkeyPatch) -> None:
    choose = Feeder._choose

    async def after_a_look(self: Feeder) -> Chunk | None:
        await self._journal.write(lambda steps: steps.next_due_s())
        return await choose(self)

    broken.setattr(Feeder, "_choose", after_a_look)


def plain_cells_written_twice(broken: pytest.MonkeyPatch) -> None:
    def pack(block: NumberedBlock) -> tuple[str, str, bytes]:
        numbers, campaigns, contents = packing.pack_block(block)
        rows, _, *rest = orjson.loads(contents)
        return numbers, campaigns, orjson.dumps([rows, [*block.rows.cells], *rest])

    broken.setattr(planning, "pack_block", pack)


def a_request_for_what_a_block_leaves(broken: pytest.MonkeyPatch) -> None:
    def block_by_block(runs: Runs, shape_of: ShapeOf, writing: Writing) -> Requests:
        for run in runs:
            yield from chunker.in_requests([run], shape_of, writing)

    broken.setattr(prepare, "in_requests", block_by_block)


def requests_kept(broken: pytest.MonkeyPatch) -> None:
    kept: list[object] = []

    def all_at_once(runs: Runs, shape_of: ShapeOf, writing: Writing) -> Requests:
        requests = [*chunker.in_requests(runs, shape_of, writing)]
        kept.append(requests)
        return iter(requests)

    broken.setattr(prepare, "in_requests", all_at_once)


def answers_kept(broken: pytest.MonkeyPatch) -> None:
    kept: list[object] = []
    settled = Bookkeeper._settled

    def settled_and_kept(self: Bookkeeper, *what: object) -> None:
        kept.append(what)
        settled(self, *what)  # type: ignore[arg-type]  # passed on as they came

    broken.setattr(Bookkeeper, "_settled", settled_and_kept)


def outcomes_kept(broken: pytest.MonkeyPatch) -> None:
    kept: list[object] = []
    through = counting.RowCounter.through

    def through_all(self: counting.RowCounter, blocks: Iterator[OutcomeBlock]) -> Iterator[OutcomeBlock]:
        outcomes = [*blocks]
        kept.append(outcomes)
        return through(self, iter(outcomes))

    broken.setattr(counting.RowCounter, "through", through_all)


@pytest.mark.parametrize(
    ("count", "wastes", "kinds"),
    [
        pytest.param(
            calls,
            (numbers_measured_one_by_one, verdicts_read_one_by_one, cells_quoted_one_by_one),
            ["calls a thousand"],
            marks=pytest.mark.deep,
        ),
        (ledger, (the_chunk_written_with_its_intent,), ["statements a request", "bytes written while sending"]),
        (ledger, (a_call_of_the_writer_more,), ["calls of the writer"]),
        (ledger, (plain_cells_written_twice,), ["bytes of the ledger"]),
        (ledger, (a_request_for_what_a_block_leaves,), ["requests"]),
        pytest.param(
            memory, (requests_kept, answers_kept, outcomes_kept), ["bytes a number, "], marks=pytest.mark.deep
        ),
    ],
    ids=["one by one", "a statement more", "a call more", "cells twice", "requests not full", "all kept in memory"],
)
def test_each_waste_is_noticed(
    count: Callable[[], Counted], wastes: Sequence[Waste], kinds: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for waste in wastes:
        waste(monkeypatch)
    assert {name for name in BOUNDS if name.startswith(tuple(kinds))} <= {*over(count())}
