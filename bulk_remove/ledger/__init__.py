"""The ledger of a run, an SQLite file. It gets each request before it is sent, and each verdict before it is counted.

`store` opens the file and owns the transactions. `write` writes the plan, the requests and the verdicts, and prepares a
run for another session. `read` returns the result of each row, the history of the run, and what was done with one
number. `proof` chains digests of the tables and verifies them. `aside` has what is kept beside a ledger for a while.
"""

from bulk_remove.ledger.aside import Removals, RowKeys, Sighting, Sightings
from bulk_remove.ledger.proof import Verified, WrittenFile, verify
from bulk_remove.ledger.read import (
    History,
    Outcomes,
    RecordCount,
    RunFacts,
    StandingTally,
    Totals,
    Trace,
    facts_of,
    history,
    last_ending,
    opened_for_reading,
    trace,
    was_approved,
)
from bulk_remove.ledger.store import DAMAGE, Store, UnmadeError, create, damage_as_error, open_existing
from bulk_remove.ledger.write import Journal, Planning, Reopening, Sending

__all__ = [
    "DAMAGE",
    "History",
    "Journal",
    "Outcomes",
    "Planning",
    "RecordCount",
    "Removals",
    "Reopening",
    "RowKeys",
    "RunFacts",
    "Sending",
    "Sighting",
    "Sightings",
    "StandingTally",
    "Store",
    "Totals",
    "Trace",
    "UnmadeError",
    "Verified",
    "WrittenFile",
    "create",
    "damage_as_error",
    "facts_of",
    "history",
    "last_ending",
    "open_existing",
    "opened_for_reading",
    "trace",
    "verify",
    "was_approved",
]
