"""Another process reads a workbook: a damaged or hostile file costs a sentence, whatever it does to its reader.

Its memory and time are limited, it knows no password, and what it writes to standard error is shown to nobody.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import orjson

import bulk_remove
from bulk_remove.adapters.reader.cells import FRAME, Given, Wanted
from bulk_remove.adapters.reader.dialect import TITLE_ROWS
from bulk_remove.adapters.reader.table import SAMPLE_ROWS
from bulk_remove.errors import InputError
from bulk_remove.language import phrase, unpacked

_CHILD = """\
import sys
sys.path.append(sys.argv[1])
from bulk_remove.adapters.reader.workbook_child import main
main()
"""
"""Started with -P and not with -m, so that nothing is imported from the working folder: it may be a drop folder."""
_ALWAYS_BYTES, _MOST_BYTES, _BYTES_A_BYTE = 256 << 20, 4 << 30, 24
_ALWAYS_SECONDS, _SECONDS_A_MEBIBYTE = 30, 10
"""What reading may take. A million rows of four columns, 30 MB, take 180 MB of memory and 7 seconds."""
_COPIED_BYTES = 1 << 18
_AS_CSV = "Open it in the program that wrote it, and save the sheet with the numbers as CSV."


class WorkbookProcess:
    """A workbook in a process of its own, which ends with the block. All that is asked of it may raise InputError."""

    def __init__(self, path: str, kind: str, size_bytes: int) -> None:
        self._given = Given(
            path,
            kind,
            size_bytes,
            SAMPLE_ROWS + TITLE_ROWS,
            min(_MOST_BYTES, _ALWAYS_BYTES + _BYTES_A_BYTE * size_bytes),
            _ALWAYS_SECONDS + _SECONDS_A_MEBIBYTE * (size_bytes >> 20),
        )
        self._took_too_long = False

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very Python, with code of ours
                [sys.executable, "-P", "-c", _CHILD, str(Path(bulk_remove.__file__).parents[1])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith("BULK_REMOVE_")},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise InputError(
                phrase(
                    "{path} cannot be read: no process starts for it ({problem}).", path=self._path, problem=problem
                ),
                _AS_CSV,
            ) from None
        self._requests = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)
        self._watch = threading.Timer(self._given.most_seconds, self._stop_for_time)
        self._watch.daemon = True
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        self._process.kill()
        with suppress(BrokenPipeError):  # closing sends what is still buffered
            self._requests.close()
        self._answers.close()
        self._process.wait()

    @property
    def _path(self) -> str:
        return self._given.path

    def open(self, file: BinaryIO) -> list[tuple[str, bool]]:
        """Hand over the workbook and return the names of its sheets, and whether each is hidden."""
        self._send(orjson.dumps([*self._given]) + b"\n")
        while piece := file.read(_COPIED_BYTES):
            self._send(piece)
        return [(name, hidden) for name, hidden in self._answer()]

    def sample(self, sheet: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return the first rows that are not blank of a sheet, with their numbers, all as wide as the widest."""
        self._send(orjson.dumps({"sample": sheet}) + b"\n")
        return [(number, tuple(cells)) for number, cells in self._answer()]

    def read(self, wanted: Wanted) -> Iterator[bytes]:
        """Yield the blocks of rows as they come, each a frame for `blocks_in`; then `result` is there."""
        self._send(orjson.dumps(wanted._asdict()) + b"\n")
        while (frame := self._frame()).startswith(b"["):
            yield FRAME.pack(len(frame)) + frame
        self.result: dict[str, Any] = self._understood(frame)

    def _send(self, message: bytes) -> None:
        try:
            self._requests.write(message)
            self._requests.flush()
        except BrokenPipeError:
            self._answer()  # it may have said why it reads no more
            raise self._ended() from None

    def _answer(self) -> Any:
        return self._understood(self._frame())

    def _understood(self, frame: bytes) -> Any:
        answer = orjson.loads(frame)
        if isinstance(answer, dict) and "sentence" in answer:
            raise InputError(unpacked(answer["sentence"]), unpacked(answer["hint"]))
        return answer

    def _frame(self) -> bytes:
        head = self._answers.read(FRAME.size)
        if len(head) == FRAME.size:
            (size,) = FRAME.unpack(head)
            frame = self._answers.read(size)
            if len(frame) == size:
                return frame
        raise self._ended()

    def _stop_for_time(self) -> None:
        self._took_too_long = True
        self._process.kill()

    def _ended(self) -> InputError:
        """Return the error of a process that ended without an answer."""
        code = self._process.wait()
        if self._took_too_long:
            sentence = phrase(
                "{path} takes more than {seconds} seconds to read, which no list of numbers does.",
                path=self._path,
                seconds=self._given.most_seconds,
            )
        else:
            sentence = phrase(
                "{path} cannot be read: the process that reads it broke off ({code}).",
                path=self._path,
                code=code,
            )
        return InputError(sentence, _AS_CSV)
