"""Several campaigns in one file, and numbers that the campaign holds in another form: report against audit."""

import json
from collections import defaultdict
from pathlib import Path

from bulk_remove.simulator.server import read_audit
from tests.support.processes import bulk_remove, removal, report_of, simulator

FAST = ("--rate", "200", "--busy-delay", "200ms", "--max-numbers-per-request", "15")


def run_by_campaign(folder: Path, url: str, source: Path) -> tuple[str | Path, ...]:
    own = ("--url", url, "--user", "demo", "--state-dir", folder / "state", "--campaign-column", "kampania")
    return ("run", source, *own, "--yes", "-o", folder / "report.csv", *FAST, "--max-invalid", "100%")


def test_each_number_leaves_the_campaign_of_its_row_and_no_other(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    rows = [f"{600_000_001 + index % 70};{('00001', '00002', 'abcde')[index % 3]}" for index in range(150)]
    source.write_text("\n".join(["telefon;kampania", *rows, "600000001;1", "brak;00001"]) + "\n", encoding="utf-8")
    campaigns = ("-c", "00001", "-c", "00002", "-c", "abcde")
    with simulator(tmp_path, *campaigns, "--busy-share", "0.1", "--busy-seconds", "1") as server:
        done = bulk_remove(*run_by_campaign(tmp_path, server.url, source))
    assert done.returncode == 0, done.stderr
    asked: defaultdict[str, set[str]] = defaultdict(set)
    removed: defaultdict[tuple[str, str], int] = defaultdict(int)
    for entry in (entry for entry in read_audit(server.audit) if entry.campaign):  # not the list of their names
        asked[entry.campaign].update(entry.asked)
        for number, ids in entry.removed.items():
            removed[entry.campaign, number] += len(ids)
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        number, campaign = row.split(";")
        wanted[campaign].add(number)
    assert asked == wanted
    report = report_of(tmp_path)
    assert [row["campaign"] for row in report] == [row.split(";")[1] for row in rows] + ["", ""]
    assert [row["status"] for row in report[-2:]] == ["INVALID", "INVALID"]
    first = [row for row in report if not row["duplicate_of_row"] and row["number"]]
    assert {(row["campaign"], row["number"]): int(row["removed_records"]) for row in first} == removed
    assert len(first) == sum(map(len, wanted.values()))


def test_a_campaign_that_the_server_does_not_know_stops_the_run_before_anything_is_sent(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon;kampania\n600000001;00001\n600000002;99999\n", encoding="utf-8")
    with simulator(tmp_path) as server:
        done = bulk_remove(*run_by_campaign(tmp_path, server.url, source))
    assert done.returncode == 6
    assert "Check campaign 99999" in done.stderr
    assert {entry.method for entry in read_audit(server.audit)} == {"GET"}


def test_a_row_that_may_have_shifted_is_reported_and_never_sent(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    rows = [f"Testowy;{600_000_001 + index}" for index in range(30)]
    shifted = "Przykładowa; Anna;600000999;600000998"
    source.write_text("\n".join(["nazwisko;telefon", *rows, shifted]) + "\n", encoding="utf-8")
    with simulator(tmp_path) as server:
        done = bulk_remove(*removal(server, tmp_path, source, *FAST))
    assert done.returncode == 0, done.stderr
    last = report_of(tmp_path)[-1]
    assert (last["row"], last["status"], last["number"]) == ("32", "INVALID", "")
    assert "may have shifted" in last["detail"]
    asked = {number for entry in read_audit(server.audit) for number in entry.asked}
    assert asked == {row.split(";")[1] for row in rows}


def test_a_rerun_keeps_the_campaign_of_each_row(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    rows = [f"{600_000_001 + index};0000{1 + index % 2}" for index in range(60)]
    source.write_text("\n".join(["telefon;kampania", *rows]) + "\n", encoding="utf-8")
    campaigns = ("-c", "00001", "-c", "00002")
    with simulator(tmp_path, *campaigns, "--busy-share", "0.5", "--busy-seconds", "2") as server:
        first = bulk_remove(*run_by_campaign(tmp_path, server.url, source), "--busy-for", "0")
        assert first.returncode == 3, first.stderr
        report = tmp_path / "report.csv"
        own = ("--url", server.url, "--user", "demo", "--yes", "--rate", "200", "--busy-delay", "300ms")
        second = bulk_remove(
            "rerun", report, *own, "--state-dir", tmp_path / "elsewhere", "-o", tmp_path / "report-2.csv"
        )
    assert second.returncode == 0, second.stderr
    (tmp_path / "report-2.csv").replace(report)
    again = report_of(tmp_path)
    assert [(row["number"], row["campaign"]) for row in again] == [tuple(row.split(";")) for row in rows]
    assert {row["status"] for row in again} == {"REMOVED"}
    summary = json.loads((tmp_path / "report-2.summary.json").read_text(encoding="utf-8"))
    assert summary["campaigns"] == ["00001", "00002"]


def test_numbers_held_in_other_forms_are_found_and_reported_in_theirs(tmp_path: Path) -> None:
    forms = ("{}", "48{}", "0048{}")
    held = [forms[index % 3].format(600_000_001 + index) for index in range(40)]
    (tmp_path / "campaign.csv").write_text("\n".join(["number", *held]) + "\n", encoding="utf-8")
    source = tmp_path / "numbers.csv"
    source.write_text(
        "\n".join(["telefon", *[f"{600_000_001 + index}" for index in range(44)], "441"]) + "\n", encoding="utf-8"
    )
    also = ("--also-try", "international,zeros", "--internal-numbers", "--max-share", "100%")
    with simulator(
        tmp_path, "--numbers", str(tmp_path / "campaign.csv"), "--busy-share", "0.2", "--busy-seconds", "1"
    ) as server:
        done = bulk_remove(*removal(server, tmp_path, source, *FAST, *also))
    assert done.returncode == 0, done.stderr
    assert "in other forms: international, zeros" in " ".join(done.stdout.split())
    report = report_of(tmp_path)
    assert [row["number"] for row in report] == [*held, *[f"{600_000_041 + index}" for index in range(4)], "441"]
    assert [row["status"] for row in report] == ["REMOVED"] * 40 + ["NOT_EXIST"] * 5
    entries = list(read_audit(server.audit))
    assert sum(len(ids) for entry in entries for ids in entry.removed.values()) == 40
    assert int(report[-1]["attempts"]) == 1


def test_only_the_rows_of_the_conditions_are_sent_and_the_others_are_reported_and_no_reason_to_stop(
    tmp_path: Path,
) -> None:
    source = tmp_path / "numbers.csv"
    values = ["NIE;x", "TAK;x", "nie;", "", "Nie;X"]
    rows = [f"{600_000_001 + index};{values[index % 5]}" for index in range(50)]
    source.write_text("\n".join(["telefon;zgoda;rodo", *rows, "brak;NIE;x"]) + "\n", encoding="utf-8")
    where = ("--where", "zgoda=NIE", "--where", "3=x")
    with simulator(tmp_path) as server:
        words = removal(server, tmp_path, source, *FAST, *where, "--report", "html,xlsx")
        done = bulk_remove(*words)
        assert done.returncode == 0, done.stderr
        again = bulk_remove("report", "--state-dir", tmp_path / "state", "-o", tmp_path / "again.csv")
        assert again.returncode == 0, again.stderr
    wanted = {row.split(";")[0] for place, row in enumerate(rows) if place % 5 in {0, 4}}
    assert {number for entry in read_audit(server.audit) for number in entry.asked} == wanted
    report = report_of(tmp_path)
    reason = "Left out by --where zgoda=NIE --where 3=x."
    assert [row["row"] for row in report] == [str(2 + place) for place in range(51)]
    assert {row["number"] for row in report if row["status"] == "REMOVED"} == wanted
    assert [row["status"] for row in report].count("INVALID") == 31
    assert [row["detail"] for row in report].count(reason) == 30
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "report.csv").read_bytes()
    assert "takes 21 of 51 rows; what it leaves out is INVALID and never sent" in " ".join(done.stdout.split())
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert (summary["left_out_rows"], summary["invalid_cells_by_reason"]) == (30, {report[-1]["detail"]: 1})
    assert summary["settings"]["where"] == ["zgoda=NIE", "3=x"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Rows: 21 = " in page
    assert "Left out by --where zgoda=NIE --where 3=x: 30." in page


def test_a_rerun_leaves_out_what_the_run_left_out_from_its_ledger_and_from_its_report(tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    rows = [f"{600_000_001 + index};{'NIE' if index % 2 else 'TAK'}" for index in range(20)]
    source.write_text("\n".join(["telefon;zgoda", *rows]) + "\n", encoding="utf-8")
    with simulator(tmp_path, "--busy-share", "0.5", "--busy-seconds", "2") as server:
        first = bulk_remove(*removal(server, tmp_path, source, *FAST, "--where", "zgoda=NIE", "--busy-for", "0"))
        assert first.returncode == 3, first.stderr
        own = ("--url", server.url, "--user", "demo", "--yes", "--rate", "200", "--busy-delay", "300ms")
        place = ("--state-dir", tmp_path / "state", "-o", tmp_path / "2.csv")
        assert bulk_remove("rerun", tmp_path / "report.csv", *own, *place).returncode == 0
    summary = json.loads((tmp_path / "2.summary.json").read_text(encoding="utf-8"))
    assert (summary["left_out_rows"], summary["invalid_cells_by_reason"]) == (10, {})
    assert summary["rows_by_status"]["REMOVED"] == 10
    assert {number for entry in read_audit(server.audit) for number in entry.asked} == {
        row.split(";")[0] for row in rows[1::2]
    }
