"""The jobs of `config`, `login` and `logout`, and the text of the settings file."""

import asyncio
import json
import os
import re
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bulk_remove.cli.given import (
    ServerAccess,
    check_keyring,
    forget_password,
    password_variable,
    server_of,
    store_password,
    take,
)
from bulk_remove.cli.help_pages import LANGUAGE
from bulk_remove.cli.profiles import (
    PASSWORD,
    SOURCES,
    key_of,
    profile_of,
    settings_of,
    untyped_place,
    write_config,
)
from bulk_remove.errors import ExitCode, UsageError
from bulk_remove.language import language_in_use, phrase, say, translated
from bulk_remove.run.folders import default_config_file
from bulk_remove.settings import Address, Login, Settings

_HIDDEN = phrase("(not shown)")


def init_job(config: Path | None) -> int:
    """Write a first settings file. Raises UsageError when the file exists."""
    file = config or default_config_file()
    write_config(file, starter(settings_of(click.get_current_context().find_root().command)))
    click.echo(say("Written: {file}", file=file))
    return ExitCode.OK


def path_job(config: Path | None) -> int:
    """Print the path of the settings file."""
    click.echo(config or default_config_file())
    return ExitCode.OK


def show_job(typed: Mapping[str, object]) -> int:
    """Print every setting, its value and its source. `typed` are the options as they were typed."""
    ctx = click.get_current_context()
    profile = profile_of(ctx)
    # Commands do not get the language as an option, because it has already taken effect.
    ctx.params[LANGUAGE] = language = language_in_use().code
    typed = {**typed, LANGUAGE: language}
    click.echo(say("File:    {file}{state}", file=profile.file, state="" if profile.there else phrase(" (not there)")))
    click.echo(
        say("Profile: {name}{why}\n", name=profile.name or phrase("(none)"), why=_why(ctx) if profile.name else "")
    )
    rows = [*_rows(ctx, typed), ("password", *_password(ctx))]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for key, value, source in rows:
        click.echo(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip())
    return ExitCode.OK


def _why(ctx: click.Context) -> str:
    if ctx.get_parameter_source("profile") is ParameterSource.COMMANDLINE:
        return " (--profile)"
    if ctx.get_parameter_source("profile") is ParameterSource.ENVIRONMENT:
        return " (BULK_REMOVE_PROFILE)"
    return " (default_profile)"


def _rows(ctx: click.Context, typed: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    for param in ctx.command.get_params(ctx):
        if key := key_of(param):
            place = untyped_place(ctx, param)
            if ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE:
                flag = isinstance(param, click.Option)
                where = say("flag {flag}", flag=param.opts[0]) if flag else translated("argument")
                yield key, _shown(param, typed[str(param.name)]), where
            else:
                yield key, _shown(param, _as_written(ctx, param)), place or translated("default")


def untyped_notes() -> Iterator[str]:
    """Yield a sentence for each source of settings that were not typed, with these settings."""
    ctx = click.get_current_context()
    profile = profile_of(ctx)
    told: dict[str, list[str]] = {}
    for param in ctx.command.get_params(ctx):
        source = ctx.get_parameter_source(str(param.name))
        key = key_of(param)
        if key and source in {ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP}:
            table = profile.entries[key].table if source is ParameterSource.DEFAULT_MAP else ""
            told.setdefault(table, []).append(f"{key} = {_shown(param, _as_written(ctx, param))}")
    for table, listed in told.items():
        settings = ", ".join(listed)
        if not table:
            yield phrase("Settings from environment variables: {settings}.", settings=settings)
            continue
        why = _why(ctx) if profile.name and table != "defaults" else ""
        yield phrase(
            "Settings from [{table}]{why} in {file}: {settings}.",
            table=table,
            why=why,
            file=profile.file,
            settings=settings,
        )


def _as_written(ctx: click.Context, param: click.Parameter) -> Any:
    """Return the value as it was written: 30m is easier to read than 1800.0."""
    source = ctx.get_parameter_source(str(param.name))
    if source is ParameterSource.ENVIRONMENT and not isinstance(ctx.params.get(str(param.name)), bool):
        return os.environ[str(param.envvar)]
    if source is ParameterSource.DEFAULT_MAP:
        return profile_of(ctx).entries[key_of(param)].value
    if source is ParameterSource.DEFAULT and isinstance(param.default, str):
        return param.default
    return ctx.params.get(str(param.name))


def _shown(param: click.Parameter, value: Any) -> str:
    """Return a value for the screen, without anything that may be a secret."""
    if value is None or value in ("", (), []):
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(_shown(param, each) for each in value)
    return _without_secrets(str(param.name), str(value))


def _without_secrets(name: str, value: str) -> str:
    if name == "password_command":
        return translated(_HIDDEN)
    if name == "password_env" and not os.environ.get(value):
        return translated("(a variable that is not set)")  # the name may be the password, given by mistake
    if name in {"url", "proxy"}:
        return f"***@{value.rpartition('@')[2]}" if "@" in value else value  # credentials end at the last @
    if "://" in value:
        # The address of a message service contains its key in the path.
        return f"{value.partition('://')[0]}://{translated(_HIDDEN)}"
    return value


def _password(ctx: click.Context) -> tuple[str, str]:
    if password_variable():
        return translated(_HIDDEN), PASSWORD
    source = next((source for source in SOURCES if ctx.params[source]), "")
    return translated(_HIDDEN) if source else "-", source or translated(
        "the system keyring, if it has a password for this server and user"
    )


def login_job(**given: Any) -> int:
    """Ask for a password, try it and store it. Raises UsageError, RefusedError, UnavailableError."""
    options = take(ServerAccess, given)
    address = options.server.address()
    user = _user(options)
    check_keyring()
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask for the password.", "Give it with --password-file instead.")
    login = Login(
        user,
        click.prompt(say("Password of {user} at {host}", user=user, host=address.host), hide_input=True, err=True),
    )
    if given["check"]:
        asyncio.run(_tried(options.given.settings(campaign="00000"), address, login))  # the campaign is not used
        click.echo(say("{host} accepts this user.", host=address.host))
    name = store_password(server_of(address), user, login.password)
    click.echo(say("The password is stored in the keyring: {name}.", name=name))
    return ExitCode.OK


async def _tried(settings: Settings, address: Address, login: Login) -> None:
    from bulk_remove.run.preflight import connection, inspect_server  # noqa: PLC0415 - likewise
    from bulk_remove.sending.client import Client  # noqa: PLC0415 - heavy, and --no-check needs none of it

    async with Client(connection(settings, address, login)) as client:
        await inspect_server(client, address.base_path, time.time())


def logout_job(**given: Any) -> int:
    """Delete a stored password. Raises UsageError."""
    options = take(ServerAccess, given)
    address, user = options.server.address(), _user(options)
    found = forget_password(server_of(address), user)
    told = (
        "The password of {user} at {host} is deleted from the keyring."
        if found
        else "The password of {user} at {host} was not in the keyring."
    )
    click.echo(say(told, user=user, host=address.host))
    return ExitCode.OK


def _user(options: ServerAccess) -> str:
    if not options.user.user:
        raise UsageError("No API user is given.", "Set --user or BULK_REMOVE_USER.")
    return options.user.user


_HEAD = """\
# Profiles of bulk-remove. Every setting is also a flag and an environment variable: max_request_line is
# --max-request-line and BULK_REMOVE_MAX_REQUEST_LINE. A flag wins over a variable, a variable over this file.
# `bulk-remove config show` shows the values in effect, and where they come from.
# Relative paths start from this file's folder; ~ is the home folder. This file must not contain a password.

# The profile to use without --profile:
# default_profile = "acme"

# [profile.acme]
# system = "acme"
# user = "api"
# campaign = "00001"
# password_file = "acme-password"

# Settings of all profiles, unless a profile has its own value.
[defaults]
"""


def starter(settings: Mapping[str, click.Parameter]) -> str:
    """Return the text of the file for these settings."""
    return _HEAD + "".join(f"\n{_about(param)}# {key} = {_value(param)}\n" for key, param in settings.items())


def _about(param: click.Parameter) -> str:
    help_text = param.help if isinstance(param, click.Option) else "The files that plan and run read if none are given."
    return f"# {help_text}\n" if help_text else ""


def _value(param: click.Parameter) -> str:
    """Return the option's default as TOML, or an example of the right type."""
    if param.multiple or param.nargs == -1:
        return "[]"
    if isinstance(param.default, bool | int | float | str):
        return _toml(param.default)
    if isinstance(param.type, click.types.BoolParamType):
        return "true"
    if isinstance(param.type, click.Choice):
        return _toml(str(next(iter(param.type.choices))))
    return _toml(_EXAMPLES.get(param.type.name, ""))


_EXAMPLES: dict[str, Any] = {
    "integer": 1,
    "float": 1.0,
    "duration": "30s",
    "time": "06:00",
    "share": "5%",
    "directory": "...",
    "file": "...",
}


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # for these values JSON is also TOML


_FIRST = """\
# Profiles of bulk-remove: `bulk-remove setup` asks for the settings below, `bulk-remove config show` shows all.
# This file must not contain a password.
"""
_ENTRY = re.compile(r"""(\s*([A-Za-z0-9_-]+)\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"'\[{]+)(\s*(?:\#.*)?)""")
_DEFAULT_IN_A_COMMENT = re.compile(r"#\s*default_profile\s*=.*")


def with_profile(text: str, name: str, values: Mapping[str, Any]) -> str | None:
    """Return a settings file's text with values of a profile changed, and everything else as it is.

    A value of None removes the setting. The first profile of a file becomes its default profile. Returns None if the
    text is written in a way in which this cannot be done.
    """
    wanted = tomllib.loads(text)
    first = not any(wanted.values())
    lines = (text.replace("\r\n", "\n") or _FIRST).split("\n")
    changed = _with_table(_with_default(lines, name) if first else lines, name, values)
    wanted |= {"default_profile": name} if first else {}
    table = wanted.setdefault("profile", {}).setdefault(name, {})
    table |= {key: value for key, value in values.items() if value is not None}
    for key in [key for key in table if values.get(key, "") is None]:
        del table[key]
    result = ("\r\n" if "\r\n" in text else "\n").join(changed)
    return result if _parsed(result) == wanted else None


def _with_default(lines: Sequence[str], name: str) -> list[str]:
    """Return the lines with the default profile before the first table, below a comment on it if there is one."""
    first = next((place for place, line in enumerate(lines) if _table(line) is not None), len(lines))
    comments = (place for place, line in enumerate(lines[:first], 1) if _DEFAULT_IN_A_COMMENT.fullmatch(line))
    place = next(comments, first)
    return [*lines[:place], f"default_profile = {_toml(name)}", *([""] * (place == first)), *lines[place:]]


def _with_table(lines: Sequence[str], name: str, values: Mapping[str, Any]) -> list[str]:
    begin = next((place for place, line in enumerate(lines) if _table(line) == {"profile": {name: {}}}), None)
    if begin is None:
        key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        return [*lines, "", f"[profile.{key}]", *_entries(values), ""]
    after = (place for place, line in enumerate(lines[begin + 1 :], begin + 1) if _table(line) is not None)
    end = next(after, len(lines))
    left, own, last = dict(values), [lines[begin]], 1
    for line in lines[begin + 1 : end]:
        found = _ENTRY.fullmatch(line)
        if found and found[2] in left:
            value = left.pop(found[2])
            if value is None:
                continue
            if (_parsed(line) or {}).get(found[2]) != value:
                line = f"{found[1]}{_toml(value)}{found[4]}"  # noqa: PLW2901 - the same line with its new value
        own.append(line)
        last = len(own) if line.strip() and not line.lstrip().startswith("#") else last
    return [*lines[:begin], *own[:last], *_entries(left), *own[last:], *lines[end:]]


def _entries(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]


def _table(line: str) -> dict[str, Any] | None:
    """Return the table that a line begins, such as {"profile": {"acme": {}}}; None if it begins none."""
    return _parsed(line) if line.lstrip().startswith("[") else None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
