"""Whether a text is spelt like one phone number, and if not, what it looks like instead.

A positive grammar: digits, single formatting characters between them, matched parentheses and one plus in front. What
it does not know is refused; only then the reason is looked for, so that a missing reason lets nothing through. The
reason names the damage where it can be told: what a spreadsheet, a form or a hand did to the cell.

Programs write numbers in ways from which every digit can be had back: `="601234555"`, `601234555.0`, `6.01234555E+08`,
`p:+48601234555`. `reading` undoes them and says which they were. A decimal is never glued to the digits in front of it:
what stands behind a single dot or comma is taken away as zeros of a whole number, or the cell is refused.
"""

import re
from typing import NamedTuple

from bulk_remove.core.regions import is_country_code

MAX_CELL_CHARS = 64
"""Twice the longest number with generous formatting; longer cells are prose."""

SEPARATORS = r"[/,;|&\r\n]|\b(?:lub|albo|oraz|i|or|and|oder|und)\b"
"""What stands between two numbers in one cell."""

_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
# Those for right-to-left text are not among them: they may show the groups of digits in another order.
_INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u200e\u202a\u202c\u202d\u2060\u2066\u2068\u2069\ufeff"
_APOSTROPHES = "\u2018\u2019\u00b4\u02bc\u2032"  # what word processors and keyboards make of plain ones
_PLAINER = str.maketrans(
    _SPACES + _DASHES + _APOSTROPHES, " " * len(_SPACES) + "-" * len(_DASHES) + "'" * len(_APOSTROPHES), _INVISIBLE
)
_WIDE_PLUS = "\uff0b"
_WITHOUT_FORMATTING = str.maketrans("", "", " .-()")

_UNIT = r"(?:[0-9]|\( *[0-9](?:[ .-]{0,3}[0-9])* *\))"
_SPELT = re.compile(rf"(?:\( *\+ *[0-9]{{1,4}} *\)|\+? *{_UNIT})(?:[ .-]{{0,3}}{_UNIT})*")

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12][0-9]|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:(?:19|20)[0-9]{2})"
# Two digits in each place: the usual form of a date, and of no number that is still dialled.
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

NO_STORED_RESULT = "(formula)"
"""What a workbook's cell reads as that holds a formula, which no spreadsheet has calculated yet."""
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
        # What stands behind a single dot is a decimal, whatever stands in front: a coordinate has as many digits as a
        # number. And no group of a number has a single digit.
        (r"[^.]*\.[ -]{0,2}[0-9]+|.*\.[0-9](?:[^0-9].*)?", DECIMAL),
        (r"[0-9]{1,3}(?:\.[0-9]{3})+\.[0-9]{2}", AMOUNT),
        (r"\+?[0-9]{9,} +[0-9(].*", SEVERAL),
        (r".*[0-9)][ .-]*\([0-9 -]{1,6}\)", EXTENSION),
    )
)
"""What a whole cell may look like that is spelt like a phone number and yet is none."""

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
        # Nobody types them by accident: they come from a wrong encoding or from text recognition.
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
        # Latin, Greek and Cyrillic ones.
        (
            r"\A[0-9ol .()+i\u039f\u0406\u041e-]*[o\u039f\u041e][0-9ol .()+i\u039f\u0406\u041e-]*\Z",
            "A letter O that may be a zero.",
        ),
        (r"\A[0-9 .()+-]*[li\u0406][0-9li .()+\u0406-]*\Z", "A letter l or I that may be a one."),
        (r"[^\W\d_]", LETTERS),
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


# What is taken away without losing a digit, as a count of such cells goes on.
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
# Groups of three digits between separators of one kind, or none; the decimals stand behind another one.
_ZERO_DECIMALS = re.compile(
    r"(\+?(?:[0-9]+|[0-9]{1,3}(?:(?P<between>[ .,'])[0-9]{3})(?:(?P=between)[0-9]{3})*))([.,])0{1,2}"
)
_SCIENTIFIC = re.compile(r"([1-9][0-9]{0,2})[.,]([0-9]+)e\+?0*([1-9][0-9]?)", re.IGNORECASE)


_REGISTRARS = re.compile(r"\+([0-9]{1,3})\.[0-9]{7,}")


class Reading(NamedTuple):
    """A cell as it is understood: `text` is what is left of it, `kinds` say what was taken away, each once.

    What is left must be a whole number where `or_else` is not empty; where it is not, that is what is wrong.
    """

    text: str
    kinds: tuple[str, ...] = ()
    or_else: str = ""


def reading(cell: str) -> Reading:
    """Return the cell with plain spaces and dashes, and without what a program has put around or behind its digits."""
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
    """Return the cell with plain spaces and dashes and without what is around it, then the kinds of that."""
    text = trimmed(cell)
    kinds: list[str] = []
    if text[:1] not in _WRAPPINGS:  # as a rule
        return (text,)
    for _ in _WRAPPED:  # each at most once, in any order
        for match, kind in _WRAPPED:
            found = match(text)
            if found and kind not in kinds:
                kinds.append(kind)
                text = found[1].strip()
    return text, *kinds


def trimmed(cell: str) -> str:
    """Return the cell with plain spaces and dashes, without what nobody sees."""
    return (cell if cell.isascii() else cell.translate(_PLAINER)).strip()


def without_formatting(text: str) -> str:
    """Return what is left of a well-spelt text: digits, perhaps with a plus in front."""
    return text.translate(_WITHOUT_FORMATTING)


def misspelling(text: str) -> str:
    """Return why a trimmed text is not spelt like one phone number, or an empty text. The reason has no digit."""
    if not text:
        return EMPTY
    if len(text) > MAX_CELL_CHARS:
        return "Too long a text for one phone number."
    if text.isascii() and text.isdecimal():
        return ""  # digits alone need no grammar
    if not _SPELT.fullmatch(text):
        return next(reason for pattern, reason in _EXPLANATIONS if pattern.search(text))
    for vetoed, reason in _VETOES:  # a generator would cost as much as all the patterns
        if vetoed(text):
            return "" if _behind_country_code(text) else reason
    return ""


def _behind_country_code(text: str) -> bool:
    """Tell whether the only dot stands between the country code and the number, as registrars of domains write it."""
    found = _REGISTRARS.fullmatch(text)
    return found is not None and is_country_code(found[1])
