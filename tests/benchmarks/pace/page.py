"""The figures as a page, and what they say read with a critical eye: only what is computed here."""

from collections.abc import Mapping

from tests.benchmarks.pace.race import Figures
from tests.benchmarks.pace.rules import AT_ONCE, CEILING

GOODPUT_LEAST, REFUSED_MOST = 0.95, 0.01
NOISE_GOODPUT_LEAST, BOTH_GOODPUT_LEAST = 0.9, 0.85
"""What is asked of ours: where there is a limit, where refusals are noise, and where there is both."""


def goal(world: str) -> float:
    """Return the goodput that is asked of ours in a world."""
    if "at random" not in world:
        return GOODPUT_LEAST
    return BOTH_GOODPUT_LEAST if " and " in world else NOISE_GOODPUT_LEAST


_OURS = "ours"
_ORACLE = "fixed, right"

_HEAD = f"""# The pace, measured

How the rate is found: it rises until the server refuses a request, first fast, then in smaller and rarer steps. A
refusal lowers it to the rate that the server accepted. It stays there longer if the refusal cost more. While the server
refuses everything, a single request tests it, less and less often. Sometimes six refusals in a row come as often as
before, although each lowered the rate. They are then random: the rate returns to its earlier value, and that share of
refusals is tolerated until the next test.

`make pace` makes this page: half an hour of virtual time in each world, means over {{seeds}} seeds. The operator's
limits are {CEILING:g} requests a second and {AT_ONCE} at once, at least twice as much as each server accepts. The
rules do not know the hidden limit. The exceptions are *fixed, right*, an even rate at the limit, and *fixed, twice*,
at its double.

The other rules follow their published descriptions. *tenacity* is `wait_random_exponential`, separately for each
request. *botocore* is the rate limiter of the adaptive mode, without its backoff for single requests. These two and
*AutoThrottle* ignore `Retry-After`. All rules keep to the operator's limits.

*At random*: a proxy in front of the server refuses this share of requests with 503, whatever the pace. With
*Retry-After*, each of these refusals asks all clients to wait two seconds. The best possible rate then fits between the
pauses.

*Goodput*: the share of the best possible after the first minute. *Refused*: the share of all requests that got a 429
or 503. *Found*: seconds until the rate stayed at 90% of the best for ten seconds. *Others wait*: how much longer our
requests made somebody else's request take, in worlds with other clients.

![Accepted requests a second, and the hidden limit](pace.svg)

| world | rule | goodput | refused | found | others wait |
|---|---|---:|---:|---:|---:|
"""


def page(table: Mapping[str, Mapping[str, Figures]], seeds: int) -> str:
    """Return the page in Markdown; `table` holds figures by world and rule."""
    rows = [_row(world, rule, figures) for world, by_rule in table.items() for rule, figures in by_rule.items()]
    return _HEAD.format(seeds=seeds) + "\n".join(rows) + "\n\n" + "\n".join(_reading(table)) + "\n"


def _row(world: str, rule: str, figures: Figures) -> str:
    found = f"{figures.found_s:.0f} s" if figures.found_s < 1700 else "never"
    harm = "" if figures.harm_s is None else f"{figures.harm_s * 1000:,.0f} ms"
    name = f"**{rule}**" if rule == _OURS else rule
    return f"| {world} | {name} | {figures.goodput:.1%} | {figures.refused:.2%} | {found} | {harm} |"


def _reading(table: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    """Say how ours did, and where another rule did better."""
    ours = {world: by_rule[_OURS] for world, by_rule in table.items()}
    passed = ", ".join(world for world, figures in ours.items() if figures.passed)
    asked = (
        f"* Asked for: at least {GOODPUT_LEAST:.0%} goodput and at most {REFUSED_MOST:.0%} refused under a limit, at"
        f" least {NOISE_GOODPUT_LEAST:.0%} goodput under refusals at random, and {BOTH_GOODPUT_LEAST:.0%} under both."
        f" The operator's limits were {'passed in ' + passed if passed else 'never passed'}."
    )
    missed = [_missed(world, figures) for world, figures in ours.items() if _misses(world, figures)]
    asked += "".join(missed) if missed else " All of it was reached."
    return ["## What it says", "", asked, *(_compared(world, by_rule) for world, by_rule in table.items()), "", _CAVEAT]


def _misses(world: str, figures: Figures) -> bool:
    unrefused = "at random" in world or figures.refused <= REFUSED_MOST
    return figures.goodput < goal(world) or not unrefused


def _missed(world: str, figures: Figures) -> str:
    return (
        f"\n* Missed: {world}, with {figures.goodput:.1%} goodput of {goal(world):.0%} and {figures.refused:.2%}"
        f" refused. {_REASONS.get(world, '')}".rstrip()
    )


_REASONS = {
    "ban that knocks prolong": "Each search for the limit costs a ban, and then a wait for the next single request:"
    " 20 to 40 s, every ten minutes.",
    "600 a minute": "Single requests, less and less often, find the end of the minute.",
    "10% at random": "The rule must first see six refusals that come as often as before, at a low rate if the"
    " first come early; that takes up to two minutes.",
    "10% at random, Retry-After": "As above, and each of the first six refusals also costs a pause.",
}

_CAVEAT = f"""So "never worse than the best of the others" is not strictly true. *{_ORACLE}* knows the limit, which
nobody does in practice. Our rule pays for the search, and for staying a little below the limit. *{_ORACLE}* fails as
soon as the limit moves. A rule that sends as fast as it can has all the goodput if refusals cost nothing; its price
is refusals or, if nothing is refused, longer waits for others. The worlds are made up. They show how a rule behaves
at a kind of limit, not which kind a real server has."""


def _compared(world: str, by_rule: Mapping[str, Figures]) -> str:
    """Name the rules with more goodput than ours: those that keep to what is asked of it, and those that do not."""
    ours = by_rule[_OURS]
    better = {rule: figures for rule, figures in by_rule.items() if figures.goodput > ours.goodput + 0.001}
    fair = [_better(rule, figures, ours) for rule, figures in better.items() if figures.refused <= REFUSED_MOST]
    unfair = [_better(rule, figures, ours) for rule, figures in better.items() if figures.refused > REFUSED_MOST]
    parts = [
        f"more goodput than ours: {'; '.join(fair)}" if fair else f"no rule within {REFUSED_MOST:.0%} has more goodput"
    ]
    if unfair:
        parts.append(f"with more refused than is asked: {'; '.join(unfair)}")
    return f"* {world}: {'. '.join(part[0].upper() + part[1:] for part in parts)}."


def _better(rule: str, figures: Figures, ours: Figures) -> str:
    """Say what a rule's greater goodput cost."""
    harm = ""
    if figures.harm_s is not None and ours.harm_s is not None:
        harm = f", others wait {figures.harm_s * 1000:,.0f} ms for {ours.harm_s * 1000:,.0f}"
    return f"*{rule}* ({figures.goodput:.1%} for {ours.goodput:.1%}; refused {figures.refused:.2%}{harm})"
