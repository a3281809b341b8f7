"""Inputs that are packed or piped in: read like the file inside, from a private copy, or refused before any harm."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from bulk_remove.errors import InputError, StorageError
from bulk_remove.reader import ReadOptions, open_table
from bulk_remove.reader import source as packed
from bulk_remove.reader import source as spool
from tests.support.tables import kept_of, refusal, rows_of, written

TEXT = "id;Imię;telefon\n1;Łucja;601000001\n\n2;Żaneta;601000002\n"
ROWS = [(2, "601000001"), (4, "601000002")]


def zipped(content: bytes, name: str = "numbers.csv", *more: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        for other in more:
            archive.writestr(other, b"x")
    return file.getvalue()


def workbook() -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.worksheets[0].append(["telefon"])
    book.worksheets[0].append(["601000001"])
    book.save(file)
    return file.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {"csv.gz": gzip.compress, "csv.zst": zstd.compress, "zip": zipped}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1250", "utf-16"])
def test_a_packed_file_is_read_like_the_file_inside(tmp_path: Path, kind: str, encoding: str) -> None:
    content = PACKERS[kind](TEXT.encode(encoding))
    path = written(tmp_path, content, f"numbers.{kind}")
    table = open_table(path, ReadOptions(keep_columns=True, spool_dir=tmp_path))
    assert rows_of(table) == rows_of(table) == ROWS
    assert kept_of(table)[0] == ("1", "Łucja", "601000001")
    source = table.source
    assert (source.file, source.size_bytes, source.sha256) == (path, len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("name", ["a.CSV.GZ", "a.tsv.gz", "a.txt.zst", "two.dots.csv.gz"])
def test_the_name_inside_tells_the_kind(tmp_path: Path, name: str) -> None:
    pack = zstd.compress if name.endswith("zst") else gzip.compress
    assert rows_of(open_table(written(tmp_path, pack(TEXT.encode()), name), ReadOptions())) == ROWS


@pytest.mark.parametrize("kind", ["xlsx.gz", "xlsx.zst", "zip"])
def test_a_packed_workbook_is_read(tmp_path: Path, kind: str) -> None:
    content = zipped(workbook(), "n.xlsx") if kind == "zip" else PACKERS["csv" + kind[4:]](workbook())
    table = open_table(written(tmp_path, content, f"n.{kind}"), ReadOptions())
    assert (table.source.sheet, rows_of(table)) == ("Sheet", [(2, "601000001")])
    assert table.source.size_bytes == len(content)


@pytest.mark.parametrize("name", ["a.gz", "a.pdf.gz", "a.csv.gz.gz", "a.zst"])
def test_another_kind_inside_is_refused_with_the_kinds_that_are_read(tmp_path: Path, name: str) -> None:
    assert ".xlsm and .xlsx" in refusal(written(tmp_path, gzip.compress(b"x"), name)).sentence


def test_another_kind_in_a_zip_is_refused(tmp_path: Path) -> None:
    assert "not a kind of file that can be read" in refusal(written(tmp_path, zipped(b"x", "a.pdf"), "a.zip")).sentence


def test_an_archive_of_several_files_is_refused_with_the_list(tmp_path: Path) -> None:
    sentence = refusal(written(tmp_path, zipped(b"x", "a.csv", "b\x1b.csv", "c/d.csv"), "a.zip")).sentence
    assert "does not hold exactly one file, but 'a.csv', 'b?.csv', 'c/d.csv'." in sentence
    many = zipped(b"x", "0.csv", *(f"{place}.csv" for place in range(1, 15)))
    assert refusal(written(tmp_path, many, "a.zip")).sentence.endswith("'9.csv' and 5 more.")


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    assert "it is empty" in refusal(str(tmp_path / "a.zip")).sentence


def test_folders_and_what_macos_adds_are_no_files(tmp_path: Path) -> None:
    content = zipped(TEXT.encode(), "in/numbers.csv", "__MACOSX/in/._numbers.csv", "in/")
    table = open_table(written(tmp_path, content, "a.zip"), ReadOptions())
    assert rows_of(table) == ROWS
    assert table.source.notes == ("The archive holds one file, 'in/numbers.csv'.",)


def test_a_file_with_a_password_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(TEXT.encode()))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    assert "protected with a password" in refusal(written(tmp_path, bytes(content), "a.zip")).sentence


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("damage", ["cut", "changed", "other", "tail cut"])
def test_a_damaged_archive_is_refused(tmp_path: Path, kind: str, damage: str) -> None:
    text = b"phone\n" + b"".join(b"%d\n" % (601000000 + 7919 * row % 99999989) for row in range(5000))
    whole = (
        zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})
        if "zst" in kind
        else PACKERS[kind](text)
    )
    middle = len(whole) // 2
    content = {
        "cut": whole[:middle],
        "changed": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        "other": b"phone\n601000001\n",
        "tail cut": whole[:-3],
    }[damage]
    error = refusal(written(tmp_path, content, f"numbers.{kind}"))
    assert "cannot be unpacked: it is damaged, cut short or not what its name says" in error.sentence


@pytest.mark.parametrize("kind", PACKERS)
def test_what_expands_beyond_all_measure_is_refused_before_it_fills_the_disk(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, PACKERS[kind](b"phone\n" + bytes(packed.ALWAYS_BYTES)), f"bomb.{kind}")
    assert "holds more than 67,108,864 bytes" in refusal(path).sentence


def test_a_column_that_repeats_may_expand_two_hundred_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "ALWAYS_BYTES", 0)
    text = "phone,x\n" + "".join(f"{601000000 + row},{'a' * 200}\n" for row in range(2000))
    path = written(tmp_path, gzip.compress(text.encode()), "a.csv.gz")
    assert len(rows_of(open_table(path, ReadOptions()))) == 2000


@pytest.mark.parametrize("kind", ["csv.gz", "csv.zst", "zip"])
def test_an_empty_packed_file_is_refused(tmp_path: Path, kind: str) -> None:
    assert "is empty" in refusal(written(tmp_path, b"", f"a.{kind}")).sentence
    assert "is empty" in refusal(written(tmp_path, PACKERS[kind](b""), f"a.{kind}")).sentence


def test_no_file_and_a_folder_are_told_as_for_any_file(tmp_path: Path) -> None:
    assert "There is no file" in refusal(str(tmp_path / "a.csv.gz")).sentence
    (tmp_path / "b.zip").mkdir()
    assert "is a folder" in refusal(str(tmp_path / "b.zip")).sentence


def test_the_copy_has_no_name_that_others_could_open(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    table = open_table(written(tmp_path, gzip.compress(TEXT.encode()), "a.csv.gz"), ReadOptions(spool_dir=folder))
    assert list(folder.iterdir()) == []
    assert rows_of(table) == ROWS


def test_two_readers_of_the_copy_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(b"phone\n" + b"601000001\n" * 100_000), "a.csv.gz")
    table = open_table(path, ReadOptions(block_rows=1000))
    pairs = list(zip(table.blocks(), table.blocks(), strict=True))
    assert all(first.rows == second.rows for first, second in pairs)
    assert sum(len(first.rows) for first, _ in pairs) == 100_000


def test_a_packed_file_may_go_once_it_is_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(TEXT.encode()), "a.csv.gz")
    table = open_table(path, ReadOptions())
    Path(path).unlink()
    assert rows_of(table) == ROWS


def test_a_packed_file_that_changes_while_it_is_unpacked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, gzip.compress(TEXT.encode()), "a.csv.gz")
    fill = spool.Spool.fill

    def touched(*arguments: object) -> int:
        os.utime(path, ns=(1, 1))
        return fill(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(spool.Spool, "fill", touched)
    assert "changed while it was read" in refusal(path).sentence


def test_no_room_for_the_copy_is_a_fault_of_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, gzip.compress((TEXT + TEXT.splitlines()[-1] + "\n" * 300_000).encode()), "a.csv.gz")
    assert isinstance(refusal(path, ReadOptions(spool_dir=tmp_path / "none")), StorageError)

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_, **__: Full())
    error = refusal(path)
    assert isinstance(error, StorageError)
    assert "No space left on device" in error.sentence


class Piped:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1250"])
def test_standard_input_is_read_as_csv(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    content = TEXT.encode(encoding)
    monkeypatch.setattr(sys, "stdin", Piped(content))
    table = open_table("-", ReadOptions())
    assert rows_of(table) == rows_of(table) == ROWS
    source = table.source
    assert (source.file, source.size_bytes, source.sha256) == (
        "(standard input)",
        len(content),
        hashlib.sha256(content).hexdigest(),
    )


def test_a_workbook_on_standard_input_is_known_by_its_first_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(workbook()))
    table = open_table("-", ReadOptions())
    assert (table.source.sheet, table.source.file, rows_of(table)) == ("Sheet", "(standard input)", [(2, "601000001")])


@pytest.mark.parametrize("name", ["customers.xls", "customers.ods", "customers.xlsx"])
def test_a_workbook_of_any_kind_can_be_piped_in(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    content = (Path(__file__).parents[2] / "sample_data" / name).read_bytes()
    monkeypatch.setattr(sys, "stdin", Piped(content))
    assert len(rows_of(open_table("-", ReadOptions()))) >= 25


def test_a_zip_on_standard_input_that_is_no_workbook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("numbers.csv", TEXT)
    monkeypatch.setattr(sys, "stdin", Piped(packed.getvalue()))
    assert (
        refusal("-").sentence == "(standard input) is not what is read: it is a zip archive without a workbook in it."
    )


def test_what_is_wrong_with_standard_input_is_told_by_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {b"": "is empty", b"id;kod\n1;2\n": "No column is certain", b"phone\n": "has no rows under its header"}
    for content, fault in faults.items():
        monkeypatch.setattr(sys, "stdin", Piped(content))
        error = refusal("-")
        assert error.sentence.startswith("(standard input)")
        assert fault in error.sentence


def test_a_standard_input_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Piped(b"")
    closed.buffer.close()
    for stdin in (None, closed):
        monkeypatch.setattr(sys, "stdin", stdin)
        error = refusal("-")
        assert isinstance(error, InputError)
        assert "cannot be read" in error.sentence


def test_an_endless_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(b"phone\n" + b"601000001\n" * 100_000))
    monkeypatch.setattr(packed, "MOST_BYTES", 1 << 19)
    assert "holds more than 524,288 bytes" in refusal("-").sentence


def test_a_real_pipe_is_read() -> None:
    code = (
        "from bulk_remove.reader import ReadOptions, open_table\n"
        "print([list(block.cells) for block in open_table('-', ReadOptions()).blocks()])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], input=TEXT.encode(), capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "[['601000001', '601000002']]"
