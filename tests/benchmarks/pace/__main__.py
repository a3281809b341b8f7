"""The table and the plot of docs/: `python -m tests.benchmarks.pace` (`make pace`); virtual time, a minute or two.

Each rule has half an hour in each world, with several seeds, always with work to do.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.benchmarks.pace.page import page
from tests.benchmarks.pace.plot import Line, plot
from tests.benchmarks.pace.race import Figures, figures, mean_of, race
from tests.benchmarks.pace.rules import CEILING, Ours, rules
from tests.benchmarks.pace.worlds import World, noisy_worlds, worlds

_DOCS = Path(__file__).parents[3] / "docs"


def all_worlds(seed: int) -> dict[str, World]:
    """Return the worlds of the table."""
    return worlds(seed) | noisy_worlds(seed, CEILING)


def measured(world_name: str, rule_name: str, seed: int) -> Figures:
    """Run one race."""
    world = all_worlds(seed)[world_name]
    record = race(rules(world.best(0.0), seed)[rule_name], world, seed)
    return figures(record, world)


def line(world_name: str) -> Line:
    """Return what ours sends in a world, second by second, and what it could."""
    world, ours = all_worlds(0)[world_name], Ours()
    record = race(ours, world, 0)
    seconds = range(int(record.departures_us[-1] / 1e6))
    goodput = [record.accepted[second] for second in seconds]
    return Line(world_name, goodput, [world.best(second) for second in seconds])


def main() -> None:
    """Run all races, print the page, write it and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds: int = parser.parse_args().seeds
    names = [(world, rule) for world in all_worlds(0) for rule in rules(1.0, 0)]
    with ProcessPoolExecutor() as pool:
        races = {
            (world, rule): [pool.submit(measured, world, rule, seed) for seed in range(seeds)] for world, rule in names
        }
        lines = list(pool.map(line, all_worlds(0)))
        table: dict[str, dict[str, Figures]] = {}
        for (world, rule), waiting in races.items():
            table.setdefault(world, {})[rule] = mean_of([each.result() for each in waiting])
    text = page(table, seeds)
    _DOCS.mkdir(exist_ok=True)
    (_DOCS / "pace.md").write_text(text, encoding="utf-8")
    (_DOCS / "pace.svg").write_text(plot(lines), encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
