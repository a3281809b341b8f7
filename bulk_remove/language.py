"""Texts in the operator's language: English as they are written in the code, or what a catalogue says for them.

What is made up of parts is a `Phrase`: English to whoever treats it as text (the log, the ledger, machines), and a
template with values to `translated`, which says it in the language in use. Of the values only those that are phrases
are translated, never data: a column may be named like a word of ours. Nor can data take hold of what it is shown on:
whatever a phrase is given loses its control characters and its line ends (`one_line`).

Translations are gettext catalogues: `locale/LANGUAGE/LC_MESSAGES/bulk_remove.mo` in the package. People edit the `.po`
beside each; `make translations` compiles it.
"""

import gettext
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from string import Formatter
from typing import Any, Self
from unicodedata import category


def one_line(text: str) -> str:
    """Return a text without what could steer a terminal, end a line, or turn or hide what stands around it."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or category(letter) == "Zs" else _instead(letter) for letter in text)


def _instead(letter: str) -> str:
    return " " if letter in "\t\n\v\f\r" else "?"


class Phrase(str):
    """A text in English that remembers its template and its values."""

    __slots__ = ("plural", "quantity", "template", "values")
    template: str
    values: Mapping[str, Any]
    plural: str | None
    quantity: int

    def __format__(self, format_spec: str) -> str:
        """Return the text; `bare` leaves out the full stop, for the middle of a sentence."""
        return _in_the_middle(self) if format_spec == "bare" else super().__format__(format_spec)

    @classmethod
    def made(cls, template: str, values: Mapping[str, Any], plural: str | None = None, quantity: int = 1) -> Self:
        """Return the phrase of a template in the syntax of `str.format`, and of the values that it names."""
        values = {name: _shown(value) for name, value in values.items()}
        made = cls((template if plural is None or quantity == 1 else plural).format_map(values))
        made.template, made.values, made.plural, made.quantity = template, values, plural, quantity
        return made


def _shown(value: Any) -> Any:
    """Return a value as it may be shown; figures keep their kind, for they are written in more than one way."""
    return value if isinstance(value, Phrase | Real) else one_line(str(value))


def phrase(template: str, /, **values: Any) -> Phrase:
    """Return a text with values in it, as `str.format` puts them; those that are phrases are translated with it."""
    return Phrase.made(template, values)


def counted(count: int, one: str, many: str, /, **values: Any) -> Phrase:
    """Return a text that is another for one than for many; `{count:,}` in it is the count."""
    return Phrase.made(one, {**values, "count": count}, many, count)


def joined(separator: str, parts: Iterable[str]) -> Phrase:
    """Return texts side by side, each in its own right."""
    named = {f"part_{place}": part for place, part in enumerate(parts)}
    return Phrase.made(separator.replace("{", "{{").replace("}", "}}").join(f"{{{name}}}" for name in named), named)


def packed(text: str) -> Any:
    """Return a text as plain values that JSON can carry to another process."""
    if not isinstance(text, Phrase):
        return text
    values = {name: packed(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return [text.template, values, text.plural, text.quantity]


def unpacked(plain: Any) -> str:
    """Return the text that was `packed`."""
    if isinstance(plain, str):
        return plain
    template, values, plural, quantity = plain
    values = {name: unpacked(value) if isinstance(value, str | list) else value for name, value in values.items()}
    return Phrase.made(template, values, plural, quantity)


@dataclass(frozen=True, slots=True)
class Language:
    """A catalogue: what stands for a text, what stands for one with a count, and how figures are written."""

    code: str
    text: Callable[[str], str]
    counted: Callable[[str, str, int], str]
    thousands: str
    point: str


ENGLISH = Language("en", lambda text: text, lambda one, many, count: one if count == 1 else many, ",", ".")

_in_use = ENGLISH


def use(language: Language) -> None:
    """Show all texts in this language from now on."""
    global _in_use  # noqa: PLW0603 - one operator, one language
    _in_use = language


def language_in_use() -> Language:
    """Return the language in use."""
    return _in_use


def translated(text: str) -> str:
    """Return a text in the language in use; a plain one is looked up whole."""
    if _in_use is ENGLISH:
        return str(text)
    if not isinstance(text, Phrase):
        return _in_use.text(text) if text else ""  # the empty text is a catalogue's own heading
    if text.plural is not None:
        template = _in_use.counted(text.template, text.plural, text.quantity)
    else:
        template = _in_use.text(text.template) if text.template else ""
    return str(_Telling().vformat(template, (), text.values))


def ours(text: str) -> Phrase:
    """Return a text of ours as a phrase that was a constant, or came back from a ledger: it is looked up whole."""
    return text if isinstance(text, Phrase) else phrase(text.replace("{", "{{").replace("}", "}}"))


def say(template: str, /, **values: Any) -> str:
    """Return a text with values in it in the language in use."""
    return translated(phrase(template, **values))


def say_counted(count: int, one: str, many: str, /, **values: Any) -> str:
    """Return a text with a count in the language in use."""
    return translated(counted(count, one, many, **values))


def _in_the_middle(text: str) -> str:
    return str(text).removesuffix(".")


class _Telling(Formatter):
    """Formats values as the language in use writes them."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Translate a phrase; write figures with the language's separators."""
        if isinstance(value, Phrase):
            text = translated(value)
            return _in_the_middle(text) if format_spec == "bare" else format(text, format_spec)
        written = str(super().format_field(value, format_spec))
        if isinstance(value, int | float) and format_spec:
            return written.translate({ord(","): _in_use.thousands, ord("."): _in_use.point})
        return written


DOMAIN = "bulk_remove"
LOCALE_FOLDER = Path(__file__).parent / "locale"

_FIGURES = {"pl": ("\u00a0", ",")}
"""How figures are written: between groups of three digits, and before decimals (CLDR)."""

LANGUAGES = (ENGLISH.code, *_FIGURES)


def language_of(environment: Mapping[str, str]) -> str:
    """Return which of LANGUAGES an environment asks for by the variables of POSIX, else English."""
    asked = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    code = re.split("[_.@]", asked)[0].lower()
    return code if code in LANGUAGES else ENGLISH.code


def load_language(code: str) -> Language:
    """Return one of LANGUAGES."""
    if code == ENGLISH.code:
        return ENGLISH
    catalogue = gettext.translation(DOMAIN, LOCALE_FOLDER, [code])
    return Language(code, catalogue.gettext, catalogue.ngettext, *_FIGURES[code])


def set_for_libraries(code: str) -> None:
    """Have libraries that translate by gettext, as click does, take what they say from our catalogue, too."""
    gettext.bindtextdomain(DOMAIN, str(LOCALE_FOLDER))
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = code  # where gettext looks first, and the only way to tell it
