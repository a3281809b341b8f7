"""Is the server there? One answer for all workers; times in microseconds of one monotonic clock.

The breaker opens after so many faults in a row, from whichever chunks, with no reply between them. Then one request
at a time probes the server, at growing intervals; any reply closes it (Nygard, "Release It!", 2007). When nobody has
been answered for the whole patience, the run gives up and everything can be resumed.

The budget keeps retries from outnumbering first tries: each first try earns one, each retry spends one, and a slow
drip keeps the last chunks moving ("retry budget": Beyer et al., "Site Reliability Engineering", 2016, chapter 21).
"""

from typing import NamedTuple


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
