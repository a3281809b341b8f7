"""What the operator's keys do to a run that sends: hold it, or have it use less of its ceilings. Never more."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor

from bulk_remove.core.rate import FLOOR
from bulk_remove.core.throttle import Ceilings
from bulk_remove.language import phrase

SHARES = (0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
"""The steps of `+` and `-`: shares of the ceilings, each about two thirds of the next."""


class Key(StrEnum):
    """A key that means something."""

    PAUSE = "p"
    FASTER = "+"
    SLOWER = "-"
    STOP = "q"


_ALSO = {"=": Key.FASTER, "_": Key.SLOWER}
"""The same keys with and without Shift, on the keyboards where that makes the difference."""

LEGEND = "Keys: p pauses and goes on, - slows down, + speeds up again, q stops safely."


def key_of(typed: str) -> Key | None:
    """Return the key that a character means, None for one that means nothing."""
    if typed in _ALSO:
        return _ALSO[typed]
    return Key(typed.lower()) if typed.lower() in set(Key) else None


@dataclass(frozen=True, slots=True)
class Steering:
    """What the operator wants just now: the ceilings to keep to, at most those `given`, and whether to hold still."""

    given: Ceilings
    ceilings: Ceilings
    paused: bool = False


def steering_from(given: Ceilings) -> Steering:
    """Return the state at the start: all that was given may be used."""
    return Steering(given, given)


def ladder(given: Ceilings) -> tuple[Ceilings, ...]:
    """Return the ceilings of all steps, the lowest first, those given last."""
    return tuple(dict.fromkeys(_eased(given, share) for share in SHARES))


def _eased(given: Ceilings, share: float) -> Ceilings:
    rate = max(share * given.rate, min(FLOOR, given.rate))
    return replace(given, rate=rate, at_once=max(1, floor(share * given.at_once + 0.5)))


def pressed(steering: Steering, key: Key) -> tuple[Steering, str]:
    """Return what the operator wants after a key other than STOP, and the sentence that answers it."""
    if key is Key.PAUSE:
        if steering.paused:
            return replace(steering, paused=False), "Going on."
        held = "Paused: no new request leaves; those under way finish. p goes on."
        return replace(steering, paused=True), held
    steps = ladder(steering.given)
    step = steps.index(steering.ceilings) + (1 if key is Key.FASTER else -1)
    if step == len(steps):
        return steering, phrase("Not above what was given: {told}.", told=_told(steering.ceilings))
    if step < 0:
        return steering, phrase("This is the slowest: {told}. p pauses.", told=_told(steering.ceilings))
    answer = "Faster: {told}." if key is Key.FASTER else "Slower: {told}."
    return replace(steering, ceilings=steps[step]), phrase(answer, told=_told(steps[step]))


def _told(ceilings: Ceilings) -> str:
    return phrase("at most {rate:,.10g} requests/s and {at_once} at once", rate=ceilings.rate, at_once=ceilings.at_once)
