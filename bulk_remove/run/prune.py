"""Old runs, deleted for good: what is to go, and what stays behind elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bulk_remove.adapters.folders import delete_run
from bulk_remove.run.history import KILLED_PLANNING, UNDER_WAY, PastRun, past_runs

LEFTOVER_S = 3600.0
"""What a run left that was killed while it planned goes after an hour: no run takes it up again."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A run that is to be deleted: its files, their size, and what stays elsewhere: reports, parts of them."""

    run: PastRun
    files: tuple[Path, ...]
    size_bytes: int
    left: tuple[Path, ...]


def doomed(state_dir: Path, older_than_s: float, now_s: float) -> Iterator[Doomed]:
    """Yield the runs in which nothing has happened for so long, oldest first; never one that is under way.

    Raises StorageError.
    """
    for run in past_runs(state_dir):
        longest_s = min(older_than_s, LEFTOVER_S) if run.state == KILLED_PLANNING else older_than_s
        if run.state != UNDER_WAY and now_s - run.last_s >= longest_s:
            files = tuple(sorted(path for path in run.folder.rglob("*") if not path.is_dir()))
            yield Doomed(run, files, sum(path.lstat().st_size for path in files), tuple(_left(run)))


def delete(one: Doomed) -> None:
    """Delete a run's folder. Raises RunLockedError when it was taken up meanwhile, StorageError."""
    delete_run(one.run.folder)


def _left(run: PastRun) -> Iterator[Path]:
    """Yield what this run wrote elsewhere: its reports, and parts of reports that a kill left beside them."""
    for report in run.reports:
        if run.folder not in report.parents:
            if report.exists():
                yield report
            if report.parent.is_dir():
                yield from sorted(path for path in report.parent.iterdir() if _is_part(path, report))


def _is_part(path: Path, report: Path) -> bool:
    return path.name.startswith(f".{report.name}.") and path.name.endswith(".part")
