"""The progress is true of this session, whatever earlier ones did, and fits what it is shown on."""

import asyncio
import io
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from bulk_remove.console import Live, live
from bulk_remove.core.timeline import Snapshot, Wait
from tests.support.processes import bulk_remove, environment, removal, simulator
from tests.support.terminal import sitting
from tests.support.virtual_time import run_virtually

BEGIN = Snapshot({"R": 90_000, "U": 10_000}, 0, 0, 0, {}, 5.0, 0)
"""A run of 100,000 numbers that is resumed for its last tenth."""
_OFTEN = "import bulk_remove.console.live as live\nlive._LINE_EVERY_S = 0.1\n"
needs_terminal = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


@pytest.fixture(name="lines_of")
def lines_of_fixture(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[float], Snapshot], float], list[str]]:
    """Give what is shown without a terminal, line by line, where the snapshot is a function of the time."""

    def now_s() -> float:
        return asyncio.get_running_loop().time()

    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=now_s, time=lambda: 1_700_000_000.0 + now_s()))

    def shown(snapshot: Callable[[float], Snapshot], seconds: float) -> list[str]:
        file = io.StringIO()

        async def watch() -> None:
            console = Console(file=file, width=300)
            async with Live(console).sending(100_000, 5.0, 900.0, lambda: snapshot(now_s())):
                await asyncio.sleep(seconds)

        run_virtually(watch())
        return file.getvalue().splitlines()

    return shown


Lines = Callable[[Callable[[float], Snapshot], float], list[str]]


def test_what_earlier_sessions_did_is_no_speed_of_this_one(lines_of: Lines) -> None:
    def at(now_s: float) -> Snapshot:
        done = round(100 * now_s)  # a hundred numbers a second, in one request
        return replace(BEGIN, phases={"R": 90_000 + done, "U": 10_000 - done}, requests=round(now_s))

    first, second = lines_of(at, 25.0)
    assert first == (
        "91,000 of 100,000 numbers (91%), 91,000 removed, 0 not there, 10 s elapsed, 1.0 requests/s (limit 5), "
        "about 1 min 30 s left"
    )
    assert second.endswith("92,000 removed, 0 not there, 20 s elapsed, 1.0 requests/s (limit 5), about 1 min 20 s left")


def test_a_session_that_has_done_nothing_yet_knows_no_speed(lines_of: Lines) -> None:
    (line,) = lines_of(lambda _now: BEGIN, 15.0)
    assert line.endswith("0.0 requests/s (limit 5), time left not known yet")


def test_what_is_due_already_is_asked_for_and_not_waited_for(lines_of: Lines) -> None:
    """So it is with all numbers of a rerun, and with those that a killed run left without an answer."""

    def at(now_s: float) -> Snapshot:
        left = 10_000 - round(100 * now_s)
        return replace(BEGIN, phases={"R": 100_000 - left, "u": left}, waiting=left, due_in_s=-3600.0)

    (line,) = lines_of(at, 15.0)
    assert line.endswith("asking again for 9,000, about 1 min 30 s left")


def test_a_wait_for_calls_to_end_says_when_it_goes_on_and_when_it_ends(lines_of: Lines) -> None:
    busy = replace(BEGIN, phases={"R": 90_000, "B": 10_000}, waiting=10_000, due_in_s=0.5)
    (line,) = lines_of(lambda _: replace(busy, until_in_s=1800.0), 15.0)
    moments = r"asking again at \d\d:\d\d, until (\d{4}-\d\d-\d\d )?\d\d:\d\d at the latest"
    assert re.search(rf"waiting for 10,000: {moments}$", line)
    (line,) = lines_of(lambda _: busy, 15.0)
    assert re.search(r"waiting for 10,000: asking again at \d\d:\d\d$", line)


def test_how_long_the_server_asked_to_wait_is_told_and_how_much_of_it_is_left(lines_of: Lines) -> None:
    lines = lines_of(lambda now_s: replace(BEGIN, wait=Wait(100.0, 100.0 - now_s)), 25.0)
    assert lines[0].endswith("the server asked to wait 1 min 40 s: goes on in 1 min 30 s")
    assert lines[1].endswith("the server asked to wait 1 min 40 s: goes on in 1 min 20 s")


def test_after_a_pause_the_speed_is_that_of_the_sending(lines_of: Lines) -> None:
    def at(now_s: float) -> Snapshot:
        sent_s = min(now_s, 20.0) + max(0.0, now_s - 620.0)
        done = round(100 * sent_s)
        paused_for_s = now_s - 20.0 if 20.0 <= now_s < 620.0 else None
        return replace(BEGIN, phases={"R": 90_000 + done, "U": 10_000 - done}, paused_for_s=paused_for_s, under_way=2)

    lines = lines_of(at, 635.0)
    assert lines[2].endswith("PAUSED for 10 s, 2 under way: p goes on, q stops")
    assert lines[-1].endswith("about 1 min 10 s left")


def test_outside_the_hours_it_says_once_when_it_goes_on_and_then_the_speed_is_that_of_the_sending(
    lines_of: Lines,
) -> None:
    opens_s = datetime.now().astimezone().replace(hour=20, minute=0).timestamp()

    def at(now_s: float) -> Snapshot:
        sent_s = min(now_s, 20.0) + max(0.0, now_s - 36_020.0)
        done = round(100 * sent_s)
        outside = 20.0 <= now_s < 36_020.0
        under_way = 2 if now_s < 35.0 else 0
        began = replace(BEGIN, phases={"R": 90_000 + done, "U": 10_000 - done}, under_way=under_way)
        return replace(began, opens_s=opens_s if outside else None)

    lines = lines_of(at, 36_035.0)
    assert [line.partition("(limit 5), ")[2] for line in lines[1:4]] == [
        "outside --hours, 2 under way; goes on at 20:00",
        "outside --hours; goes on at 20:00",
        "time left not known yet",
    ]
    assert lines[-1].endswith("about 1 min 10 s left")
    assert len(lines) == 5


def test_a_pause_outside_the_hours_is_told_with_both(lines_of: Lines) -> None:
    opens_s = datetime.now().astimezone().replace(hour=20, minute=0).timestamp()
    (line,) = lines_of(lambda now_s: replace(BEGIN, paused_for_s=now_s, opens_s=opens_s), 15.0)
    assert line.endswith("PAUSED for 10 s, outside --hours until 20:00: p goes on, q stops")


def numbers_in(folder: Path, count: int) -> Path:
    source = folder / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(str(500_000_000 + index) for index in range(count)), encoding="utf-8")
    return source


PACE = ("--max-numbers-per-request", "1", "--rate", "8")


@pytest.mark.parametrize("changes", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}], ids=str)
def test_without_a_terminal_there_are_plain_lines_and_no_escape_code(tmp_path: Path, changes: dict[str, str]) -> None:
    with simulator(tmp_path) as server:
        words = removal(server, tmp_path, numbers_in(tmp_path, 10), *PACE)
        done = bulk_remove(*words, env=environment(TERM="xterm-256color", **changes), before=_OFTEN)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if " of 10 numbers (" in line]
    assert len(lines) > 3
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr


@needs_terminal
def test_a_dumb_terminal_gets_plain_lines_and_still_takes_keys(tmp_path: Path) -> None:
    with simulator(tmp_path) as server:
        words = removal(server, tmp_path, numbers_in(tmp_path, 40), *PACE)
        with sitting(*words, env={"TERM": "dumb"}, before=_OFTEN) as at:
            at.until(" of 40 numbers (")
            at.type("p")
            at.until("Paused: ")
            at.until("PAUSED for")
            at.type("q")
            assert at.ended() == 130, at.shown
    assert "\x1b" not in at.shown


@needs_terminal
def test_no_colour_is_shown_where_none_is_wanted(tmp_path: Path) -> None:
    with simulator(tmp_path) as server:
        words = removal(server, tmp_path, numbers_in(tmp_path, 8), *PACE)
        with sitting(*words, env={"NO_COLOR": "1"}) as at:
            assert at.ended() == 0, at.shown
    weights = {part for codes in re.findall(r"\x1b\[([\d;]*)m", at.shown) for part in codes.split(";")}
    assert weights <= {"", "0", "1", "2"}  # plain, bold, dim


def drawn(shown: str) -> list[str]:
    """Return the lines of the progress, without escape codes."""
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    return [line for line in re.split(r"[\r\n]+", plain) if "━" in line or " · " in line or "limit" in line]


@needs_terminal
def test_the_progress_is_no_wider_than_the_terminal_also_after_that_was_resized(tmp_path: Path) -> None:
    with simulator(tmp_path) as server:
        words = removal(server, tmp_path, numbers_in(tmp_path, 40), *PACE)
        with sitting(*words) as at:
            at.resize(40)
            at.until("Keys: p pauses")
            at.until("requests/s")
            narrow = drawn(at.shown.rpartition("q stops safely")[2])
            at.resize(25)
            at.until("requests/s")
            at.until("requests/s")  # this one was drawn after the change
            before = len(at.shown)
            at.until("requests/s")
            at.until("requests/s")
            narrower = drawn(at.shown[before:])
            at.resize(200)
            at.until("requests/s")
            at.until("requests/s")
            before = len(at.shown)
            at.until("requests/s")
            wide = drawn(at.shown[before:])
            at.type("q")
            assert at.ended() == 130, at.shown
    assert max(map(len, narrow)) <= 40
    assert max(map(len, narrower)) <= 25
    assert max(map(len, wide)) >= 60


@needs_terminal
def test_a_resumed_run_shows_where_it_stands_from_the_first_moment(tmp_path: Path) -> None:
    with simulator(tmp_path) as server:
        words = removal(server, tmp_path, numbers_in(tmp_path, 40), *PACE)
        with sitting(*words) as at:
            while not re.search(r"[5-9] removed", at.shown):
                at.until(" removed")
            at.type("q")
            assert at.ended() == 130, at.shown
        told = re.search(r"REMOVED\s+(\d+)", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", at.shown))
        assert told
        with sitting("resume", "--yes", "--state-dir", tmp_path / "state") as at:
            at.until(" of 40 numbers")
            first = drawn(at.shown)
            at.type("q")
            assert at.ended() == 130, at.shown
    assert any(
        line.startswith(f"{told[1]} of 40 numbers ({100 * int(told[1]) // 40}%) · {told[1]} removed") for line in first
    )
    assert bulk_remove("runs", "list", "--state-dir", tmp_path / "state").returncode == 0


def test_no_speed_above_the_ceiling_is_shown(lines_of: Lines) -> None:
    (line,) = lines_of(lambda now_s: replace(BEGIN, requests=round(5.1 * now_s)), 15.0)
    assert "5.0 requests/s (limit 5)" in line
