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
    from bulk_remove.reader.opening import Places, find_files, is_readable, open_table, open_tables
    from bulk_remove.reader.source import SetAside, set_aside
    from bulk_remove.reader.table import ReadOptions, Table, own_report

_HOME = {
    "Places": "opening",
    "ReadOptions": "table",
    "SetAside": "source",
    "Table": "table",
    "find_files": "opening",
    "is_readable": "opening",
    "open_table": "opening",
    "open_tables": "opening",
    "own_report": "table",
    "set_aside": "source",
}

__all__ = [
    "Places",
    "ReadOptions",
    "SetAside",
    "Table",
    "find_files",
    "is_readable",
    "open_table",
    "open_tables",
    "own_report",
    "set_aside",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
