"""A cell that holds several numbers -> its parts, where that is certain."""

import re

from bulk_remove.core.numbers import Normaliser
from bulk_remove.core.spelling import SEPARATORS

_SEPARATOR = re.compile(SEPARATORS, re.IGNORECASE)


def split_cell(cell: str, normalise: Normaliser) -> tuple[str, ...]:
    """Return the texts of the numbers in the cell, in its order; nothing when it holds one or it is not certain.

    Each part must be a whole number by itself: as long as a subscriber's of the region, or with a valid country code.
    A short one may be the end of a shortened second number (`22 123 45 67/68`), a group of digits (`601,234,555`) or
    an extension, never only an internal number. Parts may repeat; what is blank between two separators is no part.
    """
    parts = tuple(part for text in _SEPARATOR.split(cell) if (part := text.strip()))
    return parts if len(parts) > 1 and all(_is_whole(part, normalise) for part in parts) else ()


def _is_whole(part: str, normalise: Normaliser) -> bool:
    number = normalise(part).number
    return bool(number) and bool(normalise.country_code_and_number(number))
