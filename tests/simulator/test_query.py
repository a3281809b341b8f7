import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.simulator.api import Operation, Query, read_query, route


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("DELETE", "/api/batch/outbounds/00001/records", (Operation.REMOVE_RECORDS, "00001")),
        ("DELETE", "/api/batch/outbounds/00001/records/", (Operation.REMOVE_RECORDS, "00001")),
        ("GET", "/api/outbounds/00001/records", (Operation.RECORDS, "00001")),
        ("GET", "/api/outbounds/stats", (Operation.STATS, "")),
        ("GET", "/api/outbounds", (Operation.CAMPAIGNS, "")),
        ("GET", "/login", (Operation.LOGIN_PAGE, "")),
        ("GET", "/api/batch/outbounds/00001/records", (None, "")),
        ("DELETE", "/api/outbounds/00001", (None, "")),
        ("DELETE", "/api/batch/outbounds//records", (None, "")),
        ("DELETE", "/api/batch/outbounds/00001/records//", (None, "")),
    ],
)
def test_a_route_is_its_method_and_its_whole_path(
    method: str, path: str, expected: tuple[Operation | None, str]
) -> None:
    assert route(method, path) == expected


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("phone_number[]=441&phone_number[]=442", ("441", "442")),
        ("phone_number%5B%5D=441&phone_number%5B%5D=442", ("441", "442")),
        ("phone_number%5b%5d=441&phone_number[]=442", ("441", "442")),
        ("phone_number[]=%2B48441", ("+48441",)),
        ("phone_number[]=+48441", (" 48441",)),
        ("phone_number[]=441&&phone_number[]=442&", ("441", "442")),
        ("phone_number[]=", ("",)),
        ("phone_number=441", ()),
        ("", ()),
    ],
)
def test_numbers_are_read_as_php_reads_them(query: str, numbers: tuple[str, ...]) -> None:
    assert read_query(query, 1000).numbers == numbers


def test_variables_beyond_max_input_vars_are_dropped_in_order_whatever_they_are() -> None:
    query = "&".join(f"phone_number[]={number}" for number in range(100, 105))
    assert read_query(query, 3) == Query(("100", "101", "102"), {}, 2)
    flag = "search_in_additional_numbers=true"
    assert read_query(f"{query}&{flag}", 5) == Query(("100", "101", "102", "103", "104"), {}, 1)
    assert read_query(f"{flag}&{query}", 3) == Query(("100", "101"), {"search_in_additional_numbers": "true"}, 3)


@given(st.lists(st.from_regex(r"[0-9]{3,15}", fullmatch=True), min_size=1), st.integers(1, 20))
def test_the_quick_way_of_reading_plain_numbers_reads_what_the_long_way_reads(numbers: list[str], limit: int) -> None:
    query = "&".join(f"phone_number%5B%5D={number}" for number in numbers)
    # A variable in front leads around the quick way; one more may be kept then, and it is no number.
    long_way = read_query(f"other=1&{query}", limit + 1)
    quick = read_query(query, limit)
    assert (quick.numbers, quick.dropped) == (long_way.numbers, long_way.dropped)
