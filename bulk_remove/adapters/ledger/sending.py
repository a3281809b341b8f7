"""Intents and verdicts: what the pool writes while it sends. Each method is one step inside a transaction.

Every chunk keeps its numbers' states after its last attempt. As soon as a number needs more than its planned chunk, it
becomes a straggler with a row of its own, which says what is newest; a chunk packed later carries stragglers.

A chunk's states change only by an attempt, whose ending comes after them in the same transaction: its link covers what
the chunk then says (`chain`). What is changed without a request is an attempt that was not sent.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import orjson

from bulk_remove.adapters.ledger.chain import Chain, ChunkRow
from bulk_remove.adapters.ledger.packing import (
    pack_again,
    pack_settings,
    pack_state,
    pack_states,
    pack_unasked,
    unpack_state,
    unpack_states,
)
from bulk_remove.core.alike import Alike
from bulk_remove.core.lifecycle import NOTHING_SEEN, Fastest, taken_up
from bulk_remove.core.model import Again, Chunk, NumberState
from bulk_remove.core.replies import NOT_SENT
from bulk_remove.core.unasked import Unasked

Span = tuple[int, int]
"""The first and the last ordinal of a range."""

EVERYWHERE: Span = (0, 2**63 - 1)


class Due(NamedTuple):
    """Numbers of one campaign in one form, as (ordinal, number, state), longest due first."""

    campaign: str
    form: int
    numbers: list[tuple[int, str, NumberState]]


class Sending:
    """The journal of the sending, on a connection that is inside a transaction.

    A writer of many transactions gives them one chain, so that its head need not be read each time.
    """

    def __init__(self, connection: sqlite3.Connection, chain: Chain | None = None) -> None:
        self._connection = connection
        self._chain = chain or Chain()

    def planned_chunks(self, after_id: int, limit: int) -> list[Chunk]:
        """Return the next chunks of the plan that are still open, by id.

        What is known of their numbers is from an earlier session.
        """
        rows = self._connection.execute(
            "SELECT chunk_id, campaign, numbers, first_ordinal, states FROM chunk"
            " WHERE progress = 'open' AND chunk_id > ? AND first_ordinal IS NOT NULL ORDER BY chunk_id LIMIT ?",
            (after_id, limit),
        )
        chunks, fastest = [_planned_chunk(*row) for row in rows.fetchall()], self.fastest()
        return [replace(chunk, states=chunk.states.each(lambda state: taken_up(state, fastest))) for chunk in chunks]

    def due_stragglers(self, until_s: float, limit: int, within: Span = EVERYWHERE) -> Due | None:
        """Return numbers due by `until_s` that may share a request with the one that is due longest; None: none is.

        Only those whose ordinals lie `within` (first, last).
        """
        # The plus keeps SQLite to the index on the due time.
        alike = self._connection.execute(
            "SELECT campaign, form FROM straggler WHERE due_at_s <= ? AND +ordinal BETWEEN ? AND ?"
            " ORDER BY due_at_s, ordinal LIMIT 1",
            (until_s, *within),
        ).fetchone()
        if alike is None:
            return None
        campaign, form = alike
        rows = self._connection.execute(
            "SELECT ordinal, number, state FROM straggler WHERE campaign = ? AND form = ? AND due_at_s <= ?"
            " AND +ordinal BETWEEN ? AND ? ORDER BY due_at_s, ordinal LIMIT ?",
            (campaign, form, until_s, *within, limit),
        )
        return Due(campaign, form, [(ordinal, number, unpack_state(state)) for ordinal, number, state in rows])

    def next_due_s(self, within: Span = EVERYWHERE) -> float | None:
        """Return when the next straggler is due (Unix seconds), or None when none waits `within` these ordinals."""
        (due_at_s,) = self._connection.execute(
            "SELECT min(due_at_s) FROM straggler WHERE due_at_s IS NOT NULL AND +ordinal BETWEEN ? AND ?", within
        ).fetchone()
        return None if due_at_s is None else float(due_at_s)

    def waiting_stragglers(self) -> int:
        """Return how many stragglers wait to be asked for."""
        return int(self._connection.execute("SELECT count(*) FROM straggler WHERE due_at_s IS NOT NULL").fetchone()[0])

    def pack_chunk(
        self, campaign: str, form: int, numbers: Sequence[str], ordinals: Sequence[int], states: Sequence[NumberState]
    ) -> Chunk:
        """Make a chunk of stragglers, all in one form; they no longer wait."""
        chunk_id = self._connection.execute(
            "INSERT INTO chunk (campaign, numbers, ordinals, progress) VALUES (?, ?, ?, 'open')",
            (campaign, "\n".join(numbers), orjson.dumps(list(ordinals)).decode()),
        ).lastrowid
        self._connection.executemany(
            "UPDATE straggler SET due_at_s = NULL, chunk_id = ? WHERE ordinal = ?",
            ((chunk_id, ordinal) for ordinal in ordinals),
        )
        return Chunk(
            int(chunk_id or 0), campaign, tuple(numbers), tuple(ordinals), Alike.of(states), first=False, form=form
        )

    def begin_attempt(self, chunk_id: int, now_s: float) -> int:
        """Write the intent to send a chunk; returns the attempt's id. Nothing may be sent before this is committed."""
        attempt_id = int(
            self._connection.execute(
                "INSERT INTO attempt (chunk_id, begun_at_s) VALUES (?, ?)", (chunk_id, now_s)
            ).lastrowid
            or 0
        )
        self._chain.began(attempt_id, chunk_id, now_s)
        return attempt_id

    def end_attempt(
        self,
        attempt_id: int,
        now_s: float,
        result: str,
        request_id: str,
        strangers: int,
        unasked: Sequence[Unasked] = (),
    ) -> None:
        """Write how an attempt ended: `result` is 'verdicts' or the kind of the fault.

        What followed for its numbers must be written before, for the ending's link covers it.
        """
        self._chain.end_attempt(
            self._connection, attempt_id, now_s, result, request_id, strangers, pack_unasked(unasked)
        )

    def end_unsent(self, chunk_id: int, now_s: float) -> None:
        """Note an attempt that was not sent: the chunk's numbers were moved, as is written already, without one."""
        self.end_attempt(self.begin_attempt(chunk_id, now_s), now_s, NOT_SENT.kind, "", 0)

    def keep_states(self, chunk: Chunk, states: Alike[NumberState]) -> None:
        """Write the numbers' states after an attempt; the chunk stays open."""
        self._keep(chunk, states, "open", {})

    def _keep(self, chunk: Chunk, states: Alike[NumberState], progress: str, again: Mapping[int, Again]) -> None:
        row = _as_row(chunk, pack_states(states), pack_again(again, chunk), progress)
        self._connection.execute(
            "UPDATE chunk SET states = ?, again = ?, progress = ? WHERE chunk_id = ?", (*row[-3:], chunk.chunk_id)
        )
        self._chain.left(row)
        if not chunk.first:
            self._connection.executemany(
                "UPDATE straggler SET state = ? WHERE ordinal = ?",
                ((pack_state(state), ordinal) for ordinal, state in zip(chunk.ordinals, states, strict=True)),
            )

    def settle(self, chunk: Chunk, states: Alike[NumberState], again: Mapping[int, Again]) -> None:
        """Close a chunk; `again` says by index which of its numbers are to be asked for again, when and how."""
        self._keep(chunk, states, "settled", again)
        self._connection.executemany(
            "INSERT INTO straggler (ordinal, campaign, state, due_at_s, number, form) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (ordinal) DO UPDATE SET state = excluded.state, due_at_s = excluded.due_at_s,"
            " number = excluded.number, form = excluded.form, chunk_id = NULL",
            ((chunk.ordinals[index], chunk.campaign, pack_state(states[index]), *how) for index, how in again.items()),
        )

    def split(
        self, chunk: Chunk, states: Alike[NumberState], now_s: float, first: int | None = None
    ) -> tuple[Chunk, Chunk]:
        """Close a chunk of two numbers or more and make two of it: its halves, or its `first` numbers and the rest."""
        self.settle(
            chunk, states, {index: Again(now_s, number, chunk.form) for index, number in enumerate(chunk.numbers)}
        )
        cut = first or len(states) // 2
        left, right = slice(None, cut), slice(cut, None)
        campaign, form = chunk.campaign, chunk.form
        return (
            self.pack_chunk(campaign, form, chunk.numbers[left], chunk.ordinals[left], states[left]),
            self.pack_chunk(campaign, form, chunk.numbers[right], chunk.ordinals[right], states[right]),
        )

    def begin_session(self, now_s: float, settings: Mapping[str, object]) -> int:
        """Note that a time of sending begins; returns its number. Times in Unix seconds; no secret in `settings`.

        What was to be asked for after it began is due at once: the clock was set back since that was written.
        """
        self._connection.execute("UPDATE straggler SET due_at_s = ? WHERE due_at_s > ?", (now_s, now_s))
        session_no = int(
            self._connection.execute(
                "INSERT INTO session (began_at_s, settings) VALUES (?, ?)", (now_s, pack_settings(settings))
            ).lastrowid
            or 0
        )
        self._chain.link_session(self._connection, session_no, "began")
        return session_no

    def end_session(self, session_no: int, now_s: float, ending: str) -> None:
        """Note when and why a time of sending ended."""
        self._connection.execute(
            "UPDATE session SET ended_at_s = ?, ending = ? WHERE session_no = ?", (now_s, ending, session_no)
        )
        self._chain.link_session(self._connection, session_no, "ended")

    def fastest(self) -> Fastest:
        """Return the fastest of all replies with verdicts until now."""
        return fastest_of(self._connection)

    def keep_fastest(self, fastest: Fastest) -> None:
        """Note what the fastest reply is now."""
        self._connection.execute(
            "INSERT OR REPLACE INTO fastest (one, us, replies, each_ns) VALUES (1, ?, ?, ?)", fastest
        )
        self._chain.note(self._connection)

    def canary(self) -> Span | None:
        """Return the ordinals of the canary, None while there is none."""
        found: Span | None = self._connection.execute("SELECT first_ordinal, last_ordinal FROM canary").fetchone()
        return found

    def begin_canary(self, ordinals: Sequence[int], *, planned: bool) -> Span:
        """Note the numbers that are sent alone: all of a planned chunk, or the stragglers that are due first."""
        span = ordinals[0], ordinals[-1]
        self._connection.execute("INSERT INTO canary VALUES (1, ?, ?, ?, 0)", (*span, planned))
        self._chain.note(self._connection)
        return span

    def canary_phases(self) -> Counter[str]:
        """Count the canary's numbers by phase; none when the run has no canary."""
        span = self.canary()
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

    def canary_passed(self) -> bool:
        """Return whether the rest of the run may follow its canary."""
        return bool(self._connection.execute("SELECT sum(passed) FROM canary").fetchone()[0])

    def pass_canary(self) -> None:
        """Note that the rest of the run may follow."""
        self._connection.execute("UPDATE canary SET passed = 1")
        self._chain.note(self._connection)

    def records_before(self, records: Mapping[str, int | None], note: str) -> None:
        """Note how many records each campaign holds before the run's first request; a later session changes nothing.

        `note` says why None is not known.
        """
        self._connection.executemany(
            "INSERT OR IGNORE INTO record_count (campaign, before, note) VALUES (?, ?, ?)",
            [(campaign, count, note if count is None else "") for campaign, count in records.items()],
        )
        self._chain.note(self._connection)

    def counted_campaigns(self) -> list[str]:
        """Return the campaigns whose records were counted before the run's first request."""
        rows = self._connection.execute("SELECT campaign FROM record_count WHERE before IS NOT NULL ORDER BY campaign")
        return [campaign for (campaign,) in rows]

    def records_after(self, records: Mapping[str, int], note: str) -> None:
        """Note how many records each campaign that was counted before holds now; `note` says why others are missing."""
        self._connection.execute("UPDATE record_count SET after = NULL, note = ? WHERE before IS NOT NULL", (note,))
        self._connection.executemany(
            "UPDATE record_count SET after = ?, note = '' WHERE campaign = ?",
            ((count, campaign) for campaign, count in records.items()),
        )
        self._chain.note(self._connection)


def fastest_of(connection: sqlite3.Connection) -> Fastest:
    """Return the fastest of all replies with verdicts that a ledger knows of."""
    found = connection.execute("SELECT us, replies, each_ns FROM fastest").fetchone()
    return Fastest(*found) if found else NOTHING_SEEN


def _as_row(chunk: Chunk, states: bytes, again: str | None, progress: str) -> ChunkRow:
    """Return a chunk as its table has it once this is written."""
    first = chunk.ordinals[0] if chunk.first else None
    ordinals = None if chunk.first else orjson.dumps(list(chunk.ordinals)).decode()
    return ChunkRow(chunk.chunk_id, chunk.campaign, "\n".join(chunk.numbers), first, ordinals, states, again, progress)


def _planned_chunk(chunk_id: int, campaign: str, numbers: str, first_ordinal: int, states: bytes | None) -> Chunk:
    each = tuple(numbers.split("\n"))
    known = unpack_states(states, len(each))
    return Chunk(chunk_id, campaign, each, range(first_ordinal, first_ordinal + len(each)), known, first=True)
