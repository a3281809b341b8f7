"""Commands whose options have a profile's values as defaults: a flag wins over a variable, and that over the profile.

It is click's own mechanism, `default_map`, so that a value is checked in the same way wherever it comes from.
"""

import os
import re
from collections.abc import Iterator, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bulk_remove.adapters.folders import default_config_file
from bulk_remove.cli.profile import ADDED_UP, RIVALS, Profile, is_setting, key_of, load, settings_of
from bulk_remove.cli.spoken import language_option, speak_as_asked
from bulk_remove.cli.toml_values import nearest
from bulk_remove.core.model import harmless
from bulk_remove.errors import UsageError
from bulk_remove.language import joined, ours, phrase, translated

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
        show_envvar=True,
        help="The file with the profiles; else the platform's place.",
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
        show_envvar=True,
        help="The profile to use; else the file's default.",
    ),
    _config(is_eager=True, callback=_choose),
)
"""Chooses a profile. Eager: what it holds must be known before the other options are read."""


class Configured(click.Command):
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
            check_said_once(self, ctx, args)
            _check_variables(ctx)
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


class Program(click.Group):
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


def check_said_once(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Raise UsageError where an option of one value is given two that differ: click takes the last one silently."""
    every = copy(command)
    every.params = [copy(param) for param in command.params]
    single = [param for param in every.params if isinstance(param, click.Option) and not param.multiple]
    for param in single:
        param.multiple = True
    given = every.make_parser(ctx).parse_args([*args])[0]
    twice = next((param for param in single if len({*given.get(str(param.name), ())}) > 1), None)
    if twice is not None:
        flags = "/".join([max(twice.opts, key=len), *twice.secondary_opts])
        raise UsageError(
            phrase("{flag} is given twice, with different values.", flag=flags),
            "It takes one value: keep one of them.",
        )


def _check_variables(ctx: click.Context) -> None:
    """Raise UsageError for a variable with our prefix that no option has: a guard that was misspelt would not hold."""
    known = {str(param.envvar) for param in settings_of(ctx.find_root().command).values()} | _OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known and "PASSWORD" not in name:  # whose names are free
            raise UsageError(phrase("{variable} is not a setting.", variable=harmless(name)), nearest(name, [*known]))


def _keep_the_nearest(ctx: click.Context, rivals: Sequence[str]) -> None:
    given = {name: _rank(ctx, name) for name in rivals if ctx.params.get(name)}
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


def _rank(ctx: click.Context, name: str) -> int:
    source = ctx.get_parameter_source(name)
    return _NEAREST_FIRST.index(source) if source in _NEAREST_FIRST else 0


def untyped_place(ctx: click.Context, param: click.Parameter) -> str:
    """Return where an option's value stands that was not typed: the variable, or the file and key; else nothing."""
    source = ctx.get_parameter_source(str(param.name))
    if source is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    if source is ParameterSource.DEFAULT_MAP:
        return str(profile_of(ctx).entries[key_of(param)].place)
    return ""


def without_profile(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the options without what the profile says of some: it was not meant for an earlier run."""
    ctx = click.get_current_context()
    told = {name for name in names if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP}
    return {name: None if name in told else value for name, value in options.items()}
