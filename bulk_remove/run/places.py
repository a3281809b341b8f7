"""Where a report may go: nothing that belongs to somebody else is overwritten.

A file that is there already is replaced only where it is the report of a run of the same campaign, as it was written,
and that run's ledger is still there: then nothing is lost, for `report` writes it again.
"""

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import file_digest
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from bulk_remove.core.columns import is_report_header
from bulk_remove.core.model import harmless
from bulk_remove.core.summary import Ending
from bulk_remove.disk import opened
from bulk_remove.errors import PlaceTakenError, StorageError, UsageError
from bulk_remove.language import phrase
from bulk_remove.ledger import Outcomes, RunFacts, Store, facts_of, opened_for_reading
from bulk_remove.reader import is_readable
from bulk_remove.report.csv import check_place
from bulk_remove.run.finish import SUMMARY, Finished, Wanted, finish
from bulk_remove.run.folders import noted_reports, run_folders
from bulk_remove.run.prepare import LEDGER, Prepared
from bulk_remove.settings import Settings

_PEEK_BYTES = 1 << 16
_ANOTHER_PLACE = "Name another file for the report."
_OR_OVERWRITE = "Name another file for the report. If nobody needs what is there, add --overwrite."


@dataclass(frozen=True, slots=True)
class Job:
    """Whose reports may be replaced: those of runs in a state folder with these settings' campaign on a host.

    `run_id` is the run's own where it has one already. With `overwrite` whatever is there is replaced, but for files
    that the run reads.
    """

    state_dir: Path
    host: str
    settings: Settings | None = None
    run_id: str = ""
    overwrite: bool = False


def check_places(
    output: Path, wanted: Wanted, read: Iterable[str], job: Job, found: Collection[str] = frozenset()
) -> None:
    """Try all places of a report before anything is sent; `read` names the files that the run reads.

    Those of them that were `found` in a folder or by a pattern are not read where they are reports of earlier runs.

    Raises UsageError when one cannot be written to, or holds what must not be replaced; StorageError.
    """
    places = (output, output.with_suffix(SUMMARY), *wanted.places(output))
    if len(set(places)) < len(places):
        raise UsageError(
            phrase("--output {output} has the name of another report.", output=output),
            "Name the CSV, for example report.csv.",
        )
    if output.suffix.lower() != ".csv" or not is_readable(output):  # a rerun reads it back
        raise UsageError(
            phrase("--output {output} does not name a CSV file, but the report is one.", output=output),
            "Name the CSV, for example report.csv. Page and workbook are written beside it where you ask for them.",
        )
    strict = replace(job, overwrite=False)
    beside = {name for name in found if not _is_own_report(Path(name), places, strict)}
    _check_no_input(output, places, [name for name in read if name not in found or name in beside])
    for path in places:
        check_replaceable(path, job)
        check_place(path)


def finish_there(
    ready: Prepared, settings: Settings, ending: Ending, output: Path | None, wanted: Wanted, *, overwrite: bool
) -> Finished:
    """Write a run's report as `finish` does, beside `output` where that was taken while the run went on.

    Raises what `finish` does.
    """
    job = Job(ready.state_dir, ready.plan.host, ready.settings, ready.folder.name, overwrite)
    while output is not None:
        names = chain((output,), (output.with_stem(f"{output.stem}-{number}") for number in count(2)))
        place = next(
            place for place in names if _are_free((place, place.with_suffix(SUMMARY), *wanted.places(place)), job)
        )
        with suppress(PlaceTakenError):  # since it was looked at
            return finish(ready, settings, ending, place, wanted)
    return finish(ready, settings, ending, None, wanted)


def taken_meanwhile(output: Path, place: Path) -> str:
    """Return the sentence on a report that went beside the place that was meant."""
    return phrase(
        "Another file lies at {output} or beside it now, so the report was written to {place}.",
        output=harmless(str(output)),
        place=harmless(str(place)),
    )


def _are_free(places: Iterable[Path], job: Job) -> bool:
    try:
        for path in places:
            check_replaceable(path, job)
            if path.is_symlink() or (path.exists() and not path.is_file()):
                return False
    except UsageError:
        return False
    return True


def _check_no_input(output: Path, places: Iterable[Path], read: Iterable[str]) -> None:
    """Raise UsageError when one of the places is a file that the run reads, by whatever name or link."""
    named = [*map(Path, filter(None, read))]
    for path in filter(Path.is_file, places):
        file = next((each for each in named if _is_same(each, path)), None)
        if file is None:
            continue
        what = (
            phrase("is a file that this run reads")
            if path == output
            else phrase("would put {path} in the place of a file that this run reads", path=harmless(str(path)))
        )
        raise UsageError(phrase("--output {output} {what}.", output=output, what=what), _ANOTHER_PLACE)


def _is_own_report(found: Path, places: Iterable[Path], job: Job) -> bool:
    """Tell whether a file at one of the places is the report of an earlier run, which is left out of the input."""
    if not any(_is_same(found, path) for path in places):
        return False
    try:
        check_replaceable(found, job)
    except UsageError:
        return False
    return True


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except (OSError, ValueError, RuntimeError):  # one of them is not there, or is no path at all
        return False


def check_replaceable(path: Path, job: Job) -> None:
    """Raise UsageError where a file must not be replaced by a report; `check_place` refuses what is none."""
    runs = job.state_dir / "runs"
    if (
        job.overwrite
        or path.is_symlink()
        or not path.is_file()
        or (job.run_id and _is_same(path.parent, runs / job.run_id))
    ):
        return
    why = phrase("is not a report of a run whose ledger is in {state_dir}", state_dir=harmless(str(job.state_dir)))
    writers = (folder for folder in reversed(run_folders(job.state_dir)) if _wrote_to(folder, path))
    folder = next(writers, None)
    if folder is not None:
        with suppress(StorageError), opened_for_reading(folder / LEDGER) as store:  # else nobody could write it again
            if folder.name != job.run_id and not _is_of(facts_of(store), job):
                why = phrase("is the report of run {run}, of another campaign or server", run=folder.name)
            elif _is_as_written(path, store):
                return
            else:
                why = phrase("is not as run {run} wrote it", run=folder.name)
    raise UsageError(phrase("{path} is there already, and {why}.", path=harmless(str(path)), why=why), _OR_OVERWRITE)


def host_of_report(report: Path, sha256: str, state_dir: Path) -> str:
    """Return the host of the run that wrote a report, as far as this machine knows it; else nothing.

    A ledger that holds its digest says so for certain; else the summary beside it does, and at last where it lies: it
    may have been saved once more by a spreadsheet.
    """
    place = ""
    for folder in reversed(run_folders(state_dir)):
        with suppress(StorageError), opened_for_reading(folder / LEDGER) as store:
            host = facts_of(store).destination.host
            if sha256 in {file.sha256 for file in Outcomes(store).written()}:
                return host
            place = place or (host if _wrote_to(folder, report) else "")
    return _host_in(report.with_suffix(SUMMARY)) or place


def _host_in(summary: Path) -> str:
    try:
        return str(json.loads(summary.read_text(encoding="utf-8"))["host"])
    except (OSError, ValueError, TypeError, LookupError):
        return ""


def _wrote_to(folder: Path, path: Path) -> bool:
    """Tell whether a run wrote a file of its report to a place, or was about to."""
    try:
        noted = noted_reports(folder).paths
    except StorageError:
        return False
    return any(_is_same(path, place) for report in noted for place in (report, report.with_suffix(SUMMARY)))


def _is_of(facts: RunFacts, job: Job) -> bool:
    """Tell whether an earlier run was one of the same job; with campaigns in the rows the server alone says so."""
    if job.settings is None:
        return False
    campaigns = {job.settings.campaign, facts.settings.campaign} - {""}
    return facts.destination.host == job.host and len(campaigns) <= 1


def _is_as_written(path: Path, store: Store) -> bool:
    """Tell whether a file is what a run wrote there. One that died before it could say so wrote it, too."""
    written = [(file.path, file.sha256) for file in Outcomes(store).written()]
    digests = {digest for place, digest in written if _is_same(place, path)}
    try:
        with opened(path, links=True) as file:
            return file_digest(file, "sha256").hexdigest() in digests if digests else _is_report(file)
    except OSError:
        return False


def _is_report(file: BinaryIO) -> bool:
    return is_report_header([file.readline(_PEEK_BYTES).decode("utf-8-sig", errors="replace").replace('"', "")])
