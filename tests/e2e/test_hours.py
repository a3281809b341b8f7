"""The real command with `--hours` and `--until`: what it says of them, and that it removes nothing at other times."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bulk_remove.console.screen import when_lines, when_notes
from bulk_remove.core.timeline import read_window
from bulk_remove.simulator.server import read_audit
from tests.support.processes import Running, bulk_remove, environment, removal, report_of, simulator, started
from tests.support.terminal import sitting

NUMBERS = 12
_OFTEN = "import bulk_remove.console.live as live\nlive._LINE_EVERY_S = 0.1\n"
_EVENING = datetime(2026, 11, 27, 19, 30)  # noqa: DTZ001 - local time, as a clock on the wall shows it
posix = pytest.mark.skipif(os.name != "posix", reason="needs signals or a pseudo-terminal")


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[Running]:
    with simulator(tmp_path) as running:
        yield running


@pytest.fixture(name="source")
def source_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    path.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(NUMBERS)), encoding="utf-8")
    return path


def removals(server: Running) -> int:
    return sum(entry.method == "DELETE" for entry in read_audit(server.audit))


def later() -> tuple[str, str]:
    """Return hours that begin in three hours and last for one, and when they begin."""
    begins = datetime.now().astimezone() + timedelta(hours=3)
    return f"{begins:%H:%M}-{begins + timedelta(hours=1):%H:%M}", f"{begins:%H:%M}"


def stopped_while_waiting(words: tuple[str | Path, ...], folder: Path) -> tuple[str, str]:
    """Start a command, end it once it says for the second time that it waits, and return what it told."""
    out, err = folder / "out.txt", folder / "err.txt"
    with (
        out.open("wb") as told,
        err.open("wb") as complained,
        started(*words, out=told.fileno(), err=complained.fileno(), before=_OFTEN) as process,
    ):
        while "outside --hours; goes on at" not in err.read_text(encoding="utf-8"):
            assert process.poll() is None, err.read_text(encoding="utf-8")
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    return out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")


@posix
def test_a_run_outside_its_hours_waits_and_is_stopped_resumed_and_given_others(
    tmp_path: Path, server: Running, source: Path
) -> None:
    hours, begins = later()
    words = removal(server, tmp_path, source, "--hours", hours, "--report", "html")
    told, noted = stopped_while_waiting(words, tmp_path)
    assert f"numbers are removed only within {hours}" in told
    assert f"Outside --hours: no number is removed before {begins}." in noted
    assert f"This session sent only in the hours {hours}." in told
    assert {row["status"] for row in report_of(tmp_path)} == {"UNSENT"}
    resume = ("resume", "--yes", "--state-dir", tmp_path / "state")
    _, noted = stopped_while_waiting(resume, tmp_path)
    assert f"Outside --hours: no number is removed before {begins}." in noted
    assert removals(server) == 0
    done = bulk_remove(*resume, "--hours", "00:00-24:00")
    assert done.returncode == 0, done.stderr
    assert "Outside --hours" not in done.stderr
    assert {row["status"] for row in report_of(tmp_path)} == {"REMOVED"}
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert summary["settings"]["hours"] == ["00:00-24:00"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count(f"<td>{hours}</td>") == 2
    assert page.count("<td>00:00-24:00</td>") == 1
    assert "Outside its hours a session waits" in page


@posix
def test_an_inbox_outside_its_hours_waits_with_its_first_file(tmp_path: Path, server: Running, source: Path) -> None:
    hours, _ = later()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    source.rename(inbox / "a.csv")
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", tmp_path / "state", "--yes")
    told, _ = stopped_while_waiting(("inbox", inbox, *own, "--settle", "50ms", "--hours", hours), tmp_path)
    assert "a.csv: " in told
    assert (inbox / "a.csv").exists()
    assert removals(server) == 0


@posix
@pytest.mark.parametrize(
    ("key", "ending"), [("q", "stopped by the key q"), ("\x03", "stopped by Ctrl-C")], ids=["q", "Ctrl-C"]
)
def test_outside_the_hours_keys_are_answered_and_the_run_can_be_stopped(
    tmp_path: Path, server: Running, source: Path, key: str, ending: str
) -> None:
    hours, begins = later()
    with sitting(*removal(server, tmp_path, source, "--hours", hours)) as at:
        at.until(f"outside --hours; goes on at {begins}")
        at.type("p")
        at.until(f"outside --hours until {begins}: p goes on, q stops")
        at.type("p")
        at.until(f"No longer paused, but outside --hours: continues at {begins}.")
        at.until(f"outside --hours; goes on at {begins}")
        at.type(key)
        assert at.ended() == 130, at.shown
    assert f"Ended early ({ending})" in at.shown
    assert removals(server) == 0


def test_hours_come_from_the_environment_a_profile_and_flags_and_a_wrong_one_is_refused(
    tmp_path: Path, source: Path
) -> None:
    plan = ("plan", source, "-c", "00001")
    env = environment(BULK_REMOVE_HOURS="mon-fri 20:00-06:00; sat,sun 00:00-24:00")
    told = bulk_remove(*plan, env=env).stdout
    assert "numbers are removed only within mon-fri 20:00-06:00; sat,sun 00:00-24:00\n" in told
    config = tmp_path / "config.toml"
    config.write_text('[defaults]\nhours = ["20:00-06:00"]\n', encoding="utf-8")
    assert "only within 20:00-06:00\n" in bulk_remove(*plan, "--config", config).stdout
    flags = ("--hours", "01:00-02:00", "--hours", "sun 03:00-04:00")
    assert "only within 01:00-02:00; sun 03:00-04:00\n" in bulk_remove(*plan, "--config", config, *flags).stdout
    assert json.loads(bulk_remove(*plan, "--json", *flags).stdout)["hours"] == ["01:00-02:00", "sun 03:00-04:00"]
    wrong = bulk_remove(*plan, "--hours", "20-6")
    assert (wrong.returncode, "'20-6' is not a window; write 20:00-06:00" in wrong.stderr) == (2, True)
    for same in ("06:00-06:00", "6:00 - 06:00", "mon 20:00-20:00"):
        wrong = bulk_remove(*plan, "--hours", same)
        assert (wrong.returncode, f"'{same}' has no length; for a whole day write 00:00-24:00." in wrong.stderr) == (
            2,
            True,
        )
    assert bulk_remove(*plan, "--hours", "00:00-24:00").returncode == 0
    config.write_text('[defaults]\nhours = "20:00-06:00"\n', encoding="utf-8")
    wrong = bulk_remove(*plan, "--config", config)
    assert (wrong.returncode, "hours is text, not a list" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("hours", "until", "lines", "notes"),
    [
        pytest.param((), None, [], [], id="nothing is said of neither"),
        pytest.param((), (27, 22), ["the run stops safely today at 22:00"], [], id="until today"),
        pytest.param(
            (),
            (28, 6),
            ["the run stops safely tomorrow at 06:00 (2026-11-28)"],
            ["It is past 06:00 today, so --until means tomorrow."],
            id="until tomorrow",
        ),
        pytest.param((), (29, 6), ["the run stops safely on 2026-11-29 06:00"], [], id="until a later day"),
        pytest.param((), (28, 22), ["the run stops safely tomorrow at 22:00 (2026-11-28)"], [], id="a day and more"),
        pytest.param(
            ("19:00-06:00",), None, ["numbers are removed only within 19:00-06:00"], [], id="within the hours"
        ),
        pytest.param(
            ("20:00-06:00", "sun 10:00-12:00"),
            (27, 21),
            [
                "numbers are removed only within 20:00-06:00; sun 10:00-12:00",
                "the run stops safely today at 21:00",
            ],
            ["Outside --hours: no number is removed before 20:00."],
            id="outside the hours, until after they begin",
        ),
        pytest.param(
            ("sun 10:00-12:00",),
            (27, 20),
            ["numbers are removed only within sun 10:00-12:00", "the run stops safely today at 20:00"],
            [
                "Outside --hours: no number is removed before 2026-11-29 10:00.",
                "--until comes before that: no number will be removed.",
            ],
            id="until before the hours begin",
        ),
    ],
)
def test_the_plan_says_when_numbers_are_removed_and_which_moment_a_deadline_means(
    hours: tuple[str, ...], until: tuple[int, int] | None, lines: list[str], notes: list[str]
) -> None:
    moment = None if until is None else _EVENING.replace(day=until[0], hour=until[1], minute=0)
    windows = [window for text in hours if (window := read_window(text)) is not None]
    assert [*when_lines(hours, moment, _EVENING)] == lines
    assert [*when_notes(windows, moment, _EVENING)] == notes


def test_a_deadline_that_is_over_for_today_is_told_to_be_tomorrow_s(
    tmp_path: Path, server: Running, source: Path
) -> None:
    """Whatever the clock shows, the time of day of a minute ago comes next after about a day."""
    over = datetime.now().astimezone() - timedelta(minutes=1)
    done = bulk_remove(*removal(server, tmp_path, source, "--until", f"{over:%H:%M}"))
    assert done.returncode == 0, done.stderr
    if over.date() == datetime.now().astimezone().date():  # else it was a minute to midnight, and that is today's
        assert f"the run stops safely tomorrow at {over:%H:%M} (" in done.stdout
        assert f"It is past {over:%H:%M} today, so --until means tomorrow." in done.stderr
