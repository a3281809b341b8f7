"""Small files that once went wrong: what becomes of each of their rows, from the file to what would be sent.

`tests/cases` holds some as they were met, with what each row may become in `cases.json`. The others are of the same
kinds in other shapes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.plan import Plan, check_holds_numbers
from bulk_remove.errors import ExitCode, GuardStop, InputError
from bulk_remove.ledger.write import blocks_of
from bulk_remove.reader import open_table
from bulk_remove.run.prepare import Sight, check_plan, prepare, reading_of
from bulk_remove.settings import Destination, Settings

CASES = Path(__file__).parent.parent / "cases"
INVALID = "INVALID"
LET_THROUGH = {"max_invalid": 1.0}


def read(path: Path, folder: Path, **changes: Any) -> tuple[Plan, dict[int, str], dict[int, str]]:
    """Plan a file; return the plan, and by row what would be sent or INVALID, and why."""
    settings = Settings("00001", **changes)
    table = open_table(str(path), reading_of(settings, folder))
    with prepare([table], settings, Destination(), folder, 0.0) as ready:
        check_holds_numbers(ready.plan)
        check_plan(ready.plan, settings)
        sent: dict[int, str] = {}
        why: dict[int, str] = {}
        for block in blocks_of(ready.store):
            for index, row in enumerate(block.rows.rows):
                sent[row] = block.numbers[index] or INVALID
                why[row] = block.problems.get(index, "")
        return ready.plan, sent, why


def written(folder: Path, lines: Sequence[str]) -> Path:
    path = folder / "numbers.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "case", json.loads((CASES / "cases.json").read_text(encoding="utf-8")), ids=lambda it: it["file"]
)
def test_each_row_of_a_file_that_went_wrong_becomes_what_it_may(tmp_path: Path, case: Mapping[str, Any]) -> None:
    try:
        _, sent, _ = read(CASES / case["file"], tmp_path, **LET_THROUGH)
    except (InputError, GuardStop):
        assert case.get("may_be_refused")
        return
    assert not {*sent.values()} & {*case.get("never", ())}
    for row, may in case["rows"].items():
        assert sent[int(row)] in may, row


def test_errors_and_formulas_without_a_result_are_damage_and_not_empty(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for cell in ["phone", *WHOLE, "#DIV/0!", "=A2+1", None]:
        book.worksheets[0].append([cell, "x"])
    book.save(tmp_path / "numbers.xlsx")
    plan, became, why = read(tmp_path / "numbers.xlsx", tmp_path, **LET_THROUGH)
    assert [*became.values()][len(WHOLE) :] == [INVALID] * 3
    assert [*why.values()][len(WHOLE) :] == [
        "The error of a formula in a spreadsheet.",
        "A formula without a stored result: open and save it in Excel.",
        "The cell is empty.",
    ]
    assert (plan.invalid, plan.empty) == (2, 1)


def test_every_file_has_its_case() -> None:
    cases = json.loads((CASES / "cases.json").read_text(encoding="utf-8"))
    assert {case["file"] for case in cases} == {path.name for path in CASES.glob("*.csv")}


WHOLE = [str(601234501 + place) for place in range(9)]

SHAPES: dict[str, tuple[list[str], list[str]]] = {
    "decimals of every kind": (
        [
            "telefon",
            "+48 601 234 501.0",
            '"0048601234502,00"',
            "601.234.503",
            "601234504.5",
            "+420601234505.0",
            "601 234.506",
        ],
        ["601234501", "601234502", "601234503", INVALID, "00420601234505", INVALID],
    ),
    "a pandas column with the country code": (
        ["telefon", "48601234501.0", "48601234502.0", "4860123450.0", "nan"],
        ["601234501", "601234502", INVALID, INVALID],
    ),
    "figures for people": (
        [
            "telefon;x",
            "601 234 501,00;a",
            "48 601 234 502,00;b",
            "60 123 450,00;c",
            "601.234.504,0;d",
            "601,234,505.00;e",
        ],
        ["601234501", "601234502", INVALID, "601234504", "601234505"],
    ),
    "scientific notation": (
        [
            "telefon",
            "6.01234501E8",
            "4.8601234502E+10",
            "6.0123450E+08",
            "6.012345010E+08",
            "6,01234506e+08",
            "6.01E+08",
        ],
        ["601234501", "601234502", INVALID, INVALID, INVALID, INVALID],
    ),
    "formulas that are texts": (
        [
            "telefon",
            '"=""601234501"""',
            '"=""+48 601 234 502"""',
            '"=""60123450"""',
            '"=""601234504.0"""',
            '"=""441"""',
        ],
        ["601234501", "601234502", INVALID, "601234504", INVALID],
    ),
    "formulas that are texts, as they are often written": (
        ["name,telefon", 'A,="601234501"', 'B,="+48 601 234 502"', "C,601234503"],
        ["601234501", "601234502", "601234503"],
    ),
    "what a program puts in front": (
        [
            "telefon",
            "p:+48601234501",
            "tel:601-234-502",
            "'601234503'",
            "\uff0b48601234504",
            "p:441",
            "tel:60123450",
            "t:601234507",
        ],
        ["601234501", "601234502", "601234503", "601234504", INVALID, INVALID, INVALID],
    ),
    "extensions": (
        [
            "telefon",
            "22 123 45 01-2",
            "+48 22 123 45 02 (12)",
            "221234503 1234",
            "481 234 504 12",
            "48 123 45 05-12",
            *WHOLE[5:],
        ],
        [INVALID] * 5 + WHOLE[5:],
    ),
    "trunk zeros": (
        ["telefon", "0601234501", "0 601 234 502", "(0-22) 1234503", "(022) 123 45 04", "0-22/1234505", *WHOLE[5:]],
        [INVALID] * 5 + WHOLE[5:],
    ),
    "too many codes": (
        [
            "telefon",
            "4848601234501",
            "+48 48601234502",
            "48-48-601234503",
            "48 48 123 45 04",
            "00480048601234505",
            "601234506",
        ],
        [INVALID, INVALID, INVALID, "481234504", INVALID, "601234506"],
    ),
    "neither whole nor short": (
        ["telefon", "60123450", "6012345012", "9-601234503", "6012345", "60123", *WHOLE[5:]],
        [INVALID] * 5 + WHOLE[5:],
    ),
    "a file cut off in the middle of a number": (["telefon", *WHOLE, "60123"], [*WHOLE, INVALID]),
    "a file with country codes, cut off": (["telefon", *[f"48{it}" for it in WHOLE], "486012345"], [*WHOLE, INVALID]),
    "floats with country codes, cut off": (["telefon", *[f"48{it}.0" for it in WHOLE], "486012345"], [*WHOLE, INVALID]),
    "a number of Radom among others": (["telefon", *WHOLE, "486012345"], [*WHOLE, "486012345"]),
    "internal numbers": (
        [
            "telefon",
            "441",
            "442",
            "443",
            "444",
            "601234503",
            "441 442",
            "441-445",
            "12-05",
            "441-442-443",
            "22 123 45 03",
        ],
        ["441", "442", "443", "444", "601234503", INVALID, INVALID, INVALID, INVALID, "221234503"],
    ),
    "internal numbers among whole ones": (["telefon", "441", *WHOLE, "442"], [INVALID, *WHOLE, INVALID]),
    "digits lost in an earlier save": (
        ["telefon", "601000000", "48602000000", "+48 603 000 000", *WHOLE],
        [INVALID] * 3 + WHOLE,
    ),
    "one number that ends in zeros": (["telefon", "601000000", *WHOLE], ["601000000", *WHOLE]),
    "country codes beside": (
        [
            "phone_code,phone",
            "+48,601234501",
            "48,+48 601 234 502",
            "420,601234503",
            "48,+420601234504",
            "49,60123",
            ",601234506",
        ],
        ["601234501", "601234502", "00420601234503", INVALID, INVALID, INVALID],
    ),
    "country codes behind": (
        ["telefon;x;Prefiks kraju", "601234501;a;48", "601234502;b;00420", "601234503;c;44", "0601234504;d;48"],
        ["601234501", "00420601234502", INVALID, INVALID],
    ),
    "letters of countries": (
        ["country_code,phone", "PL,601234501", "CZ,601234502", "CZ,+420601234503"],
        ["601234501", INVALID, "00420601234503"],
    ),
    "area codes": (
        ["kierunkowy;telefon", "22;1234501", "12;123-45-02", "48;1234503", "22;221234504", "22;601234505", "22;123"],
        ["221234501", "121234502", "481234503", "221234504", INVALID, INVALID],
    ),
    "area codes as floats": (["area_code,phone", "22.0,1234501.0", "32.0,1234502.0"], ["221234501", "321234502"]),
    "titles are no prefixes": (["prefix,phone", "Pan,601234501", "dr,601234502"], ["601234501", "601234502"]),
    "seldom a prefix": (
        ["prefix,phone", ",601234501", "420,601234502", ",601234503"],
        ["601234501", "00420601234502", "601234503"],
    ),
    "rows that are too wide, far too wide, and short": (
        ["code,phone_code,phone", "1,420,601234501,x", "2,420,601234502" + "," * 80 + "x", "3,420", "4,420,601234504"],
        [INVALID, INVALID, INVALID, "00420601234504"],
    ),
    "empty cells": (["id;telefon", "1;601234501", "2;", "3; ", "4;'", '5;"="""""'], ["601234501"] + [INVALID] * 4),
}


@pytest.mark.parametrize(("lines", "sent"), SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("keep_columns", [False, True])
def test_other_shapes_of_the_same_kinds(
    tmp_path: Path, lines: list[str], sent: list[str], *, keep_columns: bool
) -> None:
    path = written(tmp_path, lines)
    _, became, why = read(path, tmp_path, keep_columns=keep_columns, **LET_THROUGH)
    assert [*became.values()] == sent
    assert all(bool(why[row]) is (number == INVALID) for row, number in became.items())


@pytest.mark.parametrize("number_format", NumberFormat)
def test_what_is_sent_is_the_same_number_in_every_form(tmp_path: Path, number_format: NumberFormat) -> None:
    lines = [
        "telefon",
        "601234501.0",
        "+48 601 234 502.5",
        "22 123 45 03-12",
        "60123450",
        "441",
        "601234506",
        "601234507",
    ]
    _, became, _ = read(written(tmp_path, lines), tmp_path, number_format=number_format, **LET_THROUGH)
    lead = {NumberFormat.DIGITS: "48", NumberFormat.E164: "+48"}.get(number_format, "")
    assert [*became.values()] == [lead + "601234501", *[INVALID] * 4, lead + "601234506", lead + "601234507"]


@pytest.mark.parametrize(("asked", "sent"), [(True, ["441", "601234502", "601234503"]), (False, [INVALID] * 2)])
def test_whether_internal_numbers_are_sent_can_be_said(tmp_path: Path, sent: list[str], *, asked: bool) -> None:
    lines = ["telefon", "441", "601234502", "601234503"] if asked else ["telefon", "441", "442", "601234503"]
    plan, became, why = read(written(tmp_path, lines), tmp_path, internal_numbers=asked, **LET_THROUGH)
    assert [*became.values()][: len(sent)] == sent
    assert sum(source.internal for source in plan.sources) == asked
    assert asked or "--internal-numbers" in why[2]


def test_a_trusted_column_may_hold_numbers_that_end_in_zeros(tmp_path: Path) -> None:
    path = written(tmp_path, ["telefon", "601000000", "602000000", "601234503"])
    _, became, _ = read(path, tmp_path, trust_column=True)
    assert [*became.values()] == ["601000000", "602000000", "601234503"]
    with pytest.raises(GuardStop, match="ends in zeros"):
        read(path, tmp_path)


def test_a_column_of_rounded_numbers_is_refused_as_a_whole_unless_it_is_trusted(tmp_path: Path) -> None:
    path = written(tmp_path, ["telefon", *[f"{601235 + 113 * place}000" for place in range(6)]])
    with pytest.raises(InputError, match="looks like numbers that lost their last digits") as caught:
        read(path, tmp_path)
    assert "--trust-column" in caught.value.hint
    assert len(read(path, tmp_path, trust_column=True)[1]) == 6


def test_what_was_read_as_a_number_is_counted_by_kind_and_source(tmp_path: Path) -> None:
    lines = ["telefon", *[f"{number}.0" for number in WHOLE], '"=""601234511"""', "p:+48601234512", "60123450.0"]
    plan, _, _ = read(written(tmp_path, lines), tmp_path)
    assert plan.sources[0].kinds == (
        ("with decimals that are zero", 9),
        ("in quotes behind an equals sign", 1),
        ("with p: or tel: in front", 1),
    )


def test_empty_cells_are_no_damage_however_many(tmp_path: Path) -> None:
    lines = ["id,telefon", "1,601234501", "2,601234502", *[f"{place}," for place in range(3, 60)]]
    plan, became, why = read(written(tmp_path, lines), tmp_path, max_invalid=0.0)
    assert (plan.rows, plan.numbers, plan.empty, plan.invalid) == (59, 2, 57, 0)
    assert became[4] == INVALID
    assert why[4] == "The cell is empty."


def test_among_filled_rows_the_share_of_invalid_ones_is_counted(tmp_path: Path) -> None:
    lines = ["id,telefon", *[f"x,{n}" for n in WHOLE], *[f"{place}," for place in range(500)], *["x,brak"] * 11]
    with pytest.raises(GuardStop, match="11 of 20 rows") as caught:
        read(written(tmp_path, lines), tmp_path, max_invalid=0.5)
    assert caught.value.exit_code is ExitCode.GUARD


@pytest.mark.parametrize(
    ("header", "row"),
    [("country_code,area_code,phone", "48,22,1234501"), ("phone_code,prefiks,phone", "48,+48,601234501")],
)
def test_parts_of_a_number_in_several_columns_are_refused_with_their_names(
    tmp_path: Path, header: str, row: str
) -> None:
    names = [f"'{name}'" for name in header.split(",")[:2]]
    with pytest.raises(InputError, match="Parts of the numbers are in several columns") as caught:
        read(written(tmp_path, [header, row]), tmp_path)
    assert all(name in caught.value.sentence for name in names)
    assert "numbers.csv" in caught.value.sentence


def test_the_source_says_which_column_holds_the_codes_and_the_report_shows_them_with_the_number(tmp_path: Path) -> None:
    settings = Settings("00001")
    table = open_table(
        str(written(tmp_path, ["phone_code,phone", "48,601234501", "420,601234502"])), reading_of(settings, tmp_path)
    )
    assert table.source.code_column == 0
    with prepare([table], settings, Destination(), tmp_path, 0.0) as ready:
        assert [cell for block in blocks_of(ready.store) for cell in block.rows.cells] == [
            "601234501",
            "+420 601234502",
        ]


def test_a_file_is_read_again_where_the_whole_of_it_says_so_and_leaves_one_run(tmp_path: Path) -> None:
    lines = ["telefon", *["441"] * 6000, *[str(601234500 + place) for place in range(5000)]]
    rows: list[int] = []
    settings = Settings("00001")
    table = open_table(str(written(tmp_path, lines)), reading_of(settings, tmp_path))
    with prepare([table], settings, Destination(), tmp_path, 0.0, Sight(on_rows=rows.append)) as ready:
        assert len([*(tmp_path / "runs").iterdir()]) == 1
        assert (ready.plan.rows, ready.plan.numbers, ready.plan.duplicates) == (11_000, 5001, 5999)
        assert ready.plan.sources[0].internal == 6000
    half = len(rows) // 2
    assert rows[:half] == rows[half:]
    assert rows[-1] == 11_000
    assert not [*(tmp_path / "runs").iterdir()]
