"""Workbooks that are damaged, or made to take all memory: a sentence, never a crash, and never another number."""

import os
import random
import re
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, open_table
from tests.support.workbook_here import read_workbooks_here
from tests.support.workbooks import (
    Rows,
    biff,
    biff_sheet,
    changed_zip,
    compound_file,
    ods_sheet,
    record,
    workbook_stream,
    write_any,
    write_ods,
    write_xlsb,
    xlsb_cell,
    xlsb_sheet,
)

NUMBERED: Rows = [[number, "a"] for number in range(601000001, 601000026)]
ROWS: Rows = [["phone", "x"], *NUMBERED]
EXPECTED = [(row, str(600999999 + row)) for row in range(2, 27)]
KINDS = ["xlsx", "xlsb", "xls", "ods"]
DAMAGED = "is damaged, or not a workbook."


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    read_workbooks_here(monkeypatch)


def write(path: Path, rows: Rows = ROWS) -> Path:
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.worksheets[0].append(list(row))
        book.save(path)
    else:
        write_any(path, rows)
    return path


def read(path: Path) -> list[tuple[int, str]]:
    table = open_table(str(path), ReadOptions(column="phone"))
    return [pair for block in table.blocks() for pair in zip(block.rows, block.cells, strict=True)]


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.sentence.startswith(str(path))
    return caught.value


def changed_sheet(path: Path, change: Callable[[bytes], bytes]) -> Path:
    changed_zip(path, lambda name, content: change(content) if "sheet1" in name else content)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_workbook_is_refused(tmp_path: Path, kind: str, kept: float) -> None:
    path = write(tmp_path / f"a.{kind}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert refusal(path).sentence.endswith(DAMAGED)


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    for start in (b"", b"PK\x03\x04", bytes.fromhex("D0CF11E0A1B11AE1")):
        path.write_bytes(start + random.Random(1).randbytes(5000))
        assert refusal(path).sentence.endswith(DAMAGED)


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "ods"])
def test_a_flipped_bit_anywhere_in_an_archive_is_noticed_or_does_no_harm(tmp_path: Path, kind: str) -> None:
    """An archive has checksums: what is read is what was written, or nothing is."""
    whole = write(tmp_path / f"whole.{kind}").read_bytes()
    rng = random.Random(7)
    path = tmp_path / f"a.{kind}"
    for _ in range(120):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 1, 1, 3])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        with suppress(InputError):
            assert read(path) == EXPECTED


def test_a_damaged_old_workbook_never_crashes(tmp_path: Path) -> None:
    """An .xls has no checksums: a flipped bit in a number cannot be noticed, but nothing else may happen."""
    whole = write(tmp_path / "whole.xls").read_bytes()
    rng = random.Random(7)
    path = tmp_path / "a.xls"
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 2, 8])):
            at = rng.choice([rng.randrange(len(content)), rng.randrange(512, 1536), rng.randrange(512)])
            content[at] = rng.choice([0, 1, 0x7F, 0xFF, rng.randrange(256)])
        path.write_bytes(content)
        try:
            read(path)
        except InputError:
            refused += 1
    assert refused > 30


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "ods"])
def test_parts_damaged_before_they_were_packed_never_crash(tmp_path: Path, kind: str) -> None:
    """The checksums fit, so everything behind them is put to the test."""
    whole = write(tmp_path / f"whole.{kind}").read_bytes()
    rng = random.Random(11)
    path = tmp_path / f"a.{kind}"
    refused = 0
    for _ in range(120):
        path.write_bytes(whole)
        with zipfile.ZipFile(path) as archive:
            victim = rng.choice(archive.namelist())

        def spoilt(name: str, content: bytes, victim: str = victim) -> bytes:
            if name != victim or not content:
                return content
            at = rng.randrange(len(content))
            cut = rng.choice([0, 0, 1, 40])
            return content[:at] + rng.randbytes(rng.choice([0, 1, 1, 5])) + content[at + 1 + cut :]

        changed_zip(path, spoilt)
        try:
            read(path)
        except InputError:
            refused += 1
    assert refused > 10


def test_a_string_that_is_not_among_the_shared_ones_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsb"
    text = record(7, struct.pack("<III", 0, 0, 5))
    sheet = xlsb_sheet([["phone"], [601000001]]).replace(xlsb_cell(0, 601000001), text)
    write_xlsb(path, {"Sheet 1": sheet})
    assert refusal(path).sentence.endswith(DAMAGED)


def test_a_part_that_ends_too_early_is_told_as_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsb")
    changed_zip(path, lambda name, content: content[:-40] if name == "xl/workbook.bin" else content)
    assert refusal(path).sentence.endswith(DAMAGED)


def test_a_directory_that_points_before_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx")
    content = bytearray(path.read_bytes())
    end = content.rfind(b"PK\x05\x06")
    (start,) = struct.unpack_from("<I", content, end + 16)
    content[end + 16 : end + 20] = struct.pack("<I", start + 5000)
    path.write_bytes(content)
    assert refusal(path).sentence.endswith(DAMAGED)


def test_a_failing_disk_is_not_told_as_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    path = write(tmp_path / "a.xlsx")
    monkeypatch.setattr("bulk_remove.reader.workbook._Choice", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read(path)


def test_a_bomb_beside_the_sheets_is_never_inflated(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/media/image1.bin", "w") as part:
        for _ in range(80):
            part.write(bytes(1 << 20))
    assert read(path) == EXPECTED


@pytest.mark.parametrize("name", ["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"])
def test_a_bomb_is_refused_by_what_its_directory_says(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.xlsx")
    changed_zip(path, lambda part, content: content + b" " * (80 << 20) if part == name else content)
    size = 64 if "sheet" in name else 16
    assert f"would expand to more than {size} MB" in refusal(path).sentence


def test_a_bomb_with_a_lying_directory_is_inflated_to_no_more_than_it_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx")
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    changed_sheet(path, lambda content: content + b" " * (30 << 20))
    content = bytearray(path.read_bytes())
    (at,) = (
        found
        for found in range(len(content))
        if content[found : found + 4] == b"PK\x01\x02" and content[found + 46 :].startswith(b"xl/worksheets/sheet1.xml")
    )
    content[at + 24 : at + 28] = struct.pack("<I", size)
    path.write_bytes(content)
    assert refusal(path).sentence.endswith(DAMAGED)


@pytest.mark.parametrize("change", ["a second directory", "two parts of one name", "a name that does not match"])
def test_an_archive_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, change: str) -> None:
    path = write(tmp_path / "a.xlsx")
    content = path.read_bytes()
    if change == "a second directory":
        path.write_bytes(content + content[content.rfind(b"PK\x05\x06") :])
    elif change == "two parts of one name":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("XL/workbook.xml", b"<workbook/>")
    else:
        path.write_bytes(content.replace(b"xl/worksheets/sheet1.xml", b"xl/worksheets/sheet2.xml", 1))
    assert refusal(path).sentence.endswith(DAMAGED)


FAR: dict[str, tuple[bytes, list[int]]] = {
    "the last cell": (b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', [1048576]),
    "in a corner of its own": (
        b'<row r="30"><c r="XFD30"><v>1</v></c></row><row r="900000"><c r="A900000"><v>1</v></c></row>',
        [30, 900000],
    ),
    "in other quotes": (b"<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>", [1048576]),
    "after another attribute": (b'<row r="1048576"><c s="0" r="XFD1048576"><v>1</v></c></row>', [1048576]),
    "on another line": (b'<row\nr="1048576"><c\nr="XFD1048576"><v>1</v></c></row>', [1048576]),
    "by the row alone": (b'<row r="1048576"><c><v>1</v></c></row>', [1048576]),
    "in a row of its own": (b"<row><c><v>1</v></c></row>", [27]),
    "in small letters": (b'<row r="1048576"><c r="xfd1048576"><v>1</v></c></row>', [1048576]),
    "as inline text": (b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>', [1048576]),
    "of somebody else's": (b'<row r="30"><y:c r="A30"><v>601000099</v></y:c></row>', []),
}


@pytest.mark.parametrize(("cells", "rows"), FAR.values(), ids=FAR)
def test_a_cell_in_a_far_corner_is_a_cell_like_others(tmp_path: Path, cells: bytes, rows: list[int]) -> None:
    path = changed_sheet(
        write(tmp_path / "a.xlsx"),
        lambda content: ended_with(cells, content).replace(b"<worksheet ", b'<worksheet xmlns:y="y" '),
    )
    found = read(path)
    assert found[:25] == EXPECTED
    assert [row for row, _ in found[25:]] == rows


NOWHERE = {
    "beyond Excel's rows": b'<row r="1048577"><c r="A1048577"><v>1</v></c></row>',
    "beyond any number": b'<row r="99999999999999999999"><c r="A1"><v>1</v></c></row>',
    "beyond Excel's columns": b'<row r="30"><c r="XFE30"><v>1</v></c></row>',
    "in another row than it stands in": b'<row r="30"><c r="A31"><v>1</v></c></row>',
    "left of the one before": b'<row r="30"><c r="B30"><v>1</v></c><c r="A30"><v>1</v></c></row>',
    "twice": b'<row r="30"><c r="A30"><v>601000030</v></c><c r="A30"><v>601000031</v></c></row>',
    "twice, and oddly written": b"<row r='30'><c r='A30'><v>601000030</v></c><c r='A30'><v>601000031</v></c></row>",
    "without a column": b'<row r="30"><c r="30"><v>1</v></c></row>',
    "of no known type": b'<row r="30"><c r="A30" t="z"><v>1</v></c></row>',
    "that is no number": b'<row r="30"><c r="A30"><v>1_0</v></c></row>',
    "with no such string": b'<row r="30"><c r="A30" t="s"><v>-1</v></c></row>',
}


@pytest.mark.parametrize("cells", NOWHERE.values(), ids=NOWHERE)
def test_a_cell_that_cannot_be_is_refused(tmp_path: Path, cells: bytes) -> None:
    path = changed_sheet(write(tmp_path / "a.xlsx"), partial(ended_with, cells))
    assert refusal(path).sentence.endswith(DAMAGED)


@pytest.mark.parametrize(
    "written", [b'<row r="5"><c r="A5"><v>601000099</v></c></row>', b"<row r='5'><c r='A5'><v>601000099</v></c></row>"]
)
def test_rows_that_are_not_in_their_order_are_refused_with_the_row(tmp_path: Path, written: bytes) -> None:
    path = changed_sheet(write(tmp_path / "a.xlsx"), partial(ended_with, written))
    assert refusal(path).sentence == f"{path}, sheet 'Sheet': the rows are not in order: row 5 follows row 26."


def test_a_cell_that_says_twice_where_it_stands_is_refused(tmp_path: Path) -> None:
    path = changed_sheet(
        write(tmp_path / "a.xlsx"), lambda content: content.replace(b'<c r="A9"', b'<c r="A9" r="XFD1048576"')
    )
    assert refusal(path).sentence.endswith(DAMAGED)


def test_far_cells_that_are_blank_are_no_rows(tmp_path: Path) -> None:
    blank = b'<row r="30"><c r="XFD30" s="0"/></row><row r="1048576"><c r="A1048576" s="0"/></row>'
    for cells in (blank, blank.replace(b'"', b"'")):
        assert read(changed_sheet(write(tmp_path / "a.xlsx"), partial(ended_with, cells))) == EXPECTED


def ended_with(rows: bytes, content: bytes) -> bytes:
    """Add rows to those of a sheet."""
    return content.replace(b"</sheetData>", rows + b"</sheetData>")


def test_a_sheet_of_many_columns_is_measured_and_read(tmp_path: Path) -> None:
    data: Rows = [[601000000 + n, *range(99)] for n in range(300)]
    rows = [["phone", *[f"c{n}" for n in range(99)]], *data]
    assert read(write(tmp_path / "a.xlsx", rows)) == [(n + 2, str(601000000 + n)) for n in range(300)]


def test_a_sheet_of_inline_text_in_pieces_is_read(tmp_path: Path) -> None:
    data: Rows = [[601000000 + n, "ł<c r='&" * (n % 50)] for n in range(6000)]
    rows = [["phone", "x"], *data]
    assert read(write(tmp_path / "a.xlsx", rows)) == [(n + 2, str(601000000 + n)) for n in range(6000)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1250"])
@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_parts_in_another_encoding_are_read(tmp_path: Path, encoding: str, kind: str) -> None:
    def encoded(name: str, content: bytes) -> bytes:
        if not name.endswith((".xml", ".rels")) or name.startswith("META-INF"):
            return content
        text = re.sub(r"^<\?xml.*?\?>", "", content.decode())
        return f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)

    path = write(tmp_path / f"a.{kind}", [["phone", "imię"], *[[number, "Łucja"] for _, number in EXPECTED]])
    changed_zip(path, encoded)
    table = open_table(str(path), ReadOptions(keep_columns=True))
    assert table.source.header == ("phone", "imię")
    assert [cells for block in table.blocks() for cells in block.others] == [(cell, "Łucja") for _, cell in EXPECTED]


def test_how_many_strings_there_are_said_to_be_does_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx")
    changed_zip(path, lambda _, content: re.sub(rb'uniqueCount="[0-9]+"', b'uniqueCount="99999999999"', content))
    assert read(path) == EXPECTED


def test_a_far_cell_of_a_binary_workbook_is_refused(tmp_path: Path) -> None:
    sheet = xlsb_sheet(ROWS).replace(xlsb_cell(0, 601000009), xlsb_cell(1 << 31, 601000009))
    write_xlsb(tmp_path / "a.xlsb", {"Sheet 1": sheet})
    assert refusal(tmp_path / "a.xlsb").sentence.endswith(DAMAGED)


@pytest.mark.parametrize("cut", [1, 5, 9])
def test_a_torn_record_of_a_binary_workbook_is_refused(tmp_path: Path, cut: int) -> None:
    write_xlsb(tmp_path / "a.xlsb", {"Sheet 1": xlsb_sheet(ROWS)[:-cut] + record(6, b"\0\0\0\0") * (cut == 9)})
    assert refusal(tmp_path / "a.xlsb").sentence.endswith(DAMAGED)


@pytest.mark.parametrize(
    "dimensions",
    [
        struct.pack("<IIHHH", 0, 0xFFFFFFFF, 0, 9, 0),
        struct.pack("<IIHHH", 0, 5, 0, 0xFFFF, 0),
        struct.pack("<IIHHH", 9, 5, 0, 9, 0),
    ],
    ids=["rows", "columns", "backwards"],
)
def test_what_an_old_workbook_says_of_its_size_does_not_matter(tmp_path: Path, dimensions: bytes) -> None:
    path = tmp_path / "a.xls"
    stream = workbook_stream({"Sheet 1": biff_sheet(ROWS, dimensions=dimensions)})
    path.write_bytes(compound_file({"Workbook": stream}))
    assert read(path) == EXPECTED


def test_an_old_workbook_with_a_far_column_or_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    sheet = biff_sheet(ROWS)
    far = sheet[:-4] + biff(0x203, struct.pack("<HHHd", 60000, 60000, 0, 1.0)) + sheet[-4:]
    for content in (far, sheet[:-4] + b"\xff" * 8):
        path.write_bytes(compound_file({"Workbook": workbook_stream({"Sheet 1": content})}))
        assert refusal(path).sentence.endswith(DAMAGED)


CELL, ROW = "<table:table-cell ", "<table:table-row "
REPEATED = {
    "rows": f'{ROW}table:number-rows-repeated="1048576">{CELL}table:number-columns-repeated="99"/>'
    f'{CELL}office:value-type="float" office:value="1"/></table:table-row>',
    "cells": f'{ROW}>{CELL}table:number-columns-repeated="16385" office:value-type="float" office:value="1"/>'
    "</table:table-row>",
    "blanks": f'{ROW}>{CELL}office:value-type="string"><text:p><text:s text:c="1000000"/>'
    '<text:s text:c="1000000"/></text:p></table:table-cell></table:table-row>',
}


@pytest.mark.parametrize("rows", REPEATED.values(), ids=REPEATED)
def test_an_open_document_that_stands_for_too_much_is_refused(tmp_path: Path, rows: str) -> None:
    write_ods(tmp_path / "a.ods", {"Sheet 1": ods_sheet(ROWS) + rows})
    assert refusal(tmp_path / "a.ods").sentence.endswith(DAMAGED)


@pytest.mark.parametrize("damage", ['table:number-columns-repeated="-1"', 'table:number-columns-repeated="9999999999"'])
def test_an_open_document_with_an_absurd_count_is_refused(tmp_path: Path, damage: str) -> None:
    rows = ods_sheet(ROWS) + f"<table:table-row><table:table-cell {damage}/></table:table-row>"
    write_ods(tmp_path / "a.ods", {"Sheet 1": rows})
    assert refusal(tmp_path / "a.ods").sentence.endswith(DAMAGED)


def test_an_open_document_whose_text_breaks_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ods")
    changed_zip(path, lambda name, content: content[:-200] if name == "content.xml" else content)
    assert refusal(path).sentence.endswith(DAMAGED)


def test_a_workbook_that_changes_between_opening_and_reading_is_refused(tmp_path: Path) -> None:
    for kind in KINDS:
        path = write(tmp_path / f"a.{kind}")
        blocks = open_table(str(path), ReadOptions(block_rows=5)).blocks()
        next(blocks)
        os.utime(path, ns=(1, 1))
        with pytest.raises(InputError, match="changed while it was read"):
            list(blocks)


@pytest.mark.parametrize(
    ("between", "read_as"), [("<text:line-break/>", "\n"), ("<text:tab/>", "\t"), ("</text:p><text:p>", "\n")]
)
def test_two_numbers_in_a_cell_do_not_become_one(tmp_path: Path, between: str, read_as: str) -> None:
    path = tmp_path / "a.ods"
    cell = f'<table:table-cell office:value-type="string"><text:p>117{between}118</text:p></table:table-cell>'
    write_ods(path, {"Sheet 1": ods_sheet(ROWS) + f"<table:table-row>{cell}</table:table-row>"})
    assert read(path) == [*EXPECTED, (27, f"117{read_as}118")]


def test_an_open_document_out_of_which_too_much_would_come_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulk_remove.reader.cells._ALWAYS_BYTES", 2 << 20)
    cell = f'{CELL}office:value-type="float" office:value="1" table:number-columns-repeated="99"/>'
    many = f'{ROW}table:number-rows-repeated="9000">{cell}</table:table-row>'
    write_ods(tmp_path / "a.ods", {"Sheet 1": ods_sheet(ROWS) + many})
    assert len(read(tmp_path / "a.ods")) == 9025
    with pytest.raises(InputError, match="would expand to more than 2 MB"):
        open_table(str(tmp_path / "a.ods"), ReadOptions(column="phone", keep_columns=True))
