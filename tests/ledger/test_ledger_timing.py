import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulk_remove.core.timeline import Attempt, SessionSpan
from bulk_remove.errors import StorageError
from bulk_remove.ledger import Outcomes, Sending, Store, create, open_existing

TOLD: dict[str, object] = {"pace": "gentle", "rate": None, "concurrency": None}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A ledger of two sessions, the first of which was killed."""
    with closing(create(tmp_path / "ledger.sqlite", "run", "0", 0.0, {})) as made:
        with made.transaction() as connection:
            connection.execute("INSERT INTO chunk VALUES (1, '00001', '601', 0, NULL, NULL, 'open')")
            sending = Sending(connection)
            sending.begin_session(100.0, TOLD | {"rate": 5.0})
            attempts = [(101.0, 101.5, "verdicts", ""), (102.0, 105.0, "HTTP 429", "r1"), (103.0, 500.0, "killed", "")]
            for attempt in attempts:
                add(sending, *attempt)
            second = sending.begin_session(500.0, TOLD)
            add(sending, 501.0, 501.0, "not sent", "")
            add(sending, 502.0, 504.0, "verdicts", "")
            sending.end_session(second, 510.0, "done")
        yield made


def add(sending: Sending, begun_s: float, ended_s: float, result: str, request_id: str) -> None:
    attempt_id = sending.begin_attempt(1, begun_s)
    sending.end_attempt(attempt_id, ended_s, result, request_id, 0)


def test_each_session_is_told_with_its_own_ceiling_and_ending(store: Store) -> None:
    timing = Outcomes(store)
    assert timing.sessions() == (SessionSpan(100.0, 103.0, 5.0, ""), SessionSpan(500.0, 510.0, 2.0, "done"))
    assert timing.last_settings() == TOLD


def test_a_killed_session_ends_with_its_own_last_request_though_the_clock_was_set_back_before_the_next(
    tmp_path: Path,
) -> None:
    with closing(create(tmp_path / "ledger.sqlite", "run", "0", 0.0, {})) as store:
        with store.transaction() as connection:
            connection.execute("INSERT INTO chunk VALUES (1, '00001', '601', 0, NULL, NULL, 'open')")
            sending = Sending(connection)
            sending.begin_session(9000.0, TOLD)
            add(sending, 9001.0, 9002.0, "verdicts", "")
            add(sending, 9040.0, 5400.0, "killed", "")
            sending.begin_session(5400.0, TOLD)
            add(sending, 5410.0, 5411.0, "verdicts", "")
            sending.begin_attempt(1, 5430.0)
        spans = [(span.began_s, span.ended_s) for span in Outcomes(store).sessions()]
        assert spans == [(9000.0, 9040.0), (5400.0, 5430.0)]
        assert Outcomes(store).totals().seconds == 70.0


def test_the_requests_that_left_are_told_in_order_and_are_as_many_as_in_the_totals(store: Store) -> None:
    attempts = [*Outcomes(store).attempts()]
    assert attempts == [
        Attempt(101.0, 101.5, "verdicts", ""),
        Attempt(102.0, 105.0, "HTTP 429", "r1"),
        Attempt(103.0, 500.0, "killed", ""),
        Attempt(502.0, 504.0, "verdicts", ""),
    ]
    assert len(attempts) == Outcomes(store).totals().requests


def test_reply_times_are_times_that_were_measured(store: Store) -> None:
    assert Outcomes(store).reply_times_s() == {0.5: 0.5, 0.95: 2.0, 0.99: 2.0, 1.0: 2.0}
    with store.transaction() as connection:
        for index in range(98):
            add(Sending(connection), 505.0, 505.0 + 10 + index, "verdicts", "")
    assert Outcomes(store).reply_times_s() == {0.5: 57.0, 0.95: 102.0, 0.99: 106.0, 1.0: 107.0}


def test_without_verdicts_there_are_no_reply_times(tmp_path: Path) -> None:
    with closing(create(tmp_path / "other.sqlite", "run", "0", 0.0, {})) as empty:
        assert Outcomes(empty).reply_times_s() == {}
        assert Outcomes(empty).sessions() == ()
        assert [*Outcomes(empty).attempts()] == []


def test_a_snapshot_does_not_see_what_is_written_meanwhile_and_sets_things_aside_nevertheless(store: Store) -> None:
    timing = Outcomes(store)
    with closing(open_existing(store.path)) as other, store.snapshot():
        before = timing.sessions()
        with other.transaction() as connection:
            Sending(connection).begin_session(900.0, TOLD)
        assert timing.sessions() == before
        assert [*Outcomes(store).rows()] == []
    assert len(timing.sessions()) == len(before) + 1


def test_a_snapshot_of_a_damaged_ledger_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no ledger at all" * 100)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        damaged = Store(path, connection)
        with pytest.raises(StorageError, match="not a database"), damaged.snapshot():
            Outcomes(damaged).sessions()
