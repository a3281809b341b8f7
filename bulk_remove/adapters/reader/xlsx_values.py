"""What the cells of an .xlsx hold: their types, the strings that they share, and the formats of their styles."""

import re
from array import array
from collections.abc import Callable, Iterable, Mapping

from bulk_remove.adapters.reader.cells import NO_RESULT, Cell, DamagedError, Formats, error_cell, written_date
from bulk_remove.adapters.reader.package import Events
from bulk_remove.core.cell_formats import CellFormat, built_in_format, cell_format

_LONGEST_HEAD = 1 << 20
_OTHER_ENCODING = re.compile(rb"[^<]*<\?[^<>]*\bencoding=[\"'](?!utf-?8[\"'])", re.IGNORECASE)
_TYPE, _STYLE = re.compile(rb' t="([A-Za-z]*)"'), re.compile(rb' s="([0-9]{1,7})"')
_STRING_END = b"</si>"
_PLAIN_STRING = re.compile(rb'\s*+<si><t(?: xml:space="preserve")?>([^<&\r]*+)</t></si>')
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURE_DIGITS = 15
TRUE = {"1", "true"}

Found = tuple[bytes, bytes, bytes, bytes]
"""A cell in the text of a row: its type and style, its formula, and what is written in it in either of two ways."""


def formats_of(styles: bytes) -> list[CellFormat]:
    """Return the cell formats of a workbook by style, read from their part."""
    codes: dict[str, str] = {}
    formats: list[CellFormat] = []
    parents: list[str] = []

    def start(tag: str, found: Mapping[str, str]) -> None:
        number = found.get("numFmtId", "0")
        if tag == "numFmt" and parents[-1:] == ["numFmts"]:
            codes[number] = found.get("formatCode", "")
        elif tag == "xf" and parents[-1:] == ["cellXfs"]:
            formats.append(cell_format(codes[number]) if number in codes else built_in_format(int(number)))
        parents.append(tag)

    if styles:
        Events(start, lambda _: parents.pop()).add(styles, last=True)
    return formats


class Strings:
    """The shared strings: their XML, and where each ends; one is taken out when it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._whole: list[str] | None = None
        if content and not (is_searchable(content) and b"<sst" in content[:_LONGEST_HEAD] and b"<si/" not in content):
            content, self._whole = b"", _parsed_strings(content)
        self._content = content
        ends = [match.end() for match in re.finditer(_STRING_END, content)]
        first = re.search(rb"<si\b", content)
        self._ends = array("I", [first.start(), *ends] if first else [])

    def __getitem__(self, index: int) -> str:
        if self._whole is not None:
            return self._whole[index]
        written = self._content[self._ends[index] : self._ends[index + 1]]
        if plain := _PLAIN_STRING.fullmatch(written):
            return _unescaped(plain[1].decode())
        (text,) = _parsed_strings(written)
        return text


def _parsed_strings(content: bytes) -> list[str]:
    strings: list[str] = []
    text: list[str] = []
    inside: list[str] = []

    def end(tag: str) -> None:
        inside.pop()
        if tag == "si":
            strings.append(_unescaped("".join(text)))
            text.clear()

    def add(piece: str) -> None:
        if inside[-1] == "t" and "rPh" not in inside:  # how it is pronounced
            text.append(piece)

    Events(lambda tag, _: inside.append(tag), end, add).add(content, last=True)
    return strings


class Values:
    """What cells hold, by their type and style and what is written in them."""

    def __init__(self, formats: Formats, strings: Strings) -> None:
        self._formats = formats
        self._strings = strings
        self._kinds: dict[bytes, tuple[str, int, bool]] = {}

    def found(self, found: Iterable[Found]) -> list[Cell]:
        """Return the cells that were found in the text of rows."""
        kinds, strings = self._kinds, self._strings
        cells: list[Cell] = []
        for attributes, formula, value, inline in found:
            kind, style, plain = kinds.get(attributes) or self._kind(attributes)
            if plain and value.isdigit() and len(value) <= _SURE_DIGITS:
                cells.append(strings[int(value)] if kind else float(value))
            else:
                written = inline if kind == "inlineStr" and inline else value
                cells.append(self.of(kind, style, written.decode(), formula=bool(formula)))
        return cells

    def _kind(self, attributes: bytes) -> tuple[str, int, bool]:
        """Return the type and the style, and whether its format may be left out of account."""
        types, styles = _TYPE.findall(attributes), _STYLE.findall(attributes)
        kind, style = b"".join(types[:1]).decode(), int(b"".join(styles[:1]) or b"0")
        plain = kind in {"", "s"} and self._formats.are_plain(style)
        self._kinds[attributes] = kind, style, plain
        return kind, style, plain

    def of(self, kind: str, style: int, text: str, *, formula: bool) -> Cell:
        """Return the cell of a type and a style with that text."""
        if kind in {"", "n"} and text.strip():
            return self._formats.number(_number(text), style)
        if kind == "s" and text:
            return self._formats.text(self._strings[index_of(text)], style)
        if kind in {"str", "inlineStr"}:
            return self._formats.text(_unescaped(text), style)
        if kind not in _OTHERS:
            raise DamagedError
        return _OTHERS[kind](text.strip(), formula)


_OTHERS: Mapping[str, Callable[[str, bool], Cell]] = {
    "": lambda _, formula: NO_RESULT if formula else "",
    "n": lambda _, formula: NO_RESULT if formula else "",
    "s": lambda *_: "",
    "b": lambda text, _: text in TRUE,
    "d": lambda text, _: written_date(text) if text else "",
    "e": lambda text, _: error_cell(text),
}
"""What cells hold that are neither number nor text."""


def is_searchable(text: bytes) -> bool:
    """Whether nothing in an XML text can look like something that it is not: it is UTF-8 without comments and such."""
    instructions = text.count(b"<?")
    return (
        b"<!" not in text
        and b"\0" not in text
        and not (instructions > 1 or (instructions and _OTHER_ENCODING.match(text, 0, _LONGEST_HEAD)))
    )


def _number(text: str) -> float:
    if not (text.isascii() and text.isdigit()) and not _NUMBER.fullmatch(text.strip()):
        raise DamagedError
    return float(text)


def index_of(text: str) -> int:
    """Return a whole number. Raises DamagedError when it is not one, or more than there can be of anything."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - see above
        raise DamagedError
    return int(text)


def _unescaped(text: str) -> str:
    """Turn `_x000D_` into the character that XML cannot hold; one that is none becomes a question mark."""
    if "_x" not in text:
        return text
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
