"""Where all text leaves the program: a stream that may be closed, full or of few letters without anybody noticing."""

import io
import os
from contextlib import suppress
from typing import IO, cast


class Outlet(io.TextIOBase):
    """A standard stream that never fails: once it takes no more, what is printed is lost, and the run goes on.

    A character that the stream's encoding lacks becomes a question mark. `stream` is None where the process was
    started without it.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the standard library's own streams make it a property too
        """The stream's encoding: what is drawn depends on it."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def _open(self) -> IO[str] | None:
        return None if self._stream is None or self._stream.closed else self._stream

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._open is not None and self._open.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor. Raises OSError where it has none."""
        if self._open is None:
            raise io.UnsupportedOperation
        return self._open.fileno()

    def write(self, text: str) -> int:
        """Write as much as the stream takes; returns the length of the text."""
        if (stream := self._open) is not None:
            try:
                stream.write(text)
            except OSError:
                self._give_up(stream)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        if (stream := self._open) is not None:
            try:
                stream.flush()
            except OSError:
                self._give_up(stream)

    def _give_up(self, stream: IO[str]) -> None:
        """Write nothing more, and let what the stream still holds go nowhere.

        Python flushes it once more at the end, and exits with 120 where that fails.
        """
        self._stream = None
        with suppress(OSError):  # a stream without a descriptor holds nothing back
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def outlet(stream: IO[str] | None) -> IO[str]:
    """Return an Outlet as Rich wants it, which asks for less of a file than its annotation does."""
    return cast("IO[str]", Outlet(stream))
