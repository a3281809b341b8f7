"""The life of a number: one transition table.

A number begins `UNSENT`. Each attempt that carries it ends in exactly one event for it, and each event moves it to
the next phase. The table below is the whole theory; what is not in it cannot happen, so a miss is a bug and raises.

What the phases add to the statuses of the report is doubt. Once a request for a number went unanswered, that request
may have removed it; from then on "none found" no longer means "was never there", it means `PRESUMED_REMOVED`. Doubt
is never forgotten, for a later run may ask again: `BUSY_IN_DOUBT` is a number in a call of which an earlier request was
lost, `FAILED_IN_DOUBT` and `UNRECOGNISED_IN_DOUBT` likewise. A number that a reply passes over (`PASSED_OVER`) is
doubted too, for the server may have understood it in another form and acted. Where the status does not tell of the
doubt, the report's `detail` does, in one fixed sentence, so that a report alone is enough to go on from.

A number that may stand in the campaign in another form is asked for in one form after the other. While some are left,
"none found" is no verdict on the number: it waits in `OTHER_FORM`, or in `OTHER_FORM_IN_DOUBT`. A form that the server
refuses cannot be in the campaign, so there a refusal counts as "none found".

Seven phases settle a number for the run: an attempt that carries a settled number is a bug.
"""

from enum import StrEnum

from bulk_remove.core.model import FINAL_STATUSES, NumberState, Status
from bulk_remove.errors import InvariantError


class Phase(StrEnum):
    """Where a number stands. The letters are what the ledger stores."""

    UNSENT = "U"
    IN_DOUBT = "D"
    BUSY = "B"
    BUSY_IN_DOUBT = "C"
    PASSED_OVER = "M"
    REMOVED = "R"
    NOT_EXIST = "N"
    PRESUMED_REMOVED = "P"
    FAILED = "F"
    FAILED_IN_DOUBT = "G"
    UNRECOGNISED = "X"
    UNRECOGNISED_IN_DOUBT = "Y"
    OTHER_FORM = "O"
    OTHER_FORM_IN_DOUBT = "Q"


class Event(StrEnum):
    """What one attempt meant for one number."""

    REMOVED = "removed"  # every record found was removed
    NOT_EXIST = "not exist"  # no record found
    NOT_IN_THIS_FORM = "not in this form"  # no record found, and the number has forms that were not asked for
    NONE_LEFT = "none left"  # no record found, after an earlier attempt removed some
    BUSY = "busy"  # some record is in a call
    UNKNOWN = "unknown"  # a status that nobody has documented
    PASSED_OVER = "passed over"  # the reply does not speak of this number
    REFUSED = "refused"  # the server refused the request because of this number
    LOST = "lost"  # no answer: the server may have acted
    UNTOUCHED = "untouched"  # the server cannot have acted


SETTLED = frozenset(
    {
        Phase.REMOVED,
        Phase.NOT_EXIST,
        Phase.PRESUMED_REMOVED,
        Phase.FAILED,
        Phase.FAILED_IN_DOUBT,
        Phase.UNRECOGNISED,
        Phase.UNRECOGNISED_IN_DOUBT,
    }
)
"""No further attempt in this run."""

IN_A_CALL = frozenset({Phase.BUSY, Phase.BUSY_IN_DOUBT})

BETWEEN_FORMS = frozenset({Phase.OTHER_FORM, Phase.OTHER_FORM_IN_DOUBT})
"""Not there in the forms asked for so far; the next one is still to be asked for."""

_NONE_FOUND = BETWEEN_FORMS | {Phase.NOT_EXIST, Phase.PRESUMED_REMOVED}

DOUBT = "A request for it went unanswered."
"""What the report's `detail` ends with where the phase is doubted and the status does not say so."""

_ANSWERED_ALIKE = {
    Event.REMOVED: Phase.REMOVED,
    Event.PASSED_OVER: Phase.PASSED_OVER,
    Event.LOST: Phase.IN_DOUBT,
}

_UNDOUBTED = {
    **_ANSWERED_ALIKE,
    Event.NOT_EXIST: Phase.NOT_EXIST,
    Event.NOT_IN_THIS_FORM: Phase.OTHER_FORM,
    Event.BUSY: Phase.BUSY,
    Event.UNKNOWN: Phase.UNRECOGNISED,
    Event.REFUSED: Phase.FAILED,
}

_DOUBTED = {
    **_ANSWERED_ALIKE,
    Event.UNKNOWN: Phase.UNRECOGNISED_IN_DOUBT,
    Event.REFUSED: Phase.FAILED_IN_DOUBT,
    Event.NOT_EXIST: Phase.PRESUMED_REMOVED,
    Event.NOT_IN_THIS_FORM: Phase.OTHER_FORM_IN_DOUBT,
    Event.NONE_LEFT: Phase.PRESUMED_REMOVED,
    Event.BUSY: Phase.BUSY_IN_DOUBT,
}


def _without_refusal(transitions: dict[Event, Phase]) -> dict[Event, Phase]:
    return {event: phase for event, phase in transitions.items() if event is not Event.REFUSED}


TRANSITIONS: dict[Phase, dict[Event, Phase]] = {
    Phase.UNSENT: {**_UNDOUBTED, Event.UNTOUCHED: Phase.UNSENT},
    Phase.BUSY: {**_UNDOUBTED, Event.NONE_LEFT: Phase.REMOVED, Event.UNTOUCHED: Phase.BUSY},
    Phase.IN_DOUBT: {**_DOUBTED, Event.UNTOUCHED: Phase.IN_DOUBT},
    Phase.BUSY_IN_DOUBT: {**_DOUBTED, Event.UNTOUCHED: Phase.BUSY_IN_DOUBT},
    Phase.PASSED_OVER: {**_DOUBTED, Event.UNTOUCHED: Phase.PASSED_OVER},
    Phase.OTHER_FORM: _without_refusal(
        {**_UNDOUBTED, Event.NONE_LEFT: Phase.REMOVED, Event.UNTOUCHED: Phase.OTHER_FORM}
    ),
    Phase.OTHER_FORM_IN_DOUBT: _without_refusal({**_DOUBTED, Event.UNTOUCHED: Phase.OTHER_FORM_IN_DOUBT}),
}

_STATUS = {
    Phase.UNSENT: Status.UNSENT,
    Phase.IN_DOUBT: Status.IN_DOUBT,
    Phase.BUSY: Status.CALL_IN_PROGRESS,
    Phase.BUSY_IN_DOUBT: Status.CALL_IN_PROGRESS,
    Phase.PASSED_OVER: Status.FAILED,
    Phase.REMOVED: Status.REMOVED,
    Phase.NOT_EXIST: Status.NOT_EXIST,
    Phase.PRESUMED_REMOVED: Status.PRESUMED_REMOVED,
    Phase.FAILED: Status.FAILED,
    Phase.FAILED_IN_DOUBT: Status.FAILED,
    Phase.UNRECOGNISED: Status.UNRECOGNISED,
    Phase.UNRECOGNISED_IN_DOUBT: Status.UNRECOGNISED,
    Phase.OTHER_FORM: Status.UNSENT,
    Phase.OTHER_FORM_IN_DOUBT: Status.IN_DOUBT,
}

_DOUBT_UNTOLD = frozenset({Phase.BUSY_IN_DOUBT, Phase.PASSED_OVER, Phase.FAILED_IN_DOUBT, Phase.UNRECOGNISED_IN_DOUBT})
"""The phases of which the status does not tell that they are doubted."""

NEW = NumberState(Phase.UNSENT)
"""A number that no request has carried yet."""


def next_phase(phase: str, event: Event) -> Phase:
    """Look the table up. Raises InvariantError for a pair that the theory excludes."""
    try:
        return TRANSITIONS[Phase(phase)][event]
    except KeyError:
        raise InvariantError(f"a number in phase {phase!r} cannot meet the event {event.value!r}") from None


def status_of(phase: str) -> Status:
    """Return what the report says of a number in this phase."""
    return _STATUS[Phase(phase)]


def nowhere(state: NumberState) -> bool:
    """Tell whether no record was found in any form: then none is the number's own more than the planned one."""
    return state.phase in _NONE_FOUND and not state.removed


_PHASE = {
    Status.UNSENT: Phase.UNSENT,
    Status.IN_DOUBT: Phase.IN_DOUBT,
    Status.CALL_IN_PROGRESS: Phase.BUSY,
    Status.REMOVED: Phase.REMOVED,
    Status.NOT_EXIST: Phase.NOT_EXIST,
    Status.PRESUMED_REMOVED: Phase.PRESUMED_REMOVED,
    Status.FAILED: Phase.FAILED,
    Status.UNRECOGNISED: Phase.UNRECOGNISED,
}

_PHASE_IN_DOUBT = {
    Status.CALL_IN_PROGRESS: Phase.BUSY_IN_DOUBT,
    Status.FAILED: Phase.FAILED_IN_DOUBT,
    Status.UNRECOGNISED: Phase.UNRECOGNISED_IN_DOUBT,
}


def read_back(status: Status, detail: str) -> tuple[Phase, str]:
    """Return where a number of an earlier report stands, and its detail without the sentence of doubt.

    Raises ValueError for INVALID, which is no number.
    """
    if status not in _PHASE:
        raise ValueError(f"{status.value} is not the status of a number")
    own = detail.rstrip().removesuffix(DOUBT)
    if status in _PHASE_IN_DOUBT and own != detail.rstrip():
        return _PHASE_IN_DOUBT[status], own.rstrip()
    return _PHASE[status], detail


_ANEW: dict[str, tuple[Phase, Phase]] = {
    Phase.UNSENT: (Phase.UNSENT, Phase.BUSY),
    Phase.FAILED: (Phase.UNSENT, Phase.BUSY),
    Phase.UNRECOGNISED: (Phase.UNSENT, Phase.BUSY),
    Phase.PASSED_OVER: (Phase.IN_DOUBT, Phase.BUSY_IN_DOUBT),
    Phase.FAILED_IN_DOUBT: (Phase.IN_DOUBT, Phase.BUSY_IN_DOUBT),
    Phase.UNRECOGNISED_IN_DOUBT: (Phase.IN_DOUBT, Phase.BUSY_IN_DOUBT),
    Phase.OTHER_FORM: (Phase.UNSENT, Phase.BUSY),
    Phase.OTHER_FORM_IN_DOUBT: (Phase.IN_DOUBT, Phase.BUSY_IN_DOUBT),
}
"""Where a later run begins, without and with records that were removed."""


_NOT_THERE_YET = "Not there in the forms that an earlier run asked for; the others were not asked for yet."


def asked_anew(state: NumberState, *, other_forms: bool = False) -> NumberState:
    """Return the state from which a later run goes on; a final verdict stays as it is, and so does doubt.

    Refused numbers and those with an unknown status begin anew, but for records that were removed: these are in the
    sum, so the number goes on like one of which some record was in a call. One that was passed over goes on like a
    refused one in doubt, for a report does not tell the two apart. One that was not asked for in all its forms begins
    with the first again; so does one that was not there, where the later run asks for it in `other_forms`.
    """
    if other_forms and state.phase == Phase.NOT_EXIST:
        return state._replace(phase=Phase.UNSENT, detail=_NOT_THERE_YET)
    if status_of(state.phase) in FINAL_STATUSES:
        return state
    anew = _ANEW.get(state.phase)
    phase = anew[bool(state.removed)] if anew else state.phase
    return state._replace(phase=phase, busy_since_s=0.0)


def explain(state: NumberState) -> str:
    """Return the report's `detail`: what was said of the number, else what its status means where that is not plain.

    `read_back` understands it.
    """
    detail = state.detail or _meaning(state)
    return " ".join(filter(None, (detail, DOUBT))) if state.phase in _DOUBT_UNTOLD else detail


def _meaning(state: NumberState) -> str:
    match Phase(state.phase):
        case Phase.UNSENT:
            return "Never asked: the run stopped first."
        case Phase.OTHER_FORM | Phase.OTHER_FORM_IN_DOUBT:
            return "Not there as asked for so far; the run stopped before its other forms were asked for."
        case Phase.PRESUMED_REMOVED:
            return "None found, but an earlier request got no answer: that one very probably removed it."
        case Phase.BUSY | Phase.BUSY_IN_DOUBT:
            return f"In a call each time it was asked for ({state.busy_rounds} times)."
        case _:
            return ""


def without_verdict(state: NumberState, event: Event, detail: str) -> NumberState:
    """Return the state after an attempt that brought no verdict: `LOST`, `UNTOUCHED` or `REFUSED`.

    Also after one that was refused for the form of the number: `NOT_IN_THIS_FORM`, or `NOT_EXIST` for the last. What
    could not have touched a number explains only why it is still unsent; any other standing has its own reason.
    """
    if event is Event.UNTOUCHED and state.phase != Phase.UNSENT:
        detail = state.detail
    event = _in_sum(event, state)
    return state._replace(phase=next_phase(state.phase, event), attempts=state.attempts + 1, detail=detail)


def with_verdict(
    state: NumberState, event: Event, removed: int, record_ids: tuple[int | str, ...], detail: str, now_s: float
) -> NumberState:
    """Return the state after a reply that spoke of this number (or passed it over) at `now_s`, Unix seconds."""
    event = _in_sum(event, state)
    busy = event is Event.BUSY
    return NumberState(
        next_phase(state.phase, event),
        state.removed + removed,
        state.record_ids + record_ids,
        state.attempts + 1,
        state.busy_rounds + busy,
        state.busy_since_s or (now_s if busy else 0.0),
        now_s,
        detail,
    )


def _in_sum(event: Event, state: NumberState) -> Event:
    """None found now is none left, where earlier attempts removed some."""
    return Event.NONE_LEFT if event is Event.NOT_EXIST and state.removed else event
