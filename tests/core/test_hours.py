from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.timeline import Window, is_open, next_opening, read_window, told_moment

FRIDAY = datetime(2026, 11, 27)  # noqa: DTZ001 - local time, as a clock on the wall shows it
EVERY_DAY = frozenset(range(7))


def windows_of(*texts: str) -> list[Window]:
    windows = [read_window(text) for text in texts]
    assert None not in windows
    return [window for window in windows if window is not None]


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("20:00-06:00", Window(1200, 1800, EVERY_DAY)),
        (" 8:30 - 16:05 ", Window(510, 965, EVERY_DAY)),
        ("00:00-24:00", Window(0, 1440, EVERY_DAY)),
        ("06:00-06:00", Window(360, 1800, EVERY_DAY)),
        ("00:00-00:00", Window(0, 1440, EVERY_DAY)),
        ("mon-fri 20:00-06:00", Window(1200, 1800, frozenset(range(5)))),
        ("Sat,Sun 00:00-24:00", Window(0, 1440, frozenset({5, 6}))),
        ("fri-mon,wed 01:00-02:00", Window(60, 120, frozenset({4, 5, 6, 0, 2}))),
    ],
)
def test_a_window_is_read(text: str, window: Window) -> None:
    assert read_window(text) == window


@pytest.mark.parametrize(
    "text",
    [
        *("", "20:00", "20-06", "25:00-06:00", "20:60-06:00", "20:00-24:01", "20:00-06:00 mon"),
        *("xyz 20:00-06:00", "mon-xyz 20:00-06:00", "mon-tue-wed 20:00-06:00", "mon 20:00", "mon,20:00-06:00"),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    assert read_window(text) is None


@pytest.mark.parametrize(
    ("text", "hours", "opened"),
    [
        ("20:00-06:00", 19.99, False),
        ("20:00-06:00", 20, True),
        ("20:00-06:00", 24, True),
        ("20:00-06:00", 29.99, True),
        ("20:00-06:00", 30, False),
        ("fri 20:00-06:00", 24 + 5, True),  # Saturday at five: the night began on Friday
        ("sat 20:00-06:00", 5, False),  # Friday at five
        ("thu 20:00-06:00", 5, True),
        ("00:00-24:00", 23.99, True),
        ("06:00-06:00", 5, True),
    ],
)
def test_a_window_is_open_from_its_beginning_until_just_before_its_end(text: str, hours: float, opened: bool) -> None:
    assert is_open(windows_of(text), FRIDAY + timedelta(hours=hours)) is opened


def test_several_windows_are_open_where_one_of_them_is() -> None:
    windows = windows_of("mon-fri 20:00-06:00", "sat,sun 00:00-24:00")
    assert not is_open(windows, FRIDAY + timedelta(hours=12))
    assert is_open(windows, FRIDAY + timedelta(hours=36))


def test_without_a_window_a_run_may_always_send() -> None:
    assert is_open([], FRIDAY)
    assert next_opening([], FRIDAY) == FRIDAY


@pytest.mark.parametrize(
    ("text", "hours"),
    [("20:00-06:00", 20), ("fri 00:00-01:00", 7 * 24), ("thu 13:00-14:00", 6 * 24 + 13), ("sat 00:00-24:00", 24)],
)
def test_the_next_opening_is_found_within_a_week(text: str, hours: int) -> None:
    assert next_opening(windows_of(text), FRIDAY + timedelta(hours=12)) == FRIDAY + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0.5, "00:30"), (20, "20:00"), (23.75, "23:45"), (24, "2026-11-28 00:00"), (70, "2026-11-29 22:00")],
)
def test_a_moment_has_its_date_where_its_time_of_day_comes_another_time_before(hours: float, told: str) -> None:
    assert told_moment(FRIDAY + timedelta(hours=hours), FRIDAY) == told


@given(
    st.lists(
        st.builds(Window, st.integers(0, 1439), st.integers(1440, 2879), st.frozensets(st.integers(0, 6), min_size=1))
    )
    | st.lists(st.integers(0, 1439).map(lambda begin: Window(begin, begin + 1, EVERY_DAY)), min_size=1),
    st.integers(0, 60 * 24 * 30),
)
def test_a_run_may_send_at_the_next_opening_and_not_before(windows: list[Window], minutes: int) -> None:
    local = FRIDAY + timedelta(minutes=minutes)
    opening = next_opening(windows, local)
    assert opening >= local
    assert is_open(windows, opening)
    assert opening == local or not is_open(windows, opening - timedelta(minutes=1))
    assert opening == local or not is_open(windows, local)
