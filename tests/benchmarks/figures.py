"""What was measured of the whole job, the budgets it has to keep, and both as rows of tables."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.benchmarks.measuring import spread
from tests.benchmarks.rivals import fewest_requests

OURS = "bulk-remove, CSV"
OURS_XLSX = "bulk-remove, xlsx"
OURS_ON_TMPFS = "bulk-remove, CSV, state on tmpfs"
CURL = "curl --parallel, replies dropped"
CURL_AND_ONE_JQ = "curl --parallel, then jq on all replies"
CURL_AND_JQ_A_REPLY = "curl and jq, a reply at a time"
SCRIPT = "pandas + requests script"

CPU_S_A_MILLION, CPU_S_A_MILLION_AT_LEAST = 4.5, 6.0
TIMES_CURL = 2.5
TIMES_LESS = 6.0
PEAK_MB, PEAK_MB_XLSX = 125.0, 350.0
PEAK_GROWTH = 1.1
TOO_MANY_REQUESTS = 0.005
HELP_S = 0.2
FIRST_DELETE_S = 2.5
SMALL = 50
"""The rows of a small file, which a person waits for."""
SMALL_FIRST_DELETE_S, SMALL_WALL_S = 0.45, 0.55
DURABILITY = 1.1
_MILLION = 1_000_000
SLOW_SHARE = 10
"""The slowest way does one request after the other, so a tenth of the numbers shows what all of them cost."""
NOT_MEASURED = "not measured"
TOO_NOISY = "too noisy to tell"


class Run(NamedTuple):
    """What one run took the client; `requests` are those that the server saw, `server_cpu_s` is what it took that.

    `first_delete_s` is from the start of the process to the first DELETE that the server saw, in seconds.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    requests: int
    first_delete_s: float
    server_cpu_s: float


class Budget(NamedTuple):
    """One budget: what it is about, what was measured, what is allowed, and whether that was met."""

    what: str
    figure: str
    allowed: str
    verdict: str


def _verdict(met: bool) -> str:
    return "met" if met else "**not met**"


@dataclass
class Figures:
    """The runs of each way at each size, turn by turn; `helps` are the seconds on the wall of `--help`.

    `load_before` is how many processes wanted to run, on average of the minute before the first of ours.
    """

    compared_rows: int
    load_before: float = 0.0
    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)
    helps: list[float] = field(default_factory=list)

    def add(self, name: str, rows: int, run: Run | None) -> None:
        """Take in a run; None where the way is not installed."""
        self.runs.setdefault((name, rows), []).extend([] if run is None else [run])

    def lines(self) -> Iterator[Sequence[str]]:
        """Yield a row for each way and size."""
        for (name, rows), runs in self.runs.items():
            if not runs:
                yield (name, f"{rows:,}", "not installed", *[""] * 5)
                continue
            a_million = [run.cpu_s * _MILLION / rows for run in runs]
            columns = [spread([run.cpu_s for run in runs]), spread(a_million), spread([run.wall_s for run in runs])]
            peak = spread([run.peak_mb for run in runs], 0)
            requests = "/".join(dict.fromkeys(f"{run.requests:,}" for run in runs))
            yield (name, f"{rows:,}", *columns, peak, requests, f"{fewest_requests(rows):,}")

    def compared(self, name: str) -> list[Run]:
        """Return the runs of a way at the compared size; those at a tenth of it as if they had been ten times that."""
        tenth = self.runs.get((name, self.compared_rows // SLOW_SHARE), [])
        scaled = [run._replace(cpu_s=run.cpu_s * SLOW_SHARE, wall_s=run.wall_s * SLOW_SHARE) for run in tenth]
        return self.runs.get((name, self.compared_rows), scaled)

    def ratios(self, one: str, other: str, what: str = "cpu_s") -> list[float]:
        """Return how many times the other's figure one's is, turn by turn, at the compared size."""
        pairs = zip(self.compared(one), self.compared(other), strict=False)
        return [getattr(a, what) / getattr(b, what) for a, b in pairs]

    def ratio_lines(self) -> Iterator[Sequence[str]]:
        """Yield a row for each pair of ways that is compared: CPU, wall, peak."""
        slower = [(name, OURS) for name in (CURL_AND_ONE_JQ, CURL_AND_JQ_A_REPLY, SCRIPT)]
        for one, other in ((OURS, CURL), *slower, (OURS, OURS_ON_TMPFS)):
            columns = [self.ratios(one, other, what) for what in ("cpu_s", "wall_s", "peak_mb")]
            yield (f"{one} / {other}", *[spread(column) if column else NOT_MEASURED for column in columns])

    def server_s_a_million(self) -> float:
        """Return the most CPU that answering a million numbers took the server, in seconds."""
        large = [(rows, run) for (_, rows), runs in self.runs.items() for run in runs if rows > SMALL]
        return max((run.server_cpu_s * _MILLION / rows for rows, run in large), default=0.0)

    def budgets(self) -> Iterator[Budget]:
        """Yield each budget with its verdict, by the median."""
        ours = {key: runs for key, runs in self.runs.items() if key[0] in {OURS, OURS_XLSX} and runs}
        yield from (_cpu_budget(name, rows, runs) for (name, rows), runs in ours.items() if rows >= _MILLION)
        yield _at_most("CPU, times bare curl's", self.ratios(OURS, CURL), TIMES_CURL)
        for name in (CURL_AND_ONE_JQ, CURL_AND_JQ_A_REPLY, SCRIPT):
            yield _at_least(f"CPU, times less than {name}", self.ratios(name, OURS), TIMES_LESS)
        for (name, rows), runs in ours.items():
            most_mb = PEAK_MB_XLSX if name == OURS_XLSX else PEAK_MB
            yield _at_most(f"peak MB: {name}, {rows:,}", [run.peak_mb for run in runs], most_mb, 0)
        yield _at_most("peak at ten million, times that at one", self._growth(), PEAK_GROWTH)
        most = max(run.requests / fewest_requests(rows) - 1 for (_, rows), runs in ours.items() for run in runs)
        yield Budget("requests above the fewest possible", f"{most:.2%}", "0.50%", _verdict(most <= TOO_MANY_REQUESTS))
        yield _at_most("`--help`, s", self.helps, HELP_S)
        what = f"start to first DELETE at {self.compared_rows:,}, s"
        yield _at_most(what, [run.first_delete_s for run in self.compared(OURS)], FIRST_DELETE_S)
        small = self.runs.get((OURS, SMALL), [])
        first = [run.first_delete_s for run in small]
        yield _at_most(f"start to first DELETE at {SMALL} rows, s", first, SMALL_FIRST_DELETE_S)
        yield _at_most(f"whole run of {SMALL} rows, wall s", [run.wall_s for run in small], SMALL_WALL_S)
        yield _durability_budget(self.ratios(OURS, OURS_ON_TMPFS, "wall_s"))

    def _growth(self) -> list[float]:
        large, small = (self.runs.get((OURS, rows), []) for rows in (10 * _MILLION, _MILLION))
        return [a.peak_mb / b.peak_mb for a, b in zip(large, small, strict=False)]


def _cpu_budget(name: str, rows: int, runs: Sequence[Run]) -> Budget:
    figures = [run.cpu_s * _MILLION / rows for run in runs]
    middle = statistics.median(figures)
    verdict = _verdict(middle <= CPU_S_A_MILLION_AT_LEAST)
    if CPU_S_A_MILLION < middle <= CPU_S_A_MILLION_AT_LEAST:
        verdict = "met at the least only"
    allowed = f"{CPU_S_A_MILLION:g}, at the least {CPU_S_A_MILLION_AT_LEAST:g}"
    return Budget(f"CPU s a million: {name}, {rows:,}", spread(figures), allowed, verdict)


def _durability_budget(times: Sequence[float]) -> Budget:
    budget = _at_most("wall on disk, times that on tmpfs", times, DURABILITY)
    # A disk makes nothing faster: a turn in which it seems to shows that the machine did something else as well.
    return budget._replace(verdict=TOO_NOISY) if times and min(times) < 1 / DURABILITY else budget


def _at_most(what: str, figures: Sequence[float], limit: float, decimals: int = 2) -> Budget:
    if not figures:
        return Budget(what, NOT_MEASURED, f"{limit:g}", NOT_MEASURED)
    return Budget(what, spread(figures, decimals), f"{limit:g}", _verdict(statistics.median(figures) <= limit))


def _at_least(what: str, figures: Sequence[float], limit: float) -> Budget:
    if not figures:
        return Budget(what, NOT_MEASURED, f"{limit:g} or more", NOT_MEASURED)
    return Budget(what, spread(figures), f"{limit:g} or more", _verdict(statistics.median(figures) >= limit))
