"""The drop folder: what lies in it, whether it is still being written, and how a file leaves it.

A file leaves by one rename, and only after what was found out about it lies beside its new place. So whenever the
process dies, the file is in the inbox, or in `done` or `failed` with its report or note.
"""

import os
import shutil
import stat
from collections.abc import Iterable
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from bulk_remove.core.nights import Place, free_name, is_passing
from bulk_remove.errors import StorageError, UsageError
from bulk_remove.language import phrase, translated

REPORT_END = ".report.csv"
NOTE_END = ".note.txt"


class Look(NamedTuple):
    """What tells a file from itself after a change."""

    inode: int
    size_bytes: int
    modified_ns: int


class Inbox:
    """A drop folder; `done` and `failed` below it are made when they are first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def check(self) -> None:
        """Raise UsageError when the folder is none, or not ours to move files in."""
        if not self.folder.is_dir():
            raise UsageError(
                phrase("There is no folder {folder}.", folder=self.folder),
                "Name the folder in which the files are dropped.",
            )
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise UsageError(
                phrase("Files cannot be moved out of {folder}.", folder=self.folder),
                "Give this user the right to write there.",
            )

    def look(self) -> dict[str, Look]:
        """Return the files by name, in order, but for those whose name says that they are only passing."""
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except OSError as error:
            raise _failure(self.folder, error) from None
        looks = {name: self.look_at(name) for name in names if not is_passing(name)}
        return {name: look for name, look in looks.items() if look is not None}

    def look_at(self, name: str) -> Look | None:
        """Return how a file looks now; None where there is none, or a folder or a link in its place."""
        try:
            found = self.path(name).lstat()
        except OSError:  # it went away meanwhile
            return None
        return Look(found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def path(self, name: str) -> Path:
        """Return the place of a file in the inbox."""
        return self.folder / name

    def content(self, name: str) -> str:
        """Return the SHA-256 of a file's content; empty where there is no such file. Raises StorageError."""
        try:
            with self.path(name).open("rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise _failure(self.path(name), error) from None

    def free_name(self, place: Place, name: str) -> str:
        """Return the name under which a file and what belongs to it find room in a place."""
        target = self.folder / place.value
        return free_name(
            name, lambda free: any(os.path.lexists(target / f"{free}{end}") for end in ("", REPORT_END, NOTE_END))
        )

    def beside(self, place: Place, name: str, report: Path) -> Path:
        """Return where a report of a run goes: `report.csv` of `a.csv` beside it as `a.csv.report.csv`."""
        return self.folder / place.value / f"{name}.{report.name}"

    def put_reports(self, place: Place, name: str, reports: Iterable[Path]) -> None:
        """Put the reports of a run where the file `name` is to go. Raises StorageError."""
        self._made(place)
        for report in reports:
            _copy(report, self.beside(place, name, report))

    def put_note(self, place: Place, name: str, text: str) -> Path:
        """Put a note where the file `name` is to go; returns its place. Raises StorageError."""
        target = self._made(place) / f"{name}{NOTE_END}"
        aside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            aside.write_text(f"{translated(text)}\n", encoding="utf-8", errors="replace")
            _settle(aside, target)
        except OSError as error:
            raise _failure(target, error) from None
        return target

    def move(self, name: str, place: Place, new_name: str) -> None:
        """Move a file out of the inbox, where nothing has its new name. Raises StorageError."""
        target = self._made(place) / new_name
        try:
            self.path(name).rename(target)
        except OSError as error:
            raise _failure(target, error) from None

    def _made(self, place: Place) -> Path:
        folder = self.folder / place.value
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _failure(folder, error) from None
        return folder


def _copy(source: Path, target: Path) -> None:
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(aside, "wb", opener=_private) as copy, source.open("rb") as original:
            shutil.copyfileobj(original, copy)
        _settle(aside, target)
    except OSError as error:
        raise _failure(target, error) from None


def _settle(aside: Path, target: Path) -> None:
    """Give a file its name once it is on disk whole."""
    with aside.open("rb+") as file:
        os.fsync(file.fileno())
    aside.replace(target)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _failure(path: Path, error: OSError) -> StorageError:
    return StorageError(
        phrase("{path} cannot be used: {problem}.", path=path, problem=error.strerror),
        "Check permissions and free space; the file stays in the inbox.",
    )
