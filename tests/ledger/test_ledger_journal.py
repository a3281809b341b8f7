import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from bulk_remove.core.chunker import RequestShape
from bulk_remove.errors import InvariantError, StorageError
from bulk_remove.ledger import Journal, Sending, Store
from tests.support.inline_journal import planned

CALLS = 600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(planned(tmp_path, ["500000000", "500000001"], RequestShape("00001"))) as store:
        yield store


class Held:
    """A call that keeps the writer's thread busy until it is let go."""

    def __init__(self) -> None:
        self.began = Event()
        self.go_on = Event()

    def __call__(self, _sending: Sending) -> None:
        self.began.set()
        assert self.go_on.wait(timeout=30)


async def queued(journal: Journal, calls: int) -> tuple[Held, list[asyncio.Task[int]]]:
    """Hold the writer, and queue intents behind it."""
    held = Held()
    first = asyncio.create_task(journal.write(held))
    await asyncio.to_thread(held.began.wait, 30)
    tasks = [asyncio.create_task(journal.write(intent)) for _ in range(calls)]
    await asyncio.sleep(0)
    assert not first.done()
    return held, tasks


def intent(sending: Sending) -> int:
    return sending.begin_attempt(1, 5.0)


def intents_on_disk(store: Store) -> int:
    with closing(sqlite3.connect(store.path)) as other:
        return int(other.execute("SELECT count(*) FROM attempt").fetchone()[0])


async def test_calls_that_wait_are_committed_together_and_each_gets_its_own_result(store: Store) -> None:
    statements: list[str] = []
    with Journal(store) as journal:
        held, tasks = await queued(journal, CALLS)
        store.connection.set_trace_callback(statements.append)
        held.go_on.set()
        assert await asyncio.gather(*tasks) == list(range(1, CALLS + 1))
    assert statements.count("COMMIT") == 1 + -(-CALLS // 256)


async def test_what_was_awaited_is_on_disk(store: Store) -> None:
    with Journal(store) as journal:
        for count in range(1, 4):
            await journal.write(intent)
            assert intents_on_disk(store) == count


def fill_the_disk(connection: sqlite3.Connection) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages:d}")


def free_the_disk(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


def forbid_writing(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def allow_writing(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = OFF")


@pytest.mark.parametrize(
    ("damage", "repair", "words"),
    [
        pytest.param(fill_the_disk, free_the_disk, "database or disk is full", id="full"),
        pytest.param(forbid_writing, allow_writing, "attempt to write a readonly database", id="read-only"),
    ],
)
async def test_a_failing_disk_reaches_every_caller_as_storage_error_and_the_writer_goes_on(
    store: Store, damage: Callable[[sqlite3.Connection], None], repair: Callable[[sqlite3.Connection], None], words: str
) -> None:
    with Journal(store) as journal:
        await journal.write(intent)
        damage(store.connection)
        failures = await asyncio.gather(*[journal.write(large) for _ in range(5)], return_exceptions=True)
        assert [type(failure) for failure in failures] == [StorageError] * 5
        for failure in failures:
            assert isinstance(failure, StorageError)
            assert failure.sentence == f"The ledger {store.path} failed: {words}."
            assert "resume" in failure.hint
        repair(store.connection)
        assert await journal.write(intent) == 2
    assert intents_on_disk(store) == 2


def large(sending: Sending) -> None:
    sending.end_attempt(sending.begin_attempt(1, 5.0), 6.0, "x" * 100_000, "", 0)


async def test_a_bug_in_a_call_reaches_its_caller_and_nothing_of_its_commit_stays(store: Store) -> None:
    def buggy(sending: Sending) -> None:
        sending.begin_attempt(1, 5.0)
        raise InvariantError("a bug")

    with Journal(store) as journal:
        with pytest.raises(InvariantError, match="a bug"):
            await journal.write(buggy)
        await journal.write(intent)
    assert intents_on_disk(store) == 1


async def test_a_broken_rule_of_the_schema_is_a_bug_not_a_failing_disk(store: Store) -> None:
    with Journal(store) as journal, pytest.raises(sqlite3.IntegrityError):
        await journal.write(lambda steps: steps.begin_attempt(999, 5.0))


async def test_the_call_of_a_cancelled_caller_is_committed_all_the_same(store: Store) -> None:
    with Journal(store) as journal:
        held, (task,) = await queued(journal, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.go_on.set()
        async with asyncio.timeout(10):
            await journal.write(lambda _steps: None)
        assert intents_on_disk(store) == 1


async def test_closing_commits_every_call_that_waits(store: Store) -> None:
    with Journal(store) as journal:
        held, tasks = await queued(journal, CALLS)
        held.go_on.set()
    assert intents_on_disk(store) == CALLS
    assert len(await asyncio.gather(*tasks)) == CALLS


async def test_closing_without_any_call_ends(store: Store) -> None:
    with Journal(store) as journal:
        await asyncio.sleep(0)
    assert not journal._thread.is_alive()
