"""The drop folder: what lies in it, whether it is still being written, and how a file leaves it.

A file leaves by one rename, and only after what was found out about it lies beside its new place. So whenever the
process dies, the file is in the inbox, or in `done` or `failed` with its report or note.

Whoever may write to the folder may put anything in it at any moment: a link, a pipe, another file under the same name.
So a file is opened once and what was opened counts, the folders are held open, and `done` and `failed` are this user's.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from bulk_remove.core.model import harmless
from bulk_remove.core.nights import Place, free_name, is_passing
from bulk_remove.disk import Aside, Folder, NotOwnError, check_own
from bulk_remove.disk import opened as opened_once
from bulk_remove.errors import InputError, StorageError, UsageError
from bulk_remove.language import ours, phrase, translated

REPORT_END = ".report.csv"
NOTE_END = ".note.txt"


class Look(NamedTuple):
    """What tells a file from another one, and from itself after a change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


class Seen(NamedTuple):
    """A file that was read: what it looked like, and the SHA-256 (hex) of its content."""

    look: Look
    content: str


class Inbox:
    """A drop folder; `done` and `failed` below it are made when they are first needed.

    A context manager: it holds the folders open while it is entered.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._open = ExitStack()
        self._places: dict[Place, Folder] = {}

    def __enter__(self) -> Self:
        """Raise UsageError when the folder is none, not ours to move files in, or has a `done` that is not ours."""
        try:
            self._here = self._open.enter_context(Folder(self.folder, listed=True))
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                phrase("There is no folder {folder}.", folder=self.folder),
                "Name the folder in which the files are dropped.",
            ) from None
        except OSError as error:
            raise _failure(self.folder, error) from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise UsageError(
                phrase("Files cannot be moved out of {folder}.", folder=self.folder),
                "Give this user the right to write there.",
            )
        for place in (Place.DONE, Place.FAILED):
            if self._here.look(place.value) is not None:
                self._at(place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def look(self) -> dict[str, Look]:
        """Return the files by name, in order, but for those whose name says that they are only passing."""
        try:
            names = self._here.names()
        except OSError as error:
            raise _failure(self.folder, error) from None
        looks = {name: self.look_at(name) for name in names if not is_passing(name)}
        return {name: look for name, look in looks.items() if look is not None}

    def look_at(self, name: str) -> Look | None:
        """Return how a file looks now; None where there is none, or a folder or a link in its place."""
        try:
            found = self._here.look(name)
        except OSError:  # it went away meanwhile
            return None
        return _look(found) if found and stat.S_ISREG(found.st_mode) else None

    def path(self, name: str) -> Path:
        """Return the place of a file in the inbox."""
        return self.folder / name

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[BufferedReader, Look]]:
        """Open a file for reading, once; what counts is what was opened. Raises InputError when that cannot be."""
        try:
            file = self._here.opened(name)
        except OSError as error:
            raise InputError(
                phrase("{name} cannot be read: {problem}.", name=harmless(name), problem=ours(str(error.strerror))),
                "Put a file there that this user may read.",
            ) from None
        with file:
            facts = os.fstat(file.fileno())
            if facts.st_nlink > 1:
                raise InputError(
                    phrase("{name} is a file that lies elsewhere, too (a hard link).", name=harmless(name)),
                    "Put a copy there.",
                )
            yield file, _look(facts)

    def seen(self, name: str) -> Seen | None:
        """Read a file; None where there is no such file, or none that can be read."""
        try:
            with self.opened(name) as (file, look):
                return Seen(look, file_digest(file, "sha256").hexdigest())
        except InputError:
            return None
        except OSError as error:
            raise _failure(self.path(name), error) from None

    def holds(self, place: Place, name: str, content: str) -> bool:
        """Tell whether a file with this content (SHA-256, hex) lies in a place."""
        try:
            with self._at(place).opened(name) as file:
                return file_digest(file, "sha256").hexdigest() == content
        except OSError:
            return False

    def free_name(self, place: Place, name: str) -> str:
        """Return the name under which a file and what belongs to it find room in a place."""
        there = self._at(place)
        return free_name(
            name, lambda free: any(there.look(f"{free}{end}") is not None for end in ("", REPORT_END, NOTE_END))
        )

    def beside(self, place: Place, name: str, report: Path) -> Path:
        """Return where a report of a run goes: `report.csv` of `a.csv` beside it as `a.csv.report.csv`."""
        return self.folder / place.value / f"{name}.{report.name}"

    def put_reports(self, place: Place, name: str, reports: Iterable[Path]) -> list[Aside]:
        """Put copies of a run's reports where the file `name` is to go; return them. Raises StorageError."""
        there = self._at(place)
        copies = []
        for report in reports:
            target = self.beside(place, name, report)
            try:
                with there.written(target.name) as aside, opened_once(report) as original:
                    shutil.copyfileobj(original, aside.file)
            except OSError as error:
                raise _failure(target, error) from None
            copies.append(aside)
        return copies

    def put_note(self, place: Place, name: str, text: str) -> Path:
        """Put a note where the file `name` is to go; returns its place. Raises StorageError."""
        target = self.folder / place.value / f"{name}{NOTE_END}"
        try:
            with self._at(place).written(target.name) as aside:
                aside.file.write(f"{translated(text)}\n".encode(errors="replace"))
        except OSError as error:
            raise _failure(target, error) from None
        return target

    def move(self, name: str, look: Look, place: Place, new_name: str) -> bool:
        """Move a file out of the inbox, where nothing has its new name; False when it is another one by now.

        That one then stays, or is put back if it came in the last moment. Raises StorageError.
        """
        there = self._at(place)
        if self.look_at(name) != look:
            return False
        try:
            self._here.move(name, there, new_name)
            moved = there.look(new_name)
            if moved is not None and _look(moved) == look:
                return True
            there.move(new_name, self._here, free_name(name, lambda free: self._here.look(free) is not None))
        except OSError as error:
            raise _failure(self.folder / place.value / new_name, error) from None
        return False

    def _at(self, place: Place) -> Folder:
        """Return `done` or `failed`, held open. Raises UsageError when it is not this user's own, StorageError."""
        if place not in self._places:
            path = self.folder / place.value
            try:
                folder = self._open.enter_context(self._here.folder(place.value))
                check_own(path, folder.facts())
            except (NotOwnError, NotADirectoryError) as error:
                raise UsageError(
                    phrase("{path} cannot be used: {problem}.", path=path, problem=ours(str(error.strerror))),
                    "Move it away: it is made anew when it is needed. Nobody but this user may be able to write there.",
                ) from None
            except OSError as error:
                raise _failure(path, error) from None
            self._places[place] = folder
        return self._places[place]


def _look(facts: os.stat_result) -> Look:
    return Look(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)


def _failure(path: Path, error: OSError) -> StorageError:
    return StorageError(
        phrase("{path} cannot be used: {problem}.", path=harmless(str(path)), problem=ours(str(error.strerror))),
        "Check permissions and free space; the file stays in the inbox.",
    )
