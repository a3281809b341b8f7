"""What is built for installing holds the product, all of it, and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def built(folder: Path, kind: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = folder.iterdir()
    return archive


def of_the_product() -> set[str]:
    kept = (path for path in (ROOT / "bulk_remove").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(ROOT).as_posix() for path in kept}


def test_the_wheel_holds_the_product_and_what_says_what_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(built(tmp_path, "wheel")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        about = {Path(name).name for name in wheel.namelist() if ".dist-info/" in name}
    assert names == of_the_product()
    assert {"bulk_remove/ledger/schema.sql", "bulk_remove/report/page.html.j2", "bulk_remove/py.typed"} <= names
    assert about == {"METADATA", "WHEEL", "entry_points.txt", "LICENSE", "RECORD"}


def test_the_source_archive_holds_what_a_reader_of_the_source_needs(tmp_path: Path) -> None:
    with tarfile.open(built(tmp_path, "sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert of_the_product() <= names
    assert {"README.md", "LICENSE", "ARCHITECTURE.md", "pyproject.toml", "docs/guide.md"} <= names
    assert not any(name.startswith(("tests/", ".ci/")) for name in names)
