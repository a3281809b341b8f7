"""The options. Most are also environment variables: `--max-request-line` is `BULK_REMOVE_MAX_REQUEST_LINE`."""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import time as time_s
from typing import Any

import click
from click.core import ParameterSource

from bulk_remove.cli.profiles import RunId, RunOrReport
from bulk_remove.core.conditions import Condition
from bulk_remove.core.limits import parse_share
from bulk_remove.core.model import CsvFor, ReportFormat
from bulk_remove.core.timeline import read_window
from bulk_remove.errors import UsageError
from bulk_remove.language import joined, ours, say, translated
from bulk_remove.settings import SETTINGS, Check, Later, Part, Setting, conditions, path, paths, share, windows

_UNIT_S = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DAY_MINUTES = 24 * 60


class Duration(click.ParamType[float]):
    """A duration in seconds, written as `90`, `90s`, `30m`, `2h` or `7d`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|[smhd]?)", str(value))
        if not found:
            self.fail(say("{value!r} is not a duration; write 90s, 30m, 2h or 7d.", value=value), param, ctx)
        return float(found[1]) * _UNIT_S[found[2]]


class Age(Duration):
    """A duration with a required unit: without one, `90` would delete runs older than 90 seconds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if str(value).strip()[-1:].isdecimal():
            self.fail(say("{value!r} has no unit; write 90d for days, or 12h for hours.", value=value), param, ctx)
        return super().convert(value, param, ctx)


def _option(*names: str, **properties: Any) -> click.Option:
    """Return an option that is also an environment variable; its help shows a default that is text or a number."""
    default = properties.get("default")
    properties["show_default"] = default not in ("", None) and not isinstance(default, bool)
    variable = f"BULK_REMOVE_{names[0].partition('/')[0].removeprefix('--').replace('-', '_').upper()}"
    return click.Option(names, envvar=variable, **properties)


# Not checked here: the code that reads a file has better messages for a missing or unreadable one.
_FILE = click.Path(readable=False)


_STATE = "bulk_remove.state"
_WITH_PASSWORD = re.compile("//[^/@]*:[^/@]*@|[?&]password=")


def _state(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Return the option's value. Share the state folder by a database once both options are known, in either order."""
    from bulk_remove.run.folders import default_state_dir, join, leave  # noqa: PLC0415 - --help answers at once

    if ctx.resilient_parsing:
        return value
    if param.name == "state_dir":
        value = value or default_state_dir()
    elif value and ctx.get_parameter_source("state") is ParameterSource.COMMANDLINE and _WITH_PASSWORD.search(value):
        raise UsageError(
            "Everybody on this machine could see the password in --state.",
            "Put the address into BULK_REMOVE_STATE or a profile, or the password into PGPASSWORD.",
        )
    known = ctx.meta.setdefault(_STATE, {})
    known[param.name] = value
    if len(known) > 1 and ctx.meta.pop(_STATE)["state"]:
        join(known["state_dir"], known["state"])
        ctx.call_on_close(partial(leave, known["state_dir"]))
    return value


_STATE_DIR = (
    _option(
        "--state-dir",
        type=click.Path(path_type=Path, file_okay=False),
        callback=_state,
        help="Keep ledgers and logs of runs in this folder.",
    ),
    _option(
        "--state",
        metavar="URL",
        callback=_state,
        expose_value=False,
        help="Share runs and limits with other hosts through PostgreSQL.",
    ),
)


class Share(click.ParamType[float]):
    """A share from 0 to 1, written as `5%` or `0.05`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share, from 0 to 1."""
        try:
            return value if isinstance(value, float) else parse_share(str(value), param.opts[0] if param else self.name)
        except UsageError as error:
            self.fail(translated(joined(" ", [ours(error.sentence), ours(error.hint)])), param, ctx)


class WindowOption(click.ParamType[str]):
    """A window such as `mon-fri 20:00-06:00`, kept as text; a variable separates several with semicolons."""

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
            self.fail(say("{value!r} has no length; for a whole day write 00:00-24:00.", value=value), param, ctx)
        return text


class Conditions(click.ParamType[str]):
    """A condition such as `zgoda=NIE`; a variable separates several with semicolons."""

    name = "condition"
    envvar_list_splitter = ";"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the condition's text, unchanged."""
        try:
            Condition.parse(str(value))
        except UsageError as error:
            self.fail(translated(joined(" ", [ours(error.sentence), ours(error.hint)])), param, ctx)
        return str(value)


_SHARED: Mapping[Check, Mapping[str, Any]] = {
    share: {"type": Share()},
    windows: {"type": WindowOption(), "multiple": True},
    conditions: {"type": Conditions(), "multiple": True},
    paths: {"type": _FILE, "multiple": True},
    path: {"type": _FILE},
}
"""Properties of the options whose type follows from the setting's check."""


def setting_option(setting: Setting, *, again: bool = False) -> click.Option:
    """Return the option of a setting; with `again`, one without a default, for changes to an earlier run."""
    flag, default = setting.flag, setting.default  # the default becomes what would be typed
    if setting.check in _SHARED:
        properties = dict(_SHARED[setting.check])
        default = f"{default:.0%}" if setting.check is share and default is not None else default
    elif setting.field != setting.option:
        properties = {"type": Duration()}
        default = f"{default:g}s" if default <= _UNIT_S["m"] else f"{default / _UNIT_S['m']:g}m"
    elif bool in setting.kinds:
        properties = {"is_flag": True}
    elif isinstance(default, StrEnum):
        properties = {"type": click.Choice([member.value for member in type(default)])}
        default = default.value
    else:
        properties = {"type": next((kind for kind in (int, float) if kind in setting.kinds), str)}
        default = "" if default == () else default
    if bool in setting.kinds and (setting.later or setting.default is None):
        flag, properties = f"{flag}/--no-{flag.removeprefix('--')}", {"default": None if again else setting.default}
    elif not again and not properties.keys() & {"multiple", "is_flag"}:
        properties["default"] = default
    if setting.metavar:
        properties["metavar"] = setting.metavar
    help_text = (again and setting.again) or setting.help
    return _option(flag, *filter(None, [setting.short]), setting.option, help=help_text, **properties)


def _settings(*parts: Part, later: Later = Later.NEVER) -> list[click.Option]:
    """Return the options of these parts' settings; with `later`, only of those that such a command may change."""
    chosen = [setting for setting in SETTINGS.values() if setting.part in parts and setting.later >= later]
    return [setting_option(setting, again=later is not Later.NEVER) for setting in chosen]


_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ])?[0-9]{2}:[0-9]{2}(:[0-9]{2})?")


def _next_moment(value: str) -> float | None:
    """Return the next moment of a time of day, or a given date and time, in Unix seconds; None if it is neither."""
    if not _MOMENT.fullmatch(value):
        return None  # Python would read 06 as six o'clock, and the -08:00 of a range as a time zone
    try:
        at = time.fromisoformat(value) if value[2] == ":" else None
        if at is None:
            return datetime.fromisoformat(value).astimezone().timestamp()
    except ValueError:
        return None
    now = datetime.now().astimezone()
    # Computed for each day, because the clocks may change between now and then.
    today, tomorrow = (datetime.combine(now.date() + timedelta(days=days), at).astimezone() for days in (0, 1))
    return (today if today > now else tomorrow).timestamp()


class TimeOfDay(click.ParamType[float]):
    """A time such as `06:00`, as Unix seconds of its next occurrence in local time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return Unix seconds."""
        moment_s = value if isinstance(value, float) else _next_moment(str(value))
        if moment_s is None:
            if read_window(str(value)):
                self.fail(say("{value!r} is a range of hours; give it to --hours.", value=value), param, ctx)
            self.fail(say("{value!r} is not a time of day; write 06:00.", value=value), param, ctx)
        # Without a context the value is from a profile that may not be used.
        if "-" in str(value) and ctx is not None and moment_s <= time_s():
            told = say("{value!r} is in the past; write a later moment, or only a time, 06:00.", value=value)
            self.fail(told, param, ctx)
        return moment_s


class FormatsOption(click.ParamType[tuple[ReportFormat, ...]]):
    """Formats to write beside report.csv, such as `html,xlsx`."""

    name = "formats"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[ReportFormat, ...]:
        """Return the formats without duplicates."""
        if isinstance(value, tuple):
            return value
        names = [name.strip() for name in str(value).split(",") if name.strip()]
        other = next((name for name in names if name not in _BESIDE), None)
        if other is not None:
            self.fail(
                say("{other!r} is not a format to write beside report.csv; give html, xlsx or html,xlsx.", other=other),
                param,
                ctx,
            )
        return tuple(dict.fromkeys(map(ReportFormat, names)))


_BESIDE = {ReportFormat.HTML.value, ReportFormat.XLSX.value}

_INPUT = (
    *_settings(Part.INPUT),
    click.Option(["--show-numbers"], is_flag=True, help="Show the sample cells of the plan unmasked."),
)
_USER = _option("--user", help="The API user.")
_LOGIN = (
    _USER,
    _option("--password-env", default="", help="Read the password from the environment variable of this name."),
    _option("--password-file", type=_FILE, default="", help="Read the password from this private file."),
    _option("--password-command", default="", help="Run this command, which prints the password."),
)
_ADDRESS = (
    _option("--url", help="The system's address: https://NAME.thulium.com."),
    _option("--system", help="The system's name, such as acme; or give --url."),
)
_CONNECTION = (*_ADDRESS, *_settings(Part.CONNECTION))
_SERVER = (*_LOGIN, *_CONNECTION)
_UNTIL = _option("--until", type=TimeOfDay(), help="Stop safely at this time of day, for example 06:00.")
_YES = "--yes", "-y"
_JSON = "--json", "as_json"
_NEW_FILE = click.Path(path_type=Path, dir_okay=False)
_OUTPUT = "--output", "-o"
_OVERWRITE = click.Option(["--overwrite"], is_flag=True, help="Replace an existing file at the report's place.")
_CSV_FOR: dict[str, Any] = {
    "type": click.Choice([reader.value for reader in CsvFor]),
    "help": "Write report.csv for programs, or for a double click in Polish Excel.",
}
_FORMATS = (
    _option(
        "--report", "also", type=FormatsOption(), metavar="FORMATS", help="Also write html, xlsx or both beside it."
    ),
    _option("--csv-for", **_CSV_FOR),
)
_REPORT = (
    _option(*_OUTPUT, type=_NEW_FILE, help="Write the report here, not at its usual place."),
    *_FORMATS,
    _OVERWRITE,
    click.Option(_YES, is_flag=True, help="Do not ask before removing."),
)
_LOOK_MAX = _option(
    "--look-max",
    type=click.IntRange(1),
    default=100_000,
    help="Do not list campaigns with more records than this.",
)
_AFTERMATH = (
    _option("--quiet", "-q", is_flag=True, help="Print nothing unless something is wrong; for cron."),
    _option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="Write the run's log as text, or as one JSON object a line.",
    ),
    _option("--metrics-file", type=_NEW_FILE, help="Write figures for node_exporter to this .prom file at the end."),
    _option(
        "--notify",
        multiple=True,
        metavar="URL",
        help="Send a message to this Apprise address at the end; may be repeated.",
    ),
    _option(
        "--notify-on",
        type=click.Choice(["problem", "always"]),
        default="problem",
        help="Notify if the exit code is not 0, or always.",
    ),
)


_FILES: dict[str, Any] = {"nargs": -1, "type": _FILE, "envvar": "BULK_REMOVE_FILES"}

# The options of each command.
RUN_ID = click.Argument(["run"], required=False, metavar="[RUN]", type=RunId())
PLAN = (
    click.Argument(["files"], required=True, metavar="FILE...", **_FILES),
    *_INPUT,
    *_settings(Part.GUARD),
    *_settings(Part.REQUEST),
    *_SERVER,
    *_STATE_DIR,
    click.Option(_JSON, is_flag=True, help="Print the plan as JSON, for machines."),
    click.Option(
        ["--save"],
        type=_NEW_FILE,
        metavar="FILE",
        help="Save the plan in this new file; `run --plan` then runs just that.",
    ),
    click.Option(["--look"], is_flag=True, help="Read the campaign's records and look for each number there."),
    click.Option(
        ["--look-csv"], type=_NEW_FILE, metavar="FILE", help="Write what --look saw of each row to this new file."
    ),
    _LOOK_MAX,
)
RUN = (
    click.Argument(["files"], required=False, metavar="[FILE...]", **_FILES),
    *_INPUT,
    *_settings(Part.GUARD),
    *_settings(Part.REQUEST),
    *_settings(Part.RETRY),
    *_SERVER,
    _UNTIL,
    click.Option(
        ["--plan", "plan_file"],
        type=_NEW_FILE,
        metavar="FILE",
        help="Run exactly this plan, which `plan --save` wrote.",
    ),
    _option(
        "--plan-max-age",
        type=Age(),
        default="24h",
        help="Refuse a saved plan that is older than this.",
    ),
    click.Option(
        ["--backup"], type=_NEW_FILE, metavar="FILE", help="First write the records that will go to this new file."
    ),
    _LOOK_MAX,
    *_AFTERMATH,
    *_REPORT,
    *_STATE_DIR,
)
RESUME = (RUN_ID, *_settings(*Part, later=Later.RESUME), *_LOGIN, _UNTIL, *_AFTERMATH, *_REPORT, *_STATE_DIR)
RERUN = (
    click.Argument(["earlier"], metavar="RUN|REPORT", type=RunOrReport()),
    *_settings(*Part, later=Later.RERUN),
    _option("--url", help="The system's address; else the earlier run's."),
    _option("--system", help="The system's name; else the earlier run's."),
    *_LOGIN,
    _UNTIL,
    *_AFTERMATH,
    *_REPORT,
    *_STATE_DIR,
)
# Without variables: those are meant for runs, not for a report that is written again.
REPORT = (
    RUN_ID,
    click.Option(
        ["--format", "form"],
        type=click.Choice([form.value for form in ReportFormat]),
        help="Write this format; default: by the file's name, or csv.",
    ),
    click.Option(_OUTPUT, type=_NEW_FILE, help="Write the report here; default: the run's folder."),
    _OVERWRITE,
    click.Option(["--csv-for"], default=CsvFor.PROGRAMS.value, show_default=True, **_CSV_FOR),
    *_STATE_DIR,
)
CHECK = (
    _option("--campaign", "-c", help="Check that this campaign exists."),
    setting_option(SETTINGS["region"]),
    *_SERVER,
)
SETUP = (setting_option(SETTINGS["campaign"]), *_LOGIN, *_CONNECTION, *_STATE_DIR)
UI = (
    *_settings(*Part),
    *_LOGIN,
    *_ADDRESS,
    *_STATE_DIR,
    click.Option(
        ["--browser/--no-browser"], default=True, help="Open the page in the browser, or only print its address."
    ),
)
INBOX = (
    click.Argument(["folder"], type=click.Path(path_type=Path, file_okay=False), metavar="DIR"),
    *_INPUT,
    *_settings(Part.GUARD),
    *_settings(Part.REQUEST),
    *_settings(Part.RETRY),
    *_SERVER,
    _UNTIL,
    *_AFTERMATH,
    *_FORMATS,
    _option(
        "--settle",
        type=Duration(),
        default="10s",
        help="Take a file only after it has not changed for this long.",
    ),
    click.Option(_YES, is_flag=True, help="Needed: an inbox removes without asking."),
    *_STATE_DIR,
)
LOGIN = (
    _USER,
    *_CONNECTION,
    click.Option(["--check/--no-check"], default=True, help="Try the password before it is stored."),
)
LOGOUT = (_USER, *_ADDRESS)
LIST = (click.Option(_JSON, is_flag=True, help="Print JSON, for machines."), *_STATE_DIR)
SHOW = (RUN_ID, *LIST)
VERIFY = (
    RUN_ID,
    click.Option(["--head"], metavar="HEX", help="Compare with this ledger_head, not with the summaries'."),
    *LIST,
)
ABANDON = (click.Argument(["run"], metavar="RUN", type=RunId()), *_STATE_DIR)
PRUNE = (
    click.Option(
        ["--older-than"],
        type=Age(),
        required=True,
        metavar="AGE",
        help="Delete runs without activity for this long, for example 90d.",
    ),
    click.Option(["--dry-run"], is_flag=True, help="Only show what would be deleted."),
    click.Option(_YES, is_flag=True, help="Do not ask before deleting."),
    *_STATE_DIR,
)
EXPLAIN = (
    click.Argument(["number"]),
    click.Option(["--campaign", "-c"], help="Show only this campaign."),
    *LIST,
)
SIMULATE = (
    click.Option(
        ["--port"], type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0: any free one."
    ),
    click.Option(["--campaign", "-c", "campaigns"], multiple=True, default=("00001",), show_default=True),
    click.Option(["--numbers"], help="CSV of the campaign's numbers (first column); else any number exists."),
    click.Option(["--additional-column"], default="", help="Column of additional numbers, separated by semicolons."),
    click.Option(["--busy-share"], type=click.FloatRange(0, 1), default=0.0, help="Share of numbers in a call."),
    click.Option(
        ["--busy-seconds"], type=click.FloatRange(0), default=60.0, show_default=True, help="How long calls last."
    ),
    click.Option(["--duplicate-share"], type=click.FloatRange(0, 1), default=0.0, help="Share with two records."),
    click.Option(
        ["--form", "forms"],
        multiple=True,
        metavar="FORM[=SHARE]",
        help="How it holds numbers: national, digits, e164, zeros or spaced.",
    ),
    click.Option(["--absent-share"], type=click.FloatRange(0, 1), default=0.0, help="Share that does not exist."),
    click.Option(["--fault", "faults"], multiple=True, metavar="NAME=RATE", help="For example dropped_after=0.05."),
    click.Option(
        ["--rate-limit"], type=click.FloatRange(0), default=0.0, help="Requests a second before a 429; 0: none."
    ),
    click.Option(["--latency"], type=click.FloatRange(0), default=0.0, help="Seconds that each reply takes."),
    click.Option(["--seed"], type=int, default=0, show_default=True),
    click.Option(
        ["--forbid"],
        type=click.Choice(("records", "stats", "campaigns")),
        multiple=True,
        help="Refuse these calls to the user.",
    ),
    click.Option(["--audit"], help="Write what was really done to this JSONL file."),
)
