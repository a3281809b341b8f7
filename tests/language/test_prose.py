"""Documents, messages, docstrings and comments are in plain words: what STYLE has instead of each of these.

A linter for prose from the registries would not do: proselint knows clichés but takes no rules of a project, and the
package of Vale fetches a program from elsewhere when it first runs.
"""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.language.texts import all_texts

INSTEAD = {
    r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b|one\b)": "is not a, has no",
    r"\balone\b": "only",
    r"\b(?:is|are|was) but\b|\bnothing but\b|\bbut for\b": "only, except",
    r"\bceilings?\b": "limit",
    r"\bbears?\b|\bborne\b|\bcannot bear\b": "accepts, handles",
    r"\btells\b|\btold\b": "reports, prints, shows, says",
    r"\bof before\b": "earlier",
    r"\bis at it\b": "is using it",
    r"\bagainst nobody\b": "does not count",
    r"\bwhom\b": "who, or a sentence without it",
    r"(?:^|(?<=[.;] ))Nor (?:do|does|is|are|has|have|can)\b": "does not ... either",
    r"\b(?:whence|whither|thereof|whereof|wherein|thereby|hereby|misspelt)\b": "a word of today",
    r"\bstands? (?:in|on|at|below|beside|there|twice|behind|above|under|alone)\b": "is",
    r"\bspeaks? of\b|\bspoke of\b|\bspoken to\b": "mentions, contains",
    r"\btakes? the place of\b": "replaces",
    r"\bthat may not be there\b|\bthose that exclude each other\b|\btold nearer\b": "see STYLE",
}
"""Each pattern, and what is written instead. `there is no` is right, and so is `is no longer`."""
CLAUSE = re.compile(r"(?:^|(?<=[.!?:] ))(?:What|Who|Whoever|Whatever|Whichever)\b(?! to\b)[^.?!:]*[.;](?=\s|$)")
"""A sentence that begins with a clause as its subject: `What cannot be sent is told.` A docstring may begin so."""
RIGHT: tuple[str, ...] = ("by whom",)
"""Where such a word is right."""
PLAIN = re.compile("|".join(f"(?:{pattern})" for pattern in INSTEAD), re.IGNORECASE)

LIST = Path(__file__).with_name("still_to_rewrite.txt")
"""Files with sentences that still have such words, one a line. It only gets shorter: everything else must be plain.

`python -m tests.language.test_prose` writes it anew.
"""


def documents() -> Iterator[tuple[str, str]]:
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        if not path.name.endswith(".pl.md"):
            text = re.sub(r"^ *```.*?^ *```$|^ {4}.*?$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
            text = re.sub(r'^\| "[^|]*" \|', "| x |", text, flags=re.MULTILINE)  # a message: looked at by itself
            for block in re.split(r"\n\s*\n|\n(?=[|#*]|\d+\. )", text):
                yield path.relative_to(ROOT).as_posix(), re.sub(r"`[^`]*`|\*\*[^*]+\*\*|\]\([^)]*\)", "x", block)


def code() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "bulk_remove").rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        with tokenize.open(path) as lines:
            comments = [
                token.string for token in tokenize.generate_tokens(lines.readline) if token.type == tokenize.COMMENT
            ]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
        docs = [each.value for each in strings if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        for text in (*comments, *docs):
            yield place, re.sub(r"``?[^`]*``?", "x", text)


def messages() -> Iterator[tuple[str, str]]:
    for said, place in all_texts().items():
        for text in (said,) if isinstance(said, str) else said:
            yield f"bulk_remove/{place}" if place.endswith(".py") else place, text


def found(text: str, *patterns: re.Pattern[str]) -> list[str]:
    """Return what is not plain in a text."""
    one_line = " ".join(text.split())
    for right in RIGHT:
        one_line = one_line.replace(right, "")
    return [each[0] for pattern in patterns for each in pattern.finditer(one_line)]


def all_found() -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    read = [(each, (PLAIN, CLAUSE)) for each in (*documents(), *messages())] + [(each, (PLAIN,)) for each in code()]
    for (place, text), patterns in read:
        if wrong := found(text, *patterns):
            places.setdefault(place, []).extend(wrong)
    return places


@pytest.mark.parametrize(
    "sentence",
    [
        "The share of the first numbers that may not be there.",
        "Another one is at it.",
        "A pause counts against nobody.",
        "Whom report.csv is for",
        "'x' is no report: it has no column X",
        "A run of before in three lines.",
        "which of those that exclude each other is told nearer",
        "Nor do the statistics tell how many records it holds.",
        "acme was found to bear 2 requests a second; this run begins with 2.",
        "What cannot be sent is told, and changes no exit code.",
        "Plain http is for this machine alone.",
    ],
)
def test_sentences_that_need_a_second_reading_are_found(sentence: str) -> None:
    assert found(sentence, PLAIN, CLAUSE)


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no file x.csv.",
        "The run is no longer under way.",
        "What is stored, and where",
        "x is not a report: column X is missing",
        "Starting at 2 requests/s, the rate learned in the last run.",
    ],
)
def test_plain_sentences_pass(sentence: str) -> None:
    assert not found(sentence, PLAIN, CLAUSE)


def test_every_document_message_docstring_and_comment_is_plain() -> None:
    places = all_found()
    listed = {*LIST.read_text(encoding="utf-8").splitlines()}
    new = {place: wrong for place, wrong in places.items() if place not in listed}
    assert not new, "what to write is in INSTEAD"
    assert not listed - {*places}, "these are plain now: take them off the list"


if __name__ == "__main__":
    LIST.write_text("".join(f"{place}\n" for place in sorted(all_found())), encoding="utf-8")
