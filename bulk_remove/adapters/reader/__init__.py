"""Files in, blocks of rows out: CSV and Excel, every cell as the text that stands in the file.

`places` says which files a name means, `packed` sets aside what is packed or piped in, `files` looks an input over
before anything is parsed. Of CSV, `encoding` finds out the encoding, `dialect` the delimiter and `heading` the names of
the columns; `delimited` reads it, and `ragged` what is too wide for that. `workbook` reads Excel's. Importing this
package imports neither pandas nor calamine: that takes half a second.
"""

from bulk_remove.adapters.reader.files import SetAside
from bulk_remove.adapters.reader.packed import set_aside
from bulk_remove.adapters.reader.places import Places, find_files, is_readable, is_report
from bulk_remove.adapters.reader.reader import open_table
from bulk_remove.adapters.reader.table import ReadOptions, Table

__all__ = [
    "Places",
    "ReadOptions",
    "SetAside",
    "Table",
    "find_files",
    "is_readable",
    "is_report",
    "open_table",
    "set_aside",
]
