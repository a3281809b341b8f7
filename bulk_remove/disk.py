"""Files and folders that are the operator's own: made for nobody else, written aside and renamed, opened once.

Others may be able to write to the folder in which a file lies or is to lie: a drop folder, the folder of a report. So
a new file has a name that nobody can guess, was not there before (O_EXCL) and is not a link (O_NOFOLLOW). What is read
is opened once, and what counts is what was opened. A folder is held open while something is done in it, so that it is
not done in another one that took its name meanwhile.

Not checked on Windows, where Python knows neither owner nor mode: whether a folder is the operator's own. Folders
cannot be held open there, and a link in the place of a file is noticed only once it has been opened.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EEXIST, EINVAL, EISDIR, ELOOP, ENOTDIR, ENXIO
from hashlib import file_digest
from io import BufferedRandom, BufferedReader
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

from bulk_remove.language import phrase

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # a pipe waits for somebody who writes
_BYTES = getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0)
_AS_A_PLACE = getattr(os, "O_PATH", os.O_RDONLY)  # of a folder in which one may write, but not look around
_HOLDS_FOLDERS = {os.open, os.stat, os.rename, os.unlink, os.mkdir} <= os.supports_dir_fd
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FOR_OTHERS_TO_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OWNERS = 0o600
PART = ".part"
"""What the name of a file ends in that is not written whole yet."""


class NotRegularError(OSError):
    """What has a name is a pipe, a device or the like."""

    def __init__(self) -> None:
        super().__init__(EINVAL, phrase("it is not a regular file"))


class NotOwnError(OSError):
    """A file or a folder is not the operator's own; `hint` says what to do about it."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(EINVAL, problem)
        self.hint = hint


def check_own(path: Path, facts: os.stat_result, *, roots: bool = False) -> None:
    """Raise NotOwnError unless a file or folder belongs to this user, and nobody else can write to it.

    What is written to has no exception for root: whoever may write there, too, could lead what root writes to another
    place, and what root leaves there would shut out its owner. Of what is only read `roots` is as good as one's own.
    """
    if not hasattr(os, "geteuid"):
        return
    if facts.st_uid != os.geteuid() and not (roots and facts.st_uid == 0):
        raise NotOwnError(
            phrase("it belongs to another user"),
            phrase("Work as that user, for example with sudo -u, or choose another one."),
        )
    if facts.st_mode & _FOR_OTHERS_TO_WRITE:
        raise NotOwnError(
            phrase("others can write to it"), phrase("Look through what is in it, then: chmod go-w {path}", path=path)
        )


def make_private(root: Path, *below: str) -> Path:
    """Make `root` and the folders below it for this user alone; those there must be the user's. Return the lowest."""
    root.parent.mkdir(parents=True, exist_ok=True)
    folder = root
    for place, name in enumerate(("", *below)):
        folder = folder / name if name else folder
        if make_new(folder):
            continue
        facts = folder.lstat() if place else folder.stat()
        if not stat.S_ISDIR(facts.st_mode):
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR))
        check_own(folder, facts)
        if place and os.name == "posix" and facts.st_mode & _FOR_OTHERS:
            folder.chmod(0o700)
    if not os.access(folder, os.W_OK):
        raise PermissionError(EACCES, os.strerror(EACCES))
    return folder


def make_new(folder: Path) -> bool:
    """Make a folder for this user alone whatever the umask; False when something has that name. Raises OSError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    folder.chmod(0o700)
    return True


def private(path: str, flags: int) -> int:
    """Open a file as `open(..., opener=private)`: for its owner alone if it is made, and never through a link."""
    return os.open(path, flags | _NO_LINK, _OWNERS)


def opened(path: Path | str, *, links: bool = False) -> BufferedReader:
    """Open a regular file for reading, once, without waiting; through links only if `links` says so."""
    return _opened(path, None, links=links)


def opened_again(aside: "Aside") -> BufferedReader:
    """Open a file that was written here. Raises OSError when another has taken its place."""
    file = opened(aside.path)
    if aside.facts is None or not os.path.samestat(aside.facts, os.fstat(file.fileno())):
        file.close()
        raise FileExistsError(EEXIST, phrase("another file has taken its place"))
    return file


def _opened(path: Path | str, descriptor: int | None, *, links: bool) -> BufferedReader:
    flags = os.O_RDONLY | _BYTES | _WITHOUT_WAITING | (0 if links else _NO_LINK)
    try:
        file = os.fdopen(os.open(path, flags, dir_fd=descriptor), "rb")
    except OSError as error:
        if error.errno == ELOOP and not links:
            raise _a_link() from None
        if error.errno == ENXIO:  # a socket
            raise NotRegularError from None
        raise
    try:
        facts = os.fstat(file.fileno())
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        if not stat.S_ISREG(facts.st_mode):
            raise NotRegularError
        if not (links or _NO_LINK) and not os.path.samestat(facts, os.lstat(path)):
            raise _a_link()
    except OSError:
        file.close()
        raise
    return file


def _a_link() -> OSError:
    return OSError(ELOOP, phrase("it is a link"))


class Aside:
    """A file that is being written aside; once it has its `path`, `sha256` (hex) and `facts` are known."""

    def __init__(self, path: Path, file: BufferedRandom) -> None:
        self.path = path
        self.file = file
        self.sha256 = ""
        self.facts: os.stat_result | None = None


class Folder:
    """A folder that is held open; a context manager. `inside` is the one in which it lies; then it must not be a link.

    With `listed` the names in it can be asked for. Every method raises OSError.
    """

    def __init__(self, path: Path, inside: Self | None = None, *, listed: bool = False) -> None:
        self.path = path
        self.descriptor: int | None = None
        if not _HOLDS_FOLDERS:
            if not stat.S_ISDIR((path.stat() if inside is None else path.lstat()).st_mode):
                raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR))
            return
        flags = _FOLDER | (os.O_RDONLY if listed else _AS_A_PLACE)
        if inside is None:
            self.descriptor = os.open(path, flags)
        else:
            self.descriptor = os.open(path.name, flags | _NO_LINK, dir_fd=inside.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def here(self, name: str) -> str:
        """Return how a name in this folder is told to the system."""
        return name if self.descriptor is not None else str(self.path / name)

    def facts(self) -> os.stat_result:
        """Return what is known of the folder itself."""
        return self.path.lstat() if self.descriptor is None else os.fstat(self.descriptor)

    def names(self) -> list[str]:
        """Return the names in it, in order."""
        return sorted(os.listdir(self.path if self.descriptor is None else self.descriptor))  # noqa: PTH208 - by it

    def look(self, name: str) -> os.stat_result | None:
        """Return what is known of what has a name, links not followed; None where nothing has it."""
        try:
            return os.stat(self.here(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def opened(self, name: str) -> BufferedReader:
        """Open a regular file for reading, once, and not through a link."""
        return _opened(self.here(name), self.descriptor, links=False)

    def folder(self, name: str) -> "Folder":
        """Return the folder of this name in it, which is made for this user alone where there is none."""
        with suppress(FileExistsError):
            os.mkdir(self.here(name), 0o700, dir_fd=self.descriptor)
        return Folder(self.path / name, self)

    @contextmanager
    def written(self, name: str, mode: int = _OWNERS, *, replacing: bool = True) -> Iterator[Aside]:
        """Give a new file that takes a name once all of it is on disk; what had the name before is replaced.

        Nothing but a regular file, or a link itself, is ever replaced, and nothing at all unless `replacing`: then
        FileExistsError is raised, also for what came while the file was written. With another `mode` others may look at
        it.
        """
        self._check_replaceable(name)
        part, descriptor = self._part(name)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                aside = Aside(self.path / name, file)
                yield aside
                file.flush()
                file.seek(0)
                aside.sha256 = file_digest(file, "sha256").hexdigest()
                if os.name == "posix" and mode != _OWNERS:
                    os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
                aside.facts = os.fstat(file.fileno())
            if replacing:
                self._rename(part, name)
            else:
                self._name(part, name)
        finally:
            self.remove(part)

    def check_place(self, name: str) -> None:
        """Try whether a file can be written under a name in which no link stands."""
        self._check_replaceable(name)
        found = self.look(name)
        if found and stat.S_ISLNK(found.st_mode):
            raise _a_link()
        part, descriptor = self._part(name)
        os.close(descriptor)
        self.remove(part)

    def _check_replaceable(self, name: str) -> None:
        found = self.look(name)
        if found and not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            raise NotRegularError  # root would replace /dev/null itself

    def _rename(self, part: str, name: str) -> None:
        os.replace(self.here(part), self.here(name), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def _name(self, part: str, name: str) -> None:
        """Give a file a name that nothing has: to rename it would replace what has just come there."""
        try:
            os.link(self.here(part), self.here(name), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except FileExistsError:
            raise
        except OSError:  # no links on this disk: an empty file takes the name, and is replaced
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
            os.close(os.open(self.here(name), flags, _OWNERS, dir_fd=self.descriptor))
            self._rename(part, name)

    def _part(self, name: str) -> tuple[str, int]:
        """Make a new file beside a name; return its own and its descriptor."""
        part = f".{name}.{token_hex(8)}{PART}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | _BYTES
        return part, os.open(self.here(part), flags, _OWNERS, dir_fd=self.descriptor)

    def move(self, name: str, to: "Folder", new_name: str) -> None:
        """Move what has a name into another folder, where nothing has the new name."""
        os.rename(self.here(name), to.here(new_name), src_dir_fd=self.descriptor, dst_dir_fd=to.descriptor)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self.here(name), dir_fd=self.descriptor)


@contextmanager
def written(path: Path, mode: int = _OWNERS, *, replacing: bool = True) -> Iterator[Aside]:
    """Give a new file that takes the name `path`, as `Folder.written` does. Raises OSError."""
    with Folder(path.parent) as folder, folder.written(path.name, mode, replacing=replacing) as aside:
        yield aside
