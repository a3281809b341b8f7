"""Cell text -> the one phone number to send, or the reason why not. Never a guess: a deletion cannot be undone.

| the cell, region PL           | national         | digits          | e164             | as-is             |
|-------------------------------|------------------|-----------------|------------------|-------------------|
| `601 234 555`, `(601)234-555` | `601234555`      | `48601234555`   | `+48601234555`   | `601234555`       |
| `+48 601-234-555`             | `601234555`      | `48601234555`   | `+48601234555`   | `+48601234555`    |
| `0048 601 234 555`            | `601234555`      | `48601234555`   | `+48601234555`   | `0048601234555`   |
| `48601234555`                 | `601234555`      | `48601234555`   | `+48601234555`   | `48601234555`     |
| `+49 1512 3456789`            | `00491512345...` | `491512345...`  | `+491512345...`  | `+491512345...`   |
| `441`, `491512345...`         | as it is         | as it is        | as it is         | as it is          |

A cell passes three gates. *Spelling*: a positive grammar of digits, single formatting characters, matched parentheses
and one plus in front; what it does not know is refused, and only the reason is looked for. *Length*: with a country
code (a plus, the region's international prefix, or digits too long for a national number of the region that go on
after its code as long as a mobile one) the numbering plan decides, without one 3 to 15 digits pass. *Reading back*:
the number formed must mean the same when it is read again, for the report may become the next run's input.

Country codes, prefixes, lengths and plans are libphonenumber's, by way of the phonenumbers package.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from bulk_remove.core.model import NumberFormat
from bulk_remove.errors import UsageError

MIN_DIGITS = 3
"""Thulium documents short internal numbers such as 441."""
MAX_DIGITS = 15
"""The most that ITU-T E.164 allows, country code included."""
MAX_CELL_CHARS = 64
"""Twice the longest number with generous formatting; longer cells are prose."""


class Normalised(NamedTuple):
    """A number (digits, perhaps a plus in front), or what is wrong with the cell; exactly one is non-empty.

    `problem` is a short sentence without any digit.
    """

    number: str
    problem: str


@dataclass(frozen=True, slots=True)
class NumberRules:
    """The form that the campaign uses, and the country of numbers without a country code (ISO 3166, two letters)."""

    number_format: NumberFormat = NumberFormat.NATIONAL
    region: str = "PL"


@dataclass(frozen=True, slots=True)
class _Region:
    """What there is to know of a region, with its figures for PL.

    `country_code` is 48. `international_prefix` is 00, empty where a country has several: which digits are the
    prefix and which the country code would be a guess. `full_lengths` are those of a mobile number, 9: subscribers'
    numbers of other lengths cannot be told from internal ones. `longest` is the longest national number, 10.
    """

    country_code: str
    international_prefix: str
    full_lengths: frozenset[int]
    longest: int


_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
# Those for right-to-left text are not among them: they may show the groups of digits in another order.
_INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u200e\u202a\u202c\u202d\u2060\u2066\u2068\u2069\ufeff"
_PLAINER = str.maketrans(_SPACES + _DASHES, " " * len(_SPACES) + "-" * len(_DASHES), _INVISIBLE)
_WITHOUT_FORMATTING = str.maketrans("", "", " .-()")

_UNIT = r"(?:[0-9]|\( *[0-9](?:[ .-]{0,3}[0-9])* *\))"
_SPELT = re.compile(rf"(?:\( *\+ *[0-9]{{1,4}} *\)|\+? *{_UNIT})(?:[ .-]{{0,3}}{_UNIT})*")
_DAY_AND_MONTH = r"(?:0?[1-9]|[12][0-9]|3[01])([.-])(?:0?[1-9]|1[0-2])"
_MONTH_AND_DAY = r"(?:0?[1-9]|1[0-2])\2(?:0?[1-9]|[12][0-9]|3[01])"

_DECIMAL = "A decimal number, not a phone number."
_SEVERAL = "Perhaps more than one number."
_AMBIGUOUS = "The digits are a number with a country code and without: write a plus, here or by the number format."
_ZERO = "A zero in front or after the country code: nobody can tell whether it belongs to the number."

_VETOES = tuple(
    (re.compile(pattern).fullmatch, reason)
    for pattern, reason in (
        (r".*\( *0 *\).*", "A zero in parentheses: nobody can tell whether it belongs to the number."),
        # Any single dot: a coordinate has as many digits as a number.
        (r"[0-9]+\.[0-9]+|[0-9 ]+\.(?:0+|[0-9]{1,2})", _DECIMAL),
        (rf"{_DAY_AND_MONTH}\1(?:19|20)[0-9]{{2}}|(?:19|20)[0-9]{{2}}([.-]){_MONTH_AND_DAY}", "A date."),
        (r"\+?[0-9]{9,} +[0-9(].*", _SEVERAL),
        (r"[0-9]{1,3}\. +[0-9(].*", "A number in a list, it seems: digits, a dot and a space in front."),
    )
)
"""What a whole cell may look like that is spelt like a phone number and yet is none."""

_EXPLANATIONS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), reason)
    for pattern, reason in (
        (r"[0-9].*[\r\n].*[0-9]", _SEVERAL),
        (r"[\x00-\x1f\x7f-\x9f]", "Control characters in the cell."),
        (r"\A\D*\Z", "No digits in the cell."),
        # Nobody types them by accident: they come from a wrong encoding or from text recognition.
        (r"(?![0-9])\d", "Digits of another script."),
        (r"\A[+-]?[0-9]+(?:[.,][0-9]+)? *e *[+-]?[0-9]+\Z", "Scientific notation: a spreadsheet has lost digits."),
        (r"\A[+-]?[0-9 ]*[.,](?:0+|[0-9]{1,2})\Z", _DECIMAL),
        (r"[0-9]\W*(?:wew\w*|ext\w*|x|#)\W*[0-9]", "An extension, which cannot be sent."),
        (r"[0-9].*(?:[/,;|&]|\b(?:lub|albo|oraz|i|or|and|oder|und)\b).*[0-9]", _SEVERAL),
        (r"[^\W\d_]", "Letters in the cell."),
        (r"[\u200f\u202b\u202e\u2067]", "Marks for right-to-left text: the digits may be meant in another order."),
        (r"[^0-9 .()+-]", "A character that is no part of a phone number."),
        (r"\+.*\+", "More than one plus."),
        (r"\A-", "A minus in front."),
        (r"\A\.|[.-]\Z", "A dot or a dash at an end: perhaps a part is missing."),
        (r"[0-9].*\+", "A plus that is not in front."),
        (r"[()]", "Parentheses that do not match."),
        (r"", "Not spelt like a phone number."),
    )
)
"""Why a cell is not spelt like a phone number; the first that is found in it."""


class Normaliser:
    """Applies the rules to one cell after the other. Raises UsageError for an unknown region."""

    def __init__(self, rules: NumberRules) -> None:
        self._format = rules.number_format
        self._region = region = _region(rules.region)
        self._lead = {NumberFormat.DIGITS: "", NumberFormat.E164: "+"}.get(rules.number_format)
        self._plain_lead = "" if self._lead is None else self._lead + region.country_code
        self._plain = _plain(region).fullmatch
        self._kept = 0 if rules.number_format is NumberFormat.AS_IS else 1

    def __call__(self, cell: str) -> Normalised:
        """Return the number in the cell, or what is wrong with it. Never raises."""
        if plain := self._plain(cell):
            return Normalised(self._plain_lead + plain[self._kept], "")
        text = cell if cell.isascii() else cell.translate(_PLAINER)
        text = text.strip().removeprefix("'").strip()  # a spreadsheet's mark of text
        if problem := _misspelling(text):
            return Normalised("", problem)
        number = text.translate(_WITHOUT_FORMATTING)
        if plain := self._plain(number):
            return Normalised(self._plain_lead + plain[self._kept], "")
        formed = self._formed(number)
        return formed if self._reads_back(number, formed) else Normalised("", _AMBIGUOUS)

    def _reads_back(self, number: str, formed: Normalised) -> bool:
        """Tell whether the number formed, read again, is the same one."""
        if formed.number in {"", number}:
            return True
        digits = self._from_country_code(number)
        same = bool(digits) and digits == self._from_country_code(formed.number)  # spares the plan a second look
        return same or self._formed(formed.number) == formed

    def _formed(self, number: str) -> Normalised:
        """Bring digits, perhaps with a plus in front, to the campaign's form."""
        if not number.strip("+0"):
            return Normalised("", "Nothing but zeros: a placeholder.")
        digits = self._from_country_code(number)
        if not digits:
            return self._without_code(number)
        if problem := self._problem_with_code(digits):
            return Normalised("", problem)
        if self._format is NumberFormat.AS_IS:
            return Normalised(number, "")
        if self._lead is not None:
            return Normalised(self._lead + digits, "")
        code = self._region.country_code
        own = digits.startswith(code)
        return Normalised(digits.removeprefix(code) if own else self._region.international_prefix + digits, "")

    def _from_country_code(self, number: str) -> str:
        """Return the digits from the country code on, or an empty text for a number without one.

        Bare digits carry it when they are too long for a national number and what follows the region's own code is
        as long as one: libphonenumber reads them so too.
        """
        region = self._region
        if number[0] == "+":
            return number[1:]
        if region.international_prefix and number.startswith(region.international_prefix):
            return number.removeprefix(region.international_prefix)
        bare = number.startswith(region.country_code) and len(number) > region.longest
        return number if bare and len(number) - len(region.country_code) in region.full_lengths else ""

    def _problem_with_code(self, digits: str) -> str:
        """Return why digits with their country code are no number, or cannot be brought to the campaign's form."""
        region = self._region
        own = digits.startswith(region.country_code)
        national = digits.removeprefix(region.country_code)
        if own and len(national) in region.full_lengths and national[0] != "0":
            return ""
        if not own and self._format is NumberFormat.NATIONAL and not region.international_prefix:
            return "A number abroad is dialled in more than one way from the region: choose another format."
        return _problem_in_plan(digits, own=own)

    def _without_code(self, number: str) -> Normalised:
        """Take bare digits as they are, but for a whole national number where the form has a country code."""
        if len(number) < MIN_DIGITS:
            return Normalised("", "Fewer than three digits.")
        if len(number) > MAX_DIGITS:
            return Normalised("", f"More than fifteen digits. {_SEVERAL}")
        if number.startswith("00"):
            return Normalised("", "Zeros in front that are not the international prefix of the region.")
        region = self._region
        whole = len(number) in region.full_lengths
        zero = number[0] == "0" and len(number) > min(region.full_lengths)
        if self._lead is None or not (whole or zero):
            return Normalised(number, "")
        if number.startswith(region.country_code) and len(number) - len(region.country_code) in region.full_lengths:
            return Normalised("", _AMBIGUOUS)
        problem = self._problem_with_code(region.country_code + number)
        return Normalised("" if problem else self._plain_lead + number, problem)


def _misspelling(text: str) -> str:
    """Return why a text is not spelt like one phone number, or an empty text."""
    if not text:
        return "The cell is empty."
    if len(text) > MAX_CELL_CHARS:
        return "Too long a text for one phone number."
    if not _SPELT.fullmatch(text):
        return next(reason for pattern, reason in _EXPLANATIONS if pattern.search(text))
    for vetoed, reason in _VETOES:  # a generator would cost as much as all the patterns
        if vetoed(text):
            return reason
    return ""


def _problem_in_plan(digits: str, *, own: bool) -> str:
    """Return why the country's numbering plan has no such number, or an empty text.

    Abroad the length decides. In the own country, where a length of its own stands for a service, the plan's ranges
    do; and so they do for a zero after the country code: Italy's numbers have one, elsewhere it is a habit.
    """
    from phonenumbers import (  # noqa: PLC0415 - costs 30 ms, and importing this module must not
        NumberParseException,
        ValidationResult,
        is_possible_number_with_reason,
        is_valid_number,
        national_significant_number,
        parse,
    )

    if len(digits) > MAX_DIGITS:
        return f"More than fifteen digits. {_SEVERAL}"
    try:
        parsed = parse(f"+{digits}")
    except NumberParseException as error:
        unknown = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return "No country has this code." if unknown else "Too short for its country."
    code, national = str(parsed.country_code), national_significant_number(parsed)
    possible = is_possible_number_with_reason(parsed)
    if (digits[len(code) :].startswith("0") and not is_valid_number(parsed)) or code + national != digits:
        return _ZERO
    if possible in {ValidationResult.TOO_SHORT, ValidationResult.TOO_LONG}:
        return f"Too {'short' if possible == ValidationResult.TOO_SHORT else 'long'} for its country."
    if possible != ValidationResult.IS_POSSIBLE or (own and not is_valid_number(parsed)):
        return "No number of its country looks like this."
    return ""


def _region(name: str) -> _Region:
    from phonenumbers import PhoneMetadata, PhoneNumberDesc  # noqa: PLC0415 - costs 30 ms, as above

    metadata = PhoneMetadata.metadata_for_region(name.upper())
    if metadata is None:
        raise UsageError("--region is not a country that is known.", "Give its two letters, for example PL.")
    general = metadata.general_desc or PhoneNumberDesc()
    prefix = metadata.international_prefix or ""
    return _Region(
        str(metadata.country_code),
        prefix if prefix.isdecimal() else "",
        frozenset((metadata.mobile or general).possible_length),
        max(general.possible_length),
    )


def _plain(region: _Region) -> re.Pattern[str]:
    """Return what most cells look like: a whole number of the region (group 1), perhaps with its country code.

    It spares them the gates, so it leaves out whatever these would have to look at: a zero in front, digits that
    start like an international prefix (810 in some countries), lengths that are whole with the code and without it,
    and the code without a plus or a prefix where national numbers are as long.
    """
    code, prefix = region.country_code, region.international_prefix
    lengths = [
        f"[0-9]{{{length - 1}}}"
        for length in sorted(region.full_lengths)
        if not {length - len(code), length + len(code)} & region.full_lengths
    ]
    coded = (
        [rf"\+{code}"]
        + [prefix + code] * bool(prefix)
        + [code] * (len(code) + min(region.full_lengths) > region.longest)
    )
    abroad = f"(?!{prefix})" if prefix.strip("0") else ""  # after 00 there is nothing that [1-9] lets through
    return re.compile(f"(?:{'|'.join(coded)}|)({abroad}[1-9](?:{'|'.join(lengths) or '(?!)'}))")
