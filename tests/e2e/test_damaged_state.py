"""A state folder in which a cell, a line or a byte is not what was written: each command says so, with a known code."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from bulk_remove.cli.commands import program
from bulk_remove.core.plan import CampaignPlan, Plan, SourcePlan
from bulk_remove.errors import BulkRemoveError, ExitCode, UsageError
from bulk_remove.run.after import gauges_of
from bulk_remove.run.inbox import finished_with, left_over
from bulk_remove.run.past import EarlierRuns, past_runs
from bulk_remove.run.places import Owner, check_replaceable, host_of_report
from bulk_remove.settings import Settings
from tests.support.inline_journal import SOURCE as INPUT
from tests.support.processes import Running, bulk_remove, removal, simulator

TABLES = (
    "run", "session", "canary", "record_count", "proof", "source", "block", "duplicate", "chunk", "attempt",
    "straggler",
)  # fmt: skip
NUMBER = "601000003"
_CUT_OFF = "UPDATE session SET ended_at_s = NULL, ending = NULL; DELETE FROM proof WHERE no > 1;"
_WHOLE: tuple[Any, ...] = ("x", [], None, -1, {})


class Left(NamedTuple):
    """A run that has ended."""

    state: Path
    run_id: str
    url: str

    @property
    def ledger(self) -> Path:
        return self.state / "runs" / self.run_id / "ledger.sqlite"


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("server")
    held = [("{}", "48{}")[index % 2].format(601_000_000 + index) for index in range(60)]
    (folder / "held.csv").write_text("\n".join(["number", *held]), encoding="utf-8")
    faults = ("--fault", "dropped_after=0.1", "--fault", "missing_numbers=0.2", "--seed", "3")
    busy = ("--busy-share", "0.2", "--busy-seconds", "9999")
    with simulator(folder, "--numbers", str(folder / "held.csv"), *busy, *faults) as running:
        yield running


@pytest.fixture(scope="module", name="left")
def left_fixture(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("run")
    numbers = [str(601_000_000 + index) for index in range(20)]
    source = folder / "numbers.csv"
    source.write_text("\n".join(["telefon", *numbers, "+48 601 000 003", "brak"]), encoding="utf-8")
    pace = ("--rate", "100", "--max-numbers-per-request", "6", "--busy-for", "0s", "--also-try", "international")
    more = ("--canary", "--canary-max-not-exist", "100%", "--max-invalid", "50%")
    done = bulk_remove(*removal(server, folder, source, *pace, *more))
    assert done.returncode == 3, done.stderr
    (run,) = (folder / "state" / "runs").iterdir()
    with closing(sqlite3.connect(run / "ledger.sqlite")) as connection:
        assert all(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)  # noqa: S608
    return Left(folder / "state", run.name, server.url)


@pytest.fixture(name="copy")
def copy_fixture(left: Left, tmp_path: Path) -> Left:
    return left._replace(state=shutil.copytree(left.state, tmp_path / "state"))


def code_of(left: Left, *words: str | Path) -> int:
    """Run a command in this process; whatever it raises that is not a sentence of ours fails the test."""
    done = CliRunner().invoke(program, [*map(str, words), "--state-dir", str(left.state)], standalone_mode=False)
    if isinstance(done.exception, BulkRemoveError):
        return int(done.exception.exit_code)
    if done.exception is not None:
        raise done.exception
    return int(done.return_value)


def look_at_all(left: Left, out: Path) -> set[int]:
    """Let everything look at the state folder that only reads it; returns the exit codes."""
    run = left.run_id
    commands: list[tuple[str | Path, ...]] = [
        ("runs", "list"), ("runs", "list", "--json"), ("runs", "show", run), ("runs", "show", run, "--json"),
        ("runs", "verify", run), ("explain", NUMBER), ("explain", NUMBER, "--json"),
        ("runs", "prune", "--older-than", "0s", "--dry-run"), ("report", run, "-o", out),
    ]  # fmt: skip
    codes = {code_of(left, *command) for command in commands}
    host = left.url.removeprefix("http://")
    source = SourcePlan(replace(INPUT, sha256="0" * 64), 1, 0, ())
    own, settings = Plan("99999999", host, (source,), (CampaignPlan("00001", 1, 1),), 5.0), Settings("00001")
    earlier = EarlierRuns(left.state, own, 9e9)
    earlier.known({})
    bool(earlier.removals)
    for each in left_over(earlier, left.state, host, settings):
        finished_with(earlier, each.content, host, settings)
    finished_with(earlier, "0" * 64, host, settings)
    assert [*earlier.told(settings)] == []
    host_of_report(out, "0" * 64, left.state)
    runs = [*past_runs(left.state)]
    for report in [report for each in runs for report in each.reports]:
        with suppress(UsageError):
            check_replaceable(report, Owner(left.state, host, Settings("00001")))
    gauges_of(runs, (host, "00001"), ExitCode.OK, 0.0, {})
    return codes


def others(cell: Any) -> list[Any]:
    """Return what a cell may be by damage or by hand: of the same type, as the tables see to that."""
    if isinstance(cell, float):
        return [-1e18, 9e99]
    if isinstance(cell, int):
        return [-1, 0, 2**62]
    if cell is None:
        return ["x", b"x", 7]
    if isinstance(cell, bytes):
        return [b"", b"\xff\xfe", b"[]", b'[["Z",1,[],0,0,0,0,"",1]]', cell[:-1]]
    return ["", "x", "[]", "{}", "7", "\x1b\n", cell[:-1], *in_json(cell)]


def in_json(cell: str) -> Iterator[str]:
    """Yield the JSON of a cell with one value or another of it changed."""
    try:
        document = json.loads(cell)
    except ValueError:
        return
    yield from (json.dumps(changed) for changed in _WHOLE)
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        yield from (json.dumps({**document, key: changed}) for changed in in_place_of(value))
        if isinstance(value, dict):
            yield from (json.dumps({**document, key: {**value, k: c}}) for k in value for c in in_place_of(value[k]))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            first, *rest = value
            changes = ({**first, k: c} for k in first for c in in_place_of(first[k]))
            yield from (json.dumps({**document, key: [change, *rest]}) for change in changes)


def in_place_of(value: Any) -> list[Any]:
    """Return what may stand for a value: one of another type and, where that is another, one of its own."""
    return ["x", []] if isinstance(value, str | list) else ["x"]


@pytest.mark.parametrize(
    ("ended", "each"),
    [
        (True, 6),
        pytest.param(True, 1, marks=pytest.mark.deep),
        (False, 24),
        pytest.param(False, 4, marks=pytest.mark.deep),
    ],
    ids=["ended", "ended, each value", "cut off", "cut off, more values"],
)
@pytest.mark.parametrize("table", TABLES)
def test_a_damaged_cell_is_told_by_everything_that_looks_at_it(
    copy: Left, table: str, each: int, *, ended: bool
) -> None:
    seen: set[int] = set()
    with closing(sqlite3.connect(copy.ledger, isolation_level=None)) as connection:
        if not ended:
            connection.executescript(_CUT_OFF)
        with closing(sqlite3.connect(copy.state / "sound")) as sound:
            connection.backup(sound)
        cursor = connection.execute(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608 - a name of the schema
        (row,) = cursor.fetchall()
        columns = [column[0] for column in cursor.description]
        damages = [(column, value) for column, cell in zip(columns, row, strict=True) for value in others(cell)]
        for column, value in damages[::each]:
            setting = f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT min(rowid) FROM {table})"  # noqa: S608
            try:
                connection.execute(setting, (value,))
            except sqlite3.IntegrityError:  # the schema itself does not let it be
                continue
            codes = look_at_all(copy, copy.state / "out.csv")
            assert codes <= {0, 4, 10}, (column, value)
            seen |= codes
            with closing(sqlite3.connect(copy.state / "sound")) as sound:
                sound.backup(connection)
    assert (10 in seen) or not ended


def test_a_byte_anywhere_is_told_by_everything_that_looks_at_it(left: Left, copy: Left) -> None:
    content = left.ledger.read_bytes()
    for place in range(0, len(content), len(content) // 40):
        copy.ledger.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        assert look_at_all(copy, copy.state / "out.csv") <= {0, 4, 10}, place


@pytest.mark.parametrize(
    "content", [b"", b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 4096], ids=["empty", "text", "torn"]
)
def test_a_file_that_is_no_ledger_is_told_by_everything_that_looks_at_it(copy: Left, content: bytes) -> None:
    copy.ledger.write_bytes(content)
    for beside in copy.ledger.parent.glob("ledger.sqlite-*"):
        beside.unlink()
    assert look_at_all(copy, copy.state / "out.csv") <= {0, 4, 10}


@pytest.mark.parametrize("file", ["reports.jsonl", "report.csv", "run.log", "run.lock", "concluded", "abandoned"])
@pytest.mark.parametrize(
    "content", [b"\xff\xfe\0", b'{"a": 1}\n[]\n"x\n', b""], ids=["no text", "other lines", "empty"]
)
def test_other_files_of_a_run_are_no_less_read_for_being_damaged(copy: Left, file: str, content: bytes) -> None:
    (copy.ledger.parent / file).write_bytes(content)
    assert look_at_all(copy, copy.state / "out.csv") <= {0, 4, 10}


def cut_off(damage: str) -> str:
    """Return what damages the ledger of a run that was killed in its first session."""
    return f"{_CUT_OFF} {damage}"


_REFUSED = (
    "UPDATE straggler SET due_at_s = NULL, chunk_id = 1",
    "UPDATE chunk SET progress = 'open' WHERE ordinals IS NOT NULL",
    cut_off("UPDATE straggler SET number = '601999999'"),
    cut_off("UPDATE straggler SET state = '[]'"),
    cut_off("UPDATE chunk SET states = x'00'"),
    cut_off("UPDATE session SET settings = '{}'"),
    cut_off("UPDATE straggler SET ordinal = ordinal + 1000"),
    cut_off("UPDATE chunk SET numbers = replace(numbers, '601000004', '601999994')"),
    'UPDATE run SET request = replace(request, \'"region":"PL"\', \'"region":7\')',
    "UPDATE run SET plan = '{}'",
    "UPDATE straggler SET number = '601999999'",
    "UPDATE straggler SET state = '[]'",
    "UPDATE chunk SET states = x'00'",
    "UPDATE chunk SET numbers = replace(numbers, '601000004', '601999994')",
    "UPDATE block SET numbers = ''",
    "UPDATE source SET properties = '7'",
    "UPDATE session SET settings = '{}'",
    "DELETE FROM duplicate",
)


@pytest.mark.parametrize(("damage", "refused"), [*((each, True) for each in _REFUSED), (_CUT_OFF, False)])
@pytest.mark.parametrize("command", ["resume", "rerun"])
def test_a_run_goes_on_from_no_ledger_that_is_not_as_it_was_written(
    server: Running, copy: Left, command: str, damage: str, *, refused: bool
) -> None:
    """What a damaged cell says could be the number of somebody else."""
    with closing(sqlite3.connect(copy.ledger)) as connection:
        connection.executescript(damage)
    before = server.audit.stat().st_size
    own = ("--yes", "--busy-for", "0s", "--rate", "100", "--state-dir", copy.state, "--overwrite")
    done = bulk_remove(command, copy.run_id, *own)  # the report is what another copy of the run wrote
    assert done.returncode in ({10} if refused else {0, 3}), done.stderr
    assert "Traceback" not in done.stderr
    if refused:
        assert server.audit.stat().st_size == before
