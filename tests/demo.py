"""`make demo`: a stand-in server, the real command on sample_data, and a report to look at.

Everything runs as a user would run it, in separate processes; nothing leaves this machine.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from bulk_remove.simulator.api import DEMO_PASSWORD, DEMO_USER

FOLDER = Path("demo")
FILES = ("sample_data/customers.csv", "sample_data/opt_outs_semicolon.csv", "sample_data/stale_leads.tsv")
_COMMAND = (sys.executable, "-m", "bulk_remove")
_WORLD = ("--busy-share", "0.1", "--busy-seconds", "5", "--duplicate-share", "0.1", "--absent-share", "0.1")
_FORMS = ("--form", "e164=3", "--form", "national=1")
# Few numbers in a request and few requests a second, so there is something to watch.
_PACE = ("--max-numbers-per-request", "6", "--rate", "4", "--busy-delay", "3s", "--busy-for", "1m")


def main() -> int:
    """Run the demonstration; returns the run's exit code."""
    rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    report = FOLDER / "report.csv"
    with _simulator(FOLDER / "audit.jsonl") as url:
        where = ("-c", "00001", "--url", url, "--user", DEMO_USER, "-o", str(report), "--report", "html,xlsx")
        command = ("run", *FILES, *where, "--yes", *_PACE)
        _say(f"$ bulk-remove {' '.join(command)}\n")
        run = subprocess.run(
            [*_COMMAND, *command, "--state-dir", str(FOLDER / "state")],
            env={**os.environ, "BULK_REMOVE_PASSWORD": DEMO_PASSWORD, "BULK_REMOVE_CONFIG": os.devnull},
            check=False,
        )
    _say(f"\nThe first lines of {report}:\n")
    with report.open(encoding="utf-8") as lines:
        _say("".join(line for line, _ in zip(lines, range(6), strict=False)))
    _say(f"What the server really did is in {FOLDER / 'audit.jsonl'}.")
    return run.returncode


@contextmanager
def _simulator(audit: Path) -> Iterator[str]:
    """Start the stand-in on a free port; yields its address."""
    with subprocess.Popen(
        [*_COMMAND, "simulate", "--port", "0", "--audit", str(audit), *_WORLD, *_FORMS],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            found = re.search(r"http://\S+", line)
            if not found:
                raise RuntimeError(f"the simulator did not start: {line!r}")
            _say(line)
            yield found[0]
        finally:
            server.terminate()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
