from typing import Any

import pytest

from bulk_remove.core.model import RecordId
from bulk_remove.core.verdicts import Unasked, UnaskedRemoval, unasked_detail, unasked_in, unasked_stop, unasked_told
from bulk_remove.errors import ExitCode


def test_the_detail_names_the_number_and_its_records() -> None:
    assert unasked_detail([Unasked("60123455", (5235,))]) == (
        "The reply named a removal that nobody asked for: 60123455 (record 5235)."
    )
    assert "60*****5 (record 5235)" in unasked_detail([Unasked("60123455", (5235,))], masked=True)
    assert unasked_detail([Unasked("", ())]).endswith('asked for: "".')
    assert unasked_detail([Unasked("6", (1, 2, 3, 4))]).endswith("asked for: 6 (record 1, 2, 3, ...).")
    many = [Unasked(str(number), ()) for number in range(5)]
    assert unasked_detail(many).endswith("asked for: 0, 1, 2 and 2 more.")


def test_the_run_stops_with_masked_numbers_the_likely_cause_and_how_to_go_on() -> None:
    stop = unasked_stop([UnaskedRemoval("60123455", (5235,), "00001", 1.0, 7)], "r1")
    assert stop.exit_code is ExitCode.GUARD
    assert "60*****5 (record 5235) in campaign 00001" in stop.sentence
    assert "60123455" not in stop.sentence
    assert "proxy that cuts long URLs" in stop.hint
    assert "bulk-remove resume r1" in stop.hint


def test_a_removal_without_a_record_id_is_told_without_one() -> None:
    told = unasked_told([UnaskedRemoval("60123455", (), "00001", 1.0, 7)])
    assert told.endswith("nobody asked for: 60*****5 in campaign 00001.")


DEEP: list[Any] = [{"status": "REMOVED", "record_id": 7}]
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "record_ids"),
    [
        pytest.param([{"status": "REMOVED", "record_id": 7}], (7,), id="as documented"),
        pytest.param([{"status": "removed", "record_id": 7}], (7,), id="in small letters"),
        pytest.param([{"status": " Removed\n", "record_id": 7}], (7,), id="with white space"),
        pytest.param([{"status": ["x", "Removed"], "record_id": 7}], (7,), id="one of several statuses"),
        pytest.param({"status": "REMOVED", "record_id": 7}, (7,), id="a bare object"),
        pytest.param({"0": {"status": "REMOVED", "record_id": 7}}, (7,), id="a list as PHP writes it"),
        pytest.param("REMOVED", (), id="a bare text"),
        pytest.param(["removed"], (), id="a text in a list"),
        pytest.param(
            [[{"status": "REMOVED", "record_id": 7}], {"status": "REMOVED", "record_id": 8}], (7, 8), id="lists"
        ),
        pytest.param(DEEP, (7,), id="lists in lists in lists"),
        pytest.param([{"status": "REMOVED", "record_id": "a\nb"}], ("a?b",), id="an id with a line end"),
        pytest.param([{"status": "REMOVED", "record_id": True}], (), id="what is not an id"),
    ],
)
def test_a_removal_is_heard_however_it_is_said(value: object, record_ids: tuple[RecordId, ...]) -> None:
    assert unasked_in([("601999999", value)]) == (Unasked("601999999", record_ids),)


@pytest.mark.parametrize(
    "value", [None, 7, True, "NOT_EXIST", [], {}, [{"status": "NOT_EXIST"}], [[7]], [{"removed": 1}]]
)
def test_what_says_nothing_of_a_removal_is_none(value: object) -> None:
    assert unasked_in([("601999999", value)]) == ()


def test_a_key_that_cannot_be_a_number_names_none_and_a_hostile_reply_fills_no_disk() -> None:
    assert unasked_in([("message", "REMOVED")]) == ()
    many = unasked_in((str(number), [{"status": "REMOVED", "record_id": 7}] * 500) for number in range(500))
    assert (len(many), len(many[0].record_ids)) == (100, 100)
