"""Which files the names on the command line mean."""

from pathlib import Path

import pytest

from bulk_remove.adapters.reader import find_files
from bulk_remove.core.model import REPORT_COLUMNS
from bulk_remove.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.xlsx", "c.csv.gz", "d.zip", "notes.pdf", "e.pdf.gz", ".hidden.csv", "~$a.xlsx", "README"):
        (tmp_path / name).write_text("phone\n601000001\n", encoding="utf-8")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "f.csv").write_text("phone\n601000001\n", encoding="utf-8")
    return tmp_path


def names(*given: str | Path) -> list[str]:
    return [Path(file).name for file in find_files([str(name) for name in given]).files]


def test_a_folder_means_its_readable_files_by_name_and_not_those_below(folder: Path) -> None:
    assert names(folder) == ["a.xlsx", "b.csv", "c.csv.gz", "d.zip"]


def test_a_pattern_means_what_it_matches(folder: Path) -> None:
    assert names(folder / "*.csv") == ["b.csv"]
    assert names(folder / "**" / "*.csv") == ["b.csv", "f.csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_the_file(folder: Path) -> None:
    (folder / "x[1].csv").write_text("phone\n", encoding="utf-8")
    assert names(folder / "x[1].csv") == ["x[1].csv"]


def test_a_file_is_read_once_however_it_is_named_and_that_is_told(folder: Path) -> None:
    found = find_files([str(folder / "b.csv"), str(folder), str(folder / "below" / ".." / "b.csv")])
    assert [Path(file).name for file in found.files] == ["b.csv", "a.xlsx", "c.csv.gz", "d.zip"]
    assert [note.endswith("is named twice; it is read once.") for note in found.notes] == [True, True]


def test_standard_input_and_files_that_are_missing_are_left_to_the_reader() -> None:
    assert find_files(["-", "nothing.csv"]).files == ("-", "nothing.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_report_in_a_folder_is_left_out_and_that_is_told(folder: Path, delimiter: str) -> None:
    header = delimiter.join(["name", *REPORT_COLUMNS])
    (folder / "report.csv").write_text(f"{header}\r\n", encoding="utf-8-sig")
    found = find_files([str(folder)])
    assert "report.csv" not in [Path(file).name for file in found.files]
    assert found.notes == (f"{folder / 'report.csv'} is a report of this tool; it is left out.",)
    assert names(folder / "report.csv") == ["report.csv"]


@pytest.mark.parametrize("name", ["below/nothing", "*.xls"], ids=["a folder", "a pattern"])
def test_a_folder_or_a_pattern_without_files_is_refused_with_the_kinds(folder: Path, name: str) -> None:
    (folder / "below" / "nothing").mkdir()
    with pytest.raises(InputError, match="no file that can be read") as refused:
        find_files([str(folder / name)])
    assert ".xlsm" in refused.value.hint
