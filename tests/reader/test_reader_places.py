"""Which files the names on the command line mean."""

import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.core.model import REPORT_COLUMNS
from bulk_remove.errors import InputError, OwnReportError
from bulk_remove.reader import ReadOptions, find_files, open_table, open_tables
from bulk_remove.report.csv import write_for_polish_excel
from bulk_remove.run.again import is_report
from tests.support.tables import written


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


@pytest.mark.parametrize("place", ["done", "failed"])
def test_what_nights_have_put_away_is_left_out_of_folders_patterns_and_what_a_shell_names(
    folder: Path, place: str
) -> None:
    put_away = folder / place
    put_away.mkdir()
    for name in ("f.csv", "f.csv.note.txt"):
        (put_away / name).write_text("phone\n601000001\n", encoding="utf-8")
    (put_away / "f.csv.report.summary.json").write_text("{}", encoding="utf-8")
    note = f"{put_away} is left out: inbox puts files there when it is done with them. "
    note += "To read it, give only this folder."
    everything = [str(folder / name) for name in ("a.xlsx", "b.csv", place)]
    for given, files in (
        ([str(folder)], ["a.xlsx", "b.csv", "c.csv.gz", "d.zip"]),
        ([str(folder / "**" / "*.csv")], ["b.csv", "f.csv"]),
        (everything, ["a.xlsx", "b.csv"]),
    ):
        found = find_files(given)
        assert [Path(file).name for file in found.files] == files
        assert not any(Path(file).parent == put_away for file in found.files)
        assert found.notes == (note,)
    assert names(put_away) == names(put_away / "*.csv*") == ["f.csv"]


def test_what_lies_beside_a_report_is_left_out_of_a_pattern(folder: Path) -> None:
    for name in ("report.html", "report.summary.json", "page.html"):
        (folder / name).write_text("{}", encoding="utf-8")
    found = find_files([str(folder / "*.[hj]*")])
    assert [Path(file).name for file in found.files] == ["page.html"]
    assert found.notes == tuple(
        f"{folder / name} was written beside a report of this tool; it is left out."
        for name in ("report.html", "report.summary.json")
    )


ROW = ("opt-outs.csv", "2", "601000001", "601000001", "00001", "REMOVED", "1", "", "1", "0", "", "", "")
REPORT = [REPORT_COLUMNS, ROW]


def as_text(rows: Sequence[Sequence[str]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    return "".join(delimiter.join(row) + "\r\n" for row in rows).encode(encoding)


def for_polish_excel(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO(newline="")
    write_for_polish_excel(file, rows)
    return file.getvalue().encode()


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("report.csv", content)
    return file.getvalue()


def in_a_workbook(rows: Sequence[Sequence[str]], folder: Path, before: Sequence[Sequence[str]] = ()) -> bytes:
    book = openpyxl.Workbook()
    if before:
        for row in before:
            book.worksheets[0].append([*row])
        book.create_sheet("report")
    for row in rows:
        book.worksheets[-1].append([*row])
    book.save(folder / "aside.bin")
    return (folder / "aside.bin").read_bytes()


KEPT = [("telefon", "miasto", *REPORT_COLUMNS), ("601000001", "Kraków", *ROW)]
TURNED = [tuple(reversed(row)) for row in REPORT]
THINNED = [row[:8] for row in REPORT]
CASES: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "as it was written": ("r.csv", lambda _: as_text(REPORT)),
    "with the input's columns": ("r.csv", lambda _: as_text(KEPT)),
    "for a Polish Excel": ("r.csv", lambda _: for_polish_excel(REPORT)),
    "saved again by a Polish Excel": ("r.csv", lambda _: as_text(KEPT, ";", "cp1250")),
    "saved as Unicode text": ("r.txt", lambda _: as_text(REPORT, "\t", "utf-16")),
    "in another order": ("r.csv", lambda _: as_text(TURNED)),
    "without some columns": ("r.csv", lambda _: as_text(THINNED)),
    "with other capitals": ("r.csv", lambda _: as_text([tuple(map(str.title, REPORT_COLUMNS)), ROW])),
    "below a title": ("r.csv", lambda _: as_text([("Raport",), *REPORT])),
    "in an archive": ("r.zip", lambda _: zipped(as_text(REPORT))),
    "packed": ("r.csv.gz", lambda _: gzip.compress(as_text(REPORT))),
    "as a workbook": ("r.xlsx", lambda folder: in_a_workbook(REPORT, folder)),
    "kept in a workbook": ("r.xlsm", lambda folder: in_a_workbook(KEPT, folder)),
    "behind notes": ("r.xlsx", lambda folder: in_a_workbook(REPORT, folder, [["uwagi"], ["x"]])),
}


@pytest.fixture(name="report", params=[*CASES.values()], ids=[*CASES])
def report_fixture(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    name, made = request.param
    return written(tmp_path, made(tmp_path), name)


def test_a_report_of_this_tool_is_never_taken_as_a_list_and_the_command_for_it_is_named(report: str) -> None:
    for options in (
        ReadOptions(),
        ReadOptions("number"),
        ReadOptions("4", has_header=False),
        ReadOptions(delimiter=";"),
    ):
        with pytest.raises(OwnReportError) as refused:
            open_tables([report], options)
        assert refused.value.sentence == f"{report} is a report of this tool, not a list of numbers."
        assert refused.value.hint == f"Ask again for what it left open with: bulk-remove rerun {report}"
        assert refused.value.exit_code == 4
    assert is_report(report)


def test_a_report_in_a_folder_or_under_a_pattern_is_left_out_and_that_is_told(report: str, tmp_path: Path) -> None:
    (tmp_path / "aside.bin").unlink(missing_ok=True)
    with pytest.raises(InputError, match="holds no file that can be read"):
        open_tables([str(tmp_path)], ReadOptions())
    mine = written(tmp_path, "phone\n601000001\n", "mine.csv")
    for name in (tmp_path, tmp_path / "*"):
        tables, notes = open_tables([str(name)], ReadOptions())
        assert [table.source.file for table in tables] == [mine]
        assert notes == (f"{report} is a report of this tool; it is left out.",)
    with pytest.raises(OwnReportError):
        open_tables([mine, report], ReadOptions())


def test_a_sheet_that_is_a_report_is_left_out_beside_the_one_that_is_meant(tmp_path: Path) -> None:
    path = written(tmp_path, in_a_workbook(REPORT, tmp_path, [["phone"], ["601000001"]]), "a.xlsx")
    source = open_table(path, ReadOptions()).source
    assert (source.sheet, source.notes) == ("Sheet", ("Sheet 'report' is a report of this tool; it is left out.",))
    with pytest.raises(OwnReportError):
        open_table(path, ReadOptions(sheet="report"))


def test_a_report_from_a_pipe_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(as_text(REPORT))))
    with pytest.raises(OwnReportError) as refused:
        open_table("-", ReadOptions())
    assert refused.value.sentence == "Standard input is a report of this tool, not a list of numbers."
    assert refused.value.hint.endswith("bulk-remove rerun report.csv")


@pytest.mark.parametrize(
    "header",
    [
        "phone,status,campaign,file,row,input,number",
        "number,campaign,status,detail",
        "phone,removed_records_of_row,input_row",
    ],
)
def test_a_list_with_a_few_of_its_columns_is_none(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, f"{header}\n{','.join(['601000001'] * (header.count(',') + 1))}\n")
    assert open_table(path, ReadOptions("phone" if "phone" in header else "number")).source.file == path


@pytest.mark.parametrize("name", ["below/nothing", "*.xls"], ids=["a folder", "a pattern"])
def test_a_folder_or_a_pattern_without_files_is_refused_with_the_kinds(folder: Path, name: str) -> None:
    (folder / "below" / "nothing").mkdir()
    with pytest.raises(InputError, match="no file that can be read") as refused:
        find_files([str(folder / name)])
    assert ".xlsm" in refused.value.hint
