"""Charts as numbers: where a shape stands in a plot of 1000 by 100 units, which the page stretches to its width.

The labels are the page's own text, so that they keep their size on a telephone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import floor, log10

WIDTH = 1000.0
HEIGHT = 100.0
_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in plot units; `name` chooses its colour."""

    x: float
    y: float
    width: float
    height: float
    name: str = ""


def stacked(counts: Sequence[tuple[str, int]]) -> list[Box]:
    """Return boxes side by side over the whole width, as wide as the counts."""
    total = sum(count for _, count in counts)
    ends = accumulate((count for _, count in counts), initial=0)
    return [
        Box(_fine(WIDTH * start / total), 0.0, _fine(WIDTH * count / total), HEIGHT, name)
        for (name, count), start in zip(counts, ends, strict=False)
        if count
    ]


def bars(values: Sequence[float], top: float) -> list[Box]:
    """Return a bar for each value that is not 0; `top` is the value at the upper edge."""
    width = WIDTH / len(values)
    return [
        Box(
            _fine(index * width),
            _fine(HEIGHT - HEIGHT * value / top),
            _fine(width),
            _fine(HEIGHT * value / top),
        )
        for index, value in enumerate(values)
        if value
    ]


def marks(values: Sequence[int]) -> list[float]:
    """Return the middle of each part whose value is not 0."""
    width = WIDTH / len(values)
    return [_fine((index + 0.5) * width) for index, value in enumerate(values) if value]


def steps(values: Sequence[float], top: float) -> str:
    """Return an SVG path of level steps, a part for each value; `top` is the value at the upper edge."""
    width = WIDTH / len(values)
    path: list[str] = []
    for index, value in enumerate(values):
        path.append(f"{'V' if path else 'M0,'}{_fine(HEIGHT - HEIGHT * value / top):g}H{_fine((index + 1) * width):g}")
    return "".join(path)


def growth(values: Sequence[float], top: float) -> str:
    """Return an SVG path through the values, from the first at the left edge to the last at the right."""
    width = WIDTH / max(1, len(values) - 1)
    points = (
        f"{_fine(index * width):g},{_fine(HEIGHT - HEIGHT * value / top):g}" for index, value in enumerate(values)
    )
    return "M" + "L".join(points)


def round_top(value: float) -> float:
    """Return a round figure a little above the value (0 or more), so that nothing touches the upper edge."""
    power = 10.0 ** floor(log10(value)) if value else 1.0
    return next(step * power for step in _ROUND if step * power >= 1.05 * value)


def _fine(value: float) -> float:
    return round(value, 2)
