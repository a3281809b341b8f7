from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.throttle import Pauses, begun, ended, held_us


def test_the_time_in_pauses_is_counted_within_any_bounds() -> None:
    pauses = begun(ended(begun(Pauses(), 100), 200), 500)
    assert held_us(pauses, 0, 600) == 200
    assert held_us(pauses, 150, 550) == 100
    assert held_us(pauses, 200, 500) == 0
    assert held_us(pauses, 0, 50) == 0


def test_a_pause_that_lasts_goes_on_and_one_that_does_not_has_no_end() -> None:
    assert begun(begun(Pauses(), 100), 200) == begun(Pauses(), 100)
    assert ended(Pauses(), 100) == Pauses()


@given(st.lists(st.integers(1, 1000), max_size=20))
def test_the_clock_without_the_pauses_never_goes_back_and_stands_still_in_them(gaps: list[int]) -> None:
    pauses, now_us, seen_us = Pauses(), 0, 0
    for index, gap_us in enumerate(gaps):
        now_us += gap_us
        sending_us = now_us - held_us(pauses, 0, now_us)
        assert sending_us - seen_us == (0 if index % 2 else gap_us)
        seen_us = sending_us
        pauses = ended(pauses, now_us) if index % 2 else begun(pauses, now_us)
