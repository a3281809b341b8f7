"""A profile: the settings of one system, out of a TOML file. Its values become defaults of the commands' options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import click

from bulk_remove.adapters.config_file import read_config
from bulk_remove.cli.toml_values import Place, checked, nearest
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

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
    place: Place


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
            raise Place(file, "", key).error("is not known there", hint)
    defaults = _table(file, "defaults", tables.get("defaults", {}), known)
    profiles = {
        each: _table(file, f"profile.{each}", table, known)
        for each, table in _dict(Place(file, "", "profile"), tables.get("profile", {})).items()
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


def _default_of(file: Path, tables: Mapping[str, Any]) -> str:
    chosen = tables.get(_DEFAULT, "")
    if not isinstance(chosen, str):
        raise Place(file, "", _DEFAULT).error(
            "is not text", phrase('Give a profile\'s name: {default} = "acme".', default=_DEFAULT)
        )
    return chosen


def _dict(place: Place, table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise place.error("is not a table", "Write it as [defaults] or [profile.NAME], with the settings below.")
    return table


def _table(file: Path, name: str, table: object, known: Mapping[str, click.Parameter]) -> dict[str, Entry]:
    entries = {}
    for key, value in _dict(Place(file, "", name), table).items():
        place = Place(file, name, key)
        if key == "password":
            raise place.error(
                "is refused: a password does not stand in this file",
                "Use password_env, password_file, password_command or bulk-remove login.",
            )
        if key not in known:
            raise place.error("is not a setting", nearest(key, [*known]))
        entries[key] = Entry(checked(known[key], value, place), place)
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
