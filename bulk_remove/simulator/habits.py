"""How the numbers of a made-up campaign behave, decided for each number by a seeded hash."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple

_WORD = 1 << 32
_POLISH = re.compile(r"(?:\+48|0048|48)?([1-9][0-9]{2})([0-9]{3})([0-9]{3})")

FORMS = {
    "national": r"\1\2\3",
    "digits": r"48\1\2\3",
    "e164": r"+48\1\2\3",
    "zeros": r"0048\1\2\3",
    "spaced": r"\1 \2 \3",
}
"""How a Polish number may be written in a campaign."""


class Fate(NamedTuple):
    """What is so for one number: whether a record of it exists, how many, and for how long it stays in a call."""

    exists: bool
    records: int
    busy_for_s: float


PLAIN_FATE = Fate(exists=True, records=1, busy_for_s=0.0)
_TWICE_FATE = Fate(exists=True, records=2, busy_for_s=0.0)
_ABSENT_FATE = Fate(exists=False, records=0, busy_for_s=0.0)


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares (0..1) of the numbers, each drawn independently from `seed` and the number alone.

    `busy_share` of them are in a call for `busy_for_s` seconds from their first being asked for, `duplicate_share`
    have two records (of these only the first is in a call), `absent_share` do not exist. `forms` are those in which the
    campaign holds whole Polish numbers, each with its weight; none: as they are asked for.
    Raises ValueError for a share outside 0..1, a negative time, or an unknown form.
    """

    seed: int = 0
    busy_share: float = 0.0
    busy_for_s: float = 60.0
    duplicate_share: float = 0.0
    absent_share: float = 0.0
    forms: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for name in ("busy_share", "duplicate_share", "absent_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1")
        if self.busy_for_s < 0:
            raise ValueError("busy_for_s must not be negative")
        for name, weight in self.forms:
            if name not in FORMS or weight <= 0:
                raise ValueError(f"{name} is not a form, or its weight is not above 0")

    @property
    def plain(self) -> bool:
        """Whether every number simply has one record that is free: then nothing needs to be drawn."""
        return not (self.busy_share or self.duplicate_share or self.absent_share)

    def fate(self, number: str) -> Fate:
        """The fate of a number; the same for the same seed, on every machine and in every order of asking."""
        digest = int.from_bytes(blake2b(f"{self.seed}:{number}".encode(), digest_size=12).digest(), "big")
        if digest % _WORD < self.absent_share * _WORD:
            return _ABSENT_FATE
        records = 2 if (digest >> 32) % _WORD < self.duplicate_share * _WORD else 1
        if (digest >> 64) < self.busy_share * _WORD:
            return Fate(exists=True, records=records, busy_for_s=self.busy_for_s)
        return PLAIN_FATE if records == 1 else _TWICE_FATE

    def written(self, number: str) -> str:
        """The number as the campaign holds it; its form is drawn by its own digits, however it was written before."""
        whole = _POLISH.fullmatch(number) if self.forms else None
        if whole is None:
            return number
        drawn = int.from_bytes(blake2b(f"{self.seed}:form:{''.join(whole.groups())}".encode(), digest_size=4).digest())
        ends = [*accumulate(weight for _, weight in self.forms)]
        name, _ = self.forms[bisect_right(ends, drawn / _WORD * ends[-1])]
        return whole.expand(FORMS[name])
