"""Country and area codes that stand in a column of their own, beside the phone numbers.

The rest of a number without its code is another number, so the code is never left out: where it is certain that code
and cell make one whole number they are put together, otherwise the row is refused. A cell that holds the whole number
already, code included, is taken as it is if it does not contradict its code.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.regions import is_country_code, problem_in_plan, region_of
from bulk_remove.core.spelling import reading
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

_COUNTRY = """
countrycode countrycodes countrycallingcode countrydialcode countrydialingcode callingcode dialcode dialingcode
diallingcode phonecode phonecountrycode telcountrycode mobilecountrycode countryprefix intlcode internationalcode
internationalprefix isdcode isd kodkraju kodkrajutel kodkrajutelefonu prefikskraju prefikskrajowy
prefiksmiedzynarodowy kodmiedzynarodowy nrkierunkowykraju numerkierunkowykraju kierunkowykraju kierunkowydokraju
landesvorwahl landervorwahl laendervorwahl landercode predvolbastatu
"""
_AREA = "areacode phoneareacode telareacode strefanumeracyjna kodstrefy ortsvorwahl ortskennzahl"
_EITHER = """
prefix phoneprefix telprefix telephoneprefix mobileprefix dialprefix phonenumberprefix prefiks prefikstel
prefikstelefonu prefikstelefoniczny kodtelefoniczny kierunkowy nrkierunkowy numerkierunkowy kodkierunkowy kierunkowytel
vorwahl predvolba
"""
COUNTRY_NAMES, AREA_NAMES, EITHER_NAMES = (frozenset(names.split()) for names in (_COUNTRY, _AREA, _EITHER))
"""Folded names of columns that hold codes of countries, of areas, and of either."""

_FIGURES = re.compile(r"\(? *(\+|00)? *([1-9][0-9]{0,3}) *\)?")
_BEHIND_A_NAME = re.compile(r"[^\W\d_][^0-9+]*\(?(\+)([1-9][0-9]{0,2})\)?")
_LETTERS = re.compile(r"[A-Za-z]{2,3}")

_CONTRADICTS = "The number begins with another code than the one in its own column."
_UNCERTAIN = "With the code in its own column it is not certainly one whole number."
_MISSING = "The code that other rows have in its own column is missing."
_NO_CODE = "The cell in the column of the code holds none."
_ABROAD = "Its own column names another country: write the number with its country code."


class _Code(NamedTuple):
    """What stands in the column: the digits of a code, of a country if `country`, or the letters of a country."""

    digits: str = ""
    letters: str = ""
    country: bool = False


def find_code_column(header: Sequence[str], folded: Sequence[str], samples: Sequence[Sequence[str]]) -> int | None:
    """Return the index of the column that holds codes, None where there is none.

    `folded` are the names of the header as `columns.fold` returns them. A column of that name without a single code
    among the samples is another one: a prefix may be a title. Raises InputError where two columns hold codes.
    """
    named = [
        index
        for index, name in enumerate(folded)
        if name.rstrip("0123456789") in COUNTRY_NAMES | AREA_NAMES | EITHER_NAMES
    ]
    seen = {
        index: [code for row in samples if index < len(row) and row[index].strip() for code in [_read(row[index])]]
        for index in named
    }
    found = [
        index for index, codes in seen.items() if any(_is_code(code, folded[index]) for code in codes) or not codes
    ]
    # `country_code` with PL beside `phone_code` with 48: the digits say all.
    found = [index for index in found if any(code.digits for code in seen[index])] or found
    filled = [index for index in found if seen[index]] or found[:1]
    if len(filled) > 1:
        raise InputError(
            phrase(
                "Parts of the numbers stand in several columns of their own ({listed}).",
                listed=", ".join(f"'{header[index]}'" for index in filled),
            ),
            "Put the whole number into one column, with a plus and the country code, and leave the others out.",
        )
    return filled[0] if filled else None


def _is_code(code: _Code, name: str) -> bool:
    return bool(code.digits) or (bool(code.letters) and name.rstrip("0123456789") in COUNTRY_NAMES)


@lru_cache(maxsize=1024)
def _read(cell: str) -> _Code:
    text = reading(cell).text
    if figures := _FIGURES.fullmatch(text) or _BEHIND_A_NAME.fullmatch(text):
        return _Code(figures[2], country=bool(figures[1]))
    return _Code(letters=text.upper()) if _LETTERS.fullmatch(text) else _Code()


class CodeColumn:
    """Puts the cells of two columns together. `name` is that of the codes' column, folded."""

    def __init__(self, name: str, rules: NumberRules) -> None:
        plain = name.rstrip("0123456789")
        self._country, self._area = plain not in AREA_NAMES, plain not in COUNTRY_NAMES
        self._normalise = Normaliser(rules)
        self._region = rules.region.upper()
        self._own = region_of(rules.region).country_code
        self._blank_is_own: bool | None = None

    def joined(self, codes: Sequence[str], cells: Sequence[str]) -> "Joined":
        """Return the cells of a block with their codes. Where most of the first block have none, none is needed."""
        if self._blank_is_own is None:
            self._blank_is_own = 2 * sum(not code.strip() for code in codes) > len(codes)
        whole, problems = [*cells], {}
        for index, (code, cell) in enumerate(zip(codes, cells, strict=True)):
            whole[index], problem = self._one(code, cell)
            if problem:
                problems[index] = problem
        return Joined(whole, problems)

    def _one(self, code_cell: str, cell: str) -> tuple[str, str]:
        """Return the whole number of a row as a cell, or why it is none."""
        digits = self._normalise.spelt(cell)
        if not digits:
            return cell, ""  # it says itself what is wrong with it
        explicit = self._normalise.from_country_code(digits)
        code = _read(code_cell)
        if code.digits:
            return self._agreeing(code, explicit, cell) if explicit else self._together(code, digits, cell)
        if explicit:
            return cell, ""
        if not code_cell.strip():
            return cell, "" if self._blank_is_own else _MISSING
        if not (code.letters and self._country):
            return cell, _NO_CODE
        return cell, "" if code.letters == self._region else _ABROAD

    def _agreeing(self, code: _Code, explicit: str, cell: str) -> tuple[str, str]:
        """Return a cell that has its country code, if it agrees with the other one."""
        agrees = (self._country and explicit.startswith(code.digits)) or (
            self._area and not code.country and explicit.startswith(self._own + code.digits)
        )
        return cell, "" if agrees else _CONTRADICTS

    def _together(self, code: _Code, digits: str, cell: str) -> tuple[str, str]:
        """Return bare digits with their code, if there is one way only to a whole number."""
        found: dict[str, str] = {}
        if self._country and code.digits == self._own:
            if self._normalise.is_whole(digits):
                found[self._own + digits] = cell
        elif self._country and is_country_code(code.digits):
            for number in (code.digits + digits, digits if digits.startswith(code.digits) else ""):
                if number and not problem_in_plan(number, certain=True):
                    found[number] = f"+{code.digits} {number.removeprefix(code.digits)}"
        if self._area and not code.country:
            national = code.digits + digits
            if self._normalise.is_whole(national) and not problem_in_plan(self._own + national, certain=True):
                found[self._own + national] = f"{code.digits} {digits}"
            elif digits.startswith(code.digits) and self._normalise.is_whole(digits):
                found[self._own + digits] = cell
        return (next(iter(found.values())), "") if len(found) == 1 else (cell, _UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Joined:
    """The cells of a block with their codes, and by index why a row has no number."""

    cells: Sequence[str]
    problems: Mapping[int, str]
