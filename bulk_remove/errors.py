"""What can go wrong, as the user sees it.

    BulkRemoveError
    |-- UsageError            2    a flag, a variable or a setting
    |-- InputError            4    the file cannot be used; nothing was sent
    |   |-- OwnReportError         it is a report of this tool
    |   `-- KeepListError          a --keep list cannot be used, whatever the input is
    |-- GuardStop             5    stopped by a guard: before anything was sent, after the canary, or later
    |-- RefusedError          6    credentials, permission, campaign, TLS, redirect
    |-- UnavailableError      7    the server stayed out of reach
    |-- CampaignLockedError   8    another run holds the campaign
    |-- RunLockedError        8    another process works on the run
    |-- StorageError         10    the disk or the ledger failed
    |   |-- AlteredLedgerError     the ledger is not as it was written
    |   `-- AlteredReportError     a report is not
    `-- StoppedError 129/130/143   SIGHUP, Ctrl-C or SIGTERM, safely
    InvariantError           1     a bug of ours: the one case that shows a traceback

A class owns its exit code; an instance owns one sentence of what is wrong and one of what to do. Neither may
hold a phone number that is not masked, a URL with numbers, or a secret.

Sentences name settings by their flags, as an operator types them. Python sees `str(error)`, in which the same sentences
name fields and arguments.
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
FIELDS = {"system": "url"}
"""The fields by their flags, where they have another name; `bulk_remove.settings` adds its own."""


def flag_of(field: str) -> str:
    """Return the flag of a field."""
    return "--" + next((flag for flag, name in FIELDS.items() if name == field), field.replace("_", "-"))


def in_python(text: str) -> str:
    """Return a text with fields in place of flags: `max_share=0.2` of `--max-share 20%`. Commands stay as they are."""
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
    """An expected failure: `sentence` says what is wrong, `hint` what to do; both may be templates of the values."""

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
    """A flag, an environment variable or a setting is missing or cannot be."""

    exit_code = ExitCode.USAGE


class InputError(BulkRemoveError):
    """The input cannot be used as it is; nothing was sent."""

    exit_code = ExitCode.INPUT


class OwnReportError(InputError):
    """The input is a report of this tool, not a list of numbers."""


class KeepListError(InputError):
    """A list of numbers that must stay cannot be used as it is; nothing was sent."""


class GuardStop(BulkRemoveError):  # noqa: N818 - a guard stopping a run is not an error
    """A guard stopped the run before anything was sent, after the canary, or at a removal that nobody asked for."""

    exit_code = ExitCode.GUARD


class RefusedError(BulkRemoveError):
    """The server refuses this user, campaign or address; asking again would not help."""

    exit_code = ExitCode.REFUSED


class UnavailableError(BulkRemoveError):
    """The server stayed out of reach; what is open can be finished later."""

    exit_code = ExitCode.UNAVAILABLE


class CampaignLockedError(BulkRemoveError):
    """Another run on this machine holds the campaign."""

    exit_code = ExitCode.LOCKED


class RunLockedError(BulkRemoveError):
    """Another process works on this run."""

    exit_code = ExitCode.LOCKED


class StorageError(BulkRemoveError):
    """The disk or the ledger failed."""

    exit_code = ExitCode.STORAGE


class PlaceTakenError(StorageError):
    """Something came to the place of a file while it was being written."""


class AlteredLedgerError(StorageError):
    """A ledger is not as it was written."""


class AlteredReportError(StorageError):
    """A report is not as it was written."""


class StoppedError(BulkRemoveError):
    """The operator stopped the run; the instance carries which signal's exit code."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, sentence: str, hint: str, exit_code: ExitCode) -> None:
        super().__init__(sentence, hint)
        self.exit_code = exit_code


class InvariantError(Exception):
    """A bug of ours: something happened that the code's own theory says cannot."""
