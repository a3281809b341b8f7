"""Inputs that come packed (.gz, .zst, .zip with one file) or through a pipe: set aside once, then read like files."""

import gzip
import hashlib
import lzma
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from bulk_remove.adapters.reader.files import (
    READ_BYTES,
    STANDARD_INPUT,
    Fingerprint,
    Given,
    SetAside,
    check_unchanged,
    fingerprint,
    opened,
)
from bulk_remove.adapters.reader.spool import Spool
from bulk_remove.core.model import harmless
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

MOST_BYTES = 8 << 30
"""More is not set aside: ten million rows of 800 bytes. An endless pipe must not fill the disk."""
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
    """Return what was given, set aside if it was packed or piped in; `kinds` are the suffixes that can be read.

    A `copy` of the file is read instead of it. Raises InputError for another kind and for what cannot be unpacked,
    StorageError when there is no room for it.
    """
    if path == STANDARD_INPUT:
        return _from_standard_input(spool_dir)
    kind = Path(path).suffix.lower()
    if kind in PACKED_KINDS:
        return _unpacked(path, kind, kinds, spool_dir, copy)
    return Given(path, _readable(path, kind, kinds), copy)


def set_aside(name: str, file: BinaryIO, spool_dir: Path | None) -> SetAside:
    """Copy an open file, called `name`, that others may change meanwhile, and take its SHA-256 on the way.

    Raises InputError when it has no end, StorageError when there is no room for it.
    """
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
                phrase("{path} is empty.", path=harmless(path)), "Check that the export that wrote it has ended well."
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
            phrase(
                "{path} does not hold exactly one file, but {listed}{more}."
                if members
                else "{path} does not hold exactly one file; it is empty.",
                path=harmless(path),
                listed=listed,
                more=more,
            ),
            "Unpack it, and give the file that is meant.",
        )
    if members[0].flag_bits & _ENCRYPTED:
        raise InputError(
            phrase("{path} is protected with a password.", path=harmless(path)),
            "Unpack it yourself, and give the file in it.",
        )
    return members[0]


@contextmanager
def _damage_told(path: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InputError(
            phrase(
                "{path} cannot be unpacked: it is damaged, cut short or not what its name says ({kind}).",
                path=harmless(path),
                kind=type(error).__name__,
            ),
            "Copy or export it again, or unpack it yourself and give the file in it.",
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
        raise InputError(phrase("{name} cannot be read.", name=name), "Pipe the numbers in, or name a file.") from None
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
        phrase(
            "{path} is not of a kind that is read: these are {others} and {last}, alone or packed as "
            ".gz, .zst or .zip.",
            path=harmless(path),
            others=", ".join(others),
            last=last,
        ),
        "Save it as one of them; in Excel, File > Save as > Excel workbook (.xlsx).",
    )
