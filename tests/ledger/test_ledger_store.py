import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import NEW
from bulk_remove.core.model import Again, Alike, Chunk, Source
from bulk_remove.core.plan import CampaignPlan, Consent, Keep, KeepList, Plan, SourcePlan, approve
from bulk_remove.errors import StorageError
from bulk_remove.ledger import (
    Outcomes,
    Planning,
    Reopening,
    Sending,
    Store,
    Totals,
    create,
    facts_of,
    open_existing,
    was_approved,
)
from bulk_remove.ledger.read import CampaignStates
from bulk_remove.ledger.store import schema
from bulk_remove.run.prepare import counts_of
from bulk_remove.settings import Destination, Settings
from tests.support.inline_journal import REQUEST, planned

SOURCE = Source("numbers.csv", "", ("phone",), 0, "named 'phone'", "utf-8", "", "0" * 64, 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    request = {**REQUEST, "settings": Settings("00001", column="tel\udce9", rate=5.0).public()}
    with closing(create(tmp_path / "ledger.sqlite", "r1", "1.2.3", 12.5, request)) as store:
        yield store


def value(store: Store, query: str) -> object:
    return store.connection.execute(query).fetchone()[0]


def test_a_new_ledger_says_what_run_it_is_of(store: Store) -> None:
    run = store.connection.execute("SELECT tool_version, created_at_s FROM run").fetchone()
    assert run == ("1.2.3", 12.5)
    told = Settings("00001", column="tel?", rate=5.0)
    assert facts_of(store) == ("r1", 12.5, "", told, Destination(), None, (), "")
    assert value(store, "PRAGMA user_version") == 10


def test_a_ledger_of_the_format_before_is_used_with_the_settings_that_it_names(store: Store) -> None:
    store.connection.execute("UPDATE run SET request = json_remove(request, '$.settings.reason')")
    store.connection.execute("PRAGMA user_version = 9")
    with closing(open_existing(store.path)) as opened:
        assert facts_of(opened).settings == Settings("00001", column="tel?", rate=5.0)
    store.connection.execute("PRAGMA user_version = 8")
    with pytest.raises(StorageError, match="in format 8; this one reads 10"):
        open_existing(store.path)


def test_a_commit_survives_a_power_cut_and_temporary_tables_stay_out_of_memory(store: Store) -> None:
    assert value(store, "PRAGMA journal_mode") == "wal"
    assert value(store, "PRAGMA synchronous") == 2  # FULL
    assert value(store, "PRAGMA temp_store") == 1  # FILE


def test_a_plan_without_rows_has_nothing_to_tell(store: Store) -> None:
    planning = Planning(store)
    planning.add_source(SOURCE)
    planning.add_blocks([])
    assert planning.set_duplicates([]) == 0
    assert list(planning.distinct_numbers()) == []
    assert planning.add_chunks([]) == ()
    assert list(Outcomes(store).rows()) == []


def test_what_a_later_session_needs_is_read_back(store: Store) -> None:
    planning = Planning(store)
    sources = (replace(SOURCE, file="z.csv"), replace(SOURCE, file="a.csv"))
    for source in sources:
        planning.add_source(source)
    plan = Plan(
        "r1",
        "",
        tuple(SourcePlan(source, rows, 1, (("Too short.", 2),)) for source, rows in zip(sources, (3, 4), strict=True)),
        (CampaignPlan("00001", 1, 1, held={"plus": 3}, name="Łódź", confirmed=True),),
        5.0,
        stand_in=True,
        keep=Keep((KeepList("keep.csv", "0" * 64, 7),), skips=True),
    )
    planning.finish(counts_of(plan, ("phone",)))
    assert not store.approved()
    planning.approve(approve(plan, Consent.FLAG))
    assert store.approved()
    with closing(open_existing(store.path)) as again:
        facts = facts_of(again)
    assert (facts.plan, facts.approved_by, facts.kept) == (plan, "--yes", ("phone",))


def test_the_plan_is_read_back_for_the_report_without_sorting_it(store: Store) -> None:
    statements: list[str] = []
    store.connection.set_trace_callback(statements.append)
    list(CampaignStates(store.connection, "00001").chunks())
    (query,) = (statement for statement in statements if "FROM chunk" in statement)
    steps = " ".join(row[3] for row in store.connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "chunk_planned" in steps
    assert "TEMP B-TREE" not in steps


def test_a_ledger_is_never_made_over_another(store: Store) -> None:
    with pytest.raises(StorageError, match="File exists"):
        create(store.path, "r2", "0", 0.0, {})
    assert value(store, "SELECT run_id FROM run") == "r1"


def test_a_folder_that_is_missing_is_a_storage_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as failure:
        create(tmp_path / "missing" / "ledger.sqlite", "r1", "0", 0.0, {})
    assert "No such file or directory" in failure.value.sentence
    assert "--state-dir" in failure.value.hint


def test_a_ledger_that_cannot_be_finished_is_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ledger.sqlite-wal").mkdir()  # where SQLite wants to put its write-ahead log
    opened = remember_connections(monkeypatch)
    with pytest.raises(StorageError, match=r"ledger\.sqlite failed"):
        create(tmp_path / "ledger.sqlite", "r1", "0", 0.0, {})
    assert_closed(opened[0])


def test_stragglers_are_handed_out_longest_due_first_and_of_one_campaign(store: Store) -> None:
    planning = Planning(store)
    planned_for = planning.add_chunks([("00001", ("601", "602", "603")), ("00002", ("604", "605"))])
    assert planned_for == (CampaignPlan("00001", 3, 1), CampaignPlan("00002", 2, 1))
    with store.transaction() as connection:
        sending = Sending(connection)
        first, second = sending.planned_chunks(0, 10)
        sending.settle(first, Alike.of([NEW] * 3), again(first, 30.0, 10.0, 99.0))
        sending.settle(second, Alike.of([NEW] * 2), again(second, 20.0, 5.0))
        due = [due_numbers(sending, *how) for how in ((4.0, 9), (5.0, 9), (30.0, 1), (30.0, 9))]
        assert due == [[], ["605"], ["605"], ["605", "604"]]
        sending.pack_chunk("00002", 0, ["605", "604"], [second.ordinals[1], second.ordinals[0]], [NEW] * 2)
        assert due_numbers(sending, 30.0, 9) == ["602", "601"]
        assert sending.next_due_s() == 10.0


def test_what_is_due_only_after_a_session_began_is_due_as_it_begins_for_the_clock_was_set_back(store: Store) -> None:
    Planning(store).add_chunks([("00001", ("601", "602", "603"))])
    with store.transaction() as connection:
        sending = Sending(connection)
        (chunk,) = sending.planned_chunks(0, 10)
        sending.settle(chunk, Alike.of([NEW] * 3), again(chunk, 4000.0, 300.0))
        sending.begin_session(400.0, {})
        assert due_numbers(sending, 299.0, 9) == []
        assert due_numbers(sending, 400.0, 9) == ["602", "601"]


def test_stragglers_in_different_forms_never_share_a_request(store: Store) -> None:
    Planning(store).add_chunks([("00001", ("601", "602", "603"))])
    with store.transaction() as connection:
        sending = Sending(connection)
        (chunk,) = sending.planned_chunks(0, 10)
        how = {0: Again(3.0, "+48601", 1), 1: Again(1.0, "602", 0), 2: Again(2.0, "+48603", 1)}
        sending.settle(chunk, Alike.of([NEW] * 3), how)
        assert sending.due_stragglers(9.0, 9) == ("00001", 0, [(1, "602", NEW)])
        sending.pack_chunk("00001", 0, ["602"], [1], [NEW])
        assert due_numbers(sending, 9.0, 9) == ["+48603", "+48601"]


def again(chunk: Chunk, *due_s: float) -> dict[int, Again]:
    return {index: Again(due, chunk.numbers[index], 0) for index, due in enumerate(due_s)}


def due_numbers(sending: Sending, until_s: float, limit: int) -> list[str]:
    due = sending.due_stragglers(until_s, limit)
    return [number for _, number, _ in due.numbers] if due else []


def test_numbers_carried_over_keep_their_states_and_are_not_sent(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulk_remove.ledger.write._CARRIED_NUMBERS", 2)
    carried = [
        (campaign, f"{600 + index}", NEW._replace(phase=phase, removed=index))
        for index, (campaign, phase) in enumerate(zip(["00001", "00002", *["00001"] * 3], "RNnFu", strict=True))
    ]
    assert Planning(store).add_carried(iter(carried)) == {"00001": 4, "00002": 1}
    for campaign in ("00001", "00002"):
        told = [(number, state) for of, number, state in carried if of == campaign]
        numbers, states = CampaignStates(store.connection, campaign).take(len(told))
        assert [*zip(numbers, states, strict=True)] == told
    with store.transaction() as connection:
        assert Sending(connection).planned_chunks(0, 100) == []
    Reopening(store).reopen(9.0)
    assert Outcomes(store).phases().total() == 5
    assert list(Reopening(store).waiting_numbers()) == [("00001", "604")]


def test_the_places_of_duplicates_are_told_in_order(store: Store) -> None:
    Planning(store).set_duplicates([(9, 1), (3, 0), (4, 0)])
    assert list(Planning(store).duplicate_places()) == [3, 4, 9]


def remember_connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    connect = sqlite3.connect
    opened: list[sqlite3.Connection] = []

    def remembered(path: Path, *, isolation_level: None, check_same_thread: bool) -> sqlite3.Connection:
        opened.append(connect(path, isolation_level=isolation_level, check_same_thread=check_same_thread))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remembered)
    return opened


def assert_closed(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble(path: Path) -> None:
    path.write_bytes(b"no ledger at all" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def block(path: Path) -> None:
    path.with_name("ledger.sqlite-wal").mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(remove, "There is no ledger", id="missing"),
        pytest.param(cut, "is damaged; nothing was sent", id="cut in half"),
        pytest.param(scribble, "is damaged; nothing was sent", id="another file"),
        pytest.param(empty, "by bulk-remove ? in format 0", id="killed while it was made"),
        pytest.param(block, "cannot be opened for writing", id="no log can be made"),
    ],
)
def test_a_ledger_that_cannot_be_trusted_is_refused_with_a_hint_and_closed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "ledger.sqlite"
    create(path, "r1", "0", 0.0, {}).close()
    damage(path)
    opened = remember_connections(monkeypatch)
    with pytest.raises(StorageError) as refusal:
        open_existing(path)
    assert words in refusal.value.sentence
    assert refusal.value.hint
    for connection in opened:
        assert_closed(connection)


def test_a_ledger_killed_before_its_run_was_written_has_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = remember_connections(monkeypatch)
    with pytest.raises(sqlite3.IntegrityError):
        create(tmp_path / "ledger.sqlite", None, "0", 0.0, {})  # type: ignore[arg-type]  # fails where a kill would
    assert_closed(opened[0])
    with pytest.raises(StorageError, match="format 0"):
        open_existing(tmp_path / "ledger.sqlite")


def test_a_ledger_killed_while_it_was_made_is_of_no_run_that_may_have_sent_something(tmp_path: Path) -> None:
    for place, made in enumerate(("", "CREATE TABLE some_table (cell)", schema())):
        path = tmp_path / f"{place}.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(made)
        assert not was_approved(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 8")  # somebody took its run away
    assert was_approved(path)


def test_the_totals_add_up_all_sessions_and_leave_out_the_pauses_and_what_was_not_sent(tmp_path: Path) -> None:
    with closing(planned(tmp_path, ["601", "602"], RequestShape("00001"))) as store:
        with store.transaction() as connection:
            sending = Sending(connection)
            for began_s, results, ended_s in (
                (100.0, ["verdicts", "timeout", "timeout"], 110.0),
                (500.0, ["killed", "not sent"], None),  # killed: ended with its last attempt
                (900.0, [], None),  # killed before its first attempt
                (1000.0, ["HTTP 429", "verdicts"], 1004.0),
            ):
                session_no = sending.begin_session(began_s, {})
                for after_s, result in enumerate(results, start=1):
                    attempt_id = sending.begin_attempt(1, began_s + after_s)
                    sending.end_attempt(attempt_id, 2000.0, result, "", 3 if result == "verdicts" else 0)
                if ended_s is not None:
                    sending.end_session(session_no, ended_s, "done")
        faults = {"timeout": 2, "killed": 1, "HTTP 429": 1}
        assert Outcomes(store).totals() == Totals(6, faults, 6, 4, 100.0, 1004.0, 10.0 + 2.0 + 0.0 + 4.0)
        endings = store.connection.execute("SELECT ending FROM session ORDER BY session_no").fetchall()
    assert endings == [("done",), (None,), (None,), ("done",)]


def test_reading_a_damaged_ledger_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no ledger at all" * 100)
    with closing(sqlite3.connect(path)) as connection, pytest.raises(StorageError, match="file is not a database"):
        list(Outcomes(Store(path, connection)).rows())
