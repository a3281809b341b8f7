"""While tests run: a text that can be translated may not be put into another one in a way that loses that."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bulk_remove import language
from bulk_remove.language import Phrase
from tests.language.compiling import catalogue, sources

_PACKAGE = str(Path(language.__file__).parent)


@cache
def sentences() -> frozenset[str]:
    """Return the texts without values that catalogues know; single words may be data as well."""
    known = (message.id for source in sources() for message in catalogue(source))
    return frozenset(text for text in known if isinstance(text, str) and " " in text and "{" not in text)


@contextmanager
def watched_phrases() -> Iterator[None]:
    """Raise AssertionError where a text of ours becomes a part of a phrase as a plain one, or a phrase of a plain text.

    Either would stay in English.
    """
    sentences()  # now, before a test takes away what reading them needs
    making = Phrase.made.__func__  # type: ignore[attr-defined] # a class method has it
    plain_format = Phrase.__format__
    depth = 0

    def made(cls: type[Phrase], template: str, values: Mapping[str, Any], *more: Any) -> Phrase:
        nonlocal depth
        for value in values.values():
            assert type(value) is not str or value not in sentences(), f"{value!r} is no phrase"
        depth += 1
        try:
            phrase: Phrase = making(cls, template, values, *more)
        finally:
            depth -= 1
        return phrase

    def formatted(self: Phrase, form: str) -> str:
        assert depth or not _is_ours(sys._getframe(1).f_code.co_filename), f"{self!r} becomes a part of a plain text"
        return plain_format(self, form)

    def added(plain: Callable[[str, str], str]) -> Callable[[Phrase, str], str]:
        def add(self: Phrase, other: str) -> str:
            assert not _is_ours(sys._getframe(1).f_code.co_filename), f"{self!r} becomes a part of a plain text"
            return plain(self, other)

        return add

    with (
        patch.object(Phrase, "made", classmethod(made)),
        patch.object(Phrase, "__format__", formatted),
        patch.object(Phrase, "__add__", added(str.__add__)),
        patch.object(Phrase, "__radd__", added(lambda self, other: other + str(self)), create=True),
    ):
        yield


def _is_ours(file: str) -> bool:
    return file.startswith(_PACKAGE) and file != language.__file__
