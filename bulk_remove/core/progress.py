"""How far a run is, and how long it will still take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil, floor
from typing import NamedTuple

from bulk_remove.core.lifecycle import IN_A_CALL, SETTLED, Phase


class Wait(NamedTuple):
    """What the server asked for, in seconds: how long to send nothing, and how much of the wait is left."""

    asked_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of the run, in numbers."""

    phases: dict[str, int]
    """Numbers by the letter of their phase; `settled`, `in_a_call` and `unsent` sum them up."""
    requests: int
    """Requests sent in this session."""
    removed_records: int
    """Records that the server said it removed."""
    strangers: int
    """Numbers that replies spoke of although nobody asked for them."""
    faults: dict[str, int]
    """Requests without verdicts, by kind."""
    rate: float
    """How many requests a second may be sent just now."""
    waiting: int
    """Numbers that will be asked for again."""
    due_in_s: float | None = None
    """In how many seconds the first of them is: None when none waits, below 0 when it is due already."""
    failing_for_s: float | None = None
    """For how many seconds the server has answered nobody; None unless it is only probed."""
    under_way: int = 0
    """Requests that are being sent."""
    paused_for_s: float | None = None
    """For how many seconds the operator has held the run; None while it goes on."""
    wait: Wait | None = None
    """The wait that the server asked for, while nothing is sent because of it."""
    opens_s: float | None = None
    """When the hours in which the run may send begin, Unix seconds; None within them."""

    @property
    def settled(self) -> int:
        """Numbers that this run is done with."""
        return sum(count for phase, count in self.phases.items() if phase in SETTLED)

    @property
    def in_a_call(self) -> int:
        """Numbers that were in a call when last asked for."""
        return sum(count for phase, count in self.phases.items() if phase in IN_A_CALL)

    @property
    def unsent(self) -> int:
        """Numbers that no request has carried to an answer yet."""
        return self.phases.get(Phase.UNSENT, 0)


RATE_WINDOW_S = 30.0


def speed(samples: Sequence[tuple[float, int]]) -> float:
    """Return the growth a second over samples of (time in seconds, count), oldest first; 0.0 while unknown."""
    if len(samples) < 2:  # noqa: PLR2004 - a speed needs two points
        return 0.0
    (began_s, first), (ended_s, last) = samples[0], samples[-1]
    return max(0.0, (last - first) / (ended_s - began_s)) if ended_s > began_s else 0.0


def remaining_s(unsent: int, numbers_per_second: float) -> float | None:
    """Return how long the numbers not yet asked for will take at this speed, in seconds; None while unknown.

    What waits for calls to end is not in it: nobody knows how long people talk.
    """
    return unsent / numbers_per_second if numbers_per_second > 0 else None


def rounded(value: float) -> float:
    """Return a value with two digits, or from ten on with one decimal; what is less or more than hundred stays so."""
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
