"""What files and servers say reaches screen, log, notes, page, metrics and messages only as text."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from unicodedata import category
from zipfile import ZipFile

import pytest

from bulk_remove.core.model import harmless
from tests.support.processes import Running, bulk_remove, report_of
from tests.support.terminal import at_a_terminal
from tests.support.workbooks import ods_sheet, write_ods

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\u200b\u2028\r\nError: all is well\x7f"
NUMBERS = ("601-234-777", "(22) 999 88 77", "+48 602 333 444")
SAID = f"{HOSTILE} {' '.join(NUMBERS)}"
_FIRST_NUMBERS = count(500_000_000, 1000)


class Heard(BaseHTTPRequestHandler):
    """A server that is not the one that it seems: it counts records, and refuses every removal at length."""

    posted: list[str]

    def do_GET(self) -> None:
        self._reply(200, {"count": 1000, "result": []})

    def do_DELETE(self) -> None:
        numbers = re.findall(r"=(\d+)", self.path)
        if len(numbers) > 5:
            self._reply(200, {SAID: [{"status": "REMOVED"}], **{n: [{"status": SAID}] for n in numbers[:3]}})
        else:
            self._reply(400, {"request_id": HOSTILE, "errors": [{"message": SAID, "code": 1}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posted += [body["title"], body["message"]]
        self._reply(200, {})

    def _reply(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-Id", "\u00ff 601-234-777")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[tuple[Running, list[str]]]:
    class Own(Heard):
        posted: list[str] = []  # noqa: RUF012 - one for each server

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Running(f"http://127.0.0.1:{server.server_port}", Path()), Own.posted
        finally:
            server.shutdown()
            thread.join()


def check(text: str) -> None:
    """Hold that a text has nothing in it but lines that can be seen, and no number that stands in HOSTILE's place."""
    left = {letter for letter in text if category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {"\n"}
    assert not left, repr(text)
    assert not re.search(r"^Error: all is well", text, re.MULTILINE)
    assert not [number for number in NUMBERS if number in text]


@pytest.fixture(name="hostile")
def hostile_fixture(tmp_path: Path) -> Path:
    """Give a CSV with a name, a column and cells that are none of them harmless."""
    name = f"{HOSTILE} 601-234-777.csv".replace("/", "")
    first = next(_FIRST_NUMBERS)
    rows = [f'"{first + index}";"{SAID}"' for index in range(20)]
    rows += [f'"{SAID}";"{SAID}"', '"=1+1";"\u202e"', f'"601{HOSTILE[:7]}234555";""']
    header = '"telefon' + HOSTILE.replace("\r\n", " ") + '";"uwagi"'
    (tmp_path / "inbox").mkdir()
    path = tmp_path / "inbox" / name
    path.write_text("\n".join([header, *rows]), encoding="utf-8", newline="")
    return path


def words(server: Running, folder: Path, *more: str | Path) -> tuple[str | Path, ...]:
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", folder / "state", "--column", "1")
    return (
        *own,
        "--max-invalid",
        "50%",
        "--pace",
        "fixed",
        "--rate",
        "100",
        "--busy-for",
        "0s",
        "--busy-delay",
        "100ms",
        "--tries",
        "2",
        *more,
    )


def test_a_run_of_a_hostile_file_at_a_hostile_server_shows_only_text(tmp_path: Path, hostile: Path) -> None:
    with listening() as (server, posted):
        notified = server.url.replace("http://", "json://") + "/x"
        written = (
            "--report",
            "html",
            "--metrics-file",
            tmp_path / "m.prom",
            "--notify",
            notified,
            "--notify-on",
            "always",
        )
        plan = bulk_remove("plan", hostile, *words(server, tmp_path), "--show-numbers")
        run = bulk_remove("run", hostile, *words(server, tmp_path, *written, "--yes", "-o", tmp_path / "report.csv"))
        assert run.returncode in {3, 5, 6}, run.stderr
    assert len(posted) == 2
    (folder,) = (tmp_path / "state" / "runs").iterdir()
    state = ("--state-dir", tmp_path / "state")
    number = report_of(tmp_path)[0]["number"]
    told = [
        bulk_remove(*command, *more, *state)
        for command in (("runs", "list"), ("runs", "show", folder.name), ("explain", number), ("runs", "verify"))
        for more in ((), ("--json",))
    ]
    for done in (plan, run, *told):
        for text in (done.stdout, done.stderr):
            left = {letter for letter in text if category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {"\n"}
            assert not left, (done.args, text)
    for done in (run, *told[0::2]):
        check(done.stdout.replace(repr(SAID)[1:-1], "").replace(f"{hostile}", ""))
    for text in posted:
        check(text)
    check((tmp_path / "m.prom").read_text(encoding="utf-8"))
    check((folder / "run.log").read_text(encoding="utf-8"))
    check((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "owned" in run.stdout  # what was said is shown all the same
    rows = report_of(tmp_path)
    assert len(rows) == 23
    assert rows[20]["input"].lstrip("'") == SAID  # the report holds data


def test_a_night_over_a_hostile_file_writes_only_text(tmp_path: Path, hostile: Path) -> None:
    bad = hostile.with_name(f"\t2 {HOSTILE}.csv".replace("/", ""))
    bad.write_text(f'"miasto{HOSTILE[:20]}"\nRzym\n', encoding="utf-8", newline="")
    named = hostile.with_name(f"3 {HOSTILE}.pdf".replace("/", ""))
    named.touch()
    with listening() as (server, posted):
        notified = server.url.replace("http://", "json://") + "/x"
        night = bulk_remove(
            "inbox", hostile.parent, *words(server, tmp_path, "--settle", "50ms", "--yes", "--notify", notified)
        )
    assert night.returncode in {4, 5, 6}, night.stderr
    for text in (night.stdout, night.stderr, *posted):
        check(text)
    notes = [*(hostile.parent / "failed").glob("*.note.txt")]
    assert notes
    for note in notes:
        check(note.read_text(encoding="utf-8"))
    assert f"{harmless(hostile.name)}: " in night.stdout


@pytest.mark.parametrize("kind", ["ods", "zip", "missing", "folder", "two columns"])
def test_what_is_wrong_with_a_hostile_file_is_told_as_text(tmp_path: Path, kind: str) -> None:
    name = HOSTILE.replace("/", "")
    path = tmp_path / f"{name} 601-234-777.{'csv' if kind in {'missing', 'two columns'} else kind}"
    if kind == "ods":
        rows = ods_sheet([["x", "y"], ["a", "b"]])
        write_ods(path, {f"{letter} \u202e\u200b\u2028 601-234-777": rows for letter in "ab"})
    elif kind == "zip":
        with ZipFile(path, "w") as archive:
            archive.writestr(f"{name} 601-234-777.csv", "x")
            archive.writestr(f"{name} 601-234-778.csv", "y")
    elif kind == "folder":
        path.mkdir()
    elif kind == "two columns":
        path.write_text(f'"a {HOSTILE[:20]}";"b {HOSTILE[17:22]}"\n601234555;601234556\n', encoding="utf-8")
    done = bulk_remove("plan", path, "-c", "00001", "--state-dir", tmp_path / "state")
    assert done.returncode == 4, done.stdout + done.stderr
    check(done.stderr)


def test_the_question_at_a_terminal_shows_only_text_of_the_file(tmp_path: Path, hostile: Path) -> None:
    with listening() as (server, _):
        shown, code = at_a_terminal(["run", hostile, *words(server, tmp_path)], ("n to stop:", "no\n"))
    assert code == 5
    for sequence in ("\x1b]0", "\x1b[2J\x9b", "\x9b", "\u202e", "\u2028", "\x07"):
        assert sequence not in shown
