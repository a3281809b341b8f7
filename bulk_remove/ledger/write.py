"""Writes to a ledger: `Planning` the plan, `Sending` requests and verdicts, `Journal` for all workers at once.

`Reopening` prepares a ledger for another session. Everything that the session needs is in the ledger: the input may be
gone or changed.

Each method of `Sending` is one step inside a transaction. A planned chunk keeps its numbers' states after its last
attempt. A number that must be sent again becomes a straggler: a row of its own with its newest state. Later chunks are
packed from stragglers.

`Journal` is one thread that writes for all workers. It takes all waiting calls, runs them in one transaction and
commits once, with one fsync. Only then it wakes the callers, all at once, because waking the event loop costs more than
most calls. So an awaited call is on disk when it returns.
"""

import asyncio
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Self, TypeVar

import orjson

from bulk_remove.core.lifecycle import NOTHING_SEEN, SETTLED, Event, Fastest, taken_up, without_verdict
from bulk_remove.core.limits import Batch, batch_of_settled
from bulk_remove.core.model import Again, Alike, Chunk, NumberedBlock, NumberState, Source
from bulk_remove.core.plan import ApprovedPlan, CampaignPlan
from bulk_remove.core.verdicts import Unasked
from bulk_remove.language import phrase
from bulk_remove.ledger.proof import altered, seal
from bulk_remove.ledger.store import (
    Store,
    as_json,
    pack_block,
    pack_state,
    pack_states,
    unpack_block,
    unpack_numbers,
    unpack_source,
    unpack_state,
    unpack_states,
)

CAMPAIGN_ORDINALS = 1 << 40
"""How many ordinals each campaign gets. SQLite's integers have room for eight million campaigns."""
_LOOKED_THROUGH = 10
"""At most so many times the wanted numbers are looked through for those answered last."""
_CARRIED_NUMBERS = 1000
"""Numbers of an earlier run per chunk."""


class Planning:
    """Writes a plan to a new ledger, in this order: sources and blocks, duplicates, chunks, the approval."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sources = 0
        self._source_nos: dict[Source, int] = {}
        self._next_ordinals: dict[str, int] = {}

    def add_source(self, source: Source) -> None:
        """Add a source."""
        with self._store.transaction() as connection:
            self._insert(connection, source)

    def add_blocks(self, blocks: Iterable[NumberedBlock]) -> None:
        """Add blocks of rows, and their sources if new, in one transaction."""
        with self._store.transaction() as connection:
            for block in blocks:
                source = block.rows.source
                if source not in self._source_nos:
                    self._insert(connection, source)
                connection.execute(
                    "INSERT INTO block (source_no, numbers, campaigns, contents) VALUES (?, ?, ?, ?)",
                    (self._source_nos[source], *pack_block(block)),
                )

    def _insert(self, connection: sqlite3.Connection, source: Source) -> None:
        connection.execute("INSERT INTO source VALUES (?, ?)", (self._sources, as_json(asdict(source))))
        self._source_nos[source] = self._sources
        self._sources += 1

    def set_duplicates(self, pairs: Iterable[tuple[int, int]]) -> int:
        """Note (index of a row, index of the first row with its number), from 0. Returns how many."""
        with self._store.transaction() as connection:
            return connection.executemany("INSERT INTO duplicate VALUES (?, ?)", pairs).rowcount

    def distinct_numbers(self) -> Iterator[tuple[str, list[str]]]:
        """Yield every number once, as (campaign, numbers), in the order of the input."""
        duplicates = self.duplicate_places()
        next_duplicate = next(duplicates, -1)
        first_seq = 0
        with self._store.reading() as connection:
            for row in connection.execute("SELECT numbers, campaigns FROM block ORDER BY block_no"):
                numbers, campaigns = unpack_numbers(*row)
                while first_seq <= next_duplicate < first_seq + len(numbers):
                    numbers[next_duplicate - first_seq] = ""
                    next_duplicate = next(duplicates, -1)
                first_seq += len(numbers)
                for campaign in dict.fromkeys(campaigns):
                    shared = campaigns.count(campaign) == len(campaigns)
                    mine = numbers if shared else [n for n, c in zip(numbers, campaigns, strict=True) if c == campaign]
                    if found := [*filter(None, mine)]:
                        yield campaign, found

    def add_chunks(self, chunks: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[CampaignPlan, ...]:
        """Add (campaign, numbers) as chunks, each campaign in order. Returns the plan of each campaign."""
        numbers, requests = Counter[str](), Counter[str]()
        with self._store.transaction() as connection:
            for campaign, chunk in chunks:
                connection.execute(
                    "INSERT INTO chunk (campaign, numbers, first_ordinal, progress) VALUES (?, ?, ?, 'open')",
                    (campaign, "\n".join(chunk), self._take_ordinals(campaign, len(chunk))),
                )
                numbers[campaign] += len(chunk)
                requests[campaign] += 1
        return tuple(CampaignPlan(campaign, numbers[campaign], requests[campaign]) for campaign in numbers)

    def duplicate_places(self) -> Iterator[int]:
        """Yield the indices of the rows whose number is also in an earlier row, in order."""
        with self._store.reading() as connection:
            for (seq,) in connection.execute("SELECT seq FROM duplicate ORDER BY seq"):
                yield seq

    def add_carried(self, numbers: Iterable[tuple[str, str, NumberState]]) -> Counter[str]:
        """Add (campaign, number, state in an earlier run) as closed chunks. Returns how many by campaign."""
        waiting: defaultdict[str, list[tuple[str, NumberState]]] = defaultdict(list)
        counted = Counter[str]()
        with self._store.transaction() as connection:
            for campaign, number, state in numbers:
                counted[campaign] += 1
                waiting[campaign].append((number, state))
                if len(waiting[campaign]) == _CARRIED_NUMBERS:
                    self._insert_carried(connection, campaign, waiting.pop(campaign))
            for campaign, rest in waiting.items():
                self._insert_carried(connection, campaign, rest)
        return counted

    def _insert_carried(
        self, connection: sqlite3.Connection, campaign: str, numbers: Sequence[tuple[str, NumberState]]
    ) -> None:
        texts, states = zip(*numbers, strict=True)
        connection.execute(
            "INSERT INTO chunk (campaign, numbers, first_ordinal, states, progress) VALUES (?, ?, ?, ?, 'settled')",
            (campaign, "\n".join(texts), self._take_ordinals(campaign, len(numbers)), pack_states(Alike.of(states))),
        )

    def _take_ordinals(self, campaign: str, count: int) -> int:
        """Return the first of the next `count` ordinals. They are consecutive in a campaign and unique in the run."""
        first = self._next_ordinals.setdefault(campaign, len(self._next_ordinals) * CAMPAIGN_ORDINALS)
        self._next_ordinals[campaign] = first + count
        return first

    def finish(self, counts: dict[str, object]) -> None:
        """Store the counts of the plan, which marks it as complete."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE run SET plan = ?", (as_json(counts),))

    def approve(self, approved: ApprovedPlan) -> None:
        """Note how the plan was approved, and begin the proof. Does nothing in a later session."""
        with self._store.transaction() as connection:
            if connection.execute("SELECT approved_by FROM run").fetchone() == (None,):
                connection.execute("UPDATE run SET approved_by = ?", (approved.consent.value,))
                seal(connection)


def blocks_of(store: Store) -> Iterator[NumberedBlock]:
    """Yield every block of rows, in the order of the input."""
    with store.reading() as connection:
        sources = {
            source_no: unpack_source(properties)
            for source_no, properties in connection.execute("SELECT source_no, properties FROM source")
        }
        for source_no, *packed in connection.execute(
            "SELECT source_no, numbers, campaigns, contents FROM block ORDER BY block_no"
        ):
            yield unpack_block(sources[source_no], *packed)


Span = tuple[int, int]
"""The first and the last ordinal of a range."""

_EVERYWHERE: Span = (0, 2**63 - 1)


class Due(NamedTuple):
    """Numbers of one campaign in one form, as (ordinal, number, state), longest due first."""

    campaign: str
    form: int
    numbers: list[tuple[int, str, NumberState]]


class Canary(NamedTuple):
    """The canary: its ordinals (None without one), whether the rest may follow, and the campaign of a planned chunk."""

    span: Span | None = None
    passed: bool = False
    campaign: str = ""


Gone = Callable[[str, Sequence[str]], Sequence[int]]
"""Returns the indices of the numbers that an earlier run removed from a campaign."""


class Sending:
    """Reads and writes requests, verdicts and sessions, on a connection inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def planned_chunks(self, after_id: int, limit: int, campaign: str = "") -> list[Chunk]:
        """Return the next open chunks of the plan, by id, with their states from earlier sessions.

        With a `campaign` only its chunks.
        """
        rows = self._connection.execute(
            "SELECT chunk_id, campaign, numbers, first_ordinal, states FROM chunk"
            " WHERE progress = 'open' AND chunk_id > ? AND first_ordinal IS NOT NULL AND (? = '' OR campaign = ?)"
            " ORDER BY chunk_id LIMIT ?",
            (after_id, campaign, campaign, limit),
        )
        chunks, fastest = [_planned_chunk(*row) for row in rows.fetchall()], self.fastest()
        return [replace(chunk, states=chunk.states.each(lambda state: taken_up(state, fastest))) for chunk in chunks]

    def due_stragglers(self, until_s: float, limit: int, within: Span | None = None) -> Due | None:
        """Return numbers due by `until_s` that can share a request with the one longest due, or None."""
        # The plus makes SQLite use the index on the due time.
        alike = self._connection.execute(
            "SELECT campaign, form FROM straggler WHERE due_at_s <= ? AND +ordinal BETWEEN ? AND ?"
            " ORDER BY due_at_s, ordinal LIMIT 1",
            (until_s, *(within or _EVERYWHERE)),
        ).fetchone()
        if alike is None:
            return None
        campaign, form = alike
        rows = self._connection.execute(
            "SELECT ordinal, number, state FROM straggler WHERE campaign = ? AND form = ? AND due_at_s <= ?"
            " AND +ordinal BETWEEN ? AND ? ORDER BY due_at_s, ordinal LIMIT ?",
            (campaign, form, until_s, *(within or _EVERYWHERE), limit),
        )
        return Due(campaign, form, [(ordinal, number, unpack_state(state)) for ordinal, number, state in rows])

    def next_due_s(self, within: Span | None = None) -> float | None:
        """Return when the next straggler `within` these ordinals is due (Unix seconds), or None."""
        (due_at_s,) = self._connection.execute(
            "SELECT min(due_at_s) FROM straggler WHERE due_at_s IS NOT NULL AND +ordinal BETWEEN ? AND ?",
            within or _EVERYWHERE,
        ).fetchone()
        return None if due_at_s is None else float(due_at_s)

    def waiting_stragglers(self) -> int:
        """Return the count of waiting stragglers."""
        return int(self._connection.execute("SELECT count(*) FROM straggler WHERE due_at_s IS NOT NULL").fetchone()[0])

    def pack_chunk(
        self, campaign: str, form: int, numbers: Sequence[str], ordinals: Sequence[int], states: Sequence[NumberState]
    ) -> Chunk:
        """Make a chunk of stragglers in one form. They no longer wait."""
        chunk_id = self._connection.execute(
            "INSERT INTO chunk (campaign, numbers, ordinals, progress) VALUES (?, ?, ?, 'open')",
            (campaign, "\n".join(numbers), as_json([*ordinals])),
        ).lastrowid
        self._connection.executemany(
            "UPDATE straggler SET due_at_s = NULL, chunk_id = ? WHERE ordinal = ?",
            ((chunk_id, ordinal) for ordinal in ordinals),
        )
        return Chunk(
            int(chunk_id or 0), campaign, tuple(numbers), tuple(ordinals), Alike.of(states), first=False, form=form
        )

    def begin_attempt(self, chunk_id: int, now_s: float) -> int:
        """Write the intent to send a chunk, and return the attempt's id. Send only after this is committed."""
        cursor = self._connection.execute("INSERT INTO attempt (chunk_id, begun_at_s) VALUES (?, ?)", (chunk_id, now_s))
        return int(cursor.lastrowid or 0)

    def end_attempt(
        self,
        attempt_id: int,
        now_s: float,
        result: str,
        request_id: str,
        strangers: int,
        unasked: Sequence[Unasked] = (),
    ) -> None:
        """Write the end of an attempt. `result` is 'verdicts', the kind of the fault, or 'not sent'."""
        self._connection.execute(
            "UPDATE attempt SET ended_at_s = ?, result = ?, request_id = ?, strangers = ?, unasked = ?"
            " WHERE attempt_id = ?",
            (
                now_s,
                result,
                request_id,
                strangers,
                as_json([tuple(each) for each in unasked]) if unasked else None,
                attempt_id,
            ),
        )

    def keep_states(self, chunk: Chunk, states: Alike[NumberState], progress: str = "open") -> None:
        """Write the states of the numbers after an attempt, and whether the chunk stays open."""
        self._connection.execute(
            "UPDATE chunk SET states = ?, progress = ? WHERE chunk_id = ?",
            (pack_states(states) if chunk.first else None, progress, chunk.chunk_id),
        )
        if not chunk.first:
            self._connection.executemany(
                "UPDATE straggler SET state = ? WHERE ordinal = ?",
                ((pack_state(state), ordinal) for ordinal, state in zip(chunk.ordinals, states, strict=True)),
            )

    def settle(self, chunk: Chunk, states: Alike[NumberState], again: Mapping[int, Again]) -> None:
        """Close a chunk. `again` says by index which of its numbers to send again, when and in which form."""
        self.keep_states(chunk, states, "settled")
        self._connection.executemany(
            "INSERT INTO straggler (ordinal, campaign, state, due_at_s, number, form) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (ordinal) DO UPDATE SET state = excluded.state, due_at_s = excluded.due_at_s,"
            " number = excluded.number, form = excluded.form, chunk_id = NULL",
            ((chunk.ordinals[index], chunk.campaign, pack_state(states[index]), *how) for index, how in again.items()),
        )

    def split(
        self,
        chunk: Chunk,
        states: Alike[NumberState],
        now_s: float,
        first: int | None = None,
        *,
        rest_waits: bool = False,
    ) -> tuple[Chunk, ...]:
        """Close a chunk and make two of it: its halves, or its `first` numbers and the rest.

        With `rest_waits` the rest becomes due instead, to be packed with others.
        """
        self.settle(
            chunk, states, {index: Again(now_s, number, chunk.form) for index, number in enumerate(chunk.numbers)}
        )
        cut = first or len(states) // 2
        left, right = slice(None, cut), slice(cut, None)
        campaign, form = chunk.campaign, chunk.form
        return tuple(
            self.pack_chunk(campaign, form, chunk.numbers[part], chunk.ordinals[part], states[part])
            for part in ((left,) if rest_waits else (left, right))
        )

    def begin_session(self, now_s: float, settings: Mapping[str, object]) -> int:
        """Begin a session of sending and return its number. Time in Unix seconds. No secret in `settings`.

        A number that is due later than now becomes due now, because the clock may have been set back.
        """
        self._connection.execute("UPDATE straggler SET due_at_s = ? WHERE due_at_s > ?", (now_s, now_s))
        cursor = self._connection.execute(
            "INSERT INTO session (began_at_s, settings, first_attempt)"
            " SELECT ?, ?, ifnull(max(attempt_id), 0) + 1 FROM attempt",
            (now_s, as_json(settings)),
        )
        return int(cursor.lastrowid or 0)

    def end_session(self, session_no: int, now_s: float, ending: str) -> None:
        """Note when and why a session ended, and add a seal to the proof."""
        self._connection.execute(
            "UPDATE session SET ended_at_s = ?, ending = ? WHERE session_no = ?", (now_s, ending, session_no)
        )
        seal(self._connection)

    def fastest(self) -> Fastest:
        """Return the fastest reply with verdicts until now."""
        found = self._connection.execute("SELECT us, replies, each_ns FROM fastest").fetchone()
        return Fastest(*found) if found else NOTHING_SEEN

    def keep_fastest(self, fastest: Fastest) -> None:
        """Store the fastest reply."""
        self._connection.execute(
            "INSERT OR REPLACE INTO fastest (one, us, replies, each_ns) VALUES (1, ?, ?, ?)", fastest
        )

    def canary(self) -> Canary:
        """Return the canary."""
        found = self._connection.execute(
            "SELECT first_ordinal, last_ordinal, passed, (SELECT campaign FROM chunk"
            " WHERE chunk.first_ordinal = canary.first_ordinal AND planned) FROM canary"
        ).fetchone()
        return Canary(found[:2], bool(found[2]), found[3] or "") if found else Canary()

    def begin_canary(self, ordinals: Sequence[int], *, planned: bool) -> Span:
        """Note the numbers of the canary: all of a planned chunk, or the stragglers that are due first.

        It replaces that of another campaign.
        """
        span = ordinals[0], ordinals[-1]
        self._connection.execute("INSERT OR REPLACE INTO canary VALUES (1, ?, ?, ?, 0)", (*span, planned))
        return span

    def canary_phases(self) -> Counter[str]:
        """Return the count of the canary's numbers by phase. Empty without a canary."""
        span = self.canary().span
        if span is None:
            return Counter()
        rows = self._connection.execute("SELECT ordinal, state FROM straggler WHERE ordinal BETWEEN ? AND ?", span)
        phases = {ordinal: unpack_state(packed).phase for ordinal, packed in rows}
        planned = self._connection.execute(
            "SELECT chunk_id, campaign, numbers, first_ordinal, states FROM chunk"
            " WHERE first_ordinal = ? AND (SELECT planned FROM canary)",
            span[:1],
        ).fetchall()
        for chunk in (_planned_chunk(*row) for row in planned):
            phases = dict(zip(chunk.ordinals, (state.phase for state in chunk.states), strict=True)) | phases
        return Counter(phases.values())

    def pass_canary(self) -> None:
        """Note that the rest of the run may follow its canary."""
        self._connection.execute("UPDATE canary SET passed = 1")

    def answered_last(self, most: int, gone: Gone) -> list[tuple[str, Batch]]:
        """Return (campaign, settled numbers) of the last requests, the oldest first, until each campaign has `most`.

        `gone` finds numbers that earlier runs removed. They do not count if they are missing.
        """
        campaigns = self._connection.execute("SELECT DISTINCT campaign FROM chunk ORDER BY campaign").fetchall()
        return [(campaign, batch) for (campaign,) in campaigns for batch in self._answered_last(campaign, most, gone)]

    def _answered_last(self, campaign: str, most: int, gone: Gone) -> list[Batch]:
        seen: set[int] = set()
        batches: list[Batch] = []
        chunks = self._connection.execute(
            "SELECT chunk_id, numbers, first_ordinal, ordinals, states FROM attempt JOIN chunk USING (chunk_id)"
            " WHERE result = 'verdicts' AND campaign = ? ORDER BY attempt_id DESC",
            (campaign,),
        )
        for chunk_id, numbers, first_ordinal, ordinals, packed in chunks:
            if sum(batch.answered for batch in batches) >= most or len(seen) >= _LOOKED_THROUGH * most:
                break
            states: dict[int, NumberState] = {}
            if first_ordinal is None:
                places = orjson.loads(ordinals)
            else:
                chunk = _planned_chunk(chunk_id, campaign, numbers, first_ordinal, packed)
                places, states = chunk.ordinals, dict(zip(chunk.ordinals, chunk.states, strict=True))
            newer = self._connection.execute(
                "SELECT ordinal, state FROM straggler WHERE ordinal IN (SELECT value FROM json_each(?))",
                (as_json([*places]),),
            )
            states |= {ordinal: unpack_state(state) for ordinal, state in newer}
            away = {places[index] for index in gone(campaign, numbers.split("\n"))}
            batches.append(batch_of_settled({at: state for at, state in states.items() if at not in seen}, away))
            seen.update(places)
        return batches[::-1]

    def records_before(self, records: Mapping[str, int | None], note: str) -> None:
        """Note once the count of records in each campaign before the first request. `note` explains a None."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO record_count (campaign, before, note) VALUES (?, ?, ?)",
            [(campaign, count, note if count is None else "") for campaign, count in records.items()],
        )

    def counted_campaigns(self) -> list[str]:
        """Return the campaigns whose records were counted before the run's first request."""
        rows = self._connection.execute("SELECT campaign FROM record_count WHERE before IS NOT NULL ORDER BY campaign")
        return [campaign for (campaign,) in rows]

    def records_after(self, records: Mapping[str, int], note: str) -> None:
        """Note the count of records now in the campaigns that were counted before. `note` explains missing counts."""
        self._connection.execute("UPDATE record_count SET after = NULL, note = ? WHERE before IS NOT NULL", (note,))
        self._connection.executemany(
            "UPDATE record_count SET after = ?, note = '' WHERE campaign = ?",
            ((count, campaign) for campaign, count in records.items()),
        )


def _planned_chunk(chunk_id: int, campaign: str, numbers: str, first_ordinal: int, states: bytes | None) -> Chunk:
    each = tuple(numbers.split("\n"))
    known = unpack_states(states, len(each))
    return Chunk(chunk_id, campaign, each, range(first_ordinal, first_ordinal + len(each)), known, first=True)


_PAGE_ROWS = 5000
_PLANNED = (
    "SELECT straggler.ordinal, straggler.number, numbers, ordinal - first_ordinal FROM straggler LEFT JOIN chunk"
    " ON chunk.campaign = straggler.campaign AND first_ordinal = (SELECT max(first_ordinal) FROM chunk planned"
    " WHERE planned.campaign = straggler.campaign AND planned.first_ordinal <= ordinal) ORDER BY ordinal"
)
_LOST = "The run was stopped hard before the reply came."


class Reopening:
    """Works on a ledger that nobody else is writing to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reopen(self, now_s: float) -> None:
        """Make every number that is not settled due now.

        Attempts without an end were under way when the process died, so their numbers are in doubt from now on. The
        time for numbers in a call begins again. `now_s` in Unix seconds. Raises StorageError.
        """
        with self._store.transaction() as connection:
            _lose_unanswered(connection, now_s)
            connection.execute("UPDATE chunk SET progress = 'settled' WHERE first_ordinal IS NULL")
            _make_stragglers(connection)
            _make_due(connection, now_s)
            seal(connection)

    def waiting_numbers(self) -> Iterator[tuple[str, str]]:
        """Yield (campaign, number) of the waiting numbers, in the order in which they will be sent."""
        with self._store.reading() as connection:
            yield from connection.execute(
                "SELECT campaign, number FROM straggler WHERE due_at_s IS NOT NULL ORDER BY due_at_s, ordinal"
            )

    def check_stragglers(self, planned: Callable[[str], str]) -> None:
        """Raise AlteredLedgerError unless the `planned` form of each straggler is that of its number in the plan."""
        with self._store.reading() as connection:
            last, each = "", [""]
            for ordinal, number, numbers, place in connection.execute(_PLANNED):
                if numbers != last:
                    last, each = numbers, (numbers or "").split("\n")
                if numbers is None or place >= len(each) or planned(number) != planned(each[place]):
                    what = phrase("straggler {ordinal} is not a number of the plan", ordinal=ordinal)
                    raise altered(self._store.path, what)


def _lose_unanswered(connection: sqlite3.Connection, now_s: float) -> None:
    unanswered = connection.execute(
        "SELECT attempt_id, chunk_id FROM attempt WHERE ended_at_s IS NULL ORDER BY attempt_id"
    ).fetchall()
    for attempt_id, chunk_id in unanswered:
        numbers, ordinals, states = connection.execute(
            "SELECT numbers, ordinals, states FROM chunk WHERE chunk_id = ?", (chunk_id,)
        ).fetchone()
        if ordinals is None:
            lost = unpack_states(states, numbers.count("\n") + 1).each(_lose)
            connection.execute("UPDATE chunk SET states = ? WHERE chunk_id = ?", (pack_states(lost), chunk_id))
        for ordinal in orjson.loads(ordinals or "[]"):
            (packed,) = connection.execute("SELECT state FROM straggler WHERE ordinal = ?", (ordinal,)).fetchone()
            state = pack_state(_lose(unpack_state(packed)))
            connection.execute("UPDATE straggler SET state = ? WHERE ordinal = ?", (state, ordinal))
        connection.execute(
            "UPDATE attempt SET ended_at_s = ?, result = 'killed' WHERE attempt_id = ?", (now_s, attempt_id)
        )


def _lose(state: NumberState) -> NumberState:
    return without_verdict(state, Event.LOST, _LOST)


def _make_stragglers(connection: sqlite3.Connection) -> None:
    """Insert a straggler for every open number of a closed planned chunk."""
    closed = connection.execute(
        "SELECT campaign, numbers, first_ordinal, states FROM chunk"
        " WHERE progress = 'settled' AND first_ordinal IS NOT NULL"
    )
    for campaign, numbers, first_ordinal, packed in closed:
        each = numbers.split("\n")
        states = unpack_states(packed, len(each))
        connection.executemany(
            "INSERT OR IGNORE INTO straggler (ordinal, campaign, number, state) VALUES (?, ?, ?, ?)",
            [
                (first_ordinal + place, campaign, each[place], pack_state(states[place]))
                for place in states.where(lambda state: state.phase not in SETTLED)
            ],
        )


def _make_due(connection: sqlite3.Connection, now_s: float) -> None:
    """Make every straggler that is not settled due now, in pages."""
    fastest, ordinal = Sending(connection).fastest(), -1
    while rows := connection.execute(
        "SELECT ordinal, state FROM straggler WHERE ordinal > ? ORDER BY ordinal LIMIT ?", (ordinal, _PAGE_ROWS)
    ).fetchall():
        states = [(ordinal, unpack_state(packed)) for ordinal, packed in rows]
        connection.executemany(
            "UPDATE straggler SET state = ?, due_at_s = ?, chunk_id = NULL WHERE ordinal = ?",
            [
                (pack_state(taken_up(state, fastest)), now_s, ordinal)
                for ordinal, state in states
                if state.phase not in SETTLED
            ],
        )
        ordinal = rows[-1][0]


T = TypeVar("T")
Write = Callable[[Sending], object]
Waiting = tuple[Write, asyncio.Future[Any]]
_MOST_CALLS_PER_COMMIT = 256


class Journal:
    """Use it as `await journal.write(lambda sending: ...)`. The context starts and stops the thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._calls: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="ledger", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.put(None)
        self._thread.join()

    async def write(self, call: Callable[[Sending], T]) -> T:
        """Run a call in the thread and return its result once committed. A cancelled caller does not undo the call."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.put((call, future))
        result: T = await future
        return result

    def _serve(self) -> None:
        batch: list[Waiting] = []
        while (call := self._calls.get()) is not None:
            batch.append(call)
            if self._calls.empty() or len(batch) == _MOST_CALLS_PER_COMMIT:
                self._commit(batch)
                batch = []
        if batch:
            self._commit(batch)

    def _commit(self, batch: list[Waiting]) -> None:
        """Run and commit a batch. An error is passed to all its callers."""
        loop = batch[0][1].get_loop()
        try:
            with self._store.transaction() as connection:
                sending = Sending(connection)
                results = [call(sending) for call, _ in batch]
        except BaseException as error:  # noqa: BLE001 - handed to the callers, who await it
            loop.call_soon_threadsafe(_tell, batch, [], error)
        else:
            loop.call_soon_threadsafe(_tell, batch, results, None)


def _tell(batch: Sequence[Waiting], results: Sequence[object], error: BaseException | None) -> None:
    for place, (_, future) in enumerate(batch):
        if future.done():  # its caller was cancelled
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(results[place])
