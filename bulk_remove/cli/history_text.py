"""A run of before in three lines."""

from collections.abc import Iterator
from datetime import datetime

from bulk_remove.core.model import Status
from bulk_remove.run.history import PastRun


def in_short(run: PastRun) -> Iterator[str]:
    """Yield what a run is and what became of its numbers; none of them is shown."""
    if run.told is None:
        yield f"{run.run_id}  {local(run.last_s)}  {run.state}"
        if run.problem:
            yield f"    {run.problem}"
        return
    where = f"{', '.join(run.campaigns)} on {run.host}"
    statuses = run.numbers_by_status
    yield (
        f"{run.run_id}  {local(run.told.created_at_s)}  {where}  "
        f"{counted(run.rows, 'row')}, {counted(statuses.total(), 'number')}"
    )
    told = [f"{status.value} {statuses[status]:,}" for status in Status if statuses[status]]
    told += [f"{Status.INVALID.value} {run.invalid:,}"] if run.invalid else []
    yield f"    {', '.join(told) or 'no number'}"
    ended = f"    {run.state}"
    if run.open_numbers:
        ended += f"; {run.open_numbers:,} without a final answer"
    if run.resumable_numbers:
        ended += f"; to go on: bulk-remove resume {run.run_id}"
    yield ended


def counted(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def local(moment_s: float, *, seconds: bool = False) -> str:
    """Return a moment (Unix seconds) as this machine's clock shows it, to the minute or to the second."""
    return datetime.fromtimestamp(moment_s).astimezone().strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''}")
