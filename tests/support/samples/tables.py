"""What samples are made of: made-up people, numbers of one block in many spellings, and what is expected of a row.

A number is written first and spelt afterwards, so that what is expected never comes out of the code under test.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

BLOCK = range(600_000_001, 600_001_000)
"""The made-up numbers: nobody was ever given one."""
INVALID = "INVALID"
EXPECTED_COLUMNS = ("row", "input", "becomes", "campaign", "detail")
HEADER = ("Lp.", "Imię i nazwisko", "Nr telefonu", "Miasto")

Cell = str | int | float | None
Cells = Sequence[Cell]

_FIRST_NAMES = ("Anna", "Jan", "Łucja", "Świętosława", "Zbyszko", "Gżegżółka")
_LAST_NAMES = ("Przykładowa", "Testowy", "Próbna", "Zmyślony", "Atrapa")
_TOWNS = ("Łódź", "Gdańsk", "Świętochłowice", "Kraków", "Żory", "Poznań", "Jędrzejów")
SPELLINGS = (
    "{a}{b}{c}",
    "{a} {b} {c}",
    "+48{a}{b}{c}",
    "0048{a}{b}{c}",
    "{a}-{b}-{c}",
    "+48 {a} {b} {c}",
    "48{a}{b}{c}",
    "(+48) {a} {b} {c}",
    " {a}{b}{c} ",
)
"""How one number of nine digits is written; with the default rules it becomes the nine digits again."""


class Expected(NamedTuple):
    """What must become of a row: `becomes` is the number that is sent, or INVALID, and then `detail` says why."""

    row: int
    input: str
    becomes: str
    campaign: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A file under `sample_data`: its name there, and its bytes or the sheets of a workbook."""

    name: str
    content: bytes | Mapping[str, Sequence[Cells]]
    expected: tuple[Expected, ...]


class Person(NamedTuple):
    """A made-up row: the cells of `HEADER`, of which `phone` is a spelling of `number`."""

    place: int
    name: str
    phone: str
    town: str
    number: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The cells under `HEADER`."""
        return (str(self.place), self.name, self.phone, self.town)


def spelt(spelling: str, number: int) -> str:
    """Write a number of nine digits as the spelling says; `a`, `b` and `c` are its groups of three."""
    digits = str(number)
    return spelling.format(a=digits[:3], b=digits[3:6], c=digits[6:])


def people(first: int, count: int = 20, spellings: Sequence[str] = SPELLINGS) -> list[Person]:
    """Return people with consecutive numbers of the block from `first` on, 1 being its first number."""
    numbers = BLOCK[first - 1 : first - 1 + count]
    rows = zip(numbers, cycle(spellings), cycle(_FIRST_NAMES), cycle(_LAST_NAMES), cycle(_TOWNS), strict=False)
    return [
        Person(place, f"{given} {family}", spelt(spelling, number), town, str(number))
        for place, (number, spelling, given, family, town) in enumerate(rows, start=1)
    ]


def all_sent(persons: Iterable[Person], first_row: int = 2) -> tuple[Expected, ...]:
    """Expect the number of each person, in rows without a gap."""
    return tuple(Expected(row, person.phone, person.number) for row, person in enumerate(persons, start=first_row))


def delimited(rows: Iterable[Sequence[str]], delimiter: str = ",", line_end: str = "\n") -> str:
    """Return the rows as CSV; a cell is quoted where that is needed."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return text.getvalue()


def expected_csv(expected: Iterable[Expected]) -> Iterator[str]:
    """Yield the file in which a sample's expectation stands."""
    yield delimited([EXPECTED_COLUMNS])
    yield delimited([tuple(map(str, row)) for row in expected])
