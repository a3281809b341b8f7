"""Reads an input once before it is parsed: for its hash, its size, and whether it is UTF-8 text.

Packed inputs (.gz, .zst, .zip with one file) and pipes are first copied to a private temporary file without a name,
then read like files. Small ones stay in memory, so a folder of a thousand workbooks does not need a thousand open
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
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from bulk_remove.core.model import harmless
from bulk_remove.disk import NotRegularError
from bulk_remove.disk import opened as opened_once
from bulk_remove.errors import InputError, StorageError
from bulk_remove.language import phrase

_IN_MEMORY_BYTES = 1 << 17


class Spool:
    """A temporary file that no other user can open. It disappears with the process, however that ends."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - lives as long as the spool does
            _IN_MEMORY_BYTES, dir=None if folder is None else str(folder)
        )
        weakref.finalize(self, self._file.close)

    def fill(self, name: str, pieces: Iterable[bytes], most_bytes: int) -> int:
        """Write the pieces and return their total bytes; errors call the input `name`."""
        size_bytes = 0
        for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > most_bytes:
                raise InputError(
                    "{name} holds more than {most_bytes:,} bytes, too many for a file of its size.",
                    "Check where it comes from. If it is right, unpack it, and give the unpacked file.",
                    name=name,
                    most_bytes=most_bytes,
                )
            self._with_room(self._file.write, piece)
        self._with_room(self._file.flush)
        return size_bytes

    def _with_room(self, write: Callable[..., object], *piece: bytes) -> None:
        try:
            write(*piece)
        except OSError as error:
            raise StorageError(
                "The input cannot be copied to a temporary file: {problem}.",
                "Make room on that disk or name another with --state-dir, or unpack the input into a file and give "
                "that.",
                problem=error.strerror,
            ) from None

    def opened(self) -> BinaryIO:
        """Return the content from its beginning; several readers can be at different positions."""
        return cast("BinaryIO", io.BufferedReader(_View(self._file, self), 1 << 18))


class _View(io.RawIOBase):
    """A reader with its own position: duplicated descriptors would share one."""

    def __init__(self, file: Any, spool: Spool) -> None:
        self._file = file
        self._spool = spool  # closes the file after the last use
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._place)
        count = int(self._file.readinto(memoryview(buffer)))
        self._place += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset += self._file.seek(0, io.SEEK_END)
        self._place = max(0, offset + (self._place if whence == io.SEEK_CUR else 0))
        return self._place


READ_BYTES = 1 << 18
STANDARD_INPUT = "-"
PIPED = "(standard input)"  # its name in reports
_NO_SIGNS = bytes({*range(256)} - {*b",;\t|\r\n"})
_MOST_SHAPES = 1000
_LONGEST_SHAPE = 1 << 16
_NAME_ONE = "Name a file, or - to read what is piped in."
_ENDED_WELL = "Check that the export was finished."


class Fingerprint(NamedTuple):
    """Distinguishes a file from another one, and from itself after a change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """An input that can be read only once or slowly, kept unpacked in a private temporary file."""

    spool: Spool
    fingerprint: Fingerprint  # that of the given file; so is the SHA-256
    sha256: str
    notes: tuple[str, ...] = ()  # sentences for the operator


@dataclass(frozen=True, slots=True)
class Given:
    """An input as it was given."""

    path: str  # as the user wrote it
    kind: str  # the suffix of the content, small and with its dot; empty for a workbook without a name
    aside: SetAside | None  # None for a file that is read directly

    @property
    def file(self) -> str:
        """Its name in the ledger and the report."""
        return PIPED if self.path == STANDARD_INPUT else self.path

    @property
    def name(self) -> str:
        """Its name in messages."""
        return harmless(self.file)

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """Open the content for reading, from its beginning. Raises InputError if that fails."""
        return self.aside.spool.opened() if self.aside else opened(self.path)


@dataclass(frozen=True, slots=True)
class LookedOver(Given):
    """An input, and what is known about it before parsing."""

    fingerprint: Fingerprint
    sha256: str
    start: bytes  # its first bytes
    has_bom: bool  # whether it begins with UTF-8's byte order mark
    text_fault: str  # why it is not UTF-8 text, as the end of a sentence, else empty
    has_quotes: bool
    shapes: frozenset[bytes] | None  # the separators of each line, each shape once; None if there are too many
    ends_open: bool  # without a final line end

    def check_unchanged(self, file: BinaryIO) -> None:
        """Raise InputError if the open file changed since it was first read; a copy cannot change."""
        if self.aside is None:
            check_unchanged(self.path, file, self.fingerprint)


class _TextCheck:
    """Finds the first line that is not UTF-8 text, and the shapes of lines, while the file is read in pieces."""

    def __init__(self) -> None:
        self.fault = ""
        self.has_quotes = False
        self._lines = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._shapes: set[bytes] | None = set()
        self._rest = b""

    def add(self, piece: bytes) -> None:
        """Check the next piece; an empty one means the end."""
        if self._shapes is not None:
            *lines, self._rest = (self._rest + piece.translate(None, _NO_SIGNS)).split(b"\n")
            self._shapes.update(lines)
            if len(self._shapes) > _MOST_SHAPES or len(self._rest) > _LONGEST_SHAPE:
                self._shapes = None
        if self.fault:
            return
        self.has_quotes = self.has_quotes or b'"' in piece
        try:
            self._decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            self._found(phrase("is not UTF-8"), error.object[: error.start])
            return
        if (nul := piece.find(0)) >= 0:
            self._found(phrase("holds a NUL byte"), piece[:nul])
        self._lines += piece.count(b"\n")

    def _found(self, what: str, before: bytes) -> None:
        self.fault = phrase("{what} (line {line})", what=what, line=self._lines + before.count(10) + 1)

    @property
    def shapes(self) -> frozenset[bytes] | None:
        """The shapes of lines, None if there are too many; there is no line after a final line end."""
        return None if self._shapes is None else frozenset({*self._shapes, *filter(None, [self._rest])})


def look_over(given: Given) -> LookedOver:
    """Read the input once, for its hash and for bytes that are not text. Raises InputError if it cannot be read."""
    digest = hashlib.sha256()
    text = _TextCheck()
    start = end = b""
    with given.opened() as file:
        before = given.aside.fingerprint if given.aside else fingerprint(file)
        while piece := file.read(READ_BYTES):
            start = start or piece[:8]
            if given.aside is None:
                digest.update(piece)
            text.add(piece)
            end = piece.rstrip(b"\0")[-1:]
        text.add(b"")
    if not start:
        raise InputError("{name} is empty.", _ENDED_WELL, name=given.name)
    return LookedOver(
        given.path,
        given.kind,
        given.aside,
        before,
        given.aside.sha256 if given.aside else digest.hexdigest(),
        start,
        start.startswith(codecs.BOM_UTF8),
        text.fault,
        text.has_quotes,
        text.shapes,
        end not in {b"\n", b"\r"},
    )


_REFUSALS = (
    (FileNotFoundError, "There is no file {path}.", "Check the name and the folder."),
    (PermissionError, "{path} may not be read by this user.", "Change its permissions, or the user."),
    (IsADirectoryError, "{path} is a folder.", _NAME_ONE),
    (NotRegularError, "{path} is not a regular file.", _NAME_ONE),
    (OSError, "{path} cannot be opened: {problem}.", "Check the path and the disk."),
)


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Raises InputError if that fails."""
    try:
        file = opened_once(path, links=True)
    except OSError as error:
        sentence, hint = next(texts for kind, *texts in _REFUSALS if isinstance(error, kind))
        raise InputError(sentence, hint, path=harmless(path), problem=error.strerror) from None
    with file:
        yield file


def fingerprint(file: BinaryIO) -> Fingerprint:
    """Return the fingerprint of an open file."""
    found = os.fstat(file.fileno())
    return Fingerprint(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def check_unchanged(path: str, file: BinaryIO, before: Fingerprint) -> None:
    """Raise InputError if the open file is another one than before, or has changed."""
    if fingerprint(file) != before:
        raise InputError(
            "{path} changed while it was read.",
            "Wait until the file is complete, then start again.",
            path=harmless(path),
        )


MOST_BYTES = (
    8 << 30
)  # ten million rows of 800 bytes; larger inputs are refused, so an endless pipe cannot fill the disk
ALWAYS_BYTES = 64 << 20
MOST_TIMES = 200
"""The limit on an archive's expansion: 200 times its size, or 64 MiB whatever its size.

Lists of numbers shrink to a tenth or a twentieth, and 200 leaves room for columns that repeat. Deflate reaches
1,032 and Zstandard has no limit: with these, a few kilobytes can fill a disk.
"""
PACKED_KINDS = frozenset({".gz", ".zst", ".zip"})
_ZIP_START, _OLE_START = b"PK\x03\x04", bytes.fromhex("D0CF11E0A1B11AE1")  # .xlsx; MS-CFB, the container of .xls
_ENCRYPTED = 1  # APPNOTE 4.4.4: bit 0 of a member's general purpose flags
_LISTED_MEMBERS = 10
_SHOWN_CHARACTERS = 60
_DAMAGE = (EOFError, OSError, RuntimeError, ValueError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""Raised when an archive is cut short, damaged or packed with a method unknown to Python."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def take(path: str, kinds: Collection[str], spool_dir: Path | None, copy: SetAside | None = None) -> Given:
    """Return the input, copied if it was packed or piped in; a `copy` of the file is read instead of the file."""
    if path == STANDARD_INPUT:
        return _from_standard_input(spool_dir)
    kind = Path(path).suffix.lower()
    if kind in PACKED_KINDS:
        return _unpacked(path, kind, kinds, spool_dir, copy)
    return Given(path, _readable(path, kind, kinds), copy)


def set_aside(name: str, file: BinaryIO, spool_dir: Path | None) -> SetAside:
    """Copy an open file, called `name`, which others may change meanwhile, and compute its SHA-256 on the way."""
    digest = hashlib.sha256()
    spool = Spool(spool_dir)
    spool.fill(name, _pieces(file, digest.update), MOST_BYTES)
    return SetAside(spool, fingerprint(file), digest.hexdigest())


def _unpacked(
    path: str, packed_kind: str, kinds: Collection[str], spool_dir: Path | None, copy: SetAside | None
) -> Given:
    with copy.spool.opened() if copy else opened(path) as file:
        before = copy.fingerprint if copy else fingerprint(file)
        digest = hashlib.sha256()
        for _ in () if copy else _pieces(file, digest.update):
            pass
        file.seek(0)
        if not before.size_bytes:
            raise InputError("{path} is empty.", _ENDED_WELL, path=harmless(path))
        bound = min(MOST_BYTES, max(ALWAYS_BYTES, MOST_TIMES * before.size_bytes))
        spool = Spool(spool_dir)
        try:
            with _content(path, packed_kind, file) as (inner_name, content):
                kind = _readable(path, Path(inner_name).suffix.lower(), kinds)
                spool.fill(path, _pieces(content), bound)
        except _DAMAGE as error:
            raise InputError(
                "{path} cannot be unpacked: it is damaged, cut short or not what its name says ({kind}).",
                "Copy or export it again, or unpack it yourself and give the file in it.",
                path=harmless(path),
                kind=type(error).__name__,
            ) from None
        if copy is None:
            check_unchanged(path, file, before)
    shown = harmless(inner_name, _SHOWN_CHARACTERS)
    notes = (phrase("The archive holds one file, '{name}'.", name=shown),) if packed_kind == ".zip" else ()
    return Given(path, kind, SetAside(spool, before, copy.sha256 if copy else digest.hexdigest(), notes))


@contextmanager
def _content(path: str, packed_kind: str, file: BinaryIO) -> Iterator[tuple[str, _Readable]]:
    """Open the packed content; yield its name, too."""
    if packed_kind == ".gz":
        with gzip.GzipFile(fileobj=file) as content:
            yield Path(path).stem, content
    elif packed_kind == ".zst":
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - only a .zst should pay for it
        else:
            from backports import zstd  # noqa: PLC0415 - only a .zst should pay for it
        try:
            with zstd.ZstdFile(file) as unzst:
                yield Path(path).stem, unzst
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from None
    else:
        with zipfile.ZipFile(file) as archive:
            member = _only_member(path, archive)
            with archive.open(member) as extracted:
                yield member.filename, extracted


def _only_member(path: str, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [member for member in archive.infolist() if not member.is_dir()]
    members = [member for member in files if not member.filename.startswith("__MACOSX/")]  # macOS's, not the user's
    if len(members) != 1:
        left = len(members) - _LISTED_MEMBERS
        raise InputError(
            "{path} does not hold exactly one file, but {listed}{more}."
            if members
            else "{path} does not hold exactly one file; it is empty.",
            "Unpack it, and give the file that is meant.",
            path=harmless(path),
            listed=", ".join(f"'{harmless(each.filename, _SHOWN_CHARACTERS)}'" for each in members[:_LISTED_MEMBERS]),
            more=phrase(" and {count} more", count=left) if left > 0 else "",
        )
    if members[0].flag_bits & _ENCRYPTED:
        raise InputError(
            "{path} is protected with a password.",
            "Unpack it yourself, and give the file in it.",
            path=harmless(path),
        )
    return members[0]


def _from_standard_input(spool_dir: Path | None) -> Given:
    name = Given(STANDARD_INPUT, "", None).name
    digest = hashlib.sha256()
    spool = Spool(spool_dir)
    try:
        size_bytes = spool.fill(name, _pieces(sys.stdin.buffer, digest.update), MOST_BYTES)
    except (OSError, ValueError, AttributeError):  # closed, or missing as under pythonw
        raise InputError("{name} cannot be read.", "Pipe the numbers in, or name a file.", name=name) from None
    kind = "" if spool.opened().read(8).startswith((_ZIP_START, _OLE_START)) else ".csv"
    return Given(STANDARD_INPUT, kind, SetAside(spool, Fingerprint(0, 0, size_bytes, 0), digest.hexdigest()))


def _pieces(content: _Readable, update: Callable[[bytes], object] = len) -> Iterator[bytes]:
    """Yield the content in pieces; each goes to `update` first."""
    while piece := content.read(READ_BYTES):
        update(piece)
        yield piece


def _readable(path: str, kind: str, kinds: Collection[str]) -> str:
    """Return the kind. Raises InputError if it cannot be read."""
    if kind in kinds:
        return kind
    *others, last = sorted(kinds)
    raise InputError(
        "{path} is not a kind of file that can be read. These are {others} and {last}, also packed as "
        ".gz, .zst or .zip.",
        "Save it as one of them; in Excel, File > Save as > Excel workbook (.xlsx).",
        path=harmless(path),
        others=", ".join(others),
        last=last,
    )
