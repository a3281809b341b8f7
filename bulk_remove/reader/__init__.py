"""Files in, blocks of rows out: CSV and Excel, every cell as the text that stands in the file.

`places` says which files a name means, `packed` sets aside what is packed or piped in, `files` looks an input over
before anything is parsed. Of CSV, `encoding` finds out the encoding, `dialect` the delimiter and `heading` the names of
the columns; `delimited` reads it, and `ragged` what is too wide for that. Workbooks are read in another process:
`workbook` asks it through `workbook_process`, `workbook_child` answers, and each kind has a reader of its own there.

What is named here is loaded when it is first used: the other process needs hardly anything of it, and pandas takes half
a second.
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
