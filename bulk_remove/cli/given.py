"""What the options that were given amount to: settings, changes to a run's, the address, the state folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bulk_remove.adapters.folders import default_state_dir
from bulk_remove.core.forms import parse_also_try
from bulk_remove.errors import UsageError
from bulk_remove.settings import Address, Settings


def settings_from(options: dict[str, Any]) -> Settings:
    """Build the settings out of whichever options a command has. Raises UsageError."""
    own = {name: options[name] for name in Settings.__dataclass_fields__ if name in options}
    own |= {name: convert(options[name]) for name, convert in _CONVERTED.items() if name in options}
    own |= {f"{name}_s": options[name] for name in _DURATIONS if name in options}
    return Settings(**own)


def _delimiter(value: str | None) -> str | None:
    return {"tab": "\t", "\\t": "\t"}.get(value, value) if value else None


# How the text of an option becomes a setting, where the setting does not take the text.
_CONVERTED: dict[str, Callable[[str], Any]] = {"also_try": parse_also_try, "delimiter": _delimiter}
_DURATIONS = tuple(name.removesuffix("_s") for name in Settings.__dataclass_fields__ if name.endswith("_s"))


def changes_from(options: dict[str, Any], *, typed_only: bool) -> dict[str, Any]:
    """Return the settings that were given, by name, for a command whose settings are those of an earlier run.

    With `typed_only` what the environment says does not count: it was not meant for that run. But numbers that must
    never be removed count wherever they are named.
    """
    names = {**{name: f"{name}_s" for name in _DURATIONS}, **{name: name for name in Settings.__dataclass_fields__}}
    given = {
        setting: options[name]
        for name, setting in names.items()
        if options.get(name) not in (None, "", ()) and (not typed_only or name == "keep" or _was_typed(name))
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
        raise UsageError(
            "No server is given.", "Set --url, --system or BULK_REMOVE_URL, or use a profile: bulk-remove config."
        )
    return Address.parse(url)


def state_dir_from(options: dict[str, Any]) -> Path:
    """Return the folder for the state of all runs."""
    return options["state_dir"] or default_state_dir()
