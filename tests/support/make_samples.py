"""Writes `sample_data` anew, and in `sample_data/expected` what must become of each row.

Run by hand: `.venv/bin/pip install odfpy xlwt` (nothing else needs them), then
`.venv/bin/python -m tests.support.make_samples`. Text comes out the same, byte for byte; workbooks hold the same cells,
but also the time at which they were made. The oldest files, which have no folder, and what is expected of them were
written by hand and stay as they are.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.samples.packed import packed
from tests.support.samples.tables import Cells, Sample, expected_csv
from tests.support.samples.texts import texts
from tests.support.samples.workbooks import workbooks
from tests.support.workbooks import changed_zip, write_xlsb, xlsb_sheet

SAMPLES = Path(__file__).parents[2] / "sample_data"
EXPECTED = SAMPLES / "expected"
Sheets = Mapping[str, Sequence[Cells]]


def made() -> tuple[Sample, ...]:
    """Return all samples that are made."""
    return (*texts(), *packed(), *workbooks())


def expectation_of(name: str) -> Path:
    """Return the file that says what must become of each row of a sample."""
    return EXPECTED / f"{name}.csv"


def main() -> int:
    """Write all of them."""
    for sample in made():
        path, expectation = SAMPLES / sample.name, expectation_of(sample.name)
        path.parent.mkdir(exist_ok=True)
        expectation.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(sample.content, bytes):
            path.write_bytes(sample.content)
        else:
            _WRITERS[path.suffix](path, sample.content)
        expectation.write_bytes("".join(expected_csv(sample.expected)).encode())
        sys.stdout.write(f"{sample.name}: {path.stat().st_size} bytes, {len(sample.expected)} rows\n")
    return 0


def _write_xlsx(path: Path, sheets: Sheets) -> None:
    import openpyxl  # noqa: PLC0415 - only one kind needs it

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)


def _write_xlsm(path: Path, sheets: Sheets) -> None:
    """An .xlsx that says of itself that it may hold macros; it holds none."""
    _write_xlsx(path, sheets)
    plain = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    macros = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    changed_zip(path, lambda _, content: content.replace(plain, macros))


def _write_xls(path: Path, sheets: Sheets) -> None:
    book = importlib.import_module("xlwt").Workbook(encoding="utf-8")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                sheet.write(row, column, cell)
    book.save(str(path))


def _write_ods(path: Path, sheets: Sheets) -> None:
    import pandas as pd  # noqa: PLC0415 - only one kind needs it

    with pd.ExcelWriter(path, engine="odf") as book:
        for name, rows in sheets.items():
            frame = pd.DataFrame([list(row) for row in rows], dtype=object)
            frame.to_excel(book, sheet_name=name, header=False, index=False)


def _write_xlsb(path: Path, sheets: Sheets) -> None:
    write_xlsb(path, {name: xlsb_sheet(rows) for name, rows in sheets.items()})


_WRITERS: dict[str, Callable[[Path, Sheets], None]] = {
    ".xlsx": _write_xlsx,
    ".xlsm": _write_xlsm,
    ".xlsb": _write_xlsb,
    ".xls": _write_xls,
    ".ods": _write_ods,
}

if __name__ == "__main__":
    sys.exit(main())
