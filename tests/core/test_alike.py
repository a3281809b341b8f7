from itertools import chain, repeat
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.model import Alike, Ids, NumberState

ids = st.lists(st.integers(0, 3) | st.sampled_from(["a", "b"]), max_size=2).map(tuple)
values = st.builds(NumberState, st.sampled_from("RN"), st.integers(0, 2), ids)
lists = st.lists(values, max_size=8)


def without_ids(value: NumberState) -> NumberState:
    return value._replace(record_ids=())


def added(mine: NumberState, more: NumberState) -> NumberState:
    return mine._replace(removed=mine.removed + more.removed)


@given(lists)
def test_values_come_back_as_they_were(given_values: list[NumberState]) -> None:
    alike = Alike.of(given_values)
    assert list(alike) == given_values
    assert [alike[place] for place in range(len(alike))] == given_values
    assert alike == given_values
    assert hash(alike) == hash(tuple(given_values))
    assert Alike.of(alike) is alike


@given(lists)
def test_each_kind_is_kept_once_and_without_record_ids(given_values: list[NumberState]) -> None:
    kinds = Alike.of(given_values).kinds
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) == {without_ids(value) for value in given_values}
    assert (Alike.of(given_values).ids is None) == (not any(value.record_ids for value in given_values))


@given(lists, lists)
def test_sequences_of_other_values_or_lengths_are_not_equal(mine: list[NumberState], other: list[NumberState]) -> None:
    assert (Alike.of(mine) == other) == (mine == other)
    assert Alike.of(mine) != 5


@given(lists, st.slices(8))
def test_a_slice_holds_the_same_values(given_values: list[NumberState], piece: slice) -> None:
    assert Alike.of(given_values)[piece] == given_values[piece]


@given(lists)
def test_kinds_are_counted_and_found(given_values: list[NumberState]) -> None:
    alike = Alike.of(given_values)
    assert sum(kind.removed * count for kind, count in alike.counted()) == sum(value.removed for value in given_values)
    places = [place for place, value in enumerate(given_values) if value.phase == "R"]
    assert alike.where(lambda kind: kind.phase == "R") == places
    assert alike.where(lambda _: False) == []


@given(lists)
def test_a_change_is_made_to_each_value_and_keeps_the_ids(given_values: list[NumberState]) -> None:
    changed = Alike.of(given_values).each(lambda kind: kind._replace(phase="P"))
    assert changed == [value._replace(phase="P") for value in given_values]


@given(lists, st.dictionaries(st.integers(0, 7), values))
def test_single_values_are_replaced(given_values: list[NumberState], other: dict[int, NumberState]) -> None:
    other = {place: value for place, value in other.items() if place < len(given_values)}
    expected = [other.get(place, value) for place, value in enumerate(given_values)]
    assert Alike.of(given_values).but(other) == expected


@given(st.lists(lists, max_size=4))
def test_parts_follow_each_other(parts: list[list[NumberState]]) -> None:
    assert Alike.chained(map(Alike.of, parts)) == [*chain(*parts)]


@given(lists, st.randoms(use_true_random=False), st.integers(1, 3))
def test_parts_are_put_at_their_places(given_values: list[NumberState], dice: Random, parts: int) -> None:
    owner = [dice.randrange(parts) for _ in given_values]
    places = [[place for place, of in enumerate(owner) if of == part] for part in range(parts)]
    pieces = [(mine, Alike.of(given_values[place] for place in mine)) for mine in places]
    assert Alike.placed(len(given_values), pieces) == given_values


@given(st.lists(st.tuples(values, values), max_size=8))
def test_pairs_are_joined_and_their_ids_added_up(pairs: list[tuple[NumberState, NumberState]]) -> None:
    mine, more = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = [added(a, b)._replace(record_ids=a.record_ids + b.record_ids) for a, b in pairs]
    assert Alike.of(mine).joined(Alike.of(more), added) == expected


def test_what_is_decided_is_decided_once_for_each_pair_of_kinds() -> None:
    asked: list[tuple[NumberState, NumberState]] = []

    def join(mine: NumberState, more: NumberState) -> NumberState:
        asked.append((mine, more))
        return mine

    found: list[Ids] = [*range(1000)]
    states = Alike((NumberState("U"),), [0] * 1000)
    verdicts = Alike((NumberState("R"), NumberState("N")), [0, 1] * 500, found)
    assert [state.record_ids for state in states.joined(verdicts, join)] == [(number,) for number in found]
    assert len(asked) == 2


def test_sequences_of_different_lengths_are_not_joined() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        Alike.of(repeat(NumberState("U"), 2)).joined(Alike.of([NumberState("R")]), added)


def test_the_only_record_id_of_a_number_stands_for_itself_wherever_values_come_from() -> None:
    one, two = NumberState("R", 1, (7,)), NumberState("R", 2, (8, 9))
    alike = Alike.of([one, two])
    assert alike.ids == [7, (8, 9)]
    assert alike.but({1: one}).ids == [7, 7]
    assert [*Alike.chained([alike, Alike.of([NumberState("N")]), alike])] == [one, two, NumberState("N"), one, two]


def test_a_kind_is_counted_only_where_it_occurs_and_added_once() -> None:
    one, other = NumberState("R", 1, (7,)), NumberState("N")
    assert [*Alike.of([one])[0:0].counted()] == []
    assert len(Alike.of([one, one]).but({0: other, 1: other}).kinds) == 2
