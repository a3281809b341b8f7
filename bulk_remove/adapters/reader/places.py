"""What the command line names, as files: files themselves, folders, patterns, standard input."""

from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bulk_remove.adapters.reader.files import STANDARD_INPUT, opened
from bulk_remove.adapters.reader.kinds import READABLE_KINDS
from bulk_remove.adapters.reader.packed import PACKED_KINDS
from bulk_remove.core.model import REPORT_COLUMNS, harmless
from bulk_remove.errors import InputError
from bulk_remove.language import phrase

_PEEK_BYTES = 1 << 16
_REPORT_SIGN = ",".join(REPORT_COLUMNS[:6])


class Places(NamedTuple):
    """The files to read, in order, and sentences on what was left out."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def find_files(names: Sequence[str]) -> Places:
    """Return the files that these names mean.

    A folder means the files of a readable kind in it (not in folders below), a pattern what it matches; both by name.
    Reports of this tool are left out of these: their numbers were removed already, perhaps from another campaign. A
    file that is named twice is read once. Raises InputError for a folder or a pattern without any file.
    """
    files: dict[Path | str, str] = {}
    notes: list[str] = []
    for name in names:
        found = [name] if _is_one(name) else [*_several(name, notes)]
        for file in found:
            identity = file if file == STANDARD_INPUT else Path(file).resolve()
            if identity in files:
                notes.append(phrase("{file} is named twice; it is read once.", file=harmless(file)))
            files.setdefault(identity, file)
    return Places(tuple(files.values()), tuple(notes))


def _is_one(name: str) -> bool:
    path = Path(name)
    return name == STANDARD_INPUT or path.is_file() or not (path.is_dir() or has_magic(name))


def _several(name: str, notes: list[str]) -> Iterator[str]:
    folder = Path(name).is_dir()
    if folder:
        found = [str(path) for path in sorted(Path(name).iterdir()) if path.is_file() and is_readable(path)]
    else:
        # Not Path.glob: it takes no pattern from the root of the disk on.
        found = sorted(path for path in glob(name, recursive=True) if Path(path).is_file())  # noqa: PTH207 - as said
    reports = [file for file in found if _is_report(file)]
    notes += [phrase("{file} is a report of this tool; it is left out.", file=harmless(file)) for file in reports]
    if len(reports) == len(found):
        raise InputError(
            phrase(
                "{name} holds no file that can be read." if folder else "{name} matches no file that can be read.",
                name=harmless(name),
            ),
            phrase("Files of these kinds are read: {kinds}, also packed.", kinds=", ".join(sorted(READABLE_KINDS))),
        )
    yield from (file for file in found if file not in reports)


def is_readable(path: Path) -> bool:
    """Tell whether a file's name is that of a kind that is read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if path.name.startswith((".", "~$")) or not suffixes:  # hidden, or the mark of a workbook that Excel has open
        return False
    if suffixes[-1] in PACKED_KINDS:
        return suffixes[-1] == ".zip" or (suffixes[-2:-1] != [] and suffixes[-2] in READABLE_KINDS)
    return suffixes[-1] in READABLE_KINDS


def is_report(file: BinaryIO) -> bool:
    """Tell whether the first line of an open file is that of a report, whatever a spreadsheet has made of it."""
    first = file.readline(_PEEK_BYTES).decode(errors="replace")
    return _REPORT_SIGN in first.replace(";", ",").replace("\t", ",").replace('"', "")


def _is_report(path: str) -> bool:
    try:
        with opened(path) as file:
            return is_report(file)
    except (InputError, OSError):
        return False  # opening it will tell why
