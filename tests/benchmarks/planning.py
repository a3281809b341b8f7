"""What planning a clean CSV file costs, from the file to planned chunks: `python -m tests.benchmarks.planning`.

Runs the real `bulk-remove plan` on files of one column of plain national numbers, each size several times, by turns.
The time is the processor's (user and system) of the whole process, its start included; so is the memory. `also-try`
measures what one number costs that has to be written in its other forms.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bulk_remove.core.numbers import AlsoTry, Forms, NumberRules
from tests.benchmarks.measuring import measure, need_account, numbers_file, spread

_FIRST = 500_000_000
_FORMS_TIMED = 100_000


def main() -> None:
    """Make the files that are not there, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--times", type=int, default=3, help="how often each is measured")
    given = parser.parse_args()
    need_account()
    runs: dict[int, list[Sequence[float]]] = {rows: [] for rows in given.rows}
    for turn in range(given.times):
        for rows, figures in runs.items():
            figures.append(planning(numbers_file(rows)))
        print(f"turn {turn + 1} of {given.times} done", file=sys.stderr)
    print(f"{'rows':>12}{'CPU s':>24}{'rows a CPU second':>32}{'peak MB':>26}   median (least to most)")
    for rows, figures in runs.items():
        cpu_s, peak_mb = zip(*figures, strict=True)
        speed = [rows / seconds for seconds in cpu_s]
        print(f"{rows:>12,}{spread(cpu_s, 2):>24}{spread(speed, 0):>32}{spread(peak_mb, 1):>26}")
    print(f"other forms of a number: {forms_us():.1f} us each")


def planning(path: Path) -> Sequence[float]:
    """Return the CPU seconds and the peak MB of a process that plans the file."""
    with tempfile.TemporaryDirectory() as state_dir:
        used = measure([sys.executable, "-m", "bulk_remove", "plan", path, "-c", "00001", "--state-dir", state_dir])
    return used.cpu_s, used.peak_mb


def forms_us() -> float:
    """Return the microseconds of CPU that walking through all forms of a plain number takes."""
    forms = Forms(NumberRules(), tuple(AlsoTry))
    began_s = time.process_time()
    for index in range(_FORMS_TIMED):
        number = f"{_FIRST + index}"
        while number := forms.after(number):
            forms.rank(number)
    return (time.process_time() - began_s) / _FORMS_TIMED * 1e6


if __name__ == "__main__":
    main()
