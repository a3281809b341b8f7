"""The canary: one chunk that is sent alone, and judged before the others follow."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from bulk_remove.core.model import Status
from bulk_remove.errors import GuardStop
from bulk_remove.language import counted, phrase

MAX_NOT_EXIST = 0.9
"""More of the first numbers than this that are not there, and the list, the campaign or the form is likely wrong."""

_THERE = (Status.REMOVED, Status.CALL_IN_PROGRESS)


def judge_canary(mix: Mapping[Status, int], max_not_exist: float, run_id: str, left: int) -> GuardStop | None:
    """Return why the rest must not follow, None when it may. `mix` counts the canary's numbers by status.

    `left` is how many numbers are left, none where the canary was the whole list.

    The share of `NOT_EXIST` is that among the numbers of which the server said whether they are there; a number that
    is gone after an unanswered request tells nothing. Where no number tells, only a limit of 1 lets the rest follow.
    """
    missing = mix.get(Status.NOT_EXIST, 0)
    told = missing + sum(mix.get(status, 0) for status in _THERE)
    if max_not_exist >= 1 or not sum(mix.values()) or (told and missing / told <= max_not_exist):
        return None
    if told:
        percent = ceil(Fraction(missing, told) * 100)
        what = counted(
            told,
            "The {count:,} number sent first ({percent}%) is not there",
            "Of {count:,} numbers sent first {missing}",
            percent=percent,
            missing=counted(
                missing, "{count:,} ({percent}%) is not there", "{count:,} ({percent}%) are not there", percent=percent
            ),
        )
    else:
        percent = 100
        what = counted(
            sum(mix.values()),
            "The {count:,} number sent first is not known to have been there",
            "Of {count:,} numbers sent first none is known to have been there",
        )
    over = phrase("{what}, and at most {max_not_exist:g}% may be missing", what=what, max_not_exist=100 * max_not_exist)
    if not left:
        return GuardStop(
            phrase("{over}. That was the whole list.", over=over),
            "Look at the report: the campaign or --number-format may be wrong.",
        )
    return GuardStop(
        phrase("{over}: the rest was not sent.", over=over),
        phrase(
            "Look at the report: the campaign or --number-format may be wrong. If it is right, go on "
            "with: bulk-remove resume {run_id} --canary-max-not-exist {percent}%.",
            run_id=run_id,
            percent=percent,
        ),
    )


def canary_declined(run_id: str) -> GuardStop:
    """Return how a run ends whose operator did not let the rest follow."""
    return GuardStop(
        "Not confirmed after the first request: the rest was not sent.",
        phrase("Look at the report; to go on after all: bulk-remove resume {run_id}.", run_id=run_id),
    )
