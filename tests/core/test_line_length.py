import pytest

from bulk_remove.core.chunker import LineLength

LONG, HALF, QUARTER = 100, 50, 25


def split_once(state: LineLength, chunk: int, parts: tuple[int, int]) -> LineLength:
    """A long request fails, and both of its halves go through."""
    state = state.parted(chunk, parts, LONG, suspect=True)
    for part in parts:
        state = state.answered(part, HALF, 1000 + part)
    return state


def test_a_length_is_learned_once_two_failures_are_explained_by_it() -> None:
    once = split_once(LineLength(), 1, (2, 3))
    assert once.longest is None
    assert split_once(once, 4, (5, 6)).longest == 1006
    assert split_once(once, 4, (5, 6)).splits == {}


def test_a_failure_of_a_part_counts_too() -> None:
    state = LineLength().parted(1, (2, 3), LONG, suspect=True).answered(2, HALF, 1000)
    state = state.parted(3, (4, 5), HALF, suspect=True)
    assert state.told_apart(4)
    assert state.answered(4, QUARTER, 500).longest is None
    assert state.answered(4, QUARTER, 500).answered(5, QUARTER, 501).longest == 1000


def test_a_number_that_the_server_fails_over_is_not_a_length() -> None:
    state = split_once(LineLength(), 1, (2, 3)).parted(4, (5, 6), LONG, suspect=True)
    state = state.answered(5, HALF, 1000).blamed(6)
    assert state.splits == {}
    assert state == state.blamed(99)
    assert state.answered(6, HALF, 1000).longest is None


def test_a_length_that_went_through_is_not_to_blame() -> None:
    state = LineLength().answered(1, LONG, 0)
    assert state.most_answered >= LONG
    assert state.most_answered < LONG + 1
    assert state.parted(2, (3, 4), LONG, suspect=True) == state
    later = split_once(LineLength(), 1, (2, 3)).parted(4, (5, 6), LONG, suspect=True).answered(7, LONG, 0)
    assert later.answered(5, HALF, 1000).answered(6, HALF, 1000).longest is None


def test_one_number_less_is_no_other_length() -> None:
    state = LineLength()
    for chunk in (1, 4, 7):
        state = state.parted(chunk, (chunk + 1, chunk + 2), LONG, suspect=True)
        state = state.answered(chunk + 1, 1, 100).answered(chunk + 2, LONG - 1, 7990)
        assert state.longest is None


def test_parts_that_are_split_before_they_are_sent_stay_parts() -> None:
    state = LineLength().parted(1, (2, 3), LONG, suspect=True).parted(3, (4, 5), HALF, suspect=False)
    assert {*state.splits} == {2, 4, 5}
    assert state.splits[4].failures == 1
    assert LineLength().parted(1, (2, 3), LONG, suspect=False) == LineLength()


def test_only_a_part_of_which_another_went_through_is_told_apart() -> None:
    state = LineLength().parted(1, (2, 3), LONG, suspect=True)
    assert not state.told_apart(2)
    assert not state.told_apart(9)
    assert state.answered(2, 1, 100).told_apart(3)


@pytest.mark.parametrize(("known", "line", "longest"), [(None, 500, 500), (400, 500, 400), (600, 500, 500)])
def test_the_shortest_limit_counts(known: int | None, line: int, longest: int) -> None:
    assert LineLength(known).at_most(line).longest == longest


def test_a_part_that_fails_again_adds_to_the_failures_of_its_whole() -> None:
    state = LineLength().parted(1, (2, 3), LONG, suspect=True).parted(2, (4, 5), HALF, suspect=True)
    assert {part: (split.numbers, split.failures) for part, split in state.splits.items()} == dict.fromkeys(
        (3, 4, 5), (LONG, 2)
    )


def test_a_guilty_number_acquits_only_the_length_of_its_own_request() -> None:
    state = LineLength().parted(1, (2, 3), LONG, suspect=True).parted(4, (5, 6), LONG, suspect=True)
    assert {*state.blamed(6).splits} == {2, 3}
