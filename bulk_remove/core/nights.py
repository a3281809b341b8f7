"""A night of an inbox: which files are left alone, where a file goes after its run, what the night amounts to."""

from collections.abc import Callable, Iterable
from enum import StrEnum

from bulk_remove.errors import ExitCode

NIGHTS = 3
"""So often a file is taken up whose numbers stay open though the server answers; then a person must look."""

LONGEST_NAME = 200
"""In bytes. File systems take 255, and the names of a file's reports, while they are written, are 47 longer."""

_PASSING_ENDS = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", ".upload", ".swp", "~")
_PASSING_STARTS = (".", "~$")
_LITTER = frozenset({"thumbs.db", "desktop.ini"})

# From mild to bad. A stop comes last but for our own bugs: what was not looked at any more is unknown.
_BADNESS = (
    ExitCode.OK,
    ExitCode.NOT_FINAL,
    ExitCode.DEADLINE,
    ExitCode.GUARD,
    ExitCode.INPUT,
    ExitCode.LOCKED,
    ExitCode.UNAVAILABLE,
    ExitCode.REFUSED,
    ExitCode.USAGE,
    ExitCode.STORAGE,
    ExitCode.HUNG_UP,
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.BUG,
)
_NEXT_FILE_ANYWAY = frozenset({ExitCode.OK, ExitCode.NOT_FINAL, ExitCode.GUARD, ExitCode.INPUT, ExitCode.LOCKED})


class Place(StrEnum):
    """Where a file lies after its run; the folders of an inbox have these names."""

    INBOX = "inbox"
    DONE = "done"
    FAILED = "failed"


def is_passing(name: str) -> bool:
    """Tell whether a file's name says that it is only passing: half-written, hidden, or an editor's own."""
    small = name.lower()
    return small.startswith(_PASSING_STARTS) or small.endswith(_PASSING_ENDS) or small in _LITTER


def place_of(code: ExitCode, resumable: int, nights: int) -> Place:
    """Return where a file goes after a run, or a resumed one, that ended with `code`.

    `resumable` numbers could be asked for again, after `nights` sessions that came to their end. What another night
    can finish stays in the inbox; what needs a person goes to `failed`.
    """
    if code is ExitCode.OK:
        return Place.DONE
    if code is ExitCode.NOT_FINAL:
        return Place.INBOX if resumable and nights < NIGHTS else Place.FAILED
    return Place.FAILED if code in {ExitCode.INPUT, ExitCode.GUARD} else Place.INBOX


def ends_the_night(code: ExitCode, *, one_campaign: bool) -> bool:
    """Tell whether the files that follow would fare no better, or nobody wants them to be begun.

    A refusal may be about the campaign of one file, unless all files go to `one_campaign`.
    """
    return code not in _NEXT_FILE_ANYWAY and (code is not ExitCode.REFUSED or one_campaign)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the worst of some exit codes; OK of none."""
    return max(codes, key=_BADNESS.index, default=ExitCode.OK)


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """Return the name, or the first of `name.2.csv`, `name.3.csv` ... that is not taken."""
    stem, dot, end = name.rpartition(".")
    count, free = 1, name
    while taken(free):
        count += 1
        free = f"{stem}.{count}{dot}{end}" if stem else f"{end}.{count}"
    return free
