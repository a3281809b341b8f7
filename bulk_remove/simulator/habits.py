"""How the numbers of a made-up campaign behave, decided for each number by a seeded hash."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

_WORD = 1 << 32


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
    have two records (of these only the first is in a call), `absent_share` do not exist.
    Raises ValueError for a share outside 0..1 or a negative time.
    """

    seed: int = 0
    busy_share: float = 0.0
    busy_for_s: float = 60.0
    duplicate_share: float = 0.0
    absent_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("busy_share", "duplicate_share", "absent_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1")
        if self.busy_for_s < 0:
            raise ValueError("busy_for_s must not be negative")

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
