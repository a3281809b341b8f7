"""Where a report may go: files of others are never overwritten.

An existing file is replaced only if it is an unchanged report of a run of the same campaign, and that run's ledger
still exists. Then nothing is lost, because `report` can write it again.
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import file_digest
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_remove.core.columns import is_report_header
from bulk_remove.core.model import ReportFormat, harmless
from bulk_remove.core.summary import Ending
from bulk_remove.disk import opened
from bulk_remove.errors import PlaceTakenError, StorageError, UsageError
from bulk_remove.language import phrase
from bulk_remove.ledger import Outcomes, RunFacts, Store, facts_of, opened_for_reading
from bulk_remove.reader import is_readable
from bulk_remove.reader.source import STANDARD_INPUT
from bulk_remove.report.csv import check_place
from bulk_remove.run.finish import REPORT, SUMMARY, Finished, Wanted, finish, sum_up, summary_at
from bulk_remove.run.folders import LEDGER_FILE, noted_reports, run_folders
from bulk_remove.settings import Settings

if TYPE_CHECKING:
    from bulk_remove.run.prepare import Prepared

_PEEK_BYTES = 1 << 16
_ENDINGS = re.compile(r"(\.(csv|tsv|txt|xls[xmb]?|ods))?(\.(gz|zst|zip))?$", re.IGNORECASE)
_ANOTHER_PLACE = "Name another file for the report."
_OR_OVERWRITE = "Name another file for the report. If nobody needs what is there, add --overwrite."


@dataclass(frozen=True, slots=True)
class Owner:
    """Which reports may be replaced: those of runs in this state folder with the same host and campaign.

    `run_id` is the id of the run that writes, if it has one already. With `overwrite` any file is replaced, except the
    files that the run reads.
    """

    state_dir: Path
    host: str
    settings: Settings | None = None
    run_id: str = ""
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ReportPlace:
    """Where a run's report goes (None: the run's own folder), in which formats, and whether it may replace any file.

    `read` names the files that the run reads. Some of them were `found` in a folder or by a pattern. Those are skipped
    if they are reports of earlier runs.
    """

    output: Path | None
    wanted: Wanted
    overwrite: bool = False
    read: tuple[str, ...] = ()
    found: Collection[str] = ()

    def beside(self, files: Sequence[str], *, with_page: bool) -> "ReportPlace":
        """Return the place beside the only file that is read, under a free name; unchanged if it cannot be there."""
        if len(files) != 1 or files[0] == STANDARD_INPUT:
            return self
        wanted = replace(self.wanted, also=(ReportFormat.HTML,)) if with_page else self.wanted
        file = Path(files[0])
        for more in count(1):
            output = file.with_name(f"{stem_of(file.name)}.report{f'-{more}' if more > 1 else ''}.csv")
            places = (output, output.with_suffix(SUMMARY), *wanted.places(output))
            if any(map(os.path.lexists, places)):
                continue
            try:
                for place in places:
                    check_place(place)
            except UsageError:
                break  # a folder in which this user may not write
            return replace(self, output=output, wanted=wanted)
        return self

    def check(self, settings: Settings, host: str, state_dir: Path, run_id: str = "") -> str:
        """Check all paths before anything is sent; return a sentence on the report that is replaced, if any.

        Raises UsageError if a path cannot be written to or has a file that must not be replaced, StorageError.
        """
        if self.output is None:
            return ""
        places = (self.output, self.output.with_suffix(SUMMARY), *self.wanted.places(self.output))
        if len(set(places)) < len(places):
            raise UsageError(
                phrase("--output {output} has the name of another report.", output=self.output),
                "Name the CSV, for example report.csv.",
            )
        if self.output.suffix.lower() != ".csv" or not is_readable(self.output):  # a rerun reads it back
            raise UsageError(
                phrase("--output {output} does not name a CSV file, but the report is one.", output=self.output),
                "Name the CSV, for example report.csv. Page and workbook are written beside it where you ask for them.",
            )
        owner = Owner(state_dir, host, settings, run_id)
        beside = {name for name in self.found if not _is_own_report(Path(name), places, owner)}
        read = [*self.read, *settings.keep, settings.ca_file]
        _check_no_input(self.output, places, [name for name in read if name not in self.found or name in beside])
        replaced = {path: check_replaceable(path, replace(owner, overwrite=self.overwrite)) for path in places}
        for path in places:
            check_place(path)
        run = replaced[self.output]
        if not run or run == run_id:
            return ""
        return phrase(
            "{output} is the report of run {run} and is replaced; to write that one again: bulk-remove report {run}",
            output=harmless(str(self.output)),
            run=run,
        )

    def finish(self, ready: "Prepared", ending: Ending) -> Finished:
        """Write the report. If another file took its path meanwhile, use a free name. Raises as `finish` does."""
        owner = Owner(ready.state_dir, ready.plan.host, ready.settings, ready.folder.name, self.overwrite)
        output = self.output
        names = output and chain((output,), (output.with_stem(f"{output.stem}-{more}") for more in count(2)))
        for place in names or ():
            if _are_free((place, place.with_suffix(SUMMARY), *self.wanted.places(place)), owner):
                with suppress(PlaceTakenError):  # another file took it after the check
                    return finish(ready, ending, place, self.wanted)
        return finish(ready, ending, None, self.wanted)

    def finish_again(self, ready: "Prepared") -> Finished:
        """Return the result of a finished run. Write its report if a file is missing or may be replaced."""
        report = self.output or ready.folder / REPORT
        summary, also = report.with_suffix(SUMMARY), self.wanted.places(report)
        if self.overwrite or not all(place.exists() for place in (report, summary, *also)):
            return self.finish(ready, Ending.DONE)
        return replace(sum_up(ready, Ending.DONE), report=report, summary=summary, also=also)


def stem_of(name: str) -> str:
    """Return a file's name without the endings that name its kind: `opt-outs` for `opt-outs.csv.gz`."""
    return _ENDINGS.sub("", name) or name


def _are_free(places: Iterable[Path], owner: Owner) -> bool:
    try:
        for path in places:
            check_replaceable(path, owner)
            if path.is_symlink() or (path.exists() and not path.is_file()):
                return False
    except UsageError:
        return False
    return True


def _check_no_input(output: Path, places: Iterable[Path], read: Iterable[str]) -> None:
    """Raise UsageError if one of the paths is a file that the run reads, also under another name or link."""
    named = [*map(Path, filter(None, read))]
    for path in filter(Path.is_file, places):
        file = next((each for each in named if _is_same(each, path)), None)
        if file is None:
            continue
        what = (
            phrase("is a file that this run reads")
            if path == output
            else phrase("would overwrite {path}, a file that this run reads", path=harmless(str(path)))
        )
        raise UsageError(phrase("--output {output} {what}.", output=output, what=what), _ANOTHER_PLACE)


def _is_own_report(found: Path, places: Iterable[Path], owner: Owner) -> bool:
    """Return whether a file at one of the paths is the report of an earlier run. It is left out of the input."""
    if not any(_is_same(found, path) for path in places):
        return False
    try:
        check_replaceable(found, owner)
    except UsageError:
        return False
    return True


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except (OSError, ValueError, RuntimeError):  # one of them is missing, or is not a path at all
        return False


def check_replaceable(path: Path, owner: Owner) -> str:
    """Return the id of the run whose report is at a place, empty for none that is known.

    Raises UsageError where a file must not be replaced by a report; `check_place` refuses what is none.
    """
    runs = owner.state_dir / "runs"
    if (
        owner.overwrite
        or path.is_symlink()
        or not path.is_file()
        or (owner.run_id and _is_same(path.parent, runs / owner.run_id))
    ):
        return ""
    why = phrase("is not a report of a run whose ledger is in {state_dir}", state_dir=harmless(str(owner.state_dir)))
    writers = (folder for folder in reversed(run_folders(owner.state_dir)) if _wrote_to(folder, path))
    folder = next(writers, None)
    if folder is not None:
        with suppress(StorageError), opened_for_reading(folder / LEDGER_FILE) as store:  # unreadable: the report stays
            if folder.name != owner.run_id and not _is_of(facts_of(store), owner):
                why = phrase("is the report of run {run}, of another campaign or server", run=folder.name)
            elif _is_as_written(path, store):
                return folder.name
            else:
                why = phrase("was changed after run {run} wrote it", run=folder.name)
    raise UsageError(phrase("{path} is there already, and {why}.", path=harmless(str(path)), why=why), _OR_OVERWRITE)


def host_of_report(report: Path, sha256: str, state_dir: Path) -> str:
    """Return the host of the run that wrote a report, or an empty text if this machine does not know it.

    A ledger with the digest of the report is certain. If there is none, because a spreadsheet saved the report again,
    the summary beside it counts, and then its path.
    """
    place = ""
    for folder in reversed(run_folders(state_dir)):
        with suppress(StorageError), opened_for_reading(folder / LEDGER_FILE) as store:
            host = facts_of(store).destination.host
            if sha256 in {file.sha256 for file in Outcomes(store).written()}:
                return host
            place = place or (host if _wrote_to(folder, report) else "")
    return str(summary_at(report.with_suffix(SUMMARY)).get("host") or place)


def _wrote_to(folder: Path, path: Path) -> bool:
    """Return whether a run wrote a report file to this path, or was about to."""
    try:
        noted = noted_reports(folder).paths
    except StorageError:
        return False
    return any(_is_same(path, place) for report in noted for place in (report, report.with_suffix(SUMMARY)))


def _is_of(facts: RunFacts, owner: Owner) -> bool:
    """Return whether an earlier run has the same host and campaign. With --campaign-column only the host counts."""
    if owner.settings is None:
        return False
    campaigns = {owner.settings.campaign, facts.settings.campaign} - {""}
    return facts.destination.host == owner.host and len(campaigns) <= 1


def _is_as_written(path: Path, store: Store) -> bool:
    """Return whether a file is as a run wrote it. If the run died before it noted the digest, any report counts."""
    written = [(file.path, file.sha256) for file in Outcomes(store).written()]
    digests = {digest for place, digest in written if _is_same(place, path)}
    try:
        with opened(path, links=True) as file:
            if digests:
                return file_digest(file, "sha256").hexdigest() in digests
            line = file.readline(_PEEK_BYTES).decode("utf-8-sig", errors="replace")
            return is_report_header([line.replace('"', "")])
    except OSError:
        return False
