"""The report: every input row once, in order, written aside and renamed when whole. And its summary as JSON."""

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from errno import EEXIST
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.model import REPORT_COLUMNS, RowOutcome, Source, Status
from bulk_remove.core.summary import check_closed
from bulk_remove.errors import InputError, StorageError, UsageError

_FORMULA = re.compile(
    "[=@\t\r\n\0\uff1d\uff20\uff0b\uff0d+-]"
)  # the last of these escapes are full-width =, @, + and -
_PLAIN_PLUS = re.compile(r"\+[0-9 \u00a0]+")


def write_report(path: Path, rows: Iterable[RowOutcome], expected_rows: int, kept: Sequence[str]) -> Counter[Status]:
    """Write report.csv; `kept` names the input's own columns, which then come first. Returns the rows by status.

    The sum must close before the file gets its name. Raises InvariantError when it does not, StorageError when the
    disk fails.
    """
    by_status: Counter[Status] = Counter()
    with written_aside(path) as file:
        writer = csv.writer(file, lineterminator="\r\n")  # RFC 4180
        writer.writerow([*_told_apart(kept), *REPORT_COLUMNS])
        writer.writerows(_lines(rows, len(kept), by_status))
        check_closed(expected_rows, by_status)
    return by_status


def kept_columns(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the input's column names, which all its files must share. Raises InputError."""
    header = sources[0].header
    other = next((source for source in sources if source.header != header), None)
    if other is not None:
        raise InputError(
            f"{other.file} has other columns than {sources[0].file}, so --keep-columns cannot put both in one report.",
            "Run the files one by one, or without --keep-columns.",
        )
    return header


def write_summary(path: Path, summary: dict[str, object]) -> None:
    """Write the summary as JSON. Raises StorageError."""
    with written_aside(path) as file:
        json.dump(summary, file, ensure_ascii=False, allow_nan=False, indent=2)
        file.write("\n")


def check_place(path: Path) -> None:
    """Try whether a report can be written to `path`, before anything is sent. Raises UsageError when it cannot."""
    aside = _aside(path)
    try:
        _check_target(path)
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT, 0o600))
        aside.unlink()
    except OSError as error:
        raise UsageError(
            f"--output {path} cannot be written: {error.strerror}.", "Name a file in a folder that exists."
        ) from None


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _check_target(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise FileExistsError(EEXIST, "it is no regular file")  # root would replace /dev/null itself


@contextmanager
def written_aside(path: Path) -> Iterator[TextIO]:
    """Open a file beside `path`, readable by its owner alone, that takes the name `path` once all of it is on disk."""
    aside = _aside(path)
    try:
        _check_target(path)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            # The name of a file that is not UTF-8 holds surrogates: a question mark for each, not a report lost.
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}.",
            "Make room or choose another place with --output. The verdicts are safe in the ledger.",
        ) from None


def _told_apart(kept: Sequence[str]) -> list[str]:
    """Mark the input's columns that are named like ours or like one before, so that a reader by name finds each."""
    taken = dict.fromkeys(REPORT_COLUMNS)
    for column in kept:
        name = _harmless(column)
        while name in taken:
            name += " (input)"
        taken[name] = None
    return [*taken][len(REPORT_COLUMNS) :]


def _lines(rows: Iterable[RowOutcome], width: int, by_status: Counter[Status]) -> Iterator[list[object]]:
    for outcome in rows:
        status, told = _told(outcome)
        by_status[status] += 1
        kept = [_harmless(cell) for cell in outcome.others[:width]]
        kept += [""] * (width - len(kept))
        source = outcome.source
        file = f"{source.file}!{source.sheet}" if source.sheet else source.file
        yield [
            *kept,
            _harmless(file),
            outcome.row,
            _harmless(outcome.cell),
            outcome.number,
            outcome.campaign,
            status.value,
            *told,
            _harmless(outcome.duplicate_of),
        ]


def _told(outcome: RowOutcome) -> tuple[Status, list[object]]:
    """Return the status and the cells from removed_records to answered_at."""
    state = outcome.state
    if state is None:
        return Status.INVALID, [0, "", 0, 0, outcome.problem, ""]
    record_ids = " ".join(map(str, state.record_ids))
    answered = timestamp(state.answered_at_s) if state.answered_at_s else ""
    return status_of(state.phase), [
        state.removed,
        _harmless(record_ids),
        state.attempts,
        state.busy_rounds,
        _harmless(explain(state)),
        answered,
    ]


def _harmless(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula (OWASP, CSV injection).

    A plus with nothing but digits is a number to a spreadsheet, and stays as it is.
    """
    if _FORMULA.match(cell) and not _PLAIN_PLUS.fullmatch(cell):
        return f"'{cell}"
    return cell


@lru_cache(maxsize=16)  # the numbers of one chunk share a moment
def timestamp(moment_s: float) -> str:
    """Return Unix seconds as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
