"""Rows that are not like the others: too short, the header once more, the last one of a file that was cut off."""

from pathlib import Path

import openpyxl
import pytest

from bulk_remove.adapters.reader import ReadOptions, open_table
from bulk_remove.errors import InputError
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
    content = f"imię;telefon;miasto\nAnna;601000001;{quote}Łódź{quote}\n{quote}601000002{quote};601000003\n"
    (note,) = open_table(written(tmp_path, content), ReadOptions()).source.notes
    assert note == (
        "1 row has fewer cells than the header (row 3): if one in front is missing, its phone cell has shifted."
    )
    (note,) = open_table(written(tmp_path, content + "601000004;5\n"), ReadOptions()).source.notes
    assert note.startswith("2 rows have fewer cells than the header (the first is row 3): ")


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
