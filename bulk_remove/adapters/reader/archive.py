"""A workbook that is a zip archive, inflated once with a bound and its checksums compared before calamine sees it.

calamine stops at the end of a sheet's rows and so never compares the checksum: a flipped bit could change a number.
And what its directory says of a size binds nobody: a few kilobytes can inflate to what no memory holds.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from bulk_remove.adapters.reader.damage import damaged, protected, too_large
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

MOST_BYTES = 2 << 30
"""What all parts may inflate to. A million rows of 4 columns take 0.2 GiB; Excel's most rows with 40 columns, 2 GiB."""
ALWAYS_BYTES = 64 << 20
MOST_TIMES = 200
"""How far it may expand: to 200 times its size, or to 64 MiB. A list of numbers shrinks to a tenth, blank cells with
a style to a fiftieth; deflate reaches 1,032."""
_MOST_PARTS = 10_000
_READ_BYTES = 1 << 15
_INFLATED_BYTES = 1 << 18  # what fits into the cache of a processor is searched a fifth faster than a megabyte
_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")  # APPNOTE 4.3.7
_END = b"PK\x05\x06"
_MOST_DIRECTORY_BYTES = 16 << 20
_ENCRYPTED = 1  # APPNOTE 4.4.4: bit 0 of the flags
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class Archive:
    """The parts of a zip archive. Raises InputError when its directory is damaged, doubtful or promises too much."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        try:
            with zipfile.ZipFile(file) as archive:
                self.parts = archive.infolist()
                directory = archive.start_dir
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
            raise damaged(path) from None
        self._size = file.seek(0, 2)
        self._bound = min(MOST_BYTES, max(ALWAYS_BYTES, MOST_TIMES * self._size))
        self._check_directory(directory)

    def _check_directory(self, start: int) -> None:
        names = set(map(part_name, self.parts))
        if min([start, *(part.header_offset for part in self.parts)]) < 0:
            raise damaged(self._path)
        if len(names) < len(self.parts) or self._ends_twice(start):  # which one would calamine read?
            raise damaged(self._path)
        if len(self.parts) > _MOST_PARTS or sum(part.file_size for part in self.parts) > self._bound:
            raise self._too_large()
        if any(part.flag_bits & _ENCRYPTED for part in self.parts):
            raise protected(self._path)

    def _ends_twice(self, directory: int) -> bool:
        self._file.seek(directory)
        return self._file.read(_MOST_DIRECTORY_BYTES).count(_END) != 1

    def _too_large(self) -> InputError:
        return too_large(
            self._path,
            phrase("would expand to more than {size} MB, which no list of numbers does", size=self._bound >> 20),
        )

    def pieces(self, part: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield a part's content in pieces. Raises InputError when it is not what was promised."""
        total = crc = 0
        for piece in self._inflated(part):
            total += len(piece)
            if total > part.file_size:
                raise damaged(self._path)
            crc = zlib.crc32(piece, crc)
            yield piece
        if total != part.file_size or crc != part.CRC:
            raise damaged(self._path)

    def content(self, name: str, most_bytes: int) -> bytes:
        """Return a part's whole content, nothing when there is no such part or it is larger than that."""
        part = next((part for part in self.parts if part_name(part) == name), None)
        return b"".join(self.pieces(part)) if part and part.file_size <= most_bytes else b""

    def _inflated(self, part: zipfile.ZipInfo) -> Iterator[bytes]:
        packed = self._packed(part)
        if part.compress_type == zipfile.ZIP_STORED:
            yield from packed
            return
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in packed:
                left = piece
                while left or inflate.unconsumed_tail:
                    yield inflate.decompress(left, _INFLATED_BYTES)
                    left = inflate.unconsumed_tail
            while rest := inflate.decompress(b"", _INFLATED_BYTES):
                yield rest
        except zlib.error:
            raise damaged(self._path) from None
        if not inflate.eof or inflate.unused_data:
            raise damaged(self._path)

    def _packed(self, part: zipfile.ZipInfo) -> Iterator[bytes]:
        self._file.seek(part.header_offset)
        header = self._file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or part.compress_type not in _METHODS:
            raise damaged(self._path)
        start, _, _, method, *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        name = self._file.read(name_bytes)
        if start != b"PK\x03\x04" or method != part.compress_type or not _same_name(name, part):
            raise damaged(self._path)
        at = part.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        left = part.compress_size
        while left:
            self._file.seek(at)  # another part may have been read in between
            piece = self._file.read(min(left, _READ_BYTES))
            if not piece:
                raise damaged(self._path)
            at += len(piece)
            left -= len(piece)
            yield piece


def part_name(part: zipfile.ZipInfo) -> str:
    """Return a part's name as calamine compares it: in small letters, with slashes for backslashes."""
    return part.filename.replace("\\", "/").casefold()


def _same_name(local: bytes, part: zipfile.ZipInfo) -> bool:
    encoding = "utf-8" if part.flag_bits & 0x800 else "cp437"  # APPNOTE 4.4.4: bit 11
    return local.decode(encoding, "replace") == part.orig_filename
