"""Commands whose options may come from a profile: a flag wins over a variable, and a variable over the profile.

A profile has the settings of one system, in a TOML file. Its values become click's `default_map`, so that every value
is checked in the same way, wherever it comes from. The module also completes run ids in a shell; click completes
commands, flags and files.
"""

import os
import re
import stat
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from bulk_remove.cli.help_pages import Helpful, HelpfulGroup, nearest, speak_as_asked
from bulk_remove.cli.signals import opened_by_double_click
from bulk_remove.core.model import harmless
from bulk_remove.disk import NotOwnError, check_own, private
from bulk_remove.errors import UsageError
from bulk_remove.language import Phrase, joined, ours, phrase, translated


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in the settings file, and its place: the table (empty at the top) and the key.

    The value may be a secret and is never shown.
    """

    file: Path
    table: str
    key: str
    value: Any = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.file}, {f'[{self.table}] ' if self.table else ''}{self.key}"

    def error(self, wrong: str, hint: str) -> UsageError:
        """Return an error about the value."""
        return UsageError(phrase("{place} {wrong}.", place=self, wrong=ours(wrong)), hint)

    def checked(self, param: click.Parameter) -> "Entry":
        """Return the entry with its value in the form of the option's default. Raises UsageError."""
        if not (param.multiple or param.nargs == -1):
            return replace(self, value=_checked(self, param, self.value))
        if not isinstance(self.value, list):
            raise self.error(
                phrase("is {kind}, not a list", kind=_kind(self.value)),
                phrase('Give a list: {key} = ["..."].', key=self.key),
            )
        return replace(self, value=[_checked(self, param, each) for each in self.value])


def _checked(entry: Entry, param: click.Parameter, value: Any) -> Any:
    types, wanted, given = _wanted(param)
    given = f"[{given}]" if param.multiple or param.nargs == -1 else given
    hint = phrase("Give {wanted}: {key} = {given}.", wanted=wanted, key=entry.key, given=given)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise entry.error(phrase("is {kind}, not {wanted}", kind=_kind(value), wanted=wanted), hint)
    if isinstance(param.type, click.Path):
        if re.search(r"[\x00-\x1f]", str(value)):
            quoted = phrase("Put a path with backslashes into single quotes: {key} = '...'.", key=entry.key)
            raise entry.error("contains a tab or a line break", quoted)
        value = _path(str(value), entry.file)
        if value == "" and param.default != "":
            raise entry.error("is empty", "Name it, or leave it out.")
    elif str in types:
        value = str(value)  # our own types read only text, so 90 means "90"
    try:
        param.type.convert(value, param, None)
    except click.BadParameter as error:
        raise entry.error(phrase("is wrong: {message}", message=error.message.rstrip(".")), hint) from None
    return value


def _wanted(param: click.Parameter) -> tuple[tuple[type, ...], str, str]:
    """Return the TOML types that an option accepts, these in words, and an example."""
    kind = param.type
    if isinstance(kind, click.types.BoolParamType):
        return (bool,), phrase("true or false"), "true"
    if isinstance(kind, type(click.INT)):
        return (int,), phrase("a whole number"), "4"
    if isinstance(kind, type(click.FLOAT)):
        return (int, float), phrase("a number"), "2.5"
    if isinstance(kind, click.Choice):
        one = phrase("one of {listed}, in quotes", listed=", ".join(map(str, kind.choices)))
        return (str,), one, f'"{next(iter(kind.choices))}"'
    if isinstance(kind, click.Path | click.types.StringParamType):
        return (str,), phrase("text, in quotes"), '"..."'
    example = param.default if isinstance(param.default, str) and param.default else "..."
    return (str, int, float, time), phrase("a {name}, in quotes", name=ours(kind.name)), f'"{example}"'


_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: phrase("text"),
    list: "a list",
    dict: "a table",
}


def _kind(value: Any) -> Phrase:
    return ours(_KINDS.get(type(value), "a date or time"))


def _path(value: str, file: Path) -> str:
    """Return a path from the file: ~ is the home folder; a relative path starts from the file's folder."""
    return value if value in {"", "-"} else os.path.join(file.parent, os.path.expanduser(value))  # noqa: PTH111, PTH118 - a pattern or a trailing slash must stay as it is


_ESCAPE = re.compile(r"'\\\\'|hex value|escape", re.IGNORECASE)
"""Part of tomllib's messages about a backslash in double quotes."""


def read_config(path: Path) -> dict[str, Any] | None:
    """Return the file's content, or None when there is no file. Raises UsageError when it cannot be used."""
    import tomllib  # noqa: PLC0415 - --help does not need it

    try:
        with path.open("rb") as file:
            _check_writers(path, os.fstat(file.fileno()))
            return tomllib.loads(file.read().decode("utf-8-sig"))  # Windows editors begin a file with a byte order mark
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            phrase("{path} cannot be read: {problem}.", path=path, problem=error.strerror),
            "Check it, or name another file with --config.",
        ) from None
    except UnicodeDecodeError:
        raise UsageError(phrase("{path} is not UTF-8 text.", path=path), "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        hint: str = 'Fix that line. Put text in quotes, also a campaign: campaign = "00001".'
        if _ESCAPE.search(str(error)):
            hint = phrase("Put a path with backslashes into single quotes: {key} = '...'.", key="ca_file")
        raise UsageError(phrase("{path} is not TOML: {problem}.", path=path, problem=error), hint) from None


def _check_writers(path: Path, facts: os.stat_result) -> None:
    # The file sets the server and the password command, so that only its owner and root may write it.
    if not stat.S_ISREG(facts.st_mode):
        return
    try:
        check_own(path, facts, roots=True)
    except NotOwnError as error:
        raise UsageError(
            phrase("{path} is not used: {problem}.", path=path, problem=ours(str(error.strerror))), error.hint
        ) from None


def write_config(path: Path, text: str) -> None:
    """Write a new file, private to its owner. Raises UsageError when it exists or cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "x", encoding="utf-8", newline="\n", opener=private) as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            phrase("{path} already exists.", path=path), "Edit it, or name another place with --config."
        ) from None
    except OSError as error:
        raise UsageError(
            phrase("{path} cannot be written: {problem}.", path=path, problem=error.strerror),
            "Name another place with --config.",
        ) from None


SOURCES = ("password_env", "password_file", "password_command")
RIVALS = (("url", "system"), ("campaign", "campaign_column"), SOURCES)
"""Mutually exclusive options: the one from the closest source replaces the others."""

ADDED_UP = ("keep",)
"""Options whose values from all sources are combined: a number in any keep list is kept."""

CHOOSERS = ("config", "profile")
"""The options that choose a profile; a profile cannot contain them."""

_DEFAULT = "default_profile"
_TOP = ("defaults", "profile", _DEFAULT)


@dataclass(frozen=True, slots=True)
class Profile:
    """The values of the chosen profile and of [defaults], by key. `name` is empty when none is chosen."""

    file: Path
    name: str = ""
    there: bool = False
    entries: Mapping[str, Entry] = field(default_factory=dict)


@cache
def settings_of(command: click.Command) -> Mapping[str, click.Parameter]:
    """Return the settings of a command, or of all commands in a group, by their keys in the file."""
    if isinstance(command, click.Group):
        found: dict[str, click.Parameter] = {}
        for each in command.commands.values():
            for key, param in settings_of(each).items():
                found.setdefault(key, param)  # from the first command, `plan` or `run`, whose options have defaults
        return found
    return {key: param for param in command.params if (key := key_of(param))}


def key_of(param: click.Parameter) -> str:
    """Return an option's key in the file: its flag with underscores. It is empty if the file may not set the option.

    The file may set it only if it has a variable. `--yes` has none.
    """
    if not param.envvar or param.name in CHOOSERS:
        return ""
    flag = next((name for name in param.opts if name.startswith("--")), param.opts[0])
    return flag.removeprefix("--").replace("-", "_")


def load(file: Path, name: str, known: Mapping[str, click.Parameter], *, needed: bool, new: bool = False) -> Profile:
    """Return the profile with this name, or the file's default profile for an empty name.

    All tables of the file are checked. Raises UsageError, also when the file is `needed` and missing. With `new`
    neither the file nor the profile need to exist.
    """
    tables = read_config(file)
    if tables is None:
        if (needed or name) and not new:
            what = phrase("so there is no profile {name!r}", name=name) if name else phrase("which --config names")
            raise UsageError(
                phrase("There is no file {file}, {what}.", file=file, what=what),
                "Make one with: bulk-remove config init",
            )
        return Profile(file, name)
    for key in tables:
        if key not in _TOP:
            hint = (
                phrase("Put it under [defaults] or [profile.NAME]: {key} = ...", key=key)
                if key in known
                else nearest(key, _TOP)
            )
            raise Entry(file, "", key).error("is not known there", hint)
    defaults = _table(file, "defaults", tables.get("defaults", {}), known)
    profiles = {
        each: _table(file, f"profile.{each}", table, known)
        for each, table in _dict(Entry(file, "", "profile"), tables.get("profile", {})).items()
    }
    chosen = name or tables.get(_DEFAULT, "")
    if not isinstance(chosen, str):
        hint = phrase('Give a profile\'s name: {default} = "acme".', default=_DEFAULT)
        raise Entry(file, "", _DEFAULT).error("is not text", hint)
    if not chosen or (chosen not in profiles and new):
        return Profile(file, chosen, there=True, entries=defaults)
    if chosen not in profiles:
        asked = phrase("There is no [profile.{chosen}] in {file}", chosen=chosen, file=file)
        raise UsageError(
            phrase("{asked}.", asked=asked)
            if name
            else phrase("{asked}, but its {default} names it.", asked=asked, default=_DEFAULT),
            nearest(chosen, [*profiles]) if profiles else phrase("Add a table [profile.{chosen}].", chosen=chosen),
        )
    return Profile(file, chosen, there=True, entries=_over(defaults, profiles[chosen]))


def profiles_in(file: Path) -> list[str]:
    """Return the names of a file's profiles. Raises UsageError."""
    profiles = (read_config(file) or {}).get("profile", {})
    return [*_dict(Entry(file, "", "profile"), profiles)]


def _dict(place: Entry, table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise place.error("is not a table", "Write it as [defaults] or [profile.NAME], with the settings below.")
    return table


def _table(file: Path, name: str, table: object, known: Mapping[str, click.Parameter]) -> dict[str, Entry]:
    entries = {}
    for key, value in _dict(Entry(file, "", name), table).items():
        entry = Entry(file, name, key, value)
        if key == "password":
            raise entry.error(
                "is refused: this file must not contain a password",
                "Use password_env, password_file, password_command or bulk-remove login.",
            )
        if key not in known:
            raise entry.error("is not a setting", nearest(key, [*known]))
        entries[key] = entry.checked(known[key])
    for rivals in RIVALS:
        both = [key for key in rivals if key in entries and entries[key].value]
        if len(both) > 1:
            raise UsageError(
                phrase("{file}, [{name}] has both {key} and {both}.", file=file, name=name, key=both[0], both=both[1]),
                "Keep one of them.",
            )
    return entries


def _over(defaults: Mapping[str, Entry], own: Mapping[str, Entry]) -> dict[str, Entry]:
    """Merge a profile over the defaults; its values also replace their rivals."""
    replaced = {key for rivals in RIVALS if own.keys() & set(rivals) for key in rivals}
    both = {key for key in ADDED_UP if key in defaults and key in own}
    added = {key: replace(own[key], value=[*defaults[key].value, *own[key].value]) for key in both}
    return {key: entry for key, entry in defaults.items() if key not in replaced} | dict(own) | added


PASSWORD = "BULK_REMOVE_PASSWORD"  # noqa: S105 - a variable's name
_PREFIX = "BULK_REMOVE_"
_OTHER_VARIABLES = {"BULK_REMOVE_CONFIG", "BULK_REMOVE_PROFILE", "BULK_REMOVE_LANG"}
_NEAREST_FIRST = (
    ParameterSource.COMMANDLINE,
    ParameterSource.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP,
    ParameterSource.DEFAULT,
)


def config_file() -> Path:
    """Return the path of the settings file at the platform's place."""
    from bulk_remove.run.folders import default_config_file  # noqa: PLC0415 - --help answers at once

    return default_config_file()


def profile_of(ctx: click.Context) -> Profile:
    """Return the profile of the running command."""
    return ctx.find_object(Profile) or Profile(config_file())


def _choose(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Load the profile once its file and its name are known, before other options are read."""
    known = {**ctx.params, str(param.name): value}
    if "config" in known and "profile" in known and not ctx.resilient_parsing:
        new = isinstance(ctx.command, Configured) and ctx.command.makes_profiles
        settings = settings_of(ctx.find_root().command)
        file, needed = known["config"] or config_file(), known["config"] is not None
        ctx.obj = profile = load(file, known["profile"] or "", settings, needed=needed, new=new)
        named = ((str(each.name), profile.entries.get(key_of(each))) for each in ctx.command.get_params(ctx))
        ctx.default_map = {name: entry.value for name, entry in named if entry}
    return value


_CONFIG: dict[str, Any] = {
    "type": click.Path(path_type=Path, dir_okay=False, readable=False),
    "envvar": "BULK_REMOVE_CONFIG",
    "help": "Read profiles from this file; default: the platform's place.",
}
PLACE = click.Option(["--config"], **_CONFIG)
"""The option --config, for commands that do not read the file."""
CHOICE = (
    click.Option(
        ["--profile"],
        is_eager=True,
        callback=_choose,
        envvar="BULK_REMOVE_PROFILE",
        help="Use this profile; default: the one that the file names.",
    ),
    click.Option(["--config"], is_eager=True, callback=_choose, **_CONFIG),
)
"""The options that choose a profile. They are eager, because the profile gives the other options their defaults."""


class Configured(Helpful):
    """A command; if it has settings, it also has the options that choose a profile."""

    makes_profiles = False
    """Whether the chosen profile, and its file, may be missing."""

    def __init__(self, name: str | None = None, *, params: Sequence[click.Parameter] = (), **properties: Any) -> None:
        choice = CHOICE if any(map(key_of, params)) else ()
        super().__init__(name, params=[*params, *choice], **properties)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; of mutually exclusive ones, keep the one from the closest source."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        _check_variables(ctx)
        check_words(self, ctx, args)
        rest = super().parse_args(ctx, args)
        params = self.get_params(ctx)
        for rivals in RIVALS:
            _keep_the_nearest(ctx, params, rivals)
        entries, given = profile_of(ctx).entries, ctx.get_parameter_source
        for param in params:
            name = str(param.name)
            if name in ADDED_UP:
                told = param.type_cast_value(ctx, param.value_from_envvar(ctx)) or ()
                kept = entries[name].value if name in entries else ()
                ctx.params[name] = tuple(dict.fromkeys((*ctx.params[name], *told, *kept)))
            elif (
                given("profile") is ParameterSource.COMMANDLINE
                and key_of(param)
                and given(name) is ParameterSource.ENVIRONMENT
            ):
                _note_overruled(entries, param)  # the variable may have been forgotten
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A UsageError about a setting that was not typed shows the place it comes from."""
        if "profile" in ctx.params:  # already loaded
            ctx.params = {name: value for name, value in ctx.params.items() if name not in CHOOSERS}
        try:
            return super().invoke(ctx)
        except UsageError as error:
            flags = set(re.findall(r"--[a-z][a-z-]*", error.sentence))
            named = [param for param in self.get_params(ctx) if flags & {*param.opts, *param.secondary_opts}]
            places = [told for param in named if (told := untyped_place(ctx, param))]
            if not places:
                raise
            stands = [phrase("It comes from {place}.", place=place) for place in places]
            hint = joined(" ", [ours(error.hint), *stands])
            raise UsageError(error.sentence, hint) from None


class Program(HelpfulGroup):
    """A group whose commands may take settings from profiles."""

    command_class = Configured
    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the command's name, and --lang from any position."""
        if ctx.parent is None:
            args = [*args, *_without_words()] if _ONLY_LANGUAGE.fullmatch("\n".join(args)) else args
            speak_as_asked(self, args)
            # Out of the environment while the command runs, so that child processes do not inherit it.
            password = os.environ.pop(PASSWORD, None)
            if password is not None:
                ctx.meta[PASSWORD] = password
                ctx.call_on_close(partial(os.environ.__setitem__, PASSWORD, password))
        return super().parse_args(ctx, args)


_ONLY_LANGUAGE = re.compile(r"(--lang[=\n][a-z]+)?")


def _without_words() -> list[str]:
    """Return the command that is meant if none is typed.

    A double click in Windows means the page, a terminal the guided run; elsewhere it is the help.
    """
    if opened_by_double_click():
        return ["ui"]
    at_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    return ["guide"] if at_terminal else []


def check_words(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Raise UsageError for an empty value, or for two different values of an option that takes one.

    Click would silently use the last value, and an empty path would mean the current folder.
    """
    every = copy(command)
    every.params = [copy(param) for param in command.params]
    single = [param for param in every.params if isinstance(param, click.Option) and not param.multiple]
    for param in single:
        param.multiple = True
    given = every.make_parser(ctx).parse_args([*args])[0]
    for each in every.get_params(ctx):
        value = given.get(str(each.name))
        values = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(text, str) and _is_empty(each, text) for text in values):
            raise UsageError(
                phrase("The value of {name} is empty.", name=_called(each)),
                "Give it a value, or leave it out. A script's variable that is not set gives an empty value.",
            )
    twice = next((param for param in single if len({*given.get(str(param.name), ())}) > 1), None)
    if twice is not None:
        raise UsageError(
            phrase(
                "{flag} is given twice, with different values.", flag="/".join([_called(twice), *twice.secondary_opts])
            ),
            "It takes one value: keep one of them.",
        )


def _is_empty(param: click.Parameter, value: str) -> bool:
    """Return whether a value is empty or blank. A blank is a value only for --delimiter."""
    return not value or (not value.strip() and param.name != "delimiter")


def _called(param: click.Parameter) -> str:
    """Return a parameter's name for messages: the flag, or the argument's name in the help."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return (param.metavar or str(param.name).upper()).strip("[].")


_MISSPELT = re.compile(r"bulk[-_]?remove[-_]", re.IGNORECASE)


def _check_variables(ctx: click.Context) -> None:
    """Raise UsageError for a misspelled or empty BULK_REMOVE_ variable; click would ignore it.

    Otherwise a guard set in that variable would have no effect. Names that contain PASSWORD are allowed.
    """
    root = ctx.find_root().command
    settings = {str(param.envvar): param for param in settings_of(root).values()}
    known = settings.keys() | _OTHER_VARIABLES
    for name in sorted(os.environ):
        if not _MISSPELT.match(name) or "PASSWORD" in name.upper():
            continue
        if name not in known:
            raise UsageError(
                phrase("{variable} is not a setting.", variable=harmless(name)), _meant_by(name, known, root)
            )
        param = settings.get(name)
        parts = [os.environ[name]]
        if param is not None and (param.multiple or param.nargs == -1):
            parts = [*param.type.split_envvar_value(parts[0])] or parts
        if any(not part if param is None else _is_empty(param, part) for part in parts):
            raise UsageError(
                phrase("{variable} is set but empty.", variable=name)
                if len(parts) == 1
                else phrase("{variable} has an empty part.", variable=name),
                "Unset it or give it a value.",
            )


def _meant_by(name: str, known: Collection[str], root: click.Command) -> str:
    """Return a hint on a variable that is not a setting."""
    meant = _MISSPELT.sub(_PREFIX, name, count=1).upper().replace("-", "_")
    flag = f"--{meant.removeprefix(_PREFIX).lower().replace('_', '-')}"
    if meant not in known and flag in _flags(root):
        return phrase("{flag} has no variable: type it as a flag.", flag=flag)
    return nearest(meant, [*known])


def _flags(command: click.Command) -> set[str]:
    if isinstance(command, click.Group):
        return set[str]().union(*map(_flags, command.commands.values()))
    return {flag for param in command.params for flag in param.opts}


def _keep_the_nearest(ctx: click.Context, params: Sequence[click.Parameter], rivals: Sequence[str]) -> None:
    sources = {name: ctx.get_parameter_source(name) for name in rivals if ctx.params.get(name)}
    given = {name: _NEAREST_FIRST.index(source) if source in _NEAREST_FIRST else 0 for name, source in sources.items()}
    for param in params:
        name = str(param.name)
        if name in given and given[name] > min(given.values()):
            ctx.params[name] = param.default if isinstance(param.default, str) else None
            ctx.set_parameter_source(name, ParameterSource.DEFAULT)


def _note_overruled(entries: Mapping[str, Entry], param: click.Parameter) -> None:
    key = key_of(param)
    for place in next((rivals for rivals in RIVALS if key in rivals), (key,)):
        if place in entries:
            told = phrase("{envvar} is set and overrides {place}.", envvar=param.envvar, place=entries[place])
            click.echo(translated(told), err=True)


def untyped_place(ctx: click.Context, param: click.Parameter) -> str:
    """Return the variable, or the file and key, that an option's value comes from; empty if it was typed."""
    source = ctx.get_parameter_source(str(param.name))
    if source is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    if source is ParameterSource.DEFAULT_MAP:
        return str(profile_of(ctx).entries[key_of(param)])
    return ""


VARIABLE = "_BULK_REMOVE_COMPLETE"
"""If this variable is set, the command completes words instead of running; click derives its name."""
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


class RunId(click.ParamType[str]):
    """The id of a run of this machine; a shell completes it, the latest run first."""

    name = "run"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        """Return the id unchecked; the command itself looks for the run."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's own signature
        """Return the ids that begin with `incomplete`."""
        from bulk_remove.run.folders import run_folders  # noqa: PLC0415 - --help answers at once

        with suppress(OSError):
            names = [folder.name for folder in reversed(run_folders(_state_dir(ctx)))]
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return []


class RunOrReport(RunId):
    """The id of a run, or the path of a report."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the ids that begin with `incomplete`; if there are none, let the shell complete files."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


def _state_dir(ctx: click.Context) -> Path:
    """Return the folder of runs from the command line or the environment, the profile, or the default."""
    from bulk_remove.run.folders import default_state_dir  # noqa: PLC0415 - --help answers at once

    place = ctx.params.get("state_dir")
    with suppress(UsageError):  # an error in the file is reported when a command runs
        file, name = ctx.params.get("config") or config_file(), ctx.params.get("profile") or ""
        entries = load(file, name, settings_of(ctx.find_root().command), needed=False).entries
        place = place or (entries["state_dir"].value if "state_dir" in entries else None)
    return Path(place) if place else default_state_dir()


@click.command(cls=Configured)
@click.argument("shell", type=click.Choice([*_SHELLS]))
def completion(shell: str) -> None:
    r"""Print the script with which a shell completes commands.

    \b
    Example:  echo 'eval "$(bulk-remove completion bash)"' >> ~/.bashrc
              echo 'eval "$(bulk-remove completion zsh)"' >> ~/.zshrc
              bulk-remove completion fish > ~/.config/fish/completions/bulk-remove.fish
    """
    root = click.get_current_context().find_root()
    click.echo(_SHELLS[shell](root.command, {}, "bulk-remove", VARIABLE).source())
