"""What ties a run to the program that asks for it, in an event loop.

The plan goes out and the approval comes in, then progress and outcomes, and the wish to stop. What has begun is awaited
to its end, so that a run can be cancelled at any time.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from bulk_remove.core.lifecycle import SETTLED, explain, is_doubted, status_of
from bulk_remove.core.model import NumberState, Outcome
from bulk_remove.core.plan import Plan, check_answer
from bulk_remove.core.progress import Snapshot
from bulk_remove.core.summary import Ending
from bulk_remove.run.carry_out import Hooks, Sent

T = TypeVar("T")
OnProgress = Callable[[Snapshot], None]
Approve = Callable[[Plan], bool | Awaitable[bool]]
_PROGRESS_S = 0.5
_STOPPED = Ending.CODE


def check_callable(approve: object) -> None:
    """Raise TypeError for what cannot be asked."""
    if not callable(approve):
        raise TypeError(f"approve must be a function that is given the plan, not {type(approve).__name__}")


async def check_asked(ask: Approve, plan: Plan) -> None:
    """Show the plan to the program. Raises GuardStop for False, TypeError for an answer that is no bool."""
    answer: object = ask(plan)
    if inspect.isawaitable(answer):
        answer = await answer
    if inspect.iscoroutine(answer):
        answer.close()  # it is refused below, and Python need not complain as well that nobody awaited it
    check_answer(answer)


async def to_the_end(task: asyncio.Task[T], stop: Callable[[], None] = lambda: None) -> T:
    """Wait for a task that must not be cut off. A cancellation calls `stop`, and is raised once the task has ended."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            stop()
    if cancelled is not None and (task.cancelled() or task.exception() is None):
        raise cancelled
    return task.result()


async def threaded(work: Callable[..., T], *values: Any) -> T:
    """Do what would block in a thread, to the end: it may hold a file open."""
    return await to_the_end(asyncio.create_task(asyncio.to_thread(work, *values)))


@asynccontextmanager
async def entered(
    manager: AbstractContextManager[T], stop: Callable[[], None] = lambda: None
) -> AsyncGenerator[T, None]:
    """Enter a context in a thread, which `stop` may shorten, and leave it in the loop's."""
    with ExitStack() as stack:
        entering = asyncio.create_task(asyncio.to_thread(stack.enter_context, manager))
        yield await to_the_end(entering, stop)


class Ties:
    """What ties a run to the program that asked for it: outcomes and progress go out, the wish to stop comes in."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._failure: BaseException | None = None
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._stop: Callable[[Ending], None] | None = None
        self._wished = False

    @property
    def hooks(self) -> Hooks:
        """What goes on around the sending."""
        return Hooks(self._watching, self._stopping, self._settled)

    def _settled(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        for number, state in zip(numbers, states, strict=True):
            if state.phase in SETTLED:
                self._queue.put_nowait(outcome_of(number, state))

    def end(self, _task: asyncio.Task[Sent]) -> None:
        """End the outcomes, once nothing is sent any more."""
        self._queue.put_nowait(None)

    async def outcomes(self) -> AsyncIterator[Outcome]:
        """Yield the outcomes of settled numbers as they come."""
        while (outcome := await self._queue.get()) is not None:
            yield outcome

    def stop(self) -> None:
        """Stop safely, now or as soon as the sending has begun."""
        self._wished = True
        if self._stop is not None:
            self._stop(_STOPPED)

    @contextmanager
    def _stopping(self, stop: Callable[[Ending], None]) -> Iterator[None]:
        self._stop = stop
        if self._wished:
            stop(_STOPPED)
        yield

    @asynccontextmanager
    async def _watching(self, snapshot: Callable[[], Snapshot]) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(self._watch(snapshot))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self._tell(snapshot)

    async def _watch(self, snapshot: Callable[[], Snapshot]) -> None:
        while True:
            self._tell(snapshot)
            await asyncio.sleep(_PROGRESS_S)

    def _tell(self, snapshot: Callable[[], Snapshot]) -> None:
        """Tell how far the run is. Where that fails the run stops safely, and `check` raises it once it has."""
        if self._on_progress is None or self._failure is not None:
            return
        try:
            self._on_progress(snapshot())
        except Exception as error:  # noqa: BLE001 - whatever the caller's own function raises
            self._failure = error
            self.stop()

    def check(self) -> None:
        """Raise what telling of the progress raised."""
        if self._failure is not None:
            raise self._failure


def outcome_of(number: str, state: NumberState) -> Outcome:
    """Return what a state means to the program."""
    return Outcome(
        number,
        status_of(state.phase),
        state.removed,
        state.record_ids,
        state.attempts,
        state.busy_rounds,
        explain(state),
        state.answered_at_s,
        is_doubted(state.phase),
    )
