"""What the report must say of each number, worked out again from what the client was told; shares no code with it.

The ledger is believed in one thing only, which requests got an answer on disk before the process died; and that is
held against the audit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.simulation.audit import Entries, Request
from tests.simulation.run import Attempt

LOST = frozenset(
    {"timeout", "connection lost", "reply cut short", "unreadable reply", "HTTP 500", "HTTP 502", "HTTP 504", "killed"}
)
"""The server may have acted."""
UNTOUCHED = frozenset({"connect timeout", "HTTP 429", "HTTP 503", "HTTP 401"})
REFUSED = frozenset({"HTTP 400", "HTTP 414"})
NOT_SENT = "not sent"
SETTLED = frozenset({"REMOVED", "NOT_EXIST", "PRESUMED_REMOVED", "UNRECOGNISED"})


@dataclass(slots=True)
class History:
    """One number's story so far: `status` as the report must have it, `doubted` once a request went unanswered.

    `alone_refused` tells that the server refused a request for it alone, `asked_after` what the final answer was that
    did not keep it from being asked for again.
    """

    status: str = "UNSENT"
    doubted: bool = False
    alone_refused: bool = False
    asked_after: str = ""
    ids: list[str] = field(default_factory=list)
    attempts: int = 0
    busy_rounds: int = 0
    answered_s: float | None = None
    busy_moments_s: list[float] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether nobody may ask for it again."""
        return self.status in SETTLED or self.alone_refused

    def lost(self) -> None:
        """A request for it got no answer."""
        self.status, self.doubted = "IN_DOUBT", True

    def refused(self) -> None:
        """A request for it alone was refused."""
        self.status, self.alone_refused = "FAILED", True

    def answered(self, entries: Entries | None, now_s: float) -> None:
        """A reply came; `entries` is what it says of this number."""
        self.answered_s = now_s
        if not entries:
            self.status, self.doubted = "FAILED", True
            return
        told = {str(entry["status"]) for entry in entries}
        self.ids += [str(entry["record_id"]) for entry in entries if entry["status"] == "REMOVED"]
        if "CALL_IN_PROGRESS" in told:
            self.status = "CALL_IN_PROGRESS"
            self.busy_rounds += 1
            self.busy_moments_s.append(now_s)
        elif told - {"REMOVED", "NOT_EXIST"}:
            self.status = "UNRECOGNISED"
        elif "REMOVED" in told:
            self.status = "REMOVED"
        else:
            self.status = "PRESUMED_REMOVED" if self.doubted else "REMOVED" if self.ids else "NOT_EXIST"


def histories(
    numbers: Iterable[str], attempts: Iterable[Attempt], requests: Mapping[int, Request]
) -> dict[str, History]:
    """Work out every number's history; `requests` are the server's, by the attempt that stood for each."""
    known = {number: History() for number in numbers}
    for attempt in attempts:
        if attempt.result == NOT_SENT:
            continue
        for number in attempt.numbers:
            history = known[number]
            if history.settled:
                history.asked_after = history.status
            history.attempts += 1
            _move(history, number, attempt, requests.get(attempt.attempt_id))
    return known


def _move(history: History, number: str, attempt: Attempt, request: Request | None) -> None:
    if attempt.result in LOST:
        history.lost()
    elif attempt.result == "verdicts":
        assert request is not None, f"attempt {attempt.attempt_id} has verdicts, but no request left"
        assert request.told_s is not None, f"attempt {attempt.attempt_id} has verdicts, but no reply came"
        history.answered(request.said.get(number), request.told_s)
    elif attempt.result in REFUSED:
        if len(attempt.numbers) == 1:
            history.refused()
    else:
        assert attempt.result in UNTOUCHED, f"attempt {attempt.attempt_id} ended with {attempt.result!r}"
