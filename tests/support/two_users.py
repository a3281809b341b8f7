"""Two users of one machine: the operator, who runs the command, and another, who can write to the drop folder.

Only root can become either. Both are processes that have imported everything: Python itself may lie where they cannot
read it.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest

from tests.support.processes import bulk_remove

OPERATOR, OTHER = 12001, 12002
needs_two_users = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, who alone can become two users"
)
_BECOME = """
import difflib, encodings.idna, encodings.unicode_escape, importlib.readers, importlib.resources._adapters
import importlib.resources.readers, os, tomllib
os.setgroups([])
os.setgid({user})
os.setuid({user})
os.umask(0o002)
"""


def become(user: int) -> str:
    """Return the code by which a process becomes a user, with the umask that many systems have."""
    return _BECOME.format(user=user)


def operator(*words: str | Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as the operator, to its end; `before` is executed first."""
    return bulk_remove(*words, before=become(OPERATOR) + before)


def other(code: str, *, user: int = OTHER) -> None:
    """Execute code as the other user."""
    done = bulk_remove(before=f"{become(user)}\n{code}\nos._exit(0)")
    assert done.returncode == 0, done.stderr


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Give a folder that both can reach, and in which only root can write."""
    folder = Path(tempfile.mkdtemp(prefix="two-users-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        rmtree(folder)


def made(folder: Path, owner: int, mode: int) -> Path:
    """Make a folder that belongs to a user."""
    folder.mkdir()
    os.chown(folder, owner, owner)
    folder.chmod(mode)
    return folder
