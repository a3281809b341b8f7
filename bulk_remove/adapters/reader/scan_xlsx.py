"""A sheet of .xlsx looked over while it is inflated: how far its cells reach, and what the operator must be told.

calamine reads half of what it takes from this pass, so this must be cheap: the text is searched, not parsed.
"""

import codecs
import re

from bulk_remove.adapters.reader.facts import SheetFacts
from bulk_remove.errors import InputError

_REF = rb'r="(?:[A-Z]|A[A-N])(?:[0-9]{1,6}|10[0-4][0-9]{4})"'
_FAR_CELL = re.compile(rb"<c(?! " + _REF + rb"[ />]|[\w:.-])")
_ODD_CELL = re.compile(rb"<c(?! " + _REF + rb'(?: (?:s|t|cm|vm|ph)="\w{0,12}")*+ ?/?>|[\w:.-])|:c[\s/>]')
_ODD_TEXT = (b"'", b"\t", b"\n", b"\r", b":c", b'" r=')
"""Where none of these stands, no cell has a prefix, a second `r`, or anything between its attributes but a space."""
_ENCODING = re.compile(rb"<\?xml[^>]*\bencoding=[\"'](?!utf-?8[\"'])", re.IGNORECASE)
_HIDDEN_ROW = re.compile(rb'<(?:\w+:)?row\s[^>]*\bhidden="(?:1|true)"[^>]*(?<!/)>')
_HIDDEN_COLUMNS = re.compile(rb'<(?:\w+:)?col\s[^>]*\bhidden="(?:1|true)"[^>]*>')
_FROM_TO = re.compile(rb'\b(min|max)="([0-9]{1,5})"')
_ERROR_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*\bt="e"')
_NO_RESULT = re.compile(rb"</f>(?:<v></v>|<v ?/>)?</c>|<f(?:\s[^>]*)?/>(?:<v></v>|<v ?/>)?</c>")
_UNCERTAIN_DATE = re.compile(rb'<(?:\w+:)?c\s[^>]*\bt="d"[^>]*>\s*<v>(?![0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]*)?</v>)')
_LONGEST_TAIL = 1 << 16


class XlsxScan:
    """Takes a part piece by piece.

    `odd` tells a part whose cells may stand outside columns A to AN and Excel's rows, or are not written as usual: it
    has to be measured.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._tail = b""
        self._begun = False
        self.odd = False
        self._hidden_rows = self._errors = self._no_results = 0
        self._hidden_columns: set[int] = set()

    def add(self, piece: bytes) -> None:
        """Look at the next piece. Raises InputError for a cell that cannot be told from a number."""
        if not self._begun:
            self._begun = True
            start = piece.removeprefix(codecs.BOM_UTF8)
            self.odd = not start.startswith(b"<") or b"\0" in start[:64] or bool(_ENCODING.match(start))
        whole = self._tail + piece if self._tail else piece
        cut = cut_point(whole)
        self._tail = whole[cut:]
        self._look(whole[:cut])

    def end(self) -> SheetFacts:
        """Look at what is left and return what was found."""
        self._look(self._tail)
        self._tail = b""
        return SheetFacts(self._hidden_rows, frozenset(self._hidden_columns), self._errors, self._no_results)

    def _look(self, text: bytes) -> None:
        if not self.odd:
            usual = not any(odd in text for odd in _ODD_TEXT)
            self.odd = bool((_FAR_CELL if usual else _ODD_CELL).search(text))
        if b"h" in text and b"hidden=" in text:
            self._hidden_rows += len(_HIDDEN_ROW.findall(text))
            self._hide_columns(text)
        if b"#" in text:
            self._errors += len(_ERROR_CELL.findall(text))
        if b"f" in text:
            self._no_results += len(_NO_RESULT.findall(text))
        if b"d" in text and b't="d"' in text and _UNCERTAIN_DATE.search(text):
            raise InputError(
                f"{self._path} holds a date in a form that cannot be told from a number.",
                "Open it in Excel and save it again as .xlsx.",
            )

    def _hide_columns(self, text: bytes) -> None:
        for column in _HIDDEN_COLUMNS.findall(text):
            ends = {name: int(number) for name, number in _FROM_TO.findall(column)}
            if len(ends) == len((b"min", b"max")) and ends[b"max"] <= 1 << 14:
                self._hidden_columns.update(range(ends[b"min"] - 1, ends[b"max"]))


def cut_point(text: bytes) -> int:
    """Return where to cut so that no tag, and no formula from its result, is torn; 64 KiB are left over at most."""
    for mark in (b"</c>", b"<"):
        at = text.rfind(mark)
        at += len(mark) if mark == b"</c>" and at >= 0 else 0
        if at > 0 and len(text) - at <= _LONGEST_TAIL:
            return at
    return len(text)
