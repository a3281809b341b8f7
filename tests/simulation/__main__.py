"""Plays many seeds on all cores, or one of them aloud: `python -m tests.simulation --seeds 2000`, `--seed 17`."""

import argparse
import sys
import time
from multiprocessing import Pool

from tests.simulation.replay import Failure, replay

_SHOWN_FAILURES = 20
_TELL_EVERY = 50


def main() -> int:
    """Play what the command line asks for; returns 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one alone, and tell its story")
    told = parser.parse_args()
    if told.seed is not None:
        return _one(told.seed)
    return _many(range(told.first, told.first + told.seeds))


def _one(seed: int) -> int:
    failure = replay(seed, lambda line: sys.stdout.write(line + "\n"))
    sys.stdout.write(f"{failure or f'seed {seed}: no promise broken'}\n")
    return int(failure is not None)


def _many(seeds: range) -> int:
    failures: list[Failure] = []
    began_s = time.monotonic()
    with Pool() as pool:
        for played, failure in enumerate(pool.imap_unordered(replay, seeds, chunksize=5), start=1):
            if failure:
                failures.append(failure)
                sys.stdout.write(f"\r{failure}\n")
            if played % _TELL_EVERY == 0 or played == len(seeds):
                sys.stdout.write(f"\r{played} of {len(seeds)} seeds, {time.monotonic() - began_s:.0f} s")
                sys.stdout.flush()
            if len(failures) == _SHOWN_FAILURES:
                break
    sys.stdout.write(f": {len(failures) or 'no'} broken\n")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
