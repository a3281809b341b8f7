from dataclasses import replace
from itertools import pairwise
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.chunker import Packer, RequestShape, Writing, in_requests, pack
from bulk_remove.core.model import Brackets
from bulk_remove.errors import UsageError

numbers = st.lists(st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True), max_size=120)
shapes = st.builds(
    RequestShape,
    campaign=st.just("00001"),
    base_path=st.sampled_from(["", "/proxy/thulium"]),
    brackets=st.sampled_from(Brackets),
    trailing_slash=st.booleans(),
    max_request_line=st.integers(200, 1500),
    max_numbers=st.integers(1, 40),
    additional_numbers=st.booleans(),
)


@given(numbers, shapes)
def test_the_chunks_rejoin_to_the_input(given_numbers: list[str], shape: RequestShape) -> None:
    assert [number for chunk in pack(given_numbers, shape) for number in chunk] == given_numbers


@given(st.lists(st.tuples(st.sampled_from(["00001", "00002", "abcde"]), numbers), max_size=12), shapes)
def test_requests_never_mix_campaigns_and_are_as_few_as_each_campaign_alone_takes(
    runs: list[tuple[str, list[str]]], shape: RequestShape
) -> None:
    requests = list(in_requests(runs, lambda campaign: replace(shape, campaign=campaign), Writing(shape.brackets)))
    for campaign in ("00001", "00002", "abcde"):
        mine = [number for of, run in runs if of == campaign for number in run]
        alone = list(pack(mine, replace(shape, campaign=campaign)))
        assert [request for of, request in requests if of == campaign] == alone


@given(numbers, shapes)
def test_no_request_line_is_over_the_limit_and_none_could_take_the_next_number(
    given_numbers: list[str], shape: RequestShape
) -> None:
    chunks = list(pack(given_numbers, shape))
    for chunk in chunks:
        assert 0 < len(chunk) <= shape.max_numbers
        assert shape.line_bytes(*chunk) <= shape.max_request_line
    for chunk, following in pairwise(chunks):
        full = len(chunk) == shape.max_numbers
        assert full or shape.line_bytes(*chunk, following[0]) > shape.max_request_line


@given(st.lists(st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True), min_size=4, max_size=60), shapes)
def test_a_line_with_just_enough_room_is_filled_and_one_byte_less_costs_the_last_number(
    given_numbers: list[str], shape: RequestShape
) -> None:
    *fitting, one_more = given_numbers
    shape = replace(shape, max_numbers=len(given_numbers), max_request_line=shape.line_bytes(*fitting))
    assert next(pack(given_numbers, shape)) == tuple(fitting)
    tighter = replace(shape, max_request_line=shape.max_request_line - 1)
    assert next(pack([*fitting, one_more], tighter)) == tuple(fitting[:-1])


@given(numbers.filter(bool), shapes)
def test_the_line_measured_is_the_line_sent_and_the_server_reads_the_numbers_back(
    given_numbers: list[str], shape: RequestShape
) -> None:
    target = shape.target(given_numbers)
    assert shape.line_bytes(*given_numbers) == len(f"DELETE {target} HTTP/1.1".encode())
    flag = [("search_in_additional_numbers", "true")] if shape.additional_numbers else []
    assert parse_qsl(urlsplit(target).query) == flag + [("phone_number[]", number) for number in given_numbers]


def test_the_documented_call_is_written_as_documented() -> None:
    shape = RequestShape("00001", brackets=Brackets.RAW)
    assert shape.target(["441", "442"]) == ("/api/batch/outbounds/00001/records?phone_number[]=441&phone_number[]=442")


def test_a_trailing_slash_comes_before_the_query() -> None:
    assert RequestShape("00001", trailing_slash=True).target(["441"]).startswith("/api/batch/outbounds/00001/records/?")


@pytest.mark.parametrize(
    ("number", "each", "brackets"),
    [
        ("601234555", len("&phone_number%5B%5D=601234555"), Brackets.ENCODED),
        ("+48601234555", len("&phone_number%5B%5D=%2B48601234555"), Brackets.ENCODED),
        ("+48601234555", len("&phone_number[]=%2B48601234555"), Brackets.RAW),
    ],
)
def test_the_default_line_takes_as_many_numbers_as_its_8190_bytes_hold(
    number: str, each: int, brackets: Brackets
) -> None:
    line = len("DELETE /api/batch/outbounds/00001/records HTTP/1.1")
    shape = RequestShape("00001", brackets=brackets)
    assert len(next(pack([number] * 1000, shape))) == (8190 - line) // each
    assert shape.number_bytes(number) == each


def test_a_line_too_short_for_one_number_is_refused_with_the_least_that_works() -> None:
    with pytest.raises(UsageError, match="no room for a single number") as caught:
        RequestShape("00001", max_request_line=60)
    least = int(caught.value.hint.split()[3])
    with pytest.raises(UsageError):
        RequestShape("00001", max_request_line=least - 1)
    assert RequestShape("00001", max_request_line=least).line_bytes("0" * 16) == least


def test_what_is_left_is_a_request_like_all_others() -> None:
    shape = RequestShape("00001", max_numbers=2)
    packer = Packer(shape)
    assert [*packer.add(["441"]), *packer.add(["442"]), *packer.add(["443", "444"])] == [("441", "442")]
    assert [*packer.rest(), *packer.rest()] == [("443", "444")]
