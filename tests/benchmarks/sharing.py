"""What it costs to share the state by PostgreSQL: `python -m tests.benchmarks.sharing`.

The whole job with and without --state, by turns, against a server on loopback that answers at once. The database runs
on this machine and writes nothing through to the disk; only the client's side is measured.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.answering import answering
from tests.benchmarks.measuring import need_account, numbers_file
from tests.benchmarks.whole import Bench, Way, carried_out, environment
from tests.support.postgres import postgres


def main() -> None:
    """Measure by turns and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3, help="how many turns")
    parser.add_argument("--disk", type=Path, default=tempfile.gettempdir(), help="a folder on a real disk")
    given = parser.parse_args()
    need_account()
    costs: dict[str, list[tuple[float, float]]] = {"alone": [], "shared": []}
    with tempfile.TemporaryDirectory(dir=given.disk) as made, answering() as server, postgres() as database:
        for _ in range(given.times):
            for name, cost in costs.items():
                env = {**environment(), **({"BULK_REMOVE_STATE": database.database()} if name == "shared" else {})}
                used = carried_out(_way(Bench(server, Path(made), None), name, given.rows), server, Path(made), env)
                cost.append((used.cpu_s, used.wall_s) if used else (0.0, 0.0))
                sys.stderr.write(f"{name}: {cost[-1][0]:.2f} s CPU, {cost[-1][1]:.2f} s\n")
    alone, shared = (_medians(cost) for cost in costs.values())
    print(f"{given.rows:,} numbers alone: {alone[0]:.2f} s CPU, {alone[1]:.2f} s")
    ratios = f"{shared[0] / alone[0]:.2f} times the CPU, {shared[1] / alone[1]:.2f} times the time"
    print(f"shared: {shared[0]:.2f} s CPU, {shared[1]:.2f} s: {ratios}")


def _way(bench: Bench, name: str, rows: int) -> Way:
    def command(folder: Path, state: Path) -> Sequence[str | Path] | None:
        return bench._ours(name, numbers_file(rows), rows, bench.made).command(folder, state)

    return Way(name, rows, command, bench.made)


def _medians(cost: Sequence[tuple[float, float]]) -> tuple[float, float]:
    cpu_s, wall_s = zip(*cost, strict=True)
    return statistics.median(cpu_s), statistics.median(wall_s)


if __name__ == "__main__":
    main()
