"""What the cells of an input say of each other: what is a number in one file has lost digits in another.

The input is read once under the rules that were given. Where `WholeInput.rules` then returns others, it is read again.
"""

from dataclasses import replace

from bulk_remove.core.numbers import JudgedBlock, NumberRules

_SAME_ROUNDED = 5
"""So many rows with one number that ends in six zeros are as suspicious as two different ones."""
_ONE_ROUNDED_IN = 200_000
"""Chance alone lets one number in a million end so; where there are five times as many, it was not chance."""


class WholeInput:
    """Adds up the blocks of an input; its size does not grow with them."""

    def __init__(self) -> None:
        self._numbers = 0
        self._internal = 0
        self._coded = 0
        self._in_doubt = 0
        self._rounded = 0
        self._first_rounded = ""
        self._rounded_differ = False

    def add(self, block: JudgedBlock) -> None:
        """Add the next block."""
        self._numbers += len(block.numbers) - len(block.problems)
        self._internal += block.internal
        self._coded += block.coded
        self._in_doubt += block.in_doubt
        self._rounded += len(block.rounded)
        for number in block.rounded:
            self._first_rounded = self._first_rounded or number
            self._rounded_differ = self._rounded_differ or number != self._first_rounded

    def rules(self, rules: NumberRules, *, internal_numbers: bool | None, trusted: bool) -> NumberRules:
        """Return the rules under which the input is to be read, given those under which it was added.

        * Short numbers are internal ones where they are more than the whole ones, if `internal_numbers` is None; a
          short one among whole ones is what a file that was cut off ends with. Several of them in one cell are no
          whole number then.
        * Where most numbers are bare digits with the country code, a national number that begins with the same digits
          is one of them that has lost its end.
        * Six zeros at the end of several different numbers, or of one in many rows, are what a spreadsheet has made of
          digits that it did not show, unless the column is `trusted`, or so few in a long list that they may be real.
        """
        several = self._rounded_differ or self._rounded >= _SAME_ROUNDED
        too_many = self._rounded * _ONE_ROUNDED_IN > self._numbers
        whole = self._numbers - self._internal * rules.internal_numbers
        mostly = self._internal > whole
        return replace(
            rules,
            internal_numbers=mostly if internal_numbers is None else internal_numbers,
            mostly_internal=mostly and internal_numbers is not False,
            coded=bool(self._in_doubt) and 2 * self._coded > self._numbers,
            rounded=several and too_many and not trusted,
        )
