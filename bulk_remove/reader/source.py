"""Finds the files that the command line names, and reads each once before it is parsed.

A name may be a file, a folder, a pattern or standard input. The suffix of a file gives its kind. The first reading is
for its hash, its size, and whether it is UTF-8 text. Packed inputs (.gz, .zst, .zip with one file) and pipes are first
copied to a private temporary file without a name, then read like files. Small ones stay in memory, so a folder of a
thousand workbooks does not need a thousand open files.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from bulk_remove.core.model import harmless
from bulk_remove.core.summary import FilePlace
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

    file: str  # its name in the ledger and the report: as the user wrote it, or PIPED
    kind: str  # the suffix of the content, small and with its dot; empty for a workbook without a name
    aside: SetAside | None  # None for a file that is read directly

    @property
    def name(self) -> str:
        """Its name in messages."""
        return harmless(self.file)

    def opened(self) -> BinaryIO:
        """Open the content for reading, from its beginning. Raises InputError if that fails."""
        if self.aside:
            return self.aside.spool.opened()
        try:
            return opened_once(self.file, links=True)
        except OSError as error:
            sentence, hint = next(texts for kind, *texts in _REFUSALS if isinstance(error, kind))
            raise InputError(sentence, hint, path=self.name, problem=error.strerror) from None


@dataclass(frozen=True, slots=True)
class LookedOver(Given):
    """An input, and what is known about it before parsing."""

    fingerprint: Fingerprint
    sha256: str
    start: bytes  # its first bytes
    has_bom: bool  # whether it begins with UTF-8's byte order mark
    text_fault: str  # why it is not UTF-8 text, as the end of a sentence, else empty
    has_quotes: bool
    shapes: set[bytes] | None  # the separators of each line, each shape once; None if there are too many
    ends_open: bool  # without a final line end

    def check_unchanged(self, file: BinaryIO) -> None:
        """Raise InputError if the open file changed since it was first read; a copy cannot change."""
        if self.aside is None and fingerprint(file) != self.fingerprint:
            raise _changed(self.name)


class _TextCheck:
    """Finds the first line that is not UTF-8 text, and the shapes of lines, while the file is read in pieces."""

    def __init__(self) -> None:
        self.fault = ""
        self.has_quotes = False
        self._lines = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.shapes: set[bytes] | None = set()  # None if there are too many
        self._rest = b""

    def add(self, piece: bytes) -> None:
        """Check the next piece; an empty one means the end."""
        if self.shapes is not None:
            *lines, self._rest = (self._rest + piece.translate(None, _NO_SIGNS)).split(b"\n")
            self.shapes.update(lines if piece else filter(None, [self._rest]))  # no line after a final line end
            if len(self.shapes) > _MOST_SHAPES or len(self._rest) > _LONGEST_SHAPE:
                self.shapes = None
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
        given.file,
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


def fingerprint(file: BinaryIO) -> Fingerprint:
    """Return the fingerprint of an open file."""
    found = os.fstat(file.fileno())
    return Fingerprint(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _changed(name: str) -> InputError:
    hint = "Wait until the file is complete, then start again."
    return InputError("{path} changed while it was read.", hint, path=name)


MOST_BYTES = 8 << 30  # ten million rows of 800 bytes; an endless pipe cannot fill the disk
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


_Read = Callable[[int], bytes]


def take(path: str, spool_dir: Path | None, copy: SetAside | None = None) -> Given:
    """Return the input, copied if it was packed or piped in; a `copy` of the file is read instead of the file."""
    if path == STANDARD_INPUT:
        return _from_standard_input(spool_dir)
    given = Given(path, Path(path).suffix.lower(), copy)
    if given.kind in PACKED_KINDS:
        return _unpacked(given, spool_dir)
    if given.kind not in READABLE_KINDS:
        raise _not_readable(given)
    return given


def set_aside(name: str, file: BinaryIO, spool_dir: Path | None) -> SetAside:
    """Copy an open file, called `name`, which others may change meanwhile, and compute its SHA-256 on the way."""
    digest = hashlib.sha256()
    spool = Spool(spool_dir)
    spool.fill(name, _pieces(file.read, digest.update), MOST_BYTES)
    return SetAside(spool, fingerprint(file), digest.hexdigest())


def _unpacked(given: Given, spool_dir: Path | None) -> Given:
    copy = given.aside
    with given.opened() as file:
        before = copy.fingerprint if copy else fingerprint(file)
        digest = hashlib.sha256()
        for _ in () if copy else _pieces(file.read, digest.update):
            pass
        file.seek(0)
        if not before.size_bytes:
            raise InputError("{path} is empty.", _ENDED_WELL, path=given.name)
        bound = min(MOST_BYTES, max(ALWAYS_BYTES, MOST_TIMES * before.size_bytes))
        spool = Spool(spool_dir)
        try:
            with _content(given, file) as (inner_name, read):
                inner = Given(given.file, Path(inner_name).suffix.lower(), None)
                if inner.kind not in READABLE_KINDS:
                    raise _not_readable(inner)
                spool.fill(given.name, _pieces(read), bound)
        except _DAMAGE as error:
            raise InputError(
                "{path} cannot be unpacked: it is damaged, cut short or not what its name says ({kind}).",
                "Copy or export it again, or unpack it yourself and give the file in it.",
                path=given.name,
                kind=type(error).__name__,
            ) from None
        if copy is None and fingerprint(file) != before:
            raise _changed(given.name)
    shown = harmless(inner_name, _SHOWN_CHARACTERS)
    notes = (phrase("The archive holds one file, '{name}'.", name=shown),) if given.kind == ".zip" else ()
    aside = SetAside(spool, before, copy.sha256 if copy else digest.hexdigest(), notes)
    return Given(inner.file, inner.kind, aside)


@contextmanager
def _content(given: Given, file: BinaryIO) -> Iterator[tuple[str, _Read]]:
    """Open the packed content; yield its name and the function that reads it."""
    if given.kind == ".gz":
        with gzip.GzipFile(fileobj=file) as content:
            yield Path(given.file).stem, content.read
    elif given.kind == ".zst":
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - only a .zst should pay for it
        else:
            from backports import zstd  # noqa: PLC0415 - only a .zst should pay for it
        try:
            with zstd.ZstdFile(file) as unzst:
                yield Path(given.file).stem, unzst.read
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from None
    else:
        with zipfile.ZipFile(file) as archive:
            member = _only_member(given.name, archive)
            with archive.open(member) as extracted:
                yield member.filename, extracted.read


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
            path=path,
            listed=", ".join(f"'{harmless(each.filename, _SHOWN_CHARACTERS)}'" for each in members[:_LISTED_MEMBERS]),
            more=phrase(" and {count} more", count=left) if left > 0 else "",
        )
    if members[0].flag_bits & _ENCRYPTED:
        hint = "Unpack it yourself, and give the file in it."
        raise InputError("{path} is protected with a password.", hint, path=path)
    return members[0]


def _from_standard_input(spool_dir: Path | None) -> Given:
    digest = hashlib.sha256()
    spool = Spool(spool_dir)
    try:
        size_bytes = spool.fill(PIPED, _pieces(sys.stdin.buffer.read, digest.update), MOST_BYTES)
    except (OSError, ValueError, AttributeError):  # closed, or missing as under pythonw
        raise InputError("{name} cannot be read.", "Pipe the numbers in, or name a file.", name=PIPED) from None
    kind = "" if spool.opened().read(8).startswith((_ZIP_START, _OLE_START)) else ".csv"
    return Given(PIPED, kind, SetAside(spool, Fingerprint(0, 0, size_bytes, 0), digest.hexdigest()))


def _pieces(read: _Read, update: Callable[[bytes], object] = len) -> Iterator[bytes]:
    """Yield the content in pieces; each goes to `update` first."""
    while piece := read(READ_BYTES):
        update(piece)
        yield piece


def _not_readable(given: Given) -> InputError:
    *others, last = sorted(READABLE_KINDS)
    return InputError(
        "{path} is not a kind of file that can be read. These are {others} and {last}, also packed as "
        ".gz, .zst or .zip.",
        "Save it as one of them; in Excel, File > Save as > Excel workbook (.xlsx).",
        path=given.name,
        others=", ".join(others),
        last=last,
    )


TEXT_KINDS = frozenset({".csv", ".tsv", ".txt"})
WORKBOOK_KINDS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
READABLE_KINDS = TEXT_KINDS | WORKBOOK_KINDS
_OF_NIGHTS = frozenset({FilePlace.DONE.value, FilePlace.FAILED.value})
_BESIDE_REPORTS = (".summary.json", ".note.txt")


class Places(NamedTuple):
    """The files to read in order, sentences about those left out, and the files that came from a folder or pattern."""

    files: tuple[str, ...]
    notes: tuple[str, ...]
    found: frozenset[str] = frozenset()


def find_files(names: Sequence[str]) -> Places:
    """Return the files that these names mean."""
    files: dict[Path | str, str] = {}
    notes: list[str] = []
    found: set[str] = set()
    for name in names:
        if len(names) > 1 and Path(name).name in _OF_NIGHTS and Path(name).is_dir():
            notes.append(_left_out(Path(name)))
            continue
        path = Path(name)
        one = name == STANDARD_INPUT or path.is_file() or not (path.is_dir() or has_magic(name))
        meant = [name] if one else _several(name, notes)
        found.update(meant if meant != [name] else [])
        for file in meant:
            identity = file if file == STANDARD_INPUT else Path(file).resolve()
            if identity in files:
                notes.append(phrase("{file} is named twice; it is read once.", file=harmless(file)))
            files.setdefault(identity, file)
    return Places(tuple(files.values()), tuple(notes), frozenset(found))


def nothing_to_read(name: str) -> InputError:
    """Return the error for a folder, a pattern or names without any readable file."""
    return InputError(
        "{name} holds no file that can be read." if Path(name).is_dir() else "{name} matches no file that can be read.",
        "Give a file of one of these kinds, also packed: {kinds}.",
        name=harmless(name),
        kinds=", ".join(sorted(READABLE_KINDS)),
    )


def _several(name: str, notes: list[str]) -> list[str]:
    if Path(name).is_dir():
        notes += [_left_out(Path(name) / place) for place in sorted(_OF_NIGHTS) if (Path(name) / place).is_dir()]
        found = [path for path in sorted(Path(name).iterdir()) if path.is_file() and is_readable(path)]
    else:
        # Not Path.glob: it accepts no pattern from the root of the disk.
        matches = [Path(path) for path in sorted(glob(name, recursive=True))]  # noqa: PTH207 - as said
        # Files in `done` or `failed`, unless the pattern names these folders.
        put_away = _OF_NIGHTS - {part.lower() for part in Path(name).parts}
        done = {path: folder for path in matches for folder in path.parents if folder.name in put_away}
        notes += [_left_out(folder) for folder in dict.fromkeys(done.values())]
        found = [path for path in matches if path.is_file() and path not in done]
    page = [path for path in found if path.suffix == ".html" and path.with_suffix(".summary.json").is_file()]
    beside = [path for path in found if path.name.endswith(_BESIDE_REPORTS) or path in page]
    told = "{file} was written beside a report of this tool; it is left out."
    notes += [phrase(told, file=harmless(str(path))) for path in beside]
    if len(beside) == len(found):
        raise nothing_to_read(name)
    return [str(path) for path in found if path not in beside]


def _left_out(folder: Path) -> str:
    return phrase(
        "{folder} is left out: inbox puts files there when it is done with them. To read it, give only this folder.",
        folder=harmless(str(folder)),
    )


def is_readable(path: Path) -> bool:
    """Whether a file's name has a readable kind."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if path.name.startswith((".", "~$")) or not suffixes:  # hidden, or Excel's mark for an open workbook
        return False
    if suffixes[-1] in PACKED_KINDS:
        return suffixes[-1] == ".zip" or (suffixes[-2:-1] != [] and suffixes[-2] in READABLE_KINDS)
    return suffixes[-1] in READABLE_KINDS
