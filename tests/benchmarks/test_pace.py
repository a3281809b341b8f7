import pytest

from tests.benchmarks.pace.page import GOODPUT_LEAST, REFUSED_MOST
from tests.benchmarks.pace.race import figures, race
from tests.benchmarks.pace.rules import Ours
from tests.benchmarks.pace.worlds import worlds


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("name", list(worlds(0)))
def test_in_every_world_the_pace_is_found_and_hardly_a_request_refused(name: str, seed: int) -> None:
    world = worlds(seed)[name]
    found = figures(race(Ours(), world, seed), world)
    assert found.goodput >= GOODPUT_LEAST
    assert found.refused <= REFUSED_MOST
    assert found.found_s <= 60
    assert not found.passed
