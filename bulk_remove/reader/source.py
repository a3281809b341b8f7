"""Looks an input over once before it is parsed: its hash, its size, and whether it is UTF-8 text.

Packed inputs (.gz, .zst, .zip with one file) and pipes are first copied to a private temporary file without a name,
then read like files. Small ones stay in memory, so that a folder of a thousand workbooks does not need a thousand open
files.
"""

import codecs
import gzip
import hashlib
import io
import lzma
import os
import struct
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from bulk_remove.core.model import harmless
from bulk_remove.disk import NotRegularError
from bulk_remove.disk import opened as opened_once
from bulk_remove.errors import InputError, StorageError
from bulk_remove.language import phrase

_IN_MEMORY_BYTES = 1 << 17


class Spool:
    """A temporary file that no other user can open and that is gone with the process, however that ends."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - lives as long as the spool does
            _IN_MEMORY_BYTES, dir=None if folder is None else str(folder)
        )
        weakref.finalize(self, self._file.close)

    def fill(self, name: str, pieces: Iterable[bytes], most_bytes: int) -> int:
        """Write the pieces and return how many bytes they are."""
        size_bytes = 0
        for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > most_bytes:
                raise InputError(
                    "{name} holds more than {most_bytes:,} bytes, which is more than its size lets expect.",
                    "Check where it comes from; if it is what it should be, unpack it into a file and give that.",
                    name=name,
                    most_bytes=most_bytes,
                )
            try:
                self._file.write(piece)
            except OSError as error:
                raise _no_room(error) from None
        try:
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from None
        return size_bytes

    def opened(self) -> BinaryIO:
        """Return the content from its beginning; several readers can be at different places of it."""
        return cast("BinaryIO", io.BufferedReader(_View(self), 1 << 18))

    def read_into(self, buffer: memoryview, place: int) -> int:
        """Fill the buffer from a place in the content; return how many bytes there were."""
        self._file.seek(place)
        return self._file.readinto(buffer)

    def size_bytes(self) -> int:
        """Return the size of the content."""
        return self._file.seek(0, io.SEEK_END)


class _View(io.RawIOBase):
    """A reader with a place of its own: a duplicated descriptor would share the place with all others."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = self._spool.read_into(memoryview(buffer), self._place)
        self._place += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._spool.size_bytes()}[whence]
        self._place = max(0, origin + offset)
        return self._place


def _no_room(error: OSError) -> StorageError:
    return StorageError(
        "The input cannot be set aside in a temporary file: {problem}.",
        "Make room on that disk or name another with --state-dir, or unpack the input into a file and give that.",
        problem=error.strerror,
    )


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
    """What can be read only once or dearly, kept in a private temporary file."""

    spool: Spool
    fingerprint: Fingerprint
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """An input as it was given: `path` as the user wrote it."""

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
    """What is known of an input without parsing it."""

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
        raise InputError("{name} is empty.", "Check that the export that wrote it has ended well.", name=given.name)
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
        raise InputError("There is no file {path}.", "Check the name and the folder.", path=harmless(path)) from None
    except PermissionError:
        raise InputError(
            "{path} may not be read by this user.", "Change its permissions, or the user.", path=harmless(path)
        ) from None
    except IsADirectoryError:
        raise InputError("{path} is a folder.", _NAME_ONE, path=harmless(path)) from None
    except NotRegularError:
        raise InputError("{path} is not a regular file.", _NAME_ONE, path=harmless(path)) from None
    except OSError as error:
        raise InputError(
            "{path} cannot be opened: {problem}.",
            "Check the path and the disk.",
            path=harmless(path),
            problem=error.strerror,
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
            "{path} changed while it was read.",
            "Wait until it is written whole, then start again.",
            path=harmless(path),
        )


MOST_BYTES = 8 << 30  # More is not set aside: ten million rows of 800 bytes. An endless pipe must not fill the disk.
ALWAYS_BYTES = 64 << 20
MOST_TIMES = 200
"""How far an archive may expand: to 200 times its size, or to 64 MiB whatever its size.

Lists of numbers shrink to a tenth or a twentieth, and 200 leaves room for columns that repeat. Deflate reaches 1,032
and Zstandard has no limit: with these, a few kilobytes can be made to fill a disk.
"""
PACKED_KINDS = frozenset({".gz", ".zst", ".zip"})
_ZIP_START, _OLE_START = b"PK\x03\x04", bytes.fromhex("D0CF11E0A1B11AE1")  # .xlsx; MS-CFB, which is .xls's container
_ENCRYPTED = 1  # APPNOTE 4.4.4: bit 0 of a member's general purpose flags
_LISTED_MEMBERS = 10
_SHOWN_CHARACTERS = 60
_DAMAGE = (EOFError, OSError, RuntimeError, ValueError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What unpacking raises for archives that are cut short, damaged or packed in a way that Python does not know."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def take(path: str, kinds: Collection[str], spool_dir: Path | None, copy: SetAside | None = None) -> Given:
    """Return what was given, set aside if it was packed or piped in; `kinds` are the suffixes that can be read."""
    if path == STANDARD_INPUT:
        return _from_standard_input(spool_dir)
    kind = Path(path).suffix.lower()
    if kind in PACKED_KINDS:
        return _unpacked(path, kind, kinds, spool_dir, copy)
    return Given(path, _readable(path, kind, kinds), copy)


def set_aside(name: str, file: BinaryIO, spool_dir: Path | None) -> SetAside:
    """Copy an open file, called `name`, that others may change meanwhile, and take its SHA-256 on the way."""
    digest = hashlib.sha256()
    spool = Spool(spool_dir)
    spool.fill(name, _digested(_pieces(file), digest.update), MOST_BYTES)
    return SetAside(spool, fingerprint(file), digest.hexdigest())


def _digested(pieces: Iterator[bytes], update: Callable[[bytes], object]) -> Iterator[bytes]:
    for piece in pieces:
        update(piece)
        yield piece


def _unpacked(
    path: str, packed_kind: str, kinds: Collection[str], spool_dir: Path | None, copy: SetAside | None
) -> Given:
    with copy.spool.opened() if copy else opened(path) as file:
        before = copy.fingerprint if copy else fingerprint(file)
        sha256 = copy.sha256 if copy else _digest(file)
        file.seek(0)
        if not before.size_bytes:
            raise InputError(
                "{path} is empty.", "Check that the export that wrote it has ended well.", path=harmless(path)
            )
        bound = min(MOST_BYTES, max(ALWAYS_BYTES, MOST_TIMES * before.size_bytes))
        spool = Spool(spool_dir)
        with _damage_told(path), _content(path, packed_kind, file) as (inner_name, content):
            kind = _readable(path, Path(inner_name).suffix.lower(), kinds)
            spool.fill(path, _pieces(content), bound)
        if copy is None:
            check_unchanged(path, file, before)
    notes = (
        (phrase("The archive holds one file, '{name}'.", name=harmless(inner_name, _SHOWN_CHARACTERS)),)
        if packed_kind == ".zip"
        else ()
    )
    return Given(path, kind, SetAside(spool, before, sha256, notes))


@contextmanager
def _content(path: str, packed_kind: str, file: BinaryIO) -> Iterator[tuple[str, _Readable]]:
    """Open what is packed; yield its name, too."""
    inner_name = Path(path).stem
    if packed_kind == ".gz":
        with gzip.GzipFile(fileobj=file) as content:
            yield inner_name, content
    elif packed_kind == ".zst":
        with _zst(file) as unzst:
            yield inner_name, unzst
    else:
        with zipfile.ZipFile(file) as archive:
            member = _only_member(path, archive)
            with archive.open(member) as extracted:
                yield member.filename, extracted


@contextmanager
def _zst(file: BinaryIO) -> Iterator[_Readable]:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - only a .zst should pay for it
    else:
        from backports import zstd  # noqa: PLC0415 - only a .zst should pay for it
    try:
        with zstd.ZstdFile(file) as content:
            yield content
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from None


def _only_member(path: str, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    # What macOS puts beside a file is no file of the user's.
    members = [
        member for member in archive.infolist() if not member.is_dir() and not member.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        listed = ", ".join(f"'{harmless(member.filename, _SHOWN_CHARACTERS)}'" for member in members[:_LISTED_MEMBERS])
        more = (
            phrase(" and {count} more", count=len(members) - _LISTED_MEMBERS) if len(members) > _LISTED_MEMBERS else ""
        )
        raise InputError(
            "{path} does not hold exactly one file, but {listed}{more}."
            if members
            else "{path} does not hold exactly one file; it is empty.",
            "Unpack it, and give the file that is meant.",
            path=harmless(path),
            listed=listed,
            more=more,
        )
    if members[0].flag_bits & _ENCRYPTED:
        raise InputError(
            "{path} is protected with a password.", "Unpack it yourself, and give the file in it.", path=harmless(path)
        )
    return members[0]


@contextmanager
def _damage_told(path: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InputError(
            "{path} cannot be unpacked: it is damaged, cut short or not what its name says ({kind}).",
            "Copy or export it again, or unpack it yourself and give the file in it.",
            path=harmless(path),
            kind=type(error).__name__,
        ) from None


def _from_standard_input(spool_dir: Path | None) -> Given:
    name = Given(STANDARD_INPUT, "").name
    digest = hashlib.sha256()
    start = b""

    def watched(pieces: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal start
        for piece in pieces:
            digest.update(piece)
            start = (start + piece)[:8] if len(start) < len(_OLE_START) else start
            yield piece

    spool = Spool(spool_dir)
    try:
        size_bytes = spool.fill(name, watched(_pieces(sys.stdin.buffer)), MOST_BYTES)
    except (OSError, ValueError, AttributeError):  # a closed one, or none at all as under pythonw
        raise InputError("{name} cannot be read.", "Pipe the numbers in, or name a file.", name=name) from None
    kind = "" if start.startswith((_ZIP_START, _OLE_START)) else ".csv"
    aside = SetAside(spool, Fingerprint(0, 0, size_bytes, 0), digest.hexdigest())
    return Given(STANDARD_INPUT, kind, aside)


def _pieces(content: _Readable) -> Iterator[bytes]:
    while piece := content.read(READ_BYTES):
        yield piece


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(file):
        digest.update(piece)
    return digest.hexdigest()


def _readable(path: str, kind: str, kinds: Collection[str]) -> str:
    """Return the kind. Raises InputError when it is none that can be read."""
    if kind in kinds:
        return kind
    *others, last = sorted(kinds)
    raise InputError(
        "{path} is not of a kind that is read: these are {others} and {last}, alone or packed as .gz, .zst or .zip.",
        "Save it as one of them; in Excel, File > Save as > Excel workbook (.xlsx).",
        path=harmless(path),
        others=", ".join(others),
        last=last,
    )
