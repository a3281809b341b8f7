import json
from dataclasses import asdict, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.model import Alike, NumberedBlock, NumberState, RowBlock, Source
from bulk_remove.ledger.store import (
    as_json,
    pack_block,
    pack_state,
    pack_states,
    unpack_block,
    unpack_source,
    unpack_state,
    unpack_states,
)
from tests.support.ledger_values import number_states

SOURCE = Source("numbers.csv", "", ("phone", "name"), 0, "named 'phone'", "utf-8", ";", "0" * 64, 12)
cells = st.text(max_size=8)
any_text = st.text(st.characters(), max_size=8)  # lone surrogates too


@given(st.lists(number_states, min_size=1, max_size=12))
def test_the_states_of_a_chunk_come_back_as_they_were(states: list[NumberState]) -> None:
    assert unpack_states(pack_states(Alike.of(states)), len(states)) == states


@given(number_states, st.integers(1, 300))
def test_equal_states_come_back_and_cost_little_more_than_one(state: NumberState, size: int) -> None:
    packed = pack_states(Alike.of([state] * size))
    assert unpack_states(packed, size) == [state] * size
    ids = orjson.dumps(state.record_ids[0] if len(state.record_ids) == 1 else state.record_ids)
    one = len(pack_states(Alike.of([state])))
    assert len(packed) == one + (size - 1) * (len(ids) + 1 if state.record_ids else 0)


@given(number_states)
def test_the_state_of_a_number_comes_back_as_it_was(state: NumberState) -> None:
    assert unpack_state(pack_state(state)) == state


@given(cells, cells, st.lists(cells).map(tuple), st.integers(0, 2**40))
def test_a_source_comes_back_as_it_was(file: str, sheet: str, header: tuple[str, ...], size: int) -> None:
    source = replace(SOURCE, file=file, sheet=sheet, header=header, size_bytes=size)
    assert unpack_source(as_json(asdict(source))) == source


@given(
    rows=st.lists(
        st.tuples(cells, st.sampled_from(["", "601234555", "+48601234555"]), cells, st.sampled_from(["", "00001"])),
        min_size=1,
    ),
    kept=st.booleans(),
    clean=st.booleans(),
)
def test_a_block_comes_back_as_it_was(rows: list[tuple[str, str, str, str]], *, kept: bool, clean: bool) -> None:
    numbers = [number for _, number, _, _ in rows]
    problems = {index: problem for index, (_, number, problem, _) in enumerate(rows) if not number}
    others = [(cell, number) for cell, number, _, _ in rows] if kept else []
    read = numbers if clean else [cell for cell, _, _, _ in rows]
    block = NumberedBlock(
        RowBlock(SOURCE, list(range(2, len(rows) + 2)), read, others),
        numbers,
        [campaign for _, _, _, campaign in rows],
        problems,
    )
    assert unpack_block(SOURCE, *pack_block(block)) == block


def test_what_a_clean_block_repeats_is_written_once() -> None:
    numbers = [f"{601234000 + index}" for index in range(500)]
    block = NumberedBlock(RowBlock(SOURCE, range(2, 502), numbers, ()), numbers, ["00001"] * 500, {})
    assert sum(map(len, pack_block(block))) < len(numbers) * (10 + 4) + 50


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        pytest.param("caf\udce9.csv", "caf?.csv", id="a file name in Latin-1"),
        pytest.param('"\ud83d"\n', '"?"\n', id="half an emoji among quotes"),
        pytest.param("zażółć \U0001f4de", "zażółć \U0001f4de", id="whole characters stay"),
    ],
)
def test_a_lone_surrogate_is_kept_as_a_question_mark(given_text: str, kept: str) -> None:
    source = replace(SOURCE, file=given_text, header=(given_text,))
    assert unpack_source(as_json(asdict(source))) == replace(SOURCE, file=kept, header=(kept,))
    block = RowBlock(source, range(2, 3), (given_text,), [(given_text, "x")])
    packed = pack_block(NumberedBlock(block, [""], ["00001"], {0: "Letters in the cell."}))
    unpacked, numbers, campaigns, problems = unpack_block(SOURCE, *packed)
    assert (unpacked.cells, unpacked.others) == ([kept], [(kept, "x")])
    assert (numbers, campaigns, problems) == ([""], ["00001"], {0: "Letters in the cell."})
    assert json.loads(as_json({"column": given_text})) == {"column": kept}


@given(st.lists(any_text, min_size=1, max_size=5))
def test_no_text_of_a_cell_is_refused_and_its_length_stays(texts: list[str]) -> None:
    block = RowBlock(SOURCE, range(len(texts)), texts, [tuple(texts)])
    nothing = [""] * len(texts)
    unpacked, *_ = unpack_block(SOURCE, *pack_block(NumberedBlock(block, nothing, nothing, {})))
    assert [len(cell) for cell in unpacked.cells] == [len(text) for text in texts]
