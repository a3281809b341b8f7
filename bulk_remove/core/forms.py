"""The other forms in which a campaign may hold a number, asked for one after the other (--also-try).

A form is asked for only when it means the number that was planned and no other: `Forms.planned` reads every form back,
and a form that reads as something else is left out. So two numbers never share a form.
"""

import difflib
from collections.abc import Iterator, Sequence
from enum import StrEnum

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import LOST_PLUS, Normaliser, NumberRules
from bulk_remove.core.regions import region_of
from bulk_remove.errors import InvariantError, UsageError
from bulk_remove.language import phrase


class AlsoTry(StrEnum):
    """A form besides the planned one; the figures are those of a number in PL."""

    PLUS = "plus"
    """+48601234555"""
    INTERNATIONAL = "international"
    """48601234555"""
    ZEROS = "zeros"
    """0048601234555, in every region: so a switchboard writes a plus"""
    NATIONAL = "national"
    """601234555; a number abroad has none"""


_LEADS = {AlsoTry.PLUS: "+", AlsoTry.INTERNATIONAL: "", AlsoTry.ZEROS: "00", AlsoTry.NATIONAL: None}
"""What stands in front of the country code; the national form has none."""


def parse_also_try(text: str) -> tuple[AlsoTry, ...]:
    """Read a list such as `plus,zeros`; what repeats counts once. Raises UsageError."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    known = [form.value for form in AlsoTry]
    for word in words:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            raise UsageError(
                phrase("--also-try knows no form {word!r}.", word=word),
                phrase("Did you mean {nearest}?", nearest=near[0])
                if near
                else phrase("Give one or more of {known}, with commas.", known=", ".join(known)),
            )
    return tuple(AlsoTry(word) for word in dict.fromkeys(words))


class Forms:
    """The forms of each number under some rules. The numbers given must not be empty.

    A number whose country code is not certain (an internal or a short one) has its planned form alone. Raises
    UsageError for an unknown region, and for other forms of numbers that are taken as they are.
    """

    def __init__(self, rules: NumberRules, also_try: Sequence[AlsoTry]) -> None:
        if also_try and rules.number_format is NumberFormat.AS_IS:
            raise UsageError(
                "--also-try needs to know the form of the campaign's numbers, which as-is does not say.",
                "Choose another --number-format.",
            )
        self._leads = tuple(_LEADS[form] for form in dict.fromkeys(also_try))
        self._normalise = Normaliser(rules)
        self._country_code = region_of(rules.region).country_code

    @property
    def others(self) -> bool:
        """Whether any form besides the planned one may be asked for."""
        return bool(self._leads)

    def planned(self, number: str) -> str:
        """Return the planned form of a number in any of its forms; what is no form of any is returned as it is."""
        if not self._leads:
            return number
        text = f"+{number[2:]}" if number.startswith("00") else number
        read = self._normalise(text)
        if read.problem == LOST_PLUS:  # damage in a cell, but here it is known who left the plus out
            read = self._normalise(f"+{text}")
        return read.number or number

    def after(self, number: str) -> str:
        """Return the form to ask for after this one, empty when none is left.

        The planned form comes first, then the others in the order given. Raises InvariantError as `rank` does.
        """
        forms = self._ranked(number)
        if not any(form == number for form, _ in forms):
            raise _not_asked_for()
        return next(forms, ("", 0))[0]

    def rank(self, number: str) -> int:
        """Return 0 for the planned form, else the place of the form, from 1, among those to be tried besides.

        Raises InvariantError for a form that is none of them.
        """
        for form, rank in self._ranked(number):
            if form == number:
                return rank
        raise _not_asked_for()

    def _ranked(self, number: str) -> Iterator[tuple[str, int]]:
        """Yield the forms in the order in which they are asked for; most calls need the first ones alone."""
        planned = self.planned(number)
        yield planned, 0
        digits = self._normalise.country_code_and_number(planned) if self._leads else ""
        seen = {planned}
        for rank, lead in enumerate(self._leads if digits else (), start=1):
            form = self._written(digits, lead)
            if form and form not in seen and self.planned(form) == planned:
                seen.add(form)
                yield form, rank

    def _written(self, digits: str, lead: str | None) -> str:
        """Return the form of a number given from its country code on, empty where it has none."""
        if lead is not None:
            return lead + digits
        return digits.removeprefix(self._country_code) if digits.startswith(self._country_code) else ""


def _not_asked_for() -> InvariantError:
    return InvariantError("a number is in a form that is not asked for")
