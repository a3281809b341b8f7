"""Workbooks read in the process of the test: a hundred damaged files must not cost a hundred processes."""

from collections.abc import Iterator  # noqa: TC003 - in an annotation
from io import BytesIO
from typing import Any

import orjson
import pytest

from bulk_remove.reader.cells import GivenWorkbook
from bulk_remove.reader.workbook_child import answers


class _Requests(BytesIO):
    """What was written and not read yet."""

    def __init__(self) -> None:
        super().__init__()
        self._read = 0

    def write(self, text: Any) -> int:
        self.seek(0, 2)
        return super().write(text)

    def readline(self, size: int | None = -1, /) -> bytes:
        self.seek(self._read)
        line = super().readline(size)
        self._read = self.tell()
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        self.seek(self._read)
        text = super().read(size)
        self._read = self.tell()
        return text


class _Answers:
    def __init__(self, requests: _Requests) -> None:
        self._requests = requests
        self._coming: Iterator[bytes] | None = None
        self._text = b""

    def read(self, size: int) -> bytes:
        if self._coming is None:
            self._coming = answers(GivenWorkbook(*orjson.loads(self._requests.readline())), self._requests)
        while len(self._text) < size and (more := next(self._coming, b"")):
            self._text += more
        text, self._text = self._text[:size], self._text[size:]
        return text

    def close(self) -> None:
        self._coming = iter(())


class _Here:
    """Stands in for the process."""

    def __init__(self, *_: object, **__: object) -> None:
        self.stdin = _Requests()
        self.stdout = _Answers(self.stdin)

    def kill(self) -> None:
        """Do nothing: there is no process."""

    def wait(self) -> int:
        return 1


def read_workbooks_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process for a workbook until the test ends; what is asked and answered stays the same."""
    monkeypatch.setattr("bulk_remove.reader.workbook.subprocess.Popen", _Here)
