"""What a workbook's cell becomes as text: what is no phone number must not look like one."""

import datetime as dt
from collections.abc import Iterable

Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
_EXACT_BELOW = 1e15  # Excel keeps 15 digits; a longer number is not the one that was typed
_CAMPAIGN_DIGITS = 5  # Thulium writes them so: 00001


def phone_text(value: Value) -> str:
    """Return a cell's text for a phone column, so that what is no phone number cannot look like one.

    A date without its dashes would be a number of eight digits, and a number past 15 digits is not the one that was
    typed: the former says that it is a date, the latter keeps its exponent.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        return f"{type(value).__name__} {cell_text(value)}"
    return cell_text(value)


def phone_texts(values: Iterable[Value]) -> list[str]:
    """Return `phone_text` of each value; text and whole numbers, which nearly all are, without a call for each."""
    return [
        value
        if type(value) is str
        else str(whole)
        if type(value) is float and -_EXACT_BELOW < value < _EXACT_BELOW and (whole := int(value)) == value
        else phone_text(value)
        for value in values
    ]


def campaign_text(value: Value) -> str:
    """Return a cell's text for a column of campaigns: a number gets the zeros in front that a spreadsheet drops.

    `1` becomes `00001`; a text cell stays as it is, and so does a number that cannot be a campaign's.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 and value == value // 1:
        return cell_text(value).zfill(_CAMPAIGN_DIGITS)
    return cell_text(value)


def cell_text(value: Value) -> str:
    """Return a cell's text for the report: whole numbers without a decimal point, dates year first."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return _number_text(value)
    return value if isinstance(value, str) else str(value)


def _number_text(value: float) -> str:
    if not abs(value) < _EXACT_BELOW:  # also what is no number at all
        return f"{value:.15e}"
    return str(int(value)) if value == int(value) else repr(value)
