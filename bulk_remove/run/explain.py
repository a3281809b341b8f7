"""What all runs of this machine did with one number."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bulk_remove.adapters.ledger import DAMAGE, Store, Trace, Verified, opened_for_reading, trace
from bulk_remove.adapters.reporter import timestamp
from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.numbers import Normaliser
from bulk_remove.errors import AlteredLedgerError, StorageError
from bulk_remove.run.history import PastRun, past_runs
from bulk_remove.run.prepare import LEDGER
from bulk_remove.run.proof import checked_ledger
from bulk_remove.settings import Settings

_NOTHING = Trace((), (), ())


@dataclass(frozen=True, slots=True)
class Explained:
    """A run that had to do with the number, which it sent as `number`; or one whose ledger cannot be relied on.

    `trace` is what its ledger says. `problem` tells why it cannot be read or, with `altered`, what in it is not as it
    was written: then it may say more or less than was so. `sound` is what its chain covers, None with a problem.
    """

    run: PastRun
    number: str
    trace: Trace
    problem: str = ""
    altered: bool = False
    sound: Verified | None = None


def explained(state_dir: Path, text: str, campaign: str | None = None) -> Iterator[Explained]:
    """Yield the runs that had to do with a number, oldest first; each reads the text by its own rules.

    `campaign` leaves out the others. A run that was never approved sent nothing and is passed over. Raises StorageError
    where the folder cannot be read.
    """
    for run in past_runs(state_dir):
        if run.told is None:
            if run.problem:
                yield Explained(run, "", _NOTHING, run.problem)
            continue
        forms: Sequence[str] = [text.strip()]
        try:
            with opened_for_reading(run.folder / LEDGER) as store:
                settings = Settings.read_back(run.settings)
                forms = _forms(settings, text)
                told = _told(run, store, forms, Normaliser(settings.rules), campaign)
        except StorageError as error:
            told = Explained(run, forms[0], _NOTHING, error.sentence)
        if told.trace.rows or told.problem:
            yield told


def _told(run: PastRun, store: Store, forms: Sequence[str], normalise: Normaliser, campaign: str | None) -> Explained:
    def read(cells: Sequence[str]) -> Sequence[str]:
        return normalise.block(cells).numbers

    try:
        sound = checked_ledger(run.folder, store)
    except AlteredLedgerError as error:
        told = Explained(run, forms[0], _NOTHING, error.sentence, altered=True)
        try:
            told = replace(told, trace=_in_campaign(trace(store, forms, read), campaign))
            json.dumps(explained_as_json(told))
        except DAMAGE:  # it makes no sense any more
            return replace(told, trace=_NOTHING)
        return told
    return Explained(run, forms[0], _in_campaign(trace(store, forms, read), campaign), sound=sound)


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
        "rehearsal": one.run.rehearsal.value or None,
        "ending": one.run.state,
        "problem": one.problem,
        "proves_nothing": one.run.proves_nothing,
        "sound": one.sound is not None,
        "ledger_head": one.sound.head if one.sound else None,
        "attempts_without_an_end": one.sound.unended if one.sound else None,
        "number": one.number,
        "keep": list(one.run.keep_lists),
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
