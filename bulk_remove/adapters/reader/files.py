"""A file is looked over once before it is parsed: its hash, its size, and whether it is text."""

import codecs
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulk_remove.errors import InputError

_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells a file from another one, or from itself after a change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class LookedOver:
    """What is known of a file without parsing it.

    `text_fault` says why it is not UTF-8 text, as the end of a sentence, or is empty. `has_quotes` and `has_bom` are
    those of a text file.
    """

    fingerprint: Fingerprint
    sha256: str
    start: bytes
    text_fault: str
    has_quotes: bool

    @property
    def has_bom(self) -> bool:
        """Whether it begins with UTF-8's byte order mark."""
        return self.start.startswith(codecs.BOM_UTF8)


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
            self._found("is not UTF-8", error.object[: error.start])
            return
        if (nul := piece.find(0)) >= 0:
            self._found("holds a NUL byte", piece[:nul])
        self._lines += piece.count(b"\n")

    def _found(self, what: str, before: bytes) -> None:
        self.fault = f"{what} (line {self._lines + before.count(10) + 1})"


def look_over(path: str) -> LookedOver:
    """Read the file once, for its hash and for what is not text. Raises InputError when it cannot be read."""
    digest = hashlib.sha256()
    text = _TextCheck()
    start = b""
    with opened(path) as file:
        before = fingerprint(file)
        while piece := file.read(_READ_BYTES):
            start = start or piece[:8]
            digest.update(piece)
            text.add(piece, last=False)
        text.add(b"", last=True)
    if not before.size_bytes:
        raise InputError(f"{path} is empty.", "Check that the export that wrote it has ended well.")
    return LookedOver(before, digest.hexdigest(), start, text.fault, text.has_quotes)


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Raises InputError when that cannot be."""
    try:
        # Asked before it is opened, because opening a pipe waits for someone to write to it.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            kind = "a folder" if Path(path).is_dir() else "not a regular file"
            raise InputError(f"{path} is {kind}.", "Name a file; it is read more than once, so a pipe will not do.")
        file = Path(path).open("rb")  # noqa: SIM115 - closed below; its errors are told apart from those of reading
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", "Check the name and the folder.") from None
    except PermissionError:
        raise InputError(f"{path} may not be read by this user.", "Change its permissions, or the user.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}.", "Check the path and the disk.") from None
    with file:
        yield file


def fingerprint(file: BinaryIO) -> Fingerprint:
    """Return the fingerprint of an open file."""
    found = os.fstat(file.fileno())
    return Fingerprint(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def check_unchanged(path: str, file: BinaryIO, before: Fingerprint) -> None:
    """Raise InputError when the open file is not, or no longer, the one that was looked over."""
    if fingerprint(file) != before:
        raise InputError(f"{path} changed while it was read.", "Wait until it is written whole, then start again.")
