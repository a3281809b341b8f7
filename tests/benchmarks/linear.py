"""Measure that four times the text takes about four times the processor's time, whatever is written in a workbook."""

import sys
import time
from collections.abc import Callable

from tests.support.hostile_workbooks import HOSTILE, read_to_its_end

BYTES = 60_000
MOST_TIMES = 9
"""Between the 4 of what is linear and the 16 of what is quadratic."""
SURE_SECONDS = 0.01
"""Less is too short to be measured."""


def seconds(kind: str, content: bytes) -> float:
    begun = time.process_time()
    read_to_its_end(kind, content)
    return time.process_time() - begun


def times_as_much(kind: str, make: Callable[[int], bytes]) -> float:
    """Return how many times the time four times the text takes; the least of five, for the time wavers."""
    small, large = make(BYTES), make(4 * BYTES)
    least = max(SURE_SECONDS, min(seconds(kind, small) for _ in range(5)))
    return min(seconds(kind, large) for _ in range(5)) / least


def main() -> int:
    worst = 0.0
    for name, (kind, make) in HOSTILE.items():
        times = times_as_much(kind, make)
        worst = max(worst, times)
        print(f"{times:5.1f}  {kind:5}  {name}")
    print(f"{worst:5.1f}  at the most; {MOST_TIMES} is too much")
    return worst >= MOST_TIMES


if __name__ == "__main__":
    sys.exit(main())
