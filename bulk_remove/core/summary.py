"""The closed sum, and what the run amounts to."""

from collections.abc import Mapping
from enum import StrEnum

from bulk_remove.core.model import OPEN_STATUSES, REHEARSED, Rehearsal, Status
from bulk_remove.core.proof import NoneFound
from bulk_remove.errors import ExitCode, InvariantError
from bulk_remove.language import counted, joined, ours, phrase


class Ending(StrEnum):
    """Why the sending ended."""

    DONE = "done"
    INTERRUPTED = "stopped by Ctrl-C"
    KEY = "stopped by the key q"
    CODE = "stopped by the program that began it"
    TERMINATED = "stopped by SIGTERM"
    HUNG_UP = "stopped by SIGHUP"
    UNAVAILABLE = "the server stayed unavailable"
    DENIED = "the server refused"
    DEADLINE = "the deadline came first"
    STORAGE = "the disk or the ledger failed"
    GUARD = "stopped after the canary"
    UNASKED = "the reply named a removal that nobody asked for"
    KILLED = "killed"


MEANING = {
    Status.REMOVED: "the server removed every record it found",
    Status.NOT_EXIST: "the server found none",
    Status.PRESUMED_REMOVED: "none now: an earlier request may have removed it",
    Status.CALL_IN_PROGRESS: "in a call each time it was asked for",
    Status.IN_DOUBT: "asked, but no answer came: it may or may not be gone",
    Status.FAILED: "refused, or never given a verdict",
    Status.UNRECOGNISED: "the server said something undocumented",
    Status.UNSENT: "never asked: the run stopped first",
    Status.INVALID: "not a phone number, or left out: never sent",
    Status.KEPT: "on a --keep list: never sent",
}
"""What each status means, in a few words for people."""

_EXIT = {
    Ending.INTERRUPTED: ExitCode.INTERRUPTED,
    Ending.KEY: ExitCode.INTERRUPTED,
    Ending.CODE: ExitCode.INTERRUPTED,
    Ending.TERMINATED: ExitCode.TERMINATED,
    Ending.HUNG_UP: ExitCode.HUNG_UP,
    Ending.UNAVAILABLE: ExitCode.UNAVAILABLE,
    Ending.DENIED: ExitCode.REFUSED,
    Ending.DEADLINE: ExitCode.DEADLINE,
    Ending.STORAGE: ExitCode.STORAGE,
    Ending.GUARD: ExitCode.GUARD,
    Ending.UNASKED: ExitCode.GUARD,
}


def check_closed(rows: int, by_status: Mapping[Status, int]) -> None:
    """Hold the first promise: every row has exactly one status. Raises InvariantError where the sum does not close."""
    total = sum(by_status.values())
    if total != rows:
        raise InvariantError(f"the report has {total} rows, the input {rows}")


def exit_code(ending: Ending, by_status: Mapping[Status, int], nothing: NoneFound | None = None) -> ExitCode:
    """Return the run's exit code: why it ended early, else whether every number is final and that proves anything.

    `nothing` is that none of the numbers was found, where that is so. A run that was killed had no code of its own.
    """
    if ending in _EXIT:
        return _EXIT[ending]
    still_open = any(by_status.get(status, 0) for status in OPEN_STATUSES)
    return ExitCode.NOT_FINAL if still_open or (nothing and nothing.proves_nothing) else ExitCode.OK


def headline(
    by_status: Mapping[Status, int],
    ending: Ending,
    nothing: NoneFound | None = None,
    rehearsal: Rehearsal = Rehearsal.NONE,
) -> str:
    """Say in one sentence what a run amounts to; `nothing` as for `exit_code`."""
    told = _amounts_to(by_status, ending, nothing)
    return joined(" ", filter(None, [ours(REHEARSED[rehearsal]), told]))


def _amounts_to(by_status: Mapping[Status, int], ending: Ending, nothing: NoneFound | None) -> str:
    still_open = sum(by_status.get(status, 0) for status in OPEN_STATUSES)
    if nothing and ending is Ending.DONE and not still_open and (nothing.confirmed or nothing.proves_nothing):
        return _none_found(nothing)
    left = (
        counted(still_open, "{count:,} row has no final answer", "{count:,} rows have no final answer")
        if still_open
        else phrase("every number has its final answer")
    )
    if ending is Ending.DONE:
        return phrase("Finished: {left}.", left=left)
    if not still_open:
        return phrase("Every number has its final answer; {ending}.", ending=ours(ending.value))
    return phrase("Ended early ({ending}): {left}.", ending=ours(ending.value), left=left)


def _none_found(nothing: NoneFound) -> str:
    if nothing.proves_nothing:
        return phrase(
            "Finished, but this proves nothing: none of {numbers:,} numbers was found, perhaps because the campaign "
            "holds them in another form.",
            numbers=nothing.numbers,
        )
    if len(nothing.campaigns) > 1:
        return phrase("Finished: none of the {numbers:,} numbers is in its campaign.", numbers=nothing.numbers)
    return counted(
        nothing.numbers,
        "Finished: the number is not in the campaign.",
        "Finished: none of the {count:,} numbers is in the campaign.",
    )
