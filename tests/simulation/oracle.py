"""What the report must say of each number, worked out again from what the client was told; shares no code with it.

The ledger is believed in one thing only, which requests got an answer on disk before the process died; and that is
held against the audit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from tests.simulation.audit import Entries, Request
from tests.simulation.rows import Target
from tests.simulation.run import Attempt
from tests.simulation.scenario import Scenario

LOST = frozenset(
    {"timeout", "connection lost", "reply cut short", "unreadable reply", "HTTP 500", "HTTP 502", "HTTP 504", "killed"}
)
"""The server may have acted."""
DENIED = frozenset({"HTTP 401", "HTTP 403", "HTTP 404", "HTTP 302"})
UNTOUCHED = frozenset({"connect timeout", "HTTP 429", "HTTP 503"}) | DENIED
REFUSED = frozenset({"HTTP 400", "HTTP 414", "errors in a success"})
CONSISTENT = {("REMOVED", 200), ("NOT_EXIST", 404), ("CALL_IN_PROGRESS", 409)}
NOT_SENT = "not sent"
REFUSED_ALONE = 10
"""So many single numbers must be refused in a form before it may be left out."""
SETTLED = frozenset({"REMOVED", "NOT_EXIST", "PRESUMED_REMOVED", "UNRECOGNISED"})


def is_consistent(entry: Mapping[str, object]) -> bool:
    """Tell whether both statuses of an entry say the same."""
    return (entry.get("status"), entry["http_status"]) in CONSISTENT


def is_removal(entry: Mapping[str, object]) -> bool:
    """Tell whether an entry says that a record was removed."""
    return entry.get("status") == "REMOVED" and is_consistent(entry)


@dataclass(slots=True)
class Timing:
    """One number's story so far: `status` as the report must have it, `doubted` once a request went unanswered.

    `forms` are those in which it is to be asked for, `form` the one in which it was asked for last; `none_in` are those
    in which an answer found none, or which were refused for it alone; `between` tells that others are still to come.
    `alone_refused` tells that the server refused a request for it alone as planned, `asked_after` what the final answer
    was that did not keep it from being asked for again, `out_of_turn` a form that was asked for too early or in vain.
    `last` is the last request for it.
    """

    forms: tuple[str, ...]
    form: str = ""
    none_in: set[str] = field(default_factory=set)
    between: bool = False
    status: str = "UNSENT"
    doubted: bool = False
    alone_refused: bool = False
    asked_after: str = ""
    out_of_turn: str = ""
    ids: list[str] = field(default_factory=list)
    attempts: int = 0
    last: Request | None = None
    busy_rounds: int = 0
    answered_s: float | None = None
    busy_moments_s: list[float] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether nobody may ask for it again."""
        return self.status in SETTLED or self.alone_refused

    @property
    def shown(self) -> str:
        """The form that the report must have: that of the records, the planned one as long as none was found."""
        nowhere = self.between or self.status in {"UNSENT", "NOT_EXIST", "PRESUMED_REMOVED"}
        return self.forms[0] if nowhere and not self.ids else self.form

    @property
    def left(self) -> tuple[str, ...]:
        """The forms to be asked for after the one that was asked for last."""
        return self.forms[self.forms.index(self.form) + 1 :] if self.form else self.forms

    def asked(self, form: str, passed: Iterable[str]) -> None:
        """A request for it left in this form; the forms in `passed` need not be asked for."""
        if self.settled:
            self.asked_after = self.status
        self.attempts += 1
        if form != self.form or form in self.none_in:
            earlier = self.forms[: self.forms.index(form)]
            if form in self.none_in or not self.none_in.union(passed).issuperset(earlier):
                self.out_of_turn = form
            self.form = form

    def lost(self) -> None:
        """A request for it got no answer."""
        self.status, self.doubted, self.between = "IN_DOUBT", True, False

    def refused(self) -> None:
        """A request for it alone was refused; in a form besides the planned one, that is as good as none."""
        if self.form == self.forms[0]:
            self.status, self.alone_refused = "FAILED", True
        else:
            self._not_in_this_form()

    def answered(self, entries: Entries | None, now_s: float) -> None:
        """A reply came; `entries` is what it says of this number."""
        self.answered_s = now_s
        self.between = False
        if not entries:
            self.status, self.doubted = "FAILED", True
            return
        told = {str(entry["status"]) if is_consistent(entry) else "?" for entry in entries}
        self.ids += [str(entry["record_id"]) for entry in entries if is_removal(entry)]
        if "CALL_IN_PROGRESS" in told:
            self.status = "CALL_IN_PROGRESS"
            self.busy_rounds += 1
            self.busy_moments_s.append(now_s)
        elif all("status" not in entry for entry in entries):
            self.refused()
        elif told - {"REMOVED", "NOT_EXIST"}:
            self.status = "UNRECOGNISED"
        elif "REMOVED" in told:
            self.status = "REMOVED"
        else:
            self._not_in_this_form()

    def _not_in_this_form(self) -> None:
        """None was found. What was removed before was found in this form, so there is no need to look further."""
        self.none_in.add(self.form)
        self.between = bool(self.left) and not self.ids
        if self.between:
            self.status = "IN_DOUBT" if self.doubted else "UNSENT"
        else:
            self.status = self.if_nowhere_else

    @property
    def if_nowhere_else(self) -> str:
        """What it comes to when no other form is asked for."""
        return "PRESUMED_REMOVED" if self.doubted else "REMOVED" if self.ids else "NOT_EXIST"


@dataclass(frozen=True, slots=True)
class Refused:
    """The form that the server takes no number in, if there is one: `forms` are the numbers written in it.

    `known_s` is from when on the client may know it, for so many numbers were refused one by one in a session.
    """

    forms: frozenset[str]
    known_s: float


def refused(forms: frozenset[str], requests: Iterable[Request]) -> Refused:
    """Find out when the client could know that the server refuses these."""
    times: Counter[int] = Counter()
    known_s = inf
    # In the order in which the client was told: a request that left earlier may be answered later.
    for request in sorted(requests, key=lambda each: inf if each.told_s is None else each.told_s):
        if request.told in REFUSED and len(request.numbers) == 1 and forms.issuperset(request.numbers):
            assert request.told_s is not None
            times[request.session] += 1
            if times[request.session] == REFUSED_ALONE:
                known_s = min(known_s, request.told_s)
    return Refused(forms, known_s)


def histories(
    scenario: Scenario, attempts: Iterable[Attempt], requests: Mapping[int, Request], refused: Refused
) -> dict[Target, Timing]:
    """Work out every number's history; `requests` are the server's, by the attempt that stood for each."""
    forms = scenario.forms
    known = {target: Timing(forms.of[target.number]) for target in scenario.targets}
    for attempt in attempts:
        if attempt.result == NOT_SENT:
            continue
        request = requests.get(attempt.attempt_id)
        passed = refused.forms if request is not None and request.sent_s >= refused.known_s else frozenset[str]()
        for number in attempt.numbers:
            history = known[Target(attempt.campaign, forms.planned[number])]
            history.asked(number, passed)
            history.last = request
            _move(history, number, attempt, request)
    return known


def _move(history: Timing, number: str, attempt: Attempt, request: Request | None) -> None:
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
