"""Turns a cell's text into the one phone number to send, or into a reason. Never guesses: a deletion cannot be undone.

| the cell, region PL           | national         | digits          | e164             | as-is             |
|-------------------------------|------------------|-----------------|------------------|-------------------|
| `601 234 555`, `(601)234-555` | `601234555`      | `48601234555`   | `+48601234555`   | `601234555`       |
| `+48 601-234-555`             | `601234555`      | `48601234555`   | `+48601234555`   | `+48601234555`    |
| `0048 601 234 555`            | `601234555`      | `48601234555`   | `+48601234555`   | `0048601234555`   |
| `48601234555`                 | `601234555`      | `48601234555`   | `+48601234555`   | `48601234555`     |
| `+49 1512 3456789`            | `00491512345...` | `491512345...`  | `+491512345...`  | `+491512345...`   |
| `491512345...`                | refused          | as it is        | refused          | as it is          |
| `0601234555`                  | refused          | refused         | refused          | as it is          |
| `60123455`, `6012345551`      | refused          | refused         | refused          | refused           |
| `441`, with internal numbers  | as it is         | as it is        | as it is         | as it is          |

A cell passes three gates. *Spelling*: only digits, single formatting characters, matched parentheses and one leading
plus are accepted. *Length*: with a country code the numbering plan decides; without one the number must be as long as
a mobile number, a subscriber's number in the plan, or an internal number where these are allowed. Digits after a whole
number and a space or a dash are an extension. *Reading back*: the result must mean the same when it is read again,
because the report may become the next run's input.

Bare digits are refused if they are too long for the region, a plus would make them a number, and the campaign's form
writes that plus or prefix. A spreadsheet removes both, and the server would report the bare digits as not there.

A cell with several numbers is split if that is certain.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.spelling import (
    EXTENSION,
    MAX_DIGITS,
    NO_SUCH_NUMBER,
    SEPARATORS,
    SEVERAL,
    TOO_MANY_DIGITS,
    ZERO,
    ZEROS,
    Region,
    is_subscriber,
    misspelling,
    problem_in_plan,
    reading,
    region_of,
    without_formatting,
)
from bulk_remove.errors import InvariantError, UsageError
from bulk_remove.language import Phrase, joined, phrase

MIN_DIGITS, MAX_INTERNAL_DIGITS = 3, 6  # Thulium documents short internal numbers such as 441
ROUNDED = "000000"  # one number in a million ends like this; most do if a spreadsheet rounded them


class Normalised(NamedTuple):
    """A number (digits, perhaps with a leading plus), or the problem with the cell; exactly one is non-empty."""

    number: str
    problem: str


class _Judged(NamedTuple):
    """The result of a cell, with its digits if it is well spelt, and the kinds of text that were removed."""

    normalised: Normalised
    digits: str = ""
    kinds: tuple[str, ...] = ()
    internal: bool = False


class JudgedBlock(NamedTuple):
    """The results of the cells of a block."""

    numbers: list[str]
    problems: dict[int, str]
    kinds: Counter[str]
    internal: int
    coded: int
    in_doubt: int
    rounded: Sequence[str]


@dataclass(frozen=True, slots=True)
class NumberRules:
    """The form that the campaign uses, and the country of numbers without a country code (ISO 3166, two letters)."""

    number_format: NumberFormat = NumberFormat.NATIONAL
    region: str = "PL"
    internal_numbers: bool = False
    mostly_internal: bool = False
    coded: bool = False
    rounded: bool = False

    def __post_init__(self) -> None:
        if self.number_format is NumberFormat.AUTO:
            object.__setattr__(self, "number_format", NumberFormat.NATIONAL)


_INTERNAL = "An internal number, or one that lost digits: --internal-numbers lets it through."
_GROUPED = "Too few digits, in groups: several internal numbers, or one that lost digits."
LOST_PLUS = "It seems that a plus or zeros in front are lost: the digits begin with a country code."
_AMBIGUOUS = "The digits are a number with a country code and without: write a plus, here or by the number format."
_CUT_SHORT = "It begins with the country code, as the other numbers do, but is too short for that: digits may be lost."
_LOST_ENDS = "It ends in zeros as other numbers here do, so digits seem lost: --trust-column lets it through."
_TOO_FEW = "Too few digits for a whole number."
_TOO_MANY = "Too many digits for a whole number."
_TRUNK_ZERO = "A zero in front of a whole number: write it without."
_ZEROS_AT_THE_END = "More than fifteen digits, zeros at the end: a spreadsheet has lost digits."

_SHORTEST_BY_PLAN = 8
"""Shorter numbers are whole only in regions with mobile numbers as short: few digits in a plan prove too little."""
_MOST_EXTENSION_DIGITS = 4
_LOCAL, _MORE = 7, 2
"""The digits of a number without its area code, and of an extension that makes it as long as a whole number."""
_LANDLINE = (2, 3, 2, 2)  # the groups of a landline number after the country code, and without an area code

# Once their spaces and dashes are removed, these spellings need no other gate: no date, list or decimal number has
# these groups. core.spelling accepts all of them, and more.
_CLEAN = re.compile(
    r" *(?:\+[0-9]{1,4}[ -]?|[0-9]{1,4}[ -])?"  # the country code
    r"(?:[0-9]{3}(?:[ -][0-9]{2,4})+|[0-9]+) *"
)
_ANY_DIGIT = str.maketrans("123456789", "0" * 9)
_GROUP = re.compile("[0-9]+")


class Normaliser:
    """Applies the rules to cells. Raises UsageError for an unknown region."""

    def __init__(self, rules: NumberRules) -> None:
        self._rules = rules
        self._format = rules.number_format
        self.region = region = region_of(rules.region)
        self._lead = {NumberFormat.DIGITS: "", NumberFormat.E164: "+"}.get(rules.number_format)
        self._plain_lead = "" if self._lead is None else self._lead + region.country_code
        self._kept = 0 if rules.number_format is NumberFormat.AS_IS else 1
        codes, national = _plain(region, rules)
        self._plain = re.compile(f"{codes}({national})").fullmatch
        line = f"{codes}({national})" if self._kept else f"({codes}{national})"
        self._plain_lines = re.compile(f"^(?:{line}|.*)$", re.MULTILINE)
        self._like_code = re.compile(_like_code(region)).findall

    def __call__(self, cell: str) -> Normalised:
        """Return the number in the cell, or the problem with it. Never raises."""
        if plain := self._plain(cell):
            return Normalised(self._plain_lead + plain[self._kept], "")
        return self._judged(cell).normalised

    def block(self, cells: Sequence[str]) -> JudgedBlock:
        """Return the result of each cell, and what the cells show about each other."""
        lines = _lines(cells, self._may_be_more)
        text = "\n".join(lines)
        numbers: list[str] = self._plain_lines.findall(text) if lines else []
        framed = f"\n{text}\n"
        if lead := self._plain_lead:
            numbers = [number and lead + number for number in numbers]
        rounded = [number for number in numbers if number.endswith(ROUNDED)] if f"{ROUNDED}\n" in framed else []
        odd = {} if all(numbers) else {index: self._judged(cells[index]) for index, it in enumerate(numbers) if not it}
        for index, judged in odd.items():
            numbers[index] = judged.normalised.number
            rounded += [numbers[index]] * numbers[index].endswith(ROUNDED)
        if odd:  # unusual cells are read by their digits too
            digits = (odd[index].digits if index in odd else line for index, line in enumerate(lines))
            framed = "\n".join(["", *digits, ""])
        like_code: list[str] = self._like_code(framed)
        kinds = Counter(kind for judged in odd.values() if judged.normalised.number for kind in judged.kinds)
        problems = {index: judged.normalised.problem for index, judged in odd.items() if judged.normalised.problem}
        internal = sum(judged.internal for judged in odd.values())
        in_doubt = like_code.count("")
        return JudgedBlock(numbers, problems, kinds, internal, len(like_code) - in_doubt, in_doubt, rounded)

    def spelt(self, cell: str) -> str:
        """Return the digits of a well-spelt cell, perhaps with a leading plus; empty for another cell."""
        text = reading(cell).text
        return "" if misspelling(text) else without_formatting(text)

    def is_whole(self, number: str) -> bool:
        """Return whether digits without a country code are a whole national number of the region."""
        region = self.region
        if len(number) in region.full_lengths and number[0] != "0":
            return True
        return len(number) >= _SHORTEST_BY_PLAN and is_subscriber(region.country_code + number)

    def country_code_and_number(self, number: str) -> str:
        """Return a number in the campaign's form as digits from the country code on."""
        region = self.region
        code = region.country_code
        if plain := self._plain(number):
            return code + plain[1]
        if digits := self.from_country_code(number):
            return "" if self._problem_with_code(digits) else digits
        if self.is_whole(number):
            return "" if self._is_ambiguous(number) else code + number
        return number if self._format is NumberFormat.DIGITS and self._is_abroad(number) else ""

    def _judged(self, cell: str) -> _Judged:
        """Pass a cell through the gates."""
        read = reading(cell)
        if problem := misspelling(read.text):
            return _Judged(Normalised("", problem))
        digits = without_formatting(read.text)
        formed = self._at_length(read.text, digits)
        internal = self._is_internal(digits) and formed.problem in {"", _INTERNAL}
        if read.or_else:
            # A plus may be the sign of a decimal number: +601234555.0
            signed = ZEROS in read.kinds and digits[0] == "+" and self.is_whole(digits[1:])
            formed = Normalised("", read.or_else) if formed.problem or internal or signed else formed
            internal = False
        if self._rules.rounded and formed.number.endswith(ROUNDED):
            formed = Normalised("", _LOST_ENDS)
        return _Judged(formed, digits, read.kinds, internal)

    def _at_length(self, text: str, digits: str) -> Normalised:
        """Bring the digits of a well-spelt text to the campaign's form, unless more follows after a whole number."""
        plain = self._plain(digits)
        sizes = [len(group) for group in _GROUP.findall(text)]
        explicit = self._explicit(digits)
        if len(sizes) > 1 and len(explicit or digits) <= MAX_DIGITS:
            coded = bool(explicit) and not plain and self._has_extension(explicit, sizes[-1])
            if coded or (not explicit and self._goes_on(digits, sizes)) or self._is_local(explicit, digits, sizes):
                return Normalised("", EXTENSION)
            if not explicit and self._is_internal(digits):
                return Normalised("", _GROUPED)
            if not explicit and self._rules.mostly_internal and _are_internal(sizes):
                return Normalised("", SEVERAL)
        if plain:
            return Normalised(self._plain_lead + plain[self._kept], "")
        formed = self._formed(digits)
        return formed if self._reads_back(digits, formed) else Normalised("", _AMBIGUOUS)

    def _has_extension(self, digits: str, last: int) -> bool:
        """Return whether digits from the country code on are a number only without their last group, `last` digits."""
        front = digits[:-last]
        return (
            last <= _MOST_EXTENSION_DIGITS < len(front)
            and bool(problem_in_plan(digits, certain=True))
            and not problem_in_plan(front, certain=True)
        )

    def _goes_on(self, digits: str, sizes: Sequence[int]) -> bool:
        """Return whether bare digits in groups of these sizes are a whole national number and more digits."""
        region = self.region
        if len(region.full_lengths) > 1 or (self.from_country_code(digits) and not self._may_go_on(sizes)):
            return False
        (full,) = region.full_lengths
        return full in accumulate(sizes[:-1]) and not problem_in_plan(region.country_code + digits[:full], certain=True)

    def _is_local(self, explicit: str, digits: str, sizes: Sequence[int]) -> bool:
        """Return whether a number of the region is an old local number of seven digits and two more."""
        national = (explicit or digits).removeprefix(self.region.country_code if explicit else "")
        own = not explicit or explicit.startswith(self.region.country_code)
        return own and (bool(explicit) or self.is_whole(national)) and self._ends_local(sizes)

    def _ends_local(self, sizes: Sequence[int]) -> bool:
        """Return whether groups of these sizes end with seven digits in one or two groups, and two more."""
        if self.region.full_lengths != {_LOCAL + _MORE} or sum(sizes) < _LOCAL + _MORE:
            return False
        ends = [*accumulate(reversed(sizes))]
        return ends[0] == _MORE and (ends[1] > _LOCAL or (ends[1] == _LOCAL - 1 and ends[2] > _LOCAL))

    def _may_be_more(self, sizes: Sequence[int]) -> bool:
        """Return whether groups of these sizes may be something other than one whole number."""
        if len(sizes) == 1:
            return self._may_go_on(sizes)
        several = self._rules.mostly_internal and _are_internal(sizes)
        return several or self._may_go_on(sizes) or self._ends_local(sizes)

    def _may_go_on(self, sizes: Sequence[int]) -> bool:
        """Return whether groups of these sizes may be a number with its code, or one without and another group."""
        lead, *rest = sizes
        total = sum(sizes) - len(self.region.country_code)
        if total not in self.region.full_lengths or total not in accumulate(sizes):
            return False
        return not (lead == len(self.region.country_code) and tuple(rest) == _LANDLINE)

    def _reads_back(self, number: str, formed: Normalised) -> bool:
        """Return whether the formed number, read again, is the same."""
        if formed.number in {"", number}:
            return True
        digits = self.from_country_code(number)
        same = bool(digits) and digits == self.from_country_code(formed.number)  # avoids a second look-up in the plan
        return same or self._formed(formed.number) == formed

    def _formed(self, number: str) -> Normalised:
        """Bring digits, perhaps with a leading plus, to the campaign's form."""
        if not number.strip("+0"):
            return Normalised("", "Only zeros: a placeholder.")
        digits = self.from_country_code(number)
        if not digits:
            return self._without_code(number)
        if problem := self._problem_with_code(digits):
            return Normalised("", problem)
        if self._format is NumberFormat.AS_IS:
            return Normalised(number, "")
        if self._lead is not None:
            return Normalised(self._lead + digits, "")
        code = self.region.country_code
        own = digits.startswith(code)
        return Normalised(digits.removeprefix(code) if own else self.region.international_prefix + digits, "")

    def from_country_code(self, number: str) -> str:
        """Return the digits from the country code on, or an empty text for a number without one."""
        if explicit := self._explicit(number):
            return explicit
        region = self.region
        bare = number.startswith(region.country_code) and len(number) > region.longest
        return number if bare and len(number) - len(region.country_code) in region.full_lengths else ""

    def _explicit(self, number: str) -> str:
        """Return the digits from the country code on if a plus or the prefix comes first, else an empty text."""
        if number[0] == "+":
            return number[1:]
        prefix = self.region.international_prefix
        return number.removeprefix(prefix) if prefix and number.startswith(prefix) else ""

    def _problem_with_code(self, digits: str) -> str:
        """Return why digits with their country code are not a number or have no such form, or an empty text."""
        region = self.region
        own = digits.startswith(region.country_code)
        national = digits.removeprefix(region.country_code)
        if own and len(national) in region.full_lengths and national[0] != "0":
            return ""
        if not own and self._format is NumberFormat.NATIONAL and not region.international_prefix:
            return "A number abroad is dialled in more than one way from the region: choose another format."
        if (problem := problem_in_plan(digits, certain=own)) or not own:
            return problem
        return "" if self.is_whole(national) else NO_SUCH_NUMBER

    def _without_code(self, number: str) -> Normalised:
        """Bring a whole national number to the campaign's form; the few others that may be sent stay as they are."""
        region = self.region
        if not self.is_whole(number):
            problem = self._problem_without_code(number)
            return Normalised("" if problem else number, problem)
        if self._rules.coded and number.startswith(region.country_code):
            return Normalised("", _CUT_SHORT)
        if self._lead is None:
            return Normalised(number, "")
        if self._is_ambiguous(number):
            return Normalised("", _AMBIGUOUS)
        return Normalised(self._plain_lead + number, "")

    def _is_ambiguous(self, number: str) -> bool:
        """Return whether the digits are a whole national number both with and without the country code."""
        code = self.region.country_code
        return number.startswith(code) and len(number) - len(code) in self.region.full_lengths

    def _problem_without_code(self, number: str) -> str:
        """Return why digits that are not a whole national number must not be sent, or an empty text."""
        if self._is_internal(number):
            return "" if self._rules.internal_numbers else _INTERNAL
        if len(number) < MIN_DIGITS:
            return "Fewer than three digits."
        if len(number) > MAX_DIGITS:
            return TOO_MANY_DIGITS if number[MAX_DIGITS:].strip("0") else _ZEROS_AT_THE_END
        return self._problem_with_zeros(number) if number[0] == "0" else self._problem_with_length(number)

    def _problem_with_zeros(self, number: str) -> str:
        if number.startswith("00"):
            return "Zeros in front that are not the international prefix of the region."
        if self._is_abroad(number[1:]):
            return LOST_PLUS
        if not self.is_whole(number[1:]):
            return ZERO
        return "" if self._format is NumberFormat.AS_IS else _TRUNK_ZERO

    def _problem_with_length(self, number: str) -> str:
        if self._is_abroad(number):
            return "" if self._format in {NumberFormat.DIGITS, NumberFormat.AS_IS} else LOST_PLUS
        return _TOO_FEW if len(number) < min(self.region.full_lengths) else _TOO_MANY

    def _is_internal(self, number: str) -> bool:
        """Return whether digits are as short as an internal number, and not a whole number."""
        return number[0] != "+" and MIN_DIGITS <= len(number) <= MAX_INTERNAL_DIGITS and not self.is_whole(number)

    def _is_abroad(self, number: str) -> bool:
        """Return whether bare digits that are not a whole national number are a number after a plus."""
        region = self.region
        certain = number.startswith(region.country_code) or len(number) <= region.longest
        return len(number) > max(region.full_lengths) and not problem_in_plan(number, certain=certain)


def _are_internal(sizes: Sequence[int]) -> bool:
    return all(MIN_DIGITS <= size <= MAX_INTERNAL_DIGITS for size in sizes)


def _lines(cells: Sequence[str], may_be_more: Callable[[Sequence[int]], bool]) -> Sequence[str]:
    """Return each cell as one line without spaces and dashes; empty for a cell that must pass all gates."""
    text = "\n".join(cells)
    if not cells or (" " not in text and "-" not in text and text.count("\n") < len(cells)):
        return cells
    # A file has few spellings if digits are ignored: each spelling is checked once.
    spellings = text.translate(_ANY_DIGIT).split("\n")
    if len(spellings) != len(cells):  # some cell has several lines
        return _lines([cell if "\n" not in cell else "" for cell in cells], may_be_more)
    odd = {
        spelling
        for spelling in set(spellings)
        if not _CLEAN.fullmatch(spelling) or may_be_more([len(group) for group in _GROUP.findall(spelling)])
    }
    if odd:
        text = "\n".join(["" if spelling in odd else cell for cell, spelling in zip(cells, spellings, strict=True)])
    return text.replace(" ", "").replace("-", "").split("\n")


def _plain(region: Region, rules: NumberRules) -> tuple[str, str]:
    """Return patterns of the usual cells: perhaps the region's country code, and a whole number of the region."""
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
    abroad = f"(?!{prefix})" if prefix.strip("0") else ""  # after 00 there is nothing that [1-9] accepts
    none = f"(?!{code})" if rules.coded else ""
    rounded = f"(?<!{ROUNDED})" if rules.rounded else ""
    return f"(?:{'|'.join(coded)}|{none})", f"{abroad}[1-9](?:{'|'.join(lengths) or '(?!)'}){rounded}"


def _like_code(region: Region) -> str:
    """Return a pattern of lines of bare digits that begin with the country code."""
    code = region.country_code
    national, behind = (
        "|".join(f"[0-9]{{{length - less}}}" for length in sorted(region.full_lengths) if length > less)
        for less in (len(code), 0)
    )
    return rf"\n{code}(?:(?:{national})|({behind}))(?=\n)"


_SEPARATOR = re.compile(SEPARATORS, re.IGNORECASE)


def split_cell(cell: str, normalise: Normaliser) -> tuple[str, ...]:
    """Return the texts of the numbers in the cell, in order; nothing if it holds one number or is uncertain."""

    def is_whole(part: str) -> bool:
        number = normalise(part).number
        return bool(number) and bool(normalise.country_code_and_number(number))

    parts = tuple(part for text in _SEPARATOR.split(cell) if (part := text.strip()))
    return parts if len(parts) > 1 and all(map(is_whole, parts)) else ()


class AlsoTry(StrEnum):
    """A form besides the planned one, shown with a number of PL."""

    PLUS = "plus"  # +48601234555
    INTERNATIONAL = "international"  # 48601234555
    ZEROS = "zeros"  # 0048601234555, in every region: switchboards write a plus like this
    NATIONAL = "national"  # 601234555; a number abroad has none


class Rest(StrEnum):
    """How else a number in a campaign's records may be written."""

    ABROAD = "abroad"  # A foreign number as dialled: in `national` form, and in `zeros` where two zeros are dialled
    INTERNAL = "internal"  # three to six digits, which have only one form
    OTHERWISE = "otherwise"
    """Enough digits for a whole number, but written in none of the forms, so it cannot be requested."""
    NO_NUMBER = "no number"  # anything else; never sent


Held = Mapping[str, int]  # how many numbers are written in which way: by `AlsoTry`, or by `Rest`

_PLANNED = {
    AlsoTry.PLUS: NumberFormat.E164,
    AlsoTry.INTERNATIONAL: NumberFormat.DIGITS,
    AlsoTry.NATIONAL: NumberFormat.NATIONAL,
}
"""The format that writes each form. None writes zeros: these can only be tried after another form."""
_OWN = {number_format: form for form, number_format in _PLANNED.items()}
_LEADS = {AlsoTry.PLUS: "+", AlsoTry.INTERNATIONAL: "", AlsoTry.ZEROS: "00", AlsoTry.NATIONAL: None}
"""The text before the country code; the national form has no country code."""


def parse_also_try(text: str) -> tuple[AlsoTry, ...]:
    """Read a list such as `plus,zeros`; duplicates count once. Raises UsageError."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    known = [form.value for form in AlsoTry]
    for word in words:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            raise UsageError(
                phrase("--also-try does not know the form {word!r}.", word=word),
                phrase("Did you mean {nearest}?", nearest=near[0])
                if near
                else phrase("Give one or more of {known}, with commas.", known=", ".join(known)),
            )
    return tuple(AlsoTry(word) for word in dict.fromkeys(words))


class Forms:
    """The forms of each number under some rules: `asked` has all of them in order, `also_try` those after the first."""

    def __init__(self, rules: NumberRules, also_try: Sequence[AlsoTry]) -> None:
        if also_try and rules.number_format is NumberFormat.AS_IS:
            raise UsageError(
                "--also-try needs to know the form of the campaign's numbers, which as-is does not say.",
                "Choose another --number-format.",
            )
        self.also_try = tuple(dict.fromkeys(also_try))
        self._leads = tuple(_LEADS[form] for form in self.also_try)
        self._normalise = Normaliser(rules)
        region = self._normalise.region
        self._country_code = region.country_code
        own = [_OWN[rules.number_format]] if rules.number_format in _OWN else []
        self.asked = tuple(dict.fromkeys([*own, *also_try]))
        dialled = AlsoTry.NATIONAL in own or (AlsoTry.ZEROS in self.asked and region.international_prefix == "00")
        self._found_in = {*self.asked, Rest.INTERNAL, Rest.NO_NUMBER, *[Rest.ABROAD] * dialled}

    def asks_more_than(self, earlier: "Forms") -> bool:
        """Return whether numbers are requested in a form that the earlier rules did not have."""
        return not {*self.asked} <= {*earlier.asked}

    def unasked(self, held: Held) -> Held:
        """Return the part of a campaign's numbers that is written in no requested form."""
        return {way: count for way, count in held.items() if count and way not in self._found_in}

    def confirmed_by(self, held: Held) -> bool:
        """Return whether a campaign's own records show that it holds its numbers in the requested forms."""
        return any(count for way, count in held.items() if way != Rest.NO_NUMBER) and not self.unasked(held)

    def planned(self, number: str) -> str:
        """Return the planned form of a number in any of its forms; any other text is returned unchanged."""
        if not self._leads:
            return number
        text = f"+{number[2:]}" if number.startswith("00") else number
        read = self._normalise(text)
        if read.problem == LOST_PLUS:  # damage in a cell, but here the missing plus is our own doing
            read = self._normalise(f"+{text}")
        return read.number or number

    def after(self, number: str) -> str:
        """Return the form to request after this one, empty if none is left."""
        forms = self._ranked(number)
        self._rank_in(forms, number)
        return next(forms, ("", 0))[0]

    def rank(self, number: str) -> int:
        """Return 0 for the planned form, else the position of the form, from 1, among the others."""
        return self._rank_in(self._ranked(number), number)

    def _rank_in(self, forms: Iterator[tuple[str, int]], number: str) -> int:
        for form, rank in forms:
            if form == number:
                return rank
        raise InvariantError("a number is in a form that is not asked for")

    def _ranked(self, number: str) -> Iterator[tuple[str, int]]:
        """Yield the forms in the order of requests; most callers need only the first ones."""
        planned = self.planned(number)
        yield planned, 0
        digits = self._normalise.country_code_and_number(planned) if self._leads else ""
        seen = {planned}
        for rank, lead in enumerate(self._leads if digits else (), start=1):
            if lead is None:
                form = digits.removeprefix(self._country_code) if digits.startswith(self._country_code) else ""
            else:
                form = lead + digits
            if form and form not in seen and self.planned(form) == planned:
                seen.add(form)
                yield form, rank


_ONLY_DIGITS = re.compile(r"\+?[0-9]+")
_INTERNAL_DIGITS = range(MIN_DIGITS, 7)
_INTERNAL_SHARE = 0.1
"""One short number among many may be a test: it does not show that the campaign calls internal numbers."""
_LONGEST = 200  # longer texts are not phone numbers, whatever they hold


def forms_held(numbers: Iterable[object], region_name: str) -> Held:
    """Count how the numbers of a campaign's records are written; only texts and whole numbers count."""
    texts = (str(number) if type(number) in {int, str} else "" for number in numbers)
    return dict(Counter(map(way_reader(region_name), texts)))


def way_reader(region_name: str) -> Callable[[str], str]:
    """Return a function that returns how a number is written: an `AlsoTry` or a `Rest`."""
    # Only this format reads bare digits that begin with another country's code.
    normalise = Normaliser(NumberRules(NumberFormat.DIGITS, region_name))
    read, region = normalise.country_code_and_number, normalise.region
    return lambda text: str(_way(text, region, read(text) if _ONLY_DIGITS.fullmatch(text) else ""))


def _way(text: str, region: Region, digits: str) -> AlsoTry | Rest:
    """Return how a number is written. `digits` begin with its country code; they are empty if that is uncertain."""
    if digits:
        own = digits.startswith(region.country_code)
        if not own and text == region.international_prefix + digits:
            return Rest.ABROAD
        if own and text == digits.removeprefix(region.country_code):
            return AlsoTry.NATIONAL
        leads = {f"{lead}{digits}": form for form, lead in _LEADS.items() if lead is not None}
        return leads.get(text, Rest.OTHERWISE)
    whole = min(region.full_lengths)
    if _ONLY_DIGITS.fullmatch(text):
        if len(text) in _INTERNAL_DIGITS and text.strip("0").isdecimal():
            return Rest.INTERNAL
        return Rest.OTHERWISE if text[0] == "0" and len(text.lstrip("0")) >= whole else Rest.NO_NUMBER
    return Rest.OTHERWISE if whole <= sum(map(str.isdecimal, text[:_LONGEST])) else Rest.NO_NUMBER


def chosen_forms(held: Held, also_try: Sequence[AlsoTry], region: str) -> tuple[NumberFormat, tuple[AlsoTry, ...]]:
    """Return the format to plan with, the most common in the records, and the forms to try after it."""
    forms = [form for form in sorted(AlsoTry, key=lambda form: -held.get(form, 0)) if held.get(form)]
    planned = next((form for form in forms if form in _PLANNED), AlsoTry.NATIONAL)
    if planned is not AlsoTry.NATIONAL and held.get(Rest.ABROAD) and region_of(region).international_prefix == "00":
        forms.append(AlsoTry.ZEROS)
    return _PLANNED[planned], tuple(form for form in dict.fromkeys([*forms, *also_try]) if form is not planned)


def holds_internal(held: Held) -> bool:
    """Return whether a campaign's own records hold more internal numbers than a few tests."""
    numbers = sum(count for way, count in held.items() if way != Rest.NO_NUMBER)
    return held.get(Rest.INTERNAL, 0) > _INTERNAL_SHARE * numbers


def told_forms(held: Held, region_name: str, of: Held | None = None) -> Phrase:
    """Say how numbers are written, the most common way first, by an example that is nobody's number."""
    region = region_of(region_name)
    way, *others = sorted((way for way in held if held[way]), key=lambda way: (way == Rest.NO_NUMBER, -held[way]))
    looked_at = sum((held if of is None else of).values())
    told = "{form} ({count:,} of {looked_at:,} looked at)"
    first = phrase(told, form=_example(way, region), count=held[way], looked_at=looked_at)
    more = [phrase("{form} ({count:,})", form=_example(way, region), count=held[way]) for way in others]
    if not more:
        return first
    return phrase("{listed} and {last}", listed=joined(", ", [first, *more[:-1]]), last=more[-1])


def form_examples(forms: Iterable[str], region_name: str) -> Phrase:
    """Name forms by an example of each."""
    return joined(", ", (_example(form, region_of(region_name)) for form in forms))


def _example(way: str, region: Region) -> str:
    match way:
        case Rest.ABROAD:
            return phrase("numbers abroad with {prefix} in front", prefix=region.international_prefix)
        case Rest.INTERNAL:
            return phrase("internal numbers")
        case Rest.OTHERWISE:
            return phrase("numbers with spaces, signs or extra zeros, which no form finds")
        case Rest.NO_NUMBER:
            return phrase("something that is not a whole phone number")
        case AlsoTry.NATIONAL:
            return region.example
        case _:
            return f"{_LEADS[AlsoTry(way)]}{region.country_code}{region.example}"
