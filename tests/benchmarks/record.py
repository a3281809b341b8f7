"""The record of measurements: a dated section of Markdown with the facts of the machine, newest first."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bulk_remove import __version__
from tests.benchmarks.figures import Figures

_WAYS = ("way", "numbers", "CPU s", "CPU s a million", "wall s", "peak MB", "requests", "fewest possible")
_RATIOS = ("turn by turn", "CPU", "wall", "peak")
_BUDGETS = ("budget", "measured", "allowed", "")
_OURS = ("aiohttp", "orjson", "pandas")


def section(figures: Figures, rivals: str, disk: Path, tmpfs: Path) -> str:
    """Return the section: when, on what, and the tables."""
    times = len(figures.helps)
    where = f"state on {filesystem_of(disk)}; for comparison on {filesystem_of(tmpfs)}"
    own = ", ".join(f"{name} {version(name)}" for name in _OURS)
    measured = (
        f"bulk-remove {__version__} ({own}), Python {platform.python_version()}; {_machine()}; {where}.\n"
        f"Beside it: {rivals}.\n"
        f"Median (least to most) of {times} turns. Answering took the server at most "
        f"{figures.server_s_a_million():.2f} CPU s a million numbers, which are not counted. "
        f"Load of the machine before it began: {figures.load_before:.1f}."
    )
    paragraphs = [
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        measured,
        table(_WAYS, figures.lines()),
        f"At {figures.compared_rows:,} numbers, how many times as much:\n\n" + table(_RATIOS, figures.ratio_lines()),
        table(_BUDGETS, figures.budgets()),
    ]
    return "\n\n".join(paragraphs) + "\n"


def table(heading: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, ["---"] * len(heading), *lines))


def add_section(path: Path, text: str) -> None:
    """Put a section in front of those that a file has."""
    head, mark, rest = path.read_text(encoding="utf-8").partition("\n## ")
    path.write_text(f"{head.rstrip()}\n\n{text}{mark}{rest}", encoding="utf-8")


def filesystem_of(path: Path) -> str:
    """Return the kind of file system that a folder is on; only Linux tells."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "an unknown file system"
    kinds = {Path(line.split()[1]): line.split()[2] for line in mounts.read_text(encoding="utf-8").splitlines()}
    real = path.resolve()
    return next((kinds[folder] for folder in (real, *real.parents) if folder in kinds), "an unknown file system")


def _machine() -> str:
    """Return processor, cores and system, without the machine's name."""
    model = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        named = [line for line in about.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"
