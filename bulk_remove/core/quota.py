"""What a server says of its limit in the headers of a reply: how many requests are left, until when.

Two spellings are read: the IETF draft "RateLimit header fields for HTTP", in its older form of three fields and in its
newer one of parameters, and the `X-RateLimit-*` of GitHub and many others, whose reset is in seconds or Unix time.
What makes no sense is not there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PAUSE_MAX_S = 3600.0
"""As with Retry-After: no server is taken at its word for more than an hour."""
FEW_S = 60.0
"""What would be used up in so short a time at the present rate is few, and is spread."""
_UNIX_FROM = 1_000_000_000
"""A reset from here on is a moment, not a wait: 2001 in Unix seconds, or thirty years."""
_PARAMETER = re.compile(r"\b(remaining|reset|r|t)\s*=\s*\"?(\d{1,18})")
_NUMBER = re.compile(r"\s*\"?(\d{1,18})(?:\.\d*)?\"?\s*(?:[;,].*)?")


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left: `remaining` requests within the next `reset_s` seconds (greater than 0)."""

    remaining: int
    reset_s: float

    def is_few_at(self, requests_per_second: float) -> bool:
        """Whether it would be used up soon, and before more is given, at this rate."""
        lasts_s = self.remaining / requests_per_second
        return lasts_s < min(FEW_S, self.reset_s)


def read_quota(headers: Mapping[str, str], now_s: float) -> Quota | None:
    """Read the headers of a reply, whose names are found in any case. `now_s` in Unix seconds; None: said nothing."""
    parameters = dict(_PARAMETER.findall(headers.get("RateLimit", "").lower()))
    remaining = parameters.get("remaining") or parameters.get("r")
    reset = parameters.get("reset") or parameters.get("t")
    for prefix in ("RateLimit", "X-RateLimit", "X-Rate-Limit"):
        remaining = remaining or _number(headers.get(f"{prefix}-Remaining"))
        reset = reset or _number(headers.get(f"{prefix}-Reset"))
    if remaining is None or reset is None:
        return None
    reset_s = float(reset) - now_s if float(reset) >= _UNIX_FROM else float(reset)
    return Quota(int(remaining), min(reset_s, PAUSE_MAX_S)) if reset_s > 0 else None


def _number(value: str | None) -> str | None:
    found = _NUMBER.fullmatch(value) if value else None
    return found[1] if found else None
