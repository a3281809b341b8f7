"""Whole runs on two hosts: processes with state folders of their own, and one database."""

import os
import signal
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from shutil import rmtree

import pytest

from bulk_remove.ledger.shared import Shared
from bulk_remove.simulator.server import AuditEntry, read_audit
from tests.support.postgres import Postgres, Wire, wait_until
from tests.support.processes import Running, bulk_remove, environment, removal, simulator, started
from tests.torture.killing import check
from tests.torture.killing_hosts import torture

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and SIGSTOP are POSIX")
LEASE_S = 2.0
SLOW = ("--max-numbers-per-request", "5", "--rate", "25", "--concurrency", "4")
NUMBERS = [str(601_000_000 + index) for index in range(600)]


class Hosts:
    """Two hosts with one database and one server."""

    def __init__(self, folder: Path, server: Running, url: str) -> None:
        self.folder = folder
        self.server = server
        self.env = environment(BULK_REMOVE_STATE=url)
        self.source = folder / "numbers.csv"
        self.source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")

    def run(self, host: str, *words: str) -> tuple[str | Path, ...]:
        """Return the words of a run on a host."""
        own = ("--state-dir", self.folder / host, *SLOW)
        return removal(self.server, self.folder, self.source, *words, *own)

    def resume(self, host: str) -> tuple[str | Path, ...]:
        """Return the words of a resume on a host."""
        return ("resume", "--yes", "--state-dir", self.folder / host, "-o", self.folder / "report.csv")

    def asked(self) -> list[AuditEntry]:
        """Return the requests that the server saw."""
        with suppress(FileNotFoundError):
            return [entry for entry in read_audit(self.server.audit) if entry.method == "DELETE"]
        return []

    def wait_for_requests(self, count: int) -> None:
        wait_until(lambda: len(self.asked()) >= count)

    def check(self, host: str) -> None:
        """Hold the report against what the server did; only what was under way was asked twice."""
        check(self.folder, NUMBERS, host)
        often = Counter(number for entry in self.asked() for number in entry.asked)
        assert sum(count > 1 for count in often.values()) <= 4 * 5


@pytest.fixture(name="hosts")
def hosts_fixture(tmp_path: Path, server: Postgres, url: str) -> Iterator[Hosts]:
    Shared(url).close()
    server.ask(url, "UPDATE bulk_remove.setting SET lease_s = %s", LEASE_S)
    with simulator(tmp_path, "--campaign", "00001", "--campaign", "00002") as running:
        yield Hosts(tmp_path, running, url)


def test_only_one_host_works_on_a_campaign(hosts: Hosts) -> None:
    with started(*hosts.run("one"), env=hosts.env) as one:
        hosts.wait_for_requests(5)
        other = bulk_remove(*hosts.run("other", "-o", str(hosts.folder / "other.csv")), env=hosts.env)
        assert other.returncode == 8, other.stderr
        assert "Another run holds campaign 00001" in other.stderr
        listed = bulk_remove("runs", "list", "--state-dir", hosts.folder / "other", env=hosts.env).stdout
        assert "under way" in listed
        assert one.wait(timeout=60) == 0
    assert max(Counter(number for entry in hosts.asked() for number in entry.asked).values()) == 1


def test_the_other_host_finishes_a_run_whose_host_is_gone_with_its_disk(hosts: Hosts) -> None:
    with started(*hosts.run("one"), env=hosts.env) as one:
        hosts.wait_for_requests(20)
        one.kill()
    rmtree(hosts.folder / "one")
    done = bulk_remove(*hosts.resume("other"), env=hosts.env)
    assert done.returncode == 0, done.stderr
    hosts.check("other")


def test_a_host_whose_link_is_cut_is_followed_by_another_and_sends_nothing_more(
    hosts: Hosts, server: Postgres, url: str
) -> None:
    with closing(Wire(server.port)) as wire:
        env = environment(BULK_REMOVE_STATE=server.url(url.rpartition("/")[2], wire.port))
        with started(*hosts.run("one"), env=env) as one:
            hosts.wait_for_requests(20)
            wire.cut()
            cut_s = time.monotonic()
            with started(*hosts.resume("other"), env=hosts.env) as other:
                ((lost, _),) = leases(server, url, "campaign:")
                wait_until(lambda: leases(server, url, "campaign:") not in ([(lost, True)], [(lost, False)]))
                assert time.monotonic() - cut_s <= LEASE_S + 2
                assert other.wait(timeout=60) == 0
            seen = len(hosts.asked())
            wire.mend()
            assert one.wait(timeout=60) == 8
    assert len(hosts.asked()) == seen
    hosts.check("other")


def leases(server: Postgres, url: str, kind: str) -> list[tuple[int, bool]]:
    """Return the tokens of the leases, and whether they still hold."""
    return server.ask(
        url, "SELECT token, until > clock_timestamp() FROM bulk_remove.lease WHERE starts_with(name, %s)", kind
    )


def test_a_host_that_was_stopped_beyond_its_lease_sends_nothing_when_it_wakes(hosts: Hosts) -> None:
    with started(*hosts.run("one"), env=hosts.env) as one:
        hosts.wait_for_requests(20)
        one.send_signal(signal.SIGSTOP)
        done = bulk_remove(*hosts.resume("other"), env=hosts.env)
        assert done.returncode == 0, done.stderr
        seen = len(hosts.asked())
        one.send_signal(signal.SIGCONT)
        assert one.wait(timeout=60) == 8
    assert len(hosts.asked()) == seen
    hosts.check("other")


def test_a_restart_of_the_database_costs_time_only(hosts: Hosts, server: Postgres) -> None:
    with started(*hosts.run("one"), env=hosts.env) as one:
        hosts.wait_for_requests(20)
        server.stop()
        quiet = len(hosts.asked())
        server.start()
        assert one.wait(timeout=60) == 0
    assert len(hosts.asked()) > quiet
    assert max(Counter(number for entry in hosts.asked() for number in entry.asked).values()) == 1
    check(hosts.folder, NUMBERS, "one")


def test_without_the_database_no_request_begins_and_the_run_can_be_resumed(hosts: Hosts, server: Postgres) -> None:
    with started(*hosts.run("one", "--give-up-after", "1s"), env=hosts.env) as one:
        hosts.wait_for_requests(20)
        server.stop()
        assert one.wait(timeout=60) == 7
        seen = len(hosts.asked())
        server.start()
    done = bulk_remove(*hosts.resume("other"), env=hosts.env)
    assert done.returncode == 0, done.stderr
    assert len(hosts.asked()) > seen
    hosts.check("other")


def test_a_stop_does_not_wait_for_a_database_that_is_away(hosts: Hosts, server: Postgres) -> None:
    with started(*hosts.run("one"), env=hosts.env) as one:
        hosts.wait_for_requests(20)
        server.stop()
        one.send_signal(signal.SIGTERM)
        assert one.wait(timeout=60) == 7  # it would try for a quarter of an hour
        server.start()
    assert bulk_remove(*hosts.resume("other"), env=hosts.env).returncode == 0
    hosts.check("other")


def test_two_hosts_of_one_account_keep_to_one_limit_at_the_server(hosts: Hosts) -> None:
    # A machine that has much else to do delays what arrives, and what is measured: so not the first time must do.
    figures = [arrivals(hosts)]
    while figures[-1][0] > 20 or figures[-1][1] < 18:
        assert len(figures) < 6, figures
        figures.append(arrivals(hosts))


def arrivals(hosts: Hosts) -> tuple[int, float]:
    """Have two hosts send; returns the most arrivals at the server in any second, and their mean."""
    words = ("--max-numbers-per-request", "6", "--rate", "20", "--concurrency", "4", "--overwrite")
    before = len([*read_audit(hosts.server.audit)]) if hosts.asked() else 0
    runs = [
        started(*removal(hosts.server, hosts.folder, hosts.source, *words, *each), env=hosts.env)
        for each in (
            ("-c", campaign, "-o", hosts.folder / f"{campaign}.csv", "--state-dir", hosts.folder / campaign)
            for campaign in ("00001", "00002")
        )
    ]
    assert [run.wait(timeout=120) in {0, 3} for run in runs] == [True, True]
    moments_s = sorted(entry.time_s for entry in [*read_audit(hosts.server.audit)][before:])
    most = max(bisect_left(moments_s, moment_s + 1) - index for index, moment_s in enumerate(moments_s))
    return most, (len(moments_s) - 1) / (moments_s[-1] - moments_s[0])


def test_a_night_on_another_host_goes_on_with_what_a_dead_host_left_in_the_inbox(hosts: Hosts) -> None:
    inbox = hosts.folder / "inbox"
    inbox.mkdir()
    hosts.source.rename(inbox / "list.csv")
    night = ("inbox", inbox, "--yes", "--settle", "0s", "-c", "00001", "--user", "demo", "--pace", "fixed", *SLOW)
    at = ("--url", hosts.server.url, "--state-dir")
    with started(*night, *at, hosts.folder / "one", env=hosts.env) as one:
        hosts.wait_for_requests(20)
        one.kill()
    rmtree(hosts.folder / "one")
    done = bulk_remove(*night, *at, hosts.folder / "other", env=hosts.env)
    assert done.returncode == 0, done.stderr
    (inbox / "done" / "list.csv.report.csv").rename(hosts.folder / "report.csv")
    hosts.check("other")


def test_hosts_killed_again_and_again_end_with_a_whole_and_true_report(tmp_path: Path, server: Postgres) -> None:
    assert torture(server, tmp_path, kills=4, seed=1) >= 1
