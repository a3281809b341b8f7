"""Bugs to be put in on purpose in what makes numbers of cells."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bulk_remove.core import numbers, spelling
from bulk_remove.core.conditions import CodeColumn, Joined, WholeInput
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.spelling import DECIMAL, Reading, misspelling, reading
from bulk_remove.run.intake import KeepLists


def a_decimal_glued_on(broken: pytest.MonkeyPatch) -> None:
    def lenient(text: str) -> str:
        problem = misspelling(text)
        return "" if problem == DECIMAL else problem

    broken.setattr(numbers, "misspelling", lenient)


def any_decimal_taken_away(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(spelling, "_ZERO_DECIMALS", re.compile(r"(\+?[0-9]+)(?P<between>)([.,])[0-9]+"))


def digits_that_a_spreadsheet_lost_made_up_as_zeros(broken: pytest.MonkeyPatch) -> None:
    def generous(cell: str) -> Reading:
        whole, sign, exponent = cell.partition("E+")
        known = whole.replace(".", "")
        return Reading(known.ljust(int(exponent) + 1, "0")) if sign and known.isdigit() else reading(cell)

    broken.setattr(numbers, "reading", generous)


def an_extension_glued_on(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Normaliser, "_goes_on", lambda *_: False)
    broken.setattr(Normaliser, "_may_go_on", lambda *_: False)


def a_zero_in_front_sent_as_it_stands(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Normaliser, "_problem_with_zeros", lambda *_: "")


def what_is_not_whole_sent_as_it_stands(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Normaliser, "_problem_with_length", lambda *_: "")


def _believing(broken: pytest.MonkeyPatch, believed: Callable[[NumberRules], NumberRules]) -> None:
    rules = WholeInput.rules

    def wrong(self: WholeInput, given: NumberRules, *, internal_numbers: bool | None, trusted: bool) -> NumberRules:
        return believed(rules(self, given, internal_numbers=internal_numbers, trusted=trusted))

    broken.setattr(WholeInput, "rules", wrong)


def a_short_number_among_whole_ones_sent(broken: pytest.MonkeyPatch) -> None:
    _believing(broken, lambda rules: replace(rules, internal_numbers=True))


def internal_numbers_never_sent(broken: pytest.MonkeyPatch) -> None:
    _believing(broken, lambda rules: replace(rules, internal_numbers=False))


def a_number_that_lost_its_end_taken_for_another(broken: pytest.MonkeyPatch) -> None:
    _believing(broken, lambda rules: replace(rules, coded=False))


def rounded_numbers_sent(broken: pytest.MonkeyPatch) -> None:
    _believing(broken, lambda rules: replace(rules, rounded=False))


def the_code_in_another_column_ignored(broken: pytest.MonkeyPatch) -> None:
    def alone(_self: CodeColumn, _codes: Sequence[str], cells: Sequence[str]) -> Joined:
        return Joined(cells, {})

    broken.setattr(CodeColumn, "joined", alone)


def kept_numbers_compared_as_they_are_written(broken: pytest.MonkeyPatch) -> None:
    def under(self: KeepLists, _rules: NumberRules) -> Callable[[Sequence[str]], Sequence[int]]:
        held = self.numbers
        return lambda numbers: [
            at for at, number in enumerate(numbers) if held and number.isdigit() and int(number) in held
        ]

    broken.setattr(KeepLists, "under", under)


def the_first_row_alone_of_a_kept_number_kept(broken: pytest.MonkeyPatch) -> None:
    def under(self: KeepLists, rules: NumberRules) -> Callable[[Sequence[str]], Sequence[int]]:
        kept = _UNDER(self, rules)
        return lambda numbers: [at for at in kept(numbers) if numbers[at] not in numbers[:at]]

    broken.setattr(KeepLists, "under", under)


_UNDER = KeepLists.under
