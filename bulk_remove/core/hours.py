"""The hours in which a run may send: `20:00-06:00`, `sat,sun 00:00-24:00`. Local wall-clock time.

A window that ends at or before its beginning goes on past midnight and belongs to the day on which it begins, so
`fri 20:00-06:00` ends on Saturday morning. A window is open from its first minute until just before its last.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY_MINUTES = 24 * 60
_WINDOW = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:[-,][a-z]{3})*) +)?"
    r"(?P<from_h>[01]?[0-9]|2[0-3]):(?P<from_m>[0-5][0-9]) *- *(?P<to_h>[01]?[0-9]|2[0-4]):(?P<to_m>[0-5][0-9])"
)


class Window(NamedTuple):
    """A time of day, in minutes from midnight, that begins on each of `days` (0 is Monday).

    `end` is greater than `begin`, and greater than 1,440 where the window goes on past midnight.
    """

    begin: int
    end: int
    days: frozenset[int]


def read_window(text: str) -> Window | None:
    """Return the window that a text such as `mon-fri 20:00-06:00` means, or None for any other text."""
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
    """Return the days of `mon-fri,sun`, all of them for no text, none for one with an unknown day."""
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
    """Return the next local time at which a run may send: `local` itself where it may at once."""
    if is_open(windows, local):
        return local
    return min(begin for begin, _ in _around(windows, local, range(len(_DAYS) + 1)) if begin > local)


def told_moment(moment: datetime, now: datetime) -> str:
    """Return a later moment as people say it: its time of day, with the date where that comes another time before."""
    within_a_day = moment - now < timedelta(days=1)
    return f"{moment:%H:%M}" if within_a_day else f"{moment:%Y-%m-%d %H:%M}"


def _around(windows: Iterable[Window], local: datetime, days: range) -> Iterable[tuple[datetime, datetime]]:
    """Return when the windows begin and end that begin so many days from a local time."""
    midnight = datetime.combine(local.date(), time())
    for offset in days:
        day = midnight + timedelta(days=offset)
        for window in windows:
            if day.weekday() in window.days:
                yield day + timedelta(minutes=window.begin), day + timedelta(minutes=window.end)
