"""Kills hosts that share a run, at random moments and on either side of the shipping, until one of them finishes it.

The state folder of a killed host is deleted now and then. Afterwards the report is held against the simulator's audit:
`python -m tests.torture.killing_hosts`.
"""

import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from shutil import rmtree
from subprocess import TimeoutExpired

from bulk_remove.ledger.shared import Shared
from tests.support.postgres import Postgres, postgres
from tests.support.processes import environment, removal, simulator, started
from tests.torture.killing import FAULTS, FINISHED, PACE, WORLD, check, play

NUMBERS = [str(500_000_000 + index) for index in range(1_000)]
LEASE_S = 0.8
KILLED_AT_PIECE = """
import os, signal
from bulk_remove.ledger.shared import Shared
ship, left = Shared.ship, [{pieces}]

def ship_and_die(self, *piece):
    left[0] -= 1
    if left[0] == 0 and not {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    ship(self, *piece)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

Shared.ship = ship_and_die
"""


def torture(server: Postgres, folder: Path, kills: int, seed: int) -> int:
    """Purge one file with up to so many kills of two hosts; returns how many. Raises AssertionError for any lie."""
    dice = random.Random(seed)
    url = server.database()
    Shared(url).close()
    server.ask(url, "UPDATE bulk_remove.setting SET lease_s = %s", LEASE_S)
    env = environment(BULK_REMOVE_STATE=url)
    source = folder / "numbers.csv"
    source.write_text("telefon\n" + "\n".join(NUMBERS), encoding="utf-8")
    done = 0
    with simulator(folder, *WORLD, *FAULTS, "--seed", str(seed)) as running:
        while True:
            host = dice.choice(("one", "other"))
            words: tuple[str | Path, ...] = (
                "resume",
                "--yes",
                "-o",
                folder / "report.csv",
                "--state-dir",
                folder / host,
            )
            if not server.ask(url, "SELECT 1 FROM bulk_remove.run"):
                words = (*removal(running, folder, source, *PACE, "--state-dir", folder / host), "--overwrite")
            at_piece = dice.random() < 0.5 and done < kills
            before = KILLED_AT_PIECE.format(pieces=dice.randint(1, 60), after=dice.random() < 0.5) if at_piece else ""
            seconds = None if at_piece or done >= kills else dice.uniform(0.1, 3.0)
            with (
                tempfile.TemporaryFile("w+", encoding="utf-8") as err,
                started(*words, env=env, err=err.fileno(), before=before) as process,
            ):
                try:
                    code = process.wait(timeout=seconds)
                except TimeoutExpired:
                    process.kill()
                    code = -9
                err.seek(0)
                assert code in {*FINISHED, -9}, err.read()
            if code in FINISHED:
                break
            done += 1
            if dice.random() < 0.3:
                rmtree(folder / host, ignore_errors=True)
    ((run,),) = server.ask(url, "SELECT id FROM bulk_remove.run")
    for folders in folder.glob("*/runs/*"):
        if folders.name != run:  # approved, but killed before another host could know of it: it sent nothing
            rmtree(folders)
    check(folder, NUMBERS, host)
    return done


if __name__ == "__main__":
    with postgres() as running:
        sys.exit(play(partial(torture, running), "tests.torture.killing_hosts", __doc__))
