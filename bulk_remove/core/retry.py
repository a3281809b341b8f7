"""After a fault: ask again, when, or not at all. Plain arithmetic; the caller draws the random float.

Backoff is exponential with jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Numbers in
a call are no fault: they have delays of their own, shaped like calls. Whether the server is there at all is another
question, which the breaker answers.

The breaker gives all workers one answer; its times are microseconds of one monotonic clock. It opens after so many
faults in a row, from whichever chunks, with no reply between them. Then one request at a time probes the server, at
growing intervals; any reply closes it (Nygard, "Release It!", 2007). When nobody has been answered for the whole
patience, the run gives up and everything can be resumed.

The budget keeps retries from outnumbering first tries: each first try earns one, each retry spends one, and a slow
drip keeps the last chunks moving ("retry budget": Beyer et al., "Site Reliability Engineering", 2016, chapter 21).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bulk_remove.core.replies import PAUSE_MAX_S, Effect, Fault

SPLIT_AFTER = 3
"""So many server errors in a row for one chunk, while others get replies, look like a number the server trips over."""


DENIALS = 4
"""A server that answered before is believed when it denied so many requests in a row, one after the other."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds for asking again after a fault. Times in seconds; `tries` counts the first one."""

    tries: int = 6
    give_up_after_s: float = 900.0
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0


class Step(StrEnum):
    """What follows a fault."""

    RETRY = "retry"
    PROBE = "probe"
    SPLIT = "split"
    GIVE_UP = "give up"
    END_RUN = "end the run"


@dataclass(frozen=True, slots=True)
class Decision:
    """A step, and how long to wait before it (seconds; 0.0 but for a retry)."""

    step: Step
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """How a chunk fared so far, and the others.

    Of its `tries` the last `server_errors` in a row failed on the server's side; `numbers` are in it. `alive` tells
    whether the server is answering others, `passed` whether it answered anybody since the session began, and `denials`
    how often in a row it denied requests, each sent when the denial before was known. `longest` tells that the chunk
    has more numbers than any that was answered, `told_apart` that a part of it was answered after the whole was not.
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
    """Say what follows a fault; `draw` is a random float in [0, 1).

    A server that cannot have acted, or answers nobody, costs the chunk nothing: it waits until the breaker lets it
    ask again or gives up for all. One that answers others but not this chunk leaves it in doubt, once the tries are
    used up. When it trips over the chunk each time, the chunk is split to find the number, and a number alone is
    given up after its tries, even while nobody else is answered: perhaps nobody else is left to ask.
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
        # Added jitter keeps the workers that were sent away together from coming back together.
        delay_s = min(fault.retry_after_s, PAUSE_MAX_S) + draw * policy.backoff_first_s
    return Decision(Step.RETRY, delay_s)


def _after_denial(policy: RetryPolicy, fault: Fault, trial: Trial, draw: float) -> Decision:
    """Say what follows when the server denies the user, the campaign or the address.

    A limit on the URL may look like that: one number alone is tried, and where it goes through the rest is split. Amid
    answers to others it may be an accident, and is tried again a few times; at the very start it is believed, for who
    knocks again and again with a wrong password may be locked out.
    """
    if fault.may_be_length and trial.longest and trial.numbers > 1:
        return Decision(Step.SPLIT if trial.told_apart else Step.PROBE)
    if not trial.passed or trial.denials >= DENIALS:
        return Decision(Step.END_RUN)
    return Decision(Step.RETRY, backoff_s(policy, max(1, trial.denials), draw))


def backoff_s(policy: RetryPolicy, tries: int, draw: float) -> float:
    """Return the wait after try number `tries`: between half and the whole of the doubled step, in seconds."""
    step_s = min(policy.backoff_max_s, policy.backoff_first_s * 2.0 ** min(tries - 1, 32))
    return step_s * (0.5 + draw / 2)


@dataclass(frozen=True, slots=True)
class BusyPolicy:
    """When a number in a call is asked for again. Times in seconds.

    The first delay and its doubling follow the length of calls: most end within minutes. `budget_s` counts from the
    first time that the number was found in a call, by a clock that stands still while nobody can ask.
    """

    budget_s: float = 1800.0
    delay_first_s: float = 30.0
    delay_max_s: float = 300.0


def busy_delay_s(policy: BusyPolicy, rounds: int, used_s: float, draw: float) -> float | None:
    """Return after how many seconds to ask again for a number found in a call `rounds` times, or None: no more.

    `used_s` is how much of the budget is used up. The last question is put at its very end, so that all of it is used.
    `draw` is in [0, 1): it spreads the questions, and makes none later than the delay asks.
    """
    delay_s = min(policy.delay_max_s, policy.delay_first_s * 2.0 ** min(rounds - 1, 32)) * (0.8 + 0.2 * draw)
    delay_s = min(delay_s, policy.budget_s - used_s)
    least_s = min(policy.delay_first_s / 2, policy.budget_s / 2)
    return delay_s if delay_s > 0.0 and delay_s >= least_s else None


class Breaker(NamedTuple):
    """The state of the breaker.

    `threshold` faults in a row open it; `patience_us` is how long nobody may be answered before the run gives up.
    `failing_since_us` is the moment of the first fault since the last reply, None while there was none. `probing`
    tells that a probe is under way.
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
    """Take note of a request without a reply. Each failed probe doubles the wait for the next.

    `at_once` opens the breaker whatever came before: a denial is nothing to send many requests into.
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
    """Take note of a reply: the server is there."""
    if breaker.failing_since_us is None:
        return breaker
    return breaker._replace(faults_in_a_row=0, failing_since_us=None, probe_after_us=0, next_probe_us=0, probing=False)


def admit(breaker: Breaker, now_us: int) -> tuple[Breaker, int]:
    """Ask to send. Returns the new state and 0 when one may, else how many microseconds to wait before asking again."""
    if not breaker.is_open:
        return breaker, 0
    if breaker.probing:
        return breaker, breaker.probe_first_us
    if now_us < breaker.next_probe_us:
        return breaker, breaker.next_probe_us - now_us
    return breaker._replace(probing=True), 0


class RetryBudget(NamedTuple):
    """How many retries are left; `most` at any time, and one more every `drip_us`."""

    left: float = 10.0
    most: float = 100.0
    drip_us: int = 10_000_000
    updated_us: int = 0


def earn(budget: RetryBudget) -> RetryBudget:
    """Take note of a first try."""
    return budget._replace(left=min(budget.most, budget.left + 1))


def spend(budget: RetryBudget, now_us: int) -> tuple[RetryBudget, int]:
    """Ask to retry. Returns the new state and 0 when one may, else how many microseconds until the next drip."""
    dripped = max(0, now_us - budget.updated_us) / budget.drip_us
    budget = budget._replace(left=min(budget.most, budget.left + dripped), updated_us=now_us)
    if budget.left >= 1:
        return budget._replace(left=budget.left - 1), 0
    return budget, round((1 - budget.left) * budget.drip_us) + 1
