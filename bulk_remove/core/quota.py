"""How long a server wants to be left alone, as the headers of a reply say it: Retry-After, and what is left of a quota.

Two spellings of quotas are read: the IETF draft "RateLimit header fields for HTTP", in its older form of three fields
and in its newer one of parameters, and the `X-RateLimit-*` of GitHub and many others, whose reset is in seconds or Unix
time. Moments are those of the server's own clock. What makes no sense is not there.

Headers are found in any case of their name; of one that came several times the values are joined by commas.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import ceil

PAUSE_MAX_S = 3600.0
"""No server is taken at its word for more than an hour: then it is asked again."""
FEW_S = 60.0
"""What would be used up in so short a time at the present rate is few, and is spread."""
_LONGEST_S = 366 * 86_400.0
"""Whoever says more than a year has no idea; it only has to be a number that can be shown."""
_UNIX_FROM = 1_000_000_000
"""A reset from here on is a moment, not a wait: 2001 in Unix seconds, or thirty years."""
_DECIMAL = r"\"?(\d{1,18}(?:\.\d{0,18})?)\"?"
_NUMBER = re.compile(rf"\s*{_DECIMAL}\s*(?:;.*)?", re.ASCII)
_PARAMETER = re.compile(rf"\b(?:(remaining|r)|reset|t)\s*=\s*{_DECIMAL}", re.ASCII | re.IGNORECASE)
_WEEKDAY = re.compile(r"\s*[A-Za-z]+\s*")


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left: `remaining` requests within the next `reset_s` seconds (greater than 0)."""

    remaining: int
    reset_s: float

    def is_few_at(self, requests_per_second: float) -> bool:
        """Whether it would be used up soon, and before more is given, at this rate."""
        lasts_s = self.remaining / requests_per_second
        return lasts_s < min(FEW_S, self.reset_s)


def read_retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """Read Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3). Returns whole seconds, None where it says nothing.

    Of several values the greatest counts. `now_s` (Unix seconds) is what a date is held against where the reply has no
    date of its own.
    """
    waits_s = [_seconds(value, headers, now_s) for value in _values(headers.get("Retry-After", ""))]
    return max((wait_s for wait_s in waits_s if wait_s is not None), default=None)


def read_quota(headers: Mapping[str, str], now_s: float) -> Quota | None:
    """Read what is left, of several quotas the one that is used up first; None where nothing is said.

    `now_s` (Unix seconds) is what a moment is held against where the reply has no date of its own.
    """
    pairs = [*_parameters(headers.get("RateLimit", ""))]
    for prefix in ("RateLimit", "X-RateLimit", "X-Rate-Limit"):
        remaining, resets = (_values(headers.get(f"{prefix}-{what}", "")) for what in ("Remaining", "Reset"))
        pairs += zip(remaining, resets, strict=False)
    quotas = [_quota(remaining, _seconds(reset, headers, now_s)) for remaining, reset in pairs]
    left = [quota for quota in quotas if quota is not None]
    return min(left, key=lambda quota: (quota.remaining / quota.reset_s, -quota.reset_s), default=None)


def parse_date(value: str | None) -> float | None:
    """Read an HTTP date (RFC 9110, 5.6.7); returns Unix seconds, None where there is none."""
    try:
        moment = parsedate_to_datetime(value or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _quota(remaining: str, reset_s: float | None) -> Quota | None:
    found = _NUMBER.fullmatch(remaining)
    return Quota(int(float(found[1])), reset_s) if found and reset_s else None


def _seconds(value: str, headers: Mapping[str, str], now_s: float) -> float | None:
    """Read a wait, or a moment as a date or in Unix seconds; returns whole seconds from when the reply was sent."""
    number = _NUMBER.fullmatch(value)
    moment_s = float(number[1]) if number else parse_date(value)
    if moment_s is None:
        return None
    if not number or moment_s >= _UNIX_FROM:
        sent_s = parse_date(headers.get("Date"))
        moment_s -= now_s if sent_s is None else sent_s
    return float(ceil(min(max(0.0, moment_s), _LONGEST_S)))


def _values(field: str) -> Iterator[str]:
    """Yield the values of a list. A date has a comma of its own, after the day of the week."""
    weekday = ""
    for part in field.split(","):
        if weekday or not _WEEKDAY.fullmatch(part):
            yield weekday + part
            weekday = ""
        else:
            weekday = f"{part},"


def _parameters(field: str) -> Iterator[tuple[str, str]]:
    """Yield (remaining, reset) of each quota in a field of parameters, which come in pairs."""
    remaining = reset = ""
    for found in _PARAMETER.finditer(field):
        if found[1]:
            remaining = found[2]
        else:
            reset = found[2]
        if remaining and reset:
            yield remaining, reset
            remaining = reset = ""
