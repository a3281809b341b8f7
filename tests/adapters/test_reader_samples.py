"""Every file in sample_data is read without being told anything."""

from pathlib import Path

import pytest

from bulk_remove.adapters.reader import ReadOptions, open_table

SAMPLES = Path(__file__).parents[2] / "sample_data"
EXPECTED = {
    "customers.csv": ("phone_number", 61, 62),
    "customers.ods": ("phone_number", 25, 28),
    "customers.xls": ("phone_number", 25, 26),
    "customers.xlsx": ("phone_number", 61, 62),
    "numbers_only.csv": ("phone_number", 30, 31),
    "opt_outs_semicolon.csv": ("Numer telefonu", 20, 22),
    "stale_leads.tsv": ("mobile", 25, 26),
}


def cells_of(name: str) -> list[str]:
    table = open_table(str(SAMPLES / name), ReadOptions())
    return [cell for block in table.blocks() for cell in block.cells]


def test_every_sample_is_expected() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {*EXPECTED, "README.md"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_read_whole(name: str) -> None:
    table = open_table(str(SAMPLES / name), ReadOptions())
    (block,) = table.blocks()
    assert (table.source.header[table.source.column], len(block.cells), block.rows[-1]) == EXPECTED[name]


def test_the_workbook_holds_the_same_numbers_as_the_csv() -> None:
    assert [cell.strip() for cell in cells_of("customers.xlsx")] == [cell.strip() for cell in cells_of("customers.csv")]
