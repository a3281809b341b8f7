"""Cell text -> the one phone number to send, or the reason why not. Never a guess: a deletion cannot be undone.

| the cell holds                           | what is sent (`national`, region PL)          |
|------------------------------------------|-----------------------------------------------|
| `601 234 555`, `(601)234-555`            | the digits                                    |
| `+48 601234555`, `0048601234555`         | `601234555`: the own country's code goes      |
| `48601234555`                            | the same: too long for a national number, and |
|                                          | what follows 48 is as long as one             |
| `+49 1512 3456789`                       | `0049...`: as it is dialled from the region   |
| `441`                                    | `441`: internal numbers have 3 digits or more |
| anything else                            | nothing: INVALID, with a reason               |

`digits` and `e164` write the country code instead (`48601234555`, `+48601234555`) wherever the number is as long as
a subscriber's number of the region; `as-is` only strips the formatting.

Country codes, prefixes and lengths are libphonenumber's, by way of the phonenumbers package.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from bulk_remove.core.model import NumberFormat
from bulk_remove.errors import UsageError

MIN_DIGITS = 3
"""Short internal numbers such as 441 are documented."""
MAX_DIGITS = 15
"""The most that E.164 allows."""

MAX_CELL_CHARS = 64
"""Twice the longest number with generous formatting; longer cells are prose."""


class Normalised(NamedTuple):
    """A number, or what is wrong with the cell; exactly one of them is non-empty."""

    number: str
    problem: str


@dataclass(frozen=True, slots=True)
class NumberRules:
    """The form that the campaign uses, and the country of numbers without a country code (ISO 3166, two letters)."""

    number_format: NumberFormat = NumberFormat.NATIONAL
    region: str = "PL"


@dataclass(frozen=True, slots=True)
class _Region:
    """What there is to know of a region: `48`, `00`, and how many digits its national numbers have.

    `lengths` are all that occur, `mobile_lengths` those by which digits without a country code are recognised.
    """

    country_code: str
    international_prefix: str
    lengths: frozenset[int]
    mobile_lengths: frozenset[int]


# Spaces of all kinds, invisible characters, dashes, dots and parentheses are formatting.
_FORMATTING = re.compile("[\\s\u00ad\u200b-\u200f\u2060\ufeff\u2010-\u2015\u2212().-]+")
_PLAIN = re.compile("[0-9]{3,15}")
_DIALLED = re.compile(r"\+?[0-9]+")

_DAMAGES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), reason)
    for pattern, reason in (
        (r"[+-]?\d+([.,]\d+)?e[+-]?\d+", "Scientific notation: a spreadsheet has lost digits."),
        (r"\d+[.,]\d+", "A decimal number, not a phone number."),
        (r"-.*", "A minus in front: not a phone number."),
        (r".*\d\W*(wew|ext|x|#)\W*\d.*", "An extension, which cannot be sent."),
        (r".*\d.*([/,;|\n]|\b(lub|albo|or|oraz|i|and)\b).*\d.*", "More than one number in the cell."),
        (r".*\d{9,}\s+\+?\d.*", "More than one number in the cell."),
        (r".*\(0\).*", "A zero in parentheses: nobody can tell whether it belongs to the number."),
        (r".*[^\W\d_].*", "Letters in the cell."),
    )
)
"""What a whole cell may look like that is no phone number; the first that fits is the reason."""


class Normaliser:
    """Applies the rules to one cell after the other. Raises UsageError for an unknown region."""

    def __init__(self, rules: NumberRules) -> None:
        self._format = rules.number_format
        self._region = region = _region(rules.region)
        kept = self._format in {NumberFormat.NATIONAL, NumberFormat.AS_IS} and region.international_prefix[0] == "0"
        # Most cells are a national number already: no zero in front, not too long to be one.
        self._is_kept = re.compile(f"[1-9][0-9]{{2,{max(region.lengths) - 1 if kept else 2}}}").fullmatch

    def __call__(self, cell: str) -> Normalised:
        """Return the number in the cell, or what is wrong with it. Never raises."""
        if self._is_kept(cell):
            return Normalised(cell, "")
        if _PLAIN.fullmatch(cell):
            return self._formed(cell)
        text = cell.strip().removeprefix("'").strip()
        number = _FORMATTING.sub("", text)
        problem = _problem(text, number)
        return Normalised("", problem) if problem else self._formed(number)

    def _formed(self, number: str) -> Normalised:
        """Bring digits, perhaps with a plus in front, to the campaign's form."""
        if not number.strip("+0"):
            return Normalised("", "Nothing but zeros: a placeholder.")
        if self._format is NumberFormat.AS_IS:
            return _within_lengths(number)
        if digits := self._with_country_code(number):
            return self._international(digits)
        if len(number) in self._region.mobile_lengths and self._format is not NumberFormat.NATIONAL:
            return Normalised(self._plus + self._region.country_code + number, "")
        return _within_lengths(number)

    def _with_country_code(self, number: str) -> str:
        """Return the digits from the country code on, or an empty text for a number without one.

        Bare digits carry it when they are too long for a national number and what follows the region's own code is
        as long as one: libphonenumber reads them so too.
        """
        region = self._region
        if number[0] == "+":
            return number[1:]
        if number.startswith(region.international_prefix):
            return number[len(region.international_prefix) :]
        bare = number.startswith(region.country_code) and len(number) > max(region.lengths)
        return number if bare and len(number) - len(region.country_code) in region.mobile_lengths else ""

    def _international(self, digits: str) -> Normalised:
        """Bring a number with its country code to the campaign's form."""
        region = self._region
        own = digits.startswith(region.country_code)
        national = digits.removeprefix(region.country_code)
        if own and len(national) not in region.lengths:
            return Normalised("", f"Too short or too long for a number of country code +{region.country_code}.")
        problem = "" if own else _problem_abroad(digits)
        if problem:
            return Normalised("", problem)
        if self._format is not NumberFormat.NATIONAL:
            return Normalised(self._plus + digits, "")
        return Normalised(national if own else region.international_prefix + digits, "")

    @property
    def _plus(self) -> str:
        return "+" if self._format is NumberFormat.E164 else ""


def _problem(text: str, number: str) -> str:
    """Return what is wrong with a cell, given its text and what is left of it without formatting."""
    if not number:
        return "No digits in the cell." if text else "The cell is empty."
    if len(text) > MAX_CELL_CHARS:
        return "Too long a text for one phone number."
    for pattern, reason in _DAMAGES:
        if pattern.fullmatch(text):
            return reason
    if not _DIALLED.fullmatch(number):
        return "Characters that are no part of a phone number."
    return ""


def _within_lengths(number: str) -> Normalised:
    digits = len(number.removeprefix("+"))
    if digits < MIN_DIGITS:
        return Normalised("", f"Fewer than {MIN_DIGITS} digits.")
    if digits > MAX_DIGITS:
        return Normalised("", f"More than {MAX_DIGITS} digits.")
    return Normalised(number, "")


def _problem_abroad(digits: str) -> str:
    """Return why no number abroad can look like this, or an empty text."""
    from phonenumbers import (  # noqa: PLC0415 - costs time, and most files need it for no row
        NumberParseException,
        is_possible_number,
        national_significant_number,
        parse,
    )

    try:
        parsed = parse(f"+{digits}")
    except NumberParseException:
        return "No country has this code, or the number is too short or too long."
    if not is_possible_number(parsed):
        return f"Too short or too long for a number of country code +{parsed.country_code}."
    if f"{parsed.country_code}{national_significant_number(parsed)}" != digits:
        return "A zero after the country code: nobody can tell whether it belongs to the number."
    return ""


def _region(name: str) -> _Region:
    from phonenumbers import PhoneMetadata  # noqa: PLC0415 - only when numbers are read

    metadata = PhoneMetadata.metadata_for_region(name.upper())
    if metadata is None:
        raise UsageError(f"--region {name!r} is not a country that is known.", "Give its two letters, for example PL.")
    prefix = metadata.preferred_international_prefix or metadata.international_prefix or ""
    mobile = frozenset(metadata.mobile.possible_length if metadata.mobile else ())
    fixed = frozenset(metadata.fixed_line.possible_length if metadata.fixed_line else ())
    return _Region(
        str(metadata.country_code),
        # A few countries dial abroad in several ways, told as a pattern; 00 is what the ITU recommends (E.164).
        prefix if prefix.isdigit() else "00",
        mobile | fixed,
        mobile,
    )
