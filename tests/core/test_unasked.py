from bulk_remove.core.unasked import Unasked, UnaskedRemoval, unasked_detail, unasked_stop, unasked_told
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
