"""The report: every input row once, in order, written aside and renamed when complete, and its summary as JSON.

A finished report.csv is also read back as rows, and written again as CSV for a Polish Excel.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO, TextIOWrapper
from itertools import repeat
from pathlib import Path
from typing import IO, Any, TextIO, cast

from bulk_remove.core.cell_formats import kept_as_text
from bulk_remove.core.lifecycle import explain, status_of
from bulk_remove.core.model import (
    NO_NUMBER,
    OPEN_STATUSES,
    REHEARSED,
    REPORT_COLUMNS,
    Ids,
    NumberState,
    OutcomeBlock,
    Rehearsal,
    Source,
    Status,
    harmless,
    long_form,
    unsent_status,
)
from bulk_remove.core.summary import check_closed, removed_again_told
from bulk_remove.disk import Aside, Folder, opened_again
from bulk_remove.disk import written as write_aside
from bulk_remove.errors import InputError, PlaceTakenError, StorageError, UsageError
from bulk_remove.language import counted, one_line, ours, phrase

_SEPARATORS = ",;\t\r\n"  # separators of any reader, whatever is around them
_PASSED_OVER = r'\0-\x08\x0b\x0c\x0e-\x20\u00a0"'
_RUN = r"=@+\-\uff1d\uff20\uff0b\uff0d"  # the last four are full-width
_FORMULA = re.compile(rf"(^|[{_SEPARATORS}])([{_PASSED_OVER}]*)([{_RUN}][^{_SEPARATORS}]*)")
_NOT_PLAIN = re.compile(rf'[{_SEPARATORS}"]|^[{_PASSED_OVER}]*[{_RUN}]')
_PLAIN_PLUS = re.compile(r"\+[0-9 \u00a0]+")
_QUOTED = re.compile('[",\r\n]')  # RFC 4180


def write_report(
    path: Path,
    blocks: Iterable[OutcomeBlock],
    expected_rows: int,
    kept: Sequence[str],
    written: list[Aside] | None = None,
    rehearsal: Rehearsal = Rehearsal.NONE,
    *,
    replacing: bool = True,
) -> Counter[Status]:
    """Write report.csv; `kept` names the input's own columns, which then come first. Returns the rows by status."""
    by_status: Counter[Status] = Counter()
    names = dict.fromkeys(REPORT_COLUMNS)
    for column in kept:
        name = inert(column)
        while name in names:  # it repeats a name of ours, or an earlier one
            name += " (input)"
        names[name] = None
    own = [*names][len(REPORT_COLUMNS) :]
    with written_aside(path, written, replacing=replacing) as file:
        file.write(",".join([*map(_cell, own), *REPORT_COLUMNS]) + "\r\n")  # RFC 4180
        file.flush()
        lines = _written(blocks, len(kept), by_status, REHEARSED[rehearsal])
        # Bypasses the text layer, which costs as much as all the rest.
        file.buffer.writelines(text.encode(errors="replace") for text in lines)
        check_closed(expected_rows, by_status)
    return by_status


def kept_columns(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the input's column names, which must be the same in all its files. Raises InputError."""
    header = sources[0].header
    other = next((source for source in sources if source.header != header), None)
    if other is not None:
        raise InputError(
            "{file} has other columns than {first}, so --keep-columns cannot put both in one report.",
            "Run the files one by one, or without --keep-columns.",
            file=harmless(other.file),
            first=harmless(sources[0].file),
        )
    return header


def write_summary(
    path: Path, summary: dict[str, object], written: list[Aside] | None = None, *, replacing: bool = True
) -> None:
    """Write the summary as JSON. Raises StorageError."""
    with written_aside(path, written, replacing=replacing) as file:
        json.dump(summary, file, ensure_ascii=False, allow_nan=False, indent=2)
        file.write("\n")


_SHOWN_CAMPAIGNS = 20


def facts_of(summary: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the first facts that a reader wants about a run, each with its lines."""
    names = summary["campaign_names"]
    campaigns = [f"{each} '{harmless(names[each])}'" if each in names else each for each in summary["campaigns"]]
    more = len(campaigns) - _SHOWN_CAMPAIGNS
    yield (
        phrase("Asked for"),
        [
            phrase(
                "Removal of {numbers} from {campaigns} on {host}. The input has {rows}.",
                numbers=counted(summary["numbers"], "{count:,} phone number", "{count:,} phone numbers"),
                campaigns=counted(
                    len(campaigns),
                    "campaign {named}",
                    "campaigns {named}",
                    named=", ".join(campaigns[:_SHOWN_CAMPAIGNS]) + (f", ... (+{more})" if more > 0 else ""),
                ),
                host=summary["host"],
                rows=counted(summary["rows"], "{count:,} row", "{count:,} rows"),
            )
        ],
    )
    if reason := summary["settings"].get("reason"):
        yield phrase("Reason"), [one_line(reason)]
    by = summary["asked_by"]
    people = [phrase("API user: {user}", user=harmless(by["api_user"]))] if by["api_user"] else []
    people += [phrase("user of the computer: {user}", user=harmless(by["system_user"]))] if by["system_user"] else []
    how = phrase("the option --yes, without a question") if by["approved_by"] == "--yes" else ours(by["approved_by"])
    yield phrase("By"), [*planner_told(summary.get("planned_by") or {}), *people, phrase("approved by: {how}", how=how)]
    yield phrase("From"), [moment_told(summary["began_at"])]
    yield phrase("Until"), [moment_told(summary["ended_at"])]
    counts = [ours(each["sentence"]) for each in summary["records_by_campaign"][:_SHOWN_CAMPAIGNS]]
    yield phrase("Records counted by the server"), counts or [phrase("The server was not asked for them.")]
    if again := summary.get("removed_again"):
        yield phrase("Removed again"), [removed_again_told(again)]
    left = sum(summary["rows_by_status"].get(status, 0) for status in OPEN_STATUSES)
    yield (
        phrase("Open"),
        [
            counted(left, "{count:,} row has no final answer.", "{count:,} rows have no final answer.")
            if left
            else phrase("Nothing: every number has its final answer.")
        ],
    )
    yield phrase("It proves"), [*_proves(summary)]
    yield phrase("It does not prove"), [*_does_not_prove(summary)]
    yield (
        phrase("Digests (SHA-256)"),
        [
            phrase("report.csv: {sha256}", sha256=summary["report_sha256"]),
            phrase("ledger, until this document was written: {sha256}", sha256=summary["ledger_head"]),
            phrase("To check both, type: bulk-remove runs verify {run}", run=summary["run_id"]),
        ],
    )


def planner_told(planned: Mapping[str, Any]) -> Iterator[str]:
    """Yield who saved the plan of a run, if it was saved."""
    if planned:
        names = [harmless(str(planned.get(name))) for name in ("system_user", "api_user") if planned.get(name)]
        yield phrase(
            "plan {plan}, saved by {names} on {moment}",
            plan=planned["plan"],
            names=", ".join(names),
            moment=moment_told(planned["at"]),
        )


def settings_of(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the settings of a run that are not empty or off, with their values. The reason is among the facts."""
    for name, value in summary["settings"].items():
        if value not in (None, False, "", [], ()) and name != "reason":
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield name, one_line(text) if name == "campaign" or isinstance(value, int | float) else harmless(text)


def moment_told(iso: str) -> str:
    """Return a moment, written as `timestamp` does, in this computer's time zone and in UTC."""
    utc = datetime.fromisoformat(iso)
    local, told = utc.astimezone(), f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return f"{local:%Y-%m-%d %H:%M:%S} {one_line(str(local.tzname()))} ({told})" if local.utcoffset() else told


def _proves(summary: Mapping[str, Any]) -> Iterator[str]:
    if summary["rehearsal"] or summary["proves_nothing"]:
        yield phrase("Nothing about records in Thulium; see below.")
        return
    yield phrase("Each row of the input has exactly one result in report.csv.")
    yield phrase(
        "For a number with REMOVED or NOT_EXIST the server gave this answer at the time in the column answered_at; "
        "the record ids are the server's."
    )
    yield phrase("report.csv and the ledger have not been changed as long as their digests are those shown here.")


def _does_not_prove(summary: Mapping[str, Any]) -> Iterator[str]:
    if summary["rehearsal"]:
        yield ours(REHEARSED[Rehearsal(summary["rehearsal"])])
    if summary["proves_nothing"]:
        yield ours(summary["proves_nothing"])
    yield phrase(
        "That other campaigns, recordings, exports and backups hold nothing: only the campaigns above were asked."
    )
    if left_out := [harmless(str(each)) for each in summary.get("campaigns_left_out", ())]:
        yield counted(
            len(left_out),
            "That campaign {named} holds nothing: it was left out, because the server does not list its records.",
            "That campaigns {named} hold nothing: they were left out, because the server does not list their records.",
            named=", ".join(left_out[:_SHOWN_CAMPAIGNS]) + (", ..." if len(left_out) > _SHOWN_CAMPAIGNS else ""),
        )
    yield phrase(
        "That a number with NOT_EXIST is not there in another spelling: it was looked for only as report.csv shows it, "
        "and in the forms of --also-try."
    )
    yield phrase("That a number stays away: it can be added again at any time.")
    if presumed := summary["rows_by_status"].get(Status.PRESUMED_REMOVED, 0):
        yield counted(
            presumed,
            "That the run removed {count:,} row with PRESUMED_REMOVED: the number is not there now, "
            "but no answer confirmed its removal.",
            "That the run removed {count:,} rows with PRESUMED_REMOVED: the numbers are not there now, "
            "but no answer confirmed their removal.",
        )


def check_place(path: Path) -> None:
    """Check, before anything is sent, that a report can be written to `path`. Raises UsageError if not."""
    try:
        with Folder(path.parent) as folder:
            folder.check_place(path.name)
    except OSError as error:
        raise UsageError(
            "--output {path} cannot be written: {problem}.",
            "Name a file in a folder that exists.",
            path=path,
            problem=ours(str(error.strerror)),
        ) from None


@contextmanager
def written_aside(path: Path, written: list[Aside] | None = None, *, replacing: bool = True) -> Iterator[TextIO]:
    """Open a file beside `path`, readable only by its owner, which gets the name `path` once it is fully on disk."""
    try:
        with write_aside(path, replacing=replacing) as aside:
            # A file's name that is not UTF-8 holds surrogates: they become question marks, so the report is not lost.
            file = TextIOWrapper(aside.file, encoding="utf-8", errors="replace", newline="")
            try:
                yield file
                file.flush()
            finally:
                with suppress(OSError):  # a full disk fails a second time
                    file.detach()
        if written is not None:
            written.append(aside)
    except OSError as error:
        kind = PlaceTakenError if isinstance(error, FileExistsError) else StorageError
        raise kind(
            phrase("{path} cannot be written: {problem}.", path=path, problem=ours(str(error.strerror))),
            "Make room or choose another place with --output. The results are safe in the ledger.",
        ) from None


def _written(blocks: Iterable[OutcomeBlock], width: int, by_status: Counter[Status], said: str) -> Iterator[str]:
    """Yield the lines of each block as one text. Text that rows share is written once for each kind of row."""
    for block in blocks:
        for state, count in block.states.counted():
            by_status[_status(state)] += count
        source = block.source
        file = _cell(f"{source.file}!{source.sheet}" if source.sheet else source.file)
        start: Iterable[str] = repeat(f"{',' * width}{file},")
        if block.others:  # a short row is filled up
            kept = (_cells([*cells[:width], *[""] * (width - len(cells))]) for cells in block.others)
            start = ["".join([f"{cell}," for cell in cells]) + f"{file}," for cells in kept]
        cells = _cells(block.cells)
        middle, end = _around_the_ids(block, said)
        yield "".join(
            [
                f"{before}{row},{cell},{number},{between}{ids}{after}"
                for before, row, cell, number, between, ids, after in zip(
                    start,
                    block.rows,
                    cells,
                    cells if block.numbers == block.cells else _cells(block.numbers),
                    middle,
                    _ids(block.states.ids),
                    end,
                    strict=False,  # shared values repeat forever
                )
            ]
        )


def _around_the_ids(block: OutcomeBlock, said: str) -> tuple[Iterable[str], Iterable[str]]:
    """Return for each row the text before its record ids, from the campaign on, and the text after them.

    Endless where all rows have one text.
    """
    states, campaigns = block.states, block.campaigns
    before, after = [], []
    for state in states.kinds:
        detail = state.detail if state.phase == NO_NUMBER else " ".join(filter(None, (said, explain(state))))
        answered = timestamp(state.answered_at_s) if state.answered_at_s else ""
        before.append(f"{_status(state).value},{state.removed},")
        after.append(f",{state.attempts},{state.busy_rounds},{_cell(detail)},{answered},")
    is_one = len(states.kinds) == 1
    middle: Iterable[str]
    if campaigns.count(campaigns[0]) == len(campaigns):
        before = [f"{_cell(campaigns[0])},{text}" for text in before]
        middle = repeat(before[0]) if is_one else map(before.__getitem__, states.which)
    else:
        middle = [f"{name},{before[kind]}" for name, kind in zip(_cells(campaigns), states.which, strict=True)]
    if not block.duplicate_of:
        after = [f"{text}\r\n" for text in after]
        return middle, repeat(after[0]) if is_one else map(after.__getitem__, states.which)
    duplicates = [_cell(block.duplicate_of.get(place, "")) for place in range(len(block.rows))]
    return middle, [f"{after[kind]}{place}\r\n" for kind, place in zip(states.which, duplicates, strict=True)]


def _status(state: NumberState) -> Status:
    return unsent_status(state.detail) if state.phase == NO_NUMBER else status_of(state.phase)


def _ids(ids: Sequence[Ids] | None) -> Iterable[int | str]:
    if ids is None:
        return repeat("")
    if {*map(type, ids)} == {int}:
        return cast("Sequence[int]", ids)
    return [found if type(found) is int else _cell(" ".join(map(str, long_form(found)))) for found in ids]


def _cells(texts: Sequence[str]) -> Sequence[str]:
    return texts if "".join(texts).isalnum() else [_cell(text) for text in texts]


def _cell(text: str) -> str:
    """Return a text as a CSV cell that no spreadsheet runs."""
    if not _NOT_PLAIN.search(text):
        return text
    safe = inert(text)
    if not _QUOTED.search(safe):
        return safe
    line = StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow([safe])
    return line.getvalue().removesuffix("\r\n")


def inert(cell: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula (OWASP, CSV injection)."""
    return _FORMULA.sub(_told_off, cell)


def _told_off(found: re.Match[str]) -> str:
    before, passed_over, formula = found.groups()
    return found[0] if _PLAIN_PLUS.fullmatch(formula) else f"{before}{passed_over}'{formula}"


@lru_cache(maxsize=16)  # the numbers of one chunk share a moment
def timestamp(moment_s: float) -> str:
    """Return Unix seconds as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_AS_IT_STANDS = frozenset(REPORT_COLUMNS) - {"input", "number", "campaign", "record_ids"}
"""Columns of our own words, counts and times, which Excel does not change."""
_CELL = re.compile(r'(?:^|,)(?:"([^"]*(?:""[^"]*)*)"|([^",]*))')


def read_rows(report: Aside) -> Iterator[list[str]]:
    """Yield the rows of a finished report.csv, the header first."""
    try:
        with TextIOWrapper(opened_again(report), encoding="utf-8", newline="") as file:
            yield from _records(file)
    except OSError as error:
        raise StorageError(
            "{path} cannot be read back: {problem}.",
            "Write it again with: bulk-remove report.",
            path=report.path,
            problem=ours(str(error.strerror)),
        ) from None


def _records(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the records of RFC 4180 from the lines of a report."""
    waiting: list[str] = []
    quotes = 0
    for line in lines:
        if not waiting and '"' not in line:
            yield line.removesuffix("\r\n").split(",")
            continue
        waiting.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:
            record = "".join(waiting).removesuffix("\r\n")
            yield [quoted.replace('""', '"') or plain for quoted, plain in _CELL.findall(record)]
            waiting, quotes = [], 0


def write_for_polish_excel(file: IO[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows, the header first, for a Polish Excel: UTF-8 with its mark, semicolons, numbers as text."""
    file.write("\ufeff")
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    lines = iter(rows)
    header = next(lines)
    turned = [index for index, name in enumerate(header) if name not in _AS_IT_STANDS]
    writer.writerow(header)
    for row in lines:
        cells = [*row]
        for index in turned:
            cells[index] = kept_as_text(cells[index])
        writer.writerow(cells)
