"""Columns beside the phones that say which rows are meant: yes and no, and what `--where` asks of a row.

A file of all customers with a column `zgoda` is not a list of numbers to remove. Whether TAK or NIE is meant, nobody
can tell from the file: such a column is told with its counts, and `--where` chooses.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bulk_remove.core.columns import fold, says_remove
from bulk_remove.core.model import harmless
from bulk_remove.errors import UsageError
from bulk_remove.language import joined, phrase

_LEFT_OUT = "Left out by --where {conditions}."
_EXCEL_SHOWS = {"prawda": "true", "fałsz": "false", "wahr": "true", "falsch": "false"}
"""What a spreadsheet shows of a truth value in other languages than the file holds."""
_WORDS = (("tak", "nie"), ("yes", "no"), ("true", "false"), ("ja", "nein"), ("on", "off"), ("x", ""))
_SIGNS = (("1", "0"), ("t", "n"), ("y", "n"), ("j", "n"), ("+", "-"))
"""Signs may mean anything: both must be there, or the column's name must say that it is about a consent."""
_KNOWN = frozenset(value for pair in (*_WORDS, *_SIGNS) for value in pair) | {""}
_OPERATOR = re.compile(r"^\s*[!~<>^\-\u00ac]|[!~<>^]\s*$")
"""What stands around a column's name where another comparison is meant; a column of such a name has its place."""
_OTHER_THAN = re.compile(r"\s*(?:[=~!]|<>)")
_OTHER = "?"
_OF_CONSENT = re.compile("zgod|consent|agree|permi|activ|aktywn|subscri|newsletter|marketing|optin|dzwon|kontaktowac")
_MOST_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Condition:
    """What the cell of a row in a column (its name, or its place counted from 1) must be; capitals do not matter."""

    column: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read `COLUMN=VALUE`; an empty value means an empty cell. Raises UsageError."""
        column, sign, value = text.partition("=")
        if sign and (_OPERATOR.search(unicodedata.normalize("NFKC", column)) or _OTHER_THAN.match(value)):
            raise UsageError(
                phrase("--where is '{text}', but only COLUMN=VALUE is understood.", text=harmless(text)),
                "Give the value of the rows that are meant, as zgoda=NIE, or with the column's place: 3=NIE.",
            )
        if not sign or not column.strip():
            raise UsageError(
                phrase("--where is '{text}', which is not a column and a value.", text=harmless(text)),
                "Give it as COLUMN=VALUE, for example zgoda=NIE.",
            )
        return cls(column.strip(), value)

    def holds(self, cell: str) -> bool:
        """Tell whether a cell is what is asked for."""
        return _alike(cell) == _alike(self.value)


def left_out(conditions: Sequence[str]) -> str:
    """Return the reason why a row that does not meet all of these conditions is not sent."""
    return phrase(_LEFT_OUT, conditions=harmless(" --where ".join(conditions)))


def is_left_out(reason: str) -> bool:
    """Tell whether a row was left out for a condition."""
    return reason.startswith(_LEFT_OUT.partition("{")[0])


def yes_no_columns(
    header: Sequence[str], samples: Sequence[Sequence[str]], others: Collection[int | None]
) -> Sequence[int]:
    """Return the indexes of the columns that say yes or no; `others` are those with a meaning of their own."""
    found = []
    for index, name in enumerate(header):
        cells = Counter(_alike(row[index]) if index < len(row) else "" for row in samples)
        if index not in others and _says_yes_or_no(name, cells):
            found.append(index)
    return found[:_MOST_COLUMNS]


class YesNo:
    """Counts what the cells of a column say; its size does not grow with them."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._shown: dict[str, str] = {}

    def add(self, cells: Iterable[str]) -> None:
        """Add cells."""
        for cell, count in Counter(cells).items():
            value = _alike(cell)
            key = value if value in _KNOWN else _OTHER
            self._counts[key] += count
            self._shown.setdefault(key, cell.strip())

    def told(self, name: str, *, chosen: bool) -> str:
        """Return a sentence on the column of this name; empty where it does not say yes or no after all.

        `chosen` tells whether conditions were given.
        """
        counts = self._counts
        if 2 * counts[_OTHER] > counts.total() or not counts.keys() - {"", _OTHER}:
            return ""
        named = {"": phrase("empty"), _OTHER: phrase("something else")}
        told = joined(
            ", ",
            (
                phrase("{count:,} x {value}", count=count, value=named.get(value, self._shown.get(value, "")))
                for value, count in counts.most_common()
                if count
            ),
        )
        if chosen:
            return phrase("Column '{name}' says yes or no: {told}.", name=harmless(name), told=told)
        return phrase(
            "Column '{name}' says yes or no: {told}. All rows are taken; --where COLUMN=VALUE takes only some.",
            name=harmless(name),
            told=told,
        )


def _says_yes_or_no(name: str, cells: Counter[str]) -> bool:
    filled = cells.keys() - {""}
    if not filled:
        return False
    named = bool(_OF_CONSENT.search(fold(name))) or says_remove(name)
    if any(filled <= {*pair} for pair in _WORDS):
        return named or len(cells) > 1
    return any(filled <= {*pair} for pair in _SIGNS) and (named or len(filled) > 1)


@lru_cache(maxsize=1 << 12)
def _alike(cell: str) -> str:
    """Return a cell without what does not matter when it is compared."""
    text = " ".join(unicodedata.normalize("NFKC", cell).casefold().split())
    return _EXCEL_SHOWS.get(text, text)
