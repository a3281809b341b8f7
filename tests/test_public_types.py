"""A caller of the public API with a type checker sees a type for everything: nothing public is left out or `Any`."""

import dataclasses
import enum
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bulk_remove

PUBLIC = [name for name in bulk_remove.__all__ if not name.startswith("__")]


def parts(hint: Any) -> Iterator[Any]:
    """Yield a type and the types that it is made of."""
    yield hint
    for part in typing.get_args(hint):
        yield from parts(part) if not isinstance(part, list) else (each for one in part for each in parts(one))


def callables(thing: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions of a public name: itself, or what its class defines and does not hide."""
    if not inspect.isclass(thing):
        yield thing.__name__, thing
        return
    for name, member in vars(thing).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if inspect.isfunction(function) and (not name.startswith("_") or name == "__init__"):
            yield f"{thing.__name__}.{name}", function


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_types_that_say_something(name: str) -> None:
    for where, function in callables(getattr(bulk_remove, name)):
        hints = typing.get_type_hints(function)
        parameters = [each for each in inspect.signature(function).parameters if each not in ("self", "cls")]
        assert {*parameters, "return"} <= {*hints}, where
        assert Any not in {part for hint in hints.values() for part in parts(hint)}, where


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_field_has_a_type_that_says_something(name: str) -> None:
    thing = getattr(bulk_remove, name)
    if not inspect.isclass(thing) or issubclass(thing, enum.Enum):
        return
    hints = typing.get_type_hints(thing)
    if dataclasses.is_dataclass(thing):
        assert {field.name for field in dataclasses.fields(thing)} <= {*hints}
    assert Any not in {part for hint in hints.values() for part in parts(hint)}
