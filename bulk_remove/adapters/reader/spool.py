"""Where what can be read only once, or only dearly, is set aside: a private temporary file without a name.

What is small stays in memory, so that a folder with a thousand small workbooks does not need a thousand open files.
"""

import io
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

from bulk_remove.errors import InputError, StorageError
from bulk_remove.language import phrase

_IN_MEMORY_BYTES = 1 << 17


class Spool:
    """A temporary file that no other user can open and that is gone with the process, however that ends.

    It is filled once and then read as often as needed. `folder` is where it lies, None for the platform's place.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - lives as long as the spool does
            _IN_MEMORY_BYTES, dir=None if folder is None else str(folder)
        )
        weakref.finalize(self, self._file.close)

    def fill(self, name: str, pieces: Iterable[bytes], most_bytes: int) -> int:
        """Write the pieces and return how many bytes they are.

        Raises InputError, before it is written, when more than `most_bytes` come out of the input called `name`;
        StorageError when the disk has no room.
        """
        size_bytes = 0
        for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > most_bytes:
                raise InputError(
                    phrase(
                        "{name} holds more than {most_bytes:,} bytes, which is more than its size lets expect.",
                        name=name,
                        most_bytes=most_bytes,
                    ),
                    "Check where it comes from; if it is what it should be, unpack it into a file and give that.",
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
        phrase("The input cannot be set aside in a temporary file: {problem}.", problem=error.strerror),
        "Make room on that disk or name another with --state-dir, or unpack the input into a file and give that.",
    )
