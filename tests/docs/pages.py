"""The pages that somebody reads who uses the tool, as they are written."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README, README_PL = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.pl.md"))
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
NIGHTS, PRIVACY, REFERENCE, TROUBLESHOOTING = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("nights", "privacy", "reference", "troubleshooting")
)
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
FIRST_HOURS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "first-hour").iterdir())}
PAGES = README, GUIDE, NIGHTS, PRIVACY, REFERENCE, TROUBLESHOOTING, README_PL, *FIRST_HOURS.values(), PROMISES
"""In the order in which they are read."""


def heading(page: str, title: str) -> str:
    """Return what stands below a heading of the second level."""
    return page.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def anchor(title: str) -> str:
    """Return what GitHub and most others make of a heading, so that a link can lead to it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def profiles() -> str:
    """Return the file with profiles that the guide shows."""
    block = heading(GUIDE, "Keep the settings in a profile").split("    default_profile", 1)[1].split("\n\nSo ")[0]
    return "default_profile" + "\n".join(line.removeprefix("    ") for line in block.splitlines())
