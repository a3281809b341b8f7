"""A sheet of .xlsx looked over while it is inflated: how far its cells reach, and what the operator must be told.

This has to cost little beside calamine, and takes a sixth of its time, so the text is searched, not parsed. Since the
rows of a sheet differ in hardly more than their digits, each shape is searched once: a row with zeros for its digits.
"""

import codecs
import re

from bulk_remove.adapters.reader.facts import SheetFacts
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

_ODD_CELL = re.compile(
    rb'<c(?! r="(?:[A-Z]|A[A-N])(?:[0-9]{1,6}|10[0-4][0-9]{4})"(?: (?:s|t|cm|vm|ph)="\w{0,12}")*+ ?/?>|[\w.-])|:c[\s/>]'
)
"""Finds a cell that is not one of Excel's rows in the columns A to AN, or is not written as every program does."""
_AS_ZEROS = bytes.maketrans(b"0123456789", b"0" * 10)
_MOST_SHAPES = 5000
_ENCODING = re.compile(rb"<\?xml[^>]*\bencoding=[\"'](?!utf-?8[\"'])", re.IGNORECASE)
_HIDDEN_ROW = re.compile(rb'<(?:\w+:)?row\s[^>]*\bhidden="(?:1|true)"[^>]*(?<!/)>')
_HIDDEN_COLUMNS = re.compile(rb'<(?:\w+:)?col\s[^>]*\bhidden="(?:1|true)"[^>]*>')
_FROM_TO = re.compile(rb'\b(min|max)="([0-9]{1,5})"')
_ERROR_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*\bt="e"')
_NO_RESULT = re.compile(rb"</f>(?:<v></v>|<v ?/>)?</c>|<f(?:\s[^>]*)?/>(?:<v></v>|<v ?/>)?</c>")
_UNCERTAIN_DATE = re.compile(
    rb'<(?:\w+:)?c\s[^>]*\bt="d"[^>]*>\s*<v>(?![0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]*)?</v>|[0-9]{2}:[0-9]{2}:[0-9.]+</v>)'
)
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
        self._shapes: set[bytes] = set()
        self.odd = False
        self._hidden_rows = self._errors = self._no_results = 0
        self._hidden_columns: set[int] = set()

    def add(self, piece: bytes) -> None:
        """Look at the next piece. Raises InputError for a cell that cannot be told from a number."""
        if not self._begun:
            self._begun = True
            start = piece.removeprefix(codecs.BOM_UTF8)
            self.odd = not start.startswith(b"<") or b"\0" in start[:64] or bool(_ENCODING.match(start))
        cut = cut_point(piece)
        text, self._tail = self._tail + piece[:cut], piece[cut:]
        self._look(text)

    def end(self) -> SheetFacts:
        """Look at what is left and return what was found."""
        self._look(self._tail)
        self._tail = b""
        return SheetFacts(self._hidden_rows, frozenset(self._hidden_columns), self._errors, self._no_results)

    def _look(self, text: bytes) -> None:
        self.odd = self.odd or self._is_odd(text)
        if b"h" in text and b"hidden=" in text:
            self._hidden_rows += len(_HIDDEN_ROW.findall(text))
            self._hide_columns(text)
        if b"#" in text:
            self._errors += len(_ERROR_CELL.findall(text))
        if b"f" in text:
            self._no_results += len(_NO_RESULT.findall(text))
        if b"d" in text and b't="d"' in text and _UNCERTAIN_DATE.search(text):
            raise InputError(
                phrase("{path} holds a date in a form that cannot be told from a number.", path=self._path),
                "Open it in Excel and save it again as .xlsx.",
            )

    def _is_odd(self, text: bytes) -> bool:
        shapes = set(text.translate(_AS_ZEROS).split(b"<row "))
        shapes -= self._shapes
        if len(shapes) + len(self._shapes) < _MOST_SHAPES and not _ODD_CELL.search(b"<row ".join(shapes)):
            self._shapes |= shapes
            return False
        return bool(_ODD_CELL.search(text))

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
        if at >= 0 and len(text) - at <= _LONGEST_TAIL:
            return at
    return len(text)
