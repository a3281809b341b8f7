"""Commands whose options have a profile's values as defaults: a flag wins over a variable, and that over the profile.

It is click's own mechanism, `default_map`, so that a value is checked in the same way wherever it comes from. A profile
holds the settings of one system, in a TOML file; each value is held against its option. The module also completes run
ids in a shell; click itself completes commands, flags and files.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from bulk_remove.cli.help_pages import Helpful, HelpfulGroup, nearest
from bulk_remove.cli.spoken import language_option, speak_as_asked
from bulk_remove.core.model import harmless
from bulk_remove.disk import NotOwnError, check_own, private
from bulk_remove.errors import UsageError
from bulk_remove.language import Phrase, joined, ours, phrase, translated
from bulk_remove.run.folders import default_config_file, default_state_dir, run_folders


@dataclass(frozen=True, slots=True)
class TomlPlace:
    """Where a value stands: the file, the table's name (empty at the top) and the key."""

    file: Path
    table: str
    key: str

    def __str__(self) -> str:
        return f"{self.file}, {f'[{self.table}] ' if self.table else ''}{self.key}"

    def error(self, wrong: str, hint: str) -> UsageError:
        """Return the error that says what is wrong with the value. The value is not repeated: it may be a secret."""
        return UsageError(phrase("{place} {wrong}.", place=self, wrong=ours(wrong)), hint)


def check_entry(param: click.Parameter, value: Any, place: TomlPlace) -> Any:
    """Return a TOML value as the option's own default would be written. Raises UsageError when it cannot be."""
    if not (param.multiple or param.nargs == -1):
        return _single(param, value, place)
    if not isinstance(value, list):
        raise place.error(
            phrase("is {kind}, not a list", kind=_kind(value)), phrase('Give a list: {key} = ["..."].', key=place.key)
        )
    return [_single(param, item, place) for item in value]


def _single(param: click.Parameter, value: Any, place: TomlPlace) -> Any:
    types, wanted, given = _wanted(param)
    given = f"[{given}]" if param.multiple or param.nargs == -1 else given
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise place.error(
            phrase("is {kind}, not {wanted}", kind=_kind(value), wanted=wanted),
            phrase("Give {wanted}: {key} = {given}.", wanted=wanted, key=place.key, given=given),
        )
    if isinstance(param.type, click.Path):
        value = _path(str(value), place.file)
    elif str in types:
        value = str(value)  # our own types read text alone: 90 is as good as "90"
    if isinstance(param.type, click.Path) and value == "" and param.default != "":
        raise place.error("is empty", "Name it, or leave it out.")
    try:
        param.type.convert(value, param, None)
    except click.BadParameter as error:
        raise place.error(
            phrase("cannot be: {message}", message=error.message.rstrip(".")),
            phrase("Give {wanted}: {key} = {given}.", wanted=wanted, key=place.key, given=given),
        ) from None
    return value


def _wanted(param: click.Parameter) -> tuple[tuple[type, ...], str, str]:
    """Return which TOML values an option takes, in words, and an example."""
    kind = param.type
    if isinstance(kind, click.types.BoolParamType):
        return (bool,), phrase("true or false"), "true"
    if isinstance(kind, type(click.INT)):
        return (int,), phrase("a whole number"), "4"
    if isinstance(kind, type(click.FLOAT)):
        return (int, float), phrase("a number"), "2.5"
    if isinstance(kind, click.Choice):
        return (
            (str,),
            phrase("one of {listed}, in quotes", listed=", ".join(map(str, kind.choices))),
            f'"{next(iter(kind.choices))}"',
        )
    if isinstance(kind, click.Path | click.types.StringParamType):
        return (str,), phrase("text, in quotes"), '"..."'
    return (str, int, float, time), phrase("a {name}, in quotes", name=ours(kind.name)), _example(param)


def _example(param: click.Parameter) -> str:
    return f'"{param.default}"' if isinstance(param.default, str) and param.default else '"..."'


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: phrase("text"),
    list: "a list",
}


def _kind(value: Any) -> Phrase:
    return ours(_KINDS.get(type(value), "a table" if isinstance(value, dict) else "a date or time"))


def _path(value: str, file: Path) -> str:
    """Return a path as it is meant in the file: ~ is the home folder, and others start from the file's own folder."""
    return value if value in {"", "-"} else os.path.join(file.parent, os.path.expanduser(value))  # noqa: PTH111, PTH118 - a pattern or a trailing slash must stay as it is


def read_config(path: Path) -> dict[str, Any] | None:
    """Return what the file says, or None when there is no such file. Raises UsageError when it cannot be used."""
    import tomllib  # noqa: PLC0415 - only where there may be a file: --help needs none

    try:
        with path.open("rb") as file:
            _check_writers(path, os.fstat(file.fileno()))
            return tomllib.loads(file.read().decode("utf-8-sig"))  # Windows editors put a byte order mark in front
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
        raise UsageError(
            phrase("{path} is not TOML: {problem}.", path=path, problem=error),
            'Mend that line. Text stands in quotes, a campaign too: campaign = "00001".',
        ) from None


def _check_writers(path: Path, facts: os.stat_result) -> None:
    # Whoever writes it chooses the server, and the command that is run for the password. Root may write everywhere.
    if not stat.S_ISREG(facts.st_mode):
        return
    try:
        check_own(path, facts, roots=True)
    except NotOwnError as error:
        raise UsageError(
            phrase("{path} is not used: {problem}.", path=path, problem=ours(str(error.strerror))), error.hint
        ) from None


def write_config(path: Path, text: str) -> None:
    """Write a new file for its owner alone. Raises UsageError when there is one already, or it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "x", encoding="utf-8", newline="\n", opener=private) as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            phrase("{path} is there already.", path=path), "Edit it, or name another place with --config."
        ) from None
    except OSError as error:
        raise UsageError(
            phrase("{path} cannot be written: {problem}.", path=path, problem=error.strerror),
            "Name another place with --config.",
        ) from None


RIVALS = (
    ("url", "system"),
    ("campaign", "campaign_column"),
    ("password_env", "password_file", "password_command"),
)
"""Of each of these one is wanted: what is told nearer by takes the place of all of them."""

ADDED_UP = ("keep",)
"""What is told in several places holds together: a number that one list keeps is kept, whatever else is typed."""

CHOOSERS = ("config", "profile")
"""The options that choose a profile; they cannot stand in one."""

_DEFAULT = "default_profile"
_TOP = ("defaults", "profile", _DEFAULT)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as an option takes it, which may be a secret and is never shown, and where it stands."""

    value: Any = field(repr=False)
    place: TomlPlace


@dataclass(frozen=True, slots=True)
class Profile:
    """The chosen profile over the table [defaults], by key. `name` is empty when none is chosen."""

    file: Path
    name: str = ""
    there: bool = False
    entries: Mapping[str, Entry] = field(default_factory=dict)


@cache
def settings_of(command: click.Command) -> Mapping[str, click.Parameter]:
    """Return what can be set in the file, by key: each option of a command, or of those below, with a variable."""
    if isinstance(command, click.Group):
        found: dict[str, click.Parameter] = {}
        for each in command.commands.values():
            for key, param in settings_of(each).items():
                found.setdefault(key, param)  # the first command's: a run's has the default, a later session's has none
        return found
    return {key_of(param): param for param in command.params if is_setting(param)}


def is_setting(param: click.Parameter) -> bool:
    """Whether an option can be set in the file: those that have a variable. `--yes` has none."""
    return bool(param.envvar) and param.name not in CHOOSERS


def key_of(param: click.Parameter) -> str:
    """Return an option's key in the file: its flag with underscores."""
    flag = next((name for name in param.opts if name.startswith("--")), param.opts[0])
    return flag.removeprefix("--").replace("-", "_")


def load(file: Path, name: str, known: Mapping[str, click.Parameter], *, needed: bool) -> Profile:
    """Read the file whole and return the profile of a name, or the file's own default for an empty one.

    Every table is checked, the others too. Raises UsageError; also when the file is `needed` and not there.
    """
    tables = read_config(file)
    if tables is None:
        if needed or name:
            what = phrase("so there is no profile {name!r}", name=name) if name else phrase("which --config names")
            raise UsageError(
                phrase("There is no file {file}, {what}.", file=file, what=what),
                "Make one with: bulk-remove config init",
            )
        return Profile(file)
    for key in tables:
        if key not in _TOP:
            hint = (
                phrase("Put it under [defaults] or [profile.NAME]: {key} = ...", key=key)
                if key in known
                else nearest(key, _TOP)
            )
            raise TomlPlace(file, "", key).error("is not known there", hint)
    defaults = _table(file, "defaults", tables.get("defaults", {}), known)
    profiles = {
        each: _table(file, f"profile.{each}", table, known)
        for each, table in _dict(TomlPlace(file, "", "profile"), tables.get("profile", {})).items()
    }
    chosen = name or _default_of(file, tables)
    if not chosen:
        return Profile(file, there=True, entries=defaults)
    if chosen not in profiles:
        asked = phrase("There is no [profile.{chosen}] in {file}", chosen=chosen, file=file)
        raise UsageError(
            phrase("{asked}.", asked=asked)
            if name
            else phrase("{asked}, which its {default} names.", asked=asked, default=_DEFAULT),
            nearest(chosen, [*profiles]) if profiles else phrase("Add a table [profile.{chosen}].", chosen=chosen),
        )
    return Profile(file, chosen, there=True, entries=_over(defaults, profiles[chosen]))


def profiles_in(file: Path) -> list[str]:
    """Return the names of a file's profiles. Raises UsageError."""
    profiles = (read_config(file) or {}).get("profile", {})
    return [*_dict(TomlPlace(file, "", "profile"), profiles)]


def _default_of(file: Path, tables: Mapping[str, Any]) -> str:
    chosen = tables.get(_DEFAULT, "")
    if not isinstance(chosen, str):
        raise TomlPlace(file, "", _DEFAULT).error(
            "is not text", phrase('Give a profile\'s name: {default} = "acme".', default=_DEFAULT)
        )
    return chosen


def _dict(place: TomlPlace, table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise place.error("is not a table", "Write it as [defaults] or [profile.NAME], with the settings below.")
    return table


def _table(file: Path, name: str, table: object, known: Mapping[str, click.Parameter]) -> dict[str, Entry]:
    entries = {}
    for key, value in _dict(TomlPlace(file, "", name), table).items():
        place = TomlPlace(file, name, key)
        if key == "password":
            raise place.error(
                "is refused: a password does not stand in this file",
                "Use password_env, password_file, password_command or bulk-remove login.",
            )
        if key not in known:
            raise place.error("is not a setting", nearest(key, [*known]))
        entries[key] = Entry(check_entry(known[key], value, place), place)
    for rivals in RIVALS:
        both = [key for key in rivals if key in entries and entries[key].value]
        if len(both) > 1:
            raise UsageError(
                phrase("{file}, [{name}] has both {key} and {both}.", file=file, name=name, key=both[0], both=both[1]),
                "Keep one of them.",
            )
    return entries


def _over(defaults: Mapping[str, Entry], own: Mapping[str, Entry]) -> dict[str, Entry]:
    """Lay a profile over the defaults; what it says replaces the rivals, too."""
    replaced = {key for rivals in RIVALS if own.keys() & set(rivals) for key in rivals}
    both = {key for key in ADDED_UP if key in defaults and key in own}
    added = {key: Entry([*defaults[key].value, *own[key].value], own[key].place) for key in both}
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


def config_file_of(config: Path | None) -> Path:
    """Return the file that is read for profiles, whether it is there or not."""
    return config or default_config_file()


def profile_of(ctx: click.Context) -> Profile:
    """Return the profile of a command that runs."""
    found = ctx.find_object(Profile)
    return found or Profile(default_config_file())


def _choose(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Load the profile as soon as both its file and its name are known, before any other option is read."""
    known = {**ctx.params, str(param.name): value}
    if "config" in known and "profile" in known and not ctx.resilient_parsing:
        config = known["config"]
        root = ctx.find_root().command
        profile = load(config_file_of(config), known["profile"] or "", settings_of(root), needed=config is not None)
        ctx.obj = profile
        keys = {key_of(each): each.name for each in ctx.command.get_params(ctx) if is_setting(each)}
        ctx.default_map = {str(keys[key]): entry.value for key, entry in profile.entries.items() if key in keys}
    return value


def _config(**properties: Any) -> click.Option:
    return click.Option(
        ["--config"],
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        envvar="BULK_REMOVE_CONFIG",
        help="Read profiles from this file; default: the platform's place.",
        **properties,
    )


PLACE = _config()
"""Says where the file is, for commands that do not read it."""
CHOICE = (
    click.Option(
        ["--profile"],
        is_eager=True,
        callback=_choose,
        envvar="BULK_REMOVE_PROFILE",
        help="Use this profile; default: the one that the file names.",
    ),
    _config(is_eager=True, callback=_choose),
)
"""Chooses a profile. Eager: what it holds must be known before the other options are read."""


class Configured(Helpful):
    """A command; where it has settings, also options to choose the profile that they come from."""

    def __init__(
        self, name: str | None = None, *, params: Sequence[click.Parameter] | None = None, **properties: Any
    ) -> None:
        own = [*(params or ())]
        choice = CHOICE if any(map(is_setting, own)) else ()
        super().__init__(name, params=[*own, *choice, language_option()], **properties)
        self.help = _with_marks(self.help)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; of those that exclude each other the one told nearer by stays."""
        if not ctx.resilient_parsing:
            _check_variables(ctx)
            check_words(self, ctx, args)
        rest = super().parse_args(ctx, args)
        for rivals in RIVALS:
            _keep_the_nearest(ctx, rivals)
        for param in self.get_params(ctx):
            if param.name in ADDED_UP and not ctx.resilient_parsing:
                ctx.params[param.name] = _added_up(ctx, param)
        for told in _overruled(ctx):
            click.echo(translated(told), err=True)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A UsageError about a setting that was not typed says where it stands."""
        if "profile" in ctx.params:  # has been chosen by now
            ctx.params = {name: value for name, value in ctx.params.items() if name not in CHOOSERS}
        try:
            return super().invoke(ctx)
        except UsageError as error:
            flags = set(re.findall(r"--[a-z][a-z-]*", error.sentence))
            named = [param for param in self.get_params(ctx) if flags & {*param.opts, *param.secondary_opts}]
            places = [told for param in named if (told := untyped_place(ctx, param))]
            if not places:
                raise
            stands = [phrase("It stands in {place}.", place=place) for place in places]
            hint = joined(" ", [ours(error.hint), *stands])
            raise UsageError(error.sentence, hint) from None


class Program(HelpfulGroup):
    """A group whose commands, and those of groups in it, are configured."""

    command_class = Configured
    group_class = type

    def __init__(self, name: str | None = None, **properties: Any) -> None:
        super().__init__(name, **properties)
        self.params.append(language_option())
        self.help = _with_marks(self.help)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what stands before the command's name; the language is taken from wherever it stands."""
        if ctx.parent is None:
            speak_as_asked(self, args)
            _take_password(ctx)
        return super().parse_args(ctx, args)


def _take_password(ctx: click.Context) -> None:
    """Take the password out of the environment while the command runs: no process that it starts inherits it."""
    password = os.environ.pop(PASSWORD, None)
    if password is not None:
        ctx.meta[PASSWORD] = password
        ctx.call_on_close(partial(os.environ.__setitem__, PASSWORD, password))


def _with_marks(text: str | None) -> str | None:
    r"""Return a docstring with click's mark for lines that stay as they are: a raw one spells it `\b`."""
    return None if text is None else text.replace("\\b\n", "\b\n")


def check_words(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Raise UsageError where a value is empty, or an option of one value is given two that differ.

    Click takes the last one silently, and an empty path is the current folder to whoever opens it.
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
    """Tell whether a value says nothing. Blanks do not either, but for a separator."""
    return not value or (not value.strip() and param.name != "delimiter")


def _called(param: click.Parameter) -> str:
    """Return what a user calls a parameter: the flag, or the word for the argument in the help."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return (param.metavar or str(param.name).upper()).strip("[].")


_MISSPELT = re.compile(r"bulk[-_]?remove[-_]", re.IGNORECASE)


def _check_variables(ctx: click.Context) -> None:
    """Raise UsageError for a variable that would not set what it seems to: a guard in it would not hold.

    One is misspelt, also in its prefix, or is empty: click passes over those. The names of passwords are free.
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
        return phrase("{flag} is only a flag, which no variable sets: type it.", flag=flag)
    return nearest(meant, [*known])


def _flags(command: click.Command) -> set[str]:
    if isinstance(command, click.Group):
        return set[str]().union(*map(_flags, command.commands.values()))
    return {flag for param in command.params for flag in param.opts}


def _keep_the_nearest(ctx: click.Context, rivals: Sequence[str]) -> None:
    sources = {name: ctx.get_parameter_source(name) for name in rivals if ctx.params.get(name)}
    given = {name: _NEAREST_FIRST.index(source) if source in _NEAREST_FIRST else 0 for name, source in sources.items()}
    for param in ctx.command.get_params(ctx):
        name = str(param.name)
        if name in given and given[name] > min(given.values()):
            ctx.params[name] = param.default if isinstance(param.default, str) else None
            ctx.set_parameter_source(name, ParameterSource.DEFAULT)


def _added_up(ctx: click.Context, param: click.Parameter) -> tuple[str, ...]:
    """Return what an option says in all places together: on the command line, in its variable, in the profile."""
    told = param.type_cast_value(ctx, param.value_from_envvar(ctx)) or ()
    entry = profile_of(ctx).entries.get(key_of(param))
    return tuple(dict.fromkeys((*ctx.params[str(param.name)], *told, *(entry.value if entry else ()))))


def _overruled(ctx: click.Context) -> Iterator[str]:
    """Say which variables take the place of what stands in a profile that was named: they may be forgotten ones."""
    if ctx.get_parameter_source("profile") is not ParameterSource.COMMANDLINE:
        return
    entries = profile_of(ctx).entries
    for param in ctx.command.get_params(ctx):
        if not is_setting(param) or param.name in ADDED_UP:
            continue
        if ctx.get_parameter_source(str(param.name)) is ParameterSource.ENVIRONMENT:
            key = key_of(param)
            group = next((rivals for rivals in RIVALS if key in rivals), (key,))
            for place in (entries[each].place for each in group if each in entries):
                yield phrase("{envvar} is set, and takes the place of {place}.", envvar=param.envvar, place=place)


def untyped_place(ctx: click.Context, param: click.Parameter) -> str:
    """Return where an option's value stands that was not typed: the variable, or the file and key; else nothing."""
    source = ctx.get_parameter_source(str(param.name))
    if source is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    if source is ParameterSource.DEFAULT_MAP:
        return str(profile_of(ctx).entries[key_of(param)].place)
    return ""


VARIABLE = "_BULK_REMOVE_COMPLETE"
"""What tells the command to complete instead of running; click makes it of the command's name."""
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


class RunId(click.ParamType[str]):
    """The id of a run of this machine; the shell is offered those that there are, the latest first."""

    name = "run"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        """Return it as it is: whether there is such a run is told by what looks for it."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's own signature
        """Return the ids that begin so."""
        with suppress(OSError):
            names = [folder.name for folder in reversed(run_folders(_state_dir(ctx)))]
            return [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return []


class RunOrReport(RunId):
    """The same, or a file where no id begins so."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the ids that begin so, else have the shell look for files."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


def _state_dir(ctx: click.Context) -> Path:
    """Return where the command would look for runs: as typed or in the environment, else as the profile says."""
    return next((Path(place) for place in _places(ctx) if place), default_state_dir())


def _places(ctx: click.Context) -> Iterator[Any]:
    yield ctx.params.get("state_dir")
    with suppress(UsageError):  # a file that is wrong is told when a command runs
        settings = settings_of(ctx.find_root().command)
        profile = load(
            config_file_of(ctx.params.get("config")), ctx.params.get("profile") or "", settings, needed=False
        )
        if (entry := profile.entries.get("state_dir")) is not None:
            yield entry.value


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
