"""Whoever changes a ledger of a real run, in any cell, is found out; what nobody changed is sound."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bulk_remove.errors import AlteredLedgerError, StorageError
from bulk_remove.ledger import opened_for_reading, verify
from bulk_remove.ledger.proof import add_file, seal, written_files
from bulk_remove.ledger.store import Store
from tests.support.processes import Running, bulk_remove, removal, simulator, started

PACE = ("--rate", "100", "--max-numbers-per-request", "8", "--busy-delay", "100ms", "--busy-for", "400ms")
BEGAN = "INSERT INTO session (session_no, began_at_s, settings, first_attempt) VALUES (2, 1.0, '{}', 99);"
FORMS = ("--also-try", "international,zeros", "--canary", "--canary-max-not-exist", "100%", "--max-invalid", "50%")
TABLES = (
    "run", "session", "canary", "record_count", "proof", "source", "block", "duplicate", "chunk", "attempt",
    "straggler", "fastest",
)  # fmt: skip


class Left(NamedTuple):
    """A run that has ended."""

    state: Path
    run_id: str
    ledger: Path
    head: str


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that loses replies, refuses some requests, and keeps numbers in calls; a third is in another form."""
    folder = tmp_path_factory.mktemp("server")
    held = [("{}", "48{}", "0048{}")[index % 3].format(601_000_000 + index) for index in range(200)]
    (folder / "held.csv").write_text("\n".join(["number", *held]), encoding="utf-8")
    faults = ("--fault", "dropped_after=0.1", "--fault", "error_500_before=0.15", "--fault", "missing_numbers=0.1")
    busy = ("--busy-share", "0.2", "--busy-seconds", "9999", "--seed", "3")
    with simulator(folder, "--numbers", str(folder / "held.csv"), *busy, *faults) as running:
        yield running


@pytest.fixture(scope="module", name="left")
def left_fixture(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("run")
    numbers = [str(601_000_000 + index) for index in range(40)]
    source = folder / "numbers.csv"
    source.write_text("\n".join(["telefon", *numbers, "+48 601 000 003", "brak"]), encoding="utf-8")
    done = bulk_remove(*removal(server, folder, source, *PACE, *FORMS))
    assert done.returncode == 3, done.stderr
    summary = json.loads((folder / "report.summary.json").read_text(encoding="utf-8"))
    run_id = summary["run_id"]
    return Left(folder / "state", run_id, folder / "state" / "runs" / run_id / "ledger.sqlite", summary["ledger_head"])


def checked(ledger: Path, *heads: str) -> str:
    """Return what is wrong with a ledger, empty when it is sound."""
    try:
        with opened_for_reading(ledger) as store:
            verify(store, heads)
    except AlteredLedgerError as error:
        return error.sentence
    return ""


def dump(ledger: Path) -> list[list[tuple[Any, ...]]]:
    """Return all rows of a ledger."""
    with closing(sqlite3.connect(ledger)) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]  # noqa: S608 - see above


@pytest.fixture(name="copy")
def copy_fixture(left: Left, tmp_path: Path) -> Path:
    return Path(shutil.copy(left.ledger, tmp_path / "ledger.sqlite"))


def test_the_ledger_of_a_hard_run_is_sound_and_has_all_that_can_be_in_one(left: Left) -> None:
    assert checked(left.ledger, left.head) == ""
    with closing(sqlite3.connect(left.ledger)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == {*TABLES}
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}  # noqa: S608
        assert all(counts.values()), counts
        results = {result for (result,) in connection.execute("SELECT result FROM attempt")}
        assert {"verdicts", "HTTP 500", "connection lost"} <= results
        assert connection.execute("SELECT count(*) FROM straggler WHERE form > 0").fetchone()[0]
        assert connection.execute("SELECT count(*) FROM chunk WHERE ordinals IS NOT NULL").fetchone()[0]


def others(cell: Any) -> list[Any]:
    """Return other values of the same type."""
    if cell is None or cell in {"", b""}:
        return [1, "1", b"1", float("inf")]
    if isinstance(cell, int | float):
        return [cell + 1000, 0 if cell else 1, None]
    text = cell if isinstance(cell, bytes) else cell.encode()
    flipped = [text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :] for place in (0, len(text) // 2)]
    return [each if isinstance(cell, bytes) else each.decode(errors="replace") for each in flipped]


def test_a_change_of_any_cell_is_noticed(left: Left, copy: Path) -> None:
    missed, tried = [], Counter[str]()
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        store = Store(copy, connection)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = connection.execute(f"SELECT rowid AS here, * FROM {table}")  # noqa: S608 - a name of the schema
            columns = [column[0] for column in cursor.description]
            for cells in cursor.fetchall():
                row = dict(zip(columns, cells, strict=True))
                for column, value in [(name, value) for name in columns[1:] for value in others(row[name])]:
                    connection.execute("BEGIN")
                    with suppress(sqlite3.IntegrityError):  # the schema itself does not let it be
                        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row["here"]))  # noqa: S608
                        tried[table] += 1
                        try:
                            verify(store, [left.head])
                        except AlteredLedgerError:
                            pass
                        else:
                            missed.append((table, row["here"], column, row[column], value))
                    connection.execute("ROLLBACK")
    assert not missed
    assert {*tried} == {*TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_a_row_left_out_is_noticed(table: str, left: Left, copy: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        store = Store(copy, connection)
        rows = [rowid for (rowid,) in connection.execute(f"SELECT rowid FROM {table}")]  # noqa: S608 - see above
        if table == "proof":
            rows.pop()  # what comes after the summary's head only the summary itself can tell
        for rowid in rows if table != "run" else ():
            connection.execute("BEGIN")
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))  # noqa: S608 - see above
            with pytest.raises(AlteredLedgerError):
                verify(store, [left.head])
            connection.execute("ROLLBACK")


def cut_off(lie: str) -> str:
    """Return what tells a lie in a ledger in which another session seems to have begun."""
    return f"{BEGAN} {lie}"


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        (
            (
                "UPDATE chunk SET states = CAST(replace(CAST(states AS TEXT), '[\"R\",1', '[\"N\",0') AS BLOB)"
                " WHERE instr(states, CAST('[\"R\",1' AS BLOB))"
            ),
            "table chunk was changed after it was proved last",
        ),
        (
            "UPDATE chunk SET numbers = replace(numbers, '601000009', '601000909')",
            "table chunk was changed after the approval",
        ),
        ("DELETE FROM attempt WHERE attempt_id = 2", "table attempt"),
        ("UPDATE attempt SET result = 'verdicts' WHERE attempt_id = 2 OR result = 'HTTP 500'", "table attempt"),
        ("UPDATE block SET numbers = replace(numbers, '601000004', '601000994')", "table block"),
        ("UPDATE duplicate SET first_seq = 1", "table duplicate"),
        ("UPDATE source SET properties = replace(properties, 'numbers', 'others')", "table source"),
        ("UPDATE run SET approved_by = 'typed'", "table run"),
        ("UPDATE session SET ended_at_s = ended_at_s + 60", "table session"),
        ("UPDATE record_count SET before = before + 1", "table record_count"),
        ("UPDATE canary SET passed = 1 - passed", "table canary"),
        ("UPDATE fastest SET us = us + 1", "table fastest"),
        ("UPDATE proof SET said = replace(said, 'report', 'other')", "entry 3 of its proof does not follow"),
        ("UPDATE proof SET link = substr(link, 2) || substr(link, 1, 1)", "entry 1 of its proof does not follow"),
        ("DELETE FROM proof WHERE no = 2", "entry 2 of its proof is missing"),
        ("DELETE FROM proof", "does not begin with the plan"),
        ("UPDATE straggler SET number = '601999999'", "table straggler"),
        ("UPDATE straggler SET due_at_s = 9e999 WHERE due_at_s IS NULL", "table straggler"),
        (
            "INSERT INTO attempt (chunk_id, begun_at_s, ended_at_s, result) VALUES (1, 1.0, 2.0, 'verdicts')",
            "table attempt",
        ),
        ("INSERT INTO attempt (chunk_id, begun_at_s) VALUES (1, 1.0)", "table attempt"),
        (BEGAN.replace("2, ", "7, "), "session 2 is missing"),
        # As if another session had begun: then the numbers' states are not proved, but all that was before is.
        (cut_off("UPDATE attempt SET strangers = 7"), "table attempt"),
        (cut_off("UPDATE session SET began_at_s = 1.0"), "table session"),
        (cut_off("UPDATE block SET campaigns = '00009'"), "table block"),
    ],
)
def test_verify_names_what_was_changed(lie: str, named: str, copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        before = connection.total_changes
        connection.executescript(lie)
        assert connection.total_changes > before
    assert named in checked(copy)


def test_a_lie_that_was_proved_anew_to_the_end_fits_its_proof_but_not_the_summary(left: Left, copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE session SET ending = 'deadline'")
        files = written_files(connection)
        connection.execute("DELETE FROM proof")
        seal(connection)
        for file in files:
            add_file(connection, file)
        connection.commit()
        (made_anew,) = connection.execute("SELECT link FROM proof ORDER BY no DESC LIMIT 1").fetchone()
    assert checked(copy) == ""
    assert checked(copy, made_anew) == ""
    assert "is not in its proof" in checked(copy, left.head)


def test_one_byte_anywhere_in_the_file_is_noticed_or_says_nothing(left: Left, copy: Path) -> None:
    """A byte that no row holds (free space, statistics of a page) may change; whatever a row says may not."""
    sound = left.ledger.read_bytes()
    said = dump(left.ledger)
    for place in range(97, len(sound), 307):
        copy.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
        try:
            with opened_for_reading(copy) as store:
                verify(store, [left.head])
        except StorageError:
            continue
        assert dump(copy) == said


def told(left: Left, *words: str) -> subprocess.CompletedProcess[str]:
    return bulk_remove("runs", "verify", *words, "--state-dir", left.state)


def test_the_command_says_what_a_sound_ledger_was_held_against(left: Left) -> None:
    done = told(left, left.run_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"The ledger of run {left.run_id} is as it was written:" in done.stdout
    assert "Agrees with" in done.stdout
    assert told(left).stdout == done.stdout  # the latest
    as_json = json.loads(told(left, "--json").stdout)
    assert f"Head: {as_json['ledger_head']}" in done.stdout
    assert (as_json["attempts_without_an_end"], as_json["links_after_the_head"]) == (0, 0)
    assert (as_json["session_without_proof"], as_json["sessions_cut_off"]) == (None, 0)
    assert "its plan, and every session" in done.stdout
    for head in (left.head, as_json["ledger_head"]):
        assert "Agrees with the head that was given." in told(left, "--head", head).stdout


def test_an_altered_ledger_is_10_and_a_head_that_it_does_not_hold_likewise(left: Left, tmp_path: Path) -> None:
    state = shutil.copytree(left.state, tmp_path / "state")
    ledger = state / "runs" / left.run_id / "ledger.sqlite"
    elsewhere = left._replace(state=state)
    wrong = told(elsewhere, "--head", "0" * 64)
    assert (wrong.returncode, wrong.stdout) == (10, "")
    assert "the noted head 000000000000... is not in its proof" in wrong.stderr
    assert told(elsewhere, "--head", "abc").returncode == 2
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("UPDATE attempt SET result = 'verdicts' WHERE result = 'HTTP 500'")
        connection.commit()
    done = told(elsewhere)
    assert (done.returncode, done.stdout) == (10, "")
    assert "is not as it was written: the table attempt was changed after" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_was_killed_is_told_as_such_and_is_proved_whole_once_it_is_resumed(
    server: Running, tmp_path: Path
) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("\n".join(["telefon", *[str(601_000_100 + index) for index in range(30)]]), encoding="utf-8")
    slow = ("--max-numbers-per-request", "1", "--rate", "5", "--busy-for", "0s", "--tries", "2")
    with started(*removal(server, tmp_path, source, *slow)) as process:
        for _ in range(3000):
            ledger = next(tmp_path.glob("state/runs/*/ledger.sqlite"), tmp_path)
            if ledger.is_file() and attempts(ledger) > 3:
                break
            time.sleep(0.01)
        assert checked(ledger) == ""  # also while it is under way
        process.send_signal(signal.SIGKILL)
    run = Left(tmp_path / "state", ledger.parent.name, ledger, "")
    done = told(run)
    assert done.returncode == 0, done.stderr
    assert "No summary was found" in done.stdout
    assert "its plan, and the sessions that were proved" in done.stdout
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("INSERT INTO attempt (chunk_id, begun_at_s) SELECT max(chunk_id), 1.0 FROM chunk")
        connection.commit()
    assert "Not proved: session 1, which is under way or was cut off; " in told(run).stdout
    assert json.loads(told(run, "--json").stdout)["session_without_proof"] == 1
    resumed = bulk_remove("resume", "--yes", "--state-dir", run.state, "--rate", "100")
    assert resumed.returncode in {0, 3}, resumed.stderr
    done = told(run)
    assert "its plan, and every session." in done.stdout
    assert "1 session was cut off, and proved only when the run was resumed." in done.stdout
    assert "Agrees with" in done.stdout
    again = ("rerun", tmp_path / "report.csv", "--state-dir", run.state, "--yes", "--busy-for", "0s", "--rate", "100")
    bulk_remove(*again, "--url", server.url, "--user", "demo", "-o", tmp_path / "second.csv")
    rerun = told(run)
    assert rerun.returncode == 0, rerun.stderr
    assert run.run_id not in rerun.stdout


class Reported(NamedTuple):
    """A finished run with all its reports."""

    folder: Path
    report: Path
    run_id: str

    def verify(self, *words: str) -> subprocess.CompletedProcess[str]:
        return bulk_remove("runs", "verify", self.run_id, *words, "--state-dir", self.folder / "state")


@pytest.fixture(name="reported")
def reported_fixture(server: Running, tmp_path: Path) -> Reported:
    return ran(server, tmp_path, 601_000_150)


def ran(server: Running, folder: Path, first: int, *words: str) -> Reported:
    source = folder / "numbers.csv"
    source.write_text("\n".join(["telefon", *[str(first + index) for index in range(10)]]), encoding="utf-8")
    done = bulk_remove(*removal(server, folder, source, *PACE, "--report", "html,xlsx", *words))
    assert done.returncode in {0, 3}, done.stderr
    run_id = json.loads((folder / "report.summary.json").read_text(encoding="utf-8"))["run_id"]
    return Reported(folder, folder / "report.csv", run_id)


ENDS = (".csv", ".summary.json", ".html", ".xlsx")


@pytest.mark.parametrize("words", [(), ("--csv-for", "excel-pl")], ids=["for programs", "for Excel"])
def test_a_report_that_was_changed_is_found_out_and_named(
    server: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    reported = ran(server, tmp_path, 601_000_150, *words)
    sound = reported.verify()
    assert sound.returncode == 0, sound.stderr
    assert sound.stdout.count("  As it was written: ") == len(ENDS)
    summary = json.loads((tmp_path / "report.summary.json").read_text(encoding="utf-8"))
    assert summary["report_sha256"] == sha256(reported.report.read_bytes()).hexdigest()
    for end, share in zip(ENDS, (0.0, 0.3, 0.6, 1.0), strict=True):
        file = reported.report.with_suffix(end)
        content = file.read_bytes()
        place = int(share * (len(content) - 1))
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        done = reported.verify()
        assert (done.returncode, done.stdout) == (10, ""), done.stdout
        assert f"{file} does not match the ledger." in done.stderr
        file.write_bytes(content)
    assert reported.verify().stdout == sound.stdout


def test_a_report_that_was_moved_away_is_named_as_such_and_not_as_altered(reported: Reported) -> None:
    for end in ENDS:
        file = reported.report.with_suffix(end)
        digest = sha256(file.read_bytes()).hexdigest()
        file.rename(reported.folder / "moved")
        done = reported.verify()
        assert done.returncode == 0, done.stderr
        assert f"  Moved or deleted: {file} (SHA-256 {digest})" in done.stdout
        found = {
            each["path"]: (each["found"], each["sha256"])
            for each in json.loads(reported.verify("--json").stdout)["reports"]
        }
        assert found.pop(str(file)) == ("gone", digest)
        assert {state for state, _ in found.values()} == {"as_written"}
        (reported.folder / "moved").rename(file)


def test_a_report_that_was_written_again_is_known_and_an_older_one_in_its_place_is_named(
    server: Running, reported: Reported
) -> None:
    first = reported.report.read_bytes()
    state = ("--state-dir", reported.folder / "state")
    for words in (
        ("resume", "--csv-for", "excel-pl", "--yes", "--busy-for", "0s"),
        ("report",),
        ("report", "--csv-for", "excel-pl"),
    ):
        command, *more = words
        again = bulk_remove(command, reported.run_id, *state, *more, "-o", reported.report)
        assert again.returncode in {0, 3}, again.stderr
        assert reported.verify().stdout.count("  As it was written: ") == len(ENDS)
    assert reported.report.read_bytes() != first
    assert bulk_remove("report", reported.run_id, *state, "-o", reported.folder / "another.csv").returncode == 0
    assert reported.verify().stdout.count("  As it was written: ") == len(ENDS) + 1
    reported.report.write_bytes(first)
    older = reported.verify()
    assert older.returncode == 0
    assert f"  An earlier version, written by this run: {reported.report}" in older.stdout
    later = ran(server, reported.folder, 601_000_170)
    assert later.verify().stdout.count("  As it was written: ") == len(ENDS)
    assert reported.verify().stdout.count("  Replaced by the report of another run: ") == len(ENDS)
    reported.report.write_bytes(first[:-3])
    assert f"{reported.report} does not match" in reported.verify().stderr


def test_a_report_of_which_the_ledger_was_not_told_is_named(server: Running, tmp_path: Path) -> None:
    source = tmp_path / "numbers.csv"
    source.write_text("telefon\n601000190\n601000191\n", encoding="utf-8")
    dies = "import os\nfrom bulk_remove.run import finish\nfinish.note_files = lambda *_: os._exit(9)"
    assert bulk_remove(*removal(server, tmp_path, source, *PACE), before=dies).returncode == 9
    done = bulk_remove("runs", "verify", "--state-dir", tmp_path / "state")
    assert done.returncode == 0, done.stderr
    assert f"Not in the ledger, so it cannot be checked: {tmp_path / 'report.csv'}" in done.stdout


def test_the_copies_of_an_inbox_are_proven_where_they_lie(server: Running, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.csv").write_text("telefon\n601000195\n601000198\n", encoding="utf-8")
    own = ("--url", server.url, "--user", "demo", "-c", "00001", "--state-dir", tmp_path / "state", "--yes")
    for _ in range(4):
        night = bulk_remove("inbox", inbox, *own, *PACE, "--settle", "0s", "--pace", "fixed")
    assert night.returncode == 0, night.stderr
    (copy,) = inbox.glob("*/a.csv.report.csv")
    sound = bulk_remove("runs", "verify", "--state-dir", tmp_path / "state")
    assert sound.stdout.count(f"  As it was written: {copy.parent}") == 2, sound.stdout + sound.stderr
    copy.write_bytes(copy.read_bytes() + b"x")
    altered = bulk_remove("runs", "verify", "--state-dir", tmp_path / "state")
    assert (altered.returncode, f"{copy} does not match the ledger" in altered.stderr) == (10, True)


def attempts(ledger: Path) -> int:
    try:
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM attempt").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # it is just being made
