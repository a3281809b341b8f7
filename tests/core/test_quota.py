import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.quota import PAUSE_MAX_S, Quota, read_quota

NOW_S = 1_800_000_000.0
NAMES = [
    "RateLimit",
    *(f"{prefix}-{what}" for prefix in ("RateLimit", "X-RateLimit", "X-Rate-Limit") for what in ("Remaining", "Reset")),
]


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        pytest.param({"RateLimit": "limit=100, remaining=50, reset=5"}, Quota(50, 5.0), id="one field"),
        pytest.param({"RateLimit": '"default";r=50;t=30'}, Quota(50, 30.0), id="parameters"),
        pytest.param({"RateLimit-Remaining": "0", "RateLimit-Reset": "7"}, Quota(0, 7.0), id="three fields"),
        pytest.param({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "60"}, Quota(3, 60.0), id="seconds"),
        pytest.param({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1800000060"}, Quota(3, 60.0), id="Unix time"),
        pytest.param({"X-Rate-Limit-Remaining": "3", "X-Rate-Limit-Reset": "9.5"}, Quota(3, 9.0), id="a fraction"),
        pytest.param({"RateLimit-Remaining": "1", "RateLimit-Reset": "90000"}, Quota(1, PAUSE_MAX_S), id="a day"),
        pytest.param({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1700000000"}, None, id="in the past"),
        pytest.param({"RateLimit-Remaining": "3"}, None, id="no reset"),
        pytest.param({"RateLimit-Reset": "3"}, None, id="no remaining"),
        pytest.param({"RateLimit-Remaining": "-1", "RateLimit-Reset": "5"}, None, id="less than nothing"),
        pytest.param({"RateLimit-Remaining": "lots", "RateLimit-Reset": "soon"}, None, id="words"),
        pytest.param({"RateLimit-Remaining": "5", "RateLimit-Reset": "0"}, None, id="at once"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_headers_in_use_are_read_and_nonsense_is_not_there(headers: dict[str, str], quota: Quota | None) -> None:
    assert read_quota(headers, NOW_S) == quota


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30)))
def test_no_header_breaks_the_reading_or_asks_for_more_than_an_hour(headers: dict[str, str]) -> None:
    quota = read_quota(headers, NOW_S)
    assert quota is None or (quota.remaining >= 0 and 0 < quota.reset_s <= PAUSE_MAX_S)


@pytest.mark.parametrize(("remaining", "reset_s", "few"), [(10, 60.0, True), (600, 3600.0, False), (100, 5.0, False)])
def test_what_is_used_up_within_a_minute_and_before_the_reset_is_few(remaining: int, reset_s: float, few: bool) -> None:
    assert Quota(remaining, reset_s).is_few_at(5.0) is few
