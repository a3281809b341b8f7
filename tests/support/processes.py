"""The real command and the real simulator, as processes."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from bulk_remove.simulator.api import DEMO_PASSWORD
from tests.support.warm import Warm

COMMAND = (sys.executable, "-m", "bulk_remove")


@dataclass(frozen=True)
class Running:
    """A simulator that listens: its address, and the file in which it says what it really did."""

    url: str
    audit: Path


@contextmanager
def simulator(folder: Path, *options: str) -> Iterator[Running]:
    """Start `bulk-remove simulate` on a free port."""
    audit = folder / "audit.jsonl"
    told, tells = os.pipe()
    with (
        os.fdopen(told, encoding="utf-8") as said,
        started("simulate", *unsaid(("--port", "0", "--audit", audit), options), *options, out=tells) as process,
    ):
        os.close(tells)
        try:
            found = re.search(r"http://\S+", said.readline())
            assert found, "the simulator did not start"
            yield Running(found[0], audit)
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def environment(**changes: str) -> dict[str, str]:
    """Return a clean environment with the demo's password, without profiles and without a keyring.

    Bytecode may be kept: to compile everything anew costs each command more than most of them do.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BULK_REMOVE_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    own = {
        "BULK_REMOVE_PASSWORD": DEMO_PASSWORD,
        "BULK_REMOVE_CONFIG": os.devnull,
        "NO_PROXY": "*",
        "LC_ALL": "C.UTF-8",
    }
    return {**kept, **own, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"} | changes


def bulk_remove(
    *words: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, without a terminal; `before` is executed first."""
    with TemporaryFile() as out, TemporaryFile() as err:
        with started(*words, env=env, cwd=cwd, out=out.fileno(), err=err.fileno(), before=before) as process:
            try:
                code = process.wait(timeout=120)
            finally:
                process.kill()
        told, complained = (_all_of(file) for file in (out, err))
        return subprocess.CompletedProcess([*COMMAND, *map(str, words)], code, told, complained)


def _all_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def started(
    *words: str | Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    out: int = subprocess.DEVNULL,
    err: int = 2,
    before: str = "",
) -> Warm:
    """Start the command, without a terminal; `out` and `err` are descriptors, `before` is executed first."""
    with Path(os.devnull).open("r+b") as nothing:
        out = nothing.fileno() if out == subprocess.DEVNULL else out
        descriptors = (nothing.fileno(), out, err)
        return Warm([*map(str, words)], env or environment(), descriptors, cwd=cwd or "", before=before)


def removal(server: Running, folder: Path, *words: str | Path) -> tuple[str | Path, ...]:
    """Return the words of a run against the simulator, reporting to report.csv in the folder.

    It does not look for the pace that the server bears, for that takes a run its first minute. What the words say
    themselves is not added.
    """
    campaign = () if {"-c", "--campaign"} & {*words} else ("-c", "00001")
    output = () if {"-o", "--output"} & {*words} else ("-o", folder / "report.csv")
    own = ("--pace", "fixed", "--url", server.url, "--user", "demo", "--state-dir", folder / "state")
    return ("run", "--yes", *words, *unsaid(own, words), *campaign, *output)


def unsaid(own: Sequence[str | Path], words: Sequence[str | Path]) -> tuple[str | Path, ...]:
    """Return those of some options, each with its value, that the words do not have: none may be given twice."""
    pairs = zip(own[::2], own[1::2], strict=True)
    return tuple(word for flag, value in pairs if flag not in words for word in (flag, value))


def report_of(folder: Path) -> list[dict[str, str]]:
    """Read report.csv of the folder."""
    with (folder / "report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def altered(
    before: str,
    *words: str | Path,
    env: dict[str, str] | None = None,
    out: int = subprocess.PIPE,
    err: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a Python of its own that executes `before` first; `out` and `err` are descriptors.

    What Python itself does at its start and its end is as it is for users here.
    """
    return subprocess.run(
        [sys.executable, "-c", f"{before}\nfrom bulk_remove.cli import main\nmain()", *map(str, words)],
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=60,
    )
