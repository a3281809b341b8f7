"""A workbook that is a zip archive: its parts, and XML parsed by events.

Only the requested parts are inflated, and never to more than their directory says. zipfile compares their checksums,
so a flipped bit cannot change a number.
"""

import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from bulk_remove.errors import InputError
from bulk_remove.reader.cells import DamagedError, ProtectedError

_READ_BYTES = 1 << 18  # fits into a processor's cache, and is searched a fifth faster than a megabyte
_MOST_BYTES = 2 << 30
_ALWAYS_BYTES = 64 << 20
_MOST_TIMES = 200
"""How far a workbook may expand: to 200 times its size, or to 64 MiB. A list of numbers shrinks to a tenth,
blank cells with a style to a fiftieth; deflate reaches 1,032."""
_MOST_INDEX_BYTES = 16 << 20
_ENCRYPTED = 1  # APPNOTE 4.4.4: bit 0 of the flags
_DEEPEST = 256
_MAC_FOLDER = "__macosx/"  # macOS adds it beside each file that it packs
_ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError)


class SheetPlace(NamedTuple):
    """A sheet in the workbook's list of sheets, and the part that holds it."""

    name: str
    hidden: bool
    part: str


class Package:
    """The parts of a zip archive by their names in small letters. Raises DamagedError if the archive is damaged."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path = path
        self._most_bytes = most_expanded_bytes(file.seek(0, 2))
        try:
            self._archive = zipfile.ZipFile(file)
        except _ZIP_DAMAGE:
            raise DamagedError from None
        parts = [(_folded(part.filename), part) for part in self._archive.infolist()]
        parts = [(name, part) for name, part in parts if not name.startswith(_MAC_FOLDER)]
        self._parts = dict(parts)
        if len(self._parts) < len(parts):  # programs disagree on which of two equal names to read
            raise DamagedError
        if any(part.flag_bits & _ENCRYPTED for part in self._parts.values()):
            raise ProtectedError

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def ending_with(self, ending: str) -> str:
        """Return the name of the first part with this ending, empty if there is none."""
        return next((name for name in self._parts if name.endswith(ending)), "")

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a part in pieces. Raises InputError if it would expand too far."""
        try:
            part = self._parts[name]
            self._check_size(part, self._most_bytes)
            with self._archive.open(part) as content:
                while piece := content.read(_READ_BYTES):
                    yield piece
        except (KeyError, *_ZIP_DAMAGE):
            raise DamagedError from None

    def content(self, name: str) -> bytes:
        """Return the whole content of a part, nothing if there is no such part."""
        return b"".join(self.pieces(name)) if name in self._parts else b""

    def index(self, name: str) -> bytes:
        """Return the whole content of a part that is small in every workbook."""
        if name in self._parts:
            self._check_size(self._parts[name], _MOST_INDEX_BYTES)
        return self.content(name)

    def sheets(self, workbook: str, sheets_of: Callable[[bytes], Iterable[SheetPlace]]) -> list[SheetPlace]:
        """Return the sheets that can hold rows, in order."""
        targets = self.targets(workbook, "/worksheet")
        found = sheets_of(self.index(workbook))
        return [SheetPlace(name, hidden, targets[link]) for name, hidden, link in found if link in targets]

    def targets(self, workbook: str, kind: str) -> dict[str, str]:
        """Return, by relationship, the parts to which the workbook's own part refers with this kind."""
        folder, _, own = workbook.rpartition("/")
        return {
            found["Id"]: _folded(posixpath.normpath(posixpath.join("/", folder, found["Target"])))[1:]
            for tag, found in elements(self.index(f"{folder}/_rels/{own}.rels".lstrip("/")))
            if tag == "Relationship" and {"Id", "Target"} <= set(found) and found.get("Type", "").endswith(kind)
        }

    def _check_size(self, part: zipfile.ZipInfo, most_bytes: int) -> None:
        if part.file_size > most_bytes:
            raise expands_too_far(self.path, most_bytes)


def most_expanded_bytes(size_bytes: int) -> int:
    """Return how many bytes may come out of a workbook of that size, or out of one of its parts."""
    return min(_MOST_BYTES, max(_ALWAYS_BYTES, _MOST_TIMES * size_bytes))


def expands_too_far(path: str, most_bytes: int) -> InputError:
    """Return the error for a workbook that expands to more than that."""
    return InputError(
        "{path} would expand to more than {size} MB; a list of numbers does not.",
        "Delete all other sheets and columns, or save the sheet with the numbers as CSV.",
        path=path,
        size=most_bytes >> 20,
    )


class Events:
    """XML parsed by events; names of elements come without their prefixes. Missing handlers are skipped."""

    def __init__(
        self,
        start: Callable[[str, Mapping[str, str]], object],
        end: Callable[[str], object] | None = None,
        text: Callable[[str], object] | None = None,
    ) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._started
        self._parser.EndElementHandler = self._ended
        self._parser.CharacterDataHandler = text
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._start, self._end = start, end
        self._depth = 0

    def _started(self, name: str, found: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise DamagedError
        self._start(name.rpartition(":")[2], found)

    def _ended(self, name: str) -> None:
        self._depth -= 1
        if self._end:
            self._end(name.rpartition(":")[2])

    def add(self, piece: bytes, *, last: bool = False) -> None:
        """Parse the next piece. Raises DamagedError if it is not well-formed XML, or MemoryError."""
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            if error.code == _NO_MEMORY:
                raise MemoryError from None
            raise DamagedError from None
        except (LookupError, ValueError):  # an encoding unknown to Python
            raise DamagedError from None


_NO_MEMORY = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]


def elements(text: bytes) -> list[tuple[str, Mapping[str, str]]]:
    """Return the elements of a small XML text, without their prefixes, and their attributes."""
    found: list[tuple[str, Mapping[str, str]]] = []
    if text:
        Events(lambda tag, attributes: found.append((tag, attributes))).add(text, last=True)
    return found


def _refuse_doctype(*_: object) -> None:
    raise DamagedError


def _folded(name: str) -> str:
    return name.replace("\\", "/").casefold()
