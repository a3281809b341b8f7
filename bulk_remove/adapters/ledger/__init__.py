"""The run's SQLite file: every intent before its act, every verdict before it is counted.

`store` opens the file and owns the transactions, `planning` writes the plan, `sending` keeps intents and verdicts,
`outcomes` reads what became of every row, `timing` when what happened, `reopening` takes a run up again, `history`
knows what earlier runs sent, `standing` looks at a run from outside, `tracing` follows one number through it. `chain`
links all that happens, and `verifying` checks the links.
"""

from bulk_remove.adapters.ledger.chain import WrittenFile
from bulk_remove.adapters.ledger.history import PastRun, completed_run
from bulk_remove.adapters.ledger.outcomes import Outcomes, RecordCount, Totals
from bulk_remove.adapters.ledger.planning import Planning
from bulk_remove.adapters.ledger.reopening import Reopening
from bulk_remove.adapters.ledger.sending import Sending
from bulk_remove.adapters.ledger.standing import History, Session, Tally, history, opened_for_reading
from bulk_remove.adapters.ledger.store import DAMAGE, Store, create, damage_told, open_existing, was_approved
from bulk_remove.adapters.ledger.timing import Timing
from bulk_remove.adapters.ledger.tracing import Trace, trace
from bulk_remove.adapters.ledger.verifying import Verified, verify
from bulk_remove.adapters.ledger.writer import Journal

__all__ = [
    "DAMAGE",
    "History",
    "Journal",
    "Outcomes",
    "PastRun",
    "Planning",
    "RecordCount",
    "Reopening",
    "Sending",
    "Session",
    "Store",
    "Tally",
    "Timing",
    "Totals",
    "Trace",
    "Verified",
    "WrittenFile",
    "completed_run",
    "create",
    "damage_told",
    "history",
    "open_existing",
    "opened_for_reading",
    "trace",
    "verify",
    "was_approved",
]
