"""What is shipped, replayed and kept out of the database's own log."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bulk_remove.errors import CampaignLockedError, StorageError
from bulk_remove.ledger import Store, create, open_existing
from bulk_remove.ledger.shared import Shared, _pack
from tests.support.postgres import Postgres

RUN = "20261128-021530-9f3a"
NUMBER = "601234567"


@contextmanager
def ledger(folder: Path) -> Iterator[Store]:
    """A ledger with a source and a chunk."""
    with closing(
        create(folder / "ledger.sqlite", RUN, "1.0", 1234.5678901234567, {"settings": {"region": "PL"}})
    ) as store:
        with store.transaction() as connection:
            connection.execute("INSERT INTO source VALUES (0, ?)", ('{"file": "żółw.csv"}',))
            connection.execute(
                "INSERT INTO chunk (campaign, numbers, first_ordinal, states, progress) VALUES (?, ?, 0, ?, 'open')",
                ("00001", NUMBER, bytes(range(256))),
            )
        yield store


@pytest.fixture(name="shared")
def shared_fixture(url: str) -> Iterator[Shared]:
    with closing(Shared(url)) as shared, shared.lease([f"run:{RUN}"], lambda holder: CampaignLockedError(holder, "")):
        yield shared


def contents(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump()]


def test_a_ledger_made_from_the_log_holds_what_the_first_one_holds(tmp_path: Path, shared: Shared) -> None:
    (tmp_path / "other").mkdir()
    with ledger(tmp_path) as store:
        shared.share(store, RUN, 0)
        at_first = shared.bring(RUN, tmp_path / "other" / "ledger.sqlite", 0)
        with store.transaction() as connection:
            connection.execute("INSERT INTO attempt (chunk_id, begun_at_s) VALUES (?, ?)", (1, 0.1 + 0.2))
            connection.executemany("INSERT INTO duplicate VALUES (?, ?)", ((place, 0) for place in (1, 2)))
        with store.transaction() as connection:
            connection.execute("SELECT 1")  # what writes nothing is not shipped
    assert shared.bring(RUN, tmp_path / "other" / "ledger.sqlite", at_first) == at_first + 1 == shared.lengths[RUN]
    assert contents(tmp_path / "other" / "ledger.sqlite") == contents(tmp_path / "ledger.sqlite")
    shared.bring(RUN, tmp_path / "other" / "ledger.sqlite", 0)  # once more, from the beginning
    assert contents(tmp_path / "other" / "ledger.sqlite") == contents(tmp_path / "ledger.sqlite")


def test_what_is_rolled_back_here_is_never_shipped_as_something_else(tmp_path: Path, shared: Shared) -> None:
    with ledger(tmp_path) as store:
        shared.share(store, RUN, 0)
        before = shared.runs()[RUN][0]
        store.connection.execute("PRAGMA query_only = 1")
        with pytest.raises(StorageError), store.transaction() as connection:
            connection.execute("INSERT INTO attempt (chunk_id, begun_at_s) VALUES (1, 1.0)")
        assert shared.runs()[RUN][0] == before
        shared.ship(RUN, before + 1, [("INSERT INTO attempt (chunk_id, begun_at_s) VALUES (?, ?)", [[1, 1.0]])])
        store.connection.execute("PRAGMA query_only = 0")
        with pytest.raises(CampaignLockedError), store.transaction() as connection:  # the log went on without it
            connection.execute("INSERT INTO attempt (chunk_id, begun_at_s) VALUES (1, 2.0)")
        assert store.connection.execute("SELECT count(*) FROM attempt").fetchone() == (0,)


def test_the_same_piece_may_be_shipped_again_because_its_answer_was_lost(tmp_path: Path, shared: Shared) -> None:
    with ledger(tmp_path) as store:
        shared.share(store, RUN, 0)
        at = shared.runs()[RUN][0] + 1
        for _ in range(2):
            shared.ship(RUN, at, [("DELETE FROM duplicate", [[]])])
    assert shared.runs()[RUN][0] == at


@pytest.mark.parametrize(
    "sql",
    ["ATTACH DATABASE '/tmp/x' AS x", "PRAGMA writable_schema = 1", "CREATE TABLE x (y)", "DROP TABLE attempt"],
)
def test_a_log_that_wants_more_than_rows_is_refused(
    sql: str, tmp_path: Path, shared: Shared, server: Postgres, url: str
) -> None:
    server.ask(url, "INSERT INTO bulk_remove.run VALUES (%s, 8)", RUN)
    server.ask(url, "UPDATE bulk_remove.run SET format = %s", _version(tmp_path))
    server.ask(url, "INSERT INTO bulk_remove.log VALUES (%s, 1, %s)", RUN, _pack([(sql, [[]])]))
    with pytest.raises(StorageError, match="failed"):
        shared.bring(RUN, tmp_path / "ledger.sqlite", 0)
    assert not (tmp_path / "ledger.sqlite").exists()


def test_a_log_with_a_gap_or_of_another_format_makes_no_ledger(
    tmp_path: Path, shared: Shared, server: Postgres, url: str
) -> None:
    server.ask(url, "INSERT INTO bulk_remove.run VALUES (%s, -1)", RUN)
    with pytest.raises(StorageError, match="another version"):
        shared.bring(RUN, tmp_path / "ledger.sqlite", 0)
    server.ask(url, "UPDATE bulk_remove.run SET format = %s", _version(tmp_path))
    server.ask(url, "INSERT INTO bulk_remove.log VALUES (%s, 2, %s)", RUN, _pack([]))
    with pytest.raises(StorageError, match="gap"):
        shared.bring(RUN, tmp_path / "ledger.sqlite", 0)
    assert not (tmp_path / "ledger.sqlite").exists()


def _version(folder: Path) -> int:
    (folder / "made").mkdir()
    with ledger(folder / "made") as store:
        return int(store.connection.execute("PRAGMA user_version").fetchone()[0])


def test_no_number_is_in_the_log_of_the_database(tmp_path: Path, shared: Shared, server: Postgres) -> None:
    with ledger(tmp_path) as store:
        shared.share(store, RUN, 0)
        with store.transaction() as connection:
            connection.execute(
                "INSERT INTO straggler (ordinal, campaign, number, state) VALUES (?, ?, ?, ?)",
                (0, "00001", NUMBER, "{}"),
            )
    said = server.log()
    assert "INSERT INTO bulk_remove.log" in said
    assert NUMBER not in said
    assert NUMBER.encode().hex() not in said


def test_a_ledger_that_cannot_be_opened_is_not_made_longer(tmp_path: Path, shared: Shared) -> None:
    with ledger(tmp_path) as store:
        shared.share(store, RUN, 0)
    (tmp_path / "ledger.sqlite").write_bytes(b"not a ledger")
    with pytest.raises(StorageError):
        shared.bring(RUN, tmp_path / "ledger.sqlite", 1)
    shared.bring(RUN, tmp_path / "ledger.sqlite", 0)
    open_existing(tmp_path / "ledger.sqlite").close()
