"""The life of a number: where it stands, what one attempt can mean for it, and what is in doubt.

A number begins `UNSENT`. Each attempt that carries it ends in exactly one event for it, and each event moves it to the
next phase (`next_phase`). A transition that cannot happen raises: it is a bug.

A number is in doubt once a request for it that brought no verdict may have been carried out, or a reply left it out.
Then "none found" means `PRESUMED_REMOVED`, and a count of records is a lower bound. Doubt is never forgotten: where the
status does not show it, the report's `detail` ends with one of two fixed sentences, so that a report is enough to go on
from. Whether a request may have been carried out is a question of time (`Fastest`), which each reply answers better.

With several forms of a number, "none found" is not a verdict while forms are left: the number waits in `OTHER_FORM`. A
form that the server refuses cannot be in the campaign, so there a refusal counts as "none found".
"""

from enum import StrEnum
from typing import NamedTuple, Self

from bulk_remove.core.model import FINAL_STATUSES, REHEARSED, NumberState, Status
from bulk_remove.errors import InvariantError


class Phase(StrEnum):
    """Where a number stands, and what the report calls that. A small letter, in the ledger, is that of doubt."""

    status: Status

    def __new__(cls, letter: str, status: Status = Status.UNSENT) -> Self:
        """Make a phase of its letter and of its status."""
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
    UNKNOWN = "unknown"  # a status that nobody has documented
    PASSED_OVER = "passed over"  # the reply does not speak of this number
    REFUSED = "refused"  # the server refused the request because of this number
    LOST = "lost"  # no verdict: the server may have acted
    UNTOUCHED = "untouched"  # no verdict: the server has not acted


EVER_US = 10**15  # so long, in microseconds, counts a request of which no time could tell that it was not carried out
_UNCOMPARED_US = 1_000_000
"""As long as there is no reply to compare with, a request that took longer than this may have been carried out."""
_TRUSTED_REPLIES = 4
_BLUR_US = 10_000  # smaller differences say nothing: so late a busy machine may notice an answer


class Fastest(NamedTuple):
    """The fastest of so many replies with verdicts, from the departure until the head of the reply was there."""

    us: int = 0  # its time; what a busy machine may have noticed late is left out
    replies: int = 0
    each_ns: int = 0  # the least time for each number of a request, perhaps of another reply

    def and_reply(self, took_us: int, numbers: int) -> "Fastest":
        """Return what is known after one more reply to a request of so many numbers; more than a few do not matter."""
        sure_us = min(took_us, 2 * max(0, took_us - _BLUR_US))  # half of it is what counts
        each_ns = sure_us * 1000 // numbers
        if self.replies:
            sure_us, each_ns = min(self.us, sure_us), min(self.each_ns, each_ns)
        return Fastest(sure_us, min(self.replies + 1, _TRUSTED_REPLIES), each_ns)

    def may_have_acted(self, took_us: int, each_ns: int) -> bool:
        """Tell whether a request that brought no verdicts after so long may have been carried out; 0: it never left."""
        if not self.replies:
            return took_us > _UNCOMPARED_US
        # Half: the fastest reply so far is not the fastest there can be, and less of the first few, which may be slow.
        whole, each = (time * self.replies // (2 * _TRUSTED_REPLIES) for time in (self.us, self.each_ns))
        return took_us > 0 and (took_us >= whole or each_ns >= each)


def for_each(took_us: int, numbers: int) -> int:
    """Return the time of a request for each of its numbers, in nanoseconds, rounded up."""
    return -(-took_us * 1000 // numbers)


NOTHING_SEEN = Fastest()

# No further attempt in this run: one that carries such a number is a bug.
SETTLED = frozenset(
    phase
    for phase in Phase
    if phase.status in FINAL_STATUSES | {Status.FAILED, Status.UNRECOGNISED} and phase is not Phase.PASSED_OVER
)

IN_A_CALL = frozenset({Phase.BUSY, Phase.BUSY_IN_DOUBT})

BETWEEN_FORMS = frozenset({Phase.OTHER_FORM, Phase.OTHER_FORM_IN_DOUBT})
"""Not there in the forms asked for so far; the next one is still to be asked for."""

_NONE_FOUND = BETWEEN_FORMS | {Phase.NOT_EXIST, Phase.PRESUMED_REMOVED}

DOUBT = "A request for it brought no verdict and may have removed records."
AT_LEAST = "At least this many records: a request for it brought no verdict and may have removed more."
"""What the report's `detail` ends with where there is doubt that the status, or the count of records, does not show."""
GONE_MEANWHILE = "It was in a call when it was asked for before, and is gone now; no reply said that it was removed."
_SENTENCES = (DOUBT, AT_LEAST, "A request for it went unanswered.")
"""Those two, and what stood for them in earlier reports."""

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
"""Where an event leads, doubt aside. `UNTOUCHED` leaves a number where it was."""

_TOLD_BY_STATUS = frozenset({Status.IN_DOUBT, Status.PRESUMED_REMOVED})

NEW = NumberState(Phase.UNSENT)  # A number that no request has carried yet


def next_phase(phase: str, event: Event, *, doubted: bool) -> Phase:
    """Return where an event leads a number, which is `doubted` from then on or not."""
    if phase in SETTLED or (phase in BETWEEN_FORMS and event is Event.REFUSED):
        raise InvariantError(f"a number in phase {phase!r} cannot meet the event {event.value!r}")
    if event is Event.UNTOUCHED:
        return Phase(phase)
    return doubtful(NEXT[event]) if doubted else NEXT[event]


def doubtful(phase: Phase) -> Phase:
    """Return the phase of a doubted number that stands in this one."""
    return Phase(phase.lower())


def is_doubted(phase: str) -> bool:
    """Tell whether a request that brought no verdict may have removed records of a number in this phase."""
    return phase.islower()


def hides_records(phase: str) -> bool:
    """Tell whether records of a number in this phase may be gone that no reply named: then a sum is a lower bound."""
    return is_doubted(phase) or status_of(phase) is Status.UNRECOGNISED


def status_of(phase: str) -> Status:
    """Return what the report says of a number in this phase."""
    return Phase(phase).status


def nowhere(state: NumberState) -> bool:
    """Tell whether no record was found in any form: then none is the number's own more than the planned one."""
    return state.phase in _NONE_FOUND and not state.removed


def was_found(state: NumberState) -> bool:
    """Tell whether a record was found for it at some time: then the campaign holds numbers in this form."""
    return state.removed > 0 or state.busy_rounds > 0


def gone_meanwhile(state: NumberState) -> bool:
    """Tell whether a record was found, in a call, and none is there any more, though none is known to be removed."""
    return state.busy_rounds > 0 and nowhere(state)


_PHASE = {phase.status: phase for phase in reversed(Phase)} | {Status.FAILED: Phase.FAILED}
_NEVER_DOUBTED = frozenset({Status.UNSENT, Status.NOT_EXIST})
_WITHOUT_VERDICT = frozenset({Status.UNSENT, Status.FAILED})


def read_back(status: Status, detail: str, attempts: int = 0, *, answered: bool = False) -> NumberState:
    """Return where a number of an earlier report stands. Raises ValueError for INVALID, which is not a number."""
    if status not in _PHASE:
        raise ValueError(f"{status.value} is not the status of a number")
    for rehearsed in REHEARSED.values():
        detail = detail.removeprefix(rehearsed)
    detail = detail.lstrip()
    phase, told = _PHASE[status], detail.rstrip()
    sentence = next((sentence for sentence in _SENTENCES if told.endswith(sentence)), "")
    # A report has no times: a number that was asked for and has no verdict is in doubt, unless a reply spoke of it.
    if sentence and status not in _NEVER_DOUBTED:
        phase, detail = doubtful(phase), told.removesuffix(sentence).rstrip()
    elif status in _WITHOUT_VERDICT and attempts > answered:
        phase = doubtful(phase)
    return NumberState(phase, detail=detail, doubt_us=EVER_US if is_doubted(phase) else 0)


_NOT_THERE_YET = "Not there in the forms that an earlier run asked for; the others were not asked for yet."


def asked_anew(state: NumberState, *, other_forms: bool = False) -> NumberState:
    """Return the state from which a later run goes on; a final verdict stays as it is, and so does doubt."""
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
    """Return the report's `detail`: what was said of the number, else what its status means where that is not plain."""
    detail = state.detail or _meaning(state)
    call = GONE_MEANWHILE if state.phase == Phase.NOT_EXIST and gone_meanwhile(state) else ""
    doubt = ""
    if is_doubted(state.phase):
        # Where nothing else shows it: neither the status nor what explains that.
        shown = detail and status_of(state.phase) in _TOLD_BY_STATUS
        doubt = AT_LEAST if state.removed else "" if shown else DOUBT
    return " ".join(filter(None, (detail, "" if call in detail else call, doubt)))


def _meaning(state: NumberState) -> str:
    match Phase(state.phase):
        case Phase.UNSENT if state.attempts:
            return "Asked without a verdict: the run stopped before it was asked again."
        case Phase.UNSENT:
            return "Never asked: the run stopped first."
        case Phase.OTHER_FORM | Phase.OTHER_FORM_IN_DOUBT:
            return "Not there as asked for so far; the run stopped before its other forms were asked for."
        case Phase.PRESUMED_REMOVED:
            return "None found, but an earlier request for it brought no verdict and may have removed it."
        case Phase.BUSY | Phase.BUSY_IN_DOUBT:
            return f"In a call each time it was asked for ({state.busy_rounds} times)."
        case _:
            return ""


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
    """Return the state after a reply that spoke of this number (or passed it over) at `now_s`, Unix seconds."""
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
    """Return a state as it is to be understood by all replies until now; a final verdict and doubt stay as they are."""
    if status_of(state.phase) in FINAL_STATUSES or not fastest.may_have_acted(state.doubt_us, state.doubt_each_ns):
        return state
    return state._replace(phase=doubtful(Phase(state.phase)))


def taken_up(state: NumberState, fastest: Fastest) -> NumberState:
    """Return the state from which a later session goes on, by all replies of those before it."""
    state = judged_again(state, fastest)._replace(busy_since_s=0.0)
    # The server may be slower now, so doubt that was reported is no longer a matter of time.
    return state._replace(doubt_us=EVER_US) if is_doubted(state.phase) else state


def _judged(state: NumberState, event: Event, fastest: Fastest) -> tuple[Event, bool]:
    """Return the event as it is to be understood, and whether the number is in doubt from now on."""
    doubted = fastest.may_have_acted(state.doubt_us, state.doubt_each_ns)
    doubted |= event is Event.NOT_EXIST and state.doubt_us > 0 and not fastest.replies
    if event is Event.NOT_EXIST and state.removed and not doubted:
        return Event.REMOVED, False
    return event, doubted
