"""The options that say which reports are written, and where."""

from pathlib import Path
from typing import Any

import click

from bulk_remove.cli.options import _all, _option
from bulk_remove.core.model import CsvFor, ReportFormat


class Formats(click.ParamType[tuple[ReportFormat, ...]]):
    """`html,xlsx` -> both."""

    name = "formats"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[ReportFormat, ...]:
        """Return what is to be written beside report.csv, each once."""
        if isinstance(value, tuple):
            return value
        names = [name.strip() for name in str(value).split(",") if name.strip()]
        other = next((name for name in names if name not in _BESIDE), None)
        if other is not None:
            self.fail(f"{other!r} is not written beside report.csv; name html, xlsx or both with a comma.", param, ctx)
        return tuple(dict.fromkeys(map(ReportFormat, names)))


_BESIDE = {ReportFormat.HTML.value, ReportFormat.XLSX.value}
_CSV_FOR: dict[str, Any] = {
    "type": click.Choice([reader.value for reader in CsvFor]),
    "help": "Whom report.csv is for: programs, or a double click in a Polish Excel.",
}

report_option = _all(
    _option(
        "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="The report; else in the run's folder."
    ),
    _option("--report", "also", type=Formats(), metavar="FORMATS", help="Also write html, xlsx or both beside it."),
    _option("--csv-for", **_CSV_FOR),
)

# Of a report written again: what the environment says of runs is not meant for it, least of all the place.
again_options = _all(
    click.option(
        "--format",
        "form",
        type=click.Choice([form.value for form in ReportFormat]),
        help="What to write; else by the name of the file, or csv.",
    ),
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where to write it; else in the run's folder.",
    ),
    click.option("--csv-for", default=CsvFor.PROGRAMS.value, show_default=True, **_CSV_FOR),
)

output_options = _all(
    report_option,
    click.option("--yes", "-y", is_flag=True, help="Do not ask before removing."),
)
