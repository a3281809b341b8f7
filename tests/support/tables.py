"""What tests of the reader ask of a table."""

from pathlib import Path

import pytest

from bulk_remove.errors import BulkRemoveError
from bulk_remove.reader import ReadOptions, Table, open_table


def written(folder: Path, content: str | bytes, name: str = "numbers.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def rows_of(table: Table) -> list[tuple[int, str]]:
    return [pair for block in table.blocks() for pair in zip(block.rows, block.cells, strict=True)]


def kept_of(table: Table) -> list[tuple[str, ...]]:
    return [cells for block in table.blocks() for cells in block.others]


def problems_of(table: Table) -> dict[int, str]:
    return {block.rows[index]: problem for block in table.blocks() for index, problem in block.problems.items()}


def refusal(path: str, options: ReadOptions | None = None) -> BulkRemoveError:
    with pytest.raises(BulkRemoveError) as caught:
        rows_of(open_table(path, options or ReadOptions()))
    return caught.value
