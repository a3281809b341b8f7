"""Find the column that holds the phone numbers. It is certain, or refused with a list of the columns.

A column is recognised by its name, folded to small letters and digits without accents. A *strong* name means phone
numbers; one cell that looks like a phone number is enough. A *weak* name could mean any number, so most cells must look
like whole phone numbers. If several columns qualify, the user must choose: the wrong column would remove the wrong
numbers. A *rival* is a column whose cells are mostly phone numbers and whose name has a word for phones, numbers or
removal (`stary_numer`, `numer_do_usuniecia`).

Columns of other numbers are found by rules that phone numbers pass only by chance, and by enough distinct cells to
rule out chance:

* PESEL: a birth date from 1900 to 2099 and a check digit. `48` and a mobile number never have such a month; 5 cells
  with landline numbers pass 1 time in 35 million.
* NIP: ten digits, which is a whole number only abroad; 5 cells pass 1 time in 161,000.
* REGON: nine digits, like a Polish number; 20 cells pass 1 time in 10 to the 20th. Nine of ten are enough if the
  name does not mean phones.
* Bank accounts: more digits than any phone number, remainder 1 of 97.
* Dates of eight digits, and numbers that lost their last digits (three zeros at the end): 5 cells, 1 in 10 to the 15th.
* Other columns do not look like phone numbers, except row numbers: those have at most six digits.
"""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise, takewhile
from typing import NamedTuple

from bulk_remove.core.model import REPORT_COLUMNS, NumberFormat, mask
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.spelling import (
    AMOUNT,
    DATE,
    EMAIL,
    EXPONENT,
    misspelling,
    problem_in_plan,
    reading,
    unwrapped,
)
from bulk_remove.errors import InputError
from bulk_remove.language import Phrase, counted, ours, phrase

_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
_NIP_WEIGHTS = (6, 5, 7, 2, 3, 4, 5, 6, 7)
_REGON_WEIGHTS = (8, 9, 2, 3, 4, 5, 6, 7)
_CENTURIES = (1900, 2000)  # people born earlier have no phone
_PESEL = re.compile(r"[0-9]{10,11}")
_NIP = re.compile(r"(?:PL)? ?([1-9][0-9]{2}-?[0-9]{3}-?[0-9]{2}-?[0-9]{2}|[1-9][0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{3})")
_REGON = re.compile(r"[0-9]{9}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
_NRB = re.compile(r"[0-9]{26}")
_POSTAL_CODE = re.compile(r"[0-9]{2}-[0-9]{3}")
# Not `441.0`: a spreadsheet made that number a decimal one.
_DECIMALS = re.compile(r"[+-]?[0-9]{1,3}(?:[ .,]?[0-9]{3})?(?:[.,][0-9]{2}|[.,][1-9])")
_SMALL = re.compile(r"[0-9]{1,6}")
_DIGITS_OF_A_DAY = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
_ZEROS_AT_THE_END = re.compile(r"\+?[0-9 -]{6,17}000")
_MOST = 0.9


class _Kind(NamedTuple):
    """The test for a cell of this kind, and how many distinct cells, and what share of them, must pass."""

    name: str
    passes: Callable[[str], bool]
    least: int
    share: float = _MOST
    distinct: bool = True


def look_alike(cells: Sequence[str]) -> str:
    """Return a plural for what the cells of a column look like instead of phone numbers, or an empty text."""
    texts = [text for cell in cells if (text := unwrapped(cell)[0])]
    for kind in _KINDS:
        judged = list(dict.fromkeys(texts)) if kind.distinct else texts
        if len(judged) >= kind.least and sum(map(kind.passes, judged)) >= kind.share * len(judged):
            return kind.name
    small = len(texts) >= _FEW and all(map(_SMALL.fullmatch, texts))
    return "row numbers (counting up)" if small and _steps_of_one(texts) else ""


def count_up(cells: Sequence[str]) -> bool:
    """Return whether the numbers of a column count up by one, whatever they look like."""
    digits = [re.sub("[^0-9]", "", unwrapped(cell)[0]) for cell in cells if cell.strip()]
    return len(digits) >= _SEVERAL and all(map(len, digits)) and _steps_of_one(digits)


def is_cut_off(last: str, others: Sequence[str]) -> bool:
    """Return whether the last number of a file begins like the others and has fewer digits than each of them."""
    mine, *theirs = (re.sub("[^0-9]", "", unwrapped(cell)[0]) for cell in (last, *others))
    theirs = [digits for digits in theirs if digits]
    if len(theirs) < _FEW or not mine or len(mine) >= min(map(len, theirs)):
        return False
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(theirs), max(theirs), strict=False))
    return mine.startswith("".join(sign for sign, _ in alike)[: len(mine)][:_LONGEST_CODE])


_GROUPING = str.maketrans("", "", " -()")


class CutCode:
    """Finds whether the last number of a file, a national one, may be a number with country code that lost its end."""

    def __init__(self, last: str, region: str) -> None:
        self._read = Normaliser(NumberRules(NumberFormat.DIGITS, region))
        code = self._read.region.country_code
        digits = self._read.spelt(last)
        self._begins = code if digits.startswith(code) else digits[:_LONGEST_CODE]
        self.possible = digits.isdecimal() and self._read.is_whole(digits)
        self._like_it = re.compile(
            rf"^[=\"']*({re.escape(self._begins)}[0-9]*)(?:[.,]0{{1,2}})?[\"']*$", re.MULTILINE
        ).findall
        self._coded, self._national = 0, -1  # the last number itself will be counted, too

    def add(self, cells: Sequence[str]) -> None:
        """Add cells, the last one exactly once. Of those with the same length, one represents all."""
        like_it = self._like_it("\n".join(cells).translate(_GROUPING))
        counts = Counter(map(len, like_it))
        for length, digits in dict(zip(map(len, like_it), like_it, strict=True)).items():
            self._coded += counts[length] * (self._read(digits).number == digits)
            self._national += counts[length] * self._read.is_whole(digits)

    @property
    def found(self) -> bool:
        """Whether the last number may be cut off, by the cells that were added."""
        return self.possible and self._coded > max(0, self._national)


def _remainder(digits: str, weights: Sequence[int], divisor: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % divisor


def _is_pesel(text: str) -> bool:
    if not _PESEL.fullmatch(text):
        return False
    digits = text.zfill(11)  # a spreadsheet drops the zero of people born in the first years of a century
    centuries, month = divmod(int(digits[2:4]), 20)  # months from 2000 on are 20 higher
    born = centuries < len(_CENTURIES) and _is_day(_CENTURIES[centuries] + int(digits[:2]), month, int(digits[4:6]))
    return born and (10 - _remainder(digits, _PESEL_WEIGHTS, 10)) % 10 == int(digits[10])


def _is_nip(text: str) -> bool:
    found = _NIP.fullmatch(text)
    digits = found[1].replace("-", "") if found else ""
    return bool(digits) and _remainder(digits, _NIP_WEIGHTS, 11) == int(digits[9])


def _is_regon(text: str) -> bool:
    return bool(_REGON.fullmatch(text)) and _remainder(text, _REGON_WEIGHTS, 11) % 10 == int(text[8])


def _is_account(text: str) -> bool:
    """Return whether a text is an IBAN, or a Polish account number without its PL (ISO 13616: remainder 1 of 97)."""
    packed = text.replace(" ", "").replace("-", "").upper()
    if _NRB.fullmatch(packed):
        packed = "PL" + packed
    if not _IBAN.fullmatch(packed):
        return False
    return int("".join(str(int(sign, 36)) for sign in packed[4:] + packed[:4])) % 97 == 1


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


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
    _Kind(
        "dates",
        lambda text: (
            _is_day(*map(int, found.groups()))
            if (found := _DIGITS_OF_A_DAY.fullmatch(text))
            else misspelling(text) == DATE
        ),
        _FEW,
        distinct=False,
    ),
    _Kind("amounts", lambda text: bool(_DECIMALS.fullmatch(text)) or misspelling(text) == AMOUNT, _FEW, distinct=False),
    _Kind("numbers that lost their last digits", lambda text: bool(_ZEROS_AT_THE_END.fullmatch(text)), _FEW),
    _Kind("e-mail addresses", lambda text: misspelling(text) == EMAIL, 2, distinct=False),
)


_STRONG = """
phone phones phoneno phonenr phonenum phonenumber phonenumbers telephone telephones telephoneno telephonenumber
tel telno telnr telnum telnumber mobile mobiles mobileno mobilenumber mobilephone mobilephonenumber mobiletel
cell cellno cellnumber cellphone cellphonenumber cellular msisdn gsm gsmno gsmnumber callerid callernumber
contactphone contactphonenumber contactnumber customerphone customerphonenumber clientphone clientphonenumber
homephone workphone businessphone primaryphone mainphone landline
telefon telefony telefonu telefonnr telefonnumer nrtel nrtelefonu nrytelefonow numertel numertelefonu
numerytelefonow numertelefonuklienta numertelefonukontaktowego telefonklienta telefonkontaktowy telkontaktowy
nrkontaktowy numerkontaktowy komorka kom nrkom numerkom telkom telkomorkowy telefonkom telefonkomorkowy
nrkomorkowy numerkomorkowy nrkomorki numerkomorki nrgsm numergsm telefondomowy teldomowy telefonsluzbowy
telsluzbowy telefonstacjonarny telstacjonarny numerstacjonarny numerdzwoniacego
telefonnummer telefonnumber rufnummer mobilnummer handynummer handy mobil telefono telefonnicislo
"""
STRONG_NAMES = frozenset(_STRONG.split())
"""Folded names that mean a phone number: in English and Polish, and those of exports in neighbouring languages."""

_WEAK = "numer numery nr number numbers num no nummer kontakt contact"
WEAK_NAMES = frozenset(_WEAK.split())
"""Folded names that may mean a phone number, but also an order or a customer number."""

# Parts of a folded name of a column or a sheet, in one word or in several.
_OF_REMOVAL = re.compile(
    "usun|usuw|kasow|kasuj|wykresl|wypis|rezygn|odwolan|cofnie|wycofan|sprzeciw|odmow|niedzwon|bezzgody|brakzgody"
    "|czarnalist|optout|optedout|delet|remov|unsub|eras|donotcall|dontcall|nocall|blacklist|suppress|withdraw|revoke"
    "|losch|abmeld|widerruf"
)
_OF_KEEPING = re.compile(
    "zachow|zostaw|keep|retain|behalten|donottouch|donttouch|nieruszac|bialalista|whitelist"
    "|(?:nie|no|not|never|nigdy|dont|nicht)(?:do|wolno|nalezy|to|tobe|be|for|zu)?"
    "(?:usun|usuw|kasow|kasuj|skasow|wykresl|delet|remov|eras|losch|geloscht)"
)
# The same as words; the beginning of a longer word is enough.
_OF_PHONES = re.compile(
    r"\b(?:tel|kom|cell?|handy)\b|telefon|phone|mobil|komork|msisdn|gsm|rufnummer|callerid|whatsapp"
)
_OF_NUMBERS = re.compile(r"\b(?:nr|nry|no|num)\b|numer|number|nummer|kontakt|contact")
_OF_OTHERS = re.compile("pesel|regon|iban|\\bnip\\b")

_FORMATTING = re.compile(r"[\s().\-/+\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")
_RUN_OF_DIGITS = re.compile(r"[0-9](?:[ ().+-]{0,3}[0-9])*")
_DAY = re.compile(
    r"(?<![0-9])(?:[0-9]{4}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./][0-9]{1,2}[-./][0-9]{4}"
    r"|(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))(?![0-9])"
)
_SHORTEST_PHONE, _LONGEST_PHONE = 3, 15  # an internal number; ITU-T E.164
_SHORTEST_WHOLE_PHONE = 7  # shorter numbers are internal ones, but far more often row or customer numbers
_DIGITS_TO_MASK = 3
_SHOWN_CHARACTERS = 20
_LISTED_COLUMNS = 30
_LONGEST_TITLE = 80


COUNTS_UP = "The numbers count up by one: a spreadsheet may have made them out of the first one."


@dataclass(frozen=True, slots=True)
class ChosenColumn:
    """The index of the phone column, from 0, and a short phrase that says why it was chosen."""

    index: int
    reason: str
    notes: tuple[str, ...] = ()


def choose_column(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    wanted: str | None,
    *,
    trust: bool = False,
    region: str = "PL",
) -> ChosenColumn:
    """Return the column that certainly holds the phone numbers."""
    chosen = (
        _by_name(header, samples)
        if wanted is None
        else ChosenColumn(find_column(header, samples, wanted, "--column"), "chosen with --column")
    )
    if chosen is None:
        shortest = _SHORTEST_PHONE if len(header) == 1 else _SHORTEST_WHOLE_PHONE
        if any(_looks_like_phone(name, shortest) or _holds_number(name, ()) for name in header):
            raise _header_missing(header)
        raise _uncertain("No column is certain to hold the phone numbers", header, samples)
    name, cells = header[chosen.index], _column(samples, chosen.index)
    if _holds_number(name, cells):
        raise _header_missing(header)
    kind = look_alike(cells)
    texts = {text for cell in cells if (text := unwrapped(cell)[0])}
    regons = sum(map(_is_regon, texts)) if len(texts) >= _SEVERAL else -1
    means_phones = fold(name).rstrip("0123456789") in STRONG_NAMES or _OF_PHONES.search(_words(name))
    if not kind and not means_phones and regons >= _MOST * len(texts):
        kind = "REGON numbers"
    if kind and not trust:
        raise InputError(
            "Column '{name}' looks like {kind}, not like phone numbers.",
            "Choose another with --column, or add --trust-column when it really holds phone numbers.",
            name=_shown(name),
            kind=ours(kind),
        )
    notes = [*_doubts(header, samples, chosen.index, region)] if wanted is not None else []
    if wanted is None and (rivals := _rivals(header, samples, chosen.index, region)):
        raise _several(sorted([chosen.index, *rivals]), header, samples)
    if not kind and regons == len(texts):
        notes.append("All check digits are those of REGON numbers: the column may hold these, not phone numbers.")
    if count_up(cells):
        notes.append(COUNTS_UP)
    return replace(chosen, notes=tuple(notes))


def find_column(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    wanted: str,
    flag: str,
    folded_by: Callable[[str], str] | None = None,
) -> int:
    """Return the index of the column with that name, exact or folded, or at that position, counted from 1."""
    exact = [index for index, name in enumerate(header) if name == wanted and wanted.strip()]
    same = folded_by or fold
    folded = [index for index, name in enumerate(header) if same(name) == same(wanted) and same(wanted)]
    matches = exact or folded
    if len(matches) > 1:
        raise InputError(
            "{count} columns are named '{name}'; {listed}.",
            "Name it by its position instead, for example {flag} {place}.",
            count=len(matches),
            name=_shown(wanted),
            listed=_listed(header, samples),
            flag=flag,
            place=matches[0] + 1,
        )
    if not matches and re.fullmatch(r"[0-9]{1,5}", wanted) and 1 <= int(wanted) <= len(header):
        matches = [int(wanted) - 1]
    if not matches:
        raise InputError(
            phrase("There is no column '{name}'; {listed}.", name=_shown(wanted), listed=_listed(header, samples)),
            _nearest(header, wanted, flag)
            or phrase("Give {flag} one of these names, or a position counted from 1.", flag=flag),
        )
    return matches[0]


def find_condition_column(header: Sequence[str], samples: Sequence[Sequence[str]], wanted: str) -> int:
    """Return the index of a condition's column. Signs in its name are kept, because a sign may mean "not"."""
    return find_column(header, samples, wanted, "--where", _fold_but_signs)


def find_campaign_column(header: Sequence[str], samples: Sequence[Sequence[str]], wanted: str, phone: int) -> int:
    """Return the index of the column that --campaign-column names; `phone` is the index of the phone column."""
    index = find_column(header, samples, wanted, "--campaign-column")
    if index == phone:
        raise InputError(
            "Column '{name}' holds the phone numbers, not the campaigns; {listed}.",
            "Give --campaign-column another of these names, or its position counted from 1.",
            name=_shown(header[index]),
            listed=_listed(header, samples),
        )
    return index


def may_be_header(cells: Sequence[str], wanted: str | None) -> bool:
    """Whether a row names a phone column: the wanted name, or any known one."""
    names = {fold(cell) for cell in cells}
    if wanted is not None:
        return bool(fold(wanted)) and fold(wanted) in names
    return any(name.rstrip("0123456789") in STRONG_NAMES | WEAK_NAMES for name in names)


def names_phones(folded: str) -> bool:
    """Whether a folded cell is a known name of a phone column; `no` is excluded because it is usually an answer."""
    return folded != "no" and folded.rstrip("0123456789") in STRONG_NAMES | WEAK_NAMES


def is_report_header(cells: Sequence[str]) -> bool:
    """Whether a row has most of the column names of a report, in any order and even if shortened."""
    # Each text is folded once: a hostile workbook has rows of thousands of cells, and each costs microseconds.
    names = set(map(fold, {*re.split(r"[,;\t|]", ",".join(cells))}))
    return 2 * sum(fold(name) in names for name in REPORT_COLUMNS) > len(REPORT_COLUMNS)


def is_whole_number(cell: str) -> bool:
    """Whether a cell looks like a whole phone number, not an internal one."""
    return _looks_like_phone(cell, _SHORTEST_WHOLE_PHONE)


def may_be_number(cell: str) -> bool:
    """Whether a cell may hold a whole phone number of any country: it has enough digits, and is not a date."""
    return is_whole_number(cell) and not misspelling(reading(cell).text)


def fold(name: str) -> str:
    """Reduce a column's name to small letters and digits: `Nr telefonu`, `nr_telefonu` and `NR-TELEFONU` are equal."""
    return "".join(letter for letter in _fold_but_signs(name) if letter.isalnum())


def _fold_but_signs(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ł", "l"))
    return "".join(letter for letter in letters if not letter.isspace() and not unicodedata.combining(letter))


def _by_name(header: Sequence[str], samples: Sequence[Sequence[str]]) -> ChosenColumn | None:
    # `phone2` beside `phone` is a second candidate, so digits at the end of a name are ignored.
    names = [fold(name).rstrip("0123456789") for name in header]
    strong = [index for index, name in enumerate(names) if name in STRONG_NAMES]
    weak = [index for index, name in enumerate(names) if name in WEAK_NAMES]
    candidates = strong or weak
    if not candidates:
        return None
    if any(_holds_number(header[index], _column(samples, index)) for index in candidates):
        raise _header_missing(header)
    if len(candidates) > 1:
        raise _several(candidates, header, samples)
    index = candidates[0]
    name = _shown(header[index])
    cells = [cell for cell in _column(samples, index) if cell.strip()]
    least = _SHORTEST_PHONE if strong else _SHORTEST_WHOLE_PHONE
    like_phones = sum(_looks_like_phone(cell, least) for cell in cells)
    if cells and not like_phones and (damage := _damage(cells)):
        raise InputError(
            "Column '{name}' has no whole phone number: {damage}.",
            "Export the numbers again, as text; or name another column with --column.",
            name=name,
            damage=damage,
        )
    if strong and samples and not like_phones:
        raise _uncertain(
            phrase("Column '{name}' has no phone number in its first {count} rows", name=name, count=len(samples)),
            header,
            samples,
        )
    if not strong and 2 * like_phones <= len(cells):
        raise _uncertain(
            phrase("Column '{name}' may hold phone numbers, but most of its cells do not look like them", name=name),
            header,
            samples,
        )
    return ChosenColumn(index, phrase("named '{name}'", name=name))


def says_remove(name: str) -> bool:
    """Whether the name of a column or a sheet says that its content is to be removed."""
    return bool(_OF_REMOVAL.search(fold(name))) and not says_keep(name)


def says_keep(name: str) -> bool:
    """Whether the name of a column, a sheet or a table says that its content must stay."""
    return bool(_OF_KEEPING.search(fold(name)))


def is_title(text: str) -> bool:
    """Whether the only text of a row may be the title of a table: words without a phone number."""
    return any(map(str.isalpha, text)) and len(text) <= _LONGEST_TITLE and not _holds_number(text, ())


def phone_columns(header: Sequence[str], samples: Sequence[Sequence[str]], region: str) -> list[int]:
    """Return the indexes of the columns in which most cells are numbers of the numbering plan, whatever their names."""
    sure = _in_plan(Normaliser(NumberRules(NumberFormat.DIGITS, region)))
    return [index for index in range(len(header)) if _mostly(_column(samples, index), sure)]


def made_up_name(place: int) -> str:
    """Return the name for a column without one, by its position counted from 1."""
    return f"column {place}"


def _in_plan(normalise: Normaliser) -> Callable[[str], bool]:
    """Return the function that checks whether a cell is a number of the numbering plan; few other numbers are."""

    def passes(cell: str) -> bool:
        number = normalise(cell).number
        return number != "" and not problem_in_plan(number, certain=True)

    return passes


def _rivals(header: Sequence[str], samples: Sequence[Sequence[str]], chosen: int, region: str) -> list[int]:
    """Return the indexes of the other columns that may hold the phone numbers, by their names and cells."""
    normalise = Normaliser(NumberRules(NumberFormat.DIGITS, region))
    found = []
    for index, name in enumerate(header):
        words = "" if name == made_up_name(index + 1) else _words(name)
        passes: Callable[[str], bool] | None = None
        if says_remove(name):
            passes = may_be_number
        elif _OF_PHONES.search(words):
            passes = lambda cell: normalise(cell).number != ""  # noqa: E731 - one of three
        elif not words or (_OF_NUMBERS.search(words) and not _OF_OTHERS.search(words)):
            passes = _in_plan(normalise)
        if index != chosen and passes and _mostly(_column(samples, index), passes):
            found.append(index)
    return found


def _doubts(header: Sequence[str], samples: Sequence[Sequence[str]], chosen: int, region: str) -> Iterator[str]:
    """Yield the reasons against a column that the user named: another column looks like phone numbers."""
    rivals = _rivals(header, samples, chosen, region)
    if _mostly(_column(samples, chosen), is_whole_number):
        told = "Column '{other}' looks like phone numbers, too; '{name}' was chosen with --column."
    else:
        rivals = rivals or [index for index in phone_columns(header, samples, region) if index != chosen]
        told = "Most cells of column '{name}' are not whole phone numbers, but those of column '{other}' are."
    for other in rivals[:1]:
        yield phrase(told, name=_shown(header[chosen]), other=_shown(header[other]))


def _mostly(cells: Sequence[str], passes: Callable[[str], bool]) -> bool:
    """Return whether most filled cells pass, and the column as a whole is not of another kind."""
    filled = [cell for cell in cells if cell.strip()]
    return 2 * sum(map(passes, filled)) > len(filled) and not look_alike(filled)


def _words(name: str) -> str:
    """Return the folded words of a column's name, separated by spaces: `nrTelKlienta` has three."""
    apart = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", name)
    return " ".join(filter(None, map(fold, re.split(r"[\W\d_]+", apart))))


def _damage(cells: Sequence[str]) -> Phrase | None:
    """Describe the damage if most of the cells are damaged numbers."""
    problems = Counter(misspelling(reading(cell).text) for cell in cells if any(map(str.isdigit, cell)))
    problem, count = (problems.most_common(1) or [("", 0)])[0]
    if not problem or 2 * problems.total() <= len(cells):
        return None
    if problem == EXPONENT:
        return counted(
            len(cells),
            "a spreadsheet has cut the digits of {damaged:,} of {count:,} cell",
            "a spreadsheet has cut the digits of {damaged:,} of {count:,} cells",
            damaged=count,
        )
    return counted(
        len(cells),
        "{damaged:,} of {count:,} cell: {problem:bare}",
        "{damaged:,} of {count:,} cells: {problem:bare}",
        damaged=count,
        problem=ours(problem),
    )


def _nearest(header: Sequence[str], wanted: str, flag: str) -> str:
    by_folded = {fold(name): name for name in header}
    close = difflib.get_close_matches(fold(wanted), by_folded, n=1)
    if not close:
        return ""
    name = _shown(by_folded[close[0]])
    return phrase("Did you mean {flag} '{name}'?", flag=flag, name=f"{name}=VALUE" if flag == "--where" else name)


def _header_missing(header: Sequence[str]) -> InputError:
    several = phrase("--no-header and the position of the column: --no-header --column 2")
    how = "--no-header" if len(header) == 1 else several
    return InputError(
        "The first row holds a phone number where the name of a column should be.",
        phrase("Put a row with the names of the columns on top, for example 'phone', or say {how}.", how=how),
    )


def _several(candidates: Sequence[int], header: Sequence[str], samples: Sequence[Sequence[str]]) -> InputError:
    listed = ", ".join(f"'{_shown(header[index])}'" for index in candidates)
    return _uncertain(
        phrase("More than one column may hold the phone numbers ({listed})", listed=listed), header, samples
    )


def _uncertain(sentence: str, header: Sequence[str], samples: Sequence[Sequence[str]]) -> InputError:
    return InputError(
        "{sentence}; {listed}.",
        "Say which one with --column and its name, or its position counted from 1.",
        sentence=ours(sentence),
        listed=_listed(header, samples),
    )


def _listed(header: Sequence[str], samples: Sequence[Sequence[str]]) -> Phrase:
    """List the columns with the first cell of each. The cell is always masked: it may be a person's name."""
    listed = []
    for index, name in enumerate(header[:_LISTED_COLUMNS]):
        sample = next((cell.strip() for cell in _column(samples, index) if cell.strip()), "")
        listed.append(f"{index + 1} '{_shown(name)}'" + (f" ({mask(sample[:_SHOWN_CHARACTERS])})" if sample else ""))
    more = len(header) - len(listed)
    told = "the columns are {listed} and {more} more" if more > 0 else "the columns are {listed}"
    return phrase(told, listed=", ".join(listed), more=more)


def _column(samples: Sequence[Sequence[str]], index: int) -> list[str]:
    return [row[index] for row in samples if index < len(row)]


def _looks_like_phone(cell: str, shortest: int = _SHORTEST_PHONE) -> bool:
    digits = _FORMATTING.sub("", reading(cell).text)
    return digits.isascii() and digits.isdigit() and shortest <= len(digits) <= _LONGEST_PHONE


def _holds_number(name: str, cells: Sequence[str]) -> bool:
    """Return whether a column's name is a phone number, perhaps after a word (`kom. 601234555`, but not `tel_2024`)."""
    counts = [sum(map(str.isdigit, found[0])) for found in _RUN_OF_DIGITS.finditer(_DAY.sub(" / ", reading(name).text))]
    if any(count >= _SHORTEST_WHOLE_PHONE for count in counts):
        return True
    filled = [cell for cell in cells if cell.strip()]
    short = [len(cell.strip()) for cell in filled if _looks_like_phone(cell) and not is_whole_number(cell)]
    return "_" not in name and 2 * len(short) > len(filled) and not set(counts).isdisjoint(short)


def _shown(name: str) -> str:
    """Shorten a name from outside, and mask it if it may be a number."""
    shown = " ".join(name.split())
    if sum(letter.isdigit() for letter in shown) >= _DIGITS_TO_MASK:
        return mask(shown[:_SHOWN_CHARACTERS])
    return shown if len(shown) <= 2 * _SHOWN_CHARACTERS else shown[: 2 * _SHOWN_CHARACTERS] + "..."
