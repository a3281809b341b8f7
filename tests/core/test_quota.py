from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.replies import Quota, parse_date, read_quota, read_retry_after

NOW_S = 1_800_000_000.0
YEAR_S = 366 * 86_400.0
NAMES = [
    "RateLimit",
    *(f"{prefix}-{what}" for prefix in ("RateLimit", "X-RateLimit", "X-Rate-Limit") for what in ("Remaining", "Reset")),
]


def date(moment_s: float) -> str:
    return format_datetime(datetime.fromtimestamp(moment_s, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("2.0", 2.0),
        ("2.01", 3.0),
        ("0.001", 1.0),
        ('"7"', 7.0),
        ("7; comment", 7.0),
        (date(900_000_000.0), 0.0),
        ("5, 120", 120.0),
        ("120,5.5, 7", 120.0),
        ("5, soon, 3", 5.0),
        ("99999999999999999", YEAR_S),
        (date(NOW_S + 40.0), 40.0),
        (date(NOW_S + 40.0).removesuffix(" GMT"), 40.0),
        (date(NOW_S - 50.0), 0.0),
        (f"{date(NOW_S + 40.0)}, 30", 40.0),
        (f"60, {date(NOW_S + 40.0)}, {date(NOW_S + 50.0)}", 60.0),
        ("Friday, 15-Jan-27 08:00:40 GMT", 40.0),
        ("soon", None),
        ("soon, later", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
        ("-5", None),
        ("1e3", None),
        ("", None),
        (",", None),
        ("\u0663", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_dates_of_which_the_greatest_counts(
    value: str, seconds: float | None
) -> None:
    assert read_retry_after({"Retry-After": value}, NOW_S) == seconds


def test_without_retry_after_nothing_is_asked_for() -> None:
    assert read_retry_after({"Date": date(NOW_S)}, NOW_S) is None


@pytest.mark.parametrize("ahead_s", [-3600.0, 0.0, 86_400.0 * 400])
def test_moments_are_those_of_the_clock_that_the_reply_itself_shows(ahead_s: float) -> None:
    its_now_s = NOW_S + ahead_s
    headers = {
        "Date": date(its_now_s),
        "Retry-After": date(its_now_s + 30.0),
        "X-RateLimit-Remaining": "3",
        "X-RateLimit-Reset": f"{its_now_s + 60.0:.0f}",
    }
    assert read_retry_after(headers, NOW_S) == 30.0
    assert read_quota(headers, NOW_S) == Quota(3, 60.0)


@pytest.mark.parametrize("shown", ["yesterday", ""])
def test_a_reply_that_shows_no_clock_is_held_against_ours(shown: str) -> None:
    assert read_retry_after({"Date": shown, "Retry-After": date(NOW_S + 30.0)}, NOW_S) == 30.0


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        pytest.param({"RateLimit": "limit=100, remaining=50, reset=5"}, Quota(50, 5.0), id="one field"),
        pytest.param({"RateLimit": "Reset=5, Remaining=50"}, Quota(50, 5.0), id="one field, the other way about"),
        pytest.param({"RateLimit": '"default";r=50;t=30'}, Quota(50, 30.0), id="parameters"),
        pytest.param({"RateLimit": '"a";r=90;t=30, "b";r=0;t=2'}, Quota(0, 2.0), id="the one that is used up"),
        pytest.param({"RateLimit": '"a";r=0;t=2, "b";r=0;t=20, "c";r=1;t=60'}, Quota(0, 20.0), id="two used up"),
        pytest.param({"RateLimit": '"a";r=50;t=30, "b";r=70;t=60'}, Quota(70, 60.0), id="the one used up first"),
        pytest.param({"RateLimit-Remaining": "0", "RateLimit-Reset": "7"}, Quota(0, 7.0), id="three fields"),
        pytest.param({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "60"}, Quota(3, 60.0), id="seconds"),
        pytest.param({"X-RateLimit-Remaining": "9, 3", "X-RateLimit-Reset": "1, 60"}, Quota(3, 60.0), id="lists"),
        pytest.param({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1800000060"}, Quota(3, 60.0), id="Unix time"),
        pytest.param({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": date(NOW_S + 60)}, Quota(3, 60.0), id="date"),
        pytest.param({"X-Rate-Limit-Remaining": "3.9", "X-Rate-Limit-Reset": "9.1"}, Quota(3, 10.0), id="fractions"),
        pytest.param({"RateLimit-Remaining": "1", "RateLimit-Reset": "90000"}, Quota(1, 90_000.0), id="a day"),
        pytest.param({"RateLimit-Remaining": "1", "RateLimit-Reset": "1" * 18}, Quota(1, YEAR_S), id="for ever"),
        pytest.param(
            {"RateLimit-Remaining": "1", "RateLimit-Reset": "999999999"}, Quota(1, YEAR_S), id="no moment yet"
        ),
        pytest.param({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1000000000"}, None, id="in the past"),
        pytest.param({"RateLimit-Remaining": "3"}, None, id="no reset"),
        pytest.param({"RateLimit-Reset": "3"}, None, id="no remaining"),
        pytest.param({"RateLimit": "remaining=3"}, None, id="no reset in one field"),
        pytest.param({"RateLimit-Remaining": "-1", "RateLimit-Reset": "5"}, None, id="less than nothing"),
        pytest.param({"RateLimit-Remaining": "lots", "RateLimit-Reset": "soon"}, None, id="words"),
        pytest.param({"RateLimit-Remaining": "5", "RateLimit-Reset": "0"}, None, id="at once"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_headers_in_use_are_read_and_nonsense_is_not_there(headers: Mapping[str, str], quota: Quota | None) -> None:
    assert read_quota(headers, NOW_S) == quota


@given(st.dictionaries(st.sampled_from([*NAMES, "Retry-After", "Date"]), st.text(max_size=30)))
def test_no_header_breaks_the_reading_or_asks_for_more_than_a_year(headers: dict[str, str]) -> None:
    quota = read_quota(headers, NOW_S)
    assert quota is None or (quota.remaining >= 0 and 0 < quota.reset_s <= YEAR_S)
    asked_s = read_retry_after(headers, NOW_S)
    assert asked_s is None or 0.0 <= asked_s <= YEAR_S


@pytest.mark.parametrize(
    ("remaining", "reset_s", "few"),
    [
        (10, 60.0, True),
        (600, 3600.0, False),
        (100, 5.0, False),
        (299, 3600.0, True),
        (300, 3600.0, False),
        (24, 5.0, True),
        (25, 5.0, False),
    ],
)
def test_what_is_used_up_within_a_minute_and_before_the_reset_is_few(remaining: int, reset_s: float, few: bool) -> None:
    assert Quota(remaining, reset_s).is_few_at(5.0) is few


def test_no_date_is_no_moment() -> None:
    assert parse_date(None) is None
