"""What a seed stands for: an input, settings, the troubles of each session. All of it is drawn before anything runs."""

import math
import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import AlsoTry
from bulk_remove.settings import Settings
from tests.simulation.clocks import Clocks, clocks
from tests.simulation.forms import Forms, forms_of
from tests.simulation.rows import CAMPAIGN, Row, Target, judged, rows, with_campaigns, with_keep_list, with_odd_cells
from tests.support.virtual_time import BEGAN_S

_CAMPAIGN_COLUMN = "kampania"
_CODE_COLUMN = "phone_code"
_ALSO_TRYING = 1 / 3
"""The share of runs that ask for numbers in other forms, too."""
_MOST_ROWS = 40
"""Of these runs; asking for every form takes many more requests a row."""
_BY_CAMPAIGN = 1 / 4
"""The share of runs whose rows have campaigns of their own."""
_CANARIES = 1 / 4
"""The share of runs that send one chunk alone first."""
_LOOKING = 1 / 4
"""The share of runs (that ask in one form) whose form is left to what the campaigns' own records show."""
_KEEPING_HOURS = 1 / 6
"""The share of runs that may not send for some minutes of each day."""
_ELSEWHERE = 1 / 10
"""The share of the others in which none of the numbers is where it is looked for."""


_SHORT_LINES = 1 / 3
"""The share of runs whose request line is filled before their requests have the most numbers."""
_KEEPING = 1 / 4
"""The share of runs with a list of numbers that must never be removed."""


class Kind(StrEnum):
    """How a session is disturbed."""

    NONE = "none"
    KILL = "killed"
    KILL_UNREPORTED = "killed before the report"
    STOP = "stopped"
    STOP_TWICE = "stopped, then stopped at once"
    DISK = "the disk fails"
    DISK_FOR_GOOD = "the disk fails for good"
    DEADLINE = "given a deadline"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What disturbs one session.

    `at` counts turns of the loop (a kill), commits (the disk) or seconds (a stop, a deadline).
    """

    kind: Kind
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything about a run that does not depend on how it goes. `targets` are all to be removed, once, in order.

    A run that is `looking` is told no form: the campaigns' records show that of the settings. `elsewhere` says that
    there is not one record for any of the numbers. `keep` are the cells of a list of numbers to be kept.
    """

    seed: int
    rows: tuple[Row, ...]
    targets: tuple[Target, ...]
    forms: Forms
    settings: Settings
    troubles: tuple[Trouble, ...]
    clocks: Clocks
    looking: bool = False
    elsewhere: bool = False
    keep: tuple[str, ...] = ()

    def is_closed(self, now_s: float) -> bool:
        """Tell whether our clock on the wall shows a time outside the hours, at a virtual time."""
        shown = datetime.fromtimestamp(self.clocks.shown_s(now_s)).astimezone().strftime("%H:%M")
        for begin, end in (hours.split("-") for hours in self.settings.hours):
            return not (begin <= shown < end if begin < end else shown >= begin or shown < end)
        return False

    def lines(self) -> list[str]:
        """Return the input as it is written."""
        codes = any(row.code_cell for row in self.rows)
        header = ["name", "telefon"] + [_CODE_COLUMN] * codes + [_CAMPAIGN_COLUMN] * (not self.settings.campaign)
        lines = [",".join(header)]
        for row in self.rows:
            cells = ["x", row.cell] + [row.code_cell] * codes + [row.campaign_cell] * (not self.settings.campaign)
            lines.append(",".join(map(_quoted, cells)))
        return lines


def _quoted(cell: str) -> str:
    return '"{}"'.format(cell.replace('"', '""')) if {*'",'} & {*cell} else cell


def scenario(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    dice = random.Random(f"scenario {seed}")
    number_format = dice.choice((NumberFormat.NATIONAL,) * 3 + (NumberFormat.E164,))
    plain = rows(dice, number_format)
    settings = _settings(dice, number_format)
    troubles = tuple(_trouble(dice) for _ in range(dice.choice((0, 1, 1, 2, 2, 3, 4))))
    # Dice of their own, so that a seed without them plays as if there were no such features.
    features = random.Random(f"features {seed}")
    if features.random() < _ALSO_TRYING:
        settings = replace(settings, also_try=tuple(features.sample(tuple(AlsoTry), features.randint(1, 4))))
        plain = plain[:_MOST_ROWS]
    before = drawn = with_odd_cells(plain, random.Random(f"cells {seed}"))
    if features.random() < _BY_CAMPAIGN:
        settings = replace(settings, campaign="", campaign_column=_CAMPAIGN_COLUMN)
        drawn = tuple(with_campaigns(drawn, features))
    drawn = judged(drawn, before)
    keep: tuple[str, ...] = ()
    lists = random.Random(f"keep {seed}")
    if lists.random() < _KEEPING:
        drawn, keep = with_keep_list(drawn, lists)
    more = random.Random(f"canary {seed}")
    if more.random() < _CANARIES:
        # Of a limit below 1 nobody knows whether a calm world will bring the run to its end.
        settings = replace(settings, canary=True, canary_max_not_exist=1.0)
    clock = random.Random(f"hours {seed}")
    if clock.random() < _KEEPING_HOURS:
        settings = replace(settings, hours=(_all_day_but_some_minutes(clock),))
    line = random.Random(f"line {seed}")
    if line.random() < _SHORT_LINES:
        settings = replace(settings, max_request_line=line.randint(150, 500))
    targets = tuple(dict.fromkeys(row.target for row in drawn if row.target))
    forms = forms_of(dict.fromkeys(target.number for target in targets), settings.also_try)
    held = random.Random(f"held {seed}")
    looking = not settings.also_try and held.random() < _LOOKING
    elsewhere = not looking and held.random() < _ELSEWHERE
    return Scenario(seed, drawn, targets, forms, settings, troubles, clocks(seed), looking, elsewhere, keep)


def _settings(dice: random.Random, number_format: NumberFormat) -> Settings:
    return Settings(
        CAMPAIGN,
        number_format=number_format,
        max_numbers_per_request=dice.randint(3, 20),
        rate=dice.choice((0.5, 1.0, 2.5, 5.0, 7.0, 20.0, 50.0)),
        concurrency=dice.randint(1, 6),
        tries=dice.choice((1, 2, 4, 6)),
        give_up_after_s=dice.choice((60.0, 300.0, 900.0)),
        busy_for_s=dice.choice((0.0, 60.0, 600.0, 1800.0)),
        busy_delay_s=dice.choice((5.0, 30.0)),
        connect_timeout_s=3.0,
        timeout_s=dice.choice((5.0, 30.0, 60.0)),
    )


def _all_day_but_some_minutes(dice: random.Random) -> str:
    """Return hours that end within the first minutes of a run, or before it, and begin again some minutes later."""
    began = datetime.fromtimestamp(BEGAN_S).astimezone()
    end = began + timedelta(minutes=dice.choice((0, 1, 1, 2, 5)))
    begin = end + timedelta(minutes=dice.choice((1, 3, 20)))
    return f"{begin:%H:%M}-{end:%H:%M}"


def _trouble(dice: random.Random) -> Trouble:
    kind = dice.choices(tuple(Kind), (1, 8, 1, 2, 2, 1, 1, 2))[0]
    draws: dict[Kind, partial[float]] = {
        Kind.KILL: partial(_spread, dice, 600),
        Kind.DISK: partial(_spread, dice, 60),
        Kind.DISK_FOR_GOOD: partial(_spread, dice, 60),
        Kind.STOP: partial(_moment_s, dice),
        Kind.STOP_TWICE: partial(_moment_s, dice),
        Kind.DEADLINE: partial(_moment_s, dice),
    }
    return Trouble(kind, draws[kind]() if kind in draws else 0.0)


def _spread(dice: random.Random, most: int) -> float:
    """Draw from 1 to `most`; small ones as often as large ones, for the beginning is crowded."""
    return float(int(most ** dice.random()))


def _moment_s(dice: random.Random) -> float:
    """Draw from 0 to 99 seconds; most sessions are short."""
    return math.pow(100.0, dice.random()) - 1.0
