"""Whether a text is spelt like one phone number, and if not, what it looks like instead.

The grammar lists what is accepted: digits, single formatting characters between them, matched parentheses and one
leading plus. Everything else is refused, and the reason is sought afterwards. So a missing reason lets nothing through.
If possible, the reason names the damage that a spreadsheet, a form or a person did to the cell.

Some programs write numbers in ways that keep every digit: `="601234555"`, `601234555.0`, `6.01234555E+08`,
`p:+48601234555`. `reading` undoes them and says which they were. Decimals are never joined to the digits before them:
after a single dot or comma, the zeros of a whole number are removed, or the cell is refused.

All data on numbers of countries comes from libphonenumber, through the phonenumbers package.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bulk_remove.errors import UsageError

MAX_DIGITS = 15  # the limit of ITU-T E.164, country code included

TOO_MANY_DIGITS = "More than fifteen digits: perhaps more than one number, and no spreadsheet keeps so many."
"""Excel keeps fifteen digits and turns the others into zeros."""

_EXAMPLES = {"PL": "601234555"}  # the example of the documents; libphonenumber has one for other regions
NO_SUCH_NUMBER = "No number of its country looks like this."
_LETTERS_OF_A_REGION = 2
TOO_SHORT = "Too short for its country."
ZERO = "A zero in front or after the country code: nobody can tell whether it belongs to the number."


@dataclass(frozen=True, slots=True)
class Region:
    """The data of a region, shown with the figures of PL."""

    country_code: str
    international_prefix: str
    full_lengths: frozenset[int]
    longest: int
    example: str = ""


POLAND = Region("48", "00", frozenset({9}), 10, "601234555")


def region_of(name: str) -> Region:
    """Return the region with this name (ISO 3166, two letters). Raises UsageError for an unknown one."""
    from phonenumbers import PhoneMetadata, PhoneNumberDesc  # noqa: PLC0415 - costs 30 ms, as below

    metadata = PhoneMetadata.metadata_for_region(name.upper())
    if metadata is None:
        raise UsageError("--region is not a country that is known.", "Give its two letters, for example PL.")
    general = metadata.general_desc or PhoneNumberDesc()
    prefix = metadata.international_prefix or ""
    return Region(
        str(metadata.country_code),
        prefix if prefix.isdecimal() else "",
        frozenset((metadata.mobile or general).possible_length),
        max(general.possible_length),
        _EXAMPLES.get(name.upper()) or (metadata.mobile or general).example_number or "",
    )


def is_country_code(digits: str) -> bool:
    """Return whether a country, or a service in several countries, has this code."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE  # noqa: PLC0415 - as below

    return digits[0] != "0" and int(digits) in COUNTRY_CODE_TO_REGION_CODE


@lru_cache(maxsize=1024)
def is_name_of(region: str, text: str) -> bool:
    """Return whether a text in capital letters names the region: two or three letters, or its name in any language."""
    if len(text) == _LETTERS_OF_A_REGION:
        return text == region.upper()
    from phonenumbers.geodata.locale import LOCALE_DATA  # noqa: PLC0415 - a third of a second, seldom needed

    names = {name.upper() for name in LOCALE_DATA.get(region.upper(), {}).values()}
    return text in names or (len(text) == _LETTERS_OF_A_REGION + 1 and any(name.startswith(text) for name in names))


def problem_in_plan(digits: str, *, certain: bool) -> str:
    """Return why the country's numbering plan has no such number, or an empty text."""
    from phonenumbers import (  # noqa: PLC0415 - costs 30 ms, and importing this module must not
        NumberParseException,
        ValidationResult,
        is_possible_number_with_reason,
        is_valid_number,
        national_significant_number,
        parse,
    )

    if len(digits) > MAX_DIGITS:
        return TOO_MANY_DIGITS
    try:
        parsed = parse(f"+{digits}")
    except NumberParseException as error:
        unknown = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return "No country has this code." if unknown else TOO_SHORT
    code, national = str(parsed.country_code), national_significant_number(parsed)
    possible = is_possible_number_with_reason(parsed)
    if (digits[len(code) :].startswith("0") and not is_valid_number(parsed)) or code + national != digits:
        return ZERO
    if possible in {ValidationResult.TOO_SHORT, ValidationResult.TOO_LONG}:
        return TOO_SHORT if possible == ValidationResult.TOO_SHORT else "Too long for its country."
    if possible != ValidationResult.IS_POSSIBLE or (certain and not is_valid_number(parsed)):
        return NO_SUCH_NUMBER
    return ""


def is_subscriber(digits: str) -> bool:
    """Return whether digits from the country code on are certainly a telephone's number."""
    from phonenumbers import PhoneNumberType, number_type, parse  # noqa: PLC0415 - as above

    telephones = {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER,
    }
    return not problem_in_plan(digits, certain=True) and number_type(parse(f"+{digits}")) in telephones


MAX_CELL_CHARS = 64  # twice the longest number with many formatting characters; longer cells are prose

SEPARATORS = r"[/,;|&\r\n]|\b(?:lub|albo|oraz|i|or|and|oder|und)\b"  # between two numbers in one cell

_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
# Marks for right-to-left text are not included: they may show the groups of digits in another order.
_INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u200e\u202a\u202c\u202d\u2060\u2066\u2068\u2069\ufeff"
_APOSTROPHES = "\u2018\u2019\u00b4\u02bc\u2032"  # written for plain ones by word processors and keyboards
_PLAINER = str.maketrans(
    _SPACES + _DASHES + _APOSTROPHES, " " * len(_SPACES) + "-" * len(_DASHES) + "'" * len(_APOSTROPHES), _INVISIBLE
)
_WIDE_PLUS = "\uff0b"
_WITHOUT_FORMATTING = str.maketrans("", "", " .-()")

_UNIT = r"(?:[0-9]|\( *[0-9](?:[ .-]{0,3}[0-9])* *\))"
_SPELT = re.compile(rf"(?:\( *\+ *[0-9]{{1,4}} *\)|\+? *{_UNIT})(?:[ .-]{{0,3}}{_UNIT})*")

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12][0-9]|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:(?:19|20)[0-9]{2})"
# Two digits in each place: the usual form of a date, and not of any number that is still dialled.
_SHORT_DATE = r"(?:0[1-9]|[12][0-9]|3[01])(?P<d>[./-])(?:0[1-9]|1[0-2])(?P=d)[0-9]{2}"
_NUMERIC_DATE = (
    rf"(?:{_DAY}(?P<a>[./-]){_MONTH}(?P=a){_YEAR}|{_MONTH}(?P<b>[./-]){_DAY}(?P=b){_YEAR}"
    rf"|{_YEAR}(?P<c>[./-]){_MONTH}(?P=c){_DAY}|{_SHORT_DATE})"
)
_MONTH_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch|zec|ca)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|sty(?:cze\u0144|cznia)?|lut(?:y|ego)?|kwi(?:ecie\u0144|etnia)?|maja?"
    r"|cze(?:rwiec|rwca)?|lip(?:iec|ca)?|sie(?:rpie\u0144|rpnia)?|wrz(?:esie\u0144|e\u015bnia)?"
    r"|pa[\u017az](?:dziernika?)?|lis(?:topada?)?|gru(?:dzie\u0144|dnia)?)\.?"
)
_TIME = r"[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?(?: *[ap]\.?m\.?)?"
_CURRENCY = r"(?:z\u0142(?:otych)?|zl|pln|eur|euro|usd|gbp|chf|gr|\u20ac|\$|\u00a3)\.?"
_FIGURE = r"[0-9](?:[0-9 .,]*[0-9])?(?:,-)?"
_NOTHING = (
    r"brak(?: +[^\W\d_]+)?|nie(?: +(?:podan[eoya]|podano|dotyczy|ma|posiada|znan[eya]))|nieznan[eya]|puste|n\W?d|n\W?a"
    r"|null|none|nil|nan|nat|empty|unknown|missing|undefined|not +(?:given|available|provided)|no +(?:phone|number)"
    r"|keine?|unbekannt"
)

NO_STORED_RESULT = "(formula)"  # the text of a formula cell that no spreadsheet has calculated yet
DECIMAL = "A decimal number, not a phone number."
EMPTY = "The cell is empty."
EXPONENT = "Scientific notation: a spreadsheet has lost digits."
EXTENSION = "An extension, which cannot be sent."
LETTERS = "Letters in the cell."
SEVERAL = "Perhaps more than one number."
DATE = "A date."
AMOUNT = "An amount of money."
EMAIL = "An e-mail address."
_IP_ADDRESS = "An IP address."
_OCTET = "(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5])"
_GROUPS_OF_A_NUMBER = r"[0-9]{2}\.[0-9]{3}\.[0-9]{2}\.[0-9]{2}|[0-9]{3}(?:\.[0-9]{2}){3}"

_VETOES = tuple(
    (re.compile(pattern).fullmatch, reason)
    for pattern, reason in (
        (r".*\( *0 *\).*", "A zero in parentheses: nobody can tell whether it belongs to the number."),
        (r"[0-9]{1,3}\. +[0-9(].*", "A number in a list, it seems: digits, a dot and a space in front."),
        (_NUMERIC_DATE, DATE),
        (rf"(?!(?:{_GROUPS_OF_A_NUMBER})\Z){_OCTET}(?:\.{_OCTET}){{3}}", _IP_ADDRESS),
        # Digits after a single dot are decimals, whatever comes before them: a coordinate has as many digits as a
        # number. And no group of a number has only one digit.
        (r"[^.]*\.[ -]{0,2}[0-9]+|.*\.[0-9](?:[^0-9].*)?", DECIMAL),
        (r"[0-9]{1,3}(?:\.[0-9]{3})+\.[0-9]{2}", AMOUNT),
        (r"\+?[0-9]{9,} +[0-9(].*", SEVERAL),
        (r".*[0-9)][ .-]*\([0-9 -]{1,6}\)", EXTENSION),
    )
)
"""Patterns of whole cells that are spelt like a phone number but are not one."""

_EXPLANATIONS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), reason)
    for pattern, reason in (
        (r"[0-9].*[\r\n].*[0-9]", SEVERAL),
        (r"[\x00-\x1f\x7f-\x9f]", "Control characters in the cell."),
        # Excel's, LibreOffice's, in several languages: #N/A, #ARG!, #DZIEL/0!, Err:502.
        (
            r"\A=?(?:#(?:N/[AD]!?|NV|GETTING_DATA|[^\W\d_]+(?:/0)?[!?])|Err:[0-9]{3})\Z",
            "The error of a formula in a spreadsheet.",
        ),
        (rf"\A[\W_]*(?:{_NOTHING})[\W_]*\Z", "A word that says there is no number."),
        (rf"\A{re.escape(NO_STORED_RESULT)}\Z", "A formula without a stored result: open and save it in Excel."),
        (r"\A#+\Z", "A spreadsheet's sign that the column was too narrow for its value."),
        (r"\A\S+@\S+\.\S+\Z", EMAIL),
        (r"\A[-_?*./ ]+\Z", "A mark that says there is no number."),
        (r"\A\D*\Z", "No digits in the cell."),
        # Nobody types these by accident: they come from a wrong encoding or from text recognition.
        (r"(?![0-9])\d", "Digits of another script."),
        (rf"\A(?:date(?:time)? +)?{_NUMERIC_DATE}(?:[ T]+{_TIME}\S*)?\Z", DATE),
        (rf"\A(?:[0-9]{{1,4}}[ ./-]*)?{_MONTH_NAME}[ ./-]*(?:[0-9]{{1,2}},? +)?[0-9]{{2,4}}\Z", DATE),
        (rf"\A(?:time(?:delta)? +.*|{_TIME})\Z", "A time of day."),
        (r"\A[+-]?[0-9]+(?:[.,][0-9]+)? *e *[+-]?[0-9]+\Z", EXPONENT),
        (rf"\A[+-]?(?:{_CURRENCY} *{_FIGURE}|{_FIGURE} *{_CURRENCY})\Z", AMOUNT),
        (r"\A[0-9 ()+-]*[.,](?:0+|[0-9]{1,2})\Z", DECIMAL),
        (r"\A[+-]?[0-9]{1,3}(?:(?:\.[0-9]{3})+,|(?:,[0-9]{3})+\.)[0-9]{1,2}\Z", DECIMAL),
        (
            r"[0-9]\W*(?:w|wew\w*|ext\w*|x|#)\W*[0-9]|\A\W*(?:w|wew\w*|ext\w*|x|#)\W*[0-9]{1,5}\Z",
            EXTENSION,
        ),
        (rf"[0-9].*(?:{SEPARATORS}).*[0-9]", SEVERAL),
        # Letters of the Latin, Greek and Cyrillic alphabets.
        (
            r"\A[0-9ol .()+i\u039f\u0406\u041e-]*[o\u039f\u041e][0-9ol .()+i\u039f\u0406\u041e-]*\Z",
            "A letter O that may be a zero.",
        ),
        (r"\A[0-9 .()+-]*[li\u0406][0-9li .()+\u0406-]*\Z", "A letter l or I that may be a one."),
        (r"[^\W\d_]", LETTERS),
        (r"[\u200f\u202b\u202e\u2067]", "Marks for right-to-left text: the digits may be meant in another order."),
        (r"[^0-9 .()+-]", "A character that is not part of a phone number."),
        (r"\+.*\+", "More than one plus."),
        (r"\A-", "A minus in front."),
        (r"\A\.|[.-]\Z", "A dot or a dash at an end: perhaps a part is missing."),
        (r"[0-9].*\+", "A plus that is not in front."),
        (r"[()]", "Parentheses that do not match."),
        (r"", "Not spelt like a phone number."),
    )
)
"""The reasons why a cell is not spelt like a phone number; the first that matches is reported."""


# Removed without losing a digit; each follows a count of cells in the report.
QUOTED = "in quotes behind an equals sign"
APOSTROPHES = "with apostrophes"
WIDE_PLUS = "with a full-width plus"
NAMED = "with p: or tel: in front"
ZEROS = "with decimals that are zero"
WRITTEN_OUT = "in scientific notation with all their digits"

_WRAPPED = (
    (re.compile(r"= *\"([^\"]*)\"").fullmatch, QUOTED),
    (re.compile(r"'(.*?)'?", re.DOTALL).fullmatch, APOSTROPHES),
    (re.compile(r"(?:p|tel) *:(.*)", re.DOTALL | re.IGNORECASE).fullmatch, NAMED),
)
_WRAPPINGS = frozenset("='pPtT")
# Groups of three digits between separators of one kind, or none; the decimals follow another separator.
_ZERO_DECIMALS = re.compile(
    r"(\+?(?:[0-9]+|[0-9]{1,3}(?:(?P<between>[ .,'])[0-9]{3})(?:(?P=between)[0-9]{3})*))([.,])0{1,2}"
)
_SCIENTIFIC = re.compile(r"([1-9][0-9]{0,2})[.,]([0-9]+)e\+?0*([1-9][0-9]?)", re.IGNORECASE)


_REGISTRARS = re.compile(r"\+([0-9]{1,3})\.[0-9]{7,}")
"""Domain registrars write a dot between country code and number."""


class Reading(NamedTuple):
    """A cell as understood: `text` is the rest of it, `kinds` names what was removed, each kind once."""

    text: str
    kinds: tuple[str, ...] = ()
    or_else: str = ""


def reading(cell: str) -> Reading:
    """Return the cell with plain spaces and dashes, and without what a program added around or after its digits."""
    text, *wrapped = unwrapped(cell)
    kinds = {kind: LETTERS if kind == NAMED else "" for kind in wrapped}
    if text.startswith(_WIDE_PLUS):
        text = "+" + text[1:].lstrip()
        kinds[WIDE_PLUS] = ""
    if (zeros := _ZERO_DECIMALS.fullmatch(text)) and zeros[3] != zeros["between"]:
        text = re.sub(r"[^0-9+]", "", zeros[1])
        kinds[ZEROS] = DECIMAL
    elif (figures := _SCIENTIFIC.fullmatch(text)) and len(figures[2]) == int(figures[3]):
        text = figures[1] + figures[2]
        kinds[WRITTEN_OUT] = EXPONENT
    return Reading(text, tuple(kinds), next(filter(None, reversed(kinds.values())), ""))


def unwrapped(cell: str) -> tuple[str, ...]:
    """Return the cell with plain spaces and dashes and without its wrappings, followed by the kinds of these."""
    text = (cell if cell.isascii() else cell.translate(_PLAINER)).strip()
    kinds: list[str] = []
    if text[:1] not in _WRAPPINGS:  # the usual case
        return (text,)
    for _ in _WRAPPED:  # each at most once, in any order
        for match, kind in _WRAPPED:
            found = match(text)
            if found and kind not in kinds:
                kinds.append(kind)
                text = found[1].strip()
    return text, *kinds


def without_formatting(text: str) -> str:
    """Return the digits of a well-spelt text, perhaps with a leading plus."""
    return text.translate(_WITHOUT_FORMATTING)


def misspelling(text: str) -> str:
    """Return why a trimmed text is not spelt like one phone number, or an empty text. The reason has no digits."""
    if not text:
        return EMPTY
    if len(text) > MAX_CELL_CHARS:
        return "Too long a text for one phone number."
    if text.isascii() and text.isdecimal():
        return ""  # plain digits need no grammar
    if not _SPELT.fullmatch(text):
        return next(reason for pattern, reason in _EXPLANATIONS if pattern.search(text))
    for vetoed, reason in _VETOES:  # a generator would cost as much as all the patterns
        if vetoed(text):
            registrars = _REGISTRARS.fullmatch(text)
            return "" if registrars and is_country_code(registrars[1]) else reason
    return ""
