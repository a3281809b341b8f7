"""What follows an answer: states moved, written down, and only then counted and told."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bulk_remove.adapters.pool.feeder import Feeder
from bulk_remove.adapters.pool.gate import Gate
from bulk_remove.adapters.pool.halt import Halt
from bulk_remove.adapters.pool.ports import Clock, Journal, Steps
from bulk_remove.adapters.pool.tally import Tally
from bulk_remove.core.alike import Alike
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.forms import Forms
from bulk_remove.core.hours import Window
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
from bulk_remove.core.line_length import LineLength
from bulk_remove.core.model import Again, Chunk, NumberState
from bulk_remove.core.replies import Effect, Fault, Reply, doubt_us
from bulk_remove.core.request_size import RequestSize, timed
from bulk_remove.core.retry import BusyPolicy, RetryPolicy, Step, backoff_s, busy_delay_s
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Ceilings
from bulk_remove.core.unasked import unasked_detail
from bulk_remove.core.verdicts import Verdict
from bulk_remove.language import counted, ours, phrase

log = logging.getLogger("bulk_remove.pool")

REFUSED_ALONE = 10
"""So many single numbers refused in a row, with no reply between them: the server refuses the request, not a number."""

Settled = Callable[[Sequence[str], Sequence[NumberState]], None]


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The ceilings and the policies for asking again.

    `forms` are those in which a number that is not there is asked for again. `longest_line` is the longest request
    line that the server is known to take, in bytes; None while unknown. `size` is how many numbers a request may hold
    at the start. `windows` are the hours in which to send, always where there are none. `until_s` is the deadline. Both
    are held against the machine's clock: local time, and Unix seconds (None: there is none).
    """

    ceilings: Ceilings
    retry: RetryPolicy
    busy: BusyPolicy
    forms: Forms
    size: RequestSize
    longest_line: int | None = None
    windows: tuple[Window, ...] = ()
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What the workers share: who keeps time, the pace, the books and the queue.

    `on_settled` is told the numbers of a chunk and their states once they are on disk.
    """

    settings: PoolSettings
    journal: Journal
    clock: Clock
    halt: Halt
    gate: Gate
    feeder: Feeder
    tally: Tally
    shape_of: Callable[[str], RequestShape]
    on_settled: Settled


class Bookkeeper:
    """Writes every answer to the ledger, then counts it.

    `line` is what is known of how long a request line the server takes; `size` follows how long its replies take, and
    `fastest` is the fastest of them, in all sessions of the run: the ledger keeps it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.fastest = self._kept = NOTHING_SEEN
        self.line = LineLength(desk.settings.longest_line)
        self.size = desk.settings.size
        self._went_through = 0
        self._refused_alone = Counter[int]()
        self._refused_forms: set[int] = set()

    def took(self, chunk: Chunk, took_us: int, whole_us: int, answer: Reply | Fault) -> None:
        """Take note how long a request took, if that says something of its size or of the time that others need.

        It took so long until the head of its reply was here, and `whole_us` until its body was.
        """
        if isinstance(answer, Reply):
            self.fastest = self.fastest.and_reply(took_us, len(chunk.numbers))
        if isinstance(answer, Reply) or answer.effect is Effect.IN_DOUBT:
            most = self.size.most
            self.size = timed(self.size, len(chunk.numbers), whole_us, answered=isinstance(answer, Reply))
            if self.size.most < most:
                log.warning("replies are slow: from now on %d numbers in a request at most", self.size.most)

    async def begin(self) -> None:
        """Take up what earlier sessions have seen. Raises StorageError."""
        self.fastest = self._kept = await self._desk.journal.write(lambda steps: steps.fastest())

    async def replied(self, chunk: Chunk, attempt_id: int, reply: Reply) -> None:
        """Settle a chunk by a reply; numbers that it left open are to be asked for again. Raises StorageError."""
        desk = self._desk
        now_s = desk.clock.wall_s()
        if reply.unasked:
            desk.halt.call(Ending.UNASKED)  # before anything else is sent
            log.error("chunk %d: %s", chunk.chunk_id, unasked_detail(reply.unasked, masked=True))
        verdicts = _as_meant(chunk, reply)
        other_forms = self._other_forms(chunk, verdicts, now_s) if desk.settings.forms.others else {}
        verdicts = verdicts.but(dict.fromkeys(other_forms, Verdict(Event.NOT_IN_THIS_FORM)))
        states = self._moved(chunk, verdicts, now_s)
        again = {**self._due_again(chunk, states, now_s), **other_forms}
        kept, self._kept = self._kept, self.fastest

        def write(steps: Steps) -> None:
            steps.settle(chunk, states, again)
            steps.end_attempt(attempt_id, now_s, "verdicts", "", reply.strangers, reply.unasked)
            if self._kept != kept:
                steps.keep_fastest(self._kept)

        await desk.journal.write(write)
        desk.gate.answered()
        self._refused_alone[chunk.form] = 0
        self._went_through += len(states) - len(again)
        line_bytes = self._line_of(chunk) if chunk.chunk_id in self.line.splits else 0
        self._learn(self.line.answered(chunk.chunk_id, len(chunk.numbers), line_bytes))
        if reply.strangers:
            self._heed_strangers(chunk, reply)
        self._settled(chunk, states, again)

    def _heed_strangers(self, chunk: Chunk, reply: Reply) -> None:
        """Take note of numbers that nobody asked for; where the URL was cut for them, the next ones are shorter."""
        self._desk.tally.strangers(reply.strangers)
        log.warning("chunk %d: the reply spoke of %d numbers unasked", chunk.chunk_id, reply.strangers)
        if reply.unasked or reply.cut_at is not None:
            arrived = len(chunk.numbers) // 2 if reply.cut_at is None else reply.cut_at
            self._learn(self.line.at_most(self._line_of(replace(chunk, numbers=chunk.numbers[: max(1, arrived)]))))

    def _learn(self, line: LineLength) -> None:
        if line.longest != self.line.longest:
            log.warning("long requests do not get through: from now on %d bytes at most", line.longest)
        self.line = line

    def _line_of(self, chunk: Chunk) -> int:
        return self._desk.shape_of(chunk.campaign).line_bytes(*chunk.numbers)

    def _moved(self, chunk: Chunk, verdicts: Alike[Verdict], now_s: float) -> Alike[NumberState]:
        """Return the numbers' states after a reply. The time of those in a call stands still when nobody could ask."""
        sending_s = self._desk.gate.sending_s

        def move(state: NumberState, verdict: Verdict) -> NumberState:
            after = with_verdict(state, verdict.event, verdict.removed, (), verdict.detail, now_s, self.fastest)
            found_just_now = after.busy_since_s != state.busy_since_s
            return after._replace(busy_since_s=sending_s) if found_just_now else after

        return chunk.states.joined(verdicts, move)

    async def skip(self, chunk: Chunk) -> bool:
        """Go on to the next form where the server refuses this one; True when the chunk need not be sent.

        Numbers that were found in this form, or got no answer in it, are asked for nevertheless. Raises StorageError.
        """
        if chunk.form not in self._refused_forms or chunk.states.where(_was_asked_for):
            return False
        now_s = self._desk.clock.wall_s()
        states, again = self._past_this_form(chunk, "", now_s, 0)
        # Nothing was sent, so the attempt that a refusal counts is not one.
        states = states.each(lambda state: state._replace(attempts=state.attempts - 1))

        def write(steps: Steps) -> None:
            steps.settle(chunk, states, again)
            steps.end_unsent(chunk.chunk_id, now_s)

        await self._desk.journal.write(write)
        self._settled(chunk, states, again)
        return True

    async def cut(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Halve a chunk that is known to be too long or too slow; returns the halves, none if it may go."""
        desk = self._desk
        if len(chunk.numbers) <= self.size.most and not self._is_too_long(chunk):
            return ()
        now_s = desk.clock.wall_s()

        def write(steps: Steps) -> tuple[Chunk, ...]:
            halves = steps.split(chunk, chunk.states, now_s)
            steps.end_unsent(chunk.chunk_id, now_s)
            return halves

        halves = await desk.journal.write(write)
        self._parted(chunk, halves, suspect=False)
        desk.tally.moved(chunk.states, chunk.states, len(chunk.states) if chunk.first else 0)
        return halves

    def _is_too_long(self, chunk: Chunk) -> bool:
        return self.line.longest is not None and len(chunk.numbers) > 1 and self._line_of(chunk) > self.line.longest

    def _parted(self, chunk: Chunk, halves: Sequence[Chunk], *, suspect: bool) -> None:
        parts = [half.chunk_id for half in halves]
        self.line = self.line.parted(chunk.chunk_id, parts, len(chunk.numbers), suspect=suspect)

    async def faulted(
        self, chunk: Chunk, attempt_id: int, fault: Fault, took_us: int | None, step: Step
    ) -> tuple[Chunk, tuple[Chunk, ...]]:
        """Write what a fault left behind and take the step; returns the chunk as it now is, and its halves if split.

        `took_us` is how long the request took, None if it never departed. Raises StorageError.
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
        # Of a request refused as a whole nobody knows yet which number was meant.
        detail = "" if splits and fault.effect is Effect.REFUSED else fault.detail
        if alone and _is_about_the_form(chunk):
            states, again = self._past_this_form(chunk, detail, now_s, doubt)
        else:
            states = chunk.states.each(
                lambda state: without_verdict(state, event, detail, doubt, self.fastest, numbers)
            )
        closes = alone or step is Step.GIVE_UP

        def write(steps: Steps) -> tuple[Chunk, ...]:
            halves: tuple[Chunk, ...] = ()
            if splits:
                halves = steps.split(chunk, states, now_s, first=1 if step is Step.PROBE else None)
            elif closes:
                steps.settle(chunk, states, again)
            else:
                steps.keep_states(chunk, states)
            steps.end_attempt(attempt_id, now_s, fault.kind, fault.request_id, 0)
            return halves

        halves = await desk.journal.write(write)
        desk.tally.fault(fault)
        desk.gate.faulted(fault, splits=step is Step.SPLIT)
        if fault.too_long and splits:
            self._learn(self.line.at_most(max(map(self._line_of, halves))))
        elif splits:
            self._parted(chunk, halves, suspect=fault.may_be_length)
        elif closes:
            self.line = self.line.blamed(chunk.chunk_id)
        self._refused_alone[chunk.form] += alone
        if closes:
            self._settled(chunk, states, again)
        else:
            desk.tally.moved(chunk.states, states, len(states) if splits and chunk.first else 0)
        self._end_if_hopeless(fault, step)
        return replace(chunk, states=states), halves

    def _settled(self, chunk: Chunk, states: Alike[NumberState], again: Mapping[int, Again]) -> None:
        desk = self._desk
        waited = 0 if chunk.first else len(states)
        desk.tally.moved(chunk.states, states, len(again) - waited)
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
        """Return a denial with since when it is so, where the server let requests through before."""
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
        """Return by index how the numbers that are not there in this form are to be asked for in the next one."""
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
        """Return what follows when a form is refused: the next form, or that the number does not exist."""
        hows = [self._next_form(number, now_s) for number in chunk.numbers]
        states = Alike.of(
            without_verdict(state, Event.NOT_IN_THIS_FORM, "", doubt, self.fastest, len(hows))
            if how
            else without_verdict(state, Event.NOT_EXIST, detail, doubt, self.fastest, len(hows))
            for state, how in zip(chunk.states, hows, strict=True)
        )
        return states, {index: how for index, how in enumerate(hows) if how}

    def _due_again(self, chunk: Chunk, states: Alike[NumberState], now_s: float) -> dict[int, Again]:
        """Return by index when the numbers that a reply left open are to be asked for again, as they were."""
        settings, clock = self._desk.settings, self._desk.clock
        again: dict[int, Again] = {}
        for index in states.where(_is_open):
            state, delay_s = states[index], None
            if state.phase in IN_A_CALL:
                used_s = self._desk.gate.sending_s - state.busy_since_s
                delay_s = busy_delay_s(settings.busy, state.busy_rounds, used_s, clock.draw())
            elif state.phase == Phase.PASSED_OVER and state.attempts < settings.retry.tries:
                delay_s = backoff_s(settings.retry, state.attempts, clock.draw())
            if delay_s is not None:
                again[index] = Again(now_s + delay_s, chunk.numbers[index], chunk.form)
        return again


def _as_meant(chunk: Chunk, reply: Reply) -> Alike[Verdict]:
    """Return the verdicts of a reply, as they count for numbers in this form.

    A number refused in another form than planned is not in the campaign in it. Where the reply names a removal that
    nobody asked for, that may be what became of a number of which it does not speak.
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
    # No kind may stay that is no number's any more: it may not be possible in this form.
    return Alike.of(changed.get(index, verdict) for index, verdict in enumerate(verdicts)) if changed else verdicts


def _was_asked_for(state: NumberState) -> bool:
    """Tell whether a number was found in the form in which it stands, or got no answer in it."""
    return state.phase not in BETWEEN_FORMS


def _is_open(state: NumberState) -> bool:
    """Tell whether a reply left a number to be asked for again as it is."""
    return state.phase in IN_A_CALL or state.phase == Phase.PASSED_OVER


def _is_about_the_form(chunk: Chunk, index: int = 0) -> bool:
    """Tell whether the refusal of a single number is about its form: it was never found in it."""
    state = chunk.states[index]
    return chunk.form > 0 and not state.removed and state.phase not in IN_A_CALL
