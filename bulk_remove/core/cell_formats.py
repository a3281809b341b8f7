"""What a spreadsheet shows for a cell with a number format, where this differs from what the cell holds.

A format such as `"+420 "000 000 000` shows a Czech number although the cell holds 601234501, `0,` shows thousands, and
`;;;` shows nothing. ECMA-376, 18.8.31 has the syntax: up to four sections, for positive, negative, zero and text.

For CSV files, `="0048601"` keeps a cell as text in Excel. Only letters, digits and the signs of numbers and dates are
put between the quotes, so that nothing can break out of them and run.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import dropwhile
from operator import eq, ge, gt, le, lt, ne
from typing import NamedTuple

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    37: "#,##0 ;(#,##0)", 38: "#,##0 ;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)",
    41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00", 46: "[h]:mm:ss", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys([*range(14, 18), *range(27, 37), *range(50, 59)], "yyyy-mm-dd"),
    **dict.fromkeys([*range(18, 22), 45, 47], "h:mm:ss"), 22: "yyyy-mm-ddThh:mm",
}  # fmt: skip
"""The formats that a workbook names by a number without saying what they are."""
_MOST_SECTIONS = 4
_LONGEST_CODE = 4096
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*+)"?|[\\!](?P<escaped>.)|_(?P<room>.)|\*(?P<filling>.)|\[(?P<bracketed>[^\]]*+)\]?'
    r"|(?P<general>general)|(?P<exponent>e[+-])|(?P<date>am/pm|a/p|[ymdhs]+)|(?P<digit>[0#?])|(?P<text>@)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[0-9]{1,18}(?:\.[0-9]{1,18})?)")
_BEHIND = re.compile(r"(?<=0),+(?=\.|$)")
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_COMPARED = {"<": lt, ">": gt, "=": eq, "<=": le, ">=": ge, "<>": ne}
_SCIENTIFIC = re.compile(r"\s*[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+\s*")
_ZEROS_BEHIND = re.compile(r"[.,]0+(?=[^0-9]*$)")
_OVERFLOWING = "#"
"""Shown for a number that no section covers."""


class _Token(NamedTuple):
    """`kind` is `literal`, `digit`, `point`, `number` (the whole number in one place) or `text`."""

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of a format. `scale` is the power of ten by which the shown number is greater: 2 for a percentage."""

    tokens: tuple[_Token, ...]
    condition: tuple[str, float] | None = None
    date: str = ""
    scale: int = 0

    def literals(self) -> str:
        return "".join(text for kind, text in self.tokens if kind == "literal")

    def digits(self) -> list[str]:
        """Return the places for digits before the point."""
        kinds = [kind for kind, _ in self.tokens]
        end = kinds.index("point") if "point" in kinds else len(kinds)
        return [text for kind, text in self.tokens[:end] if kind == "digit"]


@dataclass(frozen=True)
class CellFormat:
    """A parsed number format."""

    sections: tuple[_Section, ...]

    def moment(self, value: float) -> str:
        """Return `date` for a number that is shown as a date or time, `elapsed` for a duration, else nothing."""
        section = self._for_number(value)
        return section.date if section else ""

    @cached_property
    def plain_digits(self) -> int | None:
        """Return from how many digits on a positive whole number is shown unchanged, None if uncertain."""
        first = self.sections[0]
        kinds = [kind for kind, _ in first.tokens if kind not in {"literal", "point"}]
        if first.condition or first.date or first.scale or _adds(first.literals()):
            return None
        if set(kinds) != {"digit"} and kinds != ["number"]:
            return None
        places = first.digits()
        return len(places) - places.index("0") if "0" in places else 1

    @cached_property
    def is_plain_for_text(self) -> bool:
        """Whether a text is shown unchanged."""
        section = self._for_text()
        return section is None or (("text", "") in section.tokens and not _adds(section.literals()))

    def shown(self, value: float | str) -> str | None:
        """Return what is shown for a value, None if that is the value itself, however its digits are grouped."""
        if isinstance(value, str):
            section = self._for_text()
            told = section.tokens if section else (_Token("text"),)
            text = "".join(value if kind == "text" else text for kind, text in told if kind in {"text", "literal"})
        elif section := self._for_number(value):
            text = ("-" if value < 0 and section is self.sections[0] else "") + _written(section, abs(value))
        else:
            text = _OVERFLOWING
        if not text.strip():
            return "" if str(value).strip() else None
        return None if _is_same(text, value if isinstance(value, str) else _plain(value)) else text

    def _for_text(self) -> _Section | None:
        """Return the section for text, None if text is shown unchanged."""
        last = self.sections[-1]
        return last if len(self.sections) == _MOST_SECTIONS or any(kind == "text" for kind, _ in last.tokens) else None

    def _for_number(self, value: float) -> _Section | None:
        numeric = self.sections[: _MOST_SECTIONS - 1]
        if len(numeric) > 1 and any(kind == "text" for kind, _ in numeric[-1].tokens):
            numeric = numeric[:-1]
        if any(section.condition for section in numeric):
            for section in numeric:
                if section.condition is None or _COMPARED[section.condition[0]](value, section.condition[1]):
                    return section
            return None
        place = 1 if value < 0 else 2 if value == 0 else 0
        return numeric[place] if place < len(numeric) else numeric[0]


@lru_cache(maxsize=1 << 10)
def cell_format(code: str) -> CellFormat:
    """Return the format of a code. Never raises: a part that cannot be parsed is shown as literal text."""
    sections: list[list[re.Match[str]]] = [[]]
    for token in _TOKEN.finditer(code[:_LONGEST_CODE] or "General"):
        if token["other"] == ";" and len(sections) < _MOST_SECTIONS:
            sections.append([])
        else:
            sections[-1].append(token)
    return CellFormat(tuple(map(_section, sections)))


def shown_instead(text: str, value: float) -> str | None:
    """Return the text that a spreadsheet shows for a number, None if that is the number itself; see `shown`."""
    held = _plain(value)
    if not text.strip():
        return ""
    same = _SCIENTIFIC.fullmatch(text) or _is_same(text, held) or _is_same(_ZEROS_BEHIND.sub("", text), held)
    return None if same else text


def built_in_format(number: int) -> CellFormat:
    """Return the format of a number for which the workbook has no code; General if the number is unknown."""
    return cell_format(_BUILT_IN.get(number, "General"))


def _section(found: list[re.Match[str]]) -> _Section:
    tokens: list[_Token] = []
    condition = None
    date = ""
    scale = 0
    for match in found:
        kind, text = str(match.lastgroup), str(match[str(match.lastgroup)])
        if kind == "bracketed":
            if bracketed := _CONDITION.fullmatch(text):
                condition = bracketed[1], float(bracketed[2])
            elif _ELAPSED.fullmatch(text):
                date = "elapsed"
            elif text.startswith("$"):
                tokens.append(_Token("literal", text[1:].partition("-")[0]))
        elif kind == "date":
            date = date or "date"
        elif kind in _TOKENS:
            tokens.append(_Token(_TOKENS[kind], text if kind in {"quoted", "escaped", "digit"} else ""))
        elif kind == "other":
            scale += 2 * (text == "%")
            tokens.append(
                _Token("point") if text == "." else _Token("comma") if text == "," else _Token("literal", text)
            )
    # Each comma after the last digit, or after the last digit before the point, divides by a thousand.
    places = "".join({"digit": "0", "comma": ",", "point": "."}.get(kind, "") for kind, _ in tokens)
    return _Section(tuple(_whole(tokens)), condition, date, scale - 3 * sum(map(len, _BEHIND.findall(places))))


_SLASH = _Token("literal", "/")
_TOKENS = {
    "quoted": "literal", "escaped": "literal", "general": "number", "exponent": "exponent", "digit": "digit",
    "text": "text",
}  # fmt: skip


def _whole(tokens: list[_Token]) -> list[_Token]:
    """Drop the commas; merge the digits into one place if the number is not written digit by digit."""

    def literals(some: Iterable[_Token]) -> list[_Token]:
        return [token for token in some if token.kind == "literal"]

    def may_divide(token: _Token) -> bool:
        kind, text = token
        return kind == "digit" or (kind == "literal" and len(text) == 1 and text.isdecimal())

    kinds = [kind for kind, _ in tokens]
    at = kinds.index("digit") if "digit" in kinds else len(kinds)
    slash = tokens.index(_SLASH) if _SLASH in tokens[at:] else 0
    if slash or "exponent" in kinds[at:]:
        behind = [*tokens[at + 1 : slash], *dropwhile(may_divide, tokens[slash + 1 :])] if slash else tokens[at + 1 :]
        return [*literals(tokens[:at]), _Token("number"), *literals(behind)]
    return [token for token in tokens if token.kind not in {"comma", "exponent"}]


def _written(section: _Section, value: float) -> str:
    """Write a number that is not negative into the digit places of a section."""
    scaled = value * 10.0 ** max(-300, min(300, section.scale))
    places = section.digits()
    behind = [text for kind, text in section.tokens if kind == "digit"][len(places) :]
    whole, _, fraction = f"{scaled:.{len(behind)}f}".partition(".")
    digits = whole.lstrip("0").rjust(len(places), " ")
    lead, each = digits[: len(digits) - len(places)], iter(digits[len(digits) - len(places) :])
    rest = iter(fraction.rstrip("0"))
    written = ""
    passed = False
    for kind, text in section.tokens:
        if kind in {"number", "text"}:
            written += _plain(scaled)
        elif kind == "point":
            passed = True
            written += "." if fraction.strip("0") else ""
        elif kind == "digit" and passed:
            written += next(rest, "")
        elif kind == "digit":
            digit = next(each)
            written += lead + (digit.strip() or ("0" if text == "0" else ""))
            lead = ""
        else:
            written += text
    return written


def _plain(value: float) -> str:
    """Return a number as a cell without a format shows it, with all digits if it is whole."""
    return str(int(value)) if value == value // 1 else repr(value)


def _is_same(shown: str, held: str) -> bool:
    return _digits_of(shown) == _digits_of(held) and ("+" in shown) == ("+" in held)


def _digits_of(text: str) -> str:
    return "".join(letter for letter in text if letter.isdecimal())


def _adds(literals: str) -> bool:
    """Whether the text written around a number could be taken for a part of it."""
    return "+" in literals or bool(_digits_of(literals))


_TURNED = re.compile(r"[0-9A-Za-z+ .,:/()\u00a0-]{1,255}")  # Excel accepts no longer text in a formula
_DIGIT = re.compile("[0-9]")
_KEPT = re.compile(r'\'?="([^"]*)"')  # the input itself may have a report's apostrophe in front


def kept_as_text(cell: str) -> str:
    """Return the cell so that Excel keeps it as text; a cell that Excel would not change stays as it is."""
    return f'="{cell}"' if _DIGIT.search(cell) and _TURNED.fullmatch(cell) else cell


def read_as_text(cell: str) -> str:
    """Return the cell as it was before `kept_as_text`."""
    found = _KEPT.fullmatch(cell)
    return found[1] if found else cell
