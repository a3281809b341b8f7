"""Every sentence that docs/troubleshooting.md quotes is one that the tool says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUOTED = re.findall(r'^\| "(.+?)" \|', (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)


def sentence(node: ast.AST) -> str:
    """Return the text that a string in the code has, with … for each value that it is given."""
    if isinstance(node, ast.JoinedStr):
        return "".join(sentence(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "…"


SAID = {
    sentence(node)
    for path in (ROOT / "bulk_remove").rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.JoinedStr | ast.Constant)
}


@pytest.mark.parametrize("quoted", QUOTED)
def test_every_sentence_that_the_page_quotes_is_in_the_code(quoted: str) -> None:
    assert quoted in SAID


def test_there_are_sentences_on_the_page() -> None:
    assert len(QUOTED) >= 20
