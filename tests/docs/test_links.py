"""Every link between the documents leads somewhere, and every task of the guide can be found from the README."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import FIRST_HOURS, GUIDE, README, ROOT, anchor

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def without_code(page: str) -> str:
    return re.sub(r"^```.*?^```$|^ {4}.*?$", "", page, flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> list[str]:
    titles = re.findall(r"^#+ (.+)$", without_code(document.read_text(encoding="utf-8")), re.MULTILINE)
    return [anchor(title) for title in titles]


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(document.read_text(encoding="utf-8"))):
            if not target.startswith("https://"):
                yield document, target


@pytest.mark.parametrize(
    ("document", "target"), [pytest.param(*link, id=f"{link[0].name}-{link[1]}") for link in links()]
)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(document: Path, target: str) -> None:
    name, _, fragment = target.partition("#")
    there = document.parent / name if name else document
    assert there.exists()
    assert ROOT in there.resolve().parents
    assert not fragment or anchors(there).count(fragment) == 1


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_link_in_brackets_is_always_a_whole_one(document: Path) -> None:
    """A target that is broken over two lines, or a reference without one, is shown as it is typed."""
    assert not re.search(r"\]\([^)]*\n|\][ \n]\(|\]\[", without_code(document.read_text(encoding="utf-8")))


def test_the_guide_begins_with_every_task_in_its_order() -> None:
    listed = re.findall(r"^\| \[([^]]+)\]\(#([^)]+)\) \|", GUIDE, re.MULTILINE)
    tasks = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
    assert len(tasks) > 15
    assert listed == [(task, anchor(task)) for task in tasks]


def test_every_first_hour_is_linked_from_the_readme() -> None:
    assert not [name for name in FIRST_HOURS if f"(docs/first-hour/{name})" not in README]
