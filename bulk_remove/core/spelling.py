"""Whether a text is spelt like one phone number, and if not, what it looks like instead.

A positive grammar: digits, single formatting characters between them, matched parentheses and one plus in front. What
it does not know is refused; only then the reason is looked for, so that a missing reason lets nothing through. The
reason names the damage where it can be told: what a spreadsheet, a form or a hand did to the cell.
"""

import re

MAX_CELL_CHARS = 64
"""Twice the longest number with generous formatting; longer cells are prose."""

SEPARATORS = r"[/,;|&\r\n]|\b(?:lub|albo|oraz|i|or|and|oder|und)\b"
"""What stands between two numbers in one cell."""

_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
# Those for right-to-left text are not among them: they may show the groups of digits in another order.
_INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u200e\u202a\u202c\u202d\u2060\u2066\u2068\u2069\ufeff"
_PLAINER = str.maketrans(_SPACES + _DASHES, " " * len(_SPACES) + "-" * len(_DASHES), _INVISIBLE)
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

_DECIMAL = "A decimal number, not a phone number."
_SEVERAL = "Perhaps more than one number."
DATE = "A date."
AMOUNT = "An amount of money."
EMAIL = "An e-mail address."

_VETOES = tuple(
    (re.compile(pattern).fullmatch, reason)
    for pattern, reason in (
        (r".*\( *0 *\).*", "A zero in parentheses: nobody can tell whether it belongs to the number."),
        # Any single dot: a coordinate has as many digits as a number.
        (r"[0-9]+\.[0-9]+|[0-9 ]+\.(?:0+|[0-9]{1,2})", _DECIMAL),
        (_NUMERIC_DATE, DATE),
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
        # Excel's, LibreOffice's, in several languages: #N/A, #ARG!, #DZIEL/0!, Err:502.
        (
            r"\A=?(?:#(?:N/[AD]!?|NV|GETTING_DATA|[^\W\d_]+(?:/0)?[!?])|Err:[0-9]{3})\Z",
            "The error of a formula in a spreadsheet.",
        ),
        (rf"\A[\W_]*(?:{_NOTHING})[\W_]*\Z", "A word that says there is no number."),
        (r"\A#+\Z", "A spreadsheet's sign that the column was too narrow for its value."),
        (r"\A\S+@\S+\.\S+\Z", EMAIL),
        (r"\A[-_?*./ ]+\Z", "A mark that says there is no number."),
        (r"\A\D*\Z", "No digits in the cell."),
        # Nobody types them by accident: they come from a wrong encoding or from text recognition.
        (r"(?![0-9])\d", "Digits of another script."),
        (rf"\A(?:date(?:time)? +)?{_NUMERIC_DATE}(?:[ T]+{_TIME}\S*)?\Z", DATE),
        (rf"\A(?:[0-9]{{1,4}}[ ./-]*)?{_MONTH_NAME}[ ./-]*(?:[0-9]{{1,2}},? +)?[0-9]{{2,4}}\Z", DATE),
        (rf"\A(?:time(?:delta)? +.*|{_TIME})\Z", "A time of day."),
        (r"\A[+-]?[0-9]+(?:[.,][0-9]+)? *e *[+-]?[0-9]+\Z", "Scientific notation: a spreadsheet has lost digits."),
        (rf"\A[+-]?(?:{_CURRENCY} *{_FIGURE}|{_FIGURE} *{_CURRENCY})\Z", AMOUNT),
        (r"\A[+-]?[0-9 ]*[.,](?:0+|[0-9]{1,2})\Z", _DECIMAL),
        (r"\A[+-]?[0-9]{1,3}(?:(?:\.[0-9]{3})+,|(?:,[0-9]{3})+\.)[0-9]{1,2}\Z", _DECIMAL),
        (
            r"[0-9]\W*(?:w|wew\w*|ext\w*|x|#)\W*[0-9]|\A\W*(?:w|wew\w*|ext\w*|x|#)\W*[0-9]{1,5}\Z",
            "An extension, which cannot be sent.",
        ),
        (rf"[0-9].*(?:{SEPARATORS}).*[0-9]", _SEVERAL),
        # Latin, Greek and Cyrillic ones.
        (
            r"\A[0-9ol .()+i\u039f\u0406\u041e-]*[o\u039f\u041e][0-9ol .()+i\u039f\u0406\u041e-]*\Z",
            "A letter O that may be a zero.",
        ),
        (r"\A[0-9 .()+-]*[li\u0406][0-9li .()+\u0406-]*\Z", "A letter l or I that may be a one."),
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


def trimmed(cell: str) -> str:
    """Return the cell with plain spaces and dashes, without what nobody sees or a spreadsheet puts in front."""
    text = cell if cell.isascii() else cell.translate(_PLAINER)
    return text.strip().removeprefix("'").strip()  # a spreadsheet's mark of text


def without_formatting(text: str) -> str:
    """Return what is left of a well-spelt text: digits, perhaps with a plus in front."""
    return text.translate(_WITHOUT_FORMATTING)


def misspelling(text: str) -> str:
    """Return why a trimmed text is not spelt like one phone number, or an empty text. The reason has no digit."""
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
