"""The campaign's own counts beside what was removed, and what it proves that none was there."""

import pytest

from bulk_remove.core.model import Status
from bulk_remove.core.summary import CampaignResult, NoneFound, Proof, none_found

_DELAY = ", or the server counts with a delay."
_MEANWHILE = f" at the same time{_DELAY}"


@pytest.mark.parametrize(
    ("proof", "unexplained", "counts", "meaning"),
    [
        (
            Proof("00001", 1324, 1200, 124, 0, ""),
            0,
            "1,324 records before, 1,200 after; 124 different records were removed by this run",
            ": the counts agree.",
        ),
        (
            Proof("00001", 1324, 1200, 120, 4, ""),
            0,
            "1,324 records before, 1,200 after; 120 different records and 4 without an id were removed by this run",
            ": the counts agree.",
        ),
        (
            Proof("00001", 1324, 1190, 124, 0, ""),
            10,
            "1,324 records before, 1,190 after; 124 different records were removed by this run",
            f". 10 more are missing than were removed: others removed records at the same time{_DELAY}",
        ),
        (
            Proof("00001", 1324, 1190, 124, 0, "", at_least=True),
            10,
            "1,324 records before, 1,190 after; at least 124 different records were removed by this run",
            (
                ". 10 more are missing than were removed: a request that brought no verdict removed them, or others "
                f"did{_MEANWHILE}"
            ),
        ),
        (
            Proof("00001", 1324, 1200, 124, 0, "", at_least=True),
            0,
            "1,324 records before, 1,200 after; at least 124 different records were removed by this run",
            ": the counts agree.",
        ),
        (
            Proof("00001", 1324, 1225, 124, 0, ""),
            -25,
            "1,324 records before, 1,225 after; 124 different records were removed by this run",
            f". 25 fewer are missing than were removed: others added records at the same time{_DELAY}",
        ),
        (
            Proof("00001", None, None, 7, 0, "Nobody counted."),
            None,
            "unknown records before, unknown after; 7 different records were removed by this run",
            ". Nobody counted.",
        ),
        (
            Proof("00001", 9, None, 7, 0, ""),
            None,
            "9 records before, unknown after; 7 different records were removed by this run",
            ".",
        ),
    ],
)
def test_the_counts_are_told_with_what_a_difference_may_mean(
    proof: Proof, unexplained: int | None, counts: str, meaning: str
) -> None:
    assert proof.unexplained == unexplained
    assert proof.sentence() == f"Campaign 00001: {counts}{meaning}"


def result(campaign: str = "00001", *, confirmed: bool = False, found: int = 0, **counts: int) -> CampaignResult:
    return CampaignResult(campaign, {Status[name]: count for name, count in counts.items()}, confirmed, found)


@pytest.mark.parametrize(
    ("results", "nothing"),
    [
        ([], None),
        ([result(NOT_EXIST=60)], NoneFound(60, ("00001",), confirmed=False, proves_nothing=True)),
        ([result(NOT_EXIST=10)], NoneFound(10, ("00001",), confirmed=False, proves_nothing=True)),
        ([result(NOT_EXIST=9)], NoneFound(9, ("00001",), confirmed=False)),
        ([result(NOT_EXIST=60, confirmed=True)], NoneFound(60, ("00001",), confirmed=True)),
        ([result(NOT_EXIST=1, confirmed=True)], NoneFound(1, ("00001",), confirmed=True)),
        ([result(NOT_EXIST=60, REMOVED=1)], None),
        ([result(NOT_EXIST=60, CALL_IN_PROGRESS=1)], None),
        ([result(NOT_EXIST=60, FAILED=1, found=1)], None),
        ([result(NOT_EXIST=60, FAILED=1)], NoneFound(60, ("00001",), confirmed=False, proves_nothing=True)),
        ([result(REMOVED=60)], None),
        ([result(UNSENT=60, FAILED=3, IN_DOUBT=2)], None),
        # Gone after a lost reply: in a wrong form it is not there either.
        ([result(NOT_EXIST=8, PRESUMED_REMOVED=2)], NoneFound(10, ("00001",), confirmed=False, proves_nothing=True)),
        ([result(NOT_EXIST=8, PRESUMED_REMOVED=2, confirmed=True)], None),
    ],
)
def test_none_found_is_an_answer_only_where_the_records_show_the_form(
    results: list[CampaignResult], nothing: NoneFound | None
) -> None:
    assert none_found(results) == nothing


def test_a_number_that_was_in_a_call_and_is_gone_was_there() -> None:
    assert none_found([result(NOT_EXIST=60, IN_DOUBT=1, found=1)]) is None
    assert none_found([result(NOT_EXIST=60, found=1)._replace(gone=1)]) is None
    assert none_found([result(NOT_EXIST=3, found=3)._replace(gone=3), result("00002", NOT_EXIST=10)]) == NoneFound(
        10, ("00002",), confirmed=False, proves_nothing=True
    )
    assert none_found([result(NOT_EXIST=10, confirmed=True, found=10)._replace(gone=10)]) is None


def test_each_campaign_has_forms_of_its_own() -> None:
    theirs = result("00002", REMOVED=50, NOT_EXIST=10)
    assert none_found([result(NOT_EXIST=10), theirs]) == NoneFound(10, ("00001",), confirmed=False, proves_nothing=True)
    assert none_found([result(NOT_EXIST=10, confirmed=True), theirs]) is None
    few = [result(f"0000{place}", NOT_EXIST=2) for place in range(5)]
    assert none_found([*few, theirs]) is None
    assert none_found(few) == NoneFound(10, tuple(one.campaign for one in few), confirmed=False, proves_nothing=True)
    assert none_found(few[:4]) == NoneFound(8, tuple(one.campaign for one in few[:4]), confirmed=False)
    sure = [one._replace(confirmed=True) for one in few]
    assert none_found(sure) == NoneFound(10, tuple(one.campaign for one in few), confirmed=True)
    assert none_found([*sure[:4], few[4]]) == NoneFound(2, ("00004",), confirmed=False)


def test_without_either_count_nothing_is_unexplained() -> None:
    for before, after in ((None, 5), (9, None), (None, None)):
        proof = Proof("00001", before, after, 4, 0, "")
        assert proof.unexplained is None
        assert "agree" not in proof.sentence()
