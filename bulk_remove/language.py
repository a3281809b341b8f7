"""Texts in the operator's language: English as written in the code, or its translation from a catalogue.

A text with values in it is a `Phrase`. As a string it is English, for the log, the ledger and machines; `translated`
fills its template in the language in use. Values are translated only if they are phrases themselves: data, such as a
column's name, may look like one of our words. Data cannot control the terminal: a phrase removes control characters
and line ends from its values (`one_line`).

Translations are gettext catalogues: `locale/LANGUAGE/LC_MESSAGES/bulk_remove.mo` in the package. Edit the `.po` beside
it, then run `make translations`.
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
    """Replace characters that could control a terminal, end the line, or reverse or hide the text around them."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or category(letter) == "Zs" else " " if letter in "\t\n\v\f\r" else "?"
        for letter in text
    )


class Phrase(str):
    """An English text that remembers its template and its values."""

    __slots__ = ("plural", "quantity", "template", "values")
    template: str
    values: Mapping[str, Any]
    plural: str | None
    quantity: int

    def __format__(self, format_spec: str) -> str:
        """Return the text; the format `bare` drops the full stop, for the middle of a sentence."""
        return _in_the_middle(self) if format_spec == "bare" else super().__format__(format_spec)

    @classmethod
    def made(cls, template: str, values: Mapping[str, Any], plural: str | None = None, quantity: int = 1) -> Self:
        """Return the phrase for a template in `str.format` syntax; `plural` is used unless `quantity` is 1."""
        # Numbers keep their type, since each language writes them differently.
        values = {
            name: value if isinstance(value, Phrase | Real) else one_line(str(value)) for name, value in values.items()
        }
        made = cls((template if plural is None or quantity == 1 else plural).format_map(values))
        made.template, made.values, made.plural, made.quantity = template, values, plural, quantity
        return made


def phrase(template: str, /, **values: Any) -> Phrase:
    """Return a text with values, in `str.format` syntax; values that are phrases are translated with it."""
    return Phrase.made(template, values)


def counted(count: int, one: str, many: str, /, **values: Any) -> Phrase:
    """Return `one` or `many`, depending on the count; write the count as `{count:,}`."""
    return Phrase.made(one, {**values, "count": count}, many, count)


def joined(separator: str, parts: Iterable[str]) -> Phrase:
    """Return the texts with a separator between them; each is translated separately."""
    named = {f"part_{place}": part for place, part in enumerate(parts)}
    return Phrase.made(separator.replace("{", "{{").replace("}", "}}").join(f"{{{name}}}" for name in named), named)


def packed(text: str) -> Any:
    """Return a text as plain values for JSON, to send it to another process; see `unpacked`."""
    if not isinstance(text, Phrase):
        return text
    values = {name: packed(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return [text.template, values, text.plural, text.quantity]


def unpacked(plain: Any) -> str:
    """Return the text from what `packed` returned."""
    if isinstance(plain, str):
        return plain
    template, values, plural, quantity = plain
    values = {name: unpacked(value) if isinstance(value, str | list) else value for name, value in values.items()}
    return Phrase.made(template, values, plural, quantity)


@dataclass(frozen=True, slots=True)
class Language:
    """A language: functions that translate a text and a counted text, and the separators in numbers."""

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
    """Return a text in the language in use; a plain string is looked up as it is."""
    if _in_use is ENGLISH:
        return str(text)
    if not isinstance(text, Phrase):
        return _in_use.text(text) if text else ""  # gettext returns the catalogue's header for ""
    if text.plural is not None:
        template = _in_use.counted(text.template, text.plural, text.quantity)
    else:
        template = _in_use.text(text.template) if text.template else ""
    return str(_Telling().vformat(template, (), text.values))


def ours(text: str) -> Phrase:
    """Return one of our own constant texts, also one read from a ledger, as a phrase; braces in it are literal."""
    return text if isinstance(text, Phrase) else phrase(text.replace("{", "{{").replace("}", "}}"))


def say(template: str, /, **values: Any) -> str:
    """Return a text with values, in the language in use."""
    return translated(phrase(template, **values))


def say_counted(count: int, one: str, many: str, /, **values: Any) -> str:
    """Return a text with a count, in the language in use."""
    return translated(counted(count, one, many, **values))


def _in_the_middle(text: str) -> str:
    return str(text).removesuffix(".")


class _Telling(Formatter):
    """A formatter for the language in use: it translates phrases and writes numbers with the right separators."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a value as the language in use writes it."""
        if isinstance(value, Phrase):
            text = translated(value)
            return _in_the_middle(text) if format_spec == "bare" else format(text, format_spec)
        written = str(super().format_field(value, format_spec))
        if isinstance(value, int | float) and format_spec:
            return written.translate({ord(","): _in_use.thousands, ord("."): _in_use.point})
        return written


DOMAIN = "bulk_remove"
LOCALE_FOLDER = Path(__file__).parent / "locale"

_FIGURES = {"pl": ("\u00a0", ",")}  # the separators in numbers, from CLDR: of groups of three digits, and of decimals

LANGUAGES = (ENGLISH.code, *_FIGURES)


def language_of(environment: Mapping[str, str]) -> str:
    """Return the language that LC_ALL, LC_MESSAGES or LANG ask for; English if it is not one of LANGUAGES."""
    asked = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    code = re.split("[_.@]", asked)[0].lower()
    return code if code in LANGUAGES else ENGLISH.code


def load_language(code: str) -> Language:
    """Return the language with this code, one of LANGUAGES."""
    if code == ENGLISH.code:
        return ENGLISH
    catalogue = gettext.translation(DOMAIN, LOCALE_FOLDER, [code])
    return Language(code, catalogue.gettext, catalogue.ngettext, *_FIGURES[code])


def set_for_libraries(code: str) -> None:
    """Make libraries that use gettext, such as click, take their texts from our catalogue."""
    gettext.bindtextdomain(DOMAIN, str(LOCALE_FOLDER))
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = code  # gettext looks here first; it has no function for this
