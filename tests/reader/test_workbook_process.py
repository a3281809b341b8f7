"""The process that reads a workbook: what it may take, what it knows, and that it is gone whatever happens."""

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, open_table, workbook_child
from bulk_remove.reader import workbook as workbook_process
from bulk_remove.reader.cells import GivenWorkbook
from bulk_remove.reader.workbook import WorkbookProcess
from tests.support.workbooks import (
    Rows,
    biff,
    biff_sheet,
    compound_file,
    ods_sheet,
    record,
    wide,
    workbook_stream,
    write_ods,
    write_xlsb,
    xlsb_sheet,
)

NUMBERED: Rows = [[number, "a"] for number in range(601000001, 601000026)]
ROWS: Rows = [["phone", "x"], *NUMBERED]
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
LIMITED = pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="the system limits no memory")


def write(folder: Path, rows: Rows = ROWS) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(list(row))
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


def process_of(path: Path) -> WorkbookProcess:
    return WorkbookProcess(str(path), path.suffix, path.stat().st_size)


def does(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have every reading process do this instead."""
    monkeypatch.setattr(workbook_process, "_CHILD", code)


def far_cells(folder: Path) -> Path:
    """42 kB that stand for a rectangle of 65,536 by 256 cells in each of 9 sheets."""
    corners = biff(0x203, struct.pack("<HHHd", 0, 0, 0, 1.0)) + biff(0x203, struct.pack("<HHHd", 65535, 255, 0, 1.0))
    sheets = {f"S{place}": biff_sheet([])[:-4] + corners + biff(0x0A) for place in range(8)}
    stream = workbook_stream({"Sheet 1": biff_sheet(ROWS), **sheets})
    (folder / "a.xls").write_bytes(compound_file({"Workbook": stream.ljust(40_000, b"\0")}))
    return folder / "a.xls"


def far_cell(folder: Path) -> Path:
    """2 kB with a cell in the last corner of a binary sheet."""
    last = record(0, struct.pack("<IIHBBBI", 1048575, 0, 300, 0, 0, 0, 0)) + record(
        5, struct.pack("<IId", 16383, 0, 1.0)
    )
    sheet = xlsb_sheet(ROWS)
    end = record(146) + record(130)
    write_xlsb(folder / "a.xlsb", {"Sheet 1": sheet.removesuffix(end) + last + end})
    return folder / "a.xlsb"


@pytest.mark.parametrize("make", [far_cells, far_cell])
def test_cells_far_apart_cost_no_memory(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    assert path.stat().st_size < 45_000
    code = (
        "import resource, sys\nfrom bulk_remove.reader import ReadOptions, open_table\n"
        "table = open_table(sys.argv[1], ReadOptions(sheet='1'))\n"
        "print(sum(len(block.rows) for block in table.blocks()))\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    rows, peak = map(int, done.stdout.split())
    assert rows == len(ROWS) - (path.suffix == ".xls")
    assert peak < 60_000 * (1024 if sys.platform == "darwin" else 1)


def many_cells(folder: Path) -> Path:
    """A few bytes that stand for 3,000 rows of 16,384 cells."""
    cell = '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="16384"/>'
    rows = f"<table:table-row>{cell}</table:table-row>" * 3000
    write_ods(folder / "a.ods", {"Sheet 1": ods_sheet(ROWS) + rows})
    return folder / "a.ods"


def many_strings(folder: Path) -> Path:
    """6 kB that expand to 600,000 strings."""
    strings = record(19, b"\0" + wide("ab")) * 600_000
    write_xlsb(folder / "a.xlsb", {"Sheet 1": xlsb_sheet(ROWS)}, {"sharedStrings": strings})
    return folder / "a.xlsb"


@LIMITED
def test_a_workbook_that_takes_too_much_memory_costs_one_sentence(tmp_path: Path) -> None:
    path = many_cells(tmp_path)
    command = [sys.executable, "-m", "bulk_remove", "plan", str(path), "-c", "00001", "--state-dir", str(tmp_path)]
    done = subprocess.run([*command, "--keep-columns"], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert " ".join((done.stdout + done.stderr).split()) == (
        f"Error: {path} takes more than 256 MB of memory to read; a list of numbers does not. "
        "Delete all other sheets and columns, or save the sheet with the numbers as CSV."
    )


@LIMITED
def test_strings_that_take_too_much_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_process, "_ALWAYS_BYTES", 40 << 20)
    with pytest.raises(InputError, match=r"takes more than \d\d MB of memory to read"):
        open_table(str(many_strings(tmp_path)), ReadOptions())


def test_a_workbook_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_process, "_ALWAYS_SECONDS", 0.3)
    does(monkeypatch, "import time; time.sleep(600)")
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"takes more than 0\.3 seconds to read; a list of numbers does not"):
        open_table(str(write(tmp_path)), ReadOptions())
    assert time.monotonic() - begun < 60


def test_a_larger_workbook_may_take_more() -> None:
    small, large = (WorkbookProcess("a.xlsx", ".xlsx", size)._given for size in (10_000, 30 << 20))
    assert (small.most_seconds, small.most_bytes >> 20) == (30, 256)
    assert (large.most_seconds, large.most_bytes >> 20) == (330, 976)
    assert WorkbookProcess("a.xlsx", ".xlsx", 4 << 30)._given.most_bytes == 4 << 30


@pytest.mark.parametrize("code", ["import os; os.abort()", "raise SystemExit(3)", "1/0"])
def test_a_process_that_dies_costs_a_sentence_and_nothing_of_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], code: str
) -> None:
    does(monkeypatch, "import sys; print('thread panicked at 601000001', file=sys.stderr, flush=True)\n" + code)
    path = write(tmp_path)
    with pytest.raises(InputError) as caught:
        open_table(str(path), ReadOptions())
    assert caught.value.sentence.startswith(f"{path} cannot be read: the process that was reading it failed (")
    assert "save the sheet with the numbers as CSV" in caught.value.hint
    assert capfd.readouterr() == ("", "")


def test_where_no_process_starts_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"no process could be started for it \(No such file or directory\)"):
        open_table(str(path), ReadOptions())


def test_it_knows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULK_REMOVE_PASSWORD", "secret")
    monkeypatch.setenv("BULK_REMOVE_PASSWORD_COMMAND", "cat secret")
    does(
        monkeypatch,
        "import os, sys, json, struct; sys.stdin.buffer.read(9)\n"
        "said = json.dumps([[name, False] for name in os.environ]).encode()\n"
        "sys.stdout.buffer.write(struct.pack('>I', len(said)) + said)",
    )
    with process_of(write(tmp_path)) as workbook:
        names = [name for name, _ in workbook.open(BytesIO(b"x" * 9))]
    assert "PATH" in names
    assert not [name for name in names if name.startswith("BULK_REMOVE")]


def test_nothing_is_imported_from_the_folder_in_which_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    for name in ("orjson", "zipfile", "olefile", "bulk_remove", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert next(open_table(str(path), ReadOptions()).blocks()).cells[0] == "601000001"


def open_pipes() -> set[str]:
    links = (os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.exists())  # noqa: PTH115 - no file
    return {link for link in links if link.startswith("pipe:")}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists what is open")
@pytest.mark.parametrize("error", [None, KeyboardInterrupt, OSError])
def test_it_is_gone_with_its_pipes_however_reading_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None
) -> None:
    started: list[WorkbookProcess] = []
    path = write(tmp_path)
    sample = WorkbookProcess.sample

    def watched(self: WorkbookProcess, sheet: int) -> list[tuple[int, tuple[str, ...]]]:
        started.append(self)
        if error:
            raise error
        return sample(self, sheet)

    monkeypatch.setattr(WorkbookProcess, "sample", watched)
    before = open_pipes()
    if error:
        with pytest.raises(error):
            open_table(str(path), ReadOptions())
    else:
        open_table(str(path), ReadOptions())
    assert open_pipes() == before
    (workbook,) = started
    assert workbook._process.returncode is not None
    workbook._watch.join()


@POSIX
def test_ctrl_c_is_left_to_the_parent(tmp_path: Path) -> None:
    """At a terminal it goes to the whole group."""
    path = write(tmp_path)
    with process_of(path) as workbook, path.open("rb") as file:
        assert workbook.open(file) == [("Sheet", False)]
        os.kill(workbook._process.pid, signal.SIGINT)
        assert workbook.sample(0)[0] == (1, ("phone", "x"))


@pytest.mark.parametrize(("columns", "rows"), [(9, 100), (2_000, 100), (4_000, 50), (16_000, 30)])
def test_the_wider_a_sheet_the_fewer_of_its_rows_are_judged(columns: int, rows: int) -> None:
    """A few kilobytes may stand for millions of cells, and each costs whoever chooses the column microseconds."""
    sheet = [(number, False, ["x"] * columns) for number in range(1, 101)]
    assert [number for number, _ in workbook_child._sample(sheet)] == [*range(1, rows + 1)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other ways")
def test_it_limits_itself() -> None:
    code = (
        "import resource\nfrom bulk_remove.reader import workbook_child as child\n"
        "child._limit(child.GivenWorkbook('a', '', 1, 9, 300 << 20, 30))\n"
        "kinds = resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_CORE\n"
        "print([resource.getrlimit(each)[0] for each in kinds])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str([300 << 20, 35, 0])


def test_where_nothing_can_be_limited_it_reads_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    workbook_child._limit(GivenWorkbook("a", "", 1, 1, 1, 1))


def test_the_rows_of_many_workbooks_are_there_when_their_processes_are_gone(tmp_path: Path) -> None:
    path = write(tmp_path)
    tables = [open_table(str(path), ReadOptions(block_rows=7)) for _ in range(3)]
    read = [[cell for block in table.blocks() for cell in block.cells] for table in tables]
    assert read == [[str(number) for number in range(601000001, 601000026)]] * 3
