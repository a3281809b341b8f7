"""How many numbers one request may hold, by how long its reply takes: PHP ends those that run too long.

A reply slower than the limit halves the size; replies well under it win a tenth back each. What was planned is cut to
that size and never put together again, so that the size comes back up to what was planned.
"""

from dataclasses import dataclass, replace

LEAST = 10
"""Smaller requests would cost the server more than they spare it."""
FAST_SHARE = 0.25
"""A reply within this share of the limit leaves room for more numbers."""
GROWTH = 10
"""A fast reply to a request of the present size adds the tenth part."""


@dataclass(frozen=True, slots=True)
class RequestSize:
    """The most numbers in a request: ever (`ceiling`) and just now (`most`); `slow_us` is too long for a reply."""

    ceiling: int
    slow_us: int
    most: int


def size_from(ceiling: int, slow_us: int, start: int) -> RequestSize:
    """Return the state at the start."""
    return RequestSize(ceiling, slow_us, min(ceiling, start))


def timed(size: RequestSize, numbers: int, took_us: int, *, answered: bool) -> RequestSize:
    """Take note how long a request of so many numbers took, and whether it was answered at all."""
    if took_us > size.slow_us:
        return replace(size, most=min(size.most, max(LEAST, numbers // 2)))
    grown = min(size.ceiling, size.most + max(1, size.most // GROWTH))
    if answered and took_us <= FAST_SHARE * size.slow_us and 2 * numbers > size.most:
        return replace(size, most=grown)
    return size
