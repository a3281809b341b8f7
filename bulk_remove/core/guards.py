"""What stops a run although nothing is wrong with any single number of it."""

import re
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from bulk_remove.errors import GuardStop, UsageError

MAX_INVALID = 0.05
"""The share of the rows that may be invalid. A kept list has few; a wrong column or a damaged export has many."""
FEW_INVALID = 10
"""Fewer invalid rows than these stop a run only when they are more than half of all rows."""

_SHOWN_REASONS = 3
_SHOWN_EXAMPLES = 5
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) *(%?)")


def check_invalid_share(
    rows: int,
    invalid: int,
    problems: Sequence[tuple[str, int]],
    max_share: float,
    examples: Sequence[tuple[int, str, str]],
) -> None:
    """Raise GuardStop when more than `max_share` (0 to 1) of the rows are invalid.

    `problems` are (reason, rows), the commonest first; `examples` are (row, masked cell, reason) of invalid rows, of
    which five are shown. A short list is let through with a few bad rows, for one empty cell among twelve says nothing
    about the others: fewer than `FEW_INVALID` rows stop it only when they are more than half of it. With a share of 0
    every invalid row stops it. An input without any number is not stopped here: there is no guard to lift, and
    `core.plan.approve` refuses it.
    """
    if not invalid or invalid >= rows or invalid / rows <= max_share:
        return
    if max_share and invalid < FEW_INVALID and 2 * invalid <= rows:
        return
    reasons = "; ".join(f"{count:,} x {reason.rstrip('.')}" for reason, count in problems[:_SHOWN_REASONS])
    shown = ", ".join(f"row {row} '{cell}'" for row, cell, _ in examples[:_SHOWN_EXAMPLES])
    share = Fraction(invalid, rows)
    raise GuardStop(
        f"{invalid:,} of {rows:,} rows ({_rounded_up(share, 1)}) hold no number that can be sent, and at most "
        f"{100 * max_share:g}% may: {reasons}" + (f"; for example {shown}" if shown else "") + ". Nothing was sent.",
        "Look at them with plan: the column may be the wrong one, or the export damaged. If they are right, "
        f"let them through with --max-invalid {_rounded_up(share, 0)}.",
    )


def parse_share(text: str) -> float:
    """Read a share such as `5%` or `0.05`, from 0 to 1. Raises UsageError.

    Without a percent sign it must be below 1: nobody can tell whether 1 means a hundredth or all.
    """
    found = _SHARE.fullmatch(text.strip())
    share = Fraction(found[1]) / (100 if found[2] else 1) if found else None
    if not found or share is None or share > 1 or (share == 1 and not found[2]):
        raise UsageError(f"--max-invalid is {text!r}, which is not a share.", "Give it as 5% or as 0.05.")
    return float(share)


def _rounded_up(share: Fraction, decimals: int) -> str:
    """Return a share in percent that is not less than it."""
    return f"{ceil(share * 100 * 10**decimals) / 10**decimals:g}%"
