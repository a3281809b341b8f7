"""Every sentence that docs/troubleshooting.md quotes is one that the tool says, and no kind of failure is left out."""

import ast
import re
from pathlib import Path

import pytest

from bulk_remove.core.model import FINAL_STATUSES, Status
from bulk_remove.errors import ExitCode

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r'^\| "(.+?)" \|', PAGE, re.MULTILINE)
TELLING_CHARACTERS = 15
"""A shorter quotation, its values left out, would be found in the code by chance."""


def sentence(node: ast.AST) -> str:
    """Return the text that a string in the code has, with … for each value that it is given."""
    if isinstance(node, ast.JoinedStr):
        return "".join(sentence(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return sentence(node.left) + sentence(node.right)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{[^{}]*\}", "…", node.value)
    return "…"


@pytest.fixture(scope="module")
def said() -> set[str]:
    """Return every text in the code; to read all of it takes longer than these tests, so only who runs them does."""
    return {
        sentence(node)
        for path in (ROOT / "bulk_remove").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp)
    }


@pytest.mark.parametrize("quoted", QUOTED)
def test_every_sentence_that_the_page_quotes_is_in_the_code(quoted: str, said: set[str]) -> None:
    assert len(quoted.replace("…", "")) >= TELLING_CHARACTERS
    assert any(quoted in text for text in said)


def test_every_exit_code_but_those_of_success_and_of_a_bug_has_its_section() -> None:
    told = {
        int(code) for codes in re.findall(r"^## .*\(exit ([\d, ]+)\)$", PAGE, re.MULTILINE) for code in codes.split(",")
    }
    assert told == {*ExitCode} - {ExitCode.OK, ExitCode.BUG}


def test_every_status_that_is_not_final_is_explained() -> None:
    assert {*re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)} == {*Status} - FINAL_STATUSES


def test_every_row_says_why_and_what_to_do() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith(("| `", '| "'))]
    assert len(rows) > len(QUOTED) >= 25
    assert all(re.fullmatch(r"\| .+ \| \S.* \| \S.* \|", row) for row in rows)
