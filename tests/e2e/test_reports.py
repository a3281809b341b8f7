"""Reports as an operator asks for them: beside report.csv, or again from the ledger of an earlier run."""

import csv
import json
import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulk_remove.core.lifecycle import AT_LEAST
from bulk_remove.run.folders import lock_campaigns
from bulk_remove.simulator.server import read_audit
from tests.support.html_tree import Element, parse_html
from tests.support.processes import Running, bulk_remove, environment, removal, report_of, simulator

WORLD = (
    "--busy-share", "0.1", "--busy-seconds", "1", "--absent-share", "0.1", "--duplicate-share", "0.1",
    "--fault", "dropped_after=0.1", "--fault", "unavailable=0.05",
)  # fmt: skip
PACE = (
    "--rate",
    "50",
    "--max-numbers-per-request",
    "10",
    "--busy-delay",
    "500ms",
    "--max-invalid",
    "50%",
)


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Rows of which some repeat and some hold no number, and one is dangerous."""
    source = tmp_path / "leads.csv"
    rows = [f"{500_000_000 + index},klient {index}" for index in range(300)]
    text = "\n".join(["telefon,name", *rows, "500000003,jeszcze raz", "brak,nikt", "=1+1,formula", "Jan 601234555,x"])
    source.write_text(text, encoding="utf-8")
    return source


def run(server: Running, folder: Path, numbers: Path, *options: str, code: int = 0) -> str:
    """Run the whole job; returns the run's id."""
    done = bulk_remove(*removal(server, folder, numbers, *PACE, *options))
    assert done.returncode == code, done.stdout + done.stderr
    return max((folder / "state" / "runs").iterdir()).name


def again(folder: Path, *words: str | Path) -> Path:
    """Write a report again; returns where the command says it is."""
    done = bulk_remove("report", "--state-dir", folder / "state", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    found = re.search(r"^The report of run \S+: (.+)$", done.stdout.strip())
    assert found
    return Path(found[1])


def summary_but_head(path: Path) -> dict[str, Any]:
    """Return a summary without the head of the ledger, which has moved on when a report was written meanwhile."""
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    del summary["ledger_head"]
    return summary


def figures_of(page: Path) -> tuple[Element, dict[str, int]]:
    root = parse_html(page.read_text(encoding="utf-8"))
    cells = [cell for cell in root.all("td") if cell["data-status"]]
    return root, {cell["data-status"]: int(cell.text.replace(",", "")) for cell in cells}


def test_the_page_and_the_workbook_beside_the_report_say_what_the_summary_says(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path, *WORLD, "--seed", "5") as server:
        name = run(server, tmp_path, numbers, "--report", "html,xlsx")
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    root, by_status = figures_of(tmp_path / "report.html")
    assert by_status == {status: count for status, count in summary["rows_by_status"].items() if count}
    parts = [int(cell.text.replace(",", "")) for cell in root.all("td") if "part-requests" in cell["class"]]
    requests = [entry for entry in read_audit(tmp_path / "audit.jsonl") if entry.method == "DELETE"]
    assert sum(parts) == summary["requests"] == len(requests)
    faults = {cell["data-fault"]: int(cell.text) for cell in root.all("td") if cell["data-fault"]}
    assert faults == summary["faults"]
    assert "503" in "".join(faults)
    text = " ".join(root.text.split())
    assert name in text
    assert f"times the server asked to slow down: {faults['HTTP 503']}" in text
    in_call = sum(int(row["busy_rounds"]) > 0 for row in report_of(tmp_path) if not row["duplicate_of_row"])
    assert f"Numbers in a call when asked for, and asked for again: {in_call}." in text
    assert "300 of 300 distinct numbers had their final answer at the end" in text
    assert not re.search(r"5000001\d\d|601234555", text)
    book = openpyxl.load_workbook(tmp_path / "report.xlsx", read_only=True)
    header, *rows = book.worksheets[0].iter_rows(values_only=True)
    book.close()
    plain = report_of(tmp_path)
    assert list(header) == list(plain[0])
    assert [["" if cell is None else str(cell) for cell in row] for row in rows] == [[*row.values()] for row in plain]
    for file in ("report.html", "report.xlsx"):
        assert (tmp_path / file).stat().st_mode & 0o077 == 0
    assert {path.suffix for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


def test_a_report_written_again_is_the_one_that_the_run_wrote(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path, *WORLD) as server:
        first = run(server, tmp_path, numbers, "--report", "html", "--keep-columns")
        (tmp_path / "first.csv").write_bytes((tmp_path / "report.csv").read_bytes())
        run(server, tmp_path, numbers)
    assert again(tmp_path, first, "-o", tmp_path / "again.csv").read_bytes() == (tmp_path / "first.csv").read_bytes()
    pages = [again(tmp_path, first, "-o", tmp_path / "again.html"), tmp_path / "report.html"]
    # The ledger has noted a report more.
    once, before = (re.sub("written: [0-9a-f]{64}", "", page.read_text(encoding="utf-8")) for page in pages)
    assert once == before
    latest = again(tmp_path, "--format", "json")
    assert latest.name == "report.summary.json"
    assert summary_but_head(latest) == summary_but_head(tmp_path / "report.summary.json")
    assert again(tmp_path).read_bytes() == (tmp_path / "report.csv").read_bytes()
    assert again(tmp_path, "--format", "xlsx").stat().st_size > 5_000
    assert latest.parent == max((tmp_path / "state" / "runs").iterdir())
    assert not [path for path in latest.parent.iterdir() if path.is_dir()]


def test_the_environment_of_a_run_never_says_where_a_report_is_written_again(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path) as server:
        run(server, tmp_path, numbers)
    proof = (tmp_path / "report.csv").read_bytes()
    env = environment(BULK_REMOVE_OUTPUT=str(tmp_path / "report.csv"), BULK_REMOVE_CSV_FOR="excel-pl")
    done = bulk_remove("report", "--state-dir", tmp_path / "state", "--format", "html", env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.csv").read_bytes() == proof


def test_a_run_that_was_stopped_says_how_to_go_on_and_resume_writes_what_the_run_was_asked_for(
    tmp_path: Path, numbers: Path
) -> None:
    with simulator(tmp_path, "--busy-share", "0.2", "--busy-seconds", "3", "--latency", "0.05") as server:
        name = run(server, tmp_path, numbers, "--report", "html", "--csv-for", "excel-pl", "--busy-for", "0", code=3)
        root, by_status = figures_of(tmp_path / "report.html")
        assert by_status["CALL_IN_PROGRESS"] > 0
        assert [code.text for code in root.all("ol")[0].all("code")] == [f"bulk-remove resume {name}"]
        (tmp_path / "report.html").unlink()
        (tmp_path / "report.csv").unlink()
        done = bulk_remove("resume", "--yes", "--state-dir", tmp_path / "state", "--busy-for", "20s", "--rate", "7")
        assert done.returncode == 0, done.stdout + done.stderr
    root, by_status = figures_of(tmp_path / "report.html")
    assert set(by_status) == {"REMOVED", "INVALID"}
    assert "limit: 7, 50 a second" in " ".join(root.text.split())
    assert "in 2 sessions" in root.text
    assert (tmp_path / "report.csv").read_bytes().startswith(b"\xef\xbb\xbffile;row;")
    summary = json.loads(again(tmp_path, "--format", "json").read_text(encoding="utf-8"))
    assert summary["settings"]["rate"] == 7.0
    del summary["ledger_head"]
    assert summary == summary_but_head(tmp_path / "report.summary.json")


def test_a_report_for_a_polish_excel_keeps_numbers_as_text_and_reads_back_in_a_rerun(
    tmp_path: Path, numbers: Path
) -> None:
    with simulator(tmp_path, "--busy-share", "0.2", "--busy-seconds", "2") as server:
        run(server, tmp_path, numbers, "--busy-for", "0", "--keep-columns", code=3)
        plain = report_of(tmp_path)
        excel = again(tmp_path, "--csv-for", "excel-pl", "-o", tmp_path / "excel.csv")
        with excel.open(encoding="utf-8-sig", newline="") as file:
            header, first, *_ = csv.reader(file, delimiter=";")
        assert header == list(plain[0])
        values = dict(zip(header, first, strict=True))
        assert (values["number"], values["campaign"], values["row"]) == ('="500000000"', '="00001"', "2")
        assert values["name"] == '="klient 0"'
        book = again(tmp_path, "--format", "xlsx", "-o", tmp_path / "excel.xlsx")
        own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "other", "--yes")
        for earlier in (excel, book):
            out = tmp_path / f"{earlier.suffix[1:]}-again.csv"
            done = bulk_remove("rerun", earlier, *own, "-o", out, "--busy-for", "20s", "--busy-delay", "500ms")
            assert done.returncode == 0, done.stdout + done.stderr
    # What the first rerun removed, the second no longer finds.
    for out, more in ((tmp_path / "csv-again.csv", set()), (tmp_path / "xlsx-again.csv", {"NOT_EXIST"})):
        with out.open(encoding="utf-8", newline="") as file:
            after = [*csv.DictReader(file)]
        assert len(after) == len(plain)
        for old, new in zip(plain, after, strict=True):
            names = list(old) if old["status"] in {"REMOVED", "INVALID"} else ["telefon", "name", "input", "number"]
            assert [new[name] for name in names] == [old[name] for name in names]
        assert {row["status"] for row in after} == {"REMOVED", "INVALID"} | more


def test_a_run_that_is_under_way_has_no_report_yet_and_one_that_was_cut_off_is_resumed_first(
    tmp_path: Path, numbers: Path
) -> None:
    dies = "import os; from bulk_remove.ledger import Sending; Sending.end_session = lambda *_: os._exit(9)"
    with simulator(tmp_path) as server:
        assert bulk_remove(*removal(server, tmp_path, numbers), before=dies).returncode == 9
    (folder,) = (tmp_path / "state" / "runs").iterdir()
    name = folder.name
    asked = ("report", name, "--state-dir", tmp_path / "state", "-o", tmp_path / "again.csv")
    done = bulk_remove(*asked)
    assert done.returncode == 4
    assert f"Run {name} was killed while it was sending" in done.stderr
    assert f"bulk-remove resume {name}" in done.stderr
    # Held as the run itself would.
    with lock_campaigns(tmp_path / "state", server.url.removeprefix("http://"), ["00001"]):
        done = bulk_remove(*asked)
    assert done.returncode == 8
    assert f"Run {name} is under way." in done.stderr
    assert not (tmp_path / "again.csv").exists()


def test_a_run_that_was_never_approved_has_no_report(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path) as server:
        name = run(server, tmp_path, numbers)
    (ledger,) = tmp_path.glob("state/runs/*/ledger.sqlite")
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE run SET approved_by = NULL")
    done = bulk_remove("report", name, "--state-dir", tmp_path / "state")
    assert done.returncode == 4
    assert "nothing was sent" in done.stderr
    assert bulk_remove("report", "--state-dir", tmp_path / "state").returncode == 4
    assert bulk_remove("report", "no-such-run", "--state-dir", tmp_path / "state").returncode == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-o", "report.html", "--format", "csv"), "does not fit --format csv"),
        (("--format", "html", "--csv-for", "excel-pl"), "--csv-for is only for CSV, not for html."),
        (("-o", "missing/report.html"), "cannot be written"),
        (("--format", "pdf"), "pdf"),
    ],
)
def test_a_report_that_cannot_be_as_it_is_asked_for_is_2(
    tmp_path: Path, numbers: Path, words: tuple[str, ...], sentence: str
) -> None:
    with simulator(tmp_path) as server:
        run(server, tmp_path, numbers)
    done = bulk_remove("report", "--state-dir", tmp_path / "state", *words)
    assert done.returncode == 2
    assert sentence in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--report", "pdf"), "'pdf' is not a format to write beside report.csv"),
        (("--report", "html", "-o", "report.html"), "has the name of another report"),
        (("-o", "report.xlsx"), "report.xlsx does not name a CSV file"),
        (("-o", "report.XLS"), "report.XLS does not name a CSV file"),
        (("-o", "report.ods"), "Page and workbook are written beside it"),
        (("--report", "xlsx", "-o", "report.html"), "report.html does not name a CSV file"),
        (("-o", "report"), "report does not name a CSV file"),
        (("-o", "report.csv.bak"), "report.csv.bak does not name a CSV file"),
        (("-o", ".report.csv"), ".report.csv does not name a CSV file"),
        (("-o", "-"), "--output - does not name a CSV file"),
        (("--report", "xlsx", "-o", "leads.csv"), "is a file that this run reads"),
    ],
)
def test_a_report_that_would_take_the_place_of_another_file_is_2_before_anything_is_sent(
    tmp_path: Path, numbers: Path, words: tuple[str, ...], sentence: str
) -> None:
    with simulator(tmp_path) as server:
        placed = [str(tmp_path / word) if word.startswith(("report.", "leads.")) else word for word in words]
        done = bulk_remove(*removal(server, tmp_path, numbers, *PACE, *placed))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not [entry for entry in read_audit(tmp_path / "audit.jsonl") if entry.method == "DELETE"]


def test_a_workbook_beside_the_report_never_takes_the_place_of_the_input(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["telefon"])
    book.worksheets[0].append(["500000001"])
    book.save(tmp_path / "report.xlsx")
    with simulator(tmp_path) as server:
        done = bulk_remove(*removal(server, tmp_path, tmp_path / "report.xlsx", "--report", "xlsx"))
    assert done.returncode == 2
    assert "a file that this run reads" in done.stderr


def test_the_times_on_the_page_are_those_of_the_run(tmp_path: Path, numbers: Path) -> None:
    with simulator(tmp_path) as server:
        run(server, tmp_path, numbers, "--report", "html")
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    text = " ".join(parse_html((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    for name in ("began_at", "ended_at"):
        assert datetime.fromisoformat(summary[name]).strftime("%Y-%m-%d %H:%M:%S") in text


def test_a_lower_bound_is_called_one_wherever_records_are_counted_and_by_a_rerun_from_the_report(
    tmp_path: Path, numbers: Path
) -> None:
    """Of two records one is in a call while a request for it is lost: the other may be gone, or was never there."""
    world = ("--busy-share", "0.5", "--busy-seconds", "1", "--duplicate-share", "0.5", "--fault", "dropped_after=0.2")
    with simulator(tmp_path, *world) as server:
        done = bulk_remove(*removal(server, tmp_path, numbers, *PACE, "--report", "html,xlsx"))
        assert done.returncode == 0, done.stdout + done.stderr
        kept = tmp_path / "kept.csv"
        (tmp_path / "report.csv").rename(kept)
        own = ("--url", server.url, "--user", "demo", "--state-dir", tmp_path / "elsewhere", "-o", tmp_path / "2.csv")
        rerun = bulk_remove("rerun", kept, *own, "--yes")
        assert rerun.returncode == 0, rerun.stdout + rerun.stderr
    rows = rows_of(kept)
    bounds = [row for row in rows if row["detail"].endswith(AT_LEAST)]
    assert {row["status"] for row in bounds} == {"REMOVED", "PRESUMED_REMOVED"}
    told = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    again = json.loads((tmp_path / "2.summary.json").read_text(encoding="utf-8"))
    records = told["removed_records"]
    assert (told["removed_records_at_least"], again["removed_records_at_least"]) == (True, True)
    assert records < sum(len(ids) for entry in read_audit(server.audit) for ids in entry.removed.values())
    assert f"At least {records:,} records removed by {told['requests']:,} requests in " in done.stdout
    assert f"removed before: at least {records:,} records." in rerun.stdout
    page = " ".join(parse_html((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    assert f"At least {records:,} records removed by {told['requests']:,} requests in " in page
    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx").worksheets[0]
    details = [str(cell.value) for column in sheet.iter_cols() if column[0].value == "detail" for cell in column]
    assert sum(detail.endswith(AT_LEAST) for detail in details) == len(bounds)
    assert rows_of(tmp_path / "2.csv") == rows


def rows_of(report: Path) -> list[dict[str, str]]:
    with report.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
