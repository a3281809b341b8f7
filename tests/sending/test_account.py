"""Runs that share a ceiling, in one process and a made-up time; tests/e2e/test_shared_ceiling.py has real ones."""

import os
import stat
import subprocess
import sys
from bisect import bisect_left
from contextlib import ExitStack
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.run.folders import account_file
from bulk_remove.sending.gate import AccountCeiling

SECOND_US = 1_000_000


def sent(runs: list[AccountCeiling], turns: list[tuple[int, int]], now_us: int = 0) -> list[int]:
    """Let runs ask by turns, each a while after the last; returns when requests left."""
    moments = []
    for which, later_us in turns:
        now_us += later_us
        if not runs[which % len(runs)].depart(now_us):
            moments.append(now_us)
    return moments


@given(
    st.lists(st.floats(0.2, 9), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 400_000)), max_size=80),
)
def test_no_second_holds_more_than_the_highest_ceiling_and_none_more_than_the_lowest_once_all_have_asked(
    tmp_path_factory: pytest.TempPathFactory, ceilings: list[float], turns: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("account") / "account.sqlite"
    with ExitStack() as stack:
        runs = [
            stack.enter_context(AccountCeiling(path, ceiling, str(index))) for index, ceiling in enumerate(ceilings)
        ]
        moments = sent(runs, turns)
        for index, moment_us in enumerate(moments):
            assert bisect_left(moments, moment_us + SECOND_US) - index <= max(ceil(each) for each in ceilings)
        last_us = sum(later_us for _, later_us in turns)
        for run in runs:
            run.depart(last_us)
        moments = sent(runs, [(index, 100_000) for index in range(60)], last_us + 12 * SECOND_US)
        for run in runs:
            run.depart(last_us + 18 * SECOND_US)
        moments = sent(runs, [(index, 100_000) for index in range(60)], last_us + 18 * SECOND_US)
        for index, moment_us in enumerate(moments):
            assert bisect_left(moments, moment_us + SECOND_US) - index <= max(1, ceil(min(ceilings)))


def test_a_run_alone_has_the_whole_ceiling_and_what_it_is_told_to_wait_is_enough(tmp_path: Path) -> None:
    now_us = 0
    with AccountCeiling(tmp_path / "a.sqlite", 5.0, "one") as run:
        for _ in range(50):
            wait_us = run.depart(now_us)
            if wait_us:
                now_us += wait_us
                assert run.depart(now_us) == 0
    assert now_us == 9 * SECOND_US


def test_a_run_that_was_killed_leaves_no_debt(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with AccountCeiling(path, 0.1, "slow") as slow, AccountCeiling(path, 10.0, "fast") as fast:
        assert slow.depart(0) == 0
        assert fast.depart(SECOND_US) > 0
        assert len(sent([fast], [(0, 10_000)] * 100, 11 * SECOND_US)) == 10


def test_a_clock_that_began_anew_is_not_waited_for(tmp_path: Path) -> None:
    with AccountCeiling(tmp_path / "a.sqlite", 1.0, "one") as run:
        assert run.depart(10**12) == 0
        assert run.depart(0) == 0


HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO departure VALUES (0)")
print("in its turn", flush=True)
time.sleep(60)
"""


def test_a_run_killed_in_its_turn_is_waited_for_no_longer_than_it_lives(tmp_path: Path) -> None:
    path = account_file(tmp_path, "host", "user")
    with AccountCeiling(path, 1.0, "one") as run:
        assert run.depart(-SECOND_US) == 0
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE)
        with holder:
            assert holder.stdout
            assert holder.stdout.readline() == b"in its turn\n"
            assert 0 < run.depart(0) <= 5_000
            holder.kill()
        assert run.depart(0) == 0


def test_a_file_that_cannot_be_used_leaves_a_run_its_own_ceiling_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, other = tmp_path / "folder.sqlite", tmp_path / "other.sqlite"
    folder.mkdir()
    other.write_text("no database" * 100, encoding="ascii")
    for path in (folder, other):
        with AccountCeiling(path, 5.0, "one") as run:
            assert [run.depart(0) for _ in range(20)] == [0] * 20
    assert [record.message for record in caplog.records] == [
        f"the ceiling cannot be shared with other runs through {path}: {reason}"
        for path, reason in ((folder, "Is a directory"), (other, "file is not a database"))
    ]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_no_other_user_can_read_who_sends_when(tmp_path: Path) -> None:
    path = account_file(tmp_path, "host", "user")
    with AccountCeiling(path, 5.0, "one") as run:
        run.depart(0)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_two_users_and_two_hosts_share_nothing(tmp_path: Path) -> None:
    files = {account_file(tmp_path, host, user) for host in ("a", "b") for user in ("x", "x/", "X")}
    assert len(files) == 6
