"""Chooses the next chunk.

First come the halves of a split chunk, then numbers that are due again, then the plan's chunks. Numbers that are due
again wait for a full chunk while the plan has chunks left. After that, numbers that are due soon are sent together with
the first that is due. Only a few chunks are in memory. During the canary only the canary is handed out, its halves, and
those of its numbers that are due at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from bulk_remove.core.chunker import (
    RequestShape,
    pack,
)
from bulk_remove.core.model import Chunk
from bulk_remove.sending.gate import Clock, DueStragglers, Halt, RunJournal, Steps

_PATIENCE_S = 60.0
"""How long a due number may wait for others to fill its chunk."""
_AHEAD = 32
"""How many of the plan's chunks to fetch at once."""
_LOOK_EVERY_S = 10.0
"""How often to check whether a number is due, because the loop's timers stop while the machine sleeps."""


class Feeder:
    """Hands out chunks to the workers. Each chunk must be given back with `done`.

    While `alone` is true, only one chunk is out at a time.
    `next_due_s` is when the next number is due again (Unix seconds), or None.
    """

    def __init__(
        self,
        journal: RunJournal,
        clock: Clock,
        halt: Halt,
        shape_of: Callable[[str], RequestShape],
        alone: Callable[[], bool],
        linger_s: float,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._halt = halt
        self._shape_of = shape_of
        self._alone = alone
        self._linger_s = linger_s
        self._halves: list[Chunk] = []
        self._planned: deque[Chunk] = deque()
        self._last_planned_id = 0
        self._canary: tuple[int, int] | None = None
        self._canary_in = ""
        self.next_due_s: float | None = None
        self._out = 0
        self._choosing = asyncio.Lock()
        self._changed = asyncio.Event()

    async def next(self) -> Chunk | None:
        """Wait for the next chunk. None if there are no more, or if the run is stopping."""
        async with self._choosing:
            while not self._halt.called:
                self._changed.clear()
                if self._out and self._alone():
                    await self._changed.wait()
                    continue
                chunk = await self._choose()
                if chunk is not None:
                    self._out += 1
                    return chunk
                if not self._out and (self._canary or self.next_due_s is None):
                    return None
                await self._wait()
        return None

    def done(self, halves: Iterable[Chunk] = ()) -> None:
        """Give a chunk back, with its halves if it was split."""
        self._out -= 1
        self._halves.extend(halves)
        self._changed.set()

    def wake(self) -> None:
        """Make a waiting worker look again, because the run may be stopping."""
        self._changed.set()

    def due_again(self, due_s: Iterable[float]) -> None:
        """Note that numbers are due again at these times (Unix seconds)."""
        self.next_due_s = min((*due_s, *([] if self.next_due_s is None else [self.next_due_s])), default=None)

    async def begin(self) -> None:
        """Find when the first waiting number in the ledger is due."""
        self.next_due_s = await self._journal.write(self._next_due_s)

    async def hold_to_canary(self, campaign: str = "") -> bool:
        """Hand out only the canary, and choose it if there is none yet. Returns False if there is nothing to send.

        With a `campaign` the canary is its own. The feeder then does not wait for numbers that are due later.
        """
        self._canary_in = campaign
        if campaign:  # its chunks may come before those of an earlier canary
            self._last_planned_id = 0
        self._canary = await self._journal.write(self._canary_of)
        return self._canary is not None

    @property
    def holds_to_canary(self) -> bool:
        """Whether only the canary is handed out."""
        return self._canary is not None

    def release(self) -> None:
        """Hand out all chunks again."""
        self._canary = None
        if self._canary_in:
            self._last_planned_id, self._canary_in = 0, ""

    def _canary_of(self, steps: Steps) -> tuple[int, int] | None:
        campaign = self._canary_in
        if (found := steps.canary()) is not None and campaign in {"", steps.canary_campaign()}:
            return found
        for chunk in steps.planned_chunks(0, 1, campaign):
            return steps.begin_canary(chunk.ordinals, planned=True)
        if campaign:
            return None
        due = steps.due_stragglers(self._clock.wall_s(), self._most_numbers)
        if due is None:
            return None
        return steps.begin_canary([ordinal for ordinal, *_ in due.numbers[: self._fitting(due)]], planned=False)

    def _next_due_s(self, steps: Steps) -> float | None:
        return steps.next_due_s() if self._canary is None else steps.next_due_s(self._canary)

    async def _wait(self) -> None:
        """Wait until a number is due, or until `_changed` is set."""
        if self.next_due_s is None:
            await self._changed.wait()
            return
        while (left_s := self.next_due_s - self._clock.wall_s()) > 0.0:
            try:
                async with asyncio.timeout(min(left_s, _LOOK_EVERY_S)):
                    await self._changed.wait()
            except TimeoutError:
                continue
            return

    async def _choose(self) -> Chunk | None:
        if self._halves:
            return self._halves.pop()  # the latest first, which finds the refused number soonest
        if not self._planned:
            await self._fetch_planned()
        due = await self._pack_due(only_full=bool(self._planned))
        if due is not None:
            return due
        return self._planned.popleft() if self._planned else None

    async def _fetch_planned(self) -> None:
        after_id, campaign = self._last_planned_id, self._canary_in
        chunks = await self._journal.write(lambda steps: steps.planned_chunks(after_id, _AHEAD, campaign))
        if self._canary is not None:
            chunks = [chunk for chunk in chunks[:1] if chunk.ordinals[0] == self._canary[0]]
        self._planned.extend(chunks)
        if self._planned:
            self._last_planned_id = self._planned[-1].chunk_id

    async def _pack_due(self, *, only_full: bool) -> Chunk | None:
        """Pack a chunk of due numbers. None if none is due, or if they may wait for a full chunk."""
        now_s = self._clock.wall_s()
        if self.next_due_s is None or self.next_due_s > now_s:
            return None
        only_full = only_full and now_s - self.next_due_s < _PATIENCE_S
        until_s = now_s if only_full else now_s + self._linger_s
        chunk, self.next_due_s = await self._journal.write(lambda steps: self._pack(steps, until_s, only_full))
        return chunk

    def _pack(self, steps: Steps, until_s: float, only_full: bool) -> tuple[Chunk | None, float | None]:
        chunk = None
        # Ask for one more than fits, to see whether the chunk is full.
        most = self._most_numbers + 1
        due = steps.due_stragglers(until_s, most, *([] if self._canary is None else [self._canary]))
        if due is not None:
            size = self._fitting(due)
            if size < len(due.numbers) or not only_full:
                ordinals, numbers, states = zip(*due.numbers[:size], strict=True)
                chunk = steps.pack_chunk(due.campaign, due.form, numbers, ordinals, states)
        return chunk, self._next_due_s(steps)

    def _fitting(self, due: DueStragglers) -> int:
        """Return how many of the numbers fit one request."""
        return len(next(pack((number for _, number, _ in due.numbers), self._shape_of(due.campaign))))

    @property
    def _most_numbers(self) -> int:
        return self._shape_of("00000").max_numbers
