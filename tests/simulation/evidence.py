"""What the checkers go by: the report, the ledger's attempts, the audit, each looked through once."""

from collections import defaultdict
from functools import cached_property
from math import inf

from tests.simulation.oracle import Refused, Timing, histories, refused
from tests.simulation.rows import Target
from tests.simulation.run import Result

FINAL = frozenset({"REMOVED", "NOT_EXIST", "PRESUMED_REMOVED"})


class Evidence:
    """A result, looked through once for all checkers.

    `rows` are the input's by their number in the file, `firsts` the report's by what was to be removed, `by_attempt`
    the requests by attempt; `sessions` are the requests of each session since the last result, `fresh` all of these.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self.audit = result.audit
        self.settings = result.scenario.settings
        self.forms = result.scenario.forms
        self.rows = {str(row.line): row for row in result.scenario.rows}
        self.firsts = {target: row for row in reversed(result.report) if (target := self.target_of(row)) is not None}
        self.by_attempt = {attempt: request for request in self.audit.requests for attempt in request.attempts}
        self.sessions = [
            [request for request in self.audit.requests if request.session == session] for session in result.sessions
        ]
        self.fresh = [request for session in self.sessions for request in session]

    def target_of(self, row: dict[str, str]) -> Target | None:
        """Return what is to be removed for a row of the report."""
        return self.rows[row["row"]].target if row["row"] in self.rows else None

    @cached_property
    def histories(self) -> dict[Target, Timing]:
        """What the report must say of each number."""
        return histories(self.result.scenario, self.result.attempts, self.by_attempt, self.refused)

    @cached_property
    def refused(self) -> Refused:
        """The form that the server takes no number in."""
        rank = self.result.world.refused_rank
        forms = frozenset(form for form, its_rank in self.forms.rank.items() if its_rank == rank and rank)
        return refused(forms, self.audit.requests)

    @cached_property
    def removed_ids(self) -> dict[Target, set[str]]:
        """The records of each number that the server removed, in whatever form."""
        removed: defaultdict[Target, set[str]] = defaultdict(set)
        for request in self.audit.requests:
            for form, ids in request.removed.items():
                removed[Target(request.campaign, self.forms.planned[form])].update(map(str, ids))
        return removed

    def may_be_left_out(self, history: Timing) -> bool:
        """Tell whether the forms that a number was not asked for in are all such as the server was known to refuse."""
        return self.refused.known_s < inf and self.refused.forms.issuperset(history.left)
