import re

import pytest

from bulk_remove.core.summary import Ending
from tests.simulation.fates import Fate
from tests.simulation.replay import replay
from tests.simulation.rows import CAMPAIGNS
from tests.simulation.scenario import Kind

_SEEDS = 60  # `make sim` plays as many more as there is time for
_BLOCK = 10
_ENDINGS = {Ending.DONE, Ending.INTERRUPTED, Ending.UNAVAILABLE, Ending.DENIED, Ending.GUARD, Ending.UNASKED}
_ENDINGS |= {Ending.DEADLINE}


@pytest.mark.parametrize("first", range(0, _SEEDS, _BLOCK), ids=lambda first: f"seeds-{first}-{first + _BLOCK - 1}")
def test_every_promise_holds_whatever_the_world_does(first: int) -> None:
    failures = [failure for seed in range(first, first + _BLOCK) if (failure := replay(seed))]
    assert not failures, "\n".join(map(str, failures))


def test_a_seed_always_plays_alike() -> None:
    first: list[str] = []
    second: list[str] = []
    replay(3, first.append)
    replay(3, second.append)
    assert first == second
    assert len(first) > 10


def unseen(story: list[str]) -> set[object]:
    """Return what can happen in a world and did not in this story."""
    told = "\n".join(story)
    missing: set[object] = {fate for fate in Fate if f": {fate}" not in told}
    missing |= {kind for kind in Kind if f": {kind} at " not in told}
    ended = {line.partition(" ended: ")[2] for line in story if " ended: " in line}
    missing |= {"Killed", "StorageError", "CancelledError", *_ENDINGS} - ended
    missing |= {*CAMPAIGNS} - {request.rpartition("; ")[2][:5] for request in story if " attempt " in request}
    for fate in (Fate.ANSWERED, Fate.POISONED, Fate.DROPPED_AFTER):
        leads = {lead for line in story if f": {fate}" in line for lead in re.findall(r" (\+?[048]*)[0-9]{9}\b", line)}
        missing |= {(fate, lead) for lead in {"", "48", "+48", "0048"} ^ leads}
    return missing


def test_everything_that_can_happen_does_happen() -> None:
    story: list[str] = []
    # Together these show all; where a change of the worlds takes that away, others are looked for.
    for seed in (37, 115, 90, 88, 32, 98, 236, 84, 89, 92, *range(200)):
        replay(seed, story.append)
        if not (missing := unseen(story)):
            break
    assert missing == set()
