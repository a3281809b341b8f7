"""What to do next, once a run has ended: whole sentences, and the command where there is one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bulk_remove.core.forms import AlsoTry, Forms, Held, Rest, form_examples, told_forms
from bulk_remove.core.model import OPEN_STATUSES, NumberFormat, Status
from bulk_remove.core.proof import NoneFound
from bulk_remove.core.summary import Ending
from bulk_remove.core.unasked import CAUSE, UnaskedRemoval, unasked_told
from bulk_remove.language import Phrase, counted, ours, phrase


class Advice(NamedTuple):
    """A sentence, and a command to type, empty where there is none."""

    sentence: str
    command: str = ""


RESUMED = (Status.UNSENT, Status.IN_DOUBT, Status.CALL_IN_PROGRESS)
"""What a later session asks for again."""
_FIRST = {
    Ending.DENIED: Advice(
        "The server refused: look at the faults, then at the user's permissions and the campaign.", "bulk-remove check"
    ),
    Ending.UNAVAILABLE: Advice("The server stayed unavailable: wait until it answers again.", "bulk-remove check"),
    Ending.GUARD: Advice(
        "The canary was judged bad, and the rest was not sent: look at its numbers in report.csv first."
    ),
    Ending.STORAGE: Advice("The disk or the ledger failed: make room first."),
}


def resumable(by_status: Mapping[Status, int]) -> bool:
    """Tell whether a later session could bring more numbers to an answer."""
    return any(by_status.get(status, 0) for status in RESUMED)


def advise(
    run_id: str,
    ending: Ending,
    by_status: Mapping[Status, int],
    *,
    strangers: int,
    unasked: Sequence[UnaskedRemoval] = (),
    guess: Advice | None = None,
) -> tuple[Advice, ...]:
    """Return what is left to do, the most urgent first.

    `strangers` counts numbers in replies that nobody asked for, `unasked` are those of them that were removed. `guess`
    is what to do where none was found in a form that is a guess (`about_a_guess`): that is not a proof.
    """
    left = {status: by_status.get(status, 0) for status in OPEN_STATUSES}
    advice: list[Advice] = []
    if unasked:
        advice.append(Advice(phrase("{removals} {cause}", removals=unasked_told(unasked), cause=ours(CAUSE))))
    if strangers:
        advice.append(
            Advice(
                phrase(
                    "Replies spoke of {rows} that nobody asked for: look at the log.",
                    rows=counted(strangers, "{count:,} number", "{count:,} numbers"),
                )
            )
        )
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
        sentence = phrase("{rows} can still be brought to an answer: go on with this run.", rows=_rows(count))
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
    if invalid := by_status.get(Status.INVALID, 0):
        advice.append(
            Advice(
                phrase(
                    "{rows} held no phone number and were never sent: correct the cells and run those rows.",
                    rows=_rows(invalid),
                )
            )
        )
    return tuple(advice)


def about_a_guess(run_id: str, nothing: NoneFound, held: Held, forms: Forms, region: str) -> Advice:
    """Say why it proves nothing that none of the numbers was found, and how to find out.

    `held` is how the records of the campaigns are written, empty where they could not be looked at; `forms` are those
    that were asked for.
    """
    told = phrase(
        "{found_none} {why}", found_none=_found_none(nothing, forms, region), why=_why_a_guess(held, forms, region)
    )
    unasked = forms.unasked(held)
    if unasked and {*unasked} == {Rest.OTHERWISE}:
        return Advice(
            phrase("{told} Look for them in the panel: no form finds numbers that are written so.", told=told)
        )
    others = [form for form in AlsoTry if form in unasked] or [form for form in AlsoTry if form not in forms.asked]
    if not others:
        return Advice(
            phrase("{told} Give the API user the permission to list records, then look again.", told=told),
            f"bulk-remove rerun {run_id} --number-format auto",
        )
    words = [] if forms.asked else [f"--number-format {NumberFormat.NATIONAL}"]
    also_try = [*forms.also_try, *(form for form in others if forms.asked or form is not AlsoTry.NATIONAL)]
    words += [f"--also-try {','.join(also_try)}"] if also_try else []
    return Advice(
        phrase("{told} Ask for them in other forms, too.", told=told),
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
        return phrase("That proves nothing: its records hold numbers as {told}.", told=told_forms(held, region))
    if forms.confirmed_by(held):
        return phrase("That proves nothing: its list of records does not show how additional numbers are written.")
    return phrase("That proves nothing: its records did not show how it holds its numbers.")


def _rows(count: int) -> Phrase:
    return counted(count, "{count:,} row", "{count:,} rows")
