"""When the operator held a run. That time counts against nobody: not against the server, not against a number.

Times in microseconds of one monotonic clock.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses of a session: those that are `over`, as (from, to), and since when one lasts, None while none does."""

    since_us: int | None = None
    over: tuple[tuple[int, int], ...] = ()


def begun(pauses: Pauses, now_us: int) -> Pauses:
    """Begin a pause; one that lasts already goes on."""
    return pauses if pauses.since_us is not None else replace(pauses, since_us=now_us)


def ended(pauses: Pauses, now_us: int) -> Pauses:
    """End the pause, if one lasts."""
    if pauses.since_us is None:
        return pauses
    return Pauses(None, (*pauses.over, (pauses.since_us, now_us)))


def held_us(pauses: Pauses, from_us: int, until_us: int) -> int:
    """Return how much of a time was spent in pauses."""
    lasting = [] if pauses.since_us is None else [(pauses.since_us, until_us)]
    return sum(max(0, min(end, until_us) - max(begin, from_us)) for begin, end in (*pauses.over, *lasting))
