"""Opens a file as what it is."""

from pathlib import Path

from bulk_remove.adapters.reader.delimited import open_delimited
from bulk_remove.adapters.reader.files import look_over
from bulk_remove.adapters.reader.table import ReadOptions, Table, no_rows
from bulk_remove.adapters.reader.workbook import open_workbook
from bulk_remove.errors import InputError

_TEXT_KINDS = frozenset({".csv", ".tsv", ".txt"})
_WORKBOOK_KINDS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})


def open_table(path: str, options: ReadOptions) -> Table:
    """Look the whole file over and choose its phone column.

    Raises InputError, with a sentence that names the file, when it cannot be used; nothing of it was read as rows
    then.
    """
    kind = Path(path).suffix.lower()
    if kind not in _TEXT_KINDS | _WORKBOOK_KINDS:
        raise InputError(
            f"{path} is not of a kind that is read: these are .csv, .tsv, .txt, .xlsx, .xlsm, .xlsb, .xls and .ods.",
            "Save it as one of them; in Excel, File > Save as > Excel workbook (.xlsx).",
        )
    looked_over = look_over(path)
    table = (open_delimited if kind in _TEXT_KINDS else open_workbook)(path, looked_over, options)
    if next(table.blocks(), None) is None:
        raise no_rows(path)
    return table
