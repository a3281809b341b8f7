"""What the checkers go by: the report, the ledger's attempts, the audit, each looked through once."""

from functools import cached_property

from tests.simulation.oracle import History, histories
from tests.simulation.run import Result

FINAL = frozenset({"REMOVED", "NOT_EXIST", "PRESUMED_REMOVED"})


class Evidence:
    """A result, looked through once for all checkers.

    `firsts` are the report's rows by number, `by_attempt` the requests by attempt; `sessions` are the requests of each
    session since the last result, `fresh` all of these.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self.audit = result.audit
        self.settings = result.scenario.settings
        self.firsts = {row["number"]: row for row in reversed(result.report) if row["number"]}
        self.by_attempt = {attempt: request for request in self.audit.requests for attempt in request.attempts}
        self.sessions = [
            [request for request in self.audit.requests if request.session == session] for session in result.sessions
        ]
        self.fresh = [request for session in self.sessions for request in session]

    @cached_property
    def histories(self) -> dict[str, History]:
        """What the report must say of each number."""
        return histories(self.result.scenario.numbers, self.result.attempts, self.by_attempt)
