"""The picture in the README loads nothing, and shows what a run shows today."""

import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.docs.picture import LATER, PLACE, shown_by, typed
from tests.support.processes import simulator

SVG = "{http://www.w3.org/2000/svg}"
PICTURE = PLACE.read_text(encoding="utf-8")
AT_MOST_BYTES = 60_000
_STYLES = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")
_WORLD = ("--busy-share", "0.05", "--busy-seconds", "1", "--absent-share", "0.05", "--fault", "dropped_after=0.1")
_SEED = ("--seed", "22")
"""Of the first seventeen removals the third alone gets no answer."""
_FEW = ("--pace", "fixed", "--max-numbers-per-request", "100", "--busy-delay", "1s")


def words(text: str) -> str:
    """Return a text without what differs between two runs: figures, the bar, a pace below the ceiling, blanks."""
    still = re.sub(r"[━╸╺\s]|, pace [\d.]+", "", text)
    return re.sub(r"\d[\d,.]*(?<!\.)", "#", still)


def test_the_picture_is_whole_small_and_loads_nothing() -> None:
    root = ET.fromstring(PICTURE)  # noqa: S314 - our own file
    assert root.tag == f"{SVG}svg"
    assert len(PICTURE.encode()) < AT_MOST_BYTES
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "style", "defs", "clipPath", "rect", "circle", "g", "text"
    }  # fmt: skip
    assert not re.search(r"@font-face|@import|href|url\((?!#run-)", PICTURE)


def test_no_phone_number_is_in_the_picture_unmasked() -> None:
    shown = "".join(ET.fromstring(PICTURE).itertext())  # noqa: S314 - our own file
    assert not re.search(r"(\d[\s\xa0-]?){9}", shown.replace("601234555", ""))  # the documents' own example of a form


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_every_line_of_the_picture_is_one_that_a_run_shows(tmp_path: Path) -> None:
    with simulator(tmp_path, *_WORLD, *_SEED) as server:
        shown = _STYLES.sub("", shown_by(server.url, tmp_path, 1_100, *_FEW))
    lines = [*re.split(r"[\r\n]", shown), f"$ bulk-remove {' '.join(typed(server.url))}", _STYLES.sub("", LATER)]
    known = {words(part) for line in lines for part in (line, *line.split(" · "))} - {""} | {"·"}
    (matrix,) = (group for group in ET.fromstring(PICTURE).iter(f"{SVG}g") if group.get("class") == "run-matrix")  # noqa: S314
    left = words("".join(matrix.itertext()))
    assert len(left) > 800
    while left:
        longest = max((line for line in known if left.startswith(line)), key=len, default=None)
        assert longest, f"no run shows this; make picture: {left[:100]}"
        left = left.removeprefix(longest)
