"""The run's SQLite file: every intent before its act, every verdict before it is counted.

`store` opens the file and owns the transactions. `write` keeps the plan, and intents and verdicts while requests are
sent. `read` tells what became of each row, when what happened, and one number's story. `reopening` takes a run up
again, and looks at a run from outside. `proof` links all that happens and checks it. `distinct` finds duplicates.
"""

from bulk_remove.ledger.proof import Verified, WrittenFile, verify
from bulk_remove.ledger.read import (
    History,
    Outcomes,
    RecordCount,
    RunFacts,
    StandingTally,
    Totals,
    Trace,
    completed_run,
    facts_of,
    history,
    opened_for_reading,
    trace,
    was_approved,
)
from bulk_remove.ledger.reopening import Reopening
from bulk_remove.ledger.store import DAMAGE, Store, create, damage_as_error, open_existing
from bulk_remove.ledger.write import Journal, Planning, Sending

__all__ = [
    "DAMAGE",
    "History",
    "Journal",
    "Outcomes",
    "Planning",
    "RecordCount",
    "Reopening",
    "RunFacts",
    "Sending",
    "StandingTally",
    "Store",
    "Totals",
    "Trace",
    "Verified",
    "WrittenFile",
    "completed_run",
    "create",
    "damage_as_error",
    "facts_of",
    "history",
    "open_existing",
    "opened_for_reading",
    "trace",
    "verify",
    "was_approved",
]
