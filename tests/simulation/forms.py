"""The forms of each number, written out by hand; shares no code with the package."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bulk_remove.core.numbers import AlsoTry

LOCAL_DIGITS = 9
"""A shorter number is an internal one, which has its planned form alone."""
_WRITTEN = {AlsoTry.PLUS: "+48", AlsoTry.INTERNATIONAL: "48", AlsoTry.ZEROS: "0048", AlsoTry.NATIONAL: ""}


@dataclass(frozen=True, slots=True)
class Forms:
    """`of` holds each number's forms in the order in which they are to be asked for, the planned one first.

    By any form, `planned` is the planned one, and `rank` tells the kind of the form: 0 for planned ones, else its place
    among those also tried.
    """

    of: Mapping[str, tuple[str, ...]]
    planned: Mapping[str, str]
    rank: Mapping[str, int]


def forms_of(numbers: Iterable[str], also_try: Sequence[AlsoTry]) -> Forms:
    """Write out the forms of numbers given in their planned one."""
    ranked = {number: _ranked(number, also_try) for number in numbers}
    return Forms(
        {number: tuple(forms) for number, forms in ranked.items()},
        {form: number for number, forms in ranked.items() for form in forms},
        {form: rank for forms in ranked.values() for form, rank in forms.items()},
    )


def _ranked(number: str, also_try: Sequence[AlsoTry]) -> dict[str, int]:
    ranked = {number: 0}
    if len(number) >= LOCAL_DIGITS:
        for rank, form in enumerate(also_try, start=1):
            ranked.setdefault(_WRITTEN[form] + number[-LOCAL_DIGITS:], rank)
    return ranked
