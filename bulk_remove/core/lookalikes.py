"""A column that holds something else: other numbers that have as many digits as a phone number.

Each kind is told by a rule that a phone number passes by chance at most, and by so many cells that chance is out of
the question. The chance that a column of phone numbers is taken for another kind, at the least count of cells (more
cells make it smaller):

* PESEL numbers: the month and day of a birth between 1900 and 2099 and a check digit. `48` and a mobile number never
  have such a month (`45` to `88`); `48` and a landline's number passes 1 time in 32 at most (31 of 100 days, 1 of 10
  check digits), 5 of them 1 time in 35 million; 5 of one switchboard, with the same "day", 1 time in 100,000.
* NIP numbers: no number of ten digits is whole in Poland, but one in America is: 1 in 11 passes, 5 in a row 1 time in
  161,000.
* REGON numbers: nine digits, as a Polish number has: 1 in 10 passes, 20 in a row 1 time in 10 to the 20th.
* Bank accounts: more digits than any phone number; remainder 1 of 97.
* Dates without separators: 1 in 1,200 numbers of eight digits is one; 5 in a row 1 time in 10 to the 15th.
* Numbers that lost their last digits end in three zeros at least: 1 in 1,000 does by chance, 5 in a row 1 time in 10
  to the 15th. A program that writes six digits of a number leaves such ones.
* The rest is spelt as no phone number is, but row numbers: those have at most six digits, so a range of a switchboard's
  numbers is none of them.

Cells that repeat count once where a check digit decides: one number in every row would pass as easily as one.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise, takewhile
from typing import NamedTuple

from bulk_remove.core.spelling import AMOUNT, DATE, EMAIL, misspelling, unwrapped

_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
_NIP_WEIGHTS = (6, 5, 7, 2, 3, 4, 5, 6, 7)
_REGON_WEIGHTS = (8, 9, 2, 3, 4, 5, 6, 7)
_CENTURIES = (1900, 2000)  # nobody from before has a phone
_PESEL = re.compile(r"[0-9]{10,11}")
_NIP = re.compile(r"(?:PL)? ?([1-9][0-9]{2}-?[0-9]{3}-?[0-9]{2}-?[0-9]{2}|[1-9][0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{3})")
_REGON = re.compile(r"[0-9]{9}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
_NRB = re.compile(r"[0-9]{26}")
_POSTAL_CODE = re.compile(r"[0-9]{2}-[0-9]{3}")
# Not `441.0`, which is a number that a spreadsheet has made a decimal one.
_DECIMALS = re.compile(r"[+-]?[0-9]{1,3}(?:[ .,]?[0-9]{3})?(?:[.,][0-9]{2}|[.,][1-9])")
_SMALL = re.compile(r"[0-9]{1,6}")
_DAY = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
_ZEROS_AT_THE_END = re.compile(r"\+?[0-9 -]{6,17}000")
_MOST = 0.9


class _Kind(NamedTuple):
    """What a cell of the kind passes, and how many cells (distinct ones, and which share of them) must pass."""

    name: str
    passes: Callable[[str], bool]
    least: int
    share: float = _MOST
    distinct: bool = True


def look_alike(cells: Sequence[str]) -> str:
    """Return what the cells of a column look like instead of phone numbers, in the plural, or an empty text.

    Blank cells do not count.
    """
    texts = [text for cell in cells if (text := unwrapped(cell)[0])]
    for kind in _KINDS:
        judged = list(dict.fromkeys(texts)) if kind.distinct else texts
        if len(judged) >= kind.least and sum(map(kind.passes, judged)) >= kind.share * len(judged):
            return kind.name
    return "row numbers (counting up)" if _count_up(texts) else ""


def count_up(cells: Sequence[str]) -> bool:
    """Tell whether the numbers of a column count up by one, whatever they look like.

    A range that belongs to one customer does, and so do those that a spreadsheet has made of the first one.
    """
    digits = [re.sub("[^0-9]", "", unwrapped(cell)[0]) for cell in cells if cell.strip()]
    return len(digits) >= _SEVERAL and all(map(len, digits)) and _steps_of_one(digits)


def is_cut_off(last: str, others: Sequence[str]) -> bool:
    """Tell whether a number, behind which a file ends, begins like the others and has fewer digits than each."""
    mine, *theirs = (re.sub("[^0-9]", "", unwrapped(cell)[0]) for cell in (last, *others))
    theirs = [digits for digits in theirs if digits]
    if len(theirs) < _FEW or not mine or len(mine) >= min(map(len, theirs)):
        return False
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(theirs), max(theirs), strict=False))
    return mine.startswith("".join(sign for sign, _ in alike)[: len(mine)][:_LONGEST_CODE])


def _remainder(digits: str, weights: Sequence[int], divisor: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % divisor


def _is_pesel(text: str) -> bool:
    if not _PESEL.fullmatch(text):
        return False
    digits = text.zfill(11)  # a spreadsheet takes the zero of those born in the first years of a century
    centuries, month = divmod(int(digits[2:4]), 20)  # twenty is added to the months from 2000 on
    born = centuries < len(_CENTURIES) and _is_day(_CENTURIES[centuries] + int(digits[:2]), month, int(digits[4:6]))
    return born and (10 - _remainder(digits, _PESEL_WEIGHTS, 10)) % 10 == int(digits[10])


def _is_nip(text: str) -> bool:
    found = _NIP.fullmatch(text)
    digits = found[1].replace("-", "") if found else ""
    return bool(digits) and _remainder(digits, _NIP_WEIGHTS, 11) == int(digits[9])


def _is_regon(text: str) -> bool:
    return bool(_REGON.fullmatch(text)) and _remainder(text, _REGON_WEIGHTS, 11) % 10 == int(text[8])


def _is_account(text: str) -> bool:
    """Tell whether a text is an IBAN, or a Polish account's number without its PL (ISO 13616: remainder 1 of 97)."""
    packed = text.replace(" ", "").replace("-", "").upper()
    if _NRB.fullmatch(packed):
        packed = "PL" + packed
    if not _IBAN.fullmatch(packed):
        return False
    return int("".join(str(int(sign, 36)) for sign in packed[4:] + packed[:4])) % 97 == 1


def _is_date(text: str) -> bool:
    found = _DAY.fullmatch(text)
    return _is_day(int(found[1]), int(found[2]), int(found[3])) if found else misspelling(text) == DATE


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _is_amount(text: str) -> bool:
    return bool(_DECIMALS.fullmatch(text)) or misspelling(text) == AMOUNT


def _count_up(texts: Sequence[str]) -> bool:
    if len(texts) < _FEW or not all(_SMALL.fullmatch(text) for text in texts):
        return False
    return _steps_of_one(texts)


def _steps_of_one(digits: Sequence[str]) -> bool:
    steps = [int(later) - int(earlier) for earlier, later in pairwise(digits)]
    return steps.count(1) >= _MOST * len(steps)


_FEW = 5
_SEVERAL = 10
_LONGEST_CODE = 3
_MANY = 20
_KINDS = (
    _Kind("PESEL numbers", _is_pesel, _FEW),
    _Kind("NIP numbers", _is_nip, _FEW),
    _Kind("REGON numbers", _is_regon, _MANY, share=1.0),
    _Kind("bank accounts (IBAN)", _is_account, 2),
    _Kind("postal codes", lambda text: bool(_POSTAL_CODE.fullmatch(text)), _FEW, distinct=False),
    _Kind("dates", _is_date, _FEW, distinct=False),
    _Kind("amounts", _is_amount, _FEW, distinct=False),
    _Kind("numbers that lost their last digits", lambda text: bool(_ZEROS_AT_THE_END.fullmatch(text)), _FEW),
    _Kind("e-mail addresses", lambda text: misspelling(text) == EMAIL, 2, distinct=False),
)
