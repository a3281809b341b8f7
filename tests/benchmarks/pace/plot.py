"""Small multiples as SVG: what is accepted in a second against the hidden limit, a panel for each world."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_WIDE, _HIGH, _GAP_X, _GAP_Y, _LEFT, _TOP = 420, 130, 60, 62, 48, 74
_COLUMNS = 2
_MOST = 20.0
"""The top of each panel, in requests a second: the operator's limit."""
_MEAN_OF_S = 10
"""Each point is the mean of so many seconds."""
_DASHED = 'stroke="#d95f02" stroke-width="1.6" stroke-dasharray="5 3"'
_OURS, _INK, _FAINT = "#1f5fa8", "#333333", "#d8d8d8"


@dataclass(frozen=True, slots=True)
class Line:
    """A world: what was accepted and what could have been, by the second."""

    name: str
    accepted: Sequence[float]
    best: Sequence[float]


def plot(lines: Sequence[Line]) -> str:
    """Return the SVG."""
    rows = -(-len(lines) // _COLUMNS)
    width = _LEFT + _COLUMNS * (_WIDE + _GAP_X)
    height = _TOP + rows * (_HIGH + _GAP_Y)
    panels = "\n".join(_panel(line, *_corner(index)) for index, line in enumerate(lines))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
 font-family="Helvetica, Arial, sans-serif" font-size="12" fill="{_INK}">
<rect width="{width}" height="{height}" fill="white"/>
<text x="{_LEFT}" y="24" font-size="15" font-weight="bold">Requests accepted in a second, over half an hour</text>
<line x1="{_LEFT}" y1="40" x2="{_LEFT + 24}" y2="40" stroke="{_OURS}" stroke-width="1.6"/>
<text x="{_LEFT + 30}" y="44">ours (means of {_MEAN_OF_S} s)</text>
<line x1="{_LEFT + 170}" y1="40" x2="{_LEFT + 194}" y2="40" {_DASHED}/>
<text x="{_LEFT + 200}" y="44">the hidden limit; the top of each panel is the operator's limit</text>
{panels}
</svg>
"""


def _corner(index: int) -> tuple[int, int]:
    row, column = divmod(index, _COLUMNS)
    return _LEFT + column * (_WIDE + _GAP_X), _TOP + row * (_HIGH + _GAP_Y)


def _panel(line: Line, left: int, top: int) -> str:
    bottom = top + _HIGH
    minutes = len(line.best) / 60
    parts = [f'<text x="{left}" y="{top - 6}" font-weight="bold">{line.name}</text>']
    for rate in (0, 5, 10, 15, 20):
        y = bottom - rate / _MOST * _HIGH
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + _WIDE}" y2="{y:.1f}" stroke="{_FAINT}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" font-size="10">{rate}</text>')
    for minute in range(0, int(minutes) + 1, 5):
        x = left + minute / minutes * _WIDE
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" font-size="10">{minute} min</text>')
    ours, best = _means(line.accepted), _means(line.best)
    parts.append(f'<path d="{_steps(best, left, bottom)}" {_DASHED} fill="none"/>')
    parts.append(f'<path d="{_path(ours, left, bottom)}" stroke="{_OURS}" stroke-width="1.4" fill="none"/>')
    return "\n".join(parts)


def _means(values: Sequence[float]) -> list[float]:
    whole = len(values) // _MEAN_OF_S * _MEAN_OF_S
    return [sum(values[start : start + _MEAN_OF_S]) / _MEAN_OF_S for start in range(0, whole, _MEAN_OF_S)]


def _points(values: Sequence[float], left: int, bottom: int) -> list[tuple[str, str]]:
    step = _WIDE / len(values)
    return [
        (f"{left + (at + 0.5) * step:.1f}", f"{bottom - value / _MOST * _HIGH:.1f}") for at, value in enumerate(values)
    ]


def _path(values: Sequence[float], left: int, bottom: int) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in _points(values, left, bottom))


def _steps(values: Sequence[float], left: int, bottom: int) -> str:
    """Return a path with corners where the limit moves, and no point where it does not."""
    points = _points(values, left, bottom)
    path = f"M{points[0][0]} {points[0][1]}"
    for (_, before), (x, y) in pairwise(points):
        path += f"H{x}V{y}" if y != before else ""
    return f"{path}H{points[-1][0]}"
