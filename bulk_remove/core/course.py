"""The course of a run: what happened when, in some hundreds of figures however many numbers there were.

Time is the time of sending: the pauses between the sessions of a run are left out, as they are in its totals. It is
cut into at most `MOST_PARTS` parts of one length.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import NamedTuple

from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.model import FINAL_STATUSES, NO_NUMBER, NumberState, OutcomeBlock, Status, harmless, mask
from bulk_remove.core.replies import SLOW_DOWNS

MOST_PARTS = 120
"""As many bars as a telephone's screen can still tell apart."""
_PART_LENGTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
REPLY_EDGES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
"""Where one bar of the reply times ends and the next begins; the last has no end."""
MOST_ROUNDS = 6
"""From so many rounds on, numbers in a call are counted together."""
MOST_IDS = 5
MOST_EXAMPLES = 3
MOST_KINDS = 50


class SessionSpan(NamedTuple):
    """A time of sending, in Unix seconds, its ceiling in requests a second, why it ended, and its `--hours`, if any."""

    began_s: float
    ended_s: float
    rate: float
    ending: str
    hours: tuple[str, ...] = ()


class Attempt(NamedTuple):
    """One request: times in Unix seconds, `result` is 'verdicts' or the kind of the fault."""

    begun_s: float
    ended_s: float
    result: str
    request_id: str


class Example(NamedTuple):
    """An invalid cell, masked, and where it stands."""

    place: str
    cell: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The sessions one after the other.

    `starts_s` are their beginnings in seconds of sending, `total_s` is the end; there are `parts` of `part_s` seconds.
    `by_clock` are the places of the sessions in the order in which they began by the machine's clock.
    """

    sessions: tuple[SessionSpan, ...]
    by_clock: tuple[int, ...]
    starts_s: tuple[float, ...]
    total_s: float
    part_s: int
    parts: int

    @classmethod
    def of(cls, sessions: Sequence[SessionSpan]) -> "Timeline":
        """Lay out the sessions (at least one, in order)."""
        *starts_s, total_s = accumulate((max(0.0, span.ended_s - span.began_s) for span in sessions), initial=0.0)
        part_s = next((length for length in _PART_LENGTHS_S if total_s <= length * MOST_PARTS), 0)
        part_s = part_s or ceil(total_s / MOST_PARTS)
        by_clock = tuple(sorted(range(len(sessions)), key=lambda index: sessions[index].began_s))
        return cls(tuple(sessions), by_clock, tuple(starts_s), total_s, part_s, max(1, ceil(total_s / part_s)))

    def part_of(self, moment_s: float) -> int | None:
        """Return the part in which a moment (Unix seconds) lies, None before the first session.

        What happened after a session's end counts to its end. Where the clock was set back between two sessions, a
        moment may lie in both; it counts to the one that began later by the clock.
        """
        place = bisect_right(self.by_clock, moment_s, key=lambda index: self.sessions[index].began_s)
        if not place:
            return None
        begun = self.by_clock[place - 1 :: -1]
        index = next((index for index in begun if moment_s <= self.sessions[index].ended_s), begun[0])
        span = self.sessions[index]
        after_s = min(moment_s, max(span.began_s, span.ended_s)) - span.began_s
        return min(self.parts - 1, int((self.starts_s[index] + after_s) / self.part_s))

    def moment_s(self, part: int) -> float:
        """Return when a part begins, in Unix seconds."""
        index = bisect_right(self.starts_s, part * self.part_s) - 1
        return self.sessions[index].began_s + part * self.part_s - self.starts_s[index]

    def ceilings(self) -> list[float]:
        """Return the ceiling of each part, in requests a second; the highest where sessions share one."""
        ends_s = (*self.starts_s[1:], self.total_s)
        return [
            max(
                span.rate
                for span, start_s, end_s in zip(self.sessions, self.starts_s, ends_s, strict=True)
                if start_s < (part + 1) * self.part_s and end_s >= part * self.part_s
            )
            for part in range(self.parts)
        ]


class FaultKind:
    """How often requests ended in one kind of fault, when first and last, and the first request ids given."""

    def __init__(self) -> None:
        self.count = 0
        self.first_s = 0.0
        self.last_s = 0.0
        self.request_ids: list[str] = []

    def add(self, attempt: Attempt) -> None:
        """Count one more."""
        self.first_s = self.first_s if self.count else attempt.begun_s
        self.last_s = attempt.begun_s
        self.count += 1
        if attempt.request_id and len(self.request_ids) < MOST_IDS:
            self.request_ids.append(attempt.request_id)


class Course:
    """Adds up what passes; its size does not grow with it.

    By part of the time: `requests` begun, those of them by which the server asked to `slow_down`, those without
    verdicts (`faulted`), and numbers that got their `final` answer. `final_before` counts final answers of earlier
    runs, `final_untimed` those of which no moment is known. `waited` counts the numbers that were in a call by what
    became of them, `rounds` by how often they were found in one. `examples` are invalid cells by reason.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.requests = [0] * timeline.parts
        self.slow_down = [0] * timeline.parts
        self.faulted = [0] * timeline.parts
        self.final = [0] * timeline.parts
        self.final_before = 0
        self.final_untimed = 0
        self.faults: dict[str, FaultKind] = {}
        self.replies = [0] * (len(REPLY_EDGES_S) + 1)
        self.waited = Counter[Status]()
        self.rounds = Counter[int]()
        self.examples: dict[str, list[Example]] = {}

    def add_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Add requests that left, in the order in which they began."""
        for attempt in attempts:
            part = self.timeline.part_of(attempt.begun_s) or 0
            self.requests[part] += 1
            if attempt.result == "verdicts":
                self.replies[bisect_right(REPLY_EDGES_S, attempt.ended_s - attempt.begun_s)] += 1
            else:
                self.faulted[part] += 1
                self.slow_down[part] += attempt.result in SLOW_DOWNS
                self.faults.setdefault(attempt.result, FaultKind()).add(attempt)

    def through(self, blocks: Iterable[OutcomeBlock]) -> Iterator[OutcomeBlock]:
        """Add the rows of the input while they pass; a number counts once, with its first row."""
        for block in blocks:
            for state, count in block.states.counted():
                self._add(state, count)
            for place in block.duplicate_of:
                self._add(block.states[place], -1)
            for place in block.states.where(lambda state: state.phase == NO_NUMBER):
                self._add_example(block.states[place].detail, block, place)
            yield block

    def _add(self, state: NumberState, numbers: int) -> None:
        if state.phase == NO_NUMBER:
            return
        status = status_of(state.phase)
        if state.busy_rounds:
            self.waited[status] += numbers
            self.rounds[min(state.busy_rounds, MOST_ROUNDS)] += numbers
        if status in FINAL_STATUSES:
            part = self.timeline.part_of(state.answered_at_s)
            if part is not None:
                self.final[part] += numbers
            elif state.answered_at_s:
                self.final_before += numbers
            else:
                self.final_untimed += numbers

    def _add_example(self, reason: str, block: OutcomeBlock, place: int) -> None:
        if reason not in self.examples and len(self.examples) == MOST_KINDS:
            return
        known = self.examples.setdefault(reason, [])
        if len(known) < MOST_EXAMPLES:
            known.append(Example(f"{harmless(block.source.file)}, row {block.rows[place]}", mask(block.cells[place])))
