"""Cells of a CSV file that a spreadsheet must not turn into numbers or dates.

Excel reads `="0048601"` as the text 0048601. A leading tab would stay in the cell, so that nothing is found by its
number any more, and a leading apostrophe is shown. Only letters, digits and the signs of numbers and dates are put
between the quotes, so nothing can break out of them and run.
"""

import re

_TURNED = re.compile(r"[0-9A-Za-z+ .,:/()\u00a0-]{1,255}")  # Excel takes no longer text in a formula
_DIGIT = re.compile("[0-9]")
_KEPT = re.compile(r'\'?="([^"]*)"')  # with the apostrophe of a report, where it stood so in the input itself


def kept_as_text(cell: str) -> str:
    """Return the cell so that Excel takes it as the text that it is; what Excel would not turn stays as it is."""
    return f'="{cell}"' if _DIGIT.search(cell) and _TURNED.fullmatch(cell) else cell


def read_as_text(cell: str) -> str:
    """Return the cell as it was before `kept_as_text`."""
    found = _KEPT.fullmatch(cell)
    return found[1] if found else cell
