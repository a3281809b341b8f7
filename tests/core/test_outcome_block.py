from bulk_remove.core.model import NO_NUMBER, Alike, NumberState, OutcomeBlock, RowOutcome, Source

SOURCE = Source("numbers.csv", "", ("phone",), 0, "named 'phone'", "utf-8", ",", "0" * 64, 1)
REMOVED = NumberState("R", 1, (7,))


def test_the_rows_of_a_block_are_given_one_by_one_with_what_became_of_each() -> None:
    states = Alike.of([REMOVED, NumberState(NO_NUMBER, detail="Too short."), REMOVED])
    block = OutcomeBlock(
        SOURCE, [2, 3, 4], ["601", "x", "601"], [], ["601", "", "601"], ["1", "", "1"], states, {2: "2"}
    )
    assert list(block.outcomes()) == [
        RowOutcome(SOURCE, 2, "601", (), "601", "1", REMOVED, "", ""),
        RowOutcome(SOURCE, 3, "x", (), "", "", None, "Too short.", ""),
        RowOutcome(SOURCE, 4, "601", (), "601", "1", REMOVED, "", "2"),
    ]


def test_the_cells_that_are_kept_stay_with_their_row() -> None:
    others = [("601", "Anna"), ("602", "Jan")]
    block = OutcomeBlock(SOURCE, [2, 3], ["601", "602"], others, ["601", "602"], ["1"] * 2, Alike.of([REMOVED] * 2), {})
    assert [row.others for row in block.outcomes()] == others
