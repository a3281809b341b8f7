"""What the report must say of each number, worked out again from what the client was told; shares no code with it.

The ledger is believed in one thing only, which requests got an answer on disk before the process died; and that is
held against the audit.

After a refusal the client must be in doubt where the server has removed something, and must not be where the refusal
came at once. In between either is right: what the client makes of the time is its own affair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf
from operator import itemgetter

from tests.simulation.audit import Entries, Request
from tests.simulation.rows import Target
from tests.simulation.run import Attempt
from tests.simulation.scenario import Scenario

LOST = frozenset(
    {"timeout", "connection lost", "reply cut short", "unreadable reply", "HTTP 500", "HTTP 502", "HTTP 504", "killed"}
)
"""The server may have acted."""
DENIED = frozenset({"HTTP 401", "HTTP 403", "HTTP 404", "HTTP 302"})
UNTOUCHED = frozenset({"connect timeout", "HTTP 414"})
"""It cannot have, however long it took."""
REFUSED = frozenset({"HTTP 400", "HTTP 409", "HTTP 414", "HTTP 422", "errors in a success"})
TURNED_AWAY = (REFUSED - UNTOUCHED) | {"HTTP 425", "HTTP 429", "HTTP 503"} | DENIED
"""It may have, as far as the status tells."""
UNCOMPARED_S = 1.0
"""Until the first reply, a refusal that took no longer than this may be taken for one that came at once."""
CONSISTENT = {("REMOVED", 200), ("NOT_EXIST", 404), ("CALL_IN_PROGRESS", 409)}
NOT_SENT = "not sent"
REFUSED_ALONE = 10
"""So many single numbers must be refused in a form before it may be left out."""
SETTLED = frozenset({"REMOVED", "NOT_EXIST", "PRESUMED_REMOVED", "UNRECOGNISED"})


class Doubt(IntEnum):
    """Whether the client must be in doubt."""

    NONE = 0
    EITHER = 1
    SURE = 2


def _by(doubt: Doubt, undoubted: str, doubted: str) -> frozenset[str]:
    """Return what may be said."""
    return frozenset({Doubt.NONE: {undoubted}, Doubt.SURE: {doubted}}.get(doubt, {undoubted, doubted}))


def is_consistent(entry: Mapping[str, object]) -> bool:
    """Tell whether both statuses of an entry say the same."""
    return (entry.get("status"), entry["http_status"]) in CONSISTENT


def is_removal(entry: Mapping[str, object]) -> bool:
    """Tell whether an entry says that a record was removed."""
    return entry.get("status") == "REMOVED" and is_consistent(entry)


@dataclass(slots=True)
class Timing:
    """One number's story so far: `statuses` are those that the report may have, of which mostly there is one.

    `doubt` tells whether its verdict must be told as one in doubt, `shown` whether what the report says now must be:
    before a verdict there may have been nothing to compare a refusal with.
    `forms` are those in which it is to be asked for, `form` the one in which it was asked for last; `none_in` are those
    in which an answer found none, or which were refused for it alone; `between` tells that others are still to come,
    `perhaps_between` that they are unless the client is in doubt of the last request.
    `alone_refused` tells that the server refused a request for it alone as planned, `asked_after` what the final answer
    was that did not keep it from being asked for again, `out_of_turn` a form that was asked for too early or in vain.
    A refusal of raw brackets is not final before the server has read some in one request.
    `last` is the last request for it, `heard` the last of those that were answered with verdicts.
    """

    forms: tuple[str, ...]
    form: str = ""
    none_in: set[str] = field(default_factory=set)
    between: bool = False
    perhaps_between: bool = False
    statuses: frozenset[str] = frozenset({"UNSENT"})
    doubt: Doubt = Doubt.NONE
    shown: Doubt = Doubt.NONE
    alone_refused: bool = False
    asked_after: str = ""
    out_of_turn: str = ""
    ids: list[str] = field(default_factory=list)
    attempts: int = 0
    last: Request | None = None
    heard: Request | None = None
    busy_rounds: int = 0
    answered_s: float | None = None
    busy_moments_s: list[float] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether nobody may ask for it again."""
        return self.statuses <= SETTLED or self.alone_refused

    @property
    def numbers_shown(self) -> set[str]:
        """The form that the report must have: that of the records, the planned one as long as none was found."""
        nowhere = self.between or self.statuses <= {"UNSENT", "NOT_EXIST", "PRESUMED_REMOVED"}
        form = self.forms[0] if nowhere and not self.ids else self.form
        return {form, self.forms[0]} if self.perhaps_between and not self.ids else {form}

    @property
    def left(self) -> tuple[str, ...]:
        """The forms to be asked for after the one that was asked for last."""
        return self.forms[self.forms.index(self.form) + 1 :] if self.form else self.forms

    def asked(self, form: str, passed: Iterable[str]) -> None:
        """A request for it left in this form; the forms in `passed` need not be asked for."""
        if self.settled:
            self.asked_after = " or ".join(self.statuses)
        self.attempts += 1
        if form != self.form or form in self.none_in:
            earlier = self.forms[: self.forms.index(form)]
            if form in self.none_in or not self.none_in.union(passed).issuperset(earlier):
                self.out_of_turn = form
            self.form = form

    def lost(self) -> None:
        """A request for it got no answer."""
        self.doubt = self.shown = Doubt.SURE
        self._in_doubt()

    def _in_doubt(self) -> None:
        self.statuses, self.between, self.perhaps_between = frozenset({"IN_DOUBT"}), False, False

    def turned_away(self, doubt: Doubt, *, compared: bool) -> None:
        """A request for it was refused; `compared` tells whether the client could see what that means."""
        self.doubt = max(self.doubt, doubt)
        self.shown = max(self.shown, doubt if compared else min(doubt, Doubt.EITHER))
        if doubt is Doubt.SURE and compared:
            self._in_doubt()
        elif doubt is not Doubt.NONE:
            self.statuses |= {"IN_DOUBT"}
            self.between, self.perhaps_between = False, self.between or self.perhaps_between

    def refused(self, *, compared: bool) -> None:
        """A request for it alone was refused; in a form besides the planned one, that is as good as none."""
        if self.form == self.forms[0]:
            self.statuses, self.alone_refused = frozenset({"FAILED"}), True
            return
        if not compared and not self.left:  # that it was never there needs more than a guess
            self.doubt, self.shown = max(self.doubt, Doubt.EITHER), max(self.shown, Doubt.EITHER)
        self._not_in_this_form()

    def answered(self, entries: Entries | None, now_s: float) -> None:
        """A reply came; `entries` is what it says of this number."""
        self.answered_s = now_s
        self.between = self.perhaps_between = False
        self.shown = self.doubt
        if not entries:
            self.statuses, self.doubt, self.shown = frozenset({"FAILED"}), Doubt.SURE, Doubt.SURE
            return
        told = {str(entry["status"]) if is_consistent(entry) else "?" for entry in entries}
        self.ids += [str(entry["record_id"]) for entry in entries if is_removal(entry)]
        if "CALL_IN_PROGRESS" in told:
            self.statuses = frozenset({"CALL_IN_PROGRESS"})
            self.busy_rounds += 1
            self.busy_moments_s.append(now_s)
        elif all("status" not in entry for entry in entries):
            self.refused(compared=True)
        elif told - {"REMOVED", "NOT_EXIST"}:
            self.statuses = frozenset({"UNRECOGNISED"})
        elif "REMOVED" in told:
            self.statuses = frozenset({"REMOVED"})
        else:
            self._not_in_this_form()

    def _not_in_this_form(self) -> None:
        """None was found. What was removed before was found in this form, so there is no need to look further."""
        self.none_in.add(self.form)
        self.between, self.perhaps_between = bool(self.left) and not self.ids, False
        self.statuses = _by(self.shown, "UNSENT", "IN_DOUBT") if self.between else self.if_nowhere_else

    @property
    def if_nowhere_else(self) -> frozenset[str]:
        """What it comes to when no other form is asked for."""
        return _by(self.doubt, "REMOVED" if self.ids else "NOT_EXIST", "PRESUMED_REMOVED")


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
    # One that was under way when the process died may have been answered, but nobody was told.
    told = [(request.told_s, request) for request in requests if request.told_s is not None]
    for told_s, request in sorted(told, key=itemgetter(0)):
        if request.told in REFUSED and len(request.numbers) == 1 and forms.issuperset(request.numbers):
            times[request.session] += 1
            if times[request.session] == REFUSED_ALONE:
                known_s = min(known_s, told_s)
    return Refused(forms, known_s)


def histories(
    scenario: Scenario, attempts: Iterable[Attempt], requests: Mapping[int, Request], refused: Refused
) -> dict[Target, Timing]:
    """Work out every number's history; `requests` are the server's, by the attempt that stood for each."""
    forms = scenario.forms
    known = {target: Timing(forms.of[target.number]) for target in scenario.targets}
    first_reply_s: dict[int, float] = {}
    raw_read_s: dict[int, float] = {}
    for request in requests.values():
        if request.told == "verdicts" and request.told_s is not None:
            shows = request.raw and len(request.numbers) > 1  # of a single value the last number is read, too
            for first_s in (first_reply_s, raw_read_s) if shows else (first_reply_s,):
                first_s[request.session] = min(request.told_s, first_s.get(request.session, inf))
    for attempt in attempts:
        if attempt.result == NOT_SENT:
            continue
        request_of = requests.get(attempt.attempt_id)
        passed = refused.forms if request_of is not None and request_of.sent_s >= refused.known_s else frozenset[str]()
        for number in attempt.numbers:
            history = known[Target(attempt.campaign, forms.planned[number])]
            history.asked(number, passed)
            history.last = request_of
            tries_raw = request_of is not None and request_of.raw
            tries_raw &= request_of is not None and request_of.sent_s < raw_read_s.get(request_of.session, inf)
            _move(history, number, attempt, request_of, first_reply_s, tries_raw=tries_raw)
    return known


def _move(
    history: Timing,
    number: str,
    attempt: Attempt,
    request: Request | None,
    first_reply_s: Mapping[int, float],
    *,
    tries_raw: bool,
) -> None:
    if attempt.result in LOST:
        history.lost()
        return
    if attempt.result in UNTOUCHED:
        return
    assert request is not None, f"attempt {attempt.attempt_id} ended with {attempt.result!r}, but no request left"
    assert request.told_s is not None, f"attempt {attempt.attempt_id} ended with {attempt.result!r}, but no reply came"
    if attempt.result == "verdicts":
        history.heard = request
        history.answered(request.said.get(number), request.told_s)
        history.answered_s = request.told_s + request.clock_ahead_s
        return
    assert attempt.result in TURNED_AWAY, f"attempt {attempt.attempt_id} ended with {attempt.result!r}"
    compared = first_reply_s.get(request.session, inf) < request.told_s
    compared |= request.told_s - request.sent_s > UNCOMPARED_S
    history.turned_away(_doubt_of(request, number), compared=compared)
    if attempt.result in REFUSED and len(attempt.numbers) == 1 and not tries_raw:
        history.refused(compared=compared)


def _doubt_of(request: Request, number: str) -> Doubt:
    if number in request.removed:
        return Doubt.SURE
    return Doubt.NONE if request.at_once else Doubt.EITHER
