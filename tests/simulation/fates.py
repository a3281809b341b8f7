"""What may become of a request, and how often: the climate of a world."""

import random
from dataclasses import dataclass, replace
from enum import StrEnum


class Fate(StrEnum):
    """What the server's side makes of one request. Whether it acts is part of the name where it could be either."""

    ANSWERED = "answered"
    DROPPED_BEFORE = "dropped before the act"
    DROPPED_AFTER = "dropped after the act"
    SWALLOWED = "swallowed"
    LATE = "acted and answered too late"
    FAILED_BEFORE = "failed before the act"
    FAILED_AFTER = "failed after the act"
    CUT = "reply cut short after the act"
    HTML_BEFORE = "a page of HTML instead of the act"
    HTML_AFTER = "a page of HTML after the act"
    THROTTLED = "throttled"
    OVERLOADED = "overloaded"
    UNREACHED = "not reached"
    DENIED = "denied"
    TOO_LONG = "too long"
    RAW = "refused for its brackets"
    POISONED = "refused for a number"
    TRIPPED = "failed over a number"
    REFUSED_AFTER = "refused after the act"
    REFUSED_MIDWAY = "refused midway through the act"
    DENIED_AFTER = "denied after the act"
    POISONED_MIDWAY = "refused over a number midway through the act"


MIDWAY = frozenset({Fate.REFUSED_MIDWAY, Fate.POISONED_MIDWAY})
"""The server removes what was asked for, of the first so many numbers."""
REFUSED_LATE = MIDWAY | {Fate.REFUSED_AFTER, Fate.DENIED_AFTER}
"""The server says no, though it has acted."""
ACTS = REFUSED_LATE | {
    Fate.ANSWERED,
    Fate.DROPPED_AFTER,
    Fate.LATE,
    Fate.FAILED_AFTER,
    Fate.CUT,
    Fate.HTML_AFTER,
}
"""The server removes what was asked for."""
AT_THE_DOOR = frozenset(
    {Fate.THROTTLED, Fate.OVERLOADED, Fate.UNREACHED, Fate.DENIED, Fate.TOO_LONG, Fate.RAW, Fate.POISONED}
)
"""Decided before the server looks for anything: mostly at once, and now and then after a wait in a queue."""

_MISHAPS = (
    Fate.DROPPED_BEFORE,
    Fate.DROPPED_AFTER,
    Fate.SWALLOWED,
    Fate.LATE,
    Fate.FAILED_BEFORE,
    Fate.FAILED_AFTER,
    Fate.CUT,
    Fate.HTML_BEFORE,
    Fate.HTML_AFTER,
    Fate.THROTTLED,
    Fate.OVERLOADED,
    Fate.UNREACHED,
    Fate.REFUSED_AFTER,
    Fate.REFUSED_MIDWAY,
)
_OUTAGES = (
    Fate.UNREACHED,
    Fate.OVERLOADED,
    Fate.SWALLOWED,
    Fate.FAILED_BEFORE,
    Fate.FAILED_AFTER,
    Fate.DROPPED_BEFORE,
    Fate.REFUSED_AFTER,
)


@dataclass(frozen=True, slots=True)
class Climate:
    """How a world treats requests. `storms` are (begin, end, fate) in virtual seconds, `mishaps` a share of requests.

    `most_numbers` is the longest request that the server takes, `tokens_per_s` what its limiter lets through (0 = no
    limiter), `denials` how many requests it denies by mistake. `respelling` and `strangers` are shares of replies.
    Nothing is carried out in less than `latency_s`, nor, if all goes well, in twice that.

    `denied_as` are the statuses of denials, `too_long_as` what becomes of a request that is too long (0: the connection
    breaks). A URL with more than `uncut` numbers is cut in the next one. `misspelling`, `repeating` and `dressing` are
    shares of replies: that give a number's verdict to another, that name a number twice, that PHP has put its mark on.
    With `errors_in_200` a refusal for a number has status 200. `trickling` is the share of replies whose body comes
    long after their head. Where it is `sized`, a smaller request takes less time, down to `LEAST_SHARE`. Of a request
    with raw brackets only the last `raw_read` numbers are read; it is refused as `raw_as`, if that is not None.
    """

    mishaps: float
    kinds: tuple[Fate, ...]
    storms: tuple[tuple[float, float, Fate], ...]
    latency_s: float
    most_numbers: int
    tokens_per_s: float
    denials: int
    respelling: float
    strangers: float
    denied_as: tuple[int, ...] = (401,)
    too_long_as: int = 414
    uncut: int = 1_000
    misspelling: float = 0.0
    repeating: float = 0.0
    dressing: float = 0.0
    errors_in_200: bool = False
    trickling: float = 0.0
    sized: bool = False
    raw_read: int = 1_000
    raw_as: int | None = None

    def weather(self, now_s: float) -> Fate | None:
        """Return the fate of every request of this moment, if they all share one."""
        return next((fate for began_s, ended_s, fate in self.storms if began_s <= now_s < ended_s), None)

    def calmed(self) -> "Climate":
        """Return the climate in which the same server answers every request, as fast as before."""
        return Climate(
            0.0,
            (),
            (),
            self.latency_s,
            1_000,
            0.0,
            0,
            0.0,
            0.0,
            sized=self.sized,
            raw_read=self.raw_read,
            raw_as=self.raw_as,
        )


_ERRORS_IN_200 = 1 / 4
LEAST_SHARE = 0.25
"""So much of the time of the largest request any request takes, however small."""


def climate(dice: random.Random, more: random.Random, latest: random.Random, brackets: random.Random) -> Climate:
    """Draw a climate; the dice after the first draw what came later, so that they change nothing drawn before."""
    drawn = _climate(dice)
    return replace(
        drawn,
        storms=(*drawn.storms, *(_denials(more) for _ in range(more.choice((0,) * 9 + (1,))))),
        denials=more.choice((0,) * 6 + (1, 1, 2, 5)),
        denied_as=tuple(more.sample((401, 403, 404, 302), more.randint(1, 4))),
        too_long_as=more.choice((414, 414, 400, 403, 404, 302, 500, 0)),
        uncut=more.choice((1_000,) * 5 + (more.randint(1, 10),)),
        misspelling=more.choice((0.0,) * 7 + (0.1,)),
        repeating=more.choice((0.0, 0.0, 0.0, 0.3)),
        dressing=more.choice((0.0, 0.0, 0.0, 0.5)),
        errors_in_200=more.random() < _ERRORS_IN_200,
        trickling=latest.choice((0.0, 0.0, 0.0, 1.0)),
        sized=latest.choice((False, True)),
        raw_read=brackets.choice((1_000,) * 4 + (0, 1)),
        raw_as=brackets.choice((None,) * 4 + (0, 400, 403, 404, 414)),
    )


def _climate(dice: random.Random) -> Climate:
    return Climate(
        mishaps=dice.choice((0.0, 0.05, 0.15, 0.3, 0.5)),
        kinds=tuple(dice.sample(_MISHAPS, dice.randint(1, len(_MISHAPS)))),
        storms=tuple(_storm(dice) for _ in range(dice.choice((0, 0, 1, 2)))),
        latency_s=dice.choice((0.01, 0.2, 2.0)),
        most_numbers=dice.choice((1_000, 1_000, 1_000, dice.randint(1, 10))),
        tokens_per_s=dice.choice((0.0, 0.0, 0.0, 0.5, 2.0, 10.0)),
        denials=dice.choice((0,) * 8 + (1, 2)),
        respelling=dice.choice((0.0, 0.0, 0.3)),
        strangers=dice.choice((0.0, 0.0, 0.3)),
    )


def _denials(dice: random.Random) -> tuple[float, float, Fate]:
    """Draw a time in which everything is denied; from the shorter ones a run recovers."""
    began_s = dice.uniform(0.0, dice.choice((5.0, 100.0)))
    return began_s, began_s + dice.choice((1.0, 8.0, 1500.0)), Fate.DENIED


def _storm(dice: random.Random) -> tuple[float, float, Fate]:
    began_s = dice.uniform(0.0, dice.choice((20.0, 1000.0)))
    return began_s, began_s + dice.choice((20.0, 120.0, 700.0, 1500.0)), dice.choice(_OUTAGES)
