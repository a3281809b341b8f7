"""A run of before in three lines."""

from collections.abc import Iterator
from datetime import datetime

from bulk_remove.core.model import REHEARSED, Status
from bulk_remove.language import counted, joined, ours, phrase
from bulk_remove.run.history import PastRun


def in_short(run: PastRun) -> Iterator[str]:
    """Yield what a run is and what became of its numbers; none of them is shown."""
    if run.told is None:
        yield phrase("{run_id}  {when}  {state}", run_id=run.run_id, when=local(run.last_s), state=ours(run.state))
        if run.problem:
            yield phrase("    {problem}", problem=ours(run.problem))
        return
    where = phrase("{campaigns} on {host}", campaigns=", ".join(run.campaigns), host=run.host)
    statuses = run.numbers_by_status
    yield phrase(
        "{run_id}  {when}  {where}  {rows}, {numbers}",
        run_id=run.run_id,
        when=local(run.told.created_at_s),
        where=where,
        rows=counted(run.rows, "{count:,} row", "{count:,} rows"),
        numbers=counted(statuses.total(), "{count:,} number", "{count:,} numbers"),
    )
    if run.rehearsal:
        yield phrase("    {rehearsed}", rehearsed=ours(REHEARSED[run.rehearsal]))
    if run.problem:
        yield phrase("    {problem}", problem=ours(run.problem))
    counts = [(status, statuses[status]) for status in Status if statuses[status]]
    counts += sorted(run.unsent_rows.items())
    told = [phrase("{status} {count:,}", status=status.value, count=count) for status, count in counts]
    yield phrase("    {told}", told=joined(", ", told) if told else phrase("no number"))
    if run.unasked:
        yield phrase("    the server named a removal that nobody asked for: see the summary")
    left, on = "", ""
    if run.open_numbers:
        left = phrase("; {open_numbers:,} without a final answer", open_numbers=run.open_numbers)
    elif run.proves_nothing:
        left = phrase("; none was found, which proves nothing")
    if run.resumable_numbers:
        on = phrase("; to go on: bulk-remove resume {run_id}", run_id=run.run_id)
    yield phrase("    {state}{left}{on}", state=ours(run.state), left=left, on=on)


def local(moment_s: float, *, seconds: bool = False) -> str:
    """Return a moment (Unix seconds) as this machine's clock shows it, to the minute or to the second."""
    return datetime.fromtimestamp(moment_s).astimezone().strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''}")
