"""What a ledger says of its run at this moment, read without changing it, even while the run is under way."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bulk_remove.adapters.ledger.outcomes import CampaignStates
from bulk_remove.adapters.ledger.reopening import Reopening, RunFacts
from bulk_remove.adapters.ledger.store import SCHEMA_VERSION, Store, damage_told
from bulk_remove.core.lifecycle import gone_meanwhile
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase


class Session(NamedTuple):
    """One time of sending, in Unix seconds; `ended_at_s` is None, and `ending` empty, under way or after a kill."""

    began_at_s: float
    ended_at_s: float | None
    ending: str


class Tally(NamedTuple):
    """What was done for one campaign: distinct numbers by phase, and requests by result ('' : none yet).

    `gone` counts the numbers that were there, in a call, and are not any more.
    """

    phases: Counter[str]
    requests: Counter[str]
    gone: int


class History(NamedTuple):
    """A run as its ledger tells it. `last_s` is when something last happened, `tallies` are by campaign.

    `unasked` counts the requests after which a removal was named that nobody asked for.
    """

    facts: RunFacts
    created_at_s: float
    last_s: float
    sessions: tuple[Session, ...]
    tallies: dict[str, Tally]
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
        if version != SCHEMA_VERSION:
            raise StorageError(
                phrase(
                    "The ledger {path} was written by another version of this tool (format {version}).",
                    path=path,
                    version=version,
                ),
                "Look at that run with the version that began it.",
            )
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


def _tallies(connection: sqlite3.Connection) -> dict[str, Tally]:
    campaigns = connection.execute("SELECT DISTINCT campaign FROM chunk ORDER BY campaign").fetchall()
    tallies = {campaign: _tally(connection, campaign) for (campaign,) in campaigns}
    requests = connection.execute(
        "SELECT campaign, ifnull(result, ''), count(*) FROM attempt JOIN chunk USING (chunk_id)"
        " WHERE result IS NOT 'not sent' GROUP BY 1, 2"
    )
    for campaign, result, count in requests:
        tallies[campaign].requests[result] += count
    return tallies


def _tally(connection: sqlite3.Connection, campaign: str) -> Tally:
    """Count a campaign's numbers; its requests are counted later."""
    phases: Counter[str] = Counter()
    gone = 0
    for _, states in CampaignStates(connection, campaign).chunks():
        for state, count in states.counted():
            phases[state.phase] += count
            gone += count * gone_meanwhile(state)
    return Tally(phases, Counter(), gone)
