"""Finds the files that the command line names and opens each by its kind.

A name may be a file, a folder, a pattern or standard input. The suffix of a file gives its kind.
"""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from bulk_remove.core.model import harmless
from bulk_remove.core.summary import FilePlace
from bulk_remove.errors import InputError, OwnReportError
from bulk_remove.language import phrase
from bulk_remove.reader.csv import open_delimited
from bulk_remove.reader.source import PACKED_KINDS, STANDARD_INPUT, SetAside, look_over, take
from bulk_remove.reader.table import ReadOptions, Table, no_rows
from bulk_remove.reader.workbook import WorkbookProcess, open_workbook

TEXT_KINDS = frozenset({".csv", ".tsv", ".txt"})
WORKBOOK_KINDS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
READABLE_KINDS = TEXT_KINDS | WORKBOOK_KINDS


_OF_NIGHTS = frozenset({FilePlace.DONE.value, FilePlace.FAILED.value})
_BESIDE_REPORTS = (".summary.json", ".note.txt")


class Places(NamedTuple):
    """The files to read in order, sentences about those left out, and the files that came from a folder or pattern."""

    files: tuple[str, ...]
    notes: tuple[str, ...]
    found: frozenset[str] = frozenset()


def find_files(names: Sequence[str]) -> Places:
    """Return the files that these names mean."""
    files: dict[Path | str, str] = {}
    notes: list[str] = []
    found: set[str] = set()
    for name in names:
        if len(names) > 1 and Path(name).name in _OF_NIGHTS and Path(name).is_dir():
            notes.append(_left_out(Path(name)))
            continue
        path = Path(name)
        one = name == STANDARD_INPUT or path.is_file() or not (path.is_dir() or has_magic(name))
        meant = [name] if one else _several(name, notes)
        found.update(meant if meant != [name] else [])
        for file in meant:
            identity = file if file == STANDARD_INPUT else Path(file).resolve()
            if identity in files:
                notes.append(phrase("{file} is named twice; it is read once.", file=harmless(file)))
            files.setdefault(identity, file)
    return Places(tuple(files.values()), tuple(notes), frozenset(found))


def nothing_to_read(name: str) -> InputError:
    """Return the error for a folder, a pattern or names without any readable file."""
    return InputError(
        "{name} holds no file that can be read." if Path(name).is_dir() else "{name} matches no file that can be read.",
        "Give a file of one of these kinds, also packed: {kinds}.",
        name=harmless(name),
        kinds=", ".join(sorted(READABLE_KINDS)),
    )


def _several(name: str, notes: list[str]) -> list[str]:
    if Path(name).is_dir():
        notes += [_left_out(Path(name) / place) for place in sorted(_OF_NIGHTS) if (Path(name) / place).is_dir()]
        found = [path for path in sorted(Path(name).iterdir()) if path.is_file() and is_readable(path)]
    else:
        # Not Path.glob: it accepts no pattern from the root of the disk.
        matches = [Path(path) for path in sorted(glob(name, recursive=True))]  # noqa: PTH207 - as said
        # Files in `done` or `failed`, unless the pattern names these folders.
        put_away = _OF_NIGHTS - {part.lower() for part in Path(name).parts}
        done = {path: folder for path in matches for folder in path.parents if folder.name in put_away}
        notes += [_left_out(folder) for folder in dict.fromkeys(done.values())]
        found = [path for path in matches if path.is_file() and path not in done]
    page = [path for path in found if path.suffix == ".html" and path.with_suffix(".summary.json").is_file()]
    beside = [path for path in found if path.name.endswith(_BESIDE_REPORTS) or path in page]
    told = "{file} was written beside a report of this tool; it is left out."
    notes += [phrase(told, file=harmless(str(path))) for path in beside]
    if len(beside) == len(found):
        raise nothing_to_read(name)
    return [str(path) for path in found if path not in beside]


def _left_out(folder: Path) -> str:
    return phrase(
        "{folder} is left out: inbox puts files there when it is done with them. To read it, give only this folder.",
        folder=harmless(str(folder)),
    )


def is_readable(path: Path) -> bool:
    """Whether a file's name has a readable kind."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if path.name.startswith((".", "~$")) or not suffixes:  # hidden, or Excel's mark for an open workbook
        return False
    if suffixes[-1] in PACKED_KINDS:
        return suffixes[-1] == ".zip" or (suffixes[-2:-1] != [] and suffixes[-2] in READABLE_KINDS)
    return suffixes[-1] in READABLE_KINDS


def open_tables(names: Sequence[str], options: ReadOptions) -> tuple[list[Table], tuple[str, ...]]:
    """Open each file that these names mean; return the tables, and sentences about the files left out."""
    places = find_files(names)
    tables, notes = [], [*places.notes]
    for file in places.files:
        try:
            tables.append(open_table(file, options))
        except OwnReportError:
            if file not in places.found:
                raise
            notes.append(phrase("{file} is a report of this tool; it is left out.", file=harmless(file)))
    if not tables:
        raise nothing_to_read(names[0])
    return tables, tuple(notes)


def sheets_of(path: str, options: ReadOptions, copy: SetAside | None = None) -> tuple[str, ...]:
    """Return the names of a workbook's sheets, none for a text file. Raises InputError."""
    given = take(path, READABLE_KINDS, options.spool_dir, copy)
    if given.kind in TEXT_KINDS:
        return ()
    with given.opened() as file:
        size_bytes = file.seek(0, 2)
        file.seek(0)
        with WorkbookProcess(given.name, given.kind, size_bytes) as workbook:
            return tuple(name for name, _ in workbook.open(file))


def open_table(path: str, options: ReadOptions, copy: SetAside | None = None) -> Table:
    """Read the whole input once and choose its phone column; `path` is a file, or - for standard input."""
    given = take(path, READABLE_KINDS, options.spool_dir, copy)
    looked_over = look_over(given)
    table = (open_delimited if given.kind in TEXT_KINDS else open_workbook)(looked_over, options)
    if next(table.blocks(), None) is None:
        raise no_rows(given.name)
    return table
