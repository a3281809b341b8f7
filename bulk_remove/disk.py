"""Safe reading and writing in folders that other users may write to, such as a drop folder.

A new file is written under a temporary name and then renamed. That name cannot be guessed, must not exist yet (O_EXCL)
and must not be a link (O_NOFOLLOW). A file to be read is opened once, and all checks use the open file. A folder stays
open while it is used: otherwise another folder could take its name in the meantime.

On Windows, Python reports neither owner nor mode, so ownership is not checked. Folders cannot be held open there, and a
link is noticed only after it was opened.
"""

import os
import re
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
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for a writer
_BYTES = getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0)
_AS_A_PLACE = getattr(os, "O_PATH", os.O_RDONLY)  # also for a folder that may be written to but not listed
_HOLDS_FOLDERS = {os.open, os.stat, os.rename, os.unlink, os.mkdir} <= os.supports_dir_fd
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FOR_OTHERS_TO_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OWNERS = 0o600
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
"""What Windows forbids in a name. It would write `a:b.csv` into a hidden part of the file `a`."""
PART = ".part"
"""The ending of a temporary name, for a file that is not complete yet."""


class NotRegularError(OSError):
    """The path is a pipe, a device or the like."""

    def __init__(self) -> None:
        super().__init__(EINVAL, phrase("it is not a regular file"))


class NotOwnError(OSError):
    """A file or a folder is not the operator's own; `hint` says what to do about it."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(EINVAL, problem)
        self.hint = hint


def check_own(path: Path, facts: os.stat_result, *, roots: bool = False) -> None:
    """Raise NotOwnError unless a file or folder belongs to this user and nobody else can write to it.

    With `roots` it may belong to root instead; use that only for files that are read. Root gets no exception for
    writing: another user could redirect what root writes, and root's new files would lock out the folder's owner.
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
    """Create `root` and the folders `below` it, private to this user; return the last one.

    Raises NotOwnError when an existing one belongs to another user, and other OSErrors.
    """
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
    """Create a folder private to this user, whatever the umask; return False if the name is taken. Raises OSError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    folder.chmod(0o700)
    return True


def private(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=private)`: a new file is private to its owner, and links are refused."""
    return os.open(path, flags | _NO_LINK, _OWNERS)


def opened_again(aside: "Aside") -> BufferedReader:
    """Open a file that this process wrote. Raises OSError when another file has replaced it."""
    file = opened(aside.path)
    if aside.facts is None or not os.path.samestat(aside.facts, os.fstat(file.fileno())):
        file.close()
        raise FileExistsError(EEXIST, phrase("another file has replaced it"))
    return file


def opened(path: Path | str, descriptor: int | None = None, *, links: bool = False) -> BufferedReader:
    """Open a regular file for reading without waiting; links are followed only with `links`.

    With the `descriptor` of a folder the path starts there.
    """
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
    """A file being written under a temporary name. Once it is renamed to `path`, `sha256` (hex) and `facts` are set."""

    def __init__(self, path: Path, file: BufferedRandom) -> None:
        self.path = path
        self.file = file
        self.sha256 = ""
        self.facts: os.stat_result | None = None


class Folder:
    """A folder that stays open; a context manager. With `inside`, its parent folder, it must not be a link.

    `names` needs `listed`. Every method raises OSError.
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
        """Return the path to pass to a system call for a name in this folder."""
        return name if self.descriptor is not None else str(self.path / name)

    def facts(self) -> os.stat_result:
        """Return the stat result of the folder itself."""
        return self.path.lstat() if self.descriptor is None else os.fstat(self.descriptor)

    def names(self) -> list[str]:
        """Return the sorted names in it."""
        # A Path has no descriptor.
        return sorted(os.listdir(self.path if self.descriptor is None else self.descriptor))  # noqa: PTH208 - see above

    def look(self, name: str) -> os.stat_result | None:
        """Return the stat result for a name, without following links; None when the name is free."""
        try:
            return os.stat(self.here(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def opened(self, name: str) -> BufferedReader:
        """Open a regular file for reading; links are refused."""
        return opened(self.here(name), self.descriptor)

    def folder(self, name: str) -> "Folder":
        """Open the folder of this name in it; a missing one is created, private to this user."""
        with suppress(FileExistsError):
            os.mkdir(self.here(name), 0o700, dir_fd=self.descriptor)
        return Folder(self.path / name, self)

    @contextmanager
    def written(self, name: str, mode: int = _OWNERS, *, replacing: bool = True) -> Iterator[Aside]:
        """Give a new file, and rename it to `name` once all of it is on disk.

        An earlier regular file or link of that name is replaced. Without `replacing` FileExistsError is raised instead,
        also when the name was taken while the file was being written.
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
        """Raise OSError when a file cannot be written under this name, or the name is a link."""
        self._check_replaceable(name)
        found = self.look(name)
        if found and stat.S_ISLNK(found.st_mode):
            raise _a_link()
        part, descriptor = self._part(name)
        os.close(descriptor)
        self.remove(part)

    def _check_replaceable(self, name: str) -> None:
        if os.name == "nt" and _FORBIDDEN.search(name):
            raise OSError(EINVAL, phrase("Windows does not allow this name"))
        found = self.look(name)
        if found and not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            raise NotRegularError  # root would replace /dev/null itself

    def _rename(self, part: str, name: str) -> None:
        os.replace(self.here(part), self.here(name), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def _name(self, part: str, name: str) -> None:
        """Rename a file to a free name. A plain rename would replace a file that appeared meanwhile."""
        try:
            os.link(self.here(part), self.here(name), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except FileExistsError:
            raise
        except OSError:  # this disk has no links: reserve the name with an empty file, then replace that
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
            os.close(os.open(self.here(name), flags, _OWNERS, dir_fd=self.descriptor))
            self._rename(part, name)

    def _part(self, name: str) -> tuple[str, int]:
        """Create the temporary file for a name; return its name and its descriptor."""
        part = f".{name}.{token_hex(8)}{PART}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | _BYTES
        return part, os.open(self.here(part), flags, _OWNERS, dir_fd=self.descriptor)

    def move(self, name: str, to: "Folder", new_name: str) -> None:
        """Move a file into another folder, under a new name that must be free."""
        os.rename(self.here(name), to.here(new_name), src_dir_fd=self.descriptor, dst_dir_fd=to.descriptor)

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        with suppress(FileNotFoundError):
            os.unlink(self.here(name), dir_fd=self.descriptor)


@contextmanager
def written(path: Path, mode: int = _OWNERS, *, replacing: bool = True) -> Iterator[Aside]:
    """Give a new file, and rename it to `path` once all of it is on disk; see `Folder.written`. Raises OSError."""
    with Folder(path.parent) as folder, folder.written(path.name, mode, replacing=replacing) as aside:
        yield aside
