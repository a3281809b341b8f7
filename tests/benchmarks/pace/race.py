"""One rule in one world: a simulation of discrete events, and what is to be said of it."""

import heapq
import random
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks.pace.rules import AT_ONCE, CEILING, US, Rule
from tests.benchmarks.pace.worlds import Answer, World

WARM_UP_S = 60.0
LASTS_S = 1800.0
_FOUND, _FOUND_FOR_S = 0.9, 10
_WAY_S = (0.005, 0.03)
"""How long a request is on its way to the server; so they arrive less evenly than they left."""


@dataclass(slots=True)
class Record:
    """What happened. `accepted` counts replies by the second they came in, `samples` are (second, what was watched)."""

    departures_us: list[int] = field(default_factory=list)
    accepted: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    most_at_once: int = 0
    samples: list[tuple[int, float]] = field(default_factory=list)


def race(
    rule: Rule, world: World, seed: int = 0, lasts_s: float = LASTS_S, watch: Callable[[float], float] | None = None
) -> Record:
    """Let a rule send for so long (seconds), always with work to do; `watch` is sampled each second."""
    record, dice = Record(), random.Random(f"race {seed}")
    coming: list[tuple[float, float]] = []
    replies: list[tuple[float, float, Answer]] = []
    now_s = 0.0
    while now_s < lasts_s:
        while watch and len(record.samples) <= now_s:
            record.samples.append((len(record.samples), watch(now_s)))
        wait_s = rule.wait_s(now_s)
        if wait_s == 0.0:
            heapq.heappush(coming, (now_s + dice.uniform(*_WAY_S), now_s))
            record.departures_us.append(round(now_s * US))
            record.most_at_once = max(record.most_at_once, len(coming) + len(replies))
            now_s += 1 / US  # no two leave in the same microsecond
            continue
        wake_s = now_s + wait_s if wait_s is not None else float("inf")
        while coming and coming[0][0] <= min(wake_s, replies[0][0] if replies else wake_s):
            arrived_s, departed_s = heapq.heappop(coming)
            answer = world.arrive(arrived_s)
            heapq.heappush(replies, (arrived_s + answer.after_s, departed_s, answer))
        if replies and replies[0][0] <= wake_s:
            replied_s, departed_s, answer = heapq.heappop(replies)
            now_s = max(now_s, replied_s)
            record.refused += not answer.accepted
            record.accepted[int(now_s)] += answer.accepted
            rule.replied(departed_s, now_s, answer)
        else:
            now_s = wake_s
    return record


@dataclass(frozen=True, slots=True)
class Figures:
    """What is said of a race.

    `goodput` is the share of the best possible after the first minute, `refused` the share of all requests, `found_s`
    the seconds until nine tenths of the best were kept for ten seconds, `harm_s` the mean wait added to others in
    seconds (None where nobody can be made to wait), `passed` whether a ceiling was.
    """

    goodput: float
    refused: float
    found_s: float
    harm_s: float | None
    passed: bool


def figures(record: Record, world: World, lasts_s: float = LASTS_S) -> Figures:
    """Sum a race up."""
    seconds = range(int(WARM_UP_S), int(lasts_s))
    best = sum(world.best(second) for second in seconds)
    harm = world.harm_s()
    return Figures(
        sum(record.accepted[second] for second in seconds) / best,
        record.refused / max(1, len(record.departures_us)),
        _found_s(record, world, int(lasts_s)),
        statistics.fmean(harm) if harm else None,
        _most_in_a_second(record.departures_us) > CEILING or record.most_at_once > AT_ONCE,
    )


def mean_of(all_figures: list[Figures]) -> Figures:
    """Return the means over several seeds; a ceiling was passed if it was in any."""
    harm = [each.harm_s for each in all_figures if each.harm_s is not None]
    return Figures(
        statistics.fmean(each.goodput for each in all_figures),
        statistics.fmean(each.refused for each in all_figures),
        statistics.fmean(each.found_s for each in all_figures),
        statistics.fmean(harm) if harm else None,
        any(each.passed for each in all_figures),
    )


def _found_s(record: Record, world: World, lasts_s: int) -> float:
    for second in range(lasts_s - _FOUND_FOR_S):
        spell = range(second, second + _FOUND_FOR_S)
        if sum(record.accepted[each] for each in spell) >= _FOUND * sum(world.best(each) for each in spell):
            return float(second)
    return float(lasts_s)


def _most_in_a_second(moments_us: list[int]) -> int:
    most = first = 0
    for index, moment_us in enumerate(moments_us):
        while moment_us - moments_us[first] >= US:
            first += 1
        most = max(most, index - first + 1)
    return most
