"""The content of .ods parsed once: that it is well formed, how many cells it stands for, which rows are hidden.

A few bytes can stand for any number of equal cells, rows or blanks, and where the text breaks off calamine would wait
for its end for ever.
"""

from collections.abc import Iterable

from bulk_remove.adapters.reader.damage import damaged, too_large
from bulk_remove.adapters.reader.facts import SheetFacts
from bulk_remove.adapters.reader.parsing import parse
from bulk_remove.adapters.reader.reach import MOST_CELLS
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

_VALUES = {
    "office:value", "office:string-value", "office:date-value", "office:time-value", "office:boolean-value",
    "table:formula",
}  # fmt: skip
_DROPPED = {"text:line-break", "text:tab"}  # calamine passes over them: 117 and 118 would be 117118
_CELLS = {"table:table-cell", "table:covered-table-cell"}
_MOST_ROWS, _MOST_COLUMNS = 1 << 20, 1 << 14
_MOST_BLANKS = 1 << 20  # in <text:s>; a cell of Excel holds 32,767 characters


def scan_content(path: str, pieces: Iterable[bytes]) -> dict[str, SheetFacts]:
    """Return what is known of each sheet. Raises InputError when the content is damaged or stands for too much."""
    scan = _Scan(path)
    parse(path, pieces, scan.start, scan.end)
    return scan.facts


class _Scan:
    def __init__(self, path: str) -> None:
        self._path = path
        self.facts: dict[str, SheetFacts] = {}
        self._sheet = ""
        self._blanks = self._cells = 0
        self._hidden_columns: set[int] = set()
        self._column = self._hidden_rows = 0
        self._first_row: int | None = None
        self._row = self._widest = 0
        self._repeated = self._width = self._filled_width = 0
        self._hidden = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _CELLS:
            self._width += self._count(attributes, "table:number-columns-repeated", _MOST_COLUMNS)
            if attributes.get("office:value-type") == "string" or not _VALUES.isdisjoint(attributes):
                self._filled_width = min(self._width, _MOST_COLUMNS)
        elif name == "table:table-row":
            self._repeated = self._count(attributes, "table:number-rows-repeated", _MOST_ROWS)
            self._hidden = attributes.get("table:visibility", "visible") != "visible"
            self._width = self._filled_width = 0
        elif name == "table:table-column":
            repeated = self._count(attributes, "table:number-columns-repeated", _MOST_COLUMNS)
            if attributes.get("table:visibility", "visible") != "visible":
                self._hidden_columns.update(range(self._column, min(self._column + repeated, _MOST_COLUMNS)))
            self._column += repeated
        elif name == "table:table":
            self._begin_sheet(attributes.get("table:name", ""))
        elif name in _DROPPED:
            raise self._joined_up()
        elif name == "text:s":
            self._blanks += self._count(attributes, "text:c", _MOST_BLANKS)
            if self._blanks > _MOST_BLANKS:
                raise self._too_large()

    def end(self, name: str) -> None:
        if name == "table:table-row":
            self._end_row()
        elif name == "table:table":
            self.facts[self._sheet] = SheetFacts(self._hidden_rows, frozenset(self._hidden_columns))

    def _begin_sheet(self, name: str) -> None:
        self._sheet = name
        self._hidden_columns = set()
        self._column = self._hidden_rows = self._row = self._widest = 0
        self._first_row = None

    def _end_row(self) -> None:
        if self._filled_width:
            self._first_row = self._row if self._first_row is None else self._first_row
            self._widest = max(self._widest, self._filled_width)
            self._cells += self._filled_width
            self._hidden_rows += self._repeated * self._hidden
            height = self._row + self._repeated - self._first_row
            if height * self._widest > MOST_CELLS or self._cells > MOST_CELLS:
                raise self._too_large()
        self._row += self._repeated

    def _count(self, attributes: dict[str, str], name: str, most: int) -> int:
        text = attributes.get(name, "1")
        if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) + 1:
            raise damaged(self._path)
        return min(int(text), most)

    def _joined_up(self) -> Exception:
        return InputError(
            phrase(
                "{path}, sheet '{sheet}', row {row}: a line break or a tab in a cell would be lost, and "
                "two numbers become one.",
                path=self._path,
                sheet=self._sheet,
                row=self._row + 1,
            ),
            "Save it as an Excel workbook (.xlsx), or put each number in a row of its own.",
        )

    def _too_large(self) -> Exception:
        return too_large(self._path, "stands for more cells than a list of numbers ever has")
