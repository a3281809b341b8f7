"""Country and area codes in a column of their own, beside the phone numbers.

A number without its code may be another number, so the code is never ignored. Code and cell are joined when they
certainly make one whole number; otherwise the row is refused. A cell that already holds the whole number, code
included, is used unchanged if it does not contradict its code.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

from bulk_remove.core.columns import fold
from bulk_remove.core.model import harmless
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.spelling import is_country_code, is_name_of, problem_in_plan, reading, region_of
from bulk_remove.errors import InputError
from bulk_remove.language import counted

_OF_A_COUNTRY = (
    r"country|calling|isd|idd|intl|international|miedzynarodow[ay]|krajow[ay]|kraju|landes|laender|lander|statu"
)
_OF_A_PHONE = r"phone|telephone|tel|telefon|telefonu|telefoniczny|mobile|cell|gsm|dial|dialing|dialling"
_NEUTRAL = r"nr|numer|numeru|number|no|do"
_A_CODE = r"codes?|kod|prefix|prefiks|kierunkow[ya]|kier|vorwahl|predvolba|predcisli"
# Folded names: what the code belongs to, perhaps in several words, before and after the word for code.
_NAME = re.compile(
    rf"(?=.*(?:{_A_CODE}))(?P<words>(?:{_OF_A_COUNTRY}|{_OF_A_PHONE}|{_NEUTRAL}|area|stref[ay]|orts|{_A_CODE})+)[0-9]*"
)
_WITHOUT_MORE = re.compile(r".*(?:prefix|prefiks|kierunkow[ya]|kier|vorwahl|predvolba|predcisli)")
"""A column named only "code" or "kod" may hold codes of anything."""
_ISO = "(?:alpha)?(?:[23]|31661)?"
_COUNTRY_OF_A_PHONE = re.compile(
    rf"(?:{_OF_A_PHONE})(?:country|kraj)|isd|idd|(?:country|kraju?)?(?:codes?|kod)?iso{_ISO}"
    rf"(?:codes?|kod)?(?:country|kraju?)?(?:codes?|kod)?{_ISO}"
)
_A_COUNTRY = re.compile(r"(?:country|countries|kraj|panstwo|land|staat|nation|zeme)(?:name|nazwa|of.*|klienta|tel.*)?")
"""Where somebody lives, or the country of the number: usually the same."""
_PERHAPS_CODES = re.compile(r"|codes?|kod")
_OF_FIGURES = re.compile(
    r"(?:age|wiek|lat|lata|qty|quantity|ilosc|szt|sztuk|liczba|count|id|lp|nr|no|num|number|numer|rank|score|rok|year|month|"
    r"miesiac|dzien|day|poz|pozycja|row|wiersz|index|proby|attempts?|kwota|amount|cena|price|suma|sum|total)"
)
_COUNTRY, _PHONE, _AREA = (
    re.compile(f".*(?:{words})") for words in (_OF_A_COUNTRY, _OF_A_PHONE, "area|stref[ay]|orts")
)

_FIGURES = re.compile(r"\(? *(\+|00)? *([1-9][0-9]{0,3}) *\)?")
_BEHIND_A_NAME = re.compile(r"[^\W\d_][^0-9+]*\(?(\+)([1-9][0-9]{0,2})\)?")
_PLAIN_CODE = re.compile(r"\(?(?:\+|00)[1-9][0-9]{1,2}\)?")
"""At least two digits: `+1` may be the offset of a time zone."""
_LONGEST_CODE = 3
_MANY = 10  # two thirds of the figures from 1 to 66 are codes of countries by chance, but not so many different ones
_LONGEST_NAME = 40

_CONTRADICTS = "The number does not begin with the code in the code column."
_UNCERTAIN = "Together with the code column it is not certainly one whole number."
_MISSING = "The country or area code that other rows have is missing."
_NO_CODE = "The cell of the code column does not hold a country or area code."
_ABROAD = "The code column names another country: write the number with its country code."


class _Code(NamedTuple):
    """A cell of the column: the digits of a code (of a country if `country`), or the letters of a country."""

    digits: str = ""
    letters: str = ""
    country: bool = False


@dataclass(frozen=True, slots=True)
class CodeKind:
    """What a column's codes may belong to, by its name: countries, areas of the region, or either."""

    country: bool = False
    area: bool = False

    @classmethod
    def named(cls, folded: str) -> Self | None:
        """Return the kind of a column by its folded name (see `columns.fold`); None for any other column."""
        if _COUNTRY_OF_A_PHONE.fullmatch(folded):
            return cls(country=True)
        found = _NAME.fullmatch(folded)
        words = found["words"] if found else ""
        country, area = bool(_COUNTRY.match(words)), bool(_AREA.match(words))
        if country or area:
            return cls(country, area)
        return cls(country=True, area=True) if _PHONE.match(words) or _WITHOUT_MORE.match(words) else None


@dataclass(frozen=True, slots=True)
class Beside:
    """The index of the phone column beside which codes are sought, and the country of its national numbers."""

    phone: int
    region: str = "PL"
    trust: bool = False


def find_code_column(header: Sequence[str], samples: Sequence[Sequence[str]], beside: Beside) -> int | None:
    """Return the index of the column that holds codes, None if there is none."""
    seen: dict[int, list[_Code]] = {}
    for index, heading in enumerate(header):
        cells = [row[index] for row in samples if index < len(row) and row[index].strip()]
        name = fold(heading)
        kind = CodeKind.named(name)
        codes = [_read(cell) for cell in cells]
        if index == beside.phone:
            continue
        letters_too = kind == CodeKind(country=True)
        if kind:
            if not cells or any(code.digits or (code.letters and letters_too) for code in codes):
                seen[index] = codes
        elif cells and (_are_plain_codes(cells) or _are_of_countries(name, codes)):
            seen[index] = codes
        elif not beside.trust and _may_be_codes(index, name, samples, beside):
            raise InputError(
                "Column '{name}' may hold the country codes of the numbers.",
                "Name it 'country_code' if it does; if it does not, delete it, or add --trust-column.",
                name=harmless(heading.strip()) or str(index + 1),
            )
    # `country_code` with PL beside `phone_code` with 48: the digits are enough.
    found = [index for index, codes in seen.items() if any(code.digits for code in codes)] or [*seen]
    filled = [index for index in found if seen[index]] or found[:1]
    if len(filled) > 1:
        raise InputError(
            "Parts of the numbers are in several columns ({listed}).",
            "Put the whole number into one column, with a plus and the country code, and leave the others out.",
            listed=", ".join(f"'{header[index]}'" for index in filled),
        )
    return filled[0] if filled else None


def names_countries(name: str) -> bool:
    """Return whether a column's name means names of countries."""
    return bool(_A_COUNTRY.fullmatch(fold(name)))


class Countries:
    """Counts the rows of other countries by a column of country names. Its size does not grow with the rows."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._abroad = self._rows = 0

    def add(self, cells: Iterable[str]) -> None:
        """Add cells."""
        for cell, count in Counter(cells).items():
            letters = _read(cell).letters
            self._rows += count
            self._abroad += count if letters and not is_name_of(self._region, letters) else 0

    def told(self, name: str, *, chosen: bool) -> str:
        """Return a sentence about the column; empty if all rows are of the region, or the rows were `chosen` by it."""
        if chosen or not self._abroad:
            return ""
        return counted(
            self._rows,
            "Column '{name}' names another country in {abroad:,} of {count:,} row: "
            "a number without a country code is read as one of {region} all the same.",
            "Column '{name}' names another country in {abroad:,} of {count:,} rows: "
            "a number without a country code is read as one of {region} all the same.",
            name=harmless(name),
            abroad=self._abroad,
            region=self._region.upper(),
        )


def _are_plain_codes(cells: Sequence[str]) -> bool:
    texts = [reading(cell).text for cell in cells]
    return all(_PLAIN_CODE.fullmatch(text) and is_country_code(text.strip("(+)").removeprefix("00")) for text in texts)


def _are_of_countries(name: str, codes: "Sequence[_Code]") -> bool:
    """Return whether a column named after countries, or `cc`, holds only country codes."""
    named = name == "cc" or bool(_A_COUNTRY.fullmatch(name))
    return named and _are_codes(codes) and any(len(code.digits) > 1 for code in codes)


def _are_codes(codes: Sequence[_Code]) -> bool:
    return all(0 < len(code.digits) <= _LONGEST_CODE and is_country_code(code.digits) for code in codes)


def _may_be_codes(index: int, name: str, samples: Sequence[Sequence[str]], beside: Beside) -> bool:
    """Return whether a column with any other name holds only codes, and makes whole numbers with the phone cells."""
    perhaps = bool(_PERHAPS_CODES.fullmatch(name))
    if not perhaps and (abs(index - beside.phone) > 1 or _OF_FIGURES.match(name) or name.endswith("id")):
        return False
    phone = beside.phone
    pairs = [(_read(row[index]), row[phone]) for row in samples if max(index, phone) < len(row) and row[index].strip()]
    if not pairs or not _are_codes([code for code, _ in pairs]):
        return False
    own = region_of(beside.region).country_code
    foreign = {code.digits for code, _ in pairs} - {own}
    if not foreign or not (perhaps or len(pairs) >= _MANY or any(len(code) == _LONGEST_CODE for code in foreign)):
        return False
    normalise = Normaliser(NumberRules(region=beside.region))
    digits = [(code.digits, normalise.spelt(cell)) for code, cell in pairs]
    fits = [
        (code, rest)
        for code, rest in digits
        if rest and (normalise.is_whole(rest) if code == own else not problem_in_plan(code + rest, certain=True))
    ]
    return 2 * len(fits) > len(pairs) and any(code != own for code, _ in fits)


@lru_cache(maxsize=1024)
def _read(cell: str) -> _Code:
    text = reading(cell).text
    if figures := _FIGURES.fullmatch(text) or _BEHIND_A_NAME.fullmatch(text):
        return _Code(figures[2], country=bool(figures[1]))
    is_name = len(text) <= _LONGEST_NAME and bool(text) and all(sign.isalpha() or sign in " .-'()" for sign in text)
    return _Code(letters=text.upper()) if is_name and any(map(str.isalpha, text)) else _Code()


class Joined(NamedTuple):
    """The cells of a block with their codes, and by row index the reason why a row has no number."""

    cells: Sequence[str]
    problems: Mapping[int, str]


class CodeColumn:
    """Joins the cells of two columns. `name` is the folded name of the codes' column."""

    def __init__(self, name: str, rules: NumberRules) -> None:
        kind = CodeKind.named(name) or CodeKind(country=True)
        self._country, self._area = kind.country, kind.area
        self._normalise = Normaliser(rules)
        self._region = rules.region
        self._own = region_of(rules.region).country_code
        self._blank_is_own: bool | None = None

    def joined(self, codes: Sequence[str], cells: Sequence[str]) -> Joined:
        """Return the cells of a block with their codes. If the first block has few codes, none is required."""
        if self._blank_is_own is None:
            self._blank_is_own = 2 * sum(not code.strip() for code in codes) > len(codes)
        whole, problems = [*cells], {}
        for index, (code, cell) in enumerate(zip(codes, cells, strict=True)):
            whole[index], problem = self._one(code, cell)
            if problem:
                problems[index] = problem
        return Joined(whole, problems)

    def _one(self, code_cell: str, cell: str) -> tuple[str, str]:
        """Return the whole number of a row as a cell, or the problem with it."""
        digits = self._normalise.spelt(cell)
        if not digits:
            return cell, ""  # reading the cell reports the problem
        explicit = self._normalise.from_country_code(digits)
        code = _read(code_cell)
        if code.digits:
            country = self._country and explicit.startswith(code.digits)
            area = self._area and not code.country and explicit.startswith(self._own + code.digits)
            return (cell, "" if country or area else _CONTRADICTS) if explicit else self._together(code, digits, cell)
        if explicit or (self._blank_is_own and not code_cell.strip()):
            return cell, ""
        if not code_cell.strip():
            return cell, _MISSING
        if not (code.letters and self._country):
            return cell, _NO_CODE
        return cell, "" if is_name_of(self._region, code.letters) else _ABROAD

    def _together(self, code: _Code, digits: str, cell: str) -> tuple[str, str]:
        """Return the digits with their code, if there is exactly one way to make a whole number."""
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
