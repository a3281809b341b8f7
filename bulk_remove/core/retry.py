"""What follows a fault: a retry, after which wait, or none. The functions are pure; the caller draws the random float.

Backoff is exponential with jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A number in
a call is not a fault: it has its own delays, which follow the length of calls. The breaker decides whether the server
answers at all.

The breaker is shared by all workers; its times are microseconds of one monotonic clock. It opens after several faults
in a row from any chunks, with no reply between them. Then one request at a time probes the server, at growing
intervals; any reply closes it (Nygard, "Release It!", 2007). If the server answers nobody for the whole patience, the
run gives up, and can be resumed.

The budget keeps retries from outnumbering first tries. Each first try adds one retry, each retry uses one. A slow
drip adds more, for the last chunks ("retry budget": Beyer et al., "Site Reliability Engineering", 2016, chapter 21).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bulk_remove.core.replies import PAUSE_MAX_S, Effect, Fault

SPLIT_AFTER = 3
"""After so many server errors in a row for one chunk, while others get replies, one of its numbers may be the cause."""


DENIALS = 4
"""So many denied requests in a row, one after the other, are believed even if the server answered before."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The bounds for retries after a fault. Times in seconds; `tries` includes the first one."""

    tries: int = 6
    give_up_after_s: float = 900.0
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0


class Step(StrEnum):
    """What to do after a fault."""

    RETRY = "retry"
    PROBE = "probe"
    SPLIT = "split"
    GIVE_UP = "give up"
    END_RUN = "end the run"


@dataclass(frozen=True, slots=True)
class Decision:
    """A step, and the wait before it (seconds; 0.0 unless it is a retry)."""

    step: Step
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """The history of a chunk, and what is known from others.

    The last `server_errors` of its `tries` failed on the server's side; it has `numbers` numbers. `alive`: the server
    is answering others. `passed`: it has answered somebody since the session began. `denials` counts denied requests in
    a row, each sent when the earlier denial was known. `longest`: the chunk has more numbers than any that was
    answered. `told_apart`: a part of it was answered after the whole was not.
    """

    tries: int
    server_errors: int
    numbers: int
    alive: bool
    passed: bool = True
    denials: int = 0
    longest: bool = False
    told_apart: bool = False


def decide(policy: RetryPolicy, fault: Fault, trial: Trial, draw: float) -> Decision:
    """Return what to do after a fault; `draw` is a random float in [0, 1).

    If the server cannot have acted, or answers nobody, the chunk loses no try: it waits until the breaker lets it ask
    again or gives up for all. If the server answers others but not this chunk, the chunk is in doubt once its tries are
    used up. If it fails over the chunk each time, the chunk is split to find the number. A single number is given up
    after its tries, even while nobody else is answered: perhaps there is nobody else to ask.
    """
    if fault.effect is Effect.DENIED:
        return _after_denial(policy, fault, trial, draw)
    if fault.effect is Effect.REFUSED:
        return Decision(Step.SPLIT)
    if (fault.retry_after_s or 0.0) > policy.give_up_after_s:
        return Decision(Step.END_RUN)
    if fault.effect is Effect.IN_DOUBT:
        if trial.server_errors >= SPLIT_AFTER and trial.numbers > 1:
            return Decision(Step.SPLIT)
        trips = trial.server_errors >= policy.tries
        if trial.tries >= policy.tries and (trial.alive or trips):
            return Decision(Step.GIVE_UP)
    delay_s = backoff_s(policy, trial.tries, draw)
    if fault.retry_after_s is not None:
        # Added jitter keeps workers that were sent away together from returning together.
        delay_s = min(fault.retry_after_s, PAUSE_MAX_S) + draw * policy.backoff_first_s
    return Decision(Step.RETRY, delay_s)


def _after_denial(policy: RetryPolicy, fault: Fault, trial: Trial, draw: float) -> Decision:
    """Return what to do when the server denies the user, the campaign or the address.

    A limit on the URL can look like a denial, so a single number is tried; if it succeeds, the rest is split. Among
    answers to others a denial may be an accident, and is tried again a few times. At the very start it is believed: too
    many tries with a wrong password may lock the user out.
    """
    if fault.may_be_length and trial.longest and trial.numbers > 1:
        return Decision(Step.SPLIT if trial.told_apart else Step.PROBE)
    if not trial.passed or trial.denials >= DENIALS:
        return Decision(Step.END_RUN)
    return Decision(Step.RETRY, backoff_s(policy, max(1, trial.denials), draw))


def backoff_s(policy: RetryPolicy, tries: int, draw: float) -> float:
    """Return the wait after try number `tries`, in seconds: between half of the doubled step and all of it."""
    step_s = min(policy.backoff_max_s, policy.backoff_first_s * 2.0 ** min(tries - 1, 32))
    return step_s * (0.5 + draw / 2)


@dataclass(frozen=True, slots=True)
class BusyPolicy:
    """When a number in a call is asked for again. Times in seconds.

    The first delay and its doubling follow the length of calls: most end within minutes. `budget_s` counts from the
    first time that the number was found in a call, by a clock that stops while no request can be sent.
    """

    budget_s: float = 1800.0
    delay_first_s: float = 30.0
    delay_max_s: float = 300.0


def busy_delay_s(policy: BusyPolicy, rounds: int, used_s: float, draw: float) -> float | None:
    """Return the seconds to wait before asking again for a number found in a call `rounds` times, None for never.

    `used_s` is the used part of the budget. The last request comes at the very end of the budget, so all of it is
    used. `draw` is in [0, 1): it spreads the requests, and never delays them beyond the delay.
    """
    delay_s = min(policy.delay_max_s, policy.delay_first_s * 2.0 ** min(rounds - 1, 32)) * (0.8 + 0.2 * draw)
    delay_s = min(delay_s, policy.budget_s - used_s)
    least_s = min(policy.delay_first_s / 2, policy.budget_s / 2)
    return delay_s if delay_s > 0.0 and delay_s >= least_s else None


class Breaker(NamedTuple):
    """The state of the breaker.

    `threshold` faults in a row open it. If nobody is answered for `patience_us`, the run gives up.
    `failing_since_us` is the time of the first fault since the last reply, None without a fault. `probing`: a probe is
    under way.
    """

    threshold: int
    patience_us: int
    probe_first_us: int = 5_000_000
    probe_max_us: int = 60_000_000
    faults_in_a_row: int = 0
    failing_since_us: int | None = None
    probe_after_us: int = 0
    next_probe_us: int = 0
    probing: bool = False

    @property
    def is_open(self) -> bool:
        """Whether only probes may be sent."""
        return self.faults_in_a_row >= self.threshold

    def hopeless(self, now_us: int) -> bool:
        """Whether nobody has been answered for the whole patience."""
        return self.failing_since_us is not None and now_us - self.failing_since_us >= self.patience_us


def failed(breaker: Breaker, now_us: int, *, at_once: bool = False) -> Breaker:
    """Record a request without a reply. Each failed probe doubles the wait for the next.

    `at_once` opens the breaker after this one fault: after a denial, many more requests would be wrong.
    """
    faults = breaker.faults_in_a_row + 1
    breaker = breaker._replace(
        faults_in_a_row=max(faults, breaker.threshold) if at_once else faults,
        failing_since_us=now_us if breaker.failing_since_us is None else breaker.failing_since_us,
        probing=False,
    )
    if not breaker.is_open:
        return breaker
    wait_us = min(breaker.probe_max_us, max(breaker.probe_first_us, 2 * breaker.probe_after_us))
    return breaker._replace(probe_after_us=wait_us, next_probe_us=now_us + wait_us)


def answered(breaker: Breaker) -> Breaker:
    """Record a reply: the server answers."""
    if breaker.failing_since_us is None:
        return breaker
    return breaker._replace(faults_in_a_row=0, failing_since_us=None, probe_after_us=0, next_probe_us=0, probing=False)


def admit(breaker: Breaker, now_us: int) -> tuple[Breaker, int]:
    """Ask to send. Returns the new state and 0 if a request may go, else how many microseconds to wait."""
    if not breaker.is_open:
        return breaker, 0
    if breaker.probing:
        return breaker, breaker.probe_first_us
    if now_us < breaker.next_probe_us:
        return breaker, breaker.next_probe_us - now_us
    return breaker._replace(probing=True), 0


class RetryBudget(NamedTuple):
    """The retries that are left: at most `most`, and one more every `drip_us`."""

    left: float = 10.0
    most: float = 100.0
    drip_us: int = 10_000_000
    updated_us: int = 0


def earn(budget: RetryBudget) -> RetryBudget:
    """Record a first try."""
    return budget._replace(left=min(budget.most, budget.left + 1))


def spend(budget: RetryBudget, now_us: int) -> tuple[RetryBudget, int]:
    """Ask to retry. Returns the new state and 0 if a retry may go, else how many microseconds until the next drip."""
    dripped = max(0, now_us - budget.updated_us) / budget.drip_us
    budget = budget._replace(left=min(budget.most, budget.left + dripped), updated_us=now_us)
    if budget.left >= 1:
        return budget._replace(left=budget.left - 1), 0
    return budget, round((1 - budget.left) * budget.drip_us) + 1
