"""Microsoft's compound file, the container of .xls and of anything with a password: its streams, checked for wholeness.

[MS-CFB]: a small file system. A file allocation table says which sector follows which; small streams lie in a stream
of their own, in sectors of 64 bytes. Only what .xls needs is here.
"""

import struct
from collections.abc import Iterator, Sequence

from bulk_remove.adapters.reader.damage import damaged

OLE_START = bytes.fromhex("D0CF11E0A1B11AE1")
_HEADER_BYTES = 512
_LAST_REGULAR = 0xFFFFFFFA  # above it are marks: free, end of chain, of the table itself
_END_OF_CHAIN = 0xFFFFFFFE
_ENTRY_BYTES = 128
_STREAM, _ROOT = 2, 5
_SECTOR_SHIFTS = {9, 12}
_MINI_SHIFT = 6


class CompoundFile:
    """The streams of a compound file by name. Every method raises InputError when the file is not whole."""

    def __init__(self, path: str, content: bytes) -> None:
        self._path = path
        self._content = content
        if len(content) < _HEADER_BYTES:
            raise damaged(path)
        (self._shift,) = struct.unpack_from("<H", content, 30)
        if self._shift not in _SECTOR_SHIFTS:
            raise damaged(path)
        first_directory, _, self._cutoff, first_mini, _, first_more = struct.unpack_from("<6I", content, 48)
        self._table = self._allocation(first_more)
        self._mini_table = _numbers(self._chain(first_mini)) if first_mini <= _LAST_REGULAR else ()
        self._entries = dict(self._directory(first_directory))
        self._mini_stream: bytes | None = None

    def names(self) -> list[str]:
        """Return the names of the streams."""
        return [name for name, (kind, _, _) in self._entries.items() if kind == _STREAM]

    def stream(self, *names: str) -> bytes:
        """Return the content of the first of these streams that there is."""
        for name in names:
            if name in self._entries and self._entries[name][0] == _STREAM:
                return self._read(*self._entries[name][1:])
        raise damaged(self._path)

    def _read(self, first: int, size: int) -> bytes:
        if size >= self._cutoff:
            content = self._chain(first, size)
        else:
            if self._mini_stream is None:
                root = next((entry for entry in self._entries.values() if entry[0] == _ROOT), None)
                self._mini_stream = self._chain(root[1], root[2]) if root else b""
            content = self._mini_chain(first, size, self._mini_stream)
        if len(content) < size:
            raise damaged(self._path)
        return content[:size]

    def _allocation(self, first_more: int) -> Sequence[int]:
        sectors = [sector for sector in struct.unpack_from("<109I", self._content, 76) if sector <= _LAST_REGULAR]
        following = first_more
        for _ in range(len(self._content) >> self._shift):
            if following > _LAST_REGULAR:
                break
            *more, following = _numbers(self._sector(following))
            sectors += [sector for sector in more if sector <= _LAST_REGULAR]
        if len(sectors) > len(self._content) >> self._shift:
            raise damaged(self._path)
        return _numbers(b"".join(map(self._sector, sectors)))

    def _sector(self, number: int) -> bytes:
        at = (number + 1) << self._shift
        sector = self._content[at : at + (1 << self._shift)]
        if len(sector) < 1 << self._shift:
            raise damaged(self._path)
        return sector

    def _places(self, first: int, table: Sequence[int]) -> Iterator[int]:
        number, left = first, len(table)
        while number <= _LAST_REGULAR:
            if number >= len(table) or not left:  # beyond the table, or round in a circle
                raise damaged(self._path)
            yield number
            number, left = table[number], left - 1
        if number != _END_OF_CHAIN:
            raise damaged(self._path)

    def _chain(self, first: int, size: int | None = None) -> bytes:
        content = b"".join(map(self._sector, self._places(first, self._table)))
        return content if size is None else content[:size]

    def _mini_chain(self, first: int, size: int, stream: bytes) -> bytes:
        places = self._places(first, self._mini_table) if size else iter(())
        return b"".join(stream[place << _MINI_SHIFT : (place + 1) << _MINI_SHIFT] for place in places)

    def _directory(self, first: int) -> Iterator[tuple[str, tuple[int, int, int]]]:
        content = self._chain(first)
        for at in range(0, len(content) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            length, kind = struct.unpack_from("<HB", content, at + 64)
            start, size = struct.unpack_from("<II", content, at + 116)
            name = content[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            if kind in {_STREAM, _ROOT}:
                yield name, (kind, start, size)


def _numbers(sector: bytes) -> Sequence[int]:
    return struct.unpack(f"<{len(sector) // 4}I", sector[: len(sector) // 4 * 4])
