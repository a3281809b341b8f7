"""What can be tried of Windows without it: missing modules, open files, names, line ends, paths, the console."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bulk_remove.cli.given import read_password
from bulk_remove.cli.profiles import load, settings_of
from bulk_remove.cli.signals import is_alone
from bulk_remove.errors import UsageError
from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.docs.pages import ROOT
from tests.e2e.test_page_command import logged_in
from tests.support.processes import Running, altered, environment, report_of, simulator

LIKE_WINDOWS = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.support.like_windows import become; become()"
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at the open files in /proc")


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="numbers")
def numbers_fixture(tmp_path: Path) -> Path:
    file = tmp_path / "Zażółć lista.csv"
    file.write_bytes(b"telefon\r\n601234555\r\n601234556\r\n")
    return file


def words(server: Running, folder: Path) -> list[str]:
    return ["-c", "00001", "--url", server.url, "--user", "demo", "--state-dir", str(folder / "state")]


def on_windows(*commands: Sequence[str | Path], code: int = 0) -> list[str]:
    """Run commands one after the other in one process, in which a file that one left open is in the way of the next.

    Returns what each showed. Only the last may end with the code, which the others do not.
    """
    in_turn = (
        "import json, sys\n"
        "from bulk_remove.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    sys.argv[1:] = words\n"
        "    try: main()\n"
        "    except SystemExit as end: code = end.code\n"
        "    for stream in (sys.stdout, sys.stderr): print(chr(0), end='', file=stream, flush=True)\n"
        "    if code: sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{LIKE_WINDOWS}\n{in_turn}", json.dumps([[*map(str, words)] for words in commands])],
        env=environment(), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False, timeout=120,
    )  # fmt: skip
    told = [out + err for out, err in zip(done.stdout.split("\0"), done.stderr.split("\0"), strict=True)][:-1]
    assert (done.returncode, len(told)) == (code, len(commands)), (done.stdout, done.stderr)
    return told


@linux
def test_the_stand_in_for_windows_refuses_what_windows_refuses(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "def refuses(what):\n"
        "    try: what()\n"
        "    except (OSError, NotImplementedError): return True\n"
        "assert (os.name, sys.platform) == ('nt', 'win32') and not hasattr(os, 'geteuid')\n"
        "assert not hasattr(signal, 'SIGHUP') and not os.supports_dir_fd\n"
        "file = open('a', 'w')\n"
        "for what in (lambda: os.unlink('a'), lambda: os.replace('a', 'b'), lambda: open('a:b', 'w'),\n"
        "             lambda: os.open('.', os.O_RDONLY), lambda: os.mkdir('con')): assert refuses(what)\n"
        "file.close(); os.replace('a', 'b'); os.unlink('b')\n"
        "try: import termios\n"
        "except ImportError: print('so it is')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{LIKE_WINDOWS}\n{code}"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.stdout, done.stderr) == ("so it is\n", "")


@linux
def test_every_module_can_be_imported_where_windows_has_less(tmp_path: Path) -> None:
    code = (
        "import pkgutil, importlib, bulk_remove\n"
        "for each in pkgutil.walk_packages(bulk_remove.__path__, 'bulk_remove.'):\n"
        "    if not each.name.endswith('__main__'): importlib.import_module(each.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{LIKE_WINDOWS}\n{code}"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")


@linux
def test_plan_run_and_everything_after_it_work_where_windows_has_less(
    server: Running, numbers: Path, tmp_path: Path
) -> None:
    state, own = ("--state-dir", tmp_path / "state"), words(server, tmp_path)
    report = ("-o", tmp_path / "report.csv", "--report", "html,xlsx")
    told, *_ = on_windows(
        ("plan", numbers, *own),
        ("run", numbers, *own, *report, "--yes"),
        ("run", numbers, *own, *report, "--yes"),  # replaces the reports of the first
        ("run", ROOT / "sample_data" / "workbooks" / "titles_above.xlsx", *own, "--yes", "--canary"),
        ("rerun", tmp_path / "report.csv", *own[2:], "--yes"),
        ("resume", *state, "--yes"),
        ("report", *state, "-o", tmp_path / "again.html"),
        ("explain", "601234555", *state),
        ("runs", "verify", *state),
        ("runs", "list", *state),
        ("runs", "prune", "--older-than", "0d", "--yes", *state),
    )
    assert "numbers to remove from 00001" in told
    assert [row["status"] for row in report_of(tmp_path)] == ["NOT_EXIST"] * 2
    assert not [*(tmp_path / "state" / "runs").iterdir()]


@linux
def test_an_inbox_and_a_settings_file_work_where_windows_has_less(server: Running, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("telefon\n601234557\n", encoding="utf-8")
    on_windows(
        ("inbox", tmp_path / "in", *words(server, tmp_path), "--yes", "--settle", "10ms"),
        ("config", "init", "--config", tmp_path / "new" / "config.toml"),
        ("config", "show", "--config", tmp_path / "new" / "config.toml"),
        ("check", *words(server, tmp_path)[2:6]),
    )
    assert (tmp_path / "in" / "done" / "a.csv.report.csv").is_file()


@linux
def test_the_page_works_and_ctrl_c_stops_safely_where_windows_has_less(server: Running, tmp_path: Path) -> None:
    command = f"{LIKE_WINDOWS}\nfrom bulk_remove.cli import main\nmain()"
    typed = ["ui", "--no-browser", "--rate", "5", "--max-numbers-per-request", "1", *words(server, tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", command, *typed], env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            link = re.search(r"http://\S+", process.stdout.readline())
            assert link
            asyncio.run(_removed(link[0]))
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
    (summary,) = (tmp_path / "state" / "runs").glob("*/report.summary.json")
    assert "UNSENT" in summary.read_text(encoding="utf-8")


async def _removed(link: str) -> None:
    """Confirm a run on the page, and wait until something is removed."""
    async with logged_in(link) as browser:
        await browser.send("")
        await browser.get("state", r'"removed": "[1-9]')


@linux
@pytest.mark.parametrize("name", ["raport: marzec.csv", "nul.csv", "a?.csv"])
def test_a_name_that_windows_forbids_is_refused_before_anything_is_sent(
    server: Running, numbers: Path, tmp_path: Path, name: str
) -> None:
    (told,) = on_windows(("run", numbers, *words(server, tmp_path), "--yes", "-o", tmp_path / name), code=2)
    assert "Windows does not allow this name" in told
    assert '"DELETE"' not in server.audit.read_text(encoding="utf-8")


def test_a_password_command_with_blanks_in_its_path_is_quoted_as_in_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "with blank" / "show.py"
    script.parent.mkdir()
    script.write_text("print('C:\\\\secret')", encoding="utf-8")
    monkeypatch.setattr("bulk_remove.cli.given.os.name", "nt")
    command = f'"{sys.executable}" "{script}"'
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 0, words[1].encode()))
    assert read_password({}, "", "", command) == str(script)


def config(tmp_path: Path, text: str) -> Any:
    from bulk_remove.cli.commands import program  # noqa: PLC0415 - only here

    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return load(file, "acme", settings_of(program), needed=True).entries


def test_a_path_of_windows_in_single_quotes_stays_as_it_is(tmp_path: Path) -> None:
    entries = config(tmp_path, "[profile.acme]\nfiles = ['C:\\Users\\Zażółć\\lista.xlsx']\n")
    assert str(entries["files"].value[0]).endswith("C:\\Users\\Zażółć\\lista.xlsx")


@pytest.mark.parametrize("path", ["C:\\Users\\a.pem", "C:\\Program.pem", "C:\\new\\table.pem"])
def test_a_path_of_windows_in_double_quotes_is_told_how_to_write_it(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError) as told:
        config(tmp_path, f'[profile.acme]\nca_file = "{path}"\n')
    assert "single quotes" in told.value.hint


class Kernel:
    """The calls of Windows that name the processes of a console, with made-up ones."""

    def __init__(self, programs: dict[int, str]) -> None:
        self._programs = programs
        self.OpenProcess = lambda _access, _inherit, number: number
        self.closed: list[int] = []

    def GetConsoleProcessList(self, ids: Any, most: int) -> int:  # noqa: N802 - their name in Windows
        for place, number in enumerate([*self._programs][:most]):
            ids[place] = number
        return len(self._programs)

    def QueryFullProcessImageNameW(self, process: Any, _flags: int, path: Any, _length: Any) -> int:  # noqa: N802 - likewise
        path.value = self._programs[process.value]
        return int(bool(path.value))

    def CloseHandle(self, process: Any) -> None:  # noqa: N802 - likewise
        self.closed.append(process.value)


OWN = os.getpid()


@pytest.mark.parametrize(
    ("programs", "alone"),
    [
        ({OWN: ""}, True),
        ({OWN: "", 1: "C:\\Tools\\bulk-remove.exe", 2: "C:\\Python\\PYTHON.EXE"}, True),
        ({OWN: "", 1: "C:\\Tools\\bulk-remove.exe", 2: "C:\\Windows\\System32\\cmd.exe"}, False),
        ({OWN: "", 2: "C:\\Program Files\\PowerShell\\7\\pwsh.exe"}, False),
        ({OWN: "", 3: ""}, False),
        ({}, False),
        (dict.fromkeys(range(OWN, OWN + 40), "C:\\python.exe"), False),
    ],
    ids=["only this", "its launchers", "a shell", "PowerShell", "unknown", "no console", "many"],
)
def test_a_double_click_is_told_from_a_shell_by_the_processes_of_the_console(
    programs: dict[int, str], alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["C:\\Tools\\bulk-remove"])
    monkeypatch.setattr(sys, "executable", "C:\\Python\\python.exe")
    monkeypatch.setattr(sys, "_base_executable", "C:\\Python\\python.exe", raising=False)
    kernel = Kernel(programs)
    assert is_alone(kernel) is alone
    assert OWN not in kernel.closed


@pytest.mark.parametrize(("double", "begins"), [("True", "ui"), ("False", "Usage")])
def test_a_double_click_opens_the_page(double: str, begins: str) -> None:
    before = (
        "import bulk_remove.cli.profiles as profiles, bulk_remove.cli.commands as commands, click\n"
        f"profiles.opened_by_double_click = lambda: {double}\n"
        "commands.program.commands['ui'].callback = lambda **_: click.echo('ui')\n"
    )
    done = altered(before, env=environment())
    assert (done.stdout + done.stderr).startswith(begins)


def test_a_window_that_closes_stays_open_until_an_error_was_read() -> None:
    before = (
        "import bulk_remove.cli.signals as signals, bulk_remove.cli.profiles as profiles\n"
        "signals.opened_by_double_click = profiles.opened_by_double_click = lambda: True\n"
    )
    done = altered(before, env=environment(BULK_REMOVE_RATE="x", BULK_REMOVE_PASSWORD=DEMO_PASSWORD))
    assert done.returncode == 2
    assert done.stderr.rstrip().endswith("Press Enter to close this window.")
