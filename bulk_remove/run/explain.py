"""What all runs of this machine did with one number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk_remove.adapters.ledger import Trace, opened_for_reading, trace
from bulk_remove.adapters.reporter import timestamp
from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.numbers import Normaliser
from bulk_remove.errors import StorageError
from bulk_remove.run.history import PastRun, past_runs
from bulk_remove.run.prepare import LEDGER
from bulk_remove.settings import Settings


@dataclass(frozen=True, slots=True)
class Explained:
    """A run that had to do with the number, which it sent as `number`; or one whose ledger cannot be read: `problem`.

    `trace` is what its ledger says.
    """

    run: PastRun
    number: str
    trace: Trace
    problem: str = ""


def explained(state_dir: Path, text: str, campaign: str | None = None) -> Iterator[Explained]:
    """Yield the runs that had to do with a number, oldest first; each reads the text by its own rules.

    `campaign` leaves out the others. A run that was never approved sent nothing and is passed over. Raises StorageError
    where the folder cannot be read.
    """
    for run in past_runs(state_dir):
        if run.told is None:
            if run.problem:
                yield Explained(run, "", Trace((), (), ()), run.problem)
            continue
        forms = _forms(Settings.read_back(run.settings), text)
        try:
            with opened_for_reading(run.folder / LEDGER) as store:
                found = _in_campaign(trace(store, forms), campaign)
        except StorageError as error:
            yield Explained(run, forms[0], Trace((), (), ()), error.sentence)
            continue
        if found.rows:
            yield Explained(run, forms[0], found)


def _forms(settings: Settings, text: str) -> Sequence[str]:
    """Return the forms in which a run may have sent the number; one that its rules do not take is taken as it is."""
    planned = Normaliser(settings.rules)(text).number
    if not planned:
        return [text.strip()]
    after = settings.forms().after
    forms = [planned]
    while form := after(forms[-1]):
        forms.append(form)
    return forms


def _in_campaign(found: Trace, campaign: str | None) -> Trace:
    if campaign is None:
        return found
    return Trace(
        tuple(row for row in found.rows if row.campaign == campaign),
        tuple(request for request in found.requests if request.campaign == campaign),
        tuple(state for state in found.states if state.campaign == campaign),
    )


def explained_as_json(one: Explained) -> dict[str, Any]:
    """Return what `explain --json` says of a run; the keys are stable."""
    return {
        "run_id": one.run.run_id,
        "host": one.run.host,
        "ending": one.run.state,
        "problem": one.problem,
        "number": one.number,
        "rows": [row._asdict() for row in one.trace.rows],
        "requests": [
            {
                "campaign": request.campaign,
                "number": request.sent,
                "numbers": request.others + 1,
                "begun_at": timestamp(request.begun_at_s),
                "ended_at": timestamp(request.ended_at_s) if request.ended_at_s is not None else None,
                "result": request.result or None,
                "request_id": request.request_id or None,
            }
            for request in one.trace.requests
        ],
        "verdicts": [
            {
                "campaign": known.campaign,
                "number": known.number,
                "status": status_of(known.state.phase).value,
                "record_ids": [str(found) for found in known.state.record_ids],
                "attempts": known.state.attempts,
                "busy_rounds": known.state.busy_rounds,
                "detail": explain(known.state),
                "answered_at": timestamp(known.state.answered_at_s) if known.state.answered_at_s else None,
            }
            for known in one.trace.states
        ],
    }
