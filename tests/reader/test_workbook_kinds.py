"""Every kind of workbook: what its cells become, and what is refused because it is not what its name says."""

import shutil
import zipfile
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, Table, open_table
from tests.support.workbook_here import read_workbooks_here
from tests.support.workbooks import (
    Rows,
    biff,
    biff_sheet,
    changed_zip,
    compound_file,
    ods_sheet,
    workbook_stream,
    write_any,
    write_ods,
    write_xlsb,
    xlsb_sheet,
)

KEPT = Path(__file__).parent / "workbooks"
KINDS = ["xlsx", "xlsm", "xlsb", "xls", "ods"]
ROWS: Rows = [
    ["phone", "imię"],
    [" 0048 601 000 001 ", "text"],
    [48601000002, "number"],
    [48601000003.0, "float"],
    [601000004.5, "fraction"],
    [4860100000512345, "too long"],
    [True, "boolean"],
    [None, "blank"],
    [None, None],
    ["601000006", "Łucja & <Jan>"],
]
CELLS = [
    (2, " 0048 601 000 001 "),
    (3, "48601000002"),
    (4, "48601000003"),
    (5, "601000004.5"),
    (6, "4.860100000512345e+15"),
    (7, "TRUE"),
    (8, ""),
    (10, "601000006"),
]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    read_workbooks_here(monkeypatch)


def write(path: Path, rows: Rows, hidden: tuple[int, ...] = ()) -> str:
    if path.suffix in {".xlsx", ".xlsm"}:
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.title = "Sheet 1"
        for row in rows:
            sheet.append(list(row))
        for number in hidden:
            sheet.row_dimensions[number].hidden = True
        book.save(path)
    else:
        write_any(path, rows, hidden)
    return str(path)


def rows_of(table: Table) -> list[tuple[int, str]]:
    return [pair for block in table.blocks() for pair in zip(block.rows, block.cells, strict=True)]


def refusal(path: Path | str) -> InputError:
    with pytest.raises(InputError) as caught:
        rows_of(open_table(str(path), ReadOptions()))
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_rows", [5000, 3], ids=["whole", "in blocks"])
def test_every_kind_reads_the_same_cells(tmp_path: Path, kind: str, block_rows: int) -> None:
    path = write(tmp_path / f"numbers.{kind}", ROWS)
    table = open_table(path, ReadOptions(block_rows=block_rows))
    assert rows_of(table) == CELLS
    assert (table.source.sheet, table.source.header, table.source.header_row) == ("Sheet 1", ("phone", "imię"), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_all_cells_on_demand(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"numbers.{kind}", ROWS)
    others = [row for block in open_table(path, ReadOptions(keep_columns=True)).blocks() for row in block.others]
    assert others[0] == (" 0048 601 000 001 ", "text")
    assert others[-1] == ("601000006", "Łucja & <Jan>")
    assert len(others) == len(CELLS)


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_rows_are_rows_and_the_operator_is_told(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"numbers.{kind}", ROWS, hidden=(3, 5))
    table = open_table(path, ReadOptions())
    assert rows_of(table) == CELLS
    assert table.source.notes == ("2 rows are hidden or filtered out in the sheet; they are read like the others.",)
    assert open_table(write(tmp_path / f"plain.{kind}", ROWS), ReadOptions()).source.notes == ()


@pytest.mark.parametrize(("kind", "read"), [("xlsb", "#N/A"), ("xls", "#N/A"), ("ods", "#N/A")])
def test_an_error_cell_is_no_number(tmp_path: Path, kind: str, read: str) -> None:
    table = open_table(
        write(tmp_path / f"a.{kind}", [["phone", "x"], ["#N/A", "x"], ["601000001", "y"]]), ReadOptions()
    )
    assert rows_of(table) == [(2, read), (3, "601000001")]
    assert table.source.notes == ()


@pytest.mark.parametrize("really", ["xlsx", "xlsb", "xls", "ods"])
@pytest.mark.parametrize("named", KINDS)
def test_a_workbook_under_another_kinds_name_is_refused_and_told_apart(tmp_path: Path, really: str, named: str) -> None:
    path = tmp_path / f"named.{named}"
    shutil.move(write(tmp_path / f"really.{really}", ROWS), path)
    if named.replace("xlsm", "xlsx") == really:
        assert rows_of(open_table(str(path), ReadOptions())) == CELLS
    else:
        error = refusal(path)
        assert f"{path} is not what its name says: it is " in error.sentence
        assert f"(.{really})" in error.sentence
        assert error.hint == f"Rename it so that its name ends in .{really}."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"phone,x\n601000001,a\n", "text, such as CSV"),
        ("telefon;imię\n601000001;Łucja\n".encode(), "text, such as CSV"),
        (b"<html><body><table><tr><td>601000001", "a web page (HTML)"),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html><table>", "a web page (HTML)"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">', "XML of Excel 2003"),
        (
            b'<?xml version="1.0"?><office:document xmlns="urn:oasis:names:tc:opendocument:x">',
            "a flat OpenDocument file",
        ),
        (b"<?xml version='1.0'?><a/>", "an XML file"),
        (b"\x1f\x8b\x08" + bytes(30), "a file packed with gzip"),
        (b"%PDF-1.7\n\x00", "a PDF document"),
        (b"{\\rtf1 601000001}", "a text document (RTF)"),
        (b"\t\4\6\0\0\0\x10\0" + bytes(30), "a workbook of Excel 4 or earlier"),
        (compound_file({"WordDocument": b"x"}), "a document of another program"),
    ],
)
@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_what_is_no_workbook_is_refused_with_what_it_is(tmp_path: Path, content: bytes, told: str, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content)
    error = refusal(path)
    assert error.sentence.startswith(f"{path} is not what its name says: it is ")
    assert told in error.sentence
    assert "601000001" not in error.sentence + error.hint


def test_a_zip_of_something_else_is_refused_with_that(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    assert "it is a zip archive without a workbook in it" in refusal(path).sentence


def test_a_workbook_with_a_password_is_refused_with_that(tmp_path: Path) -> None:
    assert refusal(KEPT / "password.xlsx").sentence.endswith("password.xlsx is protected with a password.")
    old = tmp_path / "old.xls"
    stream = workbook_stream({"Sheet 1": biff_sheet(ROWS)}, extra=biff(0x2F, b"\x01\x00" + bytes(52)))
    old.write_bytes(compound_file({"Workbook": stream}))
    assert refusal(old).sentence == f"{old} is protected with a password."
    open_document = tmp_path / "open.ods"
    write_ods(open_document, {"Sheet 1": ods_sheet(ROWS)}, encrypted="<manifest:encryption-data/>")
    assert refusal(open_document).sentence == f"{open_document} is protected with a password."
    binary = tmp_path / "binary.xlsb"
    binary.write_bytes(compound_file({"EncryptedPackage": b"x", "EncryptionInfo": b"y"}))
    assert refusal(binary).sentence == f"{binary} is protected with a password."


def test_a_part_encrypted_by_a_zip_program_is_refused(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "a.xlsx", ROWS))
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    content[at + 8] |= 1
    path.write_bytes(content)
    assert "protected with a password" in refusal(path).sentence


@pytest.mark.parametrize("kind", KINDS)
def test_a_sheet_of_many_rows_reads_whole(tmp_path: Path, kind: str) -> None:
    data: Rows = [[601000000 + n, f"n{n}"] for n in range(9000)]
    rows = [["phone", "x"], *data]
    table = open_table(write(tmp_path / f"a.{kind}", rows), ReadOptions(block_rows=1000))
    assert rows_of(table) == [(n + 2, str(601000000 + n)) for n in range(9000)]


def test_rows_and_cells_that_stand_for_many_are_counted_in_open_document(tmp_path: Path) -> None:
    path = tmp_path / "a.ods"
    rows = ods_sheet([["phone", "x"], ["601000001", "a"]])
    rows += '<table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="16384"/>'
    rows += '</table:table-row><table:table-row table:number-rows-repeated="2">'
    rows += '<table:table-cell office:value-type="float" office:value="601000002"/></table:table-row>'
    rows += '<table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>'
    write_ods(path, {"Sheet 1": rows})
    assert rows_of(open_table(str(path), ReadOptions())) == [(2, "601000001"), (6, "601000002"), (7, "601000002")]


def test_open_documents_dates_and_durations_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.ods"
    rows = ods_sheet([["phone", "x"], ["601000001", "a"]])
    for attributes in ('"date" office:date-value="2024-01-05"', '"time" office:time-value="PT30H00M00S"'):
        rows += f"<table:table-row><table:table-cell office:value-type={attributes}/></table:table-row>"
    write_ods(path, {"Sheet 1": rows})
    assert [cell for _, cell in rows_of(open_table(str(path), ReadOptions()))][1:] == ["date 2024-01-05", "PT30H00M00S"]


def test_the_names_of_sheets_lead_to_their_own_notes(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsb"
    other = xlsb_sheet([["x"], ["y"]], hidden=(1, 2))
    write_xlsb(path, {"Łódź & Co": xlsb_sheet(ROWS, hidden=(2,)), "Other": other})
    source = open_table(str(path), ReadOptions()).source
    assert (source.sheet, source.notes[0][:8]) == ("Łódź & Co", "1 row is")


def test_a_workbook_of_prefixed_elements_reads_the_same(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "a.xlsx", ROWS, hidden=(3,)))
    namespace = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"

    def prefixed(name: str, content: bytes) -> bytes:
        if "sheet1" not in name:
            return content
        content = content.replace(b"</", b"\0").replace(b"<", b"<x:").replace(b"\0", b"</x:").replace(b"<x:?", b"<?")
        return content.replace(b'xmlns="' + namespace, b'xmlns:x="' + namespace)

    changed_zip(path, prefixed)
    table = open_table(str(path), ReadOptions())
    assert rows_of(table) == CELLS
    assert table.source.notes[0].startswith("1 row is hidden")
