"""`bulk-remove explain`: what all runs did with one number."""

from collections.abc import Iterator
from typing import Any

from bulk_remove.adapters.console import Screen
from bulk_remove.adapters.ledger import Trace
from bulk_remove.cli.given import state_dir_from
from bulk_remove.cli.history_text import counted, local
from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.errors import AlteredLedgerError, ExitCode, InputError
from bulk_remove.run.explain import Explained, explained, explained_as_json


def explain_job(options: dict[str, Any]) -> int:
    """Tell what became of a number in all runs.

    Raises InputError when no run held it, AlteredLedgerError after all when a ledger is not as it was written,
    StorageError.
    """
    screen = Screen()
    state_dir = state_dir_from(options)
    number, campaign = options["number"], options["campaign"]
    runs = [*explained(state_dir, number, campaign)]
    unread = sum(bool(one.problem) and not one.trace.rows for one in runs)
    altered = [one.run.run_id for one in runs if one.altered]
    if options["as_json"]:
        screen.tell_json({"number": number, "runs": [explained_as_json(one) for one in runs]})
    for one in runs if not options["as_json"] else ():
        for line in _in_full(one):
            screen.tell(line)
    if altered:
        raise AlteredLedgerError(
            f"The ledger of run {', '.join(altered)} is not as it was written: it may say more or less than was so.",
            "Put it back from a backup; `bulk-remove runs verify` says of each what was changed.",
        )
    if unread == len(runs):
        among = f", as far as they can be read: {unread:,} cannot" if unread else ""
        where = f" for campaign {campaign}" if campaign else ""
        raise InputError(
            f"No run in {state_dir} held {number}{where}{among}.",
            "Check the number and --state-dir; runs that were pruned are not known any more.",
        )
    return ExitCode.OK


def _in_full(one: Explained) -> Iterator[str]:
    began_s = one.run.told.created_at_s if one.run.told else one.run.last_s
    yield f"{one.run.run_id}  {local(began_s)}  {one.run.host}  {one.run.state}".rstrip()
    if one.problem:
        yield f"    {one.problem}"
    if one.sound:
        rest = f", but for {counted(one.sound.unended, 'attempt')} without an end" if one.sound.unended else ""
        yield f"    its ledger is as it was written{rest}"
    yield from (f"    {line}" for line in _what_happened(one.trace))


def _what_happened(found: Trace) -> Iterator[str]:
    for row in found.rows:
        sheet = f", sheet {row.sheet}" if row.sheet else ""
        yield f"in {row.file}{sheet}, row {row.row}: {row.cell!r}, for campaign {row.campaign}"
    for request in found.requests:
        others = f"with {counted(request.others, 'other')}" if request.others else "alone"
        result = "answered" if request.result == "verdicts" else request.result or "no answer yet"
        named = f" (request_id {request.request_id})" if request.request_id else ""
        when = local(request.begun_at_s, seconds=True)
        yield f"{when}  asked for as {request.sent} in {request.campaign}, {others}: {result}{named}"
    for campaign, number, state in found.states:
        words = [f"{status_of(state.phase).value} as {number}"]
        if state.record_ids:
            words.append(f"record {', '.join(map(str, state.record_ids))}")
        if detail := explain(state):
            words.append(detail)
        if state.answered_at_s:
            words.append(f"answered at {local(state.answered_at_s, seconds=True)}")
        yield f"in {campaign}: {'; '.join(words)}"
