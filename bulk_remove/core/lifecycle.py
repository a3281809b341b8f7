"""The life of a number: its phase, what one attempt can mean for it, and what is in doubt.

A number begins as `UNSENT`. Each attempt ends in exactly one event for each of its numbers. Each event moves a number
to its next phase (`next_phase`). A transition that cannot happen raises: it is a bug.

A number is in doubt if a request for it brought no verdict and the server may have carried it out, or if a reply left
the number out. From then on "none found" means `PRESUMED_REMOVED`, and a count of records is a lower bound. Doubt is
never forgotten: where the status does not show it, the report's `detail` ends with one of two fixed sentences. So a
report is enough to continue from. Whether the server may have carried out a request depends on the time it took,
compared with the fastest replies (`Fastest`). The comparison gets better with each reply.

If a number has several forms, "none found" is not a verdict while forms are left: the number waits in `OTHER_FORM`.
The campaign cannot hold a form that the server refuses, so a refusal of such a form counts as "none found".
"""

from enum import StrEnum
from typing import NamedTuple, Self

from bulk_remove.core.model import FINAL_STATUSES, REHEARSED, NumberState, Status
from bulk_remove.errors import InvariantError


class Phase(StrEnum):
    """The phase of a number and its status in the report. In the ledger, a small letter means doubt."""

    status: Status

    def __new__(cls, letter: str, status: Status = Status.UNSENT) -> Self:
        """Make a phase from its letter and its status."""
        phase = str.__new__(cls, letter)
        phase._value_, phase.status = letter, status
        return phase

    UNSENT = "U", Status.UNSENT
    IN_DOUBT = "u", Status.IN_DOUBT
    BUSY = "B", Status.CALL_IN_PROGRESS
    BUSY_IN_DOUBT = "b", Status.CALL_IN_PROGRESS
    PASSED_OVER = "m", Status.FAILED
    OTHER_FORM = "O", Status.UNSENT
    OTHER_FORM_IN_DOUBT = "o", Status.IN_DOUBT
    REMOVED = "R", Status.REMOVED
    REMOVED_AT_LEAST = "r", Status.REMOVED
    NOT_EXIST = "N", Status.NOT_EXIST
    PRESUMED_REMOVED = "n", Status.PRESUMED_REMOVED
    FAILED = "F", Status.FAILED
    FAILED_IN_DOUBT = "f", Status.FAILED
    UNRECOGNISED = "X", Status.UNRECOGNISED
    UNRECOGNISED_IN_DOUBT = "x", Status.UNRECOGNISED


class Event(StrEnum):
    """What one attempt meant for one number."""

    REMOVED = "removed"  # every record found was removed
    NOT_EXIST = "not exist"  # no record found
    NOT_IN_THIS_FORM = "not in this form"  # no record found, and the number has forms that were not asked for
    BUSY = "busy"  # some record is in a call
    UNKNOWN = "unknown"  # a status that is not documented
    PASSED_OVER = "passed over"  # the reply does not contain this number
    REFUSED = "refused"  # the server refused the request because of this number
    LOST = "lost"  # no verdict: the server may have acted
    UNTOUCHED = "untouched"  # no verdict: the server has not acted


EVER_US = 10**15  # the duration, in microseconds, of a request that may have been carried out whatever the time says
_UNCOMPARED_US = 1_000_000
"""While there is no reply to compare with, a request that took longer than this may have been carried out."""
_TRUSTED_REPLIES = 4
_BLUR_US = 10_000  # smaller differences mean nothing: a busy machine may notice an answer so late


class Fastest(NamedTuple):
    """The fastest of several replies with verdicts, from sending the request to the head of the reply."""

    us: int = 0  # its time, less the delay with which a busy machine may have noticed it
    replies: int = 0
    each_ns: int = 0  # the least time for each number of a request, perhaps from another reply

    def and_reply(self, took_us: int, numbers: int) -> "Fastest":
        """Return the state after one more reply to a request of so many numbers; only the first few are counted."""
        sure_us = min(took_us, 2 * max(0, took_us - _BLUR_US))  # half of it is used
        each_ns = sure_us * 1000 // numbers
        if self.replies:
            sure_us, each_ns = min(self.us, sure_us), min(self.each_ns, each_ns)
        return Fastest(sure_us, min(self.replies + 1, _TRUSTED_REPLIES), each_ns)

    def may_have_acted(self, took_us: int, each_ns: int) -> bool:
        """Return whether a request that took so long without verdicts may have been carried out; 0: it was not sent."""
        if not self.replies:
            return took_us > _UNCOMPARED_US
        # Half, because the fastest reply can be faster still; less after few replies, because these may all be slow.
        whole, each = (time * self.replies // (2 * _TRUSTED_REPLIES) for time in (self.us, self.each_ns))
        return took_us > 0 and (took_us >= whole or each_ns >= each)


def for_each(took_us: int, numbers: int) -> int:
    """Return the time of a request for each of its numbers, in nanoseconds, rounded up."""
    return -(-took_us * 1000 // numbers)


NOTHING_SEEN = Fastest()

# No further attempt in this run: a request with such a number is a bug.
SETTLED = frozenset(
    phase
    for phase in Phase
    if phase.status in FINAL_STATUSES | {Status.FAILED, Status.UNRECOGNISED} and phase is not Phase.PASSED_OVER
)

IN_A_CALL = frozenset({Phase.BUSY, Phase.BUSY_IN_DOUBT})

BETWEEN_FORMS = frozenset({Phase.OTHER_FORM, Phase.OTHER_FORM_IN_DOUBT})
"""Not found in the forms requested so far; the next form is still to be requested."""

_NONE_FOUND = BETWEEN_FORMS | {Phase.NOT_EXIST, Phase.PRESUMED_REMOVED}

DOUBT = "A request for it brought no verdict and may have removed records."
AT_LEAST = "At least this many records: a request for it brought no verdict and may have removed more."
"""The end of the report's `detail` if there is doubt that neither the status nor the count of records shows."""
GONE_MEANWHILE = "It was in a call when it was asked for before, and is gone now; no reply said that it was removed."
REMOVED_AGAIN = "An earlier run removed it, too, so it was added again since then."
"""The end of `detail` in the report of the run that noticed it. It is not part of the number's state."""
_SENTENCES = (DOUBT, AT_LEAST, "A request for it went unanswered.")
"""Those two sentences, and their wording in earlier reports."""

NEXT = {
    Event.REMOVED: Phase.REMOVED,
    Event.NOT_EXIST: Phase.NOT_EXIST,
    Event.NOT_IN_THIS_FORM: Phase.OTHER_FORM,
    Event.BUSY: Phase.BUSY,
    Event.UNKNOWN: Phase.UNRECOGNISED,
    Event.PASSED_OVER: Phase.PASSED_OVER,
    Event.REFUSED: Phase.FAILED,
    Event.LOST: Phase.IN_DOUBT,
}
"""The next phase after an event, without regard to doubt. `UNTOUCHED` does not change the phase."""

_TOLD_BY_STATUS = frozenset({Status.IN_DOUBT, Status.PRESUMED_REMOVED})

NEW = NumberState(Phase.UNSENT)  # a number that was never sent


def next_phase(phase: str, event: Event, *, doubted: bool) -> Phase:
    """Return the next phase of a number after an event; `doubted` says whether it is in doubt from then on."""
    if phase in SETTLED or (phase in BETWEEN_FORMS and event is Event.REFUSED):
        raise InvariantError(f"a number in phase {phase!r} cannot meet the event {event.value!r}")
    if event is Event.UNTOUCHED:
        return Phase(phase)
    return doubtful(NEXT[event]) if doubted else NEXT[event]


def doubtful(phase: Phase) -> Phase:
    """Return this phase with doubt."""
    return Phase(phase.lower())


def is_doubted(phase: str) -> bool:
    """Return whether a request without a verdict may have removed records of a number in this phase."""
    return phase.islower()


def hides_records(phase: str) -> bool:
    """Return whether records of a number may be gone that no reply named: then a sum is a lower bound."""
    return is_doubted(phase) or status_of(phase) is Status.UNRECOGNISED


def status_of(phase: str) -> Status:
    """Return the report's status for a phase."""
    return Phase(phase).status


def nowhere(state: NumberState) -> bool:
    """Return whether no record was found in any form: then no form is more certain than the planned one."""
    return state.phase in _NONE_FOUND and not state.removed


def was_found(state: NumberState) -> bool:
    """Return whether a record was found for it at some time: then the campaign holds numbers in this form."""
    return state.removed > 0 or state.busy_rounds > 0


def gone_meanwhile(state: NumberState) -> bool:
    """Return whether a record was found in a call and is gone now, though no reply says that it was removed."""
    return state.busy_rounds > 0 and nowhere(state)


_PHASE = {phase.status: phase for phase in reversed(Phase)} | {Status.FAILED: Phase.FAILED}
_NEVER_DOUBTED = frozenset({Status.UNSENT, Status.NOT_EXIST})
_WITHOUT_VERDICT = frozenset({Status.UNSENT, Status.FAILED})


def read_back(status: Status, detail: str, attempts: int = 0, *, answered: bool = False) -> NumberState:
    """Return the state of a number in an earlier report. Raises ValueError for INVALID, which is not a number."""
    if status not in _PHASE:
        raise ValueError(f"{status.value} is not the status of a number")
    for rehearsed in REHEARSED.values():
        detail = detail.removeprefix(rehearsed)
    detail = detail.lstrip()
    phase, told = _PHASE[status], detail.rstrip()
    sentence = next((sentence for sentence in _SENTENCES if told.endswith(sentence)), "")
    # A report has no times. So a number that was sent and has no verdict is in doubt, unless a reply contained it.
    if sentence and status not in _NEVER_DOUBTED:
        phase, detail = doubtful(phase), told.removesuffix(sentence).rstrip()
    elif status in _WITHOUT_VERDICT and attempts > answered:
        phase = doubtful(phase)
    detail = detail.removesuffix(REMOVED_AGAIN).rstrip() if detail.endswith(REMOVED_AGAIN) else detail
    return NumberState(phase, detail=detail, doubt_us=EVER_US if is_doubted(phase) else 0)


_NOT_THERE_YET = "Not there in the forms that an earlier run asked for; the others were not asked for yet."


def asked_anew(state: NumberState, *, other_forms: bool = False) -> NumberState:
    """Return the state with which a later run begins; a final verdict and doubt stay as they are."""
    if other_forms and state.phase == Phase.NOT_EXIST:
        return state._replace(phase=Phase.UNSENT, detail=_NOT_THERE_YET)
    status = status_of(state.phase)
    if status in FINAL_STATUSES:
        return state
    phase, doubt_us = Phase(state.phase), state.doubt_us
    if phase not in IN_A_CALL | {Phase.UNSENT, Phase.IN_DOUBT}:
        phase = Phase.BUSY if state.removed else Phase.UNSENT
    if is_doubted(state.phase) or status is Status.UNRECOGNISED:
        phase, doubt_us = doubtful(phase), EVER_US
    return state._replace(phase=phase, busy_since_s=0.0, doubt_us=doubt_us)


def explain(state: NumberState) -> str:
    """Return the report's `detail`: the sentence about the number, else an explanation of its status if needed."""
    detail = state.detail
    match Phase(state.phase):
        case _ if detail:
            pass
        case Phase.UNSENT if state.attempts:
            detail = "Asked without a verdict: the run stopped before it was asked again."
        case Phase.UNSENT:
            detail = "Never asked: the run stopped first."
        case Phase.OTHER_FORM | Phase.OTHER_FORM_IN_DOUBT:
            detail = "Not there as asked for so far; the run stopped before its other forms were asked for."
        case Phase.PRESUMED_REMOVED:
            detail = "None found, but an earlier request for it brought no verdict and may have removed it."
        case Phase.BUSY | Phase.BUSY_IN_DOUBT:
            detail = f"In a call each time it was asked for ({state.busy_rounds} times)."
    call = GONE_MEANWHILE if state.phase == Phase.NOT_EXIST and gone_meanwhile(state) else ""
    doubt = ""
    if is_doubted(state.phase):
        # Only where nothing else shows it: neither the status nor its explanation.
        shown = detail and status_of(state.phase) in _TOLD_BY_STATUS
        doubt = AT_LEAST if state.removed else "" if shown else DOUBT
    return " ".join(filter(None, (detail, "" if call in detail else call, doubt)))


def without_verdict(
    state: NumberState,
    event: Event,
    detail: str,
    took_us: int = 0,
    fastest: Fastest = NOTHING_SEEN,
    numbers: int = 1,
) -> NumberState:
    """Return the state after an attempt that brought no verdict: `LOST`, `UNTOUCHED` or `REFUSED`."""
    if event is Event.UNTOUCHED and (state.phase != Phase.UNSENT or (state.doubt_us and not took_us)):
        detail = state.detail
    doubt_us = max(state.doubt_us, took_us or (EVER_US if event is Event.LOST else 0))
    state = state._replace(doubt_us=doubt_us, doubt_each_ns=max(state.doubt_each_ns, for_each(took_us, numbers)))
    event, doubted = _judged(state, event, fastest)
    phase = next_phase(state.phase, event, doubted=doubted)
    return state._replace(phase=phase, attempts=state.attempts + 1, detail=detail)


def with_verdict(
    state: NumberState,
    event: Event,
    removed: int,
    record_ids: tuple[int | str, ...],
    detail: str,
    now_s: float,
    fastest: Fastest = NOTHING_SEEN,
) -> NumberState:
    """Return the state after a reply, at `now_s` (Unix seconds), that contained this number or passed it over."""
    if event is Event.PASSED_OVER:
        state = state._replace(doubt_us=EVER_US)
    event, doubted = _judged(state, event, fastest)
    busy = event is Event.BUSY
    return NumberState(
        next_phase(state.phase, event, doubted=doubted),
        state.removed + removed,
        state.record_ids + record_ids,
        state.attempts + 1,
        state.busy_rounds + busy,
        state.busy_since_s or (now_s if busy else 0.0),
        now_s,
        detail,
        state.doubt_us,
        state.doubt_each_ns,
    )


def judged_again(state: NumberState, fastest: Fastest) -> NumberState:
    """Return a state judged by all replies until now; a final verdict and doubt stay as they are."""
    if status_of(state.phase) in FINAL_STATUSES or not fastest.may_have_acted(state.doubt_us, state.doubt_each_ns):
        return state
    return state._replace(phase=doubtful(Phase(state.phase)))


def taken_up(state: NumberState, fastest: Fastest) -> NumberState:
    """Return the state with which a later session begins, by all replies of the sessions before it."""
    state = judged_again(state, fastest)._replace(busy_since_s=0.0)
    # The server may be slower now, so reported doubt no longer depends on time.
    return state._replace(doubt_us=EVER_US) if is_doubted(state.phase) else state


def _judged(state: NumberState, event: Event, fastest: Fastest) -> tuple[Event, bool]:
    """Return the event to apply, and whether the number is in doubt from now on."""
    doubted = fastest.may_have_acted(state.doubt_us, state.doubt_each_ns)
    doubted |= event is Event.NOT_EXIST and state.doubt_us > 0 and not fastest.replies
    if event is Event.NOT_EXIST and state.removed and not doubted:
        return Event.REMOVED, False
    return event, doubted
