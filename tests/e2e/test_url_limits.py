"""Proxies that do not take long URLs, each in its own way, on real sockets."""

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bulk_remove import Server, Settings, Status, remove_files, remove_numbers
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.throttle import Breaker, RetryPolicy
from bulk_remove.errors import GuardStop
from bulk_remove.run import job as carry_out
from bulk_remove.sending import pool
from bulk_remove.simulator.api import DEMO_PASSWORD, DEMO_USER
from bulk_remove.simulator.server import Simulator, running
from bulk_remove.simulator.world import ListedCampaign, Record, World
from tests.support.loopback_proxy import RESET, proxying
from tests.support.processes import Running, bulk_remove, removal, report_of

NUMBERS = [str(601_000_000 + 7 * place) for place in range(300)]
REACHED = 70
"""So many numbers of a long URL go through the proxy whole, and the next one without its last digit."""
ALL = ("--max-share", "100%")
LONGEST = RequestShape("00001").line_bytes(*NUMBERS[: REACHED + 1]) - 1
CUT_NUMBER = NUMBERS[REACHED][:-1]
BYSTANDER = 5235


def world(*more: Record) -> World:
    return World([ListedCampaign("00001", [*more, *(Record(place, number) for place, number in enumerate(NUMBERS))])])


@pytest.fixture(name="source")
def source_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    path.write_text("telefon\n" + "\n".join(NUMBERS) + "\n", encoding="utf-8")
    return path


async def command(*words: str | Path) -> CompletedProcess[str]:
    return await asyncio.to_thread(bulk_remove, *words)


def strangers_removed(server: Simulator) -> list[str]:
    return [number for entry in server.audit for number in entry.removed if number not in NUMBERS]


async def test_a_removal_that_nobody_asked_for_is_5_and_told_everywhere_and_resume_says_it_again(
    tmp_path: Path, source: Path
) -> None:
    async with running(world(Record(BYSTANDER, CUT_NUMBER))) as server, proxying(longest_line=LONGEST) as proxy:
        words = removal(Running(server.url, tmp_path), tmp_path, source, "--concurrency", "1", "--report", "html", *ALL)
        done = await command(*words, "--proxy", f"127.0.0.1:{proxy.port}")
        assert strangers_removed(server) == [CUT_NUMBER]
        assert server.seen["DELETE"] == 1
        told = done.stdout.replace("\n", " ")
        assert done.returncode == 5
        assert "Ended early (the reply named a removal that nobody asked for)" in told
        assert f"60*****{CUT_NUMBER[-1]} (record {BYSTANDER}) in campaign 00001" in told
        assert "A proxy that cuts long URLs is the likely cause" in told
        assert CUT_NUMBER not in done.stdout + done.stderr
        _check_files(tmp_path)

        (run,) = (tmp_path / "state" / "runs").iterdir()
        again = await command("resume", "--yes", run.name, "--state-dir", tmp_path / "state")
        assert again.returncode == 0, again.stderr
        assert f"(record {BYSTANDER}) in campaign 00001" in again.stderr.replace("\n", " ")
        assert strangers_removed(server) == [CUT_NUMBER]
        assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
        assert len(json.loads((tmp_path / "report.summary.json").read_text())["unasked_removals"]) == 1
        assert (await command("runs", "verify", run.name, "--state-dir", tmp_path / "state")).returncode == 0


def _check_files(folder: Path) -> None:
    """Hold what a run left behind whose URL was cut, against what the server did."""
    summary = json.loads((folder / "report.summary.json").read_text(encoding="utf-8"))
    (found,) = summary["unasked_removals"]
    assert (found["number"], found["record_ids"], found["campaign"]) == (CUT_NUMBER, [BYSTANDER], "00001")
    assert (found["request"], found["at"][:2], summary["exit_code"]) == (1, "20", 5)
    rows = report_of(folder)
    assert [row["status"] for row in rows[:REACHED]] == ["REMOVED"] * REACHED
    assert all(f"nobody asked for: {CUT_NUMBER} (record {BYSTANDER})" in row["detail"] for row in rows[REACHED:274])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"(record {BYSTANDER}) in campaign 00001" in page
    assert CUT_NUMBER not in page


async def test_from_python_a_removal_that_nobody_asked_for_is_a_guard_stop(tmp_path: Path) -> None:
    async with running(world(Record(BYSTANDER, CUT_NUMBER))) as server, proxying(longest_line=LONGEST) as proxy:
        settings = Settings("00001", max_share=1.0, concurrency=1, proxy=f"127.0.0.1:{proxy.port}")
        to = Server(server.url, DEMO_USER, DEMO_PASSWORD, state_dir=tmp_path / "state")
        told = Counter[Status]()

        async def remove() -> None:
            async for outcome in remove_numbers(NUMBERS, settings, to, approve=lambda _: True):
                told[outcome.status] += 1

        with pytest.raises(GuardStop, match=f"record {BYSTANDER}"):
            await remove()
    assert told == {Status.REMOVED: REACHED, Status.FAILED: 274 - REACHED, Status.UNSENT: 300 - 274}


async def test_a_url_that_is_cut_where_nobody_stands_is_shortened_and_all_goes_well(
    tmp_path: Path, source: Path
) -> None:
    async with running(world()) as server, proxying(longest_line=LONGEST) as proxy:
        words = removal(Running(server.url, tmp_path), tmp_path, source, "--concurrency", "1", "--rate", "100", *ALL)
        done = await command(*words, "--proxy", f"127.0.0.1:{proxy.port}")
        assert strangers_removed(server) == []
    told = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert (done.returncode, told["numbers_in_replies_unasked"], told["unasked_removals"]) == (0, 1, [])
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}


@pytest.fixture(name="_hasty")
def hasty_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the waits, which the pool's own tests see in virtual time."""
    monkeypatch.setattr(pool, "Breaker", partial(Breaker, probe_first_us=1_000, probe_max_us=1_000))
    monkeypatch.setattr(carry_out, "RetryPolicy", partial(RetryPolicy, backoff_first_s=0.001))


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize(
    "too_long", ["400 Bad Request", "403 Forbidden", "404 Not Found", "302 Found", "500 Internal Server Error", RESET]
)
async def test_a_limit_on_the_url_is_found_whatever_the_proxy_answers_and_kept_for_the_host(
    tmp_path: Path, source: Path, too_long: str
) -> None:
    async with running(world()) as server, proxying(longest_line=LONGEST, too_long=too_long) as proxy:
        settings = Settings(
            "00001",
            max_share=1.0,
            rate=500.0,
            concurrency=1,
            max_numbers_per_request=150,
            proxy=f"127.0.0.1:{proxy.port}",
        )
        to = Server(server.url, DEMO_USER, DEMO_PASSWORD, state_dir=tmp_path / "state")
        removing = partial(remove_files, [str(source)], settings, to, approve=lambda _: True)
        first = await removing(output=tmp_path / "first.csv")
        assert (first.exit_code, first.by_status) == (0, {Status.REMOVED: 300})
        assert first.totals.faults
        second = await removing(output=tmp_path / "second.csv")
    # It is known now, and no further request is too long.
    assert second.totals.faults == {}


@pytest.fixture(name="inbox")
def inbox_fixture(tmp_path: Path, source: Path) -> Path:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    source.rename(inbox / "a.csv")
    (inbox / "b.csv").write_text("telefon\n602000000\n", encoding="utf-8")
    return inbox


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file()]


def killed(state: Path) -> None:
    """Make a run look as if it had been killed just after the removal was written down."""
    (run,) = (state / "runs").iterdir()
    for marker in run.glob("*concluded*"):
        marker.unlink()
    with closing(sqlite3.connect(run / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE session SET ended_at_s = NULL, ending = NULL")
        ledger.execute("DELETE FROM proof WHERE no > 1")  # what the approval proves stays


async def test_a_night_ends_with_a_removal_that_nobody_asked_for_and_leaves_the_file_to_a_person(
    tmp_path: Path, inbox: Path
) -> None:
    async with running(world(Record(BYSTANDER, CUT_NUMBER))) as server, proxying(longest_line=LONGEST) as proxy:
        own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", tmp_path / "state")
        words = ("inbox", *ALL, inbox, *own, "--yes", "--settle", "0s", "--proxy", f"127.0.0.1:{proxy.port}")
        night = await command(*words, "--concurrency", "1")
        assert (night.returncode, server.seen["DELETE"]) == (5, 1)
        assert "No other file is begun" in (night.stdout + night.stderr).replace("\n", " ")
        assert files_in(inbox) == ["b.csv"]
        rows = (inbox / "failed" / "a.csv.report.csv").read_text(encoding="utf-8").splitlines()
        assert sum(",REMOVED," in row for row in rows) == REACHED

        killed(tmp_path / "state")
        (inbox / "failed" / "a.csv").rename(inbox / "a.csv")
        (inbox / "b.csv").unlink()
        night = await command(*words, "--concurrency", "1")
        assert (night.returncode, server.seen["DELETE"]) == (5, 1)
        assert files_in(inbox) == []
        note = next((inbox / "failed").glob("a*.txt")).read_text(encoding="utf-8")
        assert "named a removal that nobody asked for" in note
