"""Nothing that belongs to somebody else is overwritten by a report: the real command, and Python."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest

from bulk_remove import Server, Settings, UsageError, remove_files, rerun
from bulk_remove.report import csv as reporter
from bulk_remove.run import finish as finishing
from bulk_remove.simulator.api import DEMO_PASSWORD
from bulk_remove.simulator.server import read_audit
from tests.support.processes import (
    Running,
    bulk_remove,
    environment,
    removal,
    report_of,
    simulator,
    started,
    unsaid,
)

PACE = ("--rate", "100")
NUMBERS = "telefon\n600000001\n600000002\n"


@pytest.fixture(name="server", scope="module")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(tmp_path_factory.mktemp("server"), "--campaign", "00001", "--campaign", "00002") as running:
        yield running


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    source = tmp_path / "lists" / "numbers.csv"
    source.parent.mkdir()
    source.write_text(NUMBERS, encoding="utf-8")
    return source


def words(server: Running, folder: Path, output: Path, *more: str | Path) -> tuple[str | Path, ...]:
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", folder / "state")
    return ("run", "--yes", *unsaid((*own, *PACE, "-o", output), more), *more)


def requests(server: Running) -> int:
    return sum(entry.method == "DELETE" for entry in read_audit(server.audit))


def test_no_file_that_the_run_reads_is_replaced_by_whatever_name(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(numbers)
    other = tmp_path / "other.csv"
    keep = tmp_path / "vip.csv"
    keep.write_text("telefon\n601999999\n", encoding="utf-8")
    config = tmp_path / "profile.csv"
    config.touch(mode=0o600)
    env = environment(BULK_REMOVE_CONFIG=str(config))
    before = requests(server)
    for output, more in (
        (numbers, [numbers]),
        (numbers, [numbers.parent]),
        (numbers, [f"{tmp_path}/*/*.csv"]),
        (numbers, [link]),
        (numbers.parent / ".." / "lists" / "numbers.csv", [link]),
        (keep, [numbers, "--keep", keep]),
        (config, [numbers]),
    ):
        for overwrite in ([], ["--overwrite"]):
            done = bulk_remove(*words(server, tmp_path, output, *more, *overwrite), env=env)
            assert done.returncode == 2, done.stdout + done.stderr
            assert "is a file that this run reads. " in " ".join(done.stderr.split("\n")), done.stderr
    xlsx = shutil.copy(numbers, tmp_path / "report.html")
    beside = bulk_remove(*words(server, tmp_path, tmp_path / "report.csv", "--report", "html", "--keep", xlsx, numbers))
    assert beside.returncode == 2
    assert f"would overwrite {xlsx}, a file that this run reads" in beside.stderr
    assert (numbers.read_text(encoding="utf-8"), requests(server)) == (NUMBERS, before)
    assert not other.exists()


@pytest.mark.parametrize("name", ["report.csv", "report.summary.json", "report.html", "report.xlsx"])
def test_what_is_not_a_report_of_ours_is_replaced_only_if_that_is_said(
    tmp_path: Path, server: Running, numbers: Path, name: str
) -> None:
    somebodys = tmp_path / name
    somebodys.write_text("mine", encoding="utf-8")
    run = words(server, tmp_path, tmp_path / "report.csv", "--report", "html,xlsx", numbers)
    done = bulk_remove(*run)
    assert done.returncode == 2
    assert f"{somebodys} is there already, and is not a report of a run whose ledger is in" in done.stderr
    assert "add --overwrite" in done.stderr
    assert somebodys.read_text(encoding="utf-8") == "mine"
    assert bulk_remove(*run, "--overwrite").returncode == 0
    assert somebodys.read_bytes() != b"mine"


def test_a_nightly_job_replaces_its_own_report_while_the_ledger_of_that_run_is_there(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    report = tmp_path / "report.csv"
    run = words(server, tmp_path, report, "--report", "html", numbers)
    assert "is replaced" not in bulk_remove(*run).stderr
    (removed,) = (folder.name for folder in (tmp_path / "state" / "runs").iterdir())
    for replaced in (removed, "", ""):
        done = bulk_remove(*run)
        assert done.returncode == 0, done.stderr
        assert f"is the report of run {replaced}" in done.stderr
        assert "to write that one again: bulk-remove report" in done.stderr
    other = bulk_remove(*("00002" if word == "00001" else word for word in run))
    assert other.returncode == 2
    assert "of another campaign or server" in other.stderr
    whole = report.read_bytes()
    report.write_bytes(whole + b"a remark\n")
    altered = bulk_remove(*run)
    assert altered.returncode == 2
    assert f"{report} is there already, and was changed after run " in altered.stderr
    report.write_bytes(whole)
    last = max((tmp_path / "state" / "runs").iterdir())
    for folder in (tmp_path / "state" / "runs").iterdir():
        if folder != last:
            shutil.rmtree(folder)
    assert bulk_remove(*run).returncode == 0
    for folder in (tmp_path / "state" / "runs").iterdir():
        shutil.rmtree(folder)
    gone = bulk_remove(*run)
    assert gone.returncode == 2
    assert "is not a report of a run whose ledger is in" in gone.stderr


def test_a_nightly_job_over_a_folder_may_put_its_report_into_it(tmp_path: Path, server: Running, numbers: Path) -> None:
    run = words(server, tmp_path, numbers.parent / "report.csv", "--report", "html,xlsx", numbers.parent)
    for _ in range(2):
        done = bulk_remove(*run)
        assert done.returncode == 0, done.stderr
    assert "report.csv is a report of this tool; it is left out." in done.stderr
    other = numbers.parent / "report.xlsx"
    shutil.copy(numbers, other.with_suffix(".csv"))
    assert bulk_remove(*run).returncode == 2


def test_a_report_written_again_replaces_its_run_s_own_and_no_other(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, *PACE)).returncode == 0
    state = ("--state-dir", tmp_path / "state")
    for _ in range(2):
        for place in ((), ("-o", tmp_path / "report.csv"), ("-o", tmp_path / "page.html")):
            done = bulk_remove("report", *state, *place)
            assert done.returncode == 0, done.stderr
    note = tmp_path / "note.html"
    note.write_text("mine", encoding="utf-8")
    refused = bulk_remove("report", *state, "-o", note)
    assert refused.returncode == 2
    assert note.read_text(encoding="utf-8") == "mine"
    assert bulk_remove("report", *state, "-o", note, "--overwrite").returncode == 0


async def test_from_python_it_is_the_same(tmp_path: Path, server: Running, numbers: Path) -> None:
    own = Server(server.url, "demo", DEMO_PASSWORD, tmp_path / "state")
    settings = Settings("00001", rate=100.0)
    report = tmp_path / "report.csv"
    report.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is there already"):
        await remove_files(numbers, settings, own, approve=lambda _plan: True, output=report)
    with pytest.raises(UsageError, match="is a file that this run reads"):
        await remove_files(numbers.parent, settings, own, approve=lambda _plan: True, output=numbers, overwrite=True)
    done = await remove_files(numbers, settings, own, approve=lambda _plan: True, output=report, overwrite=True)
    with pytest.raises(UsageError, match="is a file that this run reads"):
        await rerun(report, own, approve=lambda _plan: True, output=report, overwrite=True)
    assert (done.report, done.exit_code.value) == (report, 0)


def test_a_rehearsal_is_named_as_such_wherever_it_could_be_taken_for_proof(
    tmp_path: Path, server: Running, numbers: Path
) -> None:
    told = (
        f"A rehearsal: {server.url.removeprefix('http://')} is a stand-in for Thulium, so no real campaign is touched."
    )
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", tmp_path / "state")
    planned = bulk_remove("plan", numbers, *own)
    assert told in planned.stdout
    assert json.loads(bulk_remove("plan", numbers, *own, "--json").stdout)["rehearsal"] == "stand-in"
    done = bulk_remove(*words(server, tmp_path, tmp_path / "report.csv", "--report", "html", numbers))
    assert done.returncode == 0, done.stderr
    assert "Rehearsal on a stand-in. Finished: " in done.stdout
    assert "Rehearsal on a stand-in. Finished" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))["rehearsal"] == "stand-in"
    assert [row["detail"] for row in report_of(tmp_path)] == ["Rehearsal on a stand-in."] * 2
    run_id = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))["run_id"]
    state = ("--state-dir", tmp_path / "state")
    for asked in (("runs", "list"), ("runs", "show", run_id), ("runs", "verify"), ("explain", "600000001")):
        assert "Rehearsal on a stand-in." in bulk_remove(*asked, *state).stdout
        whole = bulk_remove(*asked, *state, "--json").stdout
        assert '"rehearsal":"stand-in"' in re.sub(r"\s", "", whole)
    # Also what is written later, from the ledger alone.
    assert bulk_remove("report", "--state-dir", tmp_path / "state", "-o", tmp_path / "page.html").returncode == 0
    assert "Rehearsal on a stand-in. Finished" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_server_on_this_machine_may_be_a_tunnel_and_is_named_all_the_same(tmp_path: Path, numbers: Path) -> None:
    for url in ("http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9"):
        plan = bulk_remove("plan", numbers, "-c", "00001", "--state-dir", tmp_path / "state", "--url", url)
        assert "is this machine: unless a tunnel leads from there to Thulium, this is a rehearsal." in plan.stdout
    real = bulk_remove("plan", numbers, "-c", "00001", "--state-dir", tmp_path / "state", "--system", "acme")
    assert "rehearsal" not in real.stdout


@pytest.mark.parametrize("name", ["report.csv", "report.summary.json"])
def test_what_was_put_at_the_report_s_place_while_the_run_went_on_stays(
    tmp_path: Path, server: Running, numbers: Path, name: str
) -> None:
    numbers.write_text("telefon\n" + "".join(f"{601_000_000 + 37 * at}\n" for at in range(30)), encoding="utf-8")
    slow = ("--max-numbers-per-request", "1", "--rate", "10", "--max-share", "100%")
    run = words(server, tmp_path, tmp_path / "report.csv", *slow, numbers)
    before = requests(server)
    told, complained = tmp_path / "told", tmp_path / "complained"
    with (
        told.open("w") as out,
        complained.open("w") as err,
        started(*run, out=out.fileno(), err=err.fileno()) as process,
    ):
        while requests(server) < before + 2:
            assert process.poll() is None
            time.sleep(0.01)
        (tmp_path / name).write_text("mine", encoding="utf-8")
        assert process.wait(timeout=60) == 0
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "report-2.csv").read_text(encoding="utf-8").count("\n") == 31
    assert json.loads((tmp_path / "report-2.summary.json").read_text(encoding="utf-8"))["rows"] == 30
    assert str(tmp_path / "report-2.csv") in told.read_text(encoding="utf-8")
    assert "so the report was written to" in complained.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["report.csv", "report.summary.json", "report.html"])
async def test_what_comes_to_the_report_s_place_while_it_is_being_written_stays(
    tmp_path: Path, server: Running, numbers: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    mine, undisturbed = tmp_path / name, reporter.written_aside

    @contextmanager
    def disturbed(path: Path, *told: Any, **also_told: Any) -> Iterator[TextIO]:
        with undisturbed(path, *told, **also_told) as file:
            yield file
            if path == mine:
                mine.write_text("mine", encoding="utf-8")  # between the last look and the rename

    for module in (reporter, finishing):
        monkeypatch.setattr(module, "written_aside", disturbed)
    own = Server(server.url, "demo", DEMO_PASSWORD, tmp_path / "state")
    done = await remove_files(
        numbers,
        Settings("00001", rate=100.0),
        own,
        approve=lambda _plan: True,
        output=tmp_path / "report.csv",
        also=["html"],
    )
    assert mine.read_text(encoding="utf-8") == "mine"
    assert (done.report.name, done.summary.name) == ("report-2.csv", "report-2.summary.json")
    assert [path.name for path in done.also] == ["report-2.html"]
    assert done.report.read_bytes().count(b"\n") == 3
    assert bulk_remove("runs", "verify", "--state-dir", tmp_path / "state").returncode == 0


def test_a_resumed_run_says_whose_report_it_replaces(tmp_path: Path, numbers: Path) -> None:
    (tmp_path / "server").mkdir()
    with simulator(tmp_path / "server", "--busy-share", "1", "--busy-seconds", "3600") as busy:
        run = words(busy, tmp_path, tmp_path / "report.csv", numbers, "--busy-for", "0s")
        assert [bulk_remove(*run).returncode for _ in range(2)] == [3, 3]
        first, second = sorted((tmp_path / "state" / "runs").iterdir())
        resume = ("resume", first.name, "--yes", "--state-dir", tmp_path / "state", "--busy-for", "0s")
        told = [" ".join(bulk_remove(*resume).stderr.split()) for _ in range(2)]
    assert f"is the report of run {second.name} and is replaced" in told[0]
    assert "is replaced" not in told[1]
