"""Reads files into blocks of rows: CSV and workbooks, every cell as the text in the file.

`source` finds the files that a name means, reads each once before anything is parsed, and copies packed and piped
input. `table` finds the delimiter, the header and the phone column. `csv` opens a file by its kind and reads text
files, with `text` for their encoding. `workbook` starts another process, `workbook_child`, to read workbooks. That
process has a reader for each kind (`xlsx`, `xls`, `ods`), and `cells` has what these share.

A name of this package is loaded when it is first used: the other process needs few of them, and pandas takes half a
second.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulk_remove.reader.csv import open_table as open_table
    from bulk_remove.reader.csv import open_tables as open_tables
    from bulk_remove.reader.csv import sheets_of as sheets_of
    from bulk_remove.reader.source import Places as Places
    from bulk_remove.reader.source import SetAside as SetAside
    from bulk_remove.reader.source import find_files as find_files
    from bulk_remove.reader.source import is_readable as is_readable
    from bulk_remove.reader.source import set_aside as set_aside
    from bulk_remove.reader.table import ReadOptions as ReadOptions
    from bulk_remove.reader.table import Table as Table
    from bulk_remove.reader.table import own_report as own_report

_HOMES = {
    "csv": {"open_table", "open_tables", "sheets_of"},
    "source": {"Places", "SetAside", "find_files", "is_readable", "set_aside"},
    "table": {"ReadOptions", "Table", "own_report"},
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
