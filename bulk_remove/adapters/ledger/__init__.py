"""The run's SQLite file: every intent before its act, every verdict before it is counted.

`store` opens the file and owns the transactions, `planning` writes the plan, `sending` keeps intents and verdicts,
`outcomes` reads what became of every row, `reopening` takes a run up again, `history` looks at one from outside.
`chain` links all that happens, `verifying` checks the links, `tracing` tells the history of one number.
"""

from bulk_remove.adapters.ledger.history import History, Session, Tally, history, opened_for_reading
from bulk_remove.adapters.ledger.outcomes import Outcomes, Totals
from bulk_remove.adapters.ledger.planning import Planning
from bulk_remove.adapters.ledger.reopening import Reopening
from bulk_remove.adapters.ledger.sending import Sending
from bulk_remove.adapters.ledger.store import Store, create, open_existing, was_approved
from bulk_remove.adapters.ledger.verifying import Verified, verify
from bulk_remove.adapters.ledger.writer import Journal

__all__ = [
    "History",
    "Journal",
    "Outcomes",
    "Planning",
    "Reopening",
    "Sending",
    "Session",
    "Store",
    "Tally",
    "Totals",
    "Verified",
    "create",
    "history",
    "open_existing",
    "opened_for_reading",
    "verify",
    "was_approved",
]
