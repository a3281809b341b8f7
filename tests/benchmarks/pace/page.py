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

The rate climbs, fast at first and later ever more rarely and gently, until a request is refused. A refusal lowers it to
what the server let through, where it is held the longer the more the refusal cost; and while everything is refused, one
request at a time knocks ever more rarely. If six refusals in a row come as often although each lowered the rate, they
are noise: the rate goes back to where it was, and as many refusals as that are tolerated, until it asks anew.

Made by `make pace`: half an hour of virtual time in each world, the means over {{seeds}} seeds. The operator's ceilings
are {CEILING:g} requests a second and {AT_ONCE} at once, twice and more of what each server bears. Nobody is told the
hidden limit but *fixed, right*, an even rate set at it, and *fixed, twice*, set at its double.

The others are written from their published descriptions. *tenacity* is `wait_random_exponential` for each request by
itself; *botocore* is the rate limiter of the adaptive mode without the backoff of single requests that goes with it;
both, like *AutoThrottle*, do not heed `Retry-After`. All keep to the ceilings.

A share *at random* is refused with 503 by a proxy before the server, whatever the pace; with *Retry-After* each of
these refusals asks for two seconds, which everybody waits: the best possible is what fits between the pauses.

*Goodput*: the share of the best possible after the first minute. *Refused*: the share of all requests that got a 429
or 503. *Found*: seconds until nine tenths of the best were kept for ten. *Others wait*: how much longer a request of
somebody else took because of us, where that can be.

![What is accepted in a second, against the hidden limit](pace.svg)

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
        f" The ceiling was {'passed in ' + passed if passed else 'never passed'}."
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
    "ban that knocks prolong": "Each time that the limit is looked for costs a ban, and then the wait until the one"
    " knock that comes after it: 20 to 40 s, every ten minutes.",
    "600 a minute": "How long the rest of a minute lasts is found out by knocks, which come ever more rarely.",
    "10% at random": "Six refusals that come as often must be seen first, at a low rate where the first of them come"
    " early; that takes up to two minutes.",
    "10% at random, Retry-After": "As above, and each of the first six refusals costs a pause besides.",
}

_CAVEAT = f"""So "never worse than the best of the others" does not hold to the letter. *{_ORACLE}* is told what nobody
knows; ours pays for finding out, and for the margin in which it stays unrefused. *{_ORACLE}* itself fails as soon as
the limit moves. A rule that sends as fast as it may has all the goodput where refusals cost nothing: it takes it in
refusals, or, where nothing is refused, in the waiting of others. The worlds are made up: they say how a rule behaves at
a limit of a kind, not which kind a real server has."""


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
