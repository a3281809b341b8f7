"""An input is looked over once before it is parsed: its hash, its size, and whether it is UTF-8 text."""

import codecs
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from bulk_remove.adapters.reader.spool import Spool
from bulk_remove.core.model import harmless
from bulk_remove.disk import NotRegularError
from bulk_remove.disk import opened as opened_once
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

READ_BYTES = 1 << 18
STANDARD_INPUT = "-"
_NO_SIGNS = bytes({*range(256)} - {*b",;\t|\r\n"})
_MOST_SHAPES = 1000
_LONGEST_SHAPE = 1 << 16
_NAME_ONE = "Name a file, or - to read what is piped in."


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells a file from another one, or from itself after a change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """What can be read only once or dearly, kept in a private temporary file.

    `spool` holds it unpacked; `fingerprint` and `sha256` are those of the file as it was given (of standard input:
    of what came). `notes` are sentences for the operator.
    """

    spool: Spool
    fingerprint: Fingerprint
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """An input as it was given: `path` as the user wrote it.

    `kind` is the suffix, small and with its dot, of what is inside, empty for a workbook that came without a name;
    `aside` is None for a file that is read where it lies.
    """

    path: str
    kind: str
    aside: SetAside | None = None

    @property
    def file(self) -> str:
        """What the ledger and the report call it."""
        return "(standard input)" if self.path == STANDARD_INPUT else self.path

    @property
    def name(self) -> str:
        """What messages call it."""
        return harmless(self.file)

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """Open what is inside for reading, from its beginning. Raises InputError when that cannot be."""
        return self.aside.spool.opened() if self.aside else opened(self.path)


@dataclass(frozen=True, slots=True)
class LookedOver:
    """What is known of an input without parsing it.

    `fingerprint` and `sha256` are those of the file as given. `text_fault` says why what is inside is not UTF-8 text,
    as the end of a sentence, or is empty. `has_quotes` and `has_bom` are those of UTF-8 text. Its first bytes are
    `start`. `shapes` are the lines of the file, of which only separators are left, each once; None where these are too
    many. `ends_open` says that there is no line end at the end.
    """

    given: Given
    fingerprint: Fingerprint
    sha256: str
    start: bytes
    text_fault: str
    has_quotes: bool
    shapes: frozenset[bytes] | None
    ends_open: bool

    @property
    def has_bom(self) -> bool:
        """Whether it begins with UTF-8's byte order mark."""
        return self.start.startswith(codecs.BOM_UTF8)

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.given.name

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """Open what is inside for reading, from its beginning. Raises InputError when that cannot be."""
        return self.given.opened()

    def check_unchanged(self, file: BinaryIO) -> None:
        """Raise InputError when the open file is not what was looked over; what was set aside cannot change."""
        if self.given.aside is None:
            check_unchanged(self.given.path, file, self.fingerprint)


class _Shapes:
    """Collects what is left of lines without anything but separators, while the file goes by in pieces."""

    def __init__(self) -> None:
        self._found: set[bytes] | None = set()
        self._rest = b""

    def add(self, piece: bytes) -> None:
        if self._found is None:
            return
        *lines, self._rest = (self._rest + piece.translate(None, _NO_SIGNS)).split(b"\n")
        self._found.update(lines)
        if len(self._found) > _MOST_SHAPES or len(self._rest) > _LONGEST_SHAPE:
            self._found = None

    def found(self) -> frozenset[bytes] | None:
        """Return the shapes; of a file that ends with a line end, nothing stands behind it."""
        return None if self._found is None else frozenset({*self._found, *filter(None, [self._rest])})


class _TextCheck:
    """Finds the first line that is not UTF-8 text, while the file goes by in pieces."""

    def __init__(self) -> None:
        self.fault = ""
        self.has_quotes = False
        self._lines = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def add(self, piece: bytes, *, last: bool) -> None:
        if self.fault:
            return
        self.has_quotes = self.has_quotes or b'"' in piece
        try:
            self._decoder.decode(piece, last)
        except UnicodeDecodeError as error:
            self._found(phrase("is not UTF-8"), error.object[: error.start])
            return
        if (nul := piece.find(0)) >= 0:
            self._found(phrase("holds a NUL byte"), piece[:nul])
        self._lines += piece.count(b"\n")

    def _found(self, what: str, before: bytes) -> None:
        self.fault = phrase("{what} (line {line})", what=what, line=self._lines + before.count(10) + 1)


def look_over(given: Given) -> LookedOver:
    """Read the input once, for its hash and for what is not text. Raises InputError when it cannot be read."""
    digest = hashlib.sha256()
    text = _TextCheck()
    start = end = b""
    shapes = _Shapes()
    with given.opened() as file:
        before = given.aside.fingerprint if given.aside else fingerprint(file)
        while piece := file.read(READ_BYTES):
            start = start or piece[:8]
            if given.aside is None:
                digest.update(piece)
            text.add(piece, last=False)
            shapes.add(piece)
            end = piece.rstrip(b"\0")[-1:]
        text.add(b"", last=True)
    if not start:
        raise InputError(
            phrase("{name} is empty.", name=given.name), "Check that the export that wrote it has ended well."
        )
    sha256 = given.aside.sha256 if given.aside else digest.hexdigest()
    return LookedOver(
        given, before, sha256, start, text.fault, text.has_quotes, shapes.found(), end not in {b"\n", b"\r"}
    )


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Raises InputError when that cannot be."""
    try:
        file = opened_once(path, links=True)
    except FileNotFoundError:
        raise InputError(
            phrase("There is no file {path}.", path=harmless(path)), "Check the name and the folder."
        ) from None
    except PermissionError:
        raise InputError(
            phrase("{path} may not be read by this user.", path=harmless(path)), "Change its permissions, or the user."
        ) from None
    except IsADirectoryError:
        raise InputError(phrase("{path} is a folder.", path=harmless(path)), _NAME_ONE) from None
    except NotRegularError:
        raise InputError(phrase("{path} is not a regular file.", path=harmless(path)), _NAME_ONE) from None
    except OSError as error:
        raise InputError(
            phrase("{path} cannot be opened: {problem}.", path=harmless(path), problem=error.strerror),
            "Check the path and the disk.",
        ) from None
    with file:
        yield file


def fingerprint(file: BinaryIO) -> Fingerprint:
    """Return the fingerprint of an open file."""
    found = os.fstat(file.fileno())
    return Fingerprint(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def check_unchanged(path: str, file: BinaryIO, before: Fingerprint) -> None:
    """Raise InputError when the open file is not, or no longer, the one that was looked over."""
    if fingerprint(file) != before:
        raise InputError(
            phrase("{path} changed while it was read.", path=harmless(path)),
            "Wait until it is written whole, then start again.",
        )
