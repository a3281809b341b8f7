"""A value of the file with the profiles, held against the option that it stands for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import click

from bulk_remove.errors import UsageError
from bulk_remove.language import Phrase, ours, phrase


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the file, the table's name (empty at the top) and the key."""

    file: Path
    table: str
    key: str

    def __str__(self) -> str:
        return f"{self.file}, {f'[{self.table}] ' if self.table else ''}{self.key}"

    def error(self, wrong: str, hint: str) -> UsageError:
        """Return the error that says what is wrong with the value. The value is not repeated: it may be a secret."""
        return UsageError(phrase("{place} {wrong}.", place=self, wrong=ours(wrong)), hint)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint with the known name that is most like another, or with all of them."""
    from difflib import get_close_matches  # noqa: PLC0415 - only where something is wrong

    if close := get_close_matches(name, known, 1, 0.6):
        return phrase("Did you mean {nearest}?", nearest=close[0])
    return phrase("Known: {known}.", known=", ".join(sorted(known)))


def checked(param: click.Parameter, value: Any, place: Place) -> Any:
    """Return a TOML value as the option's own default would be written. Raises UsageError when it cannot be."""
    if not (param.multiple or param.nargs == -1):
        return _single(param, value, place)
    if not isinstance(value, list):
        raise place.error(
            phrase("is {kind}, not a list", kind=_kind(value)), phrase('Give a list: {key} = ["..."].', key=place.key)
        )
    return [_single(param, item, place) for item in value]


def _single(param: click.Parameter, value: Any, place: Place) -> Any:
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
