"""A disk that is always full, in the place of whatever file the product makes under a name."""

import os
from pathlib import Path
from typing import Any

import pytest

FULL = Path("/dev/full")
needs_a_full_device = pytest.mark.skipif(not FULL.exists(), reason="the device that is always full is Linux's")


def fill(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Let every file that is opened for writing, and whose name ends so, lie on the device that is always full."""
    opening = os.open

    def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and os.fspath(path).endswith(ending):
            os.close(opening(path, flags, mode, dir_fd=dir_fd))  # it is there under its name all the same
            return opening(FULL, os.O_RDWR)
        return opening(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
