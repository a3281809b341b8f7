"""The course of a run: what happened when, in a few hundred figures for any count of numbers.

Time is the time of sending: the pauses between a run's sessions are left out, as in its totals. It is divided into at
most `MOST_PARTS` parts of equal length.

The module also estimates how long a run will still take, and knows the hours in which it may send: `20:00-06:00`,
`sat,sun 00:00-24:00`, in local wall-clock time. A window that ends at or before its beginning continues after midnight
and belongs to the day on which it begins: `fri 20:00-06:00` ends on Saturday morning. A window includes its first
minute, but not its last.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import accumulate
from math import ceil, floor
from typing import NamedTuple

from bulk_remove.core.lifecycle import IN_A_CALL, SETTLED, Phase, status_of
from bulk_remove.core.model import FINAL_STATUSES, NO_NUMBER, NumberState, OutcomeBlock, Status, harmless, mask
from bulk_remove.core.replies import SLOW_DOWNS

MOST_PARTS = 120  # as many bars as a phone's screen can show separately
_PART_LENGTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
REPLY_EDGES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
"""The upper edges of the bars of reply times; the last bar has no edge."""
MOST_ROUNDS = 6  # from this round on, numbers in a call are counted together
MOST_IDS = 5
MOST_EXAMPLES = 3
MOST_KINDS = 50


class SessionSpan(NamedTuple):
    """A time of sending, in Unix seconds, its limit in requests a second, why it ended, and its `--hours`, if any."""

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
    """An invalid cell, masked, and its place."""

    place: str
    cell: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The sessions one after the other, in seconds of sending."""

    sessions: tuple[SessionSpan, ...]
    by_clock: tuple[int, ...]  # their positions, in order of their beginning by the machine's clock
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
        """Return the part that contains a moment (Unix seconds), None before the first session.

        Anything after a session's end counts to its end. If the clock was set back between two sessions, a moment may
        be in both; it counts to the session that began later by the clock.
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
        """Return the limit of each part, in requests a second; the highest if sessions share a part."""
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
    """How often requests ended in one kind of fault, the first and the last time, and the first request ids."""

    def __init__(self) -> None:
        self.count = 0
        self.first_s = 0.0
        self.last_s = 0.0
        self.request_ids: list[str] = []

    def add(self, attempt: Attempt) -> None:
        """Count one more request."""
        self.first_s = self.first_s if self.count else attempt.begun_s
        self.last_s = attempt.begun_s
        self.count += 1
        if attempt.request_id and len(self.request_ids) < MOST_IDS:
            self.request_ids.append(attempt.request_id)


class Course:
    """Adds up the attempts and rows of a run. Its size does not grow with them."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        # By part of the time: requests begun, those that made the server ask to slow down, those without verdicts, and
        # numbers that got their final answer.
        self.requests, self.slow_down, self.faulted, self.final = ([0] * timeline.parts for _ in range(4))
        self.final_before = 0  # final answers of earlier runs
        self.final_untimed = 0  # those without a known time
        self.faults: dict[str, FaultKind] = {}
        self.replies = [0] * (len(REPLY_EDGES_S) + 1)
        self.waited = Counter[Status]()  # numbers that were in a call, by their result
        self.rounds = Counter[int]()  # by how often they were found in a call
        self.examples: dict[str, list[Example]] = {}  # invalid cells by reason

    def add_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Add requests that left, in order of their beginning."""
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
        """Add the rows of the input as they pass; a number counts once, with its first row."""
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


class Wait(NamedTuple):
    """The wait that the server asked for, in seconds: its length, and what is left of it."""

    asked_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of the run, in numbers."""

    phases: dict[str, int]  # numbers by the letter of their phase; `settled`, `in_a_call` and `unsent` sum them up
    requests: int  # requests sent in this session
    removed_records: int  # records that the server said it removed
    strangers: int  # numbers in replies that nobody asked for
    faults: dict[str, int]  # requests without verdicts, by kind
    rate: float  # the present limit in requests a second
    waiting: int  # numbers that will be sent again
    due_in_s: float | None = None
    """Seconds until the first of them is sent: None if none waits, below 0 if it is due already."""
    until_in_s: float | None = None  # seconds until the last possible request for numbers in a call; None if unknown
    failing_for_s: float | None = None
    """Seconds for which the server has answered nobody; None unless it is only probed."""
    under_way: int = 0  # requests that are being sent
    paused_for_s: float | None = None  # seconds for which the operator has paused the run; None while it goes on
    wait: Wait | None = None  # the wait that the server asked for, while it holds up all requests
    opens_s: float | None = None
    """When the hours in which the run may send begin, Unix seconds; None during these hours."""

    @property
    def settled(self) -> int:
        """Numbers that this run has finished."""
        return sum(count for phase, count in self.phases.items() if phase in SETTLED)

    @property
    def in_a_call(self) -> int:
        """Numbers that were in a call when last sent."""
        return sum(count for phase, count in self.phases.items() if phase in IN_A_CALL)

    @property
    def unsent(self) -> int:
        """Numbers without any answer yet."""
        return self.phases.get(Phase.UNSENT, 0)


RATE_WINDOW_S = 30.0


def speed(samples: Sequence[tuple[float, int]]) -> float:
    """Return the growth per second over samples of (time in seconds, count), oldest first; 0.0 while unknown."""
    if len(samples) < 2:  # noqa: PLR2004 - a speed needs two points
        return 0.0
    (began_s, first), (ended_s, last) = samples[0], samples[-1]
    return max(0.0, (last - first) / (ended_s - began_s)) if ended_s > began_s else 0.0


def remaining_s(unsent: int, numbers_per_second: float) -> float | None:
    """Return how long so many numbers take at this speed, in seconds; None while unknown."""
    return unsent / numbers_per_second if numbers_per_second > 0 else None


def rounded(value: float) -> float:
    """Return a value with two digits, or one decimal from ten on; it stays on the same side of a hundred."""
    if value < 10:  # noqa: PLR2004 - two digits
        return float(f"{value:.2g}")
    return (floor if value < 100 else ceil)(round(10 * value, 6)) / 10  # noqa: PLR2004 - the whole, in percent


def duration(seconds: float) -> str:
    """Return a length of time as people say it: `45 s`, `12 min 5 s`, `3:20 h`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004 - an hour
        return f"{whole // 60} min {whole % 60} s"
    return f"{timedelta(seconds=whole) // timedelta(hours=1)}:{whole % 3600 // 60:02d} h"


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY_MINUTES = 24 * 60
_WINDOW = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:[-,][a-z]{3})*) +)?"
    r"(?P<from_h>[01]?[0-9]|2[0-3]):(?P<from_m>[0-5][0-9]) *- *(?P<to_h>[01]?[0-9]|2[0-4]):(?P<to_m>[0-5][0-9])"
)


class Window(NamedTuple):
    """A time of day, in minutes from midnight."""

    begin: int
    end: int  # greater than `begin`, and than 1,440 if the window continues after midnight
    days: frozenset[int]  # on which it begins; 0 is Monday


def read_window(text: str) -> Window | None:
    """Return the window of a text such as `mon-fri 20:00-06:00`, None for any other text."""
    found = _WINDOW.fullmatch(text.strip().lower())
    days = _read_days(found["days"]) if found else frozenset[int]()
    if found is None or not days:
        return None
    begin = 60 * int(found["from_h"]) + int(found["from_m"])
    end = 60 * int(found["to_h"]) + int(found["to_m"])
    if end > _WHOLE_DAY_MINUTES:
        return None
    return Window(begin, end if end > begin else end + _WHOLE_DAY_MINUTES, days)


def _read_days(text: str | None) -> frozenset[int]:
    """Return the days of `mon-fri,sun`: all days for no text, no days if one is unknown."""
    if text is None:
        return frozenset(range(len(_DAYS)))
    days: set[int] = set()
    for part in text.split(","):
        first, *rest = part.split("-")
        if first not in _DAYS or len(rest) > 1 or not {*rest} <= {*_DAYS}:
            return frozenset()
        begin = _DAYS.index(first)
        length = (_DAYS.index(rest[0]) - begin) % len(_DAYS) if rest else 0
        days.update((begin + step) % len(_DAYS) for step in range(length + 1))
    return frozenset(days)


def is_open(windows: Sequence[Window], local: datetime) -> bool:
    """Return whether a run may send at a local time. Without windows it always may."""
    return not windows or any(begin <= local < end for begin, end in _around(windows, local, range(-1, 1)))


def next_opening(windows: Sequence[Window], local: datetime) -> datetime:
    """Return the next local time at which a run may send: `local` itself if it may send now."""
    if is_open(windows, local):
        return local
    return min(begin for begin, _ in _around(windows, local, range(len(_DAYS) + 1)) if begin > local)


def told_moment(moment: datetime, now: datetime) -> str:
    """Return a later moment as people say it: its time of day, with the date if it is not the next such time."""
    within_a_day = moment - now < timedelta(days=1)
    return f"{moment:%H:%M}" if within_a_day else f"{moment:%Y-%m-%d %H:%M}"


def _around(windows: Iterable[Window], local: datetime, days: range) -> Iterable[tuple[datetime, datetime]]:
    """Return the beginnings and ends of the windows that begin so many days from a local time."""
    midnight = datetime.combine(local.date(), time())
    for offset in days:
        day = midnight + timedelta(days=offset)
        for window in windows:
            if day.weekday() in window.days:
                yield day + timedelta(minutes=window.begin), day + timedelta(minutes=window.end)
