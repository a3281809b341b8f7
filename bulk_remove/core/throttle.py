"""Everything that delays a request: pace, rate, requests at once, retries, and a server that answers nobody.

All values are frozen. Times are microseconds of one monotonic clock if not said otherwise.

The order for one request: `slot`, `departure`, then one of `answered`, `pushed_back`, `unanswered` or `withdrawn`.

The time of a pause does not count, neither for the server nor for a number. The operator's keys hold a run or lower
its limits, and never raise them above those of the start. What earlier runs learned about a host gets less weight with
age; its times are Unix seconds.

Backoff is exponential with jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A number in
a call is not a fault: it has its own delays, which follow the length of calls.

The breaker is shared by all workers. It opens after several faults in a row from any chunks, with no reply between
them. Then one request at a time probes the server, at growing intervals; any reply closes it (Nygard, "Release It!",
2007). If the server answers nobody for the whole patience, the run gives up, and can be resumed.

The budget keeps retries from outnumbering first tries. Each first try adds one retry, each retry uses one. A slow
drip adds more, for the last chunks ("retry budget": Beyer et al., "Site Reliability Engineering", 2016, chapter 21).
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, floor
from typing import NamedTuple

from bulk_remove.core import pace as pacing
from bulk_remove.core.model import Brackets
from bulk_remove.core.pace import FLOOR, SECOND_US, Limit, Pace, Rate
from bulk_remove.core.replies import PAUSE_MAX_S, Effect, Fault, Quota
from bulk_remove.language import phrase


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The limits that are never passed, and where to start. Rates in requests a second; the others in requests at once.

    If not `adaptive`, the pace is always these limits; only waits that the server asks for are still respected.
    """

    rate: float
    at_once: int
    start_rate: float
    start_at_once: int
    adaptive: bool = True


class Level(StrEnum):
    """How much of the server an operator is willing to use."""

    GENTLE = "gentle"
    STEADY = "steady"
    FULL = "full"
    FIXED = "fixed"


LEVELS = {
    Level.GENTLE: Ceilings(2.0, 2, 1.0, 1),  # beside a busy shift: at most half of a small pool of PHP workers
    Level.STEADY: Ceilings(5.0, 4, 2.0, 2),  # four at once is the smallest usual pool
    Level.FULL: Ceilings(20.0, 16, 2.0, 2),  # at night: all that the server handles, up to a medium pool
    Level.FIXED: Ceilings(5.0, 4, 5.0, 4, adaptive=False),
}
_PAUSE_MAX_US = round(PAUSE_MAX_S * SECOND_US)
START_SHARE = 10  # a high limit is meant: the start is at least a tenth of it


def ceilings_of(level: Level, rate: float | None, at_once: int | None) -> Ceilings:
    """Return the limits of a level; given limits override the level's own."""
    usual = LEVELS[level]
    rate, at_once = rate or usual.rate, at_once or usual.at_once
    start_rate = min(rate, max(usual.start_rate, rate / START_SHARE))
    return replace(usual, rate=rate, at_once=at_once, start_rate=start_rate)


class Throttle(NamedTuple):
    """What delays requests now, and how many are under way."""

    ceilings: Ceilings
    pace: Pace
    rate: Rate
    limit: Limit
    under_way: int = 0  # requests from slot to end
    eased: bool = False  # whether the limits in `ceilings` were lowered by hand

    @property
    def full(self) -> bool:
        """Whether a request must end before another may leave."""
        allowed = pacing.allowed_now(self.limit) if self.ceilings.adaptive else self.ceilings.at_once
        return self.under_way >= allowed


def throttle_for(ceilings: Ceilings, now_us: int) -> Throttle:
    """Return the state at the start."""
    return Throttle(
        ceilings,
        pacing.pace_for(ceilings.rate),
        pacing.rate_from(ceilings.start_rate, ceilings.rate, now_us),
        Limit(ceilings.at_once, min(ceilings.start_at_once, ceilings.at_once)),
    )


def rate_now(throttle: Throttle, now_us: int) -> float:
    """Return the present rate, in requests a second, at most the limit."""
    return pacing.rate_at(throttle.rate, now_us) if throttle.ceilings.adaptive else throttle.ceilings.rate


def borne(throttle: Throttle, now_us: int) -> float | None:
    """Return the requests a second that the server accepts, None if unknown: the operator may have set the rate."""
    return pacing.borne_at(throttle.rate, now_us) if throttle.ceilings.adaptive and not throttle.eased else None


def recapped(throttle: Throttle, ceilings: Ceilings, *, eased: bool, now_us: int) -> Throttle:
    """Use other limits from now on, at most those of the start; the exact window stays that of the start."""
    return throttle._replace(
        ceilings=ceilings,
        rate=pacing.recapped(throttle.rate, ceilings.rate, now_us),
        limit=pacing.recapped_limit(throttle.limit, ceilings.at_once),
        eased=eased,
    )


def rested(throttle: Throttle, from_us: int, now_us: int) -> Throttle:
    """Continue after a pause by the operator as if there had been none."""
    pace = throttle.pace._replace(next_slot_us=max(throttle.pace.next_slot_us, now_us))
    return throttle._replace(pace=pace, rate=pacing.rested(throttle.rate, from_us, now_us))


def slot(throttle: Throttle, now_us: int) -> tuple[Throttle, int]:
    """Ask for a slot, while not `full`. Returns the new state and 0 if there is one, else microseconds to wait."""
    free_us = max(throttle.pace.next_slot_us, throttle.pace.not_before_us, throttle.rate.since_us)
    pace, wait_us = pacing.take_slot(throttle.pace, now_us, rate_now(throttle, now_us))
    if wait_us:
        return throttle, wait_us
    idle_us = max(0, now_us - free_us - pacing.LATENESS_US)
    rate = pacing.idled(throttle.rate, idle_us) if idle_us else throttle.rate
    return throttle._replace(pace=pace, rate=rate, under_way=throttle.under_way + 1), 0


def departure(throttle: Throttle, now_us: int) -> tuple[Throttle, int]:
    """Ask to depart now. Returns the new state and 0 if the request may go, else how many microseconds to wait."""
    pace, wait_us = pacing.depart(throttle.pace, now_us)
    if wait_us:
        return throttle, wait_us
    return throttle._replace(pace=pace, rate=pacing.departed(throttle.rate, now_us)), 0


class Trip(NamedTuple):
    """One request on its way: when it left, and how many were under way then, itself included."""

    departed_us: int
    under_way: int


def answered(throttle: Throttle, trip: Trip, now_us: int) -> Throttle:
    """Record a reply that shows no strain."""
    return throttle._replace(
        rate=pacing.accepted(throttle.rate, trip.departed_us, _later(throttle, trip), now_us),
        limit=pacing.replied(throttle.limit, now_us - trip.departed_us, trip.under_way, now_us),
        under_way=throttle.under_way - 1,
    )


def pushed_back(throttle: Throttle, trip: Trip, now_us: int, pause_us: int | None) -> Throttle:
    """Slow down after a 429 or 503; `pause_us` is the wait that the server asked for, None if it asked for none."""
    pace = throttle.pace
    pause_us = None if pause_us is None else min(pause_us, _PAUSE_MAX_US)
    rate = pacing.refused(throttle.rate, trip.departed_us, _later(throttle, trip), now_us, pause_us or 0)
    if throttle.ceilings.adaptive and rate.dropped_us == now_us:
        interval_us = ceil(SECOND_US / pacing.rate_at(rate, now_us))
        pace = pace._replace(next_slot_us=max(pace.next_slot_us, now_us + interval_us))
    if pause_us is not None:
        pace = pacing.paused(pace, now_us + pause_us)
    return throttle._replace(pace=pace, rate=rate, under_way=throttle.under_way - 1)


def _later(throttle: Throttle, trip: Trip) -> int:
    """Return how many requests have left after this one."""
    departures = throttle.pace.departures
    return len(departures) - bisect_right(departures, trip.departed_us)


def unanswered(throttle: Throttle) -> Throttle:
    """Record a lost request: the server may be at its limit."""
    return throttle._replace(limit=pacing.lost(throttle.limit), under_way=throttle.under_way - 1)


def withdrawn(throttle: Throttle) -> Throttle:
    """Record a request that did not leave, or shows nothing about the server."""
    return throttle._replace(under_way=throttle.under_way - 1)


def told(throttle: Throttle, quota: Quota, now_us: int) -> Throttle:
    """Respect the quota that the server says is left until its reset."""
    until_us = now_us + min(round(quota.reset_s * SECOND_US), _PAUSE_MAX_US)
    if not quota.remaining:
        return throttle._replace(pace=pacing.paused(throttle.pace, until_us))
    if quota.is_few_at(rate_now(throttle, now_us)):
        apart_us = (until_us - now_us) // quota.remaining
        return throttle._replace(pace=throttle.pace._replace(spread_us=apart_us, spread_until_us=until_us))
    return throttle


SHARES = (0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
"""The steps of `+` and `-`: shares of the limits, each about two thirds of the next."""


class Key(StrEnum):
    """A key with a meaning."""

    PAUSE = "p"
    FASTER = "+"
    SLOWER = "-"
    STOP = "q"


# Also the same keys with or without Shift, on keyboards that need it.
_KEYS = {**{key.value: key for key in Key}, "=": Key.FASTER, "_": Key.SLOWER}

LEGEND = "Keys: p pauses and goes on, - slows down, + speeds up again, q stops safely."


def key_of(typed: str) -> Key | None:
    """Return the key of a character, None for a character without a meaning."""
    return _KEYS.get(typed.lower())


@dataclass(frozen=True, slots=True)
class Steering:
    """The operator's present wishes: the limits to use, at most the `given` ones, and whether to pause."""

    given: Ceilings
    ceilings: Ceilings
    paused: bool = False


def ladder(given: Ceilings) -> tuple[Ceilings, ...]:
    """Return the limits of all steps, the lowest first, the given ones last."""
    rates = [max(share * given.rate, min(FLOOR, given.rate)) for share in SHARES]
    at_once = [max(1, floor(share * given.at_once + 0.5)) for share in SHARES]
    steps = [replace(given, rate=rate, at_once=most) for rate, most in zip(rates, at_once, strict=True)]
    return tuple(dict.fromkeys(steps))


def pressed(steering: Steering, key: Key) -> tuple[Steering, str]:
    """Return the wishes after a key other than STOP, and the sentence that answers it."""
    if key is Key.PAUSE:
        if steering.paused:
            return replace(steering, paused=False), "Going on."
        held = "Paused: no new request leaves; those under way finish. p goes on."
        return replace(steering, paused=True), held
    steps = ladder(steering.given)
    step = steps.index(steering.ceilings) + (1 if key is Key.FASTER else -1)
    if step == len(steps):
        return steering, phrase("Already at the given limit: {limits}.", limits=_told(steering.ceilings))
    if step < 0:
        return steering, phrase("Already at the slowest: {limits}. p pauses.", limits=_told(steering.ceilings))
    answer = "Faster: {limits}." if key is Key.FASTER else "Slower: {limits}."
    return replace(steering, ceilings=steps[step]), phrase(answer, limits=_told(steps[step]))


def _told(ceilings: Ceilings) -> str:
    return phrase("at most {rate:,.10g} requests/s and {at_once} at once", rate=ceilings.rate, at_once=ceilings.at_once)


LINE_LASTS_S = 30 * 86_400.0  # servers change now and then, so after a month this is learned again
PACE_LASTS_S = 86_400.0
"""The load that a server handles changes with the hour: after a day, the old figure is worthless."""
KNOWN_SHARE = 0.8  # the share of a rate learned just now that is safe to start with


@dataclass(frozen=True, slots=True)
class Learned:
    """The knowledge about a host, each with the time since which it is known; None or 0.0 if unknown."""

    longest_line: int | None = None  # the longest request line that it accepts, in bytes
    line_at_s: float = 0.0
    rate: float | None = None  # the requests a second that it accepted
    numbers: int | None = None  # how many numbers in each
    pace_at_s: float = 0.0
    brackets: Brackets | None = None  # it reads brackets that are written like this
    brackets_at_s: float = 0.0


def fresh(learned: Learned, now_s: float) -> Learned:
    """Return what still counts. Values from the far future, or from no time (NaN), come from a wrong clock or file."""
    if not abs(now_s - learned.line_at_s) < LINE_LASTS_S:
        learned = replace(learned, longest_line=None)
    if not abs(now_s - learned.brackets_at_s) < LINE_LASTS_S:
        learned = replace(learned, brackets=None)
    if not abs(now_s - learned.pace_at_s) < PACE_LASTS_S:
        learned = replace(learned, rate=None, numbers=None)
    return learned


def size_learned(known: int | None, numbers: int, most: int) -> int | None:
    """Return how many numbers in a request the server handled fast enough, None if nothing shows a limit but `most`."""
    if numbers < most:
        return numbers
    return None if known is None else max(known, numbers)


def paced(known: Learned, rate: float, ceiling: float, numbers: int | None, now_s: float) -> Learned:
    """Return the knowledge after a run that sent `rate` requests a second under a limit, with `numbers` in each.

    At the limit, the operator allowed no more. So the run does not show that the server now accepts less, and the
    older knowledge keeps its age.
    """
    if rate >= ceiling and known.rate is not None and known.rate >= rate:
        return replace(known, numbers=numbers)
    return replace(known, rate=round(rate, 3), numbers=numbers, pace_at_s=now_s)


def started(ceilings: Ceilings, learned: Learned, now_s: float) -> Ceilings:
    """Return the limits with a start at the rate that the server accepted; the older that is, the lower the start."""
    if learned.rate is None:
        return ceilings
    known = KNOWN_SHARE * learned.rate * (1 - _age(learned, now_s))
    return replace(ceilings, start_rate=min(ceilings.rate, max(ceilings.start_rate, known)))


def first_size(ceiling: int, learned: Learned, now_s: float) -> int:
    """Return the most numbers in the first requests: as many as the server accepted, and more the older that is."""
    if learned.numbers is None or learned.numbers >= ceiling:
        return ceiling
    return round(learned.numbers + (ceiling - learned.numbers) * _age(learned, now_s))


def _age(learned: Learned, now_s: float) -> float:
    """Return the age of the rate, from 0.0 (just now) to 1.0 (a day)."""
    return min(1.0, max(0.0, now_s - learned.pace_at_s) / PACE_LASTS_S)


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
    """The history of a chunk, and what is known from others."""

    tries: int
    server_errors: int  # so many of the last tries failed on the server's side
    numbers: int
    alive: bool  # whether the server is answering others
    passed: bool = True  # whether it has answered somebody since the session began
    denials: int = 0  # denied requests in a row, each sent when the earlier denial was known
    longest: bool = False  # whether the chunk has more numbers than any that was answered
    told_apart: bool = False  # whether a part of it was answered after the whole was not


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
    """When a number in a call is asked for again, in seconds. Most calls end within minutes.

    `budget_s` counts from the first time it was found in a call, by a clock that stops while nothing can be sent.
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
    """The state of the breaker."""

    threshold: int  # so many faults in a row open it
    patience_us: int  # if nobody is answered for so long, the run gives up
    probe_first_us: int = 5_000_000
    probe_max_us: int = 60_000_000
    faults_in_a_row: int = 0
    failing_since_us: int | None = None  # the time of the first fault since the last reply
    probe_after_us: int = 0
    next_probe_us: int = 0
    probing: bool = False  # whether a probe is under way

    @property
    def is_open(self) -> bool:
        """Whether only probes may be sent."""
        return self.faults_in_a_row >= self.threshold

    def hopeless(self, now_us: int) -> bool:
        """Whether nobody has been answered for the whole patience."""
        return self.failing_since_us is not None and now_us - self.failing_since_us >= self.patience_us


def failed(breaker: Breaker, now_us: int, *, at_once: bool = False) -> Breaker:
    """Record a request without a reply; `at_once` opens the breaker, because more requests would be wrong."""
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


def closed(breaker: Breaker) -> Breaker:
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
