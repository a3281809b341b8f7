"""A report read back: what it says was sent is taken, unless it is not what its input says."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulk_remove.core.numbers import NumberRules
from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, open_table
from bulk_remove.run.again import OldReport

READING = ReadOptions(
    "number", keep_columns=True, has_header=True, trust_column=True, code_column=False, own_report=True
)
HEADER = "country_code,phone_code,row,input,number,campaign,status,detail"


def read_back(folder: Path, rows: Sequence[tuple[str, str]], status: str) -> list[str]:
    """Return the numbers of a report with these inputs and numbers."""
    path = folder / "report.csv"
    lines = [f'48,48,{row},"{cell}",{number},00001,{status},' for row, (cell, number) in enumerate(rows, start=2)]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    report = OldReport(open_table(str(path), READING), NumberRules(internal_numbers=True))
    return [row.number for row in report.rows()]


def test_what_was_sent_is_taken_whatever_is_thought_of_such_a_number_now(tmp_path: Path) -> None:
    rows = [
        ("441", "441"),
        ("0601234501", "0601234501"),
        ("60123450", "60123450"),
        ("601234504.0", "601234504"),
        ("'+48601234505.0", "601234505"),
        ("+420 601234506", "00420601234506"),
        ("22 1234507", "221234507"),
        ("601000000", "601000000"),
        ("602000000", "602000000"),
        ("486012345", "486012345"),
    ]
    assert read_back(tmp_path, rows, "CALL_IN_PROGRESS") == [number for _, number in rows]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("+491512345678.0", "004915123456780"), ("601-234-506.0", "6012345060"), ("22 123 45 08-12", "22123450812")],
)
def test_a_number_of_a_misread_cell_is_not_asked_for_again(tmp_path: Path, cell: str, number: str) -> None:
    with pytest.raises(InputError, match="no longer fits the input"):
        read_back(tmp_path, [("601234501", "601234501"), (cell, number)], "IN_DOUBT")
    assert read_back(tmp_path, [(cell, number)], "REMOVED") == [number]
