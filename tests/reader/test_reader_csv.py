"""Reading CSV: every cell as it stands in the file, every row with its number, or a refusal that says why."""

import csv
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, Table, open_table

Write = Callable[..., str]
ALL = ReadOptions(column="phone", keep_columns=True)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "numbers.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def rows_of(table: Table) -> list[tuple[int, str]]:
    return [pair for block in table.blocks() for pair in zip(block.rows, block.cells, strict=True)]


def read(path: str, options: ReadOptions | None = None) -> list[tuple[int, str]]:
    return rows_of(open_table(path, options or ReadOptions(column="phone")))


def refusal(path: str, options: ReadOptions | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, options)
    return caught.value


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.tsv", "a.txt"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["plain", "bom"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_every_dialect_reads_the_same(write: Write, name: str, delimiter: str, bom: str, newline: str) -> None:
    lines = ["phone^imię", "601000001^Łucja", '"601000002"^"x^y"', ""]
    table = open_table(write(bom + newline.join(lines).replace("^", delimiter), name), ReadOptions(keep_columns=True))
    (block,) = table.blocks()
    assert list(block.rows) == [2, 3]
    assert list(block.others) == [("601000001", "Łucja"), ("601000002", f"x{delimiter}y")]
    assert (table.source.delimiter, table.source.header) == (delimiter, ("phone", "imię"))
    assert table.source.encoding == ("utf-8-sig" if bom else "utf-8")


def test_the_source_says_what_was_read_and_why(write: Write) -> None:
    content = b"id,Telefon\n1,601000001\n"
    path = write(content)
    source = open_table(path, ReadOptions()).source
    assert (source.file, source.sheet, source.column, source.column_reason) == (path, "", 1, "named 'Telefon'")
    assert (source.sha256, source.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))


def test_the_other_cells_are_kept_only_on_demand(write: Write) -> None:
    path = write("id,phone\n1,601000001\n")
    assert [list(block.others) for block in open_table(path, ReadOptions()).blocks()] == [[]]
    assert [list(block.others) for block in open_table(path, ALL).blocks()] == [[("1", "601000001")]]


@pytest.mark.parametrize(
    "cell",
    ["0048601000001", "48601000001.0", "NA", "null", "4.86E+10", "True", " 601 000 001 ", "+48\u00a0601", "#N/A"],
)
def test_a_cell_keeps_its_text_exactly(write: Write, cell: str) -> None:
    assert read(write(f"phone\n{cell}\n")) == [(2, cell)]


def test_duplicate_and_empty_names_of_columns_survive(write: Write) -> None:
    table = open_table(write("phone,x,x,,\n601000001,a,b,c,\n"), ReadOptions(keep_columns=True))
    assert table.source.header == ("phone", "x", "x", "", "")
    assert [list(block.others) for block in table.blocks()] == [[("601000001", "a", "b", "c", "")]]


def test_the_byte_order_mark_is_no_part_of_a_quoted_header(write: Write) -> None:
    assert read(write('\ufeff"a\nb",phone\n1,601000001\n')) == [(2, "601000001")]


def test_a_column_without_a_delimiter_is_a_table(write: Write) -> None:
    assert read(write("phone\n601000001\n601000002")) == [(2, "601000001"), (3, "601000002")]


def test_a_delimiter_inside_quotes_does_not_mislead_the_choice(write: Write) -> None:
    assert read(write('"a, b, c, d";phone\n"x, y, z, v";601000001\n')) == [(2, "601000001")]


def test_the_rows_settle_a_header_that_two_delimiters_cut_alike(write: Write) -> None:
    path = write("name, first;phone\nx;601000001\ny;601000002\n")
    assert open_table(path, ReadOptions()).source.header == ("name, first", "phone")


@pytest.mark.parametrize("options", [ReadOptions(block_rows=3), ALL], ids=["phone alone", "all columns"])
def test_blank_rows_are_no_rows_but_are_counted(write: Write, options: ReadOptions) -> None:
    long_blank = " " * 40
    path = write(f'\n \nphone,x\n\n601000001,\n,\n \t,\u00a0\n"",""\n,x\n{long_blank}\n{long_blank}x\n,{" " * 40}y\n1')
    expected = [(5, "601000001"), (9, ""), (11, long_blank + "x"), (12, ""), (13, "1")]
    assert [pair for pair in read(path, options) if pair[1].strip() or pair[0] != 10] == expected


def test_a_cell_may_hold_lines_and_quotes(write: Write) -> None:
    path = write('phone,note\r\n601000001,"one\r\ntwo, ""three"""\r\n"601000002",5" pipe\r\n')
    table = open_table(path, ALL)
    (block,) = table.blocks()
    assert list(block.others) == [("601000001", 'one\r\ntwo, "three"'), ("601000002", '5" pipe')]
    assert list(block.rows) == [2, 3]


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ('phone,x\n1,a\n601000001,"a\n601000002,b\n', 3),
        ('phone,x\n601000001,"a\n601000002,b\n601000003,"c"\n', 2),
        ('phone,x\n601000001,"a"b\n', 2),
        ('phone,x\n601000001,"a" \n', 2),
        ('phone,x\n1,"ok\n"\n\n601000001,"' + "601000002,b\n" * 20_000 + '"', 4),
        ('phone,"x\n601000001,b\n', 1),
    ],
    ids=["at the end", "closed by the next", "text after it", "a space after it", "far too long", "in the header"],
)
def test_a_quote_that_is_not_closed_is_refused_with_its_row(write: Write, content: str, row: int) -> None:
    error = refusal(write(content), ReadOptions(column="1"))
    assert f"the quotes of row {row} are not balanced" in error.sentence
    assert "601000" not in error.sentence + error.hint


def test_no_such_file(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "none.csv")).sentence == f"There is no file {tmp_path}/none.csv."


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    assert refusal(str(tmp_path / "a.csv")).sentence.endswith("a.csv is a folder.")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert refusal(str(tmp_path / "a.csv")).sentence.endswith("a.csv is not a regular file.")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(PermissionError(), "may not be read by this user"), (OSError(5, "Input/output error"), "Input/output error")],
    ids=["permission", "disk"],
)
def test_a_file_that_cannot_be_opened_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch, error: OSError, sentence: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    path = write("phone\n601000001\n")
    monkeypatch.setattr(os, "open", fail)
    assert sentence in refusal(path).sentence


@pytest.mark.parametrize("name", ["a.doc", "a.pdf", "a"])
def test_another_kind_of_file_is_refused_with_the_kinds_that_are_read(write: Write, name: str) -> None:
    assert ".xlsm and .xlsx" in refusal(write("phone\n601000001\n", name)).sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("\n \n,,\n", "holds no text"),
        ("\ufeff", "holds no text"),
        ("phone,x", "has no rows under its header"),
        ("phone,x\n,\n\n \n", "has no rows under its header"),
    ],
    ids=["nothing", "blank", "bom alone", "header alone", "header and blank rows"],
)
def test_a_file_without_rows_is_refused(write: Write, content: str, sentence: str) -> None:
    assert sentence in refusal(write(content)).sentence


def test_a_table_without_a_certain_column_is_refused_with_its_file(write: Write) -> None:
    path = write("id,kod\n1,601000001\n")
    assert refusal(path, ReadOptions()).sentence.startswith(f"{path}: No column is certain")


@pytest.mark.parametrize("change", ["grown", "touched", "shrunk"])
def test_a_file_that_changes_while_it_is_read_is_refused(write: Write, change: str) -> None:
    path = write("phone\n" + "601000001\n" * 100)
    blocks = open_table(path, ReadOptions(block_rows=10)).blocks()
    next(blocks)
    changes: dict[str, Callable[[], object]] = {
        "grown": lambda: write("phone\n" + "601000001\n" * 101),
        "touched": lambda: os.utime(path, ns=(1, 1)),
        "shrunk": lambda: write("phone\n"),
    }
    changes[change]()
    with pytest.raises(InputError, match="changed while it was read"):
        list(blocks)


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_refused(write: Write) -> None:
    path = write("phone\n601000001\n")
    table = open_table(path, ReadOptions())
    other = write("phone\n601000002\n", "other.csv")
    os.utime(other, ns=(1, Path(path).stat().st_mtime_ns))
    Path(other).replace(path)
    with pytest.raises(InputError, match="changed while it was read"):
        rows_of(table)


def test_a_file_that_becomes_unreadable_while_it_is_read_is_refused(write: Write) -> None:
    path = write("phone\n" + "601000001\n" * 100_000)
    blocks = open_table(path, ReadOptions(block_rows=1_000)).blocks()
    next(blocks)
    with Path(path).open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"\xff")
    with pytest.raises(InputError, match="changed while it was read"):
        list(blocks)


def test_a_table_can_be_read_again(write: Write) -> None:
    table = open_table(write("phone\n601000001\n"), ReadOptions())
    assert rows_of(table) == rows_of(table) == [(2, "601000001")]


def test_blocks_hold_at_most_the_rows_that_were_asked_for(write: Write) -> None:
    table = open_table(write("phone\n" + "601000001\n" * 25), ReadOptions(block_rows=10))
    assert [len(block.rows) for block in table.blocks()] in ([10, 10, 5], [8, 10, 7])
    assert [row for row, _ in rows_of(table)] == list(range(2, 27))


def test_memory_does_not_grow_with_the_file(write: Write) -> None:
    peaks = []
    for rows in (20_000, 200_000):
        table = open_table(write("id,phone,x\n" + '1,"601000001",abc\n' * rows), ReadOptions(block_rows=2000))
        tracemalloc.start()
        assert sum(len(block.rows) for block in table.blocks()) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_importing_the_reader_imports_neither_pandas_nor_what_reads_workbooks() -> None:
    code = (
        "import sys\nfrom bulk_remove.reader import open_table\n"
        "sys.exit(bool({'pandas', 'olefile', 'bulk_remove.reader.xlsx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
ROW = st.one_of(
    st.lists(st.one_of(TEXT, st.sampled_from(["601000001", '"', ",", ";", "|", "\r", "\n", "\ufeff"])), max_size=4),
    st.lists(st.sampled_from(["", " ", "\u00a0", "\t"]), max_size=4),
)


@settings(max_examples=3 * settings().max_examples)
@given(
    rows=st.lists(ROW, max_size=12),
    width=st.integers(2, 4),
    above=st.integers(0, 2),
    delimiter=st.sampled_from(",;\t|"),
    ending=st.sampled_from([("\r\n", False), ("\r\n", True), ("\n", True)]),
    bom=st.booleans(),
    block_rows=st.integers(1, 5),
    keep=st.booleans(),
)
def test_what_the_csv_module_writes_is_read_back_exactly(
    rows: list[list[str]],
    width: int,
    above: int,
    delimiter: str,
    ending: tuple[str, bool],
    bom: bool,
    block_rows: int,
    keep: bool,
) -> None:
    written = [*rows, ["601000002"]]
    text = io.StringIO(newline="")
    text.write("\ufeff" * bom + ending[0] * above)
    write_csv = partial(csv.writer, text, delimiter=delimiter, lineterminator=ending[0])
    writer = write_csv(quoting=csv.QUOTE_ALL) if ending[1] else write_csv()
    writer.writerows([["phone", "b", "c", "d"][:width], *(row[:width] for row in written)])
    full = [tuple(row[:width] + [""] * (width - len(row))) for row in written]
    expected = [(above + 2 + i, row) for i, row in enumerate(full) if any(cell.strip() for cell in row)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.csv"
        path.write_bytes(text.getvalue().encode())
        table = open_table(str(path), ReadOptions(column="phone", keep_columns=keep, block_rows=block_rows))
        blocks = list(table.blocks())
    numbered = [row for block in blocks for row in block.rows]
    assert list(zip(numbered, (cell for block in blocks for cell in block.cells), strict=True)) == [
        (row, cells[0]) for row, cells in expected
    ]
    assert [cells for block in blocks for cells in block.others] == ([cells for _, cells in expected] if keep else [])
