"""Opens an input as what it is."""

from collections.abc import Sequence

from bulk_remove.adapters.reader.delimited import open_delimited
from bulk_remove.adapters.reader.files import SetAside, look_over
from bulk_remove.adapters.reader.kinds import READABLE_KINDS, TEXT_KINDS
from bulk_remove.adapters.reader.packed import take
from bulk_remove.adapters.reader.places import find_files, nothing_to_read
from bulk_remove.adapters.reader.table import ReadOptions, Table, no_rows
from bulk_remove.adapters.reader.workbook import open_workbook
from bulk_remove.core.model import harmless
from bulk_remove.errors import OwnReportError
from bulk_remove.language import phrase


def open_tables(names: Sequence[str], options: ReadOptions) -> tuple[list[Table], tuple[str, ...]]:
    """Open each file that these names mean; return the tables, and sentences on what was left out.

    A report of this tool is left out where a folder or a pattern holds it, and refused where it was named. Raises what
    `find_files` and `open_table` do.
    """
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


def open_table(path: str, options: ReadOptions, copy: SetAside | None = None) -> Table:
    """Look the whole input over and choose its phone column; `path` is a file, or - for standard input.

    A `copy` that `set_aside` made of the file is read in its place.

    Raises InputError, with a sentence that names the file, when it cannot be used (nothing of it was read as rows
    then), UsageError for an option that cannot be, StorageError when there is no room to unpack it.
    """
    given = take(path, READABLE_KINDS, options.spool_dir, copy)
    looked_over = look_over(given)
    table = (open_delimited if given.kind in TEXT_KINDS else open_workbook)(looked_over, options)
    if next(table.blocks(), None) is None:
        raise no_rows(given.name)
    return table
