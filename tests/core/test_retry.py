import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.replies import PAUSE_MAX_S, Effect, Fault
from bulk_remove.core.throttle import BusyPolicy, Decision, RetryPolicy, Step, Trial, backoff_s, busy_delay_s, decide

POLICY = RetryPolicy(tries=4, give_up_after_s=100.0, backoff_first_s=1.0, backoff_max_s=10.0)
draws = st.floats(0, 1, exclude_max=True)


def fault(effect: Effect, retry_after_s: float | None = None) -> Fault:
    return Fault(effect, "made up", "Made up.", retry_after_s=retry_after_s)


def trial(tries: int = 1, server_errors: int = 0, numbers: int = 10, *, alive: bool = True) -> Trial:
    return Trial(tries, server_errors, numbers, alive)


@pytest.mark.parametrize(
    ("effect", "fared", "step"),
    [
        pytest.param(Effect.REFUSED, trial(), Step.SPLIT, id="refused"),
        pytest.param(Effect.REFUSED, trial(99, alive=False), Step.SPLIT, id="refused, however often tried"),
        pytest.param(Effect.UNTOUCHED, trial(), Step.RETRY, id="untouched"),
        pytest.param(Effect.UNTOUCHED, trial(99), Step.RETRY, id="untouched costs no try"),
        pytest.param(Effect.IN_DOUBT, trial(3), Step.RETRY, id="in doubt, tries left"),
        pytest.param(Effect.IN_DOUBT, trial(4), Step.GIVE_UP, id="in doubt, tries used up"),
        pytest.param(Effect.IN_DOUBT, trial(99, alive=False), Step.RETRY, id="in doubt while nobody is answered"),
        pytest.param(Effect.IN_DOUBT, trial(3, 3), Step.SPLIT, id="the server trips over the chunk"),
        pytest.param(Effect.IN_DOUBT, trial(3, 3, 2), Step.SPLIT, id="it trips over one of two"),
        pytest.param(Effect.IN_DOUBT, trial(3, 2), Step.RETRY, id="not yet often enough"),
        pytest.param(Effect.IN_DOUBT, trial(3, 3, 1), Step.RETRY, id="one number cannot be split"),
        pytest.param(Effect.IN_DOUBT, trial(3, 3, alive=False), Step.SPLIT, id="it trips, and nobody else is answered"),
        pytest.param(Effect.IN_DOUBT, trial(4, 4, 1, alive=False), Step.GIVE_UP, id="it trips over one number alone"),
        pytest.param(Effect.IN_DOUBT, trial(9, 3, 1, alive=False), Step.RETRY, id="it did not trip each time"),
    ],
)
def test_what_follows_a_fault_depends_on_what_the_server_could_have_done(
    effect: Effect, fared: Trial, step: Step
) -> None:
    assert decide(POLICY, fault(effect), fared, 0.5).step is step


def denial(http_status: int, kind: str = "") -> Fault:
    return Fault(Effect.DENIED, kind or f"HTTP {http_status}", "Made up.", http_status)


@pytest.mark.parametrize(
    ("fault", "fared", "step"),
    [
        pytest.param(denial(401), (False, 1, True), Step.END_RUN, id="a wrong password at the start"),
        pytest.param(denial(0, "TLS"), (False, 1, True), Step.END_RUN, id="no TLS at the start"),
        pytest.param(denial(407), (False, 1, True), Step.END_RUN, id="the proxy's password"),
        pytest.param(denial(403), (False, 1, True), Step.PROBE, id="forbidden at the start: perhaps the length"),
        pytest.param(denial(404), (True, 1, True), Step.PROBE, id="longer than any before"),
        pytest.param(denial(302), (True, 9, True), Step.PROBE, id="longer than any before, late"),
        pytest.param(denial(404), (True, 1, False), Step.RETRY, id="not longer: an accident"),
        pytest.param(denial(404), (True, 3, False), Step.RETRY, id="the third in a row"),
        pytest.param(denial(404), (True, 4, False), Step.END_RUN, id="the fourth in a row"),
        pytest.param(denial(401), (True, 1, True), Step.RETRY, id="a wrong password amid answers"),
        pytest.param(denial(403), (False, 1, False), Step.END_RUN, id="nothing went through, and it is not longer"),
    ],
)
def test_a_denial_is_believed_at_the_start_or_when_it_repeats_and_its_length_is_not_to_blame(
    fault: Fault, fared: tuple[bool, int, bool], step: Step
) -> None:
    passed, denials, longest = fared
    told = Trial(1, 0, 10, alive=True, passed=passed, denials=denials, longest=longest)
    assert decide(POLICY, fault, told, 0.5).step is step


def test_one_number_is_no_long_request_and_a_part_that_went_through_tells_the_length() -> None:
    alone = Trial(1, 0, 1, alive=False, passed=False, denials=1, longest=True)
    assert decide(POLICY, denial(403), alone, 0.5).step is Step.END_RUN
    rest = Trial(1, 0, 9, alive=True, denials=1, longest=True, told_apart=True)
    assert decide(POLICY, denial(403), rest, 0.5).step is Step.SPLIT


def test_the_wait_after_a_denial_grows() -> None:
    waits = [decide(POLICY, denial(401), Trial(1, 0, 1, alive=True, denials=n), 0.0).delay_s for n in (0, 1, 2, 3)]
    assert waits == [0.5, 0.5, 1.0, 2.0]


@given(st.integers(1, 1000), draws)
def test_the_backoff_stays_between_half_and_the_whole_of_the_doubled_step(tries: int, draw: float) -> None:
    step_s = min(10.0, 2.0 ** min(tries - 1, 100))
    assert step_s / 2 <= backoff_s(POLICY, tries, draw) <= step_s


@given(draws)
def test_a_retry_is_never_earlier_than_the_server_asked_for(draw: float) -> None:
    decision = decide(POLICY, fault(Effect.UNTOUCHED, 30.0), trial(), draw)
    assert decision.step is Step.RETRY
    assert 30.0 <= decision.delay_s <= 31.0


def test_workers_that_were_sent_away_together_do_not_come_back_together() -> None:
    first, last = (decide(POLICY, fault(Effect.UNTOUCHED, 30.0), trial(), draw).delay_s for draw in (0.0, 0.99))
    assert last - first > 0.9 * POLICY.backoff_first_s


@pytest.mark.parametrize(("asked_s", "step"), [(100.0, Step.RETRY), (100.5, Step.END_RUN), (200.0, Step.END_RUN)])
def test_a_server_that_asks_for_longer_than_the_budget_ends_the_run(asked_s: float, step: Step) -> None:
    assert decide(POLICY, fault(Effect.UNTOUCHED, asked_s), trial(), 0.0).step is step
    assert decide(POLICY, fault(Effect.UNTOUCHED, 200.0), trial(), 0.0) == Decision(Step.END_RUN)


def test_a_server_that_asks_for_a_day_is_asked_again_after_an_hour() -> None:
    patient = RetryPolicy(give_up_after_s=100_000.0)
    assert decide(patient, fault(Effect.UNTOUCHED, 86_400.0), trial(), 0.0) == Decision(Step.RETRY, PAUSE_MAX_S)


BUSY = BusyPolicy(budget_s=1800.0, delay_first_s=30.0, delay_max_s=300.0)


@pytest.mark.parametrize(("rounds", "delay_s"), [(1, 30.0), (2, 60.0), (3, 120.0), (4, 240.0), (5, 300.0), (50, 300.0)])
def test_the_delays_of_numbers_in_a_call_are_shaped_like_calls(rounds: int, delay_s: float) -> None:
    assert busy_delay_s(BUSY, rounds, used_s=0.0, draw=1.0) == delay_s
    assert busy_delay_s(BUSY, rounds, used_s=0.0, draw=0.0) == 0.8 * delay_s


def test_the_last_question_is_put_at_the_end_of_the_budget() -> None:
    assert busy_delay_s(BUSY, 5, used_s=1700.0, draw=0.5) == 100.0


@pytest.mark.parametrize("used_s", [1790.0, 1800.0, 5000.0])
def test_no_question_follows_when_the_budget_is_used_up(used_s: float) -> None:
    assert busy_delay_s(BUSY, 9, used_s, draw=0.5) is None


@given(draws, st.floats(0.1, 100.0))
def test_a_budget_shorter_than_the_first_delay_still_gives_one_question_and_ends(draw: float, budget_s: float) -> None:
    policy = BusyPolicy(budget_s=budget_s, delay_first_s=200.0)
    assert busy_delay_s(policy, 1, used_s=0.0, draw=draw) == budget_s
    assert busy_delay_s(policy, 2, used_s=budget_s, draw=draw) is None


def test_no_budget_means_no_question() -> None:
    assert busy_delay_s(BusyPolicy(budget_s=0.0), 1, used_s=0.0, draw=0.0) is None


def test_the_jitter_after_a_wait_that_the_server_asked_for_is_a_share_of_the_first_step() -> None:
    policy = RetryPolicy(backoff_first_s=4.0)
    assert decide(policy, fault(Effect.UNTOUCHED, 30.0), trial(), 0.5) == Decision(Step.RETRY, 32.0)


def test_what_nobody_sets_is_as_the_guide_says() -> None:
    assert RetryPolicy() == RetryPolicy(6, 900.0, 1.0, 60.0)
    assert BusyPolicy() == BusyPolicy(1800.0, 30.0, 300.0)


def test_half_of_the_step_is_certain_and_the_other_half_is_drawn() -> None:
    assert [backoff_s(POLICY, 2, draw) for draw in (0.0, 0.5, 1.0)] == [1.0, 1.5, 2.0]


def test_half_of_the_first_delay_is_left_or_no_question_follows() -> None:
    assert [busy_delay_s(BUSY, 9, used_s, draw=0.5) for used_s in (1784.0, 1785.0, 1785.1)] == [16.0, 15.0, None]


def test_the_backoff_begins_with_the_first_step_and_ends_with_the_longest_however_often_it_was_tried() -> None:
    policy = RetryPolicy(backoff_first_s=2.0, backoff_max_s=50.0)
    assert [backoff_s(policy, tries, 1.0) for tries in (1, 2, 5, 6, 5000)] == [2.0, 4.0, 32.0, 50.0, 50.0]
