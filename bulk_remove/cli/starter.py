"""The text of a settings file: a first one with every setting commented out, and changes to one profile."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import click

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
