"""The benchmark measures work that was done: its server answers as documented, and what was not done is noticed."""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bulk_remove.core.chunker import RequestShape, in_requests, pack, writing_of
from bulk_remove.core.model import Brackets
from tests.benchmarks import rivals
from tests.benchmarks.answering import Server, answering
from tests.benchmarks.figures import CURL, OURS, OURS_ON_TMPFS, Figures, Run
from tests.benchmarks.record import add_section, table
from tests.benchmarks.whole import Bench, Way, carried_out, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs the operating system's account of a process")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with answering() as running:
        yield running


def asked(server: Server, wire: bytes) -> bytes:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port or 0), timeout=10) as client:
        client.sendall(wire)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def delete(*numbers: str) -> bytes:
    query = "&".join(f"phone_number%5B%5D={number}" for number in numbers)
    return f"DELETE {rivals.PATH}?{query} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def test_requests_sent_together_are_answered_in_their_order_with_record_ids_of_their_own(server: Server) -> None:
    server.told()
    said = asked(server, delete("441", "442") + delete("443"))
    first, second = (json.loads(reply.partition(b"\r\n\r\n")[2]) for reply in said.split(b"HTTP/1.1 200 OK")[1:])
    assert [*first, *second] == ["441", "442", "443"]
    entries = [entry for reply in (first, second) for (entry,) in reply.values()]
    assert all(entry["http_status"] == 200 and entry["status"] == "REMOVED" for entry in entries)
    assert len({entry["record_id"] for entry in entries}) == 3
    assert server.told()[:3] == (2, 3, 3)


def test_a_number_asked_for_twice_is_told_apart_from_two_numbers(server: Server) -> None:
    server.told()
    asked(server, delete("441", "441"))
    assert server.told()[:3] == (1, 2, 1)


@pytest.mark.parametrize("numbers", [("441", "442"), ("441", "441", "442")], ids=["too few", "one twice"])
def test_a_way_that_does_not_ask_for_each_number_once_ends_the_benchmark(
    server: Server, tmp_path: Path, numbers: tuple[str, ...]
) -> None:
    address = urlsplit(server.url)
    code = (
        "import socket, sys\n"
        f"with socket.create_connection(({address.hostname!r}, {address.port})) as client:\n"
        f"    client.sendall({delete(*numbers)!r}); client.recv(1)\n"
    )

    def command(_folder: Path, _state: Path) -> Sequence[str]:
        return (sys.executable, "-c", code)

    with pytest.raises(SystemExit, match="not done"):
        carried_out(Way("half-hearted", 3, command, tmp_path, reports=False), server, tmp_path, os.environ)


def test_our_own_way_is_measured_and_sends_the_fewest_requests_possible(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the benchmark keeps its files
    way = next(Bench(server, tmp_path, None).ways([1000], 500))
    assert way.name == OURS
    run = carried_out(way, server, tmp_path, environment())
    assert run is not None
    assert run.requests == rivals.fewest_requests(1000)
    assert 0 < run.first_delete_s < run.wall_s
    assert run.cpu_s > 0


def test_the_ready_urls_are_as_full_as_ours(tmp_path: Path) -> None:
    numbers = [f"{600_000_000 + index}" for index in range(1000)]
    path = tmp_path / "numbers.csv"
    path.write_text("\n".join(("telefon", *numbers)), encoding="ascii")
    shape = RequestShape("00001", brackets=Brackets.RAW)
    assert list(rivals.ready_urls(path, "")) == [shape.target(chunk) for chunk in pack(numbers, shape)]
    assert rivals.fewest_requests(1000) == len(list(pack(numbers, shape)))


def test_a_million_numbers_take_as_few_requests_as_there_can_be_and_one_more_for_an_unknown_host() -> None:
    numbers = [f"{600_000_000 + index}" for index in range(1_000_000)]

    def planned(known: Brackets | None) -> int:
        return sum(1 for _ in in_requests([("00001", numbers)], RequestShape, writing_of(Brackets.AUTO, known)))

    assert rivals.fewest_requests(1_000_000) == planned(Brackets.RAW) == 3077
    assert planned(None) == 3078
    assert planned(Brackets.ENCODED) == 3572


def test_budgets_are_judged_by_the_median_and_what_is_missing_is_said_to_be() -> None:
    figures = Figures(1_000_000, helps=[0.1])
    for cpu_s in (5.0, 5.0, 9.0):
        figures.add(OURS, 1_000_000, Run(cpu_s, 6.0, 150.0, 3077, 2.0, 0.5))
        figures.add(CURL, 1_000_000, Run(cpu_s / 3, 1.0, 20.0, 3077, 0.1, 0.5))
    verdicts = [(budget.what, budget.verdict) for budget in figures.budgets()]
    assert (f"CPU s a million: {OURS}, 1,000,000", "met at the least only") in verdicts
    assert ("CPU, times bare curl's", "**not met**") in verdicts
    assert ("peak at ten million, times that at one", "not measured") in verdicts
    assert ("requests above the fewest possible", "met") in verdicts


@pytest.mark.parametrize(("disk_s", "verdict"), [(10.9, "met"), (11.2, "**not met**"), (9.0, "too noisy to tell")])
def test_a_disk_that_seems_faster_than_memory_proves_nothing_about_durability(disk_s: float, verdict: str) -> None:
    figures = Figures(1000, helps=[0.1])
    figures.add(OURS, 1000, Run(5.0, disk_s, 150.0, 4, 2.0, 0.5))
    figures.add(OURS_ON_TMPFS, 1000, Run(5.0, 10.0, 150.0, 4, 2.0, 0.5))
    assert ("wall on disk, times that on tmpfs", verdict) in [(b.what, b.verdict) for b in figures.budgets()]


def test_a_new_section_stands_before_the_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text("# Benchmarks\n\nHow.\n", encoding="utf-8")
    for day in ("1", "2"):
        add_section(path, f"## {day}\n\n{table(['way'], [[day]])}\n")
    parts = ["# Benchmarks\n\nHow.", "## 2\n\n| way |\n| --- |\n| 2 |", "## 1\n\n| way |\n| --- |\n| 1 |"]
    assert path.read_text(encoding="utf-8") == "\n\n".join(parts) + "\n"
