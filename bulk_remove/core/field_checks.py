"""What the value of a setting may be, kind by kind, and what is said of one that is not.

A check returns the value as it is kept: enums by their values, lists as tuples, paths as text. It raises Unfit. Whoever
is told reads the field's name in Python and the flag's on the command line; see `bulk_remove.errors`.
"""

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from numbers import Integral, Real
from typing import Any, TypeVar

from bulk_remove.core.campaigns import is_campaign
from bulk_remove.core.conditions import Condition
from bulk_remove.core.hours import read_window
from bulk_remove.core.model import mask
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

E = TypeVar("E", bound=StrEnum)
Check = Callable[[Any], Any]

_LONGEST_SHOWN = 40


class Unfit(Exception):  # noqa: N818 - half of an error: who raises the whole one knows the setting's name
    """A value that cannot be: `why` completes "... is 7, ", `hint` says what can be."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def checked(flag: str, value: Any, check: Check) -> Any:
    """Return the value of the setting with this flag as it is kept. Raises UsageError."""
    try:
        return check(value)
    except Unfit as unfit:
        raise UsageError(
            phrase("{flag} is {value}, {why}.", flag=flag, value=_shown(value), why=unfit.why), unfit.hint
        ) from None


def _shown(value: Any) -> str:
    """Return a value as Python writes it, shortened, and with long numbers masked: it may have gone astray."""
    if not isinstance(value, str | int | float | type(None)):
        return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    text = re.sub(r"[0-9]{7,}", lambda found: mask(found[0]), repr(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def number(least: float, most: float) -> Check:
    """Check a number of any kind that has a place on the line; nan and infinity have none within it."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise Unfit(phrase("which is not a number"), _from_to(least, most))
        found = int(value) if isinstance(value, Integral) else float(value)
        if not least <= found <= most:
            raise Unfit(phrase("which is out of range"), _from_to(least, most))
        return found

    return check


def whole(least: int, most: int) -> Check:
    """Check a whole number."""
    within = number(least, most)

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise Unfit(phrase("which is not a whole number"), _from_to(least, most))
        return int(within(value))

    return check


def _from_to(least: float, most: float) -> str:
    return phrase("Give a value from {least:,.10g} to {most:,.10g}.", least=least, most=most)


def share(value: Any) -> float:
    """Check a share."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise Unfit(phrase("which is not a share from 0 to 1"), "Give a share from 0 to 1, where 0.2 means 20%.")
    return float(value)


def yes_or_no(value: Any) -> bool:
    """Check a truth value; nothing else stands for one."""
    if not isinstance(value, bool):
        raise Unfit(phrase("which is neither True nor False"), "Give True or False.")
    return value


def one_of(kinds: type[E]) -> Callable[[Any], E]:
    """Check a member of an enumeration, which its value may stand for."""

    def check(value: Any) -> E:
        try:
            return kinds(value)
        except ValueError:
            listed = ", ".join(kind.value for kind in kinds)
            raise Unfit(phrase("which is unknown"), phrase("Give one of {listed}.", listed=listed)) from None

    return check


def several_of(kinds: type[E]) -> Callable[[Any], tuple[E, ...]]:
    """Check a list of members of an enumeration; what repeats counts once."""
    member = one_of(kinds)

    def check(value: Any) -> tuple[E, ...]:
        if isinstance(value, str) or not isinstance(value, Iterable):
            example = next(iter(kinds)).value
            raise Unfit(phrase("which is not a list"), phrase("Give a list, such as {example}.", example=[example]))
        return tuple(dict.fromkeys(map(member, value)))

    return check


def windows(value: Any) -> tuple[str, ...]:
    """Check a list of texts such as `mon-fri 20:00-06:00`, which are kept as texts."""
    hint = phrase("Give a list, such as {example}.", example=["20:00-06:00"])
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise Unfit(phrase("which is not a list"), hint)
    kept = tuple(map(text, value))
    other = next((each for each in kept if read_window(each) is None), None)
    if other is not None:
        raise Unfit(phrase("in which {other} is not a window", other=_shown(other)), hint)
    return kept


def conditions(value: Any) -> tuple[str, ...]:
    """Check a list of conditions on rows, each as COLUMN=VALUE. Raises UsageError, too."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise Unfit(phrase("which is not a list"), phrase("Give a list, such as {example}.", example=["zgoda=NIE"]))
    texts = tuple(dict.fromkeys(map(text, value)))
    for each in texts:
        Condition.parse(each)
    return texts


def text(value: Any) -> str:
    """Check a text that says something."""
    if not isinstance(value, str):
        raise Unfit(phrase("which is not text"), "Give text, in quotes.")
    if not value:
        raise Unfit(phrase("which is empty"), "Name it, or leave it out.")
    return str(value)


def path(value: Any) -> str:
    """Check a path, as text or as a Path; an empty text stands for none."""
    found = value.__fspath__() if hasattr(value, "__fspath__") else value
    return "" if found == "" else text(found)


def paths(value: Any) -> tuple[str, ...]:
    """Check a list of paths; what repeats counts once."""
    if isinstance(value, str) or hasattr(value, "__fspath__") or not isinstance(value, Iterable):
        raise Unfit(phrase("which is not a list"), phrase("Give a list, such as {example}.", example=["keep.csv"]))
    return tuple(dict.fromkeys(text(path(each)) for each in value))


def place(value: Any) -> str:
    """Check what names a column or a sheet: its name, or its place counted from 1."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        return text(value)
    return str(whole(1, 100_000)(value))


def identifier(value: Any) -> str:
    """Check a campaign's identifier; an empty text stands for none."""
    if not isinstance(value, str) or (value and not is_campaign(value)):
        raise Unfit(
            phrase("not five letters or digits"), "Give the identifier with its leading zeros, for example 00001."
        )
    return str(value)


def optional(check: Check) -> Check:
    """Let None pass, which leaves the decision to the tool."""
    return lambda value: None if value is None else check(value)
