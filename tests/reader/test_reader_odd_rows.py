"""Rows that are not like the others: too short, the header once more, the last one of a file that was cut off."""

import gzip
from pathlib import Path

import openpyxl
import pytest

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, open_table
from tests.support.tables import problems_of, refusal, rows_of, written

AGAIN = "The header again, in the middle of the rows."
ANOTHER = "The name of another column: perhaps the header again, in another order."
CUT_OFF = "The file ends here without a line end, and the number is shorter than the others: it may be cut off."
SHIFTED = "if one in front is missing, "
FIVE = "".join(f"x;60100000{digit};y\n" for digit in (1, 3, 5, 7, 9))


@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "with quotes"])
def test_rows_that_end_before_their_phone_cells_are_told(tmp_path: Path, quote: str) -> None:
    rows = f"Anna;Nowak;601000001\n{quote}Ewa{quote}\n\nJan;Lis\nIga;Lis;\n"
    table = open_table(written(tmp_path, f"Lista;;\nimię;nazwisko;telefon\n{rows}"), ReadOptions())
    assert table.source.notes[-1] == (
        "2 rows end before their phone cells (the first is row 4); these are read as empty."
    )
    assert rows_of(table) == [(3, "601000001"), (4, ""), (6, ""), (7, "")]
    one = open_table(written(tmp_path, f"imię;telefon\n{quote}Ewa{quote}\nAnna;601000001\n"), ReadOptions())
    assert one.source.notes == ("1 row ends before its phone cell (row 2); that is read as empty.",)


@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "with quotes"])
def test_rows_whose_phone_cell_may_have_shifted_because_one_is_missing_are_told(tmp_path: Path, quote: str) -> None:
    content = f"imię;telefon;miasto\nAnna;601000001;{quote}Łódź{quote}\n{quote}Ewa{quote};601000003\n"
    (note,) = open_table(written(tmp_path, content), ReadOptions()).source.notes
    assert note == (
        "1 row has fewer cells than the header (row 3): if one in front is missing, its phone cell has shifted."
    )
    (note,) = open_table(written(tmp_path, content + "Iga;601000004\n"), ReadOptions()).source.notes
    assert note.startswith("2 rows have fewer cells than the header (the first is row 3): ")


TOO_SHORT = "The row has fewer cells than the header: the phone may be in another column."
WHOLE = "1;5260250274;601000001;590096454\n3;5260250274;603000003;012100784\n"
MORE = "4;5260250274;604000004;590096454;x\n"


@pytest.mark.parametrize(
    "row",
    [
        *["2;602000002;630303023", "2;;630303023", "602000002;630303023", "5260250274;602000002;630303023"],
        *[
            "2;60200000;630303023",
            "2;+48 602 000 002;630303023",
            "2;602000002",
            "602000002",
            "Jan;5260250274;602000002",
        ],
        *['2;"602000002";630303023', '"2;2";602000002;630303023', '"2";;"630303023"'],
    ],
)
@pytest.mark.parametrize(
    "more", ["", MORE, "x;" * 100 + "\n"], ids=["alone", "beside a wider row", "and a very wide one"]
)
@pytest.mark.parametrize(
    ("encoding", "newline"), [("utf-8", "\n"), ("utf-16", "\r\n"), ("cp1250", "\r"), ("utf-16", "\r")]
)
def test_a_shorter_row_with_another_number_may_have_shifted(
    tmp_path: Path, row: str, more: str, encoding: str, newline: str
) -> None:
    path = tmp_path / "numbers.csv"
    content = f"id;nip;phone;regon\n{WHOLE}\n{more}{row}\n{WHOLE}"
    path.write_bytes(content.replace("\n", newline).encode(encoding))
    problems = problems_of(open_table(str(path), ReadOptions(block_rows=2)))
    assert {row: problem for row, problem in problems.items() if row != 5} | {} == ({6: TOO_SHORT} if more else {})
    assert more or problems == {5: TOO_SHORT}


@pytest.mark.parametrize(
    ("header", "rows", "row"),
    [
        ("phone;regon;name", "601000001;590096454;Jan\n", "590096454;Ewa"),
        ("name;phone;city;fax", "Jan;601000001;x;221234567\n", "Ewa;221234567"),
        ("name;phone;fax", "Jan;601000001;221234567\n", "Ewa;221234568"),
        ("id;name;phone;city", "1;Jan;601000001;x\n", "2;34;601000002"),
        ("id;name;phone;city", "1;Jan;601000001;x\n", "Jan;Lis;601000002"),
        ("id;nip;phone;", "1;5260250274;601000001;590096454\n", "2;602000002;630303023"),
        ("id;nip;phone;x", "2;602000002;630303023\n", "3;603000003;630303023"),
    ],
)
def test_a_shorter_row_that_does_not_fit_the_others_may_have_shifted(
    tmp_path: Path, header: str, rows: str, row: str
) -> None:
    table = open_table(written(tmp_path, f"{header}\n{rows}{row}\n"), ReadOptions(column="phone"))
    assert problems_of(table)[3] == TOO_SHORT


@pytest.mark.parametrize(
    ("header", "rows", "row"),
    [
        ("id;nip;phone;notes", "1;5260250274;601000001;x\n", "2;7010023456;602000002"),
        ("id;nip;phone;notes", "1;5260250274;601000001;\n", "2;;602000002"),
        ("phone;name;city", "601000001;Jan;x\n", "602000002;Ewa"),
        ("phone;name;city", "601000001;Jan;x\n", "602000002"),
        ("id;phone;date", "1;601000001;2024-01-05\n", "2;602000002"),
        ("id;phone;", "1;601000001\n", "2;602000002"),
        ("id;nip;phone;;", "1;5260250274;601000001\n", "2;602000002;603000003"),
        ("imię;phone;city", "Jan;601000001\n", "Ewa;602000002"),
    ],
)
def test_a_shorter_row_without_its_last_cells_is_sent(tmp_path: Path, header: str, rows: str, row: str) -> None:
    table = open_table(written(tmp_path, f"{header}\n{rows}{row}\n"), ReadOptions(column="phone"))
    assert (problems_of(table), len(rows_of(table))) == ({}, 2)


def test_where_most_rows_are_short_only_one_number_in_a_row_is_sent(tmp_path: Path) -> None:
    short = "".join(f"{place};Jan;60100000{place}\n" for place in range(9))
    path = written(tmp_path, f"id;name;phone;city\n{short}10;602000002;603000003\n")
    assert problems_of(open_table(path, ReadOptions())) == {11: TOO_SHORT}
    path = written(tmp_path, f"{short}10;602000002;603000003\n11;602000002\n")
    problem = "The row has fewer cells than the first row: the phone may be in another column."
    assert problems_of(open_table(path, ReadOptions(has_header=False, column="3"))) == {11: problem}


def test_a_file_with_very_many_kinds_of_lines_is_looked_at_row_by_row(tmp_path: Path) -> None:
    rows = "".join(f"{place};x;601{place:06};{';' * (place % 40)}{'|' * (place // 40)}\n" for place in range(1100))
    path = written(tmp_path, f"id;name;phone;city\n{rows}1;602000002;603000003\n")
    assert problems_of(open_table(path, ReadOptions()))[1102] == TOO_SHORT


@pytest.mark.parametrize(
    "content",
    [
        "telefon;imię\n601000001\n601000002;Ewa\n",
        "telefon\n601000001\n\n601000002",
        "imię;telefon\nAnna;601000001\nEwa;",
        '"imię";"telefon"\n"Anna; Ewa";601000001\n',
        'imię;telefon;\n"Anna\nEwa";601000001;\n',
    ],
    ids=["a phone in front", "one column", "whole", "a delimiter in quotes", "a line end in quotes"],
)
def test_rows_that_are_whole_or_begin_with_the_phone_are_not(tmp_path: Path, content: str) -> None:
    assert open_table(written(tmp_path, content), ReadOptions()).source.notes == ()


@pytest.mark.parametrize(
    ("header", "again"),
    [
        ("imię;telefon;miasto", "imię;telefon;miasto"),
        ("imię;telefon;miasto", " imię ;telefon;"),
        ("telefon;imię", "\ufefftelefon;imię"),
        ("telefon", "telefon"),
        ("telefon;kontakt", "telefon;kontakt"),
        (f"{'x' * 40};telefon", f"{'x' * 40};telefon"),
    ],
    ids=["the same", "spaces and a blank cell", "of a second file", "one column", "two phone names", "a long name"],
)
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("wide", ["", ";" * 200 + "x\n"], ids=["by pandas", "by csv"])
def test_the_header_in_the_middle_is_no_row_to_send(
    tmp_path: Path, header: str, again: str, *, keep: bool, wide: str
) -> None:
    row = ";".join("601000001" if name == "telefon" else "x" for name in header.split(";"))
    path = written(tmp_path, f"{header}\n{row}\n{wide}{row}\n{again}\n{row}\n")
    place = 4 + bool(wide)
    table = open_table(path, ReadOptions(keep_columns=keep))
    assert problems_of(table)[place] == AGAIN
    assert [cell for number, cell in rows_of(table) if number > place] == ["601000001"]


@pytest.mark.parametrize("wide", ["", ";" * 200 + "x\n"], ids=["by pandas", "by csv"])
@pytest.mark.parametrize("again", ["telefon;imię;doradca", "doradca;imię;telefon", "imię;doradca;"])
def test_the_header_in_another_order_is_refused_with_its_row(tmp_path: Path, again: str, wide: str) -> None:
    error = refusal(written(tmp_path, f"imię;telefon;doradca\nAnna;601000001;Jan\n{wide}{again}\n5;6;7\n"))
    assert isinstance(error, InputError)
    assert error.sentence.endswith(f": row {3 + bool(wide)} is a header, too, but in another order.")


@pytest.mark.parametrize("wide", ["", ";" * 200 + "x\n"], ids=["by pandas", "by csv"])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("header", "again"),
    [
        ("id;telefon;imię", "klient;doradca;telefon"),
        ("id;telefon;imię", "klient;doradca;numer"),
        ("id;telefon;imię", "Nr telefonu;klient;"),
        ("id;linia;imię", "klient;doradca;LINIA"),
        ("id;telefon;imię", "klient;doradca;telefon 2"),
    ],
    ids=["the same name", "a weak name", "another name", "the name that was chosen", "a second one"],
)
def test_the_header_of_another_table_is_refused_with_its_row(
    tmp_path: Path, header: str, again: str, *, keep: bool, wide: str
) -> None:
    path = written(tmp_path, f"{header}\n1;601000001;Jan\n{wide}2;601000002;Ewa\n{again}\nJan;601000003;601000004\n")
    error = refusal(path, ReadOptions("2", keep_columns=keep))
    assert f": row {4 + bool(wide)} is the header of another table" in error.sentence
    assert "a file of its own" in error.hint


@pytest.mark.parametrize(
    "rows",
    [
        "1;brak;telefon\n",  # with a number, it is a row
        "Ewa;brak;telefon\nIga;601000002;telefon\n",  # the column says how to reach somebody
        "Ewa;brak;mail\n",
        "Ewa;;telefon\n",
        "Ewa; ;telefon\n",
        "Ewa;601000002;telefon\n",
    ],
)
def test_a_row_with_the_word_for_phone_in_another_column_is_a_row(tmp_path: Path, rows: str) -> None:
    table = open_table(written(tmp_path, f"imię;telefon;jak\nJan;601000001;mail\n{rows}"), ReadOptions())
    assert problems_of(table) == {}
    assert len(rows_of(table)) == 1 + rows.count("\n")


def test_a_cell_with_the_name_of_a_column_alone_is_only_a_cell(tmp_path: Path) -> None:
    rows = "Anna;601000001;Kraków\nEwa;uwagi;Łódź\nIga;telefon;Łódź\n"
    assert problems_of(open_table(written(tmp_path, f"imię;telefon;uwagi\n{rows}"), ReadOptions())) == {3: ANOTHER}
    options = ReadOptions("2", has_header=False)
    assert problems_of(open_table(written(tmp_path, "x;601000001\nx;column 2\n"), options)) == {}


@pytest.mark.parametrize("keep", [False, True])
def test_the_header_in_the_middle_of_a_sheet_is_found_too(tmp_path: Path, *, keep: bool) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["imię", "telefon", "kod"],
        ["A", "601000001", "1"],
        ["imię", "telefon", "kod"],
        ["B", "601000002", "1"],
    ):
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    options = ReadOptions(keep_columns=keep, campaign_column="kod")
    assert problems_of(open_table(str(tmp_path / "a.xlsx"), options)) == {3: AGAIN}
    book.worksheets[0].append(["telefon", "kod", "imię"])
    book.save(tmp_path / "a.xlsx")
    assert "row 5 is a header, too, but in another order" in refusal(str(tmp_path / "a.xlsx"), options).sentence
    alone = ReadOptions()
    assert problems_of(open_table(str(tmp_path / "a.xlsx"), alone)) == {3: AGAIN, 5: ANOTHER}


@pytest.mark.parametrize("block_rows", [1, 3, 6, 5000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1250"])
def test_a_shorter_number_behind_which_the_file_ends_is_not_sent(
    tmp_path: Path, block_rows: int, encoding: str
) -> None:
    path = written(tmp_path, f"imię;telefon;miasto\n{FIVE}Łucja;6010000".encode(encoding))
    table = open_table(path, ReadOptions(block_rows=block_rows))
    assert problems_of(table) == {7: CUT_OFF}
    assert rows_of(table)[-1] == (7, "6010000")


@pytest.mark.parametrize(
    "last",
    ["x;6010000\n", "x;601000002", "x;6010000;", "x;", "x", "x;+48 601 000 002"],
    ids=["a line end", "as long", "a cell behind it", "empty", "none", "longer"],
)
def test_a_last_row_that_is_whole_is_sent_with_or_without_a_line_end(tmp_path: Path, last: str) -> None:
    assert problems_of(open_table(written(tmp_path, f"imię;telefon;miasto\n{FIVE}{last}"), ReadOptions())) == {}


@pytest.mark.parametrize("block_rows", [1, 4, 5000])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("lines", "cut"),
    [
        (["601234555", "48601234555"] * 3 + ["486012345"], True),
        (["601234555"] * 250 + ["48601234555", "486012345"], True),  # far below what is looked at first
        (["601234555", "48601234555"] * 3 + ["486012345", ""], False),
        (["601234555", "48601234555"] * 3 + ["602234555"], False),
        (["601234555"] * 9 + ["483621234"], False),  # Radom
        (["601234555", "48601234555", "483621235", "483621234"], False),
    ],
)
def test_a_last_number_that_is_whole_only_without_its_country_code_is_not_sent(
    tmp_path: Path, lines: list[str], block_rows: int, *, packed: bool, cut: bool
) -> None:
    content = "\n".join(["telefon", *lines]).encode()
    name = "numbers.csv.gz" if packed else "numbers.csv"
    path = written(tmp_path, gzip.compress(content) if packed else content, name)
    table = open_table(path, ReadOptions(block_rows=block_rows))
    problems = problems_of(table)
    assert [*problems] == [len(lines) + 1] * cut
    assert all("the same country code: it may be cut off" in problem for problem in problems.values())
    assert len(rows_of(table)) == len([line for line in lines if line])
