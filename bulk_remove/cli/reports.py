"""Which reports are written, and where; and the command that writes one again."""

from pathlib import Path
from typing import Any

from bulk_remove.adapters.console import Screen
from bulk_remove.adapters.reporter import check_place
from bulk_remove.cli.given import state_dir_from
from bulk_remove.core.model import CsvFor, ReportFormat
from bulk_remove.errors import ExitCode, UsageError
from bulk_remove.language import phrase
from bulk_remove.run.again import ended_run
from bulk_remove.run.finish import Wanted, write_again
from bulk_remove.run.places import Job, check_replaceable
from bulk_remove.run.resume import find_run
from bulk_remove.settings import Destination


def report_job(options: dict[str, Any]) -> int:
    """Write a report of an earlier run again. Raises InputError, UsageError, CampaignLockedError, StorageError."""
    screen = Screen()
    state_dir = state_dir_from(options)
    folder = find_run(state_dir, options["run"] or "")
    form = _format_of(options["form"], options["output"])
    csv_for = CsvFor(options["csv_for"])
    if csv_for is not CsvFor.PROGRAMS and form is not ReportFormat.CSV:
        raise UsageError(
            phrase("--csv-for says how a CSV is written, not {form}.", form=form),
            "Leave it out, or write --format csv.",
        )
    path = options["output"] or folder / f"report.{'summary.' if form is ReportFormat.JSON else ''}{form}"
    check_place(path)
    with ended_run(folder, state_dir) as (ready, settings, ending):
        check_replaceable(path, Job(state_dir, ready.plan.host, settings, folder.name, overwrite=options["overwrite"]))
        write_again(ready, settings, ending, form, path, csv_for)
    screen.tell(phrase("The report of run {name}: {path}", name=folder.name, path=path))
    return ExitCode.OK


def _format_of(name: str | None, output: Path | None) -> ReportFormat:
    """Return the format that is named, else that of the file's ending; both must agree where both say one."""
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    by_file = ReportFormat(suffix) if suffix in set(ReportFormat) else None
    if not name:
        return by_file or ReportFormat.CSV
    form = ReportFormat(name)
    if by_file not in {None, form}:
        raise UsageError(
            phrase("--output {output} has the ending of another format than {form}.", output=output, form=form),
            "Name one or the other.",
        )
    return form


def wanted_of(options: dict[str, Any], told: Destination | None = None) -> Wanted:
    """Return which reports are wanted; what is not given is as the earlier run was `told`."""
    told = told or Destination()
    also = told.also if options["also"] is None else options["also"]
    return Wanted(CsvFor(options["csv_for"] or told.csv_for), also)
