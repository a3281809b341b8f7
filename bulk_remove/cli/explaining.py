"""`bulk-remove explain`: what all runs did with one number."""

from collections.abc import Iterator, Sequence
from typing import Any

from bulk_remove.adapters.console import Screen
from bulk_remove.adapters.ledger import Trace
from bulk_remove.cli.given import state_dir_from
from bulk_remove.cli.history_text import local
from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.model import ON_KEEP_LIST, REHEARSED, harmless
from bulk_remove.errors import AlteredLedgerError, ExitCode, InputError
from bulk_remove.language import counted, joined, ours, phrase
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
            phrase(
                "The ledger of run {runs} is not as it was written: it may say more or less than was so.",
                runs=", ".join(altered),
            ),
            "Put it back from a backup; `bulk-remove runs verify` says of each what was changed.",
        )
    if unread == len(runs):
        among = phrase(", as far as they can be read: {unread:,} cannot", unread=unread) if unread else ""
        where = phrase(" for campaign {campaign}", campaign=campaign) if campaign else ""
        raise InputError(
            phrase(
                "No run in {state_dir} held {number}{where}{among}.",
                state_dir=state_dir,
                number=number,
                where=where,
                among=among,
            ),
            "Check the number and --state-dir; runs that were pruned are not known any more.",
        )
    return ExitCode.OK


def _in_full(one: Explained) -> Iterator[str]:
    began_s = one.run.told.created_at_s if one.run.told else one.run.last_s
    about = phrase("{run_id}  {when}", run_id=one.run.run_id, when=local(began_s))
    yield joined("  ", filter(None, [about, one.run.host, ours(one.run.state)]))
    if one.run.rehearsal:
        yield phrase("    {rehearsed}", rehearsed=ours(REHEARSED[one.run.rehearsal]))
    if one.problem:
        yield phrase("    {problem}", problem=ours(one.problem))
    if one.run.proves_nothing:
        yield phrase("    none of its numbers was found, perhaps because the campaign holds them in another form")
    if one.sound:
        rest = (
            phrase(
                ", but for {unended} without an end",
                unended=counted(one.sound.unended, "{count:,} attempt", "{count:,} attempts"),
            )
            if one.sound.unended
            else ""
        )
        yield phrase("    its ledger is as it was written{rest}", rest=rest)
    yield from (phrase("    {line}", line=line) for line in _rows(one.trace, one.run.keep_lists))
    yield from (phrase("    {line}", line=line) for line in _what_happened(one.trace))


def _rows(found: Trace, keep_lists: Sequence[str]) -> Iterator[str]:
    for row in found.rows:
        sheet = phrase(", sheet {sheet}", sheet=harmless(row.sheet)) if row.sheet else ""
        yield phrase(
            "in {file}{sheet}, row {row}: {cell}, for campaign {campaign}",
            file=harmless(row.file),
            sheet=sheet,
            row=row.row,
            cell=repr(row.cell),
            campaign=row.campaign,
        )
        if row.problem == ON_KEEP_LIST and keep_lists:
            yield counted(
                len(keep_lists),
                "  never sent for this row: kept by the --keep list {lists}",
                "  never sent for this row: kept by one of the --keep lists {lists}",
                lists=joined(", ", map(harmless, keep_lists)),
            )
        elif row.problem:
            yield phrase("  never sent for this row: {problem}", problem=ours(row.problem))


def _what_happened(found: Trace) -> Iterator[str]:
    for request in found.requests:
        others = (
            phrase("with {others}", others=counted(request.others, "{count:,} other", "{count:,} others"))
            if request.others
            else phrase("alone")
        )
        result = ours("answered" if request.result == "verdicts" else request.result or "no answer yet")
        named = phrase(" (request_id {request_id})", request_id=request.request_id) if request.request_id else ""
        when = local(request.begun_at_s, seconds=True)
        yield phrase(
            "{when}  asked for as {sent} in {campaign}, {others}: {result}{named}",
            when=when,
            sent=request.sent,
            campaign=request.campaign,
            others=others,
            result=result,
            named=named,
        )
    for campaign, number, state in found.states:
        words = [phrase("{status} as {number}", status=status_of(state.phase).value, number=number)]
        if state.record_ids:
            words.append(phrase("record {listed}", listed=", ".join(map(str, state.record_ids))))
        if detail := explain(state):
            words.append(ours(detail))
        if state.answered_at_s:
            words.append(phrase("answered at {moment}", moment=local(state.answered_at_s, seconds=True)))
        yield phrase("in {campaign}: {words}", campaign=campaign, words=joined("; ", words))
