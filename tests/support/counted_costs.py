"""What the job costs, in counts that do not depend on the machine: calls, statements, bytes.

Each is counted at two sizes, so that what does not grow with the file drops out.
"""

import gc
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from unittest.mock import patch

from bulk_remove.ledger import Store, aside, distinct
from tests.support.counted_job import Done, Stage, carried_out

NUMBERS = 10_000
"""The smaller size: two of the reader's blocks, 37 requests."""
_TESTS = str(Path(__file__).parent.parent)
_SMALL_BLOCK_ROWS = 500
_TOLD = 10


class Counted(NamedTuple):
    """The figures by name, and what they are mostly made of."""

    figures: Mapping[str, float]
    mostly: str


def calls() -> Counted:
    """Count the calls of functions, Python's and C's, in all threads, by stage and a thousand numbers."""
    fewer, more = _calls(NUMBERS), _calls(2 * NUMBERS)
    figures, lines = {}, []
    for stage in Stage:
        grown = more[stage] - fewer[stage]
        figures[f"calls a thousand numbers, {stage}"] = 1000 * grown.total() / NUMBERS
        lines += [f"{stage}: {1000 * count / NUMBERS:,.1f} {name}" for name, count in grown.most_common(_TOLD)]
    return Counted(figures, "\n".join(lines))


def _calls(numbers: int) -> Mapping[Stage, Counter[str]]:
    counted = {}

    @contextmanager
    def watch(stage: Stage, _: Store | None) -> Iterator[None]:
        seen: list[str] = []

        def note(frame: FrameType, event: str, called: Any) -> None:
            # Resuming a generator is a call, too. What the stand-ins do is not the job's.
            if frame.f_code.co_filename.startswith(_TESTS):
                return
            if event == "call":
                seen.append(f"{frame.f_code.co_qualname} ({frame.f_code.co_filename})")
            elif event == "c_call":
                seen.append(f"{called.__qualname__} (C)")

        threading.setprofile(note)  # for the ledger's writer, which starts inside
        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        counted[stage] = Counter(seen)

    carried_out(numbers, watch)
    return counted


def ledger() -> Counted:
    """Count what the ledger is told while the job sends, and what it takes on disk."""
    (fewer, fewer_logged, _, less), (more, more_logged, said, left) = _ledger(NUMBERS), _ledger(2 * NUMBERS)
    requests = left.requests - less.requests
    grown = more - fewer
    commits = grown.pop("COMMIT")
    del grown["BEGIN IMMEDIATE"]
    figures = {
        "statements a request": grown.total() / requests,
        "calls of the writer a request": commits / requests,
        "bytes of the ledger a number": (left.ledger_bytes - less.ledger_bytes) / NUMBERS,
        "bytes written while sending a number": (more_logged - fewer_logged) / NUMBERS,
        "requests": left.requests,
    }
    return Counted(figures, said)


def _ledger(numbers: int) -> tuple[Counter[str], int, str, Done]:
    counted = Counter[str]()
    logged: list[int] = []

    @contextmanager
    def watch(stage: Stage, store: Store | None) -> Iterator[None]:
        if store is None or stage is not Stage.SENDING:
            yield
            return
        log = store.path.with_name(f"{store.path.name}-wal")
        before = log.stat().st_size
        said: list[str] = []
        store.connection.set_trace_callback(said.append)
        yield
        store.connection.set_trace_callback(None)
        counted.update(" ".join(statement.split()[:3]).removesuffix(" SET") for statement in said)
        logged.append(log.stat().st_size - before)

    done = carried_out(numbers, watch)
    told = "\n".join(f"{count} x {statement}" for statement, count in counted.most_common(_TOLD))
    return counted, logged[0], told, done


def memory() -> Counted:
    """Measure in bytes a number what the peak of each stage grows by, and what outlives the stage."""
    # Less waits for the disk here, and blocks are small: else they would hide what only grows with the file.
    with patch.object(distinct, "_SEGMENT_ROWS", 64), patch.object(aside, "_FEW_ROWS", 0):
        # How much is under way at once is chance, which only adds to a peak: so the lower of two counts.
        fewer, more = (
            {stage: tuple(map(min, one[stage], other[stage])) for stage in Stage}
            for numbers in (NUMBERS, 2 * NUMBERS)
            for one, other in ((_memory(numbers), _memory(numbers)),)
        )
    figures = {
        f"bytes a number, {what} {stage}": (more[stage][place] - fewer[stage][place]) / NUMBERS
        for stage in Stage
        for place, what in enumerate(("at the peak of", "that outlive"))
    }
    return Counted(figures, "\n".join(f"{stage}: {more[stage][0]:,} bytes at the peak" for stage in Stage))


def _memory(numbers: int) -> Mapping[Stage, tuple[int, int]]:
    measured = {}

    @contextmanager
    def watch(stage: Stage, _: Store | None) -> Iterator[None]:
        gc.collect()
        tracemalloc.reset_peak()
        before, _peak = tracemalloc.get_traced_memory()
        yield
        _now, peak = tracemalloc.get_traced_memory()
        gc.collect()
        measured[stage] = (peak - before, tracemalloc.get_traced_memory()[0] - before)

    usual = gc.get_threshold()
    gc.set_threshold(100, 5, 5)  # or the peak depends on when garbage is collected
    tracemalloc.start()
    try:
        carried_out(numbers, watch, _SMALL_BLOCK_ROWS)
    finally:
        tracemalloc.stop()
        gc.set_threshold(*usual)
    return measured


def warm_up() -> None:
    """Do a small job, so that what is imported and kept for good is not counted."""
    carried_out(NUMBERS // 10, lambda _stage, _store: nullcontext())
