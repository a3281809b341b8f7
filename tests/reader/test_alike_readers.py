"""A short file is read by Python's csv module, a long one by pandas: both must see the same rows in any text."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.model import RowBlock
from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, open_table

_CELLS = st.sampled_from(
    [
        "601000001",
        "+48 601 000 002",
        "",
        " ",
        "x",
        "phone",
        '"a;b"',
        '"a\nb"',
        'a"b',
        '""',
        "\u00a0",
        "601000003\t",
        "0",
    ]
)
_TEXTS = st.lists(st.lists(_CELLS, min_size=1, max_size=5).map(";".join), max_size=14).map("\n".join)
_ENDS = st.sampled_from(["", "\n", "\r\n", "\r", "\n\n"])


def _read(path: Path, short_bytes: int) -> list[tuple[object, ...]] | str:
    with patch("bulk_remove.reader.csv._SHORT_BYTES", short_bytes):
        try:
            table = open_table(str(path), ReadOptions(keep_columns=True))
            return [row for block in table.blocks() for row in _rows(block)]
        except InputError as error:
            return str(error)


def _rows(block: RowBlock) -> list[tuple[object, ...]]:
    others = [tuple(map(str, cells)) for cells in block.others]
    problems = [block.problems.get(index, "") for index in range(len(block.rows))]
    titles = [block.titles.get(index, "") for index in range(len(block.rows))]
    return list(zip(block.rows, block.cells, others, problems, titles, strict=True))


@given(_TEXTS, _ENDS, _ENDS)
def test_a_short_file_is_read_as_a_long_one(text: str, end: str, between: str) -> None:
    with TemporaryDirectory() as folder:
        _check(Path(folder) / "some.csv", text, end, between)


def _check(path: Path, text: str, end: str, between: str) -> None:
    body = f"id;phone;note\n{text}{end}"
    path.write_bytes((body.replace("\n", between) if between in {"\r\n", "\r"} else body).encode())
    assert _read(path, 1 << 20) == _read(path, -1)
