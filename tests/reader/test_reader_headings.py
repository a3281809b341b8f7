"""Where the names of the columns stand: on top, below titles, nowhere; and which column names the campaigns."""

from pathlib import Path

import openpyxl
import pytest

from bulk_remove.core.conditions import Condition
from bulk_remove.errors import InputError, UsageError
from bulk_remove.reader import ReadOptions, Table, open_table
from tests.support.tables import kept_of, problems_of, refusal, rows_of, written

NO_HEADER = ReadOptions(has_header=False)


@pytest.mark.parametrize(
    "content", ["601000001\n601 000 002\n", '"601000001"\r\n"+48 601-000-002"\r\n', "601000001;\n601000002;\n"]
)
def test_one_number_per_line_without_a_header_is_found_out(tmp_path: Path, content: str) -> None:
    source = open_table(written(tmp_path, content), ReadOptions()).source
    assert (source.header, source.header_row, source.column) == (("column 1",), 0, 0)
    assert source.column_reason == "the only column"
    assert "no header" in source.notes[0]
    assert [row for row, _ in rows_of(open_table(written(tmp_path, content), ReadOptions()))] == [1, 2]


def test_blank_rows_above_numbers_without_a_header_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "\n\n601000001\n\n601000002\n")
    assert rows_of(open_table(path, ReadOptions(block_rows=2))) == [(3, "601000001"), (5, "601000002")]


@pytest.mark.parametrize(
    "content",
    [
        "601000001\nbrak\n",
        "112\n113\n",
        "601000001\n1234\n",
        "601000001;Jan\n601000002;Ewa\n",
        "601000001,601000002\n601000003,\n",
    ],
    ids=["a word", "internal numbers", "one internal number", "two columns", "two numbers in a row"],
)
def test_a_missing_header_is_not_guessed_where_not_all_is_plain(tmp_path: Path, content: str) -> None:
    error = refusal(written(tmp_path, content))
    assert "The first row holds a phone number where the name of a column should be" in error.sentence
    assert "--no-header" in error.hint


def test_several_columns_without_a_header_are_refused_with_what_to_say(tmp_path: Path) -> None:
    path = written(tmp_path, "Jan;601000001\nEwa;601000002\n")
    assert "--no-header --column 2" in refusal(path).hint
    for column in (None, "telefon", "0"):
        assert "--no-header --column 2" in refusal(path, ReadOptions(has_header=False, column=column)).hint
    table = open_table(path, ReadOptions(has_header=False, column="2", keep_columns=True))
    assert (table.source.header, table.source.header_row) == (("column 1", "column 2"), 0)
    assert rows_of(table) == [(1, "601000001"), (2, "601000002")]
    assert kept_of(table) == [("Jan", "601000001"), ("Ewa", "601000002")]
    assert table.source.notes == ()


def test_one_column_said_to_have_no_header_needs_no_name(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, "112\nbrak\n601000001\n"), NO_HEADER)
    assert rows_of(table) == [(1, "112"), (2, "brak"), (3, "601000001")]


def test_a_position_that_no_row_has_is_refused(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "Jan;601000001\n"), ReadOptions(has_header=False, column="3"))
    assert "There is no column '3'" in error.sentence


def test_a_row_wider_than_the_first_is_told_where_there_is_no_header(tmp_path: Path) -> None:
    path = written(tmp_path, "601000001\n601000002;601000003\n1" + ";" * 200 + "x\n")
    problem = "The row has more cells than the first row: the phone cell may have shifted."
    assert problems_of(open_table(path, ReadOptions(has_header=False, column="1"))) == {}.fromkeys((2, 3), problem)


def test_a_first_row_that_is_a_number_is_never_taken_as_the_header(tmp_path: Path) -> None:
    path = written(tmp_path, "601000001\n601000002\n")
    assert "The first row holds a phone number" in refusal(path, ReadOptions(has_header=True)).sentence


@pytest.mark.parametrize(
    "titles",
    [
        "Eksport z dnia 2024-01-05\n",
        "Baza\n\nEksport;2024-01-05;\n",
        "Klienci, stan na 05.01.2024, godz. 10\n",
        "\nA|B\n",
    ],
    ids=["one title", "two titles", "a title with commas", "another delimiter"],
)
@pytest.mark.parametrize("column", [None, "Nr telefonu", "nr_telefonu"])
def test_names_below_titles_are_found_and_told(tmp_path: Path, titles: str, column: str | None) -> None:
    path = written(tmp_path, titles + "id;Nr telefonu;miasto\n1;601000001;x\n2;601000002;y\n")
    header = titles.count("\n") + 1
    table = open_table(path, ReadOptions(column=column, block_rows=1))
    assert (table.source.header, table.source.header_row) == (("id", "Nr telefonu", "miasto"), header)
    assert f"row {header}" in table.source.notes[0]
    assert rows_of(table) == [(header + 1, "601000001"), (header + 2, "601000002")]


@pytest.mark.parametrize(
    "content",
    [
        "Jan;601000001\nid;telefon\n1;601000002\n",
        "klient;numer klienta;uwagi\nJan;A1;telefon\nEwa;A2;telefon\n601000001;A3;601000001\n",
        "Eksport;telefon\nid;telefon\n1;601000001\n",
        "601000001\ntelefon\n601000002\n",
        "klient;miasto;kanal\nJan;x;telefon\n601000001;y;601000002\n",
        "\n".join(f"tytul {'x' * place}" for place in range(20)) + "\nid;telefon\n1;601000001\n",
    ],
    ids=["a number above", "a full row above", "named above", "one number above", "as wide above", "too far down"],
)
def test_a_row_further_down_is_no_header_where_something_else_could_be_meant(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    if content.startswith("Eksport;telefon"):
        assert open_table(path, ReadOptions()).source.header_row == 1
    else:
        assert isinstance(refusal(path), InputError)


def test_the_first_row_is_the_header_where_the_options_say_so(tmp_path: Path) -> None:
    path = written(tmp_path, "Eksport\ntelefon\n601000001\n")
    assert open_table(path, ReadOptions()).source.header_row == 2
    assert "No column is certain" in refusal(path, ReadOptions(has_header=True)).sentence
    assert rows_of(open_table(path, ReadOptions(has_header=True, column="1")))[0] == (2, "telefon")


def test_an_uncertain_header_below_titles_is_refused_with_its_row(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "Eksport\n\ntelefon;mobile\n601000001;601000002\n"))
    assert "row 3: More than one column may hold the phone numbers" in error.sentence


@pytest.mark.parametrize(
    "content",
    [
        "kom. 601000001\n602000002\n603000003\n",
        "Raport\nkom. 601000001\n602000002\n603000003\n",
        "Jan;Tel 601 000 001\nEwa;602000002\n",
        "Baza\n\nJan;phone: 601000001\nEwa;602000002\n",
        "kom. 601000001\nphone\n602000002\n",
        "tel. 441\n442\n991\n817\n",
    ],
)
def test_a_word_with_a_number_in_the_first_row_is_never_taken_as_the_header(tmp_path: Path, content: str) -> None:
    assert "The first row holds a phone number" in refusal(written(tmp_path, content)).sentence
    book = openpyxl.Workbook()
    for line in content.splitlines():
        book.worksheets[0].append(line.split(";"))
    book.save(tmp_path / "list.xlsx")
    assert "The first row holds a phone number" in refusal(str(tmp_path / "list.xlsx")).sentence


def test_a_word_with_a_number_is_a_row_where_there_is_no_header(tmp_path: Path) -> None:
    path = written(tmp_path, "kom. 601000001\n602000002\n")
    assert rows_of(open_table(path, NO_HEADER)) == [(1, "kom. 601000001"), (2, "602000002")]


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"'])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1250", "utf-16"])
def test_the_line_for_excel_is_no_row_and_is_not_counted(
    tmp_path: Path, first: str, newline: str, encoding: str
) -> None:
    content = newline.join([first, "a, b, c;telefon", "ż;601000001", ""])
    table = open_table(written(tmp_path, content.encode(encoding)), ReadOptions(keep_columns=True))
    assert (table.source.delimiter, table.source.header, table.source.header_row) == (";", ("a, b, c", "telefon"), 1)
    assert rows_of(table) == [(2, "601000001")]
    assert kept_of(table) == [("ż", "601000001")]
    assert "row 1 is the line below it" in table.source.notes[-1]


def test_the_line_for_excel_alone_is_no_text(tmp_path: Path) -> None:
    assert "holds no text" in refusal(written(tmp_path, "sep=;\n")).sentence


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_the_options_is_taken(tmp_path: Path, delimiter: str) -> None:
    table = open_table(
        written(tmp_path, f"a,b;c\td|e{delimiter}telefon\nx{delimiter}1\n"), ReadOptions("telefon", delimiter=delimiter)
    )
    assert table.source.delimiter == delimiter


def test_a_delimiter_that_is_not_looked_for_can_be_named(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, "id:telefon\n1:601000001\n"), ReadOptions(delimiter=":"))
    assert rows_of(table) == [(2, "601000001")]


def test_a_bar_is_found_as_the_delimiter(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, "id|telefon\n1|601000001\n"), ReadOptions())
    assert (table.source.delimiter, rows_of(table)) == ("|", [(2, "601000001")])


@pytest.mark.parametrize("delimiter", ["", ";;", "§", '"', "\n", "\0"])
def test_a_delimiter_that_cannot_be_one_is_a_fault_of_usage(tmp_path: Path, delimiter: str) -> None:
    assert isinstance(refusal(written(tmp_path, "phone\n601000001\n"), ReadOptions(delimiter=delimiter)), UsageError)


@pytest.mark.parametrize("wanted", ["Kampania", "KAMPANIA", "3"])
@pytest.mark.parametrize("keep", [False, True])
def test_the_campaign_of_each_row_is_read_from_its_column(tmp_path: Path, wanted: str, *, keep: bool) -> None:
    path = written(tmp_path, "id,phone,Kampania\n1,601000001, 00001\n\n2,601000002\n3,,00003\n4,601000004,5,6\n")
    table = open_table(path, ReadOptions(campaign_column=wanted, keep_columns=keep))
    (block,) = table.blocks()
    assert table.source.campaign_column == 2
    assert list(block.campaigns) == [" 00001", "", "00003", "5"]
    assert (list(block.rows), list(block.problems)) == ([2, 4, 5, 6], [3])


def test_campaigns_are_read_below_a_very_wide_row_and_without_a_header(tmp_path: Path) -> None:
    path = written(tmp_path, "601000001,00001\n1" + "," * 200 + "x\n601000003,00003\n")
    table = open_table(path, ReadOptions("1", has_header=False, campaign_column="2"))
    assert [list(block.campaigns) for block in table.blocks()] == [["00001", "", "00003"]]


def test_without_the_option_a_file_has_no_campaigns(tmp_path: Path) -> None:
    (block,) = open_table(written(tmp_path, "phone,campaign\n601000001,00001\n"), ReadOptions()).blocks()
    assert list(block.campaigns) == []
    assert block.source.campaign_column is None


@pytest.mark.parametrize("wanted", ["kampania", "9", "phone", "1"])
def test_a_campaign_column_that_is_not_there_or_holds_the_numbers_is_refused(tmp_path: Path, wanted: str) -> None:
    error = refusal(written(tmp_path, "phone,campaign\n601000001,00001\n"), ReadOptions(campaign_column=wanted))
    assert "the columns are 1 'phone' (60*****01), 2 'campaign'" in error.sentence
    assert "--campaign-column" in error.hint


BESIDE = "telefon;zgoda;miasto;rodo\n601000001;TAK;Łódź;x\n\n601000002;;Kraków;\n601000003\n601000004;NIE;Łódź;\n"


def beside_of(table: Table) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in table.source.beside]
    for block in table.blocks():
        for column, cells in zip(columns, block.beside, strict=True):
            column.extend(cells)
    return columns


@pytest.mark.parametrize("keep", [False, True])
def test_the_columns_of_conditions_and_those_that_say_yes_or_no_are_read(tmp_path: Path, *, keep: bool) -> None:
    where = tuple(map(Condition.parse, ("Miasto=łódź", "4=x", "telefon=601000001")))
    path = written(tmp_path, BESIDE)
    table = open_table(path, ReadOptions(where=where, keep_columns=keep, block_rows=2))
    assert table.source.beside == (2, 3, 0, 1)
    assert beside_of(table) == [
        ["Łódź", "Kraków", "", "Łódź"],
        ["x", "", "", ""],
        ["601000001", "601000002", "601000003", "601000004"],
        ["TAK", "", "", "NIE"],
    ]
    assert open_table(path, ReadOptions()).source.beside == (1, 3)
    wide = open_table(written(tmp_path, BESIDE + "601000005;TAK;x;x;" + ";" * 200 + "y\n"), ReadOptions(where=where))
    assert [column[-2:] for column in beside_of(wide)] == [
        ["Łódź", "x"],
        ["", "x"],
        ["601000004", "601000005"],
        ["NIE", "TAK"],
    ]


def test_a_condition_on_a_column_that_is_not_there_is_refused_with_the_columns(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, BESIDE), ReadOptions(where=(Condition("zgody", "x"),)))
    assert "There is no column 'zgody'; the columns are 1 'telefon'" in error.sentence
    assert error.hint == "Did you mean --where 'zgoda=VALUE'?"


def test_a_condition_on_a_file_without_a_header_goes_by_the_place(tmp_path: Path) -> None:
    options = ReadOptions("1", has_header=False, where=(Condition("2", "x"),))
    table = open_table(written(tmp_path, "601000001;x;\n601000002;;\n"), options)
    assert (table.source.beside, beside_of(table)) == ((1, 2), [["x", ""], ["", ""]])
