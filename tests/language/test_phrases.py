"""A phrase is English to machines, and says the same in another language; data in it is never translated."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_remove import language
from bulk_remove.language import ENGLISH, Language, counted, joined, ours, phrase, say, translated, use

GERMAN = {
    "rows": "Zeilen",
    "{count:,} numbers in {file}": "in {file}: {count:,} Nummern",
    "Nothing was sent.": "Nichts wurde gesendet.",
    "{what} Nothing more.": "{what} Sonst nichts.",
    "3 x {why:bare}; ": "3 x {why:bare}; ",
    "{share:.1f}%": "{share:.1f} %",
}


@pytest.fixture
def german() -> Iterator[None]:
    use(
        Language(
            "de",
            lambda text: GERMAN.get(text, text),
            lambda one, _many, count: (
                "{count:,} Zeile" if one == "{count:,} row" and count == 1 else "{count:,} Zeilen"
            ),
            ".",
            ",",
        )
    )
    yield
    use(ENGLISH)


@pytest.mark.usefixtures("german")
def test_the_text_itself_stays_english_for_logs_and_files() -> None:
    text = phrase("{count:,} numbers in {file}", count=1234567, file="rows")
    assert text == "1,234,567 numbers in rows"
    assert json.dumps(text) == '"1,234,567 numbers in rows"'
    assert f"log: {text}" == "log: 1,234,567 numbers in rows"


@pytest.mark.usefixtures("german")
def test_figures_are_written_as_the_language_writes_them() -> None:
    assert say("{count:,} numbers in {file}", count=1234567, file="x") == "in x: 1.234.567 Nummern"
    assert say("{share:.1f}%", share=2.5) == "2,5 %"


@pytest.mark.usefixtures("german")
def test_data_that_looks_like_a_text_of_ours_is_not_translated() -> None:
    assert say("{count:,} numbers in {file}", count=1, file="rows") == "in rows: 1 Nummern"
    assert say("{what} Nothing more.", what="rows") == "rows Sonst nichts."


@pytest.mark.usefixtures("german")
def test_a_phrase_in_a_phrase_is_translated_with_it() -> None:
    assert say("{what} Nothing more.", what=phrase("Nothing was sent.")) == "Nichts wurde gesendet. Sonst nichts."
    assert translated(joined(", ", [phrase("rows"), "rows", counted(1, "{count:,} row", "{count:,} rows")])) == (
        "Zeilen, rows, 1 Zeile"
    )
    assert say("3 x {why:bare}; ", why=ours("Nothing was sent.")) == "3 x Nichts wurde gesendet; "


def test_in_english_a_text_is_as_it_stands() -> None:
    assert translated(counted(1, "{count:,} row", "{count:,} rows")) == "1 row"
    assert translated(counted(1000, "{count:,} row", "{count:,} rows")) == "1,000 rows"
    assert translated(joined("{}", ["a", "b"])) == "a{}b"
    assert ours("{braces}") == "{braces}"
    assert phrase("3 x {why:bare}; ", why=ours("Nothing was sent.")) == "3 x Nothing was sent; "


@pytest.mark.usefixtures("german")
def test_what_no_catalogue_knows_is_said_in_english() -> None:
    assert say("Unknown: {count:,}", count=1000) == "Unknown: 1.000"
    assert translated("Unknown.") == "Unknown."
    assert translated("") == ""
    assert translated(ours("{braces}")) == "{braces}"


def test_the_tests_watch_over_what_could_not_be_translated_any_more() -> None:
    with pytest.raises(AssertionError, match="is no phrase"):
        phrase("{what} Nothing more.", what="Nothing was sent.")
    lost = compile('f"{told}."', str(Path(language.__file__).with_name("made_up.py")), "eval")
    with pytest.raises(AssertionError, match="a part of a plain text"):
        eval(lost, {"told": phrase("rows")})  # noqa: S307 - two lines of our own
