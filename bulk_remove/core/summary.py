"""The closed sum, and what the run amounts to."""

from collections.abc import Mapping
from enum import StrEnum

from bulk_remove.core.model import OPEN_STATUSES, Status
from bulk_remove.errors import ExitCode, InvariantError


class Ending(StrEnum):
    """Why the sending ended."""

    DONE = "done"
    INTERRUPTED = "stopped by Ctrl-C"
    TERMINATED = "stopped by SIGTERM"
    UNAVAILABLE = "the server stayed unavailable"
    DENIED = "the server refused"
    DEADLINE = "the deadline came first"
    STORAGE = "the disk or the ledger failed"
    GUARD = "stopped after the canary"


_EXIT = {
    Ending.INTERRUPTED: ExitCode.INTERRUPTED,
    Ending.TERMINATED: ExitCode.TERMINATED,
    Ending.UNAVAILABLE: ExitCode.UNAVAILABLE,
    Ending.DENIED: ExitCode.REFUSED,
    Ending.DEADLINE: ExitCode.DEADLINE,
    Ending.STORAGE: ExitCode.STORAGE,
    Ending.GUARD: ExitCode.GUARD,
}


def check_closed(rows: int, by_status: Mapping[Status, int]) -> None:
    """Hold the first promise: every row has exactly one status. Raises InvariantError where the sum does not close."""
    total = sum(by_status.values())
    if total != rows:
        raise InvariantError(f"the report has {total} rows, the input {rows}")


def exit_code(ending: Ending, by_status: Mapping[Status, int]) -> ExitCode:
    """Return the run's exit code: why it ended early, else whether every number is final."""
    if ending is not Ending.DONE:
        return _EXIT[ending]
    still_open = any(by_status.get(status, 0) for status in OPEN_STATUSES)
    return ExitCode.NOT_FINAL if still_open else ExitCode.OK
