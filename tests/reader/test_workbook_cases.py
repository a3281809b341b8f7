"""Small workbooks that once went wrong, with what must become of each row: `tests/cases/workbooks.json`.

`rows` says by row which numbers may be sent for it, or INVALID; no row is left out. `notes` are told to the operator.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from bulk_remove.reader import ReadOptions, open_table
from bulk_remove.run.intake import Intake
from bulk_remove.settings import Settings
from tests.support.workbook_here import read_workbooks_here

FOLDER = Path(__file__).parents[1] / "cases"
CASES: list[dict[str, Any]] = json.loads((FOLDER / "workbooks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["file"]))
def test_each_row_becomes_what_it_must(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    read_workbooks_here(monkeypatch)
    table = open_table(str(FOLDER / case["file"]), ReadOptions())
    settings = Settings("00001")
    intake = Intake(settings, settings.rules, lambda _: None, show_numbers=False)
    became = {
        str(row): number or "INVALID"
        for block in table.blocks()
        for numbered, _ in [intake.numbered(block)]
        for row, number in zip(numbered.rows.rows, numbered.numbers, strict=True)
    }
    assert became.keys() == case["rows"].keys()
    assert {row: number for row, number in became.items() if number not in case["rows"][row]} == {}
    assert list(table.source.notes) == case.get("notes", [])


def test_no_workbook_is_without_its_table() -> None:
    workbooks = {path.name for path in FOLDER.iterdir() if path.suffix in {".xlsx", ".xlsb", ".xls", ".ods"}}
    assert workbooks == {case["file"] for case in CASES}
