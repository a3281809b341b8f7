"""One seed, from its scenario to the last check, and what it tells of itself."""

import logging
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.audit import Audit, Request
from tests.simulation.checkers import Broken, check
from tests.simulation.run import Life
from tests.simulation.scenario import Scenario, scenario

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - holds the folder that tempfile makes, where there is one
CRASH = "the run crashed"


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed that broke promises: by the name of each what was found."""

    seed: int
    where: Mapping[str, str]

    def __str__(self) -> str:
        found = "".join(f"\n  {promise}: {what}" for promise, what in self.where.items())
        return f"seed {self.seed}:{found}\n  replay: python -m tests.simulation --seed {self.seed}"


def replay(seed: int, tell: Callable[[str], object] = lambda _: None) -> Failure | None:
    """Play a seed; `tell` is given its story line by line. Returns what it broke, if anything."""
    drawn = scenario(seed)
    with _quiet(), _folder() as folder:
        life = Life(drawn, folder, check)
        failure = None
        try:
            life.live()
        except Broken as broken:
            failure = Failure(seed, broken.where)
        except Exception as error:  # noqa: BLE001 - whatever the run raises is a finding, with its seed
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
            failure = Failure(seed, {CRASH: what})
        for line in (*_setting(drawn, life), *_story(life.world.audit)):
            tell(line)
    return failure


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the log of the package silent: a thousand runs would write a book."""
    log = logging.getLogger("bulk_remove")
    was = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(was)


def _setting(drawn: Scenario, life: Life) -> Iterator[str]:
    settings, world = drawn.settings, life.world
    yield f"{len(drawn.rows)} rows, {len(drawn.targets)} numbers, at most {settings.max_numbers_per_request} a request"
    yield f"campaigns: {' '.join(world.campaigns)}; other forms: {' '.join(settings.also_try) or 'none'}"
    yield f"the form is {'looked for' if drawn.looking else 'given'}; numbers elsewhere: {drawn.elsewhere}"
    yield f"{len(drawn.keep)} numbers on a keep list, {sum(row.kept for row in drawn.rows)} rows kept"
    yield f"rate {settings.rate}, concurrency {settings.concurrency}, tries {settings.tries}"
    yield f"busy for {settings.busy_for_s} s, every {settings.busy_delay_s} s or more rarely"
    yield f"timeout {settings.timeout_s} s, gives up after {settings.give_up_after_s} s"
    yield f"{drawn.clocks}"
    yield f"{world.began_as}"
    yield f"{world.odd}"


def _story(audit: Audit) -> Iterator[str]:
    for index, session in enumerate(audit.sessions):
        yield f"{session.began_s:11.3f}  session {index}: {session.trouble.kind.value} at {session.trouble.at:g}"
        for request in audit.requests:
            if request.session == index:
                yield _line(request)
        yield f"{session.ended_s:11.3f}  session {index} ended: {session.how}"


def _line(request: Request) -> str:
    acted = "" if request.acted_s is None else f", acted {request.acted_s:.3f}"
    told = "nothing" if request.told_s is None else f"{request.told!r} at {request.told_s:.3f}"
    attempts = " ".join(map(str, request.attempts)) or "none"
    asked = " ".join((f"{request.campaign}:", *request.numbers))
    return f"{request.sent_s:11.3f}    attempt {attempts}: {request.fate}{acted}; told {told}; {asked}"
