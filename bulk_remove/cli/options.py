"""The options, each also an environment variable: `--max-request-line` is `BULK_REMOVE_MAX_REQUEST_LINE`."""

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from time import time as time_s
from typing import Any, TypeVar

import click

from bulk_remove.core.conditions import Condition
from bulk_remove.core.limits import parse_share
from bulk_remove.core.model import Brackets, CsvFor, NumberFormat, ReportFormat
from bulk_remove.core.throttle import Level
from bulk_remove.core.timeline import read_window
from bulk_remove.errors import UsageError
from bulk_remove.language import joined, ours, say, translated

F = TypeVar("F", bound=Callable[..., Any])
_UNIT_S = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DAY_MINUTES = 24 * 60


class Duration(click.ParamType[float]):
    """`90`, `90s`, `30m`, `2h`, `7d` -> seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|[smhd]?)", str(value))
        if not found:
            self.fail(say("{value!r} is no length of time; write 90s, 30m, 2h or 7d.", value=value), param, ctx)
        return float(found[1]) * _UNIT_S[found[2]]


class Age(Duration):
    """`90d` -> seconds; the unit is needed where a slip deletes what is no older than a minute."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if str(value).strip()[-1:].isdecimal():
            self.fail(say("{value!r} has no unit; write 90d for days, or 12h for hours.", value=value), param, ctx)
        return super().convert(value, param, ctx)


def _option(name: str, *names: str, **properties: Any) -> Callable[[F], F]:
    variable = f"BULK_REMOVE_{name.partition('/')[0].removeprefix('--').replace('-', '_').upper()}"
    return click.option(name, *names, envvar=variable, show_envvar=True, **properties)


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


# What becomes of a file that is not there, or not readable, is told by what reads it.
_FILE = click.Path(readable=False)

state_dir_option = _all(
    _option(
        "--state-dir", type=click.Path(path_type=Path, file_okay=False), help="Where runs keep their ledgers and logs."
    ),
    _option("--state", metavar="URL", help="Share runs and limits with other hosts by PostgreSQL."),
)


class Share(click.ParamType[float]):
    """`5%` or `0.05` -> 0.05."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share, from 0 to 1."""
        try:
            return value if isinstance(value, float) else parse_share(str(value), param.opts[0] if param else self.name)
        except UsageError as error:
            self.fail(translated(joined(" ", [ours(error.sentence), ours(error.hint)])), param, ctx)


class WindowOption(click.ParamType[str]):
    """`mon-fri 20:00-06:00`, kept as it is; several stand in one variable, with semicolons between them."""

    name = "window"
    envvar_list_splitter = ";"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text of a window."""
        text = str(value).strip()
        window = read_window(text)
        if window is None:
            told = say("{value!r} is not a window; write 20:00-06:00 or mon-fri 20:00-06:00.", value=value)
            self.fail(told, param, ctx)
        elif window.end - window.begin == _DAY_MINUTES and not text.endswith("24:00"):
            self.fail(say("{value!r} ends when it begins; a whole day is 00:00-24:00.", value=value), param, ctx)
        return text


_HOURS: dict[str, Any] = {
    "type": WindowOption(),
    "multiple": True,
    "metavar": "WINDOW",
    "help": "Remove only in these hours, mon-fri 20:00-06:00; may be repeated.",
}


class Conditions(click.ParamType[str]):
    """`zgoda=NIE`; a variable may hold several with semicolons between them."""

    name = "condition"
    envvar_list_splitter = ";"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the condition as it was given."""
        try:
            Condition.parse(str(value))
        except UsageError as error:
            self.fail(translated(joined(" ", [ours(error.sentence), ours(error.hint)])), param, ctx)
        return str(value)


_INTERNAL = "Send numbers of 3 to 6 digits; else only if most of the numbers are such."
_ALSO_TRY = "Ask for what is not there in other forms as well: plus,international,zeros,national."

# The same for a rerun, where what is not given stays as it was.
keep_options, kept_keep_options = (
    _all(
        _option("--keep", multiple=True, type=_FILE, help="Never remove the numbers of this file; may be repeated."),
        _option("--keep-skips/--no-keep-skips", default=default, help="Leave such numbers out instead of stopping."),
    )
    for default in (False, None)
)

campaign_option = _option("--campaign", "-c", help="A campaign to look for.")
region_option = _option(
    "--region", default="PL", show_default=True, help="The country of numbers without a country code."
)

input_options = _all(
    _option("--campaign", "-c", default="", help="The campaign's five characters, for example 00001."),
    _option("--campaign-column", help="Or the column with the campaign of each row: its name or place."),
    _option("--column", help="The phone column: its name, or its place counted from 1."),
    _option("--trust-column", is_flag=True, help="Take the phone column even if it looks like something else."),
    _option("--sheet", help="The sheet of a workbook: its name, or its place counted from 1."),
    _option("--encoding", help="The encoding of a CSV file, for example cp1250; else it is found out."),
    _option("--delimiter", help="The separator of a CSV file, one character or 'tab'; else it is found out."),
    _option("--header/--no-header", "has_header", default=None, help="Whether the first row names the columns."),
    _option("--internal-numbers/--no-internal-numbers", default=None, help=_INTERNAL),
    _option(
        "--where",
        type=Conditions(),
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Take only rows with this value; may be repeated, then all must hold.",
    ),
    _option("--split-cells", is_flag=True, help="Take each number of a cell that holds several whole ones."),
    _option(
        "--max-invalid",
        type=Share(),
        default="5%",
        show_default=True,
        help="Stop if more filled rows are invalid; fewer than 10 pass up to 50%.",
    ),
    _option("--also-try", default="", metavar="FORMS", help=_ALSO_TRY),
    click.option("--show-numbers", is_flag=True, help="Show the sample cells of the plan unmasked."),
    keep_options,
    _option("--keep-columns", is_flag=True, help="Put the input's own columns first in the report."),
    _option(
        "--number-format",
        type=click.Choice([form.value for form in NumberFormat]),
        default=NumberFormat.AUTO.value,
        show_default=True,
        help="How the campaign holds its numbers; auto: as its own records show.",
    ),
    region_option,
)

_MAX_NUMBERS = "Stop when more numbers than this would be sent to a campaign."
_MAX_SHARE = "Stop above this share of the campaign's records (50% if counted)."
_MAX_TIMES = "Stop when they are more than so many times what the campaign's runs usually send."
_CANARY = "Send one request alone first, and the rest once its verdicts are judged."
_MAX_NOT_EXIST = "The share of the first numbers that may not be there."
_ADDITIONAL = "Remove a record, too, when a number is among its additional ones."

guard_options = _all(
    _option("--max-numbers", type=int, help=_MAX_NUMBERS),
    _option("--max-share", type=Share(), help=_MAX_SHARE),
    _option("--max-times-usual", type=float, help=_MAX_TIMES),
    _option("--additional-numbers/--no-additional-numbers", default=False, help=_ADDITIONAL),
    _option("--canary/--no-canary", default=False, help=_CANARY),
    _option("--canary-max-not-exist", type=Share(), default="90%", show_default=True, help=_MAX_NOT_EXIST),
)

canary_limit_option = _option("--canary-max-not-exist", type=Share(), help=_MAX_NOT_EXIST)

# The same for a rerun: what is not given stays as it was.
kept_guard_options = _all(
    _option("--max-numbers", type=int, help=_MAX_NUMBERS),
    _option("--max-share", type=Share(), help=_MAX_SHARE),
    _option("--max-times-usual", type=float, help=_MAX_TIMES),
    _option("--additional-numbers/--no-additional-numbers", default=None, help=_ADDITIONAL),
    _option("--canary/--no-canary", default=None, help=_CANARY),
    canary_limit_option,
)

form_options = _all(
    _option("--campaign", "-c", help="The campaign; else the report's own."),
    _option("--also-try", metavar="FORMS", help=_ALSO_TRY),
    _option(
        "--number-format",
        type=click.Choice([form.value for form in NumberFormat]),
        help="As in the earlier run; auto: look again.",
    ),
    _option("--region", help="As in the earlier run."),
    _option("--brackets", type=click.Choice([form.value for form in Brackets]), help="How [] is written."),
    _option("--max-request-line", type=int, help="Bytes of the whole request line."),
    _option("--max-numbers-per-request", type=int, help="Numbers in one request."),
    _option("--url", help="The system's address; else the earlier run's."),
    _option("--system", help="Or only the system's name."),
)

user_option = _option("--user", help="The API user.")

login_options = _all(
    user_option,
    _option("--password-env", default="", help="The environment variable that holds the password, by its name."),
    _option("--password-file", type=_FILE, default="", help="A private file whose first line is the password."),
    _option("--password-command", default="", help="A command that prints the password."),
)

address_options = _all(
    _option("--url", help="The system's address: https://SYSTEM.thulium.com."),
    _option("--system", help="Or only the system's name: SYSTEM."),
)

connection_options = _all(
    address_options,
    _option("--ca-file", type=_FILE, default="", help="A PEM file with a CA to trust besides the system's."),
    _option("--proxy", default="", help="The proxy to use instead of HTTPS_PROXY."),
    _option("--connect-timeout", type=Duration(), default="10s", show_default=True, help="For a connection."),
    _option("--timeout", type=Duration(), default="60s", show_default=True, help="For a whole request."),
)

server_options = _all(login_options, connection_options)

request_options = _all(
    _option(
        "--brackets",
        type=click.Choice([form.value for form in Brackets]),
        default=Brackets.ENCODED.value,
        show_default=True,
        help="How the [] of phone_number[] is written.",
    ),
    _option("--trailing-slash", is_flag=True, help="Write .../records/ with a slash at the end."),
    _option("--max-request-line", type=int, default=8000, show_default=True, help="Bytes of the whole request line."),
    _option("--max-numbers-per-request", type=int, default=900, show_default=True, help="Numbers in one request."),
    _option(
        "--pace",
        type=click.Choice([level.value for level in Level]),
        default=Level.STEADY.value,
        show_default=True,
        help="How much of the server to use; fixed: the ceilings, whatever it bears.",
    ),
    _option(
        "--slow-reply",
        type=Duration(),
        default="10s",
        show_default=True,
        help="A reply that takes longer makes requests smaller.",
    ),
    _option("--hours", **_HOURS),
    _option("--rate", type=float, help="The ceiling in requests a second; else that of --pace."),
    _option("--concurrency", type=int, help="The ceiling in requests at once; else that of --pace."),
)


_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ])?[0-9]{2}:[0-9]{2}(:[0-9]{2})?")


def _next_moment(value: str) -> float | None:
    """Return when a time of day comes next, or a day and a time of it, Unix seconds."""
    if not _MOMENT.fullmatch(value):
        return None  # Python's own reading takes 06 for six o'clock, and the -08:00 of a range for a time zone
    try:
        at = time.fromisoformat(value) if value[2] == ":" else None
        if at is None:
            return datetime.fromisoformat(value).astimezone().timestamp()
    except ValueError:
        return None
    now = datetime.now().astimezone()
    # Each day by itself: clocks may be changed between now and then.
    today, tomorrow = (datetime.combine(now.date() + timedelta(days=days), at).astimezone() for days in (0, 1))
    return (today if today > now else tomorrow).timestamp()


class TimeOfDay(click.ParamType[float]):
    """`06:00` -> Unix seconds of the next time it is six o'clock here."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return Unix seconds."""
        moment_s = value if isinstance(value, float) else _next_moment(str(value))
        if moment_s is None:
            if read_window(str(value)):
                self.fail(say("{value!r} is a range of hours; give it to --hours.", value=value), param, ctx)
            self.fail(say("{value!r} is no time of day; write 06:00.", value=value), param, ctx)
        if "-" in str(value) and ctx is not None and moment_s <= time_s():  # a profile's only where it counts
            self.fail(say("{value!r} is in the past; write a later moment, or 06:00 alone.", value=value), param, ctx)
        return moment_s


until_option = _option("--until", type=TimeOfDay(), help="Stop safely at this time of day, for example 06:00.")

retry_options = _all(
    _option("--tries", type=int, default=6, show_default=True, help="Tries of a request that finds no answer."),
    _option(
        "--give-up-after",
        type=Duration(),
        default="15m",
        show_default=True,
        help="How long the server may answer nobody.",
    ),
    _option(
        "--busy-for",
        type=Duration(),
        default="30m",
        show_default=True,
        help="How long to ask again for a number in a call.",
    ),
    _option(
        "--busy-delay",
        type=Duration(),
        default="30s",
        show_default=True,
        help="The first wait for a call to end; it doubles.",
    ),
)

# What a later session may change of an earlier run; without a default, so that what is not given stays as it was.
change_options = _all(
    _option("--pace", type=click.Choice([level.value for level in Level]), help="How much of the server to use."),
    _option("--slow-reply", type=Duration(), help="A reply that takes longer makes requests smaller."),
    _option("--hours", **_HOURS),
    _option("--rate", type=float, help="The ceiling in requests a second."),
    _option("--concurrency", type=int, help="The ceiling in requests at once."),
    _option("--tries", type=int, help="Tries of a request that finds no answer."),
    _option("--give-up-after", type=Duration(), help="How long the server may answer nobody."),
    _option("--busy-for", type=Duration(), help="How long to ask again for a number in a call, from now."),
    _option("--busy-delay", type=Duration(), help="The first wait for a call to end; it doubles."),
    _option("--connect-timeout", type=Duration(), help="For a connection."),
    _option("--timeout", type=Duration(), help="For a whole request."),
    _option("--ca-file", type=_FILE, help="A PEM file with a CA to trust besides the system's."),
    _option("--proxy", help="The proxy to use instead of HTTPS_PROXY."),
)


class FormatsOption(click.ParamType[tuple[ReportFormat, ...]]):
    """`html,xlsx` -> both."""

    name = "formats"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[ReportFormat, ...]:
        """Return what is to be written beside report.csv, each once."""
        if isinstance(value, tuple):
            return value
        names = [name.strip() for name in str(value).split(",") if name.strip()]
        other = next((name for name in names if name not in _BESIDE), None)
        if other is not None:
            self.fail(
                say("{other!r} is not written beside report.csv; name html, xlsx or both with a comma.", other=other),
                param,
                ctx,
            )
        return tuple(dict.fromkeys(map(ReportFormat, names)))


_BESIDE = {ReportFormat.HTML.value, ReportFormat.XLSX.value}
_CSV_FOR: dict[str, Any] = {
    "type": click.Choice([reader.value for reader in CsvFor]),
    "help": "Whom report.csv is for: programs, or a double click in a Polish Excel.",
}

formats_option = _all(
    _option(
        "--report", "also", type=FormatsOption(), metavar="FORMATS", help="Also write html, xlsx or both beside it."
    ),
    _option("--csv-for", **_CSV_FOR),
)

_OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace whatever is at the report's place.")

report_option = _all(
    _option(
        "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="The report; else in the run's folder."
    ),
    formats_option,
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
    _OVERWRITE,
    click.option("--csv-for", default=CsvFor.PROGRAMS.value, show_default=True, **_CSV_FOR),
)

output_options = _all(
    report_option,
    _OVERWRITE,
    click.option("--yes", "-y", is_flag=True, help="Do not ask before removing."),
)

aftermath_options = _all(
    _option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="The run's log as text, or as one JSON object a line.",
    ),
    _option(
        "--metrics-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A .prom file for node_exporter's textfile collector, written at the end.",
    ),
    _option(
        "--notify",
        multiple=True,
        metavar="URL",
        help="Where to tell how it ended, as Apprise writes addresses; may be repeated. Better in the environment.",
    ),
    _option(
        "--notify-on",
        type=click.Choice(["problem", "always"]),
        default="problem",
        show_default=True,
        help="When to notify: when the exit code is not 0, or always.",
    ),
)

inbox_options = _all(
    formats_option,
    _option(
        "--settle",
        type=Duration(),
        default="10s",
        show_default=True,
        help="How long a file must not change before it is taken.",
    ),
    click.option("--yes", "-y", is_flag=True, help="Remove without asking; an inbox never asks, so it is needed."),
)
