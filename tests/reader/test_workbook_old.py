"""Old workbooks, as the programs that write them do: numbers in few bytes, strings over several records, code pages."""

import struct
from pathlib import Path

import pytest

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, open_table
from tests.support.workbook_here import read_workbooks_here
from tests.support.workbooks import NOTHING, STREAM_END, TABLE, biff, compound_file, entry

LATIN, WIDE, RICH, PHONETIC = 0, 1, 8, 4


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    read_workbooks_here(monkeypatch)


def begin(version: int, kind: int) -> bytes:
    return biff(0x809, struct.pack("<HHHHII", version, kind, 0, 0, 0, 6))


def workbook(cells: bytes, own: bytes = b"", version: int = 0x600) -> bytes:
    """Return the stream of a workbook with one sheet."""
    name = b"\1S" if version < 0x600 else b"\1\0S"
    start = begin(version, 5) + own
    at = len(start) + 4 + 6 + len(name) + 4
    place = biff(0x85, struct.pack("<IBB", at, 0, 0) + name)
    return start + place + biff(0x0A) + begin(version, 0x10) + cells + biff(0x0A)


def label(row: int, column: int, text: str) -> bytes:
    return biff(0x204, struct.pack("<HHHHB", row, column, 0, len(text), LATIN) + text.encode("latin-1"))


def number(row: int, column: int, value: float) -> bytes:
    return biff(0x203, struct.pack("<HHHd", row, column, 0, value))


def shared(row: int, column: int, index: int) -> bytes:
    return biff(0xFD, struct.pack("<HHHI", row, column, 0, index))


def written(folder: Path, stream: bytes, name: str = "Workbook") -> str:
    path = folder / "a.xls"
    path.write_bytes(compound_file({name: stream}))
    return str(path)


def cells_of(path: str, **options: str) -> list[str]:
    table = open_table(path, ReadOptions(**options))  # type: ignore[arg-type] # only texts are given here
    return [cell for block in table.blocks() for cell in block.cells]


HEAD = label(0, 0, "x") + label(0, 1, "phone")


def test_numbers_in_few_bytes_are_read(tmp_path: Path) -> None:
    (upper,) = struct.unpack("<i", struct.pack("<d", 48601234500.0)[4:])
    (rounded,) = struct.unpack("<d", struct.pack("<Ii", 0, upper & ~3))
    few = {  # a whole number, a hundredth of one, the upper half of a float, a hundredth of that
        (536_000_000 << 2) | 2: "536000000",
        (536_000_150 << 2) | 3: "5360001.5",
        upper & ~3: f"{rounded:.0f}",
        (upper & ~3) | 1: repr(rounded / 100).removesuffix(".0"),
        (-5 << 2) | 2: "-5",
    }
    single = b"".join(biff(0x27E, struct.pack("<HHHi", row, 1, 0, value)) for row, value in enumerate(few, start=1))
    several = biff(0xBD, struct.pack("<HHHiHiH", 9, 0, 0, 0x2A, 0, (536_000_000 << 2) | 2, 1))
    path = written(tmp_path, workbook(HEAD + number(8, 1, 601234508) + single + several))
    assert cells_of(path) == [*few.values(), "601234508", "536000000"]


def test_results_of_formulas_are_read(tmp_path: Path) -> None:
    def formula(row: int, result: bytes) -> bytes:
        return biff(0x06, struct.pack("<HHH", row, 1, 0) + result + bytes(8))

    other = b"\0" * 5 + b"\xff\xff"
    text = biff(0x207, struct.pack("<HB", 9, WIDE) + "601234502".encode("utf-16-le"))
    cells = HEAD + formula(1, struct.pack("<d", 601234501.0)) + formula(2, b"\0" + other) + text
    cells += formula(3, b"\1\0\1\0\0\0\xff\xff") + formula(4, b"\2" + other) + formula(5, b"\3" + other)
    cells += b"".join(number(row, 0, 1) for row in range(1, 7)) + formula(6, b"\0" + other)
    table = open_table(written(tmp_path, workbook(cells)), ReadOptions())
    found = [cell for block in table.blocks() for cell in block.cells]
    assert found == ["601234501", "601234502", "TRUE", "#NULL!", "", "(formula)"]
    assert table.source.notes == ()


def strings(*parts: bytes, count: int) -> bytes:
    first, *more = parts
    return biff(0xFC, struct.pack("<II", count, count) + first) + b"".join(biff(0x3C, part) for part in more)


@pytest.mark.parametrize(
    "parts",
    [
        (b"\x09\0\x00601234501" + b"\x09\0\x00601234502",),
        (b"\x09\0\x00601234501", b"\x09\0\x00601234502"),
        (b"\x09\0\x006012", b"\x0034501" + b"\x09\0\x00601234502"),
        (b"\x09\0\x006012", b"\x01" + "34501".encode("utf-16-le") + b"\x09\0\x00601234502"),
        (b"\x09\0\x01" + "6012".encode("utf-16-le"), b"\x0034501" + b"\x09\0\x00601234502"),
        (b"\x09\0\x08\2\x00601234501" + bytes(8) + b"\x09\0\x00601234502",),
        (b"\x09\0\x08\2\x00601234501" + bytes(5), bytes(3) + b"\x09\0\x00601234502"),
        (b"\x09\0\x04\6\0\0\x00601234501" + bytes(6) + b"\x09\0\x00601234502",),
        (b"\x09\0\x0c\1\0\6\0\0\x00601234501" + bytes(10) + b"\x09\0\x00601234502",),
        (b"\x09", b"\0\x00601234501" + b"\x09\0\x00601234502"),
    ],
    ids=[
        "plain",
        "one a record",
        "torn",
        "torn, then wide",
        "wide, then torn",
        "with runs",
        "with torn runs",
        "with how it is spoken",
        "with both",
        "torn in its length",
    ],
)
def test_shared_strings_may_go_over_several_records(tmp_path: Path, parts: tuple[bytes, ...]) -> None:
    cells = HEAD + shared(1, 1, 0) + shared(2, 1, 1)
    for count in (2, 9):  # some programs promise more than there are
        stream = workbook(cells, strings(*parts, count=count))
        assert cells_of(written(tmp_path, stream)) == ["601234501", "601234502"]


@pytest.mark.parametrize(
    "own",
    [
        strings(b"\x09\0\x006012", count=1),
        strings(b"\x09\0\x0160123", b"\0", count=1),
        strings(b"\x09\0\x08\2\x00601234501", count=1),
        strings(b"", count=1),
    ],
    ids=["torn", "half a letter", "without its runs", "none"],
)
def test_shared_strings_that_are_not_whole_are_refused(tmp_path: Path, own: bytes) -> None:
    with pytest.raises(InputError, match="is damaged, or not a workbook"):
        cells_of(written(tmp_path, workbook(HEAD + shared(1, 1, 0), own)))


@pytest.mark.parametrize(
    ("page", "codec"), [(1250, "cp1250"), (1252, "cp1252"), (10000, "mac-roman"), (32769, "cp1252")]
)
def test_before_excel_97_texts_are_in_a_code_page(tmp_path: Path, page: int, codec: str) -> None:
    name = "imię" if codec == "cp1250" else "prénom"
    cells = b"".join(
        biff(0x204, struct.pack("<HHHH", row, column, 0, len(text)) + text.encode(codec))
        for row, column, text in [(0, 0, name), (0, 1, "phone"), (1, 0, "x"), (1, 1, "601234501")]
    )
    cells += number(2, 1, 601234502)
    stream = workbook(cells, biff(0x42, struct.pack("<H", page)), version=0x500)
    path = written(tmp_path, stream, "Book")
    assert open_table(path, ReadOptions()).source.header == (name, "phone")
    assert cells_of(path) == ["601234501", "601234502"]


@pytest.mark.parametrize("page", [1250, 1252, 1200, 0])
def test_since_excel_97_the_code_page_does_not_matter(tmp_path: Path, page: int) -> None:
    own = biff(0x42, struct.pack("<H", page)) + strings(b"\x09\0\x01" + "601234501".encode("utf-16-le"), count=1)
    assert cells_of(written(tmp_path, workbook(HEAD + shared(1, 1, 0), own))) == ["601234501"]


def test_cells_may_stand_in_any_order_but_only_once(tmp_path: Path) -> None:
    cells = [HEAD, *(number(row, 1, 601234500 + row) for row in (3, 1, 2))]
    assert cells_of(written(tmp_path, workbook(b"".join(cells)))) == ["601234501", "601234502", "601234503"]
    with pytest.raises(InputError, match="is damaged, or not a workbook"):
        cells_of(written(tmp_path, workbook(b"".join([*cells, number(2, 1, 601234599)]))))


def unfilled(stream: bytes) -> bytes:
    """Return a compound file with its table and directory first, and the stream last, without what fills its sector."""
    sectors = -(-len(stream) // 512)
    table = [TABLE, STREAM_END, *range(3, 2 + sectors), STREAM_END]
    table += [NOTHING] * (128 - len(table))
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, STREAM_END, 0, STREAM_END, 0) + struct.pack(
        "<109I", 0, *[NOTHING] * 108
    )
    root = entry("Root Entry", 5, STREAM_END, 0, child=1) + entry("Workbook", 2, 2, len(stream))
    return header + struct.pack("<128I", *table) + root.ljust(512, b"\0") + stream


def test_a_last_sector_that_is_not_filled_is_read_and_a_torn_one_refused(tmp_path: Path) -> None:
    many = b"".join(number(row, 1, 601234500 + row) for row in range(1, 300))
    content = unfilled(workbook(HEAD + many))
    path = tmp_path / "a.xls"
    path.write_bytes(content)
    assert len(content) % 512
    assert cells_of(str(path)) == [str(601234500 + row) for row in range(1, 300)]
    for missing in (1, 3, 600):
        path.write_bytes(content[:-missing])
        with pytest.raises(InputError, match="is damaged, or not a workbook"):
            cells_of(str(path))


def test_days_counted_from_1904_on_are_other_days(tmp_path: Path) -> None:
    own = biff(0x22, b"\1\0") + biff(0xE0, struct.pack("<HH", 0, 14) + bytes(16))
    path = written(tmp_path, workbook(HEAD + number(1, 1, 43834) + label(2, 1, "601234501"), own))
    assert cells_of(path) == ["date 2024-01-05", "601234501"]
