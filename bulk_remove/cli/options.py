"""The options, each also an environment variable: `--max-request-line` is `BULK_REMOVE_MAX_REQUEST_LINE`."""

import os
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from bulk_remove.adapters.folders import default_state_dir
from bulk_remove.adapters.secret import read_password
from bulk_remove.core.forms import parse_also_try
from bulk_remove.core.guards import parse_share
from bulk_remove.core.model import Brackets, NumberFormat
from bulk_remove.errors import UsageError
from bulk_remove.settings import Address, Login, Settings

F = TypeVar("F", bound=Callable[..., Any])
_UNIT_S = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Duration(click.ParamType[float]):
    """`90`, `90s`, `30m`, `2h`, `7d` -> seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|[smhd]?)", str(value))
        if not found:
            self.fail(f"{value!r} is no length of time; write 90s, 30m, 2h or 7d.", param, ctx)
        return float(found[1]) * _UNIT_S[found[2]]


def _option(name: str, *names: str, **properties: Any) -> Callable[[F], F]:
    variable = f"BULK_REMOVE_{name.removeprefix('--').replace('-', '_').upper()}"
    return click.option(name, *names, envvar=variable, show_envvar=True, **properties)


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


state_dir_option = _option(
    "--state-dir", type=click.Path(path_type=Path, file_okay=False), help="Where runs keep their ledgers and logs."
)


class Share(click.ParamType[float]):
    """`5%` or `0.05` -> 0.05."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share, from 0 to 1."""
        try:
            return value if isinstance(value, float) else parse_share(str(value))
        except UsageError as error:
            self.fail(f"{error.sentence} {error.hint}", param, ctx)


_ALSO_TRY = "Ask for what is not there in other forms as well: plus,international,zeros,national."

input_options = _all(
    _option("--campaign", "-c", default="", help="The campaign's five characters, for example 00001."),
    _option("--campaign-column", help="Or the column with the campaign of each row: its name or place."),
    _option("--column", help="The phone column: its name, or its place counted from 1."),
    _option("--trust-column", is_flag=True, help="Take the phone column even if it looks like something else."),
    _option("--sheet", help="The sheet of a workbook: its name, or its place counted from 1."),
    _option("--encoding", help="The encoding of a CSV file, for example cp1250; else it is found out."),
    _option("--delimiter", help="The separator of a CSV file, one character or 'tab'; else it is found out."),
    _option("--header/--no-header", "has_header", default=None, help="Whether the first row names the columns."),
    _option("--split-cells", is_flag=True, help="Take each number of a cell that holds several whole ones."),
    _option(
        "--max-invalid",
        type=Share(),
        default="5%",
        show_default=True,
        help="Stop when a greater share of the rows holds no number.",
    ),
    _option("--also-try", default="", metavar="FORMS", help=_ALSO_TRY),
    click.option("--show-numbers", is_flag=True, help="Show the sample cells of the plan unmasked."),
    _option("--keep-columns", is_flag=True, help="Put the input's own columns first in the report."),
    _option(
        "--number-format",
        type=click.Choice([form.value for form in NumberFormat]),
        default=NumberFormat.NATIONAL.value,
        show_default=True,
        help="The form in which the campaign holds its numbers.",
    ),
    _option("--region", default="PL", show_default=True, help="The country of numbers without a country code."),
)

form_options = _all(
    _option("--campaign", "-c", help="The campaign; else the report's own."),
    _option("--also-try", metavar="FORMS", help=_ALSO_TRY),
    _option("--number-format", type=click.Choice([form.value for form in NumberFormat]), help="As in the earlier run."),
    _option("--region", help="As in the earlier run."),
    _option("--brackets", type=click.Choice([form.value for form in Brackets]), help="How [] is written."),
    _option("--max-request-line", type=int, help="Bytes of the whole request line."),
    _option("--max-numbers-per-request", type=int, help="Numbers in one request."),
    _option("--url", help="The system's address; else the earlier run's."),
    _option("--system", help="Or only the system's name."),
)

login_options = _all(
    _option("--user", help="The API user."),
    _option("--password-file", default="", help="A file whose first line is the password."),
    _option("--password-command", default="", help="A command that prints the password."),
)

server_options = _all(
    login_options,
    _option("--url", help="The system's address: https://SYSTEM.thulium.com."),
    _option("--system", help="Or only the system's name: SYSTEM."),
    _option("--ca-file", default="", help="A PEM file with a CA to trust besides the system's."),
    _option("--proxy", default="", help="The proxy to use instead of HTTPS_PROXY."),
    _option("--connect-timeout", type=Duration(), default="10s", show_default=True, help="For a connection."),
    _option("--timeout", type=Duration(), default="60s", show_default=True, help="For a whole request."),
)

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
    _option("--rate", type=float, default=5.0, show_default=True, help="The ceiling in requests a second."),
    _option("--concurrency", type=int, default=4, show_default=True, help="The ceiling in requests at once."),
)


def _next_moment(value: str) -> float | None:
    """Return when a time of day comes next, Unix seconds."""
    try:
        at = time.fromisoformat(value)
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
            self.fail(f"{value!r} is no time of day; write 06:00.", param, ctx)
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
    _option("--rate", type=float, help="The ceiling in requests a second."),
    _option("--concurrency", type=int, help="The ceiling in requests at once."),
    _option("--tries", type=int, help="Tries of a request that finds no answer."),
    _option("--give-up-after", type=Duration(), help="How long the server may answer nobody."),
    _option("--busy-for", type=Duration(), help="How long to ask again for a number in a call, from now."),
    _option("--busy-delay", type=Duration(), help="The first wait for a call to end; it doubles."),
    _option("--connect-timeout", type=Duration(), help="For a connection."),
    _option("--timeout", type=Duration(), help="For a whole request."),
    _option("--ca-file", help="A PEM file with a CA to trust besides the system's."),
    _option("--proxy", help="The proxy to use instead of HTTPS_PROXY."),
)

report_option = _option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="The report; else in the run's folder."
)

output_options = _all(
    report_option,
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
    _option(
        "--settle",
        type=Duration(),
        default="10s",
        show_default=True,
        help="How long a file must not change before it is taken.",
    ),
    click.option("--yes", "-y", is_flag=True, help="Remove without asking; an inbox never asks, so it is needed."),
)


def settings_from(options: dict[str, Any]) -> Settings:
    """Build the settings out of whichever options a command has. Raises UsageError."""
    own = {name: options[name] for name in Settings.__dataclass_fields__ if name in options}
    own |= {name: convert(options[name]) for name, convert in _CONVERTED.items() if name in options}
    own |= {f"{name}_s": options[name] for name in _DURATIONS if name in options}
    return Settings(**own)


def _delimiter(value: str | None) -> str | None:
    return {"tab": "\t", "\\t": "\t"}.get(value, value) if value else None


# How the text of an option becomes a setting.
_CONVERTED: dict[str, Callable[[str], Any]] = {
    "number_format": NumberFormat,
    "brackets": Brackets,
    "also_try": parse_also_try,
    "delimiter": _delimiter,
}
_DURATIONS = ("busy_for", "busy_delay", "give_up_after", "connect_timeout", "timeout")


def changes_from(options: dict[str, Any], *, typed_only: bool) -> dict[str, Any]:
    """Return the settings that were given, by name, for a command whose settings are those of an earlier run.

    With `typed_only` what the environment says does not count: it was not meant for that run.
    """
    names = {**{name: f"{name}_s" for name in _DURATIONS}, **{name: name for name in Settings.__dataclass_fields__}}
    given = {
        setting: options[name]
        for name, setting in names.items()
        if options.get(name) not in {None, ""} and not (typed_only and not _was_typed(name))
    }
    return given | {name: convert(given[name]) for name, convert in _CONVERTED.items() if name in given}


def _was_typed(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def address_from(options: dict[str, Any]) -> Address:
    """Return the server's address. Raises UsageError."""
    url, system = options["url"], options["system"]
    if url and system:
        raise UsageError("Both --url and --system are given.", "Give one of them.")
    if system:
        return Address.of_system(system)
    if not url:
        raise UsageError("No server is given.", "Set --url, --system or BULK_REMOVE_URL.")
    return Address.parse(url)


def login_from(options: dict[str, Any]) -> Login:
    """Return the API user with its password. Raises UsageError."""
    return Login(
        options["user"] or "",
        read_password(os.environ, options["password_file"], options["password_command"]),
    )


def state_dir_from(options: dict[str, Any]) -> Path:
    """Return the folder for the state of all runs."""
    return options["state_dir"] or default_state_dir()
