"""What a catalogue says stands for a text that there is, says as much as that, and is what is read."""

import gettext
import re
from pathlib import Path
from string import Formatter

import click
import pytest

from bulk_remove.language import LANGUAGES, LOCALE_FOLDER
from tests.language.compiling import catalogue, sources
from tests.language.texts import Said, all_texts

SOURCES = [*sources()]
CLICKS = "\n".join(path.read_text(encoding="utf-8") for path in Path(click.__file__).parent.glob("*.py"))
"""What click says goes through gettext as well."""
TYPES = {"duration", "share", "time", "integer"}
"""Names of types that stand for what a setting takes."""

each_catalogue = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parents[1].name)


def translations(source: Path) -> dict[Said, tuple[str, ...]]:
    found: dict[Said, tuple[str, ...]] = {}
    for message in catalogue(source):
        text, told = message.id, message.string
        if text:
            one_and_many = text if isinstance(text, str) else (text[0], text[1])
            found[one_and_many] = (told,) if isinstance(told, str) else tuple(told or ())
    return found


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_each_language_has_a_catalogue() -> None:
    assert {source.parents[1].name for source in SOURCES} == {*LANGUAGES} - {"en"}


@each_catalogue
def test_every_text_that_can_be_said_is_translated(source: Path) -> None:
    known = translations(source)
    missing = {text: place for text, place in all_texts().items() if text not in known}
    assert not missing


@each_catalogue
def test_nothing_is_translated_that_is_never_said(source: Path) -> None:
    said = {*all_texts(), *TYPES}
    unknown = [text for text in translations(source) if text not in said]
    parts = [part for text in unknown for part in ((text,) if isinstance(text, str) else text)]
    assert not [part for part in parts if part.replace("\n", "\\n").replace("\t", "\\t") not in CLICKS]


@each_catalogue
def test_a_translation_has_the_values_of_its_text_and_no_others(source: Path) -> None:
    for text, told in translations(source).items():
        wanted = fields(text if isinstance(text, str) else text[1])
        assert all(each.strip() for each in told), text
        for each in told:
            assert fields(each) == wanted or (not isinstance(text, str) and fields(each) == fields(text[0])), text
            assert re.findall("^ *| *$", each) == re.findall("^ *| *$", text if isinstance(text, str) else text[0])


@each_catalogue
def test_what_is_typed_is_never_translated(source: Path) -> None:
    typed = re.compile(r"--[a-z][a-z-]+|BULK_REMOVE_[A-Z_]+|report\.csv|`[^`]+`|\b[A-Z]{2,}_[A-Z_]+\b")
    for text, told in translations(source).items():
        assert sorted(typed.findall(told[0])) == sorted(typed.findall(text if isinstance(text, str) else text[0])), text


@each_catalogue
def test_what_is_read_is_what_people_edit(source: Path) -> None:
    compiled = gettext.translation("bulk_remove", LOCALE_FOLDER, [source.parents[1].name])
    for text, told in translations(source).items():
        if isinstance(text, str):
            assert compiled.gettext(text) == told[0]
        else:
            one, many = text
            assert {compiled.ngettext(one, many, count) for count in range(200)} == {*told}


_COUNTED = re.compile(
    r"(?:\{\w+:,(?:\.\d+g)?\}|\{(?:count|before|after)\}) (?:\w+ )?"
    r"(?:rows?|numbers?|records?|requests?|runs?|files?|cells?|links?|attempts?|ledgers?|duplicates?|sessions?|bytes?"
    r"|characters?|columns?|campaigns?|formulas?|sheets?)\b(?!/s)"
)
_LARGE_OR_MANY = {
    "{name} holds more than {most_bytes:,} bytes, too many for a file of its size.",
    "{name}: a cell of row {row} has more than {most:,} characters.",
    "{name}: row {row} has {cells:,} cells under a header of {count:,}.",
    "In an earlier run {host} refused request lines over {max_request_line:,} bytes.",
    "The campaign column holds more than {max_campaigns:,} different cells.",
    "{count} columns are named '{name}'; {listed}.",
    "Column '{name}' has no phone number in its first {count} rows",
    (
        "Finished, but this proves nothing: none of {numbers:,} numbers was found, perhaps because the campaign holds "
        "them in another form."
    ),
    "Finished: none of the {numbers:,} numbers is in its campaign.",
    "{path} has more than {count:,} sheets.",
}
"""Texts whose count is never one, or stands where it changes no word."""


def test_every_count_of_something_has_its_plural_forms() -> None:
    """`1 rows` is wrong in English, and `2 żądań` in Polish."""
    assert {text for text in all_texts() if isinstance(text, str) and _COUNTED.search(text)} <= _LARGE_OR_MANY
