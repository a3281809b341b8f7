"""A text file as characters, and as the UTF-8 that pandas' parser reads, whatever encoding it is written in."""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from bulk_remove.adapters.reader.files import LookedOver
from bulk_remove.language import phrase

_UTF8 = frozenset({"utf-8", "utf-8-sig"})
_BOM = "\ufeff"
_SEPARATOR_LINE = re.compile(r"""("?)sep=([\t !#-/:-@\[-`{-~])\1(\r\n|\r|\n|\Z)""", re.IGNORECASE)
_SEPARATOR_LINE_CHARACTERS = 9
_LAST_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file whose encoding is known and whose every byte decodes.

    `notes` say how the encoding was found. `above` counts the characters of a first line that is for spreadsheets
    alone (`sep=;`), and `separator` is what it says, empty without one.
    """

    looked_over: LookedOver
    encoding: str
    has_quotes: bool
    notes: tuple[str, ...] = ()
    above: int = 0
    separator: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.looked_over.name

    @property
    def is_utf8(self) -> bool:
        """Whether its bytes are those of UTF-8."""
        return self.encoding in _UTF8

    @contextmanager
    def characters(self) -> Iterator[io.TextIOWrapper]:
        """Open it as text, line ends as they are, without a byte order mark and without `above`.

        Raises InputError when it is not what was looked over, or changes meanwhile.
        """
        codec = "utf-8" if self.is_utf8 else self.encoding
        with self._checked() as file:
            text = io.TextIOWrapper(file, encoding=codec, newline="")
            try:
                if text.read(1) != _BOM:
                    text.seek(0)
                text.read(self.above)
                yield text
            finally:
                text.detach()  # it would close the file, which is looked at once more

    def last_line(self) -> str:
        """Return what stands behind the last line end, or the end of it when that is very long."""
        with self._checked() as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - _LAST_BYTES) & ~3)  # no encoding has longer characters of one length
            tail = file.read().decode("utf-8" if self.encoding in _UTF8 else self.encoding, errors="replace")
        return re.split(r"[\r\n]", tail.removeprefix(_BOM))[-1]

    @contextmanager
    def utf8(self) -> Iterator[Callable[[int], bytes]]:
        """Open the same as UTF-8: a function that returns the next bytes, about as many as it is asked for.

        A file that is UTF-8 is handed over as it stands, at no cost. Raises as `characters` does.
        """
        if self.is_utf8:
            with self._checked() as file:
                file.seek(self.above + len(codecs.BOM_UTF8) * self.looked_over.has_bom)
                yield file.read
        else:
            with self.characters() as text:
                yield lambda size: text.read(size).encode()

    @contextmanager
    def _checked(self) -> Iterator[BinaryIO]:
        """Open the bytes; what goes wrong with them is told as a change when the file did change."""
        with self.looked_over.opened() as file:
            try:
                yield file
            except Exception:
                self.looked_over.check_unchanged(file)
                raise
            self.looked_over.check_unchanged(file)


def without_separator_line(text: TextFile) -> TextFile:
    """Return the file below a first line `sep=;`, which Excel writes and reads for itself.

    Excel and LibreOffice do not show that line: the one below it is their row 1. So it is ours.
    """
    with text.characters() as characters:
        found = _SEPARATOR_LINE.match(characters.read(_SEPARATOR_LINE_CHARACTERS))
    if not found:
        return text
    note = phrase("The first line, 'sep={mark}', is for spreadsheets: row 1 is the line below it.", mark=found[2])
    return replace(text, above=found.end(), separator=found[2], notes=(*text.notes, note))
