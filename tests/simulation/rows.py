"""The input, drawn: rows with a number in one of its spellings, or with none; perhaps each with a campaign.

What becomes of a cell is written beside it here, by hand, and is no business of the package's.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from bulk_remove.core.model import NumberFormat

CAMPAIGN = "00001"
CAMPAIGNS = (CAMPAIGN, "00002", "A7b3Z")
_CAMPAIGN_SPELLINGS = ("{}", "{}", " {} ", "'{}")
_NO_CAMPAIGN = ("", " ", "1", "00 01", "000001", "n/a")
_INVALID = ("", "abc", "12", "n/a", "0000", "=1+1", "6.01E+08", "50000012x", "+4860", "601234555;602111222")
_SPELLINGS = ("{0}", "+48 {0}", "0048{0}", "48{0}", "{1} {2} {3}", "{1}-{2}-{3}", "({1}) {2} {3}")
_FIRST_LINE = 2
_LOCAL_DIGITS = 9
_CODE, _ANOTHER_CODE = "48", "420"
_ROUNDED = ("511000000", "48 512 000 000")
_LOSSLESS: tuple[Callable[[str], str], ...] = (
    lambda it: f"{it}.0",
    lambda it: f"48{it}.00",
    lambda it: f"{it[:3]} {it[3:6]} {it[6:]},00",
    lambda it: f'="{it}"',
    lambda it: f"'+48{it}'",
    lambda it: f"{it[0]}.{it[1:]}E+08",
    lambda it: f"4.8{it}E10",
    lambda it: f"p:+48{it}",
    lambda it: f"tel: {it}",
)
"""What a program makes of a number of nine digits without losing one."""
_DAMAGED: tuple[Callable[[str], str], ...] = (
    lambda it: f"{it}.5",
    lambda it: f"{it[:8]}.7",
    lambda it: f"{it[:8]}.0",
    lambda it: f"+48{it[:8]}.0",
    lambda it: f"{it[:3]}-{it[3:6]}-{it[6:8]}.0",
    lambda it: f"{it[0]}.{it[1:4]}E+08",
    lambda it: it[:8],
    lambda it: it[:5],
    lambda it: f"+48{it[:7]}",
    lambda it: f"{it}9",
    lambda it: f"0{it}",
    lambda it: f"(0-{it[:2]}) {it[2:]}",
    lambda it: f"9-{it}",
    lambda it: f"4848{it}",
    lambda it: f"{it[:2]} {it[2:5]} {it[5:7]} {it[7:]}-12",
    lambda it: f"48 {it[2:5]} {it[5:7]} {it[7:]} (12)",
    lambda it: f"48{it[2:]}-12",
)
"""What makes none of it, and no other number either."""
_THREES = re.compile(r"\(?[0-9]{3}\)?[ -][0-9]{3}[ -][0-9]{3}")
_FEWEST_INTERNAL_DIGITS, _MOST_INTERNAL_DIGITS = 3, 6


class Flavour(StrEnum):
    """What is odd about the cells of an input."""

    PLAIN = "nothing"
    ODD = "each by itself"
    INTERNAL = "most are internal numbers"
    CUT_OFF = "it was cut off in the last row"
    ROUNDED = "some have lost their last digits"
    CODES = "country codes in another column"


class Target(NamedTuple):
    """A number (in its planned form) of a campaign: what is to be removed."""

    campaign: str
    number: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the input as it will be written.

    `number` is what must be sent to `campaign`; both are empty where one of the two cells holds nothing of its kind,
    and where the number is `kept`.
    """

    line: int
    cell: str
    number: str
    campaign: str
    campaign_cell: str = ""
    code_cell: str = ""
    kept: bool = False

    @property
    def shown(self) -> str:
        """The cell as the report shows it: a formula is defused, and so is a decimal with a sign."""
        formula = self.cell.startswith("=") or (self.cell.startswith("+") and "." in self.cell)
        return f"'{self.cell}" if formula else self.cell

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
        if row.cell in _ROUNDED:  # of two that differ neither is a number; one alone would be
            twin = row
        before.append(row)
        campaign = dice.choice(campaigns) if dice.random() > 0.07 else ""
        cell = dice.choice(_CAMPAIGN_SPELLINGS).format(campaign) if campaign else dice.choice(_NO_CAMPAIGN)
        number = twin.number if campaign else ""
        told = campaign if number else ""
        yield replace(row, cell=twin.cell, number=number, campaign=told, campaign_cell=cell, code_cell=twin.code_cell)


def with_odd_cells(drawn: Sequence[Row], dice: random.Random) -> tuple[Row, ...]:
    """Respell some cells and damage others, but for the first whole one: an input without a number is refused."""
    flavour = dice.choices(tuple(Flavour), (9, 6, 2, 2, 2, 2))[0]
    if flavour is Flavour.PLAIN:
        return tuple(drawn)
    changed = [_odd(row, flavour, dice) for row in drawn]
    first = next(place for place, row in enumerate(drawn) if len(row.number) >= _LOCAL_DIGITS)
    changed[first] = drawn[first]
    if flavour is Flavour.CUT_OFF:
        changed = [
            replace(row, cell=_CODE + row.number[-_LOCAL_DIGITS:]) if len(row.number) >= _LOCAL_DIGITS else row
            for row in changed
        ]
        whole = changed[first].cell
        last = changed[-1].line + 1
        changed.append(Row(last, whole[: dice.randint(1, len(whole) - 1)], "", ""))
    if flavour is Flavour.ROUNDED:
        last = changed[-1].line
        changed += [Row(last + place, cell, "", "") for place, cell in enumerate(_ROUNDED, start=1)]
    if flavour is Flavour.CODES:
        changed = [replace(row, code_cell=_CODE) if row.code_cell == "" else row for row in changed]
    return tuple(changed)


def _odd(row: Row, flavour: Flavour, dice: random.Random) -> Row:
    local = row.number[-_LOCAL_DIGITS:]
    fortune = dice.random()
    if len(local) < _LOCAL_DIGITS or fortune > 0.7:
        return row
    if flavour is Flavour.INTERNAL:
        number = str(dice.randint(200, 99_999))
        return replace(row, cell=number, number=number)
    if flavour is Flavour.CODES and fortune < 0.1:
        return replace(row, cell=f"+48{local}", number="", campaign="", code_cell=_ANOTHER_CODE)
    if fortune < 0.2:
        return replace(row, cell=dice.choice(_LOSSLESS)(local))
    if fortune < 0.35:
        return replace(row, cell=dice.choice(_DAMAGED)(local), number="", campaign="")
    return row


def judged(drawn: Iterable[Row], before: Iterable[Row]) -> tuple[Row, ...]:
    """Leave out the internal numbers, unless they are more than the whole ones; both count by their cells.

    Where they are more, three groups of three digits may be three of them. `before` are the rows as they were when each
    cell's number still stood beside it.
    """
    rows_ = tuple(drawn)
    meant = {row.cell: row.number for row in before}
    internal = sum(_is_internal(row.cell) for row in rows_)
    whole = sum(bool(meant[row.cell]) and not _is_internal(row.cell) for row in rows_)
    unsure = _THREES.fullmatch if internal > whole else _is_internal
    return tuple(replace(row, number="", campaign="") if unsure(row.cell) else row for row in rows_)


def with_keep_list(drawn: Sequence[Row], dice: random.Random) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Take the numbers of some rows for kept ones; returns the rows, and the cells of a list of these and of others.

    At least one number is left. None is kept that may stand in a cell of which nothing is sent for another reason.
    """
    unsure = "\n".join(re.sub("[^0-9]", "", row.cell) for row in drawn if not row.number)
    locals_ = dict.fromkeys(row.number[-_LOCAL_DIGITS:] for row in drawn if row.number)
    certain = [local for local in locals_ if len(local) == _LOCAL_DIGITS and local not in unsure]
    kept = {*dice.sample(certain, dice.randint(0, min(len(certain), len(locals_) - 1)))}
    strangers = [str(dice.randint(600_000_000, 699_999_999)) for _ in range(dice.randint(1, 5))]
    listed = [*sorted(kept), *strangers]
    dice.shuffle(listed)
    cells = [dice.choice(_SPELLINGS).format(local, local[:3], local[3:6], local[6:]) for local in listed]
    marked = (
        replace(row, number="", campaign="", kept=True) if row.number[-_LOCAL_DIGITS:] in kept else row for row in drawn
    )
    return tuple(marked), tuple(cells)


def _is_internal(cell: str) -> bool:
    short = cell.isdigit() and _FEWEST_INTERNAL_DIGITS <= len(cell) <= _MOST_INTERNAL_DIGITS
    return short and bool(cell.strip("0"))


def _row(dice: random.Random, line: int, local: str, prefix: str) -> Row:
    if len(local) < _LOCAL_DIGITS:
        return Row(line, local, local, CAMPAIGN)
    spelling = dice.choice(_SPELLINGS)
    return Row(line, spelling.format(local, local[:3], local[3:6], local[6:]), prefix + local, CAMPAIGN)
