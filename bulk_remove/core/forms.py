"""The forms in which a campaign may hold a number: found in its own records, and requested one after the other.

A form is requested only if it means the planned number and no other: `Forms.planned` reads every form back, and a form
that means something else is left out. So two numbers never share a form.

How the campaign's records write their numbers (`Held`) decides: the most common form is planned, the others are tried
after it. A form that no record has is a guess, so "none found" in it proves nothing.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.numbers import LOST_PLUS, MIN_DIGITS, Normaliser, NumberRules
from bulk_remove.core.spelling import Region, region_of
from bulk_remove.errors import InvariantError, UsageError
from bulk_remove.language import Phrase, joined, phrase


class AlsoTry(StrEnum):
    """A form besides the planned one, shown with a number of PL."""

    PLUS = "plus"  # +48601234555
    INTERNATIONAL = "international"  # 48601234555
    ZEROS = "zeros"  # 0048601234555, in every region: switchboards write a plus like this
    NATIONAL = "national"  # 601234555; a number abroad has none


class Rest(StrEnum):
    """How else a number in a campaign's records may be written."""

    ABROAD = "abroad"  # A foreign number as dialled: in `national` form, and in `zeros` where two zeros are dialled
    INTERNAL = "internal"  # three to six digits, which have only one form
    OTHERWISE = "otherwise"
    """Enough digits for a whole number, but written in none of the forms, so it cannot be requested."""
    NO_NUMBER = "no number"  # anything else; never sent


Held = Mapping[str, int]  # how many numbers are written in which way: by `AlsoTry`, or by `Rest`

_PLANNED = {
    AlsoTry.PLUS: NumberFormat.E164,
    AlsoTry.INTERNATIONAL: NumberFormat.DIGITS,
    AlsoTry.NATIONAL: NumberFormat.NATIONAL,
}
"""The format that writes each form. None writes zeros: these can only be tried after another form."""
_OWN = {number_format: form for form, number_format in _PLANNED.items()}
_LEADS = {AlsoTry.PLUS: "+", AlsoTry.INTERNATIONAL: "", AlsoTry.ZEROS: "00", AlsoTry.NATIONAL: None}
"""The text before the country code; the national form has no country code."""


def parse_also_try(text: str) -> tuple[AlsoTry, ...]:
    """Read a list such as `plus,zeros`; duplicates count once. Raises UsageError."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    known = [form.value for form in AlsoTry]
    for word in words:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            raise UsageError(
                phrase("--also-try does not know the form {word!r}.", word=word),
                phrase("Did you mean {nearest}?", nearest=near[0])
                if near
                else phrase("Give one or more of {known}, with commas.", known=", ".join(known)),
            )
    return tuple(AlsoTry(word) for word in dict.fromkeys(words))


class Forms:
    """The forms of each number under some rules: `asked` has all of them in order, `also_try` those after the first."""

    def __init__(self, rules: NumberRules, also_try: Sequence[AlsoTry]) -> None:
        if also_try and rules.number_format is NumberFormat.AS_IS:
            raise UsageError(
                "--also-try needs to know the form of the campaign's numbers, which as-is does not say.",
                "Choose another --number-format.",
            )
        self.also_try = tuple(dict.fromkeys(also_try))
        self._leads = tuple(_LEADS[form] for form in self.also_try)
        self._normalise = Normaliser(rules)
        region = region_of(rules.region)
        self._country_code = region.country_code
        own = [_OWN[rules.number_format]] if rules.number_format in _OWN else []
        self.asked = tuple(dict.fromkeys([*own, *also_try]))
        dialled = AlsoTry.NATIONAL in own or (AlsoTry.ZEROS in self.asked and region.international_prefix == "00")
        self._found_in = {*self.asked, Rest.INTERNAL, Rest.NO_NUMBER, *[Rest.ABROAD] * dialled}

    @property
    def others(self) -> bool:
        """Whether any form besides the planned one may be asked for."""
        return bool(self._leads)

    def asks_more_than(self, earlier: "Forms") -> bool:
        """Return whether numbers are requested in a form that the earlier rules did not have."""
        return not {*self.asked} <= {*earlier.asked}

    def unasked(self, held: Held) -> Held:
        """Return the part of a campaign's numbers that is written in no requested form."""
        return {way: count for way, count in held.items() if count and way not in self._found_in}

    def confirmed_by(self, held: Held) -> bool:
        """Return whether a campaign's own records show that it holds its numbers in the requested forms."""
        return any(count for way, count in held.items() if way != Rest.NO_NUMBER) and not self.unasked(held)

    def planned(self, number: str) -> str:
        """Return the planned form of a number in any of its forms; any other text is returned unchanged."""
        if not self._leads:
            return number
        text = f"+{number[2:]}" if number.startswith("00") else number
        read = self._normalise(text)
        if read.problem == LOST_PLUS:  # damage in a cell, but here the missing plus is our own doing
            read = self._normalise(f"+{text}")
        return read.number or number

    def after(self, number: str) -> str:
        """Return the form to request after this one, empty if none is left."""
        forms = self._ranked(number)
        self._rank_in(forms, number)
        return next(forms, ("", 0))[0]

    def rank(self, number: str) -> int:
        """Return 0 for the planned form, else the position of the form, from 1, among the others."""
        return self._rank_in(self._ranked(number), number)

    def _rank_in(self, forms: Iterator[tuple[str, int]], number: str) -> int:
        for form, rank in forms:
            if form == number:
                return rank
        raise InvariantError("a number is in a form that is not asked for")

    def _ranked(self, number: str) -> Iterator[tuple[str, int]]:
        """Yield the forms in the order of requests; most callers need only the first ones."""
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
        """Return a form of a number that is given from its country code on, empty if the number has no such form."""
        if lead is not None:
            return lead + digits
        return digits.removeprefix(self._country_code) if digits.startswith(self._country_code) else ""


_CLEAN = re.compile(r"\+?[0-9]+")
_INTERNAL_DIGITS = range(MIN_DIGITS, 7)
_INTERNAL_SHARE = 0.1
"""One short number among many may be a test: it does not show that the campaign calls internal numbers."""
_LONGEST = 200  # longer texts are not phone numbers, whatever they hold


def forms_held(numbers: Iterable[object], region_name: str) -> Held:
    """Count how the numbers of a campaign's records are written; only texts and whole numbers count."""
    way = way_reader(region_name)
    return dict(Counter(way(str(number) if type(number) in {int, str} else "") for number in numbers))


def way_reader(region_name: str) -> Callable[[str], str]:
    """Return a function that returns how a number is written: an `AlsoTry` or a `Rest`."""
    region = region_of(region_name)
    # Only this format reads bare digits that begin with another country's code.
    read = Normaliser(NumberRules(NumberFormat.DIGITS, region_name)).country_code_and_number
    return lambda text: str(_way(text, region, read(text) if _CLEAN.fullmatch(text) else ""))


def _way(text: str, region: Region, digits: str) -> AlsoTry | Rest:
    """Return how a number is written. `digits` begin with its country code; they are empty if that is uncertain."""
    if digits:
        own = digits.startswith(region.country_code)
        if not own and text == region.international_prefix + digits:
            return Rest.ABROAD
        if own and text == digits.removeprefix(region.country_code):
            return AlsoTry.NATIONAL
        leads = {f"{lead}{digits}": form for form, lead in _LEADS.items() if lead is not None}
        return leads.get(text, Rest.OTHERWISE)
    whole = min(region.full_lengths)
    if _CLEAN.fullmatch(text):
        if len(text) in _INTERNAL_DIGITS and text.strip("0").isdecimal():
            return Rest.INTERNAL
        return Rest.OTHERWISE if text[0] == "0" and len(text.lstrip("0")) >= whole else Rest.NO_NUMBER
    return Rest.OTHERWISE if whole <= sum(map(str.isdecimal, text[:_LONGEST])) else Rest.NO_NUMBER


def chosen_forms(held: Held, also_try: Sequence[AlsoTry], region: str) -> tuple[NumberFormat, tuple[AlsoTry, ...]]:
    """Return the format to plan with, the most common in the records, and the forms to try after it."""
    forms = [form for form in sorted(AlsoTry, key=lambda form: -held.get(form, 0)) if held.get(form)]
    planned = next((form for form in forms if form in _PLANNED), AlsoTry.NATIONAL)
    if planned is not AlsoTry.NATIONAL and held.get(Rest.ABROAD) and region_of(region).international_prefix == "00":
        forms.append(AlsoTry.ZEROS)
    return _PLANNED[planned], tuple(form for form in dict.fromkeys([*forms, *also_try]) if form is not planned)


def holds_internal(held: Held) -> bool:
    """Return whether a campaign's own records hold more internal numbers than a few tests."""
    numbers = sum(count for way, count in held.items() if way != Rest.NO_NUMBER)
    return held.get(Rest.INTERNAL, 0) > _INTERNAL_SHARE * numbers


def told_forms(held: Held, region_name: str, of: Held | None = None) -> Phrase:
    """Say how numbers are written, the most common way first, by an example that is nobody's number."""
    ways = sorted((way for way in held if held[way]), key=lambda way: (way == Rest.NO_NUMBER, -held[way]))
    first, *others = [_example(way, region_of(region_name)) for way in ways]
    looked_at = sum((held if of is None else of).values())
    listed = [
        phrase("{form} ({count:,} of {looked_at:,} looked at)", form=first, count=held[ways[0]], looked_at=looked_at)
    ]
    listed += [
        phrase("{form} ({count:,})", form=form, count=held[way]) for form, way in zip(others, ways[1:], strict=True)
    ]
    if not others:
        return listed[0]
    return phrase("{listed} and {last}", listed=joined(", ", listed[:-1]), last=listed[-1])


def form_examples(forms: Iterable[str], region_name: str) -> Phrase:
    """Name forms by an example of each."""
    return joined(", ", (_example(form, region_of(region_name)) for form in forms))


def _example(way: str, region: Region) -> str:
    match way:
        case Rest.ABROAD:
            return phrase("numbers abroad with {prefix} in front", prefix=region.international_prefix)
        case Rest.INTERNAL:
            return phrase("internal numbers")
        case Rest.OTHERWISE:
            return phrase("numbers with spaces, signs or extra zeros, which no form finds")
        case Rest.NO_NUMBER:
            return phrase("something that is not a whole phone number")
        case AlsoTry.NATIONAL:
            return region.example
        case _:
            return f"{_LEADS[AlsoTry(way)]}{region.country_code}{region.example}"
