"""Which of the numbers asked for a reply's key means: that number, or the same one with more or less in front of it.

A server may lose a plus or zeros, and it may add or lose the country code. Only what a region's numbering makes
certain counts: the region's own code, its international prefix, a plus, zeros. A number with the code of another
country in front is another number. Each key is looked at once, so a reply of a million keys takes linear time.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bulk_remove.core.regions import Region

_KEY = re.compile(r"([+ ]?)([0-9][0-9 ()./-]{0,39})")
"""A leading space is a plus that was decoded as one. A longer text is not a phone number."""
_FORMATTING = str.maketrans("", "", " ()./-")
_LOCAL_DIGITS = 7
"""Fewer are an internal number, which no country code belongs to."""
AMBIGUOUS = -1
"""In place of a number's index: the key may mean more than one number."""


def meant(keys: Iterable[str], numbers: Sequence[str], region: Region) -> dict[str, int]:
    """Return by key the index of the number that it means, AMBIGUOUS where it may be two; other keys are left out."""
    owners: defaultdict[str, set[int]] = defaultdict(set)
    for index, number in enumerate(numbers):
        for reading in _readings(number, region):
            owners[reading].add(index)
    found = ((key, _owner(key, owners, region)) for key in keys)
    return {key: index for key, index in found if index is not None}


def _owner(key: str, owners: Mapping[str, set[int]], region: Region) -> int | None:
    found: set[int] = set().union(*(owners.get(reading, ()) for reading in _readings(key, region)))
    if not found:
        return None
    return found.pop() if len(found) == 1 else AMBIGUOUS


def _readings(text: str, region: Region) -> Sequence[str]:
    """Return what a spelling may mean; two spellings of one number have a reading in common.

    `=...` are the digits as they stand, without zeros in front, `+...` those from the country code on. Bare digits
    carry the region's code only when a whole number of the region follows it: 481234567 is a number of Radom.
    """
    digits, has_code = digits_of(text, region)
    if not digits:
        return ()
    if has_code:
        return f"={digits}", f"+{digits}"
    code, readings = region.country_code, [f"={digits}"]
    if len(digits) >= _LOCAL_DIGITS:
        readings.append(f"+{code}{digits}")
    if digits.startswith(code) and len(digits) - len(code) in region.full_lengths:
        readings.append(f"+{digits}")
    return readings


def digits_of(text: str, region: Region) -> tuple[str, bool]:
    """Return a number's digits without prefix and zeros in front, and whether a plus or a prefix announces a code.

    Both are empty for a text that is not a number.
    """
    found = _KEY.fullmatch(text)
    if found is None:
        return "", False
    sign, digits = found[1], found[2].translate(_FORMATTING)
    prefix = region.international_prefix
    prefixed = bool(prefix) and not sign and digits.startswith(prefix)
    return digits[len(prefix) if prefixed else 0 :].lstrip("0"), bool(sign) or prefixed
