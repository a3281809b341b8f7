"""The text of a first profiles file: every setting with its help, commented out."""

import json
from collections.abc import Mapping
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
