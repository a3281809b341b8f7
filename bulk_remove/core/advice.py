"""What to do next, once a run has ended: whole sentences, and the command where there is one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bulk_remove.core.model import OPEN_STATUSES, Status
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
) -> tuple[Advice, ...]:
    """Return what is left to do, the most urgent first.

    `strangers` counts numbers in replies that nobody asked for, `unasked` are those of them that were removed.
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
    if not any(left.values()):
        advice.append(
            Advice("Nothing is left to ask: every number has its final answer. Keep report.csv as the proof.")
        )
    elif ending in _FIRST:
        advice.append(_FIRST[ending])
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


def _rows(count: int) -> Phrase:
    return counted(count, "{count:,} row", "{count:,} rows")
