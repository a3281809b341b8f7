"""Faults on demand: which, how often, and the seeded draw. Pure: no server and no clock."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final


class SimulatedFault(StrEnum):
    """What can go wrong with one request. *Before* and *after* refer to the act, the removal of the records."""

    RATE_LIMITED = "rate_limited"  # 429, before the act; decided by the limiter, not drawn
    UNAVAILABLE = "unavailable"  # 503 with Retry-After, at once and before the act
    REFUSED_BEFORE = "refused_before"  # any status, at once and before the act
    REFUSED_AFTER = "refused_after"  # the same status, after the act and perhaps much later
    REFUSED_MIDWAY = "refused_midway"  # the same, after the act on the first half of the numbers
    ERROR_500_BEFORE = "error_500_before"
    ERROR_502_BEFORE = "error_502_before"
    ERROR_504_BEFORE = "error_504_before"
    ERROR_500_AFTER = "error_500_after"
    ERROR_502_AFTER = "error_502_after"
    ERROR_504_AFTER = "error_504_after"
    DROPPED_BEFORE = "dropped_before"  # the connection is closed without a byte of reply
    DROPPED_AFTER = "dropped_after"
    STALLED_AFTER = "stalled_after"  # no byte of reply for `stall_s`, then the connection is closed
    CUT_SHORT = "cut_short"
    """After the act: half of the body that Content-Length promised, then the connection is closed."""
    HTML_BEFORE = "html_before"  # A maintenance page with status 200
    HTML_AFTER = "html_after"  # PHP's page of a fatal error, with status 200
    REDIRECTED = "redirected"  # before the act: to the login page
    GARBAGE_BODY = "garbage_body"  # after the act: status 200, said to be JSON, and random bytes
    GARBAGE_WIRE = "garbage_wire"  # after the act: bytes that are not HTTP at all
    MISSING_NUMBERS = "missing_numbers"
    """After the act: up to a tenth of the numbers, at least one, are not in the reply."""
    UNKNOWN_STATUS = "unknown_status"  # after the act: as many have an undocumented status
    EXTRA_NUMBERS = "extra_numbers"  # after the act: numbers that nobody asked for are in the reply, as not there
    STRAY_401 = "stray_401"  # before the act, like the next two: one server of many with a wrong configuration
    STRAY_403 = "stray_403"
    STRAY_404 = "stray_404"
    ERRORS_IN_200 = "errors_in_200"  # before the act: the envelope for errors with status 200
    BYTE_ORDER_MARK = "byte_order_mark"  # after the act, like all that follow: before the JSON
    NOTICES = "notices"  # PHP's notices, before and after the JSON
    BARE_OBJECTS = "bare_objects"  # numbers with one record have an object instead of a list of one
    WITHOUT_STATUS = "without_status"
    """Some of the numbers that do not exist have an entry with a message instead of a status."""
    CONTRADICTIONS = "contradictions"  # some of the numbers have an `http_status` that contradicts their status
    REPEATED_KEYS = "repeated_keys"  # some of the numbers are repeated at the end, as not there
    RESPELT_KEYS = "respelt_keys"  # the numbers of nine digits get the country code 48 in one spelling or another
    FOREIGN_KEYS = "foreign_keys"  # some of the numbers get the country code 49, which makes them other numbers

    @property
    def before_the_act(self) -> bool:
        """Whether the request ends before anything is removed."""
        return self in _BEFORE

    @property
    def at_the_door(self) -> bool:
        """Whether the request ends at once."""
        return self in _AT_THE_DOOR


def faults_named(names: str) -> frozenset[SimulatedFault]:
    """Return the faults of these names, which are separated by spaces."""
    return frozenset(map(SimulatedFault, names.split()))


_BEFORE: Final = faults_named(
    "rate_limited unavailable refused_before error_500_before error_502_before error_504_before dropped_before "
    "html_before redirected stray_401 stray_403 stray_404 errors_in_200"
)
_AT_THE_DOOR: Final = faults_named("rate_limited unavailable refused_before")
REFUSED_LATE: Final = faults_named("refused_after refused_midway")
REFUSED: Final = REFUSED_LATE | faults_named("refused_before")
# Faults with a field for their rate in `Faults`, under the same name.
RATED: Final = tuple(fault for fault in SimulatedFault if fault is not SimulatedFault.RATE_LIMITED)


class RetryAfter(StrEnum):
    """How a 429 or 503 says when to come back."""

    NONE = "none"
    SECONDS = "seconds"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, and how often."""

    unavailable: float = 0.0
    refused_before: float = 0.0
    refused_after: float = 0.0
    refused_midway: float = 0.0
    error_500_before: float = 0.0
    error_502_before: float = 0.0
    error_504_before: float = 0.0
    error_500_after: float = 0.0
    error_502_after: float = 0.0
    error_504_after: float = 0.0
    dropped_before: float = 0.0
    dropped_after: float = 0.0
    stalled_after: float = 0.0
    cut_short: float = 0.0
    html_before: float = 0.0
    html_after: float = 0.0
    redirected: float = 0.0
    garbage_body: float = 0.0
    garbage_wire: float = 0.0
    missing_numbers: float = 0.0
    unknown_status: float = 0.0
    extra_numbers: float = 0.0
    stray_401: float = 0.0
    stray_403: float = 0.0
    stray_404: float = 0.0
    errors_in_200: float = 0.0
    byte_order_mark: float = 0.0
    notices: float = 0.0
    bare_objects: float = 0.0
    without_status: float = 0.0
    contradictions: float = 0.0
    repeated_keys: float = 0.0
    respelt_keys: float = 0.0
    foreign_keys: float = 0.0
    script: tuple[SimulatedFault | None, ...] = ()
    reads_too: bool = False
    rate_limit_per_s: float = 0.0
    rate_limit_burst: int = 0
    retry_after: RetryAfter = RetryAfter.SECONDS
    retry_after_s: int = 1
    refused_status: int = 503
    refused_late_s: float = 0.0
    redirect_status: int = 302
    redirect_to: str = "/login"
    latency_s: float = 0.0
    jitter_s: float = 0.0
    stall_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        rates = {fault.value: self.rate(fault) for fault in RATED}
        for name, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1")
        if sum(rates.values()) > 1.0 + 1e-9:
            raise ValueError("the rates of all faults must add up to 1 at most")
        for name in self.__slots__:
            if name.endswith(("_s", "_burst")) and getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")

    def rate(self, fault: SimulatedFault) -> float:
        """The share of requests with a fault that has a rate."""
        rate: float = getattr(self, fault.value)
        return rate


class TokenBucket:
    """Admits `per_s` requests a second on average, `burst` at once."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._size = float(burst or max(1.0, per_s))
        self._tokens = self._size
        self._filled_at_s: float | None = None

    def admits(self, now_s: float) -> bool:
        """Whether a request at `now_s` (seconds, never decreasing) is accepted; if so, it uses a token."""
        passed_s = 0.0 if self._filled_at_s is None else max(0.0, now_s - self._filled_at_s)
        self._tokens = min(self._size, self._tokens + passed_s * self._per_s)
        self._filled_at_s = now_s
        # A hair less than one counts as one: the sum of many small refills is never exact.
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True


class FaultSource:
    """Draws the faults of a `Faults`, in the order of requests."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.random = Random(faults.seed)
        self._rates = tuple((fault, faults.rate(fault)) for fault in RATED if faults.rate(fault))
        self._script = list(reversed(faults.script))
        self._bucket = TokenBucket(faults.rate_limit_per_s, faults.rate_limit_burst)

    def limited(self, now_s: float) -> bool:
        """Whether the rate limit refuses a request at `now_s`."""
        return bool(self.faults.rate_limit_per_s) and not self._bucket.admits(now_s)

    def delay_s(self) -> float:
        """The delay of the next request before the act."""
        jitter_s = self.faults.jitter_s
        return self.faults.latency_s + (self.random.uniform(0.0, jitter_s) if jitter_s else 0.0)

    def draw(self, *, reading: bool) -> SimulatedFault | None:
        """The fault of the next request, None if it has none."""
        if reading and not self.faults.reads_too:
            return None
        if self._script:
            return self._script.pop()
        if not self._rates:
            return None
        left = self.random.random()
        for fault, rate in self._rates:
            left -= rate
            if left < 0.0:
                return fault
        return None
