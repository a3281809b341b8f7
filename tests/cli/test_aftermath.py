"""What machines are told: JSON logs, metrics, notifications. None holds a number or a secret, or changes a run."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path

import pytest

from tests.support.processes import Running, altered, bulk_remove, environment, removal, report_of, simulator

_SERIES = re.compile(r'^(\w+)\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\} (\S+)$')
_FIRST_NUMBERS = count(500_000_000, 1000)  # no test meets the numbers of another on their server


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with simulator(
        tmp_path_factory.mktemp("server"), "--fault", "dropped_after=0.1", "--absent-share", "0.2"
    ) as running:
        yield running


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    source = tmp_path / "numbers.csv"
    first = next(_FIRST_NUMBERS)
    source.write_text("\n".join(["telefon", *(str(first + index) for index in range(60))]), encoding="utf-8")
    return source


PACE = ("--max-numbers-per-request", "3", "--rate", "100")


def series(path: Path) -> dict[tuple[str, ...], float]:
    """Read a metrics file; a line that is not as the format says fails. The key is the name and the labels' values."""
    found: dict[tuple[str, ...], float] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        matched = _SERIES.match(line)
        assert matched, line
        key = (matched[1], *re.findall(r'"((?:[^"\\]|\\.)*)"', matched[2]))
        assert key not in found, f"{key} twice"
        found[key] = float(matched[3])
    return found


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Give an address in Apprise's way, and what was posted to it."""
    posted: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append(json.loads(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"json://hook:s3cret@127.0.0.1:{listening.server_port}/t0ken", posted
        finally:
            listening.shutdown()
            thread.join()


def test_a_log_in_json_is_one_object_a_line_with_stable_keys(server: Running, tmp_path: Path, numbers: Path) -> None:
    assert bulk_remove(*removal(server, tmp_path, numbers, *PACE), "--log-format", "json").returncode == 0
    (log,) = tmp_path.glob("state/runs/*/run.log")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert {tuple(line) for line in lines} == {("time", "level", "logger", "run", "message")}
    assert {line["run"] for line in lines} == {log.parent.name}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    assert "sending 60 numbers in 20 requests" in [line["message"] for line in lines]
    assert "50000" not in log.read_text(encoding="utf-8")


def test_the_metrics_say_what_the_report_says(server: Running, tmp_path: Path, numbers: Path) -> None:
    metrics = tmp_path / "bulk_remove.prom"
    metrics.write_text("what the last night left", encoding="utf-8")
    assert bulk_remove(*removal(server, tmp_path, numbers, *PACE), "--metrics-file", metrics).returncode == 0
    told = series(metrics)
    host = server.url.removeprefix("http://")
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    statuses = [row["status"] for row in report_of(tmp_path)]
    for status in ("REMOVED", "NOT_EXIST", "PRESUMED_REMOVED", "UNSENT"):
        assert told["bulk_remove_numbers", host, "00001", status] == statuses.count(status)
    assert told["bulk_remove_requests", host, "00001"] == summary["requests"]
    assert {key[3]: value for key, value in told.items() if key[0] == "bulk_remove_faults"} == summary["faults"]
    assert told["bulk_remove_runs", host, "00001", "done"] == 1
    assert told["bulk_remove_exit_code", host, "00001"] == 0
    assert told["bulk_remove_sending_seconds", host, "00001"] == pytest.approx(summary["seconds"], abs=0.002)
    assert oct(metrics.stat().st_mode & 0o777) == "0o644"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_the_metrics_of_a_night_add_up_its_files(server: Running, tmp_path: Path, numbers: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    content = numbers.read_text(encoding="utf-8").split("\n")
    for name, rows in (("a.csv", content[:31]), ("b.csv", [content[0], *content[31:]]), ("c.csv", ["miasto", "Łódź"])):
        (inbox / name).write_text("\n".join(rows), encoding="utf-8")
    metrics = tmp_path / "night.prom"
    own = removal(server, tmp_path, *PACE)[1:-2]
    assert bulk_remove("inbox", inbox, *own, "--settle", "50ms", "--metrics-file", metrics).returncode == 4
    told = series(metrics)
    host = server.url.removeprefix("http://")
    assert sum(value for key, value in told.items() if key[0] == "bulk_remove_numbers") == 60
    assert told["bulk_remove_runs", host, "00001", "done"] == 2
    assert told["bulk_remove_files", host, "00001", "done"] == 2
    assert told["bulk_remove_files", host, "00001", "failed"] == 1
    assert told["bulk_remove_exit_code", host, "00001"] == 4


def test_a_command_that_fails_before_it_has_a_run_is_told_too(server: Running, tmp_path: Path, numbers: Path) -> None:
    metrics = tmp_path / "bulk_remove.prom"
    with webhook() as (address, posted):
        done = bulk_remove(
            *removal(server, tmp_path, numbers, "--user", "nobody"),
            "--metrics-file",
            metrics,
            env=environment(BULK_REMOVE_NOTIFY=address),
        )
    assert done.returncode == 6
    assert series(metrics)["bulk_remove_exit_code", server.url.removeprefix("http://"), "00001"] == 6
    assert len(posted) == 1
    assert "the server refused (exit 6)" in posted[0]["title"]
    assert "Check --user and the password" in posted[0]["message"]


def test_metrics_that_cannot_be_written_are_told_and_change_nothing(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    done = bulk_remove(*removal(server, tmp_path, numbers), "--metrics-file", tmp_path / "nowhere" / "a.prom")
    assert done.returncode == 0
    assert "The metrics file" in done.stderr
    assert len(report_of(tmp_path)) == 60


@pytest.mark.parametrize(("when", "messages"), [("problem", 0), ("always", 2)])
def test_a_notification_goes_to_every_address_and_holds_no_number_and_no_secret(
    server: Running, tmp_path: Path, numbers: Path, when: str, messages: int
) -> None:
    with webhook() as (address, posted):
        done = bulk_remove(
            *removal(server, tmp_path, numbers, *PACE),
            "--notify-on",
            when,
            env=environment(BULK_REMOVE_NOTIFY=f"{address} {address}"),
        )
    assert done.returncode == 0, done.stderr
    assert len(posted) == messages
    for message in posted:
        assert "every number is final (exit 0)" in message["title"]
        assert "REMOVED" in message["message"]
    kept = "".join(path.read_bytes().decode(errors="replace") for path in tmp_path.glob("state/runs/*/*"))
    assert "s3cret" not in done.stdout + done.stderr + kept + (tmp_path / "report.summary.json").read_text("utf-8")
    assert "50000" not in json.dumps(posted)


def test_a_notification_that_fails_is_told_without_its_address_and_changes_nothing(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    words = (*removal(server, tmp_path, numbers), "--notify-on", "always")
    with webhook(500) as (address, _):
        done = bulk_remove(*words, env=environment(BULK_REMOVE_NOTIFY=f"json://127.0.0.1:9/s3cret {address}"))
    assert done.returncode == 0, done.stderr
    assert "Notification 1 could not be sent" in done.stderr
    assert "Notification 2 could not be sent" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert "t0ken" not in done.stdout + done.stderr


def test_an_address_that_nobody_knows_is_refused_before_anything_is_sent_and_not_shown(
    server: Running, tmp_path: Path, numbers: Path
) -> None:
    env = environment(BULK_REMOVE_NOTIFY="nonsense://s3cret")
    done = bulk_remove(*removal(server, tmp_path, numbers), env=env)
    assert (done.returncode, "number 1 is not an Apprise address" in done.stderr) == (2, True)
    assert "s3cret" not in done.stderr
    missing = altered("import sys\nsys.modules['apprise'] = None", *removal(server, tmp_path, numbers), env=env)
    assert (missing.returncode, "pip install 'bulk-remove[notify]'" in missing.stderr) == (2, True)
    assert not (tmp_path / "report.csv").exists()


def test_apprise_is_not_loaded_by_a_run_that_notifies_nobody(server: Running, tmp_path: Path, numbers: Path) -> None:
    without = altered("import sys\nsys.modules['apprise'] = None", *removal(server, tmp_path, numbers))
    assert without.returncode == 0, without.stderr


def test_quiet_says_nothing_of_a_run_that_went_well(server: Running, tmp_path: Path, numbers: Path) -> None:
    done = bulk_remove(*removal(server, tmp_path, numbers, *PACE), "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(report_of(tmp_path)) == 60


@pytest.mark.parametrize(
    ("options", "code"), [(("--max-numbers", "5"), 5), (("--system", "acme"), 2), (("--campaign", "99999"), 6)]
)
def test_quiet_says_all_of_it_where_something_is_wrong(
    server: Running, tmp_path: Path, numbers: Path, options: tuple[str, ...], code: int
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    told, quiet = (
        bulk_remove(*removal(server, tmp_path / name, numbers, *options, *more))
        for name, more in (("a", ()), ("b", ("-q",)))
    )
    assert told.returncode == quiet.returncode == code
    assert [line[:60] for line in quiet.stderr.splitlines()] == [line[:60] for line in told.stderr.splitlines()]
    assert quiet.stdout.splitlines()[:1] == told.stdout.splitlines()[:1]


def test_quiet_says_all_of_a_run_that_left_something_open(server: Running, tmp_path: Path, numbers: Path) -> None:
    until = (datetime.now().astimezone() + timedelta(seconds=5)).strftime("%H:%M:%S")
    slow = ("--max-numbers-per-request", "1", "--rate", "1", "--until", until)
    done = bulk_remove(*removal(server, tmp_path, numbers, *slow), "--quiet")
    assert done.returncode == 9
    assert "UNSENT" in done.stdout
    assert "bulk-remove resume" in done.stdout


def test_quiet_asks_nobody(server: Running, tmp_path: Path, numbers: Path) -> None:
    command = [part for part in removal(server, tmp_path, numbers, *PACE) if part != "--yes"]
    done = bulk_remove(*command, "--quiet")
    assert done.returncode == 2
    assert "--quiet shows no plan to confirm." in done.stderr


def test_quiet_warns_of_metrics_that_could_not_be_written(server: Running, tmp_path: Path, numbers: Path) -> None:
    done = bulk_remove(
        *removal(server, tmp_path, numbers, *PACE), "--quiet", "--metrics-file", tmp_path / "nowhere" / "x.prom"
    )
    assert done.returncode == 0
    assert "x.prom" in done.stderr
    assert "60 numbers" in done.stdout + done.stderr


def test_a_quiet_night_says_only_what_went_wrong(server: Running, tmp_path: Path, numbers: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    numbers.rename(inbox / "a.csv")
    where = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", tmp_path / "state")
    night = ("inbox", inbox, *where, "--settle", "0s", "--yes", "--quiet", *PACE)
    well = bulk_remove(*night)
    assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
    (inbox / "b.csv").write_text("telefon\nnobody\n", encoding="utf-8")
    badly = bulk_remove(*night)
    assert badly.returncode == 4
    assert "b.csv" in badly.stdout + badly.stderr
