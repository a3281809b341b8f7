"""The totals of a run, what they mean, and what to do next.

`Proof` compares the campaign's own count with the replies. `NoneFound` says that no number was found, and whether that
is an answer. The advice is whole sentences, with a command if there is one. This module also sums up a night of an
inbox: the files to skip, the folder of a file after its run, and the exit code of the night.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from bulk_remove.core.model import OPEN_STATUSES, REHEARSED, NumberFormat, Rehearsal, Status
from bulk_remove.core.numbers import AlsoTry, Forms, Held, Rest, form_examples, told_forms
from bulk_remove.core.verdicts import CAUSE, UnaskedRemoval, unasked_told
from bulk_remove.errors import ExitCode, InvariantError
from bulk_remove.language import Phrase, counted, joined, ours, phrase


@dataclass(frozen=True, slots=True)
class Proof:
    """The records of a campaign before the run's first request and after its last, and how many this run removed."""

    campaign: str
    before: int | None
    after: int | None
    removed: int
    without_id: int
    note: str
    at_least: bool = False

    @property
    def unexplained(self) -> int | None:
        """How many more records are gone than the run removed; None if unknown."""
        if self.before is None or self.after is None:
            return None
        return self.before - self.after - self.removed - self.without_id

    def sentence(self) -> str:
        """Say what the counts mean, and what may explain a difference."""
        held = phrase(
            "Campaign {campaign}: {before} before, {after} after",
            campaign=self.campaign,
            before=phrase("unknown records")
            if self.before is None
            else counted(self.before, "{count:,} record", "{count:,} records"),
            after=phrase("unknown") if self.after is None else phrase("{after:,}", after=self.after),
        )
        ids = phrase(" and {without_id:,} without an id", without_id=self.without_id) if self.without_id else ""
        removed = counted(
            self.removed,
            "{count:,} different record{ids} was removed by this run",
            "{count:,} different records{ids} were removed by this run",
            ids=ids,
        )
        if self.at_least:
            removed = phrase("at least {removed}", removed=removed)
        if self.unexplained is None:
            note = phrase(" {note}", note=ours(self.note)) if self.note else ""
            return phrase("{held}; {removed}.{note}", held=held, removed=removed, note=note)
        if not self.unexplained:
            return phrase("{held}; {removed}: the counts agree.", held=held, removed=removed)
        count = abs(self.unexplained)
        differs = (
            counted(count, "{count:,} more is missing than was removed", "{count:,} more are missing than were removed")
            if self.unexplained > 0
            else counted(
                count, "{count:,} fewer is missing than was removed", "{count:,} fewer are missing than were removed"
            )
        )
        return phrase(
            "{held}; {removed}. {differs}: {why}.", held=held, removed=removed, differs=differs, why=self._why()
        )

    def _why(self) -> Phrase:
        if (self.unexplained or 0) < 0:
            return phrase("others added records at the same time, or the server counts with a delay")
        if self.at_least:
            return phrase(
                "a request that brought no verdict removed them, or others did at the same time, or the server counts "
                "with a delay"
            )
        return phrase("others removed records at the same time, or the server counts with a delay")


def removed_again_told(numbers: int) -> Phrase:
    """Say that numbers had been removed by an earlier run, and what that means."""
    return counted(
        numbers,
        "{count:,} number that this run removed had been removed by an earlier run, too. Somebody added it again: look "
        "for an import that does so.",
        "{count:,} numbers that this run removed had been removed by an earlier run, too. Somebody added them again: "
        "look for an import that does so.",
    )


ENOUGH_NUMBERS = 10  # if none of so many numbers is there, a wrong form or campaign is more likely than an answer

_THERE = (Status.REMOVED, Status.CALL_IN_PROGRESS)
_NOT_THERE = (Status.NOT_EXIST, Status.PRESUMED_REMOVED)
"""Gone after an unanswered request proves nothing: in a wrong form, a number is not there either."""


class CampaignResult(NamedTuple):
    """The results of a campaign's distinct numbers."""

    campaign: str
    by_status: Mapping[Status, int]
    confirmed: bool
    found: int = 0
    gone: int = 0

    @property
    def missing(self) -> int:
        """How many numbers were never in the campaign."""
        return sum(self.by_status.get(status, 0) for status in _NOT_THERE) - self.gone

    @property
    def there(self) -> bool:
        """Whether any number was in the campaign."""
        return self.found > 0 or any(self.by_status.get(status, 0) for status in _THERE)


@dataclass(frozen=True, slots=True)
class NoneFound:
    """None of a run's numbers was in these campaigns."""

    numbers: int
    campaigns: tuple[str, ...]
    confirmed: bool
    proves_nothing: bool = False


def none_found(results: Sequence[CampaignResult]) -> NoneFound | None:
    """Return the campaigns in which no number was found; None if some were found, or nothing is known."""
    anywhere = any(result.there for result in results)
    doubtful = [result for result in results if result.missing and not result.there and not result.confirmed]
    if anywhere:
        doubtful = [result for result in doubtful if result.missing >= ENOUGH_NUMBERS]
    if doubtful:
        numbers = sum(result.missing for result in doubtful)
        campaigns = tuple(result.campaign for result in doubtful)
        return NoneFound(numbers, campaigns, confirmed=False, proves_nothing=numbers >= ENOUGH_NUMBERS)
    empty = [result for result in results if result.missing]
    if anywhere or not empty or any(result.by_status.get(Status.PRESUMED_REMOVED, 0) for result in empty):
        return None
    return NoneFound(
        sum(result.missing for result in empty), tuple(result.campaign for result in empty), confirmed=True
    )


class Ending(StrEnum):
    """Why the sending ended, and the exit code of a run that ended early because of it."""

    code: ExitCode | None

    def __new__(cls, text: str, code: ExitCode | None = None) -> Self:
        """Make an ending from its text and its exit code."""
        ending = str.__new__(cls, text)
        ending._value_, ending.code = text, code
        return ending

    DONE = "done"
    INTERRUPTED = "stopped by Ctrl-C", ExitCode.INTERRUPTED
    KEY = "stopped by the key q", ExitCode.INTERRUPTED
    CODE = "stopped by the program that began it", ExitCode.INTERRUPTED
    PAGE = "stopped on the local page", ExitCode.INTERRUPTED
    TERMINATED = "stopped by SIGTERM", ExitCode.TERMINATED
    HUNG_UP = "stopped by SIGHUP", ExitCode.HUNG_UP
    UNAVAILABLE = "the server stayed unavailable", ExitCode.UNAVAILABLE
    DENIED = "the server refused", ExitCode.REFUSED
    DEADLINE = "the deadline came first", ExitCode.DEADLINE
    STORAGE = "the disk or the ledger failed", ExitCode.STORAGE
    GUARD = "stopped after the canary", ExitCode.GUARD
    MISSING = "stopped because most numbers were not there", ExitCode.GUARD
    UNASKED = "the reply named a removal that nobody asked for", ExitCode.GUARD
    KILLED = "killed"


HELD_BACK = frozenset({Ending.GUARD, Ending.MISSING})
"""A limit ended the sending: the rest is sent only if the operator raises that limit."""

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
"""The meaning of each status, in a few words."""


def check_closed(rows: int, by_status: Mapping[Status, int]) -> None:
    """Check that every row has exactly one status. Raises InvariantError if the sum is wrong."""
    total = sum(by_status.values())
    if total != rows:
        raise InvariantError(f"the report has {total} rows, the input {rows}")


def exit_code(ending: Ending, by_status: Mapping[Status, int], nothing: NoneFound | None = None) -> ExitCode:
    """Return the run's exit code: why it ended early, else whether all numbers are final and prove anything."""
    if ending.code is not None:
        return ending.code
    still_open = any(by_status.get(status, 0) for status in OPEN_STATUSES)
    return ExitCode.NOT_FINAL if still_open or (nothing and nothing.proves_nothing) else ExitCode.OK


_IN_WORDS = {Ending.GUARD: "the first request did not pass its check"}  # nobody outside knows a canary


def headline(
    by_status: Mapping[Status, int],
    ending: Ending,
    nothing: NoneFound | None = None,
    rehearsal: Rehearsal = Rehearsal.NONE,
) -> str:
    """Sum up a run in one sentence; `nothing` as for `exit_code`."""
    still_open = sum(by_status.get(status, 0) for status in OPEN_STATUSES)
    ended = ending is Ending.DONE
    answer = nothing and ((ended and nothing.proves_nothing) or (nothing.confirmed and (ended or ending in HELD_BACK)))
    left = counted(still_open, "{count:,} row has no final answer", "{count:,} rows have no final answer")
    why = ours(_IN_WORDS.get(ending, ending.value))
    if nothing and answer and not still_open:
        told = _none_found(nothing)
    elif ended:
        told = phrase("Finished: {left}.", left=left if still_open else phrase("every number has its final answer"))
    elif still_open:
        told = phrase("Ended early ({ending}): {left}.", ending=why, left=left)
    else:
        told = phrase("Every number has its final answer; {ending}.", ending=why)
    return joined(" ", filter(None, [ours(REHEARSED[rehearsal]), told]))


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


class Advice(NamedTuple):
    """A sentence, and a command to type, which may be empty."""

    sentence: str
    command: str = ""


RESUMED = (Status.UNSENT, Status.IN_DOUBT, Status.CALL_IN_PROGRESS)  # a later session asks for these again
_FIRST = {
    Ending.DENIED: Advice(
        "The server refused: look at the faults, then at the user's permissions and the campaign.", "bulk-remove check"
    ),
    Ending.UNAVAILABLE: Advice("The server stayed unavailable: wait until it answers again.", "bulk-remove check"),
    Ending.GUARD: Advice(
        "The first request did not pass its check, so the rest was not sent: look at its numbers in report.csv first."
    ),
    Ending.MISSING: Advice(
        "Most of the numbers asked for last are not in the campaign, so the rest was not sent: check the file first."
    ),
    Ending.STORAGE: Advice("The disk or the ledger failed: make room first."),
}


def resumable(by_status: Mapping[Status, int]) -> bool:
    """Return whether a later session could bring more numbers to an answer."""
    return any(by_status.get(status, 0) for status in RESUMED)


def advise(
    run_id: str,
    ending: Ending,
    by_status: Mapping[Status, int],
    *,
    strangers: int,
    unasked: Sequence[UnaskedRemoval] = (),
    guess: Advice | None = None,
    not_meant: int = 0,
) -> tuple[Advice, ...]:
    """Return the next steps, the most urgent first. `not_meant` counts rows with an empty cell, or left out."""
    left = {status: by_status.get(status, 0) for status in OPEN_STATUSES}
    advice: list[Advice] = []
    if unasked:
        advice.append(Advice(phrase("{removals} {cause}", removals=unasked_told(unasked), cause=ours(CAUSE))))
    if strangers:
        rows = counted(strangers, "{count:,} number", "{count:,} numbers")
        advice.append(Advice(phrase("Replies named {rows} that nobody asked for: look at the log.", rows=rows)))
    if any(left.values()) and ending in _FIRST:
        advice.append(_FIRST[ending])
    if guess is not None:
        advice.append(guess)
    elif not any(left.values()):
        advice.append(
            Advice("Nothing is left to ask: every number has its final answer. Keep report.csv as the proof.")
        )
    if resumable(by_status):
        count = sum(left[status] for status in RESUMED)
        sentence = phrase("{rows} can still get a final answer: resume this run.", rows=_rows(count))
        advice.append(Advice(sentence, f"bulk-remove resume {run_id}"))
    if failed := left[Status.FAILED] + left[Status.UNRECOGNISED]:
        advice.append(
            Advice(
                phrase(
                    "{rows} failed: report.csv says why in its column detail. Ask the server's support with "
                    "the request_id, then ask for them again in a new run.",
                    rows=_rows(failed),
                ),
                f"bulk-remove rerun {run_id}",
            )
        )
    if (invalid := by_status.get(Status.INVALID, 0) - not_meant) > 0:
        told = "{rows} held no phone number and were never sent: correct the cells and run those rows."
        advice.append(Advice(phrase(told, rows=_rows(invalid))))
    return tuple(advice)


def about_a_guess(run_id: str, nothing: NoneFound, held: Held, forms: Forms, region: str) -> Advice:
    """Say why it proves nothing that no number was found, and how to find out."""
    told = phrase(
        "{found_none} {why}", found_none=_found_none(nothing, forms, region), why=_why_a_guess(held, forms, region)
    )
    unasked = forms.unasked(held)
    if unasked and {*unasked} == {Rest.OTHERWISE}:
        return Advice(
            phrase("{guess} Look for them in the panel: no form finds numbers written like this.", guess=told)
        )
    others = [form for form in AlsoTry if form in unasked] or [form for form in AlsoTry if form not in forms.asked]
    if not others:
        return Advice(
            phrase("{guess} Give the API user the permission to list records, then look again.", guess=told),
            f"bulk-remove rerun {run_id} --number-format auto",
        )
    words = [] if forms.asked else [f"--number-format {NumberFormat.NATIONAL}"]
    also_try = [*forms.also_try, *(form for form in others if forms.asked or form is not AlsoTry.NATIONAL)]
    words += [f"--also-try {','.join(also_try)}"] if also_try else []
    return Advice(
        phrase("{guess} Ask for them in other forms, too.", guess=told),
        f"bulk-remove rerun {run_id} {' '.join(words)}",
    )


def _found_none(nothing: NoneFound, forms: Forms, region: str) -> Phrase:
    campaign, *others = nothing.campaigns
    more = phrase(" and {count} more", count=len(others)) if others else ""
    asked = phrase(", asked for as {forms}", forms=form_examples(forms.asked, region)) if forms.asked else ""
    return counted(
        nothing.numbers,
        "The number was not found in campaign {campaign}{more}{asked}.",
        "None of {count:,} numbers was found in campaign {campaign}{more}{asked}.",
        campaign=campaign,
        more=more,
        asked=asked,
    )


def _why_a_guess(held: Held, forms: Forms, region: str) -> Phrase:
    if forms.unasked(held):
        return phrase("That proves nothing: its records hold numbers as {forms}.", forms=told_forms(held, region))
    if forms.confirmed_by(held):
        return phrase("That proves nothing: its list of records does not show how additional numbers are written.")
    return phrase("That proves nothing: its records did not show how it holds its numbers.")


def _rows(count: int) -> Phrase:
    return counted(count, "{count:,} row", "{count:,} rows")


NIGHTS = 3  # so often a file runs if its numbers stay open though the server answers; then a person must look

LONGEST_FILE_NAME = 200
"""In bytes. File systems allow 255; the names of a file's reports, while they are written, are 47 longer."""

_PASSING_ENDS = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", ".upload", ".swp", "~")
_PASSING_STARTS = (".", "~$")
_LITTER = frozenset({"thumbs.db", "desktop.ini"})

# From mild to bad. A stop is the last but one, before our own bugs: whatever was not examined is unknown.
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


class FilePlace(StrEnum):
    """Where a file goes after its run; the folders of an inbox have these names."""

    INBOX = "inbox"
    DONE = "done"
    FAILED = "failed"


def is_passing(name: str) -> bool:
    """Return whether a file's name marks a temporary one: half-written, hidden, or an editor's own."""
    small = name.lower()
    return small.startswith(_PASSING_STARTS) or small.endswith(_PASSING_ENDS) or small in _LITTER


def place_of(code: ExitCode, resumable: int, nights: int) -> FilePlace:
    """Return where a file goes after a run or a resumed run that ended with `code`."""
    if code is ExitCode.OK:
        return FilePlace.DONE
    if code is ExitCode.NOT_FINAL:
        return FilePlace.INBOX if resumable and nights < NIGHTS else FilePlace.FAILED
    return FilePlace.FAILED if code in {ExitCode.INPUT, ExitCode.GUARD} else FilePlace.INBOX


def ends_the_night(code: ExitCode, *, one_campaign: bool) -> bool:
    """Return whether the files that follow would end in the same way, or must not be started."""
    return code not in _NEXT_FILE_ANYWAY and (code is not ExitCode.REFUSED or one_campaign)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the worst of the exit codes; OK if there are none."""
    return max(codes, key=_BADNESS.index, default=ExitCode.OK)


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """Return the name, or the first of `name.2.csv`, `name.3.csv` ... that is not taken."""
    stem, dot, end = name.rpartition(".")
    count, free = 1, name
    while taken(free):
        count += 1
        free = f"{stem}.{count}{dot}{end}" if stem else f"{end}.{count}"
    return free
