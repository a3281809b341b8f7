"""Four times the text takes about four times the work, whatever is written in a workbook.

What goes back and forth over its text would take sixteen times as much, and a file of some kilobytes would hold a
night for hours. Here the lines of Python are counted and the patterns looked at; `make bench` measures the
processor's time, in which the patterns' own steps show.
"""

import re
import sys
from collections.abc import Callable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

import pytest

from bulk_remove.reader import cells, ods, xls, xlsx
from bulk_remove.reader import workbook as sheets
from bulk_remove.reader import xlsx as xlsx_values
from tests.support.hostile_workbooks import HOSTILE, read_to_its_end

BYTES = 3_000
MOST_TIMES = 6
"""Between the 4 of what is linear and the 16 of what is quadratic."""


def lines_run(act: Callable[[], None]) -> int:
    """Count the lines of Python that are run."""
    count = 0

    def on_event(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        return on_event

    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(("kind", "make"), HOSTILE.values(), ids=HOSTILE)
def test_four_times_the_text_takes_about_four_times_the_lines(kind: str, make: Callable[[int], bytes]) -> None:
    read_to_its_end(kind, make(BYTES // 2))  # what is done at the first time alone is no work of the text
    small = lines_run(lambda: read_to_its_end(kind, make(BYTES)))
    assert lines_run(lambda: read_to_its_end(kind, make(4 * BYTES))) < MOST_TIMES * small


def loops_within_loops(parsed: Any, *, inside: bool = False) -> Iterator[object]:  # the parser's types are its own
    """Yield each repetition without a limit that lies within another and may be given back to it."""
    for operation, argument in parsed:
        if operation in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}:
            endless = argument[1] is _constants.MAXREPEAT
            if endless and inside:
                yield argument
            yield from loops_within_loops(argument[2], inside=inside or endless)
        elif operation is _constants.POSSESSIVE_REPEAT:
            yield from loops_within_loops(argument[2], inside=inside)
        elif operation is _constants.SUBPATTERN:
            yield from loops_within_loops(argument[3], inside=inside)
        elif operation is _constants.BRANCH:
            for branch in argument[1]:
                yield from loops_within_loops(branch, inside=inside)


PATTERNS = [
    pytest.param(pattern, id=f"{module.__name__.rpartition('.')[2]}.{name}")
    for module in (cells, ods, sheets, xls, xlsx, xlsx_values)
    for name, pattern in vars(module).items()
    if isinstance(pattern, re.Pattern)
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_repeats_without_end_what_repeats_without_end(pattern: re.Pattern[Any]) -> None:
    assert not list(loops_within_loops(_parser.parse(pattern.pattern)))


def test_a_loop_within_a_loop_is_found() -> None:
    assert list(loops_within_loops(_parser.parse("(?:a+b?)+")))
