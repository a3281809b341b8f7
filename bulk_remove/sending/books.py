"""Chooses the next chunk, and writes the results of an answer: first to the ledger, then to the counts and the display.

`Feeder` chooses. First come the halves of a split chunk, then numbers that are due again, then the plan's chunks.
Numbers that are due again wait for a full chunk while the plan has chunks left. After that, numbers that are due soon
are sent together with the first that is due. Only a few chunks are in memory. During the canary only the canary is
handed out, its halves, and those of its numbers that are due at once.

`Bookkeeper` writes the results. `Tally` has the counts of the session, of results that are on disk.
"""

import asyncio
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from bulk_remove.core.chunker import (
    CAREFUL_LINE,
    ENCODED,
    SHORTEST_LINE,
    LineLength,
    RequestShape,
    RequestSize,
    Writing,
    pack,
    timed,
)
from bulk_remove.core.lifecycle import (
    BETWEEN_FORMS,
    IN_A_CALL,
    NOTHING_SEEN,
    Event,
    Phase,
    for_each,
    nowhere,
    with_verdict,
    without_verdict,
)
from bulk_remove.core.limits import LATELY_NUMBERS, Lately, batch_of
from bulk_remove.core.model import Again, Alike, Chunk, NumberState
from bulk_remove.core.numbers import Forms
from bulk_remove.core.replies import Effect, Fault, Reply, doubt_us
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import BusyPolicy, Ceilings, RetryPolicy, Step, backoff_s, busy_delay_s
from bulk_remove.core.timeline import Window
from bulk_remove.core.verdicts import Verdict, unasked_detail
from bulk_remove.language import counted, ours, phrase
from bulk_remove.sending.gate import Gate, Halt, RunJournal, SystemClock

if TYPE_CHECKING:
    from bulk_remove.ledger.write import Due, Sending


log = logging.getLogger("bulk_remove.pool")

REFUSED_ALONE = 10
"""After so many refused single numbers in a row, the server refuses every request, not certain numbers."""

Settled = Callable[[Sequence[str], Sequence[NumberState]], None]
Gone = Callable[[str, Sequence[str]], Sequence[int]]
"""Returns the indices of the numbers that an earlier run removed from a campaign."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The limits and the rules for sending again.

    `forms` are the forms in which a number that was not found is sent again. `longest_line` is the longest request line
    in bytes that the server is known to accept, or None. `size` is how many numbers a request may have at first, and
    `writing` how brackets are written.
    `windows` are the hours of sending in local time (empty: always). `until_s` is the deadline in Unix seconds, or
    None. Both are compared with the machine's clock. At the share `stop_when_missing` of missing numbers the run ends.
    """

    ceilings: Ceilings
    retry: RetryPolicy
    busy: BusyPolicy
    forms: Forms
    size: RequestSize
    longest_line: int | None = None
    writing: Writing = ENCODED
    windows: tuple[Window, ...] = ()
    until_s: float | None = None
    stop_when_missing: float | None = None


class Tally:
    """The counts of this session. `phases` counts the numbers by phase, at first those at its beginning.

    `waiting` counts the numbers to send again, `faults` requests without verdicts by kind, and `strangers` numbers in
    replies that were not in the request.
    """

    def __init__(self, phases: Mapping[str, int]) -> None:
        self.phases: Counter[str] = Counter(phases)
        self.faults: Counter[str] = Counter()
        self.requests = self.removed = self.strangers = self.waiting = 0

    def moved(self, before: Alike[NumberState], after: Alike[NumberState], waiting: int) -> None:
        """Count numbers with a new state. `waiting` is by how many the count of waiting numbers changes."""
        for states, sign in ((before, -1), (after, 1)):
            for state, count in states.counted():
                self.phases[state.phase] += sign * count
                self.removed += sign * count * state.removed
        self.waiting += waiting


_PATIENCE_S = 60.0
"""How long a due number may wait for others to fill its chunk."""
_AHEAD = 32
"""How many of the plan's chunks to fetch at once."""
_LOOK_EVERY_S = 10.0
"""How often to check whether a number is due, because the loop's timers stop while the machine sleeps."""


class Feeder:
    """Hands out chunks to the workers. Each chunk must be given back with `done`.

    While `alone` is true, only one chunk is out at a time. `canary` has the ordinals of the canary while only that is
    handed out. `next_due_s` is when the next number is due again (Unix seconds), or None. `changed` makes a waiting
    worker look again.
    """

    def __init__(
        self,
        journal: RunJournal,
        clock: SystemClock,
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
        self.canary: tuple[int, int] | None = None
        self._canary_in = ""
        self.next_due_s: float | None = None
        self._out = 0
        self._choosing = asyncio.Lock()
        self.changed = asyncio.Event()

    async def next(self) -> Chunk | None:
        """Wait for the next chunk. None if there are no more, or if the run is stopping."""
        async with self._choosing:
            while not self._halt.called:
                self.changed.clear()
                if self._out and self._alone():
                    await self.changed.wait()
                    continue
                chunk = await self._choose()
                if chunk is not None:
                    self._out += 1
                    return chunk
                if not self._out and (self.canary or self.next_due_s is None):
                    return None
                await self._wait()
        return None

    def done(self, halves: Iterable[Chunk] = ()) -> None:
        """Give a chunk back, with its halves if it was split."""
        self._out -= 1
        self._halves.extend(halves)
        self.changed.set()

    def due_again(self, due_s: Iterable[float]) -> None:
        """Note that numbers are due again at these times (Unix seconds)."""
        self.next_due_s = min((*due_s, *([] if self.next_due_s is None else [self.next_due_s])), default=None)

    async def begin(self) -> None:
        """Find when the first waiting number in the ledger is due."""
        self.next_due_s = await self._journal.write(lambda steps: steps.next_due_s(self.canary))

    async def hold_to_canary(self, campaign: str = "") -> bool:
        """Hand out only the canary, and choose it if there is none yet. Returns False if there is nothing to send.

        With a `campaign` the canary is its own. The feeder then does not wait for numbers that are due later.
        """
        self._canary_in = campaign
        if campaign:  # its chunks may come before those of an earlier canary
            self._last_planned_id = 0
        self.canary = await self._journal.write(self._canary_of)
        return self.canary is not None

    def release(self) -> None:
        """Hand out all chunks again."""
        self.canary = None
        if self._canary_in:
            self._last_planned_id, self._canary_in = 0, ""

    def _canary_of(self, steps: "Sending") -> tuple[int, int] | None:
        campaign = self._canary_in
        found = steps.canary()
        if found.span is not None and campaign in {"", found.campaign}:
            return found.span
        for chunk in steps.planned_chunks(0, 1, campaign):
            return steps.begin_canary(chunk.ordinals, planned=True)
        if campaign:
            return None
        due = steps.due_stragglers(self._clock.wall_s(), self._most_numbers)
        if due is None:
            return None
        return steps.begin_canary([ordinal for ordinal, *_ in due.numbers[: self._fitting(due)]], planned=False)

    async def _wait(self) -> None:
        """Wait until a number is due, or until `changed` is set."""
        if self.next_due_s is None:
            await self.changed.wait()
            return
        while (left_s := self.next_due_s - self._clock.wall_s()) > 0.0:
            try:
                async with asyncio.timeout(min(left_s, _LOOK_EVERY_S)):
                    await self.changed.wait()
            except TimeoutError:
                continue
            return

    async def _choose(self) -> Chunk | None:
        if self._halves:
            return self._halves.pop()  # the latest first, which finds the refused number soonest
        if not self._planned:
            after_id, campaign = self._last_planned_id, self._canary_in
            chunks = await self._journal.write(lambda steps: steps.planned_chunks(after_id, _AHEAD, campaign))
            if self.canary is not None:
                chunks = [chunk for chunk in chunks[:1] if chunk.ordinals[0] == self.canary[0]]
            self._planned.extend(chunks)
            if chunks:
                self._last_planned_id = chunks[-1].chunk_id
        due = await self._pack_due(only_full=bool(self._planned))
        if due is not None:
            return due
        return self._planned.popleft() if self._planned else None

    async def _pack_due(self, *, only_full: bool) -> Chunk | None:
        """Pack a chunk of due numbers. None if none is due, or if they may wait for a full chunk."""
        now_s = self._clock.wall_s()
        if self.next_due_s is None or self.next_due_s > now_s:
            return None
        only_full = only_full and now_s - self.next_due_s < _PATIENCE_S
        until_s = now_s if only_full else now_s + self._linger_s
        chunk, self.next_due_s = await self._journal.write(lambda steps: self._pack(steps, until_s, only_full))
        return chunk

    def _pack(self, steps: "Sending", until_s: float, only_full: bool) -> tuple[Chunk | None, float | None]:
        chunk = None
        # Ask for one more than fits, to see whether the chunk is full.
        due = steps.due_stragglers(until_s, self._most_numbers + 1, self.canary)
        if due is not None:
            size = self._fitting(due)
            if size < len(due.numbers) or not only_full:
                ordinals, numbers, states = zip(*due.numbers[:size], strict=True)
                chunk = steps.pack_chunk(due.campaign, due.form, numbers, ordinals, states)
        return chunk, steps.next_due_s(self.canary)

    def _fitting(self, due: "Due") -> int:
        return len(next(pack((number for _, number, _ in due.numbers), self._shape_of(due.campaign))))

    @property
    def _most_numbers(self) -> int:
        return self._shape_of("00000").max_numbers


@dataclass(frozen=True, slots=True)
class Desk:
    """What the workers share.

    `on_settled` is called with the numbers of a chunk and their states, once they are on disk. `gone` finds numbers
    that earlier runs removed, so that they may be missing.
    """

    settings: PoolSettings
    journal: RunJournal
    clock: SystemClock
    halt: Halt
    gate: Gate
    feeder: Feeder
    tally: Tally
    on_settled: Settled
    gone: Gone


class Bookkeeper:
    """Writes every answer to the ledger, then counts it.

    `line` is what is known about the server's limit on the request line, `writing` what is known about its brackets.
    `size` adapts to the time of its replies, and `fastest` is the fastest reply in all sessions of the run.
    `busy_until_s` is when the last number in a call is given up, by the gate's `sending_s`. `shape_of` gives the shape
    of a campaign's requests without all that. `missing` is the campaign that ended the run because too many of its
    last numbers are not there, with these numbers.
    """

    def __init__(self, desk: Desk, shape_of: Callable[[str], RequestShape]) -> None:
        self._desk = desk
        self._base_of = shape_of
        self._shapes: dict[str, RequestShape] = {}
        self._shaped: object = None
        self.fastest = self._kept = NOTHING_SEEN
        self.line = LineLength(desk.settings.longest_line)
        self.writing = desk.settings.writing
        self.size = desk.settings.size
        self.busy_until_s = 0.0
        self.missing: tuple[str, Lately] | None = None
        self._lately: defaultdict[str, Lately] = defaultdict(Lately)
        self._went_through = 0
        self._refused_alone = Counter[int]()
        self._refused_forms: set[int] = set()

    def shape_of(self, campaign: str) -> RequestShape:
        """Return how the next requests for a campaign are written: as the server is known to accept them."""
        learned = self.writing.brackets, self.line.longest, self.size.most
        if learned != self._shaped:
            self._shapes, self._shaped = {}, learned
        if campaign not in self._shapes:
            base = self._base_of(campaign)
            numbers = min(base.max_numbers, self.size.most)
            shape = replace(base, brackets=self.writing.brackets, max_numbers=numbers)
            self._shapes[campaign] = shape if self.line.longest is None else shape.limited(self.line.longest)
        return self._shapes[campaign]

    def took(self, chunk: Chunk, took_us: int, whole_us: int, answer: Reply | Fault) -> None:
        """Learn from the time of a request: `took_us` until the head of its reply, `whole_us` until its end."""
        if isinstance(answer, Reply):
            self.fastest = self.fastest.and_reply(took_us, len(chunk.numbers))
        if isinstance(answer, Reply) or answer.effect is Effect.IN_DOUBT:
            most = self.size.most
            self.size = timed(self.size, len(chunk.numbers), whole_us, answered=isinstance(answer, Reply))
            if self.size.most < most:
                log.warning("replies are slow: from now on %d numbers in a request at most", self.size.most)

    async def begin(self) -> None:
        """Read what earlier sessions left: the fastest reply, and the numbers answered last. Raises StorageError."""
        self.fastest = self._kept = await self._desk.journal.write(lambda steps: steps.fastest())
        if self._desk.settings.stop_when_missing is not None:
            gone = self._desk.gone
            for campaign, batch in await self._desk.journal.write(
                lambda steps: steps.answered_last(LATELY_NUMBERS, gone)
            ):
                self._lately[campaign] = self._lately[campaign].and_batch(batch)
            for campaign in [*self._lately]:
                self._end_if_missing(campaign)

    def _end_if_missing(self, campaign: str) -> None:
        """End the run if too many of a campaign's last numbers are not there. A canary is judged by its own limit."""
        desk, lately = self._desk, self._lately[campaign]
        if desk.halt.called or desk.feeder.canary is not None:
            return
        if lately.stop(desk.settings.stop_when_missing, "", campaign):
            log.warning("%d of the last %d numbers are not there", lately.missing, lately.answered)
            self.missing = campaign, lately
            desk.halt.call(Ending.MISSING)

    async def replied(self, chunk: Chunk, attempt_id: int, reply: Reply) -> None:
        """Write a reply to a chunk. Numbers without a final answer become due again. Raises StorageError."""
        desk = self._desk
        now_s = desk.clock.wall_s()
        if reply.unasked:
            desk.halt.call(Ending.UNASKED)  # before anything else is sent
            log.error("chunk %d: %s", chunk.chunk_id, unasked_detail(reply.unasked, masked=True))
        verdicts = _as_meant(chunk, reply) if reply.unasked or chunk.form else reply.verdicts
        other_forms = self._other_forms(chunk, verdicts, now_s) if desk.settings.forms.also_try else {}
        verdicts = verdicts.but(dict.fromkeys(other_forms, Verdict(Event.NOT_IN_THIS_FORM)))
        moved = partial(self._moved, now_s=now_s, sending_s=desk.gate.sending_s)
        states = chunk.states.joined(verdicts, moved)
        again = {**self._due_again(chunk, states, now_s, spare_tries=self.writing.tries_raw), **other_forms}
        kept, self._kept = self._kept, self.fastest

        def write(steps: "Sending") -> None:
            steps.settle(chunk, states, again)
            steps.end_attempt(attempt_id, now_s, "verdicts", "", reply.strangers, reply.unasked)
            if self._kept != kept:
                steps.keep_fastest(self._kept)

        await desk.journal.write(write)
        desk.gate.answered()
        self._refused_alone[chunk.form] = 0
        self._went_through += len(states) - len(again)
        left_out = reply.verdicts.where(lambda verdict: verdict.event is Event.PASSED_OVER)
        self._heed_length(chunk, reply, left_out)
        if not self.writing.settled:  # after the lengths, which are those of the brackets as they were sent
            self._write_as(self.writing.answered(len(chunk.numbers), whole=not (left_out or reply.strangers)))
        self._settled(chunk, states, again)

    def _heed_length(self, chunk: Chunk, reply: Reply, left_out: Sequence[int]) -> None:
        """Learn from a reply how long requests may be. If the URL was cut on the way, make the next ones shorter."""
        numbers = len(chunk.numbers)
        longest = numbers > self.line.most_answered
        line_bytes = self._line_of(chunk) if chunk.chunk_id in self.line.splits else 0
        self._learn(self.line.answered(chunk.chunk_id, numbers, line_bytes))
        arrived = reply.cut_at
        if reply.strangers:
            self._desk.tally.strangers += reply.strangers
            log.warning("chunk %d: the reply spoke of %d numbers unasked", chunk.chunk_id, reply.strangers)
            arrived = numbers // 2 if arrived is None and reply.unasked else arrived
        elif longest and left_out and left_out[0] == numbers - len(left_out):  # the last ones are missing: a clean cut?
            arrived = left_out[0]
        if arrived is None:
            return
        line = self._line_of(replace(chunk, numbers=chunk.numbers[: max(1, arrived)]))
        if reply.strangers or line >= SHORTEST_LINE:
            self._learn(self.line.at_most(line))

    def _learn(self, line: LineLength) -> None:
        if line.longest != self.line.longest:
            log.warning("long requests do not get through: from now on %d bytes at most", line.longest)
        self.line = line

    def _write_as(self, writing: Writing) -> None:
        if writing.settled and not self.writing.settled:
            log.info("brackets are written %s from now on", writing.brackets.value)
            self._desk.feeder.changed.set()
        self.writing = writing

    def blames_brackets(self, chunk: Chunk, fault: Fault) -> bool:
        """Learn about brackets from a fault. Returns whether it may mean that the server does not read raw ones."""
        if fault.too_long and self._line_of(chunk) > CAREFUL_LINE:
            return False  # the length is to blame
        before = self.writing
        self._write_as(before.faulted(fault))
        return self.writing.suspected and not before.suspected

    def _line_of(self, chunk: Chunk) -> int:
        return self.shape_of(chunk.campaign).line_bytes(*chunk.numbers)

    def _moved(self, state: NumberState, verdict: Verdict, now_s: float, sending_s: float) -> NumberState:
        """Return a number's state after a reply. The time of numbers in a call does not include pauses."""
        after = with_verdict(state, verdict.event, verdict.removed, (), verdict.detail, now_s, self.fastest)
        found_just_now = after.busy_since_s != state.busy_since_s
        return after._replace(busy_since_s=sending_s) if found_just_now else after

    async def skip(self, chunk: Chunk) -> bool:
        """Move a chunk to the next form if the server refuses this form. Returns False if the chunk must be sent.

        A chunk is sent if a number of it was found in this form, or got no answer in it. Raises StorageError.
        """
        if chunk.form not in self._refused_forms or chunk.states.where(lambda state: state.phase not in BETWEEN_FORMS):
            return False
        now_s = self._desk.clock.wall_s()
        states, again = self._past_this_form(chunk, "", now_s, 0)
        # A refusal counts an attempt, but nothing was sent.
        states = states.each(lambda state: state._replace(attempts=state.attempts - 1))

        await self._desk.journal.write(lambda steps: steps.settle(chunk, states, again))
        self._settled(chunk, states, again)
        return True

    async def cut(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Cut a chunk that is known to be too long or too slow. Returns its parts, or nothing if it may be sent.

        One part is as large as it may be. The rest waits for others to fill a request with.
        """
        desk, shape = self._desk, self.shape_of(chunk.campaign)
        fits = len(chunk.numbers) <= shape.max_numbers and shape.line_bytes(*chunk.numbers) <= shape.max_request_line
        if fits or len(chunk.numbers) == 1:
            return ()
        now_s, first = desk.clock.wall_s(), self._fitting(chunk)
        whole = chunk.chunk_id in self.line.splits  # each part of such a chunk says something about the length

        parts = await desk.journal.write(
            lambda steps: steps.split(chunk, chunk.states, now_s, first, rest_waits=not whole)
        )
        self._parted(chunk, parts, suspect=False)
        desk.tally.moved(chunk.states, chunk.states, len(chunk.states) if chunk.first else 0)
        if not whole:
            desk.feeder.due_again([now_s])
        return parts

    def _fitting(self, chunk: Chunk) -> int:
        return len(next(pack(chunk.numbers, self.shape_of(chunk.campaign))))

    def _parted(self, chunk: Chunk, halves: Sequence[Chunk], *, suspect: bool) -> None:
        parts = [half.chunk_id for half in halves]
        self.line = self.line.parted(chunk.chunk_id, parts, len(chunk.numbers), suspect=suspect)

    async def faulted(
        self, chunk: Chunk, attempt_id: int, fault: Fault, took_us: int | None, step: Step
    ) -> tuple[Chunk, tuple[Chunk, ...]]:
        """Write the results of a fault and take the step. Returns the chunk with new states, and its halves if split.

        `took_us` is the time of the request, or None if it was never sent. Raises StorageError.
        """
        desk = self._desk
        now_s = desk.clock.wall_s()
        again: dict[int, Again] = {}
        alone = step is Step.SPLIT and len(chunk.numbers) == 1
        doubt = doubt_us(fault, took_us)
        numbers = len(chunk.numbers)
        lost = self.fastest.may_have_acted(doubt, for_each(doubt, numbers))
        event = Event.REFUSED if alone else Event.LOST if lost else Event.UNTOUCHED
        splits = step in {Step.SPLIT, Step.PROBE} and not alone
        # If the request is sent again in another way, it is not known yet why it was refused.
        detail = "" if fault.effect is Effect.REFUSED and (splits or step is Step.RETRY) else fault.detail
        if alone and _is_about_the_form(chunk):
            states, again = self._past_this_form(chunk, detail, now_s, doubt)
        else:
            states = chunk.states.each(
                lambda state: without_verdict(state, event, detail, doubt, self.fastest, numbers)
            )
        closes = alone or step is Step.GIVE_UP
        first = 1 if step is Step.PROBE else None
        rest_waits = splits and fault.too_long and chunk.chunk_id not in self.line.splits
        if splits and fault.too_long:
            first = self._shorten(chunk)

        def write(steps: "Sending") -> tuple[Chunk, ...]:
            halves: tuple[Chunk, ...] = ()
            if splits:
                halves = steps.split(chunk, states, now_s, first, rest_waits=rest_waits)
            elif closes:
                steps.settle(chunk, states, again)
            else:
                steps.keep_states(chunk, states)
            steps.end_attempt(attempt_id, now_s, fault.kind, fault.request_id, 0)
            return halves

        halves = await desk.journal.write(write)
        desk.tally.faults[fault.kind] += 1
        desk.gate.faulted(fault, asked_anew=step is Step.SPLIT or self.writing.suspected)
        if rest_waits:
            desk.feeder.due_again([now_s])
        if splits and not fault.too_long:
            self._parted(chunk, halves, suspect=fault.may_be_length)
        elif closes:
            self.line = self.line.blamed(chunk.chunk_id)
        self._refused_alone[chunk.form] += alone
        if closes:
            self._settled(chunk, states, again)
        else:
            desk.tally.moved(chunk.states, states, len(states) if splits and chunk.first else 0)
        self._end_if_hopeless(replace(fault, campaign=chunk.campaign), step)
        return replace(chunk, states=states), halves

    def _shorten(self, chunk: Chunk) -> int:
        """Learn that a chunk was too long. Returns how many of its numbers to send first."""
        half = replace(chunk, numbers=chunk.numbers[: (len(chunk.numbers) + 1) // 2])
        careful = self._line_of(chunk) > CAREFUL_LINE
        self._learn(self.line.at_most(CAREFUL_LINE if careful else self._line_of(half)))
        return min(self._fitting(chunk), len(chunk.numbers) - 1)

    def _settled(self, chunk: Chunk, states: Alike[NumberState], again: Mapping[int, Again]) -> None:
        desk = self._desk
        waited = 0 if chunk.first else len(states)
        desk.tally.moved(chunk.states, states, len(again) - waited)
        if desk.settings.stop_when_missing is not None and not desk.halt.called:
            batch = batch_of(chunk.states, states)
            if batch.missing and (gone := desk.gone(chunk.campaign, chunk.numbers)):
                batch = batch_of(chunk.states, states, gone)
            self._lately[chunk.campaign] = self._lately[chunk.campaign].and_batch(batch)
            self._end_if_missing(chunk.campaign)
        desk.feeder.due_again(how.due_s for how in again.values())
        numbers = chunk.numbers
        if chunk.form:
            planned = desk.settings.forms.planned
            numbers = tuple([planned(n) if nowhere(state) else n for n, state in zip(numbers, states, strict=True)])
        desk.on_settled(numbers, states)

    def _end_if_hopeless(self, fault: Fault, step: Step) -> None:
        for form, times in self._refused_alone.items():
            if times >= REFUSED_ALONE and form and form not in self._refused_forms:
                self._refused_forms.add(form)
                log.warning("the server refuses form %d of those also tried: it is left out from now on", form)
        denied, ends = fault.effect is Effect.DENIED, step is Step.END_RUN
        if (denied and ends) or self._refused_alone[0] >= REFUSED_ALONE:
            self._desk.halt.call(Ending.DENIED, self._with_its_past(fault))
        elif ends or (self._desk.gate.hopeless and not denied):
            self._desk.halt.call(Ending.UNAVAILABLE, fault)

    def _with_its_past(self, fault: Fault) -> Fault:
        """Return a denial that also says since when, if the server accepted requests before."""
        if fault.effect is not Effect.DENIED or not self._went_through:
            return fault
        since = datetime.fromtimestamp(self._desk.gate.denied_since_s).astimezone()
        through = counted(self._went_through, "{count:,} number went through", "{count:,} numbers went through")
        sentence = phrase(
            "{problem} It has refused since {since}, after {through}.",
            problem=ours(fault.sentence),
            since=f"{since:%H:%M}",
            through=through,
        )
        return replace(fault, sentence=sentence)

    def _other_forms(self, chunk: Chunk, verdicts: Alike[Verdict], now_s: float) -> dict[int, Again]:
        """Return by index the next form of the numbers that were not found in this form."""
        missing = [
            index
            for index in verdicts.where(lambda verdict: verdict.event is Event.NOT_EXIST)
            if not chunk.states[index].removed
        ]
        found = {index: self._next_form(chunk.numbers[index], now_s) for index in missing}
        return {index: how for index, how in found.items() if how is not None}

    def _next_form(self, number: str, now_s: float) -> Again | None:
        forms = self._desk.settings.forms
        while number := forms.after(number):
            form = forms.rank(number)
            if form not in self._refused_forms:
                return Again(now_s, number, form)
        return None

    def _past_this_form(
        self, chunk: Chunk, detail: str, now_s: float, doubt: int
    ) -> tuple[Alike[NumberState], dict[int, Again]]:
        """Return the states after a refused form, and by index the next form. Without one the number does not exist."""
        hows = [self._next_form(number, now_s) for number in chunk.numbers]
        states = Alike.of(
            without_verdict(state, Event.NOT_IN_THIS_FORM, "", doubt, self.fastest, len(hows))
            if how
            else without_verdict(state, Event.NOT_EXIST, detail, doubt, self.fastest, len(hows))
            for state, how in zip(chunk.states, hows, strict=True)
        )
        return states, {index: how for index, how in enumerate(hows) if how}

    def _due_again(
        self, chunk: Chunk, states: Alike[NumberState], now_s: float, *, spare_tries: bool
    ) -> dict[int, Again]:
        """Return by index when to send the numbers again that a reply left open, in the same form.

        With `spare_tries` a number that the reply left out is sent again even if its tries are used up.
        """
        settings, clock = self._desk.settings, self._desk.clock
        again: dict[int, Again] = {}
        for index in states.where(lambda state: state.phase in IN_A_CALL or state.phase == Phase.PASSED_OVER):
            state, delay_s = states[index], None
            if state.phase in IN_A_CALL:
                used_s = self._desk.gate.sending_s - state.busy_since_s
                self.busy_until_s = max(self.busy_until_s, state.busy_since_s + settings.busy.budget_s)
                delay_s = busy_delay_s(settings.busy, state.busy_rounds, used_s, clock.draw())
            elif state.phase == Phase.PASSED_OVER and (spare_tries or state.attempts < settings.retry.tries):
                delay_s = backoff_s(settings.retry, state.attempts, clock.draw())
            if delay_s is not None:
                again[index] = Again(now_s + delay_s, chunk.numbers[index], chunk.form)
        return again


def _as_meant(chunk: Chunk, reply: Reply) -> Alike[Verdict]:
    """Return the verdicts of a reply, corrected for the form of the chunk and for unasked removals.

    A refusal in another form than the planned one means that the campaign does not have the number in this form. If the
    reply has a removal that nobody asked for, that may be the result of a number that is missing in the reply.
    """
    verdicts, changed = reply.verdicts, dict[int, Verdict]()
    if reply.unasked:
        detail = unasked_detail(reply.unasked)
        passed_over = verdicts.where(lambda verdict: verdict.event is Event.PASSED_OVER)
        changed |= {index: verdicts[index]._replace(detail=detail) for index in passed_over}
    if chunk.form:
        refused = verdicts.where(lambda verdict: verdict.event is Event.REFUSED)
        changed |= {
            index: verdicts[index]._replace(event=Event.NOT_EXIST)
            for index in refused
            if _is_about_the_form(chunk, index) and not verdicts[index].removed
        }
    # Rebuilt, to drop kinds that no number has any more: they may be impossible in this form.
    return Alike.of(changed.get(index, verdict) for index, verdict in enumerate(verdicts)) if changed else verdicts


def _is_about_the_form(chunk: Chunk, index: int = 0) -> bool:
    """Return whether a refusal of a number means its form: it was never found in this form."""
    state = chunk.states[index]
    return chunk.form > 0 and not state.removed and state.phase not in IN_A_CALL
