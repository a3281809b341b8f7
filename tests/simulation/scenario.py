"""What a seed stands for: an input, settings, the troubles of each session. All of it is drawn before anything runs."""

import math
import random
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from bulk_remove.core.model import NumberFormat
from bulk_remove.settings import Settings

CAMPAIGN = "00001"
_INVALID = ("", "abc", "12", "n/a", "0000", "=1+1", "6.01E+08", "50000012x", "+4860", "601234555;602111222")
_SPELLINGS = ("{0}", "+48 {0}", "0048{0}", "48{0}", "{1} {2} {3}", "{1}-{2}-{3}", "({1}) {2} {3}")
_FIRST_LINE = 2


class Kind(StrEnum):
    """How a session is disturbed."""

    NONE = "none"
    KILL = "killed"
    KILL_UNREPORTED = "killed before the report"
    STOP = "stopped"
    STOP_TWICE = "stopped, then stopped at once"
    DISK = "the disk fails"
    DISK_FOR_GOOD = "the disk fails for good"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What disturbs one session: `at` counts turns of the loop (a kill), commits (the disk) or seconds (a stop)."""

    kind: Kind
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the input as it will be written: `number` is what must be sent, empty for an invalid cell."""

    line: int
    cell: str
    number: str

    @property
    def shown(self) -> str:
        """The cell as the report shows it: a formula is defused."""
        return f"'{self.cell}" if self.cell.startswith("=") else self.cell


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything about a run that does not depend on how it goes."""

    seed: int
    rows: tuple[Row, ...]
    settings: Settings
    troubles: tuple[Trouble, ...]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every number once, in order."""
        return tuple(dict.fromkeys(row.number for row in self.rows if row.number))


def scenario(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    dice = random.Random(f"scenario {seed}")
    number_format = dice.choice((NumberFormat.NATIONAL,) * 3 + (NumberFormat.E164,))
    return Scenario(
        seed,
        _rows(dice, number_format),
        _settings(dice, number_format),
        tuple(_trouble(dice) for _ in range(dice.choice((0, 1, 1, 2, 2, 3, 4)))),
    )


def _rows(dice: random.Random, number_format: NumberFormat) -> tuple[Row, ...]:
    prefix = "+48" if number_format is NumberFormat.E164 else ""
    rows: list[Row] = []
    locals_: list[str] = []
    for line in range(
        _FIRST_LINE, _FIRST_LINE + dice.choice((dice.randint(10, 30), dice.randint(10, 60), dice.randint(30, 150)))
    ):
        fortune = dice.random()
        if fortune < 0.05:
            rows.append(Row(line, dice.choice(_INVALID), ""))
            continue
        if fortune > 0.1 or not locals_:
            locals_.append(str(dice.randint(200, 99_999) if fortune > 0.98 else dice.randint(500_000_000, 599_999_999)))
            local = locals_[-1]
        else:
            local = dice.choice(locals_)
        rows.append(_row(dice, line, local, prefix))
    if not locals_:
        rows.append(_row(dice, len(rows) + _FIRST_LINE, "500000000", prefix))
    return tuple(rows)


def _row(dice: random.Random, line: int, local: str, prefix: str) -> Row:
    if len(local) < 9:
        return Row(line, local, local)
    spelling = dice.choice(_SPELLINGS)
    return Row(line, spelling.format(local, local[:3], local[3:6], local[6:]), prefix + local)


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


def _trouble(dice: random.Random) -> Trouble:
    kind = dice.choices(tuple(Kind), (1, 8, 1, 2, 2, 1, 1))[0]
    draws: dict[Kind, partial[float]] = {
        Kind.KILL: partial(_spread, dice, 600),
        Kind.DISK: partial(_spread, dice, 60),
        Kind.DISK_FOR_GOOD: partial(_spread, dice, 60),
        Kind.STOP: partial(_moment_s, dice),
        Kind.STOP_TWICE: partial(_moment_s, dice),
    }
    return Trouble(kind, draws[kind]() if kind in draws else 0.0)


def _spread(dice: random.Random, most: int) -> float:
    """Draw from 1 to `most`; small ones as often as large ones, for the beginning is crowded."""
    return float(int(most ** dice.random()))


def _moment_s(dice: random.Random) -> float:
    """Draw from 0 to 99 seconds; most sessions are short."""
    return math.pow(100.0, dice.random()) - 1.0
