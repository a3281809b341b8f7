"""The errors that users see, with their exit codes.

A class has an exit code. An instance has two sentences: what is wrong, and what to do. They never contain an unmasked
phone number, a URL with numbers, or a secret.

The sentences name settings by their flags. `str(error)`, for Python users, names fields and arguments instead.
"""

import re
from enum import IntEnum

from bulk_remove.language import Phrase, phrase


class ExitCode(IntEnum):
    """The exit codes that scripts rely on."""

    OK = 0
    BUG = 1
    USAGE = 2
    NOT_FINAL = 3
    INPUT = 4
    GUARD = 5
    REFUSED = 6
    UNAVAILABLE = 7
    LOCKED = 8
    DEADLINE = 9
    STORAGE = 10
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_FLAG = re.compile(r"--(no-)?([a-z][a-z-]*[a-z])(?: ('[^']*'|[0-9]+(?:[.,][0-9]+)*%?))?")
_QUOTE = "'"
_COMMAND = re.compile("(bulk-remove [^`]*)")
FIELDS = {"system": "url", "plan-max-age": "max_age_s"}
"""Field by flag (without dashes), where the two names differ; `bulk_remove.settings` adds its own."""


def in_python(text: str) -> str:
    """Replace flags by fields: `--max-share 20%` becomes `max_share=0.2`. Commands are not changed."""
    parts = _COMMAND.split(text)
    parts[::2] = [_FLAG.sub(_as_field, part) for part in parts[::2]]
    return "".join(parts)


def _as_field(flag: re.Match[str]) -> str:
    no, name, value = flag.groups()
    field = FIELDS.get(name, name.replace("-", "_"))
    if no or value is None:
        return f"{field}=False" if no else field
    if value.endswith("%"):
        return f"{field}={float(value[:-1].replace(',', '')) / 100:.10g}"
    return f"{field}={value if value[0] == _QUOTE else value.replace(',', '')}"


class BulkRemoveError(Exception):
    """An expected failure. `sentence` says what is wrong, `hint` what to do; both may be templates for `values`."""

    exit_code: ExitCode

    def __init__(self, sentence: str, hint: str, /, **values: object) -> None:
        if values:
            sentence, hint = (each if isinstance(each, Phrase) else phrase(each, **values) for each in (sentence, hint))
        super().__init__(sentence, hint)
        self.sentence = sentence
        self.hint = hint

    def __str__(self) -> str:
        return f"{in_python(self.sentence)} {in_python(self.hint)}"


class UsageError(BulkRemoveError):
    """A flag, an environment variable or a setting is missing or wrong."""

    exit_code = ExitCode.USAGE


class InputError(BulkRemoveError):
    """The input cannot be used; nothing was sent."""

    exit_code = ExitCode.INPUT


class OwnReportError(InputError):
    """The input is a report of this tool, not a list of numbers."""


class KeepListError(InputError):
    """A --keep list cannot be used; nothing was sent."""


class GuardStop(BulkRemoveError):  # noqa: N818 - a guard stopping a run is not an error
    """A guard stopped the run: before it began, after the canary, or because the server removed another number."""

    exit_code = ExitCode.GUARD


class RefusedError(BulkRemoveError):
    """The server refuses this user, campaign or address; a retry would not help."""

    exit_code = ExitCode.REFUSED


class UnavailableError(BulkRemoveError):
    """The server stayed out of reach; the open numbers can be finished later."""

    exit_code = ExitCode.UNAVAILABLE


class CampaignLockedError(BulkRemoveError):
    """Another run on this machine is using the campaign."""

    exit_code = ExitCode.LOCKED


class RunLockedError(BulkRemoveError):
    """Another process is using this run."""

    exit_code = ExitCode.LOCKED


class StorageError(BulkRemoveError):
    """The disk or the ledger failed."""

    exit_code = ExitCode.STORAGE


class PlaceTakenError(StorageError):
    """Another file appeared at a file's path while that file was being written."""


class AlteredLedgerError(StorageError):
    """A ledger is not as it was written."""


class AlteredReportError(StorageError):
    """A report is not as it was written."""


class StoppedError(BulkRemoveError):
    """The operator stopped the run; each instance has the exit code of the signal."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, sentence: str, hint: str, exit_code: ExitCode) -> None:
        super().__init__(sentence, hint)
        self.exit_code = exit_code


class InvariantError(Exception):
    """A bug of ours: the code reached a state that should be impossible."""
