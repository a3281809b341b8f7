"""What is assumed where nothing is said: the figures that the guide names, and values that nobody filled in."""

import dataclasses
from typing import Any

import pytest

from bulk_remove.core import chunker, numbers, plan
from bulk_remove.core import chunker as request_size
from bulk_remove.core import limits as canary
from bulk_remove.core import limits as guards
from bulk_remove.core import replies as quota
from bulk_remove.core import summary as nights
from bulk_remove.core import summary as proof
from bulk_remove.core import timeline as progress
from bulk_remove.core.chunker import LineLength, RequestShape, Split
from bulk_remove.core.lifecycle import NEW, NOTHING_SEEN, Event
from bulk_remove.core.model import Alike, Brackets, Chunk, NumberFormat, NumberState, Outcome, Status
from bulk_remove.core.numbers import NumberRules
from bulk_remove.core.pace import LATENESS_US, pace_for
from bulk_remove.core.plan import CampaignPlan, Plan
from bulk_remove.core.replies import NOT_SENT, Effect, Fault
from bulk_remove.core.spelling import MAX_DIGITS, POLAND, Reading, region_of
from bulk_remove.core.summary import CampaignResult, NoneFound, Proof
from bulk_remove.core.throttle import (
    LEVELS,
    START_SHARE,
    Breaker,
    Ceilings,
    Decision,
    Level,
    RetryBudget,
    Steering,
    Step,
    Trial,
    throttle_for,
)
from bulk_remove.core.verdicts import DETAIL_MAX_CHARS, Verdict


def said(value: Any) -> dict[str, Any]:
    """Return the fields of a value that say something."""
    fields = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
    names = [field.name for field in fields] or value._fields
    return {name: getattr(value, name) for name in names if getattr(value, name)}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (NEW, {"phase": "U"}),
        (NOTHING_SEEN, {}),
        (Verdict(Event.BUSY), {"event": Event.BUSY}),
        (Breaker(3, 9), {"threshold": 3, "patience_us": 9, "probe_first_us": 5_000_000, "probe_max_us": 60_000_000}),
        (Reading("x"), {"text": "x"}),
        (
            Chunk(1, "00001", (), (), Alike[NumberState]((), ()), first=True),
            {"chunk_id": 1, "campaign": "00001", "first": True},
        ),
        (RetryBudget(), {"left": 10.0, "most": 100.0, "drip_us": 10_000_000}),
        (Trial(1, 0, 1, alive=True), {"tries": 1, "numbers": 1, "alive": True, "passed": True}),
        (Decision(Step.SPLIT), {"step": Step.SPLIT}),
        (Fault(Effect.REFUSED, "x", "X."), {"effect": Effect.REFUSED, "kind": "x", "sentence": "X."}),
        (NumberRules(), {"number_format": NumberFormat.NATIONAL, "region": "PL"}),
        (Split(2, 1, frozenset({1})), {"numbers": 2, "failures": 1, "parts": frozenset({1})}),
        (LineLength(), {}),
        (pace_for(1.0), {"interval_us": 1_000_000, "window_us": 1_000_000, "per_window": 1}),
        (CampaignPlan("00001", 5, 1), {"campaign": "00001", "numbers": 5, "requests": 1}),
        (
            Plan("r", "h", (), (), 2.0),
            {
                "run_id": "r",
                "host": "h",
                "rate": 2.0,
                "limits": guards.NO_LIMITS,
                "keep": plan.Keep(),
                "confirmed": True,
            },
        ),
        (guards.NO_LIMITS, {"max_share": 1}),
        (
            Proof("00001", 1, 1, 1, 1, "x"),
            {"campaign": "00001", "before": 1, "after": 1, "removed": 1, "without_id": 1, "note": "x"},
        ),
        (CampaignResult("00001", {}, confirmed=True), {"campaign": "00001", "confirmed": True}),
        (NoneFound(1, ("00001",), confirmed=True), {"numbers": 1, "campaigns": ("00001",), "confirmed": True}),
        (
            Ceilings(1.0, 1, 1.0, 1),
            {"rate": 1.0, "at_once": 1, "start_rate": 1.0, "start_at_once": 1, "adaptive": True},
        ),
        (
            RequestShape("00001"),
            {
                "campaign": "00001",
                "brackets": Brackets.ENCODED,
                "max_request_line": 8190,
                "max_numbers": 900,
                "region": POLAND,
            },
        ),
    ],
    ids=lambda it: type(it).__name__,
)
def test_what_nobody_filled_in_says_nothing(value: Any, fields: dict[str, Any]) -> None:
    assert said(value) == fields


def test_a_run_that_nothing_has_happened_to_is_neither_paused_nor_eased() -> None:
    assert not Steering(LEVELS[Level.STEADY], LEVELS[Level.STEADY]).paused
    throttle = throttle_for(LEVELS[Level.STEADY], 0)
    assert (throttle.under_way, throttle.eased, throttle.full) == (0, False, False)
    assert NOT_SENT.effect is Effect.UNTOUCHED


def test_the_figures_are_those_that_the_documents_name() -> None:
    assert (chunker.MAX_REQUEST_LINE, chunker.MAX_NUMBERS_PER_REQUEST, request_size.LEAST) == (8190, 900, 10)
    assert chunker.CAREFUL_LINE == 8000
    assert (guards.MAX_INVALID, guards.FEW_INVALID, guards.MAX_SHARE) == (0.05, 10, 0.5)
    assert (canary.MAX_NOT_EXIST, proof.ENOUGH_NUMBERS, plan.TYPED_COUNT_FROM) == (0.9, 10, 100)
    assert (quota.PAUSE_MAX_S, quota.FEW_S, progress.RATE_WINDOW_S) == (3600.0, 60.0, 30.0)
    assert (numbers.MIN_DIGITS, numbers.MAX_INTERNAL_DIGITS, MAX_DIGITS) == (3, 6, 15)
    assert (nights.NIGHTS, nights.LONGEST_FILE_NAME, DETAIL_MAX_CHARS) == (3, 200, 300)
    assert (LATENESS_US, START_SHARE) == (20_000, 10)


def test_what_is_known_of_poland_without_asking_is_what_libphonenumber_knows() -> None:
    assert region_of("PL") == POLAND


def test_a_count_of_records_is_exact_unless_it_is_said_to_be_a_lower_bound() -> None:
    assert not Outcome("601234501", Status.REMOVED, 1, (7,), 1, 0, "", 1.0).at_least
