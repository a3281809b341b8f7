"""Files in, blocks of rows out: CSV and Excel, every cell as the text that stands in the file.

`opening` finds the files that a name means and opens each as what it is. `source` looks a file over before anything is
parsed, and sets aside what is packed or piped in. `table` finds the delimiter, the header and the phone column. `csv`
reads text files, with `text` for their encoding. `workbook` has another process, `workbook_child`, read workbooks; each
kind (`xlsx`, `xlsb`, `xls`, `ods`) has a reader there, and `cells` says what a cell becomes as text.

A name of this package is loaded when it is first used: the other process needs hardly anything of it, and pandas takes
half a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulk_remove.reader.opening import Places as Places
    from bulk_remove.reader.opening import find_files as find_files
    from bulk_remove.reader.opening import is_readable as is_readable
    from bulk_remove.reader.opening import open_table as open_table
    from bulk_remove.reader.opening import open_tables as open_tables
    from bulk_remove.reader.source import SetAside as SetAside
    from bulk_remove.reader.source import set_aside as set_aside
    from bulk_remove.reader.table import ReadOptions as ReadOptions
    from bulk_remove.reader.table import Table as Table
    from bulk_remove.reader.table import own_report as own_report

_HOMES = {
    "opening": {"Places", "find_files", "is_readable", "open_table", "open_tables"},
    "source": {"SetAside", "set_aside"},
    "table": {"ReadOptions", "Table", "own_report"},
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
