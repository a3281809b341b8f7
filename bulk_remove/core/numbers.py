"""Cell text -> the one phone number to send, or the reason why not. Never a guess: a deletion cannot be undone.

| the cell, region PL           | national         | digits          | e164             | as-is             |
|-------------------------------|------------------|-----------------|------------------|-------------------|
| `601 234 555`, `(601)234-555` | `601234555`      | `48601234555`   | `+48601234555`   | `601234555`       |
| `+48 601-234-555`             | `601234555`      | `48601234555`   | `+48601234555`   | `+48601234555`    |
| `0048 601 234 555`            | `601234555`      | `48601234555`   | `+48601234555`   | `0048601234555`   |
| `48601234555`                 | `601234555`      | `48601234555`   | `+48601234555`   | `48601234555`     |
| `+49 1512 3456789`            | `00491512345...` | `491512345...`  | `+491512345...`  | `+491512345...`   |
| `491512345...`                | refused          | as it is        | refused          | as it is          |
| `441`                         | as it is         | as it is        | as it is         | as it is          |

A cell passes three gates. *Spelling*: a positive grammar of digits, single formatting characters, matched parentheses
and one plus in front; what it does not know is refused, and only the reason is looked for. *Length*: with a country
code (a plus, the region's international prefix, or digits too long for a national number of the region that go on
after its code as long as a mobile one) the numbering plan decides, without one 3 to 15 digits pass. *Reading back*:
the number formed must mean the same when it is read again, for the report may become the next run's input.

Bare digits that are too long for the region and that a plus in front would make a number are refused where the
campaign's form writes that plus or the prefix: a spreadsheet takes both away. Sent as they stand they would be
reported as not there, while the number with its prefix stays in the campaign.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.regions import MAX_DIGITS, TOO_MANY_DIGITS, Region, problem_in_plan, region_of
from bulk_remove.core.spelling import misspelling, trimmed, without_formatting

MIN_DIGITS = 3
"""Thulium documents short internal numbers such as 441."""


class Normalised(NamedTuple):
    """A number (digits, perhaps a plus in front), or what is wrong with the cell; exactly one is non-empty.

    `problem` is a short sentence without any digit.
    """

    number: str
    problem: str


@dataclass(frozen=True, slots=True)
class NumberRules:
    """The form that the campaign uses, and the country of numbers without a country code (ISO 3166, two letters).

    While the form is not known, numbers are read as national ones.
    """

    number_format: NumberFormat = NumberFormat.NATIONAL
    region: str = "PL"

    def __post_init__(self) -> None:
        if self.number_format is NumberFormat.AUTO:
            object.__setattr__(self, "number_format", NumberFormat.NATIONAL)


_AMBIGUOUS = "The digits are a number with a country code and without: write a plus, here or by the number format."
LOST_PLUS = "It seems that a plus or zeros in front are lost: the digits begin with a country code."
_ZEROS_AT_THE_END = "More than fifteen digits, zeros at the end: a spreadsheet has lost digits."

# Spellings that need no gate but the plain one once their spaces and dashes are gone: no date, no list and no decimal
# number has these groups. A part of what core.spelling lets through.
_CLEAN = re.compile(
    r" *(?:\+[0-9]{1,4}[ -]?|[0-9]{1,4}[ -])?"  # the country code
    r"(?:[0-9]{3}(?:[ -][0-9]{2,4})+|[0-9]+) *"
)
_ANY_DIGIT = str.maketrans("123456789", "0" * 9)


class Normaliser:
    """Applies the rules to cells. Raises UsageError for an unknown region."""

    def __init__(self, rules: NumberRules) -> None:
        self._format = rules.number_format
        self._region = region = region_of(rules.region)
        self._lead = {NumberFormat.DIGITS: "", NumberFormat.E164: "+"}.get(rules.number_format)
        self._plain_lead = "" if self._lead is None else self._lead + region.country_code
        self._kept = 0 if rules.number_format is NumberFormat.AS_IS else 1
        codes, national = _plain(region)
        self._plain = re.compile(f"{codes}({national})").fullmatch
        line = f"{codes}({national})" if self._kept else f"({codes}{national})"
        self._plain_lines = re.compile(f"^(?:{line}|.*)$", re.MULTILINE)

    def __call__(self, cell: str) -> Normalised:
        """Return the number in the cell, or what is wrong with it. Never raises."""
        if plain := self._plain(cell):
            return Normalised(self._plain_lead + plain[self._kept], "")
        text = trimmed(cell)
        if problem := misspelling(text):
            return Normalised("", problem)
        number = without_formatting(text)
        if plain := self._plain(number):
            return Normalised(self._plain_lead + plain[self._kept], "")
        formed = self._formed(number)
        return formed if self._reads_back(number, formed) else Normalised("", _AMBIGUOUS)

    def block(self, cells: Sequence[str]) -> tuple[list[str], dict[int, str]]:
        """Return the number of each cell, empty where there is none, and by index what is wrong with such a cell.

        The same as cell by cell, but whole blocks of cells in usual spellings cost one search each.
        """
        lines = _lines(cells)
        numbers: list[str] = self._plain_lines.findall("\n".join(lines)) if lines else []
        if lead := self._plain_lead:
            numbers = [number and lead + number for number in numbers]
        problems: dict[int, str] = {}
        for index in () if all(numbers) else [index for index, number in enumerate(numbers) if not number]:
            numbers[index], problem = self(cells[index])
            if problem:
                problems[index] = problem
        return numbers, problems

    def country_code_and_number(self, number: str) -> str:
        """Return the digits from the country code on of a number in the campaign's form.

        Empty where it has none for certain: an internal number, one that is too short or too long for a subscriber's
        of the region, digits that are a number with the code and without. Never raises.
        """
        region = self._region
        code = region.country_code
        if plain := self._plain(number):
            return code + plain[1]
        if digits := self._from_country_code(number):
            return "" if self._problem_with_code(digits) else digits
        if len(number) in region.full_lengths:
            ambiguous = number.startswith(code) and len(number) - len(code) in region.full_lengths
            return "" if ambiguous or self._problem_with_code(code + number) else code + number
        bare = self._format is NumberFormat.DIGITS and number[0] != "0" and len(number) > region.longest
        return number if bare and not self._problem_with_code(number) else ""

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
        return problem_in_plan(digits, own=own)

    def _without_code(self, number: str) -> Normalised:
        """Take bare digits as they are, but for a whole national number where the form has a country code."""
        if problem := self._problem_without_code(number):
            return Normalised("", problem)
        region = self._region
        whole = len(number) in region.full_lengths
        zero = number[0] == "0" and len(number) > min(region.full_lengths)
        if self._lead is None or not (whole or zero):
            return Normalised(number, "")
        if number.startswith(region.country_code) and len(number) - len(region.country_code) in region.full_lengths:
            return Normalised("", _AMBIGUOUS)
        problem = self._problem_with_code(region.country_code + number)
        return Normalised("" if problem else self._plain_lead + number, problem)

    def _problem_without_code(self, number: str) -> str:
        if len(number) < MIN_DIGITS:
            return "Fewer than three digits."
        if len(number) > MAX_DIGITS:
            return TOO_MANY_DIGITS if number[MAX_DIGITS:].strip("0") else _ZEROS_AT_THE_END
        if number.startswith("00"):
            return "Zeros in front that are not the international prefix of the region."
        return LOST_PLUS if self._lost_plus(number) else ""

    def _lost_plus(self, number: str) -> bool:
        """Tell whether bare digits would be a number if there were a plus instead of a zero or nothing in front."""
        if self._format not in {NumberFormat.NATIONAL, NumberFormat.E164}:
            return False
        digits = number.removeprefix("0")
        own = digits.startswith(self._region.country_code)
        return len(digits) > self._region.longest and not problem_in_plan(digits, own=own)


def _lines(cells: Sequence[str]) -> Sequence[str]:
    """Return each cell as one line without spaces and dashes; an empty one for a cell that needs all the gates."""
    text = "\n".join(cells)
    if not cells or (" " not in text and "-" not in text and text.count("\n") < len(cells)):
        return cells
    # A file has few spellings, digits apart: each is looked at once.
    spellings = text.translate(_ANY_DIGIT).split("\n")
    if len(spellings) != len(cells):  # a cell of several lines
        return _lines([cell if "\n" not in cell else "" for cell in cells])
    odd = {spelling for spelling in set(spellings) if not _CLEAN.fullmatch(spelling)}
    if odd:
        text = "\n".join(["" if spelling in odd else cell for cell, spelling in zip(cells, spellings, strict=True)])
    return text.replace(" ", "").replace("-", "").split("\n")


def _plain(region: Region) -> tuple[str, str]:
    """Return patterns of what most cells look like: perhaps the region's country code, and a whole number of it.

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
    return f"(?:{'|'.join(coded)}|)", f"{abroad}[1-9](?:{'|'.join(lengths) or '(?!)'})"
