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

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor. Raises OSError where it has none."""
        if self._stream is None:
            raise io.UnsupportedOperation
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write as much as the stream takes; returns the length of the text."""
        if self._stream is not None:
            try:
                self._stream.write(text)
            except OSError:
                self._give_up(self._stream)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        if self._stream is not None:
            try:
                self._stream.flush()
            except OSError:
                self._give_up(self._stream)

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
