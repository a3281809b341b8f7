"""What can be given to `plan`: files, folders, pipes, and the options that say how they are read."""

import json
import subprocess
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.support.processes import COMMAND, bulk_remove, environment


def planned(folder: Path, *words: str | Path) -> dict[str, Any]:
    done = bulk_remove("plan", *words, "-c", "00001", "--state-dir", folder / "state", "--json")
    assert done.returncode == 0, done.stderr
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def refused(folder: Path, *words: str | Path) -> tuple[int, str]:
    done = bulk_remove("plan", *words, "--state-dir", folder / "state")
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def written(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    rows = [f"{600_000_001 + index};Łucja {index}" for index in range(20)]
    return written(tmp_path / "numbers.csv", "Nr telefonu;Imię", *rows, "600000003;jeszcze raz", encoding="cp1250")


def test_the_plan_says_of_each_file_how_it_is_read_and_what_becomes_of_it(tmp_path: Path, numbers: Path) -> None:
    more = written(tmp_path / "more.csv", "telefon", "600 000 001", "brak", "600000100", encoding="utf-16")
    plan = planned(tmp_path, numbers, more)
    first, second = plan["files"]
    assert (first["encoding"], first["delimiter"], first["header_row"]) == ("cp1250", ";", 1)
    assert (first["column"], first["column_name"], first["column_reason"]) == (1, "Nr telefonu", "named 'Nr telefonu'")
    assert (first["rows"], first["duplicates"], first["invalid"]) == (21, 1, 0)
    assert second["encoding"] == "utf-16-le"
    assert (second["rows"], second["duplicates"], second["invalid"]) == (3, 1, 1)
    assert list(second["invalid_by_reason"].values()) == [1]
    assert (plan["rows"], plan["numbers"], plan["duplicates"], plan["invalid"]) == (24, 21, 2, 1)
    assert (plan["requests"], plan["least_seconds"]) == (1, 0)


def test_samples_are_masked_unless_the_operator_wants_to_see_the_numbers(tmp_path: Path, numbers: Path) -> None:
    hidden = bulk_remove("plan", numbers, "-c", "00001", "--state-dir", tmp_path / "state")
    shown = bulk_remove("plan", numbers, "-c", "00001", "--state-dir", tmp_path / "state", "--show-numbers")
    assert "600000002" not in hidden.stdout
    assert "row 3: 60*****02 -> 60*****02" in hidden.stdout
    assert "row 3: 600000002 -> 600000002" in shown.stdout
    assert len(planned(tmp_path, numbers)["files"][0]["samples"]) == 5


def test_a_folder_is_read_file_by_file_and_a_number_of_two_files_is_sent_once(tmp_path: Path, numbers: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    numbers.rename(folder / "a.csv")
    written(folder / "b.csv", "telefon", "600000001", "600000999")
    plan = planned(tmp_path, folder)
    assert [Path(file["file"]).name for file in plan["files"]] == ["a.csv", "b.csv"]
    assert (plan["numbers"], plan["duplicates"]) == (21, 2)
    assert planned(tmp_path, folder / "*.csv")["numbers"] == 21


def test_numbers_can_be_piped_in(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "plan", "-", "-c", "00001", "--state-dir", tmp_path / "state", "--json"],
        input="600000001\n600000002\n",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["numbers"], plan["files"][0]["header_row"]) == (2, 0)


def test_internal_numbers_that_are_piped_in_are_read_once_more_and_sent(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "plan", "-", "-c", "00001", "--state-dir", tmp_path / "state", "--no-header", "--column", "1"],
        input="441\n442\n600000001\n19115\n",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "4 rows: 4 numbers, 0 duplicates, 0 INVALID, 0 empty" in done.stdout
    assert "3 internal numbers of 3 to 6 digits are sent as they are" in done.stdout


def test_short_numbers_among_whole_ones_are_invalid_with_the_flag_that_sends_them(
    tmp_path: Path, numbers: Path
) -> None:
    with numbers.open("a", encoding="cp1250") as file:
        file.write("60000;Jan")
    plan = planned(tmp_path, numbers)
    ((reason, count),) = plan["files"][0]["invalid_by_reason"].items()
    assert ("--internal-numbers" in reason, count) == (True, 1)
    sent = planned(tmp_path, numbers, "--internal-numbers")
    assert (sent["invalid"], sent["files"][0]["internal_numbers"]) == (0, 1)
    assert planned(tmp_path, numbers, "--no-internal-numbers")["invalid"] == 1


def test_the_plan_counts_what_was_read_as_a_number_and_what_is_empty(tmp_path: Path) -> None:
    lines = ["id;Prefiks;telefon", "1;48;600000001.0", "2;420;601000002.0", "3;48;", "4;48;'600000004", "5;;"]
    path = written(tmp_path / "numbers.csv", *lines)
    shown = " ".join(bulk_remove("plan", path, "-c", "00001", "--state-dir", tmp_path / "state").stdout.split())
    assert "phone column 3 'telefon', found by its name behind the codes of column 2 'Prefiks'" in shown
    assert "5 rows: 3 numbers, 0 duplicates, 0 INVALID, 2 empty" in shown
    assert "read as numbers: 1 with decimals that are zero, 1 with apostrophes" in shown
    assert "empty cells 2 INVALID, never sent" in shown
    plan = planned(tmp_path, path)
    assert (plan["rows"], plan["numbers"], plan["invalid"], plan["empty"]) == (5, 3, 0, 2)
    file = plan["files"][0]
    assert file["read_as_numbers"] == {"with decimals that are zero": 1, "with apostrophes": 1}
    assert (file["code_column"], file["empty"], file["invalid_by_reason"]) == (2, 2, {})


def test_a_column_whose_digits_were_cut_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "numbers.csv", "telefon", *["4.86E+10"] * 48, "brak", "6OOOOOOO1")
    code, error = refused(tmp_path, path, "-c", "00001")
    assert code == 4
    assert "a spreadsheet has cut the digits of 48 of 50 cells" in " ".join(error.split())


def test_a_file_without_names_of_columns_is_read_when_told_which_counts(tmp_path: Path) -> None:
    path = written(tmp_path / "raw.csv", "Anna;600000001", "Jan;600000002")
    code, error = refused(tmp_path, path, "-c", "00001")
    assert code == 4
    assert "--no-header --column 2" in error
    assert planned(tmp_path, path, "--no-header", "--column", "2")["numbers"] == 2


def test_cells_with_several_numbers_are_split_only_when_told_to(tmp_path: Path) -> None:
    rows = [f"6000001{index:02d}" for index in range(20)]
    path = written(tmp_path / "n.csv", "telefon", "600 000 001 / 600 000 002", *rows)
    assert planned(tmp_path, path)["numbers"] == 20
    plan = planned(tmp_path, path, "--split-cells")
    assert (plan["rows"], plan["numbers"], plan["invalid"]) == (22, 22, 0)


def test_too_great_a_share_of_invalid_rows_is_5_with_examples_and_the_flag(tmp_path: Path) -> None:
    rows = [f"6000001{index:02d}" for index in range(88)]
    path = written(tmp_path / "n.csv", "telefon", *rows, *["brak 600"] * 12)
    code, error = refused(tmp_path, path, "-c", "00001")
    assert code == 5
    assert "12 of 100 rows (12%)" in error
    assert "row 90 'br****00'" in error or "row 90 'br*****0'" in error
    assert "--max-invalid 12%" in error
    assert planned(tmp_path, path, "--max-invalid", "12%")["invalid"] == 12


def test_a_share_that_is_none_is_a_usage_error(tmp_path: Path, numbers: Path) -> None:
    code, error = refused(tmp_path, numbers, "-c", "00001", "--max-invalid", "much")
    assert code == 2
    assert "5%" in error


def test_a_column_that_looks_like_something_else_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    path = written(tmp_path / "n.csv", "telefon", *[f"{index:03d}" for index in range(101, 160)])
    code, error = refused(tmp_path, path, "-c", "00001")
    assert code == 4
    assert "looks like row numbers" in error
    assert "--trust-column" in error
    assert planned(tmp_path, path, "--trust-column")["numbers"] == 59


def test_a_campaign_is_needed_and_only_one_way_of_giving_it(tmp_path: Path, numbers: Path) -> None:
    code, error = refused(tmp_path, numbers)
    assert (code, "No campaign is given" in error) == (2, True)
    code, error = refused(tmp_path, numbers, "-c", "00001", "--campaign-column", "Imię")
    assert (code, "--campaign-column" in error) == (2, True)


def test_the_plan_shows_each_campaign_of_a_column_and_counts_by_it(tmp_path: Path) -> None:
    rows = [f"{600_000_001 + index % 30},0000{1 + index % 2}" for index in range(40)]
    path = written(tmp_path / "n.csv", "telefon,kampania", *rows, "600000999,7", "600000999,")
    done = bulk_remove(
        "plan", path, "--campaign-column", "kampania", "--state-dir", tmp_path, "--json", "--max-invalid", "5%"
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [(each["campaign"], each["numbers"], each["requests"]) for each in plan["campaigns"]] == [
        ("00001", 15, 1),
        ("00002", 15, 1),
    ]
    assert (plan["files"][0]["campaign_column"], plan["duplicates"], plan["invalid"]) == (2, 10, 2)
    assert set(plan["files"][0]["invalid_by_reason"]) == {
        "The campaign is not five letters or digits.",
        "No campaign in the row.",
    }


def test_unknown_forms_to_try_are_refused_with_the_nearest(tmp_path: Path, numbers: Path) -> None:
    code, error = refused(tmp_path, numbers, "-c", "00001", "--also-try", "plu")
    assert (code, "Did you mean plus?" in error) == (2, True)
    code, error = refused(tmp_path, numbers, "-c", "00001", "--also-try", "plus", "--number-format", "as-is")
    assert (code, "as-is" in error) == (2, True)


def test_what_is_piped_in_is_set_aside_where_the_state_is_and_gone_afterwards(tmp_path: Path) -> None:
    state = tmp_path / "state"
    unwritable = tmp_path / "file"
    unwritable.write_text("", encoding="utf-8")
    for folder, code in ((state, 0), (unwritable / "below", 10)):
        done = subprocess.run(
            [*COMMAND, "plan", "-", "-c", "00001", "--state-dir", folder],
            input="600000001\n600000002\n",
            env=environment(TMPDIR=str(tmp_path / "nowhere")),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert [path.name for path in state.iterdir()] == ["runs"]


@pytest.mark.parametrize(("twice", "told"), [(11, 1), (9, 0), (30, 1)])
def test_a_list_of_mostly_duplicates_is_told(tmp_path: Path, twice: int, *, told: int) -> None:
    path = written(tmp_path / "numbers.csv", "telefon", *["600000007"] * twice, "600000001", "brak", "600000005")
    (file,) = planned(tmp_path, path)["files"]
    note = f"{twice - 1} of {twice + 2} numbers are also in an earlier row: perhaps the same list was added twice."
    assert file["notes"] == [note] * told


def test_a_column_that_names_countries_is_in_the_plan_and_its_rows_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "numbers.csv", "kraj;telefon", "Polska;600000001", "Niemcy;600000002", "PL;600000005")
    (file,) = planned(tmp_path, path)["files"]
    assert (file["rows"], file["invalid"], file["code_column"]) == (3, 0, None)
    (note,) = file["notes"]
    assert note.startswith("Column 'kraj' names another country in 1 of 3 rows: ")


def test_what_is_chosen_with_where_and_what_says_yes_or_no_is_in_the_plan(tmp_path: Path) -> None:
    lines = ["telefon;Zgoda RODO", "600000001;TAK", "600000002;nie", "600000005;NIE", "brak;TAK"]
    path = written(tmp_path / "numbers.csv", *lines)
    (file,) = planned(tmp_path, path)["files"]
    (note,) = file["notes"]
    assert note.startswith("Column 'Zgoda RODO' may say which rows are meant: 2 x TAK, 2 x nie. All rows are used; ")
    plan = planned(tmp_path, path, "--where", "zgoda rodo=Nie", "--max-invalid", "0%")
    assert (plan["rows"], plan["numbers"], plan["invalid"], plan["left_out"]) == (4, 2, 0, 2)
    assert plan["where"] == ["zgoda rodo=Nie"]
    assert plan["files"][0]["samples"][0]["became"] == "Left out by --where zgoda rodo=Nie."
    assert plan["files"][0]["invalid_examples"] == []


def test_conditions_that_no_row_meets_are_4_and_say_so(tmp_path: Path) -> None:
    path = written(tmp_path / "numbers.csv", "telefon;zgoda", "600000001;TAK", "600000002;NIE")
    words = ("plan", path, "-c", "00001", "--state-dir", tmp_path / "state", "--where", "zgoda=N")
    done = bulk_remove(*words)
    assert done.returncode == 4
    assert "2 of 2 rows: Left out by --where zgoda=N." in " ".join(done.stderr.split())
    assert "give --where one of them" in done.stderr
    assert "--column" not in done.stderr
    shown = bulk_remove(*words, "--where", "zgoda")
    assert shown.returncode == 2
    assert "COLUMN=VALUE" in shown.stderr


def of_campaigns(folder: Path, *cells: str, name: str = "kampania") -> tuple[str | Path, ...]:
    lines = [f"60000000{place + 1};{cell}" for place, cell in enumerate(cells)]
    path = written(folder / "numbers.csv", f"telefon;{name}", *lines)
    return ("plan", path, "-c", "00001", "--state-dir", folder / "state")


@pytest.mark.parametrize("cells", [["00002", "00001"], ["00001"] * 7 + ["00002"], ["1", "2"]])
@pytest.mark.parametrize("name", ["kampania", "Campaign ID"])
def test_a_column_with_other_campaigns_than_the_one_typed_is_refused(
    tmp_path: Path, cells: list[str], name: str
) -> None:
    done = bulk_remove(*of_campaigns(tmp_path, *cells, name=name))
    told = " ".join(done.stderr.split())
    assert done.returncode == 4
    assert f"column '{name}' names other campaigns than 00001: {cells[-1] if cells[0] != '00002' else '00002'}." in told
    assert "--campaign-column" in told
    wanted = "1" if "1" in cells else "00001"
    assert f"--where {name}={wanted}." in told or f"--where '{name}={wanted}'." in told


@pytest.mark.parametrize("cell", ["00002", "2", "2.0", '"=""00002"""'])
def test_a_column_with_one_other_campaign_without_its_zeros_is_refused(tmp_path: Path, cell: str) -> None:
    words = of_campaigns(tmp_path, cell, cell)
    done = bulk_remove(*words)
    told = " ".join(done.stderr.split())
    assert (done.returncode, "column 'kampania' names other campaigns than 00001: " in told) == (4, True)
    assert "--campaign-column kampania" in told
    assert "rename it" in told
    assert bulk_remove(*words, "--where", "kampania=2").returncode == (0 if cell == "2" else 4)


@pytest.mark.parametrize(("cell", "code"), [(2, 4), (2.0, 4), ("00002", 4), (1, 0), ("00001", 0)])
def test_a_number_cell_of_a_workbook_is_a_campaign_that_lost_its_zeros(
    tmp_path: Path, cell: float | str, code: int
) -> None:
    book = openpyxl.Workbook()
    for row in (["telefon", "kampania"], ["600000001", cell], ["600000009", cell]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    done = bulk_remove("plan", tmp_path / "a.xlsx", "-c", "00001", "--state-dir", tmp_path / "state")
    assert (done.returncode, "names other campaigns" in " ".join(done.stderr.split())) == (code, code == 4)


@pytest.mark.parametrize("name", ["kampania", "nazwa kampanii", "campaign_name"])
def test_the_names_of_campaigns_are_in_the_plan(tmp_path: Path, name: str) -> None:
    def notes(*cells: str) -> list[str]:
        done = bulk_remove(*of_campaigns(tmp_path, *cells, name=name), "--json")
        told: list[str] = json.loads(done.stdout)["files"][0]["notes"]
        return told

    rest = "All numbers that are taken from the file are removed from campaign 00001."
    assert notes("Windykacja B", "1", "Windykacja B") == [f"Column '{name}' names campaigns ('Windykacja B'). {rest}"]
    assert notes("E" * 50, "Ala", "B", "C", "D", "0") == [
        f"Column '{name}' names campaigns ('Ala', 'B', 'C' and 2 others). {rest}"
    ]
    assert notes("00001", "1", "") == []
    assert notes("601234555 VIP") == [f"Column '{name}' names campaigns ('60*****55 VIP'). {rest}"]


def test_a_column_of_the_campaign_that_was_typed_is_fine_and_so_is_one_that_is_chosen(tmp_path: Path) -> None:
    for number, words in enumerate((("00001", ""), ("Wiosna", "Lipca"))):
        (tmp_path / str(number)).mkdir()
        done = bulk_remove(*of_campaigns(tmp_path / str(number), *words))
        assert done.returncode == 0, done.stderr
    two = of_campaigns(tmp_path, "00001", "00002", "00001")
    chosen = bulk_remove(*two, "--where", "kampania=00001", "--json")
    assert json.loads(chosen.stdout)["numbers"] == 2
    named = bulk_remove(*two[:2], *two[4:], "--campaign-column", "kampania", "--json")
    assert json.loads(named.stdout)["numbers"] == 3
    assert bulk_remove(*two, "--where", "telefon=600000001").returncode == 0


def test_a_row_of_another_campaign_in_a_later_block_is_found(tmp_path: Path) -> None:
    lines = [f"6010{place:05d};00001" for place in range(6000)]
    path = written(tmp_path / "numbers.csv", "telefon;kampania", *lines, "601234567;00002")
    done = bulk_remove("plan", path, "-c", "00001", "--state-dir", tmp_path / "state")
    assert (done.returncode, "00002" in done.stderr) == (4, True)


def written_as(path: Path, rows: list[list[str]]) -> Path:
    """Write rows as the file's kind asks for: a workbook, or lines whose last empty cells are there or not."""
    if path.suffix != ".xlsx":
        lines = [";".join(row) for row in rows]
        return written(path, *(lines if path.stem == "full" else [line.rstrip(";") for line in lines]))
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append([cell or None for cell in row])
    book.save(path)
    return path


FILES = pytest.mark.parametrize("name", ["full.csv", "short.csv", "a.xlsx"])
FIRST = [["telefon", "imię"], ["600000001", "Ala"], ["600000005", "Ewa"]]
SECOND = [["600000002", "Jan"], ["600000009", "Iga"]]


def turned(rows: list[list[str]]) -> list[list[str]]:
    """Return the rows with the phone cells last; a title stays in the first column."""
    return [row[::-1] if row[-1] else row for row in rows]


@FILES
@pytest.mark.parametrize("title", ["Do zachowania", "Nie usuwać!", "do not remove", "KEEP"])
@pytest.mark.parametrize("header", [[], FIRST[:1]])
@pytest.mark.parametrize("last", [False, True])
def test_a_second_table_whose_title_says_keep_is_refused_with_its_row(
    tmp_path: Path, name: str, title: str, header: list[list[str]], *, last: bool
) -> None:
    rows = [*FIRST, ["", ""], [title, ""], *header, *SECOND]
    path = written_as(tmp_path / name, turned(rows) if last else rows)
    code, error = refused(tmp_path, path, "-c", "00001")
    told = " ".join(error.split())
    assert (code, f"row 5 says '{title}' above numbers that would be removed" in told) == (4, True), error
    assert "file of its own" in told


@FILES
@pytest.mark.parametrize("last", [False, True])
def test_a_second_table_with_another_title_is_told_with_its_row(tmp_path: Path, name: str, *, last: bool) -> None:
    rows = [*FIRST, ["Część 2", ""], FIRST[0], *SECOND, ["Część 3", ""], FIRST[0], *SECOND]
    path = written_as(tmp_path / name, turned(rows) if last else rows)
    (file,) = planned(tmp_path, path, "--max-invalid", "90%")["files"]
    notes = [note for note in file["notes"] if "title" in note]
    assert notes == ["Row 4 seems to be the title of another table, 'Część 2'; the rows below it are taken, too."]


@FILES
@pytest.mark.parametrize(
    "rows",
    [
        [*FIRST, ["Zachowaj poufność", ""]],  # a footer
        [*FIRST, ["zostawić", "Jan"], *SECOND],  # a cell of one row
        [["stan", "telefon"], ["zachować", ""], ["zachować", "600000001"], ["usunąć", "600000005"]],  # an answer
        [*FIRST, ["", "Nie usuwać"], *SECOND],
    ],
    ids=["a footer", "a cell", "an answer", "a remark"],
)
def test_what_is_not_the_title_of_a_table_is_no_reason_to_refuse_it(
    tmp_path: Path, name: str, rows: list[list[str]]
) -> None:
    path = written_as(tmp_path / name, rows)
    done = bulk_remove("plan", path, "-c", "00001", "--max-invalid", "90%", "--state-dir", tmp_path / "state")
    assert done.returncode == 0, done.stderr


def test_a_title_that_says_keep_counts_in_the_blocks_below_but_not_in_the_next_file(tmp_path: Path) -> None:
    rows = [f"6010{place:05d}" for place in range(0, 30000, 3)]
    for place in (4999, 9999):
        path = written(tmp_path / "a.csv", "telefon", *rows[:place], "nie usuwać", *rows[place:])
        assert refused(tmp_path, path, "-c", "00001")[0] == 4
    first = written(tmp_path / "a.csv", "telefon", *rows[:20], "nie usuwać")
    assert planned(tmp_path, first, written(tmp_path / "b.csv", "telefon", *rows[20:]))["rows"] == 10001


@pytest.mark.parametrize("name", ["Nie usuwać", "keep", "do not remove", "Klienci do zachowania"])
def test_a_sheet_whose_name_says_keep_is_read_only_where_it_is_named(tmp_path: Path, name: str) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].title = name
    for cell in ("telefon", "600000001", "600000005"):
        book.worksheets[0].append([cell])
    path = tmp_path / "a.xlsx"
    book.save(path)
    code, error = refused(tmp_path, path, "-c", "00001")
    assert (code, f"sheet '{name}' says that its numbers must stay" in " ".join(error.split())) == (4, True), error
    assert "--sheet" in error
    assert planned(tmp_path, path, "--sheet", name)["numbers"] == 2
    numbers = written(tmp_path / "b.csv", "telefon", "600000001", "600000007")
    assert planned(tmp_path, numbers, "--keep", path, "--keep-skips")["numbers"] == 1
    book.create_sheet("notatki").append(["uwagi", "klienta"])
    book.save(path)
    assert refused(tmp_path, path, "-c", "00001")[0] == 4
    book.worksheets[0].title = "do usunięcia"
    book.save(path)
    assert planned(tmp_path, path)["numbers"] == 2


def test_a_column_without_a_name_that_looks_unlike_phones_is_told_beside_one_that_does(tmp_path: Path) -> None:
    lines = [f"{1_000_321 + 17 * place};{601_000_321 + 1717 * place}" for place in range(20)]
    path = written(tmp_path / "a.csv", *lines)
    words = (path, "--no-header", "--column", "1", "--max-invalid", "100%")
    done = bulk_remove("plan", *words, "-c", "00001", "--state-dir", tmp_path / "state")
    told = " ".join((done.stdout + done.stderr).split())
    assert "Column 'column 2' looks like phone numbers, too; 'column 1' was chosen with --column." in told
    assert planned(tmp_path, path, "--no-header", "--column", "2")["files"][0]["notes"] == []


CUT = (
    "3 of 3 numbers begin with 48, the country code, but are too short to have one: "
    "perhaps their last digits are cut off."
)


@pytest.mark.parametrize(
    ("cells", "notes"),
    [
        (["486010000", "486020003", "486910002"], [CUT]),
        (["48 601 00 00", "486020003", "+48601000001", "486910002"], [CUT.replace("of 3", "of 4")]),
        (["486010000", "486020003", "", "brak", "486910002"], [CUT]),
        (["486010000", "486020003"], []),
        (["486010000", "486020003", "486910002", "601000001", "602000004", "603000005"], []),
        (["+48486010000", "+48486020003", "+48486910002"], []),
    ],
)
def test_a_column_cut_to_nine_digits_behind_country_codes_is_told(
    tmp_path: Path, cells: list[str], notes: list[str]
) -> None:
    path = written(tmp_path / "a.csv", "telefon", *cells)
    assert planned(tmp_path, path, "--max-invalid", "50%")["files"][0]["notes"] == notes


def test_numbers_that_were_made_up_are_told_with_their_first_row(tmp_path: Path) -> None:
    lines = [str(601_000_321 + 1717 * place) for place in range(20)]
    path = written(tmp_path / "a.csv", "telefon", *lines, "111111111", *[str(602_000_000 + 5 * at) for at in range(12)])
    placeholder, steps = planned(tmp_path, path)["files"][0]["notes"]
    assert placeholder.startswith("1 number (row 22) looks made up: ")
    assert steps.startswith("12 numbers follow each other in equal steps, the first ones by 5 from row 23 on: ")


def test_a_column_of_short_numbers_only_is_doubted_in_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("telefon;Kwota\n" + "".join(f"60123450{each};{each}00\n" for each in range(1, 10)), "utf-8")
    for column, doubted in (("Kwota", True), ("telefon", False)):
        done = subprocess.run(
            [*COMMAND, "plan", file, "-c", "00001", "--state-dir", tmp_path / "state", "--column", column],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ("Column 'Kwota' holds no whole phone number" in done.stdout) is doubted, done.stdout + done.stderr
