"""The campaign's own counts beside what was removed."""

import pytest

from bulk_remove.core.proof import Proof

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
            f". 10 more are gone than that: others removed records at the same time{_DELAY}",
        ),
        (
            Proof("00001", 1324, 1190, 124, 0, "", at_least=True),
            10,
            "1,324 records before, 1,190 after; at least 124 different records were removed by this run",
            f". 10 more are gone than that: a request that brought no verdict removed them, or others did{_MEANWHILE}",
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
            f". 25 fewer are gone than that: others added records at the same time{_DELAY}",
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
