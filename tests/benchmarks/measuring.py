"""What all benchmarks share: the operating system's account of a process, the numbers, and how figures are shown."""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# A small process of its own stands between: the peak that the system reports of a process is at least the memory of
# the one that started it.
_MEASURE = """
import json, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True)
wall = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak_mb = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
print(json.dumps([used.ru_utime + used.ru_stime, wall, peak_mb, began, done.returncode, done.stdout, done.stderr]))
"""
_STEP = 7_777_777  # coprime to the count of numbers below: each comes once, and none follows its neighbour
_FIRST, _NUMBERS = 500_000_000, 300_000_000
_TOLD_CHARACTERS = 2000


class Used(NamedTuple):
    """What a process and all that it started took: seconds of CPU and on the wall, MB of its largest process.

    `began_s` is the system's monotonic clock just before the start; `said` is its standard output.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    began_s: float
    said: str


def need_account() -> None:
    """End here where the operating system keeps no account of a process, as Windows does not."""
    if importlib.util.find_spec("resource") is None:
        sys.exit("This needs the operating system's account of a process, which Windows does not give.")


def measure(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Used:
    """Run a command to its end and return what it took. Ends the benchmark where the command fails."""
    measured = [sys.executable, "-I", "-S", "-c", _MEASURE, *map(str, command)]
    done = subprocess.run(measured, check=True, capture_output=True, text=True, env=env)
    cpu_s, wall_s, peak_mb, began_s, code, said, complaint = json.loads(done.stdout)
    if code:
        sys.exit(f"A measured command ended with {code}:\n{complaint[-_TOLD_CHARACTERS:]}")
    return Used(cpu_s, wall_s, peak_mb, began_s, said)


def kept_file(name: str, make: Callable[[Path], None]) -> Path:
    """Return the file of that name among those that benchmarks keep, made where it is not there yet."""
    path = Path(tempfile.gettempdir()) / f"bulk-remove-benchmark-{os.getuid()}-{name}"
    if not path.exists():
        half_done = path.with_name(f"{path.name}.part")
        make(half_done)
        half_done.replace(path)
    return path


def numbers_file(rows: int) -> Path:
    """Return a CSV file of so many different numbers in no order, made once."""

    def make(path: Path) -> None:
        with path.open("w", encoding="ascii") as file:
            file.write("telefon\n")
            file.writelines(f"{_FIRST + index * _STEP % _NUMBERS}\n" for index in range(rows))

    return kept_file(f"{rows}.csv", make)


def spread(figures: Sequence[float], decimals: int = 2) -> str:
    """Return the median, and the least and the most in brackets."""
    shown = (statistics.median(figures), min(figures), max(figures))
    middle, least, most = (f"{figure:,.{decimals}f}" for figure in shown)
    return f"{middle} ({least} to {most})"
