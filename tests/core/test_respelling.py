import sys
import tracemalloc
from types import FrameType
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.replies import AMBIGUOUS, Reply, meant, read_reply
from bulk_remove.core.spelling import POLAND, Region, region_of

GERMANY = region_of("DE")
AMERICA = region_of("US")
AUSTRALIA = region_of("AU")

Same = tuple[str, str]
SAME: list[tuple[Region, str, str]] = [
    (POLAND, "601234555", "48601234555"),
    (POLAND, "601234555", "+48601234555"),
    (POLAND, "601234555", "0048601234555"),
    (POLAND, "601234555", " 48601234555"),
    (POLAND, "601234555", "0601234555"),
    (POLAND, "601234555", "601 234 555"),
    (POLAND, "601234555", "+48 601-234-555"),
    (POLAND, "48601234555", "601234555"),
    (POLAND, "+48601234555", "601234555"),
    (POLAND, "0048601234555", "601234555"),
    (POLAND, "00491512345678", "491512345678"),
    (POLAND, "00491512345678", "+491512345678"),
    (POLAND, "0441", "441"),
    (POLAND, "441", "0441"),
    (POLAND, "481234567", "48481234567"),
    (POLAND, "1", f"{'0' * 39}1"),
    (GERMANY, "030123456", "+4930123456"),
    (GERMANY, "15123456789", "4915123456789"),
    (AMERICA, "2025550123", "12025550123"),
    (AUSTRALIA, "412345678", "61412345678"),
    (POLAND, "1234567", "+481234567"),
    (AMERICA, "2025550123", "01112025550123"),
]
OTHERS: list[tuple[Region, str, str]] = [
    (POLAND, "601234555", "49601234555"),
    (POLAND, "601234555", "1601234555"),
    (POLAND, "601234555", "701234555"),
    (POLAND, "601234555", "60123455"),
    (POLAND, "601234555", "6012345550"),
    (POLAND, "601234555", "+49601234555"),
    (POLAND, "601234555", "0049601234555"),
    (POLAND, "+48601234555", "00601234555"),
    (POLAND, "601234555", "4848601234555"),
    (POLAND, "601234555", "234555"),
    (POLAND, "441", "48441"),
    (POLAND, "441", "+48441"),
    (POLAND, "441", "0048441"),
    (POLAND, "481234567", "1234567"),
    (POLAND, "00491512345678", "1512345678"),
    (POLAND, "00491512345678", "00481512345678"),
    (POLAND, "601234555", "601234555x"),
    (POLAND, "601234555", "601234555" * 10),
    (POLAND, "601234555", "\u0666\u0660\u0661\u0662\u0663\u0664\u0665\u0665\u0665"),
    (POLAND, "601234555", ""),
    (POLAND, "601234555", "000"),
    (POLAND, "000", "00"),
    (POLAND, "x", "y"),
    (POLAND, "123456", "+48123456"),
    (POLAND, "1", f"{'0' * 40}1"),
    (AMERICA, "2025550123", "+01112025550123"),
    (GERMANY, "15123456789", "4815123456789"),
]


@pytest.mark.parametrize(("region", "sent", "key"), SAME, ids=str)
def test_a_number_is_known_with_its_own_code_prefix_plus_or_zeros(region: Region, sent: str, key: str) -> None:
    assert meant([key], [sent], region) == {key: 0}


@pytest.mark.parametrize(("region", "sent", "key"), OTHERS, ids=str)
def test_whatever_else_is_in_front_or_missing_makes_another_number(region: Region, sent: str, key: str) -> None:
    assert meant([key], [sent], region) == {}


def test_a_key_that_may_mean_two_numbers_is_ambiguous() -> None:
    sent = ["48601234555", "0048601234555", "500000000"]
    assert meant(["601234555", "48500000000"], sent, POLAND) == {"601234555": AMBIGUOUS, "48500000000": 2}


def test_the_region_that_is_taken_without_another_is_poland() -> None:
    assert region_of("PL") == POLAND


digits = st.text("0123456789", min_size=1, max_size=12)


@given(st.integers(500_000_000, 799_999_999).map(str), digits)
def test_more_digits_in_front_are_another_number_but_for_zeros_the_code_and_the_prefix(number: str, more: str) -> None:
    own = more.lstrip("0") in {"", "48"}
    assert bool(meant([more + number], [number], POLAND)) is own


@given(st.integers(500_000_000, 799_999_999).map(str), st.integers(1, 8))
def test_a_number_that_was_cut_is_another_number(number: str, length: int) -> None:
    assert meant([number[:length], number[-length:]], [number], POLAND) == {}


def lines_run(keys: int) -> int:
    """Count the lines of Python that a reply of so many strange keys costs, all alike at their end."""
    body = orjson.dumps({f"{700 + key}1234555": [{"status": "NOT_EXIST"}] for key in range(keys)})
    numbers = [f"{600 + number}1234555" for number in range(90)]
    count = 0

    def trace(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        reply = read_reply(body, numbers)
    finally:
        sys.settrace(before)
    assert isinstance(reply, Reply)
    assert reply.strangers == keys
    return count


def test_twice_as_many_strange_keys_cost_twice_as_much_and_no_more() -> None:
    assert lines_run(4000) < 2.2 * lines_run(2000)


def test_a_reply_of_many_strange_keys_takes_memory_in_proportion_to_its_size() -> None:
    body = orjson.dumps({str(key): [{"status": "REMOVED"}] for key in range(10**9, 10**9 + 20_000)})
    tracemalloc.start()
    try:
        reply = read_reply(body, ["601234555"])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(reply, Reply)
    assert reply.strangers == 20_000
    assert peak_bytes < 30 * len(body)
