"""The words that reports, ledgers, profiles, scripts and the command line go by: none of them changes by accident."""

from enum import StrEnum

import pytest

from bulk_remove.core.lifecycle import Phase
from bulk_remove.core.model import REPORT_COLUMNS, Brackets, CsvFor, NumberFormat, ReportFormat, Status
from bulk_remove.core.numbers import AlsoTry, Rest
from bulk_remove.core.plan import Consent
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key, Level


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            Status,
            "REMOVED NOT_EXIST PRESUMED_REMOVED CALL_IN_PROGRESS IN_DOUBT FAILED UNRECOGNISED UNSENT INVALID KEPT",
        ),
        (Phase, "U u B b m O o R r N n F f X x"),
        (NumberFormat, "auto national digits e164 as-is"),
        (AlsoTry, "plus international zeros national"),
        (Level, "gentle steady full fixed"),
        (ReportFormat, "csv xlsx html json"),
        (CsvFor, "programs excel-pl"),
        (Brackets, "auto encoded raw"),
        (Key, "p + - q"),
    ],
)
def test_a_choice_has_the_words_that_the_guide_names(kind: type[StrEnum], words: str) -> None:
    assert [member.value for member in kind] == words.split()


def test_the_report_has_the_columns_that_the_guide_names() -> None:
    assert " ".join(REPORT_COLUMNS) == (
        "file row input number campaign status removed_records record_ids attempts busy_rounds detail answered_at "
        "duplicate_of_row"
    )


def test_what_a_ledger_and_a_summary_say_of_a_run_reads_the_same_in_later_ones() -> None:
    assert [*Rest] == ["abroad", "internal", "otherwise", "no number"]
    assert [*Consent] == ["typed at the terminal", "--yes", "the calling program", "typed on the local page"]
    assert [*Ending] == [
        "done",
        "stopped by Ctrl-C",
        "stopped by the key q",
        "stopped by the program that began it",
        "stopped on the local page",
        "stopped by SIGTERM",
        "stopped by SIGHUP",
        "the server stayed unavailable",
        "the server refused",
        "the deadline came first",
        "the disk or the ledger failed",
        "stopped after the canary",
        "stopped because most numbers were not there",
        "the reply named a removal that nobody asked for",
        "killed",
    ]
