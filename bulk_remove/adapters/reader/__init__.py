"""Files in, blocks of rows out: CSV and Excel, every cell as the text that stands in the file.

`files` looks a file over before anything is parsed, `dialect` finds out how a CSV file is written, `delimited` reads
it, `workbook` reads Excel's. Importing this package imports neither pandas nor calamine: that takes half a second.
"""

from bulk_remove.adapters.reader.reader import open_table
from bulk_remove.adapters.reader.table import ReadOptions, Table

__all__ = ["ReadOptions", "Table", "open_table"]
