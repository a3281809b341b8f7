"""Builds dist/bulk-remove.pyz, one file that needs only Python: `python -m tests.app.building 3.11 3.12 ...`.

It holds compiled libraries for each of these versions of Python, on this kind of machine. They come from the index as
runtime.lock pins them, so none of these Pythons needs to be here.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging import markers, tags

ROOT = Path(__file__).parents[2]
APP = ROOT / "dist" / "bulk-remove.pyz"


def platform_of(version: str) -> dict[str, object]:
    """Return what pex must know about a Python on this kind of machine: its markers and the tags of its wheels."""
    major, minor = map(int, version.split("."))
    places = [*tags.platform_tags()]
    abi = f"cp{major}{minor}"
    wheels = [
        *tags.cpython_tags((major, minor), [abi], places),
        *tags.compatible_tags((major, minor), abi, places),
    ]
    own = {"python_version": version, "python_full_version": f"{version}.0", "implementation_version": f"{version}.0"}
    return {"marker_environment": {**markers.default_environment(), **own}, "compatible_tags": [*map(str, wheels)]}


def build(versions: list[str]) -> None:
    """Write the file."""
    APP.parent.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        words = ["--no-build", "--venv", "-P", f"bulk_remove@{ROOT}", "-r", str(ROOT / "runtime.lock")]
        words += ["-e", "bulk_remove.cli:main", "--python-shebang", "/usr/bin/env python3", "-o", str(APP)]
        for version in versions:
            file = Path(folder, f"{version}.json")
            file.write_text(json.dumps(platform_of(version)), encoding="utf-8")
            words += ["--complete-platform", str(file)]
        subprocess.run([sys.executable, "-m", "pex", *words], check=True)


if __name__ == "__main__":
    build(sys.argv[1:])
    print(f"{APP}: {APP.stat().st_size >> 20} MB, for Python {', '.join(sys.argv[1:])}")  # noqa: T201 - a tool's result
