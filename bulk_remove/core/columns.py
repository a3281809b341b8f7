"""Which column of a table holds the phone numbers: certain, or refused with the list of the columns.

A column is recognised by its name, folded to small letters and digits without accents. A *strong* name says that the
cells are phone numbers and is believed when one of them looks like it. A *weak* name could mean any number, so most
of its cells must look like whole phone numbers. More than one candidate is never decided here: the wrong column
would remove the wrong numbers.
"""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bulk_remove.core.lookalikes import look_alike
from bulk_remove.core.model import mask
from bulk_remove.core.spelling import EXPONENT, misspelling, reading
from bulk_remove.errors import InputError
from bulk_remove.language import Phrase, counted, ours, phrase

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
"""Folded names that mean a phone number: English and Polish, and what a neighbour's export says."""

_WEAK = "numer numery nr number numbers num no nummer kontakt contact"
WEAK_NAMES = frozenset(_WEAK.split())
"""Folded names that may mean a phone number as well as an order's or a customer's."""

_FORMATTING = re.compile(r"[\s().\-/+\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")
_SHORTEST_PHONE, _LONGEST_PHONE = 3, 15  # an internal number; ITU-T E.164
_SHORTEST_WHOLE_PHONE = 7  # shorter ones are internal numbers, and ordinals and customer ids far more often
_DIGITS_TO_MASK = 3
_SHOWN_CHARACTERS = 20
_LISTED_COLUMNS = 30


@dataclass(frozen=True, slots=True)
class ChosenColumn:
    """The phone column: its index from 0, and a short phrase that says why it was chosen."""

    index: int
    reason: str


def choose_column(
    header: Sequence[str], samples: Sequence[Sequence[str]], wanted: str | None, *, trust: bool = False
) -> ChosenColumn:
    """Return the column that certainly holds the phone numbers.

    `header` is the first row, `samples` the next ones (each may be shorter or longer than the header), `wanted` the
    value of --column: a name, or a position counted from 1. `trust` takes a column that looks like something else.
    Raises InputError when nothing is certain.
    """
    chosen = (
        _by_name(header, samples)
        if wanted is None
        else ChosenColumn(find_column(header, samples, wanted, "--column"), "chosen with --column")
    )
    if chosen is None:
        raise _no_header(header) or _uncertain("No column is certain to hold the phone numbers", header, samples)
    if _looks_like_phone(header[chosen.index], _SHORTEST_WHOLE_PHONE):
        raise _header_missing(header)
    if not trust and (kind := look_alike(_column(samples, chosen.index))):
        raise InputError(
            phrase(
                "Column '{name}' looks like {kind}, not like phone numbers.",
                name=_shown(header[chosen.index]),
                kind=ours(kind),
            ),
            "Choose another with --column, or add --trust-column when it really holds phone numbers.",
        )
    return chosen


def find_column(header: Sequence[str], samples: Sequence[Sequence[str]], wanted: str, flag: str) -> int:
    """Return the index of the column with that name, exact or folded, or at that position counted from 1.

    `flag` is the option that named it. Raises InputError with the list of the columns when there is none, or more
    than one of that name.
    """
    exact = [index for index, name in enumerate(header) if name == wanted and wanted.strip()]
    folded = [index for index, name in enumerate(header) if fold(name) == fold(wanted) and fold(wanted)]
    matches = exact or folded
    if len(matches) > 1:
        raise InputError(
            phrase(
                "{count} columns are named '{name}'; {listed}.",
                count=len(matches),
                name=_shown(wanted),
                listed=_listed(header, samples),
            ),
            phrase("Name it by its position instead, for example {flag} {place}.", flag=flag, place=matches[0] + 1),
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


def find_campaign_column(header: Sequence[str], samples: Sequence[Sequence[str]], wanted: str, phone: int) -> int:
    """Return the index of the column that --campaign-column names; `phone` is that of the phone column.

    Raises InputError with the list of the columns when there is none, or when it is the phone column.
    """
    index = find_column(header, samples, wanted, "--campaign-column")
    if index == phone:
        raise InputError(
            phrase(
                "Column '{name}' holds the phone numbers, not the campaigns; {listed}.",
                name=_shown(header[index]),
                listed=_listed(header, samples),
            ),
            "Give --campaign-column another of these names, or its position counted from 1.",
        )
    return index


def may_be_header(cells: Sequence[str], wanted: str | None) -> bool:
    """Whether a row names a phone column: the wanted one, or any known name."""
    names = {fold(cell) for cell in cells}
    if wanted is not None:
        return bool(fold(wanted)) and fold(wanted) in names
    return any(name.rstrip("0123456789") in STRONG_NAMES | WEAK_NAMES for name in names)


def is_whole_number(cell: str) -> bool:
    """Whether a cell looks like a whole phone number, not an internal one."""
    return _looks_like_phone(cell, _SHORTEST_WHOLE_PHONE)


def fold(name: str) -> str:
    """Reduce a column's name to small letters and digits: `Nr telefonu`, `nr_telefonu` and `NR-TELEFONU` are one."""
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ł", "l"))
    return "".join(letter for letter in letters if letter.isalnum())


def _by_name(header: Sequence[str], samples: Sequence[Sequence[str]]) -> ChosenColumn | None:
    # `phone2` beside `phone` is a second candidate, so that numbers at the end of a name do not hide it.
    names = [fold(name).rstrip("0123456789") for name in header]
    strong = [index for index, name in enumerate(names) if name in STRONG_NAMES]
    weak = [index for index, name in enumerate(names) if name in WEAK_NAMES]
    candidates = strong or weak
    if not candidates:
        return None
    if len(candidates) > 1:
        listed = ", ".join(f"'{_shown(header[index])}'" for index in candidates)
        raise _uncertain(
            phrase("More than one column may hold the phone numbers ({listed})", listed=listed), header, samples
        )
    index = candidates[0]
    name = _shown(header[index])
    cells = [cell for cell in _column(samples, index) if cell.strip()]
    least = _SHORTEST_PHONE if strong else _SHORTEST_WHOLE_PHONE
    like_phones = sum(_looks_like_phone(cell, least) for cell in cells)
    if cells and not like_phones and (damage := _damage(cells)):
        raise InputError(
            phrase("Column '{name}' has no whole phone number: {damage}.", name=name, damage=damage),
            "Export the numbers again, as text; or name another column with --column.",
        )
    if strong and samples and not like_phones:
        raise _uncertain(
            phrase("Column '{name}' has no phone number in its first {count} rows", name=name, count=len(samples)),
            header,
            samples,
        )
    if not strong and 2 * like_phones <= len(cells):
        raise _uncertain(
            phrase("Column '{name}' may hold phone numbers, but most cells do not look it", name=name), header, samples
        )
    return ChosenColumn(index, phrase("named '{name}'", name=name))


def _damage(cells: Sequence[str]) -> Phrase | None:
    """Say what is wrong with most of the cells, if they are numbers that were damaged."""
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
    return phrase("Did you mean {flag} '{name}'?", flag=flag, name=_shown(by_folded[close[0]])) if close else ""


def _no_header(header: Sequence[str]) -> InputError | None:
    shortest = _SHORTEST_PHONE if len(header) == 1 else _SHORTEST_WHOLE_PHONE
    return _header_missing(header) if any(_looks_like_phone(cell, shortest) for cell in header) else None


def _header_missing(header: Sequence[str]) -> InputError:
    several = phrase("--no-header and the position of the column: --no-header --column 2")
    how = "--no-header" if len(header) == 1 else several
    return InputError(
        "The first row holds a phone number where the name of a column should be.",
        phrase("Put a row with the names of the columns on top, for example 'phone', or say {how}.", how=how),
    )


def _uncertain(sentence: str, header: Sequence[str], samples: Sequence[Sequence[str]]) -> InputError:
    return InputError(
        phrase("{sentence}; {listed}.", sentence=ours(sentence), listed=_listed(header, samples)),
        "Say which one with --column and its name, or its position counted from 1.",
    )


def _listed(header: Sequence[str], samples: Sequence[Sequence[str]]) -> Phrase:
    """Name the columns with the first cell of each, masked whatever it is: it may be a person's name."""
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


def _shown(name: str) -> str:
    """Shorten a name from outside, and mask it when it may be a number itself."""
    shown = " ".join(name.split())
    if sum(letter.isdigit() for letter in shown) >= _DIGITS_TO_MASK:
        return mask(shown[:_SHOWN_CHARACTERS])
    return shown if len(shown) <= 2 * _SHOWN_CHARACTERS else shown[: 2 * _SHOWN_CHARACTERS] + "..."
