"""A run taken up again: what was lost with the process is noted, what is open is made ready to be asked for.

Everything that a later session needs is in the ledger; the input may be gone or changed.

`opened_for_reading` and `history` read a ledger without changing it, even while the run is under way.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

from bulk_remove.core.lifecycle import SETTLED, Event, gone_meanwhile, taken_up, was_found, without_verdict
from bulk_remove.core.model import NumberState, Source
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase
from bulk_remove.ledger.proof import altered, seal
from bulk_remove.ledger.read import CampaignStates, Outcomes
from bulk_remove.ledger.store import (
    Store,
    check_format,
    damage_told,
    pack_state,
    pack_states,
    unpack_source,
    unpack_state,
    unpack_states,
)
from bulk_remove.ledger.write import fastest_of

_PAGE_ROWS = 5000
_PLANNED = (
    "SELECT straggler.ordinal, straggler.number, numbers, ordinal - first_ordinal FROM straggler LEFT JOIN chunk"
    " ON chunk.campaign = straggler.campaign AND first_ordinal = (SELECT max(first_ordinal) FROM chunk planned"
    " WHERE planned.campaign = straggler.campaign AND planned.first_ordinal <= ordinal) ORDER BY ordinal"
)
_LOST = "The run was stopped hard before the reply came."


class RunFacts(NamedTuple):
    """What the ledger says of its run. `approved_by` is empty, and `plan` None, where it did not come so far."""

    run_id: str
    request: dict[str, object]
    plan: dict[str, object] | None
    approved_by: str
    sources: tuple[Source, ...]


class Reopening:
    """Works on a ledger that nobody writes to at the same time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def facts(self) -> RunFacts:
        """Read what the run is. Raises StorageError."""
        with self._store.reading() as connection:
            run_id, request, plan, approved_by = connection.execute(
                "SELECT run_id, request, plan, ifnull(approved_by, '') FROM run"
            ).fetchone()
            sources = connection.execute("SELECT properties FROM source ORDER BY source_no").fetchall()
        return RunFacts(
            run_id,
            orjson.loads(request),
            None if plan is None else orjson.loads(plan),
            approved_by,
            tuple(unpack_source(properties) for (properties,) in sources),
        )

    def reopen(self, now_s: float) -> Counter[str]:
        """Make every number that is not settled ready to be asked for; returns the numbers by phase.

        Attempts without an end were under way when the process died: their numbers are in doubt from now on, as those
        are of which the run has said so. The time for asking again about numbers in a call begins anew. `now_s` in Unix
        seconds. Raises StorageError.
        """
        with self._store.transaction() as connection:
            self._lose_unanswered(connection, now_s)
            connection.execute("UPDATE chunk SET progress = 'settled' WHERE first_ordinal IS NULL")
            self._make_stragglers(connection)
            self._make_due(connection, now_s)
            seal(connection)
        return Outcomes(self._store).phases()

    def waiting_numbers(self) -> Iterator[tuple[str, str]]:
        """Yield (campaign, number) of those that wait to be asked for, in the order in which they will be."""
        with self._store.reading() as connection:
            yield from connection.execute(
                "SELECT campaign, number FROM straggler WHERE due_at_s IS NOT NULL ORDER BY due_at_s, ordinal"
            )

    def check_stragglers(self, planned: Callable[[str], str]) -> None:
        """Check that each straggler is a number of the plan; `planned` returns the planned form of any other.

        What a session that was cut off wrote is in no proof yet. Raises AlteredLedgerError.
        """
        with self._store.reading() as connection:
            last, each = "", [""]
            for ordinal, number, numbers, place in connection.execute(_PLANNED):
                if numbers != last:
                    last, each = numbers, (numbers or "").split("\n")
                if numbers is None or place >= len(each) or planned(number) != planned(each[place]):
                    what = phrase("straggler {ordinal} is not a number of the plan", ordinal=ordinal)
                    raise altered(self._store.path, what)

    def _lose_unanswered(self, connection: sqlite3.Connection, now_s: float) -> None:
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
            else:
                _lose_stragglers(connection, orjson.loads(ordinals))
            connection.execute(
                "UPDATE attempt SET ended_at_s = ?, result = 'killed' WHERE attempt_id = ?", (now_s, attempt_id)
            )

    def _make_stragglers(self, connection: sqlite3.Connection) -> None:
        """Give every open number of a closed planned chunk a row of its own."""
        closed = connection.execute(
            "SELECT campaign, numbers, first_ordinal, states FROM chunk"
            " WHERE progress = 'settled' AND first_ordinal IS NOT NULL"
        )
        for campaign, numbers, first_ordinal, packed in closed:
            each = numbers.split("\n")
            states = unpack_states(packed, len(each))
            open_ones = [
                (first_ordinal + place, campaign, each[place], pack_state(states[place]))
                for place in states.where(lambda state: state.phase not in SETTLED)
            ]
            connection.executemany(
                "INSERT OR IGNORE INTO straggler (ordinal, campaign, number, state) VALUES (?, ?, ?, ?)", open_ones
            )

    def _make_due(self, connection: sqlite3.Connection, now_s: float) -> None:
        """Make every straggler that is not settled due now, some thousands at a time."""
        fastest, ordinal = fastest_of(connection), -1
        while rows := connection.execute(
            "SELECT ordinal, state FROM straggler WHERE ordinal > ? ORDER BY ordinal LIMIT ?", (ordinal, _PAGE_ROWS)
        ).fetchall():
            connection.executemany(
                "UPDATE straggler SET state = ?, due_at_s = ?, chunk_id = NULL WHERE ordinal = ?",
                [
                    (pack_state(taken_up(state, fastest)), now_s, ordinal)
                    for ordinal, state in ((ordinal, unpack_state(packed)) for ordinal, packed in rows)
                    if state.phase not in SETTLED
                ],
            )
            ordinal = rows[-1][0]


def _lose_stragglers(connection: sqlite3.Connection, ordinals: list[int]) -> None:
    for ordinal in ordinals:
        (packed,) = connection.execute("SELECT state FROM straggler WHERE ordinal = ?", (ordinal,)).fetchone()
        lost = pack_state(_lose(unpack_state(packed)))
        connection.execute("UPDATE straggler SET state = ? WHERE ordinal = ?", (lost, ordinal))


def _lose(state: NumberState) -> NumberState:
    return without_verdict(state, Event.LOST, _LOST)


class Session(NamedTuple):
    """One time of sending, in Unix seconds; `ended_at_s` is None, and `ending` empty, under way or after a kill."""

    began_at_s: float
    ended_at_s: float | None
    ending: str


class StandingTally(NamedTuple):
    """What was done for one campaign: distinct numbers by phase, and requests by result ('' : none yet).

    `found` counts the numbers of which a record was found at some time, `gone` those of them that were in a call and
    are not there any more.
    """

    phases: Counter[str]
    requests: Counter[str]
    found: int
    gone: int


class History(NamedTuple):
    """A run as its ledger tells it. `last_s` is when something last happened, `tallies` are by campaign.

    `unasked` counts the requests after which a removal was named that nobody asked for.
    """

    facts: RunFacts
    created_at_s: float
    last_s: float
    sessions: tuple[Session, ...]
    tallies: dict[str, StandingTally]
    unasked: int


@contextmanager
def opened_for_reading(path: Path) -> Iterator[Store]:
    """Open a ledger as it is at this moment, whoever else writes to it.

    Raises StorageError when it is missing, damaged or of another version, also for what its cells raise in the context.
    """
    try:
        with ExitStack() as stack:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            stack.callback(connection.close)
            connection.execute("BEGIN")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            stack.pop_all()
    except sqlite3.Error as error:
        raise StorageError(
            phrase("The ledger {path} cannot be read: {problem}.", path=path, problem=error),
            "Check permissions and the disk.",
        ) from None
    try:
        check_format(path, connection, version)
        with damage_told(path):
            yield Store(path, connection)
    finally:
        connection.close()


def history(store: Store) -> History:
    """Read what became of the run so far. Raises StorageError."""
    with store.reading() as connection:
        facts = Reopening(store).facts()
        (created_at_s,) = connection.execute("SELECT created_at_s FROM run").fetchone()
        rows = connection.execute("SELECT began_at_s, ended_at_s, ifnull(ending, '') FROM session ORDER BY session_no")
        sessions = tuple(Session(*row) for row in rows)
        (last_attempt_s,) = connection.execute("SELECT max(begun_at_s) FROM attempt").fetchone()
        moments = [moment for session in sessions for moment in session[:2] if moment is not None]
        last_s = max(created_at_s, last_attempt_s or 0.0, *moments)
        (unasked,) = connection.execute("SELECT count(unasked) FROM attempt").fetchone()
        return History(facts, created_at_s, last_s, sessions, _tallies(connection), unasked)


def _tallies(connection: sqlite3.Connection) -> dict[str, StandingTally]:
    campaigns = connection.execute("SELECT DISTINCT campaign FROM chunk ORDER BY campaign").fetchall()
    tallies = {campaign: _tally(connection, campaign) for (campaign,) in campaigns}
    requests = connection.execute(
        "SELECT campaign, ifnull(result, ''), count(*) FROM attempt JOIN chunk USING (chunk_id)"
        " WHERE result IS NOT 'not sent' GROUP BY 1, 2"
    )
    for campaign, result, count in requests:
        tallies[campaign].requests[result] += count
    return tallies


def _tally(connection: sqlite3.Connection, campaign: str) -> StandingTally:
    """Count a campaign's numbers; its requests are counted later."""
    phases: Counter[str] = Counter()
    found = gone = 0
    for _, states in CampaignStates(connection, campaign).chunks():
        for state, count in states.counted():
            phases[state.phase] += count
            found += count * was_found(state)
            gone += count * gone_meanwhile(state)
    return StandingTally(phases, Counter(), found, gone)
