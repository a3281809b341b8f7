"""The input, drawn: rows with a number in one of its spellings, or with none; perhaps each with a campaign."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from bulk_remove.core.model import NumberFormat

CAMPAIGN = "00001"
CAMPAIGNS = (CAMPAIGN, "00002", "A7b3Z")
_CAMPAIGN_SPELLINGS = ("{}", "{}", " {} ", "'{}")
_NO_CAMPAIGN = ("", " ", "1", "00 01", "000001", "n/a")
_INVALID = ("", "abc", "12", "n/a", "0000", "=1+1", "6.01E+08", "50000012x", "+4860", "601234555;602111222")
_SPELLINGS = ("{0}", "+48 {0}", "0048{0}", "48{0}", "{1} {2} {3}", "{1}-{2}-{3}", "({1}) {2} {3}")
_FIRST_LINE = 2


class Target(NamedTuple):
    """A number (in its planned form) of a campaign: what is to be removed."""

    campaign: str
    number: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the input as it will be written.

    `number` is what must be sent to `campaign`; both are empty where one of the two cells holds nothing of its kind.
    """

    line: int
    cell: str
    number: str
    campaign: str
    campaign_cell: str = ""

    @property
    def shown(self) -> str:
        """The cell as the report shows it: a formula is defused."""
        return f"'{self.cell}" if self.cell.startswith("=") else self.cell

    @property
    def target(self) -> Target | None:
        """What is to be removed for this row."""
        return Target(self.campaign, self.number) if self.number else None


def rows(dice: random.Random, number_format: NumberFormat) -> tuple[Row, ...]:
    """Draw rows that are all for one campaign."""
    prefix = "+48" if number_format is NumberFormat.E164 else ""
    drawn: list[Row] = []
    locals_: list[str] = []
    for line in range(
        _FIRST_LINE, _FIRST_LINE + dice.choice((dice.randint(10, 30), dice.randint(10, 60), dice.randint(30, 150)))
    ):
        fortune = dice.random()
        if fortune < 0.05:
            drawn.append(Row(line, dice.choice(_INVALID), "", ""))
            continue
        if fortune > 0.1 or not locals_:
            locals_.append(str(dice.randint(200, 99_999) if fortune > 0.98 else dice.randint(500_000_000, 599_999_999)))
            local = locals_[-1]
        else:
            local = dice.choice(locals_)
        drawn.append(_row(dice, line, local, prefix))
    if not locals_:
        drawn.append(_row(dice, len(drawn) + _FIRST_LINE, "500000000", prefix))
    return tuple(drawn)


def with_campaigns(drawn: Iterable[Row], dice: random.Random) -> Iterator[Row]:
    """Give each row a campaign of its own; more numbers stand in several rows then, and so in several campaigns."""
    campaigns = CAMPAIGNS[: dice.choice((2, 3))]
    before: list[Row] = []
    for row in drawn:
        twin = dice.choice(before) if before and dice.random() < 0.1 else row
        before.append(row)
        campaign = dice.choice(campaigns) if dice.random() > 0.07 else ""
        cell = dice.choice(_CAMPAIGN_SPELLINGS).format(campaign) if campaign else dice.choice(_NO_CAMPAIGN)
        number = twin.number if campaign else ""
        yield replace(row, cell=twin.cell, number=number, campaign=campaign if number else "", campaign_cell=cell)


def _row(dice: random.Random, line: int, local: str, prefix: str) -> Row:
    if len(local) < 9:
        return Row(line, local, local, CAMPAIGN)
    spelling = dice.choice(_SPELLINGS)
    return Row(line, spelling.format(local, local[:3], local[3:6], local[6:]), prefix + local, CAMPAIGN)
