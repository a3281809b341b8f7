"""The whole job as a user runs it, beside other ways to do the same work: `python -m tests.benchmarks.whole`.

The real command runs against a server on loopback that answers at once and is a process of its own; only the
client's side is measured. All ways run by turns. After each run the server must have been asked for each number once,
and the report must hold each as removed; otherwise the benchmark ends.
"""

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import rivals
from tests.benchmarks.answering import Server, answering
from tests.benchmarks.figures import (
    CURL,
    CURL_AND_JQ_A_REPLY,
    CURL_AND_ONE_JQ,
    OURS,
    OURS_ON_TMPFS,
    OURS_XLSX,
    SCRIPT,
    SLOW_SHARE,
    SMALL,
    Figures,
    Run,
)
from tests.benchmarks.measuring import measure, need_account, numbers_file
from tests.benchmarks.record import add_section, filesystem_of, section
from tests.benchmarks.workbook import workbook_file

COMMAND = (sys.executable, "-m", "bulk_remove")
TMPFS = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory as files
_MOST_ROWS_OF_A_SHEET = 1_048_575  # Excel's own limit, less the heading
_WARM_UP_ROWS = 1_000


@dataclass(frozen=True)
class Way:
    """One way to remove so many numbers.

    `command` makes it from the folder for its report and the one for its state, which is made in `state_in`; None
    where a program is missing.
    """

    name: str
    rows: int
    command: Callable[[Path, Path], Sequence[str | Path] | None]
    state_in: Path
    reports: bool = True


def main() -> None:
    """Measure by turns, print the tables, add them to the record if one is named."""
    given = _options().parse_args()
    need_account()
    python: Path | None = given.rival_python or rivals.script_python()
    figures = Figures(given.compared_rows, os.getloadavg()[0])
    env = environment()
    with tempfile.TemporaryDirectory(dir=given.disk) as made, answering() as server:
        bench = Bench(server, Path(made), python)
        for way in bench.ways([_WARM_UP_ROWS], _WARM_UP_ROWS):
            carried_out(way, server, bench.made, env)
        ways = list(bench.ways(given.rows, given.compared_rows))
        for turn in range(given.times):
            figures.helps.append(measure([*COMMAND, "--help"], env).wall_s)
            for way in ways:
                figures.add(way.name, way.rows, carried_out(way, server, bench.made, env))
                sys.stderr.write(f"turn {turn + 1} of {given.times}: {way.name}, {way.rows:,} numbers\n")
        text = section(figures, rivals.versions(python), bench.made, TMPFS)
    print(text)
    if given.write:
        add_section(given.write, text)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[SMALL, 100_000, 1_000_000, 10_000_000])
    parser.add_argument(
        "--compared-rows", type=int, default=1_000_000, help="numbers for the other ways, and for tmpfs"
    )
    parser.add_argument("--times", type=int, default=3, help="how many turns")
    parser.add_argument("--rival-python", type=Path, help="an interpreter with pandas and requests; else one is made")
    parser.add_argument("--disk", type=Path, default=tempfile.gettempdir(), help="a folder on a real disk")
    parser.add_argument("--write", type=Path, metavar="FILE", help="a Markdown file to add the tables to")
    return parser


def environment() -> dict[str, str]:
    """Return the environment of all that is measured: no setting of ours, and Python may keep its bytecode."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BULK_REMOVE_", "PYTHON"))}
    return {**kept, "BULK_REMOVE_PASSWORD": rivals.PASSWORD, "NO_PROXY": "*"}


@dataclass(frozen=True)
class Bench:
    """What all ways share: the server, a folder on a real disk, and the script's interpreter if there is one."""

    server: Server
    made: Path
    python: Path | None

    def ways(self, sizes: Sequence[int], compared_rows: int) -> Iterator[Way]:
        """Yield our own ways at all sizes, and the others at one."""
        for rows in sizes:
            if rows != compared_rows:
                yield from self._own(rows)
        # Next to each other, so that what else the machine does is least likely to come between.
        if TMPFS.is_dir() and filesystem_of(self.made) != "tmpfs":
            yield self._ours(OURS_ON_TMPFS, numbers_file(compared_rows), compared_rows, TMPFS)
        yield from self._own(compared_rows)
        yield from self._others(compared_rows)

    def _own(self, rows: int) -> Iterator[Way]:
        yield self._ours(OURS, numbers_file(rows), rows, self.made)
        if rows <= _MOST_ROWS_OF_A_SHEET:
            yield self._ours(OURS_XLSX, workbook_file(rows), rows, self.made)

    def _ours(self, name: str, path: Path, rows: int, state_in: Path) -> Way:
        server = ("--url", self.server.url, "--user", rivals.USER, "-c", "00001", "--yes")
        ceilings = ("--pace", "fixed", "--rate", "1000", "--concurrency", str(rivals.AT_ONCE))

        def command(folder: Path, state: Path) -> Sequence[str | Path]:
            return [*COMMAND, "run", path, *server, *ceilings, "--state-dir", state, "-o", folder / "report.csv"]

        return Way(name, rows, command, state_in)

    def _others(self, rows: int) -> Iterator[Way]:
        url, python, path, few = self.server.url, self.python, numbers_file(rows), rows // SLOW_SHARE
        dropped = rivals.config_file(self.made / f"{rows}-dropped", rivals.ready_urls(path, url), keep_replies=False)
        kept = rivals.config_file(self.made / f"{rows}-kept", rivals.ready_urls(path, url), keep_replies=True)
        urls = self.made / f"{few}-urls"
        urls.write_text("".join(f"{line}\n" for line in rivals.ready_urls(numbers_file(few), url)), encoding="ascii")
        yield Way(CURL, rows, lambda _folder, _state: rivals.curl(dropped), self.made, reports=False)
        yield Way(CURL_AND_ONE_JQ, rows, lambda folder, _state: rivals.curl_and_one_jq(kept, folder), self.made)
        yield Way(CURL_AND_JQ_A_REPLY, few, lambda folder, _state: rivals.curl_and_jq_a_reply(urls, folder), self.made)
        yield Way(SCRIPT, rows, lambda folder, _state: rivals.script(python, path, url, folder), self.made)


def carried_out(way: Way, server: Server, disk: Path, env: Mapping[str, str]) -> Run | None:
    """Run a way once; returns what it took, None where it is not installed. Ends the benchmark if it is not done."""
    with (
        tempfile.TemporaryDirectory(dir=disk) as folder,
        tempfile.TemporaryDirectory(dir=way.state_in) as state,
    ):
        command = way.command(Path(folder), Path(state))
        if command is None:
            return None
        server.told()  # what came before is not this way's
        used = measure(command, env)
        told = server.told()
        if not told.distinct == told.numbers == way.rows or told.first_delete_s is None:
            sys.exit(f"{way.name} asked for {told.numbers:,} numbers, {told.distinct:,} of them different: not done.")
        if way.reports and (removed := removed_in(Path(folder) / "report.csv")) != way.rows:
            sys.exit(f"{way.name} reports {removed:,} numbers as removed: not done.")
    first_s = told.first_delete_s - used.began_s
    return Run(used.cpu_s, used.wall_s, used.peak_mb, told.requests, first_s, told.cpu_s)


def removed_in(path: Path) -> int:
    """Return how many lines of a report say REMOVED."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        status = next(lines).index("status")
        return sum(line[status] == "REMOVED" for line in lines)


if __name__ == "__main__":
    main()
