"""The clocks of a world: ours, which somebody sets while the run goes on, and the server's, which may be far off."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from tests.support.virtual_time import BEGAN_S, Shifts, VirtualClock, shift_s

_HOUR_S = 3600.0
_SET = 1 / 2
"""The share of runs in which our clock is set, once or several times."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """`clock_set` is when our clock is set and by how much, `server_ahead_s` how far the server's is ahead.

    Both are held against virtual time, in seconds since `BEGAN_S`.
    """

    clock_set: Shifts
    server_ahead_s: float

    def shown_s(self, now_s: float) -> float:
        """Return what our clock shows at a virtual time, Unix seconds."""
        return BEGAN_S + now_s + shift_s(self.clock_set, now_s)

    def server_s(self, now_s: float) -> float:
        """Return what the server's clock shows at a virtual time, Unix seconds."""
        return BEGAN_S + now_s + self.server_ahead_s

    def latest_s(self, from_s: float, to_s: float) -> float:
        """Return the latest moment that our clock shows in a time, Unix seconds."""
        turns = [moment for at_s, _ in self.clock_set for moment in (at_s - 1e-3, at_s) if from_s <= moment <= to_s]
        return max(map(self.shown_s, (from_s, *turns, to_s)))


class DrawingClock(VirtualClock):
    """The clocks of one session, with seeded chance."""

    def __init__(self, clocks: Clocks, dice: random.Random) -> None:
        super().__init__(clock_set=clocks.clock_set)
        self.draw = dice.random  # type: ignore[method-assign]


def clocks(seed: int) -> Clocks:
    """Draw the clocks of a seed."""
    dice = random.Random(f"clocks {seed}")
    times = dice.choice((1, 1, 2, 4)) if dice.random() < _SET else 0
    ahead_s = dice.choice((0.0, 0.0, -_HOUR_S, _HOUR_S, 30.0, -400 * 24 * _HOUR_S))
    return Clocks(tuple(_settings(dice, times)), ahead_s)


def _settings(dice: random.Random, times: int) -> Iterable[tuple[float, float]]:
    for _ in range(times):
        yield 3000.0 ** dice.random() - 1.0, dice.choice((-_HOUR_S, _HOUR_S, -40.0, 40.0, -24 * _HOUR_S))
